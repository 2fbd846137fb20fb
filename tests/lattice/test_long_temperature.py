"""Configurational temperatures: forces against curvatures, of continuous spins by every update.

`pytest --long`, 18 minutes of one core (measured). For a weight exp(-S) on a manifold without
boundary <Laplacian S> = <|grad S|^2>, whatever the lattice and its dimension. Both come from
formulas of this file, and their ratio is 1 within four of its errors, which are at most 1e-3, of
hmc 2e-3. Errors are those of 16 independent chains.
"""

import itertools
import math
import types
from collections import defaultdict

import numba
import numpy as np
import pytest

from topoml.kernels import gauge_su2, gauge_su3, gauge_u1
from topoml.kernels import phi4 as phi4_kernels
from topoml.lattice import (
    XY,
    CustomModel,
    GeneralizedXY,
    Heisenberg,
    LebwohlLasher,
    Phi4,
    SU2Gauge,
    SU3Gauge,
    U1Gauge,
    Villain,
)

from . import angle_oracles, oracles

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("one_thread")]
N_CHAINS = 16
OFF = 1.03  # the factor of the temperature of the controls
PRECISION = defaultdict(lambda: 1e-3, hmc=2e-3)  # trajectories take milliseconds
ROUNDS = {"wolff": 16, "swendsen-wang": 6, "metropolis": 3}  # between samples; of others one


def means(model, shape, temperature, update, samples, parts, seed):
    """Of each chain the means of Laplacian S and |grad S|^2, (2, chain), after 60 rounds of heat
    bath, where there is one, and 30 of the update."""
    out, rounds = [], ROUNDS.get(update, 1)
    for rng in np.random.default_rng(seed).spawn(N_CHAINS):
        spins, done, total = model.ordered(shape), 0, np.zeros(2)
        if "heat bath" in model.updates:
            model.sample(spins, temperature, 60, 1, rng, "heat bath")
        model.sample(spins, temperature, 30, 1, rng, update)
        while done < samples:
            n = min(100, samples - done)
            x, _ = model.sample(spins, temperature, rounds, n, rng, update)
            total += [part.sum() for part in parts(x.astype(np.result_type(x, np.float64)))]
            done += n
        out.append(total / samples)
    return np.array(out).T


def ratio(both):
    """|grad S|^2 over Laplacian S, (value, error)."""
    left_out = both.sum(1, keepdims=True) - both
    error = math.sqrt((N_CHAINS - 1) * (left_out[1] / left_out[0]).var())
    return both[1].sum() / both[0].sum(), error


def within(found, exact, relative=1e-3):
    """Whether the number is right; its error must be small whether it is or not."""
    value, error = found
    assert error <= relative * abs(exact)
    return abs(value - exact) <= 4 * error


