"""Layers that respect a local symmetry: links U and matrices W in a gauge theory."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .._core.checks import check_count
from .._core.errors import InputError
from ..kernels.eager import serves
from ..kernels.links import channel_axis, flat, mix, multiply, planar, real_trace
from ._hops import Hops, plain
from ._links import (
    GaugeGroup,
    algebra_exp,
    check_gauge_group,
    check_kernel_size,
    check_layer,
    check_links,
    check_loops,
    check_open_axes,
    complex_weight,
    has_real_weights,
    new_weight,
)
from ._transported import Recomputed, products, transported

__all__ = ["LAct", "LBilinear", "LConv", "LConvBilinear", "LExp", "LTrace"]


class LConv(nn.Module):
    r"""Sums of matrices from sites along the axes, transported, (U, W) -> W (B, out, \*L, N, N).

    .. math:: W'_i(x) = \sum_{j, m, |k| \le K} \omega_{ijmk}\,
              U_{k m}(x)\, W_j(x + k m)\, U_{k m}(x)^\dagger

    with the straight line U_km of k links (to the back for k < 0). Commutes with gauge
    transformations :math:`U_m(x) \to g(x) U_m(x) g(x + m)^\dagger`,
    :math:`W(x) \to g(x) W(x) g(x)^\dagger` and translations. U (B, dim, \*L, N, N) and
    W (B, in, \*L, N, N) are complex, of one dtype; the result has it. Links of SU(2) may be unit
    quaternions (B, dim, \*L, 4), q0 + i q . sigma, and W quaternions (B, in, \*L, 4), which is
    twice as fast. Any lattice; differentiable everywhere. ``weight`` (out, in, hops)
    is real for SU(2), else (out, in, hops, 2), real and imaginary parts; hops: 0, then for each
    axis 1, ..., K, -1, ..., -K. Parameters are cast to the precision of the input. The result is a
    view of memory with the components first. Not checked: unitarity.

    Args:
        in_channels: Matrices a site.
        out_channels: Matrices a site of the result.
        kernel_size: K, at least 0.
        group: ``topoml.lie.U1()`` or ``topoml.lie.SU(n)``.
        dim: Number of lattice axes.
        periodic: One bool, or one a lattice axis; what lies beyond an open end counts as 0.
        recompute: Keep nothing but the input for the gradient and compute the rest again, in
            chunks; first derivatives only. Without effect while torch compiles, and for SU(2) on
            the CPU, whose kernels keep no more anyhow.

    Raises:
        InputError: An argument out of range, at once; wrong tensors, on the call.

    Source: Favoni, Ipp, Müller and Schuh, arXiv:2012.12901.

    Example:
        >>> import torch
        >>> from topoml.lie import U1
        >>> U = torch.ones(1, 2, 3, 3, 1, 1, dtype=torch.complex64)
        >>> LConv(2, 5, group=U1(), dim=2)(U, U).shape
        torch.Size([1, 5, 3, 3, 1, 1])
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
        recompute: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.dim = check_layer(in_channels, out_channels, dim)
        self.kernel_size, self.group = check_kernel_size(kernel_size), check_gauge_group(group)
        self.periodic, self.recompute = check_open_axes(periodic, dim), recompute
        n_hops = 2 * dim * self.kernel_size + 1
        variance = 1 / (in_channels * n_hops)
        self.weight = new_weight(group, out_channels, in_channels, n_hops, variance=variance)

    def extra_repr(self) -> str:
        return _repr(self)

    def forward(self, U: Tensor, W: Tensor) -> Tensor:
        _check(self, U, W)
        weight = complex_weight(self.weight, self.group, U)
        if has_real_weights(self.group) and serves(U, W, weight):
            hops: Tensor = Hops.apply(  # type: ignore[no-untyped-call]
                U, W, weight, self.kernel_size, self.periodic
            )
            return hops
        if self.recompute and not torch.compiler.is_compiling():
            out: Tensor = Recomputed.apply(  # type: ignore[no-untyped-call]
                U, W, weight, self.kernel_size, self.periodic
            )
            return out
        return plain(U, W, weight, self.kernel_size, self.periodic)


