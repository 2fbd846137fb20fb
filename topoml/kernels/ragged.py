"""Arrays that grow inside a kernel."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["copy", "grown"]

Array = NDArray[Any]


@njit(cache=True, nogil=True)
def grown(array: Array, length: int) -> Array:
    """A copy of ``array`` with room for ``length`` rows."""
    longer = np.empty((length, *array.shape[1:]), array.dtype)
    copy(array.reshape(-1), longer.reshape(-1))
    return longer


@njit(cache=True, nogil=True)
def copy(source: Array, target: Array) -> None:
    """Write ``source`` to the front of ``target``, of one axis each.

    As ``target[: len(source)] = source``, for which numba compiles seconds of error messages.
    """
    for i in range(len(source)):
        target[i] = source[i]
