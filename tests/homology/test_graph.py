"""Persistence of graphs: against boundary matrices, gudhi, and definitions by ranks."""

import gudhi
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.homology import graph_persistence
from topoml.homology.graph import graph_pairs

from .oracles import INF, of_diagrams, reduce_boundary

BOTH = {"homology_dimensions": (0, 1)}


@st.composite
def graphs(draw):
    """Few small integers, so many ties; loops and edges listed twice, in any direction."""
    n = draw(st.integers(1, 7))
    node = st.integers(0, n - 1)
    edges = draw(st.lists(st.tuples(node, node), max_size=14))
    vertex = draw(st.lists(st.integers(-2, 3), min_size=n, max_size=n))
    return torch.tensor(vertex, dtype=torch.float64), torch.tensor(edges).reshape(-1, 2).T.long()


def simple(edges):
    return sorted({(min(e), max(e)) for e in edges.T.tolist() if e[0] != e[1]})


def rising(vertex, edges, seed=0):
    """Values of edges, from the later end upwards, the same for all listings of one edge."""
    generator = torch.Generator().manual_seed(seed)
    extra = torch.randint(0, 3, (8, 8), generator=generator)
    lower, upper = edges.amin(0), edges.amax(0)
    return vertex[edges].amax(0) + extra[lower, upper]


def matrix(vertex, edges, value_of):
    cells = [(v, 0, (i,)) for i, v in enumerate(vertex.tolist())]
    cells += [(value_of[e], 1, e) for e in simple(edges)]
    cells.sort(key=lambda c: c[:2])
    number = {c[2]: k for k, c in enumerate(cells)}
    boundary = [[number[(i,)] for i in c[2]] if c[1] else [] for c in cells]
    return reduce_boundary([c[:2] for c in cells], boundary)


def values_of(edges, edge):
    return {(min(e), max(e)): v for e, v in zip(edges.T.tolist(), edge.tolist(), strict=True)}


@given(graphs())
def test_lower_star(graph):
    vertex, edges = graph
    expected = matrix(vertex, edges, values_of(edges, vertex[edges].amax(0)))
    assert of_diagrams(graph_persistence(vertex, edges, **BOTH)) == expected


@given(graphs(), st.integers(0, 5))
def test_edge_values(graph, seed):
    vertex, edges = graph
    edge = rising(vertex, edges, seed)
    d = graph_persistence(vertex, edges, edge=edge, **BOTH)
    assert of_diagrams(d) == matrix(vertex, edges, values_of(edges, edge))
    values = torch.cat([vertex, edge])
    assert torch.equal(torch.stack([values[d.birth_index], values[d.death_index]], 1), d.points)
    assert torch.equal(values[d.essential_index], d.essential)
    assert (d.death_index >= len(vertex)).all()


def test_the_test_sees_a_missing_edge():
    vertex, edges = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([[0, 1, 2], [1, 2, 0]])
    expected = matrix(vertex, edges, values_of(edges, vertex[edges].amax(0)))
    assert of_diagrams(graph_persistence(vertex, edges[:, :2], **BOTH)) != expected


def rank(columns):
    """Over Z/2."""
    pivots = {}
    for column in columns:
        rest = set(column)
        while rest and max(rest) in pivots:
            rest ^= pivots[max(rest)]
        if rest:
            pivots[max(rest)] = rest
    return len(pivots)


def extended_by_definition(vertex, edges):
    """Reduction of the boundary matrix of the cone: all simplices upwards, then their cones.

    Ties as in the definition with a perturbed function: by (value, node).
    """
    n = len(vertex)
    place = {v: k for k, v in enumerate(sorted(range(n), key=lambda i: (vertex[i], i)))}
    sides = [((i,), []) for i in range(n)] + [(e, [(e[0],), (e[1],)]) for e in simple(edges)]
    upwards = sorted(sides, key=lambda s: (max(place[v] for v in s[0]), len(s[0])))
    downwards = sorted(sides, key=lambda s: (-min(place[v] for v in s[0]), len(s[0])))
    cells, boundary = [((), "apex", 0)], [[]]
    number = {"apex": 0}
    for simplex, faces in upwards:
        at = max(simplex, key=place.get)
        number[simplex] = len(cells)
        cells.append((simplex, "up", vertex[at]))
        boundary.append([number[f] for f in faces])
    for simplex, faces in downwards:
        at = min(simplex, key=place.get)
        number["cone", simplex] = len(cells)
        cells.append((simplex, "down", vertex[at]))
        coned = [number["cone", f] for f in faces] if faces else [0]
        boundary.append([number[simplex], *coned])
    pivots, found = {}, []
    for j, part in enumerate(boundary):
        column = set(part)
        while column and max(column) in pivots:
            column ^= pivots[max(column)]
        if not column:
            continue
        i = max(column)
        pivots[i] = column
        (born, way, b), (_, other, d) = cells[i], cells[j]
        dimension = len(born) - 1 + (way == "down")
        if way != other or b != d:  # of the extended classes, those of length zero too
            found.append((dimension, way != other, float(b), float(d)))
    return sorted(found)


