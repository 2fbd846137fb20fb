"""Atol: how near the classes of a diagram are to centers found by k-means."""

import torch
from torch import Tensor

from .._core.checks import check_count
from .._core.errors import InputError
from .._core.optional import require
from ..homology import Diagrams
from ._checks import check_diagrams
from ._classes import Classes, classes_of, segment_mean, segment_sum
from ._elements import distances, exponential_elements

__all__ = ["atol", "atol_centers", "check_contrast", "check_weighting"]

CONTRASTS = ("gaussian", "laplacian", "indicator")
WEIGHTINGS = ("cloud", "iidproba")


def atol(
    diagrams: Diagrams,
    *,
    centers: Tensor,
    inertias: Tensor,
    contrast: str = "gaussian",
    weighting_method: str = "cloud",
) -> Tensor:
    r"""Contrast between the classes of a diagram and given centers, summed or averaged.

    .. math:: y_k = \sum_{p \in D} \psi\left(\frac{\|p - c_k\|_2}{\iota_k}\right), \qquad
              p = (b, d), \quad \psi(t) = e^{-t^2},\; e^{-t} \text{ or } \min(1, \max(0, 2 - t))

    for the contrasts gaussian, laplacian and indicator. Invariant to the order of the classes up
    to rounding. Essential classes are left out (give them a death with ``Diagrams.capped``).

    Differentiable in births, deaths, centers and inertias; 0 at the kinks. Computed in the dtype
    of the points (float32 for half precision), on their device. Sample i depends on sample i
    alone, bit for bit. Memory O(P k).

    Args:
        diagrams: Of any batch shape.
        centers: (n, k, 2), columns (birth, death), k for each of the n homology dimensions in the
            order of ``diagrams.homology_dimensions``; true values for a superlevel filtration.
        inertias: (n, k), > 0 (not checked), in the filtration's unit.
        contrast: "gaussian", "laplacian" or "indicator".
        weighting_method: "cloud" for the sum, "iidproba" for the mean.

    Returns:
        (*batch, n * k), zeros where a sample has no class. Dtype and device of the points.

    Raises:
        InputError: An argument of another type, shape or name.

    Source: Royer et al., AISTATS 2021, arXiv:1909.13472; as
        ``gudhi.representations.vector_methods.Atol`` on the same centers.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> d = cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,))
        >>> centers, inertias = torch.tensor([[[1.0, 3.0], [1.0, 0.0]]]), torch.tensor([[1.0, 2.0]])
        >>> atol(d, centers=centers, inertias=inertias, contrast="indicator")
        tensor([1.0000, 0.5000])
    """
    check_diagrams(diagrams)
    check_contrast(contrast)
    check_weighting(weighting_method)
    n = len(diagrams.homology_dimensions)
    for name, value, shape in (("centers", centers, (n, -1, 2)), ("inertias", inertias, (n, -1))):
        fits = isinstance(value, Tensor) and value.is_floating_point() and value.ndim == len(shape)
        if not fits or value.shape[0] != n or value.shape[1] != centers.shape[1]:
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            expected = f"({n}, k{', 2' if name == 'centers' else ''})"
            raise InputError(f"`{name}` is {got}; expected floats of shape {expected}.")
    pool = segment_sum if weighting_method == "cloud" else segment_mean
    blocks = []
    for dimension, center, inertia in zip(
        diagrams.homology_dimensions, centers, inertias, strict=True
    ):
        birth, death, _, counts = classes_of(diagrams, dimension)
        sharpness = (1 / inertia)[:, None].expand(-1, 2)
        if contrast == "gaussian":
            values = exponential_elements(birth, death, center, sharpness)
        elif contrast == "laplacian":
            values = torch.exp(-distances(birth, death, center, sharpness))
        else:
            values = (2 - distances(birth, death, center, sharpness)).clamp(0, 1)
        blocks.append(pool(values, counts))
    out = torch.cat(blocks, 1).to(diagrams.points.dtype)
    return out.reshape(*diagrams.batch_shape, out.shape[1])


