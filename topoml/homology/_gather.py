"""Between tensors and kernels: arrays for the kernels, differentiable diagrams from their pairs."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..kernels.batch import PackedPairs
from .diagrams import Diagrams

__all__ = ["gather_diagrams", "host_array", "word_of"]


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


class _Gather(torch.autograd.Function):
    """Values that a kernel has read off ``x`` (B, entries), with the gradient of looking them up.

    With ``valueless``, a row beyond ``x`` stands for no entry. Differentiable any number of times.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        x: Tensor,
        points: Tensor,
        essential: Tensor,
        rows: tuple[Tensor, ...],
        valueless: bool,
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(*rows)
        ctx.shape, ctx.valueless = x.shape, valueless
        return points, essential

    @staticmethod
    def backward(ctx: Any, grad_points: Tensor, grad_essential: Tensor) -> Any:  # noqa: ANN401
        n = ctx.shape.numel()
        total = grad_points.new_zeros(
            n + ctx.valueless
        )  # an entry for the rows that stand for none
        grads = (grad_points[:, 0], grad_points[:, 1], grad_essential)
        for row, grad in zip(ctx.saved_tensors, grads, strict=True):
            total.index_add_(0, row, grad)
        if ctx.valueless:
            total = total[:n]
        return total.view(ctx.shape), None, None, None, None


def gather_diagrams(
    values: Tensor,
    packed: PackedPairs,
    batch_shape: torch.Size,
    homology_dimensions: tuple[int, ...],
    *,
    superlevel: bool = False,
    valueless: bool = False,
) -> Diagrams:
    """Diagrams of the pairs of ``values`` (B, entries), on its device and differentiable in it.

    ``valueless``: entries of -1 occur, which have a value but no gradient.
    """
    points, birth, death, dimension, sample, essential, *rest = (
        torch.from_numpy(array).to(values.device) for array in packed
    )
    essential_entry, essential_dimension, essential_sample = rest
    points, essential = points.to(values.dtype), essential.to(values.dtype)
    if values.requires_grad and torch.is_grad_enabled():
        n_samples, entries = values.shape
        rows = []
        for entry, number in (
            (birth, sample),
            (death, sample),
            (essential_entry, essential_sample),
        ):
            row = torch.add(entry, number, alpha=entries)
            rows.append(row.where(entry >= 0, n_samples * entries) if valueless else row)
        points, essential = _Gather.apply(values, points, essential, tuple(rows), valueless)  # type: ignore[no-untyped-call]
    return Diagrams(
        points=points,
        dimension=dimension,
        sample=sample,
        birth_index=birth,
        death_index=death,
        essential=essential,
        essential_dimension=essential_dimension,
        essential_sample=essential_sample,
        essential_index=essential_entry,
        batch_shape=batch_shape,
        homology_dimensions=homology_dimensions,
        superlevel=superlevel,
    )
