"""Symmetries of lattices about a site, as groups of integer matrices."""

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from .._core.checks import check_count
from .._core.errors import InputError
from .equivariance import Action, Element, Value

__all__ = [
    "P4",
    "P4M",
    "P6",
    "P6M",
    "PointGroup",
    "check_point_group",
    "hypercubic",
    "lattice_symmetries",
]

Matrix = tuple[tuple[int, ...], ...]

_LARGEST = 1152  # elements, of integer matrices in four dimensions: the group of the 24-cell


def _are_matrices(generators: object) -> bool:
    """Square, of one size, with integer inverses."""
    try:
        g = torch.tensor(generators)
    except (TypeError, ValueError):
        return False
    if g.dtype != torch.int64 or g.ndim != 3 or g.shape[1] != g.shape[2]:
        return False
    return bool((np.linalg.det(g.numpy()).round() ** 2 == 1).all())  # torch's loads a library


def _product(a: Matrix, b: Matrix) -> Matrix:
    columns = list(zip(*b, strict=True))
    return tuple(
        tuple(sum(x * y for x, y in zip(row, c, strict=True)) for c in columns) for row in a
    )


def _apply(g: Matrix, r: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sum(x * y for x, y in zip(row, r, strict=True)) for row in g)


@dataclass(frozen=True)
class PointGroup:
    """A finite group of integer matrices g, which map site x of a lattice to site g x.

    Made of ``generators``; the first element is 1, then come the powers of the first generator,
    then these times the further ones. On a torus of equal sides every g maps sites to sites, as
    coordinates are taken modulo the side.

    Attributes:
        name: For people.
        generators: Matrices of rows, in the coordinates of the axes of an array.

    Raises:
        InputError: Generators that are no integer matrices with integer inverses, or make more
            than 1152 elements, the most that is finite in up to four dimensions.

    Example:
        >>> P4M.order, P6M.order, hypercubic(3).order
        (8, 12, 48)
        >>> P6.elements[1]  # (0, -1) to (1, 0) to (1, 1): 60 degrees
        ((1, -1), (1, 0))
    """

    name: str
    generators: tuple[Matrix, ...]

    def __post_init__(self) -> None:
        if not _are_matrices(self.generators) or len(self.elements) > _LARGEST:
            raise InputError(
                f"`generators` is {self.generators!r}; expected square matrices, tuples of rows of"
                " integers, that generate a finite group."
            )

    @property
    def dim(self) -> int:
        """Number of lattice axes."""
        return len(self.generators[0])

    @property
    def order(self) -> int:
        """Number of elements."""
        return len(self.elements)

    @cached_property
    def elements(self) -> tuple[Matrix, ...]:
        one = tuple(tuple(int(i == j) for j in range(self.dim)) for i in range(self.dim))
        found, known = [one], {one}
        for n in range(1, len(self.generators) + 1):
            for g in found:  # grows meanwhile
                if len(found) > _LARGEST:
                    break
                for generator in self.generators[:n]:
                    new = _product(g, generator)
                    if new not in known:
                        known.add(new)
                        found.append(new)
        return tuple(found)

    @cached_property
    def quotients(self) -> Tensor:
        """Number of the element g^-1 h, int64 (g, h)."""
        g = torch.tensor(self.elements)
        base = 2 * int(g.abs().max()) + 1
        places = base ** torch.arange(self.dim**2)  # matrices as numbers in this base
        keys, numbers = ((g.flatten(1) * places).sum(1)).sort()
        products = torch.einsum("gij,hjk->ghik", g, g).flatten(2)
        product = numbers[torch.searchsorted(keys, (products * places).sum(2))]
        inverse = (product == 0).long().argmax(1)
        return product[inverse]

    def kernel_sites(self, kernel_size: int) -> Tensor:
        """Number of the site g^-1 r of a kernel, or -1, int64 (g, *K).

        The kernel holds the sites r, from its middle, whose images all lie in the box of side
        ``kernel_size``: all of them for P4M, a hexagon for P6M. They are counted in C order.
        """
        radius = kernel_size // 2
        box = list(itertools.product(range(-radius, radius + 1), repeat=self.dim))
        inside = [
            r for r in box if all(max(map(abs, _apply(g, r))) <= radius for g in self.elements)
        ]
        number = {r: i for i, r in enumerate(inside)}
        inverses = [self.elements[i] for i in self.quotients[:, 0].tolist()]
        index = [[number[_apply(g, r)] if r in number else -1 for r in box] for g in inverses]
        return torch.tensor(index).reshape(self.order, *(kernel_size,) * self.dim)

    def orbits(self, kernel_size: int) -> Tensor:
        """Number of the orbit of each site of a kernel, or -1, int64 (*K); in C order."""
        smallest = self.kernel_sites(kernel_size).amin(0)
        numbers = torch.unique(smallest[smallest >= 0])
        return torch.where(smallest < 0, -1, torch.searchsorted(numbers, smallest))


