"""What scikit-learn asks of every estimator: its own checks, and those for other inputs."""

import pickle
import warnings
from inspect import signature

import numpy as np
import pytest
import torch
from scipy.sparse import coo_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from sklearn.utils import estimator_checks

from topoml import sklearn
from topoml._core.errors import InputError
from topoml.homology import Diagrams, cubical_persistence

from .data import ALL, CLOUDS, COMPLEXES, DIAGRAMS, IMAGES, OF_DIAGRAMS, fresh, name_of

each = pytest.mark.parametrize(("estimator", "x"), ALL, ids=name_of)
each_of_diagrams = pytest.mark.parametrize("estimator", OF_DIAGRAMS, ids=name_of)
LABELS = np.array([0, 1, 0, 1, 0, 1])


class OfRows:
    """A transformer behind one of rows, for checks that give rows: of diagrams their persistence.

    The ranges reach over all data of the checks.
    """

    def _more_tags(self):
        return {"X_types": ["2darray"]}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = True, False
        return tags

    def fit(self, X, y=None):
        rows = sklearn.CubicalPersistence(spatial_dims=1, homology_dimensions=(0,))
        self.rows_ = rows.set_params(infinity_values=1e3, reduced_homology=False).fit(X)
        self.n_features_in_ = rows.n_features_in_
        if hasattr(rows, "feature_names_in_"):
            self.feature_names_in_ = rows.feature_names_in_
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return super().fit(self.made_of(X), y)

    def fit_transform(self, X, y=None):
        return self.fit(X).transform(X)

    def transform(self, X):
        if not hasattr(self, "rows_"):
            raise NotFittedError
        return super().transform(self.made_of(X))

    def made_of(self, X):
        return self.rows_.transform(X)


class OfPaths(OfRows):
    """A transformer of graphs: a row has the values of the nodes of a path."""

    def made_of(self, X):
        return [path_of(row) for row in self.rows_._checked(X, reset=False).numpy()]


def path_of(values):
    n = len(values)
    path = coo_array((np.ones(n - 1), (np.arange(n - 1), np.arange(1, n))), shape=(n, n))
    path.setdiag(values)
    return path


def of_rows(estimator, way=OfRows):
    base = type(estimator)
    options = {"__init__": base.__init__, "__module__": __name__}
    made = type(base.__name__, (way, base), options)
    made = globals().setdefault(base.__name__, made)  # where pickle finds it
    return made(**estimator.get_params())


LEFT_OUT = {  # by class (None: every one) and check, with the reason: all of them
    (None, "check_estimators_nan_inf"): "NaN is refused; an infinite entry masks a site",
    ("CubicalPersistence", "check_methods_subset_invariance"): (
        "N is that of the largest diagram of the batch, as in giotto-tda"
    ),
    ("GraphPersistence", "check_methods_subset_invariance"): "as there",
}


def checks_of(estimator):
    """Those of scikit-learn: (estimator, check) for pytest."""
    if "legacy" in signature(estimator_checks.check_estimator).parameters:
        pairs = estimator_checks.estimator_checks_generator(estimator)
    else:
        pairs = estimator_checks.check_estimator(estimator, generate_only=True)
    for instance, check in pairs:
        name, key = type(estimator).__name__, check.func.__name__
        reason = LEFT_OUT.get((None, key)) or LEFT_OUT.get((name, key))
        marks = [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]
        yield pytest.param(instance, check, marks=marks, id=f"{name}-{key}")


ROWS = [
    sklearn.CubicalPersistence(spatial_dims=1, homology_dimensions=(0,)),
    of_rows(sklearn.GraphPersistence(), OfPaths),
    *(of_rows(e) for e in {type(e): e for e in OF_DIAGRAMS}.values()),
]


