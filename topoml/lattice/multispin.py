"""Energies and magnetisations of the Ising model from 64 chains at a time."""

import math

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from ..kernels import multispin as kernels
from .chain import temperature_key

__all__ = ["multispin"]


def multispin(
    shape: tuple[int, int],
    temperature: float,
    *,
    samples: int,
    seed: int,
    sweeps: int = 1,
    discard: int = 0,
    start: str = "ordered",
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Energy and magnetisation per site of 64 independent Metropolis chains, square lattice.

    J = 1 and k_B = 1. The spins of the 64 chains are the bits of one word a site, so that a sweep
    of them all costs little more than one of `Ising` with "metropolis". No configurations come
    out; `simulate` gives those. One thread. The same arguments give the same bits; another shape or
    temperature gives other random numbers.

    Args:
        shape: (L0, L1), sides of at least 2; with a side of 2 bonds are doubled.
        temperature: Above 0.
        samples: For each chain.
        seed: Non-negative integer.
        sweeps: Between samples, at least 1.
        discard: Sweeps before the first of these.
        start: "ordered", all up, or "random".

    Returns:
        Energy and magnetisation, each (64, samples) float64.

    Example:
        >>> e, m = multispin((4, 4), 0.5, samples=3, seed=0)
        >>> e.shape, float(e[0, 0]), float(m[0, 0])
        ((64, 3), -2.0, 1.0)
    """
    if len(shape) != 2 or any(type(side) is not int or side < 2 for side in shape):
        raise InputError(f"`shape` is {shape!r}; expected two sides, integers of at least 2.")
    if not 0.0 < temperature < math.inf:
        raise InputError(f"`temperature` is {temperature!r}; expected a finite number above 0.")
    for name, value, least in (
        ("samples", samples, 1), ("seed", seed, 0), ("sweeps", sweeps, 1), ("discard", discard, 0)
    ):  # fmt: skip
        if type(value) is not int or value < least:
            raise InputError(f"`{name}` is {value!r}; expected an integer of at least {least}.")
    if start not in ("ordered", "random"):
        raise InputError(f"`start` is {start!r}; expected 'ordered' or 'random'.")
    key = (*shape, *temperature_key(temperature))
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
    generator = rng.integers(0, 2**64, 4, np.uint64)
    words = np.full(shape, 2**64 - 1, np.uint64)
    if start == "random":
        words = rng.integers(0, 2**64, shape, np.uint64)
    probability = np.uint64(min(math.exp(-4.0 / temperature) * 2.0**64, 2.0**64 - 2.0**11))
    kernels.metropolis(words, probability, discard, generator)
    broken, up = np.empty((2, samples, 64), np.int64)
    for i in range(samples):
        kernels.metropolis(words, probability, sweeps, generator)
        kernels.count(words, broken[i], up[i])
    n_sites = math.prod(shape)
    return (2.0 * broken.T - 2 * n_sites) / n_sites, (2.0 * up.T - n_sites) / n_sites
