"""Layers against layers: `pytest benchmarks` compares answers, `python` this file times.

python benchmarks/bench_layers.py [--cases "2D open T" ...] [--batches 16 64 256] [--peers ...]
    [--seconds 0.2] [--rounds 5] [--path DIR ...]

Forward and backward of the summed lifetimes of all finite classes, float64, of a batch of normal
noise (fields) or of normal points (clouds), ms a sample; ours and the peers in turn in one process.
Peers have one thread and loop over samples; one whose batch takes over a quarter of a second is
timed on as many of the first samples as do not, at least 2. Peers:
  torch-topological  CubicalComplex, VietorisRipsComplex, AlphaComplex
  oineus             oineus.diff: freudenthal_, cube_, vr_, alpha_filtration
  cripser            compute_ph_torch
  gudhi by hand      what one writes without a layer: pairs of gudhi, gathered in torch
Rows of other cases, batches and peers stay in the table. ``--path`` puts directories before
sys.path, for versions of a peer's dependencies that the pinned set excludes; the row names them.
A peer that cannot do a case has a row with the reason, which `pytest` checks.
"""

import argparse
import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from timing import RESULTS, in_turn, keep, machine

from topoml import nn

BATCHES = (16, 64, 256)
MODULES = {
    "torch-topological": "torch_topological.nn",
    "oineus": "oineus.diff",
    "cripser": "cripser",
    "gudhi by hand": "gudhi",
}
ROUNDING = 1e-9  # of distances and radii, in float64; fields are compared bit by bit


# A peer takes one sample and returns finite classes, a (n, 2) tensor a dimension from 0.


def tt_cubical(x):
    layer = import_module(MODULES["torch-topological"]).CubicalComplex()
    components, loops = layer(x)
    return components.diagram[:-1], loops.diagram  # the last of H0 is essential: death := maximum


def tt_rips(x):
    layer = import_module(MODULES["torch-topological"]).VietorisRipsComplex(dim=1)
    return [part.diagram for part in layer(x)]


def tt_alpha(x):
    layer = import_module(MODULES["torch-topological"]).AlphaComplex()
    return [part.diagram for part in layer(x)]


def oineus_cubical(x, **options):
    diff = import_module(MODULES["oineus"])
    dgms = diff.persistence_diagram(diff.cube_filtration(x, **options), n_threads=1)
    return [dgms[k] for k in range(x.ndim)]


def oineus_freudenthal(x):
    diff = import_module(MODULES["oineus"])
    dgms = diff.persistence_diagram(diff.freudenthal_filtration(x, wrap=True), n_threads=1)
    return [dgms[k] for k in range(x.ndim)]


def oineus_rips(x):
    """eps, under a root, keeps the gradient of vertices finite; its default moves them by 1e-3."""
    diff = import_module(MODULES["oineus"])
    filtration = diff.vr_filtration(x, max_dim=2, eps=1e-24, packed=True)
    dgms = diff.persistence_diagram(filtration, n_threads=1)
    return dgms[0], dgms[1]


def oineus_alpha(x):
    diff = import_module(MODULES["oineus"])
    dgms = diff.persistence_diagram(diff.alpha_filtration(x), n_threads=1)
    deaths = dgms[0][:, 1].sqrt()  # of squares; the root of a birth at 0 would have no gradient
    return torch.stack([torch.zeros_like(deaths), deaths], 1), dgms[1].sqrt()


def cripser_rows(x, filtration):
    return import_module("cripser").compute_ph_torch(x, filtration=filtration, maxdim=x.ndim - 1)


def cripser_cubical(x, filtration):
    rows = cripser_rows(x, filtration)
    rows = rows[torch.isfinite(rows[:, 2])]
    return [rows[rows[:, 0] == k, 1:3] for k in range(x.ndim)]


def cripser_loss(x, filtration):
    return import_module("cripser").finite_lifetimes(cripser_rows(x, filtration)).sum()


def gudhi_cubical(x):
    """Fortran order of the transpose is C order of x."""
    complex_ = import_module("gudhi").CubicalComplex(top_dimensional_cells=x.detach().numpy().T)
    complex_.compute_persistence(homology_coeff_field=2)
    return gathered(x, complex_.cofaces_of_persistence_pairs()[0])


