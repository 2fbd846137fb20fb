"""Long runs of gauge fields against exact and published values: some 6 minutes on one core.

Plaquettes to 1e-3 or better, <Q^2> of U(1) in 2D to 1e-2, both within 4 standard errors; errors
from 16 independent chains.
"""

import numpy as np
import pytest
from scipy.special import ive

from topoml.lattice import SU2Gauge, SU3Gauge, U1Gauge, Z2Gauge, simulate, start
from topoml.lattice.chain import blocks

from . import gauge_oracles as exact
from .oracles import z_score

pytestmark = pytest.mark.long


def ensemble(model, size, beta, samples, *, seed, n_chains=16, **options):
    return simulate(
        model, sizes=[size], temperatures=[1 / beta], samples=samples, seed=seed,
        n_chains=n_chains, n_jobs=1, **options,
    )  # fmt: skip


def mean_plaquettes(model, e, size, beta):
    """Of each chain."""
    per_site = model.dim * (model.dim - 1) / 2
    return -e.energy(size=size, temperature=1 / beta).mean(1) / per_site


def relative_error(x, exact):
    return x.std(ddof=1) / np.sqrt(len(x)) / exact


def charges(x):
    """Sum of the plaquette angles in (-pi, pi) / 2 pi, (...), of angles (..., 2, L, L)."""
    a, b = x[..., 0, :, :].astype(float), x[..., 1, :, :].astype(float)
    p = a + np.roll(b, -1, -2) - np.roll(a, -1, -1) - b
    return (p - 2 * np.pi * np.round(p / (2 * np.pi))).sum((-2, -1)) / (2 * np.pi)


# Of an infinite lattice, computed apart from this library, and the oracles' own.
U1 = {1: 0.4463899659, 2: 0.6977746580, 3: 0.8099852940, 5: 0.8933831370, 7: 0.9255322108}
U1_CHARGE = {(1, 8): 2.600719, (2, 8): 1.239299, (5, 16): 1.473487, (7, 16): 1.006414}
SU2 = {2: 0.4331274, 4: 0.6580473}


@pytest.mark.parametrize("beta", U1)
def test_u1_plaquettes_in_2d(beta):
    model = U1Gauge(2)
    e = ensemble(model, 16, beta, 16_000, seed=1)
    found = mean_plaquettes(model, e, 16, beta)
    assert exact.u1_plaquette(beta, 256) == pytest.approx(U1[beta], abs=1e-9)
    assert abs(z_score(found, U1[beta])) < 4
    assert relative_error(found, U1[beta]) < 1e-3


@pytest.mark.parametrize(("beta", "size"), U1_CHARGE)
def test_u1_charge_in_2d(beta, size):
    wanted = U1_CHARGE[beta, size]
    assert exact.u1_charge_squared(beta, size**2) == pytest.approx(wanted, abs=1e-6)
    e = ensemble(U1Gauge(2), size, beta, 80_000, seed=2)
    x = e.configurations(size=size, temperature=1 / beta)
    found = np.array([(charges(chain) ** 2).mean() for chain in x])
    assert abs(z_score(found, wanted)) < 4
    assert relative_error(found, wanted) < 1e-2


@pytest.mark.parametrize("beta", SU2)
def test_su2_plaquettes_in_2d(beta):
    model = SU2Gauge(2)
    e = ensemble(model, 16, beta, 8000, seed=3)
    found = mean_plaquettes(model, e, 16, beta)
    assert exact.su2_plaquette(beta, 256) == pytest.approx(SU2[beta], abs=1e-7)
    assert abs(z_score(found, SU2[beta])) < 4
    assert relative_error(found, SU2[beta]) < 1e-3


@pytest.mark.parametrize("beta", [5.0, 8.0])
def test_su3_plaquettes_in_2d(beta):
    model = SU3Gauge(2)
    e = ensemble(model, 16, beta, 6400, seed=4)
    found, wanted = mean_plaquettes(model, e, 16, beta), exact.su3_plaquette(beta, 256)
    assert abs(z_score(found, wanted)) < 4
    assert relative_error(found, wanted) < 1e-3


