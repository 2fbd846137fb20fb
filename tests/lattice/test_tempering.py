"""Parallel tempering against enumeration, where single chains are stuck."""

import sys

import numpy as np
import pytest

from topoml._core.errors import InputError
from topoml.lattice import Clock, Ising, PlusMinusJ, Potts, Villain, simulate, tempering
from topoml.lattice.geometry import lattice_of
from topoml.lattice.tempering import exchange

from . import oracles

pytestmark = pytest.mark.slow  # statistical, or processes

TEMPERATURES = [0.7, 1.0, 1.5, 2.5]
GLASS = PlusMinusJ(0.5, 4)


def glass_levels(size, temperature):
    """Energies of all states, their levels, and the exact probabilities of these."""
    n = size**2
    states = (np.arange(2**n)[:, None] >> np.arange(n)[::-1]) % 2 * 2 - 1
    bonds, J = lattice_of("square", (size, size)).bonds, GLASS.couplings((size, size))
    energy = -sum(j * states[:, a] * states[:, b] for j, (a, b) in zip(J, bonds, strict=True))
    weight = np.exp(-(energy - energy.min()) / temperature)
    levels, level = np.unique(energy, return_inverse=True)
    return levels, np.bincount(level, weight / weight.sum())


def labels_of(ensemble, size, temperature, levels):
    e = ensemble.energy(size=size, temperature=temperature) * size**2
    return np.searchsorted(levels, e.round())


@pytest.fixture(scope="module")
def glass():
    return tempering(
        GLASS, size=4, temperatures=TEMPERATURES, samples=32 * 100, n_chains=32, seed=0, discard=50
    )


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_energies_of_a_glass(glass, temperature):
    levels, probability = glass_levels(4, temperature)
    labels = labels_of(glass.ensemble, 4, temperature, levels)
    assert oracles.worst_z(labels, len(levels), probability) < 5


def test_exchanges_that_do_not_look_at_energies_fail(monkeypatch):
    def any_order(energies, temperatures, first, rng):
        return exchange([0.0] * len(energies), temperatures, first, rng)

    monkeypatch.setattr(sys.modules["topoml.lattice.tempering"], "exchange", any_order)
    wrong = tempering(
        GLASS, size=4, temperatures=TEMPERATURES, samples=32 * 100, n_chains=32, seed=0, discard=50
    )
    levels, probability = glass_levels(4, 1.0)
    assert oracles.worst_z(labels_of(wrong.ensemble, 4, 1.0, levels), len(levels), probability) > 5


def test_it_reaches_what_single_chains_do_not():
    """Magnetisation of a ferromagnet at T = 0.9 by single spins: stuck at its sign from the start.

    The exact mean is 0; with exchanges chains change their sign.
    """
    ladder = [0.9, 1.3, 1.7, 2.2, 3.0]
    mixed = tempering(
        Ising(), size=4, temperatures=ladder, samples=16 * 200, n_chains=16, seed=1, discard=50,
        update="metropolis", start="ordered",
    )  # fmt: skip
    alone = simulate(
        Ising(), sizes=[4], temperatures=[0.9], samples=16 * 200, n_chains=16, seed=1,
        update="metropolis",
    )  # fmt: skip
    m = mixed.ensemble.configurations(size=4, temperature=0.9).mean((1, 2, 3))
    assert abs(oracles.z_score(m, 0.0)) < 5
    assert mixed.round_trips > 16
    assert (alone.configurations(size=4, temperature=0.9).mean((1, 2, 3)) > 0.5).all()


