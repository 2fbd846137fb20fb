"""Persistence diagrams."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from .._core.errors import InputError
from ..homology import Diagrams
from ._style import COLOURS, MARKERS, new_axes

__all__ = ["diagram", "values_of"]

Floats = NDArray[np.float64]


def values_of(diagrams: Diagrams) -> tuple[Floats, Floats, float, float, float]:
    """Points (P, 2) and essential births (E,) of a single sample, their finite range, a margin.

    Raises:
        InputError: Diagrams of a batch.
    """
    if diagrams.batch_shape:
        raise InputError(
            f"`diagrams` has batch_shape {tuple(diagrams.batch_shape)}; expected a single sample."
            " Cure: diagrams[i]."
        )
    points = diagrams.points.detach().cpu().double().numpy()
    births = diagrams.essential.detach().cpu().double().numpy()
    values = np.concatenate([points.reshape(-1), births])
    values = values[np.isfinite(values)]
    low, high = (values.min(), values.max()) if values.size else (0.0, 1.0)
    margin = 0.05 * (high - low) or 0.5
    return points, births, float(low), float(high), float(margin)


def diagram(diagrams: Diagrams, *, ax: Axes | None = None) -> Axes:
    """Draw births against deaths, essential classes on a line marked with infinity.

    Args:
        diagrams: Of a single sample, ``batch_shape`` ().
        ax: Where to draw; a new figure if None.

    Raises:
        InputError: Diagrams of a batch.
    """
    points, births, low, high, margin = values_of(diagrams)
    ax = new_axes(ax, figsize=(3.8, 3.8))
    at_infinity = low - 2 * margin if diagrams.superlevel else high + 2 * margin
    ax.plot([low - margin, high + margin], [low - margin, high + margin], color="0.6", lw=0.8)
    ax.axhline(at_infinity, color="0.6", lw=0.8, ls="--")
    sign = "-" if diagrams.superlevel else ""
    ax.annotate(
        f"${sign}\\infty$", (1.01, at_infinity), xycoords=("axes fraction", "data"), va="center"
    )
    for i, k in enumerate(diagrams.homology_dimensions):
        style: dict[str, Any] = {
            "color": COLOURS[i % len(COLOURS)],
            "marker": MARKERS[i % len(MARKERS)],
            "s": 16,
            "alpha": 0.8,
            "linewidths": 0,
        }
        rows = points[(diagrams.dimension == k).cpu().numpy()]
        never = births[(diagrams.essential_dimension == k).cpu().numpy()]
        ax.scatter(rows[:, 0], rows[:, 1], label=f"$H_{k}$", **style)
        ax.scatter(never, np.full(never.size, at_infinity), **style)
    ax.set(xlabel="birth", ylabel="death")
    ax.legend(frameon=False, loc="upper left" if diagrams.superlevel else "lower right")
    return ax
