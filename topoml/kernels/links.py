"""Products, transports and shifts of link variables, component planes first, in plain torch.

A field of matrices (*rest, N, N) is kept as (N, N, *rest), complex, and a field of SU(2)
quaternions (*rest, 4) as (4, *rest), real: every component is a plane over the lattice, so that a
product of small matrices is a few long vector operations. The dtype tells the two apart. A
quaternion q stands for q0 + i (q1, q2, q3) . sigma with the Pauli matrices sigma.
"""

from functools import reduce

import torch
from torch import Tensor

from .angles import cosine_and_sinc

__all__ = [
    "act",
    "add_identity",
    "channel_axis",
    "dagger",
    "flat",
    "frame",
    "hop",
    "hop_back",
    "hops",
    "line",
    "mix",
    "multiply",
    "planar",
    "quaternion_exp",
    "quaternion_to_matrix",
    "real_trace",
    "shift",
    "transport",
]


def planar(x: Tensor) -> Tensor:
    """Components first, contiguous: no copy of what `flat` returned."""
    return (x.movedim((-2, -1), (0, 1)) if x.is_complex() else x.movedim(-1, 0)).contiguous()


def flat(x: Tensor) -> Tensor:
    """Components last: the inverse of `planar`, a view."""
    return x.movedim((0, 1), (-2, -1)) if x.is_complex() else x.movedim(0, -1)


def channel_axis(x: Tensor) -> int:
    """The axis of channels in planar fields (.., B, C, *L), of directions in planar links."""
    return 3 if x.is_complex() else 2


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """a b, planar, the other axes broadcast."""
    if a.is_complex():
        return _matrix_product(a, b)
    a0, a1, a2, a3 = a.unbind(0)
    signed = (  # the columns of the matrix by which a acts on b
        torch.stack([a0, a1, a2, a3]),
        torch.stack([-a1, a0, -a3, a2]),
        torch.stack([-a2, a3, a0, -a1]),
        torch.stack([-a3, -a2, a1, a0]),
    )
    return _combined(signed, b)


def dagger(a: Tensor) -> Tensor:
    """The Hermitian conjugate, planar."""
    return a.transpose(0, 1).conj() if a.is_complex() else torch.cat([a[:1], -a[1:]])


def frame(u: Tensor) -> Tensor:
    r"""What `transport` needs of links u: matrices themselves, the rotations of unit quaternions.

    A quaternion u turns the vector part of u w u† by 2 b b^T + (a^2 - b^2) 1 - 2 a [b]_x, where a
    is its scalar and b its vector part, and leaves the scalar part as it is: (3, 3, *rest).
    """
    if u.is_complex():
        return u
    a, b = u[0], u[1:]
    x, y, z = (2 * a * b).unbind(0)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, z, -y, -z, zero, x, y, -x, zero])
    cross = cross.reshape(3, 3, *x.shape)
    turned = 2 * b[:, None] * b + cross
    one = torch.eye(3, dtype=u.dtype, device=u.device).reshape(3, 3, *[1] * (u.ndim - 1))
    return turned + one * (a * a - (b * b).sum(0))


def transport(at: Tensor, w: Tensor) -> Tensor:
    """u w u†, planar, of the links in the `frame` ``at``."""
    if at.is_complex():
        return _matrix_product(_matrix_product(at, w), dagger(at).resolve_conj())
    turned = act(at, w[1:])
    return torch.cat([w[:1].expand(1, *turned.shape[1:]), turned])


def act(a: Tensor, v: Tensor) -> Tensor:
    """Planar matrices (n, n, *rest) times planar vectors (n, *rest)."""
    return _combined(a.unbind(1), v)


def shift(x: Tensor, axis: int, step: int, periodic: bool) -> Tensor:
    """The value at ``step`` sites further along ``axis``; 0 beyond an open end."""
    if periodic:
        return torch.roll(x, -step, axis)
    length = x.shape[axis]
    kept = max(length - abs(step), 0)
    inside = x.narrow(axis, length - kept if step > 0 else 0, kept)
    outside = torch.zeros_like(x.narrow(axis, 0, length - kept))
    return torch.cat([inside, outside] if step > 0 else [outside, inside], axis)


