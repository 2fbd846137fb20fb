"""Haar's measure by the moments of the trace, with geomstats's sampler of SO(n) as the control."""

import pytest
import torch

from topoml._core.errors import InputError
from topoml.lie import (
    SO,
    SU,
    U1,
    Grassmannian,
    RealProjective,
    Sphere,
    Stiefel,
    Torus,
    default_dtype,
)

from .groups import COMPACT, dtype_of

N = 20_000
# E tr^k for k = 1 ... 4 and E |tr|^2, E |tr|^4: numbers of invariants in tensor powers
MOMENTS = {
    U1(): (0, 0, 0, 0, 1, 1),
    SO(2): (0, 2, 0, 6, 2, 6),
    SO(3): (0, 1, 1, 3, 1, 3),
    SO(4): (0, 1, 0, 4, 1, 4),
    SO(5): (0, 1, 0, 3, 1, 3),
    SU(2): (0, 1, 0, 2, 1, 2),
    SU(3): (0, 0, 1, 0, 1, 2),
    SU(4): (0, 0, 0, 1, 1, 2),
}


def deviations(sample, expected):
    """Differences from the expected moments over their standard errors."""
    trace = sample.diagonal(dim1=-2, dim2=-1).sum(-1)
    values = [*(trace**k for k in range(1, 5)), trace.abs() ** 2, trace.abs() ** 4]
    z = []
    for value, target in zip(values, expected, strict=True):
        for part, aim in (
            ((value.real, target), (value.imag, 0)) if value.is_complex() else ((value, target),)
        ):
            error = part.std() / N**0.5
            z.append(float((part.mean() - aim).abs() / error.clamp(min=1e-9)))
    return z


@pytest.mark.parametrize("group", COMPACT, ids=str)
def test_moments_of_the_trace(group):
    generator = torch.Generator().manual_seed(11)
    sample = group.random_haar(N, generator=generator, dtype=dtype_of(group))
    assert max(deviations(sample, MOMENTS[group])) < 5
    group.check("sample", sample)
    fixed = group.random_haar(generator=generator, dtype=sample.dtype)
    assert max(deviations(fixed @ sample, MOMENTS[group])) < 5


@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_sampler_of_geomstats_fails(n):
    torch.manual_seed(0)
    with default_dtype(torch.float64):
        sample = SO(n).space.random_uniform(N)
    assert max(deviations(sample, MOMENTS[SO(n)])) > 20


@pytest.mark.parametrize("space", [Sphere(2), RealProjective(3), Stiefel(4, 2), Grassmannian(4, 2)])
def test_uniform_points(space):
    """Mean and mean square of the entries."""
    sample = space.random_haar(N, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    space.check("sample", sample)
    n = space.point_shape[0]
    if isinstance(space, Grassmannian):
        assert (sample.mean(0) - torch.eye(n) * space.k / n).abs().max() < 5 * 0.5 / N**0.5
    else:
        assert sample.mean(0).abs().max() < 5 / (n * N) ** 0.5
        assert (sample.square().mean(0) - 1 / n).abs().max() < 5 * 0.5 / N**0.5


def test_torus_and_reproducibility():
    for space in (Torus(2), SO(3), Sphere(2)):
        first, again = (
            space.random_haar(5, generator=torch.Generator().manual_seed(3), dtype=torch.float32)
            for _ in range(2)
        )
        assert torch.equal(first, again)
        assert first.dtype == torch.float32
    angles = Torus(1).random_haar(
        N, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    assert angles.abs().max() <= torch.pi
    assert angles.cos().mean().abs() < 5 / (2 * N) ** 0.5
    assert (2 * angles).cos().mean().abs() < 5 / (2 * N) ** 0.5


@pytest.mark.parametrize("group", COMPACT, ids=str)
def test_dtype(group):
    wrong = torch.float32 if group.is_complex else torch.complex64
    with pytest.raises(InputError, match=r"^`dtype` is torch\..*; expected a"):
        group.random_haar(2, generator=torch.Generator(), dtype=wrong)
