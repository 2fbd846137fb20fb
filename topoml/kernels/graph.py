"""Persistence pairs of filtered graphs: components by the elder rule, cycles by tree exchange."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["cycle_pairs", "merge_components"]

Array = NDArray[Any]


@njit(cache=True, nogil=True)
def _root(parent: Array, v: int) -> int:
    while parent[v] != v:
        parent[v] = parent[parent[v]]
        v = parent[v]
    return v


@njit(cache=True, nogil=True)
def merge_components(rank: Array, ends: Array, order: Array) -> tuple[Array, Array, Array]:
    """Add the edges in ``order``; each ends the younger of the components it joins (elder rule).

    Not checked here: ``rank`` is a permutation; an edge comes in ``order`` as if after both ends.
    O(E log V) time.

    Shapes:  rank (V,) int64, the place of a vertex in the order · ends (E, 2) int64 · order (E,)
    Returns: killer (V,) int64, the edge that ends the component born at a vertex, -1 for none;
             closes (E,) bool, the edge makes a cycle; eldest (V,) int64, the vertex of least rank
             in a vertex's component, in the end.
    Source:  Edelsbrunner & Harer, Computational Topology (2010), ch. VII.
    """
    n = rank.size
    parent = np.arange(n)  # a root is the eldest vertex of its component
    killer = np.full(n, -1, np.int64)
    closes = np.zeros(len(ends), np.bool_)
    for e in order:
        old, young = _root(parent, ends[e, 0]), _root(parent, ends[e, 1])
        if old == young:
            closes[e] = True
            continue
        if rank[young] < rank[old]:
            old, young = young, old
        parent[young] = old
        killer[young] = e
    for v in range(n):
        parent[v] = _root(parent, v)
    return killer, closes, parent


@njit(cache=True, nogil=True)
def _reverse(up: Array, via: Array, v: int, top: int) -> None:
    """Hang the part of a tree between ``v`` and its ancestor ``top`` from ``v``."""
    below, edge_below = -1, -1
    while True:
        above, edge = up[v], via[v]
        up[v], via[v] = below, edge_below
        if v == top:
            return
        below, edge_below = v, edge
        v = above


@njit(cache=True, nogil=True)
def cycle_pairs(n_vertices: int, ends: Array, position: Array, order: Array) -> tuple[Array, Array]:
    """Pair the edges that make a cycle upwards with those that make one downwards.

    The edges come in ``order`` (downwards), and a spanning forest that is minimal in ``position``
    (upwards) is kept: an edge that closes a cycle with the forest drives out the edge of that
    cycle with the largest position, itself maybe, and the two are a pair. For every i and j the
    pairs among the first j of ``order`` with position <= i then number the independent cycles of
    the edges that are both, which is what determines the extended classes of dimension 1.

    Not checked here: no loops in ``ends``. O(E) walks along paths of the forest, each O(V).

    Shapes:  ends (E, 2) int64 · position (E,) int64, a permutation · order (E,) int64
    Returns: first, last (C,) int64, C independent cycles: the edge driven out and the edge that
             came, in ``order``.
    Source:  the pairs, Cohen-Steiner, Edelsbrunner, Harer, Found. Comput. Math. 9, 79 (2009); by
             exchange in a minimal forest: ours.
    """
    up = np.full(n_vertices, -1, np.int64)  # the forest, as parents and the edges to them
    via = np.full(n_vertices, -1, np.int64)
    seen = np.full(n_vertices, -1, np.int64)
    first, last = np.empty(len(ends), np.int64), np.empty(len(ends), np.int64)
    n = 0
    for e in order:
        u, v = ends[e, 0], ends[e, 1]
        top, steps = u, 0
        seen[u] = e
        while up[top] >= 0:
            top = up[top]
            seen[top] = e
            steps += 1
        meet, steps_v = v, 0
        while seen[meet] != e and up[meet] >= 0:
            meet = up[meet]
            steps_v += 1
        if seen[meet] != e:  # two trees: the one with the shorter way to its root is turned
            if steps_v < steps:
                u, v, top = v, u, meet
            _reverse(up, via, u, top)
            up[u], via[u] = v, e
            continue
        largest, child, from_v = e, -1, False
        for start in (u, v):
            w = start
            while w != meet:
                if position[via[w]] > position[largest]:
                    largest, child, from_v = via[w], w, start == v
                w = up[w]
        first[n], last[n] = largest, e
        n += 1
        if largest == e:
            continue
        if from_v:
            u, v = v, u
        _reverse(up, via, u, child)
        up[u], via[u] = v, e
    return first[:n], last[:n]
