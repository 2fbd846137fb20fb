"""Observables against loops over bonds, closed forms and exact tori."""

import math

import numpy as np
import pytest
import torch

from topoml._core.errors import InputError
from topoml.lattice import (
    binder,
    helicity_modulus,
    helicity_terms,
    magnetisation,
    second_moment_correlation_length,
    structure_factors,
)

from . import oracles


def angles(seed, *shape):
    return np.random.default_rng(seed).uniform(-math.pi, math.pi, shape)


class TestHelicity:
    @pytest.mark.parametrize("shape", [(1, 1), (1, 3), (2, 2), (4, 3)])
    def test_loop_over_bonds(self, shape):
        theta = angles(2, 5, *shape)
        c, s = helicity_terms(theta, 1.5)
        for k, x in enumerate(theta):
            pairs = [(x.flat[a], x.flat[b]) for a, b in oracles.bonds(shape)]
            by_axis = [pairs[0::2], pairs[1::2]]
            cosines = [sum(math.cos(p - q) for p, q in bonds) for bonds in by_axis]
            sines = [sum(math.sin(p - q) for p, q in bonds) for bonds in by_axis]
            n = x.size
            assert c[k] == pytest.approx(1.5 * sum(cosines) / 2 / n, abs=1e-13)
            assert s[k] == pytest.approx(1.5**2 * sum(v**2 for v in sines) / 2 / n, abs=1e-13)
        expected = c.mean() - s.mean() / 0.8
        assert float(helicity_modulus(theta, 0.8, 1.5)) == pytest.approx(expected, rel=1e-14)
        of_torch = helicity_modulus(torch.from_numpy(theta), 0.8, 1.5)
        assert of_torch.item() == pytest.approx(expected, rel=1e-12)

    def test_second_derivative_of_the_free_energy(self):
        """Of 2 x 2 spins, with the twist put into the bonds of one axis: T <W^2> of the table."""
        t, q = 0.8929, 24
        grid = 2 * np.pi * np.arange(q) / q
        theta = [0.0, *np.meshgrid(grid, grid, grid, indexing="ij", sparse=True)]

        def free_energy(twist):
            energy = 0.0
            for a, b in oracles.bonds((2, 2))[0::2]:
                energy = energy - np.cos(theta[b] - theta[a] + twist)
            for a, b in oracles.bonds((2, 2))[1::2]:
                energy = energy - np.cos(theta[b] - theta[a])
            return -t * np.log(np.exp(-energy / t).mean())

        h = 1e-3
        curvature = (free_energy(h) - 2 * free_energy(0) + free_energy(-h)) / h**2 / 4
        assert curvature == pytest.approx(oracles.XY_TORI[2, t][2], abs=1e-5)
        configurations = np.stack(
            np.broadcast_arrays(theta[0] + 0 * theta[1], *theta[1:]), axis=-1
        ).reshape(-1, 2, 2)
        c, s = helicity_terms(configurations)
        energy = -sum(
            np.cos(configurations.reshape(-1, 4)[:, a] - configurations.reshape(-1, 4)[:, b])
            for a, b in oracles.bonds((2, 2))
        )
        weight = np.exp(-energy / t)
        modulus = (weight * (c - s / t)).sum() / weight.sum()
        assert modulus == pytest.approx(oracles.XY_TORI[2, t][2], abs=1e-7)

    @pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
    def test_refuses_temperatures(self, temperature):
        with pytest.raises(InputError, match="`temperature` is"):
            helicity_modulus(np.zeros((2, 2)), temperature)


