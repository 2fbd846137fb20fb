"""Groups against their definitions, torch.matrix_exp, scipy's logarithm and group axioms."""

import itertools
import math

import pytest
import scipy.linalg
import torch

from topoml._core.errors import InputError
from topoml.homology import field_persistence
from topoml.lie import SE, SO, SU, U1, Cyclic, Discrete, LieGroup, Lorentz, Manifold

from .groups import COMPACT, GROUPS, dtype_of, elements, vectors

EPS = torch.finfo(torch.float64).eps
every_group = pytest.mark.parametrize("group", GROUPS, ids=str)
compact_group = pytest.mark.parametrize("group", COMPACT, ids=str)


@every_group
@pytest.mark.parametrize("scale", [1e-9, 1e-3, 0.1, 0.5, 2.0])
def test_exp_is_the_matrix_exponential(group, scale):
    X = group.hat(vectors(group, 100, scale=scale))
    expected = torch.matrix_exp(X)
    # products of about ten factors of the size of the result
    assert (group.exp(X) - expected).abs().max() < 100 * EPS * expected.abs().max()


@every_group
def test_log_inverts_exp(group):
    g = elements(group, 200)
    X = group.log(g)
    assert (torch.matrix_exp(X) - g).abs().max() < 1000 * EPS * g.abs().max() ** 2
    assert (X - group.project_algebra(X)).abs().max() < 10 * EPS


@compact_group
def test_log_is_the_shortest(group):
    """Phases of the logarithm against all shifts of the eigenphases by turns, sum kept at 0."""
    g = elements(group, 30, seed=3)
    phases = torch.linalg.eigvals(g.to(torch.complex128)).angle()
    length = torch.linalg.matrix_norm(group.log(g))
    if isinstance(group, U1):
        shifts = torch.zeros(1, 1)
    else:
        shifts = torch.tensor(
            list(itertools.product((-1.0, 0.0, 1.0), repeat=group.n)), dtype=torch.float64
        )
    candidates = phases[:, None] + 2 * math.pi * shifts
    balanced = candidates.sum(-1).abs() < 1e-6
    best = torch.linalg.vector_norm(candidates, dim=-1)
    best = torch.where(balanced | isinstance(group, U1), best, torch.inf).amin(-1)
    assert (length - best).abs().max() < 1e-12


@pytest.mark.parametrize("group", [SO(3), SO(4), SU(3), SE(3)], ids=str)
def test_log_is_that_of_scipy(group):
    g = group.exp(group.hat(vectors(group, 5, scale=0.3)))
    for h, X in zip(g, group.log(g), strict=True):
        assert abs(scipy.linalg.logm(h.numpy()) - X.numpy()).max() < 1e-12


@every_group
def test_axioms(group):
    g, h = elements(group, 20), elements(group, 20, seed=1)
    one = group.identity(dtype=g.dtype)
    size = g.abs().max() ** 2
    assert (group.compose(g, group.inverse(g)) - one).abs().max() < 50 * EPS * size
    assert (group.compose(g, one) - g).abs().max() == 0
    X = group.hat(vectors(group, 20))
    moved = torch.matrix_exp(group.adjoint(g, X).contiguous())
    expected = g @ torch.matrix_exp(X) @ torch.linalg.inv(g)
    assert (moved - expected).abs().max() < 1e-10
    group.check("g", g)
    group.check("g h", group.project(g @ h))


@every_group
def test_coordinates(group):
    v = vectors(group, 10)
    X = group.hat(v)
    assert (group.vee(X) - v).abs().max() < 10 * EPS
    assert X.shape == (10, *group.point_shape)
    m = torch.randn(10, *group.point_shape, dtype=X.dtype, generator=torch.manual_seed(0))
    part = group.project_algebra(m)
    assert (group.hat(group.vee(part)) - part).abs().max() < 10 * EPS
    if group in COMPACT:  # hat is an isometry
        weight = 1 if isinstance(group, U1) else 0.5
        assert (weight * X.abs().square().sum((-2, -1)) - v.square().sum(-1)).abs().max() < 1e-13
        rest = (m - part).flatten(1)
        assert (rest.conj() * part.flatten(1)).sum(-1).real.abs().max() < 1e-13


