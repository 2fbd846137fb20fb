"""field_persistence: distances, invariance and gauge covariance."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.homology import field_persistence
from topoml.lie import Circle, Discrete, Sphere

from .oracles import doubled_grid, of_diagrams

ALL = (0, 1, 2)


def spins(manifold, seed, shape=(6, 7)):
    g = torch.Generator().manual_seed(seed)
    if isinstance(manifold, Circle):
        return 20 * torch.rand(*shape, dtype=torch.float64, generator=g) - 10
    if isinstance(manifold, Sphere):
        x = torch.randn(*shape, manifold.n + 1, dtype=torch.float64, generator=g)
        return torch.nn.functional.normalize(x, dim=-1)
    return torch.randint(manifold.q, shape, generator=g)


def distance(manifold, a, b):
    """One distance, by complex phases and arc cosines."""
    if isinstance(manifold, Circle):
        return abs(np.angle(np.exp(1j * manifold.harmonic * float(b - a))))
    if isinstance(manifold, Sphere):
        return math.acos(max(-1.0, min(1.0, float(a @ b))))
    return float(a != b)


MANIFOLDS = [Circle(), Circle(harmonic=2), Circle(harmonic=3), Sphere(1), Sphere(2), Discrete(3)]


@pytest.mark.parametrize("manifold", MANIFOLDS, ids=repr)
@given(seed=st.integers(0, 2**31), periodic=st.tuples(st.booleans(), st.booleans()))
def test_equals_gudhi_on_the_doubled_grid(manifold, seed, periodic):
    x = spins(manifold, seed)
    h, w = x.shape[:2]
    bonds = np.array(
        [
            [[distance(manifold, x[i, j], x[(i + 1 - a) % h, (j + a) % w]) for j in range(w)]
             for i in range(h)]
            for a in (0, 1)
        ]
    )  # fmt: skip
    d = field_persistence(x, manifold=manifold, homology_dimensions=ALL, periodic=periodic)
    ours, theirs = of_diagrams(d), doubled_grid(bonds, periodic)
    close = [c for c in ours if c[2] - c[1] > 1e-7]
    theirs = [c for c in theirs if c[2] - c[1] > 1e-7]
    assert [c[0] for c in close] == [c[0] for c in theirs]
    np.testing.assert_allclose(
        np.array(close)[:, 1:], np.array(theirs)[:, 1:], rtol=0, atol=5e-8
    )  # acos loses half of the digits near 0


@pytest.mark.parametrize("harmonic", [1, 2])
@given(seed=st.integers(0, 2**31))
def test_invariant_under_rotation_and_reflection(harmonic, seed):
    x = spins(Circle(), seed)
    options = {"manifold": Circle(harmonic=harmonic), "homology_dimensions": (0, 1)}
    d = field_persistence(x, **options)
    for moved in (x + 1.234, -x, x + 2 * math.pi * torch.randint(-2, 3, x.shape).double()):
        e = field_persistence(moved, **options)
        ours, theirs = (sorted(map(tuple, y.points.tolist())) for y in (d, e))
        long_ours = np.array([p for p in ours if p[1] - p[0] > 1e-9])
        long_theirs = np.array([p for p in theirs if p[1] - p[0] > 1e-9])
        assert np.abs(long_ours - long_theirs).max() < 1e-10


def test_a_site_that_turns_alone_is_seen():
    x = spins(Circle(), 0)
    y = x.clone()
    y[2, 2] += 1.234
    d, e = (
        field_persistence(z, manifold=Circle(), homology_dimensions=(0,)).points[:, 1]
        for z in (x, y)
    )
    assert (d.sort().values - e.sort().values).abs().max() > 1e-3


@given(seed=st.integers(0, 2**31))
def test_gauge_invariance(seed):
    g = torch.Generator().manual_seed(seed)
    theta = spins(Circle(), seed)
    a = torch.rand(2, 6, 7, dtype=torch.float64, generator=g)
    alpha = 6 * torch.rand(6, 7, dtype=torch.float64, generator=g)
    shifted = a + torch.stack([alpha.roll(-1, 0) - alpha, alpha.roll(-1, 1) - alpha])
    options = {"manifold": Circle(), "homology_dimensions": (0,)}
    before = field_persistence(theta, connection=a, **options).points[:, 1].sort().values
    after = field_persistence(theta + alpha, connection=shifted, **options)
    assert (before - after.points[:, 1].sort().values).abs().max() < 1e-10
    wrong = field_persistence(theta + alpha, connection=a, **options).points[:, 1].sort().values
    assert (before - wrong).abs().max() > 1e-3


@given(seed=st.integers(0, 2**31))
def test_a_vortex_has_a_long_bond(seed):
    """The bonds of a plaquette of winding +-1 sum to 2 pi, so that one is at least pi / 2."""
    x = spins(Circle(), seed)
    corners = [x, x.roll(-1, 1), x.roll((-1, -1), (0, 1)), x.roll(-1, 0)]
    turns = [
        torch.remainder(b - a + math.pi, 2 * math.pi) - math.pi
        for a, b in zip(corners, corners[1:] + corners[:1], strict=True)
    ]
    vortex = (sum(turns) / (2 * math.pi)).round() != 0
    face = torch.stack([t.abs() for t in turns]).max(0).values
    assert vortex.any()
    assert (face[vortex] >= math.pi / 2).all()


@pytest.mark.parametrize("manifold", MANIFOLDS[:5], ids=repr)
def test_gradcheck(manifold):
    x = spins(manifold, 1, (2, 4, 5)).requires_grad_()

    def values(x):
        if isinstance(manifold, Sphere):
            x = torch.nn.functional.normalize(x, dim=-1)
        d = field_persistence(x, manifold=manifold, homology_dimensions=(0, 1))
        return d.points, d.essential

    assert torch.autograd.gradcheck(values, (x,))


def test_gradient_reaches_the_connection():
    theta = spins(Circle(), 2).requires_grad_()
    a = (0.1 * spins(Circle(), 3, (2, 6, 7))).requires_grad_()

    def values(theta, a):
        d = field_persistence(theta, manifold=Circle(), homology_dimensions=(0, 1), connection=a)
        return d.points, d.essential

    assert torch.autograd.gradcheck(values, (theta, a))


@pytest.mark.parametrize("manifold", [Circle(), Sphere(2)], ids=repr)
def test_subgradient_zero_at_equal_and_antipodal_spins(manifold):
    if isinstance(manifold, Circle):
        x = torch.tensor([[0.0, 0.0, math.pi, math.pi]], dtype=torch.float64)
    else:
        north = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
        x = torch.stack([north, north, -north, -north])[None]
    x.requires_grad_()
    d = field_persistence(x, manifold=manifold, homology_dimensions=(0, 1))
    (d.points.sum() + d.essential.sum()).backward()
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_discrete_deaths_count_domains():
    x = torch.tensor([[0, 0, 1], [0, 2, 1], [0, 2, 2]])
    d = field_persistence(x, manifold=Discrete(3), homology_dimensions=(0,), periodic=False)
    assert d.points.tolist() == [[0.0, 1.0]] * 2  # three domains, one of them essential


THETA = torch.zeros(4, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"field": THETA.long()}, r"`field` has dtype torch.int64; expected floats"),
        ({"field": THETA * float("nan")}, r"`field` is NaN at \(0, 0\)"),
        ({"field": THETA + float("inf")}, r"`field` has infinite entries"),
        ({"manifold": "circle"}, r"`manifold` is 'circle'; expected one of topoml.lie"),
        ({"manifold": Sphere(2)}, r"`field` has shape \(4, 4\); expected \(\*batch, H, W, 3\)"),
        ({"manifold": Sphere(2), "field": torch.zeros(4, 4, 3)}, r"`field` has vectors whose len"),
        ({"manifold": Sphere(2), "field": torch.zeros(4, 4, 2)}, r"`field` has shape \(4, 4, 2\)"),
        ({"manifold": Discrete(2)}, r"`field` has dtype torch.float32; expected integers"),
        ({"manifold": Discrete(2), "field": 2 + THETA.long()}, r"`field` has labels from 2 to 2"),
        ({"connection": torch.zeros(2, 4, 5)}, r"`connection` has shape \(2, 4, 5\)"),
        ({"connection": torch.zeros(2, 4, 4).double()}, r"`connection` has shape \(2, 4, 4\), t"),
        ({"manifold": Discrete(2), "field": THETA.long(), "connection": torch.zeros(2, 4, 4)},
         r"`connection` is given for Discrete"),
    ],
)  # fmt: skip
def test_bad_input(change, message):
    arguments = {"field": THETA, "manifold": Circle(), "homology_dimensions": (0, 1)} | change
    field = arguments.pop("field")
    with pytest.raises(InputError, match="^" + message) as error:
        field_persistence(field, **arguments)
    assert "\n" not in str(error.value)
