"""`topoml detect`: from a model or files of configurations to a transition temperature."""

import json
import math
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import typer

import topoml

from .._core.errors import InputError
from .lists import integers, numbers
from .output import check_folder, write_folder, write_results

__all__ = ["detect"]

# Temperatures lie to both sides of the transition, unevenly, in units of J.
_FULL = {
    "ising": SimpleNamespace(
        sizes=(32, 48, 64, 96, 128),
        temperatures=(2.15, 2.2, 2.23, 2.25, 2.27, 2.29, 2.31, 2.34, 2.4),
        samples=4800,
    ),
    "xy": SimpleNamespace(
        sizes=(32, 64, 128),
        temperatures=(0.8, 0.84, 0.86, 0.88, 0.9, 0.92, 0.94, 0.96, 1.0),
        samples=3200,
    ),
}
_QUICK = {
    "ising": SimpleNamespace(
        sizes=(32, 48, 64, 96), temperatures=_FULL["ising"].temperatures, samples=960
    ),
    "xy": SimpleNamespace(sizes=(32, 64), temperatures=_FULL["xy"].temperatures, samples=1600),
}
_CHAINS = 16


def detect(
    target: list[str] = typer.Argument(
        ...,
        metavar="ising|xy|FILE...|STORE",
        help="A model; files (.npz, .h5, .txt) of one lattice size each; a store of simulate.",
    ),
    sizes: str = typer.Option(None, help="Lattice sides, such as 32,64,128."),
    temperatures: str = typer.Option(None, help="Such as 0.8,0.9,1.0, or 0.8:1.0:0.02."),
    samples: int = typer.Option(None, help="Configurations for each size and temperature."),
    seed: int = typer.Option(0, help="Same seed, same digits."),
    out: Path = typer.Option(None, help="New or empty folder for figures and numbers."),
    quick: bool = typer.Option(False, "--quick", help="Small sizes: a minute instead of several."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object, no table."),
) -> None:
    """Find the transition temperature from topology, with the classical answer beside it."""
    start = time.perf_counter()
    if seed < 0:
        raise InputError(f"`--seed` is {seed}; expected an integer of at least 0.")
    if out is not None:
        check_folder(out)
    if len(target) == 1 and target[0] in _FULL:
        ensemble = _simulate(target[0], sizes, temperatures, samples, seed, quick)
    else:
        _check_files(target)
        given = {"--sizes": sizes, "--temperatures": temperatures, "--samples": samples}
        for name, value in given.items():
            if value is not None:
                raise InputError(
                    f"`{name}` is given with files; expected it with a model, as files bring their"
                    " own. Cure: leave it out."
                )
        if len(target) == 1 and Path(target[0]).is_dir():
            ensemble = topoml.lattice.Ensemble.open(target[0])
        else:
            ensemble = topoml.lattice.load(target)
    found = topoml.phases.detect(ensemble, seed=seed)
    seconds = time.perf_counter() - start
    summary = _summary(ensemble, found, seed, seconds)
    if out is not None:
        write_folder(out, lambda folder: write_results(folder, ensemble, found, summary))
    if as_json:
        print(json.dumps(summary, allow_nan=False))
    else:
        _print_table(ensemble, summary, found)
        if out is not None:
            print(f"written to     {out}")


def _simulate(
    name: str,
    sizes: str | None,
    temperatures: str | None,
    samples: int | None,
    seed: int,
    quick: bool,
) -> Any:  # noqa: ANN401 - the library is imported on first use
    preset = (_QUICK if quick else _FULL)[name]
    sides = preset.sizes if sizes is None else tuple(integers("--sizes", sizes))
    grid = preset.temperatures if temperatures is None else numbers("--temperatures", temperatures)
    n = preset.samples if samples is None else samples
    if n < 32:
        raise InputError(f"`--samples` is {n}; expected at least 32, for an error bar.")
    lattice = topoml.lattice
    topoml.phases.observables.coarse_grid(tuple(sides))
    chains = next(c for c in range(_CHAINS, 0, -1) if n % c == 0)
    return lattice.simulate(
        {"ising": lattice.Ising, "xy": lattice.XY}[name](),
        sizes=sides,
        temperatures=grid,
        samples=n,
        seed=seed,
        n_chains=chains,
        progress=True,
    )


def _check_files(target: list[str]) -> None:
    for name in target:
        if name in _FULL and not Path(name).exists():
            raise InputError(
                f"`target` is {' '.join(target)!r}; expected one model alone, or files alone."
            )
        if not Path(name).exists():
            known = " or ".join(_FULL)
            raise InputError(
                f"`target` is {name!r}, neither a model nor a file that exists; expected {known},"
                " files (.npz, .h5, .txt) of one lattice size each, or a store of topoml simulate."
            )


def _summary(ensemble: Any, found: Any, seed: int, seconds: float) -> dict[str, Any]:  # noqa: ANN401
    model = ensemble.model
    known = None if model is None else model.known_transition
    return {
        "model": "unknown" if model is None else model.name,
        "sizes": list(ensemble.sizes),
        "estimate": found.estimate,
        "error": found.error,
        "reason": found.reason,
        "method": found.method,
        "yardstick": {
            "estimate": found.yardstick.estimate,
            "error": found.yardstick.error,
            "method": found.yardstick.method,
        },
        "known": None if known is None else {"value": known.value, "source": known.source},
        "controls": [
            {"name": c.name, "value": c.value, "passed": c.passed} for c in found.controls
        ],
        "manifold": ensemble.manifold,
        "seed": seed,
        "version": topoml.__version__,
        "seconds": round(seconds, 2),
    }


def _with_error(estimate: float | None, error: float | None) -> str:
    if estimate is None or error is None:
        return "none"
    digits = max(0, 1 - math.floor(math.log10(error))) if error > 0 else 6
    return f"{estimate:.{digits}f} ± {error:.{digits}f}"


def _print_table(ensemble: Any, summary: dict[str, Any], found: Any) -> None:  # noqa: ANN401
    guessed = " (guessed from the numbers)" if ensemble.manifold_guessed else ""
    print(f"{'model':<15}{summary['model']}, manifold {summary['manifold']}{guessed}")
    print(f"{'sizes':<15}{' '.join(map(str, summary['sizes']))}")
    answer = _with_error(found.estimate, found.error)
    print(f"{'topological':<15}{answer:<20}{found.method}")
    if found.reason is not None:
        print(f"{'':<15}{found.reason}")
    other = found.yardstick
    answer = _with_error(other.estimate, other.error)
    print(f"{'yardstick':<15}{answer:<20}{other.method}")
    if other.reason is not None:
        print(f"{'':<15}{other.reason}")
    if summary["known"] is not None:
        known = summary["known"]
        print(f"{'known':<15}{known['value']:<20.7g}{known['source']}")
    for row in found.per_size:
        label = "L = " + ", ".join(map(str, row["sizes"]))
        print(f"{'':<15}{_with_error(row['estimate'], row['error']):<20}{label}")
    print("controls")
    for control in found.controls:
        verdict = {True: "passed", False: "FAILED", None: "not possible"}[control.passed]
        value = "" if control.value is None else f"{control.value:.3g}"
        print(f"{'':<4}{verdict:<14}{value:<9}{control.name}")
    print(f"{'seconds':<15}{summary['seconds']}")
