"""Values: equal to topoml.nn on the same data, and to giotto-tda where it has the transformer."""

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from topoml import distances, nn, sklearn
from topoml.homology import (
    alpha_persistence,
    field_persistence,
    from_giotto,
    rips_persistence,
)
from topoml.lie import Circle, Discrete, Sphere

from .data import ANGLES, CLOUDS, DIAGRAMS, IMAGES, cubical, name_of, same_classes

ALIVE = {"infinity_values": np.inf, "reduced_homology": False}


def back(array):
    return from_giotto(array, dtype=torch.float64)


def equal_diagrams(array, d):
    found = back(array)
    for name in ("sample", "dimension", "essential_sample", "essential_dimension"):
        assert torch.equal(getattr(found, name), getattr(d, name))
    assert torch.equal(found.points, d.points.double())
    assert torch.equal(found.essential, d.essential.double())


@pytest.mark.parametrize(
    ("spatial_dims", "options"),
    [
        (1, {"homology_dimensions": (0, 1), "periodic": True}),
        (2, {"periodic": (True, False)}),
        (2, {"construction": "T", "homology_dimensions": (1, 0)}),
        (2, {"construction": "F"}),
        (3, {"homology_dimensions": (0, 1, 2)}),
    ],
)
def test_cubical(spatial_dims, options):
    x = np.random.default_rng(1).standard_normal((3, *[5] * spatial_dims))
    options = {"homology_dimensions": (0, 1), "spatial_dims": spatial_dims, **options}
    found = sklearn.CubicalPersistence(**options, **ALIVE).fit_transform(x)
    d = cubical(x, **{**options, "homology_dimensions": sorted(options["homology_dimensions"])})
    equal_diagrams(found, d)
    low = sklearn.CubicalPersistence(**options, superlevel=True, **ALIVE).fit_transform(-x)
    np.testing.assert_array_equal(low, found)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.uint8])
def test_dtypes(dtype):
    x = np.random.default_rng(2).integers(0, 9, (3, 5, 6))
    transformer = sklearn.CubicalPersistence()
    np.testing.assert_array_equal(
        transformer.fit_transform(x.astype(dtype)), transformer.fit_transform(x.astype(float))
    )


@pytest.mark.parametrize("periodic", [True, False, (False, True)])
@pytest.mark.parametrize(
    ("manifold", "x"),
    [
        (Circle(), ANGLES),
        (Sphere(1), np.stack([np.cos(ANGLES), np.sin(ANGLES)], -1)),
        (Discrete(3), np.random.default_rng(3).integers(0, 3, (4, 5, 6))),
    ],
)
def test_field(manifold, x, periodic):
    options = {"manifold": manifold, "homology_dimensions": (0, 1, 2), "periodic": periodic}
    d = field_persistence(torch.from_numpy(x), **options)
    equal_diagrams(sklearn.FieldPersistence(**options, **ALIVE).fit_transform(x), d)
    last = sklearn.FieldPersistence(**options).fit(x).infinity_values_
    values = torch.cat([d.points.flatten(), d.essential])
    assert last >= float(values.max())
    if periodic is True and 2 in d.essential_dimension:  # the last bond fills the torus
        assert last == float(d.essential[d.essential_dimension == 2].max())


def test_field_keeps_only_bonds_that_are_there():
    x = np.array([[[0.0, 0.5], [1.0, 3.0]]])
    options = {"manifold": Circle(), "periodic": False}
    assert sklearn.FieldPersistence(**options).fit(x).infinity_values_ == 2.5
    assert sklearn.FieldPersistence(**options).fit(x[:, :1, :1]).infinity_values_ == 0.0
    row = np.array([[[0.0, 1.0, 2.0]]])
    assert sklearn.FieldPersistence(**options).fit(row).infinity_values_ == 1.0
    assert sklearn.FieldPersistence(manifold=Circle()).fit(row).infinity_values_ == 2.0


