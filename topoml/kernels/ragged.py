"""Arrays that grow inside a kernel."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["grown"]

Array = NDArray[Any]


@njit(cache=True, nogil=True)
def grown(array: Array, length: int) -> Array:
    """A copy of ``array`` with room for ``length`` rows."""
    longer = np.empty((length, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer
