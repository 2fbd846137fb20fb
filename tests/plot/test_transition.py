"""Curves of a detection: all points, the band of the estimate, the fit."""

import ast
import math
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

import topoml
from topoml import plot
from topoml._core.errors import InputError
from topoml.phases import Curve, Transition

T = np.linspace(1, 2, 5)


def curve(size, value):
    noise = np.random.default_rng(size).normal(size=(20, 5)) * 0.01
    return Curve(size, T, value(T), value(T) + noise)


CURVES = (curve(8, lambda t: t), curve(16, lambda t: 2 * t - 1.5), curve(32, lambda t: 3 * t - 3))
FIT = {"jump": 0.6365, "slope": 0.3189, "C": 0.7, "c": (1.0, 0.0)}


def crossing():
    return Transition(1.5, 0.1, None, "crossing", curves={"quantity": CURVES, "other": CURVES[:1]})


def stiff(estimate=1.5, name="K_eff from x", diagnostics=FIT):
    error = None if estimate is None else 0.1
    reason = "none" if estimate is None else None
    return Transition(
        estimate, error, reason, "flow", curves={name: CURVES}, diagnostics=diagnostics
    )


def texts(ax):
    return [t.get_text() for t in ax.get_legend().get_texts()]


@pytest.mark.parametrize(
    ("draw", "found"),
    [(plot.crossings, crossing()), (plot.stiffness, stiff()), (plot.transition, crossing()),
     (plot.transition, stiff()), (plot.transition, stiff(None, diagnostics={}))],
)  # fmt: skip
class TestAll:
    def test_points_and_bars(self, ax, draw, found):
        assert draw(found, ax=ax) is ax
        assert len(ax.containers) == len(CURVES)
        for container, c in zip(ax.containers, CURVES, strict=True):
            line, _, (bars,) = container
            np.testing.assert_array_equal(line.get_xdata(), c.temperature)
            np.testing.assert_array_equal(line.get_ydata(), c.value)
            ends = np.array([segment[:, 1] for segment in bars.get_segments()])
            np.testing.assert_allclose(ends, np.stack([c.value - c.error, c.value + c.error], 1))

    def test_legend_and_labels(self, ax, draw, found):
        draw(found, ax=ax)
        assert {"$L$ = 8", "$L$ = 16", "$L$ = 32"} <= set(texts(ax))
        assert ax.get_xlabel() == "temperature"
        name = next(iter(found.curves))
        assert ax.get_ylabel().replace(r"$K_\mathrm{eff}$", "K_eff") == name

    def test_sizes_are_told_apart_without_colour(self, ax, draw, found):
        draw(found, ax=ax)
        lines = [container[0] for container in ax.containers]
        assert len({line.get_marker() for line in lines}) == len(CURVES)
        assert len({line.get_color() for line in lines}) == len(CURVES)

    def test_a_new_figure(self, draw, found, open_figures):
        ax = draw(found)
        assert open_figures() == 1
        plt.close(ax.figure)


@pytest.mark.parametrize("found", [crossing(), stiff()])
def test_band_of_the_estimate(ax, found):
    plot.transition(found, ax=ax)
    (band,) = ax.patches
    box = band.get_extents().transformed(ax.transData.inverted())
    assert (box.x0, box.x1) == pytest.approx((1.4, 1.6))
    assert "$T$ = 1.5000 ± 0.1000" in texts(ax)


@pytest.mark.parametrize(
    "found", [stiff(None), Transition(None, None, "r", "m", curves={"q": CURVES})]
)
def test_no_band_without_an_estimate(ax, found):
    plot.transition(found, ax=ax)
    assert len(ax.patches) == 0
    assert not any("±" in t for t in texts(ax))


def test_jump_and_fit(ax):
    plot.stiffness(stiff(), ax=ax)
    assert "universal 0.6365" in texts(ax)
    (level,) = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert set(level.get_ydata()) == {0.6365}
    assert texts(ax).count("fit of the flow") == 1
    fits = [line for line in ax.lines if len(line.get_xdata()) > len(T)]
    for fit, size in zip(fits, (8, 16, 32), strict=True):
        t, k = fit.get_xdata(), fit.get_ydata()
        here = np.isfinite(k)
        assert np.interp(1.5, t[here], k[here]) == pytest.approx(
            0.6365 + 0.3189 / (math.log(size) + 0.7), abs=1e-3
        )
        assert (np.diff(k[here]) < 0).all()
        assert 0.6365 - 0.2 * 0.6378 <= k[here].min() < k[here].max() <= 0.6365 + 0.3 * 0.6378


def test_which_picture(ax):
    """A stiffness by its name, or by the universal jump of other quantities."""
    plot.transition(stiff(name="helicity modulus / T"), ax=ax)
    assert "universal 0.6365" in texts(ax)


def test_crossings_have_no_jump(ax):
    plot.transition(crossing(), ax=ax)
    assert not any("universal" in t for t in texts(ax))


@pytest.mark.parametrize("draw", [plot.transition, plot.crossings, plot.stiffness])
def test_no_curves(draw, open_figures):
    with pytest.raises(InputError, match="`found` has no curves"):
        draw(Transition(None, None, "r", "m"))
    assert open_figures() == 0


def test_more_sizes_than_colours(ax):
    many = tuple(curve(size, lambda t: t) for size in range(8, 20))
    plot.crossings(Transition(None, None, "r", "m", curves={"q": many}), ax=ax)
    assert len(ax.containers) == 12


def test_only_plot_imports_matplotlib():
    """In the source, and at run time."""
    root = Path(topoml.__file__).parent
    for path in root.rglob("*.py"):
        if path.parent.name == "plot":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not any(a.name.startswith("matplotlib") for a in node.names), path
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("matplotlib"), path
    code = """
import sys, topoml.phases, topoml.nn, topoml.cli
print("matplotlib" in sys.modules)
import topoml.plot
print("matplotlib" in sys.modules)
"""
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.split() == ["False", "True"]
