"""rips_persistence: brute force, scipy, ripser, gudhi; ties, boxes, weights, gradients, errors."""

import itertools
import math
import signal
import subprocess
import sys
import time

import gudhi
import numpy as np
import pytest
import torch
from gudhi.weighted_rips_complex import WeightedRipsComplex
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform

from topoml._core.errors import InputError
from topoml.homology import Diagrams, _rips_engines, farthest_points, rips_persistence
from topoml.kernels.ripser import bounded_ripser

from .oracles import INF, of_diagrams, reduce_boundary

ALL = (0, 1, 2)
SLOW = pytest.mark.slow
few = settings(max_examples=30)


def cloud(n, d, seed, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, dtype=torch.float64, generator=g).to(dtype)


def lattice_cloud(n, seed, side=4):
    """Points with small integer coordinates: ties, and coincident points."""
    g = torch.Generator().manual_seed(seed)
    return torch.randint(side, (n, 2), generator=g).double()


def euclidean(x):
    """Distances by plain Python."""
    return np.array([[math.dist(a, b) for b in x.tolist()] for a in x.tolist()])


def weighted(d, w):
    """The filtration of gudhi's WeightedRipsComplex, vertices on the diagonal."""
    n = len(d)
    value = np.array(
        [[max(2 * w[i], 2 * w[j], d[i, j] + (w[i] + w[j])) for j in range(n)] for i in range(n)]
    )
    value[np.arange(n), np.arange(n)] = 2 * np.asarray(w)
    return value


def brute_force(value, top, limit=INF):
    """All classes of the flag filtration with these edges, and vertices on the diagonal."""
    cells = []
    for size in range(1, top + 3):
        for simplex in itertools.combinations(range(len(value)), size):
            v = max(value[i, j] for i in simplex for j in simplex)
            if v <= limit and v < INF:
                cells.append((v, size - 1, simplex))
    cells.sort()
    number = {simplex: k for k, (_, _, simplex) in enumerate(cells)}
    boundary = [
        [number[face] for face in itertools.combinations(simplex, dim)] if dim else []
        for _, dim, simplex in cells
    ]
    found = reduce_boundary([cell[:2] for cell in cells], boundary)
    return [c for c in found if c[0] <= top]


def gudhi_classes(value, top, limit=INF):
    tree = gudhi.SimplexTree.create_from_array(value, max_filtration=limit)
    tree.expansion(top + 1)
    tree.compute_persistence(homology_coeff_field=2, min_persistence=0)
    return sorted(
        (k, float(b), float(e))
        for k in range(top + 1)
        for b, e in tree.persistence_intervals_in_dimension(k)
        if b < e
    )


def kruskal(value):
    """Deaths (i n + j) of H0 and their births, by the elder rule on the sorted list of edges."""
    n = len(value)
    parent = list(range(n))
    pairs = []
    for v, e in sorted((value[i, j], i * n + j) for i in range(n) for j in range(i + 1, n)):
        roots = set()
        for i in divmod(e, n):
            while parent[i] != i:
                i = parent[i]
            roots.add(i)
        if len(roots) == 2:
            old, young = sorted(roots, key=lambda r: (value[r, r], r))
            parent[young] = old
            if value[young, young] < v:
                pairs.append((young * n + young, e))
    return pairs


def assert_close(ours, theirs, rtol=1e-14):
    assert [c[0] for c in ours] == [c[0] for c in theirs]
    np.testing.assert_allclose(
        np.array(ours).reshape(-1, 3), np.array(theirs).reshape(-1, 3), rtol=rtol, atol=0
    )


@few
@given(n=st.integers(1, 8), seed=st.integers(0, 2**31), limit=st.sampled_from([1.0, 2.0, 3.0, INF]))
def test_equals_brute_force_with_ties(n, seed, limit):
    x = lattice_cloud(n, seed)
    d = rips_persistence(x, homology_dimensions=ALL, max_edge_length=limit)
    assert of_diagrams(d) == brute_force(euclidean(x), 2, limit)


