"""Users' own models: nothing but an energy, on every manifold, against exact answers."""

import itertools
import math

import numba
import numpy as np
import pytest
import torch
from scipy.special import iv
from scipy.stats import chi2

from topoml._core.errors import InputError
from topoml.lattice import XY, CustomModel, Known, Model, Phi4, metropolis, simulate, start
from topoml.lattice.chain import blocks, thermalisation
from topoml.lattice.custom import _scale
from topoml.lattice.metropolis import moved, sublattices, window_sums
from topoml.phases import detect

from . import oracles
from .test_phi4 import ring

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]  # statistical, or processes


def xy_sites(theta):
    return -torch.cos(theta - theta.roll(1, -1)) - torch.cos(theta - theta.roll(1, -2))


def xy_total(theta):
    return xy_sites(theta).sum((-2, -1))


@numba.njit
def xy_compiled(theta):
    total = 0.0
    n0, n1 = theta.shape
    for i in range(n0):
        for j in range(n1):
            total -= math.cos(theta[i, j] - theta[i - 1, j])
            total -= math.cos(theta[i, j] - theta[i, j - 1])
    return total


def phi4_sites(phi, kappa=0.3, lam=0.5):
    """A ring along the last axis."""
    return -2 * kappa * phi * phi.roll(1, -1) + phi**2 + lam * (phi**2 - 1) ** 2


def phi4_total(phi):
    return phi4_sites(phi).sum(-1)


@numba.njit
def phi4_compiled(phi):
    total = 0.0
    for i in range(phi.shape[0]):
        f = phi[i]
        total += -0.6 * f * phi[i - 1] + f**2 + 0.5 * (f**2 - 1.0) ** 2
    return total


def heisenberg_sites(s):
    """A ring along the last axis."""
    return -(s * s.roll(1, -2)).sum(-1)


def heisenberg_total(s):
    return heisenberg_sites(s).sum(-1)


@numba.njit
def heisenberg_compiled(s):
    total = 0.0
    for i in range(s.shape[0]):
        for k in range(3):
            total -= s[i, k] * s[i - 1, k]
    return total


FIELD = torch.tensor([0.0, 0.3, -0.2], dtype=torch.float64)


def potts_sites(s):
    """Potts 3 in a field of its own for each label."""
    same = (s == s.roll(1, -1)).double() + (s == s.roll(1, -2)).double()
    return FIELD[s] - same


def potts_total(s):
    return potts_sites(s).sum((-2, -1))


@numba.njit
def potts_compiled(s):
    total = 0.0
    n0, n1 = s.shape
    for i in range(n0):
        for j in range(n1):
            total += (0.0, 0.3, -0.2)[s[i, j]]
            total -= (s[i, j] == s[i - 1, j]) + (s[i, j] == s[i, j - 1])
    return total


def kinds(sites, total, compiled, lattices, **settings):
    """The same model given in three ways, that of sites on many lattices side by side.

    Rolls along the last axes leave the first one uncoupled: copies at the price of one.
    """
    one, many = lattices
    return {
        "sites": CustomModel(sites, reach=1, lattice=many, **settings),
        "total": CustomModel(total, lattice=one, **settings),
        "compiled": CustomModel(compiled, lattice=one, **settings),
    }


PLANE, LINE = ("square", "cubic"), ("chain", "square")
CIRCLE = kinds(xy_sites, xy_total, xy_compiled, PLANE, manifold="circle")
REAL = kinds(phi4_sites, phi4_total, phi4_compiled, LINE, manifold="real")
SPHERE = kinds(heisenberg_sites, heisenberg_total, heisenberg_compiled, LINE, manifold="sphere")
LABELS = kinds(potts_sites, potts_total, potts_compiled, PLANE, manifold="discrete", n_states=3)
MODELS = [CIRCLE, REAL, SPHERE, LABELS]
WAYS = ["sites", "total", "compiled"]
COPIES = 60


def chains(model, shape, temperature, seed, update="metropolis"):
    """Configurations (chain, sample, *shape), float64 or labels, from random starts.

    Of an energy of sites one chain of 60 copies; of the others 8 or 16 chains.
    """
    n_chains, samples, whole = 16, 1200, shape
    if model in TOTALS:
        n_chains, samples = 8, 150
    elif model.reach is not None:
        n_chains, samples, whole = 1, 150, (COPIES, *shape)
    out = []
    for rng in np.random.default_rng(seed).spawn(n_chains):
        *_, state = thermalisation(
            start(model, whole, temperature, update=update, rng=rng), rng, 20
        )
        assert state.rounds == 1
        out.append(np.concatenate([block for _, block in blocks(state, samples, rng)]))
    x = np.stack(out)
    if model.reach is not None:
        x = np.moveaxis(x[0], 1, 0)
    return x.astype(np.float64) if x.dtype.kind == "f" else x.astype(int)


