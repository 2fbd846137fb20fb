"""The convolution of SU(2) matrices along links, by numba on the CPU."""

from functools import cache, lru_cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..kernels.eager import on_threads, pushed
from ..kernels.hops import TILE, coefficients, convolve, frames, gradients, pull_frames
from ..kernels.links import channel_axis, flat, line, mix, planar
from ._transported import transported

__all__ = ["Hops", "plain"]

Array = NDArray[Any]
Sites = NDArray[np.int32]

_A_THREAD = 4  # tiles that make one worth while
_LINKS = 4096  # as many
_BLOCKS = 64  # in which the gradient of the weights is summed, whatever the number of threads


def plain(u: Tensor, w: Tensor, weight: Tensor, size: int, periodic: tuple[bool, ...]) -> Tensor:
    """What `LConv` computes, in torch: all that is seen from a site, mixed."""
    seen = transported(u, planar(w), size, periodic)
    return flat(mix(weight.transpose(1, 2).flatten(1), seen, channel_axis(w)))


class Hops(torch.autograd.Function):
    """`plain` for SU(2), with real weights; keeps nothing but its input for the gradient."""

    @staticmethod
    def forward(
        u: Tensor, w: Tensor, weight: Tensor, size: int, periodic: tuple[bool, ...]
    ) -> Tensor:
        dim = len(periodic)
        seen, by_hop = _seen(_lattice(w, dim), size, periodic), _by_hop(weight, size, dim)
        return _convolved(_frames(_lines(u, size, periodic)), w, by_hop, seen)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ANN401
        *tensors, ctx.size, ctx.periodic = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        u, w, weight = ctx.saved_tensors
        size, periodic = ctx.size, ctx.periodic
        if torch.is_grad_enabled():  # for second derivatives
            pullback = torch.func.vjp(partial(plain, size=size, periodic=periodic), u, w, weight)[1]
            return (*pullback(grad), None, None)
        dim, of_u = len(periodic), ctx.needs_input_grad[0]
        seen, by_hop = _seen(_lattice(w, dim), size, periodic), _by_hop(weight, size, dim)
        with torch.enable_grad():
            link = u.detach().requires_grad_(of_u)
            lines = _lines(link, size, periodic)
        back = np.arange(len(by_hop))  # the same hops, ahead and back exchanged
        back[1:] = 1 + (back[:-1] ^ 1)
        on_h, on_w, on_hops = _gradients(_frames(lines), w, by_hop[back], grad, seen, of_u)
        on_hops = on_hops[back[np.argsort(_order(size, dim))]].transpose(2, 1, 0)
        on_u = torch.zeros_like(u) if of_u else None
        if of_u and len(seen):
            (on_u,) = torch.autograd.grad(lines, link, _on_lines(lines, on_h))
        return on_u, on_w, torch.from_numpy(on_hops).to(weight.dtype), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor) -> Tensor:  # noqa: ANN401
        at = ctx.saved_tensors
        given = tuple(
            torch.zeros_like(x) if t is None else t for x, t in zip(at, tangents[:3], strict=True)
        )
        return pushed(partial(plain, size=ctx.size, periodic=ctx.periodic), at, given)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Tensor, int]:  # noqa: ANN401
        *tensors, size, periodic = inputs
        over = torch.func.vmap(partial(plain, size=size, periodic=periodic), in_dims[:3])
        return over(*tensors), 0


@lru_cache(maxsize=32)
def _seen(lattice: tuple[int, ...], size: int, periodic: tuple[bool, ...]) -> Sites:
    """The sites seen by each hop, ahead and back in turn, -1 for none."""
    site = np.arange(np.prod(lattice), dtype=np.int32).reshape(lattice)
    rows = []
    for m, closed in enumerate(periodic):
        for step in (sign * k for k in range(1, size + 1) for sign in (1, -1)):
            row = np.roll(site, -step, m)
            if not closed:
                there = np.arange(lattice[m]) + step
                row = np.moveaxis(row, m, -1).copy()
                row[..., (there < 0) | (there >= lattice[m])] = -1
                row = np.moveaxis(row, -1, m)
            rows.append(row.ravel())
    return np.array(rows, np.int32).reshape(len(rows), site.size)


@cache
def _order(size: int, dim: int) -> NDArray[np.int64]:
    """Numbers of the hops of `LConv` in the order of the kernels."""
    numbers = np.arange(2 * size * dim).reshape(dim, 2, size).swapaxes(1, 2)
    return np.concatenate([[0], 1 + numbers.ravel()])


