"""Persistence statistics: moments and quantiles of births, deaths, midlives and lifetimes."""

import torch
from torch import Tensor

from ..homology import Diagrams
from ._blocks import from_blocks
from ._checks import check_diagrams
from ._rows import intervals_of
from ._sums import block_sums
from .entropies import block_entropies

__all__ = ["STATISTICS", "persistence_statistics", "statistics_of"]

_VALUES = ("birth", "death", "midlife", "lifetime")
_MOMENTS = ("mean", "std", "median", "iqr", "range", "q10", "q25", "q75", "q90")
STATISTICS = (
    *(f"{value}_{moment}" for value in _VALUES for moment in _MOMENTS),
    "count",
    "entropy",
)
_QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


def persistence_statistics(diagrams: Diagrams) -> Tensor:
    r"""Moments and quantiles of the classes: 38 numbers a homology dimension.

    Of each of the births :math:`b_i`, the deaths :math:`d_i`, the midlives :math:`(b_i + d_i) / 2`
    and the lifetimes :math:`|d_i - b_i|`, in this order: mean, standard deviation (of the n values,
    not n - 1), median, interquartile range, range, and the quantiles at 10, 25, 75 and 90 % (linear
    between the sorted values, as ``numpy.quantile``); then the number of classes and the entropy of
    their lifetimes (``persistence_entropy``). ``topoml.features.statistics.STATISTICS`` names them.

    Invariant to the order of the classes, bit for bit but for the entropy. Essential classes are
    left out (give them a death with ``Diagrams.capped``), and so are those born at -inf
    (superlevel: +inf). In float64, rounded to the dtype of the points at the end.

    Differentiable in births and deaths, any number of times, with finite gradients everywhere: 0
    for the standard deviation of equal values, for the number of classes, and as stated there for
    the entropy. Sample i depends on sample i alone, bit for bit. Time O(P log P).

    Args:
        diagrams: Of any batch shape.

    Returns:
        (*batch, n * 38) for n homology dimensions: one block a dimension, in the order of
        ``diagrams.homology_dimensions``; zeros where a sample has no class. Dtype and device of
        the points.

    Raises:
        InputError: ``diagrams`` is no Diagrams.

    Source: Ali et al., IEEE TPAMI 45, 2023, arXiv:2212.09703, "persistent statistics".

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 4.0, 1.0, 2.0, 1.0]])
        >>> d = cubical_persistence(x, homology_dimensions=(0,))  # classes (1, 2) and (1, 4)
        >>> dict(zip(STATISTICS, persistence_statistics(d).tolist(), strict=True))["lifetime_mean"]
        2.0
    """
    return statistics_of(check_diagrams(diagrams))


def statistics_of(diagrams: Diagrams) -> Tensor:
    """``persistence_statistics`` without its checks."""
    low, high, block, n_blocks, near = intervals_of(diagrams)
    entropy = block_entropies(diagrams).double()
    low, high = low.double(), high.double()
    birth, death = (high, low) if diagrams.superlevel else (low, high)
    block = block.where(near, n_blocks)  # stand-ins are nobody's
    count = block_sums(torch.ones_like(low.detach()), block, n_blocks + 1)
    columns = []
    for values in (birth, death, birth / 2 + death / 2, high - low):
        columns += _moments(values, block, count)
    table = torch.stack([*(x[:n_blocks] for x in columns), count[:n_blocks], entropy], 1)
    return from_blocks(table.to(diagrams.points.dtype), diagrams)


def _moments(values: Tensor, block: Tensor, count: Tensor) -> list[Tensor]:
    """``_MOMENTS`` of each block, (blocks,) each; 0 for a block without rows."""
    order = torch.argsort(values.detach(), stable=True)
    order = order[torch.argsort(block[order], stable=True)]
    values, block = values[order], block[order]
    n = count.long()
    first = n.cumsum(0) - n
    padded = torch.cat([values, values.new_zeros(1)])

    def at(rank: Tensor) -> Tensor:
        return padded.index_select(0, (first + rank).where(n > 0, len(values)))

    quantiles = []
    for q in _QUANTILES:
        place = q * (count - 1).clamp(min=0)
        below = place.long()
        lower, upper = at(below), at(torch.minimum(below + 1, (n - 1).clamp(min=0)))
        quantiles.append(lower + (place - below) * (upper - lower))
    least, q10, q25, median, q75, q90, most = quantiles
    some = count.clamp(min=1)
    mean = least + block_sums(values - least[block], block, len(n)) / some
    variance = block_sums((values - mean[block]) ** 2, block, len(n)) / some
    spread = variance > 0
    deviation = torch.sqrt(variance.where(spread, 1.0)).where(spread, 0.0)
    return [mean, deviation, median, q75 - q25, most - least, q10, q25, q75, q90]
