"""What every matrix Lie group of this package offers."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from ._checks import check_dtype

__all__ = ["LieGroup"]


class LieGroup(ABC):
    r"""A Lie group of matrices: points g (*batch, N, N), algebra elements X of the same shape.

    Real for SO, SE and Lorentz, complex for U(1) and SU. Every method takes any leading shape
    (broadcast where there are two arguments), returns the dtype and the device of its input and is
    differentiable. Points are not checked, but by `check`; of algebra matrices only the algebra
    part enters where a group says so.
    """

    is_complex: ClassVar[bool]

    @property
    @abstractmethod
    def matrix_size(self) -> int:
        """N, the number of rows of a point."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Number of real parameters: the length of the vectors of `hat` and `vee`."""

    @property
    @abstractmethod
    def space(self) -> Any:  # noqa: ANN401  geomstats has no types
        """The geomstats space (imports geomstats; float64, see `default_dtype`)."""

    @abstractmethod
    def exp(self, X: Tensor) -> Tensor:
        """The group element of an algebra matrix."""

    @abstractmethod
    def log(self, g: Tensor) -> Tensor:
        """The algebra matrix of least length whose exponential is g."""

    @abstractmethod
    def inverse(self, g: Tensor) -> Tensor:
        """g^-1."""

    @abstractmethod
    def hat(self, v: Tensor) -> Tensor:
        """The algebra matrix of coordinates (*batch, dim), real."""

    @abstractmethod
    def vee(self, X: Tensor) -> Tensor:
        """The coordinates (*batch, dim) of an algebra matrix: the inverse of `hat`."""

    @abstractmethod
    def project(self, m: Tensor) -> Tensor:
        """A group element near the matrix m."""

    @abstractmethod
    def project_algebra(self, m: Tensor) -> Tensor:
        """The orthogonal projection of the matrix m on the algebra."""

    @abstractmethod
    def check(self, name: str, x: Tensor) -> None:
        """Raise InputError, with ``name``, unless ``x`` holds points of this group."""

    @property
    def point_shape(self) -> tuple[int, ...]:
        return (self.matrix_size, self.matrix_size)

    def identity(self, *, dtype: torch.dtype, device: torch.device | str | None = None) -> Tensor:
        """The unit matrix (N, N)."""
        check_dtype("dtype", dtype, self.is_complex)
        return torch.eye(self.matrix_size, dtype=dtype, device=device)

    def compose(self, g: Tensor, h: Tensor) -> Tensor:
        """The product g h."""
        return g @ h

    def adjoint(self, g: Tensor, X: Tensor) -> Tensor:
        """g X g^-1, the algebra element X seen from a frame turned by g."""
        return g @ X @ self.inverse(g)

    def between(self, g: Tensor, h: Tensor) -> Tensor:
        """g^-1 h, which leads from g to h; exactly 1 where they are equal."""
        eye = torch.eye(self.matrix_size, dtype=h.dtype, device=h.device)
        return eye + self.inverse(g) @ (h - g)

    def distance(self, g: Tensor, h: Tensor) -> Tensor:
        r"""Length :math:`|\mathrm{vee} \log(g^{-1} h)|` of the way from g to h, (*batch), real.

        The geodesic distance of the metric in which `hat` is an isometry, where that metric is
        bi-invariant (the compact groups), in radians. Subgradient 0 at equal points.
        """
        result: Tensor = torch.linalg.vector_norm(self.vee(self.log(self.between(g, h))), dim=-1)
        return result

    def geodesic(self, g: Tensor, h: Tensor, t: Tensor | float) -> Tensor:
        r"""The point :math:`g \exp(t \log(g^{-1} h))` on the way from g (t = 0) to h (t = 1).

        Args:
            g: Start (*batch, N, N).
            h: End (*batch, N, N).
            t: A number, or numbers (*batch).
        """
        if isinstance(t, Tensor):
            t = t[..., None, None]
        return g @ self.exp(t * self.log(self.between(g, h)))
