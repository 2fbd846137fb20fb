"""detect from configurations to an answer, or to a reason for none."""

import dataclasses
import json
import math

import numpy as np
import pytest

from topoml._core.errors import InputError
from topoml.lattice import XY, Ising, from_arrays, simulate
from topoml.phases import BlockCrossing, TopologicalStiffness, detect, methods, yardstick
from topoml.phases.observables import Binder, CorrelationLength, Helicity, coarse_grid
from topoml.phases.stiffness import tabulate

T_ISING = 2.269185314213022
T_XY = 0.8929
TEMPERATURES = [1.8, 2.0, 2.1, 2.2, 2.3, 2.4, 2.6, 2.9]


@pytest.fixture(scope="module")
def ising():
    t = TEMPERATURES
    return simulate(Ising(), sizes=[16, 32], temperatures=t, samples=960, n_chains=16, seed=4)


@pytest.fixture(scope="module")
def found(ising):
    return detect(ising, seed=4)


def digits(transition):
    """All numbers of a transition but its curves, exactly."""
    rows = tuple(tuple(row.items()) for row in transition.per_size)
    return (
        transition.estimate, transition.error, transition.reason, transition.method, rows,
        repr(dict(transition.diagnostics)), transition.controls,
    )  # fmt: skip


class TestIsing:
    def test_answer(self, found):
        assert abs(found.estimate - T_ISING) < min(3 * found.error, 0.03 * T_ISING)
        assert 0 < found.error < 0.03 * T_ISING
        assert found.reason is None
        assert found.method.startswith("crossing of the essential H1 birth of blocked fields")
        assert repr(found).startswith(
            f"Transition({found.estimate:.4f} ± {found.error:.4f}, crossing"
        )

    def test_what_comes_with_it(self, ising, found):
        (row,) = found.per_size
        assert row["sizes"] == (16, 32)
        assert row["estimate"] == found.estimate  # one pair is its own limit
        assert row["error"] <= found.error
        for name, curves in found.curves.items():
            assert [c.size for c in curves] == [16, 32], name
            np.testing.assert_array_equal(curves[0].temperature, TEMPERATURES)
        assert [c.passed for c in found.controls][1:] == [True, True]

    def test_yardstick(self, ising, found):
        ruler = found.yardstick
        assert "Binder" in ruler.method
        assert abs(ruler.estimate - T_ISING) < min(4 * ruler.error, 0.05 * T_ISING)
        assert digits(ruler) == digits(yardstick(ising, seed=4))
        assert list(ruler.curves) == ["Binder cumulant"]
        ordered, disordered = ruler.curves["Binder cumulant"][1].value[[0, -1]]
        assert ordered > 0.6 > 0.4 > disordered  # 2/3 and 0 in the limit

    def test_numbers_are_json(self, found):
        for t in (found, found.yardstick):
            parts = (t.estimate, t.error, list(map(dict, t.per_size)), dict(t.diagnostics))
            json.dumps(parts, allow_nan=False)

    def test_same_seed_same_digits(self, ising, found):
        again = detect(ising, seed=4)
        assert digits(again) == digits(found)
        assert digits(again.yardstick) == digits(found.yardstick)
        other = detect(ising, seed=5)
        assert other.estimate == pytest.approx(found.estimate, abs=0.01)  # the data are the same
        assert other.error != found.error

    @pytest.mark.parametrize("broken", ["constant", "noise"])
    def test_the_estimate_does_not_look_at_the_yardstick(self, ising, found, monkeypatch, broken):
        rng = np.random.default_rng(0)
        make = np.ones if broken == "constant" else rng.random
        monkeypatch.setattr(Binder, "columns", lambda self, x: make((len(x), 2)))
        blind = detect(ising, seed=4)
        assert digits(blind) == digits(found)
        assert blind.yardstick.estimate is None
        assert found.yardstick.estimate is not None  # the control

    def test_one_size(self, ising):
        one = detect(dataclasses.replace(ising, data={32: ising.data[32]}))
        for t in (one, one.yardstick):
            assert (t.estimate, t.error) == (None, None)
            assert "a second size, twice as large, is missing" in t.reason
            (row,) = t.per_size
            assert row["sizes"] == (32,)
            assert abs(row["estimate"] - T_ISING) < 0.3
        assert one.controls[0].value is not None  # the classifier needs no second size
        assert repr(one).startswith("Transition(none: one lattice size")

    def test_labels_in_place_of_spins(self, ising, found):
        data = {
            size: {t: ((x + 1) // 2).astype(np.uint8) for t, x in of_size.items()}
            for size, of_size in ising.data.items()
        }
        labels = dataclasses.replace(ising, data=data, manifold="discrete", model=None)
        assert detect(labels, seed=4).estimate == pytest.approx(found.estimate, rel=1e-6)

    def test_without_the_model(self, ising, found):
        assert digits(detect(dataclasses.replace(ising, model=None), seed=4)) == digits(found)

    def test_wide_range_of_temperatures(self):
        """From frozen to hot: cold temperatures, where nothing happens, do not hide the answer."""
        t = [0.3, 0.5, 1.0, 1.5, 2.0, 2.2, 2.25, 2.3, 2.35, 2.5, 3.0, 4.0]
        e = simulate(Ising(), sizes=[16, 32], temperatures=t, samples=640, n_chains=16, seed=0)
        found = detect(e)
        for answer in (found, found.yardstick):
            assert abs(answer.estimate - T_ISING) < min(3 * answer.error, 0.05 * T_ISING)


class TestOtherPeoplesArrays:
    def arrays(self, ensemble):
        rows, temperatures, chains = [], [], []
        for size in ensemble.sizes:
            x = [ensemble.configurations(size=size, temperature=t) for t in TEMPERATURES]
            n_chains, n = x[0].shape[:2]
            rows.append(np.concatenate([c.reshape(-1, size, size) for c in x]))
            temperatures.append(np.repeat(TEMPERATURES, n_chains * n))
            chains.append(np.tile(np.repeat(np.arange(n_chains), n), len(x)))
        return rows, temperatures, chains

    def test_chains(self, ising, found):
        rows, temperatures, chains = self.arrays(ising)
        assert digits(detect(from_arrays(rows, temperatures, chain=chains), seed=4)) == digits(
            found
        )

    def test_rows_in_any_order_of_chains_and_temperatures(self, ising, found):
        rows, temperatures, chains = self.arrays(ising)
        order = np.lexsort((np.arange(len(chains[0])) % 60, temperatures[0], -chains[0]))
        mixed = from_arrays(
            [x[order] for x in rows],
            [t[order] for t in temperatures],
            chain=[c[order] for c in chains],
        )
        assert digits(detect(mixed, seed=4)) == digits(found)

    def test_without_chains(self, ising, found):
        rows, temperatures, _ = self.arrays(ising)
        alone = detect(from_arrays(rows, temperatures), seed=4)
        assert alone.estimate == pytest.approx(found.estimate, abs=0.02)
        assert alone.error != found.error

    def test_independent_rows(self, ising, found):
        """Every row a chain of its own."""
        rows, temperatures, chains = self.arrays(ising)
        own = [np.arange(len(c)) for c in chains]
        alone = detect(from_arrays(rows, temperatures, chain=own), seed=4)
        assert alone.estimate == pytest.approx(found.estimate, abs=0.02)
        assert alone.controls[2].passed is None

    def test_too_few_rows(self, ising):
        rows, temperatures, _ = self.arrays(ising)
        few = [x[::321] for x in rows], [t[::321] for t in temperatures]
        with pytest.raises(InputError, match="expected at least 4 blocks"):
            detect(from_arrays(*few))

    def test_sizes_without_a_grid(self):
        x = [np.ones((40, size, size), int) * [[[-1]]] for size in (9, 14)]
        with pytest.raises(InputError, match="expected a common divisor from 4 to 8"):
            detect(from_arrays(x, [np.repeat([1.0, 2.0], 20)] * 2))


class TestFeatures:
    """Columns of the user's in place of topology."""

    @staticmethod
    def occupied(x):
        """Whether |m| exceeds 0.7 and 0.6: from 1 to 0 about T_c, the steeper the larger L."""
        return np.stack([np.abs(x.mean((1, 2))) > level for level in (0.7, 0.6)], 1)

    def test_crossing(self, ising):
        found = detect(ising, features=self.occupied)
        assert abs(found.estimate - T_ISING) < 0.06 * T_ISING
        assert found.method == "crossing of the feature 0, extrapolated over pairs of sizes"
        assert set(found.curves) == {"feature 0", "feature 1"}
        assert found.yardstick.estimate is not None

    def test_feature_is_the_mean_of_the_callable(self, ising):
        curve = detect(ising, features=self.occupied).curves["feature 1"][0]
        x = ising.configurations(size=16, temperature=2.4).reshape(-1, 16, 16)
        assert curve.value[5] == pytest.approx(self.occupied(x)[:, 1].mean())

    def test_a_torch_function(self, ising):
        import torch

        def features(x):
            return torch.from_numpy(self.occupied(x)).double()

        assert (
            detect(ising, features=features).estimate
            == detect(ising, features=self.occupied).estimate
        )

    def test_features_on_angles(self):
        rng = np.random.default_rng(0)
        x = [rng.uniform(-3, 3, (64, size, size)) for size in (16, 32)]
        e = from_arrays(x, [np.repeat([1.0, 2.0, 3.0, 4.0], 16)] * 2)
        found = detect(e, features=lambda x: np.cos(x).mean((1, 2))[:, None])
        assert found.estimate is None
        assert "crossing of the feature 0" in found.method

    @pytest.mark.parametrize(
        ("features", "words"),
        [
            (lambda x: x.mean((1, 2)), "`features` gives shape"),
            (lambda x: x, "`features` gives shape"),
            (lambda x: np.full((len(x), 1), np.nan), "NaN or infinity"),
        ],
    )
    def test_wrong(self, ising, features, words):
        with pytest.raises(InputError, match=words):
            detect(ising, features=features)

    def test_not_with_a_method(self, ising):
        with pytest.raises(InputError, match="together with `method`"):
            detect(ising, features=self.occupied, method=BlockCrossing())
        both = detect(ising, method=BlockCrossing(features=self.occupied))
        assert both.estimate == detect(ising, features=self.occupied).estimate


@pytest.fixture(scope="module")
def few_fields():
    """A quarter of the Gaussian fields, tabulated once for each table, to save time."""
    tables = {}

    def once(observable, size, *, rng, **options):
        key = (observable, size, *options.items())
        if key not in tables:
            tables[key] = tabulate(observable, size, rng=rng, **options)
        return tables[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "tabulate", once)
        yield TopologicalStiffness(n_fields=1000)


@pytest.fixture(scope="module")
def xy():
    t = [0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0, 1.1, 1.3]
    return simulate(XY(), sizes=[16, 32], temperatures=t, samples=960, n_chains=16, seed=0)


@pytest.fixture(scope="module")
def found_xy(xy, few_fields):
    return detect(xy, method=few_fields)


class TestAngles:
    """The stiffness of the XY model."""

    def test_answer(self, found_xy):
        assert abs(found_xy.estimate - T_XY) < min(4 * found_xy.error, 0.08 * T_XY)
        assert found_xy.error < 0.08 * T_XY
        assert found_xy.method.startswith("topological stiffness from the essential H1 birth")
        assert "helicity modulus" in found_xy.yardstick.method
        assert abs(found_xy.yardstick.estimate - T_XY) < 0.04 * T_XY

    def test_stiffness_is_the_helicity_modulus(self, found_xy):
        """K_eff within 5 errors and 10 % of Upsilon / T, which it never sees."""
        measured = found_xy.curves["K_eff from essential H1 birth"]
        ruler = found_xy.yardstick.curves["helicity modulus / T"]
        for k, y in zip(measured, ruler, strict=True):
            near = (k.temperature > 0.6) & (k.temperature < 1.0)
            off = np.abs(k.value - y.value)[near]
            assert (off < 5 * np.hypot(k.error, y.error)[near]).all()
            assert (off < 0.1 * y.value[near]).all()

    def test_diagnostics(self, found_xy):
        assert found_xy.diagnostics["jump"] == 0.636508
        (drift,) = found_xy.diagnostics["crossings of the raw quantity"]
        assert drift["sizes"] == (16, 32)
        json.dumps(dict(found_xy.diagnostics), allow_nan=False)
        assert [row["sizes"] for row in found_xy.per_size] == [(16,), (32,)]
        # the jump of one size lies above T_BKT
        assert all(row["estimate"] > T_XY for row in found_xy.per_size)

    def test_the_estimate_does_not_look_at_the_yardstick(
        self, xy, found_xy, few_fields, monkeypatch
    ):
        monkeypatch.setattr(Helicity, "columns", lambda self, x: np.ones((len(x), 2)))
        blind = detect(xy, method=few_fields)
        assert digits(blind) == digits(found_xy)
        assert blind.yardstick.estimate != found_xy.yardstick.estimate

    def test_of_an_unknown_coupling(self, xy, found_xy, few_fields):
        """All angles turned and all temperatures in another unit; nobody knows the Hamiltonian."""
        data = {
            size: {2.5 * t: np.angle(np.exp(1j * (x + 1.0))) for t, x in of_size.items()}
            for size, of_size in xy.data.items()
        }
        e = dataclasses.replace(xy, data=data, model=None)
        other = detect(e, method=few_fields)
        assert other.estimate == pytest.approx(2.5 * found_xy.estimate, rel=1e-5)
        assert other.yardstick.method.startswith("correlation length over L")
        assert abs(other.yardstick.estimate - 2.5 * T_XY) < 0.08 * 2.5 * T_XY

    def test_one_size(self, xy, few_fields):
        one = dataclasses.replace(xy, data={32: xy.data[32]})
        alone = detect(one, method=few_fields)
        assert alone.estimate is None
        assert "the stiffness passes 0.6365" in alone.reason
        assert "a second size, twice as large, is missing" in alone.reason
        assert 0.89 < alone.per_size[0]["estimate"] < 1.05

    def test_correlation_length_is_not_looked_at_either(
        self, xy, found_xy, few_fields, monkeypatch
    ):
        monkeypatch.setattr(CorrelationLength, "columns", lambda self, x: np.ones((len(x), 2)))
        e = dataclasses.replace(xy, model=None)
        blind = detect(e, method=few_fields)
        assert blind.estimate == found_xy.estimate


COLD_TO_HOT = np.array([0.05, 0.2, 0.6, 0.8, 0.9, 1.0, 1.2])
N = 80


def white(kind, size, rng):
    shape = (COLD_TO_HOT.size * N, size, size)
    if kind == "signs":
        return rng.choice(np.array([-1, 1]), shape)
    if kind == "labels":
        return rng.integers(0, 3, shape)
    if kind == "angles":
        return rng.uniform(0, 6.28, shape)
    if kind == "normal":
        return rng.standard_normal(shape)
    if kind == "vectors":
        x = rng.standard_normal((*shape, 3))
        return x / np.linalg.norm(x, axis=-1, keepdims=True)
    if kind == "frozen":
        return np.ones(shape, int)
    assert kind == "1D chains"  # rows of independent XY chains: von Mises bonds
    bonds = [rng.vonmises(0, 1 / t, (N, size, size)) for t in COLD_TO_HOT]
    start = rng.uniform(0, 6.28, (shape[0], size, 1))
    return np.angle(np.exp(1j * (np.concatenate(bonds).cumsum(2) + start)))


MANIFOLD = {"normal": "real", "vectors": "sphere"}
KINDS = ["signs", "labels", "normal", "vectors", "frozen", "angles", "1D chains"]


class TestNoTransition:
    def none(self, found):
        assert (found.estimate, found.error) == (None, None)
        assert found.reason
        json.dumps([dict(row) for row in found.per_size], allow_nan=False)

    @pytest.mark.parametrize("kind", KINDS)
    def test_white_noise_and_chains(self, kind, few_fields):
        rng = np.random.default_rng(0)
        e = from_arrays(
            [white(kind, size, rng) for size in (16, 32)], [np.repeat(COLD_TO_HOT, N)] * 2,
            manifold=MANIFOLD.get(kind),
        )  # fmt: skip
        method = few_fields if e.manifold == "circle" else None
        found = detect(e, method=method)
        self.none(found)
        assert found.yardstick.estimate is None

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["signs", "labels", "normal"])
    def test_white_noise_of_many_seeds(self, kind):
        method = BlockCrossing()
        for seed in range(100):
            rng = np.random.default_rng(seed)
            e = from_arrays(
                [white(kind, size, rng) for size in (16, 32)], [np.repeat(COLD_TO_HOT, N)] * 2,
                manifold=MANIFOLD.get(kind),
            )  # fmt: skip
            self.none(method.fit(e).transition_)

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["angles", "1D chains"])
    def test_angles_with_all_gaussian_fields(self, kind):
        rng = np.random.default_rng(1)
        x = [white(kind, size, rng) for size in (16, 32)]
        self.none(detect(from_arrays(x, [np.repeat(COLD_TO_HOT, N)] * 2)))

    @pytest.mark.parametrize(
        "t", [[3.5, 4, 5, 6, 7], [1.0, 1.2, 1.4, 1.6, 1.8], [2.6, 2.8, 3.0, 3.5]]
    )
    def test_ising_away_from_its_transition(self, t):
        e = simulate(Ising(), sizes=[16, 32], temperatures=t, samples=160, seed=0)
        self.none(detect(e))

    @pytest.mark.parametrize("t", [[0.3, 0.4, 0.5, 0.6], [1.5, 2.0, 2.5, 3.0]])
    def test_xy_away_from_its_transition(self, t, few_fields):
        e = simulate(XY(), sizes=[16, 32], temperatures=t, samples=160, seed=0)
        found = detect(e, method=few_fields)
        self.none(found)
        words = "ordered in the whole range" if t[0] < 1 else "no quasi-long-range order"
        assert words in found.reason

    @pytest.mark.parametrize("n", [1, 3])
    @pytest.mark.parametrize("kind", ["signs", "angles"])
    def test_few_temperatures(self, kind, n, few_fields):
        rng = np.random.default_rng(2)
        x = [white(kind, size, rng)[: N * n] for size in (16, 32)]
        e = from_arrays(x, [np.repeat(COLD_TO_HOT[:n], N)] * 2)
        method = few_fields if kind == "angles" else None
        found = detect(e, method=method)
        self.none(found)
        assert "4" in found.reason
        assert "temperatures" in found.reason

    def test_fields_that_vanish(self):
        x = np.zeros((64, 16, 16))
        found = detect(from_arrays(x, np.repeat([1.0, 2.0, 3.0, 4.0], 16), manifold="real"))
        self.none(found)


