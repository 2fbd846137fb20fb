"""Text files, and the choice between kinds of files."""

import os

import numpy as np
import pytest

from topoml._core.errors import InputError
from topoml.lattice import from_arrays, load, load_text

SPINS = np.array([[[1, -1], [1, 1]], [[-1, -1], [1, -1]]])
T = np.array([1.0, 2.5])
ROWS = "1.0 1 -1 1 1\n2.5 -1 -1 1 -1\n"


def same(found, expected):
    assert (found.manifold, found.sizes) == (expected.manifold, expected.sizes)
    for size in expected.sizes:
        for t in expected.temperatures_of(size):
            x, y = (e.configurations(size=size, temperature=t) for e in (found, expected))
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)


def refused(path, message, **options):
    with pytest.raises(InputError, match=message) as caught:
        load_text(path, **options)
    assert "\n" not in str(caught.value)
    assert repr(os.fspath(path)) in str(caught.value)


@pytest.fixture
def write(tmp_path):
    def write(text, name="a.txt"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    "text",
    [
        ROWS,
        "\ufeff" + ROWS,
        "# a comment\n\n" + ROWS.replace(" ", "  ") + "# the end\n",
        ROWS.replace(" ", ","),
        ROWS.replace(" ", ", ").replace("\n", "\r\n"),
        ROWS.replace("1 ", "1.000e+00 "),
        "# shape: 2 2\n" + ROWS,
    ],
)
def test_spellings(write, text):
    same(load_text(write(text)), from_arrays(SPINS, T))


def test_savetxt(tmp_path):
    np.savetxt(tmp_path / "a.txt", np.column_stack([T, SPINS.reshape(2, 4)]))
    same(load_text(tmp_path / "a.txt"), from_arrays(SPINS, T))


def test_angles_chains_and_vectors(write):
    text = "# columns: temperature chain\n1 3 0.5 1 2 0\n1 2 3 3 3 0\n"
    angles = np.array([[[0.5, 1], [2, 0]], [[3, 3], [3, 0]]])
    same(load_text(write(text)), from_arrays(angles, [1, 1], chain=[3, 2]))
    zeros = "# manifold: circle\n1 0 0 0 0\n"
    same(load_text(write(zeros)), from_arrays(np.zeros((1, 2, 2)), [1], manifold="circle"))
    same(
        load_text(write("1 0 0 0 0\n"), manifold="circle"),
        from_arrays(np.zeros((1, 2, 2)), [1], manifold="circle"),
    )
    vectors = "#manifold : sphere\n# shape: 1, 1, 3\n1 0 0.6 0.8\n1 0 1 0\n"
    x = np.array([[[[0, 0.6, 0.8]]], [[[0.0, 1, 0]]]])
    same(load_text(write(vectors)), from_arrays(x, [1, 1], manifold="sphere"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read .no rows.; expected a text file. Write a row a configuration"),
        ("# nothing\n", "cannot be read .no rows"),
        ("1 2 x 3 4\n", "cannot be read .*could not convert string 'x'"),
        (ROWS + "1 2 3\n", "cannot be read .*number of columns changed"),
        ("1 2 3 4\n", r"has rows of 3 spins; expected 1, the shape \(1, 1\)"),
        ("1\n", "has rows of 0 spins"),
        ("# shape: 2 3\n" + ROWS, r"has rows of 4 spins; expected 6, the shape \(2, 3\)"),
        ("# shape: two\n" + ROWS, "cannot be read .invalid literal"),
        ("# columns: beta\n" + ROWS, "has columns 'beta' before the spins; expected 'temperature'"),
        ("# manifold: torus\n" + ROWS, "has `manifold` 'torus'; expected one of"),
        (ROWS + "nan 1 1 1 1\n", "holds NaN"),
        ("1 1 nan 1 1\n", "holds NaN"),
        ("# columns: temperature chain\n1 0.5 1 1 1 1\n", "`chain` of .* has dtype float64"),
    ],
)
def test_refusals(write, text, message):
    refused(write(text), message)


def test_no_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(np.random.default_rng(0).bytes(1000))
    refused(path, "cannot be read")
    refused(tmp_path, "is not a regular file; expected a text file")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.txt").symlink_to(path)
    refused(tmp_path / "in" / "b.txt", "is a link out of its folder")


def test_no_decompression_and_no_addresses(write):
    """What numpy.loadtxt would do with a name; it never gets one."""
    refused(write("\x1f\x8b\x08", "a.txt.gz"), "cannot be read")


def test_sizes_are_checked_first(write):
    refused(write(ROWS), "declares 112 bytes of arrays; expected at most 111 more", max_bytes=111)
    assert load_text(write(ROWS), max_bytes=112).sizes == (2,)


def test_load_chooses_by_the_ending(write, tmp_path):
    np.savez(tmp_path / "b.npz", configurations=np.ones((2, 3, 3), int), temperature=T)
    files = [write(ROWS, "a.DAT"), tmp_path / "b.npz"]
    expected = from_arrays([SPINS, np.ones((2, 3, 3), int)], [T, T])
    same(load(files), expected)
    with pytest.raises(InputError, match=r"expected a name that ends in .npz, .h5"):
        load(write(ROWS, "a.log"))
    with pytest.raises(InputError, match=r"declares .* expected at most 1\d\d more"):
        load(files, max_bytes=240)
