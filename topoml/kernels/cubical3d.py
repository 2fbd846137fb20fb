"""Persistence pairs of 3D fields: a discrete gradient, two union-finds, one small reduction."""

from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .radix import sort_by_value
from .ragged import grown

__all__ = ["gradient_pairs", "star_tables"]

Array = NDArray[Any]

# The cells around a vertex, which form an octahedron: directions (edges) d = 2 axis + (sign > 0);
# squares k = 4 normal + 2 sign + sign, signs of the lower and of the higher axis in the square;
# cubes t = 4 sign + 2 sign + sign. A sign of 1 is the positive side.
_ABSENT = 2**31 - 1  # rank of what is beyond an open boundary of the vertex construction
_EDGE = 2**31 - 1
_DROPPED, _CRITICAL = 5, 4  # states of an edge; below 4 it is matched with a square


def _square(k: int) -> tuple[int, int, int]:
    """Normal axis and the two directions that span square ``k``."""
    c, (sa, sb) = k // 4, (k >> 1 & 1, k & 1)
    a, b = (axis for axis in range(3) if axis != c)
    return c, 2 * a + sa, 2 * b + sb


@cache
def star_tables() -> tuple[Array, Array, Array, Array]:
    """Perfect matchings of the lower star of a vertex, as lookups.

    ``way`` (256, 8): for the set of cubes in the star, through which normal axis a cube is matched
    with a square; 3: the cube is critical; 4: it is not there. ``used`` (256,): the squares so
    matched, 12 bits. ``reach`` (4096, 6): for the set of squares that are left, the square that
    the edge of a direction is matched with, or 12. ``left`` (4096,): those that remain, critical.
    """
    way = np.full((256, 8), 4, np.uint8)
    used = np.zeros(256, np.int32)
    for cubes in range(256):
        free = {t for t in range(8) if not cubes >> t & 1}
        if not free:  # all around: a maximum
            way[cubes, 0] = 3
            free = {0}
        while len(free) < 8:
            # squares across the first axis first: they are far from the edges of that axis, to
            # which the others flow
            c, t = min(
                (c, t) for c in range(3) for t in range(8) if t not in free and t ^ (4 >> c) in free
            )
            free.add(t)
            way[cubes, t] = c
            signs = [t >> (2 - axis) & 1 for axis in range(3) if axis != c]
            used[cubes] |= 1 << (4 * c + 2 * signs[0] + signs[1])
    reach = np.full((4096, 6), 12, np.uint8)
    left = np.zeros(4096, np.int32)
    for squares in range(4096):
        present = [(k, *_square(k)[1:]) for k in range(12) if squares >> k & 1]
        remaining = squares
        seen: set[int] = set()
        for root in range(6):
            if root in seen:
                continue
            walk = [root]
            seen.add(root)
            for d in walk:
                for k, d1, d2 in present:
                    other = d2 if d == d1 else d1 if d == d2 else -1
                    if other >= 0 and other not in seen:
                        seen.add(other)
                        walk.append(other)
                        reach[squares, other] = k
                        remaining &= ~(1 << k)
        left[squares] = remaining
    return way, used, reach, left


@njit(cache=True, nogil=True)
def _root(parent: Array, q: int) -> int:
    """Root of ``q`` with path halving; a root has a negative parent."""
    while True:
        p = parent[q]
        if p < 0:
            return q
        g = parent[p]
        if g < 0:
            return p
        parent[q] = g
        q = g


@njit(cache=True, nogil=True)
def _ranks(x: Array, word: Array, sign: float, at: Array) -> bool:
    """Fill ``at`` (N,) with the entries of ``x`` in the order (value, entry); False at a NaN."""
    n = x.size
    value = np.empty(n, x.dtype)
    for i in range(n):
        v = x[i] * x.dtype.type(sign) + x.dtype.type(0)  # + 0 makes -0 equal to +0 in its bits
        if v != v:
            return False
        value[i] = v
    key = value.view(word.dtype)
    index, tag = np.arange(n).astype(np.int32), np.empty(n, np.uint8)
    key2, index2, tag2 = np.empty_like(key), np.empty_like(index), np.empty_like(tag)
    moved = sort_by_value(key, index, tag, key2, index2, tag2, n)
    at[:] = index2 if moved else index
    return True


