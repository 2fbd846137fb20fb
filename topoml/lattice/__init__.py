"""Floor 3: models on lattices, their samplers, observables and ensembles of configurations."""

import importlib
from typing import Any

from .arrays import from_arrays
from .chain import Info, State, start, step
from .custom import CustomModel
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
from .phi4 import Phi4
from .simulate import simulate
from .xy import XY

__all__ = [
    "LEAPFROG",
    "OMELYAN",
    "XY",
    "CustomModel",
    "Ensemble",
    "HMCInfo",
    "HMCState",
    "Honeycomb",
    "Hypercubic",
    "Info",
    "Integrator",
    "Ising",
    "Known",
    "Model",
    "Phi4",
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
    "hmc_start",
    "hmc_step",
    "hmc_tuned",
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
