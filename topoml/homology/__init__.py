"""Persistent homology: complexes in, differentiable diagrams out."""

from .cell import cell_persistence
from .cubical import cubical_persistence
from .diagrams import Diagrams
from .field import field_persistence

__all__ = ["Diagrams", "cell_persistence", "cubical_persistence", "field_persistence"]
