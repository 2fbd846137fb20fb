"""Convolutions that commute with the point group of the lattice, for scalars and for spins."""

from typing import Literal

import torch
from torch import Tensor, nn

from .._core.checks import check_count
from .._core.errors import InputError
from ..kernels.periodic_conv import fill_kernel, periodic_conv
from ._lattice import (
    check_kernel,
    check_lattice,
    check_odd,
    fold_spins,
    start_weight,
    unfold_spins,
)
from .point_groups import PointGroup, check_point_group

__all__ = ["GroupConv", "GroupPool", "LiftingConv"]


class LiftingConv(nn.Module):
    r"""Convolution by all images of a kernel, (B, I, *L) -> (B, O, G, *L), periodic.

    .. math:: y(g, x) = \sum_i \sum_r w_i(g^{-1} r)\, f_i(x + r) + b

    Turning f, :math:`f(h^{-1} x)`, turns y and permutes its group axis, :math:`y(h^{-1} g, h^{-1}
    x)`, exactly on a torus of equal sides; on other lattices in the bulk alone. The triangular
    lattice is an array with neighbours at (0, 1), (1, 0), (1, 1) and their opposites, as in
    ``cubical_persistence(..., construction="F")``, and its kernels are hexagons.

    Args:
        in_channels: I.
        out_channels: O.
        kernel_size: Side of the box of the kernel, odd: the middle of an even one is no site.
        group: Such as ``P4``, ``P4M``, ``P6``, ``P6M`` or ``hypercubic(3)``; sets the number of
            lattice axes.
        spins: The field is (B, I, *L, n) of vectors, the result (B, O, G, *L, n), and there is no
            b: commutes with every linear map of the spins, too.

    Raises:
        InputError: An argument out of these ranges, at once; a wrong field, on the call.

    Source: Cohen, Welling, "Group equivariant convolutional networks", ICML 2016,
        arXiv:1602.07576; on the triangular lattice Hoogeboom et al., "HexaConv",
        arXiv:1803.02108.

    Example:
        >>> import torch
        >>> from topoml.nn.point_groups import P6
        >>> layer = LiftingConv(1, 1, 3, group=P6, spins=True)
        >>> layer
        LiftingConv(1, 1, 3, group=P6, spins=True)
        >>> layer.weight.shape  # seven sites
        torch.Size([1, 1, 7])
    """

    index: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        *,
        group: PointGroup,
        spins: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels = check_count("in_channels", in_channels)
        self.out_channels = check_count("out_channels", out_channels)
        self.kernel_size, self.spins = check_odd(kernel_size), bool(spins)
        self.group = check_point_group(group)
        index = group.kernel_sites(kernel_size)
        self.register_buffer("index", index, persistent=False)
        n_sites = int(index.max()) + 1
        fan_in = self.in_channels * n_sites
        self.weight = start_weight(out_channels, in_channels, n_sites, fan_in=fan_in)
        self.bias = None if spins else nn.Parameter(torch.zeros(out_channels))

    def extra_repr(self) -> str:
        return _repr(self)

    def forward(self, x: Tensor) -> Tensor:
        axes = 2 + self.group.dim + self.spins
        expected = "(B, C, *L, n)" if self.spins else "(B, C, *L)"
        check_lattice("x", x, expected, axes, self.in_channels)
        check_kernel("x", x.shape[2 : 2 + self.group.dim], self.kernel_size)
        kernel = fill_kernel(self.weight, self.index)  # (O, I, G, *K)
        return _convolve(x, kernel.movedim(2, 1), self.bias, self.spins)


