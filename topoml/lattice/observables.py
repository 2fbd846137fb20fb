"""What is measured on configurations of a periodic square lattice, k_B = 1.

All functions take numpy arrays or torch tensors and answer in kind, on the same device. A function
that averages over samples has a companion that gives one number for each configuration, from which
blocks and jackknife errors are formed.
"""

import math
from typing import Any

import numpy as np

from .._core.errors import InputError
from ._numbers import floating
from .model import Array, cast_like, check_field, namespace

__all__ = [
    "binder",
    "helicity_modulus",
    "helicity_terms",
    "magnetisation",
    "second_moment_correlation_length",
    "structure_factors",
]


def magnetisation(configurations: Array, *, manifold: str = "real") -> Array:
    r"""Mean spin of each configuration, :math:`m = \frac{1}{N} \sum_i s_i`.

    Args:
        configurations: Scalars (*batch, L0, L1) for "real"; angles (*batch, L0, L1) in radians for
            "circle"; vectors (*batch, L0, L1, c) for "sphere".
        manifold: "real", "circle" or "sphere".

    Returns:
        (*batch,) for "real"; (*batch, 2), mean cosine and sine, for "circle"; (*batch, c) for
        "sphere". Integers give float64, floats their own dtype.

    Example:
        >>> import numpy as np
        >>> float(magnetisation(np.array([[1, -1], [1, 1]])))
        0.5
    """
    parts = _components(configurations, manifold)
    means: list[Any] = [part.mean((-2, -1)) for part in parts]
    m: Array = means[0] if manifold == "real" else namespace(configurations).stack(means, -1)
    return m


def binder(m: Array) -> Array:
    r"""Fourth-order cumulant over the last axis, :math:`U_4 = 1 - \langle m^4 \rangle / 3 \langle
    m^2 \rangle^2`.

    For one number over chains and samples, flatten them first. 0 for a Gaussian of mean 0, 2/3 for
    m = +-1; NaN where all m are 0.

    Args:
        m: Magnetisations (*batch, samples), scalars: of vectors take the length.

    Returns:
        (*batch,).

    Source: Binder, Z. Phys. B 43, 119 (1981).

    Example:
        >>> import numpy as np
        >>> float(binder(np.array([0.5, -0.5])) * 3)
        2.0
    """
    square = floating(m) ** 2
    with np.errstate(invalid="ignore"):
        u4: Array = 1.0 - (square**2).mean(-1) / (3.0 * square.mean(-1) ** 2)
    return u4


def helicity_terms(theta: Array, J: float = 1.0) -> tuple[Array, Array]:
    r"""The two terms of the helicity modulus of each configuration, mean over both axes.

    .. math:: c = \frac{J}{N} \sum_{\langle ij \rangle_x} \cos(\theta_i - \theta_j), \qquad
              s = \frac{J^2}{N} \Big[ \sum_{\langle ij \rangle_x} \sin(\theta_i - \theta_j) \Big]^2

    so that the modulus is <c> - <s> / T.

    Args:
        theta: Angles (*batch, L0, L1), radians.
        J: Coupling.

    Returns:
        c in the unit of J and s in its square, each (*batch,).
    """
    check_field("theta", theta, " of angles")
    xp = namespace(theta)
    n_sites = theta.shape[-2] * theta.shape[-1]
    cosines, sines = [], []
    for axis in (-2, -1):
        bond = xp.roll(theta, -1, axis) - theta
        cosines.append(xp.cos(bond).sum((-2, -1), dtype=xp.float64))
        sines.append(xp.sin(bond).sum((-2, -1), dtype=xp.float64) ** 2)
    c: Array = cast_like(J * (cosines[0] + cosines[1]) / (2 * n_sites), theta)
    s: Array = cast_like(J**2 * (sines[0] + sines[1]) / (2 * n_sites), theta)
    return c, s


