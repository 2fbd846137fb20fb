"""The layers from point clouds, complexes and fields to Euler characteristic transforms."""

from collections.abc import Sequence

from torch import Tensor, nn

from .._core.checks import check_count
from .._core.errors import InputError
from ..features._checks import curve_grid
from ..features.directions import normalised
from ..features.euler_transforms import (
    check_directions,
    check_levels,
    check_sharpness,
    field_transform_on_grid,
    transform_on_grid,
)
from ..homology._checks import check_superlevel

__all__ = ["EulerFieldTransform", "EulerTransform"]


class EulerTransform(nn.Module):
    r"""Points of a cloud, graph or complex -> (*batch, n_directions * resolution).

    .. math:: \mathrm{ECT}(v, t) = \sum_{\sigma \in K} (-1)^{\dim \sigma}\,
              \theta \big( t - \max_{x \in \sigma} \langle x, v \rangle \big)

    ``topoml.features.euler_transform``, with the step :math:`\theta` (no gradient), or the sigmoid
    of a ``sharpness`` in its place, which is differentiable in points and directions. Called with
    points and, where there are any, with ``edges``, ``faces``, ``tetrahedra`` and ``batch``.
    ``directions`` (n_directions, d) are a buffer, or a parameter that is taken at length 1, and
    ``grid`` (resolution,) is a float64 buffer of the thresholds; both follow ``.to()`` and are
    part of the ``state_dict``. Dtype and device of the result are those of the points.

    Args:
        directions: (n_directions, d), any floating dtype, finite: see
            ``topoml.features.unit_directions``.
        resolution: Number of thresholds, at least 1.
        sample_range: First and last threshold.
        sharpness: s > 0, in the inverse unit of heights, or None for the exact curve.
        learnable: Whether the directions, none of length 0, are a parameter; with a ``sharpness``.

    Raises:
        InputError: An argument out of these ranges, at once; a wrong cloud or complex, on the call.

    Source: Roell & Rieck, ICLR 2024, arXiv:2310.07630.

    Example:
        >>> import torch
        >>> from topoml.features import unit_directions
        >>> layer = EulerTransform(
        ...     directions=unit_directions(4, 2), resolution=3, sample_range=(-1, 1)
        ... )
        >>> layer
        EulerTransform(directions=(4, 2), resolution=3, sample_range=(-1.0, 1.0), sharpness=None)
        >>> ring = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
        >>> layer(ring, edges=torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])).reshape(4, 3)
        tensor([[1., 1., 0.],
                [1., 1., 0.],
                [1., 1., 0.],
                [1., 1., 0.]])
    """

    directions: Tensor
    grid: Tensor

    def __init__(
        self,
        *,
        directions: Tensor,
        resolution: int,
        sample_range: tuple[float, float],
        sharpness: float | None = None,
        learnable: bool = False,
    ) -> None:
        super().__init__()
        self.sharpness = check_sharpness(sharpness)
        v = check_directions(directions).detach().clone()
        if check_learnable(learnable, self.sharpness, v):
            self.directions = nn.Parameter(v)
        else:
            self.register_buffer("directions", v)
        self.register_buffer("grid", curve_grid(resolution, sample_range))

    def extra_repr(self) -> str:
        learnable = ", learnable=True" if isinstance(self.directions, nn.Parameter) else ""
        return (
            f"directions={tuple(self.directions.shape)}, resolution={len(self.grid)},"
            f" sample_range={(float(self.grid[0]), float(self.grid[-1]))},"
            f" sharpness={self.sharpness}{learnable}"
        )

    def forward(
        self,
        points: Tensor,
        edges: Tensor | None = None,
        faces: Tensor | None = None,
        tetrahedra: Tensor | None = None,
        batch: Tensor | None = None,
    ) -> Tensor:
        v = self.directions
        if isinstance(v, nn.Parameter):
            v = normalised(v)
        return transform_on_grid(
            points, v, self.grid, self.sharpness, edges, faces, tetrahedra, batch
        )


class EulerFieldTransform(nn.Module):
    r"""Fields (*batch, *L) -> (*batch, [n_levels *] n_directions * resolution).

    .. math:: \mathrm{ECT}_\ell(v, t) = \sum_{x(\sigma) \le \ell,\; h_v(\sigma) \le t}
              (-1)^{\dim \sigma}, \qquad
              \mathrm{WECT}(v, t) = \sum_{h_v(\sigma) \le t} (-1)^{\dim \sigma}\, x(\sigma)

    ``topoml.features.euler_field_transform``: with ``levels`` the Euler characteristic of what is
    below each level and each height (no gradient), without the weighted transform, which is
    differentiable in the field. No parameters. ``directions`` (n_directions, d) and, for a
    ``sample_range``, ``grid`` (resolution,) float64 are buffers, which follow ``.to()`` and are
    part of the ``state_dict``. Dtype and device of the result are those of the field. Open
    boundaries.

    Args:
        directions: (n_directions, d) for fields on d axes, any floating dtype, finite: see
            ``topoml.features.lattice_directions``.
        resolution: Number of thresholds, at least 1.
        sample_range: First and last threshold, in lattice spacings from the middle; None for those
            that each lattice has.
        levels: Values at which to cut the field, or None for the weighted transform.
        superlevel: Sets above the levels instead of below.

    Raises:
        InputError: An argument out of these ranges, at once; a wrong field, on the call.

    Source: that of ``topoml.features.euler_field_transform``.

    Example:
        >>> import torch
        >>> layer = EulerFieldTransform(
        ...     directions=torch.tensor([[0.0, 1.0]]), resolution=3, levels=(0.5,)
        ... )
        >>> layer
        EulerFieldTransform(directions=(1, 2), resolution=3, sample_range=None, levels=(0.5,))
        >>> layer(torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))  # column by column: an arc
        tensor([1., 1., 1.])
    """

    directions: Tensor
    grid: Tensor | None

    def __init__(
        self,
        *,
        directions: Tensor,
        resolution: int,
        sample_range: tuple[float, float] | None = None,
        levels: Sequence[float] | None = None,
        superlevel: bool = False,
    ) -> None:
        super().__init__()
        self.register_buffer("directions", check_directions(directions).detach().clone())
        self.resolution = check_count("resolution", resolution)
        grid = None if sample_range is None else curve_grid(resolution, sample_range)
        self.register_buffer("grid", grid)
        self.levels = check_levels(levels)
        check_superlevel(superlevel)
        self.superlevel = superlevel

    def extra_repr(self) -> str:
        ends = None if self.grid is None else (float(self.grid[0]), float(self.grid[-1]))
        return (
            f"directions={tuple(self.directions.shape)}, resolution={self.resolution},"
            f" sample_range={ends}, levels={self.levels}{', superlevel=True' * self.superlevel}"
        )

    def forward(self, x: Tensor) -> Tensor:
        return field_transform_on_grid(
            x, self.directions, self.resolution, self.grid, self.levels, self.superlevel
        )


def check_learnable(learnable: object, sharpness: float | None, directions: Tensor) -> bool:
    """A bool; directions that are learnt have a gradient and a length."""
    if not isinstance(learnable, bool):
        raise InputError(f"`learnable` is {learnable!r}; expected True or False.")
    if learnable and sharpness is None:
        raise InputError(
            "`sharpness` is None with learnable=True; expected a number, as the exact curve has no"
            " gradient."
        )
    if learnable and not bool(directions.any(1).all()):
        at = int(directions.any(1).logical_not().nonzero()[0])
        raise InputError(
            f"`directions` has length 0 at [{at}]; expected unit vectors, with learnable=True."
        )
    return learnable
