"""Derivatives of exp and log, first and second, at generic and degenerate elements."""

import math

import mpmath
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.autograd.functional import jacobian

from topoml.kernels.spectral import eigenprojector, polar, symmetric_log
from topoml.lie import SE, SO, SU, U1, Lorentz

from .groups import GROUPS, elements, vectors

GENERATOR = torch.Generator().manual_seed(5)


def degenerate(group):
    """Coordinates of the identity, of a tiny element, of two equal phases, and near the cut."""
    tiny = 1e-9 * vectors(group, seed=1)
    axis = torch.zeros(group.dim, dtype=torch.float64)
    axis[-1] = 1
    return [0 * tiny, tiny, 1e-4 * tiny / tiny.norm(), axis]


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_log_after_exp_has_the_unit_matrix_for_derivative(group):
    for v in [*degenerate(group), vectors(group, seed=2)]:
        J = jacobian(lambda v: group.vee(group.log(group.exp(group.hat(v)))), v)
        assert (J - torch.eye(group.dim, dtype=J.dtype)).abs().max() < 1e-12


@pytest.mark.parametrize("group", [SO(3), SU(2), SU(3), SE(3), Lorentz()], ids=str)
def test_derivatives_of_exp(group):
    """Against finite differences; of the second order, too."""
    for v in degenerate(group)[::2]:
        v = v.requires_grad_()
        assert gradcheck(lambda v: group.exp(group.hat(v)), v)
    assert gradgradcheck(lambda v: group.exp(group.hat(v)), vectors(group).requires_grad_())


@pytest.mark.parametrize("group", [SO(3), SU(2), SU(3)], ids=str)
def test_second_derivatives_of_exp_at_the_identity(group):
    """d^2 exp(hat v) = (T_a T_b + T_b T_a) / 2 at v = 0."""
    zero = torch.zeros(group.dim, dtype=torch.float64)
    T = group.hat(torch.eye(group.dim, dtype=torch.float64))
    product = T[:, None] @ T
    expected = (product + product.transpose(0, 1)) / 2
    for part in (torch.real, torch.imag) if group.is_complex else (torch.real,):
        for index in ((0, 0), (0, 1), (1, 0)):
            f = lambda v: part(group.exp(group.hat(v)))[index]  # noqa: E731, B023
            H = torch.autograd.functional.hessian(f, zero)
            assert (H - part(expected[..., *index])).abs().max() < 1e-14


@pytest.mark.parametrize("group", [SO(3), SO(4), SU(2), SU(3)], ids=str)
def test_second_derivatives_of_log(group):
    v = vectors(group, 1, seed=4).requires_grad_()
    chain = lambda v: group.vee(group.log(torch.matrix_exp(group.hat(v))))  # noqa: E731
    assert gradgradcheck(chain, v)
    assert gradgradcheck(chain, torch.zeros_like(v, requires_grad=True))


def rodrigues(v, digits=50):
    """The rotation by |v| about v, and its derivatives in v, in high precision."""
    with mpmath.workdps(digits):

        def matrix(w):
            x, y, z = w
            return mpmath.expm(mpmath.matrix([[0, -z, y], [z, 0, -x], [-y, x, 0]]))

        v = [mpmath.mpf(float(c)) for c in v]
        h = mpmath.mpf(10) ** -15
        R = matrix(v)
        slopes = []
        for a in range(3):
            up, down = list(v), list(v)
            up[a] += h
            down[a] -= h
            slopes.append((matrix(up) - matrix(down)) / (2 * h))
        values = [[float(R[i, j]) for j in range(3)] for i in range(3)]
        rows = [[[float(s[i, j]) for s in slopes] for j in range(3)] for i in range(3)]
    tensors = (torch.tensor(x, dtype=torch.float64) for x in (values, rows))
    return tuple(tensors)


@pytest.mark.parametrize("angle", [0.0, 1e-8, 1e-3, 1.0, 3.0, math.pi - 1e-6])
def test_rotations_in_high_precision(angle):
    axis = torch.tensor([2.0, -1, 2], dtype=torch.float64) / 3
    v = angle * axis
    R, slopes = rodrigues(v)
    group = SO(3)
    assert (group.exp(group.hat(v)) - R).abs().max() < 2e-15
    J = jacobian(lambda v: group.exp(group.hat(v)), v)
    assert (J - slopes).abs().max() < 1e-14
    assert (group.vee(group.log(R)) - v).abs().max() < 5e-15
    inner = jacobian(lambda R: group.vee(group.log(R)), R)  # of the logarithm, along the group
    assert inner.abs().max() < 10
    back = torch.einsum("cij,ija->ca", inner, slopes)
    assert (back - torch.eye(3, dtype=torch.float64)).abs().max() < 1e-13


@pytest.mark.parametrize("angle", [1e-8, 1.0, math.pi - 1e-6])
def test_su2_in_high_precision(angle):
    """log of exp(i angle sigma_3), built of 50 digits; its derivative is that of the angle."""
    with mpmath.workdps(50):
        phase = complex(mpmath.expj(mpmath.mpf(angle)))
    U = torch.tensor([[phase, 0], [0, phase.conjugate()]], dtype=torch.complex128)
    J = jacobian(
        lambda t: SU(2).vee(SU(2).log(U @ SU(2).exp(SU(2).hat(t)))), torch.zeros(3).double()
    )
    assert abs(float(SU(2).vee(SU(2).log(U))[2]) - angle) < 5e-15
    assert abs(float(J[2, 2]) - 1) < 1e-9  # the transversal ones grow as 1 / (pi - angle)
    half = angle / math.tan(angle)
    assert abs(float(J[0, 0]) - half) < 1e-8 * max(1, abs(half))


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_subgradient_zero_at_equal_points(group):
    g = elements(group, 5).requires_grad_()
    distance = group.distance(g, g.detach())
    distance.sum().backward()
    assert distance.abs().max() == 0
    assert g.grad.abs().max() == 0


@pytest.mark.parametrize("group", [U1(), SO(3), SU(2), SU(3), SO(4)], ids=str)
def test_project_at_elements_of_the_group(group):
    """The derivative there is the projection on the tangent space."""
    g = elements(group, seed=2)
    m = torch.randn(g.shape, dtype=g.dtype, generator=GENERATOR)
    _, slope = torch.autograd.functional.jvp(group.project, g, m)
    assert (slope - g @ group.project_algebra(group.inverse(g) @ m)).abs().max() < 1e-13


def test_spectral_functions():
    S = torch.randn(2, 3, 3, dtype=torch.float64, generator=GENERATOR)
    S = torch.cat([S @ S.mT + 0.5 * torch.eye(3), 2 * torch.eye(3, dtype=S.dtype)[None]])
    S = S.requires_grad_()
    even = lambda S: (S + S.mT) / 2  # noqa: E731
    for f in (lambda S: symmetric_log(even(S)), lambda M: polar(M, special=True)):
        assert gradcheck(f, S)
        assert gradgradcheck(f, S)
    D = torch.diag(torch.tensor([3.0, 1, 1, -1], dtype=torch.float64)).requires_grad_()
    assert gradcheck(lambda D: eigenprojector(even(D), 1), D)
    assert gradgradcheck(lambda D: eigenprojector(even(D), 3), D)
    M = torch.randn(3, 3, dtype=torch.complex128, generator=GENERATOR, requires_grad=True)
    assert gradcheck(lambda M: polar(M, special=False), M)
    assert gradgradcheck(lambda M: polar(M, special=False), M)
