"""Topological losses: of diagrams, point clouds and fields of angles."""

from collections.abc import Sequence

from torch import Tensor, nn

from .._core.errors import InputError
from ..features.cloud_losses import (
    check_eta,
    check_normalise,
    connectivity_loss,
    rtd_loss,
    topological_signature_loss,
)
from ..features.entropies import persistence_entropy
from ..features.field_losses import betti_matching_loss, check_sharpness, vortex_loss
from ..features.losses import (
    betti_number_loss,
    check_betti_numbers,
    check_cap,
    check_counts,
    check_power,
    total_persistence,
)
from ..homology import Diagrams
from ..homology._checks import (
    check_construction,
    check_dimensions,
    check_periodic,
    check_superlevel,
)

__all__ = [
    "BettiMatchingLoss",
    "BettiNumberLoss",
    "ConnectivityLoss",
    "PersistenceEntropyLoss",
    "RTDLoss",
    "TopologicalSignatureLoss",
    "TotalPersistenceLoss",
    "VortexLoss",
]


class TotalPersistenceLoss(nn.Module):
    r"""Diagrams -> powers of the lifetimes, added: ``topoml.features.total_persistence``.

    .. math:: L = \sum_k \sum_{i = s_k + 1}^{s_k + m_k} \ell_{k, i}^p,
              \qquad \ell_{k,1} \ge \ell_{k,2} \ge \dots

    over homology dimensions k, without the ``skip`` longest classes, and of the rest the ``keep``
    longest. To make classes live longer, subtract the loss. Essential classes are left out.

    Args:
        power: Exponent p, at least 1.
        skip: Number of longest classes to leave out, or one number a homology dimension.
        keep: Number of classes to take after those, or one number a homology dimension; None for
            all the rest.
        reduction: "mean" or "sum" over the samples, or "none", (*batch,).

    Raises:
        InputError: An argument out of these ranges, at once; an input that is no Diagrams.

    Source: that of ``topoml.features.total_persistence``.

    Example:
        >>> import torch
        >>> from topoml.nn import CubicalPersistence
        >>> loss = TotalPersistenceLoss(skip=1)  # all but the longest class
        >>> loss
        TotalPersistenceLoss(power=2.0, skip=1, keep=None, reduction='mean')
        >>> x = torch.tensor([[0.0, 3.0, 1.0, 5.0, 2.0]])
        >>> loss(CubicalPersistence(homology_dimensions=(0,))(x))
        tensor(4.)
    """

    def __init__(
        self,
        *,
        power: float = 2.0,
        skip: int | Sequence[int] = 0,
        keep: int | Sequence[int] | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        self.power = check_power(power)
        check_counts("skip", skip, None)
        if keep is not None:
            check_counts("keep", keep, None)
        self.skip, self.keep = skip, keep
        self.reduction = check_reduction(reduction)

    def extra_repr(self) -> str:
        return (
            f"power={self.power}, skip={self.skip}, keep={self.keep}, reduction={self.reduction!r}"
        )

    def forward(self, diagrams: Diagrams) -> Tensor:
        parts = total_persistence(diagrams, power=self.power, skip=self.skip, keep=self.keep)
        return reduced(_added(parts), self.reduction)


class BettiNumberLoss(nn.Module):
    r"""Diagrams -> distance from Betti numbers wanted: ``topoml.features.betti_number_loss``.

    .. math:: L = \sum_k \Big( \sum_{i \le \beta_k} (1 - \ell_{k,i}^2)
              + \sum_{i > \beta_k} \ell_{k,i}^2 \Big), \qquad \ell_{k,1} \ge \ell_{k,2} \ge \dots

    for a filtration with values in [0, 1]; a class missing counts 1.

    Args:
        betti_numbers: One for each homology dimension of the diagrams, in their order.
        cap: Where essential classes die; None leaves them out. For the superlevel filtration of
            a probability, 0.
        reduction: "mean" or "sum" over the samples, or "none", (*batch,).

    Raises:
        InputError: An argument out of these ranges, at once; an input that is no Diagrams, or has
            another number of homology dimensions, or a birth beyond ``cap``.

    Source: Clough et al., IEEE TPAMI 44, 8766 (2022), arXiv:1910.01877.

    Example:
        >>> import torch
        >>> from topoml.nn import CubicalPersistence
        >>> loss = BettiNumberLoss(betti_numbers=(1, 0), cap=0.0)  # one component, no hole
        >>> complex = CubicalPersistence(homology_dimensions=(0, 1), superlevel=True)
        >>> loss(complex(torch.tensor([[1.0, 0.0, 0.5]])))
        tensor(0.2500)
    """

    def __init__(
        self,
        *,
        betti_numbers: int | Sequence[int],
        cap: float | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        self.betti_numbers = check_betti_numbers(betti_numbers, None)
        self.cap = check_cap(cap)
        self.reduction = check_reduction(reduction)

    def extra_repr(self) -> str:
        return f"betti_numbers={self.betti_numbers}, cap={self.cap}, reduction={self.reduction!r}"

    def forward(self, diagrams: Diagrams) -> Tensor:
        values = betti_number_loss(diagrams, betti_numbers=self.betti_numbers, cap=self.cap)
        return reduced(values, self.reduction)


class BettiMatchingLoss(nn.Module):
    r"""Two fields (*batch, H, W) -> ``topoml.features.betti_matching_loss``.

    .. math:: L = \sum_{(p, q)} 2 \big( (b_p - b_q)^2 + (d_p - d_q)^2 \big)
              + \sum_{p} (d_p - b_p)^2 + \sum_{q} (d_q - b_q)^2

    over the partners of the induced matching, which are the same feature at the same place, and
    over the classes that have none.

    Args:
        homology_dimensions: Distinct integers from 0 to 2.
        periodic: One bool, or one an axis; periodic axes of at least 2 entries.
        construction: "V", "T" or "F".
        superlevel: Filter from large values to small, as for probabilities.
        reduction: "mean" or "sum" over the samples, or "none", (*batch,).

    Raises:
        InputError: An argument out of these ranges, at once; fields that do not fit, on the call.

    Source: Stucki et al., ICML 2023, arXiv:2211.15272.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0, 9.0, 7.0, 9.0, 2.0]])
        >>> y = torch.tensor([[0.0, 9.0, 9.0, 9.0, 3.0]])
        >>> BettiMatchingLoss()(x, y)
        tensor(6.)
    """

    def __init__(
        self,
        *,
        homology_dimensions: Sequence[int] = (0, 1),
        periodic: bool | Sequence[bool] = False,
        construction: str = "V",
        superlevel: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        self.homology_dimensions = check_dimensions(homology_dimensions, 2)
        self.periodic = check_periodic(periodic, 2)
        check_construction(construction, 2)
        check_superlevel(superlevel)
        self.construction, self.superlevel = construction, superlevel
        self.reduction = check_reduction(reduction)

    def extra_repr(self) -> str:
        return (
            f"homology_dimensions={self.homology_dimensions}, periodic={self.periodic},"
            f" construction={self.construction!r}, superlevel={self.superlevel},"
            f" reduction={self.reduction!r}"
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        values = betti_matching_loss(
            x,
            y,
            homology_dimensions=self.homology_dimensions,
            periodic=self.periodic,
            construction=self.construction,
            superlevel=self.superlevel,
        )
        return reduced(values, self.reduction)


class PersistenceEntropyLoss(nn.Module):
    r"""Diagrams -> entropy of the lifetimes: ``topoml.features.persistence_entropy``.

    .. math:: L = -\sum_k \sum_i p_{k,i} \ln p_{k,i}, \qquad p_{k,i} = \ell_{k,i} / \sum_j
              \ell_{k,j}

    over homology dimensions k. Less of it: few classes outlive the others; more: all live alike.

    Args:
        reduction: "mean" or "sum" over the samples, or "none", (*batch,).

    Raises:
        InputError: Another ``reduction``, at once; an input that is no Diagrams.

    Source: Rucco et al., arXiv:1512.07613 (2016), without essential classes.

    Example:
        >>> import torch
        >>> from topoml.nn import CubicalPersistence
        >>> x = torch.tensor([[0.0, 3.0, 1.0, 4.0, 2.0]])
        >>> PersistenceEntropyLoss()(CubicalPersistence(homology_dimensions=(0,))(x))
        tensor(0.6931)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = check_reduction(reduction)

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"

    def forward(self, diagrams: Diagrams) -> Tensor:
        return reduced(_added(persistence_entropy(diagrams)), self.reduction)


class TopologicalSignatureLoss(nn.Module):
    r"""Two clouds of the same points -> ``topoml.features.topological_signature_loss``.

    .. math:: L = \tfrac12 \|A^X[\pi^X] - A^Z[\pi^X]\|^2 + \tfrac12 \|A^Z[\pi^Z] - A^X[\pi^Z]\|^2

    with distance matrices A and the edges :math:`\pi` that create and destroy the classes of the
    Vietoris–Rips filtration: the term of a topological autoencoder.

    Args:
        homology_dimensions: Distinct integers among 0, 1.
        normalise: Divide the distances of each cloud by the largest one.
        reduction: "mean" or "sum" over the samples, or "none", (*batch,).

    Raises:
        InputError: An argument out of these ranges, at once; clouds that do not fit, on the call.

    Source: Moor et al., ICML 2020, arXiv:1906.00722.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0], [1.0], [3.0]])
        >>> TopologicalSignatureLoss()(x, 2 * x)
        tensor(5.)
    """

    def __init__(
        self,
        *,
        homology_dimensions: Sequence[int] = (0,),
        normalise: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        self.homology_dimensions = check_dimensions(homology_dimensions, 1)
        self.normalise = check_normalise(normalise)
        self.reduction = check_reduction(reduction)

    def extra_repr(self) -> str:
        return (
            f"homology_dimensions={self.homology_dimensions}, normalise={self.normalise},"
            f" reduction={self.reduction!r}"
        )

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        values = topological_signature_loss(
            x, z, homology_dimensions=self.homology_dimensions, normalise=self.normalise
        )
        return reduced(values, self.reduction)


class ConnectivityLoss(nn.Module):
    r"""Point clouds (*batch, n, d) -> ``topoml.features.connectivity_loss``.

    .. math:: L = \sum_{e} |\eta - \varepsilon_e|

    over the edges of the minimum spanning tree.

    Args:
        eta: Distance of neighbours wanted, > 0.
        reduction: "mean" or "sum" over the samples, or "none", (*batch,).

    Raises:
        InputError: An argument out of these ranges, at once; wrong points, on the call.

    Source: Hofer et al., ICML 2019, arXiv:1906.09003.

    Example:
        >>> import torch
        >>> ConnectivityLoss(eta=2.0)(torch.tensor([[0.0], [1.0], [4.0]]))
        tensor(2.)
    """

    def __init__(self, *, eta: float, reduction: str = "mean") -> None:
        super().__init__()
        self.eta = check_eta(eta)
        self.reduction = check_reduction(reduction)

    def extra_repr(self) -> str:
        return f"eta={self.eta}, reduction={self.reduction!r}"

    def forward(self, points: Tensor) -> Tensor:
        return reduced(connectivity_loss(points, eta=self.eta), self.reduction)


class RTDLoss(nn.Module):
    r"""Two clouds of the same points -> ``topoml.features.rtd_loss``.

    .. math:: L = \tfrac12 \big( \mathrm{RTD}_1(X, Z) + \mathrm{RTD}_1(Z, X) \big)

    the representation topology divergence: lifetimes of what the filtration of the smaller of both
    distances has in H1 and that of one of them has not.

    Args:
        reduction: "mean" or "sum" over the samples, or "none", (*batch,).

    Raises:
        InputError: Another ``reduction``, at once; clouds that do not fit, on the call.

    Source: Barannikov et al., ICML 2022, arXiv:2201.00058; Trofimov et al., ICLR 2023,
        arXiv:2302.00136.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0], [1.0], [5.0]])
        >>> RTDLoss()(x, torch.tensor([[0.0], [1.0], [3.0]]))
        tensor(1.)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = check_reduction(reduction)

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return reduced(rtd_loss(x, z), self.reduction)


