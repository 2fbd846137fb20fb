"""Angles and sines against fifty digits: values, and derivatives of the first and second order."""

import math

import mpmath
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from topoml.kernels.angles import arc, cosine_and_sinc, dot
from topoml.kernels.spheres import sphere_log
from topoml.kernels.su3 import su3_exp
from topoml.lie import SU

ANGLES = [0.0, 1e-150, 1e-9, 1e-5, 3.1e-3, 3.2e-3, 0.0446, 0.0448, 0.1, 1.0, 2.0, 3.0]
FORWARD = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")


def randn(*shape, seed=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def derivatives(function, x):
    """Value, first and second derivative at a number."""
    x = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    value = function(x)
    (first,) = torch.autograd.grad(value, x, create_graph=True)
    (second,) = torch.autograd.grad(first, x)
    return [float(t.detach()) for t in (value, first, second)]


@pytest.mark.parametrize("r", ANGLES)
def test_cosine_and_sinc_along_the_angle(r):
    """cos r and r sinc r = sin r, of which the derivatives are each other."""
    sine, cosine = math.sin(r), math.cos(r)
    found = derivatives(lambda r: cosine_and_sinc(r * r)[0], r)
    assert found == pytest.approx([cosine, -sine, -cosine], rel=1e-13, abs=1e-300)
    found = derivatives(lambda r: cosine_and_sinc(r * r)[1] * r, r)
    assert found == pytest.approx([sine, cosine, -sine], rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("angle", [*ANGLES[1:], math.pi - 1e-6])
@pytest.mark.parametrize("norm", [1.0, 0.5])
def test_arc_and_its_derivatives_along_the_sine(angle, norm):
    """d atan2(r, c) / dr = c / (r^2 + c^2)."""
    r, c = norm * math.sin(angle), norm * math.cos(angle)
    with mpmath.workdps(50):
        R, C = mpmath.mpf(r), mpmath.mpf(c)
        square = R * R + C * C
        exact = [mpmath.atan2(R, C), C / square, -2 * R * C / square**2]
    cosine = torch.tensor([c], dtype=torch.float64)
    found = derivatives(lambda r: arc(torch.stack([0 * r, r]), cosine)[0][1], r)
    assert found[:2] == pytest.approx([float(x) for x in exact[:2]], rel=1e-9)
    if angle < 3.1:  # beyond, the terms of which it is the difference are 1e12
        assert found == pytest.approx([float(x) for x in exact], rel=1e-12, abs=1e-300)


def test_arc_at_the_pole_and_opposite():
    u = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    for c, slope in ((1.0, 1.0), (0.25, 4.0), (-1.0, 0.0), (0.0, 0.0)):
        jacobian = torch.autograd.functional.jacobian(
            lambda u, c=c: arc(u, torch.tensor([c], dtype=torch.float64))[0], u
        )
        assert torch.equal(jacobian, slope * torch.eye(3, dtype=torch.float64))


@FORWARD
@pytest.mark.parametrize("scale", [0.0, 1e-5, 1.0])
def test_derivatives_of_both_modes_and_orders(scale):
    u = (scale * randn(4, 3)).requires_grad_()
    c = torch.linspace(0.5, 1, 4, dtype=torch.float64)[:, None].requires_grad_()
    for function, inputs in (
        (arc, (u, c)),
        (lambda u: cosine_and_sinc(dot(u, u)), (u,)),
        (lambda u: su3_exp(SU(3).hat(torch.cat([u, u, u[:, :2]], -1))), (u,)),
    ):
        assert gradcheck(function, inputs, check_forward_ad=True)
        assert gradgradcheck(function, inputs)


@FORWARD
def test_derivatives_of_the_logarithm_on_the_sphere():
    """Both arguments off the sphere, too; of a broadcast base; and at equal points."""
    x = randn(4, 3).requires_grad_()
    base = torch.nn.functional.normalize(x.detach().roll(1, 0) + 0.1, dim=-1).requires_grad_()
    assert gradcheck(sphere_log, (x, base), check_forward_ad=True)
    assert gradgradcheck(sphere_log, (x, base))
    assert gradcheck(sphere_log, (x, base[0].detach().requires_grad_()))
    same = base.detach().clone().requires_grad_()
    assert gradcheck(sphere_log, (same, base), check_forward_ad=True)
    assert gradgradcheck(sphere_log, (same, base))


@FORWARD
def test_hessian_by_forward_over_reverse():
    """Of log cos along a curve: functorch's transforms, nested, against finite differences."""

    def action(v):
        return su3_exp(SU(3).hat(v)).diagonal().real.sum() + cosine_and_sinc(dot(v, v))[1].sum()

    v = 0.3 * randn(8)
    hessian = torch.func.hessian(action)(v)
    step = 1e-5 * torch.eye(8, dtype=torch.float64)
    gradient = torch.func.grad(action)
    rows = [(gradient(v + h) - gradient(v - h)) / 2e-5 for h in step]
    assert torch.allclose(hessian, torch.stack(rows), atol=1e-8)


@pytest.mark.parametrize("scale", [0.0, 1e-9, 1e-5, 1e-2, 1.0])
def test_second_derivatives_of_su3_near_the_identity(scale):
    """Against the series of the exponential, to the order 30."""
    v = scale * randn(8)

    def series(v):
        X = SU(3).hat(v)
        term = torch.eye(3, dtype=X.dtype)
        total = term
        for k in range(1, 31):
            term = term @ X / k
            total = total + term
        return torch.view_as_real(total)

    for part in randn(3, 18):
        ours, exact = (
            torch.autograd.functional.hessian(lambda v, f=f, p=part: f(v).flatten() @ p, v)
            for f in (lambda v: torch.view_as_real(su3_exp(SU(3).hat(v))), series)
        )
        assert (ours - exact).abs().max() < 1e-12


def test_compiled_operations_are_the_same():
    x = torch.nn.functional.normalize(randn(9, 3), dim=-1)
    x[1] = torch.tensor([0.0, 0.0, 1.0])
    base = torch.cat([x[:1], -x[1:2], x[[3, 2, 5, 4, 7, 8, 6]]])
    v = torch.tensor([0.0, 1e-3, 0.1, 1.0], dtype=torch.float64)[:, None] * torch.ones(8)
    for function, inputs in (
        (sphere_log, (x, base)),
        (lambda v: torch.view_as_real(su3_exp(SU(3).hat(v))), (v,)),
    ):
        compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
        results = []
        for f in (function, compiled):
            arguments = [t.clone().requires_grad_() for t in inputs]
            y = f(*arguments)
            results.append((y, *torch.autograd.grad(y.sin().sum(), arguments)))
        for ours, theirs in zip(*results, strict=True):
            assert torch.allclose(ours, theirs, rtol=0, atol=1e-13)
