"""Persistence of the alpha complexes of point clouds."""

import math
from collections.abc import Sequence
from itertools import accumulate
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._core.errors import InputError
from .._core.optional import require
from ..kernels import alpha2d, delaunay2d
from ..kernels.batch import Chunk, PackedPairs, pair_batch
from ._checks import check_dimensions, check_field
from ._gather import host_array, operator
from .diagrams import Diagrams

__all__ = [
    "alpha_gradients",
    "alpha_pairs",
    "alpha_persistence",
    "alpha_radii",
    "alpha_simplices",
]

Array = NDArray[Any]
Simplex = tuple[int, ...]
Clouds = Tensor | Sequence[Tensor]
# points (P, 2), sample, dimension; essential (E,), its sample, dimension; simplices of each column
Found = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]

PRECISION = 1e-12  # relative, of gudhi's squared radii
ROUNDING = 4 * PRECISION  # two of them that are equal differ by less
LARGEST, SMALLEST = 2.0**250, 2.0**-198  # coordinates that the kernels take
_LOCK = Lock()


def alpha_persistence(
    points: Clouds, *, homology_dimensions: Sequence[int], weights: Clouds | None = None
) -> Diagrams:
    r"""Persistent homology of the union of balls around points in the plane or in space.

    A simplex of the Delaunay triangulation enters at the radius of its smallest circumsphere if no
    other point is inside (Gabriel), else with its first coface. Unit: the **radius** (Rips
    complexes use the diameter).

    With weights :math:`w_i`, squared radii that the points start from, the value is the **square**
    :math:`\alpha^2` at which balls of squared radius :math:`w_i + \alpha^2` meet: negative where
    they do at once, so no radius in general. A point hidden by its neighbours' balls is not part
    of the complex and gets no gradient. Equal weights of 0 give the squares of the plain values.

    Over Z/2. Each birth and death is a differentiable function of the vertices of one simplex (and
    of their weights), any number of times: with :math:`R = |c - p_i|^2 - w_i`, the center c in the
    simplex's plane and :math:`\lambda_i` its barycentric coordinates,
    :math:`\partial R / \partial p_i = 2 \lambda_i (p_i - c)` and
    :math:`\partial R / \partial w_i = -\lambda_i`. The simplex is the one that is born or that
    kills, or if it is not Gabriel (in general position those bear no class of positive length) the
    coface that gives its value; where both have the same value, the smaller (one element of the
    Clarke subdifferential). A simplex that is flat in double precision has gradient 0; births of
    H0 in the plain complex are 0 and constant.

    All on the CPU, with exact predicates, and each sample by itself. Plain clouds in the plane by
    our own kernels, in O(n log n), on ``torch.get_num_threads()`` threads: 0.3 ms for 1000 points.
    The others by gudhi, one after the other: 0.1 s for 1000 points in space; it is under the MIT
    licence, but this part of it rests on CGAL, which is under the **GPL**. Squares are right to
    1e-12, relative, and then rounded to the dtype of ``points``. Classes whose squares differ by
    less than 4e-12 of the larger one, or not in that dtype, have no length and are dropped (points
    on a lattice or a circle make many). Plain diagrams in the plane do not depend on the order of
    the points, bit for bit.

    Args:
        points: (*batch, n, d) float with d = 2 or 3, or a list of (n_i, d) of one dtype and
            device. Of points that coincide, the first one counts. In the plane, without weights,
            the coordinates of a sample that are not 0 are within a factor of 1e134.
        homology_dimensions: Distinct integers from 0 to d - 1.
        weights: (*batch, n), or a list of (n_i,): squared radii, unit length squared, any sign.

    Returns:
        Diagrams, with batch_shape ``*batch`` or (len(points),); one essential class of H0 a
        sample. Indices are -1, as no single entry gives a value: the simplices that do are in
        ``alpha_simplices``.

    Raises:
        InputError: ``points`` or ``weights`` of wrong shapes, not float, empty, or not finite;
            coordinates beyond the factor above; in the plane, radii beyond the dtype.

    Source: Edelsbrunner & Mücke, ACM Trans. Graph. 13, 43 (1994); weighted: Edelsbrunner,
        UIUCDCS-R-92-1760 (1992); values as in gudhi, Rouvreau, "Alpha complex", GUDHI User and
        Reference Manual; which simplices bear classes: Bauer & Edelsbrunner, Trans. Amer. Math.
        Soc. 369, 3741 (2017); exact predicates: Shewchuk, Discrete Comput. Geom. 18, 305 (1997);
        the gradient from the equations of the center: ours.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0, 0.0], [6.0, 0.0], [6.0, 8.0], [0.0, 8.0]])  # a rectangle
        >>> alpha_persistence(x, homology_dimensions=(0, 1)).points
        tensor([[0., 3.],
                [0., 3.],
                [0., 4.],
                [4., 5.]])
    """
    return _alpha(points, homology_dimensions, weights, name=False)[0]


