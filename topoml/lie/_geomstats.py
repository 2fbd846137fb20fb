"""The one import of geomstats: its spaces, and ours in its terms, made when first asked for."""

import os
import warnings
from typing import Any

import torch
from torch import Tensor

from .._core.errors import TopomlError
from .group import LieGroup

__all__ = [
    "BiInvariantMetric",
    "GroupAlgebra",
    "GroupSpace",
    "grassmannian",
    "group_space",
    "hyperboloid",
    "hypersphere",
    "product",
    "spd_matrices",
    "special_euclidean",
    "special_orthogonal",
    "stiefel",
]

_dtype = torch.get_default_dtype()
os.environ.setdefault("GEOMSTATS_BACKEND", "pytorch")
try:  # with the torch backend this import makes float64 the default of the whole process
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # its loader is of an old kind
        import geomstats.backend as gs
        from geomstats.geometry.grassmannian import Grassmannian
        from geomstats.geometry.hyperboloid import Hyperboloid
        from geomstats.geometry.hypersphere import Hypersphere
        from geomstats.geometry.lie_algebra import MatrixLieAlgebra
        from geomstats.geometry.lie_group import MatrixLieGroup
        from geomstats.geometry.product_manifold import ProductManifold
        from geomstats.geometry.riemannian_metric import RiemannianMetric
        from geomstats.geometry.spd_matrices import SPDMatrices
        from geomstats.geometry.special_euclidean import SpecialEuclidean
        from geomstats.geometry.special_orthogonal import SpecialOrthogonal
        from geomstats.geometry.stiefel import Stiefel
finally:
    torch.set_default_dtype(_dtype)

if gs.__name__ != "geomstats.pytorch":
    raise TopomlError(
        f"geomstats runs on {gs.__name__.removeprefix('geomstats.')} in this process; expected its"
        " pytorch backend. Cure: set GEOMSTATS_BACKEND=pytorch before geomstats is first imported."
    )


class GroupAlgebra(MatrixLieAlgebra):  # type: ignore[misc]
    """The Lie algebra of one of our groups."""

    def __init__(self, group: LieGroup) -> None:
        self.group = group
        super().__init__(representation_dim=group.matrix_size, dim=group.dim, equip=False)

    def _create_basis(self) -> Tensor:
        return self.group.hat(torch.eye(self.dim, dtype=torch.float64))

    def basis_representation(self, matrix_representation: Tensor) -> Tensor:
        return self.group.vee(matrix_representation)

    def matrix_representation(self, basis_representation: Tensor) -> Tensor:
        return self.group.hat(basis_representation)

    def projection(self, point: Tensor) -> Tensor:
        return self.group.project_algebra(point)

    def belongs(self, point: Tensor, atol: float = gs.atol) -> Tensor:
        return (point - self.projection(point)).abs().amax((-2, -1)) <= atol


class GroupSpace(MatrixLieGroup):  # type: ignore[misc]
    """One of our groups as a group of geomstats: its exp, our log."""

    def __init__(self, group: LieGroup, equip: bool) -> None:
        self.group = group
        super().__init__(
            representation_dim=group.matrix_size,
            lie_algebra=GroupAlgebra(group),
            dim=group.dim,
            intrinsic=False,
            equip=equip,
        )

    @staticmethod
    def default_metric() -> type:
        return BiInvariantMetric

    @property
    def identity(self) -> Tensor:
        dtype = torch.complex128 if self.group.is_complex else torch.float64
        return self.group.identity(dtype=dtype)

    def inverse(self, point: Tensor) -> Tensor:
        return self.group.inverse(point)

    def exp(self, tangent_vec: Tensor, base_point: Tensor | None = None) -> Tensor:
        if base_point is None:
            result: Tensor = gs.linalg.expm(tangent_vec.contiguous())
            return result
        return base_point @ self.exp(self.group.inverse(base_point) @ tangent_vec)

    def log(self, point: Tensor, base_point: Tensor | None = None) -> Tensor:
        if base_point is None:
            return self.group.log(point)
        return base_point @ self.group.log(self.group.inverse(base_point) @ point)

    def projection(self, point: Tensor) -> Tensor:
        return self.group.project(point)

    def belongs(self, point: Tensor, atol: float = gs.atol) -> Tensor:
        return (point - self.projection(point)).abs().amax((-2, -1)) <= atol

    def random_point(self, n_samples: int = 1, bound: float = 1.0) -> Tensor:
        """exp of normal coordinates times ``bound``, from torch's global generator."""
        shape = (n_samples, self.dim) if n_samples > 1 else (self.dim,)
        return self.exp(self.group.hat(bound * torch.randn(shape, dtype=torch.float64)))


class BiInvariantMetric(RiemannianMetric):  # type: ignore[misc]
    """The metric of a compact group in which hat is an isometry."""

    def inner_product(
        self, tangent_vec_a: Tensor, tangent_vec_b: Tensor, base_point: Tensor | None = None
    ) -> Tensor:
        a, b = (self._coordinates(x, base_point) for x in (tangent_vec_a, tangent_vec_b))
        return (a * b).sum(-1)

    def exp(self, tangent_vec: Tensor, base_point: Tensor | None = None) -> Tensor:
        result: Tensor = self._space.exp(tangent_vec, base_point)
        return result

    def log(self, point: Tensor, base_point: Tensor | None = None) -> Tensor:
        result: Tensor = self._space.log(point, base_point)
        return result

    def injectivity_radius(self, base_point: Tensor | None = None) -> float:
        return torch.pi

    def _coordinates(self, x: Tensor, base_point: Tensor | None) -> Tensor:
        group = self._space.group
        result: Tensor = group.vee(x if base_point is None else group.inverse(base_point) @ x)
        return result


def group_space(group: LieGroup, *, compact: bool) -> Any:  # noqa: ANN401
    """A group that geomstats lacks; with a metric where a bi-invariant one exists."""
    return GroupSpace(group, equip=compact)


def special_orthogonal(n: int) -> Any:  # noqa: ANN401
    return SpecialOrthogonal(n, point_type="matrix")


def special_euclidean(n: int) -> Any:  # noqa: ANN401
    return SpecialEuclidean(n, point_type="matrix")


def hypersphere(n: int) -> Any:  # noqa: ANN401
    return Hypersphere(n)


def hyperboloid(n: int) -> Any:  # noqa: ANN401
    return Hyperboloid(n)


def spd_matrices(n: int) -> Any:  # noqa: ANN401
    return SPDMatrices(n)


def grassmannian(n: int, k: int) -> Any:  # noqa: ANN401
    return Grassmannian(n, k)


def stiefel(n: int, k: int) -> Any:  # noqa: ANN401
    return Stiefel(n, k)


def product(spaces: list[Any]) -> Any:  # noqa: ANN401
    return ProductManifold(spaces)
