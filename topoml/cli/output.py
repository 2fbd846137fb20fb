"""The folder that `--out` names: figures and numbers, all of them or none."""

import csv
import json
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import topoml

from .._core.errors import InputError

__all__ = ["check_folder", "discard_partial", "write_folder", "write_results"]

_partial: list[Path] = []  # what is being written


def check_folder(out: Path) -> None:
    """A folder to be made, or an empty one; nothing of anybody's is overwritten."""
    if out.exists() and not out.is_dir():
        raise InputError(f"`--out` is {str(out)!r}, a file; expected a new or an empty folder.")
    if out.is_dir() and any(out.iterdir()):
        raise InputError(
            f"`--out` is {str(out)!r}, which has files in it; expected a new or an empty folder, as"
            " nothing is overwritten. Cure: another name."
        )
    folder = _home(out)
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(
            f"`--out` is {str(out)!r}; expected a folder in one that exists and can be written to."
        )


def _home(out: Path) -> Path:
    """Where files are written first: in an empty folder itself, or beside one to be made."""
    return out if out.is_dir() else out.absolute().parent


def write_folder(out: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a folder of its own, then move that to ``out``.

    An empty folder that exists is filled, not replaced: it may be somebody's working directory.
    """
    check_folder(out)
    partial = _home(out) / f".{out.name}-{secrets.token_hex(4)}"
    _partial.append(partial)
    try:
        partial.mkdir()
        write(partial)
        if out.is_dir():
            for path in partial.iterdir():
                _partial.append(out / path.name)
                path.rename(out / path.name)
            partial.rmdir()
        else:
            partial.rename(out)
        _partial.clear()
    except OSError as error:
        raise InputError(f"`--out` is {str(out)!r}, which cannot be written: {error}.") from error
    finally:
        discard_partial()


def write_results(folder: Path, ensemble: Any, found: Any, summary: dict[str, Any]) -> None:  # noqa: ANN401
    """What was detected, as numbers and pictures."""
    _write_numbers(folder, found, summary)
    _draw(folder, ensemble, found)


def discard_partial() -> None:
    """Remove what is being written."""
    while _partial:
        path = _partial.pop()
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _write_numbers(folder: Path, found: Any, summary: dict[str, Any]) -> None:  # noqa: ANN401
    more = {"per_size": list(found.per_size), "diagnostics": found.diagnostics}
    more["yardstick_per_size"] = list(found.yardstick.per_size)
    more["yardstick_diagnostics"] = found.yardstick.diagnostics
    text = json.dumps({**summary, **more}, indent=2, allow_nan=False)
    (folder / "transition.json").write_text(text + "\n")
    with (folder / "curves.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["quantity", "size", "temperature", "value", "error"])
        for curves in (found.curves, found.yardstick.curves):
            for name, of_sizes in curves.items():
                for curve in of_sizes:
                    columns = (curve.temperature, curve.value, curve.error)
                    for row in zip(*(c.tolist() for c in columns), strict=True):
                        rows.writerow([name, curve.size, *map(repr, row)])


def _draw(folder: Path, ensemble: Any, found: Any) -> None:  # noqa: ANN401
    matplotlib = topoml._core.optional.require("matplotlib")
    matplotlib.use("Agg")
    pyplot = topoml._core.optional.require("matplotlib.pyplot")
    plot, phases = topoml.plot, topoml.phases

    def save(figure: Any, name: str) -> None:  # noqa: ANN401
        for suffix in ("png", "pdf"):
            figure.savefig(folder / f"{name}.{suffix}", dpi=200)
        pyplot.close(figure)

    for transition, name in ((found, "transition"), (found.yardstick, "yardstick")):
        if transition.curves:
            save(plot.transition(transition).figure, name)
    size = ensemble.sizes[-1]
    temperatures = ensemble.temperatures_of(size)
    chosen = [temperatures[i] for i in sorted({0, len(temperatures) // 2, len(temperatures) - 1})]
    panels: dict[str, Any] = {"layout": "constrained", "squeeze": False}
    width = 3.6 * len(chosen)
    figure, axes = pyplot.subplots(1, len(chosen), figsize=(width, 3.6), **panels)
    spins, spin_axes = pyplot.subplots(1, len(chosen), figsize=(width, 3.8), **panels)
    for t, ax, spin_ax in zip(chosen, axes[0], spin_axes[0], strict=True):
        x = ensemble.configurations(size=size, temperature=t)[0, -1]
        plot.diagram(phases.block_diagrams(ensemble, x), ax=ax)
        plot.configuration(x, manifold=ensemble.manifold, ax=spin_ax)
        for panel in (ax, spin_ax):
            panel.set_title(f"$L$ = {size}, $T$ = {t:.4g}")
    save(figure, "diagrams")
    save(spins, "configurations")
