"""Distances and kernels: two batches of diagrams in, a number for each pair out."""

from .bottleneck import bottleneck
from .fisher import persistence_fisher, persistence_fisher_kernel
from .kernels import heat, persistence_scale_space_kernel, persistence_weighted_gaussian_kernel
from .pairwise import pairwise
from .sliced import sliced_wasserstein, sliced_wasserstein_kernel
from .wasserstein import wasserstein

__all__ = [
    "bottleneck",
    "heat",
    "pairwise",
    "persistence_fisher",
    "persistence_fisher_kernel",
    "persistence_scale_space_kernel",
    "persistence_weighted_gaussian_kernel",
    "sliced_wasserstein",
    "sliced_wasserstein_kernel",
    "wasserstein",
]
