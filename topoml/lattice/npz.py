"""Ensembles to .npz files, and from them without trusting them."""

import io
import math
import os
import secrets
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.checks import check_path
from .._core.errors import InputError
from .ensemble import Ensemble
from .files import Format, Paths, check_keys, from_files
from .store import move_new

__all__ = ["NPZ", "load_npz", "save_npz"]

_FORMAT: Any = np.lib.format  # which numpy leaves untyped
_HEADER = 1 << 16  # bytes read to find an array's header, which numpy limits to 10 000
_CURE = "Write it with numpy.savez(path, configurations=..., temperature=...)"


def load_npz(paths: Paths, *, manifold: str | None = None, max_bytes: int = 8 << 30) -> Ensemble:
    """An ensemble from one .npz file a size, with the keys of `from_arrays`.

    Keys: ``configurations``, ``temperature``, optional ``manifold`` (a string) and ``chain``.
    Nothing is ever unpickled, and nothing is allocated before the sizes declared by the zip
    directory and by the arrays' own headers agree and are together at most ``max_bytes``.

    Args:
        paths: One path or several; two files of one size are refused.
        manifold: Overrides what the files say, or the guess.
        max_bytes: The largest total size of the arrays, uncompressed.

    Raises:
        InputError: One line that names the file: missing, unreadable, a link out of its folder,
            not a zip file, truncated, corrupt, too large, with object arrays, missing or unknown
            keys, or refused by `from_arrays`.
    """
    return from_files(paths, lambda _: NPZ, manifold, max_bytes)


def save_npz(ensemble: Ensemble, folder: str | os.PathLike[str]) -> list[Path]:
    """One file ``L<size>.npz`` a size in ``folder``, all of them or none; their paths.

    ``configurations`` (n, ...), ``temperature`` (n,), ``chain`` (n,) and ``manifold``, a string.
    `load_npz` reads those of spins on a square lattice; others, such as cubic lattices and gauge
    fields, are for numpy alone. Memory: that of one size.

    Raises:
        InputError: A file of that name is there.
        OSError: The folder cannot be written.
    """
    folder = check_path("folder", folder)
    paths = [folder / f"L{size}.npz" for size in ensemble.sizes]
    for path in paths:
        if path.exists():
            raise InputError(
                f"`folder` has {path.name} in it ({str(folder)!r}); expected none of that name, as "
                "nothing is overwritten. Name another folder."
            )
    folder.mkdir(parents=True, exist_ok=True)
    drafts = [path.with_name(f".{path.name}.{secrets.token_hex(4)}") for path in paths]
    written = []
    try:
        for size, draft in zip(ensemble.sizes, drafts, strict=True):
            _save(ensemble, size, draft)
        for path, draft in zip(paths, drafts, strict=True):
            move_new(draft, path)
            written.append(path)
    except BaseException:
        for path in written:
            path.unlink()
        raise
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)
    return paths


def _save(ensemble: Ensemble, size: int, path: Path) -> None:
    ts = ensemble.temperatures_of(size)
    x = np.stack([ensemble.configurations(size=size, temperature=t) for t in ts])
    t, chain, _ = np.indices(x.shape[:3])
    with path.open("xb") as file:
        np.savez(
            file,
            configurations=x.reshape(-1, *x.shape[3:]),
            temperature=np.asarray(ts)[t.ravel()],
            chain=chain.ravel(),
            manifold=np.asarray(ensemble.manifold),
        )


def _declared(path: Path, name: str, budget: int) -> int:
    """Bytes of the arrays by the zip directory, after a look at each array's own header."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        check_keys([member.filename.removesuffix(".npy") for member in members], name, _CURE)
        declared = sum(member.file_size for member in members)
        if declared <= budget:
            for member in members:
                _check_header(archive, member, name)
        return declared


def _check_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> None:
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


def _arrays(path: Path, name: str, manifold: str | None) -> dict[str, NDArray[Any]]:
    del name, manifold
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


NPZ = Format("an .npz file", _CURE, _declared, _arrays)
