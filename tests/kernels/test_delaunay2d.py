"""Delaunay triangulations and their predicates against rational arithmetic."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topoml.kernels.delaunay2d import (
    NONE,
    in_circle,
    opening,
    ordered,
    orientation,
    triangulate,
)

INF = np.inf
TINY, HUGE = 2.0**-198, 2.0**250


def turn(a, b, c):
    """(a - c) x (b - c)."""
    return (a[0] - c[0]) * (b[1] - c[1]) - (a[1] - c[1]) * (b[0] - c[0])


def angle(a, b, c):
    """(a - c) . (b - c)."""
    return (a[0] - c[0]) * (b[0] - c[0]) + (a[1] - c[1]) * (b[1] - c[1])


def circle(a, b, c, d):
    """The determinant of the lifted points, by its first row."""
    rows = [(p[0] - d[0], p[1] - d[1]) for p in (a, b, c)]
    u, v, w = ((x, y, x * x + y * y) for x, y in rows)
    return (
        u[0] * (v[1] * w[2] - v[2] * w[1])
        - u[1] * (v[0] * w[2] - v[2] * w[0])
        + u[2] * (v[0] * w[1] - v[1] * w[0])
    )


def rational(points):
    return [(Fraction(float(x)), Fraction(float(y))) for x, y in points]


def sign(x):
    return (x > 0) - (x < 0)


PREDICATES = [(orientation, turn, 3), (opening, angle, 3), (in_circle, circle, 4)]
NAMES = ["orientation", "opening", "in_circle"]


def signs(points):
    """Signs of the three predicates of four points: ours, exact ones, and by plain floats."""
    rows = []
    for ours, definition, n in PREDICATES:
        flat = [float(z) for p in points[:n] for z in p]
        exact = definition(*rational(points[:n]))
        naive = definition(*[(float(x), float(y)) for x, y in points[:n]])
        rows.append((sign(ours(INF, *flat)), sign(exact), sign(naive)))
    return rows


PYTHAGOREAN = [(a, b) for a in range(-65, 66) for b in range(-65, 66) if a * a + b * b == 65**2]


def nearly_degenerate(kind, rng):
    """Four points nearly on a line, on a circle, or with nearly a right angle at the third.

    One is near (1/2, 1/2), up to some of its last places, which the sides to the others round off.
    """
    if kind == "line":
        points = rng.choice([-24, -7, 0, 5, 12, 24], 4, replace=False)[:, None] * np.ones(2)
    elif kind == "circle":
        points = rng.permutation(PYTHAGOREAN)[:4].astype(np.float64)
    else:
        a, b = rng.integers(-40, 41, 2)
        points = np.array([[3 * a, 3 * b], [-2 * b, 2 * a], [0, 0], [a - b, a + b]], np.float64)
    k = 2 if kind == "angle" else rng.integers(4)
    points += 0.5 - points[k]
    points[k] += rng.integers(-4, 5, 2) * 2.0**-53
    return points


KINDS = ["line", "angle", "circle"]  # of the three predicates
SEEDS = st.integers(0, 2**32)


@given(st.sampled_from(KINDS), SEEDS, st.sampled_from([1, 1 / 3, 2.0**-140, 1e60]))
@settings(max_examples=300)
def test_predicates(kind, seed, scale):
    for ours, exact, _ in signs(nearly_degenerate(kind, np.random.default_rng(seed)) * scale):
        assert ours == exact


def test_floats_alone_get_predicates_wrong():
    """The control: what the examples of the test above are there for."""
    rng = np.random.default_rng(0)
    for k, kind in enumerate(KINDS):
        found = [signs(nearly_degenerate(kind, rng))[k] for _ in range(200)]
        assert sum(naive != exact for _, exact, naive in found) > 20
        assert all(ours == exact for ours, exact, _ in found)
        assert {exact for _, exact, _ in found} == {-1, 0, 1}


COORDINATES = st.builds(
    lambda s, m, e: float(s * np.ldexp(1 + m / 2**52, e)),
    st.sampled_from([-1, 1]),
    st.sampled_from([0, 1, 2**51, 2**52 - 1]) | st.integers(0, 2**52 - 1),
    st.sampled_from([-198, -197, 0, 1, 247, 249]) | st.integers(-198, 249),
) | st.just(0.0)


@given(st.lists(st.tuples(COORDINATES, COORDINATES), min_size=4, max_size=4), st.booleans())
@settings(max_examples=200)
def test_predicates_in_their_whole_range(points, middle):
    """From 2^-198 to 2^250, also side by side: nothing overflows, nothing is lost."""
    if middle:  # nearly on a line
        points[2] = tuple((a + b) / 2 for a, b in zip(*points[:2], strict=True))
    assert all(p == 0 or TINY <= abs(p) <= HUGE for p in itertools.chain(*points[:2]))
    for ours, exact, _ in signs(points):
        assert ours == exact


@given(st.sampled_from(KINDS), SEEDS)
@settings(max_examples=100)
def test_values(kind, seed):
    """Within 4 roundings of the product of the sides; right to 2 roundings where floats cancel."""
    points = nearly_degenerate(kind, np.random.default_rng(seed))
    a, b, c, _ = rational(points)
    scale = max(angle(a, a, c), angle(b, b, c))
    (ux, uy), (vx, vy) = ([p[k] - c[k] for k in range(2)] for p in (a, b))
    for ours, definition, size in (
        (orientation, turn, abs(ux * vy) + abs(uy * vx)),
        (opening, angle, abs(ux * vx) + abs(uy * vy)),
    ):
        value = Fraction(float(ours(INF, *(float(z) for p in points[:3] for z in p))))
        exact = definition(a, b, c)
        assert abs(value - exact) <= 4 * Fraction(2) ** -53 * scale
        if abs(exact) < Fraction(2) ** -54 * size:
            assert abs(value - exact) <= Fraction(2) ** -52 * abs(exact)


def mesh_of(points, begin=0, start=None):
    """The kernels on one cloud: numbers of vertices, rings, and the edge on the hull."""
    points = np.asarray(points, np.float64) + 0.0
    start = np.array([0, len(points)]) if start is None else start
    stop = np.zeros(1, np.uint8)
    arguments = start, begin, begin + 1
    x, y, number, strip, size = ordered(points, points.view(np.uint64), *arguments)
    origin, before, hull, bound = triangulate(x, y, strip, size, *arguments, stop)
    n = size[0]
    here = points[start[begin] : start[begin + 1]]
    np.testing.assert_array_equal(np.stack([x[:n], y[:n]], 1), here[number[:n]])
    return number[:n], origin[: 6 * n], before[: 6 * n].astype(np.int64), int(hull[0]), bound[0]


def faces_of(points):
    """Cycles of directed edges around the faces; the outside first; and the vertices."""
    number, origin, before, hull, _ = mesh_of(points)
    used = np.flatnonzero(origin != NONE)
    assert set(used ^ 1) == set(used)
    assert sorted(before[used]) == sorted(used)
    assert (origin[before[used]] == origin[used]).all()  # rings around vertices
    assert (origin[used] != origin[used ^ 1]).all()
    left = set(used.tolist())
    faces = []
    for e in [hull ^ 1, *used.tolist()] if len(used) else []:
        if e not in left:
            continue
        face = []
        while e in left:
            left.remove(e)
            face.append(int(number[origin[e]]))
            e = int(before[e ^ 1])
        faces.append(face)
    edges = [tuple(sorted(number[origin[[e, e + 1]]].tolist())) for e in used if e % 2 == 0]
    return number, edges, faces


def hull_of(points):
    """Corners of the convex hull, counterclockwise (Andrew's monotone chain)."""
    chain = []
    for order in (sorted(set(points)), sorted(set(points), reverse=True)):
        part = []
        for p in order:
            while len(part) > 1 and turn(part[-2], part[-1], p) <= 0:
                part.pop()
            part.append(p)
        chain += part[:-1]
    return chain


def area(polygon):
    """Twice the area, by the shoelace formula."""
    following = polygon[1:] + polygon[:1]
    return sum(
        (p[0] * q[1] - p[1] * q[0] for p, q in zip(polygon, following, strict=True)), Fraction(0)
    )


def check(points, *, everywhere=False):
    """A triangulation of the hull whose circles are empty: all in rational arithmetic."""
    exact = rational(points)
    number, edges, faces = faces_of(points)
    first = {}
    for i, p in enumerate(exact):
        first.setdefault(p, i)
    assert sorted(number.tolist()) == sorted(first.values())  # of equal points the first
    assert len(set(edges)) == len(edges)
    n, corners = len(number), hull_of(exact)
    if n == 1:
        assert not edges
        return
    outside, *triangles = faces
    assert n - len(edges) + len(faces) == 2  # Euler
    assert set(corners) <= {exact[i] for i in outside}
    if len(corners) < 3:  # on a line
        order = sorted(first.values(), key=lambda i: exact[i])
        assert sorted(edges) == sorted(tuple(sorted(e)) for e in itertools.pairwise(order))
        return
    assert all(len(t) == 3 and turn(*(exact[i] for i in t)) > 0 for t in triangles)
    assert sum(area([exact[i] for i in t]) for t in triangles) == area(corners)
    apex = {}
    for t in triangles:
        for k in range(3):
            apex[t[k], t[k - 2]] = t[k - 1]
    assert len(apex) == 3 * len(triangles)
    for (a, b), c in apex.items():  # no apex in its neighbour's circle
        if (b, a) in apex:
            d = apex[b, a]
            assert circle(*(exact[i] for i in (a, b, c, d))) <= 0
        else:
            k = outside.index(b)
            assert outside[(k + 1) % len(outside)] == a
    if everywhere:  # which says the same of all points, by Delaunay's lemma
        for t, i in itertools.product(triangles, first.values()):
            assert circle(*(exact[j] for j in t), exact[i]) <= 0


SMALL = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=14)


