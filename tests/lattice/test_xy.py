"""The XY model's energy and facts."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from topoml.lattice import XY, Model

from . import oracles

shapes = st.tuples(st.integers(1, 5), st.integers(1, 5))


@given(shape=shapes, seed=st.integers(0, 2**32), batch=st.sampled_from([(), (3,), (2, 2)]))
def test_energy_is_the_sum_over_bonds(shape, seed, batch):
    theta = np.random.default_rng(seed).uniform(-10, 10, (*batch, *shape))
    flat = theta.reshape(*batch, -1)
    exact = -2.0 * sum(np.cos(flat[..., a] - flat[..., b]) for a, b in oracles.bonds(shape))
    tolerance = 1e-14 * 4 * theta.size  # one rounding of a cosine or of a sum for each bond
    np.testing.assert_allclose(XY(J=2.0).energy(theta), exact, rtol=0, atol=tolerance)
    of_torch = XY(J=2.0).energy(torch.from_numpy(theta))
    assert isinstance(of_torch, torch.Tensor)
    np.testing.assert_allclose(of_torch.numpy(), exact, rtol=0, atol=tolerance)


def test_gradient_is_the_torque():
    theta = torch.linspace(0, 5, 12, dtype=torch.float64).reshape(3, 4).requires_grad_()
    assert torch.autograd.gradcheck(XY().energy, theta)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_in_is_dtype_out(dtype):
    theta = np.zeros((2, 3, 4), dtype)
    assert XY().energy(theta).dtype == dtype
    assert XY().energy(torch.from_numpy(theta)).numpy().dtype == dtype


def test_facts():
    model = XY(J=2.0)
    assert isinstance(model, Model)
    value, error, source = model.known_transition
    assert value == pytest.approx(2 / 1.1199, rel=1e-4)
    assert error == pytest.approx(2 * 0.0006)
    assert "Hasenbusch" in source
    assert (model.name, model.manifold, model.symmetry, model.order) == (
        "xy",
        "circle",
        "O(2)",
        "BKT",
    )


def test_states_are_unit_vectors():
    x = XY().random_state((50, 40), np.random.default_rng(0))
    np.testing.assert_allclose((x**2).sum(-1), 1.0, rtol=1e-15)
    assert (np.abs(x.sum((0, 1))) < 5 * np.sqrt(1000)).all()
    assert (XY().ordered((2, 3)) == [1.0, 0.0]).all()
