"""Losses of fields against their formulas; symmetries; gradients; what descent does."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.features import betti_matching_loss, vortex_loss
from topoml.homology import betti_matching
from topoml.lattice import vortices

EPS = torch.finfo(torch.float64).eps


def angles(*shape, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    return (2 * math.pi * torch.rand(*shape, dtype=torch.float64, generator=g)).to(dtype)


def definition(theta, r, periodic):
    """Plaquette by plaquette, with the sawtooth as the argument of a complex number."""
    h, w = theta.shape
    total = 0.0
    for i in range(h if periodic[0] else h - 1):
        for j in range(w if periodic[1] else w - 1):
            k, m = (i + 1) % h, (j + 1) % w
            corners = [theta[i, j], theta[k, j], theta[k, m], theta[i, m], theta[i, j]]
            saws = [np.angle(1 + r * np.exp(1j * (b - a))) for a, b in itertools.pairwise(corners)]
            total += (sum(saws) / (4 * math.atan(r))) ** 2
    return total


@given(
    st.integers(0, 2**31),
    st.integers(1, 5),
    st.integers(1, 5),
    st.sampled_from([0.01, 0.5, 0.9, 0.999]),
    st.tuples(st.booleans(), st.booleans()),
)
def test_equals_the_definition(seed, h, w, r, periodic):
    theta = angles(h, w, seed=seed)
    expected = definition(theta.numpy(), r, periodic)
    ours = float(vortex_loss(theta, sharpness=r, periodic=periodic))
    assert ours == pytest.approx(expected, rel=1e-9, abs=1e-20)


def test_counts_vortices_as_it_gets_sharp():
    """Towards r = 1 it is the number of plaquettes with a winding, up to bonds that turn by pi."""
    theta = angles(20, 10, 10, seed=1)
    count = vortices(theta).abs().sum((1, 2)).double()
    errors = [(vortex_loss(theta, sharpness=r) - count).abs().mean() for r in (0.9, 0.99, 1 - 1e-9)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-5


@pytest.mark.parametrize("r", [0.1, 0.9, 0.999])
def test_vortex_counts_one(r):
    turn = torch.tensor([[0.0, 0.5], [1.5, 1.0]], dtype=torch.float64) * math.pi
    for theta in (turn, -turn, turn + 1.0, turn.mT):
        assert float(vortex_loss(theta, sharpness=r, periodic=False)) == pytest.approx(1.0)


def test_smooth_field_counts_of_sixth_order():
    x = torch.arange(16, dtype=torch.float64) * (2 * math.pi / 16)
    wave = x.sin()[:, None] * x.cos() + x.cos()[:, None]
    one, half = (float(vortex_loss(s * wave)) for s in (0.02, 0.01))
    assert one / half == pytest.approx(64, rel=0.01)


def test_invariance():
    theta = angles(4, 7, 6, seed=2)
    loss = vortex_loss(theta)
    turns = 2 * math.pi * torch.randint(-3, 4, theta.shape).double()
    for moved in (theta + 0.7, -theta, theta + turns, theta.roll((2, 3), (1, 2)), theta.flip(1)):
        torch.testing.assert_close(vortex_loss(moved), loss, rtol=1e-11, atol=0)
    torch.testing.assert_close(vortex_loss(theta.mT), loss, rtol=1e-11, atol=0)
    other = theta.clone()
    other[:, 0, 0] += 0.7  # a single spin turned is another field
    assert (vortex_loss(other) - loss).abs().max() > 1e-3


def test_descent_removes_vortices():
    """All pairs annihilate."""
    theta = angles(12, 12, seed=3).requires_grad_()
    before = int(vortices(theta.detach()).abs().sum())
    optimizer = torch.optim.Adam([theta], lr=0.2)
    for _ in range(400):
        loss = vortex_loss(theta)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert before > 20
    assert not vortices(theta.detach()).any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_sample_does_not_depend_on_its_batch(dtype):
    theta = angles(9, 7, 5, seed=4, dtype=dtype).requires_grad_()
    together = vortex_loss(theta)
    together.sum().backward()
    assert together.dtype == dtype
    for i in range(9):
        one = theta.detach()[i].clone().requires_grad_()
        alone = vortex_loss(one)
        alone.backward()
        assert torch.equal(alone, together[i])
        assert torch.equal(one.grad, theta.grad[i])
    assert torch.equal(vortex_loss(theta.reshape(3, 3, 7, 5)), together.reshape(3, 3))


@pytest.mark.parametrize("periodic", [True, False, (True, False)])
def test_gradcheck(periodic):
    theta = angles(2, 3, 4, seed=5).requires_grad_()
    function = lambda theta: vortex_loss(theta, periodic=periodic)  # noqa: E731
    assert torch.autograd.gradcheck(function, theta)
    assert torch.autograd.gradgradcheck(function, theta)


@pytest.mark.parametrize("value", [0.0, math.pi / 2, math.pi, 1e6])
def test_finite(value):
    """Ties, turns by pi (the corner of the wrapped difference) and large angles."""
    theta = torch.zeros(4, 4, dtype=torch.float64)
    theta[::2] = value
    theta.requires_grad_()
    loss = vortex_loss(theta, sharpness=0.999)
    loss.backward()
    assert loss.isfinite()
    assert theta.grad.isfinite().all()


def test_axes_of_length_one():
    theta = angles(3, 1, 5, seed=6)
    assert torch.equal(vortex_loss(theta, periodic=False), torch.zeros(3, dtype=torch.float64))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"theta": [0.0]}, r"`theta` is list;"),
        ({"theta": torch.zeros(3)}, r"`theta` has shape \(3,\);"),
        ({"theta": torch.zeros(2, 2).long()}, r"`theta` has dtype torch.int64;"),
        ({"theta": torch.full((2, 2), math.nan)}, r"`theta` has a NaN or an infinite entry;"),
        ({"sharpness": 1.0}, r"`sharpness` is 1.0; expected a number between 0 and 1"),
        ({"sharpness": 0}, r"`sharpness` is 0;"),
        ({"sharpness": "0.5"}, r"`sharpness` is '0.5';"),
        ({"periodic": 1}, r"`periodic` is 1;"),
    ],
)
def test_bad_input(arguments, message):
    arguments = {"theta": torch.zeros(2, 2)} | arguments
    with pytest.raises(InputError, match="^" + message) as error:
        vortex_loss(arguments.pop("theta"), **arguments)
    assert "\n" not in str(error.value)


def two_fields(*shape, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(*shape, generator=g, dtype=torch.float64)
    return x.to(dtype), (x + 0.5 * torch.randn(*shape, generator=g, dtype=torch.float64)).to(dtype)


@pytest.mark.parametrize("superlevel", [False, True])
@pytest.mark.parametrize("dimensions", [(0, 1), (1,), (2, 0, 1)])
def test_matching_loss_is_the_sum(superlevel, dimensions):
    """Term by term over the matching, which has tests of its own."""
    options = {"homology_dimensions": dimensions, "periodic": True, "superlevel": superlevel}
    for x, y in zip(*two_fields(3, 7, 6), strict=True):
        m = betti_matching(x, y, **options)
        total = 0.0
        for i, j in m.pairs.tolist():
            total += 2 * ((m.first.points[i] - m.second.points[j]) ** 2).sum()
        for d, row in ((m.first, m.pairs[:, 0]), (m.second, m.pairs[:, 1])):
            for i in set(range(len(d.points))) - set(row.tolist()):
                total += (d.points[i, 1] - d.points[i, 0]) ** 2
        for i, j in m.essential_pairs.tolist():
            total += 2 * (m.first.essential[i] - m.second.essential[j]) ** 2
        assert float(betti_matching_loss(x, y, **options)) == pytest.approx(float(total))


def test_matching_loss_of_equal_and_turned_fields():
    x, y = two_fields(4, 8, 9)
    x.requires_grad_()
    equal = betti_matching_loss(x, x.detach().clone())
    equal.sum().backward()
    assert not equal.any()
    assert not x.grad.any()
    torch.testing.assert_close(betti_matching_loss(x, y), betti_matching_loss(y, x))
    one = betti_matching_loss(x, y, superlevel=True)
    assert torch.equal(one, betti_matching_loss(-x, -y))
    turned = betti_matching_loss(x.flip(1).mT, y.flip(1).mT)
    torch.testing.assert_close(turned, betti_matching_loss(x, y))


def test_matching_loss_sees_the_place():
    """A blob at another place is another blob, though the diagrams are equal."""
    x, y = torch.zeros(2, 9, 9)
    x[2:4, 2:4] = 1.0
    y[6:8, 6:8] = 1.0
    options = {"homology_dimensions": (1,)}
    assert float(betti_matching_loss(x, x, **options)) == 0.0
    assert float(betti_matching_loss(x, y, **options)) == 2.0


@pytest.mark.parametrize("periodic", [False, True])
def test_matching_loss_gradcheck(periodic):
    x, y = two_fields(2, 5, 4, seed=1)
    function = lambda x, y: betti_matching_loss(x, y, periodic=periodic)  # noqa: E731
    assert torch.autograd.gradcheck(function, (x.requires_grad_(), y.requires_grad_()))
    assert torch.autograd.gradgradcheck(function, (x, y))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_matching_loss_does_not_depend_on_the_batch(dtype):
    x, y = two_fields(7, 9, 8, seed=2, dtype=dtype)
    x.requires_grad_()
    together = betti_matching_loss(x, y, periodic=True)
    together.sum().backward()
    assert together.dtype == dtype
    for i in range(7):
        one = x.detach()[i].clone().requires_grad_()
        alone = betti_matching_loss(one, y[i], periodic=True)
        alone.backward()
        assert torch.equal(alone, together[i])
        assert torch.equal(one.grad, x.grad[i])


@pytest.mark.parametrize("kind", ["constant", "ties", "binary"])
def test_matching_loss_is_finite(kind):
    x, y = two_fields(3, 6, 6, seed=3)
    x = {"constant": torch.ones_like(x), "ties": x.round(), "binary": (x > 0).double()}[kind]
    y = (y > 0).double()
    x.requires_grad_()
    loss = betti_matching_loss(x, y, periodic=(True, False))
    loss.sum().backward()
    assert loss.isfinite().all()
    assert x.grad.isfinite().all()
