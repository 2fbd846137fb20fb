"""Layers from diagrams to their longest lifetimes and largest distances."""

from torch import Tensor, nn

from .._core.checks import check_count
from ..features._checks import check_diagrams
from ..features.longest import distances_of, lifetimes_of
from ..homology import Diagrams

__all__ = ["LongestLifetimes", "TopologicalVector"]


class LongestLifetimes(nn.Module):
    r"""Diagrams -> (*batch, n * k): ``topoml.features.longest_lifetimes``.

    .. math:: y_j = \underset{i}{j\text{-max}}\; |d_i - b_i|, \qquad j = 1, \dots, k

    for each of the n homology dimensions, then zeros. Differentiable in births and deaths; dtype
    and device are those of the points.

    Args:
        k: How many, at least 1.

    Raises:
        InputError: An argument out of this range, at once; an input that is no Diagrams.

    Source: the definition.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> longest = LongestLifetimes(k=2)
        >>> longest
        LongestLifetimes(k=2)
        >>> longest(cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,)))
        tensor([2., 0.])
    """

    def __init__(self, *, k: int) -> None:
        super().__init__()
        self.k = check_count("k", k)

    def extra_repr(self) -> str:
        return f"k={self.k}"

    def forward(self, diagrams: Diagrams) -> Tensor:
        return lifetimes_of(check_diagrams(diagrams), self.k)


class TopologicalVector(nn.Module):
    r"""Diagrams -> (*batch, n * threshold): ``topoml.features.topological_vector``.

    .. math:: m_{ij} = \min\left(\max(|b_i - b_j|, |d_i - d_j|), \tfrac12 |d_i - b_i|,
              \tfrac12 |d_j - b_j|\right), \qquad i < j

    the largest values for each of the n homology dimensions, descending, then zeros.
    Differentiable in births and deaths; dtype and device are those of the points.

    Args:
        threshold: How many values, at least 1.

    Raises:
        InputError: An argument out of this range, at once; an input that is no Diagrams.

    Source: Carrière, Oudot, Ovsjanikov, Computer Graphics Forum 34(5), 2015.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> vector = TopologicalVector(threshold=2)
        >>> vector
        TopologicalVector(threshold=2)
        >>> x = torch.tensor([[0.0, 4.0, 1.0, 3.0, 1.0]])  # classes (1, 3) and (1, 4)
        >>> vector(cubical_persistence(x, homology_dimensions=(0,)))
        tensor([1., 0.])
    """

    def __init__(self, *, threshold: int) -> None:
        super().__init__()
        self.threshold = check_count("threshold", threshold)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}"

    def forward(self, diagrams: Diagrams) -> Tensor:
        return distances_of(check_diagrams(diagrams), self.threshold)
