"""Ensembles from .npz files, without trusting them."""

import io
import math
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from .arrays import Part, gathered
from .ensemble import MANIFOLDS, Ensemble

__all__ = ["load_npz"]

_FORMAT: Any = np.lib.format  # which numpy leaves untyped
_NEEDED = ("configurations", "temperature")
_OPTIONAL = ("chain", "manifold")
_HEADER = 1 << 16  # bytes read to find an array's header, which numpy limits to 10 000
_CURE = "Write it with numpy.savez(path, configurations=..., temperature=...)"


class _Header(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    n_bytes: int


def load_npz(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    manifold: str | None = None,
    max_bytes: int = 8 << 30,
) -> Ensemble:
    """An ensemble from one .npz file a size, with the keys of `from_arrays`.

    Keys: ``configurations``, ``temperature``, optional ``manifold`` (a string) and ``chain``.
    Nothing is ever unpickled, and nothing is allocated before the sizes declared by the zip
    directory and by the arrays' own headers agree and are together at most ``max_bytes``.

    Args:
        paths: One path or several; two files of one size are refused.
        manifold: Overrides what the files say, or the guess.
        max_bytes: The largest total size of the arrays, uncompressed.

    Raises:
        InputError: One line that names the file: missing, unreadable, not a zip file, truncated,
            corrupt, too large, with object arrays, missing or unknown keys, or refused by
            `from_arrays`.
    """
    files = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    for path in files:
        if not isinstance(path, str | os.PathLike):
            raise InputError(f"`paths` holds {path!r}; expected the paths of .npz files.")
    if not files:
        raise InputError("`paths` is empty; expected at least one .npz file.")
    names = [repr(os.fspath(path)) for path in files]
    budget = max_bytes
    for path, name in zip(files, names, strict=True):
        budget -= sum(header.n_bytes for header in _headers(Path(path), name, budget).values())
    loaded = [_arrays(Path(path), name) for path, name in zip(files, names, strict=True)]
    if manifold is None:
        manifold = _manifold(loaded, names)
    parts = [
        Part(x["configurations"], x["temperature"], x.get("chain"), where=f" of {name}")
        for x, name in zip(loaded, names, strict=True)
    ]
    return gathered(parts, manifold)


def _headers(path: Path, name: str, budget: int) -> dict[str, _Header]:
    """Shape, dtype and size of each array in the file, checked, before any of them is read."""
    try:
        if not path.is_file():  # a pipe would be waited for
            what = "is not a regular file" if path.exists() else "does not exist"
            raise InputError(f"{name} {what}; expected an .npz file. Check the path.")
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_keys([member.filename for member in members], name)
            declared = sum(member.file_size for member in members)
            if declared > budget:
                raise InputError(
                    f"{name} declares {declared} bytes of arrays; expected at most {budget} more. "
                    "Raise `max_bytes` if the file is to be trusted."
                )
            return {m.filename.removesuffix(".npy"): _header(archive, m, name) for m in members}
    except InputError:
        raise
    except Exception as error:  # a foreign file can fail anywhere in zipfile, zlib and the header
        raise _unreadable(name, error) from error


def _check_keys(filenames: list[str], name: str) -> None:
    keys = [filename.removesuffix(".npy") for filename in filenames]
    missing = [key for key in _NEEDED if key not in keys]
    unknown = sorted({key for key in keys if key not in _NEEDED + _OPTIONAL})
    twice = len(set(keys)) < len(keys)
    if missing or unknown or twice:
        problem = f"no key {missing[0]!r}" if missing else "one key twice"
        problem = f"an unknown key {unknown[0]!r}" if unknown and not missing else problem
        raise InputError(
            f"{name} has {problem}; expected {' and '.join(map(repr, _NEEDED))}, and perhaps "
            f"{' and '.join(map(repr, _OPTIONAL))}. {_CURE}."
        )


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> _Header:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # numpy writes no others, and Python inflates them without a limit
        raise ValueError(f"compression method {member.compress_type}")
    with archive.open(member) as stream:
        start = io.BytesIO(stream.read(_HEADER))
    version = _FORMAT.read_magic(start)
    if version == (1, 0):
        shape, _, dtype = _FORMAT.read_array_header_1_0(start)
    elif version == (2, 0):
        shape, _, dtype = _FORMAT.read_array_header_2_0(start)
    else:
        raise ValueError(f"npy format {version}")
    if dtype.hasobject:
        raise InputError(
            f"{name} holds {member.filename!r} of Python objects, which are never unpickled; "
            f"expected numbers. {_CURE} of numeric arrays."
        )
    n_bytes = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or start.tell() + n_bytes != member.file_size:
        raise InputError(
            f"{name} holds {member.filename!r} whose header promises shape {shape} of {dtype} in "
            f"{member.file_size} bytes; expected the two to agree. The file is damaged: {_CURE}."
        )
    return _Header(shape, dtype, member.file_size)


def _arrays(path: Path, name: str) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except MemoryError as error:
        raise InputError(
            f"{name} does not fit into memory; expected less data. Split it by size."
        ) from error
    except Exception as error:  # as above
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return InputError(f"{name} cannot be read ({reason}); expected an .npz file. {_CURE}.")


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
