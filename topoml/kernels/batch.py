"""One kernel over a batch: blocks of samples on a thread pool, packed in order."""

import mmap
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["Chunk", "PackedPairs", "pair_batch", "pair_blocks", "thread_pool"]

Array = NDArray[Any]
Scratch = tuple[Any, ...]

# glibc returns freed memory to the system beyond twice the largest block that was ever freed (of at
# most 32 MiB), and taking it anew costs a fault a page, on which threads wait for each other: free
# one such block, which nobody has touched.
np.empty(2**25 - 2**16, np.uint8)


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


class Chunk(NamedTuple):
    """The pairs of successive samples, rows sorted by (sample, dimension).

    ``pair`` (P, 2) int, entries of (birth, death), and ``value`` (P, 2); ``essential`` (E,) and
    ``essential_value`` (E,); ``tally`` (n, 2, D) int64: finite, essential by dimension.
    """

    pair: Array
    value: Array
    essential: Array
    essential_value: Array
    tally: Array


class _Room:
    """Rows (int32, int32) for the pairs of a batch, ``rows`` a sample, until they are packed.

    Memory is taken by the page, where something is written, and given back by the block: the pairs
    of a batch wait in 8 bytes each, which are gone as soon as they stand in the result.
    """

    def __init__(self, n_samples: int, rows: int) -> None:
        self._rows = rows
        size = 8 * n_samples * rows
        self._pages: mmap.mmap | None = None
        if size >= 2**25 and hasattr(mmap, "MAP_PRIVATE"):
            self._pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            self.array = np.frombuffer(self._pages, np.int32).reshape(-1, 2)
        else:
            self.array = np.empty((n_samples * rows, 2), np.int32)

    def give_back(self, begin: int, end: int) -> None:
        """Forget the rows of the samples ``begin`` to ``end``: whole pages of them."""
        if self._pages is not None and hasattr(mmap, "MADV_DONTNEED"):
            page = mmap.PAGESIZE
            first = -(-8 * begin * self._rows // page) * page
            last = 8 * end * self._rows // page * page
            if last > first:
                self._pages.madvise(mmap.MADV_DONTNEED, first, last - first)


@cache
def thread_pool(n_threads: int) -> ThreadPoolExecutor:
    """The pool of ``n_threads`` threads, made once a process."""
    return ThreadPoolExecutor(n_threads, thread_name_prefix="topoml")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork: the child makes its own
    os.register_at_fork(after_in_child=thread_pool.cache_clear)


class _Team:
    """The threads that share the work of one batch, the caller's among them if it ``joins``.

    Large samples run on another thread also where it is the only one, so that Ctrl-C is heard:
    ``stop`` (1,) is 1 from then on, and nobody waits.
    """

    def __init__(self, n_threads: int, joins: bool) -> None:
        self.n_threads, self.joins = n_threads, joins
        # in a cache line of its own, as all threads read it
        self.stop: Array = np.zeros(256, np.uint8)[128:129]

    def each(self, work: Callable[[], None], n_threads: int) -> None:
        """Call ``work`` on ``n_threads`` threads, and wait."""
        pool = thread_pool(self.n_threads)
        futures = [pool.submit(work) for _ in range(n_threads - self.joins)]
        try:
            if self.joins:
                work()
            for future in futures:
                future.result()
        except BaseException:
            self.stop[0] = 1
            raise

    def share(self, work: Callable[[int], None], n_parts: int) -> None:
        """Call ``work(0)`` to ``work(n_parts - 1)``, each thread the next one that is left."""
        numbers = iter(range(n_parts))

        def take() -> None:
            for number in numbers:
                if self.stop[0]:
                    return
                work(number)

        self.each(take, min(n_parts, self.n_threads))


def _new_packed(n: int, m: int, dtype: Any) -> PackedPairs:  # noqa: ANN401
    """Room for ``n`` finite and ``m`` essential classes."""
    return PackedPairs(
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


@njit(cache=True, nogil=True)
def _unpack_blocks(
    room: Array,
    tally: Array,
    values: Array,
    length: int,
    begin: int,
    end: int,
    p: int,
    q: int,
    packed: tuple[Any, ...],
) -> None:
    """Write the classes of the samples ``begin`` to ``end``, whole blocks, to rows ``p`` (finite)
    and ``q`` (essential) of the packed arrays, with the values of their entries, 0 for -1."""
    points, birth, death, dimension, sample = packed[:5]
    essential, essential_entry, essential_dimension, essential_sample = packed[5:]
    n_samples = len(tally)
    rows = len(room) // n_samples
    zero = values.dtype.type(0)
    i = j = 0
    for s in range(begin, end):
        if s % length == 0:
            i, j = s * rows, min(s + length, n_samples) * rows - 1
        here = values[s]
        for d in range(tally.shape[2]):
            for _ in range(tally[s, 0, d]):
                b, e = room[i, 0], room[i, 1]
                points[p, 0] = here[b] if b >= 0 else zero
                points[p, 1] = here[e]
                birth[p], death[p], dimension[p], sample[p] = b, e, d, s
                i += 1
                p += 1
            for _ in range(tally[s, 1, d]):
                b = room[j, 0]
                essential[q] = here[b] if b >= 0 else zero
                essential_entry[q], essential_dimension[q], essential_sample[q] = b, d, s
                j -= 1
                q += 1


def pair_blocks(
    kernel: Callable[[Array, int, Scratch, Array, Array, Array], None],
    values: Array,
    *,
    sites: int,
    rows: int,
    n_dimensions: int,
    n_threads: int,
    scratch: Callable[[], Scratch],
) -> PackedPairs | None:
    """Run ``kernel(counter, length, scratch, stop, room, tally)`` on ``n_threads`` threads over all
    samples and pack what it finds; None if it met a NaN.

    Each call of the kernel takes block after block of ``length`` samples: the next one begins at
    the number that it takes from ``counter`` (1,) int64 by ``fetch_add``, until there is none left
    or ``stop`` (1,) is 1. ``room`` has ``rows`` rows (int32, int32) a sample: the finite pairs of a
    block stand at the front of its rows, the births of its essential classes in the first column,
    from the back, both ordered by (sample, dimension). ``tally`` (B, 2, D) int64, zero before,
    counts them: finite, essential by dimension; -1 for a sample with a NaN.

    The kernel releases the GIL and treats each sample alone, so the result does not depend on
    ``n_threads``.

    Args:
        values: (B, entries): where the classes take their values from.
        sites: Size of a sample.
        scratch: Makes what one thread works with.
    """
    n_samples = len(values)
    length = max(1, min(n_samples // (8 * n_threads), 2**17 // sites))
    n_blocks = -(-n_samples // length)
    team = _Team(n_threads, joins=sites <= 2**18)
    room = _Room(n_samples, rows)
    tally = np.zeros((n_samples, 2, n_dimensions), np.int64)
    counter = np.zeros(1, np.int64)
    team.each(
        lambda: kernel(counter, length, scratch(), team.stop, room.array, tally),
        min(n_threads, n_blocks),
    )
    found = np.add.accumulate(tally.sum(2))
    if tally[:, 0, 0].min(initial=0) < 0:
        return None
    n, m = (int(k) for k in found[-1]) if n_samples else (0, 0)
    packed = _new_packed(n, m, values.dtype)
    columns = tuple(packed)
    # Little is packed by the caller alone; much by the part, so that its memory is given back.
    n_parts = min(n_blocks, 1 if n + m < 2**14 else max(2 * n_threads, n_samples * sites >> 17))

    def pack(number: int) -> None:
        begin, end = (
            min(n_blocks * k // n_parts * length, n_samples) for k in (number, number + 1)
        )
        p, q = found[begin - 1] if begin else (0, 0)
        _unpack_blocks(room.array, tally, values, length, begin, end, p, q, columns)
        room.give_back(begin, end)

    team.share(pack, n_parts)
    return packed


@njit(cache=True, nogil=True)
def _unpack(
    chunk: tuple[Any, ...], first_sample: int, p: int, q: int, packed: tuple[Any, ...]
) -> None:
    """Write a chunk's classes to rows ``p`` (finite) and ``q`` (essential) of the packed arrays."""
    pair, value, entry, entry_value, tally = chunk
    points, birth, death, dimension, sample = packed[:5]
    essential, essential_entry, essential_dimension, essential_sample = packed[5:]
    i = j = 0
    for s in range(tally.shape[0]):
        for d in range(tally.shape[2]):
            for _ in range(tally[s, 0, d]):
                points[p + i, 0], points[p + i, 1] = value[i, 0], value[i, 1]
                birth[p + i], death[p + i] = pair[i, 0], pair[i, 1]
                dimension[p + i], sample[p + i] = d, first_sample + s
                i += 1
            for _ in range(tally[s, 1, d]):
                essential[q + j], essential_entry[q + j] = entry_value[j], entry[j]
                essential_dimension[q + j], essential_sample[q + j] = d, first_sample + s
                j += 1


def pair_batch(
    kernel: Callable[[int, int, Array], Chunk | None], n_samples: int, sites: int, n_threads: int
) -> PackedPairs | None:
    """Run ``kernel(begin, end, stop)`` over all samples on ``n_threads`` threads and pack what it
    finds.

    None if a kernel met a NaN, for which it returns None. As ``pair_blocks``, for kernels that do
    not know how much they find. Chunks are of about 2**17 sites.
    """
    length = max(1, min(-(-n_samples // n_threads), 2**17 // sites))
    if n_threads > 1:
        length = max(1, min(length, n_samples // (4 * n_threads)))
    begins = range(0, n_samples, length)
    team = _Team(n_threads, joins=sites <= 2**18)
    chunks: list[Chunk | None] = [None] * len(begins)

    def find(number: int) -> None:
        begin = begins[number]
        chunks[number] = kernel(begin, min(begin + length, n_samples), team.stop)

    team.share(find, len(begins))
    found = [chunk for chunk in chunks if chunk is not None]
    if len(found) < len(chunks):
        return None
    p = [0, *accumulate(len(chunk.pair) for chunk in found)]
    q = [0, *accumulate(len(chunk.essential) for chunk in found)]
    packed = _new_packed(p[-1], q[-1], found[0].value.dtype)
    del found  # each chunk goes as soon as it is packed
    columns = tuple(packed)

    def pack(number: int) -> None:
        chunk, chunks[number] = chunks[number], None
        assert chunk is not None
        _unpack(tuple(chunk), begins[number], p[number], q[number], columns)

    team.share(pack, len(begins))
    return packed
