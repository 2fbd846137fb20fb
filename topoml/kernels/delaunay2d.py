"""Delaunay triangulations of points in the plane, with exact predicates."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .radix import sort_by_value

__all__ = ["NONE", "in_circle", "opening", "ordered", "orientation", "triangulate"]

# A mesh is (origin, after, before), each (6 n + 1,) uint32. Edge e leads from origin[e] to
# origin[e ^ 1], and e ^ 1 back. after[e] and before[e] are its neighbours counterclockwise and
# clockwise around the origin: before[e ^ 1] is the next edge around the face on the left of e.
# after[-1] is an edge that is not in use, its origin NONE, its after the next such edge, and so on.

Array = NDArray[Any]
Index = int | np.int64
Mesh = tuple[Array, Array, Array]

NONE = 2**32 - 1
EPSILON = 2.0**-53
LINE_BOUND = (3 + 16 * EPSILON) * EPSILON
CIRCLE_BOUND = (10 + 96 * EPSILON) * EPSILON
SPLITTER = 2.0**27 + 1
SIGN = np.uint64(2**63)
TURN, OPENING, CIRCLE = 0, 1, 2  # handed over as np.int64, as numba compiles for each literal
DENSITY = 0.35  # of strips, times sqrt(n): the fastest of some that were tried


@njit(cache=True, nogil=True)
def _add_product(total: Array, e: Array, f: Array, sign: float) -> None:
    """Add ``sign`` (1 or -1) times the product of the expansions ``e`` and ``f`` to ``total``.

    An expansion is a sum of floats other than 0 that do not overlap, ascending in magnitude; its
    first entry is their number. Exact, as long as no product over- or underflows.

    Source: Shewchuk, Discrete Comput. Geom. 18, 305 (1997): the product of two floats by Theorem
        18 (Dekker, Veltkamp), the sum of an expansion and a float by Theorem 10 (Grow-Expansion).
    """
    size: Index = np.int64(total[0])
    for i in range(1, np.int64(e[0]) + 1):
        a = sign * e[i]
        t = SPLITTER * a
        a_high = t - (t - a)
        a_low = a - a_high
        for j in range(1, np.int64(f[0]) + 1):
            b = f[j]
            t = SPLITTER * b
            b_high = t - (t - b)
            b_low = b - b_high
            p = a * b
            rest = a_low * b_low - (((p - a_high * b_high) - a_low * b_high) - a_high * b_low)
            for c in (rest, p):
                n = 0
                for k in range(1, size + 1):
                    s = total[k] + c
                    t = s - c
                    rest = (c - (s - t)) + (total[k] - t)
                    c = s
                    if rest != 0.0:
                        n += 1
                        total[n] = rest
                if c != 0.0:
                    n += 1
                    total[n] = c
                size = n
    total[0] = size


@njit(cache=True, nogil=True, inline="always")
def _exactly(kind: Index, side: Array) -> float:
    """The determinant of ``_closely`` from the sides, expansions (6, 3)."""
    lift, minor = np.empty(18), np.empty(18)
    total = np.empty(1800 if kind == CIRCLE else 18)
    total[0] = 0
    for i in range(3):
        if kind == CIRCLE:
            j, k = 2 * ((i + 1) % 3), 2 * ((i + 2) % 3)
            lift[0] = minor[0] = 0
            for axis in range(2):
                _add_product(lift, side[2 * i + axis], side[2 * i + axis], 1.0)
                _add_product(minor, side[j + axis], side[k + 1 - axis], 1.0 - 2 * axis)
            _add_product(total, lift, minor, 1.0)
        elif i < 2:
            j = 2 + i if kind == OPENING else 3 - i
            _add_product(total, side[i], side[j], -1.0 if i and kind == TURN else 1.0)
    value = 0.0
    for k in range(1, np.int64(total[0]) + 1):
        value += total[k]
    return value


@njit(cache=True, nogil=True)
def _closely(
    kind: Index,
    ax: float,
    ay: float,
    bx: float,
    by: float,
    cx: float,
    cy: float,
    dx: float,
    dy: float,
) -> float:
    """A determinant whose sign floats decide, or else exact arithmetic.

    Of u = a - d, v = b - d, w = c - d: u x v (TURN), u . v (OPENING), or |u|^2 (v x w) + |v|^2
    (w x u) + |w|^2 (u x v) (CIRCLE).

    Source: Shewchuk, Discrete Comput. Geom. 18, 305 (1997), the bounds A of ORIENT2D and INCIRCLE.
    """
    ux, uy, vx, vy, wx, wy = ax - dx, ay - dy, bx - dx, by - dy, cx - dx, cy - dy
    uv, vu = ux * vy, uy * vx
    if kind == OPENING:
        uv, vu = ux * vx, -uy * vy
    det, size, bound = uv - vu, abs(uv) + abs(vu), LINE_BOUND
    if kind == CIRCLE:
        u, v, w = ux * ux + uy * uy, vx * vx + vy * vy, wx * wx + wy * wy
        vw, wv, wu, uw = vx * wy, vy * wx, wx * uy, wy * ux
        det = u * (vw - wv) + v * (wu - uw) + w * det
        size = u * (abs(vw) + abs(wv)) + v * (abs(wu) + abs(uw)) + w * size
        bound = CIRCLE_BOUND
    if abs(det) > bound * size:
        return det
    side = np.empty((6, 3))
    k = 0
    for p, q, s in (
        (ax, dx, ux),
        (ay, dy, uy),
        (bx, dx, vx),
        (by, dy, vy),
        (cx, dx, wx),
        (cy, dy, wy),
    ):
        t = s - p
        rest = (p - (s - t)) - (q + t)
        n = 0
        for part in (rest, s):
            if part != 0.0:
                n += 1
                side[k, n] = part
        side[k, 0] = n
        k += 1
    return _exactly(kind, side)


@njit(cache=True, nogil=True)
def orientation(
    bound: float, ax: float, ay: float, bx: float, by: float, cx: float, cy: float
) -> float:
    """(a - c) x (b - c), twice the area of the triangle: > 0 if abc is counterclockwise.

    The sign is exact; the error is at most 4 roundings of |a - c| |b - c|. ``bound``: floats err
    by less, for all points that are asked about; inf if nothing is known.

    Not checked here: coordinates other than 0 are from 2^-198 to 2^250 in magnitude.
    """
    det = (ax - cx) * (by - cy) - (ay - cy) * (bx - cx)
    return det if abs(det) > bound else _closely(np.int64(TURN), ax, ay, bx, by, cx, cy, cx, cy)


@njit(cache=True, nogil=True)
def opening(
    bound: float, ax: float, ay: float, bx: float, by: float, cx: float, cy: float
) -> float:
    """(a - c) . (b - c): < 0 if the angle at c is obtuse. As ``orientation``."""
    dot = (ax - cx) * (bx - cx) + (ay - cy) * (by - cy)
    return dot if abs(dot) > bound else _closely(np.int64(OPENING), ax, ay, bx, by, cx, cy, cx, cy)


@njit(cache=True, nogil=True)
def in_circle(
    bound: float,
    ax: float,
    ay: float,
    bx: float,
    by: float,
    cx: float,
    cy: float,
    dx: float,
    dy: float,
) -> float:
    """A number that is > 0 if d is inside the circle abc, counterclockwise, 0 if it is on it.

    The sign is exact. ``bound`` and coordinates as in ``orientation``.
    """
    ux, uy, vx, vy, wx, wy = ax - dx, ay - dy, bx - dx, by - dy, cx - dx, cy - dy
    det = (
        (ux * ux + uy * uy) * (vx * wy - vy * wx)
        + (vx * vx + vy * vy) * (wx * uy - wy * ux)
        + (wx * wx + wy * wy) * (ux * vy - uy * vx)
    )
    return det if abs(det) > bound else _closely(np.int64(CIRCLE), ax, ay, bx, by, cx, cy, dx, dy)


@njit(cache=True, nogil=True)
def _distinct(points: Array, bits: Array) -> Array:
    """Numbers of the points in the order (y, -x), of equal ones the first alone."""
    n = len(points)
    index, index2 = np.empty(n, np.int32), np.empty(n, np.int32)
    key, key2 = np.empty(n, np.uint64), np.empty(n, np.uint64)
    tag, tag2 = np.empty(n, np.uint8), np.empty(n, np.uint8)
    for k in range(n):
        index[k] = k
    for step in range(3):  # by y; if there are ties, by -x and by y again
        for k in range(n):
            i = index[k]
            key[k] = bits[i, 0] ^ SIGN if step == 1 else bits[i, 1]
        if sort_by_value(key, index, tag, key2, index2, tag2, n):
            index, index2 = index2, index
        tied = step > 0
        for k in range(1, n):
            tied = tied or points[index[k], 1] == points[index[k - 1], 1]
        if not tied:
            return index
    m = 1
    for k in range(1, n):
        i, j = index[k], index[m - 1]
        if points[i, 0] != points[j, 0] or points[i, 1] != points[j, 1]:
            index[m] = i
            m += 1
    return index[:m]


@njit(cache=True, nogil=True)
def _strip_of(points: Array, index: Array, place: Array) -> Array:
    """The strip of each point of ``index``, and the ``place`` of the first one of each strip.

    Strips are bounded by x, and each of n > 1 points has at least two of them.
    """
    n = len(index)
    of, strip = np.empty(n, np.int32), np.empty(n, np.int32)
    low = high = points[index[0], 0]
    for k in range(n):
        x = points[index[k], 0]
        low, high = min(low, x), max(high, x)
        strip[k] = 0
    scale = n / (high - low) if high > low else 0.0
    for k in range(n):  # how many points there are in each of n bins
        of[k] = min(int((points[index[k], 0] - low) * scale), n - 1)
        strip[of[k]] += 1
    least = max(2, int(np.sqrt(n) / DENSITY))
    s = total = 0
    place[0] = 0
    for j in range(n):
        if total - place[s] >= least and n - total >= least:
            s += 1
            place[s] = total
        total += strip[j]
        strip[j] = s
    for k in range(n):
        of[k] = strip[of[k]]
    return of


@njit(cache=True, nogil=True)
def ordered(
    points: Array, bits: Array, start: Array, begin: int, end: int
) -> tuple[Array, Array, Array, Array, Array]:
    """The points of samples ``begin`` to ``end`` as ``triangulate`` wants them.

    Strip by strip with ascending x, and within a strip in the order (y, -x); points that are in
    none, as they are at the place of another, are left out. The order depends on the places alone.

    Shapes:  points (sum n, 2) float64, without negative zeros · bits: the same, as uint64
             start (B + 1,): of each sample in ``points``
    Returns: x, y, number (N,): the points; ``strip`` (N,): ends of strips; N from ``start``, as if
             no point were left out; size (end - begin,): points that are there.
    """
    room = start[end] - start[begin]
    x, y = np.empty(room), np.empty(room)
    number, strip = np.empty(room, np.int32), np.empty(room, np.int32)
    size = np.empty(end - begin, np.int64)
    for s in range(end - begin):
        i, j = start[begin + s], start[begin + s + 1]
        o = i - start[begin]
        index = _distinct(points[i:j], bits[i:j])
        size[s] = len(index)
        of = _strip_of(points[i:j], index, strip[o:])
        for k in range(len(index)):
            at = o + strip[o + of[k]]
            strip[o + of[k]] += 1
            x[at], y[at], number[at] = points[i + index[k], 0], points[i + index[k], 1], index[k]
    return x, y, number, strip, size


@njit(cache=True, nogil=True)
def _connect(mesh: Mesh, a: Index, b: Index, behind: Index, and_behind: Index) -> Index:
    """A new edge from a to b, in the rings next after ``behind`` and ``and_behind``, or alone."""
    origin, after, before = mesh
    e = np.int64(after[-1])
    after[-1] = after[e]
    origin[e], origin[e + 1] = a, b
    for d in range(e, e + 2):
        at = behind if d == e else and_behind
        if at == NONE:
            after[d] = at = d
        following = after[at]
        after[at], before[d] = d, at
        after[d], before[following] = following, d
    return e


@njit(cache=True, nogil=True)
def _remove(mesh: Mesh, e: Index) -> None:
    """Take an edge out of the rings of its ends."""
    origin, after, before = mesh
    e &= ~1
    for d in range(e, e + 2):
        following, previous = after[d], before[d]
        after[previous], before[following] = following, previous
        origin[d] = NONE
    after[e] = after[-1]
    after[-1] = e


@njit(cache=True, nogil=True)
def _leaf(x: Array, y: Array, mesh: Mesh, i: Index, size: Index) -> tuple[Index, Index]:
    """Triangulate ``size`` points, 2 or 3, from ``i`` on. Returns what ``_merge`` does."""
    alone = np.int64(NONE)
    a = _connect(mesh, i, i + 1, alone, alone)
    if size == 2:
        return a, a ^ 1
    b = _connect(mesh, i + 1, i + 2, a ^ 1, alone)
    turn = orientation(np.inf, x[i], y[i], x[i + 1], y[i + 1], x[i + 2], y[i + 2])
    if turn != 0.0:
        c = _connect(mesh, i + 2, i, b ^ 1, a)
        if turn < 0.0:
            return c ^ 1, c
    return a, b ^ 1


@njit(cache=True, nogil=True)
def _merge(
    x: Array,
    y: Array,
    bounds: tuple[float, float],
    mesh: Mesh,
    stop: Array,
    first: Index,
    left: Index,
    right: Index,
    last: Index,
) -> tuple[Index, Index]:
    """Join the triangulations of two sets of points, one before the other in their order.

    In the order (x, y), or that after a rotation. Each set is given, and their union returned, as
    two edges of its hull: out of the first point counterclockwise, out of the last one clockwise.

    Source: Guibas & Stolfi, ACM Trans. Graph. 4, 74 (1985), section 9.
    """
    origin, after, before = mesh
    line, circle = bounds
    a, b = np.int64(origin[left]), np.int64(origin[right])
    while not stop[0]:  # down to the common tangent
        c, d = np.int64(origin[left ^ 1]), np.int64(origin[right ^ 1])
        if orientation(line, x[a], y[a], x[c], y[c], x[b], y[b]) > 0.0:
            left, a = np.int64(before[left ^ 1]), c
        elif orientation(line, x[b], y[b], x[d], y[d], x[a], y[a]) < 0.0:
            right, b = np.int64(after[right ^ 1]), d
        else:
            break
    base = _connect(mesh, b, a, np.int64(before[right]), left)
    if a == origin[first]:
        first = base ^ 1
    if b == origin[last]:
        last = base
    while not stop[0]:  # the next edge upwards leads from a to d or from b to c
        left, right = np.int64(after[base ^ 1]), np.int64(before[base])
        c, d = np.int64(origin[left ^ 1]), np.int64(origin[right ^ 1])
        ax, ay, bx, by, cx, cy, dx, dy = x[a], y[a], x[b], y[b], x[c], y[c], x[d], y[d]
        rises_left = orientation(line, ax, ay, bx, by, cx, cy) > 0.0
        rises_right = orientation(line, ax, ay, bx, by, dx, dy) > 0.0
        if not (rises_left or rises_right):
            break
        while rises_left:
            following = np.int64(after[left])
            t = np.int64(origin[following ^ 1])
            if t == b or in_circle(circle, ax, ay, bx, by, cx, cy, x[t], y[t]) <= 0.0:
                break
            _remove(mesh, left)
            left, c, cx, cy = following, t, x[t], y[t]
        while rises_right:
            following = np.int64(before[right])
            t = np.int64(origin[following ^ 1])
            if t == a or in_circle(circle, ax, ay, bx, by, dx, dy, x[t], y[t]) <= 0.0:
                break
            _remove(mesh, right)
            right, d, dx, dy = following, t, x[t], y[t]
        if rises_left and not (
            rises_right and in_circle(circle, ax, ay, bx, by, cx, cy, dx, dy) > 0.0
        ):
            base = _connect(mesh, b, c, np.int64(before[base]), left ^ 1)
            a = c
        else:
            base = _connect(mesh, d, a, np.int64(before[right ^ 1]), base ^ 1)
            b = d
    return first, last


@njit(cache=True, nogil=True, inline="always")
def _merge_all(
    x: Array,
    y: Array,
    bounds: tuple[float, float],
    mesh: Mesh,
    stop: Array,
    first: Array,
    last: Array,
    at: Index,
    n: Index,
) -> None:
    """Join the ``n`` triangulations at ``first[at:]``, ``last[at:]``, pair by pair."""
    while n > 1:
        for k in range(n // 2):
            i, j = at + 2 * k, at + 2 * k + 1
            first[at + k], last[at + k] = _merge(
                x, y, bounds, mesh, stop, first[i], last[i], first[j], last[j]
            )
        if n % 2:
            first[at + n // 2], last[at + n // 2] = first[at + n - 1], last[at + n - 1]
        n = -(-n // 2)


@njit(cache=True, nogil=True)
def _extremes(x: Array, y: Array, mesh: Mesh, start: Index) -> tuple[Index, Index]:
    """The edges that ``_merge`` returns, from any that has the outside on its right."""
    origin, after, _ = mesh
    e, first, last = start, start, start ^ 1
    while True:
        a, b = origin[first], origin[e]
        if x[b] < x[a] or (x[b] == x[a] and y[b] < y[a]):
            first = e
        a, b = origin[last], origin[e ^ 1]
        if x[b] > x[a] or (x[b] == x[a] and y[b] > y[a]):
            last = e ^ 1
        e = np.int64(after[e ^ 1])
        if e == start:
            return first, last


@njit(cache=True, nogil=True, inline="always")
def _error_bounds(x: Array, y: Array) -> tuple[float, float]:
    """Bounds for ``orientation`` and ``in_circle`` from the extent of the points."""
    x0 = x1 = x[0]
    y0 = y1 = y[0]
    for k in range(len(x)):
        x0, x1, y0, y1 = min(x0, x[k]), max(x1, x[k]), min(y0, y[k]), max(y1, y[k])
    square = max(x1 - x0, y1 - y0) ** 2
    line, circle = 8 * EPSILON * square, 128 * EPSILON * square * square
    return (line, circle) if circle > 2.0**-900 else (np.inf, np.inf)  # else it may underflow


@njit(cache=True, nogil=True, inline="always")
def _triangulate(
    x: Array, y: Array, strip: Array, bounds: tuple[float, float], mesh: Mesh, stop: Array
) -> Index:
    """The mesh of one sample; returns an edge that has the outside on its right."""
    n = len(x)
    origin, after, _ = mesh
    for e in range(0, 6 * n, 2):
        origin[e] = origin[e + 1] = NONE
        after[e] = e + 2
    after[-1] = 0
    first, last = np.empty(n, np.int64), np.empty(n, np.int64)
    first[0] = 0
    done = begin = np.int64(0)
    while begin < n and n > 1:
        end = np.int64(strip[done])
        m = -(-(end - begin) // 3)
        p = begin
        for k in range(m):
            q = begin + (k + 1) * (end - begin) // m
            first[done + k], last[done + k] = _leaf(x, y, mesh, p, q - p)
            p = q
        _merge_all(x, y, bounds, mesh, stop, first, last, done, m)
        if stop[0]:
            return 0
        first[done], last[done] = _extremes(x, y, mesh, first[done])
        begin = end
        done += 1
    _merge_all(x, y, bounds, mesh, stop, first, last, 0, done)
    return first[0]


@njit(cache=True, nogil=True)
def triangulate(
    x: Array, y: Array, strip: Array, size: Array, start: Array, begin: int, end: int, stop: Array
) -> tuple[Array, Array, Array, Array]:
    """Delaunay triangulations of samples ``begin`` to ``end``, from what ``ordered`` returns.

    No point is inside the circle of a triangle; of points on one circle, any triangulation. The
    points of each strip are divided and conquered along y, then the strips along x: O(n log n)
    time. Once ``stop`` (1,) is 1, it gives up: what it returns is no triangulation then.

    Returns: origin and before (6 N + end - begin,) uint32, for a sample from 6 (start[s] -
             start[begin]) + s - begin on, ``size`` counts; hull (end - begin,): an edge that has
             the outside on its right, 0 if there is none; bound (end - begin,), for
             ``orientation`` and ``opening``.
    Source:  Guibas & Stolfi, ACM Trans. Graph. 4, 74 (1985); strips as cells in Dwyer, Algorithmica
             2, 137 (1987).
    """
    room = 6 * len(x) + end - begin
    origin, after = np.empty(room, np.uint32), np.empty(room, np.uint32)
    before = np.empty(room, np.uint32)
    hull, bound = np.zeros(end - begin, np.int64), np.zeros(end - begin)
    for s in range(end - begin):
        if stop[0]:
            break
        i = start[begin + s] - start[begin]
        j, e, f = i + size[s], 6 * i + s, 6 * (i + size[s]) + s + 1
        bounds = _error_bounds(x[i:j], y[i:j])
        mesh = origin[e:f], after[e:f], before[e:f]
        hull[s] = _triangulate(x[i:j], y[i:j], strip[i:j], bounds, mesh, stop)
        bound[s] = bounds[0]
    return origin, before, hull, bound
