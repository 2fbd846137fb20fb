"""Persistence inside torch: operators, compilers, autocast, threads, workers, processes."""

import copy
import os
import threading

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from topoml import nn
from topoml.homology import cubical_persistence, rips_persistence
from topoml.homology.alpha import alpha_pairs
from topoml.homology.cell import cell_pairs
from topoml.homology.cubical import cubical_pairs
from topoml.homology.graph import graph_pairs
from topoml.homology.rips import rips_pairs
from topoml.lie import Circle, Discrete, Sphere


def image():
    return nn.PersistenceImage(bandwidth=0.3, resolution=(4, 5), im_range=(-2, 3, 0, 3))


def curve():
    return nn.BettiCurve(resolution=6, sample_range=(0, 1))


def landscape():
    return nn.PersistenceLandscape(num_landscapes=3, resolution=6, sample_range=(-2, 2))


def silhouette():
    return nn.Silhouette(resolution=6, sample_range=(-2, 2), power=1.5)


def euler_curve():
    return nn.EulerCurve(resolution=6, sample_range=(-2, 2))


def entropy():
    return nn.PersistenceEntropy()


def entropy_curve():
    return nn.PersistenceEntropy(mode="vector", resolution=6, sample_range=(-2, 2))


def heat():
    return nn.HeatKernel(bandwidth=0.3, resolution=4, sample_range=(-2, 2))


def longest():
    return nn.LongestLifetimes(k=3)


def topological_vector():
    return nn.TopologicalVector(threshold=3)


def statistics():
    return nn.PersistenceStatistics()


def polynomial():
    return nn.ComplexPolynomial(threshold=3, polynomial_type="S")


VECTORISATIONS = [
    curve,
    statistics,
    polynomial,
    heat,
    longest,
    topological_vector,
    entropy,
    entropy_curve,
    landscape,
    silhouette,
    euler_curve,
]


class Together(torch.nn.Module):
    """All of them side by side: one graph to compile."""

    def __init__(self):
        super().__init__()
        self.features = torch.nn.ModuleList(make() for make in VECTORISATIONS)

    def forward(self, d):
        return torch.cat([feature(d) for feature in self.features], 1)


