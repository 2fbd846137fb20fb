"""Kernels and heat distance against gudhi and the definition; Gram matrices in scikit-learn."""

import math

import numpy as np
import pytest
import torch
from gudhi.representations import (
    PersistenceFisherDistance,
    PersistenceFisherKernel,
    PersistenceScaleSpaceKernel,
    PersistenceWeightedGaussianKernel,
)
from hypothesis import given
from hypothesis import strategies as st
from sklearn.svm import SVC

from tests.features.made import diagrams, made, of_sample
from topoml.distances import (
    heat,
    pairwise,
    persistence_fisher,
    persistence_fisher_kernel,
    persistence_scale_space_kernel,
    persistence_weighted_gaussian_kernel,
    sliced_wasserstein_kernel,
)
from topoml.homology import cubical_persistence


def weight(birth, lifetime):
    return torch.atan(2 * lifetime**2) * (3 + birth)


CASES = {
    "scale-space": (
        persistence_scale_space_kernel, {"bandwidth": 0.7}, PersistenceScaleSpaceKernel(0.7)
    ),
    "weighted": (
        persistence_weighted_gaussian_kernel,
        {"bandwidth": 0.7, "weight": weight},
        PersistenceWeightedGaussianKernel(
            0.7, lambda p: math.atan(2 * (p[1] - p[0]) ** 2) * (3 + p[0])
        ),
    ),
    "lifetimes": (
        persistence_weighted_gaussian_kernel,
        {"bandwidth": 1.3},
        PersistenceWeightedGaussianKernel(1.3, lambda p: p[1] - p[0]),
    ),
    "fisher": (persistence_fisher, {"bandwidth": 0.4}, PersistenceFisherDistance(0.4)),
}  # fmt: skip


@pytest.mark.parametrize(("function", "options", "theirs"), CASES.values(), ids=CASES)
@given(d=diagrams(), seed=st.integers(0, 2**32))
def test_equals_gudhi(function, options, theirs, d, seed):
    """gudhi's takes no empty diagram, and classes above the diagonal: on it, which counts nothing,
    its scale-space kernel counts a class twice instead."""
    other = d[torch.from_numpy(np.random.default_rng(seed).permutation(len(d)))]
    ours = function(d, other, **options).tolist()
    for i, value in enumerate(ours):
        expected = 0.0
        for k in d.homology_dimensions:
            x, y = of_sample(d, i, k)[0], of_sample(other, i, k)[0]
            if function is persistence_scale_space_kernel:
                x, y = (z[z[:, 0] != z[:, 1]] for z in (x, y))
            if len(x) and len(y):
                if d.superlevel and function is persistence_weighted_gaussian_kernel:
                    return
                if d.superlevel:
                    x, y = x[:, ::-1], y[:, ::-1]
                expected += theirs(x, y)
            elif function is persistence_fisher:
                return
        # the angle of gudhi's is an arccos, which loses half the digits at 0
        tolerance = 1e-7 if function is persistence_fisher else 1e-12
        assert value == pytest.approx(expected, rel=1e-12, abs=tolerance)


def test_fisher_kernel_equals_gudhi():
    rng = np.random.default_rng(0)
    x, y = (np.cumsum(rng.random((n, 2)), 1) for n in (5, 7))
    a, b = (made([[(0, *row) for row in z]]) for z in (x, y))
    theirs = PersistenceFisherKernel(bandwidth_fisher=0.3, bandwidth=0.2)(x, y)
    ours = persistence_fisher_kernel(a, b, bandwidth_fisher=0.3, bandwidth=0.2)
    assert float(ours) == pytest.approx(theirs, rel=1e-12)


def test_fisher_of_one_class_and_none():
    r = math.exp(-1.0)  # |(1, 3) - (2, 2)|^2 / 2
    value = persistence_fisher(made([[(0, 1.0, 3.0)]]), made([[]]))
    assert float(value) == pytest.approx(math.acos(2 * math.sqrt(r) / (1 + r)), rel=1e-14)


def test_fisher_of_diagrams_far_apart():
    """Densities that underflow: the largest angle, and no NaN."""
    a, b = made([[(0, 0.0, 1e3)]]), made([[(0, 1e5, 1.1e5)]])
    a.points.requires_grad_()
    value = persistence_fisher(a, b)
    assert value.item() == pytest.approx(math.pi / 2, rel=1e-12)
    value.sum().backward()
    assert a.points.grad.isfinite().all()


