"""Functions of a class in the (birth, lifetime) plane, with centers that can be learnt."""

import math

import torch
from torch import Tensor

__all__ = [
    "distances",
    "exponential_elements",
    "log_stretched",
    "rational_elements",
    "rational_hat_elements",
]


def exponential_elements(
    birth: Tensor, lifetime: Tensor, centers: Tensor, sharpness: Tensor
) -> Tensor:
    """exp(-sum_j (s_j (x_j - m_j))^2): classes (n,), centers and sharpness (q, 2) -> (n, q)."""
    u, v = _scaled(birth, lifetime, centers, sharpness)
    return torch.exp(-(u.square() + v.square()))


def rational_elements(
    birth: Tensor, lifetime: Tensor, centers: Tensor, sharpness: Tensor, exponent: float
) -> Tensor:
    """(1 + sum_j |s_j (x_j - m_j)|)^-exponent, likewise."""
    u, v = _scaled(birth, lifetime, centers, sharpness)
    base = 1 + (u.abs() + v.abs())
    # not `pow`, whose bits depend on where in a tensor an entry stands
    return 1 / base if exponent == 1 else torch.exp(-exponent * torch.log(base))


def rational_hat_elements(
    birth: Tensor, lifetime: Tensor, centers: Tensor, radius: Tensor
) -> Tensor:
    """1 / (1 + |x - m|_1) - 1 / (1 + ||r| - |x - m|_1|): centers (q, 2), radius (q,)."""
    u, v = _scaled(birth, lifetime, centers, None)
    distance = u.abs() + v.abs()
    return 1 / (1 + distance) - 1 / (1 + (radius.abs() - distance).abs())


def distances(birth: Tensor, death: Tensor, centers: Tensor, sharpness: Tensor) -> Tensor:
    """(sum_j (s_j (x_j - m_j))^2)^1/2, with gradient 0 where it is 0."""
    u, v = _scaled(birth, death, centers, sharpness)
    square = u.square() + v.square()
    some = square > 0
    return torch.sqrt(square.where(some, 1.0)).where(some, 0.0)


def log_stretched(lifetime: Tensor, nu: float) -> Tensor:
    """Lifetimes below nu moved down to nu log(l / nu) + nu, those of no length to where none is."""
    limits = torch.finfo(lifetime.dtype)
    ratio = lifetime / nu
    some = ratio > 2**24 * limits.tiny  # below, the gradient 1 / ratio would overflow
    stretched = nu * (torch.log(ratio.where(some & (ratio < 1), 1.0)) + 1)
    return torch.where(ratio < 1, stretched, lifetime).where(some, -_far(lifetime))


def _scaled(
    birth: Tensor, lifetime: Tensor, centers: Tensor, sharpness: Tensor | None
) -> tuple[Tensor, Tensor]:
    centers = centers.to(birth.dtype)
    u, v = birth[:, None] - centers[:, 0], lifetime[:, None] - centers[:, 1]
    if sharpness is not None:
        sharpness = sharpness.to(birth.dtype)
        u, v = u * sharpness[:, 0], v * sharpness[:, 1]
    far = _far(birth)  # beyond, the square overflows and 0 * inf would be the gradient
    return u.clamp(-far, far), v.clamp(-far, far)


def _far(x: Tensor) -> float:
    return 0.5 * math.sqrt(torch.finfo(x.dtype).max)
