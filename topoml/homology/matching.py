"""The induced matching of the classes of two fields on one lattice."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._core.errors import InputError
from ..kernels.batch import thread_pool
from ..kernels.cubical2d import link_tables
from ..kernels.matching2d import match_fields
from ._checks import (
    check_construction,
    check_dimensions,
    check_field,
    check_periodic,
    check_superlevel,
)
from ._gather import host_array, word_of
from .cubical import cubical_persistence
from .diagrams import Diagrams

__all__ = ["Matching", "betti_matching"]

Array = NDArray[Any]


class Matching(NamedTuple):
    """Diagrams of two fields and which of their classes are partners.

    ``pairs`` (M, 2) int64: rows of ``first.points`` and of ``second.points``, ascending in the
    first; ``essential_pairs`` (E, 2): rows of ``first.essential`` and ``second.essential``. No row
    occurs twice; finite classes may have no partner, essential ones all have.
    """

    first: Diagrams
    second: Diagrams
    pairs: Tensor
    essential_pairs: Tensor


def betti_matching(
    x: Tensor,
    y: Tensor,
    *,
    homology_dimensions: Sequence[int],
    periodic: bool | Sequence[bool] = False,
    construction: str = "V",
    superlevel: bool = False,
) -> Matching:
    r"""Match the classes of two fields that are the same feature at the same place.

    .. math:: H(\{x \le t\}) \to H(\{h \le t\}) \leftarrow H(\{y \le t\}), \qquad h = \min(x, y)

    A class of x is matched to one of h by the induced matching of the inclusion (through the
    persistence of its image: equal birth in x, equal death in h, longest with longest where several
    are equal), a class of y likewise, and two classes matched to the same class of h are partners.
    Exact, in H0 and H1, on the plane, the cylinder and the torus. Essential classes are partners in
    the order of their births. Superlevel: h is the maximum.

    Ties go by (value, linear index), the same in x, y and h. A class of an image that is born in x
    (or y) at the value at which it dies in h does not exist and matches nothing. Symmetric in x and
    y. Sample i depends on sample i alone. Runs on the CPU on ``torch.get_num_threads()`` threads,
    in about twice the time of both diagrams together.

    Args:
        x: Field (*batch, H, W), any floating dtype, finite.
        y: Field of the same shape, dtype and device.
        homology_dimensions: Distinct integers from 0 to 2.
        periodic: One bool, or one an axis; periodic axes of at least 2 entries.
        construction: "V", "T" or "F", as in ``cubical_persistence``.
        superlevel: Filter from large values to small.

    Returns:
        A Matching; its diagrams are those of ``cubical_persistence``, differentiable.

    Raises:
        InputError: Fields that are no float tensors, do not fit each other, or are not finite; a
            periodic axis of one entry; another argument out of the ranges above.

    Source: Bauer & Lesnick, J. Comput. Geom. 6, 162 (2015), arXiv:1311.3681; Stucki et al., ICML
        2023, arXiv:2211.15272.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0, 9.0, 1.0, 9.0, 2.0]])  # three basins
        >>> y = torch.tensor([[0.0, 9.0, 9.0, 9.0, 3.0]])  # not the middle one
        >>> m = betti_matching(x, y, homology_dimensions=(0,))
        >>> m.first.points, m.second.points
        (tensor([[1., 9.],
                [2., 9.]]), tensor([[3., 9.]]))
        >>> m.pairs, m.essential_pairs  # the last basin; the deepest, which never dies
        (tensor([[1, 0]]), tensor([[0, 0]]))
    """
    x, y = check_field("x", x, "(*batch, H, W)", 2), check_field("y", y, "(*batch, H, W)", 2)
    if (x.shape, x.dtype, x.device) != (y.shape, y.dtype, y.device):
        raise InputError(
            f"`y` has shape {tuple(y.shape)}, {y.dtype}, {y.device}; expected {tuple(x.shape)},"
            f" {x.dtype}, {x.device} as `x` has."
        )
    for name, field in (("x", x), ("y", y)):
        if not bool(torch.isfinite(field.detach()).all()):
            raise InputError(f"`{name}` has a NaN or an infinite entry; expected finite numbers.")
    dimensions = check_dimensions(homology_dimensions, 2)
    wrap0, wrap1 = check_periodic(periodic, 2)
    check_construction(construction, 2)
    check_superlevel(superlevel)
    h, w = x.shape[-2:]
    if (h == 1 and wrap0) or (w == 1 and wrap1):
        raise InputError(
            f"`x` has shape {tuple(x.shape)}, a periodic axis of one entry; expected at least 2."
            " Cure: periodic=False along this axis, or repeat the entry three times."
        )
    first, second = (
        cubical_persistence(
            field,
            homology_dimensions=dimensions,
            periodic=(wrap0, wrap1),
            construction=construction,
            superlevel=superlevel,
        )
        for field in (x, y)
    )
    arrays = [host_array(field).reshape(-1, h, w) for field in (x, y)]
    sign = -1.0 if superlevel else 1.0
    partner = _partners(arrays[0], arrays[1], sign, (wrap0, wrap1), construction)
    pairs = torch.from_numpy(_pairs(first, second, partner)).to(x.device)
    essential = torch.stack([_by_birth(d) for d in (first, second)], 1)
    return Matching(first, second, pairs, essential)


def _partners(x: Array, y: Array, sign: float, wrap: tuple[bool, bool], construction: str) -> Array:
    """(B, 2, H W): what ``match_fields`` writes, on threads if there is enough to do."""
    n, h, w = x.shape
    partner = np.full((n, 2, h * w), -1, np.int32)
    tables, word = link_tables(construction), word_of(x)

    def kernel(begin: int, end: int) -> None:
        match_fields(x, y, begin, end, sign, wrap, tables, word, partner)

    n_chunks = min(n, 4 * torch.get_num_threads(), 1 + x.size // 2**16)
    if torch.get_num_threads() == 1 or n_chunks == 1:
        kernel(0, n)
        return partner
    ends = [n * k // n_chunks for k in range(n_chunks + 1)]
    for _ in thread_pool(torch.get_num_threads()).map(kernel, ends[:-1], ends[1:]):
        pass
    return partner


def _pairs(first: Diagrams, second: Diagrams, partner: Array) -> Array:
    """Rows of both diagrams that the entries in ``partner`` stand for."""
    sample, dimension, birth, death = _columns(first)
    sample2, dimension2, birth2, death2 = _columns(second)
    pairs = []
    for k, (key, key2) in enumerate(((birth, birth2), (death, death2))):
        row, row2 = np.flatnonzero(dimension == k), np.flatnonzero(dimension2 == k)
        row_of = np.full((partner.shape[0], partner.shape[2]), -1, np.int64)
        row_of[sample2[row2], key2[row2]] = row2
        other = partner[sample[row], k, key[row]]
        row, other = row[other >= 0], other[other >= 0]
        pairs.append(np.stack([row, row_of[sample[row], other]], 1))
    found: Array = np.concatenate(pairs)
    assert (found >= 0).all(), "a class that is matched is in both diagrams"
    found = found[found[:, 0].argsort(kind="stable")]
    return found


def _columns(diagrams: Diagrams) -> tuple[Array, Array, Array, Array]:
    columns = (diagrams.sample, diagrams.dimension, diagrams.birth_index, diagrams.death_index)
    sample, dimension, birth, death = (column.cpu().numpy() for column in columns)
    return sample, dimension, birth, death


def _by_birth(diagrams: Diagrams) -> Tensor:
    """Rows of the essential classes in the order of (sample, dimension, birth, index)."""
    birth = diagrams.essential.detach()
    order = diagrams.essential_index.argsort(stable=True)
    order = order[birth[order].argsort(descending=diagrams.superlevel, stable=True)]
    group = diagrams.essential_sample * 3 + diagrams.essential_dimension
    return order[group[order].argsort(stable=True)]