def alpha_simplices(
    points: Clouds, *, homology_dimensions: Sequence[int], weights: Clouds | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The simplices that give the values of ``alpha_persistence``, which has the same arguments.

    Returns:
        birth_simplex, death_simplex (P, d + 1) and essential_simplex (E, d + 1), int64: row by row
        of the Diagrams, the numbers of the vertices within their sample, ascending, then -1. The
        value is the radius (the square, if weighted) of the smallest circumsphere of the row: for a
        simplex that is not Gabriel, of the coface that it enters with.

    Source: that of ``alpha_persistence``.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0, 0.0], [6.0, 0.0], [0.0, 8.0]])
        >>> alpha_simplices(x, homology_dimensions=(0,))
        (tensor([[ 1, -1, -1],
                [ 2, -1, -1]]), tensor([[ 0,  1, -1],
                [ 0,  2, -1]]), tensor([[ 0, -1, -1]]))
    """
    return _alpha(points, homology_dimensions, weights, name=True)[1]


class _Class(NamedTuple):
    """A class of one sample: its values, and the simplices that give them, if asked for."""

    sample: int
    dimension: int
    birth: float
    death: float  # inf: never
    born: Simplex
    dies: Simplex


def _alpha(
    points: Clouds, homology_dimensions: Sequence[int], weights: Clouds | None, *, name: bool
) -> tuple[Diagrams, tuple[Tensor, Tensor, Tensor]]:
    """Diagrams and simplices, the latter if ``name`` or if a gradient is needed, else of -1."""
    cloud, sizes, batch_shape = _check_clouds(points)
    dimensions = check_dimensions(homology_dimensions, cloud.shape[1] - 1)
    power = None if weights is None else _check_weights(weights, points, cloud, sizes)
    trained = cloud.requires_grad or (power is not None and power.requires_grad)
    trained = trained and torch.is_grad_enabled()
    pair, sample, dimension, essential, essential_sample, essential_dimension, *simplices = (
        alpha_pairs(
            cloud.detach(),
            None if power is None else power.detach(),
            sizes,
            dimensions,
            name or trained,
        )
    )
    if trained:
        first = torch.tensor([0, *accumulate(sizes)], device=cloud.device)
        numbers = (
            torch.where(local < 0, local, local + first[of, None])
            for local, of in zip(simplices, (sample, sample, essential_sample), strict=True)
        )
        # Compilers take the operator, torch.func the other; they are the same.
        radii = alpha_radii if torch.compiler.is_compiling() else _Radii.apply
        pair, essential = radii(pair, essential, cloud, power, *numbers)
    diagrams = Diagrams(
        points=pair,
        dimension=dimension,
        sample=sample,
        birth_index=torch.full_like(sample, -1),
        death_index=torch.full_like(sample, -1),
        essential=essential,
        essential_dimension=essential_dimension,
        essential_sample=essential_sample,
        essential_index=torch.full_like(essential_sample, -1),
        batch_shape=batch_shape,
        homology_dimensions=dimensions,
    )
    born, dies, stays = simplices
    return diagrams, (born, dies, stays)


@operator
def alpha_pairs(
    cloud: Tensor,
    power: Tensor | None,
    sizes: Sequence[int],
    homology_dimensions: Sequence[int],
    name: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The classes of clouds of ``sizes``, one after the other, as an operator without a gradient.

    Returns points (P, 2), sample and dimension (P,); essential (E,), its sample and dimension; and
    the simplices, (P, d + 1), (P, d + 1) and (E, d + 1), all -1 unless ``name``.
    """
    x = host_array(cloud).astype(np.float64)
    _check_finite("points", x, sizes)
    dimensions = tuple(homology_dimensions)
    if power is None and x.shape[1] == 2:
        return _in_the_plane(cloud, x, sizes, dimensions, name)
    w = None if power is None else host_array(power).astype(np.float64)
    if w is not None:
        _check_finite("weights", w, sizes)
    return _by_gudhi(cloud, x, w, sizes, dimensions, name)


