"""RipsPersistence: what the function gives, and every mistake at construction."""

import copy
import math
import pickle

import pytest
import torch

from topoml._core.errors import InputError
from topoml.homology import rips_persistence
from topoml.nn import RipsPersistence

X = torch.randn(2, 12, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
OPTIONS = {"homology_dimensions": [1, 0], "max_edge_length": 2.0, "periodic_box": 4}


def assert_same(a, b):
    assert torch.equal(a.points, b.points)
    assert torch.equal(a.death_index, b.death_index)
    assert torch.equal(a.essential, b.essential)
    assert (a.batch_shape, a.homology_dimensions) == (b.batch_shape, b.homology_dimensions)


def test_the_layer_is_the_function():
    layer = RipsPersistence(**OPTIONS)
    w = X[..., 0].abs() / 10
    assert_same(layer(X), rips_persistence(X, **OPTIONS))
    assert_same(layer(list(X), weights=list(w)), rips_persistence(X, weights=w, **OPTIONS))
    free = RipsPersistence(homology_dimensions=(1,))
    m = torch.cdist(X, X)
    assert_same(free(distances=m), rips_persistence(distances=m, homology_dimensions=(1,)))


def test_copies_and_repr():
    layer = RipsPersistence(**OPTIONS)
    expected = "homology_dimensions=(1, 0), max_edge_length=2.0, periodic_box=(4.0,)"
    assert repr(layer) == f"RipsPersistence({expected})"
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert repr(twin) == repr(layer)
        assert_same(twin(X), layer(X))
    assert layer.state_dict() == {}


def test_gradient_reaches_a_model_before_it():
    model = torch.nn.Sequential(torch.nn.Linear(2, 3).double(), RipsPersistence(**OPTIONS | {
        "periodic_box": (5.0, 6.0, 7.0)
    }))  # fmt: skip
    model(X).lifetime.sum().backward()
    assert model[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"homology_dimensions": (3,)}, "homology_dimensions"),
        ({"homology_dimensions": ()}, "homology_dimensions"),
        ({"max_edge_length": math.nan}, "max_edge_length"),
        ({"periodic_box": -1.0}, "periodic_box"),
    ],
)
def test_mistakes_at_construction(options, name):
    with pytest.raises(InputError, match=f"`{name}` is"):
        RipsPersistence(**{**OPTIONS, **options})
