"""cubical_persistence against gudhi and against boundary matrices."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.homology import Diagrams, cubical_persistence

from .oracles import cubical, freudenthal, lattice_cells, of_diagrams, reduce_boundary

ALL = (0, 1, 2)


@st.composite
def fields(draw, max_height=12, max_width=17, masked=True):
    """Fields with few values (many ties), with many, or masked in places."""
    shape = (draw(st.integers(1, max_height)), draw(st.integers(1, max_width)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["ties", "signs", "normal", "masked"]))
    if kind == "ties":
        x = rng.integers(0, draw(st.integers(1, 9)) + 1, shape).astype(float)
    elif kind == "signs":
        x = rng.choice([-1.0, -0.0, 0.0, 1.0], shape)
    else:
        x = rng.normal(size=shape)
        if kind == "masked" and masked:
            x[rng.random(shape) < 0.15] = np.inf
            x[rng.random(shape) < 0.05] = -np.inf
    return x


periods = st.tuples(st.booleans(), st.booleans())


@given(fields(), periods, st.sampled_from("VT"), st.booleans())
def test_equals_gudhi(x, periodic, construction, superlevel):
    d = cubical_persistence(
        torch.from_numpy(-x if superlevel else x),
        homology_dimensions=ALL,
        periodic=periodic,
        construction=construction,
        superlevel=superlevel,
    )
    assert of_diagrams(d) == cubical(x, periodic, construction)


@given(fields())
def test_freudenthal_equals_simplex_tree(x):
    d = cubical_persistence(torch.from_numpy(x), homology_dimensions=ALL, construction="F")
    assert of_diagrams(d) == [c for c in freudenthal(x) if c[1] < np.inf]


def vertex_filtration(x, construction, periodic):
    """Cells of the V or F complex of x with the values of their largest vertices."""
    down, right = np.roll(x, -1, 0), np.roll(x, -1, 1)
    corner = np.roll(down, -1, 1)
    edge = np.stack([np.maximum(x, down), np.maximum(x, right)])
    if construction == "V":
        face = np.max([x, down, right, corner], axis=0)
        return lattice_cells(x, edge, face, periodic)
    triangles = (np.max([x, down, corner], axis=0), np.max([x, right, corner], axis=0))
    return lattice_cells(x, edge, triangles, periodic, np.maximum(x, corner))


@given(fields(4, 5), periods, st.sampled_from("VF"))
def test_equals_boundary_matrix(x, periodic, construction):
    """The periodic Freudenthal complex has no other oracle; periods of 1 and 2 included."""
    d = cubical_persistence(
        torch.from_numpy(x), homology_dimensions=ALL, periodic=periodic, construction=construction
    )
    assert of_diagrams(d) == reduce_boundary(*vertex_filtration(x, construction, periodic))


@given(fields(masked=False), periods, st.sampled_from("VTF"), st.booleans())
def test_indices_reproduce_values(x, periodic, construction, superlevel):
    d = cubical_persistence(
        torch.from_numpy(x),
        homology_dimensions=ALL,
        periodic=periodic,
        construction=construction,
        superlevel=superlevel,
    )
    flat = torch.from_numpy(x).reshape(-1)
    assert torch.equal(flat[torch.stack([d.birth_index, d.death_index], 1)], d.points)
    assert torch.equal(flat[d.essential_index], d.essential)


def simulate_tie_breaking(x):
    """Ranks by (value, linear index), which are free of ties."""
    rank = np.empty(x.size)
    rank[np.argsort(x.reshape(-1), kind="stable")] = np.arange(x.size)
    return rank.reshape(x.shape)


@given(fields(masked=False), periods, st.sampled_from("VTF"), st.booleans())
def test_ties_go_by_linear_index(x, periodic, construction, superlevel):
    """The pairs of x are those of its ranks, less the ones of equal value, index by index."""
    options = {
        "homology_dimensions": ALL,
        "periodic": periodic,
        "construction": construction,
    }
    d = cubical_persistence(torch.from_numpy(x), superlevel=superlevel, **options)
    ranks = simulate_tie_breaking(-x if superlevel else x)
    r = cubical_persistence(torch.from_numpy(ranks), **options)
    flat = x.reshape(-1)
    expected = {
        (k, b, e)
        for k, b, e in zip(
            r.dimension.tolist(), r.birth_index.tolist(), r.death_index.tolist(), strict=True
        )
        if flat[b] != flat[e]
    }
    found = list(
        zip(d.dimension.tolist(), d.birth_index.tolist(), d.death_index.tolist(), strict=True)
    )
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert torch.equal(d.essential_index, r.essential_index)


@pytest.mark.parametrize("construction", ["V", "T"])
@given(fields(7, 8, masked=False))
def test_duality_of_vertices_and_squares(construction, x):
    """T(x) in (k, b, d) is V(-x) in (1 - k, -d, -b) on the torus."""
    other = {"V": "T", "T": "V"}[construction]
    a = cubical_persistence(
        torch.from_numpy(x), homology_dimensions=ALL, periodic=True, construction=construction
    )
    b = cubical_persistence(
        torch.from_numpy(-x), homology_dimensions=ALL, periodic=True, construction=other
    )
    ours = sorted(zip(a.dimension.tolist(), a.points.tolist(), strict=True))
    dual = sorted(
        (1 - k, [-death, -birth])
        for k, (birth, death) in zip(b.dimension.tolist(), b.points.tolist(), strict=True)
    )
    assert ours == dual


@given(fields(7, 8), periods, st.sampled_from("VTF"))
def test_dimensions_alone_and_in_any_order(x, periodic, construction):
    options = {"periodic": periodic, "construction": construction}
    x = torch.from_numpy(x)
    whole = of_diagrams(cubical_persistence(x, homology_dimensions=ALL, **options))
    for wanted in itertools.chain(*(itertools.permutations(ALL, n) for n in (1, 2))):
        d = cubical_persistence(x, homology_dimensions=wanted, **options)
        assert d.homology_dimensions == wanted
        assert of_diagrams(d) == [c for c in whole if c[0] in wanted]


@pytest.mark.parametrize("batch_shape", [(), (1,), (5,), (2, 3), (2, 1, 2)])
def test_batches_are_samples_one_by_one(batch_shape):
    x = torch.randn(*batch_shape, 6, 9, generator=torch.Generator().manual_seed(0))
    d = cubical_persistence(x, homology_dimensions=ALL, periodic=True)
    assert d.batch_shape == batch_shape
    for index in itertools.product(*map(range, batch_shape)):
        alone = cubical_persistence(x[index], homology_dimensions=ALL, periodic=True)
        assert_same(d[index] if index else d, alone)


def assert_same(a: Diagrams, b: Diagrams):
    assert (a.batch_shape, a.homology_dimensions) == (b.batch_shape, b.homology_dimensions)
    for name in ("points", "dimension", "sample", "birth_index", "death_index", "essential",
                 "essential_dimension", "essential_sample", "essential_index"):  # fmt: skip
        assert torch.equal(getattr(a, name), getattr(b, name)), name


def test_thread_count_changes_nothing():
    x = torch.randn(37, 16, 16, generator=torch.Generator().manual_seed(1))
    threads = torch.get_num_threads()
    try:
        results = []
        for n in (1, 2, 5):
            torch.set_num_threads(n)
            results.append(cubical_persistence(x, homology_dimensions=ALL, periodic=True))
    finally:
        torch.set_num_threads(threads)
    assert_same(results[0], results[1])
    assert_same(results[0], results[2])


def test_rows_are_sorted():
    x = torch.randn(9, 8, 8, generator=torch.Generator().manual_seed(2))
    d = cubical_persistence(x, homology_dimensions=(1, 0, 2), periodic=True)
    for sample, dimension in (
        (d.sample, d.dimension),
        (d.essential_sample, d.essential_dimension),
    ):
        key = sample * 3 + dimension
        assert torch.equal(key, key.sort().values)


@pytest.mark.parametrize("construction", ["V", "T", "F"])
@pytest.mark.parametrize("superlevel", [False, True])
def test_gradient_of_births_deaths_and_essential_births(construction, superlevel):
    x = torch.randperm(2 * 5 * 6, generator=torch.Generator().manual_seed(3)).double()
    x = x.reshape(2, 5, 6).requires_grad_()

    def values(x):
        d = cubical_persistence(
            x, homology_dimensions=ALL, periodic=(True, False), construction=construction,
            superlevel=superlevel,
        )  # fmt: skip
        return d.points, d.essential

    assert torch.autograd.gradcheck(values, (x,))


def test_gradient_goes_to_the_entries_of_the_indices():
    x = torch.tensor([[0.0, 3.0, 1.0]], requires_grad=True)
    d = cubical_persistence(x, homology_dimensions=(0,))
    (d.lifetime.sum() + 10 * d.essential.sum()).backward()
    assert x.grad.tolist() == [[10.0, 1.0, -1.0]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtypes(dtype):
    x = torch.randn(3, 9, 9, generator=torch.Generator().manual_seed(4)).to(dtype)
    d = cubical_persistence(x.requires_grad_(), homology_dimensions=ALL, periodic=True)
    assert d.points.dtype == d.essential.dtype == dtype
    exact = cubical_persistence(x.double(), homology_dimensions=ALL, periodic=True)
    assert torch.equal(d.points.double(), exact.points)
    assert torch.equal(d.birth_index, exact.birth_index)
    d.lifetime.sum().backward()
    assert x.grad.dtype == dtype


def test_strided_input():
    x = torch.randn(7, 9, 4, generator=torch.Generator().manual_seed(5)).permute(2, 1, 0)
    d = cubical_persistence(x, homology_dimensions=ALL)
    assert_same(d, cubical_persistence(x.contiguous(), homology_dimensions=ALL))


@pytest.mark.parametrize("spread", [1e-300, 1e-12, 1.0, 1e300])
def test_values_that_share_their_leading_bits(spread):
    """The sort looks at the leading bits first; what they leave must be put right."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=(48, 48)) * spread
    x[0, 0] = 1e305
    d = cubical_persistence(torch.from_numpy(x), homology_dimensions=ALL, periodic=True)
    assert of_diagrams(d) == cubical(x, (True, True), "V")
    y = (1.0 + 1e-13 * rng.integers(0, 50, size=(64, 64))).astype(float)
    y[3, 3] = -1e300
    d = cubical_persistence(torch.from_numpy(y), homology_dimensions=ALL, periodic=True)
    assert of_diagrams(d) == cubical(y, (True, True), "V")


