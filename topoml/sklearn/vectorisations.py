"""Transformers from diagrams to vectors."""

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import Tensor

from ..features import (
    atol,
    atol_centers,
    betti_curve,
    complex_polynomial,
    euler_curve,
    heat_kernel,
    longest_lifetimes,
    persistence_entropy,
    persistence_image,
    persistence_landscape,
    persistence_statistics,
    silhouette,
    template_functions,
    topological_vector,
)
from ..features._checks import Weight
from ..features._ranges import image_range, value_range
from ..homology import Diagrams
from ._vectorisation import OnGrid, OnImage, Vectorisation

__all__ = [
    "Atol",
    "BettiCurve",
    "ComplexPolynomial",
    "EulerCurve",
    "HeatKernel",
    "LongestLifetimes",
    "PersistenceEntropy",
    "PersistenceImage",
    "PersistenceLandscape",
    "PersistenceStatistics",
    "Silhouette",
    "TemplateFunctions",
    "TopologicalVector",
]


class Atol(Vectorisation):
    """Atol: ``topoml.features.atol`` for scikit-learn.

    Takes diagrams (``transform`` says how) and gives (n_samples, n * n_clusters) for n homology
    dimensions. Essential classes are left out.

    Args:
        n_clusters: Centers for each of the n homology dimensions, at least 1.
        contrast: "gaussian", "laplacian" or "indicator".
        weighting_method: "cloud" for the sum over the classes, "iidproba" for the mean.
        random_state: Seed of the k-means, or None or a generator, as in scikit-learn.
        homology_dimensions: Those to use, in this order; None for all in the X of ``fit``.

    Attributes:
        centers_: (n, n_clusters, 2), columns (birth, death).
        inertias_: (n, n_clusters).

    Example:
        >>> import numpy as np
        >>> diagrams = np.array([[[1.0, 5.0, 0.0], [4.0, 6.0, 0.0]]])
        >>> layer = Atol(n_clusters=2, random_state=0).fit(diagrams)
        >>> layer.centers_
        array([[[1., 5.],
                [4., 6.]]])
        >>> layer.transform(diagrams).round(4)
        array([[1.0183, 1.0183]])
    """

    def __init__(
        self,
        *,
        n_clusters: int = 2,
        contrast: str = "gaussian",
        weighting_method: str = "cloud",
        random_state: int | np.random.RandomState | None = None,
        homology_dimensions: Sequence[int] | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.contrast = contrast
        self.weighting_method = weighting_method
        self.random_state = random_state
        self.homology_dimensions = homology_dimensions

    def _learn(self, diagrams: Diagrams) -> None:
        seed = self.random_state
        if not isinstance(seed, int):
            seed = int(check_random_state(seed).randint(2**31 - 1))
        centers, inertias = atol_centers(
            diagrams,
            n_clusters=self.n_clusters,
            random_state=seed,
            weighting_method=self.weighting_method,
        )
        self.centers_, self.inertias_ = centers.numpy(), inertias.numpy()

    def _features(self, diagrams: Diagrams) -> Tensor:
        return atol(
            diagrams,
            centers=torch.from_numpy(self.centers_),
            inertias=torch.from_numpy(self.inertias_),
            contrast=self.contrast,
            weighting_method=self.weighting_method,
        )


class BettiCurve(OnGrid):
    """Betti curves: ``topoml.features.betti_curve`` for scikit-learn.

    Takes diagrams (``transform`` says how) and gives (n_samples, n * resolution) for n homology
    dimensions. Essential classes count.

    Args:
        resolution: Number of values, at least 1.
        sample_range: First and last value, in the filtration's unit; None to learn them.
        homology_dimensions: Those to use, in this order; None for all in the X of ``fit``.

    Attributes:
        sample_range_: The range, over all samples and dimensions if learnt.

    Example:
        >>> import numpy as np
        >>> one, two = [[1.0, 3.0, 0.0], [0.0, 0.0, 1.0]], [[0.0, 2.0, 0.0], [0.0, 3.0, 1.0]]
        >>> diagrams = np.array([one, two])
        >>> curve = BettiCurve(resolution=4).fit(diagrams)
        >>> curve.sample_range_
        (0.0, 3.0)
        >>> curve.transform(diagrams)
        array([[0., 1., 1., 0., 0., 0., 0., 0.],
               [1., 1., 0., 0., 1., 1., 1., 0.]])
    """

    def __init__(
        self,
        *,
        resolution: int = 100,
        sample_range: tuple[float, float] | None = None,
        homology_dimensions: Sequence[int] | None = None,
    ) -> None:
        self.resolution = resolution
        self.sample_range = sample_range
        self.homology_dimensions = homology_dimensions

    def _features(self, diagrams: Diagrams) -> Tensor:
        return betti_curve(
            diagrams,
            resolution=self.resolution,
            sample_range=self.sample_range_,
        )


class ComplexPolynomial(Vectorisation):
    """Complex polynomials: ``topoml.features.complex_polynomial`` for scikit-learn.

    Takes diagrams (``transform`` says how) and gives (n_samples, n * 2 * threshold) for n homology
    dimensions. Essential classes are left out.

    Args:
        threshold: Number of coefficients, at least 1; real parts come first.
        polynomial_type: "R", "S" or "T": which roots.
        homology_dimensions: Those to use, in this order; None for all in the X of ``fit``.

    Example:
        >>> import numpy as np
        >>> diagrams = np.array([[[1.0, 3.0, 0.0], [0.0, 3.0, 1.0]]])
        >>> ComplexPolynomial(threshold=1, homology_dimensions=(0,)).fit_transform(diagrams)
        array([[-1., -3.]])
    """

    def __init__(
        self,
        *,
        threshold: int = 10,
        polynomial_type: str = "R",
        homology_dimensions: Sequence[int] | None = None,
    ) -> None:
        self.threshold = threshold
        self.polynomial_type = polynomial_type
        self.homology_dimensions = homology_dimensions

    def _features(self, diagrams: Diagrams) -> Tensor:
        return complex_polynomial(
            diagrams, threshold=self.threshold, polynomial_type=self.polynomial_type
        )


class EulerCurve(OnGrid):
    """Euler characteristic curves: ``topoml.features.euler_curve`` for scikit-learn.

    Takes diagrams (``transform`` says how) and gives (n_samples, resolution), of all homology
    dimensions together. Essential classes count.

    Args:
        resolution: Number of values, at least 1.
        sample_range: First and last value, in the filtration's unit; None to learn them.
        homology_dimensions: Those to use, in this order; None for all in the X of ``fit``.

    Attributes:
        sample_range_: The range, over all samples and dimensions if learnt.

    Example:
        >>> import numpy as np
        >>> one, two = [[1.0, 3.0, 0.0], [0.0, 0.0, 1.0]], [[0.0, 2.0, 0.0], [0.0, 3.0, 1.0]]
        >>> diagrams = np.array([one, two])
        >>> EulerCurve(resolution=4).fit_transform(diagrams)
        array([[ 0.,  1.,  1.,  0.],
               [ 0.,  0., -1.,  0.]])
    """

    _one_block = True

    def __init__(
        self,
        *,
        resolution: int = 100,
        sample_range: tuple[float, float] | None = None,
        homology_dimensions: Sequence[int] | None = None,
    ) -> None:
        self.resolution = resolution
        self.sample_range = sample_range
        self.homology_dimensions = homology_dimensions

    def _features(self, diagrams: Diagrams) -> Tensor:
        return euler_curve(
            diagrams,
            resolution=self.resolution,
            sample_range=self.sample_range_,
        )


class HeatKernel(OnGrid):
    """Heat kernel signatures: ``topoml.features.heat_kernel`` for scikit-learn.

    Takes diagrams (``transform`` says how) and gives (n_samples, n * resolution^2) for n homology
    dimensions. Essential classes are left out.

    Args:
        bandwidth: Standard deviation of the Gaussians, in the filtration's unit, > 0.
        resolution: Number of values of either axis, at least 1.
        sample_range: First and last value of either axis; None to learn them.
        homology_dimensions: Those to use, in this order; None for all in the X of ``fit``.

    Attributes:
        sample_range_: The range, over all samples and dimensions if learnt.

    Example:
        >>> import numpy as np
        >>> diagrams = np.array([[[1.0, 3.0, 0.0], [0.0, 3.0, 1.0]]])
        >>> HeatKernel(resolution=2, homology_dimensions=(0,)).fit_transform(diagrams).round(3)
        array([[ 0.   , -0.156,  0.156,  0.   ]])
    """

    def __init__(
        self,
        *,
        bandwidth: float = 1.0,
        resolution: int = 20,
        sample_range: tuple[float, float] | None = None,
        homology_dimensions: Sequence[int] | None = None,
    ) -> None:
        self.bandwidth = bandwidth
        self.resolution = resolution
        self.sample_range = sample_range
        self.homology_dimensions = homology_dimensions

    def _features(self, diagrams: Diagrams) -> Tensor:
        return heat_kernel(
            diagrams,
            bandwidth=self.bandwidth,
            resolution=self.resolution,
            sample_range=self.sample_range_,
        )


class LongestLifetimes(Vectorisation):
    """Longest lifetimes: ``topoml.features.longest_lifetimes`` for scikit-learn.

    Takes diagrams (``transform`` says how) and gives (n_samples, n * k) for n homology dimensions.
    Essential classes are left out.

    Args:
        k: How many, at least 1.
        homology_dimensions: Those to use, in this order; None for all in the X of ``fit``.

    Example:
        >>> import numpy as np
        >>> diagrams = np.array([[[1.0, 3.0, 0.0], [0.0, 3.0, 1.0]]])
        >>> LongestLifetimes(k=2).fit_transform(diagrams)
        array([[2., 0., 3., 0.]])
    """

    def __init__(
        self,
        *,
        k: int = 10,
        homology_dimensions: Sequence[int] | None = None,
    ) -> None:
        self.k = k
        self.homology_dimensions = homology_dimensions

    def _features(self, diagrams: Diagrams) -> Tensor:
        return longest_lifetimes(diagrams, k=self.k)


class PersistenceEntropy(Vectorisation):
    """Persistence entropy: ``topoml.features.persistence_entropy`` for scikit-learn.

    Takes diagrams (``transform`` says how) and gives (n_samples, n) or (n_samples, n * resolution)
    for n homology dimensions. Essential classes are left out.

    Args:
        mode: "scalar", or "vector" for the entropy summary function.
        normalized: Whether the function sums to 1 over the grid; without effect on the scalar.
        resolution: Number of values; None in mode "scalar".
        sample_range: First and last value, in the filtration's unit; None to learn them, and
            in mode "scalar".
        homology_dimensions: Those to use, in this order; None for all in the X of ``fit``.

    Attributes:
        sample_range_: The range, over all samples and dimensions if learnt; None in mode "scalar".

    Example:
        >>> import numpy as np
        >>> two = np.array([[[0.0, 2.0, 0.0], [1.0, 3.0, 0.0]]])
        >>> PersistenceEntropy().fit_transform(two).round(4)  # log 2
        array([[0.6931]])
    """

    def __init__(
        self,
        *,
        mode: str = "scalar",
        normalized: bool = True,
        resolution: int | None = None,
        sample_range: tuple[float, float] | None = None,
        homology_dimensions: Sequence[int] | None = None,
    ) -> None:
        self.mode = mode
        self.normalized = normalized
        self.resolution = resolution
        self.sample_range = sample_range
        self.homology_dimensions = homology_dimensions

    def _learn(self, diagrams: Diagrams) -> None:
        given = self.sample_range
        unknown = self.mode == "vector" and given is None
        self.sample_range_ = value_range(diagrams) if unknown else given

    def _features(self, diagrams: Diagrams) -> Tensor:
        return persistence_entropy(
            diagrams,
            mode=self.mode,
            normalized=self.normalized,
            resolution=self.resolution,
            sample_range=self.sample_range_,
        )


class PersistenceImage(OnImage):
    """Persistence images: ``topoml.features.persistence_image`` for scikit-learn.

    Takes diagrams (``transform`` says how) and gives (n_samples, n * n_life * n_birth) for n
    homology dimensions. Essential classes are left out.

    Args:
        bandwidth: Standard deviation of the Gaussians, in the filtration's unit, > 0.
        resolution: (n_birth, n_life), numbers of pixels.
        im_range: (birth_min, birth_max, life_min, life_max), in the filtration's unit; None to
            learn them.
        weight: A callable (birth, lifetime) -> weights of one diagram, on tensors; None is the
            lifetime.
        homology_dimensions: Those to use, in this order; None for all in the X of ``fit``.

    Attributes:
        im_range_: The range, over all samples and dimensions if learnt.

    Example:
        >>> import numpy as np
        >>> one, two = [[1.0, 3.0, 0.0], [0.0, 0.0, 1.0]], [[0.0, 2.0, 0.0], [0.0, 3.0, 1.0]]
        >>> diagrams = np.array([one, two])
        >>> image = PersistenceImage(bandwidth=1.0, resolution=(2, 1), im_range=(0, 1, 2, 2))
        >>> image.fit_transform(diagrams).round(2)
        array([[0.19, 0.32, 0.  , 0.  ],
               [0.32, 0.19, 0.29, 0.18]])
        >>> image.get_feature_names_out().tolist()[2:]
        ['persistenceimage_H1_0', 'persistenceimage_H1_1']
    """

    def __init__(
        self,
        *,
        bandwidth: float = 1.0,
        resolution: tuple[int, int] = (20, 20),
        im_range: tuple[float, float, float, float] | None = None,
        weight: Weight | None = None,
        homology_dimensions: Sequence[int] | None = None,
    ) -> None:
        self.bandwidth = bandwidth
        self.resolution = resolution
        self.im_range = im_range
        self.weight = weight
        self.homology_dimensions = homology_dimensions

    def _features(self, diagrams: Diagrams) -> Tensor:
        return persistence_image(
            diagrams,
            bandwidth=self.bandwidth,
            resolution=self.resolution,
            im_range=self.im_range_,
            weight=self.weight,
        )


class PersistenceLandscape(OnGrid):
    """Persistence landscapes: ``topoml.features.persistence_landscape`` for scikit-learn.

    Takes diagrams (``transform`` says how) and gives (n_samples, n * num_landscapes * resolution)
    for n homology dimensions. Essential classes are left out.

    Args:
        num_landscapes: How many of the largest tents, at least 1.
        resolution: Number of values, at least 1.
        sample_range: First and last value, in the filtration's unit; None to learn them.
        homology_dimensions: Those to use, in this order; None for all in the X of ``fit``.

    Attributes:
        sample_range_: The range, over all samples and dimensions if learnt.

    Example:
        >>> import numpy as np
        >>> one, two = [[1.0, 3.0, 0.0], [0.0, 0.0, 1.0]], [[0.0, 2.0, 0.0], [0.0, 3.0, 1.0]]
        >>> diagrams = np.array([one, two])
        >>> PersistenceLandscape(num_landscapes=1, resolution=4).fit_transform(diagrams)
        array([[0., 0., 1., 0., 0., 0., 0., 0.],
               [0., 1., 0., 0., 0., 1., 1., 0.]])
    """

    def __init__(
        self,
        *,
        num_landscapes: int = 5,
        resolution: int = 100,
        sample_range: tuple[float, float] | None = None,
        homology_dimensions: Sequence[int] | None = None,
    ) -> None:
        self.num_landscapes = num_landscapes
        self.resolution = resolution
        self.sample_range = sample_range
        self.homology_dimensions = homology_dimensions

    def _features(self, diagrams: Diagrams) -> Tensor:
        return persistence_landscape(
            diagrams,
            num_landscapes=self.num_landscapes,
            resolution=self.resolution,
            sample_range=self.sample_range_,
        )


class PersistenceStatistics(Vectorisation):
    """Persistence statistics: ``topoml.features.persistence_statistics`` for scikit-learn.

    Takes diagrams (``transform`` says how) and gives (n_samples, n * 38) for n homology
    dimensions. Essential classes are left out.

    Args:
        homology_dimensions: Those to use, in this order; None for all in the X of ``fit``.

    Example:
        >>> import numpy as np
        >>> diagrams = np.array([[[1.0, 3.0, 0.0], [0.0, 3.0, 1.0]]])
        >>> PersistenceStatistics().fit_transform(diagrams)[0, [0, 9, 18, 27]]  # means
        array([1., 3., 2., 2.])
    """

    def __init__(
        self,
        *,
        homology_dimensions: Sequence[int] | None = None,
    ) -> None:
        self.homology_dimensions = homology_dimensions

    def _features(self, diagrams: Diagrams) -> Tensor:
        return persistence_statistics(diagrams)


class Silhouette(OnGrid):
    """Silhouettes: ``topoml.features.silhouette`` for scikit-learn.

    Takes diagrams (``transform`` says how) and gives (n_samples, n * resolution) for n homology
    dimensions. Essential classes are left out.

    Args:
        resolution: Number of values, at least 1.
        sample_range: First and last value, in the filtration's unit; None to learn them.
        power: Exponent > 0 of the lifetime, 1 if None; not together with ``weight``.
        weight: A callable (birth, lifetime) -> weights of one diagram, on tensors.
        homology_dimensions: Those to use, in this order; None for all in the X of ``fit``.

    Attributes:
        sample_range_: The range, over all samples and dimensions if learnt.

    Example:
        >>> import numpy as np
        >>> one, two = [[1.0, 3.0, 0.0], [0.0, 0.0, 1.0]], [[0.0, 2.0, 0.0], [0.0, 3.0, 1.0]]
        >>> diagrams = np.array([one, two])
        >>> Silhouette(resolution=4, homology_dimensions=(0,)).fit_transform(diagrams)
        array([[0., 0., 1., 0.],
               [0., 1., 0., 0.]])
    """

    def __init__(
        self,
        *,
        resolution: int = 100,
        sample_range: tuple[float, float] | None = None,
        power: float | None = None,
        weight: Weight | None = None,
        homology_dimensions: Sequence[int] | None = None,
    ) -> None:
        self.resolution = resolution
        self.sample_range = sample_range
        self.power = power
        self.weight = weight
        self.homology_dimensions = homology_dimensions

    def _features(self, diagrams: Diagrams) -> Tensor:
        return silhouette(
            diagrams,
            resolution=self.resolution,
            sample_range=self.sample_range_,
            power=self.power,
            weight=self.weight,
        )


class TemplateFunctions(Vectorisation):
    """Template functions: ``topoml.features.template_functions`` for scikit-learn.

    Takes diagrams (``transform`` says how) and gives (n_samples, n * k) for n homology dimensions.
    Essential classes are left out.

    Args:
        function: "tent" or "interpolating".
        resolution: (n_birth, n_life), numbers of functions.
        im_range: (birth_min, birth_max, life_min, life_max), in the filtration's unit; None to
            learn them.
        homology_dimensions: Those to use, in this order; None for all in the X of ``fit``.

    Attributes:
        im_range_: The range, over all samples and dimensions if learnt, of lifetimes from 0.

    Example:
        >>> import numpy as np
        >>> one, two = [[1.0, 3.0, 0.0], [0.0, 0.0, 1.0]], [[0.0, 2.0, 0.0], [0.0, 3.0, 1.0]]
        >>> diagrams = np.array([one, two])
        >>> templates = TemplateFunctions(resolution=(2, 2), im_range=(0, 2, 0, 2))
        >>> templates.fit_transform(diagrams).shape
        (2, 8)
    """

    def __init__(
        self,
        *,
        function: str = "tent",
        resolution: tuple[int, int] = (10, 10),
        im_range: tuple[float, float, float, float] | None = None,
        homology_dimensions: Sequence[int] | None = None,
    ) -> None:
        self.function = function
        self.resolution = resolution
        self.im_range = im_range
        self.homology_dimensions = homology_dimensions

    def _learn(self, diagrams: Diagrams) -> None:
        ends = self.im_range
        if ends is None:
            low, high, _, longest = image_range(diagrams)
            ends = (low, high if high > low else low + 1.0, 0.0, longest)
        self.im_range_ = ends

    def _features(self, diagrams: Diagrams) -> Tensor:
        return template_functions(
            diagrams,
            function=self.function,
            resolution=self.resolution,
            im_range=self.im_range_,
        )


class TopologicalVector(Vectorisation):
    """Topological vectors: ``topoml.features.topological_vector`` for scikit-learn.

    Takes diagrams (``transform`` says how) and gives (n_samples, n * threshold) for n homology
    dimensions. Essential classes are left out.

    Args:
        threshold: How many values, at least 1.
        homology_dimensions: Those to use, in this order; None for all in the X of ``fit``.

    Example:
        >>> import numpy as np
        >>> diagrams = np.array([[[1.0, 3.0, 0.0], [0.0, 3.0, 1.0]]])
        >>> TopologicalVector(threshold=2).fit_transform(diagrams)
        array([[0., 0., 0., 0.]])
    """

    def __init__(
        self,
        *,
        threshold: int = 10,
        homology_dimensions: Sequence[int] | None = None,
    ) -> None:
        self.threshold = threshold
        self.homology_dimensions = homology_dimensions

    def _features(self, diagrams: Diagrams) -> Tensor:
        return topological_vector(diagrams, threshold=self.threshold)
