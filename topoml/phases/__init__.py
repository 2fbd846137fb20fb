"""Detection of phase transitions, with error bars, a classical yardstick and controls."""

from ..lattice import from_arrays, load_npz
from .detect import detect, yardstick
from .methods import BlockCrossing, TopologicalStiffness
from .observables import block_diagrams
from .transition import Control, Curve, Transition

__all__ = [
    "BlockCrossing",
    "Control",
    "Curve",
    "TopologicalStiffness",
    "Transition",
    "block_diagrams",
    "detect",
    "from_arrays",
    "load_npz",
    "yardstick",
]
