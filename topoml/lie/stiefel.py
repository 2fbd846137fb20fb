"""Stiefel manifolds: orthonormal frames."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .._core.checks import check_count
from .._core.errors import InputError
from .._core.optional import require
from ..kernels.spectral import symmetric_log
from ._checks import check_dtype, check_near, check_points
from ._precision import at_least_single

__all__ = ["Stiefel"]


@dataclass(frozen=True)
class Stiefel:
    r"""k orthonormal vectors of R^n as matrices X (*batch, n, k), canonical metric: X^T X = 1.

    Tangent vectors v at X have X^T v antisymmetric. No closed form of the distance or of the
    logarithm is known: for those see the iteration of ``space``.

    Example:
        >>> import torch
        >>> Stiefel(3, 1).project(torch.tensor([[0.0], [0.0], [5.0]])).flatten().round()
        tensor([0., 0., 1.])
    """

    n: int
    k: int

    def __post_init__(self) -> None:
        check_count("n", self.n)
        check_count("k", self.k)
        if self.k > self.n:
            raise InputError(f"`k` is {self.k}; expected at most n = {self.n}.")

    @property
    def point_shape(self) -> tuple[int, ...]:
        return (self.n, self.k)

    @property
    def space(self) -> Any:  # noqa: ANN401
        """``Stiefel(n, k)`` of geomstats with its canonical metric."""
        return require("topoml.lie._geomstats").stiefel(self.n, self.k)

    @at_least_single
    def exp(self, v: Tensor, base: Tensor) -> Tensor:
        r""":math:`e^{W X^T - X W^T} X` with :math:`W = (1 - X X^T / 2) v`.

        Source: Edelman, Arias, Smith, SIAM J. Matrix Anal. Appl. 20, 303 (1998).
        """
        W = v - base @ (base.mT @ v) / 2
        turn = W @ base.mT
        return torch.matrix_exp((turn - turn.mT).contiguous()) @ base

    def to_tangent(self, v: Tensor, base: Tensor) -> Tensor:
        """v - X (X^T v + v^T X) / 2."""
        inner = base.mT @ v
        return v - base @ (inner + inner.mT) / 2

    @at_least_single
    def project(self, x: Tensor) -> Tensor:
        r"""The nearest frame :math:`X (X^T X)^{-1/2}`; x of full rank."""
        return x @ torch.matrix_exp(symmetric_log(x.mT @ x) / -2)

    @at_least_single
    def random_haar(
        self,
        *size: int,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Independent uniform frames (*size, n, k), by QR with the signs of diag R."""
        check_dtype("dtype", dtype, False)
        device = generator.device if device is None else device
        z = torch.randn((*size, self.n, self.k), generator=generator, dtype=dtype, device=device)
        Q, R = torch.linalg.qr(z)
        result: Tensor = Q * R.diagonal(dim1=-2, dim2=-1).sign()[..., None, :]
        return result

    def check(self, name: str, x: Tensor) -> None:
        """Floats (..., n, k) with x^T x = 1, within 100 roundings."""
        x = check_points(name, x, self.point_shape, self).detach()
        check_dtype(f"{name}.dtype", x.dtype, False)
        eye = torch.eye(self.k, dtype=x.dtype, device=x.device)
        check_near(name, x.mT @ x - eye, "x^T x = 1", f"{self}.project({name})")
