"""Barcodes: one bar a class."""

import numpy as np
from matplotlib.axes import Axes

from ..homology import Diagrams
from ._style import COLOURS, new_axes
from .diagram import values_of

__all__ = ["barcode"]


def barcode(diagrams: Diagrams, *, ax: Axes | None = None) -> Axes:
    """Draw each class as a bar from birth to death; essential ones end on a line of infinity.

    Dimensions go upwards, in each the bars by birth; colours and legend by dimension. A superlevel
    filtration runs to the left.

    Args:
        diagrams: Of a single sample, ``batch_shape`` ().
        ax: Where to draw; a new figure if None.

    Raises:
        InputError: Diagrams of a batch.
    """
    points, births, low, high, margin = values_of(diagrams)
    ax = new_axes(ax, figsize=(4.5, 3.6))
    ends = np.array([low - 2 * margin, high + 2 * margin])  # where the infinities are drawn
    sign = -1.0 if diagrams.superlevel else 1.0
    bars = np.concatenate([points, np.stack([births, np.full(births.size, sign * np.inf)], 1)])
    dimension = np.concatenate(
        [diagrams.dimension.cpu().numpy(), diagrams.essential_dimension.cpu().numpy()]
    )
    bottom = 0
    for i, k in enumerate(diagrams.homology_dimensions):
        rows = bars[dimension == k]
        rows = rows[np.lexsort((sign * rows[:, 1], sign * rows[:, 0]))]
        height = bottom + np.arange(len(rows))
        first, last = np.clip(rows, *ends).T
        ax.hlines(height, first, last, colors=COLOURS[i % len(COLOURS)], lw=1.6, label=f"$H_{k}$")
        bottom += len(rows)
    for end, infinite, text in ((ends[0], -np.inf, r"$-\infty$"), (ends[1], np.inf, r"$\infty$")):
        if (bars == infinite).any() or infinite == sign * np.inf:
            ax.axvline(end, color="0.6", lw=0.8, ls="--", zorder=0)
            ax.annotate(text, (end, 1.01), xycoords=("data", "axes fraction"), ha="center")
    ax.set(xlabel="filtration value", yticks=[], ylim=(-1, max(bottom, 1)))
    handles, labels = ax.get_legend_handles_labels()  # the uppermost bars first
    ax.legend(
        handles[::-1], labels[::-1], frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5)
    )
    return ax
