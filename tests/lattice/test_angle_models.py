"""Samplers of planar spins against quadrature, Fourier sums and scipy."""

import math

import numpy as np
import pytest
from scipy.special import ive
from scipy.stats import kstest, vonmises

from topoml.kernels import angle_models as kernels
from topoml.lattice import XY, ConstrainedXY, FullyFrustratedXY, GeneralizedXY, Hypercubic, Villain

from . import angle_oracles as oracles
from .oracles import XY_TORI, z_score

pytestmark = pytest.mark.slow  # statistical, or processes

N_CHAINS = 32
EPS = np.finfo(np.float64).eps

# Model, shape of the configurations, temperature, grid of the quadrature.
XY_CASES = [
    (XY(lattice="chain"), (4,), 0.7, 32),
    (XY(), (2, 2), 0.8929, 40),
    (XY(J=2.0), (2, 3), 2.0, 16),
    (XY(J=-1.0), (2, 3), 1.0, 16),
    (XY(lattice="cubic"), (1, 2, 2), 1.5, 32),
    (XY(lattice="triangular"), (2, 2), 1.5, 40),
    (XY(J=-1.0, lattice="triangular"), (3, 1), 0.6, 48),
    (XY(lattice="honeycomb"), (1, 2, 2), 0.6, 40),
]
GENERALIZED_CASES = [
    (GeneralizedXY(0.15), (2, 2), 0.5, 48),
    (GeneralizedXY(0.3, q=3, lattice="triangular"), (2, 2), 1.2, 48),
    (GeneralizedXY(0.5, q=8, lattice="chain"), (3,), 0.8, 96),
]
VILLAIN_CASES = [
    (Villain(lattice="chain"), (3,), 1.0, 40),
    (Villain(J=2.0), (2, 2), 2.6, 24),
    (Villain(lattice="triangular"), (2, 2), 8.0, 20),
]


def cases(models):
    return [
        pytest.param(*case, update, id=f"{case[0]} {update}")
        for case in models
        for update in case[0].updates
    ]


def chains(model, shape, temperature, update, samples, seed, rounds=1):
    """Angles (chain, sample, site) in float64 from random starts, after 200 rounds."""
    out = []
    for rng in np.random.default_rng(seed).spawn(N_CHAINS):
        spins = model.random_state(shape, rng)
        model.sample(spins, temperature, 200, 1, rng, update)
        x, _ = model.sample(spins, temperature, rounds, samples, rng, update)
        out.append(x.reshape(samples, -1).astype(float))
    return np.stack(out)


def total(x, bonds, of_bond, phase=0.0):
    """Sum over bonds, (chain, sample)."""
    phase = np.broadcast_to(phase, len(bonds))
    return sum(of_bond(x[..., b] - x[..., a] - p) for (a, b), p in zip(bonds, phase, strict=True))


def check(x, exact, of_bond):
    """Energy, its variance and the angle of the first bond, all within 5 errors."""
    mean, variance = exact.moments(of_bond)
    e = total(x, exact.bonds, of_bond, exact.phase)
    assert abs(z_score(e.mean(1), mean)) < 5
    assert abs(z_score(((e - mean) ** 2).mean(1), variance)) < 5
    site = next(b for a, b in exact.bonds if a == 0 != b)
    d = oracles.wrapped(x[:, ::20, site] - x[:, ::20, 0]).ravel()
    assert kstest(d, exact.cdf(site)).pvalue > 1e-6


def rejects(x, exact, of_bond):
    """Whether the mean energy is off by many errors."""
    e = total(x, exact.bonds, of_bond, exact.phase)
    return abs(z_score(e.mean(1), exact.moments(of_bond)[0])) > 10


@pytest.mark.parametrize(("model", "shape", "t", "n_angles", "update"), cases(XY_CASES))
def test_xy(model, shape, t, n_angles, update):
    exact = oracles.xy(model.lattice, shape, model.J / t, n_angles)
    x = chains(model, shape, t, update, 3000, seed=1)
    check(x, exact, oracles.cosine(model.J))


@pytest.mark.parametrize(("model", "shape", "t", "n_angles", "update"), cases(GENERALIZED_CASES))
def test_generalized_xy(model, shape, t, n_angles, update):
    of_bond = oracles.generalized(model.delta, model.q)
    bonds = oracles.bonds(model.lattice, shape)
    exact = oracles.Small(bonds, lambda d: -of_bond(d) / t, n_angles)
    check(chains(model, shape, t, update, 3000, seed=2), exact, of_bond)


