"""Floor 3: models on lattices, their samplers, observables and ensembles of configurations."""

from .arrays import from_arrays
from .blume_capel import BlumeCapel
from .chain import Info, State, start, step
from .chiral_magnet import ChiralMagnet
from .constrained_xy import ConstrainedXY
from .ensemble import Ensemble
from .fully_frustrated_xy import FullyFrustratedXY
from .generalized_xy import GeneralizedXY
from .geometry import Honeycomb, Hypercubic, Triangular
from .heisenberg import Heisenberg
from .ice import SquareIce
from .ising import Ising, PlusMinusJ
from .lebwohl_lasher import LebwohlLasher
from .model import Known, Model
from .multispin import multispin
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
from .potts import Clock, Potts
from .simulate import simulate
from .tempering import Tempered, tempering
from .villain import Villain
from .xy import XY

__all__ = [
    "XY",
    "BlumeCapel",
    "ChiralMagnet",
    "Clock",
    "ConstrainedXY",
    "Ensemble",
    "FullyFrustratedXY",
    "GeneralizedXY",
    "Heisenberg",
    "Honeycomb",
    "Hypercubic",
    "Info",
    "Ising",
    "Known",
    "LebwohlLasher",
    "Model",
    "PlusMinusJ",
    "Potts",
    "SquareIce",
    "State",
    "Tempered",
    "Triangular",
    "Villain",
    "binder",
    "from_arrays",
    "helicity_modulus",
    "helicity_terms",
    "load_npz",
    "magnetisation",
    "multispin",
    "second_moment_correlation_length",
    "simulate",
    "start",
    "step",
    "structure_factors",
    "tempering",
    "vortex_density",
    "vortices",
]
