"""Pictures of data: every function takes `ax=` and returns Axes."""

from .barcode import barcode
from .diagram import diagram
from .representatives import representatives
from .spins import configuration
from .transition import crossings, stiffness, transition

__all__ = [
    "barcode",
    "configuration",
    "crossings",
    "diagram",
    "representatives",
    "stiffness",
    "transition",
]
