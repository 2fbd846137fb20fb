"""The phi^4 theory: exact answers by quadrature and Fourier transform, every update."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from topoml._core.errors import InputError
from topoml.kernels import phi4 as kernels
from topoml.lattice import Ising, Model, Phi4, simulate, start
from topoml.lattice.chain import blocks, thermalisation
from topoml.lattice.geometry import lattice_of
from topoml.lattice.hmc import hmc_start, hmc_step
from topoml.lattice.phi4 import _width

from . import oracles

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]  # statistical, or processes

UPDATES = ("wolff", "metropolis", "hmc")
COMPILED = UPDATES[:2]


def chains(model, shape, temperature, samples, n_chains, seed, update):
    """Configurations (chain, sample, *shape), after thermalisation, float64."""
    out = []
    for rng in np.random.default_rng(seed).spawn(n_chains):
        *_, state = thermalisation(start(model, shape, temperature, update=update), rng, 20)
        out.append(np.concatenate([block for _, block in blocks(state, samples, rng)]))
    return np.stack(out).astype(np.float64)


def action_of_bonds(phi, kappa, lam, lattice, shape):
    """(..., sites) by the list of bonds."""
    bonds = lattice_of(lattice, shape).bonds
    site = phi**2 + lam * (phi**2 - 1) ** 2
    return site.sum(-1) - 2 * kappa * (phi[..., bonds[:, 0]] * phi[..., bonds[:, 1]]).sum(-1)


def grid(kappa, lam, temperature, n):
    """Gauss-Legendre nodes and weights where single sites have weight, times their weight."""
    top = 1.0
    while (top**2 * (1 - 6 * kappa) + lam * (top**2 - 1) ** 2) / temperature < 40:
        top += 0.1
    x, w = np.polynomial.legendre.leggauss(n)
    x, w = top * x, top * w
    return x, w * np.exp(-(x**2 + lam * (x**2 - 1) ** 2) / temperature)


def ring(model, n_sites, temperature, n=120):
    """<phi^2>, <phi^4>, <phi phi'> of neighbours on a ring, by its transfer matrix."""
    x, w = grid(model.kappa, model.lam, temperature, n)
    root = np.sqrt(w)
    K = root[:, None] * np.exp(2 * model.kappa * np.outer(x, x) / temperature) * root
    power = np.linalg.matrix_power(K, n_sites - 1)
    rest = power @ K
    Z = np.trace(rest)
    two = [np.sum(x**k * np.diag(rest)) / Z for k in (2, 4)]
    return (*two, np.sum(np.outer(x, x) * K * power.T) / Z)


def ladder(model, n_rows, temperature, n=26):
    """The same on (n_rows, 2): two sites a row, joined by two bonds; phi phi' down a column."""
    x, w = grid(model.kappa, model.lam, temperature, n)
    a, b = [q.ravel() for q in np.meshgrid(x, x, indexing="ij")]
    row = np.outer(w, w).ravel() * np.exp(4 * model.kappa * a * b / temperature)
    root = np.sqrt(row)
    hop = np.exp(2 * model.kappa * (np.outer(a, a) + np.outer(b, b)) / temperature)
    K = root[:, None] * hop * root
    power = np.linalg.matrix_power(K, n_rows - 1)
    rest = power @ K
    Z = np.trace(rest)
    two = [np.sum(a**k * np.diag(rest)) / Z for k in (2, 4)]
    return (*two, np.sum(np.outer(a, a) * K * power.T) / Z)


def moments(x, axis):
    """The same of configurations (chain, sample, *shape), one a chain."""
    over = tuple(range(1, x.ndim))
    return (x**2).mean(over), (x**4).mean(over), (x * np.roll(x, 1, axis)).mean(over)


def scores(x, exact, axis=-1):
    return [abs(oracles.z_score(m, e)) for m, e in zip(moments(x, axis), exact, strict=True)]


