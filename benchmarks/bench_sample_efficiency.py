"""Errors against the number of training configurations: equivariant and plain networks.

    python benchmarks/bench_sample_efficiency.py [--tasks xy-energy ...] [--seeds 3] [--plot]

Spins on 16 x 16 sites, periodic, at several temperatures; test configurations are of chains of
their own. `pytest benchmarks` runs tiny versions.

  heisenberg-energy  energy a site of unit vectors of three components
  xy-energy          energy a site of XY spins
  xy-vortices        vortices and antivortices a plaquette of XY spins
  xy-phase           below or above T_BKT: T = 0.70, 0.75, 0.80 against 1.00, 1.05, 1.10

  equivariant  two convolutions of spins that commute with O(n) and p4m, with gates, scalar products
               after each, one hidden layer at each site, a mean
  plain        circular convolutions of the components, a mean; every batch is turned (and mirrored)
               at random by O(n) and p4m
  energies     ridge (or logistic) regression on the mean products of neighbours at distance 1 and
               2 ** 0.5; for energies this is the label itself

Errors of regressions are root mean squares over the standard deviation of the label, those of the
phase per cent; mean and standard error over seeds of training set and weights. Learning rates are
chosen by an eighth of the largest training set that is held out, the same number of steps for all.
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy.special import spherical_in
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from timing import RESULTS, keep, machine
from torch import nn

from topoml.lattice import XY, simulate
from topoml.lattice.observables import vortex_density
from topoml.lie import SO
from topoml.nn import SpinConv, SpinGate, SpinInvariants, assert_equivariant
from topoml.nn.point_groups import P4M, lattice_symmetries

N_TRAIN = (8, 32, 128, 512)
RATES = (1e-3, 3e-3, 1e-2)
WINDOWS = (0.70, 0.75, 0.80, 1.00, 1.05, 1.10)
WARM = tuple(np.linspace(0.4, 1.6, 8))


class Sample(NamedTuple):
    """Unit vectors (N, 1, L, L, n) and labels (N,)."""

    spins: torch.Tensor
    label: torch.Tensor


class Task(NamedTuple):
    train: Sample
    test: Sample
    is_phase: bool = False


def heisenberg(L, temperatures, n, seed, n_sweeps=150):
    """Unit vectors (n a temperature, 1, L, L, 3) after sweeps of heat bath from random ones."""
    generator = torch.Generator().manual_seed(seed)
    beta = 1 / torch.tensor(temperatures, dtype=torch.float64).repeat_interleave(n)
    size = (len(beta), L, L, 3)
    s = nn.functional.normalize(torch.randn(size, generator=generator, dtype=torch.float64), dim=-1)
    x, y = torch.meshgrid(torch.arange(L), torch.arange(L), indexing="ij")
    for sweep in range(2 * n_sweeps):
        site = (x + y) % 2 == sweep % 2
        field = sum(s.roll(step, axis) for step in (1, -1) for axis in (1, 2))[:, site]
        strength = field.norm(dim=-1, keepdim=True)
        k = beta[:, None, None] * strength
        u = torch.rand(k.shape, generator=generator, dtype=torch.float64)
        along = 1 + (u + (1 - u) * (-2 * k).exp()).log() / k  # density exp(k cos) of the cosine
        axis = field / strength
        side = torch.randn(field.shape, generator=generator, dtype=torch.float64)
        side = nn.functional.normalize(side - (side * axis).sum(-1, keepdim=True) * axis, dim=-1)
        s[:, site] = along * axis + (1 - along * along).clamp(min=0).sqrt() * side
    return s[:, None]


def bonds(spins):
    """Mean products of neighbours at distance 1 and at 2 ** 0.5, (N, 2)."""
    s = spins[:, 0]
    near = [(s * s.roll(1, axis)).sum(-1).mean((1, 2)) for axis in (1, 2)]
    far = [(s * s.roll((1, step), (1, 2))).sum(-1).mean((1, 2)) for step in (1, -1)]
    return torch.stack([sum(near) / 2, sum(far) / 2], 1)


def xy_angles(temperatures, n, seed, L):
    ensemble = simulate(
        XY(), sizes=[L], temperatures=temperatures, samples=n, n_chains=min(n, 16), seed=seed
    )
    found = [ensemble.configurations(size=L, temperature=t) for t in temperatures]
    return torch.from_numpy(np.stack(found)).flatten(0, 2).double()


def vectors(theta):
    return torch.stack([theta.cos(), theta.sin()], -1)[:, None]


def task(name, n_train=512, n_test=512, L=16):
    """Configurations, shuffled; those of the test from other chains."""

    def sample(n, seed):
        if name == "heisenberg-energy":
            spins = heisenberg(L, WARM, -(-n // len(WARM)), seed)
            label = -2 * bonds(spins)[:, 0]
        elif name == "xy-phase":
            spins = vectors(
                xy_angles((0.70, 0.75, 0.80, 1.00, 1.05, 1.10), -(-n // 96) * 16, seed, L)
            )
            label = (torch.arange(len(spins)) >= len(spins) // 2).double()
        else:
            theta = xy_angles(WARM, -(-n // 128) * 16, seed, L)
            spins = vectors(theta)
            label = -2 * bonds(spins)[:, 0] if name == "xy-energy" else vortex_density(theta)
        order = torch.randperm(len(label), generator=torch.Generator().manual_seed(seed))[:n]
        return Sample(spins[order].float(), label[order].float())

    return Task(sample(n_train, 1), sample(n_test, 2), name == "xy-phase")


class Squeezed(nn.Module):
    """(N, 1, L, L) -> (N,): the mean over sites."""

    def forward(self, x):
        return x.mean((1, 2, 3))


class Components(nn.Module):
    """(N, 1, L, L, n) -> (N, n, L, L)."""

    def forward(self, spins):
        return spins[:, 0].movedim(-1, 1)


class Invariants(nn.Module):
    """Scalar products of spins after each of two convolutions, (N, 1, L, L, n) -> (N, C, L, L)."""

    def __init__(self, channels):
        super().__init__()
        self.first, self.gate = SpinConv(1, channels, group=P4M), SpinGate(channels)
        self.second, self.last = SpinConv(channels, channels, group=P4M), SpinGate(channels)
        self.products = SpinInvariants()

    def forward(self, spins):
        near = self.first(spins)
        far = self.last(self.second(self.gate(near)))
        return torch.cat([self.products(near), self.products(far)], 1)


def equivariant(n_components, channels=8):
    del n_components  # any
    n = channels * (channels + 1)
    return nn.Sequential(
        Invariants(channels),
        nn.BatchNorm2d(n, momentum=None),
        nn.Conv2d(n, 32, 1),
        nn.GELU(),
        nn.Conv2d(32, 1, 1),
        Squeezed(),
    )


def plain(n_components, width=24):
    periodic = {"padding": 1, "padding_mode": "circular"}
    return nn.Sequential(
        Components(),
        nn.Conv2d(n_components, width, 3, **periodic),
        nn.GELU(),
        nn.Conv2d(width, width, 3, **periodic),
        nn.GELU(),
        nn.BatchNorm2d(width, momentum=None),
        nn.Conv2d(width, 32, 1),
        nn.GELU(),
        nn.Conv2d(32, 1, 1),
        Squeezed(),
    )


MODELS: dict[str, Callable] = {"equivariant": equivariant, "plain": plain}
SQUARE = lattice_symmetries(P4M)


def augmented(spins, generator):
    """Turned and mirrored by one element of O(n), and of p4m with a shift, a batch."""
    n = spins.shape[-1]
    turn = SO(n).random_haar(generator=generator, dtype=spins.dtype)
    turn[0] *= 1 - 2 * torch.randint(2, (), generator=generator)
    moved = spins.movedim(-1, 1).flatten(0, 1)
    moved = SQUARE.act_in(SQUARE.draw(moved, generator), moved)
    return moved.unflatten(0, (len(spins), n)).movedim(1, -1) @ turn.mT


def train(name, sample, is_phase, rate, steps, seed):
    """Adam on batches of 32, the rate falling to 0 by a cosine."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = MODELS[name](sample.spins.shape[-1])
    mean, scale = (0.0, 1.0) if is_phase else (sample.label.mean(), sample.label.std())
    loss_of = nn.functional.binary_cross_entropy_with_logits if is_phase else nn.functional.mse_loss
    with torch.no_grad():  # the normalisation is that of the start, and stays: batches are few
        model(sample.spins)
    model.eval()
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        rows = torch.randperm(len(sample.label), generator=generator)[:32]
        spins = sample.spins[rows]
        if name == "plain":
            spins = augmented(spins, generator)
        loss = loss_of(model(spins), (sample.label[rows] - mean) / scale)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()

    def predict(spins):
        with torch.no_grad():
            return mean + scale * torch.cat([model(part) for part in spins.split(128)])

    return predict


