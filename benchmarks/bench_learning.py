"""Learning from diagrams: `pytest benchmarks` asks for more than chance, `python` fills the table.

python benchmarks/bench_learning.py [--tasks orbit ising xy graphs] [--methods ...] [--splits 3]
                                    [--trained-splits 1] [--per-class 1000] [--epochs 20]
                                    [--threads 1] [--curve]

Tasks, each split at random several times (accuracy: mean and standard deviation over the splits):
  orbit   ORBIT5K: the linked twist map at r = 2.5, 3.5, 4.0, 4.1, 4.3, 1000 points from a random
          start; 700 clouds a class to learn from, 300 to test. Alpha complexes, H0 and H1.
  ising   below or above T_c = 2.2692, 32 x 32: block means of 4 x 4 (each site a corner), cubical,
          periodic. Whole chains are held out.
  xy      below or above T_BKT = 0.8929, 32 x 32: field persistence, likewise.
  graphs  188 graphs of about 18 nodes, the size of MUTAG: two or three rings of six, fused along an
          edge or joined by one, with side chains. Lower stars of the heat kernel signature at
          t = 1; loops are given the largest value as their death.
The baseline has no topology: numbers of points in 8 x 8 boxes (orbit), |magnetisation| and energy a
site (ising, xy), numbers of nodes and edges (graphs), before logistic regression.
Methods: a vectorisation, standardised, before scikit-learn's logistic regression, or a torch layer
with batch normalisation and a linear map behind it, trained end to end (marked +) on diagrams
scaled to a unit range; the transformer sees the 60 longest classes of each dimension. A new one is
one more entry of METHODS. Seconds are those of one split: fit, transform, training, prediction; the
diagrams are computed once, beforehand. Rows are kept as they come; those of other tasks and methods
stay in the table. ``--curve`` keeps the accuracy after each epoch of what is trained, too.

Published on ORBIT5K with this protocol: PersLay 87.7 % (Carrière et al., arXiv:1904.09378),
Persformer 91.2 % (Reinauer et al., arXiv:2112.15210).
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from timing import RESULTS, keep, machine
from torch import Tensor, nn

from topoml.homology import (
    Diagrams,
    alpha_persistence,
    cubical_persistence,
    field_persistence,
    graph_persistence,
)
from topoml.lattice import XY, Ising, simulate
from topoml.lie import Circle
from topoml.nn import (
    Atol,
    BettiCurve,
    DiagramTransformer,
    GridWeight,
    PersistenceEntropy,
    PersistenceImage,
    PersistenceLandscape,
    PersLay,
    Silhouette,
    StructureElements,
    TemplateFunctions,
    TentPhi,
)

RATES = (2.5, 3.5, 4.0, 4.1, 4.3)
PUBLISHED = {("orbit", "PersLay +"): "87.7", ("orbit", "transformer +"): "91.2 (Persformer)"}


class Task(NamedTuple):
    """Diagrams (n,), labels (n,), the group of each sample, as groups are not split, and features
    (n, k) without topology."""

    diagrams: Diagrams
    label: Tensor
    group: Tensor
    plain: Tensor


def orbits(per_class, n_points, rng):
    """(classes * per_class, n_points, 2) of the linked twist map."""
    r = np.repeat(RATES, per_class)
    x, y = rng.random((2, len(r)))
    cloud = np.empty((len(r), n_points, 2))
    for i in range(n_points):
        x = (x + r * y * (1 - y)) % 1
        y = (y + r * x * (1 - x)) % 1
        cloud[:, i] = np.stack([x, y], 1)
    return cloud


def orbit(per_class=1000, n_points=1000, seed=0):
    cloud = torch.from_numpy(orbits(per_class, n_points, np.random.default_rng(seed)))
    parts = [
        alpha_persistence(part, homology_dimensions=(0, 1)).to(torch.float32)
        for part in cloud.split(100)
    ]
    label = torch.arange(len(RATES)).repeat_interleave(per_class)
    box = (8 * cloud).long().clamp(max=7)
    row = torch.arange(len(label))[:, None].expand(-1, n_points)
    plain = torch.zeros(len(label), 64).index_put(
        (row, 8 * box[..., 0] + box[..., 1]), torch.ones(()), accumulate=True
    )
    return Task(Diagrams.cat(parts), label, torch.arange(len(label)), plain)


def phases(model, below, above, persistence, magnetization, size, samples, seed):
    """Label 1 above the transition; the group is the number of the chain, at any temperature."""
    ensemble = simulate(
        model, sizes=[size], temperatures=[*below, *above], samples=samples, seed=seed,
        n_chains=10, n_jobs=1,
    )  # fmt: skip
    parts, label, group, plain = [], [], [], []
    for t in (*below, *above):
        x = torch.from_numpy(ensemble.configurations(size=size, temperature=t))
        parts.append(persistence(x.flatten(0, 1)).to(torch.float32))
        label += [int(t in above)] * samples
        group += [chain for chain in range(x.shape[0]) for _ in range(x.shape[1])]
        energy = torch.from_numpy(ensemble.energy(size=size, temperature=t)).flatten()
        plain.append(torch.stack([magnetization(x.flatten(0, 1).double()), energy], 1))
    return Task(Diagrams.cat(parts), torch.tensor(label), torch.tensor(group), torch.cat(plain))


def block_means(spins):
    x = spins.double()
    return sum(x.roll((-i, -j), (1, 2)) for i in range(4) for j in range(4)) / 16


def ising(size=32, samples=200, seed=0):
    return phases(
        Ising(), (2.0, 2.1, 2.2), (2.35, 2.45, 2.55),
        lambda x: cubical_persistence(block_means(x), homology_dimensions=(0, 1), periodic=True),
        lambda x: x.mean((1, 2)).abs(),
        size, samples, seed,
    )  # fmt: skip


def xy(size=32, samples=200, seed=0):
    return phases(
        XY(), (0.75, 0.8, 0.85), (0.95, 1.0, 1.05),
        lambda x: field_persistence(x.double(), manifold=Circle(), homology_dimensions=(0, 1)),
        lambda x: torch.hypot(x.cos().mean((1, 2)), x.sin().mean((1, 2))),
        size, samples, seed,
    )  # fmt: skip


def molecule(fused, rng):
    """Edges (E, 2) of rings of six in a row, fused along an edge or joined by one, and of single
    nodes hung on at random, up to 15 to 21 in all."""
    edges, n = [(i, (i + 1) % 6) for i in range(6)], 6
    end = (2, 3)  # an edge of the last ring
    for _ in range(rng.integers(1, 3)):
        if fused:
            a, b = end
            new = [n, n + 1, n + 2, n + 3]
            edges += list(zip([a, *new], [*new, b], strict=True))
            end = (n + 1, n + 2)
        else:
            new = list(range(n, n + 6))
            edges += [(end[0], n), *((new[i], new[(i + 1) % 6]) for i in range(6))]
            end = (n + 3, n + 2)
        n += len(new)
    while n < rng.integers(15, 22):
        edges.append((int(rng.integers(n)), n))
        n += 1
    return np.array(edges), n


def heat_kernel_signature(edges, n, t=1.0):
    """sum_k exp(-t lambda_k) psi_k^2 (n,) of the normalised Laplacian."""
    adjacency = np.zeros((n, n))
    adjacency[edges[:, 0], edges[:, 1]] = adjacency[edges[:, 1], edges[:, 0]] = 1
    scale = 1 / np.sqrt(adjacency.sum(0))
    values, vectors = np.linalg.eigh(np.eye(n) - scale[:, None] * adjacency * scale)
    return vectors**2 @ np.exp(-t * values)


def graphs(n_graphs=188, seed=0):
    rng = np.random.default_rng(seed)
    label = np.arange(n_graphs) % 2
    edges, values, batch, plain, first = [], [], [], [], 0
    for number, fused in enumerate(label):
        of_graph, n = molecule(fused, rng)
        edges.append(of_graph + first)
        values.append(heat_kernel_signature(of_graph, n))
        batch += [number] * n
        plain.append([n, len(of_graph)])
        first += n
    vertex = torch.from_numpy(np.concatenate(values))
    d = graph_persistence(
        vertex, torch.from_numpy(np.concatenate(edges).T.copy()),
        homology_dimensions=(0, 1), batch=torch.tensor(batch),
    )  # fmt: skip
    capped = d.capped(float(vertex.max())).to(torch.float32)
    return Task(capped, torch.from_numpy(label), torch.arange(n_graphs), torch.tensor(plain))


TASKS = {"orbit": orbit, "ising": ising, "xy": xy, "graphs": graphs}


def ends(values: Tensor) -> tuple[float, float]:
    """Smallest and nearly largest of the values, apart."""
    values = values.sort().values
    low, high = float(values[0]), float(values[int(0.999 * (len(values) - 1))])
    return low, high if high > low else low + 1


def each_dimension(make: Callable[[Diagrams], nn.Module]):
    """Of diagrams to learn from: one layer for each homology dimension, with ranges of its own."""

    def fit(d: Diagrams) -> Callable[[Diagrams], Tensor]:
        layers = {k: make(d.select(k)) for k in d.homology_dimensions}
        return lambda d: torch.cat([layers[k](d.select(k)) for k in layers], 1)

    return fit


def image(d: Diagrams) -> nn.Module:
    birth, life = ends(d.points[:, 0]), ends(d.lifetime)
    middle = max(birth[1] - birth[0], life[1] - life[0])
    return PersistenceImage(
        bandwidth=middle / 20, resolution=(20, 20), im_range=(*birth, 0.0, life[1])
    )


def betti(d: Diagrams) -> nn.Module:
    return BettiCurve(resolution=100, sample_range=ends(d.points.flatten()))


def landscape(d: Diagrams) -> nn.Module:
    return PersistenceLandscape(
        num_landscapes=5, resolution=50, sample_range=ends(d.points.flatten())
    )


def outline(d: Diagrams) -> nn.Module:
    return Silhouette(resolution=100, sample_range=ends(d.points.flatten()))


def entropy(d: Diagrams) -> nn.Module:
    return PersistenceEntropy(
        mode="vector", resolution=100, sample_range=ends(d.points.flatten()), normalized=False
    )


def templates(d: Diagrams) -> nn.Module:
    birth, life = ends(d.points[:, 0]), ends(d.lifetime)
    return TemplateFunctions(resolution=(10, 10), im_range=(*birth, 0.0, life[1]))


class Scaled(nn.Module):
    """A layer on diagrams whose births and deaths, dimension by dimension, are from 0 to about 1:
    its parameters then learn at one rate."""

    def __init__(self, d: Diagrams) -> None:
        super().__init__()
        low, width = torch.zeros(2, max(d.homology_dimensions) + 1, dtype=d.points.dtype)
        for k in d.homology_dimensions:
            low[k], high = ends(d.select(k).points.flatten())
            width[k] = high - low[k]
        self.register_buffer("low", low)
        self.register_buffer("width", width)
        self.layer: nn.Module = nn.Identity()

    def scaled(self, d: Diagrams) -> Diagrams:
        low, width = self.low[d.dimension], self.width[d.dimension]
        return replace(d, points=(d.points - low[:, None]) / width[:, None])

    def forward(self, d: Diagrams) -> Tensor:
        return self.layer(self.scaled(d))


def elements(d: Diagrams) -> nn.Module:
    scaled = Scaled(d)  # the hats have a width of about 1
    layer = StructureElements(
        homology_dimensions=d.homology_dimensions, n_elements=64, kind="rational"
    )
    layer.fit(scaled.scaled(few(d)), generator=torch.Generator().manual_seed(0))
    scaled.layer = layer.requires_grad_(False)
    return scaled


def few(d: Diagrams, n: int = 500) -> Diagrams:
    """Some samples, evenly taken: enough to find 64 centers."""
    return d[torch.linspace(0, len(d) - 1, min(n, len(d))).long()]


def centers(d: Diagrams) -> nn.Module:
    layer = Atol(homology_dimensions=d.homology_dimensions, n_clusters=32)
    return layer.fit(few(d, 50), random_state=0)


def logistic(fit, train: Task, test: Task, seed: int, epochs: int):
    """Accuracy and number of features of a vectorisation before logistic regression."""
    features = fit(train.diagrams)
    x = [torch.cat([features(part) for part in batches(t.diagrams)]) for t in (train, test)]
    return regression(x, train, test)


def baseline(make, train: Task, test: Task, seed: int, epochs: int):
    """The same of the features without topology."""
    return regression([train.plain, test.plain], train, test)


def regression(x: list[Tensor], train: Task, test: Task):
    """Accuracy of logistic regression on standardised features, and their number."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    with warnings.catch_warnings():  # scikit-learn 1.3 calls the scipy of today
        warnings.filterwarnings("ignore", "scipy.optimize", DeprecationWarning)
        model.fit(x[0].numpy(), train.label.numpy())
    return float(model.score(x[1].numpy(), test.label.numpy())), x[0].shape[1]


