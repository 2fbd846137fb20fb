"""Kernels: sums of separable Gaussians on a grid, and their gradient."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .elementwise import exp

__all__ = ["image_gradient", "sum_image"]

Array = NDArray[np.float64]

_ROWS = 32  # points whose exponentials are taken in one vectorised loop; a multiple of 8


def _compiled(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - numba is not typed
    return njit(cache=True, nogil=True, error_model="numpy")(function)


@_compiled
def _exponentials(
    birth: Array, life: Array, grid: Array, n_birth: int, scale: float, out: Array
) -> None:
    """Rows of exp(-scale (birth - grid)^2) on the first ``n_birth`` points of ``grid``, and of
    exp(-scale (life - grid)^2) on the others."""
    for i in range(len(birth)):
        row, b, l = out[i], birth[i], life[i]  # noqa: E741 - the letter of the definition
        for k in range(len(grid)):
            away = (b if k < n_birth else l) - grid[k]
            row[k] = -scale * (away * away)
    flat = out.reshape(-1)
    for at in range(len(birth) * len(grid)):
        flat[at] = exp(flat[at])


@_compiled
def sum_image(
    birth: Array,
    life: Array,
    weight: Array,
    block: NDArray[np.int64],
    birth_grid: Array,
    life_grid: Array,
    bandwidth: float,
    out: Array,
) -> None:
    """out[block[i], j, k] += w_i exp(-((b_i - x_k)^2 + (l_i - y_j)^2) / 2 s^2) / (2 pi s^2).

    The points of a run of equal ``block`` are taken in their order, in groups of 8 counted from
    the start of the run: what a block gets depends on its own points alone, bit for bit. About
    0.12 us a point on a 20 x 20 grid.

    Not checked here: finite points, runs that are not broken, ``block`` within ``out``.

    Shapes:  birth, life, weight, block (P,) · birth_grid (n,) · life_grid (m,) · out (blocks, m, n)
    """
    scale = 0.5 / bandwidth**2
    n, m = len(birth_grid), len(life_grid)
    grid = np.concatenate((birth_grid, life_grid))
    gauss = np.empty((_ROWS, n + m))
    i = 0
    while i < len(block):
        rows = 1
        while rows < _ROWS and i + rows < len(block) and block[i + rows] == block[i]:
            rows += 1
        end = i + rows
        _exponentials(birth[i:end], life[i:end], grid, n, scale, gauss)
        for row in range(rows):
            factor = weight[i + row] * scale / math.pi
            for j in range(n, n + m):
                gauss[row, j] *= factor
        for row in range(rows, -(-rows // 8) * 8):
            gauss[row] = 0.0
        for row in range(0, rows, 8):
            x0, x1, x2, x3 = gauss[row], gauss[row + 1], gauss[row + 2], gauss[row + 3]
            x4, x5, x6, x7 = gauss[row + 4], gauss[row + 5], gauss[row + 6], gauss[row + 7]
            for j in range(m):
                y0, y1, y2, y3 = x0[n + j], x1[n + j], x2[n + j], x3[n + j]
                y4, y5, y6, y7 = x4[n + j], x5[n + j], x6[n + j], x7[n + j]
                pixels = out[block[i], j]
                for k in range(n):
                    pixels[k] += (y0 * x0[k] + y1 * x1[k] + (y2 * x2[k] + y3 * x3[k])) + (
                        y4 * x4[k] + y5 * x5[k] + (y6 * x6[k] + y7 * x7[k])
                    )
        i = end


@_compiled
def image_gradient(
    birth: Array,
    life: Array,
    weight: Array,
    block: NDArray[np.int64],
    birth_grid: Array,
    life_grid: Array,
    bandwidth: float,
    grad: Array,
    out: Array,
) -> None:
    """From grad (blocks, m, n) of ``sum_image`` to out (3, P), those of birth, life, weight."""
    scale = 0.5 / bandwidth**2
    n, m = len(birth_grid), len(life_grid)
    grid = np.concatenate((birth_grid, life_grid))
    gauss = np.empty((_ROWS, n + m))
    column, slope = np.empty(n), np.empty(n)
    for first in range(0, len(block), _ROWS):
        end = min(first + _ROWS, len(block))
        _exponentials(birth[first:end], life[first:end], grid, n, scale, gauss)
        for i in range(first, end):
            x, y = gauss[i - first, :n], gauss[i - first, n:]
            column[:] = 0.0  # sum_j y_j grad[j], and the same with dy_j / d life
            slope[:] = 0.0
            for j in range(m):
                pixels = grad[block[i], j]
                value, derivative = y[j], 2.0 * scale * (life_grid[j] - life[i]) * y[j]
                for k in range(n):
                    column[k] += value * pixels[k]
                    slope[k] += derivative * pixels[k]
            by_birth, by_life, by_weight = 0.0, 0.0, 0.0
            for k in range(n):
                by_weight += column[k] * x[k]
                by_birth += column[k] * x[k] * (birth_grid[k] - birth[i])
                by_life += slope[k] * x[k]
            factor = scale / math.pi
            out[0, i] = 2.0 * scale * factor * weight[i] * by_birth
            out[1, i] = factor * weight[i] * by_life
            out[2, i] = factor * by_weight
