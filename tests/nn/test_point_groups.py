"""Point groups by numpy and plane geometry, and their action on fields."""

import itertools
import math

import numpy as np
import pytest
import torch

from topoml._core.errors import InputError
from topoml.nn.point_groups import (
    P4,
    P4M,
    P6,
    P6M,
    PointGroup,
    hypercubic,
    lattice_symmetries,
)

from .equivariant import generator, randn

BASIS = np.array([[1, 0], [-1 / 2, math.sqrt(3) / 2]])  # 120 degrees: (1, 1) is a neighbour


def matrices(group):
    return np.array(group.elements)


@pytest.mark.parametrize(
    ("group", "order"),
    [(P4, 4), (P4M, 8), (P6, 6), (P6M, 12), (hypercubic(1), 2), (hypercubic(2), 8),
     (hypercubic(3), 48), (hypercubic(4), 384)],
)  # fmt: skip
def test_is_a_group(group, order):
    """Products by numpy; the table of quotients is that of the matrices."""
    g = matrices(group)
    assert group.order == order == len({m.tobytes() for m in g})
    assert np.array_equal(g[0], np.eye(group.dim))
    for a, b in itertools.product(range(0, order, 1 + order // 12), repeat=2):
        assert np.array_equal(g[a] @ g[group.quotients[a, b]], g[b])


@pytest.mark.parametrize("group", [P4, P4M, hypercubic(2)])
def test_keeps_the_square(group):
    for g in matrices(group):
        assert np.array_equal(g @ g.T, np.eye(2))


@pytest.mark.parametrize("group", [P6, P6M])
def test_keeps_the_triangular_lattice(group):
    """Orthogonal in the plane; P6 holds the turn by 60 degrees."""
    images = [BASIS.T @ g @ np.linalg.inv(BASIS.T) for g in matrices(group)]
    for image in images:
        assert np.abs(image @ image.T - np.eye(2)).max() < 1e-14
    turns = [math.atan2(r[1, 0], r[0, 0]) for r in images[:6]]
    assert np.allclose(np.exp(1j * np.array(turns)), np.exp(1j * np.pi / 3) ** np.arange(6))


def test_hexagon():
    """Of 3 x 3 sites seven, of 5 x 5 nineteen: those within 1 or 2 steps between neighbours."""
    steps = {tuple(g @ (1, 0)) for g in matrices(P6)}
    assert steps == {(1, 0), (0, 1), (1, 1), (-1, 0), (0, -1), (-1, -1)}
    two = {tuple(np.add(a, b)) for a in steps for b in steps} | steps | {(0, 0)}
    for size, sites in ((3, steps | {(0, 0)}), (5, two)):
        index = P6M.kernel_sites(size)[0]
        assert index.min() == -1
        found = {tuple(x - size // 2) for x in (index >= 0).nonzero().numpy()}
        assert found == sites
        assert index.max() == len(sites) - 1


@pytest.mark.parametrize("group", [P4, P6M, hypercubic(3)])
def test_orbits(group):
    """Two sites of a kernel share a number if and only if an element maps one to the other."""
    orbits, size = group.orbits(3).numpy(), (3,) * group.dim
    sites = [np.array(r) - 1 for r in itertools.product(range(3), repeat=group.dim)]
    images = [{tuple(g @ r) for g in matrices(group)} for r in sites]
    assert orbits.shape == size
    for r, orbit in zip(sites, images, strict=True):
        inside = all(max(map(abs, x)) <= 1 for x in orbit)
        assert (orbits[tuple(r + 1)] >= 0) == inside
        assert orbits.min() == (-1 if group is P6M else 0)
        for other in sites:
            if inside and orbits[tuple(other + 1)] >= 0:
                same = orbits[tuple(r + 1)] == orbits[tuple(other + 1)]
                assert same == (tuple(other) in orbit)
    assert set(orbits.ravel()) - {-1} == set(range(orbits.max() + 1))


@pytest.mark.parametrize("group", [P4M, P6M])
def test_action_on_fields(group):
    """(g f)(x) = f(g^-1 x) site by site, and with a group axis (g f)(h, x) = f(g^-1 h, g^-1 x)."""
    action = lattice_symmetries(group, group_axis_out=True)
    g = matrices(group)
    x, y = randn(1, 1, 4, 4, 2), randn(1, 1, group.order, 4, 4, 2)
    drawn = set()
    for seed in range(100):
        n = action.draw(x, generator(seed))
        drawn.add(n)
        if len(drawn) > 3:
            continue
        moved, moved_out = action.act_in(n, x), action.act_out(n, y)
        for site in itertools.product(range(4), repeat=2):
            there = tuple(g[n] @ site % 4)
            assert torch.equal(moved[(0, 0, *there)], x[(0, 0, *site)])
            for h in range(group.order):
                image = next(i for i in range(group.order) if np.array_equal(g[i], g[n] @ g[h]))
                assert torch.equal(moved_out[(0, 0, image, *there)], y[(0, 0, h, *site)])
    assert drawn == set(range(group.order))


@pytest.mark.parametrize(
    "generators", [(), (((1, 0),),), (((2, 0), (0, 1)),), (((1, 1), (0, 1)),), "P4"]
)
def test_no_finite_group(generators):
    with pytest.raises(InputError, match=r"^`generators` is "):
        PointGroup("none", generators)
