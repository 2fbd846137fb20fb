"""Template functions: tents and interpolating polynomials, summed over a diagram."""

import math

import torch
from torch import Tensor

from .._core.errors import InputError
from ..homology import Diagrams
from ._blocks import from_blocks
from ._checks import check_diagrams, image_grids
from ._classes import classes_of, segment_sum

__all__ = ["check_templates", "template_functions", "templates_on"]

FUNCTIONS = ("tent", "interpolating")


def template_functions(
    diagrams: Diagrams,
    *,
    function: str = "tent",
    resolution: tuple[int, int],
    im_range: tuple[float, float, float, float],
) -> Tensor:
    r"""Sums over the classes of fixed functions of the (birth, lifetime) plane.

    .. math:: y_{jk} = \sum_i g_{jk}(b_i, \ell_i), \qquad \ell_i = |d_i - b_i|

    *tent*: with n_birth evenly spaced :math:`x_k` from birth_min to birth_max, a distance
    :math:`\delta_x` apart, and :math:`y_j = \text{life\_min} + j \delta_y`, j from 1 to n_life, up
    to life_max,

    .. math:: g_{jk}(b, \ell) = \max\left(0, 1 - \max\left(\frac{|b - x_k|}{\delta_x},
              \frac{|\ell - y_j|}{\delta_y}\right)\right),

    which is 0 for lifetimes up to life_min. *interpolating*: the products of Lagrange polynomials
    :math:`|\lambda_j(\ell) \lambda_k(b)|` on n_life and n_birth Chebyshev points of the rectangle
    (its ends among them), for the classes in it; those outside are left out.

    Invariant to the order of the classes up to rounding. Essential classes are left out (give them
    a death with ``Diagrams.capped``). Differentiable; at the kinks of a tent the gradient is one
    between its sides, at those of an absolute value 0, and the jump at the border of the rectangle
    has none. Computed in the dtype of the points (float32 for half precision), on their device.
    Sample i depends on sample i alone, bit for bit. Memory O(P n_birth n_life).

    Args:
        diagrams: Of any batch shape.
        function: "tent" or "interpolating".
        resolution: (n_birth, n_life), numbers of functions, at least (2, 1) for tents and (2, 2)
            for polynomials.
        im_range: (birth_min, birth_max, life_min, life_max), in the filtration's unit, life_min
            >= 0.

    Returns:
        (*batch, n * n_life * n_birth) for n homology dimensions: one block a dimension, in the
        order of ``diagrams.homology_dimensions``, row-major with rows the lifetime; zeros where a
        sample has no class. Dtype and device of the points.

    Raises:
        InputError: An argument of another type or out of the ranges above.

    Source: Perea, Munch, Khasawneh, Found. Comput. Math. 2022, arXiv:1902.07190. Tents with
        :math:`\delta_x = \delta_y` are theirs (life_min is their epsilon); the polynomials as in
        their code, teaspoon, which cuts off at the rectangle.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> d = cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,))
        >>> template_functions(d, resolution=(3, 2), im_range=(0, 4, 0, 3)).reshape(2, 3)
        tensor([[0.5000, 0.5000, 0.0000],
                [0.3333, 0.3333, 0.0000]])
    """
    check_diagrams(diagrams)
    counts, ends = check_templates(function, resolution, im_range)
    return templates_on(diagrams, function, counts, ends)


def check_templates(
    function: object, resolution: object, im_range: object
) -> tuple[tuple[int, int], Tensor]:
    """(n_birth, n_life) and (birth_min, birth_max, life_min, life_max), float64."""
    if function not in FUNCTIONS:
        raise InputError(f"`function` is {function!r}; expected one of {FUNCTIONS}.")
    image_grids((2, 2), im_range)  # a rectangle that has a size
    n_birth, n_life = map(len, image_grids(resolution, im_range))
    least = (2, 1) if function == "tent" else (2, 2)
    if n_birth < least[0] or n_life < least[1]:
        raise InputError(f"`resolution` is {resolution!r}; expected at least {least}.")
    ends = torch.tensor([float(end) for end in im_range], dtype=torch.float64)  # type: ignore[attr-defined]
    if ends[2] < 0:
        raise InputError(f"`im_range` is {im_range!r}; expected life_min >= 0.")
    return (n_birth, n_life), ends


def templates_on(
    diagrams: Diagrams, function: str, resolution: tuple[int, int], im_range: Tensor
) -> Tensor:
    """``template_functions`` without its checks."""
    basis = _tents if function == "tent" else _polynomials
    blocks = []
    for dimension in diagrams.homology_dimensions:
        birth, _, lifetime, counts = classes_of(diagrams, dimension)
        values = basis(birth, lifetime, *resolution, im_range.to(birth))
        blocks.append(segment_sum(values.flatten(1), counts))
    out = torch.stack(blocks, 1).flatten(0, 1)
    return from_blocks(out.to(diagrams.points.dtype), diagrams)


def _tents(birth: Tensor, lifetime: Tensor, n_birth: int, n_life: int, ends: Tensor) -> Tensor:
    """(n, n_life, n_birth); in units of the distance between two tents."""
    n = torch.arange(max(n_birth, n_life + 1), device=birth.device, dtype=birth.dtype)
    x = (birth - ends[0]) * ((n_birth - 1) / (ends[1] - ends[0]))
    y = (lifetime - ends[2]) * (n_life / (ends[3] - ends[2]))
    u = (x[:, None] - n[:n_birth]).abs()[:, None, :]
    v = (y[:, None] - n[1 : n_life + 1]).abs()[:, :, None]
    return torch.relu(1 - torch.maximum(u, v))


def _polynomials(
    birth: Tensor, lifetime: Tensor, n_birth: int, n_life: int, ends: Tensor
) -> Tensor:
    """(n, n_life, n_birth), zeros for classes outside the rectangle."""
    inside = (birth >= ends[0]) & (birth <= ends[1])
    inside = inside & (lifetime >= ends[2]) & (lifetime <= ends[3])
    x = _lagrange(birth.where(inside, ends[0]), n_birth, ends[0], ends[1]).abs()
    y = _lagrange(lifetime.where(inside, ends[2]), n_life, ends[2], ends[3]).abs()
    return (y[:, :, None] * x[:, None, :]).where(inside[:, None, None], 0.0)


def _lagrange(x: Tensor, n: int, low: Tensor, high: Tensor) -> Tensor:
    """(p, n): the Lagrange polynomials on n Chebyshev points of [low, high], ascending.

    By the products of their factors, so that nothing is divided by a distance to a node.
    """
    nodes = [-math.cos(math.pi * k / (n - 1)) for k in range(n)]
    t = (2 * x - (low + high)) / (high - low)
    before, after = [torch.ones_like(t)], [torch.ones_like(t)]
    for k in range(n - 1):
        before.append(before[-1] * (t - nodes[k]))
        after.append(after[-1] * (t - nodes[n - 1 - k]))
    columns = []
    for k, node in enumerate(nodes):
        scale = math.prod(node - other for other in nodes[:k] + nodes[k + 1 :])
        columns.append(before[k] * after[n - 1 - k] / scale)
    return torch.stack(columns, 1)
