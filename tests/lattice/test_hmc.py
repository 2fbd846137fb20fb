"""Hybrid Monte Carlo: the laws of its integrators, exact answers, and broken ones that fail."""

import math
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
import torch
from scipy.special import iv, ivp

from topoml._core.errors import InputError
from topoml.lattice import hmc
from topoml.lattice.hmc import (
    LEAPFROG,
    OMELYAN,
    Integrator,
    hmc_start,
    hmc_step,
    hmc_tuned,
    trajectory,
)
from topoml.lie import SU

from . import oracles

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]  # statistical, or processes

EULER = Integrator(kicks=(1.0, 0.0), drifts=(1.0,))  # symplectic, not reversible
F64 = torch.float64


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def quartic(x):
    """A field theory on a ring, anharmonic: no integrator is exact for it."""
    return ((x - x.roll(1, -1)).square() / 2 + x.square() / 2 + x**4 / 4).sum(-1)


def rotors(theta, beta=1.1):
    return -beta * sum(torch.cos(theta - theta.roll(1, a)).sum((-2, -1)) for a in (-2, -1))


def heisenberg(s, beta=1.3):
    return -beta * (s * s.roll(1, -2)).sum((-2, -1))


def plaquettes(U):
    """Of links (chains, 2, L0, L1, N, N) in 2D: U_0(x) U_1(x + 0) U_0(x + 1)^+ U_1(x)^+."""
    U0, U1 = U[:, 0], U[:, 1]
    return U0 @ U1.roll(-1, 1) @ U0.roll(-1, 2).mH @ U1.mH


def half_trace(U):
    """(1 / N) Re tr of the plaquettes, (chains, L0, L1)."""
    return plaquettes(U).diagonal(dim1=-2, dim2=-1).sum(-1).real / U.shape[-1]


def wilson(beta):
    return lambda U: -beta * half_trace(U).sum((-2, -1))


def plaquette_angles(theta):
    t0, t1 = theta[:, 0], theta[:, 1]
    return t0 + t1.roll(-1, 1) - t0.roll(-1, 2) - t1


def compact(beta):
    return lambda theta: -beta * torch.cos(plaquette_angles(theta)).sum((-2, -1))


def haar(group, *size, seed):
    return group.random_haar(*size, generator=seeded(seed), dtype=torch.complex128)


def unit(*size, seed):
    x = torch.randn(size, generator=seeded(seed), dtype=F64)
    return x / torch.linalg.vector_norm(x, dim=-1, keepdim=True)


def normal(*size, seed):
    return torch.randn(size, generator=seeded(seed), dtype=F64)


# manifold, action and a random field of ``n`` chains
SYSTEMS = {
    "real": (quartic, lambda n: normal(n, 6, seed=1)),
    "circle": (rotors, lambda n: 3 * normal(n, 3, 4, seed=2)),
    "sphere": (heisenberg, lambda n: unit(n, 5, 3, seed=3)),
    "SU(2) links": (wilson(2.5), lambda n: haar(SU(2), n, 2, 2, 3, seed=4)),
    "SU(3) links": (wilson(5.0), lambda n: haar(SU(3), n, 2, 2, 2, seed=5)),
    "SU(4) links": (wilson(6.0), lambda n: haar(SU(4), n, 2, 2, 2, seed=6)),
}
CHEAP = ["real", "circle", "sphere", "SU(2) links", "SU(3) links"]


def started(manifold, n, **settings):
    action, field = SYSTEMS[manifold]
    return hmc_start(action, field(n), manifold=manifold, **{"step_size": 0.1, **settings})


def momentum(state, seed):
    flow = hmc._flow(state.manifold, state.field)
    noise = torch.randn(flow.noise_shape(state.field), generator=seeded(seed), dtype=F64)
    return flow.momentum(noise, state.field)


def run(state, seed, steps):
    """Fields and dH of ``steps`` trajectories: lists of (chains, ...) and (chains,)."""
    generator, fields, changes = seeded(seed), [], []
    for _ in range(steps):
        state, info = hmc_step(state, generator)
        fields.append(state.field)
        changes.append(info.delta_h)
    return state, fields, torch.stack(changes)


