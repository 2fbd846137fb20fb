"""Layers on lattices of spins that commute with every rotation of all spins together."""

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
    spin_length,
    start_weight,
    unfold_spins,
)
from .point_groups import PointGroup, check_point_group

__all__ = ["SpinConv", "SpinGate", "SpinInvariants", "SpinVNReLU"]


class SpinConv(nn.Module):
    r"""Convolution with scalar weights, (B, I, *L, n) -> (B, O, *L, n), periodic.

    .. math:: S'_{x, o} = \sum_i \sum_r w_{oi}(r)\, S_{x + r, i}

    Commutes with every linear map of the spins, O(n) among them, as by Schur's lemma a linear layer
    on vectors must have scalar weights and no bias. Any n; the lattice is that of the input. Linear
    in spins and weights, which have one dtype and device.

    Args:
        in_channels: I.
        out_channels: O.
        kernel_size: Side of the kernel, odd.
        dim: Number of lattice axes.
        group: None, or a `PointGroup` of ``dim`` axes, such as ``P4M``: sites of the kernel that it
            maps to each other share one weight, and the layer commutes with the group, too.

    Raises:
        InputError: An argument out of these ranges, at once; a wrong field, on the call.

    Source: ours; Schur's lemma.

    Example:
        >>> import torch
        >>> layer = SpinConv(1, 1, 3, dim=1)
        >>> layer.weight.data = torch.tensor([[[1.0, 0.0, 2.0]]])  # left, here, right
        >>> layer(torch.eye(3)[None, None]).tolist()
        [[[[0.0, 2.0, 1.0], [1.0, 0.0, 2.0], [2.0, 1.0, 0.0]]]]
    """

    orbits: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        *,
        dim: int = 2,
        group: PointGroup | None = None,
    ) -> None:
        super().__init__()
        self.in_channels = check_count("in_channels", in_channels)
        self.out_channels = check_count("out_channels", out_channels)
        self.kernel_size, self.dim = check_odd(kernel_size), check_count("dim", dim)
        self.group = None if group is None else check_point_group(group, self.dim)
        orbits = None if group is None else group.orbits(kernel_size)
        self.register_buffer("orbits", orbits, persistent=False)
        box = (kernel_size,) * dim
        n_sites = kernel_size**dim if orbits is None else int((orbits >= 0).sum())
        free = box if orbits is None else (int(orbits.max()) + 1,)
        self.weight = start_weight(
            self.out_channels, self.in_channels, *free, fan_in=self.in_channels * n_sites
        )

    def extra_repr(self) -> str:
        group = "" if self.group is None else f", group={self.group.name}"
        return f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, dim={self.dim}{group}"

    def forward(self, x: Tensor) -> Tensor:
        check_lattice("x", x, "(B, C, *L, n)", self.dim + 3, self.in_channels)
        check_kernel("x", x.shape[2:-1], self.kernel_size)
        weight = self.weight if self.orbits is None else fill_kernel(self.weight, self.orbits)
        return unfold_spins(periodic_conv(fold_spins(x), weight), x.shape[-1])


