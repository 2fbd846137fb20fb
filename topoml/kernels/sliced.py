"""Kernels: diagrams projected to lines, and the transport between them on each line."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["project", "sort_middles", "sum_lines", "transport_gradient", "transport_on_line"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(cache=True, nogil=True)
def sort_middles(points: Floats, start: Ints, middle: Floats, rank: Ints) -> None:
    """The middles (birth + death) / 2 of each block, ascending, and whose they are.

    Shapes:  points (F, 2) · start (B + 1,) · middle, rank (F,), the rank counted within the block
    """
    for k in range(len(start) - 1):
        first, n = start[k], start[k + 1] - start[k]
        half = np.empty(n)
        for i in range(n):
            half[i] = (points[first + i, 0] + points[first + i, 1]) / 2.0
        order = np.argsort(half)
        for i in range(n):
            middle[first + i], rank[first + i] = half[order[i]], order[i]


@njit(cache=True, nogil=True)
def _sort_along(points: Floats, cosine: float, sine: float, along: Floats, rank: Ints) -> None:
    """Sort the projections of some points, in ``rank`` order, and ``rank`` along with them.

    From their order along a direction nearby, by insertion, or else from nothing.
    """
    n = len(points)
    moves = 16 * n
    for i in range(n):
        r = rank[i]
        x = points[r, 0] * cosine + points[r, 1] * sine
        j = i
        while j > 0 and along[j - 1] > x:
            along[j], rank[j] = along[j - 1], rank[j - 1]
            j -= 1
        along[j], rank[j] = x, r
        moves -= i - j
        if moves < 0:
            break
    if moves < 0:
        for i in range(n):
            along[i] = points[i, 0] * cosine + points[i, 1] * sine
        order = np.argsort(along[:n])
        values = along[:n].copy()
        for i in range(n):
            along[i], rank[i] = values[order[i]], order[i]


@njit(cache=True, nogil=True, error_model="numpy")
def project(
    points: Floats,
    start: Ints,
    middle: Floats,
    middle_rank: Ints,
    cosine: float,
    sine: float,
    rank: Ints,
    place: Floats,
    level: Floats,
    slot: Ints,
) -> None:
    """Sort each block's points and their nearest points on the diagonal along one direction.

    Block k has its n points and n diagonal points at 2 start[k] + k and the 2 n places after it:
    ``place`` holds where they lie, in ascending order, then inf; ``level`` 0, then the number of
    points less that of diagonal points up to each place; ``slot`` which it is, 0 to n - 1 for a
    point and n to 2 n - 1 for a diagonal point.

    ``middle`` and ``middle_rank`` are those of ``sort_middles``. ``rank`` holds the order of each
    block's points along the direction of the last call, or any; after it, along this one.

    Shapes:  points (F, 2) · start (B + 1,) · middle, middle_rank, rank (F,) · place, level, slot
             (2 F + B,)
    """
    for k in range(len(start) - 1):
        first, n = start[k], start[k + 1] - start[k]
        at = 2 * first + k
        along, across = np.empty(n + 1), np.empty(n + 1)
        of_point, of_middle = rank[first : first + n], np.empty(n + 1, np.int64)
        _sort_along(points[first : first + n], cosine, sine, along, of_point)
        slope = cosine + sine
        for i in range(n):
            j = first + (i if slope >= 0.0 else n - 1 - i)
            across[i], of_middle[i] = middle[j] * slope, n + middle_rank[j]
        along[n] = across[n] = np.inf
        of_middle[n] = -1
        i = j = 0
        height = 0.0
        level[at] = 0.0
        for _ in range(2 * n):
            x, y = along[i], across[j]
            upper = int(x <= y)
            place[at] = min(x, y)
            slot[at] = of_point[min(i, n - 1)] if upper else of_middle[j]
            height += 2.0 * upper - 1.0
            i += upper
            j += 1 - upper
            at += 1
            level[at] = height
        place[at] = np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def _walk(
    place: Floats,
    level: Floats,
    place_b: Floats,
    level_b: Floats,
    state: tuple[int, int, float, float],
    steps: int,
) -> float:
    """The area of the steps that are left, added to that of the state (i, j, last place, area)."""
    i, j, last, area = state
    height = level[i] - level_b[j]
    for _ in range(steps):
        x, y = place[i], place_b[j]
        first = int(x <= y)
        here = min(x, y)
        area += (here - last) * abs(height)
        last = here
        i += first
        j += 1 - first
        height = level[i] - level_b[j]
    return area


@njit(cache=True, nogil=True, error_model="numpy")
def transport_on_line(
    place: Floats, level: Floats, place_b: Floats, level_b: Floats, blocks: Ints, cost: Floats
) -> None:
    """The area between the levels of two projected blocks, for each pair of them.

    That is the transport of the points of a and the diagonal points of b to those of b and the
    diagonal points of a. Four pairs are walked side by side, as each step waits for the one before.

    Shapes:  blocks (Q, 4): places of a from, to (the inf), of b from, to · cost (Q,)
    """
    p, q, f, g = place, place_b, level, level_b
    together = len(blocks) // 4 * 4
    for k in range(0, together, 4):
        i, i2, i3, i4 = blocks[k, 0], blocks[k + 1, 0], blocks[k + 2, 0], blocks[k + 3, 0]
        j, j2, j3, j4 = blocks[k, 2], blocks[k + 1, 2], blocks[k + 2, 2], blocks[k + 3, 2]
        steps = blocks[k : k + 4, 1] - blocks[k : k + 4, 0]
        steps += blocks[k : k + 4, 3] - blocks[k : k + 4, 2]
        area = area2 = area3 = area4 = 0.0
        last = last2 = last3 = last4 = 0.0
        height = height2 = height3 = height4 = 0.0
        shared = steps.min()
        for _ in range(shared):
            x, x2, x3, x4 = p[i], p[i2], p[i3], p[i4]
            y, y2, y3, y4 = q[j], q[j2], q[j3], q[j4]
            first, first2, first3, first4 = int(x <= y), int(x2 <= y2), int(x3 <= y3), int(x4 <= y4)
            here, here2, here3, here4 = min(x, y), min(x2, y2), min(x3, y3), min(x4, y4)
            area += (here - last) * abs(height)
            area2 += (here2 - last2) * abs(height2)
            area3 += (here3 - last3) * abs(height3)
            area4 += (here4 - last4) * abs(height4)
            last, last2, last3, last4 = here, here2, here3, here4
            i, i2, i3, i4 = i + first, i2 + first2, i3 + first3, i4 + first4
            j, j2, j3, j4 = j + 1 - first, j2 + 1 - first2, j3 + 1 - first3, j4 + 1 - first4
            height, height2 = f[i] - g[j], f[i2] - g[j2]
            height3, height4 = f[i3] - g[j3], f[i4] - g[j4]
        steps -= shared
        cost[k] = _walk(p, f, q, g, (i, j, last, area), steps[0])
        cost[k + 1] = _walk(p, f, q, g, (i2, j2, last2, area2), steps[1])
        cost[k + 2] = _walk(p, f, q, g, (i3, j3, last3, area3), steps[2])
        cost[k + 3] = _walk(p, f, q, g, (i4, j4, last4, area4), steps[3])
    for k in range(together, len(blocks)):
        begin, end, begin_b, end_b = blocks[k]
        cost[k] = _walk(p, f, q, g, (begin, begin_b, 0.0, 0.0), end - begin + end_b - begin_b)


@njit(cache=True, nogil=True, error_model="numpy")
def transport_gradient(
    place: Floats,
    level: Floats,
    place_b: Floats,
    level_b: Floats,
    blocks: Ints,
    weight: Floats,
    out: Floats,
    out_b: Floats,
) -> None:
    """Add the derivatives of sum(weight * cost) of ``transport_on_line`` by all places.

    Where places coincide, the mean of the derivatives to the left and to the right: with levels f
    before and g behind them, (|f| - |f + s| + |g - s| - |g|) / 2 for a step s.

    Shapes:  out as place, out_b as place_b
    """
    for k in range(len(blocks)):
        begin, end, begin_b, end_b = blocks[k, 0], blocks[k, 1], blocks[k, 2], blocks[k, 3]
        p, f, grad = place[begin : end + 1], level[begin : end + 1], out[begin : end + 1]
        q, g = place_b[begin_b : end_b + 1], level_b[begin_b : end_b + 1]
        grad_b = out_b[begin_b : end_b + 1]
        i = j = 0
        before = 0.0
        half = weight[k] / 2.0
        while i + j < len(p) + len(q) - 2:
            first = int(p[i] <= q[j])
            here = min(p[i], q[j])
            i_next, j_next = i + first, j + 1 - first
            if p[i_next] != here and q[j_next] != here:
                behind = f[i_next] - g[j_next]
                slope = weight[k] * (abs(before) - abs(behind))
                grad[i] += slope * first  # one of them is 0: cheaper than a branch
                grad_b[j] += slope * (1 - first)
                i, j, before = i_next, j_next, behind
                continue
            while p[i_next] == here:
                i_next += 1
            while q[j_next] == here:
                j_next += 1
            behind = f[i_next] - g[j_next]
            up = half * (abs(before) - abs(before + 1.0) + abs(behind - 1.0) - abs(behind))
            down = half * (abs(before) - abs(before - 1.0) + abs(behind + 1.0) - abs(behind))
            while i < i_next:
                grad[i] += up if f[i + 1] > f[i] else down
                i += 1
            while j < j_next:
                grad_b[j] += down if g[j + 1] > g[j] else up
                j += 1
            before = behind


@njit(cache=True, nogil=True, error_model="numpy")
def sum_lines(
    start: Ints, slot: Ints, cosine: float, sine: float, by_place: Floats, out: Floats
) -> None:
    """Add to out (F, 2) the derivatives by the points from those by the places of ``project``."""
    for k in range(len(start) - 1):
        first, n = start[k], start[k + 1] - start[k]
        at = 2 * first + k
        for j in range(at, at + 2 * n):
            i = slot[j]
            if i < n:
                out[first + i, 0] += by_place[j] * cosine
                out[first + i, 1] += by_place[j] * sine
            else:
                half = by_place[j] * (cosine + sine) / 2.0
                out[first + i - n, 0] += half
                out[first + i - n, 1] += half
