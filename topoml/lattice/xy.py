"""The XY model."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from ..kernels import angle_models
from ..kernels import xy as kernels
from .angle_model import AngleModel, sum_of_bonds
from .geometry import check_lattice
from .model import Array, Known, check_update, namespace, plain_numbers

__all__ = ["XY"]

_SWEEPS = 2  # of over-relaxation a sample: a tenth of the cost of the clusters


@dataclass(frozen=True)
class XY(AngleModel):
    r"""Planar rotors, :math:`H = -J \sum_{\langle ij \rangle} \cos(\theta_i - \theta_j)`, periodic.

    Angles in radians, any branch. k_B = 1: J and T share one unit. A side of 2 has two bonds
    between the same spins, a side of 1 a bond from each spin to itself.

    J below 0 is the antiferromagnet. Where even sides let it order along two sublattices (square,
    cubic, ...) it is the ferromagnet in other words. On the triangular lattice it is frustrated:
    clusters remain exact but are of no use, as they hold almost all spins, and the default is
    "over-relaxation".

    Args:
        J: Coupling, not 0.
        lattice: "chain", "square", "cubic", "hypercubic", "triangular" or "honeycomb".

    Example:
        >>> import numpy as np
        >>> float(XY().energy(np.zeros((3, 3))))
        -18.0
        >>> float(XY(lattice="triangular").energy(np.zeros((3, 3))))
        -27.0
    """

    J: float = 1.0
    lattice: str = "square"

    name: ClassVar[str] = "xy"
    symmetry: ClassVar[str] = "O(2)"

    def __post_init__(self) -> None:
        plain_numbers(self)
        J = self.J
        if isinstance(J, bool) or not isinstance(J, int | float) or not 0 < abs(J) < math.inf:
            raise InputError(f"`J` is {J!r}; expected a finite number other than 0. Try J=1.0.")
        check_lattice(self.lattice)

    @property
    def updates(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of every lattice; the default stands first."""
        clusters, local = ("wolff", "swendsen-wang"), ("metropolis", "heat bath")
        if self._frustrated:
            return ("over-relaxation", *local, *clusters)
        return (*clusters, *local, "over-relaxation")

    @property
    def order(self) -> str:
        """Of the transition."""
        if self._frustrated:
            return "Ising, then BKT"
        kind = {"chain": "none", "cubic": "second order", "hypercubic": "second order"}
        return kind.get(self.lattice, "BKT")

    @property
    def known_transition(self) -> Known | None:
        """The best-known transition temperature, in the unit of J.

        Square: T_BKT = 0.8929(6) J; the error is the spread of the literature, not one paper's.
        None for the chain, which has no transition, and for the triangular ferromagnet and the
        hypercubic lattice.
        """
        table = {
            "square": (
                0.8929,
                0.0006,
                "Hasenbusch, J. Phys. A 38, 5869 (2005), J/T = 1.1199(1); other determinations "
                "differ from it by up to 0.0006",
            ),
            "cubic": (2.2018441, 5e-7, "Xu, Sun, Lv & Deng, Phys. Rev. B 100, 064525 (2019)"),
            "honeycomb": (0.576, 0.003, "de Andrade, Jorge & DaSilva, arXiv:2406.12076"),
        }
        chiral = (0.512, 0.001, "chirality; Obuchi & Kawamura, J. Phys. Soc. Jpn. 81, 054003")
        known = chiral if self._frustrated else table.get(self.lattice)
        return known and Known(known[0] * abs(self.J), known[1] * abs(self.J), known[2])

    @property
    def _frustrated(self) -> bool:
        return self.J < 0 and self.lattice == "triangular"

    def energy(self, configurations: Array) -> Array:
        """Total energy in the unit of J, shape (*batch,), of angles (*batch, *shape).

        Numpy in, numpy out; a torch tensor stays on its device. The result has the dtype of the
        angles; the sum runs in float64.
        """
        cosine = namespace(configurations).cos
        return sum_of_bonds(cosine, configurations, self.lattice, scale=-self.J)

    def _derivatives(self, d: Any, temperature: float | None) -> tuple[Any, Any]:  # noqa: ANN401
        xp = namespace(d)
        return self.J * xp.sin(d), self.J * xp.cos(d)

    def _law(self, temperature: float) -> angle_models.Law:
        return angle_models.COSINE, self.J / temperature, 0.0, 1

    def _angles_of_order(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """All spins along angle 0; for J < 0 opposite or, on the triangular lattice, at 120 degrees
        (a ground state where the sides are even, or multiples of 3)."""
        if self.J > 0:
            return np.zeros(shape)
        number = sum(np.indices(shape[-1:] if self.lattice == "honeycomb" else shape))
        turn = 2.0 * math.pi / 3.0 if self._frustrated else math.pi
        return np.broadcast_to(turn * np.asarray(number, float), shape)

    def sample(
        self,
        spins: NDArray[Any],
        temperature: float,
        rounds: int,
        samples: int,
        rng: np.random.Generator,
        update: str = "wolff",
    ) -> tuple[NDArray[Any], int]:
        """Samples (n, *shape) of angles in [-pi, pi], float32, and the spins reflected or visited.

        Between samples: ``rounds`` Wolff clusters, then 2 sweeps of over-relaxation; the same for
        "swendsen-wang", whose round is all clusters of one line of reflection; sweeps of
        "metropolis" or "heat bath"; or each a sweep of the heat bath and 2 of over-relaxation.
        ``spins`` is changed in place.
        """
        check_update(update, self.updates)
        if update != "wolff" or self.lattice != "square" or self.J < 0:
            return super().sample(spins, temperature, rounds, samples, rng, update)
        out = np.empty((2, samples, *spins.shape[:2]), np.float32)
        coupling = self.J / temperature
        flipped = int(kernels.hybrid(spins, coupling, rounds, _SWEEPS, out, rng))
        return np.arctan2(out[1], out[0]), flipped
