"""Sines and cosines as functions of the squared angle, exact and smooth at 0, in plain torch.

Values and derivatives of every order are finite, and right, at angle 0: either the argument is
replaced before the root and the division where these are singular, or the derivative is written
down, with a series where its closed form cancels. The second is faster; where torch compiles, which
fuses operations and knows no function with both backward and forward derivatives, it is the first.
"""

import inspect
from typing import Any, TypeVar

import torch
from torch import Tensor

__all__ = [
    "arc",
    "asinh_over_root",
    "bind_once",
    "cosh_and_sinhc",
    "cosine_and_sinc",
    "cosine_sinc",
    "dot",
    "ratio_derivatives",
    "ratio_to_sine",
    "sinc_derivative",
]

Function = TypeVar("Function", bound=type[torch.autograd.Function])
Tensors = tuple[Tensor, ...]

SMALL = 2e-3  # squared angle below which the series serves: four terms leave less than 1e-16
FLAT = 1e-2  # squared tangent, or hyperbolic sine, below which its series serves: eight terms
NEAR = 1e-5  # squared tangent below which the series of the derivative serves: three terms


def cosine_and_sinc(s: Tensor) -> tuple[Tensor, Tensor]:
    r""":math:`\cos\sqrt s` and :math:`\sin\sqrt s / \sqrt s`; s >= 0, or below by roundings."""
    if torch.compiler.is_compiling():
        small = s < SMALL
        root = torch.where(small, 1, s).sqrt()
        cosine, sinc = _series(s, -1)
        return (
            torch.where(small, cosine, root.cos()),
            torch.where(small, sinc, root.sin() / root),
        )
    cosine, sinc = _CosineAndSinc.apply(s)  # type: ignore[no-untyped-call]
    return cosine, sinc


def cosine_sinc(s: Tensor) -> tuple[Tensor, Tensor]:
    """The results of `cosine_and_sinc` without their derivatives at 0."""
    root = s.clamp(min=torch.finfo(s.dtype).tiny).sqrt()  # so small a number is equal to its sine
    return root.cos(), root.sin() / root


def cosh_and_sinhc(s: Tensor) -> tuple[Tensor, Tensor]:
    r""":math:`\cosh\sqrt s` and :math:`\sinh\sqrt s / \sqrt s`; s >= 0, or below by roundings."""
    small = s < SMALL
    root = torch.where(small, 1, s).sqrt()
    cosh, sinhc = _series(s, 1)
    return (
        torch.where(small, cosh, root.cosh()),
        torch.where(small, sinhc, root.sinh() / root),
    )


