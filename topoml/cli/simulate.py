"""`topoml simulate`: a store of configurations, which a second call goes on with."""

import itertools
import json
from pathlib import Path
from typing import Any

import typer

import topoml

from .._core.errors import InputError
from .lists import integers, numbers

__all__ = ["simulate"]


def simulate(
    model: str = typer.Argument(..., metavar="MODEL", help="Such as ising; see topoml models."),
    sizes: str = typer.Option(..., help="Lattice sides, such as 32,64,128."),
    temperatures: str = typer.Option(..., help="Such as 0.8,0.9,1.0, or 0.8:1.0:0.02."),
    samples: int = typer.Option(..., help="Configurations for each size and temperature."),
    out: Path = typer.Option(..., help="New or empty folder for the store."),
    parameter: list[str] = typer.Option([], "--set", metavar="NAME=VALUE[,VALUE...]",
                                        help="A parameter of the model; may be repeated. Several "
                                        "values make a grid: one store each, in the folder."),
    update: str = typer.Option(None, help="Update of the model; its first if left out."),
    start: str = typer.Option("ordered", help="ordered or random."),
    chains: int = typer.Option(8, help="Independent chains for each size and temperature."),
    seed: int = typer.Option(0, help="Same seed, same bits."),
    jobs: int = typer.Option(None, help="Processes; one a core if left out."),
    scheduler: str = typer.Option(None, metavar="tcp://HOST:PORT",
                                  help="Dask scheduler, whose workers are taken instead."),
    resume: bool = typer.Option(False, "--resume", help="Go on with the store, if there is one."),
) -> None:  # fmt: skip
    """Sample a model into a Zarr store that survives a kill; --resume goes on with it."""
    lattice = topoml.lattice
    chosen = [lattice.catalogue.named_model(model, fields) for fields in _grid(parameter)]
    if not resume and (out / "zarr.json").exists():
        raise InputError(
            f"`--out` is {str(out)!r}, which has a store in it; expected a new or empty folder. Add"
            " --resume to go on with it."
        )
    options: dict[str, Any] = {
        "sizes": integers("--sizes", sizes),
        "temperatures": numbers("--temperatures", temperatures),
        "samples": samples,
        "seed": seed,
        "n_chains": chains,
        "update": update,
        "start": start,
        "n_jobs": jobs,
        "progress": True,
        "store": out,
        "scheduler": scheduler,
    }
    if len(chosen) == 1:
        print(lattice.simulate(chosen[0], **options))
    else:
        for ensemble in lattice.simulate_grid(chosen, **options).values():
            print(ensemble)


def _grid(texts: list[str]) -> list[dict[str, Any]]:
    """All combinations of the values of the parameters."""
    values: dict[str, list[Any]] = {}
    for text in texts:
        name, found = _parameter(text)
        if name in values:
            raise InputError(
                f"`--set` gives {name!r} twice; expected once. Several values: {name}=1,2."
            )
        values[name] = found
    return [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]


def _parameter(text: str) -> tuple[str, list[Any]]:
    """Name and values; a value is a number, true, false, a list, or else a string."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise InputError(f"`--set` is {text!r}; expected NAME=VALUE, such as J=2.0.")
    try:
        return name, [json.loads(value)]
    except ValueError:
        return name, [_value(part) for part in value.split(",")]


def _value(text: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(text)
    except ValueError:
        return text
