"""Euler characteristic transforms against subcomplexes counted one by one, gudhi, persistence."""

import functools
import itertools
import math

import gudhi
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import ConvexHull, Delaunay

from topoml._core.errors import InputError
from topoml.features import (
    _rows,
    euler_curve,
    euler_field_transform,
    euler_transform,
    lattice_directions,
    unit_directions,
)
from topoml.features._cells import cell_gathers, cell_sums, lattice_grid, level_counts
from topoml.features._stars import product, sigmoid_gathers, sigmoid_sums, star_weights
from topoml.homology import cubical_persistence, graph_persistence

EPS = torch.finfo(torch.float64).eps
DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
NAMES = ("edges", "faces", "tetrahedra")
GRID = {"resolution": 9, "sample_range": (-4.0, 4.0)}  # integers: ties with integer heights


def randn(*shape, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64).to(dtype)


def listed(rng, n, *, loops=True):
    """A few random columns of each kind, with repeated ones and repeated vertices."""
    found = {}
    for name, k in zip(NAMES, (2, 3, 4), strict=True):
        if n and rng.random() < 0.7:
            columns = torch.from_numpy(rng.integers(n, size=(k, rng.integers(6))))
            distinct = [len(set(c)) == k for c in columns.T.tolist()]
            found[name] = columns if loops else columns[:, torch.tensor(distinct, dtype=torch.bool)]
    return found


def complex_of(n, simplices):
    """All subsets of the columns, and the points."""
    cells = {frozenset([i]) for i in range(n)}
    for columns in simplices.values():
        for column in columns.T.tolist():
            for k in range(1, len(column) + 1):
                cells |= {frozenset(part) for part in itertools.combinations(column, k)}
    return cells


def counted(points, cells, direction, thresholds):
    """Euler characteristic of the cells all of whose points are below a threshold."""
    height = [sum(a * b for a, b in zip(p, direction, strict=True)) for p in points]
    return [
        sum((-1) ** (len(c) - 1) for c in cells if all(height[i] <= t for i in c))
        for t in thresholds
    ]


@given(st.integers(0, 2**32), st.integers(0, 7), st.integers(1, 3))
def test_equals_the_definition(seed, n, d):
    """Integer points, directions and thresholds: exact, with ties everywhere."""
    rng = np.random.default_rng(seed)
    points, v = rng.integers(-2, 3, (n, d)), rng.integers(-2, 3, (3, d))
    simplices = listed(rng, n)
    cells = complex_of(n, simplices)
    expected = [counted(points.tolist(), cells, u, range(-4, 5)) for u in v.tolist()]
    x, v = torch.from_numpy(points).double(), torch.from_numpy(v).double()
    ours = euler_transform(x, directions=v, **GRID, **simplices)
    assert ours.reshape(3, 9).tolist() == expected


@given(st.integers(0, 2**32), st.integers(1, 12))
def test_equals_gudhi(seed, n):
    """A simplex tree filtered by the highest vertex, whose insertion adds the sides."""
    rng = np.random.default_rng(seed)
    x, v = randn(n, 3, seed=seed), unit_directions(4, 3)
    simplices = listed(rng, n, loops=False)
    ours = euler_transform(x, directions=v, **GRID, **simplices).reshape(4, 9)
    for u, curve in zip(v, ours.tolist(), strict=True):
        tree = gudhi.SimplexTree()
        for column in [[i] for i in range(n)] + [
            c for x in simplices.values() for c in x.T.tolist()
        ]:
            tree.insert(column, -math.inf)
        for i, height in enumerate((x @ u).tolist()):
            tree.assign_filtration([i], height)
        tree.make_filtration_non_decreasing()
        for t, chi in zip(range(-4, 5), curve, strict=True):
            inside = [s for s, height in tree.get_filtration() if height <= t]
            assert chi == sum((-1) ** (len(s) - 1) for s in inside)


def test_equals_the_euler_curves_of_graph_persistence():
    g = torch.Generator().manual_seed(0)
    edges = torch.randint(0, 40, (2, 90), generator=g)
    x, v = randn(40, 2), unit_directions(7, 2)
    ours = euler_transform(x, directions=v, edges=edges, **GRID).reshape(7, 9)
    for u, curve in zip(v, ours, strict=True):
        d = graph_persistence(x @ u, edges, homology_dimensions=(0, 1))
        assert torch.equal(curve, euler_curve(d, **GRID))
    assert len(ours.unique()) > 10


def test_convex_polygon_counts_one_once_entered():
    """A fan of triangles, and its border, which is an arc until it closes."""
    x = 0.9 * unit_directions(11, 2) + 0.05 * randn(1, 2)
    i = torch.arange(11)
    fan = torch.stack([torch.zeros(9, dtype=torch.int64), i[1:-1], i[2:]])
    ring = torch.stack([i, i.roll(-1)])
    v, g = (
        unit_directions(50, 2, generator=torch.Generator().manual_seed(1)),
        torch.linspace(-1.2, 1.2, 40, dtype=torch.float64),
    )
    options = {"directions": v, "resolution": 40, "sample_range": (-1.2, 1.2)}
    height = x @ v.T
    entered = (g >= height.amin(0)[:, None]).double()
    complete = (g >= height.amax(0)[:, None]).double()
    disk = euler_transform(x, faces=fan, **options).reshape(50, 40)
    arc = euler_transform(x, edges=ring, **options).reshape(50, 40)
    assert torch.equal(disk, entered)
    assert torch.equal(arc, entered - complete)
    two = euler_transform(x, faces=fan[:, [0, 2]], **options).reshape(50, 40)
    assert not torch.equal(two, entered)  # not convex


