"""The generalized (nematic) XY model."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from .._core.errors import InputError
from ..kernels import angle_models as kernels
from .angle_model import AngleModel, check_number, sum_of_bonds
from .geometry import check_lattice
from .model import Array, Known, namespace, plain_numbers
from .xy import XY

__all__ = ["GeneralizedXY"]


@dataclass(frozen=True)
class GeneralizedXY(AngleModel):
    r"""Rotors with a nematic coupling, :math:`H = -\sum_{\langle ij \rangle} [\Delta \cos
    d_{ij} + (1 - \Delta) \cos q d_{ij}]`, :math:`d_{ij} = \theta_i - \theta_j`, periodic.

    Angles in radians, any branch; k_B = 1, unit coupling. Delta = 1 is `XY`, and so is Delta = 0,
    for the angles q theta. In between, at small Delta and q = 2, it is cooled through a BKT
    transition to quasi-long-range order of 2 theta and then through one of the Ising class, where
    strings between half-vortices cost energy and theta orders, too.

    Metropolis proposes, besides small turns, turns by 2 pi k / q.

    Args:
        delta: From 0 to 1.
        q: Integer of at least 1; 2 is the nematic.
        lattice: As for `XY`.

    Source: Korshunov, JETP Lett. 41, 263 (1985); Lee & Grinstein, Phys. Rev. Lett. 55, 541 (1985).

    Example:
        >>> import numpy as np
        >>> float(GeneralizedXY(0.25).energy(np.pi * np.eye(2)))
        -4.0
    """

    delta: float
    q: int = 2
    lattice: str = "square"

    name: ClassVar[str] = "generalized-xy"
    symmetry: ClassVar[str] = "O(2)"
    updates: ClassVar[tuple[str, ...]] = ("wolff", "swendsen-wang", "metropolis")

    def __post_init__(self) -> None:
        plain_numbers(self)
        check_number("delta", self.delta, "a number from 0 to 1", low=0.0, high=1.0)
        if isinstance(self.q, bool) or not isinstance(self.q, int) or not 1 <= self.q <= 1000:
            raise InputError(f"`q` is {self.q!r}; expected an integer from 1 to 1000. Try q=2.")
        check_lattice(self.lattice)

    @property
    def order(self) -> str:
        """Of the transition, or of both as the temperature falls."""
        if self.delta in (0, 1) or self.q == 1 or self.lattice != "square":
            return XY(lattice=self.lattice).order
        return "BKT, then Ising" if self.q == 2 and self.delta < 0.3 else "BKT"

    @property
    def known_transition(self) -> Known | None:
        """Of Delta = 0.15 and q = 2, square: the Ising line, T = 0.331(1); T_BKT is near 0.795.

        Of Delta = 0 and 1, or q = 1, that of `XY`; None for others.
        """
        if self.delta in (0, 1) or self.q == 1:
            return XY(lattice=self.lattice).known_transition
        if (self.delta, self.q, self.lattice) == (0.15, 2, "square"):
            return Known(0.331, 0.001, "Ising line; Nui et al., Phys. Rev. B 98, 144421 (2018)")
        return None

    def energy(self, configurations: Array) -> Array:
        """Total energy, shape (*batch,), of angles (*batch, *shape).

        Numpy in, numpy out; a torch tensor stays on its device. The result has the dtype of the
        angles; the sum runs in float64.
        """
        cos, delta, q = namespace(configurations).cos, self.delta, self.q
        return sum_of_bonds(
            lambda d: delta * cos(d) + (1.0 - delta) * cos(q * d),
            configurations,
            self.lattice,
            scale=-1.0,
        )

    def _derivatives(self, d: Any, temperature: float | None) -> tuple[Any, Any]:  # noqa: ANN401
        xp, delta, q = namespace(d), self.delta, self.q
        first = delta * xp.sin(d) + (1.0 - delta) * q * xp.sin(q * d)
        return first, delta * xp.cos(d) + (1.0 - delta) * q**2 * xp.cos(q * d)

    def _law(self, temperature: float) -> kernels.Law:
        return kernels.GENERALIZED, 1.0 / temperature, float(self.delta), self.q

    def _width(self, temperature: float, z: int) -> float:
        stiffness = self.delta + (1.0 - self.delta) * self.q**2
        return 4.0 * math.sqrt(temperature / (z * stiffness))
