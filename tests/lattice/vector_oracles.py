"""Exact answers for unit vectors on rings and for arrows on small tori, from the definitions."""

import itertools

import numpy as np
from numpy.polynomial import legendre
from scipy.special import eval_legendre

C, C_WEIGHT = legendre.leggauss(200)
DEGREES = np.arange(80)[:, None]


def series(f, beta, multiplicity):
    """Legendre coefficients of exp(m beta f(c)), and their first and second derivatives in beta.

    (3, degrees): 1/2 times the integral of (m f)^k exp(m beta f) P_l; divided by exp(m beta max f).
    """
    exponent = multiplicity * f(C)
    w = 0.5 * C_WEIGHT * np.exp(beta * (exponent - exponent.max()))
    p = eval_legendre(DEGREES, C)
    return np.stack([p @ (w * (exponent - exponent.max()) ** k) for k in range(3)])


def ring(f, temperature, multiplicities):
    """Mean and variance of the energy -sum f(s.s') around a ring, and the density of a bond's s.s'.

    ``multiplicities`` lists how many bonds join each two neighbours; the density is that of the
    first pair. Z is the sum over l of (2 l + 1) times the product of the coefficients, by the
    addition theorem.
    """
    beta = 1.0 / temperature
    parts = [series(f, beta, m) for m in multiplicities]
    value, first, second = parts[0]
    for a, b, c in parts[1:]:
        value, first, second = (
            value * a,
            first * a + value * b,
            second * a + 2 * first * b + value * c,
        )
    degeneracy = 2 * DEGREES[:, 0] + 1
    z, dz, ddz = (degeneracy @ x for x in (value, first, second))
    shift = sum(multiplicities) * f(C).max()
    rest = np.prod([part[0] for part in parts[1:]], axis=0)

    def density(c):
        exponent = beta * multiplicities[0] * (f(c) - f(C).max())
        return 0.5 * np.exp(exponent) * ((degeneracy * rest) @ eval_legendre(DEGREES, c)) / z

    return -dz / z - shift, ddz / z - (dz / z) ** 2, density


def distribution(density):
    """The cumulative distribution of a density on [-1, 1]."""
    grid = np.linspace(-1.0, 1.0, 4001)
    y = density(grid)
    steps = np.diff(grid) * (y[1:] + y[:-1]) / 2
    total = np.concatenate([[0.0], np.cumsum(steps)])
    assert abs(total[-1] - 1.0) < 1e-5
    return lambda c: np.interp(c, grid, total / total[-1])


def sphere(n_cosines=12, n_angles=24):
    """Points (n, 3) and weights (n,) of a rule for means over the sphere: Gauss x trapezium."""
    z, w = legendre.leggauss(n_cosines)
    phi = 2 * np.pi * np.arange(n_angles) / n_angles
    rho = np.sqrt(1 - z**2)
    points = np.stack(
        [np.outer(rho, np.cos(phi)), np.outer(rho, np.sin(phi)), np.outer(z, np.ones(n_angles))], -1
    )
    return points.reshape(-1, 3), np.repeat(w / 2, n_angles) / n_angles


def ring_by_quadrature(bond, site, temperature, n):
    """Mean and variance of the energy on a ring of n sites, and the mean of s_i.s_j of neighbours.

    ``bond(s, s')`` and ``site(s)`` are energies, of arrays (..., 3). Traces of powers of the
    transfer matrix on the points of a rule for the sphere.
    """
    s, w = sphere()
    half = site(s) / 2
    energy = bond(s[:, None], s[None]) + half[:, None] + half
    low = energy.min()
    k = np.exp(-(energy - low) / temperature) * np.sqrt(np.outer(w, w))
    e = energy * k
    power = [np.eye(len(w))]
    for _ in range(n):
        power.append(power[-1] @ k)
    z = np.trace(power[n])
    rest = power[n - 1].T
    mean = n * (e * rest).sum() / z
    square = n * (energy * e * rest).sum() / z
    square += n * sum(
        ((e @ power[m]) * (e @ power[n - 2 - m]).T).sum() for m in range(n - 1)
    ) / z  # fmt: skip
    product = (s @ s.T * k * rest).sum() / z
    return mean, square - mean**2, product


