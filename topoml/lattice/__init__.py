"""Floor 3: models on lattices, their samplers, observables and ensembles of configurations."""

import importlib
from typing import Any

from .arrays import from_arrays
from .blume_capel import BlumeCapel
from .chain import Info, State, start, step
from .chiral_magnet import ChiralMagnet
from .constrained_xy import ConstrainedXY
from .custom import CustomModel
from .ensemble import Ensemble, open_units
from .fully_frustrated_xy import FullyFrustratedXY
from .gauge_abelian import U1Gauge, Z2Gauge
from .gauge_su import SU2Gauge, SU3Gauge
from .generalized_xy import GeneralizedXY
from .geometry import Honeycomb, Hypercubic, Triangular
from .grid import open_grid, simulate_grid, verify_grid
from .hdf5 import load_hdf5
from .heisenberg import Heisenberg
from .ice import SquareIce
from .ising import Ising, PlusMinusJ
from .lebwohl_lasher import LebwohlLasher
from .load import load
from .loops import plaquette_angles, plaquettes, polyakov_loops, wilson_loops
from .model import Known, Model
from .multispin import multispin
from .npz import load_npz, save_npz
from .observables import (
    binder,
    helicity_modulus,
    helicity_terms,
    magnetisation,
    second_moment_correlation_length,
    structure_factors,
)
from .phi4 import Phi4
from .potts import Clock, Potts
from .simulate import simulate
from .skyrmion import skyrmion_charge, skyrmion_density
from .tempering import Tempered, tempering
from .text import load_text
from .topology import clover_charge, clover_charge_density, monopole_currents, topological_charge
from .verify import verify
from .villain import Villain
from .vortex import (
    VortexPairs,
    VortexPositions,
    chirality,
    half_vortices,
    vortex_density,
    vortex_pairs,
    vortex_positions,
    vortices,
    winding_numbers,
)
from .xy import XY

__all__ = [
    "LEAPFROG",
    "OMELYAN",
    "XY",
    "BlumeCapel",
    "ChiralMagnet",
    "Clock",
    "ConstrainedXY",
    "CustomModel",
    "Ensemble",
    "FullyFrustratedXY",
    "GeneralizedXY",
    "HMCInfo",
    "HMCState",
    "Heisenberg",
    "Honeycomb",
    "Hypercubic",
    "Info",
    "Integrator",
    "Ising",
    "Known",
    "LebwohlLasher",
    "Model",
    "Phi4",
    "PlusMinusJ",
    "Potts",
    "SU2Gauge",
    "SU3Gauge",
    "SquareIce",
    "State",
    "Tempered",
    "Triangular",
    "U1Gauge",
    "Villain",
    "VortexPairs",
    "VortexPositions",
    "Z2Gauge",
    "binder",
    "chirality",
    "clover_charge",
    "clover_charge_density",
    "from_arrays",
    "half_vortices",
    "helicity_modulus",
    "helicity_terms",
    "hmc_start",
    "hmc_step",
    "hmc_tuned",
    "load",
    "load_hdf5",
    "load_npz",
    "load_text",
    "magnetisation",
    "monopole_currents",
    "multispin",
    "open_grid",
    "open_units",
    "plaquette_angles",
    "plaquettes",
    "polyakov_loops",
    "save_npz",
    "second_moment_correlation_length",
    "simulate",
    "simulate_grid",
    "skyrmion_charge",
    "skyrmion_density",
    "start",
    "step",
    "structure_factors",
    "tempering",
    "topological_charge",
    "verify",
    "verify_grid",
    "vortex_density",
    "vortex_pairs",
    "vortex_positions",
    "vortices",
    "wilson_loops",
    "winding_numbers",
]

_OF_TORCH = frozenset(
    {
        "LEAPFROG",
        "OMELYAN",
        "HMCInfo",
        "HMCState",
        "Integrator",
        "hmc_start",
        "hmc_step",
        "hmc_tuned",
    }
)


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """The names of `hmc`, which alone in this package imports torch, on first use."""
    if name in _OF_TORCH:
        return getattr(importlib.import_module(".hmc", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
