"""Argument checks that every package shares."""

import math
import os
from numbers import Integral, Real
from pathlib import Path

from .errors import InputError

__all__ = ["check_count", "check_path", "check_positive", "number"]


def check_count(name: str, value: object, least: int = 1) -> int:
    """An integer of at least ``least``."""
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least:
        return int(value)
    raise InputError(f"`{name}` is {value!r}; expected an integer of at least {least}.")


def check_path(name: str, value: object) -> Path:
    """A path, as a string or as what stands for one."""
    if isinstance(value, str | os.PathLike):
        text = os.fspath(value)
        if isinstance(text, str) and text and "\0" not in text:
            return Path(text)
    raise InputError(f"`{name}` is {value!r}; expected the path of a folder, such as 'runs/xy'.")


def check_positive(name: str, value: object) -> float:
    """A finite number above 0."""
    if 0 < number(value) < math.inf:
        return number(value)
    raise InputError(f"`{name}` is {value!r}; expected a number above 0.")


def number(value: object) -> float:
    """A real number, or NaN, which no range holds."""
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
