"""Representatives against the definition: linear algebra over Z/2, and scipy's components."""

import math

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.homology import cubical_persistence, representative

INF = math.inf
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
BLOCK = np.ones((3, 3), int)


def smooth(shape, seed, dtype=torch.float64):
    x = np.random.default_rng(seed).normal(size=shape)
    x = scipy.ndimage.gaussian_filter(x, 1.5, mode="wrap")
    return torch.from_numpy(x / x.std()).to(dtype)


def noise(shape, seed, levels=None, masks=0):
    """Normal values, or integers with many ties; some entries masked."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape) if levels is None else rng.integers(levels, size=shape) * 1.0
    x.flat[rng.choice(x.size, masks, replace=False)] = INF
    return torch.from_numpy(x)


def rank_of(x):
    """Rank of each entry in the order (value, linear index)."""
    flat = x.reshape(-1).numpy()
    rank = np.empty(flat.size, int)
    rank[np.argsort(flat, kind="stable")] = np.arange(flat.size)
    return rank


def complex_of(shape, wrap, construction):
    """Edges and two-cells between sites, as bitmasks: {(a, b): edge}, boundaries of the two-cells.

    V: the square lattice. T: the nerve of the pixels, all pairs and triples of a 2 x 2 block. No
    periodic axis is shorter than 4.
    """
    h, w = shape
    blocks = []
    edges = set()
    for i in range(h):
        for j in range(w):
            for di, dj in ((0, 1), (1, 0)):
                if (i + di < h or wrap[0]) and (j + dj < w or wrap[1]):
                    edges.add(frozenset((i * w + j, (i + di) % h * w + (j + dj) % w)))
            if (i + 1 < h or wrap[0]) and (j + 1 < w or wrap[1]):
                down, right = (i + 1) % h, (j + 1) % w
                blocks.append((i * w + j, i * w + right, down * w + right, down * w + j))
    cells = []
    if construction == "V":
        cells = [[frozenset((b[k], b[(k + 1) % 4])) for k in range(4)] for b in blocks]
    else:
        for b in blocks:
            edges |= {frozenset((p, q)) for p in b for q in b if p != q}
            triples = [tuple(q for q in b if q != p) for p in b]
            cells += [[frozenset((t[k], t[(k + 1) % 3])) for k in range(3)] for t in triples]
    number = {e: n for n, e in enumerate(sorted(map(tuple, map(sorted, edges))))}
    number = {frozenset(e): n for e, n in number.items()}
    two = [(frozenset().union(*c), sum(1 << number[e] for e in c)) for c in cells]
    return number, two


class Span:
    """A subspace of Z/2 vectors held as integers."""

    def __init__(self):
        self.pivot = {}

    def reduce(self, vector):
        while vector and vector.bit_length() in self.pivot:
            vector ^= self.pivot[vector.bit_length()]
        return vector

    def add(self, vector):
        vector = self.reduce(vector)
        if vector:
            self.pivot[vector.bit_length()] = vector
        return bool(vector)


def cycles_within(number, allowed, n_sites):
    """A basis of the cycles of the graph on the allowed sites, from a spanning forest."""
    path = {}  # of each site to its root
    adjacent = {}
    for e, n in number.items():
        a, b = e
        if allowed[a] and allowed[b]:
            adjacent.setdefault(a, []).append((b, n))
            adjacent.setdefault(b, []).append((a, n))
    found = []
    for root in range(n_sites):
        if not allowed[root] or root in path:
            continue
        path[root] = 0
        queue = [root]
        for site in queue:
            for other, n in adjacent.get(site, ()):
                if other not in path:
                    path[other] = path[site] ^ 1 << n
                    queue.append(other)
                else:
                    found.append(path[other] ^ path[site] ^ 1 << n)
    return found


def check_cycle(x, wrap, construction, cell, loops, death):
    """The class is born at ``cell`` and ends at ``death``, by linear algebra; None: never."""
    rank = rank_of(x)
    number, two = complex_of(x.shape, wrap, construction)
    cycle = 0
    for loop in loops:
        loop = loop.tolist()
        for a, b in zip(loop, loop[1:] + loop[:1], strict=True):
            edge = frozenset((a, b))
            assert edge in number, "two sites in a row are no neighbours"
            cycle ^= 1 << number[edge]
            assert max(rank[a], rank[b]) <= rank[cell]
    older = Span()
    for vector in cycles_within(number, rank < rank[cell], rank.size):
        older.add(vector)
    finite = x.reshape(-1).numpy() < INF
    late = []
    last = -1 if death is None else rank[death]
    for sites, boundary in two:
        at = max(rank[s] for s in sites)
        if all(finite[s] for s in sites) and (death is None or at < last):
            older.add(boundary)
        elif at == last:
            late.append(boundary)
    assert older.reduce(cycle), "dies, or is born, too early"
    if death is not None:
        for boundary in late:
            older.add(boundary)
        assert not older.reduce(cycle), "lives on"
    return cycle, older


WRAPS = [(False, False), (True, True), (True, False), (False, True)]


@pytest.mark.parametrize("construction", ["V", "T"])
@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("case", ["normal", "smooth", "ties", "masks", "masked ties"])
def test_cycles_by_the_definition(case, wrap, construction):
    for seed in range(6):
        shape = ((5, 6), (7, 4), (6, 6))[seed % 3]
        x = {
            "normal": lambda: noise(shape, seed),  # noqa: B023
            "smooth": lambda: smooth(shape, seed),  # noqa: B023
            "ties": lambda: noise(shape, seed, levels=3),  # noqa: B023
            "masks": lambda: noise(shape, seed, masks=5),  # noqa: B023
            "masked ties": lambda: noise(shape, seed, levels=3, masks=6),  # noqa: B023
        }[case]()
        options = {"periodic": wrap, "construction": construction}
        d = cubical_persistence(x, homology_dimensions=(1,), **options)
        by_birth = {}
        for row in range(len(d.points)):
            found = representative(x, d, row, **options)
            birth, death = int(d.birth_index[row]), int(d.death_index[row])
            assert found.sites.reshape(-1)[birth]
            check_cycle(x, wrap, construction, birth, found.loops, death)
        for row in range(len(d.essential)):
            found = representative(x, d, row, essential=True, **options)
            birth = int(d.essential_index[row])
            assert found.sites.reshape(-1)[birth]
            cycle, older = check_cycle(x, wrap, construction, birth, found.loops, None)
            by_birth.setdefault(birth, [older]).append(cycle)
        for older, *cycles in by_birth.values():  # several at one saddle: independent
            assert all(older.add(cycle) for cycle in cycles)


def test_a_saddle_of_several_essential_classes():
    """All ties but the masked sites: one entry begins more than one of them."""
    x = torch.zeros(6, 6, dtype=torch.float64)
    x[1::3, 1::3] = INF
    x[0, 0] = 1.0
    for wrap in WRAPS:
        for construction in "VT":
            options = {"periodic": wrap, "construction": construction}
            d = cubical_persistence(x, homology_dimensions=(1,), **options)
            span = {}
            for row in range(len(d.essential)):
                found = representative(x, d, row, essential=True, **options)
                birth = int(d.essential_index[row])
                cycle, older = check_cycle(x, wrap, construction, birth, found.loops, None)
                assert span.setdefault(birth, older).add(cycle)


@pytest.mark.parametrize("construction", ["V", "T"])
@pytest.mark.parametrize("superlevel", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_components_by_scipy(construction, superlevel, dtype):
    x = smooth((14, 17), 1, dtype)
    d = cubical_persistence(
        x, homology_dimensions=(0,), construction=construction, superlevel=superlevel
    )
    f = (-x if superlevel else x).double()
    structure = CROSS if construction == "V" else BLOCK
    for row in range(len(d.points)):
        found = representative(x, d, row, construction=construction)
        label, _ = scipy.ndimage.label(f < f.view(-1)[d.death_index[row]], structure)
        mine = label.flat[int(d.birth_index[row])]
        assert mine > 0
        np.testing.assert_array_equal(found.sites.numpy(), label == mine)
        assert found.loops == ()
        assert found.dimension == 0
    whole = representative(x, d, 0, essential=True, construction=construction)
    assert whole.sites.all()


@pytest.mark.parametrize("construction", ["V", "T"])
def test_essential_components_of_a_masked_field(construction):
    x = smooth((9, 11), 4)
    x[:, 4] = INF
    d = cubical_persistence(x, homology_dimensions=(0,), construction=construction)
    assert len(d.essential) == 2
    for row in range(2):
        found = representative(x, d, row, essential=True, construction=construction).sites
        left = int(d.essential_index[row]) % 11 < 4
        expected = np.zeros((9, 11), bool)
        expected[:, slice(0, 4) if left else slice(5, None)] = True
        np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("construction", ["V", "T"])
def test_a_cycle_separates_its_death_from_the_outside(construction):
    """Closed loops of neighbours at or below the birth; scipy cannot get out without crossing."""
    x = smooth((20, 23), 2)
    d = cubical_persistence(x, homology_dimensions=(1,), construction=construction)
    assert len(d.points) > 3
    step = 1 if construction == "V" else math.sqrt(2)
    for row in range(len(d.points)):
        found = representative(x, d, row, construction=construction)
        birth, death = d.points[row].tolist()
        assert found.sites.reshape(-1)[int(d.birth_index[row])]
        assert x[found.sites].max() == birth < death
        for loop in found.loops:
            sites = torch.stack([loop // 23, loop % 23], 1).double()
            steps = (sites.roll(-1, 0) - sites).norm(dim=1)
            assert steps.min() >= 1
            assert steps.max() <= step
        free, _ = scipy.ndimage.label(
            np.pad(~found.sites.numpy(), 1, constant_values=True),
            BLOCK if construction == "V" else CROSS,
        )
        i, j = divmod(int(d.death_index[row]), 23)
        assert free[i + 1, j + 1] not in (0, free[0, 0])


def test_a_hole_with_an_island():
    """The hole round an island dies with its outer and inner loop together."""
    x = torch.zeros(9, 9)
    x[1:8, 1:8] = 5.0
    x[3:6, 3:6] = 1.0
    x[4, 4] = 9.0
    x[3, 4] = 4.0  # while it is out, the hole and the peak are one
    d = cubical_persistence(x, homology_dimensions=(1,))
    assert d.points.tolist() == [[0.0, 9.0], [4.0, 5.0]] or d.points.tolist() == [
        [4.0, 5.0],
        [0.0, 9.0],
    ]
    row = int((d.points[:, 0] == 4.0).nonzero())
    found = representative(x, d, row)
    assert sorted(len(loop) for loop in found.loops) == [8, 32]
    check_cycle(x.double(), (False, False), "V", 3 * 9 + 4, found.loops, int(d.death_index[row]))


@pytest.mark.parametrize("construction", ["V", "T"])
def test_loops_round_the_torus_are_shortest(construction):
    """A field that prefers nothing: straight loops of the lattice's length."""
    x = torch.arange(30.0).reshape(5, 6)
    d = cubical_persistence(x, homology_dimensions=(1,), periodic=True, construction=construction)
    lengths = [
        len(representative(x, d, row, essential=True, periodic=True, construction=construction)
            .loops[0])
        for row in range(2)
    ]  # fmt: skip
    assert sorted(lengths) == [5, 6]


