"""The Lebwohl-Lasher model of nematics."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..kernels import vectors as kernels
from .geometry import check_lattice, lattice_of
from .model import Array, Known, cast_like, check_coupling, check_update, namespace, plain_numbers
from .unit_vectors import UnitVectors, bonds, cap, check_vectors, no_twist

__all__ = ["LebwohlLasher"]


@dataclass(frozen=True)
class LebwohlLasher(UnitVectors):
    r"""Axes in space, :math:`H = -J \sum_{\langle ij \rangle} P_2(s_i \cdot s_j)`, periodic.

    :math:`P_2(c) = (3 c^2 - 1) / 2`. The spins are unit vectors up to a sign, points of RP^2; the
    sign that a configuration shows means nothing. k_B = 1: J and T share one unit. A side of 2 has
    two bonds between the same spins, a side of 1 a bond from each spin to itself.

    Updates: "wolff" reflects a cluster at the plane across a random direction, bonds joining with
    the full change of their energy: 1 - exp(min(0, (E(s_i, s_j) - E(R s_i, s_j)) / T));
    "metropolis" proposes a vector uniform on a cap around the old one.

    Args:
        J: Coupling, positive.
        lattice: "cubic", "square", "chain", "hypercubic", "triangular" or "honeycomb".

    Source: Lebwohl & Lasher, Phys. Rev. A 6, 426 (1972); clusters: Priezjev & Pelcovits, Phys. Rev.
    E 63, 062702 (2001).

    Example:
        >>> import numpy as np
        >>> x = np.zeros((4, 4, 4, 3))
        >>> x[..., 2] = np.random.default_rng(0).choice([-1.0, 1.0], (4, 4, 4))
        >>> float(LebwohlLasher().energy(x))
        -192.0
    """

    J: float = 1.0
    lattice: str = "cubic"

    name: ClassVar[str] = "lebwohl-lasher"
    manifold: ClassVar[str] = "projective"
    symmetry: ClassVar[str] = "O(3)"
    updates: ClassVar[tuple[str, ...]] = ("wolff", "metropolis")

    def __post_init__(self) -> None:
        plain_numbers(self)
        check_coupling(self.J)
        check_lattice(self.lattice)

    @property
    def order(self) -> str:
        """ "first order", weakly, in three dimensions or more; "none" established below."""
        return "first order" if self.lattice in ("cubic", "hypercubic") else "none"

    @property
    def known_transition(self) -> Known | None:
        """T = 1.1232(6) J on the cubic lattice."""
        if self.lattice != "cubic":
            return None
        source = "Fabbri & Zannoni, Mol. Phys. 58, 763 (1986), T/J = 1.1232(6)"
        return Known(1.1232 * self.J, 0.0006 * self.J, source)

    def energy(self, configurations: Array) -> Array:
        """Total energy in the unit of J, shape (*batch,), of vectors (*batch, *shape, 3).

        Numpy in, numpy out; a torch tensor stays on its device. The result has the dtype of the
        vectors; the sum runs in float64. Not checked: their length.
        """
        check_vectors(configurations, self.lattice)
        float64 = namespace(configurations).float64
        total: Any = 0.0
        for a, b, axes in bonds(configurations, self.lattice):
            p2 = 1.5 * (a * b).sum(-1) ** 2 - 0.5
            total = total - self.J * p2.sum(axes[:-1], dtype=float64)
        energy: Array = cast_like(total, configurations)
        return energy

    def sample(
        self,
        spins: NDArray[Any],
        temperature: float,
        rounds: int,
        samples: int,
        rng: np.random.Generator,
        update: str = "wolff",
    ) -> tuple[NDArray[Any], int]:
        """Samples (n, *shape, 3), float32, and the number of spins reflected or visited.

        ``spins`` is changed in place.
        """
        check_update(update, self.updates)
        table = lattice_of(self.lattice, spins.shape[:-1]).neighbours
        flat, beta, quadratic = spins.reshape(-1, 3), 1.0 / temperature, 1.5 * self.J  # of c^2
        out = np.empty((samples, *flat.shape), np.float32)
        if update == "wolff":
            n = kernels.clusters(flat, table, 0.0, beta * quadratic, rounds, False, 0, out, rng)
        else:
            height = cap(2.0 * table.shape[1] * beta * quadratic)
            n = kernels.sweeps(
                flat, table, beta, 0.0, quadratic, no_twist(table), np.zeros(3), rounds, height, 0,
                out, rng,
            )  # fmt: skip
        return out.reshape(samples, *spins.shape), int(n)