@pytest.mark.parametrize(("estimator", "check"), [c for e in ROWS for c in checks_of(e)])
@pytest.mark.filterwarnings("default")  # scikit-learn's, of the environment
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@each
def test_parameters_and_clone(estimator, x):
    parameters = estimator.get_params()
    assert clone(estimator).get_params() == parameters
    assert clone(estimator).set_params(**parameters).get_params() == parameters
    fitted = clone(estimator).fit(x)
    assert fitted.get_params() == parameters
    assert not [name for name in vars(clone(fitted)) if name.endswith("_")]


@each
def test_fit_transform_is_fit_then_transform(estimator, x):
    found = clone(estimator).fit_transform(x)
    assert found.dtype == np.float64
    assert len(found) == len(x)
    fitted = clone(estimator).fit(x)
    np.testing.assert_allclose(found, fitted.transform(x), atol=1e-12)
    np.testing.assert_array_equal(fitted.transform(x), fitted.transform(x))


@each
def test_pickling(estimator, x):
    fitted = clone(estimator).fit(x)
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.transform(x), fitted.transform(x))


@each
def test_not_fitted(estimator, x):
    with pytest.raises(NotFittedError):
        clone(estimator).transform(x)


@each
def test_nan_and_shape(estimator, x):
    wrong = x.copy()
    wrong.reshape(-1)[-2] = np.nan
    fitted = clone(estimator).fit(x)
    for call in (clone(estimator).fit, fitted.transform):
        with pytest.raises(ValueError, match=r"NaN|nan"):
            call(wrong)
        with pytest.raises(ValueError, match=r"shape|dim"):
            call(x[0])
        with pytest.raises(ValueError, match=r"minimum of 1|no sample"):
            call(x[:0])


@each
def test_input_is_left_alone(estimator, x):
    before = x.copy()
    x = x.copy()
    x.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(estimator).fit(x).transform(x)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize(
    ("estimator", "wrong", "message"),
    [
        (0, {"homology_dimensions": (0, 3)}, "`homology_dimensions`"),
        (0, {"periodic": 1}, "`periodic`"),
        (0, {"construction": "X"}, "`construction`"),
        (0, {"superlevel": 1}, "`superlevel`"),
        (0, {"spatial_dims": 5}, "`spatial_dims`"),
        (0, {"spatial_dims": 3}, "expected \\(n_samples, D, H, W\\)"),
        (0, {"infinity_values": np.nan}, "`infinity_values`"),
        (0, {"infinity_values": "max"}, "`infinity_values`"),
        (0, {"reduced_homology": 1}, "`reduced_homology`"),
        (1, {"manifold": "circle"}, "`manifold`"),
        (2, {"metric": "cosine"}, "`metric`"),
        (2, {"max_edge_length": -1.0}, "`max_edge_length`"),
        (2, {"metric": "precomputed", "periodic_box": 3.0}, "`periodic_box`"),
        (3, {"homology_dimensions": ()}, "`homology_dimensions`"),
        (4, {"homology_dimensions": (0, 2)}, "`homology_dimensions`"),
        (4, {"filtration": "max"}, "`filtration`"),
        (4, {"extended": 1}, "`extended`"),
        (4, {"extended": True}, "beside extended=True; expected 'lower_star'"),
        (4, {"extended": True, "filtration": "lower_star"}, "expected \\(0,\\) or"),
    ],
)
def test_wrong_parameters_of_complexes(estimator, wrong, message):
    estimator, x = COMPLEXES[estimator]
    with pytest.raises(InputError, match=message):
        fresh(estimator, **wrong).fit(x)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (sklearn.Atol(n_clusters=0), "`n_clusters`"),
        (sklearn.BettiCurve(resolution=0), "`resolution`"),
        (sklearn.ComplexPolynomial(polynomial_type="Q"), "`polynomial_type`"),
        (sklearn.HeatKernel(bandwidth=0), "`bandwidth`"),
        (sklearn.LongestLifetimes(k=0), "`k`"),
        (sklearn.TopologicalVector(threshold=0), "`threshold`"),
        (sklearn.EulerCurve(sample_range=(2.0, 1.0)), "`sample_range`"),
        (sklearn.PersistenceEntropy(mode="both"), "`mode`"),
        (sklearn.PersistenceImage(bandwidth=0.0), "`bandwidth`"),
        (sklearn.PersistenceLandscape(num_landscapes=0), "`num_landscapes`"),
        (sklearn.Silhouette(power=-1.0), "`power`"),
        (sklearn.TemplateFunctions(function="none"), "`function`"),
        (sklearn.BettiCurve(homology_dimensions=(0, 0)), "`homology_dimensions`"),
        (sklearn.PairwiseDistance(metric="landscape"), "`metric`"),
        (sklearn.PairwiseDistance(metric="pairwise"), "`metric`"),
        (sklearn.PairwiseDistance(metric_params={"power": 2}), "`metric_params`"),
        (sklearn.PairwiseDistance(metric_params={"order": 0}), "`order`"),
    ],
    ids=name_of,
)
def test_wrong_parameters_of_functions(estimator, message):
    with pytest.raises(InputError, match=message):
        estimator.fit(DIAGRAMS)