class LBilinear(nn.Module):
    r"""Products of matrices at a site, W (B, in, \*L, N, N) -> (B, out, \*L, N, N).

    .. math:: W'_i = \sum_{jk} \alpha_{ijk} A_j B_k, \quad A = (W, W^\dagger, 1),
              \quad B = (V, V^\dagger, 1)

    with V = W unless it is given. Shapes, dtypes, quaternions and parameters as in `LConv`;
    ``weight`` (out, 2 in + 1, 2 in + 1).

    Args:
        in_channels: Matrices a site.
        out_channels: Matrices a site of the result.
        group: ``topoml.lie.U1()`` or ``topoml.lie.SU(n)``.
        dim: Number of lattice axes.

    Raises:
        InputError: An argument out of range, at once; wrong tensors, on the call.

    Source: Favoni, Ipp, Müller and Schuh, arXiv:2012.12901.
    """

    def __init__(self, in_channels: int, out_channels: int, *, group: GaugeGroup, dim: int) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.dim = check_layer(in_channels, out_channels, dim)
        self.group = check_gauge_group(group)
        n = 2 * in_channels + 1
        self.weight = new_weight(group, out_channels, n, n, variance=1 / n**2)

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, group={self.group}, dim={self.dim}"

    def forward(self, W: Tensor, V: Tensor | None = None) -> Tensor:
        check = partial(
            check_loops, dim=self.dim, n=self.group.matrix_size, channels=self.in_channels
        )
        local = planar(check(W))
        other = local if V is None else planar(check(V, links=W))
        return flat(products(local, other, complex_weight(self.weight, self.group, W)))


