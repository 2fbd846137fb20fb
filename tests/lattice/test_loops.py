"""Loops of gauge fields against walks along the links, closed forms and gauge transformations."""

import itertools

import numpy as np
import pytest
import torch

from topoml._core.errors import InputError
from topoml.lattice import plaquette_angles, plaquettes, polyakov_loops, wilson_loops
from topoml.nn import WilsonLoops

from .walks import gauge_angles, gauge_matrices, haar, matrices, rectangle, walk, wrap

TOL = 100 * np.finfo(np.float64).eps  # some dozen products of unitary matrices
SHAPES = {1: (5,), 2: (3, 4), 3: (2, 3, 4), 4: (2, 3, 2, 4)}
GROUPS = ["Z2", "U(1)", "SU(2)", "SU(3)"]


def links_of(group, dim, *batch, seed=0):
    rng = np.random.default_rng([seed, dim, len(batch)])
    shape = (*batch, dim, *SHAPES[dim])
    if group == "Z2":
        return rng.choice(np.array([-1, 1], np.int8), shape)
    if group == "U(1)":
        return rng.uniform(-4, 4, shape)
    return haar(rng, int(group[3]), *shape)


def pairs(dim):
    return itertools.combinations(range(dim), 2)


class TestWilsonLoops:
    @pytest.mark.parametrize("group", GROUPS)
    @pytest.mark.parametrize("dim", [2, 3, 4])
    @pytest.mark.parametrize("sides", [(1, 1), (1, 2), (3, 2), (2, 5)])
    def test_walks(self, group, dim, sides):
        """From every site, also where a loop is longer than a period."""
        links = links_of(group, dim)
        u = matrices(links)
        found = wilson_loops(links, *sides, dim=dim)
        assert found.dtype == np.float64
        for k, (m, n) in enumerate(pairs(dim)):
            for x in np.ndindex(SHAPES[dim]):
                product, end = walk(u, x, rectangle(m, n, *sides))
                assert end == x
                trace = np.trace(product).real / u.shape[-1]
                assert found[(k, *x)] == pytest.approx(trace, abs=TOL)

    @pytest.mark.parametrize("group", GROUPS)
    def test_batches_and_torch(self, group):
        links = links_of(group, 2, 2, 3)
        found = wilson_loops(links, 2, 1, dim=2)
        assert found.shape == (2, 3, 1, 3, 4)
        for a, b in np.ndindex(2, 3):
            alone = wilson_loops(links[a, b], 2, 1, dim=2)
            np.testing.assert_allclose(alone, found[a, b], rtol=0, atol=TOL)
        of_torch = wilson_loops(torch.from_numpy(links), 2, 1, dim=2)
        np.testing.assert_allclose(of_torch.numpy(), found, rtol=0, atol=TOL)

    def test_the_layer_says_the_same(self):
        links = links_of("SU(3)", 3, 2)
        w = WilsonLoops(((2, 3),))(torch.from_numpy(links))
        trace = w.diagonal(dim1=-2, dim2=-1).sum(-1).real / 3
        found = wilson_loops(links, 2, 3, dim=3)
        np.testing.assert_allclose(trace.numpy(), found, rtol=0, atol=TOL)

    def test_area_of_an_abelian_loop(self):
        """In two dimensions the loop is the product of the plaquettes inside."""
        links = links_of("U(1)", 2)
        angle = plaquette_angles(links, dim=2)[0]
        inside = sum(np.roll(angle, (-i, -j), (0, 1)) for i in range(2) for j in range(3))
        found = wilson_loops(links, 2, 3, dim=2)[0]
        np.testing.assert_allclose(found, np.cos(inside), rtol=0, atol=TOL)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
    def test_precision(self, dtype):
        group = "U(1)" if np.dtype(dtype).kind == "f" else "SU(2)"
        found = plaquettes(links_of(group, 2).astype(dtype), dim=2)
        assert found.dtype == np.zeros(0, dtype).real.dtype
        exact = plaquettes(links_of(group, 2), dim=2)
        np.testing.assert_allclose(found, exact, rtol=0, atol=50 * np.finfo(dtype).eps)

    def test_signs_are_exact(self):
        links = links_of("Z2", 3, 2)
        found = wilson_loops(links, 2, 2, dim=3)
        assert found.dtype == np.float64
        assert set(np.unique(found)) == {-1.0, 1.0}

    @pytest.mark.parametrize("group", ["U(1)", "SU(2)"])
    def test_gradient(self, group):
        links = torch.from_numpy(links_of(group, 2)).requires_grad_()
        assert torch.autograd.gradcheck(lambda u: wilson_loops(u, 1, 2, dim=2), links)


class TestGaugeInvariance:
    @pytest.mark.parametrize("group", GROUPS)
    @pytest.mark.parametrize("dim", [2, 3])
    def test_traces(self, group, dim):
        links = links_of(group, dim)
        rng = np.random.default_rng(1)
        lattice = SHAPES[dim]
        if group == "U(1)":
            alpha = rng.uniform(-3, 3, lattice)
            moved, broken = gauge_angles(links, alpha), links + alpha
        elif group == "Z2":
            g = rng.choice(np.array([-1, 1], np.int8), lattice)
            moved = np.stack([g * links[m] * np.roll(g, -1, m) for m in range(dim)])
            broken = links * g
        else:
            g = haar(rng, int(group[3]), *lattice)
            moved, broken = gauge_matrices(links, g), g @ links
        functions = [
            lambda u: plaquettes(u, dim=dim),
            lambda u: wilson_loops(u, 2, 1, dim=dim),
            lambda u: polyakov_loops(u, dim=dim, axis=dim - 1),
        ]
        for function in functions:
            np.testing.assert_allclose(function(moved), function(links), rtol=0, atol=10 * TOL)
            change = np.abs(function(broken) - function(links)).max()
            assert change > 0.1  # the control: a transformation of one end only


