"""H1 and H2 of Rips filtrations by other people's engines, on ranks in place of distances."""

import importlib.util
import os
from functools import cache
from typing import Any

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

__all__ = ["Cloud", "giotto_available", "pair_clouds"]

Array = NDArray[Any]
Cloud = tuple[Array, Array, Array, Array, bool, int]  # x, matrix, weight, box, single, n
Pairs = tuple[Array, Array, Array, Array]


@cache
def giotto_available() -> bool:
    """Whether giotto-ph, the faster engine, is installed."""
    return importlib.util.find_spec("gph") is not None


def pair_clouds(clouds: list[Cloud], top: int, limit: float, n_threads: int) -> list[list[Pairs]]:
    """Pairs of H0 … H ``top`` of each cloud's edges up to ``limit``; those of H0 are left empty.

    An engine filters by the ranks of the edges in the order (value, i n + j): its births and deaths
    name edges unambiguously, and do not depend on which engine it is.

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
            ranks = rank_matrix(edge, cloud[-1]) if is_cone else _sparse(edge, cloud[-1])
            filtrations[number] = edge, value, ranks
    # giotto-ph ranks in float32, which counts to 2**24
    few = all(edge.size < 2**24 for edge, _, _ in filtrations.values())
    engine = _giotto if few and giotto_available() else _gudhi
    found = engine([ranks for _, _, ranks in filtrations.values()], top, n_threads)
    for (number, (edge, value, _)), diagrams in zip(filtrations.items(), found, strict=True):
        for d in range(1, min(top + 1, len(diagrams))):
            pairs[number][d] = ranked_pairs(diagrams[d].astype(np.float64), edge, value)
    return pairs


def _giotto(filtrations: list[Any], top: int, n_threads: int) -> list[list[Array]]:
    ripser = require("gph", extra="giotto").ripser_parallel
    options = {"maxdim": top, "metric": "precomputed", "n_threads": n_threads}
    return [ripser(ranks, **options)["dgms"] for ranks in filtrations]


def _gudhi(filtrations: list[Any], top: int, n_threads: int) -> list[list[Array]]:
    persistence = require("gudhi.sklearn").RipsPersistence
    found: list[list[Array]] = [[]] * len(filtrations)
    for dense, kind in ((True, "full distance matrix"), (False, "distance coo_matrix")):
        numbers = [i for i, f in enumerate(filtrations) if isinstance(f, np.ndarray) == dense]
        if numbers:
            engine = persistence(
                homology_dimensions=list(range(top + 1)), input_type=kind, homology_coeff_field=2
            )
            diagrams = engine.fit_transform([filtrations[i] for i in numbers])
            for i, diagram in zip(numbers, diagrams, strict=True):
                found[i] = diagram
    return found


def _sparse(edge: Array, n: int) -> Any:  # noqa: ANN401 - scipy has no types
    sparse = require("scipy.sparse")
    dtype = np.float32 if edge.size < 2**24 else np.float64
    rank = np.arange(1, edge.size + 1, dtype=dtype)
    ends = (edge // n).astype(np.int32), (edge % n).astype(np.int32)
    return sparse.coo_matrix((rank, ends), shape=(n, n))


def _extent(cloud: Cloud, top: int, limit: float) -> tuple[float, int, bool]:
    """The value up to which edges count, room for them all, and whether they make a cone.

    Raises:
        InputError: The edges do not fit into memory; before any of them is stored.
    """
    n, room = cloud[-1], _memory()
    all_edges = n * (n - 1) // 2
    if limit == np.inf and all_edges >= 2**33:  # a minute to measure: judge by the number of points
        raise _too_large(cloud, top, all_edges, room)
    radius = enclosing_radius(*cloud)
    is_cone = radius <= limit and radius < np.inf
    limit = min(limit, radius)
    if all_edges < 2**16 and _bytes(n, all_edges, top) <= room:
        return limit, all_edges, is_cone
    n_edges = count_edges(*cloud, limit)
    if _bytes(n, n_edges, top) > room:
        raise _too_large(cloud, top, n_edges, room)
    return limit, n_edges, is_cone


def _bytes(n: int, n_edges: int, top: int) -> float:
    """Upper estimate of the memory of k edges: 120 bytes an edge, for H2 24 bytes a triangle.

    k edges have at most sqrt(2) k^1.5 / 3 triangles (Kruskal and Katona).
    """
    triangles = min(2**0.5 * n_edges**1.5 / 3, n * (n - 1) * (n - 2) / 6)
    return 120.0 * n_edges + (24.0 * triangles if top > 1 else 0.0)


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


def _too_large(cloud: Cloud, top: int, n_edges: int, room: float) -> InputError:
    """What it would take, and the cut-off that fits: a quantile among 512 points at most."""
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
    low, high = 0.0, float(n_edges)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _bytes(n, int(middle), top) < room / 2 else (low, middle)
    _, value = sorted_edges(*part, np.inf, count_edges(*part, np.inf))
    rank = int(low / (n * (n - 1) / 2) * value.size)
    advice = f"={value[rank]:.3g}" if 0 < rank < value.size else ", a smaller one"
    return InputError(
        f"`homology_dimensions` asks for H{top} of {n} points, {n_edges} edges, about"
        f" {_bytes(n, n_edges, top) / 2**30:.3g} GiB; expected at most {room / 2**30:.3g} GiB, this"
        f" machine's memory. Cure: max_edge_length{advice}, or fewer points"
        " (farthest_points)."
    )
