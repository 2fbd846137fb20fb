"""Updates of SU(3) gauge fields, matrices on the links of a periodic lattice."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .gauge_su2 import REFLECTION, boltzmann, times

__all__ = ["reunitarise", "staples", "subgroups", "sweeps"]


@njit(cache=True, nogil=True, error_model="numpy")
def staples(
    link: NDArray[np.complex128],
    neighbour: NDArray[np.int32],
    mu: int,
    x: int,
    out: NDArray[np.complex128],
) -> None:
    """A, into ``out``, such that Re tr(U A) sums the Re tr of the plaquettes of U_mu(x).

    Not checked here: sides of at least 2.

    Shapes:  link (D, sites, 3, 3) · neighbour (sites, 2 D), x + nu in column 2 nu, x - nu in
             2 nu + 1 · out (3, 3)
    """
    ahead = neighbour[x, 2 * mu]
    for i in range(3):
        for j in range(3):
            out[i, j] = 0.0
    for nu in range(len(link)):
        if nu == mu:
            continue
        above, below = neighbour[x, 2 * nu], neighbour[x, 2 * nu + 1]
        u, v, w = link[nu, ahead], link[mu, above], link[nu, x]  # u v^+ w^+
        p, q, r = link[mu, below], link[nu, neighbour[below, 2 * mu]], link[nu, below]  # (p q)^+ r
        for i in range(3):
            for k in range(3):
                a = v[k, 0].conjugate() * u[i, 0]
                a += v[k, 1].conjugate() * u[i, 1]
                a += v[k, 2].conjugate() * u[i, 2]
                b = p[k, 0] * q[0, i] + p[k, 1] * q[1, i] + p[k, 2] * q[2, i]
                b = b.conjugate()
                for j in range(3):
                    out[i, j] += a * w[j, k].conjugate() + b * r[k, j]


@njit(cache=True, nogil=True, error_model="numpy")
def subgroups(
    u: NDArray[np.complex128],
    staple: NDArray[np.complex128],
    beta: float,
    reflect: bool,
    rng: np.random.Generator,
) -> None:
    """Multiply u from the left by an element of each of three SU(2) subgroups.

    Heat bath in the subgroup, or a reflection that keeps Re tr(u staple).

    Shapes:  u (3, 3), changed in place · staple (3, 3), overwritten by u staple
    Source:  Cabibbo and Marinari, Phys. Lett. B 119, 387 (1982).
    """
    for i in range(3):  # column j of the product u staple, in place of the staple
        a, b, c = staple[0, i], staple[1, i], staple[2, i]
        for j in range(3):
            staple[j, i] = u[j, 0] * a + u[j, 1] * b + u[j, 2] * c
    for i, j in ((0, 1), (0, 2), (1, 2)):
        w0 = 0.5 * (staple[i, i].real + staple[j, j].real)
        w1 = 0.5 * (staple[i, j].imag + staple[j, i].imag)
        w2 = 0.5 * (staple[i, j].real - staple[j, i].real)
        w3 = 0.5 * (staple[i, i].imag - staple[j, j].imag)
        k = math.sqrt(w0 * w0 + w1 * w1 + w2 * w2 + w3 * w3)
        if k > 0.0:
            back = (w0 / k, -w1 / k, -w2 / k, -w3 / k)
        elif reflect:
            continue
        else:
            back = (1.0, 0.0, 0.0, 0.0)
        first = back if reflect else boltzmann(2.0 / 3.0 * beta * k, rng)
        g = times(first, back)
        top, side = complex(g[0], g[3]), complex(g[2], g[1])
        for m in (u, staple):
            for n in range(3):
                a, b = m[i, n], m[j, n]
                m[i, n] = top * a + side * b
                m[j, n] = top.conjugate() * b - side.conjugate() * a


@njit(cache=True, nogil=True, error_model="numpy")
def reunitarise(u: NDArray[np.complex128]) -> None:
    """Orthonormalise the first two rows of u (3, 3) in place; the third follows from det u = 1."""
    for row in range(2):
        if row == 1:
            overlap = 0j
            for n in range(3):
                overlap += u[0, n].conjugate() * u[1, n]
            for n in range(3):
                u[1, n] -= overlap * u[0, n]
        square = 0.0
        for n in range(3):
            square += u[row, n].real ** 2 + u[row, n].imag ** 2
        scale = 1.0 / math.sqrt(square)
        for n in range(3):
            u[row, n] *= scale
    for n in range(3):
        a, b = (n + 1) % 3, (n + 2) % 3
        u[2, n] = (u[0, a] * u[1, b] - u[0, b] * u[1, a]).conjugate()


@njit(cache=True, nogil=True, error_model="numpy")
def sweeps(
    link: NDArray[np.complex128],
    neighbour: NDArray[np.int32],
    beta: float,
    kinds: NDArray[np.int64],
    n_rounds: int,
    out: NDArray[np.complex128],
    rng: np.random.Generator,
) -> int:
    """``n_rounds`` times sweeps of ``kinds``, in their order, before each sample in ``out``.

    `gauge_su2.HEAT_BATH` in three subgroups, or `gauge_su2.REFLECTION` in them, which keeps the
    energy. Links are brought back to the group before they are copied.

    Shapes:  link (D, sites, 3, 3), changed in place · neighbour as in ``staples``
             · out (samples, D, sites, 3, 3)
    Returns: the number of links visited.
    """
    n_axes, n_sites = link.shape[:2]
    staple = np.empty((3, 3), np.complex128)
    for sample in range(len(out)):
        for _ in range(n_rounds):
            for kind in kinds:
                for mu in range(n_axes):
                    for x in range(n_sites):
                        staples(link, neighbour, mu, x, staple)
                        subgroups(link[mu, x], staple, beta, kind == REFLECTION, rng)
        for mu in range(n_axes):
            for x in range(n_sites):
                reunitarise(link[mu, x])
                for i in range(3):
                    for j in range(3):
                        out[sample, mu, x, i, j] = link[mu, x, i, j]
    return len(out) * n_rounds * len(kinds) * n_axes * n_sites
