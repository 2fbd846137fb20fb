"""Losses of point clouds: topological signature, connectivity, topology divergence."""

import math
from collections.abc import Sequence
from numbers import Real

import torch
from torch import Tensor

from .._core.errors import InputError
from ..homology import rips_persistence
from ..homology._checks import check_dimensions
from ._sums import block_sums

__all__ = [
    "check_eta",
    "check_normalise",
    "connectivity_loss",
    "rtd_loss",
    "topological_signature_loss",
]

_TINY = 1e-300  # distance of coincident points where only the order of distances counts


def topological_signature_loss(
    x: Tensor, z: Tensor, *, homology_dimensions: Sequence[int] = (0,), normalise: bool = False
) -> Tensor:
    r"""How far two clouds of the same points differ in the distances that make their topology.

    .. math:: L = \tfrac12 \|A^X[\pi^X] - A^Z[\pi^X]\|^2 + \tfrac12 \|A^Z[\pi^Z] - A^X[\pi^Z]\|^2

    with distance matrices A, and :math:`\pi` the edges that create and destroy the classes of the
    Vietoris–Rips filtration: for H0 the n - 1 edges of the minimum spanning tree (those of length 0
    too), for H1 the edges of birth and of death of each class. Point i of ``x`` belongs to point i
    of ``z``: data and latent codes of an autoencoder, say.

    Invariant under isometries of either cloud, with ``normalise`` under scaling, too. Zero for
    equal distances. Differentiable in both clouds; the choice of edges has no gradient (ties go by
    index), subgradient 0 where points coincide. Edges are ranked in float64 on the CPU, whence
    O(n²) memory; each sample depends on itself alone, bit for bit.

    Args:
        x: Cloud (*batch, n, d), any floating dtype, finite.
        z: Cloud (*batch, n, m), same batch shape, n, dtype and device.
        homology_dimensions: Distinct integers among 0, 1.
        normalise: Divide the distances of each cloud by the largest one (a cloud of one point
            repeated is left as it is).

    Returns:
        (*batch,), unit of distance squared, or none if ``normalise``. Dtype and device of ``x``.

    Raises:
        InputError: Clouds that are no float tensors, do not fit each other or are not finite; a
            wrong dimension.

    Source: Moor et al., ICML 2020, arXiv:1906.00722, section 3; H1 as in its generalisation to
        higher dimensions.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0], [1.0], [3.0]])
        >>> topological_signature_loss(x, 2 * x)  # edges 1, 2 against 2, 4, in either direction
        tensor(5.)
        >>> topological_signature_loss(x, 2 * x, normalise=True)
        tensor(0.)
    """
    dimensions = check_dimensions(homology_dimensions, 1)
    divide = check_normalise(normalise)
    x, z = check_pair(x, z)
    batch_shape, dtype = x.shape[:-2], x.dtype
    x, z = _flat(x), _flat(z)
    scale = [_diameter(cloud) if divide else None for cloud in (x, z)]
    halves = []
    for cloud in (x, z):
        sample, i, j = _critical_edges(cloud, dimensions)
        signatures = []
        for points, length in zip((x, z), scale, strict=True):
            edge = _lengths(points[sample, i], points[sample, j])
            signatures.append(edge if length is None else edge / length[sample])
        squares = (signatures[0] - signatures[1]) ** 2
        halves.append(block_sums(squares, sample, len(x)) / 2)
    return (halves[0] + halves[1]).to(dtype).reshape(batch_shape)


