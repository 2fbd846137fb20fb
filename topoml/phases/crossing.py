"""Crossings: where the curves of two lattice sizes meet, extrapolated over pairs of sizes."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .transition import Curve

__all__ = ["Crossing", "cross", "extrapolate", "pairs_of"]

Floats = NDArray[np.float64]

SIGNIFICANT = 4.0  # standard errors by which the curves must differ, with opposite signs
_WINDOWS = ((5, 2), (4, 1), (7, 2), (7, 3))  # points nearest the crossing, degree; the first leads
_MISFIT = 6.0  # chi^2 per degree of freedom that no fit by chance has
_EXPONENTS = (2.0, 1.5, 3.0)  # drift of crossings ~ L^-w; w = 1/nu + omega, about 2 in 2D


@dataclass(frozen=True, eq=False)
class Crossing:
    """Where the curves of two sizes cross, or why they do not.

    Args:
        sizes: (L1, L2).
        estimate: Temperature, NaN if there is none.
        replicates: (R,) its bootstrap replicates.
        window: Standard deviation over fit windows.
        evidence: Standard errors by which the curves differ below and above, the smaller one.
        reason: Why there is none.
    """

    sizes: tuple[int, int]
    estimate: float
    replicates: Floats
    window: float
    evidence: float
    reason: str | None = None

    @property
    def error(self) -> float:
        """Bootstrap and window in quadrature."""
        return math.hypot(float(np.nanstd(self.replicates)), self.window)


def pairs_of(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Each size with the larger one nearest to twice it, by ratio; ratios of 1.5 and more."""
    pairs = []
    for small in sizes:
        larger = [large for large in sizes if large >= 1.5 * small]
        if larger:
            pairs.append((small, min(larger, key=lambda large: abs(math.log(large / small / 2)))))
    return pairs


def _nearest(temperature: Floats, centre: float, n: int) -> NDArray[np.intp]:
    return np.sort(np.argsort(np.abs(temperature - centre), kind="stable")[:n])


def _root(t: Floats, y: Floats, sigma: Floats, degree: int, centre: float) -> tuple[Floats, float]:
    """Roots nearest ``centre``, within the range of t, of polynomials in t fitted to y (R, n).

    With them chi^2 per degree of freedom of the fit to the first row.
    """
    scale = float(np.ptp(t))
    u = (t - centre) / scale
    design = np.vander(u, degree + 1) / sigma[:, None]
    coefficient = np.linalg.pinv(design) @ (y / sigma).T  # (degree + 1, R)
    roots = _roots(coefficient.T)
    inside = (np.abs(roots.imag) < 1e-9) & (roots.real >= u[0]) & (roots.real <= u[-1])
    away = np.where(inside, np.abs(roots.real), np.inf)
    nearest = np.take_along_axis(roots.real, away.argmin(1)[:, None], 1)[:, 0]
    out = np.where(inside.any(1), centre + scale * nearest, np.nan)
    left = y[0] / sigma - design @ coefficient[:, 0]
    return out, float(left @ left) / max(t.size - degree - 1, 1)


def _roots(coefficient: Floats) -> NDArray[np.complex128]:
    """Roots (R, d) of polynomials (R, d + 1), highest power first, NaN for those of lower degree:
    eigenvalues of their companion matrices."""
    lead, degree = coefficient[:, :1], coefficient.shape[1] - 1
    companion = np.tile(np.eye(degree, k=-1), (len(coefficient), 1, 1))
    companion[:, 0] = -coefficient[:, 1:] / np.where(lead == 0, 1.0, lead)
    return np.where(lead == 0, np.nan, np.linalg.eigvals(companion))


