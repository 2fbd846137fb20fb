"""Pictures of data: every function takes `ax=` and returns Axes."""

from .diagram import diagram
from .spins import configuration
from .transition import crossings, stiffness, transition

__all__ = ["configuration", "crossings", "diagram", "stiffness", "transition"]
