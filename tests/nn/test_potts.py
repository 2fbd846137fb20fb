"""Layers of labels against a sum by hand, and under permutations."""

import numpy as np
import pytest
import torch

from topoml._core.errors import InputError
from topoml.nn.equivariance import assert_equivariant, translations
from topoml.nn.potts import PottsConv, permutations

from .equivariant import Battery, generator, randn


def test_conv_is_the_sum():
    """Matrices a 1 + b 11^T / q, one for each pair of channels and entry of the kernel."""
    torch.manual_seed(0)
    layer = PottsConv(2, 3, 3, dim=1).double()
    layer.bias.data = randn(3, seed=4)
    a, b, c = (p.detach().numpy() for p in (layer.weight, layer.mean_weight, layer.bias))
    x = randn(2, 2, 4, 5)
    matrices = np.einsum("oir,st->oirst", a, np.eye(5)) + np.einsum(
        "oir,st->oirst", b, np.full((5, 5), 1 / 5)
    )
    shifted = np.stack([np.roll(x.numpy(), 1 - r, 2) for r in range(3)])
    expected = np.einsum("oirst,rbixt->boxs", matrices, shifted) + c[:, None, None]
    assert np.abs(layer(x).detach().numpy() - expected).max() < 1e-14


def test_start_keeps_the_size():
    """Of noise without a mean over labels, and of its mean alone: 1 in, 1 out."""
    torch.manual_seed(0)
    layer, x = PottsConv(32, 32).double(), randn(1, 32, 8, 8, 4)
    mean = x.mean(-1, keepdim=True)
    assert 0.9 < layer(x - mean).square().mean() / (x - mean).square().mean() < 1.1
    same = mean.expand_as(x)
    assert 1.8 < layer(same).square().mean() / same.square().mean() < 2.2  # by both weights


class TestNetwork(Battery):
    def layer(self):
        return torch.nn.Sequential(PottsConv(1, 3), torch.nn.Tanh(), PottsConv(3, 2))

    def input(self, dtype):
        state = torch.randint(4, (2, 3, 4), generator=generator())
        return torch.nn.functional.one_hot(state, 4)[:, None].to(dtype)

    def symmetries(self):
        return {"permutations": permutations(), "translations": translations(2)}

    def broken(self):
        """Labels weighted one by one."""

        class Weighted(torch.nn.Module):
            def forward(self, x):
                return x * torch.arange(1, 5, dtype=x.dtype)

        return torch.nn.Sequential(PottsConv(1, 3), Weighted(), PottsConv(3, 2))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_four_dimensions(dtype):
    torch.manual_seed(0)
    layer = PottsConv(1, 2, dim=4).to(dtype)
    x = randn(1, 1, 2, 3, 2, 3, 3, dtype=dtype)
    assert_equivariant(layer, permutations(), x, generator())
    assert_equivariant(layer, translations(4), x, generator())
    with pytest.raises(AssertionError):
        assert_equivariant(lambda x: layer(x.cumsum(-1)), permutations(), x, generator())


def test_labels():
    with pytest.raises(InputError, match=r"^`x` has dtype torch.int64; expected floats"):
        PottsConv(1, 1)(torch.ones(1, 1, 4, 4, 3, dtype=torch.int64))
