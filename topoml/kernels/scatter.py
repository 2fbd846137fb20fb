"""Kernel: gradients of births and deaths, added up where their values stand."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["add_gradients"]

Array = NDArray[Any]


@njit(cache=True, nogil=True)
def add_gradients(arrays: tuple[Array, ...], begin: int, end: int, out: Array) -> None:
    """Fill the rows ``begin`` to ``end`` of ``out`` (B, entries) with the sums of the gradients of
    births and deaths, by their entries; those of -1 are left out.

    ``arrays``: the gradients (P, 2) of the finite classes, their births, deaths and samples (P,),
    the gradients (E,) of the essential ones, their entries and samples; samples ascend. Sums run in
    the order of the rows, finite classes first: a sample has the same bits in any batch.
    """
    points, birth, death, sample, essential, entry, essential_sample = arrays
    i = np.searchsorted(sample, begin)
    j = np.searchsorted(essential_sample, begin)
    for number in range(begin, end):
        row = out[number]
        row[:] = 0.0
        while i < len(sample) and sample[i] == number:
            if birth[i] >= 0:
                row[np.uint64(birth[i])] += points[i, 0]  # unsigned: no branch for negative ones
            if death[i] >= 0:
                row[np.uint64(death[i])] += points[i, 1]
            i += 1
        while j < len(essential_sample) and essential_sample[j] == number:
            if entry[j] >= 0:
                row[np.uint64(entry[j])] += essential[j]
            j += 1
