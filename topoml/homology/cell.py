"""Persistence of an explicit filtration of the square or cubic lattice."""

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._core.errors import InputError
from ..kernels import cell2d as kernels
from ..kernels.batch import PackedPairs, pair_blocks
from ._checks import (
    AXES,
    check_dimensions,
    check_field,
    check_not_nan,
    check_periodic,
    check_spatial_dims,
)
from ._gather import diagrams_of, host_array, operator, packed_tensors, register
from .cell3d import pair_cells_3d
from .diagrams import Diagrams

__all__ = ["cell_persistence", "pair_cells"]

Array = NDArray[Any]
_NAMES = ("vertex", "edge", "face", "cube")  # by dimension


def cell_persistence(
    vertex: Tensor | None,
    edge: Tensor,
    face: Tensor | None = None,
    cube: Tensor | None = None,
    *,
    homology_dimensions: Sequence[int],
    spatial_dims: int = 2,
    periodic: bool | Sequence[bool] = True,
) -> Diagrams:
    r"""Persistent homology of a filtration given on vertices, edges and faces of a lattice.

    ``edge[..., a, i, j]`` joins vertex (i, j) to its +1 neighbour along axis a; ``face[..., i, j]``
    has (i, j) as its lowest corner. In 3D faces come in the order of the axes (01), (02), (12) that
    they span, and ``cube`` has its lowest corner likewise. Entries beyond an open boundary are
    ignored. Exact, over Z/2; ties go by (value, index); equal values make no class. The gradient of
    each birth and death goes to one entry (at ties: one element of the Clarke subdifferential).

    The pairing runs on the CPU, on ``torch.get_num_threads()`` threads; values are gathered on the
    tensors' device. O(N log N) time a sample of N sites, scratch about 60 bytes a site and thread;
    in 3D as ``cubical_persistence`` on a grid of twice the side.

    Args:
        vertex: (*batch, H, W) float, or None: all vertices enter at 0 (index -1, no gradient).
            3D: (*batch, D, H, W).
        edge: (*batch, 2, H, W) float, same dtype and device. 3D: (*batch, 3, D, H, W).
        face: (*batch, H, W) float, or None: a face enters with the largest of its edges, the one
            of lower index among equals. 3D: (*batch, 3, D, H, W).
        cube: In 3D (*batch, D, H, W) float, or None: with the largest of its faces.
        homology_dimensions: Distinct integers from 0 to ``spatial_dims``.
        spatial_dims: 2 or 3.
        periodic: One bool, or one an axis. Periods of 1 and 2 are exact.

    Returns:
        Diagrams; indices count through concat(vertex.flat, edge.flat, face.flat, cube.flat) of one
        sample, a tensor that is None counting nothing.

    Raises:
        InputError: A tensor that is no float tensor, NaN, empty, or of a shape, dtype or device
            that does not fit; a cell that enters before one of its faces.

    Source: Edelsbrunner & Harer, Computational Topology (2010), ch. VII; H1 by union-find on the
        dual graph, with the essential classes as the loops that it leaves.

    Example:
        >>> import torch
        >>> edge = torch.tensor([[[1.0, 4.0]], [[2.0, 3.0]]])  # a 1 x 2 torus
        >>> d = cell_persistence(None, edge, homology_dimensions=(0, 1, 2))
        >>> d.points, d.death_index
        (tensor([[0., 2.]]), tensor([2]))
        >>> d.essential, d.essential_dimension
        (tensor([0., 3., 1., 4.]), tensor([0, 1, 1, 2]))
    """
    n_axes = check_spatial_dims(spatial_dims, (2, 3))
    axes = ", ".join(AXES[-n_axes:])
    edge = check_field("edge", edge, f"(*batch, {n_axes}, {axes})", n_axes + 1)
    if edge.shape[-1 - n_axes] != n_axes:
        both = "both" if n_axes == 2 else "all"
        raise InputError(
            f"`edge` has shape {tuple(edge.shape)}; expected (*batch, {n_axes}, {axes}), the edges"
            f" along {both} axes."
        )
    dimensions = check_dimensions(homology_dimensions, n_axes)
    wrap = check_periodic(periodic, n_axes)
    if cube is not None and n_axes == 2:
        raise InputError("`cube` is given in 2D; expected None. Cure: spatial_dims=3.")
    batch, lattice = edge.shape[: -1 - n_axes], edge.shape[-n_axes:]
    cells = [vertex, edge, face, cube][: n_axes + 1]
    for k, x in enumerate(cells):
        if x is None or k == 1:
            continue
        stack = (3,) if (n_axes, k) == (3, 2) else ()
        words = "".join(f"{n}, " for n in stack)
        check_field(_NAMES[k], x, f"(*batch, {words}{axes})", n_axes + len(stack))
        shape = (*batch, *stack, *lattice)
        if (tuple(x.shape), x.dtype, x.device) != (shape, edge.dtype, edge.device):
            raise InputError(
                f"`{_NAMES[k]}` has shape {tuple(x.shape)}, {x.dtype}, {x.device}; expected"
                f" {shape}, {edge.dtype}, {edge.device} as `edge` has shape {tuple(edge.shape)}."
            )
    cells = _without_absent(cells, wrap)
    if not torch.compiler.is_compiling():  # which cannot look at values
        _check_monotone(cells, wrap)
    return pair_cells(cells, dimensions, wrap)


