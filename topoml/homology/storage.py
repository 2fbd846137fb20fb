"""Diagrams in a file: an .npz of numbers with a version, written whole or not at all."""

import io
import math
import os
import secrets
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._core.errors import InputError
from .diagrams import Diagrams

__all__ = ["load", "save"]

Array = NDArray[Any]

_FORMAT: Any = np.lib.format  # which numpy leaves untyped
_VERSION = 1
_MAGIC = "topoml_diagrams"  # the key that makes a file ours; its value is the version
_DTYPES = {
    "float16": (torch.float16, np.dtype("<f2")),
    "bfloat16": (torch.bfloat16, np.dtype("<u2")),  # its bits
    "float32": (torch.float32, np.dtype("<f4")),
    "float64": (torch.float64, np.dtype("<f8")),
}
_ROWS = ("dimension", "sample", "birth_index", "death_index")
_ESSENTIAL_ROWS = ("essential_dimension", "essential_sample", "essential_index")
_SHAPED = ("batch_shape", "homology_dimensions")
_CURE = "Write it with Diagrams.save(path)"


def save(diagrams: Diagrams, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write diagrams to a file that `load` gives back bit for bit, without the autograd graph.

    An uncompressed .npz of plain numbers, readable by ``numpy.load`` without pickle: the fields of
    `Diagrams`, ``dtype`` (a name; bfloat16 is kept as its bits, uint16) and ``topoml_diagrams``,
    the version of the format. It is written beside its place, flushed to disk and renamed, so
    that ``path`` holds the old file or the whole new one. A tensor on another device is copied
    through the CPU.

    Args:
        diagrams: Of any batch shape.
        path: The file, with the suffix you like (.npz says what it is).
        overwrite: Replace a file that exists, whatever it is.

    Raises:
        InputError: ``path`` exists and ``overwrite`` is False, or cannot be written; a dtype other
            than float16, bfloat16, float32, float64; fields that do not fit each other.

    Example:
        >>> import tempfile, torch
        >>> from topoml.homology import cubical_persistence, load, save
        >>> d = cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(d, f"{folder}/d.npz")
        ...     load(f"{folder}/d.npz").points
        tensor([[1., 3.]])
    """
    if not isinstance(diagrams, Diagrams):
        raise InputError(f"`diagrams` is {type(diagrams).__name__}; expected Diagrams.")
    name = str(diagrams.points.dtype).removeprefix("torch.")
    if name not in _DTYPES or diagrams.essential.dtype != diagrams.points.dtype:
        raise InputError(
            f"`diagrams` has dtype {name} (essential: {diagrams.essential.dtype}); expected one of"
            f" {', '.join(_DTYPES)}. Cure: diagrams.to(torch.float64)."
        )
    arrays = {_MAGIC: np.int64(_VERSION), "dtype": np.str_(name)} | _fields(diagrams)
    problem = _mismatch(arrays)
    if problem:
        raise InputError(f"`diagrams` has {problem}.")
    _write(path, arrays, overwrite)


def load(path: str | os.PathLike[str]) -> Diagrams:
    """The diagrams that `save` wrote, on the CPU, in their dtype.

    Nothing is unpickled, and every size is checked against the file's own before it is used.

    Raises:
        InputError: One line that names the file: missing, truncated, damaged, foreign, with
            pickled objects, of a newer version, or with fields that do not fit each other.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"`path` is {path!r}; expected the path of a file of diagrams.")
    name = repr(os.fspath(path))
    if not Path(path).is_file():  # a pipe would be waited for
        what = "is not a regular file" if Path(path).exists() else "does not exist"
        raise InputError(f"`path` is {name}, which {what}; expected a file. Cure: check the path.")
    try:
        arrays = _read(Path(path))
        problem = _mismatch(arrays)
    except InputError as error:
        raise InputError(f"`path` is {name}, which {error}") from None
    except MemoryError:
        raise InputError(
            f"`path` is {name}, which does not fit into memory; expected less data."
            " Cure: save the batch in parts."
        ) from None
    except Exception as error:  # a foreign file can fail anywhere in zipfile and the header
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"`path` is {name}, which cannot be read ({reason}); expected a whole file of"
            f" diagrams. {_CURE}."
        ) from error
    if problem:
        raise InputError(
            f"`path` is {name}, which has {problem}. The file is damaged: {_CURE.lower()}."
        )
    return _diagrams(arrays)


