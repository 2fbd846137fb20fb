"""The groups under test and random elements of them."""

import torch

from topoml.lie import SE, SO, SU, U1, Lorentz

COMPACT = [U1(), SO(2), SO(3), SO(4), SO(5), SU(2), SU(3), SU(4)]
GROUPS = [*COMPACT, SE(2), SE(3), SE(4), Lorentz()]


def dtype_of(group, real=torch.float64):
    return real.to_complex() if group.is_complex else real


def vectors(group, *size, seed=0, scale=0.5, dtype=torch.float64):
    """Normal coordinates of algebra elements."""
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn((*size, group.dim), generator=generator, dtype=torch.float64)
    return (scale * v).to(dtype)


def elements(group, *size, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    dtype = dtype_of(group, dtype)
    if group in COMPACT:
        return group.random_haar(*size, generator=generator, dtype=dtype)
    return group.random(*size, scale=0.7, generator=generator, dtype=dtype)
