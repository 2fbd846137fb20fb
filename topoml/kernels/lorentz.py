"""Boosts and rotations of four-vectors (t, x, y, z), in plain torch."""

import torch
from torch import Tensor

from .rotations import hat3, quaternion_from_rotation

__all__ = ["boost", "lorentz_hat", "lorentz_log", "spatial_rotation"]

FLAT = 1e-2  # squared hyperbolic tangent below which its series serves


def lorentz_hat(zeta: Tensor, theta: Tensor) -> Tensor:
    """Rapidity and rotation vector (..., 3) -> (..., 4, 4): [[0, zeta^T], [zeta, hat theta]]."""
    zero = torch.zeros_like(zeta[..., :1])
    top = torch.cat([zero, zeta], -1)[..., None, :]
    return torch.cat([top, torch.cat([zeta[..., None], hat3(theta)], -1)], -2)


def boost(u: Tensor) -> Tensor:
    """The boost that takes a body at rest to the four-velocity (gamma, u), (..., 3)."""
    gamma = (1 + (u * u).sum(-1)).sqrt()[..., None, None]
    row, column = u[..., None, :], u[..., None]
    space = torch.eye(3, dtype=u.dtype, device=u.device) + column * row / (1 + gamma)
    return torch.cat([torch.cat([gamma, row], -1), torch.cat([column, space], -1)], -2)


def spatial_rotation(L: Tensor) -> Tensor:
    """R of L = boost(u) R, (..., 4, 4) -> (..., 3, 3)."""
    return L[..., 1:, 1:] - L[..., 1:, :1] * L[..., :1, 1:] / (1 + L[..., :1, :1])


def lorentz_log(L: Tensor) -> tuple[Tensor, Tensor]:
    r"""Rapidity and rotation vectors (..., 3) with exp(lorentz_hat) = L, angle in [0, pi].

    Through the matrix a0 + a . sigma = exp((zeta - i theta) . sigma / 2) of SL(2, C), a product of
    those of the boost and of the rotation.
    """
    gamma, u = 1 + L[..., :1, 0], L[..., 1:, 0]
    q = quaternion_from_rotation(spatial_rotation(L))
    b0, b = (gamma / 2).sqrt(), u / (2 * gamma).sqrt()
    r0, r = q[..., :1], q[..., 1:]
    a0 = torch.complex(b0 * r0, -(b * r).sum(-1, keepdim=True))
    a = torch.complex(r0 * b + torch.linalg.cross(b, r), -b0 * r)
    z = _log_over_sinh((a * a).sum(-1, keepdim=True), a0) * a
    return 2 * z.real, -2 * z.imag


def _log_over_sinh(s: Tensor, c: Tensor) -> Tensor:
    """z / sinh z for s = sinh^2 z, c = cosh z with a real part >= 0."""
    flat = s.abs() <= FLAT * (c * c).abs()
    safe = torch.where(flat, c, 1)
    x = s / (safe * safe)
    series = x * (1 / 17) + 1 / 15
    for k in (13, 11, 9, 7, 5, 3, 1):
        series = series * x + 1 / k
    root = torch.where(flat, 1, s).sqrt()
    root = torch.where((c + root).abs() < (c - root).abs(), -root, root)
    exact = torch.where(flat, 1, c + root).log() / root
    return torch.where(flat, series / safe, exact)
