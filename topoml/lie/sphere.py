"""The sphere S^n, points as unit vectors."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .._core.checks import check_count
from .._core.errors import InputError
from .._core.optional import require
from ..kernels.spheres import sphere_exp, sphere_log
from ._checks import check_dtype
from .riemannian import RiemannianManifold

__all__ = ["Sphere"]


@dataclass(frozen=True)
class Sphere(RiemannianManifold):
    """Unit vectors of n + 1 components: Sphere(1) is the circle, Sphere(2) that of Heisenberg.

    Example:
        >>> import torch
        >>> north, east = torch.tensor([0.0, 0, 1]), torch.tensor([1.0, 0, 0])
        >>> Sphere(2).log(east, north)
        tensor([1.5708, 0.0000, 0.0000])
    """

    n: int

    def __post_init__(self) -> None:
        check_count("n", self.n)

    @property
    def point_shape(self) -> tuple[int, ...]:
        return (self.n + 1,)

    @property
    def space(self) -> Any:  # noqa: ANN401
        """``Hypersphere(n)`` of geomstats, extrinsic points."""
        return require("topoml.lie._geomstats").hypersphere(self.n)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        r"""Angle between unit vectors (..., n + 1), in radians, [0, pi].

        :math:`2\,\mathrm{atan2}(|x - y|, |x + y|)`, accurate at every angle; subgradient 0 at equal
        and at antipodal points. Not checked: unit length.

        Source: Kahan, "How Futile are Mindless Assessments of Roundoff" (2006), sec. 12.
        """
        return 2 * torch.atan2(
            torch.linalg.vector_norm(x - y, dim=-1), torch.linalg.vector_norm(x + y, dim=-1)
        )

    def exp(self, v: Tensor, base: Tensor) -> Tensor:
        r""":math:`\cos|v|\, b + \frac{\sin|v|}{|v|} v` for v orthogonal to b."""
        return sphere_exp(v, base)

    def log(self, x: Tensor, base: Tensor) -> Tensor:
        """The tangent vector from ``base`` to x, its length the angle in [0, pi].

        Right at equal points; at antipodal ones, where every direction serves, a fixed one with
        gradient 0.
        """
        return sphere_log(x, base)

    def to_tangent(self, v: Tensor, base: Tensor) -> Tensor:
        """The part of v orthogonal to ``base``."""
        return v - (v * base).sum(-1, keepdim=True) * base

    def project(self, x: Tensor) -> Tensor:
        """x / |x|; the last unit vector, with gradient 0, where x = 0."""
        zero = (x == 0).all(-1, keepdim=True)
        last = (torch.arange(self.n + 1, device=x.device) == self.n).to(x.dtype)
        x = torch.where(zero, last, x)
        result: Tensor = x / torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        return result

    def random_haar(
        self,
        *size: int,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Independent uniform points (*size, n + 1): normal vectors over their length."""
        check_dtype("dtype", dtype, False)
        device = generator.device if device is None else device
        x = torch.randn((*size, self.n + 1), generator=generator, dtype=dtype, device=device)
        return self.project(x)

    def check(self, name: str, x: Tensor) -> None:
        """Floats (..., n + 1) of unit length, within 100 roundings."""
        if x.ndim < 1 or x.shape[-1] != self.n + 1:
            raise InputError(
                f"`{name}` has shape {tuple(x.shape)}; expected (..., {self.n + 1}), the vectors of"
                f" Sphere({self.n}) on the last axis."
            )
        if not x.is_floating_point():
            raise InputError(
                f"`{name}` has dtype {x.dtype}; expected floats. Cure: {name}.float()."
            )
        defect = (torch.linalg.vector_norm(x.detach(), dim=-1) - 1).abs().max()
        if not float(defect) <= 100 * torch.finfo(x.dtype).eps:
            raise InputError(
                f"`{name}` has vectors whose length is off 1 by {float(defect):.2g}; expected unit"
                f" vectors. Cure: torch.nn.functional.normalize({name}, dim=-1)."
            )