@pytest.mark.parametrize("construction", ["V", "T"])
@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (2, 5), (2, 2), (1, 1), (1, 2)])
@pytest.mark.parametrize("wrap", WRAPS)
def test_short_periods(shape, wrap, construction):
    """Loops stay in the sublevel set and hold their birth; nothing is refused."""
    x = noise(shape, 0)
    options = {"periodic": wrap, "construction": construction}
    d = cubical_persistence(x, homology_dimensions=(0, 1), **options)
    flat = x.reshape(-1)
    for essential, index in ((False, d.birth_index), (True, d.essential_index)):
        for row, birth in enumerate(index.tolist()):
            found = representative(x, d, row, essential=essential, **options)
            assert found.sites.reshape(-1)[birth]
            for loop in found.loops:
                assert birth in loop.tolist() or len(found.loops) > 1
                assert (flat[loop] <= flat[birth]).all()


@given(
    x=st.integers(0, 2**31), h=st.integers(4, 6), w=st.integers(4, 6),
    wrap=st.sampled_from(WRAPS), construction=st.sampled_from("VT"), levels=st.integers(2, 9),
)  # fmt: skip
@settings(max_examples=40)
def test_superlevel_is_the_sublevel_of_minus_x(x, h, w, wrap, construction, levels):
    x = noise((h, w), x, levels=levels)
    options = {"periodic": wrap, "construction": construction}
    down = cubical_persistence(x, homology_dimensions=(0, 1), superlevel=True, **options)
    up = cubical_persistence(-x, homology_dimensions=(0, 1), **options)
    for essential, n in ((False, len(up.points)), (True, len(up.essential))):
        for row in range(n):
            a = representative(x, down, row, essential=essential, **options)
            b = representative(-x, up, row, essential=essential, **options)
            assert torch.equal(a.sites, b.sites)
            assert [loop.tolist() for loop in a.loops] == [loop.tolist() for loop in b.loops]


