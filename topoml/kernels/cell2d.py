"""Persistence pairs of explicit filtrations of the square lattice: vertices, edges, faces."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .atomic import fetch_add
from .cubical2d import _root
from .radix import sort_by_value

__all__ = ["cell_pairs", "cell_scratch"]

Array = NDArray[Any]


@njit(cache=True, nogil=True)
def _largest_edge(
    edge: Array, has_face: Array, right: Array, width: int, value: Array, at: Array
) -> None:
    """Value and entry of the largest edge of each face, the lower entry among equals."""
    n = has_face.size
    for p in range(n):
        if not has_face[p]:
            continue
        below = p + width if p + width < n else p + width - n
        best, v = np.int64(p), edge[p]
        for e in (np.int64(right[p]), np.int64(n + p), np.int64(n + below)):
            if edge[e] > v or (edge[e] == v and e < best):
                best, v = e, edge[e]
        value[p] = v
        at[p] = best


def cell_scratch(shape: tuple[int, int], dtype: Any) -> tuple[Array, ...]:  # noqa: ANN401
    """What ``cell_pairs`` works with on lattices of ``shape``, float64 or float32."""
    n = shape[0] * shape[1]
    word = np.uint64 if np.dtype(dtype).itemsize == 8 else np.uint32
    return (
        *(np.empty(2 * n, kind) for kind in (word, word, np.int32, np.int32, np.uint8, np.uint8)),
        np.empty(n, np.int32),  # trees of vertices and of faces
        np.empty(n + 1, np.int32),
        np.empty(n, dtype),  # value and entry of each face
        np.empty(n, np.int32),
    )


@njit(cache=True, nogil=True)
def cell_pairs(
    vertex: Array,
    edge: Array,
    face: Array,
    shape: tuple[int, int],
    wrap: tuple[bool, bool],
    want: tuple[bool, bool, bool],
    counter: Array,
    length: int,
    scratch: tuple[Any, ...],
    stop: Array,
    room: Array,
    tally: Array,
) -> None:
    """Persistence pairs by entries of concat(vertex, edge, face), for ``pair_blocks``.

    Edges in ascending order join components of vertices (elder rule: H0 dies) or make a loop;
    loops in descending order join components of faces in the dual graph (the smaller largest face
    is filled: H1 dies) or, on the torus and the cylinder, are essential. An open boundary is one
    more dual node, the eldest. Edges are kept by number, never as a pair of vertices, so periods
    of 1 and 2 are right. Ties go by (value, entry). ``stop`` ends the work, whatever the counts.

    Not checked here: no NaN; an edge is not below its ends, nor a face below its edges; the
    entries fit in int32. O(N log N) time and about 60 bytes a site of scratch.

    Shapes:  vertex (B, N) or (B, 0): all born at 0, entry -1 · edge (B, 2 N) · face (B, N) or
             (B, 0): each face at its largest edge · ``cell_scratch`` · ``pair_blocks`` says what
             the others are; at least 2 N + 8 rows of ``room`` a sample
    """
    wrap0, wrap1 = wrap
    want0, want1, want2 = want
    key_a, key_b, at_a, at_b, tag_a, tag_b, parent, dual, face_value, face_at = scratch
    h, w = shape
    n = h * w
    given_vertex = vertex.shape[1] > 0
    given_face = face.shape[1] > 0
    edge_base = n if given_vertex else 0
    face_base = edge_base + 2 * n

    right = np.empty(n, np.int32)
    left = np.empty(n, np.int32)
    has_face = np.empty(n, np.bool_)
    for i in range(h):
        for j in range(w):
            p = i * w + j
            right[p] = p + 1 if j + 1 < w else p + 1 - w
            left[p] = p - 1 if j > 0 else p - 1 + w
            has_face[p] = (i + 1 < h or wrap0) and (j + 1 < w or wrap1)

    bits = edge.view(key_a.dtype)
    rows = len(room) // len(edge)
    infinity = edge.dtype.type(np.inf)
    zero = key_a.dtype.type(0)
    minus_zero = key_a.dtype.type(1) << key_a.dtype.type(8 * key_a.itemsize - 1)

    while not stop[0]:
        begin = fetch_add(counter, length)
        end = min(begin + length, len(edge))
        if begin >= end:
            return
        n_pairs, last_row = begin * rows, end * rows - 1  # finite pairs end, essential ones begin
        n_essential = 0
        for sample in range(begin, end):
            here = tally[sample]
            done, essential_done = n_pairs, n_essential
            e_value = edge[sample]
            e_bits = bits[sample]
            m = 0
            for axis in range(2):
                for i in range(h if wrap0 or axis == 1 else h - 1):
                    for j in range(w if wrap1 or axis == 0 else w - 1):
                        e = axis * n + i * w + j
                        at_a[m] = e
                        b = e_bits[e]
                        key_a[m] = zero if b == minus_zero else b
                        m += 1
            if sort_by_value(key_a, at_a, tag_a, key_b, at_b, tag_b, m):
                at = at_b
            else:
                at = at_a

            # Upwards: components of vertices. Edges that make a loop are kept at the front of `at`.
            for p in range(n):
                parent[p] = p
            loops = 0
            for s in range(m):
                if stop[0]:
                    return
                e = at[s]
                p = e if e < n else e - n
                if e >= n:
                    q = right[p]
                else:
                    q = p + w if p + w < n else p + w - n
                old, young = _root(parent, p), _root(parent, q)
                if old == young:
                    at[loops] = e
                    loops += 1
                    continue
                if given_vertex:
                    a, b = vertex[sample, old], vertex[sample, young]
                    swap = b < a or (b == a and young < old)
                    birth = a if swap else b
                else:
                    swap = young < old
                    birth = e_value.dtype.type(0)
                if swap:
                    old, young = young, old
                parent[young] = old
                if want0 and birth != e_value[e]:
                    code = young if given_vertex else -1
                    if e_value[e] == infinity:
                        room[last_row - n_essential, 0] = code
                        n_essential += 1
                    else:
                        room[n_pairs, 0] = code
                        room[n_pairs, 1] = edge_base + e
                        n_pairs += 1
            if want0:
                p = _root(parent, 0)
                if not given_vertex or vertex[sample, p] < infinity:
                    room[last_row - n_essential, 0] = p if given_vertex else -1
                    n_essential += 1
            here[0, 0], here[1, 0] = n_pairs - done, n_essential - essential_done
            if not want1 and not (want2 and wrap0 and wrap1):
                continue

            # Downwards: components of faces; node n is the outside.
            if given_face:
                for p in range(n):
                    face_value[p] = face[sample, p]
                    face_at[p] = face_base + p
            else:
                _largest_edge(e_value, has_face, right, w, face_value, face_at)
                for p in range(n):
                    face_at[p] += edge_base
            for p in range(n + 1):
                dual[p] = p
            for s in range(loops - 1, -1, -1):
                if stop[0]:
                    return
                e = at[s]
                if e < n:  # along axis 0: the faces on its right and on its left
                    p = e
                    q = left[p]
                else:  # along axis 1: the faces below and above
                    p = e - n
                    q = p - w if p >= w else p - w + n
                p = p if has_face[p] else n
                q = q if has_face[q] else n
                old, young = _root(dual, p), _root(dual, q)
                v = e_value[e]
                if old == young:
                    if want1 and v < infinity:
                        room[last_row - n_essential, 0] = edge_base + e
                        n_essential += 1
                    continue
                if young == n or (
                    old != n
                    and (
                        face_value[young] > face_value[old]
                        or (face_value[young] == face_value[old] and young > old)
                    )
                ):
                    old, young = young, old
                dual[young] = old
                if want1 and face_value[young] != v:
                    if face_value[young] == infinity:
                        room[last_row - n_essential, 0] = edge_base + e
                        n_essential += 1
                    else:
                        room[n_pairs, 0] = edge_base + e
                        room[n_pairs, 1] = face_at[young]
                        n_pairs += 1
            here[0, 1] = n_pairs - done - here[0, 0]
            here[1, 1] = n_essential - essential_done - here[1, 0]
            if want2 and wrap0 and wrap1:
                p = _root(dual, 0)
                if face_value[p] < infinity:
                    room[last_row - n_essential, 0] = face_at[p]
                    n_essential += 1
                    here[1, 2] = 1
