"""Stores of any model of the protocol: shapes, dtypes, updates, starts."""

import dataclasses
import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import xarray

import topoml.lattice.store as stores
from topoml._core.errors import InputError
from topoml.lattice import (
    XY,
    Clock,
    CustomModel,
    Ensemble,
    Heisenberg,
    Ising,
    Phi4,
    PlusMinusJ,
    Potts,
    SquareIce,
    SU2Gauge,
    U1Gauge,
    Villain,
    Z2Gauge,
    open_units,
    simulate,
    verify,
)  # fmt: skip
from topoml.lattice.catalogue import known_model, model_key, models, named_model, parameters

from .test_store import snapshot

CASE = {"sizes": [3], "temperatures": [1.5, 0.7], "samples": 14, "seed": 4, "n_chains": 2}


@dataclass(frozen=True)
class Links:
    """Noise on the links of a gauge field, (D, L, ..., L, 2, 2), whose energy is |U|^2."""

    dimension: int = 3
    kind: str = "complex128"

    name: ClassVar[str] = "noise"
    manifold: ClassVar[str] = "SU(2) links"
    symmetry: ClassVar[str] = "none"
    order: ClassVar[str] = "none"
    known_transition: ClassVar[None] = None
    updates: ClassVar[tuple[str, ...]] = ("redraw", "add")
    components: ClassVar[tuple[int, ...]] = (2, 2)

    @property
    def dtype(self):
        return np.dtype(self.kind)

    def shape(self, size):
        return (self.dimension, *[size] * self.dimension)

    def n_sites(self, shape):
        return int(np.prod(shape[1:]))

    def energy(self, configurations):
        axes = tuple(range(-3 - self.dimension, 0))
        return (abs(configurations.astype(complex)) ** 2).sum(axes)

    def ordered(self, shape):
        return np.zeros((*shape, 2, 2), self.dtype)

    def random_state(self, shape, rng):
        return (100 * rng.random((*shape, 2, 2))).astype(self.dtype)

    def sample(self, spins, temperature, rounds, samples, rng, update):
        out = np.empty((samples, *spins.shape), self.dtype)
        for x in out:
            new = (rng.normal(0, temperature, spins.shape) + 10).astype(self.dtype)
            spins[...] = new if update == "redraw" else spins // 2 + new
            x[...] = spins
        return out, spins.size * samples * rounds


QUICK = [
    (Ising(lattice="cubic"), "swendsen-wang", "random"),
    (Potts(q=4, lattice="triangular"), "wolff", "random"),
    (Links(), "redraw", "ordered"),
    (Links(2, "bool"), "redraw", "random"),
]
SLOW = [
    (Villain(), None, "ordered"),
    (Heisenberg(), None, "ordered"),
    (Ising(), "wolff", "ordered"),
    (Ising(lattice="honeycomb", field=0.3), "heat bath", "ordered"),
    (PlusMinusJ(realisation=3), "metropolis", "random"),
    (Clock(q=5), "metropolis", "ordered"),
    (XY(), "wolff", "random"),
    (Z2Gauge(), None, "random"),
    (SU2Gauge(), None, "ordered"),
    (U1Gauge(dim=2), "hmc", "random"),
    (Links(kind="uint8"), "redraw", "random"),
    (Links(2, "float32"), "redraw", "ordered"),
]
MODELS = [*QUICK, *(pytest.param(*case, marks=pytest.mark.long) for case in SLOW)]


@pytest.mark.parametrize(("model", "update", "start"), MODELS, ids=lambda x: str(x))
def test_bits_are_those_of_memory(model, update, start, tmp_path, monkeypatch):
    n_bytes = 3 * np.prod([*model.shape(3), *model.components]) * model.dtype.itemsize
    monkeypatch.setattr(stores, "_UNIT_BYTES", int(n_bytes))  # 3 samples, so that 7 are 3 units
    update = model.updates[0] if update is None else update
    options = {"update": update, "start": start}
    simulate(model, **CASE, **options, n_jobs=1, store=tmp_path / "s")
    stored = Ensemble.open(tmp_path / "s")
    assert stored.model == (None if isinstance(model, Links) else model)
    memory = simulate(model, **CASE, **options)
    streamed = list(open_units(tmp_path / "s"))
    for size in (3,):
        for t in (0.7, 1.5):
            x, y = (e.configurations(size=size, temperature=t) for e in (stored, memory))
            assert x.dtype == y.dtype == model.dtype
            assert x.shape == (2, 7, *model.shape(size), *model.components)
            np.testing.assert_array_equal(x, y)
            for chain in (0, 1):
                parts = [x for *key, x in streamed if key == [size, t, chain]]
                np.testing.assert_array_equal(np.concatenate(parts), y[chain])
            energy = stored.energy(size=size, temperature=t)
            np.testing.assert_array_equal(energy, memory.energy(size=size, temperature=t))
    assert stored.thinning == memory.thinning
    assert verify(tmp_path / "s", model=model) == ()
    about = json.loads((tmp_path / "s" / "zarr.json").read_text())["attributes"]
    assert (about["update"], about["start"]) == (update, start)
    dataset = xarray.open_zarr(tmp_path / "s", group="L3", consolidated=False)
    np.testing.assert_array_equal(dataset.configurations[1], y)
    expected = magnetisations(model, y)
    assert ("magnetisation" in dataset) == (expected is not None)
    if expected is not None:  # up to the rounding of float32 cosines
        np.testing.assert_allclose(dataset.magnetisation[1], expected, atol=1e-6)


