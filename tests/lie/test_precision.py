"""Sixteen bits: within their roundings of double precision, on every group and manifold."""

import pytest
import torch

from topoml.lie import (
    SE,
    SO,
    SPD,
    Grassmannian,
    Hyperbolic,
    Lorentz,
    RealProjective,
    Sphere,
    Stiefel,
    Torus,
)

NARROW = [torch.float16, torch.bfloat16]


def drawn(space, dtype, n=6):
    generator = torch.Generator().manual_seed(2)
    if hasattr(space, "random_haar"):
        return space.random_haar(n, generator=generator, dtype=dtype)
    return space.random(n, scale=0.3, generator=generator, dtype=dtype)


def assert_near(ours, exact, factor=20):
    assert ours.isfinite().all()
    size = exact.abs().max().clamp(min=1)
    assert (ours.double() - exact).abs().max() < factor * torch.finfo(ours.dtype).eps * size


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("group", [SO(2), SO(3), SO(4), SE(2), SE(3), Lorentz()], ids=str)
def test_groups(group, dtype):
    generator = torch.Generator().manual_seed(1)
    v = (0.5 * torch.randn(6, group.dim, generator=generator, dtype=torch.float64)).to(dtype)
    X = group.hat(v)
    g = group.exp(X)
    assert g.dtype == dtype
    assert_near(g, group.exp(X.double()))
    assert group.log(g).dtype == dtype
    assert_near(group.log(g), group.log(group.project(g.double())))
    assert_near(group.project(g), group.project(g.double()))
    assert_near(
        group.distance(g, g.roll(1, 0)),
        group.distance(*(group.project(h.double()) for h in (g, g.roll(1, 0)))),
        40,
    )
    assert_near(drawn(group, dtype), drawn(group, dtype).double(), 1)


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize(
    "space",
    [Sphere(2), RealProjective(2), Hyperbolic(2), SPD(3), Grassmannian(4, 2), Torus(2)],
    ids=str,
)
def test_manifolds(space, dtype):
    base = drawn(space, dtype)
    v = space.to_tangent(
        0.3 * torch.randn(base.shape, generator=torch.Generator().manual_seed(3)), base.float()
    )
    v = v.to(dtype)
    x = space.exp(v, base)
    assert x.dtype == dtype
    exact = space.project(base.double())
    assert_near(x, space.exp(v.double(), exact))
    assert space.log(x, base).dtype == dtype
    assert_near(space.log(x, base), space.log(space.project(x.double()), exact), 40)
    assert space.distance(x, base).dtype == dtype
    assert_near(space.distance(x, base), space.distance(space.project(x.double()), exact), 40)


@pytest.mark.parametrize("dtype", NARROW)
def test_frames(dtype):
    base = drawn(Stiefel(4, 2), dtype)
    assert base.dtype == dtype
    v = Stiefel(4, 2).to_tangent(base.roll(1, -1), base)
    exact = Stiefel(4, 2).exp(v.double(), base.double())
    assert_near(Stiefel(4, 2).exp(v, base), exact)
    assert_near(Stiefel(4, 2).project(base), Stiefel(4, 2).project(base.double()))
