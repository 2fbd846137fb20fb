"""Reweighting against exact enumeration, closed forms and pymbar's own errors."""

import functools
import math

import numpy as np
import pytest
import torch

from tests.lattice import oracles
from topoml._core.errors import InputError, NotConvergedError
from topoml.lattice import Ising, simulate
from topoml.phases import OverlapError, Reweighting, ShortChainError, gamma, reweight
from topoml.phases.resampling import quietly

SHAPE, N = (3, 3), 9
SIMULATED, BETWEEN = (2.0, 2.6, 3.4), (1.8, 2.27, 3.0, 3.8)


@functools.cache
def states(t):
    spins, energy, weight = oracles.ising(SHAPE, t)
    return energy.astype(float), np.abs(spins.mean(1)), weight


def exact(t):
    """Energy, |m| and specific heat per site."""
    energy, m, weight = states(t)
    e = weight @ energy
    return e, weight @ m, (weight @ energy**2 - e**2) / (N * t**2)


def heat(mean, t):
    return (mean[1] - mean[0] ** 2) / (N * t**2)


def draw(seed, n_chains, n, keep=0.0):
    """Energies and |m| by temperature; a state is kept with a probability, else drawn anew."""
    rng = np.random.default_rng(seed)
    energies, m = {}, {}
    for t in SIMULATED:
        energy, absolute, weight = states(t)
        drawn = rng.choice(len(weight), (n_chains, n), p=weight)
        new = rng.random((n_chains, n)) >= keep
        new[:, 0] = True
        last = np.maximum.accumulate(np.where(new, np.arange(n), 0), 1)
        drawn = np.take_along_axis(drawn, last, 1)
        energies[t], m[t] = energy[drawn], absolute[drawn]
    return energies, m


def powers(energies):
    return {t: np.stack([e, e**2], -1) for t, e in energies.items()}


