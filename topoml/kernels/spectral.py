"""Logarithms and polar factors of matrices, smooth where eigenvalues meet, in plain torch.

Each is evaluated at the detached matrix A0 and followed by its Taylor polynomial of second order in
A - A0, which is 0 in value: first and second derivatives are those of the function, of whatever
multiplicity the eigenvalues are; third ones are dropped.
"""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["eigenprojector", "orthogonal_log", "polar", "symmetric_log", "unitary_log"]


def unitary_log(U: Tensor) -> Tensor:
    """The shortest X in su(n) with exp(X) = U of determinant 1, (..., n, n), complex.

    Where two phases differ by 2 pi (the cut locus) one X of several, and the derivative across it
    is left out. Not checked: that U is unitary of determinant 1.
    """
    phase, V = _unitary_eigen(U.detach())
    turns = (phase.sum(-1, keepdim=True) / (2 * torch.pi)).round()
    rank = torch.arange(phase.shape[-1], device=phase.device)  # phases ascend: move |turns| of them
    from_top = rank >= phase.shape[-1] - turns
    phase = phase - 2 * torch.pi * (from_top.to(phase.dtype) - (rank < -turns).to(phase.dtype))
    mean = torch.polar(torch.ones_like(phase), phase)
    half = (phase[..., :, None] - phase[..., None, :]) / 2
    apart = torch.sinc(half / torch.pi)
    cut = apart.abs() < 100 * torch.finfo(phase.dtype).eps
    slope = torch.where(cut, 0, 1 / torch.where(cut, 1, apart))
    centre = torch.polar(slope, -(phase[..., :, None] + phase[..., None, :]) / 2)
    log = torch.complex(torch.zeros_like(phase), phase)
    return _taylor(U, V, log, centre, mean, _log_curvature)


def orthogonal_log(R: Tensor, prefer: Tensor | None = None) -> Tensor:
    """The shortest antisymmetric X with exp(X) = R of determinant 1, (..., n, n), real.

    Where R turns planes by pi, their choice is free: one of them, between eigenspaces of the
    projector ``prefer`` that commutes with R if there is one, and the derivative of that part is
    left out. Not checked: that R is orthogonal of determinant 1.
    """
    X = unitary_log(torch.complex(R, torch.zeros_like(R))).real
    with torch.no_grad():
        turn, rest, free = _half_turns(R, prefer)
        value = turn + rest @ X @ rest
    change = X - X.detach()  # 0, with the derivative of X
    return value + torch.where(free, rest @ change @ rest, change)


