"""Persistence of alpha complexes: against gudhi, a brute-force complex and finite differences."""

import itertools
import math

import gudhi
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.homology import alpha_persistence, alpha_simplices
from topoml.homology.alpha import PRECISION, _giver, _simplex_tree, alpha_pairs

from .oracles import INF, of_diagrams, reduce_boundary

DIMENSIONS = {2: (0, 1), 3: (0, 1, 2)}
CLOUDS = [(d, n, seed) for d in (2, 3) for n, seed in ((1, 0), (2, 0), (5, 1), (30, 2), (60, 3))]


def cloud(d, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, dtype=torch.float64, generator=generator)


def powers(n, seed=0, spread=0.3):
    generator = torch.Generator().manual_seed(seed + 100)
    return spread * torch.randn(n, dtype=torch.float64, generator=generator)


def by_gudhi(x, w=None):
    """gudhi's intervals in exact arithmetic, as radii, or as squares with weights."""
    w = None if w is None else w.numpy()
    tree = gudhi.AlphaComplex(points=x.numpy(), weights=w, precision="exact").create_simplex_tree()
    found = tree.persistence(homology_coeff_field=2, persistence_dim_max=True)
    of = math.sqrt if w is None else float
    return sorted((d, of(b), of(e)) for d, (b, e) in found)


def assert_close(found, expected, rtol):
    assert [row[0] for row in found] == [row[0] for row in expected]
    np.testing.assert_allclose(np.array(found), np.array(expected), rtol=rtol)