class VortexLoss(nn.Module):
    r"""Angles (*batch, H, W) -> smooth number of vortices: ``topoml.features.vortex_loss``.

    .. math:: V = \sum_p q_p^2, \qquad q_p = \frac{1}{4 \arctan r} \sum_{b \in \partial p}
              \arctan \frac{r \sin \Delta_b}{1 + r \cos \Delta_b}

    Args:
        sharpness: r, above 0 and below 1: towards 1 the number of plaquettes with a winding.
        periodic: One bool, or one an axis.
        reduction: "mean" or "sum" over the samples, or "none", (*batch,).

    Raises:
        InputError: An argument out of these ranges, at once; a wrong field, on the call.

    Source: ours.

    Example:
        >>> import torch
        >>> VortexLoss()(torch.zeros(3, 8, 8))
        tensor(0.)
    """

    def __init__(
        self,
        *,
        sharpness: float = 0.5,
        periodic: bool | Sequence[bool] = True,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        self.sharpness = check_sharpness(sharpness)
        self.periodic = check_periodic(periodic, 2)
        self.reduction = check_reduction(reduction)

    def extra_repr(self) -> str:
        return f"sharpness={self.sharpness}, periodic={self.periodic}, reduction={self.reduction!r}"

    def forward(self, theta: Tensor) -> Tensor:
        values = vortex_loss(theta, sharpness=self.sharpness, periodic=self.periodic)
        return reduced(values, self.reduction)


def check_reduction(reduction: object) -> str:
    """One of the three words."""
    if reduction not in ("mean", "sum", "none"):
        raise InputError(f'`reduction` is {reduction!r}; expected "mean", "sum" or "none".')
    return str(reduction)


def reduced(values: Tensor, reduction: str) -> Tensor:
    """Losses of samples (*batch,) to one number, or as they are."""
    if reduction == "none":
        return values
    if reduction == "sum":
        return values.sum()
    if not values.numel():
        raise InputError('`reduction` is "mean" of no sample; expected at least one. Cure: "sum".')
    return values.mean()


def _added(parts: Tensor) -> Tensor:
    """(*batch, n) -> (*batch,), one dimension after the other."""
    total = parts[..., 0]
    for k in range(1, parts.shape[-1]):
        total = total + parts[..., k]
    return total
