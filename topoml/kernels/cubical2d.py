"""Persistence pairs of 2D fields from their saddles alone."""

from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .atomic import fetch_add
from .radix import sort_by_value

__all__ = ["link_tables", "saddle_pairs", "saddle_scratch"]

Array = NDArray[Any]

# The ring of 8 neighbours, clockwise from the north-west; bit i of a mask is ring position i.
_RING = np.array([(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)])
_EDGE_NEIGHBOURS = (1, 3, 5, 7)


def _components(members: list[int], adjacent: list[tuple[int, int]]) -> list[list[int]]:
    """Connected components of the graph on ``members`` whose edges are ``adjacent``."""
    components = [[m] for m in members]
    for a, b in adjacent:
        ca = next((c for c in components if a in c), None)
        cb = next((c for c in components if b in c), None)
        if ca is not None and cb is not None and ca is not cb:
            ca.extend(cb)
            components = [c for c in components if c is not cb]
    return components


def _link(mask: int, adjacency: int) -> list[int]:
    """First member of each component that the ring's set bits form around the centre.

    ``adjacency`` 8: all eight are neighbours of the centre; 4: the edge neighbours are, and two of
    them are joined through the corner between them; 6: all but the corners NE and SW are.
    """
    if adjacency == 8:
        ring = [i for i in range(8) if mask >> i & 1]
        joined = [(i, (i + 1) % 8) for i in range(8)] + [(i, (i + 2) % 8) for i in (1, 3, 5, 7)]
    elif adjacency == 4:
        ring = [i for i in range(8) if mask >> i & 1 and i in _EDGE_NEIGHBOURS]
        joined = [(i, (i + 2) % 8) for i in _EDGE_NEIGHBOURS if mask >> (i + 1) % 8 & 1]
    else:
        positions = [0, 1, 3, 4, 5, 7]
        ring = [i for i in positions if mask >> i & 1]
        joined = list(zip(positions, positions[1:] + positions[:1], strict=True))
    return [c[0] for c in _components(ring, joined)]


@cache
def link_tables(construction: str) -> tuple[Array, Array, Array]:
    """Components of the lower and of the upper link of a cell, by its mask of lower neighbours.

    Returns ``lower``, ``upper``, int8 of shape (256, 4, 2), the (row, column) offset to a member of
    each component, zero beyond the last one, and ``n_lower``, int8 (256,), the number of the lower.
    The number of upper components is the same, but for minima (0, 1) and maxima (1, 0).
    """
    below, above = {"V": (4, 8), "T": (8, 4), "F": (6, 6)}[construction]
    lower = np.zeros((256, 4, 2), np.int8)
    upper = np.zeros((256, 4, 2), np.int8)
    n_lower = np.zeros(256, np.int8)
    for mask in range(256):
        down = _link(mask, below)
        up = _link(~mask & 255, above)
        n_lower[mask] = len(down)
        lower[mask, : len(down)] = _RING[down]
        upper[mask, : len(up)] = _RING[up]
    return lower, upper, n_lower


@njit(cache=True, nogil=True, inline="always")
def _root(parent: Array, q: int) -> int:
    p = parent[q]
    while p != q:
        g = parent[p]
        parent[q] = g
        q = g
        p = parent[q]
    return q


@njit(cache=True, nogil=True)
def _pad(x: Array, sign: float, wrap0: bool, wrap1: bool, f: Array) -> bool:
    """Write ``sign * x`` into the inside of ``f``; the halo is periodic, or NaN where open.

    Returns False if ``x`` has a NaN.
    """
    h, w = x.shape
    nans = 0
    for i in range(h):
        row = f[i + 1]
        for j in range(w):
            v = x[i, j] * sign + x.dtype.type(0)  # + 0 makes -0 equal to +0 in its bits
            nans += v != v
            row[j + 1] = v
        row[0] = row[w] if wrap1 else np.nan
        row[w + 1] = row[1] if wrap1 else np.nan
    for j in range(w + 2):
        f[0, j] = f[h, j] if wrap0 else np.nan
        f[h + 1, j] = f[1, j] if wrap0 else np.nan
    return nans == 0


@njit(cache=True, nogil=True)
def _link_halo(parent: Array, h: int, w: int, wrap0: bool, wrap1: bool) -> None:
    """Let each halo cell point to its periodic image, or to cell 0, the outside, where open."""
    s = w + 2
    for i in range(1, h + 1):
        parent[i * s] = i * s + w if wrap1 else 0
        parent[i * s + w + 1] = i * s + 1 if wrap1 else 0
    for j in range(s):
        parent[j] = h * s + j if wrap0 else 0
        parent[(h + 1) * s + j] = s + j if wrap0 else 0
    if not (wrap0 and wrap1):
        parent[0] = 0


