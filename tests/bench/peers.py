"""The same workloads in numpy, JAX, torch and neural-tangents, each tuned as far as we know how.

Every sampler draws whole batches in float32 and sums the products of pairs of fields by one matrix
product, which holds all moments of orders 2 and 4.  Batch size and, with JAX, the random
generator are chosen by the fastest of short runs.  Neural-tangents has no layers for the Cos-net
and the Gauss-net.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy.special import erf
from workloads import Workload

__all__ = ["peers", "tuned"]

Sampler = Callable[[int, int], None]
"""Called with a seed and a number of networks."""


def _batched(step: Callable[[int, int], Any], size: int) -> Sampler:
    def run(seed: int, networks: int) -> None:
        total: Any = 0.0
        for batch in range(max(1, networks // size)):
            total = total + step(seed, batch)
        if not np.isfinite(np.asarray(total)).all():
            raise ArithmeticError("a benchmark must not diverge")

    return run


def _scales(load: Workload) -> tuple[float, float, float]:
    params = load.params
    return params["sigma_w"], params.get("sigma_b", 0.0), params.get("sigma_v", params["sigma_w"])


def _numpy(load: Workload, size: int) -> Sampler:
    sigma_w, sigma_b, sigma_v = _scales(load)
    X = load.X.astype(np.float32).T
    norm = np.float32(sigma_b**2) + np.float32(sigma_w**2) * np.mean(X**2, axis=0)
    phi: dict[str, Callable[[Any], Any]] = {
        "erf": erf,
        "relu": lambda z: np.maximum(z, np.float32(0)),
        "cos": np.cos,
        "tanh": np.tanh,
        "gauss": lambda z: np.exp(z - norm),
    }

    def step(seed: int, batch: int) -> Any:
        rng = np.random.default_rng([seed, batch])

        def normal(*shape: int) -> Any:
            return rng.standard_normal(shape, dtype=np.float32)

        h: Any = X
        for width in load.widths:
            fan = h.shape[-2]
            z = np.float32(sigma_w / fan**0.5) * (normal(size, width, fan) @ h)
            if load.phi == "cos":
                bias = np.float32(2 * np.pi) * rng.random((size, width, 1), dtype=np.float32)
            else:
                bias = np.float32(sigma_b) * normal(size, width, 1)
            h = phi[load.phi](z + bias)
        a = np.float32(sigma_v / h.shape[-2] ** 0.5) * normal(size, 1, h.shape[-2])
        f = (a @ h)[:, 0, :]
        pairs = (f[:, :, None] * f[:, None, :]).reshape(size, -1)
        return pairs.T @ pairs

    return _batched(step, size)


def _torch(load: Workload, size: int) -> Sampler:
    import torch

    sigma_w, sigma_b, sigma_v = _scales(load)
    X = torch.tensor(load.X.T, dtype=torch.float32)
    norm = sigma_b**2 + sigma_w**2 * (X**2).mean(dim=0)
    phi: dict[str, Callable[[Any], Any]] = {
        "erf": torch.erf,
        "relu": torch.relu,
        "cos": torch.cos,
        "tanh": torch.tanh,
        "gauss": lambda z: torch.exp(z - norm),
    }
    generator = torch.Generator()

    @torch.inference_mode()
    def step(seed: int, batch: int) -> Any:
        generator.manual_seed(seed * 2**20 + batch)

        def normal(*shape: int) -> Any:
            return torch.randn(shape, generator=generator)

        h: Any = X.expand(size, -1, -1)
        for width in load.widths:
            fan = h.shape[-2]
            z = torch.bmm(normal(size, width, fan), h).mul_(sigma_w / fan**0.5)
            if load.phi == "cos":
                bias = torch.rand((size, width, 1), generator=generator).mul_(2 * torch.pi)
            else:
                bias = normal(size, width, 1).mul_(sigma_b)
            h = phi[load.phi](z.add_(bias))
        a = normal(size, 1, h.shape[-2]).mul_(sigma_v / h.shape[-2] ** 0.5)
        f = torch.bmm(a, h)[:, 0, :]
        pairs = (f[:, :, None] * f[:, None, :]).reshape(size, -1)
        return (pairs.T @ pairs).numpy()

    return _batched(step, size)


def _jax(load: Workload, size: int, generator: str) -> Sampler:
    import jax
    import jax.numpy as jnp
    from jax.scipy.special import erf as jax_erf

    sigma_w, sigma_b, sigma_v = _scales(load)
    X = jnp.asarray(load.X.T, dtype=jnp.float32)
    norm = sigma_b**2 + sigma_w**2 * jnp.mean(X**2, axis=0)
    phi: dict[str, Callable[[Any], Any]] = {
        "erf": jax_erf,
        "relu": jax.nn.relu,
        "cos": jnp.cos,
        "tanh": jnp.tanh,
        "gauss": lambda z: jnp.exp(z - norm),
    }

    def network(key: Any) -> Any:
        keys = iter(jax.random.split(key, 2 * len(load.widths) + 1))
        h = X
        for width in load.widths:
            fan = h.shape[0]
            W = jax.random.normal(next(keys), (width, fan))
            if load.phi == "cos":
                bias = 2 * jnp.pi * jax.random.uniform(next(keys), (width, 1))
            else:
                bias = sigma_b * jax.random.normal(next(keys), (width, 1))
            h = phi[load.phi](sigma_w / fan**0.5 * (W @ h) + bias)
        a = jax.random.normal(next(keys), (h.shape[0],))
        return sigma_v / h.shape[0] ** 0.5 * (a @ h)

    return _vmapped(network, size, generator)


def _neural_tangents(load: Workload, size: int, generator: str) -> Sampler:
    import jax.numpy as jnp
    from neural_tangents import stax

    sigma_w, sigma_b, sigma_v = _scales(load)
    phi = {
        "erf": stax.Erf,
        "relu": stax.Relu,
        "tanh": lambda: stax.Elementwise(jnp.tanh),
    }
    layers: list[Any] = []
    for width in load.widths:
        layers += [stax.Dense(width, W_std=sigma_w, b_std=sigma_b or None), phi[load.phi]()]
    initialise, apply, _ = stax.serial(*layers, stax.Dense(1, W_std=sigma_v))
    X = jnp.asarray(load.X, dtype=jnp.float32)

    def network(key: Any) -> Any:
        return apply(initialise(key, X.shape)[1], X)[:, 0]

    return _vmapped(network, size, generator)


def _vmapped(network: Callable[[Any], Any], size: int, generator: str) -> Sampler:
    """Batches of a network that JAX draws from a key."""
    import jax

    @jax.jit
    def sums(key: Any) -> Any:
        f = jax.vmap(network)(jax.random.split(key, size))
        pairs = (f[:, :, None] * f[:, None, :]).reshape(size, -1)
        return pairs.T @ pairs

    def step(seed: int, batch: int) -> Any:
        return sums(jax.random.key(seed * 2**20 + batch, impl=generator))

    return _batched(step, size)


def _variants(name: str, load: Workload) -> Iterable[Sampler]:
    sizes = (32, 128, 512)
    if name == "numpy":
        return (_numpy(load, size) for size in sizes[:2])
    if name == "torch":
        return (_torch(load, size) for size in sizes)
    generators = ("threefry2x32", "rbg", "unsafe_rbg")
    make = _jax if name == "jax" else _neural_tangents
    return (make(load, size, generator) for generator in generators for size in sizes)


def peers(load: Workload) -> tuple[str, ...]:
    """Those that this Python can import and that have the layers of a workload."""
    known = ["numpy", "jax", "torch"]
    if load.phi in ("erf", "relu", "tanh"):
        known.append("neural_tangents")
    return tuple(name for name in known if importlib.util.find_spec(name))


def tuned(name: str, load: Workload, seconds: float) -> tuple[Sampler, int]:
    """Return the fastest variant of a peer, and the networks that take it so many seconds."""
    best, rate = None, 0.0
    for sampler in _variants(name, load):
        sampler(0, 2048)
        start = time.perf_counter()
        sampler(1, 4096)
        found = 4096 / (time.perf_counter() - start)
        if found > rate:
            best, rate = sampler, found
    assert best is not None
    return best, max(2048, int(rate * seconds) // 2048 * 2048)
