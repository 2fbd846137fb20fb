"""Same arguments, same bits; quick to stop; clear refusals."""

import functools
import hashlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

import numba
import numpy as np
import pytest

from topoml._core.errors import InputError
from topoml.lattice import XY, CustomModel, Ising, simulate, start
from topoml.lattice.catalogue import model_key, parameters
from topoml.lattice.chain import stream, thermalisation

MODELS = [Ising(), XY(J=0.7)]


def fields(ensemble, size, temperature):
    return ensemble.configurations(size=size, temperature=temperature)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_bits_depend_on_the_arguments_alone(model):
    one = simulate(model, sizes=[6], temperatures=[1.1], samples=24, seed=7, n_chains=4, n_jobs=1)
    many = simulate(
        model, sizes=(8, 6, 3), temperatures=[0.5, 1.1, 2], samples=24, seed=7, n_chains=4, n_jobs=3
    )
    np.testing.assert_array_equal(fields(one, 6, 1.1), fields(many, 6, 1.1))
    assert one.thinning[6][1.1] == many.thinning[6][1.1]
    other = simulate(model, sizes=[6], temperatures=[1.1], samples=24, seed=8, n_chains=4)
    assert (fields(one, 6, 1.1) != fields(other, 6, 1.1)).any()


def test_more_chains_and_samples_continue_the_first():
    few = simulate(Ising(), sizes=[5], temperatures=[2.0], samples=20, seed=1, n_chains=2)
    more = simulate(Ising(), sizes=[5], temperatures=[2.0], samples=90, seed=1, n_chains=3)
    np.testing.assert_array_equal(fields(few, 5, 2.0), fields(more, 5, 2.0)[:2, :10])


def first_draw(seed=0, model=MODELS[0], size=4, temperature=1.0, chain=0, unit=0):
    place = {"size": size, "temperature": temperature, "chain": chain, "unit": unit}
    return stream(seed, model, **place).random()


def test_streams_differ():
    changes = [
        {}, {"seed": 1}, {"size": 5}, {"temperature": np.nextafter(1.0, 2.0)}, {"chain": 1},
        {"unit": 1}, {"model": XY()}, {"model": Ising(field=0.1)}, {"model": Ising(J=2.0)},
        {"model": Ising(lattice="triangular")},
    ]  # fmt: skip
    assert len({first_draw(**change) for change in changes}) == len(changes)
    grid = itertools.product(range(10), range(10), range(10), range(10))
    several = {first_draw(a, size=b + 1, chain=c, unit=d) for a, b, c, d in grid}
    assert len(several) == 10**4


def test_equal_models_share_their_stream():
    assert first_draw(model=Ising(J=1, field=0)) == first_draw(model=Ising(J=1.0, field=0.0))


@dataclass(frozen=True)
class Named:
    b: float
    a: tuple[int, ...]
    name = "named"


def test_key_of_a_stream():
    """By hand: what another program needs to draw the same numbers."""
    digest = hashlib.sha256(b'["named", {"a": [3, 4], "b": 2.5}]').digest()
    words = np.frombuffer(digest[:16], "<u4")
    bits = np.array([1.5], "<f8").view("<u4")
    key = (*map(int, words), 4, int(bits[1]), int(bits[0]), 7, 2)
    expected = np.random.Generator(np.random.PCG64(np.random.SeedSequence(11, spawn_key=key)))
    found = first_draw(11, Named(2.5, (3, 4)), temperature=1.5, chain=7, unit=2)
    assert found == expected.random()


class Wrapped:
    """A model that is no dataclass."""

    def __init__(self, model, name):
        self.model, self.name = model, name

    def __getattr__(self, attribute):
        return getattr(self.model, attribute)


def test_a_model_of_no_dataclass_goes_by_its_name():
    x, y, z = (
        fields(simulate(model, sizes=[4], temperatures=[9.0], samples=8, seed=0), 4, 9.0)
        for model in (Wrapped(Ising(), "one"), Wrapped(Ising(), "another"), Wrapped(Ising(), "one"))
    )
    assert (x != y).any()
    np.testing.assert_array_equal(x, z)
    assert first_draw(model=Wrapped(Ising(), "a")) == first_draw(model=Wrapped(XY(), "a"))


