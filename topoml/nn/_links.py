"""Checks, shapes and weights that the gauge layers share."""

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from .._core.checks import check_count
from .._core.errors import InputError
from ..homology._checks import check_periodic
from ..kernels.links import flat, quaternion_exp

__all__ = [
    "COMPLEX",
    "GaugeGroup",
    "algebra_exp",
    "check_extents",
    "check_gauge_group",
    "check_kernel_size",
    "check_layer",
    "check_links",
    "check_loops",
    "check_open_axes",
    "complex_weight",
    "has_real_weights",
    "new_weight",
]

COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}

LINKS = "(B, dim, *L, N, N) complex or, for SU(2), (B, dim, *L, 4) real quaternions"
LOOPS = "(B, C, *L, N, N) complex or, for SU(2), (B, C, *L, 4) real quaternions"


@runtime_checkable
class GaugeGroup(Protocol):
    """What the gauge layers ask of a group: ``topoml.lie.U1()`` or ``topoml.lie.SU(n)``."""

    @property
    def matrix_size(self) -> int: ...

    @property
    def is_complex(self) -> bool: ...

    def exp(self, x: Tensor) -> Tensor: ...

    def project_algebra(self, m: Tensor) -> Tensor: ...


def check_gauge_group(group: object) -> GaugeGroup:
    """A group of unitary matrices."""
    if not isinstance(group, GaugeGroup) or not group.is_complex:
        raise InputError(
            f"`group` is {group!r}; expected a group of unitary matrices."
            " Cure: topoml.lie.U1() or topoml.lie.SU(n)."
        )
    return group


def check_kernel_size(kernel_size: object) -> int:
    """An integer of at least 0."""
    if type(kernel_size) is not int or kernel_size < 0:
        raise InputError(f"`kernel_size` is {kernel_size!r}; expected an integer of at least 0.")
    return kernel_size


def check_open_axes(periodic: object, dim: int) -> tuple[bool, ...]:
    """One bool, or one a lattice axis."""
    return check_periodic(periodic, dim)


def check_links(u: object, dim: int | None = None, n: int | None = None) -> int:
    """Links of ``dim`` directions and matrix size ``n``, where these are given; returns dim."""
    shape, tail = _field_shape("U", u, LINKS)
    lattice = len(shape) - 2 - tail
    if lattice != shape[1] or lattice < 1 or (dim is not None and lattice != dim):
        wanted = "as many directions on axis 1 as there are lattice axes"
        raise InputError(
            f"`U` has shape {shape}; expected {LINKS}, {wanted}"
            + (f", here {dim}." if dim is not None else ".")
        )
    _check_size("U", shape, tail, n)
    return lattice


def check_loops(
    w: object, *, dim: int, n: int, channels: int | None = None, links: Tensor | None = None
) -> Tensor:
    """Locally transforming matrices, with the batch, lattice and dtype of ``links``."""
    shape, tail = _field_shape("W", w, LOOPS)
    if len(shape) != 2 + dim + tail or (channels is not None and shape[1] != channels):
        raise InputError(
            f"`W` has shape {shape}; expected {LOOPS}, with {dim} lattice axes"
            + (f" and C = {channels}." if channels is not None else ".")
        )
    _check_size("W", shape, tail, n)
    assert isinstance(w, Tensor)
    if links is not None:
        if w.dtype != links.dtype or w.device != links.device:
            raise InputError(
                f"`W` is {w.dtype} on {w.device}; expected {links.dtype} on {links.device}, those"
                " of `U`. Cure: W.to(U)."
            )
        if shape[0] != links.shape[0] or shape[2:] != tuple(links.shape[2:]):
            raise InputError(
                f"`W` has shape {shape}; expected the batch and lattice of `U`,"
                f" {tuple(links.shape)}."
            )
    return w


def has_real_weights(group: GaugeGroup) -> bool:
    """SU(2), whose real multiples are closed under real weights."""
    return group.matrix_size == 2


def new_weight(group: GaugeGroup, *shape: int, variance: float) -> nn.Parameter:
    """Normal, one real number a weight for SU(2), else (.., 2) for the two of a complex one."""
    if has_real_weights(group):
        return nn.Parameter(torch.randn(shape) * math.sqrt(variance))
    return nn.Parameter(torch.randn(*shape, 2) * math.sqrt(variance / 2))


def complex_weight(weight: Tensor, group: GaugeGroup, like: Tensor) -> Tensor:
    """The weights, real or complex, in the precision of ``like``."""
    weight = weight.to(like.real.dtype)
    return weight if has_real_weights(group) else torch.view_as_complex(weight)


def algebra_exp(group: GaugeGroup, x: Tensor) -> Tensor:
    """exp of the anti-Hermitian (traceless, but for U(1)) part of planar x, planar."""
    if not x.is_complex():
        return quaternion_exp(x[1:])
    matrices = group.exp(group.project_algebra(flat(x).contiguous()))
    return matrices.movedim((-2, -1), (0, 1))


def check_extents(extents: object) -> tuple[tuple[int, int], ...]:
    """Pairs of side lengths."""
    valid = isinstance(extents, Sequence) and not isinstance(extents, str) and len(extents) > 0
    pairs = [tuple(e) if isinstance(e, Sequence) else () for e in extents] if valid else []  # type: ignore[attr-defined]
    if not valid or not all(
        len(pair) == 2 and all(type(side) is int and side >= 1 for side in pair) for pair in pairs
    ):
        raise InputError(
            f"`extents` is {extents!r}; expected pairs of integers of at least 1, such as"
            " ((1, 1), (1, 2))."
        )
    return tuple((pair[0], pair[1]) for pair in pairs)


def check_layer(in_channels: int, out_channels: int, dim: int) -> tuple[int, int, int]:
    """Three integers of at least 1."""
    return (
        check_count("in_channels", in_channels),
        check_count("out_channels", out_channels),
        check_count("dim", dim),
    )


def _field_shape(name: str, x: object, expected: str) -> tuple[tuple[int, ...], int]:
    """Shape, and the number of axes of one matrix or quaternion."""
    if not isinstance(x, Tensor):
        raise InputError(f"`{name}` is {type(x).__name__}; expected a torch.Tensor {expected}.")
    shape = tuple(x.shape)
    square = x.is_complex() and x.ndim >= 4 and shape[-1] == shape[-2]
    quaternion = x.is_floating_point() and x.ndim >= 3 and shape[-1] == 4
    if not square and not quaternion:
        raise InputError(f"`{name}` has shape {shape} and dtype {x.dtype}; expected {expected}.")
    return shape, 2 if square else 1


def _check_size(name: str, shape: tuple[int, ...], tail: int, n: int | None) -> None:
    size = shape[-1] if tail == 2 else 2
    if n is not None and size != n:
        raise InputError(
            f"`{name}` has shape {shape}, of {size} x {size} matrices; expected those of the"
            f" group, {n} x {n}."
        )
