"""wasserstein against gudhi with POT, against all matchings, and against its own optimality."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from gudhi.wasserstein import wasserstein_distance
from hypothesis import given
from hypothesis import strategies as st

from tests.features.made import diagrams, made, of_sample
from topoml.distances import wasserstein
from topoml.distances._pairs import pairs_of
from topoml.distances.wasserstein import match
from topoml.kernels.matching import _bid, _nearest

OPTIONS = list(itertools.product((1.0, 2.0, 3.0), (1.0, 2.0, math.inf, 1.5)))


def sublevel(d, i, k):
    """Finite points and essential births (with death inf) as gudhi takes them."""
    finite, essential = of_sample(d, i, k)
    sign = -1.0 if d.superlevel else 1.0
    infinite = np.stack([sign * essential, np.full(len(essential), np.inf)], 1)
    return np.concatenate([sign * finite, infinite]), len(essential)


@given(diagrams(), st.sampled_from(OPTIONS), st.integers(0, 2**32), st.booleans())
def test_equals_gudhi(d, options, seed, keep):
    order, internal_p = options
    other = d[torch.from_numpy(np.random.default_rng(seed).permutation(len(d)))]
    ours = wasserstein(
        d, other, order=order, internal_p=internal_p, keep_essential_parts=keep
    ).tolist()
    for i, value in enumerate(ours):
        total = 0.0
        for k in d.homology_dimensions:
            (x, n), (y, m) = sublevel(d, i, k), sublevel(other, i, k)
            if keep and n != m:
                total = math.inf
                continue
            if not keep:
                x, y = x[: len(x) - n], y[: len(y) - m]
            x, y = (np.concatenate([z, [[0.0, 0.0]]]) for z in (x, y))  # POT wants a finite class
            cost = wasserstein_distance(x, y, order=order, internal_p=internal_p)
            total += cost**order
        # the sum of 60 costs of at most 5^3 on both sides, before the root
        assert value == pytest.approx(total ** (1 / order), rel=1e-12, abs=1e-12 ** (1 / order))


def test_dimensions_are_not_mixed():
    """A class cannot meet one of another dimension; costs add up before the root."""
    a, b = made([[(0, 0.0, 4.0)]]), made([[(1, 0.0, 4.0)]])
    assert wasserstein(a, b).tolist() == [4.0]
    assert wasserstein(a, b, order=2).tolist() == [math.sqrt(8.0)]


def best_by_brute_force(a, b, order, p):
    """The least cost over all injections of some of a into b."""

    def norm(x, y):
        return np.linalg.norm([x, y], p) ** order

    alone_a = [norm((d - b_) / 2, (d - b_) / 2) for b_, d in a]
    alone_b = [norm((d - b_) / 2, (d - b_) / 2) for b_, d in b]
    best = math.inf
    for size in range(min(len(a), len(b)) + 1):
        for rows in itertools.combinations(range(len(a)), size):
            for columns in itertools.permutations(range(len(b)), size):
                cost = sum(norm(*(a[i] - b[j])) for i, j in zip(rows, columns, strict=True))
                cost += sum(alone_a) - sum(alone_a[i] for i in rows)
                cost += sum(alone_b) - sum(alone_b[j] for j in columns)
                best = min(best, cost)
    return best ** (1 / order)


@given(st.integers(0, 2**32), st.integers(0, 4), st.integers(0, 4), st.sampled_from(OPTIONS))
def test_equals_all_matchings(seed, n, m, options):
    rng = np.random.default_rng(seed)
    a, b = (np.cumsum(rng.integers(0, 4, (k, 2)) / 2.0, 1) for k in (n, m))
    ours = wasserstein(
        *(made([[(1, *row) for row in x]]) for x in (a, b)), order=options[0], internal_p=options[1]
    )
    assert float(ours) == pytest.approx(best_by_brute_force(a, b, *options), abs=1e-12)


@pytest.mark.parametrize("kind", ["noise", "long", "ties", "clusters", "crowd"])
@pytest.mark.parametrize(("n", "m"), [(150, 150), (200, 37), (5, 300)])
def test_large_diagrams(kind, n, m):
    """Beyond the lists of nearest columns: long searches, prices, rows that go without."""
    rng = np.random.default_rng(n + m)

    def points(k):
        birth, life = rng.normal(size=k), rng.exponential(0.2, k)
        if kind == "long":
            birth, life = rng.random(k), 2 + rng.random(k)
        if kind == "ties":
            birth, life = rng.integers(0, 4, k) / 4, rng.integers(1, 5, k) / 4
        if kind == "clusters":
            birth, life = rng.integers(0, 2, k) + 1e-3 * rng.random(k), 1 + 1e-3 * rng.random(k)
        if kind == "crowd":  # the longer the nearer, for all: bids go beyond the lists
            birth, life = 1e-3 * rng.random(k), 9 + np.linspace(0, 1, k) ** 2
        return np.stack([birth, birth + life], 1)

    x, y = points(n), points(m)
    a, b = (made([[(0, *row) for row in z]]) for z in (x, y))
    for order, p in ((2.0, 2.0), (1.0, math.inf)):
        theirs = wasserstein_distance(x, y, order=order, internal_p=p)
        assert float(wasserstein(a, b, order=order, internal_p=p)) == pytest.approx(
            theirs, rel=1e-9
        )


@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 9))
def test_bids_go_beyond_the_lists(seed, room, m):
    rng = np.random.default_rng(seed)
    gain, price = rng.integers(-6, 3, (1, m)) / 2.0, -rng.integers(0, 5, m) / 2.0
    near = np.empty((1, min(room, m)), np.int64)
    _nearest(gain, near)
    listed = near[0][near[0] >= 0]
    assert gain[0, listed].tolist() == sorted(gain[0][gain[0] < 0])[:room]
    best, second, at = _bid(gain[0], near[0], price)
    reduced = gain[0] - price
    assert [best, second] == sorted([*reduced, 0.0, 0.0])[:2]
    assert (reduced[at] == best) if at >= 0 else best == 0.0


def test_matching_is_one():
    """Every class once: met or on the diagonal."""
    rng = np.random.default_rng(0)
    x, y = (np.cumsum(rng.random((n, 2)), 1) for n in (60, 80))
    a, b = (made([[(0, *row) for row in z]], homology_dimensions=(0,)) for z in (x, y))
    found = match(pairs_of(a, b), 2.0, 2.0)
    for rows, alone, n in (
        (found.both[0], found.alone_a[0], 60),
        (found.both[1], found.alone_b[0], 80),
    ):
        assert sorted([*rows, *alone]) == list(range(n))


def test_essential_classes():
    a = made([[(0, 0.0, math.inf), (0, 3.0, math.inf), (1, 0.0, 1.0)]])
    b = made([[(0, 2.0, math.inf), (0, 1.0, math.inf), (1, 0.0, 1.0)]])
    assert wasserstein(a, b).tolist() == [2.0]
    assert wasserstein(a, b, order=2).tolist() == [math.sqrt(2.0)]
    c = made([[(0, 2.0, math.inf), (1, 1.0, math.inf), (1, 0.0, 1.0)]])
    c.points.requires_grad_()
    value = wasserstein(a, c)
    assert value.tolist() == [math.inf]
    value.sum().backward()
    assert not c.points.grad.any()
    assert wasserstein(a, c, keep_essential_parts=False).tolist() == [0.0]


def test_classes_of_infinite_birth():
    a = made([[(0, -math.inf, 0.0), (0, -math.inf, 2.0), (0, -math.inf, math.inf)]])
    b = made([[(0, -math.inf, 3.0), (0, -math.inf, 0.5), (0, -math.inf, math.inf)]])
    assert wasserstein(a, b).tolist() == [1.5]
    assert wasserstein(a, made([[]])).tolist() == [math.inf]
    assert wasserstein(made([[(0, -math.inf, math.inf)]]), made([[]])).tolist() == [math.inf]


def test_gradient_moves_a_class_to_its_partner():
    a, b = made([[(0, 0.0, 4.0), (0, 0.0, 1.0)]]), made([[(0, 1.0, 6.0)]])
    a.points.requires_grad_()
    (grad,) = torch.autograd.grad(wasserstein(a, b, order=2, internal_p=2) ** 2, a.points)
    # 2 (x - y) for the first; the second goes to the diagonal at (d - b)^2 / 2
    torch.testing.assert_close(grad, torch.tensor([[-2.0, -4.0], [-1.0, 1.0]]).double())


@pytest.mark.parametrize(("order", "internal_p"), [(1.0, 1.0), (2.0, 2.0), (3.0, 1.5)])
def test_second_derivative(order, internal_p):
    a, b = made([[(0, 0.0, 4.0), (1, 0.0, 1.0)]]), made([[(0, 1.0, 6.0)]])

    def run(points):
        return wasserstein(replace(a, points=points), b, order=order, internal_p=internal_p)

    assert torch.autograd.gradgradcheck(run, a.points.clone().requires_grad_())


def test_one_class_against_a_hundred_thousand():
    birth = np.random.default_rng(1).random(100_000)
    big = made([[(0, x, x + 1e-3) for x in birth]])
    value = wasserstein(made([[(0, 0.5, 2.0)]]), big)
    assert float(value) == pytest.approx(0.75 + 100_000 * 0.5e-3, rel=1e-9)
