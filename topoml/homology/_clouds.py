"""A batch of point clouds or distance matrices: tensors, their arrays, gradients of their edges."""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._core.errors import InputError
from ..kernels.distances import matrix_fault, mirrored
from ._checks import check_field
from ._gather import host_array

__all__ = [
    "NONE",
    "Arrays",
    "Cloud",
    "Clouds",
    "arrays_of",
    "check_box",
    "check_clouds",
    "check_length",
    "edge_gradients",
]

Array = NDArray[Any]
Cloud = tuple[Array, Array, Array, Array, bool, int]  # x, matrix, weight, box, single, n
NONE = np.empty(0)


class Clouds(NamedTuple):
    """Clouds one after the other, as the operator takes them.

    ``given``: points (sum n, d), or distances (sum n^2,); ``weights`` (sum n,) or None; ``sizes``:
    n of each sample, or one n for all; ``box`` (d,), empty if not periodic.
    """

    given: Tensor
    weights: Tensor | None
    sizes: list[int]
    box: list[float]
    batch_shape: torch.Size


class Arrays(NamedTuple):
    """Clouds on the CPU, as the kernels take them.

    ``x`` (sum n, d), ``matrices`` (sum n^2,), of which one is empty, and ``weight`` (sum n,) or
    empty; ``single``: values count in float32; ``size``, ``point_start``, ``matrix_start`` (B,).
    """

    x: Array
    matrices: Array
    weight: Array
    box: Array
    single: bool
    size: Array
    point_start: Array
    matrix_start: Array

    def cloud(self, s: int) -> Cloud:
        """Sample ``s``, its points as columns (d, n)."""
        n, o, m = int(self.size[s]), self.point_start[s], self.matrix_start[s]
        matrix = self.matrices[m : m + n * n] if len(self.matrices) else self.matrices
        matrix = matrix.reshape(n, n) if len(matrix) else matrix.reshape(0, 0)
        x, weight = np.ascontiguousarray(self.x[o : o + n].T), self.weight[o : o + n]
        return x, matrix, weight, self.box, self.single, n


