"""Transformers from point clouds to diagrams."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from .._core.errors import InputError
from ..homology import Diagrams, alpha_persistence, rips_persistence
from ..homology._checks import check_dimensions, check_not_nan
from ..homology._clouds import check_box, check_length
from ._base import FLOATS, checked_array, tensor_of
from ._complex import Complex

__all__ = ["AlphaPersistence", "RipsPersistence"]


class RipsPersistence(Complex):
    """Diagrams of point clouds: ``topoml.homology.rips_persistence`` for scikit-learn.

    Takes (n_samples, n, d), or a list of (n_i, d). Gives giotto-tda's array (n_samples, N, 3),
    float64, columns (birth, death, dimension), padded with birth = death. On
    ``torch.get_num_threads()`` threads.

    It can stand in place of ``gtda.homology.VietorisRipsPersistence``: equal classes up to
    rounding, in another order within a dimension; the defaults of the arguments that both have are
    the same.

    Args:
        metric: "euclidean", or "precomputed" for matrices of distances (n_samples, n, n), or a
            list of (n_i, n_i); in these inf is an edge that never enters.
        homology_dimensions: Distinct integers among 0, 1, 2.
        max_edge_length: Simplices beyond this diameter are left out.
        periodic_box: Length of a flat torus, or one a dimension; not with "precomputed".
        infinity_values: Where essential classes die; those born there or later are dropped. None
            for ``max_edge_length``. With inf they live: the vectorisations of this package take
            them for essential.
        reduced_homology: Leave out one essential class of H0, one component.

    Attributes:
        infinity_values_: That value.

    Raises:
        InputError: On ``fit``, an argument out of these ranges; on both, a wrong X.

    Source: that of ``topoml.homology.rips_persistence``.

    Example:
        >>> import numpy as np
        >>> square = np.array([[[0.0, 0.0], [0.0, 3.0], [4.0, 3.0], [4.0, 0.0]]])
        >>> RipsPersistence(homology_dimensions=(0, 1)).fit_transform(square)
        array([[[0., 3., 0.],
                [0., 3., 0.],
                [0., 4., 0.],
                [4., 5., 1.]]])
    """

    def __init__(
        self,
        *,
        metric: str = "euclidean",
        homology_dimensions: Sequence[int] = (0, 1),
        max_edge_length: float = math.inf,
        periodic_box: float | Sequence[float] | None = None,
        infinity_values: float | None = None,
        reduced_homology: bool = True,
    ) -> None:
        self.metric = metric
        self.homology_dimensions = homology_dimensions
        self.max_edge_length = max_edge_length
        self.periodic_box = periodic_box
        self.infinity_values = infinity_values
        self.reduced_homology = reduced_homology

    def _check_parameters(self) -> None:
        if self.metric not in ("euclidean", "precomputed"):
            raise InputError(
                f"`metric` is {self.metric!r}; expected 'euclidean' or 'precomputed'."
                " Cure: compute the distances, and say 'precomputed'."
            )
        check_dimensions(self.homology_dimensions, 2)
        check_length(self.max_edge_length)
        if check_box(self.periodic_box) is not None and self.metric == "precomputed":
            raise InputError(
                f"`periodic_box` is {self.periodic_box!r} beside metric='precomputed'; expected"
                " None, as the distances tell all."
            )

    def _checked(self, X: Any, *, reset: bool) -> Tensor | list[Tensor]:  # noqa: ANN401
        return _checked_clouds(X, finite=self.metric == "euclidean")

    def _diagrams(self, x: Tensor | list[Tensor]) -> Diagrams:
        given = {"points" if self.metric == "euclidean" else "distances": x}
        return rips_persistence(
            homology_dimensions=self.homology_dimensions,
            max_edge_length=self.max_edge_length,
            periodic_box=self.periodic_box,
            **given,
        )

    def _last_value(self, x: object) -> float:
        return float(self.max_edge_length)


class AlphaPersistence(Complex):
    """Diagrams of point clouds: ``topoml.homology.alpha_persistence`` for scikit-learn.

    Takes (n_samples, n, d), or a list of (n_i, d), with d = 2 or 3. Gives giotto-tda's array
    (n_samples, N, 3), float64, columns (birth, death, dimension), padded with birth = death.
    Values are radii, those of ``RipsPersistence`` diameters. The complexes are built by gudhi, in
    a part of it that is under the GPL.

    Args:
        homology_dimensions: Distinct integers among 0, 1, 2; 2 for points in space only.
        infinity_values: Where the essential class of H0 dies; None for inf.
        reduced_homology: Leave out that class.

    Attributes:
        infinity_values_: That value.

    Raises:
        InputError: On ``fit``, an argument out of these ranges; on both, a wrong X.

    Source: that of ``topoml.homology.alpha_persistence``.

    Example:
        >>> import numpy as np
        >>> square = np.array([[[0.0, 0.0], [6.0, 0.0], [6.0, 8.0], [0.0, 8.0]]])
        >>> AlphaPersistence(homology_dimensions=(1,)).fit_transform(square)
        array([[[4., 5., 1.]]])
    """

    def __init__(
        self,
        *,
        homology_dimensions: Sequence[int] = (0, 1),
        infinity_values: float | None = None,
        reduced_homology: bool = True,
    ) -> None:
        self.homology_dimensions = homology_dimensions
        self.infinity_values = infinity_values
        self.reduced_homology = reduced_homology

    def _check_parameters(self) -> None:
        check_dimensions(self.homology_dimensions, 2)

    def _checked(self, X: Any, *, reset: bool) -> Tensor | list[Tensor]:  # noqa: ANN401
        return _checked_clouds(X, finite=True)

    def _diagrams(self, x: Tensor | list[Tensor]) -> Diagrams:
        return alpha_persistence(x, homology_dimensions=self.homology_dimensions)

    def _last_value(self, x: object) -> float:
        return math.inf


def _checked_clouds(x: Any, *, finite: bool) -> Tensor | list[Tensor]:  # noqa: ANN401
    """(n_samples, n, d), or a list of (n_i, d)."""
    if not isinstance(x, list | tuple):
        expected = "(n_samples, n, d), or a list of (n_i, d)"
        return _checked_cloud("X", x, 3, expected, finite=finite, dtype=FLOATS)
    if not x:
        raise InputError("`X` is empty; expected at least one sample.")
    return [
        _checked_cloud(f"X[{i}]", cloud, 2, "(n_i, d)", finite=finite, dtype=np.float64)
        for i, cloud in enumerate(x)
    ]


def _checked_cloud(
    name: str,
    x: Any,  # noqa: ANN401
    n_axes: int,
    expected: str,
    **options: Any,  # noqa: ANN401 - of checked_array
) -> Tensor:
    array = checked_array(x, **options)
    if array.ndim != n_axes:
        raise InputError(f"`{name}` has shape {array.shape}; expected {expected}.")
    tensor = tensor_of(array)
    check_not_nan(name, tensor)
    return tensor
