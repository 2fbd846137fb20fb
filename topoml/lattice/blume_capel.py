"""The Blume-Capel model."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from .discrete import Tables, sample_states
from .geometry import OnLattice, check_lattice, lattice_of, n_axes, pairs
from .model import (
    Array,
    Known,
    cast_like,
    check_coupling,
    check_field,
    check_update,
    namespace,
    plain_numbers,
)

__all__ = ["BlumeCapel"]


@dataclass(frozen=True)
class BlumeCapel(OnLattice):
    r"""Spins s = -1, 0, 1, :math:`H = -J \sum_{\langle ij \rangle} s_i s_j + D \sum_i s_i^2`.

    k_B = 1: J, D and T share one unit. Periodic; sides of 1 and 2 as for `Ising`. On the square
    lattice an Ising transition up to a tricritical point near D = 1.966 J, T = 0.608 J (Kwak et
    al., Phys. Rev. E 92, 022134 (2015)), then one of first order.

    Args:
        D: Crystal field: large D favours s = 0.
        J: Coupling, above 0.
        lattice: "chain", "square", "cubic", "hypercubic", "triangular" or "honeycomb".

    Example:
        >>> import numpy as np
        >>> float(BlumeCapel(D=0.5).energy(np.ones((3, 3))))
        -13.5
    """

    D: float = 0.0
    J: float = 1.0
    lattice: str = "square"

    name: ClassVar[str] = "blume-capel"
    manifold: ClassVar[str] = "real"
    symmetry: ClassVar[str] = "Z2"
    order: ClassVar[str] = "second order, or first"
    updates: ClassVar[tuple[str, ...]] = ("wolff", "swendsen-wang", "heat bath", "metropolis")
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.int8)

    def __post_init__(self) -> None:
        plain_numbers(self)
        check_coupling(self.J)
        check_lattice(self.lattice)
        if (
            isinstance(self.D, bool)
            or not isinstance(self.D, int | float)
            or not math.isfinite(self.D)
        ):
            raise InputError(f"`D` is {self.D!r}; expected a finite number. Try D=0.0.")

    @property
    def known_transition(self) -> Known | None:
        """T_c on the square lattice at D = 0."""
        if self.lattice != "square" or self.D != 0:
            return None
        source = "Malakis et al., Phys. Rev. E 81, 041113 (2010)"
        return Known(1.693 * self.J, 0.003 * self.J, source)

    def energy(self, configurations: Array) -> Array:
        """Total energy in the unit of J, shape (*batch,), of spins (*batch, *shape).

        Numpy in, numpy out; a torch tensor stays on its device. Float64, or the dtype of floating
        spins.
        """
        s: Any = configurations
        check_field("configurations", s, n_axes=n_axes(self.lattice))
        xp = namespace(s)
        axes = tuple(range(-n_axes(self.lattice), 0))
        total: Any = self.D * (s * s).sum(axes, dtype=xp.float64)
        for a, b in pairs(s, self.lattice):
            ends = axes if self.lattice != "honeycomb" else axes[1:]
            total = total - self.J * (a * b).sum(ends, dtype=xp.float64)
        out: Array = cast_like(total, s)
        return out

    def ordered(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """All spins up, int8."""
        return np.ones(shape, np.int8)

    def random_state(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        """Independent spins, int8."""
        return rng.integers(-1, 2, shape, np.int8)

    def sample(
        self,
        spins: NDArray[Any],
        temperature: float,
        rounds: int,
        samples: int,
        rng: np.random.Generator,
        update: str = "wolff",
    ) -> tuple[NDArray[Any], int]:
        """Samples (n, *shape) int8, each after ``rounds`` clusters or sweeps; the spins visited.

        Clusters flip signs; a sweep of heat bath follows them, as they leave s = 0 alone. ``spins``
        is changed in place.
        """
        check_update(update, self.updates)
        s = np.array([-1.0, 0.0, 1.0])
        flip = np.array([[2, 1, 0]], np.int8)
        tables = Tables(-self.J * s[:, None] * s, self.D * s * s, flip, clusters_suffice=False)
        state = spins + np.int8(1)
        lattice = lattice_of(self.lattice, spins.shape)
        out, visited = sample_states(
            tables, lattice, state, temperature, rounds, samples, rng, update
        )
        spins[...] = state - 1
        return out - np.int8(1), visited
