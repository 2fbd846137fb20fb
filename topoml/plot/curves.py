"""Betti curves and persistence landscapes."""

import numpy as np
from matplotlib.axes import Axes

from .. import features
from .._core.checks import check_count
from ..features._checks import curve_grid
from ..homology import Diagrams
from ._style import COLOURS, new_axes
from .diagram import values_of

__all__ = ["betti_curve", "landscape"]


def betti_curve(
    diagrams: Diagrams,
    *,
    resolution: int = 200,
    sample_range: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the Betti numbers of the sublevel (superlevel) sets, a line a homology dimension.

    Args:
        diagrams: Of a single sample, ``batch_shape`` ().
        resolution: Number of thresholds, at least 1.
        sample_range: First and last threshold; None for all finite births and deaths and a margin.
        ax: Where to draw; a new figure if None.

    Raises:
        InputError: Diagrams of a batch; an argument that ``topoml.features.betti_curve`` refuses.
    """
    ends = _ends(diagrams, sample_range)
    grid = curve_grid(resolution, ends).numpy()
    curves = features.betti_curve(diagrams, resolution=resolution, sample_range=ends)
    ax = new_axes(ax, figsize=(4.5, 3.0))
    lines = curves.detach().cpu().double().numpy().reshape(-1, len(grid))
    for i, (k, line) in enumerate(zip(diagrams.homology_dimensions, lines, strict=True)):
        style = "steps-pre" if diagrams.superlevel else "steps-post"
        ax.plot(grid, line, color=COLOURS[i % len(COLOURS)], drawstyle=style, label=f"$H_{k}$")
    ax.set(xlabel="filtration value", ylabel="Betti number")
    ax.legend(frameon=False)
    return ax


def landscape(
    diagrams: Diagrams,
    *,
    homology_dimension: int,
    num_landscapes: int = 5,
    resolution: int = 200,
    sample_range: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the first persistence landscapes of one homology dimension, the largest darkest.

    Args:
        diagrams: Of a single sample, ``batch_shape`` ().
        homology_dimension: One of the dimensions of the diagrams.
        num_landscapes: How many, at least 1.
        resolution: Number of values, at least 1.
        sample_range: First and last value; None for all finite births and deaths and a margin.
        ax: Where to draw; a new figure if None.

    Raises:
        InputError: Diagrams of a batch, or without this dimension; an argument that
            ``topoml.features.persistence_landscape`` refuses.
    """
    ends = _ends(diagrams, sample_range)
    grid = curve_grid(resolution, ends).numpy()
    n = check_count("num_landscapes", num_landscapes)
    chosen = diagrams.select(homology_dimension)
    values = features.persistence_landscape(
        chosen, num_landscapes=n, resolution=resolution, sample_range=ends
    )
    ax = new_axes(ax, figsize=(4.5, 3.0))
    lines = values.detach().cpu().double().numpy().reshape(n, len(grid))
    for j, (line, alpha) in enumerate(zip(lines, np.linspace(1.0, 0.3, n), strict=True)):
        ax.plot(grid, line, color=COLOURS[0], alpha=float(alpha), label=f"$\\lambda_{{{j + 1}}}$")
    ax.set(xlabel="filtration value", ylabel=f"landscape of $H_{homology_dimension}$")
    ax.legend(frameon=False)
    return ax


def _ends(diagrams: Diagrams, sample_range: tuple[float, float] | None) -> tuple[float, float]:
    """The range, of a single sample."""
    *_, low, high, margin = values_of(diagrams)
    return (low - margin, high + margin) if sample_range is None else sample_range
