"""Diagrams: the persistence diagrams of a batch, packed and ragged, with indices into the input."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree

from .._core.errors import InputError

__all__ = ["Diagrams"]


@dataclass(frozen=True, eq=False, repr=False)
class Diagrams:
    r"""Persistence diagrams of a batch of samples, in one packed structure.

    ``P`` finite and ``E`` essential classes over all samples, rows sorted by (sample, dimension).
    Values are true values in the filtration's unit, also for a superlevel filtration, where
    birth >= death. ``points`` and ``essential`` carry the gradient to the caller's array;
    indices carry none.

    Args:
        points: (P, 2) float, columns (birth, death).
        dimension: (P,) int64, homology dimension.
        sample: (P,) int64, flat C-order number of the sample in ``batch_shape``.
        birth_index: (P,) int64, entry of the caller's sample that gives the birth; -1 for none.
        death_index: (P,) int64, likewise for the death.
        essential: (E,) float, births of the classes that never die.
        essential_dimension: (E,) int64.
        essential_sample: (E,) int64.
        essential_index: (E,) int64.
        batch_shape: Leading shape of the input.
        homology_dimensions: Those asked for, also where a sample has no class in one of them.
        superlevel: Direction of the filtration.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 3.0, 1.0]])
        >>> d = cubical_persistence(x, homology_dimensions=(0,))
        >>> d
        Diagrams(batch_shape=(), H0: 1 finite + 1 essential)
        >>> d.points, d.birth_index, d.essential
        (tensor([[1., 3.]]), tensor([2]), tensor([0.]))
    """

    points: Tensor
    dimension: Tensor
    sample: Tensor
    birth_index: Tensor
    death_index: Tensor
    essential: Tensor
    essential_dimension: Tensor
    essential_sample: Tensor
    essential_index: Tensor
    batch_shape: torch.Size
    homology_dimensions: tuple[int, ...]
    superlevel: bool = False

    def __repr__(self) -> str:
        counts = ", ".join(
            f"H{d}: {int((self.dimension == d).sum())} finite"
            f" + {int((self.essential_dimension == d).sum())} essential"
            for d in self.homology_dimensions
        )
        direction = ", superlevel" if self.superlevel else ""
        return f"Diagrams(batch_shape={tuple(self.batch_shape)}{direction}, {counts})"

    @property
    def n_samples(self) -> int:
        """Number of samples, the product of ``batch_shape``."""
        return math.prod(self.batch_shape)  # numel() takes no symbol of torch.export

    @property
    def lifetime(self) -> Tensor:
        """Lifetimes |death - birth| of the finite classes, (P,); subgradient 0 where that is 0.

        Right also where some classes die upwards and others downwards (extended persistence).
        """
        birth, death = self.points.unbind(1)
        return (death - birth).abs()

    def __len__(self) -> int:
        if not self.batch_shape:
            raise TypeError("len() of the diagrams of a single sample")
        return self.batch_shape[0]

    def __iter__(self) -> Iterator[Diagrams]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Any) -> Diagrams:  # noqa: ANN401 - whatever indexes a tensor
        """Index the batch as torch indexes a tensor of shape ``batch_shape``."""
        chosen = torch.arange(self.n_samples).reshape(self.batch_shape)[key]
        samples = chosen.reshape(-1).to(self.points.device)
        row, sample = _rows_of(self.sample, samples, self.n_samples)
        essential_row, essential_sample = _rows_of(self.essential_sample, samples, self.n_samples)
        return replace(
            self._rows(row, essential_row),
            sample=sample,
            essential_sample=essential_sample,
            batch_shape=chosen.shape,
        )

    def _rows(self, row: Tensor, essential_row: Tensor | slice) -> Diagrams:
        """Keep the given rows; a mask or indices in ascending (sample, dimension)."""
        return replace(
            self,
            points=self.points[row],
            dimension=self.dimension[row],
            sample=self.sample[row],
            birth_index=self.birth_index[row],
            death_index=self.death_index[row],
            essential=self.essential[essential_row],
            essential_dimension=self.essential_dimension[essential_row],
            essential_sample=self.essential_sample[essential_row],
            essential_index=self.essential_index[essential_row],
        )

    def to(self, *args: Any, **kwargs: Any) -> Diagrams:  # noqa: ANN401 - as Tensor.to
        """Move to a device or a float dtype; the arguments are those of ``torch.Tensor.to``.

        Indices, dimensions and samples stay int64. Differentiable.
        """
        points = self.points.to(*args, **kwargs)
        if not points.is_floating_point():
            raise InputError(
                f"`dtype` is {points.dtype}; expected a floating dtype, as births and deaths are"
                " values of a filtration. Cure: cast the tensors you take from the diagrams."
            )
        moved: dict[str, Any] = {
            name: value.to(points.device)
            for name, value in _tensors(self).items()
            if name not in ("points", "essential")
        }
        return replace(
            self, points=points, essential=self.essential.to(points.device, points.dtype), **moved
        )

    def detach(self) -> Diagrams:
        """The same diagrams, cut from the graph of autograd."""
        return replace(self, points=self.points.detach(), essential=self.essential.detach())

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write to a file; see `topoml.homology.save`."""
        from .storage import save  # it needs this class

        save(self, path, overwrite=overwrite)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Diagrams:
        """Read what `save` wrote; see `topoml.homology.load`."""
        from .storage import load

        return load(path)

    @staticmethod
    def cat(diagrams: Sequence[Diagrams]) -> Diagrams:
        """Join batches along their first axis, as ``torch.cat`` does.

        Raises:
            InputError: Nothing to join, single samples, or batches whose remaining axes,
                homology dimensions or directions differ.
        """
        parts = list(diagrams)
        if not parts:
            raise InputError("`diagrams` is empty; expected at least one Diagrams.")
        first = parts[0]
        for i, part in enumerate(parts):
            if not part.batch_shape:
                raise InputError(
                    f"`diagrams[{i}]` is of a single sample; expected a batch axis to join along."
                    " Cure: compute it from x[None]."
                )
            ours = (part.batch_shape[1:], part.homology_dimensions, part.superlevel)
            expected = (first.batch_shape[1:], first.homology_dimensions, first.superlevel)
            if ours != expected:
                raise InputError(
                    f"`diagrams[{i}]` has (batch_shape[1:], homology_dimensions, superlevel) ="
                    f" {ours}; expected {expected}, those of diagrams[0]."
                )
        joined: dict[str, Any] = {
            name: torch.cat([getattr(part, name) for part in parts]) for name in _tensors(first)
        }
        offsets = [0]
        for part in parts:
            offsets.append(offsets[-1] + part.n_samples)
        shifted = list(zip(parts, offsets, strict=False))
        joined["sample"] = torch.cat([p.sample + o for p, o in shifted])
        joined["essential_sample"] = torch.cat([p.essential_sample + o for p, o in shifted])
        length = sum(len(part) for part in parts)
        return replace(first, **joined, batch_shape=torch.Size((length, *first.batch_shape[1:])))

    def select(self, dimension: int) -> Diagrams:
        """The classes of one homology dimension; InputError if it was not computed."""
        self._check_dimension(dimension)
        kept = self._rows(self.dimension == dimension, self.essential_dimension == dimension)
        return replace(kept, homology_dimensions=(dimension,))

    def threshold(self, min_lifetime: float) -> Diagrams:
        """Drop the finite classes of lifetime <= ``min_lifetime``; essential classes stay."""
        return self._rows(self.lifetime > min_lifetime, slice(None))

    def padded(self, dimension: int) -> tuple[Tensor, Tensor]:
        """Finite classes of one dimension as a dense batch.

        Returns:
            points (*batch, n, 2) and mask (*batch, n), n the largest count of a sample; zeros
            where the mask is False. Differentiable.
        """
        self._check_dimension(dimension)
        row = (self.dimension == dimension).nonzero().squeeze(1)
        sample = self.sample[row]
        count = torch.bincount(sample, minlength=self.n_samples)
        n = int(count.max()) if row.numel() else 0
        start = count.cumsum(0) - count
        slot = sample * n + torch.arange(row.numel(), device=row.device) - start[sample]
        points = self.points.new_zeros(self.n_samples * n, 2).index_copy(0, slot, self.points[row])
        mask = torch.zeros(self.n_samples * n, dtype=torch.bool, device=row.device)
        mask[slot] = True
        return points.reshape(*self.batch_shape, n, 2), mask.reshape(*self.batch_shape, n)

    def capped(self, value: float | Tensor) -> Diagrams:
        """Let every essential class die at ``value``: a number, or a tensor (*batch), one a sample.

        The new classes have death_index -1. Differentiable in the births and in ``value``.

        Raises:
            InputError: A wrong shape of ``value``, or a birth beyond it.
        """
        cap = torch.as_tensor(value, dtype=self.points.dtype, device=self.points.device)
        if cap.ndim and cap.shape != self.batch_shape:
            raise InputError(
                f"`value` has shape {tuple(cap.shape)}; expected a number or"
                f" {tuple(self.batch_shape)}, one a sample."
            )
        death = cap.expand(self.batch_shape).reshape(-1)[self.essential_sample]
        beyond = self.essential < death if self.superlevel else self.essential > death
        if bool(beyond.any()):
            i = int(beyond.nonzero()[0])
            raise InputError(
                f"`value` is {float(death[i])} for sample {int(self.essential_sample[i])}, where a"
                f" class is born at {float(self.essential[i])}; expected a cap that no birth is"
                " beyond."
            )
        sample = torch.cat([self.sample, self.essential_sample])
        dimension = torch.cat([self.dimension, self.essential_dimension])
        order = torch.argsort(sample * 8 + dimension, stable=True)
        none = torch.full_like(self.essential_index, -1)
        return replace(
            self,
            points=torch.cat([self.points, torch.stack([self.essential, death], -1)])[order],
            dimension=dimension[order],
            sample=sample[order],
            birth_index=torch.cat([self.birth_index, self.essential_index])[order],
            death_index=torch.cat([self.death_index, none])[order],
            essential=self.essential[:0],
            essential_dimension=self.essential_dimension[:0],
            essential_sample=self.essential_sample[:0],
            essential_index=self.essential_index[:0],
        )

    def _check_dimension(self, dimension: int) -> None:
        if dimension not in self.homology_dimensions:
            raise InputError(
                f"`dimension` is {dimension}; expected one of {self.homology_dimensions}."
                " Cure: ask for it in homology_dimensions."
            )


