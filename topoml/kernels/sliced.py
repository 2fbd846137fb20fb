"""Kernels: diagrams projected to lines, and the transport between them on each line."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["project", "sum_lines", "transport_gradient", "transport_on_line"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def project(
    points: Floats,
    start: Ints,
    cosine: float,
    sine: float,
    place: Floats,
    level: Floats,
    slot: Ints,
) -> None:
    """Sort each block's points and their nearest points on the diagonal along one direction.

    Block k has its n points and n diagonal points at 2 start[k] + k and the 2 n places after it:
    ``place`` holds where they lie, in ascending order, then inf; ``level`` 0, then the number of
    points less that of diagonal points up to each place; ``slot`` which it is, 0 to n - 1 for a
    point and n to 2 n - 1 for a diagonal point.

    Shapes:  points (F, 2) · start (B + 1,) · place, level, slot (2 F + B,)
    """
    for k in range(len(start) - 1):
        first, n = start[k], start[k + 1] - start[k]
        at = 2 * first + k
        along, middle = np.empty(n), np.empty(n)
        for i in range(n):
            birth, death = points[first + i, 0], points[first + i, 1]
            along[i] = birth * cosine + death * sine
            half = (birth + death) / 2.0
            middle[i] = half * cosine + half * sine
        rank, rank_middle = np.argsort(along), np.argsort(middle)
        i = j = 0
        height = 0.0
        level[at] = 0.0
        for _ in range(2 * n):
            if j == n or (i < n and along[rank[i]] <= middle[rank_middle[j]]):
                place[at], slot[at] = along[rank[i]], rank[i]
                height += 1.0
                i += 1
            else:
                place[at], slot[at] = middle[rank_middle[j]], n + rank_middle[j]
                height -= 1.0
                j += 1
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
    diagonal points of a. Two pairs are walked side by side, as every step waits for the one before.

    Shapes:  blocks (Q, 4): places of a from, to (the inf), of b from, to · cost (Q,)
    """
    for k in range(0, len(blocks) - 1, 2):
        p, f = place[blocks[k, 0] : blocks[k, 1] + 1], level[blocks[k, 0] : blocks[k, 1] + 1]
        q, g = place_b[blocks[k, 2] : blocks[k, 3] + 1], level_b[blocks[k, 2] : blocks[k, 3] + 1]
        p2, f2 = place[blocks[k + 1, 0] : blocks[k + 1, 1] + 1], level[blocks[k + 1, 0] :]
        q2, g2 = place_b[blocks[k + 1, 2] : blocks[k + 1, 3] + 1], level_b[blocks[k + 1, 2] :]
        steps, steps2 = len(p) + len(q) - 2, len(p2) + len(q2) - 2
        i = j = i2 = j2 = 0
        area = last = height = area2 = last2 = height2 = 0.0
        for _ in range(min(steps, steps2)):
            x, y, x2, y2 = p[i], q[j], p2[i2], q2[j2]
            first, first2 = int(x <= y), int(x2 <= y2)
            here, here2 = min(x, y), min(x2, y2)
            area += (here - last) * abs(height)
            area2 += (here2 - last2) * abs(height2)
            last, last2 = here, here2
            i += first
            j += 1 - first
            i2 += first2
            j2 += 1 - first2
            height, height2 = f[i] - g[j], f2[i2] - g2[j2]
        cost[k] = _walk(p, f, q, g, (i, j, last, area), max(0, steps - steps2))
        cost[k + 1] = _walk(p2, f2, q2, g2, (i2, j2, last2, area2), max(0, steps2 - steps))
    if len(blocks) % 2:
        begin, end, begin_b, end_b = blocks[-1]
        p, f = place[begin : end + 1], level[begin : end + 1]
        q, g = place_b[begin_b : end_b + 1], level_b[begin_b : end_b + 1]
        cost[-1] = _walk(p, f, q, g, (0, 0, 0.0, 0.0), len(p) + len(q) - 2)


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
