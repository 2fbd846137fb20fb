"""Layers on complex fields with charges: XY spins under U(1), clock spins under Z_q."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .._core.checks import check_count
from .._core.errors import InputError
from ..kernels.periodic_conv import fill_kernel, periodic_conv
from ._lattice import check_kernel, check_lattice, check_odd, spin_length, start_weight
from .equivariance import Action, Element, Value

__all__ = [
    "HarmonicConv",
    "HarmonicGate",
    "HarmonicProduct",
    "angle_harmonics",
    "phase_rotations",
]


def angle_harmonics(theta: Tensor, charges: Sequence[int]) -> Tensor:
    r"""Powers of the phase of an angle, (B, *L) -> (B, C, *L) complex.

    .. math:: z_m = e^{i m \theta}

    Turning all angles by :math:`\alpha` multiplies the field of charge m by :math:`e^{i m \alpha}`.
    The dtype is complex of the precision of ``theta``.

    Args:
        theta: Angles in radians; of a clock state s of q, :math:`2 \pi s / q`.
        charges: The integers m.

    Raises:
        InputError: Charges that are no integers; angles that are no floats.

    Example:
        >>> import torch
        >>> angle_harmonics(torch.zeros(1, 2), (1, -2)).shape
        torch.Size([1, 2, 2])
    """
    check_lattice("theta", theta, "(B, *L)", 2, more_axes=True)
    m = torch.tensor(_check_charges("charges", charges), device=theta.device)
    angle = m.view(-1, *(1,) * (theta.ndim - 1)) * theta.unsqueeze(1)
    return torch.complex(angle.cos(), angle.sin())


class HarmonicConv(nn.Module):
    r"""Convolution between equal charges, complex (B, I, *L) -> (B, O, *L), periodic.

    .. math:: z'_{x, o} = \sum_{i : m_i \equiv m_o} \sum_r w_{oi}(r)\, z_{x + r, i}
              + b_o\, [m_o \equiv 0]

    with complex w and b. Commutes with the rotation of all phases, :math:`z_i \to
    e^{i m_i \alpha} z_i`: any :math:`\alpha` (XY), or with ``order`` = q the multiples of
    :math:`2 \pi / q` (clock), where charges are equal modulo q. Linear in z and the weights. The
    parameters are real, ``weight`` (2, pairs, *K) and ``bias`` (2, neutral outputs), None where
    there is none, with real and imaginary parts in front, pairs in the order of (o, i).

    Args:
        in_charges: The integers m_i, one a channel.
        out_charges: The m_o. Each must be the charge of an input, or 0.
        kernel_size: Side of the kernel, odd.
        dim: Number of lattice axes.
        order: None for U(1), or q, at least 1.
        reflections: Keep to real w and b, ``weight`` (1, ...): commutes with z -> conj(z) as well,
            which makes O(2) or the dihedral group.

    Raises:
        InputError: An argument out of these ranges, at once; a wrong field, on the call.

    Source: Worrall et al., "Harmonic networks", CVPR 2017, arXiv:1612.04642, whose rotations act
        on the plane; here they act on the spins.

    Example:
        >>> import torch
        >>> layer = HarmonicConv((1, 2), (2, 1), 1, dim=1)
        >>> layer.weight.data = torch.tensor([[[1.0], [2.0]], [[0.0], [0.0]]])
        >>> layer(torch.tensor([[[1j], [3.0]]])).flatten().tolist()
        [(3+0j), 2j]
    """

    index: Tensor
    neutral: Tensor

    def __init__(
        self,
        in_charges: Sequence[int],
        out_charges: Sequence[int],
        kernel_size: int = 3,
        *,
        dim: int = 2,
        order: int | None = None,
        reflections: bool = False,
    ) -> None:
        super().__init__()
        self.in_charges = _check_charges("in_charges", in_charges)
        self.out_charges = _check_charges("out_charges", out_charges)
        self.kernel_size, self.dim = check_odd(kernel_size), check_count("dim", dim)
        self.order = None if order is None else check_count("order", order)
        a, b = torch.tensor(self.out_charges)[:, None], torch.tensor(self.in_charges)
        pairs, neutral = self._neutral(a - b), self._neutral(a[:, 0])
        for m, fed in zip(self.out_charges, (pairs.any(1) | neutral).tolist(), strict=True):
            if not fed:
                raise InputError(
                    f"`out_charges` has {m}; expected charges of inputs, {self.in_charges}, or 0."
                    " Cure: HarmonicProduct makes sums and differences of charges."
                )
        index = torch.where(pairs, pairs.flatten().cumsum(0).view_as(pairs) - 1, -1)
        self.register_buffer("index", index, persistent=False)
        index = torch.where(neutral, neutral.cumsum(0) - 1, -1)
        self.register_buffer("neutral", index, persistent=False)
        parts = 1 if reflections else 2
        fan_in = parts * max(1, int(pairs.sum(1).max())) * kernel_size**dim
        box = (kernel_size,) * dim
        self.weight = start_weight(parts, int(pairs.sum()), *box, fan_in=fan_in)
        n = int(neutral.sum())
        self.bias = nn.Parameter(torch.zeros(parts, n)) if n else None

    def _neutral(self, charges: Tensor) -> Tensor:
        return (charges if self.order is None else charges % self.order) == 0

    def extra_repr(self) -> str:
        return (
            f"{self.in_charges}, {self.out_charges}, {self.kernel_size}, dim={self.dim},"
            f" order={self.order}, reflections={len(self.weight) == 1}"
        )

    def forward(self, z: Tensor) -> Tensor:
        n = len(self.in_charges)
        check_lattice("z", z, "(B, C, *L)", self.dim + 2, n, is_complex=True)
        check_kernel("z", z.shape[2:], self.kernel_size)
        weight = fill_kernel(self.weight.movedim(1, -1), self.index).movedim((-2, -1), (1, 2))
        re, im = _two_parts(weight)
        kernel = torch.cat([torch.cat([re, -im], 1), torch.cat([im, re], 1)])
        y = periodic_conv(torch.cat([z.real, z.imag], 1), kernel)
        if self.bias is not None:
            bias = _two_parts(fill_kernel(self.bias, self.neutral))
            y = y + bias.reshape(-1, *(1,) * self.dim)
        return torch.complex(*y.chunk(2, 1))


class HarmonicGate(nn.Module):
    r"""Complex fields made longer or shorter by their modulus, (B, C, *sites) -> same.

    .. math:: z'_c = z_c\, \sigma(a_c |z_c| + b_c), \qquad \sigma(t) = 1 / (1 + e^{-t})

    Keeps charges, commutes with z -> conj(z). At z = 0 the value is 0 and the gradient
    :math:`\sigma(b_c)` times the identity. a starts at 1, b at 0.

    Args:
        channels: C.

    Raises:
        InputError: ``channels`` out of its range; a wrong field, on the call.

    Source: ours; nonlinearities of the modulus are those of Worrall et al., arXiv:1612.04642.

    Example:
        >>> import torch
        >>> gate = HarmonicGate(1)
        >>> gate.scale.data.zero_()
        tensor([0.])
        >>> gate(torch.tensor([[[2j, 0j]]])).detach()
        tensor([[[0.+1.j, 0.+0.j]]])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = check_count("channels", channels)
        self.scale = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def extra_repr(self) -> str:
        return f"{self.channels}"

    def forward(self, z: Tensor) -> Tensor:
        _check_charged(z, self.channels)
        scale, bias = (p.view(-1, *(1,) * (z.ndim - 2)) for p in (self.scale, self.bias))
        length = spin_length(torch.view_as_real(z.resolve_conj())).squeeze(-1)
        return torch.mul(z, torch.sigmoid(scale * length + bias))


