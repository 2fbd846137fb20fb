"""What all distances and kernels promise: bits, batches, dtypes, empties, gradients, checks."""

import math
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.features.made import diagrams, made, random_samples
from topoml._core.errors import InputError
from topoml.distances import (
    bottleneck,
    heat,
    pairwise,
    persistence_fisher,
    persistence_fisher_kernel,
    persistence_scale_space_kernel,
    persistence_weighted_gaussian_kernel,
    sliced_wasserstein,
    sliced_wasserstein_kernel,
    wasserstein,
)
from topoml.homology import cubical_persistence

MATCHED = {
    "wasserstein": wasserstein,
    "wasserstein-1-2": partial(wasserstein, internal_p=2),
    "wasserstein-2-2": partial(wasserstein, order=2, internal_p=2),
    "wasserstein-3-1.5": partial(wasserstein, order=3, internal_p=1.5),
    "bottleneck": bottleneck,
    "sliced": sliced_wasserstein,
}
SMOOTH = {
    "fisher": persistence_fisher,
    "heat": heat,
    "scale-space": partial(persistence_scale_space_kernel, bandwidth=0.5),
    "weighted": partial(persistence_weighted_gaussian_kernel, bandwidth=0.5),
}
KERNELS = {
    "sliced-kernel": sliced_wasserstein_kernel,
    "fisher-kernel": persistence_fisher_kernel,
}
METRICS = {**MATCHED, "fisher": persistence_fisher, "heat": heat}
ALL = {**MATCHED, **SMOOTH, **KERNELS}


def each(functions):
    return pytest.mark.parametrize("distance", functions.values(), ids=functions)


def batch(n, seed=0, most=12, **options):
    """One essential class in each dimension of each sample, so that no distance is inf."""
    rng = np.random.default_rng(seed)
    samples = random_samples(rng, n, most, essential=False)
    return [[*s, (0, rng.normal(), math.inf), (1, rng.normal(), math.inf)] for s in samples]


@each(ALL)
def test_pair_does_not_depend_on_its_batch(distance):
    """Bit for bit, values and gradients: alone, among others, and in another order."""
    samples, others = batch(7, 1, 30), batch(7, 2, 30)
    weight = torch.from_numpy(np.random.default_rng(3).normal(size=7))

    def run(chosen):
        a, b = (made([of[i] for i in chosen]) for of in (samples, others))
        leaves = [x.requires_grad_() for d in (a, b) for x in (d.points, d.essential)]
        value = distance(a, b)
        grads = torch.autograd.grad(value, leaves, weight[chosen], allow_unused=True)
        of_points = [
            [g[d.sample == i] for i in range(len(chosen))]
            for g, d in zip(grads[::2], (a, b), strict=True)
        ]
        return value.detach(), of_points

    together, gradients = run(list(range(7)))
    assert together.isfinite().all()
    assert len(together.unique()) > 3
    for chosen in ([3, 1, 6, 3], *([i] for i in range(7))):
        value, of_points = run(chosen)
        assert torch.equal(value, together[chosen])
        for ours, theirs in zip(of_points, gradients, strict=True):
            for part, i in zip(ours, chosen, strict=True):
                assert torch.equal(part, theirs[i])


@pytest.fixture
def _two_threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads(2)
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_two_threads")
@each(ALL)
def test_threads_do_not_change_bits(distance, monkeypatch):
    a, b = made(batch(12, 4, 150)), made(batch(12, 5, 150))
    a.points.requires_grad_()

    def run():
        value = pairwise(a, b, distance=distance)
        return value, torch.autograd.grad(value.sin().sum(), a.points)[0]

    pooled = run()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    for ours, theirs in zip(pooled, run(), strict=True):
        assert torch.equal(ours, theirs)


@each(ALL)
def test_shapes_broadcast(distance):
    samples, others = batch(6, 6), batch(3, 7)
    a, b = made(samples, batch_shape=(2, 3)), made(others)
    value = distance(a, b)
    assert value.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            assert torch.equal(value[i, j], distance(a[i, j], b[j]))
    assert distance(a[0, 0], b[0]).shape == ()
    assert distance(a[:0], b).shape == (0, 3)


@each(ALL)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_dtype(distance, dtype):
    """dtype in = dtype out; the value of the rounded points, rounded once."""
    a, b = (made(batch(4, seed), dtype=dtype) for seed in (8, 9))
    value = distance(a, b)
    assert value.dtype == dtype
    exact = distance(a.to(torch.float64), b.to(torch.float64))
    assert torch.equal(value, exact.to(dtype))


@each(ALL)
def test_order_of_the_classes_is_irrelevant(distance):
    rng = np.random.default_rng(10)
    samples, others = batch(5, 11, 25), batch(5, 12, 25)
    shuffled = [[s[i] for i in rng.permutation(len(s))] for s in samples]
    value, other = distance(made(samples), made(others)), distance(made(shuffled), made(others))
    torch.testing.assert_close(other, value, rtol=1e-12, atol=1e-12)


