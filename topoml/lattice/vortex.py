"""Vortices of angles on a periodic lattice: where they are, in pairs, and what winds."""

import math
from typing import Any, Generic, NamedTuple

import numpy as np

from .._core.errors import InputError
from .._core.optional import require
from ._numbers import as_integers, floating, wrapped
from .geometry import lattice_of, n_axes, pairs
from .model import Array, check_field, namespace

__all__ = [
    "VortexPairs",
    "VortexPositions",
    "chirality",
    "half_vortices",
    "vortex_density",
    "vortex_pairs",
    "vortex_positions",
    "vortices",
    "winding_numbers",
]


class VortexPositions(NamedTuple, Generic[Array]):
    """Vortices of a batch on the square lattice, one row each, by sample, then in C order.

    ``sample`` (n,) int64 is the flat C-order number in the batch; ``position`` (n, 2) float64 the
    centre of the plaquette in lattice spacings, (i + 1/2, j + 1/2); ``charge`` (n,) int64.
    """

    sample: Array
    position: Array
    charge: Array


class VortexPairs(NamedTuple, Generic[Array]):
    """Vortices of a batch on the square lattice with an antivortex each, one row a pair, by sample.

    ``sample`` (n,) int64; ``vortex`` and ``antivortex`` (n, 2) float64, centres of plaquettes in
    lattice spacings; ``distance`` (n,) float64, the shortest on the torus.
    """

    sample: Array
    vortex: Array
    antivortex: Array
    distance: Array


def vortices(theta: Array, *, lattice: str = "square") -> Array:
    """Winding number of every plaquette: -1, 0 or 1; on the honeycomb -2 to 2.

    The bond differences, each wrapped to [-pi, pi], are added up counter-clockwise around the
    plaquette whose lowest corner is (i, j), that is (i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1),
    with the first lattice axis as x. They sum to 0 over the torus, exactly. A difference of exactly
    pi has no sign of its own; it takes that of the angles as they stand in [-pi, pi].

    On the triangular lattice the last axis has the two triangles at (i, j), first (i, j),
    (i + 1, j), (i + 1, j + 1), then (i, j), (i + 1, j + 1), (i, j + 1). For the antiferromagnet
    ``XY(-1.0, "triangular")`` this is the chirality, 1 and -1 in its ground states. On the
    honeycomb the entry (i, j) is the hexagon that both cells (i, j) and (i + 1, j - 1) belong to.

    Args:
        theta: Angles (*batch, L0, L1), on the honeycomb (*batch, L0, L1, 2), radians, any branch.
        lattice: "square", "triangular" or "honeycomb".

    Returns:
        int8 (*batch, L0, L1), on the triangular lattice (*batch, L0, L1, 2).

    Source: Tobochnik & Chester, Phys. Rev. B 20, 3761 (1979).

    Example:
        >>> import numpy as np
        >>> vortices(np.array([[0.0, -1.5, 0.0], [1.5, 3.0, 0.0], [0.0, 0.0, 0.0]]))
        array([[ 1, -1,  0],
               [ 0,  0,  0],
               [ 0,  0,  0]], dtype=int8)
    """
    if lattice not in ("square", "triangular", "honeycomb"):
        raise InputError(
            f"`lattice` is {lattice!r}; expected 'square', 'triangular' or 'honeycomb', which have"
            " plaquettes in one plane."
        )
    check_field("theta", theta, " of angles", n_axes=n_axes(lattice))
    lattice_of(lattice, tuple(theta.shape[theta.ndim - n_axes(lattice) :]))
    xp, roll = namespace(theta), namespace(theta).roll
    theta = wrapped(floating(theta))
    bonds = [wrapped(b - a) for a, b in pairs(theta, lattice)]
    if lattice == "square":
        charges: Array = _whole_turns(_circulation(*bonds))
        return charges
    if lattice == "triangular":
        x, y, both = bonds
        first = x + roll(y, -1, -2) - both
        charges = _whole_turns(xp.stack([first, both - roll(x, -1, -1) - y], -1))
        return charges
    own, x, y = bonds
    clockwise = (
        own - roll(x, -1, -2) + roll(y - roll(own, 1, -1), -1, -2) + roll(x, (-1, 1), (-2, -1)) - y
    )
    charges = _whole_turns(-clockwise)
    return charges


def vortex_density(theta: Array, *, lattice: str = "square") -> Array:
    """Vortices and antivortices for each plaquette, (*batch,), of angles as in `vortices`."""
    axes = (-3, -2, -1) if lattice == "triangular" else (-2, -1)
    density: Array = floating(abs(vortices(theta, lattice=lattice))).mean(axes)
    return density


