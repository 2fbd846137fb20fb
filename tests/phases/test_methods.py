"""From curves to an answer: the parts of the error, the reasons, the estimators' interface."""

import math

import numpy as np
import pytest

from topoml._core.errors import InputError
from topoml.lattice import Ising, from_arrays, simulate
from topoml.phases import BlockCrossing, TopologicalStiffness
from topoml.phases.flow import JUMP, SLOPE
from topoml.phases.methods import blocked, crossing_transition, flow_transition
from topoml.phases.transition import Curve

T = np.array([2.15, 2.2, 2.23, 2.25, 2.27, 2.29, 2.31, 2.34, 2.4])
T_CROSS = 2.27


def measured(size, values, sigma, rng, t=T):
    value = values + sigma * rng.standard_normal(t.size)
    return Curve(size, t, value, value + sigma * rng.standard_normal((100, t.size)))


def crossing_curves(sizes, seed, at=T_CROSS, drift=0.0, sigma=0.005):
    """Straight lines through one point, or crossings of L and 2 L at ``at`` + drift / (2 L^2)."""
    rng = np.random.default_rng(seed)
    # f_L = L (t - at) + g(L) with g(2 L) - g(L) = -drift L / (2 L^2), so that they cross there
    return {
        size: measured(size, size / 16 * (T - at) + drift / size / 16, sigma, rng) for size in sizes
    }


class TestCrossing:
    def test_drift_is_extrapolated(self):
        found = crossing_transition(
            [crossing_curves((16, 32, 64), 0, drift=5.0, sigma=1e-4)], ("q",)
        )
        rows = found.per_size
        assert [row["sizes"] for row in rows] == [(16, 32), (32, 64)]
        for row in rows:
            small = row["sizes"][0]
            assert row["estimate"] == pytest.approx(T_CROSS + 5 / (2 * small**2), abs=5e-4)
            assert row["error"] < 1e-3
        assert found.estimate == pytest.approx(T_CROSS, abs=1e-3)
        assert found.method == "crossing of the q, extrapolated over pairs of sizes"

    def test_parts_of_the_error(self):
        pairs = [crossing_curves((16, 32, 64), 1), crossing_curves((16, 32, 64), 2, at=2.29)]
        found = crossing_transition(pairs, ("first", "second"))
        parts = found.diagnostics["errors"]
        assert set(parts) == {"bootstrap", "fit window", "extrapolation", "second quantity"}
        assert found.error == pytest.approx(math.sqrt(sum(p**2 for p in parts.values())))
        other = found.diagnostics["other quantities"]["second"]
        assert other == pytest.approx(2.29, abs=0.01)
        # half the difference, less what the scatter of both explains
        assert 0.8 < parts["second quantity"] / (abs(other - found.estimate) / 2) <= 1

    def test_quantities_that_agree_add_nothing(self):
        curves = crossing_curves((16, 32), 3)
        found = crossing_transition([curves, curves], ("a", "b"))
        assert found.diagnostics["errors"]["second quantity"] == 0.0

    def test_first_quantity_leads(self):
        a, b = crossing_curves((16, 32), 4), crossing_curves((16, 32), 5, at=2.29)
        one = crossing_transition([a, b], ("a", "b"))
        other = crossing_transition([b, a], ("b", "a"))
        assert one.estimate == crossing_transition([a], ("a",)).estimate
        assert other.estimate == crossing_transition([b], ("b",)).estimate

    def test_one_pair_alone_has_the_error_of_its_drift(self):
        parts = crossing_transition([crossing_curves((16, 32), 6)], ("a",)).diagnostics["errors"]
        assert parts["one pair of sizes"] > 0.001

    def test_coverage(self):
        """The error of the headline holds T_c in 60 to 95 % of 60 runs: it is no smaller."""
        pulls = []
        for seed in range(60):
            found = crossing_transition([crossing_curves((16, 32, 64), seed)], ("a",))
            pulls.append((found.estimate - T_CROSS) / found.error)
        assert np.max(np.abs(pulls)) < 5
        assert 0.60 < np.mean(np.abs(pulls) < 1) < 0.95

    def test_the_largest_pair_must_cross(self):
        """Curves of L = 16 and 32 cross, those of 32 and 64 do not: none."""
        curves = crossing_curves((16, 32), 7)
        rng = np.random.default_rng(8)
        curves[64] = measured(64, curves[32].value + 0.5, 0.005, rng)
        found = crossing_transition([curves], ("a",))
        assert found.estimate is None
        assert found.error is None
        assert found.reason == (
            "no crossing: the curves of L = 32 and 64 differ with one sign only, so that they do"
            " not cross"
        )
        assert [row["estimate"] is None for row in found.per_size] == [False, True]

    def test_half_of_the_pairs_must_cross(self):
        rng = np.random.default_rng(9)
        curves = crossing_curves((64, 128), 10)
        for size, lift in ((32, 0.5), (16, 1.0), (8, 1.5)):
            curves[size] = measured(size, curves[64].value - lift, 0.005, rng)
        found = crossing_transition([curves], ("a",))
        assert found.estimate is None
        assert "L = 32 and 64" in found.reason

    def test_sizes_too_close(self):
        found = crossing_transition([crossing_curves((16, 20), 11)], ("a",))
        assert found.estimate is None
        assert "(16, 20) are too close" in found.reason

    def test_one_size(self):
        rng = np.random.default_rng(12)
        step = np.tanh((T - 2.28) / 0.02)
        found = crossing_transition([{32: measured(32, step, 0.005, rng)}], ("a",))
        assert (found.estimate, found.error) == (None, None)
        assert "a second size, twice as large, is missing" in found.reason
        (row,) = found.per_size
        assert row["sizes"] == (32,)
        assert abs(row["estimate"] - 2.28) < 2 * row["error"]
        assert row["error"] < 0.03

    def test_one_size_and_few_temperatures(self):
        curve = crossing_curves((16,), 13)[16].at(np.arange(3))
        found = crossing_transition([{16: curve}], ("a",))
        assert found.reason == "one lattice size and fewer than 4 temperatures"