@each(ALL)
def test_symmetric(distance):
    a, b = made(batch(5, 13)), made(batch(5, 14))
    torch.testing.assert_close(distance(a, b), distance(b, a), rtol=1e-12, atol=1e-12)


@each(METRICS)
@given(d=diagrams())
def test_zero_at_identical_diagrams_with_no_gradient(distance, d):
    """Heat is the difference of sums that are equal up to rounding: its root is 1e-8 of them."""
    points = d.points.clone().requires_grad_()
    essential = d.essential.clone().requires_grad_()
    moved = replace(d, points=points, essential=essential)
    value = distance(moved, d)
    assert value.abs().max() <= (1e-7 if distance is heat else 0.0) * (1 + len(points))
    assert (value >= 0).all()
    value.sum().backward()
    for x in (points, essential):
        assert x.grad is None or x.grad.isfinite().all()
        if distance is not heat:
            assert x.grad is None or not x.grad.any()


@each({**MATCHED, "heat": heat})
def test_triangle_inequality(distance):
    a, b, c = (made(batch(30, seed, 6)) for seed in (15, 16, 17))
    assert (distance(a, c) <= distance(a, b) + distance(b, c) + 1e-12).all()


@each(ALL)
@pytest.mark.parametrize("superlevel", [False, True])
def test_superlevel_is_the_mirror_image(distance, superlevel):
    """The superlevel diagrams of x are compared as the sublevel ones of -x."""
    g = torch.Generator().manual_seed(18)
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64, generator=g)
    up, down = (
        distance(
            *cubical_persistence(s * x, homology_dimensions=(0, 1), periodic=True, superlevel=u)
        )
        for s, u in ((1.0, True), (-1.0, False))
    )
    torch.testing.assert_close(up, down, rtol=1e-12, atol=1e-12)


@each(ALL)
def test_empty_diagrams(distance):
    none, one = made([[], []]), made([[(0, 0.0, 1.0)], []])
    one.points.requires_grad_()
    value = distance(none, one)
    assert value.isfinite().all()
    torch.testing.assert_close(distance(one, none), value, rtol=1e-12, atol=1e-12)
    (grad,) = torch.autograd.grad(value.sum(), one.points)
    assert grad.isfinite().all()
    assert distance(made([]), made([])).shape == (0,)
    if distance in METRICS.values():
        assert value[0] > 0
        assert value[1] == 0


@each(ALL)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([(0, 0.25, 0.25)], []),
        ([(0, 0.25, 0.25)] * 3, [(0, 0.5, 0.5)]),
        ([(0, 0.0, 1.0)] * 5, [(0, 0.0, 1.0)] * 3 + [(0, 1.0, 2.0)] * 2),
        ([(0, 0.0, 1.0), (1, 1e-300, 1e-290)], [(0, 0.0, 1.0), (1, 0.0, 1e-310)]),
        ([(0, 0.0, 1e150)], [(0, 1.0, 2e150), (0, -1e150, 1e150)]),
        ([(0, -math.inf, 0.0), (0, 0.0, 1.0)], [(0, -math.inf, 1.0), (0, 0.5, 1.0)]),
        ([(0, -math.inf, math.inf)], [(0, -math.inf, math.inf)]),
    ],
    ids=["diagonal", "diagonals", "ties", "tiny", "huge", "born at -inf", "-inf to inf"],
)
def test_gradient_is_finite(distance, first, second):
    a, b = made([first]), made([second])
    leaves = [x.requires_grad_() for d in (a, b) for x in (d.points, d.essential)]
    value = distance(a, b)
    assert value.isfinite().all()
    assert (value >= 0).all()
    for grad in torch.autograd.grad(value.sum(), leaves, allow_unused=True):
        assert grad is None or grad.isfinite().all()


@each(ALL)
@pytest.mark.parametrize("superlevel", [False, True])
def test_gradcheck(distance, superlevel):
    sign = -1.0 if superlevel else 1.0
    a, b = (
        made(
            [[(k, sign * x, sign * y) for k, x, y in s] for s in batch(3, seed, 6)],
            superlevel=superlevel,
        )
        for seed in (19, 20)
    )

    def run(points, essential, points_b, essential_b):
        return distance(
            replace(a, points=points, essential=essential),
            replace(b, points=points_b, essential=essential_b),
        )

    inputs = [x.clone().requires_grad_() for d in (a, b) for x in (d.points, d.essential)]
    assert torch.autograd.gradcheck(run, inputs)


@each(ALL)
def test_gradient_by_one_batch_on_both_sides(distance):
    """pairwise(a, a) shares one side, of which the gradient is that of both."""
    a = made(batch(4, 21))
    a.points.requires_grad_()
    copy = replace(a, points=a.points.view_as(a.points))
    shared, apart = pairwise(a, a, distance=distance), pairwise(a, copy, distance=distance)
    torch.testing.assert_close(shared, apart, rtol=1e-12, atol=1e-7)
    off = ~torch.eye(4, dtype=torch.bool)  # at distance 0 heat's rounding has a root of 1e-8
    grads = [torch.autograd.grad(m[off].sum(), a.points)[0] for m in (shared, apart)]
    torch.testing.assert_close(*grads, rtol=1e-9, atol=1e-9)
    direct = distance(a, a)
    torch.testing.assert_close(direct, shared.diagonal(), rtol=0, atol=0)