def test_clouds():
    x = torch.from_numpy(CLOUDS)
    kwargs = {"homology_dimensions": (0, 1)}
    equal_diagrams(
        sklearn.RipsPersistence(**kwargs, **ALIVE).fit_transform(CLOUDS),
        rips_persistence(x, **kwargs),
    )
    equal_diagrams(
        sklearn.RipsPersistence(
            **kwargs, max_edge_length=0.5, periodic_box=4.0, **ALIVE
        ).fit_transform(CLOUDS),
        rips_persistence(x, **kwargs, max_edge_length=0.5, periodic_box=4.0),
    )
    equal_diagrams(
        sklearn.AlphaPersistence(**kwargs, **ALIVE).fit_transform(CLOUDS),
        alpha_persistence(x, **kwargs),
    )
    matrices = np.array([np.linalg.norm(c[:, None] - c, axis=-1) for c in CLOUDS])
    same_classes(
        sklearn.RipsPersistence(metric="precomputed").fit_transform(matrices),
        sklearn.RipsPersistence().fit_transform(CLOUDS),
    )


def test_where_essential_classes_die():
    x = np.array([[[0.0, 3.0, 1.0]]])
    of = sklearn.CubicalPersistence
    only = {"homology_dimensions": (0,), "reduced_homology": False}
    assert of(**only).fit_transform(x).tolist() == [[[1, 3, 0], [0, 3, 0]]]
    assert of(**only, infinity_values=9).fit_transform(x).tolist() == [[[1, 3, 0], [0, 9, 0]]]
    assert of(**only, infinity_values=-1).fit_transform(x).tolist() == [[[1, 3, 0]]]
    assert of(**only, infinity_values=0).fit_transform(x).tolist() == [[[1, 3, 0]]]
    alive = of(**only, infinity_values=np.inf).fit_transform(x)
    assert alive.tolist() == [[[1, 3, 0], [0, np.inf, 0]]]
    # learnt in fit, with infinite entries left aside
    fitted = of(**only).fit(np.array([[[7.0, np.inf, -np.inf]]]))
    assert fitted.infinity_values_ == 7
    assert fitted.transform(x).tolist() == [[[1, 3, 0], [0, 7, 0]]]
    low = of(**only, superlevel=True).fit(x)
    assert low.infinity_values_ == 0
    assert low.transform(x).tolist() == [[[-3, 0, 0]]]


def test_the_first_component_goes():
    x = np.array([[[0.0, np.inf, -1.0]], [[2.0, 3.0, 4.0]]])
    found = sklearn.CubicalPersistence(homology_dimensions=(0,), infinity_values=np.inf)
    assert found.fit_transform(x).tolist() == [[[0, np.inf, 0]], [[0, 0, 0]]]


RANGES = {"sample_range": (-2.0, 2.0)}
IM_RANGE = {"im_range": (-2.0, 1.0, 0.0, 3.0)}
MODULES = [
    ("BettiCurve", {"resolution": 9}, RANGES),
    ("EulerCurve", {"resolution": 9}, RANGES),
    ("PersistenceEntropy", {}, {}),
    ("PersistenceEntropy", {"mode": "vector", "normalized": False, "resolution": 9}, RANGES),
    ("PersistenceImage", {"bandwidth": 0.3, "resolution": (4, 3)}, IM_RANGE),
    ("PersistenceLandscape", {"num_landscapes": 2, "resolution": 9}, RANGES),
    ("Silhouette", {"resolution": 9, "power": 2}, RANGES),
    ("Silhouette", {"resolution": 9, "weight": torch.maximum}, RANGES),
    ("TemplateFunctions", {"resolution": (4, 3), "function": "interpolating"}, IM_RANGE),
    ("ComplexPolynomial", {"threshold": 3, "polynomial_type": "T"}, {}),
    ("HeatKernel", {"bandwidth": 0.3, "resolution": 4}, RANGES),
    ("LongestLifetimes", {"k": 3}, {}),
    ("PersistenceStatistics", {}, {}),
    ("TopologicalVector", {"threshold": 3}, {}),
]


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize(("name", "options", "ranges"), MODULES)
def test_vectorisations(name, options, ranges, given):
    ours = sklearn.CubicalPersistence(**ALIVE).fit_transform(IMAGES)
    options = {**options, **ranges} if given else options
    module = getattr(nn, name)(**options)
    if not given and hasattr(module, "fit"):
        module.fit(back(ours))
    found = getattr(sklearn, name)(**options).fit_transform(ours)
    np.testing.assert_array_equal(found, module(back(ours)).numpy())