@few
@given(n=st.integers(1, 8), seed=st.integers(0, 2**31), limit=st.sampled_from([2.0, 4.0, INF]))
def test_equals_brute_force_on_weights_and_arbitrary_distances(n, seed, limit):
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.integers(0, 6, (n, n)).astype(float), 1)  # no triangle inequality
    upper[(upper == 5.0) & (np.triu(np.ones((n, n)), 1) > 0)] = INF
    value = upper + upper.T
    options = {"homology_dimensions": ALL, "max_edge_length": limit}
    d = rips_persistence(distances=torch.from_numpy(value), **options)
    assert of_diagrams(d) == brute_force(value, 2, limit)
    w = rng.integers(-1, 3, n) / 2
    d = rips_persistence(distances=torch.from_numpy(value), weights=torch.from_numpy(w), **options)
    assert of_diagrams(d) == brute_force(weighted(value, w), 2, limit)


@pytest.mark.parametrize("limit", [INF, 1.0])
@pytest.mark.parametrize(("n", "d"), [(30, 2), (24, 3), (24, 5)])
def test_equals_gudhi(n, d, limit):
    x = torch.nn.functional.normalize(cloud(n, d, n + d), dim=1) + 0.1 * cloud(n, d, 0)
    value = squareform(pdist(x.numpy()))
    ours = of_diagrams(rips_persistence(x, homology_dimensions=ALL, max_edge_length=limit))
    assert_close(ours, gudhi_classes(value, 2, limit))
    assert any(c[0] == 2 for c in ours) or limit < INF or d != 3


def test_equals_ripser():
    ripser = pytest.importorskip("ripser").ripser
    x = cloud(60, 3, 0, torch.float32)
    theirs = ripser(x.numpy(), maxdim=1)["dgms"]
    d = rips_persistence(x, homology_dimensions=(0, 1))
    for k, rows in enumerate(theirs):
        finite = rows[np.isfinite(rows[:, 1])]
        ours = d.points[d.dimension == k].numpy()
        eps = 8 * np.finfo(np.float32).eps  # its matrix is rounded another way
        np.testing.assert_allclose(np.sort(ours, 0), np.sort(finite, 0), rtol=eps)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("n", "d"), [(2, 1), (100, 1), (200, 3), (150, 20)])
def test_h0_is_scipys_spanning_tree(n, d, dtype):
    x = cloud(n, d, n, dtype)
    tree = minimum_spanning_tree(squareform(pdist(x.double().numpy())))
    found = rips_persistence(x, homology_dimensions=(0,))
    assert found.points.dtype == dtype
    eps = torch.finfo(dtype).eps
    np.testing.assert_allclose(found.points[:, 1].numpy(), np.sort(tree.data), rtol=4 * eps)
    assert not found.points[:, 0].any()
    assert (found.birth_index == -1).all()
    assert found.essential.tolist() == [0.0]
    assert found.essential_index.tolist() == [-1]
    i, j = found.death_index // n, found.death_index % n
    assert (i < j).all()
    length = (x.double()[i] - x.double()[j]).norm(dim=1).to(dtype)
    torch.testing.assert_close(found.points[:, 1], length, rtol=4 * eps, atol=0)


@given(n=st.integers(1, 20), seed=st.integers(0, 2**31), heavy=st.booleans())
def test_ties_go_by_value_and_index(n, seed, heavy):
    x = lattice_cloud(n, seed)
    w = torch.arange(n).double() * 7 % 4 / 2 * heavy
    value = weighted(euclidean(x), w.tolist())
    options = {"homology_dimensions": (0,), "weights": w if heavy else None}
    pairs = kruskal(value)
    for d in (
        rips_persistence(x, **options),
        rips_persistence(distances=torch.from_numpy(euclidean(x)), **options),
    ):
        assert d.death_index.tolist() == [e for _, e in pairs]
        assert d.birth_index.tolist() == [b if heavy else -1 for b, _ in pairs]


