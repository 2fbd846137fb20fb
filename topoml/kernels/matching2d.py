"""Induced matching of the classes of two 2D fields, by image persistence on their saddles."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .cubical2d import _link_halo, _mask_row, _pad, _root
from .radix import sort_by_value

__all__ = ["match_fields"]

Array = NDArray[Any]


@njit(cache=True, nogil=True)
def _saddles(
    f2: Array,
    wrap: tuple[bool, bool],
    first: Array,
    is_saddle: Array,
    tree: Array,
    row_mask: Array,
    sorting: tuple[Array, Array, Array, Array, Array, Array],
) -> tuple[int, bool]:
    """Let each cell of ``f2`` point to a neighbour on the way to an extremum; sort the saddles.

    ``first`` (256,): the step that a cell takes by its mask of lower neighbours. Returns the number
    of saddles, ascending, and whether they stand in the second half of ``sorting``: keys, cells and
    masks, twice.
    """
    key_a, at_a, mask_a, key_b, at_b, mask_b = sorting
    h, w = f2.shape[0] - 2, f2.shape[1] - 2
    bits = f2.reshape(f2.size).view(key_a.dtype)
    _link_halo(tree, h, w, wrap[0], wrap[1])
    n = 0
    for i in range(1, h + 1):
        _mask_row(f2[i - 1], f2[i], f2[i + 1], i == 1, i == h, row_mask)
        q = i * (w + 2) + 1
        for j in range(w):
            m = row_mask[j]
            tree[q + j] = q + j + first[m]
            at_a[n] = q + j
            mask_a[n] = m
            n += is_saddle[m]
    for s in range(n):
        key_a[s] = bits[at_a[s]]
    return n, sort_by_value(key_a, at_a, mask_a, key_b, at_b, mask_b, n)


@njit(cache=True, nogil=True, inline="always")
def _precedes(f: Array, a: int, b: int, down: bool) -> bool:
    """Whether ``a`` is elder than ``b``: lower, or ``down``, higher; 0, the outside, is eldest."""
    if down:
        return b != 0 and (a == 0 or f[a] > f[b] or (f[a] == f[b] and a > b))
    return f[a] < f[b] or (f[a] == f[b] and a < b)


@njit(cache=True, nogil=True)
def _elders(
    f: Array,
    g: Array,
    shape: tuple[int, int],
    tree: Array,
    down: bool,
    elder_f: Array,
    elder_g: Array,
) -> None:
    """For each root of ``tree`` the eldest cells by ``f`` and by ``g`` of those that lead to it."""
    h, w = shape
    elder_f[0] = elder_g[0] = 0
    for i in range(1, h + 1):
        for q in range(i * (w + 2) + 1, i * (w + 2) + w + 1):
            if tree[q] == q:
                elder_f[q] = elder_g[q] = q
    for i in range(1, h + 1):
        for q in range(i * (w + 2) + 1, i * (w + 2) + w + 1):
            r = _root(tree, q)
            if r == 0:
                continue
            if _precedes(f, q, elder_f[r], down):
                elder_f[r] = q
            if _precedes(g, q, elder_g[r], down):
                elder_g[r] = q


@njit(cache=True, nogil=True)
def _merge(
    q: int,
    step: Array,
    n_parts: int,
    tree: Array,
    f: Array,
    g: Array,
    down: bool,
    elder_f: Array,
    elder_g: Array,
    found: Array,
) -> int:
    """Join the components around saddle ``q``; returns how many there were.

    ``found`` (2, 4): their eldest cells by ``f`` and by ``g``, each the eldest first.
    """
    n = 0
    keep = -1
    for c in range(n_parts):
        r = _root(tree, q + step[c])
        if n and r == keep:
            continue
        if n == 0:
            keep = r
        elif r == 0:  # the outside stays a root
            tree[keep] = 0
            keep = 0
        else:
            tree[r] = keep
        for side in range(2):
            values = f if side == 0 else g
            a = elder_f[r] if side == 0 else elder_g[r]
            k = n
            while k > 0 and _precedes(values, a, found[side, k - 1], down):
                found[side, k] = found[side, k - 1]
                k -= 1
            found[side, k] = a
        n += 1
    if n > 1:
        elder_f[keep], elder_g[keep] = found[0, 0], found[1, 0]
    return n


@njit(cache=True, nogil=True)
def match_fields(
    x: Array,
    y: Array,
    begin: int,
    end: int,
    sign: float,
    wrap: tuple[bool, bool],
    tables: tuple[Array, Array, Array],
    word: Array,
    partner: Array,
) -> None:
    """Match the finite classes of ``sign * x`` and ``sign * y`` through those of the smaller one.

    Let h be the minimum of both. A class of x goes to one of h by the persistence of the image of
    H(x) -> H(h), whose classes are born with one of x and die with one of h; so do those of y;
    classes that meet in h are partners. In H0 the components of h's sublevel sets are joined over
    h's saddles, upwards, and each knows its eldest cells by x and by y: at a saddle the k-th eldest
    by x and by y die together in h. In H1, x -> h is the map of components of h's superlevel sets
    to those of x: they are joined over x's saddles, downwards, and each knows its eldest cells by x
    and by h: the k-th eldest by x and by h are the deaths, in x and in the image, of loops that are
    born at the saddle. Classes of an image whose birth in x is not before their death in h do not
    exist. Ties go by (value, linear index), the same in all three fields.

    Not checked here: finite values; every periodic axis has at least two entries;
    (H + 2) (W + 2) < 2**31. O(N + S log S) time for S saddles, about 60 bytes a pixel of scratch.

    Shapes:  x, y (B, H, W) float, C-contiguous · the tables of ``link_tables`` · word (0,)
             unsigned, as wide as the floats · partner (B, 2, H W) int32, -1 before
    Writes:  partner[i, 0, birth in x] = birth in y of classes in H0, and partner[i, 1, death in x]
             = death in y in H1, entries of the fields.
    Source:  Bauer & Lesnick, J. Comput. Geom. 6, 162 (2015), arXiv:1311.3681 (induced matchings);
             Stucki et al., arXiv:2211.15272 (through the minimum).
    """
    lower, upper, n_lower = tables
    _, height, w = x.shape
    stride = w + 2
    size = (height + 2) * stride
    padded = np.empty((3, height + 2, stride), x.dtype)
    fx2, fy2, h2 = padded[0], padded[1], padded[2]
    fx, fy, h = fx2.reshape(size), fy2.reshape(size), h2.reshape(size)
    tree = np.empty(size, np.int32)
    elder_a, elder_b = np.empty(size, np.int32), np.empty(size, np.int32)
    row_mask = np.empty(w, np.uint8)
    n_room = height * w + 1
    sorting = (
        np.empty(n_room, word.dtype),
        np.empty(n_room, np.int32),
        np.empty(n_room, np.uint8),
        np.empty(n_room, word.dtype),
        np.empty(n_room, np.int32),
        np.empty(n_room, np.uint8),
    )
    step_down, step_up = np.empty((256, 4), np.int32), np.empty((256, 4), np.int32)
    for m in range(256):
        for c in range(4):
            step_down[m, c] = lower[m, c, 0] * stride + lower[m, c, 1]
            step_up[m, c] = upper[m, c, 0] * stride + upper[m, c, 1]
    first_down, first_up = step_down[:, 0].copy(), step_up[:, 0].copy()
    is_saddle = n_lower > 1
    found = np.empty((2, 4), np.int64)
    death = np.empty((2, size), np.int32)  # of x and of y, by the death in h
    shape = (height, w)

    for sample in range(begin, end):
        _pad(x[sample], x.dtype.type(sign), wrap[0], wrap[1], fx2)
        _pad(y[sample], x.dtype.type(sign), wrap[0], wrap[1], fy2)
        for q in range(size):
            h[q] = fx[q] if fx[q] <= fy[q] else fy[q]

        n, flipped = _saddles(h2, wrap, first_down, is_saddle, tree, row_mask, sorting)
        at, mask = (sorting[4], sorting[5]) if flipped else (sorting[1], sorting[2])
        _elders(fx, fy, shape, tree, False, elder_a, elder_b)
        for s in range(n):
            q, m = at[s], mask[s]
            joined = _merge(
                q, step_down[m], n_lower[m], tree, fx, fy, False, elder_a, elder_b, found
            )
            for k in range(1, joined):
                a, b = found[0, k], found[1, k]
                if fx[a] < h[q] and fy[b] < h[q]:
                    partner[sample, 0, _entry(a, stride)] = _entry(b, stride)

        for side in range(2):
            f2, f = (fx2, fx) if side == 0 else (fy2, fy)
            death[side] = -1
            n, flipped = _saddles(f2, wrap, first_up, is_saddle, tree, row_mask, sorting)
            at, mask = (sorting[4], sorting[5]) if flipped else (sorting[1], sorting[2])
            _elders(f, h, shape, tree, True, elder_a, elder_b)
            for s in range(n - 1, -1, -1):
                q, m = at[s], mask[s]
                joined = _merge(
                    q, step_up[m], n_lower[m], tree, f, h, True, elder_a, elder_b, found
                )
                for k in range(1, joined):
                    a, b = found[0, k], found[1, k]
                    if f[q] < h[b]:
                        death[side, b] = a
        for q in range(size):
            if death[0, q] >= 0 and death[1, q] >= 0:
                partner[sample, 1, _entry(death[0, q], stride)] = _entry(death[1, q], stride)


@njit(cache=True, nogil=True, inline="always")
def _entry(q: int, stride: int) -> int:
    """From a cell of the padded field to the entry of the field."""
    return (q // stride - 1) * (stride - 2) + q % stride - 1
