"""Multi-histogram reweighting: averages at temperatures between the simulated ones."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError, NotConvergedError
from .._core.optional import require
from .autocorrelation import Estimate, gamma_of_fluctuations, series_of
from .resampling import quietly

__all__ = ["OverlapError", "Reweighting", "reweight"]

Floats = NDArray[np.float64]
Function = Callable[[Floats, float], float]

_TOLERANCE = 1e-4  # of the sums of weights, which are 1
_ENOUGH = 100  # independent samples that have to carry the weight at a temperature
_FARTHEST = 1.5  # standard deviations of the energy, beyond the last simulated temperature


class OverlapError(NotConvergedError):
    """Too few samples have weight at a temperature; ``estimate`` is not to be trusted."""


@dataclass(frozen=True, eq=False, repr=False)
class Reweighting:
    """Samples of several temperatures, joined by MBAR: what `reweight` makes of energies.

    For more than one observable of the same samples, as the equations are solved once.

    Attributes:
        shapes: Temperature to (chain, sample), ascending.
        energy: (N,), all samples in that order, less a constant.
        spread: (K,), standard deviation of the energy at each temperature.
        log_mixture: (N,), log-density of the mixture of all temperatures.
        weight: (N, K), weights at the simulated temperatures, each column of sum 1.
        response: (K, K): the equations change by it times minus the change of the free energies.
    """

    shapes: Mapping[float, tuple[int, ...]]
    energy: Floats
    spread: Floats
    log_mixture: Floats
    weight: Floats
    response: Floats

    @classmethod
    def of(cls, energies: Mapping[float, Any]) -> "Reweighting":
        """Solve the equations of MBAR; arguments and errors as of `reweight`."""
        if not energies:
            raise InputError("`energies` is empty; expected at least one temperature.")
        given = {t: series_of(f"energies[{t!r}]", e) for t, e in sorted(energies.items())}
        betas = [_inverse("energies", t) for t in given]
        energy = np.concatenate([x.ravel() for x in given.values()])
        energy = energy - energy.mean()
        n_samples = np.array([x.size for x in given.values()], float)
        reduced = np.outer(betas, energy)
        free = _free_energies(betas, n_samples, energy, reduced)
        exponent = free[:, None] - reduced
        terms = exponent + np.log(n_samples)[:, None]
        top = terms.max(0)
        log_mixture = top + np.log(np.exp(terms - top).sum(0))
        weight = np.exp(exponent - log_mixture).T
        total = weight.sum(0)
        if np.abs(total - 1).max() > _TOLERANCE:
            raise NotConvergedError(
                f"`energies`: the weights of the simulated temperatures sum to {total.tolist()},"
                " not to 1: the equations of MBAR are not solved. Cure: temperatures that overlap.",
                free,
            )
        weight /= total
        # without the last term singular: a constant on all free energies changes nothing
        response = np.eye(len(betas)) - (weight.T @ weight) * n_samples
        response += n_samples / n_samples.sum()
        return cls(
            {t: x.shape for t, x in given.items()},
            energy,
            np.array([x.std() for x in given.values()]),
            log_mixture,
            weight,
            response,
        )

    def averages(
        self,
        observables: Mapping[float, Any],
        temperatures: Iterable[float],
        *,
        function: Function | None = None,
        check: bool = True,
    ) -> tuple[Estimate, ...]:
        """Averages at other temperatures; arguments, result and errors as of `reweight`."""
        rows = self._rows(observables, function)
        out = []
        for beta in [_inverse("temperatures", t) for t in temperatures]:
            value, change, n_weighty = self._at(rows, beta, function)
            parts = self._parts(change)
            estimate = gamma_of_fluctuations(value, parts, check=False)
            estimate = replace(estimate, n_effective=n_weighty / (2 * estimate.tau))
            if check:
                self._check_overlap(estimate, beta)
                gamma_of_fluctuations(value, parts, check=True)
            out.append(estimate)
        return tuple(out)

    def _at(
        self, rows: Floats, beta: float, function: Function | None
    ) -> tuple[float, Floats, float]:
        """The value at beta, what each sample adds to it (N,), and Kish's number of samples."""
        log_weight = -beta * self.energy - self.log_mixture
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        mean = weight @ rows
        away = rows - mean
        value, slope = float(mean[0]), np.ones(1)
        if function is not None:
            step = np.sqrt((weight**2) @ away**2) / 4
            value, slope = _slopes(function, mean, step, 1 / beta)
        own = weight * (away @ slope)
        # the free energies change with the weight of a sample, and with them all weights
        n_samples = np.array([math.prod(shape) for shape in self.shapes.values()], float)
        pull = n_samples * (own @ self.weight)
        change = own + self.weight @ np.linalg.solve(self.response.T, pull)
        return value, change, float(1 / (weight**2).sum())

    def _parts(self, change: Floats) -> dict[str, Floats]:
        """By temperature, what a sample adds, times the number of samples, about the mean."""
        parts, at = {}, 0
        for t, shape in self.shapes.items():
            n = math.prod(shape)
            mine = change[at : at + n].reshape(shape)
            parts[f"energies[{t!r}]"] = n * (mine - mine.mean())
            at += n
        return parts

    def _rows(self, observables: Mapping[float, Any], function: Function | None) -> Floats:
        """Observables of all samples, (N, k)."""
        if set(observables) != set(self.shapes):
            raise InputError(
                f"`observables` are of temperatures {sorted(observables)} and `energies` of"
                f" {list(self.shapes)}; expected the same ones."
            )
        rows = []
        for t, shape in self.shapes.items():
            given = observables[t]
            columns = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given, float)
            columns = columns[..., None] if columns.ndim == 2 else columns
            fits = columns.shape[:-1] == shape and columns.shape[-1] > 0
            if not fits or (function is None and columns.shape[-1] != 1):
                raise InputError(
                    f"`observables[{t!r}]` has shape {columns.shape}; expected {shape} as the"
                    " energies, or with a last axis k that `function` takes."
                )
            if not np.isfinite(columns).all():
                raise InputError(
                    f"`observables[{t!r}]` holds NaN or infinity; expected finite numbers."
                )
            rows.append(columns.reshape(-1, columns.shape[-1]))
        widths = {x.shape[-1] for x in rows}
        if len(widths) > 1:
            raise InputError(f"`observables` have {sorted(widths)} columns; expected one number.")
        return np.concatenate(rows)

    def _check_overlap(self, estimate: Estimate, beta: float) -> None:
        """Enough samples that carry the weight, and not too far outside of the simulated range."""
        if estimate.n_effective < _ENOUGH:
            raise OverlapError(
                f"`temperatures` holds {1 / beta:.6g}, where {estimate.n_effective:.1f} independent"
                f" samples carry the weight; expected at least {_ENOUGH}. Cure: simulate nearer, or"
                " longer.",
                estimate,
            )
        betas = [1 / t for t in self.shapes]
        k = int(np.argmin(np.abs(np.subtract(betas, beta))))
        outside = beta < min(betas) or beta > max(betas)
        shift = abs(betas[k] - beta) * float(self.spread[k])
        if outside and shift > _FARTHEST:
            raise OverlapError(
                f"`temperatures` holds {1 / beta:.6g}, where the energy differs from that at"
                f" {1 / betas[k]:.6g}, the last simulated one, by {shift:.1f} of its standard"
                f" deviations; expected at most {_FARTHEST}. Cure: simulate nearer.",
                estimate,
            )