def perslay(d: Diagrams) -> nn.Module:
    """The five highest tents at each of 100 samples, weighted on a grid."""
    scaled = Scaled(d)
    layer = PersLay(
        homology_dimensions=d.homology_dimensions, phi=TentPhi(100),
        weight=GridWeight(resolution=(10, 10)), perm_op="top5",
    )  # fmt: skip
    layer.fit(scaled.scaled(few(d)), generator=torch.Generator().manual_seed(0))
    for phi in layer.phi:
        phi.samples.data.copy_(torch.linspace(0, 1, 102)[1:-1])
    scaled.layer = layer
    return scaled


class Longest(nn.Module):
    """The longest classes of each sample and dimension, for a layer that compares all of them."""

    def __init__(self, n: int, layer: nn.Module) -> None:
        super().__init__()
        self.n, self.layer = n, layer

    def forward(self, d: Diagrams) -> Tensor:
        block = (d.sample * 8 + d.dimension).double()
        order = (-d.lifetime).argsort(stable=True)
        order = order[block[order].argsort(stable=True)]
        counts = torch.unique_consecutive(block[order], return_counts=True)[1]
        within = torch.arange(len(order)) - (counts.cumsum(0) - counts).repeat_interleave(counts)
        kept = order[within < self.n].sort().values
        return self.layer(d._rows(kept, slice(None)))


