"""Layers of charges against sums of complex numbers, and the battery of equivariant layers."""

import itertools
import math

import numpy as np
import pytest
import torch

from topoml._core.errors import InputError
from topoml.nn.equivariance import Action, assert_equivariant, translations
from topoml.nn.harmonics import (
    HarmonicConv,
    HarmonicGate,
    HarmonicProduct,
    angle_harmonics,
    phase_rotations,
)

from .equivariant import Battery, generator, randn

COMPLEX = {torch.float64: torch.complex128, torch.float32: torch.complex64}
CONJUGATION = Action(lambda x, g: None, lambda g, x: x.conj(), lambda g, y: y.conj())


def angles(*shape, dtype=torch.float64, seed=0):
    return 2 * randn(*shape, dtype=dtype, seed=seed)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_harmonics(dtype):
    theta = angles(2, 3, 4, dtype=dtype)
    z = angle_harmonics(theta, (1, -2, 0))
    assert z.dtype == COMPLEX[dtype]
    for c, m in enumerate((1, -2, 0)):
        expected = np.exp(1j * m * theta.double().numpy())
        assert np.abs(z[:, c].numpy() - expected).max() < 10 * torch.finfo(dtype).eps


@pytest.mark.parametrize(
    ("order", "reflections", "n_pairs", "n_neutral"),
    [(None, False, 3, 1), (3, False, 3, 1), (None, True, 3, 1), (1, False, 9, 3)],
)
def test_conv_is_the_sum(order, reflections, n_pairs, n_neutral):
    """Of the pairs of equal charge, modulo q, with parameters in the stated order."""
    ins, outs = (1, 2, -1), (-1, 1, 0)
    if order is None:
        ins = (1, 0, -1)
    layer = HarmonicConv(ins, outs, 3, dim=1, order=order, reflections=reflections).double()
    parts = 1 if reflections else 2
    assert layer.weight.shape == (parts, n_pairs, 3)
    assert layer.bias.shape == (parts, n_neutral)
    layer.bias.data = randn(parts, n_neutral, seed=3)
    weight, bias = (p.detach().numpy() for p in (layer.weight, layer.bias))
    weight = weight[0] + (0 if reflections else 1j * weight[1])
    bias = iter(bias[0] + (0 if reflections else 1j * bias[1]))
    z = randn(2, 3, 5, dtype=torch.complex128)
    expected, pair = np.zeros((2, 3, 5), complex), 0
    for o, i in itertools.product(range(3), range(3)):
        if (outs[o] - ins[i]) % (order or 1000) == 0:
            for r in range(3):
                expected[:, o] += weight[pair, r] * np.roll(z[:, i].numpy(), 1 - r, -1)
            pair += 1
    for o in range(3):
        if outs[o] % (order or 1000) == 0:
            expected[:, o] += next(bias)
    assert pair == n_pairs
    assert np.abs(layer(z).detach().numpy() - expected).max() < 1e-14


@pytest.mark.parametrize("reflections", [False, True])
def test_start_keeps_the_size(reflections):
    """Mean square 1 in, 1 out, of 32 channels of one charge."""
    torch.manual_seed(0)
    layer = HarmonicConv((1,) * 32, (1,) * 32, reflections=reflections).double()
    y = layer(randn(1, 32, 16, 16, dtype=torch.complex128))
    assert 0.9 < y.abs().square().mean() < 1.1
    assert repr(layer).endswith(f"3, dim=2, order=None, reflections={reflections})")


def test_gate_is_the_formula():
    layer = HarmonicGate(2).double()
    layer.scale.data, layer.bias.data = randn(2, seed=1), randn(2, seed=2)
    z = randn(3, 2, 4, dtype=torch.complex128)
    for c in range(2):
        a, b = layer.scale[c].item(), layer.bias[c].item()
        field = z[:, c].numpy()
        expected = field / (1 + np.exp(-a * np.abs(field) - b))
        assert np.abs(layer(z)[:, c].detach().numpy() - expected).max() < 1e-14


def test_conjugated_views():
    """Tensors that torch conjugates lazily."""
    z = randn(2, 2, 3, 4, dtype=torch.complex128).conj()
    for layer in (HarmonicGate(2).double(), HarmonicConv((1, 1), (1, 0)).double()):
        assert torch.equal(layer(z), layer(z.resolve_conj()))
    assert torch.equal(HarmonicProduct((1, 2))(z), HarmonicProduct((1, 2))(z.resolve_conj()))


