"""Persistence of fields of spins: a bond enters at the distance of its two spins."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .._core.errors import InputError
from ..lie import Circle, Manifold
from ._checks import AXES, check_dimensions, check_not_nan, check_periodic, check_spatial_dims
from ._checks import check_tensor as check_shape
from .cell import pair_cells
from .diagrams import Diagrams

__all__ = ["bond_distances", "field_persistence"]


def bond_distances(
    field: Tensor, *, manifold: Manifold, spatial_dims: int = 2, connection: Tensor | None = None
) -> Tensor:
    r"""Distances of neighbouring spins on a periodic lattice, (*batch, 2, H, W).

    .. math:: d_a(x) = d\bigl(s(x) , s(x + \hat a)\bigr), \qquad
              d_a(x) = |\mathrm{wrap}(\theta(x + \hat a) - \theta(x) - A_a(x))|

    the second for angles with a connection A. Entry (a, i, j) belongs to the bond from (i, j) to
    its +1 neighbour along axis a. In 3D (*batch, 3, D, H, W). Arguments as in
    ``field_persistence``.
    """
    point_axes = len(manifold.point_shape)
    bonds = []
    for axis in range(spatial_dims):
        here = field
        if connection is not None:
            here = field + connection[axis]
        neighbour = field.roll(-1, axis - spatial_dims - point_axes)
        bonds.append(manifold.distance(here, neighbour))
    return torch.stack(bonds, -1 - spatial_dims)


def field_persistence(
    field: Tensor,
    *,
    manifold: Manifold,
    homology_dimensions: Sequence[int],
    spatial_dims: int = 2,
    periodic: bool | Sequence[bool] = True,
    connection: Tensor | None = None,
) -> Diagrams:
    r"""Persistent homology of a field of spins, filtered by the distances of neighbours.

    Sites enter at 0, the bond of two neighbours at the geodesic distance of their spins, a
    plaquette (and in 3D a cube) with the largest of its bonds. Invariant under the isometries of
    ``manifold`` applied to all spins (global rotations and reflections), and with a connection
    under gauge transformations :math:`\theta \to \theta + \alpha`,
    :math:`A_a(x) \to A_a(x) + \alpha(x + \hat a) - \alpha(x)`. H0 deaths are the bonds of the
    minimum spanning tree; a vortex plaquette of an XY field has a bond of at least :math:`\pi/2`.

    Differentiable in the spins; subgradient 0 at distance 0 and at the cut locus (antipodal
    spins). Ties as in ``cell_persistence``. Runs on the CPU as ``cell_persistence`` does.

    Args:
        field: Angles (*batch, H, W) in radians, any branch; vectors (*batch, H, W, n); or integers
            (*batch, H, W) for ``Discrete``. In 3D (*batch, D, H, W) and so on.
        manifold: Where the spins live: ``Circle()`` (distances in [0, pi], radians),
            ``Circle(harmonic=2)`` (nematics: half-vortices), ``Sphere(n)`` (vectors of n + 1
            components), ``Discrete(q)`` (0 or 1), or any ``Manifold``.
        homology_dimensions: Distinct integers from 0 to ``spatial_dims``.
        spatial_dims: Number of spatial axes: 2 or 3.
        periodic: One bool, or one an axis.
        connection: A (2, H, W) or (3, D, H, W), radians: the parallel transport of bonds, for
            ``Circle`` only.

    Returns:
        Diagrams; indices count through the bonds, (2, H, W) or (3, D, H, W), of one sample; births
        in H0 are 0, with index -1 and no gradient.

    Raises:
        InputError: A field that is not one of ``manifold`` (dtype, shape, range), NaN or empty; a
            connection of another shape, dtype or device, or on another manifold.

    Source: Sale, Giansiracusa, Lucini, Phys. Rev. E 105, 024121 (2022), arXiv:2109.10960, with
        distances in radians, not in units of 2 pi; connection and other manifolds: ours.

    Example:
        >>> import torch
        >>> from topoml.lie import Circle
        >>> x = torch.tensor([[0.0, 0.5], [1.0, 3.0]])
        >>> field_persistence(x, manifold=Circle(), homology_dimensions=(0,), periodic=False).points
        tensor([[0.0000, 0.5000],
                [0.0000, 1.0000],
                [0.0000, 2.0000]])
    """
    n_axes = check_spatial_dims(spatial_dims, (2, 3))
    axes = ", ".join(AXES[-n_axes:])
    if isinstance(manifold, type) or not isinstance(manifold, Manifold):
        raise InputError(
            f"`manifold` is {manifold!r}; expected one of topoml.lie, such as Circle()."
        )
    shape = f"(*batch, {axes}" + "".join(f", {n}" for n in manifold.point_shape) + ")"
    field = check_shape("field", field, shape, n_axes + len(manifold.point_shape))
    dimensions = check_dimensions(homology_dimensions, n_axes)
    wrap = check_periodic(periodic, n_axes)
    if field.is_floating_point():
        check_not_nan("field", field)
    if not torch.compiler.is_compiling():  # which cannot look at values
        manifold.check("field", field)
    if connection is not None:
        expected = (tuple(field.shape[-n_axes:]), field.dtype, field.device)
        if not isinstance(manifold, Circle):
            raise InputError(
                f"`connection` is given for {manifold}; expected a Circle, whose spins it shifts."
            )
        check_shape("connection", connection, f"({n_axes}, {axes})", n_axes + 1)
        found = (tuple(connection.shape[1:]), connection.dtype, connection.device)
        full = (n_axes, *expected[0])
        if tuple(connection.shape) != full or found != expected:
            raise InputError(
                f"`connection` has shape {tuple(connection.shape)}, {connection.dtype},"
                f" {connection.device}; expected {full}, {expected[1]}, {expected[2]} as"
                " `field` has."
            )
        check_not_nan("connection", connection)
    bonds = bond_distances(field, manifold=manifold, spatial_dims=n_axes, connection=connection)
    return pair_cells([None, bonds, *[None] * (n_axes - 1)], dimensions, wrap)
