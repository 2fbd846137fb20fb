"""Euler characteristic transforms of point clouds, complexes and fields on a lattice."""

import math
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from .._core.checks import check_count, check_positive
from .._core.errors import InputError
from ..homology._checks import check_field, check_superlevel
from ._cells import cell_sums, cells_of, lattice_grid, level_counts
from ._checks import curve_grid
from ._stars import product, sigmoid_sums, star_weights

__all__ = [
    "check_directions",
    "check_levels",
    "check_sharpness",
    "euler_field_transform",
    "euler_transform",
    "field_transform_on_grid",
    "transform_on_grid",
]


def euler_transform(
    points: Tensor,
    *,
    directions: Tensor,
    resolution: int,
    sample_range: tuple[float, float],
    edges: Tensor | None = None,
    faces: Tensor | None = None,
    tetrahedra: Tensor | None = None,
    batch: Tensor | None = None,
    sharpness: float | None = None,
) -> Tensor:
    r"""Euler characteristic of the part of a shape below each height, in several directions.

    .. math:: \mathrm{ECT}(v, t) = \sum_{\sigma \in K} (-1)^{\dim \sigma}\,
              \theta \big( t - \max_{x \in \sigma} \langle x, v \rangle \big)

    with the step :math:`\theta` = 1 from 0 on: vertices - edges + triangles - tetrahedra of the
    subcomplex whose vertices all have a height :math:`\langle x, v \rangle \le t`. K consists of
    the points and of the simplices listed **with their sides**: faces bring their edges along.
    A simplex is the set of its vertices: listed twice (as i->j and j->i, say) it counts once, and
    a self-loop is its vertex. Without simplices, the number of points below t. All directions
    together determine the shape.

    A rotation of the points and the directions alike changes nothing but the rounding of heights;
    a translation by a moves the curve of v by :math:`\langle a, v \rangle`.

    Exact integers for ``sharpness=None`` (float16 holds them up to 2048, bfloat16 up to 256), and
    **no gradient**, which is zero almost everywhere. With a sharpness s, the sigmoid
    :math:`1 / (1 + e^{-s (t - h)})` stands for the step: differentiable in points and directions,
    any number of times, with finite gradients (of the order of s); that of a simplex goes to its
    highest vertex, of equal ones the first. It tends to the exact curve for large s, where no
    height is a threshold.

    Computed in float64 on the CPU, on ``torch.get_num_threads()`` threads (points on another
    device pass through it), and rounded once. Sample i depends on sample i alone, bit for bit,
    and so does its gradient. Time O(n_directions * simplices), and O(n_directions * points *
    resolution) at most for sigmoids, memory O(n_directions * points).

    Args:
        points: Clouds of n points each (*batch, n, d), or the points of all samples (P, d), if
            ``batch`` is given. Any floating dtype, finite; n = 0 gives zeros.
        directions: (n_directions, d), any floating dtype, finite. Heights are in units of their
            length: see ``unit_directions``.
        resolution: Number of thresholds, at least 1.
        sample_range: First and last threshold; rounded to the dtype of the points.
        edges: ``edge_index`` of PyG, (2, E) int64, rows of the points in a sample, the same for
            all samples; with ``batch``, rows of ``points``.
        faces: Triangles, ``face`` of PyG, (3, F) int64, likewise.
        tetrahedra: (4, T) int64, likewise.
        batch: Number of the sample of each point, (P,) int64. A number that is left out is a
            sample without points.
        sharpness: s > 0, in the inverse unit of heights, or None for the exact curve. A sigmoid is
            about 4 / s wide: to be seen, no less than the distance of two thresholds.

    Returns:
        (*batch, n_directions * resolution), or (B, ...) with B = max(batch) + 1: one curve a
        direction, in their order. Dtype and device of ``points``.

    Raises:
        InputError: A tensor of another shape or dtype, NaN or infinite; a simplex of no point, or
            of two samples; another argument out of the ranges above.

    Source: Turner, Mukherjee, Boyer, Inf. Inference 3, 310 (2014), arXiv:1310.1030; sigmoids:
        Roell & Rieck, ICLR 2024, arXiv:2310.07630.

    Example:
        >>> import torch
        >>> from topoml.features import unit_directions
        >>> ring = torch.tensor([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]])
        >>> edges = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])
        >>> options = {"directions": unit_directions(4, 2)[:2], "resolution": 4}
        >>> options["sample_range"] = (-1, 2)
        >>> euler_transform(ring, edges=edges, **options)  # to the right, then upwards
        tensor([0., 1., 1., 0., 0., 1., 0., 0.])
        >>> euler_transform(ring, edges=edges, faces=edges.new_tensor([[0, 0], [1, 2], [2, 3]]),
        ...     **options)
        tensor([0., 1., 1., 1., 0., 1., 1., 1.])
    """
    grid, sharpness = curve_grid(resolution, sample_range), check_sharpness(sharpness)
    directions = check_directions(directions)
    return transform_on_grid(points, directions, grid, sharpness, edges, faces, tetrahedra, batch)


