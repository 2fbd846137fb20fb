"""Graphs: against gudhi and giotto-tda, what a matrix says, and what is refused."""

import gudhi
import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union

from topoml import sklearn
from topoml._core.errors import InputError

from .data import CLOUDS, fresh

FORMATS = ["coo", "csc", "csr", "dok", "lil"]
ALIVE = {"infinity_values": np.inf, "reduced_homology": False}
INF = np.inf


def random_graphs(seed, bipartite=False):
    """Values of nodes and {(i, j): value of the edge}, i < j; small integers, so many ties."""
    rng = np.random.default_rng(seed)
    for n, density in [(1, 0.0), (2, 1.0), (6, 0.0), (6, 0.5), (9, 0.2), (9, 0.9), (14, 0.3)]:
        vertex = rng.integers(-2, 3, n).astype(float)
        pairs = [(i, j) for i in range(n) for j in range(i + 1, n) if rng.random() < density]
        pairs = [p for p in pairs if not bipartite or sum(p) % 2]
        yield vertex, {p: max(vertex[list(p)]) + float(rng.integers(0, 3)) for p in pairs}


def matrix_of(vertex, edges, form="coo", triangle="both"):
    """What is stored is an edge, zeros too; the dense one has inf for the others."""
    n, pairs = len(vertex), list(edges)
    row, column = (np.array([p[k] for p in pairs], int) for k in (0, 1))
    value = np.array([edges[p] for p in pairs])
    if triangle == "lower":
        row, column = column, row
    if triangle == "both":
        row, column = np.append(row, column), np.append(column, row)
        value = np.append(value, value)
    if form == "dense":
        matrix = np.full((n, n), INF)
        matrix[row, column] = value
        np.fill_diagonal(matrix, vertex)
        return matrix
    node = np.arange(n)
    ends = np.append(row, node), np.append(column, node)
    matrix = sparse.coo_array((np.append(value, vertex), ends), shape=(n, n)).asformat(form)
    assert matrix.nnz == len(value) + n
    return matrix


def classes(rows):
    """Those of birth < death, in one order."""
    rows = np.array(rows, float).reshape(-1, 3)
    rows = rows[rows[:, 1] > rows[:, 0] + 1e-9]
    return rows[np.lexsort(rows.T)]


