"""The public test tool: what it returns, and what it must not let pass."""

import math

import pytest
import torch

from topoml._core.errors import InputError
from topoml.lie import SE, SO, SU, U1, Cyclic, Lorentz, Sphere
from topoml.nn import FieldPersistence, PersistenceImage
from topoml.nn.equivariance import Action, assert_equivariant, invariant, rotations, translations
from topoml.nn.point_groups import P4M, P6M, lattice_symmetries

from .equivariant import generator, randn


def double(x):
    return 2 * x


def gram(x):
    return x @ x.mT


GROUPS = {
    "SO(2)": (SO(2), 2, torch.float64),
    "SO(4)": (SO(4), 4, torch.float64),
    "U(1)": (U1(), 1, torch.complex128),
    "SU(3)": (SU(3), 3, torch.complex128),
    "SE(2)": (SE(2), 3, torch.float64),
    "Lorentz": (Lorentz(), 4, torch.float64),
}


@pytest.mark.parametrize("name", GROUPS)
def test_every_group_of_matrices(name):
    """Multiples of vectors turn with them, their components one by one do not."""
    group, n, dtype = GROUPS[name]
    x = randn(2, 3, n, dtype=dtype)
    assert assert_equivariant(double, group, x, generator()) < 1e-14
    with pytest.raises(AssertionError, match=r"differ by .* expected at most 1e-12\.$"):
        assert_equivariant(lambda x: x * x, group, x, generator())


def test_defect_by_hand():
    """f(x) = x + 1 under x -> -x: f(-x) + f(x) = 2 where max |f| = 3."""
    action = Action(lambda x, g: None, lambda g, x: -x, lambda g, y: -y)
    x = torch.tensor([1.0, 2.0])
    found = assert_equivariant(lambda x: x + 1, action, x, generator(), tolerance=1)
    assert found == pytest.approx(2 / 3)
    with pytest.raises(AssertionError, match=r"differ by 0\.667 of max \|f\(x\)\|; expected at"):
        assert_equivariant(lambda x: x + 1, action, x, generator(), tolerance=0.666)


def test_worst_of_the_draws():
    """Elements are all tried: one bad among good ones is found."""
    signs = iter([1.0, 1.0, -1.0, 1.0])
    action = Action(lambda x, g: next(signs), lambda g, x: g * x, lambda g, y: g * y)
    x = torch.ones(2)
    with pytest.raises(AssertionError, match="differ by 2 "):
        assert_equivariant(torch.abs, action, x, generator(), n_draws=4)
    signs = iter([1.0, 1.0, -1.0, 1.0])
    assert assert_equivariant(torch.abs, action, x, generator(), n_draws=2) == 0


def test_the_action_on_the_output():
    x = randn(2, 5, 3)
    assert_equivariant(gram, SO(3), x, generator(), act_out=invariant)
    with pytest.raises(AssertionError):
        assert_equivariant(double, SO(3), x, generator(), act_out=invariant)
    with pytest.raises(InputError, match=r"\(2, 5, 5\); expected vectors of 3 on the last axis"):
        assert_equivariant(gram, SO(3), x, generator())


def test_the_action_on_the_input():
    """Matrices turned from both sides have the same trace."""
    x = randn(3, 4, 4)

    def conjugate(g, x):
        return g @ x @ g.mT

    def trace(x):
        return x.diagonal(dim1=-2, dim2=-1).sum(-1)

    assert_equivariant(trace, SO(4), x, generator(), act_in=conjugate, act_out=invariant)
    with pytest.raises(AssertionError):
        assert_equivariant(trace, SO(4), x, generator(), act_out=invariant)


def test_several_inputs_and_outputs():
    x = (randn(2, 3), randn(2, 3, seed=1))
    assert_equivariant(lambda a, b: (a + b, a - b), SO(3), x, generator())
    assert_equivariant(torch.linalg.cross, SO(3), x, generator())
    with pytest.raises(AssertionError):
        assert_equivariant(lambda a, b: (a + b, a * b), SO(3), x, generator())
    with pytest.raises(AssertionError):  # NaN in either place
        assert_equivariant(lambda a, b: (a + b, a * torch.nan), SO(3), x, generator())
    with pytest.raises(AssertionError):
        assert_equivariant(lambda a, b: (a * torch.nan, a + b), SO(3), x, generator())