def transform_on_grid(
    points: Tensor,
    directions: Tensor,
    grid: Tensor,
    sharpness: float | None,
    edges: Tensor | None,
    faces: Tensor | None,
    tetrahedra: Tensor | None,
    batch: Tensor | None,
) -> Tensor:
    """``euler_transform`` at the thresholds of an ascending grid; checks tensors of the sample."""
    _check_points(points, directions, batch)
    for name, x, k in (("edges", edges, 2), ("faces", faces, 3), ("tetrahedra", tetrahedra, 4)):
        _check_simplices(name, x, k)
    shape: tuple[Any, ...]
    if batch is None:
        shape, n = points.shape[:-2], points.shape[-2]
        n_samples: Any = math.prod(shape)
        block, stars = torch.arange(n_samples).repeat_interleave(n), (n_samples, n)
    else:
        block, stars = batch.cpu(), (1, len(points))
        n_samples = _n_samples(block)
        shape = (n_samples,)
    x, v = (given.to("cpu", torch.float64) for given in (points.flatten(0, -2), directions))
    height = product(v, x.mT)
    if sharpness is None:
        height = height.detach()
    weight = torch.ones_like(height)
    if any(simplices is not None for simplices in (edges, faces, tetrahedra)):
        by_sample = height.detach().view(len(v), *stars)
        weight = star_weights(by_sample, edges, faces, tetrahedra, batch).view(weight.shape)
    thresholds = grid.to(points.dtype).to("cpu", torch.float64)
    s = math.inf if sharpness is None else sharpness
    curves: Tensor = sigmoid_sums(weight, height, block, n_samples, thresholds, s, 0)
    return curves.transpose(0, 1).reshape(*shape, len(v) * len(grid)).to(points)