def _fields(diagrams: Diagrams) -> dict[str, Any]:
    """Every field as an array."""
    found: dict[str, Any] = {}
    for field in fields(diagrams):
        value = getattr(diagrams, field.name)
        if isinstance(value, Tensor):
            value = value.detach().cpu().contiguous()
            if value.dtype == torch.bfloat16:
                value = value.view(torch.int16).numpy().view(np.uint16)
            found[field.name] = np.asarray(value)
        elif isinstance(value, bool):
            found[field.name] = np.bool_(value)
        else:
            found[field.name] = np.asarray(tuple(value), np.int64)
    return found


def _diagrams(arrays: dict[str, Array]) -> Diagrams:
    """The inverse, of arrays that were checked."""
    dtype, _ = _DTYPES[str(arrays["dtype"])]
    tensors: dict[str, Tensor] = {}
    for name in ("points", "essential"):
        value = arrays[name]
        if dtype == torch.bfloat16:
            tensors[name] = torch.from_numpy(value.view(np.int16)).view(dtype)
        else:
            tensors[name] = torch.from_numpy(value)
    for name in _ROWS + _ESSENTIAL_ROWS:
        tensors[name] = torch.from_numpy(arrays[name])
    return Diagrams(
        **tensors,
        batch_shape=torch.Size(arrays["batch_shape"].tolist()),
        homology_dimensions=tuple(arrays["homology_dimensions"].tolist()),
        superlevel=bool(arrays["superlevel"]),
    )


def _mismatch(arrays: dict[str, Any]) -> str | None:
    """What in the fields does not fit the rest, or None."""
    kind = _DTYPES[str(arrays["dtype"])][1]
    for name in ("points", "essential"):
        if arrays[name].dtype != kind:
            return f"`{name}` of {arrays[name].dtype}; expected {kind}, as `dtype` says"
    for name in _ROWS + _ESSENTIAL_ROWS + _SHAPED:
        if arrays[name].dtype != np.int64:
            return f"`{name}` of {arrays[name].dtype}; expected int64"
    n_rows = arrays["points"].shape[:1]
    shapes = {"points": (*n_rows, 2), "superlevel": ()}
    shapes |= dict.fromkeys(_ROWS, n_rows)
    shapes |= dict.fromkeys(_ESSENTIAL_ROWS, arrays["essential"].shape[:1])
    shapes |= {"essential": arrays["essential"].shape[:1]}
    for name, shape in shapes.items():
        if arrays[name].shape != shape or (name in ("points", "essential") and not shape):
            return f"`{name}` of shape {arrays[name].shape}; expected {shape}"
    return _bad_batch(arrays) or _bad_rows(arrays, "") or _bad_rows(arrays, "essential_")


def _bad_batch(arrays: dict[str, Any]) -> str | None:
    shape, dimensions = (arrays[name] for name in _SHAPED)
    if shape.ndim != 1 or (shape < 0).any() or math.prod(shape.tolist()) >= 2**62:
        return f"`batch_shape` {shape.tolist()}; expected integers >= 0"
    wrong = dimensions.ndim != 1 or not dimensions.size or (dimensions < 0).any()
    if wrong or len(set(dimensions.tolist())) < dimensions.size:
        return f"`homology_dimensions` {dimensions.tolist()}; expected distinct integers >= 0"
    if arrays["superlevel"].dtype != np.bool_:
        return f"`superlevel` of {arrays['superlevel'].dtype}; expected bool"
    return None


