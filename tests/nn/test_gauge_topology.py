"""Persistence of fields of loops does not depend on the gauge; that of fields of links does."""

import pytest
import torch
from torch import nn

from topoml.lie import SU, U1, Circle
from topoml.nn import (
    CubicalPersistence,
    FieldPersistence,
    LTrace,
    PersistenceImage,
    Plaquettes,
    WilsonLoops,
    assert_equivariant,
    gauge_transformations,
    invariant,
    transform_links,
)

from .equivariant import generator

CASES = [(U1(), (7, 8)), (SU(2), (7, 8)), (SU(3), (5, 6)), (SU(2), (4, 4, 5))]


def links(group, lattice, seed=0):
    size = (2, len(lattice), *lattice)
    return group.random_haar(*size, generator=generator(seed), dtype=torch.complex128)


def two_gauges(group, U):
    return U, transform_links(gauge_transformations(group).draw(U, generator(9)), U)


def distance(one, other):
    """Largest difference of classes of some persistence, in the order of their values, or inf."""

    def rows(d):
        long = d.lifetime > 1e-9
        keys = [d.sample, d.dimension, *d.points.mT]
        table = torch.stack([k.double() for k in keys], 1)[long]
        essential = torch.stack(
            [d.essential_sample.double(), d.essential_dimension.double(), d.essential], 1
        )
        return [
            t[sorted(range(len(t)), key=lambda i, t=t: t[i].tolist())] for t in (table, essential)
        ]

    pairs = list(zip(rows(one), rows(other), strict=True))
    if any(a.shape != b.shape for a, b in pairs):
        return float("inf")
    return max(float((a - b).abs().max()) for a, b in pairs)


class FirstEntry(nn.Module):
    """A field of the links that is no loop: the control."""

    def forward(self, U):
        return U[..., 0, 0].real


@pytest.mark.parametrize(("group", "lattice"), CASES, ids=str)
@pytest.mark.parametrize("loops", [WilsonLoops(((1, 1),)), Plaquettes(), WilsonLoops(((2, 1),))])
def test_persistence_of_loops_is_gauge_invariant(group, lattice, loops):
    dim = len(lattice)
    persistence = CubicalPersistence(homology_dimensions=range(dim), spatial_dims=dim)
    one, other = (
        nn.Sequential(loops, LTrace(), persistence)(U)
        for U in two_gauges(group, links(group, lattice))
    )
    assert distance(one, other) < 1e-10
    one, other = (
        nn.Sequential(FirstEntry(), persistence)(U)
        for U in two_gauges(group, links(group, lattice))
    )
    assert distance(one, other) > 1e-2


def test_persistence_of_the_angles_of_plaquettes():
    """Of U(1): the field strength is an angle in any gauge, and the link is not."""
    field = FieldPersistence(manifold=Circle(), homology_dimensions=(0, 1))

    def angle(W):
        return W[:, 0, ..., 0, 0].angle()

    U, V = two_gauges(U1(), links(U1(), (7, 8)))
    loops = WilsonLoops(((1, 1),))
    assert distance(field(angle(loops(U))), field(angle(loops(V)))) < 1e-10
    assert distance(field(angle(U)), field(angle(V))) > 1e-2


def test_a_trainable_model():
    """Images of the persistence of plaquettes: invariant, with gradients down to the links."""
    model = nn.Sequential(
        WilsonLoops(((1, 1), (1, 2))),
        LTrace(),
        CubicalPersistence(homology_dimensions=(0, 1)),
        PersistenceImage(bandwidth=0.3, resolution=(4, 4), im_range=(-2, 2, 0, 4)),
    ).double()
    U = links(SU(2), (6, 6))
    action = gauge_transformations(SU(2))
    assert_equivariant(model, action, U, generator(1), act_out=invariant)
    U.requires_grad_()
    weight = torch.randn(model(U).shape, generator=generator(2), dtype=torch.float64)
    (gradient,) = torch.autograd.grad((model(U) * weight).sum(), U)
    assert gradient.isfinite().all()
    assert (gradient.abs() > 0).any()
