"""Between tensors and kernels: arrays for the kernels, operators of torch, differentiable diagrams.

A complex is one operator of torch.library. It takes the values of the cells' entries and gives
the nine tensors of `Packed`; compilers see their shapes and the gradient, not the kernel.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..kernels.batch import PackedPairs
from .diagrams import Diagrams

__all__ = [
    "Packed",
    "diagrams_of",
    "host_array",
    "packed_tensors",
    "register",
    "word_of",
]

# points (P, 2), birth, death, dimension, sample (P,); essential (E,), its entry, dimension, sample.
Packed = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


def host_array(x: Tensor) -> NDArray[Any]:
    """The values of ``x`` on the CPU, in the float type the kernels rank them in.

    float16 and bfloat16 become float32, which holds them exactly.
    """
    x = x.detach()
    if x.dtype in (torch.float16, torch.bfloat16):
        x = x.float()
    return x.cpu().contiguous().numpy()


def word_of(x: NDArray[Any]) -> NDArray[Any]:
    """An empty array of the unsigned integer that is as wide as the floats of ``x``."""
    return np.empty(0, np.uint64 if x.itemsize == 8 else np.uint32)


def packed_tensors(packed: PackedPairs, x: Tensor) -> Packed:
    """The pairs as tensors on the device of ``x``, values in its dtype."""
    points, *middle, essential, entry, dimension, sample = (
        torch.from_numpy(array).to(x.device) for array in packed
    )
    birth, death, of_pair, number = middle
    values = points.to(x.dtype), essential.to(x.dtype)
    return values[0], birth, death, of_pair, number, values[1], entry, dimension, sample


def register(
    operator: Any,  # noqa: ANN401
    entry_axes: Callable[..., int],
    *,
    valueless: bool = False,
) -> None:
    """Give an operator f(x, ...) -> Packed its shapes and its gradient in ``x``.

    ``entry_axes(x, ...)``: number of axes of ``x``, the last ones, through which entries count in
    C order. ``valueless``: entries of -1 occur, for values without a gradient. Differentiable any
    number of times.
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
        birth, death, sample, entry, essential_sample = ctx.saved_tensors
        entries = ctx.shape[-ctx.n_axes :].numel()
        n = ctx.shape.numel()
        total = grad_points.new_zeros(n + valueless)  # the last one for what has no gradient
        for index, number, grad in (
            (birth, sample, grad_points[:, 0]),
            (death, sample, grad_points[:, 1]),
            (entry, essential_sample, grads[4]),
        ):
            row = torch.add(index, number, alpha=entries)
            total.index_add_(0, row.where(index >= 0, n) if valueless else row, grad)
        return total[:n].view(ctx.shape), *[None] * (ctx.n_inputs - 1)

    operator.register_fake(fake)
    operator.register_autograd(backward, setup_context=setup)


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
