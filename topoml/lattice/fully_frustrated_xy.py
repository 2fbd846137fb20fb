"""The fully frustrated XY model."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from ..kernels import angle_models as kernels
from .angle_model import AngleModel
from .geometry import Hypercubic
from .model import Array, Known, cast_like, check_coupling, check_field, namespace, plain_numbers

__all__ = ["FullyFrustratedXY"]


@dataclass(frozen=True)
class FullyFrustratedXY(AngleModel):
    r"""Rotors with half a quantum of flux in every plaquette of the square lattice, periodic.

    .. math:: H = -J \sum_{x, a} \cos(\theta_{x + \hat a} - \theta_x - A_a(x)), \qquad
              \sum_\square A = \pi \pmod{2 \pi}

    Angles in radians, any branch; k_B = 1: J and T share one unit. Sides are even. In the ground
    state every bond has an angle of pi / 4 in size, vortices of either sign alternate as the
    colours of a checkerboard, and the energy is -sqrt(2) J a site; which colour is which is a
    symmetry of the Ising class, broken just above the BKT transition.

    Clusters hold almost all spins at the transition and are not offered.

    Args:
        J: Coupling, above 0.

    Source: Villain, J. Phys. C 10, 1717 (1977); Teitel & Jayaprakash, Phys. Rev. B 27, 598 (1983).

    Example:
        >>> import numpy as np
        >>> model = FullyFrustratedXY()
        >>> x, y = np.moveaxis(model.ordered((4, 4)), -1, 0)
        >>> round(float(model.energy(np.arctan2(y, x))) / 16, 9)
        -1.414213562
    """

    J: float = 1.0
    lattice: str = field(default="square", init=False, repr=False)

    name: ClassVar[str] = "fully-frustrated-xy"
    symmetry: ClassVar[str] = "O(2) x Z2"
    order: ClassVar[str] = "Ising, then BKT"
    updates: ClassVar[tuple[str, ...]] = ("over-relaxation", "heat bath", "metropolis")

    def __post_init__(self) -> None:
        plain_numbers(self)
        check_coupling(self.J)

    @property
    def known_transition(self) -> Known:
        """The Ising transition, T = 0.4532(12) J; the error reaches to the lowest estimate.

        The BKT transition follows at 0.446 J.
        """
        source = (
            "Ising transition; Hasenbusch, Pelissetto & Vicari, J. Stat. Mech. (2005) P12002, "
            "0.45324(1); Olsson, Phys. Rev. Lett. 75, 2758 (1995), 0.452"
        )
        return Known(0.45324 * self.J, 0.0012 * self.J, source)

    def connection(self, shape: tuple[int, ...], dtype: Any = np.float32) -> NDArray[Any]:  # noqa: ANN401
        """The field A (2, L0, L1), radians: pi on the bonds along axis 0 of odd columns, else 0.

        Entry (a, i, j) belongs to the bond from (i, j) to its +1 neighbour along axis a, as
        ``field_persistence`` wants it, in the dtype of the angles: float32 as they are sampled.
        """
        _check_even(shape)
        out = np.zeros((2, *shape), dtype)
        out[0, :, 1::2] = math.pi
        return out

    def energy(self, configurations: Array) -> Array:
        """Total energy in the unit of J, shape (*batch,), of angles (*batch, L0, L1).

        Numpy in, numpy out; a torch tensor stays on its device. The result has the dtype of the
        angles; the sum runs in float64.
        """
        check_field("configurations", configurations)
        _check_even(tuple(configurations.shape[-2:]))
        xp, theta = namespace(configurations), configurations
        along_0 = xp.cos(xp.roll(theta, -1, -2) - theta)
        along_1 = xp.cos(xp.roll(theta, -1, -1) - theta)
        # cos(d - pi) = -cos d, exactly
        bonds = along_1.sum((-2, -1), dtype=xp.float64)
        bonds = bonds + along_0[..., ::2].sum((-2, -1), dtype=xp.float64)
        bonds = bonds - along_0[..., 1::2].sum((-2, -1), dtype=xp.float64)
        total: Array = cast_like(-self.J * bonds, along_0)
        return total

    def shape(self, size: int) -> tuple[int, ...]:
        """Of a configuration: (L, L), L even."""
        _check_even((size, size))
        return (size, size)

    def _derivatives(self, d: Any, temperature: float | None) -> tuple[Any, Any]:  # noqa: ANN401
        xp = namespace(d)
        return self.J * xp.sin(d), self.J * xp.cos(d)

    def _bond_angles(self, theta: Array) -> Iterator[Array]:
        """Less the connection, in the precision of the angles."""
        xp, field = namespace(theta), cast(Any, theta)
        shape = tuple(theta.shape[-2:])
        device = {} if xp is np else {"device": field.device}
        connection = xp.asarray(self.connection(shape, np.float64), **device)
        for d, A in zip(super()._bond_angles(theta), connection, strict=True):
            yield d - cast_like(A, d)

    def _law(self, temperature: float) -> kernels.Law:
        return kernels.COSINE, self.J / temperature, 0.0, 1

    def _angles_of_order(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Cells of 2 x 2 spins."""
        _check_even(shape)
        cell = math.pi / 4.0 * np.array([[0.0, 1.0], [-1.0, -2.0]])
        return np.tile(cell, (shape[0] // 2, shape[1] // 2))

    def _field(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        return _turns(shape)


def _check_even(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or any(side % 2 for side in shape):
        raise InputError(
            f"`shape` is {tuple(shape)}; expected two even sides, as columns with and without the "
            "field alternate. Use an even size."
        )


@lru_cache(maxsize=16)
def _turns(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A neighbour across its bond is turned by -A of the site, one back by its own A."""
    neighbours = Hypercubic(shape).neighbours
    A = FullyFrustratedXY().connection(shape, np.float64).reshape(2, -1)
    angle = np.empty(neighbours.shape)
    for axis in range(2):
        angle[:, 2 * axis] = -A[axis]
        angle[:, 2 * axis + 1] = A[axis][neighbours[:, 2 * axis + 1]]
    return np.stack([np.cos(angle), np.sin(angle)], -1)
