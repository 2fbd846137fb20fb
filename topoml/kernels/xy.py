"""Wolff reflections and over-relaxation for planar unit vectors on a periodic rectangle."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["hybrid", "over_relax", "wolff"]


@njit(cache=True, nogil=True, error_model="numpy")
def wolff(
    spin: NDArray[np.float64],
    coupling: float,
    n_clusters: int,
    stack: NDArray[np.int32],
    rng: np.random.Generator,
) -> int:
    """Reflect ``n_clusters`` Wolff clusters, each at a random line through the origin.

    A spin s is reflected to s - 2 (s.r) r; a bond joins the cluster with probability
    1 - exp(min(0, -2 (J / T) (s_i.r) (s_j.r))), both spins before the reflection. Two equal
    neighbours (a side of 2) are two bonds, tried one after the other.

    Not checked here: unit vectors, sides below 2^15, a stack of at least L0 L1 + 1 entries.

    Shapes:  spin (L0, L1, 2) float64, changed in place · coupling = J / T · stack (.,) int32
    Returns: the number of reflected spins, over all clusters.
    Source:  Wolff, Phys. Rev. Lett. 62, 361 (1989).
    """
    n0, n1, _ = spin.shape
    flipped = 0
    for _ in range(n_clusters):
        row, column = int(rng.random() * n0), int(rng.random() * n1)
        angle = 2.0 * math.pi * rng.random()
        rx, ry = math.cos(angle), math.sin(angle)
        along = 2.0 * (spin[row, column, 0] * rx + spin[row, column, 1] * ry)
        spin[row, column, 0] -= along * rx
        spin[row, column, 1] -= along * ry
        stack[0] = row << 16 | column
        top = 1
        while top > 0:
            top -= 1
            flipped += 1
            row, column = stack[top] >> 16, stack[top] & 0xFFFF
            # this spin is already reflected, hence the sign
            pull = -2.0 * coupling * (spin[row, column, 0] * rx + spin[row, column, 1] * ry)
            for side in range(4):
                i, j = row, column
                if side == 0:
                    i = row - 1 if row > 0 else n0 - 1
                elif side == 1:
                    i = row + 1 if row + 1 < n0 else 0
                elif side == 2:
                    j = column - 1 if column > 0 else n1 - 1
                else:
                    j = column + 1 if column + 1 < n1 else 0
                along = spin[i, j, 0] * rx + spin[i, j, 1] * ry
                if pull * along > 0.0:  # never true for a spin of the cluster
                    joins = rng.random() >= math.exp(-pull * along)
                    along = 2.0 * along if joins else 0.0
                    spin[i, j, 0] -= along * rx
                    spin[i, j, 1] -= along * ry
                    stack[top] = i << 16 | j
                    top += joins
    return flipped


@njit(cache=True, nogil=True, error_model="numpy")
def over_relax(spin: NDArray[np.float64], n_sweeps: int) -> None:
    """Reflect each spin in turn at the field of its neighbours, s -> 2 (s.h) h / h^2 - s.

    The energy is conserved. A site that neighbours itself (a side of 1) feels no field from it; a
    spin in no field stays. Each row takes its even columns first, so that successive updates do
    not wait for one another.

    Shapes:  spin (L0, L1, 2) float64, changed in place.
    Source:  Creutz, Phys. Rev. D 36, 515 (1987).
    """
    n0, n1, _ = spin.shape
    vertical, horizontal = min(n0 - 1.0, 1.0), min(n1 - 1.0, 1.0)
    for _ in range(n_sweeps):
        for row in range(n0):
            up = row - 1 if row > 0 else n0 - 1
            down = row + 1 if row + 1 < n0 else 0
            for first in range(2):
                for column in range(first, n1, 2):
                    left = column - 1 if column > 0 else n1 - 1
                    right = column + 1 if column + 1 < n1 else 0
                    hx = vertical * (spin[up, column, 0] + spin[down, column, 0])
                    hy = vertical * (spin[up, column, 1] + spin[down, column, 1])
                    hx += horizontal * (spin[row, left, 0] + spin[row, right, 0])
                    hy += horizontal * (spin[row, left, 1] + spin[row, right, 1])
                    x, y = spin[row, column, 0], spin[row, column, 1]
                    square = hx * hx + hy * hy
                    if square > 0.0:
                        along = 2.0 * (x * hx + y * hy) / square
                        spin[row, column, 0] = along * hx - x
                        spin[row, column, 1] = along * hy - y


@njit(cache=True, nogil=True, error_model="numpy")
def hybrid(
    spin: NDArray[np.float64],
    coupling: float,
    n_clusters: int,
    n_sweeps: int,
    out: NDArray[np.float32],
    rng: np.random.Generator,
) -> int:
    """Before each sample copied into ``out``: Wolff clusters, then sweeps of over-relaxation.

    Spins are brought back to unit length before they are copied; ``out`` holds the cosines and
    the sines.

    Not checked here: as in ``wolff``.

    Shapes:  spin (L0, L1, 2) float64, changed in place · out (2, n_samples, L0, L1) float32
    Returns: the number of reflected spins, over all clusters.
    """
    n0, n1, _ = spin.shape
    stack = np.empty(n0 * n1 + 1, np.int32)
    flipped = 0
    for sample in range(out.shape[1]):
        flipped += wolff(spin, coupling, n_clusters, stack, rng)
        over_relax(spin, n_sweeps)
        for row in range(n0):
            for column in range(n1):
                x, y = spin[row, column, 0], spin[row, column, 1]
                scale = 1.0 / math.sqrt(x * x + y * y)
                spin[row, column, 0], spin[row, column, 1] = x * scale, y * scale
                out[0, sample, row, column], out[1, sample, row, column] = x * scale, y * scale
    return flipped
