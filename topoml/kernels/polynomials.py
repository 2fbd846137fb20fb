"""Kernels: leading coefficients of complex polynomials by their roots, and their gradient."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["multiply_roots", "roots_gradient"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


def _compiled(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - numba is not typed
    return njit(cache=True, nogil=True, error_model="numpy")(function)


@_compiled
def _times(x: float, y: float, c: Array) -> None:
    """Multiply 1 + sum_j c_j t^(j+1) by 1 - (x + i y) t."""
    for j in range(c.shape[1] - 1, 0, -1):
        a, b = c[0, j - 1], c[1, j - 1]
        c[0, j] -= x * a - y * b
        c[1, j] -= x * b + y * a
    c[0, 0] -= x
    c[1, 0] -= y


@_compiled
def multiply_roots(x: Array, y: Array, block: Ints, out: Array) -> None:
    """out[block]: real and imaginary parts of the leading coefficients, below the first, of the
    polynomial with the roots x + i y of the block, multiplied in the order of the rows.

    Shapes:  x, y, block (P,) · out (blocks, 2, k), filled with 0
    """
    for i in range(len(block)):
        _times(x[i], y[i], out[block[i]])


@_compiled
def roots_gradient(x: Array, y: Array, block: Ints, grad: Array, out: Array) -> None:
    """out[:, i]: the gradients in x_i and y_i, by the partial products kept and a sweep back.

    0 where a product overflowed. Not checked here: runs of ``block`` that are not broken.

    Shapes:  x, y, block (P,) · grad (blocks, 2, k) · out (2, P)
    """
    k = grad.shape[2]
    start = 0
    while start < len(block):
        end = start
        while end < len(block) and block[end] == block[start]:
            end += 1
        kept = np.zeros((end - start + 1, 2, k))
        for i in range(start, end):
            kept[i - start + 1] = kept[i - start]
            _times(x[i], y[i], kept[i - start + 1])
        g = grad[block[start]].copy()
        for i in range(end - 1, start - 1, -1):
            c = kept[i - start]
            on_x, on_y = -g[0, 0], -g[1, 0]
            for j in range(1, k):
                a, b = c[0, j - 1], c[1, j - 1]
                on_x -= g[0, j] * a + g[1, j] * b
                on_y -= g[1, j] * a - g[0, j] * b
                g[0, j - 1] -= x[i] * g[0, j] + y[i] * g[1, j]
                g[1, j - 1] -= x[i] * g[1, j] - y[i] * g[0, j]
            out[0, i] = on_x if np.isfinite(on_x) else 0.0
            out[1, i] = on_y if np.isfinite(on_y) else 0.0
        start = end
