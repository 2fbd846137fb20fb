"""The cyclic group Z_q of clock models."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .._core.checks import check_count
from .._core.errors import InputError

__all__ = ["Cyclic"]


@dataclass(frozen=True)
class Cyclic:
    r"""Integers 0 ... q - 1 under addition modulo q, the hours of a clock; it has no ``space``.

    Example:
        >>> import torch
        >>> Cyclic(6).compose(torch.tensor([4, 5]), torch.tensor([1, 3]))
        tensor([5, 2])
    """

    q: int

    def __post_init__(self) -> None:
        check_count("q", self.q)

    @property
    def point_shape(self) -> tuple[int, ...]:
        return ()

    def identity(self, *, device: torch.device | str | None = None) -> Tensor:
        """0, int64."""
        return torch.zeros((), dtype=torch.int64, device=device)

    def compose(self, g: Tensor, h: Tensor) -> Tensor:
        """g + h modulo q."""
        return (g + h) % self.q

    def inverse(self, g: Tensor) -> Tensor:
        """-g modulo q."""
        return (-g) % self.q

    def angle(self, g: Tensor, *, dtype: torch.dtype) -> Tensor:
        """2 pi g / q, radians."""
        return g.to(dtype) * (2 * math.pi / self.q)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """The arc 2 pi k / q of the k hours between two, k <= q / 2, radians, float32."""
        hours = (y - x) % self.q
        return torch.minimum(hours, self.q - hours).float() * (2 * math.pi / self.q)

    def random_haar(
        self,
        *size: int,
        generator: torch.Generator,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Independent uniform elements (size), int64."""
        device = generator.device if device is None else device
        return torch.randint(self.q, size, generator=generator, device=device)

    def check(self, name: str, x: Tensor) -> None:
        """Integers from 0 to q - 1."""
        if x.is_floating_point() or x.is_complex() or x.dtype == torch.bool:
            raise InputError(
                f"`{name}` has dtype {x.dtype}; expected integers from 0 to {self.q - 1}."
                f" Cure: {name}.long()."
            )
        low, high = (int(x.min()), int(x.max())) if x.numel() else (0, 0)
        if low < 0 or high >= self.q:
            raise InputError(
                f"`{name}` has integers from {low} to {high}; expected 0 to {self.q - 1} for"
                f" {self}. Cure: {name} % {self.q}."
            )
