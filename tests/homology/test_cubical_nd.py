"""cubical_persistence in one, three and four dimensions."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.homology import cubical_persistence
from topoml.kernels.cubical3d import _square, star_tables

from .oracles import INF, cubical, of_diagrams, reduce_boundary


@st.composite
def fields(draw, n_axes, longest, masked=True):
    """Fields with few values (many ties), with many, or masked in places."""
    shape = tuple(draw(st.integers(1, longest)) for _ in range(n_axes))
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


def vertex_cells(x, periodic):
    """Boundary matrix of the cubical complex with vertex values ``x``, any number of axes.

    A cell is its lowest corner and the axes along which it extends; a period of 1 glues its ends.
    """
    n_axes = x.ndim
    cells = {}
    for corner in np.ndindex(x.shape):
        for axes in itertools.chain.from_iterable(
            itertools.combinations(range(n_axes), k) for k in range(n_axes + 1)
        ):
            if any(corner[a] + 1 == x.shape[a] and not periodic[a] for a in axes):
                continue
            values = []
            for shift in itertools.product(*((0, 1) if a in axes else (0,) for a in range(n_axes))):
                values.append(
                    x[tuple((c + s) % n for c, s, n in zip(corner, shift, x.shape, strict=True))]
                )
            sides = []
            for a in axes:
                rest = tuple(b for b in axes if b != a)
                up = tuple(
                    (c + (b == a)) % n for b, (c, n) in enumerate(zip(corner, x.shape, strict=True))
                )
                sides += [(corner, rest), (up, rest)]
            cells[corner, axes] = (max(values), len(axes), sides)
    order = sorted(cells, key=lambda c: (cells[c][0], cells[c][1]))
    number = {c: i for i, c in enumerate(order)}
    return (
        [cells[c][:2] for c in order],
        [[number[s] for s in cells[c][2]] for c in order],
    )


def options(n_axes, **more):
    return {"homology_dimensions": tuple(range(n_axes + 1)), "spatial_dims": n_axes, **more}


def periods(n_axes):
    return st.tuples(*[st.booleans()] * n_axes)


def nd_cubical(x, periodic, construction):
    """Like ``oracles.cubical``, with all dimensions of a 3D or 4D complex."""
    import gudhi

    entry = {"V": "vertices", "T": "top_dimensional_cells"}[construction]
    complex_ = gudhi.PeriodicCubicalComplex(periodic_dimensions=list(periodic), **{entry: x})
    complex_.compute_persistence(homology_coeff_field=2, min_persistence=0)
    return sorted(
        (k, float(b), float(d))
        for k in range(x.ndim + 1)
        for b, d in complex_.persistence_intervals_in_dimension(k)
        if b < d
    )


@settings(max_examples=60)
@given(fields(3, 3), periods(3))
def test_equals_boundary_matrix(x, periodic):
    """Periods of 1 and 2 included."""
    d = cubical_persistence(torch.from_numpy(x), **options(3, periodic=periodic))
    assert of_diagrams(d) == reduce_boundary(*vertex_cells(x, periodic))


@given(fields(3, 7), periods(3), st.sampled_from("VT"), st.booleans())
def test_equals_gudhi(x, periodic, construction, superlevel):
    """Periods of 3 and more, as gudhi's cells coincide below."""
    periodic = tuple(w and n > 2 for w, n in zip(periodic, x.shape, strict=True))
    d = cubical_persistence(
        torch.from_numpy(-x if superlevel else x),
        **options(3, periodic=periodic, construction=construction, superlevel=superlevel),
    )
    assert of_diagrams(d) == nd_cubical(x, periodic, construction)


@given(fields(3, 5, masked=False), periods(3))
def test_top_cells_are_dual_on_the_torus(x, periodic):
    """T(x) in (k, b, d) is V(-x) in (2 - k, -d, -b); an open axis breaks it (control below)."""
    t = of_diagrams(
        cubical_persistence(torch.from_numpy(x), **options(3, periodic=True, construction="T"))
    )
    v = of_diagrams(cubical_persistence(torch.from_numpy(-x), **options(3, periodic=True)))
    turned = [(2 - k, -d, -b) if d < INF else (3 - k, -b, INF) for k, b, d in v]
    assert t == sorted(turned)


