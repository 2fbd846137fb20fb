"""Configurations in memory, by lattice size and temperature."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from .model import EffectiveModel, Model

__all__ = ["MANIFOLDS", "Ensemble"]

MANIFOLDS = ("circle", "discrete", "real", "sphere")  # of data without a model
_OF_MODELS = (*MANIFOLDS, "projective", "Z2 links", "U(1) links", "SU(2) links", "SU(3) links")
_CHUNK = 1 << 22  # lattice sites turned into energies at a time


@dataclass(frozen=True, eq=False, repr=False)
class Ensemble:
    """What `simulate`, `from_arrays` and `load_npz` return, and what detection reads.

    Attributes:
        data: Size L, then temperature, to an array (chain, sample, L, L); for "sphere" vectors
            (chain, sample, L, L, c); for models elsewhere than on the square lattice (chain,
            sample, *model.shape(L), *model.components). Rows of one chain are in their order in
            time.
        manifold: Where a spin lives: "real", "discrete" (0 to q - 1), "circle" (angles in
            radians) or "sphere" (unit vectors); of models also "projective" (unit vectors up to a
            sign) and "Z2 links", "U(1) links", ..., of gauge fields.
        manifold_guessed: Whether ``manifold`` was read off the numbers.
        model: The model that gives energies, if known.
        seed: Of `simulate`; None for other people's data.
        thinning: Size, then temperature, to the number of rounds of updates between samples, one a
            chain; empty for other people's data.
        version: Of the topoml that simulated; None for other people's data.
    """

    data: Mapping[int, Mapping[float, NDArray[Any]]]
    manifold: str
    manifold_guessed: bool = False
    model: Model | None = None
    seed: int | None = None
    thinning: Mapping[int, Mapping[float, tuple[int, ...]]] = field(default_factory=dict)
    version: str | None = None

    def __post_init__(self) -> None:
        if self.manifold not in _OF_MODELS:
            known = ", ".join(map(repr, _OF_MODELS))
            raise InputError(f"`manifold` is {self.manifold!r}; expected one of {known}.")

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
        """Array (chain, sample, L, L), or (chain, sample, L, L, c) of vectors. Not a copy."""
        of_size = self._of_size(size)
        if temperature not in of_size:
            near = min(of_size, key=lambda t: abs(t - temperature))
            raise InputError(
                f"`temperature` is {temperature!r}; expected one of the {len(of_size)} of size "
                f"{size}, the nearest is {near!r}. See temperatures_of({size})."
            )
        return of_size[temperature]

    def energy(self, *, size: int, temperature: float) -> NDArray[np.float64]:
        """Energy per site, (chain, sample) float64, computed now from the configurations."""
        if self.model is None:
            raise InputError(
                "`model` is None; expected a model, which defines the energy. "
                "Give one: dataclasses.replace(ensemble, model=XY())."
            )
        x = self.configurations(size=size, temperature=temperature)
        n_sites = self.model.n_sites(x.shape[2 : x.ndim - len(self.model.components)])
        rows = x.reshape(-1, *x.shape[2:])
        out = np.empty(len(rows))
        at_once = max(1, _CHUNK // n_sites)
        for i in range(0, len(rows), at_once):
            part = rows[i : i + at_once]
            if isinstance(self.model, EffectiveModel):
                out[i : i + at_once] = self.model.energy(part, temperature=temperature)
            else:
                out[i : i + at_once] = self.model.energy(part)
        return (out / n_sites).reshape(x.shape[:2])

    def _of_size(self, size: int) -> Mapping[float, NDArray[Any]]:
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
