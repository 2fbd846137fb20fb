"""Configurations by lattice size and temperature, in memory or in a store."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.checks import check_path
from .._core.errors import InputError
from .catalogue import known_model
from .model import Model
from .store import DamageError, Group, Unit, attributes, n_units, open_size, unfinished, units
from .sums import energies

__all__ = ["MANIFOLDS", "Ensemble", "Lazy", "open_units"]

MANIFOLDS = ("circle", "discrete", "real", "sphere")  # of data without a model
_OF_MODELS = (*MANIFOLDS, "projective", "Z2 links", "U(1) links", "SU(2) links", "SU(3) links")


@dataclass(frozen=True)
class Lazy:
    """An array that is read anew each time it is asked for."""

    shape: tuple[int, ...]
    read: Callable[[], NDArray[Any]]


@dataclass(frozen=True, eq=False, repr=False)
class Ensemble:
    """What `simulate`, `from_arrays` and `load` return, and what detection reads.

    Attributes:
        data: Size L, then temperature, to an array (chain, sample, L, L); for "sphere" vectors
            (chain, sample, L, L, c); for models elsewhere than on the square lattice (chain,
            sample, *model.shape(L), *model.components). Rows of one chain are in their order in
            time. From a store, arrays that are read when asked for.
        manifold: Where a spin lives: "real", "discrete" (0 to q - 1), "circle" (angles in
            radians) or "sphere" (unit vectors); of models also "projective" (unit vectors up to a
            sign) and "Z2 links", "U(1) links", ..., of gauge fields.
        manifold_guessed: Whether ``manifold`` was read off the numbers.
        model: The model that gives energies, if known.
        seed: Of `simulate`; None for other people's data.
        thinning: Size, then temperature, to the number of rounds of updates between samples, one a
            chain; empty for other people's data.
        version: Of the topoml that simulated; None for other people's data.
        autocorrelation_time: Like ``thinning``: integrated, of the energy, in samples, estimated
            from each chain by pymbar; from a store alone. NaN for a chain that never moved.
        stored_energy: Energies per site as a store has them, like ``data``; empty in memory.
        stored_model: The model that they are of.
    """

    data: Mapping[int, Mapping[float, NDArray[Any] | Lazy]]
    manifold: str
    manifold_guessed: bool = False
    model: Model | None = None
    seed: int | None = None
    thinning: Mapping[int, Mapping[float, tuple[int, ...]]] = field(default_factory=dict)
    version: str | None = None
    autocorrelation_time: Mapping[int, Mapping[float, tuple[float, ...]]] = field(
        default_factory=dict
    )
    stored_energy: Mapping[int, Mapping[float, Lazy]] = field(default_factory=dict)
    stored_model: Model | None = None

    def __post_init__(self) -> None:
        if self.manifold not in _OF_MODELS:
            known = ", ".join(map(repr, _OF_MODELS))
            raise InputError(f"`manifold` is {self.manifold!r}; expected one of {known}.")

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, model: Model | None = None) -> "Ensemble":
        """The finished ensemble in a store of `simulate`; each (L, T) is read when asked for.

        Args:
            path: The folder.
            model: For a model that is not one of topoml's; without it ``model`` is None.

        Raises:
            InputError: One line: no such store, another version of the format, not yet finished,
                another model. A chunk that is damaged, missing or a link is refused when it is
                read.
        """
        path = check_path("store", path)
        about = attributes(path)
        _check_finished(path, about)
        model = known_model(about, model)
        ts = about["temperatures"]
        groups = {size: _opened(path, about, size) for size in about["sizes"]}

        def lazy(group: Group, name: str, t: int) -> Lazy:
            return Lazy(group.layout[name].shape[1:], _Reader(group, name, t))

        def table(name: str) -> dict[int, dict[float, Lazy]]:
            return {
                size: {t: lazy(group, name, i) for i, t in enumerate(ts)}
                for size, group in groups.items()
            }

        def chains(name: str) -> dict[int, dict[float, tuple[Any, ...]]]:
            return {
                size: dict(zip(ts, map(tuple, _of_chains(group, name)), strict=True))
                for size, group in groups.items()
            }

        return cls(
            table("configurations"), about["manifold"], model=model, seed=about["seed"],
            thinning=chains("thinning"), version=about["version"],
            autocorrelation_time=chains("autocorrelation_time"), stored_energy=table("energy"),
            stored_model=model,
        )  # fmt: skip

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides L of the lattices, ascending."""
        return tuple(sorted(self.data))

    @property
    def temperatures(self) -> tuple[float, ...]:
        """Temperatures of all sizes together, ascending."""
        return tuple(sorted({t for of_size in self.data.values() for t in of_size}))

    def temperatures_of(self, size: int) -> tuple[float, ...]:
        """Temperatures of one size, ascending."""
        return tuple(sorted(self._of_size(size)))

    def configurations(self, *, size: int, temperature: float) -> NDArray[Any]:
        """Array (chain, sample, L, L), or (chain, sample, L, L, c) of vectors.

        Not a copy of what is in memory; read anew from a store each time.
        """
        return self._array(self.data, size, temperature)

    def energy(self, *, size: int, temperature: float) -> NDArray[np.float64]:
        """Energy per site, (chain, sample) float64: as stored, or computed now."""
        if self.stored_energy and self.model == self.stored_model:
            return self._array(self.stored_energy, size, temperature)
        if self.model is None:
            raise InputError(
                "`model` is None; expected a model, which defines the energy. "
                "Give one: dataclasses.replace(ensemble, model=XY())."
            )
        x = self.configurations(size=size, temperature=temperature)
        rows = x.reshape(-1, *x.shape[2:])
        return energies(self.model, rows, temperature).reshape(x.shape[:2])

    def _array(
        self, data: Mapping[int, Mapping[float, NDArray[Any] | Lazy]], size: int, temperature: float
    ) -> NDArray[Any]:
        if temperature not in self._of_size(size):
            near = min(data[size], key=lambda t: abs(t - temperature))
            raise InputError(
                f"`temperature` is {temperature!r}; expected one of the {len(data[size])} of size "
                f"{size}, the nearest is {near!r}. See temperatures_of({size})."
            )
        found = data[size][temperature]
        return found.read() if isinstance(found, Lazy) else found

    def _of_size(self, size: int) -> Mapping[float, NDArray[Any] | Lazy]:
        if size not in self.data:
            raise InputError(f"`size` is {size!r}; expected one of {self.sizes}.")
        return self.data[size]

    def __repr__(self) -> str:
        arrays = [x for of_size in self.data.values() for x in of_size.values()]
        n_samples = sum(x.shape[0] * x.shape[1] for x in arrays)
        guessed = " (guessed)" if self.manifold_guessed else ""
        return (
            f"Ensemble(model={self.model}, manifold={self.manifold!r}{guessed}, "
            f"sizes={self.sizes}, {len(self.temperatures)} temperatures, {n_samples} samples)"
        )


