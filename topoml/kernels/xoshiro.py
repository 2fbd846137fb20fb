"""Random bits inside kernels, a nanosecond for 64."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["draw", "uniform"]

_11, _17, _19, _23, _41, _45 = map(np.uint64, (11, 17, 19, 23, 41, 45))


@njit(inline="always")
def draw(s: NDArray[np.uint64]) -> np.uint64:
    """64 random bits by xoshiro256++ from its state, four words of which one at least is not 0.

    Source: Blackman & Vigna, ACM Trans. Math. Softw. 47, 36 (2021).
    """
    total = s[0] + s[3]
    out = ((total << _23) | (total >> _41)) + s[0]
    t = s[1] << _17
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = (s[3] << _45) | (s[3] >> _19)
    return out


@njit(inline="always")
def uniform(s: NDArray[np.uint64]) -> float:
    """A multiple of 2^-53 in [0, 1)."""
    return float(draw(s) >> _11) * 2.0**-53
