"""Layers from diagrams to statistics and polynomials, without anything to fit."""

from torch import Tensor, nn

from .._core.checks import check_count
from ..features._checks import check_diagrams
from ..features.polynomials import check_polynomial_type, polynomial_of
from ..features.statistics import statistics_of
from ..homology import Diagrams

__all__ = ["ComplexPolynomial", "PersistenceStatistics"]


class PersistenceStatistics(nn.Module):
    r"""Diagrams -> (*batch, n * 38): ``topoml.features.persistence_statistics``.

    Mean, standard deviation, median, interquartile range, range and quantiles at 10, 25, 75, 90 %
    of births :math:`b_i`, deaths :math:`d_i`, midlives :math:`(b_i + d_i) / 2` and lifetimes
    :math:`|d_i - b_i|`, the number of classes and the entropy of the lifetimes, for each of the n
    homology dimensions. Differentiable in births and deaths; dtype and device are those of the
    points.

    Raises:
        InputError: An input that is no Diagrams.

    Source: Ali et al., IEEE TPAMI 45, 2023, arXiv:2212.09703.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> d = cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,))
        >>> PersistenceStatistics()(d)[[0, 9, 18, 27]]  # means of the one class (1, 3)
        tensor([1., 3., 2., 2.])
    """

    def forward(self, diagrams: Diagrams) -> Tensor:
        return statistics_of(check_diagrams(diagrams))


class ComplexPolynomial(nn.Module):
    r"""Diagrams -> (*batch, n * 2 * threshold): ``topoml.features.complex_polynomial``.

    .. math:: \prod_i (z - r_i) = z^P + c_1 z^{P-1} + \dots

    the real parts of the first coefficients c, then their imaginary parts, for each of the n
    homology dimensions. Differentiable once in births and deaths; dtype and device are those of the
    points.

    Args:
        threshold: Number of coefficients, at least 1.
        polynomial_type: Which roots: "R" :math:`b_i + i d_i`, "S" or "T", in which the diagonal is
            at 0.

    Raises:
        InputError: An argument out of these ranges, at once; an input that is no Diagrams.

    Source: Di Fabio, Ferri, ICIAP 2015, LNCS 9279.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> polynomial = ComplexPolynomial(threshold=2)
        >>> polynomial
        ComplexPolynomial(threshold=2, polynomial_type='R')
        >>> d = cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,))
        >>> polynomial(d)  # z - (1 + 3i)
        tensor([-1.,  0., -3.,  0.])
    """

    def __init__(self, *, threshold: int, polynomial_type: str = "R") -> None:
        super().__init__()
        self.threshold = check_count("threshold", threshold)
        self.polynomial_type = check_polynomial_type(polynomial_type)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, polynomial_type={self.polynomial_type!r}"

    def forward(self, diagrams: Diagrams) -> Tensor:
        return polynomial_of(check_diagrams(diagrams), self.threshold, self.polynomial_type)