def _tensors(diagrams: Diagrams) -> dict[str, Tensor]:
    values = {field.name: getattr(diagrams, field.name) for field in fields(diagrams)}
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}


def _rows_of(sample: Tensor, chosen: Tensor, n_samples: int) -> tuple[Tensor, Tensor]:
    """Rows that belong to the ``chosen`` samples, one after the other, and their new number."""
    count = torch.bincount(sample, minlength=n_samples)
    start = (count.cumsum(0) - count)[chosen]
    count = count[chosen]
    number = torch.repeat_interleave(torch.arange(chosen.numel(), device=chosen.device), count)
    within = torch.arange(number.numel(), device=chosen.device) - (count.cumsum(0) - count)[number]
    return start[number] + within, number


def _flatten(diagrams: Diagrams) -> tuple[list[Tensor], Any]:
    tensors = _tensors(diagrams)
    rest = (diagrams.batch_shape, diagrams.homology_dimensions, diagrams.superlevel)
    return list(tensors.values()), (tuple(tensors), rest)


def _unflatten(leaves: Any, context: Any) -> Diagrams:  # noqa: ANN401 - torch's pytree protocol
    names, (batch_shape, homology_dimensions, superlevel) = context
    return Diagrams(
        **dict(zip(names, leaves, strict=True)),
        batch_shape=batch_shape,
        homology_dimensions=homology_dimensions,
        superlevel=superlevel,
    )


def _from_json(context: Any) -> Any:  # noqa: ANN401 - torch's pytree protocol
    names, (batch_shape, homology_dimensions, superlevel) = context
    return tuple(names), (torch.Size(batch_shape), tuple(homology_dimensions), superlevel)


_pytree.register_pytree_node(
    Diagrams,
    _flatten,
    _unflatten,
    serialized_type_name="topoml.homology.Diagrams",
    to_dumpable_context=lambda context: context,
    from_dumpable_context=_from_json,
)
