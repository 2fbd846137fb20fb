"""Exponential and logarithm of unit vectors and of hyperbolic vectors, in plain torch."""

from typing import Any

import torch
from torch import Tensor

from .angles import (
    Tensors,
    arc,
    asinh_over_root,
    bind_once,
    cosh_and_sinhc,
    cosine_and_sinc,
    dot,
    ratio_derivatives,
    ratio_to_sine,
)

__all__ = [
    "hyperboloid_exp",
    "hyperboloid_log",
    "lorentz_product",
    "sphere_exp",
    "sphere_log",
]


def sphere_exp(v: Tensor, base: Tensor) -> Tensor:
    """The point at distance |v| from ``base`` in the direction v orthogonal to it, (..., n)."""
    cosine, sinc = cosine_and_sinc(dot(v, v))
    return cosine * base + sinc * v


def sphere_log(x: Tensor, base: Tensor) -> Tensor:
    """The v with sphere_exp(v, base) = x, |v| in [0, pi], exactly 0 at x = base.

    At x = -base, where every direction serves, a fixed one with gradient 0.
    """
    if torch.compiler.is_compiling():
        _, along, u = _parts(x, base)
        vector, ratio = arc(u, 1 + along)
        return torch.where(ratio == 0, _halfway_around(base.detach()), vector)
    if x.shape != base.shape:
        x, base = torch.broadcast_tensors(x, base)  # type: ignore[no-untyped-call]
    vector, _ = _SphereLog.apply(x, base)  # type: ignore[no-untyped-call]
    return vector


def _halfway_around(base: Tensor) -> Tensor:
    """A vector of length pi orthogonal to each of some.

    That is -pi times the image of the second axis in the reflection that turns the first one into
    the given vector or into its opposite.
    """
    first, second = base[..., :1], base[..., 1:2]
    slope = torch.pi * second / (1 + first.abs())
    side = slope * base
    side[..., :1] += torch.copysign(slope, slope * first)
    side[..., 1] -= torch.pi
    return side


def lorentz_product(x: Tensor, y: Tensor) -> Tensor:
    """-x0 y0 + x1 y1 + ... over the last axis."""
    return (x * y)[..., 1:].sum(-1) - x[..., 0] * y[..., 0]


def hyperboloid_exp(v: Tensor, base: Tensor) -> Tensor:
    """The point at distance |v| from ``base`` in the tangent direction v, (..., n + 1)."""
    cosh, sinhc = cosh_and_sinhc(lorentz_product(v, v)[..., None])
    return cosh * base + sinhc * v


def hyperboloid_log(x: Tensor, base: Tensor) -> Tensor:
    """The tangent v with hyperboloid_exp(v, base) = x, exactly 0 at x = base."""
    d = x - base
    u = d + lorentz_product(d, base)[..., None] * base
    return asinh_over_root(lorentz_product(u, u)[..., None]) * u


@bind_once
class _SphereLog(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, base: Tensor) -> tuple[Tensor, Tensor]:
        _, along, u = _parts(x, base)
        ratio = ratio_to_sine(u, 1 + along)
        return torch.where(ratio == 0, _halfway_around(base), ratio * u), ratio

    @staticmethod
    def setup_context(ctx: Any, inputs: Tensors, output: Tensors) -> None:  # noqa: ANN401
        ctx.save_for_backward(*inputs, output[1])
        ctx.save_for_forward(*inputs, output[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        x, base, ratio = ctx.saved_tensors
        g, along_ratio = gradients
        d, along, u = _parts(x, base)
        by_square, by_c = ratio_derivatives(u, 1 + along, ratio)
        total = dot(g, u) + along_ratio
        g = torch.addcmul(ratio * g, 2 * by_square * total, u)
        by_along = by_c * total - dot(g, base)
        by_d = torch.addcmul(g, by_along, base)
        return by_d, by_along * d - along * g - by_d

    @staticmethod
    def jvp(ctx: Any, x_tangent: Tensor, base_tangent: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        x, base, ratio = ctx.saved_tensors
        d, along, u = _parts(x, base)
        by_square, by_c = ratio_derivatives(u, 1 + along, ratio)
        d_tangent = x_tangent - base_tangent
        along_tangent = dot(d_tangent, base) + dot(d, base_tangent)
        u_tangent = d_tangent - along_tangent * base - along * base_tangent
        change = 2 * by_square * dot(u, u_tangent) + by_c * along_tangent
        return ratio * u_tangent + change * u, change


def _parts(x: Tensor, base: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The chord, (..., n), its part along the base, (..., 1), and that across, (..., n)."""
    d = x - base
    along = dot(d, base)
    return d, along, torch.addcmul(d, along, base, value=-1)
