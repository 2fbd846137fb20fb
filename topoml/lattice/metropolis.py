"""Metropolis sweeps for energies of torch, site by site or many sites at once."""

import itertools
import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["moved", "sublattices", "sweep_sites", "sweep_sublattices", "window_sums"]

_TURN = 2 * math.pi


def moved(
    x: Tensor, scale: float, manifold: str, n_states: int, rng: np.random.Generator
) -> Tensor:
    """A proposal for every spin of x, as likely as the way back.

    phi + scale times a normal number; theta + scale (2 u - 1), brought to [-pi, pi]; s + scale
    times a normal vector, normalised, whose density depends on the angle alone; one of the other
    labels.
    """
    size = tuple(x.shape)
    if manifold == "discrete":
        return (x + 1 + torch.from_numpy(rng.integers(0, n_states - 1, size))) % n_states
    if manifold == "circle":
        angle = x + scale * torch.from_numpy(rng.uniform(-1.0, 1.0, size))
        return angle - _TURN * torch.round(angle / _TURN)
    x = x + scale * torch.from_numpy(rng.standard_normal(size))
    if manifold == "sphere":
        x = x / torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x


def sweep_sites(
    energy: Callable[[Tensor], Tensor],
    x: Tensor,
    new: Tensor,
    n_axes: int,
    temperature: float,
    order: NDArray[np.int64],
    rng: np.random.Generator,
) -> int:
    """One site of ``order`` after the other, each with an energy of the whole configuration.

    Args:
        energy: (1, *shape, *components) to (1,).
        x: (*shape, *components), changed in place.
        new: A proposal for each site, of the same shape.
        n_axes: Of the lattice.
        temperature: T > 0.
        order: C-order numbers of sites, each at most once.
        rng: Of the acceptances.

    Returns:
        The number of accepted proposals; none with an energy of NaN.

    Source: Metropolis et al., J. Chem. Phys. 21, 1087 (1953).
    """
    flat, new = x.flatten(0, n_axes - 1), new.flatten(0, n_axes - 1)  # flat: a view of x
    before = float(energy(x[None]))
    accepted = 0
    for site, uniform in zip(order.tolist(), rng.random(len(order)).tolist(), strict=True):
        old = flat[site].clone()
        flat[site] = new[site]
        after = float(energy(x[None]))
        if uniform < math.exp(min((before - after) / temperature, 0.0)):  # in this order for NaN
            before = after
            accepted += 1
        else:
            flat[site] = old
    return accepted


def sweep_sublattices(
    site_energies: Callable[[Tensor], Tensor],
    x: Tensor,
    new: Tensor,
    reach: int,
    temperature: float,
    rng: np.random.Generator,
) -> int:
    """Every site once, all those of a sublattice together.

    A site changes the energies in its window alone, (2 reach + 1) sites along each axis, and the
    windows of a sublattice do not overlap (`sublattices`): so each accepts or not by the sum over
    its own.

    Args:
        site_energies: (1, *shape, *components) to (1, *shape), that of a site from within
            ``reach`` of it.
        x: (*shape, *components), changed in place.
        new: A proposal for each site, of the same shape.
        reach: See above.
        temperature: T > 0.
        rng: Of the acceptances.

    Returns:
        The number of accepted proposals.
    """
    before = site_energies(x[None])[0]
    shape = before.shape
    uniform = torch.from_numpy(rng.random(tuple(shape)))
    spread = shape + (1,) * (x.ndim - before.ndim)
    accepted = 0
    for sites in sublattices(tuple(shape), reach):
        after = site_energies(torch.where(sites.view(spread), new, x)[None])[0]
        change = window_sums(after - before, reach)
        accept = sites & (uniform < torch.exp(-change / temperature))
        x.copy_(torch.where(accept.view(spread), new, x))
        before = site_energies(x[None])[0]
        accepted += int(accept.sum())
    return accepted


def window_sums(x: Tensor, reach: int) -> Tensor:
    """Of each site, the sum over those at most ``reach`` steps away along each axis, periodic."""
    for axis, side in enumerate(x.shape):
        if 2 * reach + 1 >= side:
            x = x.sum(axis, keepdim=True).expand_as(x)
        else:
            x = sum((x.roll(step, axis) for step in range(-reach, reach + 1)), torch.zeros_like(x))
    return x


@lru_cache(maxsize=64)
def sublattices(shape: tuple[int, ...], reach: int) -> tuple[Tensor, ...]:
    """Masks (*shape) that share out the sites: two of one mask are 2 reach + 1 apart, periodic.

    Along each axis the side is cut into as many intervals of at least 2 reach + 1 sites as there
    is room for, and the k-th sites of all of them belong together.

    Example:
        >>> [m.int().tolist() for m in sublattices((7,), 1)]
        [[1, 0, 0, 0, 1, 0, 0], [0, 1, 0, 0, 0, 1, 0], [0, 0, 1, 0, 0, 0, 1], [0, 0, 0, 1, 0, 0, 0]]
    """
    places = []
    for side in shape:
        n = max(1, side // (2 * reach + 1))
        cuts = [-(-side * k // n) for k in range(n + 1)]
        longest = max(b - a for a, b in itertools.pairwise(cuts))
        along = torch.zeros(longest, side, dtype=torch.bool)
        for a, b in itertools.pairwise(cuts):
            along[torch.arange(b - a), torch.arange(a, b)] = True
        places.append(along)
    masks = []
    for rows in itertools.product(*places):
        mask = torch.ones((), dtype=torch.bool)
        for row in rows:
            mask = mask[..., None] & row
        masks.append(mask)
    return tuple(masks)
