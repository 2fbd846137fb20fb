"""Floor 3: models on lattices, their samplers, observables and ensembles of configurations."""

from .arrays import from_arrays
from .chain import Info, State, start, step
from .chiral_magnet import ChiralMagnet
from .ensemble import Ensemble
from .geometry import Honeycomb, Hypercubic, Triangular
from .heisenberg import Heisenberg
from .ice import SquareIce
from .ising import Ising
from .lebwohl_lasher import LebwohlLasher
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
    "ChiralMagnet",
    "Ensemble",
    "Heisenberg",
    "Honeycomb",
    "Hypercubic",
    "Info",
    "Ising",
    "Known",
    "LebwohlLasher",
    "Model",
    "SquareIce",
    "State",
    "Triangular",
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
