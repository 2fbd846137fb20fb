"""Representatives on the field: the right ones, at their sites, cut where they go round."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from topoml import plot
from topoml._core.errors import InputError
from topoml.homology import cubical_persistence, representative

SHAPE = (9, 11)


def field(seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*SHAPE, generator=g, dtype=torch.float64).to(dtype)


def diagrams(x, dimensions=(0, 1), **options):
    return cubical_persistence(x, homology_dimensions=dimensions, **options)


def lines(ax):
    """Segments of each class, as sets of unordered ends."""
    return [
        {frozenset(map(tuple, s.tolist())) for s in c.get_segments()}
        for c in ax.collections
        if hasattr(c, "get_segments")
    ]


def markers(ax):
    return [
        tuple(c.get_offsets()[0].tolist()) for c in ax.collections if not hasattr(c, "get_segments")
    ]


def entries(index):
    return [(float(i % SHAPE[1]), float(i // SHAPE[1])) for i in index.tolist()]


def longest(d, k, n):
    rows = (d.dimension == k).nonzero().squeeze(1)
    return sorted(rows.tolist(), key=lambda row: -float(d.lifetime[row]))[:n]


@pytest.mark.parametrize("superlevel", [False, True])
@pytest.mark.parametrize("construction", ["V", "T"])
def test_the_most_persistent_ones(ax, construction, superlevel):
    x = field()
    d = diagrams(x, construction=construction, superlevel=superlevel)
    assert plot.representatives(x, d, construction=construction, n=3, ax=ax) is ax
    drawn = markers(ax)
    first = longest(d, 0, 2)  # after the essential one
    second = longest(d, 1, 3)
    expected = entries(d.essential_index)
    for row in first + second:
        expected += entries(d.birth_index[row : row + 1]) + entries(d.death_index[row : row + 1])
    assert drawn == expected
    assert len(lines(ax)) == 6


def test_an_outline_is_that_of_the_component(ax):
    """From the left border to a site of it, one crosses the outline an odd number of times."""
    x = field(1)
    d = diagrams(x, (0,))
    plot.representatives(x, d, n=4, ax=ax)
    for row, segments in zip(longest(d, 0, 3), lines(ax)[1:], strict=True):
        sites = representative(x, d, row).sites
        for i in range(SHAPE[0]):
            for j in range(SHAPE[1]):
                left = {frozenset([(k - 0.5, i - 0.5), (k - 0.5, i + 0.5)]) for k in range(j + 1)}
                assert len(left & segments) % 2 == int(sites[i, j])


@pytest.mark.parametrize("construction", ["V", "T"])
def test_a_cycle_is_drawn_through_its_sites(ax, construction):
    x = field(2)
    d = diagrams(x, (1,), construction=construction)
    plot.representatives(x, d, construction=construction, n=2, ax=ax)
    for row, segments in zip(longest(d, 1, 2), lines(ax), strict=True):
        expected = set()
        for loop in representative(x, d, row, construction=construction).loops:
            sites = entries(loop)
            expected |= {frozenset(p) for p in zip(sites, sites[1:] + sites[:1], strict=True)}
        assert segments == expected


def test_lines_leave_the_picture_where_they_go_round(ax):
    x = torch.arange(99.0).reshape(SHAPE)
    d = diagrams(x, (1,), periodic=True)
    plot.representatives(x, d, periodic=True, ax=ax)
    segments = set().union(*lines(ax))
    assert all(max(np.abs(np.subtract(*s))) <= 1 for s in segments)
    assert frozenset([(-1, 0), (0, 0)]) in segments
    assert frozenset([(10, 0), (11, 0)]) in segments
    assert (ax.get_xlim(), ax.get_ylim()) == ((-0.5, 10.5), (8.5, -0.5))


def test_a_periodic_component_has_no_side_at_the_border(ax):
    x = torch.full(SHAPE, 2.0)
    x[4, 0] = x[4, -1] = 0.0
    x[4, 5] = -1.0
    d = diagrams(x, (0,), periodic=True)
    plot.representatives(x, d, periodic=True, ax=ax)
    _, component = lines(ax)
    assert len(component) == 6
    assert frozenset([(-0.5, 3.5), (-0.5, 4.5)]) not in component


def test_the_field_is_below(ax):
    x = field(dtype=torch.bfloat16).requires_grad_()
    plot.representatives(x, diagrams(x), ax=ax)
    np.testing.assert_array_equal(ax.images[0].get_array(), x.detach().double().numpy())
    (bar,) = [a for a in ax.figure.axes if a is not ax]
    assert bar.get_ylabel() == "field"


def test_legend_by_dimension(ax):
    x = field()
    plot.representatives(x, diagrams(x, (0, 1, 2), periodic=True), periodic=True, ax=ax)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["$H_0$", "$H_1$"]
    colours = {tuple(np.ravel(h.get_color())) for h in ax.get_legend().legend_handles}
    assert len(colours) == 2


@pytest.mark.parametrize("x", [torch.full((3, 3), torch.inf), torch.zeros(1, 1)])
def test_few_classes(ax, x):
    plot.representatives(x, diagrams(x), ax=ax)


def test_none_asked_for(ax):
    plot.representatives(field(), diagrams(field()), n=0, ax=ax)
    assert not ax.collections
    assert ax.get_legend() is None


def test_a_new_figure(open_figures):
    ax = plot.representatives(field(), diagrams(field()))
    assert open_figures() == 1
    plt.close(ax.figure)


@pytest.mark.parametrize(
    ("x", "d", "options", "match"),
    [
        (field()[None], diagrams(field()[None]), {}, "batch_shape"),
        (field(), diagrams(field()[None]), {}, "batch_shape"),
        (field()[None], diagrams(field()), {}, "`x` has shape"),
        (field() + 1, diagrams(field()), {}, "`diagrams` has"),
        (field(), diagrams(field()), {"n": -1}, "`n` is -1"),
        (field(), diagrams(field()), {"n": 1.5}, "`n` is 1.5"),
        (field(), diagrams(field()), {"construction": "F"}, "`construction` is 'F'"),
    ],
)
def test_refused(x, d, options, match, open_figures):
    with pytest.raises(InputError, match=match):
        plot.representatives(x, d, **options)
    assert open_figures() == 0
