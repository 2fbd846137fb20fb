"""The sampler contract: fixed work, everything in the state."""

import numpy as np
import pytest

from topoml.lattice import XY, Ising, start, step
from topoml.lattice.chain import blocks, thermalisation

MODELS = [Ising(), XY()]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_blocks_are_steps(model):
    *_, state = thermalisation(start(model, (5, 7), 1.3), np.random.default_rng(0), 3)
    rng, again = np.random.default_rng(1), np.random.default_rng(1)
    together = list(blocks(state, 37, rng))
    one_by_one = []
    for _ in range(37):
        state, info = step(state, again)
        one_by_one.append(info.configuration)
    np.testing.assert_array_equal(np.concatenate([x for _, x in together]), one_by_one)
    np.testing.assert_array_equal(together[-1][0].spins, state.spins)
    assert rng.bit_generator.state == again.bit_generator.state


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_step_leaves_the_state(model):
    state = start(model, (4, 4), 1.0)
    before = state.spins.copy()
    after, info = step(state, np.random.default_rng(0))
    np.testing.assert_array_equal(state.spins, before)
    assert after.rounds == state.rounds
    assert info.configuration.dtype == model.dtype
    assert 1 <= info.flipped <= 16


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
@pytest.mark.parametrize("temperature", [0.1, 1.0, 2.3, 1e6])
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (16, 9)])
def test_a_step_flips_about_every_spin_once(model, temperature, shape):
    rng, n_sites = np.random.default_rng(2), shape[0] * shape[1]
    states = list(thermalisation(start(model, shape, temperature), rng, 100))
    rounds = states[-1].rounds
    assert {state.rounds for state in states[-100:]} == {rounds}  # frozen
    assert 1 <= rounds <= n_sites
    flipped = 0
    for _ in range(200):
        state, info = step(states[-1], rng)
        flipped += info.flipped
        assert state.rounds == rounds
    assert 0.5 < flipped / 200 / n_sites < 2.0


@pytest.mark.parametrize(("model", "temperature"), [(Ising(), 3.0), (Ising(), 5.0), (XY(), 1.3)])
def test_clusters_are_counted_after_the_ordered_start_has_melted(model, temperature):
    """Right at the start a cluster takes nearly all spins; far too few would be asked for."""
    rng = np.random.default_rng(4)
    *_, state = thermalisation(start(model, (64, 64), temperature), rng, 20)
    flipped = 0
    for _ in range(40):
        state, info = step(state, rng)
        flipped += info.flipped
    assert flipped / 40 / 64**2 == pytest.approx(1.0, abs=0.2)
