"""Spin layers against sums written out site by site, and the battery of equivariant layers."""

import itertools

import numpy as np
import pytest
import torch

from topoml._core.errors import InputError
from topoml.kernels.periodic_conv import periodic_conv
from topoml.lie import SO
from topoml.nn.equivariance import assert_equivariant, invariant, translations
from topoml.nn.point_groups import P4M, hypercubic, lattice_symmetries
from topoml.nn.spins import SpinConv, SpinGate, SpinInvariants, SpinVNReLU

from .equivariant import Battery, generator, randn


def by_hand(x, weight):
    """The sum of the docstring, one site and one entry of the kernel after the other."""
    x, weight = x.detach().numpy(), weight.detach().numpy()
    sides, box = x.shape[2:-1], weight.shape[2:]
    out = np.zeros((x.shape[0], weight.shape[0], *x.shape[2:]))
    for site in itertools.product(*map(range, sides)):
        for r in itertools.product(*map(range, box)):
            there = [(s + k - K // 2) % L for s, k, K, L in zip(site, r, box, sides, strict=True)]
            out[(..., *site, slice(None))] += np.einsum(
                "oi,bin->bon", weight[(..., *r)], x[(..., *there, slice(None))]
            )
    return torch.from_numpy(out)


@pytest.mark.parametrize(
    ("sides", "size", "n"),
    [((5,), 3, 2), ((4, 5), 3, 3), ((2, 1), 3, 1), ((2, 4), 5, 2), ((3, 2, 4), 3, 2),
     ((3, 2, 4, 2), 3, 3), ((1, 2, 1, 2, 3), 3, 1)],
)  # fmt: skip
def test_conv_is_the_sum(sides, size, n):
    """Sides of 1 and 2, whose sites a kernel meets more than once, and five dimensions included."""
    torch.manual_seed(0)
    layer = SpinConv(2, 3, size, dim=len(sides)).double()
    x = randn(2, 2, *sides, n)
    assert layer(x).shape == (2, 3, *sides, n)
    assert (layer(x) - by_hand(x, layer.weight)).abs().max() < 1e-13  # 250 terms of order 1


@pytest.mark.parametrize("box", [(3, 5), (1, 3, 5), (5, 1, 3, 3)])
def test_kernels_of_unequal_sides(box):
    x, weight = randn(1, 2, 3, 4, 5, 3)[(..., *(0,) * (4 - len(box)))], randn(2, 2, *box, seed=1)
    found = periodic_conv(x, weight)
    assert (found[..., None] - by_hand(x[..., None], weight)).abs().max() < 1e-13


def test_conv_of_a_group_shares_weights():
    """4 x 4 images of a random kernel under rot90 and transposition are the kernel."""
    layer = SpinConv(1, 1, 5, group=P4M)
    assert layer.weight.shape == (1, 1, 6)  # orbits of 25 sites
    x = torch.zeros(1, 1, 5, 5, 1)
    x[0, 0, 2, 2] = 1
    kernel = layer(x)[0, 0, :, :, 0].detach()
    for k in range(4):
        assert torch.equal(torch.rot90(kernel, k), kernel)
    assert torch.equal(kernel.T, kernel)
    assert len(kernel.unique()) == 6


def test_start_keeps_the_size():
    """Variance 1 in, 1 out, for unit noise: 5 standard errors of 8192 components."""
    torch.manual_seed(0)
    for layer in (SpinConv(8, 32, 3), SpinConv(8, 32, 3, group=P4M)):
        y = layer(randn(1, 8, 16, 16, 1, dtype=torch.float32))
        assert 0.7 < y.var() < 1.3


def test_gate_is_the_formula():
    layer = SpinGate(2).double()
    layer.scale.data, layer.bias.data = randn(2, seed=1), randn(2, seed=2)
    x = randn(3, 2, 4, 3)
    for c in range(2):
        length = x[:, c].numpy() ** 2 @ np.ones(3)
        a, b = layer.scale[c].item(), layer.bias[c].item()
        gate = 1 / (1 + np.exp(-a * length**0.5 - b))
        assert np.abs(layer(x)[:, c].detach().numpy() - x[:, c].numpy() * gate[..., None]).max() < (
            1e-14
        )


def test_vector_relu_is_the_formula():
    layer = SpinVNReLU(2, 0.2).double()
    x = randn(3, 2, 4, 3)
    y = layer(x).detach()
    kept = 0
    for b, c, i in itertools.product(range(3), range(2), range(4)):
        s, k = x[b, c, i], sum(layer.weight[c, d].detach() * x[b, d, i] for d in range(2))
        if s @ k >= 0:
            expected, kept = s, kept + 1
        else:
            expected = s - 0.8 * (s @ k) * k / (k @ k)
        assert (y[b, c, i] - expected).abs().max() < 1e-14
    assert 0 < kept < 24


@pytest.mark.parametrize("layer", [SpinGate(2), SpinVNReLU(2)])
def test_gradients_at_zero(layer):
    """Those of the docstrings, next to a spin that is not 0."""
    layer = layer.double()
    x = randn(1, 2, 3, 3)
    x[:, :, 1] = 0
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x)[0, :, 1], x)
    expected = torch.zeros_like(jacobian)
    value = 0.5 if isinstance(layer, SpinGate) else 1.0
    for c, n in itertools.product(range(2), range(3)):
        expected[c, n, 0, c, 1, n] = value
    assert torch.equal(jacobian, expected)


