"""Models with a few states a site, on all lattices, by all updates, against full enumeration."""

import math

import numpy as np
import pytest
import torch

from topoml._core.errors import InputError
from topoml.kernels import discrete as kernels
from topoml.lattice import BlumeCapel, Clock, Ising, PlusMinusJ, Potts, simulate, start
from topoml.lattice.chain import blocks, thermalisation
from topoml.lattice.geometry import LATTICES, lattice_of

from . import oracles


def product(J):
    return lambda a, b: -J * a * b


def nothing(s):
    return np.zeros(s.shape)


# model, shape, values of a spin, energy of a bond and of a site, temperature
CASES = {
    "Ising square": (Ising(), (3, 3), (-1, 1), product(1), nothing, 2.5),
    "Ising square odd": (Ising(), (5, 1), (-1, 1), product(1), nothing, 2.0),
    "Ising square doubled": (Ising(), (1, 4), (-1, 1), product(1), nothing, 2.0),
    "Ising chain": (Ising(lattice="chain"), (5,), (-1, 1), product(1), nothing, 1.4),
    "Ising cubic": (Ising(lattice="cubic"), (2, 3, 2), (-1, 1), product(1), nothing, 5.0),
    "Ising hypercubic": (
        Ising(lattice="hypercubic"), (2, 1, 3, 2), (-1, 1), product(1), nothing, 7.0,
    ),
    "Ising triangular": (Ising(lattice="triangular"), (3, 3), (-1, 1), product(1), nothing, 4.0),
    "Ising honeycomb": (Ising(2.0, "honeycomb"), (2, 2, 2), (-1, 1), product(2), nothing, 3.0),
    "Ising antiferromagnet": (
        PlusMinusJ(1.0, lattice="triangular"), (3, 2), (-1, 1), product(-1), nothing, 1.5,
    ),
    "Ising field": (
        Ising(field=0.3), (3, 2), (-1, 1), product(1), lambda s: -0.3 * s, 2.5,
    ),
    "Ising field honeycomb": (
        Ising(lattice="honeycomb", field=-0.4), (1, 3, 2), (-1, 1), product(1),
        lambda s: 0.4 * s, 1.8,
    ),
    "Potts 3": (
        Potts(3), (2, 3), range(3), lambda a, b: -1.0 * (a == b), nothing, 1.1,
    ),
    "Potts 4 triangular": (
        Potts(4, 2.0, "triangular"), (2, 2), range(4), lambda a, b: -2.0 * (a == b), nothing, 4.0,
    ),
    "Potts 3 honeycomb": (
        Potts(3, lattice="honeycomb"), (1, 2, 2), range(3), lambda a, b: -1.0 * (a == b), nothing,
        0.8,
    ),
    "Clock 5": (
        Clock(5), (2, 2), range(5), lambda a, b: -np.cos(2 * np.pi * (a - b) / 5), nothing, 1.0,
    ),
    "Clock 6 chain": (
        Clock(6, lattice="chain"), (4,), range(6),
        lambda a, b: -np.cos(2 * np.pi * (a - b) / 6), nothing, 0.5,
    ),
    "Blume-Capel": (BlumeCapel(0.6), (2, 3), (-1, 0, 1), product(1), lambda s: 0.6 * s**2, 1.2),
    "Blume-Capel honeycomb": (
        BlumeCapel(0.6, lattice="honeycomb"), (1, 2, 2), (-1, 0, 1), product(1),
        lambda s: 0.6 * s**2, 0.9,
    ),
}  # fmt: skip
RUNS = [(name, update) for name, case in CASES.items() for update in case[0].updates]


def chains(model, shape, temperature, update, *, samples, n_chains, seed):
    """Configurations (chain, sample, sites), from random starts."""
    out = []
    for rng in np.random.default_rng(seed).spawn(n_chains):
        state = start(model, shape, temperature, update=update, rng=rng)
        *_, state = thermalisation(state, rng, 10)
        out.append(np.concatenate([block for _, block in blocks(state, samples, rng)]))
    return np.stack(out).reshape(n_chains, samples, -1)