def pair_cells(
    cells: Sequence[Tensor | None], dimensions: tuple[int, ...], wrap: tuple[bool, ...]
) -> Diagrams:
    """``cell_persistence`` without its checks, of the tensors of vertices, edges and so on."""
    n_axes = len(wrap)
    edge = cells[1]
    assert edge is not None
    batch_shape, shape = edge.shape[: -1 - n_axes], edge.shape[-n_axes:]
    given = [x.reshape(batch_shape.numel(), -1) for x in cells if x is not None]
    values = given[0] if len(given) == 1 else torch.cat(given, 1)
    present = [x is not None for x in cells]
    packed = cell_pairs(values, shape, present, dimensions, wrap)
    return diagrams_of(packed, batch_shape, dimensions)


@operator
def cell_pairs(
    values: Tensor,
    shape: Sequence[int],
    given: Sequence[bool],
    homology_dimensions: Sequence[int],
    periodic: Sequence[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """``cell_persistence`` of concatenated values (B, entries), as an operator of torch.

    ``given``: for each dimension whether its cells are among them.
    """
    sites = int(np.prod(shape))
    n_cells = sites * 4 ** (len(shape) - 1) * (4 if len(shape) == 3 else 1)
    if n_cells >= 2**31:
        size = " x ".join(map(str, shape))
        raise InputError(f"`edge` has {size} sites a sample; expected less than 2**31 cells.")
    array = host_array(values)
    if np.isnan(array.min()):
        raise InputError("`edge` or another value is NaN; expected numbers. Cure: mask with +inf.")
    dimensions, n_threads = tuple(homology_dimensions), torch.get_num_threads()
    if len(shape) == 3:
        d, h, w = shape
        wrap0, wrap1, wrap2 = periodic
        packed = pair_cells_3d(
            array,
            (d, h, w),
            (given[0], given[2], given[3]),
            dimensions,
            (wrap0, wrap1, wrap2),
            n_threads,
        )
    else:
        packed = _pair_2d(array, tuple(shape), given, dimensions, tuple(periodic), n_threads)
    assert packed is not None, "NaN was checked for"
    return packed_tensors(packed, values)


register(cell_pairs, lambda *_: 1)


def _pair_2d(
    array: Array,
    shape: tuple[int, ...],
    given: Sequence[bool],
    dimensions: tuple[int, ...],
    wrap: tuple[bool, ...],
    n_threads: int,
) -> PackedPairs | None:
    h, w = shape
    wrap0, wrap1 = wrap
    want0, want1, want2 = (k in dimensions for k in range(3))
    ends = np.cumsum([h * w * given[0], 2 * h * w])
    vertices, edges, faces = map(np.ascontiguousarray, np.split(array, ends, axis=1))

    def kernel(*work: Any) -> None:  # noqa: ANN401 - the arguments of pair_blocks
        want = want0, want1, want2
        kernels.cell_pairs(vertices, edges, faces, (h, w), (wrap0, wrap1), want, *work)

    return pair_blocks(
        kernel,
        array,
        sites=h * w,
        rows=2 * h * w + 8,
        n_dimensions=3,
        n_threads=n_threads,
        scratch=lambda: kernels.cell_scratch((h, w), array.dtype),
    )


def _stacked(x: Tensor, k: int, n_axes: int) -> Tensor:
    """Cells of dimension k as (*batch, orientations, *lattice)."""
    return x if 0 < k < n_axes else x.unsqueeze(-1 - n_axes)


def _present(shape: torch.Size, wrap: tuple[bool, ...], axes: tuple[int, ...]) -> Tensor:
    """Which of the cells that extend along ``axes`` exist, of the shape of the lattice."""
    present = torch.ones(shape, dtype=torch.bool)
    for a in axes:
        if not wrap[a]:
            present.select(a, -1).fill_(False)
    return present


def _without_absent(cells: Sequence[Tensor | None], wrap: tuple[bool, ...]) -> list[Tensor | None]:
    """Check for NaN where cells exist; what stands beyond an open boundary becomes 0."""
    n_axes = len(wrap)
    out: list[Tensor | None] = []
    for k, x in enumerate(cells):
        if x is not None and k > 0 and not all(wrap):
            shape = x.shape[-n_axes:]
            inside = torch.stack(
                [_present(shape, wrap, axes) for axes in combinations(range(n_axes), k)]
            ).to(x.device)
            x = x.where(inside if k < n_axes else inside[0], 0.0)
        if x is not None:
            check_not_nan(_NAMES[k], x)
        out.append(x)
    return out


def _check_monotone(cells: Sequence[Tensor | None], wrap: tuple[bool, ...]) -> None:
    n_axes = len(wrap)
    edge = cells[1]
    assert edge is not None
    lower, below = 0, cells[0]
    if below is None:
        below = torch.zeros_like(edge.detach().select(-1 - n_axes, 0))
    for k in range(1, n_axes + 1):
        x = cells[k]
        if x is None:
            continue
        orientations = list(combinations(range(n_axes), k))
        parts = list(combinations(range(n_axes), lower))
        cell, side = _stacked(x.detach(), k, n_axes), _stacked(below.detach(), lower, n_axes)
        for number, axes in enumerate(orientations):
            name = _NAMES[k] if k == n_axes else f"{_NAMES[k]}[{number}]"
            present = _present(x.shape[-n_axes:], wrap, axes).to(x.device)
            for part_number, part in enumerate(parts):
                if not set(part) <= set(axes):
                    continue
                part_name = f"{_NAMES[lower]}[{part_number}]" if lower else _NAMES[lower]
                across = [a for a in axes if a not in part]
                values = side.select(-1 - n_axes, part_number)
                for shift in product((0, -1), repeat=len(across)):
                    moved = values.roll(shift, [a - n_axes for a in across])
                    _check_below(moved, cell.select(-1 - n_axes, number), present, part_name, name)
        lower, below = k, x


def _check_below(part: Tensor, cell: Tensor, present: Tensor, part_name: str, name: str) -> None:
    wrong = (part > cell) & present
    if bool(wrong.any()):
        at = tuple(int(i) for i in wrong.nonzero()[0])
        raise InputError(
            f"`{name}` is {float(cell[at])} at {at}, below its `{part_name}` of {float(part[at])};"
            " expected a filtration: no cell before one on its boundary. Cure: take the maximum."
        )
