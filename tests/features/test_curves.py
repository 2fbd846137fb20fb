"""betti_curve and euler_curve against gudhi, the definitions, and components counted by scipy."""

import math

import numpy as np
import pytest
import torch
from gudhi.representations import BettiCurve
from hypothesis import given
from scipy import ndimage

from topoml._core.errors import InputError
from topoml.features import betti_curve, euler_curve
from topoml.homology import cubical_persistence

from .made import diagrams, made, of_sample, random_samples

OPTIONS = {"resolution": 9, "sample_range": (-2.0, 2.0)}  # a grid of halves: ties with the points


@given(diagrams())
def test_equals_gudhi(d):
    """A superlevel diagram is the sublevel one of the negated field on the negated grid."""
    grid = np.linspace(*OPTIONS["sample_range"], OPTIONS["resolution"])
    sign = -1.0 if d.superlevel else 1.0
    theirs = []
    for i in range(len(d)):
        for k in d.homology_dimensions:
            finite, essential = of_sample(d, i, k)
            infinite = np.stack([sign * essential, np.full(len(essential), np.inf)], 1)
            rows = np.concatenate([sign * finite, infinite])
            curve = BettiCurve(predefined_grid=np.sort(sign * grid)).fit([rows]).transform([rows])
            theirs.append(curve[0][:: int(sign)])
    ours = betti_curve(d, **OPTIONS)
    assert ours.tolist() == np.reshape(theirs, (len(d), -1)).tolist()


@given(diagrams(dtype=torch.float32))
def test_equals_the_definition(d):
    grid = torch.linspace(-2, 2, 9)
    curve = betti_curve(d, **OPTIONS).reshape(len(d), -1, 9)
    for i in range(len(d)):
        for j, k in enumerate(d.homology_dimensions):
            finite, essential = of_sample(d, i, k)
            for t, count in zip(grid.tolist(), curve[i, j].tolist(), strict=True):
                if d.superlevel:
                    expected = sum(e < t <= b for b, e in finite) + sum(t <= b for b in essential)
                else:
                    expected = sum(b <= t < e for b, e in finite) + sum(b <= t for b in essential)
                assert count == expected


@pytest.mark.parametrize("superlevel", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_counts_the_components_of_level_sets(superlevel, dtype):
    """{x <= t} holds its threshold: integer fields, thresholds that are values."""
    x = torch.randint(0, 6, (4, 9, 11), generator=torch.Generator().manual_seed(0)).to(dtype)
    d = cubical_persistence(x, homology_dimensions=(0, 1), superlevel=superlevel)
    curve = betti_curve(d, resolution=13, sample_range=(0, 6)).reshape(4, 2, 13)
    assert curve.dtype == dtype
    for sample, betti in zip(x.double().numpy(), curve.tolist(), strict=True):
        for i, t in enumerate(np.arange(13) / 2):
            level = sample >= t if superlevel else sample <= t
            outside = np.pad(~level, 1, constant_values=True)
            n_outside = ndimage.label(outside, np.ones((3, 3)))[1]
            assert betti[0][i] == ndimage.label(level)[1]
            assert betti[1][i] == n_outside - 1  # holes, by Alexander duality


@pytest.mark.parametrize("superlevel", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_counts_the_cells_of_level_sets(superlevel, dtype):
    """chi = vertices - edges + squares on a torus, where all three dimensions have classes."""
    x = torch.randint(0, 6, (2, 2, 7, 6), generator=torch.Generator().manual_seed(0)).to(dtype)
    options = {"periodic": True, "superlevel": superlevel}
    d = cubical_persistence(x, homology_dimensions=(2, 0, 1), **options)
    curve = euler_curve(d, resolution=13, sample_range=(0, 6))
    assert curve.dtype == dtype
    assert curve.shape == (2, 2, 13)
    highest = torch.minimum if superlevel else torch.maximum  # value at which a cell comes in
    along = highest(x, x.roll(1, 2)), highest(x, x.roll(1, 3))
    square = highest(along[0], along[0].roll(1, 3))
    for i, t in enumerate(np.arange(13) / 2):
        cells = [(y >= t if superlevel else y <= t).sum((2, 3)) for y in (x, *along, square)]
        assert torch.equal(curve[..., i].long(), cells[0] - cells[1] - cells[2] + cells[3])


def test_euler_curve_of_some_dimensions():
    d = made([[(0, 0.0, 1.0), (1, 0.0, 2.0), (2, 1.0, math.inf), (3, 0.5, 1.5)]],
        homology_dimensions=(3, 1, 0, 2))  # fmt: skip
    betti = betti_curve(d, **OPTIONS).reshape(4, 9)
    expected = betti[2] - betti[1] + betti[3] - betti[0]
    assert torch.equal(euler_curve(d, **OPTIONS)[0], expected)


def test_thresholds_are_rounded_to_the_dtype_of_the_points():
    """A birth at float32(0.1) is there at the threshold 0.1, although float32(0.1) > 0.1."""
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        d = made([[(0, 0.1, 0.3)]], dtype=dtype)
        curve = betti_curve(d, resolution=2, sample_range=(0.1, 0.3))
        assert curve[0, :2].tolist() == [1.0, 0.0]


@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (1, 2, 3, 1)])
def test_batch_shapes_and_single_samples(shape):
    n = math.prod(shape)
    samples = random_samples(np.random.default_rng(1), n)
    curve = betti_curve(made(samples, batch_shape=shape), **OPTIONS)
    assert curve.shape == (*shape, 18)
    for i, row in enumerate(curve.reshape(n, -1)):
        assert torch.equal(row, betti_curve(made([samples[i]], batch_shape=()), **OPTIONS))


