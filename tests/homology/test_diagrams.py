"""Diagrams: what indexing, moving, padding and capping must give, sample by sample."""

import copy
import math
import pickle
from dataclasses import fields, replace

import pytest
import torch
from torch.utils import _pytree

from topoml._core.errors import InputError
from topoml.homology import Diagrams, cubical_persistence

TENSORS = [
    "points", "dimension", "sample", "birth_index", "death_index",
    "essential", "essential_dimension", "essential_sample", "essential_index",
]  # fmt: skip


def field(shape, seed=0, dtype=torch.float64):
    """Normal noise of which one sample is constant: no finite class."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(*shape, 5, 6, dtype=torch.float64, generator=g).to(dtype)
    x.reshape(-1, 5, 6)[math.prod(shape) // 2] = 1.0
    return x


def noise(n, seed=0):
    """Small fields free of ties, for finite differences."""
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, 4, dtype=torch.float64, generator=g, requires_grad=True)


def of_field(x, **options):
    options = {"homology_dimensions": (0, 1, 2), "periodic": True} | options
    return cubical_persistence(x, **options)


def assert_same(a, b):
    assert a.batch_shape == b.batch_shape
    assert isinstance(a.batch_shape, torch.Size)
    assert a.homology_dimensions == b.homology_dimensions
    assert a.superlevel == b.superlevel
    for name in TENSORS:
        ours, theirs = getattr(a, name), getattr(b, name)
        assert ours.dtype == theirs.dtype
        assert torch.equal(ours, theirs), name


@pytest.mark.parametrize("superlevel", [False, True])
@pytest.mark.parametrize(
    ("shape", "key"),
    [
        ((4,), 0),
        ((4,), 3),
        ((4,), -1),
        ((4,), slice(None)),
        ((4,), slice(1, 3)),
        ((4,), slice(None, None, 2)),
        ((4,), slice(3, 3)),
        ((4,), torch.tensor([3, 0, 0, 2])),
        ((4,), torch.tensor([[3, 0], [1, 1]])),
        ((4,), torch.tensor([True, False, True, False])),
        ((4,), torch.zeros(4, dtype=torch.bool)),
        ((4,), [2, 1]),
        ((4,), None),
        ((4,), torch.tensor(2)),
        ((3, 2), 1),
        ((3, 2), -2),
        ((3, 2), (1, 0)),
        ((3, 2), (-1, -1)),
        ((3, 2), (slice(None), 1)),
        ((3, 2), (..., 0)),
        ((3, 2), ...),
        ((3, 2), (slice(1, None), None, slice(None, None, 2))),
        ((3, 2), torch.tensor([2, 0])),
        ((3, 2), (torch.tensor([2, 0]), torch.tensor([1, 1]))),
        ((3, 2), torch.eye(3, 2, dtype=torch.bool)),
        ((2, 1, 2), (..., 1)),
        ((2, 1, 2), (0, ..., 1)),
        ((), ...),
        ((), None),
        ((), ()),
    ],
    ids=str,
)
def test_indexing(shape, key, superlevel):
    """d[key] is what is computed from x[key]; for no sample, nothing."""
    x = field(shape)
    d = of_field(x, superlevel=superlevel)[key]
    into_x = key if isinstance(key, tuple) else (key,)
    if any(part is ... for part in into_x):  # which must not reach the axes of the lattice
        into_x = (*into_x, slice(None), slice(None))
    chosen = x[into_x]
    if chosen.numel():
        assert_same(d, of_field(chosen, superlevel=superlevel))
    else:
        assert d.batch_shape == chosen.shape[:-2]
        assert d.n_samples == 0
        assert all(len(getattr(d, name)) == 0 for name in TENSORS)


@pytest.mark.parametrize("key", [4, -5, (0, 0), 1.5, "a", torch.tensor([4])])
def test_index_errors_are_those_of_torch(key):
    d = of_field(field((4,)))
    with pytest.raises((IndexError, TypeError)) as ours:
        d[key]
    with pytest.raises((IndexError, TypeError)) as theirs:
        torch.arange(4)[key]
    assert str(ours.value) == str(theirs.value)


def test_a_single_sample_has_no_axis():
    d = of_field(field(()))
    with pytest.raises(IndexError):
        d[0]
    with pytest.raises(TypeError, match=r"len\(\)"):
        len(d)
    with pytest.raises(TypeError):
        iter(d)


@pytest.mark.parametrize("shape", [(4,), (3, 2), (1,)])
def test_len_and_iteration(shape):
    x = field(shape)
    d = of_field(x)
    assert len(d) == len(x)
    parts = list(d)
    assert len(parts) == len(x)
    for part, sample in zip(parts, x, strict=True):
        assert_same(part, of_field(sample))


def test_indexing_twice():
    x = field((3, 2))
    d = of_field(x)
    assert_same(d[1][0], d[1, 0])
    assert_same(d[torch.tensor([2, 1])][1], of_field(x[1]))


@pytest.mark.parametrize("superlevel", [False, True])
def test_to(superlevel):
    d = of_field(field((3,)), superlevel=superlevel)
    for moved in (d.to(torch.float32), d.to(dtype=torch.float32), d.to("cpu", torch.float32)):
        assert moved.points.dtype == moved.essential.dtype == torch.float32
        assert torch.equal(moved.points, d.points.float())
        assert torch.equal(moved.essential, d.essential.float())
        assert_same(moved.to(torch.float64).to(torch.float32), moved)
        assert torch.equal(moved.sample, d.sample)
        assert moved.sample.dtype == torch.int64
        assert moved.superlevel is superlevel
    assert_same(d.to("cpu"), d)
    assert_same(d.to(torch.zeros(1, dtype=torch.float64)), d)
    meta = d.to("meta")
    assert all(getattr(meta, name).is_meta for name in TENSORS)
    with pytest.raises(InputError, match=r"^`dtype` is torch.int64; expected a floating dtype"):
        d.to(torch.int64)


def test_to_and_detach_and_the_graph():
    x = field((3,)).requires_grad_()
    d = of_field(x)
    assert not d.detach().points.requires_grad
    assert not d.detach().essential.requires_grad
    assert_same(d.detach(), d)
    d.to(torch.float32).lifetime.sum().backward()
    expected = torch.autograd.grad(of_field(x).lifetime.sum(), x)[0]
    assert torch.equal(x.grad, expected)


@pytest.mark.parametrize("superlevel", [False, True])
def test_lifetime(superlevel):
    d = of_field(field((3,)), superlevel=superlevel)
    birth, death = d.points.unbind(1)
    assert (d.lifetime > 0).all()
    assert torch.equal(d.lifetime, (death - birth).abs())


@pytest.mark.parametrize("shape", [(), (2,)])
def test_cat(shape):
    x, y, z = field((3, *shape), 1), field((1, *shape), 2), field((2, *shape), 3)
    d = [of_field(part) for part in (x, y, z)]
    assert_same(Diagrams.cat(d), of_field(torch.cat([x, y, z])))
    assert_same(Diagrams.cat(iter(d)), Diagrams.cat(d))
    assert_same(Diagrams.cat(d[:1]), d[0])
    assert_same(Diagrams.cat([d[0], d[0][:0]]), d[0])
    assert_same(Diagrams.cat([*of_field(x)[:, None]]), of_field(x))


def test_cat_carries_gradients():
    x = field((2,)).requires_grad_()
    d = of_field(x)
    joined = Diagrams.cat([d[1:], d])
    total = joined.points.sum() + joined.essential.sum()
    grad = torch.autograd.grad(total, x, retain_graph=True)[0]
    single = torch.autograd.grad(d.points.sum() + d.essential.sum(), x)[0]
    assert torch.equal(grad, single * torch.tensor([1.0, 2.0]).view(2, 1, 1))


D = of_field(field((2, 3)))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], r"`diagrams` is empty; expected at least one"),
        ([D[0, 0]], r"`diagrams\[0\]` is of a single sample; expected a batch axis"),
        ([D, D[0]], r"`diagrams\[1\]` has .* expected .* those of diagrams\[0\]"),
        ([D, D.select(0)], r"`diagrams\[1\]` has"),
        ([D, replace(D, superlevel=True)], r"`diagrams\[1\]` has"),
    ],
)
def test_cat_errors(parts, message):
    with pytest.raises(InputError, match="^" + message) as error:
        Diagrams.cat(parts)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("dimension", [0, 1, 2])
def test_select(dimension):
    x = field((3, 2))
    assert_same(of_field(x).select(dimension), of_field(x, homology_dimensions=(dimension,)))


def test_select_of_what_was_not_computed():
    d = of_field(field((2,)), homology_dimensions=(0, 1))
    for method in (d.select, d.padded):
        with pytest.raises(InputError, match=r"^`dimension` is 2; expected one of \(0, 1\)"):
            method(2)


@pytest.mark.parametrize("superlevel", [False, True])
def test_threshold(superlevel):
    x = (field((20,)) * 4).round() / 4  # some lifetimes equal the threshold
    d = of_field(x, superlevel=superlevel)
    kept = d.threshold(0.5)
    long = (d.points[:, 1] - d.points[:, 0]).abs() > 0.5
    assert (d.lifetime == 0.5).any()
    assert torch.equal(kept.points, d.points[long])
    assert torch.equal(kept.sample, d.sample[long])
    assert torch.equal(kept.death_index, d.death_index[long])
    assert torch.equal(kept.essential, d.essential)
    assert_same(d.threshold(0.0), d)
    assert len(d.threshold(math.inf).points) == 0


@pytest.mark.parametrize("superlevel", [False, True])
@pytest.mark.parametrize("shape", [(), (4,), (3, 2)])
@pytest.mark.parametrize("dimension", [0, 1])
def test_padded(shape, dimension, superlevel):
    x = field(shape) if shape else field((2,))[0]
    d = of_field(x, superlevel=superlevel)
    points, mask = d.padded(dimension)
    counts = []
    for i, sample in enumerate(x.reshape(-1, 5, 6)):
        alone = of_field(sample, superlevel=superlevel).select(dimension).points
        row, here = (
            points.reshape(x[..., 0, 0].numel(), -1, 2)[i],
            mask.reshape(-1, mask.shape[-1])[i],
        )
        assert torch.equal(row[here], alone)
        assert not row[~here].any()
        assert here.tolist() == sorted(here.tolist(), reverse=True)
        counts.append(len(alone))
    assert points.shape == (*shape, max(counts), 2)
    assert mask.shape == (*shape, max(counts))
    assert mask.dtype == torch.bool
    assert 0 in counts or not shape


def test_padded_without_classes():
    d = of_field(torch.ones(3, 2, 4, 4))
    points, mask = d.padded(1)
    assert points.shape == (3, 2, 0, 2)
    assert mask.shape == (3, 2, 0)
    points, mask = D[:0].padded(0)
    assert points.shape == (0, 3, 0, 2)
    assert mask.shape == (0, 3, 0)


def test_padded_gradient():
    assert torch.autograd.gradcheck(lambda x: of_field(x).padded(0)[0] ** 2, noise(3))


@pytest.mark.parametrize("superlevel", [False, True])
@pytest.mark.parametrize("kind", ["number", "tensor", "zero axes"])
def test_capped(kind, superlevel):
    """Each sample gets its essential classes back as finite ones, after those it had."""
    x = field((3, 2))
    d = of_field(x, superlevel=superlevel)
    sign = -1.0 if superlevel else 1.0
    cap = {
        "number": 5.0 * sign,
        "tensor": sign * torch.arange(5.0, 11.0, dtype=torch.float64).reshape(3, 2),
        "zero axes": torch.tensor(5.0 * sign),
    }[kind]
    capped = d.capped(cap)
    assert len(capped.essential) == len(capped.essential_index) == 0
    assert len(capped.essential_dimension) == len(capped.essential_sample) == 0
    assert (capped.lifetime >= 0).all()
    caps = torch.as_tensor(cap, dtype=torch.float64).expand(3, 2)
    for i in range(3):
        for j in range(2):
            for k in range(3):
                before, after = d[i, j].select(k), capped[i, j].select(k)
                n = len(before.points)
                assert torch.equal(after.points[:n], before.points)
                assert torch.equal(after.birth_index[:n], before.birth_index)
                assert torch.equal(after.death_index[:n], before.death_index)
                assert torch.equal(after.points[n:, 0], before.essential)
                assert torch.equal(after.birth_index[n:], before.essential_index)
                assert (after.points[n:, 1] == caps[i, j]).all()
                assert (after.death_index[n:] == -1).all()
                assert len(after.points) == n + len(before.essential)
    order = capped.sample * 3 + capped.dimension
    assert torch.equal(order, order.sort().values)


def test_capped_at_a_birth_has_length_zero():
    d = of_field(torch.ones(2, 3, 3), homology_dimensions=(0,))
    assert d.capped(1.0).points.tolist() == [[1.0, 1.0]] * 2


@pytest.mark.parametrize("superlevel", [False, True])
def test_capped_below_a_birth(superlevel):
    d = of_field(torch.tensor([[1.0, 2.0]]), homology_dimensions=(0,), superlevel=superlevel)
    birth, cap = (2.0, 2.5) if superlevel else (1.0, 0.5)
    message = rf"^`value` is {cap} for sample 0, where a class is born at {birth}; expected"
    with pytest.raises(InputError, match=message):
        d.capped(cap)
    d.capped(birth)
    with pytest.raises(InputError, match=message):
        d.capped(torch.tensor(cap))


def test_capped_names_the_sample():
    d = of_field(torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]]), homology_dimensions=(0,))
    with pytest.raises(InputError, match=r"^`value` is 2.0 for sample 1, where .* born at 3.0"):
        d.capped(torch.tensor([2.0, 2.0]))
    for wrong in (torch.zeros(3), torch.zeros(2, 1), torch.zeros(1)):
        with pytest.raises(InputError, match=r"^`value` has shape .* expected a number or \(2,\)"):
            d.capped(wrong)


def test_capped_gradient():
    cap = torch.tensor([6.0, 7.0], dtype=torch.float64, requires_grad=True)

    def values(x, cap):
        return of_field(x).capped(cap).points ** 2

    assert torch.autograd.gradcheck(values, (noise(2), cap))


@pytest.mark.parametrize("key", [1, slice(1, None), torch.tensor([1, 1, 0]), (..., None)])
def test_gradient_through_indexing_and_select(key):
    def values(x):
        d = of_field(x)[key]
        return d.select(0).points ** 2, d.select(1).essential ** 2

    assert torch.autograd.gradcheck(values, noise(3))


def test_gradient_goes_to_the_chosen_sample_only():
    x = field((3,), 4).requires_grad_()
    of_field(x)[0].points.pow(2).sum().backward()
    assert x.grad[0].any()
    assert not x.grad[1:].any()


def test_repr():
    x = torch.tensor([[[0.0, 3.0, 1.0]], [[2.0, 2.0, 2.0]]])
    d = cubical_persistence(x, homology_dimensions=(1, 0))
    assert repr(d) == (
        "Diagrams(batch_shape=(2,), H1: 0 finite + 0 essential, H0: 1 finite + 2 essential)"
    )
    d = cubical_persistence(-x[0], homology_dimensions=(0,), superlevel=True)
    assert repr(d) == "Diagrams(batch_shape=(), superlevel, H0: 1 finite + 1 essential)"


@pytest.mark.parametrize("superlevel", [False, True])
def test_pytree(superlevel):
    x = field((3, 2)).requires_grad_()
    d = of_field(x, superlevel=superlevel)
    leaves, spec = _pytree.tree_flatten(d)
    assert [id(leaf) for leaf in leaves] == [id(getattr(d, name)) for name in TENSORS]
    assert_same(_pytree.tree_unflatten(leaves, spec), d)
    nested = _pytree.tree_map(lambda t: t + 1, {"a": [d, torch.zeros(2)]})
    assert torch.equal(nested["a"][0].points, d.points + 1)
    assert torch.equal(nested["a"][0].essential_index, d.essential_index + 1)
    assert nested["a"][0].batch_shape == (3, 2)
    assert nested["a"][0].points.requires_grad
    assert spec == _pytree.tree_flatten(of_field(2 * x, superlevel=superlevel))[1]
    assert spec != _pytree.tree_flatten(of_field(x[0], superlevel=superlevel))[1]


def test_pytree_spec_survives_serialization():
    leaves, spec = _pytree.tree_flatten(D)
    again = _pytree.treespec_loads(_pytree.treespec_dumps(spec))
    assert again == spec
    assert_same(_pytree.tree_unflatten(leaves, again), D)


@pytest.mark.parametrize(
    "twin", [copy.deepcopy, copy.copy, lambda d: pickle.loads(pickle.dumps(d))]
)
def test_copies(twin):
    d = of_field(field((3, 2)), superlevel=True)
    assert_same(twin(d), d)
    if twin is not copy.copy:
        assert twin(d).points.data_ptr() != d.points.data_ptr()


def test_frozen_and_compared_by_identity():
    with pytest.raises(AttributeError):
        D.superlevel = True
    assert D == D
    assert D != copy.copy(D)
    assert len({D, D}) == 1
    assert {f.name for f in fields(D)} >= set(TENSORS)
