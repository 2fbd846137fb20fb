"""Averages against exact enumeration and exact XY tori, with the size of their errors."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.lattice import oracles
from topoml._core.errors import InputError
from topoml.lattice import (
    XY,
    ConstrainedXY,
    Ensemble,
    FullyFrustratedXY,
    Ising,
    LebwohlLasher,
    Potts,
    SquareIce,
    Villain,
    from_arrays,
    helicity_modulus,
    second_moment_correlation_length,
    simulate,
)
from topoml.phases import ShortChainError, estimates, jackknife

SIZE, T = 3, oracles.T_ISING
N = SIZE**2
AT = {"size": SIZE, "temperature": T}


def ising(n_chains=8, n=1000, seed=0):
    """Independent samples of 3 x 3 Ising spins, drawn from the exact distribution."""
    states, _, weight = oracles.ising((SIZE, SIZE), T)
    drawn = np.random.default_rng(seed).choice(len(weight), (n_chains, n), p=weight)
    x = states.reshape(-1, SIZE, SIZE)[drawn].astype(np.int8)
    return Ensemble({SIZE: {T: x}}, "real", model=Ising())


def exact():
    states, energy, weight = oracles.ising((SIZE, SIZE), T)
    m = states.mean(1)
    e, e2 = weight @ energy, weight @ energy**2
    m1, m2, m4 = (weight @ np.abs(m) ** k for k in (1, 2, 4))
    return {
        estimates.energy: e / N,
        estimates.specific_heat: (e2 - e**2) / (N * T**2),
        estimates.magnetisation: m1,
        estimates.susceptibility: N * (m2 - m1**2) / T,
        estimates.binder_cumulant: 1 - m4 / (3 * m2**2),
    }


EXACT = exact()


class TestIsing:
    def test_the_oracle(self):
        """The published values of the 3 x 3 torus."""
        e, c, m, u4 = oracles.ISING_TORI[3]
        found = [EXACT[f] for f in EXACT if f is not estimates.susceptibility]
        assert found == pytest.approx([e, c, m, u4], abs=1e-9)

    @pytest.mark.parametrize("average", EXACT, ids=lambda f: f.__name__)
    @pytest.mark.parametrize("errors", [estimates.gamma, jackknife])
    def test_exact_values_and_errors(self, average, errors):
        """Over 30 sets of samples: no bias, errors of the size of the scatter."""
        found = [average(ising(n=500, seed=seed), errors=errors, **AT) for seed in range(30)]
        value = np.array([one.value for one in found])
        error = np.array([one.error for one in found])
        z = (value.mean() - EXACT[average]) / (value.std(ddof=1) / math.sqrt(30))
        assert abs(z) < 4
        assert 0.6 < value.std(ddof=1) / error.mean() < 1.5  # 1 +- 0.13, and 0.25 for jackknife
        for one in found:
            assert 0.5 <= one.tau < 0.7
            assert one.n_effective == pytest.approx(8 * 500 / (2 * one.tau))

    def test_specific_heat_of_energies_as_they_are(self):
        """Their mean, taken off first, changes nothing: also not what the jackknife takes off."""
        e = ising(n=200)
        energy = e.energy(**AT)
        for errors in (estimates.gamma, jackknife):
            found = estimates.specific_heat(e, errors=errors, **AT)
            plain = errors(lambda m1, m2: N * (m2 - m1**2) / T**2, energy, energy**2)
            assert found.value == pytest.approx(plain.value, rel=1e-9)
            assert found.error == pytest.approx(plain.error, rel=1e-4)

    def test_without_the_connected_part(self):
        e = ising()
        states, _, weight = oracles.ising((SIZE, SIZE), T)
        found = estimates.susceptibility(e, connected=False, **AT)
        expected = N * (weight @ states.mean(1) ** 2) / T
        assert abs(found.value - expected) < 4 * found.error < 0.1 * expected

    @pytest.mark.parametrize("average", EXACT, ids=lambda f: f.__name__)
    def test_repeated_samples(self, average):
        """Every sample four times in a row: the same number with the same error; naive bars halve.

        tau of independent samples repeated k times is k / 2.
        """
        e = ising()
        slow = replace(e, data={SIZE: {T: e.configurations(**AT).repeat(4, 1)}})
        once, often = average(e, **AT), average(slow, **AT)
        assert often.value == pytest.approx(once.value, rel=1e-9)
        assert often.error == pytest.approx(once.error, rel=0.15)
        assert often.tau == pytest.approx(2, rel=0.2)
        naive = often.error / math.sqrt(2 * often.tau)
        assert naive < 0.6 * once.error  # the control

    @pytest.mark.parametrize("average", EXACT, ids=lambda f: f.__name__)
    def test_short_chains(self, average):
        e = ising(n=20)
        with pytest.raises(ShortChainError) as caught:
            average(e, **AT)
        assert caught.value.estimate == average(e, check=False, **AT)


def test_from_a_store(tmp_path):
    """The same numbers as in memory."""
    run = {"sizes": [4], "temperatures": [2.5], "samples": 800, "seed": 0, "n_jobs": 1}
    kept = simulate(Ising(), store=tmp_path / "store", **run)
    found = simulate(Ising(), **run)
    for average in EXACT:
        one, other = (average(e, size=4, temperature=2.5) for e in (kept, found))
        assert one == other


class TestXY:
    @pytest.mark.parametrize(("size", "t"), [(2, 0.5), (3, 0.8929)])
    def test_exact_tori(self, size, t):
        e = simulate(XY(), sizes=[size], temperatures=[t], samples=40_000, seed=1, n_jobs=1)
        energy, heat, modulus = oracles.XY_TORI[size, t]
        for average, expected in (
            (estimates.energy, energy),
            (estimates.specific_heat, heat),
            (estimates.helicity_modulus, modulus),
        ):
            found = average(e, size=size, temperature=t)
            assert abs(found.value - expected) < 4 * found.error < 0.1 * abs(expected)
        x = e.configurations(size=size, temperature=t)
        found = estimates.helicity_modulus(e, size=size, temperature=t)
        assert found.value == pytest.approx(float(helicity_modulus(x, t)), rel=1e-5)  # float32

    def test_coupling(self):
        """J = 2 at 2 T is twice J = 1 at T; without a model it has to be said."""
        x = np.random.default_rng(0).normal(0, 0.5, (8, 100, 4, 4))
        one = Ensemble({4: {0.7: x}}, "circle", model=XY())
        two = Ensemble({4: {1.4: x}}, "circle", model=XY(J=2.0))
        found = estimates.helicity_modulus(two, size=4, temperature=1.4)
        expected = estimates.helicity_modulus(one, size=4, temperature=0.7)
        assert found.value == pytest.approx(2 * expected.value, rel=1e-12)
        bare = replace(two, model=None)
        assert estimates.helicity_modulus(bare, size=4, temperature=1.4, J=2.0) == found
        for e in (bare, ising()):
            with pytest.raises(InputError, match="expected angles of an XY model"):
                estimates.helicity_modulus(e, size=e.sizes[0], temperature=e.temperatures[0])


class TestCorrelationLength:
    @pytest.mark.parametrize("manifold", ["real", "circle", "sphere"])
    def test_value_and_error(self, manifold):
        rng = np.random.default_rng(1)
        slow = rng.normal(size=(16, 200, 1, 1)) + 0.7 * rng.normal(size=(16, 200, 6, 6))
        x = np.stack([slow, 0.5 * slow], -1) if manifold == "sphere" else slow
        e = Ensemble({6: {1.0: x}}, manifold)
        found = estimates.correlation_length(e, size=6, temperature=1.0)
        whole = second_moment_correlation_length(x, manifold=manifold)
        assert found.value == pytest.approx(float(whole), rel=1e-10)
        by_chain = [second_moment_correlation_length(c, manifold=manifold) for c in x]
        assert found.error == pytest.approx(np.std(by_chain, ddof=1) / 4, rel=0.6)  # 18 % scatter
        other = estimates.correlation_length(e, size=6, temperature=1.0, errors=jackknife)
        assert other.error == pytest.approx(found.error, rel=0.6)

    def test_no_length(self):
        """Where S(k) is the larger, as noise may have it far above the transition."""
        wave = np.cos(2 * np.pi * np.arange(6) / 6)[:, None]
        x = np.random.default_rng(2).normal(size=(8, 100, 6, 6)) + 0.5 * wave
        e = Ensemble({6: {1.0: x}}, "real")
        with pytest.raises(InputError, match="`f` is nan at"):
            estimates.correlation_length(e, size=6, temperature=1.0)


def other(lattice, manifold="circle", model=None):
    """Two chains of noise that is correlated along all axes, on a lattice."""
    rng = np.random.default_rng(5)
    shape = (6, 6, 2) if lattice == "honeycomb" else (6, 6, 6) if lattice == "cubic" else (6, 6)
    x = rng.normal(size=(8, 100, *(1 for _ in shape))) + rng.normal(size=(8, 100, *shape))
    return x, Ensemble({6: {1.0: x}}, manifold, model=model)


class TestOtherLattices:
    @pytest.mark.parametrize("lattice", ["triangular", "honeycomb", "cubic"])
    def test_by_the_model(self, lattice):
        x, e = other(lattice, model=XY(lattice=lattice))
        at = {"size": 6, "temperature": 1.0}
        length = second_moment_correlation_length(x, manifold="circle", lattice=lattice)
        assert estimates.correlation_length(e, **at).value == pytest.approx(float(length))
        modulus = helicity_modulus(x, 1.0, lattice=lattice)
        assert estimates.helicity_modulus(e, **at).value == pytest.approx(float(modulus))
        bare = (
            estimates.correlation_length(replace(e, model=XY()), **at, check=False)
            if (lattice == "triangular")
            else None
        )
        assert bare is None or bare.value != pytest.approx(float(length))  # the control

    def test_by_the_axes_without_a_model(self):
        x, e = other("cubic", "real")
        length = second_moment_correlation_length(x, lattice="cubic")
        found = estimates.correlation_length(e, size=6, temperature=1.0)
        assert found.value == pytest.approx(float(length))
        five = Ensemble({2: {1.0: np.ones((8, 100, 2, 2, 2, 2, 2))}}, "real")
        with pytest.raises(InputError, match="has fields of 5 axes and no model; expected 1 to 4"):
            estimates.correlation_length(five, size=2, temperature=1.0)

    def test_villain_and_frustrated(self):
        x, e = other("square", model=Villain(1.5))
        c, s = Villain(1.5).helicity_terms(x, temperature=1.0)
        at = {"size": 6, "temperature": 1.0}
        found = estimates.helicity_modulus(e, **at)
        assert found.value == pytest.approx(c.mean() - s.mean())
        c, s = FullyFrustratedXY().helicity_terms(x)
        found = estimates.helicity_modulus(replace(e, model=FullyFrustratedXY()), **at)
        assert found.value == pytest.approx(c.mean() - s.mean())
        with pytest.raises(
            InputError, match=r"`J` is 1\.0 for an ensemble of Villain.*Leave it out"
        ):
            estimates.helicity_modulus(e, **at, J=1.0)
        hard = replace(e, model=ConstrainedXY(1.0))
        with pytest.raises(
            InputError, match=r"^`ensemble` has model ConstrainedXY.*; expected ang"
        ):
            estimates.helicity_modulus(hard, **at)

    def test_by_its_name(self):
        """Of data without a model, or a model that was lost."""
        x, e = other("triangular")
        at = {"size": 6, "temperature": 1.0, "lattice": "triangular"}
        length = second_moment_correlation_length(x, manifold="circle", lattice="triangular")
        assert estimates.correlation_length(e, **at).value == pytest.approx(float(length))
        modulus = helicity_modulus(x, 1.0, 2.0, lattice="triangular")
        found = estimates.helicity_modulus(e, **at, J=2.0)
        assert found.value == pytest.approx(float(modulus))
        with pytest.raises(InputError, match="`lattice` is 'triangular' without J"):
            estimates.helicity_modulus(e, **at)
        with pytest.raises(InputError, match="`lattice` is 'kagome'"):
            estimates.correlation_length(e, **{**at, "lattice": "kagome"})
        ice = simulate(SquareIce(), sizes=[2], temperatures=[1.0], samples=80, seed=0, n_jobs=1)
        with pytest.raises(InputError, match="whose spins are not at the sites of a lattice"):
            estimates.correlation_length(ice, size=2, temperature=1.0)


class TestHarmonics:
    """Of nematics: theta or theta + pi at random, about one axis."""

    def test_of_angles(self):
        rng = np.random.default_rng(6)
        axis = rng.normal(0, 2, (8, 100, 1, 1))
        x = axis + rng.normal(0, 0.3, (8, 100, 6, 6)) + np.pi * rng.integers(0, 2, (8, 100, 6, 6))
        e = Ensemble({6: {1.0: x}}, "circle")
        doubled = Ensemble({6: {1.0: 2 * x}}, "circle")
        at = {"size": 6, "temperature": 1.0}
        for average in (
            estimates.magnetisation, estimates.susceptibility, estimates.binder_cumulant,
            estimates.correlation_length,
        ):  # fmt: skip
            assert average(e, harmonic=2, **at) == average(doubled, **at)
        assert estimates.magnetisation(e, harmonic=2, **at).value > 0.8
        assert estimates.magnetisation(e, **at).value < 0.2  # the control
        with pytest.raises(InputError, match="`harmonic` is 2 for spins on 'real'"):
            estimates.magnetisation(ising(), harmonic=2, **AT)
        for wrong in (0, 1.5, True):
            with pytest.raises(InputError, match=f"`harmonic` is {wrong}; expected an integer"):
                estimates.magnetisation(e, harmonic=wrong, **at)

    def test_of_axes(self):
        """The sign of a vector means nothing; |m|^2 is 3/2 tr Q^2, from one eigenvalue here."""
        rng = np.random.default_rng(7)
        sign = rng.choice([-1, 1], (8, 100, 4, 4, 4, 1))
        z = np.broadcast_to([0.0, 0, 1], (*sign.shape[:-1], 3)) * sign
        e = Ensemble({4: {1.0: z}}, "projective", model=LebwohlLasher())
        at = {"size": 4, "temperature": 1.0}
        assert estimates.magnetisation(e, check=False, **at).value == pytest.approx(1)
        v = rng.normal(size=(8, 100, 4, 4, 4, 3)) + 2 * rng.normal(size=(8, 100, 1, 1, 1, 3))
        v /= np.linalg.norm(v, axis=-1, keepdims=True)
        e = Ensemble({4: {1.0: v * sign}}, "projective", model=LebwohlLasher())
        q = (v[..., :, None] * v[..., None, :] - np.eye(3) / 3).reshape(*v.shape[:-1], 9)
        expected = np.sqrt(1.5 * (q.mean((2, 3, 4)) ** 2).sum(-1)).mean()
        assert estimates.magnetisation(e, **at).value == pytest.approx(expected)
        length = second_moment_correlation_length(q, manifold="sphere", lattice="cubic")
        found = estimates.correlation_length(e, **at)
        assert found.value == pytest.approx(float(length))
        bare = replace(e, model=None)  # three components are no axis of the lattice
        assert estimates.correlation_length(bare, **at) == found
        assert estimates.susceptibility(bare, **at) == estimates.susceptibility(e, **at)

    def test_correlation_length_of_labels(self):
        """That of the unit vectors to the corners of a simplex."""
        rng = np.random.default_rng(8)
        x = np.where(rng.random((8, 100, 6, 6)) < 0.5, rng.integers(0, 4, (8, 100, 1, 1)),
                     rng.integers(0, 4, (8, 100, 6, 6)))  # fmt: skip
        e = Ensemble({6: {1.0: x}}, "discrete", model=Potts(4))
        corners = (np.eye(4) - 0.25)[x]
        length = second_moment_correlation_length(corners, manifold="sphere")
        found = estimates.correlation_length(e, size=6, temperature=1.0)
        assert found.value == pytest.approx(float(length))


class TestOrderParameters:
    def of(self, x, manifold):
        e = Ensemble({4: {1.0: np.asarray(x)}}, manifold)
        return estimates.magnetisation(e, size=4, temperature=1.0, check=False).value

    def test_ordered(self):
        shape = (2, 10, 4, 4)
        assert self.of(np.ones(shape), "real") == pytest.approx(1)
        assert self.of(np.full(shape, 0.3), "circle") == pytest.approx(1)
        assert self.of(np.broadcast_to([0.6, 0, 0.8], (*shape, 3)), "sphere") == pytest.approx(1)
        for q in (2, 3, 5):
            labels = np.zeros(shape, int)
            labels[0, 0, 0, 0] = q - 1  # so that there are q of them
            exact = 1 - (1 - self.one_out_of_sixteen(q)) / 20
            assert self.of(labels, "discrete") == pytest.approx(exact, rel=1e-12)

    def one_out_of_sixteen(self, q):
        """|m| of 15 spins in one state and 1 in another, by the corners of a simplex."""
        corners = np.eye(q) - 1 / q
        corners /= np.linalg.norm(corners[0])
        return np.linalg.norm(15 * corners[0] + corners[1]) / 16

    def test_two_labels_are_ising(self):
        e = ising(n=100)
        x = e.configurations(**AT)
        labels = Ensemble({SIZE: {T: (x.astype(int) + 1) // 2}}, "discrete")
        for average in (estimates.magnetisation, estimates.binder_cumulant):
            assert average(labels, **AT).value == pytest.approx(average(e, **AT).value, rel=1e-10)
        assert estimates.susceptibility(labels, **AT).value == pytest.approx(
            estimates.susceptibility(e, **AT).value, rel=1e-10
        )

    def test_binder_of_gaussian_components(self):
        """1 - (n + 2) / 3 n where the components are normal."""
        rng = np.random.default_rng(3)
        x = rng.normal(size=(8, 4000, 2, 2, 3))
        e = Ensemble({2: {1.0: x}}, "sphere")
        found = estimates.binder_cumulant(e, size=2, temperature=1.0)
        assert abs(found.value - (1 - 5 / 9)) < 4 * found.error < 0.02

    def test_other_lattices(self):
        """Three axes: all of them are averaged over."""
        x = np.random.default_rng(4).choice([-1, 1], (8, 50, 2, 3, 4))
        e = Ensemble({2: {1.0: x}}, "real")
        found = estimates.magnetisation(e, size=2, temperature=1.0)
        assert found.value == pytest.approx(np.abs(x.mean((2, 3, 4))).mean(), rel=1e-12)

    def test_refusals(self):
        links = Ensemble({2: {1.0: np.zeros((8, 50, 2, 2, 2))}}, "U(1) links")
        with pytest.raises(InputError, match="has manifold 'U\\(1\\) links'"):
            estimates.magnetisation(links, size=2, temperature=1.0)
        bare = from_arrays(np.ones((50, 4, 4), int), np.ones(50), manifold="real")
        with pytest.raises(InputError, match="expected a model"):
            estimates.energy(bare, size=4, temperature=1.0)


def test_no_specific_heat_from_the_variance_of_an_energy_that_depends_on_the_temperature():
    e = simulate(Villain(), sizes=[2], temperatures=[1.0], samples=800, seed=0)
    estimates.energy(e, size=2, temperature=1.0, check=False)
    with pytest.raises(InputError, match=r"^`ensemble` is of Villain.*; expected a model whose"):
        estimates.specific_heat(e, size=2, temperature=1.0, check=False)