def _fake(
    cloud: Tensor,
    power: Tensor | None,
    sizes: Sequence[int],
    homology_dimensions: Sequence[int],
    name: bool,
) -> tuple[Tensor, ...]:
    context = torch.library.get_ctx()
    n, m = context.new_dynamic_size(), context.new_dynamic_size()
    width = cloud.shape[1] + 1
    number = [cloud.new_empty(k, dtype=torch.int64) for k in (n, n, m, m)]
    simplices = [cloud.new_empty(k, width, dtype=torch.int64) for k in (n, n, m)]
    return cloud.new_empty(n, 2), *number[:2], cloud.new_empty(m), *number[2:], *simplices


torch.library.register_fake(alpha_pairs, _fake)


def _in_the_plane(
    cloud: Tensor, x: Array, sizes: Sequence[int], dimensions: tuple[int, ...], name: bool
) -> Found:
    """The classes of plain clouds in the plane, samples on ``torch.get_num_threads()`` threads."""
    x, exponent = _scaled(x, sizes)
    bits = x.view(np.uint64)
    start = np.array([0, *accumulate(sizes)])
    want = 0 in dimensions, 1 in dimensions
    named: dict[int, tuple[Array, Array]] = {}

    def find(begin: int, end: int, stop: Array) -> Chunk:
        a, b, number, strip, size = delaunay2d.ordered(x, bits, start, begin, end)
        mesh = delaunay2d.triangulate(a, b, strip, size, start, begin, end, stop)
        points = a, b, number, size, start
        chunk = Chunk(*alpha2d.alpha_pairs(*points, *mesh, want, ROUNDING, begin, end, stop))
        if name:
            parts = chunk.pair, chunk.tally, number, start, *mesh[:2]
            named[begin] = alpha2d.named_pairs(*parts, begin)
        return chunk

    packed = pair_batch(find, len(sizes), max(sizes), torch.get_num_threads())
    assert packed is not None
    if exponent.any():
        with np.errstate(over="ignore"):
            np.ldexp(packed.points, -exponent[packed.sample, None], out=packed.points)
    born, dies = (np.full((len(packed.points), 3), -1) for _ in range(2))
    stays = np.full((len(packed.essential), 3), -1)
    if name:
        parts = zip(*(named[begin] for begin in sorted(named)), strict=True)
        born, dies = (np.concatenate(part) for part in parts)
        stays[:, 0] = 0  # the eldest is the first
    return _tensors(packed, born, dies, stays, cloud)


def _tensors(packed: PackedPairs, born: Array, dies: Array, stays: Array, cloud: Tensor) -> Found:
    """The classes that have a length in the dtype of ``cloud``, on its device."""
    points = torch.from_numpy(packed.points).to(cloud.dtype)
    if points.isinf().any():
        raise InputError(
            f"`points` has radii beyond {torch.finfo(cloud.dtype).max}, the largest number of"
            f" {cloud.dtype}; expected a smaller cloud."
        )
    columns = [points, *map(torch.from_numpy, (packed.sample, packed.dimension, born, dies))]
    apart = points[:, 0] < points[:, 1]
    if not apart.all():
        columns = [column[apart] for column in columns]
    points, sample, dimension, first, second = (column.to(cloud.device) for column in columns)
    ends = packed.essential, packed.essential_sample, packed.essential_dimension, stays
    essential, of, in_dimension, third = (torch.from_numpy(x).to(cloud.device) for x in ends)
    essential = essential.to(cloud.dtype)
    return points, sample, dimension, essential, of, in_dimension, first, second, third


