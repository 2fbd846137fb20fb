"""The unitary groups U(1) and SU(n) of gauge theories."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from .._core.checks import check_count
from .._core.optional import require
from ..kernels.quaternions import (
    quaternion_from_unitary,
    su2_exp,
    su2_log,
    unitary_from_quaternion,
)
from ..kernels.spectral import polar, unitary_log
from ..kernels.su3 import su3_exp
from ._checks import check_dtype, check_near, check_points
from .group import LieGroup

__all__ = ["SU", "U1"]


@dataclass(frozen=True)
class U1(LieGroup):
    r"""Phases :math:`e^{i\theta}` as complex matrices (*batch, 1, 1).

    The coordinate is the angle theta in radians and ``distance`` the arc between two phases, in
    [0, pi]. Of algebra matrices the imaginary part counts.

    Example:
        >>> import torch
        >>> U1().vee(U1().log(torch.tensor([[1j]])))
        tensor([1.5708])
    """

    is_complex: ClassVar[bool] = True

    @property
    def n(self) -> int:
        return 1

    @property
    def matrix_size(self) -> int:
        return 1

    @property
    def dim(self) -> int:
        return 1

    @property
    def space(self) -> Any:  # noqa: ANN401
        """A ``MatrixLieGroup`` of geomstats, complex128, with the bi-invariant metric."""
        return require("topoml.lie._geomstats").group_space(self, compact=True)

    def exp(self, X: Tensor) -> Tensor:
        r""":math:`e^{i \mathrm{Im} X}`."""
        return torch.complex(X.imag.cos(), X.imag.sin())

    def log(self, g: Tensor) -> Tensor:
        """i times the angle, in [-pi, pi]; smooth but for the jump at -1."""
        angle = torch.atan2(g.imag, g.real)
        return torch.complex(torch.zeros_like(angle), angle)

    def inverse(self, g: Tensor) -> Tensor:
        """The complex conjugate."""
        return g.conj()

    def hat(self, v: Tensor) -> Tensor:
        """Angles (*batch, 1) -> i theta (*batch, 1, 1)."""
        return torch.complex(torch.zeros_like(v), v)[..., None]

    def vee(self, X: Tensor) -> Tensor:
        """i theta (*batch, 1, 1) -> angles (*batch, 1)."""
        return X.imag[..., 0]

    def project(self, m: Tensor) -> Tensor:
        """m / |m|, 1 where m = 0; smooth elsewhere."""
        zero = m == 0
        return torch.where(zero, 1, m / torch.where(zero, 1, m).abs())

    def project_algebra(self, m: Tensor) -> Tensor:
        """i Im m."""
        return torch.complex(torch.zeros_like(m.imag), m.imag)

    def random_haar(
        self,
        *size: int,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Phases (*size, 1, 1), each independent, uniform on the circle."""
        check_dtype("dtype", dtype, True)
        device = generator.device if device is None else device
        turn = torch.rand((*size, 1, 1), generator=generator, dtype=dtype.to_real(), device=device)
        angle = 2 * torch.pi * turn
        return torch.complex(angle.cos(), angle.sin())

    def check(self, name: str, x: Tensor) -> None:
        """Complex (..., 1, 1) of modulus 1, within 100 roundings."""
        x = check_points(name, x, self.point_shape, self).detach()
        check_dtype(f"{name}.dtype", x.dtype, True)
        check_near(name, x.abs() - 1, "|x| = 1", f"{self}.project({name})")


