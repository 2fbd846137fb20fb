"""Differentiable powers and exponentials, safe at 0 and the same bits anywhere in a tensor."""

from typing import Any

import torch
from torch import Tensor

from ..kernels.elementwise import decays, powers

__all__ = ["decay", "power"]


def power(x: Tensor, exponent: float) -> Tensor:
    """x**exponent for x (n,) >= 0, float64 on the CPU; its derivative at 0 is taken as 0."""
    if exponent == 1.0:
        return x
    result: Tensor = _Power.apply(x, exponent)  # type: ignore[no-untyped-call]
    return result


def decay(x: Tensor) -> Tensor:
    """exp(-x) for x (n,), float64 on the CPU."""
    result: Tensor = _Decay.apply(x)  # type: ignore[no-untyped-call]
    return result


class _Power(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, exponent: float) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(x)
        ctx.exponent = exponent
        return torch.from_numpy(powers(x.detach().contiguous().numpy(), float(exponent)))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
        (x,) = ctx.saved_tensors
        positive = x > 0
        slope = ctx.exponent * power(x.where(positive, 1.0), ctx.exponent - 1.0)
        return grad * slope.where(positive, 0.0), None


class _Decay(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(x)
        return torch.from_numpy(decays(x.detach().contiguous().numpy()))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
        return -grad * decay(ctx.saved_tensors[0])
