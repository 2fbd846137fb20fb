"""Lattice gauge fields of signs and of angles."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..kernels import gauge_u1, gauge_z2
from .gauge import GaugeField
from .geometry import Hypercubic
from .model import Known, check_update, namespace

__all__ = ["U1Gauge", "Z2Gauge"]

_KINDS = {
    "heat bath": np.array([gauge_u1.HEAT_BATH]),
    "metropolis": np.array([gauge_u1.METROPOLIS]),
    "over-relaxation": np.array([gauge_u1.HEAT_BATH] + 3 * [gauge_u1.REFLECTION]),
    "instanton": np.array([gauge_u1.HEAT_BATH] + 3 * [gauge_u1.REFLECTION] + [gauge_u1.WINDING]),
}


@dataclass(frozen=True)
class Z2Gauge(GaugeField):
    r"""Signs :math:`U = \pm 1` on links, :math:`H = -\sum_p \prod_{l \in p} U_l`, periodic.

    In 2D without a transition; in 3D dual to the Ising model; in 4D dual to itself. Any sides.

    Args:
        dim: 2, 3 or 4.

    Source: Wegner, J. Math. Phys. 12, 2259 (1971).

    Example:
        >>> import numpy as np
        >>> links = np.ones((3, 2, 2, 2), np.int8)
        >>> links[0, 0, 0, 0] = -1
        >>> float(Z2Gauge().energy(links))
        -16.0
    """

    dim: int = 3

    name: ClassVar[str] = "z2-gauge"
    manifold: ClassVar[str] = "Z2 links"
    symmetry: ClassVar[str] = "Z2 gauge"
    updates: ClassVar[tuple[str, ...]] = ("heat bath", "metropolis")
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.int8)

    @property
    def order(self) -> str:
        """Of the transition."""
        return {2: "none", 3: "second order", 4: "first order"}[self.dim]

    @property
    def known_transition(self) -> Known | None:
        """T = 1 / beta_c; None in 2D.

        In 3D beta_c = -ln(tanh K) / 2 of the Ising model at K, in 4D that of sinh(2 beta) = 1.
        """
        if self.dim == 2:
            return None
        if self.dim == 4:
            return Known(2.0 / math.log1p(math.sqrt(2.0)), None, "Wegner (1971), self-duality")
        ising, error = 0.221654626, 5e-9
        beta = -0.5 * math.log(math.tanh(ising))
        source = "dual of K_c = 0.221654626(5), Ferrenberg, Xu and Landau, arXiv:1806.03558"
        return Known(1.0 / beta, error / math.sinh(2.0 * ising) / beta**2, source)

    def ordered(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """The ground state: all links +1, int8 (D, *L)."""
        self._lattice(shape)
        return np.ones(shape, np.int8)

    def random_state(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        """Independent fair signs, the state at infinite temperature, int8 (D, *L)."""
        self._lattice(shape)
        return rng.integers(0, 2, shape, np.int8) * np.int8(2) - np.int8(1)

    def sample(
        self,
        spins: NDArray[Any],
        temperature: float,
        rounds: int,
        samples: int,
        rng: np.random.Generator,
        update: str = "heat bath",
    ) -> tuple[NDArray[Any], int]:
        """Samples (n, D, *L) int8, each after ``rounds`` sweeps, and the links visited.

        A sweep of "metropolis" tries as many links as there are, drawn at random. ``spins`` is
        changed in place.
        """
        check_update(update, self.updates)
        lattice = self._lattice(spins.shape)
        total = np.arange(-2 * (self.dim - 1), 2 * self.dim - 1) * self._beta(temperature)
        with np.errstate(over="ignore"):
            if update == "heat bath":
                probability = 1.0 / (1.0 + np.exp(-2.0 * total))
            else:
                probability = np.exp(np.minimum(0.0, -2.0 * total))
        out = np.empty((samples, self.dim, lattice.n_sites), np.int8)
        visited = gauge_z2.sweeps(
            spins.reshape(self.dim, -1),
            lattice.neighbours,
            _long(lattice),
            probability,
            update == "metropolis",
            rounds,
            out,
            rng,
        )
        return out.reshape(samples, *spins.shape), int(visited)

    def _trace(self, a: Any, b: Any, c: Any, d: Any) -> Any:  # noqa: ANN401
        return a * b * c * d


@dataclass(frozen=True)
class U1Gauge(GaugeField):
    r"""Angles on links, :math:`H = -\sum_p \cos\theta_p`, compact U(1), periodic.

    :math:`\theta_p = \theta_\mu(x) + \theta_\nu(x + \mu) - \theta_\mu(x + \nu) - \theta_\nu(x)`,
    radians, any branch. Without a transition in 2D and 3D, of first order in 4D. Any sides.

    Updates: "over-relaxation", 3 sweeps of reflections after one of heat bath; "heat bath";
    "metropolis"; "hmc" (`hmc.sample_by_hmc`); in 2D "instanton", which adds trials to multiply the
    links by a field of charge +1 or -1, and is the first there. (In 2D reflections exchange the two
    plaquettes of a link, and no more.)

    Args:
        dim: 2, 3 or 4.

    Example:
        >>> import numpy as np
        >>> float(U1Gauge(dim=2).energy(np.zeros((2, 3, 3))))
        -9.0
    """

    dim: int = 4

    name: ClassVar[str] = "u1-gauge"
    manifold: ClassVar[str] = "U(1) links"
    symmetry: ClassVar[str] = "U(1) gauge"
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.float32)

    @property
    def updates(self) -> tuple[str, ...]:
        """Valid ones, the default first."""
        local = ("over-relaxation", "heat bath", "metropolis", "hmc")
        return ("instanton", *local) if self.dim == 2 else local

    @property
    def order(self) -> str:
        """Of the transition."""
        return "first order" if self.dim == 4 else "none"

    @property
    def known_transition(self) -> Known | None:
        """T = 1 / beta_c with beta_c = 1.0111331(21) in 4D; None in 2D and 3D."""
        if self.dim < 4:
            return None
        source = "Arnold et al., Nucl. Phys. B (Proc. Suppl.) 119, 864 (2003)"
        return Known(1.0 / 1.0111331, 0.0000021 / 1.0111331**2, source)

    def ordered(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """The ground state: all links 1, unit complex numbers, complex128 (D, *L)."""
        self._lattice(shape)
        return np.ones(shape, np.complex128)

    def random_state(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        """Independent uniform phases, unit complex numbers, complex128 (D, *L)."""
        self._lattice(shape)
        out: NDArray[Any] = np.exp(1j * rng.uniform(-np.pi, np.pi, shape))
        return out

    def sample(
        self,
        spins: NDArray[Any],
        temperature: float,
        rounds: int,
        samples: int,
        rng: np.random.Generator,
        update: str | None = None,
    ) -> tuple[NDArray[Any], int]:
        """Samples (n, D, *L) of angles in [-pi, pi], float32, and the number of links visited.

        ``rounds`` rounds of the update before each: a sweep, or a trajectory, or for
        "over-relaxation" and "instanton" 4 sweeps. ``spins``, unit complex numbers, is changed in
        place.
        """
        update = self.updates[0] if update is None else update
        check_update(update, self.updates)
        if update == "hmc":
            return self._by_hmc(spins, temperature, rounds, samples, rng)
        lattice = self._lattice(spins.shape)
        charged = _instanton(lattice.shape if update == "instanton" else (1, 1))
        out = np.empty((samples, self.dim, lattice.n_sites), np.complex128)
        visited = gauge_u1.sweeps(
            spins.reshape(self.dim, -1),
            lattice.neighbours,
            _long(lattice),
            self._beta(temperature),
            _KINDS[update],
            charged,
            rounds,
            out,
            rng,
        )
        angles = np.angle(out).astype(np.float32)
        return angles.reshape(samples, *spins.shape), int(visited)

    def _trace(self, a: Any, b: Any, c: Any, d: Any) -> Any:  # noqa: ANN401
        return namespace(a).cos(a + b - c - d)

    def _links(self, spins: NDArray[Any]) -> NDArray[Any]:
        return np.angle(spins)

    def _spins(self, links: NDArray[Any]) -> NDArray[Any]:
        spins: NDArray[Any] = np.exp(1j * links)
        return spins


def _long(lattice: Hypercubic) -> NDArray[np.bool_]:
    return np.array(lattice.shape) > 1


def _instanton(shape: tuple[int, ...]) -> NDArray[np.complex128]:
    """Links (2, sites) in 2D of which every plaquette is exp(2 pi i / V)."""
    n0, n1 = shape
    angle = np.zeros((2, n0, n1))
    angle[1] = 2.0 * np.pi / (n0 * n1) * np.arange(n0)[:, None]
    angle[0, -1] = -2.0 * np.pi / n1 * np.arange(n1)
    out: NDArray[np.complex128] = np.exp(1j * angle).reshape(2, -1)
    return out
