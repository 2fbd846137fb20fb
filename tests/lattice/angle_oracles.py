"""Exact answers for planar spins on a few sites: quadrature, and Fourier sums on rings."""

import itertools
import math
from functools import lru_cache

import numpy as np

TURN = 2 * np.pi


def bonds(lattice, shape):
    """Pairs of sites in C order, each bond once, by the definition of the lattice."""
    if lattice == "honeycomb":
        n0, n1, _ = shape
        cells = list(itertools.product(range(n0), range(n1)))
        return [
            (2 * (i * n1 + j), 2 * (a % n0 * n1 + b % n1) + 1)
            for i, j in cells
            for a, b in ((i, j), (i - 1, j), (i, j - 1))
        ]
    steps = np.eye(len(shape), dtype=int).tolist()
    if lattice == "triangular":
        steps.append([1, 1])
    number = np.arange(math.prod(shape)).reshape(shape)
    return [
        (int(number[site]), int(number[tuple((np.add(site, step)) % shape)]))
        for site in itertools.product(*map(range, shape))
        for step in steps
    ]


def wrapped(d):
    return d - TURN * np.round(d / TURN)


def cosine(J=1.0):
    """Energy of a bond of XY."""
    return lambda d: -J * np.cos(d)


def generalized(delta, q):
    return lambda d: -delta * np.cos(d) - (1 - delta) * np.cos(q * d)


def villain_log_weight(d, K):
    """ln sum_n exp(-K (d - 2 pi n)^2 / 2), as many terms as are above exp(-40)."""
    most = math.ceil(0.5 + 1.5 / math.sqrt(K))
    n = np.arange(-most, most + 1).reshape(-1, *[1] * np.ndim(d))
    exponent = -K / 2 * (wrapped(d) - TURN * n) ** 2
    top = exponent.max(0)
    return top + np.log(np.exp(exponent - top).sum(0))


class Small:
    """All angles but the first, which is 0, on a grid: the trapezoidal rule.

    Exact up to exp(-n_angles) or so for analytic weights. ``log_weight`` is of a bond's angle,
    ``phase`` an angle for each bond that is taken off it.
    """

    def __init__(self, bonds, log_weight, n_angles, phase=None):
        self.bonds, self.n_angles = bonds, n_angles
        n_free = max(map(max, bonds))
        angles = TURN * np.arange(n_angles) / n_angles
        grid = np.meshgrid(*[angles] * n_free, indexing="ij", sparse=True)
        self.theta = [np.zeros([1] * n_free), *grid]
        self.phase = np.zeros(len(bonds)) if phase is None else phase
        self.full = [n_angles] * n_free
        exponent = self.total(log_weight)
        self.top = exponent.max()
        weight = np.exp(exponent - self.top)
        self.sum = weight.sum()
        self.weight = weight / self.sum

    def total(self, of_bond):
        """Sum over bonds of a function of their angle, on the grid."""
        ends = zip(self.bonds, self.phase, strict=True)
        terms = (of_bond(self.theta[b] - self.theta[a] - phase) for (a, b), phase in ends)
        return np.broadcast_to(sum(terms), self.full)

    @property
    def log_z(self):
        """Up to a constant."""
        return self.top + np.log(self.sum)

    def mean(self, x):
        return float((self.weight * x).sum())

    def moments(self, of_bond):
        """Mean and variance of a sum over bonds."""
        x = self.total(of_bond)
        mean = self.mean(x)
        return mean, self.mean((x - mean) ** 2)

    def cdf(self, site):
        """Distribution of theta_site - theta_0 in [-pi, pi], as a function, by its Fourier sum."""
        axes = tuple(a for a in range(self.weight.ndim) if a != site - 1)
        coefficient = np.fft.rfft(self.weight.sum(axes))[: self.n_angles // 2] / TURN
        return fourier_cdf(coefficient)


def fourier_cdf(coefficient):
    """From -pi of the density sum_m c_m exp(i m d), c_-m = conj(c_m), c_0 = 1 / 2 pi."""
    m = np.arange(1, len(coefficient))

    def cdf(d):
        d = np.asarray(d, float)
        wave = np.exp(1j * np.multiply.outer(d, m)) - np.exp(-1j * np.pi * m)
        return (d + np.pi) / TURN + 2 * np.real(wave @ (coefficient[1:] / (1j * m)))

    return cdf


@lru_cache(maxsize=64)
def xy(lattice, shape, K, n_angles):
    """`Small` of XY with coupling over temperature K."""
    return Small(bonds(lattice, shape), lambda d: K * np.cos(d), n_angles)


@lru_cache(maxsize=64)
def villain(lattice, shape, K, n_angles):
    """`Small` of the Villain model with coupling over temperature K."""
    return Small(bonds(lattice, shape), lambda d: villain_log_weight(d, K), n_angles)


def ring(length, coefficient):
    """ln Z of a ring of bonds whose weight has the Fourier coefficients, up to a constant."""
    return math.log(float((coefficient**length).sum()))


def constrained_ring_cdf(delta, length, n_terms=3000):
    """Distribution of one bond of a ring whose bonds are uniform in [-delta, delta]: its density is
    that of the sum of the other bonds, cut at delta."""
    m = np.arange(1, n_terms)
    others = (np.sin(m * delta) / (m * delta)) ** (length - 1)

    def integral(d):  # of 1 + 2 sum_m others cos(m d), from 0
        d = np.clip(np.asarray(d, float), -delta, delta)
        return d + 2 * np.sin(np.multiply.outer(d, m)) @ (others / m)

    top = integral(delta)
    return lambda d: 0.5 + 0.5 * integral(d) / top