def _half_turns(R: Tensor, prefer: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """The logarithm of turns by almost pi, the projector on the rest, and whether one is by pi.

    There the eigenvectors of R do not tell the two senses of a turn apart, and its antisymmetric
    part does: it is the sine of what is left to pi, in the opposite sense.
    """
    n, eps = R.shape[-1], torch.finfo(R.dtype).eps
    cosine, V = torch.linalg.eigh((R + R.mT) / 2)
    rank = torch.arange(n, device=R.device)
    pairs = (cosine < -1 + eps**0.5).sum(-1, keepdim=True) // 2
    plane = V * (rank < 2 * pairs)[..., None, :]
    inside = plane @ plane.mT
    eye = torch.eye(n, dtype=R.dtype, device=R.device)
    sine = inside @ (R - R.mT) @ inside / 2
    parts = torch.zeros_like(R)
    if prefer is not None:
        parts = prefer
        sine = parts @ sine @ (eye - parts) + (eye - parts) @ sine @ parts
    sine = (sine - sine.mT) / 2
    W = torch.linalg.eigh(inside @ (2 * eye + parts) @ inside).eigenvectors  # the last: inside
    other = torch.take_along_dim(W, (rank - pairs).clamp(min=0)[..., None, :], -1)
    half = (W * (rank >= n - pairs)[..., None, :]) @ other.mT
    size = sine.abs().amax((-2, -1), keepdim=True).clamp(min=torch.finfo(R.dtype).tiny)
    sense = inside @ (sine / size) @ inside  # again, or what was rounded off the planes is large
    sense = (sense - sense.mT) / 2 + eps**0.75 * (half - half.mT)  # any where the sine is 0
    sense = polar(sense + eye - inside, special=False) - (eye - inside)
    sense = (sense - sense.mT) / 2
    for _ in range(3):  # to a square of -1 on the planes, from the roundings of small sines
        sense = sense @ (3 * eye + sense @ sense) / 2
    turn = torch.pi * sense - sine + sine @ sine @ sine / 6  # less the arc sine, to order 3
    free = cosine[..., :1, None] < -1 + 32 * eps
    return (turn - turn.mT) / 2, eye - inside, free


def symmetric_log(S: Tensor) -> Tensor:
    """The logarithm of a symmetric positive definite matrix, (..., n, n)."""
    node, V = torch.linalg.eigh(S.detach())
    total = node[..., :, None] + node[..., None, :]
    x = (node[..., :, None] - node[..., None, :]) / total
    near = x.abs() < 1e-2
    safe = torch.where(near, 0.5, x)
    series = 1 + x * x * (1 / 3 + x * x * (1 / 5 + x * x * (1 / 7 + x * x / 9)))
    slope = torch.where(near, series, safe.atanh() / safe) * 2 / total
    return _taylor(S, V, node.log(), slope, node, _log_curvature)


def eigenprojector(S: Tensor, k: int) -> Tensor:
    """The projector on the k leading eigenvectors of a symmetric matrix, (..., n, n).

    Where the k-th and the next eigenvalue are equal, one of several, with that part of the
    derivative left out.
    """
    node, V = torch.linalg.eigh(S.detach())
    n = node.shape[-1]
    step = (torch.arange(n, device=S.device) >= n - k).to(S.dtype).expand_as(node)
    rise = step[..., :, None] - step[..., None, :]
    gap = node[..., :, None] - node[..., None, :]
    flat = (rise == 0) | (gap == 0)
    slope = torch.where(flat, 0, rise / torch.where(flat, 1, gap))
    return _taylor(S, V, step, slope, node, torch.zeros_like)


def polar(M: Tensor, *, special: bool) -> Tensor:
    """The unitary matrix nearest to square M; with ``special``, for real M, of determinant 1.

    Where two singular values cancel (M singular, or its determinant negative and the two least
    equal) no nearest one is singled out, and that part of the derivative is left out.
    """
    W, s, Vh = torch.linalg.svd(M.detach(), full_matrices=False)
    if special and not M.is_complex():
        sign = torch.linalg.det(W @ Vh).sign()[..., None]
        last = torch.arange(s.shape[-1], device=s.device) == s.shape[-1] - 1
        flip = torch.where(last, sign, 1)
        W, s = W * flip[..., None, :], s * flip
    E = W.mH @ (M - M.detach()) @ Vh.mH  # M = W (s + E) V^+, and the factor is W exp(A) V^+
    total = s[..., :, None] + s[..., None, :]
    cut = total.abs() <= 10 * torch.finfo(s.dtype).eps * s[..., :1, None]
    inverse = torch.where(cut, 0, 1 / torch.where(cut, 1, total))
    A = inverse * (E - E.mH)
    half = A @ A / 2
    rest = half * s[..., None, :] - A @ E
    A2 = inverse * (rest - rest.mH)
    return W @ (torch.eye(s.shape[-1], dtype=M.dtype, device=M.device) + A + A2 + half) @ Vh


def _unitary_eigen(U: Tensor) -> tuple[Tensor, Tensor]:
    """Phases in [-pi, pi], ascending as far as they are not moved, and orthonormal eigenvectors.

    Those of the Hermitian tan(H / 2) with U turned so that its widest gap lies at pi.
    """
    n = U.shape[-1]
    angle = torch.linalg.eigvals(U).angle().sort(-1).values
    gap = torch.cat([angle.diff(dim=-1), angle[..., :1] + 2 * torch.pi - angle[..., -1:]], -1)
    widest = gap.argmax(-1, keepdim=True)
    cut = torch.take_along_dim(angle + gap / 2, widest, -1)[..., None]
    W = -torch.polar(torch.ones_like(cut), -cut) * U
    eye = torch.eye(n, dtype=U.dtype, device=U.device)
    H = torch.linalg.solve(eye + W, 1j * (eye - W))
    V = torch.linalg.eigh((H + H.mH) / 2).eigenvectors
    phase = (V.conj() * (U @ V)).sum(-2).angle()
    phase, order = phase.sort(-1)
    return phase, torch.take_along_dim(V, order[..., None, :], -1)


def _log_curvature(node: Tensor) -> Tensor:
    return -1 / (2 * node * node)


def _taylor(
    A: Tensor,
    V: Tensor,
    value: Tensor,
    first: Tensor,
    node: Tensor,
    curvature: Callable[[Tensor], Tensor],
) -> Tensor:
    """V (value + first o D + second-order term) V^+ with D = V^+ (A - A0) V."""
    D = V.mH @ (A - A.detach()) @ V
    second = _second_differences(first, node, curvature)
    quadratic = torch.einsum("...ikj,...ik,...kj->...ij", second, D, D)
    return V @ (torch.diag_embed(value) + first * D + quadratic) @ V.mH


def _second_differences(
    first: Tensor, node: Tensor, curvature: Callable[[Tensor], Tensor]
) -> Tensor:
    """Divided differences [i, k, j] from those of first order, over the widest gap.

    Where all three nodes meet, ``curvature``, half the second derivative, at their mean.
    """
    ik, kj, ij = first[..., :, :, None], first[..., None, :, :], first[..., :, None, :]
    i, k, j = node[..., :, None, None], node[..., None, :, None], node[..., None, None, :]
    full = (*node.shape, node.shape[-1], node.shape[-1])
    rise = torch.stack([x.expand(full) for x in (ik - kj, ij - kj, ik - ij)])
    run = torch.stack([x.expand(full) for x in (i - j, i - k, k - j)])
    widest = run.abs().argmax(0, keepdim=True)
    rise, run = (torch.take_along_dim(x, widest, 0).squeeze(0) for x in (rise, run))
    mean = (i + k + j) / 3
    near = (
        run.abs()
        < torch.finfo(first.dtype).eps ** (1 / 3) * node.abs().amax(-1)[..., None, None, None]
    )
    quotient = rise / torch.where(near, 1, run)
    return torch.where(near, curvature(torch.where(near, mean, 1)), quotient)
