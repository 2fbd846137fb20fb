"""What stands between numba kernels and torch, where torch neither compiles nor has a GPU."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from .batch import thread_pool

__all__ = ["on_threads", "pushed", "serves"]

_DTYPES = (torch.float32, torch.float64, torch.complex64, torch.complex128)


def serves(*tensors: Tensor) -> bool:
    """Whether the memory of all tensors can be given to numba now."""
    return not torch.compiler.is_compiling() and all(
        type(x) in (Tensor, torch.nn.Parameter) and x.device.type == "cpu" and x.dtype in _DTYPES
        for x in tensors
    )


def on_threads(kernel: Callable[[int, int], None], n: int, least: int) -> None:
    """kernel(begin, end) for parts of range(n), on as many threads as get ``least`` each."""
    n_threads = min(torch.get_num_threads(), max(1, n // least))
    if n_threads == 1:
        kernel(0, n)
        return
    ends = pairwise(n * k // n_threads for k in range(n_threads + 1))
    for _ in thread_pool(n_threads).map(lambda part: kernel(*part), ends):
        pass


def pushed(
    function: Callable[..., Tensor], at: tuple[Tensor, ...], tangents: tuple[Tensor, ...]
) -> Tensor:
    """The derivative along tangents, by two reversals, as forward modes do not nest."""
    value, pullback = torch.func.vjp(function, *at)[:2]
    transposed = torch.func.vjp(pullback, torch.zeros_like(value))[1]
    out: Tensor = transposed(tangents)[0]
    return out
