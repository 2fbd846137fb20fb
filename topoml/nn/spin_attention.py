"""Attention between the spins of a lattice by their scalar products."""

import itertools

import torch
from torch import Tensor, nn

from .._core.checks import check_count
from ..kernels.periodic_conv import fill_kernel, periodic_conv
from ._lattice import check_kernel, check_lattice, fold_spins, spin_length, start_weight

__all__ = ["SpinAttention", "shells"]


class SpinAttention(nn.Module):
    r"""Self-attention of spins, (B, C, *L, n) -> same, unit vectors in the end.

    .. math:: S'_x = N\Bigl(S_x + \sum_y \mathrm{ReLU}\Bigl(\frac{S^Q_x \cdot S^K_y}{\sqrt{C n}}
              \Bigr) S^V_y\Bigr), \qquad S^\alpha_x = \sum_{k = 0}^{m} W^\alpha_k
              \sum_{y \sim_k x} S_y, \qquad N(v) = v / |v|

    over all sites y of the periodic lattice, where :math:`y \sim_k x` are the k-th nearest sites
    (k = 0: the site itself), each :math:`W^\alpha_k` mixes the channels, and N acts on each vector.
    With C = 1 and n = 3 this is the layer of the paper. Commutes with O(n), translations, and the
    point group of the hypercubic lattice. The query, key and value weights are ``weight`` (3, C, C,
    m + 1); keys start with the weights of the queries, so that a site attends to itself: with
    others all scores may be negative, where ReLU has no gradient.

    The gradient at the kink of ReLU is that of 0; a vector 0 stays 0 under N, with the identity as
    gradient. Time and memory grow with the square of the number of sites.

    Args:
        channels: C.
        n_shells: m, at least 1: 1 takes in the nearest neighbours.
        dim: Number of lattice axes.

    Raises:
        InputError: An argument out of these ranges, at once; a wrong field, on the call.

    Source: Nagai, Tomiya, "Self-learning Monte Carlo with equivariant Transformer",
        arXiv:2306.11527; the channels are ours.

    Example:
        >>> import torch
        >>> layer = SpinAttention(1, 1, dim=1)
        >>> layer.weight.data.zero_().shape
        torch.Size([3, 1, 1, 2])
        >>> layer(torch.tensor([[[[0.0, 2.0], [3.0, 0.0]]]])).tolist()
        [[[[0.0, 1.0], [1.0, 0.0]]]]
    """

    shell: Tensor

    def __init__(self, channels: int, n_shells: int = 2, *, dim: int = 2) -> None:
        super().__init__()
        self.channels = check_count("channels", channels)
        self.n_shells, self.dim = check_count("n_shells", n_shells), check_count("dim", dim)
        shell = shells(n_shells, dim)
        self.register_buffer("shell", shell, persistent=False)
        fan_in = channels * int((shell >= 0).sum())
        self.weight = start_weight(3, channels, channels, n_shells + 1, fan_in=fan_in)
        self.weight.data[1] = self.weight.data[0]

    def extra_repr(self) -> str:
        return f"{self.channels}, {self.n_shells}, dim={self.dim}"

    def forward(self, x: Tensor) -> Tensor:
        check_lattice("x", x, "(B, C, *L, n)", self.dim + 3, self.channels)
        check_kernel("x", x.shape[2:-1], len(self.shell))
        kernel = fill_kernel(self.weight, self.shell).flatten(0, 1)  # (3 C, C, *K)
        qkv = periodic_conv(fold_spins(x), kernel)
        qkv = qkv.reshape(x.shape[0], x.shape[-1], 3, self.channels, -1)
        q, k, v = qkv.permute(2, 0, 4, 3, 1).flatten(3)  # (B, sites, C n) each
        scores = torch.relu(q @ k.mT / (q.shape[-1] ** 0.5))
        moved = (scores @ v).reshape(x.shape[0], -1, self.channels, x.shape[-1])
        y = x + moved.movedim(2, 1).reshape(x.shape)
        length = spin_length(y)
        return torch.div(y, length.where(length > 0, 1.0))


def shells(n_shells: int, dim: int) -> Tensor:
    """Number of the shell of each site of a kernel, by its distance from the middle, int64 (*K).

    0 is the middle, 1 its nearest neighbours; -1 is beyond ``n_shells``. The box is the smallest.

    Example:
        >>> shells(2, 2)
        tensor([[2, 1, 2],
                [1, 0, 1],
                [2, 1, 2]])
    """
    box = itertools.product(range(n_shells + 1), repeat=dim)
    squares = sorted({sum(i * i for i in r) for r in box})[: n_shells + 1]
    radius = int(squares[-1] ** 0.5)
    axis = torch.arange(-radius, radius + 1) ** 2
    square = torch.stack(torch.meshgrid(*[axis] * dim, indexing="ij")).sum(0)
    index = torch.searchsorted(torch.tensor(squares), square)
    return torch.where(square > squares[-1], -1, index)