@njit(cache=True, nogil=True)
def _mask_row(
    north: Array, here: Array, south: Array, first: bool, last: bool, mask: Array
) -> None:
    """Which of the 8 neighbours precede each cell of a row in the order (value, linear index).

    ``first``/``last``: the row has no row before/after it, so that the one it is glued to by
    periodicity comes after/before it in the linear order. NaN, the outside, precedes nothing.
    """
    w = mask.size
    one, zero = np.uint8(1), np.uint8(0)
    if first:
        for j in range(w):
            v = here[j + 1]
            m = one if north[j] < v else zero
            m |= np.uint8(2) if north[j + 1] < v else zero
            m |= np.uint8(4) if north[j + 2] < v else zero
            mask[j] = m
    else:
        for j in range(w):
            v = here[j + 1]
            m = one if north[j] <= v else zero
            m |= np.uint8(2) if north[j + 1] <= v else zero
            m |= np.uint8(4) if north[j + 2] <= v else zero
            mask[j] = m
    if last:
        for j in range(w):
            v = here[j + 1]
            m = np.uint8(16) if south[j + 2] <= v else zero
            m |= np.uint8(32) if south[j + 1] <= v else zero
            m |= np.uint8(64) if south[j] <= v else zero
            mask[j] |= m
    else:
        for j in range(w):
            v = here[j + 1]
            m = np.uint8(16) if south[j + 2] < v else zero
            m |= np.uint8(32) if south[j + 1] < v else zero
            m |= np.uint8(64) if south[j] < v else zero
            mask[j] |= m
    for j in range(w):
        v = here[j + 1]
        m = np.uint8(8) if here[j + 2] < v else zero
        m |= np.uint8(128) if here[j] <= v else zero
        mask[j] |= m
    if here[0] == here[1]:  # glued to the end of its own row, which comes after it
        mask[0] &= np.uint8(127)
    if here[w + 1] == here[w]:
        mask[w - 1] |= np.uint8(8)


def saddle_scratch(shape: tuple[int, int], dtype: Any) -> tuple[Array, ...]:  # noqa: ANN401
    """What ``saddle_pairs`` works with on fields of ``shape``, float64 or float32."""
    h, w = shape
    size, n = (h + 2) * (w + 2), h * w + 1
    word = np.uint64 if np.dtype(dtype).itemsize == 8 else np.uint32
    return (
        np.empty((h + 2, w + 2), dtype),  # the field, with a halo
        np.empty(size, np.int32),  # trees of descent and of ascent
        np.empty(size, np.int32),
        np.empty(w, np.uint8),
        *(np.empty(n, kind) for kind in (word, word, np.int32, np.int32, np.uint8, np.uint8)),
    )


