"""Manifolds against geomstats, their isometries, and their derivatives at degenerate points."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from topoml._core.errors import InputError
from topoml.homology import field_persistence
from topoml.lie import (
    SO,
    SPD,
    SU,
    Grassmannian,
    Hyperbolic,
    Manifold,
    Product,
    RealProjective,
    Sphere,
    Stiefel,
    Torus,
    default_dtype,
)

SPACES = [
    Sphere(1),
    Sphere(2),
    Sphere(4),
    RealProjective(2),
    Hyperbolic(3),
    SPD(3),
    Grassmannian(4, 2),
    Grassmannian(5, 1),
    Torus(3),
]
every_space = pytest.mark.parametrize("space", SPACES, ids=str)


def points(space, *size, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    if hasattr(space, "random_haar"):
        return space.random_haar(*size, generator=generator, dtype=dtype)
    return space.random(*size, scale=0.7, generator=generator, dtype=dtype)


def tangents(space, base, seed=0, scale=0.3):
    noise = torch.randn(base.shape, dtype=base.dtype, generator=torch.manual_seed(seed))
    return scale * space.to_tangent(noise, base)


def in_geomstats(space, x):
    """Our points as theirs, and their distance over ours."""
    if isinstance(space, RealProjective):
        return space.projector(x), 2**0.5
    if isinstance(space, Torus):
        return space.embed(x), 1
    return x, 2**0.5 if isinstance(space, Grassmannian) else 1


@every_space
def test_distance_is_that_of_geomstats(space):
    x, y = points(space, 30), points(space, 30, seed=1)
    (a, ratio), (b, _) = in_geomstats(space, x), in_geomstats(space, y)
    with default_dtype(torch.float64):
        expected = space.space.metric.dist(a, b)
    assert (ratio * space.distance(x, y) - expected).abs().max() < 1e-12


@pytest.mark.parametrize("space", [s for s in SPACES if not isinstance(s, Torus)], ids=str)
def test_exp_and_log_are_those_of_geomstats(space):
    x, y = points(space, 20), points(space, 20, seed=1)
    v = space.log(y, x)
    if isinstance(space, RealProjective):  # theirs are of the sphere, once the sign is chosen
        y, space = torch.where((x * y).sum(-1, keepdim=True) < 0, -y, y), Sphere(space.n)
    with default_dtype(torch.float64):
        metric = space.space.metric
        assert (metric.log(y, x) - v).abs().max() < 1e-12 * (1 + y.abs().max()) ** 2
        assert (metric.exp(v, x) - space.exp(v, x)).abs().max() < 1e-12 * (1 + y.abs().max())


@every_space
def test_log_inverts_exp(space):
    x = points(space, 20)
    v = tangents(space, x)
    assert (space.log(space.exp(v, x), x) - v).abs().max() < 1e-12
    y = points(space, 20, seed=1)
    assert space.distance(space.exp(space.log(y, x), x), y).max() < 1e-12
    space.check("y", space.exp(v, x))


@every_space
def test_metric(space):
    x, y, z = (points(space, 20, seed=s) for s in range(3))
    d = space.distance
    assert isinstance(space, Manifold)
    assert (d(x, y) - d(y, x)).abs().max() < 1e-12
    assert (d(x, z) - d(x, y) - d(y, z)).max() < 1e-12
    assert d(x, x).max() == 0
    t = torch.linspace(0, 1, 20, dtype=torch.float64)
    assert (d(x, space.geodesic(x, y, t)) - t * d(x, y)).abs().max() < 1e-12
    assert d(space.geodesic(x, y, 1.0), y).max() < 1e-12


@every_space
def test_derivatives_at_equal_points(space):
    x = points(space, 5).requires_grad_()
    space.distance(x, x.detach()).sum().backward()
    assert x.grad.abs().max() == 0
    base = points(space)
    zero = torch.zeros_like(base)

    def chain(v):
        return space.log(space.exp(space.to_tangent(v, base), base), base)

    J = torch.autograd.functional.jacobian(chain, zero).flatten(base.ndim).flatten(0, base.ndim - 1)
    P = torch.autograd.functional.jacobian(lambda v: space.to_tangent(v, base), zero)
    assert (J - P.flatten(base.ndim).flatten(0, base.ndim - 1)).abs().max() < 1e-12


@every_space
def test_gradcheck(space):
    x, y = points(space, 2).requires_grad_(), points(space, 2, seed=1)
    even = (lambda x: (x + x.mT) / 2) if len(space.point_shape) == 2 else (lambda x: x)
    assert gradcheck(lambda x: space.distance(even(x), y), x)
    assert gradcheck(lambda x: space.log(y, even(x)), x)


@every_space
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype(space, dtype):
    x, y = points(space, 2, 3, dtype=dtype), points(space, 2, 3, seed=1, dtype=dtype)
    for result in (space.log(y, x), space.exp(tangents(space, x), x), space.distance(x, y)):
        assert result.dtype == dtype
    assert space.distance(x, y[0, 0]).shape == (2, 3)
    space.check("x", x)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_sphere_near_and_at_the_antipode(n):
    base = points(Sphere(n))
    v = Sphere(n).to_tangent(
        torch.randn(n + 1, dtype=base.dtype, generator=torch.manual_seed(1)), base
    )
    v = (math.pi - 1e-6) * v / v.norm()
    assert (Sphere(n).log(Sphere(n).exp(v, base), base) - v).abs().max() < 1e-8
    x = (-base).requires_grad_()
    v = Sphere(n).log(x, base)
    assert abs(v.norm() - math.pi) < 1e-14
    assert (Sphere(n).exp(v, base) - x).abs().max() < 1e-14
    v.sum().backward()
    assert x.grad.abs().max() == 0


def test_heads_of_lines_do_not_matter():
    x, y = points(RealProjective(2), 20), points(RealProjective(2), 20, seed=1)
    d = RealProjective(2).distance
    assert torch.equal(d(x, y), d(-x, y))
    assert d(x, y).max() <= math.pi / 2
    assert (Sphere(2).distance(x, y) - Sphere(2).distance(-x, y)).abs().max() > 0.1
    east, north = torch.eye(3, dtype=torch.float64)[:2]
    east.requires_grad_()
    d(east, north).backward()
    assert east.grad.abs().max() < 1e-15


def test_affine_invariance():
    x, y = points(SPD(3), 10), points(SPD(3), 10, seed=1)
    A = torch.randn(3, 3, dtype=torch.float64, generator=torch.manual_seed(0))
    d = SPD(3).distance
    assert (d(A @ x @ A.mT, A @ y @ A.mT) - d(x, y)).abs().max() < 1e-10
    one = torch.eye(3, dtype=torch.float64)
    assert (d(x + one, y + one) - d(x, y)).abs().max() > 1e-2  # no isometry


def test_stiefel():
    space = Stiefel(4, 2)
    x = points(space, 10)
    v = tangents(space, x, scale=1.0)
    assert (x.mT @ v + v.mT @ x).abs().max() < 1e-14
    with default_dtype(torch.float64):
        assert (space.space.metric.exp(v, x) - space.exp(v, x)).abs().max() < 1e-12
    m = torch.randn(10, 4, 2, dtype=torch.float64, generator=torch.manual_seed(0))
    W, _, Vh = torch.linalg.svd(m, full_matrices=False)
    assert (space.project(m) - W @ Vh).abs().max() < 1e-12
    assert gradcheck(space.project, x[:1].requires_grad_())
    with pytest.raises(InputError, match=r"`k` is 3; expected at most n = 2"):
        Stiefel(2, 3)


def test_product():
    space = Product(Sphere(2), SO(3), Torus(1))
    x, y = (space.join(*(points(f, 8, seed=s) for f in space.factors)) for s in (0, 1))
    assert space.point_shape == (13,)
    assert space.split(x)[1].shape == (8, 3, 3)
    squares = [
        f.distance(a, b) ** 2
        for f, a, b in zip(space.factors, space.split(x), space.split(y), strict=True)
    ]
    assert (space.distance(x, y) - sum(squares).sqrt()).abs().max() < 1e-14
    assert space.distance(y, space.geodesic(x, y, 1.0)).max() < 1e-12
    space.check("x", x)
    pair = Product(Sphere(2), SO(3))
    with default_dtype(torch.float64):
        expected = pair.space.metric.dist(x[:, :12], y[:, :12])
    assert (pair.distance(x[:, :12], y[:, :12]) - expected).abs().max() < 1e-12
    for wrong in ((Sphere(2),), (Sphere(2), 3), (SO(3), SU(2))):
        with pytest.raises(InputError, match=r"^`factors` is"):
            Product(*wrong)


@pytest.mark.parametrize(
    "space", [RealProjective(2), Grassmannian(3, 1), Product(Sphere(2), SO(3))], ids=str
)
def test_persistence_of_fields_is_invariant(space):
    turn = points(SO(3), seed=9)
    parts = space.factors if isinstance(space, Product) else (space,)
    field = [points(f, 6, 6) for f in parts]

    def turned(f, x):
        if isinstance(f, Grassmannian):
            return turn @ x @ turn.mT
        return turn @ x if isinstance(f, SO) else x @ turn.mT

    other = [turned(f, x) for f, x in zip(parts, field, strict=True)]
    if isinstance(space, Product):
        field, other = space.join(*field), space.join(*other)
    else:
        (field,), (other,) = field, other
    arguments = {"manifold": space, "homology_dimensions": (0, 1)}
    here = field_persistence(field, **arguments).points
    there = field_persistence(other, **arguments).points
    assert (here - there).abs().max() < 1e-10
    shuffled = field_persistence(
        field.flip(0).roll(1, 1).transpose(0, 1)[:, [3, 1, 0, 5, 4, 2]], **arguments
    )
    assert abs(shuffled.points.sum() - here.sum()) > 1e-3


@every_space
def test_check(space):
    x = points(space, 3)
    with pytest.raises(InputError, match=r"^`x"):
        space.check("x", x.double().long())
    with pytest.raises(InputError, match=r"^`x` has shape"):
        space.check("x", x[..., :-1])
    with pytest.raises(InputError, match=r"^`x"):
        space.check("x", torch.full_like(x, math.nan))
    if not isinstance(space, Torus):
        with pytest.raises(InputError, match=r"^`x"):
            space.check("x", x * -1.1)


@pytest.mark.parametrize("cls", [RealProjective, Hyperbolic, SPD, Torus])
@pytest.mark.parametrize("n", [0, -1, 2.0, True])
def test_size(cls, n):
    with pytest.raises(InputError, match=r"^`n` is .*; expected an integer of at least 1"):
        cls(n)


@pytest.mark.parametrize(("n", "k"), [(2, 1), (3, 1), (4, 2), (5, 2)])
@pytest.mark.parametrize("short", [0.0, 1e-12, 1e-9, 3e-8, 1e-6])
@pytest.mark.parametrize("planes", [1, 2])
def test_log_of_subspaces_at_and_near_the_cut_locus(n, k, short, planes):
    """Principal angles of pi/2 - short in some planes."""
    planes = min(planes, k, n - k)
    turn = torch.eye(n, dtype=torch.float64)
    angle = torch.tensor(math.pi / 2 - short, dtype=torch.float64)
    for i in range(planes):
        j = n - 1 - i
        turn[i, i] = turn[j, j] = angle.cos()
        turn[j, i], turn[i, j] = angle.sin(), -angle.sin()
    P = torch.diag((torch.arange(n) < k).double())
    Q = SO(n).random_haar(20, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    base, x = Q @ P @ Q.mT, (Q @ turn @ P @ turn.mT @ Q.mT).requires_grad_()
    space = Grassmannian(n, k)
    v = space.log(x, base)
    assert (space.exp(v.detach(), base) - x).abs().max() < 1e-14
    length = torch.linalg.matrix_norm(v.detach()) / 2**0.5
    assert (length - angle * planes**0.5).abs().max() < 1e-14
    (gradient,) = torch.autograd.grad((v * base.roll(1, -1)).sum(), x)
    assert gradient.isfinite().all()