def same(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(classes(ours), classes(theirs), rtol=0, atol=1e-6)


# gudhi


def lower_star(vertex, edges):
    return vertex, {p: max(vertex[list(p)]) for p in edges}


def tree_of(vertex, edges):
    tree = gudhi.SimplexTree()
    for i, value in enumerate(vertex):
        tree.insert([i], value)
    for pair, value in edges.items():
        tree.insert(pair, value)
    return tree


def gudhis(vertex, edges):
    tree = tree_of(vertex, edges)
    return [(*p, k) for k, p in tree.persistence(homology_coeff_field=2, persistence_dim_max=True)]


def gudhis_extended(vertex, edges):
    tree = tree_of(*lower_star(vertex, edges))
    tree.extend_filtration()
    kinds = tree.extended_persistence(homology_coeff_field=2)
    return [(*point, k) for kind in kinds for k, point in kind]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("form", [*FORMATS, "dense"])
def test_weights_as_gudhi(form, seed):
    graphs = list(random_graphs(seed))
    if form == "dense":  # no zeros off the diagonal
        graphs = [(v, {p: x + 0.5 for p, x in e.items()}) for v, e in graphs]
    else:
        assert any(0.0 in edges.values() for _, edges in graphs)
    x = [matrix_of(*graph, form) for graph in graphs]
    found = sklearn.GraphPersistence(filtration="weights", **ALIVE).fit_transform(x)
    same(found, [gudhis(*graph) for graph in graphs])


@pytest.mark.parametrize("triangle", ["upper", "lower", "both"])
@pytest.mark.parametrize("form", ["csr", "dense"])
def test_lower_star_as_gudhi(form, triangle):
    """Entries off the diagonal do not matter."""
    graphs = list(random_graphs(5))
    others = [(v, dict.fromkeys(e, -7.0)) for v, e in graphs]
    x = [matrix_of(*graph, form, triangle) for graph in others]
    found = sklearn.GraphPersistence(**ALIVE).fit_transform(x)
    same(found, [gudhis(*lower_star(*graph)) for graph in graphs])


@pytest.mark.parametrize("seed", range(5))
def test_extended_as_gudhi(seed):
    graphs = list(random_graphs(seed))
    x = [matrix_of(*graph) for graph in graphs]
    theirs = [gudhis_extended(*graph) for graph in graphs]
    found = [
        sklearn.GraphPersistence(homology_dimensions=(k,), extended=True).fit_transform(x)
        for k in (0, 1)
    ]
    same(found[0], [[p for p in points if p[2] == 0] for points in theirs])
    same(found[1], [[(-b, -d, k) for b, d, k in points if k == 1] for points in theirs])
    assert all(len(classes(np.concatenate(f))) > 5 for f in found)


def test_the_tests_see_a_missing_edge():
    vertex, edges = next(g for g in random_graphs(0) if len(g[1]) > 10)
    fewer = dict(list(edges.items())[1:])
    x = [matrix_of(vertex, fewer)]
    found = sklearn.GraphPersistence(filtration="weights", **ALIVE).fit_transform(x)
    with pytest.raises(AssertionError):
        same(found, [gudhis(vertex, edges)])
    found = sklearn.GraphPersistence(extended=True, homology_dimensions=(1,)).fit_transform(x)
    with pytest.raises(AssertionError):
        same(found, [[p for p in gudhis_extended(vertex, edges) if p[2]]])


# giotto-tda


def flagser(**options):
    homology = pytest.importorskip("gtda.homology")
    return homology.FlagserPersistence(directed=False, **options)


@pytest.mark.parametrize("form", ["coo", "csr"])
@pytest.mark.parametrize("triangle", ["upper", "both"])
@pytest.mark.parametrize("reduced_homology", [True, False])
def test_flagser(form, triangle, reduced_homology):
    """H0 of any graph; H1 where no triangle is, as its flag complex is then the graph.

    Reduced, giotto-tda leaves out the last essential class, not the first, if there are several.
    """
    options = {"infinity_values": 9.0, "reduced_homology": reduced_homology}
    of = {"coo": sparse.coo_matrix, "csr": sparse.csr_matrix}[form]  # flagser takes no arrays
    for bipartite, dimensions in ((False, (0,)), (True, (0, 1))):
        graphs = random_graphs(6, bipartite)
        x = [of(matrix_of(*graph, form, triangle)) for graph in graphs]
        x = [m for m in x if not reduced_homology or connected_components(m, False)[0] == 1]
        assert len(x) > 2
        ours = sklearn.GraphPersistence(
            filtration="weights", homology_dimensions=dimensions, **options
        )
        found = ours.fit_transform(x)
        expected = flagser(homology_dimensions=dimensions, **options).fit_transform(x)
        same(found, expected)
        assert found.shape == expected.shape


def test_flagser_fills_triangles():
    x = [matrix_of(np.zeros(3), {(0, 1): 1.0, (1, 2): 1.0, (0, 2): 1.0}, "dense")]
    options = {"infinity_values": 9.0, "homology_dimensions": (1,)}
    found = sklearn.GraphPersistence(filtration="weights", **options).fit_transform(x)
    assert found.tolist() == [[[1, 9, 1]]]
    assert flagser(**options).fit_transform(x).tolist() == [[[0, 0, 1]]]


@pytest.mark.filterwarnings("default")  # numpy's, in giotto-tda
def test_a_pipeline_of_giotto_with_our_step():
    """Its graphs of neighbours list an edge in one triangle or both, with other roundings."""
    graphs, diagrams = (pytest.importorskip(f"gtda.{m}") for m in ("graphs", "diagrams"))
    options = {"homology_dimensions": (0,), "infinity_values": 9.0}
    features = [
        diagrams.PersistenceEntropy(),
        diagrams.BettiCurve(n_bins=7),
        diagrams.PersistenceImage(n_bins=7),
        diagrams.Amplitude(metric="wasserstein"),
        diagrams.NumberOfPoints(),
    ]
    for mode, second in [("distance", f) for f in features] + [("connectivity", features[0])]:
        first = graphs.KNeighborsGraph(n_neighbors=3, mode=mode)
        found, expected = (
            make_pipeline(first, step, second).fit_transform(CLOUDS)
            for step in (
                sklearn.GraphPersistence(filtration="weights", **options),
                flagser(**options),
            )
        )
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


# what a matrix says

PAIR = {"homology_dimensions": (0,), "filtration": "weights", **ALIVE}


def diagram(x, **options):
    """Classes of one graph."""
    return classes(sklearn.GraphPersistence(**PAIR | options).fit_transform([x])).tolist()


def test_a_stored_zero_is_an_edge():
    x = matrix_of([-1.0, -2.0], {(0, 1): 0.0}, "csr")
    assert diagram(x) == [[-1, 0, 0], [-2, INF, 0]]
    x.eliminate_zeros()
    assert diagram(x) == [[-2, INF, 0], [-1, INF, 0]]


def test_nodes_without_an_entry_are_zero():
    x = sparse.coo_array(([3.0, 1.0], ([0, 1], [1, 1])), shape=(2, 2))
    assert diagram(x) == [[1, 3, 0], [0, INF, 0]]


def test_infinite_entries_are_no_edges():
    for form in ("dense", "coo"):
        assert len(diagram(matrix_of([0.0, 1.0], {(0, 1): INF}, form))) == 2
        assert diagram(matrix_of([0.0, INF], {(0, 1): INF}, form)) == [[0, INF, 0]]
        x = matrix_of([0.0, INF, 1.0], {(0, 1): 1.0, (1, 2): 1.0}, form)
        assert len(diagram(x, filtration="lower_star")) == 2


def test_entries_that_add_up():
    """As scipy reads them; the matrix itself stays as it is."""
    ends = np.array([0, 0, 1, 1]), np.array([1, 1, 1, 1])
    x = sparse.coo_array((np.array([1.0, 2.0, 0.5, 0.5]), ends), shape=(2, 2))
    for array in (x.data, x.row, x.col):
        array.flags.writeable = False
    assert diagram(x) == [[1, 3, 0], [0, INF, 0]]
    assert x.nnz == 4


def test_two_entries_of_an_edge():
    """Up to rounding one value, that of the upper triangle."""
    for dtype in (np.float64, np.float32):
        off = 4 * np.finfo(dtype).eps
        x = matrix_of([0.0, 0.0, 0.0], {(0, 1): 1.0, (1, 2): 8.0}, "dense").astype(dtype)
        x[1, 0] += off
        x[2, 1] -= 8 * off
        assert diagram(x) == [[0, 1, 0], [0, 8, 0], [0, INF, 0]]
        x[1, 0] += 8 * 5 * np.sqrt(np.finfo(dtype).eps)
        with pytest.raises(InputError, match=r"`X\[0\]` is 1.0 at \(0, 1\) and 1.0"):
            diagram(x)
        assert len(diagram(x, filtration="lower_star")) == 1


def test_correlations():
    """Those of numpy differ between the triangles, in the last digit."""
    x = np.corrcoef(np.random.default_rng(0).normal(size=(9, 30)))
    x = 1 - x
    assert (x != x.T).any()
    np.fill_diagonal(x, 0.0)
    upper = np.where(np.tri(9, k=-1), INF, x)
    assert diagram(x) == diagram(upper)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float16, np.float32])
