"""Averages with errors, reweighting, and detection of phase transitions with its controls."""

from ..lattice import from_arrays, load_npz
from .autocorrelation import (
    Estimate,
    ShortChainError,
    gamma,
    integrated_autocorrelation_time,
)
from .detect import detect, yardstick
from .estimates import (
    binder_cumulant,
    correlation_length,
    energy,
    helicity_modulus,
    magnetisation,
    specific_heat,
    susceptibility,
)
from .methods import BlockCrossing, TopologicalStiffness
from .observables import block_diagrams
from .resampling import jackknife
from .reweighting import OverlapError, Reweighting, reweight
from .starts import Starts, compare_starts
from .transition import Control, Curve, Transition

__all__ = [
    "BlockCrossing",
    "Control",
    "Curve",
    "Estimate",
    "OverlapError",
    "Reweighting",
    "ShortChainError",
    "Starts",
    "TopologicalStiffness",
    "Transition",
    "binder_cumulant",
    "block_diagrams",
    "compare_starts",
    "correlation_length",
    "detect",
    "energy",
    "from_arrays",
    "gamma",
    "helicity_modulus",
    "integrated_autocorrelation_time",
    "jackknife",
    "load_npz",
    "magnetisation",
    "reweight",
    "specific_heat",
    "susceptibility",
    "yardstick",
]
