"""Layers on sets of four-vectors that respect the Lorentz group and permutations."""

import torch
from torch import Tensor, nn

from .._core.checks import check_count
from .._core.errors import InputError

__all__ = ["LorentzBlock", "LorentzInvariants", "LorentzLinear", "minkowski_product"]


class LorentzInvariants(nn.Module):
    r"""All Minkowski products, p (B, P, 4) -> (B, P, P): `minkowski_product` of every pair.

    Invariant under the Lorentz group O(1, 3); rows and columns follow permutations. In units of
    energy squared; the diagonal is the squared masses. No parameters.

    Source: Weyl, The Classical Groups (1946): all invariants of vectors are functions of these.

    Example:
        >>> import torch
        >>> LorentzInvariants()(torch.tensor([[[5.0, 3.0, 0.0, 0.0], [1.0, 0.0, 0.0, 1.0]]]))
        tensor([[[16.,  5.],
                 [ 5.,  0.]]])
    """

    def forward(self, p: Tensor) -> Tensor:
        _check_vectors("p", p, 2)
        return minkowski_product(p[..., :, None, :], p[..., None, :, :])


class LorentzLinear(nn.Module):
    r"""Linear combinations of channels of four-vectors, (\*batch, in, 4) -> (\*batch, out, 4).

    .. math:: p'_i = \sum_j w_{ij}\, p_j

    the only linear maps that commute with the Lorentz group; no bias. ``weight`` (out, in), at
    first normal with variance 1 / in.

    Args:
        in_channels: Vectors of the input, at least 1.
        out_channels: Vectors of the result.

    Raises:
        InputError: An argument out of range, at once; a wrong tensor, on the call.

    Source: Schur's lemma.

    Example:
        >>> import torch
        >>> layer = LorentzLinear(2, 1)
        >>> layer.weight.data = torch.tensor([[1.0, -2.0]])
        >>> layer(torch.eye(4)[:2]).detach()
        tensor([[ 1., -2.,  0.,  0.]])
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.in_channels = check_count("in_channels", in_channels)
        self.out_channels = check_count("out_channels", out_channels)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels) / in_channels**0.5)

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}"

    def forward(self, p: Tensor) -> Tensor:
        _check_vectors("p", p, 2)
        if p.shape[-2] != self.in_channels:
            raise InputError(
                f"`p` has shape {tuple(p.shape)}; expected (*batch, {self.in_channels}, 4)."
            )
        return self.weight.to(p.dtype) @ p


class LorentzBlock(nn.Module):
    r"""Messages between particles, p (B, P, 4), h (B, P, C) -> p, h of the same shapes.

    .. math:: m_{ij} = \phi_e(h_i + h_j, h_i h_j, \psi(|p_i - p_j|^2), \psi(p_i \cdot p_j)), \quad
              p'_i = p_i + \frac1P \sum_{j \ne i} \tanh(\phi_x(m_{ij}))\, p_j, \quad
              h'_i = h_i + \phi_h\Bigl(h_i, \frac1P \sum_{j \ne i} \sigma(\phi_m(m_{ij})) m_{ij}
              \Bigr)

    with psi = asinh, smooth and logarithmic at large arguments, and hidden layers of tanh:
    a message is bounded. p is covariant and h invariant under O(1, 3); both follow permutations of
    the particles. Differentiable everywhere. Parameters are cast to the dtype of the input.

    Args:
        channels: C, scalars a particle.
        width: Of the hidden layers.

    Raises:
        InputError: An argument out of range, at once; wrong tensors, on the call.

    Source: after the block of LorentzNet, Gong et al., arXiv:2201.08187; psi, the bounds and the
        symmetric message are ours.

    Example:
        >>> import torch
        >>> p, h = LorentzBlock(3, 8)(torch.zeros(1, 5, 4), torch.zeros(1, 5, 3))
        >>> p.shape, h.shape
        (torch.Size([1, 5, 4]), torch.Size([1, 5, 3]))
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.channels, self.width = check_count("channels", channels), check_count("width", width)
        self.message = _mlp(2 * channels + 2, width, width)
        self.attention, self.along = nn.Linear(width, 1), nn.Linear(width, 1)
        self.update = _mlp(channels + width, width, channels)

    def extra_repr(self) -> str:
        return f"{self.channels}, {self.width}"

    def forward(self, p: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        _check_vectors("p", p, 2)
        if tuple(h.shape) != (*p.shape[:-1], self.channels) or h.dtype != p.dtype:
            raise InputError(
                f"`h` is {h.dtype} of shape {tuple(h.shape)}; expected {p.dtype} of shape"
                f" {(*p.shape[:-1], self.channels)}."
            )
        n = p.shape[-2]
        gap = p[..., :, None, :] - p[..., None, :, :]
        products = minkowski_product(p[..., :, None, :], p[..., None, :, :])
        scalars = torch.stack([minkowski_product(gap, gap), products], -1).asinh()
        ours, theirs = h[..., :, None, :], h[..., None, :, :]
        message = _run(self.message, torch.cat([ours + theirs, ours * theirs, scalars], -1))
        others = (1 - torch.eye(n, dtype=p.dtype, device=p.device)) / n
        weight = others * _run(self.along, message).tanh()[..., 0]
        gate = others * _run(self.attention, message).sigmoid()[..., 0]
        heard = (gate[..., None] * message).sum(-2)
        return p + weight @ p, h + _run(self.update, torch.cat([h, heard], -1))


def minkowski_product(p: Tensor, q: Tensor) -> Tensor:
    r"""p . q = p0 q0 - p1 q1 - p2 q2 - p3 q3 of vectors (E, px, py, pz) on the last axis."""
    return p[..., 0] * q[..., 0] - (p[..., 1:] * q[..., 1:]).sum(-1)


def _mlp(n_in: int, width: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, width), nn.Tanh(), nn.Linear(width, n_out), nn.Tanh())


def _run(module: nn.Module, x: Tensor) -> Tensor:
    """Linear layers with their parameters cast to the dtype of x."""
    if isinstance(module, nn.Sequential):
        for part in module:
            x = _run(part, x)
        return x
    if isinstance(module, nn.Linear):
        return nn.functional.linear(x, module.weight.to(x.dtype), module.bias.to(x.dtype))
    out: Tensor = module(x)
    return out


def _check_vectors(name: str, p: object, n_axes: int) -> None:
    """Floats with four components last."""
    if not isinstance(p, Tensor) or not p.is_floating_point():
        got = str(p.dtype) if isinstance(p, Tensor) else type(p).__name__
        raise InputError(f"`{name}` is {got}; expected a torch.Tensor of floats (.., n, 4).")
    if p.ndim < n_axes or p.shape[-1] != 4:
        raise InputError(
            f"`{name}` has shape {tuple(p.shape)}; expected (.., n, 4), with (E, px, py, pz) last."
        )
