"""Single-link updates of Z2 gauge fields on a periodic lattice."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["staples", "sweeps"]


@njit(cache=True, nogil=True, error_model="numpy")
def staples(
    link: NDArray[np.int8],
    neighbour: NDArray[np.int32],
    long: NDArray[np.bool_],
    mu: int,
    x: int,
) -> int:
    """Sum of the products of the three other signs, over the plaquettes of link ``mu`` at ``x``.

    A plaquette that winds around a side of 1 holds the link twice, or not at all in effect: it is
    left out.

    Shapes:  link (D, sites) · neighbour (sites, 2 D), x + nu in column 2 nu and x - nu in 2 nu + 1
             · long (D,), whether the side is above 1
    Returns: an integer from -2 (D - 1) to 2 (D - 1).
    """
    ahead = neighbour[x, 2 * mu]
    total = 0
    for nu in range(len(link)):
        if nu != mu and long[nu]:
            above, below = neighbour[x, 2 * nu], neighbour[x, 2 * nu + 1]
            total += link[nu, ahead] * link[mu, above] * link[nu, x]
            total += link[nu, neighbour[below, 2 * mu]] * link[mu, below] * link[nu, below]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def sweeps(
    link: NDArray[np.int8],
    neighbour: NDArray[np.int32],
    long: NDArray[np.bool_],
    probability: NDArray[np.float64],
    metropolis: bool,
    n_sweeps: int,
    out: NDArray[np.int8],
    rng: np.random.Generator,
) -> int:
    """``n_sweeps`` sweeps before each sample copied into ``out``.

    Heat bath: every link in turn, +1 with ``probability`` at the sum of its staples. Metropolis: as
    many links as there are, drawn at random (in turn, a sweep at a small coupling would flip them
    all), flipped with ``probability`` at its sign times the sum.

    Shapes:  link (D, sites), changed in place · neighbour, long as in ``staples``
             · probability (4 D - 3,), of the sums from -2 (D - 1) on · out (samples, D, sites)
    Returns: the number of links visited.
    """
    n_axes, n_sites = link.shape
    least = 2 * (n_axes - 1)
    for sample in range(len(out)):
        for _ in range(n_sweeps):
            for mu in range(n_axes):
                for site in range(n_sites):
                    if metropolis:
                        drawn = int(rng.random() * (n_axes * n_sites))
                        nu, x = drawn // n_sites, drawn % n_sites
                        total = link[nu, x] * staples(link, neighbour, long, nu, x)
                        if rng.random() < probability[total + least]:
                            link[nu, x] = -link[nu, x]
                    else:
                        total = staples(link, neighbour, long, mu, site)
                        up = rng.random() < probability[total + least]
                        link[mu, site] = 1 if up else -1
        for mu in range(n_axes):
            for site in range(n_sites):
                out[sample, mu, site] = link[mu, site]
    return len(out) * n_sweeps * n_axes * n_sites
