"""`topoml models`: what can be simulated."""

import dataclasses
import inspect
from typing import Any

import typer

import topoml

from .._core.errors import InputError

__all__ = ["models"]

_FIRST = ("ising", "xy")  # that `topoml detect` simulates


def models(
    name: str = typer.Argument(None, help="Tell about this one: its parameters, updates."),
) -> None:
    """List the models with their exact or best-known transitions, or tell about one of them."""
    kinds = topoml.lattice.catalogue.models()
    if name is not None:
        if name not in kinds:
            raise InputError(f"`name` is {name!r}; expected one of {', '.join(sorted(kinds))}.")
        _tell(kinds[name])
        return
    for kind in sorted(kinds, key=lambda k: (k not in _FIRST, k)):
        _list(kind, kinds[kind])


def _list(name: str, kind: Any) -> None:  # noqa: ANN401
    """Symmetry, order and transition for the default parameters; else what must be given."""
    needed = [f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING]
    if needed:
        print(f"{name:<20}of {' and '.join(needed)}")
        return
    model = kind()
    known = model.known_transition
    row = f"{name:<20}{model.symmetry:<14}  {model.order:<22}  "
    print(row.rstrip() if known is None else f"{row}T = {known.value:.6g}")
    if known is not None:
        print(f"{'':<20}{known.source}")


def _tell(kind: Any) -> None:  # noqa: ANN401
    """The docstring, in which the parameters are, and the updates."""
    print(inspect.getdoc(kind))
    fields = dataclasses.fields(kind)
    defaults = [f"{f.name}={f.default!r}" for f in fields if f.default is not dataclasses.MISSING]
    print(f"\nDefaults: {', '.join(defaults)}")
    if len(defaults) == len(fields):
        print(f"Updates:  {', '.join(kind().updates)}")
