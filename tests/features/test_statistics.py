"""persistence_statistics against numpy and scipy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from scipy import stats

from topoml.features import persistence_statistics
from topoml.features.statistics import STATISTICS

from .made import diagrams, made, of_sample


def definition(rows):
    """The 38 numbers of one sample and dimension."""
    if not len(rows):
        return np.zeros(38)
    birth, death = rows.T
    out = []
    for x in (birth, death, birth / 2 + death / 2, np.abs(death - birth)):
        q10, q25, q75, q90 = np.quantile(x, [0.1, 0.25, 0.75, 0.9])
        out += [x.mean(), x.std(), np.median(x), stats.iqr(x), np.ptp(x), q10, q25, q75, q90]
    life = np.abs(death - birth)
    return np.array([*out, len(rows), stats.entropy(life) if life.any() else 0.0])


@given(diagrams())
def test_equals_numpy(d):
    found = persistence_statistics(d).reshape(len(d), -1, 38)
    for i in range(len(d)):
        for j, k in enumerate(d.homology_dimensions):
            expected = definition(of_sample(d, i, k)[0])
            # numbers of order 1; the root of a variance that is all rounding has half the digits
            np.testing.assert_allclose(found[i, j].numpy(), expected, rtol=1e-12, atol=1e-14)


def test_names():
    d = made([[(0, 1.0, 2.0), (0, 1.0, 4.0)]], homology_dimensions=(0,))
    found = dict(zip(STATISTICS, persistence_statistics(d)[0].tolist(), strict=True))
    assert found["birth_std"] == 0
    assert found["death_range"] == 2
    assert found["midlife_mean"] == 2
    assert found["lifetime_q90"] == pytest.approx(2.8)
    assert found["count"] == 2
    assert found["entropy"] == pytest.approx(0.5623351446188083)


def test_shift_leaves_the_spread():
    """A variance of values far from 0 keeps its digits."""
    near = made([[(0, 0.0, 1.0), (0, 0.25, 1.0), (0, 0.5, 2.0)]], homology_dimensions=(0,))
    far = made(
        [[(0, 2.0**40, 2.0**40 + 1), (0, 2.0**40 + 0.25, 2.0**40 + 1),
          (0, 2.0**40 + 0.5, 2.0**40 + 2)]],
        homology_dimensions=(0,),
    )  # fmt: skip
    columns = [i for i, name in enumerate(STATISTICS) if name.endswith(("std", "range", "iqr"))]
    torch.testing.assert_close(
        persistence_statistics(far)[0, columns], persistence_statistics(near)[0, columns]
    )


def test_gradient_of_equal_values_is_zero():
    d = made([[(0, 1.0, 2.0), (0, 1.0, 4.0)]], homology_dimensions=(0,))
    d.points.requires_grad_()
    persistence_statistics(d)[0, STATISTICS.index("birth_std")].backward()
    assert not d.points.grad.any()
