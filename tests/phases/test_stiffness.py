"""Gaussian fields, their tables, and the logarithmic fit, against closed forms."""

import math

import numpy as np
import pytest

from topoml.phases.observables import OrderParameter, SpinBlocks
from topoml.phases.resampling import bootstrap
from topoml.phases.stiffness import (
    JUMP,
    SLOPE,
    StiffnessTable,
    gaussian_fields,
    logarithmic_fit,
    tabulate,
)
from topoml.phases.transition import Curve


def propagator(size):
    """Inverse of the lattice Laplacian without its zero mode, from a list of bonds, (N, N)."""
    site = np.arange(size**2).reshape(size, size)
    laplacian = np.zeros((size**2, size**2))
    for axis in (0, 1):
        a, b = site.ravel(), np.roll(site, -1, axis).ravel()
        for i, j in ((a, a), (b, b)):
            np.add.at(laplacian, (i, j), 1.0)
        for i, j in ((a, b), (b, a)):
            np.add.at(laplacian, (i, j), -1.0)
    return np.linalg.pinv(laplacian, hermitian=True)


def independent_fields(size, n, stiffness, rng):
    """Gaussian fields from the eigenvectors of the propagator: no Fourier transform."""
    values, vectors = np.linalg.eigh(propagator(size) / stiffness)
    normal = rng.standard_normal((n, size**2)) * np.sqrt(np.maximum(values, 0))
    return (normal @ vectors.T).reshape(n, size, size)


