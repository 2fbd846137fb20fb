"""betti_matching against image persistence by ranks over Z/2, and what must hold of matchings."""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.homology import betti_matching, cubical_persistence


@dataclass(frozen=True)
class Complex:
    """Boundaries of the cells by dimension, as bit masks, and the pixels that give their values."""

    boundary: tuple[tuple[int, ...], ...]
    pixels: tuple[tuple[tuple[int, ...], ...], ...]
    last: bool  # a cell enters with the last of its pixels (V, F) or the first (T)


@cache
def lattice(shape, periodic, construction):
    """The cells on a doubled grid; V: even places are pixels, T: odd ones; F: squares halved."""
    w, top = shape[1], construction == "T"
    size = tuple(
        2 * n if p else 2 * n + 1 if top else 2 * n - 1
        for n, p in zip(shape, periodic, strict=True)
    )

    def near(place, axis):
        """The places one step away along an axis, that exist."""
        for step in (-1, 1):
            moved = list(place)
            moved[axis] += step
            if periodic[axis]:
                moved[axis] %= size[axis]
            if 0 <= moved[axis] < size[axis]:
                yield tuple(moved)

    def pixels(place):
        """Pixels next to a place: in its closure (V) or its star (T)."""
        places = [place]
        for axis in (0, 1):
            places = [
                q for p in places for q in (near(p, axis) if p[axis] % 2 == (not top) else [p])
            ]
        return tuple(sorted({i // 2 * w + j // 2 for i, j in places}))

    cells = [[], [], []]  # (name, pixels, faces by name)
    for i in range(size[0]):
        for j in range(size[1]):
            place = (i, j)
            k = i % 2 + j % 2
            faces = [q for a in (0, 1) if place[a] % 2 for q in near(place, a)]
            if construction == "F" and k == 2:
                corner = {}
                for p in near(place, 0):
                    for q in near(p, 1):
                        corner[(p[0] - i) % size[0] == 1, (q[1] - j) % size[1] == 1] = q
                at = {c: pixels(q)[0] for c, q in corner.items()}
                diagonal = ("d", *place)
                ends = [corner[False, False], corner[True, True]]
                cells[1].append((diagonal, (at[False, False], at[True, True]), ends))
                for side in (True, False):  # the triangle with the corner below, or to the right
                    row = [q for q in near(place, 0) if ((q[0] - i) % size[0] == 1) == side]
                    column = [q for q in near(place, 1) if ((q[1] - j) % size[1] == 1) != side]
                    own = (at[False, False], at[True, True], at[side, not side])
                    cells[2].append((("t", side, *place), own, [*row, *column, diagonal]))
            else:
                cells[k].append((place, pixels(place), faces))
    number = [{name: n for n, (name, _, _) in enumerate(part)} for part in cells]
    boundary = []
    for k in range(3):
        rows = []
        for _, _, faces in cells[k]:
            mask = 0
            for face in faces:
                mask ^= 1 << number[k - 1][face]
            rows.append(mask)
        boundary.append(tuple(rows))
    return Complex(tuple(boundary), tuple(tuple(p for _, p, _ in part) for part in cells), not top)


def echelon(vectors):
    """A basis by leading bits of the span of bit vectors over Z/2."""
    basis = {}
    for v in vectors:
        while v and v.bit_length() in basis:
            v ^= basis[v.bit_length()]
        if v:
            basis[v.bit_length()] = v
    return basis


def cycles(complex_, k, cells):
    """Cycles of dimension k of the subcomplex that has these k-cells."""
    if k == 0:
        return [1 << c for c in cells]
    shift = len(complex_.boundary[k])
    kernel, basis = [], {}
    for c in cells:
        v = complex_.boundary[k][c] << shift | 1 << c
        while v >> shift and (v >> shift).bit_length() in basis:
            v ^= basis[(v >> shift).bit_length()]
        if v >> shift:
            basis[(v >> shift).bit_length()] = v
        else:
            kernel.append(v)
    return kernel


def subcomplex(complex_, k, field, t, strict):
    """The k-cells of {field <= t}, or < t."""
    pick = max if complex_.last else min
    values = [pick(field[p] for p in pixels) for pixels in complex_.pixels[k]]
    return [c for c, v in enumerate(values) if (v < t if strict else v <= t)]


def ranks(complex_, k, f, h):
    """r(s, t, strict): rank of H_k{f <= s} -> H_k{h <= t} (< t if strict), cached."""

    @cache
    def source(s):
        return cycles(complex_, k, subcomplex(complex_, k, f, s, False))

    @cache
    def target(t, strict):
        if k == 2:
            return {}
        filled = subcomplex(complex_, k + 1, h, t, strict)
        return echelon(complex_.boundary[k + 1][c] for c in filled)

    @cache
    def rank(s, t, strict):
        if s is None:
            return 0
        boundaries = target(t, strict)
        return len(echelon([*boundaries.values(), *source(s)])) - len(boundaries)

    return rank


def barcode(complex_, k, f, h):
    """Finite bars of the image of H_k(f) -> H_k(h), by inclusion and exclusion of ranks.

    Of two fields whose values are all different within each of them: {(birth, death): number}.
    """
    rank = ranks(complex_, k, f, h)
    births, deaths = sorted(f), sorted(h)
    bars = {}
    for before, s in zip([None, *births], births, strict=False):
        for t in deaths:
            if s < t:
                n = rank(s, t, True) - rank(before, t, True)
                n -= rank(s, t, False) - rank(before, t, False)
                if n:
                    bars[s, t] = n
    return bars


def listed(bars):
    return [bar for bar, n in bars.items() for _ in range(n)]


def induced(image, one, side):
    """Bauer and Lesnick's matching of bars that agree at an end, the longest with the longest.

    ``side`` 0: {bar of ``one``: bar of the image} of equal birth; 1: {image: one} of equal death.
    """
    matched = {}
    for end in {bar[side] for bar in one}:
        ours = sorted((b for b in one if b[side] == end), key=lambda b: b[0] - b[1])
        theirs = sorted((b for b in image if b[side] == end), key=lambda b: b[0] - b[1])
        assert len(theirs) <= len(ours)
        for a, b in zip(ours, theirs, strict=False):
            assert (a[1] >= b[1]) if side == 0 else (a[0] <= b[0])
            matched.update({a: b} if side == 0 else {b: a})
    return matched


def expected_pairs(x, y, k, periodic, construction, superlevel):
    """Partners by definition: ((birth, death) entries in x, the same in y), and the ranks' fields.

    The order (value, linear index) is made one of values: index / size is added where values are
    integers. Bars without length in the values themselves do not exist.
    """
    complex_ = lattice(x.shape, periodic, construction)
    n = x.size
    sign = -1 if superlevel else 1
    f, g = (
        [Fraction(sign * int(v)) + Fraction(i, n) for i, v in enumerate(field.reshape(-1))]
        for field in (x, y)
    )
    h = [min(a, b) for a, b in zip(f, g, strict=True)]
    level = math.floor
    in_h = listed(barcode(complex_, k, h, h))
    to_h = []
    for field in (f, g):
        own = listed(barcode(complex_, k, field, field))
        image = [b for b in listed(barcode(complex_, k, field, h)) if level(b[0]) < level(b[1])]
        assert len(set(own)) == len(own)
        ahead, onward = induced(image, own, 0), induced(image, in_h, 1)
        to_h.append({bar: onward[through] for bar, through in ahead.items()})
    entry = [{v: i for i, v in enumerate(field)} for field in (f, g)]
    from_h = {target: bar for bar, target in to_h[1].items()}
    pairs = set()
    for bar, target in to_h[0].items():
        if target in from_h:
            other = from_h[target]
            ours = tuple(entry[0][v] for v in bar)
            pairs.add((ours, tuple(entry[1][v] for v in other)))
    return pairs


def found_pairs(matching, k):
    first, second = matching.first, matching.second
    return {
        (
            (int(first.birth_index[i]), int(first.death_index[i])),
            (int(second.birth_index[j]), int(second.death_index[j])),
        )
        for i, j in matching.pairs.tolist()
        if first.dimension[i] == k
    }


@st.composite
def field_pairs(draw):
    """Two small integer fields, with ties or without, related or not."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(st.sampled_from([(3, 3), (2, 4), (4, 3), (1, 6), (4, 4)]))
    most = draw(st.sampled_from([2, 4, 30]))
    x = rng.integers(0, most, shape)
    kind = draw(st.sampled_from(["other", "near", "equal", "shifted"]))
    y = {
        "other": rng.integers(0, most, shape),
        "near": np.where(rng.random(shape) < 0.7, x, rng.integers(0, most, shape)),
        "equal": x,
        "shifted": x + 1,
    }[kind]
    periodic = tuple(draw(st.booleans()) and n > 1 for n in shape)
    return x, y, periodic


def matched(x, y, **options):
    x, y = (torch.from_numpy(field).double() for field in (x, y))
    return betti_matching(x, y, homology_dimensions=(0, 1, 2), **options)


@pytest.mark.parametrize("construction", ["V", "T", "F"])
@given(field_pairs(), st.booleans())
@settings(max_examples=40)
def test_equals_image_persistence(construction, fields, superlevel):
    x, y, periodic = fields
    matching = matched(x, y, periodic=periodic, construction=construction, superlevel=superlevel)
    for k in (0, 1):
        expected = expected_pairs(x, y, k, periodic, construction, superlevel)
        assert found_pairs(matching, k) == expected


@pytest.mark.parametrize("construction", ["V", "T", "F"])
def test_equals_image_persistence_on_larger_tori(construction):
    """Where there are classes enough: most are matched, through deaths that tie."""
    total = 0
    for seed in range(2):
        rng = np.random.default_rng(seed)
        x = rng.integers(0, 40, (6, 5))
        y = np.clip(x + rng.integers(-6, 7, (6, 5)), 0, 40)
        matching = matched(x, y, periodic=(True, True), construction=construction)
        for k in (0, 1):
            expected = expected_pairs(x, y, k, (True, True), construction, False)
            assert found_pairs(matching, k) == expected
            total += len(expected)
    assert total > 5


@pytest.mark.parametrize("construction", ["V", "T", "F"])
@given(field_pairs(), st.booleans())
@settings(max_examples=40)
def test_essential_classes(construction, fields, superlevel):
    """Partners in the order of births, all of them: 1, 2, 1 on the torus.

    Which is the induced matching: the image at infinity is all of the lattice's homology, its
    classes born with those of x, and h's with them in the order of births. The rank says the first.
    """
    x, y, periodic = fields
    matching = matched(x, y, periodic=periodic, construction=construction, superlevel=superlevel)
    sign = -1 if superlevel else 1
    rows = matching.essential_pairs
    first, second = matching.first, matching.second
    assert sorted(rows[:, 0].tolist()) == list(range(len(first.essential)))
    assert sorted(rows[:, 1].tolist()) == list(range(len(second.essential)))
    dimension = first.essential_dimension[rows[:, 0]]
    assert torch.equal(dimension, second.essential_dimension[rows[:, 1]])
    complex_ = lattice(x.shape, periodic, construction)
    h = np.minimum(sign * x, sign * y).reshape(-1).tolist()
    for d, column, field in ((first, 0, x), (second, 1, y)):
        births = sign * d.essential[rows[:, column]]
        for k in range(3):
            own = births[dimension == k]
            assert torch.equal(own, own.sort().values)
            f = (sign * field).reshape(-1).tolist()
            rank = ranks(complex_, k, f, h)
            for s in sorted(set(f)):
                assert int((own <= s).sum()) == rank(s, math.inf, False)


def random_fields(n=6, shape=(14, 11), seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, *shape, generator=g, dtype=torch.float64)
    y = x + 0.5 * torch.randn(n, *shape, generator=g, dtype=torch.float64)
    return x.to(dtype), y.to(dtype)


OPTIONS = [
    {"construction": c, "periodic": p, "superlevel": s}
    for c, p, s in [
        ("V", False, False),
        ("V", True, True),
        ("T", (True, False), False),
        ("T", True, False),
        ("F", True, True),
    ]
]


@pytest.mark.parametrize("options", OPTIONS)
def test_field_with_itself(options):
    x, _ = random_fields()
    m = betti_matching(x, x, homology_dimensions=(0, 1), **options)
    assert torch.equal(m.pairs, torch.arange(len(m.first.points))[:, None].expand(-1, 2))
    assert torch.equal(m.first.points, m.second.points)


@pytest.mark.parametrize("options", OPTIONS)
def test_shifted_field(options):
    """x and x + c: h is the lower one; classes that live longer than c are their own partners."""
    x, _ = random_fields()
    c = 0.4
    m = betti_matching(x, x + c, homology_dimensions=(0, 1), **options)
    long = (m.first.lifetime > c + 1e-12).nonzero().squeeze(1)
    assert 0 < len(long) < len(m.first.points)
    assert torch.equal(m.pairs, long[:, None].expand(-1, 2))


@pytest.mark.parametrize("options", OPTIONS)
def test_symmetric(options):
    x, y = random_fields()
    one = betti_matching(x, y, homology_dimensions=(0, 1), **options)
    other = betti_matching(y, x, homology_dimensions=(0, 1), **options)
    turned = other.pairs.flip(1)
    assert torch.equal(one.pairs, turned[turned[:, 0].argsort()])
    assert 0 < len(one.pairs) < len(one.first.points)
    sample = one.first.sample[one.pairs[:, 0]]
    assert torch.equal(sample, one.second.sample[one.pairs[:, 1]])


def test_duality():
    """T of x on the torus is V of -x with the dimensions turned around, and so are image maps."""
    x, y = random_fields()
    t = betti_matching(x, y, homology_dimensions=(0,), periodic=True, construction="T")
    assert 0 < len(t.pairs)
    v = betti_matching(-x, -y, homology_dimensions=(1,), periodic=True)
    assert len(t.first.points) == len(v.first.points)
    # max(x, y) is not dual to min(x, y): the matchings differ, the diagrams do not
    births = torch.stack([-v.first.points[:, 1], -v.first.points[:, 0]], 1)
    assert torch.equal(t.first.points.sort(0).values, births.sort(0).values)


@pytest.mark.parametrize("options", OPTIONS[:2])
def test_diagrams_and_single_samples(options):
    x, y = random_fields()
    m = betti_matching(x.reshape(2, 3, 14, 11), y.reshape(2, 3, 14, 11),
                       homology_dimensions=(1, 0), **options)  # fmt: skip
    alone = cubical_persistence(x, homology_dimensions=(1, 0), **options)
    assert torch.equal(m.first.points, alone.points)
    assert m.first.batch_shape == (2, 3)
    for i in range(6):
        one = betti_matching(x[i], y[i], homology_dimensions=(1, 0), **options)
        here = m.first.sample[m.pairs[:, 0]] == i
        first = (m.first.sample < i).sum()
        second = (m.second.sample < i).sum()
        assert torch.equal(m.pairs[here] - torch.stack([first, second]), one.pairs)


def test_homology_dimensions():
    x, y = random_fields()
    both = betti_matching(x, y, homology_dimensions=(0, 1), periodic=True)
    for k in (0, 1, 2):
        m = betti_matching(x, y, homology_dimensions=(k,), periodic=True)
        assert found_pairs(m, k) == found_pairs(both, k)
        assert len(m.essential_pairs) == 6 * (1, 2, 1)[k]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_dtype(dtype):
    x, y = random_fields(dtype=dtype)
    m = betti_matching(x, y, homology_dimensions=(0, 1))
    exact = betti_matching(x.double(), y.double(), homology_dimensions=(0, 1))
    assert m.first.points.dtype == dtype
    assert torch.equal(m.pairs, exact.pairs)


@pytest.fixture
def _two_threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads(2)
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_two_threads")
def test_threads(monkeypatch):
    x, y = random_fields(40, (64, 60))
    pooled = betti_matching(x, y, homology_dimensions=(0, 1), periodic=True)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    alone = betti_matching(x, y, homology_dimensions=(0, 1), periodic=True)
    assert torch.equal(pooled.pairs, alone.pairs)


GOOD = torch.zeros(3, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": [0.0]}, r"`x` is list;"),
        ({"y": GOOD[0]}, r"`y` has shape \(4,\);"),
        ({"y": GOOD.mT}, r"`y` has shape \(4, 3\), torch.float32, cpu; expected \(3, 4\)"),
        ({"y": GOOD.double()}, r"`y` has shape \(3, 4\), torch.float64"),
        ({"x": GOOD / 0}, r"`x` has a NaN or an infinite entry"),
        ({"y": GOOD + math.inf}, r"`y` has a NaN or an infinite entry"),
        ({"homology_dimensions": (3,)}, r"`homology_dimensions` is"),
        ({"periodic": 1}, r"`periodic` is 1;"),
        ({"construction": "W"}, r"`construction` is 'W';"),
        ({"superlevel": 0}, r"`superlevel` is 0;"),
        ({"x": GOOD[:1], "y": GOOD[:1], "periodic": True}, r"`x` has shape \(1, 4\), a periodic"),
    ],
)
def test_bad_input(change, message):
    arguments = {"x": GOOD, "y": GOOD, "homology_dimensions": (0, 1)} | change
    with pytest.raises(InputError, match="^" + message) as error:
        betti_matching(arguments.pop("x"), arguments.pop("y"), **arguments)
    assert "\n" not in str(error.value)
