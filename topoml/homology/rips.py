"""Persistence of Vietoris–Rips filtrations of point clouds and distance matrices."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._core.errors import InputError
from ..kernels.batch import Chunk, PackedPairs, pair_batch
from ..kernels.distances import edge_gradient
from ..kernels.mst import forest_pairs
from ._checks import check_dimensions, check_field
from ._clouds import (
    NONE,
    Arrays,
    arrays_of,
    check_box,
    check_clouds,
    check_length,
    edge_gradients,
)
from ._gather import Packed, diagrams_of, host_array, operator, packed_tensors
from ._rips_engines import pair_clouds, patiently
from .diagrams import Diagrams

__all__ = ["farthest_points", "rips_gradients", "rips_pairs", "rips_persistence"]

Array = NDArray[Any]
QUICK = 2**14  # n^2 for H1, n^4 for H2: some 30 ms of work, not worth a thread of its own


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

    Everything combinatorial runs on the CPU, samples on ``torch.get_num_threads()`` threads. H0 is
    a minimum spanning tree: O(n² d) time and O(n d) memory. H1 and H2 take all edges up to the
    radius of the smallest enclosing ball about a point (or ``max_edge_length``), by the Ripser in
    gudhi: 120 bytes an edge, and what the reduction needs, which depends on the shape (H2 of 400
    points: 10 MB in a ball, 1 GB on a sphere; from some 370 points on it runs in a process of its
    own, which is not let beyond the memory that is free). Ctrl-C is heard at once; gudhi in this
    process cannot be stopped, and goes on in the background until the process ends. Distances are
    computed in float64; those of float32 and half precision are rounded to float32 and ranked
    there.

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
            the ranges above; H1 or H2 of more edges than fit into memory, with an estimate, or an
            H2 whose reduction does not fit, with a cut-off that does. (That the reduction of H1
            fits is not checked.)

    Source: Bauer, J. Appl. Comput. Topol. 5, 391 (2021), arXiv:1908.02518 (Ripser); weights: Anai
        et al., arXiv:1811.04757, p = 1, doubled as in gudhi's WeightedRipsComplex; ranks as
        distances, which name edges at ties: ours.

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
    given, heavy, sizes, box, shape = check_clouds(
        points, distances, weights, check_box(periodic_box)
    )
    packed = rips_pairs(given, heavy, sizes, box, dimensions, limit)
    return diagrams_of(packed, shape, dimensions)


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


@operator
def rips_pairs(
    given: Tensor,
    weights: Tensor | None,
    sizes: Sequence[int],
    box: Sequence[float],
    homology_dimensions: Sequence[int],
    max_edge_length: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """``rips_persistence`` of clouds one after the other, as an operator; see ``Clouds``.

    ``given``: points (sum n, d) or distances (sum n^2,); ``sizes``: n of each, or one for all.
    """
    packed = _pair(
        arrays_of(given, weights, sizes, box), tuple(homology_dimensions), max_edge_length
    )
    found = packed_tensors(packed, given)
    if given.dtype.itemsize == 2:  # rounding may have made values equal
        kept = found[0][:, 0] < found[0][:, 1]
        points, birth, death, dimension, sample = (column[kept] for column in found[:5])
        found = points, birth, death, dimension, sample, *found[5:]
    return found


def _fake(given: Tensor, *_: Any) -> tuple[Tensor, ...]:  # noqa: ANN401
    context = torch.library.get_ctx()
    n, m = context.new_dynamic_size(), context.new_dynamic_size()
    pair = [given.new_empty(n, dtype=torch.int64) for _ in range(4)]
    single = [given.new_empty(m, dtype=torch.int64) for _ in range(3)]
    return given.new_empty(n, 2), *pair, given.new_empty(m), *single


def _setup(ctx: Any, inputs: Any, output: Packed) -> None:  # noqa: ANN401
    given, weights, ctx.sizes, ctx.box, dimensions, _ = inputs
    _, birth, death, _, sample, _, entry, _, essential_sample = output
    ctx.births = weights is not None or any(dimensions)  # else all of them are 0
    ctx.save_for_backward(given, weights, birth, death, sample, entry, essential_sample)


def _backward(ctx: Any, grad_points: Tensor, *grads: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
    given, weights, birth, death, sample, entry, essential_sample = ctx.saved_tensors
    parts = [(sample, death, grad_points[:, 1])]
    if ctx.births:
        parts += [(sample, birth, grad_points[:, 0]), (essential_sample, entry, grads[4])]
    numbers, indices, values = (list(part) for part in zip(*parts, strict=True))
    # On another device, and for a gradient that has one itself, by torch's own operations.
    composed = torch.is_grad_enabled() or given.device.type != "cpu"
    gradients = edge_gradients if composed else rips_gradients
    on_given, on_weights = gradients(given, weights, ctx.sizes, ctx.box, numbers, indices, values)
    return on_given, None if weights is None else on_weights, None, None, None, None


@operator
def rips_gradients(
    given: Tensor,
    weights: Tensor | None,
    sizes: Sequence[int],
    box: Sequence[float],
    samples: list[Tensor],
    indices: list[Tensor],
    grads: list[Tensor],
) -> tuple[Tensor, Tensor]:
    """``edge_gradients`` by a kernel on the CPU, as an operator without a gradient of its own."""
    x, w = host_array(given), NONE if weights is None else host_array(weights)
    points, matrices = (x[:0, None], x) if x.ndim == 1 else (x, x[:0, 0])
    on_x, on_w = np.zeros(x.size, x.dtype), np.zeros_like(w)
    lengths, size = np.array(box, np.float64), np.array(sizes)
    for part in zip(samples, indices, grads, strict=True):
        sample, index, grad = (host_array(column) for column in part)
        edge_gradient(points, matrices, w, lengths, size, sample, index, grad, on_x, on_w)
    on_given = torch.from_numpy(on_x).view(given.shape)
    return on_given.to(given.dtype), torch.from_numpy(on_w).to(given.dtype)


def _fake_gradients(
    given: Tensor,
    weights: Tensor | None,
    *_: Any,  # noqa: ANN401
) -> tuple[Tensor, Tensor]:
    on_weights = given.new_empty(0) if weights is None else torch.empty_like(weights)
    return torch.empty_like(given, memory_format=torch.contiguous_format), on_weights


torch.library.register_fake(rips_gradients, _fake_gradients)
torch.library.register_fake(rips_pairs, _fake)
torch.library.register_autograd(rips_pairs, _backward, setup_context=_setup)


def _pair(arrays: Arrays, dimensions: tuple[int, ...], limit: float) -> PackedPairs:
    """Pairs of every cloud, in float64."""
    if arrays.single:
        limit = float(np.float32(limit))
    n_samples, sites, top = len(arrays.size), int(arrays.size.max()) ** 2, max(dimensions)

    def forest(begin: int, end: int, stop: Array) -> Chunk:
        return Chunk(*forest_pairs(*arrays, limit, begin, end, stop))

    def flag(begin: int, end: int, stop: Array) -> Chunk:
        clouds = [arrays.cloud(s) for s in range(begin, end)]
        work = partial(pair_clouds, clouds, top, limit, stop)
        pairs = work() if sites**top <= QUICK else patiently(work, stop)
        rows = []
        count = np.zeros((end - begin, 2, 3), np.int64)
        for number, found in enumerate(pairs):
            for d in sorted(dimensions):
                s = begin + number
                row = found[d] if d else forest(s, s + 1, stop)[:4]
                count[number, :, d] = len(row[0]), len(row[2])
                rows.append(row)
        pair, points, entry, births = (np.concatenate(part) for part in zip(*rows, strict=True))
        return Chunk(pair, points, entry, births, count)

    kernel = forest if dimensions == (0,) else flag
    packed = pair_batch(kernel, n_samples, sites, torch.get_num_threads())
    assert packed is not None
    return packed
