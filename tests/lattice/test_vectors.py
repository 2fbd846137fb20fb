"""Models of unit vectors against closed forms and quadrature: energies, samplers, contracts."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from topoml._core.errors import InputError
from topoml.kernels import vectors as kernels
from topoml.lattice import ChiralMagnet, Heisenberg, LebwohlLasher, Model, simulate, start, step
from topoml.lattice.chain import blocks
from topoml.lattice.geometry import LATTICES, lattice_of, shape_of
from topoml.lattice.unit_vectors import no_twist

from . import oracles
from . import vector_oracles as exact

pytestmark = pytest.mark.slow  # statistical, or processes

uniform = Heisenberg().random_state  # directions

EPS = np.finfo(np.float64).eps
MODELS = [Heisenberg(lattice="cubic"), LebwohlLasher(lattice="square"), ChiralMagnet(B=0.4)]
UPDATES = [(model, update) for model in MODELS for update in model.updates]


def named(value):
    return value.name if isinstance(value, Model) else None


def chains(model, shape, temperature, update, seed, *, samples=1500, rounds=2, n_chains=16):
    """Configurations (chain, sample, *shape, 3) from random starts, the first tenth left out."""
    out = []
    for rng in np.random.default_rng(seed).spawn(n_chains):
        spins = model.random_state(shape, rng)
        model.sample(spins, temperature, rounds, samples // 10, rng, update)
        out.append(model.sample(spins, temperature, rounds, samples, rng, update)[0])
    return np.stack(out).astype(float)


def deviations(energies, mean, variance):
    """|z| of the energy and of its variance, from energies (chain, sample)."""
    square = ((energies - mean) ** 2).mean(1)
    return (
        abs(oracles.z_score(energies.mean(1), mean)),
        abs(oracles.z_score(square, variance)),
    )


def linear(c):
    return c


def p2(c):
    return 1.5 * c**2 - 0.5


# Lattices that are rings: (lattice, shape, bonds between each two neighbours, bonds of sites to
# themselves, the first two neighbours in C order).
RINGS = [
    ("chain", (2,), (1, 1), 0, (0, 1)),
    ("chain", (3,), (1, 1, 1), 0, (0, 1)),
    ("square", (2, 2), (2, 2, 2, 2), 0, (0, 1)),
    ("square", (1, 4), (1, 1, 1, 1), 4, (0, 1)),
    ("cubic", (2, 1, 2), (2, 2, 2, 2), 4, (0, 1)),
    ("hypercubic", (1, 3, 1, 1), (1, 1, 1), 9, (0, 1)),
    ("triangular", (1, 3), (2, 2, 2), 3, (0, 1)),
    ("honeycomb", (1, 2, 2), (2, 1, 2, 1), 0, (0, 1)),
]


class TestClosedForms:
    """Rings by Legendre polynomials: every model of one angle, every update."""

    def test_the_oracle_against_langevin(self):
        """Two spins and one bond of coupling K: <s.s'> = coth K - 1 / K."""
        for k in (0.3, 2.0, 9.0):
            energy, variance, density = exact.ring(linear, 1 / k, (1, 0))
            mean = 1 / math.tanh(k) - 1 / k
            assert energy == pytest.approx(-mean, rel=1e-12)
            assert variance == pytest.approx(1 / k**2 - 1 / math.sinh(k) ** 2, rel=1e-9)
            assert density(0.4) == pytest.approx(k * math.exp(0.4 * k) / 2 / math.sinh(k), rel=1e-9)

    def test_the_oracle_against_quadrature(self):
        for f in (linear, p2):
            mean, variance, density = exact.ring(f, 0.8, (1, 1, 1))
            again = exact.ring_by_quadrature(
                lambda s, t, f=f: -f((s * t).sum(-1)), lambda s: np.zeros(s.shape[:-1]), 0.8, 3
            )
            np.testing.assert_allclose(again[:2], (mean, variance), rtol=1e-9)
            c, w = exact.C, exact.C_WEIGHT
            np.testing.assert_allclose(again[2], (w * c * density(c)).sum(), rtol=0, atol=1e-9)

    @pytest.mark.parametrize("update", Heisenberg.updates)
    @pytest.mark.parametrize(("lattice", "shape", "rings", "own", "pair"), RINGS)
    def test_heisenberg(self, lattice, shape, rings, own, pair, update):
        model, t = Heisenberg(J=1.5, lattice=lattice), 1.1
        mean, variance, _ = exact.ring(linear, t / 1.5, rings)
        x = chains(model, shape, t, update, seed=1)
        energies = model.energy(x)
        assert max(deviations(energies, 1.5 * (mean - own), 1.5**2 * variance)) < 5

    @pytest.mark.parametrize("update", LebwohlLasher.updates)
    @pytest.mark.parametrize(("lattice", "shape", "rings", "own", "pair"), RINGS)
    def test_lebwohl_lasher(self, lattice, shape, rings, own, pair, update):
        model, t = LebwohlLasher(J=1.5, lattice=lattice), 0.9
        mean, variance, _ = exact.ring(p2, t / 1.5, rings)
        x = chains(model, shape, t, update, seed=2)
        energies = model.energy(x)
        assert max(deviations(energies, 1.5 * (mean - own), 1.5**2 * variance)) < 5

    @pytest.mark.parametrize("temperature", [0.15, 4.0])
    @pytest.mark.parametrize(
        ("model", "update"), [mu for mu in UPDATES if mu[0].name != "chiral-magnet"], ids=named
    )
    def test_cold_and_hot(self, model, temperature, update):
        f = linear if model.name == "heisenberg" else p2
        model = type(model)(lattice="chain")
        mean, variance, _ = exact.ring(f, temperature, (1, 1, 1, 1))
        x = chains(model, (4,), temperature, update, seed=3)
        assert max(deviations(model.energy(x), mean, variance)) < 5

    @pytest.mark.parametrize(
        ("model", "update"), [mu for mu in UPDATES if mu[0].name != "chiral-magnet"], ids=named
    )
    @pytest.mark.parametrize("wrong", [1.0, 1.2])
    def test_distribution_of_a_bond(self, model, update, wrong):
        """Kolmogorov-Smirnov; the control, 20 % off the temperature, must fail."""
        f = linear if model.name == "heisenberg" else p2
        model = type(model)(lattice="chain")
        cdf = exact.distribution(exact.ring(f, 0.7, (1, 1, 1))[2])
        x = chains(model, (3,), 0.7 * wrong, update, seed=4, samples=1000, rounds=8)
        c = (x[:, :, 0] * x[:, :, 1]).sum(-1)
        p = kstest(c.ravel(), cdf).pvalue
        assert p > 1e-6 if wrong == 1.0 else p < 1e-9

    def test_four_spins_all_joined(self):
        """Triangular, 2 x 2: each two spins twice, E = -(M^2 - 4); M of two pairs of spins."""
        t, model = 1.7, Heisenberg(lattice="triangular")
        u, w = np.polynomial.legendre.leggauss(60)
        r = u + 1.0  # |s1 + s2| has the density r / 2 on [0, 2], and so has |s3 + s4|
        square = r[:, None, None] ** 2 + r[:, None] ** 2 + 2 * r[:, None, None] * r[:, None] * u
        weight = (w * r)[:, None, None] * (w * r)[:, None] * w * np.exp((square - 16) / t)
        mean = (weight * (4 - square)).sum() / weight.sum()
        variance = (weight * (4 - square - mean) ** 2).sum() / weight.sum()
        for update in model.updates:
            x = chains(model, (2, 2), t, update, seed=5)
            assert max(deviations(model.energy(x), mean, variance)) < 5

    def test_a_cube(self):
        """Cubic, 2 x 2 x 2: two bonds along each edge of a cube; four corners by quadrature."""
        t, h, model = 1.6, 1e-3, Heisenberg(lattice="cubic")
        down, at, up = (exact.log_z_of_a_cube(2 * beta) for beta in (1 / t - h, 1 / t, 1 / t + h))
        mean, variance = (down - up) / (2 * h), (up - 2 * at + down) / h**2
        for update in model.updates:
            x = chains(model, (2, 2, 2), t, update, seed=11)
            assert max(deviations(model.energy(x), mean, variance)) < 5