def test_gell_mann():
    """[l1, l2] = 2 i l3 and l8 = diag(1, 1, -2) / sqrt 3."""
    T = SU(3).hat(torch.eye(8, dtype=torch.float64)) / 1j
    assert (T[0] @ T[1] - T[1] @ T[0] - 2j * T[2]).abs().max() < EPS
    assert (T[7].diagonal().real - torch.tensor([1, 1, -2]) / 3**0.5).abs().max() < 1e-7


@compact_group
def test_distance_is_bi_invariant(group):
    g, h, k, left, right = (elements(group, 20, seed=s) for s in range(5))
    d = group.distance
    assert (d(left @ g @ right, left @ h @ right) - d(g, h)).abs().max() < 1e-12
    assert (d(g, h) - d(h, g)).abs().max() < 1e-12
    assert (d(g, k) - d(g, h) - d(h, k)).max() < 1e-12
    assert d(g, g).abs().max() == 0


@pytest.mark.parametrize("group", [SE(2), SE(3), Lorentz()], ids=str)
def test_distance_is_left_invariant_alone(group):
    g, h, k = (elements(group, 20, seed=s) for s in range(3))
    d = group.distance
    assert (d(k @ g, k @ h) - d(g, h)).abs().max() < 1e-9
    assert (d(g @ k, h @ k) - d(g, h)).abs().max() > 1e-2


@every_group
def test_geodesic(group):
    g, h = elements(group, 20), elements(group, 20, seed=1)
    t = torch.linspace(0, 1, 20, dtype=torch.float64)
    between = group.geodesic(g, h, t)
    assert (group.distance(g, between) - t * group.distance(g, h)).abs().max() < 1e-9
    assert (group.geodesic(g, h, 1.0) - h).abs().max() < 1e-9


@every_group
def test_project(group):
    g = elements(group, 10)
    noise = torch.randn(g.shape, dtype=g.dtype, generator=torch.manual_seed(0))
    near = group.project(g + 1e-3 * noise)
    assert (near - g).abs().max() < 0.1
    group.check("near", near)
    assert (group.project(near) - near).abs().max() < 100 * EPS * g.abs().max() ** 2


@pytest.mark.parametrize("group", [SO(3), SU(2)], ids=str)
def test_project_is_the_nearest(group):
    """No element around it is nearer."""
    m = torch.randn(20, *group.point_shape, dtype=dtype_of(group), generator=torch.manual_seed(1))
    best = group.project(m)
    for seed in range(5):
        other = best @ group.exp(group.hat(vectors(group, 20, seed=seed, scale=0.1)))
        gain = torch.linalg.matrix_norm(m - best) - torch.linalg.matrix_norm(m - other)
        assert gain.max() < 1e-14


@every_group
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_and_batches(group, dtype):
    v = vectors(group, 2, 3, dtype=dtype)
    g = group.exp(group.hat(v))
    assert g.dtype == dtype_of(group, dtype)
    assert g.shape == (2, 3, *group.point_shape)
    assert group.vee(group.log(g)).dtype == dtype
    assert (group.vee(group.log(g)) - v).abs().max() < 300 * torch.finfo(dtype).eps
    assert group.distance(g, g[0, 0]).shape == (2, 3)
    assert group.project(g).dtype == g.dtype
    group.check("g", g)
    flipped = g.transpose(0, 1)  # not contiguous
    assert (group.log(flipped) - group.log(g).transpose(0, 1)).abs().max() < 1e-5


@pytest.mark.parametrize("group", [SO(3), SU(2), SU(3), SE(2), Lorentz()], ids=str)
def test_compiles(group):
    @torch.compile(fullgraph=True, backend="aot_eager")
    def chain(v):
        return group.vee(group.log(group.exp(group.hat(v))))

    v = vectors(group, 4)
    assert (chain(v) - v).abs().max() < 1e-12


@pytest.mark.parametrize("group", [SO(2), SO(3), SU(2), SU(3)], ids=str)
def test_persistence_of_fields_is_invariant(group):
    field, turn = elements(group, 6, 6), elements(group, seed=1)
    assert isinstance(group, Manifold)
    assert isinstance(group, LieGroup)
    arguments = {"manifold": group, "homology_dimensions": (0, 1)}
    here = field_persistence(field, **arguments).points
    there = field_persistence(turn @ field @ turn.mH, **arguments).points
    assert (here - there).abs().max() < 1e-10
    local = field_persistence(elements(group, 6, 6, seed=2) @ field, **arguments).points
    assert abs(local.sum() - here.sum()) > 1e-3


