"""What a measurement depends on besides the code."""

from __future__ import annotations

import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version

__all__ = ["conditions"]

_PACKAGES = ("llvmlite", "numba", "numpy", "jax", "torch", "neural-tangents")
_SETTINGS = ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "XLA_FLAGS")


def conditions() -> str:
    """Machine, date, load, versions and the settings that matter."""
    settings = ", ".join(f"{name} {os.environ.get(name, 'unset')}" for name in _SETTINGS)
    load = " ".join(f"{number:.1f}" for number in os.getloadavg())
    return (
        f"{date.today()}: {_processor()}, {os.cpu_count()} processors, load {load}\n"
        f"Python {platform.python_version()}, {', '.join(_versions())}; {settings}"
    )


def _versions() -> list[str]:
    found = []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    """Name and kind of the processor, as Linux gives them."""
    facts: dict[str, str] = {}
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                facts.setdefault(name.strip(), value.strip())
    except OSError:
        return platform.processor() or platform.machine()
    avx = "AVX-512" if "avx512f" in facts.get("flags", "").split() else "no AVX-512"
    kind = f"family {facts.get('cpu family')} model {facts.get('model')}"
    return f"{facts.get('model name', platform.machine())} ({kind}, {avx})"