# A lattice that is a ring of 3 sites: steps along the ring in space, bonds of a site to itself.
TWISTED = [
    ("chain", (3,), [(1, 0, 0)], 0),
    ("square", (1, 3), [(0, 1, 0)], 1),
    ("square", (3, 1), [(1, 0, 0)], 1),
    ("cubic", (1, 1, 3), [(0, 0, 1)], 2),
    ("triangular", (1, 3), [(-0.5, 0.75**0.5, 0), (0.5, 0.75**0.5, 0)], 1),
    ("triangular", (3, 1), [(1, 0, 0), (0.5, 0.75**0.5, 0)], 1),
]


class TestChiralMagnet:
    @pytest.mark.parametrize("kind", ["bulk", "interfacial"])
    @pytest.mark.parametrize(("lattice", "shape", "steps", "own"), TWISTED)
    def test_three_spins_by_quadrature(self, lattice, shape, steps, own, kind):
        model, t = ChiralMagnet(J=0.8, D=-1.1, B=0.7, lattice=lattice, kind=kind), 0.9
        d = np.array(steps) if kind == "bulk" else np.cross([0, 0, 1], steps)

        def bond(s, u):
            cross = sum((np.cross(s, u) * one).sum(-1) for one in d)
            return -0.8 * len(d) * (s * u).sum(-1) + 1.1 * cross

        def site(s):
            return -0.7 * s[..., 2] - 0.8 * own

        mean, variance, product = exact.ring_by_quadrature(bond, site, t, 3)
        for update in model.updates:
            x = chains(model, shape, t, update, seed=6)
            assert max(deviations(model.energy(x), mean, variance)) < 5
            y = x.reshape(*x.shape[:2], 3, 3)
            c = (y * np.roll(y, -1, 2)).sum(-1).mean((1, 2))
            assert abs(oracles.z_score(c, product)) < 5
        twisted = exact.ring_by_quadrature(lambda s, u: bond(u, s), site, t, 3)
        np.testing.assert_allclose(twisted, (mean, variance, product), rtol=1e-9)

    @pytest.mark.parametrize("update", ChiralMagnet.updates)
    def test_the_sign_of_the_twist(self, update):
        """Turns about +e; the mean of e.(s_i x s_j), by quadrature, for D = 1, and not for D = -1.

        From <E> = -J <c> - D <e.(s x s')> without a field.
        """
        t, e = 0.6, np.array([1.0, 0.0, 0.0])

        def bond(s, u):
            return -(s * u).sum(-1) - (np.cross(s, u) @ e)

        mean, _, product = exact.ring_by_quadrature(bond, lambda s: 0.0 * s[..., 0], t, 8)
        turn = -mean / 8 - product
        assert turn > 0.3
        x = chains(ChiralMagnet(lattice="chain"), (8,), t, update, seed=7)
        found = (np.cross(x, np.roll(x, -1, 2)) @ e).mean((1, 2))
        assert abs(oracles.z_score(found, turn)) < 5
        assert abs(oracles.z_score(found, -turn)) > 100

    def test_a_free_spin_in_a_field(self):
        """<s_z> = coth(B / T) - T / B; the site's own bonds do nothing."""
        k = 0.7 / 0.4
        for update in ChiralMagnet.updates:
            x = chains(ChiralMagnet(B=0.7), (1, 1), 0.4, update, seed=8)
            up = x[..., 2].mean((1, 2, 3))
            assert abs(oracles.z_score(up, 1 / math.tanh(k) - 1 / k)) < 5
            assert abs(oracles.z_score(x[..., 0].mean((1, 2, 3)), 0.0)) < 5

    def test_without_twist_and_field_it_is_heisenberg(self):
        x = uniform((4, 5), np.random.default_rng(0))
        model = ChiralMagnet(J=1.3, D=0.0)
        np.testing.assert_allclose(model.energy(x), Heisenberg(J=1.3).energy(x), rtol=1e-13)

    def test_neel_is_bloch_turned(self):
        """d = z x e: turning the spins by 90 degrees about z makes one of the other."""
        x = uniform((4, 6), np.random.default_rng(1))
        turned = np.stack([-x[..., 1], x[..., 0], x[..., 2]], -1)
        bulk, neel = ChiralMagnet(B=0.3), ChiralMagnet(B=0.3, kind="interfacial")
        np.testing.assert_allclose(neel.energy(turned), bulk.energy(x), rtol=1e-13)
        assert abs(neel.energy(x) - bulk.energy(x)) > 0.1

    @pytest.mark.parametrize("kind", ["bulk", "interfacial"])
    @pytest.mark.parametrize(("lattice", "angle"), [("square", 90), ("triangular", 60)])
    def test_lattice_and_spins_turn_together(self, lattice, angle, kind):
        n, a = 6, math.radians(angle)
        model = ChiralMagnet(D=0.9, B=0.3, lattice=lattice, kind=kind)
        x = uniform((n, n), np.random.default_rng(2))
        turn = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
        i, j = np.indices((n, n))
        to = (-j % n, i) if lattice == "square" else ((i - j) % n, i)
        sites, both = np.empty_like(x), np.empty_like(x)
        sites[to] = x
        both[to] = x @ turn.T
        assert model.energy(both) == pytest.approx(model.energy(x), rel=1e-12)
        assert abs(model.energy(sites) - model.energy(x)) > 0.1

    def test_mirror_images(self):
        x = uniform((5, 4), np.random.default_rng(3))
        model, other = ChiralMagnet(D=0.9, B=0.3), ChiralMagnet(D=-0.9, B=0.3)
        mirrored = x[::-1] * [-1, 1, 1]  # an axial vector would keep D: this one is not
        assert ChiralMagnet(D=0.9, B=-0.3).energy(-x) == pytest.approx(model.energy(x), rel=1e-12)
        assert other.energy(mirrored) == pytest.approx(model.energy(x), rel=1e-12)
        assert abs(model.energy(mirrored) - model.energy(x)) > 0.1

    def test_a_cold_helix(self):
        """8 sites a turn along a chain: all modes but one, the turn about x, cost energy.

        e = -(J^2 + D^2)^(1/2) + (1 - 1 / 16) T, up to order T^2.
        """
        t, model = 0.01, ChiralMagnet(D=math.tan(math.pi / 4), lattice="chain")
        turn = np.arange(8) * math.pi / 4
        helix = np.stack([0 * turn, np.cos(turn), np.sin(turn)], -1)
        assert model.energy(helix) == pytest.approx(-8 * math.sqrt(2), rel=1e-12)
        energies = []
        for rng in np.random.default_rng(9).spawn(16):
            spins = helix.copy()
            x, _ = model.sample(spins, t, 4, 500, rng, "over-relaxation")
            energies.append(model.energy(x[100:].astype(float)).mean() / 8)
        error = np.std(energies, ddof=1) / 4
        assert error < 2e-4
        assert abs(np.mean(energies) + math.sqrt(2) - 15 / 16 * t) < 5 * error + t**2


