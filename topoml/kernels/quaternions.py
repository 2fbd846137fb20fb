"""SU(2) through unit quaternions, in plain torch; components last.

A quaternion q (..., 4), real, stands for the matrix q0 + i (q1, q2, q3) . sigma of the Pauli
matrices sigma; the unit ones are SU(2), the three-sphere.
"""

from typing import Any

import torch
from torch import Tensor

from .angles import (
    Tensors,
    arc,
    bind_once,
    cosine_and_sinc,
    cosine_sinc,
    dot,
    sinc_derivative,
)

__all__ = [
    "quaternion_exp",
    "quaternion_from_unitary",
    "quaternion_log",
    "su2_exp",
    "su2_log",
    "unitary_from_quaternion",
]

IDENTITY = torch.view_as_real(torch.eye(2, dtype=torch.complex128)).flatten()
HALVES = torch.full((8, 1), 0.5, dtype=torch.float64)


def quaternion_exp(v: Tensor) -> Tensor:
    """The unit quaternion of exp(i v . sigma), (..., 3) -> (..., 4)."""
    cosine, sinc = cosine_and_sinc(dot(v, v))
    return torch.cat([cosine, sinc * v], -1)


def quaternion_log(q: Tensor) -> Tensor:
    """The shortest v with exp(i v . sigma) = q / |q|, (..., 4) -> (..., 3), |v| in [0, pi].

    At q = -1, where every direction serves, v = (0, 0, pi) with gradient 0.
    """
    v, ratio = arc(q[..., 1:], q[..., :1])
    return torch.where(ratio == 0, v.new_tensor([0.0, 0.0, torch.pi]), v)


def unitary_from_quaternion(q: Tensor) -> Tensor:
    """(..., 4) -> (..., 2, 2), complex."""
    a, x, y, z = q.unbind(-1)
    parts = torch.stack([a, z, y, x, -y, x, a, -z], -1)
    return torch.view_as_complex(parts.reshape(*parts.shape[:-1], 2, 2, 2))


def quaternion_from_unitary(U: Tensor) -> Tensor:
    """(..., 2, 2) -> (..., 4): the quaternion part, the orthogonal projection of any matrix."""
    a, b, c, d = U.flatten(-2).unbind(-1)
    parts = [(a + d).real, (b + c).imag, (b - c).real, (a - d).imag]
    return torch.stack(parts, -1) / 2


def su2_exp(X: Tensor) -> Tensor:
    r""":math:`e^X = \cos r + \frac{\sin r}{r} X`, r^2 = det X = |X|^2 / 2, for X in su(2).

    Not checked: that X is antihermitian and traceless.
    """
    entries = torch.view_as_real(X.resolve_conj()).flatten(-3)
    if torch.compiler.is_compiling():
        entries = _exp_of_entries(entries, *cosine_and_sinc(_half_square(entries)))
    else:
        entries, _, _ = _SU2Exp.apply(entries)  # type: ignore[no-untyped-call]
    return torch.view_as_complex(entries.reshape(*X.shape, 2))


def su2_log(U: Tensor) -> Tensor:
    """The shortest X in su(2) with exp(X) = U, (..., 2, 2); at -1 a fixed one, gradient 0."""
    v = quaternion_log(quaternion_from_unitary(U))
    return unitary_from_quaternion(torch.cat([torch.zeros_like(v[..., :1]), v], -1))


@bind_once
class _SU2Exp(torch.autograd.Function):
    """Entries (..., 8) of X to those of exp(X), and cos r and sin r / r, each (..., 1)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(entries: Tensor) -> Tensors:
        cosine, sinc = cosine_sinc(_half_square(entries))
        return _exp_of_entries(entries, cosine, sinc), cosine, sinc

    @staticmethod
    def setup_context(ctx: Any, inputs: Tensors, output: Tensors) -> None:  # noqa: ANN401
        ctx.save_for_backward(*inputs, *output[1:])
        ctx.save_for_forward(*inputs, *output[1:])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        entries, cosine, sinc = ctx.saved_tensors
        g, along_cosine, along_sinc = gradients
        along_cosine = along_cosine + g[..., :1] + g[..., 6:7]
        along_sinc = along_sinc + (g * entries).sum(-1, keepdim=True)
        by_s = sinc_derivative(_half_square(entries), cosine, sinc) * along_sinc
        by_s = torch.sub(by_s, sinc * along_cosine) / 2
        return torch.addcmul(sinc * g, by_s, entries)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensors:  # noqa: ANN401
        entries, cosine, sinc = ctx.saved_tensors
        half = (entries * tangent).sum(-1, keepdim=True) / 2
        by_cosine = -sinc * half
        by_sinc = sinc_derivative(_half_square(entries), cosine, sinc) * half
        out = torch.addcmul(sinc * tangent, by_sinc, entries)
        return torch.addcmul(out, by_cosine, IDENTITY.to(out)), by_cosine, by_sinc


def _half_square(entries: Tensor) -> Tensor:
    """r^2 = |X|^2 / 2; as a product of matrices, which torch does faster than short sums."""
    return (entries * entries) @ HALVES.to(entries)


def _exp_of_entries(entries: Tensor, cosine: Tensor, sinc: Tensor) -> Tensor:
    return torch.addcmul(entries * sinc, cosine, IDENTITY.to(entries))
