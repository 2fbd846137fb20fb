"""Square ice and the six-vertex models."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from ..kernels import ice as kernels
from .geometry import lattice_of
from .model import Array, Known, cast_like, check_field, check_update, namespace, plain_numbers

__all__ = ["SquareIce"]

_LEGS = np.arange(16)[:, None] >> np.arange(4) & 1  # of each code, 1 if its arrow points away
_CODES = np.flatnonzero(_LEGS.sum(1) == 2)  # those that obey the ice rule


@dataclass(frozen=True)
class SquareIce:
    r"""Arrows on the bonds of the square lattice, two in and two out at every vertex; periodic.

    .. math:: H = a \, n_a + b \, n_b + c \, n_c

    n_a counts the vertices that the arrows pass straight, both along the axes or both against them
    (types 1 and 2), n_b those straight, one along and one against (3 and 4), n_c those at which
    both lines of arrows turn round (5 and 6). Square ice, all energies 0, is uniform over (4 / 3) ^
    (3 N / 2) states (Lieb, Phys. Rev. 162, 162 (1967)) at any temperature; ``SquareIce(a=1.0,
    b=1.0)`` is the F model, ``SquareIce(b=1.0, c=1.0)`` KDP. k_B = 1.

    A configuration is an array (2, L0, L1) of +1 and -1: entry [0, i, j] is +1 if the arrow
    between (i, j) and (i + 1, j) points to (i + 1, j), [1, i, j] if that between (i, j) and (i, j +
    1) points to (i, j + 1). Energies a site are those a vertex. A side of 1 or 2 is exact: two
    bonds between the same vertices, or a bond from each vertex to itself.

    Updates: "long loop" reverses arrows along a walk until it is back in the middle of the bond
    where it began. A vertex then has three ways out; for each of them the walk backwards takes the
    same way in, and the probabilities (Metropolis over the three, without staying if the weights
    are equal) balance for every step, w(v) p(v -> v') = w(v') p(v' -> v); so for the product, and
    a walk and its reversal begin at a bond with the same probability. "short loop" walks along the
    arrows, with probability 1/2 for each step, until it meets a vertex of its own; the loop is then
    proposed without the tail. After its reversal the same tail leads to the loop backwards with the
    same probability, so that Metropolis' acceptance balances (times 15 / 16: a chain that never
    waits has a period where a side is 1). Both find loops that wind around the torus, and so all
    sectors of the flux: two states differ by simple loops of arrows. Long loops wind often, short
    ones seldom on a large lattice.

    Example:
        >>> import numpy as np
        >>> ice = SquareIce(c=-1.0)
        >>> x = ice.ordered((2, 4, 4))
        >>> float(ice.energy(x)), ice.flux(x).tolist(), SquareIce(a=1.0, b=1.0).known_transition[0]
        (-16.0, [0.0, 0.0], 1.4426950408889634)
    """

    a: float = 0.0
    b: float = 0.0
    c: float = 0.0

    name: ClassVar[str] = "ice"
    manifold: ClassVar[str] = "real"
    symmetry: ClassVar[str] = "Z2"
    updates: ClassVar[tuple[str, ...]] = ("long loop", "short loop")
    components: ClassVar[tuple[int, ...]] = ()
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.int8)

    def __post_init__(self) -> None:
        plain_numbers(self)
        for name, value in (("a", self.a), ("b", self.b), ("c", self.c)):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not math.isfinite(value):
                raise InputError(
                    f"`{name}` is {value!r}; expected a finite number, the energy of a vertex."
                )

    @property
    def order(self) -> str:
        """ "BKT" if c is the lowest energy, "first order" if a or b is, "none" in a tie."""
        if self.known_transition is None:
            return "none"
        return "BKT" if self.c < min(self.a, self.b) else "first order"

    @property
    def known_transition(self) -> Known | None:
        """Where the weight of the lowest energy is the sum of the other two, exact.

        At |Delta| = 1, that is; T = (energy / ln 2) of the F model. None if two are the lowest.
        """
        low, *rest = sorted((self.a, self.b, self.c))
        if rest[0] == low:
            return None
        gap, wide = (e - low for e in rest)
        beta = [0.0, math.log(2.0) / gap]  # the sum of exp(-beta ...) is 2, and at most 1
        for _ in range(200):
            middle = sum(beta) / 2.0
            above = math.exp(-middle * gap) + math.exp(-middle * wide) > 1.0
            beta[0 if above else 1] = middle
        value = gap / math.log(2.0) if gap == wide else 1.0 / beta[1]
        return Known(value, None, "Lieb & Wu, in Phase Transitions and Critical Phenomena 1 (1972)")

    def energy(self, configurations: Array) -> Array:
        """Total energy, shape (*batch,), of arrows (*batch, 2, L0, L1).

        Numpy in, numpy out; a torch tensor stays on its device. The result has the dtype of
        floating arrows, and float64 for integers. Not checked: the ice rule; see `charge`.
        """
        west, east, _, north = _legs(configurations)
        xp = namespace(configurations)
        straight, alike = west * east, east * north
        n_c = (1.0 - straight).sum((-2, -1), dtype=xp.float64) / 2.0
        both = ((1.0 + straight) * (1.0 + alike)).sum((-2, -1), dtype=xp.float64) / 4.0
        n_b = straight.shape[-2] * straight.shape[-1] - n_c - both
        total: Array = cast_like(self.a * both + self.b * n_b + self.c * n_c, configurations)
        return total

    def charge(self, configurations: Array) -> Array:
        """Arrows out less arrows in, halved, at each vertex: (*batch, L0, L1); 0 by the ice rule.

        The arrows are +1 or -1; the result has their dtype.
        """
        west, east, south, north = _legs(configurations)
        out: Array = (east - west + north - south) // 2
        return out

    def flux(self, configurations: Array) -> Array:
        """Net number of arrows that wind around the torus along axis 0 and along axis 1.

        Through each line across the axis, so the mean over lines: (*batch, 2), float64, between
        -L1 and L1 for axis 0. Loops that do not wind leave it as it is.
        """
        _check_arrows(configurations)
        xp = namespace(configurations)
        x: Any = configurations
        along = [x[..., k, :, :].sum((-2, -1), dtype=xp.float64) / x.shape[k - 2] for k in (0, 1)]
        flux: Array = xp.stack(along, -1)
        return flux

    def shape(self, size: int) -> tuple[int, int, int]:
        """Of a configuration: (2, L, L)."""
        return (2, size, size)

    def n_sites(self, shape: tuple[int, ...]) -> int:
        """Vertices of the lattice of a configuration."""
        return math.prod(shape[-2:])

    def ordered(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """A ground state, int8 (2, L0, L1).

        All arrows along the axes, or, if b is lower than a, those of axis 1 against it; if c is the
        lowest, arrows that alternate along both axes. An odd side has no state of c alone: there it
        is one of the others, no ground state.
        """
        x = np.ones(shape, np.int8)
        if self.c < min(self.a, self.b) and shape[1] % 2 == shape[2] % 2 == 0:
            i, j = np.indices(shape[1:])
            x[0] -= 2 * ((i + j) % 2 == 1)
            x[1] -= 2 * ((i + j) % 2 == 0)
        elif self.b < self.a:
            x[1] = -1
        return x

    def random_state(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        """About the state at infinite temperature, int8 (2, L0, L1).

        From the ordered state by 64 long loops at equal weights, which on average turn over every
        arrow some ten times at L = 100 and six times at L = 1000; independent of the ordered
        state only in this sense.
        """
        x = SquareIce().ordered(shape)
        SquareIce().sample(x, 1.0, 64, 1, rng)
        return x

    def sample(
        self,
        spins: NDArray[Any],
        temperature: float,
        rounds: int,
        samples: int,
        rng: np.random.Generator,
        update: str = "long loop",
    ) -> tuple[NDArray[Any], int]:
        """Samples (n, 2, L0, L1) int8, each after ``rounds`` loops, and the vertices passed.

        ``spins`` is changed in place.
        """
        check_update(update, self.updates)
        west, east, south, north = (leg.ravel() > 0 for leg in _legs(spins))
        code = (east + 2 * ~west + 4 * north + 8 * ~south).astype(np.uint8)
        if (_LEGS[code].sum(1) != 2).any():
            raise InputError(
                "`spins` breaks the ice rule; expected two arrows in and two out at every vertex. "
                "Start from `ordered` or `random_state`."
            )
        neighbours = lattice_of("square", spins.shape[1:]).neighbours
        out, low = np.empty((samples, code.size), np.uint8), min(self.a, self.b, self.c)
        log_weights = [(low - energy) / temperature for energy in (self.a, self.b, self.c)]
        if update == "long loop":
            n = kernels.long_loops(code, neighbours, _ways_out(*log_weights), rounds, out, rng)
        else:
            n = kernels.short_loops(code, neighbours, _log_weights(*log_weights), rounds, out, rng)
        x = np.stack([out & 1, out >> 2 & 1], 1).astype(np.int8) * np.int8(2) - np.int8(1)
        x = x.reshape(samples, *spins.shape)
        spins[...] = x[-1]
        return x, int(n)


@lru_cache(maxsize=256)
def _log_weights(a: float, b: float, c: float) -> NDArray[np.float64]:
    """Of each code, (16,), from those of the three kinds; -inf for what breaks the ice rule."""
    out = np.full(16, -np.inf)
    for code in _CODES:
        plus0, minus0, plus1, _ = _LEGS[code]
        out[code] = c if plus0 == minus0 else a if plus0 == plus1 else b
    return out


@lru_cache(maxsize=256)
def _ways_out(a: float, b: float, c: float) -> NDArray[np.float64]:
    """Distribution function over the legs to leave by, of each code and leg to come in by.

    Of the three ways, back out included, Metropolised Gibbs: from v to another v' with w(v') / (W -
    w(v)), accepted with min(1, (W - w(v)) / (W - w(v'))); W is the sum of the weights.
    Source: Liu, Biometrika 83, 681 (1996).
    """
    log_weight, table = _log_weights(a, b, c), np.ones((16, 4, 4))
    for code in _CODES:
        for i in range(4):
            ways = [k for k in range(4) if code ^ 1 << i ^ 1 << k in _CODES]
            log_w = np.array([log_weight[code ^ 1 << i ^ 1 << k] for k in ways])
            w = np.exp(log_w - log_w.max())
            left, p = w.sum() - w, np.zeros(4)
            p[ways] = w / np.maximum(left, left[ways.index(i)])
            p[i] = 0.0
            p[i] = 1.0 - p.sum()
            table[code, i, : ways[-1]] = np.cumsum(p)[: ways[-1]]
    return table


def _legs(x: Array) -> tuple[Array, Array, Array, Array]:
    """Arrows at the legs of each vertex along -0, +0, -1 and +1, each (*batch, L0, L1)."""
    _check_arrows(x)
    field: Any = x
    roll = namespace(x).roll
    east, north = field[..., 0, :, :], field[..., 1, :, :]
    return roll(east, 1, -2), east, roll(north, 1, -1), north


def _check_arrows(x: object) -> None:
    check_field("configurations", x, n_axes=1)
    shape = tuple(x.shape)  # type: ignore[attr-defined]
    if len(shape) < 3 or shape[-3] != 2:
        raise InputError(
            f"`configurations` has shape {shape}; expected (*batch, 2, L0, L1), an arrow for each "
            "bond. The arrows along axis 0 come first."
        )
