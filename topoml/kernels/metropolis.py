"""Metropolis sweeps for an energy that is itself a compiled function of one configuration."""

import math
from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["CIRCLE", "DISCRETE", "REAL", "SPHERE", "sweep"]

REAL, CIRCLE, SPHERE, DISCRETE = 0, 1, 2, 3


@njit(nogil=True, error_model="numpy")  # not cached: compiled anew for each energy
def sweep(
    energy: Callable[[NDArray[np.generic]], float],
    x: NDArray[np.generic],
    flat: NDArray[np.generic],
    manifold: int,
    n_states: int,
    temperature: float,
    scale: float,
    order: NDArray[np.int64],
    rng: np.random.Generator,
) -> int:
    """One proposal at each site of ``order``, each with an energy of the whole configuration.

    Proposals: phi + scale times a normal number; theta + scale (2 u - 1), brought to [-pi, pi];
    s + scale times a normal vector, normalised; one of the other labels.

    Not checked here: ``flat`` shares the memory of ``x``; temperature above 0.

    Shapes:  x (*shape, *components) · flat (sites, c) float64, or int64 of labels · order (n,)
    Returns: the number of accepted proposals.
    Source:  Metropolis et al., J. Chem. Phys. 21, 1087 (1953).
    """
    n_c = flat.shape[1]
    old = flat[0].copy()
    before = energy(x)
    accepted = 0
    for site in order:
        old[:] = flat[site]
        if manifold == REAL:
            flat[site, 0] += scale * rng.standard_normal()
        elif manifold == CIRCLE:
            angle = old[0] + scale * (2.0 * rng.random() - 1.0)
            flat[site, 0] = angle - 2.0 * math.pi * np.rint(angle / (2.0 * math.pi))
        elif manifold == SPHERE:
            square = 0.0
            for k in range(n_c):
                flat[site, k] += scale * rng.standard_normal()
                square += flat[site, k] * flat[site, k]
            for k in range(n_c):
                flat[site, k] /= math.sqrt(square)
        else:
            flat[site, 0] = (old[0] + 1 + int(rng.random() * (n_states - 1))) % n_states
        after = energy(x)
        if rng.random() < math.exp((before - after) / temperature):
            before = after
            accepted += 1
        else:
            flat[site] = old
    return accepted
