"""Tell the phases of the XY model apart by its topology and a network with its symmetries.

Two views of a configuration of angles: the persistence of its field, and an equivariant trunk,
convolutions and gates that commute with every rotation of the spins and with the whole space group
of the square lattice (p4m). Each is blind to these symmetries by construction, so both together
are. Configurations simulated a little below and a little above T_BKT = 0.8929 train a classifier of
each view alone and of both, next to what a sceptic asks for: a plain convolutional network, and the
energy per site alone. Held-out chains test them, for several seeds of training set and weights.

    python examples/04_equivariant_phases.py --quick
"""

import argparse
import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from topoml.lattice import XY, simulate
from topoml.lie import Circle
from topoml.nn import FieldPersistence, PersistenceImage
from topoml.nn.equivariance import Action, assert_equivariant, invariant, translations
from topoml.nn.point_groups import P4M, lattice_symmetries
from topoml.nn.spins import SpinConv, SpinGate, SpinInvariants

T_BKT = XY().known_transition.value
BELOW, ABOVE = (0.70, 0.75, 0.80), (1.00, 1.05, 1.10)
N_TRAIN = (32, 256)


class Labelled(NamedTuple):
    """Angles (n, L, L) and 0 or 1, below or above T_BKT, (n,)."""

    theta: torch.Tensor
    label: torch.Tensor


class Spins(nn.Module):
    """Angles (n, L, L) to unit vectors of one channel (n, 1, L, L, 2)."""

    def forward(self, theta):
        return torch.stack([theta.cos(), theta.sin()], -1).unsqueeze(1)


class SiteMean(nn.Module):
    """(n, C, L, L) -> (n, C)."""

    def forward(self, x):
        return x.mean((2, 3))


class EnergyPerSite(nn.Module):
    def forward(self, theta):
        return XY().energy(theta)[..., None] / theta[0].numel()


def trunk(channels=8):
    """O(2) of the spins and p4m of the lattice: invariants averaged over the sites."""
    return nn.Sequential(
        Spins(),
        SpinConv(1, channels, group=P4M),
        SpinGate(channels),
        SpinConv(channels, channels, group=P4M),
        SpinGate(channels),
        SpinInvariants(),
        SiteMean(),
    )


def topology():
    return nn.Sequential(
        FieldPersistence(manifold=Circle(), homology_dimensions=(0, 1)),
        PersistenceImage(bandwidth=0.2, resolution=(6, 6), im_range=(0, math.pi, 0, math.pi)),
    )


class Components(nn.Module):
    """Angles (n, L, L) to two channels (n, 2, L, L)."""

    def forward(self, theta):
        return torch.stack([theta.cos(), theta.sin()], 1)


def plain_network(channels=16):
    """Equivariant under translations alone."""
    periodic = {"padding": 1, "padding_mode": "circular"}
    return nn.Sequential(
        Components(),
        nn.Conv2d(2, channels, 3, **periodic),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, **periodic),
        nn.ReLU(),
        SiteMean(),
    )


class Classifier(nn.Module):
    """Views side by side, standardised, and one hidden layer: (n, L, L) -> (n,)."""

    def __init__(self, *views):
        super().__init__()
        self.views = nn.ModuleList(views)
        self.head = nn.Sequential(
            nn.LazyBatchNorm1d(affine=False), nn.LazyLinear(16), nn.Tanh(), nn.Linear(16, 1)
        )

    def forward(self, theta):
        return self.head(torch.cat([view(theta) for view in self.views], 1)).squeeze(1)


MODELS = {
    "topology alone": lambda: Classifier(topology()),
    "trunk alone": lambda: Classifier(trunk()),
    "joined": lambda: Classifier(topology(), trunk()),
    "plain network": lambda: Classifier(plain_network()),
    "energy alone": lambda: Classifier(EnergyPerSite()),
}


