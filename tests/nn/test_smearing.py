"""Stout smearing against staples written out by walks, and its symmetries."""

import itertools

import pytest
import torch

from topoml._core.errors import InputError
from topoml.lie import SU, U1
from topoml.nn.equivariance import assert_equivariant, translations
from topoml.nn.loops import Plaquettes
from topoml.nn.smearing import StoutSmearing
from topoml.nn.transformations import gauge_transformations, transform_links

from .equivariant import generator
from .gauge_fields import CASES, at_all_sites, links, matrices, walk


def staples(u, m, periodic):
    """The sum of the loops that begin with a step aside and contain the link -m."""
    total = 0
    for n in range(1, u.shape[1] + 1):
        if n != m:
            for a in (n, -n):
                path = (a, m, -a, -m)
                total = total + at_all_sites(u, lambda one, x, p=path: walk(one, p, x, periodic)[0])
    return total


@pytest.mark.parametrize("periodic", [True, (True, False)])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_formula(case, periodic):
    u = links(case, batch=1)
    full, axes = matrices(u), (True, True) if periodic is True else periodic
    found = matrices(StoutSmearing(1, 0.13, group=CASES[case], periodic=periodic).double()(u))
    rho = float(torch.tensor(0.13))  # float32
    for m in (1, 2):
        x = staples(full, m, axes)
        x = (x - x.mH) / 2
        n = x.shape[-1]
        if n > 1:
            x = x - x.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None] * torch.eye(n)
        expected = torch.matrix_exp((rho * x).contiguous()) @ full[:, m - 1]
        torch.testing.assert_close(found[:, m - 1], expected, rtol=0, atol=2e-14)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("dim", [2, 4])
@pytest.mark.parametrize("case", CASES)
def test_equivariant(case, dim, dtype):
    u = links(case, dtype, dim, 2, 1)
    layer = StoutSmearing(3, group=CASES[case]).to(dtype)
    g = generator(1)
    options = {"act_out": transform_links, "n_draws": 1}
    assert_equivariant(layer, gauge_transformations(CASES[case]), u, g, **options)
    assert_equivariant(layer, translations(dim), u, g)
    assert layer(u).dtype == u.dtype


def test_one_direction_forgotten_fails():
    def forgotten(u):
        return u + 1e-6 * u.roll(1, 2)

    action = gauge_transformations(SU(3))
    with pytest.raises(AssertionError, match="differ by"):
        assert_equivariant(forgotten, action, links("su3"), generator(), act_out=transform_links)


@pytest.mark.parametrize("case", ["u1", "quaternions", "su3"])
def test_smooths(case):
    """Every step brings the mean plaquette closer to 1, and keeps the links in the group."""
    u = links(case, size=4)
    found = [matrices(Plaquettes()(u)).diagonal(dim1=-2, dim2=-1).real.mean()]
    layer = StoutSmearing(1, 0.1, group=CASES[case]).double()
    for _ in range(3):
        u = layer(u)
        found.append(matrices(Plaquettes()(u)).diagonal(dim1=-2, dim2=-1).real.mean())
    assert all(b > a for a, b in itertools.pairwise(found))
    full = matrices(u)
    unit = torch.eye(full.shape[-1], dtype=full.dtype).expand_as(full)
    torch.testing.assert_close(full @ full.mH, unit, rtol=0, atol=1e-13)


@pytest.mark.parametrize("case", ["u1", "quaternions", "su3"])
def test_gradcheck(case):
    layer = StoutSmearing(2, group=CASES[case]).double()
    u = links(case, size=2, batch=1).requires_grad_()

    def run(u, rho):
        return torch.func.functional_call(layer, {"rho": rho}, (u,))

    rho = layer.rho.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(run, (u, rho), fast_mode=True)


def test_finite_at_the_identity():
    """The exponent is 0 there."""
    for u in (torch.eye(3, dtype=torch.complex128).expand(1, 2, 2, 2, 3, 3),
              torch.tensor([1.0, 0, 0, 0]).expand(1, 2, 2, 2, 4).double()):  # fmt: skip
        group, u = SU(3) if u.is_complex() else SU(2), u.clone().requires_grad_()
        out = StoutSmearing(2, group=group)(u)
        torch.testing.assert_close(out.detach(), u.detach(), rtol=0, atol=1e-14)
        out.abs().square().sum().backward()
        assert u.grad.isfinite().all()


def test_copies():
    layer = StoutSmearing(2, 0.05, group=U1())
    twin = StoutSmearing(2, group=U1())
    twin.load_state_dict(layer.state_dict())
    assert torch.equal(twin(links("u1")), layer(links("u1")))


@pytest.mark.parametrize("n_steps", [0, 1.0, "1"])
def test_wrong_steps(n_steps):
    with pytest.raises(InputError, match=r"^`n_steps` is"):
        StoutSmearing(n_steps, group=U1())


def test_wrong_links():
    with pytest.raises(InputError, match=r"^`U` has shape .*, of 3 x 3 matrices; expected"):
        StoutSmearing(group=SU(2))(links("su3"))