class LConvBilinear(nn.Module):
    r"""Products of matrices with transported ones, (U, W) -> W (B, out, \*L, N, N).

    .. math:: W'_i(x) = \sum_{jk} \alpha_{ijk} A_j(x) B_k(x), \quad A = (W, W^\dagger, 1),
              \quad B = (T, T^\dagger, 1)

    with T all :math:`U_{km}(x) W_j(x + km) U_{km}(x)^\dagger` of `LConv`, |k| <= K, of which
    shapes, dtypes, quaternions, symmetries and parameters are the same; ``weight`` (out, 2 in + 1,
    2 in (2 dim K + 1) + 1), T in the order (hop, channel). A composition of these layers on
    `Plaquettes` spans all Wilson loops that fit.

    Args:
        in_channels: Matrices a site.
        out_channels: Matrices a site of the result.
        kernel_size: K, at least 0.
        group: ``topoml.lie.U1()`` or ``topoml.lie.SU(n)``.
        dim: Number of lattice axes.
        periodic: One bool, or one a lattice axis; what lies beyond an open end counts as 0.
        recompute: Keep the transported matrices alone for the gradient, and multiply them again.

    Raises:
        InputError: An argument out of range, at once; wrong tensors, on the call.

    Source: Favoni, Ipp, Müller and Schuh, arXiv:2012.12901.

    Example:
        >>> import torch
        >>> from topoml.lie import SU
        >>> U = torch.zeros(1, 2, 3, 3, 4)
        >>> U[..., 0] = 1
        >>> layer = LConvBilinear(1, 2, group=SU(2), dim=2)
        >>> tuple(layer.weight.shape), tuple(layer(U, U[:, :1]).shape)
        ((2, 3, 11), (1, 2, 3, 3, 4))
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
        recompute: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.dim = check_layer(in_channels, out_channels, dim)
        self.kernel_size, self.group = check_kernel_size(kernel_size), check_gauge_group(group)
        self.periodic, self.recompute = check_open_axes(periodic, dim), recompute
        local = 2 * in_channels + 1
        carried = 2 * in_channels * (2 * dim * self.kernel_size + 1) + 1
        variance = 1 / (local * carried)
        self.weight = new_weight(group, out_channels, local, carried, variance=variance)

    def extra_repr(self) -> str:
        return _repr(self)

    def forward(self, U: Tensor, W: Tensor) -> Tensor:
        _check(self, U, W)
        weight = complex_weight(self.weight, self.group, U)
        local = planar(W)
        other = transported(U, local, self.kernel_size, self.periodic)
        if self.recompute and torch.is_grad_enabled() and not torch.compiler.is_compiling():
            return flat(checkpoint(products, local, other, weight, use_reentrant=False))
        return flat(products(local, other, weight))


class LAct(nn.Module):
    r"""W -> f(Re Tr W) W, each matrix by itself; covariant as `LConv`. No parameters.

    Args:
        activation: f, a function of real tensors, entry by entry.

    Raises:
        InputError: ``activation`` not callable.

    Source: Favoni, Ipp, Müller and Schuh, arXiv:2012.12901.

    Example:
        >>> import torch
        >>> W = torch.tensor([2.0, -3.0]).to(torch.complex64).reshape(1, 1, 2, 1, 1)
        >>> LAct(torch.relu)(W).flatten().real
        tensor([4., -0.])
    """

    def __init__(self, activation: Callable[[Tensor], Tensor] = torch.relu) -> None:
        super().__init__()
        if not callable(activation):
            raise InputError(f"`activation` is {activation!r}; expected a callable.")
        self.activation = activation

    def forward(self, W: Tensor) -> Tensor:
        w = planar(W)
        return flat(self.activation(real_trace(w)) * w)


class LTrace(nn.Module):
    r"""Gauge-invariant traces, W (B, C, \*L, N, N) -> (B, 2 C, \*L) real: Re Tr W, then Im Tr W.

    Of quaternions (B, C, \*L, 4), whose traces are real: (B, C, \*L). No parameters.

    Example:
        >>> import torch
        >>> LTrace()(torch.full((1, 1, 1, 2, 2), 1 - 2j)).tolist()
        [[[2.0], [-4.0]]]
    """

    def forward(self, W: Tensor) -> Tensor:
        if not W.is_complex():
            return 2 * W[..., 0]
        trace = W.diagonal(dim1=-2, dim2=-1).sum(-1)
        return torch.cat([trace.real, trace.imag], 1)


class LExp(nn.Module):
    r"""Links turned by matrices at their sites, (U, W) -> U (B, dim, \*L, N, N).

    .. math:: U'_m(x) = \exp\Bigl(\sum_i \beta_{mi} [W_i(x)]_{TA}\Bigr) U_m(x),
              \quad [W]_{TA} = \tfrac12 (W - W^\dagger) - \tfrac1{2N} \mathrm{Tr}(W - W^\dagger)

    (no trace part is taken off for U(1)). U' stays in the group, and transforms as U. ``beta``
    (dim, in) is real, at first normal with variance 1 / in. Shapes as in `LConv`.

    Args:
        in_channels: Matrices a site.
        group: ``topoml.lie.U1()`` or ``topoml.lie.SU(n)``.
        dim: Number of lattice axes.

    Raises:
        InputError: An argument out of range, at once; wrong tensors, on the call.

    Source: Favoni, Ipp, Müller and Schuh, arXiv:2012.12901.
    """

    def __init__(self, in_channels: int, *, group: GaugeGroup, dim: int) -> None:
        super().__init__()
        self.in_channels, _, self.dim = check_layer(in_channels, 1, dim)
        self.group = check_gauge_group(group)
        self.beta = nn.Parameter(torch.randn(dim, check_count("in_channels", in_channels)))
        self.beta.data /= in_channels**0.5

    def extra_repr(self) -> str:
        return f"{self.in_channels}, group={self.group}, dim={self.dim}"

    def forward(self, U: Tensor, W: Tensor) -> Tensor:
        _check(self, U, W)
        beta = self.beta.to(U.real.dtype)
        turn = algebra_exp(self.group, mix(beta, planar(W), channel_axis(W)))
        return flat(multiply(turn, planar(U)))


def _check(layer: LConv | LConvBilinear | LExp, u: Tensor, w: Tensor) -> None:
    n = layer.group.matrix_size
    check_links(u, layer.dim, n)
    check_loops(w, dim=layer.dim, n=n, channels=layer.in_channels, links=u)


def _repr(layer: LConv | LConvBilinear) -> str:
    return (
        f"{layer.in_channels}, {layer.out_channels}, kernel_size={layer.kernel_size},"
        f" group={layer.group}, dim={layer.dim}, periodic={layer.periodic},"
        f" recompute={layer.recompute}"
    )