def test_convex_polyhedron():
    """The ball counts 1 once entered; its boundary a disk, then a sphere."""
    x = randn(30, 3)
    solid = torch.from_numpy(Delaunay(x.numpy()).simplices.T).long()
    hull = torch.from_numpy(ConvexHull(x.numpy()).simplices.T).long()
    v = unit_directions(20, 3)
    options = {"directions": v, "resolution": 40, "sample_range": (-4, 4)}
    t = torch.linspace(-4, 4, 40, dtype=torch.float64)
    height = x @ v.T
    entered = (t >= height.amin(0)[:, None]).double()
    complete = (t >= height.amax(0)[:, None]).double()
    ball = euler_transform(x, tetrahedra=solid, **options).reshape(20, 40)
    assert torch.equal(ball, entered)
    corners, faces = hull.unique(return_inverse=True)
    sphere = euler_transform(x[corners], faces=faces, **options).reshape(20, 40)
    assert torch.equal(sphere, entered + complete)


def shape():
    """Twelve points of a plane with edges and triangles."""
    g = torch.Generator().manual_seed(0)
    edges, faces = (torch.randint(0, 12, (k, 7), generator=g) for k in (2, 3))
    return randn(12, 2), {"edges": edges, "faces": faces}


@pytest.mark.parametrize("sharpness", [None, 7.0])
def test_invariance(sharpness):
    """A rotation of points and directions; a translation of points and thresholds."""
    x, simplices = shape()
    options = {"resolution": 40, "sharpness": sharpness} | simplices
    v, here = unit_directions(9, 2), (-3.0, 3.0)
    turn = torch.linalg.qr(randn(2, 2, seed=1)).Q
    tolerance = 0.0 if sharpness is None else 1e-12
    y = euler_transform(x, directions=v, sample_range=here, **options)

    def defect(moved, v, ends):
        other = euler_transform(moved, directions=v, sample_range=ends, **options)
        return float((other - y).abs().max())

    assert defect(x @ turn, v @ turn, here) <= tolerance
    assert defect(x @ turn, v, here) > 0.5  # the points alone
    up = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    y = euler_transform(x, directions=up, sample_range=here, **options)
    moved = x + torch.tensor([5.0, 0.25], dtype=torch.float64)
    assert defect(moved, up, (-2.75, 3.25)) <= tolerance
    assert defect(moved, up, here) > 0.5


def by_torch(x, v, s, simplices, t):
    """The definition with a sigmoid, simplex after simplex."""
    height = x @ v.T
    total = torch.sigmoid(s * (t - height[..., None])).sum(0)
    for simplex in simplices:
        top = height[sorted(simplex)].amax(0)
        if len(simplex) > 1:
            total = total + (-1) ** (len(simplex) - 1) * torch.sigmoid(s * (t - top[:, None]))
    return total.flatten()


@pytest.mark.parametrize("s", [1e-3, 0.7, 5.0, 60.0, 1e4, 1e300])
def test_sigmoids(s):
    x, simplices = shape()
    v, t = unit_directions(9, 2), torch.linspace(-2, 2, 30, dtype=torch.float64)
    y = euler_transform(
        x, directions=v, resolution=30, sample_range=(-2, 2), sharpness=s, **simplices
    )
    expected = by_torch(x, v, s, complex_of(12, simplices), t)
    # sums of up to 30 terms; heights of about 3 are rounded, and multiplied by s
    slack = 30 * EPS * (1 + min(s * float(torch.linalg.vector_norm(x, dim=1).max()), 40))
    torch.testing.assert_close(y, expected, rtol=0, atol=slack)


