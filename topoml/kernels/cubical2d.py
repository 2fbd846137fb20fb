"""Persistence pairs of 2D fields from their saddles alone."""

from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .radix import sort_by_value
from .ragged import grown

__all__ = ["link_tables", "saddle_pairs"]

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


@njit(cache=True, nogil=True)
def saddle_pairs(
    x: Array,
    word: Array,
    begin: int,
    end: int,
    sign: float,
    wrap0: bool,
    wrap1: bool,
    lower: Array,
    upper: Array,
    n_lower: Array,
    want0: bool,
    want1: bool,
    want2: bool,
) -> tuple[Array, Array, Array, Array, Array]:
    """Persistence pairs of the samples ``begin`` to ``end`` of ``x``, by their entries.

    A cell with k > 1 components in its lower link is a saddle: each of its k - 1 passages either
    joins two components of the sublevel set (a death in H0) or makes a loop (a birth in H1). The
    loop is filled when the superlevel components that the saddle separates are joined on the way
    down (elder rule on maxima; the outside of an open boundary is the eldest); loops that are
    never filled are the essential classes of the torus or the cylinder. So one union-find over
    minima, upwards, and one over maxima, downwards, both over sorted saddles, give all pairs.

    A NaN ends the work at its sample, whose count is -1. Not checked here: every periodic axis has
    at least two entries; (H + 2) (W + 2) < 2**31.
    O(N + S log S) time for S saddles and about 24 bytes a pixel of scratch.

    Shapes:  x (B, H, W) float, C-contiguous · word (0,), the unsigned integer of x's width · the
             tables of ``link_tables``
    Returns: pair (P, 2) int32, entries of (birth, death), ordered by (sample, dimension), and
             their value (P, 2); essential (E,) int32 and value (E,);
             count (end - begin, 2, 3) int64: finite, essential by dimension.
    """
    _, h, w = x.shape
    stride = w + 2
    size = (h + 2) * stride
    f2 = np.empty((h + 2, stride), x.dtype)
    f = f2.reshape(size)
    bits = f.view(word.dtype)
    down = np.empty(size, np.int32)
    up = np.empty(size if want1 or want2 else 1, np.int32)
    step_down = np.empty((256, 4), np.int32)
    step_up = np.empty((256, 4), np.int32)
    for m in range(256):
        for c in range(4):
            step_down[m, c] = lower[m, c, 0] * stride + lower[m, c, 1]
            step_up[m, c] = upper[m, c, 0] * stride + upper[m, c, 1]
    first_down = step_down[:, 0].copy()
    first_up = step_up[:, 0].copy()
    is_saddle = n_lower > 1
    row_mask = np.empty(w, np.uint8)

    cap = h * w + 1
    key_a, key_b = np.empty(cap, bits.dtype), np.empty(cap, bits.dtype)
    at_a, at_b = np.empty(cap, np.int32), np.empty(cap, np.int32)
    mask_a, mask_b = np.empty(cap, np.uint8), np.empty(cap, np.uint8)

    # minima and maxima are independent sets: no more than (H W + 1) / 2 of either
    pair = np.empty(((end - begin) * (cap + 1), 2), np.int32)
    value = np.empty(pair.shape, x.dtype)
    essential = np.empty(16, np.int32)
    essential_value = np.empty(16, x.dtype)
    per_row = 1.0 / stride
    n_pairs = n_essential = 0
    count = np.zeros((end - begin, 2, 3), np.int64)
    infinity = x.dtype.type(np.inf)

    for sample in range(begin, end):
        tally = count[sample - begin]
        done, essential_done = n_pairs, n_essential
        if not _pad(x[sample], x.dtype.type(sign), wrap0, wrap1, f2):
            tally[0, 0] = -1
            break
        _link_halo(down, h, w, wrap0, wrap1)
        n = 0
        for i in range(1, h + 1):
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

        # Upwards: components of the sublevel set. Passages that make a loop are kept in `spare`.
        loops = 0
        room = n_essential + 4 * n + 4
        if room > essential.size:
            essential = grown(essential, room + room // 2)
            essential_value = grown(essential_value, room + room // 2)
        for s in range(n):
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
                        essential[n_essential] = young
                        n_essential += 1
                        tally[1, 0] += 1
                    else:
                        pair[n_pairs, 0] = young
                        pair[n_pairs, 1] = q
                        n_pairs += 1
                        tally[0, 0] += 1
            if open_loops:
                at[loops] = q
                mask[loops] = m
                spare[loops] = open_loops
                loops += 1
        if want0:
            q = _root(down, stride + 1)
            if f[q] < infinity:
                essential[n_essential] = q
                n_essential += 1
                tally[1, 0] += 1

        # Downwards: components of the superlevel set, over the saddles that made a loop.
        if want1 or want2:
            _link_halo(up, h, w, wrap0, wrap1)
        if want1 or (want2 and wrap0 and wrap1):
            for s in range(loops - 1, -1, -1):
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
                            essential[n_essential] = q
                            n_essential += 1
                            tally[1, 1] += 1
                        else:
                            pair[n_pairs, 0] = q
                            pair[n_pairs, 1] = young
                            n_pairs += 1
                            tally[0, 1] += 1
                if want1 and v < infinity:
                    for _ in range(left):
                        essential[n_essential] = q
                        n_essential += 1
                        tally[1, 1] += 1
        if want2 and wrap0 and wrap1:
            q = _root(up, stride + 1)
            if f[q] < infinity:
                essential[n_essential] = q
                n_essential += 1
                tally[1, 2] += 1
        here = x[sample]
        for i in range(done, n_pairs):
            for c in range(2):
                q = pair[i, c]
                r = int((q + 0.5) * per_row)  # q // stride, exact below 2**31
                j = q - r * stride - 1
                pair[i, c] = (r - 1) * w + j
                value[i, c] = here[r - 1, j]
        for i in range(essential_done, n_essential):
            q = essential[i]
            essential[i] = (q // stride - 1) * w + q % stride - 1
            essential_value[i] = here[q // stride - 1, q % stride - 1]
    return (
        pair[:n_pairs],
        value[:n_pairs],
        essential[:n_essential],
        essential_value[:n_essential],
        count,
    )
