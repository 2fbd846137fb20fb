"""Argument checks and start values that the layers on lattices share."""

import math

import torch
from torch import Tensor, nn

from .._core.errors import InputError

__all__ = [
    "check_kernel",
    "check_lattice",
    "check_odd",
    "fold_spins",
    "spin_length",
    "start_weight",
    "unfold_spins",
]


def check_odd(kernel_size: object) -> int:
    """An odd integer of at least 1."""
    if type(kernel_size) is not int or kernel_size < 1 or kernel_size % 2 == 0:
        raise InputError(
            f"`kernel_size` is {kernel_size!r}; expected an odd integer of at least 1, whose middle"
            " is a site."
        )
    return kernel_size


def check_lattice(
    name: str,
    x: object,
    expected: str,
    n_axes: int,
    channels: int | None = None,
    *,
    more_axes: bool = False,
    is_complex: bool = False,
) -> Tensor:
    """Real (or complex) floats with so many axes, or more, and channels, and no empty axis."""
    if not isinstance(x, Tensor):
        raise InputError(f"`{name}` is {type(x).__name__}; expected a torch.Tensor {expected}.")
    wrong = x.ndim < n_axes if more_axes else x.ndim != n_axes
    if wrong or x.numel() == 0 or (channels is not None and x.shape[1] != channels):
        count = "" if channels is None else f" with C = {channels}"
        raise InputError(f"`{name}` has shape {tuple(x.shape)}; expected {expected}{count}.")
    if not (x.is_complex() if is_complex else x.is_floating_point()):
        words = ("complex numbers", "angle_harmonics(angles, charges)")
        dtype, cure = words if is_complex else ("floats", f"{name}.float()")
        raise InputError(f"`{name}` has dtype {x.dtype}; expected {dtype}. Cure: {cure}.")
    return x


def check_kernel(name: str, sides: torch.Size, kernel_size: int) -> None:
    """Sides that a kernel wraps around at most once in either direction."""
    if min(sides) < kernel_size // 2:
        raise InputError(
            f"`{name}` has a lattice {tuple(sides)}; expected sides of at least {kernel_size // 2}"
            f" for a kernel of {kernel_size}."
        )


def fold_spins(x: Tensor) -> Tensor:
    """(B, C, *sites, n) -> (B n, C, *sites): the components as samples of their own."""
    return x.movedim(-1, 1).flatten(0, 1)


def spin_length(x: Tensor) -> Tensor:
    """Euclidean length over the last axis, kept as 1; gradient 0 where it is 0.

    As a sum of squares, since ``vector_norm`` is slow where the components are far apart in memory.
    """
    square = x.square().sum(-1, keepdim=True)
    some = square > 0
    return square.where(some, 1.0).sqrt().where(some, 0.0)


def unfold_spins(y: Tensor, n: int) -> Tensor:
    """(B n, C, *sites) -> (B, C, *sites, n)."""
    return y.reshape(-1, n, *y.shape[1:]).movedim(1, -1)


def start_weight(*shape: int, fan_in: int) -> nn.Parameter:
    """Uniform of mean 0 and variance 1 / fan_in (torch's generator)."""
    bound = math.sqrt(3 / fan_in)
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
