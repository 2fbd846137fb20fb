"""The two window-free routes to a transition temperature, as estimators."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray

from .._core.errors import InputError
from ..lattice import Ensemble
from .crossing import Crossing, cross, extrapolate, pairs_of
from .flow import JUMP, SLOPE, flow_fit
from .observables import (
    Columns,
    Features,
    Observable,
    OrderParameter,
    ScalarBlocks,
    SpinBlocks,
    coarse_grid,
    columns_of,
    curves_of,
)
from .resampling import block_means
from .stiffness import StiffnessTable, tabulate
from .transition import Curve, Transition

__all__ = [
    "BlockCrossing",
    "FeatureFunction",
    "Method",
    "TopologicalStiffness",
    "blocked",
    "crossing_transition",
    "flow_transition",
]

Floats = NDArray[np.float64]
Blocks = Mapping[int, Columns]  # size to temperature to (block, k)
FeatureFunction = Callable[[NDArray[np.generic]], "NDArray[np.generic] | torch.Tensor"]

_REPLICATES = 200


class Method(Protocol):
    """What `detect` asks of a method: columns of the ensemble once, a transition from blocks."""

    def measure(self, ensemble: Ensemble) -> dict[int, Columns]: ...
    def locate(self, blocks: Blocks) -> Transition: ...


class _Estimator:
    """The part of scikit-learn's estimator interface that needs no scikit-learn."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Constructor arguments by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.init}  # type: ignore[arg-type]

    def set_params(self, **params: Any) -> Self:  # noqa: ANN401
        """Change constructor arguments; InputError for a name that is none."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise InputError(f"`{name}` is no parameter; expected one of {sorted(known)}.")
            setattr(self, name, value)
        return self

    def fit(self, X: Ensemble, y: None = None) -> Self:
        """Detect the transition of an ensemble; it stands in ``transition_``."""
        columns = self.measure(X)  # type: ignore[attr-defined]
        blocks = {size: blocked(of_size) for size, of_size in columns.items()}
        self.transition_ = self.locate(blocks)  # type: ignore[attr-defined]
        return self


def blocked(columns: Columns) -> Columns:
    """Block means of the columns at each temperature."""
    return {t: block_means(c) for t, c in columns.items()}


def _crossings(curves: Mapping[int, Curve]) -> list[Crossing]:
    return [cross(curves[a], curves[b]) for a, b in pairs_of(sorted(curves))]


def _steepest(curve: Curve) -> tuple[float, float]:
    """Temperature at which a curve is steepest, from finite differences, and its error."""
    t, stack = curve.temperature, np.vstack([curve.value, curve.replicates])
    slope = np.abs(np.diff(stack, axis=1) / np.diff(t))
    at = ((t[1:] + t[:-1]) / 2)[slope.argmax(1)]
    spacing = float(np.diff(t)[slope[0].argmax()])
    return float(at[0]), math.hypot(float(at[1:].std()), spacing / 2)


def _one_size(curve: Curve, name: str, position: tuple[float, float], what: str) -> Transition:
    row = {"sizes": (curve.size,), "estimate": position[0], "error": position[1]}
    return Transition(
        None,
        None,
        f"one lattice size: {what} at T = {position[0]:.4g} +- {position[1]:.2g} for L ="
        f" {curve.size}, which shifts with L; a second size, twice as large, is missing",
        name,
        per_size=(row,),
    )


@dataclass(eq=False)
class BlockCrossing(_Estimator):
    """Second-order transitions: where a dimensionless topological quantity of L and 2L crosses.

    Fields are blocked to one coarse grid; the essential H1 birth of the block field (see
    `observables.ScalarBlocks`, `observables.SpinBlocks`) has curves that cross, as Binder's
    cumulant does. Crossings of all pairs of sizes are extrapolated; the error holds the bootstrap
    over chains, the fit windows, the extrapolation, and half the difference to a second topological
    quantity.

    Args:
        features: A callable (n, *L) -> (n, k) of dimensionless columns in place of the
            topological ones; the first leads.
        n_replicates: Of the bootstrap.
        seed: Of the bootstrap.
    """

    features: FeatureFunction | None = None
    n_replicates: int = _REPLICATES
    seed: int = 0
    observable_: Observable | None = field(default=None, init=False, repr=False)

    def measure(self, ensemble: Ensemble) -> dict[int, Columns]:
        """Columns of each size and temperature, (chain, sample, k)."""
        order = OrderParameter.of(ensemble)
        if self.features is not None:
            size = ensemble.sizes[0]
            x = ensemble.configurations(size=size, temperature=ensemble.temperatures_of(size)[0])
            probe = np.asarray(self.features(x[0, :1]))
            if probe.ndim != 2 or probe.shape[0] != 1:
                raise InputError(
                    f"`features` gives shape {probe.shape} for one configuration; expected (1, k)."
                )
            self.observable_ = Features(self.features, probe.shape[1])
        else:
            grid = coarse_grid(ensemble.sizes)
            blocks = SpinBlocks if order.is_direction else ScalarBlocks
            self.observable_ = blocks(order, grid)
        return {size: columns_of(ensemble, self.observable_, size) for size in ensemble.sizes}

    def locate(self, blocks: Blocks) -> Transition:
        """The transition that blocks of columns show."""
        assert self.observable_ is not None, "measure comes first"
        names = self.observable_.names
        rng = np.random.default_rng(self.seed)
        curves = {
            size: curves_of(
                self.observable_, size, of_size, n_replicates=self.n_replicates, rng=rng
            )
            for size, of_size in blocks.items()
        }
        of_blocks = "" if self.features is not None else " of blocked fields"
        transition = crossing_transition(
            [{size: c[m] for size, c in curves.items()} for m in range(len(names))],
            names,
            method=f"crossing of the {{}}{of_blocks}, extrapolated over pairs of sizes",
        )
        drawn = {name: tuple(c[m] for c in curves.values()) for m, name in enumerate(names)}
        return replace(transition, curves=drawn)


def crossing_transition(
    curves: list[dict[int, Curve]],
    names: tuple[str, ...],
    *,
    method: str = "crossing of the {}, extrapolated over pairs of sizes",
) -> Transition:
    """A transition from the curves of one or more quantities; the first one leads."""
    method = method.format(names[0])
    lead = curves[0]
    if len(lead) < 2:
        (curve,) = lead.values()
        if curve.temperature.size < 4:
            return Transition(None, None, "one lattice size and fewer than 4 temperatures", method)
        return _one_size(curve, method, _steepest(curve), f"the {names[0]} is steepest")
    crossings = _crossings(lead)
    if not crossings:
        reason = f"sizes {tuple(lead)} are too close; a crossing needs a ratio of at least 1.5"
        return Transition(None, None, reason, method)
    rows = tuple(_row(c) for c in crossings)
    found = [c for c in crossings if c.reason is None]
    if crossings[-1].reason is not None or 2 * len(found) < len(crossings):
        reason = next(c.reason for c in reversed(crossings) if c.reason is not None)
        return Transition(None, None, f"no crossing: {reason}", method, per_size=rows)
    estimate, replicates, limit = extrapolate(found)
    parts = {
        "bootstrap": float(np.nanstd(replicates)),
        "fit window": found[-1].window,
        "extrapolation": limit,
    }
    others = {}
    for name, other in zip(names[1:], curves[1:], strict=True):
        passed = [c for c in _crossings(other) if c.reason is None]
        if passed:
            value, scatter, _ = extrapolate(passed)
            others[name] = value
            if name == names[1]:
                # what the scatter does not explain, as the two quantities share their data
                excess = (value - estimate) ** 2 - float(np.nanstd(scatter - replicates)) ** 2
                parts["second quantity"] = math.sqrt(max(excess, 0.0)) / 2
    if len(found) == 1 and "second quantity" not in parts:
        ratio = found[0].sizes[1] / found[0].sizes[0]
        parts["one pair of sizes"] = 0.01 * estimate / ratio
    error = math.sqrt(sum(p**2 for p in parts.values()))
    diagnostics = {"errors": parts, "other quantities": others}
    return Transition(estimate, error, None, method, per_size=rows, diagnostics=diagnostics)


def _row(crossing: Crossing) -> dict[str, Any]:
    missing = crossing.reason is not None
    return {
        "sizes": crossing.sizes,
        "estimate": None if missing else crossing.estimate,
        "error": None if missing else crossing.error,
    }


@dataclass(eq=False)
class TopologicalStiffness(_Estimator):
    r"""BKT transitions: the stiffness that the topology of block spins shows, and its flow with L.

    The bond filtration of the block spins has an essential H1 birth; exactly sampled Gaussian
    spin-wave fields of stiffness K have it, too, and the K at which both agree is K_eff(L, T). It
    flows as the helicity modulus does, :math:`K = .636508 + .318899 / (\ln L + C)` at T_BKT, with
    the universal jump of the torus: one fit over sizes gives T and C. Needs no coupling J, no
    Hamiltonian, no labels and no windows. Crossings of the raw quantity, which drift where curves
    merge, are a diagnostic.

    Args:
        n_fields: Gaussian fields a size.
        n_replicates: Of the bootstrap.
        seed: Of the Gaussian fields and the bootstrap.

    Source: the fit: Hasenbusch, J. Phys. A 38, 5869 (2005); the tabulated topology: ours.
    """

    n_fields: int = 4000
    n_replicates: int = _REPLICATES
    seed: int = 0
    observable_: SpinBlocks | None = field(default=None, init=False, repr=False)
    tables_: dict[int, tuple[StiffnessTable, ...]] = field(
        default_factory=dict, init=False, repr=False
    )

    def measure(self, ensemble: Ensemble) -> dict[int, Columns]:
        """Columns of each size and temperature, (chain, sample, k); tables of each size."""
        if ensemble.manifold != "circle":
            raise InputError(
                f"`ensemble` has manifold {ensemble.manifold!r}; expected 'circle', as a stiffness"
                " is that of angles. Cure: BlockCrossing()."
            )
        self.observable_ = SpinBlocks(OrderParameter.of(ensemble), coarse_grid(ensemble.sizes))
        for size in ensemble.sizes:
            rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(size,)))
            self.tables_[size] = tabulate(
                self.observable_,
                size,
                n_fields=self.n_fields,
                n_replicates=self.n_replicates,
                rng=rng,
            )
        return {size: columns_of(ensemble, self.observable_, size) for size in ensemble.sizes}

    def locate(self, blocks: Blocks) -> Transition:
        """The transition that blocks of columns show."""
        assert self.observable_ is not None, "measure comes first"
        names = self.observable_.names
        rng = np.random.default_rng(self.seed)
        raw = {
            size: curves_of(
                self.observable_, size, of_size, n_replicates=self.n_replicates, rng=rng
            )
            for size, of_size in blocks.items()
        }
        stiffness = [
            {size: self.tables_[size][m].invert(curves[m]) for size, curves in raw.items()}
            for m in range(len(names))
        ]
        drawn = {f"K_eff from {name}": tuple(stiffness[m].values()) for m, name in enumerate(names)}
        drawn |= {name: tuple(c[m] for c in raw.values()) for m, name in enumerate(names)}
        transition = flow_transition(stiffness, names)
        drift = [_row(c) for c in _crossings({size: curves[0] for size, curves in raw.items()})]
        diagnostics = {**transition.diagnostics, "crossings of the raw quantity": drift}
        return replace(transition, curves=drawn, diagnostics=diagnostics)


def flow_transition(
    curves: list[dict[int, Curve]],
    names: tuple[str, ...],
    *,
    jump: float = JUMP,
    slope: float = SLOPE,
    method: str = "topological stiffness from the {} of block spins, Kosterlitz flow over sizes",
) -> Transition:
    """A BKT transition from curves of a stiffness; the first quantity leads."""
    method = method.format(names[0])
    lead = curves[0]
    rows = tuple(_jump_row(curve, jump) for curve in lead.values())
    fit = flow_fit(list(lead.values()), jump=jump, slope=slope)
    if fit.reason is not None:
        if len(lead) == 1 and rows[0]["estimate"] is not None:
            (curve,) = lead.values()
            position = (rows[0]["estimate"], rows[0]["error"])
            return _one_size(curve, method, position, f"the stiffness passes {jump:.4f}")
        return Transition(None, None, fit.reason, method, per_size=rows)
    parts = {"bootstrap": fit.statistical, "fit window": fit.window}
    others = {}
    for name, other in zip(names[1:], curves[1:], strict=True):
        second = flow_fit(list(other.values()), jump=jump, slope=slope)
        if second.reason is None:
            others[name] = second.estimate
            difference = fit.replicates - second.replicates
            excess = (second.estimate - fit.estimate) ** 2 - float(np.nanstd(difference)) ** 2
            parts["second quantity"] = math.sqrt(max(excess, 0.0)) / 2
    error = math.sqrt(sum(p**2 for p in parts.values()))
    diagnostics = {
        "errors": parts,
        "other quantities": others,
        "C": fit.constant,
        "c": fit.powers,
        "chi2": fit.chi2,
        "jump": jump,
        "slope": slope,
    }
    return Transition(fit.estimate, error, None, method, per_size=rows, diagnostics=diagnostics)


def _jump_row(curve: Curve, jump: float) -> dict[str, Any]:
    """Where the curve of one size passes the jump, by linear interpolation between neighbours."""
    t, stack = curve.temperature, np.vstack([curve.value, curve.replicates]) - jump
    at = np.full(len(stack), np.nan)
    for r, y in enumerate(stack):
        falls = np.flatnonzero((y[:-1] > 0) & (y[1:] <= 0))
        if falls.size:
            i = falls[-1]
            at[r] = t[i] + (t[i + 1] - t[i]) * y[i] / (y[i] - y[i + 1])
    missing = np.isnan(at[0]) or np.isnan(at).mean() > 0.2
    return {
        "sizes": (curve.size,),
        "estimate": None if missing else float(at[0]),
        "error": None if missing else float(np.nanstd(at[1:])),
    }
