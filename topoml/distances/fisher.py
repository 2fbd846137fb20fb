"""Persistence Fisher distance and kernel."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..homology import Diagrams
from ..kernels.densities import fisher_distance, fisher_gradient
from ._checks import check_bandwidth
from ._elementwise import decay
from ._pairs import Pairs, on_threads, pairs_of, ranges
from .kernels import scattered

__all__ = ["persistence_fisher", "persistence_fisher_kernel"]


def persistence_fisher(a: Diagrams, b: Diagrams, *, bandwidth: float = 1.0) -> Tensor:
    r"""Persistence Fisher distance: the angle between the roots of two smoothed diagrams.

    .. math:: d(a, b) = \sum_k \arccos \sum_{z} \sqrt{f_k(z) \, g_k(z)}, \qquad
              f_k(z) \propto \sum_{u} e^{-\|z - u\|^2 / 2 \sigma^2}

    where u runs over the classes of a and the points of the diagonal nearest to those of b, for g
    the other way round, and z over all of these; f and g sum to 1. **Summed over the homology
    dimensions k.** As the points z depend on the pair, the triangle inequality and the positive
    definiteness of its kernel hold nearly, not exactly. Essential classes are left out (give them a
    death with ``Diagrams.capped``), and so are classes of an infinite birth; without any class on
    either side the distance is 0.

    In float64 on the CPU (points on another device pass through it), on
    ``torch.get_num_threads()`` threads; O((n + m)^2) time for a pair. Entry i depends on the
    diagrams i alone, bit for bit. Differentiable once in births and deaths of both, with finite
    gradients: 0 where the distance is 0.

    Args:
        a: Diagrams of any batch shape.
        b: Diagrams of the same homology dimensions and direction; batch shapes broadcast.
        bandwidth: Standard deviation :math:`\sigma`, in the filtration's unit, > 0.

    Returns:
        (*batch,), radians, at most pi / 2 a dimension, of the dtype and device of the points.

    Raises:
        InputError: Diagrams that cannot be compared; NaNs; a ``bandwidth`` that is not above 0.

    Source: Le and Yamada, NeurIPS 2018, arXiv:1802.03569; for one dimension equal to
        ``gudhi.representations.PersistenceFisherDistance``.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 3.0, 1.0], [0.5, 0.0, 0.0]])[:, None]
        >>> d = cubical_persistence(x, homology_dimensions=(0,))
        >>> persistence_fisher(d[0], d)  # one class against none: arccos(2 sqrt(r) / (1 + r))
        tensor([0.0000, 0.4804])
    """
    width = check_bandwidth("bandwidth", bandwidth)
    pairs = pairs_of(a, b)
    return pairs.result(_distance(pairs, width))


def persistence_fisher_kernel(
    a: Diagrams, b: Diagrams, *, bandwidth_fisher: float = 1.0, bandwidth: float = 1.0
) -> Tensor:
    r"""Kernel :math:`\exp(-d(a, b) / \tau)` of ``persistence_fisher``.

    A Gram matrix of it may have slightly negative eigenvalues, see there.

    Args:
        a: Diagrams of any batch shape.
        b: Diagrams of the same homology dimensions and direction; batch shapes broadcast.
        bandwidth_fisher: The ``bandwidth`` of ``persistence_fisher``.
        bandwidth: :math:`\tau`, in radians, > 0.

    Returns:
        (*batch,), in (0, 1], of the dtype and device of the points; differentiable once. For a Gram
        matrix: ``pairwise``.

    Raises:
        InputError: As ``persistence_fisher``; a ``bandwidth`` that is not above 0.

    Source: Le and Yamada, NeurIPS 2018, arXiv:1802.03569; for one dimension equal to
        ``gudhi.representations.PersistenceFisherKernel``.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> d = cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,))
        >>> persistence_fisher_kernel(d, d)
        tensor(1.)
    """
    width = check_bandwidth("bandwidth_fisher", bandwidth_fisher)
    bandwidth = check_bandwidth("bandwidth", bandwidth)
    pairs = pairs_of(a, b)
    return pairs.result(decay(_distance(pairs, width) / bandwidth))


def _distance(pairs: Pairs, bandwidth: float) -> Tensor:
    distance: Tensor = _Fisher.apply(  # type: ignore[no-untyped-call]
        pairs.a.values, pairs.b.values, pairs, 0.5 / bandwidth**2
    )
    return distance


class _Fisher(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        values: Tensor,
        values_b: Tensor,
        pairs: Pairs,
        scale: float,
    ) -> Tensor:
        ctx.arguments = pairs, scale, len(values), len(values_b)
        blocks = pairs.blocks()
        out = np.empty(len(blocks))
        on_threads(
            lambda part: fisher_distance(
                pairs.a.points, pairs.b.points, blocks[part], scale, out[part]
            ),
            4 * (blocks[:, 1] - blocks[:, 0] + blocks[:, 3] - blocks[:, 2]) ** 2,
        )
        total = np.zeros(len(pairs.of_a))
        for of_dimension in out.reshape(-1, pairs.n_dimensions).T:
            total += of_dimension
        return torch.from_numpy(total)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
        pairs, scale, n_values, n_values_b = ctx.arguments
        blocks = pairs.blocks()
        of_block = np.repeat(grad.numpy(), pairs.n_dimensions)
        n, m = blocks[:, 1] - blocks[:, 0], blocks[:, 3] - blocks[:, 2]
        out_a, out_b = np.empty((n.sum(), 2)), np.empty((m.sum(), 2))
        on_threads(
            lambda part: fisher_gradient(
                pairs.a.points, pairs.b.points, blocks[part], scale, of_block[part], out_a, out_b
            ),
            12 * (n + m) ** 2,
        )
        by_a, _ = scattered(pairs.a, out_a, ranges(blocks[:, 0], n), n_values)
        by_b, _ = scattered(pairs.b, out_b, ranges(blocks[:, 2], m), n_values_b)
        return by_a, by_b, None, None
