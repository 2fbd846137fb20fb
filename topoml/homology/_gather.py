"""Between tensors and kernels: arrays for the kernels, operators of torch, differentiable diagrams.

A complex is one operator of torch.library. It takes the values of the cells' entries and gives
the nine tensors of `Packed`; compilers see their shapes and the gradient, not the kernel.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..kernels.batch import PackedPairs, thread_pool
from ..kernels.scatter import add_gradients
from .diagrams import Diagrams

__all__ = [
    "Packed",
    "diagrams_of",
    "host_array",
    "operator",
    "packed_tensors",
    "register",
    "word_of",
]

# points (P, 2), birth, death, dimension, sample (P,); essential (E,), its entry, dimension, sample.
Packed = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]

_ENTRIES_A_THREAD = 2**16  # from which on a thread more is worth it


def host_array(x: Tensor) -> NDArray[Any]:
    """The values of ``x`` on the CPU, in the float type the kernels rank them in.

    float16 and bfloat16 become float32, which holds them exactly. A copy is made by numpy: for some
    milliseconds after one by torch, its threads wait for more on the cores that the kernels need.
    """
    x = x.detach()
    if x.dtype in (torch.float16, torch.bfloat16):
        x = x.float()
    return np.ascontiguousarray(x.cpu().numpy())


def word_of(x: NDArray[Any]) -> NDArray[Any]:
    """An empty array of the unsigned integer that is as wide as the floats of ``x``."""
    return np.empty(0, np.uint64 if x.itemsize == 8 else np.uint32)


def packed_tensors(packed: PackedPairs, x: Tensor) -> Packed:
    """The pairs as tensors on the device of ``x``, values in its dtype."""
    tensors = [torch.from_numpy(array) for array in packed]
    if x.device.type != "cpu":
        tensors = [tensor.to(x.device) for tensor in tensors]
    points, birth, death, of_pair, number, essential, entry, dimension, sample = tensors
    points, essential = points.to(x.dtype), essential.to(x.dtype)
    return points, birth, death, of_pair, number, essential, entry, dimension, sample


def operator(function: Callable[..., Any]) -> Any:  # noqa: ANN401
    """``function`` as the operator topoml::NAME of torch.

    It must not return its arguments or views of them. This is torch.library.custom_op without its
    checks of that, which take as long as the persistence of a small field.
    """
    name = f"topoml::{function.__name__}"
    torch.library.define(name, torch.library.infer_schema(function, mutates_args=()))
    torch.library.impl(name, "default", function)
    return getattr(torch.ops.topoml, function.__name__).default


def register(
    op: Any,  # noqa: ANN401
    entry_axes: Callable[..., int],
) -> None:
    """Give an operator f(x, ...) -> Packed its shapes and its gradient in ``x``.

    ``entry_axes(x, ...)``: number of axes of ``x``, the last ones, through which entries count in
    C order; one of -1 is a value without a gradient. Differentiable any number of times.
    """

    def fake(x: Tensor, *_: Any) -> Packed:  # noqa: ANN401
        context = torch.library.get_ctx()
        n, m = context.new_dynamic_size(), context.new_dynamic_size()
        pair = [x.new_empty(n, dtype=torch.int64) for _ in range(4)]
        single = [x.new_empty(m, dtype=torch.int64) for _ in range(3)]
        return x.new_empty(n, 2), *pair, x.new_empty(m), *single  # type: ignore[return-value]

    def setup(ctx: Any, inputs: Any, output: Packed) -> None:  # noqa: ANN401
        _, birth, death, _, sample, _, entry, _, essential_sample = output
        ctx.save_for_backward(birth, death, sample, entry, essential_sample)
        ctx.shape = inputs[0].shape
        ctx.n_axes = entry_axes(*inputs)
        ctx.n_inputs = len(inputs)

    def backward(ctx: Any, grad_points: Tensor, *grads: Tensor) -> Any:  # noqa: ANN401
        entries = ctx.shape[-ctx.n_axes :].numel()
        n_samples = ctx.shape.numel() // entries
        total = scatter_gradients(grad_points, grads[4], *ctx.saved_tensors, n_samples, entries)
        return total.view(ctx.shape), *[None] * (ctx.n_inputs - 1)

    torch.library.register_fake(op, fake)
    torch.library.register_autograd(op, backward, setup_context=setup)


@operator
def scatter_gradients(
    points: Tensor,
    essential: Tensor,
    birth: Tensor,
    death: Tensor,
    sample: Tensor,
    entry: Tensor,
    essential_sample: Tensor,
    n_samples: int,
    entries: int,
) -> Tensor:
    """(n_samples, entries): sums of the gradients of births, deaths and essential births by entry.

    On the CPU by a kernel over samples, on ``torch.get_num_threads()`` threads.
    """
    shape = n_samples, entries
    if points.device.type != "cpu" or points.dtype not in (torch.float32, torch.float64):
        total = points.new_zeros(n_samples * entries + 1)  # the last one for entries of -1
        rows = (birth, sample, points[:, 0]), (death, sample, points[:, 1])
        for at, number, grad in (*rows, (entry, essential_sample, essential)):
            row = torch.add(at, number, alpha=entries)
            total.index_add_(0, row.where(at >= 0, n_samples * entries), grad)
        return total[:-1].view(shape).clone()
    given = points, birth, death, sample, essential, entry, essential_sample
    arrays = tuple(x.detach().contiguous().numpy() for x in given)
    out = np.empty(shape, arrays[0].dtype)
    n_threads = min(torch.get_num_threads(), 1 + out.size // _ENTRIES_A_THREAD, n_samples)
    ends = [n_samples * i // n_threads for i in range(n_threads + 1)]

    def add(ends: tuple[int, int]) -> None:
        add_gradients(arrays, ends[0], ends[1], out)

    if n_threads == 1:
        add((0, n_samples))
    else:
        list(thread_pool(n_threads).map(add, pairwise(ends)))
    return torch.from_numpy(out)


def _scattered(points: Tensor, *arguments: Any) -> Tensor:  # noqa: ANN401
    return points.new_empty(arguments[-2:])


def _setup(ctx: Any, inputs: Any, output: Tensor) -> None:  # noqa: ANN401
    ctx.save_for_backward(*inputs[2:7])


def _gathered(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
    birth, death, sample, entry, essential_sample = ctx.saved_tensors
    entries = grad.shape[1]
    values = torch.cat([grad.reshape(-1), grad.new_zeros(1)])

    def at(index: Tensor, number: Tensor) -> Tensor:
        row = torch.add(index, number, alpha=entries)
        return values.index_select(0, row.where(index >= 0, len(values) - 1))

    points = torch.stack([at(birth, sample), at(death, sample)], 1)
    return points, at(entry, essential_sample), *[None] * 7


torch.library.register_fake(scatter_gradients, _scattered)
torch.library.register_autograd(scatter_gradients, _gathered, setup_context=_setup)


def diagrams_of(
    packed: Packed,
    batch_shape: torch.Size,
    homology_dimensions: tuple[int, ...],
    *,
    superlevel: bool = False,
) -> Diagrams:
    """Diagrams of the result of an operator."""
    points, birth, death, dimension, sample, essential, entry, of_essential, number = packed
    return Diagrams(
        points=points,
        dimension=dimension,
        sample=sample,
        birth_index=birth,
        death_index=death,
        essential=essential,
        essential_dimension=of_essential,
        essential_sample=number,
        essential_index=entry,
        batch_shape=batch_shape,
        homology_dimensions=homology_dimensions,
        superlevel=superlevel,
    )
