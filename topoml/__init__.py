"""Topology and geometry for machine learning in physics; submodules load on first use."""

import importlib
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

__all__ = [
    "distances",
    "features",
    "homology",
    "lattice",
    "lie",
    "nn",
    "phases",
    "plot",
    "sklearn",
]

try:
    __version__ = version("topoml")
except PackageNotFoundError:  # a source tree on sys.path that was never installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'topoml' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