def test_dtypes(dtype):
    for form in ("dense", "csr") if dtype != np.float16 else ("dense",):
        edges = {(i, j): 1.0 + i + j for i in range(5) for j in range(i + 1, 5)}
        x = matrix_of([0.0, 1.0, 0.0, 2.0, 1.0], edges, form)
        for filtration in ("weights", "lower_star"):
            options = {"filtration": filtration, "homology_dimensions": (0, 1)}
            assert diagram(x.astype(dtype), **options) == diagram(x, **options)


def test_where_essential_classes_die():
    vertex, edges = [0.0, 2.0, 1.0, 5.0], {(0, 1): 6.0, (1, 2): 7.0, (0, 2): 8.0}
    x, star = [matrix_of(vertex, edges)], sklearn.GraphPersistence()
    weights = fresh(star, filtration="weights")
    assert star.fit(x).infinity_values_ == 5
    assert weights.fit(x).infinity_values_ == 8
    assert classes(star.transform(x)).tolist() == [[2, 5, 1]]
    assert classes(weights.transform(x)).tolist() == [[2, 6, 0], [1, 7, 0], [5, 8, 0]]
    last = fresh(weights, infinity_values=10, reduced_homology=False).fit_transform(x)
    assert classes(last).tolist()[2:] == [[0, 10, 0], [5, 10, 0], [8, 10, 1]]
    assert fresh(weights).fit([matrix_of([1.0, INF], {})]).infinity_values_ == 1
    one = fresh(star, extended=True, homology_dimensions=(0,))
    for options in ({}, {"infinity_values": 0.5, "reduced_homology": False}):
        found = fresh(one, **options).fit_transform([x[0]])
        assert classes(found).tolist() == [[0, 2, 0]]