def randn(*shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


class Cells(torch.nn.Module):
    """Edges alone, as a single input."""

    def __init__(self):
        super().__init__()
        self.layer = nn.CellPersistence(homology_dimensions=(0, 1))

    def forward(self, edge):
        return self.layer(None, edge)


class Distances(torch.nn.Module):
    """The matrix in place of the points, and weights."""

    def __init__(self):
        super().__init__()
        self.layer = nn.RipsPersistence(homology_dimensions=(0, 1), max_edge_length=2.5)

    def forward(self, x):
        square = (x[..., :, None, :] - x[..., None, :, :]).square().sum(-1)
        apart = square > 0
        distances = square.where(apart, 1.0).sqrt().where(apart, 0.0)
        return self.layer(distances=distances, weights=0.1 * x[..., 0].abs())


class Lists(torch.nn.Module):
    """Clouds of several sizes, by layers that take lists."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer([x[0], x[1, 2:], x[2, :-1]])


class Cycles(torch.nn.Module):
    """Three graphs of a batch, or one in three parts, each a cycle with a chord."""

    def __init__(self, *, batched=True, **options):
        super().__init__()
        self.layer = nn.GraphPersistence(homology_dimensions=(0, 1), **options)
        n = torch.arange(6)
        one = torch.cat([torch.stack([n, (n + 1) % 6]), torch.tensor([[0], [3]])], 1)
        self.edges = torch.cat([one, one + 6, one + 12], 1)
        self.batch = torch.arange(3).repeat_interleave(6) if batched else None

    def forward(self, x):
        edge = None if self.layer.extended else x[self.edges].amax(0) + 0.1
        return self.layer(x, self.edges, edge, self.batch)


MODELS = {
    "2D": (nn.CubicalPersistence(homology_dimensions=(0, 1), periodic=True), randn(3, 6, 5)),
    "superlevel": (
        nn.CubicalPersistence(homology_dimensions=(1,), superlevel=True), randn(3, 6, 5)),
    "1D": (nn.CubicalPersistence(homology_dimensions=(0,), spatial_dims=1), randn(3, 9)),
    "3D": (nn.CubicalPersistence(homology_dimensions=(0, 1, 2), spatial_dims=3), randn(2, 4, 5, 3)),
    "circle": (nn.FieldPersistence(manifold=Circle(), homology_dimensions=(0, 1)), randn(3, 6, 5)),
    "sphere": (
        nn.FieldPersistence(manifold=Sphere(2), homology_dimensions=(0, 1)),
        torch.nn.functional.normalize(randn(3, 6, 5, 3), dim=-1)),
    "cells": (Cells(), randn(3, 2, 4, 5).abs()),
    "rips": (nn.RipsPersistence(homology_dimensions=(0, 1)), randn(3, 14, 2)),
    "rips H0": (nn.RipsPersistence(homology_dimensions=(0,)), randn(3, 14, 2)),
    "rips box": (
        nn.RipsPersistence(homology_dimensions=(0, 1, 2), periodic_box=(3, 4)), randn(3, 14, 2)),
    "rips distances": (Distances(), randn(3, 14, 2)),
    "rips lists": (Lists(nn.RipsPersistence(homology_dimensions=(0, 1))), randn(3, 14, 2)),
    "alpha": (nn.AlphaPersistence(homology_dimensions=(0, 1)), randn(3, 14, 2)),
    "alpha lists": (Lists(nn.AlphaPersistence(homology_dimensions=(0, 1))), randn(3, 14, 2)),
    "graph": (Cycles(), randn(18)),
    "one graph": (Cycles(batched=False), randn(18)),
    "extended": (Cycles(extended=True), randn(18)),
}  # fmt: skip


COMPLEXES = ["2D", "rips", "alpha", "graph"]  # one of each operator


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("construction", ["V", "T", "F"])
def test_cubical_operator(dtype, construction):
    x = randn(3, 5, 4, dtype=torch.float64).to(dtype).requires_grad_()
    torch.library.opcheck(cubical_pairs, (x, 2, [0, 1], [True, False], construction, False))


def test_cell_operator():
    edge = randn(3, 2 * 20).abs().requires_grad_()
    torch.library.opcheck(cell_pairs, (edge, [4, 5], [False, True, False], [0, 1], [True, True]))


@pytest.mark.parametrize(
    ("dtype", "sizes"), [(torch.float64, [9]), (torch.float64, [4, 9, 5]), (torch.bfloat16, [9])]
)
def test_rips_operator(dtype, sizes):
    x = randn(18, 2).to(dtype).requires_grad_()
    w = (0.1 * randn(18)).to(dtype).requires_grad_()
    for weights, box, dimensions in ((None, [], [0]), (w, [3.0, 4.0], [0, 1])):
        torch.library.opcheck(rips_pairs, (x, weights, sizes, box, dimensions, 2.5))
    matrices = [
        torch.cdist(p, p).reshape(-1) for p in randn(18, 2).split(sizes * (18 // sum(sizes)))
    ]
    flat = torch.cat(matrices).to(dtype).requires_grad_()
    for weights, dimensions in ((None, [1, 0]), (w, [0])):
        torch.library.opcheck(rips_pairs, (flat, weights, sizes, [], dimensions, torch.inf))


def test_alpha_operator():
    arguments = (randn(12, 2), 0.1 * randn(12), [5, 7], [0, 1], True)
    torch.library.opcheck(alpha_pairs, arguments)


@pytest.mark.parametrize("extended", [False, True])
def test_graph_operator(extended):
    edges = torch.tensor([[0, 1, 2, 3], [1, 2, 0, 2]])
    x = randn(4).requires_grad_()
    torch.library.opcheck(graph_pairs, (x, 4, edges, None, [0, 1], extended))


@pytest.mark.parametrize(
    ("name", "features"),
    [
        *((n, image) for n in MODELS),
        ("2D", Together),
        ("rips", curve),
    ],
)
@pytest.mark.filterwarnings("ignore")  # of the compiler, about itself
def test_compiled_without_a_break(name, features):
    """Values and gradients are eager's."""
    layer, x = MODELS[name]
    model = torch.nn.Sequential(layer, features())
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    found = []
    for run in (model, compiled):
        leaf = x.clone().requires_grad_()
        y = run(leaf)
        grad = None
        if y.requires_grad:
            (grad,) = torch.autograd.grad((y**2).sum(), leaf)
        found.append((y.detach(), grad))
    torch.testing.assert_close(found[1][0], found[0][0])
    if found[0][1] is not None:
        assert found[0][1].abs().max() > 0
        torch.testing.assert_close(found[1][1], found[0][1])


@pytest.mark.parametrize("name", ["2D", "rips", "rips distances"])
@pytest.mark.filterwarnings("ignore")
def test_compiled_loss(name):
    layer, x = MODELS[name]

    def loss(x):
        d = layer(x)
        return (d.lifetime**2).sum() + (d.essential**3).sum()

    torch._dynamo.reset()
    found = []
    for function in (loss, torch.compile(loss, fullgraph=True, backend="aot_eager")):
        leaf = x.clone().requires_grad_()
        function(leaf).backward()
        found.append(leaf.grad)
    torch.testing.assert_close(found[1], found[0])


@pytest.mark.filterwarnings("ignore")
def test_compiled_labels():
    x = torch.randint(0, 3, (3, 5, 6), generator=torch.Generator().manual_seed(0))
    layer = nn.FieldPersistence(manifold=Discrete(3), homology_dimensions=(0, 1))
    model = torch.nn.Sequential(layer, curve())
    torch._dynamo.reset()
    assert torch.equal(torch.compile(model, fullgraph=True, backend="aot_eager")(x), model(x))


@pytest.mark.parametrize("name", COMPLEXES)
@pytest.mark.filterwarnings("ignore")
def test_compiled_layers_still_find_nan(name):
    layer, x = MODELS[name]
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    x = x.clone()
    x.view(-1)[7] = torch.nan
    with pytest.raises(Exception, match=r"(?i)nan"):
        compiled(x)


@pytest.mark.parametrize(
    "name", ["2D", "rips", "rips box", "rips lists", "alpha", "graph", "one graph"]
)
@pytest.mark.filterwarnings("ignore")
def test_export(name):
    layer, x = MODELS[name]
    model = torch.nn.Sequential(layer, image())
    exported = torch.export.export(model, (x,)).module()
    other = x.flip(0) + 0.1 * x.roll(1, -1)
    torch.testing.assert_close(exported(other), model(other))


@pytest.mark.parametrize("name", COMPLEXES)
def test_autocast(name):
    """Values are never rounded; a linear layer after them is, as torch does it."""
    layer, x = MODELS[name]
    model = torch.nn.Sequential(layer, image(), torch.nn.Linear(40, 2)).float()
    x = x.float().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        d, y = layer(x), model(x)
    assert d.points.dtype == torch.float32
    assert torch.equal(d.points, layer(x).points)
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert x.grad.dtype == torch.float32
    assert x.grad.abs().max() > 0


def test_copies_and_state():
    layer, x = MODELS["2D"]
    model = torch.nn.Sequential(layer, image(), torch.nn.Linear(40, 2)).double()
    twin = copy.deepcopy(model)
    twin.load_state_dict(model.state_dict())
    assert torch.equal(model(x), twin(x))


@pytest.mark.parametrize("name", COMPLEXES)
def test_several_threads_at_once(name):
    layer, x = MODELS[name]
    fields = [x * (1 + i) for i in range(8)]
    expected = [layer(f).points for f in fields]
    found = [None] * 8

    def work(i):
        for _ in range(5):
            found[i] = layer(fields[i]).points

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


class Vectorised(Dataset):
    """Diagrams computed in the workers."""

    def __init__(self, name):
        self.name = name

    def __len__(self):
        return 6

    def __getitem__(self, i):
        layer, x = MODELS[self.name]
        return image()(layer(x + torch.sin(x * i)))


@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # fork in a process with threads
def test_workers(context):
    cubical_persistence(torch.zeros(64, 8, 8), homology_dimensions=(0,))  # a pool that forks away
    rips_persistence(torch.randn(64, 9, 2), homology_dimensions=(1,))
    data = [Vectorised(name) for name in COMPLEXES]
    expected = [torch.stack([one[i] for i in range(6)]) for one in data]
    loader = DataLoader(SideBySide(data), 3, num_workers=2, multiprocessing_context=context)
    found = [torch.cat(parts) for parts in zip(*loader, strict=True)]
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


class SideBySide(torch.utils.data.Dataset):
    """Items of several datasets side by side."""

    def __init__(self, parts):
        self.parts = parts

    def __len__(self):
        return 6

    def __getitem__(self, i):
        return tuple(part[i] for part in self.parts)


def test_joblib_processes():
    joblib = pytest.importorskip("joblib")
    data = SideBySide([Vectorised(name) for name in COMPLEXES])
    expected = [data[i] for i in range(4)]
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(data.__getitem__)(i) for i in range(4))
    for one, other in zip(found, expected, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def model_of_ddp():
    torch.manual_seed(0)
    layer = nn.CubicalPersistence(homology_dimensions=(0, 1), periodic=True)
    convolution = torch.nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular")
    return torch.nn.Sequential(convolution, layer, image(), torch.nn.Linear(40, 1)).double()


def train_half(rank, path, out):
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{path}", rank=rank, world_size=2
    )
    model = torch.nn.parallel.DistributedDataParallel(model_of_ddp())
    x = randn(4, 1, 6, 6)[2 * rank : 2 * rank + 2]
    model(x).square().mean().backward()
    if rank == 0:
        torch.save([p.grad for p in model.parameters()], out)
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_have_the_gradient_of_one(tmp_path):
    """DistributedDataParallel over gloo, half of the batch each."""
    torch.multiprocessing.spawn(
        train_half, (str(tmp_path / "meeting"), str(tmp_path / "grad.pt")), nprocs=2
    )
    model = model_of_ddp()
    model(randn(4, 1, 6, 6)).square().mean().backward()
    for found, parameter in zip(torch.load(tmp_path / "grad.pt"), model.parameters(), strict=True):
        torch.testing.assert_close(found, parameter.grad)
