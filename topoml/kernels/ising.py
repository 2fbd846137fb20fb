"""Wolff clusters and Metropolis sweeps for Ising spins on a periodic rectangle."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["metropolis", "wolff"]


@njit(cache=True, nogil=True, error_model="numpy")
def wolff(
    spin: NDArray[np.int8],
    p_add: float,
    n_clusters: int,
    out: NDArray[np.int8],
    rng: np.random.Generator,
) -> int:
    """Flip ``n_clusters`` Wolff clusters before each of the samples copied into ``out``.

    A bond between equal spins joins the cluster with probability p_add = 1 - exp(-2 J / T). One
    uniform number decides the four bonds of a site: given u < p (u >= p), the number u / p
    ((u - p) / (1 - p)) is again uniform. Two equal neighbours (a side of 2) are two bonds, tried
    one after the other; a site that neighbours itself (a side of 1) is never tried.

    Not checked here: spins are +1 or -1, sides below 2^15, 0 <= p_add <= 1.

    Shapes:  spin (L0, L1) int8, changed in place · out (n_samples, L0, L1) int8
    Returns: the number of flipped spins, over all clusters.
    Source:  Wolff, Phys. Rev. Lett. 62, 361 (1989).
    """
    n0, n1 = spin.shape
    flat = spin.reshape(-1)
    stack = np.empty(n0 * n1 + 1, np.int32)  # row << 16 | column; one more for the last store
    keep, drop = 1.0 / p_add, 1.0 / (1.0 - p_add)
    flipped = 0
    for sample in range(out.shape[0]):
        for _ in range(n_clusters):
            row, column = int(rng.random() * n0), int(rng.random() * n1)
            old = flat[row * n1 + column]
            flat[row * n1 + column] = -old
            stack[0] = row << 16 | column
            top = 1
            while top > 0:
                top -= 1
                flipped += 1
                row, column = stack[top] >> 16, stack[top] & 0xFFFF
                up = row - 1 if row > 0 else n0 - 1
                down = row + 1 if row + 1 < n0 else 0
                left = column - 1 if column > 0 else n1 - 1
                right = column + 1 if column + 1 < n1 else 0

                u = rng.random()
                # without branches: mispredicted ones would cost more than the rest of the loop
                joins = u < p_add
                u = u * keep if joins else (u - p_add) * drop
                joins &= flat[up * n1 + column] == old
                flat[up * n1 + column] *= 1 - 2 * joins
                stack[top] = up << 16 | column
                top += joins

                joins = u < p_add
                u = u * keep if joins else (u - p_add) * drop
                joins &= flat[down * n1 + column] == old
                flat[down * n1 + column] *= 1 - 2 * joins
                stack[top] = down << 16 | column
                top += joins

                joins = u < p_add
                u = u * keep if joins else (u - p_add) * drop
                joins &= flat[row * n1 + left] == old
                flat[row * n1 + left] *= 1 - 2 * joins
                stack[top] = row << 16 | left
                top += joins

                joins = (u < p_add) & (flat[row * n1 + right] == old)
                flat[row * n1 + right] *= 1 - 2 * joins
                stack[top] = row << 16 | right
                top += joins
        for row in range(n0):
            for column in range(n1):
                out[sample, row, column] = spin[row, column]
    return flipped


@njit(cache=True, nogil=True, error_model="numpy")
def metropolis(
    spin: NDArray[np.int8],
    coupling: float,
    n_sweeps: int,
    out: NDArray[np.int8],
    rng: np.random.Generator,
) -> None:
    """``n_sweeps`` sweeps before each of the samples copied into ``out``.

    Sites in C order. A flip that costs nothing is made with probability 1/2, as in
    ``discrete.metropolis``. Not checked here: coupling = J / T > 0.

    Shapes:  spin (L0, L1) int8, changed in place · out (n_samples, L0, L1) int8
    Source:  Metropolis et al., J. Chem. Phys. 21, 1087 (1953).
    """
    n0, n1 = spin.shape
    vertical, horizontal = min(n0 - 1, 1), min(n1 - 1, 1)  # a bond to itself costs nothing
    accept = np.empty(5)
    for k in range(1, 5):
        accept[k] = math.exp(-2.0 * k * coupling)
    accept[0] = 0.5
    for sample in range(out.shape[0]):
        for _ in range(n_sweeps):
            for row in range(n0):
                up = row - 1 if row > 0 else n0 - 1
                down = row + 1 if row + 1 < n0 else 0
                for column in range(n1):
                    left = column - 1 if column > 0 else n1 - 1
                    right = column + 1 if column + 1 < n1 else 0
                    pull = vertical * (spin[up, column] + spin[down, column])
                    pull += horizontal * (spin[row, left] + spin[row, right])
                    against = pull * spin[row, column]
                    if against < 0 or rng.random() < accept[against]:
                        spin[row, column] = -spin[row, column]
        out[sample] = spin
