"""Betti and Euler characteristic curves."""

import numpy as np
import torch
from torch import Tensor

from ..homology import Diagrams
from ..homology._gather import operator
from ..kernels.tents import count_alive
from ._blocks import block_of, from_blocks
from ._checks import check_diagrams, curve_grid
from ._rows import array_of

__all__ = ["betti_curve", "curve_on_grid", "euler_curve", "euler_on_grid"]


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
    points and compared on the CPU. O(P + output) time. Sample i depends on sample i alone, bit for
    bit.

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
    return from_blocks(_counts(diagrams, grid).to(diagrams.points.dtype), diagrams)


def euler_curve(
    diagrams: Diagrams, *, resolution: int, sample_range: tuple[float, float]
) -> Tensor:
    r"""Euler characteristic of the sublevel (superlevel) sets at evenly spaced thresholds.

    .. math:: \chi(t) = \sum_k (-1)^k \beta_k(t)

    over the homology dimensions of the diagrams, essential classes included: the Euler
    characteristic of :math:`\{x \le t\}` (:math:`\{x \ge t\}`) if these are all of the space's.
    Exact integers, stored as floats (float16 holds them up to 2048, bfloat16 up to 256), and
    **no gradient**, which is zero almost everywhere. For the rest see ``betti_curve``.

    Args:
        diagrams: Of any batch shape, with all homology dimensions (not checked).
        resolution: Number of thresholds, at least 1.
        sample_range: First and last threshold, in the filtration's unit.

    Returns:
        (*batch, resolution): one curve for all dimensions together. Dtype and device of the points.

    Raises:
        InputError: An argument of another type or out of the ranges above.

    Source: the Euler-Poincaré formula.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
        >>> d = cubical_persistence(x, homology_dimensions=(0, 1))
        >>> euler_curve(d, resolution=4, sample_range=(-1.0, 2.0))  # none, ring, ring, disk
        tensor([0., 0., 0., 1.])
    """
    check_diagrams(diagrams)
    return euler_on_grid(diagrams, curve_grid(resolution, sample_range))


def euler_on_grid(diagrams: Diagrams, grid: Tensor) -> Tensor:
    """``euler_curve`` at the thresholds of an ascending grid (k,), without its checks."""
    n = len(diagrams.homology_dimensions)
    counts = _counts(diagrams, grid).reshape(diagrams.n_samples, n, len(grid))
    curve = sum((-1) ** k * counts[:, i] for i, k in enumerate(diagrams.homology_dimensions))
    assert isinstance(curve, Tensor)
    return curve.to(diagrams.points.dtype).reshape(*diagrams.batch_shape, len(grid))


def _counts(diagrams: Diagrams, grid: Tensor) -> Tensor:
    """(blocks, k) int64: classes alive at each threshold, in the dtype of the points."""
    points, essential = diagrams.points.detach(), diagrams.essential.detach()
    birth, death = points.unbind(1)
    never = torch.full_like(essential, -torch.inf if diagrams.superlevel else torch.inf)
    n_blocks = diagrams.n_samples * len(diagrams.homology_dimensions)
    finite = block_of(diagrams, diagrams.sample, diagrams.dimension)
    infinite = block_of(diagrams, diagrams.essential_sample, diagrams.essential_dimension)
    grid, down = grid.to(points), diagrams.superlevel
    counts: Tensor = alive_counts(birth, death, finite, n_blocks, grid, down)
    if torch.compiler.is_compiling() or len(essential):
        counts += alive_counts(essential, never, infinite, n_blocks, grid, down)
    return counts


@operator
def alive_counts(
    birth: Tensor, death: Tensor, block: Tensor, n_blocks: int, grid: Tensor, superlevel: bool
) -> Tensor:
    """(n_blocks, n) int64: how many classes are alive at each threshold."""
    b, d, of, t = (array_of(x) for x in (birth, death, block, grid))
    out = np.zeros((n_blocks, len(t)), np.int64)
    count_alive(b, d, of, t, superlevel, out)
    return torch.from_numpy(out).to(birth.device)


def _fake(
    birth: Tensor, death: Tensor, block: Tensor, n_blocks: int, grid: Tensor, superlevel: bool
) -> Tensor:
    return block.new_empty(n_blocks, grid.shape[0])


torch.library.register_fake(alive_counts, _fake)
