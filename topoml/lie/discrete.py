"""A set of q labels: the states of a Potts model."""

from dataclasses import dataclass

from torch import Tensor

from .._core.errors import InputError

__all__ = ["Discrete"]


@dataclass(frozen=True)
class Discrete:
    """Integers 0 ... q - 1 with distance 0 between equal and 1 between different labels."""

    q: int

    def __post_init__(self) -> None:
        if type(self.q) is not int or self.q < 1:
            raise InputError(f"`q` is {self.q!r}; expected an integer of at least 1.")

    @property
    def point_shape(self) -> tuple[int, ...]:
        return ()

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """0 where the labels are equal and 1 elsewhere, float32."""
        return (x != y).float()

    def check(self, name: str, x: Tensor) -> None:
        """Integers from 0 to q - 1."""
        if x.is_floating_point() or x.is_complex():
            raise InputError(
                f"`{name}` has dtype {x.dtype}; expected integers, labels from 0 to {self.q - 1}."
                f" Cure: {name}.long()."
            )
        low, high = int(x.min()), int(x.max())
        if low < 0 or high >= self.q:
            raise InputError(
                f"`{name}` has labels from {low} to {high}; expected 0 to {self.q - 1} for {self}."
            )
