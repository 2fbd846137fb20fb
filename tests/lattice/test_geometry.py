"""Lattices against distances in the plane or in space."""

import math

import numpy as np
import pytest
import torch

from topoml._core.errors import InputError
from topoml.lattice import Honeycomb, Hypercubic, Triangular
from topoml.lattice.geometry import LATTICES, lattice_of, n_axes, pairs, shape_of

from . import oracles

SHAPES = {
    "chain": [(1,), (2,), (5,)],
    "square": [(1, 1), (2, 3), (4, 5)],
    "cubic": [(1, 2, 3), (3, 4, 5)],
    "hypercubic": [(2, 3, 1, 3)],
    "triangular": [(1, 1), (2, 2), (3, 4), (5, 5)],
    "honeycomb": [(1, 1, 2), (2, 2, 2), (3, 4, 2)],
}
CASES = [(name, shape) for name, shapes in SHAPES.items() for shape in shapes]


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_neighbours_are_at_distance_one(name, shape):
    lattice = lattice_of(name, shape)
    count = np.zeros((lattice.n_sites,) * 2, int)
    for site, across in enumerate(lattice.neighbours):
        np.add.at(count[site], across, 1)
    np.testing.assert_array_equal(count, oracles.adjacency(name, shape))


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_bonds_are_half_of_the_neighbours(name, shape):
    lattice = lattice_of(name, shape)
    count = np.zeros((lattice.n_sites,) * 2, int)
    for a, b in lattice.bonds:
        count[a, b] += 1
        count[b, a] += 1
    np.testing.assert_array_equal(count, oracles.adjacency(name, shape))


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_reverse_leads_back(name, shape):
    lattice = lattice_of(name, shape)
    for site, across in enumerate(lattice.neighbours):
        for slot, other in enumerate(across):
            assert lattice.neighbours[other, lattice.reverse[slot]] == site


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_bond_numbers(name, shape):
    lattice = lattice_of(name, shape)
    for site, across in enumerate(lattice.neighbours):
        for slot, other in enumerate(across):
            ends = lattice.bonds[lattice.bond_numbers[site, slot]]
            assert sorted(ends) == sorted([site, other])
    numbers = np.bincount(lattice.bond_numbers.ravel())
    np.testing.assert_array_equal(numbers, np.full(len(lattice.bonds), 2))


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
