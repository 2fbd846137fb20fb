"""Sweeps of lattice gauge fields: ns a link, one thread, against a checkerboard in numpy.

    python benchmarks/bench_samplers_gauge.py [--seconds 0.5] [--rounds 7] [--quick]

`pytest benchmarks` compares mean plaquettes, `python` compares them and then times. The peer of a
heat bath updates at once all links of one direction and one colour of the checkerboard, by numpy
alone; of SU(3) it has none. "over-relaxation" is a sweep of heat bath and three of reflections, and
its time is that of one of these four sweeps, on average.
"""

import argparse
import functools
import itertools

import numpy as np
import pytest
import torch
from timing import in_turn, keep, machine

from topoml.lattice import SU2Gauge, SU3Gauge, U1Gauge, Z2Gauge

CASES = [  # model, side, beta
    (Z2Gauge(3), 16, 0.76),
    (U1Gauge(2), 64, 5.0),
    (U1Gauge(4), 8, 1.0),
    (SU2Gauge(2), 64, 4.0),
    (SU2Gauge(4), 8, 2.3),
    (SU2Gauge(4), 16, 2.3),
    (SU3Gauge(4), 8, 6.0),
]


class Signs:
    """Z2: what the checkerboard needs of a group."""

    def __init__(self, beta):
        self.beta = beta

    def times(self, a, b):
        return a * b

    def conjugate(self, a):
        return a

    def fresh(self, staples, rng):
        up = rng.random(staples.shape) < 1 / (1 + np.exp(-2 * self.beta * staples))
        return np.where(up, 1, -1).astype(np.int8)


class Phases(Signs):
    """U(1) as unit complex numbers."""

    def conjugate(self, a):
        return a.conj()

    def fresh(self, staples, rng):
        phi = rng.vonmises(0.0, self.beta * np.abs(staples))
        return np.exp(1j * (phi - np.angle(staples)))


class Quaternions(Signs):
    """SU(2) as unit quaternions a + i (b, c, d) . sigma."""

    def times(self, p, q):
        p0, q0, p1, q1 = p[..., :1], q[..., :1], p[..., 1:], q[..., 1:]
        first = p0 * q0 - (p1 * q1).sum(-1, keepdims=True)
        return np.concatenate([first, p0 * q1 + q0 * p1 - np.cross(p1, q1)], -1)

    def conjugate(self, a):
        return a * [1.0, -1.0, -1.0, -1.0]

    def fresh(self, staples, rng):
        k = np.linalg.norm(staples, axis=-1, keepdims=True)
        a = self.scalar(self.beta * k[..., 0], rng)
        n = rng.normal(size=(*a.shape, 3))
        n *= np.sqrt((1 - a * a) / (n * n).sum(-1))[..., None]
        return self.times(np.concatenate([a[..., None], n], -1), self.conjugate(staples / k))

    @staticmethod
    def scalar(k, rng):
        """Of density exp(k a) sqrt(1 - a^2), Creutz's way."""
        a, left = np.empty_like(k), np.ones(k.shape, bool)
        while left.any():
            w = k[left]
            least = np.exp(-2 * w)
            tried = 1 + np.log(least + rng.random(w.shape) * (1 - least)) / w
            taken = rng.random(w.shape) ** 2 < 1 - tried * tried
            where = left.nonzero()
            a[tuple(i[taken] for i in where)] = tried[taken]
            left[tuple(i[taken] for i in where)] = False
        return a


GROUPS = {"z2-gauge": Signs, "u1-gauge": Phases, "su2-gauge": Quaternions}


def checkerboard(links, group, n_sweeps, rng):
    """Heat-bath sweeps of links (D, *L, ...) in place; even sides."""
    dim, sides = len(links), links.shape[1 : 1 + len(links)]
    colour = np.indices(sides).sum(0) % 2
    times, bar = group.times, group.conjugate
    for _, mu, parity in itertools.product(range(n_sweeps), range(dim), (0, 1)):
        staples = 0
        for nu in range(dim):
            if nu != mu:
                a, b = links[mu], links[nu]
                ahead, corner = np.roll(b, -1, mu), np.roll(b, (-1, 1), (mu, nu))
                staples = staples + times(times(ahead, bar(np.roll(a, -1, nu))), bar(b))
                below = np.roll(b, 1, nu)
                staples = staples + times(times(bar(corner), bar(np.roll(a, 1, nu))), below)
        at = colour == parity
        links[mu][at] = group.fresh(staples[at], rng)


