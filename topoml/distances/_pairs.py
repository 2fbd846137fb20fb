"""Pairs of diagrams: their classes in blocks, one block a pair of samples and a dimension."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._core.errors import InputError
from ..homology import Diagrams
from ..kernels.batch import thread_pool
from ._checks import check_two

__all__ = [
    "Differences",
    "Pairs",
    "Side",
    "all_pairs",
    "differences",
    "on_threads",
    "pairs_of",
    "ranges",
]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_KINDS = 3  # of classes with an infinite value: (x, inf), (-inf, x), (-inf, inf)


@dataclass(frozen=True)
class Side:
    """The classes of one batch, sorted by block = sample * n_dimensions + dimension.

    Args:
        diagrams: The batch.
        values: (2 P + E,) births and deaths row by row, then essential births; float64 on the CPU,
            with the gradient.
        points: (F, 2) float64, the classes of two finite values.
        row: (F,) their rows in ``diagrams.points``.
        start: (blocks + 1,) where each block begins in ``points``.
        line: (L,) where in ``values`` the finite value of a class with an infinite one stands,
            sorted by it within a block and kind (above); of the last kind the entry of any.
        line_start: (3 blocks + 1,) where each block and kind begins in ``line``.
    """

    diagrams: Diagrams
    values: Tensor
    points: Floats
    row: Ints
    start: Ints
    line: Ints
    line_start: Ints


@dataclass(frozen=True)
class Pairs:
    """Samples of ``a`` and of ``b`` (Q,) to be compared, in an array of pairs of ``shape``."""

    a: Side
    b: Side
    of_a: Ints
    of_b: Ints
    shape: torch.Size

    @property
    def n_dimensions(self) -> int:
        return len(self.a.diagrams.homology_dimensions)

    def blocks(self) -> Ints:
        """(Q n, 6): rows of a from, to; rows of b from, to; rows of a and of b before the block."""
        number = np.arange(self.n_dimensions)
        i = (self.of_a[:, None] * self.n_dimensions + number).reshape(-1)
        j = (self.of_b[:, None] * self.n_dimensions + number).reshape(-1)
        table = np.empty((len(i), 6), np.int64)
        table[:, 0], table[:, 1] = self.a.start[i], self.a.start[i + 1]
        table[:, 2], table[:, 3] = self.b.start[j], self.b.start[j + 1]
        for column in (0, 2):
            count = table[:, column + 1] - table[:, column]
            table[:, 4 + column // 2] = np.cumsum(count) - count
        return table

    def lines(self) -> tuple[Ints, Ints, Ints, NDArray[np.bool_]]:
        """Classes of one infinite value, matched in their order: entries of a, of b, their pair.

        The last array (Q,) tells the pairs that have not as many of each kind on both sides.
        """
        width = _KINDS * self.n_dimensions
        number = np.arange(width)
        i = (self.of_a[:, None] * width + number).reshape(-1)
        j = (self.of_b[:, None] * width + number).reshape(-1)
        count = np.diff(self.a.line_start)[i]
        unequal = (count != np.diff(self.b.line_start)[j]).reshape(-1, width).any(1)
        pair = np.repeat(np.arange(len(self.of_a)), width)
        taken = (~unequal)[pair] & (np.tile(number, len(self.of_a)) % _KINDS < 2)
        count = count[taken]
        first, second = self.a.line_start[i[taken]], self.b.line_start[j[taken]]
        return (
            self.a.line[ranges(first, count)],
            self.b.line[ranges(second, count)],
            np.repeat(pair[taken], count),
            unequal,
        )

    def part(self, begin: int, end: int) -> "Pairs":
        """Some of the pairs, in a row."""
        of_a, of_b = self.of_a[begin:end], self.of_b[begin:end]
        return replace(self, of_a=of_a, of_b=of_b, shape=torch.Size((len(of_a),)))

    def result(self, values: Tensor) -> Tensor:
        """(Q,) of float64 on the CPU as (*shape), in the dtype and on the device of the points."""
        points = self.a.diagrams.points
        return values.to(points.device, points.dtype).reshape(self.shape)


def pairs_of(a: "Diagrams | Pairs", b: "Diagrams | Pairs") -> Pairs:
    """The samples of two batches whose shapes broadcast; pairs already made pass through."""
    if isinstance(a, Pairs):
        return a
    check_two(a, b)
    assert isinstance(b, Diagrams)
    try:
        shape = torch.Size(np.broadcast_shapes(a.batch_shape, b.batch_shape))
    except ValueError:
        raise InputError(
            f"`a` and `b` have batch shapes {tuple(a.batch_shape)} and {tuple(b.batch_shape)};"
            " expected shapes that broadcast. Cure: pairwise(a, b) for all pairs of two batches."
        ) from None
    of_a, of_b = (
        np.broadcast_to(np.arange(d.n_samples).reshape(d.batch_shape), shape).reshape(-1)
        for d in (a, b)
    )
    first = _side("a", a)
    return Pairs(first, first if b is a else _side("b", b), of_a, of_b, shape)


def all_pairs(a: Diagrams, b: Diagrams) -> Pairs:
    """Every sample of a (n,) with every one of b (m,), row by row; with b = a those of i <= j."""
    check_two(a, b)
    first = _side("a", a)
    if b is a:
        of_a, of_b = np.triu_indices(len(a))
        return Pairs(first, first, of_a, of_b, torch.Size((len(of_a),)))
    of_a, of_b = np.indices((len(a), len(b))).reshape(2, -1)
    return Pairs(first, _side("b", b), of_a, of_b, torch.Size((len(of_a),)))


def _side(name: str, d: Diagrams) -> Side:
    values = d.points.reshape(-1)
    if len(d.essential):
        values = torch.cat([values, d.essential])
    values = values.to("cpu", torch.float64)
    host = values.detach().numpy()
    if np.isnan(host).any():
        raise InputError(f"`{name}` has births or deaths that are NaN; expected numbers.")
    position = np.zeros(max(d.homology_dimensions) + 1, np.int64)
    position[sorted(d.homology_dimensions)] = np.arange(len(d.homology_dimensions))
    n_blocks = d.n_samples * len(d.homology_dimensions)

    def block_of(sample: Tensor, dimension: Tensor) -> Ints:
        within: Ints = position[dimension.cpu().numpy()]
        return sample.cpu().numpy() * len(d.homology_dimensions) + within

    block = block_of(d.sample, d.dimension)
    n = len(block)
    points = host[: 2 * n].reshape(n, 2)
    finite = np.isfinite(points)
    both = finite[:, 0] & finite[:, 1]
    row = np.flatnonzero(both)
    start = np.searchsorted(block[row], np.arange(n_blocks + 1))
    odd = np.flatnonzero(~both)
    odd = odd[points[odd, 0] != points[odd, 1]]
    born, dies = finite[odd].T
    essential = block_of(d.essential_sample, d.essential_dimension)
    born_e = np.isfinite(host[2 * n :])
    kind = np.concatenate([np.where(born, 0, np.where(dies, 1, 2)), np.where(born_e, 0, 2)])
    entry = np.concatenate([2 * odd + dies, 2 * n + np.arange(len(essential))])
    key = _KINDS * np.concatenate([block[odd], essential]) + kind
    order = np.lexsort((host[entry], key))
    line_start = np.searchsorted(key[order], np.arange(_KINDS * n_blocks + 1))
    return Side(d, values, points[row], row, start, entry[order], line_start)


@dataclass(frozen=True)
class Differences:
    """What is matched to what: (N,) differences of births and of deaths, and the pair of samples.

    A class on the diagonal differs by half its lifetime in both.
    """

    x: Tensor
    y: Tensor
    pair: Tensor


def differences(
    pairs: Pairs,
    matched: tuple[Ints, Ints, Ints],
    alone: tuple[Ints, Ints],
    alone_b: tuple[Ints, Ints],
    lines: tuple[Ints, Ints, Ints],
) -> Differences:
    """Rows of a, rows of b and pair of the ``matched`` classes; row and pair of those of a and of b
    on the diagonal; entries of a, entries of b and pair of those with an infinite value."""

    def taken(side: Side, entry: Ints) -> Tensor:
        return side.values.index_select(0, torch.from_numpy(entry))

    def both(side: Side, row: Ints) -> tuple[Tensor, Tensor]:
        at = 2 * side.row[row]
        return taken(side, at), taken(side, at + 1)

    birth, death = both(pairs.a, matched[0])
    birth_b, death_b = both(pairs.b, matched[1])
    halves = []
    for side, (row, _) in ((pairs.a, alone), (pairs.b, alone_b)):
        x, y = both(side, row)
        halves.append((y - x) / 2)
    line = taken(pairs.a, lines[0]) - taken(pairs.b, lines[1])
    pair = np.concatenate([matched[2], alone[1], alone_b[1], lines[2]])
    return Differences(
        x=torch.cat([birth - birth_b, *halves, line]),
        y=torch.cat([death - death_b, *halves, torch.zeros_like(line)]),
        pair=torch.from_numpy(pair),
    )


def ranges(start: Ints, count: Ints) -> Ints:
    """start[0], start[0] + 1, ... (count[0] of them), start[1], ..., one after the other."""
    before = np.cumsum(count) - count
    rows: Ints = np.arange(count.sum())
    rows += np.repeat(start - before, count)
    return rows


def on_threads(kernel: Callable[[slice], Any], work: Ints) -> None:
    """Run ``kernel`` over all rows of a table, in parts of even ``work`` on threads if it is worth
    it: from 2**15 units of about a nanosecond to a few."""
    done = np.cumsum(work)
    total = int(done[-1]) if len(done) else 0
    n_threads = min(torch.get_num_threads(), 1 + total // 2**15, len(work))
    if n_threads <= 1:
        kernel(slice(None))
        return
    n_parts = 8 * n_threads
    even = (np.arange(1, n_parts) * (total / n_parts)).astype(np.int64)
    ends = np.unique([0, *np.searchsorted(done, even, side="right"), len(work)]).tolist()
    for _ in thread_pool(n_threads).map(kernel, map(slice, ends[:-1], ends[1:])):
        pass