@pytest.mark.parametrize(("model", "shape", "t", "n_angles", "update"), cases(VILLAIN_CASES))
def test_villain(model, shape, t, n_angles, update):
    """The bond's own -T ln w as energy, and the model's estimator against d ln Z / d(1/T)."""

    def small(beta):
        return oracles.villain(model.lattice, shape, beta * model.J, n_angles)

    x = chains(model, shape, t, update, 3000, seed=3)
    check(x, small(1 / t), lambda d: -t * oracles.villain_log_weight(d, model.J / t))
    step = 1e-4 / t  # of a central difference: good to some 1e-8, as are the differences of ln Z
    # the quadrature leaves ln Z out by a constant that is the same on either side
    u = -(small(1 / t + step).log_z - small(1 / t - step).log_z) / (2 * step)
    e = model.energy(x.reshape(*x.shape[:2], *shape), temperature=t)
    assert abs(z_score(e.mean(1), u)) < 5


@pytest.mark.parametrize("update", ConstrainedXY.updates)
@pytest.mark.parametrize(("delta", "length"), [(1.0, 4), (1.775, 4), (2.3, 3)])
def test_constrained_xy(delta, length, update):
    """A ring; at delta = 1.775 it may wind, at 2.3 the allowed arcs fall apart."""
    model = ConstrainedXY(delta, lattice="chain")
    cdf = oracles.constrained_ring_cdf(delta, length)
    xs = []
    for rng in np.random.default_rng(4).spawn(N_CHAINS):
        spins = model.ordered((length,))
        model.sample(spins, 1.0, 200, 1, rng, update)
        xs.append(model.sample(spins, 7.0, 1, 4000, rng, update)[0])
    x = np.stack(xs)
    assert (model.energy(x) == 0).all()
    d = oracles.wrapped(np.diff(x.astype(float), axis=-1)[:, ::40, 0])
    assert kstest(d.ravel(), cdf).pvalue > 1e-6
    assert kstest(d.ravel(), oracles.constrained_ring_cdf(1.3 * delta, length)).pvalue < 1e-6


@pytest.mark.parametrize("update", FullyFrustratedXY.updates)
def test_fully_frustrated_xy(update):
    """2 x 2 sites with a flux of pi in each plaquette, written out by hand."""
    bonds = [(0, 2), (2, 0), (1, 3), (3, 1), (0, 1), (1, 0), (2, 3), (3, 2)]
    phase = np.array([0, 0, np.pi, np.pi, 0, 0, 0, 0])
    t = 0.5
    exact = oracles.Small(bonds, lambda d: np.cos(d) / t, 48, phase)
    x = chains(FullyFrustratedXY(), (2, 2), t, update, 3000, seed=5)
    check(x, exact, oracles.cosine())


@pytest.mark.parametrize("move", [kernels.METROPOLIS, kernels.HEAT_BATH, kernels.OVER_RELAXATION])
def test_any_field_on_the_bonds(move):
    """2 x 3 sites with random phases: the kernels take more than fluxes of pi."""
    shape, K = (2, 3), 1.4
    bonds = oracles.bonds("square", shape)
    phase = np.random.default_rng(18).uniform(-3, 3, len(bonds))
    exact = oracles.Small(bonds, lambda d: K * np.cos(d), 18, phase)
    slots = [[] for _ in range(6)]
    for (a, b), p in zip(bonds, phase, strict=True):
        slots[a].append((b, -p))
        slots[b].append((a, p))
    table = np.array([[j for j, _ in row] for row in slots], np.int32)
    turn = np.array([[(math.cos(p), math.sin(p)) for _, p in row] for row in slots])
    xs = []
    for rng in np.random.default_rng(19).spawn(N_CHAINS):
        spins, out = XY().random_state((6,), rng), np.empty((2, 3100, 6), np.float32)
        law = (kernels.COSINE, K, 0.0, 1)
        kernels.run(spins, table, turn, law, move, 1, 1, 2.0, out, rng)
        xs.append(np.arctan2(out[1, 100:], out[0, 100:]).astype(float))
    x = np.stack(xs)
    check(x, exact, oracles.cosine())
    other = oracles.Small(bonds, lambda d: K * np.cos(d), 18, -0.9 * phase)
    assert rejects(x, other, oracles.cosine())


