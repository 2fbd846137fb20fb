"""StructureElements against the formulas of Hofer et al., written out class by class."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from tests.features.made import diagrams, made, of_sample, random_samples
from topoml._core.errors import InputError
from topoml.nn import RationalHatPhi, StructureElements

from . import learnable

CASES = [
    {"kind": "exponential"},
    {"kind": "exponential", "nu": 0.4},
    {"kind": "rational"},
    {"kind": "rational", "exponent": 2.5, "nu": 0.4},
    {"kind": "rational_hat"},
    {"kind": "rational_hat", "nu": 0.4},
]


def layer(case, dimensions=(0, 1), seed=0):
    torch.manual_seed(seed)
    made_layer = StructureElements(homology_dimensions=dimensions, n_elements=3, **case)
    return learnable.scrambled(made_layer, seed)


def element(ours, i, k, b, life):
    """The value of the k-th element of the i-th dimension."""
    if ours.nu is not None:
        if life == 0:
            return 0.0
        if life < ours.nu:
            life = ours.nu * math.log(life / ours.nu) + ours.nu
    u, v = (np.array([b, life]) - ours.centers[i, k].detach().numpy()).tolist()
    if ours.kind == "rational_hat":
        norm = abs(u) + abs(v)
        return 1 / (1 + norm) - 1 / (1 + abs(abs(ours.radius[i, k].item()) - norm))
    s, t = ours.sharpness[i, k].tolist()
    if ours.kind == "exponential":
        return math.exp(-((s * u) ** 2) - (t * v) ** 2)
    return 1 / (1 + abs(s) * abs(u) + abs(t) * abs(v)) ** ours.exponent


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=25)
@given(d=diagrams())
def test_equals_the_definition(case, d):
    ours = layer(case, d.homology_dimensions).double()
    found = ours(d).detach()
    for i in range(len(d)):
        for j, dimension in enumerate(d.homology_dimensions):
            points, _ = of_sample(d, i, dimension)
            for k in range(3):
                expected = sum(element(ours, j, k, b, abs(e - b)) for b, e in points)
                assert float(found[i, 3 * j + k]) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("case", CASES)
def test_sample_does_not_depend_on_its_batch(case, dtype):
    learnable.check_samples_are_alone(layer(case), 6, dtype)


@pytest.mark.parametrize("case", CASES)
def test_contract(case):
    ours = layer(case)
    learnable.check_threads(ours)
    learnable.check_order(ours)
    learnable.check_shapes_and_empties(ours, 6)
    learnable.check_gradcheck(ours)
    learnable.check_copies(ours, layer(case, seed=1))
    learnable.check_finite_gradients(ours, 1e30, 1e200)


@pytest.mark.parametrize("kind", ["exponential", "rational", "rational_hat"])
def test_nu_makes_the_diagonal_vanish(kind):
    """Without it a class of no length counts, as Hofer's code has it."""
    d = made([[(0, 0.2, 0.2), (1, 0.5, 0.5)]])
    assert layer({"kind": kind})(d).all()
    assert layer({"kind": kind, "nu": 0.1})(d).abs().max() < 1e-150
    short = made([[(0, 0.2, 0.2 + 1e-14), (1, 0.5, 0.5 + 1e-14)]])
    assert layer({"kind": kind, "nu": 0.1})(short).abs().max() < 0.25


def test_hat_is_that_of_perslay():
    d = made(random_samples(np.random.default_rng(0), 2))
    ours, phi = layer({"kind": "rational_hat"}), RationalHatPhi(3)
    phi.centers.data, phi.radius.data = ours.centers.data[1], ours.radius.data[1]
    here = (d.sample == 0) & (d.dimension == 1)
    expected = phi(*d.points[here].unbind(1)).sum(0)
    torch.testing.assert_close(ours(d)[0, 3:], expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("case", CASES)
def test_fit(case):
    rng = np.random.default_rng(1)
    samples = [[(k, b, b + 9 * life) for b, life in rng.random((20, 2))] for k in (0, 1)]
    d = made(samples)
    fitted = [layer(case).fit(d, generator=torch.Generator().manual_seed(2)) for _ in "ab"]
    assert torch.equal(fitted[0](d), fitted[1](d))
    for k in (0, 1):
        points, _ = of_sample(d, k, k)
        points[:, 1] -= points[:, 0]
        nu = case.get("nu", 0.0)
        points[:, 1] = [x if x >= nu else nu * math.log(x / nu) + nu for x in points[:, 1]]
        centers = fitted[0].centers[k].detach()
        distance = torch.cdist(centers.double(), torch.from_numpy(points)).amin(1)
        assert distance.max() < 1e-5
        deviation = torch.from_numpy(points.std(0)).float()
        if case["kind"] == "rational_hat":
            torch.testing.assert_close(fitted[0].radius[k].detach(), deviation.sum().expand(3))
        else:
            torch.testing.assert_close(fitted[0].sharpness[k, 2].detach(), 1 / deviation)
    with pytest.raises(InputError, match=r"^`diagrams` has no class in one of"):
        layer(case).fit(made([[(0, 0.0, 1.0)]]), generator=torch.Generator())


def test_repr():
    assert repr(layer(CASES[3])) == (
        "StructureElements(homology_dimensions=(0, 1), n_elements=3, kind='rational', nu=0.4,"
        " exponent=2.5)"
    )


GOOD = {"homology_dimensions": (0, 1), "n_elements": 3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"homology_dimensions": "01"}, "`homology_dimensions` is '01'; expected"),
        ({"n_elements": 0}, "`n_elements` is 0; expected an integer of at least 1"),
        ({"kind": "hat"}, r"`kind` is 'hat'; expected one of \('exponential'"),
        ({"nu": 0}, "`nu` is 0; expected a number above 0"),
        ({"nu": math.inf}, "`nu` is inf;"),
        ({"exponent": -1.0}, r"`exponent` is -1.0;"),
    ],
)
def test_mistakes_are_found_at_construction(change, message):
    with pytest.raises(InputError, match="^" + message):
        StructureElements(**(GOOD | change))


def test_input_is_checked():
    ours = layer(CASES[0])
    for call in (ours, lambda x: ours.fit(x, generator=torch.Generator())):
        with pytest.raises(InputError, match=r"^`diagrams` is Tensor; expected"):
            call(torch.zeros(2, 3))
        with pytest.raises(InputError, match=r"^`diagrams` has homology_dimensions \(1, 0\)"):
            call(made([[]], homology_dimensions=(1, 0)))
