"""Whether a store still holds what was written: checksums, and sums made anew."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from .catalogue import known_model
from .model import Model
from .store import DamageError, Group, Unit, attributes, open_size, units
from .sums import sums

__all__ = ["unit_faults", "verify"]

_TOLERANCE = 1e-5  # per site, absolute: float32 cosines differ that little between machines


def verify(path: str | os.PathLike[str], *, model: Model | None = None) -> tuple[str, ...]:
    """All that is wrong with the store, one line a fault; empty for one that is whole.

    Reads every chunk, which recomputes its CRC-32C, and compares the stored energies and
    magnetisations with those of the configurations. Units that are not yet written count as
    missing. To mend a fault, delete the folder ``done/c/<temperature>/<chain>`` and the file of
    ``state`` of its chain and call `simulate` again: it makes the same bits. Memory: one unit.

    Args:
        path: The folder.
        model: Needed for a model that is not one of topoml's.

    Raises:
        InputError: No such store, or another version of the format.
    """
    path = Path(path)
    about = attributes(path)
    model = known_model(about, model)
    if model is None:
        raise InputError(
            f"`model` is None; expected the model {about['model']!r} of the store, which is none "
            "of topoml's. Give it: model=..."
        )
    groups: dict[int, Group] = {}
    faults: list[str] = []
    for size in about["sizes"]:
        try:
            groups[size] = open_size(path, about, size, mode="r")
        except DamageError as error:
            faults.append(str(error))
        else:
            faults += _temperature_faults(groups[size], about["temperatures"])
    for unit in units(about):
        if unit.size in groups:
            group = groups[unit.size]
            t = about["temperatures"][unit.temperature]
            faults += unit_faults(group, model, unit, t, (*group.of_samples, "done"))
            if unit.unit == 0:
                faults += _chain_faults(group, unit)
    return tuple(faults)


def _temperature_faults(group: Group, temperatures: list[float]) -> list[str]:
    where = f"L{group.size}/temperature/c/0"
    try:
        found = group.read_all("temperature").tolist()
    except DamageError:
        return [f"{where} is damaged"]
    return [] if found == temperatures else [f"{where} is missing or differs from the attributes"]


def _chain_faults(group: Group, chain: Unit) -> list[str]:
    names = ("thinning", "autocorrelation_time", "state")
    values, faults = _chunks(group, chain, names)
    n_units = group.layout["done"].shape[2]
    if "state" in values and int.from_bytes(values["state"][:8].tobytes(), "little") != n_units:
        faults.append(f"{_file(group, 'state', chain)} is not that of the end of its chain")
    if "thinning" in values and values["thinning"] < 1:
        faults.append(f"{_file(group, 'thinning', chain)} is {values['thinning']}")
    return faults


def unit_faults(
    group: Group, model: Model, unit: Unit, temperature: float, names: Iterable[str]
) -> list[str]:
    """What is wrong with these arrays of one unit."""
    values, faults = _chunks(group, unit, names)
    if "done" in values and values["done"] != 1:
        faults.append(f"{_file(group, 'done', unit)} is {values['done']}; expected 1")
    if "configurations" in values:
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
