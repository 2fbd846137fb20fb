"""Blocks of chains, bootstrap replicates and the jackknife: errors from scatter."""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from .._core.optional import require
from .autocorrelation import Estimate, gamma, series_of

__all__ = ["block_means", "bootstrap", "jackknife", "quietly"]

Floats = NDArray[np.float64]

_ENOUGH_CHAINS = 8  # as many chains give an error without any autocorrelation time
_BLOCKS = 32  # of all chains together, where there are fewer


def block_means(columns: Floats) -> Floats:
    """Means of independent blocks of (chain, sample, k), as (block, k).

    Eight chains or more are blocks as they stand. Fewer are cut into blocks of at least two
    integrated autocorrelation times tau of their slowest column, at most 32 in all, and their
    scatter about the mean is widened by what neighbouring blocks still share: for correlations that
    decay as rho^t, a block of B samples varies by 1 - 2 rho (1 - rho^B) / (B (1 - rho^2)) of what
    independence asks for (0.57 at B = 2 tau), with rho = (2 tau - 1) / (2 tau + 1).

    Raises:
        InputError: Fewer than 4 blocks come out: too short for an error bar.
    """
    n_chains, n_samples, _ = columns.shape
    if n_chains >= _ENOUGH_CHAINS:
        return np.asarray(columns.mean(1))
    tau = max(_autocorrelation_time(series) for chain in columns for series in chain.T)
    per_chain = min(-(-_BLOCKS // n_chains), int(n_samples / max(2 * tau, 1.0)))
    if per_chain * n_chains < 4:
        raise InputError(
            f"`configurations` has {n_chains} chain(s) of {n_samples} samples with an"
            f" autocorrelation time of {tau:.1f}; expected at least 4 blocks of 2 times that for an"
            " error bar. Cure: longer or more chains; name independent ones by `chain`."
        )
    split = [np.array_split(chain, per_chain) for chain in columns]
    blocks = np.array([block.mean(0) for chain in split for block in chain])
    mean = blocks.mean(0)
    return np.asarray(mean + (blocks - mean) / math.sqrt(_share(tau, n_samples / per_chain)))


def _share(tau: float, length: float) -> float:
    """Variance of a block mean over that of independent blocks, for an AR(1) process."""
    rho = (2 * tau - 1) / (2 * tau + 1)
    return float(1 - 2 * rho * (1 - rho**length) / (length * (1 - rho**2)))


def _autocorrelation_time(series: Floats) -> float:
    """Integrated autocorrelation time in samples, at least 1/2 (white noise), by pymbar."""
    spread = float(np.ptp(series))
    if series.size < 4 or spread == 0.0:
        return 0.5
    series = (series - series[0]) / spread  # whatever the unit, squares neither vanish nor overflow
    with quietly():
        inefficiency = require("pymbar.timeseries").statistical_inefficiency(series)
    return float(inefficiency) / 2 if math.isfinite(inefficiency) else series.size


@contextmanager
def quietly() -> Iterator[None]:
    """Without the banners that pymbar logs."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(previous)


def jackknife(f: Callable[..., float], *series: Any, check: bool = True) -> Estimate:  # noqa: ANN401
    r"""A function of means with its error, by leaving out one block of chains at a time.

    .. math:: F = B f(\bar a) - (B - 1) \overline{f_b}, \qquad
              \sigma_F^2 = \frac{B - 1}{B} \sum_b (f_b - \overline{f_b})^2

    with f_b of the means without block b, of `block_means`: whole chains where there are eight or
    more. What f adds by its curvature is taken off the value, which `gamma` leaves in. Arguments
    and errors as of `gamma`, from which tau comes.

    Source: R. G. Miller, Biometrika 61, 1 (1974).
    """
    by_gamma = gamma(f, *series, check=check)
    blocks = block_means(np.stack([series_of("series", one) for one in series], -1))
    n = len(blocks)
    mean = blocks.mean(0)
    without = [float(f(*map(float, mean + (mean - block) / (n - 1)))) for block in blocks]
    average = math.fsum(without) / n
    value = n * float(f(*map(float, mean))) - (n - 1) * average
    error = math.sqrt((n - 1) / n) * math.hypot(*(one - average for one in without))
    return Estimate(value, error, by_gamma.tau, by_gamma.n_effective)


def bootstrap(blocks: Sequence[Floats], n_replicates: int, rng: np.random.Generator) -> Floats:
    """Bootstrap means of sets of blocks, each (block, k): (R, set, k).

    Scaled by sqrt(B / (B - 1)) about the mean, so that their variance is unbiased for B blocks.
    """
    out = np.empty((n_replicates, len(blocks), blocks[0].shape[1]))
    for i, block in enumerate(blocks):
        n = len(block)
        drawn = rng.integers(0, n, (n_replicates, n))
        number = n * np.arange(n_replicates)[:, None] + drawn
        weight = np.bincount(number.ravel(), minlength=n_replicates * n).reshape(-1, n) / n
        mean = block.mean(0)
        out[:, i] = mean + (weight @ block - mean) * math.sqrt(n / max(n - 1, 1))
    return out
