"""persistence_landscape against gudhi, giotto-tda and the definition."""

import math

import numpy as np
import pytest
import torch
from gudhi.representations import Landscape
from hypothesis import given
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.features import persistence_landscape
from topoml.homology import cubical_persistence

from .made import diagrams, made, of_sample

OPTIONS = {"num_landscapes": 4, "resolution": 9, "sample_range": (-2.0, 2.0)}


@given(diagrams(), st.sampled_from([1, 4, 40]))
def test_equals_gudhi(d, n):
    """gudhi turns the plane by 45 degrees, and so stretches the tents by the root of 2."""
    options = OPTIONS | {"num_landscapes": n}
    theirs = []
    for i in range(len(d)):
        for k in d.homology_dimensions:
            rows = np.sort(of_sample(d, i, k)[0], 1)
            peer = Landscape(n, options["resolution"], list(options["sample_range"]))
            theirs.append(peer.fit([rows]).transform([rows])[0] / math.sqrt(2))
    ours = persistence_landscape(d, **options)
    # differences of numbers up to 2, and gudhi's root
    np.testing.assert_allclose(ours.numpy(), np.reshape(theirs, ours.shape), rtol=0, atol=2e-15)


def test_equals_giotto():
    """giotto-tda samples from the least birth to the greatest death, the same for all samples."""
    giotto = pytest.importorskip("gtda.diagrams")
    rng = np.random.default_rng(0)
    points = rng.integers(0, 9, (5, 12, 2)).cumsum(2) / 8.0
    d = made([[(1, *p) for p in sample] for sample in points.tolist()], homology_dimensions=(1,))
    x = np.concatenate([points, np.ones((5, 12, 1))], 2)
    theirs = giotto.PersistenceLandscape(n_layers=3, n_bins=17).fit_transform(x)
    ends = (points[..., 0].min(), points[..., 1].max())
    ours = persistence_landscape(d, num_landscapes=3, resolution=17, sample_range=ends)
    np.testing.assert_allclose(ours.numpy(), theirs.reshape(5, -1), rtol=0, atol=4e-15)


@given(diagrams(dtype=torch.float32))
def test_equals_the_definition(d):
    grid = torch.linspace(-2, 2, 9).tolist()
    found = persistence_landscape(d, **OPTIONS).reshape(len(d), -1, 4, 9).tolist()
    for i in range(len(d)):
        for j, k in enumerate(d.homology_dimensions):
            rows = np.sort(of_sample(d, i, k)[0], 1).tolist()
            for at, t in enumerate(grid):
                tents = sorted((max(0.0, min(t - a, b - t)) for a, b in rows), reverse=True)
                for rank in range(4):
                    expected = tents[rank] if rank < len(tents) else 0.0
                    assert found[i][j][rank][at] == pytest.approx(expected, rel=0, abs=3e-7)


@pytest.mark.parametrize(
    "sample_range", [(-3.0, 0.4), (0.4, 9.0), (0.7, 0.7), (1e17, 3e17), (1e-320, 2e-320)]
)
def test_any_range(sample_range):
    """The guess of where a tent begins is right on every grid."""
    n = 1 if sample_range[0] == sample_range[1] else 50
    rows = np.random.default_rng(1).random((40, 2)).cumsum(1)
    rows[:3] *= np.array([1e17, 1e-320, -1e300])[:, None]
    rows.sort(1)
    options = {"num_landscapes": 40, "resolution": n, "sample_range": sample_range}
    ours = persistence_landscape(made([[(0, *p) for p in rows.tolist()]]), **options)
    t = np.linspace(*sample_range, n)[:, None]
    tents = np.maximum(np.minimum(t - rows[:, 0], rows[:, 1] - t), 0.0)
    expected = np.sort(tents, 1)[:, ::-1].T
    assert ours[0, : 40 * n].tolist() == expected.ravel().tolist()


def test_slopes_at_peaks_feet_and_ties():
    d = made([[(0, 0.0, 4.0), (0, 0.0, 4.0), (0, 1.0, 2.0)]])
    d.points.requires_grad_()
    options = {"num_landscapes": 1, "resolution": 5, "sample_range": (0.0, 4.0)}
    y = persistence_landscape(d, **options)[0, :5]
    assert y.tolist() == [0.0, 1.0, 2.0, 1.0, 0.0]
    slopes = [
        torch.autograd.grad(y[i], d.points, retain_graph=True)[0][0].tolist() for i in range(5)
    ]
    assert slopes == [[0, 0], [-1, 0], [-0.5, 0.5], [0, 1], [0, 0]]
    y.sum().backward()
    assert d.points.grad[1:].tolist() == [[0.0, 0.0], [0.0, 0.0]]  # the first of equals has it


def test_gradient_reaches_the_field():
    g = torch.Generator().manual_seed(6)
    x = torch.randn(2, 5, 6, dtype=torch.float64, generator=g, requires_grad=True)

    def landscape(x):
        d = cubical_persistence(x, homology_dimensions=(0, 1), periodic=True, superlevel=True)
        return persistence_landscape(d, **OPTIONS)

    assert torch.autograd.gradcheck(landscape, x)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_landscapes": 0}, r"`num_landscapes` is 0; expected an integer of at least 1"),
        ({"num_landscapes": 1.0}, r"`num_landscapes` is 1.0; expected an integer"),
        ({"resolution": 0}, r"`resolution` is 0; expected an integer of at least 1"),
        ({"sample_range": (1, 0)}, r"`sample_range` is \(1, 0\); expected two finite numbers"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(InputError, match="^" + message):
        persistence_landscape(made([[(0, 0.0, 1.0)]]), **(OPTIONS | change))
