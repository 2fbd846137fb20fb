"""Layers between groups and their algebras, means, and networks of positive matrices."""

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .._core.checks import check_count, check_positive
from .._core.errors import InputError
from ..lie import LieGroup, RiemannianManifold

__all__ = ["BiMap", "FrechetMeanPool", "LieExp", "LieLog", "LogEig", "ReEig"]


class LieExp(nn.Module):
    r"""Coordinates of the algebra to the group, v (\*batch, dim) -> exp(hat v) (\*batch, N, N).

    Gradients as those of ``group.exp``: right at v = 0, too. No parameters.

    Args:
        group: A group of ``topoml.lie``.
    """

    def __init__(self, group: LieGroup) -> None:
        super().__init__()
        self.group = group

    def extra_repr(self) -> str:
        return f"{self.group}"

    def forward(self, v: Tensor) -> Tensor:
        return self.group.exp(self.group.hat(v))


class LieLog(nn.Module):
    r"""The group to coordinates of its algebra, g (\*batch, N, N) -> vee(log g) (\*batch, dim).

    The principal logarithm of ``group.log``, with its gradients at the cut locus. No parameters.

    Args:
        group: A group of ``topoml.lie``.
    """

    def __init__(self, group: LieGroup) -> None:
        super().__init__()
        self.group = group

    def extra_repr(self) -> str:
        return f"{self.group}"

    def forward(self, g: Tensor) -> Tensor:
        return self.group.vee(self.group.log(g))


class FrechetMeanPool(nn.Module):
    r"""Weighted means of points of a space, x (\*batch, n, \*point) -> (\*batch, \*point).

    .. math:: \mu \leftarrow \exp_\mu\Bigl(t \sum_i w_i \log_\mu x_i\Bigr),
              \qquad \mu \leftarrow \mu \exp\Bigl(\sum_i w_i \log(\mu^{-1} g_i)\Bigr)

    on a manifold and on a group, from the first point, ``n_iterations`` times. On a manifold this
    is the Fréchet mean; on a group the exponential barycentre, which on a compact one is the
    Fréchet mean of its bi-invariant metric. The length t is 1, but where curvatures K < 0 are
    bounded by :math:`\kappa^2 = -\min K` it is
    :math:`1 / \sum_i w_i \kappa d_i \coth(\kappa d_i)`, d_i the distances from the mean, which
    converges from anywhere. Commutes with isometries (multiplication from both sides on groups); of
    points that fit in a small ball (SO(3): of radius < pi/2), the mean does not depend on their
    order. Differentiable through the iterations; not checked: that they converged.

    Args:
        space: A group of ``topoml.lie``, or a ``RiemannianManifold``.
        n_iterations: At least 1; each gains several digits where the points lie close.

    Raises:
        InputError: An argument out of range, at once; wrong tensors, on the call.

    Source: Pennec and Arsigny, "Exponential barycenters of the canonical Cartan connection and
        invariant means on Lie groups" (2013); the length: Afsari, Tron and Vidal, SIAM J. Control
        Optim. 51, 2230 (2013).
    """

    def __init__(self, space: LieGroup | RiemannianManifold, n_iterations: int = 10) -> None:
        super().__init__()
        self.space, self.n_iterations = space, check_count("n_iterations", n_iterations)

    def extra_repr(self) -> str:
        return f"{self.space}, n_iterations={self.n_iterations}"

    def forward(self, x: Tensor, weight: Tensor | None = None) -> Tensor:
        """``weight`` (\\*batch, n), positive; it is divided by its sum. None: all equal."""
        shape = self.space.point_shape
        leading = x.ndim - len(shape)
        if leading < 1 or tuple(x.shape[leading:]) != shape or x.shape[leading - 1] == 0:
            raise InputError(
                f"`x` has shape {tuple(x.shape)}; expected (*batch, n,"
                f" {', '.join(map(str, shape))})."
            )
        real = x.real.dtype
        if weight is None:
            weight = torch.ones(x.shape[:leading], dtype=real, device=x.device)
        if weight.shape != x.shape[:leading] or weight.dtype != real:
            raise InputError(
                f"`weight` is {weight.dtype} of shape {tuple(weight.shape)}; expected {real} of"
                f" shape {tuple(x.shape[:leading])}."
            )
        share = weight / weight.sum(-1, keepdim=True)
        mean = x.select(leading - 1, 0)
        for _ in range(self.n_iterations):
            mean = self._step(mean, x, share)
        return mean

    def _step(self, mean: Tensor, x: Tensor, share: Tensor) -> Tensor:
        space, batch = self.space, share.ndim - 1
        center = mean.unsqueeze(batch)
        if isinstance(space, RiemannianManifold):
            if space.least_curvature < 0:
                reach = (-space.least_curvature) ** 0.5 * space.distance(x, center)
                share = share / (share * _times_coth(reach)).sum(-1, keepdim=True)
            direction = space.log(x, center)
        else:
            direction = space.log(space.inverse(center) @ x)
        scale = share.reshape(share.shape + (1,) * (x.ndim - share.ndim))
        total = (scale * direction).sum(batch).contiguous()
        if isinstance(space, RiemannianManifold):
            return space.project(space.exp(total, mean))  # or roundings grow as the steps do
        return mean @ space.exp(total)


