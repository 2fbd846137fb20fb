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
from ._checks import check_dimensions, check_field
from ._gather import host_array
from .diagrams import Diagrams

__all__ = ["alpha_pairs", "alpha_persistence", "alpha_simplices"]

Simplex = tuple[int, ...]
Clouds = Tensor | Sequence[Tensor]

PRECISION = 1e-12  # relative, of gudhi's squared radii
ROUNDING = 4 * PRECISION  # two of them that are equal differ by less
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

    gudhi builds the complexes, on the CPU, one sample after the other, with exact predicates; its
    squares are right to 1e-12, relative, and then rounded to the dtype of ``points``. Classes whose
    squares differ by less than 4e-12 of the larger one, or not in that dtype, have no length and
    are dropped (points on a lattice or a circle make many). About 0.1 s for 1000 points in space.
    gudhi is under the MIT licence, but this part rests on CGAL, which is under the **GPL**.

    Args:
        points: (*batch, n, d) float with d = 2 or 3, or a list of (n_i, d) of one dtype and
            device. A point that occurs twice counts once.
        homology_dimensions: Distinct integers from 0 to d - 1.
        weights: (*batch, n), or a list of (n_i,): squared radii, unit length squared, any sign.

    Returns:
        Diagrams, with batch_shape ``*batch`` or (len(points),); one essential class of H0 a
        sample. Indices are -1, as no single entry gives a value: the simplices that do are in
        ``alpha_simplices``.

    Raises:
        InputError: ``points`` or ``weights`` of wrong shapes, not float, empty, or not finite.

    Source: Edelsbrunner & Mücke, ACM Trans. Graph. 13, 43 (1994); weighted: Edelsbrunner,
        UIUCDCS-R-92-1760 (1992); values as in gudhi, Rouvreau, "Alpha complex", GUDHI User and
        Reference Manual; which simplices bear classes: Bauer & Edelsbrunner, Trans. Amer. Math.
        Soc. 369, 3741 (2017); the gradient from the equations of the center: ours.

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
    clouds, batch_shape = _check_clouds(points)
    dimensions = check_dimensions(homology_dimensions, clouds[0].shape[1] - 1)
    powers = None if weights is None else _check_weights(weights, points, clouds)
    cloud = torch.cat(clouds)
    power = None if powers is None else torch.cat(powers)
    trained = cloud.requires_grad or (power is not None and power.requires_grad)
    trained = trained and torch.is_grad_enabled()
    sizes = [len(x) for x in clouds]
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
        values = []
        for value, of, local in zip(
            (pair[:, 0], pair[:, 1], essential),
            (sample, sample, essential_sample),
            simplices,
            strict=True,
        ):
            simplex = torch.where(local < 0, local, local + first[of, None])
            values.append(_differentiable(value, cloud, power, simplex))
        pair, essential = torch.stack(values[:2], 1), values[2]
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


@torch.library.custom_op("topoml::alpha_pairs", mutates_args=())
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
    w = None if power is None else host_array(power).astype(np.float64)
    finite: list[_Class] = []
    essential: list[_Class] = []
    stop = 0
    for sample, size in enumerate(sizes):
        start, stop = stop, stop + size
        weight = None if w is None else w[start:stop]
        _check_finite("points", x[start:stop], sample)
        if weight is not None:
            _check_finite("weights", weight, sample)
        for row in _classes(sample, x[start:stop], weight, tuple(homology_dimensions), name):
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