def gudhi_periodic(x):
    complex_ = import_module("gudhi").PeriodicCubicalComplex(
        vertices=x.detach().numpy().T, periodic_dimensions=[True] * x.ndim
    )
    complex_.compute_persistence(homology_coeff_field=2)
    return gathered(x, complex_.vertices_of_persistence_pairs()[0])


def gathered(x, pairs):
    return [x.flatten()[torch.from_numpy(np.asarray(p, np.int64).reshape(-1, 2))] for p in pairs]


def loss_of(diagrams):
    return sum(d.diff().sum() for d in diagrams)


@dataclass(frozen=True)
class Peer:
    """One sample to diagrams, and to the loss if there is a shorter way."""

    diagrams: Callable
    loss: Callable | None = None

    def total(self, batch):
        if self.loss is None:
            return sum(loss_of(self.diagrams(x)) for x in batch)
        return sum(self.loss(x) for x in batch)


@dataclass(frozen=True)
class Case:
    """Shape of a sample, our layer, the peers, and the reasons why the others cannot."""

    shape: tuple[int, ...]
    layer: Callable
    peers: dict[str, Peer]
    cannot: dict[str, str]

    def batch(self, n, seed=0):
        rng = np.random.default_rng([seed, n, *self.shape])
        return torch.from_numpy(rng.normal(size=(n, *self.shape))).requires_grad_()


def cripser_peer(filtration):
    return Peer(
        partial(cripser_cubical, filtration=filtration),
        partial(cripser_loss, filtration=filtration),
    )


def square(side, construction):
    tops = construction == "T"
    oineus = partial(oineus_cubical, values_on="cells" if tops else "vertices")
    hand = {"gudhi by hand": Peer(gudhi_cubical)}
    return Case(
        (side, side),
        nn.CubicalPersistence(homology_dimensions=(0, 1), construction=construction),
        {
            **({"torch-topological": Peer(tt_cubical)} if tops else {}),
            "oineus": Peer(oineus),
            "cripser": cripser_peer(construction),
            **(hand if tops else {}),
        },
        {} if tops else {"torch-topological": "cannot: T only"},
    )


def torus(side):
    return Case(
        (side, side),
        nn.CubicalPersistence(homology_dimensions=(0, 1), periodic=True),
        {"gudhi by hand": Peer(gudhi_periodic)},
        {
            "torch-topological": "cannot: open only",
            "oineus": "cannot: wrap raises",
            "cripser": "cannot: open only",
        },
    )


def triangular(side):
    return Case(
        (side, side),
        nn.CubicalPersistence(homology_dimensions=(0, 1), periodic=True, construction="F"),
        {"oineus": Peer(oineus_freudenthal)},
        {
            "torch-topological": "cannot: no triangulation",
            "cripser": "cannot: no triangulation",
        },
    )


def volume(side):
    return Case(
        (side,) * 3,
        nn.CubicalPersistence(homology_dimensions=(0, 1, 2), spatial_dims=3),
        {"oineus": Peer(oineus_cubical), "cripser": cripser_peer("V")},
        {"torch-topological": "cannot: T only"},
    )


def rips(n):
    return Case(
        (n, 3),
        nn.RipsPersistence(homology_dimensions=(0, 1)),
        {"torch-topological": Peer(tt_rips), "oineus": Peer(oineus_rips)},
        {"cripser": "cannot: no gradient"},
    )


def alpha(n):
    return Case(
        (n, 2),
        nn.AlphaPersistence(homology_dimensions=(0, 1)),
        {"oineus": Peer(oineus_alpha)},
        {"torch-topological": "cannot: longest edges, not radii", "cripser": "cannot: fields only"},
    )


CASES = {
    "2D open T 32": square(32, "T"),
    "2D open T 64": square(64, "T"),
    "2D open V 32": square(32, "V"),
    "2D open V 64": square(64, "V"),
    "2D periodic V 32": torus(32),
    "2D periodic V 64": torus(64),
    "2D periodic F 32": triangular(32),
    "2D periodic F 64": triangular(64),
    "3D open V 16": volume(16),
    "Rips 64": rips(64),
    "Rips 128": rips(128),
    "alpha 200": alpha(200),
}
PAIRS = [(case, peer) for case in CASES for peer in CASES[case].peers]