P4 = PointGroup("P4", (((0, -1), (1, 0)),))
P4M = PointGroup("P4M", (((0, -1), (1, 0)), ((0, 1), (1, 0))))
P6 = PointGroup("P6", (((1, -1), (1, 0)),))
P6M = PointGroup("P6M", (((1, -1), (1, 0)), ((0, 1), (1, 0))))


def hypercubic(dim: int) -> PointGroup:
    """All 2^dim dim! symmetries of the cube: those of P4M in two dimensions, O_h in three.

    Args:
        dim: At least 1.
    """
    n = range(check_count("dim", dim))
    mirror = tuple(tuple((1 if i else -1) * int(i == j) for j in n) for i in n)
    swaps = [{k: k + 1, k + 1: k} for k in n[:-1]]
    matrices = [tuple(tuple(int(j == s.get(i, i)) for j in n) for i in n) for s in swaps]
    return PointGroup(f"hypercubic({dim})", (mirror, *matrices))


def check_point_group(group: object, dim: int | None = None) -> PointGroup:
    """A point group, of ``dim`` axes if that is given."""
    if not isinstance(group, PointGroup) or (dim is not None and group.dim != dim):
        axes = "" if dim is None else f" of {dim} axes"
        raise InputError(f"`group` is {group!r}; expected a PointGroup{axes}, such as P4M.")
    return group


def lattice_symmetries(
    group: PointGroup, *, group_axis_in: bool = False, group_axis_out: bool = False
) -> Action:
    """The action of a point group on fields on a torus of equal sides, about the site 0.

    (g f)(x) = f(g^-1 x), and (g f)(h, x) = f(g^-1 h, g^-1 x) where there is a group axis. Together
    with `translations` it makes the whole space group.

    Args:
        group: Drawn uniformly.
        group_axis_in: The input is (B, C, G, *L, ...) in place of (B, C, *L, ...).
        group_axis_out: Likewise, of the output.

    Example:
        >>> import torch
        >>> from topoml.nn.equivariance import assert_equivariant
        >>> x, g = torch.arange(9.0).reshape(1, 1, 3, 3), torch.Generator()
        >>> assert_equivariant(torch.exp, lattice_symmetries(P6M), x, g)
        0.0
    """

    def draw(x: Value, generator: torch.Generator) -> int:
        device = generator.device
        return int(torch.randint(group.order, (1,), generator=generator, device=device))

    def act_in(g: Element, x: Value) -> Value:
        return _turn(group, g, x, group_axis_in)

    def act_out(g: Element, y: Value) -> Value:
        return _turn(group, g, y, group_axis_out)

    return Action(draw, act_in, act_out)


def _turn(group: PointGroup, g: int, x: Tensor, group_axis: bool) -> Tensor:
    first = 2 + group_axis
    sides = x.shape[first : first + group.dim]
    if len(set(sides)) != 1 or len(sides) != group.dim:
        raise InputError(
            f"`x` has shape {tuple(x.shape)}; expected {group.dim} equal sides from axis {first}."
        )
    inverse = torch.tensor(group.elements[int(group.quotients[g, 0])], device=x.device)
    side = sides[0]
    ranges = [torch.arange(side, device=x.device)] * group.dim
    sites = torch.stack(torch.meshgrid(*ranges, indexing="ij")).flatten(1)
    places = side ** torch.arange(group.dim - 1, -1, -1, device=x.device)
    source = ((inverse[:, :, None] * sites).sum(1) % side * places[:, None]).sum(0)
    if group_axis:
        x = x[:, :, group.quotients[g].to(x.device)]
    flat = x.flatten(first, first + group.dim - 1)
    return flat.index_select(first, source).reshape(x.shape)
