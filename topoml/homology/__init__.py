"""Persistent homology: complexes in, differentiable diagrams out."""

from .alpha import alpha_persistence, alpha_simplices
from .cell import cell_persistence
from .convert import (
    PersistenceInformation,
    from_cripser,
    from_giotto,
    from_gudhi,
    from_ripser,
    from_torch_topological,
    to_cripser,
    to_giotto,
    to_gudhi,
    to_ripser,
    to_torch_topological,
)
from .cubical import cubical_persistence
from .diagrams import Diagrams
from .field import field_persistence
from .graph import graph_persistence
from .matching import Matching, betti_matching
from .representatives import Representative, representative
from .rips import farthest_points, rips_persistence
from .storage import load, save

__all__ = [
    "Diagrams",
    "Matching",
    "PersistenceInformation",
    "Representative",
    "alpha_persistence",
    "alpha_simplices",
    "betti_matching",
    "cell_persistence",
    "cubical_persistence",
    "farthest_points",
    "field_persistence",
    "from_cripser",
    "from_giotto",
    "from_gudhi",
    "from_ripser",
    "from_torch_topological",
    "graph_persistence",
    "load",
    "representative",
    "rips_persistence",
    "save",
    "to_cripser",
    "to_giotto",
    "to_gudhi",
    "to_ripser",
    "to_torch_topological",
]