def hop(at: Tensor, w: Tensor, axis: int, periodic: bool) -> Tensor:
    """u(x) w(x + 1) u†(x): w of the next site, seen from this one."""
    return transport(at, shift(w, axis, 1, periodic))


def hop_back(at: Tensor, w: Tensor, axis: int, periodic: bool) -> Tensor:
    """u†(x - 1) w(x - 1) u(x - 1): w of the site before, seen from this one."""
    back = dagger(at).resolve_conj() if at.is_complex() else at.transpose(0, 1)
    return shift(transport(back, w), axis, -1, periodic)


def hops(at: Tensor, w: Tensor, axis: int, n: int, periodic: bool) -> list[Tensor]:
    """w from 1, ..., n sites ahead along ``axis``, then from 1, ..., n sites behind."""
    seen: list[Tensor] = []
    for step in (hop, hop_back):
        current = w
        for _ in range(n):
            current = step(at, current, axis, periodic)
            seen.append(current)
    return seen


def line(u: Tensor, axis: int, length: int, periodic: bool) -> Tensor:
    """u(x) u(x + 1) ... u(x + length - 1) along ``axis``, by doubling."""
    pieces: list[Tensor] = []
    segment, size, rest = u, 1, length
    while rest:
        if rest % 2:
            behind = rest - 1  # sites covered by the pieces still to come
            pieces.append(shift(segment, axis, behind * size, periodic))
        rest //= 2
        if rest:
            segment = multiply(segment, shift(segment, axis, size, periodic))
            size *= 2
    return reduce(multiply, reversed(pieces))


def mix(weight: Tensor, x: Tensor, axis: int) -> Tensor:
    """Channels x (.., c, ..) on ``axis`` combined by weight (o, c), real or complex as x."""
    lead, rest = x.shape[:axis], x.shape[axis + 1 :]
    rows = x.reshape(-1, x.shape[axis], rest.numel())
    split = x.is_complex() and not weight.is_complex()
    if split:
        rows = torch.view_as_real(rows.resolve_conj()).flatten(2)
    out = torch.bmm(weight.expand(len(rows), *weight.shape), rows)
    if split:
        out = torch.view_as_complex(out.reshape(*out.shape[:2], -1, 2))
    return out.reshape(*lead, len(weight), *rest)


def add_identity(x: Tensor, amount: Tensor) -> Tensor:
    """x + amount 1, planar; ``amount`` broadcasts with the other axes."""
    if not x.is_complex():
        return torch.cat([x[:1] + amount, x[1:]])
    one = torch.eye(len(x), dtype=x.dtype, device=x.device)
    return x + one.reshape(len(x), len(x), *[1] * (x.ndim - 2)) * amount


def real_trace(x: Tensor) -> Tensor:
    """Re Tr of planar matrices or quaternions."""
    return x.diagonal(dim1=0, dim2=1).sum(-1).real if x.is_complex() else 2 * x[0]


def quaternion_exp(v: Tensor) -> Tensor:
    r"""exp(i v . sigma) = cos|v| + i (v . sigma) sin|v| / |v| of planar v (3, *rest)."""
    cosine, sinc = cosine_and_sinc((v * v).sum(0))
    return torch.cat([cosine[None], sinc * v])


def quaternion_to_matrix(q: Tensor) -> Tensor:
    """(4, *rest) real to (2, 2, *rest) complex."""
    a, b, c, d = q.unbind(0)
    top = torch.stack([torch.complex(a, d), torch.complex(c, b)])
    return torch.stack([top, torch.stack([torch.complex(-c, b), torch.complex(a, -d)])])


def _matrix_product(a: Tensor, b: Tensor) -> Tensor:
    return _combined(tuple(a[:, k, None] for k in range(a.shape[1])), b)


def _combined(columns: tuple[Tensor, ...], b: Tensor) -> Tensor:
    """The sum over k of columns[k] b[k], without a temporary for each term."""
    out = columns[0] * b[0]
    for column, row in zip(columns[1:], b[1:].unbind(0), strict=True):
        out.addcmul_(column, row)  # whose old value no gradient needs
    return out
