"""Checks of what `simulate` and `tempering` are asked for."""

import contextlib
import math
import operator
import os
from collections.abc import Iterable
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np

from .._core.errors import InputError

__all__ = [
    "check_integer",
    "check_jobs",
    "check_samples",
    "check_sizes",
    "check_start",
    "check_temperatures",
]

_LARGEST = 2**15 - 1  # side: the kernels pack two coordinates into an int32


def check_sizes(sizes: object) -> list[int]:
    """Distinct sides of lattices."""
    sides = [check_integer("sizes", size, 1, _LARGEST) for size in _listed("sizes", sizes)]
    _check_distinct("sizes", sides)
    return sides


def check_temperatures(temperatures: object) -> list[float]:
    """Distinct finite numbers above 0."""
    ts = [_temperature(t) for t in _listed("temperatures", temperatures)]
    _check_distinct("temperatures", ts)
    return ts


def check_samples(samples: object, n_chains: object) -> int:
    """Samples a chain, of which ``samples`` are a multiple."""
    n, chains = check_integer("samples", samples, 1), check_integer("n_chains", n_chains, 1)
    per_chain, rest = divmod(n, chains)
    if rest:
        raise InputError(
            f"`samples` is {n}; expected a multiple of n_chains = {chains}. "
            f"Use samples={n - rest + chains} or another n_chains."
        )
    return per_chain


def check_jobs(n_jobs: object) -> int:
    """A number of threads; None is one a core."""
    return _cores() if n_jobs is None else check_integer("n_jobs", n_jobs, 1)


def check_start(start: object) -> None:
    """A kind of first state."""
    if start not in ("ordered", "random"):
        raise InputError(f"`start` is {start!r}; expected 'ordered' or 'random'.")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _listed(name: str, values: object) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(f"`{name}` is {values!r}; expected a list of numbers. Use [{values!r}].")
    listed = list(np.atleast_1d(values) if isinstance(values, np.ndarray) else values)
    if not listed:
        raise InputError(f"`{name}` is empty; expected at least one number.")
    return listed


def _check_distinct(name: str, values: list[Any]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise InputError(f"`{name}` lists {value!r} twice; expected distinct numbers.")


def check_integer(name: str, value: object, least: int, most: int | None = None) -> int:
    number = None
    if isinstance(value, SupportsIndex) and not isinstance(value, bool | np.bool_):
        number = operator.index(value)
    if number is None or number < least or number > (most or math.inf):
        upper = "" if most is None else f" and at most {most}"
        raise InputError(f"`{name}` is {value!r}; expected an integer of at least {least}{upper}.")
    return number


def _temperature(value: object) -> float:
    number = math.nan
    if isinstance(value, SupportsFloat) and not isinstance(value, bool | np.bool_):
        with contextlib.suppress(OverflowError, TypeError):  # of large integers, of arrays
            number = float(value)
    if not (0.0 < number < math.inf and 1.0 / number < math.inf):
        raise InputError(
            f"`temperatures` holds {value!r}; expected finite numbers above 0 whose inverse is "
            "finite, too."
        )
    return number