def z(values, exact):
    """Of (steps, chains), by the scatter of the chains."""
    return oracles.z_score(values.mean(0).numpy(), exact)


class TestIntegrators:
    @pytest.mark.parametrize("integrator", [LEAPFROG, OMELYAN], ids=["leapfrog", "omelyan"])
    @pytest.mark.parametrize("manifold", SYSTEMS)
    def test_reversible(self, manifold, integrator):
        """There and back again: within 1e-10, after 20 steps that change H by much."""
        state = started(manifold, 4, integrator=integrator, n_steps=20, step_size=0.15)
        p = momentum(state, 10)
        end, p_end, delta_h = trajectory(state, p)
        assert (delta_h.abs() > 1e-5).all()
        assert float((end - state.field).abs().max()) > 0.1
        back, p_back, returned = trajectory(replace(state, field=end), -p_end)
        assert float((back - state.field).abs().max()) < 1e-10
        assert float((p_back + p).abs().max()) < 1e-10
        assert float((returned + delta_h).abs().max()) < 1e-10

    @pytest.mark.parametrize("manifold", CHEAP)
    def test_euler_is_not_reversible(self, manifold):
        state = started(manifold, 4, integrator=EULER, n_steps=20)
        end, p_end, _ = trajectory(state, momentum(state, 10))
        back, _, _ = trajectory(replace(state, field=end), -p_end)
        assert float((back - state.field).abs().max()) > 1e-3

    @pytest.mark.parametrize("manifold", CHEAP)
    def test_stays_on_the_manifold(self, manifold):
        state, fields, _ = run(started(manifold, 3, step_size=0.2), 11, 20)
        flow = hmc._flow(manifold, state.field)
        flow.check(fields[-1])
        if manifold == "circle":
            assert float(fields[-1].abs().max()) <= math.pi

    @pytest.mark.parametrize("manifold", SYSTEMS)
    def test_force_is_the_derivative_along_the_flow(self, manifold):
        """Central differences of S along drifts of (nearly) no kick; 1e-5 steps leave 1e-9."""
        state = started(manifold, 2)
        flow = hmc._flow(manifold, state.field)
        v = momentum(state, 12)
        _, force = hmc._action_and_force(state.action, flow, state.field)
        there, _ = flow.drift(state.field, v, 1e-5)
        before, _ = flow.drift(state.field, v, -1e-5)
        slope = (state.action(there) - state.action(before)) / 2e-5
        torch.testing.assert_close(slope, -(force * v).flatten(1).sum(1), rtol=1e-7, atol=1e-7)

    @pytest.mark.parametrize("integrator", [LEAPFROG, OMELYAN], ids=["leapfrog", "omelyan"])
    @pytest.mark.parametrize("manifold", CHEAP)
    def test_errors_fall_with_the_step_size(self, manifold, integrator):
        """rms dH ~ eps^2 and <dH> ~ eps^4 in equilibrium, at one length of the trajectory.

        The same starts and momenta at all step sizes. For a reversible and area-preserving map
        <f(dH)> = <f(-dH) e^-dH>, hence <dH> = <dH (1 - e^-dH)> / 2, whose terms have one sign.
        """
        state = started(manifold, 50 if "SU" in manifold else 400, step_size=0.15, n_steps=6)
        state, _, _ = run(state, 13, 40)
        p = momentum(state, 14)
        sizes = torch.tensor([0.1, 0.05, 0.025], dtype=F64)
        rms, mean = [], []
        for eps in sizes.tolist():
            steps = round(1.0 / eps)
            at_eps = replace(state, step_size=eps, n_steps=steps, integrator=integrator)
            _, _, d = trajectory(at_eps, p)
            rms.append(d.square().mean().sqrt())
            mean.append((d * (1 - torch.exp(-d))).mean() / 2)
        slopes = torch.diff(torch.stack(rms).log()) / torch.diff(sizes.log())
        assert ((slopes - 2).abs() < 0.1).all(), slopes
        slopes = torch.diff(torch.stack(mean).log()) / torch.diff(sizes.log())
        assert ((slopes - 4).abs() < 0.2).all(), slopes

    @pytest.mark.parametrize("manifold", ["real", "sphere", "SU(2) links"])
    def test_a_wrong_force_conserves_nothing(self, manifold, monkeypatch):
        """The control: the force off by a tenth, and dH stays where it is as eps falls."""
        real = hmc._action_and_force
        monkeypatch.setattr(
            hmc, "_action_and_force", lambda *a: (lambda S, f: (S, 0.9 * f))(*real(*a))
        )
        state = started(manifold, 200)
        p = momentum(state, 15)
        rms = []
        for n_steps in (10, 40):
            _, _, d = trajectory(replace(state, step_size=1.0 / n_steps, n_steps=n_steps), p)
            rms.append(float(d.square().mean().sqrt()))
        assert rms[1] > 0.5 * rms[0]

    @pytest.mark.parametrize("manifold", ["real", "sphere", "SU(2) links"])
    def test_area_is_preserved(self, manifold):
        """<exp(-dH)> = 1 in equilibrium, with integrators so coarse that dH is no small number."""
        state = started(manifold, 300, step_size=0.3, n_steps=3)
        state, _, _ = run(state, 16, 30)
        _, _, d = run(replace(state, step_size=0.4), 17, 40)
        assert float(d.std()) > 0.2
        assert abs(z(torch.exp(-d), 1.0)) < 5

    def test_a_shrinking_flow_does_not_preserve_it(self, monkeypatch):
        """The control: a drift that scales by 0.99."""
        state = started("real", 500, step_size=0.3, n_steps=3)
        state, _, _ = run(state, 16, 40)
        drift = hmc._Flat.drift
        monkeypatch.setattr(hmc._Flat, "drift", lambda *a: (lambda x, p: (0.99 * x, p))(*drift(*a)))
        _, _, d = run(state, 17, 60)
        assert abs(z(torch.exp(-d), 1.0)) > 10


