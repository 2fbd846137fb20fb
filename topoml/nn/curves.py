"""Layers from diagrams to functions on a grid of filtration values."""

import math
from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import Tensor, nn

from .._core.checks import check_count
from .._core.errors import InputError
from ..features._checks import Weight, check_diagrams, curve_grid
from ..features._ranges import value_range
from ..features.curves import curve_on_grid, euler_on_grid
from ..features.entropies import check_entropy, entropy_of, entropy_on_grid
from ..features.landscapes import landscape_on_grid
from ..features.silhouettes import check_weighting, silhouette_on_grid
from ..homology import Diagrams

__all__ = [
    "BettiCurve",
    "EulerCurve",
    "OnGrid",
    "PersistenceEntropy",
    "PersistenceLandscape",
    "Silhouette",
]


class OnGrid(nn.Module, ABC):
    """A layer with the float64 buffer ``grid`` (resolution,), NaN until there is a range.

    A resolution of None is for a layer that needs none: the grid is empty.
    """

    grid: Tensor

    def __init__(self, resolution: int | None, sample_range: tuple[float, float] | None) -> None:
        super().__init__()
        if resolution is None:
            self.register_buffer("grid", torch.empty(0, dtype=torch.float64))
            return
        grid = curve_grid(resolution, (0.0, 1.0) if sample_range is None else sample_range)
        self.register_buffer("grid", grid.fill_(torch.nan) if sample_range is None else grid)

    def fit(self, diagrams: Diagrams) -> Self:
        """Let the grid reach from the first birth to the last death of the finite classes.

        In place, over all samples and dimensions, in the direction of ascending values.

        Raises:
            InputError: An input that is no Diagrams, or has no class of positive lifetime.
        """
        ends = value_range(check_diagrams(diagrams))
        if len(self.grid):
            self.grid.copy_(curve_grid(len(self.grid), ends))
        return self

    def forward(self, diagrams: Diagrams) -> Tensor:
        check_diagrams(diagrams)
        if not torch.compiler.is_compiling() and bool(self.grid.isnan().any()):
            raise InputError(
                "`sample_range` is None; expected a range by now."
                " Cure: call fit(diagrams), or give the layer its sample_range."
            )
        return self.on_grid(diagrams)

    @abstractmethod
    def on_grid(self, diagrams: Diagrams) -> Tensor:
        """The values, (*batch, features)."""

    def _grid_repr(self) -> str:
        first, last = float(self.grid[0]), float(self.grid[-1])
        ends = None if math.isnan(first) else (first, last)
        return f"resolution={len(self.grid)}, sample_range={ends}"


class BettiCurve(OnGrid):
    r"""Diagrams -> (*batch, n * resolution): ``topoml.features.betti_curve``.

    .. math:: \beta_k(t) = \#\{i : b_i \le t < d_i\}

    one curve for each of the n homology dimensions, essential classes included (superlevel:
    :math:`d_i < t \le b_i`). Exact integers in the dtype of the points, on their device; **no
    gradient**, as it is zero almost everywhere. The thresholds are a float64 buffer, ``grid``
    (resolution,), which follows ``.to()`` and is part of the ``state_dict``; they are compared in
    the dtype of the points.

    Args:
        resolution: Number of thresholds, at least 1.
        sample_range: First and last threshold, in the filtration's unit; None leaves them to
            ``fit(diagrams)``.

    Raises:
        InputError: An argument out of these ranges, at once; an input that is no Diagrams; a call
            before there is a range.

    Source: the definition.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> curve = BettiCurve(resolution=4, sample_range=(0, 3))
        >>> curve
        BettiCurve(resolution=4, sample_range=(0.0, 3.0))
        >>> curve(cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,)))
        tensor([1., 2., 2., 1.])
    """

    def __init__(self, *, resolution: int, sample_range: tuple[float, float] | None = None) -> None:
        super().__init__(resolution, sample_range)

    def extra_repr(self) -> str:
        return self._grid_repr()

    def on_grid(self, diagrams: Diagrams) -> Tensor:
        return curve_on_grid(diagrams, self.grid)