def missing(peer, case):
    """Why this peer cannot do a case that it has code for, with what is installed, or ""."""
    cubical = case.startswith("2D open T")
    if peer == "torch-topological" and cubical and release("gudhi") >= (3, 12):
        return f"cannot: TypeError on gudhi {version('gudhi')}"
    if peer == "oineus" and case.startswith("alpha") and find_spec("diode") is None:
        return "cannot: needs diode >= 1.1"
    return ""


def release(name):
    return tuple(int(word) for word in version(name).split(".")[:2])


def ours(layer, x):
    d = layer(x)
    return d, d.lifetime.sum()


def step(layer, x):
    x.grad = None
    ours(layer, x)[1].backward()


def peer_step(peer, x):
    x.grad = None
    peer.total(x).backward()


def long_classes(points, tolerance):
    """Rows (birth, death) longer than the rounding, sorted."""
    points = points.detach().double().numpy().reshape(-1, 2)
    points = points[points[:, 1] - points[:, 0] > 4 * tolerance]
    return points[np.lexsort(points.T[::-1])]


def compare_answers(case, peer, x):
    """The same finite classes of every sample, and the same gradient of the summed lifetimes."""
    tolerance = 0.0 if case.startswith(("2D", "3D")) else ROUNDING
    layer, other = CASES[case].layer, CASES[case].peers[peer]
    diagrams, loss = ours(layer, x)
    (expected,) = torch.autograd.grad(loss, x)
    for found, sample in zip(diagrams, x, strict=True):
        for k, theirs in enumerate(other.diagrams(sample)):
            mine = long_classes(found.points[found.dimension == k], tolerance)
            theirs = long_classes(theirs, tolerance)
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=tolerance)
    (gradient,) = torch.autograd.grad(other.total(x), x)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=10 * tolerance or 1e-12)


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad:UserWarning")
@pytest.mark.parametrize(("case", "peer"), PAIRS)
def test_layers(benchmark, case, peer):
    pytest.importorskip(MODULES[peer], exc_type=ImportError)
    if missing(peer, case):
        pytest.skip(missing(peer, case))
    x = CASES[case].batch(2)
    compare_answers(case, peer, x)
    benchmark(step, CASES[case].layer, x)


def test_cubical_of_torch_topological_raises():
    pytest.importorskip(MODULES["torch-topological"])
    if release("gudhi") < (3, 12):
        pytest.skip("it works there")
    with pytest.raises(TypeError, match="incompatible function arguments"):
        tt_cubical(torch.randn(4, 4))


def test_periods_of_the_cubes_of_oineus_raise():
    pytest.importorskip(MODULES["oineus"])
    with pytest.raises(RuntimeError, match="wrap"):
        oineus_cubical(torch.randn(4, 4), wrap=True)


def test_alpha_of_torch_topological_is_another():
    """Its values are longest edges, not twice the radii: true of an obtuse triangle only."""
    pytest.importorskip(MODULES["torch-topological"])
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 0.8]], dtype=torch.float64)
    loops = nn.AlphaPersistence(homology_dimensions=(1,))(x)
    radius = 0.89 / 1.6  # abc / 4 area
    torch.testing.assert_close(loops.points[:, 1], loops.points.new_tensor([radius]))
    longest = tt_alpha(x)[1]
    assert len(longest) == 0 or longest[0, 1] == 1.0


def test_no_peer_but_oineus_has_a_torus():
    topological = pytest.importorskip(MODULES["torch-topological"])
    cripser = pytest.importorskip("cripser")
    words = {
        *inspect.signature(cripser.compute_ph_torch).parameters,
        *inspect.signature(topological.CubicalComplex).parameters,
    }
    assert not {word for word in words if "period" in word or "wrap" in word}


def test_the_comparison_sees_another_filtration(monkeypatch):
    monkeypatch.setitem(CASES["2D open T 32"].peers, "by hand", Peer(gudhi_periodic))
    with pytest.raises(AssertionError):
        compare_answers("2D open T 32", "by hand", CASES["2D open T 32"].batch(1))


