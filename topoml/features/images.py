"""Persistence images."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._core.errors import InputError
from ..homology import Diagrams
from ..kernels.gaussians import image_gradient, sum_image
from ._blocks import block_of, from_blocks
from ._checks import Weight, check_bandwidth, check_diagrams, check_weight, image_grids
from ._rows import array_of, over_rows

__all__ = ["image_on_grids", "persistence_image", "sum_on_grids", "weights_of"]


def persistence_image(
    diagrams: Diagrams,
    *,
    bandwidth: float,
    resolution: tuple[int, int],
    im_range: tuple[float, float, float, float],
    weight: Weight | None = None,
) -> Tensor:
    r"""Weighted Gaussians around the classes in the (birth, lifetime) plane, read on a grid.

    .. math:: y_{jk} = \sum_i \frac{w_i}{2 \pi \sigma^2}
              \exp\left(-\frac{(b_i - x_k)^2 + (\ell_i - y_j)^2}{2 \sigma^2}\right),
              \qquad \ell_i = |d_i - b_i|, \quad w_i = \ell_i

    with :math:`x` = linspace(birth_min, birth_max, n_birth), :math:`y` = linspace(life_min,
    life_max, n_life), both ends included. Invariant to the order of the classes up to rounding.
    Essential classes are left out (give them a death with ``Diagrams.capped``), and so is a class
    born at -inf (superlevel: +inf), which is infinitely far from every pixel.

    Differentiable in births, deaths and weights, with finite gradients everywhere (the second
    derivative takes memory O(P n_birth n_life)). The sums run in float64 on the CPU, on
    ``torch.get_num_threads()`` threads (points on another device pass through it), and are rounded
    to the dtype of the points at the end. Sample i depends on sample i alone, bit for bit, and so
    does its gradient. Time O(P n_birth n_life), memory that of the result.

    Args:
        diagrams: Of any batch shape.
        bandwidth: Standard deviation :math:`\sigma`, in the filtration's unit, > 0.
        resolution: (n_birth, n_life), numbers of pixels.
        im_range: (birth_min, birth_max, life_min, life_max), in the filtration's unit. Births are
            true values: of a superlevel filtration too, where the lifetime is birth - death.
        weight: A callable (birth, lifetime) -> weights of one diagram, tensors (n,) (in float32
            for points in half precision); None is the lifetime. Called once for each sample and
            dimension with classes, so that it may also normalise within a diagram; its parameters,
            if any, get their gradient.

    Returns:
        (*batch, n * n_life * n_birth) for n homology dimensions: one image a dimension, in the
        order of ``diagrams.homology_dimensions``, row-major with rows the lifetime; zeros where a
        sample has no class. Dtype and device of the points.

    Raises:
        InputError: An argument of another type or out of the ranges above; a ``weight`` whose
            result is no float tensor of the shape of its arguments.

    Source: Adams et al., JMLR 18(8), 2017, arXiv:1507.06217; values at the grid points instead of
        integrals over pixels, as ``gudhi.representations.PersistenceImage`` with
        ``weight=lambda p: p[1]``.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> d = cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0, 1))
        >>> image = persistence_image(d, bandwidth=1.0, resolution=(3, 2), im_range=(0, 2, 0, 2))
        >>> image.reshape(2, 2, 3)  # one class in H0, born at 1 with lifetime 2; none in H1
        tensor([[[0.0261, 0.0431, 0.0261],
                 [0.1931, 0.3183, 0.1931]],
        <BLANKLINE>
                [[0.0000, 0.0000, 0.0000],
                 [0.0000, 0.0000, 0.0000]]])
    """
    check_diagrams(diagrams)
    width, weight = check_bandwidth(bandwidth), check_weight(weight)
    return image_on_grids(diagrams, *image_grids(resolution, im_range), width, weight)


def image_on_grids(
    diagrams: Diagrams,
    birth_grid: Tensor,
    life_grid: Tensor,
    bandwidth: float,
    weight: Weight | None,
) -> Tensor:
    """``persistence_image`` on the grids (n_birth,) and (n_life,), without its checks."""
    dtype = diagrams.points.dtype
    if dtype in (torch.float16, torch.bfloat16):  # whose differences would be rounded to 3 digits
        diagrams = diagrams.to(torch.float32)
    block = block_of(diagrams, diagrams.sample, diagrams.dimension)
    birth, life = diagrams.points[:, 0], diagrams.lifetime
    near = torch.isfinite(life.detach())
    if torch.compiler.is_compiling():  # no kernels of our own, no shapes that depend on values
        birth, life = birth.where(near, 0.0), life.where(near, 0.0)
        weights = weights_of(weight, birth, life, block).where(near, 0.0)
    else:
        if not bool(near.all()):
            block, birth, life = block[near], birth[near], life[near]
        weights = weights_of(weight, birth, life, block)
    n_blocks = diagrams.n_samples * len(diagrams.homology_dimensions)
    image = sum_on_grids(birth, life, weights, block, n_blocks, birth_grid, life_grid, bandwidth)
    return from_blocks(image.to(dtype), diagrams)


def sum_on_grids(
    x: Tensor,
    y: Tensor,
    weight: Tensor,
    block: Tensor,
    n_blocks: int,
    x_grid: Tensor,
    y_grid: Tensor,
    bandwidth: float,
) -> Tensor:
    """(n_blocks, m * n): weighted Gaussians at (x, y) (P,), on the grids (n,) and (m,)."""
    if torch.compiler.is_compiling():
        grids = x_grid.to(x), y_grid.to(x)
        return _composed(x, y, weight, block, n_blocks, *grids, bandwidth)
    image: Tensor = _Image.apply(  # type: ignore[no-untyped-call]
        x, y, weight, block, n_blocks, x_grid, y_grid, bandwidth
    )
    return image


def weights_of(weight: Weight | None, birth: Tensor, life: Tensor, block: Tensor) -> Tensor:
    """Weights (P,) of the classes of each block, by a callable or their lifetimes."""
    if weight is None or not len(block):
        return life
    counts = torch.unique_consecutive(block, return_counts=True)[1].tolist()
    parts = []
    for one in zip(torch.split(birth, counts), torch.split(life, counts), strict=True):
        part = weight(*one)
        shape = one[0].shape
        if not isinstance(part, Tensor) or part.shape != shape or not part.is_floating_point():
            got = type(part).__name__
            if isinstance(part, Tensor):
                got = f"{part.dtype} of shape {tuple(part.shape)}"
            raise InputError(
                f"`weight` returned {got}; expected floats of shape {tuple(shape)}, one weight a"
                " class. Cure: torch.full_like(lifetime, value) for a constant."
            )
        parts.append(part)
    return torch.cat(parts)


class _Image(torch.autograd.Function):
    """(blocks, n_life * n_birth) from points whose blocks are runs of rows."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        birth: Tensor,
        life: Tensor,
        weight: Tensor,
        block: Tensor,
        n_blocks: int,
        birth_grid: Tensor,
        life_grid: Tensor,
        bandwidth: float,
    ) -> Tensor:
        ctx.save_for_backward(birth, life, weight, block, birth_grid, life_grid)
        ctx.bandwidth = bandwidth
        rows = [array_of(x) for x in (birth, life, weight, block)]
        x, y = array_of(birth_grid), array_of(life_grid)
        out = np.zeros((n_blocks, len(y), len(x)))
        over_rows(
            lambda part: sum_image(*(row[part] for row in rows), x, y, bandwidth, out),
            rows[3],
            len(x) * len(y),
        )
        return torch.from_numpy(out).flatten(1).to(birth)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
        *inputs, block, birth_grid, life_grid = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True: a gradient that has one itself
            views = [x.view_as(x).requires_grad_() for x in inputs]  # two may be one tensor
            birth, life, weight = views
            image = _composed(
                birth, life, weight, block, len(grad), birth_grid, life_grid, ctx.bandwidth
            )
            composed = torch.autograd.grad(image, views, grad, create_graph=True)
            return (*composed, None, None, None, None, None)
        rows = [array_of(x) for x in (*inputs, block)]
        x, y = array_of(birth_grid), array_of(life_grid)
        pixels, out = array_of(grad).reshape(-1, len(y), len(x)), np.empty((3, len(block)))
        over_rows(
            lambda part: image_gradient(
                *(row[part] for row in rows), x, y, ctx.bandwidth, pixels, out[:, part]
            ),
            rows[3],
            2 * len(x) * len(y),
        )
        grads = (torch.from_numpy(g).to(x) for g, x in zip(out, inputs, strict=True))
        return (*grads, None, None, None, None, None)


def _composed(
    birth: Tensor,
    life: Tensor,
    weight: Tensor,
    block: Tensor,
    n_blocks: int,
    birth_grid: Tensor,
    life_grid: Tensor,
    bandwidth: float,
) -> Tensor:
    """The image by torch's own operations, in memory O(P n_birth n_life)."""
    x = torch.exp(-0.5 * ((birth[:, None] - birth_grid) / bandwidth) ** 2)
    y = torch.exp(-0.5 * ((life[:, None] - life_grid) / bandwidth) ** 2)
    y = y * weight[:, None] / (2 * math.pi * bandwidth**2)
    terms = (y[:, :, None] * x[:, None, :]).flatten(1)
    return terms.new_zeros(n_blocks, terms.shape[1]).index_add(0, block, terms).to(birth)
