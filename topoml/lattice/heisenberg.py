"""The classical Heisenberg model."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..kernels import vectors as kernels
from .geometry import check_lattice, lattice_of
from .model import Array, Known, cast_like, check_coupling, check_update, namespace, plain_numbers
from .unit_vectors import UnitVectors, bonds, cap, check_vectors, no_twist

__all__ = ["Heisenberg"]

_MIRRORS = 2  # sweeps of over-relaxation after the clusters of a sample: little of their cost
_MIXED = 4  # sweeps of over-relaxation for one of heat bath
_ORDERED = ("cubic", "hypercubic")  # the lattices with a transition


@dataclass(frozen=True)
class Heisenberg(UnitVectors):
    r"""Unit vectors in space, :math:`H = -J \sum_{\langle ij \rangle} s_i \cdot s_j`, periodic.

    k_B = 1: J and T share one unit. A side of 2 has two bonds between the same spins, a side of 1 a
    bond from each spin to itself. In two dimensions or fewer there is no transition (Mermin &
    Wagner, Phys. Rev. Lett. 17, 1133 (1966)).

    Updates: "wolff" and "swendsen-wang" reflect clusters at planes across random directions, and 2
    sweeps of over-relaxation follow before each sample; "metropolis" proposes a vector uniform on a
    cap around the old one; "heat bath" draws each spin from its exact law in the field of its
    neighbours, by inversion; "over-relaxation" is one sweep of heat bath, then 4 that reflect each
    spin at this field, which keeps the energy.

    Args:
        J: Coupling, positive.
        lattice: "chain", "square", "cubic", "hypercubic", "triangular" or "honeycomb".

    Example:
        >>> import numpy as np
        >>> up = np.zeros((4, 4, 4, 3))
        >>> up[..., 2] = 1.0
        >>> float(Heisenberg(lattice="cubic").energy(up))
        -192.0
    """

    J: float = 1.0
    lattice: str = "square"

    name: ClassVar[str] = "heisenberg"
    manifold: ClassVar[str] = "sphere"
    symmetry: ClassVar[str] = "O(3)"
    updates: ClassVar[tuple[str, ...]] = (
        "wolff", "swendsen-wang", "heat bath", "over-relaxation", "metropolis",
    )  # fmt: skip

    def __post_init__(self) -> None:
        plain_numbers(self)
        check_coupling(self.J)
        check_lattice(self.lattice)

    @property
    def order(self) -> str:
        """ "second order" in three dimensions or more, "none" below."""
        return "second order" if self.lattice in _ORDERED else "none"

    @property
    def known_transition(self) -> Known | None:
        """J / T_c = 0.693003(2) on the cubic lattice."""
        if self.lattice != "cubic":
            return None
        source = "Deng, Bloete & Nightingale, Phys. Rev. E 72, 016128 (2005), J/T = 0.693003(2)"
        return Known(self.J / 0.693003, self.J * 2e-6 / 0.693003**2, source)

    def energy(self, configurations: Array) -> Array:
        """Total energy in the unit of J, shape (*batch,), of vectors (*batch, *shape, 3).

        Numpy in, numpy out; a torch tensor stays on its device. The result has the dtype of the
        vectors; the sum runs in float64. Not checked: their length.
        """
        check_vectors(configurations, self.lattice)
        float64 = namespace(configurations).float64
        total: Any = 0.0
        for a, b, axes in bonds(configurations, self.lattice):
            total = total - self.J * (a * b).sum(axes, dtype=float64)
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
        """Samples (n, *shape, 3), float32, and the number of spins in clusters or visited.

        ``spins`` is changed in place.
        """
        check_update(update, self.updates)
        table = lattice_of(self.lattice, spins.shape[:-1]).neighbours
        flat, beta = spins.reshape(-1, 3), 1.0 / temperature
        out = np.empty((samples, *flat.shape), np.float32)
        if update in ("wolff", "swendsen-wang"):
            everywhere = update == "swendsen-wang"
            n = kernels.clusters(
                flat, table, self.J * beta, 0.0, rounds, everywhere, _MIRRORS, out, rng
            )  # fmt: skip
        else:
            height = cap(table.shape[1] * self.J * beta) if update == "metropolis" else 0.0
            mirrors = _MIXED if update == "over-relaxation" else 0
            n = kernels.sweeps(
                flat, table, beta, float(self.J), 0.0, no_twist(table), np.zeros(3), rounds, height,
                mirrors, out, rng,
            )  # fmt: skip
        return out.reshape(samples, *spins.shape), int(n)