@pytest.mark.parametrize("update", XY.updates.fget(XY()))
def test_ring_of_eight_by_characters(update):
    """e = -sum_m I_m^(L-1) I_m' / sum_m I_m^L; -I_1 / I_0, the limit of large L, fails."""
    K, length = 1.3, 8
    i = ive(np.arange(-41, 42), K)
    derivative = (i[:-2] + i[2:]) / 2

    def exact(n):
        return -float((i[1:-1] ** (n - 1) * derivative).sum() / (i[1:-1] ** n).sum())

    limit = -ive(1, K) / ive(0, K)
    assert exact(60) == pytest.approx(limit, rel=1e-12)
    x = chains(XY(lattice="chain"), (length,), 1 / K, update, 4000, seed=6, rounds=2)
    e = -np.cos(x - np.roll(x, 1, -1)).mean(-1)
    assert abs(z_score(e.mean(1), exact(length))) < 5
    assert abs(z_score(e.mean(1), limit)) > 5


@pytest.mark.parametrize("t", [0.4, 30.0])
def test_villain_ring_in_closed_form(t):
    """ln Z of a ring of L: the Fourier coefficients of the bond are (2 pi T)^(1/2) exp(-m^2 T / 2).

    Warm or cold, the kernel sums the weight in another way.
    """
    length, m = 5, np.arange(-40, 41)

    def log_z(beta):
        return oracles.ring(length, np.exp(-(m**2) / (2 * beta)) / math.sqrt(beta))

    h = 1e-5 / t
    u = -(log_z(1 / t + h) - log_z(1 / t - h)) / (2 * h)
    model = Villain(lattice="chain")
    x = chains(model, (length,), t, "wolff", 2000, seed=7, rounds=3)
    assert abs(z_score(model.energy(x, temperature=t).mean(1), u)) < 5


@pytest.mark.parametrize("kappa", [1e-160, 1e-4, 0.5, 3.0, 1e3, 9e7, 1.1e8, 1e10, 1e20])
def test_heat_bath_is_von_mises(kappa):
    """On a ring of 2 the angle after each sweep is a fresh draw from von Mises of kappa = 2 J / T.

    From 1e7 on it is a normal distribution of variance 1 / kappa, at 1e-160 uniform.
    """
    model, rng = XY(lattice="chain"), np.random.default_rng(8)
    spins = model.random_state((2,), rng)
    table = np.array([[1, 1], [0, 0]], np.int32)
    d = np.empty(8000)
    for k in range(len(d)):
        kernels.heat_bath(spins, table, np.empty((0, 0, 2)), kappa / 2, rng)
        d[k] = math.atan2(
            spins[0, 0] * spins[1, 1] - spins[0, 1] * spins[1, 0], (spins[0] * spins[1]).sum()
        )
    if kappa > 1e7:
        assert kstest(d * math.sqrt(kappa), "norm").pvalue > 1e-6
    else:
        assert kstest(d, vonmises(max(kappa, 1e-12)).cdf).pvalue > 1e-6
    if 1e-4 < kappa < 1e7:
        assert kstest(d, vonmises(1.5 * kappa).cdf).pvalue < 1e-6


@pytest.mark.parametrize("t", [1e-20, 1e-100, 1e-300, 1e-308])
def test_heat_bath_of_the_coldest_aligns(t):
    """At once, and without a word of overflow."""
    rng = np.random.default_rng(9)
    model = XY()
    state = model.random_state((4, 4), rng)
    x, _ = model.sample(state, t, 1, 2000, rng, "heat bath")
    e = model.energy(x).astype(float)
    assert (np.diff(e) < 1e-4).all()
    assert e[-1] < -31.999


def test_heat_bath_where_the_cosine_of_the_envelope_is_minus_one():
    """This generator draws a u so close to 1 that 1 - cos(pi u) is 2: no angle to be taken."""
    bits = np.random.PCG64(1).advance(317206651)
    spins = np.array([[1.0, 0.0], [1.0, 0.0]])
    table = np.array([[1, 1], [0, 0]], np.int32)
    kernels.heat_bath(spins, table, np.empty((0, 0, 2)), 1e17, np.random.Generator(bits))
    np.testing.assert_allclose(spins, [[1.0, 0.0], [1.0, 0.0]], atol=1e-6)