def _scaled(x: Array, sizes: Sequence[int]) -> tuple[Array, Array]:
    """``x`` (sum n, 2) without negative zeros, times 2^exponent; the exponent of each sample.

    Exact, and 0 for the samples whose numbers the kernels can take as they are.
    """
    exponent = np.zeros(len(sizes), np.int64)
    x = x + 0.0
    size = np.abs(x)
    if size.max() <= LARGEST and size.min(where=size > 0, initial=LARGEST) >= SMALLEST:
        return x, exponent
    stop = 0
    for sample, n in enumerate(sizes):
        start, stop = stop, stop + n
        here = size[start:stop]
        high, low = here.max(), here.min(where=here > 0, initial=math.inf)
        if high <= LARGEST and low >= SMALLEST:
            continue
        exponent[sample] = math.frexp(LARGEST)[1] - 1 - math.frexp(high)[1]
        if math.ldexp(low, int(exponent[sample])) < SMALLEST:
            raise InputError(
                f"`points` has coordinates of {low} and {high} in sample {sample}; expected those"
                " other than 0 within a factor of 1e134. Cure: make the small ones 0."
            )
        x[start:stop] = np.ldexp(x[start:stop], exponent[sample])
    return x, exponent


def _by_gudhi(
    cloud: Tensor,
    x: Array,
    w: Array | None,
    sizes: Sequence[int],
    dimensions: tuple[int, ...],
    name: bool,
) -> Found:
    """The classes of clouds with weights or in space, one cloud after the other."""
    finite: list[_Class] = []
    essential: list[_Class] = []
    stop = 0
    for sample, size in enumerate(sizes):
        start, stop = stop, stop + size
        weight = None if w is None else w[start:stop]
        for row in _classes(sample, x[start:stop], weight, dimensions, name):
            (essential if row.death == math.inf else finite).append(row)
    points = torch.tensor([row[2:4] for row in finite], dtype=torch.float64).reshape(-1, 2)
    points = points.to(cloud)
    apart = points[:, 0] < points[:, 1]  # in this dtype
    finite = [row for row, keep in zip(finite, apart.tolist(), strict=True) if keep]
    return (
        points[apart],
        *_columns(finite, cloud),
        torch.tensor([row.birth for row in essential], dtype=torch.float64).to(cloud),
        *_columns(essential, cloud),
        _table([row.born for row in finite], cloud),
        _table([row.dies for row in finite], cloud),
        _table([row.born for row in essential], cloud),
    )


def _classes(
    sample: int,
    x: Array,
    w: Array | None,
    dimensions: tuple[int, ...],
    name: bool,
) -> list[_Class]:
    """The classes of one cloud, sorted by dimension, then in gudhi's order."""
    tree = _simplex_tree(x, w)
    # gudhi leaves out the homology of the highest dimension, unless told otherwise.
    tree.compute_persistence(homology_coeff_field=2, min_persistence=0, persistence_dim_max=True)
    found = []
    for born, dies in tree.persistence_pairs():
        if len(born) - 1 not in dimensions:
            continue
        birth = tree.filtration(born)
        death = tree.filtration(dies) if dies else math.inf
        if death - birth <= ROUNDING * max(abs(death), abs(birth)) < math.inf:
            continue
        if w is None:
            birth, death = math.sqrt(birth), math.sqrt(death)
        simplices: tuple[Simplex, Simplex] = ((), ())
        if name:
            simplices = _giver(tree, born, x, w), _giver(tree, dies, x, w) if dies else ()
        found.append(_Class(sample, len(born) - 1, birth, death, *simplices))
    return sorted(found, key=lambda row: row.dimension)


def _simplex_tree(x: Array, w: Array | None) -> Any:  # noqa: ANN401
    """gudhi's alpha complex, with values to PRECISION, which is a setting of the process."""
    complexes = require("gudhi").AlphaComplex
    with _LOCK:
        before = complexes.get_float_relative_precision()
        complexes.set_float_relative_precision(PRECISION)
        try:
            return complexes(points=x, weights=w).create_simplex_tree()
        finally:
            complexes.set_float_relative_precision(before)


