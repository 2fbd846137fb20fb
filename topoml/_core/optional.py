"""Imports that are made late: heavy packages, and those that come with an extra."""

import importlib
from types import ModuleType

from .errors import TopomlError

__all__ = ["require"]


def require(module: str, *, extra: str | None = None) -> ModuleType:
    """Import ``module`` now, or say in one line which extra brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        cure = f"pip install 'topoml[{extra}]'" if extra else "reinstall topoml"
        raise TopomlError(f"`{module}` cannot be imported ({error}). Cure: {cure}.") from error
