"""Errors of correlated chains by their autocorrelation function: the Gamma method."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError, NotConvergedError

__all__ = [
    "Estimate",
    "ShortChainError",
    "gamma",
    "gamma_of_fluctuations",
    "integrated_autocorrelation_time",
    "series_of",
]

Floats = NDArray[np.float64]

_S = 1.5  # the ratio of the exponential to the integrated time that the window allows for
_ENOUGH = 50  # autocorrelation times that a chain has to last
_LITTLE = 0.1  # of the error: an ensemble whose own one is smaller need not be known well
_LEAST = 4  # samples of a chain, below which there is no function of time at all


@dataclass(frozen=True)
class Estimate:
    """A number with its error.

    Attributes:
        value: The estimate.
        error: One standard error; autocorrelations are in it.
        tau: Integrated autocorrelation time in samples, 1/2 for independent ones.
        n_effective: Number of independent samples that would be worth as much.
    """

    value: float
    error: float
    tau: float
    n_effective: float


class ShortChainError(NotConvergedError):
    """Chains shorter than 50 autocorrelation times; ``tau`` and ``estimate`` are not to be trusted.

    ``tau`` is likely too small: a chain that short does not show its slowest mode.
    """

    def __init__(self, message: str, tau: float, estimate: object = None) -> None:
        super().__init__(message, estimate)
        self.tau = tau


class Spectrum(NamedTuple):
    """What the Gamma method says of a mean: its error, tau with an error, and root Gamma(0)."""

    error: float
    tau: float
    tau_error: float
    spread: float


def integrated_autocorrelation_time(series: Any, *, check: bool = True) -> tuple[float, float]:  # noqa: ANN401
    r"""Integrated autocorrelation time in samples, and its error.

    .. math:: \tau = \frac12 + \sum_{t = 1}^{W} \frac{\Gamma(t)}{\Gamma(0)}, \qquad
              \Gamma(t) = \frac{1}{N - R t} \sum_{r, i} (a_{r, i} - \bar a)(a_{r, i + t} - \bar a)

    so that the mean of N samples has the variance :math:`2 \tau\, \Gamma(0) / N`; 1/2 for
    independent samples, :math:`(1 + \phi) / 2 (1 - \phi)` for an AR(1) process (half of what emcee
    calls tau). R chains are pooled about their common mean, so that chains which disagree count as
    correlated for as long as they last. The window W is where the statistical error and the
    neglected tail together are least, for a tail that decays with :math:`1.5\, \tau`; the bias of
    :math:`\bar a` is corrected. O(N log N). A number, without gradient.

    Args:
        series: (chain, sample), in the order of time; numpy or torch. A series that does not vary
            has tau = 1/2 and error 0.
        check: Whether chains have to be long enough for the answer to be trusted.

    Returns:
        tau and its standard error.

    Raises:
        ShortChainError: Chains shorter than 50 tau; it carries ``tau``.
        InputError: Fewer than 4 samples a chain, another shape, NaN or infinity.

    Source: U. Wolff, Comput. Phys. Commun. 156, 143 (2004), hep-lat/0306017: the
        automatic windowing with S = 1.5, the error of tau of eq. (42), the bias of eq. (49).

    Example:
        >>> import numpy as np
        >>> alternating = np.tile([1.0, 2.0, 2.0, 1.0], (2, 200))
        >>> integrated_autocorrelation_time(alternating)[0] <= 0.51
        True
    """
    x = series_of("series", series)
    found = _windowed(_cleaned(x - x.mean(), np.abs(x).max()))
    answer = (found.tau, found.tau_error)
    if check:
        _check_length("series", x.shape[1], found.tau, answer)
    return answer


def gamma(f: Callable[..., float], *series: Any, check: bool = True) -> Estimate:  # noqa: ANN401
    r"""A function of means with its error, from chains measured together.

    .. math:: F = f(\bar a_1, \bar a_2, \ldots), \qquad
              \sigma_F^2 = \frac{2 \tau_F}{N}\, \Gamma_F(0), \qquad
              \delta_F = \sum_\alpha \frac{\partial f}{\partial \bar a_\alpha} (a_\alpha - \bar
              a_\alpha)

    with Gamma and tau of the fluctuations delta_F as in `integrated_autocorrelation_time`. The
    derivatives are central differences over a quarter of each mean's naive error. What f adds by
    its curvature, of the order of sigma^2, is left in the value: see `resampling.jackknife`.

    Args:
        f: Called with one float for each series; smooth within the errors of the means.
        *series: Each (chain, sample), all of one shape, in the order of time; numpy or torch.
        check: As in `integrated_autocorrelation_time`.

    Returns:
        `Estimate`, with the tau of delta_F.

    Raises:
        ShortChainError: Chains shorter than 50 tau; the number stands in ``estimate``.
        InputError: Series of wrong or unequal shapes, NaN or infinity, or a function that gives
            them at the means or within their errors.

    Source: U. Wolff, Comput. Phys. Commun. 156, 143 (2004), hep-lat/0306017.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(2.0, 1.0, (4, 1000))
        >>> mean = gamma(lambda a: a, x)
        >>> bool(abs(mean.value - 2.0) < 0.1), bool(abs(mean.error - 1 / 4000**0.5) < 2e-3)
        (True, True)
    """
    x = np.stack(_together(series))
    mean, largest = x.mean((1, 2)), np.abs(x).max((1, 2))
    value = _finite(f, mean)
    n = x[0].size
    unit = np.where(largest > 0, largest, 1.0)
    step = (x / unit[:, None, None]).std((1, 2)) * unit / math.sqrt(n) / 4
    slope = np.zeros(len(x))
    for a in np.flatnonzero(step > 4 * np.finfo(float).eps * largest):
        ends = np.stack([mean, mean])
        ends[:, a] += [-step[a], step[a]]
        slope[a] = (_finite(f, ends[1]) - _finite(f, ends[0])) / (ends[1, a] - ends[0, a])
    fluctuation = np.tensordot(slope, x - mean[:, None, None], 1)
    fluctuation = _cleaned(fluctuation, float(np.abs(slope) @ largest))
    return gamma_of_fluctuations(value, {"series": fluctuation}, check=check)


def gamma_of_fluctuations(
    value: float, parts: Mapping[str, Floats], *, check: bool = True
) -> Estimate:
    """An estimate whose error comes from one or more ensembles, independent of each other.

    Args:
        value: The estimate.
        parts: Of each ensemble, by a name for errors, (chain, sample): what a sample adds to the
            value, times the number of samples of its ensemble; of mean 0.
        check: As in `integrated_autocorrelation_time`, where the time is that of each ensemble
            but of those that add less than 1 % to the variance.
    """
    found = {name: _windowed(part) for name, part in parts.items()}
    error = math.hypot(*(one.error for one in found.values()))
    naive = math.hypot(*(found[name].spread / math.sqrt(x.size) for name, x in parts.items()))
    tau = (error / naive) ** 2 / 2 if naive > 0 else 0.5
    n_samples = sum(x.size for x in parts.values())
    estimate = Estimate(value, error, tau, n_samples / (2 * tau))
    if check:
        for name in (n for n in parts if found[n].error > _LITTLE * error):
            x = parts[name]
            _check_length(name, x.shape[1], found[name].tau, estimate)
    return estimate


def series_of(name: str, values: Any) -> Floats:  # noqa: ANN401
    """Float64 (chain, sample), finite, of at least 4 samples a chain."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or len(x) < 1 or x.shape[1] < _LEAST:
        raise InputError(
            f"`{name}` has shape {x.shape}; expected (chain, sample) with at least {_LEAST} samples"
            " a chain. Cure: x[None] for one chain."
        )
    if not np.isfinite(x).all():
        raise InputError(f"`{name}` holds NaN or infinity; expected finite numbers.")
    return x


