"""The Villain model."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from .._core.errors import InputError
from ..kernels import angle_models as kernels
from .angle_model import AngleModel, sum_of_bonds
from .geometry import check_lattice
from .model import Array, Known, check_coupling, namespace, plain_numbers

__all__ = ["Villain"]


@dataclass(frozen=True)
class Villain(AngleModel):
    r"""Rotors with periodic Gaussian weights, :math:`Z = \int d\theta \prod_{\langle ij \rangle}
    \sum_n \exp[-\frac{J}{2 T} (\theta_i - \theta_j - 2 \pi n)^2]`, periodic.

    Angles in radians, any branch. k_B = 1: J and T share one unit. Spin waves and vortices
    decouple, and the bond's angle has the Fourier coefficients exp(-m^2 T / 2 J).

    Args:
        J: Coupling, above 0.
        lattice: As for `XY`.

    Source: Villain, J. Phys. (Paris) 36, 581 (1975).

    Example:
        >>> import numpy as np
        >>> round(float(Villain().energy(np.zeros((2, 2)), temperature=0.5)), 12)
        0.0
    """

    J: float = 1.0
    lattice: str = "square"

    name: ClassVar[str] = "villain"
    symmetry: ClassVar[str] = "O(2)"
    energy_needs_temperature: ClassVar[bool] = True
    updates: ClassVar[tuple[str, ...]] = ("wolff", "swendsen-wang", "metropolis")

    def __post_init__(self) -> None:
        plain_numbers(self)
        check_coupling(self.J)
        check_lattice(self.lattice)

    @property
    def order(self) -> str:
        """Of the transition."""
        kind = {"chain": "none", "cubic": "second order", "hypercubic": "second order"}
        return kind.get(self.lattice, "BKT")

    @property
    def known_transition(self) -> Known | None:
        """Square: J / T_BKT = 0.7515(5); cubic: J / T_c = 0.33306704(7); None for others."""
        if self.lattice == "square":
            beta, error = 0.7515, 0.0005
            source = "Hasenbusch, Marcu & Pinn, Physica A 208, 124 (1994), J/T = 0.7515"
        elif self.lattice == "cubic":
            beta, error = 0.33306704, 7e-8
            source = "Xu, Sun, Lv & Deng, Phys. Rev. B 100, 064525 (2019), J/T = 0.33306704(7)"
        else:
            return None
        return Known(self.J / beta, self.J * error / beta**2, source)

    def energy(self, configurations: Array, *, temperature: float | None = None) -> Array:
        r"""Estimator of the internal energy, shape (*batch,), of angles (*batch, *shape).

        .. math:: E = \frac{J}{2} \sum_{\langle ij \rangle} \langle (d_{ij} - 2 \pi n)^2 \rangle_n,
                  \qquad \langle E \rangle = -\frac{\partial \ln Z}{\partial (1 / T)}

        with the mean over n in the weight of the bond. It depends on the temperature, hence the
        heat capacity is its variance less <dE / d(1/T)>, over T^2, and to reweight by it would be
        wrong. Numpy in, numpy out; a torch tensor stays on its device.

        Args:
            configurations: Angles, radians; the result has their dtype.
            temperature: That of the weight, in the unit of J.
        """

        def mean_square(d: Any) -> Any:  # noqa: ANN401
            weight: Any = 0.0
            total: Any = 0.0
            for w, x in self._images(d, temperature):
                weight, total = weight + w, total + w * x**2
            return total / weight

        return sum_of_bonds(mean_square, configurations, self.lattice, scale=0.5 * self.J)

    def _images(self, d: Any, temperature: float | None) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401
        """Weights and angles of d - 2 pi n, in units of the leading weight, largest first."""
        T = temperature
        if isinstance(T, bool) or not isinstance(T, int | float) or not 0 < T < math.inf:
            raise InputError(
                f"`temperature` is {T!r}; expected a finite number above 0, as the energy of a "
                "Villain configuration depends on it. Ensemble.energy knows it."
            )
        xp, turn = namespace(d), 2.0 * math.pi
        # left out: terms below exp(-40) of the leading one
        most = math.ceil(0.5 + math.sqrt(0.25 + 2.1 * T / self.J))
        d = d - turn * xp.round(d / turn)
        yield 1.0, d
        for n in range(1, most + 1):
            for far in (turn * n, -turn * n):
                yield xp.exp(-self.J / (2.0 * T) * far * (far - 2.0 * d)), d - far

    def _derivatives(self, d: Any, temperature: float | None) -> tuple[Any, Any]:  # noqa: ANN401
        r"""Of :math:`-T \ln \sum_n e^{-J (d - 2 \pi n)^2 / 2 T}`."""
        weight: Any = 0.0
        first: Any = 0.0
        second: Any = 0.0
        for w, x in self._images(d, temperature):
            weight, first, second = weight + w, first + w * x, second + w * x**2
        mean, square = first / weight, second / weight
        K = self._law(temperature)[1]  # type: ignore[arg-type]  # checked by _images
        return self.J * mean, self.J - self.J * K * (square - mean**2)

    def _law(self, temperature: float) -> kernels.Law:
        return kernels.VILLAIN, self.J / temperature, 0.0, 1
