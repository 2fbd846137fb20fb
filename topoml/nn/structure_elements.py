"""Structure elements: learnable functions of the plane, summed over a diagram."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .._core.checks import check_count, check_positive
from .._core.errors import InputError
from ..features._checks import check_diagrams
from ..features._classes import classes_of, draw, same_dimensions, segment_sum, spread
from ..features._elements import (
    exponential_elements,
    log_stretched,
    rational_elements,
    rational_hat_elements,
)
from ..homology import Diagrams
from ..homology._checks import check_dimensions

__all__ = ["StructureElements"]

KINDS = ("exponential", "rational", "rational_hat")


class StructureElements(nn.Module):
    r"""Diagrams -> (*batch, n * k): k structure elements for each of the n homology dimensions.

    .. math:: y_k = \sum_{p \in D} s_k(p), \qquad p = (b, \ell)

    with, by ``kind``,

    .. math:: s_k(p) &= \exp\Bigl(-\sum_j \sigma_{kj}^2 (p_j - \mu_{kj})^2\Bigr)
              \text{ (exponential)} \\
              s_k(p) &= \Bigl(1 + \sum_j |\sigma_{kj}| |p_j - \mu_{kj}|\Bigr)^{-\alpha}
              \text{ (rational)} \\
              s_k(p) &= \frac{1}{1 + \|p - \mu_k\|_1}
              - \frac{1}{1 + \bigl||r_k| - \|p - \mu_k\|_1\bigr|} \text{ (rational hat)}

    Learnt are ``centers`` :math:`\mu` (n, k, 2) and ``sharpness`` :math:`\sigma` (n, k, 2) or
    ``radius`` r (n, k). With ``nu``, lifetimes below it are first moved to
    :math:`\nu \log(\ell / \nu) + \nu`, so that classes of no length count for nothing.

    Differentiable in births, deaths and parameters, 0 at the kinks; with ``nu`` the gradient grows
    as :math:`\nu / \ell` where the element does not vanish faster, and is 0 at the diagonal.
    Finite classes only: give the essential ones a death with ``Diagrams.capped``. Invariant to the
    order of the classes up to rounding. Computed in the dtype of the points (float32 for half
    precision), in which the parameters are read, and on their device. Sample i depends on sample i
    alone, bit for bit. Memory O(P k).

    The centers start uniform in the unit square (torch's generator), the sharpness at 3, the radii
    at 1; ``fit`` puts them where the classes are.

    Args:
        homology_dimensions: Those of the diagrams, in their order.
        n_elements: k, at least 1.
        kind: "exponential", "rational" or "rational_hat".
        nu: A lifetime, > 0, in the filtration's unit, or None for lifetimes as they are.
        exponent: :math:`\alpha > 0` of the rational elements; not learnt.

    Raises:
        InputError: An argument out of these ranges, at once; an input that is no Diagrams or has
            other homology dimensions.

    Source: exponential, with nu, in birth and lifetime instead of axes turned by 45 degrees: Hofer
        et al., NeurIPS 2017, arXiv:1707.04041; rational and hat: Hofer, Kwitt, Niethammer, JMLR
        20(126), 2019; norm and start as in their code, torchph.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> layer = StructureElements(homology_dimensions=(0,), n_elements=2, kind="rational")
        >>> layer.centers.data = torch.tensor([[[1.0, 2.0], [0.0, 2.0]]])
        >>> layer(cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,)))
        tensor([1.0000, 0.2500], grad_fn=<ViewBackward0>)
    """

    sharpness: nn.Parameter
    radius: nn.Parameter

    def __init__(
        self,
        *,
        homology_dimensions: Sequence[int],
        n_elements: int,
        kind: str = "exponential",
        nu: float | None = None,
        exponent: float = 1.0,
    ) -> None:
        super().__init__()
        self.homology_dimensions = check_dimensions(homology_dimensions, 7)
        n, k = len(self.homology_dimensions), check_count("n_elements", n_elements)
        if kind not in KINDS:
            raise InputError(f"`kind` is {kind!r}; expected one of {KINDS}.")
        self.kind = kind
        self.nu = None if nu is None else check_positive("nu", nu)
        self.exponent = check_positive("exponent", exponent)
        self.centers = nn.Parameter(torch.rand(n, k, 2))
        if kind == "rational_hat":
            self.radius = nn.Parameter(torch.ones(n, k))
        else:
            self.sharpness = nn.Parameter(torch.full((n, k, 2), 3.0))

    def fit(self, diagrams: Diagrams, *, generator: torch.Generator) -> "StructureElements":
        """Centers at classes drawn at random, the width of the elements their spread, in place.

        The sharpness is one over the standard deviation of each coordinate, the radius the sum of
        both; of lifetimes after ``nu``.
        """
        same_dimensions(check_diagrams(diagrams), self.homology_dimensions)
        for i, dimension in enumerate(self.homology_dimensions):
            classes = classes_of(diagrams.detach(), dimension)
            if self.nu is not None:
                some = classes.lifetime > 0
                life = log_stretched(classes.lifetime[some], self.nu)
                classes = classes._replace(birth=classes.birth[some], lifetime=life)
            self.centers.data[i] = draw(classes, self.centers.shape[1], generator)
            deviation = spread(torch.stack([classes.birth, classes.lifetime], 1))
            if self.kind == "rational_hat":
                self.radius.data[i] = deviation.sum()
            else:
                self.sharpness.data[i] = 1 / deviation
        return self

    def extra_repr(self) -> str:
        rational = f", exponent={self.exponent}" if self.kind == "rational" else ""
        return (
            f"homology_dimensions={self.homology_dimensions}, n_elements={self.centers.shape[1]},"
            f" kind={self.kind!r}, nu={self.nu}{rational}"
        )

    def forward(self, diagrams: Diagrams) -> Tensor:
        same_dimensions(check_diagrams(diagrams), self.homology_dimensions)
        blocks = []
        for i, dimension in enumerate(self.homology_dimensions):
            birth, _, lifetime, counts = classes_of(diagrams, dimension)
            if self.nu is not None:
                lifetime = log_stretched(lifetime, self.nu)
            blocks.append(segment_sum(self._elements(i, birth, lifetime), counts))
        out = torch.cat(blocks, 1).to(diagrams.points.dtype)
        return out.reshape(*diagrams.batch_shape, out.shape[1])

    def _elements(self, i: int, birth: Tensor, lifetime: Tensor) -> Tensor:
        centers = self.centers[i]
        if self.kind == "rational_hat":
            return rational_hat_elements(birth, lifetime, centers, self.radius[i])
        if self.kind == "rational":
            sharpness = self.sharpness[i]
            return rational_elements(birth, lifetime, centers, sharpness, self.exponent)
        return exponential_elements(birth, lifetime, centers, self.sharpness[i])
