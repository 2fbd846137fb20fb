"""Random gauge transformations, as an action to test layers with."""

from typing import Any

import torch
from torch import Tensor

from ..kernels.links import dagger, flat, multiply, planar, shift
from ._links import GaugeGroup, check_gauge_group
from .equivariance import Action

__all__ = ["gauge_transformations", "transform_fields", "transform_links", "transform_loops"]


def gauge_transformations(group: GaugeGroup) -> Action:
    r"""One random g(x) a site: U is transformed, and all that comes with it or out, as loops.

    The input is U (B, dim, \*L, N, N), or a tuple that starts with it and goes on with W
    (B, C, \*L, N, N), which becomes g W g†. Quaternions (.., 4) likewise. For another output give
    ``act_out``: `transform_links`, `transform_fields` or `invariant`; a module of W alone is given
    as a function of (U, W). On a lattice with open ends, the links that point out are nothing.

    Args:
        group: ``topoml.lie.U1()`` or ``topoml.lie.SU(n)``.
    """
    haar: Any = check_gauge_group(group)

    def draw(x: Any, generator: torch.Generator) -> Tensor:  # noqa: ANN401
        u = x[0] if isinstance(x, tuple) else x
        if u.is_complex():
            size = (u.shape[0], 1, *u.shape[2:-2])
            g: Tensor = haar.random_haar(*size, generator=generator, dtype=u.dtype, device=u.device)
            return g
        shape = (u.shape[0], 1, *u.shape[2:])
        q = torch.randn(shape, generator=generator, dtype=u.dtype, device=generator.device)
        return torch.nn.functional.normalize(q.to(u.device), dim=-1)

    def act_in(g: Tensor, x: Any) -> Any:  # noqa: ANN401
        if not isinstance(x, tuple):
            return transform_links(g, x)
        return (transform_links(g, x[0]), *(transform_loops(g, w) for w in x[1:]))

    return Action(draw, act_in, transform_loops)


def transform_links(g: Tensor, U: Tensor) -> Tensor:
    r"""g(x) U_m(x) g(x + m)†, of g (B, 1, \*L, N, N)."""
    at, links = planar(g), planar(U)
    channel = 3 if U.is_complex() else 2
    ahead = [shift(at, channel + 1 + m, 1, True) for m in range(U.shape[1])]
    return flat(multiply(multiply(at, links), dagger(torch.cat(ahead, channel))))


def transform_loops(g: Tensor, W: Tensor) -> Tensor:
    r"""g(x) W(x) g(x)†."""
    at = planar(g)
    return flat(multiply(multiply(at, planar(W)), dagger(at)))


def transform_fields(g: Tensor, psi: Tensor) -> Tensor:
    r"""g(x) psi(x), of complex g (B, 1, \*L, N, N) and psi (B, C, \*L, N)."""
    return (g @ psi[..., None])[..., 0]
