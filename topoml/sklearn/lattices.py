"""Transformers from fields on a lattice to diagrams."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._core.errors import InputError
from ..homology import Diagrams, cubical_persistence, field_persistence
from ..homology._checks import (
    AXES,
    check_construction,
    check_dimensions,
    check_not_nan,
    check_periodic,
    check_spatial_dims,
    check_superlevel,
)
from ..homology.field import bond_distances
from ..lie import Discrete, Manifold
from ._base import FLOATS, Array, checked_array, tensor_of
from ._complex import Complex

__all__ = ["CubicalPersistence", "FieldPersistence"]


class CubicalPersistence(Complex):
    """Diagrams of scalar fields: ``topoml.homology.cubical_persistence`` for scikit-learn.

    Takes (n_samples, *spatial), numbers, ints become float64; +inf masks an entry, NaN is refused.
    With ``spatial_dims=1`` that is scikit-learn's plain (n_samples, n_features), of which the
    number (and names) of the features must stay the same; in 2D and more ``transform`` takes
    lattices of any size. Gives giotto-tda's array (n_samples, N, 3), float64, columns (birth,
    death, dimension), padded with birth = death. A superlevel filtration is exported as the
    sublevel one of -x. On ``torch.get_num_threads()`` threads.

    With ``construction="T"`` it can stand in place of ``gtda.homology.CubicalPersistence``: equal
    classes, in another order within a dimension; the defaults of the arguments that both have are
    the same.

    Args:
        homology_dimensions: Distinct integers from 0 to ``spatial_dims``.
        spatial_dims: Number of spatial axes: 1, 2, 3 or 4.
        periodic: One bool, or one an axis.
        construction: "V" (4 neighbours in 2D), "T" (8) or, in 2D, "F" (6).
        superlevel: Filter from large values to small.
        infinity_values: Where essential classes die, in the exported filtration; those born there
            or later are dropped. None for the largest finite value in the data of ``fit``, inf to
            let them live: the vectorisations of this package then take them for essential.
        reduced_homology: Leave out the essential class of H0 that is born first.

    Attributes:
        infinity_values_: That value.
        n_features_in_: Number of sites, with ``spatial_dims=1``.

    Raises:
        InputError: On ``fit``, an argument out of these ranges; on both, a wrong X.

    Source: that of ``topoml.homology.cubical_persistence``.

    Example:
        >>> import numpy as np
        >>> x = np.array([[[0.0, 3.0, 1.0]], [[0.0, 0.0, 2.0]]])
        >>> CubicalPersistence(homology_dimensions=(0,)).fit_transform(x)
        array([[[1., 3., 0.]],
        <BLANKLINE>
               [[1., 1., 0.]]])
        >>> CubicalPersistence(homology_dimensions=(0,), reduced_homology=False).fit_transform(x)
        array([[[1., 3., 0.],
                [0., 3., 0.]],
        <BLANKLINE>
               [[0., 3., 0.],
                [0., 0., 0.]]])
    """

    def __init__(
        self,
        *,
        homology_dimensions: Sequence[int] = (0, 1),
        spatial_dims: int = 2,
        periodic: bool | Sequence[bool] = False,
        construction: str = "V",
        superlevel: bool = False,
        infinity_values: float | None = None,
        reduced_homology: bool = True,
    ) -> None:
        self.homology_dimensions = homology_dimensions
        self.spatial_dims = spatial_dims
        self.periodic = periodic
        self.construction = construction
        self.superlevel = superlevel
        self.infinity_values = infinity_values
        self.reduced_homology = reduced_homology

    def _takes_rows(self) -> bool:
        return self.spatial_dims == 1

    def _check_parameters(self) -> None:
        n_axes = check_spatial_dims(self.spatial_dims, (1, 2, 3, 4))
        check_dimensions(self.homology_dimensions, n_axes)
        check_periodic(self.periodic, n_axes)
        check_construction(self.construction, n_axes)
        check_superlevel(self.superlevel)

    def _checked(self, X: Any, *, reset: bool) -> Tensor:  # noqa: ANN401
        rows_of = self if self._takes_rows() else None
        x = checked_array(X, finite=False, rows_of=rows_of, reset=reset)
        _check_axes(x, AXES[-self.spatial_dims :])
        tensor = tensor_of(x)
        check_not_nan("X", tensor)
        return tensor

    def _diagrams(self, x: Tensor) -> Diagrams:
        return cubical_persistence(
            x,
            homology_dimensions=self.homology_dimensions,
            spatial_dims=self.spatial_dims,
            periodic=self.periodic,
            construction=self.construction,
            superlevel=self.superlevel,
        )

    def _last_value(self, x: Tensor) -> float:
        values = x.numpy()
        finite = np.isfinite(values)
        if self.superlevel:
            return -float(values.min(where=finite, initial=np.inf))
        return float(values.max(where=finite, initial=-np.inf))


class FieldPersistence(Complex):
    """Diagrams of fields of spins: ``topoml.homology.field_persistence`` for scikit-learn.

    Takes angles (n_samples, *spatial) in radians, vectors (n_samples, *spatial, n), or integers
    for ``Discrete``, lattices of any size. Gives giotto-tda's array (n_samples, N, 3), float64,
    columns (birth, death, dimension), padded with birth = death. On ``torch.get_num_threads()``
    threads.

    Args:
        manifold: Where the spins live, such as ``topoml.lie.Circle()``.
        homology_dimensions: Distinct integers from 0 to ``spatial_dims``.
        spatial_dims: Number of spatial axes: 2 or 3.
        periodic: One bool, or one an axis.
        infinity_values: Where essential classes die; those born there or later are dropped. None
            for the largest distance of neighbours in the data of ``fit``, inf to let them live.
        reduced_homology: Leave out the essential class of H0.

    Attributes:
        infinity_values_: That value.

    Raises:
        InputError: On ``fit``, an argument out of these ranges; on both, a wrong X.

    Source: that of ``topoml.homology.field_persistence``.

    Example:
        >>> import numpy as np
        >>> from topoml.lie import Circle
        >>> field = FieldPersistence(manifold=Circle(), homology_dimensions=(0,), periodic=False)
        >>> field.fit_transform(np.array([[[0.0, 0.5], [1.0, 3.0]]]))
        array([[[0. , 0.5, 0. ],
                [0. , 1. , 0. ],
                [0. , 2. , 0. ]]])
    """

    def __init__(
        self,
        *,
        manifold: Manifold,
        homology_dimensions: Sequence[int] = (0, 1),
        spatial_dims: int = 2,
        periodic: bool | Sequence[bool] = True,
        infinity_values: float | None = None,
        reduced_homology: bool = True,
    ) -> None:
        self.manifold = manifold
        self.homology_dimensions = homology_dimensions
        self.spatial_dims = spatial_dims
        self.periodic = periodic
        self.infinity_values = infinity_values
        self.reduced_homology = reduced_homology

    def _check_parameters(self) -> None:
        n_axes = check_spatial_dims(self.spatial_dims, (2, 3))
        check_dimensions(self.homology_dimensions, n_axes)
        check_periodic(self.periodic, n_axes)
        if isinstance(self.manifold, type) or not isinstance(self.manifold, Manifold):
            raise InputError(
                f"`manifold` is {self.manifold!r}; expected one of topoml.lie, such as Circle()."
            )

    def _checked(self, X: Any, *, reset: bool) -> Tensor:  # noqa: ANN401
        labels = isinstance(self.manifold, Discrete)
        x = checked_array(X, dtype=None if labels else FLOATS)
        _check_axes(x, (*AXES[-self.spatial_dims :], *map(str, self.manifold.point_shape)))
        tensor = tensor_of(x)
        self.manifold.check("X", tensor)
        return tensor

    def _diagrams(self, x: Tensor) -> Diagrams:
        found = field_persistence(
            x,
            manifold=self.manifold,
            homology_dimensions=self.homology_dimensions,
            spatial_dims=self.spatial_dims,
            periodic=self.periodic,
        )
        return found

    def _last_value(self, x: Tensor) -> float:
        n_axes = self.spatial_dims
        bonds = bond_distances(x, manifold=self.manifold, spatial_dims=n_axes)
        last = [torch.zeros(())]
        for axis, wraps in enumerate(check_periodic(self.periodic, n_axes)):
            along = bonds.select(-1 - n_axes, axis)
            length = along.shape[axis - n_axes] - (not wraps)
            inside = along.narrow(axis - n_axes, 0, length)
            if inside.numel():
                last.append(inside.max())
        return max(float(value) for value in last)


def _check_axes(x: Array, names: Sequence[str]) -> None:
    """(n_samples, ...) with these axes after the first."""
    if x.ndim != len(names) + 1:
        raise InputError(
            f"`X` has shape {x.shape}; expected (n_samples, {', '.join(names)}). Cure: reshape it,"
            " or set spatial_dims."
        )
