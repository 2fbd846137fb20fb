"""Kernels of Gaussians around the classes, and the heat distance."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._core.errors import InputError
from ..homology import Diagrams
from ..kernels.densities import pair_sums, pair_sums_gradient
from ._checks import Weight, check_bandwidth, check_weight
from ._elementwise import power
from ._pairs import Pairs, Side, on_threads, pairs_of, ranges

__all__ = [
    "heat",
    "persistence_scale_space_kernel",
    "persistence_weighted_gaussian_kernel",
]

Floats = NDArray[np.float64]


def persistence_scale_space_kernel(a: Diagrams, b: Diagrams, *, bandwidth: float = 1.0) -> Tensor:
    r"""Persistence scale-space kernel: heat that flows from the classes, cold at the diagonal.

    .. math:: K(a, b) = \frac{1}{\sqrt{2 \pi} \sigma} \sum_k \sum_{p \in a_k, q \in b_k}
              e^{-\|p - q\|^2 / 2 \sigma^2} - e^{-\|p - \bar q\|^2 / 2 \sigma^2}

    with :math:`\bar q` the class q reflected at the diagonal: positive definite, and **summed over
    the homology dimensions k**. Essential classes are left out (give them a death with
    ``Diagrams.capped``), and so are classes of an infinite birth. Reininghaus's kernel at scale s
    is this one at :math:`\sigma = 2 \sqrt{s}`, divided by :math:`\sqrt{2 \pi} \sigma`.

    In float64 on the CPU (points on another device pass through it), on
    ``torch.get_num_threads()`` threads; O(n m) time for a pair. Entry i depends on the diagrams i
    alone, bit for bit. Differentiable once in births and deaths of both, with finite gradients.

    Args:
        a: Diagrams of any batch shape.
        b: Diagrams of the same homology dimensions and direction; batch shapes broadcast.
        bandwidth: Standard deviation :math:`\sigma`, in the filtration's unit, > 0.

    Returns:
        (*batch,), of the dtype and device of the points. For a Gram matrix: ``pairwise``.

    Raises:
        InputError: Diagrams that cannot be compared; NaNs; a ``bandwidth`` that is not above 0.

    Source: Reininghaus et al., CVPR 2015, arXiv:1412.6821; equal to
        ``gudhi.representations.PersistenceScaleSpaceKernel``.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> d = cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,))
        >>> persistence_scale_space_kernel(d, d)  # (1 - exp(-4)) / sqrt(2 pi)
        tensor(0.3916)
    """
    width = check_bandwidth("bandwidth", bandwidth)
    pairs = pairs_of(a, b)
    sums = _sums(pairs, 0.5 / width**2, mirrored=True)
    return pairs.result(sums / (math.sqrt(2 * math.pi) * width))


def persistence_weighted_gaussian_kernel(
    a: Diagrams, b: Diagrams, *, bandwidth: float = 1.0, weight: Weight | None = None
) -> Tensor:
    r"""Persistence weighted Gaussian kernel (the linear one on the weighted measures).

    .. math:: K(a, b) = \frac{1}{\sqrt{2 \pi} \sigma} \sum_k \sum_{p \in a_k, q \in b_k}
              w(p) \, w(q) \, e^{-\|p - q\|^2 / 2 \sigma^2}

    positive definite, and **summed over the homology dimensions k**. Essential classes are left out
    (give them a death with ``Diagrams.capped``), and so are classes of an infinite birth.

    In float64 on the CPU (points on another device pass through it), on
    ``torch.get_num_threads()`` threads; O(n m) time for a pair. Entry i depends on the diagrams i
    alone, bit for bit, if the weights do. Differentiable once in births, deaths and weights, with
    finite gradients.

    Args:
        a: Diagrams of any batch shape.
        b: Diagrams of the same homology dimensions and direction; batch shapes broadcast.
        bandwidth: Standard deviation :math:`\sigma`, in the filtration's unit, > 0.
        weight: A callable (birth, lifetime) -> weights, float64 tensors (n,), class by class: it is
            called once for the classes of all diagrams of a, and once for b. None is the lifetime,
            where gudhi's is 1.

    Returns:
        (*batch,), of the dtype and device of the points. For a Gram matrix: ``pairwise``.

    Raises:
        InputError: Diagrams that cannot be compared; NaNs; an argument out of the ranges above; a
            ``weight`` whose result is no float64 tensor of the shape of its arguments.

    Source: Kusano et al., ICML 2016, arXiv:1601.01741, whose weight is
        ``lambda birth, lifetime: torch.atan(c * lifetime**p)``; equal to
        ``gudhi.representations.PersistenceWeightedGaussianKernel`` of the same weight.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> d = cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,))
        >>> persistence_weighted_gaussian_kernel(d, d)  # 2 * 2 / sqrt(2 pi)
        tensor(1.5958)
    """
    width, weight = check_bandwidth("bandwidth", bandwidth), check_weight(weight)
    pairs = pairs_of(a, b)
    first = _weights(pairs.a, weight)
    second = first if pairs.b is pairs.a else _weights(pairs.b, weight)
    sums = _sums(pairs, 0.5 / width**2, weights=(first, second))
    return pairs.result(sums / (math.sqrt(2 * math.pi) * width))


def heat(a: Diagrams, b: Diagrams, *, sigma: float = 0.4) -> Tensor:
    r"""Heat distance: the distance of two diagrams in the space of the scale-space kernel.

    .. math:: d(a, b) = \sqrt{k(a, a) + k(b, b) - 2 k(a, b)}, \qquad
              k(a, b) = \frac{1}{8 \pi \sigma} \sum_{p \in a, q \in b}
              e^{-\|p - q\|^2 / 8 \sigma} - e^{-\|p - \bar q\|^2 / 8 \sigma}

    with :math:`\bar q` the class q reflected at the diagonal: the L2 distance of the temperatures
    at time :math:`\sigma` of heat that starts as a point source at each class, with the diagonal
    kept at 0. **The squares are summed over the homology dimensions.** Essential classes are left
    out (give them a death with ``Diagrams.capped``), and so are classes of an infinite birth.

    In float64 on the CPU (points on another device pass through it), on
    ``torch.get_num_threads()`` threads; O((n + m)^2) time for a pair. Differences of less than
    about 1e-8 of the norms are rounding, and so is their direction: a square below 0 counts as 0.
    Entry i depends on the diagrams i alone, bit for bit. Differentiable once, with finite
    gradients: 0 where the distance is 0.

    Args:
        a: Diagrams of any batch shape.
        b: Diagrams of the same homology dimensions and direction; batch shapes broadcast.
        sigma: Time :math:`\sigma` of the flow, in the square of the filtration's unit, > 0.

    Returns:
        (*batch,), of the dtype and device of the points.

    Raises:
        InputError: Diagrams that cannot be compared; NaNs; a ``sigma`` that is not above 0.

    Source: Reininghaus et al., CVPR 2015, arXiv:1412.6821; equal to ``persim.heat``.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 3.0, 1.0], [0.5, 0.0, 0.0]])[:, None]
        >>> d = cubical_persistence(x, homology_dimensions=(0,))
        >>> heat(d[0], d)  # one class and none: sqrt((1 - exp(-8 / 3.2)) / (3.2 pi))
        tensor([0.0000, 0.3022])
    """
    sigma = check_bandwidth("sigma", sigma)
    pairs = pairs_of(a, b)
    first = _norms(pairs.a, sigma).index_select(0, torch.from_numpy(pairs.of_a.copy()))
    second = _norms(pairs.b, sigma).index_select(0, torch.from_numpy(pairs.of_b.copy()))
    cross = _sums(pairs, 0.125 / sigma, mirrored=True)
    square = (first + second - 2 * cross).clamp(min=0.0)
    return pairs.result(power(square / (8 * math.pi * sigma), 0.5))


def _norms(side: Side, sigma: float) -> Tensor:
    """k(a, a) of each sample, times 8 pi sigma."""
    every = np.arange(side.diagrams.n_samples)
    pairs = Pairs(side, side, every, every, torch.Size((len(every),)))
    return _sums(pairs, 0.125 / sigma, mirrored=True)


def _weights(side: Side, weight: Weight | None) -> Tensor:
    """Weights of ``side.points``, (F,)."""
    row = torch.from_numpy(side.row)
    birth, death = (side.values.index_select(0, 2 * row + k) for k in (0, 1))
    lifetime = birth - death if side.diagrams.superlevel else death - birth
    if weight is None:
        return lifetime
    found = weight(birth, lifetime)
    shape = birth.shape
    if not isinstance(found, Tensor) or found.shape != shape or found.dtype != torch.float64:
        got = type(found).__name__
        if isinstance(found, Tensor):
            got = f"{found.dtype} of shape {tuple(found.shape)}"
        raise InputError(
            f"`weight` returned {got}; expected torch.float64 of shape {tuple(shape)}, one weight a"
            " class. Cure: torch.full_like(lifetime, value) for a constant."
        )
    return found


def _sums(
    pairs: Pairs,
    scale: float,
    *,
    weights: tuple[Tensor, Tensor] | None = None,
    mirrored: bool = False,
) -> Tensor:
    """Sums (Q,) over the classes of both and the dimensions; without weights, these are 1."""
    if weights is None:
        weights = tuple(  # type: ignore[assignment]
            torch.ones(len(side.points), dtype=torch.float64) for side in (pairs.a, pairs.b)
        )
    assert weights is not None
    result: Tensor = _PairSums.apply(  # type: ignore[no-untyped-call]
        pairs.a.values, pairs.b.values, *weights, pairs, scale, mirrored
    )
    return result


class _PairSums(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        values: Tensor,
        values_b: Tensor,
        weight: Tensor,
        weight_b: Tensor,
        pairs: Pairs,
        scale: float,
        mirrored: bool,
    ) -> Tensor:
        ctx.save_for_backward(values, values_b, weight, weight_b)
        ctx.arguments = pairs, scale, mirrored
        blocks = pairs.blocks()
        w, v = (x.detach().contiguous().cpu().numpy() for x in (weight, weight_b))
        out = np.empty(len(blocks))
        on_threads(
            lambda part: pair_sums(
                pairs.a.points, w, pairs.b.points, v, blocks[part], scale, mirrored, out[part]
            ),
            (1 + mirrored) * (blocks[:, 1] - blocks[:, 0]) * (blocks[:, 3] - blocks[:, 2]),
        )
        total = np.zeros(len(pairs.of_a))
        for of_dimension in out.reshape(-1, pairs.n_dimensions).T:
            total += of_dimension
        return torch.from_numpy(total)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
        values, values_b, weight, weight_b = ctx.saved_tensors
        pairs, scale, mirrored = ctx.arguments
        blocks = pairs.blocks()
        w, v = (x.contiguous().cpu().numpy() for x in (weight, weight_b))
        of_block = np.repeat(grad.numpy(), pairs.n_dimensions)
        n, m = blocks[:, 1] - blocks[:, 0], blocks[:, 3] - blocks[:, 2]
        out_a, out_b = np.empty((n.sum(), 3)), np.empty((m.sum(), 3))
        on_threads(
            lambda part: pair_sums_gradient(
                pairs.a.points, w, pairs.b.points, v, blocks[part], scale, mirrored,
                of_block[part], out_a, out_b,
            ),
            2 * (1 + mirrored) * n * m,
        )  # fmt: skip
        by_a, by_weight = scattered(pairs.a, out_a, ranges(blocks[:, 0], n), len(values))
        by_b, by_weight_b = scattered(pairs.b, out_b, ranges(blocks[:, 2], m), len(values_b))
        return by_a, by_b, by_weight, by_weight_b, None, None, None


def scattered(
    side: Side, out: Floats, row: NDArray[np.int64], n_values: int
) -> tuple[Tensor, Tensor]:
    """Gradients (n, 3) or (n, 2) at rows of ``side.points`` as those of its values and weights."""
    at = torch.from_numpy(row)
    columns = [
        torch.zeros(len(side.points), dtype=torch.float64).index_add(0, at, torch.from_numpy(x))
        for x in np.ascontiguousarray(out.T)
    ]
    by_value = torch.zeros(n_values, dtype=torch.float64)
    entry = 2 * torch.from_numpy(side.row)
    by_value[entry], by_value[entry + 1] = columns[0], columns[1]
    return by_value, columns[-1]