@each(ALL)
@given(seed=st.integers(0, 2**32), n=st.integers(0, 4), m=st.integers(0, 4))
def test_pairwise(distance, seed, n, m):
    a, b = made(batch(n, seed, 5)), made(batch(m, seed + 1, 5))
    matrix = pairwise(a, b, distance=distance)
    assert matrix.shape == (n, m)
    for i in range(n):
        for j in range(m):
            assert torch.equal(matrix[i, j], distance(a[i], b[j]))
    own = pairwise(a, a, distance=distance)
    assert torch.equal(own, own.T)
    for i in range(n):
        for j in range(i, n):
            assert torch.equal(own[i, j], distance(a[i], a[j]))


@each(ALL)
def test_pairwise_in_parts(distance, monkeypatch):
    a, b = made(batch(4, 22)), made(batch(5, 23))
    whole, own = pairwise(a, b, distance=distance), pairwise(a, a, distance=distance)
    monkeypatch.setattr(sys.modules["topoml.distances.pairwise"], "_TOGETHER", 3)
    assert torch.equal(pairwise(a, b, distance=distance), whole)
    assert torch.equal(pairwise(a, a, distance=distance), own)


GOOD = made([[(0, 0.0, 1.0)]])


@each(ALL)
@pytest.mark.parametrize(
    ("other", "message"),
    [
        (GOOD.points, r"`b` is Tensor; expected topoml.homology.Diagrams"),
        (GOOD.select(0), r"`b` has homology_dimensions \(0,\); expected \(0, 1\), that of `a`"),
        (replace(GOOD, superlevel=True), r"`b` has superlevel True; expected False"),
        (GOOD.to(torch.float32), r"`b` has dtype torch.float32; expected torch.float64"),
        (GOOD.to("meta"), r"`b` has device meta; expected cpu"),
        (made([[], []], batch_shape=(1, 2)), None),
        (made([[]] * 6, batch_shape=(2, 3)), None),
        (made([[(0, 0.0, math.nan)]]), r"`b` has births or deaths that are NaN"),
    ],
    ids=["type", "dimensions", "superlevel", "dtype", "device", "shape", "shape 2", "nan"],
)
def test_bad_diagrams(distance, other, message):
    a = GOOD
    if message is None:
        a = made([[]] * 4)
        message = r"`a` and `b` have batch shapes \(4,\) and \(.*\); expected shapes that broadcast"
        if other.batch_shape == (1, 2):
            a = made([[]] * 3)
            message = message.replace("4", "3")
    with pytest.raises(InputError, match="^" + message) as error:
        distance(a, other)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("distance", "options", "message"),
    [
        (wasserstein, {"order": 0.5}, r"`order` is 0.5; expected a number of at least 1\."),
        (wasserstein, {"order": math.inf}, r"`order` is inf;"),
        (wasserstein, {"order": math.nan}, r"`order` is nan;"),
        (wasserstein, {"order": "2"}, r"`order` is '2';"),
        (wasserstein, {"order": True}, r"`order` is True;"),
        (wasserstein, {"internal_p": 0.5}, r"`internal_p` is 0.5; .* at least 1, or inf\."),
        (sliced_wasserstein, {"num_directions": 1}, r"`num_directions` is 1; .* at least 2"),
        (sliced_wasserstein, {"num_directions": 2.5}, r"`num_directions` is 2.5;"),
        (sliced_wasserstein_kernel, {"bandwidth": 0}, r"`bandwidth` is 0; expected a number above"),
        (persistence_fisher, {"bandwidth": -1.0}, r"`bandwidth` is -1.0;"),
        (persistence_fisher_kernel, {"bandwidth": math.nan}, r"`bandwidth` is nan;"),
        (persistence_fisher_kernel, {"bandwidth_fisher": 0.0}, r"`bandwidth_fisher` is 0.0;"),
        (persistence_scale_space_kernel, {"bandwidth": math.inf}, r"`bandwidth` is inf;"),
        (persistence_weighted_gaussian_kernel, {"bandwidth": None}, r"`bandwidth` is None;"),
        (persistence_weighted_gaussian_kernel, {"weight": 1}, r"`weight` is 1; expected None or"),
        (heat, {"sigma": 0.0}, r"`sigma` is 0.0;"),
    ],
)
def test_bad_options(distance, options, message):
    with pytest.raises(InputError, match="^" + message) as error:
        distance(GOOD, GOOD, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("weight", [lambda b, l: 1, lambda b, l: l.sum(), lambda b, l: l.float()])  # noqa: E741
def test_bad_weight(weight):
    with pytest.raises(InputError, match=r"^`weight` returned .*; expected torch.float64 of shape"):
        persistence_weighted_gaussian_kernel(GOOD, GOOD, weight=weight)


def test_pairwise_needs_one_axis():
    with pytest.raises(InputError, match=r"^`b` has batch_shape \(\); expected one axis"):
        pairwise(GOOD, GOOD[0])
