"""Gradients of births and deaths against numpy's unbuffered addition."""

import numpy as np
import pytest
import torch

from topoml.homology import cubical_persistence
from topoml.homology._gather import scatter_gradients

N_SAMPLES, ENTRIES = 6, 11


def classes(seed, n=200, m=20, dtype=torch.float64):
    """Gradients, entries (-1 among them) and ascending samples (one without any class)."""
    g = torch.Generator().manual_seed(seed)

    def some(k):
        number = torch.tensor([0, 1, 2, 3, 5])[torch.randint(0, 5, (k,), generator=g)]
        return number.sort().values, torch.randint(-1, ENTRIES, (k,), generator=g)

    sample, birth = some(n)
    _, death = some(n)
    essential_sample, entry = some(m)
    points = torch.randn(n, 2, generator=g, dtype=torch.float64).to(dtype)
    essential = torch.randn(m, generator=g, dtype=torch.float64).to(dtype)
    return points, essential, birth, death, sample, entry, essential_sample


def added(points, essential, birth, death, sample, entry, essential_sample):
    out = np.zeros((N_SAMPLES, ENTRIES))
    for at, number, value in (
        (birth, sample, points[:, 0]),
        (death, sample, points[:, 1]),
        (entry, essential_sample, essential),
    ):
        there = at >= 0
        np.add.at(out, (number[there].numpy(), at[there].numpy()), value[there].double().numpy())
    return out


@pytest.mark.parametrize("n_threads", [1, 4])
@pytest.mark.parametrize(("n", "m"), [(200, 20), (0, 3), (5, 0), (0, 0)])
def test_equals_addition_by_entry(n, m, n_threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    monkeypatch.setattr("topoml.homology._gather._ENTRIES_A_THREAD", 1)
    given = classes(n + m, n, m)
    found = scatter_gradients(*given, N_SAMPLES, ENTRIES)
    np.testing.assert_allclose(found.numpy(), added(*given), rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("dtype", "atol"), [(torch.float32, 2e-6), (torch.float16, 0.03), (torch.bfloat16, 0.2)]
)
def test_dtype(dtype, atol):
    given = classes(1, dtype=dtype)
    found = scatter_gradients(*given, N_SAMPLES, ENTRIES)
    assert found.dtype == dtype
    np.testing.assert_allclose(found.double().numpy(), added(*given), rtol=0, atol=atol)


def test_a_sample_has_the_same_bits_alone():
    points, essential, birth, death, sample, entry, essential_sample = classes(2)
    together = scatter_gradients(*classes(2), N_SAMPLES, ENTRIES)
    for i in range(N_SAMPLES):
        of, of_e = sample == i, essential_sample == i
        alone = scatter_gradients(
            points[of], essential[of_e], birth[of], death[of], sample[of] * 0,
            entry[of_e], essential_sample[of_e] * 0, 1, ENTRIES,
        )  # fmt: skip
        assert torch.equal(alone[0], together[i])


def test_any_number_of_derivatives():
    points, essential, *where = classes(3, 12, 3)

    def f(points, essential):
        return scatter_gradients(points, essential, *where, N_SAMPLES, ENTRIES)

    given = points.requires_grad_(), essential.requires_grad_()
    assert torch.autograd.gradcheck(f, given)
    assert torch.autograd.gradgradcheck(f, given)


def test_views_and_expanded_gradients():
    """Gradients that a sum or a slice hand back: of stride 0, or with gaps."""
    points, essential, *where = classes(4)
    wide = torch.stack([points, points], 1)[:, 1]
    ones = torch.ones(()).double().expand(200, 2)
    for p in (wide, ones, points.flip(1)):
        found = scatter_gradients(p, essential, *where, N_SAMPLES, ENTRIES)
        expected = added(p.contiguous(), essential, *where)
        np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-13)


def test_operator():
    points, essential, *where = classes(5)
    given = points.requires_grad_(), essential.requires_grad_(), *where, N_SAMPLES, ENTRIES
    torch.library.opcheck(scatter_gradients, given)


def test_second_derivative_through_persistence():
    """The Hessian of a sum of squared lifetimes is that of the pairs found."""
    x = torch.randn(2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradgradcheck(
        lambda x: cubical_persistence(x, homology_dimensions=(0, 1), periodic=True).lifetime ** 2,
        x.requires_grad_(),
    )