class TestPolyakovLoops:
    @pytest.mark.parametrize("group", GROUPS)
    @pytest.mark.parametrize(("dim", "axis"), [(1, 0), (2, 0), (2, 1), (3, 1), (4, 3)])
    def test_walks(self, group, dim, axis):
        links = links_of(group, dim)
        u = matrices(links)
        found = polyakov_loops(links, dim=dim, axis=axis)
        rest = tuple(side for m, side in enumerate(SHAPES[dim]) if m != axis)
        assert found.shape == rest
        assert np.iscomplexobj(found) == (group != "Z2")
        for x in np.ndindex(rest):
            start = (*x[:axis], 0, *x[axis:])
            product, end = walk(u, start, [(axis, 1)] * SHAPES[dim][axis])
            assert end == start
            assert found[x] == pytest.approx(np.trace(product) / u.shape[-1], abs=TOL)

    def test_batches_and_torch(self):
        links = links_of("SU(2)", 3, 2, 2)
        found = polyakov_loops(links, dim=3, axis=1)
        assert found.shape == (2, 2, 2, 4)
        alone = polyakov_loops(links[1, 0], dim=3, axis=1)
        np.testing.assert_allclose(alone, found[1, 0], rtol=0, atol=TOL)
        of_torch = polyakov_loops(torch.from_numpy(links), dim=3, axis=1)
        np.testing.assert_allclose(of_torch.numpy(), found, rtol=0, atol=TOL)
        np.testing.assert_allclose(found.imag, 0, rtol=0, atol=TOL)  # of SU(2)

    def test_centre(self):
        """The links of one slice times z: the loop times z, and every plaquette as it was."""
        links, z = links_of("SU(3)", 3), np.exp(2j * np.pi / 3)
        turned = links.copy()
        turned[2, :, :, 1] *= z
        loops = [polyakov_loops(u, dim=3, axis=2) for u in (links, turned)]
        np.testing.assert_allclose(loops[1], z * loops[0], rtol=0, atol=TOL)
        same = [plaquettes(u, dim=3) for u in (links, turned)]
        np.testing.assert_allclose(same[1], same[0], rtol=0, atol=TOL)


class TestPlaquetteAngles:
    @pytest.mark.parametrize("dim", [2, 3, 4])
    def test_walks(self, dim):
        theta = links_of("U(1)", dim, 2)
        found = plaquette_angles(theta, dim=dim)
        assert np.abs(found).max() <= np.pi
        for b in range(2):
            u = matrices(theta[b])
            for k, (m, n) in enumerate(pairs(dim)):
                for x in np.ndindex(SHAPES[dim]):
                    product, _ = walk(u, x, rectangle(m, n, 1, 1))
                    assert wrap(found[(b, k, *x)] - np.angle(product[0, 0])) == pytest.approx(
                        0, abs=TOL
                    )
        of_torch = plaquette_angles(torch.from_numpy(theta), dim=dim)
        np.testing.assert_allclose(of_torch.numpy(), found, rtol=0, atol=TOL)

    def test_cosine(self):
        theta = links_of("U(1)", 3)
        found = np.cos(plaquette_angles(theta, dim=3))
        np.testing.assert_allclose(found, plaquettes(theta, dim=3), rtol=0, atol=TOL)


class TestRefusals:
    @pytest.mark.parametrize(
        ("links", "message"),
        [
            (np.zeros((3, 4, 4)), r"has shape \(3, 4, 4\); expected \(\*batch, 2, \*L\)"),
            (np.zeros((2, 4)), "has shape"),
            (np.zeros((2, 0, 4)), "has shape"),
            (np.zeros((2, 4, 4), complex), "has shape"),
            (np.zeros((2, 4, 4, 2, 3), complex), "has shape"),
            (np.zeros((2, 4, 4), np.float16), "is float16"),
            (np.zeros((2, 4, 4), bool), "is bool"),
            (np.zeros((2, 4, 4), np.uint8), "is uint8"),
            (torch.zeros(2, 4, 4, dtype=torch.bfloat16), "is bfloat16"),
            ([[[0.0]], [[0.0]]], "of type list"),
        ],
    )
    def test_links(self, links, message):
        with pytest.raises(InputError, match=message):
            plaquettes(links, dim=2)

    def test_arguments(self):
        links = np.zeros((2, 4, 4))
        for axis in (-1, 2, 0.0, True):
            with pytest.raises(InputError, match=r"`axis` is .*from 0 to 1\."):
                polyakov_loops(links, dim=2, axis=axis)
        with pytest.raises(InputError, match="`t` is 0"):
            wilson_loops(links, 1, 0, dim=2)
        with pytest.raises(InputError, match="`dim` is 1"):
            plaquettes(np.zeros((1, 4)), dim=1)
        with pytest.raises(InputError, match="have no angle"):
            plaquette_angles(np.ones((2, 4, 4), int), dim=2)