@given(SMALL)
@settings(max_examples=300)
def test_small_integers(points):
    """Duplicates, and many points on a line or on a circle."""
    check(points, everywhere=True)


@given(SMALL, st.sampled_from([0.1, 1 / 3, 1e-60]), st.sampled_from([0.0, 1 / 3, 1e6 / 7]))
def test_nearly_degenerate_clouds(points, spacing, shift):
    """Small integers times a number that floats do not hold, and moved by another."""
    check(np.array(points) * spacing + shift * spacing)


def gaussian(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 2))


def on_a_circle(n):
    t = 2 * np.pi * np.arange(n) / n
    return np.stack([np.cos(t), np.sin(t)], 1)


CLOUDS = {
    "gaussian": gaussian(700),
    "lattice": np.indices((17, 13)).reshape(2, -1).T * 0.1,
    "triangular lattice": np.array(
        [[i + j / 2, j * np.sqrt(0.75)] for i in range(12) for j in range(12)]
    ),
    "circle": on_a_circle(101),
    "circle and center": np.concatenate([on_a_circle(64), np.zeros((1, 2))]),
    "row": np.stack([np.arange(60.0), np.zeros(60)], 1),
    "column": np.stack([np.zeros(60), gaussian(60)[:, 0]], 1),
    "line": np.arange(40)[:, None] * np.array([3.0, 7.0]),
    "line in floats": gaussian(50)[:, :1] * np.array([0.1, 0.3]),
    "clusters": np.concatenate([gaussian(80) * 1e-9 + c for c in gaussian(4, 1)]),
    "far": gaussian(200) + 1e8,
    "parabola": np.array([[i, i * i] for i in range(-30, 30)], np.float64),
    "two columns": np.array([[i % 2, i // 2] for i in range(80)], np.float64),
    "duplicates": gaussian(40)[np.arange(200) % 40],
    "large": gaussian(60) * 2.0**245,
    "small": gaussian(60) * 2.0**-190,
    "both": gaussian(60) * 2.0 ** np.arange(-180, 240, 7)[:, None],
}


@pytest.mark.parametrize("name", CLOUDS)
def test_clouds(name):
    check(CLOUDS[name])


def test_one_unit_in_the_last_place():
    """Of four points on a circle, one moves inwards: the diagonal ends there, and nowhere else."""
    points = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    check(points)
    for k in range(4):
        moved = points.copy()
        moved[k] *= 1 - 2.0**-53
        check(moved)
        assert tuple(sorted((k, (k + 2) % 4))) in edges_of(moved)


@given(st.permutations(range(30)))
@settings(max_examples=20)
def test_order_of_the_points(permutation):
    """The triangulation depends on the places alone, also where it is not unique."""
    points = np.indices((6, 5)).reshape(2, -1).T * 0.1
    expected = {tuple(sorted((tuple(points[i]), tuple(points[j])))) for i, j in edges_of(points)}
    moved = points[permutation]
    found = {tuple(sorted((tuple(moved[i]), tuple(moved[j])))) for i, j in edges_of(moved)}
    assert found == expected


def edges_of(points):
    return faces_of(points)[1]


def test_a_sample_among_others():
    """Each one is what it is alone."""
    clouds = [CLOUDS[name] for name in ("row", "gaussian", "duplicates", "lattice")]
    clouds.insert(2, np.zeros((3, 2)))
    start = np.array([0, *np.cumsum([len(x) for x in clouds])])
    points = np.concatenate(clouds)
    bits, stop = points.view(np.uint64), np.zeros(1, np.uint8)
    x, y, number, strip, size = ordered(points, bits, start, 1, 5)
    origin, before, hull, bound = triangulate(x, y, strip, size, start, 1, 5, stop)
    for s in range(1, 5):
        alone = mesh_of(clouds[s])
        i = start[s] - start[1]
        n, e = size[s - 1], 6 * i + s - 1
        here = number[i : i + n], origin[e : e + 6 * n], before[e : e + 6 * n], hull[s - 1]
        used = alone[1] != NONE
        np.testing.assert_array_equal(here[0], alone[0])
        np.testing.assert_array_equal(here[1], alone[1])
        np.testing.assert_array_equal(here[2][used], alone[2][used])
        assert (hull[s - 1], bound[s - 1]) == alone[3:]


def test_stop():
    """It gives up, also within a merge, and does not hang."""
    points = gaussian(5000)
    arguments = np.array([0, 5000]), 0, 1
    x, y, _, strip, size = ordered(points, points.view(np.uint64), *arguments)
    *_, hull, _ = triangulate(x, y, strip, size, *arguments, np.ones(1, np.uint8))
    assert hull.tolist() == [0]