def trained(make, theta, label, steps, generator):
    """Adam on random batches of 32, the rate falling to 0 by a cosine."""
    torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
    model = make()
    model(theta[:32])  # sizes of the lazy layers
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.005, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randperm(len(theta), generator=generator)[:32]
        loss = nn.functional.binary_cross_entropy_with_logits(model(theta[rows]), label[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    # mean and variance of the views on the training set, with the weights as they now are
    model.head[0].reset_running_stats()
    model.head[0].momentum = None
    with torch.no_grad():
        model(theta)
    return model.eval()


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def symmetries():
    """Of the XY model, acting on angles (n, L, L): one angle added to all, turns and shifts."""
    square = lattice_symmetries(P4M)  # of (n, 1, L, L)
    return {
        "turned spins": Action(
            lambda x, g: 2 * math.pi * torch.rand((), generator=g), lambda g, x: x + g, invariant
        ),
        "p4m": Action(square.draw, lambda g, x: square.act_in(g, x[:, None])[:, 0], invariant),
        "translations": replace(translations(2, first_axis=1), act_out=invariant),
    }


def held_out_errors(make, pool, test, n, n_seeds, steps, seed):
    """In per cent, of one training for each seed on n of the pool; and the last model."""
    errors = []
    for i in range(n_seeds):
        generator = torch.Generator().manual_seed(1000 * seed + i)
        rows = torch.randperm(len(pool.theta), generator=generator)[:n]
        model = trained(make, pool.theta[rows], pool.label[rows], steps, generator)
        with torch.no_grad():
            wrong = (model(test.theta) > 0) != (test.label > 0)
        errors.append(100 * float(wrong.float().mean()))
    return errors, model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=16, help="side of the lattice")
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each model")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="3 seeds of 80 steps, half the data")
    args = parser.parse_args()
    n_seeds, steps = (3, 80) if args.quick else (args.seeds, args.steps)
    n_chains, n_samples = 16, 16 if args.quick else 32

    ensemble = simulate(
        XY(),
        sizes=[args.size],
        temperatures=BELOW + ABOVE,
        samples=n_chains * n_samples,
        n_chains=n_chains,
        seed=args.seed,
    )
    theta = torch.from_numpy(
        np.stack([ensemble.configurations(size=args.size, temperature=t) for t in BELOW + ABOVE])
    )  # (temperature, chain, sample, L, L)
    half = n_chains // 2
    label = torch.arange(2.0).repeat_interleave(len(BELOW) * half * n_samples)
    pool = Labelled(theta[:, :half].flatten(0, 2), label)
    test = Labelled(theta[:, half:].flatten(0, 2), label)
    print(
        f"XY, L = {args.size}, T = {BELOW} against {ABOVE}, T_BKT = {T_BKT}. Tested on {len(label)}"
        f" configurations\nof {half} held-out chains a temperature; {n_seeds} seeds of training set"
        " and weights.\n"
    )

    headings = "".join(f"{f'{n} training configurations':>32}" for n in N_TRAIN)
    print(f"{'held-out error, %':<18}{'parameters':>12}{headings}")
    models = {}
    for name, make in MODELS.items():
        row = ""
        for n in N_TRAIN:
            errors, models[name] = held_out_errors(make, pool, test, n, n_seeds, steps, args.seed)
            text = f"{np.mean(errors):.2f} ± {np.std(errors, ddof=1):.2f}"
            row += f"{f'{text} (worst {max(errors):.2f})':>32}"
        n_parameters = sum(p.numel() for p in models[name].parameters())
        print(f"{name:<18}{n_parameters:>12}{row}")
    print(
        "\n± is the standard deviation over seeds. The energy is the most that can be known: how"
        " likely a configuration\nis at one temperature against another depends on it alone. What a"
        " view leaves above the best of that row, it has\nnot learnt from so few configurations, or"
        " cannot see.\n"
    )

    print("What a symmetry of the model changes in the output, relative to the largest output:")
    for name in ("joined", "plain network"):
        for symmetry, action in symmetries().items():
            defect = assert_equivariant(
                models[name].double(),
                action,
                test.theta[::97].double(),
                torch.Generator().manual_seed(args.seed),
                tolerance=10,
            )
            print(f"  {name:<16}{symmetry:<16}{defect:.0e}")


if __name__ == "__main__":
    main()
