"""The sums over transported matrices behind the gauge layers, kept whole or computed again."""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..kernels.links import (
    add_identity,
    channel_axis,
    dagger,
    flat,
    frame,
    hops,
    mix,
    multiply,
    planar,
)

__all__ = ["Recomputed", "products", "transported"]

CHUNK = 4096  # entries of a plane of a component that are transported at a time


def transported(u: Tensor, inner: Tensor, size: int, periodic: tuple[bool, ...]) -> Tensor:
    """Planar matrices from all hops, transported, one after the other on the axis of channels."""
    channel = channel_axis(inner)
    at, seen = frame(planar(u)), [inner]
    for m in range(len(periodic)):
        one = at.narrow(3, m, 1)  # (n, n, B, dim, *L) in both forms
        seen += hops(one, inner, channel + 1 + m, size, periodic[m])
    return torch.cat(seen, channel)


def _convolve(
    u: Tensor, w: Tensor, weight: Tensor, size: int, periodic: tuple[bool, ...]
) -> Tensor:
    """What `LConv` computes, a direction and a chunk of channels at a time."""
    channel = channel_axis(w)
    out = mix(weight[:, :, 0], planar(w), channel)
    for m in range(len(periodic) if size else 0):
        link = _direction(u, m)
        for part, chunk in _chunks(w, weight, m, size):
            seen = _hopped(link, planar(part), channel, m, size, periodic[m])
            out += mix(chunk.transpose(1, 2).flatten(1), seen, channel)
    return flat(out)


def _chunks(w: Tensor, weight: Tensor, m: int, size: int) -> list[tuple[Tensor, Tensor]]:
    """Some channels at a time, and their weights (out, in, hops) along direction m."""
    n_sites = w[:, 0, ..., 0, 0].numel() if w.is_complex() else w[:, 0, ..., 0].numel()
    parts = min(w.shape[1], max(1, -(-w.shape[1] * n_sites // CHUNK)))
    hop_weights = weight[:, :, 1 + 2 * size * m : 1 + 2 * size * (m + 1)]
    return list(zip(w.tensor_split(parts, 1), hop_weights.tensor_split(parts, 1), strict=True))


def _hopped(link: Tensor, w: Tensor, channel: int, m: int, size: int, periodic: bool) -> Tensor:
    """What is seen along one direction."""
    return torch.cat(hops(frame(link), w, channel + 1 + m, size, periodic), channel)


class Recomputed(torch.autograd.Function):
    """`_convolve` that keeps its input alone."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        u: Tensor,
        w: Tensor,
        weight: Tensor,
        size: int,
        periodic: tuple[bool, ...],
    ) -> Tensor:
        ctx.save_for_backward(u, w, weight)
        ctx.size, ctx.periodic = size, periodic  # type: ignore[attr-defined]
        return _convolve(u, w, weight, size, periodic)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]  # noqa: ANN001
        u, w, weight = ctx.saved_tensors
        channel, size = channel_axis(w), ctx.size
        grad = planar(grad)
        grad_u, grad_weight = torch.zeros_like(u), torch.empty_like(weight)
        grad_w = mix(weight[:, :, 0].mH, grad, channel)
        for c in range(w.shape[1]):
            grad_weight[:, c : c + 1, 0] = _paired(grad, planar(w[:, c : c + 1]), weight)
        for m in range(u.shape[1] if size else 0):
            link, start = _direction(u, m).detach().requires_grad_(), 0
            for part, chunk in _chunks(w, weight, m, size):
                part = planar(part).detach().requires_grad_()
                with torch.enable_grad():
                    seen = _hopped(link, part, channel, m, size, ctx.periodic[m])
                back = mix(chunk.transpose(1, 2).flatten(1).mH, grad, channel)
                one, two = torch.autograd.grad(seen, (link, part), back)
                stop = start + chunk.shape[1]
                grad_u[:, m : m + 1] += flat(one)
                grad_w.narrow(channel, start, stop - start).add_(two)
                rows = _paired(grad, seen.detach(), weight).reshape(len(weight), 2 * size, -1)
                hop_weights = grad_weight[:, start:stop, 1 + 2 * size * m :]
                hop_weights[:, :, : 2 * size] = rows.transpose(1, 2)
                start = stop
        return grad_u, flat(grad_w), grad_weight, None, None


def _paired(grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """The gradient (o, c) of a weight by which channels x are mixed."""
    channel = channel_axis(x)
    n_sites = grad.shape[channel + 1 :].numel()
    left = grad.reshape(-1, grad.shape[channel], n_sites)
    out = (left @ x.reshape(-1, x.shape[channel], n_sites).mH).sum(0)
    return out if weight.is_complex() else out.real


def products(local: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    """The sum of weight[i, a, b] A_a B_b, planar, A of ``local`` and B of ``other``."""
    channel = channel_axis(local)
    n, n_other = local.shape[channel], other.shape[channel]

    def inner(row: Tensor) -> Tensor:
        """The sum over b."""
        back = row[:, n_other : 2 * n_other].conj().resolve_conj()
        mixed = mix(row[:, :n_other], other, channel) + dagger(mix(back, other, channel))
        return add_identity(mixed, row[:, -1].reshape(-1, *[1] * (mixed.ndim - channel - 1)))

    out = inner(weight[:, -1])
    for j, a in enumerate(local.chunk(n, channel)):
        out = out + multiply(a, inner(weight[:, j]))
        out = out + multiply(dagger(a), inner(weight[:, n + j]))
    return out


def _direction(u: Tensor, m: int) -> Tensor:
    """The links along m, planar, with one channel."""
    return planar(u[:, m : m + 1])
