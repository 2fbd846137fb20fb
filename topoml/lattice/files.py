"""Ensembles from anybody's files: what all formats share, and the choice between them."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from .._core.errors import InputError
from .arrays import Part, gathered
from .ensemble import MANIFOLDS, Ensemble

__all__ = ["Format", "Paths", "check_keys", "check_regular", "from_files", "unreadable"]

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

_NEEDED = ("configurations", "temperature")
_OPTIONAL = ("chain", "manifold")


@dataclass(frozen=True)
class Format:
    """How files of one kind are read.

    Attributes:
        what: Such as "an .npz file".
        cure: How to write one.
        declared: Path, its name in errors, and the bytes that are allowed, to the bytes that the
            arrays of the file will take; the file is checked, and no array is read.
        arrays: Path, name and the caller's manifold to the arrays by the keys of `from_arrays`.
    """

    what: str
    cure: str
    declared: Callable[[Path, str, int], int]
    arrays: Callable[[Path, str, str | None], dict[str, NDArray[Any]]]


def from_files(
    paths: Paths, of: Callable[[Path], Format], manifold: str | None, max_bytes: int
) -> Ensemble:
    """The ensemble of some files, one a size; nothing is read before all are checked."""
    files = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    for path in files:
        if not isinstance(path, str | os.PathLike):
            raise InputError(f"`paths` holds {path!r}; expected the paths of files.")
    if not files:
        raise InputError("`paths` is empty; expected at least one file.")
    names = [repr(os.fspath(path)) for path in files]
    formats = [of(Path(path)) for path in files]
    rows = list(zip(map(Path, files), names, formats, strict=True))
    budget = max_bytes
    for path, name, kind in rows:
        with unreadable(name, kind):
            check_regular(path, name, kind.what)
            n_bytes = kind.declared(path, name, budget)
            if n_bytes > budget:
                raise InputError(
                    f"{name} declares {n_bytes} bytes of arrays; expected at most {budget} more. "
                    "Raise `max_bytes` if the file is to be trusted."
                )
            budget -= n_bytes
    loaded = []
    for path, name, kind in rows:
        with unreadable(name, kind):
            loaded.append(kind.arrays(path, name, manifold))
    if manifold is None:
        manifold = _manifold(loaded, names)
    parts = [
        Part(x["configurations"], x["temperature"], x.get("chain"), where=f" of {name}")
        for x, name in zip(loaded, names, strict=True)
    ]
    return gathered(parts, manifold)


@contextmanager
def unreadable(name: str, kind: Format) -> Iterator[None]:
    """What goes wrong inside, as one line that names the file."""
    try:
        yield
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(
            f"{name} does not fit into memory; expected less data. Split it by size."
        ) from error
    except Exception as error:  # a foreign file can fail anywhere in the libraries that read it
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"{name} cannot be read ({reason}); expected {kind.what}. {kind.cure}."
        ) from error


def check_regular(path: Path, name: str, what: str) -> None:
    """A file, and no link that leads out of its folder."""
    if not path.is_file():  # a pipe would be waited for
        problem = "is not a regular file" if path.exists() else "does not exist"
        raise InputError(f"{name} {problem}; expected {what}. Check the path.")
    target = path.resolve()
    if path.is_symlink() and not target.is_relative_to(path.parent.resolve()):
        raise InputError(
            f"{name} is a link out of its folder, which is not followed; expected {what}. "
            f"Give the file itself, if it is to be trusted: {str(target)!r}."
        )


def check_keys(keys: Sequence[str], name: str, cure: str) -> None:
    """What `from_arrays` needs, perhaps what it takes besides, and nothing else."""
    missing = [key for key in _NEEDED if key not in keys]
    unknown = sorted({key for key in keys if key not in _NEEDED + _OPTIONAL})
    twice = len(set(keys)) < len(keys)
    if missing or unknown or twice:
        problem = f"no key {missing[0]!r}" if missing else "one key twice"
        problem = f"an unknown key {unknown[0]!r}" if unknown and not missing else problem
        raise InputError(
            f"{name} has {problem}; expected {' and '.join(map(repr, _NEEDED))}, and perhaps "
            f"{' and '.join(map(repr, _OPTIONAL))}. {cure}."
        )


def _manifold(loaded: list[dict[str, NDArray[Any]]], names: list[str]) -> str | None:
    """What the files say together; None if they say nothing."""
    found: dict[str, str] = {}
    for arrays, name in zip(loaded, names, strict=True):
        if "manifold" in arrays:
            value = arrays["manifold"]
            if value.shape != () or value.dtype.kind != "U":
                raise InputError(
                    f"{name} has `manifold` of shape {value.shape} and dtype {value.dtype}; "
                    "expected one string, such as 'circle'."
                )
            found[name] = str(value)
            if found[name] not in MANIFOLDS:
                raise InputError(
                    f"{name} has `manifold` {found[name]!r}; expected one of "
                    f"{', '.join(map(repr, MANIFOLDS))}. Correct it, or say manifold=..."
                )
    if len(set(found.values())) > 1:
        raise InputError(
            f"`manifold` is {' and '.join(map(repr, sorted(set(found.values()))))} in different "
            "files; expected one. Say which: manifold=..."
        )
    return next(iter(found.values()), None)
