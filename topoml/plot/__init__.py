"""Pictures of data: every function takes `ax=` and returns Axes."""

from .barcode import barcode
from .curves import betti_curve, landscape
from .diagram import diagram
from .image import image
from .matching import matching
from .representatives import representatives
from .spins import configuration
from .transition import crossings, stiffness, transition

__all__ = [
    "barcode",
    "betti_curve",
    "configuration",
    "crossings",
    "diagram",
    "image",
    "landscape",
    "matching",
    "representatives",
    "stiffness",
    "transition",
]
