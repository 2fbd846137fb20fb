"""Clusters and sweeps of unit vectors in space, on any table of neighbours."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["clusters", "sweeps"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Triple = tuple[float, float, float]


@njit(cache=True, nogil=True, error_model="numpy")
def clusters(
    spin: NDArray[np.float64],
    neighbours: NDArray[np.int32],
    linear: float,
    quadratic: float,
    n_rounds: int,
    everywhere: bool,
    n_sweeps: int,
    out: NDArray[np.float32],
    rng: np.random.Generator,
) -> int:
    """Before each sample: embedded clusters, then sweeps of over-relaxation.

    The weight of a bond is exp(linear c + quadratic c^2), with c = s.s'. A round draws a uniform
    unit vector r and reflects spins at the plane across it, s - 2 (s.r) r: one cluster grown from a
    random site (Wolff), or, ``everywhere``, each cluster with probability 1/2 (Swendsen-Wang).

    Over-relaxation wants quadratic = 0. Spins are brought back to unit length before they are
    copied.

    Not checked here: unit vectors; every bond stands in both rows of the table.

    Shapes:  spin (sites, 3) float64, changed in place · neighbours (sites, z) int32 ·
             out (n_samples, sites, 3) float32
    Returns: the number of sites in clusters.
    Source:  Wolff, Phys. Rev. Lett. 62, 361 (1989).
    """
    n_sites = spin.shape[0]
    mark, stack = np.zeros(n_sites, np.int32), np.empty(n_sites, np.int32)
    none, no_twist = np.zeros(3), np.zeros((neighbours.shape[1], 3))
    number, visited = 0, 0
    for sample in range(out.shape[0]):
        for _ in range(n_rounds):
            number += 1
            rx, ry, rz = _turned(0.0, 0.0, 1.0, 2.0 * rng.random(), rng)
            n_seeds = n_sites if everywhere else 1
            for k in range(n_seeds):
                seed = k if everywhere else int(rng.random() * n_sites)
                if mark[seed] != number:
                    reflects = not everywhere or rng.random() < 0.5
                    visited += _grow(
                        spin, neighbours, linear, quadratic, rx, ry, rz, reflects,
                        seed, mark, number, stack, rng,
                    )  # fmt: skip
        for _ in range(n_sweeps):
            _over_relax(spin, neighbours, 1.0, no_twist, none, False)
        _keep(spin, out[sample])
    return visited


@njit(cache=True, nogil=True, error_model="numpy")
def sweeps(
    spin: NDArray[np.float64],
    neighbours: NDArray[np.int32],
    beta: float,
    linear: float,
    quadratic: float,
    twist: NDArray[np.float64],
    field: NDArray[np.float64],
    n_rounds: int,
    cap: float,
    n_mirrors: int,
    out: NDArray[np.float32],
    rng: np.random.Generator,
) -> int:
    """Before each sample: sweeps of local updates, through the sites in their order.

    The log weight of a configuration is beta times the sum of field.s over the sites and of linear
    c + quadratic c^2 + twist.(s x s') over the bonds, with c = s.s' and the twist of the bond as
    seen from s: that of the slot of s' among the neighbours of s; from s' it has the other sign.

    A round with cap > 0 is a sweep of Metropolis, with a proposal uniform on the cap around the
    spin whose height is ``cap``, at most 2, the whole sphere. With cap = 0 (and quadratic = 0) it
    is a sweep of heat bath; then in both cases ``n_mirrors`` sweeps of over-relaxation (which want
    quadratic = 0, too). A site that neighbours itself feels nothing from it.

    Not checked here: as in ``clusters``.

    Shapes:  spin (sites, 3) float64, changed in place · neighbours (sites, z) int32 ·
             twist (z, 3) · field (3,) · out (n_samples, sites, 3) float32
    Returns: the number of visits of a site.
    Source:  Creutz, Phys. Rev. D 36, 515 (1987) for over-relaxation.
    """
    n_sites = spin.shape[0]
    twisted = False
    for slot in range(twist.shape[0]):
        for c in range(3):
            twisted |= twist[slot, c] != 0.0
    for sample in range(out.shape[0]):
        for _ in range(n_rounds):
            for site in range(n_sites):
                hx, hy, hz = _pull(spin, neighbours, site, linear, twist, field, twisted)
                x, y, z = spin[site, 0], spin[site, 1], spin[site, 2]
                if cap > 0.0:
                    u, v, w = _turned(x, y, z, cap * rng.random(), rng)
                    gain = (u - x) * hx + (v - y) * hy + (w - z) * hz
                    if quadratic != 0.0:
                        gain += quadratic * _squares(spin, neighbours, site, x, y, z, u, v, w)
                    if gain >= 0.0 or rng.random() < math.exp(beta * gain):
                        x, y, z = u, v, w
                else:
                    x, y, z = _drawn(hx, hy, hz, beta, rng)
                spin[site, 0], spin[site, 1], spin[site, 2] = x, y, z
            for _ in range(n_mirrors):
                _over_relax(spin, neighbours, linear, twist, field, twisted)
        _keep(spin, out[sample])
    return out.shape[0] * n_rounds * n_sites * (1 + n_mirrors)


@njit(cache=True, nogil=True, error_model="numpy")
def _grow(
    spin: Floats,
    neighbours: Ints,
    linear: float,
    quadratic: float,
    rx: float,
    ry: float,
    rz: float,
    reflects: bool,
    seed: int,
    mark: Ints,
    number: int,
    stack: Ints,
    rng: np.random.Generator,
) -> int:
    """The cluster around a seed, among sites not marked with ``number``: its size.

    A bond joins with probability 1 - exp(min(0, g)), g the change of the log weight of the bond if
    one of its two spins were reflected.
    """
    mark[seed], stack[0] = number, seed
    top, size = 1, 0
    while top > 0:
        top -= 1
        size += 1
        site = stack[top]
        x, y, z = spin[site, 0], spin[site, 1], spin[site, 2]
        along = -2.0 * (x * rx + y * ry + z * rz)
        if reflects:
            spin[site, 0] = x + along * rx
            spin[site, 1] = y + along * ry
            spin[site, 2] = z + along * rz
        for slot in range(neighbours.shape[1]):
            other = neighbours[site, slot]
            if mark[other] != number:
                u, v, w = spin[other, 0], spin[other, 1], spin[other, 2]
                change = along * (u * rx + v * ry + w * rz)
                gain = change * (linear + quadratic * (2.0 * (x * u + y * v + z * w) + change))
                if gain < 0.0 and rng.random() >= math.exp(gain):
                    mark[other] = number
                    stack[top] = other
                    top += 1
    return size


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _pull(
    spin: Floats,
    neighbours: Ints,
    site: int,
    linear: float,
    twist: Floats,
    field: Floats,
    twisted: bool,
) -> Triple:
    """The vector h of the log weight beta h.s of one spin."""
    hx, hy, hz = 0.0, 0.0, 0.0
    for slot in range(neighbours.shape[1]):
        other = neighbours[site, slot]
        if other != site:
            hx += spin[other, 0]
            hy += spin[other, 1]
            hz += spin[other, 2]
    hx, hy, hz = field[0] + linear * hx, field[1] + linear * hy, field[2] + linear * hz
    if twisted:
        for slot in range(neighbours.shape[1]):
            other = neighbours[site, slot]
            if other != site:  # d.(s x s') = s.(s' x d)
                u, v, w = spin[other, 0], spin[other, 1], spin[other, 2]
                a, b, c = twist[slot, 0], twist[slot, 1], twist[slot, 2]
                hx += v * c - w * b
                hy += w * a - u * c
                hz += u * b - v * a
    return hx, hy, hz


@njit(cache=True, nogil=True, error_model="numpy")
def _squares(
    spin: Floats,
    neighbours: Ints,
    site: int,
    x: float,
    y: float,
    z: float,
    u: float,
    v: float,
    w: float,
) -> float:
    """Sum over the neighbours of (s.s')^2, at s = (u, v, w) less at (x, y, z)."""
    total = 0.0
    for slot in range(neighbours.shape[1]):
        other = neighbours[site, slot]
        if other != site:
            a, b, c = spin[other, 0], spin[other, 1], spin[other, 2]
            old, new = x * a + y * b + z * c, u * a + v * b + w * c
            total += (new - old) * (new + old)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _over_relax(
    spin: Floats, neighbours: Ints, linear: float, twist: Floats, field: Floats, twisted: bool
) -> None:
    """Reflect each spin in turn at its h, s -> 2 (s.h) h / h^2 - s; in no h it stays.

    Every second site first, then the others, so that successive updates do not wait for one
    another.
    """
    for first in range(2):
        for site in range(first, spin.shape[0], 2):
            hx, hy, hz = _pull(spin, neighbours, site, linear, twist, field, twisted)
            square = hx * hx + hy * hy + hz * hz
            if square > 0.0:
                x, y, z = spin[site, 0], spin[site, 1], spin[site, 2]
                along = 2.0 * (x * hx + y * hy + z * hz) / square
                spin[site, 0], spin[site, 1] = along * hx - x, along * hy - y
                spin[site, 2] = along * hz - z


@njit(cache=True, nogil=True, error_model="numpy")
def _drawn(hx: float, hy: float, hz: float, beta: float, rng: np.random.Generator) -> Triple:
    """A unit vector with density exp(beta h.s).

    The cosine c to h has the density exp(k c), k = beta |h|; its inverse distribution is 1 - c =
    -log(1 - v (1 - exp(-2 k))) / k with v uniform, accurate for all k > 0.
    """
    h = math.sqrt(hx * hx + hy * hy + hz * hz)
    k, v = beta * h, rng.random()
    if k == 0.0:
        return _turned(0.0, 0.0, 1.0, 2.0 * v, rng)
    fall = -math.log1p(v * math.expm1(-2.0 * k)) / k
    return _turned(hx / h, hy / h, hz / h, min(fall, 2.0), rng)


@njit(cache=True, nogil=True, error_model="numpy")
def _turned(x: float, y: float, z: float, fall: float, rng: np.random.Generator) -> Triple:
    """A unit vector whose cosine to the unit vector (x, y, z) is 1 - fall, at a random azimuth."""
    angle = 2.0 * math.pi * rng.random()
    side = math.sqrt(fall * (2.0 - fall))
    p, q = side * math.cos(angle), side * math.sin(angle)
    cosine, sign = 1.0 - fall, math.copysign(1.0, z)
    a = -1.0 / (sign + z)  # an orthonormal frame: Duff et al., JCGT 6 (1), 1 (2017)
    b = x * y * a
    return (
        cosine * x + p * (1.0 + sign * x * x * a) + q * b,
        cosine * y + p * sign * b + q * (sign + y * y * a),
        cosine * z - p * sign * x - q * y,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _keep(spin: Floats, out: NDArray[np.float32]) -> None:
    """Spins back to unit length, and a copy of them."""
    for site in range(spin.shape[0]):
        x, y, z = spin[site, 0], spin[site, 1], spin[site, 2]
        scale = 1.0 / math.sqrt(x * x + y * y + z * z)
        for c in range(3):
            spin[site, c] *= scale
            out[site, c] = spin[site, c]