@dataclass(frozen=True)
class Flagged:
    flag: object
    other: object = 0.0
    label: str = field(default="", compare=False)
    name = "flagged"


def test_models_that_are_equal_have_one_key():
    assert Flagged(True) == Flagged(1) == Flagged(1.0)
    assert model_key(Flagged(True)) == model_key(Flagged(1)) == model_key(Flagged(1.0))
    assert model_key(Flagged(2, label="mine")) == model_key(Flagged(2))
    assert model_key(Flagged(object())) == model_key(Flagged(object()))
    assert model_key(Flagged(object(), 1)) != model_key(Flagged(object(), 2))


def coupled(J, table=(1.0,)):
    a = np.array(table)
    return CustomModel(lambda x, b=a: J * b[0] * x.sum(-1), "real", "chain")


def test_stores_know_a_function_by_the_values_it_was_made_with():
    def energy(J, x):
        return J * x.sum(-1)

    def recorded(model):
        return parameters(model)["function"]

    assert recorded(coupled(1.0)) == recorded(coupled(1.0))
    assert recorded(coupled(1.0)) != recorded(coupled(0.2))
    assert recorded(coupled(1.0)) != recorded(coupled(1.0, (2.0,)))
    one, same, other = (
        recorded(CustomModel(functools.partial(energy, J), "real", "chain")) for J in (1, 1, 2)
    )
    assert one == same != other
    compiled = [
        recorded(CustomModel(numba.njit(coupled(J).function), "real", "chain")) for J in (1.0, 0.2)
    ]
    assert compiled[0] != compiled[1]


def test_a_function_that_knows_itself_has_a_digest():
    def energy(x):
        return 0 * x.sum(-1) if x is not None else energy(x)

    assert "code" in parameters(CustomModel(energy, "real", "chain"))["function"]


_OF_AN_ENERGY = """
from topoml.lattice import CustomModel
from topoml.lattice.catalogue import model_key, parameters
def energy(x):
    assert str(x.dtype) in {"torch.float64", "torch.float32", "torch.float16", "torch.int64"}
    return 0 * x.sum(-1)
model = CustomModel(energy, "real", "chain")
print(model_key(model), parameters(model)["function"])
"""


@pytest.mark.slow
def test_all_processes_have_one_key_of_a_function():
    """Python orders the strings of a set anew in each process, unless told."""
    said = [
        subprocess.run(
            [sys.executable, "-c", _OF_AN_ENERGY], env=os.environ | {"PYTHONHASHSEED": str(number)},
            capture_output=True, text=True, check=True,
        ).stdout
        for number in range(2)
    ]  # fmt: skip
    assert said[0].strip()
    assert set(said) == {said[0]}


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_what_comes_out(model):
    e = simulate(model, sizes=[4, 2], temperatures=[3.0, 1], samples=12, seed=0, n_chains=3)
    assert e.sizes == (2, 4)
    assert e.temperatures == e.temperatures_of(2) == (1.0, 3.0)
    x = fields(e, 4, 1.0)
    assert x.shape == (3, 4, 4, 4)
    assert x.dtype == model.dtype
    assert (e.manifold, e.manifold_guessed, e.model, e.seed) == (model.manifold, False, model, 0)
    assert e.version is not None
    energy = e.energy(size=4, temperature=3.0)
    expected = model.energy(fields(e, 4, 3.0)) / 16
    np.testing.assert_allclose(energy, expected, rtol=1e-6)  # float32 sums of 32 bonds
    assert energy.shape == (3, 4)
    assert "sizes=(2, 4), 2 temperatures, 48 samples" in repr(e)
    if model.name == "xy":
        assert np.abs(x).max() <= np.float32(np.pi)


