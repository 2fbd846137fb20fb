"""What the models of planar spins share: states, and samples through one set of kernels."""

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from ..kernels import angle_models as kernels
from ._numbers import floating
from .geometry import OnLattice, bond_vectors, lattice_of, n_axes, pairs, site_volume
from .model import Array, cast_like, check_field, check_update, namespace

__all__ = ["AngleModel", "check_number", "sum_of_bonds"]

_MOVES = {
    "wolff": kernels.WOLFF,
    "swendsen-wang": kernels.SWENDSEN_WANG,
    "metropolis": kernels.METROPOLIS,
    "heat bath": kernels.HEAT_BATH,
    "over-relaxation": kernels.OVER_RELAXATION,
}
_SWEEPS = 2  # of over-relaxation a sample: a tenth of the cost of the clusters
_NO_FIELD = np.empty((0, 0, 2))


class AngleModel(OnLattice, ABC):
    """Planar spins on a periodic lattice, whose bonds weigh by the angle between their ends.

    Configurations are angles in radians, float32; the sampler works on unit vectors, float64.
    """

    manifold: ClassVar[str] = "circle"
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.float32)
    updates: ClassVar[tuple[str, ...]]
    lattice: str

    @abstractmethod
    def _law(self, temperature: float) -> kernels.Law:
        """Bond energy over T, as the kernels have it."""

    def _derivatives(self, d: Any, temperature: float | None) -> tuple[Any, Any]:  # noqa: ANN401
        """The first and the second of the energy of a bond, by its angle d."""
        raise InputError(
            f"`model` is {self!r}; expected one whose bond energy has two derivatives, which the"
            " helicity modulus is made of, as XY."
        )

    def _bond_angles(self, theta: Array) -> Iterator[Array]:
        """Of all bonds, one kind of bond at a time, as `pairs` has them."""
        for a, b in pairs(theta, self.lattice):
            yield b - a

    def helicity_terms(
        self, configurations: Array, *, temperature: float | None = None
    ) -> tuple[Array, Array]:
        r"""The two terms of the helicity modulus, so that it is <c> - <s> / T; mean over axes.

        .. math:: c = \frac{1}{d V} \sum_{\langle ij \rangle} V''(\theta_{ij}), \qquad
                  s = \frac{1}{d V} \Big| \sum_{\langle ij \rangle} V'(\theta_{ij})\,
                  \hat e_{ij} \Big|^2

        with the bond energies V, the unit vectors :math:`\hat e` along the bonds and the volume V
        (area, length) of the lattice in d dimensions, bonds of length 1: where vortices unbind,
        the modulus of a planar lattice jumps from 2 T / pi to 0, where half-vortices do, from
        8 T / pi.

        Args:
            configurations: Angles (*batch, *shape), radians; numpy in, numpy out, and a torch
                tensor stays on its device, with gradients.
            temperature: That of the weight, for `Villain` alone, whose bond energy depends on it.

        Returns:
            c in the unit of J and s in its square, each (*batch,), in the dtype of the angles,
            float64 for integers.

        Raises:
            InputError: A model whose bond energy has no derivatives (`ConstrainedXY`).

        Source: Teitel & Jayaprakash, Phys. Rev. B 27, 598 (1983), on the square lattice.

        Example:
            >>> from topoml.lattice import XY
            >>> c, s = XY(lattice="triangular").helicity_terms(np.zeros((3, 3)))
            >>> float(c.round(4)), float(s)  # the square root of 3
            (1.7321, 0.0)
        """
        n, float64 = n_axes(self.lattice), namespace(configurations).float64
        check_field("configurations", configurations, " of angles", n_axes=n)
        lattice_of(self.lattice, tuple(configurations.shape[configurations.ndim - n :]))
        theta = floating(configurations)
        vectors = bond_vectors(self.lattice)
        curvature: Any = 0.0
        current: list[Any] = [0.0] * vectors.shape[1]
        for d, vector in zip(self._bond_angles(theta), vectors.tolist(), strict=True):
            first, second = self._derivatives(d, temperature)
            axes = tuple(range(configurations.ndim - n, d.ndim))
            curvature = curvature + second.sum(axes, dtype=float64)
            slope = first.sum(axes, dtype=float64)
            current = [total + e * slope for total, e in zip(current, vector, strict=True)]
        square = reduce(operator.add, (total**2 for total in current))
        sites = self.n_sites(tuple(configurations.shape[configurations.ndim - n :]))
        volume = len(current) * (sites * site_volume(self.lattice))
        c: Array = cast_like(curvature / volume, theta)
        s: Array = cast_like(square / volume, theta)
        return c, s

    def _width(self, temperature: float, z: int) -> float:
        """Largest turn that Metropolis proposes besides jumps, radians; fixed beforehand.

        Four thermal widths in the field of z ordered neighbours.
        """
        return 4.0 / math.sqrt(z * abs(self._law(temperature)[1]))

    def _angles_of_order(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """A ground state, radians."""
        return np.zeros(shape)

    def _field(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Cosine and sine of the turn of each neighbour (N, z, 2); (0, 0, 2) for none."""
        return _NO_FIELD

    def ordered(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """A ground state, unit vectors, float64 (*shape, 2)."""
        theta = self._angles_of_order(shape)
        return np.stack([np.cos(theta), np.sin(theta)], axis=-1)

    def random_state(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        """Independent uniform directions, unit vectors, float64 (*shape, 2)."""
        theta = rng.uniform(-np.pi, np.pi, shape)
        return np.stack([np.cos(theta), np.sin(theta)], axis=-1)

    def sample(
        self,
        spins: NDArray[Any],
        temperature: float,
        rounds: int,
        samples: int,
        rng: np.random.Generator,
        update: str,
    ) -> tuple[NDArray[Any], int]:
        """Samples (n, *shape) of angles in [-pi, pi], float32, and the spins reflected or visited.

        Between samples: ``rounds`` rounds of the update. Where the energy is a cosine, clusters are
        followed by 2 sweeps of over-relaxation, and a round of "over-relaxation" is a sweep of
        the heat bath and 2 of over-relaxation. ``spins`` is changed in place.
        """
        check_update(update, self.updates)
        shape = spins.shape[:-1]
        lattice = lattice_of(self.lattice, shape)
        law, field = self._law(temperature), self._field(shape)
        out = np.empty((2, samples, lattice.n_sites), np.float32)
        visited = kernels.run(
            spins.reshape(-1, 2),
            lattice.neighbours,
            field,
            law,
            _MOVES[update],
            rounds,
            _SWEEPS if law[0] == kernels.COSINE else 0,
            min(math.pi, self._width(temperature, lattice.neighbours.shape[1])),
            out,
            rng,
        )
        return np.arctan2(out[1], out[0]).reshape(samples, *shape), int(visited)


def sum_of_bonds(
    function: Callable[[Any], Any], theta: Array, lattice: str, *, scale: float = 1.0
) -> Array:
    """Sum over bonds of a function of their angle, (*batch,), of angles (*batch, *shape).

    The sum runs in float64; the result has the dtype of the angles, float64 for integers.
    """
    check_field("configurations", theta, n_axes=n_axes(lattice))
    bonds = reduce(operator.add, (function(b - a) for a, b in pairs(theta, lattice)))
    axes = tuple(range(theta.ndim - n_axes(lattice) - bonds.ndim, 0))
    total: Array = cast_like(scale * bonds.sum(axes, dtype=namespace(theta).float64), bonds)
    return total


def check_number(name: str, value: float, wanted: str, *, low: float, high: float) -> None:
    """A number in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError(f"`{name}` is {value!r}; expected {wanted}.")
