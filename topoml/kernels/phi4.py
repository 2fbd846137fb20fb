"""Metropolis sweeps and embedded Ising clusters for a scalar field on any lattice."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["metropolis", "mixed", "wolff"]


@njit(cache=True, nogil=True, error_model="numpy")
def metropolis(
    phi: NDArray[np.float64],
    neighbour: NDArray[np.int32],
    kappa: float,
    lam: float,
    temperature: float,
    width: float,
    n_sweeps: int,
    rng: np.random.Generator,
) -> int:
    """Propose phi_x + width (2 u - 1) at each site in turn, ``n_sweeps`` times.

    A bond joins the same two sites twice where it stands twice in ``neighbour``; a bond from a
    site to itself stands twice in its own row.

    Not checked here: neighbours within range, temperature and width above 0.

    Shapes:  phi (sites,), changed in place · neighbour (sites, z)
    Returns: the number of accepted proposals.
    Source:  the action of ``lattice.Phi4``.
    """
    accepted = 0
    for _ in range(n_sweeps):
        for x in range(phi.size):
            pull, own = 0.0, 0
            for slot in range(neighbour.shape[1]):
                y = neighbour[x, slot]
                if y == x:
                    own += 1
                else:
                    pull += phi[y]
            old = phi[x]
            new = old + width * (2.0 * rng.random() - 1.0)
            a, b = old * old, new * new
            change = (b - a) * (1.0 - kappa * own + lam * (a + b - 2.0))
            change -= 2.0 * kappa * pull * (new - old)
            if change <= 0.0 or rng.random() < math.exp(-change / temperature):
                phi[x] = new
                accepted += 1
    return accepted


@njit(cache=True, nogil=True, error_model="numpy")
def wolff(
    phi: NDArray[np.float64],
    neighbour: NDArray[np.int32],
    coupling: float,
    n_clusters: int,
    stack: NDArray[np.int32],
    rng: np.random.Generator,
) -> int:
    """Turn the signs of ``n_clusters`` Wolff clusters; the moduli stay.

    A bond of sites with phi_x phi_y > 0 joins the cluster with probability
    1 - exp(-4 (kappa / T) phi_x phi_y), both before the flip.

    Not checked here: neighbours within range, a stack of at least sites + 1 entries.

    Shapes:  phi (sites,), changed in place · neighbour (sites, z) · coupling = kappa / T >= 0
    Returns: the number of flipped signs, over all clusters.
    Source:  Brower and Tamayo, Phys. Rev. Lett. 62, 1087 (1989).
    """
    flipped = 0
    for _ in range(n_clusters):
        x = int(rng.random() * phi.size)
        phi[x] = -phi[x]
        stack[0] = x
        top = 1
        while top > 0:
            top -= 1
            flipped += 1
            x = stack[top]
            pull = -4.0 * coupling * phi[x]  # this site is already flipped, hence the sign
            for slot in range(neighbour.shape[1]):
                y = neighbour[x, slot]
                bond = pull * phi[y]  # never positive for a site of the cluster
                if bond > 0.0 and rng.random() >= math.exp(-bond):
                    phi[y] = -phi[y]
                    stack[top] = y
                    top += 1
    return flipped


@njit(cache=True, nogil=True, error_model="numpy")
def mixed(
    phi: NDArray[np.float64],
    neighbour: NDArray[np.int32],
    kappa: float,
    lam: float,
    temperature: float,
    width: float,
    n_clusters: int,
    n_sweeps: int,
    out: NDArray[np.float32],
    rng: np.random.Generator,
) -> int:
    """Before each sample copied into ``out``: clusters, then Metropolis sweeps.

    Not checked here: as above.

    Shapes:  phi (sites,), changed in place · neighbour (sites, z) · out (n_samples, sites)
    Returns: the number of flipped signs, over all clusters.
    """
    stack = np.empty(phi.size + 1, np.int32)
    flipped = 0
    for sample in range(out.shape[0]):
        flipped += wolff(phi, neighbour, kappa / temperature, n_clusters, stack, rng)
        metropolis(phi, neighbour, kappa, lam, temperature, width, n_sweeps, rng)
        for x in range(phi.size):
            out[sample, x] = phi[x]
    return flipped