class HarmonicProduct(nn.Module):
    r"""Products that add or subtract charges, complex (B, C, *sites) -> (B, C + C (C + 1), *sites).

    .. math:: z_i, \qquad z_i z_j \text{ of charge } m_i + m_j, \qquad
              z_i \bar z_j \text{ of charge } m_i - m_j, \qquad i \le j

    the fields themselves, then the products, then those with the conjugate, pairs in the order
    (0, 0), (0, 1), ..., (1, 1), .... ``out_charges`` are their charges, for the `HarmonicConv`
    behind. Commutes with z -> conj(z). No parameters; smooth.

    Args:
        in_charges: The integers m_i.

    Raises:
        InputError: Charges that are no integers; a wrong field, on the call.

    Source: ours.

    Example:
        >>> import torch
        >>> layer = HarmonicProduct((1, 3))
        >>> layer.out_charges
        (1, 3, 2, 4, 6, 0, -2, 0)
        >>> layer(torch.tensor([[[1j], [2.0]]])).flatten()
        tensor([ 0.+1.j,  2.+0.j, -1.+0.j,  0.+2.j,  4.+0.j,  1.+0.j,  0.+2.j,  4.+0.j])
    """

    pairs: Tensor

    def __init__(self, in_charges: Sequence[int]) -> None:
        super().__init__()
        self.in_charges = m = _check_charges("in_charges", in_charges)
        pairs = torch.triu_indices(len(m), len(m))
        self.register_buffer("pairs", pairs, persistent=False)
        sums = tuple(m[i] + m[j] for i, j in pairs.T.tolist())
        self.out_charges = (*m, *sums, *(m[i] - m[j] for i, j in pairs.T.tolist()))

    def extra_repr(self) -> str:
        return f"{self.in_charges}"

    def forward(self, z: Tensor) -> Tensor:
        _check_charged(z, len(self.in_charges))
        a, b = z[:, self.pairs[0]], z[:, self.pairs[1]]
        return torch.cat([z, a * b, a * b.conj()], 1)


