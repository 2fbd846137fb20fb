"""Losses of fields on a lattice: Betti matching of two fields, vortices of angles."""

import math
from collections.abc import Sequence
from numbers import Real

import torch
from torch import Tensor

from .._core.errors import InputError
from ..homology import Diagrams, betti_matching
from ..homology._checks import check_field, check_periodic
from ._sums import block_sums

__all__ = ["betti_matching_loss", "check_sharpness", "vortex_loss"]


def betti_matching_loss(
    x: Tensor,
    y: Tensor,
    *,
    homology_dimensions: Sequence[int] = (0, 1),
    periodic: bool | Sequence[bool] = False,
    construction: str = "V",
    superlevel: bool = False,
) -> Tensor:
    r"""How far two fields are from having the same features at the same places.

    .. math:: L = \sum_{(p, q)} 2 \big( (b_p - b_q)^2 + (d_p - d_q)^2 \big)
              + \sum_{p} (d_p - b_p)^2 + \sum_{q} (d_q - b_q)^2

    over the pairs of partners of ``betti_matching`` and over the classes p of x and q of y that
    have none: twice the squared distance of partners, or to the diagonal. Of a pair of essential
    classes, only the births differ. Zero for equal fields; symmetric in x and y.

    Differentiable in both fields, any number of times; the matching has no gradient (ties go by
    index). The loss is not continuous: where a class loses its partner, it jumps. Sample i depends
    on sample i alone, bit for bit. The pairing and matching run on the CPU.

    Args:
        x: Field (*batch, H, W), any floating dtype, finite: a prediction, say.
        y: Field of the same shape, dtype and device: what it should be.
        homology_dimensions: Distinct integers from 0 to 2.
        periodic: One bool, or one an axis; periodic axes of at least 2 entries.
        construction: "V", "T" or "F", as in ``cubical_persistence``.
        superlevel: Filter from large values to small, as for probabilities.

    Returns:
        (*batch,), unit of the field squared; dtype and device of ``x``.

    Raises:
        InputError: That of ``betti_matching``.

    Source: Stucki et al., ICML 2023, arXiv:2211.15272, with the weights of the authors' code (and
        without their zero-length classes of images, which match there).

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0, 9.0, 7.0, 9.0, 2.0]])
        >>> y = torch.tensor([[0.0, 9.0, 9.0, 9.0, 3.0]])
        >>> betti_matching_loss(x, y)  # 2 (2 - 3)^2 of the last basin, (9 - 7)^2 of the other
        tensor(6.)
    """
    matching = betti_matching(
        x,
        y,
        homology_dimensions=homology_dimensions,
        periodic=periodic,
        construction=construction,
        superlevel=superlevel,
    )
    first, second = (_at_least_float32(d) for d in matching[:2])
    n = first.n_samples
    i, j = matching.pairs.unbind(1)
    apart = ((first.points[i] - second.points[j]) ** 2).mul(2)
    total = block_sums(apart[:, 0] + apart[:, 1], first.sample[i], n)
    for diagrams, row in ((first, i), (second, j)):
        alone = torch.ones_like(diagrams.sample, dtype=torch.bool)
        alone[row] = False
        total = total + block_sums(diagrams.lifetime[alone] ** 2, diagrams.sample[alone], n)
    i, j = matching.essential_pairs.unbind(1)
    apart = ((first.essential[i] - second.essential[j]) ** 2).mul(2)
    total = total + block_sums(apart, first.essential_sample[i], n)
    return total.to(x.dtype).reshape(first.batch_shape)