@pytest.mark.parametrize("shape", [(40, 60), (130, 70)])
def test_larger_fields(shape):
    x = np.random.default_rng(7).normal(size=shape)
    for periodic in itertools.product([False, True], repeat=2):
        d = cubical_persistence(torch.from_numpy(x), homology_dimensions=ALL, periodic=periodic)
        assert of_diagrams(d) == cubical(x, periodic, "V")


GOOD = torch.zeros(2, 4, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": GOOD.long()}, r"`x` has dtype torch.int64; expected a floating dtype. Cure"),
        ({"x": GOOD.numpy()}, r"`x` is ndarray; expected a torch.Tensor"),
        ({"x": GOOD.to(torch.complex64)}, r"`x` has dtype torch.complex64; expected"),
        ({"x": torch.zeros(4)}, r"`x` has shape \(4,\); expected \(\*batch, H, W\)"),
        ({"x": torch.zeros(0, 4, 4)}, r"`x` has shape \(0, 4, 4\), no entry at all"),
        ({"x": torch.zeros(2, 0, 4)}, r"`x` has shape \(2, 0, 4\), no entry at all"),
        ({"x": GOOD.index_fill(1, torch.tensor(2), float("nan"))}, r"`x` is NaN at \(0, 2, 0\)"),
        ({"periodic": (True,)}, r"`periodic` is \(True,\); expected a bool, or 2 bools"),
        ({"periodic": (1, 0)}, r"`periodic` is \(1, 0\)"),
        ({"periodic": "yes"}, r"`periodic` is 'yes'"),
        ({"construction": "W"}, r"`construction` is 'W'"),
        ({"homology_dimensions": 1}, r"`homology_dimensions` is 1; expected a sequence"),
        ({"homology_dimensions": ()}, r"`homology_dimensions` is \(\)"),
        ({"homology_dimensions": (0, 3)}, r"`homology_dimensions` is \(0, 3\)"),
        ({"homology_dimensions": (0, 0)}, r"`homology_dimensions` is \(0, 0\)"),
        ({"homology_dimensions": (True,)}, r"`homology_dimensions` is \(True,\)"),
        ({"spatial_dims": 5}, r"`spatial_dims` is 5; expected 1, 2, 3 or 4"),
        ({"superlevel": 1}, r"`superlevel` is 1"),
    ],
)
def test_bad_input(change, message):
    arguments = {"x": GOOD, "homology_dimensions": (0, 1)} | change
    x = arguments.pop("x")
    with pytest.raises(InputError, match="^" + message) as error:
        cubical_persistence(x, **arguments)
    assert "\n" not in str(error.value)
