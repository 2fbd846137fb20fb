"""Symmetric positive definite matrices with the affine-invariant metric."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from .._core.checks import check_count
from .._core.errors import InputError
from .._core.optional import require
from ..kernels.spectral import symmetric_log
from ._checks import check_dtype, check_near, check_points
from ._precision import at_least_single
from .riemannian import RiemannianManifold

__all__ = ["SPD"]


@dataclass(frozen=True)
class SPD(RiemannianManifold):
    r"""Symmetric positive definite matrices (*batch, n, n), such as covariances.

    .. math:: d(P, Q) = |\log(L^{-1} Q L^{-T})|_F, \quad P = L L^T

    invariant under :math:`P \to A P A^T`. Derivatives stay right at equal eigenvalues and points.

    Example:
        >>> import torch
        >>> SPD(2).distance(torch.eye(2), torch.diag(torch.tensor([20.0855369, 54.59815])))
        tensor(5.)
    """

    n: int
    least_curvature: ClassVar[float] = -0.5

    def __post_init__(self) -> None:
        check_count("n", self.n)

    @property
    def point_shape(self) -> tuple[int, ...]:
        return (self.n, self.n)

    @property
    def space(self) -> Any:  # noqa: ANN401
        """``SPDMatrices(n)`` of geomstats with its affine-invariant metric."""
        return require("topoml.lie._geomstats").spd_matrices(self.n)

    @at_least_single
    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Root of the sum of squared logarithms of relative eigenvalues; subgradient 0 at x = y."""
        L = torch.linalg.cholesky(x)
        result: Tensor = torch.linalg.matrix_norm(self._relative_log(y - x, L))
        return result

    @at_least_single
    def exp(self, v: Tensor, base: Tensor) -> Tensor:
        r""":math:`L \exp(L^{-1} v L^{-T}) L^T` for symmetric v."""
        L = torch.linalg.cholesky(base)
        result: Tensor = L @ torch.matrix_exp(_whitened(v, L).contiguous()) @ L.mT
        return result

    @at_least_single
    def log(self, x: Tensor, base: Tensor) -> Tensor:
        r""":math:`L \log(L^{-1} x L^{-T}) L^T`."""
        L = torch.linalg.cholesky(base)
        result: Tensor = L @ self._relative_log(x - base, L) @ L.mT
        return result

    def to_tangent(self, v: Tensor, base: Tensor) -> Tensor:
        """(v + v^T) / 2, at any base."""
        del base
        return (v + v.mT) / 2

    def project(self, x: Tensor) -> Tensor:
        """(x + x^T) / 2, positive definite where that is."""
        return (x + x.mT) / 2

    @at_least_single
    def random(
        self,
        *size: int,
        scale: float,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """exp of symmetrised normal matrices, of standard deviation ``scale`` before that."""
        check_dtype("dtype", dtype, False)
        device = generator.device if device is None else device
        shape = (*size, self.n, self.n)
        v = scale * torch.randn(shape, generator=generator, dtype=dtype, device=device)
        return torch.matrix_exp((v + v.mT) / 2)

    def check(self, name: str, x: Tensor) -> None:
        """Floats (..., n, n), symmetric within 100 roundings, with positive eigenvalues."""
        x = check_points(name, x, self.point_shape, self).detach()
        check_dtype(f"{name}.dtype", x.dtype, False)
        size = x.abs().amax((-2, -1), keepdim=True)
        check_near(name, (x - x.mT) / size, "x = x^T", f"({name} + {name}.mT) / 2")
        if int(torch.linalg.cholesky_ex(x).info.max()) != 0:
            least = float(torch.linalg.eigvalsh(x).min())
            raise InputError(
                f"`{name}` has an eigenvalue of {least:.2g}; expected positive definite matrices."
                f" Cure: add a multiple of the unit matrix."
            )

    def _relative_log(self, difference: Tensor, L: Tensor) -> Tensor:
        eye = torch.eye(self.n, dtype=L.dtype, device=L.device)
        return symmetric_log(eye + _whitened(difference, L))


def _whitened(v: Tensor, L: Tensor) -> Tensor:
    """L^-1 v L^-T, symmetric to the last bit."""
    half = torch.linalg.solve_triangular(L, v, upper=False)
    full = torch.linalg.solve_triangular(L, half.mT, upper=False)
    result: Tensor = (full + full.mT) / 2
    return result
