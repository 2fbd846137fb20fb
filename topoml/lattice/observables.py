"""What is measured on configurations of a periodic lattice, k_B = 1.

All functions take numpy arrays or torch tensors and answer in kind, on the same device. A function
that averages over samples has a companion that gives one number for each configuration, from which
blocks and jackknife errors are formed.
"""

import math
from typing import Any

import numpy as np

from .._core.errors import InputError
from ._numbers import floating
from .geometry import check_lattice, lattice_of, longest_waves, n_axes, shape_of
from .model import Array, check_field, namespace
from .xy import XY

__all__ = [
    "binder",
    "helicity_modulus",
    "helicity_terms",
    "magnetisation",
    "second_moment_correlation_length",
    "structure_factors",
    "wave_number",
]


def magnetisation(
    configurations: Array, *, manifold: str = "real", lattice: str = "square"
) -> Array:
    r"""Mean spin of each configuration, :math:`m = \frac{1}{N} \sum_i s_i`.

    Args:
        configurations: Scalars (*batch, *shape) for "real"; angles (*batch, *shape) in radians for
            "circle"; vectors (*batch, *shape, c) for "sphere".
        manifold: "real", "circle" or "sphere".
        lattice: "chain", "square", "cubic", "hypercubic", "triangular" or "honeycomb", which says
            how many axes the shape has: (L0, L1) on the square lattice.

    Returns:
        (*batch,) for "real"; (*batch, 2), mean cosine and sine, for "circle"; (*batch, c) for
        "sphere". Integers give float64, floats their own dtype.

    Example:
        >>> import numpy as np
        >>> float(magnetisation(np.array([[1, -1], [1, 1]])))
        0.5
    """
    parts = _components(configurations, manifold, lattice)
    sites = tuple(range(-n_axes(lattice), 0))
    means: list[Any] = [part.mean(sites) for part in parts]
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


def helicity_terms(theta: Array, J: float = 1.0, *, lattice: str = "square") -> tuple[Array, Array]:
    r"""The two terms of the helicity modulus of each configuration of `XY`, mean over the axes.

    .. math:: c = \frac{J}{N} \sum_{\langle ij \rangle_x} \cos(\theta_i - \theta_j), \qquad
              s = \frac{J^2}{N} \Big[ \sum_{\langle ij \rangle_x} \sin(\theta_i - \theta_j) \Big]^2

    so that the modulus is <c> - <s> / T. Of other laws: ``helicity_terms`` of `Villain`,
    `GeneralizedXY` and `FullyFrustratedXY`.

    Args:
        theta: Angles (*batch, *shape), radians.
        J: Coupling.
        lattice: As for `XY`.

    Returns:
        c in the unit of J and s in its square, each (*batch,).
    """
    check_lattice(lattice)
    check_field("theta", theta, " of angles", n_axes=n_axes(lattice))
    c, s = XY(1.0, lattice).helicity_terms(theta)
    return J * c, J**2 * s


def helicity_modulus(
    theta: Array, temperature: float, J: float = 1.0, *, lattice: str = "square"
) -> Array:
    r"""Spin stiffness, the answer of the free energy to a twist of the boundary.

    .. math:: \Upsilon = \frac{1}{N} \Big[ J \Big\langle \sum_x \cos \Big\rangle
              - \frac{J^2}{T} \Big\langle \Big( \sum_x \sin \Big)^2 \Big\rangle \Big]

    over the bonds of one axis, mean over the axes and over all of ``batch``. At T_BKT of an
    infinite planar lattice it jumps from 2 T / pi to 0.

    Args:
        theta: Angles (*batch, *shape), radians, all at one temperature.
        temperature: In the unit of J.
        J: Coupling.
        lattice: As for `XY`; the modulus is that of an area, with bonds of length 1.

    Returns:
        A number without axes, in the unit of J. Errors: jackknife `helicity_terms`.

    Source: Teitel & Jayaprakash, Phys. Rev. B 27, 598 (1983).
    """
    if not 0.0 < temperature < math.inf:
        raise InputError(f"`temperature` is {temperature!r}; expected a finite number above 0.")
    c, s = helicity_terms(theta, J, lattice=lattice)
    modulus: Array = c.mean() - s.mean() / temperature
    return modulus


