"""Torch modules: persistence, features and losses over the packages below; equivariant layers."""

from .alpha import AlphaPersistence
from .atol import Atol
from .curves import BettiCurve, EulerCurve, PersistenceEntropy, PersistenceLandscape, Silhouette
from .diagram_transformer import DiagramTransformer
from .distances import SlicedWassersteinLoss, WassersteinLoss
from .equivariance import Action, assert_equivariant, invariant, rotations, translations
from .euler_transforms import EulerFieldTransform, EulerTransform
from .features import PersistenceImage
from .gauge import LAct, LBilinear, LConv, LConvBilinear, LExp, LTrace
from .graph import GraphPersistence
from .group_conv import GroupConv, GroupPool, LiftingConv
from .harmonics import HarmonicConv, HarmonicGate, HarmonicProduct, angle_harmonics, phase_rotations
from .heat import HeatKernel
from .longest import LongestLifetimes, TopologicalVector
from .loops import Plaquettes, PolyakovLoops, WilsonLoops
from .lorentz import LorentzBlock, LorentzInvariants, LorentzLinear
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
from .manifolds import BiMap, FrechetMeanPool, LieExp, LieLog, LogEig, ReEig
from .nematics import NematicInvariants, NematicTensor, nematic_tensor
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
from .point_groups import P4, P4M, P6, P6M, PointGroup, hypercubic, lattice_symmetries
from .potts import PottsConv, permutations
from .rips import RipsPersistence
from .smearing import StoutSmearing
from .spin_attention import SpinAttention
from .spins import SpinConv, SpinGate, SpinInvariants, SpinVNReLU
from .statistics import ComplexPolynomial, PersistenceStatistics
from .structure_elements import StructureElements
from .templates import TemplateFunctions
from .transformations import (
    gauge_transformations,
    transform_fields,
    transform_links,
    transform_loops,
)
from .transport import ParallelTransportConv

__all__ = [
    "P4",
    "P4M",
    "P6",
    "P6M",
    "Action",
    "AlphaPersistence",
    "Atol",
    "BettiCurve",
    "BettiMatchingLoss",
    "BettiNumberLoss",
    "BiMap",
    "CellPersistence",
    "ComplexPolynomial",
    "ConnectivityLoss",
    "CubicalPersistence",
    "DiagramTransformer",
    "EulerCurve",
    "EulerFieldTransform",
    "EulerTransform",
    "FieldPersistence",
    "FrechetMeanPool",
    "GaussianMixtureWeight",
    "GaussianPhi",
    "GraphPersistence",
    "GridWeight",
    "GroupConv",
    "GroupPool",
    "HarmonicConv",
    "HarmonicGate",
    "HarmonicProduct",
    "HeatKernel",
    "LAct",
    "LBilinear",
    "LConv",
    "LConvBilinear",
    "LExp",
    "LTrace",
    "LieExp",
    "LieLog",
    "LiftingConv",
    "LinePhi",
    "LogEig",
    "LongestLifetimes",
    "LorentzBlock",
    "LorentzInvariants",
    "LorentzLinear",
    "NematicInvariants",
    "NematicTensor",
    "ParallelTransportConv",
    "PersLay",
    "PersistenceEntropy",
    "PersistenceEntropyLoss",
    "PersistenceImage",
    "PersistenceLandscape",
    "PersistenceStatistics",
    "Plaquettes",
    "PointGroup",
    "PolyakovLoops",
    "PottsConv",
    "PowerWeight",
    "RTDLoss",
    "RationalHatPhi",
    "ReEig",
    "RipsPersistence",
    "Silhouette",
    "SlicedWassersteinLoss",
    "SpinAttention",
    "SpinConv",
    "SpinGate",
    "SpinInvariants",
    "SpinVNReLU",
    "StoutSmearing",
    "StructureElements",
    "TemplateFunctions",
    "TentPhi",
    "TopologicalSignatureLoss",
    "TopologicalVector",
    "TotalPersistenceLoss",
    "VortexLoss",
    "WassersteinLoss",
    "WilsonLoops",
    "angle_harmonics",
    "assert_equivariant",
    "gauge_transformations",
    "hypercubic",
    "invariant",
    "lattice_symmetries",
    "nematic_tensor",
    "permutations",
    "phase_rotations",
    "rotations",
    "transform_fields",
    "transform_links",
    "transform_loops",
    "translations",
]
