"""From the text of a module to a function of the machine, by way of a cache on disk.

The key of a cached function is the SHA-256 of everything its machine code depends on: the text of
the module (which the plan and the vector math have become part of, so no edit of either can go
unnoticed), the versions of the compiler, its options, and the processor.  A cached file carries
its own checksum; one that is torn or foreign is compiled again.  Files are written under another
name and then moved, so that processes cannot meet half of one.

The directory is that of the environment variable NNFT_CACHE_DIR, else the usual one of the
platform for caches of users.  Where it cannot be written, every process compiles for itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import hashlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
from llvmlite import binding

__all__ = ["address_of", "cache_directory", "compilations", "has_feature", "machine_function"]

_FORMAT = b"nnft machine code 1\n"
_LEVEL = 2
_LIBRARY = (
    "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan", "erf", "erfc", "pow",
    "fma", "fmaf", "sqrt", "sqrtf", "memcpy", "memset",
)  # fmt: skip

_lock = threading.Lock()
_functions: dict[str, Callable[..., None]] = {}
_engines: list[Any] = []
_compiled = 0


def compilations() -> int:
    """Count the functions this process has compiled, not found in the cache."""
    return _compiled


def address_of(function: Any) -> int:
    """Address of a function that was loaded, to be called from other machine code."""
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return address


def machine_function(text: str, name: str, arguments: Sequence[Any]) -> Callable[..., None]:
    """Load the function of a module, compiling it if no cache has it.

    Parameters
    ----------
    text : str
        Module in the assembly language of LLVM.
    name : str
        Name of the function.
    arguments : sequence
        Its argument types, of ``ctypes``.
    """
    global _compiled
    with _lock:
        key = hashlib.sha256("\0".join((*_conditions(), name, text)).encode()).hexdigest()
        if key not in _functions:
            machine_code = _read(key)
            if machine_code is None:
                machine_code = _compile(text)
                _compiled += 1
                _write(key, machine_code)
            address = _load(machine_code, name)
            _functions[key] = ctypes.CFUNCTYPE(None, *arguments)(address)
        return _functions[key]


@cache
def has_feature(name: str) -> bool:
    """Whether the processor has a feature, by its name in LLVM."""
    return bool(binding.get_host_cpu_features().get(name, False))


def cache_directory() -> Path:
    """Directory of the cache.

    Examples
    --------
    >>> isinstance(cache_directory(), Path)
    True
    """
    chosen = os.environ.get("NNFT_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "nnft"


@cache
def _conditions() -> tuple[str, ...]:
    """What the machine code depends on besides the text."""
    return (
        llvmlite.__version__,
        ".".join(map(str, binding.llvm_version_info)),
        binding.get_process_triple(),
        binding.get_host_cpu_name(),
        binding.get_host_cpu_features().flatten(),
        str(_LEVEL),
    )


@cache
def _target() -> Any:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_triple(binding.get_process_triple())
    return target.create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=_LEVEL,
        reloc="default",
        codemodel="jitdefault",
        jit=True,
    )


def _compile(text: str) -> bytes:
    target = _target()
    module = binding.parse_assembly(text)
    module.triple = binding.get_process_triple()
    module.data_layout = str(target.target_data)
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=_LEVEL)
    # the code is written in vectors already
    options.loop_vectorization = False
    options.slp_vectorization = False
    builder = binding.create_pass_builder(target, options)
    builder.getModulePassManager().run(module, builder)
    return target.emit_object(module)


def _load(machine_code: bytes, name: str) -> int:
    _target()
    _know_library()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _new_target())
    engine.add_object_file(binding.ObjectFileRef.from_data(machine_code))
    engine.finalize_object()
    _engines.append(engine)
    return engine.get_function_address(name)


def _new_target() -> Any:
    """Create a target for an engine, which takes it over."""
    target = binding.Target.from_triple(binding.get_process_triple())
    return target.create_target_machine(codemodel="jitdefault", jit=True)


@cache
def _know_library() -> None:
    """Tell the loader where the functions of the C library are."""
    found = ctypes.util.find_library("m") if sys.platform != "win32" else "ucrtbase"
    library = ctypes.CDLL(found)
    for name in _LIBRARY:
        with contextlib.suppress(AttributeError):
            address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
            binding.add_symbol(name, address)


def _read(key: str) -> bytes | None:
    try:
        stored = (cache_directory() / key).read_bytes()
    except OSError:
        return None
    size = len(_FORMAT) + hashlib.sha256().digest_size
    checksum, machine_code = stored[len(_FORMAT) : size], stored[size:]
    if stored[: len(_FORMAT)] != _FORMAT or checksum != _checksum(key, machine_code):
        return None
    return machine_code


def _write(key: str, machine_code: bytes) -> None:
    directory = cache_directory()
    with contextlib.suppress(OSError):
        directory.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=directory)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_FORMAT + _checksum(key, machine_code) + machine_code)
            os.replace(temporary, directory / key)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


def _checksum(key: str, machine_code: bytes) -> bytes:
    return hashlib.sha256(key.encode() + machine_code).digest()
