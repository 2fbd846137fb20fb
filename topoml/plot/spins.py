"""Configurations of spins on a square lattice."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from .._core.errors import InputError
from ..lattice import vortices
from ._style import COLOURS, new_axes

__all__ = ["configuration"]


def configuration(spins: NDArray[np.generic], *, manifold: str, ax: Axes | None = None) -> Axes:
    """Draw one configuration: scalars and labels in grey, angles by hue with their vortices.

    Vortices are filled circles and antivortices open squares, at the centre of their plaquette.

    Args:
        spins: (L0, L1), or (L0, L1, c) of vectors, whose last component is drawn.
        manifold: "real", "discrete", "circle" or "sphere".
        ax: Where to draw; a new figure if None.

    Raises:
        InputError: Another shape, or another manifold.
    """
    if manifold not in ("real", "discrete", "circle", "sphere"):
        raise InputError(
            f"`manifold` is {manifold!r}; expected 'real', 'discrete', 'circle' or 'sphere'."
        )
    if spins.ndim != (3 if manifold == "sphere" else 2):
        expected = "(L0, L1, c) of vectors" if manifold == "sphere" else "(L0, L1)"
        raise InputError(
            f"`spins` has shape {spins.shape}; expected one configuration, {expected}."
        )
    ax = new_axes(ax, figsize=(4.2, 3.8))
    if manifold == "circle":
        image = ax.imshow(
            np.mod(spins, 2 * np.pi),
            cmap="twilight",
            vmin=0,
            vmax=2 * np.pi,
            interpolation="nearest",
        )
        bar = ax.figure.colorbar(
            image, ax=ax, label="angle", ticks=[0, np.pi, 2 * np.pi], fraction=0.046, pad=0.03
        )
        bar.ax.set_yticklabels(["0", r"$\pi$", r"$2\pi$"])
        area = float(np.clip(900 / max(spins.shape), 3, 30))  # points squared
        charge = vortices(np.asarray(spins, dtype=np.float64))
        for sign, marker, face in ((1, "o", COLOURS[1]), (-1, "s", "white")):
            i, j = np.nonzero(charge == sign)
            label = f"{'vortex' if sign > 0 else 'antivortex'} ({i.size})"
            ax.scatter(
                j + 0.5, i + 0.5, s=area, marker=marker, facecolors=face, edgecolors="black",
                linewidths=0.6, label=label,
            )  # fmt: skip
        ax.legend(
            loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2, frameon=False,
            fontsize="small", handletextpad=0.2, columnspacing=1.0, markerscale=1.5,
        )  # fmt: skip
    else:
        values = spins[..., -1] if manifold == "sphere" else spins
        image = ax.imshow(values, cmap="gray", interpolation="nearest")
        ax.figure.colorbar(image, ax=ax, label="spin", fraction=0.046, pad=0.03)
    ax.set(xticks=[], yticks=[])
    return ax