def test_becomes_the_curve_as_it_gets_sharp():
    x, simplices = shape()
    options = {"directions": unit_directions(9, 2), "resolution": 30, "sample_range": (-2, 2)}
    curve = euler_transform(x, **options, **simplices)
    errors = [
        float((euler_transform(x, **options, **simplices, sharpness=s) - curve).abs().mean())
        for s in (10.0, 100.0, 1000.0, 1e8)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.1
    assert errors[-1] < 1e-12


def test_sharpness_at_a_threshold():
    """A height that is a threshold counts a half, and 1 in the exact curve."""
    x, v = torch.zeros(1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    options = {"directions": v, "resolution": 3, "sample_range": (-1, 1)}
    assert euler_transform(x, **options).tolist() == [0.0, 1.0, 1.0]
    assert euler_transform(x, sharpness=1e9, **options).tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("s", [0.7, 5.0])
def test_gradcheck(s):
    """In points and directions, with simplices, in both layouts, twice."""
    x, simplices = shape()
    v = unit_directions(3, 2).requires_grad_()
    batch = torch.arange(4).repeat_interleave(3)
    edges = torch.tensor([[0, 1, 3, 4, 7, 9], [1, 2, 5, 5, 8, 10]])
    options = {"resolution": 4, "sample_range": (-1.5, 1.5), "sharpness": s}

    def alone(x, v):
        return euler_transform(x, directions=v, **options, **simplices)

    def packed(x, v):
        return euler_transform(x, directions=v, **options, edges=edges, batch=batch)

    def together(x, v):
        x = x.reshape(3, 4, 2)
        return euler_transform(x, directions=v, **options, edges=edges[:, :4].clamp(max=3))

    for function in (alone, packed, together):
        leaf = x.clone().requires_grad_()
        assert torch.autograd.gradcheck(function, (leaf, v), fast_mode=function is not alone)
        assert torch.autograd.gradgradcheck(function, (leaf, v), fast_mode=True)


def test_derivatives_of_any_order():
    """Those of torch's own sigmoid, four times over."""
    x, v = randn(5, 2), unit_directions(3, 2)
    simplices = {"edges": torch.tensor([[0, 1, 2], [1, 2, 3]])}
    options = {"resolution": 6, "sample_range": (-2.0, 2.0), "sharpness": 3.0}
    t = torch.linspace(-2, 2, 6, dtype=torch.float64)
    cells = complex_of(5, simplices)
    functions = (
        lambda x, v: euler_transform(x, directions=v, **options, **simplices),
        lambda x, v: by_torch(x, v, 3.0, cells, t),
    )
    found = []
    for function in functions:
        a, u = x.clone().requires_grad_(), v.clone().requires_grad_()
        value, grads = function(a, u).sin().sum(), []
        for _ in range(4):
            grads.append(torch.autograd.grad(value, (a, u), create_graph=True))
            value = sum(grad.sin().sum() for grad in grads[-1])
        found.append(grads)
    for ours, theirs in zip(*found, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            one, other = one.detach(), other.detach()
            scale = float(other.abs().max())
            # each order multiplies the terms and their rounding by about 10
            torch.testing.assert_close(one, other, rtol=0, atol=1e4 * EPS * scale)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sharpness", [None, 4.0])
@pytest.mark.parametrize("n", [1, 7, 40])
def test_sample_does_not_depend_on_its_batch(dtype, sharpness, n):
    """Bit for bit, values and gradients: alone, together, and packed in another order."""
    g = torch.Generator().manual_seed(0)
    x = randn(5, n, 3, dtype=dtype)
    v = unit_directions(13, 3)
    edges, faces = (torch.randint(0, n, (k, n), generator=g) for k in (2, 3))
    options = {"directions": v, "resolution": 11, "sample_range": (-2, 2), "sharpness": sharpness}
    slope = randn(5, 13 * 11, seed=1, dtype=dtype)

    def run(x, slope, **complex_options):
        leaf = x.clone().requires_grad_()
        y = euler_transform(leaf, **options, **complex_options)
        assert y.dtype == dtype
        if y.requires_grad:
            y.backward(slope)
        assert (leaf.grad is None) == (sharpness is None)
        return y.detach(), torch.zeros_like(x) if leaf.grad is None else leaf.grad

    y, grad = run(x, slope, edges=edges, faces=faces)
    assert y.shape == (5, 143)
    for i in range(5):
        alone = run(x[i], slope[i], edges=edges, faces=faces)
        assert torch.equal(alone[0], y[i])
        assert torch.equal(alone[1], grad[i])
    order, shift = torch.tensor([3, 0, 4, 1]), n * torch.arange(4)
    packed = run(
        x[order].flatten(0, 1),
        slope[order],
        edges=(edges[:, None] + shift[:, None]).flatten(1),
        faces=(faces[:, None] + shift[:, None]).flatten(1),
        batch=torch.arange(4).repeat_interleave(n),
    )
    assert torch.equal(packed[0], y[order])
    assert torch.equal(packed[1].reshape(4, n, 3), grad[order])
    nested = run(
        x[:4].reshape(2, 1, 2, n, 3), slope[:4].reshape(2, 1, 2, 143), edges=edges, faces=faces
    )
    assert torch.equal(nested[0], y[:4].reshape(2, 1, 2, 143))
    assert torch.equal(nested[1], grad[:4].reshape(2, 1, 2, n, 3))


@pytest.mark.parametrize("sharpness", [None, 4.0])
def test_listing_does_not_matter(sharpness):
    """Order of columns and of vertices in them, repetition, sides that are listed or not."""
    x, simplices = shape()
    x.requires_grad_()
    options = {"directions": unit_directions(5, 2), **GRID, "sharpness": sharpness}
    y = euler_transform(x, **options, **simplices)
    edges, faces = simplices["edges"], simplices["faces"]
    other = {
        "faces": torch.cat([faces.flip(0, 1), faces[[1, 2, 0]]], 1),
        "edges": torch.cat([faces[:2], edges.flip(0), torch.tensor([[3], [3]]), edges], 1),
        "tetrahedra": faces[[0, 1, 2, 0]],  # no more than triangles
    }
    z = euler_transform(x, **options, **other)
    assert torch.equal(y, z)
    if sharpness:
        ours, theirs = (torch.autograd.grad(w.sin().sum(), x)[0] for w in (y, z))
        assert torch.equal(ours, theirs)
    more = euler_transform(x, **options, faces=faces, edges=torch.cat([edges, edges + 1], 1))
    assert not torch.equal(y, more)


def test_samples_in_any_order_and_left_out():
    x, v = randn(6, 2), unit_directions(3, 2)
    batch = torch.tensor([2, 0, 2, 4, 0, 2])
    y = euler_transform(x, directions=v, batch=batch, **GRID)
    assert y.shape == (5, 27)
    for i in range(5):
        assert torch.equal(y[i], euler_transform(x[batch == i], directions=v, **GRID))
    assert not y[[1, 3]].any()
    edges = torch.tensor([[0, 1], [2, 4]])
    z = euler_transform(x, directions=v, batch=batch, edges=edges, **GRID)
    expected = euler_transform(x[[1, 4]], directions=v, edges=torch.tensor([[0], [1]]), **GRID)
    assert torch.equal(z[0], expected)


def test_empty():
    v, none = unit_directions(3, 2), torch.zeros(2, 0, dtype=torch.int64)
    for options in ({}, {"sharpness": 3.0}, {"edges": none}, {"edges": none, "sharpness": 3.0}):
        options = {"directions": v} | GRID | options
        x = torch.zeros(4, 0, 2, requires_grad=True)
        y = euler_transform(x, **options)
        assert torch.equal(y, torch.zeros(4, 27))
        if y.requires_grad:
            y.sum().backward()
            assert x.grad.shape == x.shape
        assert euler_transform(torch.zeros(0, 5, 2), **options).shape == (0, 27)
        assert euler_transform(torch.zeros(0, 2), **options).shape == (27,)
        packed = euler_transform(torch.zeros(0, 2), batch=none[0], **options)
        assert packed.shape == (0, 27)


@pytest.mark.parametrize("sharpness", [None, 2.0, 30.0])
def test_dtype(sharpness):
    """The result for the rounded points and thresholds, rounded once."""
    _, simplices = shape()
    v = unit_directions(7, 2)
    options = {"directions": v, "resolution": 9, "sample_range": (-2, 2), "sharpness": sharpness}
    for dtype in DTYPES:
        x = randn(12, 2, dtype=dtype)
        y = euler_transform(x, **options, **simplices)
        assert y.dtype == dtype
        exact = euler_transform(x.double(), **options, **simplices)  # thresholds without rounding
        assert torch.equal(y, exact.to(dtype))
        single = options | {"directions": v.float()}
        assert (euler_transform(x.double(), **single, **simplices) - exact).abs().max() < 1e-4


@pytest.mark.parametrize("dtype", DTYPES)
def test_thresholds_are_rounded_to_the_dtype_of_the_points(dtype):
    """A point at float32(0.1) is there at the threshold 0.1, although float32(0.1) > 0.1."""
    x, v = torch.tensor([[0.1, 7.0]], dtype=dtype), unit_directions(4, 2)[:1]
    y = euler_transform(x, directions=v, resolution=1, sample_range=(0.1, 0.1))
    assert y.tolist() == [1.0]


@pytest.mark.parametrize("sharpness", [1e-300, 1.0, 1e4, 1e12])
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradient_is_finite(dtype, sharpness):
    """Coincident points, equal heights, points far away."""
    x = torch.tensor([[0, 0], [0, 0], [1, 0], [1, 1], [3e4, 0], [-3e4, 1]], dtype=dtype)
    edges = torch.combinations(torch.arange(6)).T
    v = unit_directions(8, 2).to(dtype).requires_grad_()
    x.requires_grad_()
    y = euler_transform(x, directions=v, **GRID, edges=edges, sharpness=sharpness)
    y.sum().backward()
    assert y.isfinite().all()
    if dtype != torch.float16:  # where numbers end at 65504
        assert x.grad.isfinite().all()
        assert v.grad.isfinite().all()


def test_gradient_of_a_tie_goes_to_the_first():
    x = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)
    v = torch.ones(1, 1, dtype=torch.float64)
    edges = torch.tensor([[1], [0]])
    options = {"directions": v, "resolution": 1, "sample_range": (0, 0), "sharpness": 4.0}
    euler_transform(x, edges=edges, **options).sum().backward()
    assert x.grad.tolist() == [[0.0], [-1.0]]  # vertex and edge; vertex alone


def test_no_gradient():
    x, v = randn(4, 2).requires_grad_(), unit_directions(3, 2).requires_grad_()
    assert not euler_transform(x, directions=v, **GRID).requires_grad


def test_threads_do_not_matter(monkeypatch):
    monkeypatch.setattr(_rows, "_A_THREAD", 1)
    x, simplices = shape()
    x.requires_grad_()
    field = randn(6, 5, 4).requires_grad_()

    def run(n_threads):
        monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
        v = unit_directions(7, 2)
        y = euler_transform(x, directions=v, **GRID, **simplices, sharpness=3.0)
        w = euler_field_transform(field, directions=v, resolution=5)
        c = euler_field_transform(field, directions=v, resolution=5, levels=(0, 1))
        return y, w, c, *torch.autograd.grad((y**2).sum() + (w**2).sum(), (x, field))

    for ours, theirs in zip(run(4), run(1), strict=True):
        assert torch.equal(ours, theirs)


POINTS, WAYS = torch.zeros(4, 2), unit_directions(3, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": [0.0]}, r"`points` is list; expected floats \(\*batch, n, 2\)"),
        ({"points": torch.zeros(4)}, r"`points` has shape \(4,\), torch.float32; expected floats"),
        ({"points": torch.zeros(4, 3)}, r"`points` has shape \(4, 3\), .* shape \(3, 2\)"),
        ({"points": torch.zeros(4, 2).long()}, r"`points` has shape \(4, 2\), torch.int64;"),
        ({"points": POINTS + math.nan}, r"`points` is nan at \(0, 0\); expected finite"),
        ({"points": POINTS - math.inf}, r"`points` is -inf at \(0, 0\);"),
        ({"directions": None}, r"`directions` is NoneType; expected .* Cure: unit_directions"),
        ({"directions": WAYS[0]}, r"`directions` has shape \(2,\), torch.float64; expected"),
        ({"directions": WAYS[:0]}, r"`directions` has shape \(0, 2\),"),
        ({"directions": WAYS.long()}, r"`directions` has shape \(3, 2\), torch.int64;"),
        ({"directions": WAYS * math.inf}, r"`directions` is inf at \(0, 0\); expected finite"),
        ({"resolution": 0}, r"`resolution` is 0; expected an integer of at least 1"),
        ({"sample_range": (1, 0)}, r"`sample_range` is \(1, 0\);"),
        ({"sharpness": 0}, r"`sharpness` is 0; expected a number above 0"),
        ({"sharpness": math.inf}, r"`sharpness` is inf;"),
        (
            {"edges": torch.zeros(3, 1).long()},
            r"`edges` is torch.int64 of shape \(3, 1\); expected",
        ),
        ({"edges": torch.zeros(2, 1)}, r"`edges` is torch.float32 of shape \(2, 1\);"),
        ({"edges": torch.zeros(1, 2, 1).long()}, r"`edges` .* Cure: `batch`"),
        ({"faces": [[0], [1], [2]]}, r"`faces` is list; expected torch.int64 of shape \(3, any\)"),
        ({"edges": torch.tensor([[0, 1], [1, 4]])}, r"`edges` is \(1, 4\) at \[:, 1\]; .* 0 to 3,"),
        ({"edges": torch.tensor([[0], [-1]])}, r"`edges` is \(0, -1\) at \[:, 0\];"),
        ({"faces": torch.tensor([[0], [1], [9]])}, r"`faces` is \(0, 1, 9\) at \[:, 0\];"),
        ({"tetrahedra": torch.full((4, 1), 7)}, r"`tetrahedra` is \(7, 7, 7, 7\) at \[:, 0\];"),
        (
            {"batch": torch.zeros(4)},
            r"`batch` is torch.float32 of shape \(4,\); expected torch.int",
        ),
        ({"batch": torch.zeros(3).long()}, r"`batch` is torch.int64 of shape \(3,\); .* \(4,\)"),
        ({"batch": [0, 0, 0, 0]}, r"`batch` is list;"),
        ({"batch": torch.tensor([0, -1, 0, 1])}, r"`batch` is -1 at 1; expected numbers of"),
        ({"batch": torch.full((4,), -2)}, r"`batch` is -2 at 0;"),
        (
            {"points": torch.zeros(1, 4, 2), "batch": torch.zeros(4).long()},
            r"`points` has shape \(1, 4, 2\), .* expected floats \(P, 2\), with `batch`",
        ),
        (
            {"batch": torch.tensor([0, 0, 1, 1]), "edges": torch.tensor([[0, 1], [1, 2]])},
            r"`edges` is \(1, 2\) at \[:, 1\], points of the samples \(0, 1\); .* Cure: shift",
        ),
    ],
)
def test_bad_input(change, message):
    arguments = {"points": POINTS, "directions": WAYS, **GRID} | change
    with pytest.raises(InputError, match="^" + message) as error:
        euler_transform(arguments.pop("points"), **arguments)
    assert "\n" not in str(error.value)


# ---- fields


def cells_of_lattice(lengths):
    """Lists of the sites of each cell, with its dimension."""
    found = []
    for corner in itertools.product(*(range(n) for n in lengths)):
        for extent in itertools.product((0, 1), repeat=len(lengths)):
            if all(c + e < n for c, e, n in zip(corner, extent, lengths, strict=True)):
                steps = itertools.product(*(range(e + 1) for e in extent))
                sites = [tuple(c + s for c, s in zip(corner, step, strict=True)) for step in steps]
                found.append((sites, sum(extent)))
    return found


def field_counted(x, directions, thresholds, weight):
    """Sum over the cells of weight(values at their sites), for each direction and threshold."""
    middle = [(n - 1) / 2 for n in x.shape]
    curves = []
    for v in directions.tolist():
        terms = []
        for sites, dimension in cells_of_lattice(x.shape):
            heights = [
                sum(a * (i - m) for a, i, m in zip(v, s, middle, strict=True)) for s in sites
            ]
            terms.append((max(heights), (-1) ** dimension * weight([x[s].item() for s in sites])))
        curves += [sum(w for h, w in terms if h <= t) for t in thresholds]
    return curves


LATTICES = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)