@dataclass(frozen=True)
class SU(LieGroup):
    r"""Special unitary matrices U (*batch, n, n), n >= 2, complex: U^+ U = 1, det U = 1.

    Coordinates :math:`X = i \sum_a v_a \lambda_a` with the matrices of Pauli (n = 2), Gell-Mann
    (n = 3) and their generalisation, :math:`\mathrm{tr}\, \lambda_a \lambda_b = 2 \delta_{ab}`;
    ``hat`` is an isometry for :math:`|X|^2 = \mathrm{tr}\, X^+ X / 2`. So ``distance`` is
    :math:`(\sum_k \varphi_k^2 / 2)^{1/2}` in the phases of the matrix between two, in radians: in
    SU(2) the angle of unit quaternions, in [0, pi]. (Physicists' coordinates of
    :math:`X = i \sum_a w_a \lambda_a / 2` are w = 2 v.)

    ``exp`` in closed form for n = 2 (quaternions) and n = 3 (Cayley-Hamilton), ``torch.matrix_exp``
    above; ``log`` is the shortest one and traceless, in closed form for n = 2, by an
    eigendecomposition whose derivatives stay right at equal phases above. Where several are
    shortest (-1 in SU(2)) it is one of them, the derivative across the cut 0.

    Example:
        >>> import torch
        >>> SU(2).vee(SU(2).log(torch.tensor([[1j, 0], [0, -1j]])))
        tensor([0.0000, 0.0000, 1.5708])
    """

    n: int
    is_complex: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_count("n", self.n, 2)

    @property
    def matrix_size(self) -> int:
        return self.n

    @property
    def dim(self) -> int:
        return self.n**2 - 1

    @property
    def space(self) -> Any:  # noqa: ANN401
        """A ``MatrixLieGroup`` of geomstats, complex128, with the bi-invariant metric."""
        return require("topoml.lie._geomstats").group_space(self, compact=True)

    def exp(self, X: Tensor) -> Tensor:
        """The group element of X in su(n), antihermitian and traceless (not checked)."""
        if self.n == 2:
            return su2_exp(X)
        if self.n == 3:
            return su3_exp(X)
        return torch.matrix_exp(X.contiguous())

    def log(self, g: Tensor) -> Tensor:
        """The shortest X in su(n) with exp(X) = g."""
        if self.n == 2:
            return su2_log(g)
        return self.project_algebra(unitary_log(g))

    def inverse(self, g: Tensor) -> Tensor:
        """The Hermitian conjugate."""
        return g.mH

    def hat(self, v: Tensor) -> Tensor:
        r"""(*batch, n^2 - 1) -> :math:`i \sum_a v_a \lambda_a`."""
        basis = self._generators(v.dtype, v.device)
        return torch.view_as_complex((v @ basis.flatten(1)).reshape(v.shape[:-1] + basis.shape[1:]))

    def vee(self, X: Tensor) -> Tensor:
        r"""(*batch, n, n) -> :math:`v_a = \mathrm{Re}\, \mathrm{tr}(X (i\lambda_a)^+) / 2`."""
        parts = torch.view_as_real(X.resolve_conj()).flatten(-3)
        return parts @ self._generators(parts.dtype, X.device).flatten(1).mT / 2

    def project(self, m: Tensor) -> Tensor:
        """A special unitary matrix near m.

        n = 2: the nearest one (1 where the quaternion part of m is 0). Above: the nearest unitary
        matrix over the n-th root of its determinant with the least phase, as lattices are brought
        back to the group.
        """
        if self.n == 2:
            q = quaternion_from_unitary(m)
            zero = (q == 0).all(-1, keepdim=True)
            q = torch.where(zero, q.new_tensor([1.0, 0.0, 0.0, 0.0]), q)
            return unitary_from_quaternion(q / torch.linalg.vector_norm(q, dim=-1, keepdim=True))
        return _unit_determinant(polar(m, special=True))

    def project_algebra(self, m: Tensor) -> Tensor:
        r""":math:`[m]_{TA} = (m - m^+) / 2 - \mathrm{tr}(m - m^+) / 2n`."""
        skew = (m - m.mH) / 2
        trace = skew.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None] / self.n
        return skew - trace * torch.eye(self.n, dtype=m.dtype, device=m.device)

    def random_haar(
        self,
        *size: int,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Matrices (*size, n, n), each independent, uniform by Haar's measure.

        Source: n = 2 by normal quaternions; else QR with the phases of diag R, Mezzadri, Notices
            AMS 54, 592 (2007), math-ph/0609050, over a root of the determinant.
        """
        check_dtype("dtype", dtype, True)
        device = generator.device if device is None else device
        if self.n == 2:
            q = torch.randn((*size, 4), generator=generator, dtype=dtype.to_real(), device=device)
            return unitary_from_quaternion(q / torch.linalg.vector_norm(q, dim=-1, keepdim=True))
        z = torch.randn((*size, self.n, self.n), generator=generator, dtype=dtype, device=device)
        Q, R = torch.linalg.qr(z)
        r = R.diagonal(dim1=-2, dim2=-1)
        return _unit_determinant(Q * (r / r.abs())[..., None, :])

    def check(self, name: str, x: Tensor) -> None:
        """Complex (..., n, n) with x^+ x = 1 and det x = 1, within 100 roundings."""
        x = check_points(name, x, self.point_shape, self).detach()
        check_dtype(f"{name}.dtype", x.dtype, True)
        eye = torch.eye(self.n, dtype=x.dtype, device=x.device)
        cure = f"{self}.project({name})"
        check_near(name, (x.mH @ x - eye).abs(), "x^+ x = 1", cure)
        check_near(name, (torch.linalg.det(x) - 1).abs(), "det x = 1", cure)

    def _generators(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        """i lambda_a, real and imaginary parts (dim, n, n, 2)."""
        rows = []
        for k in range(1, self.n):
            for j in range(k):
                rows.append({(j, k, 1): 1.0, (k, j, 1): 1.0})
                rows.append({(j, k, 0): 1.0, (k, j, 0): -1.0})
            norm = (2 / (k * (k + 1))) ** 0.5
            rows.append({(j, j, 1): norm for j in range(k)} | {(k, k, 1): -k * norm})
        axes = range(self.n)
        table = [
            [[[row.get((i, j, part), 0.0) for part in (0, 1)] for j in axes] for i in axes]
            for row in rows
        ]
        return torch.tensor(table, dtype=dtype, device=device)


def _unit_determinant(U: Tensor) -> Tensor:
    det = torch.linalg.det(U)
    angle = torch.atan2(det.imag, det.real) / U.shape[-1]
    return U * torch.complex(angle.cos(), -angle.sin())[..., None, None]
