"""HMC and phi^4 against exact answers, to 1e-3 of them; two minutes of one core."""

import numpy as np
import pytest
import torch
from scipy.special import iv

from topoml.lattice import Phi4, simulate
from topoml.lattice.hmc import OMELYAN, hmc_start, hmc_step
from topoml.lie import SU

from . import oracles
from .test_hmc import F64, half_trace, rotors, run, su3_log_z, wilson
from .test_phi4 import ladder, moments, ring

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("one_thread")]


def agrees(per_chain, exact, relative=1e-3):
    """Within 4 errors, and these at most ``relative`` of the exact value."""
    per_chain = np.asarray(per_chain, float)
    error = per_chain.std(ddof=1) / np.sqrt(len(per_chain))
    assert error <= relative * abs(exact), error / exact
    return abs(per_chain.mean() - exact) < 4 * error


@pytest.mark.parametrize(("size", "t"), [(2, 0.5), (2, 0.8929), (3, 0.5), (3, 0.8929)])
def test_xy_tori_by_hmc(size, t):
    energy, heat, _ = oracles.XY_TORI[size, t]
    n_sites, n = size * size, 1500
    state = hmc_start(lambda x: rotors(x, 1 / t), torch.zeros(200, size, size, dtype=F64),
                      manifold="circle", step_size=0.25, n_steps=6, jitter=0.2)  # fmt: skip
    state, _, _ = run(state, 80, 100)
    _, fields, d = run(state, 81, n)
    e = t * rotors(torch.stack(fields).flatten(0, 1), 1 / t).reshape(n, 200).numpy()
    assert agrees(e.mean(0) / n_sites, energy)
    heats = ((e - n_sites * energy) ** 2).mean(0) / n_sites / t**2
    assert agrees(heats, heat, 1e-2)
    assert abs(oracles.z_score(torch.exp(-d).mean(0), 1.0)) < 5


@pytest.mark.parametrize("n", [2, 3])
def test_plaquettes_by_hmc(n):
    """Strong field, 2 x 2: the exact values are those of the normal tests, at other couplings."""
    beta, V = {2: 4.0, 3: 6.0}[n], 4

    def log_z(b):
        if n == 3:
            return su3_log_z(b, V, 36, 7)
        return np.log(((2 * iv(np.arange(1, 40), b) / b) ** V).sum())

    exact = (log_z(beta + 1e-4) - log_z(beta - 1e-4)) / 2e-4 / V
    U = SU(n).identity(dtype=torch.complex128).expand({2: 600, 3: 1500}[n], 2, 2, 2, -1, -1)
    state = hmc_start(wilson(beta), U.contiguous(), manifold=f"SU({n}) links", step_size=0.4,
                      n_steps=3, integrator=OMELYAN, jitter=0.2)  # fmt: skip
    state, _, _ = run(state, 82, 30)
    generator, plaquette, area = torch.Generator().manual_seed(83), [], []
    for _ in range(300):
        state, info = hmc_step(state, generator)
        plaquette.append(half_trace(state.field).mean((-2, -1)))
        area.append(torch.exp(-info.delta_h))
    assert agrees(torch.stack(plaquette).mean(0), exact)
    assert abs(oracles.z_score(torch.stack(area).mean(0), 1.0)) < 5


@pytest.mark.parametrize("update", ["wolff", "metropolis"])
def test_phi4_quadrature(update):
    for model, size, t, exact in (
        (Phi4(kappa=0.3, lam=0.5, lattice="chain"), 7, 0.6, ring),
        (Phi4(kappa=0.2, lam=0.5), 2, 1.0, ladder),
    ):
        e = simulate(model, sizes=[size], temperatures=[t], samples=1_600_000, n_chains=32,
                     update=update, seed=84, n_jobs=1)  # fmt: skip
        square, fourth, product = exact(model, size, t)
        action = square + model.lam * (fourth - 2 * square + 1)
        action -= 2 * model.kappa * product * (1 if exact is ring else 2)  # bonds a site
        assert agrees(e.energy(size=size, temperature=t).mean(1), action)
        x = e.configurations(size=size, temperature=t).astype(np.float64)
        for found, value in zip(moments(x, -1), (square, fourth, product), strict=True):
            assert agrees(found, value, 1e-2)


def test_phi4_in_3d_at_its_transition():
    """lambda = 1.1, where corrections to scaling nearly vanish, at 2 kappa_c = 0.3750966(4).

    <m^4> / <m^2>^2 is that of the 3D Ising class at its transition, 1.6036(1) for infinite L; what
    is left at L = 8 is a small part of the 0.6 % asked for, which 2 kappa 0.5 % off misses. Source:
    Hasenbusch, J. Phys. A 32, 4851 (1999), for kappa_c (his beta is 2 kappa); Phys. Rev. B 82,
    174433 (2010), for the ratio.
    """
    ratios = {}
    for off in (0.0, 0.005):
        model = Phi4(kappa=0.3750966 / 2 * (1 - off), lam=1.1, lattice="cubic")
        e = simulate(model, sizes=[8], temperatures=[1.0], samples=256_000, n_chains=32, seed=85,
                     n_jobs=1)  # fmt: skip
        m = e.configurations(size=8, temperature=1.0).mean((2, 3, 4), dtype=np.float64)
        blocks = np.stack([(m**4).mean(1), (m**2).mean(1)])
        left_out = (blocks.sum(1, keepdims=True) - blocks) / 31
        jackknife = left_out[0] / left_out[1] ** 2
        error = np.sqrt(31) * jackknife.std()
        assert error < 0.005
        ratios[off] = jackknife.mean()
        del e
    assert ratios[0.0] == pytest.approx(1.6036, rel=0.006)
    assert ratios[0.005] != pytest.approx(1.6036, rel=0.006)
