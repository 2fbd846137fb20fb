"""Directors without head and tail, as tensors."""

import torch
from torch import Tensor, nn

from .._core.errors import InputError
from ._lattice import check_lattice

__all__ = ["NematicInvariants", "NematicTensor", "nematic_tensor"]


def nematic_tensor(n: Tensor) -> Tensor:
    r"""The symmetric traceless tensor of a vector, (*batch, d) -> (*batch, d, d).

    .. math:: Q = n n^T - \frac{n \cdot n}{d} 1

    which is :math:`n n^T - 1 / d` for unit vectors. Equal for n and -n; a rotation R makes it
    :math:`R Q R^T`. Smooth. dtype and device are those of n; unit length is not checked.

    Args:
        n: Vectors on the last axis.

    Raises:
        InputError: No tensor of floats.

    Source: de Gennes, Prost, The Physics of Liquid Crystals, 1993, without the factor of its order
        parameter.

    Example:
        >>> import torch
        >>> nematic_tensor(torch.tensor([-1.0, -3.0]))
        tensor([[-4.,  3.],
                [ 3.,  4.]])
    """
    check_lattice("n", n, "(*batch, d)", 1, more_axes=True)
    one = torch.eye(n.shape[-1], dtype=n.dtype, device=n.device)
    square = n.square().mean(-1)[..., None, None]
    return torch.sub(n[..., :, None] * n[..., None, :], square * one)


class NematicTensor(nn.Module):
    """Directors to tensors, (*batch, d) -> (*batch, d, d): `nematic_tensor`.

    ``torch.nn.Flatten(-2)`` behind it makes the d d entries the components of a spin for what
    follows, such as `SpinConv`, `SpinGate`, `SpinVNReLU` and `SpinInvariants` on (B, C, *L, d d):
    these commute with every rotation of d d components, those by R Q R^T among them. No parameters.

    Raises:
        InputError: A wrong field, on the call.

    Source: as `nematic_tensor`.

    Example:
        >>> import torch
        >>> NematicTensor()(torch.tensor([1.0, 1.0]))
        tensor([[0., 1.],
                [1., 0.]])
    """

    def forward(self, n: Tensor) -> Tensor:
        return nematic_tensor(n)


class NematicInvariants(nn.Module):
    r"""Traces of powers of tensors, (B, C, *sites, d, d) -> (B, 2 C, *sites).

    .. math:: \mathrm{tr}\, Q^2, \qquad \mathrm{tr}\, Q^3

    all first, then all second ones. Unchanged by rotations; the second tells rods from discs, and
    is 0 for d = 2. No parameters; smooth. ``SpinInvariants`` has tr(Q_a Q_b) between channels.

    Raises:
        InputError: A wrong field, on the call.

    Source: de Gennes, Prost, The Physics of Liquid Crystals, 1993.

    Example:
        >>> import torch
        >>> rod = torch.diag(torch.tensor([-1.0, -1.0, 2.0]))
        >>> NematicInvariants()(rod[None, None])
        tensor([[6., 6.]])
    """

    def forward(self, x: Tensor) -> Tensor:
        check_lattice("x", x, "(B, C, *sites, d, d)", 4, more_axes=True)
        if x.shape[-1] != x.shape[-2]:
            raise InputError(
                f"`x` has shape {tuple(x.shape)}; expected (B, C, *sites, d, d), square matrices."
            )
        square = x @ x
        second = square.diagonal(dim1=-2, dim2=-1).sum(-1)
        return torch.cat([second, (square * x.mT).sum((-2, -1))], 1)
