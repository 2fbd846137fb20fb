"""The XY model of constant action, with constrained angles."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from ..kernels import angle_models as kernels
from .angle_model import AngleModel, check_number, sum_of_bonds
from .geometry import check_lattice
from .model import Array, Known, namespace, plain_numbers

__all__ = ["ConstrainedXY"]

_ROUNDING = 1e-6  # of two angles in float32


@dataclass(frozen=True)
class ConstrainedXY(AngleModel):
    r"""Rotors of constant action: all configurations with :math:`|\theta_i - \theta_j| \le \delta`
    (mod 2 pi) on every bond are equally likely, periodic.

    Angles in radians, any branch. The temperature means nothing here, and samples do not depend on
    it. Below delta = pi / 2 no plaquette of the square lattice can hold a vortex, and winding
    numbers hardly change.

    Args:
        delta: Largest angle of a bond, radians, above 0 and at most pi.
        lattice: As for `XY`.

    Source: Bietenholz, Boegli, Niedermayer, Pepe, Rejon-Barrera & Wiese, JHEP 03 (2013) 141.

    Example:
        >>> import numpy as np
        >>> ConstrainedXY(1.0).energy(np.array([[[0.0, 0.9]], [[0.0, 1.1]]]))
        array([ 0., inf])
    """

    delta: float
    lattice: str = "square"

    name: ClassVar[str] = "constrained-xy"
    symmetry: ClassVar[str] = "O(2)"
    order: ClassVar[str] = "BKT"
    updates: ClassVar[tuple[str, ...]] = ("wolff", "swendsen-wang", "metropolis")

    def __post_init__(self) -> None:
        plain_numbers(self)
        wanted = "an angle in radians, above 0 and at most pi"
        check_number("delta", self.delta, wanted, low=5e-324, high=math.pi)
        check_lattice(self.lattice)

    @property
    def known_transition(self) -> Known | None:
        """The critical delta of the square lattice, 1.775(1): an angle, not a temperature."""
        if self.lattice != "square":
            return None
        source = "critical delta, radians; Bietenholz, Gerber & Rejon-Barrera, arXiv:1307.0485"
        return Known(1.775, 0.001, source)

    def energy(self, configurations: Array) -> Array:
        """0 for allowed configurations, infinite for others, shape (*batch,).

        Of angles (*batch, *shape), in their dtype. Bonds may exceed delta by 1e-6, which is the
        rounding of angles in float32.
        """
        xp = namespace(configurations)
        turn = 2.0 * math.pi

        def excess(d: Any) -> Any:  # noqa: ANN401
            wrapped = abs(d - turn * xp.round(d / turn))
            return xp.where(wrapped > self.delta + _ROUNDING, math.inf, 0.0 * d)

        return sum_of_bonds(excess, configurations, self.lattice)

    def _law(self, temperature: float) -> kernels.Law:
        return kernels.CONSTRAINED, 1.0, math.cos(self.delta), 1

    def _width(self, temperature: float, z: int) -> float:
        return float(self.delta)
