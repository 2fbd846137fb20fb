"""Diagrams to and from the formats of gudhi, giotto-tda, ripser, torch-topological and cripser."""

from collections import namedtuple
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._core.errors import InputError
from ._checks import check_superlevel
from .diagrams import Diagrams

__all__ = [
    "PersistenceInformation",
    "from_cripser",
    "from_giotto",
    "from_gudhi",
    "from_ripser",
    "from_torch_topological",
    "to_cripser",
    "to_giotto",
    "to_gudhi",
    "to_ripser",
    "to_torch_topological",
]

Array = NDArray[Any]

_LARGEST = float(np.finfo(np.float64).max)  # cripser's infinity


class PersistenceInformation(
    namedtuple("PersistenceInformation", ["pairing", "diagram", "dimension"], defaults=[None])
):
    """The classes of one dimension as torch-topological holds them; like there, not iterable."""

    __slots__ = ()
    __iter__ = None  # type: ignore[assignment]


class _Classes(NamedTuple):
    """Classes of one sample and dimension, in the sublevel filtration; deaths may be infinite."""

    birth: Array
    death: Array
    birth_index: Array
    death_index: Array


@dataclass(frozen=True)
class _Table:
    """All classes of a batch as float64 arrays on the CPU, of the sublevel filtration (of -x).

    Rows go by (sample, dimension), finite classes before essential ones.
    """

    dimension: Array
    sample: Array
    birth: Array
    death: Array
    birth_index: Array
    death_index: Array

    def of(self, sample: int, dimension: int) -> _Classes:
        """Of one sample and dimension: the finite ones, then the essential ones."""
        begin, end = np.searchsorted(self.sample, [sample, sample + 1])
        here = self.dimension[begin:end]
        first, last = begin + np.searchsorted(here, [dimension, dimension + 1])
        columns = (self.birth, self.death, self.birth_index, self.death_index)
        return _Classes(*(column[first:last] for column in columns))


def _table(diagrams: Diagrams) -> _Table:
    if not isinstance(diagrams, Diagrams):
        raise InputError(f"`diagrams` is {type(diagrams).__name__}; expected Diagrams.")
    sign = -1.0 if diagrams.superlevel else 1.0
    points = sign * diagrams.points.detach().cpu().double().numpy()
    births = sign * diagrams.essential.detach().cpu().double().numpy()
    none = np.full(births.size, -1)

    def joined(finite: Tensor, essential: Tensor) -> Array:
        return np.concatenate([finite.cpu().numpy(), essential.cpu().numpy()])

    sample = joined(diagrams.sample, diagrams.essential_sample)
    dimension = joined(diagrams.dimension, diagrams.essential_dimension)
    order = np.lexsort((dimension, sample))  # stable
    return _Table(
        dimension=dimension[order],
        sample=sample[order],
        birth=np.concatenate([points[:, 0], births])[order],
        death=np.concatenate([points[:, 1], np.full(births.size, np.inf)])[order],
        birth_index=joined(diagrams.birth_index, diagrams.essential_index)[order],
        death_index=np.concatenate([diagrams.death_index.cpu().numpy(), none])[order],
    )


def _read(
    samples: object,
    parse: Callable[[Any], dict[int, Array]],
    form: str,
    dtype: torch.dtype,
    homology_dimensions: Sequence[int] | None,
    superlevel: bool,
) -> Diagrams:
    """Diagrams of samples that ``parse`` turns into {dimension: (n, 2 or 4)}.

    The columns are birth and death of the sublevel filtration, and perhaps their indices.
    """
    check_superlevel(superlevel)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise InputError(f"`dtype` is {dtype!r}; expected a floating torch.dtype.")
    if isinstance(samples, str | dict | Diagrams) or not hasattr(samples, "__len__"):
        raise InputError(f"`samples` is {type(samples).__name__}; expected {form}, one a sample.")
    parsed = []
    for i, sample in enumerate(samples):  # type: ignore[arg-type, var-annotated]
        try:
            parsed.append(parse(sample))
        except InputError:
            raise
        except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
            raise InputError(
                f"`samples[{i}]` is {_short(sample)}; expected {form}. Cure: for a single sample,"
                " [sample]."
            ) from error
    dimensions = _dimensions(parsed, homology_dimensions)
    rows, keys = [], []
    for i, sample in enumerate(parsed):
        for k in sorted(dimensions):
            found = _checked(sample.get(k), i, k)
            rows.append(found)
            keys.append(np.tile(np.array([[i, k]]), (len(found), 1)))
    table = np.concatenate(rows) if rows else np.empty((0, 4))
    key = np.concatenate(keys) if keys else np.empty((0, 2), np.int64)
    return _build(table, key, dtype, len(parsed), dimensions, superlevel)


