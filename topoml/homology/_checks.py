"""Argument checks that the complexes share."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .._core.errors import InputError

__all__ = [
    "AXES",
    "check_construction",
    "check_dimensions",
    "check_field",
    "check_not_nan",
    "check_periodic",
    "check_spatial_dims",
    "check_superlevel",
    "check_tensor",
]

AXES = ("C", "D", "H", "W")  # the spatial ones, of which the last count


def check_tensor(name: str, x: object, shape: str, n_axes: int) -> Tensor:
    """A tensor with at least ``n_axes`` axes and at least one entry."""
    if not isinstance(x, Tensor):
        raise InputError(
            f"`{name}` is {type(x).__name__}; expected a torch.Tensor {shape}."
            f" Cure: torch.as_tensor({name})."
        )
    if x.ndim < n_axes:
        raise InputError(f"`{name}` has shape {tuple(x.shape)}; expected {shape}.")
    if x.numel() == 0:
        raise InputError(
            f"`{name}` has shape {tuple(x.shape)}, no entry at all; expected {shape} with every"
            " axis at least 1."
        )
    return x


def check_field(name: str, x: object, shape: str, n_axes: int) -> Tensor:
    """A tensor of floats with at least ``n_axes`` axes and at least one entry."""
    x = check_tensor(name, x, shape, n_axes)
    if not x.is_floating_point():
        raise InputError(
            f"`{name}` has dtype {x.dtype}; expected a floating dtype. Cure: {name}.float()."
        )
    return x


def check_not_nan(name: str, x: Tensor) -> None:
    """No NaN; one pass, as the minimum of a tensor with a NaN is NaN.

    Nothing while torch compiles, which cannot look at values: the operators look for NaN, too.
    """
    if torch.compiler.is_compiling():
        return
    if bool(torch.isnan(x.detach().amin())):
        at = tuple(int(i) for i in x.detach().isnan().nonzero()[0])
        raise InputError(
            f"`{name}` is NaN at {at}; expected numbers, as NaN has no place in a filtration."
            " Cure: mask the entry with +inf, where it enters last."
        )


def check_dimensions(homology_dimensions: object, highest: int) -> tuple[int, ...]:
    """A sequence of distinct homology dimensions from 0 to ``highest``."""
    expected = f"a sequence of distinct integers from 0 to {highest}, such as (0, 1)"
    if isinstance(homology_dimensions, str) or not isinstance(homology_dimensions, Sequence):
        raise InputError(f"`homology_dimensions` is {homology_dimensions!r}; expected {expected}.")
    dimensions = tuple(homology_dimensions)
    valid = all(type(d) is int and 0 <= d <= highest for d in dimensions)
    if not dimensions or not valid or len(set(dimensions)) != len(dimensions):
        raise InputError(f"`homology_dimensions` is {homology_dimensions!r}; expected {expected}.")
    return dimensions


def check_periodic(periodic: object, spatial_dims: int) -> tuple[bool, ...]:
    """One bool, or one a spatial axis."""
    if isinstance(periodic, bool):
        return (periodic,) * spatial_dims
    if (
        not isinstance(periodic, Sequence)
        or len(periodic) != spatial_dims
        or not all(isinstance(p, bool) for p in periodic)
    ):
        raise InputError(
            f"`periodic` is {periodic!r}; expected a bool, or {spatial_dims} bools, one a spatial"
            " axis."
        )
    return tuple(periodic)


def check_spatial_dims(spatial_dims: object, served: tuple[int, ...]) -> int:
    """The number of spatial axes."""
    if type(spatial_dims) is not int or spatial_dims not in served:
        *first, last = map(str, served)
        expected = f"{', '.join(first)} or {last}" if first else last
        raise InputError(f"`spatial_dims` is {spatial_dims!r}; expected {expected}.")
    return spatial_dims


def check_construction(construction: object, spatial_dims: int) -> None:
    """One of the complexes."""
    expected = '"V", "T" or "F"' if spatial_dims == 2 else '"V" or "T"'
    if construction not in (("V", "T", "F") if spatial_dims == 2 else ("V", "T")):
        raise InputError(
            f"`construction` is {construction!r}; expected {expected} in {spatial_dims}D."
        )


def check_superlevel(superlevel: object) -> None:
    """A bool."""
    if not isinstance(superlevel, bool):
        raise InputError(f"`superlevel` is {superlevel!r}; expected True or False.")
