"""Real projective space: unit vectors without a head, as nematics have them."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .._core.checks import check_count
from .._core.optional import require
from ..kernels.spheres import sphere_exp, sphere_log
from .riemannian import RiemannianManifold
from .sphere import Sphere

__all__ = ["RealProjective"]


@dataclass(frozen=True)
class RealProjective(RiemannianManifold):
    r"""Unit vectors of n + 1 components modulo sign; RealProjective(2) is that of nematics.

    .. math:: d(x, y) = \min(\angle(x, y), \angle(x, -y)) \in [0, \pi/2]

    in radians. Results are one of the two vectors that stand for a point.

    Example:
        >>> import torch
        >>> RealProjective(1).distance(torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 0.0]))
        tensor(0.)
    """

    n: int

    def __post_init__(self) -> None:
        check_count("n", self.n)

    @property
    def point_shape(self) -> tuple[int, ...]:
        return (self.n + 1,)

    @property
    def space(self) -> Any:  # noqa: ANN401
        r"""``Grassmannian(n + 1, 1)`` of geomstats, as `projector`; sqrt 2 times our distances."""
        return require("topoml.lie._geomstats").grassmannian(self.n + 1, 1)

    def projector(self, x: Tensor) -> Tensor:
        """x x^T, (..., n + 1, n + 1), the same for both signs."""
        return x[..., :, None] * x[..., None, :]

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Angle between lines, accurate at all; subgradient 0 at equal and at orthogonal ones."""
        minus = torch.linalg.vector_norm(x - y, dim=-1)
        plus = torch.linalg.vector_norm(x + y, dim=-1)
        return 2 * torch.atan2(torch.minimum(minus, plus), torch.maximum(minus, plus))

    def exp(self, v: Tensor, base: Tensor) -> Tensor:
        """As on the sphere."""
        return sphere_exp(v, base)

    def log(self, x: Tensor, base: Tensor) -> Tensor:
        """From ``base`` to the nearer of x and -x (x where they are as near), |v| <= pi / 2."""
        behind = (x * base).sum(-1, keepdim=True) < 0
        return sphere_log(torch.where(behind, -x, x), base)

    def to_tangent(self, v: Tensor, base: Tensor) -> Tensor:
        """The part of v orthogonal to ``base``."""
        return Sphere(self.n).to_tangent(v, base)

    def project(self, x: Tensor) -> Tensor:
        """x / |x|, as on the sphere."""
        return Sphere(self.n).project(x)

    def random_haar(
        self,
        *size: int,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Independent uniform points (*size, n + 1)."""
        return Sphere(self.n).random_haar(*size, generator=generator, dtype=dtype, device=device)

    def check(self, name: str, x: Tensor) -> None:
        """Floats (..., n + 1) of unit length, within 100 roundings."""
        Sphere(self.n).check(name, x)