def vortex_loss(
    theta: Tensor, *, sharpness: float = 0.5, periodic: bool | Sequence[bool] = True
) -> Tensor:
    r"""Number of vortices and antivortices of a field of angles, made smooth.

    .. math:: V = \sum_p q_p^2, \qquad q_p = \frac{1}{4 \arctan r} \sum_{b \in \partial p}
              \arctan \frac{r \sin \Delta_b}{1 + r \cos \Delta_b}

    over the plaquettes p, :math:`\Delta_b` the difference of the angles along each of the four
    bonds around p. Twice the arctangent is :math:`\arg (1 + r e^{i \Delta})`, doubled: the smooth
    sawtooth that becomes the difference wrapped to :math:`(-\pi, \pi)` as r = ``sharpness`` goes to
    1, and V the number of plaquettes with a winding. For small r, :math:`q_p = \tfrac14 \sum_b \sin
    \Delta_b`, the lattice's curl of the current. A vortex with four equal differences of
    :math:`\pi / 2` counts exactly 1 for every r; smooth fields count
    :math:`O(\Delta^6)`.

    Invariant under global rotations and reflections of the angles, under multiples of
    :math:`2 \pi` at any site and, up to rounding, under the symmetries of the lattice. Smooth: the
    gradient is finite everywhere, at most of the order of r / (1 - r), largest at differences near
    :math:`\pi`. Sample i depends on sample i alone.

    Args:
        theta: Angles (*batch, H, W), radians, any branch, finite.
        sharpness: r, above 0 and below 1. Near 1 it counts better, but the pull on a distant pair
            is weaker: descent wants about 0.5.
        periodic: One bool, or one an axis.

    Returns:
        (*batch,), without unit; dtype and device of ``theta``.

    Raises:
        InputError: ``theta`` no float tensor (*batch, H, W), empty or not finite; another argument
            out of the ranges above.

    Source: ours; the winding that it approximates: Tobochnik & Chester, Phys. Rev. B 20, 3761
        (1979).

    Example:
        >>> import torch
        >>> turn = torch.tensor([[0.0, 0.5], [1.5, 1.0]]) * torch.pi  # a vortex, alone
        >>> vortex_loss(turn, periodic=False)
        tensor(1.)
        >>> vortex_loss(torch.zeros(8, 8))
        tensor(0.)
    """
    r = check_sharpness(sharpness)
    theta = check_field("theta", theta, "(*batch, H, W)", 2)
    if not bool(torch.isfinite(theta.detach()).all()):
        raise InputError("`theta` has a NaN or an infinite entry; expected angles in radians.")
    wrap = check_periodic(periodic, 2)
    dtype, batch_shape = theta.dtype, theta.shape[:-2]
    if dtype in (torch.float16, torch.bfloat16):
        theta = theta.float()

    def sawtooth(axis: int) -> Tensor:
        turn = theta.roll(-1, axis) - theta
        return (r * turn.sin() / (1 + r * turn.cos())).atan()  # atan2 is not bitwise the same

    along_0, along_1 = sawtooth(-2), sawtooth(-1)
    q = along_0 + along_1.roll(-1, -2) - along_0.roll(-1, -1) - along_1
    q = q / (4 * math.atan(r))
    for axis, is_periodic in zip((-2, -1), wrap, strict=True):
        if not is_periodic:
            q = q.narrow(axis, 0, q.shape[axis] - 1)
    n, plaquettes = batch_shape.numel(), q.shape[-2] * q.shape[-1]
    sample = torch.arange(n, device=q.device).repeat_interleave(plaquettes)
    return block_sums((q * q).flatten(), sample, n).to(dtype).reshape(batch_shape)


def _at_least_float32(diagrams: Diagrams) -> Diagrams:
    """float32 for half precision."""
    half = diagrams.points.dtype in (torch.float16, torch.bfloat16)
    return diagrams.to(torch.float32) if half else diagrams


def check_sharpness(sharpness: object) -> float:
    """A number above 0 and below 1."""
    valid = isinstance(sharpness, Real) and not isinstance(sharpness, bool)
    if not valid or not 0 < float(sharpness) < 1:  # type: ignore[arg-type]
        raise InputError(f"`sharpness` is {sharpness!r}; expected a number between 0 and 1.")
    return float(sharpness)  # type: ignore[arg-type]