def euler_field_transform(
    x: Tensor,
    *,
    directions: Tensor,
    resolution: int,
    sample_range: tuple[float, float] | None = None,
    levels: Sequence[float] | None = None,
    superlevel: bool = False,
) -> Tensor:
    r"""Euler characteristic of the part of a set on a lattice below each height, or weighted.

    With ``levels``, the Euler characteristic transform of the sets :math:`\{x \le \ell\}`, level
    by level; without, the weighted transform of the field itself:

    .. math:: \mathrm{ECT}_\ell(v, t) = \sum_{x(\sigma) \le \ell,\; h_v(\sigma) \le t}
              (-1)^{\dim \sigma}, \qquad
              \mathrm{WECT}(v, t) = \sum_{h_v(\sigma) \le t} (-1)^{\dim \sigma}\, x(\sigma)

    over the cells of the lattice, which has sites, edges, squares (and cubes), with the largest
    value :math:`x(\sigma)` and the largest height :math:`h_v(\sigma)` of their sites (the V
    construction). Positions are in lattice spacings from the middle of the lattice, one component
    an axis in their order: (1, 0) goes down the rows. ``superlevel`` takes the sets
    :math:`\{x \ge \ell\}`, and the smallest value instead: WECT is then the integral of ECT over
    the levels from 0 on, if no value is negative.

    **Boundaries are open**: on a torus a direction has no meaning. A quarter turn of the field and
    the directions alike changes nothing, and neither does a reflection.

    ECT is exact integers (float16 holds them up to 2048, bfloat16 up to 256) without a gradient.
    WECT is linear in the values of cells and differentiable in ``x``, any number of times: a cell's
    gradient goes to its largest site, of equal ones in parts.

    Sums in float64 on the CPU, on ``torch.get_num_threads()`` threads over samples (a field on
    another device passes through it), rounded once. A site is below a threshold also if it is
    above by 1e-12 of the largest height, so that rounding does not part sites of equal height.
    Sample i depends on sample i alone, bit for bit. Time O(sites * n_directions) a level, memory
    O(cells).

    Args:
        x: Field (*batch, *L), any floating dtype, with as many axes L as directions have
            components. Infinite values are allowed with ``levels`` (a masked site is +inf, or -inf
            for ``superlevel``).
        directions: (n_directions, d), any floating dtype, finite: see ``lattice_directions``.
            Heights are in units of their length.
        resolution: Number of thresholds, at least 1.
        sample_range: First and last threshold; None is from -r to r, the largest height of a site
            of this lattice in any of the directions.
        levels: Values at which to cut the field, at least one, in its unit; rounded to its dtype.
            None for the weighted transform.
        superlevel: Sets above the levels instead of below.

    Returns:
        (*batch, n_levels * n_directions * resolution), without levels (*batch, n_directions *
        resolution): one curve a level and direction, in their order. Dtype and device of ``x``.

    Raises:
        InputError: A tensor of another shape or dtype, NaN; infinite weights; another argument out
            of the ranges above.

    Source: Turner, Mukherjee, Boyer, Inf. Inference 3, 310 (2014), arXiv:1310.1030; weighted:
        Jiang, Kurtek, Needham, CVPR Workshops 2020, arXiv:2004.11128, there of triangles.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
        >>> down = torch.tensor([[1.0, 0.0]])
        >>> euler_field_transform(x, directions=down, resolution=3, levels=(0.0, 2.0))
        tensor([1., 1., 0., 1., 1., 1.])
        >>> euler_field_transform(x, directions=down, resolution=3)  # 4 squares, 4 edges, a site
        tensor([0., 0., 2.])
    """
    grid = None if sample_range is None else curve_grid(resolution, sample_range)
    n, borders = check_count("resolution", resolution), check_levels(levels)
    check_superlevel(superlevel)
    return field_transform_on_grid(x, check_directions(directions), n, grid, borders, superlevel)


def field_transform_on_grid(
    x: Tensor,
    directions: Tensor,
    resolution: int,
    grid: Tensor | None,
    levels: Sequence[float] | None,
    superlevel: bool,
) -> Tensor:
    """``euler_field_transform`` at the thresholds of an ascending grid, or the lattice's own."""
    d = directions.shape[1]
    x = check_field("x", x, f"(*batch, *L) with {d} axes L, as `directions` has components", d)
    shape, batch_shape = tuple(x.shape[-d:]), x.shape[:-d]
    v = directions.detach().to("cpu", torch.float64)
    t = lattice_grid(shape, v, resolution) if grid is None else grid.to("cpu", torch.float64)
    fields = x.reshape(-1, *shape)
    if levels is None:
        extreme = torch.minimum if superlevel else torch.maximum
        cells = [cell.flatten(1) for cell in cells_of(fields, d, extreme)]
        sums: Tensor = cell_sums(torch.cat(cells, 1).to("cpu", torch.float64), shape, v, t)[None]
    else:
        borders = torch.tensor(levels, dtype=x.dtype).double()
        sums = level_counts(fields.detach(), v, borders, t, superlevel)
    return sums.movedim(2, 0).reshape(*batch_shape, sums.shape[:2].numel() * len(t)).to(x)


