"""Planar spins against exact values at small errors; about 4 minutes of one core.

    pytest tests/lattice/test_long_xy.py --long -n 0

Energies and helicity moduli to 1e-3 of their value, specific heats to 1e-2, and no further from the
exact value than four standard errors, which come from the scatter of 64 independent chains.
"""

import math

import numpy as np
import pytest
from scipy.special import iv

from topoml.lattice import (
    XY,
    ConstrainedXY,
    FullyFrustratedXY,
    GeneralizedXY,
    Villain,
    helicity_terms,
    simulate,
)

from . import angle_oracles as oracles
from .oracles import XY_TORI

pytestmark = pytest.mark.long
N_CHAINS = 64
# rows of `XY_TORI` that end in a truncated sum, in the energy and, to its digits, the others
TRUNCATION = {(4, 0.8929): (3e-5, 5e-5, 1e-5)}


def agrees(per_chain, exact, precision, truncation=0.0):
    """The mean over chains has an error of at most ``precision`` and is within four of it."""
    error = np.std(per_chain, ddof=1) / math.sqrt(len(per_chain))
    assert error <= precision * abs(exact)
    assert abs(np.mean(per_chain) - exact) < 4 * math.hypot(error, truncation)


def chains(model, size, temperature, samples, seed, update=None):
    """Configurations (chain, sample, ...) in float64, and energies per site."""
    e = simulate(model, sizes=[size], temperatures=[temperature], samples=samples,
                 n_chains=N_CHAINS, seed=seed, update=update)  # fmt: skip
    energy = e.energy(size=size, temperature=temperature)
    return e.configurations(size=size, temperature=temperature), energy


@pytest.mark.parametrize("update", XY().updates)
@pytest.mark.parametrize(("size", "t"), XY_TORI)
def test_xy_tori(size, t, update):
    energy, heat, stiffness = XY_TORI[size, t]
    of_energy, of_heat, of_stiffness = TRUNCATION.get((size, t), (1e-8, 5e-6, 1e-8))
    samples = 2_560_000 if update in ("metropolis", "heat bath") else 960_000
    x, e = chains(XY(), size, t, samples, 21, update)
    n = size * size
    agrees(e.mean(1), energy, 1e-3, of_energy)
    agrees(n * ((e - energy) ** 2).mean(1) / t**2, heat, 1e-2, of_heat)
    c, s = helicity_terms(x)
    modulus = c.mean(1, dtype=np.float64) - s.mean(1, dtype=np.float64) / t
    agrees(modulus, stiffness, 1e-3, of_stiffness)


@pytest.mark.parametrize("update", ["wolff", "over-relaxation"])
def test_long_chain(update):
    """<cos> = I_1 / I_0 but for (I_1 / I_0)^64."""
    t = 0.8
    _, e = chains(XY(lattice="chain"), 64, t, 64_000, 22, update)
    agrees(e.mean(1), -iv(1, 1 / t) / iv(0, 1 / t), 1e-3)


def test_low_temperature():
    """e = -2 + (T / 2) (1 - 1 / N) + T^2 / 16, spin waves; T^3 / 50 is left for what follows."""
    _, e = chains(XY(), 16, 0.1, 64_000, 23)
    agrees(e.mean(1), -2 + 0.05 * (1 - 1 / 256) + 0.01 / 16, 1e-3, 2e-5)


@pytest.mark.parametrize(
    ("model", "shape", "t"),
    [
        (XY(lattice="triangular"), (2, 2), 1.5),
        (XY(-1.0, "triangular"), (2, 2), 0.5),
        (GeneralizedXY(0.15), (2, 2), 0.331),
        (GeneralizedXY(0.4, q=3), (2, 2), 0.7),
    ],
)
def test_quadrature(model, shape, t):
    """2 x 2 sites: energy to 1e-3, its variance to 1e-2."""
    if isinstance(model, XY):
        of_bond = oracles.cosine(model.J)
    else:
        of_bond = oracles.generalized(model.delta, model.q)
    bonds = oracles.bonds(model.lattice, shape)
    mean, variance = oracles.Small(bonds, lambda d: -of_bond(d) / t, 128).moments(of_bond)
    for update in model.updates:
        _, e = chains(model, 2, t, 3_200_000, 24, update)
        agrees(4 * e.mean(1), mean, 1e-3)
        agrees(((4 * e - mean) ** 2).mean(1), variance, 1e-2)


