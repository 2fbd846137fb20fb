"""Argument checks that groups and manifolds share."""

import torch
from torch import Tensor

from .._core.errors import InputError

__all__ = ["ROUNDINGS", "check_dtype", "check_near", "check_points"]

ROUNDINGS = 100  # units of eps by which points may be off their space


def check_dtype(name: str, dtype: object, is_complex: bool) -> None:
    """A complex dtype for complex groups, a float one for the others."""
    kind = "a complex dtype, such as torch.complex64" if is_complex else "a float dtype"
    fits = isinstance(dtype, torch.dtype) and (
        dtype.is_complex if is_complex else dtype.is_floating_point
    )
    if not fits:
        raise InputError(f"`{name}` is {dtype}; expected {kind}.")


def check_points(name: str, x: object, shape: tuple[int, ...], space: object) -> Tensor:
    """A tensor (..., *shape)."""
    expected = f"(..., {', '.join(map(str, shape))}), the points of {space}"
    if not isinstance(x, Tensor):
        raise InputError(
            f"`{name}` is {type(x).__name__}; expected a torch.Tensor {expected}."
            f" Cure: torch.as_tensor({name})."
        )
    if x.ndim < len(shape) or tuple(x.shape[x.ndim - len(shape) :]) != shape:
        raise InputError(f"`{name}` has shape {tuple(x.shape)}; expected {expected}.")
    return x


def check_near(name: str, defect: Tensor, law: str, cure: str) -> None:
    """A defect of at most `ROUNDINGS`; NaN is none."""
    worst = float(defect.detach().abs().max()) if defect.numel() else 0.0
    if not worst <= ROUNDINGS * torch.finfo(defect.dtype).eps:
        raise InputError(f"`{name}` is off {law} by {worst:.2g}; expected 0. Cure: {cure}.")
