"""The classes as rows for a kernel: plain arrays, intervals, cut into parts for threads."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..homology import Diagrams
from ..kernels.batch import thread_pool
from ._blocks import block_of

__all__ = ["Intervals", "array_of", "intervals_of", "over_rows", "rows_at"]

_A_THREAD = 2**22  # pixels that are worth one more


class Intervals(NamedTuple):
    """Classes of finite length, in float32 if the points are in half precision.

    ``low`` <= ``high`` (P,): [birth, death], superlevel [death, birth]; ``block`` (P,) int64 in
    runs, and ``n_blocks``. ``near`` (P,) is True but for stand-ins at [0, 0], which are there under
    a compiler alone: it wants no shapes that depend on values.
    """

    low: Tensor
    high: Tensor
    block: Tensor
    n_blocks: int
    near: Tensor


def intervals_of(diagrams: Diagrams) -> Intervals:
    """The intervals of the finite classes, and where they go."""
    points = diagrams.points
    if points.dtype in (torch.float16, torch.bfloat16):  # whose differences have 3 digits
        points = points.float()
    low, high = points.flip(1).unbind(1) if diagrams.superlevel else points.unbind(1)
    block = block_of(diagrams, diagrams.sample, diagrams.dimension)
    n_blocks = diagrams.n_samples * len(diagrams.homology_dimensions)
    length = (high - low).detach()
    near = torch.ones((), dtype=torch.bool, device=length.device).expand(length.shape)
    if torch.compiler.is_compiling():
        near = torch.isfinite(length)
        low, high = low.where(near, 0.0), high.where(near, 0.0)
    elif not math.isfinite(float(length.sum())):  # one of them is not, or the sum alone
        near = torch.isfinite(length)
        low, high, block, near = low[near], high[near], block[near], near[near]
    return Intervals(low, high, block, n_blocks, near)


def array_of(x: Tensor) -> NDArray[Any]:
    """float64 or int64 on the CPU, contiguous."""
    dtype = torch.float64 if x.is_floating_point() else torch.int64
    return x.detach().to("cpu", dtype).contiguous().numpy()


def over_rows(kernel: Callable[[slice], None], block: NDArray[np.int64], pixels: int) -> None:
    """Run ``kernel`` over all rows, cut where the block changes, on threads if there is enough."""
    n_threads = min(torch.get_num_threads(), 1 + len(block) * pixels // _A_THREAD)
    if n_threads == 1:
        kernel(slice(0, len(block)))
        return
    cuts = np.append(np.flatnonzero(np.diff(block)) + 1, len(block))
    even = np.arange(1, n_threads + 1) * len(block) // n_threads
    ends = [0, *cuts[np.searchsorted(cuts, even)].tolist()]
    for _ in thread_pool(n_threads).map(kernel, map(slice, ends[:-1], ends[1:])):
        pass


def rows_at(values: Tensor, row: Tensor) -> Tensor:
    """values[row] for ``values`` (P,); 0 at rows of -1. Differentiable."""
    padded = torch.cat([values, values.new_zeros(1)])
    at = row.where(row >= 0, len(values)).reshape(-1)
    return padded.index_select(0, at).reshape(row.shape)
