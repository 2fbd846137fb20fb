"""Configurations: the right pixels, and vortices at their plaquettes."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from topoml import plot
from topoml._core.errors import InputError
from topoml.lattice import vortices


def pixels(ax):
    (image,) = ax.images
    return np.asarray(image.get_array())


def with_one_pair(size=12):
    """Angles around a vortex at (3.5, 3.5) and an antivortex at (8.5, 7.5)."""
    i, j = np.mgrid[:size, :size]
    return np.arctan2(j - 3.5, i - 3.5) - np.arctan2(j - 7.5, i - 8.5)


def test_vortices_stand_on_their_plaquettes(ax):
    theta = with_one_pair()
    charge = vortices(theta)
    assert plot.configuration(theta, manifold="circle", ax=ax) is ax
    plus, minus = (np.asarray(c.get_offsets()) for c in ax.collections)
    assert [3.5, 3.5] in plus.tolist()
    assert [7.5, 8.5] in minus.tolist()  # columns are x, rows are y
    for points, sign in ((plus, 1), (minus, -1)):
        found = np.zeros_like(charge)
        column, row = points.astype(int).T
        found[row, column] = sign
        np.testing.assert_array_equal(found, np.where(charge == sign, sign, 0))


def test_legend_counts_vortices(ax):
    theta = np.random.default_rng(0).uniform(-3, 3, (12, 12))
    plot.configuration(theta, manifold="circle", ax=ax)
    n = int((vortices(theta) == 1).sum())
    assert n > 0
    texts = [t.get_text() for t in ax.get_legend().get_texts()]
    assert texts == [f"vortex ({n})", f"antivortex ({n})"]


def test_angles_are_drawn_on_one_turn(ax):
    theta = np.random.default_rng(1).uniform(-6, 6, (5, 7))
    plot.configuration(theta, manifold="circle", ax=ax)
    np.testing.assert_allclose(pixels(ax), np.mod(theta, 2 * np.pi))
    assert ax.images[0].get_clim() == (0, 2 * np.pi)
    assert pixels(ax).shape == (5, 7)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ">f8"])
def test_any_float(ax, dtype):
    plot.configuration(with_one_pair().astype(dtype), manifold="circle", ax=ax)


@pytest.mark.parametrize(
    ("manifold", "dtype"), [("real", np.int8), ("real", float), ("discrete", np.uint8)]
)
def test_scalars_and_labels(ax, manifold, dtype):
    x = np.arange(6).reshape(2, 3).astype(dtype)
    plot.configuration(x, manifold=manifold, ax=ax)
    np.testing.assert_array_equal(pixels(ax), x)
    assert ax.get_legend() is None


def test_last_component_of_vectors(ax):
    x = np.random.default_rng(2).normal(size=(4, 5, 3))
    plot.configuration(x, manifold="sphere", ax=ax)
    np.testing.assert_array_equal(pixels(ax), x[..., 2])


def test_a_bar_says_what_is_drawn(ax):
    plot.configuration(np.zeros((4, 4)), manifold="circle", ax=ax)
    (bar,) = [a for a in ax.figure.axes if a is not ax]
    assert bar.get_ylabel() == "angle"


@pytest.mark.parametrize(
    ("shape", "manifold"),
    [((2, 4, 4), "circle"), ((4,), "real"), ((4, 4), "sphere"), ((2, 4, 4, 3), "sphere")],
)
def test_wrong_shape(shape, manifold, open_figures):
    with pytest.raises(InputError, match="`spins` has shape") as caught:
        plot.configuration(np.zeros(shape), manifold=manifold)
    assert str(shape) in str(caught.value)
    assert open_figures() == 0


def test_unknown_manifold(open_figures):
    with pytest.raises(InputError, match="`manifold` is 'circel'"):
        plot.configuration(np.zeros((4, 4)), manifold="circel")
    assert open_figures() == 0


def test_a_new_figure(open_figures):
    ax = plot.configuration(with_one_pair(), manifold="circle")
    assert open_figures() == 1
    plt.close(ax.figure)
