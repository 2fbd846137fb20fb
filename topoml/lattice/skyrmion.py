"""Skyrmions: how often unit vectors on a periodic square lattice cover the sphere."""

import math
from typing import Any

import numpy as np

from .._core.errors import InputError
from ._numbers import as_integers
from .model import Array, check_field, namespace

__all__ = ["skyrmion_charge", "skyrmion_density"]


def skyrmion_density(spins: Array) -> Array:
    r"""Solid angle that the spins of every plaquette span, in units of the sphere.

    .. math:: q = \frac{1}{4 \pi} (\Omega_{123} + \Omega_{134}), \qquad
              \tan \frac{\Omega_{abc}}{2} = \frac{a \cdot (b \times c)}
              {1 + a \cdot b + b \cdot c + c \cdot a}

    of two spherical triangles: the plaquette of corners 1 = (i, j), 2 = (i + 1, j),
    3 = (i + 1, j + 1), 4 = (i, j + 1) is cut along the diagonal from (i, j) to (i + 1, j + 1). The
    other diagonal may give another charge where spins vary fast; it is that of a mirrored lattice,
    with the sign turned. Each solid angle is in [-2 pi, 2 pi]; the lengths of the vectors do not
    matter. Invariant under rotations of all spins, odd under reflections. Differentiable but where
    a triangle covers half the sphere, where the density jumps by 1.

    Args:
        spins: Vectors (*batch, L0, L1, 3), floating; not checked: that none is 0.

    Returns:
        (*batch, L0, L1) in the dtype of the spins.

    Source: Berg & Lüscher, Nucl. Phys. B 190, 412 (1981); the formula of the solid angle by
        Van Oosterom & Strackee, IEEE Trans. Biomed. Eng. BME-30, 125 (1983).
    """
    check_field("spins", spins, " of vectors, (*batch, L0, L1, 3)", n_axes=3)
    if spins.shape[-1] != 3:
        raise InputError(
            f"`spins` has shape {tuple(spins.shape)}; expected (*batch, L0, L1, 3): skyrmions are"
            " of vectors with 3 components."
        )
    roll = namespace(spins).roll
    first: Any = spins
    second, fourth = roll(first, -1, -3), roll(first, -1, -2)
    third = roll(second, -1, -2)
    angle = _solid_angle(first, second, third) + _solid_angle(first, third, fourth)
    density: Array = angle / (4.0 * math.pi)
    return density


def skyrmion_charge(spins: Array) -> Array:
    r"""How often each configuration covers the sphere: the sum of `skyrmion_density`, an integer.

    A skyrmion whose core points down in a background that points up, with its in-plane spins
    turned outward (Néel) or by a constant angle from that, has charge -1; one with the core up in
    a background down has charge 1, antiskyrmions the opposite. No gradient.

    Args:
        spins: Vectors (*batch, L0, L1, 3), floating, as in `skyrmion_density`.

    Returns:
        int64 (*batch,).

    Source: Berg & Lüscher, Nucl. Phys. B 190, 412 (1981).

    Example:
        >>> import numpy as np
        >>> x, y = np.mgrid[-3.5:4, -3.5:4]
        >>> r, phi = np.hypot(x, y), np.arctan2(y, x)
        >>> angle = np.pi * np.clip(1 - r / 4, 0, 1)  # with the axis: pi in the core, 0 outside
        >>> parts = [np.sin(angle) * np.cos(phi), np.sin(angle) * np.sin(phi), np.cos(angle)]
        >>> spins = np.stack(parts, -1)
        >>> int(skyrmion_charge(spins))
        -1
    """
    xp = namespace(spins)
    total: Any = skyrmion_density(spins).sum((-2, -1), dtype=xp.float64)
    charge: Array = as_integers(xp.round(total), "int64")
    return charge


def _solid_angle(a: Any, b: Any, c: Any) -> Any:  # noqa: ANN401
    """Of the spherical triangle of three vectors, signed, (..., 3) -> (...)."""
    xp = namespace(a)
    of_a, of_b, of_c = (xp.sqrt((v * v).sum(-1)) for v in (a, b, c))
    volume = (a * _cross(xp, b, c)).sum(-1)
    rest = of_a * of_b * of_c + _dot(a, b) * of_c + _dot(b, c) * of_a + _dot(c, a) * of_b
    return 2.0 * xp.arctan2(volume, rest)


def _cross(xp: Any, b: Any, c: Any) -> Any:  # noqa: ANN401
    return np.cross(b, c) if xp is np else xp.linalg.cross(b, c)


def _dot(a: Any, b: Any) -> Any:  # noqa: ANN401
    return (a * b).sum(-1)