def _giver(tree: Any, simplex: list[int], x: Array, w: Array | None) -> Simplex:  # noqa: ANN401
    """The simplex whose own radius is the value of ``simplex``.

    A value below those of all cofaces is its own. One that equals a coface's is inherited, unless
    the two tie (as a right triangle and its hypotenuse do).
    """
    square = tree.filtration(simplex)
    while True:
        inherited = [s for s, v in tree.get_cofaces(simplex, 1) if v == square]
        if not inherited or _is_own(square, simplex, x, w):
            return tuple(sorted(simplex))
        simplex = min(inherited, key=sorted)


def _is_own(square: float, simplex: list[int], x: Array, w: Array | None) -> bool:
    """Whether ``square`` is the squared radius of the simplex, up to rounding."""
    v = x[simplex[1:]] - x[simplex[0]]
    first = 0.0 if w is None else w[simplex[0]]
    norm = (v**2).sum(1)
    b = norm if w is None else norm - w[simplex[1:]] + first
    y = np.linalg.lstsq(2 * v, b, rcond=None)[0] if len(v) else np.zeros(x.shape[1])
    own = (y**2).sum() - first
    scale = max(norm.max(initial=0.0), abs(first), abs(square))
    return bool(abs(own - square) <= ROUNDING * scale)


@operator
def alpha_radii(
    pair: Tensor,
    essential: Tensor,
    cloud: Tensor,
    power: Tensor | None,
    born: Tensor,
    dies: Tensor,
    stays: Tensor,
) -> tuple[Tensor, Tensor]:
    """``pair`` (P, 2) and ``essential`` (E,), with the gradients of the simplices' values."""
    return pair.clone(), essential.clone()


def _fake_radii(pair: Tensor, essential: Tensor, *_: Any) -> tuple[Tensor, Tensor]:  # noqa: ANN401
    return torch.empty_like(pair), torch.empty_like(essential)


def _setup(ctx: Any, inputs: Any, output: Any) -> None:  # noqa: ANN401
    ctx.save_for_backward(*inputs[2:])


def _backward(ctx: Any, grad_pair: Tensor, grad_essential: Tensor) -> Any:  # noqa: ANN401
    cloud, power, *simplices = ctx.saved_tensors
    grad = torch.cat([grad_pair[:, 0], grad_pair[:, 1], grad_essential])
    # On another device, and for a gradient that has one itself, by torch's own operations.
    composed = torch.is_grad_enabled() or cloud.device.type != "cpu"
    gradients = _gradients if composed else alpha_gradients
    on_cloud, on_power = gradients(cloud, power, torch.cat(simplices), grad)
    return None, None, on_cloud, None if power is None else on_power, None, None, None


torch.library.register_fake(alpha_radii, _fake_radii)
torch.library.register_autograd(alpha_radii, _backward, setup_context=_setup)


class _Radii(torch.autograd.Function):
    """``alpha_radii`` for torch.func, which takes no operators with a gradient."""

    setup_context = staticmethod(_setup)
    backward = staticmethod(_backward)

    @staticmethod
    def forward(pair: Tensor, essential: Tensor, *_: Any) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        return pair.clone(), essential.clone()


@operator
def alpha_gradients(
    cloud: Tensor, power: Tensor | None, simplex: Tensor, grad: Tensor
) -> tuple[Tensor, Tensor]:
    """``_gradients`` as an operator without a gradient; in the plane by a kernel on the CPU."""
    if power is not None or cloud.shape[1] == 3 or cloud.device.type != "cpu":
        return _gradients(cloud, power, simplex, grad)
    x, numbers = host_array(cloud).astype(np.float64), simplex.contiguous().numpy()
    total = np.zeros_like(x)
    alpha2d.radius_gradient(x, numbers, host_array(grad).astype(np.float64), total)
    return torch.from_numpy(total).to(cloud.dtype), cloud.new_empty(0)


