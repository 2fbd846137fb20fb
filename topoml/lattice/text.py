"""Ensembles from plain text."""

import itertools
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from .ensemble import Ensemble
from .files import Format, Paths, from_files

__all__ = ["TEXT", "load_text"]

_KEY = re.compile(r"#\s*(manifold|shape|columns)\s*:\s*(.*)")
_LEAST = 2  # characters of a number with what parts it from the next
_CURE = "Write a row a configuration: its temperature, then its spins in C order"


def load_text(paths: Paths, *, manifold: str | None = None, max_bytes: int = 8 << 30) -> Ensemble:
    """An ensemble from one text file a size: rows of a temperature and the L * L spins, in C order.

    Numbers are parted by blanks or commas; lines that begin with ``#`` are comments. Before the
    first row they may say ``# manifold: circle``, ``# shape: 16 16 3`` (where it is not L L) and
    ``# columns: temperature chain``, if a chain's number follows the temperature. Whole numbers
    throughout are integers, except on the circle and the sphere.

    Args:
        paths: One path or several; two files of one size are refused.
        manifold: Overrides what the files say, or the guess.
        max_bytes: The largest total size of the arrays, by the most numbers that files of their
            length can hold, at 8 bytes each.

    Raises:
        InputError: One line that names the file: missing, a link out of its folder, too large,
            not text, rows that are no numbers or of unequal length, or refused by `from_arrays`.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "spins.txt")
        ...     _ = path.write_text("2.5  1 -1 1 1\\n2.5  1 1 1 -1\\n3.0  -1 -1 1 -1\\n")
        ...     load_text(path).configurations(size=2, temperature=3.0)
        array([[[[-1, -1],
                 [ 1, -1]]]])
    """
    return from_files(paths, lambda _: TEXT, manifold, max_bytes)


def _declared(path: Path, name: str, budget: int) -> int:
    del name, budget
    return path.stat().st_size // _LEAST * 8


def _arrays(path: Path, name: str, manifold: str | None) -> dict[str, NDArray[Any]]:
    with path.open(encoding="utf-8-sig") as file:
        about, first = _header(file)
        delimiter = "," if "," in first else None
        lines: Iterator[str] = itertools.chain([first], file)
        table = np.loadtxt(lines, np.float64, comments="#", delimiter=delimiter, ndmin=2)
    columns = about.get("columns", "temperature").replace(",", " ").split()
    if columns not in (["temperature"], ["temperature", "chain"]):
        raise InputError(
            f"{name} has columns {' '.join(columns)!r} before the spins; expected 'temperature' or "
            "'temperature chain'. Correct the line # columns: ..."
        )
    spins = table[:, len(columns) :]
    arrays = {"temperature": table[:, 0]}
    if "chain" in columns:
        arrays["chain"] = _whole(table[:, 1])
    if "manifold" in about:
        arrays["manifold"] = np.asarray(about["manifold"])
    spins = spins.reshape(len(spins), *_shape(about.get("shape"), spins.shape[1], name))
    continuous = (manifold or about.get("manifold")) in ("circle", "sphere")
    arrays["configurations"] = spins if continuous else _whole(spins)
    return arrays


def _header(file: TextIO) -> tuple[dict[str, str], str]:
    """What the comments before the first row say, and that row."""
    about = {}
    for line in file:
        if found := _KEY.match(line.strip()):
            about[found[1]] = found[2].strip()
        elif line.strip() and not line.startswith("#"):
            return about, line
    raise ValueError("no rows")


def _shape(text: str | None, n: int, name: str) -> tuple[int, ...]:
    if text is None:
        shape: tuple[int, ...] = (math.isqrt(n),) * 2
    else:
        shape = tuple(int(side) for side in text.replace(",", " ").split())
    if math.prod(shape) != n or n == 0:
        raise InputError(
            f"{name} has rows of {n} spins; expected {math.prod(shape)}, the shape {shape}. "
            "Mend the rows, or say the shape: # shape: L L [components]."
        )
    return shape


def _whole(numbers: NDArray[np.float64]) -> NDArray[Any]:
    """Integers if all are."""
    with np.errstate(invalid="ignore"):
        integers = numbers.astype(np.int64)
    return integers if (integers == numbers).all() else numbers


TEXT = Format("a text file", _CURE, _declared, _arrays)