def test_duality_needs_the_torus():
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 4, 4)))
    t = of_diagrams(cubical_persistence(x, **options(3, construction="T")))
    v = of_diagrams(cubical_persistence(-x, **options(3)))
    assert t != sorted((2 - k, -d, -b) if d < INF else (3 - k, -b, INF) for k, b, d in v)


@pytest.mark.parametrize("construction", ["V", "T"])
@pytest.mark.parametrize(
    ("periodic", "betti"),
    [((True,) * 3, (1, 3, 3, 1)), ((True, False, True), (1, 2, 1, 0)),
     ((False, True, False), (1, 1, 0, 0)), ((False,) * 3, (1, 0, 0, 0))],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 3), (2, 2, 2), (4, 3, 5)])
def test_betti_numbers_of_the_torus(shape, periodic, betti, construction):
    x = torch.from_numpy(np.random.default_rng(0).normal(size=shape))
    d = cubical_persistence(x, **options(3, periodic=periodic, construction=construction))
    found = torch.bincount(d.essential_dimension, minlength=4).tolist()
    assert tuple(found) == betti
    assert (d.essential[d.essential_dimension == 0] == x.min()).all()


@given(fields(3, 6, masked=False), periods(3), st.sampled_from("VT"), st.booleans())
def test_indices_and_ties(x, periodic, construction, superlevel):
    """Indices reproduce values; the pairs are those of the ranks by (value, linear index)."""
    more = {"periodic": periodic, "construction": construction}
    d = cubical_persistence(torch.from_numpy(x), superlevel=superlevel, **options(3, **more))
    flat = torch.from_numpy(x).reshape(-1)
    assert torch.equal(flat[torch.stack([d.birth_index, d.death_index], 1)], d.points)
    assert torch.equal(flat[d.essential_index], d.essential)
    signed = -x if superlevel else x
    ranks = np.empty(x.size)
    ranks[np.argsort(signed.reshape(-1) + 0.0, kind="stable")] = np.arange(x.size)
    r = cubical_persistence(torch.from_numpy(ranks.reshape(x.shape)), **options(3, **more))
    pairs = zip(r.dimension.tolist(), r.birth_index.tolist(), r.death_index.tolist(), strict=True)
    expected = sorted((k, b, e) for k, b, e in pairs if flat[b] != flat[e])
    found = zip(d.dimension.tolist(), d.birth_index.tolist(), d.death_index.tolist(), strict=True)
    assert sorted(found) == expected


@given(fields(3, 6, masked=False), periods(3), st.sampled_from("VT"))
def test_some_dimensions(x, periodic, construction):
    """Each dimension alone is what it is among all of them."""
    more = {"periodic": periodic, "construction": construction, "spatial_dims": 3}
    together = of_diagrams(
        cubical_persistence(torch.from_numpy(x), homology_dimensions=(0, 1, 2, 3), **more)
    )
    for k in range(4):
        d = cubical_persistence(torch.from_numpy(x), homology_dimensions=(k,), **more)
        assert of_diagrams(d) == [c for c in together if c[0] == k]


@given(fields(3, 5, masked=False), st.sampled_from("VT"))
def test_euler_characteristic(x, construction):
    """At every level, that of the cells: a count without any homology."""
    d = of_diagrams(
        cubical_persistence(
            torch.from_numpy(x), **options(3, periodic=False, construction=construction)
        )
    )
    for level in np.unique(x):
        alive = sum((-1) ** k for k, b, e in d if b <= level < e)
        inside = x <= level
        euler = 0
        for axes in itertools.product((0, 1), repeat=3):
            if construction == "V":  # a cell needs all its vertices
                cells = inside
                for a in range(3):
                    if axes[a]:
                        low = np.arange(cells.shape[a] - 1)
                        cells = cells.take(low, a) & cells.take(low + 1, a)
                euler += (-1) ** sum(axes) * int(cells.sum())
            else:  # a cell needs one of the cubes around it; axes: where it is thin
                cells = inside
                for a in range(3):
                    if axes[a]:
                        width = [(0, 0)] * 3
                        width[a] = (1, 1)
                        wide = np.pad(cells, width)
                        n = wide.shape[a]
                        cells = wide.take(range(n - 1), a) | wide.take(range(1, n), a)
                euler += (-1) ** (3 - sum(axes)) * int(cells.sum())
        assert alive == euler


