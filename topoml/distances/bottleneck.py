"""Bottleneck distances."""

import math

import numpy as np
import torch
from torch import Tensor

from ..homology import Diagrams
from ..kernels.matching import bottleneck_pairs
from ._pairs import differences, on_threads, pairs_of

__all__ = ["bottleneck"]


def bottleneck(a: Diagrams, b: Diagrams, *, keep_essential_parts: bool = True) -> Tensor:
    r"""Bottleneck distance: the least possible largest move of matching the classes.

    .. math:: W_\infty(a, b) = \max_k \min_\gamma \max_{x \in a_k \cup \Delta}
              \|x - \gamma(x)\|_\infty

    over the matchings :math:`\gamma` of the finite classes of each homology dimension k, any of
    which may go to the nearest point of the diagonal :math:`\Delta` instead: the **largest of the
    distances of the dimensions**. Essential classes are matched to each other in the order of their
    births; where their numbers differ in a dimension, the distance is inf.

    Exact, a difference of two values or half of one, in float64 on the CPU (points on another
    device pass through it), on ``torch.get_num_threads()`` threads; O(n + m) memory. Entry i
    depends on the diagrams i alone, bit for bit.

    Differentiable in births and deaths of both, at the two classes whose distance it is: at ties
    between dimensions, or of births and deaths, the mean over them; among classes of one
    dimension, one. The gradient is finite everywhere: 0 at identical diagrams and at inf.

    Args:
        a: Diagrams of any batch shape.
        b: Diagrams of the same homology dimensions and direction; batch shapes broadcast.
        keep_essential_parts: False compares the classes of two finite values alone.

    Returns:
        (*batch,), in the filtration's unit, of the dtype and device of the points.

    Raises:
        InputError: Diagrams that cannot be compared; NaNs.

    Source: Cohen-Steiner et al., Discrete Comput. Geom. 37, 103 (2007); for one dimension equal to
        ``gudhi.bottleneck_distance``.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 3.0, 1.0], [0.0, 4.0, 1.0], [0.5, 0.0, 0.0]])[:, None]
        >>> d = cubical_persistence(x, homology_dimensions=(0,))
        >>> bottleneck(d[1], d)  # classes (1, 4) to (1, 3), itself, and the diagonal
        tensor([1.0000, 0.0000, 1.5000])
    """
    pairs = pairs_of(a, b)
    none = np.empty(0, np.int64)
    *lines, unequal = pairs.lines()
    if not keep_essential_parts:
        lines, unequal = [none, none, none], np.zeros_like(unequal)
    blocks = pairs.blocks()
    row = np.empty((len(blocks), 2), np.int64)
    n, m = blocks[:, 1] - blocks[:, 0], blocks[:, 3] - blocks[:, 2]
    on_threads(
        lambda part: bottleneck_pairs(pairs.a.points, pairs.b.points, blocks[part], row[part]),
        5 * n * m,
    )
    pair = np.arange(len(blocks)) // pairs.n_dimensions
    first, second = row.T
    both = (first >= 0) & (second >= 0)
    alone, alone_b = (first >= 0) & ~both, (second >= 0) & ~both
    moved = differences(
        pairs,
        (first[both], second[both], pair[both]),
        (first[alone], pair[alone]),
        (second[alone_b], pair[alone_b]),
        (lines[0], lines[1], lines[2]),
    )
    move = torch.maximum(moved.x.abs(), moved.y.abs())
    distance = move.new_zeros(len(pairs.of_a)).scatter_reduce(0, moved.pair, move, "amax")
    return pairs.result(distance.masked_fill(torch.from_numpy(unequal), math.inf))
