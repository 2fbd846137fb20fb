"""Persistence layers: what the functions give, and every mistake at construction."""

import copy
import pickle

import pytest
import torch

from topoml._core.errors import InputError
from topoml.homology import cell_persistence, cubical_persistence, field_persistence
from topoml.lie import Circle, Sphere
from topoml.nn import CellPersistence, CubicalPersistence, FieldPersistence

G = torch.Generator().manual_seed(0)
X = torch.randn(2, 6, 7, dtype=torch.float64, generator=G)
CUBICAL = {
    "homology_dimensions": (1, 0),
    "periodic": (True, False),
    "construction": "F",
    "superlevel": True,
}


def assert_same(a, b):
    assert torch.equal(a.points, b.points)
    assert torch.equal(a.death_index, b.death_index)
    assert torch.equal(a.essential, b.essential)
    assert a.homology_dimensions == b.homology_dimensions
    assert (a.batch_shape, a.superlevel) == (b.batch_shape, b.superlevel)


def test_cubical():
    layer = CubicalPersistence(**CUBICAL)
    assert_same(layer(X), cubical_persistence(X, **CUBICAL))


@pytest.mark.parametrize("given", ["edge", "vertex", "face"])
def test_cell(given):
    edge = X.abs().add(4).unsqueeze(1).repeat(1, 2, 1, 1)
    vertex = X.abs() if given == "vertex" else None
    face = edge.amax((1, 2, 3), keepdim=True)[:, 0] + X.abs() if given == "face" else None
    options = {"homology_dimensions": (0, 1, 2), "periodic": (False, True)}
    layer = CellPersistence(**options)
    assert_same(layer(vertex, edge, face), cell_persistence(vertex, edge, face, **options))


def test_field():
    options = {"manifold": Circle(harmonic=2), "homology_dimensions": (0,), "periodic": False}
    layer = FieldPersistence(**options)
    assert_same(layer(X), field_persistence(X, **options))
    a = torch.randn(2, 6, 7, dtype=torch.float64, generator=G)
    assert_same(layer(X, a), field_persistence(X, **options, connection=a))


LAYERS = [
    CubicalPersistence(**CUBICAL),
    CellPersistence(homology_dimensions=[0, 1]),
    FieldPersistence(manifold=Sphere(2), homology_dimensions=(0,), periodic=(True, False)),
]


def test_repr():
    assert [repr(layer) for layer in LAYERS] == [
        "CubicalPersistence(homology_dimensions=(1, 0), spatial_dims=2, periodic=(True, False),"
        " construction='F', superlevel=True)",
        "CellPersistence(homology_dimensions=(0, 1), spatial_dims=2, periodic=(True, True))",
        "FieldPersistence(manifold=Sphere(n=2), homology_dimensions=(0,), spatial_dims=2,"
        " periodic=(True, False))",
    ]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_copies_have_no_state(layer):
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), layer.to(torch.float32)):
        assert repr(twin) == repr(layer)
        assert not twin.state_dict()


def test_arguments_are_keywords():
    for cls in (CubicalPersistence, CellPersistence, FieldPersistence):
        with pytest.raises(TypeError, match="positional argument"):
            cls((0, 1))


CELL = {"homology_dimensions": (0, 1)}
FIELD = CELL | {"manifold": Circle()}
BAD = [
    {"homology_dimensions": 1},
    {"homology_dimensions": ()},
    {"homology_dimensions": (0, 3)},
    {"homology_dimensions": (0, 0)},
    {"homology_dimensions": "01"},
    {"periodic": 1},
    {"periodic": (True,)},
    {"periodic": "no"},
]
SPATIAL = [{"spatial_dims": 5}, {"spatial_dims": None}]


@pytest.mark.parametrize(
    ("layer", "function", "good", "bad"),
    [
        *((CubicalPersistence, lambda **o: cubical_persistence(X, **o), CUBICAL, bad)
          for bad in [*BAD, *SPATIAL, {"construction": "W"}, {"construction": None},
                      {"superlevel": 1}, {"superlevel": None}]),
        *((CellPersistence, lambda **o: cell_persistence(None, X.abs()[None], **o), CELL, bad)
          for bad in BAD),
        *((FieldPersistence, lambda **o: field_persistence(X, **o), FIELD, bad)
          for bad in [*BAD, *SPATIAL, {"manifold": "circle"}, {"manifold": None}]),
    ],
)  # fmt: skip
def test_mistakes_are_found_at_construction(layer, function, good, bad):
    """In the words of the function."""
    with pytest.raises(InputError) as ours:
        layer(**good | bad)
    with pytest.raises(InputError) as theirs:
        function(**good | bad)
    assert str(ours.value) == str(theirs.value)


def test_a_manifold_is_an_instance():
    with pytest.raises(InputError, match=r"`manifold` is <class .*Circle'>; expected one of"):
        FieldPersistence(manifold=Circle, homology_dimensions=(0,))
