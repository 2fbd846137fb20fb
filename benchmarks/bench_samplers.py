"""Samplers of spins: `pytest benchmarks` compares answers, `python` this file times them.

python benchmarks/bench_samplers.py [--side 128] [--seconds 0.3] [--rounds 7]

Nanoseconds for a spin visited (sweeps) or flipped (clusters) at the transition of the square
lattice, on one thread, all in turn in one process. "bar" is what ours should stay below, or for
"x peer" reach. The peers:
  peapods  a package in Rust, float32, its temperatures run one after the other; of Metropolis, and
           of a sweep of Metropolis with one of Swendsen and Wang, as it has no clusters alone
  numpy    a checkerboard sweep by slices, of Metropolis and of over-relaxation
Multispin coding gives energies and magnetisations of 64 chains, so its time includes their count
after every sweep. Two chains: the same work by two threads, over one after the other.
"""

import argparse
import math
import threading

import numpy as np
import peapods
import pytest
from timing import in_turn, keep, machine

from topoml.kernels import ising as ising_kernels
from topoml.kernels import multispin as multispin_kernels
from topoml.kernels import xy as xy_kernels
from topoml.lattice import XY, Ising, multispin

T_ISING = 2.0 / math.log1p(math.sqrt(2.0))
T_XY = 0.8929
EXACT = {8: -1.49158911, 16: -1.45306485}  # Kaufman: energy per site at T_ISING
TEMPERATURES = np.array([T_ISING], np.float32)
CLUSTERS = {"cluster_update_interval": 1, "cluster_mode": "sw"}


class Checkerboard:
    """Metropolis in numpy: the even sites at once, then the odd ones."""

    def __init__(self, side, seed):
        self.rng = np.random.default_rng(seed)
        self.spin = np.ones((side, side), np.int8)
        parity = np.add.outer(np.arange(side), np.arange(side)) % 2
        self.colours = [parity == 0, parity == 1]
        self.accept = np.exp(-2.0 * np.maximum(np.arange(-4, 5), 0) / T_ISING)

    def sweep(self):
        s = self.spin
        for colour in self.colours:
            pull = np.roll(s, 1, 0) + np.roll(s, -1, 0) + np.roll(s, 1, 1) + np.roll(s, -1, 1)
            accepted = self.rng.random(s.shape) < self.accept[pull * s + 4]
            s[accepted & colour] *= -1


def over_relaxed(s):
    """Over-relaxation in numpy: unit vectors (L, L, 2) turned about their fields, in place."""
    parity = np.add.outer(np.arange(s.shape[0]), np.arange(s.shape[1])) % 2
    for colour in (parity == 0, parity == 1):
        field = np.roll(s, 1, 0) + np.roll(s, -1, 0) + np.roll(s, 1, 1) + np.roll(s, -1, 1)
        square = (field**2).sum(-1, keepdims=True)
        turned = 2.0 * (s * field).sum(-1, keepdims=True) / square * field - s
        s[colour] = turned[colour]


def energy_of_peapods(side, sweeps, **options):
    model = peapods.Ising((side, side), temperatures=TEMPERATURES)
    return -model.sample(sweeps, sequential=True, **options)["energies"][0]


def energy_of_peapods_clusters(side, sweeps):
    return energy_of_peapods(side, sweeps, **CLUSTERS)


