"""Kernels: powers and exponentials whose bits do not depend on where in an array they stand."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["decays", "exp", "log", "powers"]

Floats = NDArray[np.float64]
Real = float | np.floating[Any]

_INTEGERS = 1.5 * 2.0**52  # added to a small number, rounds it to an integer
_HALF_ROOT = int(np.float64(math.sqrt(0.5)).view(np.int64))
_INVERSE = tuple(1.0 / math.factorial(k) for k in range(14))


@njit(cache=True, nogil=True, error_model="numpy")
def powers(x: Floats, exponent: float) -> Floats:
    """x**exponent for x >= 0, (n,)."""
    out = np.empty(len(x))
    for i in range(len(x)):
        if exponent == 0.5:
            out[i] = math.sqrt(x[i])
        elif exponent == 2.0:
            out[i] = x[i] * x[i]
        else:
            out[i] = x[i] ** exponent
    return out


@njit(cache=True, nogil=True)
def decays(x: Floats) -> Floats:
    """exp(-x), (n,)."""
    out = np.empty(len(x))
    for i in range(len(x)):
        out[i] = math.exp(-x[i])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def exp(x: float) -> Real:
    """exp(x) for x <= 0 within 2 roundings; 0 below -708.

    Cody and Waite's reduction to |r| <= ln(2) / 2, then Taylor to the order 13 (next term below
    1e-17), in an order in which few operations wait for each other. Additions and multiplications
    of a fixed order only: it vectorises, and gives the same bits wherever in a loop, in an array or
    on whichever machine it runs.
    """
    shifted = x * 1.4426950408889634 + _INTEGERS  # its last bits are the integer nearest
    n = shifted - _INTEGERS
    r = x - n * 6.93147180369123816490e-01 - n * 1.90821492927058770002e-10
    r2 = r * r
    r4 = r2 * r2
    p = (1.0 + r + (0.5 + r * _INVERSE[3]) * r2) + (
        (_INVERSE[4] + r * _INVERSE[5]) + (_INVERSE[6] + r * _INVERSE[7]) * r2
    ) * r4
    q = ((_INVERSE[8] + r * _INVERSE[9]) + (_INVERSE[10] + r * _INVERSE[11]) * r2) + (
        _INVERSE[12] + r * _INVERSE[13]
    ) * r4
    p += q * (r4 * r4)
    power = np.int64((np.float64(shifted).view(np.int64) + 1023) << 52).view(np.float64)
    return p * power if x > -708.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def log(x: float) -> Real:
    """log(x) for finite, normal x > 0 within 2 roundings; anything elsewhere.

    x = 2^n m with m between the roots of 1/2 and of 2, and log m = 2 artanh((m - 1) / (m + 1)) to
    the order 21 (next term below 1e-17). As ``exp``, it vectorises and has the same bits anywhere.
    """
    bits = np.float64(x).view(np.int64) - _HALF_ROOT
    n = float(bits >> 52)
    m = np.int64((bits & (2**52 - 1)) + _HALF_ROOT).view(np.float64)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    z2 = z * z
    z4 = z2 * z2
    low = (1 / 3 + z * (1 / 5)) + (1 / 7 + z * (1 / 9)) * z2
    high = (1 / 11 + z * (1 / 13)) + (1 / 15 + z * (1 / 17)) * z2 + (1 / 19 + z * (1 / 21)) * z4
    series = low + high * z4
    # log m = f - s (f - 2 z series): the largest term is exact
    rest = n * 1.90821492927058770002e-10 - s * (f - 2.0 * z * series)
    return n * 6.93147180369123816490e-01 + (f + rest)