def test_nothing_to_learn_a_range_from():
    with pytest.raises(InputError, match="Cure: give the range"):
        sklearn.BettiCurve().fit(np.array([[[1.0, 1.0, 0.0]]]))


@each_of_diagrams
def test_names_of_features(estimator):
    fitted = clone(estimator).fit(DIAGRAMS)
    names = fitted.get_feature_names_out()
    assert len(names) == len(set(names)) == fitted.transform(DIAGRAMS).shape[1]
    assert all(name.startswith(type(estimator).__name__.lower() + "_") for name in names)
    with pytest.raises(NotFittedError):
        clone(estimator).get_feature_names_out()


def test_names_tell_the_dimension():
    names = sklearn.BettiCurve(resolution=2).fit(DIAGRAMS).get_feature_names_out()
    assert names.tolist() == [f"betticurve_H{k}_{j}" for k in (0, 1) for j in (0, 1)]


@each_of_diagrams
def test_pandas(estimator):
    pytest.importorskip("pandas")
    fitted = clone(estimator).set_output(transform="pandas")
    frame = fitted.fit_transform(DIAGRAMS)
    assert frame.columns.tolist() == fitted.get_feature_names_out().tolist()
    np.testing.assert_array_equal(frame.to_numpy(), clone(estimator).fit_transform(DIAGRAMS))
    np.testing.assert_allclose(fitted.transform(DIAGRAMS), frame, atol=1e-12)


@each_of_diagrams
def test_diagrams_and_their_lists_are_taken(estimator):
    options = {"infinity_values": np.inf, "reduced_homology": False}
    arrays = sklearn.CubicalPersistence(**options).fit_transform(IMAGES)
    d = cubical_persistence(torch.from_numpy(IMAGES), homology_dimensions=(0, 1))
    expected = clone(estimator).fit_transform(arrays)
    for x in (d, list(d), [d[:2], d[2:]], d.to(torch.float64)):
        np.testing.assert_allclose(clone(estimator).fit_transform(x), expected, atol=1e-12)
    fitted = clone(estimator).fit(arrays)
    np.testing.assert_allclose(fitted.transform(d), expected, atol=1e-12)


@each_of_diagrams
def test_samples_do_not_see_their_batch(estimator):
    fitted = clone(estimator).fit(DIAGRAMS)
    alone = np.concatenate([fitted.transform(DIAGRAMS[i : i + 1]) for i in range(len(DIAGRAMS))])
    np.testing.assert_array_equal(fitted.transform(DIAGRAMS), alone)


@each_of_diagrams
def test_chosen_dimensions(estimator):
    chosen = fresh(estimator, homology_dimensions=(1,)).fit(DIAGRAMS)
    alone = clone(estimator).fit(DIAGRAMS[DIAGRAMS[..., 2] == 1].reshape(len(DIAGRAMS), -1, 3))
    np.testing.assert_array_equal(chosen.transform(DIAGRAMS), alone.transform(DIAGRAMS))
    d = cubical_persistence(torch.from_numpy(IMAGES), homology_dimensions=(0, 1))
    chosen.transform(d)
    with pytest.raises(InputError, match=r"expected \(1,\) among them"):
        chosen.transform(d.select(0))