@given(graphs())
@settings(max_examples=200)
def test_extended(graph):
    vertex, edges = graph
    d = graph_persistence(vertex, edges, extended=True, **BOTH)
    betti = of_diagrams(graph_persistence(vertex, edges, **BOTH))
    betti = [sum(x[0] == k and x[2] == INF for x in betti) for k in (0, 1)]
    found = []
    for k in (0, 1):
        points = d.points[d.dimension == k].tolist()
        rest = len(points) - betti[k]
        assert rest >= 0
        found += [(k, i >= rest, *p) for i, p in enumerate(points)]  # the extended ones come last
    assert sorted(found) == extended_by_definition(vertex.tolist(), edges)
    assert not len(d.essential)
    values = torch.stack([vertex[d.birth_index], vertex[d.death_index]], 1)
    assert torch.equal(values, d.points)
    lengths = [abs(death - birth) for birth, death in d.points.tolist()]
    assert d.lifetime.tolist() == lengths
    kept = d.threshold(1.0)
    assert kept.lifetime.tolist() == [length for length in lengths if length > 1]
    assert kept.dimension.tolist() == [
        int(k) for k, length in zip(d.dimension, lengths, strict=True) if length > 1
    ]


@pytest.mark.parametrize("seed", range(20))
def test_extended_as_gudhi(seed):
    rng = np.random.default_rng(seed)
    vertex = torch.tensor(rng.normal(size=25))
    edges = torch.tensor(rng.integers(0, 25, (2, 40)))
    tree = gudhi.SimplexTree()
    for e in [*((i,) for i in range(25)), *simple(edges)]:
        tree.insert(e, 0.0)
    for i, v in enumerate(vertex.tolist()):
        tree.assign_filtration([i], v)
    tree.make_filtration_non_decreasing()
    tree.extend_filtration()
    kinds = tree.extended_persistence(homology_coeff_field=2, min_persistence=-1.0)
    theirs = sorted(
        (dim, *point)
        for i, kind in enumerate(kinds)
        for dim, point in kind
        if i > 1 or abs(point[0] - point[1]) > 1e-9  # not ordinary nor relative ones of no length
    )
    d = graph_persistence(vertex, edges, extended=True, **BOTH)
    ours = sorted((int(k), *p) for k, p in zip(d.dimension, d.points.tolist(), strict=True))
    # gudhi scales the values to [-2, -1] and back: some roundings of 10.
    np.testing.assert_allclose(ours, theirs, atol=1e-13)


def test_extended_of_large_cycles():
    """A wheel of three cycles: trees are turned and edges driven out many times."""
    n = 3000
    rng = np.random.default_rng(0)
    order = rng.permutation(n)
    edges = np.concatenate([np.stack([order, np.roll(order, 1)]), rng.integers(0, n, (2, n))], 1)
    vertex = torch.tensor(rng.normal(size=n))
    edges = torch.tensor(edges)
    d = graph_persistence(vertex, edges, homology_dimensions=(1,), extended=True)
    cycles = graph_persistence(vertex, edges, homology_dimensions=(1,)).essential
    # The births of extended- are those of the cycles, upwards and (by symmetry) downwards.
    last = d.points[len(d.points) - len(cycles) :]
    assert torch.equal(last[:, 0].sort().values, cycles.sort().values)
    down = graph_persistence(-vertex, edges, homology_dimensions=(1,)).essential
    assert torch.equal(last[:, 1].sort().values, (-down).sort().values)


def test_extended_direction():
    vertex, edges = torch.tensor([2.0, 0.0, 1.0]), torch.tensor([[0, 1, 2], [1, 2, 0]])
    one = graph_persistence(vertex, edges, homology_dimensions=(1,), extended=True)
    assert one.superlevel
    assert one.lifetime.tolist() == [2.0]
    both = graph_persistence(vertex.requires_grad_(), edges, extended=True, **BOTH)
    assert not both.superlevel
    assert both.lifetime.tolist() == [2.0, 2.0]
    (grad,) = torch.autograd.grad(both.lifetime.sum(), vertex)
    assert grad.tolist() == [2.0, -2.0, 0.0]
    vertex = vertex.detach()
    assert not graph_persistence(vertex, edges, homology_dimensions=(1,)).superlevel


MODES = ["lower star", "edge", "extended"]