def energy_of_numpy(side, sweeps):
    board, energies = Checkerboard(side, 1), []
    for _ in range(sweeps):
        board.sweep()
        energies.append(Ising().energy(board.spin) / side**2)
    return np.mean(energies[sweeps // 4 :])


def energy_of_ours(side, sweeps):
    spin, rng = Ising().ordered((side, side)), np.random.default_rng(2)
    x, _ = Ising().sample(spin, T_ISING, 1, sweeps, rng, "metropolis")
    return Ising().energy(x[sweeps // 4 :]).mean() / side**2


def energy_of_our_clusters(side, sweeps):
    spin, rng = Ising().ordered((side, side)), np.random.default_rng(2)
    x, _ = Ising().sample(spin, T_ISING, 1, sweeps, rng, "swendsen-wang")
    return Ising().energy(x[sweeps // 4 :]).mean() / side**2


def energy_of_words(side, sweeps):
    return multispin((side, side), T_ISING, samples=sweeps // 32, seed=3, discard=1000)[0].mean()


ENERGIES = {
    "ours": energy_of_ours,
    "ours, clusters": energy_of_our_clusters,
    "peapods": energy_of_peapods,
    "peapods, clusters": energy_of_peapods_clusters,
    "numpy": energy_of_numpy,
    "multispin": energy_of_words,
}


def compare_over_relaxation(side):
    """Both keep the energy and turn the spins as far; sites come in another order."""
    before, _ = warm(XY(), side, T_XY)
    sweeps = {"ours": lambda s: xy_kernels.over_relax(s, 1), "numpy": over_relaxed}
    turned = []
    for sweep in sweeps.values():
        after = before.copy()
        sweep(after)
        energies = [XY().energy(np.arctan2(s[..., 1], s[..., 0])) for s in (before, after)]
        assert energies[1] == pytest.approx(energies[0], rel=1e-10)
        turned.append((before * after).sum(-1).mean())
    assert turned[0] == pytest.approx(turned[1], abs=0.1)
    assert turned[0] < 0.9


def test_over_relaxation():
    compare_over_relaxation(16)


@pytest.mark.parametrize("name", ENERGIES)
def test_metropolis(benchmark, name):
    """All give Kaufman's energy; tau is some 15 sweeps, so the error about .003."""
    found = benchmark.pedantic(ENERGIES[name], args=(8, 40_000), rounds=1)
    assert found == pytest.approx(EXACT[8], abs=0.015)


@pytest.mark.parametrize("model", [Ising(), XY()], ids=lambda m: m.name)
def test_clusters(benchmark, model):
    spins = model.ordered((16, 16))
    rng = np.random.default_rng(0)
    _, flipped = benchmark(model.sample, spins, T_XY, 1, 10, rng)
    assert flipped >= 10


def warm(model, side, temperature):
    """A state some hundred steps from order, and its generator."""
    rng = np.random.default_rng(0)
    spins = model.ordered((side, side))
    model.sample(spins, temperature, 5, 200, rng)
    return spins, rng


def functions(side):
    """Name to a function, and a function from its answer to spins visited or flipped."""
    n = side**2
    spin, rng = warm(Ising(), side, T_ISING)
    metropolis_out, out = np.empty((1, side, side), np.int8), np.empty((1, side, side), np.int8)
    p_add = -math.expm1(-2.0 / T_ISING)
    words = np.random.default_rng(1).integers(0, 2**64, (side, side), np.uint64)
    generator = np.random.default_rng(2).integers(0, 2**64, 4, np.uint64)
    probability = np.uint64(math.exp(-4.0 / T_ISING) * 2.0**64)
    broken, up = np.empty((2, 64), np.int64)
    multispin_kernels.metropolis(words, probability, 500, generator)
    rotors, xy_rng = warm(XY(), side, T_XY)
    vectors = rotors.copy()
    stack = np.empty(n + 1, np.int32)
    board = Checkerboard(side, 0)
    board.spin = spin.copy()
    other = peapods.Ising((side, side), temperatures=TEMPERATURES)
    other.sample(500, sequential=True)
    flips = {"Ising": 0, "XY": 0, "Ising calls": 0, "XY calls": 0}

    def sweep_words():
        for _ in range(10):
            multispin_kernels.metropolis(words, probability, 1, generator)
            multispin_kernels.count(words, broken, up)

    def both():  # as many sweeps, but ten of a kind a call
        ising_kernels.metropolis(spin, 1 / T_ISING, 10, metropolis_out, rng)
        Ising().sample(spin, T_ISING, 10, 1, rng, "swendsen-wang")

    def ising_clusters():
        flips["Ising"] += ising_kernels.wolff(spin, p_add, 50, out, rng)
        flips["Ising calls"] += 1

    def xy_clusters():
        flips["XY"] += xy_kernels.wolff(rotors, 1.0 / T_XY, 50, stack, xy_rng)
        flips["XY calls"] += 1

    calls = {
        "Metropolis": lambda: ising_kernels.metropolis(spin, 1 / T_ISING, 10, metropolis_out, rng),
        "peapods": lambda: other.sample(100, sequential=True, warmup_ratio=0.0),
        "numpy": board.sweep,
        "multispin": sweep_words,
        "Ising clusters": ising_clusters,
        "XY clusters": xy_clusters,
        "over-relaxation": lambda: xy_kernels.over_relax(rotors, 10),
        "numpy, over-relaxation": lambda: over_relaxed(vectors),
        "both": both,
        "peapods, both": lambda: other.sample(100, sequential=True, warmup_ratio=0.0, **CLUSTERS),
    }
    spins = {
        "Metropolis": lambda: 10 * n,
        "peapods": lambda: 100 * n,
        "numpy": lambda: n,
        "multispin": lambda: 640 * n,
        "Ising clusters": lambda: flips["Ising"] / flips["Ising calls"],
        "XY clusters": lambda: flips["XY"] / flips["XY calls"],
        "over-relaxation": lambda: 10 * n,
        "numpy, over-relaxation": lambda: n,
        "both": lambda: 10 * n,
        "peapods, both": lambda: 100 * n,
    }
    return calls, spins


def two_chains(side, *, seconds, rounds):
    """One after the other over both at once."""
    states = [warm(XY(), side, T_XY) for _ in range(2)]

    def run(state):
        XY().sample(state[0], T_XY, 10, 20, state[1])

    def at_once():
        threads = [threading.Thread(target=run, args=(state,)) for state in states]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def in_series():
        for state in states:
            run(state)

    t = in_turn({"series": in_series, "at once": at_once}, seconds=seconds, rounds=rounds)
    return t["series"] / t["at once"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=0.3, help="a round lasts at least")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    for name, energy in ENERGIES.items():
        assert abs(energy(8, 40_000) - EXACT[8]) < 0.015, name
    compare_over_relaxation(arguments.side)
    calls, spins = functions(arguments.side)
    t = in_turn(calls, seconds=arguments.seconds, rounds=arguments.rounds)
    ns = {name: 1e9 * t[name] / spins[name]() for name in calls}
    # label, bar, the peers of the same work
    known = {
        "Metropolis": ("Ising, Metropolis", "1.5 x peapods", "peapods", "numpy"),
        "multispin": ("Ising, multispin Metropolis", "10 x peapods", "peapods", "numpy"),
        "peapods": ("Ising, Metropolis, peapods", "", None, None),
        "numpy": ("Ising, Metropolis, numpy", "", None, None),
        "both": ("Ising, Metropolis and Swendsen-Wang", "", "peapods, both", None),
        "Ising clusters": ("Ising, Wolff", "40 ns", None, None),
        "XY clusters": ("XY, Wolff", "60 ns", None, None),
        "over-relaxation": ("XY, over-relaxation", "6 ns", None, "numpy, over-relaxation"),
    }
    rows = []
    for name, (label, bar, of_peapods, of_numpy) in known.items():
        rows.append(
            {
                "update": label,
                "side": arguments.side,
                "ns a spin": f"{ns[name]:.2f}",
                "x peapods": f"{ns[of_peapods] / ns[name]:.1f}" if of_peapods else "",
                "x numpy": f"{ns[of_numpy] / ns[name]:.1f}" if of_numpy else "",
                "bar": bar,
            }
        )
    ratio = two_chains(arguments.side, seconds=arguments.seconds, rounds=arguments.rounds)
    rows.append(
        {
            "update": "XY, two chains on two threads",
            "side": arguments.side,
            "ns a spin": f"{ratio:.2f} x one",
            "x peapods": "",
            "x numpy": "",
            "bar": "1.8 x one",
        }
    )
    keep("samplers", rows, machine("peapods"))


if __name__ == "__main__":
    main()