def test_samples_do_not_see_their_batch():
    x = [matrix_of(*graph, form) for graph, form in zip(random_graphs(7), FORMATS, strict=False)]
    fitted = sklearn.GraphPersistence(filtration="weights").fit(x)
    same(fitted.transform(x), [fitted.transform([one])[0] for one in x])


# what is refused


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((3, 3)), r"`X` is ndarray of shape \(3, 3\).*Cure: \[X\]"),
        (sparse.csr_array(np.ones((3, 3))), r"`X` is csr_array of shape \(3, 3\).*Cure: \[X\]"),
        ("graph", r"`X` is str; expected a list"),
        ([], "`X` has no sample"),
        (np.ones((0, 3, 3)), "`X` has no sample"),
        ([[[0.0, 1.0], [1.0, 0.0]]], r"`X\[0\]` is list; expected a square matrix"),
        ([np.ma.masked_array(np.ones((2, 2)))], r"`X\[0\]` is MaskedArray"),
        ([np.ones((1, 1)), np.ones((2, 3))], r"`X\[1\]` has shape \(2, 3\)"),
        ([np.ones(3)], r"`X\[0\]` has shape \(3,\)"),
        ([np.ones((0, 0))], r"`X\[0\]` has shape \(0, 0\)"),
        ([sparse.coo_array((2, 3))], r"`X\[0\]` has shape \(2, 3\)"),
        ([sparse.dia_array(np.ones((2, 2)))], "has format 'dia', which stores zeros"),
        ([sparse.bsr_array(np.ones((2, 2)))], "has format 'bsr', which stores zeros"),
        ([np.array([[0.0, 0.0], [0.0, 0.0]])], r"`X\[0\]` is 0 at \(0, 1\) of a dense"),
        ([np.array([[0.0, np.nan], [1.0, 0.0]])], r"`X\[0\]` is NaN at \(0, 1\)"),
        ([sparse.csr_array([[np.nan, 1.0], [1.0, 0.0]])], r"`X\[0\]` is NaN at \(0, 0\)"),
        ([np.array([[3.0, 1.0], [1.0, 2.0]])], r"is 1.0 at \(0, 1\), below 3.0"),
        ([sparse.csr_array([[0.0, -2.0], [-2.0, 0.0]])], r"is -2.0 at \(0, 1\), below 0.0"),
        ([np.array([[0.0, 1.0], [2.0, 0.0]])], r"is 1.0 at \(0, 1\) and 2.0 at \(1, 0\)"),
        ([np.array([[0, 1j], [1j, 0]])], "Complex data not supported"),
    ],
)
def test_wrong_graphs(x, message):
    fitted = sklearn.GraphPersistence(filtration="weights").fit([np.ones((1, 1))])
    for call in (sklearn.GraphPersistence(filtration="weights").fit, fitted.transform):
        with pytest.raises(ValueError, match=message) as info:
            call(x)
        assert "\n" not in str(info.value) or "Complex" in message


