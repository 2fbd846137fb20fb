"""Where the classes of a sample and homology dimension go in a vectorisation."""

import torch
from torch import Tensor

from ..homology import Diagrams

__all__ = ["block_of", "from_blocks"]


def block_of(diagrams: Diagrams, sample: Tensor, dimension: Tensor) -> Tensor:
    """The block of each class: sample * n + position of its dimension among the n asked for."""
    dimensions = diagrams.homology_dimensions
    if len(dimensions) == 1:
        return sample
    position = torch.zeros(max(dimensions) + 1, dtype=torch.int64)
    position[list(dimensions)] = torch.arange(len(dimensions))
    return sample * len(dimensions) + position.to(dimension.device)[dimension]


def from_blocks(values: Tensor, diagrams: Diagrams) -> Tensor:
    """(n_samples * n, k), one row a block, as (*batch, n * k)."""
    width = len(diagrams.homology_dimensions) * values.shape[1]
    return values.reshape(*diagrams.batch_shape, width)
