"""Gaussian fields and their tables, against closed forms."""

import math

import numpy as np
import pytest

from topoml.phases.observables import OrderParameter, SpinBlocks
from topoml.phases.resampling import bootstrap
from topoml.phases.stiffness import StiffnessTable, gaussian_fields, tabulate
from topoml.phases.transition import Curve


def propagator(size):
    """Inverse of the lattice Laplacian without its zero mode, from a list of bonds, (N, N)."""
    site = np.arange(size**2).reshape(size, size)
    laplacian = np.zeros((size**2, size**2))
    for axis in (0, 1):
        a, b = site.ravel(), np.roll(site, -1, axis).ravel()
        for i, j in ((a, a), (b, b)):
            np.add.at(laplacian, (i, j), 1.0)
        for i, j in ((a, b), (b, a)):
            np.add.at(laplacian, (i, j), -1.0)
    return np.linalg.pinv(laplacian, hermitian=True)


def independent_fields(size, n, stiffness, rng):
    """Gaussian fields from the eigenvectors of the propagator: no Fourier transform."""
    values, vectors = np.linalg.eigh(propagator(size) / stiffness)
    normal = rng.standard_normal((n, size**2)) * np.sqrt(np.maximum(values, 0))
    return (normal @ vectors.T).reshape(n, size, size)


class TestGaussianFields:
    @pytest.mark.parametrize("size", [2, 5, 6])
    def test_covariance(self, size):
        """chi^2 of the whole covariance matrix; one of another stiffness fails (control)."""
        n = 20000
        phi = gaussian_fields(size, n, np.random.default_rng(size)).reshape(n, -1)
        expected = propagator(size)
        found = phi.T @ phi / n
        diagonal = np.diag(expected)
        # Wick: the variance of a product of two normal numbers
        sigma = np.sqrt((np.outer(diagonal, diagonal) + expected**2) / n)
        assert np.abs((found - expected) / sigma).max() < 5
        assert np.abs((found - 1.1 * expected) / sigma).max() > 5

    def test_bond_energy(self):
        """N - 1 modes of energy 1/2 on 2 N bonds: <(difference)^2> = (1 - 1 / N) / 2."""
        size, n = 8, 2000
        phi = gaussian_fields(size, n, np.random.default_rng(0))
        bonds = sum(((phi - np.roll(phi, 1, axis)) ** 2).mean((1, 2)) for axis in (1, 2)) / 2
        error = bonds.std() / math.sqrt(n)
        assert abs(bonds.mean() - (1 - 1 / size**2) / 2) < 5 * error
        assert abs(bonds.mean() - 1 / 2) > 5 * error / 2  # the control: the zero mode counts
        # as many modes of variance 1/2 each make a chi^2 distribution
        assert abs(bonds.var() / (2 * (size**2 - 1) / (2 * size**2) ** 2) - 1) < 5 / math.sqrt(
            n / 2
        )

    def test_no_zero_mode(self):
        phi = gaussian_fields(6, 5, np.random.default_rng(0))
        assert np.abs(phi.mean((1, 2))).max() < 100 * np.finfo(float).eps

    @pytest.mark.parametrize("n", [1, 2, 7])
    def test_number(self, n):
        assert gaussian_fields(4, n, np.random.default_rng(0)).shape == (n, 4, 4)

    def test_fields_are_independent(self):
        """The two halves are real and imaginary parts of the same transforms."""
        n = 4000
        phi = gaussian_fields(4, n, np.random.default_rng(1)).reshape(n, -1)
        cross = phi[: n // 2].T @ phi[n // 2 :] / (n // 2)
        sigma = np.diag(propagator(4))[0] / math.sqrt(n // 2)
        assert np.abs(cross / sigma).max() < 5


OBSERVABLE = SpinBlocks(OrderParameter("circle"), 4)


@pytest.fixture(scope="module")
def tables():
    return tabulate(OBSERVABLE, 8, n_fields=2000, n_replicates=60, rng=np.random.default_rng(0))


class TestTable:
    def test_shape(self, tables):
        assert len(tables) == len(OBSERVABLE.names) == 2
        for table in tables:
            assert table.size == 8
            assert np.exp(table.log_stiffness[[0, -1]]) == pytest.approx([0.1, 3.0])
            assert (np.diff(table.log_stiffness) > 0).all()
            assert (np.diff(table.value) < 0).all()
            assert table.replicates.shape == (60, table.value.size)

    @pytest.mark.parametrize("stiffness", [0.2, 0.45, 0.64, 0.9, 1.6])
    @pytest.mark.parametrize("m", [0, 1])
    def test_gives_back_the_stiffness(self, tables, stiffness, m):
        """Of fields made in another way; 10 % off is told apart (control)."""
        rng = np.random.default_rng(round(100 * stiffness))
        blocks = OBSERVABLE.columns(independent_fields(8, 2000, stiffness, rng))[:, m : m + 1]
        drawn = bootstrap([blocks], 60, rng)[:, :, 0]
        found = tables[m].invert(Curve(8, np.array([1.0]), blocks.mean(0), drawn))
        assert abs(found.value[0] - stiffness) < 5 * found.error[0]
        assert abs(found.value[0] - 1.1 * stiffness) > found.error[0] > 0
        assert found.error[0] < 0.05 * stiffness

    def test_errors_of_the_table_count(self, tables):
        """An exact curve has the error of the table, and one of many fields a smaller error."""
        at = tables[0].value[[10]]
        exact = Curve(8, np.array([1.0]), at, np.tile(at, (60, 1)))
        error = tables[0].invert(exact).error[0]
        assert error > 0
        few = tabulate(OBSERVABLE, 8, n_fields=200, n_replicates=60, rng=np.random.default_rng(0))
        ratio = few[0].invert(exact).error[0] / error
        assert 2 < ratio < 5  # sqrt(10); each error is good to 9 %

    def test_replicates_are_unbiased(self, tables):
        """Their scatter is that of the mean over fields: about 1 / sqrt(2000) of one field's."""
        for table in tables:
            pull = (table.replicates.mean(0) - table.value) / (
                table.replicates.std(0) / math.sqrt(60)
            )
            assert np.abs(pull).max() < 5

    def test_beyond_the_table(self, tables):
        t = np.array([1.0, 2.0])
        value = np.array([tables[0].value.max() + 1, tables[0].value.min() - 1])
        found = tables[0].invert(Curve(8, t, value, np.tile(value, (60, 1))))
        np.testing.assert_allclose(found.value, [0.1, 3.0])

    def test_inversion_of_a_known_function(self):
        """value = 1 / K, tabulated densely."""
        log_k = np.linspace(-1, 1, 2001)
        value = np.exp(-log_k)
        table = StiffnessTable(8, log_k, value, np.tile(value, (2, 1)) * [[1.0], [1.01]])
        curve = Curve(8, np.array([1.0, 2.0]), np.array([2.0, 0.5]), np.array([[2.0, 0.5]] * 2))
        found = table.invert(curve)
        np.testing.assert_allclose(found.value, [0.5, 2.0], rtol=1e-6)
        np.testing.assert_allclose(found.replicates[1], [0.505, 2.02], rtol=1e-6)

    def test_same_seed_same_table(self):
        first, second = (
            tabulate(OBSERVABLE, 8, n_fields=30, n_replicates=5, rng=np.random.default_rng(seed))
            for seed in (0, 0)
        )
        for one, same in zip(first, second, strict=True):
            np.testing.assert_array_equal(one.value, same.value)
            np.testing.assert_array_equal(one.replicates, same.replicates)
