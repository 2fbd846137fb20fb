"""atol and its centers against gudhi's Atol."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from gudhi.representations.vector_methods import Atol
from hypothesis import given, settings
from sklearn.cluster import KMeans

from topoml._core.errors import InputError
from topoml.features import atol, atol_centers

from .made import diagrams, made, of_sample, random_samples

CONTRASTS = ["gaussian", "laplacian", "indicator"]
WEIGHTINGS = ["cloud", "iidproba"]


def by_gudhi(points, centers, inertias, contrast, weighting):
    peer = Atol(KMeans(len(centers), n_init=10), weighting_method=weighting, contrast=contrast)
    peer.centers, peer.inertias = centers.numpy(), inertias.numpy()
    return peer(points) if len(points) else np.zeros(len(centers))


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("contrast", CONTRASTS)
@settings(max_examples=30)
@given(d=diagrams())
def test_equals_gudhi_on_the_same_centers(contrast, weighting, d):
    n = len(d.homology_dimensions)
    generator = torch.Generator().manual_seed(0)
    centers = 2 * torch.rand(n, 4, 2, generator=generator, dtype=torch.float64) - 0.5
    inertias = 0.2 + torch.rand(n, 4, generator=generator, dtype=torch.float64)
    ours = atol(
        d, centers=centers, inertias=inertias, contrast=contrast, weighting_method=weighting
    )
    for i in range(len(d)):
        expected = [
            by_gudhi(of_sample(d, i, k)[0], c, s, contrast, weighting)
            for k, c, s in zip(d.homology_dimensions, centers, inertias, strict=True)
        ]
        np.testing.assert_allclose(ours[i], np.concatenate(expected), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("superlevel", [False, True])
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("n_clusters", [1, 2, 7])
def test_centers_equal_gudhis(n_clusters, weighting, superlevel):
    """The same k-means on the same points in the same order."""
    d = made(random_samples(np.random.default_rng(1), 12, superlevel=superlevel))
    d = replace(d, superlevel=superlevel)
    centers, inertias = atol_centers(
        d, n_clusters=n_clusters, random_state=3, weighting_method=weighting
    )
    for k in (0, 1):
        given_ = [of_sample(d, i, k)[0] for i in range(len(d)) if len(of_sample(d, i, k)[0])]
        kmeans = KMeans(n_clusters, n_init=10, random_state=3)
        peer = Atol(kmeans, weighting_method=weighting).fit(given_)
        np.testing.assert_allclose(centers[k], peer.centers, rtol=1e-13)
        np.testing.assert_allclose(inertias[k], peer.inertias, rtol=1e-12)


def test_single_class():
    centers, inertias = atol_centers(made([[(0, 0.0, 1.0), (1, 0.0, 2.0)]]), n_clusters=1,
                                     random_state=0)  # fmt: skip
    assert centers.tolist() == [[[0.0, 1.0]], [[0.0, 2.0]]]
    assert inertias.tolist() == [[1.0], [1.0]]


def test_too_few_classes():
    d = made([[(0, 0.0, 1.0), (0, 0.0, 1.0), (1, 0.0, 2.0), (0, 0.0, math.inf)]])
    with pytest.raises(
        InputError, match=r"^`diagrams` has 1 distinct finite classes in dimension 0"
    ):
        atol_centers(d, n_clusters=2, random_state=0)


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_gradcheck(contrast):
    d = made(random_samples(np.random.default_rng(2), 3, 9))
    generator = torch.Generator().manual_seed(1)
    centers = torch.rand(2, 3, 2, generator=generator, dtype=torch.float64).requires_grad_()
    inertias = 0.5 + torch.rand(2, 3, generator=generator, dtype=torch.float64)

    def run(points, centers, inertias):
        moved = replace(d, points=points)
        return atol(moved, centers=centers, inertias=inertias, contrast=contrast)

    inputs = (d.points.clone().requires_grad_(), centers, inertias.requires_grad_())
    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


GOOD = {"diagrams": made([[(0, 0.0, 1.0)]]), "centers": torch.ones(2, 3, 2),
        "inertias": torch.ones(2, 3)}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"diagrams": 1}, "`diagrams` is int; expected"),
        ({"centers": torch.ones(3, 2)}, r"`centers` is \(3, 2\); expected floats of shape \(n?2?,"),
        ({"centers": torch.ones(1, 3, 2)}, r"`centers` is \(1, 3, 2\); expected"),
        ({"centers": torch.ones(2, 3, 2).long()}, r"`centers` is \(2, 3, 2\); expected floats"),
        (
            {"inertias": torch.ones(2, 4)},
            r"`inertias` is \(2, 4\); expected floats of shape \(2, k",
        ),
        ({"inertias": 1.0}, "`inertias` is float; expected"),
        ({"contrast": "sharp"}, r"`contrast` is 'sharp'; expected one of \('gaussian'"),
        ({"weighting_method": None}, "`weighting_method` is None; expected one of"),
    ],
)
def test_bad_input(change, message):
    arguments = GOOD | change
    with pytest.raises(InputError, match="^" + message) as error:
        atol(arguments.pop("diagrams"), **arguments)
    assert "\n" not in str(error.value)


def test_bad_number_of_clusters():
    with pytest.raises(InputError, match=r"^`n_clusters` is 0; expected an integer"):
        atol_centers(GOOD["diagrams"], n_clusters=0, random_state=0)