def numbers(x, values):
    """Of configurations, in the order of the enumeration."""
    q, n_sites = len(values), x.shape[-1]
    digits = np.searchsorted(np.array(values), x)
    return digits @ q ** np.arange(n_sites)[::-1]


def deviations(name, x):
    """The worst z of the probability of any configuration, and of any energy."""
    model, shape, values, of_bond, of_site, temperature = CASES[name]
    if isinstance(model, Clock):
        x = np.rint(x * model.q / (2 * np.pi)).astype(int) % model.q
    _, energy, weight = oracles.enumerated(
        model.lattice, shape, values, of_bond, of_site, temperature
    )
    labels = numbers(x, values)
    levels, level = np.unique(energy.round(9), return_inverse=True)
    of_level = np.bincount(level, weight)
    return (
        oracles.worst_z(labels, len(weight), weight),
        oracles.worst_z(level[labels], len(levels), of_level),
    )


@pytest.mark.parametrize(("name", "update"), RUNS)
def test_probability_of_every_configuration(name, update):
    model, shape, *_, temperature = CASES[name]
    seed = [3, RUNS.index((name, update))]
    x = chains(model, shape, temperature, update, samples=200, n_chains=64, seed=seed)
    assert max(deviations(name, x)) < 5


def test_several_sweeps_of_potts_clusters_from_an_ordered_start():
    model, shape, *_, temperature = CASES["Potts 3"]
    x = np.empty((64, 200, 6), np.int8)
    for chain, rng in enumerate(np.random.default_rng(8).spawn(64)):
        spins = model.ordered(shape)
        model.sample(spins, temperature, 20, 1, rng, "swendsen-wang")
        out, visited = model.sample(spins, temperature, 3, 200, rng, "swendsen-wang")
        assert visited == 6 * 3 * 200
        np.testing.assert_array_equal(out[-1], spins)
        x[chain] = out.reshape(200, 6)
    assert max(deviations("Potts 3", x)) < 5


def test_two_sweeps_of_potts_clusters_are_one_after_the_other():
    bonds, parent = lattice_of("square", (8, 8)).bonds, np.empty(64, np.int32)
    once, twice = np.zeros((2, 64), np.int8)
    s = np.arange(1, 5, dtype=np.uint64)
    t = s.copy()
    for _ in range(2):
        kernels.potts_swendsen_wang(once, bonds, 0.3, 3, 1, parent, s)
    kernels.potts_swendsen_wang(twice, bonds, 0.3, 3, 2, parent, t)
    np.testing.assert_array_equal(once, twice)
    assert (once != 0).any()


@pytest.mark.parametrize("name", ["Ising square", "Potts 3", "Blume-Capel"])
def test_the_test_sees_a_temperature_three_percent_off(name):
    model, shape, *_, temperature = CASES[name]
    x = chains(model, shape, 1.03 * temperature, "heat bath", samples=600, n_chains=64, seed=5)
    assert max(deviations(name, x)) > 5


def test_the_test_sees_clusters_that_know_no_field():
    _, shape, *_, temperature = CASES["Ising field"]
    x = chains(Ising(), shape, temperature, "wolff", samples=200, n_chains=64, seed=6)
    assert max(deviations("Ising field", x)) > 5


def test_the_test_sees_a_sample_that_ends_at_a_number_of_flips():
    """Its clusters would do, but the time at which they stop knows them."""
    _, shape, *_, temperature = CASES["Ising square"]
    lattice, out = lattice_of("square", shape), []
    bond = np.array([[-1.0, 1.0], [1.0, -1.0]]) / temperature
    swap, stack = np.array([[1, 0]], np.int8), np.empty(10, np.int32)
    for rng in np.random.default_rng(7).spawn(64):
        state, of_chain = np.zeros(9, np.int8), []
        for _ in range(300):
            flips = 0
            while flips < 9:
                flips += kernels.wolff(
                    state, lattice.neighbours, np.ones((9, 4)), bond, swap, 1, stack, rng
                )
            of_chain.append(2 * state - 1)
        out.append(of_chain)
    assert max(deviations("Ising square", np.array(out))) > 5