@given(st.integers(0, 2**32), LATTICES, st.booleans())
def test_field_equals_the_definition(seed, lengths, superlevel):
    """Integer fields and directions, half-integer heights and thresholds: exact, with ties."""
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.integers(0, 4, lengths)).double()
    v = torch.from_numpy(rng.integers(-2, 3, (2, len(lengths)))).double()
    t = np.arange(-6, 7) / 2
    options = {"directions": v, "resolution": 13, "sample_range": (-3, 3), "superlevel": superlevel}
    extreme = min if superlevel else max
    weighted = euler_field_transform(x, **options)
    assert weighted.tolist() == field_counted(x, v, t, extreme)
    for level in (0, 1.5, 2):
        inside = (lambda w: min(w) >= level) if superlevel else (lambda w: max(w) <= level)  # noqa: B023
        ours = euler_field_transform(x, levels=(level,), **options)
        assert ours.tolist() == field_counted(x, v, t, inside)
    several = euler_field_transform(x, levels=(0, 1.5, 2), **options).reshape(3, -1)
    assert torch.equal(several[1], euler_field_transform(x, levels=(1.5,), **options))


@pytest.mark.parametrize("lengths", [(9, 7), (4, 5, 3)])
@pytest.mark.parametrize("superlevel", [False, True])
def test_field_equals_the_euler_curves_of_cubical_persistence(lengths, superlevel):
    """Of the heights, with what is outside masked."""
    d = len(lengths)
    x, v = randn(3, *lengths), unit_directions(6, d, generator=torch.Generator().manual_seed(2))
    places = torch.meshgrid(*(torch.arange(n) - (n - 1) / 2 for n in lengths), indexing="ij")
    options = {"resolution": 12, "sample_range": (-5.0, 5.0)}
    ours = euler_field_transform(
        x, directions=v, levels=(-0.5, 0.4), superlevel=superlevel, **options
    )
    assert ours.shape == (3, 2 * 6 * 12)
    ours = ours.reshape(3, 2, 6, 12)
    for i, level in enumerate((-0.5, 0.4)):
        for j, u in enumerate(v):
            height = sum(a * p for a, p in zip(u, places, strict=True))
            inside = x >= level if superlevel else x <= level
            masked = height.expand_as(x).where(inside, math.inf)
            diagrams = cubical_persistence(
                masked, homology_dimensions=tuple(range(d)), spatial_dims=d
            )
            assert torch.equal(ours[:, i, j], euler_curve(diagrams, **options))


