"""Persistence of filtered graphs, one or a batch."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._core.errors import InputError
from ..kernels.batch import PackedPairs
from ..kernels.graph import cycle_pairs, merge_components
from ._checks import check_dimensions, check_field
from ._gather import diagrams_of, host_array, operator, packed_tensors, register
from .diagrams import Diagrams

__all__ = ["check_extended", "graph_pairs", "graph_persistence"]

Array = NDArray[Any]


def graph_persistence(
    vertex: Tensor,
    edges: Tensor,
    *,
    homology_dimensions: Sequence[int],
    edge: Tensor | None = None,
    batch: Tensor | None = None,
    extended: bool = False,
) -> Diagrams:
    r"""Persistent homology of graphs, filtered by values of their nodes and edges.

    Lower star (``edge=None``): an edge enters with the later of its ends,
    :math:`f(ij) = \max(f(i), f(j))`. H0 has one essential class a component, H1 one an independent
    cycle, and no finite ones. Exact, over Z/2; ties go by (value, index); equal values make no
    finite class. Each birth and death is one entry of ``vertex`` or ``edge``, and its gradient
    goes there (at ties: one element of the Clarke subdifferential). A graph's classes do not
    depend on the other graphs of the batch.

    The graph is simple and undirected: i->j and j->i, or an edge listed twice, are one edge (that
    of the first listing, to which its gradient goes); self-loops are left out.

    **Extended persistence** (``extended=True``; of the node values alone) sweeps up through the
    sublevel sets, then down through the superlevel sets, and every class ends, so that nothing is
    essential. Points are (birth, death) as values:

    - dimension 0: *ordinary*, birth < death, a component and the node at which it joins a lower
      one; then *extended+*, birth <= death, the minimum and the maximum of each component;
    - dimension 1: *relative*, birth > death, a component of a superlevel set (its maximum) and the
      node at which it joins a higher one, on the way down; then *extended-*, birth >= death: the
      values at which an independent cycle is complete on the way up, and on the way down.

    Within a graph and dimension the extended+ (extended-) classes come last. They are kept also
    where their length is zero, as their numbers are the Betti numbers of the graph; ordinary and
    relative classes of zero length are dropped. In dimension 1 births are above deaths: asked for
    that dimension alone, the diagrams are marked ``superlevel``. Asked for both, they have two
    directions, which ``lifetime`` and what rests on it take as they are, but Betti curves and the
    converters do not. Cure: one call a dimension.

    The pairing runs on the CPU; values are gathered on the device of ``vertex``.
    O((V + E) log(V + E)) time; extended- in addition walks along a spanning forest once an edge.

    Args:
        vertex: Values of the nodes of all graphs, (V,) float. +inf: never enters; not if extended.
        edges: ``edge_index`` of PyG, (2, E) int64, entries in [0, V).
        homology_dimensions: Distinct integers among 0, 1.
        edge: Values of the edges, (E,) float, same dtype and device as ``vertex``, none below an
            end's; the listings of one edge have the same value. None: lower star.
        batch: Number of the graph of each node, (V,) int64, sorted; None: one graph. A number
            that is left out is a graph without nodes.
        extended: Extended persistence; without ``edge``.

    Returns:
        Diagrams of batch_shape (B,), B = batch[-1] + 1, or () without ``batch``. Indices count
        through ``vertex``, or concat(vertex, edge), of the whole batch.

    Raises:
        InputError: A tensor of another shape, dtype or device, NaN; an edge to no node, between
            two graphs, or before one of its ends; an infinity, or ``edge``, with ``extended``.

    Source: Edelsbrunner & Harer, Computational Topology (2010), ch. VII; extended: Cohen-Steiner,
        Edelsbrunner, Harer, Found. Comput. Math. 9, 79 (2009).

    Example:
        >>> import torch
        >>> vertex = torch.tensor([0.0, 1.0, 3.0, 2.0])  # a square, with minima at one corner
        >>> edges = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])
        >>> graph_persistence(vertex, edges, homology_dimensions=(0, 1)).essential
        tensor([0., 3.])
        >>> graph_persistence(vertex, edges, homology_dimensions=(0, 1), extended=True).points
        tensor([[0., 3.],
                [3., 0.]])
    """
    dimensions = check_dimensions(homology_dimensions, 1)
    check_extended(extended)
    _check_tensors(vertex, edges, edge, batch)
    if extended and edge is not None:
        raise InputError(
            "`edge` is given with extended=True; expected None, as extended persistence is of the"
            " node values alone. Cure: subdivide the edges by nodes of these values."
        )
    values = vertex if edge is None else torch.cat([vertex, edge])
    packed = graph_pairs(values, len(vertex), edges, batch, dimensions, extended)
    superlevel = extended and dimensions == (1,)
    diagrams = diagrams_of(packed, torch.Size(()), dimensions, superlevel=superlevel)
    if batch is None:
        return diagrams
    graph_of = batch if edge is None else torch.cat([batch, batch[edges[0]]])
    n_graphs: Any = batch[-1].item() + 1  # torch.export keeps it as a symbol, which int() would not
    torch._check(n_graphs >= 1)  # type: ignore[no-untyped-call]
    return replace(
        diagrams,
        sample=graph_of[diagrams.birth_index],
        essential_sample=graph_of[diagrams.essential_index],
        batch_shape=torch.Size((n_graphs,)),
    )


@operator
def graph_pairs(
    values: Tensor,
    n_vertices: int,
    edges: Tensor,
    batch: Tensor | None,
    homology_dimensions: Sequence[int],
    extended: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """``graph_persistence`` of the nodes' values, or these and the edges', as an operator.

    The whole batch is one sample of ``values``: the graphs are numbered by the caller.
    """
    value = host_array(values)
    vertex, edge = value[:n_vertices], value[n_vertices:]
    has_edge = values.numel() > n_vertices
    _check_numbers(vertex, edge, extended)
    source = edges.cpu().numpy()
    graph_of = _graph_numbers(batch, n_vertices)
    ends, listing = _simple_edges(source, graph_of)
    dimensions = tuple(homology_dimensions)
    if has_edge:
        _check_filtration(vertex, edge, ends, listing, source)
        found = _with_edge_values(vertex, edge[listing], ends, listing, dimensions)
    else:
        found = _lower_star(vertex, ends, dimensions, extended)
    return packed_tensors(_packed(value, found, graph_of), values)


register(graph_pairs, lambda *_: 1)


class _Classes(NamedTuple):
    """Entries of birth and death (-1: never) and node of some classes of one dimension."""

    dimension: int
    birth: Array
    death: Array
    node: Array
    keep_empty: bool = False  # classes of zero length too


def _lower_star(
    value: Array, ends: Array, dimensions: tuple[int, ...], extended: bool
) -> list[_Classes]:
    """Classes of the lower star filtration, or the extended ones; entries are nodes."""
    nodes = np.arange(value.size)
    rank = np.empty_like(nodes)
    rank[np.argsort(value, kind="stable")] = nodes
    swapped = rank[ends[:, 0]] > rank[ends[:, 1]]
    low, high = np.where(swapped, ends.T[::-1], ends.T)
    upwards = np.argsort(rank[high], kind="stable")
    killer, closes, eldest = merge_components(rank, ends, upwards)
    found = []
    dies = np.flatnonzero(killer >= 0)
    if 0 in dimensions:
        found.append(_Classes(0, dies, high[killer[dies]], dies))
    if not extended:
        if 0 in dimensions:
            found.append(_Classes(0, *_never(np.flatnonzero(killer < 0))))
        if 1 in dimensions:
            loops = upwards[closes[upwards]]
            found.append(_Classes(1, *_never(high[loops])))
        return found
    downwards = np.argsort(-rank[low], kind="stable")
    killer, _, _ = merge_components(value.size - 1 - rank, ends, downwards)
    if 0 in dimensions:
        top = np.flatnonzero(killer < 0)
        found.append(_Classes(0, eldest[top], top, top, keep_empty=True))
    if 1 in dimensions:
        dies = np.flatnonzero(killer >= 0)
        found.append(_Classes(1, dies, low[killer[dies]], dies))
        position = np.empty(len(ends), np.int64)
        position[upwards] = np.arange(len(ends))
        first, last = cycle_pairs(value.size, ends, position, downwards)
        found.append(_Classes(1, high[first], low[last], high[first], keep_empty=True))
    return found


def _with_edge_values(
    value: Array, entered: Array, ends: Array, listing: Array, dimensions: tuple[int, ...]
) -> list[_Classes]:
    """Classes of a filtration of nodes and edges; column e of the edges is the entry V + e."""
    rank = np.empty(value.size, np.int64)
    rank[np.argsort(value, kind="stable")] = np.arange(value.size)
    order = np.argsort(entered, kind="stable")
    killer, closes, _ = merge_components(rank, ends, order)
    found = []
    if 0 in dimensions:
        dies = np.flatnonzero(killer >= 0)
        found.append(_Classes(0, dies, value.size + listing[killer[dies]], dies))
        found.append(_Classes(0, *_never(np.flatnonzero(killer < 0))))
    if 1 in dimensions:
        loops = order[closes[order]]
        birth, death, _ = _never(value.size + listing[loops])
        found.append(_Classes(1, birth, death, ends[loops, 0]))
    return found


def _never(birth: Array) -> tuple[Array, Array, Array]:
    return birth, np.full_like(birth, -1), birth


def _packed(value: Array, found: list[_Classes], graph_of: Array) -> PackedPairs:
    """All classes, sorted by (graph, dimension), as if of one sample."""
    finite, essential = [], []
    for dimension, birth, death, node, keep_empty in found:
        row = np.stack([graph_of[node], np.full(birth.size, dimension), birth, death], 1)
        never = (death < 0) | (value[death] == np.inf)  # an entry of +inf is never
        essential.append(row[never & (value[birth] < np.inf)])
        finite.append(row[~never & (keep_empty | (value[birth] != value[death]))])
    ends, stays = _sorted(finite), _sorted(essential)
    return PackedPairs(
        points=np.stack([value[ends[2]], value[ends[3]]], 1),
        birth=ends[2],
        death=ends[3],
        dimension=ends[1],
        sample=np.zeros_like(ends[1]),
        essential=value[stays[2]],
        essential_entry=stays[2],
        essential_dimension=stays[1],
        essential_sample=np.zeros_like(stays[1]),
    )


def _sorted(rows: list[Array]) -> Array:
    row = np.concatenate(rows)
    ascending: Array = row[np.lexsort((row[:, 1], row[:, 0]))].T.copy()
    return ascending


def _check_tensors(vertex: object, edges: object, edge: object, batch: object) -> None:
    """Types, shapes, dtypes and devices."""
    vertex = check_field("vertex", vertex, "(V,)", 1)
    if vertex.ndim != 1:
        raise InputError(
            f"`vertex` has shape {tuple(vertex.shape)}; expected (V,), the graphs of a batch one"
            " after the other. Cure: vertex.squeeze(-1), if there is one feature a node."
        )
    device = vertex.device
    shape = tuple(edges.shape) if isinstance(edges, Tensor) else ()
    n_edges = shape[1] if len(shape) == 2 else 0
    for name, x, expected, dtype, meaning in (
        ("edges", edges, (2, n_edges), torch.int64, "the edge_index of PyG"),
        ("edge", edge, (n_edges,), vertex.dtype, "a value a column of `edges`, or None"),
        ("batch", batch, tuple(vertex.shape), torch.int64, "the graph of each node, or None"),
    ):
        if x is None and name != "edges":
            continue
        what = f"({', '.join(map(str, expected))}{',' * (len(expected) == 1)})"
        what = "(2, E)" if name == "edges" else what
        if not isinstance(x, Tensor):
            raise InputError(
                f"`{name}` is {type(x).__name__}; expected a torch.Tensor {what}, {dtype},"
                f" {meaning}."
            )
        if (tuple(x.shape), x.dtype, x.device) != (expected, dtype, device):
            raise InputError(
                f"`{name}` has shape {tuple(x.shape)}, {x.dtype}, {x.device}; expected {what},"
                f" {dtype}, {device}, {meaning}."
            )


def _check_numbers(vertex: Array, edge: Array, extended: bool) -> None:
    for name, x in (("vertex", vertex), ("edge", edge)):
        if np.isnan(x).any():
            raise InputError(
                f"`{name}` is NaN at {int(np.isnan(x).argmax())}; expected numbers, as NaN has no"
                " place in a filtration. Cure: mask the entry with +inf, where it enters last."
            )
    if extended and np.isinf(vertex).any():
        at = int(np.isinf(vertex).argmax())
        raise InputError(
            f"`vertex` is {vertex[at]} at {at}; expected finite values with extended=True. Cure:"
            " leave such nodes and their edges out."
        )


def check_extended(extended: object) -> None:
    """A bool."""
    if not isinstance(extended, bool):
        raise InputError(f"`extended` is {extended!r}; expected True or False.")


def _graph_numbers(batch: Tensor | None, n_vertices: int) -> Array:
    """The graph of each node."""
    if batch is None:
        return np.zeros(n_vertices, np.int64)
    graph_of: Array = batch.cpu().numpy()
    if graph_of[0] < 0 or (graph_of[1:] < graph_of[:-1]).any():
        raise InputError(
            "`batch` is negative or not sorted; expected graph numbers from 0, ascending. Cure:"
            " sort the nodes by graph."
        )
    return graph_of


def _simple_edges(source: Array, graph_of: Array) -> tuple[Array, Array]:
    """Ends (E', 2) of the distinct edges, loops left out, and the column that lists each first."""
    n = graph_of.size
    outside = ((source < 0) | (source >= n)).any(0)
    if outside.any():
        e = int(outside.argmax())
        raise InputError(
            f"`edges` is {tuple(map(int, source[:, e]))} at [:, {e}]; expected entries from 0 to"
            f" {n - 1}, as `vertex` has {n} nodes."
        )
    between = graph_of[source[0]] != graph_of[source[1]]
    if between.any():
        e = int(between.argmax())
        raise InputError(
            f"`edges` is {tuple(map(int, source[:, e]))} at [:, {e}], nodes of the graphs"
            f" {tuple(map(int, graph_of[source[:, e]]))}; expected edges within one graph. Cure:"
            " shift each graph's edge_index by its first node."
        )
    listing = np.sort(np.unique(_keys(source, n), return_index=True)[1])
    listing = listing[source[0, listing] != source[1, listing]]
    return np.ascontiguousarray(source[:, listing].T), listing


def _check_filtration(
    vertex: Array, edge: Array, ends: Array, listing: Array, source: Array
) -> None:
    """No edge before its ends, and one value an edge."""
    proper = np.flatnonzero(source[0] != source[1])
    below = np.maximum(vertex[source[0]], vertex[source[1]])
    early = proper[edge[proper] < below[proper]]
    if early.size:
        e = int(early[0])
        raise InputError(
            f"`edge` is {edge[e]} at {e}, below {below[e]}, the value of an end; expected a"
            " filtration: no edge before its ends. Cure: take the maximum."
        )
    key, known = (_keys(x, vertex.size) for x in (source[:, proper], ends.T))
    order = np.argsort(known)
    first = listing[order[np.searchsorted(known, key, sorter=order)]]
    uneven = np.flatnonzero(edge[proper] != edge[first])
    if uneven.size:
        e, f = int(proper[uneven[0]]), int(first[uneven[0]])
        raise InputError(
            f"`edge` is {edge[f]} at {f} and {edge[e]} at {e}, two listings of the edge between"
            f" {int(source[0, e])} and {int(source[1, e])}; expected one value an edge. Cure: give"
            " both the mean or the minimum of the two."
        )


def _keys(source: Array, n: int) -> Array:
    """A number for each undirected edge of (2, E)."""
    keys: Array = np.minimum(source[0], source[1]) * n + np.maximum(source[0], source[1])
    return keys
