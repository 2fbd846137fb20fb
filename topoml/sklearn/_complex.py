"""What the transformers from data to diagrams share."""

import math
from abc import abstractmethod
from numbers import Real
from typing import Any, Self

from sklearn.utils.validation import check_is_fitted

from .._core.errors import InputError
from ..homology import Diagrams
from ._arrays import array_of
from ._base import Array, Transformer

__all__ = ["Complex"]


class Complex(Transformer):
    """Data -> giotto-tda's array of diagrams (n_samples, N, 3).

    Args:
        infinity_values: Where essential classes die; None for ``_last_value`` of the data of fit.
        reduced_homology: Leave out the first essential class of H0 of each sample.
    """

    infinity_values: float | None
    reduced_homology: bool

    def fit(self, X: Any, y: object = None) -> Self:  # noqa: ANN401
        """Check parameters and data, and learn where essential classes die."""
        value = self.infinity_values
        if value is not None and (
            not isinstance(value, Real) or isinstance(value, bool) or math.isnan(value)
        ):
            raise InputError(f"`infinity_values` is {value!r}; expected None, a number or inf.")
        if not isinstance(self.reduced_homology, bool):
            raise InputError(
                f"`reduced_homology` is {self.reduced_homology!r}; expected True or False."
            )
        self._check_parameters()
        last = self._last_value(self._checked(X, reset=True))
        self.infinity_values_ = last if value is None else float(value)
        return self

    def transform(self, X: Any) -> Array:  # noqa: ANN401
        """Diagrams (n_samples, N, 3), float64; N depends on the largest ones of these samples."""
        check_is_fitted(self)
        found = self._diagrams(self._checked(X, reset=False))
        return array_of(found, self.infinity_values_, reduced_homology=self.reduced_homology)

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise where they are wrong whatever the data."""

    @abstractmethod
    def _checked(self, X: Any, *, reset: bool) -> Any:  # noqa: ANN401
        """X as the function of the complex takes it."""

    @abstractmethod
    def _diagrams(self, x: Any) -> Diagrams:  # noqa: ANN401
        """The function of the complex."""

    @abstractmethod
    def _last_value(self, x: Any) -> float:  # noqa: ANN401
        """Where essential classes die by default, in the exported (sublevel) filtration."""
