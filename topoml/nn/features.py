"""Layers from diagrams to tensors."""

from torch import Tensor, nn

from ..features._checks import (
    Weight,
    check_bandwidth,
    check_diagrams,
    check_weight,
    curve_grid,
    image_grids,
)
from ..features.curves import curve_on_grid
from ..features.images import image_on_grids
from ..homology import Diagrams

__all__ = ["BettiCurve", "PersistenceImage"]


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
        im_range: (birth_min, birth_max, life_min, life_max), in the filtration's unit.
        weight: A callable (birth, lifetime) -> weights of one diagram; None is the lifetime.

    Raises:
        InputError: An argument out of these ranges, at once; an input that is no Diagrams.

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
        im_range: tuple[float, float, float, float],
        weight: Weight | None = None,
    ) -> None:
        super().__init__()
        self.bandwidth = check_bandwidth(bandwidth)
        self.weight = check_weight(weight)
        birth_grid, lifetime_grid = image_grids(resolution, im_range)
        self.register_buffer("birth_grid", birth_grid)
        self.register_buffer("lifetime_grid", lifetime_grid)

    def extra_repr(self) -> str:
        grids = (self.birth_grid, self.lifetime_grid)
        ends = tuple(float(end) for grid in grids for end in (grid[0], grid[-1]))
        resolution = tuple(len(grid) for grid in grids)
        weight = "" if self.weight is None else f", weight={self.weight!r}"
        return f"bandwidth={self.bandwidth}, resolution={resolution}, im_range={ends}{weight}"

    def forward(self, diagrams: Diagrams) -> Tensor:
        check_diagrams(diagrams)
        return image_on_grids(
            diagrams, self.birth_grid, self.lifetime_grid, self.bandwidth, self.weight
        )


class BettiCurve(nn.Module):
    r"""Diagrams -> (*batch, n * resolution): ``topoml.features.betti_curve``.

    .. math:: \beta_k(t) = \#\{i : b_i \le t < d_i\}

    one curve for each of the n homology dimensions, essential classes included (superlevel:
    :math:`d_i < t \le b_i`). Exact integers in the dtype of the points, on their device; **no
    gradient**, as it is zero almost everywhere. The thresholds are a float64 buffer, ``grid``
    (resolution,), which follows ``.to()`` and is part of the ``state_dict``; they are compared in
    the dtype of the points.

    Args:
        resolution: Number of thresholds, at least 1.
        sample_range: First and last threshold, in the filtration's unit.

    Raises:
        InputError: An argument out of these ranges, at once; an input that is no Diagrams.

    Source: the definition.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> curve = BettiCurve(resolution=4, sample_range=(0, 3))
        >>> curve
        BettiCurve(resolution=4, sample_range=(0.0, 3.0))
        >>> curve(cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,)))
        tensor([1., 2., 2., 1.])
    """

    grid: Tensor

    def __init__(self, *, resolution: int, sample_range: tuple[float, float]) -> None:
        super().__init__()
        self.register_buffer("grid", curve_grid(resolution, sample_range))

    def extra_repr(self) -> str:
        ends = (float(self.grid[0]), float(self.grid[-1]))
        return f"resolution={len(self.grid)}, sample_range={ends}"

    def forward(self, diagrams: Diagrams) -> Tensor:
        check_diagrams(diagrams)
        return curve_on_grid(diagrams, self.grid)
