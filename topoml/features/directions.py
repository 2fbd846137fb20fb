"""Directions in space: evenly spaced, random, or towards the neighbours on a lattice."""

import itertools
import math

import torch
from torch import Tensor

from .._core.checks import check_count
from .._core.errors import InputError

__all__ = ["lattice_directions", "normalised", "unit_directions"]


def unit_directions(n: int, dim: int, *, generator: torch.Generator | None = None) -> Tensor:
    r"""Unit vectors: evenly spaced on the circle or sphere, or drawn at random.

    Without a generator, in 2D at the angles :math:`2 \pi k / n`, exactly symmetric under the
    reflections and quarter turns that map the angles to themselves; in 3D on a spiral from pole to
    pole, at :math:`z_k = 1 - (2 k + 1) / n` and multiples of the golden angle. With one, uniform on
    the sphere, in any dimension; the same seed gives the same digits.

    Args:
        n: Number of directions, at least 1.
        dim: Dimension of space, at least 1; 2 or 3 without a generator.
        generator: Where randomness comes from.

    Returns:
        (n, dim) float64, on the device of the generator or the CPU.

    Raises:
        InputError: An argument of another type or out of the ranges above.

    Source: the spiral is a Fibonacci lattice (González, Math. Geosci. 42, 49, 2010).

    Example:
        >>> unit_directions(4, 2)
        tensor([[ 1.,  0.],
                [ 0.,  1.],
                [-1.,  0.],
                [ 0., -1.]], dtype=torch.float64)
    """
    n, dim = check_count("n", n), check_count("dim", dim)
    if isinstance(generator, torch.Generator):
        x = torch.randn(n, dim, generator=generator, dtype=torch.float64, device=generator.device)
        return normalised(x)
    if generator is not None:
        raise InputError(
            f"`generator` is {type(generator).__name__}; expected a torch.Generator, or None."
        )
    if dim == 2:
        return torch.tensor([_on_circle(k, n) for k in range(n)], dtype=torch.float64)
    if dim == 3:
        return torch.tensor([_on_spiral(k, n) for k in range(n)], dtype=torch.float64)
    raise InputError(
        f"`dim` is {dim}; expected 2 or 3 for evenly spaced directions. Cure: a `generator`, for"
        " random ones."
    )


def lattice_directions(dim: int) -> Tensor:
    r"""Unit vectors towards the neighbours of a site, along axes and diagonals.

    Those of the non-zero entries of :math:`\{-1, 0, 1\}^{dim}`, in their order: the symmetries of
    the lattice permute them.

    Args:
        dim: Number of axes, at least 1.

    Returns:
        (3^dim - 1, dim) float64 on the CPU: 8 directions in 2D, 26 in 3D.

    Raises:
        InputError: ``dim`` is no integer of at least 1.

    Example:
        >>> lattice_directions(2)[:3]
        tensor([[-0.7071, -0.7071],
                [-1.0000,  0.0000],
                [-0.7071,  0.7071]], dtype=torch.float64)
    """
    steps = itertools.product((-1.0, 0.0, 1.0), repeat=check_count("dim", dim))
    x = torch.tensor([step for step in steps if any(step)], dtype=torch.float64)
    return normalised(x)


def normalised(x: Tensor) -> Tensor:
    """Rows divided by their lengths."""
    lengths: Tensor = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return x / lengths


def _on_circle(k: int, n: int) -> tuple[float, float]:
    """Cosine and sine of 2 pi k / n, from an angle of at most pi / 4."""
    quarter, rest = divmod(4 * k, n)
    angle = math.pi / 2 * min(rest, n - rest) / n
    c, s = math.cos(angle), math.sin(angle)
    if 2 * rest >= n:
        c, s = (math.sqrt(0.5),) * 2 if 2 * rest == n else (s, c)
    for _ in range(quarter):
        c, s = -s + 0.0, c
    return c, s


def _on_spiral(k: int, n: int) -> tuple[float, float, float]:
    z = 1 - (2 * k + 1) / n
    angle = math.pi * (3 - math.sqrt(5)) * k
    r = math.sqrt(1 - z * z)
    return r * math.cos(angle), r * math.sin(angle), z
