"""Kernels: the largest values of each block, of rows and of pairs of rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["largest_pairs", "largest_rows"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


def _compiled(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - numba is not typed
    return njit(cache=True, nogil=True, error_model="numpy")(function)


@_compiled
def largest_rows(value: Array, block: Ints, first: int, out: Ints) -> None:
    """out[block, k]: the row, counted from ``first``, of the k-th largest value > 0.

    -1 where there are fewer. Of equal values the earlier row comes first. O(1) a row, and an
    insertion into the k largest.

    Not checked here: no NaN; runs of ``block`` that are not broken.

    Shapes:  value, block (P,) · out (blocks, k), filled with -1
    """
    k = out.shape[1]
    for i in range(len(block)):
        row = out[block[i]]
        at = k - 1
        if value[i] > 0.0 and (row[at] < 0 or value[i] > value[row[at] - first]):
            while at > 0 and (row[at - 1] < 0 or value[i] > value[row[at - 1] - first]):
                row[at] = row[at - 1]
                at -= 1
            row[at] = first + i


@_compiled
def largest_pairs(low: Array, high: Array, block: Ints, first: int, out: Ints) -> None:
    """out[block, k]: the two rows, counted from ``first``, of the k-th largest pair value > 0.

    The value of two rows is min(max(|low_i - low_j|, |high_i - high_j|), l_i / 2, l_j / 2), with
    l = high - low. -1 where there are fewer. Rows are taken from the longest to the shortest, until
    half the length is no more than the least value kept: O(n log n) and a few pairs as a rule,
    O(n^2) where the classes are all alike.

    Not checked here: finite lengths; runs of ``block`` that are not broken.

    Shapes:  low, high, block (P,) · out (blocks, k, 2), filled with -1
    """
    k = out.shape[1]
    best = np.empty(k)
    start = 0
    while start < len(block):
        end = start
        while end < len(block) and block[end] == block[start]:
            end += 1
        order = start + np.argsort(low[start:end] - high[start:end], kind="mergesort")
        rows = out[block[start]]
        best[:] = 0.0
        for j in range(1, len(order)):
            b = order[j]
            half = 0.5 * (high[b] - low[b])
            if half <= best[k - 1]:
                break
            for i in range(j):
                a = order[i]
                value = min(max(abs(low[a] - low[b]), abs(high[a] - high[b])), half)
                at = k - 1
                if value > best[at]:
                    while at > 0 and value > best[at - 1]:
                        best[at], rows[at] = best[at - 1], rows[at - 1]
                        at -= 1
                    best[at], rows[at, 0], rows[at, 1] = value, first + a, first + b
        start = end
