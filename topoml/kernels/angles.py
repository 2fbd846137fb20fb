"""Sines and cosines as functions of the squared angle, exact and smooth at 0, in plain torch.

Each replaces its argument before the root and the division where these are singular, so that values
and derivatives of every order are finite, and right, at angle 0.
"""

import torch
from torch import Tensor

__all__ = ["angle_over_sine", "asinh_over_root", "cosh_and_sinhc", "cosine_and_sinc"]

SMALL = 2e-3  # squared angle below which the series serves: four terms leave less than 1e-16
FLAT = 1e-2  # squared tangent below which that of the arc tangent serves: eight terms


def cosine_and_sinc(s: Tensor) -> tuple[Tensor, Tensor]:
    r""":math:`\cos\sqrt s` and :math:`\sin\sqrt s / \sqrt s`; s >= 0, or below by roundings."""
    small = s < SMALL
    root = torch.where(small, 1, s).sqrt()
    cosine, sinc = _series(s, -1)
    return (
        torch.where(small, cosine, root.cos()),
        torch.where(small, sinc, root.sin() / root),
    )


def cosh_and_sinhc(s: Tensor) -> tuple[Tensor, Tensor]:
    r""":math:`\cosh\sqrt s` and :math:`\sinh\sqrt s / \sqrt s`; s >= 0, or below by roundings."""
    small = s < SMALL
    root = torch.where(small, 1, s).sqrt()
    cosh, sinhc = _series(s, 1)
    return (
        torch.where(small, cosh, root.cosh()),
        torch.where(small, sinhc, root.sinh() / root),
    )


def angle_over_sine(s: Tensor, c: Tensor) -> Tensor:
    r""":math:`\mathrm{atan2}(\sqrt s, c) / \sqrt s`: with s = sin^2 and c = cos, angle over sine.

    Accurate at every angle in [0, pi]; at s = 0 the limit 1 / c for c > 0, else 0 with gradient 0.
    s and c need not be normalised.
    """
    flat = (s <= FLAT * c * c) & (c > 0)
    safe = torch.where(flat, c, 1)
    x = s / (safe * safe)
    series = x * (1 / 17) - 1 / 15
    for k in (13, -11, 9, -7, 5, -3, 1):
        series = series * x + 1 / k
    singular = (s <= 0) & ~flat
    root = torch.where(flat | singular, 1, s).sqrt()
    exact = torch.where(singular, 0, torch.atan2(root, torch.where(singular, 1, c)) / root)
    return torch.where(flat, series / safe, exact)


def asinh_over_root(s: Tensor) -> Tensor:
    r""":math:`\mathrm{asinh}\sqrt s / \sqrt s` for s >= 0; s may be below 0 by roundings."""
    small = s < FLAT
    root = torch.where(small, 1, s).sqrt()
    series = torch.ones_like(s)
    for k in range(7, 0, -1):  # each term is -(2k - 1)^2 / (2k (2k + 1)) s times the one before
        series = 1 - series * s * ((2 * k - 1) ** 2 / (2 * k * (2 * k + 1)))
    return torch.where(small, series, root.asinh() / root)


def _series(s: Tensor, sign: int) -> tuple[Tensor, Tensor]:
    cosine = ((s * (1 / 40320) + sign / 720) * s + 1 / 24) * s + sign / 2
    sinc = ((s * (1 / 362880) + sign / 5040) * s + 1 / 120) * s + sign / 6
    return cosine * s + 1, sinc * s + 1