@pytest.mark.parametrize(("model", "q"), [(Potts(3), 3), (Clock(4), 4)])
def test_other_models(model, q):
    t = tempering(
        model, size=2, temperatures=[0.8, 1.2], samples=32 * 200, n_chains=32, seed=2, discard=20
    )
    for temperature in (0.8, 1.2):
        e = t.ensemble.energy(size=2, temperature=temperature) * 4

        def of_bond(a, b):
            return -1.0 * (a == b) if isinstance(model, Potts) else -np.cos(np.pi / 2 * (a - b))

        _, energy, weight = oracles.enumerated(
            "square", (2, 2), range(q), of_bond, lambda s: 0.0 * s, temperature
        )
        assert abs(oracles.z_score(e.mean(1), weight @ energy)) < 5


def test_exchange_by_its_formula():
    """Frequencies of both orders against the Boltzmann weights of two replicas."""
    rng, energies, temperatures = np.random.default_rng(3), [-1.0, -2.0], [2.0, 1.0]
    gain = (1 / 2.0 - 1 / 1.0) * (-1.0 + 2.0)
    made = np.mean([exchange(energies, temperatures, 0, rng) == [1, 0] for _ in range(20_000)])
    assert abs(made - np.exp(gain)) < 5 * 0.5 / np.sqrt(20_000)
    assert exchange([-2.0, -1.0], temperatures, 0, rng) == [1, 0]
    assert exchange([0.0] * 5, [1.0, 2, 3, 4, 5], 1, rng) == [0, 2, 1, 4, 3]


def test_threads_change_nothing():
    def run(n_jobs, temperatures):
        t = tempering(
            Ising(), size=4, temperatures=temperatures, samples=32, seed=5, discard=3,
            n_jobs=n_jobs,
        )  # fmt: skip
        return t.ensemble.configurations(size=4, temperature=2.0), t.acceptance

    one, two = run(1, [2.0, 3.0]), run(4, [3.0, 2.0])
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert one[0].shape == (8, 4, 4, 4)
    assert (run(1, [2.0, 3.0, 3.5])[0] != one[0]).any()  # the sets of temperatures are one chain


def test_models_have_streams_of_their_own():
    """At infinite temperature, where all models have one law."""
    x, y = (
        tempering(
            model, size=4, temperatures=[1e9, 2e9], samples=8, seed=5, discard=0,
            update="heat bath",
        ).ensemble.configurations(size=4, temperature=1e9)
        for model in (Ising(), Ising(field=0.5))
    )  # fmt: skip
    assert (x != y).any()


def test_ladders_have_streams_of_their_own():
    """At infinite temperature, where neither their number nor their values matter to the law."""
    x, y, z = (
        tempering(
            Ising(), size=4, temperatures=ts, samples=8, seed=5, discard=0, update="heat bath",
        ).ensemble.configurations(size=4, temperature=ts[0])
        for ts in ([1e9, 2e9], [3e9, 4e9], [1e9, 4e9])
    )  # fmt: skip
    assert (x != y).any()
    assert (x != z).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperatures": [1.0]}, r"^`temperatures` is \[1.0\]; expected at least two"),
        ({"temperatures": [1.0, 1.0]}, r"^`temperatures` lists 1.0 twice"),
        ({"samples": 9}, r"^`samples` is 9; expected a multiple of n_chains = 8"),
        ({"discard": -1}, r"^`discard` is -1; expected an integer of at least 0"),
        ({"update": "worm"}, r"^`update` is 'worm'; expected one of"),
        ({"start": "cold"}, r"^`start` is 'cold'; expected 'ordered' or 'random'"),
        ({"size": 0}, r"^`size` is 0; expected an integer of at least 1"),
    ],
)
def test_bad_arguments(change, message):
    given = {"size": 4, "temperatures": [1.0, 2.0], "samples": 8, "seed": 0, "discard": 0}
    with pytest.raises(InputError, match=message):
        tempering(Ising(), **(given | change))


def test_models_whose_energy_depends_on_the_temperature():
    with pytest.raises(
        InputError, match=r"^`model` is Villain.*, whose energy depends on the temp"
    ):
        tempering(Villain(), size=4, temperatures=[1.0, 2.0], samples=8, seed=0, discard=0)
