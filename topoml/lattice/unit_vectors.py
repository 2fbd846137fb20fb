"""What the models of unit vectors in space share: their states, bonds and checks."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from .geometry import OnLattice, lattice_of, n_axes, pairs
from .model import Array, check_field

__all__ = ["UnitVectors", "bonds", "cap", "check_vectors", "no_twist"]


def check_vectors(x: object, lattice: str) -> None:
    """A numpy array or torch tensor (*batch, *shape, 3) on a lattice."""
    check_field("configurations", x, n_axes=1)
    n = n_axes(lattice)
    shape = tuple(x.shape)  # type: ignore[attr-defined]
    if len(shape) < n + 1 or shape[-1] != 3:
        sides = ", ".join(f"L{axis}" for axis in range(n))
        raise InputError(
            f"`configurations` has shape {shape}; expected (*batch, {sides}, 3), unit vectors on "
            f"the {lattice} lattice. Put their components last."
        )
    lattice_of(lattice, shape[-n - 1 : -1])


def bonds(x: Array, lattice: str) -> Iterator[tuple[Array, Array, tuple[int, ...]]]:
    """Both ends (*batch, ..., 3) of the bonds, one kind at a time, and the axes to sum over."""
    n_batch = x.ndim - n_axes(lattice) - 1
    for a, b in pairs(x, lattice, components=1):
        yield a, b, tuple(range(n_batch, a.ndim))


class UnitVectors(OnLattice):
    """What models of unit vectors in space at the sites of a lattice have in common."""

    components: ClassVar[tuple[int, ...]] = (3,)
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.float32)

    def ordered(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """All vectors along z, float64 (*shape, 3)."""
        spins = np.zeros((*shape, 3))
        spins[..., 2] = 1.0
        return spins

    def random_state(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        """Independent vectors, uniform on the sphere, float64 (*shape, 3)."""
        spins: NDArray[Any] = rng.standard_normal((*shape, 3))
        spins /= np.linalg.norm(spins, axis=-1, keepdims=True)
        return spins


def no_twist(neighbours: NDArray[np.int32]) -> NDArray[np.float64]:
    """The twist of bonds that have none."""
    return np.zeros((neighbours.shape[1], 3))


def cap(stiffness: float) -> float:
    """Height of the cap of Metropolis proposals, for spins of weight exp(stiffness cos) or so."""
    return max(min(2.0, 3.0 / stiffness), 1e-300)  # 0 would mean heat bath
