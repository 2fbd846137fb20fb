"""Graphs from the matrices that hold values of nodes and edges."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .._core.errors import InputError
from ._base import Array, checked_array

__all__ = ["Batch", "batch_of"]

_FORMATS = ("coo", "csc", "csr", "dok", "lil")  # what they store are edges, no zeros as padding

_NAN = (
    "`{0}` is NaN at ({1}, {2}); expected numbers, as NaN has no place in a filtration. Cure: inf,"
    " which is no edge."
)
_ZERO = (
    "`{0}` is 0 at ({1}, {2}) of a dense matrix; expected inf, or another number for an edge. Cure:"
    " scipy.sparse.coo_array(matrix) if 0 is no edge, one with a stored 0 if it is."
)
_UNEVEN = (
    "`{0}` is {3} at ({1}, {2}) and {4} at ({2}, {1}); expected one value an edge. Cure: for"
    " both the mean or the minimum of the two."
)
_EARLY = (
    "`{0}` is {3} at ({1}, {2}), below {4}, the value of a node there; expected a filtration: no"
    " edge before its nodes. Cure: the maximum, or filtration='lower_star'."
)
_INFINITE = (
    "`{0}` is {3} at ({1}, {2}); expected finite values of nodes with extended=True. Cure: leave"
    " such nodes and their edges out."
)


class Batch(NamedTuple):
    """Arguments of ``graph_persistence``."""

    vertex: Tensor
    edges: Tensor
    edge: Tensor | None
    batch: Tensor


def batch_of(x: Any, *, weighted: bool, finite: bool) -> Batch:  # noqa: ANN401
    """Of a list of matrices or an array (n_samples, n, n); values of edges if ``weighted``.

    ``finite``: whether the values of nodes have to be.
    """
    graphs = []
    for i, matrix in enumerate(_listed(x)):
        graph = _graph(f"X[{i}]", matrix, weighted=weighted)
        nodes = np.arange(len(graph.vertex))
        _refuse(finite & np.isinf(graph.vertex), _INFINITE, f"X[{i}]", nodes, nodes, graph.vertex)
        graphs.append(graph)
    return _joined(graphs, weighted=weighted)


class _Graph(NamedTuple):
    """Values of nodes (n,); each edge once: its nodes (2, E), the lower first, and values (E,)."""

    vertex: Array
    edges: Array
    edge: Array


def _listed(x: Any) -> list[Any]:  # noqa: ANN401
    """A matrix a graph."""
    is_array = not _is_sparse(x) and getattr(x, "ndim", None) == 3
    if not isinstance(x, list | tuple) and not is_array:
        shape = f" of shape {tuple(x.shape)}" if hasattr(x, "shape") else ""
        raise InputError(
            f"`X` is {type(x).__name__}{shape}; expected a list of matrices (n_i, n_i), or an array"
            " (n_samples, n, n). Cure: [X], if it is one graph."
        )
    if not len(x):
        raise InputError("`X` has no sample; expected at least one.")
    return list(x)


def _check_matrix(name: str, x: Any) -> None:  # noqa: ANN401
    """Square, of one node or more, and sparse only in a format that stores no zeros as padding."""
    if not hasattr(x, "shape") or isinstance(x, np.ma.MaskedArray):
        raise InputError(
            f"`{name}` is {type(x).__name__}; expected a square matrix, numpy or scipy sparse. Cure"
            " for networkx: to_scipy_sparse_array(graph), then setdiag with the values of nodes."
        )
    if len(x.shape) != 2 or x.shape[0] != x.shape[1] or not x.shape[0]:
        raise InputError(f"`{name}` has shape {tuple(x.shape)}; expected (n, n), square, n >= 1.")
    if _is_sparse(x) and x.format not in _FORMATS:
        raise InputError(
            f"`{name}` has format {x.format!r}, which stores zeros as padding; expected one of"
            f" {', '.join(_FORMATS)}. Cure: .tocsr(), then .eliminate_zeros()."
        )


def _graph(name: str, x: Any, *, weighted: bool) -> _Graph:  # noqa: ANN401
    """A matrix taken apart; the values of its edges are checked if they count."""
    _check_matrix(name, x)
    matrix = checked_array(x, finite=False, sparse="coo")
    row, column, entry = _entries(matrix)
    _refuse(np.isnan(entry), _NAN, name, row, column)
    is_edge = (row != column) & (entry < np.inf)
    row, column, entry = row[is_edge], column[is_edge], entry[is_edge]
    if not _is_sparse(matrix):
        _refuse(entry == 0, _ZERO, name, row, column)
    first, last = _listings(row, column)
    edges = np.sort(np.stack([row, column])[:, first].astype(np.int64), 0)
    vertex, edge, again = matrix.diagonal(), entry[first], entry[last]
    if weighted:
        _refuse(_uneven(edge, again), _UNEVEN, name, *edges, edge, again)
        enters = vertex[edges].max(0)
        _refuse(edge < enters, _EARLY, name, *edges, edge, enters)
    return _Graph(vertex, edges, edge)


def _entries(matrix: Any) -> tuple[Array, Array, Array]:  # noqa: ANN401
    """Rows, columns and values of what is stored, each once, or is not inf."""
    if _is_sparse(matrix):
        matrix = matrix.copy()
        matrix.sum_duplicates()
        return matrix.row, matrix.col, matrix.data
    row, column = np.nonzero(matrix != np.inf)
    return row, column, matrix[row, column]


def _listings(row: Array, column: Array) -> tuple[Array, Array]:
    """Of each edge the first and the last entry; the first is in the upper triangle, if one is."""
    low, high = np.minimum(row, column), np.maximum(row, column)
    order = np.lexsort((row > column, high, low))
    differs = (np.diff(low[order], prepend=-1) != 0) | (np.diff(high[order], prepend=-1) != 0)
    start = np.flatnonzero(differs)
    return order[start], order[np.roll(start, -1) - 1]


def _uneven(a: Array, b: Array) -> Array:
    """Where two entries of an edge differ by more than rounding, as for matrices of distances."""
    largest = np.abs(a).max(where=np.isfinite(a), initial=0.0)
    slack = 4 * np.sqrt(np.finfo(a.dtype).eps) * largest
    near: Array = np.isclose(a, b, rtol=0.0, atol=slack)
    return ~near


def _refuse(wrong: Array, message: str, name: str, *facts: Array) -> None:
    """Raise with the facts of the first that is wrong."""
    if wrong.any():
        at = int(wrong.argmax())
        raise InputError(message.format(name, *(fact[at] for fact in facts)))


def _joined(graphs: Sequence[_Graph], *, weighted: bool) -> Batch:
    """The graphs one after the other."""
    sizes = [len(graph.vertex) for graph in graphs]
    starts = np.cumsum(sizes) - sizes
    edges = [graph.edges + start for graph, start in zip(graphs, starts, strict=True)]
    vertex, edge = (
        torch.from_numpy(np.concatenate(values, dtype=np.float64))
        for values in ([graph.vertex for graph in graphs], [graph.edge for graph in graphs])
    )
    return Batch(
        vertex=vertex,
        edges=torch.from_numpy(np.concatenate(edges, 1)),
        edge=edge if weighted else None,
        batch=torch.from_numpy(np.repeat(np.arange(len(graphs)), sizes)),
    )


def _is_sparse(x: object) -> bool:
    """Of scipy."""
    return hasattr(x, "tocoo")
