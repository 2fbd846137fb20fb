"""Vector spins and ice, longer: energies to 1e-3, updates against each other, Lieb's entropy.

`pytest --long`; 3 minutes of one core together (172 s measured).
"""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chi2

from topoml.lattice import ChiralMagnet, Heisenberg, LebwohlLasher, SquareIce, simulate

from . import oracles
from . import vector_oracles as exact
from .test_vectors import RINGS, TWISTED, deviations, linear, p2

pytestmark = pytest.mark.long

LONG = {"samples": 8000, "rounds": 4}
LONGER = {"samples": 48_000, "rounds": 8}  # few spins, whose energy varies more


def long_chains(model, shape, temperature, update, seed, *, samples, rounds=2, n_chains=32):
    """Energies (chain, sample), from random starts; the first tenth is left out."""
    energies = []
    for rng in np.random.default_rng(seed).spawn(n_chains):
        spins = model.random_state(shape, rng)
        model.sample(spins, temperature, rounds, samples // 10, rng, update)
        x, _ = model.sample(spins, temperature, rounds, samples, rng, update)
        energies.append(model.energy(x.astype(float)))
    return np.stack(energies)


def check(energies, mean, variance):
    """4 standard errors at most, these at most 1e-3 of the energy and 1e-2 of its variance."""
    assert max(deviations(energies, mean, variance)) < 4
    n = math.sqrt(len(energies))
    assert energies.mean(1).std(ddof=1) / n < 1e-3 * abs(mean)
    assert ((energies - mean) ** 2).mean(1).std(ddof=1) / n < 1e-2 * variance


@pytest.mark.parametrize(("lattice", "shape", "rings", "own", "pair"), RINGS)
@pytest.mark.parametrize(
    ("kind", "update"),
    [(kind, update) for kind in (Heisenberg, LebwohlLasher) for update in kind.updates],
)
def test_rings(kind, update, lattice, shape, rings, own, pair):
    """56 cases."""
    f, t = (linear, 0.8) if kind is Heisenberg else (p2, 0.6)
    mean, variance, _ = exact.ring(f, t, rings)
    work = LONGER if lattice in ("chain", "honeycomb") else LONG
    check(long_chains(kind(lattice=lattice), shape, t, update, 1, **work), mean - own, variance)


@pytest.mark.parametrize("kind", ["bulk", "interfacial"])
@pytest.mark.parametrize("update", ChiralMagnet.updates)
@pytest.mark.parametrize(("lattice", "shape", "steps", "own"), TWISTED)
def test_three_twisted_spins(lattice, shape, steps, own, update, kind):
    """36 cases."""
    model, t = ChiralMagnet(D=0.9, B=0.5, lattice=lattice, kind=kind), 0.7
    d = np.array(steps) if kind == "bulk" else np.cross([0, 0, 1], steps)

    def bond(s, u):
        return -len(d) * (s * u).sum(-1) - 0.9 * sum((np.cross(s, u) * one).sum(-1) for one in d)

    mean, variance, _ = exact.ring_by_quadrature(bond, lambda s: -0.5 * s[..., 2] - own, t, 3)
    work = LONGER if lattice == "chain" else LONG
    check(long_chains(model, shape, t, update, 2, **work), mean, variance)


@pytest.mark.parametrize(
    ("model", "size", "temperature"),
    [
        (Heisenberg(lattice="cubic"), 8, 1.443),
        (Heisenberg(), 16, 0.6),
        (Heisenberg(lattice="triangular"), 12, 0.9),
        (Heisenberg(lattice="honeycomb"), 10, 0.5),
        (LebwohlLasher(), 8, 1.13),
        (LebwohlLasher(lattice="square"), 12, 0.5),
        (ChiralMagnet(B=0.4), 12, 0.7),
    ],
    ids=str,
)
def test_updates_agree(model, size, temperature):
    """Energy, its square and |m|^2 (of axes: |Q|^2) by all updates."""
    found = {}
    for update in model.updates:
        e = simulate(model, sizes=[size], temperatures=[temperature], samples=16 * 1000, seed=3,
                     n_chains=16, update=update, start="random", n_jobs=1)  # fmt: skip
        x = e.configurations(size=size, temperature=temperature).reshape(16, 1000, -1, 3)
        if model.manifold == "projective":
            m = np.einsum("csia,csib->csab", x, x) / x.shape[2] - np.eye(3) / 3
            square = (m**2).sum((-2, -1))
        else:
            square = (x.mean(2, dtype=float) ** 2).sum(-1)
        energy = e.energy(size=size, temperature=temperature)
        found[update] = np.stack([energy.mean(1), (energy**2).mean(1), square.mean(1)])
    for a, b in itertools.combinations(found.values(), 2):
        gap = a.mean(1) - b.mean(1)
        error = np.sqrt((a.var(1, ddof=1) + b.var(1, ddof=1)) / 16)
        assert (np.abs(gap) < 5 * error).all()


def skyrmions(x):
    """The topological charge by the areas of triangles on the sphere, of vectors (L, L, 3)."""
    a, b = x, np.roll(x, -1, 0)
    c, d = np.roll(x, (-1, -1), (0, 1)), np.roll(x, -1, 1)
    total = 0.0
    for u, v, w in ((a, b, c), (a, c, d)):
        volume = (u * np.cross(v, w)).sum(-1)
        rest = 1 + (u * v).sum(-1) + (v * w).sum(-1) + (w * u).sum(-1)
        total += 2 * np.arctan2(volume, rest).sum() / (4 * np.pi)
    return total


@pytest.mark.parametrize("kind", ["bulk", "interfacial"])
def test_skyrmions(kind):
    """Cooled in a field, a film of chiral magnet holds skyrmions, in a strong one none.

    With B up their cores point down, so that the charge is negative, of either sign of D.
    """
    rng = np.random.default_rng(4)
    for d, b, some in ((1.0, 0.35, True), (-1.0, 0.35, True), (1.0, 1.5, False)):
        model = ChiralMagnet(D=d, B=b, kind=kind)
        spins = model.random_state((32, 32), rng)
        for t in np.geomspace(1.0, 0.02, 60):
            model.sample(spins, float(t), 20, 1, rng, "over-relaxation")
        charge = skyrmions(spins)
        assert charge == pytest.approx(round(charge), abs=1e-9)
        assert charge < -4 if some else charge == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("update", SquareIce.updates)
def test_all_states_of_four_by_four(update):
    """Ice of 4 x 4 sites: 2970 states, each as often as any other."""
    n_states = round(math.exp(exact.log_z((4, 4), 1.0, 1.0, 1.0)))
    count = Counter()
    rounds = 10 if update == "long loop" else 40
    for rng in np.random.default_rng(5).spawn(8):
        x, _ = SquareIce().sample(
            SquareIce().ordered((2, 4, 4)), 1.0, rounds, 20_000, rng, update
        )  # fmt: skip
        count.update(one.tobytes() for one in x[100:])
    assert len(count) == n_states == 2970
    found, expected = np.array(list(count.values())), count.total() / n_states
    assert ((found - expected) ** 2 / expected).sum() < chi2.isf(1e-6, n_states - 1)


@pytest.mark.parametrize("update", SquareIce.updates)
def test_entropy_by_integration(update):
    """ln W of ice on 8 x 8 sites: (ln 2) / N + the energy of the F model over 1 / T.

    Against the trace of the transfer matrix, 0.4484, which Lieb's 1.5 ln(4 / 3) = 0.4315 exceeds by
    what a torus adds to ln Z, 1.079 / N.
    """
    model, size = SquareIce(a=1.0, b=1.0), 8
    n = 20_000 if update == "long loop" else 9000
    u, w = np.polynomial.legendre.leggauss(32)  # exact to 1e-6 here, by the transfer matrix
    per_chain = np.full(16, math.log(2) / size**2)
    for beta, weight in zip(2 * (u + 1), 2 * w, strict=True):
        e = simulate(model, sizes=[size], temperatures=[1 / beta], samples=16 * n, seed=6,
                     n_chains=16, update=update, n_jobs=1)  # fmt: skip
        per_chain = per_chain + weight * e.energy(size=size, temperature=1 / beta).mean(1)
    entropy = exact.log_z((size, size), 1.0, 1.0, 1.0) / size**2
    assert abs(oracles.z_score(per_chain, entropy)) < 4
    assert per_chain.std(ddof=1) / 4 < 1e-3 * entropy
    assert entropy - 1.079 / size**2 == pytest.approx(1.5 * math.log(4 / 3), abs=1e-4)