def _by_hop(weight: Tensor, size: int, dim: int) -> Array:
    """The weights (1 + hops, in, out), in the order of the kernels."""
    return np.ascontiguousarray(weight.detach().numpy().transpose(2, 1, 0)[_order(size, dim)])


def _lattice(w: Tensor, dim: int) -> tuple[int, ...]:
    return tuple(w.shape[2 : 2 + dim])


def _lines(u: Tensor, size: int, periodic: tuple[bool, ...]) -> Tensor:
    """Products of 1 to ``size`` links along each axis, planar, on the axis of directions."""
    links, axis = planar(u), channel_axis(u)
    lines = [
        line(links.narrow(axis, m, 1), axis + 1 + m, length, closed)
        for m, closed in enumerate(periodic)
        for length in range(1, size + 1)
    ]
    if size == 1:
        return links
    return torch.cat(lines, axis) if lines else links.narrow(axis, 0, 0)


def _frames(lines: Tensor) -> Array:
    """(n n, B, lines, S)."""
    axis = channel_axis(lines)
    u = lines.detach().flatten(axis - 1).numpy()
    out = np.empty((16 if lines.is_complex() else 9, u.shape[-1]), u.real.dtype)
    on_threads(lambda i, j: frames(u, i, j, out), u.shape[-1], _LINKS)
    return out.reshape(len(out), *lines.shape[axis - 1 : axis + 1], lines.shape[axis + 1 :].numel())


def _on_lines(lines: Tensor, on_frames: Array) -> Tensor:
    """The gradient in lines of that in their frames."""
    u, out = lines.detach(), torch.empty_like(lines.detach())
    first, flat_g = channel_axis(lines) - 1, on_frames.reshape(len(on_frames), -1)
    x, to = u.flatten(first).numpy(), out.flatten(first).numpy()
    on_threads(lambda i, j: pull_frames(x, flat_g, i, j, to), x.shape[-1], _LINKS)
    return out


def _field(w: Tensor) -> Array:
    """A field for the kernels."""
    if not w.is_complex():
        return planar(w.detach()).flatten(3).numpy()
    parts = torch.view_as_real(w.detach().resolve_conj()).flatten(2, -4).numpy()
    out = np.empty((8, *parts.shape[:3]), parts.dtype)
    on_threads(lambda i, j: coefficients(parts, i, j, out), out[0, ..., 0].size, _A_THREAD)
    return out


def _new(like: Tensor, channels: int) -> tuple[Tensor, Array]:
    """Planar matrices of the form and lattice of ``like``, and their memory for the kernels."""
    tail = 2 if like.is_complex() else 1
    batch, lattice = like.shape[0], like.shape[2:-tail]
    out = like.new_empty(*like.shape[-tail:], batch, channels, *lattice)
    parts = torch.view_as_real(out).flatten(4, -2) if like.is_complex() else out.flatten(3)
    return flat(out), parts.numpy()


def _n_tiles(field: Array) -> int:
    return field.shape[1] * -(-field.shape[3] // TILE)


def _convolved(h: Array, w: Tensor, by_hop: Array, seen: Sites) -> Tensor:
    out, to = _new(w, by_hop.shape[2])
    field, weight = _field(w), by_hop.transpose(2, 0, 1).reshape(by_hop.shape[2], -1)
    on_threads(lambda i, j: convolve(h, field, weight, seen, i, j, to), _n_tiles(field), _A_THREAD)
    return out


def _gradients(
    h: Array, w: Tensor, by_hop: Array, grad: Tensor, seen: Sites, of_u: bool
) -> tuple[Array, Tensor, Array]:
    """Of the frames (of no lines, if not ``of_u``), of w, and of the weights by hop."""
    on_w, to = _new(w, w.shape[1])
    field, on_out = _field(w), _field(grad)
    on_h = np.zeros_like(h if of_u else h[:, :, :0])
    on_weights = np.zeros((_BLOCKS, *by_hop.shape), by_hop.dtype)
    ends = [_n_tiles(field) * k // _BLOCKS for k in range(_BLOCKS + 1)]

    def work(first: int, last: int) -> None:
        for k in range(first, last):
            tiles = (ends[k], ends[k + 1])
            gradients(h, field, by_hop, on_out, seen, *tiles, on_h, to, on_weights[k])

    on_threads(work, _BLOCKS, max(1, _BLOCKS * _A_THREAD // max(ends[-1], 1)))
    return on_h, on_w, on_weights.sum(0)
