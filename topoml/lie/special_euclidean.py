"""The rigid motions SE(n): rotations and translations."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from .._core.checks import check_count
from .._core.optional import require
from ._checks import check_dtype, check_near, check_points
from ._precision import at_least_single
from .group import LieGroup
from .special_orthogonal import SO

__all__ = ["SE"]


@dataclass(frozen=True)
class SE(LieGroup):
    r"""Rigid motions :math:`x \to R x + t` as matrices [[R, t], [0, 1]] (*batch, n + 1, n + 1).

    Coordinates are those of SO(n), radians, and then n of the translation, lengths. ``distance`` is
    that of the left-invariant metric :math:`d^2 = d_{SO}(R, R')^2 + |t - t'|^2`, one radian against
    one length, and ``geodesic`` its shortest way (a rotation and a straight line), not the screw
    :math:`g \exp(s \log g^{-1} h)`. At turns by pi as ``SO``.

    Example:
        >>> import torch
        >>> SE(2).exp(SE(2).hat(torch.tensor([0.0, 3.0, 4.0])))[:2, 2]
        tensor([3., 4.])
    """

    n: int
    is_complex: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_count("n", self.n, 2)

    @property
    def matrix_size(self) -> int:
        return self.n + 1

    @property
    def dim(self) -> int:
        return self.n * (self.n + 1) // 2

    @property
    def rotations(self) -> SO:
        """SO(n)."""
        return SO(self.n)

    @property
    def space(self) -> Any:  # noqa: ANN401
        """``SpecialEuclidean(n)`` of geomstats, points as matrices; its angles count twice."""
        return require("topoml.lie._geomstats").special_euclidean(self.n)

    @at_least_single
    def exp(self, X: Tensor) -> Tensor:
        """The motion of [[W, r], [0, 0]], W antisymmetric."""
        return torch.matrix_exp(X.contiguous())

    @at_least_single
    def log(self, g: Tensor) -> Tensor:
        r"""The shortest W = log R, and r of :math:`t = \int_0^1 e^{s W} ds\, r`."""
        W, t = self.rotations.log(g[..., :-1, :-1]), g[..., :-1, -1:]
        eye = torch.eye(self.n, dtype=g.dtype, device=g.device).expand_as(W)
        rows = torch.cat([W, eye], -1)
        block = torch.cat([rows, torch.zeros_like(rows)], -2)
        integral = torch.matrix_exp(block)[..., : self.n, self.n :]
        return self._assembled(W, torch.linalg.solve(integral, t), 0)

    def inverse(self, g: Tensor) -> Tensor:
        """[[R^T, -R^T t], [0, 1]]."""
        R = g[..., :-1, :-1].mT
        return self._assembled(R, -R @ g[..., :-1, -1:], 1)

    def hat(self, v: Tensor) -> Tensor:
        """(*batch, dim), angles first -> algebra matrices."""
        W = self.rotations.hat(v[..., : -self.n])
        return self._assembled(W, v[..., -self.n :, None], 0)

    def vee(self, X: Tensor) -> Tensor:
        """Algebra matrices -> (*batch, dim), angles first."""
        return torch.cat([self.rotations.vee(X[..., :-1, :-1]), X[..., :-1, -1]], -1)

    def distance(self, g: Tensor, h: Tensor) -> Tensor:
        """The root of squared angle and squared shift; subgradient 0 at equal points."""
        angle = self.rotations.distance(g[..., :-1, :-1], h[..., :-1, :-1])
        shift = (h - g)[..., :-1, -1]
        result: Tensor = torch.linalg.vector_norm(torch.cat([angle[..., None], shift], -1), dim=-1)
        return result

    def geodesic(self, g: Tensor, h: Tensor, t: Tensor | float) -> Tensor:
        """From g (t = 0) to h (t = 1): the rotation at constant rate, the shift along a line."""
        R = self.rotations.geodesic(g[..., :-1, :-1], h[..., :-1, :-1], t)
        t = t[..., None, None] if isinstance(t, Tensor) else t
        a, b = g[..., :-1, -1:], h[..., :-1, -1:]
        return self._assembled(R, a + t * (b - a), 1)

    @at_least_single
    def project(self, m: Tensor) -> Tensor:
        """The rotation nearest to the upper left block, with the shift of m."""
        return self._assembled(self.rotations.project(m[..., :-1, :-1]), m[..., :-1, -1:], 1)

    def project_algebra(self, m: Tensor) -> Tensor:
        """The antisymmetric part of the block, with the shift of m."""
        return self._assembled(
            self.rotations.project_algebra(m[..., :-1, :-1]), m[..., :-1, -1:], 0
        )

    @at_least_single
    def random(
        self,
        *size: int,
        scale: float,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Motions (*size, n + 1, n + 1): rotations by Haar's measure, normal shifts.

        Args:
            size: Shape of the sample.
            scale: Standard deviation of each component of the shift, a length.
            generator: Source of randomness, on ``device``.
            dtype: A float dtype.
            device: That of the generator by default.
        """
        R = self.rotations.random_haar(*size, generator=generator, dtype=dtype, device=device)
        t = torch.randn((*size, self.n, 1), generator=generator, dtype=dtype, device=R.device)
        return self._assembled(R, scale * t, 1)

    def check(self, name: str, x: Tensor) -> None:
        """Floats (..., n + 1, n + 1), a rotation and (0 ... 0, 1), within 100 roundings."""
        x = check_points(name, x, self.point_shape, self).detach()
        check_dtype(f"{name}.dtype", x.dtype, False)
        last = x[..., -1, :] - torch.eye(self.n + 1, dtype=x.dtype, device=x.device)[-1]
        check_near(name, last, "the last row (0 ... 0, 1)", f"{self}.project({name})")
        self.rotations.check(f"{name}[..., :-1, :-1]", x[..., :-1, :-1])

    def _assembled(self, block: Tensor, column: Tensor, corner: int) -> Tensor:
        batch = torch.broadcast_shapes(block.shape[:-2], column.shape[:-2])  # type: ignore[no-untyped-call]
        top = torch.cat([block.expand(*batch, -1, -1), column.expand(*batch, -1, -1)], -1)
        last = torch.eye(self.n + 1, dtype=top.dtype, device=top.device)[-1:] * corner
        return torch.cat([top, last.expand(*batch, -1, -1)], -2)
