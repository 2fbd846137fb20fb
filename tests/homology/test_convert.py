"""Converters: there and back, and from what the other libraries themselves return."""

import math

import gudhi
import numpy as np
import pytest
import torch

from topoml._core.errors import InputError
from topoml.homology import (
    Diagrams,
    PersistenceInformation,
    cubical_persistence,
    from_cripser,
    from_giotto,
    from_gudhi,
    from_ripser,
    from_torch_topological,
    to_cripser,
    to_giotto,
    to_gudhi,
    to_ripser,
    to_torch_topological,
)

from .oracles import of_diagrams

INF = float("inf")
SHAPE = (6, 7)
ROUND_TRIPS = {
    "gudhi": (to_gudhi, from_gudhi, {}, {}),
    "ripser": (to_ripser, from_ripser, {}, {}),
    "torch_topological": (to_torch_topological, from_torch_topological, {}, {}),
    "cripser": (to_cripser, from_cripser, {"spatial_shape": SHAPE}, {"spatial_shape": SHAPE}),
}


def noise(*batch, shape=SHAPE, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*batch, *shape, dtype=torch.float64, generator=g).to(dtype)


def ours(x, **options):
    return cubical_persistence(x, **{"homology_dimensions": (0, 1)} | options)


def by_row(d):
    """All classes of a batch, sorted: sample, dimension, birth, death."""
    finite = zip(d.sample.tolist(), d.dimension.tolist(), *d.points.double().T.tolist(),
                 d.birth_index.tolist(), d.death_index.tolist(), strict=True)  # fmt: skip
    never = zip(d.essential_sample.tolist(), d.essential_dimension.tolist(),
                d.essential.double().tolist(), d.essential_index.tolist(), strict=True)  # fmt: skip
    return sorted(finite), sorted(never)