def open_units(
    path: str | os.PathLike[str],
) -> Iterator[tuple[int, float, int, NDArray[Any]]]:
    """Stream a finished store: (size, temperature, chain, configurations (n, ...)) a unit.

    Memory is that of one unit, about 4 MB, whatever the size of the store. Errors are those of
    `Ensemble.open`.
    """
    path = check_path("store", path)
    about = attributes(path)
    _check_finished(path, about)
    for size in about["sizes"]:
        group = _opened(path, about, size)
        for unit in units({**about, "sizes": [size]}):
            with _whole(path):
                x = group.read("configurations", unit)
            yield size, about["temperatures"][unit.temperature], unit.chain, x


@dataclass(frozen=True)
class _Reader:
    """Reads an array of samples for all chains of one (L, T)."""

    group: Group
    name: str
    temperature: int

    def __call__(self) -> NDArray[Any]:
        group, wanted = self.group, self.group.layout[self.name]
        _, n_chains, n_units = group.layout["done"].shape
        each = wanted.chunks[2]
        places = [Unit(group.size, self.temperature, *at) for at in np.ndindex(n_chains, n_units)]
        with _whole(group.path):
            for unit in places:  # before any memory is taken
                group.check(self.name, unit)
            out = np.empty(wanted.shape[1:], wanted.dtype)
            for unit in places:
                rows = slice(unit.unit * each, (unit.unit + 1) * each)
                out[unit.chain, rows] = group.read(self.name, unit)
        return out


def _opened(path: Path, about: Mapping[str, Any], size: int) -> Group:
    with _whole(path):
        return open_size(path, about, size, mode="r")


def _of_chains(group: Group, name: str) -> list[list[Any]]:
    """By temperature, then chain; all at once, as there are many."""
    with _whole(group.path):
        found: list[list[Any]] = group.read_all(name).tolist()
    return found


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    try:
        yield
    except DamageError as error:
        raise InputError(
            f"`store` is {str(path)!r}, where {error}; expected it whole. "
            "See all that is wrong: verify(store)."
        ) from error


def _check_finished(path: Path, about: Mapping[str, Any]) -> None:
    left = len(unfinished(path, about))
    if left:
        raise InputError(
            f"`store` is {str(path)!r}, of which {left} of {n_units(about)} units are not "
            "written; expected a finished one. Call simulate again with its arguments."
        )
