"""Torch modules: thin shells over the functions of homology and features."""

from .features import BettiCurve, PersistenceImage
from .persistence import CellPersistence, CubicalPersistence, FieldPersistence

__all__ = [
    "BettiCurve",
    "CellPersistence",
    "CubicalPersistence",
    "FieldPersistence",
    "PersistenceImage",
]
