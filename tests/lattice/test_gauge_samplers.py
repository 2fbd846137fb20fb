"""Updates of gauge fields against exact answers: distributions, plaquettes, conservation laws."""

import math

import numpy as np
import pytest
from scipy.special import ive
from scipy.stats import chi2, kstest, vonmises

from topoml.kernels import gauge_su2, gauge_su3, gauge_u1
from topoml.lattice import SU2Gauge, SU3Gauge, U1Gauge, Z2Gauge, start
from topoml.lattice.chain import blocks
from topoml.lattice.gauge_abelian import _instanton

from . import gauge_oracles as exact
from .oracles import z_score

pytestmark = pytest.mark.slow  # statistical, or processes

EPS = np.finfo(np.float64).eps


def local(model):
    """Updates by kernels."""
    return [update for update in model.updates if update != "hmc"]


def energies(model, sides, beta, samples, *, update, seed, n_chains=16, burn_in=60, hot=True):
    """Energy (chain, sample) of independent chains."""
    out = []
    for rng in np.random.default_rng(seed).spawn(n_chains):
        shape = (model.dim, *sides)
        state = start(model, shape, 1 / beta, update=update, rng=rng if hot else None)
        for warmer, _ in blocks(state, burn_in, rng):
            state = warmer
        out.append(np.concatenate([model.energy(x) for _, x in blocks(state, samples, rng)]))
    return np.stack(out).astype(float)


def plaquettes(model, sides, beta, samples, **options):
    """Mean plaquette of each chain."""
    e = energies(model, sides, beta, samples, **options).mean(1)
    return -e / len(exact.plaquettes(sides))


def numbers(x):
    """Signs (n, ...) as integers, in the order of `exact.z2_states`."""
    bits = x.reshape(len(x), -1) < 0
    return bits @ (1 << np.arange(bits.shape[1])[::-1])