def transformer(d: Diagrams) -> nn.Module:
    scaled = Scaled(d)
    layer = DiagramTransformer(
        homology_dimensions=d.homology_dimensions, embed_dim=64, num_heads=4, num_layers=2
    )
    scaled.layer = Longest(60, layer.fit(scaled.scaled(few(d))))
    return scaled


def trained(
    make, train: Task, test: Task, seed: int, epochs: int, rate: float = 3e-3, after_epoch=None
):
    """Accuracy and number of features of a layer that learns along with the classifier.

    That of the last epoch: none is chosen by its accuracy. ``after_epoch(epoch, loss, accuracy)``.
    """
    torch.manual_seed(seed)
    layer = make(train.diagrams)
    width, n_classes = layer(train.diagrams[:2]).shape[1], int(train.label.max()) + 1
    model = nn.Sequential(layer, nn.BatchNorm1d(width), nn.Linear(width, n_classes))
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    n, size = len(train.label), 64
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, epochs=epochs, steps_per_epoch=-(-n // size)
    )
    accuracy = 0.0
    for epoch in range(epochs):
        total = 0.0
        model.train()
        for chosen in torch.randperm(n).split(size):
            out = model(train.diagrams[chosen])
            loss = nn.functional.cross_entropy(out, train.label[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(chosen) / n
        if after_epoch is not None or epoch == epochs - 1:
            model.eval()
            with torch.no_grad():
                found = torch.cat([model(part).argmax(1) for part in batches(test.diagrams)])
            accuracy = float((found == test.label).double().mean())
            if after_epoch is not None:
                after_epoch(epoch + 1, total, accuracy)
    return accuracy, width


def batches(d: Diagrams, size: int = 100) -> list[Diagrams]:
    return [d[i : i + size] for i in range(0, len(d), size)]


METHODS: dict[str, tuple[Callable, Callable]] = {
    "baseline": (baseline, few),
    "persistence image": (logistic, each_dimension(image)),
    "Betti curve": (logistic, each_dimension(betti)),
    "landscape": (logistic, each_dimension(landscape)),
    "silhouette": (logistic, each_dimension(outline)),
    "entropy summary": (logistic, each_dimension(entropy)),
    "tent functions": (logistic, each_dimension(templates)),
    "structure elements": (logistic, elements),
    "Atol": (logistic, centers),
    "PersLay +": (trained, perslay),
    "transformer +": (partial(trained, rate=1e-3), transformer),
}


def split(task: Task, seed: int) -> tuple[Task, Task]:
    """70 % of the groups of each label to learn from, the others to test."""
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(task.label), bool)
    for label in np.unique(task.label):
        here = task.label.numpy() == label
        groups = rng.permutation(np.unique(task.group.numpy()[here]))
        first = groups[: round(0.7 * len(groups))]
        chosen |= here & np.isin(task.group.numpy(), first)
    parts = (torch.from_numpy(np.flatnonzero(mask)) for mask in (chosen, ~chosen))
    train, test = (Task(*(part[i] for part in task)) for i in parts)
    return train, test


def kept(name: str, keys: tuple[str, ...]) -> dict[tuple, dict]:
    """The rows of a kept table by their keys."""
    path = RESULTS / f"{name}.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    return {tuple(row[key] for key in keys): row for row in rows}


def curve_of(task: str, method: str, about: dict[str, str]):
    """What keeps the accuracy after each epoch, as ``learning_curve``."""
    rows = kept("learning_curve", ("task", "method", "epoch"))
    rows = {key: row for key, row in rows.items() if key[:2] != (task, method)}
    start = time.perf_counter()

    def after_epoch(epoch: int, loss: float, accuracy: float) -> None:
        rows[task, method, epoch] = {
            "task": task,
            "method": method,
            "epoch": epoch,
            "minutes": f"{(time.perf_counter() - start) / 60:.1f}",
            "loss": f"{loss:.4f}",
            "accuracy (%)": f"{100 * accuracy:.1f}",
        }
        keep("learning_curve", list(rows.values()), about)

    return after_epoch


def table(tasks, methods, *, splits, trained_splits, epochs, per_class, curve, about):
    order = [(task, method) for task in TASKS for method in METHODS]
    for name in tasks:
        task = orbit(per_class) if name == "orbit" else TASKS[name]()
        for method in methods:
            learn, make = METHODS[method]
            accuracy, seconds, size = [], [], 0
            is_trained = method.endswith("+")
            n_splits = trained_splits if is_trained else splits
            for seed in range(n_splits):
                train, test = split(task, seed)
                options = {}
                if curve and is_trained and seed == 0:
                    options["after_epoch"] = curve_of(name, method, about)
                start = time.perf_counter()
                score, size = learn(make, train, test, seed, epochs, **options)
                seconds.append(time.perf_counter() - start)
                accuracy.append(100 * score)
            error = f" ± {np.std(accuracy, ddof=1):.1f}" if n_splits > 1 else ""
            rows = kept("learning", ("task", "method"))  # anew: another run may keep its own
            rows[name, method] = {
                "task": name,
                "method": method,
                "features": size,
                "accuracy (%)": f"{np.mean(accuracy):.1f}" + error,
                "splits": n_splits,
                "epochs": epochs if is_trained else "",
                "seconds": f"{np.mean(seconds):.1f}",
                "published (%)": PUBLISHED.get((name, method), ""),
            }
            keep("learning", [rows[key] for key in order if key in rows], about)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "baseline"])
