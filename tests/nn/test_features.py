"""Vectorisation layers: what the functions give; buffers; training; light imports."""

import copy
import io
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from tests.features.made import made, random_samples
from topoml._core.errors import InputError
from topoml.features import betti_curve, persistence_image
from topoml.lie import Circle
from topoml.nn import BettiCurve, CubicalPersistence, FieldPersistence, PersistenceImage

IMAGE = {"bandwidth": 0.3, "resolution": (5, 7), "im_range": (-1.5, 1.1, 0.0, 1.3)}
CURVE = {"resolution": 10, "sample_range": (-1.0, 1.1)}
CASES = [(PersistenceImage, persistence_image, IMAGE), (BettiCurve, betti_curve, CURVE)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
@pytest.mark.parametrize("superlevel", [False, True])
@pytest.mark.parametrize(("layer", "function", "options"), CASES)
def test_equals_the_function(layer, function, options, superlevel, dtype):
    samples = random_samples(np.random.default_rng(0), 4, superlevel=superlevel)
    d = made(samples, superlevel=superlevel, dtype=dtype)
    assert torch.equal(layer(**options)(d), function(d, **options))


def test_weight():
    d = made(random_samples(np.random.default_rng(1), 4))
    weight = lambda b, l: l**2  # noqa: E731, E741
    layer = PersistenceImage(**IMAGE, weight=weight)
    assert torch.equal(layer(d), persistence_image(d, **IMAGE, weight=weight))


@pytest.mark.parametrize(("layer", "function", "options"), CASES)
def test_buffers(layer, function, options):
    made_layer = layer(**options)
    assert not list(made_layer.parameters())
    assert made_layer.state_dict()
    d = made(random_samples(np.random.default_rng(2), 4))
    expected = function(d, **options)
    file = io.BytesIO()
    torch.save(made_layer.state_dict(), file)
    file.seek(0)
    other = {k: tuple(2 * x for x in v) if "range" in k else v for k, v in options.items()}
    loaded = layer(**other)
    assert not torch.equal(loaded(d), expected)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    twins = (copy.deepcopy(made_layer), pickle.loads(pickle.dumps(made_layer)), loaded)
    for twin in twins:
        assert torch.equal(twin(d), expected)
    for dtype in (torch.float32, torch.float16, torch.float64):
        made_layer.to(dtype)
        assert all(x.dtype == dtype for x in made_layer.buffers())
        assert made_layer(d).dtype == torch.float64  # that of the points
    assert all(x.is_meta for x in made_layer.to("meta").buffers())


def test_repr():
    assert repr(PersistenceImage(**IMAGE)) == (
        "PersistenceImage(bandwidth=0.3, resolution=(5, 7), im_range=(-1.5, 1.1, 0.0, 1.3))"
    )
    assert repr(BettiCurve(**CURVE)) == "BettiCurve(resolution=10, sample_range=(-1.0, 1.1))"


@pytest.mark.parametrize(
    ("layer", "options", "message"),
    [
        (PersistenceImage, IMAGE | {"bandwidth": 0}, "`bandwidth` is 0; expected"),
        (PersistenceImage, IMAGE | {"resolution": 5}, "`resolution` is 5; expected two"),
        (PersistenceImage, IMAGE | {"im_range": (0, 1)}, "`im_range` is"),
        (PersistenceImage, IMAGE | {"im_range": (1, 0, 0, 1)}, "`im_range` is"),
        (PersistenceImage, IMAGE | {"weight": 1}, "`weight` is 1; expected None or"),
        (BettiCurve, CURVE | {"resolution": 0}, "`resolution` is 0; expected an"),
        (BettiCurve, CURVE | {"sample_range": (1, 0)}, "`sample_range` is"),
    ],
)
def test_mistakes_are_found_at_construction(layer, options, message):
    with pytest.raises(InputError, match="^" + message):
        layer(**options)


@pytest.mark.parametrize(("layer", "function", "options"), CASES)
def test_input_is_checked(layer, function, options):
    with pytest.raises(InputError, match=r"^`diagrams` is Tensor; expected"):
        layer(**options)(torch.zeros(2, 3))


def smooth_and_rough(n, generator):
    """Fields in two classes that differ in their topology, not in their mean or variance."""
    noise = torch.randn(2 * n, 12, 12, generator=generator)
    mean = sum(noise[:n].roll((i, j), (1, 2)) for i in (0, 1, 2) for j in (0, 1, 2))
    x = torch.cat([mean, noise[n:]])
    x = (x - x.mean((1, 2), keepdim=True)) / x.std((1, 2), keepdim=True)
    return x, torch.arange(2).repeat_interleave(n).float()


@pytest.mark.parametrize("weight", [None, "learned"])
def test_training(weight):
    """A plain Sequential learns, and gradients reach parameters and input."""

    class Power(nn.Module):
        def __init__(self):
            super().__init__()
            self.exponent = nn.Parameter(torch.tensor(1.0))

        def forward(self, birth, lifetime):
            return lifetime**self.exponent

    torch.manual_seed(0)
    model = nn.Sequential(
        CubicalPersistence(homology_dimensions=(0, 1), periodic=True),
        PersistenceImage(
            bandwidth=0.3, resolution=(6, 6), im_range=(-2, 2, 0, 3), weight=weight and Power()
        ),
        nn.Linear(2 * 36, 1),
    )
    x, y = smooth_and_rough(20, torch.Generator().manual_seed(1))
    x.requires_grad_()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(40):
        loss = nn.functional.binary_cross_entropy_with_logits(model(x).squeeze(1), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())
    assert len(list(model.parameters())) == (3 if weight else 2)
    assert x.grad.isfinite().all()
    assert (x.grad.abs().amax((1, 2)) > 0).all()
    held_out, label = smooth_and_rough(50, torch.Generator().manual_seed(2))
    assert ((model(held_out).squeeze(1) > 0) == label).float().mean() > 0.95


def test_spins_to_features():
    model = nn.Sequential(
        FieldPersistence(manifold=Circle(), homology_dimensions=(0, 1)),
        BettiCurve(resolution=8, sample_range=(0, 3.2)),
        nn.Linear(16, 1),
    )
    theta = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(3))
    assert model(theta).shape == (2, 3, 1)


def test_double():
    model = nn.Sequential(
        CubicalPersistence(homology_dimensions=(0,)), PersistenceImage(**IMAGE), nn.Linear(35, 1)
    ).double()
    x = torch.randn(3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    assert model(x).dtype == torch.float64


def test_imports_are_light():
    """Nothing heavy beyond what torch and numba (scipy's first floor) bring along."""
    heavy = {"geomstats", "gtda", "gudhi", "matplotlib", "pandas", "scipy", "sklearn", "xarray"}
    code = """
import sys, numba, torch
before = set(sys.modules)
import topoml.nn, topoml.homology
print(*{name.partition(".")[0] for name in set(sys.modules) - before})
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    new = set(result.stdout.split())
    assert "topoml" in new
    assert not new & heavy