class TestEnergies:
    @pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
    @pytest.mark.parametrize("lattice", LATTICES)
    @settings(max_examples=10)
    @given(seed=st.integers(0, 2**32), batch=st.sampled_from([(), (3,), (2, 2)]))
    def test_sums_over_bonds(self, lattice, kind, seed, batch):
        shape = shape_of(lattice, 3)
        x = uniform((*batch, *shape), np.random.default_rng(seed))
        flat = x.reshape(*batch, -1, 3)
        c = [
            (flat[..., a, :] * flat[..., b, :]).sum(-1) for a, b in lattice_of(lattice, shape).bonds
        ]
        for model, f in ((Heisenberg(2.0, lattice), linear), (LebwohlLasher(2.0, lattice), p2)):
            found = model.energy(kind(x))
            assert isinstance(found, type(kind(x)) if batch or kind is not np.asarray else object)
            tolerance = 8 * EPS * 2 * len(c)  # a few roundings for each bond
            np.testing.assert_allclose(
                np.asarray(found), -2 * sum(map(f, c)), rtol=0, atol=tolerance
            )

    @pytest.mark.parametrize("model", MODELS, ids=named)
    def test_gradients(self, model):
        x = torch.from_numpy(uniform(model.shape(2), np.random.default_rng(0))).requires_grad_()
        assert torch.autograd.gradcheck(model.energy, x)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("model", MODELS, ids=named)
    def test_dtype_in_is_dtype_out(self, model, dtype):
        x = model.ordered(model.shape(3)).astype(dtype)
        assert model.energy(x).dtype == dtype
        assert model.energy(torch.from_numpy(x)).numpy().dtype == dtype

    def test_turned_axes(self):
        rng = np.random.default_rng(4)
        x, sign = uniform((3, 3, 3), rng), rng.choice([-1.0, 1.0], (3, 3, 3, 1))
        q, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        for y in (x * sign, x @ q):
            assert LebwohlLasher().energy(y) == pytest.approx(LebwohlLasher().energy(x), rel=1e-11)
        cubic = Heisenberg(lattice="cubic")
        assert cubic.energy(x @ q) == pytest.approx(cubic.energy(x), rel=1e-11)
        assert abs(cubic.energy(x * sign) - cubic.energy(x)) > 0.1