@pytest.mark.parametrize("lattice", LATTICES)
@pytest.mark.parametrize("update", PlusMinusJ.updates)
def test_random_bonds(update, lattice):
    shape = {"chain": (5,), "cubic": (2, 2, 2), "hypercubic": (2, 1, 2, 2), "honeycomb": (2, 2, 2)}
    shape = shape.get(lattice, (3, 3))
    model, temperature = PlusMinusJ(0.4, 2, lattice), 2.0
    bonds, J = lattice_of(lattice, shape).bonds, model.couplings(shape)
    assert set(J) == {-1.0, 1.0}
    states = np.array(np.meshgrid(*[(-1, 1)] * math.prod(shape), indexing="ij"))
    states = states.reshape(len(states), -1).T
    energy = -sum(j * states[:, a] * states[:, b] for j, (a, b) in zip(J, bonds, strict=True))
    np.testing.assert_array_equal(model.energy(states.reshape(-1, *shape)), energy)
    weight = np.exp(-(energy - energy.min()) / temperature)
    seed = [9, LATTICES.index(lattice), PlusMinusJ.updates.index(update)]
    x = chains(model, shape, temperature, update, samples=200, n_chains=64, seed=seed)
    labels = numbers(x, (-1, 1))
    assert oracles.worst_z(labels, len(weight), weight / weight.sum()) < 5


def test_bonds_belong_to_the_realisation_and_the_shape():
    J = PlusMinusJ(0.5, 0).couplings((16, 16))
    np.testing.assert_array_equal(J, PlusMinusJ(0.5, 0).couplings((16, 16)))
    assert abs((J < 0).mean() - 0.5) < 5 * 0.5 / math.sqrt(J.size)
    for other in (PlusMinusJ(0.5, 1).couplings((16, 16)), PlusMinusJ(0.5, 0).couplings((8, 32))):
        assert abs((J * other).mean()) < 5 / math.sqrt(J.size)
    assert (PlusMinusJ(0.0).couplings((4, 4)) == 1).all()
    assert (PlusMinusJ(1.0).couplings((4, 4)) == -1).all()


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize("name", CASES)
def test_energy(name, kind):
    model, shape, values, of_bond, of_site, temperature = CASES[name]
    states, energy, _ = oracles.enumerated(
        model.lattice, shape, values, of_bond, of_site, temperature
    )
    x = states.reshape(-1, *shape)
    if isinstance(model, Clock):  # to the last bits of an angle, and in float32
        x = (2 * np.pi / model.q * x).astype(np.float32)
    else:
        x = x.astype(np.int8)
    found = model.energy(kind(x))
    assert type(found) is type(kind(x))
    tolerance = 1e-6 if isinstance(model, Clock) else 1e-12
    np.testing.assert_allclose(found, energy, rtol=tolerance, atol=tolerance)
    assert model.n_sites(shape) == math.prod(shape)


@pytest.mark.parametrize("name", CASES)
def test_states_that_a_chain_can_start_from(name):
    model, shape, values, *_, temperature = CASES[name]
    rng = np.random.default_rng(0)
    drawn = model.random_state((40, *shape[1:]), rng)
    counts = np.unique(drawn, return_counts=True)[1]
    assert len(counts) == len(values)
    assert (abs(counts - drawn.size / len(values)) < 6 * np.sqrt(drawn.size)).all()
    assert len(np.unique(model.ordered(shape))) == 1
    state = start(model, shape, temperature)
    assert state.update == model.updates[0]


