"""Losses of clouds against brute force, torch-topological and relative homology."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist

from tests.homology.oracles import INF, reduce_boundary
from topoml._core.errors import InputError
from topoml.features import connectivity_loss, rtd_loss, topological_signature_loss

LOSSES = {
    "signature": topological_signature_loss,
    "signature 01": lambda x, z: topological_signature_loss(x, z, homology_dimensions=(0, 1)),
    "normalised": lambda x, z: topological_signature_loss(x, z, normalise=True),
    "connectivity": lambda x, z: connectivity_loss(x, eta=0.8),
    "rtd": rtd_loss,
}


def clouds(*shape, seed=0, dtype=torch.float64):
    """Two clouds of the same points, in the plane and in space."""
    g = torch.Generator().manual_seed(seed)
    draw = lambda d: torch.randn(*shape, d, dtype=torch.float64, generator=g).to(dtype)  # noqa: E731
    return draw(2), draw(3)


def distances(x):
    return cdist(x.numpy(), x.numpy())


def flag_complex(d, top=3):
    """Simplices by (vertices, value, dimension): up to ``top`` vertices at their largest edge."""
    found = {}
    for size in range(1, top + 1):
        for simplex in itertools.combinations(range(len(d)), size):
            found[simplex] = max(
                (d[i, j] for i, j in itertools.combinations(simplex, 2)), default=0
            )
    return found


def bars(values):
    """Persistence of {simplex: value} by reduction of the boundary matrix."""
    order = sorted(values, key=lambda s: (values[s], len(s), s))
    number = {s: n for n, s in enumerate(order)}
    boundary = [
        [number[f] for f in itertools.combinations(s, len(s) - 1)] if len(s) > 1 else []
        for s in order
    ]
    return reduce_boundary([(values[s], len(s) - 1) for s in order], boundary)


def by_signature(x, z, normalise=False):
    """Moor's loss for H0, by scipy's spanning trees."""
    a, b = distances(x), distances(z)
    if normalise:
        a, b = a / a.max(), b / b.max()
    total = 0.0
    for one, other in ((a, b), (b, a)):
        i, j = minimum_spanning_tree(one).nonzero()
        total += ((one[i, j] - other[i, j]) ** 2).sum() / 2
    return total


@pytest.mark.parametrize("normalise", [False, True])
def test_signature_equals_the_definition(normalise):
    x, z = clouds(5, 12)
    ours = topological_signature_loss(x, z, normalise=normalise)
    expected = [by_signature(*pair, normalise) for pair in zip(x, z, strict=True)]
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-12)


def test_signature_of_loops():
    """The edges of H1's births and deaths, by reduction of the flag complex."""
    x, z = clouds(14, seed=4)
    x = x / x.norm(dim=1, keepdim=True) + 0.1 * x  # around a circle
    total = by_signature(x, z)
    for one, other in ((distances(x), distances(z)), (distances(z), distances(x))):
        edge_of = {one[i, j]: (i, j) for i, j in itertools.combinations(range(14), 2)}
        for dimension, birth, death in bars(flag_complex(one)):
            if dimension == 1:
                for at in (edge_of[birth], edge_of[death]):
                    total += (one[at] - other[at]) ** 2 / 2
    ours = topological_signature_loss(x, z, homology_dimensions=(0, 1))
    assert float(ours) == pytest.approx(total, rel=1e-12)
    assert float(ours) > by_signature(x, z) + 1e-3  # there are loops


def test_signature_equals_torch_topological():
    """Whose distances are the norms that ours are half the squares of."""
    nn = pytest.importorskip("torch_topological.nn")
    x, z = clouds(15, seed=2)
    complex_ = nn.VietorisRipsComplex(dim=0)
    infos = [(x, complex_(x)), (z, complex_(z))]
    both = nn.SignatureLoss(p=2, normalise=True, dimensions=0)(*infos)
    ours = topological_signature_loss(x, z, normalise=True)
    halves = [
        nn.SignatureLoss(p=2, normalise=True, dimensions=0)._partial_distance([a], [b])[0]
        for a, b in _selected(infos)
    ]
    assert float(sum(halves)) == pytest.approx(float(both))
    assert float(ours) == pytest.approx(sum(2 * float(h) ** 2 for h in halves))