def test_vector_relu_of_tiny_spins():
    """The direction is that of k, not of a square that underflows."""
    layer = SpinVNReLU(2)
    layer.weight.data = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    x = torch.tensor([[-1.0, 2.0], [3.0, 0.0]]).view(1, 2, 1, 2)
    for scale in (1.0, 1e-15):
        assert (layer(scale * x)[0, 0, 0] / scale - torch.tensor([0.0, 2.0])).abs().max() < 1e-5


def test_invariants_are_scalar_products():
    x = randn(2, 3, 4, 5, 2)
    found = SpinInvariants()(x)
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    for k, (a, b) in enumerate(pairs):
        expected = (x[:, a].numpy() * x[:, b].numpy()).sum(-1)
        assert np.abs(found[:, k].numpy() - expected).max() < 1e-14
    assert found.shape == (2, 6, 4, 5)


def rotations_and_lattice(n, dim=2):
    return {"rotations": SO(n), "translations": translations(dim)}


class Biased(torch.nn.Module):
    """A layer with a constant vector added, which no rotation keeps."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x) + 0.1


class TestConv(Battery):
    def layer(self):
        return SpinConv(2, 3)

    def input(self, dtype):
        return randn(2, 2, 4, 3, 3, dtype=dtype)

    def symmetries(self):
        return rotations_and_lattice(3)

    def broken(self):
        return Biased(self.layer())


class TestConvOfGroup(Battery):
    """In three dimensions with the cube's symmetries, spins of two components."""

    def layer(self):
        return SpinConv(2, 2, dim=3, group=hypercubic(3))

    def input(self, dtype):
        return randn(2, 2, 3, 3, 3, 2, dtype=dtype)

    def symmetries(self):
        return {**rotations_and_lattice(2, 3), "cube": lattice_symmetries(hypercubic(3))}

    def broken(self):
        return SpinConv(2, 2, dim=3)


class TestGate(Battery):
    def layer(self):
        return SpinGate(2)

    def input(self, dtype):
        return randn(2, 2, 4, 3, 4, dtype=dtype)

    def symmetries(self):
        return rotations_and_lattice(4)

    def broken(self):
        return Biased(self.layer())


class TestVectorReLU(Battery):
    def layer(self):
        return SpinVNReLU(3, 0.1)

    def input(self, dtype):
        return randn(2, 3, 4, 3, 3, dtype=dtype)

    def symmetries(self):
        return rotations_and_lattice(3)

    def broken(self):
        return torch.nn.Sequential(self.layer(), torch.nn.ReLU())


