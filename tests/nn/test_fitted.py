"""Layers that are fitted and have no parameters: Atol and TemplateFunctions."""

import numpy as np
import pytest
import torch

from tests.features.made import made, random_samples
from topoml._core.errors import InputError
from topoml.features import atol, atol_centers, template_functions
from topoml.nn import Atol, TemplateFunctions

from . import learnable

TRAINING = made([[*s, (0, 0.0, 0.1), (1, 0.2, 1.4)]
                 for s in random_samples(np.random.default_rng(0), 9)])  # fmt: skip


def fitted_atol(seed=0, **options):
    layer = Atol(homology_dimensions=(0, 1), n_clusters=3, **options)
    return layer.fit(TRAINING, random_state=seed)


LAYERS = {
    "atol": (lambda: fitted_atol(), 6),
    "atol laplacian": (lambda: fitted_atol(contrast="laplacian"), 6),
    "atol mean": (lambda: fitted_atol(contrast="indicator", weighting_method="iidproba"), 6),
    "tent": (lambda: TemplateFunctions(resolution=(4, 3)).fit(TRAINING), 24),
    "polynomials": (
        lambda: TemplateFunctions(function="interpolating", resolution=(4, 3)).fit(TRAINING),
        24,
    ),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", LAYERS)
def test_sample_does_not_depend_on_its_batch(name, dtype):
    make, width = LAYERS[name]
    learnable.check_samples_are_alone(make(), width, dtype)


@pytest.mark.parametrize("name", LAYERS)
def test_contract(name):
    make, width = LAYERS[name]
    layer = make()
    assert not list(layer.parameters())
    learnable.check_threads(layer)
    learnable.check_order(layer)
    learnable.check_shapes_and_empties(layer, width)
    learnable.check_gradcheck(layer)
    learnable.check_finite_gradients(layer, 1e30, 1e200)
    fresh = make()
    for buffer in fresh.buffers():
        buffer += 0.5
    learnable.check_copies(layer, fresh)


def test_atol_is_the_function_on_its_centers():
    centers, inertias = atol_centers(TRAINING, n_clusters=3, random_state=5)
    layer = fitted_atol(5)
    assert torch.equal(layer(TRAINING), atol(TRAINING, centers=centers, inertias=inertias))
    assert torch.equal(layer.centers, centers)


def test_templates_are_the_function_on_the_range_of_the_classes():
    layer = TemplateFunctions(resolution=(4, 3)).fit(TRAINING)
    birth = TRAINING.points[:, 0]
    ends = (float(birth.min()), float(birth.max()), 0.0, float(TRAINING.lifetime.max()))
    expected = template_functions(TRAINING, resolution=(4, 3), im_range=ends)
    assert torch.equal(layer(TRAINING), expected)
    births_at_zero = made([[(0, 0.0, 1.0), (0, 0.0, 2.0)]], homology_dimensions=(0,))
    assert layer.fit(births_at_zero).im_range.tolist() == [0.0, 1.0, 0.0, 2.0]


def test_repr():
    assert repr(fitted_atol()) == (
        "Atol(homology_dimensions=(0, 1), n_clusters=3, contrast='gaussian',"
        " weighting_method='cloud')"
    )


def test_mistakes():
    with pytest.raises(InputError, match=r"^`Atol` has no centers yet; expected a call of fit"):
        Atol(homology_dimensions=(0, 1), n_clusters=3)(TRAINING)
    with pytest.raises(InputError, match=r"^`n_clusters` is 0"):
        Atol(homology_dimensions=(0, 1), n_clusters=0)
    with pytest.raises(InputError, match=r"^`contrast` is 1"):
        Atol(homology_dimensions=(0, 1), n_clusters=1, contrast=1)
    with pytest.raises(InputError, match=r"^`weighting_method` is 1"):
        Atol(homology_dimensions=(0, 1), n_clusters=1, weighting_method=1)
    for call in (fitted_atol(), lambda d: fitted_atol().fit(d, random_state=0)):
        with pytest.raises(InputError, match=r"^`diagrams` has homology_dimensions \(0,\)"):
            call(TRAINING.select(0))
    with pytest.raises(InputError, match=r"^`diagrams` is Tensor"):
        TemplateFunctions(resolution=(2, 2))(torch.zeros(2))
    with pytest.raises(InputError, match=r"^`diagrams` has no finite class"):
        TemplateFunctions(resolution=(2, 2)).fit(made([[]]))
    with pytest.raises(InputError, match=r"^`function` is 'a'"):
        TemplateFunctions(function="a", resolution=(2, 2))
