"""Kernels: optimal matchings of two diagrams, by the sum of costs and by the largest cost."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["bottleneck_pairs", "match_pairs"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NEAR = 64  # columns of a row kept in a list
_MANY = 48  # negative gains in a row, on average, from which on all columns are looked at
_ROUNDS = 20  # of bids


def _compiled(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - numba is not typed
    return njit(cache=True, nogil=True, error_model="numpy")(function)


@_compiled
def _unit(a: Floats, b: Floats) -> float:
    """A power of 2 by which the coordinates may be divided so that no power of them overflows."""
    largest = 0.0
    for rows in (a, b):
        for i in range(len(rows)):
            largest = max(largest, abs(rows[i, 0]), abs(rows[i, 1]))
    return 2.0 ** np.ceil(np.log2(largest)) if largest > 0.0 else 1.0


@_compiled
def _cost(x: float, y: float, order: float, internal_p: float) -> float:
    """The order-th power of the p-norm of (x, y)."""
    x, y = abs(x), abs(y)
    if internal_p == np.inf:
        norm = max(x, y)
    elif internal_p == 1.0:
        norm = x + y
    elif internal_p == 2.0:
        square = x * x + y * y
        return square if order == 2.0 else np.sqrt(square) ** order
    else:
        norm = (x**internal_p + y**internal_p) ** (1.0 / internal_p)
    if order == 1.0:
        return norm
    return norm * norm if order == 2.0 else norm**order


@_compiled
def _gains(a: Floats, b: Floats, order: float, internal_p: float) -> Floats:
    """What each pair costs more than its two classes on the diagonal, (n, m)."""
    n, m = len(a), len(b)
    unit = _unit(a, b)
    to_diagonal_a, to_diagonal_b = np.empty(n), np.empty(m)
    for rows, out in ((a, to_diagonal_a), (b, to_diagonal_b)):
        for i in range(len(rows)):
            half = (rows[i, 1] - rows[i, 0]) / unit / 2.0
            out[i] = _cost(half, half, order, internal_p)
    birth, death = b[:, 0] / unit, b[:, 1] / unit
    gain = np.empty((n, m))
    for i in range(n):
        x, y, alone = a[i, 0] / unit, a[i, 1] / unit, to_diagonal_a[i]
        row = gain[i]
        for j in range(m):
            cost = _cost(x - birth[j], y - death[j], order, internal_p)
            row[j] = cost - (alone + to_diagonal_b[j])
    return gain


@_compiled
def _nearest(gain: Floats, near: Ints) -> None:
    """The columns of the least negative gains of each row, in ascending order; -1 elsewhere."""
    n, m = gain.shape
    room = near.shape[1]
    if room == 0:
        return
    near[:] = -1
    for i in range(n):
        row, columns, found = gain[i], near[i], 0
        limit = 0.0
        for j in range(m):
            if row[j] < limit:
                k = min(found, room - 1)
                while k > 0 and row[columns[k - 1]] > row[j]:
                    columns[k] = columns[k - 1]
                    k -= 1
                columns[k] = j
                found = min(found + 1, room)
                if found == room:
                    limit = row[columns[room - 1]]


@_compiled
def _bid(row: Floats, columns: Ints, price: Floats) -> tuple[float, float, int]:
    """The least and second least of row - price and 0, and the column of the least (-1 for the 0).

    As prices are <= 0, no column behind the first of ``columns`` whose gain is not below the second
    least can matter; behind a full list, any may.
    """
    best, second, at = 0.0, 0.0, -1
    for k in range(len(columns)):
        j = columns[k]
        if j < 0 or row[j] >= second:
            return best, second, at
        reduced = row[j] - price[j]
        if reduced < best:
            second, best, at = best, reduced, j
        elif reduced < second:
            second = reduced
    if len(columns) < len(row):
        best, second, at = 0.0, 0.0, -1
        for j in range(len(row)):
            reduced = row[j] - price[j]
            if reduced < best:
                second, best, at = best, reduced, j
            elif reduced < second:
                second = reduced
    return best, second, at


@_compiled
def _assign(gain: Floats, partner: Ints, owner: Ints) -> None:
    """Rows to columns, each at most once, at the least sum of ``gain``; -1 for none.

    Dual prices of the columns, <= 0 and 0 where free: a row takes the column of the least
    gain - price, or none if that is >= 0, and lowers the price until its second choice is as good;
    a row that loses its column looks again (Jonker and Volgenant's augmenting row reduction, an
    auction without increments, here of at most ``_ROUNDS``). Shortest augmenting paths place the
    rows that are left.
    """
    n, m = gain.shape
    partner[:] = -1
    owner[:] = -1
    n_negative = 0
    for i in range(n):
        for j in range(m):
            n_negative += gain[i, j] < 0.0
    is_dense = n_negative > _MANY * n
    near = np.empty((n, 0 if is_dense else min(m, _NEAR)), np.int64)
    _nearest(gain, near)
    price, u = np.zeros(m), np.zeros(n)
    waiting = np.arange(n)
    n_waiting = n
    for _ in range(_ROUNDS):
        todo = n_waiting
        n_waiting = 0
        for k in range(todo):
            i = waiting[k]
            best, second, at = _bid(gain[i], near[i], price)
            u[i] = second
            if at < 0:
                continue
            loser = owner[at]
            if loser >= 0 and not best < second:  # nothing to bid with: wait
                waiting[n_waiting] = i
                n_waiting += 1
                continue
            price[at] += best - second
            owner[at], partner[i] = i, at
            if loser >= 0:
                partner[loser] = -1
                waiting[n_waiting] = loser
                n_waiting += 1
    if is_dense:
        scratch, number = np.empty((5, m + 1)), np.empty((3, m + 1), np.int64)
        for k in range(n_waiting):
            _augment_dense(gain, waiting[k], partner, owner, u, price, scratch, number)
        return
    distance, via = np.full(m, np.inf), np.empty(m, np.int64)
    open_, settled, reached = np.empty(m, np.int64), np.empty(m, np.int64), np.empty(m)
    for k in range(n_waiting):
        _augment(
            gain, near, waiting[k], partner, owner, u, price, distance, via, open_, settled, reached
        )


@_compiled
def _augment(
    gain: Floats,
    near: Ints,
    start: int,
    partner: Ints,
    owner: Ints,
    u: Floats,
    price: Floats,
    distance: Floats,
    via: Ints,
    open_: Ints,
    settled: Ints,
    reached: Floats,
) -> None:
    """One shortest augmenting path from the row ``start``: to a free column, or to a row that goes
    without one. No path is followed beyond the shortest end found so far."""
    m, room = gain.shape[1], near.shape[1]
    bound, end, last = 0.0, -1, start  # the best end: the column, or with -1 the row without one
    n_open, n_settled = 0, 0
    i, base = start, 0.0
    while True:
        row, columns = gain[i], near[i]
        length = room
        if room < m and columns[room - 1] >= 0 and base + row[columns[room - 1]] < bound:
            length = m  # the list may be too short: all columns
        for k in range(length):
            j = k
            if length == room:
                j = columns[k]
                if j < 0 or base + row[j] >= bound:
                    break
            along = base + (row[j] - price[j])
            if along < bound and along < distance[j]:
                via[j] = i
                if owner[j] < 0:
                    bound, end = along, j
                    continue
                if distance[j] == np.inf:
                    open_[n_open] = j
                    n_open += 1
                distance[j] = along
        nearest, at = bound, -1
        for k in range(n_open):
            if distance[open_[k]] < nearest:
                nearest, at = distance[open_[k]], k
        if at < 0:
            break
        j = open_[at]
        n_open -= 1
        open_[at] = open_[n_open]
        settled[n_settled], reached[n_settled] = j, nearest
        n_settled += 1
        distance[j] = -np.inf
        i = owner[j]
        base = nearest - u[i]
        if base < bound:
            bound, end, last = base, -1, i
    for k in range(n_open):
        distance[open_[k]] = np.inf
    for k in range(n_settled):
        j = settled[k]
        distance[j] = np.inf
        u[owner[j]] += bound - reached[k]
        price[j] -= bound - reached[k]
    u[start] = bound
    if end < 0:
        end = partner[last]
        partner[last] = -1
    while end >= 0:  # the columns move up the path; the start had none
        i = via[end]
        owner[end] = i
        partner[i], end = end, partner[i]


@_compiled
def _least(x: Floats) -> tuple[float, int]:
    """The least of x and where it stands, by 8 minima side by side."""
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = np.inf
    whole = len(x) // 8 * 8
    for j in range(0, whole, 8):
        a0 = x[j] if x[j] < a0 else a0
        a1 = x[j + 1] if x[j + 1] < a1 else a1
        a2 = x[j + 2] if x[j + 2] < a2 else a2
        a3 = x[j + 3] if x[j + 3] < a3 else a3
        a4 = x[j + 4] if x[j + 4] < a4 else a4
        a5 = x[j + 5] if x[j + 5] < a5 else a5
        a6 = x[j + 6] if x[j + 6] < a6 else a6
        a7 = x[j + 7] if x[j + 7] < a7 else a7
    best, lane = a0, 0
    for k, a in enumerate((a1, a2, a3, a4, a5, a6, a7)):
        if a < best:
            best, lane = a, k + 1
    for j in range(whole, len(x)):
        if x[j] < best:
            best, lane = x[j], j
    while x[lane] != best:
        lane += 8
    return best, lane


@_compiled
def _augment_dense(
    gain: Floats,
    start: int,
    partner: Ints,
    owner: Ints,
    u: Floats,
    price: Floats,
    scratch: Floats,
    number: Ints,
) -> None:
    """As ``_augment``, over all columns at once: loops without branches, which vectorise.

    The distances go from one array to another, as a store under a condition would be slow; which
    row a column was reached from is found in the end, by the same arithmetic.

    Shapes:  scratch (5, m + 1) float, number (3, m + 1) int
    """
    m = len(price)
    distance, other, shift = scratch[0, :m], scratch[1, :m], scratch[2, :m]
    base, reached = scratch[3], scratch[4]
    scanned, settled, turn = number[0], number[1], number[2]
    for j in range(m):
        distance[j], shift[j] = np.inf, -price[j]
    bound, end, last = 0.0, -1, start  # the best end: the column, or with -1 the row without one
    scanned[0], base[0] = start, 0.0
    n = 0  # columns that are settled
    while True:
        row, first = gain[scanned[n]], base[n]
        for j in range(m):
            along = first + (row[j] + shift[j])
            other[j] = along if along < distance[j] else distance[j]
        distance, other = other, distance
        nearest, at = _least(distance)
        if nearest >= bound:
            break
        if owner[at] < 0:
            bound, end = nearest, at
            break
        settled[n], reached[n], turn[at] = at, nearest, n
        distance[at], shift[at] = np.inf, np.inf  # and so it stays
        n += 1
        scanned[n] = owner[at]
        base[n] = nearest - u[owner[at]]
        if base[n] < bound:
            bound, end, last = base[n], -1, owner[at]
    value = bound
    if end < 0:
        end = partner[last]
        partner[last] = -1
        value = reached[turn[end]] if end >= 0 else bound
    while end >= 0:  # the columns move up the path; the start had none
        k = 0
        while base[k] + (gain[scanned[k], end] - price[end]) != value:
            k += 1
        i = scanned[k]
        owner[end] = i
        partner[i], end = end, partner[i]
        value = reached[turn[end]] if end >= 0 else bound
    for k in range(n):
        price[settled[k]] -= bound - reached[k]
        u[scanned[k + 1]] += bound - reached[k]
    u[start] = bound


@_compiled
def match_pairs(
    a: Floats, b: Floats, blocks: Ints, order: float, internal_p: float, partner: Ints, owner: Ints
) -> None:
    """Match the classes of each block at the least sum of costs; -1 stands for the diagonal.

    The cost is the order-th power of the p-norm of the difference, that of the diagonal being the
    nearest point (b + d) / 2. What a block gets depends on its own classes alone, bit for bit.
    O(n m) memory, O(n^2 m) time at most; 300 classes against 300 take about 1 ms.

    Not checked here: finite coordinates.

    Shapes:  a (P, 2), b (Q, 2) · blocks (B, 6): rows of a from, to; rows of b from, to; where the
             block begins in partner and in owner · partner, owner: the row within the block's rows
             of the other diagram, for each row of a and of b.
    Source:  Jonker and Volgenant, Computing 38, 325 (1987), with a choice of no column for a row.
    """
    for k in range(len(blocks)):
        i, i_end, j, j_end, to_a, to_b = blocks[k]
        gain = _gains(a[i:i_end], b[j:j_end], order, internal_p)
        _assign(gain, partner[to_a : to_a + i_end - i], owner[to_b : to_b + j_end - j])


@_compiled
def _cover(a: Floats, b: Floats) -> tuple[float, int, int]:
    """The least threshold at which each row of ``a`` has a row of ``b`` or the diagonal to meet.

    Returns: the threshold, and the rows of a and of b (-1: the diagonal) at that distance; -1.0 and
    rows -1 without a class.
    """
    n, m = len(a), len(b)
    alone = np.abs(a[:, 1] - a[:, 0]) / 2.0
    partner, owner = np.full(n, -1), np.full(m, -1)
    distance, via, left = np.empty(m), np.empty(m, np.int64), np.empty(m, np.int64)
    threshold, first, second = -1.0, -1, -1
    for start in np.argsort(-alone):
        if alone[start] <= threshold:  # and so for all that follow
            break
        least, last = alone[start], start
        for j in range(m):
            distance[j] = max(abs(a[start, 0] - b[j, 0]), abs(a[start, 1] - b[j, 1]))
            via[j] = start
            left[j] = j
        end = -1
        settled = 0
        while least > threshold:
            nearest, at = least, -1
            for k in range(settled, m):
                j = left[k]
                if distance[j] < nearest or (distance[j] <= threshold and owner[j] < 0):
                    nearest, at = distance[j], k
                    if nearest <= threshold and owner[j] < 0:
                        break
            if at < 0:
                break
            j = left[at]
            if owner[j] < 0:
                end = j
                break
            left[at], left[settled] = left[settled], j
            settled += 1
            i = owner[j]
            if max(nearest, alone[i]) < least:
                least, last = max(nearest, alone[i]), i
            for k in range(settled, m):
                c = left[k]
                length = max(nearest, abs(a[i, 0] - b[c, 0]), abs(a[i, 1] - b[c, 1]))
                if length < distance[c]:
                    distance[c] = length
                    via[c] = i
        if end < 0:
            if least > threshold and alone[last] == least:
                threshold, first, second = least, last, -1
            end = partner[last]
            partner[last] = -1
        while end >= 0:
            i = via[end]
            length = max(abs(a[i, 0] - b[end, 0]), abs(a[i, 1] - b[end, 1]))
            if length > threshold:
                threshold, first, second = length, i, end
            owner[end] = i
            partner[i], end = end, partner[i]
    return threshold, first, second


@_compiled
def bottleneck_pairs(a: Floats, b: Floats, blocks: Ints, row: Ints) -> None:
    """The two rows of each block whose distance in the sup-norm is the bottleneck distance.

    All rows of one side can be covered within t, and all of the other: then both can at once
    (Mendelsohn and Dulmage), so that the distance is the larger of the two thresholds. Exact: a
    difference of two coordinates or half of one. O(n + m) memory.

    Shapes:  a (P, 2), b (Q, 2) · blocks (B, 4 or more): rows of a from, to; rows of b from, to ·
             row (B, 2): rows of a and b; -1 for the diagonal, both for empty diagrams.
    """
    for k in range(len(blocks)):
        i, i_end, j, j_end = blocks[k, :4]
        value, first, second = _cover(a[i:i_end], b[j:j_end])
        other, second_b, first_b = _cover(b[j:j_end], a[i:i_end])
        if other > value:
            first, second = first_b, second_b
        row[k, 0] = i + first if first >= 0 else -1
        row[k, 1] = j + second if second >= 0 else -1