class TestNetwork(Battery):
    """Four layers and the invariants."""

    def layer(self):
        return torch.nn.Sequential(
            SpinConv(1, 3), SpinVNReLU(3), SpinConv(3, 2), SpinGate(2), SpinInvariants()
        )

    def input(self, dtype):
        return torch.nn.functional.normalize(randn(2, 1, 4, 4, 3, dtype=dtype), dim=-1)

    def symmetries(self):
        return {
            "rotations": (SO(3), {"act_out": invariant}),
            "translations": translations(2),
        }

    def broken(self):
        return torch.nn.Sequential(
            SpinConv(1, 3), SpinVNReLU(3), torch.nn.ReLU(), SpinConv(3, 2), SpinInvariants()
        )


class FourDimensions(torch.nn.Module):
    def __init__(self, broken=False):
        super().__init__()
        self.layers = torch.nn.Sequential(
            SpinConv(1, 2, dim=4), SpinGate(2), SpinConv(2, 2, dim=4), SpinVNReLU(2)
        )
        self.broken = broken

    def forward(self, x):
        return self.layers(x.relu() if self.broken else x)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_four_dimensions(dtype):
    """Also a reflection of O(3), which SO(3) does not have."""
    torch.manual_seed(0)
    x = randn(1, 1, 3, 4, 2, 3, 3, dtype=dtype)
    layer = FourDimensions().to(dtype)
    groups = (SO(3), translations(4))
    assert all(assert_equivariant(layer, group, x, generator()) > 0 for group in groups[:1])
    assert_equivariant(layer, groups[1], x, generator())
    eps = torch.finfo(dtype).eps
    assert (layer(-x) + layer(x)).abs().max() <= 100 * eps * layer(x).abs().max()
    with pytest.raises(AssertionError):
        assert_equivariant(FourDimensions(broken=True).to(dtype), SO(3), x, generator())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_channels": 0}, "`in_channels` is 0"),
        ({"out_channels": 1.5}, "`out_channels` is 1.5"),
        ({"kernel_size": 2}, "`kernel_size` is 2; expected an odd integer of at least 1"),
        ({"kernel_size": True}, "`kernel_size` is True"),
        ({"dim": 0}, "`dim` is 0"),
        ({"group": "p4m"}, "`group` is 'p4m'; expected a PointGroup of 2 axes"),
        ({"group": hypercubic(3)}, r"`group` is PointGroup\(.*; expected a PointGroup of 2 axes"),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(InputError, match="^" + message):
        SpinConv(**{"in_channels": 1, "out_channels": 1, **arguments})


@pytest.mark.parametrize("slope", [-0.1, 1.1, "0", None])
def test_slope(slope):
    with pytest.raises(InputError, match=r"^`negative_slope` is .*; expected 0 to 1"):
        SpinVNReLU(2, slope)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (None, r"`x` is NoneType; expected a torch.Tensor \(B, C, \*L, n\)"),
        (torch.zeros(1, 2, 4, 4), r"`x` has shape \(1, 2, 4, 4\); expected \(B, C, \*L, n\)"),
        (torch.zeros(1, 1, 4, 4, 2), r"`x` has shape \(1, 1, 4, 4, 2\); expected .* with C = 2"),
        (torch.zeros(1, 2, 0, 4, 2), r"`x` has shape \(1, 2, 0, 4, 2\); expected"),
        (torch.zeros(1, 2, 4, 4, 2, dtype=torch.int64), "`x` has dtype torch.int64; expected fl"),
        (torch.zeros(1, 2, 1, 4, 2), r"`x` has a lattice \(1, 4\); expected sides of at least 2"),
    ],
)
def test_fields(x, message):
    with pytest.raises(InputError, match="^" + message):
        SpinConv(2, 1, 5)(x)