def su3_log_z(beta, V, n=24, n_irreps=5):
    angle = 2 * np.pi * np.arange(n) / n
    a, b = np.meshgrid(angle, angle, indexing="ij")
    phases = np.exp(1j * np.stack([a, b, -a - b]))

    def alternant(powers):
        """det e^(i power_k phi_j), of which quotients are characters."""
        M = np.stack([[p**k for k in powers] for p in phases])  # (3, 3, n, n)
        return np.linalg.det(np.moveaxis(M, (0, 1), (-2, -1)))

    vandermonde = alternant((2, 1, 0))
    weight = np.exp(beta / 3 * phases.sum(0).real)
    total = 0.0
    for p in range(n_irreps):
        for q in range(n_irreps):
            d = (p + 1) * (q + 1) * (p + q + 2) / 2
            # chi Delta times Delta^*, over the 6 elements of Weyl's group
            top = alternant((p + q + 2, q + 1, 0)) * vandermonde.conj()
            total += ((top * weight).mean().real / 6 / d) ** V
    return np.log(total)


class TestExact:
    def test_gaussian_field(self):
        """A free field on 4 x 6: every mode has its variance, 1 / (m^2 + k^2)."""
        m2, shape, n = 0.3, (4, 6), 64

        def free(x):
            bonds = sum((x - x.roll(1, a)).square().sum((-2, -1)) for a in (-2, -1))
            return (bonds + m2 * x.square().sum((-2, -1))) / 2

        state = hmc_start(free, torch.zeros(n, *shape, dtype=F64), manifold="real",
                          step_size=0.35, n_steps=5, jitter=0.2)  # fmt: skip
        state, _, _ = run(state, 20, 60)
        _, fields, d = run(state, 21, 300)
        power = torch.fft.fft2(torch.stack(fields)).abs().square() / 24
        k = [4 * np.sin(np.pi * np.arange(s) / s) ** 2 for s in shape]
        exact = 1 / (m2 + k[0][:, None] + k[1][None, :])
        scores = [z(power[..., i, j], exact[i, j]) for i in range(4) for j in range(6)]
        assert max(map(abs, scores)) < 5
        assert abs(z(torch.exp(-d), 1.0)) < 5

    @pytest.mark.parametrize(("size", "t"), [(2, 0.5), (3, 0.8929)])
    def test_xy_tori(self, size, t):
        energy, heat, _ = oracles.XY_TORI[size, t]
        n_sites = size * size
        state = hmc_start(lambda x: rotors(x, 1 / t), torch.zeros(64, size, size, dtype=F64),
                          manifold="circle", step_size=0.25, n_steps=6, jitter=0.2)  # fmt: skip
        state, _, _ = run(state, 22, 50)
        _, fields, d = run(state, 23, 300)
        e = t * rotors(torch.stack(fields).flatten(0, 1), 1 / t).reshape(300, 64)
        assert abs(z(e / n_sites, energy)) < 5
        assert abs(z((e - n_sites * energy).square() / n_sites / t**2, heat)) < 5
        assert abs(z(torch.exp(-d), 1.0)) < 5

    def test_heisenberg_ring(self):
        """tr of the transfer matrix: Z = sum_l (2 l + 1) lambda_l^N, lambda_l ~ i_l(beta)."""
        beta, n_sites = 1.3, 5
        # i_l: modified spherical Bessel functions; d ln Z / d beta by central differences
        ls = np.arange(12)

        def log_z(b):
            lam = np.sqrt(np.pi / (2 * b)) * iv(ls + 0.5, b)
            return np.log(((2 * ls + 1) * lam**n_sites).sum())

        exact = -(log_z(beta + 1e-5) - log_z(beta - 1e-5)) / 2e-5
        state = hmc_start(heisenberg, unit(64, n_sites, 3, seed=24), manifold="sphere",
                          step_size=0.4, n_steps=4)  # fmt: skip
        state, _, _ = run(state, 25, 40)
        _, fields, d = run(state, 26, 250)
        e = heisenberg(torch.stack(fields).flatten(0, 1)).reshape(250, 64) / beta
        assert abs(z(e, exact)) < 5
        assert abs(z(torch.exp(-d), 1.0)) < 5
        assert float(d.std()) > 0.2

    def test_u1_plaquettes(self):
        """2D U(1): sum I_n^(V-1) I_n' / sum I_n^V, with angles."""
        beta, size = 2.0, 2
        n, V = np.arange(-20, 21), size * size
        exact = (iv(n, beta) ** (V - 1) * ivp(n, beta)).sum() / (iv(n, beta) ** V).sum()
        state = hmc_start(compact(beta), torch.zeros(64, 2, size, size, dtype=F64),
                          manifold="U(1) links", step_size=0.3, n_steps=5, jitter=0.2)  # fmt: skip
        state, _, _ = run(state, 27, 50)
        _, fields, d = run(state, 28, 250)
        plaquette = torch.stack([torch.cos(plaquette_angles(x)).mean((-2, -1)) for x in fields])
        assert abs(z(plaquette, exact)) < 5
        assert abs(z(torch.exp(-d), 1.0)) < 5

    def test_su2_plaquettes(self):
        """2D SU(2): Z = sum_n (2 I_n / beta)^V over the dimensions n; d ln Z / V."""
        beta, V, n = 2.5, 4, np.arange(1, 30)
        log_z = lambda b: np.log(((2 * iv(n, b) / b) ** V).sum())  # noqa: E731
        exact = (log_z(beta + 1e-5) - log_z(beta - 1e-5)) / 2e-5 / V
        fields, d = self.links(SU(2), beta, 29)
        plaquette = torch.stack([half_trace(U).mean((-2, -1)) for U in fields])
        assert abs(z(plaquette, exact)) < 5
        assert abs(z(torch.exp(-d), 1.0)) < 5
        assert float(d.std()) > 0.1

    def test_su3_plaquettes(self):
        """2D SU(3): Z = sum_pq (a_pq / d_pq)^V, a by Weyl's integral over two angles."""
        beta, V = 4.0, 4
        exact = (su3_log_z(beta + 1e-4, V) - su3_log_z(beta - 1e-4, V)) / 2e-4 / V
        fields, d = self.links(SU(3), beta, 30)
        plaquette = torch.stack([half_trace(U).mean((-2, -1)) for U in fields])
        assert abs(z(plaquette, exact)) < 5
        assert abs(z(torch.exp(-d), 1.0)) < 5
        assert float(d.std()) > 0.1

    @staticmethod
    def links(group, beta, seed, steps=100):
        U = group.identity(dtype=torch.complex128).expand(64, 2, 2, 2, -1, -1).contiguous()
        state = hmc_start(wilson(beta), U, manifold=f"SU({group.n}) links", step_size=0.25,
                          n_steps=4)  # fmt: skip
        state, _, _ = run(state, seed, 30)
        _, fields, d = run(state, seed + 100, steps)
        return fields, d


