"""Curves of a detection with the transition that was read off them."""

import math

import numpy as np
from matplotlib.axes import Axes

from .._core.errors import InputError
from ..phases import Curve, Transition
from ._style import COLOURS, MARKERS, new_axes

__all__ = ["crossings", "stiffness", "transition"]


def transition(found: Transition, *, ax: Axes | None = None) -> Axes:
    """Draw what the estimate was read off: K_eff with the fit, or the curves that cross.

    Raises:
        InputError: No curves; so of `crossings` and `stiffness`.
    """
    name, _ = _leading(found)
    draw = stiffness if name.startswith("K_eff") or "jump" in found.diagnostics else crossings
    return draw(found, ax=ax)


def _leading(found: Transition) -> tuple[str, tuple[Curve, ...]]:
    if not found.curves:
        raise InputError("`found` has no curves; expected a Transition from detect.")
    return next(iter(found.curves.items()))


def _band(ax: Axes, found: Transition) -> None:
    if found.estimate is None or found.error is None:
        return
    ax.axvspan(found.estimate - found.error, found.estimate + found.error, color="0.85", lw=0)
    ax.axvline(
        found.estimate, color="0.4", lw=0.8, label=f"$T$ = {found.estimate:.4f} ± {found.error:.4f}"
    )


def _points(ax: Axes, curves: tuple[Curve, ...]) -> None:
    for i, curve in enumerate(curves):
        ax.errorbar(
            curve.temperature, curve.value, curve.error, label=f"$L$ = {curve.size}", ms=4,
            color=COLOURS[i % len(COLOURS)], marker=MARKERS[i % len(MARKERS)], capsize=2, lw=0.8,
        )  # fmt: skip


def crossings(found: Transition, *, ax: Axes | None = None) -> Axes:
    """Draw the leading quantity of every size against temperature, and the transition."""
    name, curves = _leading(found)
    ax = new_axes(ax)
    _band(ax, found)
    _points(ax, curves)
    ax.set(xlabel="temperature", ylabel=name.replace("K_eff", r"$K_\mathrm{eff}$"))
    ax.locator_params(axis="x", nbins=6)
    ax.legend(frameon=False, fontsize="small")
    return ax


def stiffness(found: Transition, *, ax: Axes | None = None) -> Axes:
    """Draw the stiffness of every size, its values at the transition by the fit, and the jump."""
    name, curves = _leading(found)
    ax = new_axes(ax)
    _band(ax, found)
    _points(ax, curves)
    jump = found.diagnostics.get("jump")
    if jump is not None:
        ax.axhline(jump, color="0.4", lw=0.8, ls=":", label=f"universal {jump:.4f}")
        if found.estimate is not None:
            constant, slope = found.diagnostics["C"], found.diagnostics["slope"]
            fit = [jump + slope / (math.log(curve.size) + constant) for curve in curves]
            ax.plot(
                np.full(len(fit), found.estimate), fit, "_", color="black", ms=10, mew=1.6,
                label=r"fit $j + s/(\ln L + C)$",
            )  # fmt: skip
    ax.set(xlabel="temperature", ylabel=name.replace("K_eff", r"$K_\mathrm{eff}$"))
    ax.locator_params(axis="x", nbins=6)
    ax.legend(frameon=False, fontsize="small")
    return ax
