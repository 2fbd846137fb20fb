"""What holds for every complex: stability, the torus's symmetries in 2D, Euler's number."""

import itertools
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from topoml.homology import (
    alpha_persistence,
    cell_persistence,
    cubical_persistence,
    field_persistence,
    graph_persistence,
    rips_persistence,
)
from topoml.lie import Circle

from .oracles import of_diagrams

SEEDS = st.integers(0, 2**32 - 1)


def matches(a, b, distance):
    """Whether a bottleneck matching of two lists of (birth, death) costs at most ``distance``.

    By the definition: a perfect matching of the classes and as many copies of the diagonal.
    (gudhi 3.13's ``bottleneck_distance`` is too large at times.)
    """
    n, m = len(a), len(b)
    if n + m == 0:
        return True
    allowed = np.zeros((n + m, m + n), bool)
    allowed[n:, m:] = True
    for i, (birth, death) in enumerate(a):
        for j, (other_birth, other_death) in enumerate(b):
            by = 0.0 if death == other_death else abs(death - other_death)  # both may be inf
            allowed[i, j] = max(abs(birth - other_birth), by) <= distance
        allowed[i, m + i] = death - birth <= 2 * distance
    for j, (birth, death) in enumerate(b):
        allowed[n + j, j] = death - birth <= 2 * distance
    return (maximum_bipartite_matching(csr_matrix(allowed), perm_type="column") >= 0).all()


def close(a, b, distance):
    """Whether no dimension of ``a`` and ``b`` is farther apart than ``distance``."""

    def rows(d, dimension):
        return [(s, e) for k, s, e in of_diagrams(d) if k == dimension]

    tolerance = 1e-12 * (1 + distance)
    return all(matches(rows(a, k), rows(b, k), distance + tolerance) for k in a.homology_dimensions)


@pytest.mark.parametrize(
    ("n_axes", "construction"), [(1, "V"), (2, "V"), (2, "T"), (2, "F"), (3, "V"), (3, "T")]
)
@pytest.mark.parametrize("periodic", [False, True])
@given(seed=SEEDS, noise=st.sampled_from([1e-3, 0.3, 3.0]))
def test_cubical_persistence_is_stable(n_axes, construction, periodic, seed, noise):
    """The bottleneck distance is at most the largest change (Cohen-Steiner et al., 2007)."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(3, 8 - n_axes + 1, size=n_axes)
    x = rng.normal(size=shape)
    y = x + noise * rng.uniform(-1, 1, size=shape)
    more = {
        "homology_dimensions": tuple(range(n_axes + 1)),
        "spatial_dims": n_axes,
        "periodic": periodic,
        "construction": construction,
    }
    d, e = (cubical_persistence(torch.from_numpy(z), **more) for z in (x, y))
    assert close(d, e, np.abs(x - y).max())


def test_the_bound_of_stability_is_reached():
    """A shift of all values moves every class by as much: half the bound would fail."""
    x = torch.randn(6, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    d, e = (cubical_persistence(z, homology_dimensions=(0, 1)) for z in (x, x + 0.25))
    assert close(d, e, 0.25)
    assert not close(d, e, 0.2499)


@given(seed=SEEDS, noise=st.sampled_from([1e-3, 0.3]))
def test_fields_of_spins_are_stable(seed, noise):
    """Turning every spin by at most epsilon changes bonds by at most 2 epsilon."""
    rng = np.random.default_rng(seed)
    theta = rng.uniform(-np.pi, np.pi, size=(4, 5))
    turned = theta + noise * rng.uniform(-1, 1, size=theta.shape)
    d, e = (
        field_persistence(torch.from_numpy(t), manifold=Circle(), homology_dimensions=(0, 1))
        for t in (theta, turned)
    )
    assert close(d, e, 2 * np.abs(theta - turned).max())


@given(seed=SEEDS, noise=st.sampled_from([1e-3, 0.3]))
def test_clouds_and_graphs_are_stable(seed, noise):
    """Moving every point by at most epsilon changes lengths by 2 epsilon, alpha's radii by one."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(9, 2))
    y = x + noise * rng.uniform(-1, 1, size=x.shape)
    moved = np.linalg.norm(x - y, axis=1).max()
    for function, factor in ((rips_persistence, 2), (alpha_persistence, 1)):
        d, e = (function(torch.from_numpy(z), homology_dimensions=(0, 1)) for z in (x, y))
        assert close(d, e, factor * moved)
    edges = torch.from_numpy(rng.integers(0, 9, size=(2, 14)))
    for extended in (False, True):
        # extended classes of dimension 1 are born above their deaths: left to tests of graphs
        more = {"homology_dimensions": (0,) if extended else (0, 1), "extended": extended}
        d, e = (graph_persistence(torch.from_numpy(z[:, 0].copy()), edges, **more) for z in (x, y))
        assert close(d, e, np.abs(x[:, 0] - y[:, 0]).max())


