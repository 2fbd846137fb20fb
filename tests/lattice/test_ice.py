"""Square ice and six-vertex models against all states of small tori and the transfer matrix."""

import math
from collections import Counter
from functools import cache

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from topoml._core.errors import InputError
from topoml.kernels import ice as kernels
from topoml.lattice import Model, SquareIce, simulate, start, step
from topoml.lattice.chain import blocks, thermalisation
from topoml.lattice.geometry import lattice_of
from topoml.lattice.ice import _CODES, _log_weights, _ways_out

from . import oracles
from . import vector_oracles as exact

SHAPES = [(1, 1), (1, 3), (2, 1), (2, 2), (2, 3), (3, 2), (3, 3)]
F_MODEL = SquareIce(a=1.0, b=1.0)
SIX = SquareIce(a=0.3, b=1.1, c=0.4)


@cache
def states(shape):
    """All of a torus, by their bits: number to place, and the states themselves."""
    x = exact.ice(shape)
    return {one.tobytes(): k for k, one in enumerate(x)}, x


def chains(model, shape, temperature, update, seed, *, samples, rounds, n_chains=8):
    """Arrows (chain, sample, 2, L0, L1) from the ordered state, the first tenth left out."""
    out = []
    for rng in np.random.default_rng(seed).spawn(n_chains):
        x = model.ordered((2, *shape))
        model.sample(x, temperature, rounds, samples // 10, rng, update)
        out.append(model.sample(x, temperature, rounds, samples, rng, update)[0])
    return np.stack(out)


def chi_squared(count, expected):
    """Of counts against expected ones, over its limit at a p-value of 1e-6."""
    assert expected.min() > 5
    limit = chi2.isf(1e-6, max(len(count) - 1, 1))
    return ((count - expected) ** 2 / expected).sum() / limit


def counts(x, shape):
    """How often each state of a torus is among the samples; a KeyError for any other."""
    number, every = states(shape)
    return np.bincount([number[one.tobytes()] for one in x], minlength=len(every))


def sectors(flux):
    return Counter(map(tuple, np.asarray(flux).round().astype(int)))


def test_the_oracle():
    """Numbers of states: 18 and 148 of 2 x 2 and 3 x 3, and traces of the transfer matrix."""
    assert len(states((2, 2))[1]) == 18
    assert len(states((3, 3))[1]) == 148
    for shape in SHAPES:
        n = exact.vertices(states(shape)[1])
        a, b, c = 1.3, 0.7, 1.1
        z = (a ** n[:, 0] * b ** n[:, 1] * c ** n[:, 2]).sum()
        assert exact.log_z(shape, a, b, c) == pytest.approx(math.log(z), rel=1e-12)


def test_the_entropy_of_ice():
    """Lieb: W = (4 / 3)^(3 / 2) a site, from strips of width L, without 1 / L^2 and 1 / L^4."""
    sizes = np.array([4, 6, 8])
    w = [np.linalg.eigvals(exact.transfer(n, 1, 1, 1)).real.max() ** (1 / n) for n in sizes]
    limit = np.linalg.solve(np.vander(1.0 / sizes**2, 3), np.log(w))[-1]
    assert limit == pytest.approx(1.5 * math.log(4 / 3), rel=3e-4)  # 1 / L^6 is left: 1.1e-4


@pytest.mark.parametrize("update", SquareIce.updates)
@pytest.mark.parametrize("shape", SHAPES)
def test_ice_is_uniform(shape, update):
    """Chi-squared over all states and over the sectors of the flux; both updates, doubled bonds."""
    rounds = 6 if update == "long loop" else 12
    x = chains(SquareIce(), shape, 1.0, update, seed=1, samples=2500, rounds=rounds)
    x = x.reshape(-1, 2, *shape)
    _, every = states(shape)
    n = len(every)
    assert chi_squared(counts(x, shape), np.full(n, len(x) / n)) < 1
    found, expected = sectors(SquareIce().flux(x)), sectors(SquareIce().flux(every))
    assert set(found) == set(expected)
    share = np.array([expected[k] / n for k in expected])
    assert chi_squared(np.array([found[k] for k in expected]), share * len(x)) < 1


@pytest.mark.parametrize("update", SquareIce.updates)
@pytest.mark.parametrize("shape", [(2, 2), (2, 3), (3, 2)])
@pytest.mark.parametrize("wrong", [1.0, 1.3])
def test_weights_of_all_states(shape, update, wrong):
    """The six-vertex model at T = 0.8; the control, 30 % off, must fail."""
    rounds = 8 if update == "long loop" else 16
    x = chains(SIX, shape, 0.8 * wrong, update, seed=2, samples=3000, rounds=rounds)
    _, every = states(shape)
    weight = np.exp(-exact.vertices(every) @ [0.3, 1.1, 0.4] / 0.8)
    n = 8 * 3000
    off = chi_squared(counts(x.reshape(-1, 2, *shape), shape), n * weight / weight.sum())
    assert off < 1 if wrong == 1.0 else off > 2


@pytest.mark.parametrize("update", SquareIce.updates)
@pytest.mark.parametrize("model", [F_MODEL, SIX], ids=["F", "six"])
def test_energy_of_larger_tori(model, update):
    """4 x 6 sites: energy and its variance from the transfer matrix."""
    shape, t, h = (4, 6), 1.3, 1e-3
    energies = np.array([model.a, model.b, model.c])
    down, at, up = (
        exact.log_z(shape, *np.exp(-b * energies)) for b in (1 / t - h, 1 / t, 1 / t + h)
    )
    mean, variance = (down - up) / (2 * h), (up - 2 * at + down) / h**2
    rounds = 4 if update == "long loop" else 8
    x = chains(model, shape, t, update, seed=3, samples=1500, rounds=rounds, n_chains=16)
    e = model.energy(x)
    assert abs(oracles.z_score(e.mean(1), mean)) < 5
    # h^2 / 12 times the fourth derivative, some N: far below the error
    assert abs(oracles.z_score(((e - mean) ** 2).mean(1), variance)) < 5


@pytest.mark.parametrize("update", SquareIce.updates)
def test_winding_at_size_six(update):
    """The flux along axis 1 of 6 x 6 ice from blocks of the transfer matrix."""
    matrix = exact.transfer(6, 1.0, 1.0, 1.0)
    up = np.array([bin(k).count("1") for k in range(64)])
    z = np.array(
        [np.trace(np.linalg.matrix_power(matrix[np.ix_(up == k, up == k)], 6)) for k in range(7)]
    )
    square = (z * (2 * np.arange(7) - 6) ** 2).sum() / z.sum()
    still = z[3] / z.sum()
    rounds = 4 if update == "long loop" else 40
    x = chains(SquareIce(), (6, 6), 1.0, update, seed=4, samples=1000, rounds=rounds, n_chains=16)
    for axis in (0, 1):
        flux = SquareIce().flux(x)[..., axis]
        assert abs(oracles.z_score((flux**2).mean(1), square)) < 5
        assert abs(oracles.z_score((flux == 0).mean(1), still)) < 5
        assert abs(oracles.z_score(flux.mean(1), 0.0)) < 5
    assert set(np.unique(SquareIce().flux(x))) >= {-4.0, -2.0, 0.0, 2.0, 4.0}


class TestLoops:
    @pytest.mark.parametrize("weights", [(0, 0, 0), (0, -1, -2), (-0.3, -0.1, -40), (0, -900, 0)])
    def test_ways_out_balance(self, weights):
        table, w = _ways_out(*weights), np.exp(_log_weights(*weights))
        p = np.diff(table, axis=-1, prepend=0.0)
        assert (p > -1e-15).all()
        for v in range(16):
            for i in range(4):
                if v not in _CODES:
                    continue
                assert table[v, i, 3] == 1.0
                for k in range(4):
                    there = v ^ 1 << i ^ 1 << k
                    if there not in _CODES:
                        assert p[v, i, k] == 0.0
                    else:
                        assert w[v] * p[v, i, k] == pytest.approx(
                            w[there] * p[there, k, i], abs=1e-15
                        )
        if weights == (0, 0, 0):  # never back, and both other ways alike
            assert all(p[v, i, i] == 0.0 for v in _CODES for i in range(4))

    def test_a_table_out_of_balance_is_seen(self):
        """The control: the ways out by their weights, without Metropolis' correction."""
        weights = (-0.4, -1.4, -0.5)
        right, w = _ways_out(*weights), np.exp(_log_weights(*weights))
        table = np.ones((16, 4, 4))
        for v in _CODES:
            for i in range(4):
                p = np.array([w[v ^ 1 << i ^ 1 << k] if k != i else 0.0 for k in range(4)])
                table[v, i] = np.cumsum(p) / p.sum()
                table[v, i, 3 if p[3] > 0.0 else 2 :] = 1.0
        assert self.off(kernels.long_loops, table, weights) > 2
        assert self.off(kernels.long_loops, right, weights) < 1

    def test_an_acceptance_out_of_balance_is_seen(self):
        weights = (-0.4, -1.4, -0.5)
        assert self.off(kernels.short_loops, 0.7 * _log_weights(*weights), weights) > 2
        assert self.off(kernels.short_loops, _log_weights(*weights), weights) < 1

    def off(self, kernel, table, weights, shape=(2, 3)):
        """Chi-squared from the weights over its limit."""
        code, out = np.full(6, 0b0101, np.uint8), np.empty((20_000, 6), np.uint8)
        neighbours, rng = lattice_of("square", shape).neighbours, np.random.default_rng(5)
        kernel(code, neighbours, table, 16, out, rng)
        x = np.stack([out & 1, out >> 2 & 1], 1).astype(np.int8) * 2 - 1
        found = counts(x.reshape(-1, 2, *shape).astype(np.int8), shape)
        w = np.exp(exact.vertices(states(shape)[1]) @ weights)
        return chi_squared(found, w / w.sum() * len(x))

    @pytest.mark.parametrize("update", SquareIce.updates)
    def test_one_loop_at_a_time(self, update):
        """What one round changes is one closed walk; the short one meets no vertex twice."""
        model, rng = SquareIce(), np.random.default_rng(6)
        x = model.random_state((2, 6, 5), rng)
        for _ in range(200):
            y, visited = model.sample(x.copy(), 1.0, 1, 1, rng, update)
            changed = y[0] != x
            ends = changed[0].astype(int) + changed[1]
            ends += np.roll(changed[0], 1, 0).astype(int) + np.roll(changed[1], 1, 1)
            assert set(np.unique(ends)) <= ({0, 2} if update == "short loop" else {0, 2, 4})
            assert (model.charge(y) == 0).all()
            if update == "short loop":
                assert changed.sum() <= visited
            x = y[0]

    def test_short_loops_begin_anywhere(self):
        """Each bond of ice is turned over alike often, by either update."""
        for update in SquareIce.updates:
            x, _ = SquareIce().sample(
                SquareIce().ordered((2, 4, 5)), 1.0, 1, 30_000, np.random.default_rng(7), update
            )
            often = (np.diff(x, axis=0) != 0).mean(0)
            for axis in (0, 1):
                spread = often[axis].std() / often[axis].mean()
                assert spread < 5 / math.sqrt(30_000 * often.min())

    def test_no_temperature(self):
        """Ice is uniform at all of them, and the F model freezes into its two ground states."""
        rng = np.random.default_rng(8)
        for update in SquareIce.updates:
            same = []
            for t in (1e-300, 1.0, 1e300):
                x, seed = SquareIce().ordered((2, 4, 4)), np.random.default_rng(1)
                same.append(SquareIce().sample(x, t, 3, 5, seed, update)[0])
            np.testing.assert_array_equal(same[0], same[1])
            np.testing.assert_array_equal(same[1], same[2])
            x, _ = F_MODEL.sample(F_MODEL.random_state((2, 4, 4), rng), 0.1, 50, 40, rng, update)
            assert (F_MODEL.energy(x[-20:]) == 0.0).all()


class TestModel:
    @pytest.mark.parametrize("shape", SHAPES)
    def test_energy_charge_flux(self, shape):
        _, every = states(shape)
        n = exact.vertices(every)
        np.testing.assert_allclose(SIX.energy(every), n @ [0.3, 1.1, 0.4], rtol=1e-13)
        np.testing.assert_allclose(
            SIX.energy(torch.from_numpy(every)), n @ [0.3, 1.1, 0.4], rtol=1e-13
        )
        assert SIX.energy(every.astype(np.float32)).dtype == np.float32
        assert SIX.energy(every).dtype == np.float64
        charge = SIX.charge(every)
        assert charge.dtype == np.int8
        assert (charge == 0).all()
        flux = SIX.flux(every)
        assert (flux[:, 0, None] == every[:, 0].sum(-1)).all()
        assert (flux[:, 1, None] == every[:, 1].sum(-2)).all()
        np.testing.assert_array_equal(SIX.flux(torch.from_numpy(every)), flux)

    def test_charge(self):
        """One arrow turned over leaves a charge at either end."""
        x = SIX.ordered((2, 3, 4))
        x[0, 1, 2] = -1
        charge = SIX.charge(x)
        assert (charge[1, 2], charge[2, 2], abs(charge).sum()) == (-1, 1, 2)
        np.testing.assert_array_equal(SIX.charge(torch.from_numpy(x)), charge)

    @pytest.mark.parametrize("shape", [(4, 6), (3, 4), (1, 1)])
    @pytest.mark.parametrize(
        "model", [SquareIce(), SquareIce(a=-1.0), SquareIce(b=-1.0), F_MODEL, SIX]
    )
    def test_ordered(self, model, shape):
        x = model.ordered((2, *shape))
        assert x.dtype == np.int8
        assert (model.charge(x) == 0).all()
        n = math.prod(shape)
        if min(model.a, model.b) <= model.c or shape == (4, 6):
            assert model.energy(x) == pytest.approx(n * min(model.a, model.b, model.c))

    def test_random_state(self):
        """Fair arrows, and about the entropy's fluctuations: a third of each kind of vertex."""
        rng = np.random.default_rng(9)
        x = np.stack([F_MODEL.random_state((2, 12, 12), rng) for _ in range(100)])
        assert (F_MODEL.charge(x) == 0).all()
        per_state = x.mean((1, 2, 3))
        assert abs(oracles.z_score(per_state, 0.0)) < 5
        y = chains(SquareIce(), (12, 12), 1.0, "long loop", seed=11, samples=100, rounds=64)
        for model in (F_MODEL, SIX):
            a, b = model.energy(x), model.energy(y).mean(1)
            gap = a.mean() - b.mean()
            assert abs(gap) < 5 * math.hypot(a.std() / 10, b.std(ddof=1) / math.sqrt(8))

    def test_facts(self):
        assert isinstance(SIX, Model)
        assert SquareIce().known_transition is None
        assert SquareIce().order == "none"
        assert SquareIce(c=1.0).known_transition is None  # a and b tie
        value, error, source = SquareIce(a=2.0, b=2.0).known_transition
        assert (value, error) == (2 / math.log(2), None)
        assert "Lieb" in source
        assert F_MODEL.order == "BKT"
        kdp = SquareIce(b=1.0, c=1.0)
        assert kdp.known_transition.value == pytest.approx(1 / math.log(2), rel=1e-15)
        assert kdp.order == "first order"
        t = SIX.known_transition.value
        assert math.exp(-0.1 / t) + math.exp(-0.8 / t) == pytest.approx(1.0, rel=1e-12)
        a, b, c = (math.exp(-e / t) for e in (0.3, 1.1, 0.4))
        assert (a * a + b * b - c * c) / (2 * a * b) == pytest.approx(1.0, rel=1e-12)  # Delta

    def test_bad_input(self):
        for name in "abc":
            with pytest.raises(InputError, match=rf"^`{name}` is inf; expected a finite number"):
                SquareIce(**{name: math.inf})
        with pytest.raises(
            InputError, match=r"has shape \(3, 4\); expected \(\*batch, 2, L0, L1\)"
        ):
            SquareIce().energy(np.ones((3, 4)))
        with pytest.raises(InputError, match=r"has shape \(3, 4, 4\); expected \(\*batch, 2, L0"):
            SquareIce().flux(np.ones((3, 4, 4)))
        broken = SquareIce().ordered((2, 3, 3))
        broken[0, 0, 0] = -1
        for update in SquareIce.updates:
            with pytest.raises(InputError, match=r"^`spins` breaks the ice rule; expected two arr"):
                SquareIce().sample(broken, 1.0, 1, 1, np.random.default_rng(0), update)
        with pytest.raises(InputError, match=r"^`update` is 'wolff'; expected one of 'long loop'"):
            start(SquareIce(), (2, 4, 4), 1.0, update="wolff")


class TestContract:
    @pytest.mark.parametrize("update", SquareIce.updates)
    @pytest.mark.parametrize("model", [SquareIce(), F_MODEL])
    def test_blocks_are_steps(self, model, update):
        state = start(model, (2, 4, 6), 1.3, update=update, rng=np.random.default_rng(0))
        before = state.spins.copy()
        rng, again = np.random.default_rng(1), np.random.default_rng(1)
        together = list(blocks(state, 23, rng))
        np.testing.assert_array_equal(state.spins, before)
        one_by_one = []
        for _ in range(23):
            state, info = step(state, again)
            one_by_one.append(info.configuration)
            assert info.configuration.dtype == model.dtype
        np.testing.assert_array_equal(np.concatenate([x for _, x in together]), one_by_one)
        np.testing.assert_array_equal(together[-1][0].spins, state.spins)

    @pytest.mark.parametrize("update", SquareIce.updates)
    def test_a_step_passes_about_every_arrow_once(self, update):
        rng = np.random.default_rng(2)
        *_, state = thermalisation(start(SquareIce(), (2, 12, 12), 1.0, update=update), rng, 50)
        passed = 0
        for _ in range(200):
            state, info = step(state, rng)
            passed += info.flipped
        assert 0.5 < passed / 200 / 288 < 2.0

    def test_ensembles(self):
        e = simulate(F_MODEL, sizes=[4, 6], temperatures=[0.7, 3.0], samples=64, seed=0, n_jobs=1)
        x = e.configurations(size=6, temperature=3.0)
        assert x.shape == (8, 8, 2, 6, 6)
        assert (F_MODEL.charge(x) == 0).all()
        np.testing.assert_allclose(e.energy(size=6, temperature=3.0) * 36, F_MODEL.energy(x))
        assert e.energy(size=6, temperature=0.7).mean() < e.energy(size=6, temperature=3.0).mean()