def connectivity_loss(points: Tensor, *, eta: float) -> Tensor:
    r"""How far the components of a cloud are from merging all at the same distance.

    .. math:: L = \sum_{e} |\eta - \varepsilon_e|

    over the n - 1 deaths in H0 of the Vietoris–Rips filtration: the edges of the minimum spanning
    tree, lengths as diameters. Its minima have all points at a distance :math:`\eta` from their
    next one, so that a fixed kernel bandwidth suits the whole cloud.

    Invariant under isometries. Differentiable; subgradient 0 at an edge of length exactly
    :math:`\eta` and at coincident points (which it cannot part). The tree is found on the CPU in
    O(n² d) time; each sample depends on itself alone, bit for bit.

    Args:
        points: Cloud (*batch, n, d), any floating dtype, finite.
        eta: Distance wanted, > 0.

    Returns:
        (*batch,), unit of distance; dtype and device of ``points``.

    Raises:
        InputError: ``points`` no float tensor (*batch, n, d), or not finite; ``eta`` no positive
            number.

    Source: Hofer et al., ICML 2019, arXiv:1906.09003.

    Example:
        >>> import torch
        >>> connectivity_loss(torch.tensor([[0.0], [1.0], [4.0]]), eta=2.0)  # edges 1 and 3
        tensor(2.)
    """
    wanted = check_eta(eta)
    d = rips_persistence(points, homology_dimensions=(0,))
    deaths = d.points[:, 1]
    if deaths.dtype in (torch.float16, torch.bfloat16):
        deaths = deaths.float()
    sums = block_sums((wanted - deaths).abs(), d.sample, d.n_samples)
    found = torch.bincount(d.sample, minlength=d.n_samples)
    missing = (points.shape[-2] - 1 - found).to(sums)  # edges of length 0, which make no class
    return (sums + missing * wanted).to(points.dtype).reshape(d.batch_shape)


def rtd_loss(x: Tensor, z: Tensor) -> Tensor:
    r"""Representation topology divergence of two clouds of the same points, made symmetric.

    .. math:: L = \tfrac12 \big( \mathrm{RTD}_1(X, Z) + \mathrm{RTD}_1(Z, X) \big), \qquad
              \mathrm{RTD}_1(X, Z) = \sum_i d_i - b_i

    over the classes in H1 of the Vietoris–Rips filtration of the doubled graph, with 2 n vertices
    and the weights

    .. math:: \begin{pmatrix} 0 & A^X \\ A^X & \min(A^X, A^Z) \end{pmatrix}

    with distance matrices A: H1 of the filtration of :math:`\min(A^X, A^Z)` relative to the smaller
    one of :math:`A^X`. It collects the components that the minimum joins before X does, and the
    loops that it has and X has not. (In dimensions above 1 these weights are no relative homology.)

    Invariant under isometries of either cloud; zero for equal distances. Differentiable in both
    clouds, subgradient 0 at coincident points; where distances of both clouds are equal, the
    minimum gives each half of the gradient. Pairing on the CPU as in ``rips_persistence``, with
    2 n points that are no metric space, which is slow: about a second for 64 points.

    Args:
        x: Cloud (*batch, n, d), any floating dtype, finite; distances of a comparable scale in both
            (divide by a quantile of them first).
        z: Cloud (*batch, n, m), same batch shape, n, dtype and device.

    Returns:
        (*batch,), unit of distance; dtype and device of ``x``.

    Raises:
        InputError: Clouds that are no float tensors, do not fit each other or are not finite.

    Source: Barannikov et al., ICML 2022, arXiv:2201.00058 (the divergence); Trofimov et al., ICLR
        2023, arXiv:2302.00136 (as a loss).

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0], [1.0], [5.0]])
        >>> z = torch.tensor([[0.0], [1.0], [3.0]])
        >>> rtd_loss(x, z)  # Z joins the last point at 2, X at 4; and half of it
        tensor(1.)
    """
    x, z = check_pair(x, z)
    batch_shape, dtype = x.shape[:-2], x.dtype
    a, b = _distances(_flat(x)), _distances(_flat(z))
    least, zero = torch.minimum(a, b), torch.zeros_like(a)
    doubled = [
        torch.cat([torch.cat([zero, one], -1), torch.cat([one, least], -1)], -2) for one in (a, b)
    ]
    d = rips_persistence(distances=torch.cat(doubled), homology_dimensions=(1,))
    both = block_sums(d.lifetime, d.sample, d.n_samples)
    return ((both[: len(a)] + both[len(a) :]) / 2).to(dtype).reshape(batch_shape)