def _interpolated(t: Floats, y: Floats, centre: float) -> Floats:
    """Roots nearest ``centre`` of the polygons through y (R, n)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        root = t[:-1] + np.diff(t) * y[:, :-1] / (y[:, :-1] - y[:, 1:])
    away = np.where(y[:, :-1] * y[:, 1:] <= 0, np.abs(root - centre), np.inf)
    nearest = away.argmin(1)[:, None]
    found = np.isfinite(np.take_along_axis(away, nearest, 1))
    return np.where(found, np.take_along_axis(root, nearest, 1), np.nan)[:, 0]


def cross(small: Curve, large: Curve) -> Crossing:
    """Crossing of the curves of two sizes at the temperatures that they share.

    There is one if, on both sides of some temperature, the differences of the curves, each in its
    standard errors, add up to at least 4 standard errors, with opposite signs: curves that merge,
    or that noise makes touch, do not cross. Every temperature has the same say, lest cold ones,
    where nothing fluctuates and the curves agree, outweigh all others; those where neither size
    fluctuates at all are left out. The crossing is the root of a weighted quadratic through the 5
    points nearest; other windows and degrees give the systematic error. Where temperatures are too
    far apart for a quadratic, the crossing is that of straight lines between them.
    """
    sizes = (small.size, large.size)
    shared, i, j = np.intersect1d(small.temperature, large.temperature, return_indices=True)
    none = np.full(small.replicates.shape[0], np.nan)
    y = large.value[j] - small.value[i]
    replicates = large.replicates[:, j] - small.replicates[:, i]
    sigma = replicates.std(0)
    moves = sigma > 1e-12 * (np.abs(large.value[j]) + np.abs(small.value[i]))  # more than roundings
    shared, y, replicates, sigma = shared[moves], y[moves], replicates[:, moves], sigma[moves]
    if shared.size < 4:
        frozen = f", besides {(~moves).sum()} where nothing fluctuates" if not moves.all() else ""
        reason = f"sizes {sizes} share {shared.size} temperatures{frozen}; at least 4 are needed"
        return Crossing(sizes, math.nan, none, math.nan, 0.0, reason)
    sigma = np.maximum(sigma, 1e-3 * float(np.median(sigma)))  # the fit must not go through a point
    z, root_n = y / sigma, np.sqrt(np.arange(1, shared.size))
    below, above = np.cumsum(z)[:-1] / root_n, np.cumsum(z[::-1])[-2::-1] / root_n[::-1]
    crosses = (below * above < 0) & (y[:-1] * y[1:] <= 0)
    opposite = np.where(crosses, np.minimum(np.abs(below), np.abs(above)), 0.0)
    split = int(np.argmax(opposite))
    evidence = float(opposite[split])
    if evidence < SIGNIFICANT:
        significant = np.abs(y) > SIGNIFICANT * sigma
        what = (
            "differ at no temperature"
            if not significant.any()
            else ("differ with one sign only, so that they do not cross")
        )
        reason = f"the curves of L = {sizes[0]} and {sizes[1]} {what}"
        return Crossing(sizes, math.nan, none, math.nan, evidence, reason)
    stack = np.concatenate([y[None], replicates])
    middle = float(shared[split : split + 2].mean())
    n, degree = _WINDOWS[0]
    near = _nearest(shared, middle, n)
    degree = min(degree, near.size - 2)
    lead, misfit = _root(shared[near], stack[:, near], sigma[near], degree, middle)
    estimates = [lead[0]]
    if misfit > _MISFIT:
        lead = _interpolated(shared, stack, middle)
        estimates.append(lead[0])
    found = float(lead[0])
    if math.isnan(found) or np.isnan(lead[1:]).mean() > 0.2:
        reason = f"the curves of L = {sizes[0]} and {sizes[1]} cross at no stable temperature"
        return Crossing(sizes, math.nan, none, math.nan, evidence, reason)
    for n, degree in _WINDOWS[1:]:
        near = _nearest(shared, found, n)
        degree = min(degree, near.size - 2)
        roots, misfit = _root(shared[near], stack[:1, near], sigma[near], degree, found)
        estimates.append(roots[0])
    window = float(np.nanstd(estimates))
    return Crossing(sizes, found, lead[1:], window, evidence)


def extrapolate(crossings: Sequence[Crossing]) -> tuple[float, Floats, float]:
    """Limit of the crossings of pairs of sizes, T(L) = T_c + a L^-w at L = sqrt(L1 L2).

    Weighted least squares with w = 2, which the drift of crossings, 1/nu + omega, is near to in
    two dimensions; w = 1.5 and 3 give the systematic error. One pair is its own limit.

    Returns:
        Estimate, its replicates, and the systematic error of the extrapolation (0 for one pair).
    """
    t = np.array([c.estimate for c in crossings])
    replicates = np.stack([c.replicates for c in crossings], 1)
    if len(crossings) == 1:
        return float(t[0]), replicates[:, 0], 0.0
    size = np.array([math.sqrt(math.prod(c.sizes)) for c in crossings])
    sigma = np.array([c.error for c in crossings])
    limits = []
    for w in _EXPONENTS:
        drift = (size / size.max()) ** -w
        design = np.stack([np.ones_like(drift), drift], 1) / sigma[:, None]
        limits.append((np.linalg.pinv(design) @ (np.vstack([t, replicates]) / sigma).T)[0])
    spread = max(abs(a[0] - b[0]) for a, b in itertools.combinations(limits, 2)) / 2
    return float(limits[0][0]), limits[0][1:], float(spread)