class TestControls:
    """What is wrong on purpose fails."""

    SHAPE, T = (2, 2), 0.8929

    def exact(self):
        return oracles.xy("square", self.SHAPE, 1 / self.T, 40)

    @pytest.mark.parametrize("update", XY.updates.fget(XY()))
    def test_a_temperature_ten_per_cent_off(self, update):
        x = chains(XY(), self.SHAPE, 1.1 * self.T, update, 6000, seed=9)
        assert rejects(x, self.exact(), oracles.cosine())

    def test_samples_that_end_after_so_many_flips(self):
        model, means = XY(J=-1.0), []
        bonds, shape = oracles.bonds("square", (3, 3)), (3, 3)
        first, second = np.array(bonds).T
        table = np.array(
            [[j for a, b in bonds for j, i in ((a, b), (b, a)) if i == k] for k in range(9)],
            np.int32,
        )
        for rng in np.random.default_rng(10).spawn(24):
            spin = model.random_state(shape, rng).reshape(-1, 2)
            mark, stack = np.zeros(10, np.int64), np.empty(9, np.int32)
            energies = []
            for _ in range(1000):
                flipped = 0
                while flipped < 9:
                    flipped += kernels.clusters(
                        spin, table, (0, 1 / 0.8929, 0.0, 1), False, 1, mark, stack, rng
                    )
                energies.append(-(spin[first] * spin[second]).sum() / 9)
            means.append(np.mean(energies[50:]))
        assert abs(z_score(means, XY_TORI[3, 0.8929][0])) > 7

    @pytest.mark.parametrize("update", GeneralizedXY.updates)
    def test_another_bond_law(self, update):
        of_bond, t = oracles.generalized(0.15, 2), 0.5
        exact = oracles.Small(oracles.bonds("square", (2, 2)), lambda d: -of_bond(d) / t, 48)
        x = chains(GeneralizedXY(0.2), (2, 2), t, update, 3000, seed=11)
        assert rejects(x, exact, of_bond)

    @pytest.mark.parametrize("update", FullyFrustratedXY.updates)
    def test_another_flux(self, update):
        exact = oracles.xy("square", (2, 2), 2.0, 40)
        x = chains(FullyFrustratedXY(), (2, 2), 0.5, update, 1000, seed=12)
        assert rejects(x, exact, oracles.cosine())

    def test_the_quadrature_has_converged(self):
        of_bond = oracles.cosine()
        for case, fine in ((("square", (2, 2), 1 / 0.8929), 56), (("square", (2, 3), 1.0), 18)):
            coarse = oracles.xy(*case, 40 if fine == 56 else 16)
            np.testing.assert_allclose(
                coarse.moments(of_bond), oracles.xy(*case, fine).moments(of_bond), rtol=1e-8
            )


class TestBondEnergy:
    @pytest.mark.parametrize("K", [1e-3, 0.1, 0.159, 0.16, 0.7515, 3.0, 200.0])
    def test_villain(self, K):
        d = np.linspace(0, np.pi, 300)
        found = [kernels.bond_energy(math.cos(x), (kernels.VILLAIN, K, 0.0, 1)) for x in d]
        expected = -oracles.villain_log_weight(d, K) if K > 0.05 else -series(d, K)
        # arccos near +-1 knows d to sqrt(eps), where the energy has slope pi K at most
        np.testing.assert_allclose(found, expected, rtol=0, atol=3e-8 * K + 100 * EPS)

    @pytest.mark.parametrize("q", [1, 2, 3, 7])
    def test_generalized(self, q):
        d = np.linspace(0, np.pi, 100)
        law = (kernels.GENERALIZED, 1.7, 0.3, q)
        found = [kernels.bond_energy(math.cos(x), law) for x in d]
        expected = 1.7 * oracles.generalized(0.3, q)(d)
        np.testing.assert_allclose(found, expected, rtol=0, atol=20 * q * q * EPS)

    def test_constrained_and_cosine(self):
        law = (kernels.CONSTRAINED, 1.0, math.cos(1.0), 1)
        assert kernels.bond_energy(math.cos(0.999), law) == 0.0
        assert kernels.bond_energy(math.cos(1.001), law) == 1e30
        assert kernels.bond_energy(0.25, (kernels.COSINE, 2.0, 0.0, 1)) == -0.5


def series(d, K):
    """ln of the Villain weight by Poisson summation, for small K."""
    m = np.arange(1, 40)[:, None]
    return np.log1p(2 * (np.exp(-m * m / (2 * K)) * np.cos(m * d)).sum(0)) - 0.5 * np.log(
        2 * np.pi * K
    )


