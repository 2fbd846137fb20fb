"""The longest lifetimes, and the topological vector of distances between classes."""

import numpy as np
import torch
from torch import Tensor

from .._core.checks import check_count
from ..homology import Diagrams
from ..homology._gather import operator
from ..kernels.largest import largest_pairs, largest_rows
from ._blocks import from_blocks
from ._checks import check_diagrams
from ._rows import array_of, intervals_of, over_rows, rows_at

__all__ = ["distances_of", "lifetimes_of", "longest_lifetimes", "topological_vector"]


def longest_lifetimes(diagrams: Diagrams, *, k: int) -> Tensor:
    r"""The k longest lifetimes, in descending order, then zeros.

    .. math:: y_j = \underset{i}{j\text{-max}}\; |d_i - b_i|, \qquad j = 1, \dots, k

    Invariant to the order of the classes. Essential classes are left out (give them a death with
    ``Diagrams.capped``), and so are those born at -inf (superlevel: +inf).

    Differentiable in births and deaths, any number of times: -1 in the lower end and 1 in the upper
    one; of equal lifetimes the first class has it; 0 at a lifetime of 0. Chosen on the CPU. Sample
    i depends on sample i alone, bit for bit. Time O(P k) at most.

    Args:
        diagrams: Of any batch shape.
        k: How many, at least 1.

    Returns:
        (*batch, n * k) for n homology dimensions: one block a dimension, in the order of
        ``diagrams.homology_dimensions``; zeros where a sample has fewer classes. Dtype and device
        of the points.

    Raises:
        InputError: An argument of another type or out of the ranges above.

    Source: the definition.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 4.0, 1.0, 2.0, 1.0]])
        >>> d = cubical_persistence(x, homology_dimensions=(0,))  # classes (1, 2) and (1, 4)
        >>> longest_lifetimes(d, k=3)
        tensor([3., 1., 0.])
    """
    check_diagrams(diagrams)
    return lifetimes_of(diagrams, check_count("k", k))


def lifetimes_of(diagrams: Diagrams, k: int) -> Tensor:
    """``longest_lifetimes`` without its checks."""
    low, high, block, n_blocks, _ = intervals_of(diagrams)
    values = rows_at(high - low, longest_rows(low, high, block, n_blocks, k))
    return from_blocks(values.to(diagrams.points.dtype), diagrams)


def topological_vector(diagrams: Diagrams, *, threshold: int) -> Tensor:
    r"""The largest distances between two classes, none more than to the diagonal, descending.

    .. math:: m_{ij} = \min\left(\max(|b_i - b_j|, |d_i - d_j|), \tfrac12 |d_i - b_i|,
              \tfrac12 |d_j - b_j|\right), \qquad i < j

    the first ``threshold`` of the sorted values, then zeros. Invariant to the order of the classes.
    Essential classes are left out (give them a death with ``Diagrams.capped``), and so are those
    born at -inf (superlevel: +inf).

    Differentiable in births and deaths, any number of times, with finite gradients everywhere: that
    of the least of the three, halved where two are equal, and 0 where the value is 0; of equal
    values one pair has it. Chosen on the CPU. Sample i depends on sample i alone, bit for bit.
    Time O(P log P) as a rule, as only the longest classes matter; O(P^2) where all are alike.

    Args:
        diagrams: Of any batch shape.
        threshold: How many values, at least 1.

    Returns:
        (*batch, n * threshold) for n homology dimensions: one block a dimension, in the order of
        ``diagrams.homology_dimensions``; zeros where a sample has fewer pairs. Dtype and device of
        the points.

    Raises:
        InputError: An argument of another type or out of the ranges above.

    Source: Carrière, Oudot, Ovsjanikov, Computer Graphics Forum 34(5), 2015; as
        ``gudhi.representations.TopologicalVector`` of classes sorted by descending lifetime (for
        others gudhi 3.13 takes the distance to the diagonal of the later class alone).

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 4.0, 1.0, 3.0, 1.0]])
        >>> d = cubical_persistence(x, homology_dimensions=(0,))  # classes (1, 3) and (1, 4)
        >>> topological_vector(d, threshold=2)
        tensor([1., 0.])
    """
    check_diagrams(diagrams)
    return distances_of(diagrams, check_count("threshold", threshold))


def distances_of(diagrams: Diagrams, threshold: int) -> Tensor:
    """``topological_vector`` without its checks."""
    low, high, block, n_blocks, _ = intervals_of(diagrams)
    pair = longest_pairs(low, high, block, n_blocks, threshold)
    a, b = rows_at(low, pair), rows_at(high, pair)
    apart = torch.maximum((a[..., 0] - a[..., 1]).abs(), (b[..., 0] - b[..., 1]).abs())
    half = 0.5 * (b - a)
    values = torch.minimum(apart, torch.minimum(half[..., 0], half[..., 1]))
    return from_blocks(values.to(diagrams.points.dtype), diagrams)


@operator
def longest_rows(low: Tensor, high: Tensor, block: Tensor, n_blocks: int, k: int) -> Tensor:
    """(n_blocks, k): whose lifetime each value is; -1 for nobody's."""
    life, of = array_of(high - low), array_of(block)
    out = np.full((n_blocks, k), -1)
    over_rows(lambda p: largest_rows(life[p], of[p], p.start, out), of, 1)
    return torch.from_numpy(out).to(low.device)


@operator
def longest_pairs(low: Tensor, high: Tensor, block: Tensor, n_blocks: int, k: int) -> Tensor:
    """(n_blocks, k, 2): which two classes each value is of; -1 for none."""
    a, b, of = (array_of(x) for x in (low, high, block))
    out = np.full((n_blocks, k, 2), -1)
    over_rows(lambda p: largest_pairs(a[p], b[p], of[p], p.start, out), of, k)
    return torch.from_numpy(out).to(low.device)


def _fake_rows(low: Tensor, high: Tensor, block: Tensor, n_blocks: int, k: int) -> Tensor:
    return block.new_empty(n_blocks, k)


def _fake_pairs(low: Tensor, high: Tensor, block: Tensor, n_blocks: int, k: int) -> Tensor:
    return block.new_empty(n_blocks, k, 2)


torch.library.register_fake(longest_rows, _fake_rows)
torch.library.register_fake(longest_pairs, _fake_pairs)
