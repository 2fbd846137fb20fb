"""Closed loops of link variables, component planes first, in plain torch.

Links are planar as in `links`: (N, N, B, dim, *L) complex, or (4, B, dim, *L) real quaternions.
"""

from collections.abc import Sequence
from functools import reduce
from itertools import combinations

import torch
from torch import Tensor

from .links import channel_axis, dagger, frame, hop_back, line, multiply, shift

__all__ = ["clover_leaves", "rectangles", "windings"]


def rectangles(u: Tensor, r: int, t: int, periodic: Sequence[bool]) -> Tensor:
    """Loops of r links along m and t along n from every site, one channel for each pair m < n."""
    axis = channel_axis(u)
    found = []
    for m, n in combinations(range(u.shape[axis]), 2):
        a, b = axis + 1 + m, axis + 1 + n
        along_m = line(u.narrow(axis, m, 1), a, r, periodic[m])
        along_n = line(u.narrow(axis, n, 1), b, t, periodic[n])
        out = multiply(along_m, shift(along_n, a, r, periodic[m]))
        back = multiply(along_n, shift(along_m, b, t, periodic[n]))
        found.append(multiply(out, dagger(back)))
    return torch.cat(found, axis)


def windings(u: Tensor, m: int) -> Tensor:
    """The product of all links along m, one after the other from x_m = 0; axis m has length 1."""
    axis = channel_axis(u)
    along = axis + 1 + m
    links = u.narrow(axis, m, 1)
    return reduce(multiply, links.tensor_split(u.shape[along], along))


def clover_leaves(u: Tensor, periodic: Sequence[bool]) -> list[Tensor]:
    """The plaquettes around every site, one channel each, all in the sense from m to n.

    For each pair m < n: (+m, +n), (+n, -m), (-m, -n), (-n, +m). All are the first one, seen from
    its four corners.
    """
    axis = channel_axis(u)
    ones = u.tensor_split(u.shape[axis], axis)
    leaves = []
    for m, n in combinations(range(len(ones)), 2):
        a, b = axis + 1 + m, axis + 1 + n
        out = multiply(ones[m], shift(ones[n], a, 1, periodic[m]))
        back = multiply(ones[n], shift(ones[m], b, 1, periodic[n]))
        first = multiply(out, dagger(back))
        second = hop_back(frame(ones[m]), first, a, periodic[m])
        both = torch.cat([second, first], axis)
        third, fourth = hop_back(frame(ones[n]), both, b, periodic[n]).chunk(2, axis)
        leaves += [first, second, third, fourth]
    return leaves
