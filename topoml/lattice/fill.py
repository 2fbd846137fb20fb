"""Fill a store chain by chain, unit by unit, from wherever a run before it ended."""

import functools
import logging
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from .. import __version__
from .._core.errors import InputError
from .._core.optional import require
from .chain import State, blocks, start, stream, thermalisation
from .model import Model
from .store import (
    STATE_HEADER,
    DamageError,
    Group,
    Unit,
    attributes,
    begin,
    check_same,
    complete,
    is_complete,
    layout,
    locked,
    n_units,
    open_size,
    sweep,
    unfinished,
    unwritable,
)
from .sums import sums
from .verify import unit_faults
from .workers import Progress, check_scheduler, until_finished

__all__ = ["fill", "fill_chain", "packed", "unpacked", "write_unit"]

_SECONDS = 2.0  # that a worker stays with a chain before it reports


def fill(
    path: Path,
    model: Model,
    about: Mapping[str, Any],
    *,
    n_jobs: int,
    scheduler: str | None,
    progress: bool,
) -> None:
    """Create the store or go on with it, until every unit is done."""
    try:
        if scheduler is not None and not (path / "zarr.json").exists():
            check_scheduler(scheduler)  # before a store is begun
        begin(path, about)
        found = attributes(path)
        check_same(path, about, found)
        if not unfinished(path, found) and is_complete(path, found):
            return
        if not os.access(path, os.W_OK):
            raise InputError(
                f"`store` is {str(path)!r}, which is read-only; expected permission to write. "
                "Grant it (chmod u+w), or name another folder."
            )
        with locked(path):
            sweep(path)
            complete(path, found)
            _fill_chains(path, model, found, n_jobs, scheduler, progress)
            sweep(path)  # after workers that were killed
    except DamageError as error:
        raise InputError(
            f"`store` is {str(path)!r}, where {error}; expected it as it was written. See all that "
            "is wrong, and how to mend it: verify."
        ) from error
    except OSError as error:
        raise unwritable(path, error) from error


def _fill_chains(
    path: Path,
    model: Model,
    about: Mapping[str, Any],
    n_jobs: int,
    scheduler: str | None,
    progress: bool,
) -> None:
    left = unfinished(path, about)
    lacking = Counter(unit._replace(unit=0) for unit in left)
    done = {chain: layout(about, chain.size)["done"].shape[2] - n for chain, n in lacking.items()}
    chains = sorted(done, key=lambda chain: -chain.size)  # or one worker ends up alone with them
    work = functools.partial(fill_chain, path.resolve(), model, about)
    total = n_units(about)
    disable = None if progress else True  # None: silent unless stderr is a terminal
    with tqdm(total=total, initial=total - len(left), unit="unit", disable=disable) as bar:

        def report(chain: Unit, n: int) -> None:
            bar.update(n - done[chain])
            done[chain] = n

        until_finished(
            work,
            chains,
            n_jobs=n_jobs,
            scheduler=scheduler,
            report=report,
            named=functools.partial(_named, path, about),
        )


def _named(path: Path, about: Mapping[str, Any], chain: Unit) -> str:
    """A chain and its next unit, in words."""
    ours = [unit for unit in unfinished(path, about) if unit._replace(unit=0) == chain]
    t = about["temperatures"][chain.temperature]
    unit = min((unit.unit for unit in ours), default=0)
    return f"L = {chain.size}, T = {t}, chain {chain.chain}, unit {unit}"


