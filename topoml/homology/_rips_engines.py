"""H1 and H2 of Rips filtrations by the Ripser in gudhi, on ranks in place of distances."""

import math
import os
from collections.abc import Callable
from functools import cache
from threading import Thread
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from .._core.optional import require
from ..kernels.distances import (
    count_edges,
    enclosing_radius,
    rank_matrix,
    ranked_pairs,
    sorted_edges,
)
from ..kernels.ripser import bounded_ripser, ripser
from ._clouds import Cloud

__all__ = ["pair_clouds", "patiently"]

Array = NDArray[Any]
T = TypeVar("T")
Pairs = tuple[Array, Array, Array, Array]

COUNTED = 2**24  # by float32
EDGE_BYTES = 120  # of memory that an edge takes for certain; what its reduction adds depends
GUARDED = 2**23  # triangles, of which some shapes make gudhi take a GB


def pair_clouds(clouds: list[Cloud], top: int, limit: float, stop: Array) -> list[list[Pairs]]:
    """Pairs of H0 … H ``top`` of each cloud's edges up to ``limit``; those of H0 are left empty.

    The engine filters by the ranks of the edges in the order (value, i n + j): its births and
    deaths name edges unambiguously.

    Returns, for each cloud and dimension, in the order (death, birth): edges of birth and death
    (p, 2) int64 with their values (p, 2); edges of the essential births (e,) with their values.
    """
    none = (np.empty((0, 2), np.int64), np.empty((0, 2)), np.empty(0, np.int64), np.empty(0))
    pairs = [[none] * (top + 1) for _ in clouds]
    filtrations = {}
    for number, cloud in enumerate(clouds):
        if cloud[-1] < 4:
            continue
        cut, room, is_cone = _extent(cloud, top, limit)
        edge, value = sorted_edges(*cloud, cut, room)
        if edge.size:
            filtrations[number] = edge, value, _ranks(edge, cloud[-1], is_cone)
    ranks = [ranks for _, _, ranks in filtrations.values()]
    found = _diagrams(ranks, [clouds[number] for number in filtrations], top, stop)
    for (number, (edge, value, _)), diagrams in zip(filtrations.items(), found, strict=True):
        for d in range(1, min(top + 1, len(diagrams))):
            pairs[number][d] = ranked_pairs(diagrams[d].astype(np.float64), edge, value)
    return pairs


def patiently(work: Callable[[], T], stop: Array) -> T:
    """``work()`` on a thread of its own, left behind when Ctrl-C comes or once ``stop`` (1,) is 1.

    An engine that releases the GIL, but cannot be told to stop, lets Ctrl-C be heard so, and the
    process end; a process that goes on has it in the background until it is done.
    """
    found: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            errors.append(error)

    thread = Thread(target=run, name="topoml", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.1)
        if stop[0]:
            raise InterruptedError
    if errors:
        raise errors[0]
    return found[0]


def _diagrams(
    filtrations: list[Any], clouds: list[Cloud], top: int, stop: Array
) -> list[list[Array]]:
    """Diagrams, H0 … H ``top``, of each matrix of ranks; those of large ones that may need more
    memory than there is by a process of their own."""
    large = [top > 1 and _most_triangles(f) > GUARDED for f in filtrations]
    quick = iter(ripser([f for f, apart in zip(filtrations, large, strict=True) if not apart], top))
    found = []
    for filtration, cloud, apart in zip(filtrations, clouds, large, strict=True):
        if not apart:
            found.append(next(quick))
            continue
        room = _free_memory()
        try:
            found.append(bounded_ripser(filtration, top, room, stop))
        except MemoryError:
            raise _too_large_to_reduce(cloud, top, room) from None
    return found


def _most_triangles(filtration: Any) -> float:  # noqa: ANN401 - scipy has no types
    """No graph of so many edges, the largest of their ranks, has more (Kruskal and Katona)."""
    n_edges = filtration.max() if isinstance(filtration, np.ndarray) else filtration.nnz
    return float(math.sqrt(2) / 3 * float(n_edges) ** 1.5)


