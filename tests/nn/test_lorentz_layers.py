"""Layers on four-vectors: products in integers, invariance under boosts, permutations."""

import pytest
import torch
from torch import nn

from topoml._core.errors import InputError
from topoml.lie import Lorentz
from topoml.nn.equivariance import Action, assert_equivariant, invariant
from topoml.nn.lorentz import LorentzBlock, LorentzInvariants, LorentzLinear, minkowski_product

from .equivariant import Battery, generator, randn


def boosts():
    """Lorentz transformations that keep the digits of float32: rapidities of about a half."""

    def draw(x, g):
        first = x[0] if isinstance(x, tuple) else x
        return Lorentz().random(scale=0.3, generator=g, dtype=first.dtype)

    def act(g, x):
        if isinstance(x, tuple):
            return (torch.einsum("ij,...j->...i", g, x[0]), *x[1:])
        return torch.einsum("ij,...j->...i", g, x)

    return Action(draw, act, act)


def permutations(act_out=None):
    def draw(x, g):
        return torch.randperm((x[0] if isinstance(x, tuple) else x).shape[1], generator=g)

    def act(g, x):
        return tuple(part[:, g] for part in x) if isinstance(x, tuple) else x[:, g]

    return Action(draw, act, act_out or act)


def test_products_in_integers():
    x = torch.randint(-9, 9, (3, 5, 4), generator=generator()).double()
    metric = torch.diag(torch.tensor([1.0, -1, -1, -1])).double()
    expected = torch.einsum("bpi,ij,bqj->bpq", x, metric, x)
    assert torch.equal(LorentzInvariants()(x), expected)


class TestInvariants(Battery):
    test_every_parameter_counts = None  # there are none

    def layer(self):
        return LorentzInvariants()

    def input(self, dtype):
        return randn(2, 5, 4, dtype=dtype)

    def symmetries(self):
        both = permutations(lambda g, y: y[:, g][:, :, g])
        return {"boosts": (boosts(), {"act_out": invariant}), "permutations": both}

    def broken(self):
        class Euclidean(nn.Module):
            def forward(self, p):
                return p @ p.mT

        return Euclidean()

    def test_wrong_input(self):
        for x in (torch.zeros(2, 3), torch.zeros(4), torch.zeros(2, 3, 4, dtype=int), [1]):
            with pytest.raises(InputError, match=r"^`p` (has shape|is) .*; expected"):
                LorentzInvariants()(x)


class TestLinear(Battery):
    def layer(self):
        return LorentzLinear(5, 3)

    def input(self, dtype):
        return randn(2, 5, 4, dtype=dtype)

    def symmetries(self):
        return {"boosts": boosts()}

    def broken(self):
        return nn.Linear(4, 4)

    def test_wrong_input(self):
        with pytest.raises(InputError, match=r"^`p` has shape \(2, 3, 4\); expected \(\*batch, 5"):
            LorentzLinear(5, 3)(torch.zeros(2, 3, 4))


class TestBlock(Battery):
    def layer(self):
        return LorentzBlock(3, 8)

    def input(self, dtype):
        return randn(2, 5, 4, dtype=dtype), randn(2, 5, 3, dtype=dtype, seed=1)

    def symmetries(self):
        return {"boosts": boosts(), "permutations": permutations()}

    def broken(self):
        class Euclidean(LorentzBlock):
            def forward(self, p, h):
                p, h = super().forward(p, h)
                return p, h + 1e-6 * p[..., :1]

        return Euclidean(3, 8)

    def test_wrong_input(self):
        with pytest.raises(InputError, match=r"^`h` is torch.float32 of shape \(2, 5, 2\); expec"):
            LorentzBlock(3, 8)(torch.zeros(2, 5, 4), torch.zeros(2, 5, 2))


def test_block_equals_the_formula():
    torch.manual_seed(0)
    layer = LorentzBlock(2, 4).double()
    p, h = randn(1, 3, 4), randn(1, 3, 2, seed=1)
    new_p, new_h = layer(p, h)
    with torch.no_grad():
        for i in range(3):
            moved, heard = p[0, i].clone(), torch.zeros(4).double()
            for j in range(3):
                if j != i:
                    gap = p[0, i] - p[0, j]
                    scalars = [minkowski_product(gap, gap), minkowski_product(p[0, i], p[0, j])]
                    x = torch.cat(
                        [h[0, i] + h[0, j], h[0, i] * h[0, j], torch.stack(scalars).asinh()]
                    )
                    m = layer.message(x)
                    moved += layer.along(m).tanh() * p[0, j] / 3
                    heard += layer.attention(m).sigmoid() * m / 3
            torch.testing.assert_close(new_p[0, i], moved, rtol=0, atol=1e-14)
            expected = h[0, i] + layer.update(torch.cat([h[0, i], heard]))
            torch.testing.assert_close(new_h[0, i], expected, rtol=0, atol=1e-14)


def test_stable_at_high_energies():
    """TeV in MeV, six blocks deep: scalars grow by 1 a block at most."""
    torch.manual_seed(0)
    p, h = 1e6 * randn(1, 30, 4, dtype=torch.float32), torch.zeros(1, 30, 3)
    p.requires_grad_()
    out, blocks = p, [LorentzBlock(3, 8) for _ in range(6)]
    for block in blocks:
        out, h = block(out, h)
    (out.sum() / 1e6 + h.sum()).backward()
    assert h.abs().max() <= 6
    assert out.abs().max() <= 2**6 * p.abs().max()
    assert p.grad.isfinite().all()


def test_defect_of_four_blocks():
    torch.manual_seed(0)
    blocks = [LorentzBlock(3, 8).double() for _ in range(4)]

    def deep(p, h):
        for block in blocks:
            p, h = block(p, h)
        return p, h

    assert_equivariant(deep, boosts(), (randn(2, 5, 4), randn(2, 5, 3, seed=1)), generator())