def test_sites_are_those_of_the_loops():
    x = smooth((16, 16), 3)
    d = cubical_persistence(x, homology_dimensions=(1,), periodic=True)
    for row in range(len(d.points)):
        found = representative(x, d, row, periodic=True)
        on = torch.zeros(256, dtype=torch.bool)
        on[torch.cat(found.loops)] = True
        assert torch.equal(on.reshape(16, 16), found.sites)
        assert all(loop.dtype == torch.int64 for loop in found.loops)


def test_with_a_gradient():
    x = noise((6, 6), 0).requires_grad_()
    d = cubical_persistence(x, homology_dimensions=(0, 1))
    assert representative(x, d, 0).sites.dtype == torch.bool


X = noise((8, 8), 0)
D = cubical_persistence(X, homology_dimensions=(0, 1, 2), periodic=True)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"x": X[None]}, r"`x` has shape \(1, 8, 8\)"),
        ({"x": X[0]}, "`x` has shape"),
        ({"x": X.long()}, "`x` has dtype"),
        ({"x": X.numpy()}, "`x` is ndarray"),
        ({"x": X.clone().fill_(math.nan)}, "`x` is NaN"),
        ({"x": -X}, "`diagrams` has"),
        ({"x": X[:2, :2]}, "`diagrams` has"),
        ({"diagrams": None}, "`diagrams` is NoneType"),
        ({"diagrams": cubical_persistence(X[None], homology_dimensions=(0,))}, "of batch_shape"),
        ({"row": -1}, "`row` is -1"),
        ({"row": len(D.points)}, "`row` is"),
        ({"row": 0.0}, "`row` is 0.0"),
        ({"row": True}, "`row` is True"),
        ({"row": 3, "essential": True}, "has dimension 2"),
        ({"row": 0, "essential": 1}, "`essential` is 1"),
        ({"construction": "F"}, "`construction` is 'F'"),
        ({"periodic": (True,)}, "`periodic` is"),
        ({"diagrams": D.capped(99.0), "row": 0}, "the entries that"),
    ],
)
def test_refused(change, match):
    if "diagrams" in change and "row" in change:
        change["row"] = int((change["diagrams"].death_index == -1).nonzero()[0])
    options = {"x": X, "diagrams": D, "row": 0, "periodic": True} | change
    with pytest.raises(InputError, match=match) as caught:
        representative(**options)
    assert "\n" not in str(caught.value)
    assert "expected" in str(caught.value)


def test_another_periodicity_is_noticed():
    """Where it shows: a class that is none without the glued boundary."""
    x = torch.ones(6, 6)
    x[3, 3] = 9.0
    x[0, 0] = 5.0  # a peak on the torus, a part of the border otherwise
    d = cubical_persistence(x, homology_dimensions=(1,), periodic=True)
    assert len(representative(x, d, 0, periodic=True).loops[0]) == 8
    with pytest.raises(InputError, match="same `periodic`"):
        representative(x, d, 0)


def test_an_island_of_one_cell_has_no_loop():
    """T: the outline of a cell is filled by the cell."""
    x = torch.zeros(7, 7)
    x[1:6, 1:6] = 5.0
    x[3, 3] = -1.0
    d = cubical_persistence(x, homology_dimensions=(1,), construction="T")
    (loop,) = representative(x, d, 0, construction="T").loops
    assert len(loop) == 20  # the frame, whose corners the loop cuts
