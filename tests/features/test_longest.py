"""longest_lifetimes and topological_vector against sorting, gudhi and the definition."""

import numpy as np
import pytest
from gudhi.representations import TopologicalVector
from hypothesis import given
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.features import longest_lifetimes, topological_vector

from .made import diagrams, made, of_sample, random_samples


def padded(values, k):
    return (sorted(values, reverse=True) + k * [0.0])[:k]


def definition(rows):
    half = [abs(e - b) / 2 for b, e in rows]
    return [
        min(np.abs(rows[i] - rows[j]).max(), half[i], half[j])
        for i in range(len(rows))
        for j in range(i)
    ]


@given(diagrams(), st.integers(1, 40))
def test_lifetimes_are_sorted(d, k):
    ours = longest_lifetimes(d, k=k)
    rows = [of_sample(d, i, j)[0] for i in range(len(d)) for j in d.homology_dimensions]
    expected = [padded(np.abs(r[:, 1] - r[:, 0]).tolist(), k) for r in rows]
    assert ours.tolist() == np.reshape(expected, ours.shape).tolist()


@given(diagrams(), st.sampled_from([1, 4, 500]))
def test_topological_vector_is_the_definition(d, threshold):
    ours = topological_vector(d, threshold=threshold)
    rows = [of_sample(d, i, j)[0] for i in range(len(d)) for j in d.homology_dimensions]
    expected = [padded(definition(r), threshold) for r in rows]
    assert ours.tolist() == np.reshape(expected, ours.shape).tolist()


def test_equals_gudhi():
    """Which takes the distance to the diagonal of the later class: here the shorter one."""
    samples = random_samples(np.random.default_rng(0), 6, essential=False)
    d = made(samples)
    rows = [of_sample(d, i, j)[0] for i in range(6) for j in (0, 1)]
    rows = [r[np.argsort(r[:, 0] - r[:, 1])] for r in rows]
    theirs = TopologicalVector(threshold=12).fit_transform(rows)
    np.testing.assert_array_equal(
        topological_vector(d, threshold=12).numpy(), theirs.reshape(6, -1)
    )


def test_gradient_of_each_minimum():
    d = made([[(0, 0.0, 4.0), (0, 0.5, 4.0)], [(0, 0.0, 4.0), (0, 9.0, 11.0)]])
    d.points.requires_grad_()
    topological_vector(d, threshold=1).sum().backward()
    assert d.points.grad.tolist() == [[-1, 0], [1, 0], [0, 0], [-0.5, 0.5]]


def test_first_of_equal_lifetimes_has_the_gradient():
    d = made([[(0, 0.0, 1.0), (0, 2.0, 3.0), (0, 5.0, 5.0)]])
    d.points.requires_grad_()
    longest_lifetimes(d, k=3)[:, [0, 2]].sum().backward()
    assert d.points.grad.tolist() == [[-1, 1], [0, 0], [0, 0]]


@pytest.mark.parametrize("value", [0, 1.0, True, None])
def test_bad_input(value):
    d = made([[(0, 0.0, 1.0)]])
    with pytest.raises(InputError, match=r"^`k` is .*; expected an integer of at least 1"):
        longest_lifetimes(d, k=value)
    with pytest.raises(InputError, match=r"^`threshold` is .*; expected an integer of at least 1"):
        topological_vector(d, threshold=value)
