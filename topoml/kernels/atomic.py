"""A counter that several threads take numbers from."""

from typing import Any

import numpy as np
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = ["fetch_add"]


@intrinsic
def _fetch_add(typing_context: Any, counter: Any, n: Any) -> Any:  # noqa: ANN401 - numba's protocol

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        struct: Any = cgutils.create_struct_proxy(signature.args[0])  # type: ignore[no-untyped-call]
        array = struct(context, builder, arguments[0])
        return builder.atomic_rmw("add", array.data, arguments[1], "monotonic")

    return types.int64(counter, types.int64), code


@njit(cache=True, nogil=True)
def fetch_add(counter: NDArray[np.int64], n: int) -> int:
    """``counter[0]``, which is ``n`` more from then on, also where other threads do the same."""
    return _fetch_add(counter, n)  # type: ignore[call-arg]
