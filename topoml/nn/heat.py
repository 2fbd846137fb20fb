"""The layer from diagrams to heat kernel signatures."""

from torch import Tensor

from ..features._checks import check_bandwidth
from ..features.heat import heat_on_grid
from ..homology import Diagrams
from .curves import OnGrid

__all__ = ["HeatKernel"]


class HeatKernel(OnGrid):
    r"""Diagrams -> (*batch, n * resolution^2): ``topoml.features.heat_kernel``.

    .. math:: y_{jk} = \sum_i \frac{1}{2 \pi \sigma^2} \left(
              e^{-((b_i - x_k)^2 + (d_i - x_j)^2) / 2 \sigma^2} -
              e^{-((d_i - x_k)^2 + (b_i - x_j)^2) / 2 \sigma^2}\right)

    one image for each of the n homology dimensions. Differentiable in births and deaths; dtype and
    device are those of the points. ``grid`` (resolution,), that of both axes, is a float64 buffer,
    as in ``BettiCurve``.

    Args:
        bandwidth: Standard deviation :math:`\sigma`, in the filtration's unit, > 0.
        resolution: Number of values of either axis, at least 1.
        sample_range: First and last value, in the filtration's unit; None leaves them to
            ``fit(diagrams)``.

    Raises:
        InputError: An argument out of these ranges, at once; an input that is no Diagrams; a call
            before there is a range.

    Source: Reininghaus et al., CVPR 2015, arXiv:1412.6821.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> heat = HeatKernel(bandwidth=1.0, resolution=2, sample_range=(1, 3))
        >>> heat
        HeatKernel(bandwidth=1.0, resolution=2, sample_range=(1.0, 3.0))
        >>> heat(cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,)))
        tensor([ 0.0000, -0.1562,  0.1562,  0.0000])
    """

    def __init__(
        self,
        *,
        bandwidth: float,
        resolution: int,
        sample_range: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(resolution, sample_range)
        self.bandwidth = check_bandwidth(bandwidth)

    def extra_repr(self) -> str:
        return f"bandwidth={self.bandwidth}, {self._grid_repr()}"

    def on_grid(self, diagrams: Diagrams) -> Tensor:
        return heat_on_grid(diagrams, self.grid, self.bandwidth)
