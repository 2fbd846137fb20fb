"""Small data for the transformers, and what they are compared with."""

import numpy as np
import torch
from sklearn.base import clone

from topoml import homology, sklearn
from topoml.lie import Circle

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((6, 5, 6))
CLOUDS = RNG.standard_normal((6, 12, 2))
ANGLES = RNG.uniform(-np.pi, np.pi, (6, 5, 6))
GRAPHS = np.where(np.triu(RNG.uniform(size=(6, 8, 8)) < 0.5), RNG.uniform(1, 2, (6, 8, 8)), np.inf)
GRAPHS = np.minimum(GRAPHS, GRAPHS.transpose(0, 2, 1))
GRAPHS[:, range(8), range(8)] = RNG.uniform(0, 1, (6, 8))
DIAGRAMS = sklearn.CubicalPersistence().fit_transform(IMAGES)

COMPLEXES = [
    (sklearn.CubicalPersistence(), IMAGES),
    (sklearn.FieldPersistence(manifold=Circle()), ANGLES),
    (sklearn.RipsPersistence(), CLOUDS),
    (sklearn.AlphaPersistence(), CLOUDS),
    (sklearn.GraphPersistence(filtration="weights"), GRAPHS),
]
VECTORISATIONS = [
    sklearn.Atol(random_state=0),
    sklearn.BettiCurve(resolution=7),
    sklearn.EulerCurve(resolution=7),
    sklearn.PersistenceEntropy(),
    sklearn.PersistenceEntropy(mode="vector", resolution=7),
    sklearn.PersistenceImage(resolution=(3, 4)),
    sklearn.PersistenceLandscape(num_landscapes=2, resolution=7),
    sklearn.Silhouette(resolution=7),
    sklearn.TemplateFunctions(resolution=(3, 4)),
    sklearn.ComplexPolynomial(threshold=3),
    sklearn.HeatKernel(resolution=3),
    sklearn.LongestLifetimes(k=3),
    sklearn.PersistenceStatistics(),
    sklearn.TopologicalVector(threshold=3),
]
OF_DIAGRAMS = [*VECTORISATIONS, sklearn.PairwiseDistance()]
ALL = [*COMPLEXES, *((estimator, DIAGRAMS) for estimator in OF_DIAGRAMS)]


def name_of(value):
    return type(value).__name__ if hasattr(value, "get_params") else ""


def fresh(estimator, **parameters):
    return clone(estimator).set_params(**parameters)


def same_classes(a, b):
    """Equal classes of birth < death, whatever the order and the padding."""
    assert a.shape[2] == b.shape[2] == 3
    for one, two in zip(a, b, strict=True):
        one, two = (x[x[:, 0] < x[:, 1]] for x in (one, two))
        one, two = (x[np.lexsort(x.T)] for x in (one, two))
        np.testing.assert_allclose(one, two, rtol=1e-6)  # giotto-ph computes in float32


def cubical(x, **options):
    return homology.cubical_persistence(torch.from_numpy(x), **options)
