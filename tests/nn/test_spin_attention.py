"""Attention of spins against the formula of its docstring, site by site."""

import itertools
import math

import numpy as np
import pytest
import torch

from topoml._core.errors import InputError
from topoml.lie import SO
from topoml.nn.equivariance import assert_equivariant, translations
from topoml.nn.point_groups import P4M, hypercubic, lattice_symmetries
from topoml.nn.spin_attention import SpinAttention, shells
from topoml.nn.spins import SpinConv

from .equivariant import Battery, generator, randn


def by_hand(x, weight, squares):
    """Loops over sites; ``squares`` are the squared distances of the shells."""
    x, weight = x.numpy(), weight.detach().numpy()
    sides = x.shape[1:-1]
    sites = list(itertools.product(*map(range, sides)))
    reach = range(-3, 4)

    def neighbours(site, square):
        for r in itertools.product(reach, repeat=len(sides)):
            if sum(i * i for i in r) == square:
                yield tuple((s + i) % L for s, i, L in zip(site, r, sides, strict=True))

    def feature(which, site):
        return sum(
            weight[which, :, :, k] @ x[(slice(None), *there)]
            for k, square in enumerate(squares)
            for there in neighbours(site, square)
        )

    out = np.zeros_like(x)
    for site in sites:
        total = x[(slice(None), *site)].copy()
        for other in sites:
            score = np.sum(feature(0, site) * feature(1, other)) / math.sqrt(
                x.shape[0] * x.shape[-1]
            )
            total += max(score, 0) * feature(2, other)
        out[(slice(None), *site)] = total / np.linalg.norm(total, axis=-1, keepdims=True)
    return out


@pytest.mark.parametrize(
    ("sides", "channels", "squares", "n"),
    [((5,), 1, (0, 1), 3), ((3, 4), 1, (0, 1, 2), 3), ((4, 5), 2, (0, 1, 2, 4), 2),
     ((2, 1, 3), 1, (0, 1, 2, 3), 3)],
)  # fmt: skip
def test_is_the_formula(sides, channels, squares, n):
    torch.manual_seed(0)
    layer = SpinAttention(channels, len(squares) - 1, dim=len(sides)).double()
    layer.weight.data[1] = randn(*layer.weight.shape[1:], seed=1)  # keys unlike the queries
    x = torch.nn.functional.normalize(randn(2, channels, *sides, n), dim=-1)
    found = layer(x).detach().numpy()
    for y, field in zip(found, x, strict=True):
        assert np.abs(y - by_hand(field, layer.weight, squares)).max() < 1e-12


def test_shells_in_several_dimensions():
    assert shells(3, 1).tolist() == [3, 2, 1, 0, 1, 2, 3]
    counts = [int((shells(4, 2) == k).sum()) for k in range(5)]
    assert counts == [1, 4, 4, 4, 8]  # at squared distances 0, 1, 2, 4, 5
    counts = [int((shells(4, 4) == k).sum()) for k in range(5)]
    assert counts == [1, 8, 24, 32, 24]  # theta series of Z^4


def test_start():
    """Queries of 16 channels over 9 sites keep the size of the spins; keys are queries."""
    torch.manual_seed(0)
    weight = SpinAttention(16).weight
    assert weight.shape == (3, 16, 16, 3)
    assert 0.9 < 16 * 9 * weight.var() < 1.1
    assert torch.equal(weight[0], weight[1])
    assert not torch.equal(weight[0], weight[2])


def test_zero_stays_zero():
    layer = SpinAttention(1).double()
    x = torch.zeros(1, 1, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(layer(x).sum(), x)
    assert torch.equal(layer(x), x)
    assert torch.equal(grad, torch.ones_like(x))


class TestAttention(Battery):
    """Between convolutions, four layers deep, with the symmetries of the square."""

    def layer(self):
        return torch.nn.Sequential(SpinConv(1, 2, group=P4M), SpinAttention(2), SpinAttention(2, 1))

    def input(self, dtype):
        return torch.nn.functional.normalize(randn(2, 1, 3, 3, 3, dtype=dtype), dim=-1)

    def symmetries(self):
        return {
            "rotations": SO(3),
            "translations": translations(2),
            "square": lattice_symmetries(P4M),
        }

    def broken(self):
        return torch.nn.Sequential(SpinConv(1, 2), SpinAttention(2), SpinAttention(2, 1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_four_dimensions(dtype):
    torch.manual_seed(0)
    layer = SpinAttention(1, 1, dim=4).to(dtype)
    x = torch.nn.functional.normalize(randn(1, 1, 2, 2, 2, 2, 3, dtype=dtype), dim=-1)
    for action in (SO(3), translations(4), lattice_symmetries(hypercubic(4))):
        assert_equivariant(layer, action, x, generator())
    with pytest.raises(AssertionError):
        assert_equivariant(lambda x: layer(x.relu()), SO(3), x, generator())


@pytest.mark.parametrize("name", ["channels", "n_shells", "dim"])
def test_arguments(name):
    with pytest.raises(InputError, match=f"^`{name}` is 0; expected an integer of at least 1"):
        SpinAttention(**{"channels": 1, name: 0})
