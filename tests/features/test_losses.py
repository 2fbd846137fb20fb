"""Losses of diagrams against their definitions, gudhi's entropy, and one sample against a batch."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from gudhi.representations import Entropy
from hypothesis import given
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.features import betti_number_loss, persistence_entropy, total_persistence
from topoml.homology import cubical_persistence

from .made import diagrams, made, of_sample, random_samples

EPS = torch.finfo(torch.float64).eps


def lifetimes(d, i, k):
    """The lifetimes of one sample and dimension, the longest first."""
    points, _ = of_sample(d, i, k)
    return sorted((abs(float(b) - float(e)) for b, e in points), reverse=True)


def table(d, statistic):
    """One number a sample and dimension, from ``statistic(number of the dimension, lifetimes)``."""
    return np.array(
        [
            [statistic(j, lifetimes(d, i, k)) for j, k in enumerate(d.homology_dimensions)]
            for i in range(len(d))
        ]
    )


CASES = {
    "total": lambda d: total_persistence(d, power=1.5),
    "longest": lambda d: total_persistence(d, skip=1, keep=2),
    "betti": lambda d: betti_number_loss(d, betti_numbers=[2] * len(d.homology_dimensions)),
    "entropy": persistence_entropy,
}


@given(diagrams(), st.sampled_from([1, 1.5, 2, 3, 4.25]), st.integers(0, 3), st.integers(0, 3))
def test_total_persistence(d, power, skip, keep):
    n = len(d.homology_dimensions)
    ours = total_persistence(d, power=power)
    expected = table(d, lambda j, life: sum(x**power for x in life))
    np.testing.assert_allclose(ours.numpy(), expected, rtol=100 * EPS)
    ours = total_persistence(d, power=power, skip=skip, keep=keep)
    expected = table(d, lambda j, life: sum(x**power for x in life[skip : skip + keep]))
    np.testing.assert_allclose(ours.numpy(), expected, rtol=100 * EPS)
    skips, keeps = (skip, 0, keep)[:n], [keep, skip, 1][:n]
    ours = total_persistence(d, power=power, skip=skips, keep=keeps)
    expected = table(d, lambda j, life: sum(x**power for x in life[skips[j] : skips[j] + keeps[j]]))
    np.testing.assert_allclose(ours.numpy(), expected, rtol=100 * EPS)


@given(diagrams(), st.integers(0, 3), st.integers(0, 3))
def test_betti_number_loss(d, one, other):
    """The sums of the docstring with a term for every class, those missing of lifetime 0."""
    betti = (one, other, 1)[: len(d.homology_dimensions)]

    def terms(j, life):
        life = life + [0.0] * max(0, betti[j] - len(life))
        return sum(1 - x**2 if i < betti[j] else x**2 for i, x in enumerate(life))

    ours = betti_number_loss(d, betti_numbers=betti)
    np.testing.assert_allclose(ours.numpy(), table(d, terms).sum(1), atol=100 * 2.25 * EPS)


def test_betti_number_loss_vanishes_where_the_topology_is_the_wanted_one():
    ring = torch.zeros(7, 7)
    ring[1:6, 1:6] = 1.0
    ring[3, 3] = 0.0
    d = cubical_persistence(ring, homology_dimensions=(0, 1), superlevel=True)
    assert float(betti_number_loss(d, betti_numbers=(1, 1), cap=0.0)) == 0.0
    assert float(betti_number_loss(d, betti_numbers=(1, 0), cap=0.0)) == 1.0
    assert float(betti_number_loss(d, betti_numbers=(2, 1), cap=0.0)) == 1.0
    assert float(betti_number_loss(d, betti_numbers=(1, 1))) == 1.0  # H0 has no finite class


def test_betti_number_loss_makes_a_ring():
    """Descent fills the gap of a ring: one component, one hole; without the hole wanted, none."""
    start = torch.full((9, 9), -3.0, dtype=torch.float64)
    start[2:7, 2:7] = 3.0
    start[3:6, 3:6] = -3.0
    start[4, 6] = 0.0 - 0.5  # the gap

    def trained(betti):
        x = start.clone().requires_grad_()
        optimizer = torch.optim.Adam([x], lr=0.1)
        for _ in range(200):
            d = cubical_persistence(
                x.sigmoid(), homology_dimensions=(0, 1), superlevel=True, construction="V"
            )
            loss = betti_number_loss(d, betti_numbers=betti, cap=0.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return x.detach().sigmoid()

    ring = trained((1, 1))
    assert ring[4, 6] > 0.9
    assert ring[4, 4] < 0.1
    assert trained((1, 0))[4, 6] < 0.3


@given(diagrams())
def test_entropy(d):
    def entropy(j, life):
        whole = sum(life)
        return -sum(x / whole * math.log(x / whole) for x in life if x > 0)

    ours = persistence_entropy(d).numpy()
    np.testing.assert_allclose(ours, table(d, entropy), atol=100 * EPS * math.log(30))
    assert np.isfinite(ours).all()


def test_entropy_equals_gudhi():
    d = made(random_samples(np.random.default_rng(0), 8))
    rows = [of_sample(d, i, k)[0] for i in range(8) for k in (0, 1)]
    theirs = Entropy(mode="scalar").fit_transform(rows)
    np.testing.assert_allclose(persistence_entropy(d).reshape(-1, 1), theirs, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_entropy_does_not_depend_on_the_unit(scale):
    """Not even where the sum of the lifetimes overflows."""
    d = made([[(0, 0.0, 1.0), (0, 0.0, 1.0), (0, 0.0, 2.0)]])
    scaled = replace(d, points=d.points * scale)
    assert torch.allclose(persistence_entropy(scaled), persistence_entropy(d))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("case", CASES)
def test_sample_does_not_depend_on_its_batch(case, dtype):
    """Bit for bit, values and gradients: alone, among others, and in another order."""
    samples = random_samples(np.random.default_rng(1), 12, 70)

    def run(chosen):
        d = made([samples[i] for i in chosen], dtype=dtype)
        d.points.requires_grad_()
        loss = CASES[case](d)
        loss.sum().backward()
        return loss.detach(), [d.points.grad[d.sample == i] for i in range(len(chosen))]

    together, gradients = run(list(range(12)))
    assert together.dtype == dtype
    for chosen in ([3, 1, 11, 3, 7], *([i] for i in range(12))):
        loss, parts = run(chosen)
        assert torch.equal(loss, together[chosen])
        for part, i in zip(parts, chosen, strict=True):
            assert torch.equal(part, gradients[i])


@pytest.mark.parametrize("case", CASES)
def test_order_of_the_classes_does_not_matter(case):
    samples = random_samples(np.random.default_rng(2), 3)
    turned = [sample[::-1] for sample in samples]
    one, other = CASES[case](made(samples)), CASES[case](made(turned))
    torch.testing.assert_close(one, other, rtol=100 * EPS, atol=0)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("superlevel", [False, True])
def test_gradcheck(case, superlevel):
    samples = random_samples(np.random.default_rng(3), 3, 9, superlevel=superlevel)
    d = made(samples, superlevel=superlevel)
    function = lambda points: CASES[case](replace(d, points=points))  # noqa: E731
    points = d.points.clone().requires_grad_()
    assert torch.autograd.gradcheck(function, points)
    assert torch.autograd.gradgradcheck(function, points)


@pytest.mark.parametrize(
    "classes",
    [
        [],
        [(0, 0.25, 0.25)],
        [(0, 0.25, 0.25), (0, 0.5, 1.0), (1, 0.0, 1.0), (1, 0.0, 1.0)],
        [(0, -math.inf, 0.0), (0, 0.0, 1.0)],
        [(0, 0.0, 5e-324), (0, 0.0, 1.0)],
        [(0, 0.0, math.inf)],
    ],
    ids=["none", "on the diagonal", "ties", "born at -inf", "subnormal", "essential"],
)
@pytest.mark.parametrize("case", CASES)
def test_finite(case, classes):
    d = made([classes, [(0, 0.0, 0.5)]])
    d.points.requires_grad_()
    loss = CASES[case](d)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert d.points.grad.isfinite().all()


def test_class_born_at_minus_infinity_is_left_out():
    d = made([[(0, -math.inf, 0.0), (0, 0.0, 1.0)]])
    without = made([[(0, 0.0, 1.0)]])
    for function in CASES.values():
        assert torch.equal(function(d), function(without))


@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (0,)])
def test_batch_shapes(shape):
    samples = random_samples(np.random.default_rng(4), math.prod(shape))
    d = made(samples, batch_shape=shape)
    assert total_persistence(d).shape == (*shape, 2)
    assert betti_number_loss(d, betti_numbers=(1, 0)).shape == shape
    assert persistence_entropy(d).shape == (*shape, 2)


def test_many_classes():
    life = np.random.default_rng(5).random(100_000)
    d = made([[(0, 0.0, x) for x in life]])
    longest = np.sort(life)[::-1]
    ours = total_persistence(d, skip=10, keep=5)[0, 0]
    assert float(ours) == pytest.approx((longest[10:15] ** 2).sum(), rel=1e-14)
    assert float(total_persistence(d, power=1)[0, 0]) == pytest.approx(life.sum(), rel=1e-12)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (total_persistence, {"power": 0.5}, "`power` is 0.5; expected a number of at least 1"),
        (total_persistence, {"power": math.inf}, "`power` is inf;"),
        (total_persistence, {"power": math.nan}, "`power` is nan;"),
        (total_persistence, {"power": True}, "`power` is True;"),
        (total_persistence, {"power": "2"}, "`power` is '2';"),
        (total_persistence, {"skip": -1}, "`skip` is -1; expected an integer of at least 0"),
        (total_persistence, {"skip": 1.0}, "`skip` is 1.0;"),
        (total_persistence, {"skip": ()}, r"`skip` is \(\);"),
        (total_persistence, {"keep": (1, 2, 3)}, r"`keep` is \(1, 2, 3\); expected 2 of them"),
        (total_persistence, {"keep": True}, "`keep` is True;"),
        (betti_number_loss, {"betti_numbers": 1}, "`betti_numbers` is 1; expected 2 of them"),
        (betti_number_loss, {"betti_numbers": (1, -1)}, r"`betti_numbers` is \(1, -1\);"),
        (betti_number_loss, {"betti_numbers": (1, 1), "cap": "0"}, "`cap` is '0';"),
        (betti_number_loss, {"betti_numbers": (1, 1), "cap": math.inf}, "`cap` is inf;"),
        (betti_number_loss, {"betti_numbers": (1, 1), "cap": -1}, "`value` is -1.0 for sample 0"),
    ],
)
def test_bad_input(function, arguments, message):
    d = made([[(0, 0.0, 1.0), (0, 0.0, math.inf)]])
    with pytest.raises(InputError, match="^" + message) as error:
        function(d, **arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("case", CASES)
def test_diagrams_are_checked(case):
    d = made([[]])
    with pytest.raises(InputError, match=r"^`diagrams` is list; expected"):
        {
            "total": total_persistence,
            "longest": total_persistence,
            "betti": lambda x: betti_number_loss(x, betti_numbers=(1, 0)),
            "entropy": persistence_entropy,
        }[case]([d])
