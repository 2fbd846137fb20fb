"""Two diagrams and an optimal matching of their classes."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from ..distances._checks import check_order
from ..distances._pairs import pairs_of
from ..distances.wasserstein import match
from ..homology import Diagrams
from ._style import COLOURS, MARKERS, new_axes
from .diagram import values_of

__all__ = ["matching"]


def matching(
    a: Diagrams,
    b: Diagrams,
    *,
    order: float = 1.0,
    internal_p: float = np.inf,
    ax: Axes | None = None,
) -> Axes:
    """Draw two diagrams and the matching whose cost is ``topoml.distances.wasserstein``.

    Full symbols are the classes of a, open ones those of b, colours and shapes the dimensions. A
    line joins two matched classes, or a class and the point of the diagonal nearest to it.
    Essential classes stand on a line marked with infinity and are joined in the order of their
    births, where both have as many in every dimension.

    Args:
        a: Diagrams of a single sample, ``batch_shape`` ().
        b: Likewise, of the same homology dimensions and direction.
        order: Exponent q of the distance.
        internal_p: Ground norm p of the distance.
        ax: Where to draw; a new figure if None.

    Raises:
        InputError: Diagrams of a batch, or that cannot be compared; an exponent out of its range.
    """
    order = check_order("order", order, finite=True)
    internal_p = check_order("internal_p", internal_p, finite=False)
    pairs = pairs_of(a, b)
    values = [values_of(d) for d in (a, b)]
    low, high = min(v[2] for v in values), max(v[3] for v in values)
    margin = 0.05 * (high - low) or 0.5
    found = match(pairs, order, internal_p)
    ax = new_axes(ax, figsize=(3.8, 3.8))
    at_infinity = low - 2 * margin if a.superlevel else high + 2 * margin
    ax.plot([low - margin, high + margin], [low - margin, high + margin], color="0.6", lw=0.8)
    segments = [np.stack([pairs.a.points[found.both[0]], pairs.b.points[found.both[1]]], 1)]
    for side, (row, _) in ((pairs.a, found.alone_a), (pairs.b, found.alone_b)):
        points = side.points[row]
        segments.append(np.stack([points, points.mean(1, keepdims=True).repeat(2, 1)], 1))
    if any(len(births) for _, births, *_ in values):
        ax.axhline(at_infinity, color="0.6", lw=0.8, ls="--")
        sign = "-" if a.superlevel else ""
        ax.annotate(
            f"${sign}\\infty$", (1.01, at_infinity), xycoords=("axes fraction", "data"), va="center"
        )
        first, second, *_ = pairs.lines()
        ends = [
            v.detach().numpy()[at] for v, at in ((pairs.a.values, first), (pairs.b.values, second))
        ]
        level = np.full(len(first), at_infinity)
        segments.append(np.stack([np.stack([x, level], 1) for x in ends], 1))
    ax.add_collection(
        LineCollection(np.concatenate(segments).tolist(), colors="0.5", lw=0.8, zorder=1)
    )
    for k, (d, (points, births, *_)) in enumerate(zip((a, b), values, strict=True)):
        for i, dimension in enumerate(d.homology_dimensions):
            colour = COLOURS[i % len(COLOURS)]
            style: dict[str, Any] = {
                "marker": MARKERS[i % len(MARKERS)],
                "s": 18,
                "facecolors": "none" if k else colour,
                "edgecolors": colour,
                "linewidths": 0.9,
            }
            rows = points[(d.dimension == dimension).cpu().numpy()]
            never = births[(d.essential_dimension == dimension).cpu().numpy()]
            ax.scatter(rows[:, 0], rows[:, 1], label=f"$H_{dimension}$ of {'ab'[k]}", **style)
            ax.scatter(never, np.full(never.size, at_infinity), **style)
    ax.set(xlabel="birth", ylabel="death")
    ax.legend(frameon=False, loc="upper left" if a.superlevel else "lower right")
    return ax
