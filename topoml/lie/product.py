"""Products of manifolds and groups."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .._core.errors import InputError
from .._core.optional import require
from ._checks import check_points
from .group import LieGroup
from .riemannian import RiemannianManifold

__all__ = ["Product"]

Factor = LieGroup | RiemannianManifold


@dataclass(frozen=True, init=False)
class Product:
    r"""Pairs, triples ... of points, flattened and joined in one axis, all of one dtype.

    .. math:: d(x, y)^2 = d_1(x_1, y_1)^2 + d_2(x_2, y_2)^2 + \dots

    Args:
        factors: Two or more spaces of this package, all real or all complex.

    Example:
        >>> import torch
        >>> from topoml.lie import Sphere, Torus
        >>> space = Product(Sphere(1), Torus(1))
        >>> x = space.join(torch.tensor([1.0, 0.0]), torch.tensor([0.5]))
        >>> x
        tensor([1.0000, 0.0000, 0.5000])
    """

    factors: tuple[Factor, ...]

    def __init__(self, *factors: Factor) -> None:
        if len(factors) < 2 or not all(isinstance(f, Factor) for f in factors):
            raise InputError(
                f"`factors` is {factors!r}; expected two or more groups or manifolds with a"
                " logarithm, such as Sphere(2), SO(3)."
            )
        if len({getattr(f, "is_complex", False) for f in factors}) > 1:
            raise InputError(f"`factors` is {factors!r}; expected all real or all complex ones.")
        object.__setattr__(self, "factors", factors)

    @property
    def point_shape(self) -> tuple[int, ...]:
        return (sum(self._sizes()),)

    @property
    def space(self) -> Any:  # noqa: ANN401
        """``ProductManifold`` of geomstats, of the spaces of the factors."""
        return require("topoml.lie._geomstats").product([f.space for f in self.factors])

    def split(self, x: Tensor) -> tuple[Tensor, ...]:
        """(*batch, n) -> the points of the factors."""
        parts = torch.split(x, self._sizes(), -1)
        pairs = zip(parts, self.factors, strict=True)
        return tuple(part.reshape(part.shape[:-1] + f.point_shape) for part, f in pairs)

    def join(self, *points: Tensor) -> Tensor:
        """The points of the factors -> (*batch, n)."""
        pairs = zip(points, self.factors, strict=True)
        return torch.cat([p.flatten(-len(f.point_shape)) for p, f in pairs], -1)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Root of the sum of squared distances; subgradient 0 at equal points."""
        pairs = zip(self.factors, self.split(x), self.split(y), strict=True)
        result: Tensor = torch.linalg.vector_norm(
            torch.stack([f.distance(a, b) for f, a, b in pairs]), dim=0
        )
        return result

    def geodesic(self, x: Tensor, y: Tensor, t: Tensor | float) -> Tensor:
        """The geodesics of the factors, side by side."""
        pairs = zip(self.factors, self.split(x), self.split(y), strict=True)
        return self.join(*(f.geodesic(a, b, t) for f, a, b in pairs))

    def check(self, name: str, x: Tensor) -> None:
        """The checks of all factors."""
        x = check_points(name, x, self.point_shape, self)
        for i, (factor, part) in enumerate(zip(self.factors, self.split(x), strict=True)):
            factor.check(f"{name}, factor {i}", part)

    def _sizes(self) -> list[int]:
        return [math.prod(f.point_shape) for f in self.factors]
