"""The circle U(1), points as angles."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .._core.errors import InputError

__all__ = ["Circle"]


@dataclass(frozen=True)
class Circle:
    r"""Angles in radians, any branch, with the distance of their ``harmonic``-fold multiples.

    .. math:: d(x, y) = |\mathrm{wrap}(h (y - x))| \in [0, \pi]

    With ``harmonic`` h = 2, angles that differ by pi are one point: nematics, half-vortices.
    """

    harmonic: int = 1

    def __post_init__(self) -> None:
        if type(self.harmonic) is not int or self.harmonic < 1:
            raise InputError(f"`harmonic` is {self.harmonic!r}; expected an integer of at least 1.")

    @property
    def point_shape(self) -> tuple[int, ...]:
        return ()

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Arc length in radians, broadcast shape; subgradient 0 where it is 0 or pi.

        Example:
            >>> import torch
            >>> Circle().distance(torch.tensor(0.25), torch.tensor(-0.5))
            tensor(0.7500)
        """
        turn = self.harmonic * (y - x)
        arc = (turn - 2 * math.pi * torch.round(turn.detach() / (2 * math.pi))).abs()
        return torch.where(arc < math.pi, arc, math.pi)

    def check(self, name: str, x: Tensor) -> None:
        """Finite floats."""
        if not x.is_floating_point():
            raise InputError(
                f"`{name}` has dtype {x.dtype}; expected floats, angles in radians."
                f" Cure: {name}.float(), or Discrete(q) for labels."
            )
        if not bool(torch.isfinite(x.detach()).all()):
            raise InputError(f"`{name}` has infinite entries; expected angles in radians.")