def _times_coth(x: Tensor) -> Tensor:
    """x coth x for x >= 0, smooth at 0."""
    near = x < 1e-2
    safe = torch.where(near, 1, x)
    square = x * x
    series = 1 + square / 3 - square * square / 45
    return torch.where(near, series, safe / safe.tanh())


class BiMap(nn.Module):
    r"""Positive matrices to smaller ones, X (\*batch, in, in) -> W X W^T (\*batch, out, out).

    The rows of ``weight`` (out, in) are orthonormal, by a parametrisation of torch, so that
    positive matrices stay positive with eigenvalues in the range of those of X.

    Args:
        in_features: Size of X.
        out_features: Size of the result, at most ``in_features``.

    Raises:
        InputError: An argument out of range, at once; a wrong tensor, on the call.

    Source: Huang and Van Gool, arXiv:1608.04233.
    """

    weight: Tensor

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features = check_count("in_features", in_features)
        self.out_features = check_count("out_features", out_features)
        if out_features > in_features:
            raise InputError(
                f"`out_features` is {out_features}; expected at most `in_features`, {in_features}."
            )
        self.weight = nn.Parameter(nn.init.orthogonal_(torch.empty(out_features, in_features)))
        nn.utils.parametrizations.orthogonal(self, "weight")

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}"

    def forward(self, x: Tensor) -> Tensor:
        _check_symmetric_shape(x)
        if x.shape[-1] != self.in_features:
            raise InputError(
                f"`x` has shape {tuple(x.shape)}; expected (*batch, {self.in_features},"
                f" {self.in_features})."
            )
        weight = self.weight.to(x.dtype)
        return weight @ x @ weight.mT


class ReEig(nn.Module):
    r"""Eigenvalues raised to a floor, X = Q diag(l) Q^T -> Q diag(max(l, floor)) Q^T.

    X (\*batch, n, n), of which the symmetric part counts. First derivatives by divided differences,
    right at equal eigenvalues; an eigenvalue at the floor counts as below. No parameters.

    Args:
        floor: Above 0.

    Raises:
        InputError: ``floor`` out of range, at once; a wrong tensor, on the call.

    Source: Huang and Van Gool, arXiv:1608.04233; derivative: Daleckii and Krein (1965).

    Example:
        >>> import torch
        >>> ReEig(0.5)(torch.diag(torch.tensor([2.0, 0.0]))).diagonal()
        tensor([2.0000, 0.5000])
    """

    def __init__(self, floor: float = 1e-4) -> None:
        super().__init__()
        self.floor = check_positive("floor", floor)

    def extra_repr(self) -> str:
        return f"floor={self.floor}"

    def forward(self, x: Tensor) -> Tensor:
        _check_symmetric_shape(x)
        out: Tensor = _Rectified.apply(x, self.floor)  # type: ignore[no-untyped-call]
        return out


