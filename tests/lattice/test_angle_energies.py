"""Energies, facts and bad input of the models of planar spins."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from topoml._core.errors import InputError
from topoml.homology.field import bond_distances
from topoml.lattice import (
    XY,
    ConstrainedXY,
    FullyFrustratedXY,
    GeneralizedXY,
    Model,
    Villain,
    from_arrays,
    simulate,
    vortices,
)
from topoml.lattice.geometry import LATTICES
from topoml.lattice.model import EffectiveModel
from topoml.lie import Circle

from . import angle_oracles as oracles

SHAPES = {
    "chain": (5,),
    "square": (3, 4),
    "cubic": (2, 3, 4),
    "hypercubic": (2, 1, 3, 2),
    "triangular": (3, 4),
    "honeycomb": (2, 3, 2),
}
MODELS = [XY(), GeneralizedXY(0.3), Villain(), ConstrainedXY(2.0), FullyFrustratedXY()]


def by_loop(theta, lattice, of_bond):
    """Sum over the bonds of the definition."""
    shape = SHAPES[lattice]
    x = theta.reshape(*theta.shape[: theta.ndim - len(shape)], -1)
    return sum(of_bond(x[..., b] - x[..., a]) for a, b in oracles.bonds(lattice, shape))


@pytest.mark.parametrize("batch", [(), (2, 3)])
@pytest.mark.parametrize("lattice", LATTICES)
def test_energies_are_sums_over_bonds(lattice, batch):
    theta = np.random.default_rng(1).uniform(-9, 9, (*batch, *SHAPES[lattice]))
    t = 0.8
    wells = np.arange(-20, 21).reshape(-1, *[1] * len(batch))

    def villain(d):
        square = (oracles.wrapped(d) - oracles.TURN * wells) ** 2
        weight = np.exp(-0.75 / t * square)  # J = 1.5
        return 0.75 * (weight * square).sum(0) / weight.sum(0)

    for model, of_bond in (
        (XY(-1.5, lattice), oracles.cosine(-1.5)),
        (GeneralizedXY(0.3, 3, lattice), oracles.generalized(0.3, 3)),
        (Villain(1.5, lattice), villain),
    ):
        given = {"temperature": t} if isinstance(model, EffectiveModel) else {}
        expected = by_loop(theta, lattice, of_bond)
        found = model.energy(theta, **given)
        of_torch = model.energy(torch.from_numpy(theta), **given)
        assert found.shape == batch
        assert isinstance(of_torch, torch.Tensor)
        tolerance = 1e-14 * 40 * theta.size  # some roundings a bond, of terms up to 40
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
        np.testing.assert_allclose(of_torch.numpy(), expected, rtol=0, atol=tolerance)
        assert model.energy(theta.astype(np.float32), **given).dtype == np.float32


@pytest.mark.parametrize("lattice", LATTICES)
def test_constrained_energy(lattice):
    rng = np.random.default_rng(2)
    theta = rng.uniform(-0.7, 0.7, (50, *SHAPES[lattice])) + 10.0
    largest = np.max(
        [
            np.abs(oracles.wrapped(theta.reshape(50, -1)[:, b] - theta.reshape(50, -1)[:, a]))
            for a, b in oracles.bonds(lattice, SHAPES[lattice])
        ],
        0,
    )
    delta = float(np.median(largest))
    found = ConstrainedXY(delta, lattice).energy(theta)
    np.testing.assert_array_equal(found, np.where(largest > delta, np.inf, 0.0))
    assert 10 < np.isinf(found).sum() < 40


def test_villain_energy_is_minus_the_derivative_of_its_log_weight():
    """Also hot, where many terms matter."""
    d = np.linspace(-3, 3, 41)
    theta = np.stack([np.zeros(41), d], -1)
    for t in (0.05, 0.7, 20.0, 300.0):
        h = 1e-4 / t
        low, high = (2 * oracles.villain_log_weight(d, 1 / t + s) for s in (-h, h))
        expected = -(high - low) / (2 * h)
        found = Villain(lattice="chain").energy(theta, temperature=t)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * t)


def test_villain_in_an_ensemble():
    """The temperature of the ensemble reaches the energy."""
    model = Villain()
    e = simulate(model, sizes=[4], temperatures=[0.5, 2.0], samples=32, seed=3, n_jobs=1)
    for t in (0.5, 2.0):
        x = e.configurations(size=4, temperature=t)
        expected = model.energy(x, temperature=t) / 16
        np.testing.assert_array_equal(e.energy(size=4, temperature=t), expected)
    with pytest.raises(InputError, match=r"^`temperature` is None; expected a finite number"):
        model.energy(x)
    assert not isinstance(XY(), EffectiveModel)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_update_can_be_simulated(model):
    start = "ordered" if model.name == "constrained-xy" else "random"
    for update in model.updates:
        e = simulate(model, sizes=[4], temperatures=[0.7], samples=16, seed=4, update=update,
                     start=start, n_jobs=1)  # fmt: skip
        x = e.configurations(size=4, temperature=0.7)
        assert x.dtype == np.float32
        assert (np.abs(x) <= np.float32(np.pi)).all()
        assert np.isfinite(e.energy(size=4, temperature=0.7)).all()


@pytest.mark.parametrize(
    ("model", "per_site"),
    [
        (XY(), -2.0),
        (XY(-1.0), -2.0),
        (XY(-2.0, "cubic"), -6.0),
        (XY(-1.0, "hypercubic"), -4.0),
        (XY(-1.0, "triangular"), -1.5),
        (XY(1.0, "triangular"), -3.0),
        (XY(-1.0, "honeycomb"), -1.5),
        (XY(-1.0, "chain"), -1.0),
        (GeneralizedXY(0.2), -2.0),
        (FullyFrustratedXY(2.0), -2.0 * math.sqrt(2.0)),
        (ConstrainedXY(1.0), 0.0),
    ],
)
def test_ordered_states_are_ground_states(model, per_site):
    spins = model.ordered(model.shape(6))
    np.testing.assert_allclose(np.linalg.norm(spins, axis=-1), 1.0, rtol=1e-15)
    theta = np.arctan2(spins[..., 1], spins[..., 0])
    assert float(model.energy(theta)) / model.n_sites(theta.shape) == pytest.approx(per_site)


class TestFullyFrustrated:
    def test_flux_is_half_a_quantum(self):
        a = FullyFrustratedXY().connection((4, 6), np.float64)
        flux = a[0] + np.roll(a[1], -1, 0) - np.roll(a[0], -1, 1) - a[1]
        np.testing.assert_allclose(np.cos(flux), -1.0, rtol=1e-15)

    def test_energy_by_the_bond_angles_of_the_filtration(self):
        model, shape = FullyFrustratedXY(), (4, 6)
        theta = torch.from_numpy(np.random.default_rng(5).uniform(-3, 3, (7, *shape)))
        a = torch.from_numpy(model.connection(shape, np.float64))
        bonds = bond_distances(theta, manifold=Circle(), connection=a)
        np.testing.assert_allclose(
            model.energy(theta), -bonds.cos().sum((-3, -2, -1)), rtol=0, atol=48 * 1e-15
        )

    def test_sampled_angles_go_with_the_connection(self):
        model = FullyFrustratedXY()
        x, _ = model.sample(
            model.ordered((8, 8)), 0.3, 20, 4, np.random.default_rng(6), "heat bath"
        )
        a = torch.from_numpy(model.connection((8, 8)))
        # cold, the bonds are near pi / 4
        bonds = bond_distances(torch.from_numpy(x), manifold=Circle(), connection=a)
        assert abs(float(bonds.mean()) - math.pi / 4) < 0.2

    def test_ground_state_is_a_checkerboard_of_vortices(self):
        model, shape = FullyFrustratedXY(), (4, 4)
        spins = model.ordered(shape)
        theta = np.arctan2(spins[..., 1], spins[..., 0])
        a = model.connection(shape, np.float64)
        bond = [oracles.wrapped(np.roll(theta, -1, k) - theta - a[k]) for k in (0, 1)]
        turn = bond[0] + np.roll(bond[1], -1, 0) - np.roll(bond[0], -1, 1) - bond[1]
        i, j = np.indices(shape)
        np.testing.assert_allclose(turn * (-1) ** (i + j), turn[0, 0], atol=1e-14)
        assert abs(turn[0, 0]) == pytest.approx(math.pi)


def test_constrained_below_a_right_angle_has_no_vortices():
    for delta, any_vortex in ((1.5, False), (2.2, True)):
        model = ConstrainedXY(delta)
        x, _ = model.sample(model.ordered((8, 8)), 1.0, 20, 50, np.random.default_rng(7), "wolff")
        assert bool(vortices(x).any()) is any_vortex


class TestFacts:
    def test_known_transitions(self):
        def known(model):
            return model.known_transition[:2]

        assert known(XY(2.0)) == pytest.approx((2 * 0.8929, 0.0012))
        assert known(XY(-1.0)) == known(XY())
        assert known(XY(lattice="cubic"))[0] == pytest.approx(1 / 0.4541665, rel=1e-5)
        assert known(XY(-1.0, "triangular"))[0] == pytest.approx(0.512)
        assert known(XY(lattice="honeycomb"))[0] == pytest.approx(0.576)
        for none in ("chain", "triangular", "hypercubic"):
            assert XY(lattice=none).known_transition is None
        assert known(GeneralizedXY(0.15)) == (0.331, 0.001)
        assert known(GeneralizedXY(0.0, 5)) == known(GeneralizedXY(1.0)) == known(XY())
        assert GeneralizedXY(0.5).known_transition is None
        assert known(Villain(3.0))[0] == pytest.approx(3 / 0.7515)
        assert known(Villain(3.0))[1] == pytest.approx(3 * 0.0005 / 0.7515**2)
        assert known(Villain(lattice="cubic"))[0] == pytest.approx(3.0024, rel=1e-4)
        assert Villain(lattice="chain").known_transition is None
        assert known(ConstrainedXY(1.0)) == (1.775, 0.001)
        assert ConstrainedXY(1.0, "cubic").known_transition is None
        assert known(FullyFrustratedXY(2.0))[0] == pytest.approx(2 * 0.45324)

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
    def test_protocol(self, model):
        assert isinstance(model, Model)
        assert model.manifold == "circle"
        assert model.components == ()
        assert replace(model) == model
        assert hash(model) == hash(replace(model))

    def test_orders(self):
        assert XY(-1.0, "triangular").order == "Ising, then BKT"
        assert XY(-1.0, "triangular").updates[0] == "over-relaxation"
        assert XY(-1.0).updates[0] == XY(lattice="cubic").updates[0] == "wolff"
        assert XY(lattice="cubic").order == Villain(lattice="cubic").order == "second order"
        assert XY(lattice="chain").order == Villain(lattice="chain").order == "none"
        assert GeneralizedXY(0.15).order == "BKT, then Ising"
        assert GeneralizedXY(0.8).order == GeneralizedXY(0.0).order == Villain().order == "BKT"

    def test_delta_one_is_xy(self):
        theta = np.random.default_rng(8).uniform(-3, 3, (4, 4))
        assert GeneralizedXY(1.0).energy(theta) == pytest.approx(XY().energy(theta))

    def test_an_ensemble_of_other_people_takes_a_model(self):
        x = np.random.default_rng(9).uniform(-3, 3, (8, 4, 4))
        e = replace(from_arrays(x, np.full(8, 0.9)), model=Villain())
        expected = Villain().energy(x, temperature=0.9) / 16
        np.testing.assert_allclose(e.energy(size=4, temperature=0.9).ravel(), expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: XY(0.0), r"^`J` is 0.0; expected a finite number other than 0"),
        (lambda: XY(math.inf), r"^`J` is inf; expected"),
        (lambda: XY(True), r"^`J` is True; expected"),
        (lambda: XY("1"), r"^`J` is '1'; expected"),
        (lambda: XY(lattice="kagome"), r"^`lattice` is 'kagome'; expected one of 'chain'"),
        (lambda: Villain(-1.0), r"^`J` is -1.0; expected a finite number above 0"),
        (lambda: Villain(lattice=""), r"^`lattice` is ''"),
        (lambda: FullyFrustratedXY(math.nan), r"^`J` is nan"),
        (lambda: FullyFrustratedXY().shape(5), r"^`shape` is \(5, 5\); expected two even sides"),
        (lambda: FullyFrustratedXY().ordered((4, 3)), r"^`shape` is \(4, 3\); expected two even"),
        (lambda: FullyFrustratedXY().energy(np.zeros((3, 4))), r"^`shape` is \(3, 4\)"),
        (lambda: GeneralizedXY(1.1), r"^`delta` is 1.1; expected a number from 0 to 1"),
        (lambda: GeneralizedXY(math.nan), r"^`delta` is nan"),
        (lambda: GeneralizedXY(0.5, q=0), r"^`q` is 0; expected an integer from 1 to 1000"),
        (lambda: GeneralizedXY(0.5, q=2.0), r"^`q` is 2.0"),
        (lambda: GeneralizedXY(0.5, lattice="x"), r"^`lattice` is 'x'"),
        (lambda: ConstrainedXY(0.0), r"^`delta` is 0.0; expected an angle in radians"),
        (lambda: ConstrainedXY(3.2), r"^`delta` is 3.2"),
        (lambda: ConstrainedXY("a"), r"^`delta` is 'a'"),
        (lambda: Villain().energy(np.zeros((2, 2)), temperature=0.0), r"^`temperature` is 0.0"),
        (lambda: XY(lattice="cubic").energy(np.zeros((2, 2))), r"expected \(\*batch, L0, L1, L2\)"),
        (lambda: XY().energy([[0.0]]), r"^`configurations` is of type list"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(InputError, match=message) as error:
        make()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_unknown_update(model):
    with pytest.raises(InputError, match=r"^`update` is 'hmc'; expected one of '"):
        model.sample(model.ordered((2, 2)), 1.0, 1, 1, np.random.default_rng(0), "hmc")
