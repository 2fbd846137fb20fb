"""What a space of spins must offer."""

from typing import Protocol, runtime_checkable

from torch import Tensor

__all__ = ["Manifold"]


@runtime_checkable
class Manifold(Protocol):
    """A space with a distance; anything with these three serves where a manifold is asked for."""

    @property
    def point_shape(self) -> tuple[int, ...]:
        """Shape of one point: () for an angle or a label, (n,) for a vector."""
        ...

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Distance of the points of two arrays (*batch, *point_shape), (*batch)."""
        ...

    def check(self, name: str, x: Tensor) -> None:
        """Raise InputError, with ``name``, unless ``x`` holds points of this space."""
        ...
