"""The classes of one homology dimension, and what is taken over those of each sample."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from .._core.errors import InputError
from ..homology import Diagrams

__all__ = [
    "Classes",
    "classes_of",
    "draw",
    "same_dimensions",
    "segment_mean",
    "segment_sum",
    "segment_top",
    "spread",
]


class Classes(NamedTuple):
    """Finite classes of one dimension, sample after sample: three (n,), and counts (n_samples,)."""

    birth: Tensor
    death: Tensor
    lifetime: Tensor
    counts: Tensor


def classes_of(diagrams: Diagrams, dimension: int) -> Classes:
    """Those of finite birth and death, in float32 if the points are in half precision."""
    if diagrams.points.dtype in (torch.float16, torch.bfloat16):
        diagrams = diagrams.to(torch.float32)
    lifetime = diagrams.lifetime
    chosen = (diagrams.dimension == dimension) & lifetime.detach().isfinite()
    row = chosen.nonzero().squeeze(1)
    birth, death = diagrams.points.index_select(0, row).unbind(1)
    counts = torch.bincount(diagrams.sample[row], minlength=diagrams.n_samples)
    return Classes(birth, death, lifetime.index_select(0, row), counts)


class _SegmentSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, counts: Tensor) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(counts)
        ctx.n = len(values)
        return torch.segment_reduce(values, "sum", lengths=counts, axis=0, unsafe=True)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
        (counts,) = ctx.saved_tensors
        return grad.repeat_interleave(counts, 0, output_size=ctx.n), None


def segment_sum(values: Tensor, counts: Tensor) -> Tensor:
    """(n, q) to (n_samples, q): row after row, so that a sample has the same bits in any batch."""
    return _SegmentSum.apply(values.contiguous(), counts)  # type: ignore[no-untyped-call, no-any-return]


def segment_mean(values: Tensor, counts: Tensor) -> Tensor:
    """As ``segment_sum``; 0 for a sample without classes."""
    return segment_sum(values, counts) / counts.clamp(min=1)[:, None]


def segment_top(values: Tensor, counts: Tensor, k: int) -> Tensor:
    """(n, q) to (n_samples, q * k): of each column the k largest, descending, then zeros."""
    parts = []
    for part in torch.split(values, counts.tolist()):
        top = part.topk(min(k, len(part)), dim=0).values
        parts.append(torch.nn.functional.pad(top, (0, 0, 0, k - len(top))).T.flatten())
    return torch.stack(parts) if parts else values.new_zeros(0, values.shape[1] * k)


def same_dimensions(diagrams: Diagrams, expected: tuple[int, ...]) -> None:
    """Diagrams of the dimensions that a layer has parameters for, in their order."""
    if diagrams.homology_dimensions != expected:
        raise InputError(
            f"`diagrams` has homology_dimensions {diagrams.homology_dimensions}; expected"
            f" {expected}, those of the layer. Cure: construct both with the same."
        )


def draw(classes: Classes, n: int, generator: torch.Generator) -> Tensor:
    """(n, 2): n classes (birth, lifetime) at random, none twice as long as there are enough."""
    points = torch.stack([classes.birth, classes.lifetime], 1).detach()
    if not len(points):
        raise InputError(
            "`diagrams` has no class in one of the homology dimensions of the layer; expected at"
            " least one. Cure: fit to more samples, or leave the dimension out."
        )
    order = torch.randperm(len(points), generator=generator, device=generator.device)
    return points[order.to(points.device).repeat(-(-n // len(points)))[:n]]


def spread(values: Tensor) -> Tensor:
    """Standard deviation of each column, 1 for a column that is constant."""
    deviation = values.std(0, correction=0)
    return torch.where(deviation > 0, deviation, 1.0)
