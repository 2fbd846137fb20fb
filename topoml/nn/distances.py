"""Losses that compare diagrams with a target."""

from torch import Tensor, nn

from .._core.errors import InputError
from ..distances._checks import check_num_directions, check_order
from ..distances._pairs import Pairs, pairs_of
from ..distances.sliced import sliced_distance
from ..distances.wasserstein import transport_cost
from ..homology import Diagrams
from .losses import check_reduction, reduced

__all__ = ["SlicedWassersteinLoss", "WassersteinLoss"]


class WassersteinLoss(nn.Module):
    r"""(Diagrams, target) -> the power :math:`W_q^q` of ``topoml.distances.wasserstein``.

    .. math:: \sum_k \min_\gamma \sum_x \|x - \gamma(x)\|_p^q

    over the matchings within each homology dimension k, essential classes matched in the order of
    their births. Differentiable in both arguments, with a finite gradient everywhere, 0 at
    identical diagrams; with q > 1 it tends to 0 there.

    Args:
        order: Exponent q, 1 <= q < inf.
        internal_p: Ground norm p in the (birth, death) plane, 1 <= p <= inf.
        reduction: "mean" or "sum" over the batch, or "none" for (*batch,).

    Raises:
        InputError: An argument out of these ranges, at once; diagrams that cannot be compared, or
            whose numbers of essential classes differ, as no finite loss would.

    Source: Cohen-Steiner et al., Found. Comput. Math. 10, 127 (2010).

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 3.0, 1.0], [0.0, 4.0, 1.0]], requires_grad=True)
        >>> d = cubical_persistence(x[:, None], homology_dimensions=(0,))
        >>> loss = WassersteinLoss(order=2, internal_p=2)
        >>> loss
        WassersteinLoss(order=2.0, internal_p=2.0, reduction='mean')
        >>> loss(d, d[0].detach())  # the mean of 0 and 1
        tensor(0.5000, grad_fn=<MeanBackward0>)
    """

    def __init__(
        self, *, order: float = 2.0, internal_p: float = 2.0, reduction: str = "mean"
    ) -> None:
        super().__init__()
        self.order = check_order("order", order, finite=True)
        self.internal_p = check_order("internal_p", internal_p, finite=False)
        self.reduction = check_reduction(reduction)

    def extra_repr(self) -> str:
        return f"order={self.order}, internal_p={self.internal_p}, reduction={self.reduction!r}"

    def forward(self, diagrams: Diagrams, target: Diagrams) -> Tensor:
        pairs = pairs_of(diagrams, target)
        cost, unit, infinite = transport_cost(pairs, self.order, self.internal_p, True)
        _check_finite(pairs, infinite)
        return reduced(pairs.result(cost * unit**self.order), self.reduction)


class SlicedWassersteinLoss(nn.Module):
    r"""(Diagrams, target) -> ``topoml.distances.sliced_wasserstein``.

    .. math:: \frac{1}{M - 1} \sum_m \sum_k \int |F_m^{a_k}(t) - F_m^{b_k}(t)| \, dt

    Faster than ``WassersteinLoss`` on diagrams of many classes: O(n log n) instead of more than
    O(n^2). Essential classes are matched in the order of their births. Differentiable once in both
    arguments, with a finite gradient everywhere, 0 at identical diagrams.

    Args:
        num_directions: M, at least 2.
        reduction: "mean" or "sum" over the batch, or "none" for (*batch,).

    Raises:
        InputError: An argument out of these ranges, at once; diagrams that cannot be compared, or
            whose numbers of essential classes differ, as no finite loss would.

    Source: Carriere et al., ICML 2017, arXiv:1706.03358.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 3.0, 1.0], [0.0, 4.0, 1.0]])
        >>> d = cubical_persistence(x[:, None], homology_dimensions=(0,))
        >>> loss = SlicedWassersteinLoss(num_directions=2, reduction="none")
        >>> loss
        SlicedWassersteinLoss(num_directions=2, reduction='none')
        >>> loss(d, d[0])
        tensor([0.0000, 1.5000])
    """

    def __init__(self, *, num_directions: int = 50, reduction: str = "mean") -> None:
        super().__init__()
        self.num_directions = check_num_directions(num_directions)
        self.reduction = check_reduction(reduction)

    def extra_repr(self) -> str:
        return f"num_directions={self.num_directions}, reduction={self.reduction!r}"

    def forward(self, diagrams: Diagrams, target: Diagrams) -> Tensor:
        pairs = pairs_of(diagrams, target)
        distance, infinite = sliced_distance(pairs, self.num_directions, True)
        _check_finite(pairs, infinite)
        return reduced(pairs.result(distance), self.reduction)


def _check_finite(pairs: Pairs, infinite: Tensor) -> None:
    if bool(infinite.any()):
        q = int(infinite.nonzero()[0])
        counts = []
        for side, sample in ((pairs.a, pairs.of_a[q]), (pairs.b, pairs.of_b[q])):
            d = side.diagrams
            of_sample = d.essential_dimension[d.essential_sample == int(sample)].tolist()
            counts.append({f"H{k}": of_sample.count(k) for k in d.homology_dimensions})
        raise InputError(
            f"`target` has essential classes {counts[1]} where `diagrams` has {counts[0]}"
            f" (pair {q}); expected as many, as the loss is infinite otherwise."
            " Cure: capped(value) on both."
        )