TOTALS = [model["total"] for model in MODELS]


def heisenberg_ring(beta):
    """Energy of a ring of 4: the transfer matrix has 2 l + 1 eigenvalues ~ i_l(beta)."""
    ls = np.arange(12)

    def log_z(b):
        return np.log(((2 * ls + 1) * (np.sqrt(np.pi / (2 * b)) * iv(ls + 0.5, b)) ** 4).sum())

    return -(log_z(beta + 1e-5) - log_z(beta - 1e-5)) / 2e-5


class TestExact:
    @pytest.mark.parametrize("way", WAYS)
    def test_circle(self, way):
        """XY on 2 x 2, by quadrature over the angles."""
        exact, variance = oracles.xy((2, 2), 0.8929)
        x = chains(CIRCLE[way], (2, 2), 0.8929, seed=60)
        assert np.abs(x).max() <= np.float32(np.pi)
        e = XY().energy(x)
        assert abs(oracles.z_score(e.mean(1), exact)) < 5
        assert abs(oracles.z_score(((e - exact) ** 2).mean(1), variance)) < 5
        assert abs(oracles.z_score(np.cos(x).mean((1, 2, 3)), 0.0)) < 5

    @pytest.mark.parametrize("way", WAYS)
    def test_real(self, way):
        """A phi^4 ring of 7, by its transfer matrix."""
        exact = ring(Phi4(kappa=0.3, lam=0.5, lattice="chain"), 7, 1.0)
        x = chains(REAL[way], (7,), 1.0, seed=61)
        for y, value in zip((x**2, x**4, x * np.roll(x, 1, -1)), exact, strict=True):
            assert abs(oracles.z_score(y.mean((1, 2)), value)) < 5

    @pytest.mark.parametrize("way", WAYS)
    def test_sphere(self, way):
        exact = heisenberg_ring(1.4)
        x = chains(SPHERE[way], (4,), 1 / 1.4, seed=62)
        np.testing.assert_allclose(np.linalg.norm(x, axis=-1), 1.0, atol=1e-6)
        e = -(x * np.roll(x, 1, -2)).sum((-2, -1))
        assert abs(oracles.z_score(e.mean(1), exact)) < 5
        for k in range(3):
            assert abs(oracles.z_score(x[..., k].mean((1, 2)), 0.0)) < 5

    @pytest.mark.parametrize("way", WAYS)
    def test_labels(self, way):
        """All 81 states of 2 x 2: the energy, and how often each label comes."""
        states = np.array(list(itertools.product(range(3), repeat=4)))
        energy = LABELS["total"].energy(states.reshape(-1, 2, 2))
        weight = np.exp(-energy / 1.5)
        weight /= weight.sum()
        x = chains(LABELS[way], (2, 2), 1.5, seed=63)
        e = LABELS["total"].energy(x)
        assert abs(oracles.z_score(e.mean(1), (weight * energy).sum())) < 5
        for label in range(3):
            exact = (weight * (states == label).mean(1)).sum()
            assert abs(oracles.z_score((x == label).mean((1, 2, 3)), exact)) < 5

    def test_distribution_of_labels(self):
        """Chi-squared over all 81 states of 2 x 2, samples 6 sweeps apart."""
        states = np.array(list(itertools.product(range(3), repeat=4)))
        energy = LABELS["total"].energy(states.reshape(-1, 2, 2))
        weight = np.exp(-energy / 4.0)
        x = chains(LABELS["compiled"], (2, 2), 4.0, seed=64)[:, ::6]
        code = x.reshape(-1, 4) @ 3 ** np.arange(4)[::-1]
        expected = weight / weight.sum() * len(code)
        assert expected.min() > 10
        statistic = ((np.bincount(code, minlength=81) - expected) ** 2 / expected).sum()
        assert statistic < chi2.isf(1e-6, 80)

    def test_circle_by_hmc(self):
        x = chains(CIRCLE["sites"], (2, 2), 1.0, seed=72, update="hmc")
        assert abs(oracles.z_score(XY().energy(x).mean(1), oracles.xy((2, 2), 1.0)[0])) < 5


