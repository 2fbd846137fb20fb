"""The exponential of su(3) by the theorem of Cayley and Hamilton, in plain torch."""

import math

import torch
from torch import Tensor

from .angles import cosine_and_sinc

__all__ = ["su3_exp"]

SMALL = 1e-2  # c1 below which the series serves: ten powers of Q leave less than 1e-16


def su3_exp(X: Tensor) -> Tensor:
    r"""exp(X) = f0 + f1 Q + f2 Q^2 for X = i Q in su(3), (..., 3, 3).

    The f are smooth functions of c0 = det Q and c1 = tr Q^2 / 2: here a quotient with a denominator
    between 2 c1 and 3 c1, and near Q = 0 a series, so that derivatives are right at 0 and at equal
    eigenvalues, too. Not checked: that X is antihermitian and traceless.

    Source: Morningstar and Peardon, Phys. Rev. D 69, 054501 (2004), hep-lat/0311018; the largest
        eigenvalue by Newton's steps and the series at 0: ours.
    """
    X2 = X @ X
    parts = torch.view_as_real(X2.resolve_conj())
    c1 = parts[..., 0].diagonal(dim1=-2, dim2=-1).sum(-1) / -2
    c0 = (X2 * X.mT).sum((-2, -1)).imag / -3  # tr X^3 = -i tr Q^3
    small, negative = c1 < SMALL, c0 < 0
    f = _quotients(torch.where(negative, -c0, c0), torch.where(small, 1, c1))
    flipped = torch.stack([f[..., 0], -f[..., 1], f[..., 2]], -1).conj()
    f = torch.where(negative[..., None], flipped, f)
    f = torch.where(small[..., None], _series(c0, c1), f)
    f = f * torch.tensor([1, -1j, -1], dtype=f.dtype, device=f.device)
    f0, f1, f2 = f[..., None, None].unbind(-3)
    return torch.eye(3, dtype=X.dtype, device=X.device) * f0 + f1 * X + f2 * X2


def _quotients(c0: Tensor, c1: Tensor) -> Tensor:
    """f0, f1, f2 (..., 3), for c0 >= 0 and c1 away from 0."""
    u = _largest_root(c0, c1) / 2
    uu = u * u
    ww = c1 - 3 * uu
    cosine, xi = cosine_and_sinc(ww)
    e = torch.complex(u.cos(), -u.sin())
    e2 = (e * e).conj()
    a, b = 2 * u * cosine, 3 * uu * xi
    h0 = (uu - ww) * e2 + e * torch.complex(4 * u * a, 2 * u * (b + ww * xi))
    h1 = 2 * u * e2 + e * torch.complex(-a, b - ww * xi)
    h2 = e2 + e * torch.complex(-cosine, -3 * u * xi)
    return torch.stack([h0, h1, h2], -1) / (9 * uu - ww)[..., None]


def _largest_root(c0: Tensor, c1: Tensor) -> Tensor:
    """The largest root of x^3 - c1 x - c0 for c0 >= 0: it is simple.

    Two of Newton's steps, from the root without its derivatives, have those of orders 1 to 3.
    """
    third = c1.detach() / 3
    root = third.sqrt()
    x = 2 * root * ((c0.detach() / (2 * third * root)).clamp(max=1).acos() / 3).cos()
    for _ in range(2):
        xx = x * x
        x = x - ((xx - c1) * x - c0) / (3 * xx - c1)
    return x


def _series(c0: Tensor, c1: Tensor) -> Tensor:
    """f0, f1, f2 (..., 3) near 0, polynomials in c0 and c1."""
    squares, mixed = c1 * c1, c0 * c1
    monomials = [torch.ones_like(c1), c1, c0, squares, mixed, squares * c1, c0 * c0, squares * c0]
    powers = torch.stack([*monomials, squares * squares, mixed * c0], -1)
    f = powers @ torch.tensor(COEFFICIENTS, dtype=c1.dtype, device=c1.device)
    return torch.view_as_complex(f.reshape(*f.shape[:-1], 3, 2))


def _coefficients() -> list[list[float]]:
    """Of `_series`: rows in the order of its monomials, columns Re f0, Im f0, Re f1 ...

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
                    sign = 1 if n % 4 < 2 else -1
                    table[order.index(monomial)][2 * j + n % 2] += sign * k / math.factorial(n)
    return table


def _times(f: dict[tuple[int, int], int], a: int, b: int) -> dict[tuple[int, int], int]:
    return {(i + a, j + b): k for (i, j), k in f.items()}


COEFFICIENTS = _coefficients()
