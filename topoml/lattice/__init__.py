"""Floor 3: models on lattices, their samplers, observables and ensembles of configurations."""

from .arrays import from_arrays
from .chain import Info, State, start, step
from .ensemble import Ensemble
from .gauge_abelian import U1Gauge, Z2Gauge
from .gauge_su import SU2Gauge, SU3Gauge
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
from .xy import XY

__all__ = [
    "XY",
    "Ensemble",
    "Honeycomb",
    "Hypercubic",
    "Info",
    "Ising",
    "Known",
    "Model",
    "SU2Gauge",
    "SU3Gauge",
    "State",
    "Triangular",
    "U1Gauge",
    "Z2Gauge",
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