def _bad_rows(arrays: dict[str, Any], prefix: str) -> str | None:
    sample, dimension = (arrays[prefix + name] for name in ("sample", "dimension"))
    n_samples = math.prod(arrays["batch_shape"].tolist())
    if ((sample < 0) | (sample >= n_samples)).any():
        return f"`{prefix}sample` outside 0 to {n_samples - 1}; expected samples of the batch"
    if not np.isin(dimension, arrays["homology_dimensions"]).all():
        asked = arrays["homology_dimensions"].tolist()
        return f"`{prefix}dimension` outside `homology_dimensions`; expected one of {asked}"
    later, higher = np.diff(sample), np.diff(dimension)
    if ((later < 0) | ((later == 0) & (higher < 0))).any():
        return f"`{prefix}sample` and `{prefix}dimension` out of order; expected ascending rows"
    for name in ("essential_index",) if prefix else ("birth_index", "death_index"):
        if (arrays[name] < -1).any():
            return f"`{name}` below -1; expected entries of a sample, or -1"
    return None


def _write(path: str | os.PathLike[str], arrays: dict[str, Any], overwrite: bool) -> None:
    place = Path(os.path.realpath(path))  # through a link, to what it stands for
    if place.exists() and (not overwrite or not place.is_file()):
        what = "which exists" if place.is_file() else "which is no regular file"
        raise InputError(
            f"`path` is {os.fspath(path)!r}, {what}; expected a new file, as nothing is"
            " overwritten unasked. Cure: another name, or overwrite=True for a file."
        )
    partial = place.parent / f".topoml-{secrets.token_hex(8)}.tmp"
    try:
        try:
            with partial.open("xb") as file:
                np.savez(file, **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, place)
        finally:
            partial.unlink(missing_ok=True)
        _sync_folder(place.parent)
    except OSError as error:
        raise InputError(
            f"`path` is {os.fspath(path)!r}, which cannot be written ({error.strerror}); expected a"
            " place in a folder that exists and can be written to."
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make the new name outlast a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> dict[str, Array]:
    """All arrays of a file of ours; an InputError here ends a sentence that began with the path."""
    with zipfile.ZipFile(path) as archive:
        members = {m.filename.removesuffix(".npy"): m for m in archive.infolist()}
        if _MAGIC not in members:
            raise InputError(f"has no key {_MAGIC!r}; expected a file of diagrams. {_CURE}.")
        version = _array(archive, members[_MAGIC])
        if version.shape != () or version.dtype.kind != "i" or version < 1:
            raise InputError(f"has a version that is no number; expected {_VERSION}. {_CURE}.")
        if version > _VERSION:
            raise InputError(
                f"is of version {int(version)}; expected at most {_VERSION}. Cure: update topoml."
            )
        expected = {_MAGIC, "dtype", *(field.name for field in fields(Diagrams))}
        if set(members) != expected or len(members) != len(archive.infolist()):
            odd = sorted(set(members) ^ expected) or ["a key twice"]
            raise InputError(f"has not the keys of version 1 ({odd[0]!r}). {_CURE}.")
        arrays = {name: _array(archive, member) for name, member in members.items()}
    dtype = arrays["dtype"]
    if dtype.shape != () or dtype.dtype.kind != "U" or str(dtype) not in _DTYPES:
        raise InputError(f"has an unknown `dtype`; expected one of {', '.join(_DTYPES)}.")
    return arrays


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    """One array, no larger than the file it is in."""
    if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
        raise ValueError(f"{member.filename!r} is compressed, which save does not do")
    content = archive.read(member)  # checks the CRC
    stream = io.BytesIO(content)
    if _FORMAT.read_magic(stream) != (1, 0):
        raise ValueError(f"{member.filename!r} is of another npy version")
    shape, fortran, dtype = _FORMAT.read_array_header_1_0(stream)
    if dtype.hasobject:
        raise InputError(
            f"holds {member.filename!r} of Python objects, which are never unpickled; expected"
            f" numbers. {_CURE}."
        )
    rest = memoryview(content)[stream.tell() :]
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(rest):
        raise ValueError(f"the header of {member.filename!r} promises shape {shape} of {dtype}")
    flat = np.frombuffer(rest, dtype) if len(rest) else np.empty(math.prod(shape), dtype)
    array: Array = flat.astype(dtype.newbyteorder("=")).reshape(
        shape, order="F" if fortran else "C"
    )
    return np.ascontiguousarray(array).reshape(shape)
