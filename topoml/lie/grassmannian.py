"""Grassmannians: subspaces, points as projectors."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .._core.checks import check_count
from .._core.errors import InputError
from .._core.optional import require
from ..kernels.spectral import eigenprojector, orthogonal_log
from ._checks import check_dtype, check_near, check_points
from ._precision import at_least_single
from .riemannian import RiemannianManifold

__all__ = ["Grassmannian"]


@dataclass(frozen=True)
class Grassmannian(RiemannianManifold):
    r"""k-dimensional subspaces of R^n as projectors P (*batch, n, n): P = P^T = P^2, tr P = k.

    .. math:: d(P, Q) = (\theta_1^2 + \dots + \theta_k^2)^{1/2}

    in the principal angles, radians in [0, pi/2]. Tangent vectors at P are the symmetric v with
    P v + v P = v. Where an angle is pi/2 (the cut locus), ``log`` is one of several, without the
    derivative of that part.

    Example:
        >>> import torch
        >>> G = Grassmannian(2, 1)
        >>> G.distance(torch.tensor([[1.0, 0], [0, 0]]), torch.tensor([[0.5, 0.5], [0.5, 0.5]]))
        tensor(0.7854)
    """

    n: int
    k: int

    def __post_init__(self) -> None:
        check_count("n", self.n, 2)
        check_count("k", self.k)
        if self.k >= self.n:
            raise InputError(f"`k` is {self.k}; expected less than n = {self.n}.")

    @property
    def point_shape(self) -> tuple[int, ...]:
        return (self.n, self.n)

    @property
    def space(self) -> Any:  # noqa: ANN401
        """``Grassmannian(n, k)`` of geomstats, projectors; distances sqrt 2 times ours."""
        return require("topoml.lie._geomstats").grassmannian(self.n, self.k)

    @at_least_single
    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Root of the sum of squared principal angles; subgradient 0 at equal points.

        Sines and cosines are the eigenvalues of x - y and of x + y - 1, each twice.
        """
        eye = torch.eye(self.n, dtype=x.dtype, device=x.device)
        sine = torch.linalg.eigvalsh(x - y).abs().sort(-1).values
        cosine = torch.linalg.eigvalsh(x + y - eye).abs().sort(-1, descending=True).values
        result: Tensor = torch.linalg.vector_norm(torch.atan2(sine, cosine), dim=-1) / 2**0.5
        return result

    @at_least_single
    def exp(self, v: Tensor, base: Tensor) -> Tensor:
        r""":math:`e^X P e^{-X}` with X = [v, P]."""
        turn = torch.matrix_exp((v @ base - base @ v).contiguous())
        return turn @ base @ turn.mT

    @at_least_single
    def log(self, x: Tensor, base: Tensor) -> Tensor:
        r"""[X, P] with the X of :math:`e^{2X} = (1 - 2Q)(1 - 2P)`.

        Source: Batzies, Hüper, Machado, Silva Leite, Linear Algebra Appl. 466, 83 (2015).
        """
        eye = torch.eye(self.n, dtype=x.dtype, device=x.device)
        mirror = eye - 2 * base
        X = orthogonal_log(eye - 2 * (x - base) @ mirror, base) / 2
        X = (X - X.mT) / 2
        return X @ base - base @ X

    def to_tangent(self, v: Tensor, base: Tensor) -> Tensor:
        """The symmetric part of v between the subspace and its complement."""
        v = (v + v.mT) / 2
        return base @ v + v @ base - 2 * base @ v @ base

    @at_least_single
    def project(self, x: Tensor) -> Tensor:
        """The projector on the k leading eigenvectors of the symmetric part of x."""
        return eigenprojector((x + x.mT) / 2, self.k)

    @at_least_single
    def random_haar(
        self,
        *size: int,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Independent uniform subspaces (*size, n, n), spanned by normal vectors."""
        check_dtype("dtype", dtype, False)
        device = generator.device if device is None else device
        z = torch.randn((*size, self.n, self.k), generator=generator, dtype=dtype, device=device)
        Q = torch.linalg.qr(z).Q
        result: Tensor = Q @ Q.mT
        return result

    def check(self, name: str, x: Tensor) -> None:
        """Floats (..., n, n), projectors of rank k within 100 roundings."""
        x = check_points(name, x, self.point_shape, self).detach()
        check_dtype(f"{name}.dtype", x.dtype, False)
        cure = f"{self}.project({name})"
        check_near(name, x - x.mT, "x = x^T", cure)
        check_near(name, x @ x - x, "x x = x", cure)
        trace = x.diagonal(dim1=-2, dim2=-1).sum(-1)
        check_near(name, trace - self.k, f"tr x = {self.k}", cure)
