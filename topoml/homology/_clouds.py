"""A batch of point clouds or distance matrices, side by side, and the values of their edges."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._core.errors import InputError
from ..kernels.distances import matrix_fault, mirrored
from ._checks import check_field
from ._gather import host_array

__all__ = ["Clouds", "check_box", "check_clouds", "check_length"]

Array = NDArray[Any]
NONE = np.empty(0)


@dataclass(frozen=True, eq=False)
class Clouds:
    """``points`` (sum n, d) or ``distances`` (sum n^2,), and ``weights`` (sum n,) or None.

    ``size`` (B,) holds the n; ``batch_shape`` has B samples; ``box`` (d,) is empty if not periodic.
    """

    points: Tensor | None
    distances: Tensor | None
    weights: Tensor | None
    size: Array
    batch_shape: torch.Size
    box: Array

    @property
    def given(self) -> Tensor:
        """The points or the distances."""
        found = self.distances if self.points is None else self.points
        assert found is not None
        return found

    @property
    def requires_grad(self) -> bool:
        """Whether anything in it does."""
        return self.given.requires_grad or (self.weights is not None and self.weights.requires_grad)

    @property
    def point_start(self) -> Array:
        """Row of each sample's first point, (B,)."""
        start: Array = np.cumsum(self.size) - self.size
        return start

    @property
    def matrix_start(self) -> Array:
        """Entry of each sample's distance (0, 0), (B,)."""
        start: Array = np.cumsum(self.size**2) - self.size**2
        return start

    def arrays(self) -> tuple[Array, Array, Array, Array, bool]:
        """Points (sum n, d), distances (sum n^2,), weights, box and whether to round to float32."""
        x, matrices = np.empty((0, 1)), NONE
        if self.points is not None:
            x = host_array(self.points).astype(np.float64)
        else:
            matrices = self._symmetric(host_array(self.given))
        weight = NONE if self.weights is None else host_array(self.weights).astype(np.float64)
        return x, matrices, weight, self.box, self.given.dtype != torch.float64

    def _symmetric(self, flat: Array) -> Array:
        """The distances, checked, their upper triangle mirrored where the lower one differs."""
        slack = 4 * math.sqrt(torch.finfo(self.given.dtype).eps)
        owned = False
        for number, (n, start) in enumerate(zip(self.size, self.matrix_start, strict=True)):
            matrix = flat[start : start + n * n].reshape(n, n)
            fault, i, j = matrix_fault(matrix, slack)
            if fault > 1:
                raise InputError(_FAULTS[fault].format(number, i, j, matrix[i, j], matrix[j, i]))
            if fault == 1:
                if not owned:
                    flat, owned = flat.copy(), True
                mirrored(flat[start : start + n * n].reshape(n, n))
        return flat

    def values(self, sample: Tensor, index: Tensor) -> Tensor:
        """Values of the edges i n + j of samples, differentiable; i n + i is the vertex i."""
        device = self.given.device
        number: Array = sample.cpu().numpy()
        entry: Array = index.cpu().numpy()
        n = self.size[number]
        i, j = entry // n, entry % n
        first = self.point_start[number]
        row = [torch.from_numpy(first + end).to(device) for end in (i, j)]
        if self.points is not None:
            points = self.points if self.points.dtype == torch.float64 else self.points.float()
            value = _distance(points[row[0]], points[row[1]], self.box)
        else:
            value = self.given[torch.from_numpy(self.matrix_start[number] + entry).to(device)]
            value = value.where(torch.from_numpy(i != j).to(device), 0.0)
        if self.weights is not None:
            a, b = self.weights[row[0]], self.weights[row[1]]
            joined, later = value + (a + b), 2 * a.where(a >= b, b)
            value = joined.where(joined >= later, later)
        return value.to(self.given.dtype)


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


def _distance(a: Tensor, b: Tensor, box: Array) -> Tensor:
    """Distances of rows, with subgradient 0 where they coincide and at half a box."""
    difference = a - b
    if box.size:
        length = torch.from_numpy(box).to(a)
        difference = difference - length * (difference.detach() / length).round()
        difference = difference.where(2 * difference.detach().abs() < length, difference.detach())
    square = (difference * difference).sum(-1)
    apart = square > 0
    return square.where(apart, 1.0).sqrt().where(apart, 0.0)


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
    """The arguments of ``rips_persistence`` side by side."""
    if (points is None) == (distances is None):
        both = "None" if points is None else "both given"
        raise InputError(f"`points`, `distances` are {both}; expected exactly one of them.")
    if points is None:
        name, shape = "distances", "(n, n)"
    else:
        name, shape = "points", "(n, d)"
    parts, batch_shape = _parts(name, points if distances is None else distances, shape, 2)
    size = np.array([part.shape[-2] for part in parts for _ in range(part[..., 0, 0].numel())])
    for number, part in enumerate(parts):
        if points is None and part.shape[-1] != part.shape[-2]:
            raise InputError(
                f"`distances` has shape {tuple(part.shape)}; expected (*batch, n, n), square."
            )
        if points is not None and part.shape[-1] != parts[0].shape[-1]:
            raise InputError(
                f"`points[{number}]` has shape {tuple(part.shape)}; expected (n, d) with d ="
                f" {parts[0].shape[-1]} as `points[0]` has."
            )
    d = parts[0].shape[-1]
    if box is not None and (points is None or len(box) not in (1, d)):
        expected = f"a length, or {d} of them" if points is not None else "None with `distances`"
        raise InputError(f"`periodic_box` is {box}; expected {expected}.")
    flat = _flat(parts, d if points is not None else None)
    if points is not None:
        _check_finite("points", flat)
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
        _check_finite("weights", loads)
    return Clouds(
        points=flat if points is not None else None,
        distances=flat if points is None else None,
        weights=loads,
        size=size,
        batch_shape=batch_shape,
        box=NONE if box is None else np.array(box if len(box) == d else box * d),
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


def _check_finite(name: str, x: Tensor) -> None:
    finite = x.detach().isfinite()
    if not bool(finite.all()):
        at = tuple(int(i) for i in (~finite).nonzero()[0])
        raise InputError(
            f"`{name}` is {x[at].item()} at {at}, counted through the batch; expected finite"
            " numbers."
        )
