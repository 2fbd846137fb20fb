"""What the transformers from diagrams to numbers share."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from .._core.errors import InputError
from ..features._ranges import image_range, value_range
from ..homology import Diagrams
from ._arrays import diagrams_of
from ._base import Array, Transformer

__all__ = ["OfDiagrams", "OnGrid", "OnImage", "Vectorisation"]


class OfDiagrams(Transformer):
    """Diagrams (an array (n_samples, N, 3), Diagrams, or a list of these) -> (n_samples, k)."""

    homology_dimensions: Sequence[int] | None

    def transform(self, X: Any) -> Array:  # noqa: ANN401
        """Features (n_samples, k), float64, computed in float64.

        Args:
            X: giotto-tda's array (n_samples, N, 3) of (birth, death, dimension), topoml's Diagrams
                (n_samples,), or a list of Diagrams. Essential classes are those of Diagrams, and
                in an array those of infinite death.

        Raises:
            InputError: Another X, also one of another direction of filtration than that of
                ``fit``; an array counts as sublevel.
        """
        check_is_fitted(self)
        found: Array = self._features(self._read(X)).numpy()
        return found

    def get_feature_names_out(self, input_features: object = None) -> Array:
        """Names of the k features; those of the input do not matter."""
        check_is_fitted(self)
        prefix = type(self).__name__.lower()
        names = [f"{prefix}{label}{j}" for label, n in self._blocks() for j in range(n)]
        return np.asarray(names, dtype=object)

    @abstractmethod
    def _features(self, diagrams: Diagrams) -> Tensor:
        """The features, (n_samples, k)."""

    @abstractmethod
    def _blocks(self) -> list[tuple[str, int]]:
        """Labels and numbers of the features."""

    def _read_first(self, X: Any) -> Diagrams:  # noqa: ANN401
        """X of fit."""
        diagrams = diagrams_of(X, self.homology_dimensions)
        self.homology_dimensions_ = diagrams.homology_dimensions
        self.superlevel_ = diagrams.superlevel
        return diagrams

    def _read(self, X: Any) -> Diagrams:  # noqa: ANN401
        """X of transform."""
        diagrams = diagrams_of(X, self.homology_dimensions_)
        if diagrams.superlevel != self.superlevel_:
            raise InputError(
                f"`X` has superlevel {diagrams.superlevel}; expected {self.superlevel_}, that of"
                " the X of fit. (An array counts as sublevel.)"
            )
        return diagrams


class Vectorisation(OfDiagrams):
    """A function of ``topoml.features`` with parameters of the same names."""

    _one_block = False  # for all homology dimensions together

    def fit(self, X: Any, y: object = None) -> Self:  # noqa: ANN401
        """Check parameters and data, and learn what is not given.

        Sets the attributes of the class, ``homology_dimensions_``, those used, and
        ``superlevel_``, the direction of the filtration, which ``transform`` insists on.

        Args:
            X: As in ``transform``.
            y: Not used.

        Raises:
            InputError: An argument that the function refuses, nothing to learn a range from, or a
                wrong X.
        """
        diagrams = self._read_first(X)
        self._learn(diagrams)
        self._n_features_out = self._features(diagrams[:1]).shape[1]
        return self

    def _learn(self, diagrams: Diagrams) -> None:
        """Set what is learnt from the X of fit."""

    def _blocks(self) -> list[tuple[str, int]]:
        if self._one_block:
            return [("_", self._n_features_out)]
        dimensions = self.homology_dimensions_
        return [(f"_H{k}_", self._n_features_out // len(dimensions)) for k in dimensions]


class OnGrid(Vectorisation):
    """One that needs a range of values."""

    sample_range: tuple[float, float] | None

    def _learn(self, diagrams: Diagrams) -> None:
        given = self.sample_range
        self.sample_range_ = value_range(diagrams) if given is None else given


class OnImage(Vectorisation):
    """One that needs a range of births and lifetimes."""

    im_range: tuple[float, float, float, float] | None

    def _learn(self, diagrams: Diagrams) -> None:
        given = self.im_range
        self.im_range_ = image_range(diagrams) if given is None else given
