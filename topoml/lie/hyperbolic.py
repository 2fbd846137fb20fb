"""Hyperbolic space H^n, points on the hyperboloid."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from .._core.checks import check_count
from .._core.optional import require
from ..kernels.spheres import hyperboloid_exp, hyperboloid_log, lorentz_product
from ._checks import check_dtype, check_near, check_points
from .riemannian import RiemannianManifold

__all__ = ["Hyperbolic"]


@dataclass(frozen=True)
class Hyperbolic(RiemannianManifold):
    r"""Vectors x of n + 1 components with :math:`-x_0^2 + x_1^2 + \dots = -1`, :math:`x_0 > 0`.

    .. math:: d(x, y) = 2\,\mathrm{asinh}\tfrac12 \langle x - y, x - y \rangle^{1/2}

    of curvature -1; roundings grow with :math:`x_0 y_0`.

    Example:
        >>> import torch
        >>> H = Hyperbolic(2)
        >>> H.project(torch.tensor([0.0, 3.0, 4.0])).square()
        tensor([26.,  9., 16.])
    """

    n: int
    least_curvature: ClassVar[float] = -1.0

    def __post_init__(self) -> None:
        check_count("n", self.n)

    @property
    def point_shape(self) -> tuple[int, ...]:
        return (self.n + 1,)

    @property
    def space(self) -> Any:  # noqa: ANN401
        """``Hyperboloid(n)`` of geomstats, extrinsic points."""
        return require("topoml.lie._geomstats").hyperboloid(self.n)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Hyperbolic distance; subgradient 0 at equal points."""
        square = lorentz_product(x - y, x - y)
        apart = square > 0
        root = torch.where(apart, square, 1).sqrt()
        return torch.where(apart, 2 * (root / 2).asinh(), 0)

    def exp(self, v: Tensor, base: Tensor) -> Tensor:
        r""":math:`\cosh|v|\, b + \frac{\sinh|v|}{|v|} v` for v tangent at b."""
        return hyperboloid_exp(v, base)

    def log(self, x: Tensor, base: Tensor) -> Tensor:
        """The tangent vector from ``base`` to x; right at equal points."""
        return hyperboloid_log(x, base)

    def to_tangent(self, v: Tensor, base: Tensor) -> Tensor:
        """The part of v that is orthogonal to ``base`` in the Lorentz product."""
        return v + lorentz_product(v, base)[..., None] * base

    def project(self, x: Tensor) -> Tensor:
        """The point with the spatial components of x."""
        space = x[..., 1:]
        return torch.cat([(1 + (space * space).sum(-1, keepdim=True)).sqrt(), space], -1)

    def random(
        self,
        *size: int,
        scale: float,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """exp of normal tangent vectors at (1, 0 ... 0), standard deviation ``scale`` an entry."""
        check_dtype("dtype", dtype, False)
        device = generator.device if device is None else device
        v = scale * torch.randn((*size, self.n), generator=generator, dtype=dtype, device=device)
        v = torch.cat([torch.zeros_like(v[..., :1]), v], -1)
        origin = (torch.arange(self.n + 1, device=v.device) == 0).to(dtype)
        return hyperboloid_exp(v, origin)

    def check(self, name: str, x: Tensor) -> None:
        """Floats (..., n + 1) on the upper sheet, within 100 roundings of the square of x_0."""
        x = check_points(name, x, self.point_shape, self).detach()
        check_dtype(f"{name}.dtype", x.dtype, False)
        defect = (lorentz_product(x, x) + 1) / x[..., 0].square().clamp(min=1)
        cure = f"{self}.project({name})"
        check_near(name, torch.where(x[..., 0] > 0, defect, torch.inf), "the hyperboloid", cure)