class LogEig(nn.Module):
    r"""The logarithm of positive matrices, X = Q diag(l) Q^T -> Q diag(log l) Q^T.

    X (\*batch, n, n), of which the symmetric part counts, positive definite. First derivatives by
    divided differences, right at equal eigenvalues. No parameters.

    Raises:
        InputError: A wrong tensor; a matrix that is not positive definite (not while compiling).

    Source: Huang and Van Gool, arXiv:1608.04233; derivative: Daleckii and Krein (1965).

    Example:
        >>> import torch
        >>> LogEig()(torch.eye(2)).abs()
        tensor([[0., 0.],
                [0., 0.]])
    """

    def forward(self, x: Tensor) -> Tensor:
        _check_symmetric_shape(x)
        out: Tensor = _Logarithm.apply(x)  # type: ignore[no-untyped-call]
        if not torch.compiler.is_compiling() and not bool(out.detach().isfinite().all()):
            raise InputError(
                "`x` has a matrix that is not positive definite; expected positive eigenvalues."
                " Cure: ReEig() before."
            )
        return out


class _Rectified(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, floor: float) -> Tensor:  # type: ignore[no-untyped-def]  # noqa: ANN001
        values, vectors = torch.linalg.eigh((x + x.mT) / 2)
        ctx.save_for_backward(values, vectors)
        ctx.floor = floor
        return _assembled(values.clamp(min=floor), vectors)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def]  # noqa: ANN001
        values, vectors = ctx.saved_tensors
        above = values > ctx.floor
        one, other = above[..., :, None], above[..., None, :]
        high = torch.maximum(values[..., :, None], values[..., None, :])
        low = torch.minimum(values[..., :, None], values[..., None, :])
        mixed = one ^ other
        slope = (high - ctx.floor) / torch.where(mixed, high - low, 1.0)
        ratio = torch.where(mixed, slope, (one & other).to(values.dtype))
        return _pulled_back(grad, ratio, vectors), None


class _Logarithm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:  # type: ignore[no-untyped-def]  # noqa: ANN001
        values, vectors = torch.linalg.eigh((x + x.mT) / 2)
        ctx.save_for_backward(values, vectors)
        return _assembled(values.log(), vectors)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> Tensor:  # type: ignore[no-untyped-def]  # noqa: ANN001
        values, vectors = ctx.saved_tensors
        total = values[..., :, None] + values[..., None, :]
        r = (values[..., :, None] - values[..., None, :]) / total
        small = r.abs() < torch.finfo(r.dtype).eps ** 0.25
        safe = torch.where(small, 0.5, r)
        # log a - log b = 2 atanh((a - b) / (a + b))
        ratio = 2 / total * torch.where(small, 1 + r * r / 3, torch.atanh(safe) / safe)
        return _pulled_back(grad, ratio, vectors)


def _assembled(values: Tensor, vectors: Tensor) -> Tensor:
    return (vectors * values[..., None, :]) @ vectors.mT


def _pulled_back(grad: Tensor, ratio: Tensor, vectors: Tensor) -> Tensor:
    """Q (ratio * Q^T sym(grad) Q) Q^T."""
    inner = vectors.mT @ ((grad + grad.mT) / 2) @ vectors
    return vectors @ (ratio * inner) @ vectors.mT


def _check_symmetric_shape(x: object) -> None:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        got = str(x.dtype) if isinstance(x, Tensor) else type(x).__name__
        raise InputError(f"`x` is {got}; expected a torch.Tensor of floats (*batch, n, n).")
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise InputError(f"`x` has shape {tuple(x.shape)}; expected (*batch, n, n).")