def arrays_of(
    given: Tensor, weights: Tensor | None, sizes: Sequence[int], box: Sequence[float]
) -> Arrays:
    """The arrays of ``Clouds``; InputError for numbers that no cloud has."""
    is_matrix = given.ndim == 1
    size = np.array(sizes)
    if len(size) == 1:
        size = np.repeat(size, len(given) // (size[0] ** 2 if is_matrix else size[0]))
    x, matrices, weight = np.empty((0, 1)), NONE, NONE
    matrix_start = np.cumsum(size**2) - size**2
    if is_matrix:
        matrices = _symmetric(host_array(given), size, matrix_start, torch.finfo(given.dtype).eps)
    else:
        x = host_array(given).astype(np.float64)
        _check_finite("points", x)
    if weights is not None:
        weight = host_array(weights).astype(np.float64)
        _check_finite("weights", weight)
    return Arrays(
        x,
        matrices,
        weight,
        np.array(box, np.float64),
        given.dtype != torch.float64,
        size,
        np.cumsum(size) - size,
        matrix_start,
    )


def _symmetric(flat: Array, size: Array, matrix_start: Array, eps: float) -> Array:
    """The distances, checked, their upper triangle mirrored where the lower one differs."""
    slack = 4 * math.sqrt(eps)
    owned = False
    for number, (n, start) in enumerate(zip(size, matrix_start, strict=True)):
        matrix = flat[start : start + n * n].reshape(n, n)
        fault, i, j = matrix_fault(matrix, slack)
        if fault > 1:
            raise InputError(_FAULTS[fault].format(number, i, j, matrix[i, j], matrix[j, i]))
        if fault == 1:
            if not owned:
                flat, owned = flat.copy(), True
            mirrored(flat[start : start + n * n].reshape(n, n))
    return flat


_FAULTS = {
    2: "`distances` is NaN at ({1}, {2}) of sample {0}; expected numbers. Cure: +inf for an edge"
    " that never enters.",
    3: "`distances` is {3} at ({1}, {2}) of sample {0}; expected numbers >= 0, as vertices enter"
    " at 0.",
    4: "`distances` is {3} at ({1}, {2}) and {4} at ({2}, {1}) of sample {0}; expected a symmetric"
    " matrix. Cure: (distances + distances.mT) / 2.",
    5: "`distances` is {3} at ({1}, {2}) of sample {0}; expected zeros on the diagonal. Cure:"
    " `weights`, if vertices enter late.",
}


def edge_gradients(
    given: Tensor,
    weights: Tensor | None,
    sizes: Sequence[int],
    box: Sequence[float],
    samples: list[Tensor],
    indices: list[Tensor],
    grads: list[Tensor],
) -> tuple[Tensor, Tensor]:
    r"""Gradients in ``given`` and ``weights`` of values of edges i n + j, i + i n being a vertex.

    Those of :math:`\max(2 w_i, 2 w_j, d + w_i + w_j)` times ``grads``; none for an index of -1,
    which occurs without weights only. Differentiable; half precision is summed in float32. The
    second one is empty without weights.
    """
    sample, index, grad = torch.cat(samples), torch.cat(indices), torch.cat(grads)
    wide = torch.float64 if given.dtype == torch.float64 else torch.float32
    is_matrix = given.ndim == 1
    if len(sizes) == 1:
        n: Any = sizes[0]
        first, corner = sample * n, sample * n**2
    else:
        of = torch.tensor([sizes, [0, *accumulate(sizes[:-1])]], device=given.device)
        squares = torch.tensor([0, *accumulate(s**2 for s in sizes[:-1])], device=given.device)
        n, first, corner = of[0, sample], of[1, sample], squares[sample]
    grad = grad.to(wide)
    entry = index.clamp(min=0)  # the distance of a vertex to itself has no gradient
    i, j = entry // n, entry % n
    a, b = first + i, first + j
    if is_matrix:
        value = given[corner + entry].to(wide).where(i != j, 0.0)
    else:
        value, direction = _distance(given[a].to(wide), given[b].to(wide), box)
    on_weights = given.new_empty(0)
    if weights is not None:
        heavy, other = weights[a].to(wide), weights[b].to(wide)
        grows = value + (heavy + other) >= 2 * torch.maximum(heavy, other)
        to_first = grad.where(grows, 2 * grad.where(heavy >= other, 0.0))
        to_second = grad.where(grows, 2 * grad.where(heavy < other, 0.0))
        total = grad.new_zeros(weights.shape)
        total = total.index_add(0, a, to_first).index_add(0, b, to_second)
        on_weights = total.to(weights.dtype)
        grad = grad.where(grows, 0.0)
    total = grad.new_zeros(given.shape)
    if is_matrix:
        total = total.index_add(0, corner + entry, grad.where(i != j, 0.0))
    else:
        pull = grad[:, None] * direction
        total = total.index_add(0, a, pull).index_add(0, b, -pull)
    return total.to(given.dtype), on_weights


def _distance(a: Tensor, b: Tensor, box: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Distances of rows, and their gradients in ``a``: 0 where they coincide and at half a box."""
    difference = a - b
    if len(box):
        length = torch.tensor(box, dtype=a.dtype, device=a.device)
        difference = difference - length * (difference.detach() / length).round()
    square = (difference * difference).sum(-1)
    apart = square > 0
    distance = square.where(apart, 1.0).sqrt()
    direction = difference / distance[:, None]
    if len(box):
        direction = direction.where(2 * difference.abs() < length, 0.0)
    return distance.where(apart, 0.0), direction


def check_length(max_edge_length: object) -> float:
    """A number >= 0, or inf."""
    valid = isinstance(max_edge_length, (int, float)) and not isinstance(max_edge_length, bool)
    if not valid or not max_edge_length >= 0:  # type: ignore[operator]
        raise InputError(
            f"`max_edge_length` is {max_edge_length!r}; expected a number >= 0, or inf."
        )
    return float(max_edge_length)  # type: ignore[arg-type]


def check_box(periodic_box: object) -> tuple[float, ...] | None:
    """A positive number, or a sequence of them, one a dimension."""
    if periodic_box is None:
        return None
    lengths = tuple(periodic_box) if isinstance(periodic_box, Sequence) else (periodic_box,)
    for length in lengths or (None,):
        valid = isinstance(length, (int, float)) and not isinstance(length, bool)
        if not valid or not 0 < length < math.inf:
            raise InputError(
                f"`periodic_box` is {periodic_box!r}; expected a positive length, or one a"
                " dimension of the points."
            )
    return tuple(float(length) for length in lengths)


def check_clouds(
    points: object, distances: object, weights: object, box: tuple[float, ...] | None
) -> Clouds:
    """The arguments of ``rips_persistence`` one after the other; numbers are checked later."""
    if (points is None) == (distances is None):
        both = "None" if points is None else "both given"
        raise InputError(f"`points`, `distances` are {both}; expected exactly one of them.")
    if points is None:
        name, shape = "distances", "(n, n)"
    else:
        name, shape = "points", "(n, d)"
    parts, batch_shape = _parts(name, points if distances is None else distances, shape, 2)
    d = parts[0].shape[-1]
    for number, part in enumerate(parts):
        if points is None and part.shape[-1] != part.shape[-2]:
            raise InputError(
                f"`distances` has shape {tuple(part.shape)}; expected (*batch, n, n), square."
            )
        if points is not None and part.shape[-1] != d:
            raise InputError(
                f"`points[{number}]` has shape {tuple(part.shape)}; expected (n, d) with d = {d}"
                " as `points[0]` has."
            )
    if box is not None and (points is None or len(box) not in (1, d)):
        expected = f"a length, or {d} of them" if points is not None else "None with `distances`"
        raise InputError(f"`periodic_box` is {box}; expected {expected}.")
    loads = None
    if weights is not None:
        heavy, _ = _parts("weights", weights, "(n,)", 1)
        found = [(tuple(w.shape), w.dtype, w.device) for w in heavy]
        wanted = [(tuple(p.shape[:-1]), p.dtype, p.device) for p in parts]
        if found != wanted:
            a, b = next(
                ((f, w) for f, w in zip(found, wanted, strict=False) if f != w),
                (f"{len(found)} tensors", f"{len(wanted)} tensors"),
            )
            raise InputError(f"`weights` is {a}; expected {b}: one weight a point, as `{name}`.")
        loads = _flat(heavy, None)
    return Clouds(
        given=_flat(parts, d if points is not None else None),
        weights=loads,
        sizes=[part.shape[-2] for part in parts],
        box=[] if box is None else list(box if len(box) == d else box * d),
        batch_shape=batch_shape,
    )


def _parts(name: str, given: object, shape: str, own: int) -> tuple[list[Tensor], torch.Size]:
    """The tensors of a list, or the one tensor, and the batch shape they have."""
    if not isinstance(given, (list, tuple)):
        x = check_field(name, given, f"(*batch, {shape[1:]} or a list of {shape}", own)
        return [x], x.shape[:-own]
    if not given:
        raise InputError(f"`{name}` is an empty list; expected at least one tensor {shape}.")
    parts = [check_field(f"{name}[{i}]", x, shape, own) for i, x in enumerate(given)]
    for i, x in enumerate(parts):
        if x.ndim != own:
            raise InputError(f"`{name}[{i}]` has shape {tuple(x.shape)}; expected {shape}.")
        if (x.dtype, x.device) != (parts[0].dtype, parts[0].device):
            raise InputError(
                f"`{name}[{i}]` is {x.dtype} on {x.device}; expected {parts[0].dtype} on"
                f" {parts[0].device} as `{name}[0]` is."
            )
    return parts, torch.Size((len(parts),))


def _flat(parts: list[Tensor], last: int | None) -> Tensor:
    rows = [part.reshape(-1) if last is None else part.reshape(-1, last) for part in parts]
    return rows[0] if len(rows) == 1 else torch.cat(rows)


def _check_finite(name: str, x: Array) -> None:
    finite = np.isfinite(x)
    if not finite.all():
        at = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise InputError(
            f"`{name}` is {x[at]} at {at}, counted through the batch; expected finite numbers."
        )
