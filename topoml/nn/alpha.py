"""The layer from point clouds in the plane or in space to diagrams."""

from collections.abc import Sequence

from torch import Tensor, nn

from ..homology import Diagrams, alpha_persistence
from ..homology._checks import check_dimensions

__all__ = ["AlphaPersistence"]


class AlphaPersistence(nn.Module):
    """Persistence of alpha complexes, (*batch, n, d) -> Diagrams: ``alpha_persistence``.

    No parameters. Differentiable in points and weights; any floating dtype; the complexes are
    built on the CPU by gudhi, in a part of it that is under the GPL.

    Args:
        homology_dimensions: Distinct integers among 0, 1, 2; 2 for points in space only.

    Raises:
        InputError: An argument out of these ranges, at once; wrong points, on the call.

    Source: that of ``topoml.homology.alpha_persistence``.

    Example:
        >>> import torch
        >>> layer = AlphaPersistence(homology_dimensions=(1,))
        >>> layer
        AlphaPersistence(homology_dimensions=(1,))
        >>> layer(torch.tensor([[0.0, 0.0], [6.0, 0.0], [6.0, 8.0], [0.0, 8.0]])).points
        tensor([[4., 5.]])
    """

    def __init__(self, *, homology_dimensions: Sequence[int]) -> None:
        super().__init__()
        self.homology_dimensions = check_dimensions(homology_dimensions, 2)

    def extra_repr(self) -> str:
        return f"homology_dimensions={self.homology_dimensions}"

    def forward(
        self,
        points: Tensor | Sequence[Tensor],
        weights: Tensor | Sequence[Tensor] | None = None,
    ) -> Diagrams:
        return alpha_persistence(
            points, homology_dimensions=self.homology_dimensions, weights=weights
        )
