"""Representatives of persistence classes on the field they come from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray
from torch import Tensor

from .._core.errors import InputError
from ..homology import Diagrams, representative
from ..homology._checks import check_periodic
from ._style import COLOURS, new_axes

__all__ = ["representatives"]

Segments = list[tuple[tuple[float, float], tuple[float, float]]]


def representatives(
    x: Tensor,
    diagrams: Diagrams,
    *,
    periodic: bool | Sequence[bool] = False,
    construction: str = "V",
    n: int = 3,
    ax: Axes | None = None,
) -> Axes:
    """Draw a field and on it the ``n`` most persistent classes of each dimension, 0 and 1.

    A class of H0 is the outline of its component when it dies and a dot at its birth, one of H1
    its cycle and a dot at its birth; a cross marks a death. Essential classes live longest. Lines
    leave the picture where they go round a periodic axis.

    Args:
        x: The field, (H, W).
        diagrams: Its diagrams by ``cubical_persistence``, of a single sample.
        periodic: As the diagrams were computed; so ``construction``.
        construction: "V" or "T".
        n: How many of each dimension.
        ax: Where to draw; a new figure if None.

    Raises:
        InputError: ``n`` no integer >= 0; what `topoml.homology.representative` refuses.
    """
    if type(n) is not int or n < 0:
        raise InputError(f"`n` is {n!r}; expected an integer >= 0.")
    drawn = []
    for i, k in enumerate(diagrams.homology_dimensions):
        if k > 1 or diagrams.batch_shape:  # a batch is refused below
            continue
        for row, essential in _most_persistent(diagrams, k, n):
            found = representative(
                x, diagrams, row, essential=essential, periodic=periodic, construction=construction
            )
            drawn.append((COLOURS[1 + i % (len(COLOURS) - 1)], row, essential, found))
    if diagrams.batch_shape or x.ndim != 2:
        raise InputError(
            f"`x` has shape {tuple(x.shape)} and `diagrams` batch_shape"
            f" {tuple(diagrams.batch_shape)}; expected (H, W) and (), a single sample."
            " Cure: x[i], diagrams[i]."
        )
    wrap = check_periodic(periodic, 2)
    ax = new_axes(ax, figsize=(4.6, 3.8))
    field = x.detach().cpu().double().numpy()
    image = ax.imshow(field, cmap="gray", interpolation="nearest")
    ax.figure.colorbar(image, ax=ax, label="field", fraction=0.046, pad=0.03)
    h, w = field.shape
    labelled: set[str] = set()
    for colour, row, essential, found in drawn:
        if found.dimension == 0:
            segments = _outline(found.sites.numpy(), wrap)
        else:
            segments = [s for loop in found.loops for s in _steps(loop.numpy(), (h, w))]
        name = f"$H_{found.dimension}$"
        label = None if name in labelled else name
        labelled.add(name)
        ax.add_collection(
            LineCollection(segments, colors=colour, lw=1.8, label=label, capstyle="round"),
            autolim=False,
        )
        index = diagrams.essential_index if essential else diagrams.birth_index
        i, j = divmod(int(index[row]), w)
        style: dict[str, Any] = {"s": 26, "color": colour, "zorder": 3}
        ax.scatter(j, i, marker="o", edgecolors="white", linewidths=0.6, **style)
        if not essential:
            i, j = divmod(int(diagrams.death_index[row]), w)
            ax.scatter(j, i, marker="x", linewidths=1.6, **style)
    ax.set(xticks=[], yticks=[], xlim=(-0.5, w - 0.5), ylim=(h - 0.5, -0.5))
    if labelled:
        ax.legend(
            loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2, frameon=False, fontsize="small"
        )
    return ax


def _most_persistent(diagrams: Diagrams, k: int, n: int) -> list[tuple[int, bool]]:
    """Rows of the longest classes of a dimension, with whether they are essential, first ones."""
    never = (diagrams.essential_dimension == k).nonzero().squeeze(1).tolist()
    rows = (diagrams.dimension == k).nonzero().squeeze(1)
    order = diagrams.lifetime.detach()[rows].argsort(descending=True, stable=True)
    return [(row, True) for row in never[:n]] + [
        (row, False) for row in rows[order][: max(0, n - len(never))].tolist()
    ]


def _outline(sites: NDArray[np.bool_], wrap: tuple[bool, ...]) -> Segments:
    """Sides of the pixels between a component and the rest."""
    segments: Segments = []
    for axis in (0, 1):
        part = sites if axis == 0 else sites.T
        last = part[-1:] if wrap[axis] else np.zeros_like(part[-1:])
        first = part[:1] if wrap[axis] else np.zeros_like(part[:1])
        padded = np.concatenate([last, part, first])
        for r, c in np.argwhere(padded[1:] != padded[:-1]).tolist():
            ends = ((c - 0.5, r - 0.5), (c + 0.5, r - 0.5))
            segments.append(ends if axis == 0 else (ends[0][::-1], ends[1][::-1]))
    return segments


def _steps(loop: NDArray[np.int64], shape: tuple[int, int]) -> Segments:
    """Lines between the sites of a loop; one that goes round an axis leaves and comes back."""
    sites = np.stack(np.divmod(loop, shape[1]), 1)
    segments: dict[Any, None] = {}  # each once
    for here, there in zip(sites, np.roll(sites, -1, 0), strict=True):
        step = there - here
        step = np.where(np.abs(step) > 1, -np.sign(step), step)  # round the axis
        for end, other in ((here, here + step), (there - step, there)):
            segments[(int(end[1]), int(end[0])), (int(other[1]), int(other[0]))] = None
    return list(segments)
