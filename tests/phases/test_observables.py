"""Columns: their symmetries, and their values by plain formulas and by search."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from topoml._core.errors import InputError
from topoml.lattice import XY, Ensemble, from_arrays
from topoml.phases import observables
from topoml.phases.observables import (
    Binder,
    CorrelationLength,
    Features,
    Helicity,
    OrderParameter,
    ScalarBlocks,
    SpinBlocks,
    block_diagrams,
    block_field,
    coarse_grid,
    columns_of,
    curves_of,
)

from .oracles import bonds, graph, level_of_both_loops, spanning_tree

SIZE, GRID = 16, 4
SIDE = SIZE // GRID
TOLERANCE = 1e-10  # of the invariances; columns are of order 1 and sums have 256 terms

CIRCLE, SPHERE = OrderParameter("circle"), OrderParameter("sphere")
REAL, POTTS = OrderParameter("real"), OrderParameter("discrete", 3)

OF_ANGLES = [
    SpinBlocks(CIRCLE, GRID),
    Helicity(XY(1.3)),
    CorrelationLength(OrderParameter("circle"), SIZE),
    Binder(CIRCLE),
]
OF_VECTORS = [SpinBlocks(SPHERE, GRID), CorrelationLength(SPHERE, SIZE), Binder(SPHERE)]
OF_SCALARS = [
    ScalarBlocks(REAL, GRID),
    CorrelationLength(OrderParameter("real"), SIZE),
    Binder(REAL),
]
OF_LABELS = [ScalarBlocks(POTTS, GRID), Binder(POTTS)]


def named(observable):
    return type(observable).__name__


def angles(n=6):
    return np.random.default_rng(0).uniform(-np.pi, np.pi, (n, SIZE, SIZE))


def vectors(n=6):
    x = np.random.default_rng(1).standard_normal((n, SIZE, SIZE, 3))
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def spins(n=6):
    return np.random.default_rng(2).choice(np.array([-1, 1], np.int8), (n, SIZE, SIZE))


def labels(n=6):
    return np.random.default_rng(3).integers(0, 3, (n, SIZE, SIZE))


def same(observable, x, moved):
    np.testing.assert_allclose(
        observable.columns(moved), observable.columns(x), rtol=0, atol=TOLERANCE * SIZE**2
        if isinstance(observable, (CorrelationLength, Helicity)) else TOLERANCE,
    )  # fmt: skip


def on_the_lattice(x):
    """Shifts by blocks, reflections of the lattice and its rotation by a right angle."""
    yield np.roll(x, (SIDE, 2 * SIDE), (1, 2))
    yield np.flip(x, 1)
    yield np.swapaxes(x, 1, 2)


class TestSymmetry:
    @pytest.mark.parametrize("observable", OF_ANGLES, ids=named)
    def test_angles(self, observable):
        x = angles()
        turned = [x + 0.7, x + 3.0, -x, 1.2 - x, x + 2 * np.pi * np.sign(x[:1])]
        for moved in (*turned, *on_the_lattice(x)):
            same(observable, x, moved)

    @pytest.mark.parametrize("observable", OF_VECTORS, ids=named)
    def test_vectors(self, observable):
        x = vectors()
        turn, _ = np.linalg.qr(np.random.default_rng(4).standard_normal((3, 3)))
        for moved in (x @ turn, -x @ turn, *on_the_lattice(x)):
            same(observable, x, moved)

    @pytest.mark.parametrize("observable", OF_SCALARS, ids=named)
    def test_scalars(self, observable):
        x = spins()
        for moved in (-x, *on_the_lattice(x)):
            same(observable, x, moved)

    @pytest.mark.parametrize("observable", OF_LABELS, ids=named)
    def test_labels(self, observable):
        x = labels()
        for names in ([1, 2, 0], [1, 0, 2], [0, 2, 1]):
            same(observable, x, np.array(names)[x])
        for moved in on_the_lattice(x):
            same(observable, x, moved)

    def test_two_labels(self):
        """The two states of q = 2 change places; labels are half of Ising spins."""
        observable = ScalarBlocks(OrderParameter("discrete", 2), GRID)
        x = (spins() + 1) // 2
        same(observable, x, 1 - x)
        ising = ScalarBlocks(REAL, GRID).columns(spins())
        np.testing.assert_allclose(observable.columns(x) * [2, 1, 4], ising, atol=TOLERANCE)

    @pytest.mark.parametrize(
        ("observables", "make"),
        [(OF_ANGLES, angles), (OF_VECTORS, vectors), (OF_SCALARS, spins), (OF_LABELS, labels)],
        ids=["angles", "vectors", "scalars", "labels"],
    )
    def test_the_test_sees_one_moved_block(self, observables, make):
        """The control: one block of spins turned or relabelled."""
        x = make()
        moved = x.copy()
        moved[:, :SIDE, :SIDE] = {
            "angles": lambda b: b + 1.0,
            "vectors": lambda b: b[..., [1, 2, 0]],
            "spins": lambda b: -b,
            "labels": lambda b: (b + 1) % 3,
        }[make.__name__](x[:, :SIDE, :SIDE])
        for observable in observables:
            change = np.abs(observable.columns(moved) - observable.columns(x)).max(0)
            assert change.max() > 1e-4, observable

    @pytest.mark.parametrize("observable", OF_ANGLES, ids=named)
    def test_the_test_sees_one_moved_spin(self, observable):
        x = angles()
        moved = x.copy()
        moved[:, 3, 5] += 1.0
        assert np.abs(observable.columns(moved) - observable.columns(x)).max() > 1e-6

    @pytest.mark.parametrize("observable", OF_ANGLES, ids=named)
    def test_rows_do_not_see_each_other(self, observable):
        x = angles()
        np.testing.assert_array_equal(observable.columns(x)[2:3], observable.columns(x[2:3]))


class TestTopology:
    """Against search in the coarse lattice."""

    @pytest.mark.parametrize("make", [angles, vectors])
    def test_directions(self, make):
        x = make(8)
        order = CIRCLE if make is angles else SPHERE
        found = SpinBlocks(order, GRID).columns(x)
        for row, field in zip(found, x, strict=True):
            v = np.stack([np.cos(field), np.sin(field)], -1) if make is angles else field
            v = v.reshape(GRID, SIDE, GRID, SIDE, -1).mean((1, 3)).reshape(GRID**2, -1)
            v /= np.linalg.norm(v, axis=1, keepdims=True)
            bond = np.array(
                [np.arccos(np.clip(v[a] @ v[b], -1, 1)) for a, b, _ in bonds((GRID, GRID))]
            )
            loops = level_of_both_loops((GRID, GRID), np.zeros(GRID**2), bond)
            tree = spanning_tree((GRID, GRID), bond) / (GRID**2 - 1)
            np.testing.assert_allclose(row, [loops, tree], atol=1e-7)  # arccos near 0 and pi

    @pytest.mark.parametrize("make", [spins, labels])
    def test_scalars_and_labels(self, make):
        x = make(8)
        order = REAL if make is spins else POTTS
        found = ScalarBlocks(order, GRID).columns(x)
        for row, field in zip(found, x, strict=True):
            parts = [1.0 * field] if make is spins else [(field == s) - 1 / 3 for s in range(3)]
            expected = []
            for part in parts:
                block = part.reshape(GRID, SIDE, GRID, SIDE).mean((1, 3)).ravel()
                for y in (block, -block):
                    bond = np.array([max(y[a], y[b]) for a, b, _ in bonds((GRID, GRID))])
                    rise = level_of_both_loops((GRID, GRID), y, bond) - y.min()
                    count = graph((GRID, GRID), y, bond, 0.0)[0]
                    expected.append([rise, count, (block**2).mean()])
            np.testing.assert_allclose(row, np.mean(expected, 0), atol=1e-12)

    def test_values_are_in_units_of_the_rms(self):
        observable = ScalarBlocks(REAL, GRID)
        mean = np.array([[3.0, 2.0, 4.0], [1.0, 5.0, 0.25]])
        np.testing.assert_allclose(observable.values(mean, np.ones(2)), [[1.5, 2.0], [2.0, 5.0]])

    def test_values_do_not_know_the_unit_of_the_field(self):
        observable = ScalarBlocks(REAL, GRID)
        x = np.random.default_rng(5).standard_normal((20, SIZE, SIZE))
        mean, other = (observable.columns(y).mean(0) for y in (x, 7.3 * x))
        t = np.ones(())
        np.testing.assert_allclose(
            observable.values(mean, t), observable.values(other, t), rtol=1e-12
        )

    def test_names(self):
        for observable in (SpinBlocks(CIRCLE, 4), ScalarBlocks(REAL, 4)):
            assert observable.names[0] == "essential H1 birth"
            k = observable.columns(angles(2) if observable.order is CIRCLE else spins(2)).shape[1]
            assert observable.values(np.ones((5, k)), np.ones(5)).shape == (
                5,
                len(observable.names),
            )


class TestPlainFormulas:
    def test_binder_of_spins(self):
        x, observable = spins(50), Binder(REAL)
        m = x.astype(float).mean((1, 2))
        expected = 1 - (m**4).mean() / (3 * (m**2).mean() ** 2)
        value = observable.values(observable.columns(x).mean(0), np.ones(()))
        np.testing.assert_allclose(value, [expected], rtol=1e-12)

    def test_binder_of_vectors_and_angles(self):
        x = angles(50)
        m = np.hypot(np.cos(x).mean((1, 2)), np.sin(x).mean((1, 2)))
        np.testing.assert_allclose(Binder(CIRCLE).columns(x), np.stack([m**2, m**4], 1), rtol=1e-10)
        v = np.stack([np.cos(x), np.sin(x)], -1)
        np.testing.assert_allclose(Binder(SPHERE).columns(v), np.stack([m**2, m**4], 1), rtol=1e-10)

    def test_binder_of_labels(self):
        x = labels(20)
        share = np.stack([(x == s).mean((1, 2)) for s in range(3)], 1) - 1 / 3
        np.testing.assert_allclose(Binder(POTTS).columns(x)[:, 0], (share**2).sum(1), rtol=1e-10)

    def test_helicity(self):
        """J <cos> - J^2 / T <(sum sin)^2> / N over T, mean over both axes, bond by bond."""
        x, J, T = angles(4), 1.3, 0.8
        total = []
        for field in x:
            per_axis = []
            for axis in (0, 1):
                flat = field.ravel()
                difference = [flat[b] - flat[a] for a, b, k in bonds(field.shape) if k == axis]
                c, s = np.cos(difference).sum(), np.sin(difference).sum()
                per_axis.append((J * c - J**2 * s**2 / T) / field.size / T)
            total.append(np.mean(per_axis))
        observable = Helicity(XY(J))
        found = observable.values(observable.columns(x).mean(0), np.array(T))
        np.testing.assert_allclose(found, [np.mean(total)], rtol=1e-12)

    @pytest.mark.parametrize(("manifold", "make"), [("circle", angles), ("real", spins)])
    def test_correlation_length(self, manifold, make):
        x = make(30)
        x = x.cumsum(1) * 0.05 if manifold == "circle" else np.where(x.cumsum(1) > 0, 1, -1)
        parts = [np.cos(x), np.sin(x)] if manifold == "circle" else [x]
        factor = sum(np.abs(np.fft.fft2(p)) ** 2 for p in parts).mean(0) / SIZE**2
        ratio = factor[0, 0] / ((factor[0, 1] + factor[1, 0]) / 2)
        expected = math.sqrt(ratio - 1) / (2 * math.sin(math.pi / SIZE)) / SIZE
        observable = CorrelationLength(OrderParameter(manifold), SIZE)
        found = observable.values(observable.columns(x).mean(0), np.ones(()))
        np.testing.assert_allclose(found, [expected], rtol=1e-10)

    def test_correlation_length_of_noise_is_zero(self):
        observable = CorrelationLength(OrderParameter("real"), SIZE)
        np.testing.assert_array_equal(observable.values(np.array([1.0, 2.0]), np.ones(())), [0.0])


class TestOrderParameter:
    def ensemble(self, x, manifold):
        return Ensemble({x.shape[-1]: {1.0: x[None]}}, manifold)

    def test_of_labels(self):
        assert OrderParameter.of(self.ensemble(labels(), "discrete")) == OrderParameter(
            "discrete", 3
        )
        two = OrderParameter.of(self.ensemble((spins() + 1) // 2, "discrete"))
        assert two == OrderParameter("discrete", 2)
        constant = OrderParameter.of(self.ensemble(0 * labels(), "discrete"))
        assert constant == OrderParameter("discrete", 2)

    def test_q_is_that_of_all_sizes_and_temperatures(self):
        x = labels()
        data = {16: {1.0: x[None], 2.0: 0 * x[None]}, 32: {1.0: np.full((1, 1, 32, 32), 4)}}
        assert OrderParameter.of(Ensemble(data, "discrete")).q == 5

    def test_too_many_labels(self):
        x = np.zeros((1, 8, 8), int)
        x[0, 0, 0] = 255
        assert OrderParameter.of(self.ensemble(x, "discrete")).q == 256
        x[0, 0, 0] = 256
        with pytest.raises(InputError, match="labels up to 256; expected at most 255"):
            OrderParameter.of(self.ensemble(x, "discrete"))

    def test_components_vanish_in_disorder(self):
        """Means over all states are 0; a component of the ordered state is not."""
        order = OrderParameter("discrete", 4)
        x = np.arange(16).reshape(1, 4, 4) % 4
        np.testing.assert_allclose(order.blocks(x, 1).reshape(-1), np.zeros(4), atol=1e-15)
        ordered = order.blocks(np.zeros((1, 4, 4), int), 1).reshape(-1)
        np.testing.assert_allclose(ordered, [3 / 4, -1 / 4, -1 / 4, -1 / 4])

    @pytest.mark.parametrize(
        ("manifold", "expected"),
        [("circle", True), ("sphere", True), ("real", False), ("discrete", False)],
    )
    def test_directions(self, manifold, expected):
        assert OrderParameter(manifold, 2).is_direction is expected

    @pytest.mark.parametrize("dtype", [">f4", "<f8", np.float16, np.longdouble])
    def test_any_float(self, dtype):
        x = angles(2).astype(dtype)
        for observable in OF_ANGLES:
            expected = observable.columns(x.astype(float))
            np.testing.assert_array_equal(observable.columns(x), expected)

    @pytest.mark.parametrize("dtype", [">i4", np.int8, np.int64, np.float32])
    def test_any_scalar(self, dtype):
        for observable in OF_SCALARS:
            np.testing.assert_array_equal(
                observable.columns(spins().astype(dtype)), observable.columns(spins())
            )

    @pytest.mark.parametrize("dtype", [">u2", np.uint8, np.uint64])
    def test_any_label(self, dtype):
        for observable in OF_LABELS:
            np.testing.assert_array_equal(
                observable.columns(labels().astype(dtype)), observable.columns(labels())
            )


class TestCoarseGrid:
    @pytest.mark.parametrize(
        ("sizes", "grid"),
        [
            ((32, 64), 8),
            ((32, 48, 64, 96, 128), 8),
            ((16, 32), 4),  # blocks of 4 rather than a grid of 8
            ((28, 56), 7),
            ((24, 48), 6),
            ((20, 40), 5),
            ((30, 60), 6),
            ((8, 16), 4),  # blocks of 2: no grid leaves 4
            ((12, 24), 6),
            ((64,), 8),
            ((128, 32), 8),
        ],
    )
    def test_grid(self, sizes, grid):
        assert coarse_grid(sizes) == grid
        assert all(size % grid == 0 for size in sizes)

    @pytest.mark.parametrize("sizes", [(3, 6), (16, 17), (4, 8), (1,), (22, 44)])
    def test_none(self, sizes):
        with pytest.raises(InputError, match="expected a common divisor") as caught:
            coarse_grid(sizes)
        assert str(sizes) in str(caught.value)
        assert "Cure" in str(caught.value)


def test_block_field():
    x = torch.arange(36.0).reshape(6, 6)
    expected = [[7.0, 10.0], [25.0, 28.0]]
    assert block_field(x, 2).tolist() == expected
    assert block_field(x.expand(2, 3, 6, 6), 2)[1, 2].tolist() == expected
    assert block_field(x, 6).equal(x)


class TestColumnsOf:
    def ensemble(self):
        rng = np.random.default_rng(6)
        return from_arrays(
            [rng.choice([-1, 1], (24, size, size)) for size in (8, 16)],
            [np.repeat([2.0, 1.0], 12)] * 2,
            chain=[np.tile([1, 0, 2], 8)] * 2,
        )

    @pytest.mark.parametrize("at_once", [1, 5 * 64, 2**21])
    def test_chains_and_temperatures(self, at_once, monkeypatch):
        monkeypatch.setattr(observables, "_AT_ONCE", at_once)
        e, observable = self.ensemble(), Binder(REAL)
        found = columns_of(e, observable, 8)
        assert list(found) == [1.0, 2.0]
        for t, columns in found.items():
            x = e.configurations(size=8, temperature=t)
            assert columns.shape == (3, 4, 2)
            np.testing.assert_allclose(columns[..., 0], x.mean((2, 3)) ** 2, atol=1e-15)

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_not_finite(self, bad):
        e = self.ensemble()
        with pytest.raises(InputError, match="`features` of size 16 at"):
            columns_of(e, Features(lambda x: np.full((len(x), 1), bad), 1), 16)

    def test_fields_too_large_to_square(self):
        e = self.ensemble()
        data = {16: {t: 1e200 * x for t, x in e.data[16].items()}}
        with (
            pytest.raises(InputError, match="`configurations` of size 16"),
            np.errstate(over="ignore"),
        ):
            columns_of(dataclasses.replace(e, data=data), ScalarBlocks(REAL, 4), 16)


class TestCurvesOf:
    def test_values_and_scatter(self):
        rng = np.random.default_rng(7)
        blocks = {t: 1.0 + 0.1 * rng.standard_normal((40, 3)) for t in (1.0, 2.0, 3.0)}
        observable = ScalarBlocks(REAL, 4)
        curves = curves_of(observable, 8, blocks, n_replicates=2000, rng=rng)
        assert [c.size for c in curves] == [8, 8]
        np.testing.assert_array_equal(curves[0].temperature, [1.0, 2.0, 3.0])
        for i, b in enumerate(blocks.values()):
            mean, error = b.mean(0), b.std(0, ddof=1) / math.sqrt(40)
            assert curves[0].value[i] == pytest.approx(mean[0] / math.sqrt(mean[2]))
            covariance = np.cov(b.T) / 40
            slope = np.array([1 / math.sqrt(mean[2]), 0, -mean[0] / 2 / mean[2] ** 1.5])
            expected = math.sqrt(slope @ covariance @ slope)
            # a standard deviation of 2000 numbers is good to 1 / sqrt(4000); 2nd order: 1 / 40
            assert curves[0].error[i] == pytest.approx(expected, rel=5 / math.sqrt(4000) + 1 / 40)
            assert curves[1].error[i] == pytest.approx(error[1], rel=5 / math.sqrt(4000))

    def test_temperature_enters(self):
        blocks = {t: np.ones((4, 2)) for t in (1.0, 2.0)}
        (curve,) = curves_of(
            Helicity(XY()), 8, blocks, n_replicates=2, rng=np.random.default_rng(0)
        )
        np.testing.assert_allclose(curve.value, [0.0, 0.25])
        np.testing.assert_allclose(curve.replicates, [[0.0, 0.25]] * 2)

    def test_vanishing_fields_are_left_out(self):
        blocks = {1.0: np.zeros((4, 2)), 2.0: np.ones((4, 2))}
        (curve,) = curves_of(Binder(REAL), 8, blocks, n_replicates=5, rng=np.random.default_rng(0))
        np.testing.assert_array_equal(curve.temperature, [2.0])
        assert curve.replicates.shape == (5, 1)


class TestBlockDiagrams:
    @pytest.mark.parametrize(
        ("make", "manifold"),
        [(angles, "circle"), (vectors, "sphere"), (spins, "real"), (labels, "discrete")],
    )
    def test_one_sample(self, make, manifold):
        x = make(2)
        d = block_diagrams(Ensemble({SIZE: {1.0: x[None]}}, manifold), x[0])
        assert d.batch_shape == ()
        assert d.homology_dimensions == (0, 1)
        assert (d.essential_dimension == 1).sum() == 2
        birth = d.essential[d.essential_dimension == 1].max().item()
        if manifold == "circle":
            assert birth == pytest.approx(SpinBlocks(CIRCLE, SIZE // 4).columns(x)[0, 0])

    @pytest.mark.parametrize("size", [3, 8, 15, 18])
    def test_small_and_odd_sizes_are_not_blocked(self, size):
        x = np.random.default_rng(8).uniform(-3, 3, (1, size, size))
        d = block_diagrams(Ensemble({size: {1.0: x[None]}}, "circle"), x[0])
        assert (d.dimension == 0).sum() == size**2 - 1  # a tree on all sites