def _fake_gradients(
    cloud: Tensor, power: Tensor | None, simplex: Tensor, grad: Tensor
) -> tuple[Tensor, Tensor]:
    on_power = cloud.new_empty(0) if power is None else torch.empty_like(power)
    return torch.empty_like(cloud, memory_format=torch.contiguous_format), on_power


torch.library.register_fake(alpha_gradients, _fake_gradients)


def _gradients(
    cloud: Tensor, power: Tensor | None, simplex: Tensor, grad: Tensor
) -> tuple[Tensor, Tensor]:
    r"""Gradients of the radii (squares, if weighted) of simplices (M, d + 1), times ``grad`` (M,).

    Differentiable, in float64. The second one is empty without weights.
    """
    there = simplex >= 0
    at = torch.where(there, simplex, simplex[:, :1])  # what is not there is no side
    p = cloud[at].double()
    v = p - p[:, :1]
    scale = v.detach().abs().amax((1, 2))
    scale = scale.where(scale > 0, 1.0)[:, None]
    v = v / scale[:, None]
    c = v.square().sum(-1) / 2
    if power is not None:
        w = power[at].double()
        c = c - (w - w[:, :1]) / (2 * scale.square())
    y, share, regular = _center(v, c, there)
    if power is None:
        regular = regular & there[:, 1]
        factor = 1 / torch.where(regular, y.square().sum(-1), 1.0).sqrt()
    else:
        factor = 2 * scale[:, 0]
    share = share * torch.where(regular, grad.double(), 0.0)[:, None]
    pull = (share * factor[:, None])[:, :, None] * (v - y[:, None])
    total = pull.new_zeros(cloud.shape).index_add(0, at.flatten(), pull.flatten(0, 1))
    if power is None:
        return total.to(cloud.dtype), cloud.new_empty(0)
    push = share.new_zeros(power.shape).index_add(0, at.flatten(), -share.flatten())
    return total.to(cloud.dtype), push.to(power.dtype)