class TestBroken:
    def test_windows_too_small(self, monkeypatch):
        """The control: a site that does not ask its neighbours' energies."""
        monkeypatch.setattr(metropolis, "window_sums", lambda change, reach: change)
        monkeypatch.setattr("topoml.lattice.custom._scale", lambda *a: 1.0)
        x = chains(SPHERE["sites"], (4,), 1 / 1.4, seed=62)
        e = -(x * np.roll(x, 1, -2)).sum((-2, -1))
        assert abs(oracles.z_score(e.mean(1), heisenberg_ring(1.4))) > 10

    def test_proposals_of_one_sign(self, monkeypatch):
        """The control: a step that is never taken back."""
        monkeypatch.setattr(
            metropolis, "moved", lambda x, scale, *a: x + scale * torch.rand(x.shape)
        )
        monkeypatch.setattr("topoml.lattice.custom._scale", lambda *a: 0.5)
        exact = ring(Phi4(kappa=0.3, lam=0.5, lattice="chain"), 7, 1.0)[0]
        x = chains(REAL["sites"], (7,), 1.0, seed=66)
        assert abs(oracles.z_score((x**2).mean((1, 2)), exact)) > 10


class TestProposals:
    @pytest.mark.parametrize("manifold", ["circle", "sphere", "discrete"])
    def test_leave_the_invariant_measure(self, manifold):
        """Without an energy, uniform spins stay uniform; chi-squared over cells of equal size."""
        rng, n = np.random.default_rng(67), 6000
        model = CustomModel(potts_total, manifold=manifold, lattice="chain", n_states=5)
        x = torch.from_numpy(model.random_state((n,), rng))
        new = moved(x, 0.9, manifold, 5, rng).numpy()
        assert (np.abs(new - x.numpy()).reshape(n, -1).max(1) > 0).all()
        if manifold == "sphere":  # Archimedes: the third component is uniform
            new = new[:, 2] * math.pi
        if manifold == "discrete":
            count = np.bincount(new, minlength=5)
        else:
            count = np.histogram(new, 10, (-math.pi, math.pi))[0]
        assert count.sum() == n
        expected = n / len(count)
        assert ((count - expected) ** 2 / expected).sum() < chi2.isf(1e-6, len(count) - 1)

    @pytest.mark.parametrize("compiled", [False, True])
    @pytest.mark.parametrize("models", MODELS, ids=lambda models: models["total"].manifold)
    def test_are_as_likely_as_the_way_back(self, models, compiled):
        """From equal spins: steps of either sign, to every other label alike."""
        model, rng, n = models["compiled"], np.random.default_rng(74), 1600
        shape = (n,) if model.lattice == "chain" else (40, 40)
        x = model.ordered(shape)
        if compiled:  # all are accepted
            assert model._sweep(x, 1e300, 0.9, np.arange(n), rng) == 1.0
        else:
            x = moved(torch.from_numpy(x), 0.9, model.manifold, 3, rng).numpy()
        if model.manifold == "discrete":
            count = np.bincount(x.ravel(), minlength=3)
            assert count[0] == 0
            assert abs(count[1] - n / 2) < 5 * np.sqrt(n) / 2
        else:
            steps = x[:, :2].T if model.manifold == "sphere" else x.reshape(1, n)
            assert (np.abs(steps.mean(1)) < 5 * steps.std(1) / np.sqrt(n)).all()

    @pytest.mark.parametrize("way", ["sites", "compiled"])
    def test_half_are_accepted(self, way):
        model, rng = REAL[way], np.random.default_rng(68)
        shape = {"sites": (12, 9), "compiled": (108,)}[way]
        x, scale, order = model.ordered(shape), _scale(model, shape, 0.01), np.arange(108)
        shares = [model._sweep(x, 0.01, scale, order, rng) for _ in range(90)]
        assert np.mean(shares[30:]) == pytest.approx(0.5, abs=0.06)


class TestSublattices:
    @pytest.mark.parametrize("reach", [0, 1, 2])
    @pytest.mark.parametrize("shape", [(1,), (5,), (6, 7), (12, 1), (4, 9, 2), (3, 11, 2)])
    def test_share_out_the_sites_far_apart(self, shape, reach):
        masks = sublattices(shape, reach)
        assert (torch.stack(masks).sum(0) == 1).all()
        for mask in masks:
            assert int(window_sums(mask.double(), reach).max()) == 1

    def test_as_few_as_the_windows_where_they_fit(self):
        assert len(sublattices((9, 6), 1)) == 9
        assert len(sublattices((8, 8), 0)) == 1

    @pytest.mark.parametrize("shape", [(1,), (5,), (4, 7), (2, 3, 5)])
    def test_window_sums(self, shape):
        x = np.random.default_rng(69).normal(size=shape)
        for reach in (0, 1, 2):
            exact = np.zeros(shape)
            for a, b in itertools.product(np.ndindex(shape), repeat=2):
                steps = [min((i - j) % n, (j - i) % n) for i, j, n in zip(a, b, shape, strict=True)]
                exact[a] += x[b] * (max(steps) <= reach)
            found = window_sums(torch.from_numpy(x), reach)
            np.testing.assert_allclose(found.numpy(), exact, atol=1e-13)


