"""What the lattice gauge fields share: their links, their plaquettes, Wilson's action."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from .._core.optional import require
from .geometry import Hypercubic, lattice_of
from .model import Array, cast_like, namespace, plain_numbers

__all__ = ["GaugeField"]

_MOST = 1e300  # of couplings: above all links are frozen to rounding, and sums do not overflow
_LATTICE = {2: "square", 3: "cubic", 4: "hypercubic"}


class GaugeField(ABC):
    r"""Links :math:`U_\mu(x)` of a periodic lattice, from x to x + mu, with Wilson's action.

    .. math:: H = -\sum_x \sum_{\mu < \nu} \frac1N \mathrm{Re\,tr}\, U_\mu(x)\, U_\nu(x + \mu)\,
              U_\mu^\dagger(x + \nu)\, U_\nu^\dagger(x)

    The weight is exp(-H / T), so that Wilson's coupling is beta = 1 / T: `coupling`. A
    configuration has the shape (D, \*L, \*components), axis 0 is mu. There are D (D - 1) / 2
    plaquettes a site, and their mean is -energy / (n_sites D (D - 1) / 2). Sides of 1 and 2 are as
    the formula has them: x + mu is x where the side is 1.

    Source: Wilson, Phys. Rev. D 10, 2445 (1974).
    """

    dim: int
    name: ClassVar[str]
    manifold: ClassVar[str]
    components: ClassVar[tuple[int, ...]] = ()
    dtype: ClassVar[np.dtype[Any]]
    _least_side: ClassVar[int] = 1

    def __post_init__(self) -> None:
        plain_numbers(self)
        if type(self.dim) is not int or self.dim not in _LATTICE:
            raise InputError(f"`dim` is {self.dim!r}; expected 2, 3 or 4. Try dim=4.")

    @staticmethod
    def coupling(temperature: float) -> float:
        """Wilson's beta = 1 / T at a temperature of `simulate`, and T at a beta."""
        return 1.0 / temperature

    @staticmethod
    def _beta(temperature: float) -> float:
        """What the kernels take."""
        return min(1.0 / temperature, _MOST)

    def shape(self, size: int) -> tuple[int, ...]:
        """Of the links: (D, L, ..., L)."""
        return (self.dim,) + (size,) * self.dim

    def n_sites(self, shape: tuple[int, ...]) -> int:
        """Of the lattice of links (D, *L): the product of the sides."""
        return math.prod(shape[1:])

    def energy(self, configurations: Array) -> Array:
        r"""H, shape (\*batch,), of links (\*batch, D, \*L, \*components).

        Numpy in, numpy out; a torch tensor stays on its device and may ask for a gradient, which is
        the one of H as a function of the entries. The sum runs in float64; the result has the real
        dtype of the links, and float64 for integers. Not checked: that the links are in the group.
        """
        xp = namespace(configurations)
        self._check_links(configurations)
        axes = tuple(range(-self.dim, 0))
        links: Any = configurations
        total = sum(
            self._trace(*corners).sum(axes, dtype=xp.float64) for corners in self._plaquettes(links)
        )
        real = links.real if len(self.components) else links
        energy: Array = cast_like(-total, real)
        return energy

    @abstractmethod
    def ordered(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """The ground state, as the working array of `sample`."""

    @abstractmethod
    def random_state(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        """Independent links of the Haar measure, as the working array of `sample`."""

    def _links(self, spins: NDArray[Any]) -> NDArray[Any]:
        """Of a working array the configuration, in double precision."""
        raise NotImplementedError

    def _spins(self, links: NDArray[Any]) -> NDArray[Any]:
        """Of a configuration in double precision the working array."""
        raise NotImplementedError

    def _by_hmc(
        self,
        spins: NDArray[Any],
        temperature: float,
        rounds: int,
        samples: int,
        rng: np.random.Generator,
    ) -> tuple[NDArray[Any], int]:
        """`sample` by HMC."""
        hmc = require("topoml.lattice.hmc")
        links = self._links(spins)
        found: tuple[NDArray[Any], int] = hmc.sample_by_hmc(
            _Unfolded(self), links, temperature, rounds, samples, rng
        )
        spins[...] = self._spins(links)
        return found

    @abstractmethod
    def _trace(self, a: Any, b: Any, c: Any, d: Any) -> Any:  # noqa: ANN401
        """Re tr(a b c^+ d^+) / N, without the axes of the matrices."""

    def _plaquettes(self, links: Any) -> Iterator[tuple[Any, Any, Any, Any]]:  # noqa: ANN401
        """Of each plane: U_mu(x), U_nu(x + mu), U_mu(x + nu), U_nu(x) at all x."""
        n = self.dim + len(self.components)
        roll = namespace(links).roll
        rest = (slice(None),) * n
        for mu, nu in combinations(range(self.dim), 2):
            a, b = links[(..., mu, *rest)], links[(..., nu, *rest)]
            yield a, roll(b, -1, mu - n), roll(a, -1, nu - n), b

    def _check_links(self, x: object) -> None:
        if namespace(x) is np and not isinstance(x, np.ndarray):
            raise InputError(
                f"`configurations` is of type {type(x).__name__}; expected a numpy array or a "
                "torch tensor. Convert it: numpy.asarray(...)."
            )
        shape = tuple(x.shape)  # type: ignore[attr-defined]
        k = len(self.components)
        n = 1 + self.dim + k
        own = shape[len(shape) - n :]
        if len(shape) < n or own[0] != self.dim or 0 in own or own[n - k :] != self.components:
            sides = ", ".join(f"L{axis}" for axis in range(self.dim))
            tail = "".join(f", {c}" for c in self.components)
            raise InputError(
                f"`configurations` has shape {shape}; expected (*batch, {self.dim}, {sides}{tail}),"
                f" links of {self.name} in {self.dim} dimensions. For others give `dim`."
            )

    def _lattice(self, shape: tuple[int, ...]) -> Hypercubic:
        """The sites of links of ``shape``, checked."""
        shape = tuple(shape)
        fits = len(shape) == 1 + self.dim and shape[0] == self.dim
        if not fits or any(type(n) is not int or n < self._least_side for n in shape[1:]):
            sides = ", ".join(f"L{axis}" for axis in range(self.dim))
            raise InputError(
                f"`shape` is {shape}; expected ({self.dim}, {sides}), sides of at least "
                f"{self._least_side}, for links of {self.name}. Take shape(size) of the model."
            )
        lattice = lattice_of(_LATTICE[self.dim], shape[1:])
        assert isinstance(lattice, Hypercubic)
        return lattice


@dataclass(frozen=True)
class _Unfolded:
    """A gauge field of which the working array is the configuration: what `sample_by_hmc` wants."""

    field: GaugeField

    @property
    def manifold(self) -> str:
        return self.field.manifold

    @property
    def components(self) -> tuple[int, ...]:
        return self.field.components

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.field.dtype

    def energy(self, configurations: Array) -> Array:
        return self.field.energy(configurations)

    def ordered(self, shape: tuple[int, ...]) -> NDArray[Any]:
        return self.field._links(self.field.ordered(shape))

    def random_state(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        return self.field._links(self.field.random_state(shape, rng))
