"""Losses of persistence diagrams: total persistence, Betti numbers, entropy."""

import math
from collections.abc import Sequence
from numbers import Integral, Real

import torch
from torch import Tensor

from .._core.errors import InputError
from ..homology import Diagrams
from ._blocks import block_of, from_blocks
from ._checks import check_diagrams
from ._sums import block_sums

__all__ = [
    "betti_number_loss",
    "check_betti_numbers",
    "check_cap",
    "check_counts",
    "check_power",
    "total_persistence",
]


def total_persistence(
    diagrams: Diagrams,
    *,
    power: float = 2.0,
    skip: int | Sequence[int] = 0,
    keep: int | Sequence[int] | None = None,
) -> Tensor:
    r"""Sum of powers of the lifetimes, of all classes or of some of the longest.

    .. math:: P_k = \sum_{i = s + 1}^{s + m} \ell_i^p, \qquad
              \ell_1 \ge \ell_2 \ge \dots, \quad \ell_i = |d_i - b_i|

    over the finite classes of dimension k, with s = ``skip``, m = ``keep``. ``skip`` = 1 leaves the
    longest class alone and penalises all others; ``keep`` = 1 alone is the longest one, to be made
    longer by a negative weight. Essential classes are left out (give them a death with
    ``Diagrams.capped``), and so is a class of infinite lifetime, born at -inf (superlevel: +inf).

    Differentiable in births and deaths, any number of times for an integer power; where lifetimes
    tie at the edge of the selection, the class that comes first in the diagram counts as the
    longer one. Gradient 0 on the diagonal for p > 1, that of the lifetime for p = 1. Sums in
    float64, in the order of the rows: sample i depends on sample i alone, bit for bit.
    O(P log P) time.

    Args:
        diagrams: Of any batch shape.
        power: Exponent p, at least 1.
        skip: Number of longest classes to leave out, or one number a homology dimension.
        keep: Number of classes to take after those, or one number a homology dimension; None for
            all the rest.

    Returns:
        (*batch, n) for n homology dimensions, in the order of ``diagrams.homology_dimensions``,
        0 where there is no class. Unit: that of the filtration to the power p. Dtype and device of
        the points.

    Raises:
        InputError: An argument of another type or out of the ranges above.

    Source: Cohen-Steiner et al., Found. Comput. Math. 10, 127 (2010); with ``skip``, Brüel
        Gabrielsson et al., AISTATS 2020, arXiv:1905.12200, E(p, q = 0, i0 = skip + 1).

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 3.0, 1.0, 5.0, 2.0]])  # classes (1, 3), (2, 5) and an essential
        >>> d = cubical_persistence(x, homology_dimensions=(0,))
        >>> total_persistence(d), total_persistence(d, power=1.0, skip=1)
        (tensor([13.]), tensor([2.]))
    """
    check_diagrams(diagrams)
    n = len(diagrams.homology_dimensions)
    p, first = check_power(power), check_counts("skip", skip, n)
    count = None if keep is None else check_counts("keep", keep, n)
    life, block, rank = _ranked(diagrams)
    start = _of_blocks(first, block)
    kept = rank >= start
    if count is not None:
        kept &= rank < start + _of_blocks(count, block)
    row = kept.nonzero().squeeze(1)
    sums = block_sums(_power(life[row], p), block[row], diagrams.n_samples * n)
    return from_blocks(sums[:, None].to(diagrams.points.dtype), diagrams)