WARM = {"sizes": [4], "temperatures": [3.0], "samples": 16, "seed": 4, "n_chains": 4}
FAMILIES = [
    *((Ising(), None), (Potts(q=3), None), (XY(), None), (Heisenberg(), None)),
    *((SquareIce(), None), (Z2Gauge(), None), (Phi4(kappa=0.2, lam=0.5), None)),
    pytest.param(U1Gauge(dim=2), "hmc", marks=pytest.mark.long),
]
each_family = pytest.mark.parametrize(("model", "update"), FAMILIES, ids=str)


@each_family
def test_bits_do_not_depend_on_the_number_of_threads(model, update):
    first, *others = [simulate(model, **WARM, update=update, n_jobs=n_jobs) for n_jobs in (1, 2, 4)]
    x = first.configurations(size=4, temperature=3.0)
    assert len(np.unique(x.reshape(16, -1), axis=0)) > 8
    for other in others:
        np.testing.assert_array_equal(other.configurations(size=4, temperature=3.0), x)
    assert [other.thinning for other in others] == [first.thinning] * 2


@pytest.mark.long
@each_family
def test_bytes_do_not_depend_on_the_number_of_processes(model, update, tmp_path, monkeypatch):
    monkeypatch.setattr(stores, "_UNIT_BYTES", 1 << 10)

    def stored(n_jobs):
        path = tmp_path / f"{n_jobs}"
        simulate(model, **WARM, update=update, n_jobs=n_jobs, store=path)
        return snapshot(path)

    first = stored(1)
    assert len(first) > 20
    assert stored(2) == first
    assert stored(4) == first


def magnetisations(model, x):
    """Of configurations (chain, sample, ...) by the definitions; None where there are none."""
    rows = x.reshape(*x.shape[:2], -1)
    if model.manifold == "real":
        return rows.mean(-1, keepdims=True)
    if model.manifold == "circle":
        return np.stack([np.cos(rows).mean(-1), np.sin(rows).mean(-1)], -1)
    if model.manifold == "discrete":
        return np.apply_along_axis(np.bincount, -1, rows, minlength=4) / rows.shape[-1]
    if model.manifold == "sphere":
        return x.reshape(*x.shape[:2], -1, 3).mean(-2)
    return None


def test_functions_are_known_by_their_code(tmp_path):
    """The energy of one's own model may not change between two runs of a store."""

    def energy(x, scale=2.0):
        return scale * (x - x.roll(1, -1)).square()

    def other(x, scale=2.0):
        return scale * (x - x.roll(1, -2)).square()

    def model(function):
        return CustomModel(function, manifold="real", reach=1)

    case = {**CASE, "update": "metropolis", "n_jobs": 1, "store": tmp_path / "s"}
    stored = simulate(model(energy), **case)
    other.__qualname__ = energy.__qualname__
    with pytest.raises(InputError, match=r"`model.function` is '.*energy, code .*'; expected '"):
        simulate(model(other), **case)
    with pytest.raises(InputError, match="as the store has it"):
        Ensemble.open(tmp_path / "s", model=model(other))
    again = Ensemble.open(tmp_path / "s", model=model(energy))
    x, y = (e.energy(size=3, temperature=0.7) for e in (again, stored))
    np.testing.assert_array_equal(x, y)


