r"""Topology of gauge fields on a periodic lattice: charges, and monopoles with their currents.

Links as in `loops`: (\*batch, dim, \*L), angles of U(1), or (\*batch, dim, \*L, N, N) of SU(N).
"""

import math
from itertools import combinations
from typing import Any

import numpy as np

from .._core.errors import InputError
from .._core.optional import require
from ._numbers import as_integers
from .loops import angle_plaquettes, check_links
from .model import Array, namespace

__all__ = ["clover_charge", "clover_charge_density", "monopole_currents", "topological_charge"]


def topological_charge(links: Array) -> Array:
    r"""Geometric charge of a U(1) gauge field in two dimensions, an integer, exactly.

    .. math:: Q = \frac{1}{2 \pi} \sum_x \mathrm{wrap}\bigl(\theta_0(x) + \theta_1(x + 0)
              - \theta_0(x + 1) - \theta_1(x)\bigr)

    the flux through the torus in units of :math:`2 \pi`; the density is
    `plaquette_angles` / (2 pi). Invariant under gauge transformations, but for plaquettes of
    exactly pi, which roundings decide. No gradient.

    Args:
        links: Angles (*batch, 2, L0, L1), radians, any branch.

    Returns:
        int64 (*batch,).

    Raises:
        InputError: Links of another shape, or of another group.

    Source: Lüscher, Commun. Math. Phys. 85, 39 (1982), of which this is the abelian case in 2D.

    Example:
        >>> import numpy as np
        >>> x = np.arange(4)
        >>> links = np.zeros((2, 4, 4))
        >>> links[1] = 2 * np.pi / 16 * x[:, None]
        >>> links[0, 3] = -2 * np.pi / 4 * x
        >>> int(topological_charge(links))
        1
    """
    _check_angles(links, 2)
    turns = _turns(links, 2, 0, 1)
    charge: Array = -turns.sum((-2, -1))
    return charge


def clover_charge(links: Array) -> Array:
    r"""Charge of an SU(N) gauge field in four dimensions by its clover-leaf field strength.

    The sum of `clover_charge_density` over the lattice. Near an integer on smooth (cooled, or
    smeared: `topoml.nn.StoutSmearing`) fields only.

    Args:
        links: Matrices (*batch, 4, *L, N, N), complex.

    Returns:
        Real (*batch,), in the precision of the links.

    Raises:
        InputError: Links of another shape, or of another group.

    Source: Di Vecchia, Fabricius, Rossi & Veneziano, Nucl. Phys. B 192, 392 (1981), for the
        definition by symmetrised plaquettes.
    """
    density: Any = clover_charge_density(links)
    total = density.reshape(*density.shape[:-4], -1).sum(-1, dtype=namespace(links).float64)
    charge: Array = total.astype(density.dtype) if namespace(links) is np else total.to(density)
    return charge


def clover_charge_density(links: Array) -> Array:
    r"""Density of the topological charge of an SU(N) gauge field in four dimensions.

    .. math:: q(x) = \frac{1}{32 \pi^2} \epsilon_{\mu\nu\rho\sigma} \mathrm{Tr}\bigl[F_{\mu\nu}(x)
              F_{\rho\sigma}(x)\bigr], \qquad F_{\mu\nu} = \frac{1}{8 i} (C_{\mu\nu} -
              C_{\mu\nu}^\dagger) - \text{trace}

    with C the sum of the four plaquettes around x in the plane, all in the sense from mu to nu
    (`topoml.nn.Plaquettes`), and :math:`\epsilon_{0123} = 1`. Invariant under gauge
    transformations, odd under reflections; differentiable everywhere. Not checked: unitarity.

    Args:
        links: Matrices (*batch, 4, *L, N, N), complex.

    Returns:
        Real (*batch, *L), in the precision of the links.

    Raises:
        InputError: Links of another shape, or of another group.
    """
    if not check_links(links, 4).startswith("complex"):
        raise InputError(
            "`links` are angles or signs; expected complex matrices (*batch, 4, *L, N, N): the"
            " charge is that of SU(N). Cure: for U(1) in 2D, topological_charge."
        )
    torch, kernels = require("torch"), require("topoml.kernels.links")
    u: Any = links if namespace(links) is not np else torch.from_numpy(np.ascontiguousarray(links))
    batch = tuple(u.shape[:-7])
    u = kernels.planar(u.reshape(math.prod(batch), *u.shape[-7:]))
    leaves = require("topoml.kernels.loops").clover_leaves(u, (True,) * 4)
    fields = [_antihermitian(sum(leaves[k : k + 4])) for k in range(0, 24, 4)]
    f01, f02, f03, f12, f13, f23 = fields
    # F = -i times these; 24 orders of the indices are 8 of each product
    total = _trace(f01, f23) - _trace(f02, f13) + _trace(f03, f12)
    density = -total.squeeze(1) / (4 * math.pi**2)
    density = density.reshape(*batch, *density.shape[1:])
    out: Array = density.numpy() if namespace(links) is np else density
    return out


