"""persistence_entropy against gudhi, giotto-tda, scipy and the definition."""

import math
import warnings

import numpy as np
import pytest
import torch
from gudhi.representations import Entropy
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from topoml._core.errors import InputError
from topoml.features import persistence_entropy

from .made import diagrams, made, of_sample, random_samples

VECTOR = {"mode": "vector", "resolution": 9, "sample_range": (-2.0, 2.0)}


@given(diagrams())
def test_equals_scipy(d):
    found = persistence_entropy(d)
    for i in range(len(d)):
        for j, k in enumerate(d.homology_dimensions):
            lifetimes = np.abs(np.diff(of_sample(d, i, k)[0], axis=1)[:, 0])
            expected = stats.entropy(lifetimes) if lifetimes.any() else 0.0
            assert float(found[i, j]) == pytest.approx(expected, rel=1e-13, abs=1e-15)


@given(diagrams(), st.booleans())
def test_equals_gudhi(d, normalized):
    """A superlevel diagram is the sublevel one of the negated field on the negated grid."""
    sign = -1 if d.superlevel else 1
    scalar, vector = persistence_entropy(d), persistence_entropy(d, **VECTOR, normalized=normalized)
    vector = vector.reshape(len(d), -1, 9)
    for i in range(len(d)):
        for j, k in enumerate(d.homology_dimensions):
            rows = sign * of_sample(d, i, k)[0]
            rows = rows[rows[:, 1] > rows[:, 0]]  # for which gudhi has 0 * log(0)
            if len(rows) < 2:
                assert float(scalar[i, j]) == 0.0
                assert not vector[i, j].any()
                continue
            assert float(scalar[i, j]) == pytest.approx(Entropy()(rows)[0], rel=1e-13)
            peer = Entropy("vector", normalized, 9, [-2.0, 2.0])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # 0 / 0 where no class lives on the grid
                theirs = np.nan_to_num(peer(rows)[::sign])
            np.testing.assert_allclose(vector[i, j].numpy(), theirs, rtol=1e-12, atol=1e-15)


def test_equals_giotto():
    giotto = pytest.importorskip("gtda.diagrams")
    rng = np.random.default_rng(0)
    points = rng.random((5, 12, 2)).cumsum(2)
    d = made([[(1, *p) for p in sample] for sample in points.tolist()], homology_dimensions=(1,))
    x = np.concatenate([points, np.ones((5, 12, 1))], 2)
    theirs = giotto.PersistenceEntropy().fit_transform(x) * math.log(2)  # in bits
    np.testing.assert_allclose(persistence_entropy(d).numpy(), theirs, rtol=1e-14)


def test_alive_is_half_open():
    d = made([[(0, 0.0, 1.0), (0, 1.0, 2.0)]], homology_dimensions=(0,))
    up = made([[(0, 1.0, 0.0), (0, 2.0, 1.0)]], homology_dimensions=(0,), superlevel=True)
    options = {"mode": "vector", "resolution": 4, "sample_range": (0.0, 3.0), "normalized": False}
    half = 0.5 * math.log(2)
    assert persistence_entropy(d, **options)[0].tolist() == pytest.approx([half, half, 0, 0])
    assert persistence_entropy(up, **options)[0].tolist() == pytest.approx([0, half, half, 0])


def test_known_values():
    n = 32
    d = made([[(0, float(i), i + 2.0) for i in range(n)]], homology_dimensions=(0,))
    assert float(persistence_entropy(d)) == pytest.approx(math.log(n), rel=1e-14)
    d.points.requires_grad_()
    persistence_entropy(d).sum().backward()
    assert d.points.grad.abs().max() < 1e-15  # a maximum
    one = made([[(0, 0.0, 2.0)]], homology_dimensions=(0,))
    assert float(persistence_entropy(one)) == 0.0


def test_scale_does_not_matter():
    samples = random_samples(np.random.default_rng(2), 5, essential=False)
    expected = persistence_entropy(made(samples))
    for scale in (2.0**-900, 2.0**900):
        scaled = [[(k, scale * b, scale * e) for k, b, e in sample] for sample in samples]
        torch.testing.assert_close(persistence_entropy(made(scaled)), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "summary"}, r"`mode` is 'summary'; expected 'scalar' or 'vector'"),
        ({"normalized": 1}, r"`normalized` is 1; expected True or False"),
        ({"resolution": 5}, r"`resolution` is 5 in mode 'scalar'; expected None"),
        ({"sample_range": (0, 1)}, r"`sample_range` is \(0, 1\) in mode 'scalar'; expected None"),
        ({"mode": "vector"}, r"`resolution` is None; expected an integer of at least 1"),
        ({"mode": "vector", "resolution": 2}, r"`sample_range` is None; expected two finite"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(InputError, match="^" + message):
        persistence_entropy(made([[(0, 0.0, 1.0)]]), **options)
