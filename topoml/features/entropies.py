"""Persistence entropy: that of the lifetimes, and the entropy summary function."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._core.errors import InputError
from ..homology import Diagrams
from ..homology._gather import operator
from ..kernels.entropy import entropy_gradient, sum_entropy
from ..kernels.tents import find_alive, gather_steps, sum_steps
from ._blocks import block_of, from_blocks
from ._checks import check_diagrams, curve_grid
from ._rows import array_of, intervals_of, over_rows
from ._sums import block_sums

__all__ = [
    "block_entropies",
    "check_entropy",
    "entropy_of",
    "entropy_on_grid",
    "persistence_entropy",
]


def persistence_entropy(
    diagrams: Diagrams,
    *,
    mode: str = "scalar",
    normalized: bool = True,
    resolution: int | None = None,
    sample_range: tuple[float, float] | None = None,
) -> Tensor:
    r"""Entropy of the lifetimes, or where in the filtration it comes from.

    .. math:: H = -\sum_i p_i \log p_i, \qquad
              S(t) = -\sum_{i:\, b_i \le t < d_i} p_i \log p_i, \qquad
              p_i = \frac{|d_i - b_i|}{\sum_j |d_j - b_j|}

    (superlevel: :math:`d_i < t \le b_i`): H for ``mode="scalar"``, in nats, between 0 and the
    logarithm of the number of classes; S for ``mode="vector"``, divided by the sum of its values
    over the grid if ``normalized``. Zero where there is at most one class of positive lifetime.
    Essential classes are left out (give them a death with ``Diagrams.capped``), and so are those
    born at -inf (superlevel: +inf).

    Differentiable in births and deaths, any number of times: of H the derivative in a lifetime is
    :math:`-(\log p_i + H) / \sum_j |d_j - b_j|`, and **0 at a lifetime of 0**, where it would be
    infinite; of S that at a fixed set of living classes. Sums in float64 on the CPU. Sample i
    depends on sample i alone, bit for bit. Time O(P), and O(P resolution) for S.

    Args:
        diagrams: Of any batch shape.
        mode: "scalar" or "vector".
        normalized: Whether S sums to 1 over the grid; without effect on H.
        resolution: Number of values of S, at least 1; None in mode "scalar".
        sample_range: First and last value, both included, in the filtration's unit; None in mode
            "scalar".

    Returns:
        (*batch, n), or (*batch, n * resolution) in mode "vector", for n homology dimensions, in the
        order of ``diagrams.homology_dimensions``. Dtype and device of the points.

    Raises:
        InputError: An argument of another type or out of the ranges above.

    Source: Atienza, Gonzalez-Diaz, Soriano-Trigueros, Pattern Recognition 107, 2020,
        arXiv:1803.08304; as ``gudhi.representations.Entropy`` on this grid (which gives NaN for our
        zeros), and as ``gtda.diagrams.PersistenceEntropy`` times log 2 (which gives -1).

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 4.0, 1.0, 2.0, 1.0]])
        >>> d = cubical_persistence(x, homology_dimensions=(0,))  # classes (1, 2) and (1, 4)
        >>> persistence_entropy(d)  # of p = 1/4 and 3/4
        tensor([0.5623])
        >>> persistence_entropy(d, mode="vector", resolution=4, sample_range=(0, 3))
        tensor([0.0000, 0.5658, 0.2171, 0.2171])
    """
    check_diagrams(diagrams)
    grid = check_entropy(mode, normalized, resolution, sample_range)
    return entropy_of(diagrams) if grid is None else entropy_on_grid(diagrams, grid, normalized)


def check_entropy(
    mode: object, normalized: object, resolution: object, sample_range: object
) -> Tensor | None:
    """The grid of mode "vector"; None for mode "scalar"."""
    if mode not in ("scalar", "vector"):
        raise InputError(f"`mode` is {mode!r}; expected 'scalar' or 'vector'.")
    if not isinstance(normalized, bool):
        raise InputError(f"`normalized` is {normalized!r}; expected True or False.")
    if mode == "vector":
        return curve_grid(resolution, sample_range)
    for name, value in (("resolution", resolution), ("sample_range", sample_range)):
        if value is not None:
            raise InputError(
                f"`{name}` is {value!r} in mode 'scalar'; expected None. Cure: mode='vector'."
            )
    return None


def entropy_of(diagrams: Diagrams) -> Tensor:
    """``persistence_entropy`` in mode "scalar", without its checks."""
    return from_blocks(block_entropies(diagrams)[:, None].to(diagrams.points.dtype), diagrams)


def block_entropies(diagrams: Diagrams) -> Tensor:
    """(blocks,): the entropies of the lifetimes, in float32 if the points are in half precision."""
    points = diagrams.points
    if points.dtype in (torch.float16, torch.bfloat16):  # whose differences have 3 digits
        points = points.float()
    block = block_of(diagrams, diagrams.sample, diagrams.dimension)
    n_blocks = diagrams.n_samples * len(diagrams.homology_dimensions)
    values: Tensor = entropy_sums(points, block, n_blocks)
    return values


def entropy_on_grid(diagrams: Diagrams, grid: Tensor, normalized: bool) -> Tensor:
    """``persistence_entropy`` in mode "vector" on an ascending grid (k,), without its checks."""
    rows = intervals_of(diagrams)
    grid = grid.to(rows.low)
    born, dies = (rows.high, rows.low) if diagrams.superlevel else (rows.low, rows.high)
    first, last = alive_ranges(born, dies, grid, diagrams.superlevel).unbind(0)
    n = len(grid)
    terms = _terms(rows.high - rows.low, rows.block, rows.n_blocks)
    values = step_sums(terms, first, last, rows.block, rows.n_blocks, n)
    if normalized:
        row = torch.arange(rows.n_blocks, device=values.device).repeat_interleave(n)
        total = block_sums(values.flatten(), row, rows.n_blocks)[:, None]
        some = total > _least(total)
        values = (values / total.where(some, 1.0)).where(some, 0.0)
    return from_blocks(values.to(diagrams.points.dtype), diagrams)


def _terms(life: Tensor, block: Tensor, n_blocks: int) -> Tensor:
    """-p log p (P,) of each class, from finite lifetimes."""
    total = block_sums(life, block, n_blocks).index_select(0, block)
    some = (total > _least(total)) & torch.isfinite(total)
    share = life / total.where(some, 1.0)
    some = some & (share > _least(share))
    safe = share.where(some, 1.0)
    return -(safe * torch.log(safe))


def _least(x: Tensor) -> float:
    """Below it the inverse may overflow."""
    return float(2**24 * torch.finfo(x.dtype).tiny)


@operator
def entropy_sums(points: Tensor, block: Tensor, n_blocks: int) -> Tensor:
    """(n_blocks,): the entropies of the finite lifetimes of each block."""
    x, of = array_of(points), array_of(block)
    least, out = _least(points), np.zeros(n_blocks)
    over_rows(lambda p: sum_entropy(x[p], of[p], least, out), of, 32)
    return torch.from_numpy(out).to(points)


@operator
def entropy_gradients(points: Tensor, block: Tensor, entropy: Tensor, grad: Tensor) -> Tensor:
    """(P, 2): the gradient in births and deaths."""
    x, of, h, slope = (array_of(t) for t in (points, block, entropy, grad))
    least, out = _least(points), np.empty((len(of), 2))
    over_rows(lambda p: entropy_gradient(x[p], of[p], least, h, slope, out[p]), of, 32)
    return torch.from_numpy(out).to(points)


@operator
def alive_ranges(birth: Tensor, death: Tensor, grid: Tensor, superlevel: bool) -> Tensor:
    """(2, P): class i lives at grid[first : last]."""
    b, d, t = (array_of(x) for x in (birth, death, grid))
    out = np.empty((2, len(b)), np.int64)
    find_alive(b, d, t, superlevel, out[0], out[1])
    return torch.from_numpy(out).to(birth.device)


@operator
def step_sums(
    weight: Tensor, first: Tensor, last: Tensor, block: Tensor, n_blocks: int, n: int
) -> Tensor:
    """(n_blocks, n): sums of the weights of the classes that live there."""
    w, start, stop, of = (array_of(x) for x in (weight, first, last, block))
    out = np.zeros((n_blocks, n))
    over_rows(lambda p: sum_steps(w[p], start[p], stop[p], of[p], out), of, n)
    return torch.from_numpy(out).to(weight)


@operator
def step_gathers(values: Tensor, first: Tensor, last: Tensor, block: Tensor) -> Tensor:
    """(P,): sums of ``values`` (n_blocks, n) over the life of each class; the adjoint."""
    v, start, stop, of = (array_of(x) for x in (values, first, last, block))
    out = np.empty(len(of))
    over_rows(lambda p: gather_steps(v, start[p], stop[p], of[p], out[p]), of, v.shape[1])
    return torch.from_numpy(out).to(values)


def _fake_entropies(points: Tensor, block: Tensor, n_blocks: int) -> Tensor:
    return points.new_empty(n_blocks)


def _fake_gradients(points: Tensor, block: Tensor, entropy: Tensor, grad: Tensor) -> Tensor:
    return torch.empty_like(points)


def _fake_ranges(birth: Tensor, death: Tensor, grid: Tensor, superlevel: bool) -> Tensor:
    return birth.new_empty(2, birth.shape[0], dtype=torch.int64)


def _fake_sums(
    weight: Tensor, first: Tensor, last: Tensor, block: Tensor, n_blocks: int, n: int
) -> Tensor:
    return weight.new_empty(n_blocks, n)


def _fake_gathers(values: Tensor, first: Tensor, last: Tensor, block: Tensor) -> Tensor:
    return values.new_empty(first.shape[0])


def _setup_entropies(ctx: Any, inputs: Any, output: Tensor) -> None:  # noqa: ANN401
    ctx.save_for_backward(*inputs[:2], output)


def _entropies_backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
    points, block, entropy = ctx.saved_tensors
    if torch.is_grad_enabled():  # create_graph=True: a gradient that has one itself
        x = points.view_as(points).requires_grad_()
        life = (x[:, 1] - x[:, 0]).abs()
        life = life.where(torch.isfinite(life), 0.0)
        sums = block_sums(_terms(life, block, len(grad)), block, len(grad))
        (by_points,) = torch.autograd.grad(sums, x, grad, create_graph=True)
        return by_points, None, None
    return entropy_gradients(points, block, entropy, grad), None, None


def _setup(ctx: Any, inputs: Any, output: Tensor) -> None:  # noqa: ANN401
    ctx.save_for_backward(*inputs[1:4])
    ctx.shape = inputs[0].shape


def _sums_backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
    return step_gathers(grad, *ctx.saved_tensors), None, None, None, None, None


def _gathers_backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
    return step_sums(grad, *ctx.saved_tensors, *ctx.shape), None, None, None


torch.library.register_fake(entropy_sums, _fake_entropies)
torch.library.register_fake(entropy_gradients, _fake_gradients)
torch.library.register_autograd(entropy_sums, _entropies_backward, setup_context=_setup_entropies)
torch.library.register_fake(alive_ranges, _fake_ranges)
torch.library.register_fake(step_sums, _fake_sums)
torch.library.register_fake(step_gathers, _fake_gathers)
torch.library.register_autograd(step_sums, _sums_backward, setup_context=_setup)
torch.library.register_autograd(step_gathers, _gathers_backward, setup_context=_setup)