@pytest.mark.parametrize("construction", ["V", "T", "F"])
@given(seed=SEEDS)
def test_translations_and_the_point_group_of_the_square(construction, seed):
    """The diagrams of a field on the torus know neither an origin nor an axis."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(4, 6))
    more = {
        "homology_dimensions": (0, 1, 2),
        "periodic": True,
        "construction": construction,
    }

    def diagrams(x):
        return of_diagrams(cubical_persistence(torch.from_numpy(x.copy()), **more))

    moves = [np.roll(x, (1, 2), (0, 1)), x[::-1, ::-1], x.T]
    if construction != "F":  # whose diagonals have a direction
        moves += [x[::-1], x[:, ::-1], np.rot90(x)]
    for moved in moves:
        assert diagrams(moved) == diagrams(x)


def test_what_is_no_symmetry():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 6))
    more = {"homology_dimensions": (0, 1, 2), "periodic": True}
    d = of_diagrams(cubical_persistence(torch.from_numpy(x), **more))
    other = rng.permutation(x.reshape(-1)).reshape(x.shape)
    assert of_diagrams(cubical_persistence(torch.from_numpy(other), **more)) != d
    more["construction"] = "F"
    d = of_diagrams(cubical_persistence(torch.from_numpy(x), **more))
    assert of_diagrams(cubical_persistence(torch.from_numpy(x[::-1].copy()), **more)) != d


@pytest.mark.parametrize("construction", ["V", "T", "F"])
@given(seed=SEEDS, periodic=st.booleans())
def test_euler_characteristic_at_every_level(construction, seed, periodic):
    """A count of cells without any homology: vertices - edges + faces of the sublevel set."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 4, size=rng.integers(3, 7, size=2)).astype(float)
    d = of_diagrams(
        cubical_persistence(
            torch.from_numpy(x),
            homology_dimensions=(0, 1, 2),
            periodic=periodic,
            construction=construction,
        )
    )
    h, w = x.shape

    def corners(i, j, offsets):
        at = [(i + a, j + b) for a, b in offsets]
        if periodic:
            return [(a % h, b % w) for a, b in at]
        return at if all(0 <= a < h and 0 <= b < w for a, b in at) else None

    square, right, down = [(0, 0), (0, 1), (1, 0), (1, 1)], [(0, 0), (0, 1)], [(0, 0), (1, 0)]
    for level in np.unique(x):
        euler = 0
        if construction == "T":  # a cell is there if one of the squares around it is
            span = [range(h) if periodic else range(h + 1), range(w) if periodic else range(w + 1)]
            for i, j in itertools.product(*span):
                for sign, offsets in (
                    (1, [(0, 0), (0, -1), (-1, 0), (-1, -1)]),
                    (-1, [(0, 0), (0, -1)]),
                    (-1, [(0, 0), (-1, 0)]),
                    (1, [(0, 0)]),
                ):
                    around = [corners(i, j, [one]) for one in offsets]
                    euler += sign * any(c is not None and x[c[0]] <= level for c in around)
        else:  # a cell is there if all its vertices are
            cells = [(1, [(0, 0)]), (-1, right), (-1, down)]
            if construction == "V":
                cells.append((1, square))
            else:
                diagonal = [(0, 0), (1, 1)]
                cells += [(-1, diagonal), (1, [*diagonal, (0, 1)]), (1, [*diagonal, (1, 0)])]
            for i, j in itertools.product(range(h), range(w)):
                for sign, offsets in cells:
                    at = corners(i, j, offsets)
                    euler += sign * (at is not None and all(x[c] <= level for c in at))
        assert sum((-1) ** k for k, birth, death in d if birth <= level < death) == euler


def test_edges_alone_are_stable():
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(2, 5, 6))
    y = x + 0.1 * rng.uniform(size=x.shape)
    d, e = (cell_persistence(None, torch.from_numpy(z), homology_dimensions=(0, 1)) for z in (x, y))
    assert close(d, e, np.abs(x - y).max())


LONG = """
import sys, time
import torch
from topoml.homology import cubical_persistence

torch.set_num_threads(1)
options = eval(sys.argv[1])
small = torch.randn((8,) * options["spatial_dims"])
cubical_persistence(small, **options)  # compiled
x = torch.randn(eval(sys.argv[2]))
print("ready", flush=True)
try:
    while True:
        cubical_persistence(x, **options)
except KeyboardInterrupt:
    print("heard", time.time(), flush=True)
"""


@pytest.mark.parametrize("shape", [(6000, 6000), (160, 160, 160)])
def test_ctrl_c_is_heard_inside_one_large_sample(shape):
    options = {"homology_dimensions": (0, 1), "spatial_dims": len(shape), "periodic": True}
    command = [sys.executable, "-c", LONG, repr(options), repr(shape)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.7)  # it is at work
        sent = time.time()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        ended = time.time()
    finally:
        process.kill()
    word, heard = out.split()
    assert word == "heard"
    assert process.returncode == 0
    assert float(heard) - sent < 1
    assert ended - sent < 5  # no thread works on for long, which the interpreter would wait for
