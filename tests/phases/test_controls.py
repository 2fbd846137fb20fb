"""Controls: what each of them sees, and what it must not pass."""

import math

import numpy as np
import pytest

from topoml.lattice import Ising, from_arrays, simulate
from topoml.phases import BlockCrossing, Transition
from topoml.phases.controls import all_controls, halves_agree, shuffled_temperatures, window_shift
from topoml.phases.methods import blocked

T = np.linspace(1, 2, 11)


class Recorder:
    """A method that finds what it is told to, and remembers the blocks it was given."""

    def __init__(self, find):
        self.find, self.given = find, []

    def measure(self, ensemble):
        raise NotImplementedError

    def locate(self, blocks):
        self.given.append(blocks)
        return self.find(blocks)


def none(blocks):
    return Transition(None, None, "none", "m")


def mean(blocks):
    values = np.concatenate([b.ravel() for of_size in blocks.values() for b in of_size.values()])
    return Transition(float(values.mean()), 0.5, None, "m")


class TestShuffled:
    BLOCKS = {  # noqa: RUF012
        size: {t: size + t + np.arange(5)[:, None] / 10 for t in (1.0, 2.0, 3.0)}
        for size in (10, 20)
    }

    def test_deals_out_whole_blocks(self):
        method = Recorder(none)
        control = shuffled_temperatures(method, self.BLOCKS, np.random.default_rng(0))
        assert (control.value, control.passed) == (0.0, True)
        (dealt,) = method.given
        for size, of_size in self.BLOCKS.items():
            assert list(dealt[size]) == list(of_size)
            assert [b.shape for b in dealt[size].values()] == [(5, 1)] * 3
            before, after = (np.concatenate(list(b.values())) for b in (of_size, dealt[size]))
            np.testing.assert_array_equal(np.sort(after, 0), np.sort(before, 0))
            assert all((dealt[size][t] != of_size[t]).any() for t in of_size)

    def test_what_is_found_fails(self):
        control = shuffled_temperatures(Recorder(mean), self.BLOCKS, np.random.default_rng(0))
        assert (control.value, control.passed) == (1.0, False)

    def test_uneven_numbers_of_blocks(self):
        blocks = {8: {1.0: np.zeros((3, 1)), 2.0: np.ones((7, 1))}}
        method = Recorder(none)
        shuffled_temperatures(method, blocks, np.random.default_rng(0))
        assert [len(b) for b in method.given[0][8].values()] == [3, 7]

    def test_real_data(self):
        """Ising data lose their crossing with their temperatures, in every one of 20 shuffles."""
        t = [2.0, 2.1, 2.2, 2.3, 2.4, 2.5]
        e = simulate(Ising(), sizes=[16, 32], temperatures=t, samples=480, n_chains=16, seed=0)
        method = BlockCrossing(n_replicates=60)
        blocks = {size: blocked(c) for size, c in method.measure(e).items()}
        assert method.locate(blocks).estimate is not None
        for seed in range(20):
            assert shuffled_temperatures(method, blocks, np.random.default_rng(seed)).passed


