"""heat_kernel against the definition, giotto-tda and the heat equation's boundary."""

import numpy as np
import pytest
from hypothesis import given

from topoml._core.errors import InputError
from topoml.features import heat_kernel

from .made import diagrams, made, of_sample

OPTIONS = {"bandwidth": 0.4, "resolution": 6, "sample_range": (-1.5, 2.0)}


def definition(rows, bandwidth, resolution, sample_range):
    x = np.linspace(*sample_range, resolution)
    image = np.zeros((resolution, resolution))
    for b, e in np.sort(rows, 1):
        for sign, u, v in ((1, b, e), (-1, e, b)):
            square = (u - x[None, :]) ** 2 + (v - x[:, None]) ** 2
            image += sign * np.exp(-square / (2 * bandwidth**2)) / (2 * np.pi * bandwidth**2)
    return image


@given(diagrams())
def test_is_the_definition(d):
    ours = heat_kernel(d, **OPTIONS)
    rows = [of_sample(d, i, k)[0] for i in range(len(d)) for k in d.homology_dimensions]
    theirs = np.reshape([definition(r, **OPTIONS) for r in rows], ours.shape)
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=1e-13)  # sums of 60 terms


def test_equals_giotto():
    """On classes that are pixels, so that nothing is rounded, and a bandwidth of 2 pixels."""
    giotto = pytest.importorskip("gtda.diagrams")
    rng = np.random.default_rng(0)
    points = rng.integers(1, 20, (4, 9, 2)).cumsum(2).clip(0, 32) / 8.0
    points[:, 0] = [0.0, 4.0]  # giotto-tda's grid goes from the first birth to the last death
    x = np.concatenate([points, np.ones((4, 9, 1))], 2)
    theirs = giotto.HeatKernel(sigma=0.25, n_bins=33).fit_transform(x)[:, 0, ::-1]
    d = made([[(1, *p) for p in sample] for sample in points.tolist()], homology_dimensions=(1,))
    ours = heat_kernel(d, bandwidth=0.25, resolution=33, sample_range=(0.0, 4.0))
    peak = 9 / (2 * np.pi * 0.25**2)
    # a Gaussian that is cut at 4 sigma is too large by 1e-4 of itself, and lacks 3e-4 beyond
    np.testing.assert_allclose(ours.reshape(theirs.shape), theirs, rtol=0, atol=4e-4 * peak)
    assert np.abs(theirs).max() > 0.1 * peak


def test_nothing_on_the_diagonal():
    """Neither from classes there, nor at pixels there."""
    d = made([[(0, 0.3, 0.3), (0, 0.7, 0.7)], [(0, 0.3, 0.9), (1, 0.1, 0.6)]])
    y = heat_kernel(d, **OPTIONS).reshape(2, 2, 6, 6)
    assert not y[0].any()
    assert y[1].diagonal(dim1=1, dim2=2).abs().max() < 1e-15
    assert (y[1] + y[1].mT).abs().max() < 1e-15


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bandwidth": 0}, "`bandwidth` is 0; expected a number above 0"),
        ({"resolution": 0}, "`resolution` is 0; expected an integer of at least 1"),
        ({"sample_range": (1, 0)}, r"`sample_range` is \(1, 0\); expected two finite numbers"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(InputError, match="^" + message):
        heat_kernel(made([[(0, 0.0, 1.0)]]), **(OPTIONS | change))