class TestMagnetisation:
    def test_by_manifold(self):
        s = np.array([[[1, -1], [1, 1]], [[-1, -1], [-1, -1]]], np.int8)
        np.testing.assert_array_equal(magnetisation(s), [0.5, -1.0])
        np.testing.assert_array_equal(magnetisation(torch.from_numpy(s)).numpy(), [0.5, -1.0])
        theta = angles(3, 4, 3, 5)
        m = magnetisation(theta, manifold="circle")
        z = np.exp(1j * theta).mean((-2, -1))
        np.testing.assert_allclose(m, np.stack([z.real, z.imag], -1), rtol=0, atol=1e-15)
        v = np.stack([np.cos(theta), np.sin(theta)], -1)
        np.testing.assert_allclose(magnetisation(v, manifold="sphere"), m, rtol=0, atol=1e-15)
        of_torch = magnetisation(torch.from_numpy(theta), manifold="circle")
        np.testing.assert_allclose(of_torch.numpy(), m, rtol=0, atol=1e-15)

    def test_refusals(self):
        with pytest.raises(InputError, match="`manifold` is 'discrete'"):
            magnetisation(np.zeros((2, 2)), manifold="discrete")
        with pytest.raises(InputError, match=r"expected \(\*batch, L0, L1, c\)"):
            magnetisation(np.zeros((2, 2)), manifold="sphere")


class TestBinder:
    @pytest.mark.parametrize("size", [2, 3])
    def test_exact_tori(self, size):
        """All states with integer weights: as many copies as rounding the weights allows."""
        states, _, weight = oracles.ising((size, size), oracles.T_ISING)
        copies = np.rint(weight * 1e7).astype(int)
        m = np.repeat(states.mean(1), copies)
        assert float(binder(m)) == pytest.approx(oracles.ISING_TORI[size][3], abs=1e-5)

    def test_limits(self):
        m = np.random.default_rng(0).normal(size=(2, 1_000_000))
        np.testing.assert_allclose(binder(m), 0.0, rtol=0, atol=0.02)
        np.testing.assert_allclose(binder(torch.from_numpy(m)).numpy(), binder(m), atol=1e-12)
        assert float(binder(np.array([1, -1, 1]))) == pytest.approx(2 / 3)
        assert np.isnan(binder(np.zeros(3)))


class TestCorrelationLength:
    @pytest.mark.parametrize("manifold", ["real", "circle", "sphere"])
    def test_structure_factors_by_fft(self, manifold):
        theta = angles(4, 6, 8, 8)
        parts = {"real": [theta], "circle": [np.cos(theta), np.sin(theta)]}
        parts["sphere"] = parts["circle"]
        given = np.stack(parts["sphere"], -1) if manifold == "sphere" else theta
        power = sum(np.abs(np.fft.fft2(p)) ** 2 for p in parts[manifold]) / 64
        expected = power[:, 0, 0], (power[:, 1, 0] + power[:, 0, 1]) / 2
        np.testing.assert_allclose(
            structure_factors(given, manifold=manifold), expected, rtol=1e-10, atol=1e-12
        )
        of_torch = structure_factors(torch.from_numpy(given), manifold=manifold)
        np.testing.assert_allclose(torch.stack(of_torch).numpy(), expected, rtol=1e-10, atol=1e-12)

    def test_gaussian_field(self):
        """S(k) = 1 / (k^2 + 1 / xi^2) with lattice momenta gives back xi, by its definition."""
        size, xi, n = 16, 3.0, 20_000
        rng = np.random.default_rng(5)
        k2 = 4 * np.sin(np.pi * np.arange(size) / size) ** 2
        amplitude = 1 / np.sqrt(k2[:, None] + k2 + xi**-2)
        noise = np.fft.fft2(rng.normal(size=(n, size, size)))
        field = np.fft.ifft2(noise * amplitude).real
        found = float(second_moment_correlation_length(field))
        assert found == pytest.approx(xi / size, rel=0.03)  # 3 % is 5 standard errors

    def test_refusals(self):
        for shape in [(2, 1, 1), (2, 3, 4)]:
            with pytest.raises(InputError, match="expected L x L with L of at least 2"):
                structure_factors(np.ones(shape))
        ordered = np.ones((2, 4, 4))
        with pytest.raises(InputError, match="`manifold`"):
            second_moment_correlation_length(ordered, manifold="spins")
