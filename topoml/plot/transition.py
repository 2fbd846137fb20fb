"""Curves of a detection with the transition that was read off them."""

import math

import numpy as np
from matplotlib.axes import Axes

from .._core.errors import InputError
from ..phases import Curve, Transition
from ..phases.flow import kosterlitz
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


def _points(ax: Axes, curves: tuple[Curve, ...], *, joined: bool = True) -> None:
    for i, curve in enumerate(curves):
        ax.errorbar(
            curve.temperature, curve.value, curve.error, label=f"$L$ = {curve.size}", ms=4,
            color=COLOURS[i % len(COLOURS)], marker=MARKERS[i % len(MARKERS)], capsize=2, lw=0.8,
            ls="-" if joined else "none",
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


def _flow(ax: Axes, found: Transition, t_star: float, curves: tuple[Curve, ...]) -> None:
    """The fitted flow of each size, as far as the fit reaches."""
    d = found.diagnostics
    for i, curve in enumerate(curves):
        t = np.linspace(curve.temperature[0], curve.temperature[-1], 400)
        x = 1 - t / t_star
        c = sum(power * x ** (n + 1) for n, power in enumerate(d["c"]))
        u, *_ = kosterlitz(np.full_like(t, math.log(curve.size) + d["C"]), np.asarray(c))
        u[(u < -0.2) | (u > 0.3)] = math.nan
        ax.plot(
            t, d["jump"] + 2 * d["slope"] * u, color=COLOURS[i % len(COLOURS)], lw=1.2, alpha=0.7,
            label="fit of the flow" if i == 0 else None,
        )  # fmt: skip


def stiffness(found: Transition, *, ax: Axes | None = None) -> Axes:
    """Draw the stiffness of every size, the fitted flow with size, and the universal jump."""
    name, curves = _leading(found)
    ax = new_axes(ax)
    _band(ax, found)
    jump = found.diagnostics.get("jump")
    _points(ax, curves, joined=jump is None or found.estimate is None)
    if jump is not None:
        ax.axhline(jump, color="0.4", lw=0.8, ls=":", label=f"universal {jump:.4f}")
        if found.estimate is not None:
            _flow(ax, found, found.estimate, curves)
    ax.set(xlabel="temperature", ylabel=name.replace("K_eff", r"$K_\mathrm{eff}$"))
    ax.locator_params(axis="x", nbins=6)
    ax.legend(frameon=False, fontsize="small")
    return ax
