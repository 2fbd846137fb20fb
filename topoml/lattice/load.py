"""Ensembles from files of any kind, by their names' endings."""

from pathlib import Path

from .._core.errors import InputError
from .ensemble import Ensemble
from .files import Format, Paths, from_files
from .hdf5 import HDF5
from .npz import NPZ
from .text import TEXT

__all__ = ["load"]

_ENDINGS = {
    ".npz": NPZ, ".h5": HDF5, ".hdf5": HDF5, ".txt": TEXT, ".dat": TEXT, ".csv": TEXT,
}  # fmt: skip


def load(paths: Paths, *, manifold: str | None = None, max_bytes: int = 8 << 30) -> Ensemble:
    """An ensemble from files of one size each, by `load_npz`, `load_hdf5` or `load_text`.

    Args:
        paths: One path or several, which may be of different kinds: .npz; .h5, .hdf5; .txt, .dat,
            .csv.
        manifold: Overrides what the files say, or the guess.
        max_bytes: The largest total size of the arrays.
    """
    return from_files(paths, _format, manifold, max_bytes)


def _format(path: Path) -> Format:
    if path.suffix.lower() not in _ENDINGS:
        known = ", ".join(_ENDINGS)
        raise InputError(f"`paths` holds {str(path)!r}; expected a name that ends in {known}.")
    return _ENDINGS[path.suffix.lower()]
