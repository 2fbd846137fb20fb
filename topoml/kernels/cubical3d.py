"""Persistence pairs of 3D fields: a discrete gradient, two union-finds, one small reduction."""

from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .radix import sort_by_value
from .ragged import copy, grown

__all__ = ["gradient_pairs", "star_tables"]

Array = NDArray[Any]

# The cells around a vertex, which form an octahedron: directions (edges) d = 2 axis + (sign > 0);
# squares k = 4 normal + 2 sign + sign, signs of the lower and of the higher axis in the square;
# cubes t = 4 sign + 2 sign + sign. A sign of 1 is the positive side.
_ABSENT = 2**31 - 1  # rank of what is beyond an open boundary of the vertex construction
_DE_BRUIJN = 0x03F79D71B4CB0A89  # the upper 6 bits of its 64 shifts all differ
_PLACE = np.argsort([(_DE_BRUIJN << i & 2**64 - 1) >> 58 for i in range(64)])


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
    copy(index2 if moved else index, at)
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
    flow: Array,
    stop: Array,
) -> tuple[Array, Array, Array, Array]:
    """Match the cells of every lower star; collect what is critical.

    ``below``: for a vertex the other end of its matched edge, -1 for a minimum. ``above``: for a
    cube the cube across its matched square, -1 - vertex for a critical one, whose last vertex
    that is. ``flow``: for the edge 3 vertex + axis that is matched with a square, -1 - its code.

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
    code = np.empty((6, 12), np.int32)  # of the edge of a direction matched with a square
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
        if stop[0]:
            break
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
                        flow[number] = -1 - code[d, k]
                    elif not matched:
                        matched = True
                        below[p] = same[p + step[d]]
                    else:
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
def _add(item: Array, start: Array, n: int, a: int, b: int) -> int:
    """Number of the sum of two sets modulo 2, which is written as set ``n`` if it is a new one."""
    if a == b:
        return 0
    if a == 0:
        return b
    if b == 0:
        return a
    i, i_end = start[a], start[a + 1]
    j, j_end = start[b], start[b + 1]
    begin = start[n]
    end = begin
    while i < i_end and j < j_end:
        u, v = item[i], item[j]
        item[end] = min(u, v)
        end += u != v
        i += u <= v
        j += v <= u
    while i < i_end:
        item[end] = item[i]
        i += 1
        end += 1
    while j < j_end:
        item[end] = item[j]
        j += 1
        end += 1
    if end - begin < 2:
        return item[begin] + 1 if end > begin else 0
    start[n + 1] = end
    return n


@njit(cache=True, nogil=True)
def _sum(item: Array, start: Array, n: int, a: int, b: int, c: int, d: int) -> int:
    """Number of the sum of four sets modulo 2, which is written as set ``n`` if it is a new one."""
    if a > b:
        a, b = b, a
    if c > d:
        c, d = d, c
    if a > c:
        a, c = c, a
    if b > d:
        b, d = d, b
    if b > c:
        b, c = c, b
    if a == b:
        return _add(item, start, n, c, d)
    if b == c:
        return _add(item, start, n, a, d)
    if c == d:
        return _add(item, start, n, a, b)
    total, last = _add(item, start, n, a, b), n
    for more in (c, d):
        last += total == last
        total = _add(item, start, last, total, more)
    if total <= n:
        return total
    begin, length = start[total], start[total + 1] - start[total]
    for i in range(length):
        item[start[n] + i] = item[begin + i]
    start[n + 1] = start[n] + length
    return n


@njit(cache=True, nogil=True)
def _boundaries(
    same: Array, stride: Array, flow: Array, squares: Array, n_loops: int, stop: Array
) -> tuple[Array, Array, Array]:
    """Boundaries of critical squares in critical edges that close loops.

    A boundary flows down the gradient: an edge that is matched with a square flows where the other
    three edges of that square do. Many squares share this way, so that each edge's flow is kept.
    ``flow``: number of the set of loops to which an edge flows; -1 - code if that is not yet known,
    with the code of the square that it is matched with.

    Returns sets of loops, set k being ``item[start[k] : start[k + 1]]`` in ascending order, and
    the number of the set of each square. Set 0 is empty, set 1 + i is {i}.
    """
    item = np.empty(2 * n_loops + 1024, np.int32)
    start = np.empty(2 * n_loops + 1024, np.int64)
    start[0] = 0
    for i in range(n_loops):
        item[i] = start[i + 1] = i
    n = n_loops + 1
    start[n] = n_loops
    longest = 1
    bound = np.empty(squares.size, np.int32)
    todo = np.empty(1024, np.int32)
    # neighbours after each other, for what they share is then in the cache
    turn = np.arange(squares.size).astype(np.int32)
    for s in _sort_by_rank(squares.copy(), turn, squares.size, 3 * same.size)[1]:
        if stop[0]:
            break
        p, c = squares[s] // 3, squares[s] % 3
        a, b = (1 if c == 0 else 0), (1 if c == 2 else 2)
        e0, e1 = 3 * p + a, 3 * p + b
        e2, e3 = 3 * same[p + stride[b]] + a, 3 * same[p + stride[a]] + b
        todo[0], todo[1], todo[2], todo[3] = e0, e1, e2, e3
        left = 4
        while True:
            # a sum of four sets has two intermediate ones
            if start[n] + 9 * longest > item.size:
                item = grown(item, 2 * item.size + 9 * longest)
            if n + 4 > start.size:
                start = grown(start, 2 * start.size)
            if left == 0:
                break
            if left + 3 > todo.size:
                todo = grown(todo, 2 * todo.size)
            e = todo[left - 1]
            w = -1 - flow[e]
            if w < 0:
                left -= 1
                continue
            p, a = e // 3, e % 3
            b = (2 if a < 2 else 1) if w >> 1 else (1 if a == 0 else 0)
            q = p if w & 1 else same[p - stride[b]]
            f0 = 3 * same[q + stride[b]] + a if w & 1 else 3 * q + a  # across the square
            f1, f2 = 3 * q + b, 3 * same[q + stride[a]] + b
            g0, g1, g2 = flow[f0], flow[f1], flow[f2]
            if g0 >= 0 and g1 >= 0 and g2 >= 0:
                flow[e] = _sum(item, start, n, 0, g0, g1, g2)
                if flow[e] == n:
                    longest = max(longest, start[n + 1] - start[n])
                    n += 1
                left -= 1
                continue
            for f, g in ((f0, g0), (f1, g1), (f2, g2)):
                todo[left] = f
                left += g < 0
        bound[s] = _sum(item, start, n, flow[e0], flow[e1], flow[e2], flow[e3])
        if bound[s] == n:
            longest = max(longest, start[n + 1] - start[n])
            n += 1
    return item, start, bound


@njit(cache=True, nogil=True)
def _coboundaries(item: Array, start: Array, bound: Array, n_loops: int) -> tuple[Array, Array]:
    """The same incidences by loops; those of loop i are ``square[begin[i] : begin[i + 1]]``."""
    begin = np.zeros(n_loops + 2, np.int64)
    for k in bound:
        for m in range(start[k], start[k + 1]):
            begin[item[m] + 2] += 1
    for i in range(n_loops):
        begin[i + 2] += begin[i + 1]
    square = np.empty(begin[n_loops + 1], np.int32)
    for s in range(bound.size):
        k = bound[s]
        for m in range(start[k], start[k + 1]):
            i = item[m]
            square[begin[i + 1]] = s
            begin[i + 1] += 1
    return begin[:-1], square


@njit(cache=True, nogil=True)
def _flip(word: Array, some: Array, s: int) -> None:
    """Let ``s`` into a set of numbers, or out of it; ``some``: the words that may not be zero."""
    i = s >> 6
    word[i] ^= np.uint64(1) << np.uint64(s & 63)
    some[i >> 6] |= np.uint64(1) << np.uint64(i & 63)


@njit(cache=True, nogil=True)
def _lowest(x: Any) -> int:  # noqa: ANN401 - uint64
    """Place of the lowest bit that is set in a uint64."""
    return _PLACE[(x & (~x + np.uint64(1))) * np.uint64(_DE_BRUIJN) >> np.uint64(58)]


@njit(cache=True, nogil=True)
def _first(word: Array, some: Array, i: int) -> int:
    """Smallest number in the set, none of which is below 4096 i; -1 if it is empty."""
    for k in range(i, some.size):
        while some[k]:
            j = 64 * k + _lowest(some[k])
            if word[j]:
                return 64 * j + _lowest(word[j])
            some[k] &= some[k] - np.uint64(1)
    return -1


@njit(cache=True, nogil=True)
def _reduce(begin: Array, square: Array, n_squares: int, killer: Array, stop: Array) -> Array:
    """Coboundaries of the loops in critical squares, reduced from the right.

    The columns are those of persistent cohomology, which pairs alike: in a plateau they stay short
    where boundaries fill in. ``killer`` (loops,), out: the square that fills a loop, -1 for none.
    Returns the squares that fill none.
    """
    owner = np.full(n_squares, -1, np.int32)
    low, high = begin[:-1].copy(), begin[1:].copy()
    word = np.zeros((n_squares >> 6) + 1, np.uint64)
    some = np.zeros((word.size >> 6) + 1, np.uint64)
    end = square.size
    for i in range(killer.size - 1, -1, -1):
        if stop[0]:
            break
        if low[i] == high[i]:
            continue
        s = square[low[i]]
        if owner[s] >= 0:
            j = i
            while True:
                for m in range(low[j], high[j]):
                    _flip(word, some, square[m])
                s = _first(word, some, s >> 12)
                if s < 0 or owner[s] < 0:
                    break
                j = owner[s]
            low[i] = end
            t = s
            while t >= 0:
                if end == square.size:
                    square = grown(square, 2 * end)
                square[end] = t
                end += 1
                _flip(word, some, t)
                t = _first(word, some, t >> 12)
            high[i] = end
        if s >= 0:
            owner[s] = i
            killer[i] = s
    return np.nonzero(owner < 0)[0]


@njit(cache=True, nogil=True)
def _join_edges(
    rank: Array,
    same: Array,
    stride: Array,
    below: Array,
    flow: Array,
    edge_rank: Array,
    edge: Array,
    outside: int,
) -> tuple[Array, int, int]:
    """Components of vertices, over critical edges upwards: edges that join are dropped.

    Returns (birth, death) ranks (P, 2), the number of loops left, whose ranks are now first in
    ``edge_rank`` and which flow to sets of their own, and a member of the component that stays.
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
            edge_rank[loops] = r
            loops += 1
            flow[e] = loops
            continue
        if rank[young] < rank[old]:
            old, young = young, old
        below[young] = old
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
    copy(square[keep:], square)  # forwards, so that they may overlap
    copy(square_rank[keep:], square_rank)
    return pair[:n], left