def reweight(
    energies: Mapping[float, Any],
    observables: Mapping[float, Any],
    temperatures: Iterable[float],
    *,
    function: Function | None = None,
    check: bool = True,
) -> tuple[Estimate, ...]:
    r"""Averages at other temperatures, from all simulated ones together (MBAR), k_B = 1.

    .. math:: \langle A \rangle_\beta = \sum_n w_n(\beta) A_n, \qquad
              w_n(\beta) \propto \frac{e^{-\beta E_n}}{\sum_k N_k e^{f_k - \beta_k E_n}}

    over the samples of all temperatures, with the free energies f_k for which
    :math:`\sum_n w_n(\beta_k) = 1` with a factor of :math:`e^{f_k}`, solved by pymbar. From one
    temperature it is single-histogram reweighting. The error is that of the Gamma method for what
    each sample adds to the answer to first order, by its own weight and through all f_k: so it has
    the autocorrelations, and those between an observable and the energy. Not in it: correlations
    between temperatures (parallel tempering). O(K N) memory for K temperatures and N samples.

    Args:
        energies: Temperature to total energies (chain, sample), not per site, in the unit of the
            temperature.
        observables: Temperature to (chain, sample), measured together with the energies, or
            (chain, sample, k) with a ``function``.
        temperatures: Where the averages are wanted.
        function: Of the k averages (k,) and the temperature; smooth within their errors. Left out,
            the average itself, k = 1.
        check: Whether samples and chains have to be enough for the answer to be trusted.

    Returns:
        One `Estimate` a temperature; ``n_effective`` is the number of independent samples that
        carry the weight, :math:`1 / (2 \tau \sum_n w_n^2)`.

    Raises:
        OverlapError: At a temperature, which is named, fewer than 100 of these; or it is outside
            of the simulated ones, and the energy there differs by more than 1.5 of its standard
            deviations: the tail of the distribution is sampled too badly for any error. The number
            stands in ``estimate``.
        ShortChainError: Chains shorter than 50 autocorrelation times.
        InputError: Shapes that do not fit, temperatures that are not above 0, NaN or infinity.

    Source: Ferrenberg & Swendsen, Phys. Rev. Lett. 63, 1195 (1989); Shirts & Chodera, J. Chem.
        Phys. 129, 124105 (2008), arXiv:0801.1426, for the equations of f_k.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> spins = {t: rng.random((4, 2000)) < 1 / (1 + np.exp(1 / t)) for t in (1.0, 2.0)}
        >>> energies = {t: s.astype(float) for t, s in spins.items()}  # levels 0 and 1
        >>> mean, = reweight(energies, energies, [1.5])
        >>> bool(abs(mean.value - 1 / (1 + np.exp(1 / 1.5))) < 4 * mean.error < 0.03)
        True
    """
    solved = Reweighting.of(energies)
    return solved.averages(observables, temperatures, function=function, check=check)