class EulerCurve(OnGrid):
    r"""Diagrams -> (*batch, resolution): ``topoml.features.euler_curve``.

    .. math:: \chi(t) = \sum_k (-1)^k \beta_k(t)

    one curve for all homology dimensions together, essential classes included. Exact integers in
    the dtype of the points, on their device; **no gradient**, as it is zero almost everywhere.
    ``grid`` (resolution,) is a float64 buffer, as in ``BettiCurve``.

    Args:
        resolution: Number of thresholds, at least 1.
        sample_range: First and last threshold, in the filtration's unit; None leaves them to
            ``fit(diagrams)``.

    Raises:
        InputError: An argument out of these ranges, at once; an input that is no Diagrams; a call
            before there is a range.

    Source: the Euler-Poincaré formula.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> curve = EulerCurve(resolution=4, sample_range=(0, 3))
        >>> curve
        EulerCurve(resolution=4, sample_range=(0.0, 3.0))
        >>> curve(cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0, 1)))
        tensor([1., 2., 2., 1.])
    """

    def __init__(self, *, resolution: int, sample_range: tuple[float, float] | None = None) -> None:
        super().__init__(resolution, sample_range)

    def extra_repr(self) -> str:
        return self._grid_repr()

    def on_grid(self, diagrams: Diagrams) -> Tensor:
        return euler_on_grid(diagrams, self.grid)


class PersistenceEntropy(OnGrid):
    r"""Diagrams -> (*batch, n) or (*batch, n * resolution): the function of the same name.

    .. math:: H = -\sum_i p_i \log p_i, \qquad
              S(t) = -\sum_{i:\, b_i \le t < d_i} p_i \log p_i, \qquad
              p_i = \frac{|d_i - b_i|}{\sum_j |d_j - b_j|}

    H in mode "scalar" and S in mode "vector", for each of the n homology dimensions. Differentiable
    in births and deaths (0 at a lifetime of 0); dtype and device are those of the points.
    ``grid`` (resolution,) is a float64 buffer, as in ``BettiCurve``, and empty in mode "scalar".

    Args:
        mode: "scalar" or "vector".
        normalized: Whether S sums to 1 over the grid; without effect on H.
        resolution: Number of values of S, at least 1; None in mode "scalar".
        sample_range: First and last value, in the filtration's unit; None leaves them to
            ``fit(diagrams)``. None in mode "scalar".

    Raises:
        InputError: An argument out of these ranges, at once; an input that is no Diagrams; a call
            before there is a range.

    Source: Atienza, Gonzalez-Diaz, Soriano-Trigueros, Pattern Recognition 107, 2020,
        arXiv:1803.08304.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 4.0, 1.0, 2.0, 1.0]])
        >>> entropy = PersistenceEntropy()
        >>> entropy
        PersistenceEntropy(mode='scalar')
        >>> entropy(cubical_persistence(x, homology_dimensions=(0,)))  # of p = 1/4 and 3/4
        tensor([0.5623])
    """

    def __init__(
        self,
        *,
        mode: str = "scalar",
        normalized: bool = True,
        resolution: int | None = None,
        sample_range: tuple[float, float] | None = None,
    ) -> None:
        given = (0.0, 1.0) if mode == "vector" and sample_range is None else sample_range
        check_entropy(mode, normalized, resolution, given)
        super().__init__(resolution, sample_range)
        self.mode = mode
        self.normalized = normalized

    def extra_repr(self) -> str:
        if self.mode == "scalar":
            return "mode='scalar'"
        return f"mode='vector', normalized={self.normalized}, {self._grid_repr()}"

    def on_grid(self, diagrams: Diagrams) -> Tensor:
        if self.mode == "scalar":
            return entropy_of(diagrams)
        return entropy_on_grid(diagrams, self.grid, self.normalized)