def atol_centers(
    diagrams: Diagrams, *, n_clusters: int, random_state: int, weighting_method: str = "cloud"
) -> tuple[Tensor, Tensor]:
    r"""Centers and inertias for ``atol``, by k-means in each homology dimension.

    The inertia of a center is half the distance to the nearest other one; of a single center, half
    the diameter of the classes, in time O(P^2). scikit-learn does the clustering on the CPU
    (10 starts); it carries no gradient.

    Args:
        diagrams: Of any batch shape, with at least ``n_clusters`` distinct finite classes in each
            homology dimension.
        n_clusters: Centers for each of the n homology dimensions, at least 1.
        random_state: Seed of ``sklearn.cluster.KMeans``.
        weighting_method: "cloud" gives every class the same weight, "iidproba" every sample.

    Returns:
        centers (n, n_clusters, 2), sorted by death, then birth, and inertias (n, n_clusters), both
        float64 on the CPU.

    Raises:
        InputError: An argument of another type or name, or too few classes.

    Source: Royer et al., AISTATS 2021, arXiv:1909.13472; as
        ``gudhi.representations.vector_methods.Atol``, which fills up with centers at infinity
        where there are too few classes.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> x = torch.tensor([[0.0, 5.0, 1.0, 6.0, 4.0]])
        >>> d = cubical_persistence(x, homology_dimensions=(0,))
        >>> atol_centers(d, n_clusters=2, random_state=0)
        (tensor([[[1., 5.],
                 [4., 6.]]], dtype=torch.float64), tensor([[1.5811, 1.5811]], dtype=torch.float64))
    """
    check_diagrams(diagrams)
    check_weighting(weighting_method)
    k = check_count("n_clusters", n_clusters)
    cluster = require("sklearn.cluster")
    diagrams = diagrams.detach().to("cpu", torch.float64)
    all_centers, all_inertias = [], []
    for dimension in diagrams.homology_dimensions:
        classes = classes_of(diagrams, dimension)
        points = torch.stack([classes.birth, classes.death], 1)
        n_distinct = len(torch.unique(points, dim=0))
        if n_distinct < k:
            raise InputError(
                f"`diagrams` has {n_distinct} distinct finite classes in dimension {dimension};"
                f" expected at least n_clusters = {k}. Cure: more samples, or fewer clusters."
            )
        kmeans = cluster.KMeans(n_clusters=k, n_init=10, random_state=random_state)
        kmeans.fit(points.numpy(), sample_weight=_masses(classes, weighting_method).numpy())
        centers = torch.from_numpy(kmeans.cluster_centers_.astype("float64"))
        for column in (0, 1):
            centers = centers[centers[:, column].argsort(stable=True)]
        all_centers.append(centers)
        all_inertias.append(_inertias(centers, points))
    return torch.stack(all_centers), torch.stack(all_inertias)


def check_contrast(contrast: object) -> str:
    if contrast not in CONTRASTS:
        raise InputError(f"`contrast` is {contrast!r}; expected one of {CONTRASTS}.")
    return str(contrast)


def check_weighting(weighting_method: object) -> str:
    if weighting_method not in WEIGHTINGS:
        raise InputError(
            f"`weighting_method` is {weighting_method!r}; expected one of {WEIGHTINGS}."
        )
    return str(weighting_method)


def _masses(classes: Classes, weighting_method: str) -> Tensor:
    """(n,): 1 a class, or 1 a sample."""
    if weighting_method == "cloud":
        return torch.ones_like(classes.birth)
    counts = classes.counts.to(torch.float64)
    return torch.repeat_interleave(1 / counts, classes.counts)


def _inertias(centers: Tensor, points: Tensor) -> Tensor:
    if len(centers) > 1:
        apart = torch.cdist(centers, centers, compute_mode="donot_use_mm_for_euclid_dist")
        return apart.where(apart > 0, torch.inf).amin(0) / 2
    widest = max(
        float(torch.cdist(part, points, compute_mode="donot_use_mm_for_euclid_dist").max())
        for part in torch.split(points, 1024)
    )
    return torch.tensor([widest / 2 if widest > 0 else 1.0], dtype=torch.float64)
