"""Stout smearing of links, with learnable weights."""

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn

from .._core.checks import check_count
from ..kernels.links import channel_axis, dagger, flat, multiply, planar
from ..kernels.loops import clover_leaves
from ._links import GaugeGroup, algebra_exp, check_gauge_group, check_links, check_open_axes

__all__ = ["StoutSmearing"]


class StoutSmearing(nn.Module):
    r"""Stout smearing, U (B, dim, \*L, N, N) -> U of the same shape, ``n_steps`` times.

    .. math:: U'_m(x) = \exp\bigl(\rho\, [\Omega_m(x)]_{TA}\bigr) U_m(x), \quad
              \Omega_m(x) = \sum_{n \ne m} \bigl(P_{n, m}(x) + P_{-n, m}(x)\bigr)

    with the leaves P of `Plaquettes`. Commutes with gauge transformations and the symmetries of the
    lattice, and stays in the group. ``rho`` (n_steps,) is a parameter. Complex links, or for SU(2)
    quaternions, as in `LConv`. Differentiable everywhere.

    Args:
        n_steps: At least 1.
        rho: The value at the start of every step; below 0.1 or so it smooths.
        group: ``topoml.lie.U1()`` or ``topoml.lie.SU(n)``.
        periodic: One bool, or one a lattice axis; a leaf that leaves an open lattice counts as 0.

    Raises:
        InputError: An argument out of range, at once; wrong links, on the call.

    Source: Morningstar and Peardon, arXiv:hep-lat/0311018; learnable: Nagai and Tomiya,
        arXiv:2103.11965.

    Example:
        >>> import torch
        >>> from topoml.lie import U1
        >>> U = torch.ones(1, 2, 3, 3, 1, 1, dtype=torch.complex64)
        >>> torch.equal(StoutSmearing(2, group=U1())(U), U)
        True
    """

    def __init__(
        self,
        n_steps: int = 1,
        rho: float = 0.1,
        *,
        group: GaugeGroup,
        periodic: bool | Sequence[bool] = True,
    ) -> None:
        super().__init__()
        self.n_steps, self.group = check_count("n_steps", n_steps), check_gauge_group(group)
        self.periodic = periodic
        self.rho = nn.Parameter(torch.full((n_steps,), float(rho)))

    def extra_repr(self) -> str:
        return f"{self.n_steps}, group={self.group}, periodic={self.periodic}"

    def forward(self, U: Tensor) -> Tensor:
        periodic = check_open_axes(self.periodic, check_links(U, n=self.group.matrix_size))
        rho = self.rho.to(U.real.dtype)
        for step in rho.unbind(0):
            turn = algebra_exp(self.group, step * _staples(U, periodic))
            U = flat(multiply(turn, planar(U)))
        return U


def _staples(u: Tensor, periodic: Sequence[bool]) -> Tensor:
    """Omega, planar (.., B, dim, *L)."""
    leaves = clover_leaves(planar(u), periodic)
    parts: list[list[Tensor]] = [[] for _ in range(u.shape[1])]
    for i, (m, n) in enumerate(combinations(range(u.shape[1]), 2)):
        first, second, _, fourth = leaves[4 * i : 4 * i + 4]
        parts[m] += [dagger(first), fourth]
        parts[n] += [first, dagger(second)]
    zero = torch.zeros_like(planar(u[:, :1]))
    return torch.cat([sum(part, zero) for part in parts], channel_axis(u))