def arc(u: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    r"""The vector along u of length :math:`\varphi = \mathrm{atan2}(|u|, c)`, and their ratio.

    u (..., n) and c (..., 1), as sine times direction, and cosine; they need not be normalised.
    Accurate at every angle in [0, pi]; at u = 0 the ratio is the limit 1 / c for c > 0, else 0 with
    gradient 0, and nowhere else 0.
    """
    if torch.compiler.is_compiling():
        ratio = _ratio(dot(u, u), c)
        return ratio * u, ratio
    vector, ratio = _Arc.apply(u, c)  # type: ignore[no-untyped-call]
    return vector, ratio


def ratio_to_sine(u: Tensor, c: Tensor) -> Tensor:
    """The second result of `arc`, (..., 1), without its derivatives."""
    r = torch.linalg.vector_norm(u, dim=-1, keepdim=True)
    root = r.clamp(min=torch.finfo(u.dtype).tiny)
    return torch.where(torch.maximum(r, c) > 0, torch.atan2(root, c) / root, 0)


def ratio_derivatives(u: Tensor, c: Tensor, ratio: Tensor) -> tuple[Tensor, Tensor]:
    """Those of `ratio_to_sine`, ``ratio``, by |u|^2 (only at u != 0, or c > 0) and by c."""
    s, square = dot(u, u), c * c
    singular = ratio == 0
    norm = torch.where(singular, 1, s + square)
    near = (s <= NEAR * square) & (c > 0)
    x = s / square.clamp(min=torch.finfo(s.dtype).tiny)
    series = ((x * (-3 / 7) + 2 / 5) * x - 1 / 3) / torch.where(near, square * c, 1)
    exact = (c / norm - ratio) / torch.where(near | singular, 1, 2 * s)
    return torch.where(near, series, exact), torch.where(singular, 0, -1 / norm)


def asinh_over_root(s: Tensor) -> Tensor:
    r""":math:`\mathrm{asinh}\sqrt s / \sqrt s` for s >= 0; s may be below 0 by roundings."""
    small = s < FLAT
    root = torch.where(small, 1, s).sqrt()
    series = torch.ones_like(s)
    for k in range(7, 0, -1):  # each term is -(2k - 1)^2 / (2k (2k + 1)) s times the one before
        series = 1 - series * s * ((2 * k - 1) ** 2 / (2 * k * (2 * k + 1)))
    return torch.where(small, series, root.asinh() / root)


def dot(x: Tensor, y: Tensor) -> Tensor:
    """The scalar product over the last axis, (..., 1).

    Where that axis is short, component by component: torch sums a long array of short rows slowly.
    """
    if x.shape[-1] > 4:
        return (x * y).sum(-1, keepdim=True)
    pairs = zip(x.unbind(-1), y.unbind(-1), strict=True)
    total = torch.mul(*next(pairs))
    for a, b in pairs:
        total = torch.addcmul(total, a, b)
    return total[..., None]


def _ratio(s: Tensor, c: Tensor) -> Tensor:
    """That of `arc` from the squared sine, in operations whose derivatives are right."""
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


def _series(s: Tensor, sign: int) -> tuple[Tensor, Tensor]:
    cosine = ((s * (1 / 40320) + sign / 720) * s + 1 / 24) * s + sign / 2
    sinc = ((s * (1 / 362880) + sign / 5040) * s + 1 / 120) * s + sign / 6
    return cosine * s + 1, sinc * s + 1


def bind_once(function: Function) -> Function:
    """A signature at hand, as torch looks at it in every call: half the cost of one."""
    function.forward.__signature__ = inspect.signature(function.forward)  # type: ignore[attr-defined]
    return function


@bind_once
class _CosineAndSinc(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(s: Tensor) -> tuple[Tensor, Tensor]:
        return cosine_sinc(s)

    @staticmethod
    def setup_context(ctx: Any, inputs: Tensors, output: Tensors) -> None:  # noqa: ANN401
        ctx.save_for_backward(*inputs, *output)
        ctx.save_for_forward(*inputs, *output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        s, cosine, sinc = ctx.saved_tensors
        along_cosine, along_sinc = gradients
        return (sinc_derivative(s, cosine, sinc) * along_sinc - sinc * along_cosine) / 2

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        s, cosine, sinc = ctx.saved_tensors
        half = tangent / 2
        return -sinc * half, sinc_derivative(s, cosine, sinc) * half


@bind_once
class _Arc(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(u: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        ratio = ratio_to_sine(u, c)
        return ratio * u, ratio

    @staticmethod
    def setup_context(ctx: Any, inputs: Tensors, output: Tensors) -> None:  # noqa: ANN401
        ctx.save_for_backward(*inputs, output[1])
        ctx.save_for_forward(*inputs, output[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        u, c, ratio = ctx.saved_tensors
        along, along_ratio = gradients
        by_square, by_c = ratio_derivatives(u, c, ratio)
        total = dot(along, u) + along_ratio
        return torch.addcmul(ratio * along, 2 * by_square * total, u), by_c * total

    @staticmethod
    def jvp(ctx: Any, u_tangent: Tensor, c_tangent: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        u, c, ratio = ctx.saved_tensors
        by_square, by_c = ratio_derivatives(u, c, ratio)
        change = 2 * by_square * dot(u, u_tangent) + by_c * c_tangent
        return ratio * u_tangent + change * u, change


def sinc_derivative(s: Tensor, cosine: Tensor, sinc: Tensor) -> Tensor:
    """Twice that of sinc by s: (cos - sinc) / s."""
    small = s < SMALL
    series = ((s * (1 / 45360) - 1 / 840) * s + 1 / 30) * s - 1 / 3
    return torch.where(small, series, (cosine - sinc) / torch.where(small, 1, s))
