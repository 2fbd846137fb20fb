"""Arithmetic on numpy arrays and torch tensors alike."""

import math
from typing import Any

import numpy as np

from .model import namespace

__all__ = ["as_integers", "floating", "wrapped"]


def floating(x: Any) -> Any:  # noqa: ANN401
    """Integers as float64, floats as they are."""
    if namespace(x) is np:
        return x if x.dtype.kind == "f" else x.astype(np.float64)
    return x if x.is_floating_point() else x.double()


def wrapped(angle: Any) -> Any:  # noqa: ANN401
    """Into [-pi, pi]; odd: the wrap of -x is minus that of x."""
    return angle - 2.0 * math.pi * namespace(angle).round(angle / (2.0 * math.pi))


def as_integers(x: Any, name: str) -> Any:  # noqa: ANN401
    """Whole numbers held as floats, in the integer type of that name."""
    xp = namespace(x)
    return x.astype(name) if xp is np else x.to(getattr(xp, name))