class TestHalves:
    def columns(self, drift, n=64, n_chains=2):
        x = np.random.default_rng(0).standard_normal((n_chains, n, 1))
        x[:, n // 2 :] += drift
        return {8: {1.0: x, 2.0: x}}

    def test_value_and_verdict(self):
        for drift, passed in ((0.0, True), (2.0, True), (4.0, False), (-4.0, False)):
            method = Recorder(mean)
            control = halves_agree(method, self.columns(drift))
            first, second = (mean(b).estimate for b in method.given)
            assert control.value == pytest.approx((second - first) / math.hypot(0.5, 0.5))
            assert control.value == pytest.approx(drift / math.hypot(0.5, 0.5), abs=0.5)
            assert control.passed is passed

    def test_halves_in_time_of_every_chain(self):
        x = np.arange(8.0)[:, None, None] + np.arange(10.0)[:, None] / 100
        method = Recorder(mean)
        halves_agree(method, {8: {1.0: x}})
        first, second = (b[8][1.0] for b in method.given)
        np.testing.assert_allclose(first[:, 0], np.arange(8) + 0.02)
        np.testing.assert_allclose(second[:, 0], np.arange(8) + 0.07)

    def test_not_possible(self):
        for control in (
            halves_agree(Recorder(none), self.columns(0.0)),
            halves_agree(Recorder(mean), self.columns(0.0, n=6, n_chains=1)),
            halves_agree(Recorder(mean), self.columns(0.0, n=1, n_chains=1)),
            halves_agree(Recorder(mean), {8: {1.0: np.zeros((16, 1, 1))}}),
        ):
            assert (control.value, control.passed) == (None, None)

    def test_chains_that_were_not_equilibrated(self):
        """First halves 12 % hotter: fails. As simulated: passes."""
        t = np.array([1.8, 1.9, 2.0, 2.1, 2.2, 2.3, 2.4, 2.5])
        cold, hot = (
            simulate(Ising(), sizes=[16, 32], temperatures=x, samples=640, n_chains=16, seed=0)
            for x in (t, t * 1.12)
        )
        method = BlockCrossing(n_replicates=60)
        right, wrong = ({size: {} for size in (16, 32)} for _ in range(2))
        first, second = method.measure(hot), method.measure(cold)
        for size in (16, 32):
            for x in t:
                a, b = first[size][x * 1.12], second[size][x]
                right[size][x] = b
                wrong[size][x] = np.concatenate([a, b], 1)
        assert halves_agree(method, right).passed
        control = halves_agree(method, wrong)
        assert control.passed is False
        assert control.value > 3  # the second half has the higher transition in units of its T


def ordered(order, size=16, n=120, seed=3, angles=False):
    """Spins up with probability (1 + order) / 2, then all flipped in half of the samples."""
    rng = np.random.default_rng(seed)
    x = [np.where(rng.random((n, size, size)) < 0.5 + order(t) / 2, 1, -1) for t in T]
    x = np.stack(x) * rng.choice([-1, 1], (len(T), n, 1, 1))
    if angles:
        scatter = [rng.normal(0, 2.5 * (1 - order(t)), (n, size, size)) for t in T]
        x = np.angle(np.exp(1j * (np.stack(scatter) + rng.uniform(-3, 3, (len(T), n, 1, 1)))))
    return from_arrays(np.concatenate(x), np.repeat(T, n))


class TestWindowShift:
    @pytest.mark.parametrize("angles", [False, True])
    def test_thermometer(self, angles):
        """Order that falls evenly with T: T_50 is the midpoint of the windows."""
        control, rows = window_shift(ordered(lambda t: 0.9 - 0.4 * (t - 1), angles=angles))
        assert len(rows) >= 3
        assert control.value > 0.6
        assert control.passed is False
        assert np.abs(rows[:, 1] - rows[:, 0]).max() < 0.15

    @pytest.mark.parametrize("angles", [False, True])
    def test_transition(self, angles):
        """Order that is lost at T = 1.55: T_50 stays there wherever the windows are."""
        control, rows = window_shift(ordered(lambda t: 0.9 if t < 1.55 else 0.05, angles=angles))
        assert len(rows) >= 3
        assert abs(control.value) < 0.3
        assert control.passed is True
        assert np.abs(rows[:, 1] - 1.55).max() < 0.06
        assert np.ptp(rows[:, 0]) > 0.15  # the windows did move

    def test_slope_is_that_of_the_rows(self):
        control, rows = window_shift(ordered(lambda t: 0.9 - 0.4 * (t - 1)))
        assert control.value == pytest.approx(np.polyfit(*rows.T, 1)[0])

    def test_too_few_temperatures(self):
        x = np.random.default_rng(0).choice([-1, 1], (50, 16, 16))
        control, rows = window_shift(from_arrays(x, np.repeat(np.arange(1, 6), 10)))
        assert (control.value, control.passed) == (None, None)
        assert len(rows) == 0

    def test_unit_of_a_scalar(self):
        rng = np.random.default_rng(1)
        x = np.concatenate([rng.standard_normal((60, 16, 16)) + 0.1 * t for t in range(8)])
        t = np.repeat(np.arange(1.0, 9.0), 60)
        one, other = (window_shift(from_arrays(k * x, t, manifold="real"))[0] for k in (1.0, 256.0))
        assert one.value == pytest.approx(other.value, rel=1e-6)

    def test_the_largest_size_is_judged(self):
        sharp = ordered(lambda t: 0.9 if t < 1.55 else 0.05)
        even = ordered(lambda t: 0.9 - 0.4 * (t - 1), size=32, n=120)
        both = from_arrays(
            [
                np.concatenate([e.configurations(size=s, temperature=t)[0] for t in T])
                for e, s in ((sharp, 16), (even, 32))
            ],
            [np.repeat(T, 120)] * 2,
        )
        assert window_shift(both)[0].value > 0.5


def test_all_controls():
    e = simulate(Ising(), sizes=[8, 16], temperatures=[2.0, 2.2, 2.3, 2.5], samples=64, seed=0)
    method = BlockCrossing(n_replicates=20)
    columns = method.measure(e)
    found = all_controls(method, e, columns, 0)
    assert [c.name.split()[0] for c in found] == ["window", "temperatures", "first"]
    assert found == all_controls(method, e, columns, 0)
    for c in found:
        assert c.value is None or type(c.value) is float
        assert c.passed is None or type(c.passed) is bool