def energies(sample, is_phase):
    """The regression on energies that a sceptic asks for."""
    features, label = bonds(sample.spins).numpy(), sample.label.numpy()
    if is_phase:
        folds = min(4, int(min(label.sum(), (1 - label).sum())))
        fit = LogisticRegressionCV(cv=max(2, folds), solver="liblinear").fit(features, label)
        return lambda spins: torch.from_numpy(fit.decision_function(bonds(spins).numpy()))
    powers = np.concatenate([features, features**2], 1)
    fit = RidgeCV(np.logspace(-9, 1, 11)).fit(powers, label)

    def predict(spins):
        x = bonds(spins).numpy()
        return torch.from_numpy(fit.predict(np.concatenate([x, x**2], 1)))

    return predict


def error(predict, sample, is_phase):
    found = predict(sample.spins)
    if is_phase:
        return 100 * float(((found > 0) != (sample.label > 0.5)).double().mean())
    return float((found - sample.label).square().mean().sqrt() / sample.label.std())


def chosen_rate(name, t, steps):
    """Of the least error on an eighth of the training set."""
    n = len(t.train.label) // 8
    held = Sample(*(x[:n] for x in t.train))
    rest = Sample(*(x[n:] for x in t.train))
    errors = [
        error(train(name, rest, t.is_phase, rate, steps, seed=0), held, t.is_phase)
        for rate in RATES
    ]
    return RATES[int(np.argmin(errors))]