class PersistenceLandscape(OnGrid):
    r"""Diagrams -> (*batch, n * num_landscapes * resolution): the function of the same name.

    .. math:: \lambda_k(t) = \underset{i}{k\text{-max}}\; \max(0, \min(t - b_i, d_i - t))

    for each of the n homology dimensions: tents as high as half the lifetime (gudhi's times
    :math:`1 / \sqrt 2`). Differentiable in births and deaths; dtype and device are those of the
    points. ``grid`` (resolution,) is a float64 buffer, as in ``BettiCurve``.

    Args:
        num_landscapes: How many of the largest tents, at least 1.
        resolution: Number of values, at least 1.
        sample_range: First and last value, in the filtration's unit; None leaves them to
            ``fit(diagrams)``.

    Raises:
        InputError: An argument out of these ranges, at once; an input that is no Diagrams; a call
            before there is a range.

    Source: Bubenik, JMLR 16, 77-102, 2015.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> d = cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,))
        >>> landscape = PersistenceLandscape(num_landscapes=1, resolution=5).fit(d)
        >>> landscape
        PersistenceLandscape(num_landscapes=1, resolution=5, sample_range=(1.0, 3.0))
        >>> landscape(d)
        tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """

    def __init__(
        self,
        *,
        num_landscapes: int,
        resolution: int,
        sample_range: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(resolution, sample_range)
        self.num_landscapes = check_count("num_landscapes", num_landscapes)

    def extra_repr(self) -> str:
        return f"num_landscapes={self.num_landscapes}, {self._grid_repr()}"

    def on_grid(self, diagrams: Diagrams) -> Tensor:
        return landscape_on_grid(diagrams, self.grid, self.num_landscapes)


class Silhouette(OnGrid):
    r"""Diagrams -> (*batch, n * resolution): ``topoml.features.silhouette``.

    .. math:: \phi(t) = \frac{\sum_i w_i \max(0, \min(t - b_i, d_i - t))}{\sum_i w_i},
              \qquad w_i = |d_i - b_i|^p

    for each of the n homology dimensions, with tents as high as half the lifetime (gudhi's times
    :math:`1 / \sqrt 2`). Differentiable in births, deaths and weights; dtype and device are those
    of the points. ``grid`` (resolution,) is a float64 buffer, as in ``BettiCurve``; a ``weight``
    that is a module is a submodule and is trained.

    Args:
        resolution: Number of values, at least 1.
        sample_range: First and last value, in the filtration's unit; None leaves them to
            ``fit(diagrams)``.
        power: Exponent p > 0 of the lifetime, 1 if None; not together with ``weight``.
        weight: A callable (birth, lifetime) -> weights of one diagram.

    Raises:
        InputError: An argument out of these ranges, at once; an input that is no Diagrams; a call
            before there is a range.

    Source: Chazal et al., SoCG 2014, arXiv:1312.0308.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> d = cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,))
        >>> layer = Silhouette(resolution=5, sample_range=(1, 3), power=2)
        >>> layer
        Silhouette(resolution=5, sample_range=(1.0, 3.0), power=2)
        >>> layer(d)
        tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """

    def __init__(
        self,
        *,
        resolution: int,
        sample_range: tuple[float, float] | None = None,
        power: float | None = None,
        weight: Weight | None = None,
    ) -> None:
        super().__init__(resolution, sample_range)
        check_weighting(power, weight)
        self.power = power
        self.weight = weight

    def extra_repr(self) -> str:
        options = {"power": self.power, "weight": self.weight}
        shown = (f", {name}={value!r}" for name, value in options.items() if value is not None)
        return self._grid_repr() + "".join(shown)

    def on_grid(self, diagrams: Diagrams) -> Tensor:
        return silhouette_on_grid(diagrams, self.grid, self.power, self.weight)
