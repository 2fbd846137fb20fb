"""Kernels: the exponential of su(3) and its gradient, matrix by matrix, in double precision.

The arrays are complex, (n, 3, 3); of a matrix m its part in su(3) counts,
(m - m^+) / 2 - tr(m - m^+) / 6, written i Q with Q Hermitian and traceless.
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["exponentials", "pullbacks"]

Matrices = NDArray[Any]
Hermitian = tuple[float, float, float, complex, complex, complex]  # entries 00 11 22 01 02 12

SMALL = 1e-2  # c1 below which the series serves: ten powers of Q leave less than 1e-16
SWEEPS = 12  # of Jacobi's rotations, at most; they converge in three to five
TINY = 1e-280  # squared entries that are 0; so small a square has lost bits
CLOSE = 1e-36  # squared entries beside the diagonal, over those on it, that are 0


@njit(cache=True, nogil=True, error_model="numpy")
def _hermitian(m: Matrices) -> Hermitian:
    """Q of the part i Q of a matrix in su(3)."""
    a, b, c = m[0, 0].imag, m[1, 1].imag, m[2, 2].imag
    third = (float(a) + float(b) + float(c)) / 3
    return (
        a - third,
        b - third,
        c - third,
        -0.5j * (complex(m[0, 1]) - complex(m[1, 0]).conjugate()),
        -0.5j * (complex(m[0, 2]) - complex(m[2, 0]).conjugate()),
        -0.5j * (complex(m[1, 2]) - complex(m[2, 1]).conjugate()),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _square(z: complex) -> float:
    return z.real * z.real + z.imag * z.imag


@njit(cache=True, nogil=True, error_model="numpy")
def _series(c0: float, c1: float) -> tuple[complex, complex, complex]:
    """h0, h1, h2 near 0: with Q^3 = c1 Q + c0, Q^n = c0 g(n - 1) + g(n + 1) Q + g(n) Q^2."""
    h0, h1, h2 = 1.0 + 0.0j, 0.0j, 0.0j
    last, here, after = 0.0, 0.0, 1.0  # g(n - 1), g(n), g(n + 1) of n = 1
    factor = 1.0 + 0.0j  # i^n / n!
    for n in range(1, 13):
        factor *= 1j / n
        h0 += factor * (c0 * last)
        h1 += factor * after
        h2 += factor * here
        last, here, after = here, after, c1 * here + c0 * last
    return h0, h1, h2


@njit(cache=True, nogil=True, error_model="numpy")
def _coefficients(c0: float, c1: float) -> tuple[complex, complex, complex]:
    """h of exp(i Q) = h0 + h1 Q + h2 Q^2, with c0 = det Q and c1 = tr Q^2 / 2.

    The eigenvalue x farthest from 0, which is simple, by Newton's steps for x^3 = c1 x + c0 from
    the chord between its values at c0 = 0 and at the largest c0; the denominator then lies between
    2 c1 and 3 c1. The source's u is -x / 2.
    """
    if c1 < SMALL:
        return _series(c0, c1)
    x = math.copysign(math.sqrt(c1), c0) + (2 / 3**0.5 - 1) * 3**1.5 / 2 * c0 / c1
    for _ in range(3):
        t = x * x - c1
        x -= (t * x - c0) / (t + 2 * x * x)
    v = 1.5 * x
    uu = 0.25 * x * x
    ww = c1 - 3 * uu
    w = math.sqrt(max(ww, 0.0))
    cosine = math.cos(w)
    xi = math.sin(w) / w if w > 1e-8 else 1.0
    cos_v, sin_v = math.cos(v), math.sin(v)
    phase = complex(math.cos(0.5 * x), -math.sin(0.5 * x)) / (v * v - ww)
    h0 = complex((uu - ww) * cos_v + 2 * x * x * cosine, (uu - ww) * sin_v + c1 * x * xi)
    h1 = complex(x * (cos_v - cosine), x * sin_v + (c1 - 2 * ww) * xi)
    h2 = complex(cos_v - cosine, sin_v - v * xi)
    return h0 * phase, h1 * phase, h2 * phase


@njit(cache=True, nogil=True, error_model="numpy")
def exponentials(X: Matrices, out: Matrices) -> None:
    """out = exp(i Q), Q of X."""
    for i in range(len(X)):
        a, b, c, x, y, z = _hermitian(X[i])
        xx, yy, zz, xz = _square(x), _square(y), _square(z), x * z
        c0 = a * b * c + 2 * (xz * y.conjugate()).real - a * zz - b * yy - c * xx
        h0, h1, h2 = _coefficients(c0, 0.5 * (a * a + b * b + c * c) + xx + yy + zz)
        o = out[i]
        o[0, 0] = h0 + h1 * a + h2 * (a * a + xx + yy)
        o[1, 1] = h0 + h1 * b + h2 * (b * b + xx + zz)
        o[2, 2] = h0 + h1 * c + h2 * (c * c + yy + zz)
        q = (a + b) * x + y * z.conjugate()  # of Q^2
        o[0, 1] = h1 * x + h2 * q
        o[1, 0] = h1 * x.conjugate() + h2 * q.conjugate()
        q = (a + c) * y + xz
        o[0, 2] = h1 * y + h2 * q
        o[2, 0] = h1 * y.conjugate() + h2 * q.conjugate()
        q = (b + c) * z + x.conjugate() * y
        o[1, 2] = h1 * z + h2 * q
        o[2, 1] = h1 * z.conjugate() + h2 * q.conjugate()


@njit(cache=True, nogil=True, error_model="numpy")
def _rotation(p: float, q: float, pq: complex) -> tuple[float, float, complex, float]:
    """c, s, e of the matrix ((c, s), (-s e*, c e*)) that makes ((p, pq), (pq*, q)) diagonal, with
    p less and q plus the last number."""
    rr = _square(pq)
    if rr < TINY:
        return 1.0, 0.0, 1.0 + 0.0j, 0.0
    r = math.sqrt(rr)
    theta = 0.5 * (q - p) / r
    t = math.copysign(1.0, theta) / (abs(theta) + math.sqrt(theta * theta + 1.0))
    c = 1.0 / math.sqrt(t * t + 1.0)
    return c, t * c, pq / r, t * r


@njit(cache=True, nogil=True, error_model="numpy")
def _turn(V: Matrices, p: int, q: int, c: float, s: float, e: complex) -> None:
    """V times the matrix of `_rotation` on columns p and q."""
    se, ce = s * e.conjugate(), c * e.conjugate()
    for k in range(3):
        one, two = V[k, p], V[k, q]
        V[k, p] = c * one - se * two
        V[k, q] = s * one + ce * two


@njit(cache=True, nogil=True, error_model="numpy")
def _eigen(Q: Hermitian, V: Matrices) -> tuple[float, float, float]:
    """The eigenvalues of Q, and its eigenvectors in the columns of V, by Jacobi's rotations."""
    a, b, c, x, y, z = Q
    V[:] = 0.0
    V[0, 0] = V[1, 1] = V[2, 2] = 1.0
    norm = a * a + b * b + c * c + 2 * (_square(x) + _square(y) + _square(z))
    for _ in range(SWEEPS):
        if _square(x) + _square(y) + _square(z) <= CLOSE * norm:
            break
        k, s, e, shift = _rotation(a, b, x)
        _turn(V, 0, 1, k, s, e)
        a, b, x = a - shift, b + shift, 0.0j
        y, z = k * y - s * e * z, s * y + k * e * z
        k, s, e, shift = _rotation(a, c, y)
        _turn(V, 0, 2, k, s, e)
        a, c, y = a - shift, c + shift, 0.0j
        x, z = k * x - s * e * z.conjugate(), s * x.conjugate() + k * e.conjugate() * z
        k, s, e, shift = _rotation(b, c, z)
        _turn(V, 1, 2, k, s, e)
        b, c, z = b - shift, c + shift, 0.0j
        x, y = k * x - s * e.conjugate() * y, s * x + k * e.conjugate() * y
    return a, b, c


