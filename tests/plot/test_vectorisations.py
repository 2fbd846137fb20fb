"""Pictures of vectorisations: what is drawn is what the functions give."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from tests.features.made import made
from topoml import features, plot
from topoml._core.errors import InputError

ROWS = [(0, 0.0, math.inf), (0, 0.5, 2.0), (0, 1.0, 1.5), (1, 1.0, 3.0), (1, 2.0, 3.5)]
D = made([ROWS])[0]
ENDS = {"resolution": 9, "sample_range": (0.0, 4.0)}


def lines(ax):
    return np.array([line.get_ydata() for line in ax.lines])


@pytest.mark.parametrize("superlevel", [False, True])
def test_betti_curve(ax, superlevel):
    d = D if not superlevel else made([[(k, -b, -e) for k, b, e in ROWS]], superlevel=True)[0]
    ends = ENDS if not superlevel else ENDS | {"sample_range": (-4.0, 0.0)}
    assert plot.betti_curve(d, **ends, ax=ax) is ax
    expected = features.betti_curve(d, **ends).reshape(2, 9)
    assert lines(ax).tolist() == expected.tolist()
    # constant up to the next birth or death, on the side on which the value holds
    assert {line.get_drawstyle() for line in ax.lines} == {
        "steps-pre" if superlevel else "steps-post"
    }
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["$H_0$", "$H_1$"]


def test_landscape(ax):
    plot.landscape(D, homology_dimension=1, num_landscapes=3, **ENDS, ax=ax)
    expected = features.persistence_landscape(D.select(1), num_landscapes=3, **ENDS)
    assert lines(ax).tolist() == expected.reshape(3, 9).tolist()
    assert lines(ax)[1].any()
    assert "H_1" in ax.get_ylabel()


def test_image(ax):
    options = {"bandwidth": 0.5, "resolution": (4, 3), "im_range": (0.0, 3.0, 0.0, 2.0)}
    plot.image(D, homology_dimension=1, **options, ax=ax)
    (drawn,) = ax.images
    expected = features.persistence_image(D.select(1), **options).reshape(3, 4)
    assert np.asarray(drawn.get_array()).tolist() == expected.tolist()
    assert drawn.get_extent() == [-0.5, 3.5, -0.5, 2.5]  # pixels of size 1 around 0 ... 3, 0 ... 2
    assert drawn.origin == "lower"


def test_ranges_hold_all_classes(ax):
    plot.betti_curve(D, ax=ax)
    x = ax.lines[0].get_xdata()
    assert x[0] < 0.0
    assert x[-1] > 3.5
    plot.image(D, homology_dimension=0, bandwidth=0.1, ax=ax)
    left, right, bottom, top = ax.images[0].get_extent()
    assert left < 0.5 < 1.0 < right
    assert bottom < 0.5 < 1.5 < top


def test_a_new_figure_and_gradients(open_figures):
    d = made([ROWS])[0]
    d.points.requires_grad_()
    axes = [
        plot.betti_curve(d),
        plot.landscape(d, homology_dimension=0),
        plot.image(d, homology_dimension=0, bandwidth=0.2, weight=lambda b, l: torch.ones_like(l)),  # noqa: E741
    ]
    assert open_figures() == 3
    for ax in axes:
        plt.close(ax.figure)


@pytest.mark.parametrize(
    "draw",
    [
        plot.betti_curve,
        lambda d: plot.landscape(d, homology_dimension=0),
        lambda d: plot.image(d, homology_dimension=0, bandwidth=0.1),
    ],
)
def test_a_batch_is_refused(draw, open_figures):
    with pytest.raises(InputError, match="expected a single sample"):
        draw(made([ROWS]))
    assert open_figures() == 0


def test_bad_arguments(open_figures):
    with pytest.raises(InputError, match="`resolution` is 0"):
        plot.betti_curve(D, resolution=0)
    with pytest.raises(InputError, match="`num_landscapes` is 0"):
        plot.landscape(D, homology_dimension=0, num_landscapes=0)
    with pytest.raises(InputError, match="`bandwidth` is 0"):
        plot.image(D, homology_dimension=0, bandwidth=0)
    for draw in (plot.landscape, lambda *a, **o: plot.image(*a, bandwidth=0.1, **o)):
        with pytest.raises(InputError, match=r"dimension.* is 2"):
            draw(D, homology_dimension=2)
    assert open_figures() == 0
