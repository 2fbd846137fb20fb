"""The Gamma method against AR(1) processes in closed form, coverage, and two other libraries."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from topoml._core.errors import InputError, NotConvergedError
from topoml.phases import (
    Estimate,
    ShortChainError,
    gamma,
    integrated_autocorrelation_time,
    jackknife,
)
from topoml.phases.autocorrelation import _autocovariance, gamma_of_fluctuations
from topoml.phases.resampling import quietly


def ar1(phi, n_chains, n, seed):
    """Chains (chain, n) of unit variance in equilibrium, with correlations phi^t."""
    noise = np.random.default_rng(seed).standard_normal((n_chains, n)) * math.sqrt(1 - phi**2)
    noise[:, 0] /= math.sqrt(1 - phi**2)
    return lfilter([1.0], [1.0, -phi], noise)


def congruential(n_chains, n, phi):
    """AR(1) driven by a linear congruential generator: the same numbers everywhere."""
    out, u = np.empty((n_chains, n)), 12345
    for r in range(n_chains):
        x = 0.0
        for i in range(-200, n):
            u = (1664525 * u + 1013904223) % 2**32
            x = phi * x + u / 2**32 - 0.5
            if i >= 0:
                out[r, i] = x
    return out


def exact(phi):
    return (1 + phi) / (2 * (1 - phi))


def identity(a):
    return a


class TestTime:
    @pytest.mark.parametrize(
        ("phi", "n_chains", "n"),
        [(0.0, 1, 2000), (0.5, 1, 2000), (0.9, 1, 4000), (0.9, 8, 1000), (-0.5, 2, 2000)],
    )
    def test_closed_form(self, phi, n_chains, n):
        """The mean of 150 runs, and their scatter against the error; halved tau is seen (control).

        A negative phi, whose tau is below 1/2, counts as no correlation at all.
        """
        found = np.array(
            [
                integrated_autocorrelation_time(ar1(phi, n_chains, n, seed), check=False)
                for seed in range(150)
            ]
        )
        tau, error = found.T
        scatter = tau.std() / math.sqrt(len(tau))
        expected = max(exact(phi), 0.5)
        # the window and the floor at 1/2 leave a bias of some percent
        assert abs(tau.mean() - expected) < 5 * scatter + 0.04 * expected
        assert abs(tau.mean() - 2 * expected) > 20 * scatter
        if phi > 0:
            assert 0.8 < tau.std() / error.mean() < 1.25

    def test_of_pymbar(self):
        """On average over 60 runs; it sums to the first zero, so that one run scatters more."""
        with quietly():
            from pymbar.timeseries import statistical_inefficiency
        pairs = []
        for seed in range(60):
            x = ar1(0.9, 1, 5000, seed)
            theirs = statistical_inefficiency(x[0]) / 2
            pairs.append((integrated_autocorrelation_time(x)[0], theirs))
        ours, theirs = np.transpose(pairs)
        z = (ours - theirs).mean() / (ours - theirs).std() * math.sqrt(60)
        assert abs(z) < 5
        assert ours.std() < theirs.std()
        control = (2 * ours - theirs).mean() / (2 * ours - theirs).std() * math.sqrt(60)
        assert abs(control) > 20

    def test_covariances_by_a_loop(self):
        x = ar1(0.7, 3, 51, 0)
        expected = [(x[:, : 51 - t] * x[:, t:]).sum() / (3 * (51 - t)) for t in range(25)]
        np.testing.assert_allclose(_autocovariance(x), expected, rtol=0, atol=1e-13)

    @pytest.mark.parametrize("unit", [1e-200, 1e-30, 1.0, 1e30, 1e150])
    def test_in_any_unit(self, unit):
        x = ar1(0.8, 2, 2000, 1)
        found = integrated_autocorrelation_time(unit * x)
        assert found == pytest.approx(integrated_autocorrelation_time(x), rel=1e-10)
        assert gamma(identity, unit * x).error == pytest.approx(
            unit * gamma(identity, x).error, rel=1e-10
        )

    @pytest.mark.parametrize("value", [0.0, 0.1, -1e30, 1e-300])
    def test_constant(self, value):
        """0.1 has a mean of many that differs from it by a rounding, which is no signal."""
        x = np.full((3, 777), value)
        assert integrated_autocorrelation_time(x) == (0.5, 0.0)
        assert gamma(identity, x) == Estimate(pytest.approx(value), 0.0, 0.5, 3 * 777)

    def test_a_constant_and_a_small_signal(self):
        """The roundings of 1 are not taken for the signal, nor a signal of 1e-12 for them."""
        x = ar1(0.8, 2, 2000, 2)
        tau = integrated_autocorrelation_time(x)[0]
        assert integrated_autocorrelation_time(1 + 1e-12 * x)[0] == pytest.approx(tau, rel=0.02)

    def test_torch(self):
        x = ar1(0.5, 2, 500, 3)
        given = torch.from_numpy(x).requires_grad_()
        assert integrated_autocorrelation_time(given) == integrated_autocorrelation_time(x)


# pyerrors 2.17.0 with S = 1.5 on `congruential`, autograd for the derivatives; it takes each
# replicum about its own mean
PYERRORS = {
    (1, 4000, 0.8): ((0.023438853132188787, 5.302768517792361), (0.03995099928015581, 4.889063)),
    (3, 1500, 0.9): ((0.04037720667185872, 9.2947103561571), (0.0568699142962856, 7.628821)),
}


class TestPyerrors:
    @pytest.mark.parametrize("case", PYERRORS)
    def test_mean(self, case):
        x = congruential(*case)
        error, tau = PYERRORS[case][0]
        found = gamma(identity, x - x.mean(1, keepdims=True), check=False)
        assert found.error == pytest.approx(error, rel=1e-10)
        # tau is error^2 over Gamma(0) here, which has its bias corrected, too, by 2 tau / N
        assert found.tau == pytest.approx(tau, rel=3 * tau / x.size)

    def test_function_of_means(self):
        """Their derivatives are exact, ours over a quarter of the errors."""
        x = congruential(1, 4000, 0.8)
        error, tau = PYERRORS[1, 4000, 0.8][1]
        found = gamma(lambda a, b: math.log(b) - a * a, x, (x + 1) ** 2)
        assert found.value == pytest.approx(0.1716441736253329, rel=1e-12)
        assert found.error == pytest.approx(error, rel=1e-5)
        assert found.tau == pytest.approx(tau, rel=0.003)


def curved(a, b):
    """Of the means of x and (x + 1)^2, 0 and 2 for ar1: the variance 1 over the second."""
    return (b - (a + 1) ** 2) / b


SLOW = [(0.9, 1, 4000), (0.9, 8, 1000)]
COVERAGE = [(gamma, 0.0, 1, 500), (gamma, 0.5, 4, 400)]
COVERAGE += [(errors, *case) for errors in (gamma, jackknife) for case in SLOW]


class TestCoverage:
    @pytest.mark.parametrize(("errors", "phi", "n_chains", "n"), COVERAGE)
    def test_bars(self, errors, phi, n_chains, n):
        """68 % bars hold the truth in 60 to 76 % of 250 runs; naive bars do not (control).

        Those of the jackknife over 8 blocks in 65 %, as Student's distribution has it.
        """
        mean, spread, naive = [], [], []
        for seed in range(250):
            x = ar1(phi, n_chains, n, seed)
            one = errors(identity, x, check=False)
            mean.append(abs(one.value) < one.error)
            two = errors(curved, x, (x + 1) ** 2, check=False)
            spread.append(abs(two.value - 0.5) < two.error)
            naive.append(abs(x.mean()) < x.std() / math.sqrt(x.size))
        assert 0.60 < np.mean(mean) < 0.76
        assert 0.60 < np.mean(spread) < 0.76
        if phi > 0:
            assert np.mean(naive) < 0.5


class TestGamma:
    def test_error_and_number_of_samples(self):
        found = [gamma(identity, ar1(0.8, 4, 2500, seed)) for seed in range(50)]
        expected = math.sqrt(2 * exact(0.8) / 10_000)
        rms = math.sqrt(np.mean([one.error**2 for one in found]))
        assert rms == pytest.approx(expected, rel=0.05)
        for one in found:
            assert one.n_effective == pytest.approx(10_000 / (2 * one.tau))

    def test_derivatives(self):
        """Of a product of powers, by hand; correlations between the series cancel or add."""
        x = 3 + 0.1 * ar1(0.3, 2, 2000, 0)
        y = 2 + 0.1 * ar1(0.3, 2, 2000, 1)
        a, b = x.mean(), y.mean()
        by_hand = gamma(identity, 2 * a / b**3 * (x - a) - 3 * a**2 / b**4 * (y - b))
        found = gamma(lambda p, q: p**2 / q**3, x, y)
        assert found.value == a**2 / b**3
        assert found.error == pytest.approx(by_hand.error, rel=1e-5)
        assert found.tau == pytest.approx(by_hand.tau, rel=1e-5)
        assert gamma(lambda p, q: p - q, x, x).error == 0.0
        assert gamma(lambda p, q: p + q, x, x).error == pytest.approx(
            2 * gamma(identity, x).error, rel=1e-9
        )
        assert gamma(lambda p: 5.0, x) == Estimate(5.0, 0.0, 0.5, 4000.0)

    def test_the_slow_series_counts_by_its_slope(self):
        slow, fast = ar1(0.95, 4, 4000, 0), ar1(0.0, 4, 4000, 1)
        assert gamma(lambda a, b: 1e-3 * a + b, slow, fast).tau < 0.7
        assert gamma(lambda a, b: a + 1e-3 * b, slow, fast).tau > 12

    def test_order_of_chains(self):
        x = ar1(0.8, 5, 1000, 4)
        found, other = gamma(identity, x), gamma(identity, x[::-1])
        assert other.error == pytest.approx(found.error, rel=1e-12)
        # the control: chains cut apart and joined in another order are other chains
        assert abs(gamma(identity, x.reshape(-1, 5).T).tau - found.tau) > 1

    def test_ensembles_add_in_quadrature(self):
        x, y = ar1(0.5, 2, 1000, 5), 3 * ar1(0.9, 1, 4000, 6)
        parts = {"x": x - x.mean(), "y": y - y.mean()}
        one, two = gamma(identity, x), gamma(identity, y)
        both = gamma_of_fluctuations(1.0, parts)
        assert both.value == 1.0
        assert both.error == pytest.approx(math.hypot(one.error, two.error), rel=1e-12)
        assert one.tau < both.tau < two.tau
        with pytest.raises(ShortChainError, match="`y` has 300 samples"):
            gamma_of_fluctuations(1.0, {"x": parts["x"], "y": parts["y"][:, :300]})


class TestShortChains:
    def test_refused(self):
        x = ar1(0.9, 4, 300, 0)
        tau, error = integrated_autocorrelation_time(x, check=False)
        with pytest.raises(ShortChainError, match="`series` has 300 samples a chain") as caught:
            integrated_autocorrelation_time(x)
        assert caught.value.tau == tau
        assert caught.value.estimate == (tau, error)
        assert isinstance(caught.value, NotConvergedError)
        assert f"{math.ceil(50 * tau)}. Cure" in str(caught.value)
        assert "\n" not in str(caught.value)
        with pytest.raises(ShortChainError) as caught:
            gamma(identity, x)
        assert caught.value.estimate == gamma(identity, x, check=False)
        with pytest.raises(ShortChainError):
            jackknife(identity, x)

    def test_at_fifty(self):
        """Just shorter than 50 tau and just longer, by tau as it is found."""
        x = ar1(0.8, 1, 4000, 1)
        for n in range(100, 600, 7):
            tau, _ = integrated_autocorrelation_time(x[:, :n], check=False)
            if n < 50 * tau:
                with pytest.raises(ShortChainError):
                    integrated_autocorrelation_time(x[:, :n])
            else:
                assert integrated_autocorrelation_time(x[:, :n])[0] == tau

    @pytest.mark.parametrize(("n", "least"), [(95, 0.95), (190, 0.95), (4750, 0.0)])
    def test_how_often(self, n, least):
        """Chains of 10 and 20 tau are refused nearly always, of 500 tau never."""
        refused = 0
        for seed in range(100):
            try:
                gamma(identity, ar1(0.9, 1, n, seed))
            except ShortChainError:
                refused += 1
        assert refused / 100 >= least
        if least == 0.0:
            assert refused == 0

    def test_chains_that_disagree(self):
        """Each is long enough for itself; together they are two states that never mix."""
        x = ar1(0.5, 2, 1000, 2)
        integrated_autocorrelation_time(x)
        apart = x + np.array([[-2.0], [2.0]])
        for chain in apart:
            integrated_autocorrelation_time(chain[None])
        with pytest.raises(ShortChainError) as caught:
            integrated_autocorrelation_time(apart)
        assert caught.value.tau > 100

    def test_drift(self):
        x = ar1(0.5, 4, 1000, 3)
        with pytest.raises(ShortChainError):
            gamma(identity, x + np.linspace(0, 5, 1000))


class TestRefusals:
    @pytest.mark.parametrize("shape", [(10,), (2, 10, 1), (2, 3), (0, 10)])
    def test_shapes(self, shape):
        for function in (integrated_autocorrelation_time, lambda x: gamma(identity, x)):
            with pytest.raises(InputError, match=r"expected \(chain, sample\)"):
                function(np.zeros(shape))

    def test_values(self):
        x = ar1(0.0, 2, 100, 0)
        for bad in (math.nan, math.inf):
            y = x.copy()
            y[1, 3] = bad
            with pytest.raises(InputError, match="holds NaN or infinity"):
                gamma(identity, y)
        with pytest.raises(InputError, match="expected one shape"):
            gamma(lambda a, b: a, x, x[:, :-1])
        with pytest.raises(InputError, match="expected at least one array"):
            gamma(lambda: 0.0)

    def test_functions(self):
        x = ar1(0.0, 2, 1000, 0)
        with pytest.raises(InputError, match="`f` is nan at"):
            gamma(lambda a: np.sqrt(a - 10), x)
        mean = x.mean()
        with pytest.raises(InputError, match="`f` is nan at"):  # within the error of the mean
            gamma(lambda a: np.sqrt(a - mean), x)
