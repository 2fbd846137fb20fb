"""cell_persistence and field_persistence in three dimensions, against boundary matrices."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.homology import cell_persistence, cubical_persistence, field_persistence
from topoml.lie import Circle, Sphere

from .oracles import of_diagrams, reduce_boundary

ALL = {"homology_dimensions": (0, 1, 2, 3), "spatial_dims": 3}
AXES = [axes for k in range(4) for axes in itertools.combinations(range(3), k)]


def sides(corner, axes, shape):
    """Facets of a cell, one that is glued to itself twice."""
    for a in axes:
        rest = tuple(b for b in axes if b != a)
        yield corner, rest
        yield (
            tuple((c + (b == a)) % n for b, (c, n) in enumerate(zip(corner, shape, strict=True))),
            rest,
        )


def matrix(value, periodic):
    """Boundary matrix of the cells (axes -> array) that exist."""
    shape = value[()].shape
    cells = {}
    for corner in np.ndindex(shape):
        for axes in AXES:
            if all(corner[a] + 1 < shape[a] or periodic[a] for a in axes):
                cells[corner, axes] = value[axes][corner]
    order = sorted(cells, key=lambda c: (cells[c], len(c[1])))
    number = {c: i for i, c in enumerate(order)}
    return (
        [(cells[c], len(c[1])) for c in order],
        [[number[s] for s in sides(*c, shape)] for c in order],
    )


def upwards(lowest, rise, shape):
    """A filtration: each cell at the largest of its sides plus some of ``rise`` (axes -> array)."""
    value = {(): lowest}
    for axes in AXES[1:]:
        value[axes] = np.empty(shape)
        for corner in np.ndindex(shape):
            value[axes][corner] = rise[axes][corner] + max(
                value[rest][at] for at, rest in sides(corner, axes, shape)
            )
    return value


def tensors(value):
    parts = [[axes for axes in AXES if len(axes) == k] for k in range(4)]
    stacks = [np.stack([value[axes] for axes in part]) for part in parts]
    return [torch.from_numpy(x[0] if len(x) == 1 else x) for x in stacks]


@st.composite
def filtrations(draw, longest=3):
    shape = tuple(draw(st.integers(1, longest)) for _ in range(3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    steps = draw(st.sampled_from([2, 4, 100]))
    rise = {axes: rng.integers(0, steps, shape).astype(float) for axes in AXES}
    return rise[()], rise, shape


periods = st.tuples(st.booleans(), st.booleans(), st.booleans())


@settings(max_examples=60)
@given(filtrations(), periods)
def test_explicit_cells(filtration, periodic):
    """Periods of 1 and 2 included; every value is somebody's entry."""
    value = upwards(*filtration)
    cells = tensors(value)
    d = cell_persistence(*cells, periodic=periodic, **ALL)
    assert of_diagrams(d) == reduce_boundary(*matrix(value, periodic))
    flat = torch.cat([x.reshape(-1) for x in cells])
    assert torch.equal(flat[torch.stack([d.birth_index, d.death_index], 1)], d.points)
    assert torch.equal(flat[d.essential_index], d.essential)


@settings(max_examples=60)
@given(filtrations(), periods, st.booleans(), st.booleans())
def test_cells_that_are_left_out(filtration, periodic, with_vertex, with_face):
    """None: vertices at 0, faces and cubes with the largest of their sides."""
    lowest, rise, shape = filtration
    nothing = np.zeros(shape)
    rise = {
        a: r if len(a) == 1 or (with_face and len(a) == 2) else nothing for a, r in rise.items()
    }
    value = upwards(lowest if with_vertex else nothing, rise, shape)
    vertex, edge, face, _ = tensors(value)
    d = cell_persistence(
        vertex if with_vertex else None, edge, face if with_face else None, periodic=periodic, **ALL
    )
    assert of_diagrams(d) == reduce_boundary(*matrix(value, periodic))
    given = [vertex] * with_vertex + [edge] + [face] * with_face
    flat = torch.cat([x.reshape(-1) for x in given])
    held = d.birth_index >= 0
    assert torch.equal(flat[d.birth_index[held]], d.points[held, 0])
    assert (d.points[~held, 0] == 0).all()
    assert torch.equal(flat[d.death_index], d.points[:, 1])


def test_is_the_cubical_complex_of_its_vertices():
    """Lower stars, by hand: the same as cubical_persistence on the vertices."""
    x = np.random.default_rng(0).normal(size=(4, 3, 5))
    value = {(): x}
    for axes in AXES[1:]:
        rest = axes[:-1]
        value[axes] = np.maximum(value[rest], np.roll(value[rest], -1, axes[-1]))
    for periodic in (True, (True, False, True), False):
        d = cell_persistence(*tensors(value), periodic=periodic, **ALL)
        v = cubical_persistence(torch.from_numpy(x), periodic=periodic, **ALL)
        assert of_diagrams(d) == of_diagrams(v)


