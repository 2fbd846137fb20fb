"""A transformer on diagrams: attention between the classes, whatever their order."""

from collections.abc import Sequence
from numbers import Real

import torch
from torch import Tensor, nn

from .._core.checks import check_count
from .._core.errors import InputError
from ..features._checks import check_diagrams
from ..features._classes import same_dimensions, spread
from ..homology import Diagrams
from ..homology._checks import check_dimensions

__all__ = ["DiagramTransformer"]


class DiagramTransformer(nn.Module):
    r"""Diagrams -> (*batch, embed_dim): self-attention between all classes of a sample.

    Each finite class is a token

    .. math:: \left(\operatorname{arsinh}\frac{b - m_1}{s_1},
              \operatorname{arsinh}\frac{\ell - m_2}{s_2}, e_k\right)

    with the unit vector :math:`e_k` of its homology dimension, and nothing about its place in a
    list. Two affine maps with a GELU between embed it; ``num_layers`` encoder layers (normalised
    first, GELU) let the tokens of a sample attend to each other and to one learnt token that every
    sample has, also an empty one; a learnt query pools them. All homology dimensions are seen
    together, so that the width is ``embed_dim`` whatever their number.

    Invariant to the order of the classes, and independent of batch-mates (padding is masked):
    **both up to rounding only**, as attention and products of matrices are blocked by shape.
    Differentiable in births, deaths and parameters. Computed in the dtype of the parameters,
    returned in that of the points. Memory O(n^2) for n classes in the largest sample, unless torch
    has a fused attention for the device.

    ``center`` m and ``scale`` s, buffers (2,), are 0 and 1 until ``fit``.

    Args:
        homology_dimensions: Those of the diagrams, in their order.
        embed_dim: Width of tokens and result, a multiple of ``num_heads``.
        num_heads: Heads of every attention.
        num_layers: Encoder layers.
        dim_feedforward: Hidden width of an encoder layer; None is 2 * ``embed_dim``.
        dropout: In the encoder layers while training, in [0, 1).

    Raises:
        InputError: An argument out of these ranges, at once; an input that is no Diagrams or has
            other homology dimensions.

    Source: in the spirit of Reinauer, Caorsi, Berkouk, arXiv:2112.15210 (Persformer); arsinh, the
        learnt token and the normalisation first are ours.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> layer = DiagramTransformer(homology_dimensions=(0, 1), embed_dim=32)
        >>> layer(cubical_persistence(torch.zeros(5, 4, 4), homology_dimensions=(0, 1))).shape
        torch.Size([5, 32])
    """

    embedding: nn.Module
    encoder: nn.Module
    pooling: nn.Module
    token: Tensor
    query: Tensor
    center: Tensor
    scale: Tensor

    def __init__(
        self,
        *,
        homology_dimensions: Sequence[int],
        embed_dim: int = 64,
        num_heads: int = 4,
        num_layers: int = 2,
        dim_feedforward: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.homology_dimensions = check_dimensions(homology_dimensions, 7)
        width, heads = check_count("embed_dim", embed_dim), check_count("num_heads", num_heads)
        if width % heads:
            raise InputError(f"`embed_dim` is {width}; expected a multiple of num_heads = {heads}.")
        layers = check_count("num_layers", num_layers)
        hidden = 2 * width
        if dim_feedforward is not None:
            hidden = check_count("dim_feedforward", dim_feedforward)
        if not isinstance(dropout, Real) or not 0 <= dropout < 1:
            raise InputError(f"`dropout` is {dropout!r}; expected a number in [0, 1).")
        self.embedding = nn.Sequential(
            nn.Linear(2 + len(self.homology_dimensions), width), nn.GELU(), nn.Linear(width, width)
        )
        layer = nn.TransformerEncoderLayer(
            width, heads, hidden, dropout, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(
            layer, layers, nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.token = nn.Parameter(torch.randn(width) / width**0.5)
        self.query = nn.Parameter(torch.randn(width) / width**0.5)
        self.pooling = nn.MultiheadAttention(width, heads, batch_first=True)
        self.register_buffer("center", torch.zeros(2))
        self.register_buffer("scale", torch.ones(2))

    def fit(self, diagrams: Diagrams) -> "DiagramTransformer":
        """Center and scale of births and lifetimes: mean and standard deviation, in place."""
        same_dimensions(check_diagrams(diagrams), self.homology_dimensions)
        lifetime = diagrams.lifetime.detach()
        points = torch.stack([diagrams.points[:, 0].detach(), lifetime], 1)[lifetime.isfinite()]
        if not len(points):
            raise InputError("`diagrams` has no finite class; expected at least one.")
        self.center.copy_(points.double().mean(0))
        self.scale.copy_(spread(points.double()))
        return self

    def extra_repr(self) -> str:
        return f"homology_dimensions={self.homology_dimensions}"

    def forward(self, diagrams: Diagrams) -> Tensor:
        same_dimensions(check_diagrams(diagrams), self.homology_dimensions)
        if not diagrams.n_samples:  # which torch's attention refuses
            return diagrams.points.new_zeros(*diagrams.batch_shape, len(self.query))
        tokens, padding = self._padded(diagrams)
        encoded = self.encoder(tokens, src_key_padding_mask=padding)
        query = self.query.expand(len(tokens), 1, -1)
        pooled, _ = self.pooling(
            query, encoded, encoded, key_padding_mask=padding, need_weights=False
        )
        out: Tensor = pooled.squeeze(1).to(diagrams.points.dtype)
        return out.reshape(*diagrams.batch_shape, out.shape[1])

    def _padded(self, diagrams: Diagrams) -> tuple[Tensor, Tensor]:
        """Embedded tokens (n_samples, 1 + most, embed_dim), and where there is none."""
        lifetime = diagrams.lifetime
        row = lifetime.detach().isfinite().nonzero().squeeze(1)
        sample = diagrams.sample[row]
        counts = torch.bincount(sample, minlength=diagrams.n_samples)
        most = 1 + (int(counts.max()) if len(row) else 0)
        within = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[sample]
        plane = torch.stack([diagrams.points[:, 0], lifetime], 1).index_select(0, row)
        plane = torch.asinh((plane.to(self.center.dtype) - self.center) / self.scale)
        known = torch.tensor(self.homology_dimensions, device=row.device)
        kind = (diagrams.dimension[row][:, None] == known).to(plane.dtype)
        embedded = self.embedding(torch.cat([plane, kind], 1))
        tokens = embedded.new_zeros(diagrams.n_samples * most, embedded.shape[1])
        tokens = tokens.index_copy(0, sample * most + 1 + within, embedded)
        tokens = tokens.reshape(diagrams.n_samples, most, embedded.shape[1])
        first = self.token.expand(diagrams.n_samples, 1, -1)
        tokens = torch.cat([first, tokens[:, 1:]], 1)
        padding = torch.arange(most, device=row.device) > counts[:, None]
        return tokens, padding