class TestBroken:
    """Samplers with detailed balance broken on purpose, which the exact answers refuse."""

    @staticmethod
    def score(integrator=LEAPFROG, step_size=0.33):
        size, t = 2, 0.5
        energy, _, _ = oracles.XY_TORI[size, t]
        state = hmc_start(lambda x: rotors(x, 1 / t), torch.zeros(64, size, size, dtype=F64),
                          manifold="circle", step_size=step_size, n_steps=3,
                          integrator=integrator)  # fmt: skip
        state, _, _ = run(state, 31, 60)
        _, fields, d = run(state, 32, 300)
        e = t * rotors(torch.stack(fields).flatten(0, 1), 1 / t).reshape(300, 64)
        return abs(z(e / 4, energy)), abs(z(torch.exp(-d), 1.0)), float(d.std())

    def test_whole(self):
        energy, area, spread = self.score()
        assert energy < 5
        assert area < 5
        assert spread > 0.2

    def test_accepts_all(self, monkeypatch):
        one = torch.ones_like
        monkeypatch.setattr(hmc, "_step", _accepting(lambda d, u: one(d, dtype=torch.bool)))
        energy, area, _ = self.score()
        assert energy > 10
        assert area > 10

    def test_accepts_by_the_wrong_sign(self, monkeypatch):
        monkeypatch.setattr(hmc, "_step", _accepting(lambda d, u: u < torch.exp(d)))
        assert self.score()[0] > 10

    def test_not_reversible(self):
        assert self.score(EULER, 0.2)[0] > 10


