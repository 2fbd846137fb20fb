"""Dimensionless quantities of an ensemble: topological ones, and the classical yardsticks."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .._core.errors import InputError
from ..homology import Diagrams, cubical_persistence, field_persistence
from ..lattice import Ensemble, structure_factors
from ..lattice._arguments import check_integer
from ..lattice.angle_model import AngleModel
from ..lattice.ensemble import MANIFOLDS
from ..lattice.observables import wave_number
from ..lie import Circle, Sphere
from .resampling import bootstrap
from .transition import Curve

__all__ = [
    "Binder",
    "Columns",
    "CorrelationLength",
    "Features",
    "Helicity",
    "Observable",
    "OrderParameter",
    "ScalarBlocks",
    "SpinBlocks",
    "block_diagrams",
    "block_field",
    "coarse_grid",
    "columns_at",
    "columns_of",
    "curves_of",
]

Floats = NDArray[np.float64]
Columns = dict[float, Floats]
_MOST_STATES = 256
_WITH_ORDER = (*MANIFOLDS, "projective")
_AT_ONCE = 2**21  # lattice sites turned into columns at a time


class Observable(Protocol):
    """Columns of each configuration, and dimensionless functions of their ensemble means."""

    @property
    def names(self) -> tuple[str, ...]:
        """What the functions are, m of them; the first leads."""
        ...

    def columns(self, x: NDArray[np.generic]) -> Floats:
        """(n, *L[, c]) to (n, k)."""
        ...

    def values(self, mean: Floats, temperature: Floats) -> Floats:
        """Means (..., k) at temperatures (...) to (..., m)."""
        ...


def coarse_grid(sizes: tuple[int, ...]) -> int:
    """Side of the grid that all sizes are blocked to: at most 8, a divisor of all of them.

    Blocks of side 4 or more if there is such a grid of side 4 or more, else of side 2 or more.

    Raises:
        InputError: No such grid.
    """
    common = math.gcd(*sizes)
    for smallest_block in (4, 2):
        for grid in (8, 7, 6, 5, 4):
            if common % grid == 0 and min(sizes) // grid >= smallest_block:
                return grid
    raise InputError(
        f"`sizes` are {sizes}; expected a common divisor from 4 to 8 that leaves blocks of side 2"
        " or more, as fields are compared on one coarse grid. Cure: multiples of 8."
    )


@dataclass(frozen=True)
class OrderParameter:
    """Components whose means vanish in the disordered phase, (n, component, H, W).

    real: the values; discrete: the indicator of each of the q states less 1/q (of one state for
    q = 2, as the other is its negative); circle: cosine and sine of ``harmonic`` times the angle;
    sphere: the vector's components; projective: the tensor s s^T less its mean over all axes.
    """

    manifold: str
    q: int = 0
    harmonic: int = 1

    @classmethod
    def of(cls, ensemble: Ensemble, harmonic: int = 1) -> "OrderParameter":
        """That of an ensemble; q of labels is the model's, or one more than the largest of all.

        Raises:
            InputError: More than 256 states, each of which is a component; a harmonic of spins that
                are not angles; links.
        """
        if ensemble.manifold not in _WITH_ORDER:
            known = ", ".join(map(repr, _WITH_ORDER))
            raise InputError(
                f"`ensemble` has manifold {ensemble.manifold!r}; expected one of {known}, whose"
                " mean is an order parameter."
            )
        check_integer("harmonic", harmonic, 1)
        if harmonic != 1 and ensemble.manifold != "circle":
            raise InputError(
                f"`harmonic` is {harmonic} for spins on {ensemble.manifold!r}; expected 1, as only"
                " angles have others. Leave it out."
            )
        if ensemble.manifold != "discrete":
            return cls(ensemble.manifold, harmonic=harmonic)
        arrays = (
            ensemble.configurations(size=size, temperature=t)
            for size in ensemble.sizes
            for t in ensemble.temperatures_of(size)
        )
        q = getattr(ensemble.model, "q", None) or max(2, 1 + max(int(x.max()) for x in arrays))
        if q > _MOST_STATES:
            raise InputError(
                f"`configurations` have labels up to {q - 1}; expected at most {_MOST_STATES - 1}."
                " Cure: number the states from 0 without gaps, or say manifold='real' if they are"
                " values of a scalar."
            )
        return cls("discrete", q)

    @property
    def is_direction(self) -> bool:
        """Whether spins are directions, with distances between them."""
        return self.manifold in ("circle", "sphere")

    def blocks(self, x: NDArray[np.generic], grid: int) -> Tensor:
        """Means over square blocks of (n, H, W[, c]), float64 (n, component, grid, grid)."""
        return torch.stack([block_field(part, grid) for part in self.components(x)], 1)

    @property
    def largest(self) -> float:
        """Length of the mean components where all spins are equal, and of length 1."""
        if self.manifold == "projective":
            return math.sqrt(2 / 3)
        if self.manifold != "discrete":
            return 1.0
        return math.sqrt((self.q - 1) / self.q) if self.q > 2 else 0.5

    def means(self, x: NDArray[np.generic]) -> Tensor:
        """Means over all sites, on any lattice: (n, *L[, c]) to float64 (n, component)."""
        return torch.stack([part.flatten(1).mean(1) for part in self.components(x)], 1)

    def components(self, x: NDArray[np.generic]) -> Iterator[Tensor]:
        """Fields, one at a time, as there may be many states: (n, *L[, c]) to float64 (n, *L)."""
        if self.manifold == "discrete":
            for state in range(self.q if self.q > 2 else 1):
                yield torch.from_numpy((x == state) - 1.0 / self.q)
            return
        field = _floats(x)
        if self.manifold == "circle":
            angle = self.harmonic * field
            yield from (angle.cos(), angle.sin())
        elif self.manifold == "sphere":
            yield from field.unbind(-1)
        elif self.manifold == "projective":
            s = field.unbind(-1)
            for a, b in combinations_with_replacement(range(len(s)), 2):
                yield s[a] ** 2 - 1 / len(s) if a == b else math.sqrt(2) * s[a] * s[b]
        else:
            yield field


def _floats(x: NDArray[np.generic]) -> Tensor:
    """As float64, whatever the precision and the byte order."""
    return torch.from_numpy(np.ascontiguousarray(x, dtype=np.float64))


def block_field(field: Tensor, grid: int) -> Tensor:
    """Means over square blocks, (..., L, L) to (..., grid, grid)."""
    size = field.shape[-1]
    side = size // grid
    rows = field.reshape(*field.shape[:-2], grid, side, size).sum(-2)
    return rows.reshape(*rows.shape[:-1], grid, side).sum(-1) / side**2


@dataclass(frozen=True)
class SpinBlocks:
    r"""Topology of the bond filtration of block spins, for spins that are directions.

    essential H1 birth: the level at which loops wind the torus both ways, the larger birth of the
    two essential classes; mean H0 death: the mean bond of the minimum spanning tree. Both in
    radians, dimensionless by themselves, and invariant under the symmetry of the spins.
    """

    order: OrderParameter
    grid: int

    @property
    def names(self) -> tuple[str, ...]:
        return ("essential H1 birth", "mean H0 death")

    def diagrams(self, block: Tensor) -> Diagrams:
        """Of block vectors (n, c, grid, grid), whose directions count."""
        if block.shape[1] == 2:
            angle = torch.atan2(block[:, 1], block[:, 0])
            return field_persistence(angle, manifold=Circle(), homology_dimensions=(0, 1))
        unit = functional.normalize(block, dim=1).movedim(1, -1).contiguous()
        sphere = Sphere(block.shape[1] - 1)
        return field_persistence(unit, manifold=sphere, homology_dimensions=(0, 1))

    def of_blocks(self, block: Tensor) -> Floats:
        """Columns of block vectors (n, c, grid, grid)."""
        d = self.diagrams(block.double())
        tree = torch.zeros(d.n_samples, dtype=torch.float64)
        h0 = d.dimension == 0
        tree.index_add_(0, d.sample[h0], d.points[h0, 1])
        loops = _essential(d, 1)[:, -1]
        return torch.stack([loops, tree / (self.grid**2 - 1)], 1).numpy()

    def columns(self, x: NDArray[np.generic]) -> Floats:
        return self.of_blocks(self.order.blocks(x, self.grid))

    def values(self, mean: Floats, temperature: Floats) -> Floats:
        return mean


@dataclass(frozen=True)
class ScalarBlocks:
    r"""Topology of the sublevel sets of a block field :math:`\phi`, for scalars and labels.

    essential H1 birth: the level at which loops wind the torus both ways, less the minimum, in
    units of the field's rms at that size and temperature,
    :math:`\langle b_2 - \min \phi \rangle / \sqrt{\langle \phi^2 \rangle}`. H0 at level 0: the
    number of components where :math:`\phi \le 0`, which needs no unit. Averaged over
    :math:`\pm\phi` and over the components of `OrderParameter`, so invariant under the symmetry.
    """

    order: OrderParameter
    grid: int

    @property
    def names(self) -> tuple[str, ...]:
        return ("essential H1 birth", "H0 at level 0")

    def diagrams(self, block: Tensor) -> Diagrams:
        """Of block fields (n, c, grid, grid), batch shape (n, c)."""
        return cubical_persistence(block, homology_dimensions=(0, 1), periodic=True)

    def columns(self, x: NDArray[np.generic]) -> Floats:
        block = self.order.blocks(x, self.grid)
        n, c = block.shape[:2]
        total = torch.zeros(n, 2, dtype=torch.float64)
        for sign in (1.0, -1.0):
            d = self.diagrams(sign * block)
            birth, death = d.points.unbind(1)
            alive = (d.dimension == 0) & (birth <= 0) & (death > 0)
            lowest = _essential(d, 0)[:, 0]
            count = torch.bincount(d.sample[alive], minlength=n * c) + (lowest <= 0)
            rise = _essential(d, 1)[:, -1] - lowest
            total += torch.stack([rise, count], 1).reshape(n, c, 2).mean(1) / 2
        square = (block**2).mean((1, 2, 3))
        return torch.cat([total, square[:, None]], 1).numpy()

    def values(self, mean: Floats, temperature: Floats) -> Floats:
        return np.stack([mean[..., 0] / np.sqrt(mean[..., 2]), mean[..., 1]], -1)


def _essential(diagrams: Diagrams, dimension: int) -> Tensor:
    """Births of the essential classes of one dimension, (samples, number), ascending."""
    births = diagrams.essential[diagrams.essential_dimension == dimension]
    return births.reshape(diagrams.n_samples, -1).sort(-1).values


@dataclass(frozen=True)
class Features:
    """Any callable (n, *L) -> (n, k) whose columns are dimensionless as they are."""

    function: Callable[[NDArray[np.generic]], NDArray[np.generic] | Tensor]
    k: int

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"feature {i}" for i in range(self.k))

    def columns(self, x: NDArray[np.generic]) -> Floats:
        out = np.asarray(self.function(x), dtype=np.float64)
        if out.shape != (len(x), self.k):
            raise InputError(
                f"`features` gives shape {out.shape} for {len(x)} configurations; expected"
                f" ({len(x)}, {self.k}), one row for each. Cure: keep the first axis."
            )
        return out

    def values(self, mean: Floats, temperature: Floats) -> Floats:
        return mean


@dataclass(frozen=True)
class Binder:
    r"""Binder cumulant of the order parameter, :math:`1 - \langle m^4 \rangle / 3 \langle m^2
    \rangle^2`.

    Source: Binder, Z. Phys. B 43, 119 (1981).
    """

    order: OrderParameter

    @property
    def names(self) -> tuple[str, ...]:
        return ("Binder cumulant",)

    def columns(self, x: NDArray[np.generic]) -> Floats:
        square = (self.order.means(x) ** 2).sum(1).numpy()
        return np.stack([square, square**2], -1)

    def values(self, mean: Floats, temperature: Floats) -> Floats:
        return np.asarray(1.0 - mean[..., 1:] / (3.0 * mean[..., :1] ** 2))


@dataclass(frozen=True)
class Helicity:
    r"""Helicity modulus over temperature, :math:`\Upsilon / T`, of a model of angles.

    ``temperature`` where its law depends on it.
    """

    model: AngleModel
    temperature: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return ("helicity modulus",)

    def columns(self, x: NDArray[np.generic]) -> Floats:
        terms = self.model.helicity_terms(_floats(x), temperature=self.temperature)
        return torch.stack(terms, -1).numpy()

    def values(self, mean: Floats, temperature: Floats) -> Floats:
        return np.asarray((mean[..., 0] - mean[..., 1] / temperature) / temperature)[..., None]


@dataclass(frozen=True)
class CorrelationLength:
    r"""Second-moment correlation length over size, :math:`\xi_2 / L`; needs no Hamiltonian.

    Source: Cooper, Freedman, Preston, Nucl. Phys. B 210, 210 (1982).
    """

    order: OrderParameter
    size: int
    lattice: str = "square"

    @property
    def names(self) -> tuple[str, ...]:
        return ("correlation length",)

    def columns(self, x: NDArray[np.generic]) -> Floats:
        total: Any = 0.0
        for part in self.order.components(x):
            total = total + torch.stack(structure_factors(part, lattice=self.lattice), -1)
        return np.asarray(total)

    def values(self, mean: Floats, temperature: Floats) -> Floats:
        ratio = np.maximum(mean[..., 0] / mean[..., 1] - 1.0, 0.0)
        k = wave_number(self.size, self.lattice)
        return np.asarray(np.sqrt(ratio) / (self.size * k))[..., None]


def block_diagrams(ensemble: Ensemble, x: NDArray[np.generic]) -> Diagrams:
    """Diagrams of one configuration (L, L[, c]), blocked to side 4 (as it is below L = 16).

    Directions: bond filtration; scalars and labels: the first component's sublevel sets.
    """
    order = OrderParameter.of(ensemble)
    size = x.shape[0]
    block = order.blocks(x[None], size // 4 if size >= 16 and size % 4 == 0 else size)
    if order.is_direction:
        return SpinBlocks(order, block.shape[-1]).diagrams(block)[0]
    return ScalarBlocks(order, block.shape[-1]).diagrams(block)[0, 0]


def columns_of(ensemble: Ensemble, observable: Observable, size: int) -> Columns:
    """Columns of all configurations of one size, (chain, sample, k) for each temperature.

    Raises:
        InputError: NaN or infinity among them.
    """
    temperatures = ensemble.temperatures_of(size)
    return {t: columns_at(ensemble, observable, size, t) for t in temperatures}


def columns_at(ensemble: Ensemble, observable: Observable, size: int, temperature: float) -> Floats:
    """Columns of all configurations of one size and temperature, (chain, sample, k).

    Raises:
        InputError: NaN or infinity among them.
    """
    x = ensemble.configurations(size=size, temperature=temperature)
    rows = x.reshape(-1, *x.shape[2:])
    at_once = max(1, _AT_ONCE // math.prod(rows.shape[1:]))
    parts = [observable.columns(rows[i : i + at_once]) for i in range(0, len(rows), at_once)]
    columns = np.concatenate(parts)
    if not np.isfinite(columns).all():
        raise InputError(
            f"`{'features' if isinstance(observable, Features) else 'configurations'}` of size"
            f" {size} at temperature {temperature!r} give NaN or infinity; expected finite columns."
            " Cure: rescale the fields, or leave these out."
        )
    return columns.reshape(*x.shape[:2], -1)


def curves_of(
    observable: Observable,
    size: int,
    blocks: Mapping[float, Floats],
    *,
    n_replicates: int,
    rng: np.random.Generator,
) -> tuple[Curve, ...]:
    """One curve for each name of an observable, from blocks of columns (block, k).

    A temperature at which it is 0 / 0, as of fields that vanish, is left out.
    """
    temperature = np.array(list(blocks))
    mean = np.stack([b.mean(0) for b in blocks.values()])
    drawn = bootstrap(list(blocks.values()), n_replicates, rng)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = observable.values(mean, temperature)
        replicates = observable.values(drawn, temperature)
    curves = []
    for m in range(len(observable.names)):
        curve = Curve(size, temperature, value[:, m], replicates[:, :, m])
        curves.append(curve.at(np.isfinite(curve.value) & np.isfinite(curve.replicates).all(0)))
    return tuple(curves)
