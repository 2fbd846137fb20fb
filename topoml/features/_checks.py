"""Argument checks and grids that the vectorisations share."""

import math
from collections.abc import Callable, Iterable
from numbers import Integral

import numpy as np
import torch
from torch import Tensor

from .._core.checks import check_count, number
from .._core.errors import InputError
from ..homology import Diagrams

__all__ = [
    "Weight",
    "check_bandwidth",
    "check_diagrams",
    "check_power",
    "check_weight",
    "curve_grid",
    "image_grids",
]

Weight = Callable[[Tensor, Tensor], Tensor]


def check_diagrams(diagrams: object) -> Diagrams:
    """What a persistence function returns."""
    if not isinstance(diagrams, Diagrams):
        raise InputError(
            f"`diagrams` is {type(diagrams).__name__}; expected topoml.homology.Diagrams."
            " Cure: the output of a persistence function, such as cubical_persistence."
        )
    return diagrams


def check_bandwidth(bandwidth: object) -> float:
    """A width whose square is a positive, finite number."""
    if not 1e-150 < number(bandwidth) < 1e150:
        raise InputError(f"`bandwidth` is {bandwidth!r}; expected a number above 0.")
    return number(bandwidth)


def check_power(power: object) -> float:
    """A finite exponent above 0."""
    if not 0 < number(power) < math.inf:
        raise InputError(f"`power` is {power!r}; expected a finite number above 0.")
    return number(power)


def check_weight(weight: Weight | None) -> Weight | None:
    """None or a callable."""
    if weight is not None and not callable(weight):
        raise InputError(
            f"`weight` is {weight!r}; expected None or a callable (birth, lifetime) -> weights."
        )
    return weight


def image_grids(resolution: object, im_range: object) -> tuple[Tensor, Tensor]:
    """Births and lifetimes of the pixels, (n_birth,) and (n_life,), float64."""
    counts = _counts(resolution, 2)
    if counts is None:
        raise InputError(
            f"`resolution` is {resolution!r}; expected two integers of at least 1,"
            " (n_birth, n_life)."
        )
    ends = _finite(im_range, 4)
    if ends is None:
        raise InputError(
            f"`im_range` is {im_range!r}; expected four finite numbers,"
            " (birth_min, birth_max, life_min, life_max)."
        )
    birth = _linspace(ends[:2], counts[0])
    life = _linspace(ends[2:], counts[1])
    if birth is None or life is None:
        raise InputError(
            f"`im_range` is {im_range!r}; expected birth_min < birth_max and life_min < life_max"
            " (equal ones only at a resolution of 1)."
        )
    return birth, life


def curve_grid(resolution: object, sample_range: object) -> Tensor:
    """Thresholds of a curve, (resolution,), float64."""
    count = check_count("resolution", resolution)
    ends = _finite(sample_range, 2)
    grid = None if ends is None else _linspace(ends, count)
    if grid is None:
        raise InputError(
            f"`sample_range` is {sample_range!r}; expected two finite numbers, (min, max) with"
            " min < max (equal ones only at a resolution of 1)."
        )
    return grid


def _counts(values: object, length: int) -> tuple[int, ...] | None:
    """So many integers of at least 1, or None."""
    items = tuple(values) if isinstance(values, Iterable) else ()
    valid = all(isinstance(n, Integral) and not isinstance(n, bool) for n in items)
    counts = tuple(int(n) for n in items) if valid else ()
    return counts if len(counts) == length and min(counts) >= 1 else None


def _finite(values: object, length: int) -> tuple[float, ...] | None:
    """So many finite real numbers, or None."""
    numbers = tuple(map(number, values)) if isinstance(values, Iterable) else ()
    return numbers if len(numbers) == length and all(map(math.isfinite, numbers)) else None


def _linspace(ends: tuple[float, ...], n: int) -> Tensor | None:
    """Evenly spaced, both ends included, to the bit as gudhi's grids; None if it would repeat."""
    low, high = ends
    if low < high or (low == high and n == 1):
        return torch.from_numpy(np.linspace(low, high, n))
    return None