def betti_number_loss(
    diagrams: Diagrams, *, betti_numbers: int | Sequence[int], cap: float | None = None
) -> Tensor:
    r"""How far diagrams are from having so many classes of lifetime 1 and no others.

    .. math:: L = \sum_k \Big( \sum_{i \le \beta_k} (1 - \ell_{k,i}^2)
              + \sum_{i > \beta_k} \ell_{k,i}^2 \Big), \qquad \ell_{k,1} \ge \ell_{k,2} \ge \dots

    with the Betti numbers :math:`\beta_k` wanted, for a filtration with values in [0, 1]; where
    there are fewer than :math:`\beta_k` classes, each one missing counts 1. It is zero exactly when
    the wanted classes live from 0 to 1 and there are no others.

    Essential classes are left out unless ``cap`` ends them: for the superlevel filtration of a
    probability, ``cap=0.0``. A class of infinite lifetime is left out. Gradient as that of
    ``total_persistence`` with power 2.

    Args:
        diagrams: Of any batch shape; lifetimes of at most 1 (not checked).
        betti_numbers: One for each of ``diagrams.homology_dimensions``, in their order.
        cap: Where essential classes die; None leaves them out.

    Returns:
        (*batch,), in dtype and on device of the points.

    Raises:
        InputError: An argument of another type or out of the ranges above; a birth beyond ``cap``.

    Source: Clough et al., IEEE TPAMI 44, 8766 (2022), arXiv:1910.01877.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[1.0, 0.0, 0.5]])  # two components: lifetimes 1 and 0.5
        >>> d = cubical_persistence(x, homology_dimensions=(0,), superlevel=True)
        >>> betti_number_loss(d, betti_numbers=(1,), cap=0.0)
        tensor(0.2500)
        >>> betti_number_loss(d, betti_numbers=(2,), cap=0.0)
        tensor(0.7500)
    """
    check_diagrams(diagrams)
    n = len(diagrams.homology_dimensions)
    wanted = check_betti_numbers(betti_numbers, n)
    if check_cap(cap) is not None:
        diagrams = diagrams.capped(float(cap))  # type: ignore[arg-type]
    life, block, rank = _ranked(diagrams)
    row = (rank >= 0).nonzero().squeeze(1)
    signed = (life[row] ** 2).where(rank[row] >= _of_blocks(wanted, block[row]), -(life[row] ** 2))
    sums = block_sums(signed, block[row] // n, diagrams.n_samples) + sum(wanted)
    return sums.to(diagrams.points.dtype).reshape(diagrams.batch_shape)


def check_power(power: object) -> float:
    """A finite number of at least 1."""
    valid = isinstance(power, Real) and not isinstance(power, bool)
    if not valid or not 1 <= float(power) < math.inf:  # type: ignore[arg-type]
        raise InputError(
            f"`power` is {power!r}; expected a number of at least 1, as the gradient of a smaller"
            " power is infinite on the diagonal."
        )
    return float(power)  # type: ignore[arg-type]


def check_counts(name: str, counts: object, n: int | None) -> tuple[int, ...]:
    """Integers of at least 0, one a homology dimension; one alone stands for all ``n``.

    With ``n`` None, as many as there are.
    """
    items = tuple(counts) if isinstance(counts, Sequence) else (counts,)
    valid = all(isinstance(c, Integral) and not isinstance(c, bool) for c in items)
    if not items or not valid or min(items) < 0:
        raise InputError(
            f"`{name}` is {counts!r}; expected an integer of at least 0, or one a homology"
            " dimension."
        )
    numbers = tuple(int(c) for c in items)
    if n is not None and len(numbers) != n:
        if isinstance(counts, Sequence):
            raise InputError(
                f"`{name}` is {counts!r}; expected {n} of them, one for each of the diagrams'"
                " homology dimensions."
            )
        numbers *= n
    return numbers


def check_betti_numbers(betti_numbers: object, n: int | None) -> tuple[int, ...]:
    """Integers of at least 0, exactly one a homology dimension."""
    numbers = check_counts("betti_numbers", betti_numbers, None)
    if n is not None and len(numbers) != n:
        raise InputError(
            f"`betti_numbers` is {betti_numbers!r}; expected {n} of them, one for each of the"
            " diagrams' homology dimensions."
        )
    return numbers


def check_cap(cap: object) -> float | None:
    """None or a finite number."""
    if cap is None:
        return None
    if not isinstance(cap, Real) or isinstance(cap, bool) or not math.isfinite(cap):
        raise InputError(f"`cap` is {cap!r}; expected None or a finite number.")
    return float(cap)


def _lifetimes(diagrams: Diagrams) -> tuple[Tensor, Tensor]:
    """Lifetimes, in float32 for half precision, and the blocks they belong to."""
    if diagrams.points.dtype in (torch.float16, torch.bfloat16):
        diagrams = diagrams.to(torch.float32)
    return diagrams.lifetime, block_of(diagrams, diagrams.sample, diagrams.dimension)


def _ranked(diagrams: Diagrams) -> tuple[Tensor, Tensor, Tensor]:
    """Lifetimes, blocks, and the rank of each lifetime in its block, 0 the longest.

    An infinite lifetime has the rank -1.
    """
    life, block = _lifetimes(diagrams)
    values = life.detach()
    finite = torch.isfinite(values)
    order = values.where(finite, -math.inf).argsort(descending=True, stable=True)
    order = order[block[order].argsort(stable=True)]
    count = torch.bincount(block, minlength=int(block.max()) + 1 if len(block) else 0)
    start = count.cumsum(0) - count
    rank = torch.empty_like(block)
    rank[order] = torch.arange(len(block), device=block.device) - start[block[order]]
    return life, block, rank.where(finite, -1)


def _power(life: Tensor, p: float) -> Tensor:
    """life ** p, p >= 1, bits and gradient of an entry depending on it alone.

    torch.pow by a p other than 1, 2, 3 rounds differently at the end of an array.
    """
    if p in (1.0, 2.0, 3.0):
        return life ** int(p)
    positive = life > 0
    return (p * life.where(positive, 1.0).log()).exp().where(positive, 0.0)


def _of_blocks(numbers: tuple[int, ...], block: Tensor) -> Tensor:
    """For each block's homology dimension its number."""
    return torch.tensor(numbers, device=block.device)[block % len(numbers)]
