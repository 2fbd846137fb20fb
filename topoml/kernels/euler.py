"""Kernels: Euler characteristics of half spaces, by heights of vertices or bins of cells."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .elementwise import exp

__all__ = [
    "add_stars",
    "gather_cells",
    "gather_sigmoids",
    "multiply",
    "sum_cells",
    "sum_sigmoids",
]

Array = NDArray[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_REACH = 40.0  # from where on a sigmoid is 0 or 1 but for less than 1e-17


def _compiled(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - numba is not typed
    return njit(cache=True, nogil=True, error_model="numpy")(function)


@_compiled
def multiply(a: Floats, b: Floats, out: Floats) -> None:
    """out (n, p) = a (n, m) @ b (m, p), each entry summed in the order of m.

    A matrix product by blocks sums in an order that depends on how many columns there are.
    """
    for i in range(a.shape[0]):
        row = out[i]
        for j in range(len(row)):
            row[j] = 0.0
        for k in range(a.shape[1]):
            factor, column = a[i, k], b[k]
            for j in range(len(row)):
                row[j] += factor * column[j]


@_compiled
def add_stars(height: Floats, simplices: Ints, sign: float, out: Floats) -> None:
    """out[d, b, v] += sign for each simplex that enters with its vertex v.

    That is the highest one; of equal ones the first in its row.

    Shapes:  height, out (directions, samples, n) · simplices (N, k), entries in [0, n)
    """
    for d in range(height.shape[0]):
        for b in range(height.shape[1]):
            h, star = height[d, b], out[d, b]
            for i in range(len(simplices)):
                top = simplices[i, 0]
                for k in range(1, simplices.shape[1]):
                    v = simplices[i, k]
                    if h[v] > h[top]:
                        top = v
                star[top] += sign


@_compiled
def _first(x: float, grid: Floats, per_unit: float) -> int:
    """np.searchsorted(grid, x), by a guess right on linspace."""
    n = len(grid)
    guess = (x - grid[0]) * per_unit + 1.0
    at = 0
    if guess > 0.0:  # no NaN
        at = int(guess) if guess < n else n
    while at > 0 and grid[at - 1] >= x:
        at -= 1
    while at < n and grid[at] < x:
        at += 1
    return at


@_compiled
def _per_unit(grid: Floats) -> float:
    """Grid points in a unit of length, about."""
    n = len(grid)
    return (n - 1) / (grid[n - 1] - grid[0]) if grid[n - 1] > grid[0] else 0.0


@_compiled
def _sigmoids(
    x: float,
    grid: Floats,
    start: np.uint64,
    n: int,
    sharpness: float,
    order: int,
    polynomial: Floats,
    out: Floats,
) -> None:
    """out[j] = S(z), z = sharpness (grid[start + j] - x), or its derivative of the ``order`` in z.

    With p = S(z) that is p, or p (1 - p) times a polynomial of p, lowest coefficient first.
    ``start`` is unsigned, for no branches of indices from the end.
    """
    for j in range(n):
        out[j] = exp(-abs(sharpness * (grid[start + np.uint64(j)] - x)))
    for j in range(n):
        above = 1.0 / (1.0 + out[j])
        below = out[j] * above
        p = above if grid[start + np.uint64(j)] >= x else below
        if order == 0:
            out[j] = p
        else:
            value = polynomial[order - 1]
            for k in range(order - 2, -1, -1):
                value = value * p + polynomial[k]
            out[j] = above * below * value


@_compiled
def sum_sigmoids(
    weight: Floats,
    height: Floats,
    block: Ints,
    grid: Floats,
    sharpness: float,
    order: int,
    polynomial: Floats,
    out: Floats,
) -> None:
    """out[d, block[i], j] += weight[d, i] S(sharpness (grid[j] - height[d, i])), row after row.

    S is a derivative of the sigmoid, as in ``_sigmoids``; of infinite sharpness, with the order 0,
    the step: 1 from grid[j] = height on. Time O(1) a row and grid point at which S is not 0 or 1,
    and O(1) a row.

    Not checked here: finite heights.

    Shapes:  weight, height (directions, P) · block (P,) in any order · grid (n,) ascending ·
             polynomial (order,) · out (directions, blocks, n)
    """
    n, reach = len(grid), _REACH / sharpness
    per_unit, values = _per_unit(grid), np.empty(n)
    for d in range(len(height)):
        sums = out[d]
        steps = np.zeros((len(sums), n))
        for i in range(len(block)):
            x, w = height[d, i], weight[d, i]
            first, last = _first(x - reach, grid, per_unit), _first(x + reach, grid, per_unit)
            start = np.uint64(first)
            _sigmoids(x, grid, start, last - first, sharpness, order, polynomial, values)
            row = sums[block[i]]
            for j in range(last - first):
                row[start + np.uint64(j)] += w * values[j]
            if order == 0 and last < n:
                steps[block[i], last] += w
        for b in range(len(sums)):
            total = 0.0
            for j in range(n):
                total += steps[b, j]
                sums[b, j] += total


@_compiled
def gather_sigmoids(
    values: Floats,
    height: Floats,
    block: Ints,
    grid: Floats,
    sharpness: float,
    order: int,
    polynomial: Floats,
    out: Floats,
) -> None:
    """out[d, i] = sum_j values[d, block[i], j] S(sharpness (grid[j] - height[d, i])).

    The adjoint of ``sum_sigmoids`` in its weights, for orders of at least 1.
    """
    reach, per_unit, s = _REACH / sharpness, _per_unit(grid), np.empty(len(grid))
    for d in range(len(height)):
        for i in range(len(block)):
            x = height[d, i]
            first, last = _first(x - reach, grid, per_unit), _first(x + reach, grid, per_unit)
            start = np.uint64(first)
            _sigmoids(x, grid, start, last - first, sharpness, order, polynomial, s)
            row, total = values[d, block[i]], 0.0
            for j in range(last - first):
                total += row[start + np.uint64(j)] * s[j]
            out[d, i] = total


@_compiled
def sum_cells(weight: Array, entry: Ints, out: Floats) -> None:
    """out[b, j] = sum of weight[b, m] over the cells m that enter at grid point j or before.

    Shapes:  weight (B, M) · entry (M,) in [0, n], n: never · out (B, n)
    """
    n = out.shape[1]
    for b in range(len(weight)):
        steps = np.zeros(n + 1)
        for m in range(len(entry)):
            steps[entry[m]] += weight[b, m]
        total = 0.0
        for j in range(n):
            total += steps[j]
            out[b, j] = total


@_compiled
def gather_cells(values: Floats, entry: Ints, out: Floats) -> None:
    """out[b, m] += sum of values[b, j] over grid points j from entry[m] on: the adjoint."""
    n = values.shape[1]
    for b in range(len(values)):
        rest = np.zeros(n + 1)
        for j in range(n - 1, -1, -1):
            rest[j] = rest[j + 1] + values[b, j]
        for m in range(len(entry)):
            out[b, m] += rest[entry[m]]
