"""Persistence silhouettes."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._core.errors import InputError
from ..homology import Diagrams
from ..homology._gather import operator
from ..kernels.tents import sum_tents, tents_gradient
from ._blocks import from_blocks
from ._checks import Weight, check_diagrams, check_power, check_weight, curve_grid
from ._rows import Intervals, array_of, intervals_of, over_rows
from ._sums import block_sums
from .images import weights_of

__all__ = ["check_weighting", "silhouette", "silhouette_on_grid"]


def silhouette(
    diagrams: Diagrams,
    *,
    resolution: int,
    sample_range: tuple[float, float],
    power: float | None = None,
    weight: Weight | None = None,
) -> Tensor:
    r"""Weighted mean of the tents over the classes, at evenly spaced values of the filtration.

    .. math:: \phi(t) = \frac{\sum_i w_i \max(0, \min(t - b_i, d_i - t))}{\sum_i w_i},
              \qquad w_i = |d_i - b_i|^p

    (superlevel: of the intervals :math:`[d_i, b_i]`). A class of lifetime :math:`\ell` is a tent of
    height :math:`\ell / 2`, as in giotto-tda; **gudhi's values are these times** :math:`\sqrt 2`.
    Zero where the weights sum to zero. Essential classes are left out (give them a death with
    ``Diagrams.capped``), and so are those born at -inf (superlevel: +inf).

    Differentiable in births, deaths and weights, with finite gradients everywhere: half the slope
    of either side at the peak of a tent, 0 at its feet, and 0 for the weight of a lifetime of 0
    (the second derivative takes memory O(P resolution)). The sums run in float64 on the CPU, on
    ``torch.get_num_threads()`` threads (points on another device pass through it). Sample i depends
    on sample i alone, bit for bit. Time O(P resolution) at most, memory that of the result.

    Args:
        diagrams: Of any batch shape.
        resolution: Number of values, at least 1.
        sample_range: First and last value, both included, in the filtration's unit.
        power: Exponent p > 0 of the lifetime, 1 if None; not together with ``weight``.
        weight: A callable (birth, lifetime) -> weights of one diagram, as in
            ``persistence_image``; in place of the power of the lifetime.

    Returns:
        (*batch, n * resolution) for n homology dimensions: one silhouette a dimension, in the order
        of ``diagrams.homology_dimensions``; zeros where a sample has no class. Dtype and device of
        the points.

    Raises:
        InputError: An argument of another type or out of the ranges above; both ``power`` and
            ``weight``; a ``weight`` whose result is no float tensor of the shape of its arguments.

    Source: Chazal et al., SoCG 2014, arXiv:1312.0308; as ``gtda.diagrams.Silhouette``, and as
        ``gudhi.representations.Silhouette`` over :math:`\sqrt 2`, on this grid and with this weight
        (theirs are power 1 and weight 1).

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 4.0, 1.0, 2.0, 1.0]])
        >>> d = cubical_persistence(x, homology_dimensions=(0,))  # classes (1, 2) and (1, 4)
        >>> silhouette(d, resolution=5, sample_range=(1, 3))  # at 1, 1.5, 2, 2.5, 3
        tensor([0.0000, 0.5000, 0.7500, 1.1250, 0.7500])
    """
    check_diagrams(diagrams)
    check_weighting(power, weight)
    return silhouette_on_grid(diagrams, curve_grid(resolution, sample_range), power, weight)


def check_weighting(power: float | None, weight: Weight | None) -> None:
    """At most one of them, in its range."""
    check_weight(weight)
    if power is not None:
        check_power(power)
        if weight is not None:
            raise InputError(
                f"`power` is {power!r} beside a weight; expected one of the two. Cure: put the"
                " power into the weight."
            )


def silhouette_on_grid(
    diagrams: Diagrams, grid: Tensor, power: float | None, weight: Weight | None
) -> Tensor:
    """``silhouette`` on an ascending grid (k,), without its checks."""
    rows = intervals_of(diagrams)
    low, high, block, n_blocks, near = rows
    if weight is None:
        weights = _powers(rows, 1.0 if power is None else float(power))
    else:
        birth = high if diagrams.superlevel else low
        weights = weights_of(weight, birth, high - low, block).where(near, 0.0)
    total = block_sums(weights, block, n_blocks)[:, None]
    some = total != 0
    sums = tent_sums(low, high, weights, block, n_blocks, grid.to(low))
    values = (sums / total.where(some, 1.0)).where(some, 0.0)
    return from_blocks(values.to(diagrams.points.dtype), diagrams)


def _powers(rows: Intervals, power: float) -> Tensor:
    """Lifetimes over the longest one of the block, to a power: the same silhouette, no overflow."""
    low, high, block, n_blocks, _ = rows
    life = high - low
    longest = life.new_zeros(n_blocks).scatter_reduce(0, block, life.detach(), "amax")[block]
    ratio = life / longest.where(longest > 2**24 * torch.finfo(life.dtype).tiny, 1.0)
    if power == 1:
        return ratio
    some = ratio > 2**24 * torch.finfo(life.dtype).tiny  # below, the derivative may overflow
    # not `pow`, whose bits depend on where in a tensor an entry stands
    return torch.exp(power * torch.log(ratio.where(some, 1.0))).where(some, 0.0)


@operator
def tent_sums(
    low: Tensor, high: Tensor, weight: Tensor, block: Tensor, n_blocks: int, grid: Tensor
) -> Tensor:
    """(n_blocks, n): the weighted sums of the tents of each block."""
    a, b, w, of, t = (array_of(x) for x in (low, high, weight, block, grid))
    out = np.zeros((n_blocks, len(t)))
    over_rows(lambda p: sum_tents(a[p], b[p], w[p], of[p], t, out), of, len(t))
    return torch.from_numpy(out).to(low)


@operator
def tent_gradients(
    low: Tensor, high: Tensor, weight: Tensor, block: Tensor, grid: Tensor, grad: Tensor
) -> Tensor:
    """(3, P): the gradients in low, high and weight."""
    a, b, w, of, t = (array_of(x) for x in (low, high, weight, block, grid))
    slopes, out = array_of(grad), np.empty((3, len(of)))
    over_rows(lambda p: tents_gradient(a[p], b[p], w[p], of[p], t, slopes, out[:, p]), of, len(t))
    return torch.from_numpy(out).to(low)


def _fake_sums(
    low: Tensor, high: Tensor, weight: Tensor, block: Tensor, n_blocks: int, grid: Tensor
) -> Tensor:
    return low.new_empty(n_blocks, grid.shape[0])


def _fake_gradients(
    low: Tensor, high: Tensor, weight: Tensor, block: Tensor, grid: Tensor, grad: Tensor
) -> Tensor:
    return low.new_empty(3, low.shape[0])


def _setup(ctx: Any, inputs: Any, output: Tensor) -> None:  # noqa: ANN401
    low, high, weight, block, _, grid = inputs
    ctx.save_for_backward(low, high, weight, block, grid)


def _backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
    *inputs, block, grid = ctx.saved_tensors
    if torch.is_grad_enabled():  # create_graph=True: a gradient that has one itself
        views = [x.view_as(x).requires_grad_() for x in inputs]  # two may be one tensor
        low, high, weight = views
        sums = _composed(low, high, weight, block, len(grad), grid)
        grads = torch.autograd.grad(sums, views, grad, create_graph=True)
    else:
        grads = tent_gradients(*inputs, block, grid, grad).unbind(0)
    return *grads, None, None, None


def _composed(
    low: Tensor, high: Tensor, weight: Tensor, block: Tensor, n_blocks: int, grid: Tensor
) -> Tensor:
    """The sums by torch's own operations, in memory O(P n)."""
    tents = torch.minimum(grid - low[:, None], high[:, None] - grid).relu()
    return tents.new_zeros(n_blocks, len(grid)).index_add(0, block, weight[:, None] * tents)


torch.library.register_fake(tent_sums, _fake_sums)
torch.library.register_fake(tent_gradients, _fake_gradients)
torch.library.register_autograd(tent_sums, _backward, setup_context=_setup)
