"""The Ising model, in a field, on several lattices, and with bonds of random sign."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from ..kernels import ising as kernels
from .discrete import Tables, sample_clusters, sample_states
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

__all__ = ["Ising", "PlusMinusJ"]

_HOUTAPPEL = "Houtappel, Physica 16, 425 (1950)"
_INVOLUTION = np.array([[1, 0]], np.int8)
_LOCAL = ("metropolis", "heat bath")
_CLUSTERS = ("wolff", "swendsen-wang")


@dataclass(frozen=True)
class Ising(OnLattice):
    r"""Spins :math:`s = \pm 1`, :math:`H = -J \sum_{\langle ij \rangle} s_i s_j - h \sum_i s_i`.

    k_B = 1: J, h and T share one unit. Periodic; a side of 2 has two bonds between the same spins,
    a side of 1 a bond from each spin to itself. Antiferromagnets: `PlusMinusJ` with p = 1. Updates:
    "wolff" and "swendsen-wang" (h = 0 alone), "metropolis", "heat bath"; the first that is valid is
    the default. Energies alone, faster: `multispin`.

    Args:
        J: Coupling, above 0.
        lattice: "chain", "square", "cubic", "hypercubic", "triangular" or "honeycomb".
        field: h.

    Example:
        >>> import numpy as np
        >>> float(Ising().energy(np.array([[1, 1, -1], [1, 1, 1], [1, 1, 1]])))
        -10.0
        >>> Ising(J=2.0).known_transition.value
        4.538370628426044
        >>> Ising(lattice="triangular").known_transition.value
        3.6409569065073493
    """

    J: float = 1.0
    lattice: str = "square"
    field: float = 0.0

    name: ClassVar[str] = "ising"
    manifold: ClassVar[str] = "real"
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.int8)

    def __post_init__(self) -> None:
        plain_numbers(self)
        check_lattice(self.lattice)
        check_coupling(self.J)
        _check_real("field", self.field)

    @property
    def symmetry(self) -> str:
        """Z2, none in a field."""
        return "Z2" if self.field == 0 else "none"

    @property
    def order(self) -> str:
        """Of the transition."""
        return "second order" if self.field == 0 and self.lattice != "chain" else "none"

    @property
    def updates(self) -> tuple[str, ...]:
        """Clusters know no field."""
        return (*_CLUSTERS, *_LOCAL) if self.field == 0 else _LOCAL

    @property
    def known_transition(self) -> Known | None:
        """T_c, exact in two dimensions."""
        if self.order == "none" or self.lattice == "hypercubic":
            return None
        K, error, source = {
            "square": (math.log1p(math.sqrt(2.0)) / 2, None, "Onsager, Phys. Rev. 65, 117 (1944)"),
            "triangular": (math.log(3.0) / 4, None, _HOUTAPPEL),
            "honeycomb": (math.log(2 + math.sqrt(3.0)) / 2, None, _HOUTAPPEL),
            "cubic": (
                0.221654626, 5e-9, "Ferrenberg, Xu & Landau, Phys. Rev. E 97, 043301 (2018)"
            ),
        }[self.lattice]  # fmt: skip
        T = self.J / K
        return Known(T, None if error is None else T * error / K, source)

    def energy(self, configurations: Array) -> Array:
        """Total energy in the unit of J, shape (*batch,), of spins (*batch, *shape).

        Numpy in, numpy out; a torch tensor stays on its device. The sum runs in float64; the
        result has the dtype of floating spins, and float64 for integers. Not checked: that the
        spins are +1 or -1.
        """
        total: Array = _energy(configurations, self.lattice, self.J, self.field, None)
        return total

    def ordered(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """All spins up, int8: the ground state for J > 0."""
        return np.ones(shape, np.int8)

    def random_state(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        """Independent fair spins, the state at infinite temperature, int8."""
        return rng.integers(0, 2, shape, np.int8) * np.int8(2) - np.int8(1)

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

        ``spins`` is changed in place.
        """
        check_update(update, self.updates)
        out = np.empty((samples, *spins.shape), np.int8)
        square = self.lattice == "square" and self.field == 0
        if square and update == "wolff":
            p_add = -math.expm1(-2.0 * self.J / temperature)
            return out, int(kernels.wolff(spins, p_add, rounds, out, rng))
        if square and update == "metropolis":
            kernels.metropolis(spins, self.J / temperature, rounds, out, rng)
            return out, spins.size * rounds * samples
        if update == "swendsen-wang":  # the Potts model of two states, of coupling 2 J
            state = (spins > 0).astype(np.int8)
            p = -math.expm1(-2.0 * self.J / temperature)
            lattice = lattice_of(self.lattice, spins.shape)
            out, visited = sample_clusters(lattice, state, p, 2, rounds, samples, rng)
            spins[...] = 2 * state - 1
            return 2 * out - np.int8(1), visited
        tables = _tables(self.J, self.field)
        return _sample(tables, self.lattice, spins, temperature, rounds, samples, rng, update)