def _short(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) < 80 else f"{text[:60]}... ({type(value).__name__})"


def _dimensions(parsed: list[dict[int, Array]], asked: object) -> tuple[int, ...]:
    """Those asked for, or those that occur."""
    if asked is None:
        found = sorted({k for sample in parsed for k in sample})
        if not found:
            raise InputError(
                "`samples` has no class, and `homology_dimensions` is None; expected to be told"
                " which were computed. Cure: homology_dimensions=(0, 1)."
            )
        return tuple(found)
    dimensions = tuple(asked) if isinstance(asked, Sequence) else ()
    valid = all(type(k) is int and k >= 0 for k in dimensions)
    if not dimensions or not valid or len(set(dimensions)) < len(dimensions):
        raise InputError(
            f"`homology_dimensions` is {asked!r}; expected None or distinct integers >= 0, such as"
            " (0, 1)."
        )
    return dimensions


def _checked(found: Array | None, i: int, k: int) -> Array:
    """Columns birth, death, birth_index, death_index; indices -1 where there are none."""
    if found is None or not len(found):
        return np.empty((0, 4))
    wrong = ~(found[:, 0] <= found[:, 1])  # NaN too
    if wrong.any():
        birth, death = found[int(wrong.argmax()), :2]
        raise InputError(
            f"`samples[{i}]` has a class of dimension {k} with (birth, death) = ({birth}, {death});"
            " expected birth <= death. Cure: negate superlevel values and say superlevel=True."
        )
    if found.shape[1] == 2:
        found = np.concatenate([found, np.full(found.shape, -1.0)], 1)
    return found


def _build(
    table: Array,
    key: Array,
    dtype: torch.dtype,
    n_samples: int,
    dimensions: tuple[int, ...],
    superlevel: bool,
) -> Diagrams:
    """Packed diagrams of rows (birth, death, both indices) with keys (sample, dimension)."""
    values = torch.from_numpy(table[:, :2] * (-1.0 if superlevel else 1.0)).to(dtype)
    index = torch.from_numpy(table[:, 2:].astype(np.int64))
    sample, dimension = torch.from_numpy(key).unbind(1)
    large = torch.isinf(values) & torch.from_numpy(np.isfinite(table[:, :2]))
    if bool(large.any()):
        value = table[:, :2][large.numpy()][0]
        raise InputError(
            f"`dtype` is {dtype}, in which {value} is infinite; expected one that holds every"
            " value. Cure: dtype=torch.float64."
        )
    never = torch.from_numpy(table[:, 1] == np.inf) & torch.from_numpy(table[:, 0] < np.inf)
    finite = ~never & (values[:, 0] != values[:, 1])
    return Diagrams(
        points=values[finite],
        dimension=dimension[finite],
        sample=sample[finite],
        birth_index=index[finite, 0],
        death_index=index[finite, 1],
        essential=values[never, 0],
        essential_dimension=dimension[never],
        essential_sample=sample[never],
        essential_index=index[never, 0],
        batch_shape=torch.Size((n_samples,)),
        homology_dimensions=dimensions,
        superlevel=superlevel,
    )


