"""Exponential, logarithm and angle of rotations in two and three dimensions, in plain torch."""

import torch
from torch import Tensor

from .angles import arc, cosine_and_sinc, dot

__all__ = [
    "hat3",
    "quaternion_from_rotation",
    "rotation_from_quaternion",
    "so2_angle",
    "so2_exp",
    "so2_hat",
    "so3_exp",
    "so3_log",
    "so3_vector",
    "vee3",
]


def so2_hat(theta: Tensor) -> Tensor:
    """(...) -> (..., 2, 2): theta times the generator of positive turns."""
    zero = torch.zeros_like(theta)
    return _matrix(torch.stack([zero, -theta, theta, zero], -1), 2)


def so2_exp(theta: Tensor) -> Tensor:
    """(...) -> (..., 2, 2): the rotation by theta."""
    c, s = theta.cos(), theta.sin()
    return _matrix(torch.stack([c, -s, s, c], -1), 2)


def so2_angle(R: Tensor) -> Tensor:
    """(..., 2, 2) -> (...): the angle in [-pi, pi], smooth but for the jump at pi."""
    return torch.atan2(R[..., 1, 0] - R[..., 0, 1], R[..., 0, 0] + R[..., 1, 1])


def hat3(v: Tensor) -> Tensor:
    """(..., 3) -> (..., 3, 3): the matrix of w -> v x w."""
    x, y, z = v.unbind(-1)
    o = torch.zeros_like(x)
    return _matrix(torch.stack([o, -z, y, z, o, -x, -y, x, o], -1), 3)


def vee3(X: Tensor) -> Tensor:
    """(..., 3, 3) -> (..., 3): the vector of the antisymmetric part."""
    parts = [X[..., i, j] - X[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0))]
    return torch.stack(parts, -1) / 2


def so3_exp(v: Tensor) -> Tensor:
    r"""(..., 3) -> (..., 3, 3): the rotation by |v| about v (Rodrigues).

    .. math:: R = 1 + \frac{\sin\theta}{\theta} \hat v
              + \frac12 \left(\frac{\sin\theta/2}{\theta/2}\right)^2 \hat v^2
    """
    half = v / 2
    cosine, sinc = cosine_and_sinc(dot(half, half))
    return rotation_from_quaternion(torch.cat([cosine, sinc * half], -1))


def so3_log(R: Tensor) -> Tensor:
    """(..., 3, 3) -> (..., 3): the shortest v with exp(hat v) = R, |v| in [0, pi].

    Accurate to a few roundings at every angle, with bounded derivatives up to pi, where of v and -v
    the one is taken whose largest component is positive.
    """
    return so3_vector(quaternion_from_rotation(R))


def so3_vector(q: Tensor) -> Tensor:
    """The rotation vector of a quaternion with q0 >= 0, (..., 4) -> (..., 3)."""
    half, _ = arc(q[..., 1:], q[..., :1])
    return 2 * half


def rotation_from_quaternion(q: Tensor) -> Tensor:
    """(..., 4), unit -> (..., 3, 3): q (and -q) turns w into the vector part of q w q*."""
    a, x, y, z = q.unbind(-1)
    x2, y2, z2 = 2 * x, 2 * y, 2 * z
    xx, yy, zz = x * x2, y * y2, z * z2
    xy, xz, yz = x * y2, x * z2, y * z2
    ax, ay, az = a * x2, a * y2, a * z2
    parts = [1 - (yy + zz), xy - az, xz + ay, xy + az, 1 - (xx + zz), yz - ax]
    return _matrix(torch.stack([*parts, xz - ay, yz + ax, 1 - (xx + yy)], -1), 3)


def quaternion_from_rotation(R: Tensor) -> Tensor:
    """(..., 3, 3) -> (..., 4), unit, q0 >= 0.

    The rows of 4 q q^T are linear in R; the one with the largest diagonal entry, never below 1, is
    normalised.
    """
    (a, b, c), (d, e, f), (g, h, i) = (row.unbind(-1) for row in R.unbind(-2))
    x, y, z = h - f, c - g, d - b
    p, q, r = b + d, c + g, f + h
    rows = [1 + a + e + i, x, y, z, x, 1 + a - e - i, p, q]
    rows += [y, p, 1 - a + e - i, r, z, q, r, 1 - a - e + i]
    outer = _matrix(torch.stack(rows, -1), 4)
    largest = outer.detach().diagonal(dim1=-2, dim2=-1).argmax(-1)
    row = torch.take_along_dim(outer, largest[..., None, None], -2).squeeze(-2)
    row = torch.where(row[..., :1] < 0, -row, row)
    return row / torch.linalg.vector_norm(row, dim=-1, keepdim=True)


def _matrix(entries: Tensor, n: int) -> Tensor:
    return entries.reshape(*entries.shape[:-1], n, n)