@dataclass(frozen=True)
class PlusMinusJ(OnLattice):
    r"""Ising spins and bonds of random sign, :math:`H = -\sum_{\langle ij \rangle} J_{ij} s_i s_j`.

    J_ij = -1 with probability p, else +1 (J = 1, k_B = 1). The bonds belong to the model: they are
    drawn from ``realisation`` for each shape, and the same arguments give the same ones. Updates:
    "metropolis", "heat bath", and clusters, which percolate far above any order. `tempering`
    reaches low temperatures.

    Args:
        p: Probability of an antiferromagnetic bond, 0 to 1; 1/2 is the Edwards-Anderson model.
        realisation: Non-negative integer that the bonds are drawn from.
        lattice: As for `Ising`.

    Example:
        >>> PlusMinusJ(p=0.5, realisation=0).couplings((3, 3)).shape
        (18,)
    """

    p: float = 0.5
    realisation: int = 0
    lattice: str = "square"

    name: ClassVar[str] = "plus-minus-j"
    manifold: ClassVar[str] = "real"
    symmetry: ClassVar[str] = "Z2"
    order: ClassVar[str] = "depends on p"
    updates: ClassVar[tuple[str, ...]] = (*_LOCAL, *_CLUSTERS)
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.int8)
    known_transition: ClassVar[Known | None] = None

    def __post_init__(self) -> None:
        plain_numbers(self)
        check_lattice(self.lattice)
        _check_real("p", self.p)
        if not 0 <= self.p <= 1:
            raise InputError(f"`p` is {self.p!r}; expected a probability, from 0 to 1.")
        if type(self.realisation) is not int or self.realisation < 0:
            raise InputError(
                f"`realisation` is {self.realisation!r}; expected an integer of at least 0."
            )

    def couplings(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """J_ij, +1 or -1, of the lattice's ``bonds`` in their order."""
        return _couplings(self.p, self.realisation, self.lattice, tuple(shape))

    def energy(self, configurations: Array) -> Array:
        """Total energy, shape (*batch,), of spins (*batch, *shape); see `Ising.energy`."""
        check_field("configurations", configurations, n_axes=n_axes(self.lattice))
        J = self.couplings(tuple(configurations.shape[-n_axes(self.lattice) :]))
        total: Array = _energy(configurations, self.lattice, 1.0, 0.0, J)
        return total

    def ordered(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """All spins up, int8."""
        return np.ones(shape, np.int8)

    def random_state(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        """Independent fair spins, int8."""
        return Ising().random_state(shape, rng)

    def sample(
        self,
        spins: NDArray[Any],
        temperature: float,
        rounds: int,
        samples: int,
        rng: np.random.Generator,
        update: str = "metropolis",
    ) -> tuple[NDArray[Any], int]:
        """Samples (n, *shape) int8, each after ``rounds`` sweeps; ``spins`` is changed in place."""
        check_update(update, self.updates)
        lattice = lattice_of(self.lattice, spins.shape)
        J = self.couplings(spins.shape)
        tables = _tables(1.0, 0.0)._replace(coupling=J[lattice.bond_numbers])
        return _sample(tables, self.lattice, spins, temperature, rounds, samples, rng, update)


def _check_real(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"`{name}` is {value!r}; expected a finite number.")


def _tables(J: float, field: float) -> Tables:
    s = np.array([-1.0, 1.0])
    return Tables(-J * s[:, None] * s, -field * s, _INVOLUTION)


def _sample(
    tables: Tables, lattice: str, spins: NDArray[Any], temperature: float, rounds: int,
    samples: int, rng: np.random.Generator, update: str,
) -> tuple[NDArray[Any], int]:  # fmt: skip
    state = (spins > 0).astype(np.int8)
    out, visited = sample_states(
        tables, lattice_of(lattice, spins.shape), state, temperature, rounds, samples, rng, update
    )
    spins[...] = 2 * state - 1
    return 2 * out - np.int8(1), visited


def _energy(
    s: Any,  # noqa: ANN401
    lattice: str,
    J: float,
    field: float,
    couplings: NDArray[np.float64] | None,
) -> Any:  # noqa: ANN401
    check_field("configurations", s, n_axes=n_axes(lattice))
    axes = tuple(range(-n_axes(lattice), 0))
    xp = namespace(s)
    bonds: Any = 0
    for kind, (a, b) in enumerate(pairs(s, lattice)):
        product = a * b
        if couplings is not None:
            of_kind = couplings.reshape(*a.shape[s.ndim - len(axes) :], -1)[..., kind]
            where = {} if xp is np else {"device": s.device}
            product = product * xp.asarray(of_kind, dtype=product.dtype, **where)
        bonds = bonds + product  # within int8: at most 4
    total = -J * bonds.sum(axes if lattice != "honeycomb" else axes[1:], dtype=xp.float64)
    if field:
        total = total - field * s.sum(axes, dtype=xp.float64)
    return cast_like(total, s)


@lru_cache(maxsize=16)
def _couplings(
    p: float, realisation: int, lattice: str, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    rng = np.random.default_rng(np.random.SeedSequence(realisation, spawn_key=shape))
    drawn = rng.random(len(lattice_of(lattice, shape).bonds))
    J = np.where(drawn < p, -1.0, 1.0)
    J.flags.writeable = False
    return J
