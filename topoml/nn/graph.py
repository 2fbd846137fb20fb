"""The layer from graphs to diagrams."""

from collections.abc import Sequence

from torch import Tensor, nn

from ..homology import Diagrams, graph_persistence
from ..homology._checks import check_dimensions
from ..homology.graph import check_extended

__all__ = ["GraphPersistence"]


class GraphPersistence(nn.Module):
    """Persistence of values on nodes (and edges) of graphs -> Diagrams: ``graph_persistence``.

    No parameters. Differentiable; any floating dtype; the pairing runs on the CPU.

    Args:
        homology_dimensions: Distinct integers among 0, 1.
        extended: Extended persistence of the node values.

    Raises:
        InputError: An argument out of these ranges, at once; a wrong graph, on the call.

    Source: that of ``topoml.homology.graph_persistence``.

    Example:
        >>> import torch
        >>> layer = GraphPersistence(homology_dimensions=(0,))
        >>> layer
        GraphPersistence(homology_dimensions=(0,), extended=False)
        >>> vertex, edges = torch.tensor([0.0, 3.0, 1.0]), torch.tensor([[0, 1], [1, 2]])
        >>> layer(vertex, edges).points
        tensor([[1., 3.]])
    """

    def __init__(self, *, homology_dimensions: Sequence[int], extended: bool = False) -> None:
        super().__init__()
        self.homology_dimensions = check_dimensions(homology_dimensions, 1)
        check_extended(extended)
        self.extended = extended

    def extra_repr(self) -> str:
        return f"homology_dimensions={self.homology_dimensions}, extended={self.extended}"

    def forward(
        self,
        vertex: Tensor,
        edges: Tensor,
        edge: Tensor | None = None,
        batch: Tensor | None = None,
    ) -> Diagrams:
        return graph_persistence(
            vertex,
            edges,
            homology_dimensions=self.homology_dimensions,
            edge=edge,
            batch=batch,
            extended=self.extended,
        )