class GroupConv(nn.Module):
    r"""Convolution over the group and the lattice, (B, I, G, *L) -> (B, O, G, *L), periodic.

    .. math:: y(g, x) = \sum_i \sum_{h, r} w_i(g^{-1} h, g^{-1} r)\, f_i(h, x + r) + b

    Behind `LiftingConv`, whose symmetry it keeps. Nonlinearities between them act on each entry,
    or with ``spins`` on each vector (`SpinGate`).

    Args:
        in_channels: I.
        out_channels: O.
        kernel_size: Side of the box of the kernel, odd.
        group: That of the layers before.
        spins: The fields are (B, I, G, *L, n) of vectors, and there is no b.

    Raises:
        InputError: An argument out of these ranges, at once; a wrong field, on the call.

    Source: as `LiftingConv`.

    Example:
        >>> import torch
        >>> from topoml.nn.point_groups import P4M
        >>> layer = GroupConv(2, 3, group=P4M)
        >>> layer.weight.shape
        torch.Size([3, 2, 72])
        >>> layer(torch.zeros(1, 2, 8, 5, 5)).shape
        torch.Size([1, 3, 8, 5, 5])
    """

    index: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        *,
        group: PointGroup,
        spins: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels = check_count("in_channels", in_channels)
        self.out_channels = check_count("out_channels", out_channels)
        self.kernel_size, self.spins = check_odd(kernel_size), bool(spins)
        self.group = check_point_group(group)
        sites = group.kernel_sites(kernel_size)[:, None]
        n_sites = int(sites.max()) + 1
        elements = group.quotients.reshape(group.order, group.order, *(1,) * group.dim)
        index = torch.where(sites < 0, -1, elements * n_sites + sites)  # (g, h, *K)
        self.register_buffer("index", index, persistent=False)
        n = group.order * n_sites
        self.weight = start_weight(out_channels, in_channels, n, fan_in=self.in_channels * n)
        self.bias = None if spins else nn.Parameter(torch.zeros(out_channels))

    def extra_repr(self) -> str:
        return _repr(self)

    def forward(self, x: Tensor) -> Tensor:
        expected = "(B, C, G, *L, n)" if self.spins else "(B, C, G, *L)"
        check_lattice("x", x, expected, 3 + self.group.dim + self.spins, self.in_channels)
        if x.shape[2] != self.group.order:
            raise InputError(
                f"`x` has shape {tuple(x.shape)}; expected {expected} with G ="
                f" {self.group.order} for {self.group.name}."
            )
        check_kernel("x", x.shape[3 : 3 + self.group.dim], self.kernel_size)
        kernel = fill_kernel(self.weight, self.index)  # (O, I, G, G, *K)
        kernel = kernel.movedim(2, 1).flatten(2, 3)
        return _convolve(x.flatten(1, 2), kernel, self.bias, self.spins)


class GroupPool(nn.Module):
    """Mean or largest entry over the group axis, (B, C, G, *rest) -> (B, C, *rest).

    What is left turns as the lattice does; average over the sites, too, for invariants. The
    gradient of "max" goes in equal parts to equal largest entries. Of spins take the mean, or pool
    behind `SpinInvariants`: the largest component is not equivariant.

    Args:
        reduction: "mean" or "max".

    Raises:
        InputError: ``reduction`` is neither.

    Source: Cohen, Welling, arXiv:1602.07576.

    Example:
        >>> import torch
        >>> GroupPool("max")(torch.tensor([[[[1.0, 2.0], [3.0, 0.0]]]]))
        tensor([[[3., 2.]]])
    """

    def __init__(self, reduction: Literal["mean", "max"] = "mean") -> None:
        super().__init__()
        if reduction not in ("mean", "max"):
            raise InputError(f'`reduction` is {reduction!r}; expected "mean" or "max".')
        self.reduction = reduction

    def extra_repr(self) -> str:
        return f"{self.reduction!r}"

    def forward(self, x: Tensor) -> Tensor:
        return torch.mean(x, 2) if self.reduction == "mean" else torch.amax(x, 2)


def _convolve(x: Tensor, kernel: Tensor, bias: Tensor | None, spins: bool) -> Tensor:
    """x (B, I, *L), or with n behind, by the kernel (O, G, I, *K)."""
    y = periodic_conv(fold_spins(x) if spins else x, kernel.flatten(0, 1))
    y = y.reshape(y.shape[0], *kernel.shape[:2], *y.shape[2:])
    if spins:
        return unfold_spins(y, x.shape[-1])
    return y if bias is None else y + bias.view(-1, *(1,) * (y.ndim - 2))


def _repr(layer: LiftingConv | GroupConv) -> str:
    channels = f"{layer.in_channels}, {layer.out_channels}, {layer.kernel_size}"
    return f"{channels}, group={layer.group.name}" + ", spins=True" * layer.spins
