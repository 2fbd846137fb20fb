"""Ensembles over the parameters of a model: one store for each, in one folder."""

import hashlib
import inspect
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .._core.checks import check_path
from .._core.errors import InputError
from .catalogue import known_model, parameters
from .ensemble import Ensemble
from .model import Model
from .simulate import check_simulation, simulate
from .store import GRID, attributes, other_version, read_attributes, unwritable, write_once
from .verify import verify
from .workers import check_scheduler

__all__ = ["is_grid", "members", "open_grid", "simulate_grid", "verify_grid"]

_VERSION = 2  # of the layout and of the streams
_PLAIN = re.compile(r"[\w.+,=-]+")


def simulate_grid(
    models: Iterable[Model],
    *,
    store: str | os.PathLike[str],
    seed: int,
    **options: Any,  # noqa: ANN401 - as simulate has them
) -> dict[Model, Ensemble]:
    """`simulate` each of several models of one kind into a store of its own, in one folder.

    The folders in ``store`` have the names of the parameters that vary, such as ``delta=0.2``; in
    xarray, ``open_zarr(store, group="delta=0.2/L32", consolidated=False)``. Each is what `simulate`
    makes of its model with ``seed``, whichever others there are. Like a store, a grid goes on where
    it was stopped, and a finished one is left as it is.

    Args:
        models: Different models of one class, all that the grid will have.
        store: A folder that is new, empty, or a grid begun with the same arguments.
        seed: Non-negative integer.
        options: All others of `simulate`, the same for each.

    Raises:
        InputError: As of `simulate`; a grid begun with other models or another seed.

    Example:
        >>> import tempfile
        >>> from topoml.lattice import Ising
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     options = dict(sizes=[4], temperatures=[2.0], samples=8, seed=0, store=folder)
        ...     found = simulate_grid([Ising(field=h) for h in (0.0, 0.5)], **options)
        >>> [model.field for model in found]
        [0.0, 0.5]
    """
    chosen = list(models)
    _check_models(chosen)
    options |= _checked(chosen, seed, options)  # before anything is written
    seed = int(seed)
    names = _names(chosen)
    path = check_path("store", store)
    about = {
        "format": GRID,
        "format_version": _VERSION,
        "model": chosen[0].name,
        "seed": seed,
        "members": {n: parameters(m) for n, m in sorted(zip(names, chosen, strict=True))},
    }
    try:
        if options.get("scheduler") is not None and not (path / "zarr.json").exists():
            check_scheduler(options["scheduler"])
        write_once(path, json.loads(json.dumps(about)))
    except OSError as error:
        raise unwritable(path, error) from error
    _check_same(path, about, _attributes(path))
    return {
        model: simulate(model, store=path / name, seed=seed, **options)
        for name, model in zip(names, chosen, strict=True)
    }


def open_grid(
    path: str | os.PathLike[str], *, models: Iterable[Model] = ()
) -> dict[Model, Ensemble]:
    """The finished ensembles of `simulate_grid`, each read when asked for, by their models.

    Args:
        path: The folder.
        models: Needed for models that are not topoml's own: all of the grid.

    Raises:
        InputError: No such grid; a store of it that is missing or not finished (see
            `Ensemble.open`); a model that is not known.
    """
    given = {json.dumps(parameters(model), sort_keys=True): model for model in models}
    found = {}
    for name, wanted in members(path).items():
        folder = Path(path) / name
        model = known_model(attributes(folder), given.get(json.dumps(wanted, sort_keys=True)))
        if model is None:
            raise InputError(
                f"`models` has none with {wanted}; expected those of the grid, which are none of "
                "topoml's. Give them: models=..."
            )
        found[model] = Ensemble.open(folder, model=model)
    return found


def verify_grid(
    path: str | os.PathLike[str], *, models: Iterable[Model] = (), discard: bool = False
) -> tuple[str, ...]:
    """`verify` of all stores of a grid, each fault with the name of its folder.

    Args:
        path: The folder.
        models: Of models that are none of topoml's; energies of those that are not given are not
            compared, of which a warning tells.
        discard: Of each store what `verify` discards; `simulate_grid` makes it anew.

    Raises:
        InputError: No such grid; what `verify` raises of a store.
    """
    given = {json.dumps(parameters(model), sort_keys=True): model for model in models}
    return tuple(_faults(check_path("store", path), given, discard))