def log_z_of_a_cube(k, n_cosines=14, n_angles=20):
    """Of Heisenberg spins at the corners of a cube, each edge of weight exp(k s.s').

    Each corner of one colour is integrated out, sinh(k h) / (k h) with h the length of the sum of
    its three neighbours; the four of the other colour by a rule for the sphere, the first along z
    and the second in the plane of x and z.
    """
    z, w = legendre.leggauss(n_cosines)
    s, weight = sphere(n_cosines, n_angles)
    first = np.array([0.0, 0.0, 1.0])
    second = np.stack([np.sqrt(1 - z**2), 0 * z, z], -1)[:, None, None]
    third, fourth = s[:, None], s[None]

    def corner(*three):
        h = k * np.sqrt(np.maximum(((sum(three)) ** 2).sum(-1), 1e-30))
        return np.sinh(h) / h

    value = corner(first, second, third) * corner(first, second, fourth)
    value = value * corner(first, third, fourth) * corner(second, third, fourth)
    return float(np.log((value * (w / 2)[:, None, None] * weight[:, None] * weight).sum()))


def ice(shape):
    """All arrows (states, 2, L0, L1) on a torus that obey the ice rule: vertex by vertex."""
    n0, n1 = shape
    states = np.array(list(itertools.product((-1, 1), repeat=2 * n0 * n1)), np.int8)
    x = states.reshape(-1, 2, n0, n1)
    good = np.ones(len(x), bool)
    for i, j in itertools.product(range(n0), range(n1)):
        incoming = x[:, 0, i - 1, j].astype(int) + x[:, 1, i, j - 1]
        good &= incoming == x[:, 0, i, j].astype(int) + x[:, 1, i, j]
    return x[good]


def vertices(x):
    """Numbers of vertices of types (1, 2), (3, 4), (5, 6) of arrows (states, 2, L0, L1)."""
    n0, n1 = x.shape[2:]
    count = np.zeros((len(x), 3), int)
    for i, j in itertools.product(range(n0), range(n1)):
        left, right = x[:, 0, i - 1, j], x[:, 0, i, j]
        below, above = x[:, 1, i, j - 1], x[:, 1, i, j]
        for k, kind in enumerate(
            [
                (left == right) & (below == above) & (left == below),
                (left == right) & (below == above) & (left != below),
                (left != right) & (below != above),
            ]
        ):
            count[:, k] += kind
    return count


def transfer(size, a, b, c):
    """The row-to-row matrix (2^size, 2^size) of the six-vertex model of weights a, b, c, periodic.

    Rows of vertical arrows, before and after; a product of 2 x 2 matrices over the horizontal ones.
    """
    bits = np.arange(2**size)[:, None] >> np.arange(size) & 1
    product = np.broadcast_to(np.eye(2), (2**size, 2**size, 2, 2))
    for j in range(size):
        below, above = bits[:, None, j], bits[None, :, j]
        step = np.zeros((2**size, 2**size, 2, 2))
        for left, right in itertools.product((0, 1), repeat=2):
            allowed = left + below == right + above
            same = left == right
            weight = np.where(left == below, a, b) if same else np.full(np.shape(allowed), c)
            step[..., left, right] = allowed * weight
        product = product @ step
    return np.trace(product, axis1=-2, axis2=-1)


def log_z(shape, a, b, c):
    """Of the six-vertex model on L0 x L1 sites, L1 rows; eigenvalues may be complex."""
    values = np.linalg.eigvals(transfer(shape[0], a, b, c))
    largest = np.abs(values).max()
    return float(shape[1] * np.log(largest) + np.log(((values / largest) ** shape[1]).sum().real))
