"""The transformer from diagrams to their distances from those of fit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from torch import Tensor

from .. import distances
from .._core.errors import InputError
from ..distances import pairwise
from ..homology import Diagrams
from ._base import Array
from ._vectorisation import OfDiagrams

__all__ = ["PairwiseDistance"]

_METRICS = tuple(name for name in distances.__all__ if name != "pairwise")


class PairwiseDistance(OfDiagrams):
    """Distances or kernel values to the diagrams of ``fit``: ``topoml.distances.pairwise``.

    Takes diagrams (``transform`` says how) and gives (n_samples, n_samples of fit), computed on
    ``torch.get_num_threads()`` threads: for ``SVC(kernel="precomputed")`` with a kernel, for
    ``KNeighborsClassifier(metric="precomputed")`` with a distance. Each function says what becomes
    of essential classes.

    Args:
        metric: Name of a function of ``topoml.distances``, such as "wasserstein",
            "sliced_wasserstein" or "persistence_scale_space_kernel"; or a callable as ``pairwise``
            takes it.
        metric_params: Its keyword arguments.
        homology_dimensions: Those to use; None for all in the X of ``fit``.

    Attributes:
        diagrams_: Those of ``fit``.

    Source: that of the function.

    Example:
        >>> import numpy as np
        >>> diagrams = np.array([[[1.0, 3.0, 0.0]], [[1.0, 4.0, 0.0]]])
        >>> distance = PairwiseDistance(metric="bottleneck").fit(diagrams)
        >>> distance.transform(diagrams)
        array([[0., 1.],
               [1., 0.]])
    """

    def __init__(
        self,
        *,
        metric: str | Callable[..., Tensor] = "wasserstein",
        metric_params: Mapping[str, Any] | None = None,
        homology_dimensions: Sequence[int] | None = None,
    ) -> None:
        self.metric = metric
        self.metric_params = metric_params
        self.homology_dimensions = homology_dimensions

    def fit(self, X: Any, y: object = None) -> Self:  # noqa: ANN401
        """Check parameters and data, and keep the diagrams.

        Sets the attributes of the class, ``homology_dimensions_``, those used, and
        ``superlevel_``, the direction of the filtration, which ``transform`` insists on.

        Args:
            X: As in ``transform``.
            y: Not used.

        Raises:
            InputError: Another metric, arguments that it refuses, or a wrong X.
        """
        if not callable(self.metric) and self.metric not in _METRICS:
            raise InputError(
                f"`metric` is {self.metric!r}; expected a callable or one of {', '.join(_METRICS)}."
            )
        self.diagrams_ = self._read_first(X)
        self._values(self.diagrams_[:1], self.diagrams_[:1])
        self._n_features_out = len(self.diagrams_)
        return self

    def fit_transform(self, X: Any, y: object = None) -> Array:  # noqa: ANN401
        """``fit(X).transform(X)``, each pair once."""
        found: Array = self._values(self.fit(X).diagrams_, self.diagrams_).numpy()
        return found

    def _features(self, diagrams: Diagrams) -> Tensor:
        return self._values(diagrams, self.diagrams_)

    def _values(self, a: Diagrams, b: Diagrams) -> Tensor:
        distance = self.metric if callable(self.metric) else getattr(distances, self.metric)
        try:
            values: Tensor = pairwise(a, b, distance=distance, **(self.metric_params or {}))
        except TypeError as error:
            raise InputError(
                f"`metric_params` is {self.metric_params!r}; expected keyword arguments of"
                f" {self.metric}: {error}."
            ) from error
        return values

    def _blocks(self) -> list[tuple[str, int]]:
        return [("_", self._n_features_out)]
