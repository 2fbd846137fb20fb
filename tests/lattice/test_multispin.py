"""64 chains in the bits of words against enumeration, and against one another."""

import math

import numpy as np
import pytest

from topoml._core.errors import InputError
from topoml.kernels import multispin as kernels
from topoml.lattice import Ising, multispin

from . import oracles

SHAPES = [(2, 2), (2, 3), (3, 2), (3, 3), (4, 3)]


def levels_of(shape, temperature):
    """Numbers of (energy, magnetisation) and their exact probabilities."""
    states, energy, weight = oracles.ising(shape, temperature)
    pairs = np.stack([energy, states.sum(1)], 1)
    levels, number = np.unique(pairs, axis=0, return_inverse=True)
    return {tuple(level): i for i, level in enumerate(levels)}, np.bincount(number.ravel(), weight)


def deviation(shape, temperature, e, m):
    number, probability = levels_of(shape, temperature)
    n = math.prod(shape)
    labels = np.array(
        [
            [number[round(a * n), round(b * n)] for a, b in zip(*chain, strict=True)]
            for chain in zip(e, m, strict=True)
        ]
    )
    return oracles.worst_z(labels, len(probability), probability)


@pytest.mark.parametrize("start", ["ordered", "random"])
@pytest.mark.parametrize("temperature", [2.1, oracles.T_ISING, 6.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_probability_of_energy_and_magnetisation(shape, temperature, start):
    seed = SHAPES.index(shape)
    e, m = multispin(shape, temperature, samples=600, seed=seed, discard=1000, start=start)
    assert deviation(shape, temperature, e, m) < 5


def test_the_test_sees_a_temperature_three_percent_off():
    e, m = multispin((3, 3), 1.03 * oracles.T_ISING, samples=3000, seed=3, discard=1000)
    assert deviation((3, 3), oracles.T_ISING, e, m) > 5


def test_counts():
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**64, (5, 7), np.uint64)
    broken, up = np.empty((2, 64), np.int64)
    kernels.count(words, broken, up)
    spins = np.array([[[1 if int(w) >> r & 1 else -1 for w in row] for row in words]
                      for r in range(64)])  # fmt: skip
    np.testing.assert_array_equal(2 * broken - 70, Ising().energy(spins))
    np.testing.assert_array_equal(2 * up - 35, spins.sum((1, 2)))


def test_chains_share_nothing():
    """With common random numbers chains would meet above T_c, and stay together."""
    _, m = multispin((8, 8), 4.0, samples=2000, seed=1, sweeps=5, discard=20)
    r = np.corrcoef(m)[np.triu_indices(64, 1)]
    assert abs(r).max() < 6 / math.sqrt(2000)
    assert abs(r.mean()) < 5 / math.sqrt(2000 * len(r))


def test_same_seed_same_bits():
    a, b, c = (multispin((4, 4), 2.0, samples=50, seed=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert (a[0] != c[0]).any()


def test_discarded_sweeps_are_made():
    a, _ = multispin((16, 16), 5.0, samples=1, seed=0)
    b, _ = multispin((16, 16), 5.0, samples=1, seed=0, discard=40)
    assert a.mean() < b.mean() - 0.1  # from the ground state


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (1, 4)}, r"^`shape` is \(1, 4\); expected two sides, integers of at least 2"),
        ({"shape": (4,)}, r"^`shape` is \(4,\)"),
        ({"temperature": 0.0}, r"^`temperature` is 0.0; expected a finite number above 0"),
        ({"samples": 0}, r"^`samples` is 0; expected an integer of at least 1"),
        ({"sweeps": 0}, r"^`sweeps` is 0"),
        ({"seed": -1}, r"^`seed` is -1"),
        ({"discard": 1.0}, r"^`discard` is 1.0"),
        ({"start": "hot"}, r"^`start` is 'hot'; expected 'ordered' or 'random'"),
    ],
)
def test_bad_arguments(change, message):
    given = {"shape": (4, 4), "temperature": 2.0, "samples": 1, "seed": 0} | change
    with pytest.raises(InputError, match=message):
        multispin(given.pop("shape"), given.pop("temperature"), **given)


def test_shapes_and_temperatures_have_random_numbers_of_their_own(monkeypatch):
    """Of random starts that nothing moves: equal numbers have equal sums of spins."""
    monkeypatch.setattr(kernels, "metropolis", lambda *_: None)
    one, hotter, longer = (
        multispin(shape, T, samples=1, seed=0, start="random")[1]
        for shape, T in (((4, 4), 2.0), ((4, 4), 3.0), ((8, 2), 2.0))
    )
    assert (one != hotter).any()
    assert (one != longer).any()
