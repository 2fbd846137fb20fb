"""Errors against the number of training configurations: equivariant and plain networks.

    python benchmarks/bench_sample_efficiency.py [--tasks xy-energy ...] [--seeds 3] [--plot]

Spins on 16 x 16 sites, periodic. `pytest benchmarks` runs tiny versions; `--tasks --plot` draws the
kept table anew.

  heisenberg-energy  energy a site of unit vectors of three components, T = 0.4 ... 1.6
  xy-energy          energy a site of XY spins at the same temperatures
  xy-vortices        vortices and antivortices a plaquette of these
  xy-phase           below or above T_BKT: T = 0.70, 0.75, 0.80 against 1.00, 1.05, 1.10

  equivariant  two convolutions of spins that commute with O(n) and p4m, a gate between them; scalar
               products after each, a hidden layer at each site, the mean over the sites
  O(n) alone   one convolution that commutes with O(n), its kernel free; the rest alike
  harmonic     XY: one convolution of the charges 1 and 2 that commutes with O(2), products; alike
  plain        two circular convolutions of the components; the rest alike
  energies     ridge or logistic regression on the mean products of spins at distance 1 and 2 ** 0.5

The networks are trained alike: Adam on batches of 8, 800 steps for any number of configurations,
which sets the level at which the curves end: four times as many steps (xy-energy, 512
configurations, one seed) take "equivariant" to 0.009 and "plain" to 0.029. What is not equivariant
by itself sees configurations turned and mirrored at random, spins and lattice, each by elements of
its own. For the energy, the first of the mean products is the answer itself, and a combination of
the scalar products in "equivariant" and "O(n) alone". The odds of one temperature against another
depend on the energy alone, so that no method can beat "energies" on the phase, given enough
configurations.

Errors are root mean squares over the standard deviation of the label, for the phase per cent of
wrong answers: mean and standard error over seeds, each with weights and a training set of its own.
The 512 test configurations are the same for all, and their own scatter (of 2 % wrong answers, 0.6)
is not in the error. Training, validation and test sets are of separate chains. The learning rate is
that of the least loss on 128 validation configurations, chosen anew for each model and number with
the first seed.
"""

import argparse
import json
import time
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy.special import spherical_in
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from timing import RESULTS, keep, machine
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss, normalize

from topoml.lattice import XY, Heisenberg, simulate
from topoml.lattice.vortex import vortex_density
from topoml.lie import SO
from topoml.nn import (
    P4M,
    Action,
    HarmonicConv,
    HarmonicProduct,
    SpinConv,
    SpinGate,
    SpinInvariants,
    angle_harmonics,
    assert_equivariant,
    invariant,
    lattice_symmetries,
    translations,
)

N_TRAIN = (8, 32, 128, 512)
RATES = (3e-3, 1e-2, 3e-2)
TEMPERATURES = tuple(np.linspace(0.4, 1.6, 8))
WINDOWS = (0.70, 0.75, 0.80, 1.00, 1.05, 1.10)
TASKS = ("heisenberg-energy", "xy-energy", "xy-vortices", "xy-phase")


class Sample(NamedTuple):
    """Unit vectors (N, 1, L, L, n) and labels (N,)."""

    spins: torch.Tensor
    label: torch.Tensor

    def first(self, n):
        return Sample(self.spins[:n], self.label[:n])


def heisenberg(temperatures, n, seed, L=16, n_sweeps=50):
    """Unit vectors (n a temperature, 1, L, L, 3), each of a chain of its own, random at the start.

    A sweep is one of heat bath and four of over-relaxation.
    """
    model, found = Heisenberg(), []
    rngs = np.random.default_rng(seed).spawn(len(temperatures) * n)
    for temperature, rng in zip(np.repeat(temperatures, n), rngs, strict=True):
        spins = model.random_state((L, L), rng)
        found.append(model.sample(spins, temperature, n_sweeps, 1, rng, "over-relaxation")[0])
    return torch.from_numpy(np.stack(found)).double()