def _together(series: tuple[Any, ...]) -> list[Floats]:
    if not series:
        raise InputError("`series` is empty; expected at least one array (chain, sample).")
    columns = [series_of("series", one) for one in series]
    shapes = {one.shape for one in columns}
    if len(shapes) > 1:
        raise InputError(
            f"`series` have shapes {sorted(shapes)}; expected one shape, as they are measured"
            " together."
        )
    return columns


def _finite(f: Callable[..., float], at: Floats) -> float:
    with np.errstate(all="ignore"):
        value = float(f(*map(float, at)))
    if not math.isfinite(value):
        raise InputError(
            f"`f` is {value} at {tuple(map(float, at))}; expected a finite number at the means and"
            " within their errors. Cure: more samples, or another function."
        )
    return value


def _cleaned(fluctuation: Floats, scale: float) -> Floats:
    """Zeros where nothing but the roundings of numbers of that scale is left."""
    if np.abs(fluctuation).max() <= 8 * np.finfo(float).eps * scale:
        return np.zeros_like(fluctuation)
    return fluctuation


def _check_length(name: str, n_samples: int, tau: float, estimate: object) -> None:
    if n_samples < _ENOUGH * tau:
        raise ShortChainError(
            f"`{name}` has {n_samples} samples a chain with an autocorrelation time of {tau:.3g};"
            f" expected at least {_ENOUGH} times that, {math.ceil(_ENOUGH * tau)}. Cure: longer"
            " chains, or check=False for a number that is likely wrong.",
            tau,
            estimate,
        )


def _windowed(x: Floats) -> Spectrum:
    """The Gamma method for the mean of fluctuations (chain, sample) of mean 0."""
    scale = float(np.abs(x).max())
    if scale == 0.0:
        return Spectrum(0.0, 0.5, 0.0, 0.0)
    n = x.size
    function = _autocovariance(x / scale)
    rho = function / function[0]
    tau = np.maximum(0.5 + np.append(0.0, np.cumsum(rho[1:])), 0.5 + np.finfo(float).eps)
    w = np.arange(1, len(rho))
    decay = _S / np.log((2 * tau[1:] + 1) / (2 * tau[1:] - 1))
    grows = np.exp(-w / decay) < decay / np.sqrt(w * n)
    window = int(w[grows.argmax()]) if grows.any() else len(rho) - 1
    unbiased = 1 + (2 * window + 1) / n
    at = float(tau[window])
    variance = 2 * at * unbiased * function[0] / n
    spread = function[0] + variance
    of_tau = variance * n / spread / 2
    error = 2 * of_tau * math.sqrt(abs(window + 0.5 - at) / n)
    return Spectrum(scale * math.sqrt(variance), of_tau, error, scale * math.sqrt(spread))


def _autocovariance(x: Floats) -> Floats:
    """Gamma(t) at lags up to half a chain, by fast Fourier transforms."""
    n_chains, n = x.shape
    length = n // 2
    padded = 2 ** math.ceil(math.log2(n + length))
    power = (np.abs(np.fft.rfft(x, padded)) ** 2).sum(0)
    pairs = n_chains * (n - np.arange(length))
    return np.asarray(np.fft.irfft(power, padded)[:length] / pairs)
