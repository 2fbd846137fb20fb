"""The exponential of su(3) by the theorem of Cayley and Hamilton.

On the CPU by numba, matrix by matrix; elsewhere, where torch compiles, and for the derivatives
beyond the first gradient, in plain torch.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .angles import Tensors, bind_once, cosine_and_sinc
from .eager import on_threads, pushed, serves
from .su3_cpu import exponentials, pullbacks

__all__ = ["su3_exp"]

SMALL = 1e-2  # c1 below which the series serves: ten powers of Q leave less than 1e-16
A_THREAD = 2048  # matrices that make one worth while


def su3_exp(X: Tensor) -> Tensor:
    r"""exp(X) = f0 + f1 Q + f2 Q^2 for X = i Q in su(3), (..., 3, 3).

    Of other X the part in su(3) counts, in which the gradient lies. The f are smooth functions of
    c0 = det Q and c1 = tr Q^2 / 2: here a quotient with a denominator between 2 c1 and 3 c1, and
    near Q = 0 a series, so that derivatives are right at 0 and at equal eigenvalues, too.

    Source: Morningstar and Peardon, Phys. Rev. D 69, 054501 (2004), hep-lat/0311018; the largest
        eigenvalue by Newton's steps and the series at 0: ours.
    """
    if serves(X):
        out: Tensor = _Exponential.apply(X)  # type: ignore[no-untyped-call]
        return out
    return _exponential(X)


@bind_once
class _Exponential(torch.autograd.Function):
    @staticmethod
    def forward(X: Tensor) -> Tensor:
        return _each(exponentials, X)

    @staticmethod
    def setup_context(ctx: Any, inputs: Tensors, output: Tensor) -> None:  # noqa: ANN401
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
        return _Pullback.apply(*ctx.saved_tensors, grad)  # type: ignore[no-untyped-call]

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Any:  # noqa: ANN401
        return pushed(_exponential, ctx.saved_tensors, (tangent,))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int], X: Tensor) -> tuple[Tensor, int]:  # noqa: ANN401
        return _Exponential.apply(X.movedim(in_dims[0], 0)), 0  # type: ignore[no-untyped-call]


@bind_once
class _Pullback(torch.autograd.Function):
    """The gradient in X, of the gradient in exp(X)."""

    @staticmethod
    def forward(X: Tensor, grad: Tensor) -> Tensor:
        return _each(pullbacks, X, grad)

    @staticmethod
    def setup_context(ctx: Any, inputs: Tensors, output: Tensor) -> None:  # noqa: ANN401
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
        return torch.func.vjp(_pullback, *ctx.saved_tensors)[1](grad)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor) -> Any:  # noqa: ANN401
        return pushed(_pullback, ctx.saved_tensors, tangents)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *x: Tensor) -> tuple[Tensor, int]:  # noqa: ANN401
        rows = [
            t.expand(info.batch_size, *t.shape) if d is None else t.movedim(d, 0)
            for t, d in zip(x, in_dims, strict=True)
        ]
        return _Pullback.apply(*rows), 0  # type: ignore[no-untyped-call]


def _each(kernel: Callable[..., None], *matrices: Tensor) -> Tensor:
    """What a kernel makes of matrices (..., 3, 3), on as many threads as are worth while."""
    shape, dtype = matrices[0].shape, matrices[0].dtype
    rows = [m.detach().to(dtype).resolve_conj().reshape(-1, 3, 3).numpy() for m in matrices]
    out = np.empty_like(rows[0], order="C")
    on_threads(lambda i, j: kernel(*[r[i:j] for r in rows], out[i:j]), len(out), A_THREAD)
    return torch.from_numpy(out).reshape(shape)


def _pullback(X: Tensor, grad: Tensor) -> Tensor:
    """`_Pullback` in plain torch."""
    out: Tensor = torch.func.vjp(_exponential, X)[1](grad)[0]
    return out


def _exponential(X: Tensor) -> Tensor:
    """`su3_exp` in plain torch."""
    eye = torch.eye(3, dtype=X.dtype, device=X.device)
    X = (X - X.mH) / 2
    X = X - X.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None] / 3 * eye
    X2 = X @ X
    x = torch.view_as_real(X.resolve_conj()).flatten(-3)
    c1 = (x * x).sum(-1) / 2
    c0 = (X2 * X.conj()).sum((-2, -1)).imag / 3  # tr X^3 = -i tr Q^3
    f0, f1, f2 = (scalar[..., None, None] for scalar in _coefficients(c0, c1))
    return f1 * X + f2 * X2 + f0 * eye


def _coefficients(c0: Tensor, c1: Tensor) -> Tensors:
    """f0, -i f1, -f2, each (...), with right derivatives."""
    quotients = _quotients(c0, c1.clamp(min=SMALL))
    pairs = zip(_series(c0, c1), quotients, strict=True)
    return tuple(torch.where(c1 < SMALL, near, f) for near, f in pairs)


def _quotients(c0: Tensor, c1: Tensor) -> Tensors:
    """f0, -i f1, -f2, each (...), for c1 away from 0."""
    x = _outer_root(c0, c1)
    v = torch.add(x, x, alpha=0.5)
    back = x - v  # Morningstar and Peardon's -u; v = 3 u
    uu = back * back
    ww = torch.sub(c1, uu, alpha=3)
    cosine, xi = cosine_and_sinc(ww)
    cos_v, sin_v, rest = v.cos(), v.sin(), uu - ww
    denominator = v * v - ww
    phase = torch.complex(back.cos() / denominator, back.sin() / denominator)
    even = cosine - cos_v
    h0 = torch.complex(torch.add(rest * cos_v, x * x * cosine, alpha=2), rest * sin_v + c1 * x * xi)
    h1 = torch.complex(torch.sub(c1, ww, alpha=2) * xi + x * sin_v, x * even)
    h2 = torch.complex(even, v * xi - sin_v)
    return h0 * phase, h1 * phase, h2 * phase


def _outer_root(c0: Tensor, c1: Tensor) -> Tensor:
    """The root x of x^3 - c1 x - c0 farthest from 0, which is simple; its sign is that of c0.

    Newton's steps from the chord between its values at c0 = 0 and at the largest c0, which is off
    by at most 1 %: three leave less than 1e-16, the last two have the derivatives of orders 1 to 3.
    """
    y = torch.copysign(c1.sqrt(), c0)
    x = torch.add(y, c0 / c1, alpha=(2 / 3**0.5 - 1) * 3**1.5 / 2).detach()
    for _ in range(3):
        xx = x * x
        t = xx - c1
        x = torch.addcdiv(x, t * x - c0, torch.add(t, xx, alpha=2), value=-1)
    return x


def _series(c0: Tensor, c1: Tensor) -> Tensors:
    """f0, -i f1, -f2, each (...), near 0, polynomials in c0 and c1."""
    squares, mixed = c1 * c1, c0 * c1
    monomials = [torch.ones_like(c1), c1, c0, squares, mixed, squares * c1, c0 * c0, squares * c0]
    powers = torch.stack([*monomials, squares * squares, mixed * c0], -1)
    f = powers @ SERIES.to(c1)
    return torch.view_as_complex(f.reshape(*f.shape[:-1], 3, 2)).unbind(-1)


def _table() -> list[list[float]]:
    """Of `_series`: rows in the order of its monomials, columns Re f0, Im f0, Re -i f1 ...

    Q^n = c0 g(n - 1) + g(n + 1) Q + g(n) Q^2 with g(n + 3) = c1 g(n + 1) + c0 g(n), g(2) = 1.
    """
    order = [(0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (0, 3), (2, 0), (1, 2), (0, 4), (2, 1)]
    g: list[dict[tuple[int, int], int]] = [{}, {}, {(0, 0): 1}]
    for n in range(10):
        g.append({})
        for (a, b), k in [*_times(g[n + 1], 0, 1).items(), *_times(g[n], 1, 0).items()]:
            g[-1][a, b] = g[-1].get((a, b), 0) + k
    table = [[0.0] * 6 for _ in order]
    for n in range(11):
        f0 = _times(g[n - 1], 1, 0) if n >= 3 else {(0, 0): int(n == 0)}
        for j, f in enumerate((f0, g[n + 1], g[n])):
            for monomial, k in f.items():
                if monomial in order:
                    sign = 1 if (n - j) % 4 < 2 else -1  # of i^(n - j), as Q = -i X
                    column = 2 * j + (n - j) % 2
                    table[order.index(monomial)][column] += sign * k / math.factorial(n)
    return table


def _times(f: dict[tuple[int, int], int], a: int, b: int) -> dict[tuple[int, int], int]:
    return {(i + a, j + b): k for (i, j), k in f.items()}


SERIES = torch.tensor(_table(), dtype=torch.float64)
