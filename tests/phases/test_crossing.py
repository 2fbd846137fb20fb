"""Crossings of curves whose crossing is known, and of curves that have none."""

import math

import numpy as np
import pytest

from topoml.phases.crossing import Crossing, cross, extrapolate, pairs_of
from topoml.phases.resampling import bootstrap
from topoml.phases.transition import Curve

T = np.array([2.15, 2.2, 2.23, 2.25, 2.27, 2.29, 2.31, 2.34, 2.4])
T_CROSS = 2.2692
NORMAL = 200  # replicates


def measured(size, values, sigma, rng, t=T):
    """Values with normal errors; replicates scatter about them as the values do."""
    sigma = np.broadcast_to(sigma, t.shape)
    value = values + sigma * rng.standard_normal(t.size)
    return Curve(size, t, value, value + sigma * rng.standard_normal((NORMAL, t.size)))


def from_blocks(size, values, sigma, n_blocks, rng):
    """The same through blocks of data and their bootstrap, as in a detection."""
    blocks = [v + sigma * math.sqrt(n_blocks) * rng.standard_normal((n_blocks, 1)) for v in values]
    value = np.array([b.mean() for b in blocks])
    return Curve(size, T, value, bootstrap(blocks, NORMAL, rng)[:, :, 0])


def curved(slope, curvature, t=T):
    return slope * (t - T_CROSS) + curvature * (t - T_CROSS) ** 2


def exact(size, values, t=T):
    """Curves without noise, whose replicates have next to none."""
    noise = 1e-7 * np.random.default_rng(size).standard_normal((NORMAL, t.size))
    return Curve(size, t, values, values + noise)


class TestThereIsOne:
    def test_estimate_is_the_root_of_the_quadratic(self):
        small, large = exact(16, curved(-1, 0.3)), exact(32, curved(-2, -0.4))
        found = cross(small, large)
        assert found.reason is None
        assert found.sizes == (16, 32)
        assert found.estimate == pytest.approx(T_CROSS, abs=1e-9)
        assert found.error < 1e-3  # one window is a straight line, which the curves are not
        assert np.abs(found.replicates - T_CROSS).max() < 1e-6

    @pytest.mark.parametrize("swap", [False, True])
    def test_either_curve_may_rise(self, swap):
        curves = [curved(-1, 0), curved(1, 0)]
        found = cross(*(exact(size, y) for size, y in zip((16, 32), curves[:: 1 - 2 * swap])))  # noqa: B905
        assert found.estimate == pytest.approx(T_CROSS, abs=1e-9)

    def test_estimate_and_coverage(self):
        """Within 5 errors always, within one in about 68 % of 300 runs; 1/2 the error: fewer."""
        pulls = []
        for seed in range(300):
            rng = np.random.default_rng(seed)
            small = measured(16, curved(-1, 0.3), 0.01, rng)
            large = measured(32, curved(-2, -0.4), 0.01, rng)
            found = cross(small, large)
            if found.reason is None:
                pulls.append((found.estimate - T_CROSS) / found.error)
        assert len(pulls) > 290
        assert np.max(np.abs(pulls)) < 5
        assert abs(np.mean(pulls)) < 5 / math.sqrt(len(pulls))
        assert 0.60 < np.mean(np.abs(pulls) < 1) < 0.80  # the fit windows add to the bootstrap
        assert np.mean(np.abs(pulls) < 1 / 2) < 0.5  # the control

    def test_error_holds_bootstrap_and_window(self):
        found = Crossing((1, 2), 1.0, np.array([0.9, 1.1, np.nan]), 0.3, 9.0)
        assert found.error == pytest.approx(math.hypot(0.1, 0.3))

    def test_replicates_scatter_as_the_estimates(self):
        estimates, bars = [], []
        for seed in range(150):
            rng = np.random.default_rng(seed)
            found = cross(
                measured(16, curved(-1, 0), 0.005, rng), measured(32, curved(-3, 0), 0.005, rng)
            )
            estimates.append(found.estimate)
            bars.append(np.nanstd(found.replicates))
        # a standard deviation of 150 numbers is good to 1 / sqrt(300); a bar to 1 / sqrt(400)
        assert abs(np.mean(bars) / np.std(estimates) - 1) < 5 / math.sqrt(300)

    def test_unshared_temperatures_do_not_count(self):
        small, large = exact(16, curved(-1, 0.3)), exact(32, curved(-2, -0.4))
        t = np.append(T, [2.26, 2.5])
        order = np.argsort(t)
        far = Curve(
            32, t[order], np.append(large.value, [99, -99])[order],
            np.hstack([large.replicates, np.full((NORMAL, 2), 99)])[:, order],
        )  # fmt: skip
        assert cross(small, far).estimate == cross(small, large).estimate

    def test_frozen_temperatures_do_not_hide_it(self):
        """At low temperatures nothing fluctuates and the curves agree to the last digit."""
        t = np.concatenate([[0.5, 0.7, 0.9, 1.0], T])
        rng = np.random.default_rng(0)
        values = [np.append(np.ones(4), 1 + curved(s, 0)) for s in (-1, -3)]
        sigma = np.append(np.zeros(4), np.full(T.size, 0.005))
        found = cross(
            *(measured(L, v, sigma, rng, t) for L, v in zip((16, 32), values, strict=True))
        )
        assert abs(found.estimate - T_CROSS) < 5 * found.error < 0.1

    def test_precise_temperatures_do_not_hide_it(self):
        """Nor do some where the curves differ by far less than elsewhere, and are known as well."""
        t = np.concatenate([[1.0, 1.2, 1.4, 1.6], T])
        rng = np.random.default_rng(1)
        values = [np.append(np.ones(4), 1 + curved(s, 0)) for s in (-1, -3)]
        sigma = np.append(np.full(4, 1e-5), np.full(T.size, 0.005))
        found = cross(
            *(measured(L, v, sigma, rng, t) for L, v in zip((16, 32), values, strict=True))
        )
        assert abs(found.estimate - T_CROSS) < 5 * found.error < 0.5

    def test_temperatures_far_apart(self):
        """A quadratic of 5 points would be off; straight lines stay between their neighbours."""
        t = np.arange(1.0, 3.6, 0.25)
        values = [0.3 - 0.3 * np.tanh(a * (t - T_CROSS)) for a in (1, 20)]
        sigma = np.where(t > 2, 0.01, 0.001)
        for seed in range(50):
            rng = np.random.default_rng(seed)
            curves = [measured(L, v, sigma, rng, t) for L, v in zip((16, 32), values, strict=True)]
            found = cross(*curves)
            assert 2.2 < found.estimate < 2.4
            assert abs(found.estimate - T_CROSS) < 2 * found.error < 0.5
            near = np.argsort(np.abs(t - 2.375))[:5]
            y = curves[1].value - curves[0].value
            roots = np.roots(np.polyfit(t[near], y[near], 2, w=1 / sigma[near]))
            assert np.abs(roots - T_CROSS).min() > 0.05  # the control


