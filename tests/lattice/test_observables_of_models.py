"""Observables on what the samplers draw: energies, exact averages and phases that are known."""

import numpy as np
import pytest

from topoml.lattice import (
    FullyFrustratedXY,
    SU2Gauge,
    SU3Gauge,
    U1Gauge,
    Z2Gauge,
    chirality,
    monopole_currents,
    plaquettes,
    polyakov_loops,
    simulate,
    topological_charge,
    wilson_loops,
)
from topoml.phases import gamma


def drawn(model, size, temperature, samples, seed=0):
    e = simulate(model, sizes=[size], temperatures=[temperature], samples=samples, seed=seed)
    return e, e.configurations(size=size, temperature=temperature)


@pytest.mark.parametrize(
    "model", [Z2Gauge(dim=3), U1Gauge(dim=2), U1Gauge(dim=4), SU2Gauge(dim=4), SU3Gauge(dim=3)]
)
def test_plaquettes_are_the_energy(model):
    """The model's own energy per site is minus the sum over planes."""
    e, links = drawn(model, 3, 0.7, 16)
    found = plaquettes(links, dim=model.dim).sum(2).mean(tuple(range(2, 2 + model.dim)))
    expected = e.energy(size=3, temperature=0.7)
    np.testing.assert_allclose(-found, expected, rtol=0, atol=1e-5)  # sums of single precision


def test_charge_and_loops_of_u1_in_two_dimensions():
    """8 x 8 at beta = 1: <Q^2> and the plaquette are known exactly, and loops fall by their area.

    The torus has W(A) = sum_n I_n^(64 - A) I_(n + 1)^A / sum_n I_n^64, which at this size is
    (I_1 / I_0)^A to 1e-10.
    """
    _, links = drawn(U1Gauge(dim=2), 8, 1.0, 16_000)
    squared = gamma(lambda a: a, topological_charge(links).astype(float) ** 2)
    assert abs(squared.value - 2.600719) < 4 * squared.error < 0.4
    plaquette = 0.4463899659
    for r, t in ((1, 1), (1, 2), (2, 2)):
        loop = gamma(lambda a: a, wilson_loops(links, r, t, dim=2).mean((2, 3, 4)))
        assert abs(loop.value - plaquette ** (r * t)) < 4 * loop.error < 0.02


def test_chirality_orders_at_low_temperature():
    """A checkerboard at T = 0.1, from the ordered start; disordered at T = 2 (control)."""
    sign = (-1) ** np.add.outer(np.arange(8), np.arange(8))
    model = FullyFrustratedXY()
    order = []
    for temperature in (0.1, 2.0):
        _, theta = drawn(model, 8, temperature, 400)
        kappa = chirality(theta, model.connection((8, 8)))
        assert set(np.unique(np.abs(kappa))) <= {1, 3}
        assert not kappa.sum((2, 3), dtype=int).any()  # the fluxes of a torus
        order.append(np.abs((sign * kappa).mean((2, 3))).mean())
    assert order[0] == 1.0
    assert order[1] < 0.3


def test_monopoles_condense_at_strong_coupling():
    """4D U(1) on either side of beta = 1.01: many currents and few; conserved in float32, too."""
    density = []
    for beta in (0.8, 1.2):
        _, links = drawn(U1Gauge(dim=4), 4, 1 / beta, 16)
        k = monopole_currents(links).astype(int)
        for mu in range(4):
            assert not k[:, :, mu].sum(tuple(a for a in range(2, 6) if a != 2 + mu)).any()
        assert not sum(np.roll(k[:, :, mu], -1, 2 + mu) - k[:, :, mu] for mu in range(4)).any()
        density.append(np.abs(k).mean())
    assert density[0] > 5 * density[1]


def test_polyakov_loops_at_high_temperature_of_z2():
    """3D Z2 far above beta_c = 0.76: all loops of one sign; far below: of either."""
    mean = []
    for beta in (1.2, 0.3):
        _, links = drawn(Z2Gauge(dim=3), 4, 1 / beta, 64)
        mean.append(np.abs(polyakov_loops(links, dim=3, axis=0).mean((2, 3))).mean())
    assert mean[0] > 0.9
    assert mean[1] < 0.5
