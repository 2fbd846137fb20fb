"""Betti curves."""

import torch
from torch import Tensor

from ..homology import Diagrams
from ._blocks import block_of, from_blocks
from ._checks import check_diagrams, curve_grid

__all__ = ["betti_curve", "curve_on_grid"]


def betti_curve(
    diagrams: Diagrams, *, resolution: int, sample_range: tuple[float, float]
) -> Tensor:
    r"""Betti numbers of the sublevel (superlevel) sets at evenly spaced thresholds.

    .. math:: \beta_k(t) = \#\{i : b_i \le t < d_i\}, \qquad
              \beta_k(t) = \#\{i : d_i < t \le b_i\} \text{ (superlevel)}

    over the classes of dimension k, essential ones included (they never die): the Betti number of
    :math:`\{x \le t\}` (:math:`\{x \ge t\}`), which holds its threshold. Exact integers, stored as
    floats (float16 holds them up to 2048, bfloat16 up to 256). Piecewise constant in the births
    and deaths, so that its gradient is zero almost everywhere: **the result carries none**.

    The thresholds are ``numpy.linspace(*sample_range, resolution)`` rounded to the dtype of the
    points. O(P log resolution + output) time. Sample i depends on sample i alone, bit for bit.

    Args:
        diagrams: Of any batch shape.
        resolution: Number of thresholds, at least 1.
        sample_range: First and last threshold, in the filtration's unit.

    Returns:
        (*batch, n * resolution) for n homology dimensions: one curve a dimension, in the order of
        ``diagrams.homology_dimensions``, zeros where a sample has no class. Dtype and device of
        the points.

    Raises:
        InputError: An argument of another type or out of the ranges above.

    Source: the definition; as ``gudhi.representations.BettiCurve`` with this grid, in which an
        essential class has death inf.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> d = cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,))
        >>> betti_curve(d, resolution=4, sample_range=(0.0, 3.0))  # at 0, 1, 2, 3
        tensor([1., 2., 2., 1.])
    """
    check_diagrams(diagrams)
    return curve_on_grid(diagrams, curve_grid(resolution, sample_range))


def curve_on_grid(diagrams: Diagrams, grid: Tensor) -> Tensor:
    """``betti_curve`` at the thresholds of an ascending grid (k,), without its checks."""
    points, essential = diagrams.points.detach(), diagrams.essential.detach()
    grid = grid.to(points)
    if points.dtype in (torch.float16, torch.bfloat16):  # searchsorted has no half precision
        points, essential, grid = points.float(), essential.float(), grid.float()
    birth, death = points.unbind(1)
    n = len(grid)
    end = torch.full_like(diagrams.essential_dimension, n)
    if diagrams.superlevel:  # alive at grid[first : last], the open end being the death
        first, last = (torch.searchsorted(grid, x.contiguous(), right=True) for x in (death, birth))
        first_essential, last_essential = 0 * end, torch.searchsorted(grid, essential, right=True)
    else:
        first, last = (torch.searchsorted(grid, x.contiguous()) for x in (birth, death))
        first_essential, last_essential = torch.searchsorted(grid, essential), end
    block = torch.cat(
        [
            block_of(diagrams, diagrams.sample, diagrams.dimension),
            block_of(diagrams, diagrams.essential_sample, diagrams.essential_dimension),
        ]
    )
    shape = (diagrams.n_samples * len(diagrams.homology_dimensions), n + 1)
    steps = [
        torch.bincount(block * (n + 1) + torch.cat(at), minlength=shape[0] * shape[1])
        for at in ((first, first_essential), (last, last_essential))
    ]
    curve = (steps[0] - steps[1]).reshape(shape)[:, :n].cumsum(1)
    return from_blocks(curve.to(diagrams.points.dtype), diagrams)