def test_field_equals_points_and_edges():
    """A path: the sites in the set, joined to their neighbours, as a cloud."""
    x = randn(20)
    inside = x <= 0.3
    places = torch.arange(20.0, dtype=torch.float64)[:, None] - 9.5
    number = inside.cumsum(0) - 1
    joined = (inside[1:] & inside[:-1]).nonzero().squeeze(1)
    edges = number[torch.stack([joined, joined + 1])]
    options = {"directions": lattice_directions(1), "resolution": 41, "sample_range": (-10, 10)}
    cloud = euler_transform(places[inside], edges=edges, **options)
    assert torch.equal(euler_field_transform(x, levels=(0.3,), **options), cloud)


def test_weights_are_integrals_over_levels():
    """Of a field of 0, 1, ... 5: the sums over the levels, from above and from below."""
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 6, (3, 8, 9))).double()
    options = {"directions": lattice_directions(2), "resolution": 10}
    levels = (1, 2, 3, 4, 5)
    above = euler_field_transform(x, levels=levels, superlevel=True, **options).reshape(3, 5, -1)
    assert torch.equal(euler_field_transform(x, superlevel=True, **options), above.sum(1))
    below = euler_field_transform(x, levels=(0, 1, 2, 3, 4), **options).reshape(3, 5, -1)
    everything = euler_field_transform(x, levels=(9,), **options)
    assert torch.equal(euler_field_transform(x, **options), (everything[:, None] - below).sum(1))