def bonds(theta):
    return [np.abs(np.angle(np.exp(1j * (np.roll(theta, -1, a) - theta)))) for a in range(3)]


@pytest.mark.parametrize("shape", [(3, 4, 3), (1, 2, 3), (2, 2, 2)])
@pytest.mark.parametrize("periodic", [True, (True, False, True)])
def test_angles(shape, periodic):
    theta = np.random.default_rng(1).uniform(-np.pi, np.pi, shape)
    nothing = np.zeros(shape)
    rise = {axes: nothing for axes in AXES} | {(a,): b for a, b in enumerate(bonds(theta))}
    value = upwards(nothing, rise, shape)
    wrap = (True,) * 3 if periodic is True else periodic
    d = field_persistence(torch.from_numpy(theta), manifold=Circle(), periodic=periodic, **ALL)
    expected = reduce_boundary(*matrix(value, wrap))
    found = of_diagrams(d)
    assert [c[0] for c in found] == [c[0] for c in expected]
    np.testing.assert_allclose(
        sorted(c[1:] for c in found), sorted(c[1:] for c in expected), atol=1e-12
    )


def test_rotations_and_gauge():
    """Invariant under global rotations; with a connection, under local ones (else not)."""
    rng = np.random.default_rng(2)
    theta, alpha = rng.uniform(-np.pi, np.pi, (2, 3, 4, 3))
    connection = rng.uniform(-1, 1, (3, 3, 4, 3))
    moved = connection + np.stack([np.roll(alpha, -1, a) - alpha for a in range(3)])
    options = {"manifold": Circle(), "homology_dimensions": (0, 1, 2), "spatial_dims": 3}

    def points(t, a=None):
        a = None if a is None else torch.from_numpy(a)
        return field_persistence(torch.from_numpy(t), connection=a, **options).points

    torch.testing.assert_close(points(theta + 0.7), points(theta))
    torch.testing.assert_close(points(theta + alpha, moved), points(theta, connection))
    assert points(theta + alpha).shape != points(theta).shape or not torch.allclose(
        points(theta + alpha), points(theta)
    )


def test_vectors_batch_and_gradient():
    rng = np.random.default_rng(3)
    v = torch.from_numpy(rng.normal(size=(2, 3, 3, 2, 3)))
    v = (v / v.norm(dim=-1, keepdim=True)).requires_grad_()
    options = {"manifold": Sphere(2), "homology_dimensions": (0, 1), "spatial_dims": 3}
    d = field_persistence(v, **options)
    assert d.batch_shape == (2,)
    assert of_diagrams(d[1]) == of_diagrams(field_persistence(v[1], **options))

    def functional(theta):
        d = field_persistence(
            theta, manifold=Circle(), homology_dimensions=(0, 1, 2), spatial_dims=3
        )
        return (d.lifetime**2).sum() + (d.essential**2).sum()

    theta = torch.from_numpy(rng.uniform(-3, 3, (2, 3, 2))).requires_grad_()
    assert torch.autograd.gradcheck(functional, (theta,), eps=1e-7, atol=1e-5)


EDGE = torch.ones(3, 2, 3, 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((None, torch.ones(2, 3, 2)), r"`edge` has shape .*expected \(\*batch, 3, D, H, W\)"),
        ((None, torch.ones(2, 2, 3, 2)), "the edges along all axes"),
        ((None, EDGE, EDGE[0]), r"`face` has shape \(2, 3, 2\); expected \(\*batch, 3, D, H, W\)"),
        ((None, EDGE, EDGE, EDGE), r"`cube` has shape \(3, 2, 3, 2\).*expected \(2, 3, 2\)"),
        ((2 * EDGE[0], EDGE), r"`edge\[0\]` is 1.0 at .*below its `vertex` of 2.0"),
        ((None, EDGE, 0.5 * EDGE), r"`face\[0\]` is 0.5 at .*below its `edge\[0\]` of 1.0"),
        ((None, EDGE, EDGE, 0.5 * EDGE[0]), r"`cube` is 0.5 at .*below its `face\[0\]` of 1.0"),
        ((None, EDGE, None, 0.5 * EDGE[0]), r"`cube` is 0.5 at .*below its `edge\[0\]` of 1.0"),
        ((None, EDGE * torch.nan), "`edge` is NaN"),
    ],
)
def test_bad_input(arguments, words):
    with pytest.raises(InputError, match=words):
        cell_persistence(*arguments, **ALL)


def test_no_cubes_in_two_dimensions():
    with pytest.raises(InputError, match="`cube` is given in 2D"):
        cell_persistence(None, EDGE[:2, 0], None, EDGE[0, 0], homology_dimensions=(0,))
