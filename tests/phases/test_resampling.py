"""Errors of correlated chains, against AR(1) processes whose error of the mean is known."""

import logging
import math

import numpy as np
import pytest
from scipy.signal import lfilter

from topoml._core.errors import InputError
from topoml.phases.resampling import block_means, bootstrap


def ar1(rho, n_chains, n, rng):
    """Chains (chain, n, 1) of unit variance in equilibrium, with correlations rho^t."""
    noise = rng.standard_normal((n_chains, n)) * math.sqrt(1 - rho**2)
    noise[:, 0] /= math.sqrt(1 - rho**2)
    return lfilter([1.0], [1.0, -rho], noise)[..., None]


def exact_error(rho, n_chains, n):
    """Of the mean of all samples: sum of rho^|s - t| over s and t, in closed form."""
    total = (1 + rho) / (1 - rho) - 2 * rho * (1 - rho**n) / (n * (1 - rho) ** 2)
    return math.sqrt(total / (n * n_chains))


def test_the_closed_form():
    lags = np.abs(np.subtract.outer(np.arange(30), np.arange(30)))
    assert exact_error(0.7, 1, 30) == pytest.approx(math.sqrt((0.7**lags).sum()) / 30, rel=1e-12)


CASES = [
    (0.0, 1, 400),  # white noise
    (0.9, 1, 2000),  # 32 long blocks
    (0.9, 1, 610),  # blocks of 2 tau, the shortest allowed
    (0.8, 4, 80),
    (0.95, 7, 400),
    (0.9, 16, 200),  # chains as they stand
]


