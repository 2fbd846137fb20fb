"""What the transformers share: tags and checked arrays, for scikit-learn from 1.3.2 on."""

from inspect import signature
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_array, validation
from torch import Tensor

__all__ = ["FLOATS", "Array", "Transformer", "checked_array", "tensor_of"]

Array = NDArray[Any]

FLOATS = (np.float64, np.float32)  # others become the first
_FINITE = next(name for name in signature(check_array).parameters if "all_finite" in name)


class Transformer(TransformerMixin, BaseEstimator):
    """A transformer of samples that have two axes or more, or are diagrams."""

    def _takes_rows(self) -> bool:
        """Whether X is a plain (n_samples, n_features)."""
        return False

    def _more_tags(self) -> dict[str, Any]:  # scikit-learn < 1.6
        return {"X_types": ["2darray" if self._takes_rows() else "3darray"]}

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401 - scikit-learn >= 1.6
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self._takes_rows()
        tags.input_tags.three_d_array = not self._takes_rows()
        return tags


def checked_array(
    x: Any,  # noqa: ANN401 - whatever scikit-learn makes an array of
    *,
    finite: bool = True,
    dtype: Any = FLOATS,  # noqa: ANN401 - as in check_array
    rows_of: BaseEstimator | None = None,
    reset: bool = False,
    sparse: str | bool = False,
) -> Array:
    """A dense numeric array; (n_samples, n_features) with their names if ``rows_of`` is given.

    A sparse matrix is refused, or given in the format ``sparse``.
    """
    dtype = list(dtype) if isinstance(dtype, tuple) else dtype
    options = {"dtype": dtype, "order": "C", "accept_sparse": sparse, _FINITE: finite}
    if rows_of is None:
        return check_array(x, ensure_2d=False, allow_nd=True, input_name="X", **options)
    if hasattr(validation, "validate_data"):
        return validation.validate_data(rows_of, x, reset=reset, **options)
    return rows_of._validate_data(x, reset=reset, **options)


def tensor_of(x: Array) -> Tensor:
    """The same memory, unless it is read-only."""
    return torch.from_numpy(x if x.flags.writeable else x.copy())