@njit(cache=True, nogil=True)
def saddle_pairs(
    x: Array,
    sign: float,
    wrap: tuple[bool, bool],
    tables: tuple[Array, Array, Array],
    want: tuple[bool, bool, bool],
    counter: Array,
    length: int,
    scratch: tuple[Any, ...],
    stop: Array,
    room: Array,
    tally: Array,
) -> None:
    """Persistence pairs of the samples of ``x``, by their entries, for ``pair_blocks``.

    A cell with k > 1 components in its lower link is a saddle: each of its k - 1 passages either
    joins two components of the sublevel set (a death in H0) or makes a loop (a birth in H1). The
    loop is filled when the superlevel components that the saddle separates are joined on the way
    down (elder rule on maxima; the outside of an open boundary is the eldest); loops that are
    never filled are the essential classes of the torus or the cylinder. So one union-find over
    minima, upwards, and one over maxima, downwards, both over sorted saddles, give all pairs.

    Not checked here: every periodic axis has at least two entries; (H + 2) (W + 2) < 2**31.
    O(N + S log S) time for S saddles and about 24 bytes a pixel of scratch.

    Shapes:  x (B, H, W) float, C-contiguous · the tables of ``link_tables`` · ``saddle_scratch`` ·
             ``pair_blocks`` says what the others are; at least H W + 8 rows of ``room`` a sample:
             minima and maxima are independent sets, and end one class each
    """
    lower, upper, n_lower = tables
    wrap0, wrap1 = wrap
    want0, want1, want2 = want
    f2, down, up, row_mask, key_a, key_b, at_a, at_b, mask_a, mask_b = scratch
    _, h, w = x.shape
    stride = w + 2
    f = f2.reshape(f2.size)
    bits = f.view(key_a.dtype)
    step_down = np.empty((256, 4), np.int32)
    step_up = np.empty((256, 4), np.int32)
    for m in range(256):
        for c in range(4):
            step_down[m, c] = lower[m, c, 0] * stride + lower[m, c, 1]
            step_up[m, c] = upper[m, c, 0] * stride + upper[m, c, 1]
    first_down = step_down[:, 0].copy()
    first_up = step_up[:, 0].copy()
    is_saddle = n_lower > 1
    rows = len(room) // len(x)
    per_row = 1.0 / stride
    infinity = x.dtype.type(np.inf)

    while not stop[0]:
        begin = fetch_add(counter, length)
        end = min(begin + length, len(x))
        if begin >= end:
            return
        n_pairs, last_row = begin * rows, end * rows - 1  # finite pairs end, essential ones begin
        n_essential = 0
        for sample in range(begin, end):
            done, essential_done = n_pairs, n_essential
            if not _pad(x[sample], x.dtype.type(sign), wrap0, wrap1, f2):
                tally[sample, 0, 0] = -1
                break
            _link_halo(down, h, w, wrap0, wrap1)
            n = 0
            for i in range(1, h + 1):
                if stop[0]:
                    return
                _mask_row(f2[i - 1], f2[i], f2[i + 1], i == 1, i == h, row_mask)
                q = i * stride + 1
                for j in range(w):
                    m = row_mask[j]
                    down[q + j] = q + j + first_down[m]
                    at_a[n] = q + j
                    mask_a[n] = m
                    n += is_saddle[m]
                if want1 or want2:
                    for j in range(w):
                        up[q + j] = q + j + first_up[row_mask[j]]
            for s in range(n):
                key_a[s] = bits[at_a[s]]
            if sort_by_value(key_a, at_a, mask_a, key_b, at_b, mask_b, n):
                at, mask = at_b, mask_b
                spare = at_a
            else:
                at, mask = at_a, mask_a
                spare = at_b

            # Upwards: components of the sublevel set. Passages that make a loop stay in `spare`.
            loops = 0
            for s in range(n):
                if stop[0]:
                    return
                q = at[s]
                m = mask[s]
                v = f[q]
                old = _root(down, q + step_down[m, 0])
                open_loops = 0
                for c in range(1, n_lower[m]):
                    young = _root(down, q + step_down[m, c])
                    if young == old:
                        open_loops += 1
                        continue
                    if f[young] < f[old] or (f[young] == f[old] and young < old):
                        old, young = young, old
                    down[young] = old
                    if f[young] != v and want0:
                        if v == infinity:
                            room[last_row - n_essential, 0] = young
                            n_essential += 1
                        else:
                            room[n_pairs, 0] = young
                            room[n_pairs, 1] = q
                            n_pairs += 1
                if open_loops:
                    at[loops] = q
                    mask[loops] = m
                    spare[loops] = open_loops
                    loops += 1
            if want0:
                q = _root(down, stride + 1)
                if f[q] < infinity:
                    room[last_row - n_essential, 0] = q
                    n_essential += 1

            joined, joined_essential = n_pairs, n_essential

            # Downwards: components of the superlevel set, over the saddles that made a loop.
            if want1 or want2:
                _link_halo(up, h, w, wrap0, wrap1)
            if want1 or (want2 and wrap0 and wrap1):
                for s in range(loops - 1, -1, -1):
                    if stop[0]:
                        return
                    q = at[s]
                    m = mask[s]
                    v = f[q]
                    left = spare[s]
                    old = _root(up, q + step_up[m, 0])
                    for c in range(1, n_lower[m]):
                        young = _root(up, q + step_up[m, c])
                        if young == old:
                            continue
                        if young == 0 or (
                            old != 0 and (f[young] > f[old] or (f[young] == f[old] and young > old))
                        ):
                            old, young = young, old
                        up[young] = old
                        left -= 1
                        if f[young] != v and want1:
                            if f[young] == infinity:
                                room[last_row - n_essential, 0] = q
                                n_essential += 1
                            else:
                                room[n_pairs, 0] = q
                                room[n_pairs, 1] = young
                                n_pairs += 1
                    if want1 and v < infinity:
                        for _ in range(left):
                            room[last_row - n_essential, 0] = q
                            n_essential += 1
            filled_essential = n_essential
            if want2 and wrap0 and wrap1:
                q = _root(up, stride + 1)
                if f[q] < infinity:
                    room[last_row - n_essential, 0] = q
                    n_essential += 1
            here = tally[sample]
            here[0, 0], here[1, 0] = joined - done, joined_essential - essential_done
            here[0, 1], here[1, 1] = n_pairs - joined, filled_essential - joined_essential
            here[1, 2] = n_essential - filled_essential
            for i in range(done, n_pairs):
                for c in range(2):
                    q = room[i, c]
                    r = int((q + 0.5) * per_row)  # q // stride, exact below 2**31
                    room[i, c] = (r - 1) * w + q - r * stride - 1
            for i in range(last_row - essential_done, last_row - n_essential, -1):
                q = room[i, 0]
                room[i, 0] = (q // stride - 1) * w + q % stride - 1