def options(mode, vertex, edges):
    edge = rising(vertex, edges % 8) if mode == "edge" else None
    if edge is not None:
        edge = torch.maximum(edge, vertex[edges].amax(0))
    return BOTH | {"edge": edge, "extended": mode == "extended"}


@pytest.mark.parametrize("mode", MODES)
@given(st.lists(graphs(), min_size=1, max_size=4))
@settings(max_examples=30)
def test_batch(mode, parts):
    """A graph's classes do not depend on its batch-mates; the indices are shifted."""
    first = np.cumsum([0, *(len(v) for v, _ in parts)])
    first_edge = np.cumsum([0, *(e.shape[1] for _, e in parts)])
    vertex = torch.cat([v for v, _ in parts])
    edges = torch.cat([e + int(s) for (_, e), s in zip(parts, first, strict=False)], 1)
    batch = torch.cat([torch.full((len(v),), i) for i, (v, _) in enumerate(parts)])
    per_part = [options(mode, v, e) for v, e in parts]
    together = BOTH | {"extended": mode == "extended"}
    if mode == "edge":
        together["edge"] = torch.cat([o["edge"] for o in per_part])
    d = graph_persistence(vertex, edges, batch=batch, **together)
    assert d.batch_shape == (len(parts),)
    for i, ((v, e), o) in enumerate(zip(parts, per_part, strict=True)):
        alone = graph_persistence(v, e, **o)
        assert torch.equal(d[i].points, alone.points)
        assert torch.equal(d[i].dimension, alone.dimension)
        assert torch.equal(d[i].essential, alone.essential)
        assert torch.equal(d[i].essential_dimension, alone.essential_dimension)
        here = d[i].birth_index
        shift = torch.where(here < len(vertex), int(first[i]), len(vertex) + int(first_edge[i]))
        local = here - shift + torch.where(here < len(vertex), 0, len(v))
        assert torch.equal(local, alone.birth_index)


def test_missing_graphs():
    vertex, edges = torch.tensor([1.0, 2.0]), torch.empty(2, 0, dtype=torch.int64)
    d = graph_persistence(vertex, edges, batch=torch.tensor([1, 3]), **BOTH)
    assert d.batch_shape == (4,)
    assert d.essential_sample.tolist() == [1, 3]


EDGES = torch.tensor([[0, 1, 2, 3, 0, 4, 1, 5], [1, 2, 3, 0, 2, 5, 0, 5]])
VERTEX = torch.tensor([0.3, 1.7, -0.4, 2.2, 0.9, 1.1], dtype=torch.float64)


@pytest.mark.parametrize("mode", MODES)
def test_gradient(mode):
    vertex = VERTEX.clone().requires_grad_()
    keep = options(mode, VERTEX, EDGES) | {"batch": torch.tensor([0, 0, 0, 0, 1, 1])}
    if mode == "edge":
        edge = (VERTEX[EDGES].amax(0) + torch.arange(8) / 8 + 0.1)[[0, 1, 2, 3, 4, 5, 0, 7]]

    def values(vertex, free=None):
        if free is not None:  # the two listings of one edge move together
            keep["edge"] = free[[0, 1, 2, 3, 4, 5, 0, 7]]
        d = graph_persistence(vertex, EDGES, **keep)
        return d.points, d.essential

    given = (vertex, edge.requires_grad_()) if mode == "edge" else (vertex,)
    assert torch.autograd.gradcheck(values, given)
    assert torch.autograd.gradgradcheck(values, given)


def test_gradient_goes_to_the_first_listing():
    vertex = torch.zeros(2)
    edge = torch.ones(3, requires_grad=True)
    edges = torch.tensor([[0, 1, 0], [0, 0, 1]])
    graph_persistence(vertex, edges, edge=edge, **BOTH).points.sum().backward()
    assert edge.grad.tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("mode", MODES)
def test_dtypes(dtype, mode):
    vertex = VERTEX.to(dtype).requires_grad_()
    keep = options(mode, vertex.detach(), EDGES[:, :6])
    d = graph_persistence(vertex, EDGES[:, :6], **keep)
    keep["edge"] = None if keep["edge"] is None else keep["edge"].double()
    expected = graph_persistence(vertex.detach().double(), EDGES[:, :6], **keep)
    assert d.points.dtype == d.essential.dtype == dtype
    assert torch.equal(d.points.double(), expected.points)
    d.points.sum().backward()
    assert vertex.grad.dtype == dtype


