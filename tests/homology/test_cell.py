"""cell_persistence against gudhi's doubled grid and against boundary matrices."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.homology import cell_persistence

from .oracles import doubled_grid, lattice_cells, of_diagrams, reduce_boundary

ALL = (0, 1, 2)


@st.composite
def filtrations(draw, max_side=5):
    """Vertices, edges and faces, each at least its boundary, with many ties."""
    h, w = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    levels = draw(st.integers(1, 6))

    def values(*shape):
        x = rng.integers(0, levels, shape).astype(float) if levels < 6 else rng.random(shape)
        return np.where(rng.random(shape) < 0.05, np.inf, x) if levels == 4 else x

    vertex, edge, face = values(h, w), values(2, h, w), values(h, w)
    edge[0] = np.max([edge[0], vertex, np.roll(vertex, -1, 0)], axis=0)
    edge[1] = np.max([edge[1], vertex, np.roll(vertex, -1, 1)], axis=0)
    return vertex, edge, np.maximum(face, largest_edge(edge))


def largest_edge(edge):
    return np.max([edge[0], np.roll(edge[0], -1, 1), edge[1], np.roll(edge[1], -1, 0)], axis=0)


periods = st.tuples(st.booleans(), st.booleans())


def diagrams(vertex, edge, face, periodic, dimensions=ALL):
    parts = [None if x is None else torch.from_numpy(x) for x in (vertex, edge, face)]
    return cell_persistence(*parts, homology_dimensions=dimensions, periodic=periodic)


@given(filtrations(), periods)
def test_equals_boundary_matrix(filtration, periodic):
    d = diagrams(*filtration, periodic)
    assert of_diagrams(d) == reduce_boundary(*lattice_cells(*filtration, periodic))


@given(filtrations(), periods, st.booleans(), st.booleans())
def test_absent_vertices_and_faces(filtration, periodic, with_vertex, with_face):
    vertex, edge, face = filtration
    d = diagrams(vertex if with_vertex else None, edge, face if with_face else None, periodic)
    vertex = vertex if with_vertex else np.zeros_like(vertex)
    face = face if with_face else largest_edge(edge)
    assert of_diagrams(d) == reduce_boundary(*lattice_cells(vertex, edge, face, periodic))


@given(filtrations(9), periods)
def test_bonds_equal_gudhi_on_the_doubled_grid(filtration, periodic):
    edge = filtration[1]
    assert of_diagrams(diagrams(None, edge, None, periodic)) == doubled_grid(edge, periodic)


@given(filtrations(), periods)
def test_indices_count_through_vertex_edge_face(filtration, periodic):
    vertex, edge, face = filtration
    d = diagrams(vertex, edge, face, periodic)
    flat = torch.from_numpy(np.concatenate([vertex.ravel(), edge.ravel(), face.ravel()]))
    assert torch.equal(flat[torch.stack([d.birth_index, d.death_index], 1)], d.points)
    assert torch.equal(flat[d.essential_index], d.essential)
    n = vertex.size
    for k, (low, high) in enumerate([(0, n), (n, 3 * n), (3 * n, 4 * n)]):
        births = d.birth_index[d.dimension == k]
        assert ((births >= low) & (births < high)).all()
        births = d.essential_index[d.essential_dimension == k]
        assert ((births >= low) & (births < high)).all()


@given(filtrations(), periods)
def test_a_face_without_value_is_its_largest_edge(filtration, periodic):
    """The death of a loop is an edge of the face, the lowest entry among the largest."""
    edge = filtration[1]
    h, w = edge.shape[1:]
    d = diagrams(None, edge, None, periodic)
    flat = torch.from_numpy(edge.ravel())
    deaths = d.death_index[d.dimension >= 1].tolist()
    allowed = set()
    for i in range(h):
        for j in range(w):
            sides = [i * w + j, i * w + (j + 1) % w, h * w + i * w + j,
                     h * w + (i + 1) % h * w + j]  # fmt: skip
            top = max(edge.ravel()[sides])
            allowed.add(min(s for s in sides if edge.ravel()[s] == top))
    assert set(deaths) <= allowed
    assert torch.equal(flat[d.death_index], d.points[:, 1])
    assert (d.birth_index[d.dimension == 0] == -1).all()
    assert (d.essential_index[d.essential_dimension == 0] == -1).all()


def test_entries_beyond_an_open_boundary_are_ignored():
    rng = np.random.default_rng(0)
    edge = rng.random((3, 2, 4, 5))
    changed = edge.copy()
    changed[:, 0, -1] = -7.0
    changed[:, 1, :, -1] = np.nan
    face = np.full((3, 4, 5), 2.0)
    other = face.copy()
    other[:, -1] = -1.0
    other[:, :, -1] = np.nan
    a, b = diagrams(None, edge, face, False), diagrams(None, changed, other, False)
    assert torch.equal(a.points, b.points)
    assert torch.equal(a.death_index, b.death_index)


def test_gradcheck():
    g = torch.Generator().manual_seed(0)
    vertex = torch.rand(2, 3, 4, dtype=torch.float64, generator=g)
    edge = 1 + torch.rand(2, 2, 3, 4, dtype=torch.float64, generator=g)
    face = 2 + torch.rand(2, 3, 4, dtype=torch.float64, generator=g)

    def values(*parts):
        d = cell_persistence(*parts, homology_dimensions=ALL)
        return d.points, d.essential

    parts = [x.requires_grad_() for x in (vertex, edge, face)]
    assert torch.autograd.gradcheck(values, parts)
    assert torch.autograd.gradcheck(lambda e: values(None, e, None), (edge,))


EDGE = torch.ones(2, 2, 3, 3)
LOW = torch.zeros(2, 3, 3)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((None, torch.ones(2, 3, 3, 3)), r"`edge` has shape \(2, 3, 3, 3\); expected"),
        ((LOW[0], EDGE), r"`vertex` has shape \(3, 3\), torch.float32, cpu; expected \(2, 3, 3\)"),
        ((LOW.double(), EDGE), r"`vertex` has shape \(2, 3, 3\), torch.float64"),
        ((LOW.long(), EDGE), r"`vertex` has dtype torch.int64"),
        ((2 + LOW, EDGE), r"`edge\[0\]` is 1.0 at \(0, 0, 0\), below its `vertex` of 2.0"),
        ((None, -EDGE), r"`edge\[0\]` is -1.0 at \(0, 0, 0\), below its `vertex` of 0.0"),
        ((LOW, EDGE, LOW), r"`face` is 0.0 at \(0, 0, 0\), below its `edge\[0\]` of 1.0"),
        ((None, EDGE * float("nan")), r"`edge` is NaN at \(0, 0, 0, 0\)"),
        ((None, EDGE.long()), r"`edge` has dtype torch.int64"),
    ],
)
def test_bad_input(parts, message):
    with pytest.raises(InputError, match="^" + message) as error:
        cell_persistence(*parts, homology_dimensions=(0, 1))
    assert "\n" not in str(error.value)