def test_products_have_their_charges():
    layer = HarmonicProduct((1, 2, 5))
    theta = angles(2, 4)
    found = layer(angle_harmonics(theta, (1, 2, 5)))
    assert len(layer.out_charges) == found.shape[1] == 3 + 6 + 6
    for c, m in enumerate(layer.out_charges):
        assert np.abs(found[:, c].numpy() - np.exp(1j * m * theta.numpy())).max() < 1e-13


class Network(torch.nn.Module):
    def __init__(self, order=None, reflections=False, charges=(1, 2), inner=(1, 2, 1), dim=2):
        super().__init__()
        options = {"dim": dim, "order": order, "reflections": reflections}
        self.product = HarmonicProduct(inner)
        self.layers = torch.nn.Sequential(
            HarmonicConv(charges, inner, **options),
            HarmonicGate(len(inner)),
            self.product,
            HarmonicConv(self.product.out_charges, (0, 3, -1), 1, **options),
        )

    def forward(self, z):
        return self.layers(z)


class Phases(Battery):
    order = None

    def input(self, dtype):
        return angle_harmonics(angles(2, 3, 4, dtype=dtype), (1, 2))

    def layer(self):
        return Network(self.order)

    def symmetries(self):
        return {
            "phases": phase_rotations((1, 2), (0, 3, -1), order=self.order),
            "translations": translations(2),
        }

    def zeros(self):
        return torch.zeros(2, 2, 3, 4, dtype=torch.complex128)


class TestXY(Phases):
    """Under U(1); the charges of Z_3 are not enough."""

    def broken(self):
        return Network(3)


class TestClock(Phases):
    """Under Z_3, where all charges are 0, 1 or 2."""

    order = 3

    def broken(self):
        return Network(2, inner=(1, 2, 3))


class TestXYWithReflections(Phases):
    """Under O(2): real weights; complex ones fail under conjugation alone."""

    def layer(self):
        return Network(reflections=True)

    def symmetries(self):
        return {**super().symmetries(), "conjugation": CONJUGATION}

    def broken(self):
        return Network()


del Phases


def test_real_angles_to_complex_features_are_invariant():
    """Clock states as angles: a shift of all states by one turns charge m by 2 pi m / q."""
    state = torch.randint(5, (2, 4, 4), generator=generator())
    z, moved = (
        angle_harmonics(2 * math.pi * s.double() / 5, (1, 2)) for s in (state, (state + 1) % 5)
    )
    torch.manual_seed(0)
    layer = HarmonicConv((1, 2), (1, 2), order=5).double()
    phase = torch.exp(2j * math.pi * torch.tensor([1.0, 2.0], dtype=torch.float64) / 5)
    assert (layer(moved) - phase.view(2, 1, 1) * layer(z)).abs().max() < 1e-13


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_four_dimensions(dtype):
    torch.manual_seed(0)
    z = angle_harmonics(angles(1, 2, 3, 2, 3, dtype=dtype), (1, 2))
    layer, twin = (Network(order, dim=4).to(dtype) for order in (None, 3))
    phases = phase_rotations((1, 2), (0, 3, -1))
    assert_equivariant(layer, phases, z, generator())
    assert_equivariant(layer, translations(4), z, generator())
    with pytest.raises(AssertionError):
        assert_equivariant(twin, phases, z, generator())


def test_charge_without_an_input():
    with pytest.raises(InputError, match=r"^`out_charges` has 2; expected charges of inputs, \(1,"):
        HarmonicConv((1, 3), (1, 2))
    HarmonicConv((1, 3), (1, 5), order=4)
    HarmonicConv((1, 3), (1, 0))  # by its bias


@pytest.mark.parametrize("charges", [(), (1.0,), 1, "12", None, (True,)])
def test_charges(charges):
    for name, make in (
        ("in_charges", lambda: HarmonicConv(charges, (1,))),
        ("out_charges", lambda: HarmonicConv((1,), charges)),
        ("in_charges", lambda: HarmonicProduct(charges)),
        ("charges", lambda: angle_harmonics(torch.zeros(1, 2), charges)),
    ):
        with pytest.raises(InputError, match=f"^`{name}` is .*; expected integers, one a channel"):
            make()


def test_real_fields():
    with pytest.raises(InputError, match=r"^`z` has dtype torch.float32; expected complex numbers"):
        HarmonicConv((1,), (1,))(torch.zeros(1, 1, 4, 4))


@pytest.mark.parametrize("order", [0, 1.5, -2])
def test_order(order):
    with pytest.raises(InputError, match=r"^`order` is "):
        HarmonicConv((1,), (1,), order=order)
