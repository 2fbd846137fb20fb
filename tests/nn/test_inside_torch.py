"""Persistence inside torch: operators, compilers, autocast, threads, workers, processes."""

import copy
import os
import threading

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from topoml import nn
from topoml.homology import cubical_persistence
from topoml.homology.cell import cell_pairs
from topoml.homology.cubical import cubical_pairs
from topoml.lie import Circle, Discrete, Sphere


def image():
    return nn.PersistenceImage(bandwidth=0.3, resolution=(4, 5), im_range=(-2, 3, 0, 3))


def curve():
    return nn.BettiCurve(resolution=6, sample_range=(0, 1))


def randn(*shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


class Cells(torch.nn.Module):
    """Edges alone, as a single input."""

    def __init__(self):
        super().__init__()
        self.layer = nn.CellPersistence(homology_dimensions=(0, 1))

    def forward(self, edge):
        return self.layer(None, edge)


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
}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("construction", ["V", "T", "F"])
def test_cubical_operator(dtype, construction):
    x = randn(3, 5, 4, dtype=torch.float64).to(dtype).requires_grad_()
    torch.library.opcheck(cubical_pairs, (x, 2, [0, 1], [True, False], construction, False))


def test_cell_operator():
    edge = randn(3, 2 * 20).abs().requires_grad_()
    torch.library.opcheck(cell_pairs, (edge, [4, 5], [False, True, False], [0, 1], [True, True]))


@pytest.mark.parametrize("features", [image, curve])
@pytest.mark.parametrize("name", MODELS)
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
        if features is image:
            (grad,) = torch.autograd.grad((y**2).sum(), leaf)
        found.append((y.detach(), grad))
    torch.testing.assert_close(found[1][0], found[0][0])
    if features is image:
        assert found[0][1].abs().max() > 0
        torch.testing.assert_close(found[1][1], found[0][1])


@pytest.mark.filterwarnings("ignore")
def test_compiled_loss():
    layer, x = MODELS["2D"]

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


@pytest.mark.filterwarnings("ignore")
def test_compiled_layers_still_find_nan():
    layer, x = MODELS["2D"]
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    x = x.clone()
    x[1, 2, 3] = torch.nan
    with pytest.raises(Exception, match="NaN"):
        compiled(x)


@pytest.mark.filterwarnings("ignore")
def test_export():
    layer, x = MODELS["2D"]
    model = torch.nn.Sequential(layer, image())
    exported = torch.export.export(model, (x,)).module()
    other = x.flip(0) + 0.1 * x.roll(1, 1)
    torch.testing.assert_close(exported(other), model(other))


def test_autocast():
    """Values are never rounded; a linear layer after them is, as torch does it."""
    layer, x = MODELS["2D"]
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


def test_several_threads_at_once():
    layer, x = MODELS["2D"]
    fields = [x + i for i in range(8)]
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

    def __len__(self):
        return 6

    def __getitem__(self, i):
        x = torch.randn(8, 8, generator=torch.Generator().manual_seed(i))
        return image()(cubical_persistence(x, homology_dimensions=(0, 1)))


@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # fork in a process with threads
def test_workers(context):
    cubical_persistence(torch.zeros(64, 8, 8), homology_dimensions=(0,))  # a pool that forks away
    expected = torch.stack([Vectorised()[i] for i in range(6)])
    loader = DataLoader(Vectorised(), 3, num_workers=2, multiprocessing_context=context)
    assert torch.equal(torch.cat(list(loader)), expected)


def test_joblib_processes():
    joblib = pytest.importorskip("joblib")
    expected = [Vectorised()[i] for i in range(4)]
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(Vectorised().__getitem__)(i) for i in range(4))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


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