@njit(cache=True, nogil=True)
def _canonical(shape: tuple[int, int, int], wrap: tuple[bool, bool, bool], same: Array) -> None:
    """For each padded entry the one that it is glued to, itself where it is not."""
    d0, d1, d2 = shape
    s1 = d2 + 2
    s0 = (d1 + 2) * s1
    q = 0
    for i in range(d0 + 2):
        ii = (i - 1) % d0 + 1 if wrap[0] else i
        for j in range(d1 + 2):
            jj = (j - 1) % d1 + 1 if wrap[1] else j
            for k in range(d2 + 2):
                kk = (k - 1) % d2 + 1 if wrap[2] else k
                same[q] = ii * s0 + jj * s1 + kk
                q += 1


@njit(cache=True, nogil=True)
def _sort_by_rank(rank: Array, item: Array, n: int, n_ranks: int) -> tuple[Array, Array]:
    """The first ``n`` items in ascending order of their ranks; stable."""
    rank2, item2 = np.empty(n, np.int32), np.empty(n, np.int32)
    source, what, target, moved = rank[:n], item[:n], rank2, item2
    count = np.empty(2048, np.int32)
    shift = 0
    while n_ranks >> shift:
        count[:] = 0
        for i in range(n):
            count[source[i] >> shift & 2047] += 1
        total = 0
        for d in range(2048):
            c = count[d]
            count[d] = total
            total += c
        for i in range(n):
            d = source[i] >> shift & 2047
            j = count[d]
            count[d] = j + 1
            target[j], moved[j] = source[i], what[i]
        source, what, target, moved = target, moved, source, what
        shift += 11
    return source, what


