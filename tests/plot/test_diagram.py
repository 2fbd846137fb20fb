"""Persistence diagrams: every class once, essential ones on the line marked with infinity."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from topoml import plot
from topoml._core.errors import InputError
from topoml.homology import cubical_persistence


def diagrams(*, superlevel=False, dimensions=(0, 1), batch=()):
    x = torch.randn(*batch, 8, 8, generator=torch.Generator().manual_seed(0))
    return cubical_persistence(
        x, homology_dimensions=dimensions, periodic=True, superlevel=superlevel
    )


def drawn(ax):
    return np.concatenate([np.asarray(c.get_offsets()) for c in ax.collections])


@pytest.mark.parametrize("superlevel", [False, True])
def test_every_class_is_drawn_where_it_belongs(ax, superlevel):
    d = diagrams(superlevel=superlevel)
    assert plot.diagram(d, ax=ax) is ax
    points = drawn(ax)
    assert len(points) == len(d.points) + len(d.essential)
    assert not superlevel or (d.points[:, 0] > d.points[:, 1]).all()
    line = (min if superlevel else max)(points[:, 1])
    on_it = points[:, 1] == line
    np.testing.assert_allclose(np.sort(points[on_it, 0]), d.essential.sort().values, rtol=1e-6)
    expected = d.points.numpy()
    finite = points[~on_it]
    order = [np.lexsort(p.T) for p in (finite, expected)]
    np.testing.assert_allclose(finite[order[0]], expected[order[1]], rtol=1e-6)


@pytest.mark.parametrize("superlevel", [False, True])
def test_infinity(ax, superlevel):
    d = diagrams(superlevel=superlevel)
    plot.diagram(d, ax=ax)
    (sign,) = [t for t in ax.texts if "infty" in t.get_text()]
    assert sign.get_text() == ("$-\\infty$" if superlevel else "$\\infty$")
    height = sign.xy[1]
    assert (height < d.points.min()) if superlevel else (height > d.points.max())
    dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert [set(line.get_ydata()) for line in dashed] == [{height}]


def test_diagonal(ax):
    d = diagrams()
    plot.diagram(d, ax=ax)
    (diagonal,) = [line for line in ax.lines if line.get_linestyle() == "-"]
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    low, high = diagonal.get_xdata()
    assert low < d.points.min() < d.points.max() < high


@pytest.mark.parametrize("dimensions", [(0,), (1,), (0, 1), (0, 1, 2)])
def test_legend_by_dimension(ax, dimensions):
    plot.diagram(diagrams(dimensions=dimensions), ax=ax)
    texts = [t.get_text() for t in ax.get_legend().get_texts()]
    assert texts == [f"$H_{k}$" for k in dimensions]
    handles = ax.get_legend().legend_handles
    colours = {tuple(h.get_facecolor()[0]) for h in handles}
    assert len(colours) == len(dimensions)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("birth", "death")


def test_colours_are_those_of_the_dimension(ax):
    """Finite and essential classes of one dimension look the same."""
    d = diagrams()
    plot.diagram(d, ax=ax)
    for k, (finite, never) in enumerate(
        zip(ax.collections[::2], ax.collections[1::2], strict=True)
    ):
        assert len(finite.get_offsets()) == (d.dimension == k).sum()
        assert len(never.get_offsets()) == (d.essential_dimension == k).sum()
        np.testing.assert_array_equal(finite.get_facecolor(), never.get_facecolor())


def test_no_classes_at_all(ax):
    d = cubical_persistence(torch.full((3, 3), torch.inf), homology_dimensions=(0, 1))
    assert d.points.numel() == d.essential.numel() == 0
    plot.diagram(d, ax=ax)


def test_one_value(ax):
    plot.diagram(cubical_persistence(torch.zeros(3, 3), homology_dimensions=(0,)), ax=ax)
    low, high = ax.get_ylim()
    assert high > low


def test_with_a_gradient(ax):
    x = torch.randn(5, 5, requires_grad=True)
    plot.diagram(cubical_persistence(x, homology_dimensions=(0, 1)), ax=ax)


def test_a_new_figure(open_figures):
    ax = plot.diagram(diagrams())
    assert open_figures() == 1
    plt.close(ax.figure)


@pytest.mark.parametrize("batch", [(2,), (1,), (2, 3)])
def test_a_batch_is_refused(batch, open_figures):
    with pytest.raises(InputError, match="expected a single sample") as caught:
        plot.diagram(diagrams(batch=batch))
    assert str(batch) in str(caught.value)
    assert open_figures() == 0