def _center(v: Tensor, c: Tensor, there: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""Centers :math:`y` of the smallest spheres with :math:`v_j y = c_j`, and barycentric shares.

    Gram and Schmidt make the sides orthogonal, :math:`u_j = v_j - \sum_l a_{jl} u_l`; then
    :math:`y = \sum_j t_j u_j = \sum_j \lambda_j v_j`. Sides that are not ``there`` or within the
    plane of those before them are left out; also says which simplices have none of the latter.

    Shapes: v (M, d + 1, d), c and there (M, d + 1) -> y (M, d), share (M, d + 1), (M,)
    """
    regular = torch.ones_like(there[:, 0])
    sides: list[tuple[Tensor, Tensor, Tensor]] = []
    ratios: list[list[Tensor]] = []
    for j in range(1, there.shape[1]):
        u, b = v[:, j], c[:, j]
        ratio = []
        for u_l, b_l, rest_l in sides:
            ratio.append((u * u_l).sum(-1) / rest_l)
            u, b = u - ratio[-1][:, None] * u_l, b - ratio[-1] * b_l
        rest, norm = u.square().sum(-1), v[:, j].square().sum(-1)
        apart = there[:, j] & (rest > (64 * torch.finfo(v.dtype).eps) ** 2 * norm)
        regular = regular & (apart | ~there[:, j])
        u, b = torch.where(apart[:, None], u, 0.0), torch.where(apart, b, 0.0)
        sides.append((u, b, torch.where(apart, rest, 1.0)))
        ratios.append(ratio)
    y = torch.stack([(b / rest)[:, None] * u for u, b, rest in sides]).sum(0)
    share: list[Tensor] = []
    for j in range(len(sides) - 1, -1, -1):
        t = sides[j][1] / sides[j][2]
        for ratio, later in zip(ratios[j + 1 :], share, strict=True):
            t = t - ratio[j] * later
        share.insert(0, t)
    others = torch.stack(share, 1)
    return y, torch.cat([1 - others.sum(1, keepdim=True), others], 1), regular


def _table(simplices: list[Simplex], cloud: Tensor) -> Tensor:
    """Rows of d + 1 vertices, filled with -1."""
    width = cloud.shape[1] + 1
    rows = [[*s, *[-1] * (width - len(s))] for s in simplices]
    return torch.tensor(rows, dtype=torch.int64, device=cloud.device).reshape(-1, width)


def _columns(rows: list[_Class], cloud: Tensor) -> tuple[Tensor, Tensor]:
    """Sample and dimension, (n,) each."""
    both = torch.tensor([row[:2] for row in rows], dtype=torch.int64, device=cloud.device)
    return both.reshape(-1, 2)[:, 0].clone(), both.reshape(-1, 2)[:, 1].clone()


def _check_clouds(points: object) -> tuple[Tensor, list[int], torch.Size]:
    """The clouds one after the other, their sizes and the batch shape."""
    if isinstance(points, Tensor):
        _check_cloud("points", points, "(*batch, n, d)")
        shape = points.shape[:-2]
        return points.reshape(-1, points.shape[-1]), [points.shape[-2]] * shape.numel(), shape
    if not isinstance(points, Sequence) or isinstance(points, str) or not len(points):
        got = "empty" if isinstance(points, Sequence) else type(points).__name__
        raise InputError(
            f"`points` is {got}; expected a torch.Tensor (*batch, n, d), or a list of (n_i, d)."
        )
    clouds = [_check_cloud(f"points[{i}]", x, "(n_i, d)") for i, x in enumerate(points)]
    first = clouds[0]
    d = first.shape[-1]
    for i, x in enumerate(clouds):
        if (x.ndim, x.shape[-1], x.dtype, x.device) != (2, d, first.dtype, first.device):
            raise InputError(
                f"`points[{i}]` has shape {tuple(x.shape)}, {x.dtype}, {x.device}; expected (n_i,"
                f" {d}), {first.dtype}, {first.device}, as points[0]."
            )
    return torch.cat(clouds), [len(x) for x in clouds], torch.Size((len(clouds),))


def _check_cloud(name: str, x: object, shape: str) -> Tensor:
    x = check_field(name, x, shape, 2)
    if x.shape[-1] not in (2, 3):
        raise InputError(
            f"`{name}` has shape {tuple(x.shape)}; expected {shape} with d = 2 or 3 coordinates."
            " Cure in higher dimensions: rips_persistence."
        )
    return x


def _check_weights(weights: object, points: object, cloud: Tensor, sizes: list[int]) -> Tensor:
    """The weights of all clouds."""
    if isinstance(points, Tensor):
        return _check_weight("weights", weights, points.shape[:-1], points).reshape(-1)
    if isinstance(weights, Tensor) or not isinstance(weights, Sequence):
        got = type(weights).__name__
        raise InputError(f"`weights` is {got}; expected a list of {len(sizes)}, as `points`.")
    if len(weights) != len(sizes):
        got = f"{len(weights)} tensors"
        raise InputError(f"`weights` is {got}; expected a list of {len(sizes)}, as `points`.")
    return torch.cat(
        [
            _check_weight(f"weights[{i}]", w, torch.Size((size,)), cloud)
            for i, (w, size) in enumerate(zip(weights, sizes, strict=True))
        ]
    )


def _check_weight(name: str, w: object, shape: torch.Size, like: Tensor) -> Tensor:
    if not isinstance(w, Tensor):
        got = type(w).__name__
        raise InputError(f"`{name}` is {got}; expected a torch.Tensor {tuple(shape)}.")
    if (w.shape, w.dtype, w.device) != (shape, like.dtype, like.device):
        raise InputError(
            f"`{name}` has shape {tuple(w.shape)}, {w.dtype}, {w.device}; expected {tuple(shape)},"
            f" {like.dtype}, {like.device}, a squared radius a point."
        )
    return w


def _check_finite(name: str, x: Array, sizes: Sequence[int]) -> None:
    finite = np.isfinite(x)
    if not finite.all():
        row, *axis = (int(i) for i in np.argwhere(~finite)[0])
        ends = list(accumulate(sizes))
        sample = sum(end <= row for end in ends)
        at = (row - (ends[sample] - sizes[sample]), *axis)
        raise InputError(
            f"`{name}` is {x[row, *axis]} at {at} of sample {sample}; expected finite numbers."
            " Cure: leave such points out, with a list of clouds."
        )
