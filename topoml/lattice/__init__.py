"""Floor 3: models on lattices, their samplers, observables and ensembles of configurations."""

from .arrays import from_arrays
from .chain import Info, State, start, step
from .constrained_xy import ConstrainedXY
from .ensemble import Ensemble
from .fully_frustrated_xy import FullyFrustratedXY
from .generalized_xy import GeneralizedXY
from .geometry import Honeycomb, Hypercubic, Triangular
from .ising import Ising
from .model import Known, Model
from .npz import load_npz
from .observables import (
    binder,
    helicity_modulus,
    helicity_terms,
    magnetisation,
    second_moment_correlation_length,
    structure_factors,
    vortex_density,
    vortices,
)
from .simulate import simulate
from .villain import Villain
from .xy import XY

__all__ = [
    "XY",
    "ConstrainedXY",
    "Ensemble",
    "FullyFrustratedXY",
    "GeneralizedXY",
    "Honeycomb",
    "Hypercubic",
    "Info",
    "Ising",
    "Known",
    "Model",
    "State",
    "Triangular",
    "Villain",
    "binder",
    "from_arrays",
    "helicity_modulus",
    "helicity_terms",
    "load_npz",
    "magnetisation",
    "second_moment_correlation_length",
    "simulate",
    "start",
    "step",
    "structure_factors",
    "vortex_density",
    "vortices",
]
