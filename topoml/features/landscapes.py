"""Persistence landscapes."""

import numpy as np
import torch
from torch import Tensor

from .._core.checks import check_count
from ..homology import Diagrams
from ..homology._gather import operator
from ..kernels.tents import largest_tents
from ._blocks import from_blocks
from ._checks import check_diagrams, curve_grid
from ._rows import array_of, intervals_of, over_rows, rows_at

__all__ = ["landscape_on_grid", "persistence_landscape"]


def persistence_landscape(
    diagrams: Diagrams, *, num_landscapes: int, resolution: int, sample_range: tuple[float, float]
) -> Tensor:
    r"""The largest tents over the classes, at evenly spaced values of the filtration.

    .. math:: \lambda_k(t) = \underset{i}{k\text{-max}}\; \max(0, \min(t - b_i, d_i - t)),
              \qquad k = 1, \dots, \text{num\_landscapes}

    (superlevel: of the intervals :math:`[d_i, b_i]`). A class of lifetime :math:`\ell` is a tent of
    height :math:`\ell / 2`, as in Bubenik's paper and in giotto-tda; **gudhi's values are these
    times** :math:`\sqrt 2`. Zero where fewer than k classes live. Essential classes are left out
    (give them a death with ``Diagrams.capped``), and so are those born at -inf (superlevel: +inf).

    Differentiable in births and deaths, any number of times, with finite gradients everywhere:
    -1 in the birth on the rising side of a tent, 1 in the death on the falling side, half of each
    at the peak, 0 where the value is 0; of equal tents the first class has it. Runs on the CPU, on
    ``torch.get_num_threads()`` threads (points on another device pass through it). Sample i depends
    on sample i alone, bit for bit. Time O(P resolution) at most, memory that of the result.

    Args:
        diagrams: Of any batch shape.
        num_landscapes: How many of the largest, at least 1.
        resolution: Number of values, at least 1.
        sample_range: First and last value, both included, in the filtration's unit.

    Returns:
        (*batch, n * num_landscapes * resolution) for n homology dimensions: one block a dimension,
        in the order of ``diagrams.homology_dimensions``, in it the landscapes one after the other;
        zeros where a sample has no class. Dtype and device of the points.

    Raises:
        InputError: An argument of another type or out of the ranges above.

    Source: Bubenik, JMLR 16, 77-102, 2015; as ``gtda.diagrams.PersistenceLandscape``, and as
        ``gudhi.representations.Landscape`` over :math:`\sqrt 2`, on this grid.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 4.0, 1.0, 3.0, 1.0]])
        >>> d = cubical_persistence(x, homology_dimensions=(0,))  # classes (1, 3) and (1, 4)
        >>> y = persistence_landscape(d, num_landscapes=2, resolution=5, sample_range=(0, 4))
        >>> y.reshape(2, 5)  # at 0, 1, 2, 3, 4
        tensor([[0., 0., 1., 1., 0.],
                [0., 0., 1., 0., 0.]])
    """
    check_diagrams(diagrams)
    n_largest = check_count("num_landscapes", num_landscapes)
    return landscape_on_grid(diagrams, curve_grid(resolution, sample_range), n_largest)


def landscape_on_grid(diagrams: Diagrams, grid: Tensor, num_landscapes: int) -> Tensor:
    """``persistence_landscape`` on an ascending grid (k,), without its checks."""
    low, high, block, n_blocks, _ = intervals_of(diagrams)
    grid = grid.to(low)
    row = landscape_rows(low, high, block, n_blocks, grid, num_landscapes)
    tents = torch.minimum(grid - rows_at(low, row), rows_at(high, row) - grid)
    values = tents.where(row >= 0, 0.0).flatten(1)
    return from_blocks(values.to(diagrams.points.dtype), diagrams)


@operator
def landscape_rows(
    low: Tensor, high: Tensor, block: Tensor, n_blocks: int, grid: Tensor, num_landscapes: int
) -> Tensor:
    """(n_blocks, num_landscapes, n): whose tent each value is; -1 for nobody's."""
    a, b, of, t = (array_of(x) for x in (low, high, block, grid))
    out = np.full((n_blocks, num_landscapes, len(t)), -1)
    over_rows(lambda p: largest_tents(a[p], b[p], of[p], t, p.start, out), of, len(t))
    return torch.from_numpy(out).to(low.device)


def _fake(
    low: Tensor, high: Tensor, block: Tensor, n_blocks: int, grid: Tensor, num_landscapes: int
) -> Tensor:
    return block.new_empty(n_blocks, num_landscapes, grid.shape[0])


torch.library.register_fake(landscape_rows, _fake)