def half_vortices(theta: Array, *, lattice: str = "square") -> Array:
    r"""Vortices of :math:`2 \theta`, as of a nematic: a number k is a winding of theta by k / 2.

    A half-vortex turns theta by pi across a line where it jumps. Where theta has no such line, the
    vortices of theta are pairs of neighbouring half-vortices, or are not seen at all.

    Args:
        theta: Angles as in `vortices`; theta and theta + pi are one state.
        lattice: As in `vortices`.

    Returns:
        int8, of sum 0 over the torus; otherwise as `vortices`.

    Source: Lee & Grinstein, Phys. Rev. Lett. 55, 541 (1985).

    Example:
        >>> import numpy as np
        >>> theta = np.array([[0.0, -0.75, 0.0], [0.75, 1.5, 0.0], [0.0, 0.0, 0.0]])
        >>> half_vortices(theta)
        array([[ 1, -1,  0],
               [ 0,  0,  0],
               [ 0,  0,  0]], dtype=int8)
        >>> vortices(theta).any()
        False
    """
    check_field("theta", theta, " of angles")
    doubled: Array = 2.0 * floating(theta)
    return vortices(doubled, lattice=lattice)


def chirality(theta: Array, connection: Array) -> Array:
    r"""Vorticity of every plaquette of a frustrated model, in half turns: odd integers at f = 1/2.

    .. math:: \kappa(x) = \frac{1}{\pi} \sum_{\square} \mathrm{wrap}
              \bigl(\theta_j - \theta_i - A_{ij}\bigr)

    counter-clockwise as in `vortices`, and rounded. With half a flux quantum in the plaquette,
    :math:`\sum_\square A = \pi` modulo :math:`2 \pi`, it is 1 or -1 (rarely -3 or 3), and in the
    ground states of the fully frustrated model a checkerboard of both; without flux it is twice the
    vorticity. Invariant under :math:`\theta \to \theta + \alpha`,
    :math:`A_a(x) \to A_a(x) + \alpha(x + \hat a) - \alpha(x)`.

    Args:
        theta: Angles (*batch, L0, L1), radians, any branch.
        connection: A (2, L0, L1), radians: entry (a, i, j) belongs to the bond from (i, j) to its
            next neighbour along axis a. The flux of each plaquette a multiple of pi: not checked.

    Returns:
        int8 (*batch, L0, L1). A bond difference of exactly pi takes either sign, by its rounding.

    Raises:
        InputError: A connection of another shape.

    Source: Teitel & Jayaprakash, Phys. Rev. B 27, 598 (1983), for the half-integer vortices.

    Example:
        >>> import numpy as np
        >>> A = np.zeros((2, 2, 2))
        >>> A[0, :, 1] = np.pi  # half a flux quantum in every plaquette
        >>> theta = np.pi / 4 * np.array([[0, -1], [1, 2]])  # a ground state
        >>> chirality(theta, A)
        array([[ 1, -1],
               [-1,  1]], dtype=int8)
    """
    check_field("theta", theta, " of angles")
    if namespace(connection) is not namespace(theta):
        raise InputError(
            f"`connection` is {type(connection).__name__} and `theta` {type(theta).__name__};"
            " expected both of numpy or both of torch."
        )
    expected = (2, *theta.shape[-2:])
    if tuple(connection.shape) != expected:
        raise InputError(
            f"`connection` has shape {tuple(connection.shape)}; expected {expected}, a number"
            " for each bond of `theta`."
        )
    xp = namespace(theta)
    theta, A = floating(theta), floating(connection)
    along_x = wrapped(xp.roll(theta, -1, -2) - theta - A[0])
    along_y = wrapped(xp.roll(theta, -1, -1) - theta - A[1])
    half_turns: Array = _whole_turns(2.0 * _circulation(along_x, along_y))
    return half_turns


def winding_numbers(theta: Array) -> tuple[Array, Array]:
    r"""How often the angles turn along the lines of either axis, around the torus.

    .. math:: W_0(j) = \frac{1}{2 \pi} \sum_i \mathrm{wrap}(\theta_{i + 1, j} - \theta_{i, j})

    and likewise W_1(i) along the second axis. Integers, exactly. Neighbouring lines differ by the
    vortices between them, :math:`W_0(j + 1) - W_0(j) = -\sum_i v_{ij}` and
    :math:`W_1(i + 1) - W_1(i) = \sum_j v_{ij}` with v of `vortices`: without vortices there is one
    winding number for each axis. No gradient.

    Args:
        theta: Angles (*batch, L0, L1), radians, any branch.

    Returns:
        W_0, int64 (*batch, L1), and W_1, int64 (*batch, L0).

    Example:
        >>> import numpy as np
        >>> theta = 2 * np.pi / 4 * np.arange(4)[:, None] + np.zeros((4, 3))
        >>> winding_numbers(theta)
        (array([1, 1, 1]), array([0, 0, 0, 0]))
    """
    check_field("theta", theta, " of angles")
    xp = namespace(theta)
    theta = wrapped(floating(theta))
    turns = []
    for axis in (-2, -1):
        total = wrapped(xp.roll(theta, -1, axis) - theta).sum(axis)
        turns.append(as_integers(xp.round(total / (2.0 * math.pi)), "int64"))
    return turns[0], turns[1]