def _selected(infos):
    """Distances at one cloud's edges, in both clouds, as torch-topological picks them."""
    scaled = [torch.cdist(x, x) / torch.cdist(x, x).max() for x, _ in infos]
    for number, (_, info) in enumerate(infos):
        pairs = info[0].pairing
        yield [matrix[pairs[:, 1], pairs[:, 2]] for matrix in (scaled[number], scaled[1 - number])]


def test_signature_counts_edges_of_length_zero():
    """Coincident points: their edge is in the tree, and long in the other cloud."""
    x = torch.tensor([[0.0], [0.0], [1.0]], dtype=torch.float64)
    z = torch.tensor([[0.0], [3.0], [-1.0]], dtype=torch.float64)
    # tree of x: (0, 1), (0, 2): 0 and 1 against 3 and 1; of z: (0, 1), (0, 2): 3 and 1
    assert float(topological_signature_loss(x, z)) == pytest.approx(9.0)


def test_scale():
    x, z = clouds(10)
    scaled = topological_signature_loss(2 * x, 2 * z)
    assert torch.allclose(scaled, 4 * topological_signature_loss(x, z))
    scaled = topological_signature_loss(2 * x, 7 * z, normalise=True)
    assert torch.allclose(scaled, topological_signature_loss(x, z, normalise=True))


