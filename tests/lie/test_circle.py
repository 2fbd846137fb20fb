"""Circle against complex phases, its metric axioms, gradients and checks."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.lie import Circle, Manifold

PI = math.pi
angles = st.floats(-20, 20)
harmonics = st.integers(1, 4)


def tensor(x, dtype=torch.float64):
    return torch.tensor(x, dtype=dtype)


def by_phases(x, y, harmonic):
    return np.abs(np.angle(np.exp(1j * harmonic * (np.asarray(y) - np.asarray(x)))))


@given(st.lists(st.tuples(angles, angles), min_size=1, max_size=20), harmonics)
def test_equals_complex_phases(pairs, harmonic):
    x, y = np.array(pairs).T
    ours = Circle(harmonic).distance(tensor(x), tensor(y)).numpy()
    # h (y - x) is at most 160, rounded and reduced by a rounded multiple of 2 pi
    np.testing.assert_allclose(ours, by_phases(x, y, harmonic), rtol=0, atol=160 * 2e-15)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_dtype(dtype):
    g = torch.Generator().manual_seed(0)
    x, y = (8 * torch.rand(2, 1000, dtype=torch.float64, generator=g) - 4).to(dtype)
    ours = Circle().distance(x, y)
    assert ours.dtype == dtype
    expected = by_phases(x.double(), y.double(), 1)
    assert np.abs(ours.double().numpy() - expected).max() <= 8 * torch.finfo(dtype).eps * 2
    assert (ours >= 0).all()
    assert (ours <= torch.tensor(PI, dtype=dtype)).all()  # pi as this dtype has it


@given(angles, angles, angles, harmonics)
def test_metric(x, y, z, harmonic):
    d = Circle(harmonic).distance
    x, y, z = tensor(x), tensor(y), tensor(z)
    assert d(x, x) == 0
    assert d(x, y) == d(y, x)
    assert 0 <= d(x, y) <= PI
    assert d(x, z) <= d(x, y) + d(y, z) + 1e-12
    assert abs(d(x + 2 * PI, y) - d(x, y)) < 1e-12
    assert abs(d(x + 2 * PI / harmonic, y) - d(x, y)) < 1e-12
    assert abs(d(x + 1.0, y + 1.0) - d(x, y)) < 1e-12


def test_points_that_are_one():
    """Half a turn is far on the circle and nothing for nematics."""
    x, y = tensor(0.25), tensor(0.25 + PI)
    assert Circle().distance(x, y) == pytest.approx(PI)
    assert Circle(harmonic=2).distance(x, y) == pytest.approx(0, abs=1e-14)
    assert Circle(harmonic=2).distance(x, tensor(0.25 + PI / 2)) == pytest.approx(PI)


def test_broadcasts():
    x, y = torch.zeros(3, 1, 4), torch.ones(2, 1)
    assert torch.equal(Circle().distance(x, y), torch.ones(3, 2, 4))
    assert Circle().point_shape == ()


@pytest.mark.parametrize("harmonic", [1, 2, 3])
def test_gradcheck(harmonic):
    g = torch.Generator().manual_seed(1)
    x = (20 * torch.rand(30, dtype=torch.float64, generator=g) - 10).requires_grad_()
    y = (20 * torch.rand(30, dtype=torch.float64, generator=g) - 10).requires_grad_()
    turn = torch.remainder(harmonic * (y - x).detach(), PI)
    assert ((turn > 1e-4) & (turn < PI - 1e-4)).all()  # away from the kinks
    assert torch.autograd.gradcheck(Circle(harmonic).distance, (x, y))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("turn", [0.0, PI, -PI])
def test_subgradient_zero(turn, dtype):
    """At distance 0, and at the cut locus where half a turn is the float that stands for pi."""
    x = torch.zeros((), dtype=dtype, requires_grad=True)
    y = torch.tensor(turn, dtype=dtype, requires_grad=True)
    distance = Circle().distance(x, y)
    assert float(distance.detach()) == pytest.approx(abs(turn), rel=1e-6)
    distance.backward()
    assert x.grad == y.grad == 0


def test_gradient_points_away():
    x, y = tensor(0.0).requires_grad_(), tensor(3.0)
    Circle().distance(x, y).backward()
    assert x.grad == -1
    x = tensor(0.0).requires_grad_()
    Circle().distance(x, tensor(3.5)).backward()  # shorter the other way round
    assert x.grad == 1


def test_is_a_manifold_and_a_value():
    assert isinstance(Circle(), Manifold)
    assert Circle() == Circle(harmonic=1) != Circle(harmonic=2)
    assert repr(Circle(2)) == "Circle(harmonic=2)"


@pytest.mark.parametrize("harmonic", [0, -1, 1.0, "1", True, None])
def test_harmonic(harmonic):
    with pytest.raises(InputError, match=r"^`harmonic` is .*; expected an integer of at least 1"):
        Circle(harmonic=harmonic)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(3, dtype=torch.int64), r"`theta` has dtype torch.int64; expected floats"),
        (torch.zeros(3, dtype=torch.complex64), r"`theta` has dtype torch.complex64; expected"),
        (torch.tensor([0.0, math.inf]), r"`theta` has infinite entries; expected angles"),
    ],
)
def test_check(x, message):
    with pytest.raises(InputError, match="^" + message):
        Circle().check("theta", x)
    Circle().check("theta", torch.tensor([-100.0, 0.0, 100.0]))