class TestEnergy:
    @pytest.mark.parametrize(
        ("lattice", "shape"),
        [("chain", (5,)), ("square", (3, 4)), ("square", (2, 1)), ("cubic", (2, 3, 3)),
         ("hypercubic", (2, 2, 3, 2)), ("triangular", (3, 4)), ("honeycomb", (2, 3, 2))],
    )  # fmt: skip
    def test_is_the_sum_over_bonds(self, lattice, shape):
        model = Phi4(kappa=0.3, lam=0.7, lattice=lattice)
        phi = np.random.default_rng(1).normal(size=(2, 3, *shape))
        exact = action_of_bonds(phi.reshape(2, 3, -1), 0.3, 0.7, lattice, shape)
        np.testing.assert_allclose(model.energy(phi), exact, rtol=1e-13, atol=1e-12)
        of_torch = model.energy(torch.from_numpy(phi))
        np.testing.assert_allclose(of_torch.numpy(), exact, rtol=1e-13, atol=1e-12)
        assert model.energy(phi.astype(np.float32)).dtype == np.float32

    def test_gradient(self):
        phi = torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(3, 4).requires_grad_()
        assert torch.autograd.gradcheck(Phi4(kappa=0.3, lam=0.7).energy, phi)

    @pytest.mark.parametrize("lattice", ["chain", "square", "cubic", "triangular", "honeycomb"])
    @pytest.mark.parametrize(("kappa", "lam"), [(0.1, 0.05), (0.3, 0.7), (0.0, 2.0)])
    def test_the_ordered_state_is_the_uniform_minimum(self, lattice, kappa, lam):
        model = Phi4(kappa=kappa, lam=lam, lattice=lattice)
        shape = model.shape(3)
        state = model.ordered(shape)
        least = float(model.energy(state))
        for value in np.linspace(0, 3, 301):
            assert least <= float(model.energy(np.full(shape, value))) + 1e-9

    def test_facts(self):
        model = Phi4(kappa=0.2, lam=0.5)
        assert isinstance(model, Model)
        assert model.updates == UPDATES
        assert model.known_transition is None
        assert model.random_state((30, 40), np.random.default_rng(0)).std() == pytest.approx(1, 0.1)

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"kappa": -0.1}, "`kappa` is -0.1; expected a finite number of at least 0"),
            ({"kappa": "a"}, "`kappa` is 'a'; expected a finite number"),
            ({"lam": math.inf}, "`lam` is inf; expected a finite number"),
            ({"lattice": "kagome"}, "`lattice` is 'kagome'; expected one of"),
            ({"kappa": 0.25, "lam": 0}, "`kappa` is 0.25 with lam=0; expected less than 1/4"),
        ],
    )
    def test_refusals(self, wrong, message):
        with pytest.raises(InputError, match=message) as error:
            Phi4(**({"kappa": 0.2, "lam": 0.5} | wrong))
        assert "\n" not in str(error.value)


