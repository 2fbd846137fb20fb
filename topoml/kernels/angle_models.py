"""Updates of planar spins whose bonds weigh by the angle between them, on any lattice.

Spins are unit vectors, so that every bond is a function of c = cos(dtheta), and a field A on the
bonds turns one of the vectors. A law is (kind, K, a, q), and its bond energy over T:

    COSINE       -K c
    GENERALIZED  -K [a c + (1 - a) cos(q dtheta)]
    VILLAIN      -ln sum_n exp(-K (dtheta - 2 pi n)^2 / 2)
    CONSTRAINED  0 where c >= a, else infinite (1e30: differences of it are never NaN)

A site that neighbours itself (a side of 1) is no bond; two equal neighbours (a side of 2) are two.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "CONSTRAINED",
    "COSINE",
    "GENERALIZED",
    "HEAT_BATH",
    "METROPOLIS",
    "OVER_RELAXATION",
    "SWENDSEN_WANG",
    "VILLAIN",
    "WOLFF",
    "Law",
    "bond_energy",
    "clusters",
    "heat_bath",
    "metropolis",
    "over_relax",
    "run",
]

Law = tuple[int, float, float, int]

COSINE, GENERALIZED, VILLAIN, CONSTRAINED = range(4)
WOLFF, SWENDSEN_WANG, METROPOLIS, HEAT_BATH, OVER_RELAXATION = range(5)

_FORBIDDEN = 1e30
_SELF_DUAL = 0.5 / math.pi  # K below which the Villain weight is summed as a Fourier series


@njit(cache=True, nogil=True, error_model="numpy")
def _villain(c: float, K: float) -> float:
    """-ln sum_n exp(-K (d - 2 pi n)^2 / 2) with d = arccos(c), to some roundings.

    Both sums leave less than 1e-16: terms of the first fall at least as exp(-pi n (n - 1)), those
    of the second, by Poisson summation, at least as exp(-pi n^2).
    """
    d = math.acos(min(1.0, max(-1.0, c)))
    total = 1.0
    if K >= _SELF_DUAL:
        for n in range(1, 5):
            far = 2.0 * math.pi * n
            exponent = 0.5 * K * far * (far - 2.0 * d)
            if exponent > 40.0:
                break
            total += math.exp(-exponent) + math.exp(-exponent - 2.0 * K * far * d)
        return 0.5 * K * d * d - math.log(total)
    for n in range(1, 5):
        total += 2.0 * math.exp(-0.5 * n * n / K) * math.cos(n * d)
    return 0.5 * math.log(2.0 * math.pi * K) - math.log(total)


@njit(cache=True, nogil=True, error_model="numpy")
def bond_energy(c: float, law: Law) -> float:
    """Energy over T of a bond between spins with the scalar product c."""
    kind, K, a, q = law
    if kind == COSINE:
        return -K * c
    if kind == GENERALIZED:
        before, power = 1.0, c  # cos(q d) by the recursion of Chebyshev's polynomials
        for _ in range(q - 1):
            before, power = power, 2.0 * c * power - before
        return -K * (a * c + (1.0 - a) * power)
    if kind == VILLAIN:
        return _villain(c, K)
    return 0.0 if c >= a else _FORBIDDEN


@njit(cache=True, nogil=True, error_model="numpy")
def clusters(
    spin: NDArray[np.float64],
    table: NDArray[np.int32],
    law: Law,
    whole: bool,
    n_rounds: int,
    mark: NDArray[np.int64],
    stack: NDArray[np.int32],
    rng: np.random.Generator,
) -> int:
    """Reflect clusters at lines through the origin, one random line a round.

    Wolff: one cluster from a random site, always reflected. Swendsen-Wang (``whole``): all
    clusters, each reflected with probability 1/2. A bond joins with probability
    1 - exp(min(0, -(e(R s_i, s_j) - e(s_i, s_j)))), e over T, which is exact for any even law and
    either sign of K; each bond is tried once.

    Where q theta agrees but theta does not, few random lines fit. Hence half of the rounds of
    GENERALIZED, by chance, are others: for even q those that turn a cluster by pi (all of them for
    q = 2), else lines that take one spin, in Wolff's algorithm the first, to an angle larger by
    2 pi k / q, k uniform from 1 to q - 1. That is exact, as the same line has the same chance
    afterwards: by q - k if the spin was reflected, by k if not.

    Not checked here: unit vectors.

    Shapes:  spin (N, 2) float64, changed in place · table (N, z) int32
             mark (N + 1,) int64, zeros at first, then kept: the last entry counts the rounds
             stack (N,) int32
    Returns: the number of spins in the clusters.
    Source:  Wolff, Phys. Rev. Lett. 62, 361 (1989); the bond energy of a general law: ours.
    """
    n_sites, z = table.shape
    visited = 0
    for _ in range(n_rounds):
        mark[n_sites] += 1
        stamp = mark[n_sites]
        first = int(rng.random() * n_sites)
        angle = 2.0 * math.pi * rng.random()
        invert = False
        if law[0] == GENERALIZED and law[3] > 1:
            u = rng.random()
            invert = law[3] % 2 == 0 and u < (0.5 if law[3] == 2 else 0.25)
            if not invert and u < 0.5:
                k = 1 + int(rng.random() * (law[3] - 1))
                angle = math.atan2(spin[first, 1], spin[first, 0]) + math.pi * (k / law[3] - 0.5)
        rx, ry = math.cos(angle), math.sin(angle)
        for seed in range(n_sites if whole else 1):
            site = seed if whole else first
            if mark[site] == stamp:
                continue
            reflect = 2.0 if not whole or rng.random() < 0.5 else 0.0
            mark[site] = stamp
            stack[0] = site
            top = 1
            while top > 0:
                top -= 1
                visited += 1
                i = stack[top]
                x, y = spin[i, 0], spin[i, 1]
                along = x * rx + y * ry
                for slot in range(z):
                    j = table[i, slot]
                    if mark[j] == stamp:
                        continue
                    # j is not reflected yet: R s_i . s_j = s_i . s_j - drop
                    drop = 2.0 * along * (spin[j, 0] * rx + spin[j, 1] * ry)
                    if law[0] == COSINE:
                        rise = law[1] * drop
                    else:
                        c = x * spin[j, 0] + y * spin[j, 1]
                        if invert:
                            drop = 2.0 * c
                        rise = bond_energy(c - drop, law) - bond_energy(c, law)
                    if rise > 0.0 and rng.random() >= math.exp(-rise):
                        mark[j] = stamp
                        stack[top] = j
                        top += 1
                if invert:
                    spin[i, 0], spin[i, 1] = x - reflect * x, y - reflect * y
                else:
                    spin[i, 0], spin[i, 1] = x - reflect * along * rx, y - reflect * along * ry
    return visited


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _field(
    spin: NDArray[np.float64],
    table: NDArray[np.int32],
    turn: NDArray[np.float64],
    i: int,
) -> tuple[float, float]:
    """Sum of the neighbours of a site, each turned by the field on its bond."""
    hx, hy = 0.0, 0.0
    if turn.shape[0] == 0:
        for slot in range(table.shape[1]):
            j = table[i, slot]
            if j != i:
                hx += spin[j, 0]
                hy += spin[j, 1]
        return hx, hy
    for slot in range(table.shape[1]):
        j = table[i, slot]
        if j != i:
            x, y = spin[j, 0], spin[j, 1]
            c, s = turn[i, slot, 0], turn[i, slot, 1]
            hx += c * x - s * y
            hy += s * x + c * y
    return hx, hy


@njit(cache=True, nogil=True, error_model="numpy")
def metropolis(
    spin: NDArray[np.float64],
    table: NDArray[np.int32],
    turn: NDArray[np.float64],
    law: Law,
    width: float,
    rng: np.random.Generator,
) -> int:
    """One sweep in C order: turn each spin by up to ``width``, and for GENERALIZED by 2 pi k / q.

    k is uniform from 0 to q - 1. Accepted with probability min(1, exp(-change of e)).

    Shapes:  spin (N, 2) float64, changed in place · table (N, z) int32
             turn (N, z, 2) cosine and sine of the turn of each neighbour, or (0, 0, 2): none;
             for COSINE only
    Returns: the number of accepted proposals.
    """
    accepted = 0
    jumps = law[3] if law[0] == GENERALIZED else 1
    for i in range(table.shape[0]):
        angle = width * (2.0 * rng.random() - 1.0)
        if jumps > 1:
            angle += 2.0 * math.pi * int(rng.random() * jumps) / jumps
        c, s = math.cos(angle), math.sin(angle)
        x, y = spin[i, 0], spin[i, 1]
        to_x, to_y = c * x - s * y, s * x + c * y
        rise = 0.0
        if law[0] == COSINE:
            hx, hy = _field(spin, table, turn, i)
            rise = -law[1] * ((to_x - x) * hx + (to_y - y) * hy)
        else:
            for slot in range(table.shape[1]):
                j = table[i, slot]
                if j != i:
                    rise += bond_energy(to_x * spin[j, 0] + to_y * spin[j, 1], law)
                    rise -= bond_energy(x * spin[j, 0] + y * spin[j, 1], law)
        if rise <= 0.0 or rng.random() < math.exp(-rise):
            spin[i, 0], spin[i, 1] = to_x, to_y
            accepted += 1
    return accepted


@njit(cache=True, nogil=True, error_model="numpy")
def heat_bath(
    spin: NDArray[np.float64],
    table: NDArray[np.int32],
    turn: NDArray[np.float64],
    K: float,
    rng: np.random.Generator,
) -> None:
    """One sweep in C order: each spin anew from von Mises about K times the field, for COSINE.

    Weight exp(kappa cos f) with kappa = |K h|, by rejection from a wrapped Cauchy distribution;
    the parameters are written without cancellation at small and at large kappa.

    Shapes:  as in ``metropolis``.
    Source:  Best & Fisher, Appl. Statist. 28, 152 (1979).
    """
    for i in range(table.shape[0]):
        hx, hy = _field(spin, table, turn, i)
        length = math.sqrt(hx * hx + hy * hy)
        kappa = min(abs(K) * length, 1e300)  # beyond, no angle changes in the last bit
        if kappa < 1e-150:  # its square would underflow; uniform to the last bit
            angle = 2.0 * math.pi * rng.random()
            spin[i, 0], spin[i, 1] = math.cos(angle), math.sin(angle)
            continue
        excess = 0.5 / kappa  # r - 1 of the paper
        if kappa < 1e8:
            tau = 1.0 + math.sqrt(1.0 + 4.0 * kappa * kappa)
            rho = 2.0 * kappa / (tau + math.sqrt(2.0 * tau))
            excess = (1.0 - rho) ** 2 / (2.0 * rho)
        while True:
            half = math.sin(0.5 * math.pi * rng.random())
            low = 2.0 * half * half  # 1 - z of the paper, z = cos(pi u)
            short = excess * low / (2.0 - low + excess)  # 1 - cos f
            ratio = kappa * (excess + short)
            u = rng.random()
            if u < ratio * (2.0 - ratio) or math.log(ratio / u) + 1.0 >= ratio:
                break
        c, s = 1.0 - short, math.sqrt(short * (2.0 - short))
        if rng.random() < 0.5:
            s = -s
        scale = 1.0 / length if K > 0.0 else -1.0 / length
        hx, hy = hx * scale, hy * scale
        spin[i, 0], spin[i, 1] = c * hx - s * hy, s * hx + c * hy


@njit(cache=True, nogil=True, error_model="numpy")
def over_relax(
    spin: NDArray[np.float64], table: NDArray[np.int32], turn: NDArray[np.float64]
) -> None:
    """One sweep, s -> 2 (s.h) h / h^2 - s, which conserves the energy of COSINE.

    A spin in no field stays. Every second site first, then the others, so that successive updates
    do not wait for one another.

    Shapes:  as in ``metropolis``.
    Source:  Creutz, Phys. Rev. D 36, 515 (1987).
    """
    for first in range(2):
        for i in range(first, table.shape[0], 2):
            hx, hy = _field(spin, table, turn, i)
            square = hx * hx + hy * hy
            if square > 0.0:
                x, y = spin[i, 0], spin[i, 1]
                along = 2.0 * (x * hx + y * hy) / square
                spin[i, 0], spin[i, 1] = along * hx - x, along * hy - y


@njit(cache=True, nogil=True, error_model="numpy")
def run(
    spin: NDArray[np.float64],
    table: NDArray[np.int32],
    turn: NDArray[np.float64],
    law: Law,
    move: int,
    n_rounds: int,
    n_relax: int,
    width: float,
    out: NDArray[np.float32],
    rng: np.random.Generator,
) -> int:
    """Before each sample copied into ``out``: rounds of a move, with sweeps of over-relaxation.

    After each round of OVER_RELAXATION, which is a sweep of the heat bath, and after all clusters
    of WOLFF and SWENDSEN_WANG, ``n_relax`` sweeps of over-relaxation: 0 but for COSINE. Spins are
    brought back to unit length before they are copied; ``out`` holds the cosines and the sines.

    Shapes:  spin, table, turn as in ``metropolis`` · out (2, n_samples, N) float32
    Returns: the number of spins in clusters, or visited by the sweeps of ``move``.
    """
    n_sites = table.shape[0]
    mark = np.zeros(n_sites + 1, np.int64)
    stack = np.empty(n_sites, np.int32)
    visited = 0
    for sample in range(out.shape[1]):
        if move <= SWENDSEN_WANG:
            whole = move == SWENDSEN_WANG
            visited += clusters(spin, table, law, whole, n_rounds, mark, stack, rng)
            for _ in range(n_relax):
                over_relax(spin, table, turn)
        else:
            visited += n_rounds * n_sites
            for _ in range(n_rounds):
                if move == METROPOLIS:
                    metropolis(spin, table, turn, law, width, rng)
                else:
                    heat_bath(spin, table, turn, law[1], rng)
                if move == OVER_RELAXATION:
                    for _ in range(n_relax):
                        over_relax(spin, table, turn)
        for i in range(n_sites):
            x, y = spin[i, 0], spin[i, 1]
            scale = 1.0 / math.sqrt(x * x + y * y)
            spin[i, 0], spin[i, 1] = x * scale, y * scale
            out[0, sample, i], out[1, sample, i] = x * scale, y * scale
    return visited
