"""Exponential and logarithm of unit vectors and of hyperbolic vectors, in plain torch."""

import torch
from torch import Tensor

from .angles import angle_over_sine, asinh_over_root, cosh_and_sinhc, cosine_and_sinc

__all__ = [
    "hyperboloid_exp",
    "hyperboloid_log",
    "lorentz_product",
    "sphere_exp",
    "sphere_log",
]


def sphere_exp(v: Tensor, base: Tensor) -> Tensor:
    """The point at distance |v| from ``base`` in the direction v orthogonal to it, (..., n)."""
    cosine, sinc = cosine_and_sinc((v * v).sum(-1, keepdim=True))
    return cosine * base + sinc * v


def sphere_log(x: Tensor, base: Tensor) -> Tensor:
    """The v with sphere_exp(v, base) = x, |v| in [0, pi], exactly 0 at x = base.

    At x = -base, where every direction serves, a fixed one with gradient 0.
    """
    d = x - base
    along = (d * base).sum(-1, keepdim=True)
    u = d - along * base
    s = (u * u).sum(-1, keepdim=True)
    c = 1 + along
    v = angle_over_sine(s, c) * u
    still = base.detach()
    least = still.abs().argmin(-1, keepdim=True)
    side = (torch.arange(base.shape[-1], device=base.device) == least).to(base.dtype)
    side = side - torch.take_along_dim(still, least, -1) * still
    side = side * (torch.pi / torch.linalg.vector_norm(side, dim=-1, keepdim=True))
    return torch.where((s == 0) & (c < 0), side, v)


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
