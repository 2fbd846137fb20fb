"""Torch modules: thin shells over the functions of homology, features and distances."""

from .alpha import AlphaPersistence
from .atol import Atol
from .curves import BettiCurve, EulerCurve, PersistenceEntropy, PersistenceLandscape, Silhouette
from .diagram_transformer import DiagramTransformer
from .distances import SlicedWassersteinLoss, WassersteinLoss
from .euler_transforms import EulerFieldTransform, EulerTransform
from .features import PersistenceImage
from .graph import GraphPersistence
from .heat import HeatKernel
from .longest import LongestLifetimes, TopologicalVector
from .losses import (
    BettiMatchingLoss,
    BettiNumberLoss,
    ConnectivityLoss,
    PersistenceEntropyLoss,
    RTDLoss,
    TopologicalSignatureLoss,
    TotalPersistenceLoss,
    VortexLoss,
)
from .persistence import CellPersistence, CubicalPersistence, FieldPersistence
from .perslay import (
    GaussianMixtureWeight,
    GaussianPhi,
    GridWeight,
    LinePhi,
    PersLay,
    PowerWeight,
    RationalHatPhi,
    TentPhi,
)
from .rips import RipsPersistence
from .statistics import ComplexPolynomial, PersistenceStatistics
from .structure_elements import StructureElements
from .templates import TemplateFunctions

__all__ = [
    "AlphaPersistence",
    "Atol",
    "BettiCurve",
    "BettiMatchingLoss",
    "BettiNumberLoss",
    "CellPersistence",
    "ComplexPolynomial",
    "ConnectivityLoss",
    "CubicalPersistence",
    "DiagramTransformer",
    "EulerCurve",
    "EulerFieldTransform",
    "EulerTransform",
    "FieldPersistence",
    "GaussianMixtureWeight",
    "GaussianPhi",
    "GraphPersistence",
    "GridWeight",
    "HeatKernel",
    "LinePhi",
    "LongestLifetimes",
    "PersLay",
    "PersistenceEntropy",
    "PersistenceEntropyLoss",
    "PersistenceImage",
    "PersistenceLandscape",
    "PersistenceStatistics",
    "PowerWeight",
    "RTDLoss",
    "RationalHatPhi",
    "RipsPersistence",
    "Silhouette",
    "SlicedWassersteinLoss",
    "StructureElements",
    "TemplateFunctions",
    "TentPhi",
    "TopologicalSignatureLoss",
    "TopologicalVector",
    "TotalPersistenceLoss",
    "VortexLoss",
    "WassersteinLoss",
]
