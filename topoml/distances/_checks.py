"""Argument checks that the distances share."""

import math
from collections.abc import Callable
from numbers import Integral

from torch import Tensor

from .._core.checks import number
from .._core.errors import InputError
from ..homology import Diagrams

__all__ = [
    "Weight",
    "check_bandwidth",
    "check_num_directions",
    "check_order",
    "check_two",
    "check_weight",
]

Weight = Callable[[Tensor, Tensor], Tensor]


def check_two(a: object, b: object) -> None:
    """Two Diagrams of the same homology dimensions, direction, dtype and device."""
    for name, value in (("a", a), ("b", b)):
        if not isinstance(value, Diagrams):
            raise InputError(
                f"`{name}` is {type(value).__name__}; expected topoml.homology.Diagrams."
                " Cure: the output of a persistence function, such as cubical_persistence."
            )
    assert isinstance(a, Diagrams)
    assert isinstance(b, Diagrams)
    for field, ours, theirs in (
        ("homology_dimensions", a.homology_dimensions, b.homology_dimensions),
        ("superlevel", a.superlevel, b.superlevel),
        ("dtype", a.points.dtype, b.points.dtype),
        ("device", a.points.device, b.points.device),
    ):
        if ours != theirs:
            cure = " Cure: b.to(...)." if field in ("dtype", "device") else ""
            raise InputError(f"`b` has {field} {theirs}; expected {ours}, that of `a`.{cure}")


def check_bandwidth(name: str, value: object) -> float:
    """A width whose square is a positive, finite number."""
    width = number(value)
    if 1e-150 < width < 1e150:
        return width
    raise InputError(f"`{name}` is {value!r}; expected a number above 0.")


def check_order(name: str, value: object, *, finite: bool) -> float:
    """An exponent of at least 1."""
    exponent = number(value)
    if exponent >= 1 and (exponent < math.inf or not finite):
        return exponent
    raise InputError(
        f"`{name}` is {value!r}; expected a number of at least 1{'' if finite else ', or inf'}."
    )


def check_num_directions(value: object) -> int:
    """At least 2."""
    if isinstance(value, Integral) and number(value) >= 2:
        return int(value)
    raise InputError(f"`num_directions` is {value!r}; expected an integer of at least 2.")


def check_weight(weight: Weight | None) -> Weight | None:
    """None or a callable."""
    if weight is not None and not callable(weight):
        raise InputError(
            f"`weight` is {weight!r}; expected None or a callable (birth, lifetime) -> weights."
        )
    return weight
