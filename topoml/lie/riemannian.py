"""What every manifold with a closed exponential and logarithm offers."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor

__all__ = ["RiemannianManifold"]


class RiemannianManifold(ABC):
    """A manifold whose points and tangent vectors are tensors (*batch, *point_shape).

    Every method takes any leading shape (broadcast where there are several arguments), returns the
    dtype and the device of its input and is differentiable. Points are not checked, but by `check`.
    ``least_curvature`` is a bound below the sectional curvatures, 0 where none is negative.
    """

    least_curvature: ClassVar[float] = 0.0

    @property
    @abstractmethod
    def point_shape(self) -> tuple[int, ...]:
        """Shape of one point."""

    @property
    @abstractmethod
    def space(self) -> Any:  # noqa: ANN401  geomstats has no types
        """The geomstats space (imports geomstats; float64, see `default_dtype`)."""

    @abstractmethod
    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Geodesic distance, (*batch)."""

    @abstractmethod
    def exp(self, v: Tensor, base: Tensor) -> Tensor:
        """The end of the geodesic that leaves ``base`` with the velocity v, after unit time."""

    @abstractmethod
    def log(self, x: Tensor, base: Tensor) -> Tensor:
        """The shortest tangent vector at ``base`` whose exponential is x."""

    @abstractmethod
    def project(self, x: Tensor) -> Tensor:
        """A point of this space near x."""

    @abstractmethod
    def check(self, name: str, x: Tensor) -> None:
        """Raise InputError, with ``name``, unless ``x`` holds points of this space."""

    def geodesic(self, x: Tensor, y: Tensor, t: Tensor | float) -> Tensor:
        """The point on the shortest way from x (t = 0) to y (t = 1); t a number or (*batch)."""
        if isinstance(t, Tensor):
            t = t.reshape(t.shape + (1,) * len(self.point_shape))
        return self.exp(t * self.log(y, x), x)
