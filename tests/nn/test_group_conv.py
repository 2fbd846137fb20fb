"""Convolutions over point groups: against loops over the group, turned arrays, and the battery."""

import itertools

import numpy as np
import pytest
import torch

from topoml._core.errors import InputError
from topoml.lie import SO
from topoml.nn.equivariance import assert_equivariant, invariant, translations
from topoml.nn.group_conv import GroupConv, GroupPool, LiftingConv
from topoml.nn.point_groups import P4, P4M, P6, P6M, hypercubic, lattice_symmetries
from topoml.nn.spins import SpinConv, SpinGate, SpinInvariants

from .equivariant import Battery, generator, randn

GROUPS = [P4, P4M, P6, P6M]


def matrices(group):
    return np.array(group.elements)


def lifted_by_hand(f, weight, group, size):
    """Sum of the docstring; f (I, L, L), weight (O, I, sites)."""
    index = group.kernel_sites(size)[0].numpy()
    side, middle = f.shape[-1], size // 2
    out = np.zeros((weight.shape[0], group.order, side, side))
    for n, g in enumerate(matrices(group)):
        for r in np.argwhere(index >= 0):
            there = g @ (r - middle)  # w(r) stands at g r
            moved = np.roll(f, tuple(-there), (1, 2))
            out[:, n] += np.einsum("oi,ixy->oxy", weight[:, :, index[tuple(r)]], moved)
    return out


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("size", [3, 5])
def test_lifting_is_the_sum(group, size):
    torch.manual_seed(0)
    layer = LiftingConv(2, 3, size, group=group).double()
    layer.bias.data = randn(3, seed=5)
    f = randn(1, 2, 5, 5)
    expected = lifted_by_hand(f[0].numpy(), layer.weight.detach().numpy(), group, size)
    expected += layer.bias.detach().numpy()[:, None, None, None]
    assert np.abs(layer(f)[0].detach().numpy() - expected).max() < 1e-13


@pytest.mark.parametrize("group", GROUPS)
def test_group_conv_is_the_sum(group):
    torch.manual_seed(0)
    layer = GroupConv(1, 2, 3, group=group).double()
    f = randn(1, 1, group.order, 4, 4)
    index = group.kernel_sites(3)[0].numpy()
    n_sites = index.max() + 1
    weight = layer.weight.detach().numpy().reshape(2, 1, group.order, n_sites)
    g = matrices(group)
    number = {m.tobytes(): n for n, m in enumerate(g)}
    expected = np.zeros((2, group.order, 4, 4))
    for a, u in itertools.product(range(group.order), repeat=2):
        h = number[(g[a] @ g[u]).tobytes()]  # the field at h = g u meets w(u, .)
        for r in np.argwhere(index >= 0):
            moved = np.roll(f[0, 0, h].numpy(), tuple(-(g[a] @ (r - 1))), (0, 1))
            expected[:, a] += weight[:, 0, u, index[tuple(r)], None, None] * moved
    assert np.abs(layer(f)[0].detach().numpy() - expected).max() < 1e-13


def test_square_turns_are_those_of_arrays():
    """On an odd side, turned about its middle by rot90: the group axis goes round by one."""
    torch.manual_seed(0)
    layer = LiftingConv(1, 2, 3, group=P4).double()
    f = randn(1, 1, 5, 5)
    y, turned = layer(f), layer(torch.rot90(f, 1, (2, 3)))
    expected = torch.rot90(y, 1, (3, 4)).roll(1, 2)
    assert (turned - expected).abs().max() < 1e-14


