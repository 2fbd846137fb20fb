"""Cold and hot starts: the latent heat where there is one, agreement where there is none."""

import numpy as np
import pytest

from tests.lattice import oracles
from topoml._core.errors import InputError
from topoml.lattice import Ensemble, Ising, Potts, simulate
from topoml.phases import Estimate, ShortChainError, Starts, compare_starts, energy, jackknife

Q20 = Potts(20, J=2.0)
T_C = Q20.known_transition.value


def test_first_order():
    """At T_c the latent heat, about the mean of both phases; none away from it."""
    ts = [T_C, 1.5 * T_C]
    run = {"samples": 1600, "seed": 1, "update": "heat bath", "check": False}
    found = compare_starts(Q20, size=20, temperatures=ts, **run)
    assert [s.temperature for s in found] == ts
    at, away = found
    assert not at.agree
    assert abs(at.gap - Q20.latent_heat) < 4 * at.error < 0.1
    middle = (at.hot.value + at.cold.value) / 2
    assert abs(middle - Q20.critical_energy) < 2 * at.error
    assert away.agree
    assert away.error < 0.01


def test_second_order():
    (found,) = compare_starts(
        Ising(), size=3, temperatures=[oracles.T_ISING], samples=40_000, seed=2, n_jobs=1
    )
    exact = oracles.ISING_TORI[3][0]
    assert found.agree
    for one in (found.cold, found.hot):
        assert abs(one.value - exact) < 4 * one.error < 0.1
    assert found.cold != found.hot


def test_gap_and_its_error():
    s = Starts(1.0, Estimate(-1.0, 0.3, 0.5, 10), Estimate(0.5, 0.4, 0.5, 10))
    assert (s.gap, s.error, s.agree) == (1.5, pytest.approx(0.5), True)
    assert not s._replace(hot=Estimate(1.01, 0.4, 0.5, 10)).agree


def test_stores(tmp_path):
    """One for each start, with the numbers of memory; the same call again reads them."""
    run = {"size": 4, "temperatures": [2.0, 3.0], "samples": 1600, "seed": 5, "n_jobs": 1}
    found = compare_starts(Ising(), **run)
    for _ in range(2):
        assert compare_starts(Ising(), store=tmp_path / "both", **run) == found
    assert sorted(p.name for p in (tmp_path / "both").iterdir()) == ["cold", "hot"]
    hot = Ensemble.open(tmp_path / "both" / "hot")
    expected = simulate(
        Ising(), sizes=[4], temperatures=[2.0], samples=1600, seed=11, start="random", n_jobs=1
    )
    x = expected.configurations(size=4, temperature=2.0)
    np.testing.assert_array_equal(hot.configurations(size=4, temperature=2.0), x)
    assert found[0].hot == energy(expected, size=4, temperature=2.0)


def test_errors_and_refusals():
    run = {"size": 4, "temperatures": [2.0], "samples": 1600, "seed": 5}
    assert compare_starts(Ising(), errors=jackknife, **run) != compare_starts(Ising(), **run)
    with pytest.raises(ShortChainError):
        compare_starts(Ising(), **{**run, "samples": 80})
    with pytest.raises(InputError, match="`seed` is -1"):
        compare_starts(Ising(), **{**run, "seed": -1})
    for wrong in (None, "0", True):
        with pytest.raises(InputError, match=f"`seed` is {wrong!r}; expected an integer"):
            compare_starts(Ising(), **{**run, "seed": wrong})
    with pytest.raises(InputError, match="`temperatures` is"):
        compare_starts(Ising(), **{**run, "temperatures": 2.0})
