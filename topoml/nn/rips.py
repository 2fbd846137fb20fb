"""The layer from point clouds to diagrams."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from ..homology import Diagrams, rips_persistence
from ..homology._checks import check_dimensions
from ..homology._clouds import check_box, check_length

__all__ = ["RipsPersistence"]


class RipsPersistence(nn.Module):
    """Persistence of point clouds, (*batch, n, d) or a list -> Diagrams: ``rips_persistence``.

    No parameters. Differentiable in points, distances and weights; the pairing runs on the CPU.

    Args:
        homology_dimensions: Distinct integers among 0, 1, 2.
        max_edge_length: Simplices beyond this diameter are left out.
        periodic_box: Length of a flat torus, or one a dimension.

    Raises:
        InputError: An argument out of these ranges, at once; wrong points, on the call.

    Source: that of ``topoml.homology.rips_persistence``.

    Example:
        >>> import torch
        >>> layer = RipsPersistence(homology_dimensions=(0,), periodic_box=10.0)
        >>> layer(torch.tensor([[0.0], [4.0], [9.0]])).points
        tensor([[0., 1.],
                [0., 4.]])
    """

    def __init__(
        self,
        *,
        homology_dimensions: Sequence[int],
        max_edge_length: float = math.inf,
        periodic_box: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.homology_dimensions = check_dimensions(homology_dimensions, 2)
        self.max_edge_length = check_length(max_edge_length)
        self.periodic_box = check_box(periodic_box)

    def extra_repr(self) -> str:
        return (
            f"homology_dimensions={self.homology_dimensions},"
            f" max_edge_length={self.max_edge_length}, periodic_box={self.periodic_box}"
        )

    def forward(
        self,
        points: Tensor | Sequence[Tensor] | None = None,
        *,
        distances: Tensor | Sequence[Tensor] | None = None,
        weights: Tensor | Sequence[Tensor] | None = None,
    ) -> Diagrams:
        return rips_persistence(
            points,
            distances=distances,
            homology_dimensions=self.homology_dimensions,
            max_edge_length=self.max_edge_length,
            weights=weights,
            periodic_box=self.periodic_box,
        )