def _accepting(rule):
    """`hmc._step` with another rule of acceptance."""

    def step(state, noise, uniform):
        flow = hmc._flow(state.manifold, state.field)
        end, _, d = trajectory(state, flow.momentum(noise, state.field))
        accepted = rule(d, uniform[1])
        chosen = accepted.reshape(-1, *(1,) * (end.ndim - 1))
        return replace(state, field=torch.where(chosen, end, state.field)), hmc.HMCInfo(accepted, d)

    return step


class TestSteps:
    @pytest.mark.parametrize("manifold", CHEAP)
    def test_same_seed_same_bits(self, manifold):
        state = started(manifold, 3, jitter=0.3, step_size=0.2)
        before = state.field.clone()
        a, _, da = run(state, 40, 5)
        b, _, db = run(state, 40, 5)
        c, _, _ = run(state, 41, 5)
        assert torch.equal(a.field, b.field)
        assert torch.equal(da, db)
        assert not torch.equal(a.field, c.field)
        assert torch.equal(state.field, before)

    @pytest.mark.parametrize("manifold", CHEAP)
    def test_rejected_chains_stay(self, manifold):
        size = {"real": 0.5, "circle": 0.8, "sphere": 0.8}.get(manifold, 0.25)
        state = started(manifold, 40, step_size=size)
        after, info = hmc_step(state, seeded(42))
        assert 0 < int(info.accepted.sum()) < 40
        same = (after.field == state.field).flatten(1).all(1)
        assert torch.equal(same, ~info.accepted)

    def test_chains_do_not_see_each_other(self):
        """One chain in another's company: the same noise leads it to the same end."""
        state = started("circle", 5)
        p = momentum(state, 43)
        together, _, d = trajectory(state, p)
        alone, _, d_alone = trajectory(replace(state, field=state.field[2:3]), p[2:3])
        # roundings of sums in another order, amplified over 10 steps
        torch.testing.assert_close(alone[0], together[2], rtol=0, atol=1e-13)
        torch.testing.assert_close(d_alone[0], d[2], rtol=0, atol=1e-12)

    def test_a_diverging_trajectory_is_not_accepted(self):
        state = started("real", 10, step_size=50.0)
        after, info = hmc_step(state, seeded(44))
        assert not info.delta_h.isfinite().all()
        assert not info.accepted.any()
        assert torch.equal(after.field, state.field)

    def test_jitter_scatters_the_step_size(self):
        """Without forces the way is p eps n, so that eps can be read off."""
        state = hmc_start(lambda x: 0.0 * x.sum(-1), torch.zeros(2000, 1, dtype=F64),
                          manifold="real", step_size=0.5, n_steps=2, jitter=0.2)  # fmt: skip
        after, _ = hmc_step(state, seeded(45))
        noise = torch.randn((2000, 1), generator=seeded(45), dtype=F64)
        eps = (after.field / noise).flatten() / 2
        assert float(eps.min()) == pytest.approx(0.4, abs=1e-3)
        assert float(eps.max()) == pytest.approx(0.6, abs=1e-3)

    def test_tuning_reaches_an_acceptance_and_is_over(self):
        state = hmc_tuned(started("circle", 8), seeded(46), acceptance=0.7)
        after, _, d = run(state, 47, 100)
        assert after.step_size == state.step_size
        assert float(torch.exp(-d).clamp(max=1).mean()) == pytest.approx(0.7, abs=0.08)

    @pytest.mark.parametrize("factor", [1e-4, 1.0, 1e4])
    def test_tuning_finds_any_scale(self, factor):
        """A Gaussian of width w needs steps ~ w; 16 modes leave some 1.1 w at acceptance 0.8."""
        state = hmc_start(lambda x: (x / factor).square().sum(-1) / 2,
                          torch.zeros(16, 16, dtype=F64), manifold="real", step_size=1.0,
                          n_steps=3)  # fmt: skip
        tuned = hmc_tuned(state, seeded(48))
        assert 0.5 < tuned.step_size / factor < 2.0

    def test_float32_and_its_dtype(self):
        state = hmc_start(quartic, torch.zeros(4, 6), manifold="real", step_size=0.1)
        state, info = hmc_step(state, seeded(49))
        assert state.field.dtype == info.delta_h.dtype == torch.float32