def fill_chain(
    path: Path, model: Model, about: Mapping[str, Any], chain: Unit, seconds: float = _SECONDS
) -> Progress:
    """Write the next units that a chain lacks, at least one, until ``seconds`` are over."""
    end = time.monotonic() + seconds
    _check_worker(path, about)
    group = open_size(path, about, chain.size, mode="r+")
    array = group.layout["configurations"]
    n, each = array.shape[2], array.chunks[2]
    last = -(-n // each) - 1
    t = about["temperatures"][chain.temperature]
    place = {"size": chain.size, "temperature": t, "chain": chain.chain}
    rng = stream(about["seed"], model, **place, unit=0)
    first = _start(model, about, chain, rng)
    found = _resumed(group, model, first, chain)
    state = found.state
    if found.unit == 0:
        for warmer in thermalisation(first, rng, about["thermalisation"]):
            state = warmer
        group.write("thinning", chain, state.rounds)
    for u in range(found.unit, last + 1):
        if u > 0:
            rng = stream(about["seed"], model, **place, unit=u)
        parts = []
        for after, configurations in blocks(state, min(each, n - u * each), rng):
            state = after
            parts.append(configurations)
        write_unit(group, model, chain._replace(unit=u), np.concatenate(parts), state)
        if time.monotonic() > end:
            return Progress(u + 1, is_finished=u == last)
    return Progress(last + 1, is_finished=True)


def _check_worker(path: Path, about: Mapping[str, Any]) -> None:
    """Another machine may see other folders, and have another version."""
    if not (path / "zarr.json").exists():
        raise InputError(
            f"`store` is {str(path)!r}, which a worker on {os.uname().nodename} does not see; "
            "expected a folder that all workers share. Name one on a shared disk."
        )
    if about["version"] != __version__:
        raise InputError(
            f"`scheduler` has a worker with topoml {__version__}; expected {about['version']}, as "
            "the store has it. Install that on all workers."
        )


def _start(model: Model, about: Mapping[str, Any], chain: Unit, rng: np.random.Generator) -> State:
    shape = tuple(about["shapes"][str(chain.size)])
    t = about["temperatures"][chain.temperature]
    random = rng if about["start"] == "random" else None
    return start(model, shape, t, update=about["update"], rng=random)


def write_unit(
    group: Group, model: Model, unit: Unit, configurations: NDArray[Any], state: State
) -> None:
    """Samples and sums, then where the chain goes on, then, last, that they are there."""
    group.write("configurations", unit, configurations)
    for name, values in sums(model, configurations, state.temperature).items():
        group.write(name, unit, values)
    n = group.layout["done"].shape[2]
    if unit.unit == n - 1:
        energy = [group.read("energy", unit._replace(unit=u)) for u in range(n)]
        group.write("autocorrelation_time", unit, _autocorrelation_time(np.concatenate(energy)))
    group.write("state", unit, packed(unit.unit + 1, state))
    group.write("done", unit, 1)


def _autocorrelation_time(energy: NDArray[np.float64]) -> float:
    """Integrated, in samples, at least 1/2, by pymbar; NaN for a chain that is still or short."""
    if len(energy) < 4 or np.ptp(energy) == 0:
        return np.nan
    logging.disable(logging.WARNING)  # pymbar's banners
    try:
        inefficiency = require("pymbar.timeseries").statistical_inefficiency(energy)
    finally:
        logging.disable(logging.NOTSET)
    return float(inefficiency) / 2


class _Resumed(NamedTuple):
    """Where a chain goes on: the next unit and the state there."""

    unit: int
    state: State


def _resumed(group: Group, model: Model, first: State, chain: Unit) -> _Resumed:
    """Unit 0 is the start.

    A kill between ``state`` and ``done`` leaves a whole unit unmarked, which is marked now. Any
    other gap is no crash but damage, and the chain is made anew, to the same bits.
    """
    anew = _Resumed(0, first)
    try:
        found = unpacked(group.read("state", chain), first)
    except DamageError:
        return anew
    marks = [group.is_done(chain._replace(unit=u)) for u in range(found.unit)]
    if not marks or not all(marks[:-1]):
        return anew
    last = chain._replace(unit=found.unit - 1)
    if not marks[-1]:
        if unit_faults(group, model, last, first.temperature, group.of_samples):
            return anew
        group.write("done", last, 1)
    return found


def packed(unit: int, state: State) -> NDArray[np.uint8]:
    """The next unit, rounds a sample and spins of a chain, as bytes."""
    numbers = unit.to_bytes(8, "little") + state.rounds.to_bytes(16, "little")
    return np.frombuffer(numbers + np.ascontiguousarray(state.spins).tobytes(), np.uint8)


def unpacked(data: NDArray[np.uint8], first: State) -> _Resumed:
    """The inverse of `packed` for a chain that started from ``first``."""
    raw = data.tobytes()
    unit, rounds = int.from_bytes(raw[:8], "little"), int.from_bytes(raw[8:STATE_HEADER], "little")
    spins = np.frombuffer(raw[STATE_HEADER:], first.spins.dtype).reshape(first.spins.shape).copy()
    return _Resumed(unit, replace(first, spins=spins, rounds=rounds))
