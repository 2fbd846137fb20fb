"""Persistence of Vietoris–Rips filtrations of point clouds and distance matrices."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._core.errors import InputError
from ..kernels.batch import PackedPairs, pair_batch
from ..kernels.mst import forest_pairs
from ._checks import check_dimensions, check_field
from ._clouds import Clouds, check_box, check_clouds, check_length
from ._rips_engines import Cloud, pair_clouds
from .diagrams import Diagrams

__all__ = ["farthest_points", "rips_persistence"]

Array = NDArray[Any]


def rips_persistence(
    points: Tensor | Sequence[Tensor] | None = None,
    *,
    distances: Tensor | Sequence[Tensor] | None = None,
    homology_dimensions: Sequence[int],
    max_edge_length: float = math.inf,
    weights: Tensor | Sequence[Tensor] | None = None,
    periodic_box: float | Sequence[float] | None = None,
) -> Diagrams:
    r"""Persistent homology of the Vietoris–Rips filtration: a simplex enters with its longest edge.

    .. math:: f(i) = 2 w_i, \qquad f(ij) = \max(2 w_i,\, 2 w_j,\, d_{ij} + w_i + w_j)

    over Z/2; without weights w = 0: vertices enter at 0 and an edge at its length, the diameter
    (the alpha complex counts radii). Invariant under isometries. Exact; ties go by
    (value, i n + j); equal values make no class. Sample i depends on sample i alone, bit for bit.

    Births and deaths are values of edges, and differentiable functions of the points, of the
    distances (the gradient goes to the entry (i, j), i < j) and of the weights. Subgradient 0 at
    coincident points and, an axis, at half a box; where d + w_i + w_j equals the larger 2 w, that
    of d + w_i + w_j.

    Everything combinatorial runs on the CPU. H0 is a minimum spanning tree: O(n² d) time and O(n d)
    memory, samples on ``torch.get_num_threads()`` threads. H1 and H2 take all edges up to the
    radius of the smallest enclosing ball about a point (or ``max_edge_length``), by giotto-ph if
    the extra ``giotto`` is installed, else by gudhi, with equal results. Distances are computed in
    float64; those of float32 and half precision are rounded to float32 and ranked there.

    Args:
        points: Clouds (*batch, n, d), or a list of (n_i, d), any floating dtype, finite.
        distances: Instead of points, symmetric matrices (*batch, n, n), or a list of (n_i, n_i),
            entries >= 0 with a diagonal of 0; +inf for an edge that never enters. The upper
            triangle counts, the lower one may differ by rounding.
        homology_dimensions: Distinct integers among 0, 1, 2.
        max_edge_length: Simplices beyond this value are left out; what lives then is essential.
        weights: (*batch, n) or a list of (n_i,), dtype and device of the points: the w above. A
            vertex with 2 w beyond ``max_edge_length`` does not exist.
        periodic_box: Length of the flat torus that the points live on, or one a dimension. The
            complex is guaranteed to carry the loops of the torus only below min(box) / 3.

    Returns:
        Diagrams; indices count the entries i n + j, i < j, of the n x n matrix. H0 births are 0
        with index -1, with weights 2 w_i with index i n + i.

    Raises:
        InputError: Not exactly one of ``points`` and ``distances``; NaN; another argument out of
            the ranges above; H1 or H2 of more edges than fit into memory, with an estimate.

    Source: Bauer, J. Appl. Comput. Topol. 5, 391 (2021), arXiv:1908.02518 (Ripser); Pérez et al.,
        arXiv:2107.05412 (giotto-ph); weights: Anai et al., arXiv:1811.04757, p = 1, doubled as in
        gudhi's WeightedRipsComplex; ranks as distances, so that engines agree at ties: ours.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0, 0.0], [0.0, 3.0], [4.0, 3.0], [4.0, 0.0]])
        >>> d = rips_persistence(x, homology_dimensions=(0, 1))
        >>> d
        Diagrams(batch_shape=(), H0: 3 finite + 1 essential, H1: 1 finite + 0 essential)
        >>> d.points
        tensor([[0., 3.],
                [0., 3.],
                [0., 4.],
                [4., 5.]])
        >>> d.death_index
        tensor([ 1, 11,  3,  2])
    """
    dimensions = check_dimensions(homology_dimensions, 2)
    limit = check_length(max_edge_length)
    clouds = check_clouds(points, distances, weights, check_box(periodic_box))
    return _diagrams(clouds, _pair(clouds, dimensions, limit), dimensions)


def farthest_points(points: Tensor, n: int, *, generator: torch.Generator | None = None) -> Tensor:
    r"""Indices of a farthest-point sample: each next point is the farthest from those chosen.

    .. math:: i_{k+1} = \mathrm{argmax}_i \min_{l \le k} \|x_i - x_{i_l}\|

    The n points cover the cloud within twice the best possible radius, so that their Rips
    persistence is within four times that of the cloud's. Ties go to the lower index; no gradient.
    O(n N d) time on the device of ``points``.

    Args:
        points: Cloud (*batch, N, d), any floating dtype.
        n: Number of points to choose, 1 to N.
        generator: Draws the first point, one a sample; without one it is point 0.

    Returns:
        Indices (*batch, n) int64, all different, in the order of choice.

    Raises:
        InputError: ``points`` not a float tensor (*batch, N, d), or NaN; ``n`` out of range.

    Source: Gonzalez, Theor. Comput. Sci. 38, 293 (1985).

    Example:
        >>> import torch
        >>> farthest_points(torch.tensor([[0.0], [1.0], [5.0], [6.0]]), 3)
        tensor([0, 3, 1])
    """
    x = check_field("points", points, "(*batch, N, d)", 2).detach()
    if type(n) is not int or not 1 <= n <= x.shape[-2]:
        raise InputError(f"`n` is {n!r}; expected an integer from 1 to {x.shape[-2]}, all points.")
    if bool(x.isnan().any()):
        raise InputError("`points` has a NaN; expected numbers.")
    batch_shape, x = x.shape[:-2], x.flatten(0, -3) if x.ndim > 2 else x[None]
    x = x if x.dtype == torch.float64 else x.float()
    sample = torch.arange(len(x), device=x.device)
    chosen = torch.zeros(len(x), n, dtype=torch.int64, device=x.device)
    if generator is not None:
        first = torch.randint(x.shape[1], (len(x),), generator=generator, device=generator.device)
        chosen[:, 0] = first.to(x.device)
    square = torch.full(x.shape[:2], math.inf, dtype=x.dtype, device=x.device)
    for k in range(n):
        if k:
            chosen[:, k] = square.argmax(1)
        here = x[sample, chosen[:, k]]
        square = torch.minimum(square, (x - here[:, None]).square().sum(-1))
        square[sample, chosen[:, k]] = -1.0
    return chosen.reshape(*batch_shape, n)


def _pair(clouds: Clouds, dimensions: tuple[int, ...], limit: float) -> PackedPairs:
    """Pairs of every cloud, in float64."""
    x, matrices, weight, box, single = clouds.arrays()
    if single:
        limit = float(np.float32(limit))
    size, point_start, matrix_start = clouds.size, clouds.point_start, clouds.matrix_start
    n_threads = torch.get_num_threads()

    def forest(begin: int, end: int) -> tuple[Array, ...]:
        return forest_pairs(
            x, matrices, weight, box, single, size, point_start, matrix_start, limit, begin, end
        )

    def cloud(s: int) -> Cloud:
        n, o, m = int(size[s]), point_start[s], matrix_start[s]
        matrix = matrices[m : m + n * n].reshape(n, n) if len(matrices) else matrices.reshape(0, 0)
        return np.ascontiguousarray(x[o : o + n].T), matrix, weight[o : o + n], box, single, n

    def flag(begin: int, end: int) -> tuple[Array, ...]:
        pairs = pair_clouds(
            [cloud(s) for s in range(begin, end)], max(dimensions), limit, n_threads
        )
        rows = []
        count = np.zeros((end - begin, 2, 3), np.int64)
        for number, found in enumerate(pairs):
            for d in sorted(dimensions):
                s = begin + number
                row = found[d] if d else forest(s, s + 1)[:4]
                count[number, :, d] = len(row[0]), len(row[2])
                rows.append(row)
        return *(np.concatenate(part) for part in zip(*rows, strict=True)), count

    kernel: Any = forest if dimensions == (0,) else flag
    packed = pair_batch(kernel, len(size), int(size.max()) ** 2, n_threads)
    assert packed is not None
    return packed


class _Known(torch.autograd.Function):
    """Values known already, with the gradient of the expression that gives them."""

    @staticmethod
    def forward(ctx: Any, expression: Tensor, values: Tensor) -> Tensor:  # noqa: ANN401
        return values

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return grad, None


def _differentiable(values: Tensor, clouds: Clouds, sample: Tensor, index: Tensor) -> Tensor:
    row = (index >= 0).nonzero().squeeze(1)
    found = clouds.values(sample[row], index[row])
    expression = torch.zeros_like(values).index_copy(0, row, found)
    return _Known.apply(expression, values)  # type: ignore[no-untyped-call,no-any-return]


def _diagrams(clouds: Clouds, packed: PackedPairs, dimensions: tuple[int, ...]) -> Diagrams:
    given = clouds.given
    tensors = [torch.from_numpy(array).to(given.device) for array in packed]
    points, essential = tensors[0].to(given.dtype), tensors[5].to(given.dtype)
    birth, death, dimension, sample = tensors[1:5]
    entry, essential_dimension, essential_sample = tensors[6:]
    if given.dtype.itemsize == 2:  # rounding may have made values equal
        kept = points[:, 0] < points[:, 1]
        points, birth, death = points[kept], birth[kept], death[kept]
        dimension, sample = dimension[kept], sample[kept]
    if clouds.requires_grad and torch.is_grad_enabled():
        columns = [
            _differentiable(points[:, k], clouds, sample, index)
            for k, index in enumerate((birth, death))
        ]
        points = torch.stack(columns, 1)
        essential = _differentiable(essential, clouds, essential_sample, entry)
    return Diagrams(
        points=points,
        dimension=dimension,
        sample=sample,
        birth_index=birth,
        death_index=death,
        essential=essential,
        essential_dimension=essential_dimension,
        essential_sample=essential_sample,
        essential_index=entry,
        batch_shape=clouds.batch_shape,
        homology_dimensions=dimensions,
    )
