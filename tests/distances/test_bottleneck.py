"""bottleneck against the definition, a search over thresholds by scipy, and gudhi."""

import itertools
import math

import gudhi
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from tests.features.made import diagrams, made, of_sample
from topoml.distances import bottleneck

from .test_wasserstein import sublevel


def by_thresholds(x, y):
    """The least cost at which scipy matches all classes and as many places on the diagonal.

    gudhi 3.13's own is not the least one on a few diagrams.
    """
    n, m = len(x), len(y)
    cost = np.zeros((n + m, n + m))
    cost[:n, :m] = np.abs(x[:, None] - y).max(2)
    cost[:n, m:] = (x[:, 1:] - x[:, :1]) / 2
    cost[n:, :m] = (y[:, 1] - y[:, 0]) / 2
    values = np.unique(np.append(cost, 0.0))
    low, high = 0, len(values) - 1
    while low < high:
        middle = (low + high) // 2
        allowed = csr_matrix(cost <= values[middle])
        if (maximum_bipartite_matching(allowed, "column") >= 0).all():
            high = middle
        else:
            low = middle + 1
    return values[low]


@given(diagrams(), st.integers(0, 2**32))
def test_equals_search_over_thresholds(d, seed):
    other = d[torch.from_numpy(np.random.default_rng(seed).permutation(len(d)))]
    for i, value in enumerate(bottleneck(d, other, keep_essential_parts=False).tolist()):
        assert value == max(
            by_thresholds(*(sublevel(z, i, k)[0][: len(of_sample(z, i, k)[0])] for z in (d, other)))
            for k in d.homology_dimensions
        )


@pytest.mark.parametrize("n", [0, 1, 4])
def test_essential_classes_equal_gudhi(n):
    rng = np.random.default_rng(n)
    births = rng.random((2, n))
    points = rng.random((2, 3))
    a, b = (
        made([[(0, x, x + 0.25) for x in p] + [(0, x, math.inf) for x in e]])
        for p, e in zip(points, births, strict=True)
    )
    theirs = gudhi.bottleneck_distance(sublevel(a, 0, 0)[0], sublevel(b, 0, 0)[0], 0.0)
    assert float(bottleneck(a, b)) == pytest.approx(theirs, rel=1e-15)


def least_largest_move(a, b):
    """Over all injections of some of a into b."""
    best = math.inf
    for size in range(min(len(a), len(b)) + 1):
        for rows in itertools.combinations(range(len(a)), size):
            for columns in itertools.permutations(range(len(b)), size):
                moves = [np.abs(a[i] - b[j]).max() for i, j in zip(rows, columns, strict=True)]
                moves += [(a[i, 1] - a[i, 0]) / 2 for i in range(len(a)) if i not in rows]
                moves += [(b[j, 1] - b[j, 0]) / 2 for j in range(len(b)) if j not in columns]
                best = min(best, max(moves, default=0.0))
    return best


@given(st.integers(0, 2**32), st.integers(0, 4), st.integers(0, 4))
def test_equals_all_matchings(seed, n, m):
    rng = np.random.default_rng(seed)
    a, b = (np.cumsum(rng.integers(0, 5, (k, 2)) / 2.0, 1) for k in (n, m))
    ours = bottleneck(*(made([[(1, *row) for row in x]]) for x in (a, b)))
    assert float(ours) == least_largest_move(a, b)


@pytest.mark.parametrize(("n", "m"), [(400, 400), (300, 40), (3, 500)])
@pytest.mark.parametrize("life", [0.1, 5.0])
def test_large_diagrams(n, m, life):
    """Long lifetimes: everything must be matched, and searches are long."""
    rng = np.random.default_rng(n)
    x, y = (np.cumsum(np.stack([rng.random(k), life + rng.random(k)], 1), 1) for k in (n, m))
    ours = bottleneck(*(made([[(0, *row) for row in z]]) for z in (x, y)))
    assert float(ours) == pytest.approx(gudhi.bottleneck_distance(x, y, 0.0), rel=1e-15)


def test_largest_of_the_dimensions_and_of_essential_classes():
    a = made([[(0, 0.0, 4.0), (1, 0.0, 1.0), (1, 5.0, math.inf)]])
    b = made([[(0, 0.0, 4.5), (1, 0.25, 1.0), (1, 7.0, math.inf)]])
    assert bottleneck(a, b).tolist() == [2.0]
    assert bottleneck(a, b, keep_essential_parts=False).tolist() == [0.5]
    assert bottleneck(a.select(0), b.select(0)).tolist() == [0.5]
    assert bottleneck(a, made([[(0, 0.0, 4.0)]])).tolist() == [math.inf]


def test_gradient_is_that_of_the_deciding_pair():
    a = made([[(0, 0.0, 4.0), (0, 1.0, 2.0)]])
    b = made([[(0, 0.5, 5.5)]])
    leaves = [d.points.requires_grad_() for d in (a, b)]
    grads = torch.autograd.grad(bottleneck(a, b).sum(), leaves)
    assert [g.tolist() for g in grads] == [[[0.0, -1.0], [0.0, 0.0]], [[0.0, 1.0]]]
    grads = torch.autograd.grad(bottleneck(a, made([[(0, 0.0, 4.0)]])).sum(), leaves[0])
    assert grads[0].tolist() == [[0.0, 0.0], [-0.5, 0.5]]


def test_a_hundred_thousand_classes():
    rng = np.random.default_rng(1)
    birth = rng.random(100_000)
    big = made([[(0, x, x + 1e-3) for x in birth] + [(0, 0.0, 3.0)]])
    assert float(bottleneck(made([[(0, 0.25, 2.5)]]), big)) == 0.5
