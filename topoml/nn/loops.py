"""Closed loops of links: plaquettes, Wilson and Polyakov loops, as matrices at every site."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .._core.errors import InputError
from ..kernels.links import channel_axis, flat, line, planar
from ..kernels.loops import clover_leaves, rectangles
from ._links import check_extents, check_links, check_open_axes

__all__ = ["Plaquettes", "PolyakovLoops", "WilsonLoops"]


class Plaquettes(nn.Module):
    r"""The clover leaves around every site, U (B, dim, \*L, N, N) -> W (B, C, \*L, N, N).

    .. math:: P_{ab}(x) = U_a(x)\, U_b(x+a)\, U_{-a}(x+a+b)\, U_{-b}(x+b),
              \quad U_{-a}(x) = U_a^\dagger(x - a)

    C = 2 dim (dim - 1): for each pair of axes m < n in lexicographic order the leaves
    (a, b) = (+m, +n), (+n, -m), (-m, -n), (-n, +m), all in the sense from m to n. Under a gauge
    transformation, W(x) -> g(x) W(x) g(x)†; a rotation or reflection of the lattice permutes the
    leaves, up to W -> W†. Links of SU(2) may be quaternions (B, dim, \*L, 4): see `LConv`. No
    parameters. Differentiable everywhere. Not checked: unitarity.

    Args:
        periodic: One bool, or one a lattice axis. A leaf that leaves an open lattice is 0.

    Raises:
        InputError: ``periodic`` of a wrong type; links of a wrong shape, on the call.

    Source: the clover leaves of lattice gauge theory; as input, Favoni et al., arXiv:2012.12901.

    Example:
        >>> import torch
        >>> theta = torch.zeros(1, 2, 3, 3, 1, 1)
        >>> theta[0, 0, 1, 1] = 0.5
        >>> W = Plaquettes()(torch.polar(torch.ones_like(theta), theta))
        >>> W.shape
        torch.Size([1, 4, 3, 3, 1, 1])
        >>> W[0, 0, 1, :, 0, 0].angle().round(decimals=2)
        tensor([-0.5000,  0.5000,  0.0000])
    """

    def __init__(self, *, periodic: bool | Sequence[bool] = True) -> None:
        super().__init__()
        self.periodic = periodic

    def extra_repr(self) -> str:
        return f"periodic={self.periodic}"

    def forward(self, U: Tensor) -> Tensor:
        periodic = check_open_axes(self.periodic, check_links(U))
        return flat(torch.cat(clover_leaves(planar(U), periodic), channel_axis(U)))


class WilsonLoops(nn.Module):
    r"""Rectangular loops from every site, U (B, dim, \*L, N, N) -> W (B, C, \*L, N, N).

    .. math:: W_{mn}^{r t}(x) = S_m^r(x)\, S_n^t(x + r m)\, S_m^r(x + t n)^\dagger\,
              S_n^t(x)^\dagger

    with the straight line :math:`S_m^r(x) = U_m(x) \cdots U_m(x + (r - 1) m)`. Channels: for each
    (r, t) of ``extents``, each pair of axes m < n. A loop longer than a period winds around it.
    The trace of a channel is the gauge-invariant Wilson loop. No parameters.

    Args:
        extents: Pairs (r, t) of side lengths, in lattice spacings.
        periodic: One bool, or one a lattice axis. A loop that leaves an open lattice is 0.

    Raises:
        InputError: ``extents`` or ``periodic`` out of range; links of a wrong shape, on the call.

    Source: Wilson, Phys. Rev. D 10, 2445 (1974).

    Example:
        >>> import torch
        >>> U = torch.ones(1, 3, 2, 2, 2, 1, 1, dtype=torch.complex64)
        >>> WilsonLoops(((1, 1), (1, 2)))(U).shape
        torch.Size([1, 6, 2, 2, 2, 1, 1])
    """

    def __init__(
        self, extents: Sequence[tuple[int, int]], *, periodic: bool | Sequence[bool] = True
    ) -> None:
        super().__init__()
        self.extents, self.periodic = check_extents(extents), periodic

    def extra_repr(self) -> str:
        return f"extents={self.extents}, periodic={self.periodic}"

    def forward(self, U: Tensor) -> Tensor:
        dim = check_links(U)
        periodic = check_open_axes(self.periodic, dim)
        links = planar(U)
        found = [rectangles(links, r, t, periodic) for r, t in self.extents]
        return flat(torch.cat(found, channel_axis(U)))


class PolyakovLoops(nn.Module):
    r"""Straight loops around the periods, U (B, dim, \*L, N, N) -> W (B, len(axes), \*L, N, N).

    .. math:: P_m(x) = U_m(x)\, U_m(x + m) \cdots U_m(x + (L_m - 1) m)

    at every site x, as P(x) -> g(x) P(x) g(x)† under a gauge transformation. No parameters.

    Args:
        axes: The directions m, which must be periodic; None is all.

    Raises:
        InputError: ``axes`` not distinct directions; links of a wrong shape, on the call.

    Source: Polyakov, Phys. Lett. B 72, 477 (1978).

    Example:
        >>> import torch
        >>> U = torch.full((1, 2, 4, 3, 1, 1), 1j)
        >>> PolyakovLoops()(U)[0, :, 0, 0, 0, 0].angle().rad2deg().abs()
        tensor([ 0., 90.])
    """

    def __init__(self, *, axes: Sequence[int] | None = None) -> None:
        super().__init__()
        self.axes = None if axes is None else tuple(axes)

    def extra_repr(self) -> str:
        return f"axes={self.axes}"

    def forward(self, U: Tensor) -> Tensor:
        dim = check_links(U)
        axes = tuple(range(dim)) if self.axes is None else self.axes
        if not axes or len(set(axes)) < len(axes) or not set(axes) <= set(range(dim)):
            raise InputError(
                f"`axes` is {self.axes}; expected distinct integers from 0 to {dim - 1}."
            )
        links = planar(U)
        channel = channel_axis(U)
        loops = [
            line(links.narrow(channel, m, 1), channel + 1 + m, U.shape[2 + m], True) for m in axes
        ]
        return flat(torch.cat(loops, channel))