def test_infinite_values():
    vertex = torch.tensor([0.0, INF, 1.0, -INF])
    edges = torch.tensor([[0, 1, 2, 2], [1, 2, 0, 3]])
    d = graph_persistence(vertex, edges, **BOTH)  # without node 1, a path
    assert of_diagrams(d) == [(0, -INF, INF), (0, 0.0, 1.0)]
    edge = torch.tensor([INF, INF, INF, 1.0])
    d = graph_persistence(vertex, edges, edge=edge, **BOTH)
    assert d.essential.tolist() == [0.0, -INF]
    assert not len(d.points)


@pytest.mark.parametrize("mode", MODES)
def test_operator(mode):
    keep = options(mode, VERTEX, EDGES)
    values = VERTEX if keep["edge"] is None else torch.cat([VERTEX, keep["edge"]])
    values = values.clone().requires_grad_()
    batch = torch.tensor([0, 0, 0, 0, 1, 1])
    torch.library.opcheck(graph_pairs, (values, 6, EDGES, batch, [0, 1], mode == "extended"))


@pytest.mark.slow
@pytest.mark.parametrize("extended", [False, True])
def test_compiled(extended):
    """In one piece, also with a batch."""
    vertex = VERTEX.clone().requires_grad_()

    def loss(vertex, edges, batch):
        d = graph_persistence(vertex, edges, batch=batch, extended=extended, **BOTH)
        return (d.points**2).sum() + d.essential.sum() + d.sample.sum()

    given = (vertex, EDGES, torch.tensor([0, 0, 0, 0, 1, 1]))
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    assert compiled(*given) == loss(*given)
    (theirs,) = torch.autograd.grad(compiled(*given), vertex)
    (ours,) = torch.autograd.grad(loss(*given), vertex)
    assert torch.equal(ours, theirs)


NODE, ONE = torch.zeros(3), torch.tensor([[0], [1]])


@pytest.mark.parametrize(
    ("vertex", "edges", "keep", "message"),
    [
        ([0.0], ONE, {}, "`vertex` is list; expected a torch.Tensor"),
        (NODE.long(), ONE, {}, "`vertex` has dtype torch.int64"),
        (NODE[:0], ONE, {}, "`vertex` has shape .0,., no entry"),
        (NODE[:, None], ONE, {}, "`vertex` has shape .3, 1.; expected .V,."),
        (NODE / 0, ONE, {}, "`vertex` is NaN at 0"),
        (NODE, [[0], [1]], {}, "`edges` is list"),
        (NODE, ONE.int(), {}, "`edges` has shape .2, 1., torch.int32"),
        (NODE, ONE.T, {}, "`edges` has shape .1, 2."),
        (NODE, ONE[0], {}, "`edges` has shape .1,."),
        (NODE, ONE + 2, {}, r"`edges` is \(2, 3\) at \[:, 0\]; expected entries from 0 to 2"),
        (NODE, ONE - 1, {}, r"`edges` is \(-1, 0\)"),
        (NODE, ONE, {"edge": torch.ones(2)}, "`edge` has shape .2,."),
        (NODE, ONE, {"edge": torch.ones(1).double()}, "`edge` has shape .1,., torch.float64"),
        (NODE, ONE, {"edge": 1.0}, "`edge` is float"),
        (NODE, ONE, {"edge": torch.tensor([float("nan")])}, "`edge` is NaN at 0"),
        (NODE, ONE, {"edge": torch.tensor([-1.0])}, "`edge` is -1.0 at 0, below 0.0"),
        (NODE, ONE, {"edge": torch.ones(1), "extended": True}, "`edge` is given with extended"),
        (NODE, torch.tensor([[0, 1], [1, 0]]), {"edge": torch.tensor([1.0, 2.0])},
         "`edge` is 1.0 at 0 and 2.0 at 1, two listings of the edge between 1 and 0"),
        (NODE, ONE, {"batch": torch.zeros(2).long()}, "`batch` has shape .2,."),
        (NODE, ONE, {"batch": [0, 0, 0]}, "`batch` is list"),
        (NODE, ONE, {"batch": torch.tensor([0, 1, 0])}, "`batch` is negative or not sorted"),
        (NODE, ONE, {"batch": torch.tensor([-1, 0, 0])}, "`batch` is negative or not sorted"),
        (NODE, ONE, {"batch": torch.tensor([0, 1, 1])}, r"nodes of the graphs \(0, 1\)"),
        (NODE + INF, ONE, {"extended": True}, "`vertex` is inf at 0; expected finite"),
        (NODE, ONE, {"extended": 1}, "`extended` is 1"),
        (NODE, ONE, {"homology_dimensions": (2,)}, "`homology_dimensions` is"),
    ],
)  # fmt: skip
def test_errors(vertex, edges, keep, message):
    with pytest.raises(InputError, match=message) as error:
        graph_persistence(vertex, edges, **BOTH | keep)
    assert "\n" not in str(error.value)
