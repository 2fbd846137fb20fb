"""Convolution of fields in the fundamental representation, transported along links."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .._core.errors import InputError
from ..kernels.links import act, dagger, mix, planar, quaternion_to_matrix, shift
from ._links import (
    COMPLEX,
    GaugeGroup,
    check_gauge_group,
    check_kernel_size,
    check_layer,
    check_links,
    check_open_axes,
)

__all__ = ["ParallelTransportConv"]


class ParallelTransportConv(nn.Module):
    r"""Sums of vectors from sites along the axes, transported, (U, psi) -> psi (B, out, \*L, N).

    .. math:: \psi'_i(x) = \sum_{j, m, |k| \le K} \omega_{ijmk}\, U_{k m}(x)\, \psi_j(x + k m)

    with the straight line U_km of k links. Commutes with gauge transformations
    :math:`U_m(x) \to g(x) U_m(x) g(x + m)^\dagger`, :math:`\psi(x) \to g(x) \psi(x)`. U as in
    `LConv`, psi (B, in, \*L, N) complex, of the same precision; the result has its dtype.
    ``weight`` (out, in, hops, 2): real and imaginary parts; hops in the order of `LConv`.
    Differentiable everywhere. Not checked: unitarity.

    Args:
        in_channels: Vectors a site.
        out_channels: Vectors a site of the result.
        kernel_size: K, at least 0.
        group: ``topoml.lie.U1()`` or ``topoml.lie.SU(n)``.
        dim: Number of lattice axes.
        periodic: One bool, or one a lattice axis; what lies beyond an open end counts as 0.

    Raises:
        InputError: An argument out of range, at once; wrong tensors, on the call.

    Source: Lehner and Wettig, arXiv:2302.05419.

    Example:
        >>> import torch
        >>> from topoml.lie import U1
        >>> U = torch.ones(1, 2, 3, 3, 1, 1, dtype=torch.complex64)
        >>> layer = ParallelTransportConv(1, 2, group=U1(), dim=2)
        >>> layer(U, torch.ones(1, 1, 3, 3, 1, dtype=torch.complex64)).shape
        torch.Size([1, 2, 3, 3, 1])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        *,
        group: GaugeGroup,
        dim: int,
        periodic: bool | Sequence[bool] = True,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.dim = check_layer(in_channels, out_channels, dim)
        self.kernel_size, self.group = check_kernel_size(kernel_size), check_gauge_group(group)
        self.periodic = check_open_axes(periodic, dim)
        n = in_channels * (2 * dim * self.kernel_size + 1)
        weight = torch.randn(out_channels, in_channels, n // in_channels, 2)
        self.weight = nn.Parameter(weight / (2 * n) ** 0.5)

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size},"
            f" group={self.group}, dim={self.dim}, periodic={self.periodic}"
        )

    def forward(self, U: Tensor, psi: Tensor) -> Tensor:
        n = self.group.matrix_size
        check_links(U, self.dim, n)
        lattice = tuple(U.shape[2 : 2 + self.dim])
        expected = (U.shape[0], self.in_channels, *lattice, n)
        dtype = U.dtype if U.is_complex() else COMPLEX.get(U.dtype)
        if tuple(psi.shape) != expected or psi.dtype != dtype:
            raise InputError(
                f"`psi` is {psi.dtype} of shape {tuple(psi.shape)}; expected"
                f" {dtype} of shape {expected}."
            )
        links = planar(U) if U.is_complex() else quaternion_to_matrix(planar(U))
        field = psi.movedim(-1, 0).contiguous()
        seen = [field]
        for m in range(self.dim):
            seen += self._hops(links[:, :, :, m : m + 1], field, m)
        weight = torch.view_as_complex(self.weight.to(psi.real.dtype))
        out = mix(weight.transpose(1, 2).flatten(1), torch.cat(seen, 2), 2)
        return out.movedim(0, -1)

    def _hops(self, link: Tensor, field: Tensor, m: int) -> list[Tensor]:
        """The field ahead, then behind, along one axis."""
        axis, periodic, back = 3 + m, self.periodic[m], dagger(link).resolve_conj()
        seen: list[Tensor] = []
        ahead = behind = field
        for _ in range(self.kernel_size):
            ahead = act(link, shift(ahead, axis, 1, periodic))
            seen.append(ahead)
        for _ in range(self.kernel_size):
            behind = shift(act(back, behind), axis, -1, periodic)
            seen.append(behind)
        return seen
