"""The models' energies and facts."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.lattice import Ising, Model

from . import oracles

shapes = st.tuples(st.integers(1, 5), st.integers(1, 5))


@given(shape=shapes, seed=st.integers(0, 2**32), batch=st.sampled_from([(), (3,), (2, 2)]))
def test_energy_is_the_sum_over_bonds(shape, seed, batch):
    s = np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), (*batch, *shape))
    flat = s.reshape(*batch, -1).astype(int)
    exact = -0.5 * sum(flat[..., a] * flat[..., b] for a, b in oracles.bonds(shape))
    energy = Ising(J=0.5).energy(s)
    assert energy.shape == batch
    assert energy.dtype == np.float64
    np.testing.assert_array_equal(energy, exact)
    of_torch = Ising(J=0.5).energy(torch.from_numpy(s))
    assert isinstance(of_torch, torch.Tensor)
    assert of_torch.dtype == torch.float64
    np.testing.assert_array_equal(of_torch.numpy(), exact)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_keep_their_dtype(dtype):
    s = np.ones((2, 3, 4), dtype)
    assert Ising().energy(s).dtype == dtype
    assert Ising().energy(torch.from_numpy(s)).numpy().dtype == dtype


def test_facts():
    model = Ising(J=2.0)
    assert isinstance(model, Model)
    value, error, source = model.known_transition
    assert math.sinh(2 * model.J / value) == pytest.approx(1.0, rel=1e-14)  # Kramers and Wannier
    assert error is None
    assert "Onsager" in source
    assert (model.name, model.manifold, model.symmetry) == ("ising", "real", "Z2")
    assert hash(model) == hash(Ising(2.0))


def test_states():
    rng = np.random.default_rng(0)
    assert (Ising().ordered((2, 3)) == np.ones((2, 3), np.int8)).all()
    x = Ising().random_state((100, 100), rng)
    assert x.dtype == np.int8
    assert set(np.unique(x)) == {-1, 1}
    assert abs(x.sum()) < 5 * 100


@pytest.mark.parametrize("J", [0, -1.0, math.nan, math.inf, True, "1"])
def test_refuses_couplings(J):
    with pytest.raises(InputError, match=r"`J` is .*; expected a finite number above 0"):
        Ising(J)


@pytest.mark.parametrize("x", [np.ones(3), np.ones((2, 0)), [[1, 1], [1, 1]], np.float64(1.0)])
def test_refuses_fields(x):
    with pytest.raises(InputError, match="`configurations` "):
        Ising().energy(x)
