"""Transformer from filtered graphs to diagrams."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from .._core.errors import InputError
from ..homology import Diagrams, graph_persistence
from ..homology._checks import check_dimensions
from ..homology.graph import check_extended
from ._complex import Complex
from ._graphs import Batch, batch_of

__all__ = ["GraphPersistence"]


class GraphPersistence(Complex):
    """Diagrams of filtered graphs: ``topoml.homology.graph_persistence`` for scikit-learn.

    Takes a list of graphs, each a matrix (n_i, n_i) of numpy or scipy sparse, or an array
    (n_samples, n, n). The diagonal holds the values of the nodes; the other entries are the edges,
    undirected, in one triangle or in both:

    - sparse ("coo", "csc", "csr", "dok" or "lil"): what is stored is an edge, also a stored 0. A
      node of which nothing is stored has the value 0. (``matrix.setdiag(values)`` sets those of a
      plain adjacency matrix; a sum of matrices loses stored zeros.)
    - dense: inf is no edge, other numbers are edges. A 0 is refused: giotto-tda takes it for an
      edge of value 0, networkx for no edge.

    A stored inf is no edge; NaN is refused. Gives giotto-tda's array (n_samples, N, 3), float64,
    columns (birth, death, dimension), padded with birth = death.

    With "weights" and the same ``infinity_values`` it can stand in place of
    ``gtda.homology.FlagserPersistence(directed=False)`` for H0, and for H1 of graphs without
    triangles: equal classes up to rounding, in another order. Triangles are cycles here, and
    filled there; and of several components ``reduced_homology`` leaves out the first born here,
    some other one there.

    Args:
        filtration: "lower_star": an edge enters with the later of its nodes, whatever its entry.
            "weights": it enters at its entry, which is not below its nodes; two entries of one
            edge are equal up to rounding, and that of the upper triangle counts.
        homology_dimensions: Distinct integers among 0, 1; with ``extended`` one of them.
        extended: Extended persistence, of "lower_star". No class is essential, so that the next two
            have no effect. In dimension 1, where births are above deaths, it is exported as that
            of -x, (-birth, -death). A class of zero length, such as the only node of a graph, is
            like padding.
        infinity_values: Where essential classes die; those born there or later are dropped. None
            for the largest finite value of a node (or edge, with "weights") in the data of
            ``fit``, inf to let them live: the vectorisations of this package then take them for
            essential.
        reduced_homology: Leave out the essential class of H0 that is born first.

    Attributes:
        infinity_values_: That value.

    Raises:
        InputError: On ``fit``, an argument out of these ranges; on both, a wrong X.

    Source: that of ``topoml.homology.graph_persistence``.

    Example:
        >>> import numpy as np
        >>> from scipy.sparse import coo_array
        >>> ends = [0, 1, 2, 3], [1, 2, 3, 0]  # a square
        >>> square = coo_array(([5.0, 5.0, 7.0, 7.0], ends), shape=(4, 4))
        >>> square.setdiag([0.0, 2.0, 1.0, 3.0])
        >>> graphs = GraphPersistence(filtration="weights", infinity_values=9.0)
        >>> graphs.fit_transform([square])
        array([[[2., 5., 0.],
                [1., 5., 0.],
                [3., 7., 0.],
                [7., 9., 1.]]])
        >>> graphs.set_params(filtration="lower_star").fit_transform([square])
        array([[[1., 2., 0.],
                [3., 9., 1.]]])
    """

    def __init__(
        self,
        *,
        filtration: str = "lower_star",
        homology_dimensions: Sequence[int] = (0, 1),
        extended: bool = False,
        infinity_values: float | None = None,
        reduced_homology: bool = True,
    ) -> None:
        self.filtration = filtration
        self.homology_dimensions = homology_dimensions
        self.extended = extended
        self.infinity_values = infinity_values
        self.reduced_homology = reduced_homology

    def _check_parameters(self) -> None:
        if self.filtration not in ("lower_star", "weights"):
            raise InputError(
                f"`filtration` is {self.filtration!r}; expected 'lower_star', which is of the"
                " values of nodes, or 'weights', of those of edges too."
            )
        dimensions = check_dimensions(self.homology_dimensions, 1)
        check_extended(self.extended)
        if self.extended and self.filtration != "lower_star":
            raise InputError(
                f"`filtration` is {self.filtration!r} beside extended=True; expected 'lower_star',"
                " as extended persistence is of the values of nodes alone."
            )
        if self.extended and len(dimensions) > 1:
            raise InputError(
                f"`homology_dimensions` is {dimensions} beside extended=True; expected (0,) or"
                " (1,), which run in opposite directions. Cure: a FeatureUnion of two pipelines."
            )

    def _checked(self, X: Any, *, reset: bool) -> Batch:  # noqa: ANN401
        return batch_of(X, weighted=self.filtration == "weights", finite=self.extended)

    def _diagrams(self, x: Batch) -> Diagrams:
        return graph_persistence(
            **x._asdict(), homology_dimensions=self.homology_dimensions, extended=self.extended
        )

    def _last_value(self, x: Batch) -> float:
        values = (x.vertex if x.edge is None else torch.cat([x.vertex, x.edge])).numpy()
        return float(values.max(where=np.isfinite(values), initial=-np.inf))
