"""Kernels: Gaussians summed over the pairs of classes of two diagrams, and their gradients."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .elementwise import exp

__all__ = ["fisher_distance", "fisher_gradient", "pair_sums", "pair_sums_gradient"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def _gauss(x: float, y: float, points: Floats, scale: float, out: Floats) -> None:
    """exp(-scale |(x, y) - point|^2) for all points."""
    for j in range(len(points)):
        out[j] = -scale * ((x - points[j, 0]) ** 2 + (y - points[j, 1]) ** 2)
    for j in range(len(points)):
        out[j] = exp(out[j])


@njit(cache=True, nogil=True, error_model="numpy")
def pair_sums(
    a: Floats,
    weight_a: Floats,
    b: Floats,
    weight_b: Floats,
    blocks: Ints,
    scale: float,
    mirrored: bool,
    out: Floats,
) -> None:
    """sum_ij v_i w_j exp(-scale |p_i - q_j|^2) of each block.

    ``mirrored``: less the same with q_j reflected at the diagonal.

    Shapes:  a (P, 2), weight_a (P,) · b (Q, 2), weight_b (Q,) · blocks (B, 4 or more): rows of a
             from, to; rows of b from, to · out (B,)
    """
    for k in range(len(blocks)):
        i_first, i_end, j_first, j_end = blocks[k, 0], blocks[k, 1], blocks[k, 2], blocks[k, 3]
        q = b[j_first:j_end]
        gauss, image = np.empty(len(q)), np.empty(len(q))
        total = 0.0
        for i in range(i_first, i_end):
            _gauss(a[i, 0], a[i, 1], q, scale, gauss)
            if mirrored:
                _gauss(a[i, 1], a[i, 0], q, scale, image)
                gauss -= image
            row = 0.0
            for j in range(len(q)):
                row += weight_b[j_first + j] * gauss[j]
            total += weight_a[i] * row
        out[k] = total


@njit(cache=True, nogil=True, error_model="numpy")
def pair_sums_gradient(
    a: Floats,
    weight_a: Floats,
    b: Floats,
    weight_b: Floats,
    blocks: Ints,
    scale: float,
    mirrored: bool,
    grad: Floats,
    out_a: Floats,
    out_b: Floats,
) -> None:
    """Derivatives of sum(grad * pair_sums) by birth, death and weight, a row for each in its block.

    Shapes:  blocks (B, 6): with the rows of out_a and out_b at which the block begins · grad (B,) ·
             out_a, out_b (n, 3)
    """
    for k in range(len(blocks)):
        i_first, i_end, j_first, j_end, to_a, to_b = blocks[k]
        q = b[j_first:j_end]
        gauss = np.empty(len(q))
        out_a[to_a : to_a + i_end - i_first] = 0.0
        out_b[to_b : to_b + len(q)] = 0.0
        for i in range(i_first, i_end):
            ours = out_a[to_a + i - i_first]
            for image in range(2 if mirrored else 1):
                x, y = a[i, image], a[i, 1 - image]
                factor = -grad[k] if image else grad[k]
                _gauss(x, y, q, scale, gauss)
                by_x, by_y, by_weight = 0.0, 0.0, 0.0
                for j in range(len(q)):
                    theirs = out_b[to_b + j]
                    value = factor * gauss[j]
                    theirs[2] += weight_a[i] * value
                    value *= weight_b[j_first + j]
                    by_weight += value
                    slope = 2.0 * scale * weight_a[i] * value
                    across, above = slope * (q[j, 0] - x), slope * (q[j, 1] - y)
                    by_x += across
                    by_y += above
                    theirs[0] -= across
                    theirs[1] -= above
                ours[image] += by_x
                ours[1 - image] += by_y
                ours[2] += by_weight


@njit(cache=True, nogil=True, error_model="numpy")
def _measures(a: Floats, b: Floats) -> Floats:
    """Points of a, diagonal points of b, points of b, diagonal points of a, (2 n + 2 m, 2)."""
    n, m = len(a), len(b)
    out = np.empty((2 * (n + m), 2))
    for i in range(n):
        out[i] = a[i]
        out[n + 2 * m + i] = (a[i, 0] + a[i, 1]) / 2.0
    for j in range(m):
        out[n + j] = (b[j, 0] + b[j, 1]) / 2.0
        out[n + m + j] = b[j]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _densities(z: Floats, scale: float, f: Floats, g: Floats) -> float:
    """Densities of the first and the second half of z, at all of z and normalised to a sum of 1.

    Returns: half the squared distance of their roots, 1 - sum(sqrt(f g)).
    """
    half = len(z) // 2
    gauss = np.empty(len(z))
    total_f, total_g = 0.0, 0.0
    for i in range(len(z)):
        _gauss(z[i, 0], z[i, 1], z, scale, gauss)
        f[i], g[i] = 0.0, 0.0
        for j in range(half):
            f[i] += gauss[j]
            g[i] += gauss[half + j]
        total_f += f[i]
        total_g += g[i]
    apart = 0.0
    for i in range(len(z)):
        f[i] /= total_f
        g[i] /= total_g
        apart += (math.sqrt(f[i]) - math.sqrt(g[i])) ** 2 / 2.0
    return apart


@njit(cache=True, nogil=True, error_model="numpy")
def fisher_distance(a: Floats, b: Floats, blocks: Ints, scale: float, out: Floats) -> None:
    """arccos(sum(sqrt(f g))) of each block, with f and g as in ``_densities`` of ``_measures``.

    Taken from the distance of the roots, which keeps its digits where f and g are alike.

    Shapes:  a (P, 2), b (Q, 2) · blocks (B, 4 or more): rows of a from, to; rows of b from, to ·
             out (B,)
    """
    for k in range(len(blocks)):
        i_first, i_end, j_first, j_end = blocks[k, 0], blocks[k, 1], blocks[k, 2], blocks[k, 3]
        z = _measures(a[i_first:i_end], b[j_first:j_end])
        apart = _densities(z, scale, np.empty(len(z)), np.empty(len(z)))
        out[k] = 2.0 * math.asin(math.sqrt(min(apart, 1.0) / 2.0))


@njit(cache=True, nogil=True, error_model="numpy")
def fisher_gradient(
    a: Floats, b: Floats, blocks: Ints, scale: float, grad: Floats, out_a: Floats, out_b: Floats
) -> None:
    """Derivatives of sum(grad * fisher_distance) by birth and death, a row for each in its block;
    0 where the distance is.

    Shapes:  blocks (B, 6): with the rows of out_a and out_b at which the block begins · grad (B,) ·
             out_a, out_b (n, 2)
    """
    for k in range(len(blocks)):
        i_first, i_end, j_first, j_end, to_a, to_b = blocks[k]
        n, m = i_end - i_first, j_end - j_first
        z = _measures(a[i_first:i_end], b[j_first:j_end])
        half = n + m
        f, g, gauss = np.empty(len(z)), np.empty(len(z)), np.empty(len(z))
        apart = _densities(z, scale, f, g)
        out_a[to_a : to_a + n] = 0.0
        out_b[to_b : to_b + m] = 0.0
        if not 0.0 < apart < 2.0:
            continue
        by_apart = grad[k] / math.sqrt(apart * (2.0 - apart))
        by_z = np.zeros_like(z)
        by_f, by_g = np.zeros(len(z)), np.zeros(len(z))
        total_f, total_g = 0.0, 0.0
        for i in range(len(z)):
            _gauss(z[i, 0], z[i, 1], z, scale, gauss)
            for j in range(half):
                total_f += gauss[j]
                total_g += gauss[half + j]
        for i in range(len(z)):
            like = 1.0 - apart
            if f[i] > 0.0:
                by_f[i] = by_apart * (like - math.sqrt(g[i] / f[i])) / (2.0 * total_f)
            if g[i] > 0.0:
                by_g[i] = by_apart * (like - math.sqrt(f[i] / g[i])) / (2.0 * total_g)
        for i in range(len(z)):
            _gauss(z[i, 0], z[i, 1], z, scale, gauss)
            for j in range(len(z)):
                slope = 2.0 * scale * gauss[j] * (by_f[i] if j < half else by_g[i])
                across, above = slope * (z[j, 0] - z[i, 0]), slope * (z[j, 1] - z[i, 1])
                by_z[i, 0] += across
                by_z[i, 1] += above
                by_z[j, 0] -= across
                by_z[j, 1] -= above
        for i in range(n):
            middle = (by_z[n + 2 * m + i, 0] + by_z[n + 2 * m + i, 1]) / 2.0
            out_a[to_a + i, 0] = by_z[i, 0] + middle
            out_a[to_a + i, 1] = by_z[i, 1] + middle
        for j in range(m):
            middle = (by_z[n + j, 0] + by_z[n + j, 1]) / 2.0
            out_b[to_b + j, 0] = by_z[n + m + j, 0] + middle
            out_b[to_b + j, 1] = by_z[n + m + j, 1] + middle
