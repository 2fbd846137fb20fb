"""Anybody's arrays: the guess, the order of rows and chains, the refusals."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.lattice import Ising, from_arrays, simulate


def spins(n=4, size=3, seed=0):
    return np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), (n, size, size))


def angles(n=4, size=3, seed=0):
    return np.random.default_rng(seed).uniform(-3, 3, (n, size, size))


def vectors(n=4, size=3, c=3, seed=0):
    v = np.random.default_rng(seed).normal(size=(n, size, size, c))
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


T = [1.0, 1.0, 2.0, 2.0]


class TestGuess:
    @pytest.mark.parametrize(
        ("x", "manifold"),
        [
            (spins(), "real"),
            (np.maximum(spins(), 0), "discrete"),
            (np.maximum(spins(), 0).astype(np.uint8), "discrete"),
            (spins() + 1, "discrete"),
            (angles(), "circle"),
            (angles().astype(np.float16), "circle"),
            (np.zeros((4, 3, 3)), "circle"),
            (np.full((4, 2, 2), 2 * np.pi, np.float32), "circle"),
            (torch.from_numpy(angles()).requires_grad_(), "circle"),
        ],
    )
    def test_by_dtype_and_sign(self, x, manifold):
        e = from_arrays(x, T)
        assert (e.manifold, e.manifold_guessed) == (manifold, True)

    def test_once_over_all_sizes(self):
        """The small lattice happens to hold no negative spin; alone it would be discrete."""
        small = np.ones((4, 2, 2), int)
        assert from_arrays(small, T).manifold == "discrete"
        e = from_arrays([small, spins()], [T, T])
        assert e.manifold == "real"
        assert e.sizes == (2, 3)

    def test_said_is_not_guessed(self):
        for x, manifold in [(spins(), "real"), (angles() * 9, "real"), (vectors(), "sphere")]:
            e = from_arrays(x, T, manifold=manifold)
            assert (e.manifold, e.manifold_guessed) == (manifold, False)
        assert e.configurations(size=3, temperature=1.0).shape == (1, 2, 3, 3, 3)


class TestRows:
    def test_of_one_temperature_in_order_are_one_chain(self):
        x = spins(6)
        e = from_arrays(x, [2.0, 1.0, 2.0, 1.0, 2.0, 2.0])
        np.testing.assert_array_equal(
            e.configurations(size=3, temperature=2.0), x[None, [0, 2, 4, 5]]
        )
        np.testing.assert_array_equal(e.configurations(size=3, temperature=1.0), x[None, [1, 3]])
        assert e.temperatures_of(3) == (1.0, 2.0)

    def test_chains_by_id(self):
        x = spins(6)
        e = from_arrays(x, [1] * 6, chain=[9, -2, 9, -2, -2, 9])
        np.testing.assert_array_equal(
            e.configurations(size=3, temperature=1), x[[[1, 3, 4], [0, 2, 5]]]
        )

    @given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32))
    def test_shuffled_rows_keep_time_within_a_chain(self, n_chains, length, n_t, seed):
        rng = np.random.default_rng(seed)
        chain, t = np.meshgrid(np.arange(n_chains), 1.0 + np.arange(n_t))
        rows = rng.permutation(np.repeat(np.stack([chain.ravel(), t.ravel()], -1), length, axis=0))
        time = np.arange(len(rows))
        e = from_arrays(time[:, None, None], rows[:, 1], chain=rows[:, 0].astype(int))
        for temperature in e.temperatures:
            x = e.configurations(size=1, temperature=temperature)[:, :, 0, 0]
            assert x.shape == (n_chains, length)
            assert (np.diff(x, axis=1) > 0).all()
            for c in range(n_chains):
                assert (rows[x[c]] == [c, temperature]).all()

    def test_copies(self):
        x = spins()
        e = from_arrays(x, T)
        x[:] = 0
        assert e.configurations(size=3, temperature=1.0).all()

    def test_lists_one_a_size(self):
        e = from_arrays(
            (angles(4, 2), torch.from_numpy(angles(2, 5))),
            [np.array(T), [3.0, 3.0]],
            chain=[[0, 1, 1, 0], [0, 0]],
        )
        assert e.sizes == (2, 5)
        assert e.temperatures == (1.0, 2.0, 3.0)
        assert e.temperatures_of(5) == (3.0,)
        assert e.configurations(size=2, temperature=1.0).shape == (2, 1, 2, 2)


class TestEnsemble:
    def test_what_is_not_there(self):
        e = from_arrays([spins(), spins(size=2)], [T, [5.0] * 4])
        with pytest.raises(InputError, match=r"`size` is 4; expected one of \(2, 3\)"):
            e.configurations(size=4, temperature=1.0)
        with pytest.raises(InputError, match=r"`temperature` is 1.9; .* the nearest is 2.0"):
            e.configurations(size=3, temperature=1.9)
        with pytest.raises(InputError, match="`model` is None; expected a model"):
            e.energy(size=3, temperature=1.0)

    def test_round_trip_of_a_simulation(self):
        e = simulate(Ising(), sizes=[4], temperatures=[2.0], samples=12, seed=0, n_chains=3)
        x = e.configurations(size=4, temperature=2.0)
        again = from_arrays(x.reshape(12, 4, 4), [2.0] * 12, chain=np.repeat(range(3), 4))
        np.testing.assert_array_equal(again.configurations(size=4, temperature=2.0), x)


def rows(n):
    return np.ones((n, 2, 2), int)


NAN, INF = angles(), angles()
NAN[1, 2, 0], INF[3, 0, 0] = np.nan, -np.inf


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((NAN, T), "`configurations` holds NaN or infinity"),
        ((INF, T), "`configurations` holds NaN or infinity"),
        ((spins() > 0, T), "`configurations` has dtype bool"),
        ((angles() + 0j, T), "`configurations` has dtype complex128"),
        ((spins().astype(object), T), "`configurations` has dtype object"),
        ((spins().astype(str), T), "`configurations` has dtype <U"),
        (("spins.npz", T), "`configurations` has dtype <U"),
        ((torch.zeros(4, 2, 2, dtype=torch.bfloat16), T), "cannot be made into one numpy array"),
        ((spins()[0], T), r"shape \(3, 3\); expected \(n, L, L\). Give one array for each size"),
        ((spins().tolist(), T), "`temperature` is of length 4|shape .*; expected"),
        ((spins()[:, :2], T), r"shape \(4, 2, 3\); expected \(n, L, L\)"),
        ((np.zeros((0, 3, 3)), []), r"shape \(0, 3, 3\); expected at least one row"),
        ((np.zeros((4, 0, 0)), T), r"shape \(4, 0, 0\); expected at least one row"),
        ((vectors(), T), "For unit vectors, say manifold='sphere'"),
        ((angles() * 3, T), "reaches .* expected angles within 2 pi.*Say manifold='real', or wrap"),
        ((spins().astype(float), T), "whole numbers stored as floats"),
        (([], []), "`configurations` is an empty list"),
        (([spins(), angles()[:, :2, :2]], [T, T]), "mixes arrays of integers and of floats"),
        (([spins(), spins()], [T, T]), r"`configurations` \(array 1 of the list\) has size 3, as"),
        (([spins(), rows(2)], T), "`temperature` is of length 4; expected a list of 2 arrays"),
        (([spins(), rows(2)], np.array(T)), "`temperature` is not a list; expected a list of 2"),
        (([spins(), [[1], [2, 3]]], [T, T]), "array 1 of the list. cannot be made into one numpy"),
        ((spins(), T[:3]), r"`temperature` has shape \(3,\); expected \(4,\)"),
        ((spins(), 1.0), r"`temperature` has shape \(\); expected \(4,\)"),
        ((spins(), [1.0, 2.0, np.nan, 1.0]), "`temperature` holds NaN, infinity or"),
        ((spins(), [1.0, 2.0, 0.0, 1.0]), "`temperature` holds NaN, infinity or"),
        ((spins(), [1.0, 2.0, np.inf, 1.0]), "`temperature` holds NaN, infinity or"),
        ((spins(), ["1", "1", "2", "2"]), "`temperature` has dtype <U1"),
        ((spins(), [True] * 4), "`temperature` has dtype bool"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(InputError, match=message) as caught:
        from_arrays(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("x", "said", "message"),
    [
        (angles() * 3, {"manifold": "circle"}, "within 2 pi, in radians. Wrap the angles"),
        (spins(), {"manifold": "circle"}, "dtype int8; expected floats with manifold='circle'"),
        (spins(), {"manifold": "discrete"}, "has a value -1; expected integers from 0"),
        (angles(), {"manifold": "discrete"}, "has dtype float64; expected integers from 0"),
        (angles(), {"manifold": "sphere"}, r"expected \(n, L, L, c\) of unit vectors"),
        (vectors() * 1.01, {"manifold": "sphere"}, "3 components, up to 0.01 off unit length"),
        (vectors(c=1), {"manifold": "sphere"}, "1 components"),
        (vectors(), {"manifold": "real"}, "For unit vectors"),
        (spins(), {"manifold": "ising"}, "`manifold` is 'ising'; expected one of 'circle'"),
        (spins(), {"chain": [0, 1, 0, 0]}, "chains of 1 to 1|`chain` gives chains"),
        (spins(), {"chain": [0, 0, 0]}, r"`chain` has shape \(3,\); expected \(4,\)"),
        (spins(), {"chain": [0.0, 0.0, 1.0, 1.0]}, "`chain` has dtype float64; expected integers"),
    ],
)
def test_refusals_of_what_is_said(x, said, message):
    temperature = [1.0] * 4 if said.get("chain") == [0, 1, 0, 0] else T
    with pytest.raises(InputError, match=message) as caught:
        from_arrays(x, temperature, **said)
    assert "\n" not in str(caught.value)
