"""Edges between points: their values, the short ones of them in order, and checks of a matrix."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .radix import sort_by_value

__all__ = [
    "count_edges",
    "edge_gradient",
    "edge_values",
    "enclosing_radius",
    "farther_of",
    "matrix_fault",
    "mirrored",
    "rank_matrix",
    "ranked_pairs",
    "sorted_edges",
]

Array = NDArray[Any]


@njit(cache=True, nogil=True)
def farther_of(
    value: Array, weight: Array, heavy: float, first: int, last: int, single: bool
) -> None:
    """Turn distances to a vertex of weight ``heavy`` into values of weighted Rips edges.

    max(2 v, 2 w, d + v + w) on ``value[first:last]``; an empty ``weight`` stands for none.
    ``single`` rounds to float32.
    """
    if weight.size:
        for k in range(first, last):
            v = weight[k]
            value[k] = max(value[k] + (v + heavy), 2 * max(v, heavy))
    if single:
        for k in range(first, last):
            value[k] = np.float64(np.float32(value[k]))


@njit(cache=True, nogil=True)
def edge_values(
    x: Array,
    weight: Array,
    box: Array,
    single: bool,
    centre: Array,
    heavy: float,
    first: int,
    last: int,
    value: Array,
) -> None:
    """Values of the edges from a point ``centre`` (d,) to the columns of ``x`` (d, n).

    They go to ``value[first:last]``, in float64; ``box`` (d,) is a flat torus, or empty. The value
    does not depend on which end is the centre, bit for bit.
    """
    for k in range(first, last):
        value[k] = 0.0
    for a in range(x.shape[0]):
        row, c = x[a], centre[a]
        if box.size:
            length = box[a]
            for k in range(first, last):
                t = row[k] - c
                t -= length * np.rint(t / length)
                value[k] += t * t
        else:
            for k in range(first, last):
                t = row[k] - c
                value[k] += t * t
    for k in range(first, last):
        value[k] = np.sqrt(value[k])
    farther_of(value, weight, heavy, first, last, single)


@njit(cache=True, nogil=True)
def edge_gradient(
    x: Array,
    matrices: Array,
    weight: Array,
    box: Array,
    size: Array,
    sample: Array,
    index: Array,
    grad: Array,
    on_given: Array,
    on_weight: Array,
) -> None:
    """Add the gradients of the edges ``index`` of the samples ``sample``, times ``grad``, (k,).

    Those of max(2 v, 2 w, d + v + w), in the order of the rows; 0 for an index of -1, at coincident
    points and, an axis, at half a box. A vertex i is the edge i n + i.

    Shapes:  x (sum n, d) or (0, d) · matrices (sum n^2,) or (0,) · weight (sum n,) or (0,)
             size (B,), or (1,) for all · on_given (sum n d,) or (sum n^2,)
    """
    start, corner = np.zeros(size.size, np.int64), np.zeros(size.size, np.int64)
    for s in range(size.size - 1):
        start[s + 1] = start[s] + size[s]
        corner[s + 1] = corner[s] + size[s] * size[s]
    difference = np.empty(x.shape[1])
    for k in range(index.size):
        e, s, g = index[k], sample[k], np.float64(grad[k])
        if e < 0:
            continue
        if size.size == 1:
            n = size[0]
            first, at = s * n, s * n * n + e
        else:
            n = size[s]
            first, at = start[s], corner[s] + e
        i, j = first + e // n, first + e % n
        d = 0.0
        if matrices.size and i != j:
            d = float(matrices[at])
        elif i != j:
            for a in range(x.shape[1]):
                t = np.float64(x[i, a]) - np.float64(x[j, a])
                if box.size:
                    t -= box[a] * np.rint(t / box[a])
                difference[a] = t
                d += float(t * t)
            d = math.sqrt(d)
        if weight.size:
            v, w = np.float64(weight[i]), np.float64(weight[j])
            if d + (v + w) < 2 * max(v, w):
                on_weight[i if v >= w else j] += 2 * g
                continue
            on_weight[i] += g
            on_weight[j] += g
        if i == j:
            continue
        if matrices.size:
            on_given[at] += g
        elif d > 0:
            for a in range(x.shape[1]):
                t = difference[a]
                if box.size == 0 or 2 * abs(t) < box[a]:
                    on_given[i * x.shape[1] + a] += g * t / d
                    on_given[j * x.shape[1] + a] -= g * t / d


@njit(cache=True, nogil=True)
def _row(
    x: Array, matrix: Array, weight: Array, box: Array, single: bool, i: int, value: Array
) -> None:
    """Values of the edges (i, j), j > i, to ``value[i + 1 :]``."""
    n = value.size
    heavy = weight[i] if weight.size else 0.0
    if matrix.size:
        for j in range(i + 1, n):
            value[j] = np.float64(matrix[i, j]) + 0.0  # + 0 makes -0 equal to +0 in its bits
        farther_of(value, weight, heavy, i + 1, n, single)
    else:
        edge_values(x, weight, box, single, x[:, i].copy(), heavy, i + 1, n, value)


@njit(cache=True, nogil=True)
def enclosing_radius(
    x: Array, matrix: Array, weight: Array, box: Array, single: bool, n: int
) -> float:
    """The smallest value at which a vertex is joined to all others: a cone from there on."""
    value, farthest = np.empty(n), np.full(n, -np.inf)
    for i in range(n):
        _row(x, matrix, weight, box, single, i, value)
        for j in range(i + 1, n):
            v = value[j]
            farthest[j] = v if v > farthest[j] else farthest[j]
        for j in range(i + 1, n):
            v = value[j]
            farthest[i] = v if v > farthest[i] else farthest[i]
    return float(farthest.min())


@njit(cache=True, nogil=True)
def count_edges(
    x: Array, matrix: Array, weight: Array, box: Array, single: bool, n: int, limit: float
) -> int:
    """How many edges have a value <= ``limit``, those at +inf left out."""
    value = np.empty(n)
    total = 0
    for i in range(n):
        _row(x, matrix, weight, box, single, i, value)
        for j in range(i + 1, n):
            total += value[j] <= limit and value[j] < np.inf
    return total


@njit(cache=True, nogil=True)
def sorted_edges(
    x: Array,
    matrix: Array,
    weight: Array,
    box: Array,
    single: bool,
    n: int,
    limit: float,
    room: int,
) -> tuple[Array, Array]:
    """The edges that ``count_edges`` counts, ``room`` at most, by (value, i n + j).

    Returns: edge (k,) int64, the linear index i n + j with i < j; value (k,) float64.
    """
    row, values, number = np.empty(n), np.empty(room), np.empty(room, np.int64)
    k = 0
    for i in range(n):
        _row(x, matrix, weight, box, single, i, row)
        for j in range(i + 1, n):
            if row[j] <= limit and row[j] < np.inf:
                values[k], number[k] = row[j], i * n + j
                k += 1
    edge, edge2, value = number[:k].copy(), np.empty(k, np.int64), values[:k].copy()
    tag, tag2, value2 = np.empty(k, np.int8), np.empty(k, np.int8), np.empty(k)
    if sort_by_value(value.view(np.uint64), edge, tag, value2.view(np.uint64), edge2, tag2, k):
        value, edge = value2, edge2
    top = np.uint64(63)
    key = value.view(np.uint64)
    for m in range(k):  # from the ordered image of their bits back to floats
        b = key[m]
        key[m] = b ^ (np.uint64(1) << top) if b >> top else ~b
    return edge, value


@njit(cache=True, nogil=True)
def rank_matrix(edge: Array, n: int, like: Array) -> Array:
    """The (n, n) matrix of the ranks 1, 2, … of ``edge``; others lie one beyond.

    Its dtype is that of ``like``, which must count that far.
    """
    ranks = np.full((n, n), edge.size + 1, like.dtype)
    for i in range(n):
        ranks[i, i] = 0
    for k in range(edge.size):
        i, j = edge[k] // n, edge[k] % n
        ranks[i, j] = ranks[j, i] = k + 1
    return ranks


@njit(cache=True, nogil=True)
def ranked_pairs(ranks: Array, edge: Array, value: Array) -> tuple[Array, Array, Array, Array]:
    """Edges and values of the pairs of ranks (p, 2), in the order (death, birth).

    A rank beyond the last edge, or +inf, is no death; equal values make no pair.

    Returns: edges of birth and death (p, 2) int64 and their values (p, 2); edges of essential
    births (e,) int64 and their values (e,).
    """
    beyond = edge.size + 1
    key = np.empty(len(ranks), np.int64)
    for k in range(len(ranks)):
        death = beyond if ranks[k, 1] >= beyond else np.int64(ranks[k, 1])
        key[k] = death * beyond + np.int64(ranks[k, 0])
    key.sort()
    pair, points = np.empty((len(ranks), 2), np.int64), np.empty((len(ranks), 2))
    entry, births = np.empty(len(ranks), np.int64), np.empty(len(ranks))
    p = q = 0
    for k in range(len(ranks)):
        birth, death = key[k] % beyond - 1, key[k] // beyond - 1
        if death == edge.size:
            entry[q], births[q] = edge[birth], value[birth]
            q += 1
        elif value[birth] < value[death]:
            pair[p, 0], pair[p, 1] = edge[birth], edge[death]
            points[p, 0], points[p, 1] = value[birth], value[death]
            p += 1
    return pair[:p], points[:p], entry[:q], births[:q]


@njit(cache=True, nogil=True)
def mirrored(matrix: Array) -> None:
    """Give a matrix the transpose of its upper triangle for its lower one, and a diagonal of 0."""
    n = len(matrix)
    for first in range(0, n, 32):
        for second in range(first, n, 32):
            for i in range(first, min(n, first + 32)):
                for j in range(max(i, second), min(n, second + 32)):
                    matrix[j, i] = matrix[i, j] if j > i else 0


@njit(cache=True, nogil=True)
def matrix_fault(matrix: Array, slack: float) -> tuple[int, int, int]:
    """The first entry that no matrix of distances has: its kind, row and column.

    Kinds: 0 none; 1 none but rounding, up to ``slack`` times the largest finite entry, breaks the
    symmetry; 2 a NaN; 3 a negative entry; 4 asymmetry; 5 a diagonal that is not 0.
    """
    n = len(matrix)
    largest = 0.0
    for i in range(n):
        for j in range(n):
            v = matrix[i, j]
            if v != v:
                return 2, i, j
            if v < 0 and i != j:
                return 3, i, j
            if v < np.inf:
                largest = max(largest, v)
    rounded = 0
    for first in range(0, n, 32):  # by blocks, as the transpose is read along columns
        for second in range(first, n, 32):
            for i in range(first, min(n, first + 32)):
                for j in range(max(i, second), min(n, second + 32)):
                    a, b = matrix[i, j], matrix[j, i]
                    if i == j:
                        b = matrix.dtype.type(0)
                    if a != b:
                        rounded = 1
                        if not abs(a - b) <= slack * largest:
                            return (5 if i == j else 4), i, j
    return rounded, 0, 0
