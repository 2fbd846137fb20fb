"""Layers from tensors to diagrams."""

from collections.abc import Sequence

from torch import Tensor, nn

from .._core.errors import InputError
from ..homology import Diagrams, cell_persistence, cubical_persistence, field_persistence
from ..homology._checks import (
    check_construction,
    check_dimensions,
    check_periodic,
    check_spatial_dims,
    check_superlevel,
)
from ..lie import Manifold

__all__ = ["CellPersistence", "CubicalPersistence", "FieldPersistence"]


class CubicalPersistence(nn.Module):
    """Persistence of scalar fields, (*batch, *spatial) -> Diagrams: ``cubical_persistence``.

    No parameters. Differentiable; any floating dtype; the pairing runs on the CPU.

    Args:
        homology_dimensions: Distinct integers from 0 to ``spatial_dims``.
        spatial_dims: Number of spatial axes: 1, 2, 3 or 4.
        periodic: One bool, or one an axis.
        construction: "V" (4 neighbours in 2D), "T" (8) or, in 2D, "F" (6).
        superlevel: Filter from large values to small.

    Raises:
        InputError: An argument out of these ranges, at once; a wrong field, on the call.

    Source: that of ``topoml.homology.cubical_persistence``.

    Example:
        >>> import torch
        >>> layer = CubicalPersistence(homology_dimensions=(0,), superlevel=True)
        >>> layer(torch.tensor([[3.0, 0.0, 1.0]])).points
        tensor([[1., 0.]])
    """

    def __init__(
        self,
        *,
        homology_dimensions: Sequence[int],
        spatial_dims: int = 2,
        periodic: bool | Sequence[bool] = False,
        construction: str = "V",
        superlevel: bool = False,
    ) -> None:
        super().__init__()
        self.spatial_dims = check_spatial_dims(spatial_dims, (1, 2, 3, 4))
        self.homology_dimensions = check_dimensions(homology_dimensions, self.spatial_dims)
        self.periodic = check_periodic(periodic, self.spatial_dims)
        check_construction(construction, self.spatial_dims)
        check_superlevel(superlevel)
        self.construction, self.superlevel = construction, superlevel

    def extra_repr(self) -> str:
        return (
            f"homology_dimensions={self.homology_dimensions}, spatial_dims={self.spatial_dims},"
            f" periodic={self.periodic}, construction={self.construction!r},"
            f" superlevel={self.superlevel}"
        )

    def forward(self, x: Tensor) -> Diagrams:
        return cubical_persistence(
            x,
            homology_dimensions=self.homology_dimensions,
            spatial_dims=self.spatial_dims,
            periodic=self.periodic,
            construction=self.construction,
            superlevel=self.superlevel,
        )


class CellPersistence(nn.Module):
    """Persistence of values on vertices, edges and faces -> Diagrams: ``cell_persistence``.

    No parameters. Differentiable; any floating dtype; the pairing runs on the CPU.

    Args:
        homology_dimensions: Distinct integers from 0 to ``spatial_dims``.
        spatial_dims: 2 or 3.
        periodic: One bool, or one an axis.

    Raises:
        InputError: An argument out of these ranges, at once; a wrong filtration, on the call.

    Source: that of ``topoml.homology.cell_persistence``.

    Example:
        >>> import torch
        >>> layer = CellPersistence(homology_dimensions=(0, 1))
        >>> layer
        CellPersistence(homology_dimensions=(0, 1), spatial_dims=2, periodic=(True, True))
        >>> edge = torch.tensor([[[1.0, 4.0]], [[2.0, 3.0]]])  # a 1 x 2 torus
        >>> layer(None, edge).points
        tensor([[0., 2.]])
    """

    def __init__(
        self,
        *,
        homology_dimensions: Sequence[int],
        spatial_dims: int = 2,
        periodic: bool | Sequence[bool] = True,
    ) -> None:
        super().__init__()
        self.spatial_dims = check_spatial_dims(spatial_dims, (2, 3))
        self.homology_dimensions = check_dimensions(homology_dimensions, self.spatial_dims)
        self.periodic = check_periodic(periodic, self.spatial_dims)

    def extra_repr(self) -> str:
        return (
            f"homology_dimensions={self.homology_dimensions}, spatial_dims={self.spatial_dims},"
            f" periodic={self.periodic}"
        )

    def forward(
        self,
        vertex: Tensor | None,
        edge: Tensor,
        face: Tensor | None = None,
        cube: Tensor | None = None,
    ) -> Diagrams:
        return cell_persistence(
            vertex,
            edge,
            face,
            cube,
            homology_dimensions=self.homology_dimensions,
            spatial_dims=self.spatial_dims,
            periodic=self.periodic,
        )


class FieldPersistence(nn.Module):
    """Persistence of spins, filtered by the distances of neighbours: ``field_persistence``.

    No parameters. Differentiable in the spins and the connection; the pairing runs on the CPU.

    Args:
        manifold: Where the spins live, such as ``topoml.lie.Circle()``.
        homology_dimensions: Distinct integers from 0 to ``spatial_dims``.
        spatial_dims: Number of spatial axes: 2 or 3.
        periodic: One bool, or one an axis.

    Raises:
        InputError: An argument out of these ranges, at once; a wrong field, on the call.

    Source: that of ``topoml.homology.field_persistence``.

    Example:
        >>> import torch
        >>> from topoml.lie import Circle
        >>> layer = FieldPersistence(manifold=Circle(), homology_dimensions=(0,), periodic=False)
        >>> layer(torch.tensor([[0.0, 0.5], [1.0, 3.0]])).points
        tensor([[0.0000, 0.5000],
                [0.0000, 1.0000],
                [0.0000, 2.0000]])
    """

    def __init__(
        self,
        *,
        manifold: Manifold,
        homology_dimensions: Sequence[int],
        spatial_dims: int = 2,
        periodic: bool | Sequence[bool] = True,
    ) -> None:
        super().__init__()
        if isinstance(manifold, type) or not isinstance(manifold, Manifold):
            raise InputError(
                f"`manifold` is {manifold!r}; expected one of topoml.lie, such as Circle()."
            )
        self.manifold = manifold
        self.spatial_dims = check_spatial_dims(spatial_dims, (2, 3))
        self.homology_dimensions = check_dimensions(homology_dimensions, self.spatial_dims)
        self.periodic = check_periodic(periodic, self.spatial_dims)

    def extra_repr(self) -> str:
        return (
            f"manifold={self.manifold!r}, homology_dimensions={self.homology_dimensions},"
            f" spatial_dims={self.spatial_dims}, periodic={self.periodic}"
        )

    def forward(self, field: Tensor, connection: Tensor | None = None) -> Diagrams:
        return field_persistence(
            field,
            manifold=self.manifold,
            homology_dimensions=self.homology_dimensions,
            spatial_dims=self.spatial_dims,
            periodic=self.periodic,
            connection=connection,
        )
