"""silhouette against gudhi, giotto-tda and the definition."""

import math

import numpy as np
import pytest
import torch
from gudhi.representations import Silhouette
from hypothesis import given
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.features import silhouette

from .made import diagrams, made, of_sample

OPTIONS = {"resolution": 9, "sample_range": (-2.0, 2.0)}


@given(diagrams(), st.sampled_from([None, 1, 2, 0.5, 3.7]))
def test_equals_gudhi(d, power):
    """gudhi turns the plane by 45 degrees, and so stretches the tents by the root of 2."""
    peer = Silhouette(lambda p: (p[1] - p[0]) ** (power or 1), 9, [-2.0, 2.0])
    theirs = []
    for i in range(len(d)):
        for k in d.homology_dimensions:
            rows = np.sort(of_sample(d, i, k)[0], 1)
            apart = bool((rows[:, 1] > rows[:, 0]).any())
            one = peer.fit([rows]).transform([rows])[0] if apart else np.zeros(9)
            theirs.append(one / math.sqrt(2))
    ours = silhouette(d, **OPTIONS, power=power)
    # means of at most 30 numbers below 1
    np.testing.assert_allclose(ours.numpy(), np.reshape(theirs, ours.shape), rtol=0, atol=2e-15)


@pytest.mark.parametrize("power", [1.0, 2.0, 9.0, 0.5])
def test_equals_giotto(power):
    """giotto-tda samples from the least birth to the greatest death, the same for all samples."""
    giotto = pytest.importorskip("gtda.diagrams")
    rng = np.random.default_rng(0)
    points = rng.integers(0, 9, (5, 12, 2)).cumsum(2) / 8.0
    d = made([[(1, *p) for p in sample] for sample in points.tolist()], homology_dimensions=(1,))
    x = np.concatenate([points, np.ones((5, 12, 1))], 2)
    theirs = giotto.Silhouette(power=power, n_bins=17).fit_transform(x)
    ends = (points[..., 0].min(), points[..., 1].max())
    ours = silhouette(d, resolution=17, sample_range=ends, power=power)
    np.testing.assert_allclose(ours.numpy(), theirs.reshape(5, -1), rtol=0, atol=4e-15)


@given(diagrams())
def test_equals_the_definition(d):
    grid = np.linspace(-2, 2, 9)
    found = silhouette(d, **OPTIONS, weight=lambda b, l: (1 + l) * (2 + b))  # noqa: E741
    found = found.reshape(len(d), -1, 9)
    for i in range(len(d)):
        for j, k in enumerate(d.homology_dimensions):
            rows = of_sample(d, i, k)[0].tolist()
            weights = [(1 + abs(e - b)) * (2 + b) for b, e in rows]
            for at, t in enumerate(grid):
                tents = [max(0.0, min(t - min(row), max(row) - t)) for row in rows]
                total = sum(w * tent for w, tent in zip(weights, tents, strict=True))
                expected = total / sum(weights) if rows else 0.0
                assert float(found[i, j, at]) == pytest.approx(expected, rel=1e-13, abs=1e-15)


def test_weight_is_trained():
    d = made([[(0, 0.0, 1.0), (0, 0.0, 2.0), (1, 0.5, 1.5)], [(0, 0.25, 1.0)]])
    power = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)

    def f(power):
        return silhouette(d, **OPTIONS, weight=lambda b, l: (0.1 + l) ** power)  # noqa: E741

    assert torch.autograd.gradcheck(f, power)
    assert torch.autograd.gradgradcheck(f, power)
    same = silhouette(d, **OPTIONS, power=2)
    squares = silhouette(d, **OPTIONS, weight=lambda b, l: l**2)  # noqa: E741
    torch.testing.assert_close(same, squares, rtol=1e-14, atol=0)


def test_weights_that_sum_to_zero():
    d = made([[(0, 0.0, 1.0), (0, 0.0, 1.5)]])
    d.points.requires_grad_()
    sign = lambda b, l: torch.where(l > 1, 1.0, -1.0).to(l)  # noqa: E731, E741
    y = silhouette(d, **OPTIONS, weight=sign)
    assert not y.any()
    y.sum().backward()
    assert d.points.grad.isfinite().all()


def test_no_scale_is_too_large_or_too_small():
    """The power is taken of lifetimes over the longest one."""
    for scale in (1e-200, 1e200):
        rows = [(0, 0.0, 1.0), (0, 0.0, 0.75), (0, 0.25, 0.5)]
        d = made([[(k, b * scale, e * scale) for k, b, e in rows]])
        y = silhouette(d, resolution=5, sample_range=(0.0, scale), power=8) / scale
        expected = silhouette(made([rows]), resolution=5, sample_range=(0.0, 1.0), power=8)
        torch.testing.assert_close(y, expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"power": 0.0}, r"`power` is 0.0; expected a finite number above 0"),
        ({"power": math.inf}, r"`power` is inf;"),
        ({"power": "1"}, r"`power` is '1';"),
        ({"weight": 2.0}, r"`weight` is 2.0; expected None or a callable"),
        ({"power": 1.0, "weight": lambda b, l: l}, r"`power` is 1.0 beside a weight;"),  # noqa: E741
        ({"weight": lambda b, l: l > 0}, r"`weight` returned torch.bool of shape \(1,\)"),  # noqa: E741
        ({"resolution": 0}, r"`resolution` is 0; expected an integer of at least 1"),
        ({"sample_range": (1, 0)}, r"`sample_range` is \(1, 0\); expected two finite numbers"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(InputError, match="^" + message):
        silhouette(made([[(0, 0.0, 1.0)]]), **(OPTIONS | change))
