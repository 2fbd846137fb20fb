"""Topology of gauge fields against walks along the links, planted charges and monopoles."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.lattice import (
    clover_charge,
    clover_charge_density,
    monopole_currents,
    plaquette_angles,
    topological_charge,
)

from .walks import gauge_angles, gauge_matrices, haar, matrices, rectangle, walk

TOL = 1000 * np.finfo(np.float64).eps  # sums over some hundred sites, of products of matrices
SIDES = st.integers(1, 6)
SEEDS = st.integers(0, 2**32)


def constant_flux(n0, n1, charge):
    """Links with the angle 2 pi charge / (n0 n1) in every plaquette, but for multiples of 2 pi."""
    flux = 2 * np.pi * charge / (n0 * n1)
    links = np.zeros((2, n0, n1))
    links[1] = flux * np.arange(n0)[:, None]
    links[0, -1] = -flux * n0 * np.arange(n1)
    return links


class TestTopologicalCharge:
    @given(SIDES, SIDES, SEEDS)
    def test_walks(self, n0, n1, seed):
        theta = np.random.default_rng(seed).uniform(-5, 5, (2, n0, n1))
        total = 0.0
        for x in np.ndindex(n0, n1):
            product, _ = walk(matrices(theta), x, rectangle(0, 1, 1, 1))
            total += np.angle(product[0, 0]) / (2 * np.pi)
        found = topological_charge(theta)
        assert found.dtype == np.int64
        assert found == pytest.approx(total, abs=1e-9)
        of_torch = topological_charge(torch.from_numpy(theta))
        assert of_torch.dtype == torch.int64
        assert of_torch.item() == found

    @pytest.mark.parametrize("charge", [-3, -1, 0, 1, 4])
    def test_planted(self, charge):
        """A constant flux, in any gauge and on any branch."""
        rng = np.random.default_rng(charge + 10)
        links = constant_flux(5, 4, charge)
        angle = plaquette_angles(links, dim=2)
        np.testing.assert_allclose(angle, 2 * np.pi * charge / 20, rtol=0, atol=TOL)
        moved = gauge_angles(links, rng.uniform(-3, 3, (5, 4)))
        moved += 2 * np.pi * rng.integers(-1, 2, moved.shape)
        assert topological_charge(links) == topological_charge(moved) == charge
        both = topological_charge(np.stack([links, -links])[None])
        np.testing.assert_array_equal(both, [[charge, -charge]])

    def test_the_test_sees_one_turned_link(self):
        """The control: a link turned by up to pi - 0.31 moves flux, by more it takes a quantum."""
        links = constant_flux(5, 4, 1)
        found = []
        for turn in (0.0, 2.0, -2.5, 3.0, -3.0):
            moved = links.copy()
            moved[0, 2, 2] += turn  # one plaquette gains it, one loses it, both from 0.31
            found.append(int(topological_charge(moved)))
        assert found == [1, 1, 1, 0, 0]

    @given(SIDES, SIDES, SEEDS, st.sampled_from([2, 4]))
    def test_ties_stay_whole(self, n0, n1, seed, q):
        """Plaquettes of exactly pi: some integer, that the density adds up to or not."""
        theta = 2 * np.pi / q * np.random.default_rng(seed).integers(-q, q, (2, n0, n1))
        assert topological_charge(theta).dtype == np.int64

    def test_refusals(self):
        with pytest.raises(InputError, match=r"expected \(\*batch, 2, \*L\)"):
            topological_charge(np.zeros((3, 4, 4, 4)))
        with pytest.raises(InputError, match="expected angles"):
            topological_charge(np.ones((2, 4, 4), int))


def density_by_walks(u, x):
    """The sum over all 24 orders of the indices, of products of clover leaves walked one by one."""
    fields = {}
    for m, n in itertools.permutations(range(4), 2):
        clover = 0
        for path in (
            [(m, 1), (n, 1), (m, -1), (n, -1)],
            [(n, 1), (m, -1), (n, -1), (m, 1)],
            [(m, -1), (n, -1), (m, 1), (n, 1)],
            [(n, -1), (m, 1), (n, 1), (m, -1)],
        ):
            clover = clover + walk(u, x, path)[0]
        f = (clover - clover.conj().T) / 8j
        fields[m, n] = f - np.trace(f) / len(f) * np.eye(len(f))
    total = 0.0
    for order in itertools.permutations(range(4)):
        sign = np.linalg.det(np.eye(4)[list(order)])
        a, b, c, d = order
        total += sign * np.trace(fields[a, b] @ fields[c, d])
    assert abs(total.imag) < 1e-12
    return total.real / (32 * np.pi**2)


class TestCloverCharge:
    @pytest.mark.parametrize("n", [2, 3])
    def test_walks(self, n):
        u = haar(np.random.default_rng(n), n, 4, 2, 3, 2, 3)
        found = clover_charge_density(u)
        for x in np.ndindex(2, 3, 2, 3):
            assert found[x] == pytest.approx(density_by_walks(u, x), abs=TOL)
        assert np.abs(found).max() > 0.01
        assert clover_charge(u) == pytest.approx(found.sum(), abs=TOL)

    @pytest.mark.parametrize(("a", "b"), [(1, 1), (2, -1), (0, 3)])
    def test_abelian_fluxes(self, a, b):
        """a and b quanta of sigma_3 in two planes: 2 a b, with sin(phi) / phi for each flux phi."""
        sides = (5, 6, 4, 7)
        theta = np.zeros((4, *sides))
        theta[:2] = constant_flux(*sides[:2], a)[:, :, :, None, None]
        theta[2:] = constant_flux(*sides[2:], b)[:, None, None]
        u = np.zeros((4, *sides, 2, 2), complex)
        u[..., 0, 0], u[..., 1, 1] = np.exp(1j * theta), np.exp(-1j * theta)
        fluxes = [2 * np.pi * k / (n * m) for k, n, m in ((a, 5, 6), (b, 4, 7))]
        exact = 2 * math.prod(sides) * math.prod(map(math.sin, fluxes)) / (4 * math.pi**2)
        assert clover_charge(u) == pytest.approx(exact, abs=TOL)
        if a * b:
            assert exact == pytest.approx(2 * a * b, rel=0.15)
        g = haar(np.random.default_rng(0), 2, *sides)
        moved = gauge_matrices(u, g)
        assert clover_charge(moved) == pytest.approx(exact, abs=TOL)
        assert abs(clover_charge(g @ u) - exact) > 1e-2  # the control: one end only

    def test_reflections_turn_the_sign(self):
        """x_0 -> -x_0: links along 0 are daggered and start at the other end."""
        u = haar(np.random.default_rng(5), 2, 4, 3, 2, 2, 2)
        mirrored = np.flip(u, 1).copy()
        mirrored[0] = np.roll(mirrored[0], -1, 0).conj().swapaxes(-1, -2)
        charge = clover_charge(u)
        assert abs(charge) > 0.01
        assert clover_charge(mirrored) == pytest.approx(-charge, abs=TOL)

    def test_batches_torch_and_precision(self):
        u = haar(np.random.default_rng(6), 2, 2, 1, 4, 2, 2, 2, 3)
        found = clover_charge(u)
        assert found.shape == (2, 1)
        assert clover_charge(u[1, 0]) == pytest.approx(found[1, 0], abs=TOL)
        of_torch = clover_charge(torch.from_numpy(u).to(torch.complex64))
        assert of_torch.dtype == torch.float32
        np.testing.assert_allclose(of_torch.numpy(), found, rtol=0, atol=1e-5)  # 100 roundings

    def test_gradient(self):
        u = torch.from_numpy(haar(np.random.default_rng(7), 2, 4, 1, 1, 1, 2)).requires_grad_()
        assert torch.autograd.gradcheck(clover_charge_density, u)

    def test_refusals(self):
        with pytest.raises(InputError, match="expected complex matrices"):
            clover_charge(np.zeros((4, 2, 2, 2, 2)))
        with pytest.raises(InputError, match="has shape"):
            clover_charge(np.zeros((3, 2, 2, 2, 2, 2), complex))


def flux_out(theta, mu, x):
    """Out of the cube at x orthogonal to mu, face by face, each walked around; in units of 2 pi."""
    u, total = matrices(theta), 0.0
    for nu in (a for a in range(4) if a != mu):
        rho, sigma = (a for a in range(4) if a not in (mu, nu))
        sign = round(np.linalg.det(np.eye(4)[[mu, nu, rho, sigma]]))
        for side, way in ((1, 1), (0, -1)):
            at = list(x)
            at[nu] = (at[nu] + side) % theta.shape[1 + nu]
            product, _ = walk(u, at, rectangle(rho, sigma, 1, 1))
            total += sign * way * np.angle(product[0, 0])
    return total / (2 * np.pi)


def static_monopoles(side, plus, minus):
    """Links (4, 1, L, L, L) with a monopole in one cube of space and an antimonopole in another.

    The field of both by a Fourier sum, a string of flux 2 pi along the third axis, and links whose
    curl is the field less the string.
    """
    charge = np.zeros((side,) * 3)
    charge[plus], charge[minus] = 1.0, -1.0
    k = np.stack(np.meshgrid(*[2 * np.pi * np.fft.fftfreq(side)] * 3, indexing="ij"))
    ahead = np.exp(1j * k) - 1  # of the difference to the next site
    laplacian = (np.abs(ahead) ** 2).sum(0)
    laplacian[0, 0, 0] = 1.0
    # B_nu(x) of the face orthogonal to nu with lowest corner x: sum of B_nu(x + nu) - B_nu(x)
    potential = np.fft.fftn(2 * np.pi * charge) / laplacian
    field = np.fft.ifftn(ahead.conj() * potential, axes=(1, 2, 3)).real
    string = np.zeros((3, side, side, side))
    assert plus[:2] == minus[:2]
    string[2, plus[0], plus[1], plus[2] + 1 : minus[2] + 1] = 2 * np.pi
    curl = field - string
    curl -= curl.mean((1, 2, 3), keepdims=True)
    assert np.abs(curl + string).max() < np.pi
    f = np.fft.fftn(curl, axes=(1, 2, 3))
    links = np.zeros((4, 1, side, side, side))
    for a in range(3):  # minus the curl by back-differences of the curl, over the Laplacian
        b, c = (a + 1) % 3, (a + 2) % 3
        spectrum = -(ahead[b].conj() * f[c] - ahead[c].conj() * f[b]) / laplacian
        links[1 + a, 0] = np.fft.ifftn(spectrum).real
    return links


class TestMonopoleCurrents:
    def test_walks(self):
        theta = np.random.default_rng(0).uniform(-np.pi, np.pi, (4, 2, 3, 2, 3))
        found = monopole_currents(theta)
        assert found.dtype == np.int8
        assert np.abs(found).max() >= 1
        for mu in range(4):
            for x in np.ndindex(theta.shape[1:]):
                assert found[(mu, *x)] == pytest.approx(flux_out(theta, mu, x), abs=1e-10)
        of_torch = monopole_currents(torch.from_numpy(theta))
        assert of_torch.dtype == torch.int8
        np.testing.assert_array_equal(of_torch.numpy(), found)

    @given(st.tuples(*[st.integers(1, 4)] * 4), SEEDS, st.sampled_from([0, 2, 4]))
    def test_conserved(self, sides, seed, q):
        """Also where plaquettes are exactly pi; and no slice has a current through it."""
        rng = np.random.default_rng(seed)
        theta = rng.uniform(-9, 9, (2, 4, *sides))
        if q:
            theta = 2 * np.pi / q * rng.integers(-q, q, (2, 4, *sides))
        k = monopole_currents(theta).astype(int)
        divergence = sum(np.roll(k[:, mu], -1, 1 + mu) - k[:, mu] for mu in range(4))
        assert not divergence.any()
        for mu in range(4):
            assert not k[:, mu].sum(tuple(a for a in range(1, 5) if a != 1 + mu)).any()

    def test_the_test_sees_a_broken_current(self):
        """The control: the currents of one direction moved by a site."""
        theta = np.random.default_rng(1).uniform(-np.pi, np.pi, (4, 3, 3, 3, 3))
        k = monopole_currents(theta).astype(int)
        k[2] = np.roll(k[2], 1, 2)
        assert sum(np.roll(k[mu], -1, mu) - k[mu] for mu in range(4)).any()

    def test_gauge_invariance(self):
        rng = np.random.default_rng(2)
        theta = rng.uniform(-np.pi, np.pi, (4, 3, 2, 4, 3))
        moved = gauge_angles(theta, rng.uniform(-3, 3, theta.shape[1:]))
        moved += 2 * np.pi * rng.integers(-2, 3, moved.shape)
        found = monopole_currents(theta)
        np.testing.assert_array_equal(monopole_currents(moved), found)
        broken = theta + rng.uniform(-3, 3, theta.shape[1:])
        assert (monopole_currents(broken) != found).any()

    def test_planted(self):
        """A monopole at rest is a current along axis 0, the antimonopole one against it."""
        links = static_monopoles(8, (3, 4, 1), (3, 4, 5))
        found = monopole_currents(links)
        assert [(*at, int(found[tuple(at)])) for at in np.argwhere(found)] == [
            (0, 0, 3, 4, 1, 1),
            (0, 0, 3, 4, 5, -1),
        ]

    def test_weak_fields_have_none(self):
        theta = np.random.default_rng(3).uniform(-0.7, 0.7, (4, 3, 3, 3, 3))
        assert not monopole_currents(theta).any()