def _slopes(
    function: Function, mean: Floats, step: Floats, temperature: float
) -> tuple[float, Floats]:
    """The function at the means and its derivatives there, by central differences."""

    def at(point: Floats) -> float:
        with np.errstate(all="ignore"):
            value = float(function(point, temperature))
        if not math.isfinite(value):
            raise InputError(
                f"`function` is {value} at the averages {point.tolist()} and temperature"
                f" {temperature:.6g}; expected a finite number there and within their errors."
            )
        return value

    slope = np.zeros(len(mean))
    for k in np.flatnonzero(step > 16 * np.finfo(float).eps * np.abs(mean)):
        shift = np.where(np.arange(len(mean)) == k, step[k], 0.0)
        slope[k] = (at(mean + shift) - at(mean - shift)) / (2 * step[k])
    return at(mean), slope


def _free_energies(
    betas: list[float], n_samples: Floats, energy: Floats, reduced: Floats
) -> Floats:
    """f_k by pymbar, from the thermodynamic integral of the energy as the first guess."""
    if len(betas) == 1:
        return np.zeros(1)
    ends = np.cumsum(n_samples).astype(int)
    mean = np.array([x.mean() for x in np.split(energy, ends[:-1])])
    slices = np.diff(betas) * (mean[1:] + mean[:-1]) / 2
    guess = np.append(0.0, np.cumsum(slices))
    # its first choice, "hybr", is given options that scipy warns about
    solver = ({"method": "adaptive", "options": {"min_sc_iter": 0}},)
    with quietly():
        mbar = require("pymbar").MBAR(
            reduced, n_samples.astype(int), initial_f_k=guess, solver_protocol=solver
        )
    return np.asarray(mbar.f_k, float)


def _inverse(name: str, temperature: object) -> float:
    number = float(temperature) if isinstance(temperature, int | float | np.number) else math.nan
    if not 0.0 < number < math.inf:
        raise InputError(f"`{name}` holds {temperature!r}; expected finite numbers above 0.")
    return 1.0 / number
