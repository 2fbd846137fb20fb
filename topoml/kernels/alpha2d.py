"""Persistence of the alpha complexes of points in the plane."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .delaunay2d import NONE, opening, orientation
from .radix import sort_by_value

__all__ = ["alpha_pairs", "named_pairs", "radius_gradient"]

Array = NDArray[Any]
Index = int | np.int64
FLAT = (64 * 2.0**-52) ** 2


@njit(cache=True, nogil=True)
def _root(parent: Array, i: Index) -> Index:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = np.int64(parent[i])
    return i


@njit(cache=True, nogil=True)
def _faces(origin: Array, before: Array, hull: int) -> tuple[Array, Array]:
    """The face on the left of each edge, 0 being the outside, and an edge of each face."""
    face, edge = np.empty(len(origin), np.uint32), np.empty(len(origin) // 3 + 1, np.uint32)
    for e in range(len(origin)):
        face[e] = NONE
    at: Index = np.int64(hull ^ 1)
    edge[0] = at
    while face[at] == NONE:
        face[at] = 0
        at = np.int64(before[at ^ 1])
    n = 1
    for e in range(len(origin)):
        if face[e] == NONE and origin[e] != NONE:
            f = np.int64(before[e ^ 1])
            face[e] = face[f] = face[before[f ^ 1]] = n
            edge[n] = e
            n += 1
    return face, edge[:n]


@njit(cache=True, nogil=True)
def _flow(
    x: Array,
    y: Array,
    bound: float,
    origin: Array,
    before: Array,
    face: Array,
    edge: Array,
    attached: Array,
) -> tuple[Array, Array]:
    r"""Where the triangles flow to, the squared radii of those that stay.

    An obtuse triangle enters together with its longest edge, which is ``attached`` to it, and so
    flows to the face on the other side, whose circle is not smaller. With the largest angle
    :math:`\gamma` opposite to the side c, :math:`4 R^2 = c^2 (1 + \cot^2 \gamma)`: right to 16
    roundings in triangles that are not obtuse, and not below the squares of the sides.
    """
    parent, square = np.empty(len(edge), np.uint32), np.empty(len(edge))
    for k in range(len(attached)):
        attached[k] = origin[2 * k] == NONE
    parent[0], square[0] = 0, np.inf
    for t in range(1, len(edge)):
        e = np.int64(edge[t])
        f = np.int64(before[e ^ 1])
        a, b, c = origin[e], origin[f], origin[f ^ 1]
        parent[t] = t
        longest = 0.0
        for _ in range(3):
            ax, ay, bx, by, cx, cy = x[a], y[a], x[b], y[b], x[c], y[c]
            dot = opening(bound, ax, ay, bx, by, cx, cy)
            if dot < 0.0:
                parent[t] = face[e ^ 1]
                attached[e >> 1] = True
                break
            side = (ax - bx) ** 2 + (ay - by) ** 2
            if side > longest:
                longest = side
                cotangent = dot / orientation(bound, ax, ay, bx, by, cx, cy)
                square[t] = side / 4 * (1 + cotangent * cotangent)
            e = np.int64(before[e ^ 1])
            a, b, c = b, c, a
    return parent, square


@njit(cache=True, nogil=True)
def _ranked(x: Array, y: Array, origin: Array, attached: Array, square: Array) -> Array:
    """Edges that are not ``attached``, by the quarters of their squared lengths, ``square``."""
    n = 0
    for k in range(len(attached)):
        n += not attached[k]
    edge, edge2 = np.empty(n, np.int32), np.empty(n, np.int32)
    key, key2 = np.empty(n, np.uint64), np.empty(n, np.uint64)
    tag, tag2 = np.empty(n, np.uint8), np.empty(n, np.uint8)
    bits = square.view(np.uint64)
    n = 0
    for k in range(len(attached)):
        if not attached[k]:
            a, b = origin[2 * k], origin[2 * k + 1]
            square[k] = ((x[a] - x[b]) ** 2 + (y[a] - y[b]) ** 2) / 4
            edge[n], key[n] = k, bits[k]
            n += 1
    return edge2 if sort_by_value(key, edge, tag, key2, edge2, tag2, len(edge)) else edge


@njit(cache=True, nogil=True)
def _components(
    number: Array, origin: Array, edge: Array, square: Array, pair: Array, value: Array
) -> int:
    """Pairs (vertex, edge) of H0; leaves the edges that make a loop at the front of ``edge``."""
    n = len(number)
    parent = np.empty(n, np.uint32)
    for i in range(n):
        parent[i] = i
    loops = p = 0
    for k in edge:
        a, b = _root(parent, np.int64(origin[2 * k])), _root(parent, np.int64(origin[2 * k + 1]))
        if a == b:
            edge[loops] = k
            loops += 1
            continue
        if number[a] < number[b]:
            a, b = b, a
        parent[a] = b
        pair[p, 0], pair[p, 1] = a, 2 * k
        value[p, 0], value[p, 1] = 0.0, np.sqrt(square[k])
        p += 1
    return loops


@njit(cache=True, nogil=True)
def _holes(
    face: Array,
    first: Array,
    dual: Array,
    death: Array,
    edge: Array,
    square: Array,
    rounding: float,
    pair: Array,
    value: Array,
) -> int:
    """Pairs (edge, edge of a triangle) of H1; returns their number."""
    killed = np.empty(len(edge), np.uint32)
    for i in range(len(edge) - 1, -1, -1):
        k = edge[i]
        a, b = _root(dual, np.int64(face[2 * k])), _root(dual, np.int64(face[2 * k + 1]))
        if a == 0 or (b != 0 and (death[a] > death[b] or (death[a] == death[b] and a < b))):
            a, b = b, a
        dual[a] = b
        killed[i] = a
    p = 0
    for i in range(len(edge)):
        k, t = edge[i], killed[i]
        if death[t] - square[k] > rounding * death[t]:
            pair[p, 0], pair[p, 1] = 2 * k, first[t]
            value[p, 0], value[p, 1] = np.sqrt(square[k]), np.sqrt(death[t])
            p += 1
    return p


@njit(cache=True, nogil=True)
def alpha_pairs(
    x: Array,
    y: Array,
    number: Array,
    size: Array,
    start: Array,
    origin: Array,
    before: Array,
    hull: Array,
    bound: Array,
    want: tuple[bool, bool],
    rounding: float,
    begin: int,
    end: int,
    stop: Array,
) -> tuple[Array, Array, Array, Array, Array]:
    """Persistence of the alpha complexes of samples ``begin`` to ``end``, for ``pair_batch``.

    Values are radii. Gabriel edges in ascending order join components of points (H0 dies, of two
    components the one whose first point has the higher number) or make a loop; loops in descending
    order join components of triangles, each the flow into one that is not obtuse (H1 dies, of two
    the one with the smaller circle; the outside never does). Ties go by place alone. Classes whose
    squares differ by less than ``rounding``, relative, are left out. O(n log n) time.

    Args: ``x`` to ``size`` by ``ordered``, ``origin`` to ``bound`` by ``triangulate``, ``want``:
        which of H0 and H1.

    Returns: the chunk that ``kernels.batch.pair_batch`` packs, rows by (sample, dimension, value of
             the edge); its pairs are those of ``named_pairs``.
    Source:  Edelsbrunner & Mücke, ACM Trans. Graph. 13, 43 (1994); the flow: Edelsbrunner, Discrete
             Comput. Geom. 13, 415 (1995) and Bauer & Edelsbrunner, Trans. Amer. Math. Soc. 369,
             3741 (2017).
    """
    room = 3 * len(x)
    pair, value = np.empty((room, 2), np.int64), np.empty((room, 2))
    tally = np.zeros((end - begin, 2, 2), np.int64)
    p = np.int64(0)
    for s in range(end - begin):
        if stop[0]:
            break
        tally[s, 1, 0] = want[0]
        n = size[s]
        if n < 2:
            continue
        i = start[begin + s] - start[begin]
        j, e, f = i + n, 6 * i + s, 6 * (i + n) + s
        face, first = _faces(origin[e:f], before[e:f], hull[s])
        attached, square = np.empty(3 * n, np.bool_), np.empty(3 * n)
        dual, death = _flow(
            x[i:j], y[i:j], bound[s], origin[e:f], before[e:f], face, first, attached
        )
        edge = _ranked(x[i:j], y[i:j], origin[e:f], attached, square)
        loops = _components(number[i:j], origin[e:f], edge, square, pair[p:], value[p:])
        if want[0]:
            tally[s, 0, 0] = n - 1
            p += n - 1
        if want[1]:
            tally[s, 0, 1] = _holes(
                face, first, dual, death, edge[:loops], square, rounding, pair[p:], value[p:]
            )
            p += tally[s, 0, 1]
    m = (end - begin) * want[0]
    return pair[:p], value[:p], np.zeros(m, np.int64), np.zeros(m), tally


@njit(cache=True, nogil=True)
def named_pairs(
    pair: Array, tally: Array, number: Array, start: Array, origin: Array, before: Array, begin: int
) -> tuple[Array, Array]:
    """Vertices of the simplices that give births and deaths, (P, 3) int64 each, ascending, then -1.

    Args: ``pair``: (vertex, edge) of H0, (edge, an edge of the triangle on its left) of H1, with
        their numbers within a sample; the others as in ``alpha_pairs``.
    """
    born, dies = np.empty((len(pair), 3), np.int64), np.empty((len(pair), 3), np.int64)
    p = 0
    for s in range(len(tally)):
        i = start[begin + s] - start[begin]
        corner, turn = origin[6 * i + s :], before[6 * i + s :]
        for d in range(2):
            for _ in range(tally[s, 0, d]):
                born[p, 0], born[p, 1] = number[i + pair[p, 0]] if d == 0 else -1, -1
                born[p, 2] = dies[p, 2] = -1
                edge = pair[p, 1 - d]
                a, b = number[i + corner[edge]], number[i + corner[edge ^ 1]]
                row = born if d else dies
                row[p, 0], row[p, 1] = min(a, b), max(a, b)
                if d:
                    e = pair[p, 1]
                    f = turn[e ^ 1]
                    a, b = number[i + corner[e]], number[i + corner[e ^ 1]]
                    c = number[i + corner[f ^ 1]]
                    dies[p, 0], dies[p, 2] = min(a, b, c), max(a, b, c)
                    dies[p, 1] = max(min(a, b), min(max(a, b), c))
                p += 1
    return born, dies


@njit(cache=True, nogil=True)
def radius_gradient(points: Array, simplex: Array, grad: Array, out: Array) -> None:
    r"""Add the gradients of the radii of simplices, times ``grad`` (M,), to ``out`` (n, 2).

    :math:`\lambda_i (p_i - c) / R` for each vertex, with the center c of the smallest circle about
    all of them and its barycentric coordinates :math:`\lambda`; 0 for single points and for what is
    flat in floats.

    Shapes: points (n, 2) float64 · simplex (M, 3) int64, vertices, then -1
    Source: the equations of the center: ours.
    """
    for m in range(len(grad)):
        i, j, k = simplex[m, 0], simplex[m, 1], simplex[m, 2]
        if j < 0:
            continue
        ux, uy = points[j, 0] - points[i, 0], points[j, 1] - points[i, 1]
        vx = vy = 0.0
        if k >= 0:
            vx, vy = points[k, 0] - points[i, 0], points[k, 1] - points[i, 1]
        scale = max(abs(ux), abs(uy), abs(vx), abs(vy))
        if scale == 0.0:
            continue
        ux, uy, vx, vy = ux / scale, uy / scale, vx / scale, vy / scale
        at_j, at_k = 0.5, 0.0
        if k >= 0:
            u, v, dot = ux * ux + uy * uy, vx * vx + vy * vy, ux * vx + uy * vy
            det = ux * vy - uy * vx
            if det * det <= FLAT * u * v:
                continue
            at_j = v * (u - dot) / (2 * det * det)
            at_k = u * (v - dot) / (2 * det * det)
        x, y = at_j * ux + at_k * vx, at_j * uy + at_k * vy
        g = grad[m] / np.sqrt(x * x + y * y)
        at_i = 1 - at_j - at_k
        out[i, 0] -= g * at_i * x
        out[i, 1] -= g * at_i * y
        out[j, 0] += g * at_j * (ux - x)
        out[j, 1] += g * at_j * (uy - y)
        if k >= 0:
            out[k, 0] += g * at_k * (vx - x)
            out[k, 1] += g * at_k * (vy - y)