def test_atol():
    options = {"n_clusters": 3, "contrast": "laplacian", "weighting_method": "iidproba"}
    module = nn.Atol(homology_dimensions=(0, 1), **options).fit(back(DIAGRAMS), random_state=4)
    found = sklearn.Atol(**options, random_state=4).fit(DIAGRAMS)
    np.testing.assert_array_equal(found.transform(DIAGRAMS), module(back(DIAGRAMS)).numpy())
    state = np.random.RandomState(0)
    assert sklearn.Atol(random_state=state).fit(DIAGRAMS).centers_.shape == (2, 2, 2)


@pytest.mark.parametrize("name", [n for n in distances.__all__ if n != "pairwise"])
def test_distances(name):
    d, function = back(DIAGRAMS), getattr(distances, name)
    expected = torch.stack([function(d[:2][i], d) for i in range(2)], 1).numpy()
    for metric in (name, function):
        found = sklearn.PairwiseDistance(metric=metric).fit(DIAGRAMS[:2])
        np.testing.assert_allclose(found.transform(DIAGRAMS), expected, atol=1e-12)
    square = found.set_params(metric=name).fit_transform(DIAGRAMS)
    np.testing.assert_array_equal(square, square.T)


def test_distances_have_parameters():
    found = sklearn.PairwiseDistance(metric_params={"order": 2.0, "internal_p": 2.0})
    expected = distances.pairwise(back(DIAGRAMS), back(DIAGRAMS), order=2.0, internal_p=2.0)
    np.testing.assert_allclose(found.fit_transform(DIAGRAMS), expected, atol=1e-12)


# giotto-tda


def gtda(module):
    return pytest.importorskip("gtda." + module)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"reduced_homology": False},
        {"reduced_homology": False, "infinity_values": 0.5},
        {"homology_dimensions": (0, 1, 2)},
    ],
)
@pytest.mark.parametrize("periodic", [False, True])
def test_cubical_of_giotto(options, periodic):
    x = np.random.default_rng(5).standard_normal((4, 5, 6))
    train, test = x[:3], 2 * x  # some of these are born after every value of fit
    theirs = gtda("homology").CubicalPersistence(
        periodic_dimensions=np.array([True, True]) if periodic else None, **options
    )
    ours = sklearn.CubicalPersistence(construction="T", periodic=periodic, **options)
    assert ours.fit(train).infinity_values_ == theirs.fit(train).infinity_values_
    for x in (train, test):
        same_classes(ours.transform(x), theirs.transform(x))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_edge_length": 1.0},
        {"max_edge_length": 0.5, "reduced_homology": False},
        {"max_edge_length": 1.0, "infinity_values": 2.0, "reduced_homology": False},
        {"reduced_homology": False},
        {"metric": "precomputed", "homology_dimensions": (1, 0)},
    ],
)
def test_rips_of_giotto(options):
    x = CLOUDS
    if "metric" in options:
        x = np.array([np.linalg.norm(c[:, None] - c, axis=-1) for c in CLOUDS])
    theirs = gtda("homology").VietorisRipsPersistence(**options).fit(x)
    ours = sklearn.RipsPersistence(**options).fit(x)
    assert ours.infinity_values_ == theirs.infinity_values_
    found, expected = ours.transform(x), theirs.transform(x)
    assert found.shape == expected.shape
    same_classes(found, expected)