def test_fisher_keeps_its_digits_near_zero():
    """Proportional to a small move, where arccos is 0 or noise."""
    values = []
    for move in (1e-6, 2e-6, 1e-9, 2e-9):
        b = made([[(0, 0.0, 1.0 + move), (0, 0.0, 2.0)]])
        values.append(float(persistence_fisher(made([[(0, 0.0, 1.0), (0, 0.0, 2.0)]]), b)))
    assert values[1] / values[0] == pytest.approx(2.0, rel=1e-5)
    assert values[3] / values[2] == pytest.approx(2.0, rel=1e-5)
    assert values[0] / values[2] == pytest.approx(1e3, rel=1e-5)


def temperature(points, sigma, grid):
    """The heat of Reininghaus et al. on a grid, with the diagonal at 0."""
    x, y = grid
    total = np.zeros(x.shape)
    for b, d in points:
        total += np.exp(-((x - b) ** 2 + (y - d) ** 2) / (4 * sigma))
        total -= np.exp(-((x - d) ** 2 + (y - b) ** 2) / (4 * sigma))
    return total / (4 * np.pi * sigma)


def test_heat_is_the_distance_of_temperatures():
    rng = np.random.default_rng(1)
    a, b = ([(k, x, x + rng.random()) for k in (0, 1, 0) for x in rng.random(2)] for _ in range(2))
    step, sigma = 0.02, 0.1
    axis = np.arange(-4, 6, step)
    grid = np.meshgrid(axis, axis, indexing="ij")
    above = grid[1] > grid[0]
    square = 0.0
    for k in (0, 1):
        first, second = (temperature([c[1:] for c in x if c[0] == k], sigma, grid) for x in (a, b))
        square += (((first - second) ** 2)[above]).sum() * step**2
    ours = heat(made([a]), made([b]), sigma=sigma)
    assert float(ours) == pytest.approx(math.sqrt(square), rel=1e-4)  # 0 on the diagonal: step^2


def test_heat_is_of_the_scale_space_kernel():
    d = made([[(0, 0.0, 1.0), (1, 0.5, 1.5)], [(0, 0.25, 0.75)]])
    sigma = 0.3
    width = 2 * math.sqrt(sigma)
    k = pairwise(d, d, distance=persistence_scale_space_kernel, bandwidth=width)
    square = (k[0, 0] + k[1, 1] - 2 * k[0, 1]) / (math.sqrt(2 * math.pi) * width)
    torch.testing.assert_close(heat(d[0], d[1], sigma=sigma), square.sqrt(), rtol=1e-12, atol=0)


GRAM = {
    "scale-space": (persistence_scale_space_kernel, {"bandwidth": 0.5}),
    "weighted": (persistence_weighted_gaussian_kernel, {"bandwidth": 0.5}),
    "fisher": (persistence_fisher_kernel, {"bandwidth_fisher": 0.5}),
    "sliced": (sliced_wasserstein_kernel, {"bandwidth": 20.0}),
}


@pytest.fixture(scope="module")
def fields():
    """Diagrams of rough and of smooth fields of one mean and variance, and their labels."""
    g = torch.Generator().manual_seed(2)
    noise = torch.randn(60, 12, 12, dtype=torch.float64, generator=g)
    smooth = sum(noise[:30].roll((i, j), (1, 2)) for i in (0, 1, 2) for j in (0, 1, 2))
    x = torch.cat([smooth, noise[30:]])
    x = (x - x.mean((1, 2), keepdim=True)) / x.std((1, 2), keepdim=True)
    d = cubical_persistence(x, homology_dimensions=(0, 1), periodic=True)
    order = torch.randperm(60, generator=g)
    return d[order], (order < 30).numpy()


@pytest.mark.parametrize(("kernel", "options"), GRAM.values(), ids=GRAM)
def test_gram_matrix_in_a_support_vector_machine(fields, kernel, options):
    d, label = fields
    gram = pairwise(d[:40], d[:40], distance=kernel, **options).numpy()
    if kernel is not persistence_fisher_kernel:  # which is not quite positive definite
        least, greatest = np.linalg.eigvalsh(gram)[[0, -1]]
        assert least > -1e-12 * greatest
    machine = SVC(kernel="precomputed").fit(gram, label[:40])
    held_out = pairwise(d[40:], d[:40], distance=kernel, **options).numpy()
    assert machine.score(held_out, label[40:]) > 0.9
    shuffled = np.random.default_rng(3).permutation(label[:40])  # the control learns nothing
    control = SVC(kernel="precomputed").fit(gram, shuffled)
    assert control.score(held_out, label[40:]) < 0.9