@pytest.mark.parametrize("cls", [SO, SU])
@pytest.mark.parametrize("n", [1, 0, -1, 2.0, True, None])
def test_size(cls, n):
    with pytest.raises(InputError, match=r"^`n` is .*; expected an integer of at least 2"):
        cls(n)


@every_group
def test_check(group):
    g = elements(group, 3)
    with pytest.raises(InputError, match=r"^`g` is off .* by .*; expected 0. Cure: .*project"):
        group.check("g", g * 1.001)
    with pytest.raises(InputError, match=r"^`g` has shape .*; expected"):
        group.check("g", g[..., :-1, :])
    with pytest.raises(InputError, match=r"^`g` is list; expected a torch.Tensor"):
        group.check("g", [1.0])
    with pytest.raises(InputError, match=r"dtype` is .*; expected a"):
        group.identity(dtype=torch.int64)
    with pytest.raises(InputError, match=r"^`g` is off .* by nan"):
        group.check("g", g * math.nan)


def test_check_refuses_reflections():
    with pytest.raises(InputError, match="off det x = 1 by 2"):
        SO(3).check("R", -torch.eye(3))
    with pytest.raises(InputError, match="off det x = 1, x_00 >= 1"):
        Lorentz().check("L", torch.diag(torch.tensor([-1.0, 1, 1, -1])))


def test_minus_one():
    """The cut locus of SU(2): one of the shortest, gradient 0."""
    U = (-torch.eye(2, dtype=torch.complex128)).requires_grad_()
    X = SU(2).log(U)
    assert (torch.matrix_exp(X.detach()) - U).abs().max() < 4e-15  # of matrix_exp
    X.imag.sum().backward()
    assert U.grad.abs().max() == 0
    R = torch.diag(torch.tensor([-1.0, 1, -1], dtype=torch.float64))
    assert (torch.matrix_exp(SO(3).log(R)) - R).abs().max() < 4e-15


@pytest.mark.parametrize("n", [4, 5, 6])
@pytest.mark.parametrize(
    "angles",
    [
        *[(0.0,), (0.0, 0.0), (0.0, 2.0), (0.0, 4e-8), (1e-8,), (5e-8, 2.5), (1e-6,)],
        *[(1e-9, 1e-9), (1e-12, 3e-8), (3e-8, 9e-8)],
    ],
)
def test_log_at_and_near_half_turns(n, angles):
    """Turns by pi - angle in planes of R^n: a shortest logarithm, with finite derivatives."""
    X = torch.zeros(n, n, dtype=torch.float64)
    for k, angle in enumerate(angles):
        X[2 * k, 2 * k + 1] = math.pi - angle
    X = X - X.mT
    Q = SO(n).random_haar(20, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    R = (Q @ torch.matrix_exp(X) @ Q.mT).requires_grad_()
    L = SO(n).log(R)
    assert torch.equal(L, -L.mT)
    assert (torch.matrix_exp(L.detach()) - R).abs().max() < 1e-14
    assert (torch.linalg.matrix_norm(L.detach()) - torch.linalg.matrix_norm(X)).abs().max() < 1e-14
    if angles[0] > 0 and angles[-1] not in (1e-9, 3e-8, 9e-8):  # one plane: its sense is sure
        assert (L - Q @ X @ Q.mT).abs().max() < 1e-13
    (gradient,) = torch.autograd.grad(L.sin().sum(), R)
    assert gradient.isfinite().all()


def test_cyclic():
    group = Cyclic(6)
    x = torch.arange(6)
    table = group.compose(x[:, None], x)
    assert torch.equal(table, torch.tensor([[(i + j) % 6 for j in range(6)] for i in range(6)]))
    assert (group.compose(x, group.inverse(x)) == group.identity()).all()
    turns = group.distance(x, 0 * x) * 3 / math.pi
    assert torch.allclose(turns, torch.tensor([0.0, 1, 2, 3, 2, 1]))
    assert isinstance(group, Manifold)
    assert not hasattr(group, "space")
    draws = group.random_haar(6000, generator=torch.manual_seed(0))
    assert ((draws.bincount() - 1000).abs() < 5 * 30).all()
    with pytest.raises(InputError, match="`x` has integers from 0 to 6"):
        group.check("x", torch.arange(7))
    with pytest.raises(InputError, match=r"`x` has dtype torch.float32"):
        group.check("x", x.float())
    assert Discrete(6).distance(x, x).sum() == 0