def to_gudhi(diagrams: Diagrams) -> list[list[tuple[int, tuple[float, float]]]]:
    """Diagrams as gudhi's ``persistence()`` gives them: (dimension, (birth, death)) a class.

    Values are Python floats, exact in float64; an essential class dies at inf. A superlevel
    diagram becomes the sublevel one of -x. Values pass through the CPU, also those of a CUDA
    tensor, and carry no gradient; indices are left out.

    Returns:
        One list a sample, samples in C order of ``batch_shape`` (one for a single sample); in it
        by dimension, finite classes before essential ones.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence, from_gudhi, to_gudhi
        >>> d = cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,))
        >>> to_gudhi(d)
        [[(0, (1.0, 3.0)), (0, (0.0, inf))]]
        >>> from_gudhi(to_gudhi(d), dtype=torch.float32)
        Diagrams(batch_shape=(1,), H0: 1 finite + 1 essential)
    """
    table = _table(diagrams)
    found: list[list[tuple[int, tuple[float, float]]]] = [[] for _ in range(diagrams.n_samples)]
    columns = (table.sample, table.dimension, table.birth, table.death)
    for i, k, birth, death in zip(*(column.tolist() for column in columns), strict=True):
        found[i].append((k, (birth, death)))
    return found


def from_gudhi(
    samples: Sequence[Sequence[tuple[int, tuple[float, float]]]],
    *,
    dtype: torch.dtype,
    homology_dimensions: Sequence[int] | None = None,
    superlevel: bool = False,
) -> Diagrams:
    """Diagrams from gudhi's ``persistence()`` lists, one a sample.

    Classes of equal birth and death are dropped; indices are -1; the result is on the CPU.

    Args:
        samples: For each sample a list of (dimension, (birth, death)).
        dtype: Floating dtype of the values.
        homology_dimensions: Those to keep; None for all that occur.
        superlevel: The classes are those of -x: restore the signs of x.

    Returns:
        Diagrams of ``batch_shape`` (len(samples),).

    Raises:
        InputError: Another format; NaN, a birth after its death, or a value that ``dtype`` does
            not hold; no class at all and no ``homology_dimensions``.
    """

    def parse(sample: Sequence[tuple[int, tuple[float, float]]]) -> dict[int, Array]:
        rows: dict[int, list[list[float]]] = {}
        for k, (birth, death) in sample:
            rows.setdefault(_whole(k), []).append([float(birth), float(death)])
        return {k: np.array(part, np.float64) for k, part in rows.items()}

    form = "a list of (dimension, (birth, death))"
    return _read(samples, parse, form, dtype, homology_dimensions, superlevel)


def _whole(k: Any) -> int:  # noqa: ANN401
    if k != int(k) or k < 0:
        raise ValueError("no dimension")
    return int(k)


def to_giotto(diagrams: Diagrams, *, infinity_values: float | None = None) -> Array:
    """Diagrams as giotto-tda's transformers take them, one dense array (B, N, 3).

    Columns (birth, death, dimension); one block of rows a dimension, in ascending order, as long
    as its largest sample and at least 1. Padding rows have birth = death = the least birth of
    their dimension (0 where it has none), as in giotto-tda. Float64, exact. A superlevel diagram
    becomes the sublevel one of -x. Values pass through the CPU, also those of a CUDA tensor, and
    carry no gradient; indices are left out.

    Args:
        diagrams: Of any batch shape; samples go in C order.
        infinity_values: Where essential classes die, in the exported filtration (for a superlevel
            diagram that of -x).

    Raises:
        InputError: Essential classes and no ``infinity_values``, or a birth after it.
    """
    table = _table(diagrams)
    never = np.isposinf(table.death)
    if never.any() and infinity_values is None:
        raise InputError(
            f"`infinity_values` is None, but {int(never.sum())} classes are essential; expected a"
            " number, as giotto-tda has finite deaths only. Cure: infinity_values=..., or"
            " diagrams.capped(...)."
        )
    death = table.death.copy()
    if infinity_values is not None:
        late = table.birth[never].max(initial=-np.inf)
        if not late <= infinity_values or np.isinf(infinity_values):
            raise InputError(
                f"`infinity_values` is {infinity_values}; expected a finite number that is at least"
                f" {late}, the last birth of an essential class."
            )
        death[never] = infinity_values
    blocks = []
    for k in sorted(diagrams.homology_dimensions):
        rows = np.flatnonzero(table.dimension == k)
        sample = table.sample[rows]
        count = np.bincount(sample, minlength=diagrams.n_samples)
        block = np.empty((diagrams.n_samples, max(1, count.max(initial=0)), 3))
        block[..., :2] = table.birth[rows].min() if rows.size else 0.0
        block[..., 2] = k
        slot = np.arange(rows.size) - (np.cumsum(count) - count)[sample]
        block[sample, slot, 0] = table.birth[rows]
        block[sample, slot, 1] = death[rows]
        blocks.append(block)
    return np.concatenate(blocks, 1)