def vortex_positions(charges: Array) -> VortexPositions[Array]:
    """Where the vortices and antivortices of a square lattice are.

    Args:
        charges: Integers (*batch, L0, L1), one a plaquette, as `vortices` gives them, or
            `half_vortices`.

    Returns:
        `VortexPositions`, of numpy or of torch as the argument, on its device.

    Example:
        >>> import numpy as np
        >>> found = vortex_positions(np.array([[[0, 0], [0, 0]], [[1, 0], [0, -1]]]))
        >>> found.sample, found.charge
        (array([1, 1]), array([ 1, -1]))
        >>> found.position
        array([[0.5, 0.5],
               [1.5, 1.5]])
    """
    _check_charges(charges)
    rows: Any = charges.reshape(-1, *charges.shape[-2:])
    if namespace(charges) is np:
        at = np.argwhere(rows)
        charge = rows[tuple(at.T)].astype(np.int64)
        return VortexPositions(at[:, 0], at[:, 1:] + 0.5, charge)
    at = rows.nonzero()
    charge = rows[at.unbind(1)].long()
    return VortexPositions(at[:, 0], at[:, 1:].double() + 0.5, charge)


def vortex_pairs(charges: Array) -> VortexPairs[Array]:
    r"""Vortices of a square lattice matched with antivortices, at the least sum of distances on
    the torus.

    The optimal matching :math:`\min_\pi \sum_k d(v_k, a_{\pi(k)})` with the Euclidean distance,
    each coordinate taken the shorter way around. A vortex of charge q counts q times. No gradient;
    a CUDA tensor passes through the CPU. O(n^3) time for n pairs in a sample.

    Args:
        charges: Integers (*batch, L0, L1), as in `vortex_positions`, of sum 0 in each sample.

    Returns:
        `VortexPairs`, of numpy or of torch as the argument, on its device.

    Raises:
        InputError: A sample with more vortices than antivortices, or fewer.

    Source: the assignment problem, by scipy; its use: the pairs of Kosterlitz and Thouless,
        J. Phys. C 6, 1181 (1973).

    Example:
        >>> import numpy as np
        >>> charges = np.zeros((8, 8), int)
        >>> charges[0, 0], charges[7, 1], charges[3, 0], charges[4, 0] = 1, -1, 1, -1
        >>> vortex_pairs(charges).distance.round(3)
        array([1.414, 1.   ])
    """
    _check_charges(charges)
    xp = namespace(charges)
    given: Any = charges
    array = given if xp is np else given.cpu().numpy()
    found = vortex_positions(array)
    sides = np.array(array.shape[-2:])
    n_samples = math.prod(array.shape[:-2])
    ends = np.searchsorted(found.sample, np.arange(n_samples + 1))
    matched: list[Any] = [np.empty((0, 2, 2))]
    for k in range(n_samples):
        rows = slice(ends[k], ends[k + 1])
        matched.append(_matched(found.position[rows], found.charge[rows], sides, k))
    pairs = np.concatenate(matched)
    sample = np.repeat(np.arange(n_samples), [len(m) for m in matched[1:]])
    distance = _distances(pairs[:, 0], pairs[:, 1], sides)
    columns = (sample, pairs[:, 0], pairs[:, 1], distance)
    if xp is np:
        return VortexPairs(*columns)
    return VortexPairs(*(xp.as_tensor(column, device=given.device) for column in columns))


def _matched(position: Any, charge: Any, sides: Any, sample: int) -> Any:  # noqa: ANN401
    """Pairs (n, 2, 2), vortex and antivortex, of one sample."""
    if charge.sum() != 0:
        raise InputError(
            f"`charges` sum to {charge.sum()} in sample {sample}; expected 0, a partner for every"
            " vortex, as on a torus. Cure: vortices(theta)."
        )
    plus = position.repeat(np.maximum(charge, 0), 0)
    minus = position.repeat(np.maximum(-charge, 0), 0)
    if len(plus) == 0:
        return np.empty((0, 2, 2))
    cost = _distances(plus[:, None], minus[None], sides)
    row, column = require("scipy.optimize").linear_sum_assignment(cost)
    return np.stack([plus[row], minus[column]], 1)


def _distances(a: Any, b: Any, sides: Any) -> Any:  # noqa: ANN401
    """On the torus, Euclidean, over the last axis."""
    apart = np.abs(a - b)
    return np.sqrt((np.minimum(apart, sides - apart) ** 2).sum(-1))


def _circulation(along_x: Any, along_y: Any) -> Any:  # noqa: ANN401
    """Counter-clockwise around the plaquettes, of numbers on the bonds."""
    roll = namespace(along_x).roll
    return along_x + roll(along_y, -1, -2) - roll(along_x, -1, -1) - along_y


def _whole_turns(angle: Any) -> Any:  # noqa: ANN401
    return as_integers(namespace(angle).round(angle / (2.0 * math.pi)), "int8")


def _check_charges(charges: object) -> None:
    check_field("charges", charges, " of integers")
    kind = getattr(charges, "dtype", None)
    whole = (
        np.issubdtype(charges.dtype, np.integer)
        if isinstance(charges, np.ndarray)
        else not (kind.is_floating_point or kind.is_complex)  # type: ignore[union-attr]
    )
    if not whole:
        raise InputError(f"`charges` is {kind}; expected integers. Cure: vortices(theta).")
