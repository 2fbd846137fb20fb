"""The Kosterlitz flow: the temperature at which curves of a stiffness run into its fixed point."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._core.optional import require
from .transition import Curve

__all__ = ["JUMP", "SLOPE", "FlowFit", "flow_fit", "kosterlitz"]

Floats = NDArray[np.float64]

JUMP = 0.636508  # K at T_BKT on a square torus, windings included; 2 / pi without
SLOPE = 0.318899
# Deviations u from the fixed point that are fitted, and the degree of c(T); the first leads.
_WINDOWS = ((-0.1, 0.25, 2), (-0.1, 0.15, 1), (-0.2, 0.3, 2))
_FEWEST = 3  # temperatures of each size in every window, the nearest if fewer lie in it
_CONSTANT = (1.0, 3.0)  # C and its spread: the flow starts near the lattice spacing
_POLE = 0.9 * math.pi  # of the cotangent, where the flow ends


def kosterlitz(log_size: Floats, c: Floats) -> tuple[Floats, Floats, Floats]:
    r"""Deviation u from the fixed point at scale :math:`\ell` on the trajectory c of the flow.

    .. math:: \frac{du}{d\ell} = -2 (u^2 - c), \qquad
       u = \sqrt c \coth(2 \sqrt c\, \ell) \; (c > 0), \quad \frac{1}{2 \ell} \; (c = 0), \quad
       \sqrt{-c} \cot(2 \sqrt{-c}\, \ell) \; (c < 0)

    with :math:`u = \pi K / 2 - 1`, :math:`c = u^2 - y^2` and fugacity y. One analytic function of
    c; it is continued as a straight line before the pole of the cotangent.

    Returns:
        u, and its derivatives by the scale and by c.

    Source: Kosterlitz, J. Phys. C 7, 1046 (1974).
    """
    w = 4 * c * log_size**2
    inside = np.maximum(w, -(_POLE**2))
    s = np.sqrt(np.abs(inside))
    near = s < 1e-2  # the series, to 1e-9
    s = np.where(near, 1.0, s)
    f = np.where(inside > 0, s / np.tanh(s), s / np.tan(s))
    slope = np.where(
        near, 1 / 3 - 2 * w / 45, (inside + f - f**2) / (2 * np.where(near, 1.0, inside))
    )
    f = np.where(near, 1 + w / 3 - w**2 / 45, f) + slope * (w - inside)
    u = f / (2 * log_size)
    return u, slope * 4 * c - u / log_size, slope * 2 * log_size


@dataclass(frozen=True, eq=False)
class FlowFit:
    """Where the curves of a stiffness flow as at a BKT transition.

    Args:
        estimate: T_BKT, NaN if there is none.
        constant: C of the fit; exp(-C) is the scale at which the flow starts.
        powers: (c_1, c_2) of the trajectory c(T).
        replicates: (R,), NaN where one has no fit.
        window: Standard deviation over fit windows and over sets of sizes.
        chi2: Of the central fit, for one degree of freedom.
        reason: Why there is none.
    """

    estimate: float
    constant: float
    powers: tuple[float, ...]
    replicates: Floats
    window: float
    chi2: float
    reason: str | None = None

    @property
    def statistical(self) -> float:
        """Scatter of the replicates, times sqrt(chi2) where that exceeds 1."""
        return float(np.nanstd(self.replicates)) * math.sqrt(max(self.chi2, 1.0))

    @property
    def error(self) -> float:
        """Statistical error and window in quadrature."""
        return math.hypot(self.statistical, self.window)


@dataclass(frozen=True, eq=False)
class _Points:
    """Points of all sizes in one window, and the fit of their values."""

    log_size: Floats
    temperature: Floats
    u: Floats  # (1 + R, n): values first
    sigma: Floats
    degree: int

    @property
    def freedom(self) -> int:
        return self.temperature.size + 1 - (self.degree + 2)

    def fit(self, u: Floats, start: Floats) -> tuple[Floats, float]:
        """Parameters (T, C, c_1, ...) that minimise chi^2, and chi^2; NaN if there are none."""
        if np.isnan(start).any():
            return start, math.nan
        seen: dict[bytes, tuple[Floats, Floats]] = {}  # MINPACK asks for the Jacobian where it was

        def model(p: Floats) -> tuple[Floats, Floats]:
            key = p.tobytes()
            if key not in seen:
                seen[key] = self._model(p)
            return seen[key]

        p, _, info, _, status = require("scipy.optimize").leastsq(
            lambda p: np.append(
                (model(p)[0] - u) / self.sigma, (p[1] - _CONSTANT[0]) / _CONSTANT[1]
            ),
            start,
            Dfun=lambda p: np.vstack(
                [model(p)[1] / self.sigma[:, None], np.eye(p.size)[1] / _CONSTANT[1]]
            ),
            full_output=True,
            ftol=1e-8,
            xtol=1e-8,
            gtol=1e-8,
            maxfev=200,
            diag=1 / np.array([0.01 * start[0], 0.5, 1.0, 5.0][: start.size]),
        )
        t, constant, falls = p[:3]
        good = (
            status in (1, 2, 3, 4)
            and self.temperature.min() < t < self.temperature.max()
            and constant + self.log_size.min() > 0
            and falls > 0
        )
        return (p if good else np.full(start.size, np.nan)), float((info["fvec"] ** 2).sum())

    def _model(self, p: Floats) -> tuple[Floats, Floats]:
        """u at all points, and its Jacobian."""
        t_star, constant, powers = p[0], p[1], p[2:]
        x = 1 - self.temperature / t_star
        scale = self.log_size + constant
        at = np.maximum(scale, 0.1)
        order = np.arange(1, powers.size + 1)
        terms = x[:, None] ** order
        u, by_scale, by_c = kosterlitz(at, terms @ powers)
        steepness = (x[:, None] ** (order - 1)) @ (order * powers)
        by_t = by_c * steepness * self.temperature / t_star**2
        by_constant = np.where(scale > 0.1, by_scale, 0.0)
        return u, np.column_stack([by_t, by_constant, by_c[:, None] * terms])


def _points(
    curves: Sequence[Curve], window: tuple[float, float, int], jump: float, slope: float
) -> _Points:
    low, high, degree = window
    parts = []
    for curve in curves:
        u = (np.vstack([curve.value, curve.replicates]) - jump) / (2 * slope)
        outside = np.maximum(low - u[0], u[0] - high)
        keep = (outside < 0) | (outside <= np.sort(outside)[_FEWEST - 1])
        sigma = np.maximum(curve.error[keep] / (2 * slope), 1e-6)
        log_size = np.full(sigma.size, math.log(curve.size))
        parts.append((log_size, curve.temperature[keep], u[:, keep], sigma))
    log_size, temperature, u, sigma = (np.concatenate(p, -1) for p in zip(*parts, strict=True))
    return _Points(log_size, temperature, u, sigma, degree)


def _reason_against(curves: Sequence[Curve], jump: float) -> str | None:
    """Why no flow is looked for: the largest size passes j nowhere, or size does not matter."""
    largest = curves[-1]
    if min(c.temperature.size for c in curves) < 4:
        return "fewer than 4 temperatures"
    pull = (largest.value - jump) / np.maximum(largest.error, 1e-6)
    passes = f"K_eff of L = {largest.size}"
    if pull.max() < 4:
        return (
            f"{passes} is above {jump:.4f} at no temperature: no quasi-long-range order in the"
            " range"
        )
    if pull.min() > -4:
        return f"{passes} is below {jump:.4f} at no temperature: ordered in the whole range"
    stays = np.flatnonzero(largest.value > jump)[-1]
    if stays + 1 >= largest.value.size or (pull[: stays + 1] < -4).any():
        return f"{passes} crosses {jump:.4f} more than once"
    return "one lattice size: the flow with size needs two" if len(curves) < 2 else None


def flow_fit(curves: Sequence[Curve], *, jump: float = JUMP, slope: float = SLOPE) -> FlowFit:
    r"""The temperature at which the flow of K(L, T) with size ends in its fixed point.

    All sizes and temperatures near the transition are fitted at once by the solution of the
    Kosterlitz equations (`kosterlitz`),

    .. math:: K(L, T) = j + 2 s\, u(\ln L + C;\ c(T)), \qquad c = c_1 x + c_2 x^2,
       \quad x = 1 - T / T_{BKT}

    which is :math:`K = j + s / (\ln L + C)` at T_BKT. The jump j and the slope s are universal:
    .636508 and .318899 for the stiffness on a square torus; .750691 and .21243 for the correlation
    length over size. The leading fit takes -.1 < u < .25; the others take less and more of it, and
    leave out the smallest size. The flow starts near the lattice spacing: C = 1 +- 3 counts as one
    more point, without which noise may run off to infinite C, where u = 0 at all sizes.

    There is none if the stiffness of the largest size does not pass from above j to below it, by 4
    standard errors, or if it does not fall with L on the hot side, by 4 standard errors to which
    every temperature adds evenly, or if fewer than 2 sizes or 4 temperatures are given, or if the
    sizes obey no one flow. Points without scatter, at the end of a table, say nothing of the flow
    and are left out of it.

    Source: Harada & Kawashima, Phys. Rev. B 55, R11949 (1997), for the fit of sizes and
    temperatures at once; Hasenbusch, J. Phys. A 38, 5869 (2005), for j and s.
    """
    curves = sorted(curves, key=lambda c: c.size)
    none = np.full(curves[0].replicates.shape[0], np.nan)

    def nothing(reason: str) -> FlowFit:
        return FlowFit(math.nan, math.nan, (), none, math.nan, math.nan, reason)

    reason = _reason_against(curves, jump)
    if reason is not None:
        return nothing(reason)
    stays = np.flatnonzero(curves[-1].value > jump)[-1]
    centre = float(curves[-1].temperature[stays : stays + 2].mean())
    curves = [c.at(c.error > 1e-12 * np.abs(c.value)) for c in curves]  # more than roundings
    largest, smallest = curves[-1], curves[0]
    if min(c.temperature.size for c in curves) < 4:
        return nothing("fewer than 4 temperatures where K_eff is neither frozen nor out of reach")
    shared, i, j = np.intersect1d(smallest.temperature, largest.temperature, return_indices=True)
    hot = shared > centre
    fall = (largest.value[j] - smallest.value[i]) / np.hypot(largest.error[j], smallest.error[i])
    if not hot.any() or fall[hot].sum() / math.sqrt(hot.sum()) > -4:
        return nothing("K_eff does not fall with the lattice size above the transition")

    points = _points(curves, _WINDOWS[0], jump, slope)
    lead, chi2 = points.fit(points.u[0], np.array([centre, 1.0, 1.0, 0.0]))
    replicates = np.array([points.fit(u, lead)[0][0] for u in points.u[1:]])
    subsets = [(curves, window) for window in _WINDOWS[1:]]
    if len(curves) > 2:
        subsets.append((curves[1:], _WINDOWS[0]))
    others = []
    for chosen, window in subsets:
        other = _points(chosen, window, jump, slope)
        others.append(other.fit(other.u[0], lead[: window[2] + 2])[0][0])
    if np.isnan(lead[0]) or np.isnan(others).all() or np.isnan(replicates).mean() > 0.2:
        return nothing("no temperature at which the sizes obey one Kosterlitz flow")
    return FlowFit(
        float(lead[0]),
        float(lead[1]),
        tuple(map(float, lead[2:])),
        replicates,
        float(np.nanstd([lead[0], *others])),
        chi2 / points.freedom,
    )
