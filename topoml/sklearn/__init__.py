"""Transformers for scikit-learn: data to diagrams to features, numpy in and out.

The first line of each names its function, whose docstring has formulas and sources.
"""

from .clouds import AlphaPersistence, RipsPersistence
from .distances import PairwiseDistance
from .graphs import GraphPersistence
from .lattices import CubicalPersistence, FieldPersistence
from .vectorisations import (
    Atol,
    BettiCurve,
    ComplexPolynomial,
    EulerCurve,
    HeatKernel,
    LongestLifetimes,
    PersistenceEntropy,
    PersistenceImage,
    PersistenceLandscape,
    PersistenceStatistics,
    Silhouette,
    TemplateFunctions,
    TopologicalVector,
)

__all__ = [
    "AlphaPersistence",
    "Atol",
    "BettiCurve",
    "ComplexPolynomial",
    "CubicalPersistence",
    "EulerCurve",
    "FieldPersistence",
    "GraphPersistence",
    "HeatKernel",
    "LongestLifetimes",
    "PairwiseDistance",
    "PersistenceEntropy",
    "PersistenceImage",
    "PersistenceLandscape",
    "PersistenceStatistics",
    "RipsPersistence",
    "Silhouette",
    "TemplateFunctions",
    "TopologicalVector",
]