class TestMoves:
    def test_over_relaxation_conserves_the_energy(self):
        model, rng = FullyFrustratedXY(), np.random.default_rng(13)
        spins = model.random_state((6, 4), rng)
        table, field = Hypercubic((6, 4)).neighbours, model._field((6, 4))
        before = spins.copy()
        for _ in range(5):
            kernels.over_relax(spins.reshape(-1, 2), table, field)
        angle = [np.arctan2(s[..., 1], s[..., 0]) for s in (before, spins)]
        assert (np.abs(spins - before).max(-1) > 1e-6).all()
        e0, e1 = map(model.energy, angle)
        assert abs(e1 - e0) < 5 * 4 * 24 * 10 * EPS  # sweeps, bonds, sites, roundings of each

    @pytest.mark.parametrize("model", [XY(lattice="triangular"), GeneralizedXY(0.2), Villain()])
    def test_sweeps_and_clusters_are_counted(self, model):
        rng = np.random.default_rng(14)
        spins = model.random_state((4, 4), rng)
        for update in model.updates:
            _, visited = model.sample(spins, 1e-9 if update == "wolff" else 1.0, 3, 5, rng, update)
            assert 15 <= visited <= 240 if update == "wolff" else visited == 240
        hot = model.sample(spins, 1e300, 3, 5, rng, "wolff")[1]
        assert hot == 15

    def test_blocks_of_samples_are_the_same_bits(self):
        model = GeneralizedXY(0.3)
        for update in model.updates:
            one, two = (model.ordered((3, 4)) for _ in range(2))
            a, b = np.random.default_rng(15), np.random.default_rng(15)
            x, _ = model.sample(one, 0.7, 2, 6, a, update)
            parts = [model.sample(two, 0.7, 2, n, b, update)[0] for n in (1, 3, 2)]
            np.testing.assert_array_equal(x, np.concatenate(parts))
            np.testing.assert_array_equal(one, two)

    def test_swendsen_wang_reflects_half_of_the_clusters(self):
        """At infinite temperature every site is a cluster; Wolff starts anywhere."""
        model, rng = GeneralizedXY(0.5), np.random.default_rng(16)
        before = model.random_state((4, 5), rng).reshape(-1, 2)
        table = Hypercubic((4, 5)).neighbours
        mark, stack = np.zeros(21, np.int64), np.empty(20, np.int32)
        for whole, p, n_rounds in ((True, 0.5, 1000), (False, 0.05, 8000)):
            moved = np.zeros(20)
            for _ in range(n_rounds):
                after = before.copy()
                law = (kernels.GENERALIZED, 0.0, 0.5, 2)
                visited = kernels.clusters(after, table, law, whole, 1, mark, stack, rng)
                assert visited == (20 if whole else 1)
                moved += np.abs(after - before).max(-1) > 1e-12
            z = (moved - p * n_rounds) / math.sqrt(n_rounds * p * (1 - p))
            assert (np.abs(z) < 5).all()

    @pytest.mark.parametrize("q", [2, 3, 4])
    def test_half_of_the_clusters_are_domains_of_equal_q_theta(self, q):
        """Cold, with the angle 0 on one half of the lattice and 2 pi / q on the other, a cluster of
        a line that is drawn at random is all spins, but others are one half."""
        theta = np.zeros((8, 8))
        theta[:4] = 2 * math.pi / q
        before = np.stack([np.cos(theta), np.sin(theta)], -1).reshape(-1, 2)
        table, law = Hypercubic((8, 8)).neighbours, (kernels.GENERALIZED, 1e4, 0.15, q)
        mark, stack, rng = np.zeros(65, np.int64), np.empty(64, np.int32), np.random.default_rng(20)
        sizes = [
            kernels.clusters(before.copy(), table, law, False, 1, mark, stack, rng)
            for _ in range(1000)
        ]
        halves = sizes.count(32)
        assert sizes.count(64) + halves > 990  # a line through the spins is rare
        assert abs(halves - 500) < 5 * math.sqrt(250)

    def test_metropolis_accepts_about_half(self):
        """The width of the proposals suits the temperature."""
        for model in (XY(), XY(lattice="cubic"), Villain(), ConstrainedXY(1.2)):
            shape = model.shape(6)
            table = Hypercubic(shape).neighbours
            for t in (0.05, 0.5):
                rng = np.random.default_rng(17)
                spins = model.ordered(shape)
                model.sample(spins, t, 50, 1, rng, "metropolis")
                width = min(math.pi, model._width(t, table.shape[1]))
                accepted = kernels.metropolis(
                    spins.reshape(-1, 2), table, np.empty((0, 0, 2)), model._law(t), width, rng
                )
                assert 0.25 < accepted / len(table) < 0.75