def curves(name, n_seeds, steps, numbers=N_TRAIN):
    """Rows of the table."""
    t = task(name, n_train=max(numbers))
    rows = []

    def add(model, parameters, rate, fit):
        row = {"task": name, "model": model, "parameters": parameters, "rate": rate}
        for n in numbers:
            errors = []
            for seed in range(n_seeds):
                order = torch.randperm(
                    len(t.train.label), generator=torch.Generator().manual_seed(100 + seed)
                )
                part = Sample(*(x[order[:n]] for x in t.train))
                errors.append(error(fit(part, seed), t.test, t.is_phase))
            spread = np.std(errors, ddof=1) / len(errors) ** 0.5 if n_seeds > 1 else float("nan")
            row[f"N = {n}"] = f"{np.mean(errors):.3g} ± {spread:.1g}"
        rows.append(row)

    for model in MODELS:
        rate = chosen_rate(model, t, steps)
        parameters = sum(p.numel() for p in MODELS[model](t.train.spins.shape[-1]).parameters())
        add(
            model,
            parameters,
            rate,
            lambda part, seed, m=model, r=rate: train(m, part, t.is_phase, r, steps, seed),
        )
    if not name.endswith("energy"):
        add("energies", 4, "", lambda part, _: energies(part, t.is_phase))
    return rows


TASKS = ("heisenberg-energy", "xy-energy", "xy-vortices", "xy-phase")


def picture(rows):
    """The curves of the table, one panel a task."""
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(row["task"] for row in rows))
    figure, axes = plt.subplots(1, len(names), figsize=(3.4 * len(names), 3.2), squeeze=False)
    for name, axis in zip(names, axes[0], strict=True):
        for row in (row for row in rows if row["task"] == name):
            points = {k: v for k, v in row.items() if k.startswith("N = ")}
            n = [int(k.removeprefix("N = ")) for k in points]
            mean, spread = np.array([v.split(" ± ") for v in points.values()], float).T
            axis.errorbar(n, mean, spread, marker="o", markersize=4, capsize=2, label=row["model"])
        axis.set(xscale="log", yscale="log", title=name, xlabel="training configurations")
        axis.set_xticks(n, n)
        axis.minorticks_off()
    axes[0, 0].set_ylabel("test error (phase: per cent)")
    axes[0, -1].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(RESULTS / "sample_efficiency.png", dpi=150)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_heat_bath(temperature):
    """2 x 2 sites are a ring of four with twice the coupling: Z = sum (2 l + 1) i_l(K)^4."""

    def log_z(k):
        order = np.arange(40)
        return np.log(np.sum((2 * order + 1) * spherical_in(order, k) ** 4))

    k = 2 / temperature
    exact = (log_z(k + 1e-5) - log_z(k - 1e-5)) / 2e-5 / 4  # mean product of neighbours
    spins = heisenberg(2, (temperature,), 20000, seed=0, n_sweeps=60)
    product = bonds(spins)[:, 0]
    pull = (product.mean() - exact) / (product.std() / len(product) ** 0.5)
    assert abs(pull) < 4
    wrong = bonds(heisenberg(2, (1.1 * temperature,), 20000, seed=0, n_sweeps=60))[:, 0]
    assert abs(wrong.mean() - exact) / (wrong.std() / len(wrong) ** 0.5) > 8


def test_invariance():
    """Of the equivariant network; the plain one is the control."""
    spins = heisenberg(6, (1.0,), 4, seed=1, n_sweeps=5)
    for name, low, high in (("equivariant", 0, 1e-12), ("plain", 1e-3, 10)):
        model = MODELS[name](3).double().eval()
        generator = torch.Generator().manual_seed(0)
        defect = assert_equivariant(
            model, SO(3), spins, generator, act_out=lambda g, y: y, tolerance=10
        )
        other = (model(augmented(spins, generator)) - model(spins)).abs().max()
        assert low <= defect <= high
        assert other <= high


@pytest.mark.parametrize("name", ["heisenberg-energy", "xy-energy"])
def test_energies_are_learnt(name):
    """Tiny: 32 configurations of 8 x 8."""
    t = task(name, n_train=32, n_test=64, L=8)
    found = {
        model: error(train(model, t.train, False, 1e-2, 100, seed=0), t.test, False)
        for model in MODELS
    }
    assert found["equivariant"] < 0.15
    assert found["plain"] < 1.5


def test_phases_are_learnt():
    t = task("xy-phase", n_train=96, n_test=96, L=8)
    assert error(train("equivariant", t.train, True, 1e-2, 60, seed=0), t.test, True) < 30
    assert error(energies(t.train, True), t.test, True) < 15


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--plot", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in arguments.tasks:
        rows += curves(name, arguments.seeds, arguments.steps)
        keep("sample_efficiency", rows, machine("scikit-learn"))
    if arguments.plot:
        picture(rows)


if __name__ == "__main__":
    main()
