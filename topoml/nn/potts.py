"""Layers on Potts labels that commute with every permutation of the labels."""

import torch
from torch import Tensor, nn

from .._core.checks import check_count
from ..kernels.periodic_conv import periodic_conv
from ._lattice import (
    check_kernel,
    check_lattice,
    check_odd,
    fold_spins,
    start_weight,
    unfold_spins,
)
from .equivariance import Action, Element, Value

__all__ = ["PottsConv", "permutations"]


class PottsConv(nn.Module):
    r"""Convolution that treats labels alike, (B, I, *L, q) -> (B, O, *L, q), periodic.

    .. math:: y_{x, o, s} = \sum_i \sum_r \Bigl( a_{oi}(r)\, f_{x + r, i, s}
              + b_{oi}(r)\, \frac{1}{q} \sum_t f_{x + r, i, t} \Bigr) + c_o

    The labels are the last axis, at first one-hot: ``torch.nn.functional.one_hot(s, q)`` of states
    (B, *L), with a channel axis, as floats. By Schur's lemma :math:`a 1 + b\, 1 1^T` is all that
    commutes with S_q. So does every nonlinearity of single entries (ReLU); the mean over the last
    axis is an invariant. Linear in f and the weights, which have one dtype and device.

    Args:
        in_channels: I.
        out_channels: O.
        kernel_size: Side of the kernel, odd.
        dim: Number of lattice axes.

    Raises:
        InputError: An argument out of these ranges, at once; a wrong field, on the call.

    Source: Zaheer et al., "Deep sets", NeurIPS 2017, arXiv:1703.06114, with a kernel on the
        lattice.

    Example:
        >>> import torch
        >>> layer = PottsConv(1, 1, 1, dim=1)
        >>> layer.weight.data, layer.mean_weight.data = torch.ones(1, 1, 1), torch.ones(1, 1, 1)
        >>> layer(torch.eye(2)[None, None]).detach()
        tensor([[[[1.5000, 0.5000],
                  [0.5000, 1.5000]]]])
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int = 3, *, dim: int = 2
    ) -> None:
        super().__init__()
        self.in_channels = check_count("in_channels", in_channels)
        self.out_channels = check_count("out_channels", out_channels)
        self.kernel_size, self.dim = check_odd(kernel_size), check_count("dim", dim)
        shape = (out_channels, in_channels, *(kernel_size,) * dim)
        fan_in = in_channels * kernel_size**dim
        self.weight = start_weight(*shape, fan_in=fan_in)
        self.mean_weight = start_weight(*shape, fan_in=fan_in)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, dim={self.dim}"

    def forward(self, x: Tensor) -> Tensor:
        check_lattice("x", x, "(B, C, *L, q)", self.dim + 3, self.in_channels)
        check_kernel("x", x.shape[2:-1], self.kernel_size)
        each = unfold_spins(periodic_conv(fold_spins(x), self.weight), x.shape[-1])
        mean = periodic_conv(x.mean(-1), self.mean_weight)
        return each + (mean + self.bias.view(-1, *(1,) * self.dim)).unsqueeze(-1)


def permutations() -> Action:
    """The action of S_q on the last axis of input and output, for `assert_equivariant`.

    Example:
        >>> import torch
        >>> from topoml.nn.equivariance import assert_equivariant
        >>> x = torch.tensor([1.0, 2.0, 5.0])
        >>> assert_equivariant(lambda x: x - x.mean(-1), permutations(), x, torch.Generator())
        0.0
    """

    def draw(x: Value, generator: torch.Generator) -> Element:
        return torch.randperm(x.shape[-1], generator=generator, device=generator.device)

    def act(g: Element, x: Value) -> Value:
        return x[..., g.to(x.device)]

    return Action(draw, act, act)
