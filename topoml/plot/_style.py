"""Axes, colours and symbols that the pictures share."""

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

__all__ = ["COLOURS", "MARKERS", "new_axes"]

# Okabe and Ito's palette, told apart by colour-blind readers; a symbol goes with each colour.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def new_axes(ax: Axes | None, **size: Any) -> Axes:  # noqa: ANN401
    """``ax``, or the axes of a new figure."""
    if ax is not None:
        return ax
    return plt.subplots(figsize=size.get("figsize", (4.5, 3.6)), layout="constrained")[1]