@njit(cache=True, nogil=True, error_model="numpy")
def _quotient(a: float, b: float) -> complex:
    """(e^{-ia} - e^{-ib}) / (-ia + ib), the derivative where a = b."""
    half = 0.5 * (a - b)
    sinc = math.sin(half) / half if abs(half) > 1e-8 else 1.0
    mean = 0.5 * (a + b)
    return complex(math.cos(mean) * sinc, -math.sin(mean) * sinc)


@njit(cache=True, nogil=True, error_model="numpy")
def pullbacks(X: Matrices, G: Matrices, out: Matrices) -> None:
    r"""out = the part in su(3) of V (K \circ V^+ G V) V^+, with X = V diag(i a) V^+.

    K_jk is the divided difference of exp at -i a_j and -i a_k. So out is the gradient of the
    function whose gradient in exp(X) is G.

    Source: Daleckii and Krein, of the derivative of a function of a matrix; Higham, Functions of
        Matrices, SIAM (2008), theorem 3.11.
    """
    V, one, two = np.empty((3, 3, 3), np.complex128)
    K = np.empty((3, 3), np.complex128)
    for i in range(len(X)):
        a, b, c = _eigen(_hermitian(X[i]), V)
        K[0, 0], K[1, 1], K[2, 2] = _quotient(a, a), _quotient(b, b), _quotient(c, c)
        K[0, 1] = K[1, 0] = _quotient(a, b)
        K[0, 2] = K[2, 0] = _quotient(a, c)
        K[1, 2] = K[2, 1] = _quotient(b, c)
        g = G[i]
        for j in range(3):
            for k in range(3):
                one[j, k] = g[j, 0] * V[0, k] + g[j, 1] * V[1, k] + g[j, 2] * V[2, k]
        for j in range(3):
            for k in range(3):
                total = V[0, j].conjugate() * one[0, k]
                total += V[1, j].conjugate() * one[1, k]
                total += V[2, j].conjugate() * one[2, k]
                two[j, k] = K[j, k] * total
        for j in range(3):
            for k in range(3):
                one[j, k] = V[j, 0] * two[0, k] + V[j, 1] * two[1, k] + V[j, 2] * two[2, k]
        for j in range(3):
            for k in range(3):
                total = one[j, 0] * V[k, 0].conjugate()
                total += one[j, 1] * V[k, 1].conjugate()
                total += one[j, 2] * V[k, 2].conjugate()
                two[j, k] = total
        third = (two[0, 0].imag + two[1, 1].imag + two[2, 2].imag) / 3
        for j in range(3):
            out[i, j, j] = complex(0.0, two[j, j].imag - third)
            for k in range(j):
                half = 0.5 * (two[j, k] - two[k, j].conjugate())
                out[i, j, k] = half
                out[i, k, j] = -half.conjugate()