def giotto_features():
    diagrams = gtda("diagrams")
    return [
        diagrams.PersistenceEntropy(),
        diagrams.BettiCurve(n_bins=7),
        diagrams.PersistenceLandscape(n_layers=2, n_bins=7),
        diagrams.Silhouette(n_bins=7),
        diagrams.HeatKernel(n_bins=7),
        diagrams.PersistenceImage(n_bins=7),
        diagrams.Amplitude(metric="wasserstein"),
        diagrams.NumberOfPoints(),
        diagrams.PairwiseDistance(metric="betti"),
        make_pipeline(diagrams.Scaler(), diagrams.Filtering(epsilon=0.1), diagrams.BettiCurve()),
    ]


@pytest.mark.filterwarnings("default")  # numpy's, in giotto-tda
def test_a_pipeline_of_giotto_with_our_first_step():
    homology = gtda("homology")
    steps = [
        (homology.CubicalPersistence(), sklearn.CubicalPersistence(construction="T"), IMAGES, 1e-9),
        (homology.VietorisRipsPersistence(), sklearn.RipsPersistence(), CLOUDS, 1e-5),
    ]
    for theirs, ours, x, tolerance in steps:
        for second in giotto_features():
            found, expected = (
                make_pipeline(first, second).fit_transform(x) for first in (ours, theirs)
            )
            np.testing.assert_allclose(
                found, expected, rtol=tolerance, atol=tolerance, err_msg=name_of(second)
            )


def test_our_vectorisations_of_giottos_arrays():
    theirs = gtda("homology").CubicalPersistence().fit_transform(IMAGES)
    ours = sklearn.CubicalPersistence(construction="T").fit_transform(IMAGES)
    for name, options, _ in MODULES:
        made = getattr(sklearn, name)(**options).fit(theirs)
        np.testing.assert_allclose(made.transform(theirs), made.transform(ours), atol=1e-12)


def test_vectorisations_of_giotto():
    """Its Betti curve, landscape and silhouette have a grid a dimension, like ours of one."""
    diagrams = gtda("diagrams")
    for k in (0, 1):
        x = DIAGRAMS[DIAGRAMS[..., 2] == k].reshape(len(DIAGRAMS), -1, 3)
        pairs = [
            (diagrams.BettiCurve(n_bins=9), sklearn.BettiCurve(resolution=9)),
            (
                diagrams.PersistenceLandscape(n_layers=2, n_bins=9),
                sklearn.PersistenceLandscape(num_landscapes=2, resolution=9),
            ),
            (diagrams.Silhouette(n_bins=9, power=2), sklearn.Silhouette(resolution=9, power=2)),
        ]
        for theirs, ours in pairs:
            expected = theirs.fit_transform(x).reshape(len(x), -1)
            found = ours.fit_transform(x)
            if name_of(ours) == "BettiCurve":  # rounding decides at a birth or death
                found, expected = (y.reshape(len(x), -1)[:, 1:-1] for y in (found, expected))
            np.testing.assert_allclose(found, expected, atol=1e-12)


def test_distances_of_giotto():
    theirs = gtda("diagrams").PairwiseDistance(
        metric="bottleneck", metric_params={"delta": 0.0}, order=np.inf
    )
    ours = sklearn.PairwiseDistance(metric="bottleneck")
    np.testing.assert_allclose(
        ours.fit_transform(DIAGRAMS), theirs.fit_transform(DIAGRAMS), atol=1e-12
    )
    params = {"p": 2, "delta": 1e-9}
    theirs = gtda("diagrams").PairwiseDistance(metric="wasserstein", metric_params=params, order=2)
    ours = sklearn.PairwiseDistance(metric="wasserstein", metric_params={"order": 2})
    np.testing.assert_allclose(
        ours.fit(DIAGRAMS[:3]).transform(DIAGRAMS),
        theirs.fit(DIAGRAMS[:3]).transform(DIAGRAMS),
        rtol=1e-6,
    )


def test_pipeline_between():
    doubled = make_pipeline(
        FunctionTransformer(lambda x: 2 * x), sklearn.CubicalPersistence(), sklearn.BettiCurve()
    )
    plain = make_pipeline(sklearn.CubicalPersistence(), sklearn.BettiCurve())
    assert doubled.fit_transform(IMAGES).shape == plain.fit_transform(IMAGES).shape
