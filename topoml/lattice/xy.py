"""The XY model."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..kernels import xy as kernels
from .model import Array, Known, cast_like, check_coupling, check_field, check_update, namespace

__all__ = ["XY"]

_SWEEPS = 2  # of over-relaxation a sample: a tenth of the cost of the clusters


@dataclass(frozen=True)
class XY:
    r"""Planar rotors, :math:`H = -J \sum_{\langle ij \rangle} \cos(\theta_i - \theta_j)`, square,
    periodic.

    Angles in radians, any branch. k_B = 1: J and T share one unit. A side of 2 has two bonds
    between the same spins, a side of 1 a bond from each spin to itself.

    Example:
        >>> import numpy as np
        >>> float(XY().energy(np.zeros((3, 3))))
        -18.0
    """

    J: float = 1.0

    name: ClassVar[str] = "xy"
    manifold: ClassVar[str] = "circle"
    symmetry: ClassVar[str] = "O(2)"
    order: ClassVar[str] = "BKT"
    updates: ClassVar[tuple[str, ...]] = ("wolff",)
    components: ClassVar[tuple[int, ...]] = ()
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.float32)

    def __post_init__(self) -> None:
        check_coupling(self.J)

    @property
    def known_transition(self) -> Known:
        """T_BKT = 0.8929(6) J; the error is the spread of the literature, not one paper's."""
        return Known(
            0.8929 * self.J,
            0.0006 * self.J,
            "Hasenbusch, J. Phys. A 38, 5869 (2005), J/T = 1.1199(1); other determinations "
            "differ from it by up to 0.0006",
        )

    def energy(self, configurations: Array) -> Array:
        """Total energy in the unit of J, shape (*batch,), of angles (*batch, L0, L1).

        Numpy in, numpy out; a torch tensor stays on its device. The result has the dtype of the
        angles; the sum runs in float64.
        """
        check_field("configurations", configurations)
        xp = namespace(configurations)
        theta = configurations
        bonds = xp.cos(theta - xp.roll(theta, 1, -1)) + xp.cos(theta - xp.roll(theta, 1, -2))
        total: Array = cast_like(-self.J * bonds.sum((-2, -1), dtype=xp.float64), bonds)
        return total

    def shape(self, size: int) -> tuple[int, int]:
        """Of a configuration: (L, L)."""
        return (size, size)

    def n_sites(self, shape: tuple[int, ...]) -> int:
        """Of the lattice of a configuration."""
        return math.prod(shape)

    def ordered(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """The ground state: all spins along angle 0, unit vectors, float64 (L0, L1, 2)."""
        return np.stack([np.ones(shape), np.zeros(shape)], axis=-1)

    def random_state(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        """Independent uniform directions, unit vectors, float64 (L0, L1, 2)."""
        theta = rng.uniform(-np.pi, np.pi, shape)
        return np.stack([np.cos(theta), np.sin(theta)], axis=-1)

    def sample(
        self,
        spins: NDArray[Any],
        temperature: float,
        rounds: int,
        samples: int,
        rng: np.random.Generator,
        update: str = "wolff",
    ) -> tuple[NDArray[Any], int]:
        """Samples (n, L0, L1) of angles in [-pi, pi], float32, and the number of reflected spins.

        Between samples: ``rounds`` Wolff clusters, then 2 sweeps of over-relaxation. ``spins``
        is changed in place.
        """
        check_update(update, self.updates)
        out = np.empty((2, samples, *spins.shape[:2]), np.float32)
        coupling = self.J / temperature
        flipped = int(kernels.hybrid(spins, coupling, rounds, _SWEEPS, out, rng))
        return np.arctan2(out[1], out[0]), flipped