def test_villain():
    """2 x 2 sites: energy, -d ln Z / d(1/T), to 2e-3, and the heat capacity to 1e-2.

    The energy depends on beta = 1 / T, so that d^2 ln Z / d beta^2 = var E - <dE / d beta>.
    """
    model, t, h = Villain(), 1 / 0.7515, 1e-3
    log_z = [oracles.villain("square", (2, 2), 1 / t + k * h, 48).log_z for k in (-2, -1, 0, 1, 2)]
    energy = -(log_z[0] - 8 * log_z[1] + 8 * log_z[3] - log_z[4]) / (12 * h)
    second = -(log_z[0] - 16 * log_z[1] + 30 * log_z[2] - 16 * log_z[3] + log_z[4]) / (12 * h * h)
    for update in model.updates:
        x, e = chains(model, 2, t, 3_200_000, 25, update)
        agrees(4 * e.mean(1), energy, 2e-3)
        x = x[:, ::16].astype(np.float64)
        low, high = (model.energy(x, temperature=1 / (1 / t + s)) for s in (-1e-4, 1e-4))
        slope = (high - low) / 2e-4
        agrees(((4 * e - energy) ** 2).mean(1) - slope.mean(1), second, 1e-2)


def test_fully_frustrated():
    """2 x 2 sites, and the ground state of the flux: -sqrt(2) a site."""
    bonds = [(0, 2), (2, 0), (1, 3), (3, 1), (0, 1), (1, 0), (2, 3), (3, 2)]
    phase = np.array([0, 0, np.pi, np.pi, 0, 0, 0, 0])
    t = 0.45
    mean, variance = oracles.Small(bonds, lambda d: np.cos(d) / t, 64, phase).moments(
        oracles.cosine()
    )
    for update in FullyFrustratedXY.updates:
        _, e = chains(FullyFrustratedXY(), 2, t, 640_000, 26, update)
        agrees(4 * e.mean(1), mean, 1e-3)
        agrees(((4 * e - mean) ** 2).mean(1), variance, 1e-2)
    _, e = chains(FullyFrustratedXY(), 8, 1e-3, 6400, 27)
    agrees(e.mean(1), -math.sqrt(2.0) + 1e-3 / 2 * (1 - 1 / 64), 1e-3, 1e-5)


def constrained_by_rejection(delta, n_draws, rng):
    """Angles (n, 3, 3) of which all 18 bonds are within delta, uniform.

    Those of a tree of 8 bonds are drawn there; what the other 10 forbid is left out.
    """
    step = rng.uniform(-delta, delta, (n_draws, 3, 3))
    theta = np.cumsum(step, axis=1)
    theta[:, :, 1:] = theta[:, :, :1] + np.cumsum(step[:, :, 1:], axis=2)
    for axis in (1, 2):
        d = oracles.wrapped(theta - np.roll(theta, 1, axis))
        theta = theta[(np.abs(d) <= delta).all((1, 2))]
    return theta


def bonds_and_vortices(theta):
    """Of angles (n, 3, 3) the means of the cosines of bonds and of second neighbours, and of the
    share of plaquettes with a vortex."""
    d = [oracles.wrapped(np.roll(theta, -1, axis) - theta) for axis in (1, 2)]
    around = d[0] + np.roll(d[1], -1, 1) - np.roll(d[0], -1, 2) - d[1]
    second = theta - np.roll(theta, (1, 1), (1, 2))
    every = np.cos(d[0]), np.cos(d[1]), np.cos(second), np.abs(around) > np.pi
    return np.array([x.mean() for x in every])


def settled(found, exact, precisions):
    """Whether both agree, (chain, number) each, of enough precision."""
    errors = [x.std(0, ddof=1) / math.sqrt(len(x)) for x in (found, exact)]
    for error in errors:
        assert (error <= precisions * np.abs(exact.mean(0))).all()
    return (np.abs(found.mean(0) - exact.mean(0)) <= 4 * np.hypot(*errors)).all()


@pytest.mark.parametrize("delta", [1.775, 2.2, 2.4])
def test_constrained(delta):
    """3 x 3 sites against rejection; above 2 pi / 3 the angles may wind. 1 % of delta fails."""
    rng, draws = np.random.default_rng(28), []
    while sum(map(len, draws)) < 500_000:
        draws.append(constrained_by_rejection(delta, 500_000, rng))
    parts = np.array_split(np.concatenate(draws), N_CHAINS)
    n = 4 if delta > 2.3 else 3  # vortices are rare below
    exact = np.array([bonds_and_vortices(part) for part in parts])[:, :n]
    precisions = np.array([1e-3, 1e-3, 2e-3, 1e-2])[:n]
    for factor, updates in ((1.0, ConstrainedXY.updates), (1.01, ["metropolis"])):
        for update in updates:
            x, _ = chains(ConstrainedXY(factor * delta), 3, 1.0, N_CHAINS * 40_000, 29, update)
            found = np.array([bonds_and_vortices(one.astype(float)) for one in x])[:, :n]
            assert settled(found, exact, precisions) == (factor == 1.0)
