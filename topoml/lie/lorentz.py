"""The Lorentz group SO(1, 3) of four-vectors."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from .._core.optional import require
from ..kernels.lorentz import boost, lorentz_hat, lorentz_log, spatial_rotation
from ..kernels.rotations import rotation_from_quaternion, vee3
from ..kernels.spectral import polar
from ._checks import check_dtype, check_near, check_points
from ._precision import at_least_single
from .group import LieGroup

__all__ = ["Lorentz"]


@dataclass(frozen=True)
class Lorentz(LieGroup):
    r"""Proper orthochronous Lorentz matrices (*batch, 4, 4) on (t, x, y, z).

    :math:`\Lambda^T \eta \Lambda = \eta` with :math:`\eta = \mathrm{diag}(-1, 1, 1, 1)`, det 1,
    :math:`\Lambda_{00} \ge 1`. Coordinates are the rapidity (3, a pure number) and the rotation
    vector (3, radians) of :math:`X = \begin{pmatrix} 0 & \zeta^T \\ \zeta & \hat\theta
    \end{pmatrix}`.

    ``exp`` is ``torch.matrix_exp``; ``log`` a closed form through SL(2, C), right at the identity
    and up to rotations by pi (where one of two is taken); its error grows as the entries of the
    matrix do, with the exponential of the rapidity. No metric is invariant under this group: its
    ``distance`` is invariant from the left and symmetric, and no more.

    Example:
        >>> import torch
        >>> Lorentz().exp(Lorentz().hat(torch.tensor([0.0, 0, 0, 0, 0, 0]))).diagonal()
        tensor([1., 1., 1., 1.])
    """

    is_complex: ClassVar[bool] = False

    @property
    def matrix_size(self) -> int:
        return 4

    @property
    def dim(self) -> int:
        return 6

    @property
    def space(self) -> Any:  # noqa: ANN401
        """A ``MatrixLieGroup`` of geomstats, float64, without a metric."""
        return require("topoml.lie._geomstats").group_space(self, compact=False)

    @at_least_single
    def exp(self, X: Tensor) -> Tensor:
        """The Lorentz matrix of an algebra matrix (*batch, 4, 4)."""
        return torch.matrix_exp(X.contiguous())

    @at_least_single
    def log(self, g: Tensor) -> Tensor:
        """The algebra matrix with exp(X) = g whose rotation angle is in [0, pi]."""
        return lorentz_hat(*lorentz_log(g))

    def inverse(self, g: Tensor) -> Tensor:
        """eta g^T eta."""
        return self._flipped(g).mT

    def hat(self, v: Tensor) -> Tensor:
        """Rapidity and rotation vector (*batch, 6) -> algebra matrices."""
        return lorentz_hat(v[..., :3], v[..., 3:])

    def vee(self, X: Tensor) -> Tensor:
        """Algebra matrices -> rapidity and rotation vector (*batch, 6)."""
        rapidity = (X[..., 1:, 0] + X[..., 0, 1:]) / 2
        return torch.cat([rapidity, vee3(X[..., 1:, 1:])], -1)

    @at_least_single
    def project(self, m: Tensor) -> Tensor:
        """The boost by the first column of m times the rotation nearest to the rest."""
        B = boost(m[..., 1:, 0])
        rest = self.inverse(B) @ m
        R = polar(rest[..., 1:, 1:], special=True)
        return torch.cat([B[..., :, :1], B[..., :, 1:] @ R], -1)

    def project_algebra(self, m: Tensor) -> Tensor:
        """(m - eta m^T eta) / 2."""
        return (m - self.inverse(m)) / 2

    @at_least_single
    def random(
        self,
        *size: int,
        scale: float,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Boosts of normal rapidity (standard deviation ``scale`` a component) times rotations.

        Args:
            size: Shape of the sample; the rotations are uniform by Haar's measure.
            scale: At least 0; the measure tends to no limit as it grows.
            generator: Source of randomness, on ``device``.
            dtype: A float dtype.
            device: That of the generator by default.
        """
        check_dtype("dtype", dtype, False)
        device = generator.device if device is None else device
        z = torch.randn((*size, 7), generator=generator, dtype=dtype, device=device)
        q = z[..., 3:] / torch.linalg.vector_norm(z[..., 3:], dim=-1, keepdim=True)
        zeta = scale * z[..., :3]
        B = self.exp(lorentz_hat(zeta, torch.zeros_like(zeta)))
        return torch.cat([B[..., :, :1], B[..., :, 1:] @ rotation_from_quaternion(q)], -1)

    def check(self, name: str, x: Tensor) -> None:
        """Floats (..., 4, 4) that keep eta, within 100 roundings of the square of their size."""
        x = check_points(name, x, self.point_shape, self).detach()
        check_dtype(f"{name}.dtype", x.dtype, False)
        eye = torch.eye(4, dtype=x.dtype, device=x.device)
        size = x.abs().amax((-2, -1), keepdim=True).clamp(min=1)
        cure = f"{self}.project({name})"
        check_near(name, (self.inverse(x) @ x - eye) / size**2, "x^T eta x = eta", cure)
        proper = (x[..., 0, 0] > 0) & (torch.linalg.det(spatial_rotation(x)) > 0)
        check_near(name, 1 - proper.to(x.dtype), "det x = 1, x_00 >= 1", cure)

    def _flipped(self, g: Tensor) -> Tensor:
        """eta g eta."""
        eta = torch.ones(4, dtype=g.dtype, device=g.device)
        eta = torch.where(torch.arange(4, device=g.device) == 0, -eta, eta)
        return g * eta * eta[:, None]
