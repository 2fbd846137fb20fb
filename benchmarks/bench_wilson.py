"""Wilson loops of SU(2) in 2D from links: gauge-equivariant networks against plain ones.

    python benchmarks/bench_wilson.py [--loops 1x1 1x2 2x2] [--seeds 5] [--quick]

The protocol of lattice-gauge-equivariant networks (Favoni, Ipp, Müller and Schuh,
arXiv:2012.12901): a network sees the links of 8 x 8 lattices, of ten couplings beta from 0.1 to 6,
and learns the mean over the lattice of Tr W / 2 of one kind of loop; then it is asked on lattices
of 16 x 16 and 64 x 64. `pytest benchmarks` runs a small version. Each network is kept where its
error on the validation set is least:

  L-CNN   the plaquette at each site, layers of LConvBilinear, traces, a linear map; by Adam, then
          by L-BFGS
  CNN     circular convolutions of the components of the same links and plaquettes, by Adam; width,
          depth and rate chosen by the validation error. (Of links alone they learn nothing, not
          even 1 x 1: what depends on the gauge is not correlated with the label.)
  CNN ~   the same, of which every batch is gauge transformed anew

The mean squared errors are those of the means over the lattice. All seeds are printed; a row "best"
is the seed of the least validation error.
"""

import argparse
import copy
import itertools
import math
import time
from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy.special import iv
from timing import keep, machine
from torch import nn

from topoml.lie import SU
from topoml.nn import LConvBilinear, LTrace, WilsonLoops, gauge_transformations, transform_links

BETAS = tuple(np.linspace(0.1, 6.0, 10))
LOOPS = {"1x1": (1, 1), "1x2": (1, 2), "2x2": (2, 2)}
GAUGE = gauge_transformations(SU(2))
LAYERS = {"1x1": (1,), "1x2": (1,), "2x2": (1, 1)}  # channels of each LConvBilinear


class Links(NamedTuple):
    """Links (n, 2, L, L, 4), unit quaternions, float64, and their couplings (n,)."""

    U: torch.Tensor
    beta: torch.Tensor


def heat_bath(L, n_chains, *, betas=BETAS, n_sweeps=100, seed):
    """One configuration a chain after ``n_sweeps`` sweeps from a hot start.

    Source: Creutz, Phys. Rev. D 21, 2308 (1980), eqs. (20)-(23).
    """
    generator = torch.Generator().manual_seed(seed)
    beta = torch.tensor(betas, dtype=torch.float64).repeat_interleave(n_chains)
    size = (len(beta), 2, L, L, 4)
    U = nn.functional.normalize(torch.randn(size, generator=generator, dtype=torch.float64), dim=-1)
    x, y = torch.meshgrid(torch.arange(L), torch.arange(L), indexing="ij")
    for _ in range(n_sweeps):
        for axis, parity in itertools.product((0, 1), (0, 1)):
            site = (x + y) % 2 == parity
            A = staple(U, axis)[:, site]
            k = A.norm(dim=-1, keepdim=True)
            width = beta[:, None].expand(k.shape[:2]) * k[..., 0]
            new = times(fresh(width, generator), conjugate(A / k))
            U[:, axis, site] = new
    return Links(U, beta)


def staple(U, axis):
    """Sum of what closes the two plaquettes of each link U_axis(x): Re Tr U A is their trace."""
    a, b = 1 + axis, 2 - axis  # the axes of U[:, axis]
    along, across = U[:, axis], U[:, 1 - axis]
    ahead = across.roll(-1, a)
    above = times(times(ahead, conjugate(along.roll(-1, b))), conjugate(across))
    below = times(
        times(conjugate(ahead.roll(1, b)), conjugate(along.roll(1, b))), across.roll(1, b)
    )
    return above + below


def fresh(width, generator):
    """Unit quaternions q of density exp(width q0), (...) -> (..., 4)."""
    q0 = torch.empty_like(width)
    left = torch.ones_like(width, dtype=torch.bool)
    while left.any():
        w = width[left]
        u, v = torch.rand(2, len(w), generator=generator, dtype=torch.float64)
        least = (-2 * w).exp()
        tried = 1 + (least + u * (1 - least)).log() / w
        taken = v * v < 1 - tried * tried
        where = left.nonzero(as_tuple=True)
        q0[tuple(i[taken] for i in where)] = tried[taken]
        left[tuple(i[taken] for i in where)] = False
    n = torch.randn(*width.shape, 3, generator=generator, dtype=torch.float64)
    side = (1 - q0 * q0).clamp(min=0).sqrt()[..., None] * nn.functional.normalize(n, dim=-1)
    return torch.cat([q0[..., None], side], -1)