def check(model, shape, t, update, samples, parts):
    """Samples at t have its configurational temperature; those at a temperature 3 % off do not."""
    assert within(ratio(means(model, shape, t, update, samples, parts, 1)), 1.0, PRECISION[update])
    wrong = means(model, shape, OFF * t, update, samples // 8, parts, 2)
    assert not within(ratio(wrong), 1.0, 5e-3)


def of_bonds(lattice, shape, derivatives):
    """S = sum of f(d) over bonds, d the angle between their ends; f' and f'' are given."""
    pairs = np.array(angle_oracles.bonds(lattice, shape))
    ends = np.zeros((len(pairs), math.prod(shape)))
    ends[np.arange(len(pairs)), pairs[:, 0]] -= 1
    ends[np.arange(len(pairs)), pairs[:, 1]] += 1

    def parts(x):
        d = x.reshape(len(x), -1)[:, pairs]
        first, second = derivatives(d[..., 1] - d[..., 0])
        return 2 * second.sum(1), ((first @ ends) ** 2).sum(1)

    return parts


def shapes(lattice, factor=1):
    n = factor * {"cubic": 5, "triangular": 10, "honeycomb": 8}[lattice]
    return {"cubic": (n, n, n), "honeycomb": (n, n, 2)}.get(lattice, (n, n))


@pytest.mark.parametrize(
    ("lattice", "t"), [("cubic", 1.8), ("triangular", 1.2), ("honeycomb", 0.6)]
)
@pytest.mark.parametrize("update", XY().updates)
def test_xy(lattice, t, update):
    shape = shapes(lattice)
    parts = of_bonds(lattice, shape, lambda d: (np.sin(d) / t, np.cos(d) / t))
    check(XY(lattice=lattice), shape, t, update, 6000, parts)


@pytest.mark.parametrize(
    ("lattice", "t"), [("cubic", 2.5), ("triangular", 1.5), ("honeycomb", 1.0)]
)
@pytest.mark.parametrize("update", Villain.updates)
def test_villain(lattice, t, update):
    """f' and f'' by the mean and the variance of d - 2 pi n in the weight of the bond."""
    far = 2 * np.pi * np.arange(-2, 3)  # others weigh exp(-40) or less

    def derivatives(d):
        u = angle_oracles.wrapped(d)[..., None] - far
        weight = np.exp(-(u**2) / (2 * t))
        weight /= weight.sum(-1, keepdims=True)
        mean = (weight * u).sum(-1)
        variance = (weight * u**2).sum(-1) - mean**2
        return mean / t, (1 - variance / t) / t

    shape = shapes(lattice)
    parts = of_bonds(lattice, shape, derivatives)
    check(Villain(lattice=lattice), shape, t, update, 6000, parts)


@pytest.mark.parametrize(
    ("lattice", "t"), [("cubic", 1.2), ("triangular", 0.9), ("honeycomb", 0.4)]
)
@pytest.mark.parametrize("update", GeneralizedXY.updates)
def test_generalized_xy(lattice, t, update):
    a, q, shape = 0.4, 2, shapes(lattice)

    def derivatives(d):
        first = a * np.sin(d) + (1 - a) * q * np.sin(q * d)
        return first / t, (a * np.cos(d) + (1 - a) * q**2 * np.cos(q * d)) / t

    parts = of_bonds(lattice, shape, derivatives)
    check(GeneralizedXY(a, q, lattice), shape, t, update, 10_000, parts)


def tangential(g, s):
    """|g|^2 over the sites, without its parts along the unit vectors s."""
    return (g**2).sum((-2, -1)) - ((g * s).sum(-1) ** 2).sum(-1)


@pytest.mark.parametrize("update", Heisenberg.updates)
def test_heisenberg(update):
    """On the cubic lattice; the Laplacian on S^2 of s . h is -2 s . h."""
    shape, t = shapes("cubic"), 1.4
    count = oracles.adjacency("cubic", shape)

    def parts(x):
        s = x.reshape(len(x), -1, 3)
        g = -(count @ s) / t
        return -2 * (s * g).sum((1, 2)), tangential(g, s)

    check(Heisenberg(lattice="cubic"), shape, t, update, 4000, parts)


@pytest.mark.parametrize("update", LebwohlLasher.updates)
def test_lebwohl_lasher(update):
    """On the cubic lattice; the Laplacian on S^2 of P_2(s . u) is -6 P_2(s . u)."""
    shape, t = shapes("cubic"), 1.0
    count = oracles.adjacency("cubic", shape)

    def parts(x):
        s = x.reshape(len(x), -1, 3)
        c = s @ s.swapaxes(1, 2)
        g = -3 / t * (count * c) @ s
        return 6 / t * (count * (1.5 * c**2 - 0.5)).sum((1, 2)), tangential(g, s)

    check(LebwohlLasher(), shape, t, update, 4000, parts)


def phi4_parts(kappa, lam, t, count):
    def parts(x):
        f = x.reshape(len(x), -1)
        g = 2 * f + 4 * lam * f * (f**2 - 1) - 2 * kappa * f @ count
        return (2 + lam * (12 * f**2 - 4)).sum(1) / t, (g**2).sum(1) / t**2

    return parts


@pytest.mark.parametrize(("lattice", "kappa"), [("cubic", 0.17), ("honeycomb", 0.3)])
@pytest.mark.parametrize("update", ["wolff", "metropolis", "hmc"])
def test_phi4(lattice, kappa, update):
    lam, t = 0.6, 1.2
    # a trajectory of eight times the sites takes little more time
    shape, samples = (shapes(lattice, 2), 400) if update == "hmc" else (shapes(lattice), 8000)
    parts = phi4_parts(kappa, lam, t, oracles.adjacency(lattice, shape))
    model = Phi4(kappa=kappa, lam=lam, lattice=lattice)
    check(model, shape, t, update, samples, parts)


def anharmonic(x):
    """Energies of sites of real numbers on the square lattice."""
    bonds = sum((x - x.roll(1, axis)) ** 2 / 2 for axis in (-1, -2))
    return bonds + x**4 / 4 - x**2 / 2


def vectors_in_a_field(s):
    """Energies of sites of unit vectors on the square lattice."""
    return -(s * (s.roll(1, -2) + s.roll(1, -3))).sum(-1) - 0.5 * s[..., 0]


def test_custom_real():
    shape, t = (32, 32), 0.8
    count = oracles.adjacency("square", shape)

    def parts(x):
        f = x.reshape(len(x), -1)
        g = 4 * f - f @ count + f**3 - f
        return (3 + 3 * f**2).sum(1) / t, (g**2).sum(1) / t**2

    model = CustomModel(anharmonic, manifold="real", reach=1)
    check(model, shape, t, "hmc", 400, parts)


def test_custom_sphere():
    """On S^3, where the Laplacian of s . h is -3 s . h."""
    shape, t = (32, 32), 0.7
    count = oracles.adjacency("square", shape)

    def parts(x):
        s = x.reshape(len(x), -1, 4)
        g = -(count @ s + [0.5, 0.0, 0.0, 0.0]) / t
        return -3 * (s * g).sum((1, 2)), tangential(g, s)

    model = CustomModel(vectors_in_a_field, manifold="sphere", reach=1, n_components=4)
    check(model, shape, t, "hmc", 400, parts)


def of_links(beta):
    """Wilson's action of matrices (n, D, *L, N, N), of U(1) angles (n, D, *L).

    With generators T of tr(T_a T_b) = delta / 2 (of U(1): 1), A the staples of a link U and
    X = U A: grad_a S = beta / N tr(T_a M), M = (X - X^+) / 2 i, and Laplacian S = beta / N C
    Re tr X, C the sum of T_a T_a.
    """

    def parts(x):
        if x.dtype.kind == "f":
            x = np.exp(1j * x)[..., None, None]
        dim, N = x.shape[1], x.shape[-1]
        link = [x[:, mu] for mu in range(dim)]
        laplacian = square = 0.0
        for mu in range(dim):
            staple = 0.0
            for nu in range(dim):
                if nu == mu:
                    continue
                ahead = np.roll(link[nu], -1, 1 + mu)
                staple = staple + ahead @ dagger(link[nu] @ np.roll(link[mu], -1, 1 + nu))
                down = dagger(link[mu] @ ahead) @ link[nu]  # from x + nu, hence rolled below
                staple = staple + np.roll(down, 1, 1 + nu)
            X = link[mu] @ staple
            M = (X - dagger(X)) / 2j
            trace = np.trace(M, axis1=-2, axis2=-1).real
            squares = (np.abs(M) ** 2).sum((-2, -1))
            if N > 1:
                squares = (squares - trace**2 / N) / 2
            axes = tuple(range(1, 1 + dim))
            casimir = (N**2 - 1) / (2 * N) if N > 1 else 1
            real = np.trace(X, axis1=-2, axis2=-1).real
            laplacian = laplacian + beta / N * casimir * real.sum(axes)
            square = square + (beta / N) ** 2 * squares.sum(axes)
        return laplacian, square

    return parts


def dagger(x):
    return x.conj().swapaxes(-1, -2)


@pytest.mark.parametrize(
    ("model", "beta", "size", "samples", "trajectories"),
    [
        (U1Gauge(3), 1.6, 8, 400, 400),
        (U1Gauge(4), 0.7, 5, 200, 300),
        (SU2Gauge(3), 3.5, 6, 250, 250),
        (SU2Gauge(4), 1.6, 4, 500, 400),
        (SU3Gauge(3), 7.0, 6, 150, 250),
        (SU3Gauge(4), 5.0, 4, 250, 400),
    ],
    ids=str,
)
def test_gauge_fields(model, beta, size, samples, trajectories):
    """By all updates, whose plaquettes, in proportion to the Laplacian, agree, too."""
    shape, parts, found = model.shape(size), of_links(beta), {}
    for seed, update in enumerate(model.updates):
        n = trajectories if update == "hmc" else samples
        both = means(model, shape, 1 / beta, update, n, parts, 10 + seed)
        assert within(ratio(both), 1.0, PRECISION[update])
        found[update] = both[0]
    wrong = means(model, shape, OFF / beta, "heat bath", samples // 4, parts, 2)
    assert not within(ratio(wrong), 1.0, 5e-3)
    for a in found.values():
        assert a.std(ddof=1) / math.sqrt(N_CHAINS) <= 1e-3 * a.mean()
    for a, b in itertools.combinations(found.values(), 2):
        error = math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / N_CHAINS)
        assert abs(a.mean() - b.mean()) <= 4 * error


def rebuilt(function, **others):
    """A kernel compiled anew, with others in the place of some that it calls."""
    own = function.py_func
    code = types.FunctionType(own.__code__, {**own.__globals__, **others}, own.__name__)
    return numba.njit(nogil=True, error_model="numpy")(code)


@numba.njit
def _without_its_rejection(k, rng):
    """Quaternions of density exp(k q0) dq0: the heat bath of SU(2) without its weight."""
    a = 1.0 + math.log1p(rng.random() * math.expm1(-2.0 * k)) / k
    d, phi = 2.0 * rng.random() - 1.0, 2.0 * math.pi * rng.random()
    side = math.sqrt(max(0.0, 1.0 - a * a))
    across = side * math.sqrt(1.0 - d * d)
    return a, across * math.cos(phi), across * math.sin(phi), side * d


@numba.njit
def _of_the_envelope(k, rng):
    """The wrapped Cauchy law of Best and Fisher, none of it rejected."""
    tau = 1.0 + math.sqrt(1.0 + 4.0 * k * k)
    rho = (tau - math.sqrt(2.0 * tau)) / (2.0 * k)
    r = (1.0 + rho * rho) / (2.0 * rho)
    z = math.cos(math.pi * rng.random())
    c = (1.0 + r * z) / (r + z)
    sine = math.sqrt(max(0.0, 1.0 - c * c))
    return complex(c, sine if rng.random() < 0.5 else -sine)


@numba.njit
def _about_the_angle_zero(k, rng):
    """Proposals that are not uniform, accepted as if they were."""
    return gauge_u1.von_mises(1.0, rng)


@numba.njit
def _factors(phi, neighbour, kappa, lam, temperature, width, n_sweeps, rng):
    """Metropolis's steps of ln |phi| and signs at random, accepted without |phi' / phi|."""
    accepted = 0
    for _ in range(n_sweeps):
        for x in range(phi.size):
            pull = 0.0
            for slot in range(neighbour.shape[1]):
                pull += phi[neighbour[x, slot]]
            old = phi[x]
            new = old * math.exp(2.0 * width * (rng.random() - 0.5))
            if rng.random() < 0.5:
                new = -new
            change = (new**2 - old**2) * (1.0 + lam * (new**2 + old**2 - 2.0))
            change -= 2.0 * kappa * pull * (new - old)
            if rng.random() < math.exp(min(0.0, -change / temperature)):
                phi[x] = new
                accepted += 1
    return accepted


@numba.njit
def _of_half_the_coupling(phi, neighbour, coupling, n_clusters, stack, rng):
    return phi4_kernels.wolff(phi, neighbour, 0.5 * coupling, n_clusters, stack, rng)


class TestBroken:
    """Updates without detailed balance fail the same checks, with all else as it is."""

    @pytest.mark.parametrize("update", ["heat bath", "over-relaxation"])
    @pytest.mark.parametrize("dim", [3, 4])
    def test_heat_bath_of_su2(self, dim, update, monkeypatch):
        broken = rebuilt(gauge_su2.sweeps, boltzmann=_without_its_rejection)
        monkeypatch.setattr(SU2Gauge, "_sweeps", staticmethod(broken))
        self.fails(SU2Gauge(dim), {3: 3.5, 4: 2.2}[dim], update, {3: 1000, 4: 300}[dim])

    def test_as_it_is(self, monkeypatch):
        """Nothing but compiled anew, a kernel passes."""
        monkeypatch.setattr(SU2Gauge, "_sweeps", staticmethod(rebuilt(gauge_su2.sweeps)))
        both = means(SU2Gauge(3), (3, 3, 3, 3), 1 / 3.5, "heat bath", 2000, of_links(3.5), 20)
        assert within(ratio(both), 1.0)

    def test_heat_bath_of_su3(self, monkeypatch):
        subgroups = rebuilt(gauge_su3.subgroups, boltzmann=_without_its_rejection)
        broken = rebuilt(gauge_su3.sweeps, subgroups=subgroups)
        monkeypatch.setattr(SU3Gauge, "_sweeps", staticmethod(broken))
        self.fails(SU3Gauge(3), 7.0, "heat bath", 300)

    @pytest.mark.parametrize(
        ("update", "draw"),
        [
            ("heat bath", _of_the_envelope),
            ("over-relaxation", _of_the_envelope),
            ("metropolis", _about_the_angle_zero),
        ],
    )
    def test_u1(self, update, draw, monkeypatch):
        monkeypatch.setattr(gauge_u1, "sweeps", rebuilt(gauge_u1.sweeps, von_mises=draw))
        self.fails(U1Gauge(3), 1.6, update, 2000)

    def fails(self, model, beta, update, samples):
        both = means(model, model.shape(3), 1 / beta, update, samples, of_links(beta), 20)
        assert not within(ratio(both), 1.0, 1e-2)

    @pytest.mark.parametrize(
        ("update", "other"),
        [("metropolis", {"metropolis": _factors}), ("wolff", {"wolff": _of_half_the_coupling})],
    )
    def test_phi4(self, update, other, monkeypatch):
        broken = rebuilt(phi4_kernels.mixed, **other)
        monkeypatch.setattr(phi4_kernels, "mixed", broken)
        shape, kappa, lam, t = shapes("cubic"), 0.17, 0.6, 1.2
        parts = phi4_parts(kappa, lam, t, oracles.adjacency("cubic", shape))
        model = Phi4(kappa=kappa, lam=lam, lattice="cubic")
        both = means(model, shape, t, update, 4000, parts, 20)
        assert not within(ratio(both), 1.0, 1e-2)
