"""Diagrams to and from the arrays that pass between transformers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from .._core.errors import InputError
from ..homology import Diagrams, from_giotto, to_giotto
from ._base import Array, checked_array

__all__ = ["array_of", "diagrams_of"]

_LARGEST = float(np.finfo(np.float64).max)


def array_of(diagrams: Diagrams, infinity_values: float, *, reduced_homology: bool) -> Array:
    """(B, N, 3) as giotto-tda's transformers give it, ``infinity_values`` of inf included.

    Essential classes die there and are dropped where they are born there or later; the first one
    of H0 is dropped if the homology is reduced. The filtration is the sublevel one of -x for a
    superlevel diagram.
    """
    births = (-diagrams.essential if diagrams.superlevel else diagrams.essential).numpy()
    kept = births < infinity_values
    if reduced_homology:
        components = np.flatnonzero(diagrams.essential_dimension.numpy() == 0)
        sample = diagrams.essential_sample.numpy()[components]
        order = np.lexsort((births[components], sample))
        _, first = np.unique(sample[order], return_index=True)
        kept[components[order[first]]] = False
    every = torch.arange(len(diagrams.points))
    left = diagrams._rows(every, torch.from_numpy(kept))
    found = to_giotto(left, infinity_values=float(np.clip(infinity_values, -_LARGEST, _LARGEST)))
    if infinity_values == np.inf:
        found[found == _LARGEST] = np.inf
    return found


def diagrams_of(x: Any, homology_dimensions: Sequence[int] | None) -> Diagrams:  # noqa: ANN401
    """Diagrams (n,) in float64 on the CPU, without gradient, of an array, Diagrams or their list.

    With ``homology_dimensions`` those alone, in that order.
    """
    if isinstance(x, list | tuple) and x and all(isinstance(d, Diagrams) for d in x):
        x = Diagrams.cat([d if d.batch_shape else d[None] for d in x])
    if not isinstance(x, Diagrams):
        array = checked_array(x, finite=False, dtype=np.float64)
        return from_giotto(array, dtype=torch.float64, homology_dimensions=homology_dimensions)
    if len(x.batch_shape) != 1:
        raise InputError(
            f"`X` is Diagrams of batch_shape {tuple(x.batch_shape)}; expected one axis, (n,)."
        )
    if not len(x):
        raise InputError("`X` is Diagrams of no sample; expected at least one.")
    x = x.detach().to("cpu", torch.float64)
    if homology_dimensions is None:
        return x
    missing = set(homology_dimensions) - set(x.homology_dimensions)
    if missing:
        raise InputError(
            f"`X` is Diagrams of homology_dimensions {x.homology_dimensions}; expected"
            f" {tuple(homology_dimensions)} among them."
        )
    wanted = torch.tensor(homology_dimensions)
    chosen = x._rows(torch.isin(x.dimension, wanted), torch.isin(x.essential_dimension, wanted))
    return replace(chosen, homology_dimensions=tuple(homology_dimensions))