def times(p, q):
    """Product of q0 + i q . sigma: (p0 + i p . sigma)(q0 + i q . sigma)."""
    p0, q0, p1, q1 = p[..., :1], q[..., :1], p[..., 1:], q[..., 1:]
    first = p0 * q0 - (p1 * q1).sum(-1, keepdim=True)
    return torch.cat([first, p0 * q1 + q0 * p1 - torch.linalg.cross(p1, q1)], -1)


def conjugate(q):
    return torch.cat([q[..., :1], -q[..., 1:]], -1)


def label(U, r, t):
    """Mean over the lattice of Tr W / 2 of loops of r links along axis 0 and t along 1, (n,)."""

    def line(axis, length):
        product = step = U[:, axis]
        for _ in range(length - 1):
            step = step.roll(-1, 1 + axis)
            product = times(product, step)
        return product

    a, b = line(0, r), line(1, t)
    back = times(b, a.roll(-t, 2))
    return times(times(a, b.roll(-r, 1)), conjugate(back))[..., 0].mean((1, 2))


class Equivariant(nn.Module):
    """Links (n, 2, L, L, 4) -> (n,): products of transported loops, traces, their mean."""

    def __init__(self, channels):
        super().__init__()
        self.plaquette, self.trace = WilsonLoops(((1, 1),)), LTrace()
        layers = itertools.pairwise((1, *channels))
        self.layers = nn.ModuleList(LConvBilinear(i, o, group=SU(2), dim=2) for i, o in layers)
        self.linear = nn.Linear(channels[-1], 1)

    def forward(self, U):
        W = self.plaquette(U)
        for layer in self.layers:
            W = layer(U, W)
        return self.linear(self.trace(W).mean((2, 3)))[:, 0]


class Plain(nn.Module):
    """Links (n, 2, L, L, 4) -> (n,): convolutions of links' and plaquettes' components, a mean."""

    def __init__(self, width, depth):
        super().__init__()
        self.plaquette = WilsonLoops(((1, 1),))
        layers, n = [], 12
        for _ in range(depth):
            layers += [nn.Conv2d(n, width, 3, padding=1, padding_mode="circular"), nn.GELU()]
            n = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(n, 1, 1))

    def forward(self, U):
        x = torch.cat([U, self.plaquette(U)], 1)
        return self.layers(x.movedim(-1, 2).flatten(1, 2)).mean((1, 2, 3))


class Data(NamedTuple):
    train: tuple[torch.Tensor, torch.Tensor]
    validation: tuple[torch.Tensor, torch.Tensor]
    test: dict[int, tuple[torch.Tensor, torch.Tensor]]


