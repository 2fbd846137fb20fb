"""What the models with a few states a site share: their tables and their updates."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from ..kernels import discrete as kernels
from .geometry import Lattice

__all__ = ["Tables", "check_states", "sample_clusters", "sample_states"]

_MOST = 127  # states, in int8


class Tables(NamedTuple):
    """A model over states 0 to q - 1, see `topoml.kernels.discrete`; energies in units of J.

    Attributes:
        bond: (q, q), the energy of a bond.
        field: (q,), that of a site.
        involutions: (n, q) int8, permutations of the states for cluster updates; none: (0, q).
        coupling: (sites, z), factors of ``bond``; 1 if None.
        clusters_suffice: Whether clusters alone reach every configuration; else a sweep of heat
            bath follows them.
    """

    bond: NDArray[np.float64]
    field: NDArray[np.float64]
    involutions: NDArray[np.int8]
    coupling: NDArray[np.float64] | None = None
    clusters_suffice: bool = True


def sample_states(
    tables: Tables,
    lattice: Lattice,
    state: NDArray[np.int8],
    temperature: float,
    rounds: int,
    samples: int,
    rng: np.random.Generator,
    update: str,
) -> tuple[NDArray[np.int8], int]:
    """Samples (n, *shape) and the spins visited; ``state`` is changed in place.

    Updates: "metropolis", "heat bath" and "swendsen-wang" make ``rounds`` sweeps a sample, "wolff"
    so many clusters. The last two are followed by a sweep of heat bath where they do not suffice.
    """
    flat, neighbours = state.reshape(-1), lattice.neighbours
    coupling = np.ones(neighbours.shape) if tables.coupling is None else tables.coupling
    bond, field = tables.bond / temperature, tables.field / temperature
    common = flat, neighbours, coupling, bond
    scratch = np.empty(flat.size + 1, np.int32)
    out = np.empty((samples, *state.shape), np.int8)
    visited = 0
    for i in range(samples):
        if update == "metropolis":
            kernels.metropolis(*common, field, rounds, rng)
            visited += flat.size * rounds
        elif update == "heat bath":
            kernels.heat_bath(*common, field, rounds, rng)
            visited += flat.size * rounds
        elif update == "wolff":
            visited += kernels.wolff(*common, tables.involutions, rounds, scratch, rng)
        else:
            kernels.swendsen_wang(*common, tables.involutions, rounds, scratch, rng)
            visited += flat.size * rounds
        if update in ("wolff", "swendsen-wang") and not tables.clusters_suffice:
            kernels.heat_bath(*common, field, 1, rng)
        out[i] = state
    return out, visited


def sample_clusters(
    lattice: Lattice, state: NDArray[np.int8], p: float, q: int, rounds: int, samples: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int8], int]:  # fmt: skip
    """As `sample_states` by "swendsen-wang", where equal neighbours join with probability p.

    Each cluster draws one of the q states.
    """
    flat, parent = state.reshape(-1), np.empty(state.size, np.int32)
    out = np.empty((samples, *state.shape), np.int8)
    for sample in range(samples):
        words = rng.integers(0, 2**64, 4, np.uint64)
        kernels.potts_swendsen_wang(flat, lattice.bonds, p, q, rounds, parent, words)
        out[sample] = state
    return out, state.size * rounds * samples


def check_states(q: Any, least: int = 2) -> None:  # noqa: ANN401
    """A number of states that fits."""
    if type(q) is not int or not least <= q <= _MOST:
        raise InputError(f"`q` is {q!r}; expected an integer from {least} to {_MOST}.")