def time_case(case, batch, peers, seconds, rounds):
    """One row a peer: ours on one thread and on all, and the peer on one."""
    this, threads = CASES[case], torch.get_num_threads()
    x = this.batch(batch)

    def on(count):
        torch.set_num_threads(count)
        step(this.layer, x)

    functions, samples, rows = {}, {}, []
    for name in peers:
        if name in this.peers and not missing(name, case):
            torch.set_num_threads(1)
            few = this.batch(2)
            compare_answers(case, name, few)
            once = in_turn({name: partial(peer_step, this.peers[name], few)}, seconds=0, rounds=1)
            samples[name] = min(batch, max(2, int(2 * 0.25 / once[name])))
            given = x.detach()[: samples[name]].requires_grad_()

            def run(name=name, given=given):
                torch.set_num_threads(1)
                peer_step(this.peers[name], given)

            functions[name] = run
    try:
        t = in_turn(
            {"one": partial(on, 1), "all": partial(on, threads), **functions},
            seconds=seconds,
            rounds=rounds,
        )
    finally:
        torch.set_num_threads(threads)
    one, every = t["one"] / batch, t["all"] / batch
    for name in functions:
        other = t[name] / samples[name]
        rows.append(
            {
                "case": case,
                "batch": batch,
                "peer": named(name, case),
                "ours, 1 thread (ms)": f"{1e3 * one:.3f}",
                "ours, all (ms)": f"{1e3 * every:.3f}",
                "peer (ms)": f"{1e3 * other:.3f}",
                "peer / ours, 1 thread": f"{other / one:.1f}",
                "peer / ours, all": f"{other / every:.1f}",
            }
        )
    return rows


def reasons(case, peers):
    """One row a peer that cannot."""
    rows = []
    for name in peers:
        if reason := CASES[case].cannot.get(name) or missing(name, case):
            row = dict.fromkeys(("ours, 1 thread (ms)", "ours, all (ms)"), "")
            ratios = dict.fromkeys(("peer / ours, 1 thread", "peer / ours, all"), "")
            rows.append(
                {"case": case, "batch": "", "peer": name} | row | {"peer (ms)": reason} | ratios
            )
    return rows


def named(peer, case):
    """A peer, with the version of what ``--path`` gave it."""
    if peer == "torch-topological" and case.startswith("2D"):
        return f"{peer} (gudhi {version('gudhi')})"
    if peer == "oineus" and case.startswith("alpha"):
        return f"{peer} (diode {version('diode')})"
    return peer


def merged(rows):
    """These rows in place of the kept ones of the same case, batch and peer."""
    kept = RESULTS / "layers.json"
    old = json.loads(kept.read_text())["rows"] if kept.exists() else []
    table = {(row["case"], row["batch"], row["peer"]): row for row in [*old, *rows]}
    cases, peers = list(CASES), list(MODULES)

    def place(key):
        peer = key[2].split(" (")[0]
        return cases.index(key[0]), key[1] or 0, peers.index(peer), key[2]

    return [table[key] for key in sorted(table, key=place) if key[0] in cases]


def installed(*names):
    found = []
    for name in names:
        try:
            version(name)
            found.append(name)
        except PackageNotFoundError:
            continue
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=list(CASES), metavar="CASE", help="prefixes")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--peers", nargs="+", default=list(MODULES), choices=list(MODULES))
    parser.add_argument("--seconds", type=float, default=0.2, help="a round lasts at least")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--path", nargs="+", default=[], help="directories before sys.path")
    arguments = parser.parse_args()
    about = machine(*installed("gudhi", "torch-topological", "oineus", "cripser", "giotto-ph"))
    sys.path[:0] = arguments.path
    chosen = [name for name in CASES if name.startswith(tuple(arguments.cases))]
    peers = [name for name in arguments.peers if find_spec(MODULES[name].split(".")[0])]
    for case in chosen:
        rows = reasons(case, peers)
        for batch in arguments.batches:
            rows += time_case(case, batch, peers, arguments.seconds, arguments.rounds)
            if rows:
                keep("layers", merged(rows), about)


if __name__ == "__main__":
    main()