def test_translations_and_the_point_group():
    """The diagrams of a field on the torus know neither an origin nor an axis."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4, 5, 6))
    for construction in "VT":
        more = options(3, periodic=True, construction=construction)
        expected = of_diagrams(cubical_persistence(torch.from_numpy(x), **more))
        for moved in (np.roll(x, (1, 2, 3), (0, 1, 2)), x[::-1, :, ::-1], x.transpose(2, 0, 1)):
            d = cubical_persistence(torch.from_numpy(moved.copy()), **more)
            assert of_diagrams(d) == expected
        other = rng.permutation(x.reshape(-1)).reshape(x.shape)
        assert of_diagrams(cubical_persistence(torch.from_numpy(other), **more)) != expected


@pytest.mark.parametrize("construction", ["V", "T"])
def test_gradient(construction):
    rng = np.random.default_rng(2)
    x = torch.from_numpy(rng.permutation(54).astype(float).reshape(2, 3, 3, 3)).requires_grad_()

    def functional(x):
        d = cubical_persistence(
            x, **options(3, periodic=(True, False, True), construction=construction)
        )
        return (d.lifetime**2).sum() + (d.essential**3).sum()

    assert torch.autograd.gradcheck(functional, (x,), eps=1e-3, atol=1e-2)


@pytest.mark.parametrize("construction", ["V", "T"])
def test_batch_and_threads(construction):
    x = torch.from_numpy(np.random.default_rng(3).normal(size=(2, 9, 6, 5, 4)))
    more = options(3, periodic=(True, True, False), construction=construction)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = cubical_persistence(x, **more)
        torch.set_num_threads(4)
        four = cubical_persistence(x, **more)
    finally:
        torch.set_num_threads(before)
    assert one.batch_shape == (2, 9)
    for name in ("points", "birth_index", "death_index", "dimension", "sample", "essential_index"):
        assert torch.equal(getattr(one, name), getattr(four, name))
    alone = cubical_persistence(x[1, 7], **more)
    assert of_diagrams(one[1, 7]) == of_diagrams(alone)
    assert torch.equal(one[1, 7].birth_index, alone.birth_index)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_dtypes(dtype):
    x = torch.from_numpy(np.random.default_rng(4).normal(size=(5, 5, 5))).to(dtype)
    d = cubical_persistence(x, **options(3))
    assert d.points.dtype == dtype
    assert of_diagrams(d) == of_diagrams(cubical_persistence(x.double(), **options(3)))


def test_spins():
    """Fields of two values are nothing but plateaus, along which the gradient runs far."""
    x = np.random.default_rng(5).choice([-1.0, 1.0], (20, 23, 26))
    for construction in "VT":
        d = cubical_persistence(torch.from_numpy(x), **options(3, construction=construction))
        assert of_diagrams(d) == nd_cubical(x, (False,) * 3, construction)


@pytest.mark.parametrize("construction", ["V", "T"])
def test_large(construction):
    """More loops than 64 * 64: sets of them have two levels, and arrays grow."""
    x = np.random.default_rng(6).normal(size=(30, 32, 34))
    d = cubical_persistence(
        torch.from_numpy(x), **options(3, periodic=True, construction=construction)
    )
    assert (d.dimension == 1).sum() > 4096
    assert of_diagrams(d) == nd_cubical(x, (True,) * 3, construction)


class TestOneDimension:
    @given(fields(1, 9), st.booleans(), st.booleans(), st.sampled_from("VT"))
    def test_equals_boundary_matrix(self, x, periodic, superlevel, construction):
        d = cubical_persistence(
            torch.from_numpy(-x if superlevel else x),
            **options(1, periodic=periodic, superlevel=superlevel),
        )
        assert of_diagrams(d) == reduce_boundary(*vertex_cells(x, (periodic,)))
        if construction == "T" and x.size > 2:
            t = cubical_persistence(
                torch.from_numpy(x), **options(1, periodic=periodic, construction="T")
            )
            assert of_diagrams(t) == cubical(x, (periodic,), "T")

    def test_batch(self):
        x = torch.tensor([[0.0, 3.0, 1.0], [2.0, 0.0, 5.0]])
        d = cubical_persistence(x, **options(1))
        assert d.points.tolist() == [[1.0, 3.0]]
        assert d.birth_index.tolist() == [2]
        assert d.essential.tolist() == [0.0, 0.0]


class TestFourDimensions:
    @settings(max_examples=25)
    @given(fields(4, 2), st.just((False,) * 4))
    def test_equals_boundary_matrix(self, x, periodic):
        d = cubical_persistence(torch.from_numpy(x), **options(4, periodic=periodic))
        assert of_diagrams(d) == reduce_boundary(*vertex_cells(x, periodic))

    @settings(max_examples=25)
    @given(fields(4, 4), periods(4), st.sampled_from("VT"), st.booleans())
    def test_indices(self, x, periodic, construction, superlevel):
        periodic = tuple(w and n > 2 for w, n in zip(periodic, x.shape, strict=True))
        x = -x if superlevel else x
        more = {"periodic": periodic, "construction": construction, "superlevel": superlevel}
        d = cubical_persistence(torch.from_numpy(x), **options(4, **more))
        flat = torch.from_numpy(x).reshape(-1)
        assert torch.equal(flat[torch.stack([d.birth_index, d.death_index], 1)], d.points)
        assert torch.equal(flat[d.essential_index], d.essential)
        assert of_diagrams(d) == nd_cubical(-x if superlevel else x, periodic, construction)

    def test_torus(self):
        x = torch.randn(2, 3, 3, 1, 4, generator=torch.Generator().manual_seed(0))
        d = cubical_persistence(x, **options(4, periodic=True))
        found = torch.bincount(d.essential_dimension, minlength=5)
        assert found.tolist() == [2, 8, 12, 8, 2]

    def test_period_of_two(self):
        with pytest.raises(InputError, match="`x` has a period of 2 along spatial axis 1"):
            cubical_persistence(torch.zeros(3, 2, 3, 3), **options(4, periodic=True))


def test_tables_match_perfectly():
    """Of every lower star: as many critical cells as its link has homology, no cell twice."""
    way, used, reach, left = star_tables()
    for cubes in range(256):
        matched = sum(1 for c in way[cubes] if c < 3)
        assert bin(used[cubes]).count("1") == matched
        assert (way[cubes] == 3).sum() == (cubes == 255)
    for squares in range(4096):
        joined = {int(k) for k in reach[squares] if k < 12}
        remaining = {k for k in range(12) if left[squares] >> k & 1}
        assert not joined & remaining
        assert joined | remaining == {k for k in range(12) if squares >> k & 1}
        # independent cycles: edges - vertices + components
        parent = list(range(6))
        for k in range(12):
            if squares >> k & 1:
                _, a, b = _square(k)
                while parent[a] != a:
                    a = parent[a]
                while parent[b] != b:
                    b = parent[b]
                parent[a] = b
        components = sum(parent[d] == d for d in range(6))
        assert len(remaining) == bin(squares).count("1") - 6 + components


@pytest.mark.parametrize("at", [0, 37, 39])
def test_nan_in_any_chunk(at):
    """Of a batch that is shared among threads."""
    x = torch.zeros(40, 3, 4, 5)
    x[at, 2, 1, 0] = torch.nan
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with pytest.raises(InputError, match=rf"`x` is NaN at \({at}, 2, 1, 0\)"):
            cubical_persistence(x, **options(3))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("x", "more", "words"),
    [
        (torch.zeros(3, 3), options(3), r"`x` has shape \(3, 3\); expected \(\*batch, D, H, W\)"),
        (torch.zeros(3), options(1, construction="F"), "'F'; expected .* in 1D"),
        (torch.zeros(3, 3, 3), options(3, construction="F"), '"V" or "T" in 3D'),
        (torch.zeros(3, 3, 3), options(3, periodic=(True, True)), "expected a bool, or 3 bools"),
        (torch.zeros(3, 3, 3), options(5), "`spatial_dims` is 5; expected 1, 2, 3 or 4"),
        (torch.tensor([[[1.0, torch.nan]]]), options(3), r"`x` is NaN at \(0, 0, 1\)"),
        (torch.full((1, 1, 1, 1), torch.nan), options(4), r"`x` is NaN at \(0, 0, 0, 0\)"),
        (torch.zeros(2, 0, 3), options(3), "no entry at all"),
    ],
)
def test_bad_input(x, more, words):
    with pytest.raises(InputError, match=words):
        cubical_persistence(x, **more)
