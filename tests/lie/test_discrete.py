"""Discrete: labels are equal or not."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.lie import Discrete, Manifold


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1))
def test_equal_or_not(pairs):
    x, y = torch.tensor(pairs).unbind(1)
    ours = Discrete(7).distance(x, y)
    assert ours.dtype == torch.float32
    assert ours.tolist() == [float(a != b) for a, b in pairs]


def test_metric():
    labels = torch.arange(4)
    d = Discrete(4).distance(labels[:, None], labels)
    assert torch.equal(d, 1 - torch.eye(4))
    for i, j, k in itertools.product(range(4), repeat=3):
        assert d[i, k] <= d[i, j] + d[j, k]


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int32, torch.int64, torch.bool])
def test_integers_of_any_width(dtype):
    x = torch.tensor([0, 1, 1]).to(dtype)
    Discrete(2).check("x", x)
    assert Discrete(2).distance(x, x.flip(0)).tolist() == [1.0, 0.0, 1.0]


def test_is_a_manifold_and_a_value():
    assert isinstance(Discrete(3), Manifold)
    assert Discrete(3).point_shape == ()
    assert Discrete(3) == Discrete(3) != Discrete(2)


@pytest.mark.parametrize("q", [0, -2, 2.0, "2", True, None])
def test_number_of_states(q):
    with pytest.raises(InputError, match=r"^`q` is .*; expected an integer of at least 1"):
        Discrete(q)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(2), r"`x` has dtype torch.float32; expected integers, labels from 0 to 2"),
        (torch.zeros(2, dtype=torch.complex64), r"`x` has dtype torch.complex64; expected"),
        (torch.tensor([0, 3]), r"`x` has labels from 0 to 3; expected 0 to 2 for Discrete\(q=3\)"),
        (torch.tensor([-1, 1]), r"`x` has labels from -1 to 1; expected 0 to 2"),
    ],
)
def test_check(x, message):
    with pytest.raises(InputError, match="^" + message):
        Discrete(3).check("x", x)