@pytest.mark.parametrize(("d", "n", "seed"), CLOUDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_gudhi(d, n, seed, weighted):
    x, w = cloud(d, n, seed), powers(n, seed) if weighted else None
    found = of_diagrams(alpha_persistence(x, homology_dimensions=DIMENSIONS[d], weights=w))
    assert_close(found, by_gudhi(x, w), PRECISION)


def power_sphere(p, w):
    """Center and power of the smallest sphere orthogonal to all, in the plane of the points."""
    v = p[1:] - p[0]
    b = (v**2).sum(1) - w[1:] + w[0]
    y = np.linalg.pinv(2 * v) @ b if len(v) else np.zeros(p.shape[1])
    return p[0] + y, (y**2).sum() - w[0]


def brute_force(x, w):
    """The regular triangulation by emptiness of all (d+1)-tuples' spheres, values by definition."""
    n, d = x.shape
    value = {}
    for top in itertools.combinations(range(n), d + 1):
        center, power = power_sphere(x[list(top)], w[list(top)])
        if (((x - center) ** 2).sum(1) - w >= power - 1e-9).all():
            for k in range(1, d + 2):
                value |= dict.fromkeys(itertools.combinations(top, k))
    for k in range(d + 1, 0, -1):
        for s in (s for s in value if len(s) == k):
            center, power = power_sphere(x[list(s)], w[list(s)])
            others = [i for i in range(n) if i not in s]
            empty = (((x[others] - center) ** 2).sum(1) - w[others] >= power - 1e-12).all()
            cofaces = [value[t] for t in value if len(t) == k + 1 and set(s) < set(t)]
            value[s] = power if empty else min(cofaces)
    order = sorted(value, key=lambda s: (value[s], len(s)))
    number = {s: i for i, s in enumerate(order)}
    boundary = [
        [number[f] for f in itertools.combinations(s, len(s) - 1)] if len(s) > 1 else []
        for s in order
    ]
    return reduce_boundary([(value[s], len(s) - 1) for s in order], boundary)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("d", [2, 3])
def test_definition(d, seed):
    x, w = cloud(d, 8, seed), powers(8, seed)
    d0 = alpha_persistence(x, homology_dimensions=DIMENSIONS[d], weights=w)
    assert_close(of_diagrams(d0), brute_force(x.numpy(), w.numpy()), 1e-9)
    plain = alpha_persistence(x, homology_dimensions=DIMENSIONS[d])
    squares = brute_force(x.numpy(), np.zeros(8))
    expected = sorted((k, math.sqrt(b), math.sqrt(e)) for k, b, e in squares)
    assert_close(of_diagrams(plain), expected, 1e-9)


def test_the_test_sees_a_moved_point():
    x = cloud(2, 8)
    moved = x.clone()
    moved[0, 0] += 1e-6
    with pytest.raises(AssertionError):
        assert_close(
            of_diagrams(alpha_persistence(moved, homology_dimensions=(0, 1))), by_gudhi(x), 1e-9
        )


@pytest.mark.parametrize(("d", "n", "seed"), CLOUDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_simplices(d, n, seed, weighted):
    """Each value is the radius of its simplex, whose sphere is empty."""
    x, w = cloud(d, n, seed), powers(n, seed) if weighted else None
    keep = {"homology_dimensions": DIMENSIONS[d], "weights": w}
    diagrams = alpha_persistence(x, **keep)
    born, dies, stays = alpha_simplices(x, **keep)
    weight = np.zeros(n) if w is None else w.numpy()
    for simplices, values in (
        (born, diagrams.points[:, 0]),
        (dies, diagrams.points[:, 1]),
        (stays, diagrams.essential),
    ):
        assert simplices.shape == (len(values), d + 1)
        for row, value in zip(simplices.tolist(), values.tolist(), strict=True):
            s = [i for i in row if i >= 0]
            assert row == [*sorted(set(s)), *[-1] * (d + 1 - len(s))]
            center, power = power_sphere(x.numpy()[s], weight[s])
            ours = value if weighted else value**2
            # The oracle's rounding grows with the sphere.
            assert power == pytest.approx(ours, rel=1e-9, abs=1e-12)
            distance = ((x.numpy() - center) ** 2).sum(1) - weight
            assert (distance >= power - 1e-9 * (1 + abs(power))).all()


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient(d, weighted):
    x = cloud(d, 12, 4).requires_grad_()
    inputs = (x, powers(12, 4).requires_grad_()) if weighted else (x,)

    def values(x, w=None):
        diagrams = alpha_persistence(x, homology_dimensions=DIMENSIONS[d], weights=w)
        return diagrams.points, diagrams.essential

    # gudhi's values are right to 1e-12: over a step of 1e-5, slopes to 1e-7, relative.
    assert torch.autograd.gradcheck(values, inputs, eps=1e-5, atol=1e-5, rtol=1e-4)
    # A backward pass through the backward pass has no such rounding.
    with torch.enable_grad():
        total = sum((v**2).sum() for v in values(*inputs))
        slope = torch.autograd.grad(total, inputs, create_graph=True)
        again = torch.autograd.grad(slope[0].sum(), inputs)
    step = 1e-5
    ends = []
    for sign in (-1, 1):
        moved = (x.detach() + sign * step).requires_grad_()  # along (1, ..., 1)
        free = tuple(inputs[1:])
        total = sum((v**2).sum() for v in values(moved, *free))
        ends.append(torch.autograd.grad(total, (moved, *free)))
    for k, a in enumerate(again):
        difference = (ends[1][k] - ends[0][k]) / (2 * step)
        torch.testing.assert_close(a, difference, atol=1e-5, rtol=1e-4)


def test_translations_and_scale():
    """Radii are invariant to moves and of degree 1, so the gradients are, by Euler's rule."""
    x = cloud(3, 40, 5).requires_grad_()
    diagrams = alpha_persistence(x, homology_dimensions=(0, 1, 2))
    total = diagrams.points.sum()
    (slope,) = torch.autograd.grad(total, x)
    tolerance = 1e-9 * slope.abs().max()
    assert slope.sum(0).abs().max() < tolerance
    assert abs((slope * x).sum() - total) < 1e-9 * total


@pytest.mark.parametrize(("d", "n", "seed"), CLOUDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_every_simplex_has_a_giver(d, n, seed, weighted):
    """Also those that are not Gabriel, which bear no classes but at ties."""
    x, w = cloud(d, n, seed).numpy(), powers(n, seed).numpy() if weighted else None
    tree = _simplex_tree(x, w)
    weight = np.zeros(n) if w is None else w
    inherited = 0
    for simplex, square in tree.get_filtration():
        s = list(_giver(tree, simplex, x, w))
        assert set(simplex) <= set(s)
        assert power_sphere(x[s], weight[s])[1] == pytest.approx(square, rel=1e-9, abs=1e-12)
        inherited += len(s) > len(simplex)
        own = power_sphere(x[simplex], weight[simplex])[1]
        assert (len(s) == len(simplex)) == (own == pytest.approx(square, rel=1e-9, abs=1e-12))
    assert inherited or n < 30


@pytest.mark.parametrize("d", [2, 3])
def test_lattice(d):
    """Cells of a lattice, with all their ties: births at 1/2 and deaths at half the diagonal."""
    axes = [torch.arange(4, dtype=torch.float64) * 0.1] * d
    x = torch.cartesian_prod(*axes).requires_grad_()
    diagrams = alpha_persistence(x, homology_dimensions=DIMENSIONS[d])
    count = {0: 4**d - 1, 1: {2: 9, 3: 81}[d], 2: 27}  # H1 in 3D: squares - cubes
    half = [0.0, 0.05, 0.05 * 2**0.5, 0.05 * 3**0.5]
    for k in DIMENSIONS[d]:
        points = diagrams.select(k).points.detach()
        assert len(points) == count[k]
        assert points.numpy() == pytest.approx(np.array([half[k : k + 2]] * count[k]), rel=1e-12)
    diagrams.points.sum().backward()
    assert x.grad.isfinite().all()
    assert x.grad.abs().max() < 100


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 2), min_size=1, max_size=9))
@settings(max_examples=40)
def test_small_integers(points):
    """Duplicates, collinear and cocircular points."""
    x = torch.tensor(points, dtype=torch.float64).requires_grad_()
    diagrams = alpha_persistence(x, homology_dimensions=(0, 1))
    assert_close(of_diagrams(diagrams), by_gudhi(x.detach()), PRECISION)
    (diagrams.points.sum() + diagrams.essential.sum()).backward()
    assert x.grad.isfinite().all()