def check_directions(directions: object) -> Tensor:
    """Finite floats (n_directions, d)."""
    if not isinstance(directions, Tensor):
        raise InputError(
            f"`directions` is {type(directions).__name__}; expected a torch.Tensor"
            " (n_directions, d). Cure: unit_directions(n, d)."
        )
    shape = tuple(directions.shape)
    if len(shape) != 2 or 0 in shape or not directions.is_floating_point():
        raise InputError(
            f"`directions` has shape {shape}, {directions.dtype}; expected floats (n_directions,"
            " d), at least one direction."
        )
    _check_finite("directions", directions)
    return directions


def check_sharpness(sharpness: object) -> float | None:
    """None, or a finite number above 0."""
    return None if sharpness is None else check_positive("sharpness", sharpness)


def check_levels(levels: object) -> tuple[float, ...] | None:
    """None, or finite numbers, at least one."""
    if levels is None:
        return None
    values = tuple(levels) if isinstance(levels, Iterable) else ()
    valid = all(isinstance(x, Real) and not isinstance(x, bool) for x in values)
    if not values or not valid or not all(map(math.isfinite, values)):
        raise InputError(
            f"`levels` is {levels!r}; expected a sequence of finite numbers, at least one, or None."
        )
    return tuple(map(float, values))


def _check_points(points: object, directions: Tensor, batch: object) -> None:
    """Finite floats, and the numbers of their samples."""
    d = directions.shape[1]
    expected = f"floats (*batch, n, {d})" if batch is None else f"floats (P, {d}), with `batch`"
    if not isinstance(points, Tensor):
        raise InputError(f"`points` is {type(points).__name__}; expected {expected}.")
    shape = tuple(points.shape)
    n_axes_fit = len(shape) >= 2 if batch is None else len(shape) == 2
    if not n_axes_fit or shape[-1] != d or not points.is_floating_point():
        raise InputError(
            f"`points` has shape {shape}, {points.dtype}; expected {expected}, as `directions` has"
            f" shape {tuple(directions.shape)}."
        )
    _check_finite("points", points)
    if batch is None:
        return
    if not isinstance(batch, Tensor) or batch.dtype != torch.int64 or batch.shape != shape[:1]:
        got = type(batch).__name__
        if isinstance(batch, Tensor):
            got = f"{batch.dtype} of shape {tuple(batch.shape)}"
        raise InputError(f"`batch` is {got}; expected torch.int64 of shape ({shape[0]},), or None.")


def _check_simplices(name: str, x: object, k: int) -> None:
    """None, or int64 (k, any)."""
    if x is None:
        return
    if not isinstance(x, Tensor) or x.dtype != torch.int64 or x.ndim != 2 or len(x) != k:
        got = type(x).__name__
        if isinstance(x, Tensor):
            got = f"{x.dtype} of shape {tuple(x.shape)}"
        raise InputError(
            f"`{name}` is {got}; expected torch.int64 of shape ({k}, any), or None. Cure: `batch`,"
            " where samples differ in their simplices."
        )


def _check_finite(name: str, x: Tensor) -> None:
    """No NaN and no infinity; nothing while torch compiles: the operators look for them, too."""
    if torch.compiler.is_compiling():
        return
    finite = x.detach().isfinite()
    if not bool(finite.all()):
        at = tuple(int(i) for i in finite.logical_not().nonzero()[0])
        raise InputError(f"`{name}` is {float(x[at])} at {at}; expected finite numbers.")


def _n_samples(batch: Tensor) -> Any:  # noqa: ANN401
    """How many there are by the numbers of the points; a symbol while torch compiles."""
    if not len(batch):
        return 0
    n: Any = batch.amax().item() + 1
    if torch.compiler.is_compiling():
        torch._check(n >= 1)  # type: ignore[no-untyped-call]
    return n
