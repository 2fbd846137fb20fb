"""Tensors of directors against numpy, and layers behind them under rotations."""

import numpy as np
import pytest
import torch

from topoml._core.errors import InputError
from topoml.lie import SO
from topoml.nn.equivariance import Action, assert_equivariant, invariant, translations
from topoml.nn.nematics import NematicInvariants, NematicTensor, nematic_tensor
from topoml.nn.spins import SpinConv, SpinGate

from .equivariant import Battery, generator, randn


def conjugate(g, q):
    return g @ q @ g.mT


@pytest.mark.parametrize("d", [2, 3, 4])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_tensor(d, dtype):
    n = torch.nn.functional.normalize(randn(2, 5, d, dtype=dtype), dim=-1)
    q = nematic_tensor(n)
    assert q.dtype == dtype
    expected = np.einsum("abi,abj->abij", n.numpy(), n.numpy()) - np.eye(d) / d
    assert np.abs(q.numpy() - expected).max() < 4 * torch.finfo(dtype).eps
    assert torch.equal(q, nematic_tensor(-n))
    assert q.diagonal(dim1=-2, dim2=-1).sum(-1).abs().max() < 4 * torch.finfo(dtype).eps
    assert_equivariant(NematicTensor(), SO(d), n, generator(), act_out=conjugate)
    with pytest.raises(AssertionError):
        assert_equivariant(
            lambda n: nematic_tensor(n).abs(), SO(d), n, generator(), act_out=conjugate
        )


def test_traceless_off_the_sphere():
    q = nematic_tensor(3 * randn(7, 3))
    assert q.diagonal(dim1=-2, dim2=-1).sum(-1).abs().max() < 1e-13


def test_invariants_are_sums_of_eigenvalues():
    a = randn(2, 3, 4, 3, 3)
    q = a + a.mT
    w = np.linalg.eigvalsh(q.numpy())
    found = NematicInvariants()(q).numpy()
    assert found.shape == (2, 6, 4)
    assert np.abs(found[:, :3] - (w**2).sum(-1)).max() < 1e-11
    assert np.abs(found[:, 3:] - (w**3).sum(-1)).max() < 1e-11


class Unflatten(torch.nn.Module):
    def forward(self, x):
        return x.reshape(*x.shape[:-1], 3, 3)


class TestNetwork(Battery):
    """Directors, tensors, convolution, gate, invariants: blind to signs site by site."""

    def layer(self):
        return torch.nn.Sequential(
            NematicTensor(),
            torch.nn.Flatten(-2),
            SpinConv(1, 2),
            SpinGate(2),
            Unflatten(),
            NematicInvariants(),
        )

    def input(self, dtype):
        return torch.nn.functional.normalize(randn(2, 1, 3, 4, 3, dtype=dtype), dim=-1)

    def symmetries(self):
        signs = Action(
            lambda x, g: torch.randint(2, x.shape[:-1], generator=g)[..., None] * 2 - 1,
            lambda g, x: g * x,
            invariant,
        )
        return {
            "rotations": (SO(3), {"act_out": invariant}),
            "signs": signs,
            "translations": translations(2),
        }

    def broken(self):
        class Signed(torch.nn.Module):
            def forward(self, n):
                return n.repeat_interleave(3, -1)  # vectors, whose sign counts

        return torch.nn.Sequential(
            Signed(), SpinConv(1, 2), SpinGate(2), Unflatten(), NematicInvariants()
        )


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(1, 2, 3), r"`x` has shape \(1, 2, 3\); expected \(B, C, \*sites, d, d\)"),
        (torch.zeros(1, 2, 3, 2), r"`x` has shape \(1, 2, 3, 2\); expected .*, square matrices"),
        (torch.zeros(1, 2, 3, 3, dtype=torch.int64), "`x` has dtype torch.int64"),
    ],
)
def test_fields(x, message):
    with pytest.raises(InputError, match="^" + message):
        NematicInvariants()(x)


def test_labels():
    with pytest.raises(InputError, match=r"^`n` has dtype torch.int64; expected floats"):
        NematicTensor()(torch.ones(2, 3, dtype=torch.int64))