class TestThereIsNone:
    @pytest.mark.parametrize("n_blocks", [8, 16, 32])
    def test_noise(self, n_blocks):
        """No crossing in 250 runs of equal curves; opposite slopes cross every time (control)."""
        n_found = 0
        for seed in range(250):
            rng = np.random.default_rng(seed)
            curves = [from_blocks(size, 0 * T, 1.0, n_blocks, rng) for size in (16, 32)]
            n_found += cross(*curves).reason is None
        assert n_found == 0
        rng = np.random.default_rng(0)
        steep = [
            from_blocks(L, s * (T - 2.27), 0.01, n_blocks, rng) for L, s in ((16, 3), (32, -3))
        ]
        assert cross(*steep).reason is None

    @pytest.mark.parametrize("merge_below", [True, False])
    def test_curves_that_merge(self, merge_below):
        for seed in range(250):
            rng = np.random.default_rng(seed)
            apart = np.maximum(T - 2.27, 0) if merge_below else np.minimum(T - 2.27, 0)
            curves = [from_blocks(size, s * apart, 0.01, 16, rng) for size, s in ((16, 1), (32, 4))]
            found = cross(*curves)
            assert found.reason is not None
            assert "one sign only" in found.reason

    def test_curves_apart(self):
        for seed in range(250):
            rng = np.random.default_rng(seed)
            found = cross(measured(16, 0 * T, 0.01, rng), measured(32, 0.1 + 0 * T, 0.01, rng))
            assert "differ with one sign only" in found.reason

    def test_reason_and_emptiness(self):
        rng = np.random.default_rng(3)
        found = cross(measured(16, 0 * T, 1.0, rng), measured(32, 0 * T, 1.0, rng))
        assert found.reason == "the curves of L = 16 and 32 differ at no temperature"
        assert math.isnan(found.estimate)
        assert np.isnan(found.replicates).all()
        assert found.evidence < 4

    @pytest.mark.parametrize("n", [0, 1, 3])
    def test_too_few_shared_temperatures(self, n):
        small, large = exact(16, curved(-1, 0)), exact(32, curved(1, 0))
        keep = np.arange(3, 3 + n)
        assert f"share {n} temperatures" in cross(small.at(keep), large).reason
        assert cross(small.at(np.arange(3, 7)), large).reason is None  # the control: four

    def test_nothing_fluctuates(self):
        still = [Curve(size, T, 1 + 0 * T, np.ones((NORMAL, T.size))) for size in (16, 32)]
        assert "besides 9 where nothing fluctuates" in cross(*still).reason

    def test_roundings_are_no_fluctuations(self):
        rng = np.random.default_rng(4)
        values = np.where(T < 2.27, 1, -1) * 1e-15
        still = [measured(16, 0.1 + 0 * T, 1e-17, rng), measured(32, 0.1 + values, 1e-17, rng)]
        assert "where nothing fluctuates" in cross(*still).reason

    def test_a_touch_is_no_crossing(self):
        """Curves that meet at one temperature and part again with the same sign."""
        for seed in range(100):
            rng = np.random.default_rng(seed)
            parabola = (T - 2.27) ** 2 * 10
            assert cross(measured(16, 0 * T, 0.002, rng), measured(32, parabola, 0.002, rng)).reason


