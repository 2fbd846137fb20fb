"""Layers from diagrams to images."""

import math
from typing import Self

import torch
from torch import Tensor, nn

from .._core.errors import InputError
from ..features._checks import (
    Weight,
    check_bandwidth,
    check_diagrams,
    check_weight,
    image_grids,
)
from ..features._ranges import image_range
from ..features.images import image_on_grids
from ..homology import Diagrams

__all__ = ["PersistenceImage"]


class PersistenceImage(nn.Module):
    r"""Diagrams -> (*batch, n * n_life * n_birth): ``topoml.features.persistence_image``.

    .. math:: y_{jk} = \sum_i \frac{w_i}{2 \pi \sigma^2}
              \exp\left(-\frac{(b_i - x_k)^2 + (\ell_i - y_j)^2}{2 \sigma^2}\right)

    one image for each of the n homology dimensions. Differentiable in births, deaths and
    weights; dtype and device are those of the points. The grids are float64 buffers,
    ``birth_grid`` (n_birth,) and ``lifetime_grid`` (n_life,), which follow ``.to()`` and are part
    of the ``state_dict`` (for a device without float64, say ``.float()`` first); a ``weight`` that
    is a module is a submodule and is trained.

    Args:
        bandwidth: Standard deviation :math:`\sigma`, in the filtration's unit, > 0.
        resolution: (n_birth, n_life), numbers of pixels.
        im_range: (birth_min, birth_max, life_min, life_max), in the filtration's unit; None leaves
            them to ``fit(diagrams)``.
        weight: A callable (birth, lifetime) -> weights of one diagram; None is the lifetime.

    Raises:
        InputError: An argument out of these ranges, at once; an input that is no Diagrams; a call
            before there is a range.

    Source: Adams et al., JMLR 18(8), 2017, arXiv:1507.06217; gudhi's definition.

    Example:
        >>> import torch
        >>> from topoml.nn import CubicalPersistence
        >>> image = PersistenceImage(bandwidth=1.0, resolution=(3, 2), im_range=(0, 2, 0, 2))
        >>> image
        PersistenceImage(bandwidth=1.0, resolution=(3, 2), im_range=(0.0, 2.0, 0.0, 2.0))
        >>> model = torch.nn.Sequential(CubicalPersistence(homology_dimensions=(0, 1)), image)
        >>> model(torch.zeros(5, 4, 4)).shape
        torch.Size([5, 12])
    """

    birth_grid: Tensor
    lifetime_grid: Tensor

    def __init__(
        self,
        *,
        bandwidth: float,
        resolution: tuple[int, int],
        im_range: tuple[float, float, float, float] | None = None,
        weight: Weight | None = None,
    ) -> None:
        super().__init__()
        self.bandwidth = check_bandwidth(bandwidth)
        self.weight = check_weight(weight)
        ends = (0.0, 1.0, 0.0, 1.0) if im_range is None else im_range
        for name, grid in zip(("birth", "lifetime"), image_grids(resolution, ends), strict=True):
            unknown = im_range is None
            self.register_buffer(f"{name}_grid", grid.fill_(torch.nan) if unknown else grid)

    def fit(self, diagrams: Diagrams) -> Self:
        """Let the grids reach over the births and lifetimes of the finite classes.

        In place, over all samples and dimensions.

        Raises:
            InputError: An input that is no Diagrams, or whose births or lifetimes are all equal.
        """
        resolution = (len(self.birth_grid), len(self.lifetime_grid))
        grids = image_grids(resolution, image_range(check_diagrams(diagrams)))
        self.birth_grid.copy_(grids[0])
        self.lifetime_grid.copy_(grids[1])
        return self

    def extra_repr(self) -> str:
        grids = (self.birth_grid, self.lifetime_grid)
        ends = tuple(float(end) for grid in grids for end in (grid[0], grid[-1]))
        resolution = tuple(len(grid) for grid in grids)
        im_range = None if math.isnan(ends[0]) else ends
        weight = "" if self.weight is None else f", weight={self.weight!r}"
        return f"bandwidth={self.bandwidth}, resolution={resolution}, im_range={im_range}{weight}"

    def forward(self, diagrams: Diagrams) -> Tensor:
        check_diagrams(diagrams)
        if not torch.compiler.is_compiling() and bool(self.birth_grid[0].isnan()):
            raise InputError(
                "`im_range` is None; expected a range by now."
                " Cure: call fit(diagrams), or give the layer its im_range."
            )
        return image_on_grids(
            diagrams, self.birth_grid, self.lifetime_grid, self.bandwidth, self.weight
        )