@alpha_pairs.register_fake
def _(
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


def _classes(
    sample: int,
    x: NDArray[Any],
    w: NDArray[Any] | None,
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


def _simplex_tree(x: NDArray[Any], w: NDArray[Any] | None) -> Any:  # noqa: ANN401
    """gudhi's alpha complex, with values to PRECISION, which is a setting of the process."""
    complexes = require("gudhi").AlphaComplex
    with _LOCK:
        before = complexes.get_float_relative_precision()
        complexes.set_float_relative_precision(PRECISION)
        try:
            return complexes(points=x, weights=w).create_simplex_tree()
        finally:
            complexes.set_float_relative_precision(before)


def _giver(tree: Any, simplex: list[int], x: NDArray[Any], w: NDArray[Any] | None) -> Simplex:  # noqa: ANN401
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


def _is_own(square: float, simplex: list[int], x: NDArray[Any], w: NDArray[Any] | None) -> bool:
    """Whether ``square`` is the squared radius of the simplex, up to rounding."""
    v = x[simplex[1:]] - x[simplex[0]]
    first = 0.0 if w is None else w[simplex[0]]
    norm = (v**2).sum(1)
    b = norm if w is None else norm - w[simplex[1:]] + first
    y = np.linalg.lstsq(2 * v, b, rcond=None)[0] if len(v) else np.zeros(x.shape[1])
    own = (y**2).sum() - first
    scale = max(norm.max(initial=0.0), abs(first), abs(square))
    return bool(abs(own - square) <= ROUNDING * scale)


def _differentiable(value: Tensor, cloud: Tensor, power: Tensor | None, simplex: Tensor) -> Tensor:
    """``value`` (M,) with the gradient of the radii (squares, if weighted) of (M, d + 1)."""
    there = simplex >= 0
    at = torch.where(there, simplex, simplex[:, :1])  # what is not there is no side
    p = cloud[at].double()
    w = p.new_zeros(at.shape) if power is None else power[at].double()
    square, regular = _squared_radius(p, w, there[:, 1:])
    if power is None:
        regular = regular & there[:, 1]
        square = torch.where(regular, square, 1.0).sqrt()
    own = torch.where(regular, square, 0.0).to(value.dtype)
    return value + (own - own.detach())


def _squared_radius(p: Tensor, w: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    r"""Squared radii of the smallest orthogonal spheres of simplices (M, d + 1, d), (M, d + 1).

    The center :math:`p_0 + y` has :math:`2 v_j y = |v_j|^2 - w_j + w_0 = 2 c_j` for the sides
    :math:`v_j = p_j - p_0`; Gram and Schmidt make the sides orthogonal, and the square is
    :math:`\sum_j c_j^2 / |v_j|^2 - w_0` then. Sides that are not ``there`` are left out. Also says
    which simplices are not flat; in the others the sides within the rest's plane are left out.
    """
    sides: list[tuple[Tensor, Tensor, Tensor]] = []
    square = -w[:, 0]
    regular = torch.ones_like(there[:, 0])
    for j in range(there.shape[1]):
        v = p[:, j + 1] - p[:, 0]
        norm = (v**2).sum(-1)
        c = (norm - w[:, j + 1] + w[:, 0]) / 2
        for u, c_u, norm_u in sides:
            along = (v * u).sum(-1) / norm_u
            v, c = v - along[:, None] * u, c - along * c_u
        rest = (v**2).sum(-1)
        apart = there[:, j] & (rest > (64 * torch.finfo(p.dtype).eps) ** 2 * norm)
        regular = regular & (apart | ~there[:, j])
        v, c = torch.where(apart[:, None], v, 0.0), torch.where(apart, c, 0.0)
        rest = torch.where(apart, rest, 1.0)
        square = square + c**2 / rest
        sides.append((v, c, rest))
    return square, regular


def _table(simplices: list[Simplex], cloud: Tensor) -> Tensor:
    """Rows of d + 1 vertices, filled with -1."""
    width = cloud.shape[1] + 1
    rows = [[*s, *[-1] * (width - len(s))] for s in simplices]
    return torch.tensor(rows, dtype=torch.int64, device=cloud.device).reshape(-1, width)


def _columns(rows: list[_Class], cloud: Tensor) -> tuple[Tensor, Tensor]:
    """Sample and dimension, (n,) each."""
    both = torch.tensor([row[:2] for row in rows], dtype=torch.int64, device=cloud.device)
    return both.reshape(-1, 2)[:, 0].clone(), both.reshape(-1, 2)[:, 1].clone()


def _check_clouds(points: object) -> tuple[list[Tensor], torch.Size]:
    """The clouds, one a sample, and the batch shape."""
    if isinstance(points, Tensor):
        _check_cloud("points", points, "(*batch, n, d)")
        return list(points.reshape(-1, *points.shape[-2:])), points.shape[:-2]
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
    return clouds, torch.Size((len(clouds),))


def _check_cloud(name: str, x: object, shape: str) -> Tensor:
    x = check_field(name, x, shape, 2)
    if x.shape[-1] not in (2, 3):
        raise InputError(
            f"`{name}` has shape {tuple(x.shape)}; expected {shape} with d = 2 or 3 coordinates."
            " Cure in higher dimensions: rips_persistence."
        )
    return x


def _check_weights(weights: object, points: object, clouds: list[Tensor]) -> list[Tensor]:
    """The weights, one tensor a sample."""
    if isinstance(points, Tensor):
        return list(
            _check_weight("weights", weights, points.shape[:-1], points).reshape(-1, len(clouds[0]))
        )
    if isinstance(weights, Tensor) or not isinstance(weights, Sequence):
        got = type(weights).__name__
        raise InputError(f"`weights` is {got}; expected a list of {len(clouds)}, as `points`.")
    if len(weights) != len(clouds):
        got = f"{len(weights)} tensors"
        raise InputError(f"`weights` is {got}; expected a list of {len(clouds)}, as `points`.")
    return [
        _check_weight(f"weights[{i}]", w, x.shape[:-1], x)
        for i, (w, x) in enumerate(zip(weights, clouds, strict=True))
    ]


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


def _check_finite(name: str, x: NDArray[Any], sample: int) -> None:
    finite = np.isfinite(x)
    if not finite.all():
        at = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise InputError(
            f"`{name}` is {x[at]} at {at} of sample {sample}; expected finite numbers. Cure: leave"
            " such points out, with a list of clouds."
        )
