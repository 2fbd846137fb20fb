"""The rotations SO(n) of real vectors."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from .._core.checks import check_count
from .._core.optional import require
from ..kernels.rotations import (
    hat3,
    rotation_from_quaternion,
    so2_angle,
    so2_exp,
    so2_hat,
    so3_exp,
    so3_log,
    vee3,
)
from ..kernels.spectral import orthogonal_log, polar
from ._checks import check_dtype, check_near, check_points
from ._precision import at_least_single
from .group import LieGroup

__all__ = ["SO"]


@dataclass(frozen=True)
class SO(LieGroup):
    r"""Rotation matrices R (*batch, n, n), n >= 2: R^T R = 1, det R = 1.

    Coordinates are angles in radians: the angle (n = 2, positive turns), the rotation vector
    (n = 3), else :math:`X_{ij} = v_a = -X_{ji}` for the pairs i < j in order. ``hat`` is an
    isometry for :math:`|X|^2 = \mathrm{tr}\, X^T X / 2`, so that ``distance`` is the angle of the
    rotation between two (n = 2, 3), the root of the sum of its squared angles (n >= 4), in radians.

    Closed forms for n = 2, 3, accurate and with bounded derivatives at every angle in [0, pi];
    n >= 4: ``torch.matrix_exp`` and an eigendecomposition whose derivatives stay right at equal
    angles. At a turn by exactly pi several shortest logarithms exist: the result is one of them,
    with its one-sided derivative for n = 2, 3, and without that of the turned planes for n >= 4. Of
    algebra matrices the antisymmetric part counts.

    Example:
        >>> import torch
        >>> SO(3).vee(SO(3).log(torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])))
        tensor([0.0000, 0.0000, 1.5708])
    """

    n: int
    is_complex: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_count("n", self.n, 2)

    @property
    def matrix_size(self) -> int:
        return self.n

    @property
    def dim(self) -> int:
        return self.n * (self.n - 1) // 2

    @property
    def space(self) -> Any:  # noqa: ANN401
        """``SpecialOrthogonal(n)`` of geomstats, matrices, with its bi-invariant metric."""
        return require("topoml.lie._geomstats").special_orthogonal(self.n)

    @at_least_single
    def exp(self, X: Tensor) -> Tensor:
        """The rotation of an antisymmetric matrix (*batch, n, n)."""
        if self.n == 2:
            return so2_exp((X[..., 1, 0] - X[..., 0, 1]) / 2)
        if self.n == 3:
            return so3_exp(vee3(X))
        return torch.matrix_exp(self.project_algebra(X).contiguous())

    @at_least_single
    def log(self, g: Tensor) -> Tensor:
        """The shortest antisymmetric X with exp(X) = g, angles in [-pi, pi]."""
        if self.n == 2:
            return so2_hat(so2_angle(g))
        if self.n == 3:
            return hat3(so3_log(g))
        return self.project_algebra(orthogonal_log(g))

    def inverse(self, g: Tensor) -> Tensor:
        """The transposed matrix."""
        return g.mT

    def hat(self, v: Tensor) -> Tensor:
        """Angles (*batch, dim) in radians -> antisymmetric matrices."""
        if self.n == 2:
            return so2_hat(v[..., 0])
        if self.n == 3:
            return hat3(v)
        i, j = torch.triu_indices(self.n, self.n, 1, device=v.device)
        eye = torch.eye(self.n, dtype=v.dtype, device=v.device)
        X = torch.einsum("...a,ai,aj->...ij", v, eye[i], eye[j])
        return X - X.mT

    def vee(self, X: Tensor) -> Tensor:
        """Antisymmetric matrices -> angles (*batch, dim) in radians."""
        if self.n == 2:
            return (X[..., 1, 0, None] - X[..., 0, 1, None]) / 2
        if self.n == 3:
            return vee3(X)
        i, j = torch.triu_indices(self.n, self.n, 1, device=X.device)
        return (X[..., i, j] - X[..., j, i]) / 2

    @at_least_single
    def project(self, m: Tensor) -> Tensor:
        """The nearest rotation to m, by singular values; its derivative is right on rotations."""
        return polar(m, special=True)

    def project_algebra(self, m: Tensor) -> Tensor:
        """(m - m^T) / 2."""
        return (m - m.mT) / 2

    @at_least_single
    def random_haar(
        self,
        *size: int,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Rotations (*size, n, n), each independent, uniform by Haar's measure.

        Source: n = 3 by normal quaternions; else QR with the signs of diag R, Mezzadri, Notices AMS
            54, 592 (2007), math-ph/0609050.
        """
        check_dtype("dtype", dtype, False)
        device = generator.device if device is None else device
        shape = (*size, 4) if self.n == 3 else (*size, self.n, self.n)
        z = torch.randn(shape, generator=generator, dtype=dtype, device=device)
        if self.n == 3:
            return rotation_from_quaternion(z / torch.linalg.vector_norm(z, dim=-1, keepdim=True))
        Q, R = torch.linalg.qr(z)
        Q = Q * R.diagonal(dim1=-2, dim2=-1).sign()[..., None, :]
        first = torch.arange(self.n, device=Q.device) == 0
        result: Tensor = (
            Q * torch.where(first, torch.linalg.det(Q).sign()[..., None], 1)[..., None, :]
        )
        return result

    def check(self, name: str, x: Tensor) -> None:
        """Floats (..., n, n) with x^T x = 1 and det x = 1, within 100 roundings."""
        x = check_points(name, x, self.point_shape, self).detach()
        check_dtype(f"{name}.dtype", x.dtype, False)
        eye = torch.eye(self.n, dtype=x.dtype, device=x.device)
        cure = f"{self}.project({name})"
        check_near(name, x.mT @ x - eye, "x^T x = 1", cure)
        check_near(name, torch.linalg.det(x) - 1, "det x = 1", cure)
