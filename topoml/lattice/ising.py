"""The Ising model."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..kernels import ising as kernels
from .model import Array, Known, cast_like, check_coupling, check_field, check_update, namespace

__all__ = ["Ising"]


@dataclass(frozen=True)
class Ising:
    r"""Spins :math:`s = \pm 1`, :math:`H = -J \sum_{\langle ij \rangle} s_i s_j`, square, periodic.

    k_B = 1: J and T share one unit. A side of 2 has two bonds between the same spins, a side of 1
    a bond from each spin to itself.

    Example:
        >>> import numpy as np
        >>> float(Ising().energy(np.array([[1, 1, -1], [1, 1, 1], [1, 1, 1]])))
        -10.0
        >>> Ising(J=2.0).known_transition.value
        4.538370628426044
    """

    J: float = 1.0

    name: ClassVar[str] = "ising"
    manifold: ClassVar[str] = "real"
    symmetry: ClassVar[str] = "Z2"
    order: ClassVar[str] = "second order"
    updates: ClassVar[tuple[str, ...]] = ("wolff",)
    components: ClassVar[tuple[int, ...]] = ()
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.int8)

    def __post_init__(self) -> None:
        check_coupling(self.J)

    @property
    def known_transition(self) -> Known:
        """T_c = 2 J / ln(1 + sqrt 2), exact."""
        value = 2.0 * self.J / math.log1p(math.sqrt(2.0))
        return Known(value, None, "Onsager, Phys. Rev. 65, 117 (1944)")

    def energy(self, configurations: Array) -> Array:
        """Total energy in the unit of J, shape (*batch,), of spins (*batch, L0, L1).

        Numpy in, numpy out; a torch tensor stays on its device. The sum runs in float64; the
        result has the dtype of floating spins, and float64 for integers. Not checked: that the
        spins are +1 or -1.
        """
        check_field("configurations", configurations)
        xp = namespace(configurations)
        s = configurations
        bonds = s * xp.roll(s, 1, -1) + s * xp.roll(s, 1, -2)  # within int8: at most 2
        total: Array = cast_like(-self.J * bonds.sum((-2, -1), dtype=xp.float64), bonds)
        return total

    def shape(self, size: int) -> tuple[int, int]:
        """Of a configuration: (L, L)."""
        return (size, size)

    def n_sites(self, shape: tuple[int, ...]) -> int:
        """Of the lattice of a configuration."""
        return math.prod(shape)

    def ordered(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """The ground state: all spins up, int8 (L0, L1)."""
        return np.ones(shape, np.int8)

    def random_state(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        """Independent fair spins, the state at infinite temperature, int8 (L0, L1)."""
        return rng.integers(0, 2, shape, np.int8) * np.int8(2) - np.int8(1)

    def sample(
        self,
        spins: NDArray[Any],
        temperature: float,
        rounds: int,
        samples: int,
        rng: np.random.Generator,
        update: str = "wolff",
    ) -> tuple[NDArray[Any], int]:
        """Samples (n, L0, L1) int8, each after ``rounds`` Wolff clusters, and the flips made.

        ``spins`` is changed in place.
        """
        check_update(update, self.updates)
        out = np.empty((samples, *spins.shape), np.int8)
        p_add = -math.expm1(-2.0 * self.J / temperature)
        return out, int(kernels.wolff(spins, p_add, rounds, out, rng))
