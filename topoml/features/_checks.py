"""Argument checks and grids that the vectorisations share."""

import math
from collections.abc import Callable, Iterable
from numbers import Integral, Real

import numpy as np
import torch
from torch import Tensor

from .._core.errors import InputError
from ..homology import Diagrams

__all__ = [
    "Weight",
    "check_bandwidth",
    "check_count",
    "check_diagrams",
    "check_positive",
    "check_power",
    "check_weight",
    "curve_grid",
    "image_grids",
]

Weight = Callable[[Tensor, Tensor], Tensor]


def check_count(name: str, value: object) -> int:
    """An integer of at least 1."""
    counts = _counts((value,), 1)
    if counts is None:
        raise InputError(f"`{name}` is {value!r}; expected an integer of at least 1.")
    return counts[0]


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
    values = _finite((bandwidth,), 1)
    if values is None or not 1e-150 < values[0] < 1e150:
        raise InputError(f"`bandwidth` is {bandwidth!r}; expected a number above 0.")
    return values[0]


def check_positive(name: str, value: object) -> float:
    """A finite number above 0."""
    values = _finite((value,), 1)
    if values is None or values[0] <= 0:
        raise InputError(f"`{name}` is {value!r}; expected a number above 0.")
    return values[0]


def check_power(power: object) -> float:
    """A finite exponent above 0."""
    values = _finite((power,), 1)
    if values is None or values[0] <= 0:
        raise InputError(f"`power` is {power!r}; expected a finite number above 0.")
    return values[0]


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
    items = tuple(values) if isinstance(values, Iterable) else ()
    valid = all(isinstance(x, Real) and not isinstance(x, bool) for x in items)
    numbers = tuple(float(x) for x in items) if valid else ()
    return numbers if len(numbers) == length and all(map(math.isfinite, numbers)) else None


def _linspace(ends: tuple[float, ...], n: int) -> Tensor | None:
    """Evenly spaced, both ends included, to the bit as gudhi's grids; None if it would repeat."""
    low, high = ends
    if low < high or (low == high and n == 1):
        return torch.from_numpy(np.linspace(low, high, n))
    return None