def test_graphs_of_networkx():
    """Refused, with a cure that works."""
    networkx = pytest.importorskip("networkx")
    graph = networkx.cycle_graph(4)
    with pytest.raises(InputError, match=r"`X\[0\]` is Graph; .* to_scipy_sparse_array\(graph\)"):
        sklearn.GraphPersistence().fit([graph])
    matrix = networkx.to_scipy_sparse_array(graph)
    matrix.setdiag([0.0, 2.0, 1.0, 3.0])
    found = diagram(matrix, filtration="lower_star", homology_dimensions=(0, 1))
    assert found == [[1, 2, 0], [0, INF, 0], [3, INF, 1]]
    with pytest.raises(InputError, match="is 0 at"):
        diagram(networkx.to_numpy_array(graph))


def test_extended_is_of_finite_nodes():
    for value in (INF, -INF):
        x = [matrix_of([0.0], {}), matrix_of([0.0, value], {})]
        extended = sklearn.GraphPersistence(extended=True, homology_dimensions=(0,))
        with pytest.raises(InputError, match=rf"`X\[1\]` is {value} at \(1, 1\)"):
            extended.fit(x)
        fresh(extended, extended=False).fit(x)


# pipelines


def rings(n_samples, seed):
    """Cycles, and paths of as many nodes: the labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n_samples) % 2
    sizes = rng.integers(5, 15, n_samples)
    pairs = [[(i, (i + 1) % n) for i in range(n - y)] for n, y in zip(sizes, labels, strict=True)]
    values = [rng.uniform(0, 1, n) for n in sizes]
    return [
        matrix_of(v, dict.fromkeys([(min(p), max(p)) for p in ps], 1.0))
        for v, ps in zip(values, pairs, strict=True)
    ], labels


def test_features_behind_it():
    x, y = rings(40, 0)
    pipeline = make_pipeline(
        sklearn.GraphPersistence(infinity_values=2.0),
        sklearn.BettiCurve(resolution=10, sample_range=(0.0, 1.9)),
        KNeighborsClassifier(1),
    )
    assert cross_val_score(pipeline, x, y, cv=4, error_score="raise").mean() > 0.9
    mixed = np.random.default_rng(1).permutation(y)  # control: labels that mean nothing
    assert cross_val_score(pipeline, x, mixed, cv=4, error_score="raise").mean() < 0.8
    grid = {"graphpersistence__filtration": ["lower_star", "weights"]}
    found = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(x, y)
    assert len(found.cv_results_["mean_test_score"]) == 2


def test_names_and_frames():
    pandas = pytest.importorskip("pandas")
    x, _ = rings(6, 0)
    pipeline = make_pipeline(sklearn.GraphPersistence(), sklearn.BettiCurve(resolution=2))
    pipeline[-1].set_output(transform="pandas")
    frame = pipeline.fit_transform(x)
    assert isinstance(frame, pandas.DataFrame)
    assert frame.columns.tolist() == [f"betticurve_H{k}_{j}" for k in (0, 1) for j in (0, 1)]


def test_both_dimensions_of_extended():
    """The cure of the message."""
    x, y = rings(20, 0)
    one = sklearn.GraphPersistence(extended=True)
    parts = [
        make_pipeline(fresh(one, homology_dimensions=(k,)), sklearn.LongestLifetimes(k=2))
        for k in (0, 1)
    ]
    found = make_union(*parts).fit_transform(x)
    for matrix, features in zip(x, found, strict=True):
        points = gudhis_extended(matrix.diagonal(), pairs_of(matrix))
        for k in (0, 1):
            lengths = [abs(b - d) for b, d, dimension in points if dimension == k]
            longest = sorted([*lengths, 0.0, 0.0], reverse=True)[:2]
            np.testing.assert_allclose(features[2 * k : 2 * k + 2], longest, atol=1e-9)
    assert found.shape == (len(y), 4)


def pairs_of(matrix):
    upper = sparse.triu(matrix, k=1).tocoo()
    return dict.fromkeys(zip(upper.row.tolist(), upper.col.tolist(), strict=True), 0.0)