@given(st.integers(0, 2**31), st.integers(1, 8), st.sampled_from([0.3, 1.0, 2.5]))
@settings(max_examples=30)
def test_connectivity_equals_the_definition(seed, n, eta):
    """Integer coordinates: ties, edges of length eta, coincident points (edges of length 0)."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randint(3, (n, 2), generator=g).double()
    d = distances(x)
    tree = minimum_spanning_tree(d + 1 - np.eye(n)).data - 1 if n > 1 else np.zeros(0)
    assert len(tree) == n - 1
    expected = np.abs(eta - tree).sum()
    assert float(connectivity_loss(x, eta=eta)) == pytest.approx(expected, abs=1e-12)


def test_connectivity_makes_neighbours_equidistant():
    x = clouds(12, seed=3)[0].requires_grad_()
    optimizer = torch.optim.Adam([x], lr=0.02)
    for step in range(500):
        loss = connectivity_loss(x, eta=1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == 300:
            optimizer.param_groups[0]["lr"] = 0.002
    tree = minimum_spanning_tree(distances(x.detach())).data
    assert np.abs(tree - 1).max() < 0.02


def relative_bars(d, small):
    """Homology of the flag complex of ``small`` relative to that of ``d`` >= ``small``, by coning
    the latter off: a cone over a simplex enters with it, the apex first of all."""
    cone = {(-1,): -1.0}
    for simplex, value in flag_complex(small).items():
        cone[simplex] = value
    for simplex, value in flag_complex(d, top=2).items():
        cone[(-1, *simplex)] = value
    return bars(cone)


@pytest.mark.parametrize("seed", range(6))
def test_rtd_is_relative_homology(seed):
    """The doubled graph and the mapping cone share no code and no complex."""
    x, z = clouds(8, seed=seed)
    a, b = distances(x), distances(z)
    small = np.minimum(a, b)
    expected = sum(
        (death - birth) / 2
        for one in (a, b)
        for k, birth, death in relative_bars(one, small)
        if k == 1 and death < INF
    )
    ours = rtd_loss(x, z)
    assert float(ours) == pytest.approx(expected, rel=1e-12, abs=1e-13)


def test_rtd_sees_a_cluster_joined_and_a_loop():
    """A circle against a line: what is loop in one and none in the other costs its lifetime."""
    angle = torch.arange(8, dtype=torch.float64) * (2 * math.pi / 8)
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    line = 2 * math.sin(math.pi / 8) * torch.arange(8, dtype=torch.float64)[:, None]
    side, across = 2 * math.sin(math.pi / 8), 2 * math.sin(3 * math.pi / 8)
    # min = circle's distances; relative to the line: the loop, from the closing edge until
    # the line's own edges cover the circle ... by the reduction of the cone
    small = np.minimum(distances(circle), distances(line))
    expected = sum(e - b for k, b, e in relative_bars(distances(line), small) if k == 1)
    assert expected > across - side
    assert float(rtd_loss(circle, line)) == pytest.approx(expected / 2)
    assert float(rtd_loss(circle, 3 + circle)) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("case", LOSSES)
def test_batches_do_not_mix(case):
    for dtype in (torch.float64, torch.float32):
        x, z = clouds(4, 9, seed=5, dtype=dtype)
        x.requires_grad_()
        together = LOSSES[case](x, z)
        together.sum().backward()
        for i in (2, 0, 3):
            one = x.detach()[i].clone().requires_grad_()
            alone = LOSSES[case](one, z[i])
            alone.backward()
            assert alone.shape == ()
            assert torch.equal(alone, together[i])
            assert torch.equal(one.grad, x.grad[i])
        shaped = LOSSES[case](x.reshape(2, 2, 9, 2), z.reshape(2, 2, 9, 3))
        assert torch.equal(shaped, together.reshape(2, 2))


@pytest.mark.parametrize("case", LOSSES)
def test_gradcheck(case):
    x, z = clouds(2, 6, seed=6)
    function = lambda *pair: LOSSES[case](*pair)  # noqa: E731
    assert torch.autograd.gradcheck(function, (x.requires_grad_(), z.requires_grad_()))


@pytest.mark.parametrize("case", LOSSES)
@pytest.mark.parametrize("kind", ["equal", "one point", "coincident", "ties", "one for all"])
def test_finite(case, kind):
    x, z = clouds(6, seed=7)
    z = z[:, :2]
    if kind == "equal":
        z = x.clone()
    elif kind == "one point":
        x, z = x[:1], z[:1]
    elif kind == "coincident":
        x = x[[0, 0, 0, 1, 1, 2]]
    elif kind == "ties":
        x = torch.tensor([[i, j] for i in range(2) for j in range(3)], dtype=torch.float64)
        z = x.flip(1)
    else:
        x, z = torch.zeros(6, 2, dtype=torch.float64), torch.zeros(6, 2, dtype=torch.float64)
    x.requires_grad_()
    z.requires_grad_()
    loss = LOSSES[case](x, z)
    loss.backward()
    assert loss.isfinite()
    assert x.grad.isfinite().all()
    assert z.grad is None or z.grad.isfinite().all()
    if kind in ("equal", "one point") and case != "connectivity":
        assert float(loss.detach()) == 0.0
        assert not x.grad.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("case", LOSSES)
def test_dtype(case, dtype):
    x, z = clouds(2, 8, seed=8, dtype=dtype)
    loss = LOSSES[case](x, z)
    exact = LOSSES[case](x.double(), z.double())
    assert loss.dtype == dtype
    assert torch.allclose(loss.double(), exact, rtol=20 * torch.finfo(dtype).eps)


GOOD = torch.zeros(4, 2)


@pytest.mark.parametrize("function", [topological_signature_loss, rtd_loss])
@pytest.mark.parametrize(
    ("x", "z", "message"),
    [
        ([[0.0]], GOOD, "`x` is list; expected floats"),
        (GOOD, GOOD.long(), r"`z` is torch.int64 of shape \(4, 2\);"),
        (GOOD[0], GOOD, r"`x` is torch.float32 of shape \(2,\);"),
        (GOOD, GOOD[:3], r"`z` has shape \(3, 2\), torch.float32, cpu; expected \(4, 'm'\)"),
        (GOOD, GOOD.double(), "`z` has shape"),
        (GOOD[:0], GOOD[:0], "`x` has no point"),
        (GOOD, GOOD / 0, "`z` has a NaN or an infinite entry"),
    ],
)
def test_bad_pairs(function, x, z, message):
    with pytest.raises(InputError, match="^" + message) as error:
        function(x, z)
    assert "\n" not in str(error.value)


def test_bad_options():
    for dimensions in ((2,), 1, (1, 1), ()):
        with pytest.raises(InputError, match=r"^`homology_dimensions` is"):
            topological_signature_loss(GOOD, GOOD, homology_dimensions=dimensions)
    with pytest.raises(InputError, match=r"^`normalise` is 1; expected True or False"):
        topological_signature_loss(GOOD, GOOD, normalise=1)
    for eta in (0, -1.0, math.inf, "1", True):
        with pytest.raises(InputError, match=r"^`eta` is .*; expected a finite number above 0"):
            connectivity_loss(GOOD, eta=eta)
    with pytest.raises(InputError, match=r"^`points` has shape"):
        connectivity_loss(GOOD[0], eta=1.0)
