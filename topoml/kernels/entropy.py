"""Kernels: the entropy of the lengths of each block, and its gradient."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .elementwise import log

__all__ = ["entropy_gradient", "sum_entropy"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


def _compiled(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - numba is not typed
    return njit(cache=True, nogil=True, error_model="numpy")(function)


@_compiled
def _run(low: Array, high: Array, block: Ints, start: int, least: float) -> tuple[int, float]:
    """The end of the run from ``start`` and its whole length; inf if it has no inverse."""
    end, total = start, 0.0
    while end < len(block) and block[end] == block[start]:
        total += high[end] - low[end]
        end += 1
    return end, total if total > least else math.inf


@_compiled
def sum_entropy(low: Array, high: Array, block: Ints, least: float, out: Array) -> None:
    """out[block] = -sum_i p_i log p_i, p_i = l_i / sum_j l_j, l = high - low, row after row.

    Shares and whole lengths up to ``least`` count as 0, and so does a whole length of inf. A
    logarithm a row, vectorised.

    Not checked here: finite lengths; runs of ``block`` that are not broken.

    Shapes:  low, high, block (P,) · out (blocks,)
    """
    start = 0
    term = np.empty(len(block))
    while start < len(block):
        end, total = _run(low, high, block, start, least)
        for i in range(start, end):
            share = (high[i] - low[i]) / total
            some = share > least
            value = share * log(share if some else 1.0)
            term[i] = value if some else 0.0
        entropy = 0.0
        for i in range(start, end):
            entropy -= term[i]
        out[block[start]] = entropy
        start = end


@_compiled
def entropy_gradient(
    low: Array, high: Array, block: Ints, least: float, grad: Array, out: Array
) -> None:
    """From grad (blocks,) of ``sum_entropy`` to out (P,), that of high; of low it is the negative.

    -(log p_i + H) / sum_j l_j, and 0 where the share counts as 0.
    """
    start = 0
    while start < len(block):
        end, total = _run(low, high, block, start, least)
        for i in range(start, end):
            share = (high[i] - low[i]) / total
            some = share > least
            value = log(share if some else 1.0)
            out[i] = value if some else 0.0
        entropy = 0.0
        for i in range(start, end):
            entropy -= (high[i] - low[i]) / total * out[i]
        for i in range(start, end):
            some = (high[i] - low[i]) / total > least
            out[i] = -grad[block[i]] * (out[i] + entropy) / total if some else 0.0
        start = end
