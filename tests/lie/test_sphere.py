"""Sphere against arc cosines in high precision, its metric axioms, gradients and checks."""

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.lie import Circle, Manifold, Sphere


def vectors(n, seed, dtype=torch.float64, components=3):
    x = np.random.default_rng(seed).normal(size=(n, components))
    return torch.from_numpy(x / np.linalg.norm(x, axis=1, keepdims=True)).to(dtype)


def by_arc_cosine(x, y):
    """acos of the normalised scalar product, with 50 digits."""
    with mpmath.workdps(50):
        x, y = ([mpmath.mpf(float(c)) for c in v] for v in (x, y))
        dot = mpmath.fdot(x, y) / mpmath.sqrt(mpmath.fdot(x, x) * mpmath.fdot(y, y))
        return float(mpmath.acos(dot))


@pytest.mark.parametrize("components", [2, 3, 4, 9])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_equals_arc_cosine(components, dtype):
    x, y = vectors(50, 0, dtype, components), vectors(50, 1, dtype, components)
    ours = Sphere(components - 1).distance(x, y)
    assert ours.dtype == dtype
    expected = [by_arc_cosine(a, b) for a, b in zip(x, y, strict=True)]
    assert np.abs(ours.double().numpy() - expected).max() < 10 * torch.finfo(dtype).eps


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("gap", [1e-1, 1e-3, 1e-5, 1e-7])
def test_accurate_near_equal_and_antipodal(gap, dtype):
    """Where the arc cosine in the same dtype loses half of its digits."""
    north = torch.tensor([0.0, 0.0, 1.0], dtype=dtype)
    near = torch.tensor([math.sin(gap), 0.0, math.cos(gap)], dtype=dtype)
    eps = torch.finfo(dtype).eps
    exact = by_arc_cosine(north, near)
    assert float(Sphere(2).distance(north, near)) == pytest.approx(exact, rel=10 * eps)
    assert float(Sphere(2).distance(north, -near)) == pytest.approx(math.pi - exact, abs=10 * eps)


@given(st.integers(0, 2**31))
def test_metric(seed):
    x, y, z = vectors(3, seed)
    d = Sphere(2).distance
    assert d(x, x) == 0
    assert d(x, y) == d(y, x)
    assert 0 <= d(x, y) <= math.pi
    assert d(x, z) <= d(x, y) + d(y, z) + 1e-14
    assert abs(d(x, -y) - (math.pi - d(x, y))) < 1e-14
    rotation = torch.linalg.qr(torch.from_numpy(np.random.default_rng(seed).normal(size=(3, 3))))[0]
    assert abs(d(rotation @ x, rotation @ y) - d(x, y)) < 1e-14


def test_one_sphere_is_the_circle():
    theta = torch.linspace(-7, 7, 40, dtype=torch.float64)
    x = torch.stack([theta.cos(), theta.sin()], -1)
    ours = Sphere(1).distance(x[:, None], x[None])
    assert ours.shape == (40, 40)
    assert (ours - Circle().distance(theta[:, None], theta[None])).abs().max() < 1e-14


def test_gradcheck():
    x, y = (v.requires_grad_() for v in (vectors(10, 2), vectors(10, 3)))
    assert torch.autograd.gradcheck(Sphere(2).distance, (x, y))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("sign", [1, -1])
def test_subgradient_zero_at_equal_and_antipodal(sign, dtype):
    x = vectors(20, 4, dtype).requires_grad_()
    y = (sign * x.detach()).requires_grad_()
    distance = Sphere(2).distance(x, y)
    assert (distance - (0 if sign == 1 else math.pi)).abs().max() < 4 * torch.finfo(dtype).eps
    distance.sum().backward()
    # along the sphere; along the vectors |x - y| (or |x + y|) may move
    for v in (x, y):
        assert v.grad.isfinite().all()
        along = (v.grad * v.detach()).sum(-1, keepdim=True) * v.detach()
        assert (v.grad - along).abs().max() < 10 * torch.finfo(dtype).eps


def test_gradient_of_unit_length_along_the_sphere():
    x, y = vectors(20, 5).requires_grad_(), vectors(20, 6)
    Sphere(2).distance(x, y).sum().backward()
    normal = x.detach()
    along = x.grad - (x.grad * normal).sum(-1, keepdim=True) * normal
    assert (along.norm(dim=-1) - 1).abs().max() < 1e-12


def test_is_a_manifold_and_a_value():
    assert isinstance(Sphere(2), Manifold)
    assert Sphere(3).point_shape == (4,)
    assert Sphere(2) == Sphere(2) != Sphere(3)


@pytest.mark.parametrize("n", [0, -1, 2.0, "2", True, None])
def test_dimension(n):
    with pytest.raises(InputError, match=r"^`n` is .*; expected an integer of at least 1"):
        Sphere(n)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(()), r"`s` has shape \(\); expected \(..., 3\), the vectors of Sphere\(2\)"),
        (torch.zeros(4, 2), r"`s` has shape \(4, 2\); expected \(..., 3\)"),
        (torch.zeros(4, 3, dtype=torch.int64), r"`s` has dtype torch.int64; expected floats"),
        (2 * vectors(4, 0), r"`s` has vectors whose length is off 1 by 1; expected unit"),
        (vectors(4, 0) * (1 + 1e-6), r"`s` has vectors whose length is off 1 by 1e-06"),
        (torch.full((1, 3), math.nan), r"`s` has vectors whose length is off 1 by nan"),
    ],
)
def test_check(x, message):
    with pytest.raises(InputError, match="^" + message):
        Sphere(2).check("s", x)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_check_allows_roundings(dtype):
    Sphere(2).check("s", vectors(1000, 7, dtype))