class TestRefusals:
    GOOD = MappingProxyType(
        {
            "action": quartic,
            "field": torch.zeros(2, 3, dtype=F64),
            "manifold": "real",
            "step_size": 0.1,
        }
    )

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"manifold": "torus"}, r"`manifold` is 'torus'; expected 'real'"),
            ({"manifold": "SU(1) links"}, r"`manifold` is 'SU\(1\) links'"),
            ({"step_size": 0.0}, r"`step_size` is 0.0; expected a number above 0"),
            ({"n_steps": 0}, r"`n_steps` is 0; expected an integer of at least 1"),
            ({"jitter": 1.0}, r"`jitter` is 1.0; expected a number in \[0, 1\)"),
            ({"field": np.zeros((2, 3))}, r"`field` is of type ndarray; expected a torch tensor"),
            ({"field": torch.zeros(2, 3, dtype=torch.int64)}, r"`field` is torch.int64 of shape"),
            ({"field": torch.full((2, 3), math.nan)}, r"expected finite floats"),
            ({"manifold": "sphere"}, r"`field` has vectors whose length is off 1 by 1"),
            ({"manifold": "SU(3) links"}, r"`field` is torch.float64 of shape \(2, 3\)"),
            ({"action": lambda x: x.sum()}, r"`action` returns shape \(\) for a batch of \(2, 3\)"),
            ({"action": lambda x: 1.0}, r"`action` returns type <class 'float'>"),
            ({"action": lambda x: x.detach().sum(-1)}, r"without a derivative"),
            ({"action": lambda x: (x.sum(-1) + 1) / 0}, r"`action` is inf where a chain starts"),
        ],
    )  # fmt: skip
    def test_of_start(self, wrong, message):
        arguments = {**self.GOOD, **wrong}
        action, field = arguments.pop("action"), arguments.pop("field")
        with pytest.raises(InputError, match=message) as error:
            hmc_start(action, field, **arguments)
        assert "\n" not in str(error.value)

    def test_of_tuning(self):
        with pytest.raises(InputError, match=r"`acceptance` is 1.5; expected a number between"):
            hmc_tuned(started("real", 2), seeded(0), acceptance=1.5)
