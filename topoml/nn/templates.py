"""Template functions as a layer."""

import torch
from torch import Tensor, nn

from .._core.errors import InputError
from ..features._checks import check_diagrams
from ..features.templates import check_templates, templates_on
from ..homology import Diagrams

__all__ = ["TemplateFunctions"]


class TemplateFunctions(nn.Module):
    r"""Diagrams -> (*batch, n * n_life * n_birth): ``topoml.features.template_functions``.

    .. math:: y_{jk} = \sum_i g_{jk}(b_i, \ell_i)

    with tents or interpolating polynomials g, for each of the n homology dimensions.
    Differentiable in births and deaths; dtype and device are those of the points. The rectangle is
    a float64 buffer, ``im_range`` (4,), which follows ``.to()`` and is part of the ``state_dict``
    (for a device without float64, say ``.float()`` first).

    Args:
        function: "tent" or "interpolating".
        resolution: (n_birth, n_life), numbers of functions.
        im_range: (birth_min, birth_max, life_min, life_max), in the filtration's unit, life_min
            >= 0; ``fit`` takes it from diagrams.

    Raises:
        InputError: An argument out of these ranges, at once; an input that is no Diagrams.

    Source: Perea, Munch, Khasawneh, Found. Comput. Math. 2022, arXiv:1902.07190.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> d = cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,))
        >>> layer = TemplateFunctions(resolution=(3, 2), im_range=(0, 4, 0, 3))
        >>> layer
        TemplateFunctions(function='tent', resolution=(3, 2), im_range=(0.0, 4.0, 0.0, 3.0))
        >>> layer(d)
        tensor([0.5000, 0.5000, 0.0000, 0.3333, 0.3333, 0.0000])
    """

    im_range: Tensor

    def __init__(
        self,
        *,
        function: str = "tent",
        resolution: tuple[int, int],
        im_range: tuple[float, float, float, float] = (0.0, 1.0, 0.0, 1.0),
    ) -> None:
        super().__init__()
        self.function = function
        self.resolution, ends = check_templates(function, resolution, im_range)
        self.register_buffer("im_range", ends)

    def fit(self, diagrams: Diagrams) -> "TemplateFunctions":
        """The range of the births of all classes, and lifetimes from 0 to the longest, in place."""
        birth, lifetime = check_diagrams(diagrams).points.detach()[:, 0], diagrams.lifetime.detach()
        finite = lifetime.isfinite()
        if not bool(finite.any()):
            raise InputError("`diagrams` has no finite class; expected at least one.")
        low, high = birth[finite].aminmax()
        longest = lifetime[finite].max()
        self.im_range[0], self.im_range[2] = low, 0.0
        self.im_range[1] = torch.where(high > low, high, low + 1)
        self.im_range[3] = torch.where(longest > 0, longest, 1.0)
        return self

    def extra_repr(self) -> str:
        ends = tuple(self.im_range.tolist())
        return f"function={self.function!r}, resolution={self.resolution}, im_range={ends}"

    def forward(self, diagrams: Diagrams) -> Tensor:
        check_diagrams(diagrams)
        return templates_on(diagrams, self.function, self.resolution, self.im_range)