def from_giotto(
    samples: Array,
    *,
    dtype: torch.dtype,
    homology_dimensions: Sequence[int] | None = None,
    superlevel: bool = False,
) -> Diagrams:
    """Diagrams from giotto-tda's array (B, N, 3) of (birth, death, dimension).

    Rows with birth = death are padding and dropped. Classes that giotto-tda has given a finite
    death (``infinity_values``) stay finite, an infinite death makes an essential class.

    Args:
        samples: (B, N, 3).
        dtype: Floating dtype of the values.
        homology_dimensions: Those to keep; None for all that occur.
        superlevel: The classes are those of -x: restore the signs of x.

    Returns:
        Diagrams of ``batch_shape`` (B,), with indices -1, on the CPU.

    Raises:
        InputError: As `from_gudhi`.
    """
    if np.ndim(samples) != 3:
        raise InputError(
            f"`samples` has shape {np.shape(samples)}; expected (B, N, 3). Cure: for a single"
            " sample, samples[None]."
        )

    def parse(sample: Array) -> dict[int, Array]:
        sample = np.asarray(sample, np.float64)
        if sample.shape[1] != 3:
            raise ValueError("not (N, 3)")
        return {_whole(k): sample[sample[:, 2] == k, :2] for k in np.unique(sample[:, 2]).tolist()}

    form = "an array (N, 3) of (birth, death, dimension)"
    return _read(samples, parse, form, dtype, homology_dimensions, superlevel)


def to_ripser(diagrams: Diagrams) -> list[list[Array]]:
    """Diagrams as ripser's and giotto-ph's ``["dgms"]``, a list by dimension of (n, 2), a sample.

    Dimensions go from 0 to the highest computed; one that was not computed is empty. Float64,
    exact; an essential class dies at inf and comes last. A superlevel diagram becomes the sublevel
    one of -x. Values pass through the CPU, also those of a CUDA tensor, and carry no gradient;
    indices are left out.

    Returns:
        One list a sample, samples in C order of ``batch_shape``.
    """
    found = []
    table = _table(diagrams)
    for i in range(diagrams.n_samples):
        parts = (table.of(i, k) for k in range(max(diagrams.homology_dimensions) + 1))
        found.append([np.stack([part.birth, part.death], 1) for part in parts])
    return found


def from_ripser(
    samples: Sequence[Sequence[Array]],
    *,
    dtype: torch.dtype,
    homology_dimensions: Sequence[int] | None = None,
    superlevel: bool = False,
) -> Diagrams:
    """Diagrams from ripser's or giotto-ph's ``["dgms"]``, one list a sample.

    Classes of equal birth and death are dropped; indices are -1; the result is on the CPU.

    Args:
        samples: For each sample a list by dimension, from 0, of arrays (n, 2).
        dtype: Floating dtype of the values.
        homology_dimensions: Those to keep; None for all in the lists, also where they are empty.
        superlevel: The classes are those of -x: restore the signs of x.

    Returns:
        Diagrams of ``batch_shape`` (len(samples),).

    Raises:
        InputError: As `from_gudhi`.
    """

    def parse(sample: Sequence[Array]) -> dict[int, Array]:
        if isinstance(sample, dict | str):
            raise TypeError("the result, not its dgms")
        return {k: _pairs(part) for k, part in enumerate(sample)}

    form = 'a list by dimension of arrays (n, 2), such as result["dgms"]'
    return _read(samples, parse, form, dtype, homology_dimensions, superlevel)


def _pairs(part: Any) -> Array:  # noqa: ANN401
    found = np.asarray(part, np.float64)
    if not found.size and found.ndim < 3:
        found = found.reshape(0, 2)
    if found.ndim != 2 or found.shape[1] != 2:
        raise ValueError("not (n, 2)")
    return found


