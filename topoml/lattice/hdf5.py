"""Ensembles from HDF5 files, without trusting them."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from .._core.optional import require
from .ensemble import Ensemble
from .files import Format, Paths, check_keys, from_files

__all__ = ["HDF5", "load_hdf5"]

_FILTERS = {1, 2, 3, 32000}  # deflate, shuffle, fletcher32, lzf; others may come as plug-ins
_CURE = "Write it with h5py: file['configurations'] = ..., file['temperature'] = ..."


def load_hdf5(paths: Paths, *, manifold: str | None = None, max_bytes: int = 8 << 30) -> Ensemble:
    """An ensemble from one HDF5 file a size, with the keys of `from_arrays` as datasets.

    ``configurations`` and ``temperature``, optional ``chain`` and ``manifold``, a string, lie in
    the file's root. Refused, as they would lead elsewhere: soft and external links, virtual
    datasets, external storage, filters from plug-ins. Nothing is allocated before the declared
    sizes are together at most ``max_bytes``. Needs the extra ``hdf5``.

    Args:
        paths: One path or several; two files of one size are refused.
        manifold: Overrides what the files say, or the guess.
        max_bytes: The largest total size of the arrays.

    Raises:
        InputError: One line that names the file: missing, unreadable, a link out of its folder,
            too large, with any of the above, missing or unknown keys, or refused by `from_arrays`.
    """
    return from_files(paths, lambda _: HDF5, manifold, max_bytes)


def _declared(path: Path, name: str, budget: int) -> int:
    h5py = require("h5py", extra="hdf5")
    with h5py.File(path, "r") as file:
        check_keys(list(file), name, _CURE)
        n_bytes = sum(_checked(h5py, file, key, name) for key in file)
        for key in file if n_bytes <= budget else ():
            _check_stored(file[key], name, key)
        return n_bytes


def _check_stored(dataset: Any, name: str, key: str) -> None:  # noqa: ANN401 - without types
    """What was never written would be read as zeros."""
    stored, wanted = int(dataset.id.get_storage_size() > 0), min(int(dataset.size), 1)
    if dataset.chunks:
        stored = dataset.id.get_num_chunks()
        wanted = math.prod(-(-n // c) for n, c in zip(dataset.shape, dataset.chunks, strict=True))
    if stored < wanted:
        part = f"{stored} of its {wanted} chunks" if stored else "nothing of it"
        raise InputError(
            f"{name} declares {key!r} of shape {dataset.shape} and stores {part}; expected all "
            f"numbers. {_CURE}."
        )


def _checked(h5py: Any, file: Any, key: str, name: str) -> int:  # noqa: ANN401 - without types
    """Bytes of a dataset by its declaration, if it is one that lies in this file."""
    link = file.get(key, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise _refused(name, key, "a link, which is not followed")
    dataset = file[key]
    if not isinstance(dataset, h5py.Dataset):
        raise _refused(name, key, f"a {type(dataset).__name__.lower()}")
    if dataset.is_virtual or dataset.external:
        raise _refused(name, key, "stored in other files, which are not read")
    plist = dataset.id.get_create_plist()
    filters = {plist.get_filter(i)[0] for i in range(plist.get_nfilters())}
    if filters - _FILTERS:
        raise _refused(name, key, f"compressed by filter {min(filters - _FILTERS)}, a plug-in")
    is_string = h5py.check_string_dtype(dataset.dtype) is not None
    if is_string and (key != "manifold" or dataset.shape != ()):
        raise _refused(name, key, "made of strings")
    if dataset.dtype.kind not in "iuf" and not is_string:
        raise _refused(name, key, f"of dtype {dataset.dtype}")
    return int(dataset.size) * int(dataset.dtype.itemsize)


def _refused(name: str, key: str, what: str) -> InputError:
    return InputError(f"{name} has {key!r} {what}; expected a dataset of numbers. {_CURE}.")


def _arrays(path: Path, name: str, manifold: str | None) -> dict[str, NDArray[Any]]:
    del name, manifold
    h5py = require("h5py", extra="hdf5")
    with h5py.File(path, "r") as file:
        return {
            key: np.asarray(file[key].asstr()[()] if key == "manifold" else file[key][()])
            for key in file
        }


HDF5 = Format("an HDF5 file", _CURE, _declared, _arrays)
