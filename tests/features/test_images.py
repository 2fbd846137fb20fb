"""persistence_image against gudhi, against the definition, and one sample against its batch."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from gudhi.representations import PersistenceImage
from hypothesis import given

from topoml._core.errors import InputError
from topoml.features import persistence_image
from topoml.homology import cubical_persistence
from topoml.kernels.elementwise import exp

from .made import diagrams, made, of_sample, random_samples

EPS = torch.finfo(torch.float64).eps
OPTIONS = {"bandwidth": 0.3, "resolution": (5, 7), "im_range": (-1.5, 1.0, 0.0, 1.25)}


def by_gudhi(d, options):
    """(n, width) of a batch (n,); a superlevel class (b, d) is given as one of equal lifetime."""
    image = PersistenceImage(
        bandwidth=options["bandwidth"],
        resolution=list(options["resolution"]),
        im_range=list(options["im_range"]),
        weight=lambda p: p[1],
    )
    rows = []
    for i in range(len(d)):
        for k in d.homology_dimensions:
            points, _ = of_sample(d, i, k)
            if d.superlevel:
                points = np.stack([points[:, 0], 2 * points[:, 0] - points[:, 1]], 1)
            empty = np.zeros(math.prod(options["resolution"]))
            rows.append(image(points) if len(points) else empty)
    return np.stack(rows).reshape(len(d), -1)


@given(diagrams())
def test_equals_gudhi(d):
    ours, theirs = persistence_image(d, **OPTIONS), by_gudhi(d, OPTIONS)
    # 30 classes of weight and Gaussian at most 1.5 and 1 / (2 pi s^2) = 1.8, a few roundings each
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=30 * 1.5 * 1.8 * 10 * EPS)


def definition(d, bandwidth, resolution, im_range, weight=lambda b, l: l):  # noqa: E741
    """The sum of the docstring, term by term; shape (n, blocks, rows, columns)."""
    (nx, ny), (x0, x1, y0, y1) = resolution, im_range
    out = np.zeros((len(d), len(d.homology_dimensions), ny, nx))
    for i, k, (b, e) in zip(d.sample, d.dimension, d.points.tolist(), strict=True):
        life = b - e if d.superlevel else e - b
        for row in range(ny):
            for column in range(nx):
                x = x0 + (x1 - x0) * column / max(nx - 1, 1)
                y = y0 + (y1 - y0) * row / max(ny - 1, 1)
                r2 = (b - x) ** 2 + (life - y) ** 2
                out[i, d.homology_dimensions.index(int(k)), row, column] += (
                    weight(b, life)
                    * math.exp(-r2 / (2 * bandwidth**2))
                    / (2 * math.pi * bandwidth**2)
                )
    return out


@pytest.mark.parametrize("superlevel", [False, True])
@pytest.mark.parametrize("resolution", [(1, 1), (1, 4), (9, 2), (16, 17)])
def test_equals_the_definition(superlevel, resolution):
    rng = np.random.default_rng(0)
    samples = random_samples(rng, 3, superlevel=superlevel)
    d = made(samples, homology_dimensions=(1, 0), superlevel=superlevel)
    options = {"bandwidth": 0.2, "resolution": resolution, "im_range": (-0.5, 0.75, 0.1, 0.9)}
    image = persistence_image(d, **options, weight=lambda b, l: l**2 * (2 + b))  # noqa: E741
    expected = definition(d, *options.values(), lambda b, l: l**2 * (2 + b))  # noqa: E741
    np.testing.assert_allclose(image.reshape(expected.shape), expected, rtol=1e-12, atol=1e-14)


def test_layout():
    """One class in H1: its block is the second, its row the lifetime, its column the birth."""
    d = made([[(1, 2.0, 5.0)]])
    image = persistence_image(d, bandwidth=0.1, resolution=(6, 4), im_range=(0, 5, 0, 3))
    at = int(image.argmax())
    assert at == 24 + 3 * 6 + 2
    assert float(image[0, at]) == pytest.approx(3 / (2 * math.pi * 0.01))
    swapped = persistence_image(
        made([[(1, 2.0, 5.0)]], homology_dimensions=(1, 0)),
        bandwidth=0.1, resolution=(6, 4), im_range=(0, 5, 0, 3),
    )  # fmt: skip
    assert torch.equal(swapped, image.roll(-24, 1))


def test_exponential_function():
    x = np.concatenate([-np.logspace(-300, np.log10(708), 5000), -np.arange(708.0), [0.0, -0.0]])
    ours = np.array([exp(v) for v in x])
    np.testing.assert_array_less(np.abs(ours / np.exp(x) - 1), 3 * EPS)
    assert [exp(v) for v in (-708.5, -745.0, -1e10, -1e300, -math.inf)] == [0.0] * 5


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("resolution", [(5, 7), (20, 20)])
@pytest.mark.parametrize("weight", [None, lambda b, l: torch.exp(l) / (1 + b**2)])  # noqa: E741
def test_sample_does_not_depend_on_its_batch(dtype, resolution, weight):
    """Bit for bit, values and gradients: alone, among others, and in another order."""
    rng = np.random.default_rng(1)
    samples = random_samples(rng, 12, 70)
    options = OPTIONS | {"resolution": resolution, "weight": weight}
    grad = torch.from_numpy(rng.normal(size=(12, 2 * math.prod(resolution)))).to(dtype)

    def run(chosen):
        d = made([samples[i] for i in chosen], dtype=dtype)
        d.points.requires_grad_()
        image = persistence_image(d, **options)
        image.backward(grad[chosen])
        return image.detach(), [d.points.grad[d.sample == i] for i in range(len(chosen))]

    together, gradients = run(list(range(12)))
    for chosen in ([3, 1, 11, 3, 7], *([i] for i in range(12))):
        image, parts = run(chosen)
        assert torch.equal(image, together[chosen])
        for part, i in zip(parts, chosen, strict=True):
            assert torch.equal(part, gradients[i])


@pytest.fixture
def _two_threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads(2)
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_two_threads")
@pytest.mark.parametrize("sizes", [(300,) * 80, (24_000, 5), (5, 24_000), (24_000,)])
def test_threads_do_not_change_bits(sizes, monkeypatch):
    rng = np.random.default_rng(2)
    samples = [[(1, *row) for row in np.cumsum(rng.random((n, 2)), 1)] for n in sizes]
    d = made(samples)
    d.points.requires_grad_()
    options = {"bandwidth": 0.1, "resolution": (16, 16), "im_range": (0, 1, 0, 1)}

    def run():
        image = persistence_image(d, **options)
        return image, torch.autograd.grad(image.sin().sum(), d.points)[0]

    pooled = run()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    for ours, theirs in zip(pooled, run(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_dtype(dtype):
    """dtype in = dtype out; the image of the rounded points, rounded once."""
    d = made(random_samples(np.random.default_rng(3), 4), dtype=dtype)
    image = persistence_image(d, **OPTIONS)
    exact = persistence_image(d.to(torch.float64), **OPTIONS)
    assert image.dtype == dtype
    eps = torch.finfo(dtype).eps
    if dtype == torch.float32:  # lifetimes are rounded too
        assert (image.double() - exact).abs().max() <= 10 * eps * exact.max()
    else:
        assert ((image.double() - exact).abs() <= eps * exact + 1e-6).all()


@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (1, 2, 3, 1)])
def test_batch_shapes(shape):
    n = math.prod(shape)
    samples = random_samples(np.random.default_rng(4), n)
    image = persistence_image(made(samples, batch_shape=shape), **OPTIONS)
    assert image.shape == (*shape, 2 * 35)
    assert torch.equal(image.reshape(n, -1), persistence_image(made(samples), **OPTIONS))


def test_empty():
    """Samples without classes give zeros, also if all are so, and a batch may have no sample."""
    d = made([[], [(0, 0.0, 1.0)], []])
    image = persistence_image(d, **OPTIONS)
    assert not image[[0, 2]].any()
    assert image[1, :35].all()
    assert not image[1, 35:].any()
    d = made([[], [(0, 0.0, math.inf)]])  # essential classes are left out
    d.points.requires_grad_()
    image = persistence_image(d, **OPTIONS)
    assert torch.equal(image, torch.zeros(2, 70, dtype=torch.float64))
    image.sum().backward()
    assert d.points.grad.shape == (0, 2)
    assert persistence_image(d[:0], **OPTIONS).shape == (0, 70)
    assert persistence_image(d, **OPTIONS, weight=lambda b, l: l).shape == (2, 70)  # noqa: E741


def test_capped_classes_count():
    d = made([[(0, 0.0, math.inf)]])
    assert torch.equal(
        persistence_image(d.capped(1.0), **OPTIONS),
        persistence_image(made([[(0, 0.0, 1.0)]]), **OPTIONS),
    )


@pytest.mark.parametrize("superlevel", [False, True])
def test_gradcheck(superlevel):
    samples = random_samples(np.random.default_rng(5), 3, 12, superlevel=superlevel)
    d = made(samples, superlevel=superlevel)
    power = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)

    def image(points, power):
        moved = replace(d, points=points)
        weighted = persistence_image(
            moved,
            **OPTIONS,
            weight=lambda b, l: (0.1 + l) ** power * (2 + b),  # noqa: E741
        )
        return persistence_image(moved, **OPTIONS), weighted

    assert torch.autograd.gradcheck(image, (d.points.clone().requires_grad_(), power))


def test_gradient_reaches_the_field():
    g = torch.Generator().manual_seed(6)
    x = torch.randn(2, 5, 6, dtype=torch.float64, generator=g, requires_grad=True)

    def image(x):
        d = cubical_persistence(x, homology_dimensions=(0, 1), periodic=True)
        return persistence_image(d, **OPTIONS)

    assert torch.autograd.gradcheck(image, x)


@pytest.mark.parametrize(
    "classes",
    [
        [(0, 0.25, 0.25)],
        [(0, 1e200, 2e200), (1, -1e300, 1e300)],
        [(0, -math.inf, 0.0), (0, 0.0, 1.0)],
    ],
    ids=["on the diagonal", "far away", "born at -inf"],
)
def test_gradient_is_finite(classes):
    d = made([classes])
    d.points.requires_grad_()
    image = persistence_image(d, **OPTIONS)
    image.sum().backward()
    assert image.isfinite().all()
    assert d.points.grad.isfinite().all()


def test_class_born_at_minus_infinity_leaves_no_trace():
    d = made([[(0, -math.inf, 0.0), (0, 0.0, 1.0)], [(1, 0.5, 1.0)]])
    expected = made([[(0, 0.0, 1.0)], [(1, 0.5, 1.0)]])
    assert torch.equal(persistence_image(d, **OPTIONS), persistence_image(expected, **OPTIONS))


def test_second_derivative():
    d = made([[(0, 0.0, 0.5), (1, 0.25, 1.0)], [(0, -0.5, 0.25)]])
    power = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    options = OPTIONS | {"resolution": (3, 2)}

    def image(points, power):
        moved = replace(d, points=points)
        weighted = persistence_image(moved, **options, weight=lambda b, l: (0.1 + l) ** power)  # noqa: E741
        return persistence_image(moved, **options), weighted

    assert torch.autograd.gradgradcheck(image, (d.points.clone().requires_grad_(), power))
    assert torch.autograd.gradgradcheck(lambda power: image(d.points, power)[1], power)


def test_weight_sees_one_diagram_at_a_time():
    seen = []

    def weight(birth, lifetime):
        seen.append((birth.tolist(), lifetime.tolist()))
        return lifetime / lifetime.sum()

    d = made([[(0, 0.0, 1.0), (0, 0.5, 1.0), (1, 0.25, 0.5)], [], [(1, 0.0, 2.0)]])
    image = persistence_image(d, **OPTIONS, weight=weight)
    assert seen == [([0.0, 0.5], [1.0, 0.5]), ([0.25], [0.25]), ([0.0], [2.0])]
    ones = persistence_image(d, **OPTIONS, weight=lambda b, l: torch.ones_like(l))  # noqa: E741
    assert torch.equal(image[0, 35:], ones[0, 35:])  # a diagram of one class has weight 1


GOOD = made([[(0, 0.0, 1.0)]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"diagrams": GOOD.points}, r"`diagrams` is Tensor; expected topoml.homology.Diagrams"),
        ({"bandwidth": 0.0}, r"`bandwidth` is 0.0; expected a number above 0"),
        ({"bandwidth": -1}, r"`bandwidth` is -1;"),
        ({"bandwidth": math.nan}, r"`bandwidth` is nan;"),
        ({"bandwidth": math.inf}, r"`bandwidth` is inf;"),
        ({"bandwidth": 1e-200}, r"`bandwidth` is 1e-200;"),
        ({"bandwidth": "1"}, r"`bandwidth` is '1';"),
        ({"bandwidth": True}, r"`bandwidth` is True;"),
        ({"resolution": 20}, r"`resolution` is 20; expected two integers of at least 1"),
        ({"resolution": (20,)}, r"`resolution` is \(20,\);"),
        ({"resolution": (20, 0)}, r"`resolution` is \(20, 0\);"),
        ({"resolution": (20.0, 20)}, r"`resolution` is \(20.0, 20\);"),
        ({"resolution": (True, 20)}, r"`resolution` is \(True, 20\);"),
        ({"im_range": (0, 1)}, r"`im_range` is \(0, 1\); expected four finite numbers"),
        ({"im_range": (0, 1, 0, math.nan)}, r"`im_range` is \(0, 1, 0, nan\); expected four"),
        ({"im_range": (0, 1, 0, math.inf)}, r"`im_range` is \(0, 1, 0, inf\); expected four"),
        ({"im_range": "0123"}, r"`im_range` is '0123'; expected four"),
        ({"im_range": (1, 0, 0, 1)}, r"`im_range` is \(1, 0, 0, 1\); expected birth_min <"),
        ({"im_range": (0, 1, 1, 1)}, r"`im_range` is \(0, 1, 1, 1\); expected birth_min <"),
        ({"weight": 1.0}, r"`weight` is 1.0; expected None or a callable"),
        ({"weight": lambda b, l: 1}, r"`weight` returned int; expected floats of shape \(1,\)"),  # noqa: E741
        ({"weight": lambda b, l: l.sum()}, r"`weight` returned torch.float64 of shape \(\)"),  # noqa: E741
        ({"weight": lambda b, l: l > 0}, r"`weight` returned torch.bool of shape \(1,\)"),  # noqa: E741
    ],
)
def test_bad_input(change, message):
    arguments = {"diagrams": GOOD} | OPTIONS | change
    with pytest.raises(InputError, match="^" + message) as error:
        persistence_image(arguments.pop("diagrams"), **arguments)
    assert "\n" not in str(error.value)


def test_numpy_numbers_and_lists_are_numbers():
    image = persistence_image(
        GOOD,
        bandwidth=np.float32(0.5),
        resolution=[np.int64(1), 3],
        im_range=np.array([0.0, 0.0, 0.0, 1.0]),  # equal ends at a resolution of 1
    )
    assert image.shape == (1, 6)