class SpinGate(nn.Module):
    r"""Spins made longer or shorter by their length, (B, C, *sites, n) -> same.

    .. math:: S'_c = S_c\, \sigma(a_c |S_c| + b_c), \qquad \sigma(t) = 1 / (1 + e^{-t})

    Commutes with O(n). Smooth but for a kink of the second derivative at S = 0, where the value is
    0 and the gradient :math:`\sigma(b_c)` times the identity. a starts at 1, b at 0. Any number of
    axes between channels and components.

    Args:
        channels: C.

    Raises:
        InputError: ``channels`` out of its range; a wrong field, on the call.

    Source: ours; gates by invariant features are those of Weiler et al., arXiv:1807.02547.

    Example:
        >>> import torch
        >>> gate = SpinGate(1)
        >>> gate.scale.data.zero_()
        tensor([0.])
        >>> gate(torch.tensor([[[[3.0, 4.0], [0.0, 0.0]]]])).detach()
        tensor([[[[1.5000, 2.0000],
                  [0.0000, 0.0000]]]])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = check_count("channels", channels)
        self.scale = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def extra_repr(self) -> str:
        return f"{self.channels}"

    def forward(self, x: Tensor) -> Tensor:
        _check_vectors(x, self.channels)
        scale, bias = (p.view(-1, *(1,) * (x.ndim - 2)) for p in (self.scale, self.bias))
        return x * torch.sigmoid(scale * spin_length(x) + bias)


class SpinVNReLU(nn.Module):
    r"""Vector-neuron ReLU, (B, C, *sites, n) -> same: no component against a learnt direction.

    .. math:: S'_c = S_c - (1 - \alpha)\, \min(S_c \cdot \hat k_c, 0)\, \hat k_c,
              \qquad k_c = \sum_d W_{cd} S_d

    Commutes with O(n). Where k = 0, S' = S with the identity as gradient in S and none in W; where
    :math:`S \cdot k = 0`, the gradient is that of S' = S.

    Args:
        channels: C.
        negative_slope: :math:`\alpha`, from 0 (ReLU) to 1 (identity).

    Raises:
        InputError: An argument out of these ranges; a wrong field, on the call.

    Source: Deng et al., "Vector Neurons", ICCV 2021, arXiv:2104.12229.

    Example:
        >>> import torch
        >>> relu = SpinVNReLU(2)
        >>> relu.weight.data = torch.tensor([[0.0, 1.0], [0.0, 1.0]])  # k is the second spin
        >>> relu(torch.tensor([[[[-1.0, 2.0]], [[3.0, 0.0]]]])).detach()
        tensor([[[[0., 2.]],
        <BLANKLINE>
                 [[3., 0.]]]])
    """

    def __init__(self, channels: int, negative_slope: float = 0.0) -> None:
        super().__init__()
        self.channels = check_count("channels", channels)
        if not isinstance(negative_slope, int | float) or not 0 <= negative_slope <= 1:
            raise InputError(f"`negative_slope` is {negative_slope!r}; expected 0 to 1.")
        self.negative_slope = float(negative_slope)
        self.weight = start_weight(channels, channels, fan_in=channels)

    def extra_repr(self) -> str:
        return f"{self.channels}, negative_slope={self.negative_slope}"

    def forward(self, x: Tensor) -> Tensor:
        _check_vectors(x, self.channels)
        k = torch.einsum("cd,bd...->bc...", self.weight, x)
        length = spin_length(k)
        k = k / length.where(length > 0, 1.0)
        against = torch.relu(-(x * k).sum(-1, keepdim=True))
        return torch.add(x, against * k, alpha=1 - self.negative_slope)


class SpinInvariants(nn.Module):
    r"""Scalar products of the channels, (B, C, *sites, n) -> (B, C (C + 1) / 2, *sites).

    .. math:: G_{x, (a, b)} = S_{x, a} \cdot S_{x, b}, \qquad a \le b

    in the order (0, 0), (0, 1), ..., (0, C - 1), (1, 1), ..., (C - 1, C - 1). Unchanged by O(n), of
    which these are all invariants (up to handedness for SO(n) with C >= n). Polynomial: gradients
    are smooth everywhere. No parameters.

    Raises:
        InputError: A wrong field, on the call.

    Source: the first fundamental theorem of invariants of O(n), Weyl, The Classical Groups.

    Example:
        >>> import torch
        >>> SpinInvariants()(torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])).flatten()
        tensor([ 5., 11., 25.])
    """

    def forward(self, x: Tensor) -> Tensor:
        _check_vectors(x, None)
        rows = [(x[:, a : a + 1] * x[:, a:]).sum(-1) for a in range(x.shape[1])]
        return torch.cat(rows, 1)


def _check_vectors(x: Tensor, channels: int | None) -> None:
    """Channels, any sites, components."""
    check_lattice("x", x, "(B, C, *sites, n)", 3, channels, more_axes=True)