@few
@given(seed=st.integers(0, 2**31))
def test_indices_are_those_of_ranks_without_ties(seed):
    n = 8
    x = lattice_cloud(n, seed)
    d = rips_persistence(x, homology_dimensions=(1, 2))
    value = euclidean(x)
    order = sorted((value[i, j], i * n + j) for i in range(n) for j in range(i + 1, n))
    rank = np.zeros((n, n))
    for k, (_, e) in enumerate(order, 1):
        rank[e // n, e % n] = rank[e % n, e // n] = k
    expected = sorted(
        (k, order[int(e) - 1], order[int(b) - 1])
        for k, b, e in brute_force(rank, 2)
        if k and order[int(b) - 1][0] < order[int(e) - 1][0]
    )
    rows = zip(d.dimension.tolist(), d.birth_index.tolist(), d.death_index.tolist(), strict=True)
    assert [(k, b, e) for k, b, e in rows] == [(k, b[1], e[1]) for k, e, b in expected]


def test_equals_giotto():
    ripser = pytest.importorskip("gph").ripser_parallel
    x = cloud(40, 3, 1, torch.float32)
    d = rips_persistence(x, homology_dimensions=(1, 2))
    theirs = ripser(x.numpy(), maxdim=2)["dgms"]
    for k in (1, 2):
        ours = d.points[d.dimension == k].numpy()
        eps = 8 * np.finfo(np.float32).eps
        np.testing.assert_allclose(np.sort(ours, 0), np.sort(theirs[k], 0), rtol=eps)


@pytest.mark.parametrize("limit", [INF, 1.2])
def test_ranks_that_float32_does_not_count(monkeypatch, limit):
    x = cloud(40, 3, 1)
    expected = rips_persistence(x, homology_dimensions=ALL, max_edge_length=limit)
    monkeypatch.setattr(_rips_engines, "COUNTED", 100)
    found = rips_persistence(x, homology_dimensions=ALL, max_edge_length=limit)
    assert_same(found, expected)
    edge = np.arange(1, 3)
    assert _rips_engines._ranks(edge, 3, True).dtype == np.float32
    monkeypatch.setattr(_rips_engines, "COUNTED", 2)
    for is_cone in (True, False):
        assert _rips_engines._ranks(edge, 3, is_cone).dtype == np.float64


def assert_same(a, b):
    for name in ("points", "dimension", "sample", "birth_index", "death_index", "essential"):
        assert torch.equal(getattr(a, name), getattr(b, name)), name
    for name in ("essential_dimension", "essential_sample", "essential_index"):
        assert torch.equal(getattr(a, name), getattr(b, name)), name
    assert a.batch_shape == b.batch_shape
    assert a.homology_dimensions == b.homology_dimensions


@pytest.mark.parametrize("dimensions", [(0,), (1,), (2, 0), (1, 0)])
def test_samples_do_not_depend_on_their_batch(dimensions):
    x = torch.stack([cloud(20, 3, k) for k in range(6)]).reshape(2, 3, 20, 3)
    d = rips_persistence(x, homology_dimensions=dimensions)
    assert d.batch_shape == (2, 3)
    for i, j in itertools.product(range(2), range(3)):
        assert_same(d[i, j], rips_persistence(x[i, j], homology_dimensions=dimensions))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert_same(d, rips_persistence(x, homology_dimensions=dimensions))
    finally:
        torch.set_num_threads(threads)


def test_lists_of_clouds_and_of_matrices():
    parts = [cloud(n, 2, n) for n in (1, 12, 3, 30)]
    w = [torch.linspace(0, 0.3, len(p), dtype=torch.float64) for p in parts]
    for heavy in (None, w):
        d = rips_persistence(parts, homology_dimensions=(0, 1), weights=heavy)
        assert d.batch_shape == (4,)
        alone = [
            rips_persistence(
                p[None], homology_dimensions=(0, 1), weights=None if heavy is None else v[None]
            )
            for p, v in zip(parts, w, strict=True)
        ]
        assert_same(d, Diagrams.cat(alone))
        matrices = [torch.from_numpy(squareform(pdist(p.numpy()))) for p in parts]
        e = rips_persistence(distances=matrices, homology_dimensions=(0, 1), weights=heavy)
        assert torch.equal(e.death_index, d.death_index)
        torch.testing.assert_close(e.points, d.points)


def test_max_edge_length_leaves_classes_essential():
    angle = torch.arange(12, dtype=torch.float64) * (2 * math.pi / 12)
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    x = torch.cat([circle, circle + 10])
    side = 2 * math.sin(math.pi / 12)
    d = rips_persistence(x, homology_dimensions=(0, 1), max_edge_length=1.0)
    assert d.essential_dimension.tolist() == [0, 0, 1, 1]
    torch.testing.assert_close(d.essential[2:], torch.tensor([side, side]).double())
    assert (d.points[:, 1] <= 1).all()
    none = rips_persistence(x, homology_dimensions=(0, 1), max_edge_length=0.0)
    assert (len(none.points), none.essential.tolist()) == (0, [0.0] * 24)
    y = torch.tensor([[0.0], [0.1]])  # the float32 nearest to 0.1 is above 0.1
    assert len(rips_persistence(y, homology_dimensions=(0,), max_edge_length=0.1).points) == 1


@pytest.mark.parametrize("box", [2.0, (2.0, 3.0)])
def test_periodic_box_is_the_nearest_image(box):
    x = 5 * cloud(25, 2, 3)  # some points outside the box
    sides = torch.tensor(box if isinstance(box, tuple) else (box, box), dtype=torch.float64)
    steps = torch.cartesian_prod(*[torch.arange(-20.0, 21.0, dtype=torch.float64)] * 2) * sides
    nearest = torch.full((25, 25), INF, dtype=torch.float64)
    for step in steps:
        nearest = torch.minimum(nearest, (x[:, None] - x + step).norm(dim=-1))
    nearest = torch.minimum(nearest, nearest.mT).fill_diagonal_(0.0)
    d = rips_persistence(x, homology_dimensions=(0, 1), periodic_box=box)
    e = rips_persistence(distances=nearest, homology_dimensions=(0, 1))
    assert torch.equal(d.death_index, e.death_index)
    torch.testing.assert_close(d.points, e.points, rtol=1e-12, atol=1e-13)


def test_a_lattice_on_the_torus_has_its_loops():
    x = torch.cartesian_prod(torch.arange(8.0), torch.arange(8.0))
    d = rips_persistence(x, homology_dimensions=ALL, max_edge_length=1.5, periodic_box=8)
    assert d.essential_dimension.tolist() == [0, 1, 1, 2]
    assert d.essential[1:3].tolist() == [1.0, 1.0]
    flat = rips_persistence(x, homology_dimensions=(1,), max_edge_length=1.5)
    assert len(flat.essential) == 0


@pytest.mark.parametrize("limit", [INF, 1.4])
def test_weights_equal_gudhis_weighted_rips_complex(limit):
    x = cloud(16, 2, 5)
    w = torch.linspace(0, 0.8, 16, dtype=torch.float64)[torch.arange(16) * 5 % 16]
    matrix = squareform(pdist(x.numpy()))
    tree = WeightedRipsComplex(
        distance_matrix=matrix, weights=w.tolist(), max_filtration=limit
    ).create_simplex_tree(max_dimension=3)
    tree.compute_persistence(homology_coeff_field=2)
    theirs = sorted(
        (k, float(b), float(e))
        for k in ALL
        for b, e in tree.persistence_intervals_in_dimension(k)
        if e - b > 1e-12
    )
    d = rips_persistence(x, homology_dimensions=ALL, weights=w, max_edge_length=limit)
    d = d.threshold(1e-12)
    assert_close(of_diagrams(d), theirs)
    v = d.birth_index[d.dimension == 0] // 16
    assert torch.equal(d.points[d.dimension == 0][:, 0], 2 * w[v])
    v = d.essential_index[d.essential_dimension == 0] // 16
    assert torch.equal(d.essential[d.essential_dimension == 0], 2 * w[v])


def everything(d):
    return torch.cat([d.points.reshape(-1), d.essential])


@pytest.mark.parametrize("box", [None, 2.5], ids=["open", "periodic"])
@pytest.mark.parametrize("limit", [INF, 0.9])
def test_gradcheck_in_points_and_weights(box, limit):
    x = torch.stack([cloud(9, 2, 11), cloud(9, 2, 12)]).requires_grad_()
    w = (0.2 * cloud(18, 1, 13).reshape(2, 9)).requires_grad_()
    options = {"homology_dimensions": (0, 1), "max_edge_length": limit, "periodic_box": box}

    def plain(x):
        return everything(rips_persistence(x, **options))

    def heavy(x, w):
        return everything(rips_persistence(x, weights=w, **options))

    assert torch.autograd.gradcheck(plain, (x,))
    assert torch.autograd.gradcheck(heavy, (x, w))
    assert torch.autograd.gradgradcheck(plain, (x,))


def test_gradcheck_in_distances_goes_to_the_upper_triangle():
    upper = torch.from_numpy(np.triu(squareform(pdist(cloud(9, 2, 4).numpy())), 1))
    upper.requires_grad_()
    w = (0.1 * cloud(9, 1, 5)[:, 0]).requires_grad_()

    def both(u, w):
        u = u.triu(1)
        lists = {"distances": [u + u.mT, 2 * (u + u.mT)], "homology_dimensions": (0, 1)}
        a, b = rips_persistence(**lists), rips_persistence(**lists, weights=[w, w])
        return torch.cat([everything(a), everything(b)])

    assert torch.autograd.gradcheck(both, (upper, w))
    full = (upper + upper.mT).detach().requires_grad_()
    d = rips_persistence(distances=full, homology_dimensions=(0, 1))
    d.lifetime.sum().backward()
    expected = torch.zeros(81, dtype=torch.float64)
    expected.index_add_(0, d.death_index, torch.ones(len(d.death_index)).double())
    born = d.birth_index[d.birth_index >= 0]
    expected.index_add_(0, born, -torch.ones(len(born)).double())
    assert torch.equal(full.grad.reshape(-1), expected)


def test_gradcheck_in_lists_of_several_sizes():
    x = cloud(18, 2, 3).requires_grad_()
    w = (0.1 * cloud(18, 1, 4)[:, 0]).requires_grad_()
    sizes = [4, 9, 5]

    def parts(x, w):
        x, w = x.split(sizes), w.split(sizes)
        matrices = [(p[:, None] - p + torch.eye(len(p))[..., None]).norm(dim=-1) for p in x]
        matrices = [m * (1 - torch.eye(len(m))) for m in matrices]
        options = {"homology_dimensions": (0, 1), "weights": w}
        a, b = rips_persistence(x, **options), rips_persistence(distances=matrices, **options)
        torch.testing.assert_close(a.points, b.points)
        return torch.cat([everything(a), everything(b)])

    assert torch.autograd.gradcheck(parts, (x, w))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_gradient_of_an_edge_that_enters_with_its_later_end(order):
    """A heavy vertex between two light ones, far apart, joins them as it enters, at 2 w."""
    order = list(order)
    m = torch.tensor([[0, 1, 9], [1, 0, 1.5], [9, 1.5, 0]], dtype=torch.float64)
    m = m[order][:, order].requires_grad_()
    w = torch.tensor([0.0, 3.0, 0.5], dtype=torch.float64)[order].requires_grad_()
    d = rips_persistence(distances=m, weights=w, homology_dimensions=(0,))
    assert d.points.tolist() == [[1.0, 6.0]]
    for value, heavy in ((d.points[:, 1], [3.0]), (d.points[:, 0], [0.5]), (d.essential, [0.0])):
        on_m, on_w = torch.autograd.grad(value.sum(), (m, w), retain_graph=True)
        assert on_w.tolist() == [2.0 * (v in heavy) for v in w.tolist()]
        assert not on_m.any()


def test_subgradient_is_zero_where_there_is_none():
    x = torch.tensor([[0.0, 0.0], [0.0, 0.0]], requires_grad=True)
    d = rips_persistence(x, homology_dimensions=(0,), weights=torch.tensor([0.0, -0.25]))
    assert d.points.tolist() == []  # the edge enters with its later end
    w = torch.tensor([0.5, 0.0], requires_grad=True)
    y = torch.tensor([[0.0, 0.0], [0.0, 0.0], [3.0, 0.0]], requires_grad=True)
    d = rips_persistence(y, homology_dimensions=(0,), weights=torch.cat([w, w[:1]]))
    (d.points.sum() + d.essential.sum()).backward()
    assert y.grad.isfinite().all()
    z = torch.tensor([[0.0, 0.0], [2.0, 1.0]], requires_grad=True)  # half a box along axis 0
    d = rips_persistence(z, homology_dimensions=(0,), periodic_box=4.0)
    d.points[:, 1].sum().backward()
    torch.testing.assert_close(z.grad, torch.tensor([[0.0, -1.0], [0.0, 1.0]]) / 5**0.5)
    c = torch.zeros(3, 2, requires_grad=True)
    d = rips_persistence(c, homology_dimensions=(0, 1))
    (d.points.sum() + d.essential.sum()).backward()
    assert not c.grad.any()


def test_values_are_exact_and_detached_where_nothing_requires_grad():
    x = cloud(50, 3, 9)
    plain = rips_persistence(x, homology_dimensions=(0, 1))
    graph = rips_persistence(x.clone().requires_grad_(), homology_dimensions=(0, 1))
    assert_same(plain, graph.detach())
    assert not plain.points.requires_grad
    assert graph.points.requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_dtype_in_is_dtype_out(dtype):
    x = cloud(30, 2, 8, dtype)
    d = rips_persistence(x.clone().requires_grad_(), homology_dimensions=(0, 1))
    exact = rips_persistence(x.double(), homology_dimensions=(0, 1))
    assert d.points.dtype == d.essential.dtype == dtype
    assert (d.lifetime > 0).all()
    kept = exact.points.to(dtype)
    kept = kept[kept[:, 0] < kept[:, 1]].detach()
    assert sorted(d.points.tolist()) == sorted(kept.tolist())
    d.lifetime.sum().backward()
    m = torch.tensor([[0.0, 1.5], [1.5, 0.0]], dtype=dtype)
    assert rips_persistence(distances=m, homology_dimensions=(0,)).points.tolist() == [[0.0, 1.5]]


def test_distances_of_torch_cdist_pass_though_rounded():
    x = cloud(60, 3, 6, torch.float32) + 3
    matrix = torch.cdist(x, x)
    assert not torch.equal(matrix, matrix.mT) or matrix.diagonal().any()
    d = rips_persistence(distances=matrix, homology_dimensions=(0, 1))
    assert torch.equal(d.points[:, 1], matrix.reshape(-1)[d.death_index])
    torch.testing.assert_close(
        d.select(0).points, rips_persistence(x, homology_dimensions=(0,)).points, atol=2e-3, rtol=0
    )
    exact = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    before = exact.clone()
    rips_persistence(distances=exact, homology_dimensions=(0, 1))
    assert torch.equal(exact, before)


def test_infinite_distances_join_nothing():
    m = torch.full((5, 5), INF).fill_diagonal_(0.0)
    m[0, 1] = m[1, 0] = 1.0
    d = rips_persistence(distances=m, homology_dimensions=ALL)
    assert d.points.tolist() == [[0.0, 1.0]]
    assert d.essential.tolist() == [0.0] * 4


@pytest.mark.parametrize("top", [1, 2])
def test_an_infeasible_size_is_refused_with_a_cut_off_that_fits(monkeypatch, top):
    x = cloud(300, 3, 1)
    x[::2] *= 0.1
    monkeypatch.setattr(_rips_engines, "_memory", lambda: 1.5e6)
    with pytest.raises(InputError, match=r"`homology_dimensions` asks for H\d of 300") as error:
        rips_persistence(x, homology_dimensions=(top,))
    message = str(error.value)
    assert "GiB" in message
    assert "\n" not in message
    cut = float(message.split("max_edge_length=")[1].split(",")[0])
    rips_persistence(x, homology_dimensions=(top,), max_edge_length=cut)
    with pytest.raises(InputError, match="max_edge_length"):
        rips_persistence(
            distances=torch.cdist(x, x), weights=x[:, 0].abs(), homology_dimensions=(top,)
        )
    rips_persistence(x, homology_dimensions=(0,))


@pytest.mark.parametrize("options", [{}, {"max_edge_length": 1.5}])
def test_large_reductions_in_a_process_of_their_own(monkeypatch, options):
    x = cloud(40, 3, 2)
    expected = rips_persistence(x, homology_dimensions=ALL, **options)
    monkeypatch.setattr(_rips_engines, "GUARDED", 100)
    found = rips_persistence(x, homology_dimensions=ALL, **options)
    assert torch.equal(found.points, expected.points)
    assert torch.equal(found.death_index, expected.death_index)


def test_a_reduction_that_does_not_fit_is_refused_with_a_cut_off(monkeypatch):
    """With so few triangles that it fits."""
    x = torch.nn.functional.normalize(cloud(150, 3, 2), dim=1)
    monkeypatch.setattr(_rips_engines, "GUARDED", 5000)
    monkeypatch.setattr(_rips_engines, "_free_memory", lambda: -1e8)  # less than it starts with
    with pytest.raises(InputError, match=r"asks for H2 of 150 points, whose reduction") as error:
        rips_persistence(x, homology_dimensions=(2,))
    assert "\n" not in str(error.value)
    cut = float(str(error.value).split("max_edge_length=")[1].split(",")[0])
    joined = np.triu(squareform(pdist(x.numpy())) <= cut, 1).astype(float)
    assert 4500 < np.einsum("ij,jk,ik->", joined, joined, joined) < 5100  # triangles


def test_a_large_reduction_is_killed(monkeypatch):
    """Nothing is left running; a process that fails for another reason says so."""
    stop = np.ones(1, np.uint8)
    full = np.ones((4, 4), np.float32)
    with pytest.raises(InterruptedError):
        bounded_ripser(full, 2, 2**30, stop)
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(RuntimeError, match="Ripser ended with code 1"):
        bounded_ripser(full, 2, 2**30, np.zeros(1, np.uint8))


def test_a_hopeless_size_is_refused_at_once():
    with pytest.raises(InputError, match="1000000 points"):
        rips_persistence(torch.zeros(10**6, 1), homology_dimensions=(1,))


LONG = """
import sys, time
import torch
from topoml.homology import rips_persistence

n, d, batch, threads, options = eval(sys.argv[1])
torch.set_num_threads(threads)
rips_persistence(torch.randn(2, 20, d), **options)  # compiled
x = torch.randn(batch, n, d, generator=torch.Generator().manual_seed(0))
x = torch.nn.functional.normalize(x, dim=-1) + 0.05 * x
print("ready", flush=True)
try:
    rips_persistence(x, **options)
except KeyboardInterrupt:
    print("heard", time.time(), flush=True)
"""


@pytest.mark.parametrize(
    ("n", "d", "batch", "threads", "options"),
    [
        pytest.param(150_000, 3, 1, 1, {"homology_dimensions": (0,)}, id="tree"),
        pytest.param(2000, 2, 1, 1, {"homology_dimensions": (1,)}, id="gudhi"),
        pytest.param(500, 3, 6, 2, {"homology_dimensions": (0, 2)}, id="2 x gudhi", marks=SLOW),
        pytest.param(
            80_000,
            3,
            1,
            1,
            {"homology_dimensions": (1,), "max_edge_length": 1e-3},
            id="edges",
            marks=SLOW,
        ),
    ],
)
def test_ctrl_c_is_heard_within_a_second(n, d, batch, threads, options):
    command = [sys.executable, "-c", LONG, repr((n, d, batch, threads, options))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)  # it is at work
        sent = time.time()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        ended = time.time()
    finally:
        process.kill()
        process.wait()
    word, heard = out.split()
    assert word == "heard"
    assert process.returncode == 0
    assert float(heard) - sent < 1
    assert ended - sent < 20  # the interpreter does not wait for the engine


X = cloud(4, 2, 0)
M = torch.from_numpy(squareform(pdist(X.numpy())))


def changed(i, j, value):
    m = M.clone()
    m[i, j] = value
    return m


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "`points`, `distances` are None; expected exactly one"),
        ({"points": X, "distances": M}, "`points`, `distances` are both given"),
        ({"points": X.numpy()}, "`points` is ndarray; expected a torch.Tensor"),
        ({"points": X.long()}, "`points` has dtype torch.int64"),
        ({"points": X[0]}, r"`points` has shape \(2,\); expected \(\*batch, n, d\)"),
        ({"points": X[:0]}, "no entry at all"),
        ({"points": []}, "`points` is an empty list"),
        ({"points": [X, X[0]]}, r"`points\[1\]` has shape \(2,\)"),
        ({"points": [X, X[None]]}, r"`points\[1\]` has shape \(1, 4, 2\)"),
        ({"points": [X, X[:, :1]]}, r"`points\[1\]` has shape \(4, 1\).* d = 2"),
        ({"points": [X, X.float()]}, r"`points\[1\]` is torch.float32"),
        ({"points": X * math.nan}, r"`points` is nan at \(0, 0\)"),
        ({"points": X * INF}, r"`points` is -?inf at \(0, 0\)"),
        ({"distances": M[:3]}, r"`distances` has shape \(3, 4\); .* square"),
        ({"distances": changed(0, 1, math.nan)}, r"`distances` is NaN at \(0, 1\) of sample 0"),
        ({"distances": [M, changed(2, 1, -1.0)]}, r"is -1.0 at \(2, 1\) of sample 1; .* >= 0"),
        ({"distances": changed(2, 1, 9.0)}, r"\(1, 2\) and 9.0 at \(2, 1\).* symmetric"),
        ({"distances": changed(2, 1, INF)}, r"\(1, 2\) and inf at \(2, 1\).* symmetric"),
        ({"distances": changed(2, 2, 1.0)}, r"is 1.0 at \(2, 2\).* zeros on the diagonal"),
        ({"distances": M, "periodic_box": 1.0}, "`periodic_box` is .* expected None"),
        ({"points": X, "periodic_box": 0.0}, "`periodic_box` is 0.0; expected a positive"),
        ({"points": X, "periodic_box": ()}, r"`periodic_box` is \(\)"),
        ({"points": X, "periodic_box": (1.0, True)}, "`periodic_box` is"),
        ({"points": X, "periodic_box": (1.0, 1.0, 1.0)}, "expected a length, or 2 of them"),
        ({"points": X, "max_edge_length": -1.0}, "`max_edge_length` is -1.0"),
        ({"points": X, "max_edge_length": math.nan}, "`max_edge_length` is nan"),
        ({"points": X, "max_edge_length": "1"}, "`max_edge_length` is '1'"),
        ({"points": X, "homology_dimensions": (3,)}, "`homology_dimensions` is"),
        ({"points": X, "weights": X[:3, 0]}, r"`weights` is \(\(3,\).*expected \(\(4,\)"),
        ({"points": X, "weights": X[:, 0].float()}, "`weights` is .*float32"),
        ({"points": [X, X], "weights": [X[:, 0]]}, "`weights` is 1 tensors; expected 2"),
        ({"points": X, "weights": X[:, 0] * INF}, "`weights` is -?inf"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(InputError, match=message) as error:
        rips_persistence(**{"homology_dimensions": (0, 1), **options})
    assert "\n" not in str(error.value)


@given(n_all=st.integers(1, 20), seed=st.integers(0, 2**31), ties=st.booleans())
def test_farthest_points_by_the_definition(n_all, seed, ties):
    x = lattice_cloud(n_all, seed) if ties else cloud(n_all, 3, seed)
    d = euclidean(x)
    n = (n_all + 1) // 2
    chosen = farthest_points(x, n).tolist()
    assert chosen[0] == 0
    assert len(set(chosen)) == n
    for k in range(1, n):
        gap = d[:, chosen[:k]].min(1)
        assert gap[chosen[k]] == pytest.approx(gap.max())
    g = torch.Generator().manual_seed(seed)
    again = torch.Generator().manual_seed(seed)
    batch = torch.stack([x, x.flip(0)])
    drawn = farthest_points(batch, n, generator=g)
    assert drawn.shape == (2, n)
    assert torch.equal(drawn, farthest_points(batch, n, generator=again))
    assert torch.equal(farthest_points(batch, n)[1], farthest_points(x.flip(0), n))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X, 0), "`n` is 0; expected an integer from 1 to 4"),
        ((X, 5), "`n` is 5"),
        ((X, 2.0), "`n` is 2.0"),
        ((X * math.nan, 2), "`points` has a NaN"),
        ((X[0], 1), "`points` has shape"),
    ],
)
def test_farthest_points_mistakes(arguments, message):
    with pytest.raises(InputError, match=message):
        farthest_points(*arguments)
