"""Atol as a layer."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .._core.checks import check_count
from .._core.errors import InputError
from ..features._checks import check_diagrams
from ..features._classes import same_dimensions
from ..features.atol import atol, atol_centers, check_contrast, check_weighting
from ..homology import Diagrams
from ..homology._checks import check_dimensions

__all__ = ["Atol"]


class Atol(nn.Module):
    r"""Diagrams -> (*batch, n * k): ``topoml.features.atol`` with centers found by ``fit``.

    .. math:: y_k = \sum_{p \in D} \psi(\|p - c_k\|_2 / \iota_k), \qquad p = (b, d)

    for k centers in each of the n homology dimensions. Differentiable in births and deaths; dtype
    and device are those of the points. ``centers`` (n, k, 2) and ``inertias`` (n, k) are float64
    buffers, which follow ``.to()`` and are part of the ``state_dict`` (for a device without
    float64, say ``.float()`` first); they are zero until ``fit`` or ``load_state_dict``.

    Args:
        homology_dimensions: Those of the diagrams, in their order.
        n_clusters: k, at least 1.
        contrast: "gaussian", "laplacian" or "indicator".
        weighting_method: "cloud" for the sum over the classes, "iidproba" for the mean.

    Raises:
        InputError: An argument out of these ranges, at once; an input that is no Diagrams or has
            other homology dimensions; a call before ``fit``.

    Source: Royer et al., AISTATS 2021, arXiv:1909.13472; gudhi's definition.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 5.0, 1.0, 6.0, 4.0]])
        >>> d = cubical_persistence(x, homology_dimensions=(0,))
        >>> layer = Atol(homology_dimensions=(0,), n_clusters=2).fit(d, random_state=0)
        >>> layer(d)
        tensor([1.0183, 1.0183])
    """

    centers: Tensor
    inertias: Tensor

    def __init__(
        self,
        *,
        homology_dimensions: Sequence[int],
        n_clusters: int,
        contrast: str = "gaussian",
        weighting_method: str = "cloud",
    ) -> None:
        super().__init__()
        self.homology_dimensions = check_dimensions(homology_dimensions, 7)
        n, k = len(self.homology_dimensions), check_count("n_clusters", n_clusters)
        self.contrast = check_contrast(contrast)
        self.weighting_method = check_weighting(weighting_method)
        self.register_buffer("centers", torch.zeros(n, k, 2, dtype=torch.float64))
        self.register_buffer("inertias", torch.zeros(n, k, dtype=torch.float64))

    def fit(self, diagrams: Diagrams, *, random_state: int) -> "Atol":
        """Find centers and inertias, in place: ``topoml.features.atol_centers``."""
        same_dimensions(check_diagrams(diagrams), self.homology_dimensions)
        centers, inertias = atol_centers(
            diagrams,
            n_clusters=self.centers.shape[1],
            random_state=random_state,
            weighting_method=self.weighting_method,
        )
        self.centers.copy_(centers)
        self.inertias.copy_(inertias)
        return self

    def extra_repr(self) -> str:
        return (
            f"homology_dimensions={self.homology_dimensions}, n_clusters={self.centers.shape[1]},"
            f" contrast={self.contrast!r}, weighting_method={self.weighting_method!r}"
        )

    def forward(self, diagrams: Diagrams) -> Tensor:
        same_dimensions(check_diagrams(diagrams), self.homology_dimensions)
        if not bool(self.inertias.any()):
            raise InputError("`Atol` has no centers yet; expected a call of fit(diagrams) first.")
        return atol(
            diagrams,
            centers=self.centers,
            inertias=self.inertias,
            contrast=self.contrast,
            weighting_method=self.weighting_method,
        )
