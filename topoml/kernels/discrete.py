"""Updates of spins with q states and energies of pairs, on any lattice.

A state is a number 0 to q - 1. The energy over the temperature is the sum of coupling * bond[k, l]
over the bonds, between states k and l, and of field[k] over the sites. ``neighbours`` (sites, z)
and ``coupling`` (sites, z) go by the slots of a site; every bond stands in the table twice, once
from either end, and a bond of a site to itself in two slots of its own.

An involution is a permutation of the states that is its own inverse and leaves ``bond`` as it is.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .xoshiro import uniform

__all__ = ["heat_bath", "metropolis", "potts_swendsen_wang", "swendsen_wang", "wolff"]

EVEN = 1e-12  # energies over T that differ by less are equal but for roundings

States = NDArray[np.int8]
Table = NDArray[np.int32]
Reals = NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh(
    site: int, state: States, neighbours: Table, coupling: Reals, bond: Reals, field: Reals,
    energy: Reals,
) -> None:  # fmt: skip
    """The energy of each state of a site, the others as they are."""
    q = field.size
    for k in range(q):
        energy[k] = field[k]
    for slot in range(neighbours.shape[1]):
        other = neighbours[site, slot]
        if other == site:  # in two slots, each of which is half of the bond
            for k in range(q):
                energy[k] += 0.5 * coupling[site, slot] * bond[k, k]
        else:
            there = state[other]
            for k in range(q):
                energy[k] += coupling[site, slot] * bond[k, there]


@njit(cache=True, nogil=True, error_model="numpy")
def metropolis(
    state: States, neighbours: Table, coupling: Reals, bond: Reals, field: Reals, n_sweeps: int,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Sweeps over the sites in their order; each is offered one of the other states.

    One of the same energy is taken with probability 1/2: always, and a chain of Ising spins would
    never reach some of its states.

    Shapes:  state (sites,), changed in place.
    Source:  Metropolis et al., J. Chem. Phys. 21, 1087 (1953).
    """
    q = field.size
    for _ in range(n_sweeps):
        for site in range(state.size):
            old = state[site]
            new = old + 1 if q == 2 else old + 1 + int(rng.random() * (q - 1))
            new = new - q if new >= q else new
            change = field[new] - field[old]
            for slot in range(neighbours.shape[1]):
                other, J = neighbours[site, slot], coupling[site, slot]
                if other == site:
                    change += 0.5 * J * (bond[new, new] - bond[old, old])
                else:
                    change += J * (bond[new, state[other]] - bond[old, state[other]])
            if change < -EVEN or rng.random() < (0.5 if change < EVEN else math.exp(-change)):
                state[site] = new


