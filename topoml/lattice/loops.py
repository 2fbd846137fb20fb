r"""Closed loops of gauge fields on a periodic lattice: plaquettes, Wilson and Polyakov loops.

Links are one array (\*batch, dim, \*L): the entry of direction m at site x joins x to x + m. The
dtype says what they are: floats are angles of U(1) in radians, integers are the signs +-1 of Z2,
complex numbers are matrices (\*batch, dim, \*L, N, N), of SU(N) or U(N).
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core.checks import check_count
from .._core.errors import InputError
from .._core.optional import require
from ._numbers import wrapped
from .model import Array, namespace

__all__ = [
    "angle_plaquettes",
    "check_links",
    "plaquette_angles",
    "plaquettes",
    "polyakov_loops",
    "through_kernels",
    "wilson_loops",
]

_EXPECTED = (
    "(*batch, {d}, *L) of angles or of integer signs, or (*batch, {d}, *L, N, N) complex,"
    " with {d} lattice axes"
)
_MATRICES = ("complex64", "complex128")
_ANGLES = ("float32", "float64")


def plaquettes(links: Array, *, dim: int) -> Array:
    r"""Traces of the smallest loops, :math:`\frac{1}{N} \mathrm{Re\,Tr}\, U_{mn}(x)`.

    .. math:: U_{mn}(x) = U_m(x)\, U_n(x + m)\, U_m(x + n)^\dagger\, U_n(x)^\dagger

    which is the cosine of `plaquette_angles` for U(1) and the product of four signs for Z2.
    Invariant under :math:`U_m(x) \to g(x) U_m(x) g(x + m)^\dagger`; differentiable everywhere.

    Args:
        links: As above.
        dim: Number of lattice axes, at least 2.

    Returns:
        Real (*batch, dim (dim - 1) / 2, *L), for each pair m < n in lexicographic order, in [-1, 1]
        (float64 for signs, else in the precision of the links).

    Raises:
        InputError: Links of another shape or dtype.

    Source: Wilson, Phys. Rev. D 10, 2445 (1974).

    Example:
        >>> import numpy as np
        >>> links = np.ones((2, 2, 2), int)
        >>> links[0, 0, 0] = -1
        >>> plaquettes(links, dim=2)
        array([[[-1., -1.],
                [ 1.,  1.]]])
    """
    return wilson_loops(links, 1, 1, dim=dim)


def wilson_loops(links: Array, r: int, t: int, *, dim: int) -> Array:
    r"""Traces of rectangular loops from every site, :math:`\frac{1}{N} \mathrm{Re\,Tr}\, W_{mn}`.

    .. math:: W_{mn}(x) = S_m^r(x)\, S_n^t(x + r m)\, S_m^r(x + t n)^\dagger\, S_n^t(x)^\dagger

    with the straight line :math:`S_m^r(x) = U_m(x) \cdots U_m(x + (r - 1) m)`. A loop longer than a
    period winds around it. Invariant and differentiable as `plaquettes`; the matrices themselves
    are `topoml.nn.WilsonLoops`. The imaginary part is odd under charge conjugation and averages to
    0 with a real action.

    Args:
        links: As above.
        r, t: Sides along the first and second direction of a pair, in lattice spacings.
        dim: Number of lattice axes, at least 2.

    Returns:
        Real (*batch, dim (dim - 1) / 2, *L), as of `plaquettes`.

    Raises:
        InputError: Sides below 1; links of another shape or dtype.

    Source: Wilson, Phys. Rev. D 10, 2445 (1974).
    """
    check_count("dim", dim, 2)
    sides = check_count("r", r), check_count("t", t)

    def loop(kernels: Any, u: Any) -> Any:  # noqa: ANN401
        return kernels.rectangles(u, *sides, (True,) * dim)

    return through_kernels(links, dim, loop)


def polyakov_loops(links: Array, *, dim: int, axis: int) -> Array:
    r"""Traces of the lines around one period, :math:`\frac{1}{N} \mathrm{Tr}\, \prod_k U_m(x+k m)`.

    The product runs from x_m = 0 to L_m - 1. Invariant under local gauge transformations, and
    multiplied by z if all links along m of one slice are by a z of the centre. Differentiable
    everywhere.

    Args:
        links: As above.
        dim: Number of lattice axes.
        axis: The direction m, 0 to dim - 1.

    Returns:
        (*batch, *L without L_m): complex, but real (float64) for signs. That of SU(2) is real up to
        roundings.

    Raises:
        InputError: No such axis; links of another shape or dtype.

    Source: Polyakov, Phys. Lett. B 72, 477 (1978).

    Example:
        >>> import numpy as np
        >>> links = np.full((1, 4), np.pi / 4)
        >>> complex(polyakov_loops(links, dim=1, axis=0)).real
        -1.0
    """
    if type(axis) is not int or not 0 <= axis < check_count("dim", dim):
        raise InputError(f"`axis` is {axis!r}; expected an integer from 0 to {dim - 1}.")

    def loop(kernels: Any, u: Any) -> Any:  # noqa: ANN401
        return kernels.windings(u, axis)

    whole: Any = through_kernels(links, dim, loop, is_real=False)
    n_batch = whole.ndim - dim - 1
    index = (slice(None),) * n_batch + (0,) + (slice(None),) * axis + (0,)
    loops: Array = whole[index]
    return loops


def plaquette_angles(links: Array, *, dim: int) -> Array:
    r"""Field strength of U(1) links, :math:`\theta_{mn}` of each plaquette in [-pi, pi].

    .. math:: \theta_{mn}(x) = \mathrm{wrap}\bigl(\theta_m(x) + \theta_n(x + m) - \theta_m(x + n)
              - \theta_n(x)\bigr)

    Invariant under gauge transformations; differentiable but where it jumps from pi to -pi.

    Args:
        links: Angles (*batch, dim, *L), radians, any branch.
        dim: Number of lattice axes, at least 2.

    Returns:
        (*batch, dim (dim - 1) / 2, *L), radians, for each pair m < n in lexicographic order.

    Raises:
        InputError: Links of another shape, or of another group.

    Example:
        >>> import numpy as np
        >>> links = np.zeros((2, 2, 3))
        >>> links[1, 0, 0] = 4.0
        >>> plaquette_angles(links, dim=2).round(2)
        array([[[ 2.28,  0.  ,  0.  ],
                [-2.28,  0.  ,  0.  ]]])
    """
    check_count("dim", dim, 2)
    if check_links(links, dim) not in _ANGLES:
        raise InputError(
            f"`links` is {_dtype(links)}; expected floating angles: the plaquettes of other groups"
            " have no angle. Cure: plaquettes(links, dim=dim)."
        )
    found: list[Any] = [
        wrapped(angle_plaquettes(links, dim, m, n)) for m in range(dim) for n in range(m + 1, dim)
    ]
    angles: Array = namespace(links).stack(found, -dim - 1)
    return angles


def angle_plaquettes(links: Any, dim: int, m: int, n: int) -> Any:  # noqa: ANN401
    """The sum of four angles, not wrapped, (*batch, *L)."""
    roll = namespace(links).roll
    lattice = (slice(None),) * dim
    along_m, along_n = links[(..., m, *lattice)], links[(..., n, *lattice)]
    out = along_m + roll(along_n, -1, m - dim)
    return out - roll(along_m, -1, n - dim) - along_n


def check_links(links: object, dim: int) -> str:
    """The name of their dtype, of links of ``dim`` directions."""
    if namespace(links) is np and not isinstance(links, np.ndarray):
        raise InputError(
            f"`links` is of type {type(links).__name__}; expected a numpy array or a torch tensor."
            " Convert it: numpy.asarray(...)."
        )
    shape, dtype = tuple(links.shape), _dtype(links)  # type: ignore[attr-defined]
    matrices = dtype in _MATRICES
    if not matrices and dtype not in _ANGLES and not dtype.startswith("int"):
        raise InputError(
            f"`links` is {dtype}; expected signed integers, {', '.join((*_ANGLES, *_MATRICES))}."
        )
    lattice = shape[:-2] if matrices else shape
    square = not matrices or (len(shape) > 1 and shape[-1] == shape[-2] > 0)
    if len(lattice) < dim + 1 or lattice[-dim - 1] != dim or not square or 0 in lattice[-dim:]:
        raise InputError(f"`links` has shape {shape}; expected {_EXPECTED.format(d=dim)}.")
    return dtype


def through_kernels(
    links: Array, dim: int, loop: Callable[[Any, Any], Any], *, is_real: bool = True
) -> Array:
    """Normalised traces of matrices that a kernel of `topoml.kernels.loops` makes of the links.

    Angles and signs are matrices 1 x 1. Returns (*batch, channels, *L).
    """
    dtype = check_links(links, dim)
    torch, kernels = require("torch"), require("topoml.kernels.loops")
    u: Any = links
    if namespace(links) is np:
        u = torch.from_numpy(np.ascontiguousarray(links))
    if dtype in _ANGLES:
        u = torch.polar(torch.ones_like(u), u)[..., None, None]
    elif dtype not in _MATRICES:
        u = u.to(torch.complex64)[..., None, None]  # exact for signs
    batch, n = tuple(u.shape[: -dim - 3]), u.shape[-1]
    u = require("topoml.kernels.links").planar(u.reshape(math.prod(batch), *u.shape[-dim - 3 :]))
    traces = loop(kernels, u).diagonal(dim1=0, dim2=1).sum(-1) / n
    if is_real or dtype.startswith("int"):
        traces = traces.real
    if dtype.startswith("int"):
        traces = traces.double()
    traces = traces.reshape(*batch, *traces.shape[1:])
    out: Array = traces.numpy() if namespace(links) is np else traces
    return out


def _dtype(x: Any) -> str:  # noqa: ANN401
    return str(x.dtype).removeprefix("torch.")