def test_empty():
    d = made([[], [(0, 0.0, 1.0)], []], homology_dimensions=(1, 0))
    curve = betti_curve(d, **OPTIONS)
    assert curve.nonzero().tolist() == [[1, 9 + 4], [1, 9 + 5]]
    assert torch.equal(betti_curve(d[::2], **OPTIONS), torch.zeros(2, 18, dtype=torch.float64))
    assert betti_curve(d[:0], **OPTIONS).shape == (0, 18)


def test_infinite_values():
    d = made([[(0, -math.inf, 0.0), (0, -math.inf, math.inf)]])
    assert betti_curve(d, **OPTIONS)[0, :9].tolist() == [2.0] * 4 + [1.0] * 5
    d = made([[(0, math.inf, 0.0), (0, math.inf, -math.inf)]], superlevel=True)
    assert betti_curve(d, **OPTIONS)[0, :9].tolist() == [1.0] * 5 + [2.0] * 4


def test_no_gradient():
    d = made([[(0, 0.0, 1.0)]])
    d.points.requires_grad_()
    assert not betti_curve(d, **OPTIONS).requires_grad
    assert not euler_curve(d, **OPTIONS).requires_grad


GOOD = made([[(0, 0.0, 1.0)]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"diagrams": [GOOD]}, r"`diagrams` is list; expected topoml.homology.Diagrams"),
        ({"resolution": 0}, r"`resolution` is 0; expected an integer of at least 1"),
        ({"resolution": 1.5}, r"`resolution` is 1.5;"),
        ({"resolution": (3,)}, r"`resolution` is \(3,\);"),
        ({"sample_range": 1.0}, r"`sample_range` is 1.0; expected two finite numbers"),
        ({"sample_range": (0, math.nan)}, r"`sample_range` is \(0, nan\);"),
        ({"sample_range": (0, 1, 2)}, r"`sample_range` is \(0, 1, 2\);"),
        ({"sample_range": (1, 0)}, r"`sample_range` is \(1, 0\);"),
        ({"sample_range": (1, 1)}, r"`sample_range` is \(1, 1\);"),
    ],
)
def test_bad_input(change, message):
    arguments = {"diagrams": GOOD} | OPTIONS | change
    d = arguments.pop("diagrams")
    with pytest.raises(InputError, match="^" + message):
        euler_curve(d, **arguments)
    with pytest.raises(InputError, match="^" + message) as error:
        betti_curve(d, **arguments)
    assert "\n" not in str(error.value)