class TestBroken:
    """Controls: what is wrong on purpose must be seen by the tests above."""

    def broken(self, f, run, samples=2000):
        mean, variance, _ = exact.ring(f, 0.7, (1, 1, 1))
        table, energies = lattice_of("chain", (3,)).neighbours, []
        for rng in np.random.default_rng(10).spawn(16):
            spins = uniform((3,), rng)
            for out in (np.empty((200, 3, 3), np.float32), np.empty((samples, 3, 3), np.float32)):
                run(spins, table, out, rng)
            c = (out * np.roll(out, 1, 1)).sum(-1)
            energies.append(-f(c).sum(-1))
        return max(deviations(np.stack(energies), mean, variance))

    @pytest.mark.parametrize("wrong", [1.0, 1.2])
    def test_bonds_that_join_too_often(self, wrong):
        k, j = wrong / 0.7, wrong * 1.5 / 0.7

        def wolff(spins, table, out, rng):
            kernels.clusters(spins, table, k, 0.0, 3, False, 0, out, rng)

        def nematic(spins, table, out, rng):
            kernels.clusters(spins, table, 0.0, j, 3, False, 0, out, rng)

        for f, run in ((linear, wolff), (p2, nematic)):
            z = self.broken(f, run)
            assert z < 5 if wrong == 1.0 else z > 10

    def test_half_of_the_change_of_a_bond(self):
        """The rule of Heisenberg's bonds, for nematic ones."""

        def run(spins, table, out, rng):
            kernels.clusters(spins, table, 1.5 / 0.7, 0.0, 3, False, 0, out, rng)

        assert self.broken(p2, run) > 10

    def test_samples_as_soon_as_all_spins_have_moved(self):
        """A sample after so many clusters as happen to flip 3 spins is biased."""

        def run(spins, table, out, rng):
            one = np.empty((1, 3, 3), np.float32)
            for sample in range(len(out)):
                flipped = 0
                while flipped < 3:
                    flipped += kernels.clusters(
                        spins, table, 1 / 0.7, 0.0, 1, False, 0, one, rng
                    )  # fmt: skip
                out[sample] = one[0]

        assert self.broken(linear, run, samples=4000) > 10


