"""Random bits of the kernels against the published vector, and their fractions."""

import numpy as np
from numba import njit

from topoml.kernels import xoshiro


@njit
def draws(s, n):
    return [xoshiro.draw(s) for _ in range(n)]


@njit
def uniforms(s, n):
    return [xoshiro.uniform(s) for _ in range(n)]


def test_vector():
    """From the state 1, 2, 3, 4; of the tests of Rust's crate rand_xoshiro."""
    expected = [
        41943041, 58720359, 3588806011781223, 3591011842654386, 9228616714210784205,
        9973669472204895162, 14011001112246962877, 12406186145184390807, 15849039046786891736,
        10450023813501588000,
    ]  # fmt: skip
    state = np.arange(1, 5, dtype=np.uint64)
    assert list(map(int, draws(state, 10))) == expected
    state = np.arange(1, 5, dtype=np.uint64)
    assert uniforms(state, 10) == [(x >> 11) / 2**53 for x in expected]
