"""The graph layer: what the function gives, and mistakes at construction."""

import copy
import pickle

import pytest
import torch

from topoml._core.errors import InputError
from topoml.homology import graph_persistence
from topoml.nn import GraphPersistence

VERTEX = torch.tensor([0.3, 1.7, -0.4, 2.2, 0.9, 1.1])
EDGES = torch.tensor([[0, 1, 2, 3, 0, 4], [1, 2, 3, 0, 2, 5]])
BATCH = torch.tensor([0, 0, 0, 0, 1, 1])


def assert_same(a, b):
    assert torch.equal(a.points, b.points)
    assert torch.equal(a.death_index, b.death_index)
    assert torch.equal(a.essential, b.essential)
    assert a.homology_dimensions == b.homology_dimensions
    assert (a.batch_shape, a.superlevel) == (b.batch_shape, b.superlevel)


@pytest.mark.parametrize("extended", [False, True])
def test_function(extended):
    options = {"homology_dimensions": (1, 0), "extended": extended}
    edge = None if extended else VERTEX[EDGES].amax(0) + 1
    layer = GraphPersistence(**options)
    expected = graph_persistence(VERTEX, EDGES, edge=edge, batch=BATCH, **options)
    assert_same(layer(VERTEX, EDGES, edge, BATCH), expected)
    assert_same(layer(VERTEX, EDGES), graph_persistence(VERTEX, EDGES, **options))


def test_repr_and_copies():
    layer = GraphPersistence(homology_dimensions=[0, 1], extended=True)
    assert repr(layer) == "GraphPersistence(homology_dimensions=(0, 1), extended=True)"
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), layer.double()):
        assert repr(twin) == repr(layer)
        assert not twin.state_dict()


@pytest.mark.parametrize("bad", [{"homology_dimensions": (2,)}, {"extended": 1}])
def test_mistakes_are_found_at_construction(bad):
    with pytest.raises(InputError) as ours:
        GraphPersistence(**{"homology_dimensions": (0,)} | bad)
    with pytest.raises(InputError) as theirs:
        graph_persistence(VERTEX, EDGES, **{"homology_dimensions": (0,)} | bad)
    assert str(ours.value) == str(theirs.value)
