"""Ensembles on disk: a Zarr store whose units are written once, checked, and then called done.

``zarr.json`` says in its attributes all that the bits depend on. A group ``L<size>`` holds,
preallocated, ``configurations`` (temperature, chain, sample, *shape, *components), ``energy`` per
site (temperature, chain, sample), ``magnetisation`` (temperature, chain, sample, component) where
the manifold has one, ``thinning`` and ``autocorrelation_time`` of the energy in samples
(temperature, chain), ``state`` (temperature, chain, byte), from which a chain goes on, and ``done``
(temperature, chain, unit). One chunk is one unit: some samples of one chain. Chunks carry a CRC-32C
and are renamed to their place when they are whole. The folder opens in xarray, too:
``xarray.open_zarr(path, group="L32", consolidated=False)``.
"""

import errno
import hashlib
import json
import math
import os
import re
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from .._core.checks import check_path
from .._core.errors import InputError, TopomlError
from .._core.optional import require
from .catalogue import parameters
from .model import Model
from .sums import n_magnetisation

__all__ = [
    "GRID",
    "STATE_HEADER",
    "Array",
    "DamageError",
    "Group",
    "Unit",
    "attributes",
    "begin",
    "check_own",
    "check_same",
    "complete",
    "described",
    "digest",
    "is_complete",
    "layout",
    "locked",
    "metadata_faults",
    "move_new",
    "n_units",
    "open_size",
    "other_version",
    "read_attributes",
    "samples_per_unit",
    "sweep",
    "unfinished",
    "units",
    "unwritable",
    "write_once",
]

_FORMAT = "topoml ensemble"
GRID = "topoml grid"
_VERSION = 2  # of the layout and of the streams: 1 had one stream a chain, without the model
_UNIT_BYTES = 1 << 22  # of configurations in a unit, uncompressed; the bits depend on it
_MOST_UNITS = 10**7
_METADATA_BYTES = 1 << 20  # at most, of a zarr.json
STATE_HEADER = 24  # bytes of a chain's state before its spins: next unit (8), rounds (16)
_CODECS = ["bytes", "zstd", "crc32c"]
_HALF_WRITTEN = re.compile(r".*\.[0-9a-f]{32}\.partial")
_KINDS = {  # of the attributes that are read
    "model": str, "type": str, "parameters": dict, "manifold": str, "dtype": str, "shapes": dict,
    "components": list, "n_magnetisation": int, "state_bytes": dict, "sizes": list,
    "temperatures": list, "samples": int, "n_chains": int, "seed": int, "unit_bytes": int,
    "thermalisation": int, "update": str, "start": str, "version": str,
}  # fmt: skip


class DamageError(TopomlError):
    """What is wrong with one file of a store, said without the name of the store."""


class Unit(NamedTuple):
    """Some samples of one chain; ``temperature`` and ``chain`` are positions in the arrays."""

    size: int
    temperature: int
    chain: int
    unit: int


class Array(NamedTuple):
    """What an array of the store is made of."""

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    fill: Any
    dimensions: tuple[str, ...]


def described(
    model: Model, *, sizes: list[int], temperatures: list[float], samples: int, seed: int,
    n_chains: int, update: str, start: str, thermalisation: int,
) -> dict[str, Any]:  # fmt: skip
    """The attributes of the store: all that its bits depend on, and how its samples are made."""
    about = {
        "format": _FORMAT,
        "format_version": _VERSION,
        "version": __version__,
        "model": model.name,
        "type": f"{type(model).__module__}.{type(model).__qualname__}",
        "parameters": parameters(model),
        "manifold": model.manifold,
        "dtype": np.dtype(model.dtype).name,
        "sizes": sorted(sizes),
        "shapes": {str(size): model.shape(size) for size in sorted(sizes)},
        "components": model.components,
        "n_magnetisation": n_magnetisation(model),
        "temperatures": sorted(temperatures),
        "samples": samples,
        "n_chains": n_chains,
        "seed": seed,
        "update": update,
        "start": start,
        "thermalisation": thermalisation,
        "thinning": "rounds of the update between samples, one number a chain: array `thinning`",
        "unit_bytes": _UNIT_BYTES,
        "state_bytes": {
            str(size): STATE_HEADER + model.ordered(model.shape(size)).nbytes
            for size in sorted(sizes)
        },
    }
    as_read: dict[str, Any] = json.loads(json.dumps(about))
    return as_read | {"digest": digest(as_read)}


