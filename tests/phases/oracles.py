"""Levels at which loops wind the torus, by search and without persistence."""

import numpy as np


def bonds(shape):
    """(site, neighbour, axis) from each site of a periodic lattice along each axis."""
    site = np.arange(shape[0] * shape[1]).reshape(shape)
    return [
        (int(a), int(b), axis)
        for axis in (0, 1)
        for a, b in zip(site.ravel(), np.roll(site, -1, axis).ravel(), strict=True)
    ]


def graph(shape, vertex, bond, level):
    """Number of components of sites and bonds at most ``level``, and the rank of the windings.

    Depth first, with the position of every site on the plane that covers the torus; an edge
    between visited sites closes a loop, which winds by the difference of positions over the sides.
    Loops count modulo 2, as homology with coefficients in Z/2 does.
    """
    edges = {}
    for (a, b, axis), value in zip(bonds(shape), bond, strict=True):
        if value <= level:
            step = np.eye(2, dtype=int)[axis]
            edges.setdefault(a, []).append((b, step))
            edges.setdefault(b, []).append((a, -step))
    position, windings, n_components = {}, set(), 0
    for start in np.flatnonzero(vertex <= level):
        if int(start) in position:
            continue
        n_components += 1
        position[int(start)] = np.zeros(2, int)
        stack = [int(start)]
        while stack:
            a = stack.pop()
            for b, step in edges.get(a, []):
                there = position[a] + step
                if b not in position:
                    position[b] = there
                    stack.append(b)
                else:
                    windings.add(tuple((there - position[b]) // shape % 2))
    windings.discard((0, 0))
    return n_components, min(len(windings), 2)


def level_of_both_loops(shape, vertex, bond):
    """The lowest level at which loops wind both ways."""
    return min(
        t for t in np.unique(np.append(vertex, bond)) if graph(shape, vertex, bond, t)[1] == 2
    )


def spanning_tree(shape, bond):
    """Sum of the bonds of a minimum spanning tree, by Prim's algorithm."""
    neighbours = {}
    for (a, b, _), value in zip(bonds(shape), bond, strict=True):
        neighbours.setdefault(a, []).append((b, value))
        neighbours.setdefault(b, []).append((a, value))
    inside, total = {0}, 0.0
    while len(inside) < shape[0] * shape[1]:
        value, new = min((v, b) for a in inside for b, v in neighbours[a] if b not in inside)
        inside.add(new)
        total += value
    return total
