"""Complex polynomials whose roots are the classes."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._core.checks import check_count
from .._core.errors import InputError
from ..homology import Diagrams
from ..homology._gather import operator
from ..kernels.polynomials import multiply_roots, roots_gradient
from ._blocks import from_blocks
from ._checks import check_diagrams
from ._rows import array_of, intervals_of, over_rows

__all__ = ["check_polynomial_type", "complex_polynomial", "polynomial_of"]


def complex_polynomial(diagrams: Diagrams, *, threshold: int, polynomial_type: str = "R") -> Tensor:
    r"""Leading coefficients of the complex polynomial whose roots are the classes.

    .. math:: \prod_i (z - r_i) = z^P + c_1 z^{P-1} + c_2 z^{P-2} + \dots, \qquad
              r_i = b_i + i d_i \;\text{("R")}, \quad
              \frac{d_i - b_i}{\sqrt 2 \alpha_i} (b_i + i d_i) \;\text{("S")}, \quad
              \frac{d_i - b_i}{2} \left(\cos \alpha_i - \sin \alpha_i +
              i (\cos \alpha_i + \sin \alpha_i)\right) \;\text{("T")}

    with :math:`\alpha_i = \sqrt{b_i^2 + d_i^2}` (superlevel: of the intervals :math:`[d_i, b_i]`):
    the real parts of :math:`c_1 \dots c_k`, then their imaginary parts, k = ``threshold``; 0 beyond
    the number of classes. S and T put classes on the diagonal at 0, where they change nothing.
    Invariant to the order of the classes up to rounding, which products of many large roots
    amplify. Essential classes are left out (give them a death with ``Diagrams.capped``), and so
    are those born at -inf (superlevel: +inf).

    Differentiable once in births and deaths (S: 0 at the origin), with finite gradients. In
    float64 on the CPU, on ``torch.get_num_threads()`` threads (points on another device pass
    through it); a coefficient that overflows is inf, and such products have gradient 0. Sample i
    depends on sample i alone, bit for bit. Time O(P k); the gradient takes memory O(P k).

    Args:
        diagrams: Of any batch shape.
        threshold: Number k of coefficients, at least 1.
        polynomial_type: "R", "S" or "T".

    Returns:
        (*batch, n * 2 * threshold) for n homology dimensions: one block a dimension, in the order
        of ``diagrams.homology_dimensions``; zeros where a sample has no class. Dtype and device of
        the points.

    Raises:
        InputError: An argument of another type or out of the ranges above.

    Source: Di Fabio, Ferri, ICIAP 2015, LNCS 9279; values as
        ``gudhi.representations.ComplexPolynomial``, there as complex numbers.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 4.0, 1.0, 2.0, 1.0]])
        >>> d = cubical_persistence(x, homology_dimensions=(0,))  # classes (1, 2) and (1, 4)
        >>> complex_polynomial(d, threshold=2)  # z^2 - (2 + 6i) z + (1 + 2i) (1 + 4i)
        tensor([-2., -7., -6.,  6.])
    """
    check_diagrams(diagrams)
    kind = check_polynomial_type(polynomial_type)
    return polynomial_of(diagrams, check_count("threshold", threshold), kind)


def check_polynomial_type(polynomial_type: object) -> str:
    """ "R", "S" or "T"."""
    if not isinstance(polynomial_type, str) or polynomial_type not in ("R", "S", "T"):
        raise InputError(f"`polynomial_type` is {polynomial_type!r}; expected 'R', 'S' or 'T'.")
    return polynomial_type


def polynomial_of(diagrams: Diagrams, threshold: int, polynomial_type: str) -> Tensor:
    """``complex_polynomial`` without its checks."""
    low, high, block, n_blocks, _ = intervals_of(diagrams)
    low, high = low.double(), high.double()
    life = high - low
    if polynomial_type == "R":
        x, y = low, high
    else:
        scale, u, v, root = _norm(low, high)
        if polynomial_type == "S":
            length = life / (math.sqrt(2) * root)
            x, y = length * u, length * v
        else:
            alpha = scale * root
            cosine, sine = torch.cos(alpha), torch.sin(alpha)
            x, y = life / 2 * (cosine - sine), life / 2 * (cosine + sine)
    values = coefficients(x, y, block, n_blocks, threshold)
    return from_blocks(values.flatten(1).to(diagrams.points.dtype), diagrams)


def _norm(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A constant scale, x and y over it, and the norm of these, 1 at the origin: nothing of it
    overflows. The gradients are those at a scale that is given, 0 at the origin."""
    scale = torch.maximum(x.detach().abs(), y.detach().abs())
    some = scale > 0
    scale = scale.where(some, 1.0)
    u, v = x / scale, y / scale
    return scale, u, v, torch.sqrt((u**2 + v**2).where(some, 1.0))


@operator
def coefficients(x: Tensor, y: Tensor, block: Tensor, n_blocks: int, k: int) -> Tensor:
    """(n_blocks, 2, k) of the roots x + i y (P,) of each block."""
    a, b, of = (array_of(t) for t in (x, y, block))
    out = np.zeros((n_blocks, 2, k))
    over_rows(lambda p: multiply_roots(a[p], b[p], of[p], out), of, k)
    out[np.isnan(out)] = np.inf
    return torch.from_numpy(out).to(x)


@operator
def coefficient_gradients(x: Tensor, y: Tensor, block: Tensor, grad: Tensor) -> Tensor:
    """(2, P): gradients in x and y."""
    a, b, of, g = (array_of(t) for t in (x, y, block, grad))
    out = np.empty((2, len(of)))
    over_rows(lambda p: roots_gradient(a[p], b[p], of[p], g, out[:, p]), of, 4 * g.shape[2])
    return torch.from_numpy(out).to(x)


def _fake(x: Tensor, y: Tensor, block: Tensor, n_blocks: int, k: int) -> Tensor:
    return x.new_empty(n_blocks, 2, k)


def _fake_gradients(x: Tensor, y: Tensor, block: Tensor, grad: Tensor) -> Tensor:
    return x.new_empty(2, x.shape[0])


def _setup(ctx: Any, inputs: Any, output: Tensor) -> None:  # noqa: ANN401
    ctx.save_for_backward(*inputs[:3])


def _backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
    on_x, on_y = coefficient_gradients(*ctx.saved_tensors, grad).unbind(0)
    return on_x, on_y, None, None, None


torch.library.register_fake(coefficients, _fake)
torch.library.register_fake(coefficient_gradients, _fake_gradients)
torch.library.register_autograd(coefficients, _backward, setup_context=_setup)
