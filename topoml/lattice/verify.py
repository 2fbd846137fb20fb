"""Whether a store still holds what was written: checksums, and sums made anew."""

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from .._core.checks import check_path
from .._core.errors import InputError
from .catalogue import known_model
from .model import Model
from .store import (
    DamageError,
    Group,
    Unit,
    attributes,
    check_own,
    digest,
    locked,
    metadata_faults,
    n_units,
    open_size,
    unfinished,
    units,
    unwritable,
)
from .sums import sums

__all__ = ["unit_faults", "verify"]

_TOLERANCE = 1e-5  # per site, absolute: float32 cosines differ that little between machines


class _Fault(NamedTuple):
    """What is wrong, what to remove so that `simulate` makes it anew, and where it will write."""

    what: str
    cure: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()


def verify(
    path: str | os.PathLike[str], *, model: Model | None = None, discard: bool = False
) -> tuple[str, ...]:
    """All that is wrong with the store, one line a fault; empty for one that is whole.

    Reads every chunk, which recomputes its CRC-32C, and compares the stored energies and
    magnetisations with those of the configurations. Units that are not yet written are one line
    together. Memory: one unit.

    To mend a store, ``discard`` what is damaged and call `simulate` with the arguments of the
    store: it makes the same bits. Then verify again: where metadata are damaged, the chains of that
    size are not looked at.

    Args:
        path: The folder.
        model: Of a store whose model is none of topoml's; without it a warning tells that energies
            and magnetisations were not compared.
        discard: Remove, after all was read, every chain that has a fault, and files of metadata
            that have one; of a chain its marks and its state, the rest is written over.

    Raises:
        InputError: No such store, another version of the format, or another model; with
            ``discard`` a store that another run is filling, that is read-only, whose attributes
            are damaged, of another version of topoml, or with a link on the way to what is to be
            removed or written. Nothing is removed then. A file that cannot be read, which is no
            damage.
    """
    path = check_path("store", path)
    about = attributes(path)
    model = known_model(about, model)
    if model is None:
        warnings.warn(
            f"energies and magnetisations of {str(path)!r} are not compared with its "
            f"configurations, as its model {about['model']!r} is none of topoml's: give it, "
            "verify(..., model=...)",
            stacklevel=2,
        )
    if not discard:
        return tuple(fault.what for fault in _faults(path, about, model))
    if about.get("version") != __version__:
        raise InputError(
            f"`store` is {str(path)!r}, of topoml {about.get('version')}, which alone makes the "
            f"same bits anew; expected {__version__} to discard. Use that version: nothing was "
            "removed."
        )
    if about.get("digest") not in (digest(about), None):
        raise InputError(
            f"`store` is {str(path)!r}, whose zarr.json is not as it was written, so that all else "
            "may seem damaged; expected it whole. Restore it from a copy: nothing was removed."
        )
    try:
        with locked(path):
            faults = list(_faults(path, about, model))
            for folder in {folder for fault in faults for folder in fault.folders}:
                check_own(path, folder)
            _remove(path, list(dict.fromkeys(file for fault in faults for file in fault.cure)))
    except OSError as error:
        raise unwritable(path, error) from error
    return tuple(fault.what for fault in faults)


def _faults(path: Path, about: Mapping[str, Any], model: Model | None) -> Iterator[_Fault]:
    if about.get("digest") is None:
        yield _Fault("zarr.json has no digest, by which damage to it would be seen")
    elif about["digest"] != digest(about):
        yield _Fault("zarr.json is not as it was written: its digest is another")
    groups: dict[int, Group] = {}
    for size in about["sizes"]:
        damaged = list(metadata_faults(path, about, size))
        yield from (_Fault(what, (file,)) for file, what in damaged)
        if not damaged:
            groups[size] = open_size(path, about, size, mode="r")
            yield from _temperature_faults(groups[size], about["temperatures"])
    left = unfinished(path, about)
    if left:
        first = Path(f"L{left[0].size}", "done", "c", *map(str, left[0][1:]))
        yield _Fault(
            f"{len(left)} of {n_units(about)} units are not written, the first that of {first}; "
            "simulate goes on with them"
        )
    lacking, chains = set(left), {unit._replace(unit=0) for unit in left}
    for unit in units(about):
        if unit.size not in groups or unit in lacking:
            continue
        group, chain = groups[unit.size], unit._replace(unit=0)
        cure = (group.file("done", chain).parent, group.file("state", chain))
        folders = tuple(group.file(name, unit).parent for name in group.of_chains)
        t = about["temperatures"][unit.temperature]
        found = unit_faults(group, model, unit, t, (*group.of_samples, "done"))
        if unit.unit == 0:
            found += _chain_faults(group, chain, is_finished=chain not in chains)
        yield from (_Fault(what, cure, folders) for what in found)


def _remove(path: Path, files: list[Path]) -> None:
    """Files, and folders of files, of the store's own; all of them or, where one is not, none."""
    for file in files:
        check_own(path, file)
    for file in files:
        for inner in file.iterdir() if file.is_dir() else (file,):
            inner.unlink(missing_ok=True)


def _temperature_faults(group: Group, temperatures: list[float]) -> Iterator[_Fault]:
    where = Path(f"L{group.size}", "temperature", "c", "0")
    try:
        found = group.read_all("temperature").tolist()
    except DamageError:
        found = None
    if found != temperatures:
        yield _Fault(
            f"{where} is damaged, missing or differs from the attributes", (group.path / where,)
        )


def _chain_faults(group: Group, chain: Unit, *, is_finished: bool) -> list[str]:
    names = ("thinning", "autocorrelation_time", "state") if is_finished else ("thinning",)
    values, faults = _chunks(group, chain, names)
    n_units = group.layout["done"].shape[2]
    if "state" in values and int.from_bytes(values["state"][:8].tobytes(), "little") != n_units:
        faults.append(f"{_file(group, 'state', chain)} is not that of the end of its chain")
    if "thinning" in values and values["thinning"] < 1:
        faults.append(f"{_file(group, 'thinning', chain)} is {values['thinning']}")
    return faults


def unit_faults(
    group: Group, model: Model | None, unit: Unit, temperature: float, names: Iterable[str]
) -> list[str]:
    """What is wrong with these arrays of one unit; without a model by their checksums alone."""
    values, faults = _chunks(group, unit, names)
    if "done" in values and values["done"] != 1:
        faults.append(f"{_file(group, 'done', unit)} is {values['done']}; expected 1")
    if model is not None and "configurations" in values:
        faults += [
            f"{_file(group, name, unit)} is not that of the configurations"
            for name, fresh in sums(model, values["configurations"], temperature).items()
            if name in values and not np.allclose(values[name], fresh, rtol=0.0, atol=_TOLERANCE)
        ]
    return faults


def _chunks(
    group: Group, unit: Unit, names: Iterable[str]
) -> tuple[dict[str, NDArray[Any]], list[str]]:
    values, faults = {}, []
    for name in names:
        try:
            values[name] = group.read(name, unit)
        except DamageError as error:
            faults.append(str(error))
    return values, faults


def _file(group: Group, name: str, unit: Unit) -> Path:
    return group.file(name, unit).relative_to(group.path)