def test_orbits(method):
    """Tiny: 5 classes of 60 clouds of 200 points; chance is 20 %."""
    train, test = split(orbit(60, 200), 0)
    learn, make = METHODS[method]
    assert learn(make, train, test, 0, 60)[0] > 0.4


@pytest.mark.parametrize("task", [ising, xy])
@pytest.mark.parametrize("method", ["persistence image", "PersLay +"])
def test_phases(task, method):
    train, test = split(task(12, 40), 0)
    learn, make = METHODS[method]
    assert learn(make, train, test, 0, 60)[0] > 0.65


@pytest.mark.parametrize("method", ["persistence image", "PersLay +"])
def test_graphs(method):
    train, test = split(graphs(100), 0)
    learn, make = METHODS[method]
    assert learn(make, train, test, 0, 40)[0] > 0.65


def test_chance():
    """The control: shuffled labels are not learnt."""
    task = orbit(40, 200)
    shuffled = task.label[torch.randperm(200, generator=torch.Generator().manual_seed(0))]
    train, test = split(task._replace(label=shuffled), 0)
    learn, make = METHODS["Atol"]
    assert learn(make, train, test, 0, 0)[0] < 0.4


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--trained-splits", type=int, default=1, help="of the methods marked +")
    parser.add_argument("--per-class", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--curve", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    table(
        arguments.tasks,
        arguments.methods,
        splits=arguments.splits,
        trained_splits=arguments.trained_splits,
        epochs=arguments.epochs,
        per_class=arguments.per_class,
        curve=arguments.curve,
        about=machine("gudhi", "scikit-learn"),
    )


if __name__ == "__main__":
    main()