def check_eta(eta: object) -> float:
    """A finite number above 0."""
    valid = isinstance(eta, Real) and not isinstance(eta, bool)
    if not valid or not 0 < float(eta) < math.inf:  # type: ignore[arg-type]
        raise InputError(f"`eta` is {eta!r}; expected a finite number above 0.")
    return float(eta)  # type: ignore[arg-type]


def check_normalise(normalise: object) -> bool:
    """A bool."""
    if not isinstance(normalise, bool):
        raise InputError(f"`normalise` is {normalise!r}; expected True or False.")
    return normalise


def check_pair(x: object, z: object) -> tuple[Tensor, Tensor]:
    """Two finite clouds of the same number of points."""
    clouds = []
    for name, cloud in (("x", x), ("z", z)):
        if not isinstance(cloud, Tensor) or not cloud.is_floating_point() or cloud.ndim < 2:
            got = type(cloud).__name__
            if isinstance(cloud, Tensor):
                got = f"{cloud.dtype} of shape {tuple(cloud.shape)}"
            raise InputError(f"`{name}` is {got}; expected floats (*batch, n, d), a point cloud.")
        if cloud.shape[-2] == 0 or not bool(torch.isfinite(cloud.detach()).all()):
            fault = "has no point" if cloud.shape[-2] == 0 else "has a NaN or an infinite entry"
            raise InputError(f"`{name}` {fault}; expected finite coordinates of points.")
        clouds.append(cloud)
    one, other = clouds
    if (one.shape[:-1], one.dtype, one.device) != (other.shape[:-1], other.dtype, other.device):
        raise InputError(
            f"`z` has shape {tuple(other.shape)}, {other.dtype}, {other.device}; expected"
            f" {(*one.shape[:-1], 'm')}, {one.dtype}, {one.device}, the points of `x`."
        )
    return one, other


def _flat(cloud: Tensor) -> Tensor:
    """(B, n, d), in float32 for half precision."""
    cloud = cloud.float() if cloud.dtype in (torch.float16, torch.bfloat16) else cloud
    return cloud.reshape(-1, *cloud.shape[-2:])


def _distances(points: Tensor) -> Tensor:
    """Distance matrices (B, n, n) of (B, n, d), symmetric to the bit, gradient 0 at distance 0."""
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")


def _lengths(a: Tensor, b: Tensor) -> Tensor:
    """Distances of rows, gradient 0 at distance 0."""
    square = ((a - b) ** 2).sum(-1)
    apart = square > 0
    return square.where(apart, 1.0).sqrt().where(apart, 0.0)


def _diameter(points: Tensor) -> Tensor:
    """The largest distance in each cloud, (B,); 1 where all are 0."""
    flat = _distances(points.detach()).flatten(1)
    n, at, sample = points.shape[1], flat.argmax(1), torch.arange(len(points))
    sample = sample.to(points.device)
    largest = _lengths(points[sample, at // n], points[sample, at % n])
    return largest.where(largest.detach() > 0, 1.0)


def _critical_edges(points: Tensor, dimensions: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Samples and ends of the edges that create or destroy a class, of (B, n, d).

    Coincident points are set apart a little, so that their edges make classes, too.
    """
    n = points.shape[1]
    apart = _distances(points.detach().cpu().double()).clamp_min(_TINY)
    apart.diagonal(dim1=-2, dim2=-1).zero_()
    d = rips_persistence(distances=apart, homology_dimensions=dimensions)
    index = torch.cat([d.birth_index, d.death_index])
    sample = torch.cat([d.sample, d.sample])
    row = (index >= 0).nonzero().squeeze(1)
    sample, index = sample[row].to(points.device), index[row].to(points.device)
    return sample, index // n, index % n