@pytest.mark.parametrize("beta", [0.3, 0.38])
def test_z2_in_4d_is_dual_to_itself(beta):
    """E(beta) + E(beta*) / sinh(2 beta) = coth(2 beta), sinh(2 beta) sinh(2 beta*) = 1.

    From Z(beta) proportional to sinh(2 beta)^(plaquettes / 2) Z(beta*), up to sectors of the torus.
    """
    model, size = Z2Gauge(4), 6
    s = np.sinh(2 * beta)
    dual = np.arcsinh(1 / s) / 2
    pair = [mean_plaquettes(model, ensemble(model, size, b, 3200, seed=5), size, b)
            for b in (beta, dual)]  # fmt: skip
    found = pair[0] + pair[1] / s
    assert abs(z_score(found, 1 / np.tanh(2 * beta))) < 4
    assert relative_error(found, 1.0) < 1e-3


def test_z2_in_4d_has_two_phases_at_its_dual_point():
    """Cold and hot starts stay apart there, and their plaquettes add up to sqrt(2)."""
    model, size = Z2Gauge(4), 8
    beta = model.coupling(model.known_transition.value)
    both = {}
    for name in ("ordered", "random"):
        e = ensemble(model, size, beta, 1600, seed=6, start=name)
        both[name] = mean_plaquettes(model, e, size, beta)
    assert both["ordered"].min() > both["random"].max() + 0.2
    found = both["ordered"] + both["random"]
    assert abs(z_score(found, np.sqrt(2))) < 4
    assert relative_error(found, np.sqrt(2)) < 1e-3


@pytest.mark.parametrize("update", ["over-relaxation", "heat bath", "metropolis"])
def test_u1_plaquette_in_4d_by_strong_coupling(update):
    beta, model = 0.4, U1Gauge()
    I0, I1, I2 = ive([0, 1, 2], beta)
    u, du = I1 / I0, (1 + I2 / I0) / 2 - (I1 / I0) ** 2
    wanted = exact.strong_coupling(u, du, 2)
    samples = 6400 if update == "metropolis" else 4800
    e = ensemble(model, 6, beta, samples, seed=7, update=update)
    found = mean_plaquettes(model, e, 6, beta)
    assert relative_error(found, wanted) < 1e-3
    # two cubes side by side, some 120 u^9 du, are 2e-5 of it, a fourth of the error
    assert abs(z_score(found, wanted)) < 4
    assert abs(z_score(found, u)) > 4


def test_su3_plaquette_in_4d():
    """0.593678(24) at beta = 6 on 16^4.

    Source: Boyd et al., Nucl. Phys. B 469, 419 (1996), hep-lat/9602007.
    """
    model, means = SU3Gauge(), []
    for rng in np.random.default_rng(8).spawn(4):
        state = start(model, model.shape(16), 1 / 6.0)
        energies = []
        for _ in range(60):
            ((state, x),) = blocks(state, 1, rng)
            energies.append(model.energy(x.astype(np.complex128))[0])
        means.append(-np.mean(energies[30:]) / (6 * 16**4))
    error = np.hypot(np.std(means, ddof=1) / 2, 24e-6)
    assert error < 1e-3 * 0.593678
    assert abs(np.mean(means) - 0.593678) < 4 * error


@pytest.mark.parametrize(
    ("model", "beta", "of_torus"),
    [
        (U1Gauge, 2.0, exact.u1_plaquette),
        (SU2Gauge, 2.5, exact.su2_plaquette),
        (SU3Gauge, 6.0, exact.su3_plaquette),
    ],
)
def test_hmc(model, beta, of_torus):
    """From the ends of heat baths, so that few trajectories do."""
    own, means = model(2), []
    for rng in np.random.default_rng(11).spawn(8):
        state = own.random_state((2, 2, 2), rng)
        own.sample(state, 1 / beta, 30, 1, rng, "heat bath")
        x, _ = own.sample(state, 1 / beta, 1, 60, rng, "hmc")
        means.append(-own.energy(x).mean() / 4)
        assert (np.abs(np.diff(x, axis=0)).reshape(59, -1).max(1) > 1e-3).mean() > 0.5
    assert abs(z_score(means, of_torus(beta, 4))) < 5
    assert abs(z_score(means, of_torus(2 * beta, 4))) > 5
