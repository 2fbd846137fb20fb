"""Methods whose linear algebra torch has for single and double precision only."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

__all__ = ["at_least_single"]

NARROW = (torch.float16, torch.bfloat16)
Method = TypeVar("Method", bound=Callable[..., Any])


def at_least_single(method: Method) -> Method:
    """A method of tensors, or of a ``dtype``, that computes those of 16 bits in float32."""

    @wraps(method)
    def widened(self: object, *tensors: Any, **options: Any) -> Any:  # noqa: ANN401
        given = [x.dtype for x in tensors if isinstance(x, Tensor)] + [options.get("dtype")]
        narrow = next((dtype for dtype in given if dtype in NARROW), None)
        if narrow is None:
            return method(self, *tensors, **options)
        wide = [x.float() if isinstance(x, Tensor) else x for x in tensors]
        if "dtype" in options:
            options["dtype"] = torch.float32
        return method(self, *wide, **options).to(narrow)

    return cast(Method, widened)
