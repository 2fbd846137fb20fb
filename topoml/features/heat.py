"""Persistence heat kernel signatures."""

from torch import Tensor

from ..homology import Diagrams
from ._blocks import from_blocks
from ._checks import check_bandwidth, check_diagrams, curve_grid
from ._rows import intervals_of
from .images import sum_on_grids

__all__ = ["heat_kernel", "heat_on_grid"]


def heat_kernel(
    diagrams: Diagrams, *, bandwidth: float, resolution: int, sample_range: tuple[float, float]
) -> Tensor:
    r"""Gaussians around the classes in the (birth, death) plane, less their mirror images.

    .. math:: y_{jk} = \sum_i \frac{1}{2 \pi \sigma^2} \left(
              e^{-((b_i - x_k)^2 + (d_i - x_j)^2) / 2 \sigma^2} -
              e^{-((d_i - x_k)^2 + (b_i - x_j)^2) / 2 \sigma^2}\right)

    (superlevel: of the intervals :math:`[d_i, b_i]`) with :math:`x` = linspace(*sample_range,
    resolution) on both axes: heat at time :math:`\sigma^2 / 2`, of a unit in each class, in the
    half plane above the diagonal, which is kept at 0. A class on the diagonal adds nothing.
    Invariant to the order of the classes up to rounding. Essential classes are left out (give them
    a death with ``Diagrams.capped``), and so are those born at -inf (superlevel: +inf).

    Differentiable in births and deaths, with finite gradients everywhere (the second derivative
    takes memory O(P resolution^2)). The sums run in float64 on the CPU, on
    ``torch.get_num_threads()`` threads (points on another device pass through it). Sample i depends
    on sample i alone, bit for bit. Time O(P resolution^2), memory that of the result.

    Args:
        diagrams: Of any batch shape.
        bandwidth: Standard deviation :math:`\sigma`, in the filtration's unit, > 0.
        resolution: Number of values of either axis, at least 1.
        sample_range: First and last value of either axis, both included, in the filtration's unit.

    Returns:
        (*batch, n * resolution^2) for n homology dimensions: one image a dimension, in the order of
        ``diagrams.homology_dimensions``, row-major with rows the death (superlevel: the birth),
        ascending; zeros where a sample has no class. Dtype and device of the points.

    Raises:
        InputError: An argument of another type or out of the ranges above.

    Source: Reininghaus et al., CVPR 2015, arXiv:1412.6821; as ``gtda.diagrams.HeatKernel``, whose
        rows descend, and which rounds classes to pixels and cuts the Gaussians at 4 sigma.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> d = cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,))
        >>> y = heat_kernel(d, bandwidth=1.0, resolution=3, sample_range=(1, 3))
        >>> y.reshape(3, 3)  # of the class (1, 3)
        tensor([[ 0.0000, -0.0835, -0.1562],
                [ 0.0835,  0.0000, -0.0835],
                [ 0.1562,  0.0835,  0.0000]])
    """
    check_diagrams(diagrams)
    width = check_bandwidth(bandwidth)
    return heat_on_grid(diagrams, curve_grid(resolution, sample_range), width)


def heat_on_grid(diagrams: Diagrams, grid: Tensor, bandwidth: float) -> Tensor:
    """``heat_kernel`` on an ascending grid (k,), without its checks."""
    low, high, block, n_blocks, near = intervals_of(diagrams)
    one = near.to(low)
    there, back = (
        sum_on_grids(x, y, one, block, n_blocks, grid, grid, bandwidth)
        for x, y in ((low, high), (high, low))  # not the transpose: it is exact on the diagonal
    )
    return from_blocks((there - back).to(diagrams.points.dtype), diagrams)