TB = np.array([0.8, 0.84, 0.86, 0.88, 0.9, 0.92, 0.94, 0.96, 1.0])


def flowing(sizes, seed, t_star=0.893, sigma=0.003):
    rng = np.random.default_rng(seed)
    out = {}
    for size in sizes:
        x = (TB - t_star) / t_star
        values = JUMP + SLOPE / (math.log(size) + 1.1) - (2 + math.log(size)) * x
        out[size] = measured(size, values, sigma, rng, TB)
    return out


class TestFlow:
    def test_parts_of_the_error(self):
        found = flow_transition(
            [flowing((32, 64, 128), 0), flowing((32, 64, 128), 1, 0.92)], ("a", "b")
        )
        assert abs(found.estimate - 0.893) < 5 * found.error
        parts = found.diagnostics["errors"]
        assert set(parts) == {"bootstrap", "fit window", "second quantity"}
        assert found.error == pytest.approx(math.sqrt(sum(p**2 for p in parts.values())))
        other = found.diagnostics["other quantities"]["b"]
        assert 0.7 < parts["second quantity"] / (abs(other - found.estimate) / 2) <= 1
        assert (found.diagnostics["jump"], found.diagnostics["slope"]) == (JUMP, SLOPE)
        assert "from the a of block spins" in found.method

    def test_rows_pass_the_jump_by_interpolation(self):
        found = flow_transition([flowing((32, 64), 2, sigma=1e-5)], ("a",))
        for row in found.per_size:
            (size,) = row["sizes"]
            # K = j where s / (ln L + C) is lost
            x = SLOPE / (math.log(size) + 1.1) / (2 + math.log(size))
            assert row["estimate"] == pytest.approx(0.893 * (1 + x), abs=1e-4)
            assert 0 < row["error"] < 1e-4

    def test_one_size(self):
        found = flow_transition([flowing((32,), 3)], ("a",))
        assert (found.estimate, found.error) == (None, None)
        assert "the stiffness passes 0.6365" in found.reason
        assert "a second size, twice as large, is missing" in found.reason
        assert found.per_size[0]["estimate"] > 0.893

    def test_one_size_that_does_not_pass(self):
        rng = np.random.default_rng(4)
        found = flow_transition([{32: measured(32, 0 * TB + 0.3, 0.003, rng, TB)}], ("a",))
        assert "no quasi-long-range order" in found.reason
        assert found.per_size == ({"sizes": (32,), "estimate": None, "error": None},)

    def test_none(self):
        rng = np.random.default_rng(5)
        curves = {L: measured(L, 0.65 - (TB - 0.9), 0.003, rng, TB) for L in (32, 64)}
        found = flow_transition([curves], ("a",))
        assert (found.estimate, found.error) == (None, None)
        assert "does not fall" in found.reason
        assert len(found.per_size) == 2


