"""The exponential of su(3) against torch's of any matrix and Frechet derivatives by scipy."""

import numpy as np
import pytest
import torch
from scipy.linalg import expm_frechet
from torch.autograd import gradcheck, gradgradcheck

from topoml.kernels import su3
from topoml.kernels.su3 import su3_exp
from topoml.lie import SU

FORWARD = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
SCALES = [0.0, 1e-160, 1e-9, 1e-3, 0.04, 0.06, 1.0, 10.0]  # |v|^2 = c1, a series below 1e-2


def algebra(n, scale=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return SU(3).hat(scale * torch.randn(n, 8, generator=generator, dtype=torch.float64))


def degenerate(seed=0):
    """Two equal eigenvalues, of both orders, exactly and almost, in any basis."""
    generator = torch.Generator().manual_seed(seed)
    U = SU(3).random_haar(6, generator=generator, dtype=torch.complex128)
    e = torch.tensor([0.0, 0.0, 0.0, 1e-15, 1e-9, 1e-5], dtype=torch.float64)
    sign = torch.tensor([1, -1, 1, -1, 1, -1])
    d = sign[:, None] * torch.stack([1 + e, 1 - e, torch.full_like(e, -2)], -1)
    X = U @ torch.diag_embed(1j * d) @ U.mH
    return torch.cat([torch.diag_embed(1j * d[:2]), SU(3).project_algebra(X)])


@pytest.mark.parametrize("scale", SCALES)
def test_values(scale):
    X = algebra(50, scale, seed=1)
    found = su3_exp(X)
    assert (found - torch.matrix_exp(X)).abs().max() < 1e-15 * (10 + 10 * scale)
    single = su3_exp(X.to(torch.complex64))
    assert single.dtype == torch.complex64
    assert (single - found).abs().max() < 1e-6 * (1 + scale)


def test_values_at_equal_eigenvalues():
    X = degenerate(seed=2)
    assert (su3_exp(X) - torch.matrix_exp(X)).abs().max() < 1e-14


def gradients(X, G):
    X = X.clone().requires_grad_()
    return torch.autograd.grad(su3_exp(X), X, G)[0]


@pytest.mark.parametrize("scale", SCALES)
def test_gradients(scale):
    """Re tr G^+ dexp(X)[Y] for every Y: the gradient is dexp(X^+)[G]."""
    X = torch.cat([algebra(10, scale, seed=3), degenerate(seed=4)])
    generator = torch.Generator().manual_seed(5)
    G = torch.randn(len(X), 3, 3, generator=generator, dtype=torch.complex128)
    pairs = zip(X.mH.resolve_conj().numpy(), G.numpy(), strict=True)
    exact = np.stack([expm_frechet(x, g, compute_expm=False) for x, g in pairs])
    exact = SU(3).project_algebra(torch.from_numpy(exact))
    assert (gradients(X, G) - exact).abs().max() < 1e-14 * (10 + 10 * scale)
    single = gradients(X.to(torch.complex64), G.to(torch.complex64))
    assert (single - exact).abs().max() < 1e-5 * (1 + scale)


@FORWARD
@pytest.mark.parametrize("scale", [0.0, 1e-5, 1.0])
def test_derivatives_of_both_modes_and_orders(scale):
    """Off the algebra, too, as the projection belongs to the function."""
    generator = torch.Generator().manual_seed(6)
    X = torch.randn(2, 3, 3, generator=generator, dtype=torch.complex128)
    X = (scale * X).requires_grad_()
    assert gradcheck(su3_exp, (X,), check_forward_ad=True)
    assert gradgradcheck(su3_exp, (X,), check_fwd_over_rev=True)


def test_only_the_part_in_the_algebra_counts():
    X = algebra(5, seed=7)
    H = algebra(5, seed=8) / 1j + 0.3
    assert torch.allclose(su3_exp(X + H + 0.2j * torch.eye(3)), su3_exp(X), atol=1e-14, rtol=0)


def test_in_plain_torch_the_same():
    X, G = algebra(20, seed=9), algebra(20, seed=10) + 0.3
    assert torch.allclose(su3._exponential(X), su3_exp(X), atol=1e-14, rtol=0)
    assert torch.allclose(su3._pullback(X, G), gradients(X, G), atol=1e-13, rtol=0)
    meta = su3_exp(torch.empty(7, 3, 3, dtype=torch.complex64, device="meta"))
    assert meta.shape == (7, 3, 3)


@FORWARD
def test_transforms_of_functorch():
    v = torch.randn(5, 4, 8, generator=torch.Generator().manual_seed(11), dtype=torch.float64)

    def action(v):
        return su3_exp(SU(3).hat(v)).real.cos().sum()

    each = torch.stack([torch.func.grad(action)(row) for row in v])
    assert torch.allclose(torch.func.vmap(torch.func.grad(action))(v), each, atol=1e-14)
    along = torch.func.vmap(su3_exp, in_dims=1)(SU(3).hat(v))
    assert torch.equal(along, su3_exp(SU(3).hat(v)).transpose(0, 1))
    X, G = algebra(4, seed=12), torch.stack([algebra(4, seed=13), algebra(4, seed=14)])
    pull = torch.func.vjp(su3_exp, X)[1]
    assert torch.equal(torch.func.vmap(lambda g: pull(g)[0])(G)[1], pull(G[1])[0])


@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_shapes_and_strides(shape):
    X = algebra(6, seed=15)[: int(np.prod(shape))].reshape(*shape, 3, 3)
    assert su3_exp(X).shape == X.shape
    assert torch.allclose(su3_exp(X.mH), su3_exp(X).mH, atol=1e-15)
    assert torch.equal(su3_exp(X.mT.contiguous().mT), su3_exp(X))


def test_any_number_of_threads_gives_the_same_bits():
    X, G = algebra(5001, seed=16), algebra(5001, seed=17)
    given = torch.get_num_threads()
    try:
        found = []
        for n in (1, 3):
            torch.set_num_threads(n)
            found.append((su3_exp(X), gradients(X, G)))
    finally:
        torch.set_num_threads(given)
    assert all(map(torch.equal, *found))