@pytest.mark.parametrize("levels", [None, (-0.3, 0.6)])
def test_symmetries_of_the_lattice(levels):
    """Quarter turns and reflections of field and directions alike, to the bit for counts."""
    x, v = randn(4, 7, 7), lattice_directions(2)
    options = {"resolution": 33, "levels": levels}
    y = euler_field_transform(x, directions=v, **options)

    def defect(moved, v):
        return float((euler_field_transform(moved, directions=v, **options) - y).abs().max())

    turned = torch.stack([-v[:, 1], v[:, 0]], 1)  # rot90 moves (i, j) to (-j, i)
    tolerance = 0.0 if levels else 1e-12
    assert defect(x.rot90(1, (1, 2)), turned) <= tolerance
    assert defect(x.flip(1), v * torch.tensor([-1.0, 1.0])) <= tolerance
    assert defect(x.mT, v.flip(1)) <= tolerance
    assert defect(x.rot90(1, (1, 2)), v) > 0.5  # the field alone
    assert defect(x.roll(1, 1), v) > 0.5  # the boundary is open


def test_rounding_does_not_part_equal_heights():
    """All sites of a diagonal are there at once, at a threshold that is their height."""
    n = 33
    i = torch.arange(n)
    diagonal = (i[:, None] + i != n + 4).double()  # 0 on one of them
    v = lattice_directions(2)
    t = float(5 / math.sqrt(2))  # of i + j = n + 4, from the middle
    options = {"levels": (0.5,), "resolution": 2}
    ours = euler_field_transform(diagonal, directions=v[-1:], sample_range=(t - 1e-9, t), **options)
    assert ours.tolist() == [0.0, n - 5.0]
    back = euler_field_transform(
        diagonal, directions=v[:1], sample_range=(-t - 1e-9, -t), **options
    )
    assert back.tolist() == [0.0, n - 5.0]


@pytest.mark.parametrize("lengths", [(6, 9), (3, 4, 5), (1, 1)])
def test_thresholds_of_the_lattice(lengths):
    """From the lowest site to the highest one: all of them are there at the end."""
    x, d = randn(*lengths), len(lengths)
    v = lattice_directions(d) * 1.7
    everything = euler_field_transform(x, directions=v, resolution=5, levels=(99.0,))
    assert torch.equal(everything.reshape(-1, 5)[:, -1], torch.ones(3**d - 1).double())
    corner = torch.tensor([1.7] * d, dtype=torch.float64)[None]  # no unit vector
    r = 1.7 * sum(n - 1 for n in lengths) / 2
    given_range = {} if r == 0 else {"sample_range": (-r, r)}
    ours = euler_field_transform(x, directions=corner, resolution=7, levels=(0.0,))
    expected = euler_field_transform(
        x, directions=corner, resolution=7, levels=(0.0,), **given_range
    )
    assert torch.equal(ours, expected)
    assert ours[0] == float(x.flatten()[0] <= 0)  # the lowest corner