@pytest.mark.slow
class TestModerateSizes:
    def test_ising(self):
        t = [2.15, 2.2, 2.23, 2.25, 2.27, 2.29, 2.31, 2.34, 2.4]
        e = simulate(Ising(), sizes=[32, 64], temperatures=t, samples=1600, n_chains=16, seed=7)
        found = detect(e, seed=7)
        assert abs(found.estimate - T_ISING) < min(0.02 * T_ISING, 3 * found.error)
        assert found.error < 0.015 * T_ISING
        assert abs(found.yardstick.estimate - T_ISING) < 0.02 * T_ISING
        assert found.controls[1].passed
        assert found.controls[2].passed is not False

    @pytest.mark.long
    def test_xy(self):
        t = np.array([0.8, 0.84, 0.86, 0.88, 0.9, 0.92, 0.94, 0.96, 1.0])
        e = simulate(XY(), sizes=[32, 64], temperatures=t, samples=1600, n_chains=16, seed=0)
        found = detect(e, seed=0)
        assert abs(found.estimate - T_XY) < min(0.04 * T_XY, 3 * found.error)
        assert found.error < 0.04 * T_XY
        assert abs(found.yardstick.estimate - T_XY) < 0.03 * T_XY
        window, shuffled, _ = found.controls
        assert window.passed is False  # the two-window classifier is a thermometer on XY
        assert window.value == pytest.approx(1, abs=0.2)
        assert shuffled.passed

    def test_potts(self):
        """Three states, by heat bath: T_c = 1 / ln(1 + sqrt 3), unknown to the library."""
        t_c = 1 / math.log(1 + math.sqrt(3))
        t = t_c * np.array([0.9, 0.95, 0.98, 1.0, 1.02, 1.05, 1.1])
        rng = np.random.default_rng(0)
        x = [potts(size, t, 16, 20, rng) for size in (16, 32)]
        e = from_arrays(
            [a.reshape(-1, *a.shape[3:]) for a in x], [np.repeat(t, 320)] * 2,
            chain=[np.tile(np.repeat(np.arange(16), 20), t.size)] * 2,
        )  # fmt: skip
        assert e.manifold == "discrete"
        found = detect(e)
        assert abs(found.estimate - t_c) < min(0.03 * t_c, 4 * found.error)


