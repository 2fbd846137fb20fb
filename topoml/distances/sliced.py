"""Sliced Wasserstein distances and their kernel."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..homology import Diagrams
from ..kernels.batch import thread_pool
from ..kernels.sliced import (
    project,
    sort_middles,
    sum_lines,
    transport_gradient,
    transport_on_line,
)
from ._checks import check_bandwidth, check_num_directions
from ._elementwise import decay
from ._pairs import Pairs, Side, pairs_of

__all__ = ["sliced_distance", "sliced_wasserstein", "sliced_wasserstein_kernel"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_PARTS = 8  # of the directions, summed one by one, so that threads cannot change the rounding


def sliced_wasserstein(
    a: Diagrams, b: Diagrams, *, num_directions: int = 10, keep_essential_parts: bool = True
) -> Tensor:
    r"""Sliced Wasserstein distance: transport along lines, the mean over their directions.

    .. math:: SW(a, b) = \frac{1}{M - 1} \sum_{m=0}^{M-2} \sum_k \int
              |F_m^{a_k}(t) - F_m^{b_k}(t)| \, dt, \quad \theta_m = -\frac{\pi}{2} + \frac{m \pi}{M}

    with :math:`F_m^a(t)` the number of points of a less that of their nearest points on the
    diagonal whose projection :math:`x \cos\theta_m + y \sin\theta_m` is at most t; the integral is
    the cost :math:`W_1` on the line of moving the points of a and the diagonal points of b to those
    of b and the diagonal points of a. As in gudhi, the last of the M = ``num_directions``
    directions is left out. **Summed over the homology dimensions k.** Essential classes are matched
    in the order of their births and add \|birth - birth'\| (gudhi refuses them); where their
    numbers differ in a dimension, the distance is inf.

    In float64 on the CPU (points on another device pass through it), on
    ``torch.get_num_threads()`` threads over the directions: O((n + m) M) time for a pair and
    O(n log(n) M) for a diagram, O(n + m) memory. Entry i depends on the diagrams i alone, bit for
    bit.

    Differentiable once in births and deaths of both. Piecewise linear: where projections coincide
    each takes the mean of its one-sided derivatives, so that the gradient is finite everywhere, 0
    at identical diagrams and where the distance is inf.

    Args:
        a: Diagrams of any batch shape.
        b: Diagrams of the same homology dimensions and direction; batch shapes broadcast.
        num_directions: M, at least 2.
        keep_essential_parts: False compares the classes of two finite values alone.

    Returns:
        (*batch,), in the filtration's unit, of the dtype and device of the points.

    Raises:
        InputError: Diagrams that cannot be compared; NaNs; ``num_directions`` below 2.

    Source: Carriere et al., ICML 2017, arXiv:1706.03358; for one dimension without essential
        classes equal to ``gudhi.representations.SlicedWassersteinDistance``.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 3.0, 1.0], [0.0, 4.0, 1.0]])[:, None]
        >>> d = cubical_persistence(x, homology_dimensions=(0,))
        >>> sliced_wasserstein(d[0], d, num_directions=2)  # one line: that of the deaths
        tensor([0.0000, 1.5000])
    """
    n = check_num_directions(num_directions)
    pairs = pairs_of(a, b)
    distance, infinite = sliced_distance(pairs, n, keep_essential_parts)
    return pairs.result(distance.masked_fill(infinite, math.inf))


def sliced_wasserstein_kernel(
    a: Diagrams,
    b: Diagrams,
    *,
    num_directions: int = 10,
    bandwidth: float = 1.0,
    keep_essential_parts: bool = True,
) -> Tensor:
    r"""Positive definite kernel :math:`\exp(-SW(a, b) / \sigma)` of ``sliced_wasserstein``.

    0 where the distance is inf. For a Gram matrix: ``pairwise``.

    Args:
        a: Diagrams of any batch shape.
        b: Diagrams of the same homology dimensions and direction; batch shapes broadcast.
        num_directions: As in ``sliced_wasserstein``.
        bandwidth: :math:`\sigma`, in the filtration's unit, > 0.
        keep_essential_parts: As in ``sliced_wasserstein``.

    Returns:
        (*batch,), in [0, 1], of the dtype and device of the points; differentiable once.

    Raises:
        InputError: As ``sliced_wasserstein``; a ``bandwidth`` that is not above 0.

    Source: Carriere et al., ICML 2017, arXiv:1706.03358, with :math:`2 \sigma^2` for its
        denominator; equal to ``gudhi.representations.SlicedWassersteinKernel``.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> d = cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,))
        >>> sliced_wasserstein_kernel(d, d)
        tensor(1.)
    """
    n, bandwidth = check_num_directions(num_directions), check_bandwidth("bandwidth", bandwidth)
    pairs = pairs_of(a, b)
    distance, infinite = sliced_distance(pairs, n, keep_essential_parts)
    return pairs.result(decay(distance / bandwidth).masked_fill(infinite, 0.0))


def sliced_distance(
    pairs: Pairs, num_directions: int, keep_essential_parts: bool
) -> tuple[Tensor, Tensor]:
    """Distances (Q,) and whether they are infinite (Q,)."""
    theta = np.linspace(-np.pi / 2, np.pi / 2, num_directions, endpoint=False)[:-1]
    directions = np.stack([np.cos(theta), np.sin(theta)], 1)
    distance: Tensor = _Sliced.apply(  # type: ignore[no-untyped-call]
        pairs.a.values, pairs.b.values, pairs, directions
    )
    first, second, of_line, unequal = pairs.lines()
    if not keep_essential_parts:
        return distance, torch.zeros(len(unequal), dtype=torch.bool)
    line = (
        pairs.a.values.index_select(0, torch.from_numpy(first))
        - pairs.b.values.index_select(0, torch.from_numpy(second))
    ).abs()
    return distance.index_add(0, torch.from_numpy(of_line), line), torch.from_numpy(unequal)


class _Projected:
    """The places of ``project`` for one side and direction after the other, in arrays of one."""

    def __init__(self, side: Side, middle: Floats, middle_rank: Ints) -> None:
        self.side, self.middle, self.middle_rank = side, middle, middle_rank
        self.rank = np.arange(len(side.points)) - np.repeat(side.start[:-1], np.diff(side.start))
        length = 2 * len(side.points) + len(side.start) - 1
        self.place, self.level = np.empty(length), np.empty(length)
        self.slot = np.empty(length, np.int64)

    def along(self, cosine: float, sine: float) -> None:
        project(
            self.side.points, self.side.start, self.middle, self.middle_rank, cosine, sine,
            self.rank, self.place, self.level, self.slot,
        )  # fmt: skip


def _middles(side: Side) -> tuple[Floats, Ints]:
    """What ``sort_middles`` finds."""
    middle, rank = np.empty(len(side.points)), np.empty(len(side.points), np.int64)
    sort_middles(side.points, side.start, middle, rank)
    return middle, rank


def _over_directions(
    pairs: Pairs,
    directions: Floats,
    places: Ints,
    work: Any,  # noqa: ANN401
) -> list[Any]:
    """``work(directions, projected a, projected b)`` for each part of the directions, in order."""

    middles = [_middles(side) for side in ([pairs.a] if pairs.b is pairs.a else [pairs.a, pairs.b])]

    def one(part: Floats) -> Any:  # noqa: ANN401
        a = _Projected(pairs.a, *middles[0])
        return work(part, a, a if pairs.b is pairs.a else _Projected(pairs.b, *middles[1]))

    parts = np.array_split(directions, min(_PARTS, len(directions)))
    steps = len(directions) * int((places[:, 1::2] - places[:, ::2]).sum())
    n_threads = min(torch.get_num_threads(), 1 + steps // 2**17)
    if n_threads == 1:
        return [one(part) for part in parts]
    return list(thread_pool(n_threads).map(one, parts))


def _places(pairs: Pairs) -> tuple[Ints, Ints]:
    """(R, 4): the places of blocks of a from, to its inf, and of b; and which of the Q n blocks
    these are (R,): all but those that are compared with themselves."""
    number = np.arange(pairs.n_dimensions)
    columns = []
    for side, sample in ((pairs.a, pairs.of_a), (pairs.b, pairs.of_b)):
        block = (sample[:, None] * pairs.n_dimensions + number).reshape(-1)
        columns += [2 * side.start[block] + block, 2 * side.start[block + 1] + block]
    places = np.stack(columns, 1)
    if pairs.b is not pairs.a:
        return places, np.arange(len(places))
    others = np.flatnonzero(places[:, 0] != places[:, 2])
    return places[others], others


class _Sliced(torch.autograd.Function):
    """Distances (Q,) of the finite classes."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        values: Tensor,
        values_b: Tensor,
        pairs: Pairs,
        directions: Floats,
    ) -> Tensor:
        ctx.pairs, ctx.directions = pairs, directions
        ctx.n_values = len(values), len(values_b)
        places, block = _places(pairs)

        def work(part: Floats, a: _Projected, b: _Projected) -> Floats:
            total, cost = np.zeros(len(places)), np.empty(len(places))
            for cosine, sine in part:
                a.along(cosine, sine)
                if b is not a:
                    b.along(cosine, sine)
                transport_on_line(a.place, a.level, b.place, b.level, places, cost)
                total += cost
            return total

        total = np.zeros(len(pairs.of_a) * pairs.n_dimensions)
        for of_part in _over_directions(pairs, directions, places, work):
            total[block] += of_part
        distance = np.zeros(len(pairs.of_a))
        for of_dimension in total.reshape(-1, pairs.n_dimensions).T:
            distance += of_dimension
        return torch.from_numpy(distance / len(directions))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
        pairs: Pairs = ctx.pairs
        places, block = _places(pairs)
        weight = (grad.numpy() / len(ctx.directions))[block // pairs.n_dimensions]

        def work(part: Floats, a: _Projected, b: _Projected) -> list[Floats]:
            sides = [a] if b is a else [a, b]
            out = [np.zeros_like(side.side.points) for side in sides]
            for cosine, sine in part:
                by_place = [np.zeros_like(side.place) for side in sides]
                for side in sides:
                    side.along(cosine, sine)
                transport_gradient(
                    a.place, a.level, b.place, b.level, places, weight, by_place[0], by_place[-1]
                )
                for side, by, points in zip(sides, by_place, out, strict=True):
                    sum_lines(side.side.start, side.slot, cosine, sine, by, points)
            return out

        parts = _over_directions(pairs, ctx.directions, places, work)
        grads: list[Tensor | None] = []
        for k, side in enumerate([pairs.a] if pairs.b is pairs.a else [pairs.a, pairs.b]):
            total = np.zeros_like(side.points)
            for of_part in parts:
                total += of_part[k]
            out = np.zeros((ctx.n_values[k] // 2 + 1, 2))
            out[side.row] = total
            grads.append(torch.from_numpy(out.reshape(-1)[: ctx.n_values[k]]))
        return (grads[0], grads[1] if len(grads) > 1 else None, None, None)