def test_chains_are_independent():
    x = fields(simulate(XY(), sizes=[3], temperatures=[0.5], samples=800, seed=0), 3, 0.5)
    m = np.exp(1j * x).mean((-2, -1))
    correlation = np.corrcoef(m.real) - np.eye(8)
    assert np.abs(correlation).max() < 0.5


def test_keyboard_interrupt_is_heard_at_once():
    pressed = []

    def press():
        pressed.append(time.perf_counter())
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    timer = threading.Timer(0.3, press)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        simulate(Ising(), sizes=[256], temperatures=[2.27, 2.3], samples=8000, seed=0)
    assert time.perf_counter() - pressed[0] < 10.0  # a tenth of a second where nothing else runs
    for thread in threading.enumerate():
        if thread.name.startswith("topoml-simulate"):
            thread.join(30)  # what is in a kernel ends with it
            assert not thread.is_alive()


@dataclass(frozen=True)
class Broken(Ising):
    def sample(self, *args):
        raise ZeroDivisionError("broken")


def test_errors_of_a_model_come_through():
    with pytest.raises(ZeroDivisionError, match="broken"):
        simulate(Broken(), sizes=[4], temperatures=[1.0], samples=8, seed=0)


def test_no_bar_without_a_terminal(capsys):
    simulate(Ising(), sizes=[2], temperatures=[1.0], samples=8, seed=0, progress=True)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"samples": 30}, r"`samples` is 30; .* multiple of n_chains = 8. Use samples=32"),
        ({"samples": 0}, "`samples` is 0; expected an integer of at least 1"),
        ({"samples": 8.0}, "`samples` is 8.0"),
        ({"sizes": []}, "`sizes` is empty"),
        ({"sizes": 4}, r"`sizes` is 4; expected a list of numbers. Use \[4\]"),
        ({"sizes": [4, 4]}, "`sizes` lists 4 twice"),
        ({"sizes": [0]}, "`sizes` is 0; expected an integer of at least 1 and at most 32767"),
        ({"sizes": [True]}, "`sizes` is True"),
        ({"sizes": [40_000]}, "`sizes` is 40000"),
        ({"temperatures": [0.0]}, "`temperatures` holds 0.0"),
        ({"temperatures": [float("nan")]}, "`temperatures` holds nan"),
        ({"temperatures": [float("inf")]}, "`temperatures` holds inf"),
        ({"temperatures": ["2"]}, "`temperatures` holds '2'"),
        ({"temperatures": [10**400]}, "`temperatures` holds 1000"),
        ({"temperatures": [1e-320]}, "`temperatures` holds 1e-320.* whose inverse is finite, too"),
        ({"model": "ising"}, "`model` is 'ising'; expected a model of topoml.lattice"),
        ({"model": Ising}, r"`model` is <class .*Make one: model=Ising\(\)"),
        ({"store": 3}, "`store` is 3; expected the path of a folder"),
        ({"store": ""}, "`store` is ''; expected the path of a folder"),
        ({"store": "a\0b"}, "`store` is .*; expected the path of a folder"),
        ({"temperatures": [np.ones(2)]}, "`temperatures` holds array"),
        ({"temperatures": [1, 1.0]}, "`temperatures` lists 1.0 twice"),
        ({"seed": -1}, "`seed` is -1"),
        ({"n_chains": 0}, "`n_chains` is 0"),
        ({"n_jobs": 0}, "`n_jobs` is 0"),
    ],
)
def test_refusals(wrong, message):
    good = {"model": Ising(), "sizes": [4], "temperatures": [1.0], "samples": 8, "seed": 0}
    with pytest.raises(InputError, match=message) as caught:
        simulate(**good | wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", [Ising, XY], ids=lambda m: m.name)
def test_only_the_ratio_of_coupling_and_temperature_matters(model):
    """Halving J and T leaves the chain as it is, bit for bit: the factor is a power of two."""
    *_, one = thermalisation(start(model(1.0), (6, 6), 1.5), np.random.default_rng(3), 10)
    *_, half = thermalisation(start(model(0.5), (6, 6), 0.75), np.random.default_rng(3), 10)
    np.testing.assert_array_equal(one.spins, half.spins)