def test_collinear_and_single_points_in_space():
    line = torch.arange(5, dtype=torch.float32)[:, None] * torch.tensor([1.0, 2.0, 2.0])
    diagrams = alpha_persistence(line, homology_dimensions=(0, 1, 2))
    assert of_diagrams(diagrams) == [(0, 0.0, 1.5)] * 4 + [(0, 0.0, INF)]
    one = alpha_persistence(line[:1], homology_dimensions=(2, 0))
    assert of_diagrams(one) == [(0, 0.0, INF)]
    assert one.homology_dimensions == (2, 0)


def test_hidden_point():
    """A point within a far larger ball is no part of the complex."""
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [9.0, 0.0], [5.0, 7.0]]).double().requires_grad_()
    w = torch.tensor([9.0, 0.0, 1.0, 1.0], dtype=torch.float64, requires_grad=True)
    diagrams = alpha_persistence(x, homology_dimensions=(0, 1), weights=w)
    assert len(diagrams.select(0).points) == 2
    assert diagrams.essential.tolist() == [-9.0]
    (diagrams.points.sum() + diagrams.essential.sum()).backward()
    assert x.grad[1].tolist() == [0.0, 0.0]
    assert w.grad[1] == 0.0
    assert w.grad[0] != 0.0


def test_weights_of_zero_give_squares():
    x = cloud(3, 20)
    keep = {"homology_dimensions": (0, 1, 2)}
    plain = alpha_persistence(x, **keep)
    squares = alpha_persistence(x, weights=torch.zeros(20).double(), **keep)
    torch.testing.assert_close(squares.points, plain.points**2, rtol=4 * PRECISION, atol=0)


def test_batch():
    """A sample does not depend on its batch-mates; tensors and lists agree."""
    x = torch.stack([cloud(2, 15, s) for s in range(6)]).reshape(2, 3, 15, 2)
    w = torch.stack([powers(15, s) for s in range(6)]).reshape(2, 3, 15)
    for weights in (None, w):
        keep = {"homology_dimensions": (1, 0)}
        together = alpha_persistence(x, weights=weights, **keep)
        flat_w = None if weights is None else list(w.flatten(0, 1))
        as_list = alpha_persistence(list(x.flatten(0, 1)), weights=flat_w, **keep)
        assert together.batch_shape == (2, 3)
        assert as_list.batch_shape == (6,)
        assert torch.equal(together.points, as_list.points)
        for i, j in itertools.product(range(2), range(3)):
            alone = None if weights is None else w[i, j]
            one = alpha_persistence(x[i, j], weights=alone, **keep)
            assert one.batch_shape == ()
            assert torch.equal(together[i, j].points, one.points)
            assert torch.equal(together[i, j].essential, one.essential)
        key = together.sample * 8 + together.dimension
        assert (key.diff() >= 0).all()


