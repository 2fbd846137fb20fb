"""Barcodes: a bar a class, of its length, and the infinite ones to the line of infinity."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from topoml import plot
from topoml._core.errors import InputError
from topoml.homology import cubical_persistence


def diagrams(*, superlevel=False, dimensions=(0, 1, 2), batch=()):
    x = torch.randn(*batch, 8, 8, generator=torch.Generator().manual_seed(0))
    return cubical_persistence(
        x, homology_dimensions=dimensions, periodic=True, superlevel=superlevel
    )


def bars(ax):
    """For each dimension the (first, last, height) of its bars."""
    found = []
    for lines in ax.collections:
        ends = np.array([s for s in lines.get_segments() if len(s)]).reshape(-1, 2, 2)
        assert (ends[:, 0, 1] == ends[:, 1, 1]).all()
        found.append(np.stack([ends[:, 0, 0], ends[:, 1, 0], ends[:, 0, 1]], 1))
    return found


def infinities(ax):
    return {line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"}


@pytest.mark.parametrize("superlevel", [False, True])
@pytest.mark.parametrize("dimensions", [(0,), (0, 1), (0, 1, 2)])
def test_every_class_has_a_bar(ax, superlevel, dimensions):
    d = diagrams(superlevel=superlevel, dimensions=dimensions)
    assert plot.barcode(d, ax=ax) is ax
    (end,) = infinities(ax)
    assert (end < d.points.min()) if superlevel else (end > d.points.max())
    found = bars(ax)
    for k, rows in zip(dimensions, found, strict=True):
        finite = d.points[d.dimension == k].tolist()
        never = [[b, end] for b in d.essential[d.essential_dimension == k].tolist()]
        np.testing.assert_allclose(sorted(rows[:, :2].tolist()), sorted(finite + never))
        births = -rows[:, 0] if superlevel else rows[:, 0]
        assert (np.diff(births) >= 0).all()
    heights = np.concatenate(found)[:, 2]
    assert sorted(heights) == list(range(len(heights)))
    assert (np.diff(heights) > 0).all()


def test_the_sign_of_infinity(ax):
    plot.barcode(diagrams(), ax=ax)
    assert [t.get_text() for t in ax.texts] == [r"$\infty$"]
    plt.close(ax.figure)
    ax = plot.barcode(diagrams(superlevel=True))
    assert [t.get_text() for t in ax.texts] == [r"$-\infty$"]
    plt.close(ax.figure)


def test_born_at_minus_infinity(ax):
    x = torch.tensor([[0.0, 3.0, -math.inf, 5.0, 1.0]])
    plot.barcode(cubical_persistence(x, homology_dimensions=(0,)), ax=ax)
    low, high = sorted(infinities(ax))
    (rows,) = bars(ax)
    assert rows[:, :2].tolist() == [[low, high], [0.0, 3.0], [1.0, 5.0]]
    assert low < 0.0
    assert high > 5.0
    assert {t.get_text() for t in ax.texts} == {r"$\infty$", r"$-\infty$"}


def test_legend_by_dimension(ax):
    plot.barcode(diagrams(), ax=ax)
    legend = ax.get_legend()
    assert [t.get_text() for t in legend.get_texts()] == ["$H_2$", "$H_1$", "$H_0$"]
    colours = [tuple(np.ravel(h.get_color())) for h in legend.legend_handles]
    assert len(set(colours)) == 3
    drawn = [tuple(lines.get_color()[0]) for lines in ax.collections]
    assert colours == drawn[::-1]
    assert ax.get_xlabel() == "filtration value"


def test_no_classes_at_all(ax):
    d = cubical_persistence(torch.full((3, 3), torch.inf), homology_dimensions=(0, 1))
    plot.barcode(d, ax=ax)
    assert [len(rows) for rows in bars(ax)] == [0, 0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_dtype_with_a_gradient(ax, dtype):
    x = torch.randn(5, 5).to(dtype).requires_grad_()
    plot.barcode(cubical_persistence(x, homology_dimensions=(0, 1)), ax=ax)


def test_a_new_figure(open_figures):
    ax = plot.barcode(diagrams())
    assert open_figures() == 1
    plt.close(ax.figure)


@pytest.mark.parametrize("batch", [(2,), (1,), (2, 3)])
def test_a_batch_is_refused(batch, open_figures):
    with pytest.raises(InputError, match="expected a single sample") as caught:
        plot.barcode(diagrams(batch=batch))
    assert str(batch) in str(caught.value)
    assert open_figures() == 0