def helicity_modulus(theta: Array, temperature: float, J: float = 1.0) -> Array:
    r"""Spin stiffness, the answer of the free energy to a twist of the boundary.

    .. math:: \Upsilon = \frac{1}{N} \Big[ J \Big\langle \sum_x \cos \Big\rangle
              - \frac{J^2}{T} \Big\langle \Big( \sum_x \sin \Big)^2 \Big\rangle \Big]

    over the bonds of one axis, mean over both axes and over all of ``batch``. At T_BKT of an
    infinite lattice it jumps from 2 T / pi to 0.

    Args:
        theta: Angles (*batch, L0, L1), radians, all at one temperature.
        temperature: In the unit of J.
        J: Coupling.

    Returns:
        A number without axes, in the unit of J. Errors: jackknife `helicity_terms`.

    Source: Teitel & Jayaprakash, Phys. Rev. B 27, 598 (1983).
    """
    if not 0.0 < temperature < math.inf:
        raise InputError(f"`temperature` is {temperature!r}; expected a finite number above 0.")
    c, s = helicity_terms(theta, J)
    modulus: Array = c.mean() - s.mean() / temperature
    return modulus


def structure_factors(configurations: Array, *, manifold: str = "real") -> tuple[Array, Array]:
    r"""Each configuration's structure factor at k = 0 and at the smallest k.

    .. math:: S(k) = \frac{1}{N} \Big| \sum_i s_i e^{i k x_i} \Big|^2, \quad k = 0,\; 2 \pi / L,

    summed over the components of s; that at 2 pi / L is the mean over both axes.

    Args:
        configurations: As in `magnetisation`; L x L with L of at least 2.
        manifold: "real", "circle" or "sphere".

    Returns:
        S(0) and S(2 pi / L), each (*batch,).
    """
    parts = _components(configurations, manifold)
    xp = namespace(configurations)
    size = parts[0].shape[-1]
    if parts[0].shape[-2] != size or size < 2:
        raise InputError(
            f"`configurations` is on a lattice {tuple(parts[0].shape[-2:])}; expected L x L with "
            "L of at least 2, as the smallest wave vector is that of both axes."
        )
    phase = [2.0 * math.pi * x / size for x in range(size)]
    device = {} if xp is np else {"device": parts[0].device}
    wave = [
        xp.asarray([f(x) for x in phase], dtype=parts[0].dtype, **device)
        for f in (math.cos, math.sin)
    ]
    at_zero = sum(part.sum((-2, -1)) ** 2 for part in parts)
    lines = [part.sum(axis) for part in parts for axis in (-2, -1)]
    at_one = sum((line * w).sum(-1) ** 2 for line in lines for w in wave)
    s0: Array = at_zero / size**2
    s1: Array = at_one / (2 * size**2)
    return s0, s1


def second_moment_correlation_length(configurations: Array, *, manifold: str = "real") -> Array:
    r"""Correlation length over size, :math:`\xi_2 / L`, dimensionless.

    .. math:: \xi_2 = \frac{1}{2 \sin(\pi / L)} \sqrt{\frac{\langle S(0) \rangle}
              {\langle S(2 \pi / L) \rangle} - 1}

    over all of ``batch``. NaN where noise makes S(0) the smaller of the two (far above T_c).

    Args:
        configurations: As in `structure_factors`, all at one temperature.
        manifold: "real", "circle" or "sphere".

    Returns:
        A number without axes. Errors: jackknife `structure_factors`.

    Source: Cooper, Freedman & Preston, Nucl. Phys. B 210, 210 (1982).
    """
    s0, s1 = structure_factors(configurations, manifold=manifold)
    size = configurations.shape[-3 if manifold == "sphere" else -2]
    xp = namespace(configurations)
    with np.errstate(invalid="ignore", divide="ignore"):
        root = xp.sqrt(s0.mean() / s1.mean() - 1.0)
    ratio: Array = root / (2.0 * size * math.sin(math.pi / size))
    return ratio


def _components(configurations: Array, manifold: str) -> list[Any]:
    """Floating arrays (*batch, L0, L1), one for each component of the spin."""
    if manifold not in ("circle", "real", "sphere"):
        raise InputError(
            f"`manifold` is {manifold!r}; expected 'real', 'circle' or 'sphere'. Map discrete "
            "states to numbers, angles or vectors first."
        )
    check_field("configurations", configurations)
    x = floating(configurations)
    if manifold == "sphere":
        if x.ndim < 3:
            raise InputError(
                f"`configurations` has shape {tuple(x.shape)}; expected (*batch, L0, L1, c). "
                "The components of the vectors come last."
            )
        return [x[..., c] for c in range(x.shape[-1])]
    if manifold == "real":
        return [x]
    return [namespace(x).cos(x), namespace(x).sin(x)]
