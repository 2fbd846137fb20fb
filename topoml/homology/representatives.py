"""Representatives of the classes of one 2D field: components (H0) and cycles (H1) of sites."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._core.errors import InputError
from ._checks import check_field, check_not_nan, check_periodic
from ._gather import host_array
from .diagrams import Diagrams

__all__ = ["Representative", "representative"]

Array = NDArray[Any]

# Steps to the neighbours of a site: 4 of them, then the diagonal ones.
_STEPS = np.array([(-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)])


@dataclass(frozen=True, eq=False)
class Representative:
    """A representative of one class, in entries of the sample.

    Args:
        dimension: 0 or 1.
        sites: (H, W) bool: the component (H0), or the sites on the cycle (H1).
        loops: H1: closed loops that are the cycle together, modulo 2; each (n,) int64, flat C-order
            entries in the order of the walk, neighbours one after the other, and the last one of
            the first. H0: none.
    """

    dimension: int
    sites: Tensor
    loops: tuple[Tensor, ...]


@dataclass(frozen=True)
class _Field:
    """A field in its filtration: values ascending, ties by the linear index."""

    value: Array  # (H * W,)
    shape: tuple[int, int]
    wrap: tuple[bool, ...]

    def before(self, entry: int) -> Array:
        """Which entries precede ``entry``, (H * W,) bool."""
        v = self.value[entry]
        found: Array = self.value < v
        found[:entry] |= self.value[:entry] == v
        return found

    def neighbours(self, entries: Array, n: int) -> tuple[Array, Array, Array]:
        """The ``n`` (4 or 8) neighbours of entries (m,): numbers, crossings and existence, (m, n).

        A crossing has bit 0 (1) set if the step goes round axis 0 (1).
        """
        i, j = (part[:, None] + step for part, step in zip(
            np.divmod(entries, self.shape[1]), _STEPS[:n].T, strict=True))  # fmt: skip
        h, w = self.shape
        out0, out1 = (i < 0) | (i >= h), (j < 0) | (j >= w)
        exists = (~out0 | self.wrap[0]) & (~out1 | self.wrap[1])
        return i % h * w + j % w, out0 + 2 * out1, exists

    def component(self, start: Array, allowed: Array, n: int) -> tuple[Array, bool]:
        """Entries reached from ``start`` within ``allowed``, (H * W,) bool, and if one is at an
        open boundary."""
        found = np.zeros(self.value.size, bool)
        found[start] = True
        front, open_ended = np.asarray(start), False
        while front.size:
            entries, _, exists = self.neighbours(front, n)
            open_ended = open_ended or not exists.all()
            entries = entries[exists]
            front = np.unique(entries[allowed[entries] & ~found[entries]])
            found[front] = True
        return found, open_ended


def representative(
    x: Tensor,
    diagrams: Diagrams,
    row: int,
    *,
    essential: bool = False,
    periodic: bool | Sequence[bool] = False,
    construction: str = "V",
) -> Representative:
    r"""A representative of one class of ``cubical_persistence(x, ...)``, exact over Z/2.

    H0: the component of the birth in :math:`\{x < \text{death}\}`, as it is when it dies; of an
    essential class, in :math:`\{x < \infty\}`. H1, finite or ended by +inf entries alone: the
    boundary of the hole, which is the superlevel component that the birth cuts off and the death
    fills (V: 8 neighbours, T: 4); it has inner loops where the hole has islands. H1 round a
    periodic axis: a shortest loop through the birth in :math:`\{x \le \text{birth}\}` whose
    winding numbers modulo 2 no older loop has. So a cycle is born with its class and, where that
    is finite, dies with it. In H1 ties go by (value, linear index), as in the pairing.

    Runs on the CPU (a tensor on another device is copied there) in O(H W log(H W)) time and some
    50 bytes an entry; no gradient.

    Args:
        x: The field, (H, W), any floating dtype.
        diagrams: Its diagrams, of a single sample: ``batch_shape`` ().
        row: Row of ``diagrams.points``, or of ``diagrams.essential`` if ``essential``.
        essential: Take an essential class.
        periodic: As the diagrams were computed.
        construction: "V" or "T", as the diagrams were computed.

    Returns:
        Representative, on the CPU.

    Raises:
        InputError: A wrong shape, dtype or NaN; diagrams of a batch, or that are not those of
            ``x``; a row that is not there or of dimension 2.

    Source: the cycle as the boundary of a component of the dual: ours, from the duality of
        Garin et al., arXiv:2005.04597.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence, representative
        >>> x = torch.tensor([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]])
        >>> d = cubical_persistence(x, homology_dimensions=(1,))
        >>> representative(x, d, 0).loops
        (tensor([0, 3, 6, 7, 8, 5, 2, 1]),)
    """
    field = _field(x, diagrams, periodic, construction)
    dimension, birth, death = _row(diagrams, row, essential)
    entry, value = _values(x, diagrams, row, essential)
    if not torch.equal(entry, value):
        raise InputError(
            f"`diagrams` has {value.tolist()} in row {row}, where `x` has {entry.tolist()};"
            " expected the diagrams of this field."
        )
    below, above = (4, 8) if construction == "V" else (8, 4)
    if dimension == 0:
        end = np.inf if death is None else field.value[death]
        sites, _ = field.component(np.array([birth]), field.value < end, below)
        if (sites & field.before(birth)).any():
            raise _foreign(row)
        return Representative(0, torch.from_numpy(sites.reshape(field.shape)), ())
    if death is not None:
        hole, open_ended = _hole(field, birth, death, above)
        if open_ended or (hole & ~field.before(death)).sum() > 1:
            raise _foreign(row)
        loops = _boundary(field, hole, construction)
    else:
        loops = _endless(field, diagrams, row, birth, construction)
    sites = np.zeros(field.value.size, bool)
    for loop in loops:
        sites[loop] = True
    return Representative(
        1, torch.from_numpy(sites.reshape(field.shape)), tuple(map(torch.from_numpy, loops))
    )


def _foreign(row: int) -> InputError:
    return InputError(
        f"`diagrams` has in row {row} no class of `x`; expected the diagrams of this field with the"
        " same `periodic` and `construction`."
    )


def _field(
    x: Tensor, diagrams: Diagrams, periodic: bool | Sequence[bool], construction: str
) -> _Field:
    x = check_field("x", x, "(H, W)", 2)
    if x.ndim != 2:
        raise InputError(f"`x` has shape {tuple(x.shape)}; expected (H, W). Cure: x[i].")
    check_not_nan("x", x)
    if not isinstance(diagrams, Diagrams) or diagrams.batch_shape:
        what = type(diagrams).__name__
        if isinstance(diagrams, Diagrams):
            what = f"of batch_shape {tuple(diagrams.batch_shape)}"
        raise InputError(
            f"`diagrams` is {what}; expected Diagrams of a single sample. Cure: diagrams[i]."
        )
    if construction not in ("V", "T"):
        raise InputError(f'`construction` is {construction!r}; expected "V" or "T".')
    sign = -1.0 if diagrams.superlevel else 1.0
    shape = (x.shape[0], x.shape[1])
    value = host_array(x).reshape(-1)
    value = value * value.dtype.type(sign)
    return _Field(value, shape, check_periodic(periodic, 2))


def _row(diagrams: Diagrams, row: int, essential: bool) -> tuple[int, int, int | None]:
    """Dimension, birth entry and death entry of a class."""
    if not isinstance(essential, bool):
        raise InputError(f"`essential` is {essential!r}; expected True or False.")
    n = len(diagrams.essential if essential else diagrams.points)
    if type(row) is not int or not 0 <= row < n:
        kind = "essential" if essential else "finite"
        raise InputError(
            f"`row` is {row!r}; expected an integer >= 0 and below {n}, the number of {kind}"
            " classes."
        )
    if essential:
        dimension = int(diagrams.essential_dimension[row])
        birth, death = int(diagrams.essential_index[row]), None
    else:
        dimension = int(diagrams.dimension[row])
        birth, death = int(diagrams.birth_index[row]), int(diagrams.death_index[row])
    if dimension > 1 or birth < 0 or death == -1:
        raise InputError(
            f"`row` {row} has dimension {dimension} and entries ({birth}, {death}); expected a"
            " class of dimension 0 or 1 with the entries that cubical_persistence gives."
        )
    return dimension, birth, death


def _values(x: Tensor, diagrams: Diagrams, row: int, essential: bool) -> tuple[Tensor, Tensor]:
    """Values of a class in the field and in its diagrams."""
    flat = x.detach().reshape(-1).cpu()
    if essential:
        index, value = diagrams.essential_index[row : row + 1], diagrams.essential[row : row + 1]
    else:
        index = torch.stack([diagrams.birth_index[row], diagrams.death_index[row]])
        value = diagrams.points[row]
    value = value.detach().cpu()
    if int(index.max()) >= flat.numel():
        return flat[:0], value
    return flat[index.cpu()].to(value.dtype), value


def _hole(field: _Field, birth: int, inside: int, n: int) -> tuple[Array, bool]:
    """The superlevel component of ``inside`` above ``birth``, and if it is open to the outside."""
    above = ~field.before(birth)
    above[birth] = False
    if not above[inside]:
        return above & False, True
    return field.component(np.array([inside]), above, n)


def _boundary(field: _Field, hole: Array, construction: str) -> list[Array]:
    """Loops round a superlevel component that no open boundary meets.

    V: the boundary of the squares that have a corner in it, a cycle of bonds. T: its outline, as
    the loop of the cells along its outer side.
    """
    h, w = field.shape
    number = np.arange(h * w).reshape(h, w)
    down, right = np.roll(number, -1, 0), np.roll(number, -1, 1)
    inside = hole.reshape(h, w)
    if construction == "V":
        squares = inside | np.roll(inside, -1, 0)
        squares |= np.roll(squares, -1, 1)
        rungs = squares ^ np.roll(squares, 1, 1)  # bonds along axis 0
        rails = squares ^ np.roll(squares, 1, 0)
        ends = np.concatenate(
            [
                np.stack([number[rungs], down[rungs]], 1),
                np.stack([number[rails], right[rails]], 1),
            ]
        )
        return [nodes for nodes, _ in _walks(ends)]
    low = inside ^ np.roll(inside, -1, 0)  # the side between a cell and the next along axis 0
    side = inside ^ np.roll(inside, -1, 1)
    corner = down.ravel()[right]  # corner (i, j) is the first of cell (i, j)
    ends = np.concatenate(
        [np.stack([down[low], corner[low]], 1), np.stack([right[side], corner[side]], 1)]
    )
    cell = np.concatenate(
        [np.where(inside, down, number)[low], np.where(inside, right, number)[side]]
    )
    loops = []
    for _, edges in _walks(ends):
        loop = cell[edges]
        turns = loop != np.roll(loop, 1)
        if turns.any():
            loops.append(loop[turns])
        elif len(edges) == 1:  # round an axis of period 1; else round a cell, which is no cycle
            loops.append(loop)
    return loops


def _walks(ends: Array) -> list[tuple[Array, Array]]:
    """Closed walks that use each edge (n, 2) once, as nodes and edges; all degrees are even."""
    at: dict[int, list[int]] = {}
    pairs = ends.tolist()
    for e, (a, b) in enumerate(pairs):
        at.setdefault(a, []).append(e)
        at.setdefault(b, []).append(e)
    used = [False] * len(pairs)
    walks = []
    for first, (start, node) in enumerate(pairs):
        if used[first]:
            continue
        used[first] = True
        nodes, edges = [start], [first]
        while node != start:
            edge = next(e for e in at[node] if not used[e])
            used[edge] = True
            nodes.append(node)
            edges.append(edge)
            a, b = pairs[edge]
            node = b if node == a else a
        walks.append((np.array(nodes), np.array(edges)))
    return walks


def _endless(
    field: _Field, diagrams: Diagrams, row: int, birth: int, construction: str
) -> list[Array]:
    """The cycle of an essential class: round a hole that +inf entries keep open, or round an axis.

    A saddle may begin several; the holes come first, as in the kernel.
    """
    below, above = (4, 8) if construction == "V" else (8, 4)
    same = (diagrams.essential_index == diagrams.essential_index[row]) & (
        diagrams.essential_dimension == 1
    )
    number = int(same[:row].sum())
    holes = _masked_holes(field, birth, above)
    if number < len(holes):
        return _boundary(field, holes[number], construction)
    earlier = _windings(field, field.before(birth), below)
    allowed = field.before(birth)
    allowed[birth] = True
    for _ in range(number - len(holes) + 1):
        found = _shortest(field, birth, allowed, earlier, below)
        if found is None:
            raise _foreign(row)
        loop, winding = found
        earlier |= {winding ^ other for other in earlier}
    return [loop]


def _masked_holes(field: _Field, birth: int, n: int) -> list[Array]:
    """Superlevel components beside ``birth`` that hold +inf and join an elder one there."""
    above = ~field.before(birth)
    above[birth] = False
    entries, _, exists = field.neighbours(np.array([birth]), n)
    elder_is_outside = not exists.all()
    components: list[Array] = []
    for entry in entries[exists].tolist():
        if not above[entry] or any(part[entry] for part in components):
            continue
        part, open_ended = field.component(np.array([entry]), above, n)
        if open_ended:
            elder_is_outside = True
            components.append(part & False)  # the outside is no hole
        else:
            components.append(part)
    masked = [part for part in components if (field.value[part] == np.inf).any()]
    masked.sort(key=lambda part: int(np.flatnonzero(part & (field.value == np.inf))[-1]))
    return masked if elder_is_outside else masked[:-1]


def _windings(field: _Field, allowed: Array, n: int) -> set[int]:
    """The span of the winding numbers, modulo 2, of all loops within ``allowed``; bits as axes."""
    span = {0}
    phase = np.full(field.value.size, -1)
    seam = np.zeros(field.shape, bool)  # a loop that winds passes here
    seam[:1] |= field.wrap[0]
    seam[:, :1] |= field.wrap[1]
    for start in np.flatnonzero(allowed & seam.reshape(-1)).tolist():
        if phase[start] >= 0:
            continue
        if len(span) == 4:
            break
        phase[start] = 0
        front = np.array([start])
        while front.size:
            entries, crossing, exists = field.neighbours(front, n)
            there = crossing ^ phase[front][:, None]
            exists &= allowed[entries]
            entries, there = entries[exists], there[exists]
            known = phase[entries] >= 0
            new, first = np.unique(entries[~known], return_index=True)
            phase[new] = there[~known][first]
            for winding in np.unique(phase[entries] ^ there).tolist():
                span |= {winding ^ other for other in span}
            front = new
    return span


def _shortest(
    field: _Field, birth: int, allowed: Array, earlier: set[int], n: int
) -> tuple[Array, int] | None:
    """A shortest loop through ``birth`` with a winding not in ``earlier``, and that winding.

    Breadth first on the cover whose sheets are the windings modulo 2: state 4 entry + winding.
    """
    parent = np.full(4 * field.value.size, -1)
    start = 4 * birth
    parent[start] = start
    goals = np.array([start + winding for winding in range(4) if winding not in earlier])
    front = np.array([start])
    while front.size:
        entries, crossing, exists = field.neighbours(front // 4, n)
        states = 4 * entries + (crossing ^ (front % 4)[:, None])
        exists &= allowed[entries] & (parent[states] < 0)
        back = np.broadcast_to(front[:, None], states.shape)[exists]
        front, first = np.unique(states[exists], return_index=True)
        parent[front] = back[first]
        reached = goals[parent[goals] >= 0]
        if reached.size:
            way = [int(parent[reached[0]])]
            while way[-1] != start:
                way.append(int(parent[way[-1]]))
            return np.array(way[::-1]) // 4, int(reached[0] - start)
    return None
