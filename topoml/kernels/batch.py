"""One kernel over a batch: chunks of samples on a thread pool, packed in order."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["PackedPairs", "pair_batch", "thread_pool"]

Array = NDArray[Any]
Chunk = tuple[Array, Array, Array, Array, Array]


class PackedPairs(NamedTuple):
    """The pairs of a batch, rows sorted by (sample, dimension).

    ``points`` (P, 2) float; ``birth``, ``death``, ``dimension``, ``sample`` (P,) int64, the entries
    counted within a sample; ``essential`` (E,) float, and ``essential_entry``,
    ``essential_dimension``, ``essential_sample`` (E,) int64.
    """

    points: Array
    birth: Array
    death: Array
    dimension: Array
    sample: Array
    essential: Array
    essential_entry: Array
    essential_dimension: Array
    essential_sample: Array


@cache
def thread_pool(n_threads: int) -> ThreadPoolExecutor:
    """The pool of ``n_threads`` threads, made once a process."""
    return ThreadPoolExecutor(n_threads, thread_name_prefix="topoml")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork: the child makes its own
    os.register_at_fork(after_in_child=thread_pool.cache_clear)


@njit(cache=True, nogil=True)
def _unpack(chunk: Chunk, first_sample: int, p: int, q: int, packed: tuple[Array, ...]) -> None:
    """Write a chunk's classes to rows ``p`` (finite) and ``q`` (essential) of the packed arrays."""
    pair, value, entry, entry_value, count = chunk
    points, birth, death, dimension, sample = packed[:5]
    essential, essential_entry, essential_dimension, essential_sample = packed[5:]
    points[p : p + len(value)] = value
    essential[q : q + len(entry)] = entry_value
    i = j = 0
    for s in range(count.shape[0]):
        for d in range(count.shape[2]):
            for _ in range(count[s, 0, d]):
                birth[p + i] = pair[i, 0]
                death[p + i] = pair[i, 1]
                dimension[p + i] = d
                sample[p + i] = first_sample + s
                i += 1
            for _ in range(count[s, 1, d]):
                essential_entry[q + j] = entry[j]
                essential_dimension[q + j] = d
                essential_sample[q + j] = first_sample + s
                j += 1


def pair_batch(
    kernel: Callable[[int, int], Chunk], n_samples: int, sites: int, n_threads: int
) -> PackedPairs | None:
    """Run ``kernel(begin, end)`` over all samples on ``n_threads`` threads and pack what it finds.

    None if a kernel met a NaN, which it reports by a negative count.

    The kernel releases the GIL and treats each sample alone, so the result does not depend on
    ``n_threads``. Chunks of about 2**17 sites keep what a chunk writes in the cache, and let
    Ctrl-C be heard; each is freed as soon as it is packed.
    """
    length = max(1, min(-(-n_samples // n_threads), 2**17 // sites))
    if n_threads > 1:
        length = max(1, min(length, n_samples // (4 * n_threads)))
    begins = range(0, n_samples, length)
    threaded = n_threads > 1 and len(begins) > 1
    run = thread_pool(n_threads).map if threaded else map
    chunks: list[Chunk | None] = list(
        run(lambda begin: kernel(begin, min(begin + length, n_samples)), begins)
    )
    if any((chunk[4] < 0).any() for chunk in chunks if chunk):
        return None
    dtype = chunks[0][1].dtype  # type: ignore[index]
    p = np.cumsum([0] + [len(chunk[0]) for chunk in chunks if chunk])
    q = np.cumsum([0] + [len(chunk[2]) for chunk in chunks if chunk])
    n, m = int(p[-1]), int(q[-1])
    packed = PackedPairs(
        points=np.empty((n, 2), dtype),
        birth=np.empty(n, np.int64),
        death=np.empty(n, np.int64),
        dimension=np.empty(n, np.int64),
        sample=np.empty(n, np.int64),
        essential=np.empty(m, dtype),
        essential_entry=np.empty(m, np.int64),
        essential_dimension=np.empty(m, np.int64),
        essential_sample=np.empty(m, np.int64),
    )

    def unpack(i: int) -> None:
        chunk, chunks[i] = chunks[i], None
        assert chunk is not None
        _unpack(chunk, begins[i], int(p[i]), int(q[i]), tuple(packed))

    for _ in run(unpack, range(len(chunks))):
        pass
    return packed
