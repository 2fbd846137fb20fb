"""`topoml ensemble`: what is in a store, whether it is whole, and as .npz files."""

import sys
import warnings
from pathlib import Path
from typing import Any

import typer

import topoml

from .output import write_folder

__all__ = ["ensemble"]

ensemble = typer.Typer(help="Look into a store of topoml simulate, check it, export it.")


@ensemble.command()
def info(store: Path = typer.Argument(..., help="Folder of the store.")) -> None:
    """Print what the store holds, with what it was made, and how much of it is there."""
    for name, folder in _stores(store).items():
        if name:
            print(f"-- {name}")
        _print_store(folder)


def _stores(path: Path) -> dict[str, Path]:
    """Those of a grid by their names, or the one."""
    grid = topoml.lattice.grid
    return {name: path / name for name in grid.members(path)} if grid.is_grid(path) else {"": path}


def _print_store(store: Path) -> None:
    stores = topoml.lattice.store
    about = stores.attributes(store)
    for name, value in about.items():
        text = " ".join(map(str, value)) if isinstance(value, list) else value
        print(f"{name:<17}{text}")
    total = stores.n_units(about)
    left = len(stores.unfinished(store, about))
    print(f"{'units':<17}{total - left} of {total}")
    if left == 0:
        _print_chains(topoml.lattice.Ensemble.open(store))


def _print_chains(ensemble: Any) -> None:  # noqa: ANN401 - the library is imported on first use
    """Autocorrelation time of the energy, in samples: the mean over chains, and the longest."""
    print("size  temperature  rounds a sample  tau of the energy (longest)")
    for size in ensemble.sizes:
        for t in ensemble.temperatures_of(size):
            rounds = ensemble.thinning[size][t]
            tau = [x for x in ensemble.autocorrelation_time[size][t] if x == x]
            told = f"{sum(tau) / len(tau):.2f} ({max(tau):.2f})" if tau else "none"
            many = f"{min(rounds)} to {max(rounds)}"
            print(f"{size:<6}{t:<13g}{many:<17}{told}")


@ensemble.command()
def verify(
    store: Path = typer.Argument(..., help="Folder of the store."),
    discard: bool = typer.Option(False, "--discard", help="Remove what is damaged; topoml simulate "
                                 "--resume makes it anew, to the same bits."),
) -> None:  # fmt: skip
    """Recompute all checksums and sums; every fault is a line, and the exit code 1."""
    lattice = topoml.lattice
    check = lattice.verify_grid if lattice.grid.is_grid(store) else lattice.verify
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        faults = check(store, discard=discard)
    for text in dict.fromkeys(str(warning.message) for warning in told):
        print(f"topoml: warning: {text}", file=sys.stderr)
    for fault in faults:
        print(fault)
    if not faults:
        print("whole")
        return
    done = "what can be made anew is removed" if discard else "remove what is damaged by --discard"
    print(
        f"topoml: to mend the store: {done}, call topoml simulate with the arguments that topoml "
        "ensemble info tells and --resume (or, with a model of your own, simulate), verify again",
        file=sys.stderr,
    )
    raise typer.Exit(1)


@ensemble.command()
def export(
    store: Path = typer.Argument(..., help="Folder of the store."),
    out: Path = typer.Option(..., help="New or empty folder for one .npz file a size."),
) -> None:
    """Write one .npz file a size; of a grid, a folder each.

    topoml detect reads those of spins on a square lattice.
    """
    stores = {name: topoml.lattice.Ensemble.open(path) for name, path in _stores(store).items()}
    written: list[Path] = []

    def write(folder: Path) -> None:
        for name, opened in stores.items():
            paths = topoml.lattice.save_npz(opened, folder / name)
            written.extend(out / path.relative_to(folder) for path in paths)

    write_folder(out, write)
    for path in written:
        print(path)
