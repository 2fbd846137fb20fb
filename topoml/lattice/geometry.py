"""Periodic lattices: their sites, neighbours and bonds."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from .model import Array, namespace

__all__ = [
    "LATTICES",
    "Honeycomb",
    "Hypercubic",
    "Lattice",
    "OnLattice",
    "Triangular",
    "bond_vectors",
    "check_lattice",
    "lattice_of",
    "longest_waves",
    "n_axes",
    "pairs",
    "shape_of",
    "site_volume",
]

_HYPERCUBIC = {"chain": 1, "square": 2, "cubic": 3, "hypercubic": 4}
LATTICES = (*_HYPERCUBIC, "triangular", "honeycomb")


@dataclass(frozen=True)
class Hypercubic:
    """Sites of an L0 x L1 x ... box, each joined to the two next to it along every axis.

    Periodic. A side of 2 has two bonds between the same sites, a side of 1 a bond from each site to
    itself.

    Example:
        >>> Hypercubic((2, 3)).neighbours[0]
        array([3, 3, 1, 2], dtype=int32)
    """

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        _check_sides(self.shape)

    @property
    def n_sites(self) -> int:
        return math.prod(self.shape)

    @property
    def displacements(self) -> tuple[tuple[int, ...], ...]:
        """Of the bonds that a site counts as its own, in steps along the axes of the array."""
        n = len(self.shape)
        return tuple(tuple(int(a == b) for b in range(n)) for a in range(n))

    @cached_property
    def neighbours(self) -> NDArray[np.int32]:
        """(sites, z): C-order numbers; slot 2 b is across bond b of the site, slot 2 b + 1 back."""
        return _across(self.shape, self.displacements)

    @property
    def reverse(self) -> NDArray[np.int32]:
        """(z,): the slot of the neighbour that leads back."""
        return np.arange(self.neighbours.shape[1], dtype=np.int32) ^ 1

    @cached_property
    def bonds(self) -> NDArray[np.int32]:
        """(bonds, 2): each once, from the site that counts it as its own; sites in C order."""
        return _own(self.neighbours[:, ::2])

    @cached_property
    def bond_numbers(self) -> NDArray[np.int32]:
        """(sites, z): which of ``bonds`` a slot is."""
        return _numbers(self.neighbours)


@dataclass(frozen=True)
class Triangular:
    """Sites (i, j), each joined to (i, j) +- (1, 0), (0, 1) and (1, 1): six neighbours. Periodic.

    The same bonds as those of the Freudenthal triangulation in ``cubical_persistence``.

    Example:
        >>> Triangular((3, 3)).neighbours[0]
        array([3, 6, 1, 2, 4, 8], dtype=int32)
    """

    shape: tuple[int, int]

    def __post_init__(self) -> None:
        _check_sides(self.shape, 2)

    @property
    def n_sites(self) -> int:
        return math.prod(self.shape)

    @property
    def displacements(self) -> tuple[tuple[int, int], ...]:
        """Of the bonds that a site counts as its own, in steps along the axes of the array."""
        return ((1, 0), (0, 1), (1, 1))

    @cached_property
    def neighbours(self) -> NDArray[np.int32]:
        """(sites, 6): C-order numbers; slot 2 b is across bond b of the site, slot 2 b + 1 back."""
        return _across(self.shape, self.displacements)

    @property
    def reverse(self) -> NDArray[np.int32]:
        """(6,): the slot of the neighbour that leads back."""
        return np.arange(6, dtype=np.int32) ^ 1

    @cached_property
    def bonds(self) -> NDArray[np.int32]:
        """(bonds, 2): each once, from the site that counts it as its own; sites in C order."""
        return _own(self.neighbours[:, ::2])

    @cached_property
    def bond_numbers(self) -> NDArray[np.int32]:
        """(sites, 6): which of ``bonds`` a slot is."""
        return _numbers(self.neighbours)


@dataclass(frozen=True)
class Honeycomb:
    """Cells (i, j) of two sites: (i, j, 0) is joined to (i, j, 1), (i - 1, j, 1), (i, j - 1, 1).

    Periodic. Arrays have the shape (L0, L1, 2), and L0 L1 2 sites.

    Example:
        >>> Honeycomb((3, 3, 2)).neighbours[:2]
        array([[ 1, 13,  5],
               [ 0,  6,  2]], dtype=int32)
    """

    shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        _check_sides(self.shape, 3)
        if self.shape[2] != 2:
            raise InputError(
                f"`shape` is {self.shape}; expected (L0, L1, 2), two sites a cell. "
                f"Use {(*self.shape[:2], 2)}."
            )

    @property
    def n_sites(self) -> int:
        return math.prod(self.shape)

    @cached_property
    def neighbours(self) -> NDArray[np.int32]:
        """(sites, 3): C-order numbers."""
        number = np.arange(self.n_sites, dtype=np.int32).reshape(self.shape)
        out = np.empty((*self.shape, 3), np.int32)
        for slot, (i, j) in enumerate([(0, 0), (1, 0), (0, 1)]):
            out[:, :, 0, slot] = np.roll(number[:, :, 1], (i, j), (0, 1))
            out[:, :, 1, slot] = np.roll(number[:, :, 0], (-i, -j), (0, 1))
        return out.reshape(-1, 3)

    @property
    def reverse(self) -> NDArray[np.int32]:
        """(3,): the slot of the neighbour that leads back."""
        return np.arange(3, dtype=np.int32)

    @cached_property
    def bonds(self) -> NDArray[np.int32]:
        """(bonds, 2): each once, from the first site of a cell; cells in C order."""
        first = np.arange(0, self.n_sites, 2, dtype=np.int32)
        return np.stack([np.repeat(first, 3), self.neighbours[first].ravel()], -1)

    @cached_property
    def bond_numbers(self) -> NDArray[np.int32]:
        """(sites, 3): which of ``bonds`` a slot is."""
        cell = np.arange(self.n_sites, dtype=np.int32)[:, None] // 2
        cell = np.where(np.arange(self.n_sites)[:, None] % 2, self.neighbours // 2, cell)
        return cell * 3 + np.arange(3, dtype=np.int32)


Lattice = Hypercubic | Triangular | Honeycomb


@lru_cache(maxsize=64)
def lattice_of(name: str, shape: tuple[int, ...]) -> Lattice:
    """The lattice of a name out of `LATTICES` whose arrays have a shape.

    Example:
        >>> lattice_of("cubic", (4, 4, 4)).bonds.shape
        (192, 2)
    """
    check_lattice(name)
    if name == "triangular":
        return Triangular(shape)  # type: ignore[arg-type]
    if name == "honeycomb":
        return Honeycomb(shape)  # type: ignore[arg-type]
    _check_sides(shape, _HYPERCUBIC[name])
    return Hypercubic(shape)


def check_lattice(name: str) -> None:
    """One of `LATTICES`."""
    if name not in LATTICES:
        known = ", ".join(map(repr, LATTICES))
        raise InputError(f"`lattice` is {name!r}; expected one of {known}.")


def shape_of(name: str, size: int) -> tuple[int, ...]:
    """The shape of an array on a lattice whose sides are all ``size``."""
    if name == "honeycomb":
        return (size, size, 2)
    return (size,) * _HYPERCUBIC.get(name, 2)


def n_axes(name: str) -> int:
    """Axes of an array on a lattice: 2 for the square one, 3 for the honeycomb."""
    return len(shape_of(name, 1))


def pairs(x: Array, name: str, *, components: int = 0) -> Iterator[tuple[Array, Array]]:
    """Both ends of all bonds of a lattice, one kind of bond at a time.

    Args:
        x: Field (*batch, *shape) or, with ``components`` further axes, (*batch, *shape, ...).
        name: One of `LATTICES`.
        components: The number of axes behind those of the lattice.

    Yields:
        Two arrays, the value at a site and at its neighbour: of the shape of ``x``, or on the
        honeycomb without the axis of the two sites.
    """
    roll = namespace(x).roll
    n = n_axes(name)
    if name == "honeycomb":
        rest: tuple[Any, ...] = (slice(None),) * components
        field: Any = x
        a, b = field[(..., 0, *rest)], field[(..., 1, *rest)]
        yield a, b
        yield a, roll(b, 1, -2 - components)
        yield a, roll(b, 1, -1 - components)
        return
    for step in _steps(name):
        axes = tuple(a - n - components for a in range(n) if step[a])
        yield x, roll(x, (-1,) * len(axes), axes)


def bond_vectors(name: str) -> NDArray[np.float64]:
    """Unit vectors along the bonds in space, (kinds, dimension), in the order of `pairs`.

    Example:
        >>> bond_vectors("triangular").round(3)
        array([[ 1.   ,  0.   ],
               [-0.5  ,  0.866],
               [ 0.5  ,  0.866]])
    """
    if name == "honeycomb":
        turn = 2.0 * math.pi / 3.0 * np.arange(3)
        return np.stack([np.cos(turn), np.sin(turn)], -1)
    if name == "triangular":
        half = math.sqrt(3.0) / 2.0
        return np.array([[1.0, 0.0], [-0.5, half], [0.5, half]])
    return np.eye(n_axes(name))


def site_volume(name: str) -> float:
    """Volume of space, or area, for each site, with bonds of length 1."""
    check_lattice(name)
    return {"triangular": math.sqrt(3.0) / 2.0, "honeycomb": 0.75 * math.sqrt(3.0)}.get(name, 1.0)


def longest_waves(name: str) -> tuple[tuple[float, ...], ...]:
    r"""The longest waves of a lattice of equal sides, up to their sign, equivalent by symmetry.

    Of each the phases, in :math:`2 \pi / L`, of a step along the axes of the array; on the
    honeycomb the last is that from the first to the second site of a cell.
    """
    if name == "triangular":
        return (1, 0), (0, 1), (1, -1)
    if name == "honeycomb":
        return (1, 0, 1 / 3), (0, 1, 1 / 3), (1, 1, 2 / 3)
    n = n_axes(name)
    return tuple(tuple(int(a == b) for a in range(n)) for b in reversed(range(n)))


class OnLattice:
    """What models with a spin at each site of the ``lattice`` that they name have in common."""

    lattice: str
    components: ClassVar[tuple[int, ...]] = ()

    def shape(self, size: int) -> tuple[int, ...]:
        """Of spins on sides L: (L, L), (L, L, L), or (L, L, 2) on the honeycomb."""
        return shape_of(self.lattice, size)

    def n_sites(self, shape: tuple[int, ...]) -> int:
        """Of the lattice of a configuration of this shape."""
        return math.prod(shape)


def _steps(name: str) -> tuple[tuple[int, ...], ...]:
    """Displacements of the bonds of a lattice of one site a cell."""
    if name == "triangular":
        return Triangular((1, 1)).displacements
    return Hypercubic((1,) * n_axes(name)).displacements


def _across(
    shape: tuple[int, ...], displacements: tuple[tuple[int, ...], ...]
) -> NDArray[np.int32]:
    number = np.arange(math.prod(shape), dtype=np.int32).reshape(shape)
    axes = tuple(range(len(shape)))
    both = [tuple(sign * d for d in step) for step in displacements for sign in (-1, 1)]
    return np.stack([np.roll(number, step, axes).ravel() for step in both], -1)


def _numbers(neighbours: NDArray[np.int32]) -> NDArray[np.int32]:
    n, z = neighbours.shape
    first = np.repeat(np.arange(n, dtype=np.int32)[:, None], z, 1)
    first[:, 1::2] = neighbours[:, 1::2]
    return first * (z // 2) + np.arange(z, dtype=np.int32) // 2


def _own(across: NDArray[np.int32]) -> NDArray[np.int32]:
    site = np.repeat(np.arange(len(across), dtype=np.int32), across.shape[1])
    return np.stack([site, across.ravel()], -1)


def _check_sides(shape: tuple[int, ...], n: int | None = None) -> None:
    wanted = "at least one" if n is None else str(n)
    fits = len(shape) >= 1 if n is None else len(shape) == n
    if not fits or any(type(side) is not int or side < 1 for side in shape):
        raise InputError(f"`shape` is {shape!r}; expected {wanted} sides, integers of at least 1.")
    if math.prod(shape) >= 2**31:
        raise InputError(f"`shape` is {shape!r}; expected fewer than 2^31 sites. Cure: smaller.")
