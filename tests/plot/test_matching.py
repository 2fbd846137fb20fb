"""The matching: a line for every class, from it to its partner or to the diagonal."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from tests.features.made import made
from topoml import plot
from topoml._core.errors import InputError
from topoml.distances import wasserstein
from topoml.homology import cubical_persistence


def pair(*, superlevel=False):
    x = torch.randn(2, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return tuple(
        cubical_persistence(x, homology_dimensions=(0, 1), periodic=True, superlevel=superlevel)
    )


def segments(ax):
    return np.array(
        [s for c in ax.collections if hasattr(c, "get_segments") for s in c.get_segments()]
    )


@pytest.mark.parametrize("superlevel", [False, True])
@pytest.mark.parametrize(("order", "internal_p"), [(1.0, math.inf), (2.0, 2.0)])
def test_lines_add_up_to_the_distance(ax, superlevel, order, internal_p):
    a, b = pair(superlevel=superlevel)
    assert plot.matching(a, b, order=order, internal_p=internal_p, ax=ax) is ax
    moves = np.diff(segments(ax), axis=1)[:, 0]
    cost = (np.linalg.norm(moves, internal_p, axis=1) ** order).sum() ** (1 / order)
    assert cost == pytest.approx(float(wasserstein(a, b, order=order, internal_p=internal_p)))
    assert len(ax.lines) == 2  # the diagonal and infinity


def test_all_classes_are_drawn(ax):
    a, b = pair()
    plot.matching(a, b, ax=ax)
    drawn = sum(len(c.get_offsets()) for c in ax.collections if not hasattr(c, "get_segments"))
    assert drawn == sum(len(d.points) + len(d.essential) for d in (a, b))
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["$H_0$ of a", "$H_1$ of a", "$H_0$ of b", "$H_1$ of b"]


def test_unequal_essential_classes_stay_apart(ax):
    a, b = made([[(0, 0.0, math.inf), (0, 0.0, 1.0)]])[0], made([[(0, 0.0, 1.5)]])[0]
    plot.matching(a, b, ax=ax)
    assert segments(ax).tolist() == [[[0.0, 1.0], [0.0, 1.5]]]


def test_empty(ax):
    plot.matching(made([[]])[0], made([[]])[0], ax=ax)
    assert not len(segments(ax))


def test_a_new_figure(open_figures):
    ax = plot.matching(*pair())
    assert open_figures() == 1
    plt.close(ax.figure)


def test_refused(open_figures):
    a, b = pair()
    with pytest.raises(InputError, match="expected a single sample"):
        plot.matching(a[None], b)
    with pytest.raises(InputError, match="`order` is 0"):
        plot.matching(a, b, order=0)
    assert open_figures() == 0
