"""Closed loops against products of links along their paths, site by site."""

import itertools

import pytest
import torch

from topoml._core.errors import InputError
from topoml.nn.equivariance import assert_equivariant, translations
from topoml.nn.loops import Plaquettes, PolyakovLoops, WilsonLoops
from topoml.nn.transformations import gauge_transformations

from .equivariant import generator
from .gauge_fields import CASES, at_all_sites, links, matrices, walk

LAYERS = {
    "plaquettes": Plaquettes(),
    "wilson": WilsonLoops(((1, 1), (2, 1), (1, 5))),
    "polyakov": PolyakovLoops(),
}


def rectangle(a, b, r=1, t=1):
    return (a,) * r + (b,) * t + (-a,) * r + (-b,) * t


def paths(name, dim, sizes):
    pairs = list(itertools.combinations(range(1, dim + 1), 2))
    if name == "plaquettes":
        turns = [((m, n), (n, -m), (-m, -n), (-n, m)) for m, n in pairs]
        return [rectangle(*leaf) for four in turns for leaf in four]
    if name == "polyakov":
        return [(m,) * sizes[m - 1] for m in range(1, dim + 1)]
    return [rectangle(m, n, *rt) for rt in ((1, 1), (2, 1), (1, 5)) for m, n in pairs]


def check_paths(layer, u, all_paths, periodic):
    found = matrices(layer(u))
    full = matrices(u)
    for channel, path in enumerate(all_paths):
        expected = at_all_sites(full, lambda one, x, p=path: walk(one, p, x, periodic)[0])
        # a rounding a product of at most 12 links
        torch.testing.assert_close(found[:, channel], expected, rtol=0, atol=2e-14)
    assert found.shape[1] == len(all_paths)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", LAYERS)
def test_equals_the_walk(name, case):
    u = links(case)
    check_paths(LAYERS[name], u, paths(name, 2, u.shape[2:]), (True, True))


@pytest.mark.parametrize("case", ["quaternions", "su3"])
@pytest.mark.parametrize("periodic", [False, (True, False)])
def test_open_ends(case, periodic):
    u = links(case)
    axes = (False, False) if periodic is False else periodic
    check_paths(Plaquettes(periodic=periodic), u, paths("plaquettes", 2, ()), axes)
    wilson = WilsonLoops(((1, 1), (2, 1), (1, 5)), periodic=periodic)
    check_paths(wilson, u, paths("wilson", 2, ()), axes)


@pytest.mark.parametrize("name", ["plaquettes", "polyakov"])
def test_three_dimensions(name):
    u = links("su2", dim=3, size=2, batch=1)
    check_paths(LAYERS[name], u, paths(name, 3, u.shape[2:]), (True,) * 3)


def test_four_dimensions_count():
    assert Plaquettes()(links("u1", dim=4, size=2)).shape[1] == 2 * 4 * 3


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("dim", [2, 4])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", LAYERS)
def test_equivariant(name, case, dim, dtype):
    u = links(case, dtype, dim, size=3 if dim == 2 else 2, batch=1)
    g = generator(1)
    assert_equivariant(LAYERS[name], gauge_transformations(CASES[case]), u, g, n_draws=1)
    assert_equivariant(LAYERS[name], translations(dim), u, g, n_draws=1)
    assert LAYERS[name](u).dtype == u.dtype


def test_a_corner_forgotten_fails():
    def forgotten(u):
        return (u[:, :1] @ u[:, 1:].roll(-1, 2)) @ (u[:, 1:] @ u[:, :1]).mH

    with pytest.raises(AssertionError, match="differ by"):
        assert_equivariant(
            forgotten, gauge_transformations(CASES["su3"]), links("su3"), generator()
        )


def turned(u):
    """Links of the lattice turned by a quarter: site (x, y) goes to (-y, x)."""

    def site(field):  # field(R^-1 x), R^-1 (x, y) = (y, -x)
        return field.transpose(1, 2).flip(1).roll(1, 1)

    minus_y = u[:, 1].roll(1, 2).mH  # the link from x to x - y
    return torch.stack([site(minus_y), site(u[:, 0])], 1), site


def test_quarter_turn_permutes_the_leaves():
    u = links("su3", size=4)[:, :, :, :4].contiguous()
    moved, site = turned(u)
    leaves, found = Plaquettes()(u), Plaquettes()(moved)
    expected = torch.stack([site(leaves[:, (c - 1) % 4]) for c in range(4)], 1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)
    one_alone = torch.stack([site(leaves[:, c]) for c in range(4)], 1)
    assert (found - one_alone).abs().max() > 0.1


def test_reflection_reverses_the_leaves():
    """x -> -x takes the leaf (a, b) to the reverse of another."""
    u = links("su3")

    def site(field):
        return field.flip(1).roll(1, 1)

    moved = torch.stack([site(u[:, 0].roll(1, 1).mH), site(u[:, 1])], 1)
    leaves, found = Plaquettes()(u), Plaquettes()(moved)
    for c, other in enumerate((1, 0, 3, 2)):  # (x, y) <-> (y, -x), (-x, -y) <-> (-y, x)
        expected = site(leaves[:, other]).mH
        torch.testing.assert_close(found[:, c], expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("case", ["quaternions", "su3"])
def test_gradcheck(case):
    u = links(case, size=2, batch=1).requires_grad_()
    for layer in LAYERS.values():
        assert torch.autograd.gradcheck(layer, (u,), fast_mode=True)


@pytest.mark.filterwarnings("ignore")
def test_compiled_without_a_break():
    u = links("su3")
    network = torch.nn.Sequential(Plaquettes())
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(u), network(u))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(1, 2, 3, 3, 3), r"`U` has shape .* and dtype torch.float32; expected"),
        (torch.zeros(1, 3, 3, 3, 4), r"`U` has shape \(1, 3, 3, 3, 4\); expected"),
        ([1], r"`U` is list; expected a torch.Tensor"),
    ],
)
def test_wrong_links(x, message):
    with pytest.raises(InputError, match="^" + message):
        Plaquettes()(x)


@pytest.mark.parametrize("extents", [(), ((1,),), ((0, 1),), "ab", 3, ((1, 2.0),)])
def test_wrong_extents(extents):
    with pytest.raises(InputError, match=r"^`extents` is"):
        WilsonLoops(extents)


@pytest.mark.parametrize("axes", [(), (2,), (0, 0)])
def test_wrong_axes(axes):
    with pytest.raises(InputError, match=r"^`axes` is"):
        PolyakovLoops(axes=axes)(links("u1"))


def test_polyakov_of_some_axes():
    u = links("su2")
    assert torch.equal(PolyakovLoops(axes=(1,))(u), PolyakovLoops()(u)[:, 1:])
