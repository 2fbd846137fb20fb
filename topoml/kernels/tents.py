"""Kernels: tents max(0, min(t - low, high - t)) and steps on a grid, summed, counted, ranked."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "count_alive",
    "find_alive",
    "gather_steps",
    "largest_tents",
    "sum_steps",
    "sum_tents",
    "tents_gradient",
]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


def _compiled(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - numba is not typed
    return njit(cache=True, nogil=True, error_model="numpy")(function)


def _inlined(function: Callable[..., Any]) -> Any:  # noqa: ANN401
    """Into its callers, where an array that is passed is not counted as one more reference."""
    return njit(cache=True, nogil=True, error_model="numpy", inline="always")(function)


@_compiled
def _fenced(grid: Array) -> tuple[Array, float]:
    """The grid between -inf and inf, and its points in a unit of length, about."""
    n = len(grid)
    fenced = np.empty(n + 2)
    fenced[0], fenced[n + 1] = -np.inf, np.inf
    for j in range(n):
        fenced[j + 1] = grid[j]
    per_unit = (n - 1) / (grid[n - 1] - grid[0]) if grid[n - 1] > grid[0] else 0.0
    return fenced, per_unit


@_inlined
def _position(x: float, fenced: Array, per_unit: float, after_equals: bool) -> int | np.int64:
    """np.searchsorted(grid, x), side "right" ``after_equals``, by a guess right on linspace."""
    n = len(fenced) - 2
    guess = (x - fenced[1]) * per_unit + 1.0
    guess = guess if guess > 0.0 else 0.0  # no NaN
    guess = guess if guess < n else float(n)
    at = np.uint64(np.int64(guess))  # unsigned: no branches for indices from the end
    one = np.uint64(1)
    if after_equals:
        while fenced[at] > x:
            at -= one
        while at < n and fenced[at + one] <= x:
            at += one
    else:
        while at > 0 and fenced[at] >= x:
            at -= one
        while fenced[at + one] < x:
            at += one
    return np.int64(at)


@_compiled
def find_alive(
    birth: Array, death: Array, grid: Array, superlevel: bool, first: Ints, last: Ints
) -> None:
    """first, last (P,): class i lives at grid[first[i] : last[i]]. Values may be infinite.

    birth <= t < death; superlevel: death < t <= birth.
    """
    fenced, per_unit = _fenced(grid)
    start, end = (death, birth) if superlevel else (birth, death)
    for i in range(len(birth)):
        first[i] = _position(start[i], fenced, per_unit, superlevel)
        last[i] = _position(end[i], fenced, per_unit, superlevel)


@_compiled
def count_alive(
    birth: Array, death: Array, block: Ints, grid: Array, superlevel: bool, out: Ints
) -> None:
    """out[block[i], j] += 1 where class i lives at grid[j], as in ``find_alive``.

    Shapes:  birth, death, block (P,) in any order, runs of equal ``block`` being quick · grid (n,)
             ascending · out (blocks, n)
    """
    n = len(grid)
    fenced, per_unit = _fenced(grid)
    start, end = (death, birth) if superlevel else (birth, death)
    steps = np.zeros(n + 1, np.int64)
    i = 0
    while i < len(block):
        here = block[i]
        while i < len(block) and block[i] == here:
            for side in range(2):  # a loop: twice in a row, inlined, takes twice as long
                x = end[i] if side else start[i]
                steps[_position(x, fenced, per_unit, superlevel)] += 1 - 2 * side
            i += 1
        alive = 0
        for j in range(n):
            alive += steps[j]
            out[here, j] += alive
            steps[j] = 0
        steps[n] = 0


@_compiled
def largest_tents(low: Array, high: Array, block: Ints, grid: Array, first: int, out: Ints) -> None:
    """out[block, k, j]: the row, counted from ``first``, of the k-th largest tent > 0 at grid[j].

    -1 where there are fewer. Of equal tents the earlier row comes first. O(1) a tent and grid point
    under it, and an insertion into the k largest.

    Not checked here: finite lengths; runs of ``block`` that are not broken; an ascending grid of
    at least 1.

    Shapes:  low, high, block (P,) · grid (n,) · out (blocks, k, n), filled with -1
    """
    n_largest, n = out.shape[1], len(grid)
    value, row = np.empty((n, n_largest)), np.empty((n, n_largest), np.int64)
    fenced, per_unit = _fenced(grid)
    i = 0
    while i < len(block):
        here = block[i]
        value[:] = 0.0
        row[:] = -1
        while i < len(block) and block[i] == here:
            a, b = low[i], high[i]
            j = _position(a, fenced, per_unit, True)
            while j < n and grid[j] < b:
                tent = min(grid[j] - a, b - grid[j])
                k = n_largest - 1
                if tent > value[j, k]:
                    while k > 0 and tent > value[j, k - 1]:
                        value[j, k], row[j, k] = value[j, k - 1], row[j, k - 1]
                        k -= 1
                    value[j, k], row[j, k] = tent, first + i
                j += 1
            i += 1
        for k in range(n_largest):
            for j in range(n):
                out[here, k, j] = row[j, k]


@_compiled
def sum_tents(low: Array, high: Array, weight: Array, block: Ints, grid: Array, out: Array) -> None:
    """out[block[i], j] += weight_i max(0, min(grid_j - low_i, high_i - grid_j)), row after row.

    Not checked here: finite lengths.

    Shapes:  low, high, weight, block (P,) · grid (n,) ascending · out (blocks, n)
    """
    n = len(grid)
    fenced, per_unit = _fenced(grid)
    for i in range(len(block)):
        a, b, w = low[i], high[i], weight[i]
        first, last = _position(a, fenced, per_unit, True), _position(b, fenced, per_unit, True)
        sums, t = out[block[i], first:last], grid[first:last]
        for j in range(min(last, n) - first):
            up, down = t[j] - a, b - t[j]
            sums[j] += w * (up if up < down else down)


@_compiled
def tents_gradient(
    low: Array, high: Array, weight: Array, block: Ints, grid: Array, grad: Array, out: Array
) -> None:
    """From grad (blocks, n) of ``sum_tents`` to out (3, P), those of low, high and weight.

    At the peak of a tent the slope is half of that on either side; none at its feet.
    """
    fenced, per_unit = _fenced(grid)
    for i in range(len(block)):
        a, b = low[i], high[i]
        rising, falling, total = 0.0, 0.0, 0.0
        here = grad[block[i]]
        for j in range(_position(a, fenced, per_unit, True), len(grid)):
            up, down = grid[j] - a, b - grid[j]
            if down <= 0.0:
                break
            total += here[j] * min(up, down)
            if up < down:
                rising += here[j]
            elif down < up:
                falling += here[j]
            else:
                rising += 0.5 * here[j]
                falling += 0.5 * here[j]
        out[0, i] = -weight[i] * rising
        out[1, i] = weight[i] * falling
        out[2, i] = total


@_compiled
def sum_steps(weight: Array, first: Ints, last: Ints, block: Ints, out: Array) -> None:
    """out[block[i], first[i] : last[i]] += weight[i], row after row.

    Shapes:  weight, first, last, block (P,) · out (blocks, n)
    """
    for i in range(len(block)):
        sums = out[block[i], first[i] : last[i]]
        for j in range(len(sums)):
            sums[j] += weight[i]


@_compiled
def gather_steps(values: Array, first: Ints, last: Ints, block: Ints, out: Array) -> None:
    """out[i] = sum of values[block[i], first[i] : last[i]]: the adjoint of ``sum_steps``."""
    for i in range(len(block)):
        total = 0.0
        for j in range(first[i], last[i]):
            total += values[block[i], j]
        out[i] = total
