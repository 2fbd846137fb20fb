"""All pairs of two batches."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._core.errors import InputError
from ..homology import Diagrams
from ._pairs import all_pairs
from .wasserstein import wasserstein

__all__ = ["pairwise"]

_TOGETHER = 4096  # pairs of which the matchings are kept in memory at once


def pairwise(
    a: Diagrams,
    b: Diagrams,
    *,
    distance: Callable[..., Tensor] = wasserstein,
    **options: Any,  # noqa: ANN401 - those of the distance
) -> Tensor:
    """Distances or kernel values of all samples of one batch to all of another.

    On ``torch.get_num_threads()`` threads over the pairs. With ``b is a`` each pair is computed
    once, as all functions of this package are symmetric. A Gram matrix for scikit-learn's
    ``kernel="precomputed"``, or the matrix of ``metric="precomputed"``, is its ``.numpy()``.
    Differentiable as the function is.

    Args:
        a: Diagrams of batch shape (n,).
        b: Diagrams of batch shape (m,).
        distance: A function of ``topoml.distances``, or a callable that passes its first two
            arguments to one.
        **options: Its keyword arguments.

    Returns:
        (n, m); entry (i, j) is ``distance(a[i], b[j], **options)``, bit for bit (with ``b is a``
        and i > j: that of (j, i)).

    Raises:
        InputError: Batches that have not one axis; what the function raises.

    Example:
        >>> import torch
        >>> from topoml.distances import bottleneck
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 3.0, 1.0], [0.0, 4.0, 1.0], [0.5, 0.0, 0.0]])[:, None]
        >>> d = cubical_persistence(x, homology_dimensions=(0,))
        >>> pairwise(d[:2], d, distance=bottleneck)
        tensor([[0.0000, 1.0000, 1.0000],
                [1.0000, 0.0000, 1.5000]])
    """
    for name, d in (("a", a), ("b", b)):
        if isinstance(d, Diagrams) and len(d.batch_shape) != 1:
            raise InputError(
                f"`{name}` has batch_shape {tuple(d.batch_shape)}; expected one axis, (n,)."
            )
    pairs = all_pairs(a, b)
    parts = [
        distance(part, part, **options)
        for part in (
            pairs.part(k, k + _TOGETHER) for k in range(0, max(len(pairs.of_a), 1), _TOGETHER)
        )
    ]
    values = torch.cat(parts)
    if b is a:
        n = len(a)
        number = np.empty((n, n), np.int64)
        number[pairs.of_a, pairs.of_b] = number[pairs.of_b, pairs.of_a] = np.arange(len(values))
        values = values[torch.from_numpy(number.reshape(-1)).to(values.device)]
    return values.reshape(len(a), len(b))