class TestGaussianFields:
    @pytest.mark.parametrize("size", [2, 5, 6])
    def test_covariance(self, size):
        """chi^2 of the whole covariance matrix; one of another stiffness fails (control)."""
        n = 20000
        phi = gaussian_fields(size, n, np.random.default_rng(size)).reshape(n, -1)
        expected = propagator(size)
        found = phi.T @ phi / n
        diagonal = np.diag(expected)
        # Wick: the variance of a product of two normal numbers
        sigma = np.sqrt((np.outer(diagonal, diagonal) + expected**2) / n)
        assert np.abs((found - expected) / sigma).max() < 5
        assert np.abs((found - 1.1 * expected) / sigma).max() > 5

    def test_bond_energy(self):
        """N - 1 modes of energy 1/2 on 2 N bonds: <(difference)^2> = (1 - 1 / N) / 2."""
        size, n = 8, 2000
        phi = gaussian_fields(size, n, np.random.default_rng(0))
        bonds = sum(((phi - np.roll(phi, 1, axis)) ** 2).mean((1, 2)) for axis in (1, 2)) / 2
        error = bonds.std() / math.sqrt(n)
        assert abs(bonds.mean() - (1 - 1 / size**2) / 2) < 5 * error
        assert abs(bonds.mean() - 1 / 2) > 5 * error / 2  # the control: the zero mode counts
        # as many modes of variance 1/2 each make a chi^2 distribution
        assert abs(bonds.var() / (2 * (size**2 - 1) / (2 * size**2) ** 2) - 1) < 5 / math.sqrt(
            n / 2
        )

    def test_no_zero_mode(self):
        phi = gaussian_fields(6, 5, np.random.default_rng(0))
        assert np.abs(phi.mean((1, 2))).max() < 100 * np.finfo(float).eps

    @pytest.mark.parametrize("n", [1, 2, 7])
    def test_number(self, n):
        assert gaussian_fields(4, n, np.random.default_rng(0)).shape == (n, 4, 4)

    def test_fields_are_independent(self):
        """The two halves are real and imaginary parts of the same transforms."""
        n = 4000
        phi = gaussian_fields(4, n, np.random.default_rng(1)).reshape(n, -1)
        cross = phi[: n // 2].T @ phi[n // 2 :] / (n // 2)
        sigma = np.diag(propagator(4))[0] / math.sqrt(n // 2)
        assert np.abs(cross / sigma).max() < 5


OBSERVABLE = SpinBlocks(OrderParameter("circle"), 4)


@pytest.fixture(scope="module")
def tables():
    return tabulate(OBSERVABLE, 8, n_fields=2000, n_replicates=60, rng=np.random.default_rng(0))


class TestTable:
    def test_shape(self, tables):
        assert len(tables) == len(OBSERVABLE.names) == 2
        for table in tables:
            assert table.size == 8
            assert np.exp(table.log_stiffness[[0, -1]]) == pytest.approx([0.1, 3.0])
            assert (np.diff(table.log_stiffness) > 0).all()
            assert (np.diff(table.value) < 0).all()
            assert table.replicates.shape == (60, table.value.size)

    @pytest.mark.parametrize("stiffness", [0.2, 0.45, 0.64, 0.9, 1.6])
    @pytest.mark.parametrize("m", [0, 1])
    def test_gives_back_the_stiffness(self, tables, stiffness, m):
        """Of fields made in another way; 10 % off is told apart (control)."""
        rng = np.random.default_rng(round(100 * stiffness))
        blocks = OBSERVABLE.columns(independent_fields(8, 2000, stiffness, rng))[:, m : m + 1]
        drawn = bootstrap([blocks], 60, rng)[:, :, 0]
        found = tables[m].invert(Curve(8, np.array([1.0]), blocks.mean(0), drawn))
        assert abs(found.value[0] - stiffness) < 5 * found.error[0]
        assert abs(found.value[0] - 1.1 * stiffness) > found.error[0] > 0
        assert found.error[0] < 0.05 * stiffness

    def test_errors_of_the_table_count(self, tables):
        """An exact curve has the error of the table, and one of many fields a smaller error."""
        at = tables[0].value[[10]]
        exact = Curve(8, np.array([1.0]), at, np.tile(at, (60, 1)))
        error = tables[0].invert(exact).error[0]
        assert error > 0
        few = tabulate(OBSERVABLE, 8, n_fields=200, n_replicates=60, rng=np.random.default_rng(0))
        ratio = few[0].invert(exact).error[0] / error
        assert 2 < ratio < 5  # sqrt(10); each error is good to 9 %

    def test_replicates_are_unbiased(self, tables):
        """Their scatter is that of the mean over fields: about 1 / sqrt(2000) of one field's."""
        for table in tables:
            pull = (table.replicates.mean(0) - table.value) / (
                table.replicates.std(0) / math.sqrt(60)
            )
            assert np.abs(pull).max() < 5

    def test_beyond_the_table(self, tables):
        t = np.array([1.0, 2.0])
        value = np.array([tables[0].value.max() + 1, tables[0].value.min() - 1])
        found = tables[0].invert(Curve(8, t, value, np.tile(value, (60, 1))))
        np.testing.assert_allclose(found.value, [0.1, 3.0])

    def test_inversion_of_a_known_function(self):
        """value = 1 / K, tabulated densely."""
        log_k = np.linspace(-1, 1, 2001)
        value = np.exp(-log_k)
        table = StiffnessTable(8, log_k, value, np.tile(value, (2, 1)) * [[1.0], [1.01]])
        curve = Curve(8, np.array([1.0, 2.0]), np.array([2.0, 0.5]), np.array([[2.0, 0.5]] * 2))
        found = table.invert(curve)
        np.testing.assert_allclose(found.value, [0.5, 2.0], rtol=1e-6)
        np.testing.assert_allclose(found.replicates[1], [0.505, 2.02], rtol=1e-6)

    def test_same_seed_same_table(self):
        first, second = (
            tabulate(OBSERVABLE, 8, n_fields=30, n_replicates=5, rng=np.random.default_rng(seed))
            for seed in (0, 0)
        )
        for one, same in zip(first, second, strict=True):
            np.testing.assert_array_equal(one.value, same.value)
            np.testing.assert_array_equal(one.replicates, same.replicates)


T = np.array([0.8, 0.84, 0.86, 0.88, 0.9, 0.92, 0.94, 0.96, 1.0])
T_STAR, C = 0.893, 1.1
N_REPLICATES = 60


def flow(size, t, t_star=T_STAR, constant=C, jump=JUMP, slope=SLOPE):
    """K(L, T) that obeys the flow at t_star, falls with T, and the faster the larger L."""
    at = jump + slope / (math.log(size) + constant)
    x = (t - t_star) / t_star
    return at - (2 + 1.0 * math.log(size)) * x - 3 * x**2


def measured(size, values, sigma, rng, t=T):
    value = values + sigma * rng.standard_normal(t.size)
    return Curve(size, t, value, value + sigma * rng.standard_normal((N_REPLICATES, t.size)))


def flowing(sizes, rng, *, sigma=0.003, t=T, **law):
    return [measured(size, flow(size, t, **law), sigma, rng, t) for size in sizes]


class TestFit:
    @pytest.mark.parametrize("sizes", [(16, 32), (32, 64, 128), (128, 32, 64)])
    @pytest.mark.parametrize("constant", [-1.0, 1.1, 4.0])
    def test_exact_curves(self, sizes, constant):
        """T to a hundredth of the spacing, C on its grid of 2.6 % steps in s / (ln L + C)."""
        curves = flowing(sizes, np.random.default_rng(0), sigma=1e-5, constant=constant)
        fit = logarithmic_fit(curves)
        assert fit.reason is None
        assert fit.estimate == pytest.approx(T_STAR, abs=3e-4)
        assert fit.constant == pytest.approx(constant, abs=0.03 * (math.log(128) + constant))

    def test_another_unit_and_another_law(self):
        law = {"jump": 0.750691, "slope": 0.21243, "t_star": 3.57, "constant": 0.5}
        t = 4 * T
        fit = logarithmic_fit(
            flowing((32, 64, 128), np.random.default_rng(1), sigma=1e-5, t=t, **law),
            jump=law["jump"], slope=law["slope"],
        )  # fmt: skip
        assert fit.estimate == pytest.approx(3.57, abs=2e-3)
        assert fit.constant == pytest.approx(0.5, abs=0.1 * (math.log(128) + 0.5))

    def test_estimate_and_coverage(self):
        """Within 5 errors, and 60 to 85 % within one; another jump is off (control)."""
        pulls, off = [], []
        for seed in range(40):
            curves = flowing((32, 64, 128), np.random.default_rng(seed))
            fit = logarithmic_fit(curves)
            pulls.append((fit.estimate - T_STAR) / fit.error)
            if seed < 8:
                wrong = logarithmic_fit(curves, jump=JUMP + 0.05)
                off.append((wrong.estimate - T_STAR) / wrong.error)
        assert np.max(np.abs(pulls)) < 5
        assert 0.55 < np.mean(np.abs(pulls) < 1) < 0.9  # 40 runs: within 2 sigma of 0.68 ... 0.75
        assert abs(np.mean(pulls)) < 5 / math.sqrt(40)
        assert abs(np.mean(off)) > 5 / math.sqrt(len(off))

    def test_the_window_follows_the_solution(self):
        """K of L = 64 passes the jump 3 points above T_BKT, whatever the noise."""
        n_found = 0
        for seed in range(25):
            rng = np.random.default_rng(seed)
            fit = logarithmic_fit(flowing((32, 64), rng, sigma=0.003, constant=-0.5, t_star=0.875))
            n_found += fit.reason is None and abs(fit.estimate - 0.875) < 5 * fit.error
        assert n_found == 25

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
        assert logarithmic_fit(longer).estimate == logarithmic_fit(curves).estimate

    def test_noise_about_the_jump_is_no_second_passage(self):
        """Temperatures so close that neighbours of K = j change places."""
        t = np.linspace(0.86, 0.96, 51)
        for seed in range(3):
            curves = flowing((32, 128), np.random.default_rng(seed), sigma=0.01, t=t)
            fit = logarithmic_fit(curves)
            assert fit.reason is None
            assert abs(fit.estimate - T_STAR) < 5 * fit.error

    def test_window_error_of_curves_that_bend(self):
        """Strong curvature in T makes the windows disagree, and the error says so."""
        rng = np.random.default_rng(3)
        straight = flowing((32, 64, 128), rng, sigma=1e-4)
        bent = [
            Curve(c.size, T, c.value + extra, c.replicates + extra)
            for c in straight
            for extra in [-400 * (T - T_STAR) ** 3 * math.log(c.size)]
        ]
        assert logarithmic_fit(bent).window > 3 * logarithmic_fit(straight).window

    def test_error(self):
        fit = logarithmic_fit(flowing((32, 64), np.random.default_rng(4)))
        assert fit.error == pytest.approx(math.hypot(np.nanstd(fit.replicates), fit.window))
        assert fit.replicates.shape == (N_REPLICATES,)
        assert fit.chi2 >= 0


class TestThereIsNone:
    def none(self, curves, words):
        fit = logarithmic_fit(curves)
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
            assert logarithmic_fit(curves).reason is not None

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
        self.none([measured(L, v, 0.003, rng) for L, v in value.items()], "one logarithmic flow")
