"""Pairs of 4D fields, by gudhi."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from .._core.optional import require
from ..kernels.batch import PackedPairs

__all__ = ["pair_4d"]


def pair_4d(
    samples: NDArray[Any],
    dimensions: tuple[int, ...],
    wrap: tuple[bool, ...],
    construction: str,
    sign: float,
) -> PackedPairs | None:
    """Pairs of (B, *spatial), one sample after the other; None at a NaN.

    gudhi filters by the ranks in the order (value, entry), which are free of ties, so its births
    and deaths name their entries.

    Raises:
        InputError: A period of 2, in which gudhi's cells coincide.
    """
    shape = samples.shape[1:]
    for axis, (n, w) in enumerate(zip(shape, wrap, strict=True)):
        if w and n == 2:
            raise InputError(
                f"`x` has a period of 2 along spatial axis {axis}; expected 1, 3 or more in 4D."
                " Cure: an open axis."
            )
    gudhi = require("gudhi")
    cells = "vertices" if construction == "V" else "top_dimensional_cells"
    finite, essential = [], []
    for number, x in enumerate(samples):
        if np.isnan(x).any():
            return None
        value = sign * x.reshape(-1)
        order = np.argsort(value, kind="stable")
        rank = np.empty(order.size)
        rank[order] = np.arange(order.size)
        complex_ = gudhi.PeriodicCubicalComplex(
            **{cells: rank.reshape(shape)}, periodic_dimensions=list(wrap)
        )
        complex_.compute_persistence(homology_coeff_field=2)
        for dimension in sorted(dimensions):
            for birth, death in complex_.persistence_intervals_in_dimension(dimension):
                b = order[int(birth)]
                d = order[int(death)] if np.isfinite(death) else -1
                end = value[d] if d >= 0 else np.inf
                if value[b] == end or value[b] == np.inf:
                    continue
                if end == np.inf:
                    essential.append((b, dimension, number))
                else:
                    finite.append((b, d, dimension, number))
    birth, death, dimension, sample = np.array(finite, np.int64).reshape(-1, 4).T.copy()
    entry, essential_dimension, essential_sample = (
        np.array(essential, np.int64).reshape(-1, 3).T.copy()
    )
    flat = samples.reshape(len(samples), -1)
    return PackedPairs(
        points=np.stack([flat[sample, birth], flat[sample, death]], 1),
        birth=birth,
        death=death,
        dimension=dimension,
        sample=sample,
        essential=flat[essential_sample, entry],
        essential_entry=entry,
        essential_dimension=essential_dimension,
        essential_sample=essential_sample,
    )