def to_torch_topological(diagrams: Diagrams) -> list[list[PersistenceInformation]]:
    """Diagrams as torch-topological's nested lists: for each sample one item a dimension.

    ``diagram`` is (n, 2) in the dtype, on the device and in the autograd graph of ``diagrams``;
    an essential class dies at inf and comes last (torch-topological itself drops such classes, or
    lets them die at the largest entry, which is ``diagrams.capped``). ``pairing`` is (n, 2) of
    birth_index and death_index, -1 for none, where torch-topological has coordinates.
    A superlevel diagram becomes the sublevel one of -x. The library need not be installed; its
    layers accept these tuples.

    Returns:
        One list a sample, samples in C order of ``batch_shape``.
    """
    if not isinstance(diagrams, Diagrams):
        raise InputError(f"`diagrams` is {type(diagrams).__name__}; expected Diagrams.")
    sign = -1.0 if diagrams.superlevel else 1.0
    births = sign * diagrams.essential
    never = torch.stack([births, torch.full_like(births, torch.inf)], 1)
    values = torch.cat([sign * diagrams.points, never])
    none = torch.full_like(diagrams.essential_index, -1)
    pairing = torch.cat(
        [
            torch.stack([diagrams.birth_index, diagrams.death_index], 1),
            torch.stack([diagrams.essential_index, none], 1),
        ]
    )
    sample = torch.cat([diagrams.sample, diagrams.essential_sample])
    dimension = torch.cat([diagrams.dimension, diagrams.essential_dimension])
    n_blocks = max(diagrams.homology_dimensions) + 1
    block = sample * n_blocks + dimension
    counts = torch.bincount(block, minlength=diagrams.n_samples * n_blocks).tolist()
    rows = torch.split(torch.argsort(block, stable=True), counts)
    return [
        [
            PersistenceInformation(pairing[chosen], values[chosen], k)
            for k in diagrams.homology_dimensions
            for chosen in [rows[i * n_blocks + k]]
        ]
        for i in range(diagrams.n_samples)
    ]


def from_torch_topological(
    samples: Sequence[Sequence[Any]],
    *,
    dtype: torch.dtype,
    homology_dimensions: Sequence[int] | None = None,
    superlevel: bool = False,
) -> Diagrams:
    """Diagrams from torch-topological's lists of ``PersistenceInformation``, one list a sample.

    Only ``diagram`` and ``dimension`` are read, through the CPU and without a gradient: what
    ``pairing`` means depends on the complex, so indices are -1. torch-topological's
    ``CubicalComplex(superlevel=True)`` gives the values of -x, as this function expects.

    Args:
        samples: For each sample a list of items with a ``diagram`` (n, 2) and a ``dimension``. An
            image batch of torch-topological is nested once more, by channel: take one channel.
        dtype: Floating dtype of the values.
        homology_dimensions: Those to keep; None for all in the lists.
        superlevel: The classes are those of -x: restore the signs of x.

    Returns:
        Diagrams of ``batch_shape`` (len(samples),), on the CPU.

    Raises:
        InputError: As `from_gudhi`.
    """

    def parse(sample: Sequence[Any]) -> dict[int, Array]:
        rows: dict[int, list[Array]] = {}
        for item in sample:
            part = torch.as_tensor(item.diagram).detach().cpu().double().numpy()
            rows.setdefault(_whole(item.dimension), []).append(_pairs(part))
        return {k: np.concatenate(parts) for k, parts in rows.items()}

    form = "a list of items with `diagram` (n, 2) and `dimension`"
    return _read(samples, parse, form, dtype, homology_dimensions, superlevel)


