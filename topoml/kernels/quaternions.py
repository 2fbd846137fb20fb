"""SU(2) through unit quaternions, in plain torch; components last.

A quaternion q (..., 4), real, stands for the matrix q0 + i (q1, q2, q3) . sigma of the Pauli
matrices sigma; the unit ones are SU(2), the three-sphere.
"""

import torch
from torch import Tensor

from .angles import arc, cosine_and_sinc, dot

__all__ = [
    "quaternion_exp",
    "quaternion_from_unitary",
    "quaternion_log",
    "su2_exp",
    "su2_log",
    "unitary_from_quaternion",
]


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
    cosine, sinc = cosine_and_sinc((entries * entries).sum(-1, keepdim=True) / 2)
    one = torch.view_as_real(torch.eye(2, dtype=X.dtype, device=X.device)).flatten()
    entries = torch.addcmul(entries * sinc, cosine, one)
    return torch.view_as_complex(entries.reshape(*X.shape, 2))


def su2_log(U: Tensor) -> Tensor:
    """The shortest X in su(2) with exp(X) = U, (..., 2, 2); at -1 a fixed one, gradient 0."""
    v = quaternion_log(quaternion_from_unitary(U))
    return unitary_from_quaternion(torch.cat([torch.zeros_like(v[..., :1]), v], -1))
