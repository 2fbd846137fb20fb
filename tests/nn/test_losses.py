"""Loss layers: what the functions give, reduced; checks at construction; training."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from tests.features.made import made, random_samples
from topoml._core.errors import InputError
from topoml.features import (
    betti_matching_loss,
    betti_number_loss,
    connectivity_loss,
    persistence_entropy,
    rtd_loss,
    topological_signature_loss,
    total_persistence,
    vortex_loss,
)
from topoml.nn import (
    BettiMatchingLoss,
    BettiNumberLoss,
    ConnectivityLoss,
    CubicalPersistence,
    PersistenceEntropyLoss,
    RTDLoss,
    TopologicalSignatureLoss,
    TotalPersistenceLoss,
    VortexLoss,
)

DIAGRAMS = made(random_samples(np.random.default_rng(0), 4, essential=False))
G = torch.Generator().manual_seed(0)
CLOUDS = [torch.randn(4, 7, d, dtype=torch.float64, generator=G) for d in (2, 3)]
ANGLES = 6 * torch.rand(4, 5, 5, dtype=torch.float64, generator=G)
CASES = {
    "total": (
        lambda **o: TotalPersistenceLoss(power=1.5, skip=(1, 0), keep=3, **o),
        lambda d: total_persistence(d, power=1.5, skip=(1, 0), keep=3).sum(1),
        [DIAGRAMS],
    ),
    "betti": (
        lambda **o: BettiNumberLoss(betti_numbers=(1, 2), cap=9.0, **o),
        lambda d: betti_number_loss(d, betti_numbers=(1, 2), cap=9.0),
        [DIAGRAMS],
    ),
    "entropy": (PersistenceEntropyLoss, lambda d: persistence_entropy(d).sum(1), [DIAGRAMS]),
    "signature": (
        lambda **o: TopologicalSignatureLoss(homology_dimensions=(0, 1), normalise=True, **o),
        lambda *xz: topological_signature_loss(*xz, homology_dimensions=(0, 1), normalise=True),
        CLOUDS,
    ),
    "connectivity": (
        lambda **o: ConnectivityLoss(eta=0.7, **o),
        lambda x: connectivity_loss(x, eta=0.7),
        CLOUDS[:1],
    ),
    "rtd": (RTDLoss, rtd_loss, CLOUDS),
    "matching": (
        lambda **o: BettiMatchingLoss(homology_dimensions=(1,), periodic=True, **o),
        lambda *xy: betti_matching_loss(*xy, homology_dimensions=(1,), periodic=True),
        [ANGLES, ANGLES.flip(2)],
    ),
    "vortex": (
        lambda **o: VortexLoss(sharpness=0.8, periodic=(True, False), **o),
        lambda x: vortex_loss(x, sharpness=0.8, periodic=(True, False)),
        [ANGLES],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_the_function(case):
    layer, function, inputs = CASES[case]
    values = function(*inputs)
    assert values.shape == (4,)
    assert torch.equal(layer(reduction="none")(*inputs), values)
    assert torch.equal(layer(reduction="sum")(*inputs), values.sum())
    assert torch.equal(layer()(*inputs), values.mean())
    assert torch.equal(layer(reduction="none")(*(x[1] for x in inputs)), values[1])
    assert not layer().state_dict()


@pytest.mark.parametrize("case", CASES)
def test_reduction_is_checked(case):
    with pytest.raises(InputError, match=r"^`reduction` is 'max'; expected"):
        CASES[case][0](reduction="max")


def test_mean_of_nothing():
    empty = DIAGRAMS[:0]
    assert float(TotalPersistenceLoss(reduction="sum")(empty)) == 0.0
    assert TotalPersistenceLoss(reduction="none")(empty).shape == (0,)
    with pytest.raises(InputError, match=r'^`reduction` is "mean" of no sample'):
        TotalPersistenceLoss()(empty)


def test_repr():
    assert [repr(layer()) for layer, _, _ in CASES.values()] == [
        "TotalPersistenceLoss(power=1.5, skip=(1, 0), keep=3, reduction='mean')",
        "BettiNumberLoss(betti_numbers=(1, 2), cap=9.0, reduction='mean')",
        "PersistenceEntropyLoss(reduction='mean')",
        "TopologicalSignatureLoss(homology_dimensions=(0, 1), normalise=True, reduction='mean')",
        "ConnectivityLoss(eta=0.7, reduction='mean')",
        "RTDLoss(reduction='mean')",
        "BettiMatchingLoss(homology_dimensions=(1,), periodic=(True, True), construction='V',"
        " superlevel=False, reduction='mean')",
        "VortexLoss(sharpness=0.8, periodic=(True, False), reduction='mean')",
    ]


@pytest.mark.parametrize(
    ("layer", "options", "message"),
    [
        (TotalPersistenceLoss, {"power": 0.5}, "`power` is 0.5;"),
        (TotalPersistenceLoss, {"skip": -1}, "`skip` is -1;"),
        (TotalPersistenceLoss, {"keep": (1, 0.5)}, r"`keep` is \(1, 0.5\);"),
        (BettiNumberLoss, {"betti_numbers": -1}, "`betti_numbers` is -1;"),
        (BettiNumberLoss, {"betti_numbers": 1, "cap": math.nan}, "`cap` is nan;"),
        (TopologicalSignatureLoss, {"homology_dimensions": (2,)}, "`homology_dimensions` is"),
        (TopologicalSignatureLoss, {"normalise": 1}, "`normalise` is 1;"),
        (ConnectivityLoss, {"eta": 0}, "`eta` is 0;"),
        (BettiMatchingLoss, {"homology_dimensions": (3,)}, "`homology_dimensions` is"),
        (BettiMatchingLoss, {"construction": "X"}, "`construction` is 'X';"),
        (BettiMatchingLoss, {"periodic": 1}, "`periodic` is 1;"),
        (BettiMatchingLoss, {"superlevel": None}, "`superlevel` is None;"),
        (VortexLoss, {"sharpness": 1}, "`sharpness` is 1;"),
        (VortexLoss, {"periodic": "yes"}, "`periodic` is 'yes';"),
    ],
)
def test_mistakes_are_found_at_construction(layer, options, message):
    with pytest.raises(InputError, match="^" + message):
        layer(**options)


def test_number_of_dimensions_is_checked_on_the_call():
    with pytest.raises(InputError, match=r"^`skip` is \(1, 2, 3\); expected 2 of them"):
        TotalPersistenceLoss(skip=(1, 2, 3))(DIAGRAMS)
    with pytest.raises(InputError, match=r"^`betti_numbers` is \(1,\); expected 2 of them"):
        BettiNumberLoss(betti_numbers=1)(DIAGRAMS)


def test_denoising():
    """Total persistence beyond the longest class takes the noise's minima from a basin."""
    x = torch.linspace(-1, 1, 12)
    field = x[:, None] ** 2 + x**2 + 0.3 * torch.rand(12, 12, generator=G)
    complex_, loss = CubicalPersistence(homology_dimensions=(0,)), TotalPersistenceLoss(power=1)
    before = len(complex_(field).points)
    field.requires_grad_()
    optimizer = torch.optim.SGD([field], lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss(complex_(field)).backward()
        optimizer.step()
    after = complex_(field.detach()).threshold(0.05)
    assert before >= 5
    assert len(after.points) == 0


def test_topological_autoencoder():
    """The signature keeps clusters apart that a linear code of random weights mixes."""
    g = torch.Generator().manual_seed(1)
    centre = 6 * torch.eye(3, 8)
    x = (centre[:, None] + 0.3 * torch.randn(3, 10, 8, generator=g)).flatten(0, 1)
    torch.manual_seed(0)
    encoder = nn.Linear(8, 2)
    loss, optimizer = TopologicalSignatureLoss(), torch.optim.Adam(encoder.parameters(), lr=0.02)
    first = None
    for _ in range(150):
        value = loss(x, encoder(x))
        first = value.item() if first is None else first
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    assert value.item() < 0.5 * first
    code = encoder(x).detach().reshape(3, 10, 2)
    spread = (code - code.mean(1, keepdim=True)).norm(dim=-1).max()
    apart = torch.pdist(code.mean(1)).min()
    assert apart > 3 * spread


def test_segmentation():
    """Betti matching closes the ring where the target has it, and nowhere else."""
    target = torch.zeros(1, 16, 24)
    target[0, 4:12, 3:11] = target[0, 4:12, 14:22] = 1.0
    target[0, 6:10, 5:9] = target[0, 6:10, 16:20] = 0.0  # two rings
    x = (4 * target - 2 + 0.1 * torch.randn(1, 16, 24, generator=G)).clone()
    x[0, 7:9, 9:11] = -1.0  # a gap in the first
    x[0, 1, 12] = 1.0  # a spot beside them
    x.requires_grad_()
    loss = BettiMatchingLoss(superlevel=True)
    before = float(loss(x.detach().sigmoid(), target))
    optimizer = torch.optim.Adam([x], lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        value = loss(x.sigmoid(), target)
        value.backward()
        optimizer.step()
    p = x.detach().sigmoid()
    assert value.item() < 0.05 * before
    assert p[0, 7:9, 9:11].amin(0).max() > 0.8  # a bridge across the gap
    assert p[0, 1, 12] < 0.2
