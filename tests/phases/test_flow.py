"""The fit of the Kosterlitz flow, against the integrated flow equations."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from topoml.phases.flow import JUMP, SLOPE, flow_fit, kosterlitz
from topoml.phases.transition import Curve

T = np.array([0.8, 0.84, 0.86, 0.88, 0.9, 0.92, 0.94, 0.96, 1.0])
T_STAR, C = 0.893, 1.1
N_REPLICATES = 60


def integrated(scale, c):
    """u at a scale by the equations du/dl = -2 y^2, dy/dl = -2 u y, from u = 1000 at 1/2000.

    Near the origin of the scale all trajectories are 1 / (2 l) + 2 c l / 3.
    """
    first = 5e-4
    u = 1 / (2 * first) + 2 * c * first / 3
    way = solve_ivp(
        lambda _, z: (-2 * z[1] ** 2, -2 * z[0] * z[1]), (first, scale),
        (u, math.sqrt(u**2 - c)), rtol=1e-11, atol=1e-11, method="DOP853",
    )  # fmt: skip
    return way.y[0, -1]


def flow(size, t, t_star=T_STAR, constant=C, jump=JUMP, slope=SLOPE, powers=(1.1, 2.5)):
    """K(L, T): integrated where it is fitted, in steps of .2 outside, where it only has to fall."""
    x = 1 - t / t_star
    c = powers[0] * x + powers[1] * x**2
    scale = math.log(size) + constant
    end = -((0.8 * math.pi / 2 / scale) ** 2)  # well before the pole
    u = np.array([integrated(scale, max(value, end)) for value in c])
    return jump + 2 * slope * (u - np.maximum(end - c, 0) * scale)


def measured(size, values, sigma, rng, t=T):
    value = values + sigma * rng.standard_normal(t.size)
    return Curve(size, t, value, value + sigma * rng.standard_normal((N_REPLICATES, t.size)))


_EXACT = {}


def flowing(sizes, rng, *, sigma=0.003, t=T, **law):
    out = []
    for size in sizes:
        key = (size, tuple(t), *sorted(law.items()))
        if key not in _EXACT:
            _EXACT[key] = flow(size, t, **law)
        out.append(measured(size, _EXACT[key], sigma, rng, t))
    return out


class TestKosterlitz:
    @pytest.mark.parametrize("c", [-0.03, -1e-3, -1e-7, 0.0, 1e-9, 1e-6, 1e-3, 0.05, 0.4])
    @pytest.mark.parametrize("scale", [0.7, 2.0, 6.5])
    def test_solves_the_equations(self, c, scale):
        u, *_ = kosterlitz(np.array([scale]), np.array([c]))
        assert u[0] == pytest.approx(integrated(scale, c), rel=1e-7, abs=1e-8)

    def test_closed_forms(self):
        scale = np.array([3.0, 3.0, 3.0])
        u, *_ = kosterlitz(scale, np.array([0.04, 0.0, -0.04]))
        expected = [0.2 / math.tanh(1.2), 1 / 6, 0.2 / math.tan(1.2)]
        np.testing.assert_allclose(u, expected, rtol=1e-12)

    @pytest.mark.parametrize("c", [-0.3, -0.02, -1e-5, 1e-12, 1e-5, 0.02, 0.3])
    def test_derivatives(self, c):
        """By differences; also on the straight line before the pole."""
        scale, h = np.array([4.0]), 1e-6
        _, by_scale, by_c = kosterlitz(scale, np.array([c]))
        up, down = (kosterlitz(scale + s, np.array([c]))[0] for s in (h, -h))
        assert by_scale[0] == pytest.approx((up - down)[0] / (2 * h), rel=1e-5, abs=1e-7)
        up, down = (kosterlitz(scale, np.array([c + s]))[0] for s in (h, -h))
        assert by_c[0] == pytest.approx((up - down)[0] / (2 * h), rel=1e-5)

    def test_falls_beyond_the_pole(self):
        """Continuous and monotonic in c, so that a fit that strays there comes back."""
        c = np.linspace(-0.6, 0.2, 4001)
        u, *_ = kosterlitz(np.full_like(c, 4.0), c)
        assert (np.diff(u) > 0).all()
        assert np.diff(u).max() < 0.1


class TestFit:
    @pytest.mark.parametrize("sizes", [(16, 32), (32, 64, 128), (128, 32, 64)])
    @pytest.mark.parametrize("constant", [0.0, 1.1, 4.0])
    def test_exact_curves(self, sizes, constant):
        curves = flowing(sizes, np.random.default_rng(0), sigma=1e-5, constant=constant)
        fit = flow_fit(curves)
        assert fit.reason is None
        assert fit.estimate == pytest.approx(T_STAR, abs=1e-4)
        assert fit.constant == pytest.approx(constant, abs=0.02)
        assert fit.powers == pytest.approx((1.1, 2.5), abs=0.1)

    def test_another_unit_and_another_law(self):
        law = {"jump": 0.750691, "slope": 0.21243, "t_star": 3.57, "constant": 0.5}
        fit = flow_fit(
            flowing((32, 64, 128), np.random.default_rng(1), sigma=1e-5, t=4 * T, **law),
            jump=law["jump"], slope=law["slope"],
        )  # fmt: skip
        assert fit.estimate == pytest.approx(3.57, abs=5e-4)
        assert fit.constant == pytest.approx(0.5, abs=0.02)

    def test_estimate_and_coverage(self):
        """Within 5 errors, and 55 to 90 % within one; another jump is off (control)."""
        pulls, off = [], []
        for seed in range(40):
            curves = flowing((32, 64, 128), np.random.default_rng(seed))
            fit = flow_fit(curves)
            pulls.append((fit.estimate - T_STAR) / fit.error)
            if seed < 8:
                wrong = flow_fit(curves, jump=JUMP + 0.05)
                off.append((wrong.estimate - T_STAR) / wrong.error)
        assert np.max(np.abs(pulls)) < 5
        assert 0.55 < np.mean(np.abs(pulls) < 1) < 0.9
        assert abs(np.mean(pulls)) < 5 / math.sqrt(40)
        assert abs(np.mean(off)) > 5 / math.sqrt(len(off))

    def test_scatter_of_the_replicates(self):
        """It is that of the estimates over independent data: 12 % error each, so within 50 %."""
        fits = [flow_fit(flowing((32, 64), np.random.default_rng(seed))) for seed in range(40)]
        scatter = np.std([fit.estimate for fit in fits], ddof=1)
        claimed = np.mean([np.nanstd(fit.replicates) for fit in fits])
        assert 1 / 1.5 < claimed / scatter < 1.5

    def test_noise_does_not_run_off(self):
        """To u = 0 at all sizes, C infinite, T where the curves cross by chance."""
        for seed in range(40):
            fit = flow_fit(flowing((32, 64), np.random.default_rng(seed), sigma=0.012))
            assert fit.reason is None
            assert abs(fit.constant) < 8
            assert abs(fit.estimate - T_STAR) < 3.5 * fit.error

    def test_uneven_temperatures(self):
        """Few of them in the window, or other ones at each size."""
        rng = np.random.default_rng(5)
        sparse = flowing((32, 64), rng, sigma=1e-3, t=np.array([0.7, 0.8, 0.9, 1.0, 1.1]))
        assert abs(flow_fit(sparse).estimate - T_STAR) < 5 * flow_fit(sparse).error
        other = [
            *flowing((32,), rng, sigma=1e-3, t=np.append(T, 0.91)),
            *flowing((64,), rng, sigma=1e-3, t=np.insert(T, 3, 0.87)),
        ]
        other = [c.at(np.argsort(c.temperature)) for c in other]
        assert abs(flow_fit(other).estimate - T_STAR) < 5 * flow_fit(other).error

    def test_points_at_the_end_of_a_table(self):
        """Hot points without scatter, where K cannot be told, change nothing."""
        rng = np.random.default_rng(2)
        hot = np.array([1.2, 1.5, 2.0, 3.0])
        curves = flowing((32, 64), rng)
        longer = [
            Curve(
                c.size, np.append(c.temperature, hot), np.append(c.value, np.full(4, 0.3)),
                np.hstack([c.replicates, np.full((N_REPLICATES, 4), 0.3)]),
            )
            for c in curves
        ]  # fmt: skip
        assert flow_fit(longer).estimate == flow_fit(curves).estimate

    def test_noise_about_the_jump_is_no_second_passage(self):
        """Temperatures so close that neighbours of K = j change places."""
        t = np.linspace(0.86, 0.96, 51)
        for seed in range(3):
            fit = flow_fit(flowing((32, 128), np.random.default_rng(seed), sigma=0.01, t=t))
            assert fit.reason is None
            assert abs(fit.estimate - T_STAR) < 5 * fit.error

    def test_another_dependence_on_temperature(self):
        """A cubic that the fit leaves out: windows disagree, chi^2 grows, the error holds it."""
        rng = np.random.default_rng(3)
        straight = flow_fit(flowing((32, 64, 128), rng, sigma=1e-4))
        bent = [
            Curve(c.size, T, c.value + extra, c.replicates + extra)
            for c in flowing((32, 64, 128), rng, sigma=1e-4)
            for extra in [-100 * (T - T_STAR) ** 3 * math.log(c.size)]
        ]
        fit = flow_fit(bent)
        assert fit.window > 3 * straight.window
        assert fit.chi2 > 3 > straight.chi2
        assert fit.error > 3 * straight.error
        assert abs(fit.estimate - T_STAR) < 4 * fit.error

    def test_error(self):
        fit = flow_fit(flowing((32, 64), np.random.default_rng(4)))
        scale = math.sqrt(max(1, fit.chi2))
        assert fit.statistical == pytest.approx(scale * np.nanstd(fit.replicates))
        assert fit.error == pytest.approx(math.hypot(fit.statistical, fit.window))
        assert fit.replicates.shape == (N_REPLICATES,)

    def test_chi2_widens_the_error(self):
        """Sizes that disagree by far more than their errors."""
        rng = np.random.default_rng(6)
        curves = flowing((32, 64, 128), rng, sigma=1e-4)
        shaken = [
            Curve(c.size, T, c.value + shift, c.replicates + shift)
            for c in curves
            for shift in [0.003 * rng.standard_normal(T.size)]
        ]
        fit = flow_fit(shaken)
        assert fit.chi2 > 100
        assert fit.error > 10 * np.nanstd(fit.replicates)
        assert abs(fit.estimate - T_STAR) < 4 * fit.error


class TestThereIsNone:
    def none(self, curves, words):
        fit = flow_fit(curves)
        assert fit.reason is not None
        assert words in fit.reason
        assert math.isnan(fit.estimate)
        assert np.isnan(fit.replicates).all()

    def curves(self, value, sizes=(32, 64), sigma=0.003):
        rng = np.random.default_rng(0)
        return [measured(size, value(size), sigma, rng) for size in sizes]

    def test_disordered(self):
        self.none(self.curves(lambda size: 0.4 + 0 * T), "no quasi-long-range order")

    def test_ordered(self):
        self.none(self.curves(lambda size: 0.9 - 0.2 * (T - 0.8)), "ordered in the whole range")

    def test_no_flow_with_size(self):
        self.none(self.curves(lambda size: 0.65 - (T - 0.9)), "does not fall with the lattice size")

    def test_rises_with_size(self):
        value = {32: 0.65 - 3 * (T - 0.9), 64: 0.65 - 1.5 * (T - 0.9)}
        self.none(self.curves(value.get), "does not fall with the lattice size")

    def test_passes_more_than_once(self):
        self.none(
            self.curves(lambda size: JUMP + 0.1 * np.sin(60 * (T - 0.8)) - (T - 0.9)),
            "more than once",
        )

    def test_noise(self):
        for seed in range(200):
            rng = np.random.default_rng(seed)
            curves = [measured(size, JUMP + 0 * T, 0.02, rng) for size in (32, 64)]
            assert flow_fit(curves).reason is not None

    def test_one_size(self):
        self.none(flowing((32,), np.random.default_rng(0)), "one lattice size")

    def test_few_temperatures(self):
        curves = flowing((32, 64), np.random.default_rng(0))
        self.none([c.at(np.arange(3, 6)) for c in curves], "fewer than 4 temperatures")

    def test_no_shared_temperatures(self):
        rng = np.random.default_rng(0)
        curves = [
            measured(L, flow(L, T + s), 0.003, rng, T + s) for L, s in ((32, 0.0), (64, 0.005))
        ]
        self.none(curves, "does not fall")

    def test_flow_outside_the_range(self):
        """Sizes that differ so much on all sides that no C and T explain them."""
        rng = np.random.default_rng(1)
        value = {32: 1.2 - 2 * (T - 0.8), 64: 0.8 - 2 * (T - 0.8)}
        self.none([measured(L, v, 0.003, rng) for L, v in value.items()], "one Kosterlitz flow")