class TestModel:
    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("models", MODELS, ids=lambda models: models["total"].manifold)
    def test_energy_on_arrays(self, models, way):
        model, rng = models[way], np.random.default_rng(70)
        assert isinstance(model, Model)
        x = np.stack([model.random_state(model.shape(3), rng) for _ in range(6)])
        exact = models["total"].function(torch.from_numpy(x)).numpy()
        exact = exact.reshape(6, -1).sum(1)  # over the copies
        np.testing.assert_allclose(model.energy(x), exact, rtol=1e-12)
        np.testing.assert_allclose(model.energy(x[0]), exact[0], rtol=1e-12)
        pairs = x.reshape(2, 3, *x.shape[1:])
        np.testing.assert_allclose(model.energy(pairs), exact.reshape(2, 3), rtol=1e-12)
        as_torch = model.energy(torch.from_numpy(x))
        np.testing.assert_allclose(as_torch.numpy(), exact, rtol=1e-12)
        dtype = np.float64 if model.manifold == "discrete" else np.float32
        assert model.energy(x.astype(model.dtype)).dtype == dtype

    def test_updates(self):
        assert CIRCLE["total"].updates == ("hmc", "metropolis")
        assert CIRCLE["sites"].updates == ("metropolis", "hmc")
        assert CIRCLE["compiled"].updates == LABELS["sites"].updates == ("metropolis",)

    def test_facts_are_the_users(self):
        known = Known(0.9, None, "me")
        model = CustomModel(xy_total, "circle", name="mine", symmetry="O(2)", order="BKT",
                            known_transition=known)  # fmt: skip
        assert (model.name, model.symmetry, model.order) == ("mine", "O(2)", "BKT")
        assert model.known_transition == known

    @pytest.mark.parametrize(
        ("lattice", "shape"),
        [("chain", (5,)), ("cubic", (3, 3, 3)), ("triangular", (3, 3)), ("honeycomb", (2, 2, 2))],
    )
    def test_other_lattices(self, lattice, shape):
        n = len(shape)
        model = CustomModel(lambda s: 0.5 * s.double() + s.roll(1, -1), manifold="discrete",
                            lattice=lattice, reach=1)  # fmt: skip
        x, _ = model.sample(model.ordered(shape), 1.0, 1, 3, np.random.default_rng(71))
        assert x.shape == (3, *shape)
        assert x.dtype == np.int8
        assert model.energy(x).shape == (3,)
        assert len(model.components) == 0
        assert x.ndim == n + 1

    @pytest.mark.parametrize("way", WAYS)
    def test_simulate_is_reproducible(self, way):
        settings = {"sizes": [3], "temperatures": [0.7], "samples": 4, "n_chains": 2, "seed": 5,
                    "update": "metropolis"}  # fmt: skip
        a = simulate(REAL[way], n_jobs=1, **settings)
        b = simulate(REAL[way], n_jobs=2, **settings)
        x = a.configurations(size=3, temperature=0.7)
        np.testing.assert_array_equal(x, b.configurations(size=3, temperature=0.7))
        assert a.energy(size=3, temperature=0.7).shape == (2, 2)

    def test_a_store_holds_the_same_bits(self, tmp_path):
        settings = {"sizes": [3], "temperatures": [1.0], "samples": 2, "n_chains": 1, "seed": 7}
        model = LABELS["total"]
        kept = simulate(model, store=tmp_path / "kept", n_jobs=1, **settings)
        x = simulate(model, n_jobs=1, **settings).configurations(size=3, temperature=1.0)
        np.testing.assert_array_equal(kept.configurations(size=3, temperature=1.0), x)

    def test_detect_takes_it(self):
        """The lattices are too small to ask for more than to run."""
        model = LABELS["compiled"]
        ensemble = simulate(model, sizes=[8, 16], temperatures=[0.5, 0.8, 1.1, 1.5], samples=16,
                            n_chains=4, seed=6)  # fmt: skip
        assert ensemble.configurations(size=8, temperature=0.8).shape == (4, 4, 8, 8)
        transition = detect(ensemble)
        assert transition.estimate is None or 0.5 < transition.estimate < 1.5