def phase_rotations(
    in_charges: Sequence[int], out_charges: Sequence[int], *, order: int | None = None
) -> Action:
    r"""The action z_c -> e^{i m_c \alpha} z_c for `assert_equivariant`, one alpha for all sites.

    Args:
        in_charges: m_c of the input (B, C, *sites).
        out_charges: m_c of the output.
        order: None draws alpha uniformly, q from the multiples of 2 pi / q.

    Example:
        >>> import torch
        >>> from topoml.nn.equivariance import assert_equivariant
        >>> z = torch.tensor([[[1.0 + 1j]]])
        >>> action = phase_rotations((1,), (2,), order=4)
        >>> assert_equivariant(torch.square, action, z, torch.Generator()) < 1e-6
        True
    """
    charges_in = torch.tensor(_check_charges("in_charges", in_charges))
    charges_out = torch.tensor(_check_charges("out_charges", out_charges))

    def draw(x: Value, generator: torch.Generator) -> Element:
        device = generator.device
        if order is None:
            turns = torch.rand(1, generator=generator, device=device, dtype=torch.float64)
        else:
            turns = torch.randint(order, (1,), generator=generator, device=device).double() / order
        return 2 * math.pi * turns

    def turn(alpha: Element, x: Value, charges: Tensor) -> Value:
        phase = torch.exp(1j * alpha * charges.to(alpha.device))
        return phase.to(x).view(-1, *(1,) * (x.ndim - 2)) * x

    return Action(draw, lambda g, x: turn(g, x, charges_in), lambda g, y: turn(g, y, charges_out))


def _check_charges(name: str, charges: object) -> tuple[int, ...]:
    """At least one integer."""
    found = tuple(charges) if isinstance(charges, Sequence) else ()
    if not found or not all(type(m) is int for m in found):
        raise InputError(f"`{name}` is {charges!r}; expected integers, one a channel.")
    return found


def _check_charged(z: Tensor, channels: int) -> None:
    """Complex channels, any sites."""
    check_lattice("z", z, "(B, C, *sites)", 2, channels, more_axes=True, is_complex=True)


def _two_parts(x: Tensor) -> Tensor:
    """Real and imaginary parts (2, ...), the latter 0 if there is one part only."""
    return x if len(x) == 2 else torch.cat([x, torch.zeros_like(x)])
