"""Updates of U(1) gauge fields, unit complex numbers on the links of a periodic lattice."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "HEAT_BATH",
    "METROPOLIS",
    "REFLECTION",
    "WINDING",
    "staples",
    "sweeps",
    "von_mises",
    "winding",
]

HEAT_BATH, METROPOLIS, REFLECTION, WINDING = range(4)


@njit(cache=True, nogil=True, error_model="numpy")
def staples(
    link: NDArray[np.complex128],
    neighbour: NDArray[np.int32],
    long: NDArray[np.bool_],
    mu: int,
    x: int,
) -> complex:
    """A such that Re(U A) is the sum of the plaquettes of link U = U_mu(x).

    A plaquette that winds around a side of 1 does not depend on the link: it is left out.

    Shapes:  link (D, sites) · neighbour (sites, 2 D), x + nu in column 2 nu and x - nu in 2 nu + 1
             · long (D,), whether the side is above 1
    """
    ahead = neighbour[x, 2 * mu]
    total = 0j
    for nu in range(len(link)):
        if nu != mu and long[nu]:
            above, below = neighbour[x, 2 * nu], neighbour[x, 2 * nu + 1]
            total += link[nu, ahead] * (link[mu, above] * link[nu, x]).conjugate()
            corner = neighbour[below, 2 * mu]
            total += (link[nu, corner] * link[mu, below]).conjugate() * link[nu, below]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def von_mises(k: float, rng: np.random.Generator) -> complex:
    """exp(i phi) with phi of density exp(k cos phi), k >= 0, by rejection from a wrapped Cauchy.

    The rejection is exact for any r > 1 of the envelope; r here is the best one, or near it. What
    is small, 1 - cos phi and r - 1, is computed as such: right at any k.

    Source: Best and Fisher, Appl. Statist. 28, 152 (1979).
    """
    if k < 1e-8:
        phi = 2.0 * math.pi * rng.random()
        return complex(math.cos(phi), math.sin(phi))
    if k < 1e-4:
        excess = 1.0 / k + k - 1.0
    elif k > 1e8:
        excess = 0.5 / k
    else:
        tau = 1.0 + math.sqrt(1.0 + 4.0 * k * k)
        rho = (tau - math.sqrt(2.0 * tau)) / (2.0 * k)
        excess = (1.0 - rho) * (1.0 - rho) / (2.0 * rho)  # r - 1
    while True:
        z = math.cos(math.pi * rng.random())
        versine = excess * (1.0 - z) / (1.0 + excess + z)  # 1 - cos phi
        c = k * (excess + versine)
        if math.log(c / (1.0 - rng.random())) + 1.0 - c >= 0.0:
            sine = math.sqrt(versine * (2.0 - versine))
            return complex(1.0 - versine, sine if rng.random() < 0.5 else -sine)


@njit(cache=True, nogil=True, error_model="numpy")
def winding(
    link: NDArray[np.complex128],
    neighbour: NDArray[np.int32],
    instanton: NDArray[np.complex128],
    beta: float,
    n_trials: int,
    rng: np.random.Generator,
) -> None:
    """``n_trials`` Metropolis trials to multiply all links by ``instanton`` or by its inverse.

    In 2D. Each of its V plaquettes is exp(2 pi i / V), so that the sum over all plaquettes after k
    factors is known from the sum before: the links are multiplied once, by the k reached.

    Shapes:  link (2, sites), changed in place · neighbour (sites, 4) · instanton (2, sites)
    Source:  ours.
    """
    n_sites = link.shape[1]
    total = 0j
    for x in range(n_sites):
        above, ahead = neighbour[x, 2], neighbour[x, 0]
        total += link[0, x] * link[1, ahead] * (link[0, above] * link[1, x]).conjugate()
    quantum = 2.0 * math.pi / n_sites
    size, phase = abs(total), math.atan2(total.imag, total.real)
    charge = 0
    for _ in range(n_trials):
        other = charge + (1 if rng.random() < 0.5 else -1)
        gain = math.cos(phase + quantum * other) - math.cos(phase + quantum * charge)
        if rng.random() < math.exp(min(0.0, beta * size * gain)):
            charge = other
    for mu in range(2):
        for x in range(n_sites):
            factor = instanton[mu, x] if charge > 0 else instanton[mu, x].conjugate()
            for _ in range(abs(charge)):
                link[mu, x] *= factor


@njit(cache=True, nogil=True, error_model="numpy")
def sweeps(
    link: NDArray[np.complex128],
    neighbour: NDArray[np.int32],
    long: NDArray[np.bool_],
    beta: float,
    kinds: NDArray[np.int64],
    instanton: NDArray[np.complex128],
    n_rounds: int,
    out: NDArray[np.complex128],
    rng: np.random.Generator,
) -> int:
    """``n_rounds`` times the updates ``kinds``, in their order, before each sample in ``out``.

    `HEAT_BATH` is a sweep of it, `METROPOLIS` one with uniform new angles, `REFLECTION` one of
    U -> (A^* / |A|)^2 U^*, which keep the energy, `WINDING` eight trials of ``winding``, in 2D.
    Links are brought back to unit length before they are copied.

    Shapes:  link (D, sites), changed in place · neighbour, long as in ``staples`` · instanton as in
             ``winding`` · out (samples, D, sites)
    Returns: the number of links visited.
    Source:  Creutz, Phys. Rev. D 36, 515 (1987), for the reflections.
    """
    n_axes, n_sites = link.shape
    visited = 0
    for sample in range(len(out)):
        for _ in range(n_rounds):
            for kind in kinds:
                visited += link.size
                if kind == WINDING:
                    winding(link, neighbour, instanton, beta, 8, rng)
                    continue
                for mu in range(n_axes):
                    for x in range(n_sites):
                        staple = staples(link, neighbour, long, mu, x)
                        size = abs(staple)
                        if kind == METROPOLIS:
                            new = von_mises(0.0, rng)
                            gain = beta * ((new - link[mu, x]) * staple).real
                            if rng.random() < math.exp(min(0.0, gain)):
                                link[mu, x] = new
                        elif size == 0.0:
                            if kind == HEAT_BATH:
                                link[mu, x] = von_mises(0.0, rng)
                        else:
                            back = staple.conjugate() / size
                            if kind == HEAT_BATH:
                                link[mu, x] = von_mises(beta * size, rng) * back
                            else:
                                link[mu, x] = back * back * link[mu, x].conjugate()
        for mu in range(n_axes):
            for x in range(n_sites):
                link[mu, x] /= abs(link[mu, x])
                out[sample, mu, x] = link[mu, x]
    return visited