class TestRefusals:
    @pytest.mark.parametrize(
        ("function", "settings", "message"),
        [
            (3.0, {}, "`function` is 3.0; expected a function"),
            (xy_total, {"manifold": "torus"}, "`manifold` is 'torus'; expected one of 'real'"),
            (xy_total, {"lattice": "kagome"}, "`lattice` is 'kagome'"),
            (xy_total, {"reach": -1}, "`reach` is -1; expected an integer of at least 0"),
            (xy_compiled, {"reach": 1}, "`reach` is given with a function of numba"),
            (xy_total, {"n_states": 1}, "`n_states` is 1; expected an integer of at least 2"),
            (xy_total, {"n_components": 1}, "`n_components` is 1"),
            (xy_total, {"known_transition": 0.9}, "`known_transition` is 0.9; expected None or a"),
        ],
    )
    def test_at_construction(self, function, settings, message):
        with pytest.raises(InputError, match=message) as error:
            CustomModel(function, **({"manifold": "circle"} | settings))
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize(
        ("function", "settings", "message"),
        [
            (xy_sites, {}, r"returns shape \(1, 3, 3\) for configurations of shape \(1, 3, 3\)"),
            (xy_total, {"reach": 1}, r"expected a torch tensor of shape \(1, 3, 3\), one energy a"),
            (lambda x: x.sum(), {}, r"returns shape \(\) for configurations"),
            (lambda x: 1.0, {}, "returns float for configurations"),
            (lambda x: x.sum((1, 2)) / 0, {}, "is nan where all spins are alike"),
        ],
    )  # fmt: skip
    def test_at_the_first_sample(self, function, settings, message):
        model = CustomModel(function, manifold="circle", **settings)
        with pytest.raises(InputError, match=message) as error:
            simulate(model, sizes=[3], temperatures=[1.0], samples=1, n_chains=1, seed=0,
                     update="metropolis")  # fmt: skip
        assert "\n" not in str(error.value)

    def test_a_reach_that_is_too_short(self):
        far = CustomModel(lambda x: -torch.cos(x - x.roll(2, -1)), manifold="circle", reach=1)
        with pytest.raises(InputError, match=r"`reach` is 1, but the energy of site \(\d, \d\)"):
            simulate(far, sizes=[5], temperatures=[1.0], samples=1, n_chains=1, seed=0)
        near = CustomModel(lambda x: -torch.cos(x - x.roll(2, -1)), manifold="circle", reach=2)
        near.sample(near.ordered((5, 5)), 1.0, 1, 1, np.random.default_rng(0))

    def test_no_derivative(self):
        model = CustomModel(lambda x: torch.round(x).detach().sum((1, 2)), manifold="real")
        with pytest.raises(InputError, match="`energy` returns a tensor without a derivative"):
            model.sample(model.ordered((2, 2)), 1.0, 1, 1, np.random.default_rng(0), "hmc")

    @pytest.mark.parametrize("reach", [None, 0])
    def test_states_without_an_energy_are_never_reached(self, reach):
        """Of -log(1 + x) there is none below -1."""

        def energy(x):
            sites = x**2 / 2 - torch.log(x + 1)
            return sites if reach == 0 else sites.flatten(1).sum(1)

        model = CustomModel(energy, "real", reach=reach)
        e = simulate(model, sizes=[3], temperatures=[1.0], samples=64, seed=0, update="metropolis")
        x = e.configurations(size=3, temperature=1.0)
        assert -1 < x.min() < -0.7
        assert np.isfinite(e.energy(size=3, temperature=1.0)).all()

    def test_hmc_where_random_starts_are_forbidden(self):
        def energy(x):
            return torch.where((x.abs() > 0.5).flatten(1).any(1), torch.inf, x.square().sum((1, 2)))

        e = simulate(
            CustomModel(energy, "real"), sizes=[2], temperatures=[1.0], samples=64, seed=0,
            update="hmc",
        )  # fmt: skip
        x = e.configurations(size=2, temperature=1.0)
        assert 0.3 < np.abs(x).max() <= 0.5

    def test_hmc_from_a_state_that_no_trajectory_leaves(self):
        """It says that no step is small enough, and does not look for one for ever."""

        def energy(x):
            return 1e9 * (x != 0).flatten(1).any(1) + x.square().sum((1, 2))

        with pytest.raises(InputError, match=r"^`temperature` is 1.0, at which trajectories"):
            simulate(
                CustomModel(energy, "real"), sizes=[2], temperatures=[1.0], samples=8, seed=0,
                update="hmc",
            )  # fmt: skip

    def test_no_hmc_of_labels(self):
        with pytest.raises(InputError, match="`update` is 'hmc'; expected one of 'metropolis'"):
            start(LABELS["total"], (2, 2), 1.0, update="hmc")