def network(group, lifting=LiftingConv):
    return torch.nn.Sequential(
        lifting(1, 2, group=group),
        torch.nn.Tanh(),
        GroupConv(2, 2, group=group),
        torch.nn.Tanh(),
        GroupConv(2, 1, group=group),
        torch.nn.Tanh(),
        GroupConv(1, 2, 1, group=group),
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("group", GROUPS)
def test_four_layers(group, dtype):
    """On a (rhombic) torus, even and odd sides; larger groups see it fail."""
    torch.manual_seed(0)
    layer = network(group).to(dtype)
    larger = {4: P4M, 6: P6M}.get(group.order)
    for side in (3, 6):
        x = randn(2, 1, side, side, dtype=dtype)
        symmetries = lattice_symmetries(group, group_axis_out=True)
        assert_equivariant(layer, symmetries, x, generator(), n_draws=5)
        assert_equivariant(layer, translations(2), x, generator(), act_out=shift_behind_group)
        if larger is not None:
            pooled = torch.nn.Sequential(layer, GroupPool())
            assert_equivariant(pooled, lattice_symmetries(group), x, generator(), n_draws=5)
            with pytest.raises(AssertionError):
                assert_equivariant(pooled, lattice_symmetries(larger), x, generator(), n_draws=9)


def shift_behind_group(shift, y):
    return y.roll(shift, (3, 4))


def test_unequal_sides():
    """The layers run, the group has no action there, and half turns are still exact."""
    torch.manual_seed(0)
    layer, x = LiftingConv(1, 2, group=P4).double(), randn(1, 1, 4, 5)
    y, turned = layer(x), layer(x.flip((2, 3)))
    assert (turned - y.flip((3, 4)).roll(2, 2)).abs().max() < 1e-14
    with pytest.raises(InputError, match=r"\(1, 1, 4, 5\); expected 2 equal sides from axis 2"):
        assert_equivariant(layer, lattice_symmetries(P4, group_axis_out=True), x, generator())


def test_the_cube_in_three_dimensions():
    torch.manual_seed(0)
    group = hypercubic(3)
    layer = torch.nn.Sequential(
        LiftingConv(1, 1, group=group), torch.nn.Tanh(), GroupConv(1, 1, group=group)
    ).double()
    symmetries = lattice_symmetries(group, group_axis_out=True)
    assert_equivariant(layer, symmetries, randn(1, 1, 3, 3, 3), generator(), n_draws=5)


@pytest.mark.parametrize("reduction", ["mean", "max"])
def test_pool(reduction):
    x = randn(2, 3, 4, 5)
    expected = getattr(np, reduction)(x.numpy(), 2)
    assert np.abs(GroupPool(reduction)(x).numpy() - expected).max() < 1e-15


class Unturned(torch.nn.Module):
    """A kernel for each element by itself, in place of the images of one."""

    def __init__(self, in_channels, out_channels, kernel_size=3, *, group):
        super().__init__()
        self.shape = (out_channels, group.order)
        self.conv = torch.nn.Conv2d(
            in_channels, out_channels * group.order, 3, padding=1, padding_mode="circular"
        )

    def forward(self, x):
        return self.conv(x).unflatten(1, self.shape)


def small(group, lifting=LiftingConv):
    """Two of the four layers above."""
    return network(group, lifting)[:3]


class TestP4M(Battery):
    def layer(self):
        return small(P4M)

    def input(self, dtype):
        return randn(2, 1, 3, 3, dtype=dtype)

    def symmetries(self):
        return {"square": lattice_symmetries(P4M, group_axis_out=True)}

    def broken(self):
        return small(P4M, lifting=Unturned)


class TestP6M(Battery):
    """Invariants of the triangular lattice."""

    def layer(self):
        return torch.nn.Sequential(small(P6M), GroupPool("max"))

    def input(self, dtype):
        return randn(2, 1, 3, 3, dtype=dtype)

    def symmetries(self):
        return {"triangles": lattice_symmetries(P6M), "translations": translations(2)}

    def broken(self):
        """Kernels of the square on the triangular lattice."""
        return torch.nn.Sequential(small(P4M), GroupPool("max"))


class TestRotorsOnTheSquare(Battery):
    """O(2) of the spins and the whole space group p4m together."""

    def layer(self, group=P4M):
        return torch.nn.Sequential(
            LiftingConv(1, 2, group=group, spins=True),
            SpinGate(2),
            GroupConv(2, 2, group=group, spins=True),
            SpinGate(2),
            SpinInvariants(),
            GroupPool(),
        )

    def input(self, dtype):
        theta = 2 * randn(2, 1, 4, 4, dtype=dtype)
        return torch.stack([theta.cos(), theta.sin()], -1)

    def symmetries(self):
        return {
            "rotations": (SO(2), {"act_out": invariant}),
            "square": lattice_symmetries(P4M),
            "translations": translations(2),
        }

    def broken(self):
        return self.layer(P4)


class TestRotorsOnTheTriangles(TestRotorsOnTheSquare):
    """By convolutions whose weights are shared, which need no group axis."""

    def layer(self, group=P6M):
        return torch.nn.Sequential(
            SpinConv(1, 2, 5, group=group), SpinGate(2), SpinConv(2, 2, group=group), SpinGate(2)
        )

    def symmetries(self):
        return {
            "rotations": SO(2),
            "triangles": lattice_symmetries(P6M),
            "translations": translations(2),
        }

    def broken(self):
        return self.layer(P4M)


@pytest.mark.parametrize("layer", [LiftingConv, GroupConv])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel_size": 2}, "`kernel_size` is 2; expected an odd integer of at least 1, whose mi"),
        ({"group": "p4"}, "`group` is 'p4'; expected a PointGroup, such as P4M"),
        ({"in_channels": 0}, "`in_channels` is 0"),
        ({"out_channels": None}, "`out_channels` is None"),
    ],
)
def test_arguments(layer, arguments, message):
    with pytest.raises(InputError, match="^" + message):
        layer(**{"in_channels": 1, "out_channels": 1, "group": P4, **arguments})


def test_fields():
    with pytest.raises(
        InputError, match=r"^`x` has shape .*; expected \(B, C, G, \*L\) with G = 8"
    ):
        GroupConv(1, 1, group=P4M)(torch.zeros(1, 1, 4, 3, 3))
    with pytest.raises(
        InputError, match=r"^`x` has a lattice \(1, 1\); expected sides of at least"
    ):
        LiftingConv(1, 1, 5, group=P4M)(torch.zeros(1, 1, 1, 1))


def test_start_keeps_the_size():
    """Mean square 1 in, 1 out, of 32 channels."""
    torch.manual_seed(0)
    x = randn(1, 32, 4, 8, 8, dtype=torch.float32)
    assert 0.9 < LiftingConv(32, 32, group=P4)(x[:, :, 0]).square().mean() < 1.1
    assert 0.9 < GroupConv(32, 32, group=P4)(x).square().mean() < 1.1


def test_repr():
    assert repr(GroupConv(2, 3, group=P6)) == "GroupConv(2, 3, 3, group=P6)"
    assert repr(LiftingConv(1, 2, 5, group=P4M, spins=True)).endswith("5, group=P4M, spins=True)")


def test_reduction():
    with pytest.raises(InputError, match=r'^`reduction` is \'sum\'; expected "mean" or "max"'):
        GroupPool("sum")
