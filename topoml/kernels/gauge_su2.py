"""Updates of SU(2) gauge fields, unit quaternions on the links of a periodic lattice.

A quaternion (a, b, c, d) stands for a + i (b, c, d) . sigma.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["HEAT_BATH", "REFLECTION", "boltzmann", "staples", "sweeps", "times"]

HEAT_BATH, REFLECTION = range(2)

Quaternion = tuple[float, float, float, float]


@njit(cache=True, nogil=True, error_model="numpy")
def times(p: Quaternion, q: Quaternion) -> Quaternion:
    """The product p q."""
    return (
        p[0] * q[0] - p[1] * q[1] - p[2] * q[2] - p[3] * q[3],
        p[0] * q[1] + p[1] * q[0] - p[2] * q[3] + p[3] * q[2],
        p[0] * q[2] + p[2] * q[0] - p[3] * q[1] + p[1] * q[3],
        p[0] * q[3] + p[3] * q[0] - p[1] * q[2] + p[2] * q[1],
    )


@njit(cache=True, nogil=True, error_model="numpy")
def boltzmann(k: float, rng: np.random.Generator) -> Quaternion:
    """A unit quaternion q of density exp(k q0) in the Haar measure, k >= 0.

    For k < 2 by Creutz's rejection with the weight sqrt(1 - q0^2), accepted more often there, else
    by that of Kennedy and Pendleton.

    Source: Creutz, Phys. Rev. D 21, 2308 (1980), eqs. (20)-(23); Kennedy and Pendleton, Phys. Lett.
        B 156, 393 (1985).
    """
    a = 0.0
    if k < 2.0:
        span = -math.expm1(-2.0 * k)
        while True:
            u = rng.random()
            a = 1.0 + math.log1p(-u * span) / k if k > 1e-12 else 1.0 - 2.0 * u
            v = rng.random()
            if v * v < 1.0 - a * a:
                break
    else:
        while True:
            c = math.cos(2.0 * math.pi * rng.random())
            lost = -(math.log(1.0 - rng.random()) + c * c * math.log(1.0 - rng.random())) / k
            v = rng.random()
            if v * v < 1.0 - 0.5 * lost:
                a = 1.0 - lost
                break
    d = 2.0 * rng.random() - 1.0
    phi = 2.0 * math.pi * rng.random()
    side = math.sqrt(max(0.0, 1.0 - a * a))
    across = side * math.sqrt(1.0 - d * d)
    return a, across * math.cos(phi), across * math.sin(phi), side * d


@njit(cache=True, nogil=True, error_model="numpy")
def staples(link: NDArray[np.float64], neighbour: NDArray[np.int32], mu: int, x: int) -> Quaternion:
    """A, not of unit length, such that (U A)_0 = Re tr(U A) / 2 sums the plaquettes of U_mu(x).

    Not checked here: sides of at least 2.

    Shapes:  link (D, sites, 4) · neighbour (sites, 2 D), x + nu in column 2 nu, x - nu in 2 nu + 1
    """
    ahead = neighbour[x, 2 * mu]
    a = b = c = d = 0.0
    for nu in range(len(link)):
        if nu != mu:
            above, below = neighbour[x, 2 * nu], neighbour[x, 2 * nu + 1]
            u = link[nu, ahead]
            v = link[mu, above]
            w = link[nu, x]
            p = times((u[0], u[1], u[2], u[3]), (v[0], -v[1], -v[2], -v[3]))
            p = times(p, (w[0], -w[1], -w[2], -w[3]))
            u = link[nu, neighbour[below, 2 * mu]]
            v = link[mu, below]
            w = link[nu, below]
            q = times((u[0], -u[1], -u[2], -u[3]), (v[0], -v[1], -v[2], -v[3]))
            q = times(q, (w[0], w[1], w[2], w[3]))
            a, b, c, d = a + p[0] + q[0], b + p[1] + q[1], c + p[2] + q[2], d + p[3] + q[3]
    return a, b, c, d


@njit(cache=True, nogil=True, error_model="numpy")
def sweeps(
    link: NDArray[np.float64],
    neighbour: NDArray[np.int32],
    beta: float,
    kinds: NDArray[np.int64],
    n_rounds: int,
    out: NDArray[np.float64],
    rng: np.random.Generator,
) -> int:
    """``n_rounds`` times sweeps of ``kinds``, in their order, before each sample in ``out``.

    `HEAT_BATH`, or `REFLECTION`, U -> A^+ U^+ A^+ / |A|^2, which keeps the energy. Links are
    brought back to unit length before they are copied.

    Shapes:  link (D, sites, 4), changed in place · neighbour as in ``staples``
             · out (samples, D, sites, 4)
    Returns: the number of links visited.
    Source:  as ``boltzmann``; Creutz, Phys. Rev. D 36, 515 (1987), for the reflections.
    """
    n_axes, n_sites, _ = link.shape
    for sample in range(len(out)):
        for _ in range(n_rounds):
            for kind in kinds:
                for mu in range(n_axes):
                    for x in range(n_sites):
                        a, b, c, d = staples(link, neighbour, mu, x)
                        k = math.sqrt(a * a + b * b + c * c + d * d)
                        u = link[mu, x]
                        if kind == HEAT_BATH:
                            new = boltzmann(beta * k, rng)
                        if k > 0.0:
                            back = (a / k, -b / k, -c / k, -d / k)
                            if kind == REFLECTION:
                                new = times(back, (u[0], -u[1], -u[2], -u[3]))
                            new = times(new, back)
                        elif kind == REFLECTION:
                            continue
                        u[0], u[1], u[2], u[3] = new
        for mu in range(n_axes):
            for x in range(n_sites):
                u = link[mu, x]
                norm = math.sqrt(u[0] * u[0] + u[1] * u[1] + u[2] * u[2] + u[3] * u[3])
                for i in range(4):
                    u[i] /= norm
                    out[sample, mu, x, i] = u[i]
    return len(out) * n_rounds * len(kinds) * n_axes * n_sites
