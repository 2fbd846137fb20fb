"""Vectorisations: diagrams in, tensors of fixed width out."""

from .curves import betti_curve
from .images import persistence_image

__all__ = ["betti_curve", "persistence_image"]
