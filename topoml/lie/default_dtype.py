"""The default dtype that geomstats needs while it computes."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["default_dtype"]


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Make ``dtype`` torch's default inside the block and restore the old one behind it.

    What ``.space`` offers is geomstats's own code, which mixes its arguments with constants of the
    default dtype and fails or changes dtype where the two differ: call it inside
    ``with default_dtype(torch.float64):``. The default belongs to the whole process, so not while
    other threads create tensors.

    Args:
        dtype: A float dtype, that of the arguments.

    Example:
        >>> import torch
        >>> with default_dtype(torch.float64):
        ...     torch.ones(1).dtype
        torch.float64
    """
    old = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(old)
