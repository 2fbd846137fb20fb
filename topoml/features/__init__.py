"""Vectorisations: diagrams in, tensors of fixed width out."""

from .atol import atol, atol_centers
from .cloud_losses import connectivity_loss, rtd_loss, topological_signature_loss
from .curves import betti_curve, euler_curve
from .directions import lattice_directions, unit_directions
from .entropies import persistence_entropy
from .euler_transforms import euler_field_transform, euler_transform
from .field_losses import betti_matching_loss, vortex_loss
from .heat import heat_kernel
from .images import persistence_image
from .landscapes import persistence_landscape
from .longest import longest_lifetimes, topological_vector
from .losses import betti_number_loss, total_persistence
from .polynomials import complex_polynomial
from .silhouettes import silhouette
from .statistics import persistence_statistics
from .templates import template_functions

__all__ = [
    "atol",
    "atol_centers",
    "betti_curve",
    "betti_matching_loss",
    "betti_number_loss",
    "complex_polynomial",
    "connectivity_loss",
    "euler_curve",
    "euler_field_transform",
    "euler_transform",
    "heat_kernel",
    "lattice_directions",
    "longest_lifetimes",
    "persistence_entropy",
    "persistence_image",
    "persistence_landscape",
    "persistence_statistics",
    "rtd_loss",
    "silhouette",
    "template_functions",
    "topological_signature_loss",
    "topological_vector",
    "total_persistence",
    "unit_directions",
    "vortex_loss",
]
