"""Euler characteristic transforms as layers: functions, state, learning, compilers."""

import copy
import io
import math
import pickle

import pytest
import torch

from topoml._core.errors import InputError
from topoml.features import (
    euler_field_transform,
    euler_transform,
    lattice_directions,
    unit_directions,
)
from topoml.nn import EulerFieldTransform, EulerTransform

EDGES = torch.tensor([[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]])
FACES = torch.tensor([[0, 1], [1, 2], [2, 3]])
TETRAHEDRA = torch.tensor([[2], [3], [4], [5]])
CURVE = {"directions": unit_directions(5, 2), "resolution": 7, "sample_range": (-2.0, 2.0)}
FIELD = {"directions": lattice_directions(2), "resolution": 6}


def randn(*shape, seed=0, dtype=torch.float32):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
@pytest.mark.parametrize("sharpness", [None, 3.0])
def test_equals_the_function(sharpness, dtype):
    x, layer = randn(3, 6, 2, dtype=dtype), EulerTransform(**CURVE, sharpness=sharpness)
    options = CURVE | {"sharpness": sharpness}
    assert torch.equal(layer(x), euler_transform(x, **options))
    complex_options = {"edges": EDGES, "faces": FACES, "tetrahedra": TETRAHEDRA}
    expected = euler_transform(x, **options, **complex_options)
    assert torch.equal(layer(x, EDGES, FACES, TETRAHEDRA), expected)
    batch = torch.tensor([0, 0, 1, 1, 1, 1])
    expected = euler_transform(x[0], **options, edges=EDGES[:, 2:], batch=batch)
    assert torch.equal(layer(x[0], EDGES[:, 2:], batch=batch), expected)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"superlevel": True},
        {"levels": (0.0, 0.5)},
        {"levels": [0.5], "superlevel": True, "sample_range": (-3, 3)},
    ],
)
def test_field_equals_the_function(options):
    x, layer = randn(3, 5, 6), EulerFieldTransform(**FIELD, **options)
    assert torch.equal(layer(x), euler_field_transform(x, **FIELD, **options))
    assert torch.equal(layer(x[0, :3]), euler_field_transform(x[0, :3], **FIELD, **options))


def layers():
    return {
        "hard": EulerTransform(**CURVE),
        "smooth": EulerTransform(**CURVE, sharpness=3.0),
        "learnable": EulerTransform(**CURVE, sharpness=3.0, learnable=True),
        "weighted": EulerFieldTransform(**FIELD),
        "levels": EulerFieldTransform(**FIELD, levels=(0.0,), sample_range=(-2, 2)),
    }


def input_of(layer):
    return randn(3, 6, 2) if isinstance(layer, EulerTransform) else randn(3, 5, 6)


@pytest.mark.parametrize("name", layers())
def test_copies_and_state(name):
    layer = layers()[name]
    x = input_of(layer)
    expected = layer(x)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    fresh = layers()[name]
    fresh.directions.data = fresh.directions.data.flip(0)
    if fresh.grid is not None:
        fresh.grid -= 0.3
    assert not torch.equal(fresh(x), expected)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), fresh):
        assert torch.equal(twin(x), expected)
    assert all(t.is_meta for t in copy.deepcopy(layer).to("meta").state_dict().values())
    single = copy.deepcopy(layer).float()
    assert single.directions.dtype == torch.float32
    assert (single(x) - expected).abs().max() <= (1e-4 if name in ("smooth", "learnable") else 0)


def test_state():
    names = {name: set(layer.state_dict()) for name, layer in layers().items()}
    assert names["hard"] == names["smooth"] == names["learnable"] == {"directions", "grid"}
    assert names["weighted"] == {"directions"}
    assert names["levels"] == {"directions", "grid"}
    parameters = {name: [p for p, _ in x.named_parameters()] for name, x in layers().items()}
    assert parameters.pop("learnable") == ["directions"]
    assert not any(parameters.values())


def test_directions_are_copied():
    v = unit_directions(5, 2)
    layer = EulerTransform(**CURVE | {"directions": v})
    field = EulerFieldTransform(**FIELD | {"directions": v})
    v.zero_()
    assert layer.directions.any()
    assert field.directions.any()


def test_learnable_directions_have_length_one():
    x = randn(3, 6, 2, dtype=torch.float64)
    options = CURVE | {"sharpness": 3.0}
    expected = euler_transform(x, **options)
    longer = options | {"directions": 2 * CURVE["directions"]}
    torch.testing.assert_close(EulerTransform(**longer, learnable=True)(x), expected)
    assert (EulerTransform(**longer)(x) - expected).abs().max() > 0.1
    layer = EulerTransform(**longer, learnable=True)
    layer(x).square().sum().backward()
    across = (layer.directions * layer.directions.grad).sum(1)
    torch.testing.assert_close(across, torch.zeros(5, dtype=torch.float64), rtol=0, atol=1e-12)
    assert layer.directions.grad.abs().max() > 0.1