@pytest.mark.parametrize(("rho", "n_chains", "n"), CASES)
def test_coverage(rho, n_chains, n):
    """68 % bars hold the exact mean, 0, in 60 to 76 % of 300 runs; naive bars do not (control)."""
    held, naive, errors = [], [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x = ar1(rho, n_chains, n, rng)
        blocks = block_means(x)
        errors.append(bootstrap([blocks], 200, rng).std())
        held.append(abs(blocks.mean()) < errors[-1])
        naive.append(abs(x.mean()) < x.std() / math.sqrt(x.size))
    assert 0.60 < np.mean(held) < 0.76
    rms = math.sqrt(np.mean(np.square(errors)))
    assert 0.9 < rms / exact_error(rho, n_chains, n) < 1.1
    if rho > 0:
        assert np.mean(naive) < 0.4


def test_the_mean_stays():
    """Blocks of equal length have the mean of the samples, whatever widens their scatter."""
    x = ar1(0.5, 2, 1600, np.random.default_rng(0))
    blocks = block_means(x)
    assert blocks.shape == (32, 1)
    np.testing.assert_allclose(blocks.mean(0), x.mean((0, 1)), rtol=0, atol=1e-14)


def test_white_noise_is_not_widened():
    x = np.random.default_rng(1).standard_normal((1, 3200, 1))
    means = x.reshape(32, 100).mean(1)
    scatter = block_means(x).std() / means.std()
    assert 1 <= scatter < 1.02  # tau of 3200 white samples is 0.5 within a few percent


def test_eight_chains_are_blocks_as_they_stand():
    x = np.random.default_rng(2).normal(size=(8, 5, 3))
    np.testing.assert_array_equal(block_means(x), x.mean(1))
    assert len(block_means(x[:7, :4])) == 28  # one fewer is cut


def test_the_slowest_column_rules():
    """White noise beside a slow column is cut into as few blocks as the slow one alone."""
    slow = ar1(0.95, 1, 400, np.random.default_rng(3))
    fast = np.random.default_rng(4).standard_normal((1, 400, 1))
    both = np.concatenate([fast, slow, fast], 2)
    assert len(block_means(fast)) == 32
    assert len(block_means(slow)) == len(block_means(both)) < 20


def test_the_slowest_chain_rules():
    slow = ar1(0.95, 1, 300, np.random.default_rng(3))
    fast = np.random.default_rng(4).standard_normal((1, 300, 1))
    assert len(block_means(slow)) < 16
    assert len(block_means(np.concatenate([fast, slow]))) == 2 * len(block_means(slow))


@pytest.mark.parametrize("unit", [1e-150, 1e-30, 1.0, 1e30, 1e150])
def test_in_any_unit(unit):
    x = ar1(0.8, 1, 400, np.random.default_rng(5))
    np.testing.assert_allclose(block_means(unit * x), unit * block_means(x), rtol=1e-12)


def test_constant_columns():
    np.testing.assert_array_equal(block_means(np.full((1, 64, 2), 3.5)), np.full((32, 2), 3.5))


@pytest.mark.parametrize("shape", [(1, 3, 1), (3, 1, 1)])
def test_too_few_samples(shape):
    with pytest.raises(InputError, match="expected at least 4 blocks") as caught:
        block_means(np.zeros(shape))
    assert "\n" not in str(caught.value)
    assert "`chain`" in str(caught.value)


def test_too_correlated():
    """Fewer than 8 tau in one chain: an error, not a bar."""
    drift = np.linspace(0, 1, 100)[None, :, None]
    with pytest.raises(InputError, match=r"has 1 chain\(s\) of 100 samples"):
        block_means(drift)
    block_means(np.random.default_rng(6).standard_normal((1, 100, 1)))  # the control


def test_four_single_samples_are_enough():
    np.testing.assert_array_equal(block_means(np.arange(4.0).reshape(4, 1, 1))[:, 0], range(4))


def test_says_nothing(capfd):
    """pymbar's banner about jax stays unseen, and logging is as it was."""
    before = logging.root.manager.disable
    block_means(np.random.default_rng(7).standard_normal((1, 100, 1)))
    assert logging.root.manager.disable == before
    assert capfd.readouterr() == ("", "")


class TestBootstrap:
    def test_variance_is_unbiased_for_four_blocks(self):
        """Mean over 400 sets of 4 normal blocks: variance 1/4; unscaled it would be 3/16."""
        variances = []
        for seed in range(400):
            rng = np.random.default_rng(seed)
            blocks = rng.standard_normal((4, 1))
            variances.append(bootstrap([blocks], 200, rng).var())
        error = np.std(variances) / 20
        assert abs(np.mean(variances) - 1 / 4) < 5 * error
        assert abs(np.mean(variances) - 3 / 16) > 5 * error  # the control

    def test_variance_is_that_of_the_mean(self):
        blocks = np.random.default_rng(0).normal(size=(20, 1))
        drawn = bootstrap([blocks], 20000, np.random.default_rng(1))
        expected = blocks.var(ddof=1) / 20
        # the variance of 20000 nearly normal numbers is good to sqrt(2 / 20000)
        assert abs(drawn.var() / expected - 1) < 5 * math.sqrt(2 / 20000)
        assert abs(drawn.mean() - blocks.mean()) < 5 * math.sqrt(expected / 20000)

    def test_shape_and_sets(self):
        sets = [np.zeros((5, 2)), np.ones((9, 2))]
        out = bootstrap(sets, 7, np.random.default_rng(0))
        assert out.shape == (7, 2, 2)
        np.testing.assert_allclose(out[:, 0], 0, atol=1e-14)
        np.testing.assert_allclose(out[:, 1], 1, atol=1e-14)

    def test_columns_go_together_and_sets_apart(self):
        x = np.random.default_rng(0).normal(size=(16, 1))
        out = bootstrap(
            [np.hstack([x, 2 * x]), np.hstack([x, 2 * x])], 500, np.random.default_rng(1)
        )
        np.testing.assert_allclose(out[..., 1], 2 * out[..., 0], atol=1e-14)
        correlation = np.corrcoef(out[:, 0, 0], out[:, 1, 0])[0, 1]
        assert abs(correlation) < 5 / math.sqrt(500)

    def test_one_block_has_no_scatter(self):
        out = bootstrap([np.full((1, 1), 2.0)], 3, np.random.default_rng(0))
        np.testing.assert_array_equal(out, np.full((3, 1, 1), 2.0))
