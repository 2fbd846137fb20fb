"""Stable sort of floats by their bits."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["sort_by_value"]

Array = NDArray[Any]


@njit(cache=True, nogil=True)
def sort_by_value(
    key: Array, index: Array, tag: Array, key2: Array, index2: Array, tag2: Array, n: int
) -> bool:
    """Sort the first ``n`` entries of ``key`` ascending, carrying ``index`` and ``tag``; stable.

    ``key`` holds the bits of floats (uint32 or uint64); on return it holds their ordered image.
    LSD radix sort on the leading 33 bits of the range that occurs, then an insertion sort of what
    these bits leave; if that has more than 8 n moves to make, a radix sort on all bits.
    Not checked here: no NaN, no negative zero. ``key2``, ``index2``, ``tag2`` are scratch.

    Returns True where the result stands in the scratch arrays.
    """
    one = key.dtype.type(1)
    n_bits = 8 * key.itemsize
    top = key.dtype.type(n_bits - 1)
    sign = one << top
    low = ~key.dtype.type(0)
    high = key.dtype.type(0)
    for i in range(n):
        k = key[i]
        k = ~k if k & sign else k | sign
        key[i] = k
        low = min(low, k)
        high = max(high, k)
    width = 0
    span = low ^ high if n else key.dtype.type(0)
    while span:
        span >>= one
        width += 1
    digit = 8 if n < 1500 else 11
    radix = 1 << digit
    count = np.empty(radix, np.int32)
    mask = key.dtype.type(radix - 1)
    flipped = False
    for attempt in range(2):
        first = max(0, width - 33) if attempt == 0 else 0
        for shift in range(first, width, digit):
            s = key.dtype.type(shift)
            count[:] = 0
            for i in range(n):
                count[(key[i] >> s) & mask] += 1
            total = 0
            for d in range(radix):
                c = count[d]
                count[d] = total
                total += c
            for i in range(n):
                k = key[i]
                d = (k >> s) & mask
                j = count[d]
                count[d] = j + 1
                key2[j] = k
                index2[j] = index[i]
                tag2[j] = tag[i]
            key, key2 = key2, key
            index, index2 = index2, index
            tag, tag2 = tag2, tag
            flipped = not flipped
        if first == 0:
            break
        moves = 8 * n
        for i in range(1, n):
            k = key[i]
            if key[i - 1] <= k:
                continue
            p, t = index[i], tag[i]
            j = i
            while j > 0 and key[j - 1] > k:
                key[j] = key[j - 1]
                index[j] = index[j - 1]
                tag[j] = tag[j - 1]
                j -= 1
                moves -= 1
            key[j], index[j], tag[j] = k, p, t
            if moves < 0:
                break
        if moves >= 0:
            break
    return flipped
