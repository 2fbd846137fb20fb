"""Gauge fields: energies against a loop over plaquettes, facts, refusals."""

import numpy as np
import pytest
import torch

from topoml._core.errors import InputError
from topoml.lattice import Model, SU2Gauge, SU3Gauge, U1Gauge, Z2Gauge, simulate, start

from . import gauge_oracles as oracles

MODELS = [Z2Gauge, U1Gauge, SU2Gauge, SU3Gauge]
SIDES = [
    (1, 1),
    (1, 3),
    (2, 2),
    (3, 2),
    (1, 2, 1),
    (2, 3, 2),
    (3, 1, 2),
    (1, 2, 2, 3),
    (2, 2, 2, 2),
]
EPS = np.finfo(np.float64).eps


def haar(model, sides, seed=0, batch=()):
    """Configurations (*batch, D, *sides, *components) in double precision."""
    rng = np.random.default_rng(seed)
    shape = (*batch, len(sides), *sides)
    if model is Z2Gauge:
        return rng.choice(np.array([-1, 1], np.int8), shape)
    if model is U1Gauge:
        return rng.uniform(-7, 7, shape)
    n = model.components[0]
    q, _ = np.linalg.qr(rng.normal(size=(*shape, n, n, 2)) @ [1, 1j])
    return q / np.linalg.det(q)[..., None, None] ** (1 / n)


def matrices(model, x):
    if model is U1Gauge:
        return oracles.phases(x)
    return x[..., None, None].astype(complex) if model is Z2Gauge else x


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("model", MODELS)
def test_energy_is_the_sum_over_plaquettes(model, sides):
    x = haar(model, sides, batch=(2,))
    own = model(dim=len(sides))
    exact = [oracles.energy(matrices(model, links)) for links in x]
    tolerance = 100 * EPS * len(oracles.plaquettes(sides))  # products of 4 matrices, and their sum
    np.testing.assert_allclose(own.energy(x), exact, rtol=0, atol=tolerance)
    np.testing.assert_allclose(
        own.energy(torch.from_numpy(x)).numpy(), exact, rtol=0, atol=tolerance
    )
    np.testing.assert_allclose(own.energy(x[1]), exact[1], rtol=0, atol=tolerance)
    assert own.energy(x[None]).shape == (1, 2)


@pytest.mark.parametrize("model", MODELS)
def test_energy_of_another_gauge(model):
    """U_mu(x) -> g(x) U_mu(x) g(x + mu)^+ keeps it; to transform one direction alone does not."""
    own, sides = model(dim=3), (3, 2, 4)
    x = matrices(model, haar(model, sides))
    g = matrices(model, haar(model, sides, seed=1))[0]
    h = np.stack([g @ u @ np.roll(g, -1, mu).conj().swapaxes(-1, -2) for mu, u in enumerate(x)])
    one = np.stack([h[0], *x[1:]])
    if model is Z2Gauge:
        x, h, one = (v[..., 0, 0].real.round().astype(np.int8) for v in (x, h, one))
    if model is U1Gauge:
        x, h, one = (np.angle(v[..., 0, 0]) for v in (x, h, one))
    assert abs(own.energy(h) - own.energy(x)) < 1000 * EPS * x.size
    assert abs(own.energy(one) - own.energy(x)) > 0.1


@pytest.mark.parametrize("model", MODELS[1:])
def test_gradients(model):
    x = torch.from_numpy(haar(model, (2, 2)))
    x.requires_grad_()
    assert torch.autograd.gradcheck(model(dim=2).energy, x)


@pytest.mark.parametrize("model", MODELS)
def test_dtype_of_the_energy(model):
    x = haar(model, (2, 3))
    single = {"i": np.int8, "f": np.float32, "c": np.complex64}[x.dtype.kind]
    wanted = np.float64 if model is Z2Gauge else np.float32
    assert model(dim=2).energy(x).dtype == np.float64
    assert model(dim=2).energy(x.astype(single)).dtype == wanted
    assert model(dim=2).energy(torch.from_numpy(x.astype(single))).numpy().dtype == wanted


@pytest.mark.parametrize("dim", [2, 3, 4])
@pytest.mark.parametrize("model", MODELS)
def test_states(model, dim):
    own = model(dim=dim)
    assert isinstance(own, Model)
    shape = own.shape(2)
    assert shape == (dim,) + (2,) * dim
    assert own.n_sites(shape) == 2**dim
    n_plaquettes = len(oracles.plaquettes(shape[1:]))
    rng = np.random.default_rng(3)
    for t in (1e-9, 1e-300, 5e-324):
        cold, _ = own.sample(own.ordered(shape), t, 1, 1, rng, "heat bath")
    assert cold.shape == (1, *shape, *own.components)
    assert cold.dtype == own.dtype
    assert own.energy(cold) == -n_plaquettes
    hot = np.stack([own.random_state(shape, rng) for _ in range(500)])
    out = np.stack([own.sample(spins, np.inf, 1, 1, rng)[0][0] for spins in hot])
    assert abs(own.energy(out)).mean() > 0
    assert abs(own.energy(out).mean()) < 5 * own.energy(out).std() / np.sqrt(500)