def potts(size, temperatures, n_chains, n, rng):
    """Swendsen and Wang, all temperatures and chains at once: (temperature, chain, n, L, L)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    shape = (len(temperatures), n_chains, size, size)
    x = np.zeros(shape, int)
    site = np.arange(x.size).reshape(shape)
    keep = (1 - np.exp(-1 / np.asarray(temperatures)))[:, None, None, None]
    out = []
    for _ in range(60 + 4 * n):
        ends = []
        for axis in (2, 3):
            bonded = (x == np.roll(x, -1, axis)) & (rng.random(shape) < keep)
            ends.append(np.stack([site[bonded], np.roll(site, -1, axis)[bonded]]))
        a, b = np.concatenate(ends, 1)
        clusters = connected_components(coo_array((np.ones(a.size), (a, b)), (x.size,) * 2), False)
        x = rng.integers(0, 3, clusters[0])[clusters[1]].reshape(shape)
        out.append(x)
    return np.stack(out[60::4], 2)


def test_a_grid_for_the_sizes_of_the_examples():
    assert coarse_grid((16, 32)) == 4


@pytest.mark.parametrize("lattice", ["cubic", "honeycomb", "chain"])
def test_lattices_that_are_not_planar_or_have_two_sites_a_cell(lattice):
    """Blocks of their last two axes would be nonsense."""
    e = simulate(Ising(lattice=lattice), sizes=[8, 16], temperatures=[1.0], samples=8, seed=0)
    with pytest.raises(InputError, match=r"^`ensemble` has fields of shape .*; expected one spin"):
        detect(e)
    with pytest.raises(InputError, match=r"^`ensemble` has fields of shape"):
        yardstick(e)


def test_the_triangular_lattice_is_planar():
    model = Ising(lattice="triangular")
    e = simulate(
        model, sizes=[8, 16], temperatures=np.linspace(3.4, 3.9, 8).round(3), samples=2560,
        seed=0, n_chains=16,
    )  # fmt: skip
    found = yardstick(e)
    assert found.estimate == pytest.approx(model.known_transition.value, rel=0.02)