def test_field_gradcheck():
    v = unit_directions(3, 2)
    for superlevel in (False, True):
        options = {"directions": v, "resolution": 4, "superlevel": superlevel}
        function = lambda x: euler_field_transform(x, **options) ** 2  # noqa: B023, E731
        x = randn(2, 3, 4).requires_grad_()
        assert torch.autograd.gradcheck(function, x)
        assert torch.autograd.gradgradcheck(function, x, fast_mode=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("levels", [None, (-0.3, 0.6)])
def test_field_does_not_depend_on_its_batch(dtype, levels):
    x, v = randn(6, 5, 7, dtype=dtype), unit_directions(5, 2)
    options = {"directions": v, "resolution": 6, "levels": levels}
    width = 30 * len(levels or (0,))
    slope = randn(6, width, seed=1, dtype=dtype)

    def run(x, slope):
        leaf = x.clone().requires_grad_()
        y = euler_field_transform(leaf, **options)
        assert y.dtype == dtype
        assert y.requires_grad == (levels is None)
        if y.requires_grad:
            y.backward(slope)
        return y.detach(), torch.zeros_like(x) if leaf.grad is None else leaf.grad

    y, grad = run(x, slope)
    for i in range(6):
        for ours, theirs in zip(run(x[i], slope[i]), (y[i], grad[i]), strict=True):
            assert torch.equal(ours, theirs)
    nested = run(x.reshape(2, 3, 1, 5, 7), slope.reshape(2, 3, 1, width))
    assert torch.equal(nested[0], y.reshape(2, 3, 1, width))
    assert torch.equal(nested[1], grad.reshape(2, 3, 1, 5, 7))
    assert torch.equal(y, euler_field_transform(x.double(), **options).to(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_levels_are_rounded_to_the_dtype_of_the_field(dtype):
    x, v = torch.full((1, 1), 0.1, dtype=dtype), lattice_directions(2)[:1]
    for superlevel in (False, True):
        y = euler_field_transform(
            x, directions=v, resolution=1, levels=(0.1,), superlevel=superlevel
        )
        assert y.tolist() == [1.0]


def test_masked_sites():
    x = randn(3, 4, 5)
    v = lattice_directions(2)
    options = {"directions": v, "resolution": 6, "levels": (0.5,)}
    for superlevel, value in ((False, math.inf), (True, -math.inf)):
        masked, far = x.clone(), x.clone()
        masked[:, 1:3, 2], far[:, 1:3, 2] = value, math.copysign(9.0, value)
        ours = euler_field_transform(masked, superlevel=superlevel, **options)
        assert torch.equal(ours, euler_field_transform(far, superlevel=superlevel, **options))


def test_no_field():
    v = lattice_directions(2)
    with pytest.raises(InputError, match=r"^`x` has shape \(0, 3, 4\), no entry at all"):
        euler_field_transform(torch.zeros(0, 3, 4), directions=v, resolution=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": [0.0]}, r"`x` is list; expected a torch.Tensor \(\*batch, \*L\) with 2 axes L, as"),
        ({"x": torch.zeros(4)}, r"`x` has shape \(4,\); expected \(\*batch, \*L\) with 2 axes L"),
        ({"x": torch.zeros(4, 2).long()}, r"`x` has dtype torch.int64; expected a floating"),
        ({"x": torch.full((2, 2), math.nan)}, r"`x` has a NaN or an infinite entry; expected fin"),
        ({"x": torch.full((2, 2), math.inf)}, r"`x` has a NaN or an infinite entry;"),
        ({"x": torch.full((2, 2), math.nan), "levels": (0,)}, r"`x` has a NaN; expected numbers"),
        ({"directions": WAYS[:, :0]}, r"`directions` has shape \(3, 0\),"),
        ({"directions": WAYS + math.nan}, r"`directions` is nan at \(0, 0\);"),
        ({"resolution": 1.5}, r"`resolution` is 1.5; expected an integer of at least 1"),
        ({"sample_range": (1, 0)}, r"`sample_range` is \(1, 0\);"),
        ({"levels": ()}, r"`levels` is \(\); expected a sequence of finite numbers, at least one"),
        ({"levels": 0.5}, r"`levels` is 0.5;"),
        ({"levels": (0, math.inf)}, r"`levels` is \(0, inf\);"),
        ({"levels": (True,)}, r"`levels` is \(True,\);"),
        ({"superlevel": 1}, r"`superlevel` is 1; expected True or False"),
    ],
)
def test_bad_field(change, message):
    arguments = {"x": torch.zeros(3, 3), "directions": WAYS, "resolution": 3} | change
    with pytest.raises(InputError, match="^" + message) as error:
        euler_field_transform(arguments.pop("x"), **arguments)
    assert "\n" not in str(error.value)


# ---- directions


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 12, 40, 97])
def test_directions_on_the_circle(n):
    v = unit_directions(n, 2)
    angle = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
    torch.testing.assert_close(v, torch.stack([angle.cos(), angle.sin()], 1), rtol=0, atol=4 * EPS)
    rows = {tuple(row) for row in v.tolist()}
    assert len(rows) == n
    assert {(x, -y) for x, y in rows} == rows  # reflected
    if n % 2 == 0:
        assert {(-x, y) for x, y in rows} == rows
    if n % 4 == 0:
        assert {(-y, x) for x, y in rows} == rows
        assert {(y, x) for x, y in rows} == rows
    assert not (v.signbit() & (v == 0)).any()