@pytest.mark.parametrize("model", MODELS)
def test_haar_measure(model):
    """The mean over a group of |tr U|^2 is 1, of tr U and of every entry 0."""
    own = model(dim=2)
    x = own.random_state(own.shape(100), np.random.default_rng(0)).reshape(20_000, -1)
    if model is SU2Gauge:
        trace = 2 * x[:, 0]
    elif model is SU3Gauge:
        u = x.reshape(-1, 3, 3)
        np.testing.assert_allclose(u @ u.conj().swapaxes(1, 2), [np.eye(3)] * len(u), atol=50 * EPS)
        np.testing.assert_allclose(np.linalg.det(u), 1.0, rtol=0, atol=50 * EPS)
        trace = u.trace(axis1=1, axis2=2)
    else:
        trace = x[:, 0].astype(complex)
    for mean in [*x.mean(0), trace.mean()]:
        assert abs(mean) < 5 / np.sqrt(20_000)
    square = np.abs(trace) ** 2
    assert abs(square.mean() - 1) <= 5 * square.std() / np.sqrt(20_000) + 10 * EPS


def test_facts():
    assert Z2Gauge().dim == 3
    assert (U1Gauge().dim, SU2Gauge().dim, SU3Gauge().dim) == (4, 4, 4)
    for model in (Z2Gauge(2), U1Gauge(2), U1Gauge(3), SU2Gauge(), SU3Gauge()):
        assert (model.known_transition, model.order) == (None, "none")
    beta = {m: m.coupling(m.known_transition.value) for m in (Z2Gauge(3), Z2Gauge(4), U1Gauge(4))}
    assert beta[Z2Gauge(3)] == pytest.approx(0.76141329, abs=1e-8)
    assert beta[Z2Gauge(4)] == pytest.approx(0.4406868, abs=1e-7)
    assert np.sinh(2 * beta[Z2Gauge(4)]) == pytest.approx(1, abs=4 * EPS)
    assert beta[U1Gauge(4)] == pytest.approx(1.0111331, abs=1e-12)
    assert Z2Gauge(3).known_transition.error == pytest.approx(1.9e-8, rel=0.02)
    assert U1Gauge(4).known_transition.error == pytest.approx(2.05e-6, rel=0.01)
    assert (Z2Gauge(3).order, Z2Gauge(4).order, U1Gauge().order) == (
        "second order",
        "first order",
        "first order",
    )


@pytest.mark.parametrize("model", MODELS)
def test_simulate(model):
    own = model(dim=2)
    e = simulate(own, sizes=[2, 3], temperatures=[0.8], samples=8, n_chains=2, seed=1, n_jobs=2)
    x = e.configurations(size=3, temperature=0.8)
    assert x.shape == (2, 4, 2, 3, 3, *own.components)
    assert e.manifold == own.manifold
    first = matrices(model, x[0, 0])
    found = e.energy(size=3, temperature=0.8)
    np.testing.assert_allclose(found[0, 0], oracles.energy(first) / 9, rtol=1e-5)
    again = simulate(own, sizes=[3], temperatures=[0.8], samples=8, n_chains=2, seed=1, n_jobs=1)
    np.testing.assert_array_equal(again.configurations(size=3, temperature=0.8), x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: U1Gauge(dim=5), r"^`dim` is 5; expected 2, 3 or 4\. Try dim=4\.$"),
        (lambda: Z2Gauge(dim=2.0), r"^`dim` is 2\.0; expected"),
        (
            lambda: Z2Gauge().ordered((3, 4, 4)),
            r"^`shape` is \(3, 4, 4\); expected \(3, L0, L1, L2\), sides of at least 1",
        ),
        (
            lambda: SU2Gauge(dim=2).random_state((2, 1, 4), np.random.default_rng(0)),
            r"sides of at least 2, for links of su2-gauge",
        ),
        (
            lambda: simulate(
                SU3Gauge(2), sizes=[1], temperatures=[1.0], samples=1, n_chains=1, seed=0
            ),
            r"sides of at least 2, for links of su3-gauge",
        ),
        (
            lambda: start(Z2Gauge(), (3, 2, 2, 2), 1.0, update="wolff"),
            r"^`update` is 'wolff'; expected one of 'heat bath', 'metropolis'",
        ),
        (
            lambda: start(U1Gauge(dim=3), (3, 2, 2, 2), 1.0, update="instanton"),
            r"^`update` is 'instanton'",
        ),
        (
            lambda: U1Gauge().energy(np.zeros((2, 4, 4))),
            r"^`configurations` has shape \(2, 4, 4\); expected \(\*batch, 4, L0, L1, L2, L3\)",
        ),
        (
            lambda: SU3Gauge(dim=2).energy(np.zeros((2, 4, 4, 2, 2), complex)),
            r"expected \(\*batch, 2, L0, L1, 3, 3\), links of su3-gauge",
        ),
        (
            lambda: Z2Gauge().energy([1, 1]),
            r"^`configurations` is of type list; expected a numpy array",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