def test_directions_do_not_mix():
    d = cubical_persistence(torch.from_numpy(IMAGES), homology_dimensions=(0,), superlevel=True)
    curve = sklearn.BettiCurve().fit(d)
    assert curve.transform(d).shape == (6, 100)
    with pytest.raises(InputError, match="`X` has superlevel False; expected True"):
        curve.transform(DIAGRAMS)


def test_wrong_diagrams():
    d = cubical_persistence(torch.zeros(2, 3, 4, 4), homology_dimensions=(0,))
    for x, message in ((d, "expected one axis"), (d[0, :0], "no sample")):
        with pytest.raises(InputError, match=message):
            sklearn.PersistenceEntropy().fit(x)
    assert isinstance(d, Diagrams)


def searched(n_jobs):
    pipeline = make_pipeline(
        sklearn.CubicalPersistence(), sklearn.PersistenceImage(), KNeighborsClassifier(1)
    )
    grid = {
        "cubicalpersistence__superlevel": [False, True],
        "persistenceimage__resolution": [(2, 2), (3, 3)],
    }
    return GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs, error_score="raise").fit(
        IMAGES, LABELS
    )


def test_grid_search():
    found = searched(1)
    assert len(found.cv_results_["mean_test_score"]) == 4
    assert found.predict(IMAGES).tolist() == LABELS.tolist()  # its own nearest neighbours


@pytest.mark.slow  # two processes that import torch
def test_grid_search_in_two_processes():
    scores = [searched(n).cv_results_["mean_test_score"].tolist() for n in (1, 2)]
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ("metric", "classifier"),
    [
        ("persistence_scale_space_kernel", SVC(kernel="precomputed")),
        ("sliced_wasserstein_kernel", SVC(kernel="precomputed")),
        ("bottleneck", KNeighborsClassifier(1, metric="precomputed")),
    ],
)
def test_distances_between_folds(metric, classifier):
    x = np.concatenate([IMAGES, 5 * IMAGES])
    y = np.repeat([0, 1], 6)
    pipeline = make_pipeline(
        sklearn.CubicalPersistence(), sklearn.PairwiseDistance(metric=metric), classifier
    )
    assert cross_val_score(pipeline, x, y, cv=3, error_score="raise").mean() > 0.8
    shuffled = np.tile([0, 1], 6)  # control: labels that mean nothing
    assert cross_val_score(pipeline, x, shuffled, cv=3, error_score="raise").mean() < 0.8


def test_diagrams_are_split_into_folds():
    d = cubical_persistence(torch.from_numpy(IMAGES), homology_dimensions=(0, 1))
    pipeline = make_pipeline(sklearn.BettiCurve(resolution=5), KNeighborsClassifier(1))
    scores = cross_val_score(pipeline, d, LABELS, cv=2, error_score="raise")
    arrays = sklearn.CubicalPersistence(infinity_values=np.inf, reduced_homology=False)
    same = cross_val_score(pipeline, arrays.fit_transform(IMAGES), LABELS, cv=2)
    np.testing.assert_array_equal(scores, same)


def test_clouds_of_other_sizes():
    clouds = [CLOUDS[0], CLOUDS[1, :7], CLOUDS[2, :1]]
    for estimator in (sklearn.RipsPersistence(), sklearn.AlphaPersistence()):
        found = estimator.fit_transform(clouds)
        assert (found[:, :, 0] < found[:, :, 1]).sum(1).tolist()[2] == 0
        with pytest.raises(InputError, match=r"`X\[1\]` has shape \(2,\)"):
            estimator.fit([CLOUDS[0], CLOUDS[0, 0]])
        with pytest.raises(InputError, match="`X` is empty"):
            estimator.fit([])
