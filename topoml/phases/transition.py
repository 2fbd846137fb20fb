"""What a detection returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Control", "Curve", "Transition"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Control:
    """One check of a detection: what was measured and whether it passed (None: not possible)."""

    name: str
    value: float | None
    passed: bool | None


@dataclass(frozen=True, eq=False)
class Curve:
    """A dimensionless quantity of one lattice size against temperature.

    Args:
        size: Side L.
        temperature: (n,), ascending.
        value: (n,).
        replicates: (R, n), bootstrap over blocks of chains; their scatter is the error.
    """

    size: int
    temperature: Floats
    value: Floats
    replicates: Floats

    @property
    def error(self) -> Floats:
        """Standard error, (n,)."""
        return np.asarray(self.replicates.std(0))

    def at(self, keep: NDArray[Any]) -> Curve:
        """The points ``keep``."""
        return Curve(self.size, self.temperature[keep], self.value[keep], self.replicates[:, keep])


@dataclass(frozen=True, eq=False)
class Transition:
    """A transition temperature with its error, or the reason why there is none.

    Args:
        estimate: Temperature, or None.
        error: One standard error: blocks of chains and systematics in quadrature; or None.
        reason: Why there is no estimate; None where there is one.
        method: The quantity and how the estimate was read off it.
        per_size: One row a size or pair of sizes: {"sizes", "estimate", "error"}.
        diagnostics: Parts of the error and other estimates that the headline does not use.
        curves: The curves that were fitted, by quantity.
        yardstick: The classical answer on the same data; never part of ``estimate``.
        controls: Checks that go with the estimate.
    """

    estimate: float | None
    error: float | None
    reason: str | None
    method: str
    per_size: tuple[Mapping[str, Any], ...] = ()
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, tuple[Curve, ...]] = field(default_factory=dict)
    yardstick: Transition | None = None
    controls: tuple[Control, ...] = ()

    def __repr__(self) -> str:
        if self.estimate is None or self.error is None:
            return f"Transition(none: {self.reason})"
        return f"Transition({self.estimate:.4f} ± {self.error:.4f}, {self.method})"
