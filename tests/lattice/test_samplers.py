"""The samplers against exact answers: distributions, energies, conservation laws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, kstest

from topoml.kernels import ising as ising_kernels
from topoml.kernels import xy as xy_kernels
from topoml.lattice import XY, Ising, helicity_terms, simulate, start
from topoml.lattice.chain import blocks, thermalisation

from . import oracles

SHAPES = [(1, 1), (1, 4), (2, 1), (2, 2), (2, 3), (3, 3), (4, 2)]
EPS = np.finfo(np.float64).eps


def chains(model, shape, temperature, samples, n_chains, seed):
    """Configurations (chain, sample, L0, L1), after thermalisation."""
    out = []
    for rng in np.random.default_rng(seed).spawn(n_chains):
        *_, state = thermalisation(start(model, shape, temperature), rng, 20)
        out.append(np.concatenate([block for _, block in blocks(state, samples, rng)]))
    return np.stack(out)


def bond_energy(configurations, shape, of_bond):
    """Energy (chain, sample) by a loop over the bonds."""
    x = configurations.reshape(*configurations.shape[:2], -1).astype(float)
    return -sum(of_bond(x[..., a], x[..., b]) for a, b in oracles.bonds(shape))


def product(a, b):
    return a * b


def cos_difference(a, b):
    return np.cos(a - b)


class TestIsing:
    @pytest.mark.parametrize("temperature", [1.5, oracles.T_ISING, 6.0])
    @pytest.mark.parametrize("shape", SHAPES)
    def test_energy_of_small_tori(self, shape, temperature):
        _, energy, weight = oracles.ising(shape, temperature)
        exact = (weight * energy).sum()
        x = chains(Ising(), shape, temperature, 2000, 16, seed=3)
        mean = bond_energy(x, shape, product).mean(1)
        if math.isclose(np.ptp(energy), 0.0):
            assert (mean == exact).all()
        else:
            assert abs(oracles.z_score(mean, exact)) < 5

    @pytest.mark.parametrize("size", [2, 3])
    def test_table_at_the_transition(self, size):
        energy, heat, absolute, _ = oracles.ISING_TORI[size]
        t, n = oracles.T_ISING, size * size
        x = chains(Ising(), (size, size), t, 10_000, 32, seed=4)
        e = bond_energy(x, (size, size), product)
        assert abs(oracles.z_score(e.mean(1) / n, energy)) < 5
        assert abs(oracles.z_score(((e - n * energy) ** 2).mean(1) / n / t**2, heat)) < 5
        m = x.mean((-2, -1))
        assert abs(oracles.z_score(np.abs(m).mean(1), absolute)) < 5
        assert abs(oracles.z_score(m.mean(1), 0.0)) < 5

    @pytest.mark.parametrize("wrong", [1.0, 1.05])
    def test_distribution_over_all_states(self, wrong):
        """Chi-squared over the 64 states of 2 x 3; at a temperature 5 % off it must fail."""
        shape, temperature = (2, 3), 3.0
        x = chains(Ising(), shape, wrong * temperature, 30_000, 8, seed=5)[:, ::4]  # then tau = 1/2
        code = (x.reshape(-1, 6) > 0) @ (1 << np.arange(6)[::-1])
        _, _, weight = oracles.ising(shape, temperature)
        expected = weight * len(code)
        statistic = ((np.bincount(code, minlength=64) - expected) ** 2 / expected).sum()
        limit = chi2.isf(1e-6, 63)
        assert statistic < limit if wrong == 1.0 else statistic > 2 * limit

    def test_a_sample_after_so_many_flips_would_be_biased(self):
        """The control: end a sample once N spins are flipped, and the energy is wrong."""
        shape, t = (3, 3), oracles.T_ISING
        p_add, n = -math.expm1(-2 / t), 9
        means = []
        for rng in np.random.default_rng(6).spawn(8):
            spin, out = np.ones(shape, np.int8), np.empty((1, *shape), np.int8)
            energies = []
            for _ in range(1000):
                flipped = 0
                while flipped < n:
                    flipped += ising_kernels.wolff(spin, p_add, 1, out, rng)
                energies.append(float(Ising().energy(spin)))
            means.append(np.mean(energies) / n)
        assert abs(oracles.z_score(means, oracles.ISING_TORI[3][0])) > 10

    def test_clusters_start_anywhere(self):
        """At infinite temperature a cluster is its first site: all alike, by chi-squared."""
        before = np.ones((3, 5), np.int8)
        x, _ = Ising().sample(before.copy(), 1e300, 1, 15_000, np.random.default_rng(1))
        count = (np.diff(x, axis=0, prepend=before[None]) != 0).sum(0)
        assert count.sum() == 15_000
        assert ((count - 1000) ** 2 / 1000).sum() < chi2.isf(1e-6, 14)

    def test_infinite_and_zero_temperature(self):
        rng = np.random.default_rng(0)
        x, flipped = Ising().sample(np.ones((8, 8), np.int8), 1e300, 64, 100, rng)
        assert flipped == 6400  # p = 0: clusters of one spin
        x, flipped = Ising().sample(np.ones((8, 8), np.int8), 1e-300, 1, 11, rng)
        assert flipped == 11 * 64
        assert (x.min((1, 2)) == x.max((1, 2))).all()


class TestXY:
    @pytest.mark.parametrize("temperature", [0.5, 0.8929, 3.0])
    @pytest.mark.parametrize("shape", [(1, 1), (1, 4), (2, 1), (2, 2)])
    def test_energy_of_small_tori(self, shape, temperature):
        exact, variance = oracles.xy(shape, temperature)
        x = chains(XY(), shape, temperature, 2000, 16, seed=7)
        mean = bond_energy(x, shape, cos_difference).mean(1)
        if shape == (1, 1):
            assert (mean == exact).all()
            assert variance == 0.0
        else:
            assert abs(oracles.z_score(mean, exact)) < 5

    @pytest.mark.parametrize("n_sweeps", [0, 2])
    def test_wolff_alone_and_with_over_relaxation(self, n_sweeps):
        shape, t = (2, 3), 0.8929
        exact, variance = oracles.xy(shape, t, n_angles=14)
        means, squares = [], []
        for rng in np.random.default_rng(8).spawn(16):
            spin, out = XY().random_state(shape, rng), np.empty((2, 5000, *shape), np.float32)
            for _ in range(2):  # the first run thermalises
                xy_kernels.hybrid(spin, 1 / t, 2, n_sweeps, out, rng)
            e = bond_energy(np.arctan2(out[1], out[0])[None], shape, cos_difference)
            means.append(e.mean())
            squares.append(((e - exact) ** 2).mean())
        assert abs(oracles.z_score(means, exact)) < 5
        assert abs(oracles.z_score(squares, variance)) < 5
        assert abs(oracles.z_score(means, oracles.xy(shape, 1.03 * t, n_angles=14)[0])) > 5

    @pytest.mark.parametrize(("size", "t"), oracles.XY_TORI)
    def test_table_of_tori(self, size, t):
        energy, heat, stiffness = oracles.XY_TORI[size, t]
        n = size * size
        x = chains(XY(), (size, size), t, 5000, 32, seed=9)
        e = bond_energy(x, (size, size), cos_difference)
        assert abs(oracles.z_score(e.mean(1) / n, energy)) < 5
        assert abs(oracles.z_score(((e - n * energy) ** 2).mean(1) / n / t**2, heat)) < 5
        c, s = helicity_terms(x.astype(np.float64))
        assert abs(oracles.z_score((c - s / t).mean(1), stiffness)) < 5

    def test_clusters_start_anywhere(self):
        """As for Ising; the first spin is reflected at a line of random direction."""
        before, count, angles = XY().ordered((3, 5)), np.zeros((3, 5)), []
        stack, rng = np.empty(16, np.int32), np.random.default_rng(1)
        for _ in range(6000):
            spin = before.copy()
            assert xy_kernels.wolff(spin, 0.0, 1, stack, rng) == 1
            (site,) = np.argwhere((spin != before).any(-1))
            count[tuple(site)] += 1
            angles.append(np.arctan2(*spin[tuple(site)][::-1]))
        assert ((count - 400) ** 2 / 400).sum() < chi2.isf(1e-6, 14)
        assert kstest(angles, "uniform", (-math.pi, 2 * math.pi)).pvalue > 1e-6

    def test_unit_length_after_many_steps(self):
        spin = XY().ordered((8, 8))
        XY().sample(spin, 0.9, 4, 2000, np.random.default_rng(0))
        np.testing.assert_allclose(np.linalg.norm(spin, axis=-1), 1.0, rtol=0, atol=4 * EPS)


@st.composite
def planar_spins(draw):
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return XY().random_state(shape, rng)


def field_at(spin, i, j):
    """Of the neighbours, without a bond of the site to itself."""
    n0, n1, _ = spin.shape
    sites = [((i - 1) % n0, j), ((i + 1) % n0, j), (i, (j - 1) % n1), (i, (j + 1) % n1)]
    return sum((spin[site] for site in sites if site != (i, j)), np.zeros(2))


def reflect(spin, i, j):
    """One update of over-relaxation, written with angles: the mirror image at the field."""
    h = field_at(spin, i, j)
    if h.any():
        mirrored = 2 * np.arctan2(h[1], h[0]) - np.arctan2(spin[i, j, 1], spin[i, j, 0])
        spin[i, j] = np.cos(mirrored), np.sin(mirrored)


def sweep_order(shape):
    return [(i, j) for i in range(shape[0]) for k in (0, 1) for j in range(k, shape[1], 2)]


class TestOverRelaxation:
    @given(planar_spins())
    def test_conserves_the_energy(self, spin):
        def energy(s):
            angles = np.arctan2(s[..., 1], s[..., 0])
            return bond_energy(angles[None, None], angles.shape, cos_difference).item()

        after = spin.copy()
        xy_kernels.over_relax(after, 3)
        # 3 sweeps and the loop over 2 bonds a site: some 50 roundings a site, and four times that
        assert abs(energy(after) - energy(spin)) <= 200 * EPS * spin.shape[0] * spin.shape[1]
        np.testing.assert_allclose(np.linalg.norm(after, axis=-1), 1.0, rtol=0, atol=200 * EPS)

    @pytest.mark.parametrize("shape", [*SHAPES, (5, 5), (6, 3), (1, 7), (8, 8)])
    def test_the_same_reflections_backwards_undo_it(self, shape):
        spin = XY().random_state(shape, np.random.default_rng(2))
        after = spin.copy()
        xy_kernels.over_relax(after, 1)
        for site in reversed(sweep_order(shape)):
            reflect(after, *site)
        # a reflection amplifies the error of its field by 2 / |h|; 1e-10 found, fixed seed
        np.testing.assert_allclose(after, spin, rtol=0, atol=1e-9)

    def test_it_moves_every_spin_of_a_random_state(self):
        spin = XY().random_state((6, 5), np.random.default_rng(1))
        after = spin.copy()
        xy_kernels.over_relax(after, 1)
        assert (np.abs(after - spin).max(-1) > 1e-6).all()


@pytest.mark.long
@pytest.mark.parametrize(("size", "exact"), [(8, -1.49158911), (16, -1.45306485)])
def test_kaufman_energy(size, exact):
    """Finite tori at T_c: Kaufman, Phys. Rev. 76, 1232 (1949)."""
    e = simulate(Ising(), sizes=[size], temperatures=[oracles.T_ISING], samples=320_000,
                 n_chains=32, seed=10)  # fmt: skip
    assert abs(oracles.z_score(e.energy(size=size, temperature=oracles.T_ISING).mean(1), exact)) < 5


@pytest.mark.long
@pytest.mark.parametrize(("size", "t"), oracles.XY_TORI)
def test_table_of_xy_tori_longer(size, t):
    energy, _, stiffness = oracles.XY_TORI[size, t]
    x = simulate(XY(), sizes=[size], temperatures=[t], samples=1_600_000, n_chains=32, seed=11)
    e = x.energy(size=size, temperature=t).mean(1)
    truncation = 3e-5 if size == 4 else 0.0
    error = np.hypot(e.std(ddof=1) / np.sqrt(len(e)), truncation)
    assert abs(e.mean() - energy) < 5 * error
    c, s = helicity_terms(x.configurations(size=size, temperature=t))
    y = c.mean(1, dtype=np.float64) - s.mean(1, dtype=np.float64) / t
    assert abs(oracles.z_score(y, stiffness)) < 5
