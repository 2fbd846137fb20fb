"""Losses to a target: values of the distances, reductions, gradients, training."""

import math

import pytest
import torch

from tests.distances.test_common import batch
from tests.features.made import made
from topoml._core.errors import InputError
from topoml.distances import sliced_wasserstein, wasserstein
from topoml.homology import cubical_persistence
from topoml.nn import CubicalPersistence, SlicedWassersteinLoss, WassersteinLoss


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_values(reduction):
    a, b = made(batch(6, 0), batch_shape=(2, 3)), made(batch(3, 1))
    reduce = {"mean": torch.mean, "sum": torch.sum, "none": lambda x: x}[reduction]
    for order, p in ((1, math.inf), (2, 2), (3, 1)):
        loss = WassersteinLoss(order=order, internal_p=p, reduction=reduction)(a, b)
        expected = reduce(wasserstein(a, b, order=order, internal_p=p) ** order)
        torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)
    loss = SlicedWassersteinLoss(num_directions=7, reduction=reduction)(a, b)
    torch.testing.assert_close(
        loss, reduce(sliced_wasserstein(a, b, num_directions=7)), rtol=0, atol=0
    )


def test_repr():
    assert repr(WassersteinLoss()) == (
        "WassersteinLoss(order=2.0, internal_p=2.0, reduction='mean')"
    )
    assert repr(SlicedWassersteinLoss(num_directions=9, reduction="sum")) == (
        "SlicedWassersteinLoss(num_directions=9, reduction='sum')"
    )


@pytest.mark.parametrize(
    ("loss", "options", "message"),
    [
        (WassersteinLoss, {"order": 0.9}, "`order` is 0.9; expected a number of at least 1"),
        (WassersteinLoss, {"internal_p": 0}, "`internal_p` is 0; expected"),
        (WassersteinLoss, {"reduction": "average"}, "`reduction` is 'average'; expected \"mean\","),
        (SlicedWassersteinLoss, {"num_directions": 1}, "`num_directions` is 1; expected"),
        (SlicedWassersteinLoss, {"reduction": None}, "`reduction` is None; expected"),
    ],
)
def test_mistakes_are_found_at_construction(loss, options, message):
    with pytest.raises(InputError, match="^" + message):
        loss(**options)


@pytest.mark.parametrize("loss", [WassersteinLoss(), SlicedWassersteinLoss()])
def test_unequal_essential_classes_are_refused(loss):
    a = made([[(0, 0.0, math.inf)], [(0, 0.0, math.inf)]])
    b = made([[(0, 0.0, math.inf)], [(1, 0.0, math.inf)]])
    message = (
        r"^`target` has essential classes {'H0': 0, 'H1': 1} where `diagrams` has"
        r" {'H0': 1, 'H1': 0} \(pair 1\); expected as many"
    )
    with pytest.raises(InputError, match=message) as error:
        loss(a, b)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=r"^`b` is list"):
        loss(a, [])


@pytest.mark.parametrize("loss", [WassersteinLoss(), SlicedWassersteinLoss()])
def test_gradient_at_the_target_is_zero(loss):
    x = torch.randn(3, 6, 6, dtype=torch.float64, requires_grad=True)
    d = cubical_persistence(x, homology_dimensions=(0, 1), periodic=True)
    value = loss(d, d.detach())
    assert value == 0
    value.backward()
    assert not x.grad.any()


@pytest.mark.parametrize("loss", [WassersteinLoss(), SlicedWassersteinLoss(num_directions=10)])
def test_training_moves_a_field_to_the_target(loss):
    """Essential classes too: all of the diagram comes near to that of another field."""
    g = torch.Generator().manual_seed(0)
    persistence = CubicalPersistence(homology_dimensions=(0, 1), periodic=True)
    target = persistence(torch.randn(2, 6, 6, dtype=torch.float64, generator=g))
    x = (3 + torch.randn(2, 6, 6, dtype=torch.float64, generator=g)).requires_grad_()
    optimizer = torch.optim.Adam([x], lr=0.05)
    losses = []
    for _ in range(250):
        value = loss(persistence(x), target)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert losses[-1] < 0.2 * losses[0]  # of finite classes it has not yet the same number
    births = persistence(x).essential.detach()
    assert (births - target.essential).abs().mean() < 0.2  # from about 3
    assert x.grad.isfinite().all()