@njit(cache=True, nogil=True)
def _rank_pairs(
    at: Array,
    same: Array,
    shape: tuple[int, int, int],
    dual: bool,
    reduces: bool,
    tables: tuple[Array, Array, Array, Array],
    scratch: tuple[Array, Array, Array, Array],
    stop: Array,
) -> tuple[tuple[Array, Array, Array], tuple[Array, Array, Array, Array]]:
    """Classes of the vertex complex whose entries enter in the order ``at``, as ranks.

    Returns (birth, death) (P, 2) in H0, H1, H2 and births (E,) of essential classes in H0 to H3,
    before duality. H1, and H2 of essential classes, only if it ``reduces``.
    """
    d0, d1, d2 = shape
    n = d0 * d1 * d2
    stride = np.array([(d1 + 2) * (d2 + 2), d2 + 2, 1])
    size = (d0 + 2) * stride[0]
    rank, below, above, flow = scratch
    pair1 = np.empty((0, 2), np.int32)
    alone1, alone2 = np.empty(0, np.int32), np.empty(0, np.int32)
    rank[:] = -1 if dual else _ABSENT
    for r in range(n):
        below[at[r]] = n - 1 - r if dual else r  # for the moment
    for row in range(d0 * d1):
        q = (row // d1 + 1) * stride[0] + (row % d1 + 1) * stride[1] + 1
        copy(below[row * d2 : (row + 1) * d2], rank[q : q + d2])
    for q in range(size):
        rank[q] = rank[same[q]]
    below[:] = size  # the outside, the eldest component
    below[size] = -1
    rank[size] = -1
    above[:] = size
    above[size] = -1
    flow[:] = 0
    edge_rank, edge, square_rank, square = _gradient(
        rank, same, (d0, d1, d2), tables, below, above, flow, stop
    )
    if stop[0]:
        return (pair1, pair1, pair1), (alone1, alone1, alone1, alone1)
    pair0, n_loops, last = _join_edges(rank, same, stride, below, flow, edge_rank, edge, size)
    if edge.size == 0:  # one component, without critical edges
        last = _root(below, stride[0] + stride[1] + 1)
    pair2, n_squares = _join_squares(rank, same, stride, above, square_rank, square)
    if reduces:
        item, start, bound = _boundaries(same, stride, flow, square[:n_squares], n_loops, stop)
        if stop[0]:
            return (pair1, pair1, pair1), (alone1, alone1, alone1, alone1)
        begin_of, square_of = _coboundaries(item, start, bound, n_loops)
        killer = np.full(n_loops, -1, np.int32)
        closed = _reduce(begin_of, square_of, n_squares, killer, stop)
        if stop[0]:
            return (pair1, pair1, pair1), (alone1, alone1, alone1, alone1)
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
    return (pair0, pair1, pair2), (alone0, alone1, alone2, alone3)


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
    stop: Array,
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

    A NaN ends the work at its sample, whose count is -1; ``stop`` (1,) ends it with any result.
    Not checked here: periods of 2 and more; 3 (D + 2)(H + 2)(W + 2) < 2**31.
    About 60 bytes an entry of scratch, and up to twice as much where plateaus are large.

    Shapes:  x (B, D, H, W) float, C-contiguous · word (0,), the unsigned integer of x's width
    Returns: what ``Chunk`` holds; count (end - begin, 2, 4).
    Source:  Robins, Wood, Sheppard, IEEE TPAMI 33, 1646 (2011), for the gradient; Garin et al.,
             arXiv:2005.04597, for the duality.
    """
    _, d0, d1, d2 = x.shape
    n = d0 * d1 * d2
    size = (d0 + 2) * (d1 + 2) * (d2 + 2)
    same = np.empty(size, np.int32)
    _canonical((d0, d1, d2), wrap, same)
    rank = np.empty(size + 1, np.int32)
    at = np.empty(n, np.int32)
    below, above = np.empty(size + 1, np.int32), np.empty(size + 1, np.int32)
    flow = np.empty(3 * size, np.int32)
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
        (pair0, pair1, pair2), (alone0, alone1, alone2, alone3) = _rank_pairs(
            at, same, (d0, d1, d2), dual, reduces, tables, (rank, below, above, flow), stop
        )
        if stop[0]:
            break
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