class TestKernels:
    @pytest.mark.parametrize("lattice", LATTICES)
    def test_over_relaxation(self, lattice):
        """The energy stays, every spin moves, and the same reflections backwards undo it."""
        shape = shape_of(lattice, 4 if lattice != "hypercubic" else 3)
        x = uniform(shape, np.random.default_rng(5)).reshape(-1, 3)
        table, after = lattice_of(lattice, shape).neighbours, x.copy()
        kernels._over_relax(after, table, 1.0, no_twist(table), np.zeros(3), False)
        model = Heisenberg(lattice=lattice)
        before, energy = (float(model.energy(y.reshape(*shape, 3))) for y in (x, after))
        assert abs(energy - before) < 200 * EPS * len(x)
        assert (np.abs(after - x).max(1) > 1e-6).all()
        for site in [*range(0, len(x), 2), *range(1, len(x), 2)][::-1]:
            h = after[table[site]].sum(0)
            h /= np.linalg.norm(h)
            after[site] = 2 * (after[site] @ h) * h - after[site]
        # a reflection amplifies the error of its field by 2 / |h|; 1e-11 found, fixed seed
        np.testing.assert_allclose(after, x, rtol=0, atol=1e-9)

    @pytest.mark.parametrize("kind", ["bulk", "interfacial"])
    def test_over_relaxation_of_a_chiral_magnet(self, kind):
        """Heat bath at T = infinity would change the energy; the mirrors alone must not."""
        model = ChiralMagnet(B=0.3, lattice="triangular", kind=kind)
        x = uniform((4, 5), np.random.default_rng(6))
        table, after = lattice_of("triangular", (4, 5)).neighbours, x.copy()
        twist = np.stack([model.axes, -model.axes], 1).reshape(-1, 3)
        kernels._over_relax(
            after.reshape(-1, 3), table, 1.0, twist, np.array([0, 0, 0.3]), True
        )  # fmt: skip
        assert abs(float(model.energy(after) - model.energy(x))) < 200 * EPS * 20
        assert (np.abs(after - x).max(-1) > 1e-6).all()

    @pytest.mark.parametrize("axis", [(0, 0, 1), (0, 0, -1), (0.6, 0, 0.8), (0.6, -0.8, 0)])
    def test_turned_vectors(self, axis):
        """Cosine to the axis as asked for, azimuth uniform (its first two harmonics)."""
        rng, axis = np.random.default_rng(7), np.array(axis, float)
        x = np.array([kernels._turned(*axis, 0.7, rng) for _ in range(4000)])
        np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1.0, rtol=0, atol=4 * EPS)
        np.testing.assert_allclose(x @ axis, 0.3, rtol=0, atol=4 * EPS)
        side = x - 0.3 * axis
        assert (np.abs(side.sum(0)) < 5 * np.sqrt(4000 * 0.91 / 2)).all()
        square = side.T @ side / 4000 - 0.91 / 2 * (np.eye(3) - np.outer(axis, axis))
        assert (np.abs(square) < 5 * 0.91 / 2 / np.sqrt(4000)).all()

    @pytest.mark.parametrize("k", [0.0, 1e-9, 0.3, 5.0, 400.0])
    def test_heat_bath_in_a_given_field(self, k):
        rng, axis = np.random.default_rng(8), np.array([0.6, 0.0, -0.8])
        c = np.array([kernels._drawn(*(2 * axis), k / 2, rng) for _ in range(4000)]) @ axis

        def cdf(c):
            if k < 1e-6:
                return (c + 1) / 2
            return (np.exp(k * (c - 1)) - np.exp(-2 * k)) / (1 - np.exp(-2 * k))

        assert kstest(c, cdf).pvalue > 1e-6
        assert kstest(c, lambda c: cdf(c) ** 1.2).pvalue < 1e-6

    def test_clusters_start_anywhere(self):
        """At infinite temperature Wolff moves one site, all alike, along a uniform direction."""
        table, spins = lattice_of("chain", (5,)).neighbours, uniform((5,), np.random.default_rng(9))
        out, rng = np.empty((5000, 5, 3), np.float32), np.random.default_rng(1)
        assert kernels.clusters(spins, table, 0.0, 0.0, 1, False, 0, out, rng) == 5000
        step = np.diff(out.astype(float), axis=0)
        moved = (step != 0).any(-1).sum(0)
        assert (np.abs(moved - 1000) < 5 * np.sqrt(1000)).all()
        r = step.sum(1)  # only one is not 0
        r /= np.linalg.norm(r, axis=1, keepdims=True)
        assert (np.abs(r.T @ r / len(r) - np.eye(3) / 3) < 5 * np.sqrt(4 / 45 / len(r))).all()

    def test_spins_are_brought_back_to_unit_length(self):
        table, x = lattice_of("chain", (9,)).neighbours, uniform((9,), np.random.default_rng(2))
        spins, out = 1.01 * x, np.empty((1, 9, 3), np.float32)
        kernels.clusters(spins, table, 1.0, 0.0, 0, False, 0, out, np.random.default_rng(3))
        np.testing.assert_allclose(spins, x, rtol=0, atol=4 * EPS)
        np.testing.assert_array_equal(out[0], spins.astype(np.float32))

    def test_metropolis_proposes_on_the_cap(self):
        """At infinite temperature a step's cosine is uniform on [1 - cap, 1]."""
        table, spins = (
            lattice_of("chain", (1,)).neighbours,
            uniform((1,), np.random.default_rng(1)),
        )
        out = np.empty((4000, 1, 3), np.float32)
        kernels.sweeps(
            spins, table, 0.0, 1.0, 0.0, no_twist(table), np.zeros(3), 1, 0.5, 0, out,
            np.random.default_rng(2),
        )  # fmt: skip
        c = (out[1:] * out[:-1]).sum(-1).ravel()
        assert kstest(c, "uniform", (0.5, 0.5)).pvalue > 1e-6


