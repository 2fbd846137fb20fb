"""Persistence of an explicit filtration of the square lattice."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .._core.errors import InputError
from ..kernels import cell2d as kernels
from ..kernels.batch import pair_batch
from ._checks import check_dimensions, check_field, check_not_nan, check_periodic
from ._gather import diagrams_of, host_array, packed_tensors, register, word_of
from .diagrams import Diagrams

__all__ = ["cell_persistence", "pair_cells"]


def cell_persistence(
    vertex: Tensor | None,
    edge: Tensor,
    face: Tensor | None = None,
    *,
    homology_dimensions: Sequence[int],
    periodic: bool | Sequence[bool] = True,
) -> Diagrams:
    r"""Persistent homology of a filtration given on vertices, edges and faces of a lattice.

    ``edge[..., a, i, j]`` joins vertex (i, j) to its +1 neighbour along axis a; ``face[..., i, j]``
    has (i, j) as its lowest corner. Entries beyond an open boundary are ignored. Exact, over Z/2;
    ties go by (value, index); equal values make no class. The gradient of each birth and death
    goes to one entry (at ties: one element of the Clarke subdifferential).

    The pairing runs on the CPU, on ``torch.get_num_threads()`` threads; values are gathered on the
    tensors' device. O(N log N) time a sample of N sites, scratch about 60 bytes a site and thread.

    Args:
        vertex: (*batch, H, W) float, or None: all vertices enter at 0 (index -1, no gradient).
        edge: (*batch, 2, H, W) float, same dtype and device.
        face: (*batch, H, W) float, or None: a face enters with the largest of its edges, the one
            of lower index among equals.
        homology_dimensions: Distinct integers among 0, 1, 2.
        periodic: One bool, or one an axis. Periods of 1 and 2 are exact.

    Returns:
        Diagrams; indices count through concat(vertex.flat, edge.flat, face.flat) of one sample, a
        tensor that is None counting nothing.

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
    edge = check_field("edge", edge, "(*batch, 2, H, W)", 3)
    if edge.shape[-3] != 2:
        raise InputError(
            f"`edge` has shape {tuple(edge.shape)}; expected (*batch, 2, H, W), the edges along"
            " both axes."
        )
    dimensions = check_dimensions(homology_dimensions, 2)
    wrap = check_periodic(periodic, 2)
    shape = (*edge.shape[:-3], *edge.shape[-2:])
    for name, x in (("vertex", vertex), ("face", face)):
        if x is None:
            continue
        check_field(name, x, "(*batch, H, W)", 2)
        if (tuple(x.shape), x.dtype, x.device) != (shape, edge.dtype, edge.device):
            raise InputError(
                f"`{name}` has shape {tuple(x.shape)}, {x.dtype}, {x.device}; expected {shape},"
                f" {edge.dtype}, {edge.device} as `edge` has shape {tuple(edge.shape)}."
            )
    vertex, edge, face = _without_absent(vertex, edge, face, wrap)
    if not torch.compiler.is_compiling():  # which cannot look at values
        _check_monotone(vertex, edge, face, wrap)
    return pair_cells(vertex, edge, face, dimensions, wrap)


def pair_cells(
    vertex: Tensor | None,
    edge: Tensor,
    face: Tensor | None,
    dimensions: tuple[int, ...],
    wrap: tuple[bool, ...],
) -> Diagrams:
    """``cell_persistence`` without its checks."""
    batch_shape, (h, w) = edge.shape[:-3], edge.shape[-2:]
    n = batch_shape.numel()
    if 4 * h * w >= 2**31:
        raise InputError(f"`edge` has {h} x {w} sites a sample; expected less than 2**29.")
    given = [x.reshape(n, -1) for x in (vertex, edge, face) if x is not None]
    values = given[0] if len(given) == 1 else torch.cat(given, 1)
    packed = cell_pairs(values, [h, w], vertex is not None, face is not None, dimensions, wrap)
    return diagrams_of(packed, batch_shape, dimensions)


@torch.library.custom_op("topoml::cell_pairs", mutates_args=())
def cell_pairs(
    values: Tensor,
    shape: Sequence[int],
    has_vertex: bool,
    has_face: bool,
    homology_dimensions: Sequence[int],
    periodic: Sequence[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """``cell_persistence`` of concatenated values (B, entries), as an operator of torch."""
    h, w = shape
    sites = h * w
    array = host_array(values)
    if np.isnan(array.min()):
        raise InputError("`edge` or another value is NaN; expected numbers. Cure: mask with +inf.")
    ends = np.cumsum([sites * has_vertex, 2 * sites])
    vertices, edges, faces = map(np.ascontiguousarray, np.split(array, ends, axis=1))
    word = word_of(edges)
    wrap0, wrap1 = periodic
    want0, want1, want2 = (d in homology_dimensions for d in range(3))
    packed = pair_batch(
        lambda begin, end: kernels.cell_pairs(
            vertices, edges, faces, word, begin, end, (h, w), wrap0, wrap1, want0, want1, want2
        ),
        len(array),
        sites,
        torch.get_num_threads(),
    )
    assert packed is not None, "NaN was checked for"
    return packed_tensors(packed, values)


register(cell_pairs, lambda *_: 1)


def _present(shape: torch.Size, wrap: tuple[bool, ...], axes: tuple[int, ...]) -> Tensor:
    """Which cells that extend along ``axes`` exist, (H, W)."""
    present = torch.ones(shape, dtype=torch.bool)
    if 0 in axes and not wrap[0]:
        present[-1, :] = False
    if 1 in axes and not wrap[1]:
        present[:, -1] = False
    return present


def _without_absent(
    vertex: Tensor | None, edge: Tensor, face: Tensor | None, wrap: tuple[bool, ...]
) -> tuple[Tensor | None, Tensor, Tensor | None]:
    """Check for NaN where cells exist; what stands beyond an open boundary becomes 0."""
    shape = edge.shape[-2:]
    if not all(wrap):
        along = torch.stack([_present(shape, wrap, (a,)) for a in (0, 1)]).to(edge.device)
        edge = edge.where(along, 0.0)
        if face is not None:
            face = face.where(_present(shape, wrap, (0, 1)).to(edge.device), 0.0)
    for name, x in (("vertex", vertex), ("edge", edge), ("face", face)):
        if x is not None:
            check_not_nan(name, x)
    return vertex, edge, face


def _check_monotone(
    vertex: Tensor | None, edge: Tensor, face: Tensor | None, wrap: tuple[bool, ...]
) -> None:
    shape = edge.shape[-2:]
    for axis in (0, 1):
        e = edge.detach().select(-3, axis)
        present = _present(shape, wrap, (axis,)).to(e.device)
        if vertex is None:
            _check_below(torch.zeros_like(e), e, present, "vertex", f"edge[{axis}]")
        else:
            v = vertex.detach()
            for ends in (v, v.roll(-1, axis - 2)):
                _check_below(ends, e, present, "vertex", f"edge[{axis}]")
        if face is not None:
            present = _present(shape, wrap, (0, 1)).to(e.device)
            for sides in (e, e.roll(-1, -1 - axis)):
                _check_below(sides, face.detach(), present, f"edge[{axis}]", "face")


def _check_below(part: Tensor, cell: Tensor, present: Tensor, part_name: str, name: str) -> None:
    wrong = (part > cell) & present
    if bool(wrong.any()):
        at = tuple(int(i) for i in wrong.nonzero()[0])
        raise InputError(
            f"`{name}` is {float(cell[at])} at {at}, below its `{part_name}` of {float(part[at])};"
            " expected a filtration: no cell before one on its boundary. Cure: take the maximum."
        )
