"""Torch modules: thin shells over the functions of homology and features."""

from .alpha import AlphaPersistence
from .features import BettiCurve, PersistenceImage
from .graph import GraphPersistence
from .persistence import CellPersistence, CubicalPersistence, FieldPersistence
from .rips import RipsPersistence

__all__ = [
    "AlphaPersistence",
    "BettiCurve",
    "CellPersistence",
    "CubicalPersistence",
    "FieldPersistence",
    "GraphPersistence",
    "PersistenceImage",
    "RipsPersistence",
]