def test_batch_gradient():
    """Lists of clouds of several sizes: each one's gradient is that of it alone."""
    clouds = [cloud(2, n, n).requires_grad_() for n in (3, 20, 8)]
    alpha_persistence(clouds, homology_dimensions=(0, 1)).points.sum().backward()
    for x in clouds:
        alone = x.detach().clone().requires_grad_()
        alpha_persistence(alone, homology_dimensions=(0, 1)).points.sum().backward()
        assert torch.equal(x.grad, alone.grad)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_dtypes(dtype):
    x = cloud(2, 30).to(dtype).requires_grad_()
    diagrams = alpha_persistence(x, homology_dimensions=(0, 1))
    assert diagrams.points.dtype == diagrams.essential.dtype == dtype
    assert (diagrams.lifetime > 0).all()
    exact = alpha_persistence(x.detach().double(), homology_dimensions=(0, 1)).points.to(dtype)
    assert torch.equal(diagrams.points, exact[exact[:, 0] < exact[:, 1]])
    diagrams.points.sum().backward()
    assert x.grad.dtype == dtype
    assert x.grad.isfinite().all()


def test_precision_of_gudhi_is_left_alone():
    before = gudhi.AlphaComplex.get_float_relative_precision()
    alpha_persistence(cloud(2, 5), homology_dimensions=(0,))
    assert gudhi.AlphaComplex.get_float_relative_precision() == before


@pytest.mark.parametrize("weighted", [False, True])
def test_operator(weighted):
    x, w = cloud(2, 9), powers(9) if weighted else None
    torch.library.opcheck(alpha_pairs, (x, w, [4, 5], [0, 1], True))


@pytest.mark.slow
def test_compiled_with_weights():
    """In one piece."""
    x = torch.stack([cloud(2, 9, 0), cloud(2, 9, 1)]).requires_grad_()
    w = torch.stack([powers(9, 0), powers(9, 1)]).requires_grad_()

    def loss(x, w):
        diagrams = alpha_persistence(x, homology_dimensions=(0, 1), weights=w)
        return (diagrams.points**2).sum() + diagrams.essential.sum()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    leaves = (x, w)
    ours = torch.autograd.grad(loss(x, w), leaves)
    theirs = torch.autograd.grad(compiled(x, w), leaves)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


X = torch.zeros(3, 2)


@pytest.mark.parametrize(
    ("points", "keep", "message"),
    [
        ([[0.0]], {}, r"`points\[0\]` is list"),
        (1.0, {}, "`points` is float"),
        ([], {}, "`points` is empty"),
        (X[0], {}, "`points` has shape .2,."),
        (X[:0], {}, "`points` has shape .0, 2., no entry"),
        (X.long(), {}, "`points` has dtype torch.int64"),
        (torch.zeros(3, 4), {}, "`points` has shape .3, 4.; expected .* d = 2 or 3"),
        (X / 0, {}, r"`points` is nan at \(0, 0\)"),
        ([X, X + INF], {}, r"`points` is inf at \(0, 0\) of sample 1"),
        ([X, X.double()], {}, r"`points\[1\]` has shape \(3, 2\), torch.float64"),
        ([X, torch.zeros(3, 3)], {}, r"`points\[1\]` has shape \(3, 3\)"),
        ([X, X[None]], {}, r"`points\[1\]` has shape \(1, 3, 2\)"),
        (X, {"weights": torch.zeros(2)}, "`weights` has shape .2,."),
        (X, {"weights": torch.zeros(3).double()}, "`weights` has shape .3,., torch.float64"),
        (X, {"weights": [0.0] * 3}, "`weights` is list"),
        (
            X,
            {"weights": torch.tensor([0, 0, float("nan")])},
            r"`weights` is nan at \(2,\) of sample 0",
        ),
        ([X], {"weights": torch.zeros(3)}, "`weights` is Tensor; expected a list of 1"),
        ([X], {"weights": []}, "`weights` is 0 tensors; expected a list of 1"),
        ([X], {"weights": [torch.zeros(2)]}, r"`weights\[0\]` has shape .2,."),
        (X, {"homology_dimensions": (2,)}, "`homology_dimensions` is"),
    ],
)
@pytest.mark.parametrize("function", [alpha_persistence, alpha_simplices])
def test_errors(function, points, keep, message):
    with pytest.raises(InputError, match=message) as error:
        function(points, **{"homology_dimensions": (0,)} | keep)
    assert "\n" not in str(error.value)
