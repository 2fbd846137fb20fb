"""The phi^4 theory: a real scalar field."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._core.checks import number
from .._core.errors import InputError
from .._core.optional import require
from ..kernels import phi4 as kernels
from .geometry import OnLattice, check_lattice, lattice_of, n_axes, pairs, shape_of
from .model import Array, Known, cast_like, check_field, check_update, namespace, plain_numbers
from .tuning import tuned_scale

__all__ = ["Phi4"]

_SWEEPS = 2  # of Metropolis a sample, beside the clusters


@dataclass(frozen=True)
class Phi4(OnLattice):
    r"""A real field with a double well at each site.

    .. math:: S = \sum_x \Big[ -2\kappa \sum_\mu \phi_x \phi_{x+\mu} + \phi_x^2
                               + \lambda (\phi_x^2 - 1)^2 \Big]

    The weight is :math:`e^{-S/T}` against :math:`\prod_x d\phi_x`; T = 1 is the lattice field
    theory. The sum over mu counts each bond once. On D-dimensional hypercubic lattices this is
    :math:`\frac12 (\partial\varphi)^2 + \frac12 m_0^2 \varphi^2 + \frac{g_0}{4!} \varphi^4` with
    :math:`\varphi = \sqrt{2\kappa}\,\phi`, :math:`m_0^2 = (1 - 2\lambda)/\kappa - 2D`,
    :math:`g_0 = 6\lambda/\kappa^2`; lambda = 0 is the free field, lambda = infinity the Ising model
    with J = 2 kappa. Periodic; a side of 2 has two bonds between the same sites, a side of 1 a
    bond from each site to itself.

    Updates: "wolff" (clusters of signs, which at fixed moduli are Ising spins, then 2 Metropolis
    sweeps of the field), "metropolis", "hmc" (`hmc.sample_by_hmc`). The widths of the proposals
    belong to the model, the shape and the temperature (`tuning.tuned_scale`).

    Args:
        kappa: At least 0.
        lam: lambda, at least 0; at 0 the field is free, and kappa must be below 1 / z on a lattice
            of z neighbours, or S has no lower bound.
        lattice: One of "chain", "square", "cubic", "hypercubic" (4D), "triangular", "honeycomb".

    Source: Luescher and Weisz, Nucl. Phys. B 290, 25 (1987), for the action and its continuum form.

    Example:
        >>> import numpy as np
        >>> float(Phi4(kappa=0.25, lam=0.5).energy(np.ones((3, 3))))
        0.0
    """

    kappa: float
    lam: float
    lattice: str = "square"

    name: ClassVar[str] = "phi4"
    manifold: ClassVar[str] = "real"
    symmetry: ClassVar[str] = "Z2"
    order: ClassVar[str] = "second order"
    updates: ClassVar[tuple[str, ...]] = ("wolff", "metropolis", "hmc")
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.float32)

    def __post_init__(self) -> None:
        plain_numbers(self)
        check_lattice(self.lattice)
        for name, value in (("kappa", self.kappa), ("lam", self.lam)):
            if not 0 <= number(value) < math.inf:
                raise InputError(
                    f"`{name}` is {value!r}; expected a finite number of at least 0. "
                    "Try Phi4(kappa=0.2, lam=0.5)."
                )
        z = self._coordination
        if self.lam == 0 and self.kappa * z >= 1:
            raise InputError(
                f"`kappa` is {self.kappa!r} with lam=0; expected less than 1/{z}, or the action of "
                "the free field has no lower bound. Give lam above 0, or a smaller kappa."
            )

    @property
    def known_transition(self) -> Known | None:
        """None: it depends on all three parameters."""
        return None

    def energy(self, configurations: Array) -> Array:
        """The action S, shape (*batch,), of fields (*batch, *shape).

        Numpy in, numpy out; a torch tensor stays on its device and may carry a gradient. The sum
        runs in float64; the result has the dtype of the field.
        """
        n = n_axes(self.lattice)
        check_field("configurations", configurations, n_axes=n)
        xp, axes = namespace(configurations), tuple(range(-n, 0))
        square = configurations * configurations
        site = (square + self.lam * (square - 1.0) ** 2).sum(axes, dtype=xp.float64)
        bonds: Any = 0.0
        for here, there in pairs(configurations, self.lattice):
            product = here * there  # on the honeycomb with one axis less
            of_sites = tuple(range(configurations.ndim - n, product.ndim))
            bonds = bonds + product.sum(of_sites, dtype=xp.float64)
        total: Array = cast_like(site - 2.0 * self.kappa * bonds, square)
        return total

    def ordered(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """The uniform field of least action, float64; 0 where that is the only minimum."""
        gain = 2.0 * self.lam + self.kappa * self._coordination - 1.0
        value = math.sqrt(gain / (2.0 * self.lam)) if gain > 0 else 0.0
        return np.full(shape, value)

    def random_state(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        """Independent normal numbers, float64: no state at infinite temperature exists."""
        return rng.standard_normal(shape)

    def sample(
        self,
        spins: NDArray[Any],
        temperature: float,
        rounds: int,
        samples: int,
        rng: np.random.Generator,
        update: str = "wolff",
    ) -> tuple[NDArray[Any], int]:
        """Samples (n, *shape) float32, and the number of flipped or visited sites.

        Between samples ``rounds`` clusters and 2 sweeps, ``rounds`` sweeps, or ``rounds``
        trajectories. ``spins`` is changed in place.
        """
        check_update(update, self.updates)
        if update == "hmc":
            hmc = require("topoml.lattice.hmc")
            found: tuple[NDArray[Any], int] = hmc.sample_by_hmc(
                self, spins, temperature, rounds, samples, rng
            )
            return found
        lattice = lattice_of(self.lattice, spins.shape)
        width = _width(self, spins.shape, float(temperature))
        clusters, sweeps = (rounds, _SWEEPS) if update == "wolff" else (0, rounds)
        out = np.empty((samples, *spins.shape), np.float32)
        flipped = kernels.mixed(
            spins.reshape(-1), lattice.neighbours, float(self.kappa), float(self.lam),
            float(temperature), width, clusters, sweeps, out.reshape(samples, -1), rng,
        )  # fmt: skip
        visited = samples * rounds * spins.size
        return out, int(flipped) if update == "wolff" else visited

    @property
    def _coordination(self) -> int:
        return lattice_of(self.lattice, shape_of(self.lattice, 3)).neighbours.shape[1]


@lru_cache(maxsize=1024)
def _width(model: Phi4, shape: tuple[int, ...], temperature: float) -> float:
    """Of Metropolis's proposals, half of which are to be accepted."""
    phi, rng = model.ordered(shape).reshape(-1), np.random.default_rng(0)
    neighbours = lattice_of(model.lattice, shape).neighbours

    def acceptance(width: float) -> float:
        accepted = kernels.metropolis(
            phi, neighbours, float(model.kappa), float(model.lam), temperature, width, 1, rng
        )
        return float(accepted / phi.size)

    return tuned_scale(acceptance, target=0.5)