def mean_plaquettes(model, links):
    """Of working arrays (chains, D, *L, ...)."""
    if model.name == "u1-gauge":
        links = np.angle(links)
    if model.name == "su2-gauge":
        a, b, c, d = np.moveaxis(links, -1, 0)
        rows = [[a + 1j * d, c + 1j * b], [-c + 1j * b, a - 1j * d]]
        links = np.moveaxis(np.array(rows), (0, 1), (-2, -1))
    n_sites = model.n_sites(links.shape[1 : 2 + model.dim])
    return -model.energy(links) / (n_sites * model.dim * (model.dim - 1) / 2)


def plaquettes_by(model, update, beta, *, size, seed, n_chains=24, n_sweeps=25):
    """Mean plaquettes at the ends of independent chains."""
    ends = []
    for rng in np.random.default_rng(seed).spawn(n_chains):
        state = model.random_state(model.shape(size), rng)
        if update == "checkerboard":
            checkerboard(state, GROUPS[model.name](beta), n_sweeps, rng)
        else:
            model.sample(state, 1 / beta, n_sweeps, 1, rng, update)
        ends.append(state)
    return mean_plaquettes(model, np.stack(ends))


def assert_same(a, b):
    error = np.hypot(a.std(ddof=1) / np.sqrt(len(a)), b.std(ddof=1) / np.sqrt(len(b)))
    assert abs(a.mean() - b.mean()) < 5 * error


@functools.cache
def compare_answers(model, beta, *, size=4):
    """Of every update, and of the peer where there is one: by the means over chains."""
    names = [*model.updates, *["checkerboard"] * (model.name in GROUPS)]
    found = {
        name: plaquettes_by(model, name, beta, size=size, seed=seed)
        for seed, name in enumerate(names)
    }
    for a, b in itertools.combinations(found.values(), 2):
        assert_same(a, b)
    return found


AGREE = [
    (Z2Gauge(3), 4, 0.5),
    (U1Gauge(2), 8, 2.0),
    (U1Gauge(4), 4, 0.8),
    (SU2Gauge(2), 6, 2.0),
    (SU3Gauge(2), 6, 5.0),
]


@pytest.mark.parametrize(("model", "size", "beta"), AGREE, ids=[repr(case[0]) for case in AGREE])
def test_updates_agree(model, size, beta):
    found = compare_answers(model, beta, size=size)[model.updates[0]]
    off = plaquettes_by(model, model.updates[0], 1.5 * beta, size=size, seed=9)
    with pytest.raises(AssertionError):  # the control: it would be seen
        assert_same(found, off)


def test_sweep(benchmark):
    model, rng = SU2Gauge(4), np.random.default_rng(0)
    state = model.random_state(model.shape(4), rng)
    benchmark.extra_info["links"] = 4**5
    benchmark(model.sample, state, 1 / 2.3, 1, 1, rng, "heat bath")


def time_case(model, size, beta, seconds, rounds):
    """Rows: the updates of a model, each with its ns a link, and the peer."""
    compare_answers(model, beta if model.name != "u1-gauge" or model.dim == 2 else 0.8)
    rng, shape = np.random.default_rng(0), model.shape(size)
    state = model.ordered(shape)
    model.sample(state, 1 / beta, 20, 1, rng)  # thermalised: the work depends on the staples
    visits = {}

    def run(update):
        _, visits[update] = model.sample(state, 1 / beta, 1, 1, rng, update)

    functions = {update: lambda update=update: run(update) for update in model.updates}
    t = in_turn(functions, seconds=seconds, rounds=rounds)
    peer = ""
    if model.name in GROUPS:
        group, links = GROUPS[model.name](beta), state.copy()
        once = in_turn({"": lambda: checkerboard(links, group, 1, rng)}, seconds=seconds, rounds=3)
        peer = 1e9 * once[""] / np.prod(shape)
    rows = []
    for update in model.updates:
        ours = 1e9 * t[update] / visits[update]
        same = peer and update == "heat bath"
        rows.append({
            "model": f"{model.name}, {model.dim}D",
            "L": size,
            "beta": beta,
            "update": update,
            "ns a link": f"{ours:.0f}",
            "numpy checkerboard": f"{peer:.0f}" if same else "",
            "ratio": f"{peer / ours:.1f}" if same else "",
        })  # fmt: skip
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="a round lasts at least")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="small lattices, short rounds")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    times = (0.02, 2) if arguments.quick else (arguments.seconds, arguments.rounds)
    rows = []
    for model, size, beta in CASES:
        rows += time_case(model, min(size, 8) if arguments.quick else size, beta, *times)
    keep("samplers_gauge_quick" if arguments.quick else "samplers_gauge", rows, machine())


if __name__ == "__main__":
    main()