@njit(cache=True, nogil=True, error_model="numpy")
def heat_bath(
    state: States, neighbours: Table, coupling: Reals, bond: Reals, field: Reals, n_sweeps: int,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Sweeps over the sites in their order; each draws a state from its local Boltzmann law.

    Shapes:  state (sites,), changed in place.
    """
    q = field.size
    energy = np.empty(q)
    for _ in range(n_sweeps):
        for site in range(state.size):
            _weigh(site, state, neighbours, coupling, bond, field, energy)
            least = energy.min()
            total = 0.0
            for k in range(q):
                total += math.exp(least - energy[k])
                energy[k] = total
            drawn = rng.random() * total
            k = 0
            while k < q - 1 and energy[k] <= drawn:
                k += 1
            state[site] = k


@njit(cache=True, nogil=True, error_model="numpy")
def wolff(
    state: States, neighbours: Table, coupling: Reals, bond: Reals, involutions: NDArray[np.int8],
    n_clusters: int, stack: Table, rng: np.random.Generator,
) -> int:  # fmt: skip
    """Apply ``n_clusters`` Wolff clusters, each by one of the involutions that move its seed.

    A bond joins the cluster with probability 1 - exp(min(0, E - E')), E' its energy over T with one
    end moved. A seed that no involution moves is a cluster by itself, as it is.

    Shapes:  state (sites,), changed in place · involutions (n, q) · stack (sites + 1,).
    Returns: the number of sites in clusters.
    Source:  Wolff, Phys. Rev. Lett. 62, 361 (1989); Potts: Wolff, Phys. Lett. B 228, 379 (1989).
    """
    flipped = 0
    cluster = np.zeros(state.size, np.int32)  # the last one that a site was in
    for number in range(1, n_clusters + 1):
        site = int(rng.random() * state.size)
        moving = 0
        for r in range(involutions.shape[0]):
            moving += involutions[r, state[site]] != state[site]
        if moving == 0:
            flipped += 1
            continue
        left = int(rng.random() * moving)
        r = -1
        while left >= 0:
            r += 1
            left -= involutions[r, state[site]] != state[site]
        image = involutions[r]
        state[site] = image[state[site]]
        cluster[site] = number
        stack[0] = site
        top = 1
        while top > 0:
            top -= 1
            flipped += 1
            site = stack[top]
            new = state[site]
            old = image[new]
            for slot in range(neighbours.shape[1]):
                other = neighbours[site, slot]
                there = state[other]
                if cluster[other] == number:
                    continue
                gain = coupling[site, slot] * (bond[new, there] - bond[old, there])
                if gain > 0.0 and rng.random() >= math.exp(-gain):
                    state[other] = image[there]
                    cluster[other] = number
                    stack[top] = other
                    top += 1
    return flipped


@njit(cache=True, nogil=True, error_model="numpy")
def _root(parent: Table, site: int) -> int:
    while parent[site] != site:
        parent[site] = parent[parent[site]]
        site = parent[site]
    return site


@njit(cache=True, nogil=True, error_model="numpy")
def swendsen_wang(
    state: States, neighbours: Table, coupling: Reals, bond: Reals, involutions: NDArray[np.int8],
    n_sweeps: int, parent: Table, rng: np.random.Generator,
) -> None:  # fmt: skip
    """Cut the lattice into clusters, of which each is moved or not, with probability 1/2.

    All of a sweep by one involution, drawn anew for each; bonds join as in `wolff`.

    Shapes:  state (sites,), changed in place · parent (sites,), of any content.
    Source:  Swendsen & Wang, Phys. Rev. Lett. 58, 86 (1987).
    """
    for _ in range(n_sweeps):
        image = involutions[int(rng.random() * involutions.shape[0])]
        for site in range(state.size):
            parent[site] = site
        for site in range(state.size):
            old = state[site]
            for slot in range(neighbours.shape[1]):
                other = neighbours[site, slot]
                if other <= site:  # each bond from its lower end
                    continue
                gain = coupling[site, slot] * (
                    bond[image[old], state[other]] - bond[old, state[other]]
                )
                if gain > 0.0 and rng.random() >= math.exp(-gain):
                    parent[_root(parent, other)] = _root(parent, site)
        for site in range(state.size):
            if parent[site] == site:  # a root: mark it by what its cluster does
                parent[site] = site if rng.random() < 0.5 else -1 - site
        for site in range(state.size):
            at = site
            while parent[at] >= 0 and parent[at] != at:
                at = parent[at]
            if parent[at] < 0:
                state[site] = image[state[site]]


@njit(cache=True, nogil=True, error_model="numpy")
def potts_swendsen_wang(
    state: States, bonds: Table, p: float, q: int, n_sweeps: int, parent: Table,
    s: NDArray[np.uint64],
) -> None:  # fmt: skip
    """Join equal neighbours with probability p = 1 - exp(-J / T); each cluster draws one state.

    Not checked here: states from 0 to q - 1, sites within the arrays, 0 <= p <= 1.

    Shapes:  state (sites,), changed in place · bonds (n, 2), each once · parent (sites,), of any
             content · s (4,), of `xoshiro.draw`, changed in place
    Source:  Swendsen & Wang, Phys. Rev. Lett. 58, 86 (1987).
    """
    for _ in range(n_sweeps):
        for site in range(state.size):
            parent[site] = site
        for bond in range(bonds.shape[0]):
            a, b = bonds[bond, 0], bonds[bond, 1]
            if state[a] == state[b] and uniform(s) < p:
                a, b = _root(parent, a), _root(parent, b)
                if a < b:  # the root of a cluster is its first site
                    parent[b] = a
                else:
                    parent[a] = b
        for site in range(state.size):
            first = parent[site]  # the site itself, or one that has its new state already
            state[site] = int(uniform(s) * q) if first == site else state[first]