@pytest.mark.parametrize("n", [1, 2, 50, 400])
def test_directions_on_the_sphere(n):
    """Units that cover it: the mean square of each component is 1 / 3."""
    v = unit_directions(n, 3)
    assert v.shape == (n, 3)
    torch.testing.assert_close(torch.linalg.vector_norm(v, dim=1), torch.ones(n).double())
    if n >= 50:
        spread = (v.T @ v / n - torch.eye(3, dtype=torch.float64) / 3).abs().max()
        assert spread < 1 / n
        apart = torch.cdist(v, v) + 9 * torch.eye(n, dtype=torch.float64)
        assert apart.min() > 3 / math.sqrt(n)  # a square lattice of that density: 3.54


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_random_directions(dim):
    """Uniform: second and fourth moments, within 5 standard errors."""
    n = 20_000
    draw = lambda seed: unit_directions(n, dim, generator=torch.Generator().manual_seed(seed))  # noqa: E731
    v = draw(0)
    assert torch.equal(v, draw(0))
    assert not torch.equal(v, draw(1))
    torch.testing.assert_close(torch.linalg.vector_norm(v, dim=1), torch.ones(n).double())
    for power, mean in ((1, 0.0), (2, 1 / dim), (4, 3 / (dim * (dim + 2)))):
        x = v**power
        error = (x.mean(0) - mean).abs()
        assert (error <= 5 * x.std(0) / math.sqrt(n) + 1e-12).all()
    skewed = v.abs() + 0.1  # not uniform
    assert (skewed.mean(0).abs() > 5 * skewed.std(0) / math.sqrt(n)).all()


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_lattice_directions(dim):
    v = lattice_directions(dim)
    assert v.shape == (3**dim - 1, dim)
    torch.testing.assert_close(torch.linalg.vector_norm(v, dim=1), torch.ones(len(v)).double())
    rows = {tuple(row) for row in v.tolist()}
    assert len(rows) == len(v)
    for order in itertools.permutations(range(dim)):
        for signs in itertools.product((-1, 1), repeat=dim):
            assert {
                tuple(s * row[k] for s, k in zip(signs, order, strict=True)) for row in rows
            } == rows
    signs = {tuple(np.sign(row).astype(int).tolist()) for row in v.tolist()}
    assert len(signs) == len(v)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 2), "`n` is 0; expected an integer of at least 1"),
        ((3, 2.0), "`dim` is 2.0; expected an integer of at least 1"),
        ((3, 4), "`dim` is 4; expected 2 or 3 for evenly spaced directions. Cure: a `generator`"),
        ((3, 1), "`dim` is 1; expected 2 or 3"),
    ],
)
def test_bad_directions(arguments, message):
    with pytest.raises(InputError, match="^" + message):
        unit_directions(*arguments)


def test_bad_generator():
    with pytest.raises(InputError, match=r"^`generator` is int; expected a torch.Generator"):
        unit_directions(3, 2, generator=0)
    with pytest.raises(InputError, match=r"^`dim` is 0"):
        lattice_directions(0)


# ---- operators


def test_operators():
    """Schemas, fake kernels and gradients, as torch wants them; layers are compiled elsewhere."""
    parts = "test_schema", "test_faketensor", "test_autograd_registration"
    check = functools.partial(torch.library.opcheck, test_utils=parts)
    a, b = randn(3, 2).requires_grad_(), randn(2, 5, seed=1).requires_grad_()
    check(product, (a, b))
    height = randn(3, 2, 4)
    edges, faces = torch.tensor([[0, 1], [1, 2]]), torch.tensor([[0], [1], [3]])
    check(star_weights, (height, edges, faces, None, None))
    check(
        star_weights,
        (height[:, :1], None, None, torch.tensor([[0, 1, 2, 3]]).T, torch.zeros(4).long()),
    )
    block, grid = torch.tensor([0, 1, 1, 0, 2, 2, 0, 1]), torch.linspace(-1, 1, 5).double()
    weight, h = randn(3, 8).requires_grad_(), height.reshape(3, 8).requires_grad_()
    check(sigmoid_sums, (weight.detach(), h, block, 3, grid, 2.0, 0))
    check(sigmoid_sums, (weight, h, block, 3, grid, 2.0, 1))
    check(sigmoid_sums, (weight.detach(), h.detach(), block, 3, grid, math.inf, 0))
    check(sigmoid_gathers, (randn(3, 3, 5).requires_grad_(), h, block, grid, 2.0, 1))
    v = lattice_directions(2)
    check(lattice_grid, ([3, 4], v, 5))
    check(cell_sums, (randn(2, 35).requires_grad_(), [3, 4], v, grid))
    check(cell_gathers, (randn(8, 2, 5).requires_grad_(), [3, 4], v, grid))
    check(level_counts, (randn(2, 3, 4), v, torch.tensor([0.0, 1.0]).double(), grid, True))
