"""Lattices against distances in the plane or in space."""

import itertools
import math

import numpy as np
import pytest
import torch

from topoml._core.errors import InputError
from topoml.lattice import Honeycomb, Hypercubic, Triangular
from topoml.lattice.geometry import LATTICES, lattice_of, n_axes, pairs, shape_of

SHAPES = {
    "chain": [(1,), (2,), (5,)],
    "square": [(1, 1), (2, 3), (4, 5)],
    "cubic": [(1, 2, 3), (3, 4, 5)],
    "hypercubic": [(2, 3, 1, 3)],
    "triangular": [(1, 1), (2, 2), (3, 4), (5, 5)],
    "honeycomb": [(1, 1, 2), (2, 2, 2), (3, 4, 2)],
}
CASES = [(name, shape) for name, shapes in SHAPES.items() for shape in shapes]
# Axes of the cells as rows, so that nearest neighbours are at distance 1.
AXES = {
    "triangular": np.array([[1.0, 0.0], [-0.5, math.sqrt(3) / 2]]),
    "honeycomb": math.sqrt(3) * np.array([[1.0, 0.0], [0.5, math.sqrt(3) / 2]]),
}


def positions(name, shape):
    """Of all sites, in C order, (sites, d), and the periods (d, d)."""
    if name not in AXES:
        cells = np.array(list(itertools.product(*map(range, shape))), float)
        return cells, np.diag(np.array(shape, float))
    cells = np.array(list(itertools.product(*map(range, shape[:2]))), float) @ AXES[name]
    periods = np.array(shape[:2])[:, None] * AXES[name]
    if name == "triangular":
        return cells, periods
    second = AXES[name].sum(0) / 3  # of the cell's two sites, at the centre of a triangle
    return np.stack([cells, cells + second], 1).reshape(-1, 2), periods


def by_distance(name, shape):
    """Number of bonds between each two sites: images at distance 1, (sites, sites)."""
    x, periods = positions(name, shape)
    count = np.zeros((len(x), len(x)), int)
    for image in itertools.product((-2, -1, 0, 1, 2), repeat=len(periods)):
        away = x[:, None] - x[None] + np.array(image) @ periods
        count += np.abs(np.linalg.norm(away, axis=-1) - 1.0) < 1e-9
    return count


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_neighbours_are_at_distance_one(name, shape):
    lattice = lattice_of(name, shape)
    count = np.zeros((lattice.n_sites,) * 2, int)
    for site, across in enumerate(lattice.neighbours):
        np.add.at(count[site], across, 1)
    np.testing.assert_array_equal(count, by_distance(name, shape))


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_bonds_are_half_of_the_neighbours(name, shape):
    lattice = lattice_of(name, shape)
    count = np.zeros((lattice.n_sites,) * 2, int)
    for a, b in lattice.bonds:
        count[a, b] += 1
        count[b, a] += 1
    np.testing.assert_array_equal(count, by_distance(name, shape))


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_reverse_leads_back(name, shape):
    lattice = lattice_of(name, shape)
    for site, across in enumerate(lattice.neighbours):
        for slot, other in enumerate(across):
            assert lattice.neighbours[other, lattice.reverse[slot]] == site


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize("components", [0, 1, 2])
@pytest.mark.parametrize(("name", "shape"), CASES)
def test_pairs_are_the_bonds(name, shape, components, kind):
    lattice, tail = lattice_of(name, shape), (2, 3)[:components]
    number = np.arange(2 * lattice.n_sites).reshape(2, *shape)
    x = kind(number.reshape(*number.shape, *[1] * components) * np.ones(tail, np.int64))
    found = []
    for a, b in pairs(x, name, components=components):
        assert a.shape == b.shape
        assert tuple(a.shape[a.ndim - components :]) == tail
        a, b = (np.asarray(v).reshape(2, -1, *tail)[(..., *[0] * components)] for v in (a, b))
        np.testing.assert_array_equal(a[1] - lattice.n_sites, a[0])
        found += list(zip(a[0], b[0], strict=True))
    assert sorted(found) == sorted(map(tuple, lattice.bonds))


@pytest.mark.parametrize("name", LATTICES)
def test_shape_of_a_size(name):
    shape = shape_of(name, 4)
    assert len(shape) == n_axes(name)
    assert lattice_of(name, shape).n_sites == math.prod(shape)


def test_bad_lattices():
    with pytest.raises(InputError, match=r"^`lattice` is 'kagome'; expected one of 'chain', "):
        lattice_of("kagome", (3, 3))
    with pytest.raises(InputError, match=r"^`shape` is \(3, 3, 3\); expected \(L0, L1, 2\)"):
        Honeycomb((3, 3, 3))
    with pytest.raises(InputError, match=r"^`shape` is \(3,\); expected 2 sides"):
        Triangular((3,))
    for shape in [(), (0, 2), (2.0, 2)]:
        with pytest.raises(InputError, match=r"expected at least one sides, integers"):
            Hypercubic(shape)
    with pytest.raises(InputError, match=r"fewer than 2\^31 sites"):
        Hypercubic((2**16, 2**16))