def digest(about: Mapping[str, Any]) -> str:
    """SHA-256 of the attributes, itself apart."""
    rest = {name: value for name, value in about.items() if name != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def layout(about: Mapping[str, Any], size: int) -> dict[str, Array]:
    """The arrays of one size."""
    dtype = np.dtype(about["dtype"])
    sites, components = about["shapes"][str(size)], about["components"]
    shape = (*sites, *components)
    n_t, n_c, n_m = len(about["temperatures"]), about["n_chains"], about["n_magnetisation"]
    n = about["samples"] // n_c
    each = samples_per_unit(n, shape, dtype, about["unit_bytes"])
    n_state = about["state_bytes"][str(size)]
    grid, double, byte = ("temperature", "chain"), np.dtype(np.float64), np.dtype(np.uint8)
    series, in_units = (*grid, "sample"), -(-n // each)
    axes = [f"axis{i}" for i in range(len(sites))]
    axes += [f"component{i}" for i in range(len(components))]

    def array(tail: tuple[int, ...], chunk: tuple[int, ...], dtype: np.dtype[Any], fill: Any,  # noqa: ANN401
              dimensions: tuple[str, ...]) -> Array:  # fmt: skip
        return Array((n_t, n_c, *tail), (1, 1, *chunk), dtype, fill, dimensions)

    arrays = {
        "configurations": array(
            (n, *shape), (each, *shape), dtype, _empty(dtype), (*series, *axes)
        ),
        "energy": array((n,), (each,), double, np.nan, series),
        "magnetisation": array((n, n_m), (each, n_m), double, np.nan, (*series, "component")),
        "thinning": array((), (), np.dtype(np.int64), -1, grid),
        "autocorrelation_time": array((), (), double, np.nan, grid),
        "state": array((n_state,), (n_state,), byte, 0, (*grid, "byte")),
        "done": array((in_units,), (1,), byte, 0, (*grid, "unit")),
        "temperature": Array((n_t,), (n_t,), double, np.nan, ("temperature",)),
    }
    return arrays if n_m else {name: arrays[name] for name in arrays if name != "magnetisation"}


def samples_per_unit(
    n: int, shape: tuple[int, ...], dtype: np.dtype[Any], unit_bytes: int | None = None
) -> int:
    """How many of the ``n`` configurations of a chain make a unit, at least one."""
    n_bytes = _UNIT_BYTES if unit_bytes is None else unit_bytes
    return max(1, min(n, n_bytes // (math.prod(shape) * dtype.itemsize)))


def _empty(dtype: np.dtype[Any]) -> Any:  # noqa: ANN401 - a number of that dtype
    """What stands where nothing was written."""
    if dtype.kind in "fc":
        return dtype.type(np.nan)
    if dtype.kind == "b":
        return False
    return dtype.type(np.iinfo(dtype).min if dtype.kind == "i" else np.iinfo(dtype).max)


def units(about: Mapping[str, Any]) -> Iterator[Unit]:
    """All units, chain by chain."""
    for size in about["sizes"]:
        for place in np.ndindex(layout(about, size)["done"].shape):
            yield Unit(size, *place)


def n_units(about: Mapping[str, Any]) -> int:
    """How many units there are."""
    return sum(math.prod(layout(about, size)["done"].shape) for size in about["sizes"])


def begin(path: Path, about: Mapping[str, Any]) -> None:
    """Write ``zarr.json``, whole or not at all, unless ``path`` has one.

    Raises:
        InputError: ``path`` is a file, or a folder of somebody else's.
    """
    _check_folder(path)
    _check_extent(path, about)
    write_once(path, about)


def _check_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise InputError(
            f"`store` is {str(path)!r}, a file; expected a new or empty folder, or a store of "
            "simulate. Name another: nothing was changed here."
        )


def write_once(path: Path, about: Mapping[str, Any]) -> None:
    """Write the attributes of a Zarr group, whole or not at all, unless ``path`` has some.

    Raises:
        InputError: ``path`` is a file, or a folder of somebody else's.
    """
    _check_folder(path)
    path.mkdir(parents=True, exist_ok=True)
    if (path / "zarr.json").exists():
        return
    if any(not _HALF_WRITTEN.fullmatch(name) for name in os.listdir(path)):
        raise InputError(
            f"`store` is {str(path)!r}, a folder with other files; expected a new or empty folder, "
            "or a store of simulate. Name another: nothing was changed here."
        )
    draft = path / f"zarr.{uuid.uuid4().hex}.partial"
    with draft.open("w") as file:
        json.dump({"zarr_format": 3, "node_type": "group", "attributes": about}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    try:
        move_new(draft, path / "zarr.json")
    except FileExistsError:  # another run was quicker: what it wants is looked at next
        draft.unlink()


def move_new(file: Path, path: Path) -> None:
    """Rename a file, but never over what is there, which is a FileExistsError."""
    try:
        os.link(file, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
            raise
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))  # a file system without links
        os.replace(file, path)
        return
    file.unlink()


def complete(path: Path, about: Mapping[str, Any]) -> None:
    """Make the arrays that the store does not have."""
    zarr = require("zarr")
    for size in about["sizes"]:
        folder = path / f"L{size}"
        if not (folder / "zarr.json").exists():
            zarr.create_group(folder, zarr_format=3)
        for name, array in layout(about, size).items():
            if not (folder / name / "zarr.json").exists():
                _create(folder / name, array)
        if not (folder / "temperature" / "c" / "0").exists():
            wanted = layout(about, size)["temperature"]
            _open_array(path, size, "temperature", wanted, "r+")[:] = about["temperatures"]


def is_complete(path: Path, about: Mapping[str, Any]) -> bool:
    """Whether there is nothing that `complete` would make."""
    for size in about["sizes"]:
        folder = path / f"L{size}"
        files = [folder / "zarr.json", folder / "temperature" / "c" / "0"]
        files += [folder / name / "zarr.json" for name in layout(about, size)]
        if not all(file.exists() for file in files):
            return False
    return True


def read_attributes(path: Path) -> dict[str, Any]:
    """The attributes of a Zarr group."""
    try:
        is_file, exists = (path / "zarr.json").is_file(), path.exists()
    except OSError as error:
        raise InputError(
            f"`store` is {str(path)!r}, which cannot be read ({error.strerror or error}); expected "
            "a folder, and permission to read it. Grant that (chmod u+rx), or check the path."
        ) from error
    if not is_file:
        what = "is no store and not a regular file" if exists else "does not exist"
        raise InputError(
            f"`store` is {str(path)!r}, which {what}; expected a folder that "
            "simulate(..., store=...) has written. Check the path, or name a new folder."
        )
    try:
        found = json.loads((path / "zarr.json").read_bytes())
        if (found["zarr_format"], found["node_type"]) != (3, "group"):
            raise ValueError("no group of Zarr 3")
        return dict(found.get("attributes", {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"`store` is {str(path)!r}, whose zarr.json cannot be read ({_reason(error)}); "
            "expected a store of simulate. Name a new folder."
        ) from error


def attributes(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What the store at ``path`` says of itself, after a look at whether it is one of ours."""
    path = check_path("store", path)
    about = read_attributes(path)
    if about.get("format") != _FORMAT:
        whose = "a grid of stores" if about.get("format") == GRID else "a group of another program"
        raise InputError(
            f"`store` is {str(path)!r}, {whose}; expected one store of simulate. "
            "Name a new folder, or one store of the grid (simulate_grid, open_grid)."
        )
    if about.get("format_version") != _VERSION:
        raise other_version(path, about, _VERSION)
    for name, kind in _KINDS.items():
        if not isinstance(about.get(name), kind):
            raise InputError(
                f"`store` is {str(path)!r}, whose attribute {name!r} is {about.get(name)!r}; "
                "expected it as simulate writes it. Restore zarr.json from a copy."
            )
    try:
        _check_extent(path, about)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"`store` is {str(path)!r}, whose attributes do not belong together "
            f"({_reason(error)}); expected them as simulate writes them. Restore zarr.json from a "
            "copy."
        ) from error
    return dict(about)


def other_version(path: Path, about: Mapping[str, Any], expected: int) -> InputError:
    """Refuse a store, or a grid, of another version of the format."""
    return InputError(
        f"`store` is {str(path)!r} in version {about.get('format_version')!r} of the format; "
        f"expected version {expected}. Export it by a topoml that reads that version, or simulate "
        "it anew."
    )


def _check_extent(path: Path, about: Mapping[str, Any]) -> None:
    """Before anything is made or listed of it."""
    if about["n_chains"] < 1 or about["samples"] < 1 or about["samples"] % about["n_chains"]:
        raise ValueError(f"{about['samples']} samples of {about['n_chains']} chains")
    for name in ("sizes", "temperatures"):
        if not (about[name] and all(x > 0 for x in about[name])):
            raise ValueError(f"{name} {about[name]}")
    if not n_units(about) <= _MOST_UNITS:
        raise InputError(
            f"`store` is {str(path)!r}, which declares {n_units(about)} units; expected at most "
            f"{_MOST_UNITS}. Use fewer samples, or several stores."
        )


def check_same(path: Path, about: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Refuse by its name what is not as the store has it."""
    wanted, given = _flat(found), _flat(about)
    for name in dict.fromkeys((*given, *wanted)):
        if given.get(name) != wanted.get(name):
            raise InputError(
                f"`{name}` is {given.get(name)!r}; expected {wanted.get(name)!r}, as the store "
                f"{str(path)!r} has it. Give what it was begun with, or name a new folder."
            )


def _flat(about: Mapping[str, Any]) -> dict[str, Any]:
    """What two runs must agree on; the model first, its parameters by names of their own."""
    left_out = ("digest", "parameters", "thinning", "type", "unit_bytes")  # or as the store has it
    flat = {name: value for name, value in about.items() if name not in left_out}
    fields = {f"model.{name}": value for name, value in about["parameters"].items()}
    return {"model": about["model"]} | fields | flat  # defaults of the rest depend on them


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep a second writer out until the block or the process ends, however it ends."""
    fcntl = require("fcntl")
    file = os.open(path / "zarr.json", os.O_RDWR)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"`store` is {str(path)!r}, which another run is filling; expected one at a time. "
                "Wait for it, or stop it."
            ) from error
        except OSError as error:  # two runs would write the same bits, and waste time alone
            warnings.warn(
                f"{path} lies on a file system without locks ({error.strerror}): see to it that "
                "no other run fills it",
                stacklevel=2,
            )
        yield
    finally:
        os.close(file)


def sweep(path: Path) -> None:
    """Remove what a killed run has left half-written under a passing name."""
    for file in (*path.glob("zarr.*.partial"), *path.glob("L*/**/*.partial")):
        if _HALF_WRITTEN.fullmatch(file.name):
            file.unlink(missing_ok=True)


@dataclass(frozen=True)
class Group:
    """The arrays of one size of a store, open."""

    path: Path
    size: int
    layout: Mapping[str, Array]
    arrays: Mapping[str, Any]

    @property
    def of_samples(self) -> tuple[str, ...]:
        """The arrays that have a chunk for each unit, ``done`` apart."""
        return tuple(name for name, array in self.layout.items() if "sample" in array.dimensions)

    @property
    def of_chains(self) -> tuple[str, ...]:
        """The arrays that have chunks for each chain."""
        return tuple(name for name, array in self.layout.items() if "chain" in array.dimensions)

    def file(self, name: str, unit: Unit) -> Path:
        """The file of a unit's chunk, or of its chain's in arrays that have no units."""
        dimensions = self.layout[name].dimensions
        place = [unit.temperature, unit.chain, *[0] * (len(dimensions) - 2)]
        if dimensions[2:3] in (("sample",), ("unit",)):
            place[2] = unit.unit
        return self.path.joinpath(f"L{self.size}", name, "c", *map(str, place))

    def _place(self, name: str, unit: Unit) -> tuple[Any, ...]:
        grid = (unit.temperature, unit.chain)
        third = self.layout[name].dimensions[2:3]
        if third == ("unit",):
            return (*grid, unit.unit)
        if third != ("sample",):
            return grid
        each = self.layout[name].chunks[2]
        return (*grid, slice(unit.unit * each, (unit.unit + 1) * each))

    def write(self, name: str, unit: Unit, value: object) -> None:
        """Write one chunk, whole or not at all, and wait until the disk has it; not elsewhere."""
        check_own(self.path, self.file(name, unit).parent)
        self.arrays[name][self._place(name, unit)] = value
        with self.file(name, unit).open("rb") as file:
            os.fsync(file.fileno())

    def read(self, name: str, unit: Unit) -> NDArray[Any]:
        """One chunk, after its checksum; a missing one is an error and no fill value."""
        self.check(name, unit)
        where = self.file(name, unit).relative_to(self.path)
        return self._read(name, self._place(name, unit), where)

    def read_all(self, name: str) -> NDArray[Any]:
        """All chunks of a small array at once; missing ones hold the fill value."""
        return self._read(name, ..., Path(f"L{self.size}", name))

    def _read(self, name: str, place: Any, where: Path) -> NDArray[Any]:  # noqa: ANN401
        try:
            return np.asarray(self.arrays[name][place])
        except MemoryError:
            raise
        except OSError as error:
            raise _unreadable(self.path, where, error) from error
        except Exception as error:  # damaged bytes can fail anywhere in the codecs
            raise DamageError(f"{where} is damaged ({_reason(error)})") from error

    def check(self, name: str, unit: Unit) -> None:
        """Whether a chunk is there, and no larger than it can be."""
        array, file = self.layout[name], self.file(name, unit)
        n_bytes = math.prod(array.chunks) * array.dtype.itemsize
        # zstd adds a little to what it cannot compress, and the checksum has 4 bytes
        start = _start_of(self.path, file, n_bytes + n_bytes // 128 + 1024, n_read=18)
        if _zstd_size(start) != n_bytes:
            where = file.relative_to(self.path)
            raise DamageError(f"{where} is damaged (it does not declare {n_bytes} bytes)")

    def is_done(self, unit: Unit) -> bool:
        """Whether the unit is marked as done."""
        return self.file("done", unit).exists()


def open_size(path: Path, about: Mapping[str, Any], size: int, *, mode: str) -> Group:
    """The arrays of one size; ``mode`` "r", or "r+" to write.

    Raises:
        DamageError: An array's ``zarr.json`` is missing, damaged, or not as the attributes have it.
    """
    wanted = layout(about, size)
    arrays = {name: _open_array(path, size, name, wanted[name], mode) for name in wanted}
    return Group(path, size, wanted, arrays)


def metadata_faults(path: Path, about: Mapping[str, Any], size: int) -> Iterator[tuple[Path, str]]:
    """The files ``zarr.json`` of one size that are missing, damaged, or not as they should be."""
    group = path / f"L{size}" / "zarr.json"
    try:
        found = json.loads(_start_of(path, group, _METADATA_BYTES))
        if (found["zarr_format"], found["node_type"]) != (3, "group"):
            yield group, f"{group.relative_to(path)} does not fit the store"
    except DamageError as error:
        yield group, str(error)
    except (ValueError, KeyError, TypeError) as error:
        yield group, f"{group.relative_to(path)} is damaged ({_reason(error)})"
    for name, wanted in layout(about, size).items():
        try:
            _open_array(path, size, name, wanted, "r")
        except DamageError as error:
            yield path / f"L{size}" / name / "zarr.json", str(error)


def _open_array(path: Path, size: int, name: str, wanted: Array, mode: str) -> Any:  # noqa: ANN401
    zarr = require("zarr")
    folder = path / f"L{size}" / name
    where = (folder / "zarr.json").relative_to(path)
    _check_names(path, folder / "zarr.json", wanted)
    # chunks that hold nothing but the fill value are written, too: a missing one is a fault
    with zarr.config.set({"array.write_empty_chunks": True}):
        try:
            found = zarr.open_array(folder, mode=mode, zarr_format=3)
        except MemoryError:
            raise
        except Exception as error:  # of many classes
            if isinstance(error, OSError) and error.errno:  # zarr has some without a number
                raise _unreadable(path, where, error) from error
            raise DamageError(f"{where} is damaged ({_reason(error)})") from error
    if _as_text(found) != _new(wanted):
        raise DamageError(f"{where} does not fit the store")
    return found


def _create(store: Any, array: Array) -> Any:  # noqa: ANN401 - of zarr, which has no types here
    codecs = require("zarr.codecs")
    return require("zarr").create_array(
        store, shape=array.shape, chunks=array.chunks, dtype=array.dtype, fill_value=array.fill,
        dimension_names=array.dimensions, zarr_format=3,
        compressors=[codecs.ZstdCodec(level=1), codecs.Crc32cCodec()],
    )  # fmt: skip


def _as_text(array: Any) -> str:  # noqa: ANN401
    """All of the metadata of an array, as zarr understands them."""
    return json.dumps(array.metadata.to_dict(), default=repr, sort_keys=True)


@lru_cache(maxsize=64)
def _new(array: Array) -> str:
    return _as_text(_create({}, array))


def _check_names(path: Path, file: Path, wanted: Array) -> None:
    """Before zarr sees the metadata: nothing that it would load code for."""
    where = file.relative_to(path)
    try:
        found = json.loads(_start_of(path, file, _METADATA_BYTES))
        names = (
            found["data_type"],
            [codec["name"] for codec in found["codecs"]],
            found["chunk_key_encoding"]["name"],
            found.get("storage_transformers", []),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DamageError(f"{where} is damaged ({_reason(error)})") from error
    if names != (wanted.dtype.name, _CODECS, "default", []):
        raise DamageError(f"{where} does not fit the store")


def _is_own(path: Path, file: Path) -> bool:
    """Whether no link leads to it."""
    return file.resolve() == path.resolve() / file.relative_to(path)


def check_own(path: Path, file: Path) -> None:
    """Refuse what lies, or would lie, behind a link."""
    if not _is_own(path, file):
        raise InputError(
            f"`store` is {str(path)!r}, where {file.relative_to(path)} is a link, or lies behind "
            "one, which is not followed; expected files of its own. Remove the link yourself."
        )


def _start_of(path: Path, file: Path, most: int, n_read: int = -1) -> bytes:
    """The first bytes of a file of the store's own, no link, of at most so many bytes."""
    where = file.relative_to(path)
    try:
        if not file.is_file():
            raise DamageError(f"{where} is missing")
        if not _is_own(path, file):
            raise DamageError(f"{where} is a link, which is not followed")
        if file.stat().st_size > most:
            raise DamageError(f"{where} has {file.stat().st_size} bytes, more than it can have")
        with file.open("rb") as content:
            return content.read(n_read)
    except OSError as error:
        raise _unreadable(path, where, error) from error


def _zstd_size(start: bytes) -> int:
    """What the frame of Zstandard will take, by its header; -1 if that does not say.

    Source: RFC 8878, section 3.1.1.1.
    """
    if len(start) < 6 or start[:4] != b"\x28\xb5\x2f\xfd":
        return -1
    single_segment = start[4] >> 5 & 1
    at = 6 - single_segment + (0, 1, 2, 4)[start[4] & 3]
    n = (single_segment, 2, 4, 8)[start[4] >> 6]
    if n == 0 or len(start) < at + n:
        return -1
    return int.from_bytes(start[at : at + n], "little") + (256 if n == 2 else 0)


def unfinished(path: Path, about: Mapping[str, Any]) -> list[Unit]:
    """The units that are not marked as done; a look at names, so that opening is quick."""
    left: list[Unit] = []
    for size in about["sizes"]:
        n_t, n_c, n_u = layout(about, size)["done"].shape
        for t, c in np.ndindex(n_t, n_c):
            folder = path / f"L{size}" / "done" / "c" / str(t) / str(c)
            marks = set(_names(path, folder))
            left += [Unit(size, t, c, u) for u in range(n_u) if str(u) not in marks]
    return left


def _names(path: Path, folder: Path) -> list[str]:
    try:
        return os.listdir(folder) if folder.is_dir() else []
    except OSError as error:
        raise _unreadable(path, folder.relative_to(path), error) from error


def _unreadable(path: Path, where: Path, error: OSError) -> InputError:
    """No damage: what is there may be whole."""
    return InputError(
        f"`store` is {str(path)!r}, where {where} cannot be read ({error.strerror or error}); "
        "expected a disk that can be read, and permission. Grant that (chmod -R u+rX), or remove "
        "what the disk has lost."
    )


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__


def unwritable(path: Path, error: OSError) -> InputError:
    """The one line for a disk that is full or fails, a folder that is read-only, ..."""
    return InputError(
        f"`store` is {str(path)!r}, which cannot be written ({error.strerror or error}); expected "
        "a folder with space and permission to write. Mend that and call again: what is done stays."
    )
