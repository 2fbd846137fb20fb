"""Vortices, chirality and windings against loops over plaquettes, and all matchings of pairs."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.lattice import (
    chirality,
    half_vortices,
    vortex_density,
    vortex_pairs,
    vortex_positions,
    vortices,
    winding_numbers,
)

SIDES = st.integers(1, 7)
SEEDS = st.integers(0, 2**32)


def angles(seed, *shape):
    return np.random.default_rng(seed).uniform(-math.pi, math.pi, shape)


def winding(theta):
    """A loop over plaquettes, with complex numbers for the wrapped differences."""
    n0, n1 = theta.shape
    z = np.exp(1j * theta)
    charge = np.zeros((n0, n1))
    for i in range(n0):
        for j in range(n1):
            a, b = (i + 1) % n0, (j + 1) % n1
            corners = [z[i, j], z[a, j], z[a, b], z[i, b], z[i, j]]
            pairs = itertools.pairwise(corners)
            charge[i, j] = sum(np.angle(q / p) for p, q in pairs) / (2 * np.pi)
    return np.rint(charge)


class TestVortices:
    @given(SIDES, SIDES, SEEDS, st.integers(-2, 2))
    def test_loop_over_plaquettes(self, n0, n1, seed, turns):
        theta = angles(seed, n0, n1)
        found = vortices(theta + 2 * np.pi * turns)
        assert found.dtype == np.int8
        np.testing.assert_array_equal(found, winding(theta))
        np.testing.assert_array_equal(vortices(torch.from_numpy(theta)).numpy(), found)

    @given(SIDES, SIDES, SEEDS, st.sampled_from([2, 4, 6]))
    def test_ties_keep_the_total_at_zero(self, n0, n1, seed, q):
        """Clock states differ by exactly pi: -1, 0 or 1 each, and 0 together."""
        theta = 2 * np.pi / q * np.random.default_rng(seed).integers(-2 * q, 2 * q, (3, n0, n1))
        found = vortices(theta)
        assert np.abs(found).max() <= 1
        assert (found.sum((-2, -1)) == 0).all()

    def test_planted_pair(self):
        x, y = np.meshgrid(np.arange(12) - 2.5, np.arange(12) - 5.5, indexing="ij")
        theta = np.arctan2(y, x) - np.arctan2(y, x - 6)
        found = vortices(theta)[:-1, :-1]  # the last ones see the seam
        assert [tuple(at) for at in np.argwhere(found)] == [(2, 5), (8, 5)]
        assert found[2, 5] == 1
        assert found[8, 5] == -1

    def test_density(self):
        theta = angles(0, 4, 5, 6)
        expected = np.abs([winding(t) for t in theta]).mean((-2, -1))
        np.testing.assert_allclose(vortex_density(theta), expected)
        np.testing.assert_allclose(vortex_density(torch.from_numpy(theta)).numpy(), expected)
        # of independent angles one plaquette in three has a vortex
        assert vortex_density(angles(1, 400, 400)) == pytest.approx(1 / 3, abs=0.01)


class TestHalfVortices:
    @given(SIDES, SIDES, SEEDS)
    def test_loop_over_plaquettes(self, n0, n1, seed):
        theta = angles(seed, n0, n1)
        found = half_vortices(theta)
        np.testing.assert_array_equal(found, winding(2 * theta))
        np.testing.assert_array_equal(half_vortices(torch.from_numpy(theta)).numpy(), found)

    def test_planted_pair(self):
        """theta turns by pi around each: two plaquettes have half a vortex, none a whole one."""
        x, y = np.meshgrid(np.arange(12) - 2.5, np.arange(12) - 5.5, indexing="ij")
        theta = (np.arctan2(y, x) - np.arctan2(y, x - 6)) / 2
        found = half_vortices(theta)[:-1, :-1]
        assert [tuple(at) for at in np.argwhere(found)] == [(2, 5), (8, 5)]
        assert found[2, 5] == 1
        assert found[8, 5] == -1

    def test_does_not_see_turns_by_pi(self):
        theta = angles(1, 9, 9)
        flipped = theta + np.pi * np.random.default_rng(2).integers(-1, 2, theta.shape)
        np.testing.assert_array_equal(half_vortices(flipped), half_vortices(theta))
        assert (vortices(flipped) != vortices(theta)).any()  # the control: whole vortices do

    def test_integers_are_angles(self):
        """As everywhere: 2 theta of integers, and not a wrap of the integer type."""
        theta = np.random.default_rng(3).integers(-100, 100, (6, 6)).astype(np.int8)
        np.testing.assert_array_equal(half_vortices(theta), winding(2.0 * theta))


def frustrated(n0, n1):
    """Half a flux quantum in every plaquette: pi on every other bond along the first axis."""
    A = np.zeros((2, n0, n1))
    A[0, :, 1::2] = np.pi
    return A


class TestChirality:
    @given(st.integers(1, 3), st.integers(1, 3), SEEDS)
    def test_loop_over_plaquettes(self, n0, n1, seed):
        theta, A = angles(seed, 2 * n0, 2 * n1), frustrated(2 * n0, 2 * n1)
        expected = np.zeros(theta.shape)
        for i, j in np.ndindex(theta.shape):
            a, b = (i + 1) % len(theta), (j + 1) % theta.shape[1]
            around = [(i, j), (a, j), (a, b), (i, b), (i, j)]
            shifts = [A[0, i, j], A[1, a, j], -A[0, i, b], -A[1, i, j]]
            for (p, q), shift in zip(itertools.pairwise(around), shifts, strict=True):
                expected[i, j] += np.angle(np.exp(1j * (theta[q] - theta[p] - shift))) / np.pi
        found = chirality(theta, A)
        assert found.dtype == np.int8
        np.testing.assert_array_equal(found, np.rint(expected))
        assert (found % 2 == 1).all()
        of_torch = chirality(torch.from_numpy(theta), torch.from_numpy(A))
        np.testing.assert_array_equal(of_torch.numpy(), found)

    def test_gauge_invariance(self):
        rng = np.random.default_rng(0)
        theta, A, alpha = angles(1, 8, 6), frustrated(8, 6), rng.uniform(-9, 9, (8, 6))
        shift = np.stack([np.roll(alpha, -1, axis) - alpha for axis in (0, 1)])
        found = chirality(theta, A)
        np.testing.assert_array_equal(chirality(theta + alpha, A + shift), found)
        assert (chirality(theta + alpha, A - shift) != found).any()  # the control

    def test_ground_state_is_a_checkerboard(self):
        """All bonds at +-pi / 4, energy -sqrt(2) a site; both checkerboards."""
        cell = np.pi / 4 * np.array([[0, -1], [1, 2]])
        theta, A = np.tile(cell, (3, 2)), frustrated(6, 4)
        bonds = [np.roll(theta, -1, a) - theta - A[a] for a in (0, 1)]
        assert -np.cos(bonds).sum() / theta.size == pytest.approx(-math.sqrt(2), rel=1e-14)
        sign = (-1) ** np.add.outer(np.arange(6), np.arange(4))
        np.testing.assert_array_equal(chirality(theta, A), sign)
        np.testing.assert_array_equal(chirality(-theta, A), -sign)

    def test_without_flux(self):
        theta = angles(2, 3, 7, 8)
        np.testing.assert_array_equal(chirality(theta, np.zeros((2, 7, 8))), 2 * vortices(theta))

    def test_refusals(self):
        with pytest.raises(InputError, match=r"expected \(2, 4, 4\)"):
            chirality(np.zeros((3, 4, 4)), np.zeros((3, 2, 4, 4)))
        with pytest.raises(InputError, match="both of numpy or both of torch"):
            chirality(np.zeros((4, 4)), torch.zeros(2, 4, 4))


class TestWindingNumbers:
    @given(SIDES, SIDES, SEEDS)
    def test_loop_over_lines(self, n0, n1, seed):
        theta = angles(seed, 2, n0, n1)
        z = np.exp(1j * theta)
        first, second = winding_numbers(theta)
        for k in range(2):
            for j in range(n1):
                turn = sum(np.angle(z[k, (i + 1) % n0, j] / z[k, i, j]) for i in range(n0))
                assert first[k, j] == np.rint(turn / (2 * np.pi))
            for i in range(n0):
                turn = sum(np.angle(z[k, i, (j + 1) % n1] / z[k, i, j]) for j in range(n1))
                assert second[k, i] == np.rint(turn / (2 * np.pi))
        for found, of_torch in zip(
            (first, second), winding_numbers(torch.from_numpy(theta)), strict=True
        ):
            assert found.dtype == np.int64
            np.testing.assert_array_equal(of_torch.numpy(), found)

    @given(SIDES, SIDES, SEEDS, st.sampled_from([0, 4, 6]))
    def test_lines_differ_by_the_vortices_between(self, n0, n1, seed, q):
        """Also for clock states, where differences are exactly pi."""
        theta = angles(seed, n0, n1)
        if q:
            theta = 2 * np.pi / q * np.random.default_rng(seed).integers(-q, q, (n0, n1))
        first, second = winding_numbers(theta)
        v = vortices(theta)
        np.testing.assert_array_equal(np.roll(first, -1) - first, -v.sum(0))
        np.testing.assert_array_equal(np.roll(second, -1) - second, v.sum(1))

    @pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 0), (-2, 3)])
    def test_spin_waves(self, a, b):
        x, y = np.meshgrid(np.arange(9) / 9, np.arange(8) / 8, indexing="ij")
        smooth = 0.5 * np.sin(2 * np.pi * (x + y))
        first, second = winding_numbers(2 * np.pi * (a * x + b * y) + smooth)
        assert (first == a).all()
        assert (second == b).all()
        assert first.shape == (8,)


def pair_by_all_matchings(plus, minus, sides):
    """The least sum of distances over all permutations; distances over the nine images."""
    images = [np.array(s) * sides for s in itertools.product((-1, 0, 1), repeat=2)]
    cost = [[min(math.dist(p, m + s) for s in images) for m in minus] for p in plus]
    orders = itertools.permutations(range(len(plus)))
    return min(sum(cost[i][j] for i, j in enumerate(order)) for order in orders)


def greedy(plus, minus, sides):
    """Each vortex with the nearest antivortex that is left."""
    left, total = [tuple(m) for m in minus], 0.0
    for p in plus:
        apart = [np.abs(np.subtract(p, m)) for m in left]
        lengths = [np.hypot(*np.minimum(a, sides - a)) for a in apart]
        total += min(lengths)
        left.pop(int(np.argmin(lengths)))
    return total


class TestPositionsAndPairs:
    def test_positions_by_a_loop(self):
        charges = vortices(angles(0, 2, 3, 5, 6))
        found = vortex_positions(charges)
        rows = [
            (3 * a + b, i + 0.5, j + 0.5, charges[a, b, i, j])
            for a, b, i, j in np.ndindex(charges.shape)
            if charges[a, b, i, j] != 0
        ]
        assert len(rows) > 20
        sample, x, y, charge = np.array(rows).T
        np.testing.assert_array_equal(found.sample, sample)
        np.testing.assert_array_equal(found.position, np.stack([x, y], -1))
        np.testing.assert_array_equal(found.charge, charge)
        of_torch = vortex_positions(torch.from_numpy(charges))
        for a, b in zip(found, of_torch, strict=True):
            assert b.dtype == torch.from_numpy(a).dtype
            np.testing.assert_array_equal(b.numpy(), a)

    @pytest.mark.parametrize("seed", range(8))
    def test_pairs_by_all_matchings(self, seed):
        """Up to 6 pairs on lattices of unequal sides; greedy matchings are longer (control)."""
        rng = np.random.default_rng(seed)
        n0, n1 = rng.integers(5, 12, 2)
        charges = np.zeros((4, n0, n1), np.int8)
        for k in range(4):
            sites = rng.permutation(n0 * n1)[: 2 * rng.integers(1, 7)]
            charges[k].flat[sites] = np.resize([1, -1], len(sites))
        found = vortex_pairs(charges)
        longer = 0.0
        for k in range(4):
            mine = found.sample == k
            plus, minus = (np.argwhere(charges[k] == q) + 0.5 for q in (1, -1))
            for planted, paired in ((plus, found.vortex), (minus, found.antivortex)):
                assert sorted(map(tuple, planted)) == sorted(map(tuple, paired[mine]))
            expected = pair_by_all_matchings(plus, minus, np.array([n0, n1]))
            assert found.distance[mine].sum() == pytest.approx(expected, rel=1e-12)
            longer += greedy(plus, minus, np.array([n0, n1])) - expected
        assert longer > 0.1

    def test_torch_and_batches(self):
        charges = vortices(angles(5, 2, 3, 6, 6))
        found = vortex_pairs(charges)
        of_torch = vortex_pairs(torch.from_numpy(charges))
        for a, b in zip(found, of_torch, strict=True):
            np.testing.assert_array_equal(b.numpy(), a)
        n_vortices = (charges == 1).sum((-2, -1)).ravel()
        np.testing.assert_array_equal(np.bincount(found.sample, minlength=6), n_vortices)
        alone = vortex_pairs(charges[1, 2])
        np.testing.assert_array_equal(alone.distance, found.distance[found.sample == 5])

    def test_around_the_torus(self):
        charges = np.zeros((10, 4), int)
        charges[0, 0], charges[9, 3] = 1, -1
        assert vortex_pairs(charges).distance.tolist() == [math.sqrt(2)]

    def test_charges_count_with_multiplicity(self):
        charges = np.zeros((8, 8), int)
        charges[0, 0], charges[0, 1], charges[3, 0] = 2, -1, -1
        assert sorted(vortex_pairs(charges).distance.tolist()) == [1.0, 3.0]

    @pytest.mark.parametrize("shape", [(4, 4), (0, 4, 4), (2, 4, 4)])
    def test_none(self, shape):
        charges = np.zeros(shape, np.int8)
        assert vortex_positions(charges).position.shape == (0, 2)
        found = vortex_pairs(charges)
        assert found.vortex.shape == found.antivortex.shape == (0, 2)
        assert found.distance.shape == found.sample.shape == (0,)
        assert vortex_pairs(torch.from_numpy(charges)).distance.shape == (0,)

    def test_refusals(self):
        charges = np.zeros((2, 4, 4), int)
        charges[1, 0, 0] = 1
        with pytest.raises(InputError, match="sum to 1 in sample 1"):
            vortex_pairs(charges)
        for function in (vortex_positions, vortex_pairs):
            for angle in (np.zeros((4, 4)), torch.zeros(4, 4)):
                with pytest.raises(InputError, match="expected integers"):
                    function(angle)