def test_learns_a_direction():
    """Descent turns a direction to the one from which a cloud was seen."""
    x = randn(1, 60, 2, dtype=torch.float64) * torch.tensor([1.0, 0.2], dtype=torch.float64)
    options = {"resolution": 15, "sample_range": (-2, 2), "sharpness": 4.0}
    angles = torch.tensor([[0.9], [0.3]], dtype=torch.float64)
    goal, start = torch.cat([angles.cos(), angles.sin()], 1).split(1)
    target = euler_transform(x, directions=goal, **options)
    layer = EulerTransform(directions=start, learnable=True, **options)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        loss = (layer(x) - target).square().mean()
        loss.backward()
        optimizer.step()
    assert loss < 1e-4
    v = torch.nn.functional.normalize(layer.directions.detach())
    assert float(v @ goal.T) > 0.999 > float(start @ goal.T)


def test_repr():
    layer = layers()["learnable"]
    assert repr(layer) == (
        "EulerTransform(directions=(5, 2), resolution=7, sample_range=(-2.0, 2.0), sharpness=3.0,"
        " learnable=True)"
    )
    layer = EulerFieldTransform(**FIELD, superlevel=True, sample_range=(-1, 1))
    assert repr(layer) == (
        "EulerFieldTransform(directions=(8, 2), resolution=6, sample_range=(-1.0, 1.0),"
        " levels=None, superlevel=True)"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"directions": 5}, r"`directions` is int; expected a torch.Tensor"),
        ({"resolution": 0}, r"`resolution` is 0;"),
        ({"sample_range": None}, r"`sample_range` is None; expected two finite numbers"),
        ({"sharpness": -1.0}, r"`sharpness` is -1.0;"),
        ({"learnable": 1}, r"`learnable` is 1; expected True or False"),
        ({"learnable": True}, r"`sharpness` is None with learnable=True; expected a number"),
        (
            {"learnable": True, "sharpness": 1.0, "directions": torch.eye(3)[:, :2]},
            r"`directions` has length 0 at \[2\]; expected unit vectors, with learnable=True",
        ),
    ],
)
def test_bad_options(change, message):
    with pytest.raises(InputError, match="^" + message) as error:
        EulerTransform(**CURVE | change)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"directions": None}, r"`directions` is NoneType;"),
        ({"resolution": None}, r"`resolution` is None;"),
        ({"sample_range": (0, math.nan)}, r"`sample_range` is \(0, nan\);"),
        ({"levels": "0"}, r"`levels` is '0';"),
        ({"superlevel": None}, r"`superlevel` is None;"),
    ],
)
def test_bad_field_options(change, message):
    with pytest.raises(InputError, match="^" + message):
        EulerFieldTransform(**FIELD | change)


class Complex(torch.nn.Module):
    """A fixed complex in each sample, in either layout."""

    def __init__(self, packed, **options):
        super().__init__()
        self.layer = EulerTransform(**CURVE, **options)
        self.batch = torch.arange(3).repeat_interleave(6) if packed else None

    def forward(self, x):
        x = x if self.batch is None else x.flatten(0, 1)
        return self.layer(x, EDGES, FACES, batch=self.batch)


MODELS = {
    "hard": Complex(False),
    "packed": Complex(True, sharpness=3.0, learnable=True),
    **{name: layers()[name] for name in ("weighted", "levels")},
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore")  # of the compiler, about itself
def test_compiled_without_a_break(name):
    """Values and gradients are eager's; the sample numbers are the harder case for an export."""
    model = MODELS[name]
    x = randn(3, 5, 6) if isinstance(model, EulerFieldTransform) else randn(3, 6, 2)
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    found = []
    for run in (model, compiled):
        leaf = x.clone().requires_grad_()
        model.zero_grad()
        y = run(leaf)
        if y.requires_grad:
            (y**2).sum().backward()
        found.append([y.detach(), leaf.grad, *(p.grad for p in model.parameters())])
    assert torch.equal(found[0][0], found[1][0])
    for ours, theirs in zip(*(grads[1:] for grads in found), strict=True):
        assert ours is theirs is None or ours.abs().max() > 0
        torch.testing.assert_close(theirs, ours)
    if name == "packed":
        exported = torch.export.export(model, (x,)).module()
        assert torch.equal(exported(x.flip(0)), model(x.flip(0)))


@pytest.mark.parametrize("name", ["packed", "weighted", "levels"])
@pytest.mark.filterwarnings("ignore")
def test_compiled_layers_still_find_nan(name):
    model = MODELS[name]
    x = randn(3, 5, 6) if isinstance(model, EulerFieldTransform) else randn(3, 6, 2)
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    x.view(-1)[7] = torch.nan
    with pytest.raises(Exception, match=r"(?i)nan"):
        compiled(x)


def test_autocast():
    """Heights are never rounded; a linear layer after them is, as torch does it."""
    layer, x = EulerTransform(**CURVE, sharpness=3.0), randn(3, 6, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(x)
        z = torch.nn.Linear(35, 2)(y)
    assert torch.equal(y, layer(x))
    assert z.dtype == torch.bfloat16
