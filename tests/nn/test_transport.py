"""Parallel transport of vectors against walks over links."""

import itertools

import pytest
import torch
from torch import nn

from topoml._core.errors import InputError
from topoml.nn.equivariance import assert_equivariant, translations
from topoml.nn.transformations import gauge_transformations, transform_fields
from topoml.nn.transport import ParallelTransportConv

from .equivariant import Battery, generator, randn
from .gauge_fields import CASES, hop_paths, links, matrices, walk


def fields(case, channels, dtype=torch.float64, dim=2, size=3, batch=2):
    lattice = (size, size + 1, size, size)[:dim]
    return randn(batch, channels, *lattice, CASES[case].matrix_size, dtype=dtype.to_complex())


def new(case, *args, dim=2, **options):
    torch.manual_seed(0)
    return ParallelTransportConv(*args, group=CASES[case], dim=dim, **options).double()


def gauge(case):
    """Of matrices, also where the links are quaternions."""
    action = gauge_transformations(CASES[case])

    def act_in(g, x):
        return action.act_in(g, x[:1])[0], transform_fields(matrices(g), x[1])

    return action, {
        "act_in": act_in,
        "act_out": lambda g, y: transform_fields(matrices(g), y),
        "n_draws": 1,
    }


@pytest.mark.parametrize("periodic", [True, (True, False)])
@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_formula(case, n, periodic):
    u, psi = links(case, batch=1), fields(case, 2, batch=1)
    full, axes = matrices(u), (True, True) if periodic is True else periodic
    seen = []
    for path in hop_paths(2, n):
        rows = []
        for x in itertools.product(range(3), range(4)):
            v, y = walk(full[0], path, x, axes)
            rows.append(torch.einsum("ij,cj->ci", v, psi[(0, slice(None), *y)]))
        seen.append(torch.stack(rows, 1).reshape(psi[0].shape))
    layer = new(case, 2, 3, n, periodic=periodic)
    weight = torch.view_as_complex(layer.weight.detach())
    expected = torch.einsum("ijh,hj...->i...", weight, torch.stack(seen))[None]
    torch.testing.assert_close(layer(u, psi), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("dim", [2, 4])
@pytest.mark.parametrize("case", CASES)
def test_equivariant(case, dim, dtype):
    x = links(case, dtype, dim, 2, 1), fields(case, 2, dtype, dim, 2, 1)
    layer = new(case, 2, 2, dim=dim).to(dtype)
    action, options = gauge(case)
    assert_equivariant(layer, action, x, generator(), **options)
    assert_equivariant(layer, translations(dim), x, generator())


class TestTransport(Battery):
    def layer(self):
        return ParallelTransportConv(2, 2, 2, group=CASES["su3"], dim=2)

    def input(self, dtype):
        return links("su3", dtype), fields("su3", 2, dtype)

    def symmetries(self):
        return {"gauge": gauge("su3"), "translations": translations(2)}

    def broken(self):
        class Untransported(nn.Module):
            def forward(self, u, psi):
                del u
                return psi + 1e-6 * psi.roll(1, 2)

        return Untransported()


def test_wrong_field():
    with pytest.raises(InputError, match=r"^`psi` is torch.complex64 of shape"):
        new("su3", 2, 2)(links("su3"), fields("su3", 2, torch.float32))