def data(extents, n_train=100, n_other=20, sizes=(8, 16, 64), n_sweeps=100):
    """Links and labels; ``n_train`` and ``n_other`` chains for each coupling."""

    def of(L, n, seed):
        links = heat_bath(L, n, n_sweeps=n_sweeps, seed=seed)
        return links.U, label(links.U, *extents)

    return Data(
        of(8, n_train, 1),
        of(8, n_other, 2),
        {L: of(L, n_other if L < 64 else n_other // 2, 3 + L) for L in sizes},
    )


def error(model, pair):
    """Mean squared error, in parts of few links, and in float64 but for plain networks."""
    U, y = pair
    parts = max(1, U[0].numel() * len(U) // 2**22)
    dtype = next(model.parameters()).dtype
    with torch.no_grad():
        found = torch.cat([model(u.to(dtype)) for u in U.chunk(parts)])
    return float(((found - y) ** 2).mean())


def train(model, task, *, rate, epochs, polish, gauge=False, seed):
    """The model at the least validation error that it had, and that error."""
    generator = torch.Generator().manual_seed(seed)
    dtype = next(model.parameters()).dtype
    U, y = (t.to(dtype) for t in task.train)
    batch = 50
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=epochs * math.ceil(len(U) / batch)
    )
    best = (math.inf, None)

    def look():
        nonlocal best
        found = error(model, task.validation)
        if found < best[0]:
            best = (found, copy.deepcopy(model.state_dict()))

    for _ in range(epochs):
        for rows in torch.randperm(len(U), generator=generator).split(batch):
            links = U[rows]
            if gauge:
                links = transform_links(GAUGE.draw(links, generator), links)
            loss = ((model(links) - y[rows]) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        look()
    if polish:
        optimiser = torch.optim.LBFGS(
            model.parameters(),
            max_iter=20,
            tolerance_grad=0,
            tolerance_change=0,
            line_search_fn="strong_wolfe",
        )

        def closure():
            optimiser.zero_grad()
            loss = ((model(U) - y) ** 2).mean()
            loss.backward()
            return loss

        for _ in range(polish // 20):
            optimiser.step(closure)
            look()
    model.load_state_dict(best[1])
    return best[0]


def plain_models(quick):
    """Width, depth and rate: the grid of which the validation error chooses."""
    return [(16, 2, 3e-3)] if quick else [(16, 2, 3e-3), (32, 3, 1e-2), (32, 3, 1e-3)]


def rows_of(loop, n_seeds, quick):
    """Rows of the table: every seed of every network, and the best one of each."""
    n = dict(n_train=10, n_other=4, sizes=(8, 16), n_sweeps=30) if quick else {}
    task = data(LOOPS[loop], **n)
    rows = []

    def run(name, model, seed, **options):
        start = time.perf_counter()
        found = train(model, task, seed=seed, **options)
        tests = {f"test {L}^2": error(model, pair) for L, pair in task.test.items()}
        return {
            "loop": loop,
            "network": name,
            "seed": seed,
            "parameters": sum(p.numel() for p in model.parameters()),
            "validation": found,
            **tests,
            "minutes": (time.perf_counter() - start) / 60,
        }

    def equivariant(seed):
        torch.manual_seed(seed)
        model = Equivariant(LAYERS[loop]).double()
        return run("L-CNN", model, seed, rate=3e-2, epochs=30, polish=100 if quick else 400)

    def plain(seed, width, depth, rate, gauge=False):
        torch.manual_seed(seed)
        name = "CNN ~" if gauge else "CNN"
        epochs = 20 if quick else 100
        return run(name, Plain(width, depth), seed, rate=rate, epochs=epochs, polish=0, gauge=gauge)

    for make in (equivariant, *_tuned(plain, quick)):
        found = [make(seed) for seed in range(n_seeds)]
        best = min(found, key=lambda row: row["validation"])
        rows += [*found, {**best, "seed": f"best: {best['seed']}"}]
    return rows


def _tuned(plain, quick):
    grid = plain_models(quick)
    for gauge in (False, True):
        scores = [plain(0, *setting, gauge=gauge)["validation"] for setting in grid]
        setting = grid[int(np.argmin(scores))]
        yield lambda seed, setting=setting, gauge=gauge: plain(seed, *setting, gauge=gauge)


def test_heat_bath():
    """Mean plaquettes I2(beta) / I1(beta) of the infinite lattice, of 8 x 8 to 1e-4."""
    U, beta = heat_bath(8, 100, betas=(0.5, 2.0, 6.0), n_sweeps=40, seed=0)
    plaquette = label(U, 1, 1).reshape(3, -1)
    exact = torch.as_tensor(iv(2, beta) / iv(1, beta)).reshape(3, -1)[:, 0]
    pull = (plaquette.mean(1) - exact) / (plaquette.std(1) / 10)
    assert pull.abs().max() < 4
    wrong = (plaquette.mean(1) - exact.roll(1)) / (plaquette.std(1) / 10)
    assert wrong.abs().min() > 10


def test_labels():
    """Those of the layer that makes loops; in another gauge they are the same."""
    U, _ = heat_bath(4, 1, n_sweeps=5, seed=1)
    other = transform_links(GAUGE.draw(U, torch.Generator().manual_seed(0)), U)
    for r, t in LOOPS.values():
        W = LTrace()(WilsonLoops(((r, t),))(U)) / 2
        assert torch.allclose(label(U, r, t), W.mean((1, 2, 3)), atol=1e-14)
        assert torch.allclose(label(other, r, t), label(U, r, t), atol=1e-14)


@pytest.mark.parametrize("loop", ["1x1", "1x2"])
def test_equivariant_networks_learn_loops(loop):
    """Tiny: 100 lattices. The control: a plain network does not."""
    rows = {row["network"]: row for row in rows_of(loop, 1, quick=True) if row["seed"] != 0}
    assert rows["L-CNN"]["test 16^2"] < 1e-8
    assert rows["CNN"]["test 16^2"] > 1e-5
    assert rows["L-CNN"]["parameters"] * 10 < rows["CNN"]["parameters"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loops", nargs="+", choices=LOOPS, default=list(LOOPS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for loop in arguments.loops:
        rows += rows_of(loop, arguments.seeds, arguments.quick)
        shown = [
            {k: f"{v:.2g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows
        ]
        keep("wilson", shown, machine())


if __name__ == "__main__":
    main()
