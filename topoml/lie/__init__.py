"""Lie groups and manifolds in which spins live."""

from .circle import Circle
from .discrete import Discrete
from .manifold import Manifold
from .sphere import Sphere

__all__ = ["Circle", "Discrete", "Manifold", "Sphere"]