def _faults(path: Path, given: dict[str, Model], discard: bool) -> Iterator[str]:
    seed = _attributes(path)["seed"]
    for name, wanted in members(path).items():
        try:
            found = attributes(path / name)
        except InputError as error:
            yield f"{name}: {error}"
            continue
        if found["parameters"] != wanted:
            yield f"{name}: of {found['parameters']}; expected {wanted}"
        if found["seed"] != seed:
            yield f"{name}: of seed {found['seed']}; expected {seed}"
        model = given.get(json.dumps(found["parameters"], sort_keys=True))
        try:
            faults = verify(path / name, model=model, discard=discard)
        except InputError as error:
            yield f"{name}: {error}"
            continue
        yield from (f"{name}/{fault}" for fault in faults)


def is_grid(path: str | os.PathLike[str]) -> bool:
    """Whether there is a grid, and not a store."""
    return read_attributes(check_path("store", path)).get("format") == GRID


def members(path: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """The folders of a grid, and the parameters of the model of each."""
    found: dict[str, dict[str, Any]] = _attributes(check_path("store", path))["members"]
    return found


def _attributes(path: Path) -> dict[str, Any]:
    about = read_attributes(path)
    whole = isinstance(about.get("members"), dict) and "seed" in about and "model" in about
    if about.get("format") != GRID or not whole:
        raise InputError(
            f"`store` is {str(path)!r}, which is no grid of simulate_grid; expected one, or a new "
            "or empty folder. One store is opened by Ensemble.open."
        )
    if about.get("format_version") != _VERSION:
        raise other_version(path, about, _VERSION)
    for name in about["members"]:
        if not _PLAIN.fullmatch(name) or name.startswith("."):
            raise InputError(
                f"`store` is {str(path)!r}, a grid with a folder {name!r}; expected folders in it. "
                "Restore zarr.json from a copy."
            )
    return about


def _checked(models: list[Model], seed: int, options: dict[str, Any]) -> dict[str, Any]:
    """Sizes and temperatures as lists, if `simulate` will take its arguments."""
    bound = inspect.signature(simulate).bind(models[0], seed=seed, **options)
    bound.apply_defaults()
    wanted = list(inspect.signature(check_simulation).parameters)[1:]
    asked = {name: bound.arguments[name] for name in wanted}
    for model in models:
        found = check_simulation(model, **asked)
        asked |= {"sizes": found.sizes, "temperatures": found.temperatures}
    return {"sizes": found.sizes, "temperatures": found.temperatures}


def _check_models(models: list[Model]) -> None:
    if not models:
        raise InputError("`models` is empty; expected at least one model.")
    kinds = {type(model) for model in models}
    if len(kinds) > 1:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise InputError(f"`models` has {names}; expected one kind. Make a grid of each.")
    for i, model in enumerate(models):
        if model in models[:i]:
            raise InputError(f"`models` has {model!r} twice; expected different ones.")


def _check_same(path: Path, about: dict[str, Any], found: dict[str, Any]) -> None:
    for name in ("model", "seed", "members"):
        if about[name] != found[name]:
            raise InputError(
                f"`{'models' if name == 'members' else name}` is {about[name]!r}; expected "
                f"{found[name]!r}, as the grid {str(path)!r} has it. Give what it was begun with, "
                "or name a new folder."
            )


def _names(models: list[Model]) -> list[str]:
    """Folders, by the parameters that vary."""
    rows = [parameters(model) for model in models]
    varied = [k for k in rows[0] if any(row[k] != rows[0][k] for row in rows)]
    names = [",".join(f"{k}={row[k]}" for k in varied or row) or models[0].name for row in rows]
    if all(_PLAIN.fullmatch(name) and len(name) < 200 for name in names):
        return names
    return [f"{models[0].name}-{_digest(row)[:16]}" for row in rows]  # lists, functions


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