class TestContract:
    @pytest.mark.parametrize(("model", "update"), UPDATES, ids=named)
    def test_blocks_are_steps(self, model, update):
        state = start(model, model.shape(3), 1.3, update=update, rng=np.random.default_rng(0))
        before = state.spins.copy()
        rng, again = np.random.default_rng(1), np.random.default_rng(1)
        together = list(blocks(state, 11, rng))
        np.testing.assert_array_equal(state.spins, before)
        one_by_one = []
        for _ in range(11):
            state, info = step(state, again)
            one_by_one.append(info.configuration)
            assert info.configuration.dtype == model.dtype
            if update == "wolff":
                assert 1 <= info.flipped <= state.n_spins
            else:
                assert info.flipped == state.n_spins * (5 if update == "over-relaxation" else 1)
        np.testing.assert_array_equal(np.concatenate([x for _, x in together]), one_by_one)
        np.testing.assert_array_equal(together[-1][0].spins, state.spins)
        np.testing.assert_array_equal(one_by_one[-1], state.spins.astype(np.float32))

    @pytest.mark.parametrize(("model", "update"), UPDATES, ids=named)
    def test_ensembles(self, model, update):
        e = simulate(model, sizes=[3], temperatures=[0.9, 2.0], samples=16, seed=0, n_chains=4,
                     update=update, n_jobs=1)  # fmt: skip
        x = e.configurations(size=3, temperature=0.9)
        assert x.shape == (4, 4, *model.shape(3), 3)
        np.testing.assert_allclose(np.linalg.norm(x, axis=-1), 1.0, rtol=0, atol=2e-7)
        energies = e.energy(size=3, temperature=0.9)
        np.testing.assert_allclose(
            energies * model.n_sites(model.shape(3)), model.energy(x), rtol=1e-6
        )
        assert energies.mean() < e.energy(size=3, temperature=2.0).mean()
        if update not in ("wolff", "swendsen-wang"):
            assert set(e.thinning[3][0.9]) == {1}

    @pytest.mark.parametrize(("model", "update"), UPDATES, ids=named)
    @pytest.mark.parametrize("temperature", [1e-300, 1e300])
    def test_ends_of_the_temperature(self, model, update, temperature):
        spins = model.random_state(model.shape(4), np.random.default_rng(3))
        x, _ = model.sample(spins, temperature, 2, 50, np.random.default_rng(4), update)
        np.testing.assert_allclose(np.linalg.norm(x, axis=-1), 1.0, rtol=0, atol=2e-7)
        energies = model.energy(x.astype(float))
        if temperature > 1:
            assert abs(energies[10:].mean()) < 0.5 * x.shape[1] ** (x.ndim - 2)
        elif update in ("heat bath", "over-relaxation"):
            assert (np.diff(energies) < 1e-5).all()

    def test_facts(self):
        for model in MODELS:
            assert isinstance(model, Model)
            assert model.components == (3,)
        assert Heisenberg(J=2.0).known_transition is None
        value, error, source = Heisenberg(J=2.0, lattice="cubic").known_transition
        assert value == pytest.approx(2 * 1.4429952)
        assert error == pytest.approx(2 * 4.16e-6, rel=1e-2)
        assert "Deng" in source
        assert [Heisenberg(lattice=x).order for x in ("square", "cubic")] == [
            "none",
            "second order",
        ]
        value, error, source = LebwohlLasher().known_transition
        assert (value, error) == (1.1232, 0.0006)
        assert "Fabbri" in source
        assert LebwohlLasher(lattice="square").known_transition is None
        assert [LebwohlLasher(lattice=x).order for x in ("square", "cubic")] == [
            "none",
            "first order",
        ]
        assert ChiralMagnet().known_transition is None

    def test_states(self):
        for model in MODELS:
            x = model.random_state(model.shape(10), np.random.default_rng(0))
            np.testing.assert_allclose((x**2).sum(-1), 1.0, rtol=1e-15)
            n = x.size / 3
            assert (np.abs(x.reshape(-1, 3).sum(0)) < 5 * np.sqrt(n / 3)).all()
            assert (model.ordered((2, 3)) == [0.0, 0.0, 1.0]).all()

    def test_bad_input(self):
        with pytest.raises(InputError, match=r"^`J` is 0; expected a finite number above 0"):
            Heisenberg(J=0)
        with pytest.raises(InputError, match=r"^`lattice` is 'kagome'; expected one of 'chain'"):
            LebwohlLasher(lattice="kagome")
        with pytest.raises(InputError, match=r"^`lattice` is 'honeycomb'; expected one of 'chain'"):
            ChiralMagnet(lattice="honeycomb")
        with pytest.raises(InputError, match=r"^`kind` is 'neel'; expected one of 'bulk', 'inter"):
            ChiralMagnet(kind="neel")
        for name in "DB":
            with pytest.raises(InputError, match=rf"^`{name}` is nan; expected a finite number"):
                ChiralMagnet(**{name: math.nan})
        with pytest.raises(
            InputError, match=r"has shape \(3, 3\); expected \(\*batch, L0, L1, 3\)"
        ):
            Heisenberg().energy(np.zeros((3, 3)))
        with pytest.raises(
            InputError, match=r"has shape \(4, 4, 2\); expected \(\*batch, L0, L1, 3"
        ):
            ChiralMagnet().energy(np.zeros((4, 4, 2)))
        with pytest.raises(InputError, match=r"expected \(L0, L1, 2\), two sites a cell"):
            Heisenberg(lattice="honeycomb").energy(np.zeros((4, 4, 4, 3)))
        with pytest.raises(InputError, match=r"^`configurations` is of type list"):
            LebwohlLasher().energy([1.0])
        with pytest.raises(
            InputError, match=r"^`update` is 'heat bath'; expected one of 'wolff', 'm"
        ):
            start(LebwohlLasher(), (2, 2, 2), 1.0, update="heat bath")