def test_a_store_of_a_function_opens_without_it(tmp_path):
    model = CustomModel(lambda x: x.square().sum((1, 2)), manifold="real")
    path = tmp_path / "s"
    simulate(model, **CASE, n_jobs=1, store=path)
    opened = Ensemble.open(path)
    assert opened.model is None
    x = opened.configurations(size=3, temperature=0.7).astype(float)
    np.testing.assert_allclose(
        opened.energy(size=3, temperature=0.7), (x**2).mean((2, 3)), rtol=1e-6
    )
    assert verify(path, model=model) == ()
    with pytest.warns(UserWarning, match="model 'custom' is none of topoml's"):
        assert verify(path) == ()
    chunk = path / "L3" / "energy" / "c" / "0" / "1" / "0"
    stores.open_size(path, stores.attributes(path), 3, mode="r+").write(
        "energy", stores.Unit(3, 0, 1, 0), 1.0
    )
    with pytest.warns(UserWarning, match="are not compared"):
        assert verify(path) == ()  # its checksum is right
    assert verify(path, model=model) == (
        f"{chunk.relative_to(path)} is not that of the configurations",
    )
    chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="are not compared"):
        assert "L3/energy/c/0/1/0 is damaged" in verify(path)[0]


NEEDED = {"constrained-xy": {"delta": 1.0}, "generalized-xy": {"delta": 0.3},
          "phi4": {"kappa": 0.2, "lam": 0.5}}  # fmt: skip


@pytest.mark.parametrize(("whole", "real"), [(np.int64, np.float64), (np.int32, np.float32)])
def test_numbers_of_numpy_are_those_of_python(whole, real):
    """As scans over numpy.arange give them: one model, one stream, one store."""
    for name, kind in models().items():
        needed = {"constrained-xy": {"delta": 1.5}, "generalized-xy": {"delta": 0.25},
                  "phi4": {"kappa": 0.25, "lam": 0.5}}  # fmt: skip
        plain = named_model(name, needed.get(name, {}))
        types = {int: whole, float: real}
        fields = {f.name: getattr(plain, f.name) for f in dataclasses.fields(kind) if f.init}
        given = kind(**{k: types.get(type(v), lambda v: v)(v) for k, v in fields.items()})
        assert given == plain
        assert model_key(given) == model_key(plain)
        assert parameters(given) == parameters(plain)
        assert not any(isinstance(v, np.generic) for v in vars(given).values())
    with pytest.raises(InputError, match=r"`q` is 3\.0; expected an integer"):
        Potts(real(3))
    assert Ising(J=np.longdouble(0.2)) == Ising(J=0.2)


def test_every_model_of_topoml_comes_back_from_its_attributes():
    found = models()
    assert {"ising", "xy", "potts", "plus-minus-j", "villain", "phi4", "su2-gauge"} <= set(found)
    assert CustomModel.name not in found
    for name in found:
        model = named_model(name, NEEDED.get(name, {}))
        options = {"update": model.updates[0], "start": "ordered", "thermalisation": 1}
        about = stores.described(model, **{**CASE, "sizes": [4]}, **options)
        assert known_model(about) == known_model(about, model) == model


def test_autocorrelation_time_is_that_of_the_energies(tmp_path):
    """An AR(1) process by its closed form: tau = (1 + r) / (1 - r) / 2 = 1.5 for r = 1/2."""
    case = {"sizes": [1], "temperatures": [1.0], "samples": 40_000, "seed": 1, "n_chains": 4}
    simulate(Walk(), **case, n_jobs=1, store=tmp_path / "s")
    tau = Ensemble.open(tmp_path / "s").autocorrelation_time[1][1.0]
    assert len(tau) == 4
    # the error of one chain by Madras and Sokal, tau sqrt(2 (2 W + 1) / N), W = 4 tau
    error = 1.5 * np.sqrt(2 * (2 * 4 * 1.5 + 1) / 10_000) / 2
    assert abs(np.mean(tau) - 1.5) < 4 * error


@dataclass(frozen=True)
class Walk(Links):
    """One number, which halves and takes a normal one on; its energy is itself."""

    name: ClassVar[str] = "walk"
    components: ClassVar[tuple[int, ...]] = ()
    dtype: ClassVar[np.dtype] = np.dtype("float64")

    def shape(self, size):
        return (size,)

    def n_sites(self, shape):
        return 1

    def energy(self, configurations):
        return configurations[..., 0]

    def ordered(self, shape):
        return np.zeros(shape)

    def sample(self, spins, temperature, rounds, samples, rng, update):
        out = np.empty((samples, 1))
        for x in out:
            spins[...] = spins / 2 + rng.standard_normal()
            x[...] = spins
        return out, samples * rounds
