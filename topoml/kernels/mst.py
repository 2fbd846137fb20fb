"""Minimum spanning trees of point clouds and distance matrices: H0 of the Rips filtration."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .distances import edge_values, farther_of

__all__ = ["forest_pairs", "spanning_tree"]

Array = NDArray[Any]


@njit(cache=True, nogil=True)
def spanning_tree(
    x: Array, matrix: Array, weight: Array, box: Array, single: bool, n: int, stop: Array
) -> tuple[Array, Array]:
    """Edges of the minimum spanning tree by Prim's algorithm, in the order (value, i n + j).

    O(n^2 d) time and O(n d) memory: vertices outside the tree stay packed, each with its best edge
    into it. Not checked here: no NaN; a ``matrix`` (n, n) is symmetric, and if empty ``x`` (d, n)
    counts. ``x`` and ``weight`` are not kept: they are reordered. Once ``stop`` (1,) is 1, it gives
    up: what it returns is no tree then.

    Returns: edge (n - 1,) int64, i n + j with i < j; value (n - 1,) float64.
    Source: Prim, Bell Syst. Tech. J. 36, 1389 (1957).
    """
    vertex = np.arange(n)
    best, best_edge = np.full(n, np.inf), np.full(n, n * n)
    value = np.empty(n)
    tree_edge, tree_value = np.empty(n - 1, np.int64), np.empty(n - 1)
    centre = np.empty(x.shape[0])
    at = 0
    for left in range(n - 1, 0, -1):  # `at` joins the tree, the last of those outside fills its gap
        if stop[0]:
            break
        u = vertex[at]
        heavy = weight[at] if weight.size else 0.0
        for a in range(x.shape[0]):
            centre[a] = x[a, at]
            x[a, at] = x[a, left]
        vertex[at], best[at], best_edge[at] = vertex[left], best[left], best_edge[left]
        if weight.size:
            weight[at] = weight[left]
        if matrix.size:
            row = matrix[u]
            for k in range(left):
                value[k] = row[vertex[k]]
            farther_of(value, weight, heavy, 0, left, single)
        else:
            edge_values(x, weight, box, single, centre, heavy, 0, left, value)
        at, nearest = 0, best[0]
        for k in range(left):
            v, b = value[k], best[k]
            if v <= b:
                e = min(u, vertex[k]) * n + max(u, vertex[k])
                if v < b or e < best_edge[k]:
                    best[k], best_edge[k] = v, e
                    b = v
            if b < nearest or k == 0 or (b == nearest and best_edge[k] < best_edge[at]):
                at, nearest = k, b
        tree_edge[left - 1], tree_value[left - 1] = best_edge[at], nearest
    order = np.argsort(tree_value)
    for k in range(1, n - 1):
        if tree_value[order[k]] == tree_value[order[k - 1]]:  # ties: sort by index, then stably
            first = np.argsort(tree_edge)
            order = first[np.argsort(tree_value[first], kind="mergesort")]
            break
    return tree_edge[order], tree_value[order]


@njit(cache=True, nogil=True)
def _root(parent: Array, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True, nogil=True)
def forest_pairs(
    x: Array,
    matrices: Array,
    weight: Array,
    box: Array,
    single: bool,
    size: Array,
    point_start: Array,
    matrix_start: Array,
    limit: float,
    begin: int,
    end: int,
    stop: Array,
) -> tuple[Array, Array, Array, Array, Array]:
    """H0 of the Rips filtrations of samples ``begin`` to ``end``, cut off beyond ``limit``.

    A vertex i is born at 0 with index -1, with weights at 2 w_i with index i n + i; components
    merge along the spanning tree by the elder rule, the younger one by (birth, i) dying. Equal
    values make no pair, a death at +inf or beyond ``limit`` none. ``stop`` (1,) set to 1 from
    outside makes it return early.

    Shapes:  x (sum n, d) or (0, d) · matrices (sum n^2,) or (0,) · weight (sum n,) or (0,)
    Returns: the chunk that ``kernels.batch.pair_batch`` packs, in the order of deaths.
    """
    room = size[begin:end].sum()
    pair, points = np.empty((room, 2), np.int64), np.empty((room, 2))
    entry, births = np.empty(room, np.int64), np.empty(room)
    count = np.zeros((end - begin, 2, 1), np.int64)
    p = q = 0
    for s in range(begin, end):
        n, o = size[s], point_start[s]
        if matrices.size:
            matrix = matrices[matrix_start[s] : matrix_start[s] + n * n].reshape(n, n)
            coordinates = np.empty((0, n))
        else:
            matrix = matrices[:0].reshape(0, 0)
            coordinates = x[o : o + n].T.copy()
        own = weight[o : o + n].copy() if weight.size else weight
        edge, value = spanning_tree(coordinates, matrix, own.copy(), box, single, n, stop)
        if stop[0]:
            break
        parent = np.arange(n)
        p0, q0 = p, q
        merged = 0
        for k in range(n - 1):
            if not (value[k] <= limit and value[k] < np.inf):
                break
            merged += 1
            birth, at = 0.0, -1
            if own.size:
                old, young = _root(parent, edge[k] // n), _root(parent, edge[k] % n)
                if own[young] < own[old] or (own[young] == own[old] and young < old):
                    old, young = young, old
                parent[young] = old
                birth, at = 2 * own[young], young * n + young
            if birth < value[k]:
                pair[p, 0], pair[p, 1] = at, edge[k]
                points[p, 0], points[p, 1] = birth, value[k]
                p += 1
        if own.size:
            for i in range(n):
                if parent[i] == i and 2 * own[i] <= limit:
                    entry[q], births[q] = i * n + i, 2 * own[i]
                    q += 1
        else:
            for _ in range(n - merged):
                entry[q], births[q] = -1, 0.0
                q += 1
        count[s - begin, 0, 0], count[s - begin, 1, 0] = p - p0, q - q0
    return pair[:p], points[:p], entry[:q], births[:q], count