def to_cripser(diagrams: Diagrams, *, spatial_shape: Sequence[int]) -> list[Array]:
    """Diagrams as cripser's arrays (n, 9), one a sample.

    Columns dimension, birth, death, coordinates of the birth entry, coordinates of the death
    entry; three coordinates each, one an axis of the sample and zeros after them ((n, 11) with
    four for a 4D sample), all -1 where there is no entry. Float64, exact; an essential class dies
    at the largest float64 and comes last in its dimension. A superlevel diagram becomes the
    sublevel one of -x. Values pass through the CPU, also those of a CUDA tensor.

    Args:
        diagrams: Of any batch shape, with indices into cubical samples.
        spatial_shape: Shape of a sample.

    Raises:
        InputError: A ``spatial_shape`` that does not hold the indices.
    """
    table, shape = _table(diagrams), _spatial(spatial_shape)
    last = max(table.birth_index.max(initial=-1), table.death_index.max(initial=-1))
    size = int(np.prod(shape))
    if last >= size:
        raise InputError(
            f"`spatial_shape` is {shape}, of {size} entries, but the diagrams hold index {last};"
            " expected the shape of the sample they were computed from."
        )
    found = []
    for i in range(diagrams.n_samples):
        rows = []
        for k in sorted(diagrams.homology_dimensions):
            part = table.of(i, k)
            death = np.where(np.isposinf(part.death), _LARGEST, part.death)
            head = np.stack([np.full(death.size, k), part.birth, death], 1)
            entries = (_coordinates(index, shape) for index in part[2:])
            rows.append(np.concatenate([head, *entries], 1))
        found.append(np.concatenate(rows))
    return found


def _spatial(shape: Sequence[int]) -> tuple[int, ...]:
    sizes = tuple(shape) if isinstance(shape, Sequence) else ()
    if not 1 <= len(sizes) <= 4 or not all(type(n) is int and n > 0 for n in sizes):
        raise InputError(
            f"`spatial_shape` is {shape!r}; expected 1 to 4 integers >= 1, the shape of a sample."
        )
    return sizes


def _coordinates(index: Array, shape: tuple[int, ...]) -> Array:
    found = np.zeros((index.size, max(3, len(shape))))
    found[:, : len(shape)] = np.stack(np.unravel_index(np.maximum(index, 0), shape), 1)
    found[index < 0] = -1
    return found


def from_cripser(
    samples: Sequence[Array],
    *,
    dtype: torch.dtype,
    spatial_shape: Sequence[int] | None = None,
    homology_dimensions: Sequence[int] | None = None,
    superlevel: bool = False,
) -> Diagrams:
    """Diagrams from cripser's arrays (n, 9), one a sample; (n, 11) of 4D ones.

    A death at the largest float64 or beyond makes an essential class. Classes of equal birth and
    death are dropped; the result is on the CPU.

    Args:
        samples: For each sample the array of ``cripser.compute_ph`` or ``computePH``.
        dtype: Floating dtype of the values.
        spatial_shape: Shape of a sample, to turn coordinates into indices; None: indices -1.
        homology_dimensions: Those to keep; None for all that occur.
        superlevel: The classes are those of -x: restore the signs of x.

    Returns:
        Diagrams of ``batch_shape`` (len(samples),).

    Raises:
        InputError: As `from_gudhi`; coordinates outside ``spatial_shape``.
    """
    shape = None if spatial_shape is None else _spatial(spatial_shape)

    def parse(sample: Array) -> dict[int, Array]:
        table = np.asarray(sample, np.float64)
        if table.ndim != 2 or table.shape[1] not in (9, 11):
            raise ValueError("not (n, 9)")
        n_axes = (table.shape[1] - 3) // 2
        values = table[:, 1:3].copy()
        values[values[:, 1] >= _LARGEST, 1] = np.inf
        entries = (table[:, 3 : 3 + n_axes], table[:, 3 + n_axes :])
        index = np.stack([_entry(part, shape) for part in entries], 1)
        rows = np.concatenate([values, index], 1)
        return {_whole(k): rows[table[:, 0] == k] for k in np.unique(table[:, 0]).tolist()}

    form = "an array (n, 9) of cripser"
    return _read(samples, parse, form, dtype, homology_dimensions, superlevel)


def _entry(coordinates: Array, shape: tuple[int, ...] | None) -> Array:
    """Flat entries, -1 where a coordinate is negative or the shape unknown."""
    none = np.full(len(coordinates), -1)
    if shape is None:
        return none
    present = (coordinates >= 0).all(1)
    sizes = np.ones(coordinates.shape[1])
    sizes[: len(shape)] = shape
    if len(shape) > sizes.size or (coordinates[present] >= sizes).any():
        raise InputError(
            f"`spatial_shape` is {shape}, but the samples hold coordinates beyond it; expected the"
            " shape of the sample they were computed from."
        )
    axes = coordinates[present, : len(shape)].astype(np.int64).T
    none[present] = np.ravel_multi_index(tuple(axes), shape)
    return none