class TestEstimators:
    """scikit-learn's interface without scikit-learn."""

    def ensemble(self):
        t = [2.1, 2.2, 2.3, 2.4]
        return simulate(Ising(), sizes=[8, 16], temperatures=t, samples=64, seed=0)

    @pytest.mark.parametrize("method", [BlockCrossing(seed=3), TopologicalStiffness(seed=3)])
    def test_parameters(self, method):
        params = method.get_params()
        assert params["seed"] == 3
        assert type(method)(**params).get_params() == params
        assert not [name for name in params if name.endswith("_")]
        assert method.set_params(seed=4, n_replicates=50) is method
        assert (method.seed, method.n_replicates) == (4, 50)
        with pytest.raises(InputError, match="`sede` is no parameter"):
            method.set_params(sede=1)
        with pytest.raises(InputError, match="`observable_` is no parameter"):
            method.set_params(observable_=None)
        method.set_params(**params)

    def test_cloned_by_scikit_learn(self):
        from sklearn.base import clone

        method = BlockCrossing(features=np.mean, n_replicates=7, seed=1)
        assert clone(method).get_params() == method.get_params()

    def test_fit(self):
        e = self.ensemble()
        method = BlockCrossing(n_replicates=20, seed=1)
        assert method.fit(e) is method
        columns = method.measure(e)
        again = method.locate({size: blocked(c) for size, c in columns.items()})
        assert method.transition_.estimate == again.estimate
        assert method.transition_.reason == again.reason
        assert set(method.transition_.curves) == {"essential H1 birth", "H0 at level 0"}

    def test_replicates(self):
        found = BlockCrossing(n_replicates=17).fit(self.ensemble()).transition_
        assert found.curves["H0 at level 0"][1].replicates.shape == (17, 4)

    def test_stiffness_is_that_of_angles(self):
        with pytest.raises(InputError, match="`ensemble` has manifold 'real'; expected 'circle'"):
            TopologicalStiffness().measure(self.ensemble())

    def test_stiffness_of_gaussian_angles(self):
        """K_eff of spin waves of stiffness 1 / T is 1 / T: curves that do not depend on L."""
        from topoml.phases.stiffness import gaussian_fields

        t = np.array([0.6, 0.9, 1.2, 1.8])
        rng = np.random.default_rng(0)
        data = [
            np.concatenate([gaussian_fields(size, 400, rng) * math.sqrt(x) for x in t])
            for size in (8, 16)
        ]
        data = [np.angle(np.exp(1j * x)) for x in data]
        e = from_arrays(data, [np.repeat(t, 400)] * 2, chain=[np.tile(np.arange(10), 160)] * 2)
        found = TopologicalStiffness(n_fields=1000, n_replicates=50).fit(e).transition_
        assert found.estimate is None
        assert list(found.curves)[:2] == [
            "K_eff from essential H1 birth",
            "K_eff from mean H0 death",
        ]
        for name in list(found.curves)[:2]:
            for curve in found.curves[name]:
                assert np.abs((curve.value - 1 / t) / curve.error).max() < 5
                assert (curve.error < 0.1 / t).all()

    @pytest.mark.parametrize(
        ("features", "shape"),
        [
            (lambda x: x.mean((1, 2)), "(1,)"),
            (lambda x: np.zeros((len(x) + 1, 2)), "(2, 2)"),
            (lambda x: np.zeros((len(x), 2, 2)), "(1, 2, 2)"),
            (lambda x: 1.0, "()"),
        ],
    )
    def test_wrong_features(self, features, shape):
        with pytest.raises(InputError, match="expected \\(1, k\\)") as caught:
            BlockCrossing(features=features).measure(self.ensemble())
        assert shape in str(caught.value)

    def test_features_that_change_their_width(self):
        with pytest.raises(InputError, match="`features` gives shape"):
            BlockCrossing(features=lambda x: np.zeros((len(x), len(x)))).measure(self.ensemble())
