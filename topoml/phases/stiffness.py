"""Stiffness: curves of K_eff(L, T), and the temperature where they flow as at a BKT transition."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from .observables import SpinBlocks, block_field
from .transition import Curve

__all__ = ["LogarithmicFit", "StiffnessTable", "gaussian_fields", "logarithmic_fit", "tabulate"]

Floats = NDArray[np.float64]

JUMP = 0.636508  # K at T_BKT on a torus, windings included; 2 / pi without
SLOPE = 0.318899
_WINDOWS = ((5, 2), (4, 1), (7, 2), (7, 3))  # points nearest the transition, degree; first leads


def gaussian_fields(size: int, n: int, rng: np.random.Generator) -> Floats:
    r"""Exact samples of the Gaussian spin-wave model at K = 1 on the torus, (n, L, L) radians.

    Weight :math:`\exp(-\frac{K}{2} \sum_{\langle ij \rangle} (\phi_i - \phi_j)^2)`, zero mode 0;
    at stiffness K divide by sqrt(K). White noise filtered by the lattice propagator.
    """
    k = 2 * np.pi * np.fft.fftfreq(size)
    laplacian = 4 - 2 * np.cos(k)[:, None] - 2 * np.cos(k)[None]
    laplacian[0, 0] = 1.0
    amplitude = laplacian**-0.5
    amplitude[0, 0] = 0.0
    pairs = -(-n // 2)
    noise = rng.standard_normal((pairs, size, size)) + 1j * rng.standard_normal((pairs, size, size))
    field = np.fft.ifft2(np.fft.fft2(noise) * amplitude)
    return np.concatenate([field.real, field.imag])[:n]


@dataclass(frozen=True, eq=False)
class StiffnessTable:
    """A topological quantity of Gaussian fields against their stiffness K.

    ``log_stiffness`` (n,) ascending; ``value`` (n,) and ``replicates`` (R, n) fall with it.
    """

    size: int
    log_stiffness: Floats
    value: Floats
    replicates: Floats

    def invert(self, curve: Curve) -> Curve:
        """K_eff of a curve of the quantity; beyond the table, the table's end."""
        stack = np.vstack([curve.value, curve.replicates])
        tables = np.vstack([self.value, self.replicates])
        out = np.empty_like(stack)
        for r in range(len(stack)):
            falling = np.minimum.accumulate(tables[r])
            out[r] = np.exp(np.interp(stack[r], falling[::-1], self.log_stiffness[::-1]))
        return Curve(curve.size, curve.temperature, out[0], out[1:])