def xy_angles(temperatures, n, seed, L):
    """Angles (n a temperature, L, L), of 16 chains each."""
    ensemble = simulate(
        XY(), sizes=[L], temperatures=temperatures, samples=-(-n // 16) * 16, n_chains=16,
        seed=seed, n_jobs=1,
    )  # fmt: skip
    found = [ensemble.configurations(size=L, temperature=t) for t in temperatures]
    return torch.from_numpy(np.stack(found)).flatten(0, 2).double()


def bonds(spins):
    """Mean products of spins at distance 1 and at 2 ** 0.5, (N, 2)."""
    s = spins[:, 0]
    near = [(s * s.roll(1, axis)).sum(-1).mean((1, 2)) for axis in (1, 2)]
    far = [(s * s.roll((1, step), (1, 2))).sum(-1).mean((1, 2)) for step in (1, -1)]
    return torch.stack([sum(near) / 2, sum(far) / 2], 1)


def sample(task, n, seed, L=16):
    """In random order; of the phases, below and above in turn."""
    temperatures = WINDOWS if task == "xy-phase" else TEMPERATURES
    each = -(-n // len(temperatures))
    if task == "heisenberg-energy":
        spins = heisenberg(temperatures, each, seed, L)
    else:
        theta = xy_angles(temperatures, each, seed, L)
        spins = torch.stack([theta.cos(), theta.sin()], -1)[:, None]
    if task == "xy-phase":
        label = (torch.arange(len(spins)) >= len(spins) // 2).double()
    elif task == "xy-vortices":
        label = vortex_density(theta)
    else:
        label = -2 * bonds(spins)[:, 0]
    generator = torch.Generator().manual_seed(seed)
    if task == "xy-phase":
        half = len(label) // 2
        order = torch.stack([torch.randperm(half, generator=generator) + i for i in (0, half)], 1)
    else:
        order = torch.randperm(len(label), generator=generator)
    order = order.flatten()[:n]
    return Sample(spins[order].float(), label[order].float())


class Products(nn.Module):
    """Scalar products after each of some convolutions, (N, 1, L, L, n) -> (N, C, L, L)."""

    def __init__(self, *channels, group=None):
        super().__init__()
        self.convolutions = nn.ModuleList(
            SpinConv(i, o, group=group) for i, o in pairwise((1, *channels))
        )
        self.gates = nn.ModuleList(SpinGate(c) for c in channels[:-1])
        self.products = SpinInvariants()

    def forward(self, spins):
        seen = [self.convolutions[0](spins)]
        for gate, convolution in zip(self.gates, self.convolutions[1:], strict=True):
            seen.append(convolution(gate(seen[-1])))
        return torch.cat([self.products(x) for x in seen], 1)


class Harmonics(nn.Module):
    """Neutral products of charges 1 and 2 after a convolution, (N, 1, L, L, 2) -> (N, C, L, L)."""

    def __init__(self, channels, n_products):
        super().__init__()
        charges = (1, 2) * channels
        self.product = HarmonicProduct(charges)
        self.first = HarmonicConv((1, 2), charges, reflections=True)
        self.last = HarmonicConv(
            self.product.out_charges, (0,) * n_products, 1, reflections=True
        )  # fmt: skip

    def forward(self, spins):
        theta = torch.atan2(spins[:, 0, ..., 1], spins[:, 0, ..., 0])
        z = self.last(self.product(self.first(angle_harmonics(theta, (1, 2)))))
        return torch.cat([z.real, z.imag.square()], 1)  # z.imag is odd under reflections


class Components(nn.Module):
    """(N, 1, L, L, n) -> (N, n, L, L)."""

    def forward(self, spins):
        return spins[:, 0].movedim(-1, 1)


class SiteMean(nn.Module):
    """(N, 1, L, L) -> (N,)."""

    def forward(self, x):
        return x.mean((1, 2, 3))


def with_head(body, channels, hidden=16):
    return nn.Sequential(
        body,
        nn.BatchNorm2d(channels, momentum=None),
        nn.Conv2d(channels, hidden, 1),
        nn.GELU(),
        nn.Conv2d(hidden, 1, 1),
        SiteMean(),
    )


def plain(n, width=16):
    periodic = {"padding": 1, "padding_mode": "circular"}
    body = nn.Sequential(
        Components(),
        nn.Conv2d(n, width, 3, **periodic),
        nn.GELU(),
        nn.Conv2d(width, width, 3, **periodic),
        nn.GELU(),
    )
    return with_head(body, width)


MODELS: dict[str, Callable[[int], nn.Module]] = {  # of the number of components
    "equivariant": lambda n: with_head(Products(4, 4, group=P4M), 20),
    "O(n) alone": lambda n: with_head(Products(6), 21),
    "harmonic": lambda n: with_head(Harmonics(3, 8), 16),
    "plain": plain,
}
SQUARE, SHIFTS = lattice_symmetries(P4M), translations(2)


def orthogonal(n):
    """One element of O(n), half of them with a reflection, for all spins of a field."""

    def draw(x, generator):
        return turns(1, n, generator, x.dtype)[0]

    return Action(draw, lambda g, x: x @ g.mT, invariant)


def turns(size, n, generator, dtype):
    g = SO(n).random_haar(size, generator=generator, dtype=dtype)
    g[:, 0] *= 1 - 2 * torch.randint(2, (size, 1), generator=generator)
    return g


def augmented(spins, generator):
    """Each configuration by its own elements of O(n) and p4m, the batch by one translation."""
    batch, _, L, _, n = spins.shape
    sites = torch.arange(float(L * L)).view(1, 1, L, L)
    moved = torch.cat([SQUARE.act_in(g, sites).flatten(1).long() for g in range(P4M.order)])
    source = moved[torch.randint(len(moved), (batch,), generator=generator)]
    spins = spins @ turns(batch, n, generator, spins.dtype).mT.view(batch, 1, 1, n, n)
    spins = spins.flatten(2, 3).take_along_dim(source.view(batch, 1, -1, 1), 2).view(spins.shape)
    return SHIFTS.act_in(SHIFTS.draw(spins, generator), spins)


def train(name, part, is_phase, rate, steps, seed):
    """A function from spins to labels (of the phase, to log odds)."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = MODELS[name](part.spins.shape[-1])
    mean, scale = (0.0, 1.0) if is_phase else (part.label.mean(), part.label.std())
    with torch.no_grad():  # the normalisation is that of the start, and stays
        model(part.spins)
    model.eval()
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        rows = torch.randperm(len(part.label), generator=generator)[:8]
        spins = part.spins[rows]
        if name != "equivariant":
            spins = augmented(spins, generator)
        target = (part.label[rows] - mean) / scale
        loss_of = binary_cross_entropy_with_logits if is_phase else mse_loss
        loss = loss_of(model(spins), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()

    def predict(spins):
        with torch.no_grad():
            return mean + scale * torch.cat([model(few) for few in spins.split(64)])

    return predict


def energies(part, is_phase):
    """The regression on energies that a sceptic asks for, its penalty by cross-validation."""
    x, y = bonds(part.spins).numpy(), part.label.numpy()
    if is_phase:
        folds = max(2, min(4, int(min(y.sum(), (1 - y).sum()))))
        fit = make_pipeline(
            StandardScaler(), LogisticRegressionCV(cv=folds, solver="liblinear")
        ).fit(x, y)
        return lambda spins: torch.from_numpy(fit.decision_function(bonds(spins).numpy()))
    squares = PolynomialFeatures(2, include_bias=False)
    fit = make_pipeline(squares, StandardScaler(), RidgeCV(np.logspace(-6, 2, 17))).fit(x, y)
    return lambda spins: torch.from_numpy(fit.predict(bonds(spins).numpy()))


def error(predict, part, is_phase):
    found = predict(part.spins)
    if is_phase:
        return 100 * float(((found > 0) != (part.label > 0.5)).double().mean())
    return float((found - part.label).square().mean().sqrt() / part.label.std())


def loss(predict, part, is_phase):
    loss_of = binary_cross_entropy_with_logits if is_phase else mse_loss
    return float(loss_of(predict(part.spins), part.label))


def row(task, model, pools, validation, test, steps):
    """Of the table; a training set begins one of the pools."""
    is_phase = task == "xy-phase"
    start, rates, found = time.perf_counter(), [], {}
    for n in N_TRAIN:
        parts = [pool.first(n) for pool in pools]
        if model == "energies":
            fits = [energies(part, is_phase) for part in parts]
        else:
            tried = [train(model, parts[0], is_phase, rate, steps, 0) for rate in RATES]
            best = int(np.argmin([loss(fit, validation, is_phase) for fit in tried]))
            rates.append(RATES[best])
            rest = [
                train(model, part, is_phase, RATES[best], steps, seed)
                for seed, part in enumerate(parts[1:], 1)
            ]
            fits = [tried[best], *rest]
        errors = [error(fit, test, is_phase) for fit in fits]
        spread = np.std(errors, ddof=1) / len(errors) ** 0.5
        found[f"N = {n}"] = f"{np.mean(errors):.3g} ± {spread:.1g}"
    n = test.spins.shape[-1]
    size = (3 if is_phase else 6) if model == "energies" else parameters(MODELS[model](n))
    return {
        "task": task,
        "model": model,
        "parameters": size,
        **found,
        "rates": ", ".join(f"{rate:g}" for rate in rates),
        "seconds": f"{time.perf_counter() - start:.0f}",
    }


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def models_of(task):
    """A harmonic network takes angles; for energies the regression is the answer."""
    left_out = {"heisenberg-energy": ("harmonic", "energies"), "xy-energy": ("energies",)}
    return [m for m in (*MODELS, "energies") if m not in left_out.get(task, ())]


def kept():
    """The rows of the kept table by task and model."""
    path = RESULTS / "sample_efficiency.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    return {(row["task"], row["model"]): row for row in rows}


def picture(rows):
    """The curves of the table, one panel a task."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    models = [*MODELS, "energies"]
    figure, axes = plt.subplots(1, len(TASKS), figsize=(13, 3.8), layout="constrained")
    for task, axis in zip(TASKS, axes, strict=True):
        for of_model in (row for row in rows if row["task"] == task):
            i = models.index(of_model["model"])
            points = {k[4:]: v for k, v in of_model.items() if k.startswith("N = ")}
            mean, spread = np.array([v.split(" ± ") for v in points.values()], float).T
            n = np.array(list(points), float) * 1.04 ** (i - 2)  # side by side
            axis.errorbar(
                n, mean, spread, color=f"C{i}", marker="os^Dv"[i], markersize=5, capsize=2,
                linewidth=1.2, label=of_model["model"],
            )  # fmt: skip
        axis.set(xscale="log", yscale="log", title=task, xlabel="training configurations")
        axis.set_xticks(N_TRAIN, N_TRAIN)
        axis.minorticks_off()
        phase = task == "xy-phase"
        axis.set_ylabel("wrong (%)" if phase else "rms error / std of label")
        low, high = axis.get_ylim()
        ticks = [m * 10.0**e for e in range(-3, 3) for m in (1, 1.5, 2, 3, 5, 7)]
        ticks = [t for t in ticks if low <= t <= high]
        axis.set_yticks(ticks, [f"{t:g}" for t in ticks])
    lines = {}
    for axis in axes:
        handles, names = axis.get_legend_handles_labels()
        lines.update(zip(names, handles, strict=True))
    lines = {name: lines[name] for name in models if name in lines}
    figure.legend(lines.values(), lines, loc="outside lower center", ncols=5, frameon=False)
    figure.savefig(RESULTS / "sample_efficiency.png", dpi=150)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_heat_bath(temperature):
    """2 x 2 sites are a ring of four with twice the coupling: Z = sum (2 l + 1) i_l(K)^4."""

    def log_z(k):
        order = np.arange(40)
        return np.log(np.sum((2 * order + 1) * spherical_in(order, k) ** 4))

    k = 2 / temperature
    exact = (log_z(k + 1e-5) - log_z(k - 1e-5)) / 2e-5 / 4  # mean product of neighbours

    def pull(at):
        product = bonds(heisenberg((at,), 10000, seed=0, L=2, n_sweeps=15))[:, 0]
        return float(abs(product.mean() - exact) / (product.std() / len(product) ** 0.5))

    assert pull(temperature) < 4
    assert pull(1.1 * temperature) > 8


KNOWN = {  # actions that leave the output as it is, by model
    "equivariant": ("O(n)", "p4m", "translations"),
    "O(n) alone": ("O(n)", "translations"),
    "harmonic": ("O(n)", "translations"),
    "plain": ("translations",),
}


@pytest.mark.parametrize(
    ("name", "n"), [(name, n) for name in MODELS for n in (2, 3) if (name, n) != ("harmonic", 3)]
)
def test_invariance(name, n):
    """Of each network under what it knows, and, the control, under nothing else; sides 6 and 5."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    model = MODELS[name](n).double().eval()
    square = Action(
        SQUARE.draw, lambda g, x: torch.stack([SQUARE.act_in(g, y) for y in x.unbind(-1)], -1),
        invariant,
    )  # fmt: skip
    actions = {
        "O(n)": orthogonal(n),
        "p4m": square,
        "translations": Action(SHIFTS.draw, SHIFTS.act_in, invariant),
    }
    for side in (6, 5):
        shape = (4, 1, side, side, n)
        x = normalize(torch.randn(shape, generator=generator, dtype=torch.float64), dim=-1)
        for action in actions:
            defect = assert_equivariant(model, actions[action], x, generator, tolerance=10)
            assert (defect < 1e-12) == (action in KNOWN[name]), (action, defect)
        if name == "equivariant":
            assert (model(augmented(x, generator)) - model(x)).abs().max() < 1e-12


@pytest.mark.parametrize("task", ["heisenberg-energy", "xy-energy"])
def test_energies_are_learnt(task):
    """Tiny: 32 configurations of 8 x 8; a constant has error 1.

    The largest of six seeds are 0.16 ("equivariant"), 0.13, 0.21 and 0.44 ("plain").
    """
    part, test = sample(task, 32, 1, L=8), sample(task, 64, 2, L=8)
    for name in (m for m in models_of(task) if m in MODELS):
        found = error(train(name, part, False, 1e-2, 150, seed=0), test, False)
        assert found < (0.8 if name == "plain" else 0.35), name


def test_phases_are_learnt():
    """Tiny; chance is 50 %, the largest of six seeds 17 %."""
    part, test = sample("xy-phase", 96, 1, L=8), sample("xy-phase", 96, 2, L=8)
    assert error(train("equivariant", part, True, 1e-2, 100, 0), test, True) < 30
    assert error(energies(part, True), test, True) < 25


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="*", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--plot", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    order = [(task, model) for task in TASKS for model in models_of(task)]
    for task in arguments.tasks:
        pools = [sample(task, max(N_TRAIN), 10 + seed) for seed in range(arguments.seeds)]
        validation, test = sample(task, 128, 1), sample(task, 512, 2)
        for model in models_of(task):
            new = row(task, model, pools, validation, test, arguments.steps)
            rows = kept() | {(task, model): new}
            keep(
                "sample_efficiency", [rows[k] for k in order if k in rows], machine("scikit-learn")
            )
    if arguments.plot:
        picture(list(kept().values()))


if __name__ == "__main__":
    main()