class TestPairs:
    def test_nearest_to_twice(self):
        assert pairs_of([16, 32, 64]) == [(16, 32), (32, 64)]
        assert pairs_of([32, 48, 64, 96, 128]) == [(32, 64), (48, 96), (64, 128)]
        assert pairs_of([16, 24]) == [(16, 24)]
        assert pairs_of([16, 24, 64]) == [(16, 24), (24, 64)]  # by ratio: 1.5 is nearer to 2 than 4

    def test_too_close_or_alone(self):
        assert pairs_of([16]) == pairs_of([]) == pairs_of([16, 20, 23]) == []


def crossing(small, estimate, error, replicates=None, rng=None):
    rng = rng or np.random.default_rng(small)
    drawn = estimate + error * rng.standard_normal(NORMAL) if replicates is None else replicates
    return Crossing((small, 2 * small), estimate, drawn, 0.0, 9.0)


class TestExtrapolation:
    @pytest.mark.parametrize("pairs", [(16, 32), (16, 32, 64), (16, 24, 32, 48, 64)])
    def test_recovers_the_law(self, pairs):
        """T(L) = T_c + a / L^2 at L = sqrt(L1 L2), to roundings; not so if it drifts as 1 / L."""
        found = [crossing(L, 2.0 + 7.0 / (2 * L**2), 0.001) for L in pairs]
        estimate, replicates, systematic = extrapolate(found)
        assert estimate == pytest.approx(2.0, abs=1e-12)
        assert systematic > 1e-5  # other exponents give other limits
        slow = [crossing(L, 2.0 + 1.0 / L, 0.001) for L in pairs]
        assert abs(extrapolate(slow)[0] - 2.0) > 1e-3  # the control
        assert abs(replicates.mean() - 2.0) < 5 * replicates.std() / math.sqrt(NORMAL)

    def test_no_drift_no_systematic(self):
        estimate, _, systematic = extrapolate([crossing(L, 2.0, 0.001) for L in (16, 32, 64)])
        assert estimate == pytest.approx(2.0, abs=1e-12)
        assert systematic < 1e-12

    def test_one_pair_is_its_own_limit(self):
        one = crossing(16, 2.1, 0.01)
        estimate, replicates, systematic = extrapolate([one])
        assert (estimate, systematic) == (2.1, 0.0)
        np.testing.assert_array_equal(replicates, one.replicates)

    def test_replicates_follow_the_same_law(self):
        """Two pairs and w = 2: the limit is (4 T2 - T1) / 3, replicate by replicate."""
        a, b = crossing(16, 2.1, 0.01), crossing(32, 2.05, 0.02)
        estimate, replicates, _ = extrapolate([a, b])
        assert estimate == pytest.approx((4 * 2.05 - 2.1) / 3)
        np.testing.assert_allclose(replicates, (4 * b.replicates - a.replicates) / 3, rtol=1e-12)

    def test_precise_pairs_weigh_more(self):
        on = [crossing(L, 2.0 + 7.0 / (2 * L**2), 1e-5) for L in (16, 64)]
        off = crossing(32, 2.3, 1.0)
        assert extrapolate([on[0], off, on[1]])[0] == pytest.approx(2.0, abs=1e-6)

    def test_coverage(self):
        pulls = []
        for seed in range(200):
            rng = np.random.default_rng(seed)
            found = []
            for L, sigma in ((16, 0.004), (32, 0.004), (64, 0.004)):
                at = 2.0 + 7.0 / (2 * L**2) + sigma * rng.standard_normal()
                found.append(crossing(L, at, sigma, rng=rng))
            estimate, replicates, _ = extrapolate(found)
            pulls.append((estimate - 2.0) / replicates.std())
        assert 0.58 < np.mean(np.abs(pulls) < 1) < 0.78
        assert np.max(np.abs(pulls)) < 5