class TestExact:
    @pytest.mark.parametrize("update", COMPILED)
    def test_one_site(self, update):
        """A site joined to itself: a bond is -2 kappa phi^2."""
        model, t = Phi4(kappa=0.2, lam=0.8), 0.7

        def weight(x, k=0):
            return x**k * math.exp(-((1 - 4 * 0.2) * x**2 + 0.8 * (x * x - 1) ** 2) / t)

        Z = quad(weight, -6, 6)[0]
        exact = [quad(weight, -6, 6, args=(k,))[0] / Z for k in (2, 4)]
        x = chains(model, (1, 1), t, 3000, 16, 50, update)
        assert max(scores(x, (*exact, exact[0]))) < 5
        assert abs(oracles.z_score(x.mean((1, 2, 3)), 0.0)) < 5

    @pytest.mark.parametrize(
        ("n_sites", "t", "update"),
        [(2, 1.0, "wolff"), (7, 0.6, "wolff"), (2, 1.0, "metropolis"), (7, 0.6, "metropolis"),
         (3, 0.8, "hmc")],
    )  # fmt: skip
    def test_rings(self, n_sites, t, update):
        model = Phi4(kappa=0.3, lam=0.5, lattice="chain")
        n, n_chains = (40, 8) if update == "hmc" else (4000, 16)  # trajectories take 2 ms
        x = chains(model, (n_sites,), t, n, n_chains, 51, update)
        assert max(scores(x, ring(model, n_sites, t))) < 5
        assert abs(oracles.z_score(x.mean((1, 2)), 0.0)) < 5

    @pytest.mark.parametrize("update", COMPILED)
    @pytest.mark.parametrize("n_rows", [2, 3])
    def test_ladders(self, n_rows, update):
        model, t = Phi4(kappa=0.2, lam=0.5), 1.0
        x = chains(model, (n_rows, 2), t, 4000, 16, 52, update)
        assert max(scores(x, ladder(model, n_rows, t), axis=-2)) < 5

    def test_ladder_by_batched_hmc(self):
        model, generator = Phi4(kappa=0.2, lam=0.5), torch.Generator().manual_seed(57)
        field = torch.ones(64, 3, 2, dtype=torch.float64)
        state = hmc_start(model.energy, field, manifold="real", step_size=0.4, n_steps=3)
        x = []
        for _ in range(300):
            state, _ = hmc_step(state, generator)
            x.append(state.field)
        x = torch.stack(x[50:], 1).numpy()
        assert max(scores(x, ladder(model, 3, 1.0), axis=-2)) < 5

    def test_a_wrong_coupling_is_seen(self):
        """The control: kappa off by 5 %."""
        x = chains(Phi4(kappa=0.21, lam=0.5), (3, 2), 1.0, 4000, 16, 52, "wolff")
        assert max(scores(x, ladder(Phi4(kappa=0.2, lam=0.5), 3, 1.0), axis=-2)) > 5

    @pytest.mark.parametrize("update", COMPILED)
    @pytest.mark.parametrize(("lattice", "shape"), [("square", (4, 6)), ("cubic", (3, 4, 2))])
    def test_free_field(self, lattice, shape, update):
        r"""lambda = 0: <|phi_k|^2> = (T / 2) / (1 - 2 kappa sum_mu cos k_mu), every k."""
        t, kappa = 0.8, 0.22 if lattice == "square" else 0.14
        x = chains(Phi4(kappa=kappa, lam=0, lattice=lattice), shape, t, 3000, 16, 53, update)
        axes = tuple(range(-len(shape), 0))
        power = (np.abs(np.fft.fftn(x, axes=axes)) ** 2).mean(1) / math.prod(shape)
        k = np.meshgrid(*[2 * np.pi * np.arange(s) / s for s in shape], indexing="ij")
        exact = t / 2 / (1 - 2 * kappa * np.cos(k).sum(0))
        z = [
            oracles.z_score(power[(slice(None), *site)], exact[site]) for site in np.ndindex(shape)
        ]
        assert np.abs(z).max() < 5

    @pytest.mark.parametrize("update", ["wolff", "metropolis"])
    @pytest.mark.parametrize(
        ("lattice", "shape"),
        [("triangular", (2, 3)), ("honeycomb", (2, 2, 2)), ("hypercubic", (2, 2, 2, 2))],
    )
    def test_free_field_on_other_lattices(self, lattice, shape, update):
        """The inverse of the matrix of S, whose entries are counted from the bonds."""
        t, n_sites, kappa = 1.3, math.prod(shape), 0.1
        M = np.eye(n_sites)
        for a, b in lattice_of(lattice, shape).bonds:
            M[a, b] -= kappa
            M[b, a] -= kappa
        exact = np.linalg.inv(M) * t / 2
        x = chains(Phi4(kappa=kappa, lam=0.0, lattice=lattice), shape, t, 3000, 16, 54, update)
        x = x.reshape(16, 3000, n_sites)
        found = x.transpose(0, 2, 1) @ x / 3000
        error = found.std(0, ddof=1) / 4
        assert np.abs((found.mean(0) - exact) / error).max() < 5

    def test_ising_limit(self):
        """lambda = 10^4 leaves moduli 1 + O(1e-4): the signs are Ising spins with J = 2 kappa."""
        t, shape = 2.5, (2, 3)
        _, energy, weight = oracles.ising(shape, t)
        x = np.sign(chains(Phi4(kappa=0.5, lam=1e4), shape, t, 4000, 16, 55, "wolff"))
        assert abs(oracles.z_score(Ising().energy(x).mean(1), (weight * energy).sum())) < 5