def gaussian(seed, n, *betas):
    """Energies of a density of states for which E at beta is normal about -beta, of variance 1."""
    rng = np.random.default_rng(seed)
    return {1 / b: rng.normal(-b, 1.0, (4, n // 4)) for b in betas}


class TestExact:
    @pytest.mark.parametrize("keep", [pytest.param(0.0, marks=pytest.mark.slow), 0.6])
    def test_coverage(self, keep):
        """68 % bars hold the exact values in 60 to 76 % of 100 runs, at all temperatures together.

        keep = 0.6 has tau = 2: bars without it hold in half of the runs (control). The scatter of
        100 values is known to 7 %.
        """
        values, errors, naive = np.zeros((3, 3, 100, 4))
        for seed in range(100):
            energies, m = draw(seed, 4, 300, keep)
            solved = Reweighting.of(energies)
            found = [
                solved.averages(energies, BETWEEN),
                solved.averages(m, BETWEEN),
                solved.averages(powers(energies), BETWEEN, function=heat),
            ]
            for k, answers in enumerate(found):
                values[k, seed] = [one.value for one in answers]
                errors[k, seed] = [one.error for one in answers]
                naive[k, seed] = [one.error / math.sqrt(2 * one.tau) for one in answers]
        off = np.abs(values - np.transpose([exact(t) for t in BETWEEN])[:, None])
        held = (off < errors).mean((1, 2))
        assert (held > 0.60).all()
        assert (held < 0.76).all()
        ratio = np.sqrt((errors**2).mean(1)) / values.std(1)
        assert np.abs(ratio - 1).max() < 0.25
        if keep:
            assert ((off < naive).mean((1, 2)) < 0.5).all()

    def test_no_bias(self):
        """40 000 samples a temperature: within four errors, which are small."""
        energies, m = draw(1, 4, 10_000)
        solved = Reweighting.of(energies)
        found = [
            solved.averages(energies, BETWEEN),
            solved.averages(m, BETWEEN),
            solved.averages(powers(energies), BETWEEN, function=heat),
        ]
        for answers, expected in zip(found, np.transpose([exact(t) for t in BETWEEN]), strict=True):
            for one, value in zip(answers, expected, strict=True):
                assert abs(one.value - value) < 4 * one.error < 0.06 * abs(value)

    def test_chains_of_a_sampler(self):
        """16 x 16 Ising spins from both sides to T_c, where Kaufman's energy is exact."""
        e = simulate(Ising(), sizes=[16], temperatures=[2.2, 2.35], samples=24_000, seed=3)
        energies = {t: 256 * e.energy(size=16, temperature=t) for t in e.temperatures}
        (found,) = reweight(energies, energies, [oracles.T_ISING])
        assert abs(found.value / 256 + 1.45306485) < 4 * found.error / 256 < 0.01
        assert found.tau > 0.6

    def test_the_test_sees_energies_per_site(self):
        """The control: the mistake that the docstring warns of."""
        energies, _ = draw(2, 4, 4000)
        wrong = {t: e / N for t, e in energies.items()}
        (found,) = reweight(wrong, wrong, [3.0])
        assert abs(N * found.value - exact(3.0)[0]) > 10 * N * found.error


class TestOneTemperature:
    def test_closed_form(self):
        energies, m = draw(3, 4, 1000)
        e, a = energies[2.6], m[2.6]
        (found,) = reweight({2.6: e}, {2.6: a}, [2.4])
        w = np.exp(-(1 / 2.4 - 1 / 2.6) * e)
        assert found.value == pytest.approx((w * a).sum() / w.sum(), rel=1e-12)
        by_hand = gamma(lambda p, q: p / q, w * a, w)
        assert found.error == pytest.approx(by_hand.error, rel=1e-5)
        kish = w.sum() ** 2 / (w**2).sum()
        assert found.n_effective == pytest.approx(kish / (2 * found.tau), rel=1e-12)

    def test_at_itself(self):
        """There is nothing to reweight: the Gamma method of the samples."""
        energies, m = draw(4, 4, 1000, keep=0.5)
        (found,) = reweight({2.6: energies[2.6]}, {2.6: m[2.6]}, [2.6])
        plain = gamma(lambda a: a, m[2.6])
        assert found.value == pytest.approx(plain.value, rel=1e-12)
        assert found.error == pytest.approx(plain.error, rel=1e-12)
        assert found.n_effective == pytest.approx(plain.n_effective, rel=1e-12)


class TestAgainstOthers:
    def test_pymbar(self):
        """Its values, and its asymptotic errors where samples are independent."""
        with quietly():
            import pymbar
        energies, m = draw(5, 4, 3000)
        e, a = (np.concatenate([x[t].ravel() for t in SIMULATED]) for x in (energies, m))
        solver = ({"method": "adaptive", "options": {"min_sc_iter": 0}},)
        mbar = pymbar.MBAR(
            np.divide.outer(1.0, SIMULATED)[:, None] * e,
            np.full(3, 12_000),
            solver_protocol=solver,
            relative_tolerance=1e-10,
        )
        for t, found in zip(BETWEEN, reweight(energies, m, BETWEEN), strict=True):
            theirs = mbar.compute_multiple_expectations(1 + a[None], e / t)
            assert found.value == pytest.approx(theirs["mu"][0] - 1, rel=1e-6)
            assert found.error == pytest.approx(theirs["sigma"][0], rel=0.1)  # tau is 0.5 +- 0.02

    def test_energy_and_torch(self):
        """A constant on all energies is none, and tensors are as good as arrays."""
        energies, m = draw(8, 2, 1000)
        found = reweight(energies, m, BETWEEN)
        shifted = {t: torch.from_numpy(e + 1e6) for t, e in energies.items()}
        others = reweight(shifted, {t: torch.from_numpy(x) for t, x in m.items()}, BETWEEN)
        for one, other in zip(found, others, strict=True):
            assert other.value == pytest.approx(one.value, rel=1e-8)
            assert other.error == pytest.approx(one.error, rel=1e-6)

    def test_chains_of_unequal_number(self):
        """More samples at one temperature: still exact, nearer to it better."""
        energies, _ = draw(9, 4, 4000)
        energies[3.4] = energies[3.4][:1, :500]
        for t, one in zip(BETWEEN, reweight(energies, energies, BETWEEN), strict=True):
            assert abs(one.value - exact(t)[0]) < 4 * one.error


class TestOverlap:
    def test_far_away(self):
        energies = gaussian(0, 4000, 10.0)
        with pytest.raises(OverlapError, match=r"`temperatures` holds 0\.0666667, where") as caught:
            reweight(energies, energies, [1 / 10.5, 1 / 15])
        assert isinstance(caught.value, NotConvergedError)
        assert caught.value.estimate.n_effective < 100
        assert "\n" not in str(caught.value)
        # what is refused is many of its errors off, -15
        assert abs(caught.value.estimate.value + 15) > 5 * caught.value.estimate.error
        (anyway,) = reweight(energies, energies, [1 / 15], check=False)
        assert anyway == caught.value.estimate

    def test_beyond_the_end(self):
        """Two standard deviations away many samples carry the weight, but the tail has none."""
        energies = gaussian(1, 40_000, 10.0, 11.0)
        with pytest.raises(OverlapError, match=r"differs from that at 0\.0909091") as caught:
            reweight(energies, energies, [1 / 13])
        assert caught.value.estimate.n_effective > 100
        assert "by 2.0 of its standard deviations" in str(caught.value)
        (near,) = reweight(energies, energies, [1 / 12.4])
        assert abs(near.value + 12.4) < 4 * near.error

    def test_what_is_not_refused_can_be_trusted(self):
        """60 runs: pulls about 0, of width 1, at both ends and in the gap between the simulated."""
        betas = np.array([8.6, 9.5, 10.3, 12.0, 13.4])
        pulls = []
        for seed in range(60):
            energies = gaussian(seed, 4000, 10.0, 12.0)
            found = reweight(energies, energies, 1 / betas)
            pulls.append([(one.value + b) / one.error for one, b in zip(found, betas, strict=True)])
        assert np.abs(np.mean(pulls, 0)).max() < 0.7
        assert np.std(pulls, 0).max() < 1.5
        inside = np.array(pulls)[:, 2]
        assert abs(inside.mean()) < 5 / math.sqrt(60)
        assert inside.std() < 1.3

    def test_no_spread(self):
        """Energies that are all equal, 1024 of them: nothing to reweight at any temperature."""
        a = np.random.default_rng(11).normal(size=(4, 256))
        energy = np.full_like(a, -3.0)
        for one in reweight({1.0: energy}, {1.0: a}, [0.1, 1.0, 10.0]):
            plain = gamma(lambda mean: mean, a)
            assert one.value == pytest.approx(plain.value, rel=1e-12)
            assert one.error == pytest.approx(plain.error, rel=1e-12)

    def test_beyond_all_samples(self):
        """As T goes to 0 the lowest energy has all the weight: finite, and refused."""
        energies = gaussian(3, 4000, 10.0, 11.0)
        lowest = min(e.min() for e in energies.values())
        (one,) = reweight(energies, energies, [1e-6], check=False)
        assert one.value == pytest.approx(lowest, rel=1e-12)
        with pytest.raises(OverlapError):
            reweight(energies, energies, [1e-6])

    def test_gap(self):
        """Temperatures that do not overlap at all: nothing between them, but near each."""
        energies = gaussian(2, 4000, 10.0, 30.0)
        for one, beta in zip(
            reweight(energies, energies, [1 / 10.2, 1 / 29.8]), (10.2, 29.8), strict=True
        ):
            assert abs(one.value + beta) < 4 * one.error < 0.2
        with pytest.raises(OverlapError, match=r"holds 0\.05,"):
            reweight(energies, energies, [1 / 20])

    def test_short_chains_are_named(self):
        energies, m = draw(10, 4, 100, keep=0.8)
        with pytest.raises(ShortChainError, match=r"`energies\[2.\d\]` has 100 samples a chain"):
            reweight(energies, m, [2.27])


class TestRefusals:
    def test_shapes(self):
        energies, m = draw(0, 2, 300)
        with pytest.raises(InputError, match="expected the same ones"):
            reweight(energies, {2.0: m[2.0]}, [2.2])
        with pytest.raises(InputError, match="`energies` is empty"):
            reweight({}, {}, [2.2])
        with pytest.raises(InputError, match=r"`observables\[2.0\]` has shape"):
            reweight(energies, {t: x[:, :-1] for t, x in m.items()}, [2.2])
        with pytest.raises(InputError, match="or with a last axis"):
            reweight(energies, powers(energies), [2.2])
        mixed = {**powers(energies), 2.0: m[2.0]}
        with pytest.raises(InputError, match="columns; expected one number"):
            reweight(energies, mixed, [2.2], function=lambda mean, t: mean[0])
        with pytest.raises(InputError, match=r"`energies\[2.0\]` has shape"):
            reweight({2.0: energies[2.0][0]}, {2.0: m[2.0][0]}, [2.2])

    def test_values(self):
        energies, m = draw(0, 2, 300)
        for t in (0.0, -1.0, math.nan, math.inf, "hot"):
            with pytest.raises(InputError, match="`temperatures` holds"):
                reweight(energies, m, [t])
        with pytest.raises(InputError, match=r"`energies` holds -2\.0"):
            reweight({-2.0: energies[2.0]}, {-2.0: m[2.0]}, [2.2])
        m[2.6] = m[2.6] + np.nan
        with pytest.raises(InputError, match=r"`observables\[2.6\]` holds NaN"):
            reweight(energies, m, [2.2])

    def test_functions(self):
        energies, m = draw(0, 2, 300)
        with pytest.raises(InputError, match="`function` is nan at the averages"):
            reweight(energies, m, [2.2], function=lambda mean, t: np.sqrt(-mean[0]))
