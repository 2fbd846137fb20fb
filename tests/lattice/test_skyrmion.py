"""Skyrmion charge against planted skyrmions, areas on the sphere and its symmetries."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from topoml._core.errors import InputError
from topoml.lattice import skyrmion_charge, skyrmion_density


def vectors(seed, *shape):
    return np.random.default_rng(seed).normal(size=(*shape, 3))


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def texture(sides, cores):
    """Cores (x, y, radius, winding, helicity) that point down, in a background that points up."""
    x, y = np.meshgrid(*map(np.arange, sides), indexing="ij")
    spins = np.zeros((*sides, 3))
    spins[..., 2] = 1.0
    for x0, y0, radius, winding, helicity in cores:
        r, phi = np.hypot(x - x0, y - y0), np.arctan2(y - y0, x - x0)
        angle = np.pi * (1 - r / radius)  # with the third axis: pi in the core, 0 outside
        turn = winding * phi + helicity
        core = [np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)]
        spins[r < radius] = np.stack(core, -1)[r < radius]
    return spins


def girard(a, b, c):
    """Area of a spherical triangle from its three angles, signed by its orientation."""

    def corner(p, q, r):
        u, v = (unit(x - (x @ p) * p) for x in (q, r))
        return math.acos(np.clip(u @ v, -1, 1))

    excess = corner(a, b, c) + corner(b, c, a) + corner(c, a, b) - math.pi
    return math.copysign(excess, a @ np.cross(b, c))


class TestPlanted:
    @pytest.mark.parametrize("helicity", [0.0, math.pi / 2, 2.0], ids=["Neel", "Bloch", "other"])
    @pytest.mark.parametrize("winding", [1, -1, 2, -3])
    def test_one(self, winding, helicity):
        down = texture((20, 20), [(9.4, 9.6, 9.0, winding, helicity)])
        assert int(skyrmion_charge(down)) == -winding
        assert int(skyrmion_charge(-down)) == winding

    def test_many(self):
        """Three skyrmions, one antiskyrmion and one that winds twice: -3 + 1 - 2."""
        cores = [
            (6.3, 6.4, 5.5, 1, 0.3),
            (6.3, 20.4, 5.5, 1, 1.3),
            (20.3, 6.4, 5.5, 1, 0.0),
            (20.3, 20.4, 5.5, -1, 0.0),
            (34.3, 13.4, 5.5, 2, 0.0),
        ]
        spins = texture((42, 27), cores)
        assert int(skyrmion_charge(spins)) == -4
        around = np.roll(spins, (11, 9), (0, 1))  # over the edges of the lattice
        assert int(skyrmion_charge(around)) == -4
        assert int(skyrmion_charge(np.roll(spins.astype(np.float32), 5, 0))) == -4

    def test_none(self):
        assert int(skyrmion_charge(texture((6, 7), []))) == 0
        smooth = unit(vectors(0, 8, 8) * 0.3 + np.array([0, 0, 1.0]))
        assert int(skyrmion_charge(smooth)) == 0


class TestDensity:
    def test_areas_of_triangles(self):
        """By the angles of the triangles (Girard), cut along the diagonal from (i, j)."""
        spins = unit(vectors(1, 4, 5))
        found = skyrmion_density(spins)
        for i, j in np.ndindex(4, 5):
            a, b = spins[i, j], spins[(i + 1) % 4, j]
            c, d = spins[(i + 1) % 4, (j + 1) % 5], spins[i, (j + 1) % 5]
            area = girard(a, b, c) + girard(a, c, d)
            assert found[i, j] == pytest.approx(area / (4 * math.pi), abs=1e-12)

    @pytest.mark.parametrize("shape", [(1, 1), (1, 4), (2, 3), (9, 8)])
    def test_sums_to_integers(self, shape):
        """Independent spins; the sum of a part of the plaquettes is none (control)."""
        density = skyrmion_density(vectors(2, 50, *shape))
        total = density.sum((-2, -1))
        np.testing.assert_allclose(total, np.rint(total), rtol=0, atol=1e-12)
        np.testing.assert_array_equal(skyrmion_charge(vectors(2, 50, *shape)), np.rint(total))
        if math.prod(shape) > 4:
            assert np.abs(total).max() >= 1
            part = density[:, 0, 0]
            assert np.abs(part - np.rint(part)).max() > 0.1

    def test_symmetries(self):
        spins = vectors(3, 6, 6)
        density = skyrmion_density(spins)
        turn = Rotation.random(random_state=0).as_matrix()
        np.testing.assert_allclose(skyrmion_density(spins @ turn.T), density, atol=1e-13)
        np.testing.assert_allclose(skyrmion_density(-spins), -density, atol=1e-13)
        lengths = np.random.default_rng(4).uniform(0.1, 9, (6, 6, 1))
        np.testing.assert_allclose(skyrmion_density(lengths * spins), density, atol=1e-13)
        transposed = skyrmion_density(spins.swapaxes(0, 1))
        np.testing.assert_allclose(transposed, -density.T, atol=1e-13)
        # the control: a turn of some spins only
        half = spins.copy()
        half[:3] = half[:3] @ turn.T
        assert np.abs(skyrmion_density(half) - density).max() > 0.1

    def test_the_other_diagonal(self):
        """Mirrored and with the sign turned: equal for smooth spins, another number for rough."""
        smooth = texture((20, 20), [(9.4, 9.6, 9.0, 1, 0.0)])
        rough = vectors(5, 40, 6, 6)
        assert int(skyrmion_charge(smooth)) == -int(skyrmion_charge(np.flip(smooth, 0)))
        assert (skyrmion_charge(rough) != -skyrmion_charge(np.flip(rough, 1))).any()

    def test_batches_and_torch(self):
        spins = vectors(6, 2, 3, 4, 5)
        found = skyrmion_charge(spins)
        assert found.shape == (2, 3)
        assert found.dtype == np.int64
        assert skyrmion_charge(spins[1, 2]) == found[1, 2]
        given = torch.from_numpy(spins)
        assert skyrmion_charge(given).dtype == torch.int64
        np.testing.assert_array_equal(skyrmion_charge(given).numpy(), found)
        assert skyrmion_density(given.float()).dtype == torch.float32
        np.testing.assert_allclose(
            skyrmion_density(given).numpy(), skyrmion_density(spins), rtol=0, atol=1e-13
        )

    def test_gradient(self):
        spins = torch.from_numpy(vectors(7, 3, 3)).requires_grad_()
        assert torch.autograd.gradcheck(skyrmion_density, spins)
        total = torch.autograd.grad(skyrmion_density(spins).sum(), spins)[0]
        assert total.abs().max() < 1e-12  # an integer does not change

    def test_refusals(self):
        for shape in [(4, 4, 2), (4, 3), (4, 0, 3)]:
            with pytest.raises(InputError, match=r"expected \(\*batch, L0, L1"):
                skyrmion_charge(np.zeros(shape))