def test_what_shows_nothing_fails():
    x = randn(2, 3)
    for useless in (torch.zeros_like, lambda x: x * torch.nan):
        with pytest.raises(AssertionError, match="differ by nan"):
            assert_equivariant(useless, SO(3), x, generator())
    moves = Action(lambda x, g: 0, lambda g, x: x.repeat(4), invariant)
    with pytest.raises(AssertionError, match=r"f\(gx\) has shape \(4,\) and g f\(x\) has \(1,\)"):
        assert_equivariant(double, moves, torch.ones(1), generator())


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_translations(dim):
    x = randn(2, 3, *(3, 4, 5)[:dim], 2)
    shifted = {}

    def spy(y):
        shifted[tuple(y.flatten()[:1].tolist())] = True
        return y.roll(1, 1 + dim)

    assert assert_equivariant(spy, translations(dim), x, generator(), n_draws=9) == 0
    assert len(shifted) > 2  # it did move
    with pytest.raises(AssertionError):
        assert_equivariant(lambda x: x.cumsum(1 + dim), translations(dim), x, generator())


def test_translations_of_angles_and_tuples():
    x = randn(2, 4, 4)
    assert_equivariant(lambda x: x - x.roll(1, 1), translations(2, first_axis=1), x, generator())
    fields = (x[:, None], x[:, None].exp())
    assert_equivariant(lambda a, b: (a * b, b), translations(2), fields, generator())


def test_persistence_of_fields():
    """Filtered by distances: blind to rotations, shifts, p4m; not to p6m, of another complex."""
    layer = torch.nn.Sequential(
        FieldPersistence(manifold=Sphere(2), homology_dimensions=(0, 1)),
        PersistenceImage(bandwidth=0.3, resolution=(4, 4), im_range=(0, 3, 0, 3)),
    )
    x = torch.nn.functional.normalize(randn(2, 1, 6, 6, 3), dim=-1)
    for group in (SO(3), translations(2), lattice_symmetries(P4M)):
        assert_equivariant(layer, group, x, generator(), act_out=invariant)
    for group, broken in (
        (lattice_symmetries(P6M), layer),
        (SO(3), lambda x: layer(torch.nn.functional.normalize(x * x, dim=-1))),
    ):
        with pytest.raises(AssertionError):
            assert_equivariant(broken, group, x, generator(), act_out=invariant)


def test_no_gradients_and_dtypes():
    """Float32 has a tolerance of its own, half precision wants one stated."""
    x = randn(2, 3, dtype=torch.float32).requires_grad_()
    seen = []
    assert_equivariant(lambda x: seen.append(x) or double(x), SO(3), x, generator())
    assert all(y.dtype == torch.float32 for y in seen)
    with pytest.raises(InputError, match=r"^`x` has dtype torch.bfloat16; expected float64 or"):
        assert_equivariant(double, translations(1, first_axis=0), x.bfloat16(), generator())
    assert_equivariant(
        double, translations(1, first_axis=0), x.bfloat16(), generator(), tolerance=0
    )


def test_real_group_on_complex_vectors():
    assert_equivariant(double, SO(3), randn(2, 3, dtype=torch.complex128), generator())


def test_same_generator_same_elements():
    x = randn(2, 3)
    moved = [rotations(SO(3)).draw(x, generator(5)) for _ in range(2)]
    assert torch.equal(*moved)
    assert moved[0].dtype == torch.float64
    assert abs(torch.linalg.det(moved[0]) - 1) < 1e-14


@pytest.mark.parametrize("group", [Cyclic(3), "SO(3)", None])
def test_no_group(group):
    with pytest.raises(InputError, match=r"^`group` is .*; expected a group of matrices"):
        assert_equivariant(double, group, randn(2, 3), generator())


@pytest.mark.parametrize("tolerance", [-1, math.nan, math.inf, "1"])
def test_tolerance(tolerance):
    with pytest.raises(InputError, match=r"^`tolerance` is "):
        assert_equivariant(double, SO(3), randn(2, 3), generator(), tolerance=tolerance)


@pytest.mark.parametrize("n_draws", [0, 1.5, None])
def test_draws(n_draws):
    with pytest.raises(InputError, match=r"^`n_draws` is "):
        assert_equivariant(double, SO(3), randn(2, 3), generator(), n_draws=n_draws)
