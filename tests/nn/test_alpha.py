"""The alpha layer: what the function gives, and mistakes at construction or on the call."""

import copy
import pickle

import pytest
import torch

from topoml._core.errors import InputError
from topoml.homology import alpha_persistence
from topoml.nn import AlphaPersistence

G = torch.Generator().manual_seed(0)
X = torch.randn(3, 20, 2, generator=G)
W = torch.rand(3, 20, generator=G)


@pytest.mark.parametrize("weights", [None, W], ids=["plain", "weighted"])
def test_function(weights):
    layer = AlphaPersistence(homology_dimensions=(1, 0))
    ours = layer(X, weights)
    theirs = alpha_persistence(X, homology_dimensions=(1, 0), weights=weights)
    assert torch.equal(ours.points, theirs.points)
    assert torch.equal(ours.essential, theirs.essential)
    assert ours.homology_dimensions == theirs.homology_dimensions
    assert ours.batch_shape == theirs.batch_shape
    as_list = layer(list(X), None if weights is None else list(weights))
    assert torch.equal(as_list.points, theirs.points)


def test_training():
    """A layer in front moves the points; its parameters get the function's gradient."""
    torch.manual_seed(0)  # far from a map of the plane to a line
    front = torch.nn.Linear(2, 2)
    layer = torch.nn.Sequential(front, AlphaPersistence(homology_dimensions=(1,)))
    layer(X).lifetime.sum().backward()
    assert front.weight.grad.abs().max() > 0
    # Radii do not change when all points are moved; the bias does that.
    torch.testing.assert_close(front.bias.grad, torch.zeros(2), atol=1e-5, rtol=0)


def test_repr_and_copies():
    layer = AlphaPersistence(homology_dimensions=[2, 0])
    assert repr(layer) == "AlphaPersistence(homology_dimensions=(2, 0))"
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), layer.double()):
        assert repr(twin) == repr(layer)
        assert not twin.state_dict()


def test_mistakes():
    with pytest.raises(InputError, match="`homology_dimensions` is"):
        AlphaPersistence(homology_dimensions=(3,))
    with pytest.raises(InputError, match="`homology_dimensions` is"):
        AlphaPersistence(homology_dimensions=(2,))(X)  # in the plane