def _ranks(edge: Array, n: int, is_cone: bool) -> Any:  # noqa: ANN401 - scipy has no types
    """The filtration by ranks 1, 2, …: a full matrix, a sparse one unless ``edge`` makes a cone.

    float32 counts to 2**24.
    """
    dtype = np.float32 if edge.size < COUNTED else np.float64
    if is_cone:
        return rank_matrix(edge, n, np.empty(0, dtype))
    ends = (edge // n).astype(np.int32), (edge % n).astype(np.int32)
    rank = np.arange(1, edge.size + 1, dtype=dtype)
    return require("scipy.sparse").coo_matrix((rank, ends), shape=(n, n))


def _extent(cloud: Cloud, top: int, limit: float) -> tuple[float, int, bool]:
    """The value up to which edges count, room for them all, and whether they make a cone.

    Raises:
        InputError: The edges alone do not fit into memory; before any of them is stored.
    """
    n, room = cloud[-1], _memory()
    all_edges = n * (n - 1) // 2
    if limit == np.inf and all_edges >= 2**33:  # a minute to measure: judge by the number of points
        raise _too_large(cloud, top, all_edges, room)
    radius = enclosing_radius(*cloud)
    is_cone = radius <= limit and radius < np.inf
    limit = min(limit, radius)
    if all_edges < 2**16 and EDGE_BYTES * all_edges <= room:
        return limit, all_edges, is_cone
    n_edges = count_edges(*cloud, limit)
    if EDGE_BYTES * n_edges > room:
        raise _too_large(cloud, top, n_edges, room)
    return limit, n_edges, is_cone


@cache
def _memory() -> float:
    """Bytes of memory of this machine, or of the container it is; 16 GiB where it does not say."""
    found = 2.0**34
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found = float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    try:
        with open("/sys/fs/cgroup/memory.max") as file:
            return min(found, float(file.read()))  # "max" is no number
    except (OSError, ValueError):
        return found


def _free_memory() -> float:
    """Bytes that a process may still take: nine tenths of what is free now."""
    free = _memory()
    try:
        with open("/proc/meminfo") as file:
            lines = dict(line.split(":") for line in file)
        free = min(free, 1024 * float(lines["MemAvailable"].split()[0]))
    except (OSError, KeyError):
        pass
    return 0.9 * free


def _sample_of(cloud: Cloud) -> tuple[int, Array, Array]:
    """512 of the points at most: their number, edges and values in ascending order."""
    x, matrix, weight, box, single, n = cloud
    few = np.arange(0, n, -(-n // 512))
    part: Cloud = (
        np.ascontiguousarray(x[:, few]) if not matrix.size else x,
        np.ascontiguousarray(matrix[np.ix_(few, few)]) if matrix.size else matrix,
        weight[few] if weight.size else weight,
        box,
        single,
        few.size,
    )
    edge, value = sorted_edges(*part, np.inf, count_edges(*part, np.inf))
    return few.size, edge, value


def _too_large(cloud: Cloud, top: int, n_edges: int, room: float) -> InputError:
    """What it would take, and the cut-off that fits: a quantile among some of the points."""
    n = cloud[-1]
    _, _, value = _sample_of(cloud)
    rank = int(room / 2 / EDGE_BYTES / (n * (n - 1) / 2) * value.size)
    return InputError(
        f"`homology_dimensions` asks for H{top} of {n} points, {n_edges} edges, at least"
        f" {EDGE_BYTES * n_edges / 2**30:.3g} GiB; expected at most {room / 2**30:.3g} GiB, this"
        f" machine's memory. {_cure(value, rank)}"
    )


def _too_large_to_reduce(cloud: Cloud, top: int, room: float) -> InputError:
    """A reduction that ran out of memory, and the cut-off with so few triangles that none does."""
    n = cloud[-1]
    few, edge, value = _sample_of(cloud)
    wanted = GUARDED * (few / n) ** 3

    def n_triangles(rank: int) -> float:
        joined = np.zeros((few, few), np.float32)
        i, j = edge[:rank] // few, edge[:rank] % few
        joined[i, j] = joined[j, i] = 1.0
        return float(((joined @ joined) * joined).sum()) / 6

    low, high = 0, value.size
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if n_triangles(middle) <= wanted else (low, middle)
    return InputError(
        f"`homology_dimensions` asks for H{top} of {n} points, whose reduction takes more than the"
        f" {room / 2**30:.3g} GiB that are free; expected one that fits. {_cure(value, low)}"
    )


def _cure(value: Array, rank: int) -> str:
    """Words for the value of the edge of a rank."""
    advice = f"={value[rank]:.3g}" if 0 < rank < value.size else ", a smaller one"
    return f"Cure: max_edge_length{advice}, or fewer points (farthest_points)."
