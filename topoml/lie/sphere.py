"""The sphere S^n, points as unit vectors."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .._core.errors import InputError

__all__ = ["Sphere"]


@dataclass(frozen=True)
class Sphere:
    """Unit vectors of n + 1 components: Sphere(1) is the circle, Sphere(2) that of Heisenberg."""

    n: int

    def __post_init__(self) -> None:
        if type(self.n) is not int or self.n < 1:
            raise InputError(f"`n` is {self.n!r}; expected an integer of at least 1.")

    @property
    def point_shape(self) -> tuple[int, ...]:
        return (self.n + 1,)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        r"""Angle between unit vectors (..., n + 1), in radians, [0, pi].

        :math:`2\,\mathrm{atan2}(|x - y|, |x + y|)`, accurate at every angle; subgradient 0 at equal
        and at antipodal points. Not checked: unit length.

        Source: Kahan, "How Futile are Mindless Assessments of Roundoff" (2006), sec. 12.
        """
        return 2 * torch.atan2(
            torch.linalg.vector_norm(x - y, dim=-1), torch.linalg.vector_norm(x + y, dim=-1)
        )

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
