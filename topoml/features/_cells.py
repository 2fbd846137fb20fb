"""Operators of the Euler characteristic of parts of a lattice: cells, and sums over them.

They run in float64 on the CPU; each sample is summed in an order of its own.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._core.errors import InputError
from ..homology._gather import host_array, operator
from ..kernels.euler import gather_cells, sum_cells
from ._rows import array_of, over_rows

__all__ = ["cell_gathers", "cell_sums", "cells_of", "lattice_grid", "level_counts"]

Array = NDArray[Any]

_ROUNDING = 1e-12  # of the largest height: what a site may exceed its threshold by


@operator
def lattice_grid(shape: Sequence[int], directions: Tensor, n: int) -> Tensor:
    """n thresholds from -r to r, the largest height of a site in any of the directions."""
    ends = np.array([(length - 1) / 2 for length in shape])
    r = (np.abs(array_of(directions)) * ends).sum(1).max()
    return torch.from_numpy(np.linspace(-r, r, n))


def cells_of(x: Any, n_axes: int, extreme: Callable[[Any, Any], Any]) -> list[Any]:  # noqa: ANN401
    """Values of the cells of a lattice by those of its sites, on the last axes of ``x``.

    One array for each set of axes that a cell extends along, in the order of the binary number of
    the set: vertices, edges along the last axis, edges along the one before it, squares...
    """
    cells = [x]
    for axis in range(n_axes):
        rest = (slice(None),) * axis
        low, high = (..., slice(None, -1), *rest), (..., slice(1, None), *rest)
        cells += [extreme(cell[low], cell[high]) for cell in cells]
    return cells


def _signs(shape: Sequence[int]) -> Array:
    """(-1)^dimension of each cell, (M,)."""
    cells = cells_of(np.zeros(shape, np.int8), len(shape), np.maximum)
    signs = [np.full(c.size, 1 - 2 * (i.bit_count() % 2), np.int8) for i, c in enumerate(cells)]
    return np.concatenate(signs)


def _entries(shape: Sequence[int], directions: Array, grid: Array) -> Iterator[Array]:
    """(M,) for each direction: the grid point at which each cell enters, with its highest site.

    The origin is the middle of the lattice. Heights equal but for rounding enter together.
    """
    places = np.ix_(*(np.arange(length) - (length - 1) / 2 for length in shape))
    for direction in directions:
        height = sum(v * place for v, place in zip(direction, places, strict=True))
        slack = _ROUNDING * float(np.abs(height).max(initial=0.0))
        sites = np.searchsorted(grid + slack, height)
        yield np.concatenate([c.ravel() for c in cells_of(sites, len(shape), np.maximum)])


def _summed(
    weight: Array, shape: Sequence[int], directions: Array, grid: Array, out: Array
) -> None:
    """out (D, B, n): the sums of weights (B, M) of the cells below each threshold."""
    for sums, entry in zip(out, _entries(shape, directions, grid), strict=True):
        over_rows(
            lambda p, sums=sums, entry=entry: sum_cells(weight[p], entry, sums[p]),  # type: ignore[misc]
            np.arange(len(weight)),
            len(entry),
        )


@operator
def level_counts(
    x: Tensor, directions: Tensor, levels: Tensor, grid: Tensor, superlevel: bool
) -> Tensor:
    """(levels, D, B, n): Euler characteristics of {x <= level} below each threshold, (B, *L)."""
    field, v, t, borders = host_array(x), array_of(directions), array_of(grid), array_of(levels)
    if np.isnan(field).any():
        raise InputError("`x` has a NaN; expected numbers. Cure: mask the entry with an infinity.")
    shape = field.shape[1:]
    cells = cells_of(field, len(shape), np.minimum if superlevel else np.maximum)
    value = np.concatenate([c.reshape(len(field), math.prod(c.shape[1:])) for c in cells], 1)
    signs, out = _signs(shape), np.empty((len(borders), len(v), len(field), len(t)))
    for border, sums in zip(borders, out, strict=True):
        inside = value >= border if superlevel else value <= border
        _summed(inside * signs, shape, v, t, sums)
    return torch.from_numpy(out)


@operator
def cell_sums(value: Tensor, shape: Sequence[int], directions: Tensor, grid: Tensor) -> Tensor:
    """(D, B, n): (-1)^dimension times value (B, M), added up over the cells below a threshold."""
    w, v, t = (array_of(x) for x in (value, directions, grid))
    if not np.isfinite(w).all():
        raise InputError("`x` has a NaN or an infinite entry; expected finite values, as weights.")
    out = np.empty((len(v), len(w), len(t)))
    _summed(w * _signs(shape), shape, v, t, out)
    return torch.from_numpy(out)


@operator
def cell_gathers(grad: Tensor, shape: Sequence[int], directions: Tensor, grid: Tensor) -> Tensor:
    """(B, M): the adjoint of ``cell_sums``, from grad (D, B, n)."""
    g, v, t = (array_of(x) for x in (grad, directions, grid))
    signs = _signs(shape)
    out = np.zeros((g.shape[1], len(signs)))
    for values, entry in zip(g, _entries(shape, v, t), strict=True):
        over_rows(
            lambda p, values=values, entry=entry: gather_cells(values[p], entry, out[p]),  # type: ignore[misc]
            np.arange(len(out)),
            len(entry),
        )
    return torch.from_numpy(out * signs)


def _fake_grid(shape: Sequence[int], directions: Tensor, n: int) -> Tensor:
    return directions.new_empty(n, dtype=torch.float64, device="cpu")


def _fake_counts(
    x: Tensor, directions: Tensor, levels: Tensor, grid: Tensor, superlevel: bool
) -> Tensor:
    shape = len(levels), len(directions), len(x), len(grid)
    return x.new_empty(shape, dtype=torch.float64, device="cpu")


def _fake_cell_sums(
    value: Tensor, shape: Sequence[int], directions: Tensor, grid: Tensor
) -> Tensor:
    return value.new_empty(len(directions), len(value), len(grid))


def _fake_cell_gathers(
    grad: Tensor, shape: Sequence[int], directions: Tensor, grid: Tensor
) -> Tensor:
    n_cells = 1
    for length in shape:
        n_cells = n_cells * (2 * length - 1)
    return grad.new_empty(grad.shape[1], n_cells)


def _setup_cells(ctx: Any, inputs: Any, output: Tensor) -> None:  # noqa: ANN401
    _, ctx.shape, *rest = inputs
    ctx.save_for_backward(*rest)


def _cell_sums_backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
    return cell_gathers(grad, ctx.shape, *ctx.saved_tensors), None, None, None


def _cell_gathers_backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
    return cell_sums(grad, ctx.shape, *ctx.saved_tensors), None, None, None


for _op, _fake, _backward in (
    (cell_sums, _fake_cell_sums, _cell_sums_backward),
    (cell_gathers, _fake_cell_gathers, _cell_gathers_backward),
):
    torch.library.register_fake(_op, _fake)
    torch.library.register_autograd(_op, _backward, setup_context=_setup_cells)
torch.library.register_fake(lattice_grid, _fake_grid)
torch.library.register_fake(level_counts, _fake_counts)
