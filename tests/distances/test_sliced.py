"""sliced_wasserstein against gudhi, and against sorted arrays."""

import math

import numpy as np
import pytest
import torch
from gudhi.representations import SlicedWassersteinDistance, SlicedWassersteinKernel
from hypothesis import given
from hypothesis import strategies as st

from tests.features.made import diagrams, made, of_sample
from topoml.distances import sliced_wasserstein, sliced_wasserstein_kernel
from topoml.kernels.sliced import transport_gradient, transport_on_line


@given(diagrams(), st.sampled_from([2, 3, 10, 17]), st.integers(0, 2**32))
def test_equals_gudhi(d, n, seed):
    other = d[torch.from_numpy(np.random.default_rng(seed).permutation(len(d)))]
    ours = sliced_wasserstein(d, other, num_directions=n, keep_essential_parts=False)
    theirs = SlicedWassersteinDistance(num_directions=n)
    for i, value in enumerate(ours.tolist()):
        expected = sum(
            theirs(of_sample(d, i, k)[0], of_sample(other, i, k)[0]) for k in d.homology_dimensions
        )
        assert value == pytest.approx(expected, rel=1e-12, abs=1e-13)


def test_kernel_equals_gudhi():
    rng = np.random.default_rng(0)
    x, y = (np.cumsum(rng.random((n, 2)), 1) / 10 for n in (5, 7))
    a, b = (made([[(0, *row) for row in z]]) for z in (x, y))
    ours = sliced_wasserstein_kernel(a, b, num_directions=12, bandwidth=0.3)
    expected = SlicedWassersteinKernel(num_directions=12, bandwidth=0.3)(x, y)
    assert float(ours) == pytest.approx(expected, rel=1e-12)
    unequal = made([[(0, 0.0, math.inf)]])
    assert sliced_wasserstein_kernel(a, unequal).tolist() == [0.0]


def by_sorting(x, y, n):
    """The definition in torch: two sorted samples a direction."""
    theta = torch.arange(n - 1) * (math.pi / n) - math.pi / 2
    lines = torch.stack([theta.cos(), theta.sin()]).double()
    middle_x, middle_y = (z.mean(1, keepdim=True).expand(-1, 2) for z in (x, y))
    first = (torch.cat([x, middle_y]) @ lines).sort(0).values
    second = (torch.cat([y, middle_x]) @ lines).sort(0).values
    return (first - second).abs().sum(0).mean()


@pytest.mark.parametrize(("n", "m"), [(1, 1), (20, 30), (300, 250)])
def test_gradient_equals_that_of_sorting(n, m):
    rng = np.random.default_rng(n)
    x, y = (np.cumsum(rng.random((k, 2)), 1) for k in (n, m))
    a, b = (made([[(0, *row) for row in z]]) for z in (x, y))
    leaves = [d.points.requires_grad_() for d in (a, b)]
    value = sliced_wasserstein(a, b, num_directions=9)
    expected = by_sorting(*leaves, 9)
    torch.testing.assert_close(value[0], expected, rtol=1e-5, atol=0)  # float32 angles
    for ours, theirs in zip(
        torch.autograd.grad(value.sum(), leaves),
        torch.autograd.grad(expected, leaves),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@given(st.integers(0, 2**32), st.integers(0, 4), st.integers(0, 4))
def test_derivative_at_ties_is_the_mean_of_both_sides(seed, n, m):
    """Place by place, by central differences, which are exact for a piecewise linear function."""
    rng = np.random.default_rng(seed)
    sides = []
    for k in (n, m):
        place = np.sort(rng.integers(0, 3, 2 * k).astype(float))
        step = rng.permutation(np.repeat([1.0, -1.0], k))
        sides.append((place, step))

    def cost(places):
        """Of transport between the points of both, by sorting."""
        up, down = [], []
        for (_, step), place, sign in zip(sides, places, (1, -1), strict=True):
            up += place[sign * step > 0].tolist()
            down += place[sign * step < 0].tolist()
        return np.abs(np.sort(up) - np.sort(down)).sum()

    ends = [np.append(place, np.inf) for place, _ in sides]
    levels = [np.append(0.0, np.cumsum(step)) for _, step in sides]
    blocks = np.array([[0, 2 * n, 0, 2 * m]])
    value, out = np.empty(1), [np.zeros(2 * n + 1), np.zeros(2 * m + 1)]
    transport_on_line(ends[0], levels[0], ends[1], levels[1], blocks, value)
    assert value[0] == cost([place for place, _ in sides])
    transport_gradient(ends[0], levels[0], ends[1], levels[1], blocks, np.array([3.0]), *out)
    for side, grad in enumerate(out):
        for i in range(len(grad) - 1):
            moved = []
            for move in (0.5, -0.5):
                places = [place.copy() for place, _ in sides]
                places[side][i] += move
                moved.append(cost(places))
            assert grad[i] == 3.0 * (moved[0] - moved[1])


def test_essential_classes():
    a = made([[(0, 0.0, math.inf), (0, 3.0, math.inf), (1, 0.0, 1.0)]])
    b = made([[(0, 2.0, math.inf), (0, 1.0, math.inf), (1, 0.0, 1.0)]])
    assert sliced_wasserstein(a, b).tolist() == [2.0]
    assert sliced_wasserstein(a, made([[]])).tolist() == [math.inf]
    assert sliced_wasserstein(a, b, keep_essential_parts=False).tolist() == [0.0]


def test_a_hundred_thousand_classes():
    x, y = (np.cumsum(np.random.default_rng(s).random((100_000, 2)), 1) for s in (1, 2))
    a, b = (made([[(0, *row) for row in z]]) for z in (x, y))
    ours = sliced_wasserstein(a, b, num_directions=5)
    assert float(ours) == pytest.approx(SlicedWassersteinDistance(num_directions=5)(x, y), rel=1e-9)
