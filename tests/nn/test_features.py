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
from topoml.features import (
    betti_curve,
    complex_polynomial,
    euler_curve,
    heat_kernel,
    longest_lifetimes,
    persistence_entropy,
    persistence_image,
    persistence_landscape,
    persistence_statistics,
    silhouette,
    topological_vector,
)
from topoml.lie import Circle
from topoml.nn import (
    BettiCurve,
    ComplexPolynomial,
    CubicalPersistence,
    EulerCurve,
    FieldPersistence,
    HeatKernel,
    LongestLifetimes,
    PersistenceEntropy,
    PersistenceImage,
    PersistenceLandscape,
    PersistenceStatistics,
    Silhouette,
    TopologicalVector,
)

IMAGE = {"bandwidth": 0.3, "resolution": (5, 7), "im_range": (-1.5, 1.1, 0.0, 1.3)}
CURVE = {"resolution": 10, "sample_range": (-1.0, 1.1)}
CASES = [
    (PersistenceImage, persistence_image, IMAGE),
    (BettiCurve, betti_curve, CURVE),
    (EulerCurve, euler_curve, CURVE),
    (PersistenceEntropy, persistence_entropy, CURVE | {"mode": "vector"}),
    (PersistenceEntropy, persistence_entropy, CURVE | {"mode": "vector", "normalized": False}),
    (PersistenceLandscape, persistence_landscape, CURVE | {"num_landscapes": 3}),
    (Silhouette, silhouette, CURVE | {"power": 2}),
    (Silhouette, silhouette, CURVE),
    (HeatKernel, heat_kernel, CURVE | {"bandwidth": 0.3}),
]
BARE = [
    (PersistenceEntropy, persistence_entropy, {}),
    (LongestLifetimes, longest_lifetimes, {"k": 3}),
    (TopologicalVector, topological_vector, {"threshold": 3}),
    (PersistenceStatistics, persistence_statistics, {}),
    (ComplexPolynomial, complex_polynomial, {"threshold": 3, "polynomial_type": "T"}),
]
RANGED = [case for case in CASES if any("range" in option for option in case[2])]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
@pytest.mark.parametrize("superlevel", [False, True])
@pytest.mark.parametrize(("layer", "function", "options"), CASES + BARE)
def test_equals_the_function(layer, function, options, superlevel, dtype):
    samples = random_samples(np.random.default_rng(0), 4, superlevel=superlevel)
    d = made(samples, superlevel=superlevel, dtype=dtype)
    assert torch.equal(layer(**options)(d), function(d, **options))


def test_scalar_entropy_has_nothing_to_fit():
    d = made(random_samples(np.random.default_rng(1), 4))
    layer = PersistenceEntropy()
    assert torch.equal(layer.fit(d)(d), persistence_entropy(d))


def test_weight():
    d = made(random_samples(np.random.default_rng(1), 4))
    weight = lambda b, l: l**2  # noqa: E731, E741
    layer = PersistenceImage(**IMAGE, weight=weight)
    assert torch.equal(layer(d), persistence_image(d, **IMAGE, weight=weight))
    layer = Silhouette(**CURVE, weight=weight)
    assert torch.equal(layer(d), silhouette(d, **CURVE, weight=weight))
    assert list(Silhouette(**CURVE, weight=nn.PReLU()).parameters())


