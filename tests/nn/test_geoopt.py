"""Points as parameters of geoopt, which its optimisers keep on their manifold."""

import pytest
import torch

from topoml.lie import SPD, Sphere, Stiefel
from topoml.nn import BiMap, FrechetMeanPool, LogEig

from .equivariant import generator, randn

geoopt = pytest.importorskip("geoopt")


def descend(parameter, loss, steps, rate):
    optimiser = geoopt.optim.RiemannianSGD([parameter], lr=rate)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(parameter).backward()
        optimiser.step()
    return parameter.detach()


def test_mean_on_the_sphere():
    """The least sum of our squared distances, by its optimiser, is our mean."""
    base = Sphere(2).random_haar(1, generator=generator(0), dtype=torch.float64)
    v = Sphere(2).to_tangent(0.4 * randn(6, 3), base)
    x = Sphere(2).exp(v, base.expand(6, 3))
    start = geoopt.ManifoldParameter(x[0].clone(), manifold=geoopt.Sphere())
    found = descend(start, lambda y: (Sphere(2).distance(x, y) ** 2).mean(), 100, 0.5)
    Sphere(2).check("found", found)
    torch.testing.assert_close(found, FrechetMeanPool(Sphere(2), 40)(x), rtol=0, atol=1e-9)


def test_mean_of_positive_matrices():
    x = SPD(3).random(6, scale=0.5, generator=generator(1), dtype=torch.float64)
    start = geoopt.ManifoldParameter(x[0].clone(), manifold=geoopt.SymmetricPositiveDefinite())
    found = descend(start, lambda y: (SPD(3).distance(x, y) ** 2).mean(), 100, 0.3)
    torch.testing.assert_close(found, FrechetMeanPool(SPD(3), 40)(x), rtol=0, atol=1e-8)


def test_layers_of_positive_matrices():
    """A frame as the weight of BiMap: it stays one, and the loss falls."""
    X = SPD(4).random(8, scale=0.5, generator=generator(2), dtype=torch.float64)
    frame = torch.linalg.qr(randn(4, 2, seed=3)).Q
    weight = geoopt.ManifoldParameter(frame.clone(), manifold=geoopt.Stiefel())
    layer = BiMap(4, 2).double()

    def loss(w):
        reduced = w.mT @ X @ w
        return -LogEig()(reduced).diagonal(dim1=-2, dim2=-1).sum(-1).mean()

    before = loss(weight).item()
    found = descend(weight, loss, 200, 0.1)
    Stiefel(4, 2).check("found", found)
    assert loss(found) < before - 0.05
    layer.weight = found.mT
    torch.testing.assert_close(layer(X), found.mT @ X @ found, rtol=0, atol=1e-12)