def monopole_currents(links: Array) -> Array:
    r"""Magnetic currents of a U(1) gauge field in four dimensions, integers, conserved exactly.

    .. math:: k_\mu(x) = \frac{1}{4 \pi} \epsilon_{\mu\nu\rho\sigma} \bigl[\bar\theta_{\rho\sigma}
              (x + \nu) - \bar\theta_{\rho\sigma}(x)\bigr]

    with `plaquette_angles` :math:`\bar\theta` and :math:`\epsilon_{0123} = 1`: the flux out of the
    cube with lowest corner x that is orthogonal to mu, in units of :math:`2 \pi`. The current
    lives on the links of the dual lattice, :math:`\sum_\mu [k_\mu(x + \mu) - k_\mu(x)] = 0`, and
    sums to 0 over every slice :math:`x_\mu`. Invariant under gauge transformations, but for
    plaquettes of exactly pi. No gradient.

    Args:
        links: Angles (*batch, 4, *L), radians, any branch.

    Returns:
        int8 (*batch, 4, *L), from -2 to 2.

    Raises:
        InputError: Links of another shape, or of another group.

    Source: DeGrand & Toussaint, Phys. Rev. D 22, 2478 (1980).
    """
    _check_angles(links, 4)
    xp = namespace(links)
    turns = {(m, n): _turns(links, 4, m, n) for m, n in combinations(range(4), 2)}
    currents = []
    for mu in range(4):
        total: Any = 0
        for nu in (a for a in range(4) if a != mu):
            rho, sigma = (a for a in range(4) if a not in (mu, nu))
            n = turns[rho, sigma]
            total = total - _sign(mu, nu, rho, sigma) * (xp.roll(n, -1, nu - 4) - n)
        currents.append(as_integers(total, "int8"))
    out: Array = xp.stack(currents, -5)
    return out


def _check_angles(links: object, dim: int) -> None:
    if not check_links(links, dim).startswith("float"):
        raise InputError(
            f"`links` are signs or matrices; expected angles of U(1), (*batch, {dim}, *L)."
        )


def _turns(links: Any, dim: int, m: int, n: int) -> Any:  # noqa: ANN401
    """What `wrap` takes off the plaquettes, in units of 2 pi, int64.

    As the angles themselves sum to 0 over a closed surface, these numbers have all of the flux.
    """
    angle = angle_plaquettes(links, dim, m, n)
    return as_integers(namespace(links).round(angle / (2.0 * math.pi)), "int64")


def _antihermitian(leaves: Any) -> Any:  # noqa: ANN401
    """(C - C†) / 8 without its trace, planar."""
    f = (leaves - leaves.transpose(0, 1).conj()) / 8
    trace = f.diagonal(dim1=0, dim2=1).sum(-1) / len(f)
    return require("topoml.kernels.links").add_identity(f, -trace)


def _trace(a: Any, b: Any) -> Any:  # noqa: ANN401
    """Re Tr a b of planar matrices."""
    return (a * b.transpose(0, 1)).sum((0, 1)).real


def _sign(*order: int) -> int:
    """Of a permutation."""
    return math.prod(1 if a < b else -1 for a, b in combinations(order, 2))
