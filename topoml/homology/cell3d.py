"""Pairs of explicit filtrations of the cubic lattice, on the grid of twice the side."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels.batch import Chunk, PackedPairs, pair_batch
from ..kernels.cubical3d import gradient_pairs, star_tables

__all__ = ["AXES_OF_CELLS", "pair_cells_3d"]

Array = NDArray[Any]

# Axes along which the cells of each tensor extend, in the order of their entries.
AXES_OF_CELLS: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((),),
    ((0,), (1,), (2,)),
    ((0, 1), (0, 2), (1, 2)),
    ((0, 1, 2),),
)


def _present(shape: tuple[int, ...], wrap: tuple[bool, ...], axes: tuple[int, ...]) -> Array:
    """Which of the cells that extend along ``axes`` exist."""
    present = np.ones(shape, bool)
    for a in axes:
        if not wrap[a]:
            present[(slice(None),) * a + (-1,)] = False
    return present


def _largest_side(value: Array, entry: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Value and entry of the largest facet of the cells along ``axes``, the lower among equals.

    ``value``, ``entry`` (B, 2 ** 3, D, H, W): by the cell's axes as bits.
    """
    number = sum(1 << a for a in axes)
    best_value = best_entry = None
    for a in axes:
        for shift in (0, -1):
            v = np.roll(value[:, number - (1 << a)], shift, 1 + a)
            e = np.roll(entry[:, number - (1 << a)], shift, 1 + a)
            if best_value is None or best_entry is None:
                best_value, best_entry = v, e
                continue
            better = (v > best_value) | ((v == best_value) & (e < best_entry))
            best_value, best_entry = (
                np.where(better, v, best_value),
                np.where(better, e, best_entry),
            )
    assert best_value is not None
    assert best_entry is not None
    return best_value, best_entry


def pair_cells_3d(
    values: Array,
    shape: tuple[int, int, int],
    given: tuple[bool, bool, bool],
    dimensions: tuple[int, ...],
    wrap: tuple[bool, bool, bool],
    n_threads: int,
) -> PackedPairs | None:
    """Pairs of concatenated values (B, entries) of vertices, edges, faces and cubes.

    ``given``: whether vertices, faces and cubes are among them; vertices that are not enter at 0
    with entry -1, faces and cubes with the largest of their sides. Each cell becomes a vertex of
    the grid of twice the side, whose sublevel sets, by the rank of the cells in the order (value,
    dimension, entry), are the barycentric subdivisions of the filtration's.
    """
    n = len(values)
    sites = shape[0] * shape[1] * shape[2]
    value = np.zeros((n, 8, *shape), values.dtype)
    entry = np.full((n, 8, *shape), -1, np.int64)
    start = 0
    has_vertex, has_face, has_cube = given
    for k, has in enumerate((has_vertex, True, has_face, has_cube)):
        for axes in AXES_OF_CELLS[k]:
            number = sum(1 << a for a in axes)
            if has:
                value[:, number] = values[:, start : start + sites].reshape(n, *shape)
                entry[:, number] = np.arange(start, start + sites).reshape(shape)
                start += sites
            elif k > 1:
                value[:, number], entry[:, number] = _largest_side(value, entry, axes)
    grid_shape = tuple(2 * m if w else 2 * m - 1 for m, w in zip(shape, wrap, strict=True))
    cell_value = np.empty((n, *grid_shape), values.dtype)
    cell_entry = np.empty((n, *grid_shape), np.int64)
    cell_key = np.empty(grid_shape, np.int64)  # dimension, then the cell's own place
    for number in range(8):
        axes = tuple(a for a in range(3) if number >> a & 1)
        inside: tuple[Any, ...] = np.ix_(
            *(
                range(m if w or a not in axes else m - 1)
                for a, (m, w) in enumerate(zip(shape, wrap, strict=True))
            )
        )
        at: tuple[Any, ...] = tuple(slice(number >> a & 1, None, 2) for a in range(3))
        cell_value[(slice(None), *at)] = value[:, number][(slice(None), *inside)]
        cell_entry[(slice(None), *at)] = entry[:, number][(slice(None), *inside)]
        order = AXES_OF_CELLS[len(axes)].index(axes)
        place = (3 * len(axes) + order) * sites + np.arange(sites).reshape(shape)
        cell_key[at] = place[inside]
    cells = cell_key.size
    flat = cell_value.reshape(n, cells)
    source = cell_entry.reshape(n, cells)
    by_key = np.argsort(cell_key.reshape(-1))
    rank = np.empty((n, cells))
    for s in range(n):
        order_ = by_key[np.argsort(flat[s, by_key], kind="stable")]
        rank[s, order_] = np.arange(cells)
    grid = rank.reshape(n, *grid_shape)
    want = tuple(d in dimensions for d in range(4))
    packed = pair_batch(
        lambda begin, end, stop: Chunk(*gradient_pairs(
            grid, np.empty(0, np.uint64), begin, end, 1.0, wrap, False, star_tables(),
            (want[0], want[1], want[2], want[3]), stop,
        )),
        n,
        cells,
        n_threads,
    )  # fmt: skip
    return None if packed is None else _of_cells(packed, flat, source)


def _of_cells(packed: PackedPairs, flat: Array, source: Array) -> PackedPairs:
    """From grid points to the entries of the cells; classes of no length and at infinity go."""
    number = packed.sample
    birth, death = flat[number, packed.birth], flat[number, packed.death]
    long = (birth < death) & (birth < np.inf)
    finite, forever = long & (death < np.inf), long & (death == np.inf)
    start = flat[packed.essential_sample, packed.essential_entry]
    real = start < np.inf
    essential = np.concatenate([start[real], birth[forever]])
    entry = np.concatenate(
        [
            source[packed.essential_sample, packed.essential_entry][real],
            source[number, packed.birth][forever],
        ]
    )
    dimension = np.concatenate([packed.essential_dimension[real], packed.dimension[forever]])
    sample = np.concatenate([packed.essential_sample[real], number[forever]])
    order = np.lexsort((dimension, sample))
    return PackedPairs(
        points=np.stack([birth, death], 1)[finite],
        birth=source[number, packed.birth][finite],
        death=source[number, packed.death][finite],
        dimension=packed.dimension[finite],
        sample=number[finite],
        essential=essential[order],
        essential_entry=entry[order],
        essential_dimension=dimension[order],
        essential_sample=sample[order],
    )
