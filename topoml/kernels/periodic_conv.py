"""Convolution on a periodic lattice of any number of dimensions."""

from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["fill_kernel", "periodic_conv"]

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def periodic_conv(x: Tensor, weight: Tensor) -> Tensor:
    """y[b, o, x] = sum over i, r of weight[o, i, r] x[b, i, x + r], indices modulo the sides.

    Not checked here: odd kernels, sides of at least half a kernel. More than three dimensions are
    sums over the slices of the kernel, one pass of the remaining dimensions each.

    Shapes:  x (B, I, *L) · weight (O, I, *K), r counted from the middle of the kernel
    Returns: (B, O, *L)
    """
    dim = weight.ndim - 2
    if dim > 3:
        middle = weight.shape[2] // 2
        slices = [
            _each_slice(x.roll(middle - k, 2), weight[:, :, k]) for k in range(weight.shape[2])
        ]
        return reduce(torch.add, slices)
    pad = [k // 2 for k in reversed(weight.shape[2:]) for _ in range(2)]
    return _CONV[dim](F.pad(x, pad, mode="circular"), weight)


def _each_slice(x: Tensor, weight: Tensor) -> Tensor:
    """Every slice along the first lattice axis for itself."""
    y = periodic_conv(x.movedim(2, 1).flatten(0, 1), weight)
    return y.reshape(x.shape[0], x.shape[2], *y.shape[1:]).movedim(1, 2)


def fill_kernel(weight: Tensor, index: Tensor) -> Tensor:
    """Kernels whose entries share parameters: weight[..., index], and 0 where index is -1.

    Shapes:  weight (*batch, n) · index (*shape) int64 from -1 to n - 1
    Returns: (*batch, *shape)
    """
    return F.pad(weight, (0, 1))[..., index]