@pytest.mark.parametrize("superlevel", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_round_trip(name, dtype, superlevel):
    to, back, there_options, back_options = ROUND_TRIPS[name]
    x = noise(5, dtype=dtype)
    x[2] = 1.0  # no finite class
    d = ours(x, periodic=True, superlevel=superlevel, homology_dimensions=(0, 1, 2))
    options = {"homology_dimensions": (0, 1, 2), "superlevel": superlevel, "dtype": dtype}
    r = back(to(d, **there_options), **back_options, **options)
    assert r.points.dtype == r.essential.dtype == dtype
    assert r.batch_shape == d.batch_shape
    assert r.homology_dimensions == d.homology_dimensions
    assert r.superlevel == superlevel
    keep = (lambda t: t) if name == "cripser" else lambda t: t[:4]
    a, b = by_row(d), by_row(r)
    assert [keep(t) for t in b[0]] == [keep(t) for t in a[0]]
    assert [t[: 4 if name == "cripser" else 3] for t in b[1]] == [
        t[: 4 if name == "cripser" else 3] for t in a[1]
    ]
    order = list(zip(r.sample.tolist(), r.dimension.tolist(), strict=True))
    assert order == sorted(order)
    if name != "cripser":
        assert (r.birth_index == -1).all()
        assert (r.essential_index == -1).all()


@pytest.mark.parametrize("superlevel", [False, True])
def test_round_trip_giotto(superlevel):
    x = noise(4)
    d = ours(x, superlevel=superlevel)
    cap = 9.0
    r = from_giotto(to_giotto(d, infinity_values=cap), dtype=d.points.dtype, superlevel=superlevel)
    expected = d.capped(-cap if superlevel else cap)
    assert [t[:4] for t in by_row(r)[0]] == [t[:4] for t in by_row(expected)[0]]
    assert r.essential.numel() == 0


@pytest.mark.parametrize("name", [*ROUND_TRIPS, "giotto"])
def test_samples_in_c_order(name):
    d = ours(noise(2, 3))
    flat = ours(noise(2, 3).reshape(6, *SHAPE))
    to, _, options, _ = ROUND_TRIPS.get(name, (to_giotto, None, {"infinity_values": 9.0}, None))
    assert str(to(d, **options)) == str(to(flat, **options))
    assert len(to(d, **options)) == 6
    assert len(to(d[0, 0], **options)) == 1


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_a_superlevel_diagram_goes_out_as_that_of_minus_x(name):
    to, _, options, _ = ROUND_TRIPS[name]
    x = noise(3)
    assert str(to(ours(x, superlevel=True), **options)) == str(to(ours(-x), **options))


def test_gudhi_itself():
    x = noise(3)
    samples = []
    for sample in x.numpy():
        complex_ = gudhi.CubicalComplex(vertices=sample)
        samples.append(complex_.persistence(homology_coeff_field=2, min_persistence=-1))
    d = ours(x)
    assert [sorted(s) for s in to_gudhi(d)] == [
        sorted((k, tuple(p)) for k, p in s if p[0] < p[1]) for s in samples
    ]
    r = from_gudhi(samples, dtype=torch.float64)
    assert [of_diagrams(s) for s in r] == [of_diagrams(s) for s in d]


def test_gtda_itself():
    homology = pytest.importorskip("gtda.homology")
    x = noise(4)
    x[1] = 0.5
    theirs = homology.CubicalPersistence(
        homology_dimensions=(0, 1), reduced_homology=False, infinity_values=9.0
    ).fit_transform(x.numpy())
    exported = to_giotto(ours(x, construction="T"), infinity_values=9.0)
    assert exported.shape == theirs.shape
    assert exported.dtype == theirs.dtype
    for a, b in zip(exported, theirs, strict=True):
        np.testing.assert_array_equal(a[np.lexsort(a.T)], b[np.lexsort(b.T)])
    r = from_giotto(theirs, dtype=torch.float64)
    expected = ours(x, construction="T").capped(9.0)
    assert [of_diagrams(s) for s in r] == [of_diagrams(s) for s in expected]


def test_gtda_takes_what_we_export():
    diagrams = pytest.importorskip("gtda.diagrams")
    exported = to_giotto(ours(noise(4)), infinity_values=9.0)
    curves = diagrams.BettiCurve(n_bins=5).fit_transform(exported)
    assert curves.shape == (4, 2, 5)


@pytest.mark.parametrize(("module", "function"), [("gph", "ripser_parallel"), ("ripser", "ripser")])
def test_ripser_itself(module, function):
    rips = getattr(pytest.importorskip(module), function)
    rng = np.random.default_rng(0)
    samples = [rips(rng.normal(size=(n, 2)), maxdim=1)["dgms"] for n in (12, 20)]
    d = from_ripser(samples, dtype=torch.float64)
    assert d.homology_dimensions == (0, 1)
    assert d.batch_shape == (2,)
    assert d.essential.tolist() == [0.0, 0.0]
    for a, b in zip(to_ripser(d), samples, strict=True):
        for ours_, theirs in zip(a, b, strict=True):
            theirs = np.asarray(theirs, np.float64).reshape(-1, 2)
            np.testing.assert_array_equal(ours_[np.lexsort(ours_.T)], theirs[np.lexsort(theirs.T)])


@pytest.mark.parametrize("shape", [(9,), (5, 6), (3, 4, 5), (2, 3, 3, 3)])
def test_cripser_itself(shape):
    cripser = pytest.importorskip("cripser")
    x = noise(2, shape=shape)
    n = len(shape)
    # cripser gives the classes below the dimension of the space
    d = ours(x, spatial_dims=n, homology_dimensions=tuple(range(n)))
    theirs = [cripser.computePH(sample, maxdim=3) for sample in x.numpy()]
    for a, b in zip(to_cripser(d, spatial_shape=shape), theirs, strict=True):
        assert a.shape == b.shape
        np.testing.assert_array_equal(a[np.lexsort(a[:, :3].T), :3], b[np.lexsort(b[:, :3].T), :3])
    r = from_cripser(theirs, dtype=torch.float64, spatial_shape=shape)
    assert [of_diagrams(s) for s in r] == [of_diagrams(s) for s in d]
    flat = x.reshape(2, -1)
    torch.testing.assert_close(flat[r.sample, r.birth_index], r.points[:, 0], rtol=0, atol=0)
    torch.testing.assert_close(flat[r.sample, r.death_index], r.points[:, 1], rtol=0, atol=0)
    torch.testing.assert_close(flat[r.essential_sample, r.essential_index], r.essential)
    assert (from_cripser(theirs, dtype=torch.float64).birth_index == -1).all()


def test_torch_topological_itself():
    nn = pytest.importorskip("torch_topological.nn")
    points = torch.randn(2, 12, 2, generator=torch.Generator().manual_seed(0))
    samples = nn.VietorisRipsComplex(dim=1)(points)
    d = from_torch_topological(samples, dtype=torch.float32)
    back = to_torch_topological(d)
    for a, b in zip(back, samples, strict=True):
        for mine, theirs in zip(a, b, strict=True):
            assert mine.dimension == theirs.dimension
            expected = theirs.diagram[theirs.diagram[:, 0] < theirs.diagram[:, 1]]
            assert torch.equal(mine.diagram, expected)
    loss = nn.SummaryStatisticLoss("total_persistence", p=1)(back[0])
    assert loss == pytest.approx(float(sum(i.diagram.diff().sum() for i in back[0])))


def test_torch_topological_keeps_the_graph_and_the_indices():
    x = noise(2).requires_grad_()
    d = ours(x)
    exported = to_torch_topological(d)
    assert exported[1][0].diagram.requires_grad
    exported[1][1].diagram.diff().sum().backward()
    expected = noise(2).requires_grad_()
    one = ours(expected)[1].select(1)
    one.lifetime.sum().backward()
    torch.testing.assert_close(x.grad, expected.grad)
    assert torch.equal(exported[1][1].pairing[:, 0], one.birth_index)
    assert torch.equal(exported[1][1].pairing[:, 1], one.death_index)


def test_an_item_of_torch_topological_is_no_list():
    """Its layers tell an item from a list by that."""
    item = to_torch_topological(ours(noise(1)))[0][0]
    assert isinstance(item, PersistenceInformation)
    with pytest.raises(TypeError):
        iter(item)


def test_padding_of_giotto():
    """As giotto-tda's: the least birth of the dimension, and a row where there is no class."""
    x = torch.tensor([[[0.0, 3.0, 1.0, 4.0, 2.0]], [[5.0, 6.0, 5.5, 5.0, 5.0]]])
    d = ours(x, homology_dimensions=(0, 1))
    found = to_giotto(d, infinity_values=9.0)
    assert found.tolist() == [
        [[1, 3, 0], [2, 4, 0], [0, 9, 0], [0, 0, 1]],
        [[5, 6, 0], [5, 9, 0], [0, 0, 0], [0, 0, 1]],
    ]
    short = to_giotto(ours(torch.stack([x[0], torch.zeros(1, 5)])), infinity_values=9.0)
    assert short[1].tolist() == [[0, 9, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1]]


def test_essential_classes_for_giotto():
    d = ours(noise(2))
    with pytest.raises(InputError, match="`infinity_values` is None, but 2 classes"):
        to_giotto(d)
    with pytest.raises(InputError, match=r"`infinity_values` is -100\.0; expected a finite"):
        to_giotto(d, infinity_values=-100.0)
    with pytest.raises(InputError, match="`infinity_values` is inf"):
        to_giotto(d, infinity_values=INF)
    assert to_giotto(d.capped(50.0)).max() == 50.0


def test_ripser_dimensions_that_were_not_computed_are_empty():
    (found,) = to_ripser(ours(noise(), homology_dimensions=(1,)))
    assert [part.shape[1] for part in found] == [2, 2]
    assert len(found[0]) == 0 < len(found[1])


def test_dimensions_kept():
    samples = to_gudhi(ours(noise(2)))
    d = from_gudhi(samples, dtype=torch.float64, homology_dimensions=(1,))
    assert d.homology_dimensions == (1,)
    assert (d.dimension == 1).all()
    assert d.essential.numel() == 0


def test_infinite_births_and_zero_lengths():
    rows = [(0, (-INF, 1.0)), (0, (2.0, 2.0)), (0, (INF, INF)), (0, (-INF, INF))]
    d = from_gudhi([rows], dtype=torch.float32)
    assert d.points.tolist() == [[-INF, 1.0]]
    assert d.essential.tolist() == [-INF]


def test_values_that_meet_in_the_dtype():
    d = from_gudhi([[(0, (1.0, 1.0 + 1e-9)), (0, (0.0, INF))]], dtype=torch.float32)
    assert d.points.shape == (0, 2)


@pytest.mark.parametrize("back", [from_gudhi, from_ripser, from_torch_topological, from_cripser])
def test_no_sample(back):
    d = back([], dtype=torch.float32, homology_dimensions=(0, 1))
    assert (d.batch_shape, len(d.points)) == ((0,), 0)
    with pytest.raises(InputError, match="`homology_dimensions` is None"):
        back([], dtype=torch.float32)


@pytest.mark.parametrize(
    ("back", "samples"),
    [
        (from_gudhi, [(0, (0.0, 1.0))]),  # a single sample
        (from_gudhi, [[(0, 0.0, 1.0)]]),
        (from_gudhi, [[(0.5, (0.0, 1.0))]]),
        (from_gudhi, [[(-1, (0.0, 1.0))]]),
        (from_gudhi, 3),
        (from_gudhi, {"a": 1}),
        (from_gudhi, "text"),
        (from_giotto, np.zeros((3, 3))),
        (from_giotto, np.zeros((1, 3, 4))),
        (from_ripser, [{"dgms": []}]),
        (from_ripser, [np.zeros((3, 2))]),  # a single sample's H0
        (from_ripser, [[np.zeros((3, 3))]]),
        (from_cripser, np.zeros((4, 9))),
        (from_cripser, [np.zeros((4, 3))]),
        (from_torch_topological, [[[torch.zeros(1, 2)]]]),
        (from_torch_topological, [[PersistenceInformation(None, torch.zeros(1, 2))]]),
    ],
)
def test_another_format(back, samples):
    with pytest.raises(InputError, match=r"`samples") as caught:
        back(samples, dtype=torch.float64, homology_dimensions=(0,))
    assert "expected" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pair", [(math.nan, 1.0), (0.0, math.nan), (1.0, 0.0)])
def test_no_classes(pair):
    with pytest.raises(InputError, match=r"`samples\[1\]` has a class of dimension 0"):
        from_gudhi([[], [(0, pair)]], dtype=torch.float64)


def test_a_dtype_that_does_not_hold_the_values():
    with pytest.raises(InputError, match=r"`dtype` is torch.float16, in which 100000.0 is inf"):
        from_gudhi([[(0, (0.0, 1e5))]], dtype=torch.float16)
    for dtype in (torch.int64, "float32", None):
        with pytest.raises(InputError, match="`dtype` is"):
            from_gudhi([[(0, (0.0, 1.0))]], dtype=dtype)


@pytest.mark.parametrize("asked", [(), (0, 0), (-1,), "01", 1, (0.0,)])
def test_bad_dimensions(asked):
    with pytest.raises(InputError, match="`homology_dimensions` is"):
        from_gudhi([[(0, (0.0, 1.0))]], dtype=torch.float32, homology_dimensions=asked)


def test_shapes_that_do_not_fit_the_indices():
    d = ours(noise(2))
    with pytest.raises(InputError, match=r"`spatial_shape` is \(3, 3\), of 9 entries"):
        to_cripser(d, spatial_shape=(3, 3))
    with pytest.raises(InputError, match=r"`spatial_shape` is \(3, 3\), but the samples"):
        from_cripser(to_cripser(d, spatial_shape=SHAPE), dtype=torch.float64, spatial_shape=(3, 3))
    for shape in ((), (0, 3), (2, 2, 2, 2, 2), 7, (2.0,)):
        with pytest.raises(InputError, match="`spatial_shape` is"):
            to_cripser(d, spatial_shape=shape)


@pytest.mark.parametrize("to", [to_gudhi, to_giotto, to_ripser, to_torch_topological])
def test_no_diagrams(to):
    with pytest.raises(InputError, match="`diagrams` is list; expected Diagrams"):
        to([])


def test_exports_do_not_touch_the_diagrams():
    d = ours(noise(2), superlevel=True)
    before = d.points.clone()
    to_ripser(d)[0][0][:] = 7
    assert torch.equal(d.points, before)
    assert isinstance(d, Diagrams)
