"""The flat torus, points as angles."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .._core.checks import check_count
from .._core.errors import InputError
from .._core.optional import require
from ._checks import check_dtype, check_points
from .riemannian import RiemannianManifold

__all__ = ["Torus"]


@dataclass(frozen=True)
class Torus(RiemannianManifold):
    r"""n angles in radians (*batch, n), any branch.

    .. math:: d(x, y) = \Bigl(\sum_a \mathrm{wrap}(y_a - x_a)^2\Bigr)^{1/2}

    Subgradient 0 at equal points, and in an angle that is off by pi.

    Example:
        >>> import torch
        >>> Torus(2).distance(torch.tensor([0.25, 0.0]), torch.tensor([0.25, 0.5]))
        tensor(0.5000)
    """

    n: int

    def __post_init__(self) -> None:
        check_count("n", self.n)

    @property
    def point_shape(self) -> tuple[int, ...]:
        return (self.n,)

    @property
    def space(self) -> Any:  # noqa: ANN401
        """The product of n circles of geomstats, points as those of `embed`."""
        spaces = require("topoml.lie._geomstats")
        return spaces.product([spaces.hypersphere(1) for _ in range(self.n)])

    def embed(self, x: Tensor) -> Tensor:
        """(cos, sin) of each angle, (*batch, n, 2)."""
        return torch.stack([x.cos(), x.sin()], -1)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Length of the shortest way, radians."""
        arc = self.project(y - x).abs()
        result: Tensor = torch.linalg.vector_norm(torch.where(arc < math.pi, arc, math.pi), dim=-1)
        return result

    def exp(self, v: Tensor, base: Tensor) -> Tensor:
        """The angles base + v, in [-pi, pi]."""
        return self.project(base + v)

    def log(self, x: Tensor, base: Tensor) -> Tensor:
        """The shortest turns from ``base`` to x, in [-pi, pi]."""
        return self.project(x - base)

    def to_tangent(self, v: Tensor, base: Tensor) -> Tensor:
        """v, at any base."""
        del base
        return v

    def project(self, x: Tensor) -> Tensor:
        """The same angles in [-pi, pi]; gradient 1."""
        return x - 2 * math.pi * torch.round(x.detach() / (2 * math.pi))

    def random_haar(
        self,
        *size: int,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Independent uniform angles (*size, n) in [-pi, pi]."""
        check_dtype("dtype", dtype, False)
        device = generator.device if device is None else device
        turn = torch.rand((*size, self.n), generator=generator, dtype=dtype, device=device)
        return math.pi * (2 * turn - 1)

    def check(self, name: str, x: Tensor) -> None:
        """Finite floats (..., n)."""
        x = check_points(name, x, self.point_shape, self).detach()
        check_dtype(f"{name}.dtype", x.dtype, False)
        if not bool(torch.isfinite(x).all()):
            raise InputError(
                f"`{name}` has entries that are not finite; expected angles in radians."
            )