@pytest.mark.parametrize("model", [case[0] for case in CASES.values()])
def test_simulation_and_energies(model):
    temperature = 3.0
    e = simulate(
        model, sizes=[3], temperatures=[temperature], samples=4, seed=1, n_chains=2, start="random"
    )
    x = e.configurations(size=3, temperature=temperature)
    assert x.shape == (2, 2, *model.shape(3))
    assert x.dtype == model.dtype
    energy = e.energy(size=3, temperature=temperature)
    expected = model.energy(x.reshape(4, *model.shape(3))) / model.n_sites(model.shape(3))
    np.testing.assert_allclose(energy.ravel(), expected, rtol=1e-6)


def test_exact_temperatures():
    """Of reference tables, ten digits."""
    found = {
        "triangular": Ising(lattice="triangular").known_transition.value,
        "honeycomb": Ising(lattice="honeycomb").known_transition.value,
        "cubic": 1 / Ising(lattice="cubic").known_transition.value,
        "Potts 10": Potts(10).known_transition.value,
        "clock 3": Clock(3).known_transition.value,
        "clock 4": Clock(4).known_transition.value,
    }
    expected = {
        "triangular": 3.6409569065,
        "honeycomb": 1.5186514350,
        "cubic": 0.221654626,
        "Potts 10": 0.7012315679,
        "clock 3": 1.4924592916,
        "clock 4": 1.1345926571,
    }
    assert found == pytest.approx(expected, abs=1e-10)
    for q, value in (
        (2, 1.1345926571),
        (3, 0.9949728611),
        (4, 0.9102392266),
        (5, 0.8515283616),
        (6, 0.8076068036),
        (7, 0.7730589182),
        (8, 0.7449044551),
        (9, 0.7213475204),
    ):
        assert Potts(q, J=2.0).known_transition.value == pytest.approx(2 * value, abs=2e-10)
    assert Ising(lattice="chain").known_transition is None
    assert Ising(lattice="hypercubic").known_transition is None
    assert Ising(field=0.1).known_transition is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Ising(lattice="kagome"), r"^`lattice` is 'kagome'; expected one of 'chain'"),
        (lambda: Ising(field=math.inf), r"^`field` is inf; expected a finite number"),
        (lambda: Potts(1), r"^`q` is 1; expected an integer from 2 to 127"),
        (lambda: Clock(128), r"^`q` is 128; expected an integer from 2 to 127"),
        (lambda: Clock(2.0), r"^`q` is 2.0; expected an integer"),
        (lambda: BlumeCapel(D=math.nan), r"^`D` is nan; expected a finite number"),
        (lambda: PlusMinusJ(p=1.5), r"^`p` is 1.5; expected a probability"),
        (lambda: PlusMinusJ(realisation=-1), r"^`realisation` is -1; expected an integer"),
        (
            lambda: start(Ising(field=1.0), (2, 2), 1.0, update="wolff"),
            r"^`update` is 'wolff'; expected one of 'metropolis', 'heat bath'",
        ),
    ],
)
def test_bad_models(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_exact_energies_of_potts():
    """Of the reference tables."""
    table = {5: 0.0529188, 6: 0.2014641, 7: 0.3532768, 8: 0.4863581, 10: 0.6960494}
    for q, latent in table.items():
        assert Potts(q).latent_heat == pytest.approx(latent, abs=1e-7)
        assert Potts(q, J=3.0).latent_heat == pytest.approx(3 * latent, abs=3e-7)
        assert Potts(q, J=3.0).critical_energy == pytest.approx(-3 * (1 + q**-0.5), abs=1e-12)
    assert [Potts(q).latent_heat for q in (2, 3, 4)] == [0, 0, 0]
    assert Potts(2).critical_energy == pytest.approx(-1 - math.sqrt(2) / 2)  # half of Ising's, -1
    for fact in ("latent_heat", "critical_energy"):
        assert getattr(Potts(5, lattice="triangular"), fact) is None
