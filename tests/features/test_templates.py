"""template_functions against the formulas, by barycentric interpolation for the polynomials."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from scipy.interpolate import BarycentricInterpolator

from topoml._core.errors import InputError
from topoml.features import template_functions

from .made import diagrams, made, of_sample, random_samples

TENT = {"function": "tent", "resolution": (4, 3), "im_range": (-1.0, 0.5, 0.125, 1.25)}
POLY = {"function": "interpolating", "resolution": (5, 4), "im_range": (-1.0, 0.75, 0.0, 1.0)}


def tents(b, life, resolution, im_range):
    """delta * |1 - max(|b / delta - k|, |l / delta - j|)|_+ after scaling of the axes."""
    (n, m), (x0, x1, y0, y1) = resolution, im_range
    dx, dy = (x1 - x0) / (n - 1), (y1 - y0) / m
    return [
        max(0.0, 1 - max(abs((b - x0) / dx - k), abs((life - y0) / dy - j)))
        for j in range(1, m + 1)
        for k in range(n)
    ]


def polynomials(b, life, resolution, im_range):
    (n, m), (x0, x1, y0, y1) = resolution, im_range
    if not (x0 <= b <= x1 and y0 <= life <= y1):
        return [0.0] * (n * m)
    lagrange = []
    for count, low, high, at in ((m, y0, y1, life), (n, x0, x1, b)):
        nodes = (low + high) / 2 - (high - low) / 2 * np.cos(np.pi * np.arange(count) / (count - 1))
        lagrange.append(np.abs(BarycentricInterpolator(nodes, np.eye(count))(at)))
    return np.outer(*lagrange).ravel()


@pytest.mark.parametrize(("basis", "options"), [(tents, TENT), (polynomials, POLY)])
@settings(max_examples=40)
@given(d=diagrams())
def test_equals_the_definition(basis, options, d):
    ours = template_functions(d, **options)
    size = math.prod(options["resolution"])
    for i in range(len(d)):
        expected = []
        for k in d.homology_dimensions:
            rows = [
                basis(b, abs(e - b), options["resolution"], options["im_range"])
                for b, e in of_sample(d, i, k)[0]
            ]
            expected.append(np.reshape(rows, (-1, size)).sum(0))
        np.testing.assert_allclose(ours[i], np.concatenate(expected), rtol=1e-11, atol=1e-11)


def test_tents_are_those_of_the_paper():
    """With d, delta and epsilon as in teaspoon's `tent`, whose order is births first."""
    d, delta, epsilon = 3, 0.4, 0.1
    points = [(0, 0.3, 0.9), (0, 0.1, 1.3), (0, 1.0, 1.2)]
    ours = template_functions(
        made([points], homology_dimensions=(0,)),
        resolution=(d + 1, d),
        im_range=(0, d * delta, epsilon, d * delta + epsilon),
    )
    expected = np.zeros((d, d + 1))
    for _, b, e in points:
        for j in range(1, d + 1):
            for i in range(d + 1):
                distance = max(abs(b - delta * i), abs(e - b - (delta * j + epsilon)))
                expected[j - 1, i] += max(0, delta - distance) / delta
    np.testing.assert_allclose(ours[0], expected.ravel(), rtol=1e-12, atol=1e-12)


def test_polynomials_interpolate():
    """1 at its own node, 0 at every other."""
    nodes = -np.cos(np.pi * np.arange(4) / 3)
    options = {"function": "interpolating", "resolution": (4, 4), "im_range": (-1, 1, 0, 2)}
    for k, b in enumerate(nodes):
        for j, life in enumerate(1 + nodes):
            d = made([[(0, b, b + life)]], homology_dimensions=(0,))
            values = template_functions(d, **options).reshape(4, 4)
            expected = np.zeros((4, 4))
            expected[j, k] = 1
            if values.any():  # life may round out of the rectangle
                np.testing.assert_allclose(values, expected, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("options", [TENT, POLY])
def test_sample_does_not_depend_on_its_batch(options, dtype):
    samples = [*random_samples(np.random.default_rng(1), 8, 70), []]
    d = made(samples, dtype=dtype)
    out = template_functions(d, **options)
    assert out.dtype == dtype
    for i in range(9):
        assert torch.equal(template_functions(d[i], **options), out[i])
    assert torch.equal(template_functions(d[[3, 1, 3]], **options), out[[3, 1, 3]])
    assert template_functions(d[:0], **options).shape == (0, out.shape[1])
    assert not out[8].any()


@pytest.mark.parametrize("superlevel", [False, True])
@pytest.mark.parametrize("options", [TENT, POLY])
def test_gradcheck(options, superlevel):
    d = made(random_samples(np.random.default_rng(2), 3, 9))
    if superlevel:
        birth, death = d.points.unbind(1)
        d = replace(d, points=torch.stack([birth, 2 * birth - death], 1), superlevel=True)
    run = lambda points: template_functions(replace(d, points=points), **options)  # noqa: E731
    assert torch.autograd.gradcheck(run, d.points.clone().requires_grad_())


@pytest.mark.parametrize("options", [TENT, POLY])
def test_gradient_is_finite(options):
    """At kinks, nodes, on the diagonal, outside and far away."""
    d = made([[(0, -1.0, -1.0), (0, -0.5, 0.0), (0, 9.0, 10.0), (1, 0.0, 1e300), (1, 0.5, 0.625),
               (0, -math.inf, 0.0)]])  # fmt: skip
    d.points.requires_grad_()
    out = template_functions(d, **options)
    out.sum().backward()
    assert out.isfinite().all()
    assert d.points.grad.isfinite().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"diagrams": 1}, "`diagrams` is int; expected"),
        ({"function": "hat"}, r"`function` is 'hat'; expected one of \('tent', 'interpolating'\)"),
        ({"resolution": 3}, "`resolution` is 3; expected two"),
        ({"resolution": (1, 3)}, r"`resolution` is \(1, 3\); expected at least \(2, 1\)"),
        (
            {"resolution": (2, 1), "function": "interpolating"},
            r"`resolution` is \(2, 1\); expected",
        ),
        ({"im_range": (0, 0, 0, 1)}, r"`im_range` is \(0, 0, 0, 1\); expected birth_min <"),
        ({"im_range": (0, 1, -1, 1)}, r"`im_range` is \(0, 1, -1, 1\); expected life_min >= 0"),
    ],
)
def test_bad_input(change, message):
    arguments = {"diagrams": made([[]])} | TENT | change
    with pytest.raises(InputError, match="^" + message):
        template_functions(arguments.pop("diagrams"), **arguments)