@njit(cache=True, nogil=True)
def _gradient(
    rank: Array,
    same: Array,
    shape: tuple[int, int, int],
    tables: tuple[Array, Array, Array, Array],
    below: Array,
    above: Array,
    state: Array,
) -> tuple[Array, Array, Array, Array]:
    """Match the cells of every lower star; collect what is critical.

    ``below``: for a vertex the other end of its matched edge, -1 for a minimum. ``above``: for a
    cube the cube across its matched square, -1 - vertex for a critical one, whose last vertex
    that is. ``state``: of the edges 3 vertex + axis.

    Returns: rank and number (3 vertex + axis) of critical edges and of critical squares.
    """
    way, used, reach, left = tables
    d0, d1, d2 = shape
    stride = np.array([(d1 + 2) * (d2 + 2), d2 + 2, 1])
    step = np.empty(6, np.int64)
    for d in range(6):
        step[d] = stride[d // 2] * (1 if d & 1 else -1)
    first, second = np.empty(12, np.int64), np.empty(12, np.int64)
    square_at = np.empty(12, np.int64)  # lowest corner less the vertex
    for k in range(12):
        c = k // 4
        a, b = (1 if c == 0 else 0), (1 if c == 2 else 2)
        first[k], second[k] = 2 * a + (k >> 1 & 1), 2 * b + (k & 1)
        square_at[k] = min(step[first[k]], 0) + min(step[second[k]], 0)
    corner, cube_at = np.empty(8, np.int64), np.empty(8, np.int64)
    for t in range(8):
        corner[t] = step[t >> 2 & 1] + step[2 + (t >> 1 & 1)] + step[4 + (t & 1)]
        cube_at[t] = (
            min(step[t >> 2 & 1], 0) + min(step[2 + (t >> 1 & 1)], 0) + min(step[4 + (t & 1)], 0)
        )
    code = np.empty((6, 12), np.uint8)  # of the edge of a direction matched with a square
    for k in range(12):
        for d, other in ((first[k], second[k]), (second[k], first[k])):
            axis, beside = d // 2, other // 2
            higher = beside > 3 - axis - beside  # of the two axes that the edge does not have
            code[d, k] = 2 * higher + (other & 1)
    room = 1024
    edge_rank, edge = np.empty(room, np.int32), np.empty(room, np.int32)
    square_rank, square = np.empty(room, np.int32), np.empty(room, np.int32)
    n_edges = n_squares = 0
    for i in range(1, d0 + 1):
        if n_edges + 6 * d1 * d2 > edge.size or n_squares + 12 * d1 * d2 > square.size:
            length = max(2 * edge.size, n_edges + 6 * d1 * d2, n_squares + 12 * d1 * d2)
            edge_rank, edge = grown(edge_rank, length), grown(edge, length)
            square_rank, square = grown(square_rank, length), grown(square, length)
        for j in range(1, d1 + 1):
            for kk in range(1, d2 + 1):
                p = i * stride[0] + j * stride[1] + kk
                r = rank[p]
                edges = 0
                for d in range(6):
                    edges |= (rank[p + step[d]] < r) << d
                if edges == 0:
                    below[p] = -1
                    continue
                squares = 0
                for k in range(12):
                    both = edges >> first[k] & edges >> second[k] & 1
                    squares |= (both & (rank[p + step[first[k]] + step[second[k]]] < r)) << k
                if squares:
                    cubes = 0
                    for t in range(8):
                        a, b, c = t >> 2 & 1, t >> 1 & 1, t & 1
                        all3 = (
                            squares >> (2 * b + c)
                            & squares >> (4 + 2 * a + c)
                            & squares >> (8 + 2 * a + b)
                            & 1
                        )
                        cubes |= (all3 & (rank[p + corner[t]] < r)) << t
                    if cubes:
                        squares &= ~used[cubes]
                        for t in range(8):
                            w = way[cubes, t]
                            if w == 4:
                                continue
                            q = p + cube_at[t]
                            if w == 3:
                                above[same[q]] = -1 - p
                            else:
                                up = t >> (2 - w) & 1
                                across = q - stride[w] if up else q + stride[w]
                                above[same[q]] = same[across]
                matched = False
                for d in range(6):
                    if not edges >> d & 1:
                        continue
                    number = 3 * same[p + min(step[d], 0)] + d // 2
                    k = reach[squares, d]
                    if k < 12:
                        state[number] = code[d, k]
                    elif not matched:
                        matched = True
                        below[p] = same[p + step[d]]
                    else:
                        state[number] = _CRITICAL
                        edge_rank[n_edges], edge[n_edges] = r, number
                        n_edges += 1
                rest = left[squares]
                k = 0
                while rest:
                    if rest & 1:
                        square_rank[n_squares] = r
                        square[n_squares] = 3 * same[p + square_at[k]] + k // 4
                        n_squares += 1
                    rest >>= 1
                    k += 1
    n_ranks = d0 * d1 * d2
    edge_rank, edge = _sort_by_rank(edge_rank, edge, n_edges, n_ranks)
    square_rank, square = _sort_by_rank(square_rank, square, n_squares, n_ranks)
    return edge_rank, edge, square_rank, square


@njit(cache=True, nogil=True)
def _push(heap: Array, n: int, key: int) -> None:
    """Let ``key`` into the first ``n`` entries, the largest on top."""
    i = n
    while i > 0:
        up = (i - 1) >> 1
        if heap[up] >= key:
            break
        heap[i] = heap[up]
        i = up
    heap[i] = key


@njit(cache=True, nogil=True)
def _pop(heap: Array, n: int) -> int:
    """Take the largest of the first ``n`` entries away."""
    top = heap[0]
    last = heap[n - 1]
    n -= 1
    i = 0
    while True:
        j = 2 * i + 1
        if j >= n:
            break
        if j + 1 < n and heap[j + 1] > heap[j]:
            j += 1
        if heap[j] <= last:
            break
        heap[i] = heap[j]
        i = j
    heap[i] = last
    return top


@njit(cache=True, nogil=True)
def _key(rank: Any, edge: Any, state: Any) -> Any:  # noqa: ANN401 - integers of any width
    """Order of edges: by rank, and the critical ones of a star, to which it flows, last."""
    return np.int64(rank) << 32 | np.int64(state < _CRITICAL) << 31 | np.int64(edge)


@njit(cache=True, nogil=True)
def _reduce(
    rank: Array,
    same: Array,
    stride: Array,
    state: Array,
    squares: Array,
    edge_rank: Array,
    edge: Array,
    first: Array,
    killer: Array,
) -> Array:
    """Boundaries of critical squares in critical edges, reduced from the left.

    A square's boundary flows down the gradient: the last edge is replaced by the rest of the
    square that it is matched with, and dropped if it joins components. ``first[r]``: number of the
    first critical edge of rank r in ``edge``; ``killer`` (edges,), out: the square (its place in
    ``squares``) that fills the loop of an edge, -1 for none. Returns the places of the squares
    whose boundary vanishes.
    """
    n = squares.size
    start = np.zeros(n + 1, np.int64)
    column = np.empty(4 * n + 16, np.int32)
    heap = np.empty(1024, np.int64)
    closed = np.empty(16, np.int32)
    n_closed = 0
    end = 0
    for s in range(n):
        # the square's own boundary
        p, c = squares[s] // 3, squares[s] % 3
        a, b = (1 if c == 0 else 0), (1 if c == 2 else 2)
        size = 0
        for e in (
            3 * p + a,
            3 * p + b,
            3 * same[p + stride[b]] + a,
            3 * same[p + stride[a]] + b,
        ):
            if state[e] != _DROPPED:
                q = e // 3
                _push(heap, size, _key(max(rank[q], rank[q + stride[e % 3]]), e, state[e]))
                size += 1
        begin = end
        pivot = -1
        while size:
            key = _pop(heap, size)
            size -= 1
            if size and heap[0] == key:
                _pop(heap, size)
                size -= 1
                continue
            e = key & _EDGE
            w = state[e]
            if w < _CRITICAL:
                p, a = e // 3, e % 3
                b = (2 if a < 2 else 1) if w >> 1 else (1 if a == 0 else 0)
                q = p if w & 1 else same[p - stride[b]]
                if size + 3 > heap.size:
                    heap = grown(heap, 2 * heap.size)
                for f in (
                    3 * q + a,
                    3 * q + b,
                    3 * same[q + stride[b]] + a,
                    3 * same[q + stride[a]] + b,
                ):
                    if f != e and state[f] != _DROPPED:
                        v = f // 3
                        r = max(rank[v], rank[v + stride[f % 3]])
                        _push(heap, size, _key(r, f, state[f]))
                        size += 1
                continue
            number = first[key >> 32]
            while edge[number] != e:
                number += 1
            if pivot < 0 and killer[number] >= 0:
                t = killer[number]
                if size + start[t + 1] - start[t] > heap.size:
                    heap = grown(heap, 2 * heap.size + start[t + 1] - start[t])
                for m in range(start[t] + 1, start[t + 1]):
                    f = column[m]
                    _push(heap, size, _key(edge_rank[f], edge[f], _CRITICAL))
                    size += 1
                continue
            if pivot < 0:
                pivot = number
            if end == column.size:
                column = grown(column, 2 * column.size)
            column[end] = number
            end += 1
        start[s + 1] = end
        if pivot >= 0:
            killer[pivot] = s
        else:
            assert end == begin
            if n_closed == closed.size:
                closed = grown(closed, 2 * closed.size)
            closed[n_closed] = s
            n_closed += 1
    return closed[:n_closed]


@njit(cache=True, nogil=True)
def _join_edges(
    rank: Array,
    same: Array,
    stride: Array,
    below: Array,
    state: Array,
    edge_rank: Array,
    edge: Array,
    outside: int,
) -> tuple[Array, int, int]:
    """Components of vertices, over critical edges upwards: edges that join are dropped.

    Returns (birth, death) ranks (P, 2), the number of loops left, now first in ``edge_rank`` and
    ``edge``, and the rank of the component that stays (-1: it holds the outside).
    """
    pair = np.empty((edge.size, 2), np.int32)
    n = loops = 0
    last = outside
    for i in range(edge.size):
        e, r = edge[i], edge_rank[i]
        p = e // 3
        old, young = _root(below, p), _root(below, same[p + stride[e % 3]])
        last = old
        if old == young:
            edge[loops], edge_rank[loops] = e, r
            loops += 1
            continue
        if rank[young] < rank[old]:
            old, young = young, old
        below[young] = old
        state[e] = _DROPPED
        pair[n, 0], pair[n, 1] = rank[young], r
        n += 1
        last = old
    return pair[:n], loops, last


@njit(cache=True, nogil=True)
def _join_squares(
    rank: Array, same: Array, stride: Array, above: Array, square_rank: Array, square: Array
) -> tuple[Array, int]:
    """Components of cubes, over critical squares downwards: squares that join enclose a void.

    Returns (birth, death) ranks (P, 2) and the number of squares left, in ascending order first in
    ``square_rank`` and ``square``.
    """
    top = np.int64(2**31)
    pair = np.empty((square.size, 2), np.int32)
    n = 0
    keep = square.size
    outside = above.size - 1
    for i in range(square.size - 1, -1, -1):
        s, r = square[i], square_rank[i]
        p = s // 3
        old, young = _root(above, p), _root(above, same[p - stride[s % 3]])
        if old == young:
            keep -= 1
            square[keep], square_rank[keep] = s, r
            continue
        high = top if old == outside else np.int64(rank[-1 - above[old]])
        low = top if young == outside else np.int64(rank[-1 - above[young]])
        if low > high:
            old, young, low = young, old, high
        above[young] = old
        pair[n, 0], pair[n, 1] = r, low
        n += 1
    left = square.size - keep
    square[:left] = square[keep:].copy()
    square_rank[:left] = square_rank[keep:].copy()
    return pair[:n], left


@njit(cache=True, nogil=True)
def gradient_pairs(
    x: Array,
    word: Array,
    begin: int,
    end: int,
    sign: float,
    wrap: tuple[bool, bool, bool],
    dual: bool,
    tables: tuple[Array, Array, Array, Array],
    want: tuple[bool, bool, bool, bool],
) -> tuple[Array, Array, Array, Array, Array]:
    """Persistence pairs of the samples ``begin`` to ``end`` of ``x``, by their entries.

    Vertices are ranked by (value, entry). The lower star of each vertex, in which all cells have
    its value, is matched perfectly (its lower link is a subcomplex of the octahedron, so tables
    do it); only critical cells can make classes of positive length. Critical edges join components
    of vertices (H0), critical squares join components of cubes on the way down (H2); the boundaries
    of the squares that are left, followed down the gradient to critical edges, are reduced (H1).

    Top cells (``dual``): the cells of that complex and the faces of the vertex complex of -x,
    padded with an outside that comes first and counts as zero, are dual, so H_k of the one is
    H_(2-k) of the other with births and deaths exchanged; essential classes of k and 3 - k.

    A NaN ends the work at its sample, whose count is -1. Not checked here: periods of 2 and more;
    3 (D + 2)(H + 2)(W + 2) < 2**31.
    About 60 bytes an entry of scratch.

    Shapes:  x (B, D, H, W) float, C-contiguous · word (0,), the unsigned integer of x's width
    Returns: as ``saddle_pairs``; count (end - begin, 2, 4).
    Source:  Robins, Wood, Sheppard, IEEE TPAMI 33, 1646 (2011), for the gradient; Garin et al.,
             arXiv:2005.04597, for the duality.
    """
    _, d0, d1, d2 = x.shape
    n = d0 * d1 * d2
    stride = np.array([(d1 + 2) * (d2 + 2), d2 + 2, 1])
    size = (d0 + 2) * stride[0]
    same = np.empty(size, np.int32)
    _canonical((d0, d1, d2), wrap, same)
    rank = np.empty(size + 1, np.int32)
    at = np.empty(n, np.int32)
    below, above = np.empty(size + 1, np.int32), np.empty(size + 1, np.int32)
    state = np.empty(3 * size, np.uint8)
    count = np.zeros((end - begin, 2, 4), np.int64)
    pair, value = np.empty((16, 2), np.int32), np.empty((16, 2), x.dtype)
    essential, essential_value = np.empty(16, np.int32), np.empty(16, x.dtype)
    n_pairs = n_essential = 0
    infinity = x.dtype.type(np.inf)
    direction = x.dtype.type(sign)
    # H1 is its own dual; the essential classes of a torus in H2 come from the same reduction
    reduces = want[1] or (want[2] and (wrap[0] or wrap[1] or wrap[2]))

    for sample in range(begin, end):
        flat = x[sample].reshape(n)
        if not _ranks(flat, word, sign, at):
            count[sample - begin, 0, 0] = -1
            break
        rank[:] = -1 if dual else _ABSENT
        for r in range(n):
            i = at[r]
            k = i % d2
            j = i // d2 % d1
            q = (i // (d1 * d2) + 1) * stride[0] + (j + 1) * stride[1] + k + 1
            rank[q] = n - 1 - r if dual else r
        for q in range(size):
            rank[q] = rank[same[q]]
        below[:] = size  # the outside, the eldest component
        below[size] = -1
        rank[size] = -1
        above[:] = size
        above[size] = -1
        state[:] = _DROPPED
        edge_rank, edge, square_rank, square = _gradient(
            rank, same, (d0, d1, d2), tables, below, above, state
        )
        pair0, n_loops, last = _join_edges(rank, same, stride, below, state, edge_rank, edge, size)
        if edge.size == 0:  # one component, without critical edges
            last = _root(below, stride[0] + stride[1] + 1)
        pair2, n_squares = _join_squares(rank, same, stride, above, square_rank, square)
        pair1 = np.empty((0, 2), np.int32)
        alone1 = np.empty(0, np.int32)
        alone2 = np.empty(0, np.int32)
        if reduces:
            first = np.empty(n, np.int32)
            for i in range(n_loops - 1, -1, -1):
                first[edge_rank[i]] = i
            killer = np.full(n_loops, -1, np.int32)
            closed = _reduce(
                rank,
                same,
                stride,
                state,
                square[:n_squares],
                edge_rank[:n_loops],
                edge[:n_loops],
                first,
                killer,
            )
            pair1 = np.empty((n_loops, 2), np.int32)
            alone1 = np.empty(n_loops, np.int32)
            m = a = 0
            for i in range(n_loops):
                if killer[i] >= 0:
                    pair1[m, 0], pair1[m, 1] = edge_rank[i], square_rank[killer[i]]
                    m += 1
                else:
                    alone1[a] = edge_rank[i]
                    a += 1
            pair1, alone1 = pair1[:m], alone1[:a]
            alone2 = np.empty(closed.size, np.int32)
            for i in range(closed.size):
                alone2[i] = square_rank[closed[i]]
        root0 = _root(below, last)
        alone0 = np.empty(0 if root0 == size else 1, np.int32)
        if root0 != size:
            alone0[0] = rank[root0]
        root3 = _root(above, stride[0] + stride[1] + 1)
        alone3 = np.empty(0 if root3 == size else 1, np.int32)
        if root3 != size:
            alone3[0] = rank[-1 - above[root3]]

        for k in range(4):
            if not want[k]:
                continue
            j = 2 - k if dual else k
            if j == 0:
                found = pair0
            elif j == 1:
                found = pair1
            elif j == 2:
                found = pair2
            else:
                found = pair0[:0]
            j = 3 - k if dual else k
            if j == 0:
                alone = alone0
            elif j == 1:
                alone = alone1
            elif j == 2:
                alone = alone2
            else:
                alone = alone3
            if n_pairs + len(found) > len(pair):
                room = 2 * n_pairs + len(found)
                pair, value = grown(pair, room), grown(value, room)
            if n_essential + len(found) + len(alone) > len(essential):
                room = 2 * n_essential + len(found) + len(alone)
                essential = grown(essential, room)
                essential_value = grown(essential_value, room)
            for i in range(len(found)):
                b, d = found[i, 0], found[i, 1]
                if dual:
                    b, d = n - 1 - d, n - 1 - b
                b, d = at[b], at[d]
                birth, death = flat[b], flat[d]
                if birth == death or birth * direction == infinity:
                    continue
                if death * direction == infinity:
                    essential[n_essential], essential_value[n_essential] = b, birth
                    n_essential += 1
                    count[sample - begin, 1, k] += 1
                else:
                    pair[n_pairs, 0], pair[n_pairs, 1] = b, d
                    value[n_pairs, 0], value[n_pairs, 1] = birth, death
                    n_pairs += 1
                    count[sample - begin, 0, k] += 1
            for i in range(len(alone)):
                b = at[n - 1 - alone[i]] if dual else at[alone[i]]
                if flat[b] * direction < infinity:
                    essential[n_essential], essential_value[n_essential] = b, flat[b]
                    n_essential += 1
                    count[sample - begin, 1, k] += 1
    return (
        pair[:n_pairs],
        value[:n_pairs],
        essential[:n_essential],
        essential_value[:n_essential],
        count,
    )