def chi_squared(codes, energies_of, temperature):
    """Statistic over all states, and its limit at a tail of 1e-6."""
    weight = np.exp(-(energies_of - energies_of.min()) / temperature)
    expected = weight / weight.sum() * len(codes)
    order = np.argsort(expected)  # states expected less than 10 times share a cell
    cell = np.empty(len(order), int)
    cell[order] = np.maximum.accumulate((np.cumsum(expected[order]) // 10).astype(int))
    found = np.bincount(cell[codes], minlength=cell.max() + 1)
    wanted = np.bincount(cell, expected)
    kept = wanted > 0
    statistic = ((found - wanted)[kept] ** 2 / wanted[kept]).sum()
    return statistic, chi2.isf(1e-6, kept.sum() - 1)


class TestZ2:
    @pytest.mark.parametrize("update", Z2Gauge().updates)
    @pytest.mark.parametrize("sides", [(2, 2), (1, 3), (3, 2), (1, 2, 2)])
    def test_distribution_over_all_states(self, sides, update):
        """At a coupling 5 % off, it must fail."""
        model, beta = Z2Gauge(dim=len(sides)), 0.4
        _, of_states = exact.z2_states(sides)
        codes = []
        for rng in np.random.default_rng(5).spawn(8):
            state = start(model, (model.dim, *sides), 1 / beta, update=update, rng=rng)
            x, _ = model.sample(state.spins, 1 / beta, 4, 25_000, rng, update)
            codes.append(numbers(x))
        codes = np.concatenate(codes)
        statistic, limit = chi_squared(codes, of_states, 1 / beta)
        assert statistic < limit
        if np.ptp(of_states) > 0:
            statistic, limit = chi_squared(codes, of_states, 1 / beta / 1.05)
            assert statistic > limit

    def test_a_sampler_without_detailed_balance_fails(self):
        """The control: Metropolis steps that are tried again until one is taken."""
        sides, beta = (2, 2), 0.4
        around = exact.plaquettes(sides)
        states, of_states = exact.z2_states(sides)
        rng = np.random.default_rng(0)
        table = dict(zip(numbers(states), of_states, strict=True))
        weights = 1 << np.arange(8)[::-1]
        code, counts = 0, []
        for _ in range(20_000):
            while True:
                other = code ^ int(weights[rng.integers(8)])
                if rng.random() < math.exp(min(0.0, -beta * (table[other] - table[code]))):
                    break
            code = other
            counts.append(code)
        statistic, limit = chi_squared(np.array(counts), of_states, 1 / beta)
        assert len(around) == 4
        assert statistic > 3 * limit

    @pytest.mark.parametrize("update", Z2Gauge().updates)
    @pytest.mark.parametrize(("sides", "beta"), [((2, 2, 2), 0.7), ((1, 2, 1, 3), 0.5)])
    def test_energy_in_3d_and_4d(self, sides, beta, update):
        mean, variance = exact.canonical(exact.z2_energies(sides), 1 / beta)
        e = energies(Z2Gauge(len(sides)), sides, beta, 4000, update=update, seed=1)
        assert abs(z_score(e.mean(1), mean)) < 5
        assert abs(z_score(((e - mean) ** 2).mean(1), variance)) < 5

    def test_metropolis_draws_links_anywhere(self):
        """At infinite temperature every trial flips: of n trials a link has n / links."""
        rng = np.random.default_rng(2)
        links = np.ones((2, 3, 2), np.int8)
        x, visited = Z2Gauge(2).sample(links, np.inf, 1, 3000, rng, "metropolis")
        assert visited == 3000 * 12
        changed = (np.diff(x, axis=0) != 0).mean(0)
        flips = 0.5 * (1 - (1 - 2 / 12) ** 12)  # of an odd number of hits
        assert (np.abs(changed - flips) < 5 * np.sqrt(flips * (1 - flips) / 3000)).all()


class TestAngles:
    @pytest.mark.parametrize("k", [0.0, 1e-9, 1e-6, 0.3, 2.0, 9.0, 1e4])
    def test_von_mises(self, k):
        """Against scipy's distribution function; at a k 30 % off, where k matters, it must fail."""
        rng = np.random.default_rng(1)
        z = np.array([gauge_u1.von_mises(k, rng) for _ in range(20_000)])
        np.testing.assert_allclose(np.abs(z), 1.0, rtol=0, atol=4 * EPS)

        def p_value(k):
            if k < 1e-8:
                return kstest(np.angle(z), "uniform", (-math.pi, 2 * math.pi)).pvalue
            return kstest(np.angle(z), vonmises(k).cdf).pvalue

        assert p_value(k) > 1e-6
        assert k < 1 or p_value(1.3 * k) < 1e-6

    @pytest.mark.parametrize("k", [9e7, 1e9, 1e14, 1e200, 1e300])
    def test_von_mises_at_large_k_is_normal(self, k):
        rng = np.random.default_rng(2)
        z = np.array([gauge_u1.von_mises(k, rng) for _ in range(4000)])
        assert kstest(np.angle(z) * math.sqrt(k), "norm").pvalue > 1e-6

    @pytest.mark.parametrize("update", local(U1Gauge(dim=2)))
    @pytest.mark.parametrize(("sides", "beta"), [((2, 2), 1.0), ((3, 2), 2.5), ((1, 5), 2.0)])
    def test_plaquette_in_2d(self, sides, beta, update):
        V = math.prod(sides)
        found = plaquettes(U1Gauge(2), sides, beta, 4000, update=update, seed=3)
        assert abs(z_score(found, exact.u1_plaquette(beta, V))) < 5
        assert abs(z_score(found, exact.u1_plaquette(1.1 * beta, V))) > 5

    @pytest.mark.parametrize("update", local(U1Gauge()))
    @pytest.mark.parametrize(("sides", "beta"), [((4, 4, 4), 0.6), ((4, 4, 4, 4), 0.5)])
    def test_plaquette_in_3d_and_4d(self, sides, beta, update):
        """By the strong-coupling series; independent plaquettes must fail."""
        I0, I1, I2 = ive([0, 1, 2], beta)
        u, du = I1 / I0, (1 + I2 / I0) / 2 - (I1 / I0) ** 2
        series = exact.strong_coupling(u, du, 2, len(sides))
        samples = 800 if len(sides) == 3 else 120 if update == "over-relaxation" else 200
        found = plaquettes(U1Gauge(len(sides)), sides, beta, samples, update=update, seed=4)
        assert abs(z_score(found, series)) < 5
        assert abs(z_score(found, u)) > 5

    def test_charge(self):
        """<Q^2> at a coupling at which single links rarely change it."""
        model, sides, beta = U1Gauge(2), (8, 8), 5.0
        squares = {}
        for update in ("instanton", "heat bath"):
            squares[update], moves = [], 0
            for rng in np.random.default_rng(6).spawn(16):
                state = start(model, (2, *sides), 1 / beta, update=update)
                x, _ = model.sample(state.spins, 1 / beta, 1, 400, rng, update)
                a, b = x[50:, 0].astype(float), x[50:, 1].astype(float)
                p = a + np.roll(b, -1, 1) - np.roll(a, -1, 2) - b
                charge = np.angle(np.exp(1j * p)).sum((1, 2)) / (2 * np.pi)
                np.testing.assert_allclose(charge, charge.round(), rtol=0, atol=1e-4)
                squares[update].append((charge**2).mean())
                moves += np.count_nonzero(np.diff(charge.round()))
            if update == "instanton":
                assert moves > 1000
            else:
                assert moves < 300
        assert abs(z_score(squares["instanton"], exact.u1_charge_squared(beta, 64))) < 5

    @pytest.mark.parametrize("sides", [(1, 1), (1, 4), (5, 1), (2, 3), (6, 5)])
    def test_instanton_has_even_plaquettes(self, sides):
        a, b = np.angle(_instanton(sides)).reshape(2, *sides)
        p = a + np.roll(b, -1, 0) - np.roll(a, -1, 1) - b
        wanted = np.exp(2j * np.pi / math.prod(sides))
        np.testing.assert_allclose(np.exp(1j * p), wanted, rtol=0, atol=50 * EPS)


class TestMatrices:
    @pytest.mark.parametrize("k", [0.0, 1e-13, 1e-3, 0.09, 0.7, 1.99, 2.01, 6.0, 1e5])
    def test_boltzmann(self, k):
        """<q0> = I2 / I1, <1 - q0^2> = 3 <q0> / k; nothing prefers a direction."""
        rng = np.random.default_rng(1)
        q = np.array([gauge_su2.boltzmann(k, rng) for _ in range(20_000)])
        np.testing.assert_allclose((q**2).sum(1), 1.0, rtol=0, atol=8 * EPS)
        mean = ive(2, k) / ive(1, k) if k > 0 else 0.0
        lost = 1 - q[:, 0]
        assert abs(z_score(lost, 1 - mean)) < 5
        across = 3 * mean / k if k > 0 else 0.75
        assert abs(z_score(1 - q[:, 0] ** 2, across if k > 1e-10 else 0.75)) < 5
        for i in (1, 2, 3):
            assert abs(z_score(q[:, i], 0.0)) < 5
            assert abs(z_score(q[:, i] ** 2, (across if k > 1e-10 else 0.75) / 3)) < 5
        assert abs(z_score(q[:, 1] * q[:, 2], 0.0)) < 5
        if k > 0.2:
            assert abs(z_score(lost, 1 - ive(2, 0.8 * k) / ive(1, 0.8 * k))) > 5

    @pytest.mark.parametrize("update", local(SU2Gauge()))
    @pytest.mark.parametrize(("sides", "beta"), [((2, 2), 1.0), ((3, 2), 2.5), ((3, 3), 6.0)])
    def test_su2_plaquette_in_2d(self, sides, beta, update):
        V = math.prod(sides)
        found = plaquettes(SU2Gauge(2), sides, beta, 1500, update=update, seed=3)
        assert abs(z_score(found, exact.su2_plaquette(beta, V))) < 5
        assert abs(z_score(found, exact.su2_plaquette(1.1 * beta, V))) > 5

    @pytest.mark.parametrize("update", local(SU3Gauge()))
    @pytest.mark.parametrize(("sides", "beta"), [((2, 2), 3.0), ((3, 2), 8.0)])
    def test_su3_plaquette_in_2d(self, sides, beta, update):
        V = math.prod(sides)
        found = plaquettes(SU3Gauge(2), sides, beta, 800, update=update, seed=3)
        assert abs(z_score(found, exact.su3_plaquette(beta, V))) < 5
        assert abs(z_score(found, exact.su3_plaquette(1.1 * beta, V))) > 5

    @pytest.mark.parametrize(("model", "beta"), [(SU2Gauge, 1.0), (SU3Gauge, 3.5)])
    def test_plaquette_in_4d(self, model, beta):
        """By the strong-coupling series; independent plaquettes must fail."""
        weight, of_torus = {
            SU2Gauge: (4, exact.su2_plaquette),
            SU3Gauge: (18, exact.su3_plaquette),
        }[model]
        less, u, more = (of_torus(beta + d, 10**6) for d in (-1e-3, 0.0, 1e-3))
        series = exact.strong_coupling(u, (more - less) / 2e-3, weight)
        samples = {SU2Gauge: 80, SU3Gauge: 30}[model]
        found = plaquettes(model(), (4,) * 4, beta, samples, update="heat bath", seed=4, burn_in=20)
        assert abs(z_score(found, series)) < 5
        assert abs(z_score(found, u)) > 5


def links_of(model, shape, rng):
    """A random state and the kernel's view of it."""
    state = model.random_state(shape, rng)
    tail = state.shape[len(shape) :]
    return state, state.reshape(model.dim, -1, *tail)


MATRIX_SIDES = [(2, 3), (3, 2, 2), (2, 2, 3, 2)]


@pytest.mark.parametrize("sides", [*MATRIX_SIDES, (1, 4), (1, 1), (1, 2, 3), (2, 1, 2, 1)])
def test_reflections_of_angles_keep_the_energy(sides):
    model, rng = U1Gauge(len(sides)), np.random.default_rng(5)
    lattice = model._lattice((model.dim, *sides))
    state, flat = links_of(model, (model.dim, *sides), rng)
    before = state.copy()
    out = np.empty((1, *flat.shape), complex)
    long = np.array(sides) > 1
    kinds = np.array([gauge_u1.REFLECTION])
    gauge_u1.sweeps(flat, lattice.neighbours, long, 1.0, kinds, _instanton((1, 1)), 1, out, rng)
    tolerance = 200 * EPS * len(exact.plaquettes(sides))
    assert abs(model.energy(np.angle(state)) - model.energy(np.angle(before))) < tolerance
    moved = np.abs(state - before).reshape(flat.shape) > 1e-6
    free = [long[[nu for nu in range(model.dim) if nu != mu]].any() for mu in range(model.dim)]
    assert (moved.mean(1) > 0.9).tolist() == free


@pytest.mark.parametrize("sides", MATRIX_SIDES)
@pytest.mark.parametrize("model", [SU2Gauge, SU3Gauge])
def test_reflections_of_matrices_keep_the_energy(model, sides):
    own, rng = model(len(sides)), np.random.default_rng(5)
    lattice = own._lattice((own.dim, *sides))
    _, flat = links_of(own, (own.dim, *sides), rng)
    before = flat.copy()
    kernel = gauge_su2 if model is SU2Gauge else gauge_su3
    out = np.empty((1, *flat.shape), flat.dtype)
    kernel.sweeps(flat, lattice.neighbours, 1.0, np.array([gauge_su2.REFLECTION]), 1, out, rng)

    def energy(links):
        if model is SU2Gauge:
            links = quaternion_matrices(links)
        return exact.energy(links.reshape(own.dim, *sides, *own.components))

    assert abs(energy(flat) - energy(before)) < 1000 * EPS * len(exact.plaquettes(sides))
    assert (np.abs(flat - before).reshape(*flat.shape[:2], -1).max(-1) > 1e-3).mean() > 0.9


def quaternion_matrices(q):
    sigma = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
    return q[..., :1, None] * np.eye(2) + 1j * np.einsum("...i,ijk->...jk", q[..., 1:], sigma)


@pytest.mark.parametrize("t", [1e-9, 1e-308])
@pytest.mark.parametrize("sides", [*MATRIX_SIDES, (2, 1), (1, 3, 2), (1, 1, 1, 2)])
def test_heat_bath_at_zero_temperature_aligns_with_the_staples(sides, t):
    """Each link in turn takes its least energy: the energy falls to -1 for each plaquette in 2D."""
    for model in (Z2Gauge, U1Gauge, SU2Gauge, SU3Gauge):
        if 1 in sides and model().components:
            continue
        own, rng = model(len(sides)), np.random.default_rng(7)
        state = own.random_state((own.dim, *sides), rng)
        x, _ = own.sample(state, t, 1, 300, rng, "heat bath")
        e = own.energy(x).astype(float)
        assert (np.diff(e) < 1e-4).all()
        if model is not Z2Gauge:
            assert e[-1] <= e[0]


@pytest.mark.parametrize("update", local(SU3Gauge()))
@pytest.mark.parametrize("model", [U1Gauge, SU2Gauge, SU3Gauge])
def test_links_stay_in_the_group(model, update):
    own, rng = model(2), np.random.default_rng(0)
    state = own.random_state((2, 4, 4), rng)
    own.sample(state, 0.2, 20, 50, rng, update)
    if model is SU3Gauge:
        one = state @ state.conj().swapaxes(-1, -2)
        np.testing.assert_allclose(one, np.broadcast_to(np.eye(3), one.shape), atol=20 * EPS)
        np.testing.assert_allclose(np.linalg.det(state), 1.0, rtol=0, atol=20 * EPS)
    else:
        norm = np.abs(state) if model is U1Gauge else np.linalg.norm(state, axis=-1)
        np.testing.assert_allclose(norm, 1.0, rtol=0, atol=4 * EPS)


@pytest.mark.parametrize("model", [U1Gauge, SU2Gauge, SU3Gauge])
def test_links_stay_in_the_group_under_reflections(model):
    """Without heat bath, which makes links anew, roundings would add up."""
    own, rng = model(2), np.random.default_rng(0)
    state, flat = links_of(own, (2, 3, 3), rng)
    out, near = np.empty((1, *flat.shape), flat.dtype), own._lattice((2, 3, 3)).neighbours
    if model is U1Gauge:
        kinds, long = np.array([gauge_u1.REFLECTION]), np.array([True, True])
        gauge_u1.sweeps(flat, near, long, 1.0, kinds, _instanton((1, 1)), 5000, out, rng)
        norm = np.abs(state)
    elif model is SU2Gauge:
        gauge_su2.sweeps(flat, near, 1.0, np.array([gauge_su2.REFLECTION]), 5000, out, rng)
        norm = np.linalg.norm(state, axis=-1)
    else:
        gauge_su3.sweeps(flat, near, 1.0, np.array([gauge_su2.REFLECTION]), 5000, out, rng)
        norm = np.linalg.norm(state, axis=-1)
        np.testing.assert_allclose(np.linalg.det(state), 1.0, rtol=0, atol=20 * EPS)
    np.testing.assert_allclose(norm, 1.0, rtol=0, atol=4 * EPS)


@pytest.mark.parametrize("model", [SU2Gauge, SU3Gauge])
def test_samples_are_the_state_as_matrices(model):
    own, rng = model(3), np.random.default_rng(0)
    state = own.random_state((3, 2, 3, 2), rng)
    x, visited = own.sample(state, 0.5, 2, 3, rng, "heat bath")
    assert visited == 2 * 3 * 36
    links = quaternion_matrices(state) if model is SU2Gauge else state
    np.testing.assert_allclose(x[-1], links, rtol=0, atol=1e-7)
    assert (np.abs(np.diff(x, axis=0)).max((-2, -1)) > 1e-6).all()


@pytest.mark.parametrize("model", [U1Gauge, SU2Gauge, SU3Gauge])
def test_hmc_goes_on_from_the_working_array(model, monkeypatch):
    """With small steps, nearly all are accepted and the energy changes little."""
    hmc = pytest.importorskip("topoml.lattice.hmc")
    monkeypatch.setattr(hmc, "_step_size", lambda *_: 0.02)
    own, rng = model(3), np.random.default_rng(11)
    state = own.random_state((3, 2, 3, 2), rng)
    before = own._links(state)
    x, visited = own.sample(state, 0.5, 1, 3, rng, "hmc")
    assert x.shape == (3, 3, 2, 3, 2, *own.components)
    assert x.dtype == own.dtype
    assert visited >= 3 * 36
    after = own._links(state)
    np.testing.assert_allclose(own.energy(x[-1:]), own.energy(after), rtol=1e-5, atol=1e-5)
    if model is U1Gauge:
        x, before, after = (np.exp(1j * v) for v in (x, before, after))
    np.testing.assert_allclose(x[-1], after, rtol=0, atol=1e-6)
    assert 1e-3 < np.abs(x[0] - before).max() < 0.5
    assert np.abs(np.diff(x, axis=0)).max() > 1e-3


def test_hmc_leaves_the_ordered_state():
    """Where it is stiffer than the equilibrium that steps are tuned in: 4D U(1), beta = .4.

    Heat bath gives a plaquette of .1966(6), 8 chains on 6^4 sites.
    """
    model, rng = U1Gauge(dim=4), np.random.default_rng(12)
    state = model.ordered(model.shape(4))
    x, _ = model.sample(state, 2.5, 1, 60, rng, "hmc")
    plaquette = -model.energy(x.astype(float)) / (6 * 4**4)
    assert abs(plaquette[20:].mean() - 0.197) < 0.01
