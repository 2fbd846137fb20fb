"""Operators of the Euler characteristic of embedded complexes: heights, stars, sums of sigmoids.

They run in float64 on the CPU and sum each entry of a result in an order of its own, so that it
does not depend on its neighbours, bit for bit. Differentiable any number of times.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._core.errors import InputError
from ..homology._gather import operator
from ..kernels.euler import add_stars, gather_sigmoids, multiply, sum_sigmoids
from ._rows import array_of, over_rows

__all__ = ["product", "sigmoid_gathers", "sigmoid_sums", "star_weights"]

Array = NDArray[Any]


@operator
def product(a: Tensor, b: Tensor) -> Tensor:
    """a @ b, whose entries do not depend on how many rows and columns there are, bit for bit."""
    left, right = array_of(a), array_of(b)
    out = np.empty((len(left), right.shape[1]))
    multiply(left, right, out)
    return torch.from_numpy(out)


@operator
def star_weights(
    height: Tensor,
    edges: Tensor | None,
    faces: Tensor | None,
    tetrahedra: Tensor | None,
    batch: Tensor | None,
) -> Tensor:
    """Signs of the simplices that enter with each vertex, added up, for heights (D, B, n).

    With a vertex enter itself, +1, and each edge (-1), triangle (+1) and tetrahedron (-1) of which
    it is the highest vertex (of equal ones the first). Sides of what is listed are there, too.
    """
    h = array_of(height)
    given = {"tetrahedra": tetrahedra, "faces": faces, "edges": edges}
    listed = {name: array_of(x) for name, x in given.items() if x is not None}
    graph_of = None if batch is None else array_of(batch)
    for name, simplices in listed.items():
        _check_entries(name, simplices, h.shape[2], graph_of)
    out = np.ones(h.shape)
    for rows, sign in _complex(listed):
        over_rows(
            lambda part, rows=rows, sign=sign: add_stars(h[part], rows, sign, out[part]),  # type: ignore[misc]
            np.arange(len(h)),
            h.shape[1] * len(rows),
        )
    return torch.from_numpy(out)


def _check_entries(name: str, simplices: Array, n: int, graph_of: Array | None) -> None:
    """Vertices that exist, of one graph."""
    outside = ((simplices < 0) | (simplices >= n)).any(0)
    if outside.any():
        at = int(outside.argmax())
        raise InputError(
            f"`{name}` is {tuple(map(int, simplices[:, at]))} at [:, {at}]; expected entries from 0"
            f" to {n - 1}, as there are {n} points."
        )
    if graph_of is None:
        return
    graphs = graph_of[simplices]
    between = (graphs != graphs[:1]).any(0)
    if between.any():
        at = int(between.argmax())
        raise InputError(
            f"`{name}` is {tuple(map(int, simplices[:, at]))} at [:, {at}], points of the samples"
            f" {tuple(map(int, graphs[:, at]))}; expected simplices within one sample. Cure: shift"
            " each sample's entries by its first point."
        )


def _complex(listed: dict[str, Array]) -> Iterator[tuple[Array, float]]:
    """The distinct simplices (N, k) of what is listed (k, any), with sides, and their sign."""
    sides = np.empty((4, 0), np.int64)
    for k, name, sign in ((4, "tetrahedra", -1.0), (3, "faces", 1.0), (2, "edges", -1.0)):
        simplices = np.concatenate([listed[name], sides], 1) if name in listed else sides
        yield _distinct(simplices), sign
        sides = np.concatenate([simplices[list(c)] for c in combinations(range(k), k - 1)], 1)


def _distinct(simplices: Array) -> Array:
    """(N, k): each set of k vertices among the columns of (k, any) once, in ascending order."""
    ordered = np.sort(simplices, 0)
    ordered = ordered[:, (ordered[1:] != ordered[:-1]).all(0)]
    ordered = ordered[:, np.lexsort(ordered[::-1])]
    new = np.ones(ordered.shape[1], np.bool_)
    new[1:] = (ordered[:, 1:] != ordered[:, :-1]).any(0)
    return np.ascontiguousarray(ordered[:, new].T)


@operator
def sigmoid_sums(
    weight: Tensor,
    height: Tensor,
    block: Tensor,
    n_blocks: int,
    grid: Tensor,
    sharpness: float,
    order: int,
) -> Tensor:
    """(D, n_blocks, n): weights (D, P) times S(sharpness (grid - height)), added up by block (P,).

    S is the derivative of the ``order`` of the sigmoid, or, for infinite sharpness, the step. The
    gradient in the weights is for orders of at least 1.
    """
    w, h, of, t = (array_of(x) for x in (weight, height, block, grid))
    if not np.isfinite(h).all():
        raise InputError("`points` or `directions` has a NaN or an infinite entry; expected none.")
    if len(of) and not 0 <= of.min() <= of.max() < n_blocks:
        raise InputError(
            f"`batch` is {of.min()} at {of.argmin()}; expected numbers of samples, from 0 on."
        )
    out = np.zeros((len(h), n_blocks, len(t)))
    coefficients = _coefficients(order)
    over_rows(
        lambda p: sum_sigmoids(w[p], h[p], of, t, sharpness, order, coefficients, out[p]),
        np.arange(len(h)),
        len(of) * len(t),
    )
    return torch.from_numpy(out)


@operator
def sigmoid_gathers(
    values: Tensor, height: Tensor, block: Tensor, grid: Tensor, sharpness: float, order: int
) -> Tensor:
    """(D, P): sums over the grid of values (D, n_blocks, n) times S, of an order of at least 1."""
    v, h, of, t = (array_of(x) for x in (values, height, block, grid))
    out = np.empty(h.shape)
    coefficients = _coefficients(order)
    over_rows(
        lambda p: gather_sigmoids(v[p], h[p], of, t, sharpness, order, coefficients, out[p]),
        np.arange(len(h)),
        len(of) * len(t),
    )
    return torch.from_numpy(out)


def _coefficients(order: int) -> Array:
    """Of the polynomial Q of p = S(z) for which p (1 - p) Q is the derivative of the ``order``."""
    q: Array = np.ones(1)
    for _ in range(order - 1):  # by p^k comes (k + 1) p^k - (k + 2) p^(k + 1), as p' = p (1 - p)
        k = np.arange(len(q))
        q = np.append((k + 1) * q, 0.0) - np.append(0.0, (k + 2) * q)
    return q


def _fake_product(a: Tensor, b: Tensor) -> Tensor:
    return a.new_empty(a.shape[0], b.shape[1])


def _fake_stars(height: Tensor, *_: Tensor | None) -> Tensor:
    return torch.empty_like(height)


def _fake_sums(
    weight: Tensor,
    height: Tensor,
    block: Tensor,
    n_blocks: int,
    grid: Tensor,
    sharpness: float,
    order: int,
) -> Tensor:
    return height.new_empty(height.shape[0], n_blocks, grid.shape[0])


def _fake_gathers(
    values: Tensor, height: Tensor, block: Tensor, grid: Tensor, sharpness: float, order: int
) -> Tensor:
    return torch.empty_like(height)


def _setup_product(ctx: Any, inputs: Any, output: Tensor) -> None:  # noqa: ANN401
    ctx.save_for_backward(*inputs)


def _product_backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
    a, b = ctx.saved_tensors
    by_a = product(grad, b.mT) if ctx.needs_input_grad[0] else None
    return by_a, product(a.mT, grad) if ctx.needs_input_grad[1] else None


def _setup_sums(ctx: Any, inputs: Any, output: Tensor) -> None:  # noqa: ANN401
    weight, height, block, _, grid, ctx.sharpness, ctx.order = inputs
    ctx.save_for_backward(weight, height, block, grid)


def _sums_backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
    weight, height, block, grid = ctx.saved_tensors
    by_weight = by_height = None
    if ctx.needs_input_grad[0]:
        by_weight = sigmoid_gathers(grad, height, block, grid, ctx.sharpness, ctx.order)
    if ctx.needs_input_grad[1]:
        slope = sigmoid_gathers(grad, height, block, grid, ctx.sharpness, ctx.order + 1)
        by_height = -ctx.sharpness * weight * slope
    return by_weight, by_height, None, None, None, None, None


def _setup_gathers(ctx: Any, inputs: Any, output: Tensor) -> None:  # noqa: ANN401
    values, height, block, grid, ctx.sharpness, ctx.order = inputs
    ctx.save_for_backward(values, height, block, grid)


def _gathers_backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
    values, height, block, grid = ctx.saved_tensors
    s, order = ctx.sharpness, ctx.order
    by_values = by_height = None
    if ctx.needs_input_grad[0]:
        by_values = sigmoid_sums(grad, height, block, values.shape[1], grid, s, order)
    if ctx.needs_input_grad[1]:
        by_height = -s * grad * sigmoid_gathers(values, height, block, grid, s, order + 1)
    return by_values, by_height, None, None, None, None


for _op, _fake, _setup, _backward in (
    (product, _fake_product, _setup_product, _product_backward),
    (sigmoid_sums, _fake_sums, _setup_sums, _sums_backward),
    (sigmoid_gathers, _fake_gathers, _setup_gathers, _gathers_backward),
):
    torch.library.register_fake(_op, _fake)
    torch.library.register_autograd(_op, _backward, setup_context=_setup)
torch.library.register_fake(star_weights, _fake_stars)