def tabulate(
    observable: SpinBlocks,
    size: int,
    *,
    n_fields: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> tuple[StiffnessTable, ...]:
    """Tabulate the topology of block spins on Gaussian fields of stiffness 0.1 to 3.

    The same fields serve every K, so that the tables are smooth in K; one for each of the
    observable's names.
    """
    log_k = np.linspace(math.log(0.1), math.log(3.0), 28)
    at_once = max(2, min(n_fields, 2**20 // size**2))
    parts = []
    for i in range(0, n_fields, at_once):
        phi = torch.from_numpy(gaussian_fields(size, min(at_once, n_fields - i), rng)).float()
        row = []
        for x in log_k:
            angle = phi * math.exp(-x / 2)
            blocks = [block_field(part, observable.grid) for part in (angle.cos(), angle.sin())]
            row.append(observable.of_blocks(torch.stack(blocks, 1)))
        parts.append(np.stack(row, 1))
    values = np.concatenate(parts)  # (field, K, name)
    drawn = rng.integers(0, n_fields, (n_replicates, n_fields))
    weight = np.stack([np.bincount(d, minlength=n_fields) for d in drawn]) / n_fields
    return tuple(
        StiffnessTable(size, log_k, values[..., m].mean(0), weight @ values[..., m])
        for m in range(len(observable.names))
    )


@dataclass(frozen=True, eq=False)
class LogarithmicFit:
    """Where the curves of K_eff obey the flow of a BKT transition.

    Args:
        estimate: T_BKT, NaN if there is none.
        constant: C of the fit.
        replicates: (R,).
        window: Standard deviation over fit windows and over sets of sizes.
        chi2: Of the central fit.
        reason: Why there is none.
    """

    estimate: float
    constant: float
    replicates: Floats
    window: float
    chi2: float
    reason: str | None = None

    @property
    def error(self) -> float:
        """Bootstrap and window in quadrature."""
        return math.hypot(float(np.nanstd(self.replicates)), self.window)


def _nearest(curve: Curve, centre: float, n: int) -> NDArray[np.intp]:
    return np.sort(np.argsort(np.abs(curve.temperature - centre), kind="stable")[:n])


def _solve(
    curves: Sequence[Curve],
    centre: float,
    n_points: int,
    degree: int,
    excess_at: float,
    slope: float,
) -> tuple[Floats, NDArray[np.bool_], Floats, float]:
    """T and C that minimise chi^2 over sizes, for the values (first) and the replicates (rest).

    With them whether T lies inside the window, and the chi^2 of the first.
    """
    fits, sigmas, spans = [], [], []
    for curve in curves:
        near = _nearest(curve, centre, n_points)
        t, sigma = curve.temperature[near], np.maximum(curve.error[near], 1e-6)
        stack = np.vstack([curve.value[near], curve.replicates[:, near]])
        design = np.vander(t - centre, min(degree, t.size - 2) + 1)
        solve = np.linalg.pinv(design / sigma[:, None]) / sigma
        fits.append((solve @ stack.T, design.shape[1]))
        sigmas.append((t, sigma))
        spans.append((t[0], t[-1]))
    grid = np.linspace(max(s[0] for s in spans), min(s[1] for s in spans), 81)
    excess = np.geomspace(0.005, 0.8, 200) * slope / SLOPE
    largest = math.log(max(c.size for c in curves))
    constant = slope / excess - largest
    n = fits[0][0].shape[1]
    chi2 = np.zeros((n, grid.size, excess.size))
    for curve, (coefficient, terms), (t, sigma) in zip(curves, fits, sigmas, strict=True):
        model = np.vander(grid - centre, terms) @ coefficient  # (grid, R)
        flow = math.log(curve.size) + constant
        target = np.where(flow > 0.3, excess_at + slope / np.maximum(flow, 0.3), 1e3)
        error = np.interp(grid, t, sigma)
        chi2 += ((model.T[:, :, None] - target) / error[None, :, None]) ** 2
    best = chi2.min(2)
    at = best.argmin(1)
    inside = (at > 0) & (at < grid.size - 1)
    left, here, right = (best[np.arange(n), np.clip(at + s, 0, grid.size - 1)] for s in (-1, 0, 1))
    curvature = left - 2 * here + right
    shift = np.where(curvature > 0, (left - right) / (2 * np.maximum(curvature, 1e-300)), 0.0)
    temperature = grid[at] + np.clip(shift, -1, 1) * (grid[1] - grid[0])
    return temperature, inside, constant[chi2[np.arange(n), at].argmin(1)], float(here[0])


def logarithmic_fit(
    curves: Sequence[Curve], *, jump: float = JUMP, slope: float = SLOPE
) -> LogarithmicFit:
    r"""The temperature at which :math:`K(L) = j + s / (\ln L + C)` holds for all sizes.

    Each curve is a weighted polynomial in T about the transition; T and C minimise the chi^2 over
    sizes. The jump j and the slope s are universal: .636508 and .318899 for the stiffness on a
    square torus; .750691 and .21243 for the correlation length over size.

    There is none if the stiffness of the largest size does not pass from above j to below it, by 4
    standard errors, or if it does not fall with L on the hot side, by 4 standard errors to which
    every temperature adds evenly, or if fewer than 2 sizes or 4 temperatures are given. Points
    without scatter, at the end of a table, say nothing of the flow and are left out of it.

    Source: Hasenbusch, J. Phys. A 38, 5869 (2005); Weber & Minnhagen, Phys. Rev. B 37, 5986 (1988).
    """
    curves = sorted(curves, key=lambda c: c.size)
    none = np.full(curves[0].replicates.shape[0], np.nan)

    def nothing(reason: str) -> LogarithmicFit:
        return LogarithmicFit(math.nan, math.nan, none, math.nan, math.nan, reason)

    largest, smallest = curves[-1], curves[0]
    if min(c.temperature.size for c in curves) < 4:
        return nothing("fewer than 4 temperatures")
    sigma = np.maximum(largest.error, 1e-6)
    pull = (largest.value - jump) / sigma
    if pull.max() < 4:
        return nothing(
            f"K_eff of L = {largest.size} is above {jump:.4f} at no temperature: no"
            " quasi-long-range order in the range"
        )
    if pull.min() > -4:
        return nothing(
            f"K_eff of L = {largest.size} is below {jump:.4f} at no temperature: ordered in the"
            " whole range"
        )
    stays = np.flatnonzero(largest.value > jump)[-1]
    if stays + 1 >= largest.value.size or (pull[: stays + 1] < -4).any():
        return nothing(f"K_eff of L = {largest.size} crosses {jump:.4f} more than once")
    centre = float(largest.temperature[stays : stays + 2].mean())
    if len(curves) < 2:
        return nothing("one lattice size: the flow with size needs two")
    curves = [c.at(c.error > 1e-12 * np.abs(c.value)) for c in curves]  # more than roundings
    largest, smallest = curves[-1], curves[0]
    if min(c.temperature.size for c in curves) < 4:
        return nothing("fewer than 4 temperatures where K_eff is neither frozen nor out of reach")
    shared, i, j = np.intersect1d(smallest.temperature, largest.temperature, return_indices=True)
    hot = shared > centre
    fall = (largest.value[j] - smallest.value[i]) / np.hypot(largest.error[j], smallest.error[i])
    if not hot.any() or fall[hot].sum() / math.sqrt(hot.sum()) > -4:
        return nothing("K_eff does not fall with the lattice size above the transition")

    for _ in range(5):  # K passes j above the transition: follow the solution into its own window
        before = [_nearest(c, centre, _WINDOWS[0][0]) for c in curves]
        lead, inside, constant, chi2 = _solve(curves, centre, *_WINDOWS[0], jump, slope)
        centre = float(lead[0])
        after = [_nearest(c, centre, _WINDOWS[0][0]) for c in curves]
        if all(np.array_equal(*pair) for pair in zip(before, after, strict=True)):
            break
    if not inside[0] or inside[1:].mean() < 0.8:
        return nothing("no temperature at which the sizes obey one logarithmic flow")
    lead = np.where(inside, lead, np.nan)
    found = [centre]
    for points, degree in _WINDOWS[1:]:
        t, within, *_ = _solve(curves, centre, points, degree, jump, slope)
        found.append(t[0] if within[0] else math.nan)
    if len(curves) > 2:
        t, within, *_ = _solve(curves[1:], centre, *_WINDOWS[0], jump, slope)
        found.append(t[0] if within[0] else math.nan)
    window = float(np.nanstd(found))
    return LogarithmicFit(centre, float(constant[0]), lead[1:], window, chi2)
