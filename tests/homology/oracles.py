"""What the diagrams must be, by other people's code: gudhi on the same complex."""

import gudhi
import numpy as np

INF = float("inf")


def intervals(complex_):
    """All (dimension, birth, death) of positive length, sorted."""
    complex_.compute_persistence(homology_coeff_field=2, min_persistence=0)
    found = []
    for dim in range(3):
        for birth, death in complex_.persistence_intervals_in_dimension(dim):
            if birth < death:
                found.append((dim, float(birth), float(death)))
    return sorted(found)


def cubical(x, periodic, construction):
    """Sublevel persistence of a numpy field by gudhi's cubical complexes."""
    entry = {"V": "vertices", "T": "top_dimensional_cells"}[construction]
    if any(periodic):
        return intervals(
            gudhi.PeriodicCubicalComplex(periodic_dimensions=list(periodic), **{entry: x})
        )
    return intervals(gudhi.CubicalComplex(**{entry: x}))


def freudenthal(x):
    """The open Freudenthal triangulation as a simplex tree, lower star filtration."""
    h, w = x.shape
    tree = gudhi.SimplexTree()
    at = np.arange(h * w).reshape(h, w)
    flat = x.reshape(-1)
    for i in range(h):
        for j in range(w):
            tree.insert([at[i, j]], flat[at[i, j]])
            for di, dj in ((0, 1), (1, 0), (1, 1)):
                if i + di < h and j + dj < w:
                    edge = [at[i, j], at[i + di, j + dj]]
                    tree.insert(edge, flat[edge].max())
            if i + 1 < h and j + 1 < w:
                for corner in (at[i + 1, j], at[i, j + 1]):
                    triangle = [at[i, j], corner, at[i + 1, j + 1]]
                    tree.insert(triangle, flat[triangle].max())
    found = tree.persistence(homology_coeff_field=2, min_persistence=0, persistence_dim_max=True)
    return sorted((d, float(b), float(e)) for d, (b, e) in found if b < e)


def reduce_boundary(cells, boundary):
    """Pairs of a filtered cell complex by reduction of its boundary matrix over Z/2.

    ``cells``: (value, dimension) in filtration order; ``boundary``: lists of cell numbers, in which
    a cell that occurs twice cancels.
    """
    pivot_of = {}
    paired = {}
    for j, part in enumerate(boundary):
        column = set()
        for i in part:
            column ^= {i}
        while column and max(column) in pivot_of:
            column ^= pivot_of[max(column)]
        if column:
            pivot_of[max(column)] = column
            paired[max(column)] = j
    found = []
    for i, (value, dim) in enumerate(cells):
        if i in paired:
            death = cells[paired[i]][0]
            if value < death:
                found.append((dim, float(value), float(death)))
        elif i not in paired.values() and value < INF:
            found.append((dim, float(value), INF))
    return sorted(found)


def lattice_cells(vertex, edge, face, periodic, diagonal=None):
    """Boundary matrix of the square lattice with given values; ``diagonal`` splits the squares.

    With ``diagonal``, the value of the edge from (i, j) to (i+1, j+1), ``face`` is a pair: the
    triangles that hold (i+1, j) and (i, j+1).
    """
    h, w = vertex.shape
    wrap0, wrap1 = periodic
    cells = {("v", i, j): (vertex[i, j], 0, []) for i in range(h) for j in range(w)}
    for i in range(h):
        for j in range(w):
            down, right = ((i + 1) % h, j), (i, (j + 1) % w)
            corner = ((i + 1) % h, (j + 1) % w)
            if i + 1 < h or wrap0:
                cells["e0", i, j] = (edge[0, i, j], 1, [("v", i, j), ("v", *down)])
            if j + 1 < w or wrap1:
                cells["e1", i, j] = (edge[1, i, j], 1, [("v", i, j), ("v", *right)])
            if (i + 1 < h or wrap0) and (j + 1 < w or wrap1):
                left_side, right_side = ("e0", i, j), ("e0", *right)
                top, bottom = ("e1", i, j), ("e1", *down)
                if diagonal is None:
                    sides = [left_side, right_side, top, bottom]
                    cells["f", i, j] = (face[i, j], 2, sides)
                else:
                    middle = ("d", i, j)
                    cells[middle] = (diagonal[i, j], 1, [("v", i, j), ("v", *corner)])
                    cells["f0", i, j] = (face[0][i, j], 2, [left_side, bottom, middle])
                    cells["f1", i, j] = (face[1][i, j], 2, [top, right_side, middle])
    order = sorted(cells, key=lambda c: (cells[c][0], cells[c][1]))
    number = {c: n for n, c in enumerate(order)}
    return (
        [cells[c][:2] for c in order],
        [[number[b] for b in cells[c][2]] for c in order],
    )


def doubled_grid(edge, periodic):
    """Open bond filtration (vertices at 0, faces at their largest edge) on gudhi's doubled grid."""
    _, h, w = edge.shape
    rows = 2 * h if periodic[0] else 2 * h - 1
    columns = 2 * w if periodic[1] else 2 * w - 1
    grid = np.zeros((2 * h, 2 * w))
    grid[1::2, 0::2] = edge[0]
    grid[0::2, 1::2] = edge[1]
    faces = [edge[0], np.roll(edge[0], -1, 1), edge[1], np.roll(edge[1], -1, 0)]
    grid[1::2, 1::2] = np.max(faces, axis=0)
    return cubical(grid[:rows, :columns], periodic, "V")


def of_diagrams(diagrams):
    """The (dimension, birth, death) of a single sample's Diagrams; superlevel ones negated."""
    sign = -1.0 if diagrams.superlevel else 1.0
    finite = [
        (d, sign * b, sign * e)
        for d, (b, e) in zip(diagrams.dimension.tolist(), diagrams.points.tolist(), strict=True)
    ]
    essential = [
        (d, sign * b, INF)
        for d, b in zip(
            diagrams.essential_dimension.tolist(), diagrams.essential.tolist(), strict=True
        )
    ]
    return sorted(finite + essential)