@pytest.mark.parametrize(("layer", "function", "options"), RANGED)
def test_fitted_range(layer, function, options):
    """The range of finite classes; saved, shown, and asked for before it is there."""
    (name,) = (option for option in options if "range" in option)
    d = made(
        [
            [(0, 0.5, 1.0), (1, 0.25, 2.0), (0, -9.0, -9.0), (0, -8.0, np.inf)],
            [(1, 0.25, 0.5), (0, -np.inf, 9.0)],
        ]
    )
    expected = (0.25, 0.5, 0.25, 1.75) if name == "im_range" else (0.25, 2.0)
    bare = {option: value for option, value in options.items() if option != name}
    fresh = layer(**bare)
    assert f"{name}=None" in repr(fresh)
    with pytest.raises(InputError, match=f"^`{name}` is None; expected a range by now"):
        fresh(d)
    fitted = fresh.fit(d)
    assert fitted is fresh
    assert f"{name}={expected}" in repr(fitted)
    assert torch.equal(fitted(d), function(d, **bare, **{name: expected}))
    other = layer(**bare)
    other.load_state_dict(fitted.state_dict())
    assert torch.equal(other(d), fitted(d))
    with pytest.raises(InputError, match=r"^`diagrams` has no class of finite lifetime above 0"):
        layer(**bare).fit(made([[(0, 1.0, 1.0), (0, 0.0, np.inf)]]))
    with pytest.raises(InputError, match=r"^`diagrams` is Tensor"):
        layer(**bare).fit(torch.zeros(2, 3))
    upside_down = made([[(0, 1.0, -1.0), (0, 0.5, 0.0)]], superlevel=True)
    ends = (0.5, 1.0, 0.5, 2.0) if name == "im_range" else (-1.0, 1.0)
    assert f"{name}={ends}" in repr(layer(**bare).fit(upside_down))


@pytest.mark.parametrize(("layer", "function", "options"), CASES)
def test_buffers(layer, function, options):
    made_layer = layer(**options)
    assert not list(made_layer.parameters())
    assert made_layer.state_dict()
    d = made(random_samples(np.random.default_rng(2), 4))
    expected = function(d, **options)
    assert torch.equal(made_layer(d), expected)
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
    assert repr(LongestLifetimes(k=3)) == "LongestLifetimes(k=3)"
    assert repr(ComplexPolynomial(threshold=3)) == (
        "ComplexPolynomial(threshold=3, polynomial_type='R')"
    )
    assert repr(TopologicalVector(threshold=3)) == "TopologicalVector(threshold=3)"
    assert repr(HeatKernel(bandwidth=1, **CURVE)) == (
        "HeatKernel(bandwidth=1.0, resolution=10, sample_range=(-1.0, 1.1))"
    )
    assert repr(PersistenceLandscape(num_landscapes=3, **CURVE)) == (
        "PersistenceLandscape(num_landscapes=3, resolution=10, sample_range=(-1.0, 1.1))"
    )
    assert repr(PersistenceEntropy(**CURVE, mode="vector", normalized=False)) == (
        "PersistenceEntropy(mode='vector', normalized=False, resolution=10,"
        " sample_range=(-1.0, 1.1))"
    )
    assert repr(Silhouette(**CURVE)) == "Silhouette(resolution=10, sample_range=(-1.0, 1.1))"
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
        (PersistenceLandscape, CURVE | {"num_landscapes": 0}, "`num_landscapes` is 0; expected"),
        (PersistenceEntropy, {"mode": "v"}, "`mode` is 'v'; expected"),
        (PersistenceEntropy, {"resolution": 3}, "`resolution` is 3 in mode 'scalar'; expected"),
        (PersistenceEntropy, {"mode": "vector"}, "`resolution` is None; expected"),
        (LongestLifetimes, {"k": 0}, "`k` is 0; expected an integer of at least 1"),
        (ComplexPolynomial, {"threshold": 0}, "`threshold` is 0; expected an integer"),
        (
            ComplexPolynomial,
            {"threshold": 2, "polynomial_type": "r"},
            "`polynomial_type` is 'r'; expected 'R'",
        ),
        (TopologicalVector, {"threshold": -1}, "`threshold` is -1; expected an integer"),
        (HeatKernel, CURVE | {"bandwidth": 0}, "`bandwidth` is 0; expected"),
        (Silhouette, CURVE | {"power": 0}, "`power` is 0; expected"),
        (Silhouette, CURVE | {"weight": 1}, "`weight` is 1; expected None or"),
        (BettiCurve, CURVE | {"sample_range": (1, 0)}, "`sample_range` is"),
    ],
)
def test_mistakes_are_found_at_construction(layer, options, message):
    with pytest.raises(InputError, match="^" + message):
        layer(**options)


@pytest.mark.parametrize(("layer", "function", "options"), CASES + BARE)
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
