"""PersLay against its definition, written out point by point in numpy."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from tests.features.made import diagrams, made, of_sample, random_samples
from topoml._core.errors import InputError
from topoml.features import persistence_image
from topoml.nn import (
    GaussianMixtureWeight,
    GaussianPhi,
    GridWeight,
    LinePhi,
    PersistenceImage,
    PersLay,
    PowerWeight,
    RationalHatPhi,
    TentPhi,
)

from . import learnable

PHIS = {
    "tent": lambda: TentPhi(4),
    "gaussian": lambda: GaussianPhi(3),
    "line": lambda: LinePhi(2),
    "hat": lambda: RationalHatPhi(3),
}
WEIGHTS = {
    "none": lambda: None,
    "power": lambda: PowerWeight(1.5, 0.5),
    "grid": lambda: GridWeight(resolution=(3, 2), im_range=(-0.5, 0.75, 0.25, 1.0)),
    "mixture": lambda: GaussianMixtureWeight(2),
}
OPS = {"sum": 1, "mean": 1, "max": 1, "top3": 3}
EVERY = [
    *itertools.product(PHIS, ["none"], ["sum"]),
    *itertools.product(["gaussian"], ["grid", "mixture"], ["sum"]),
    *itertools.product(["gaussian"], ["power"], OPS),
    ("line", "power", "top3"),
]


def layer(phi="gaussian", weight="power", perm_op="sum", dimensions=(0, 1), seed=0):
    torch.manual_seed(seed)
    made_layer = PersLay(
        homology_dimensions=dimensions, phi=PHIS[phi](), weight=WEIGHTS[weight](), perm_op=perm_op
    )
    return learnable.scrambled(made_layer, seed)


def width(phi, perm_op):
    return 2 * {"tent": 4, "gaussian": 3, "line": 2, "hat": 3}[phi] * OPS[perm_op]


def transformed(phi, b, d):
    """The vector of one class."""
    life = abs(d - b)
    values = {name: x.detach().double().numpy() for name, x in phi.named_parameters()}
    if isinstance(phi, TentPhi):
        return [max(0, life / 2 - abs(t - (b + d) / 2)) for t in values["samples"]]
    if isinstance(phi, LinePhi):
        pairs = zip(values["weight"], values["bias"], strict=True)
        return [np.dot(e, (b, d)) + c for e, c in pairs]
    p = np.array([b, life])
    if isinstance(phi, GaussianPhi):
        pairs = zip(values["centers"], np.exp(values["log_bandwidth"]), strict=True)
        return [np.exp(-np.sum((p - c) ** 2 / (2 * s**2))) for c, s in pairs]
    out = []
    for c, r in zip(values["centers"], values["radius"], strict=True):
        norm = np.abs(p - c).sum()
        out.append(1 / (1 + norm) - 1 / (1 + abs(abs(r) - norm)))
    return out


def weighed(weight, b, d):
    life = abs(d - b)
    if weight is None:
        return 1.0
    values = {name: x.detach().double().numpy() for name, x in weight.named_parameters()}
    if isinstance(weight, PowerWeight):
        return values["constant"] * life ** values["power"]
    if isinstance(weight, GridWeight):
        b0, b1, l0, l1 = weight.im_range.tolist()
        n_life, n_birth = values["values"].shape
        column = np.clip(np.floor(n_birth * (b - b0) / (b1 - b0)), 0, n_birth - 1)
        row = np.clip(np.floor(n_life * (life - l0) / (l1 - l0)), 0, n_life - 1)
        return values["values"][int(row), int(column)]
    pairs = zip(values["centers"], np.exp(values["log_bandwidth"]), strict=True)
    return sum(np.exp(-((b - c[0]) ** 2) / s[0] ** 2 - (life - c[1]) ** 2 / s[1] ** 2)
               for c, s in pairs)  # fmt: skip


def pooled(rows, perm_op, q):
    rows = np.reshape(rows, (-1, q))
    if perm_op == "sum":
        return rows.sum(0)
    if perm_op == "mean":
        return rows.mean(0) if len(rows) else np.zeros(q)
    k = OPS[perm_op]
    ranked = -np.sort(-rows, 0)[:k]
    return np.concatenate([ranked, np.zeros((k - len(ranked), q))]).T.ravel()


@pytest.mark.parametrize(("phi", "weight", "perm_op"), EVERY)
@settings(max_examples=20)
@given(d=diagrams())
def test_equals_the_definition(phi, weight, perm_op, d):
    ours = layer(phi, weight, perm_op, d.homology_dimensions)
    found = ours(d).detach().numpy()
    q = width(phi, perm_op) // 2 // OPS[perm_op]
    for i in range(len(d)):
        expected = []
        for j, k in enumerate(d.homology_dimensions):
            one = None if ours.weight is None else ours.weight[j]
            rows = [
                np.multiply(transformed(ours.phi[j], b, e), weighed(one, b, e))
                for b, e in of_sample(d, i, k)[0]
            ]
            expected.append(pooled(rows, perm_op, q))
        # parameters are float32, and what is computed from them alone is rounded in it
        np.testing.assert_allclose(found[i], np.concatenate(expected), rtol=2e-6, atol=2e-6)


def test_equals_the_definition_in_double():
    d = made(random_samples(np.random.default_rng(0), 3))
    ours = layer("gaussian", "mixture").double()
    for i in range(3):
        rows = [
            np.multiply(transformed(ours.phi[1], b, e), weighed(ours.weight[1], b, e))
            for b, e in of_sample(d, i, 1)[0]
        ]
        found = ours(d)[i, 3:].detach().numpy()
        np.testing.assert_allclose(found, np.sum(rows, 0), rtol=1e-13)


def test_gudhi_convention_of_the_image():
    """A Gaussian transformation on a grid with the power weight is the persistence image."""
    d = made(random_samples(np.random.default_rng(1), 4))
    options = {"bandwidth": 0.3, "resolution": (4, 3), "im_range": (-1.0, 1.0, 0.0, 1.0)}
    phi = GaussianPhi(12)
    birth, life = (torch.linspace(*ends, dtype=torch.float64) for ends in ((-1, 1, 4), (0, 1, 3)))
    phi.centers.data = torch.cartesian_prod(life, birth).flip(1)
    phi.log_bandwidth.data = torch.full((12, 2), 0.3, dtype=torch.float64).log()
    ours = PersLay(homology_dimensions=(0, 1), phi=phi, weight=PowerWeight())
    expected = persistence_image(d, **options) * (2 * np.pi * 0.09)
    torch.testing.assert_close(ours(d).detach(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("phi", "weight", "perm_op"), EVERY)
def test_sample_does_not_depend_on_its_batch(phi, weight, perm_op, dtype):
    learnable.check_samples_are_alone(layer(phi, weight, perm_op), width(phi, perm_op), dtype)


@pytest.mark.parametrize(("phi", "weight", "perm_op"), EVERY)
def test_contract(phi, weight, perm_op):
    ours = layer(phi, weight, perm_op)
    learnable.check_threads(ours)
    learnable.check_order(ours)
    learnable.check_shapes_and_empties(ours, width(phi, perm_op))
    learnable.check_gradcheck(ours)
    learnable.check_copies(ours, layer(phi, weight, perm_op, seed=1))
    unbounded = phi == "line" or weight == "power"  # which overflows itself, far away
    learnable.check_finite_gradients(ours, *[1e10, 1e10] if unbounded else [1e30, 1e200])


def test_the_tests_see_a_layer_that_mixes_samples():
    class Mixing(PersLay):
        def forward(self, diagrams):
            out = super().forward(diagrams)
            return out + 1e-9 * out.sum(0)

    mixing = Mixing(homology_dimensions=(0, 1), phi=GaussianPhi(3))
    with pytest.raises(AssertionError):
        learnable.check_samples_are_alone(mixing, 6, torch.float64)


def test_many_points():
    rng = np.random.default_rng(7)
    d = made([[(1, b, b + life) for b, life in rng.random((100_000, 2))], []])
    out = layer("gaussian", "power")(d)
    assert out.shape == (2, 6)
    assert out.isfinite().all()
    assert not out[1].any()


def test_every_dimension_has_parameters_of_its_own():
    phi = GaussianPhi(3)
    copied = PersLay(homology_dimensions=(0, 1), phi=phi)
    assert copied.phi[0] is phi
    assert len(list(copied.parameters())) == 4
    d = made([[(0, 0.0, 1.0)]])
    copied(d).sum().backward()
    assert copied.phi[0].centers.grad.any()
    assert not copied.phi[1].centers.grad.any()
    given_ = PersLay(homology_dimensions=(0, 1), phi=[GaussianPhi(3), TentPhi(5)])
    assert given_(d).shape == (1, 8)


def test_weights_serve_the_image():
    d = made(random_samples(np.random.default_rng(2), 3))
    options = {"bandwidth": 0.3, "resolution": (4, 3), "im_range": (-1.0, 1.0, 0.0, 1.0)}
    image = PersistenceImage(**options, weight=PowerWeight())(d)
    torch.testing.assert_close(image, persistence_image(d, **options), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("phi", PHIS)
@pytest.mark.parametrize("weight", WEIGHTS)
def test_fit(phi, weight):
    """Centers are classes of their dimension; the same generator gives the same layer."""
    samples = [
        [(0, 10 * b, 10 * b + life) for b, life in np.random.default_rng(3).random((40, 2))],
        [(1, b, b + 5 * life) for b, life in np.random.default_rng(4).random((40, 2))],
    ]
    d = made(samples)
    fitted = [layer(phi, weight).fit(d, generator=torch.Generator().manual_seed(5)) for _ in "ab"]
    assert torch.equal(fitted[0](d), fitted[1](d))
    assert fitted[0](d).isfinite().all()
    for j in (0, 1):
        points, _ = of_sample(d, j, j)
        points[:, 1] -= points[:, 0]
        for module in (fitted[0].phi[j], fitted[0].weight and fitted[0].weight[j]):
            if hasattr(module, "centers"):
                offered = {tuple(np.float32(p)) for p in points}
                assert {tuple(c) for c in module.centers.detach().numpy()} <= offered
            if hasattr(module, "log_bandwidth"):
                np.testing.assert_allclose(
                    module.log_bandwidth.exp()[0].detach(), points.std(0), rtol=1e-5
                )
            if isinstance(module, GridWeight):
                expected = (*np.sort(points[:, 0])[[0, -1]], *np.sort(points[:, 1])[[0, -1]])
                np.testing.assert_allclose(module.im_range, expected)
            if isinstance(module, TentPhi):
                low, high = points[:, 0].min(), points.sum(1).max()
                steps = np.linspace(low, high, 6)[1:-1]
                np.testing.assert_allclose(module.samples.detach(), steps, rtol=1e-5)
    if phi != "line" or weight not in ("none", "power"):
        with pytest.raises(InputError, match=r"^`diagrams` has no class in one of the homology"):
            layer(phi, weight).fit(made([[(0, 0.0, 1.0)]]), generator=torch.Generator())


def test_training():
    """Diagrams that differ in where their classes are, not in how many: learnt from afar."""
    rng = np.random.default_rng(8)
    centers = [(0.2, 0.3), (0.4, 0.5)]
    samples, labels = [], []
    for i in range(120):
        b, life = centers[i % 2]
        points = rng.normal((b, life), 0.08, (8, 2))
        samples.append([(0, x, x + abs(y)) for x, y in points])
        labels.append(i % 2)
    d, y = made(samples, homology_dimensions=(0,), dtype=torch.float32), torch.tensor(labels)
    torch.manual_seed(0)
    model = nn.Sequential(
        PersLay(homology_dimensions=(0,), phi=GaussianPhi(4), weight=PowerWeight(), perm_op="mean"),
        nn.Linear(4, 2),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(60):
        loss = nn.functional.cross_entropy(model(d[:60]), y[:60])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (model(d[60:]).argmax(1) == y[60:]).float().mean() > 0.95
    assert all(parameter.grad.any() for parameter in model.parameters())


def test_repr():
    assert repr(layer("line", "grid", "top3", (1,))).startswith(
        "PersLay(\n  homology_dimensions=(1,), perm_op='top3'\n  (phi): ModuleList(\n"
    )
    assert "GridWeight(resolution=(3, 2), im_range=(-0.5, 0.75, 0.25, 1.0))" in repr(
        layer("line", "grid")
    )


GOOD = {"homology_dimensions": (0, 1), "phi": LinePhi(2)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"homology_dimensions": 1}, "`homology_dimensions` is 1; expected"),
        ({"homology_dimensions": (0, 0)}, r"`homology_dimensions` is \(0, 0\); expected"),
        ({"phi": 3}, "`phi` is 3; expected a torch module, or 2 of them"),
        ({"phi": [LinePhi(1)]}, r"`phi` is \[LinePhi\(\)\]; expected"),
        ({"weight": lambda b, l: l}, "`weight` is <function"),  # noqa: E741
        ({"perm_op": "median"}, "`perm_op` is 'median'; expected \"sum\""),
        ({"perm_op": "top0"}, "`perm_op` is 'top0'"),
        ({"perm_op": "5"}, "`perm_op` is '5'"),
        ({"perm_op": None}, "`perm_op` is None"),
    ],
)
def test_mistakes_are_found_at_construction(change, message):
    with pytest.raises(InputError, match="^" + message) as error:
        PersLay(**(GOOD | change))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (lambda: TentPhi(0), "`n_samples` is 0; expected an integer of at least 1"),
        (lambda: GaussianPhi(1.0), "`n_centers` is 1.0;"),
        (lambda: RationalHatPhi("a"), "`n_centers` is 'a';"),
        (lambda: LinePhi(-1), "`n_lines` is -1;"),
        (lambda: GaussianMixtureWeight(True), "`n_gaussians` is True;"),
        (lambda: PowerWeight("a"), "`power` is 'a'; expected a number"),
        (lambda: PowerWeight(1, None), "`constant` is None;"),
        (lambda: GridWeight(resolution=3), "`resolution` is 3; expected two"),
        (lambda: GridWeight(resolution=(1, 1), im_range=(0, 0, 0, 1)), "`im_range` is"),
    ],
)
def test_mistakes_in_parts(part, message):
    with pytest.raises(InputError, match="^" + message):
        part()


def test_input_is_checked():
    d = made([[(0, 0.0, 1.0)]])
    ours = layer()
    for call in (ours, lambda x: ours.fit(x, generator=torch.Generator())):
        with pytest.raises(InputError, match=r"^`diagrams` is Tensor; expected"):
            call(torch.zeros(2, 3))
        with pytest.raises(InputError, match=r"^`diagrams` has homology_dimensions \(0,\); expec"):
            call(d.select(0))

    class Wrong(nn.Module):
        def forward(self, birth, death):
            return birth.sum()

    with pytest.raises(InputError, match=r"^`phi` returned torch.float64 of shape \(\); expected"):
        PersLay(homology_dimensions=(0, 1), phi=Wrong())(d)
    with pytest.raises(InputError, match=r"^`weight` returned torch.float64 .* shape \(1,\)\.$"):
        PersLay(homology_dimensions=(0, 1), phi=LinePhi(2), weight=Wrong())(d)
