"""Persistence of scalar fields on rectangular lattices."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._core.errors import InputError
from ..kernels.batch import Chunk, PackedPairs, pair_batch, pair_blocks
from ..kernels.cubical2d import link_tables, saddle_pairs, saddle_scratch
from ..kernels.cubical3d import gradient_pairs, star_tables
from ._checks import (
    AXES,
    check_construction,
    check_dimensions,
    check_field,
    check_not_nan,
    check_periodic,
    check_spatial_dims,
    check_superlevel,
)
from ._gather import diagrams_of, host_array, operator, packed_tensors, register, word_of
from .cubical4d import pair_4d
from .diagrams import Diagrams

__all__ = ["cubical_persistence"]

Array = NDArray[Any]


def cubical_persistence(
    x: Tensor,
    *,
    homology_dimensions: Sequence[int],
    spatial_dims: int = 2,
    periodic: bool | Sequence[bool] = False,
    construction: str = "V",
    superlevel: bool = False,
) -> Diagrams:
    r"""Persistent homology of the sublevel sets :math:`\{x \le t\}` of a field on a lattice.

    Exact, over Z/2. Ties go by (value, linear index); equal values make no class. The superlevel
    filtration is the sublevel one of -x with the signs of x restored. Each birth and death is the
    value of one entry of ``x``, and its gradient goes to that entry: where values tie, this is one
    element of the Clarke subdifferential. Sample i depends on sample i alone, bit for bit.

    The pairing runs on the CPU, on ``torch.get_num_threads()`` threads (a tensor on another
    device is copied there); values are gathered on the device of ``x``. In 1D and 2D time
    O(N + S log S) a sample of N entries with S saddles, scratch about 25 bytes an entry and
    thread; in 3D a sort, two union-finds and a reduction of the critical cells, about 60 bytes; in
    4D gudhi, at about 1 kB an entry.

    Args:
        x: Field, (*batch, W), (*batch, H, W), (*batch, D, H, W) or (*batch, C, D, H, W), any
            floating dtype (half precision is ranked exactly). Axes of length 1 and more.
            +inf masks an entry: it enters never, so a class that only it would end is essential;
            -inf enters first.
        homology_dimensions: Distinct integers from 0 to ``spatial_dims``.
        spatial_dims: Number of spatial axes, the last ones: 1, 2, 3 or 4.
        periodic: One bool, or one an axis. Periods of 1 and 2 are exact (in 4D a period of 2 is
            refused).
        construction: "V": entries are vertices (2, 4, 6, 8 neighbours), squares and cubes fill in;
            "T": entries are top cells (2, 8, 26, 80 neighbours); "F", in 2D: entries are vertices
            of the Freudenthal triangulation, in which (i, j) is joined to (i+1, j+1) (6
            neighbours, the triangular lattice).
        superlevel: Filter from large values to small; births >= deaths.

    Returns:
        Diagrams; indices count the entries of one sample in C order. A cell's entry is the last of
        its vertices (V, F) or the first of its top cells (T).

    Raises:
        InputError: ``x`` not a float tensor, NaN, empty or with too few axes; another argument out
            of the ranges above.

    Source: Robins, Wood, Sheppard, IEEE TPAMI 33, 1646 (2011), for lower stars; the duality of V
        and T: Garin et al., arXiv:2005.04597; the pairing of saddles alone (2D) and of critical
        cells by tables and two union-finds (3D): ours.

    Example:
        >>> import torch
        >>> x = torch.tensor([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]])
        >>> cubical_persistence(x, homology_dimensions=(0, 1)).points  # one loop around the peak
        tensor([[1., 5.]])
    """
    n_axes = check_spatial_dims(spatial_dims, (1, 2, 3, 4))
    x = check_field("x", x, f"(*batch, {', '.join(AXES[-n_axes:])})", n_axes)
    dimensions = check_dimensions(homology_dimensions, n_axes)
    wrap = check_periodic(periodic, n_axes)
    check_construction(construction, n_axes)
    check_superlevel(superlevel)
    batch_shape = x.shape[:-n_axes]
    packed = cubical_pairs(x, n_axes, dimensions, wrap, construction, superlevel)
    return diagrams_of(packed, batch_shape, dimensions, superlevel=superlevel)


@operator
def cubical_pairs(
    x: Tensor,
    spatial_dims: int,
    homology_dimensions: Sequence[int],
    periodic: Sequence[bool],
    construction: str,
    superlevel: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """``cubical_persistence`` without its checks, as an operator of torch."""
    shape = x.shape[-spatial_dims:]
    if math.prod(n + 2 for n in shape) * (3 if spatial_dims > 2 else 1) >= 2**31:
        size = " x ".join(map(str, shape))
        raise InputError(f"`x` has {size} entries a sample; expected less than 2**31 cells.")
    samples = host_array(x).reshape(-1, *shape)
    sign = -1.0 if superlevel else 1.0
    packed = _pair(samples, tuple(homology_dimensions), tuple(periodic), construction, sign)
    if packed is None:
        check_not_nan("x", x)
        raise AssertionError("the kernel reports a NaN that is not there")
    return packed_tensors(packed, x)


register(cubical_pairs, lambda x, spatial_dims, *_: spatial_dims)


def _pair(
    samples: NDArray[Any],
    dimensions: tuple[int, ...],
    wrap: tuple[bool, ...],
    construction: str,
    sign: float,
) -> PackedPairs | None:
    """Pairs of (B, *spatial); an axis of period 1 is unrolled to three equal copies, a thicker
    circle.

    Such axes come last: the copies of an entry follow each other in the linear order.
    """
    short = [
        a for a, (n, w) in enumerate(zip(samples.shape[1:], wrap, strict=True)) if w and n == 1
    ]
    if short:
        order = [a for a in range(len(wrap)) if a not in short] + short
        wrap = tuple(wrap[a] for a in order)
        samples = samples.transpose(0, *(1 + a for a in order))
        for a in range(len(wrap) - len(short), len(wrap)):
            samples = samples.repeat(3, 1 + a)
    samples = np.ascontiguousarray(samples)
    if len(wrap) == 1:
        samples, wrap = samples[:, None], (False, *wrap)
    packed = _KERNELS[len(wrap)](samples, dimensions, wrap, construction, sign)
    if short and packed is not None:
        for entry in (packed.birth, packed.death, packed.essential_entry):
            entry //= 3 ** len(short)
    return packed


def _pair_2d(
    samples: NDArray[Any],
    dimensions: tuple[int, ...],
    wrap: tuple[bool, ...],
    construction: str,
    sign: float,
) -> PackedPairs | None:
    tables = link_tables(construction)
    wrap0, wrap1 = wrap
    want0, want1, want2 = (d in dimensions for d in range(3))
    n, h, w = samples.shape

    def kernel(*work: Any) -> None:  # noqa: ANN401 - the arguments of pair_blocks
        want = want0, want1, want2
        saddle_pairs(samples, sign, (wrap0, wrap1), tables, want, *work)

    return pair_blocks(
        kernel,
        samples.reshape(n, h * w),
        sites=h * w,
        rows=h * w + 8,
        n_dimensions=3,
        n_threads=torch.get_num_threads(),
        scratch=lambda: saddle_scratch((h, w), samples.dtype),
    )


def _pair_3d(
    samples: NDArray[Any],
    dimensions: tuple[int, ...],
    wrap: tuple[bool, ...],
    construction: str,
    sign: float,
) -> PackedPairs | None:
    tables = star_tables()
    want0, want1, want2, want3 = (d in dimensions for d in range(4))
    wrap0, wrap1, wrap2 = wrap
    word = word_of(samples)

    def kernel(begin: int, end: int, stop: Array) -> Chunk | None:
        chunk = Chunk(
            *gradient_pairs(
                samples,
                word,
                begin,
                end,
                sign,
                (wrap0, wrap1, wrap2),
                construction == "T",
                tables,
                (want0, want1, want2, want3),
                stop,
            )
        )
        return None if (chunk.tally < 0).any() else chunk

    return pair_batch(kernel, len(samples), samples[0].size, torch.get_num_threads())


_KERNELS = {2: _pair_2d, 3: _pair_3d, 4: pair_4d}
