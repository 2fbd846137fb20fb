"""sort_by_value against numpy's stable argsort."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topoml.kernels.radix import sort_by_value


@st.composite
def floats(draw):
    """Sizes on both sides of the digit's switch; values that share leading bits, or none."""
    n = draw(st.sampled_from([0, 1, 2, 50, 1499, 1600]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["normal", "ties", "close", "wide", "outlier", "infinite"]))
    x = rng.normal(size=n)
    if kind == "ties":
        x = rng.integers(-2, 3, n).astype(float)
    elif kind == "close":
        x = 1.0 + rng.integers(0, 200, n) * 2.0**-50
    elif kind == "wide":
        x = x * 10.0 ** rng.uniform(-30, 30, n)
    elif kind == "outlier" and n:
        x = 1.0 + x * 1e-13
        x[n // 2] = 1e30
    elif kind == "infinite":
        x[rng.random(n) < 0.2] = np.inf
        x[rng.random(n) < 0.2] = -np.inf
    return x + 0.0  # no negative zero, as the kernel asks


@pytest.mark.parametrize(("dtype", "word"), [(np.float64, np.uint64), (np.float32, np.uint32)])
@given(floats())
def test_equals_stable_argsort(dtype, word, x):
    x = x.astype(dtype)
    n = x.size
    tag = (np.arange(n) % 251).astype(np.uint8)
    keys = [x.view(word).copy(), np.empty(n, word)]
    indices = [np.arange(n, dtype=np.int32), np.empty(n, np.int32)]
    tags = [tag.copy(), np.empty(n, np.uint8)]
    flipped = sort_by_value(keys[0], indices[0], tags[0], keys[1], indices[1], tags[1], n)
    expected = np.argsort(x, kind="stable")
    np.testing.assert_array_equal(indices[flipped], expected)
    np.testing.assert_array_equal(tags[flipped], tag[expected])
