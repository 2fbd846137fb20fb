"""Persistence of scalar fields on rectangular lattices."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._core.errors import InputError
from ..kernels.batch import PackedPairs, pair_batch
from ..kernels.cubical2d import link_tables, saddle_pairs
from ._checks import (
    check_construction,
    check_dimensions,
    check_field,
    check_not_nan,
    check_periodic,
    check_spatial_dims,
    check_superlevel,
)
from ._gather import gather_diagrams, host_array, word_of
from .diagrams import Diagrams

__all__ = ["cubical_persistence"]


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
    device is copied there); values are gathered on the device of ``x``. Time O(N + S log S) a
    sample of N entries with S saddles, scratch about 25 bytes an entry and thread.

    Args:
        x: Field, (*batch, H, W), any floating dtype (half precision is ranked exactly). H, W >= 1.
            +inf masks an entry: it enters never, so a class that only it would end is essential;
            -inf enters first.
        homology_dimensions: Distinct integers among 0, 1, 2.
        spatial_dims: Number of spatial axes; 2.
        periodic: One bool, or one an axis. Periods of 1 and 2 are exact.
        construction: "V": entries are vertices (4 neighbours), squares fill in; "T": entries are
            squares (8 neighbours); "F": entries are vertices of the Freudenthal triangulation,
            in which (i, j) is joined to (i+1, j+1) (6 neighbours, the triangular lattice).
        superlevel: Filter from large values to small; births >= deaths.

    Returns:
        Diagrams; indices count the entries of one sample in C order. A cell's entry is the last of
        its vertices (V, F) or the first of its squares (T).

    Raises:
        InputError: ``x`` not a float tensor, NaN, empty or with fewer than 2 axes; another
            argument out of the ranges above.

    Source: Robins, Wood, Sheppard, IEEE TPAMI 33, 1646 (2011), for lower stars; the duality of V
        and T: Garin et al., arXiv:2005.04597; the pairing of saddles alone: ours.

    Example:
        >>> import torch
        >>> x = torch.tensor([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]])
        >>> cubical_persistence(x, homology_dimensions=(0, 1)).points  # one loop around the peak
        tensor([[1., 5.]])
    """
    check_spatial_dims(spatial_dims)
    x = check_field("x", x, "(*batch, H, W)", 2)
    dimensions = check_dimensions(homology_dimensions, 2)
    wrap = check_periodic(periodic, 2)
    check_construction(construction)
    check_superlevel(superlevel)
    h, w = x.shape[-2:]
    if (h + 2) * (w + 2) >= 2**31:
        raise InputError(f"`x` has {h} x {w} entries a sample; expected less than 2**31.")
    samples = host_array(x).reshape(-1, h, w)
    packed = _pair(samples, dimensions, wrap, construction, -1.0 if superlevel else 1.0)
    if packed is None:
        check_not_nan("x", x)
        raise AssertionError("the kernel reports a NaN that is not there")
    batch_shape = x.shape[:-2]
    values = x.reshape(batch_shape.numel(), h * w)
    return gather_diagrams(values, packed, batch_shape, dimensions, superlevel=superlevel)


def _pair(
    samples: NDArray[Any],
    dimensions: tuple[int, ...],
    wrap: tuple[bool, ...],
    construction: str,
    sign: float,
) -> PackedPairs | None:
    """Pairs of (B, H, W); an axis of period 1 is unrolled to three equal copies, a thicker circle.

    The copies follow their original in the linear order: that of axis 0 is turned to axis 1 first.
    """
    n, h, w = samples.shape
    if wrap[0] and h == 1 and w > 1:
        return _pair(samples.transpose(0, 2, 1), dimensions, wrap[::-1], construction, sign)
    copies = (3 if wrap[0] and h == 1 else 1) * (3 if wrap[1] and w == 1 else 1)
    if wrap[1] and w == 1:
        samples = np.repeat(samples, 3, axis=2)
    if wrap[0] and h == 1:
        samples = np.repeat(samples, 3, axis=1)
    samples = np.ascontiguousarray(samples)
    lower, upper, n_lower = link_tables(construction)
    wrap0, wrap1 = wrap
    want0, want1, want2 = (d in dimensions for d in range(3))
    word = word_of(samples)
    packed = pair_batch(
        lambda begin, end: saddle_pairs(
            samples,
            word,
            begin,
            end,
            sign,
            wrap0,
            wrap1,
            lower,
            upper,
            n_lower,
            want0,
            want1,
            want2,
        ),
        n,
        samples[0].size,
        torch.get_num_threads(),
    )
    if copies > 1 and packed is not None:
        for entry in (packed.birth, packed.death, packed.essential_entry):
            entry //= copies
    return packed