class TestUpdates:
    def test_updates_agree_where_clusters_matter(self):
        """8 x 8 near its transition; no exact answer, two samplers that share no step."""
        model, found = Phi4(kappa=0.26, lam=0.5), []
        for update, n in (("wolff", 1000), ("metropolis", 4000)):
            x = chains(model, (8, 8), 1.0, n, 16, 56, update)
            found.append(np.stack([x.mean((-2, -1)) ** 2, model.energy(x) / 64]).mean(-1))
        error = np.sqrt((found[0].var(-1, ddof=1) + found[1].var(-1, ddof=1)) / 16)
        assert (np.abs(found[0].mean(-1) - found[1].mean(-1)) < 5 * error).all()

    def test_clusters_alone_keep_the_moduli(self):
        phi = np.random.default_rng(0).normal(size=24)
        before, stack = np.abs(phi), np.empty(25, np.int32)
        neighbours = lattice_of("square", (4, 6)).neighbours
        rng = np.random.default_rng(1)
        assert kernels.wolff(phi, neighbours, 0.3, 50, stack, rng) >= 50
        np.testing.assert_array_equal(np.abs(phi), before)

    def test_clusters_start_anywhere_and_end_at_no_coupling(self):
        neighbours, rng = lattice_of("square", (3, 5)).neighbours, np.random.default_rng(2)
        count, stack = np.zeros(15), np.empty(16, np.int32)
        for _ in range(6000):
            phi = np.ones(15)
            assert kernels.wolff(phi, neighbours, 0.0, 1, stack, rng) == 1
            count += phi < 0
        assert ((count - 400) ** 2 / 400).sum() < 44  # chi^2 of 14 degrees, 5e-5

    @pytest.mark.parametrize("update", UPDATES)
    def test_blocks_are_steps_and_states_are_left(self, update):
        model, rng = Phi4(kappa=0.2, lam=0.5), np.random.default_rng(3)
        state = start(model, (3, 4), 1.0, update=update)
        before = state.spins.copy()
        together = np.concatenate([x for _, x in blocks(state, 9, rng)])
        again, one_by_one = np.random.default_rng(3), []
        for _ in range(9):
            [(state, x)] = blocks(state, 1, again)
            one_by_one.append(x)
        np.testing.assert_array_equal(together, np.concatenate(one_by_one))
        assert rng.bit_generator.state == again.bit_generator.state
        np.testing.assert_array_equal(before, model.ordered((3, 4)))

    @pytest.mark.parametrize(
        ("update", "begin"), [("wolff", "random"), ("metropolis", "ordered"), ("hmc", "random")]
    )
    def test_simulate(self, update, begin):
        model = Phi4(kappa=0.2, lam=0.5)
        settings = {"samples": 2, "n_chains": 1, "seed": 4, "update": update, "start": begin}
        e = simulate(model, sizes=[3], temperatures=[1.0], n_jobs=1, **settings)
        again = simulate(model, sizes=[3], temperatures=[1.0], n_jobs=2, **settings)
        x = e.configurations(size=3, temperature=1.0)
        assert x.shape == (1, 2, 3, 3)
        assert x.dtype == np.float32
        np.testing.assert_array_equal(x, again.configurations(size=3, temperature=1.0))
        assert e.energy(size=3, temperature=1.0).shape == (1, 2)
        if update != "wolff":
            assert set(e.thinning[3][1.0]) == {1}

    @pytest.mark.parametrize("t", [1e-3, 1.0, 1e3])
    def test_half_of_the_proposals_are_accepted_at_any_temperature(self, t):
        model = Phi4(kappa=0.2, lam=0.5)
        phi, rng = model.ordered((8, 8)).reshape(-1), np.random.default_rng(5)
        neighbours, width = lattice_of("square", (8, 8)).neighbours, _width(model, (8, 8), t)
        kernels.metropolis(phi, neighbours, 0.2, 0.5, t, width, 100, rng)
        accepted = kernels.metropolis(phi, neighbours, 0.2, 0.5, t, width, 300, rng)
        assert accepted / 64 / 300 == pytest.approx(0.5, abs=0.05)