def structure_factors(
    configurations: Array, *, manifold: str = "real", lattice: str = "square"
) -> tuple[Array, Array]:
    r"""Each configuration's structure factor at k = 0 and at the smallest k.

    .. math:: S(k) = \frac{1}{N} \Big| \sum_i s_i e^{i k x_i} \Big|^2

    summed over the components of s. The smallest k are those of the longest waves that fit, along
    the axes, :math:`k = 2 \pi / L`, or in the three directions of the triangular and honeycomb
    lattices; S is the mean over them.

    Args:
        configurations: As in `magnetisation`, all sides L of at least 2.
        manifold: "real", "circle" or "sphere".
        lattice: As in `magnetisation`.

    Returns:
        S(0) and S(2 pi / L), each (*batch,).
    """
    parts = _components(configurations, manifold, lattice)
    xp, n = namespace(configurations), n_axes(lattice)
    size, sides = parts[0].shape[-n], tuple(parts[0].shape[-n:])
    if sides != shape_of(lattice, size) or size < 2:
        expected = " x ".join("2" if side == 2 else "L" for side in shape_of(lattice, 3))
        raise InputError(
            f"`configurations` is on a lattice {sides}; expected {expected} with L of at least 2,"
            " as the smallest wave vector is that of all axes."
        )
    device = {} if xp is np else {"device": parts[0].device}
    waves = []
    for steps in longest_waves(lattice):
        along = tuple(axis for axis in range(n) if steps[axis])
        places = np.indices([sides[axis] for axis in along])
        turns = sum(steps[axis] * x for axis, x in zip(along, places, strict=True))
        angle = 2.0 * math.pi * turns / size
        pair = [xp.asarray(f(angle), dtype=parts[0].dtype, **device) for f in (np.cos, np.sin)]
        waves.append(([a - n for a in range(n) if a not in along], len(along), pair))
    sites = math.prod(sides)
    at_zero = sum(part.sum(tuple(range(-n, 0))) ** 2 for part in parts)
    at_one: Any = 0.0
    for part in parts:
        for across, n_along, pair in waves:
            line = part.sum(tuple(across)) if across else part
            for wave in pair:
                at_one = at_one + (line * wave).sum(tuple(range(-n_along, 0))) ** 2
    s0: Array = at_zero / sites
    s1: Array = at_one / (len(waves) * sites)
    return s0, s1


def second_moment_correlation_length(
    configurations: Array, *, manifold: str = "real", lattice: str = "square"
) -> Array:
    r"""Correlation length over size, :math:`\xi_2 / L`, dimensionless.

    .. math:: \xi_2 = \frac{1}{2 \sin(\pi / L)} \sqrt{\frac{\langle S(0) \rangle}
              {\langle S(2 \pi / L) \rangle} - 1}

    over all of ``batch``; on the triangular and honeycomb lattices, whose k is longer, with
    :math:`4 / \sqrt 3` in the place of 2, and L the length of a side. NaN where noise makes S(0)
    the smaller of the two (far above T_c).

    Args:
        configurations: As in `structure_factors`, all at one temperature.
        manifold: "real", "circle" or "sphere".
        lattice: As in `magnetisation`.

    Returns:
        A number without axes. Errors: jackknife `structure_factors`.

    Source: Cooper, Freedman & Preston, Nucl. Phys. B 210, 210 (1982).
    """
    s0, s1 = structure_factors(configurations, manifold=manifold, lattice=lattice)
    size = configurations.shape[-n_axes(lattice) - (manifold == "sphere")]
    xp = namespace(configurations)
    with np.errstate(invalid="ignore", divide="ignore"):
        root = xp.sqrt(s0.mean() / s1.mean() - 1.0)
    ratio: Array = root / (size * wave_number(size, lattice))
    return ratio


def wave_number(size: int, lattice: str = "square") -> float:
    r"""The smallest k in the unit of the inverse side of a cell, as the Laplacian of cells has it.

    :math:`2 \sin(\pi / L)`, on the triangular and honeycomb lattices
    :math:`(4 / \sqrt 3) \sin(\pi / L)`.
    """
    factor = 4.0 / math.sqrt(3.0) if lattice in ("triangular", "honeycomb") else 2.0
    return factor * math.sin(math.pi / size)


def _components(configurations: Array, manifold: str, lattice: str) -> list[Any]:
    """Floating arrays (*batch, *shape), one for each component of the spin."""
    if manifold not in ("circle", "real", "sphere"):
        raise InputError(
            f"`manifold` is {manifold!r}; expected 'real', 'circle' or 'sphere'. Map discrete "
            "states to numbers, angles or vectors first."
        )
    check_lattice(lattice)
    n = n_axes(lattice)
    check_field("configurations", configurations, n_axes=n)
    x = floating(configurations)
    end = x.ndim - (manifold == "sphere")
    if end >= n:
        lattice_of(lattice, tuple(x.shape[end - n : end]))  # (..., 2) on the honeycomb
    if manifold == "sphere":
        if x.ndim < n + 1:
            sides = ", ".join(f"L{axis}" for axis in range(n))
            raise InputError(
                f"`configurations` has shape {tuple(x.shape)}; expected (*batch, {sides}, c). "
                "The components of the vectors come last."
            )
        return [x[..., c] for c in range(x.shape[-1])]
    if manifold == "real":
        return [x]
    return [namespace(x).cos(x), namespace(x).sin(x)]
