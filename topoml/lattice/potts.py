"""The Potts and the clock model."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .discrete import Tables, check_states, sample_clusters, sample_states
from .geometry import OnLattice, check_lattice, lattice_of, n_axes, pairs
from .model import (
    Array,
    Known,
    cast_like,
    check_coupling,
    check_field,
    check_update,
    namespace,
    plain_numbers,
)

__all__ = ["Clock", "Potts"]


class _States(OnLattice):
    """States 0 to q - 1 at the sites of a lattice, with one coupling."""

    q: int
    J: float

    updates: ClassVar[tuple[str, ...]] = ("wolff", "swendsen-wang", "heat bath", "metropolis")

    def __post_init__(self) -> None:
        plain_numbers(self)
        check_states(self.q)
        check_coupling(self.J)
        check_lattice(self.lattice)

    def ordered(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """All in state 0, int8."""
        return np.zeros(shape, np.int8)

    def random_state(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        """Independent states 0 to q - 1, int8."""
        return rng.integers(0, self.q, shape, np.int8)


@dataclass(frozen=True)
class Potts(_States):
    r"""States 0 to q - 1, :math:`H = -J \sum_{\langle ij \rangle} \delta_{s_i s_j}`, J > 0.

    k_B = 1: J and T share one unit. Periodic; sides of 1 and 2 as for `Ising`. q = 2 is the Ising
    model with half its coupling. Of first order for q > 4 in two dimensions and for q > 2 in three:
    compare ``start="ordered"`` and ``"random"`` there.

    Args:
        q: Number of states, 2 to 127.
        J: Coupling, above 0.
        lattice: "chain", "square", "cubic", "hypercubic", "triangular" or "honeycomb".

    Example:
        >>> import numpy as np
        >>> float(Potts(3).energy(np.array([[0, 0, 1], [0, 0, 0], [0, 0, 2]])))
        -11.0
        >>> Potts(3).known_transition.value
        0.994972861071817
    """

    q: int = 3
    J: float = 1.0
    lattice: str = "square"

    name: ClassVar[str] = "potts"
    manifold: ClassVar[str] = "discrete"
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.int8)

    @property
    def symmetry(self) -> str:
        return f"S{self.q}"

    @property
    def order(self) -> str:
        """Of the transition."""
        if self.lattice == "chain":
            return "none"
        planar = self.lattice in ("square", "triangular", "honeycomb")
        return "second order" if self.q <= (4 if planar else 2) else "first order"

    @property
    def known_transition(self) -> Known | None:
        """Exact on the square lattice, T = J / ln(1 + sqrt q)."""
        if self.lattice != "square":
            return None
        value = self.J / math.log1p(math.sqrt(self.q))
        return Known(value, None, "Wu, Rev. Mod. Phys. 54, 235 (1982), by duality")

    @property
    def critical_energy(self) -> float | None:
        r"""Energy per site at T_c, exact on the square lattice: :math:`-J (1 + 1 / \sqrt q)`.

        Where the transition is of first order, the mean of those of the two phases. None on other
        lattices. Source: Wu, Rev. Mod. Phys. 54, 235 (1982), by duality.
        """
        return None if self.lattice != "square" else -self.J * (1.0 + 1.0 / math.sqrt(self.q))

    @property
    def latent_heat(self) -> float | None:
        r"""Energies per site at T_c, disordered less ordered, exact on the square lattice.

        .. math:: 2 J \left(1 + \frac{1}{\sqrt q}\right) \tanh \frac{\theta}{2}
                  \prod_{n=1}^\infty \tanh^2 n \theta, \qquad 2 \cosh \theta = \sqrt q

        0 for q up to 4; None on other lattices. Source: Baxter, J. Phys. C 6, L445 (1973).

        Example:
            >>> round(Potts(10).latent_heat, 7)
            0.6960494
        """
        if self.lattice != "square":
            return None
        if self.q <= 4:
            return 0.0
        theta = math.acosh(math.sqrt(self.q) / 2.0)
        most = math.ceil(20.0 / theta)  # tanh is 1 beyond
        product = math.prod(math.tanh(n * theta) ** 2 for n in range(1, most + 1))
        scale = 2.0 * self.J * (1.0 + 1.0 / math.sqrt(self.q))
        return scale * math.tanh(theta / 2.0) * product

    def energy(self, configurations: Array) -> Array:
        """Total energy in the unit of J, shape (*batch,), of states (*batch, *shape).

        Numpy in, numpy out; a torch tensor stays on its device. Float64, or the dtype of floating
        states.
        """
        total: Array = _energy(configurations, self.lattice, lambda a, b: a == b, -self.J)
        return total

    def sample(
        self,
        spins: NDArray[Any],
        temperature: float,
        rounds: int,
        samples: int,
        rng: np.random.Generator,
        update: str = "wolff",
    ) -> tuple[NDArray[Any], int]:
        """Samples (n, *shape) int8, each after ``rounds`` clusters or sweeps; the spins visited.

        A Wolff cluster, all of one state, takes another one, with equal chances of all. In a sweep
        of Swendsen and Wang each cluster draws one of the q states. ``spins`` is changed in place.
        """
        check_update(update, self.updates)
        lattice = lattice_of(self.lattice, spins.shape)
        if update == "swendsen-wang":
            p = -math.expm1(-self.J / temperature)
            return sample_clusters(lattice, spins, p, self.q, rounds, samples, rng)
        tables = Tables(-self.J * np.eye(self.q), np.zeros(self.q), _reflections(self.q))
        return sample_states(tables, lattice, spins, temperature, rounds, samples, rng, update)


@dataclass(frozen=True)
class Clock(_States):
    r"""Angles 2 pi k / q, :math:`H = -J \sum_{\langle ij \rangle} \cos(\theta_i - \theta_j)`.

    J > 0, k_B = 1: J and T share one unit. Configurations are angles in (-pi, pi], float32. Two BKT
    transitions for q >= 5 in two dimensions. Sides of 1 and 2 as for `Ising`.

    Args:
        q: Number of states, 2 to 127.
        J: Coupling, above 0.
        lattice: "chain", "square", "cubic", "hypercubic", "triangular" or "honeycomb".

    Example:
        >>> import numpy as np
        >>> float(Clock(4).energy(np.zeros((3, 3))))
        -18.0
        >>> Clock(4).known_transition.value
        1.134592657106511
    """

    q: int = 6
    J: float = 1.0
    lattice: str = "square"

    name: ClassVar[str] = "clock"
    manifold: ClassVar[str] = "circle"
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.float32)

    @property
    def symmetry(self) -> str:
        return f"D{self.q}"

    @property
    def order(self) -> str:
        """Of the transition, or of the upper one of two."""
        if self.lattice == "chain":
            return "none"
        planar = self.lattice in ("square", "triangular", "honeycomb")
        return "BKT" if planar and self.q >= 5 else "second order"

    @property
    def known_transition(self) -> Known | None:
        """The upper one on the square lattice; exact for q = 2, 3, 4."""
        if self.lattice != "square":
            return None
        if self.q <= 4:  # Ising; Potts of coupling 3 J / 2; two Ising models of coupling J / 2
            T = {2: 2.0, 3: 1.5, 4: 1.0}[self.q] / math.log1p(math.sqrt({3: 3.0}.get(self.q, 2.0)))
            return Known(T * self.J, None, "Wu, Rev. Mod. Phys. 54, 235 (1982), by duality")
        upper = {6: (0.9008, 0.0006), 8: (0.8936, 0.0007)}.get(self.q)
        if upper is None:
            return None
        source = "Tomita & Okabe, Phys. Rev. B 65, 184405 (2002)"
        return Known(upper[0] * self.J, upper[1] * self.J, source)

    def energy(self, configurations: Array) -> Array:
        """Total energy in the unit of J, shape (*batch,), of angles (*batch, *shape).

        Angles are taken as the states next to them, so that float32 loses nothing. Numpy in, numpy
        out; a torch tensor stays on its device. The result has the dtype of the angles.
        """
        check_field("configurations", configurations, n_axes=n_axes(self.lattice))
        xp = namespace(configurations)
        step = 2.0 * math.pi / self.q
        k = xp.round(configurations / step)
        total: Array = _energy(k, self.lattice, lambda a, b: xp.cos((a - b) * step), -self.J)
        return total

    def sample(
        self,
        spins: NDArray[Any],
        temperature: float,
        rounds: int,
        samples: int,
        rng: np.random.Generator,
        update: str = "wolff",
    ) -> tuple[NDArray[Any], int]:
        """Samples (n, *shape) of angles, each after ``rounds`` clusters or sweeps; spins visited.

        A cluster is reflected, k to r - k. ``spins``, states 0 to q - 1, is changed in place.
        """
        check_update(update, self.updates)
        k = np.arange(self.q)
        bond = -self.J * np.cos(2.0 * math.pi / self.q * (k[:, None] - k))
        tables = Tables(bond, np.zeros(self.q), _reflections(self.q))
        lattice = lattice_of(self.lattice, spins.shape)
        states, visited = sample_states(
            tables, lattice, spins, temperature, rounds, samples, rng, update
        )
        signed = np.where(2 * k > self.q, k - self.q, k)
        return (2.0 * math.pi / self.q * signed).astype(np.float32)[states], visited


def _reflections(q: int) -> NDArray[np.int8]:
    """k to r - k (mod q), (r, k): involutions, of which one takes any state to any other."""
    k = np.arange(q)
    return ((k[:, None] - k) % q).astype(np.int8)


def _energy(x: Any, lattice: str, of_bond: Any, factor: float) -> Any:  # noqa: ANN401
    check_field("configurations", x, n_axes=n_axes(lattice))
    xp = namespace(x)
    n = n_axes(lattice) - (lattice == "honeycomb")
    total: Any = 0.0
    for a, b in pairs(x, lattice):
        total = total + of_bond(a, b).sum(tuple(range(-n, 0)), dtype=xp.float64)
    return cast_like(factor * total, x)
