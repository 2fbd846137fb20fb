"""Loops of arrows that obey the ice rule, on any lattice with four neighbours a site."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["long_loops", "short_loops"]


@njit(cache=True, nogil=True, error_model="numpy")
def long_loops(
    code: NDArray[np.uint8],
    neighbours: NDArray[np.int32],
    table: NDArray[np.float64],
    n_loops: int,
    out: NDArray[np.uint8],
    rng: np.random.Generator,
) -> int:
    """Before each sample: walks that reverse what they walk on, until they close.

    Bit k of a site's code says whether its arrow at leg k points away; leg k of a site and leg k ^
    1 of its neighbour number k are the two halves of one bond. A walk cuts a random bond in the
    middle, enters one of its two sites, there turns over the leg by which it comes and the one by
    which it leaves, and so on until it is back in the middle of that bond: from either side, both
    halves agree again. ``table[c, i, k]`` is the probability to leave a site of code c, entered by
    leg i, by one of the legs 0 ... k.

    Not checked here: two legs of each site point away; the halves agree; the table keeps the ice
    rule, and w(c) p(c, i, k) = w(c') p(c', k, i), with c' = c ^ 1 << i ^ 1 << k.

    Shapes:  code (sites,) uint8, changed in place · neighbours (sites, 4) int32 ·
             table (16, 4, 4) · out (n_samples, sites) uint8
    Returns: the number of sites passed.
    Source:  Syljuasen & Zvonarev, Phys. Rev. E 70, 016118 (2004).
    """
    visited = 0
    for sample in range(out.shape[0]):
        for _ in range(n_loops):
            first, start = int(rng.random() * code.size), int(rng.random() * 4)
            opposite, back = neighbours[first, start], start ^ 1
            site, leg = first, start
            while True:
                old = code[site]
                u, leave = rng.random(), 0
                while leave < 3 and u >= table[old, leg, leave]:
                    leave += 1
                code[site] = old ^ (1 << leg) ^ (1 << leave)
                visited += 1
                if (site == first and leave == start) or (site == opposite and leave == back):
                    break
                site, leg = neighbours[site, leave], leave ^ 1
        for k in range(code.size):  # quicker to compile than a slice
            out[sample, k] = code[k]
    return visited


@njit(cache=True, nogil=True, error_model="numpy")
def short_loops(
    code: NDArray[np.uint8],
    neighbours: NDArray[np.int32],
    log_weight: NDArray[np.float64],
    n_loops: int,
    out: NDArray[np.uint8],
    rng: np.random.Generator,
) -> int:
    """Before each sample: walks along the arrows until they meet themselves.

    The loop so found, without the tail that led to it, is reversed with probability 15 / 16 min(1,
    ratio of the weights): some are left, lest the chain have a period where a side is 1.

    Not checked here: as in ``long_loops``.

    Shapes:  code (sites,) uint8, changed in place · neighbours (sites, 4) int32 ·
             log_weight (16,) · out (n_samples, sites) uint8
    Returns: the number of sites passed.
    Source:  Barkema & Newman, Phys. Rev. E 57, 1155 (1998).
    """
    n_sites = code.size
    seen, when = np.zeros(n_sites, np.int64), np.empty(n_sites, np.int32)
    path, exits = np.empty(n_sites, np.int32), np.empty(n_sites, np.uint8)
    visited, walk = 0, 0
    for sample in range(out.shape[0]):
        for _ in range(n_loops):
            walk += 1
            site, n = int(rng.random() * n_sites), 0
            while seen[site] != walk:
                seen[site], when[site], path[n] = walk, n, site
                skip = rng.random() < 0.5  # the first of the two legs that point away
                leave = 0
                while skip or not code[site] >> leave & 1:
                    skip = skip and not code[site] >> leave & 1
                    leave += 1
                exits[n] = leave
                n += 1
                site = neighbours[site, leave]
            visited += n
            begin, gain = when[site], 0.0
            enter = exits[n - 1] ^ 1
            for k in range(begin, n):
                old = code[path[k]]
                code[path[k]] = old ^ (1 << enter) ^ (1 << exits[k])
                gain += log_weight[code[path[k]]] - log_weight[old]
                enter = exits[k] ^ 1
            if rng.random() >= 0.9375 * math.exp(min(gain, 0.0)):
                for k in range(begin, n):  # turned over once more
                    code[path[k]] ^= (1 << enter) ^ (1 << exits[k])
                    enter = exits[k] ^ 1
        for k in range(code.size):  # quicker to compile than a slice
            out[sample, k] = code[k]
    return visited
