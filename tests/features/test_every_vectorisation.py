"""What every fixed vectorisation keeps to: batches, order, dtype, empties, finite gradients."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given

from topoml import features
from topoml._core.errors import InputError
from topoml.features import _rows

from .made import diagrams, made, random_samples

CURVE = {"resolution": 9, "sample_range": (-1.25, 1.5)}
CASES = {
    "betti_curve": CURVE,
    "euler_curve": CURVE,
    "persistence_landscape": CURVE | {"num_landscapes": 3},
    "persistence_entropy": {},
    "persistence_entropy on a grid": CURVE | {"mode": "vector"},
    "persistence_entropy not normalized": CURVE | {"mode": "vector", "normalized": False},
    "silhouette": CURVE,
    "silhouette of power 2.5": CURVE | {"power": 2.5},
    "silhouette of power 0.5": CURVE | {"power": 0.5},
    "longest_lifetimes": {"k": 4},
    "topological_vector": {"threshold": 5},
    "persistence_statistics": {},
    "complex_polynomial": {"threshold": 4},
    "complex_polynomial S": {"threshold": 4, "polynomial_type": "S"},
    "complex_polynomial T": {"threshold": 4, "polynomial_type": "T"},
    "heat_kernel": CURVE | {"bandwidth": 0.4, "resolution": 5},
    "silhouette weighted": CURVE | {"weight": lambda b, l: 0.1 + torch.sigmoid(l - b)},  # noqa: E741
}
SMOOTH = [name for name in CASES if name not in ("betti_curve", "euler_curve")]


def function_of(name):
    function, options = getattr(features, name.partition(" ")[0]), CASES[name]
    return lambda d: function(d, **options)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_sample_does_not_depend_on_its_batch(name, dtype):
    """Bit for bit, values and gradients: alone, among others, and in another order."""
    f = function_of(name)
    rng = np.random.default_rng(1)
    samples = random_samples(rng, 12, 70)
    grad = None

    def run(chosen):
        nonlocal grad
        d = made([samples[i] for i in chosen], dtype=dtype)
        d.points.requires_grad_()
        y = f(d)
        if not y.requires_grad:
            return y, [torch.zeros(0)] * len(chosen)
        if grad is None:
            grad = torch.from_numpy(rng.normal(size=y.shape)).to(dtype)
        y.backward(grad[chosen])
        return y.detach(), [d.points.grad[d.sample == i] for i in range(len(chosen))]

    together, gradients = run(list(range(12)))
    assert together.dtype == dtype
    assert together.isfinite().all()
    for chosen in ([3, 1, 11, 3, 7], *([i] for i in range(12))):
        y, parts = run(chosen)
        assert torch.equal(y, together[chosen])
        for i, part in zip(chosen, parts, strict=True):
            assert torch.equal(part, gradients[i])


@pytest.mark.parametrize("name", CASES)
def test_threads_do_not_matter(name, monkeypatch):
    """Cuts for 4 threads fall between blocks, and change no bit."""
    monkeypatch.setattr(_rows, "_A_THREAD", 1)
    f = function_of(name)
    n, rng = 400, np.random.default_rng(2)
    sizes = [n // 2, 0, n // 4, n // 8, n // 8]
    samples = [
        [(int(k), b, b + e) for k, b, e in zip(rng.integers(2, size=m), *rng.random((2, m)))]  # noqa: B905
        for m in sizes
    ]
    d = made(samples)
    d.points.requires_grad_()

    def run():
        y = f(d)
        return y, torch.autograd.grad(y.sin().sum(), d.points)[0] if y.requires_grad else y

    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    pooled = run()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    for ours, theirs in zip(pooled, run(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", CASES)
@given(d=diagrams())
def test_order_of_the_classes_does_not_matter(name, d):
    f = function_of(name)
    order = torch.argsort(torch.rand(len(d.points), generator=torch.Generator().manual_seed(0)))
    order = order[torch.argsort(d.dimension[order], stable=True)]
    order = order[torch.argsort(d.sample[order], stable=True)]
    shuffled = replace(d, points=d.points[order], dimension=d.dimension[order])
    y = f(d)
    assert y.isfinite().all()
    # sums and products of up to 30 terms
    torch.testing.assert_close(f(shuffled), y, rtol=1e-12, atol=1e-13 * float(y.abs().max()))


@pytest.mark.parametrize("name", CASES)
@given(d=diagrams())
def test_blocks_are_those_of_each_dimension(name, d):
    """One block a dimension, in their order; essential classes only where they are counted."""
    if name == "euler_curve":
        return
    f = function_of(name)
    apart = torch.cat([f(d.select(k)) for k in d.homology_dimensions], 1)
    assert torch.equal(f(d), apart)
    if name != "betti_curve":
        none = replace(
            d,
            essential=d.essential[:0],
            essential_dimension=d.essential_dimension[:0],
            essential_sample=d.essential_sample[:0],
            essential_index=d.essential_index[:0],
        )
        assert torch.equal(f(none), f(d))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (1, 2, 3, 1)])
def test_batch_shapes(name, shape):
    f = function_of(name)
    samples = random_samples(np.random.default_rng(4), math.prod(shape))
    flat = f(made(samples))
    y = f(made(samples, batch_shape=shape))
    assert y.shape == (*shape, flat.shape[1])
    assert torch.equal(y.reshape(flat.shape), flat)


@pytest.mark.parametrize("name", CASES)
def test_dtype(name):
    """The result for the rounded points, rounded once."""
    f = function_of(name)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        d = made(random_samples(np.random.default_rng(3), 4), dtype=dtype)
        y, exact = f(d), f(d.to(torch.float64))
        assert y.dtype == dtype
        eps = torch.finfo(dtype).eps  # grids and differences of the points are rounded, too
        scale = float(exact.abs().max())
        if name == "betti_curve" or name == "euler_curve":
            continue
        assert (y.double() - exact).abs().max() <= 30 * eps * scale


@pytest.mark.parametrize("name", CASES)
def test_empty(name):
    """Samples without classes give zeros, also if all are so, and a batch may have no sample."""
    f = function_of(name)
    d = made([[], [(0, 0.0, 1.0), (0, 0.25, 1.25), (0, 0.5, 1.0)], []])
    y = f(d)
    assert not y[[0, 2]].any()
    assert y[1].any()
    assert not f(d[::2]).any()
    assert f(d[:0]).shape == (0, y.shape[1])
    empty = d[::2]
    empty.points.requires_grad_()
    y = f(empty)
    if y.requires_grad:
        y.sum().backward()
        assert empty.points.grad.shape == (0, 2)


EXTREME = {
    "on the diagonal": [(0, 0.25, 0.25), (0, 0.5, 0.5), (1, 0.0, 0.0)],
    "twice the same": [(0, 0.0, 1.0), (0, 0.0, 1.0), (1, 0.25, 0.25), (1, 0.25, 0.25)],
    "at the origin": [(0, 0.0, 0.0), (0, 0.0, 1.0), (1, 0.0, 5e-324)],
    "far away": [(0, 1e200, 2e200), (0, 0.0, 1.0), (1, -1e300, 1e300)],
    "born at -inf": [(0, -math.inf, 0.0), (0, 0.0, 1.0), (1, -math.inf, 0.0)],
    "tiny": [(0, 1e-300, 2e-300), (0, 0.0, 1e-310), (1, 0.0, 5e-324)],
}


@pytest.mark.parametrize("extreme", EXTREME)
@pytest.mark.parametrize("name", SMOOTH)
def test_gradient_is_finite(name, extreme):
    d = made([EXTREME[extreme], [(0, 0.0, 1.0)]])
    d.points.requires_grad_()
    y = function_of(name)(d)
    y.backward(torch.ones_like(y) + torch.arange(y.shape[1]) / 7)
    assert not y.isnan().any()
    assert not d.points.grad.isnan().any()
    if extreme != "far away":  # where powers of the values overflow
        assert y.isfinite().all()
        assert d.points.grad.isfinite().all()


@pytest.mark.parametrize("name", CASES)
def test_class_born_at_minus_infinity_leaves_no_trace(name):
    if name in ("betti_curve", "euler_curve"):
        return
    f = function_of(name)
    d = made([[(0, -math.inf, 0.0), (0, 0.0, 1.0)], [(1, 0.5, 1.0), (1, -math.inf, 3.0)], []])
    assert torch.equal(f(d), f(made([[(0, 0.0, 1.0)], [(1, 0.5, 1.0)], []])))


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("superlevel", [False, True])
def test_gradcheck(name, superlevel):
    f = function_of(name)
    samples = random_samples(np.random.default_rng(5), 3, 12, superlevel=superlevel)
    d = made(samples, superlevel=superlevel)
    points = d.points.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda p: f(replace(d, points=p)), points)
    if name.partition(" ")[0] != "complex_polynomial":
        assert torch.autograd.gradgradcheck(
            lambda p: f(replace(d, points=p)), points, fast_mode=True
        )


@pytest.mark.parametrize("name", CASES)
def test_many_classes(name):
    n, rng = 100_000, np.random.default_rng(6)
    points = torch.from_numpy(rng.random((n, 2)).cumsum(1)).requires_grad_()
    one = made([[(0, 0.0, 1.0)] * 1])
    number = torch.zeros(n, dtype=torch.int64)
    d = replace(
        one, points=points, dimension=number, sample=number,
        birth_index=number - 1, death_index=number - 1,
    )  # fmt: skip
    y = function_of(name)(d)
    assert not y.isnan().any()
    if y.requires_grad:
        y[..., :2].sum().backward()
        assert not points.grad.isnan().any()


@pytest.mark.parametrize("name", CASES)
def test_other_input_is_refused(name):
    with pytest.raises(InputError, match=r"^`diagrams` is Tensor; expected topoml.homology"):
        function_of(name)(torch.zeros(3, 2))
