"""2D persistence against gudhi: `pytest benchmarks` compares answers, `python` this file times.

python benchmarks/bench_cubical2d.py [--seconds 0.5] [--rounds 10] [--sides 32 64 128 256]

Every row is one batch through the public functions. The peers, all of gudhi:
  periodic    PeriodicCubicalComplex(vertices=...) with the vertices of its pairs
  sklearn T   gudhi.sklearn.CubicalPersistence on top cells: neither periodic nor with indices
  doubled     PeriodicCubicalComplex of a bond filtration on a grid of twice the side

"machine x" is what two threads gain on the machine at that moment: in the same rounds, arithmetic
in registers that waits for nothing.
"""

import argparse

import gudhi
import numpy as np
import pytest
import torch
from gudhi.sklearn import CubicalPersistence as SklearnPersistence
from numba import njit
from timing import in_turn, keep, machine

from topoml import nn
from topoml.homology import cubical_persistence, field_persistence
from topoml.kernels.batch import thread_pool
from topoml.lattice import XY, Ising, simulate
from topoml.lie import Circle

SIDES = (32, 64, 128, 256)
DIMENSIONS = (0, 1)


def fields(side, n):
    """Normal noise, and critical configurations of Ising (+-1) and XY (cosine), float64."""
    rng = np.random.default_rng(side)
    options = {"sizes": [side], "samples": n, "n_chains": 1, "seed": side}
    spins = simulate(Ising(), temperatures=[2.2692], **options)
    angles = simulate(XY(), temperatures=[0.8929], **options)
    angles = angles.configurations(size=side, temperature=0.8929)[0].astype(np.float64)
    return {
        "noise": rng.normal(size=(n, side, side)),
        "Ising": spins.configurations(size=side, temperature=2.2692)[0].astype(np.float64),
        "XY": np.cos(angles),
    }, angles


def ours(x, **options):
    return cubical_persistence(x, homology_dimensions=DIMENSIONS, **options)


def gudhi_periodic(x):
    for sample in x:
        complex_ = gudhi.PeriodicCubicalComplex(vertices=sample, periodic_dimensions=[True, True])
        complex_.compute_persistence(homology_coeff_field=2)
        complex_.vertices_of_persistence_pairs()


def gudhi_sklearn(x):
    peer = SklearnPersistence(homology_dimensions=DIMENSIONS, homology_coeff_field=2)
    return peer.fit_transform(list(x))


def doubled_grid(bonds):
    n, _, h, w = bonds.shape
    grid = np.zeros((n, 2 * h, 2 * w))
    grid[:, 1::2, 0::2] = bonds[:, 0]
    grid[:, 0::2, 1::2] = bonds[:, 1]
    sides = [bonds[:, 0], np.roll(bonds[:, 0], -1, 2), bonds[:, 1], np.roll(bonds[:, 1], -1, 1)]
    grid[:, 1::2, 1::2] = np.max(sides, axis=0)
    return grid


def gudhi_doubled(theta):
    bonds = [np.abs(np.angle(np.exp(1j * (np.roll(theta, -1, a) - theta)))) for a in (1, 2)]
    for sample in doubled_grid(np.stack(bonds, 1)):
        complex_ = gudhi.PeriodicCubicalComplex(vertices=sample, periodic_dimensions=[True, True])
        complex_.compute_persistence(homology_coeff_field=2)
        complex_.vertices_of_persistence_pairs()


def intervals(complex_, dimension):
    """Finite intervals of positive length, sorted; and the sorted essential births."""
    rows = np.asarray(complex_.persistence_intervals_in_dimension(dimension)).reshape(-1, 2)
    rows = rows[rows[:, 1] > rows[:, 0]]
    finite = rows[np.isfinite(rows[:, 1])]
    return finite[np.lexsort(finite.T)], np.sort(rows[~np.isfinite(rows[:, 1]), 0])


def assert_equal(diagrams, complexes):
    """Our diagrams of a batch against gudhi's complexes, one a sample."""
    for found, complex_ in zip(diagrams, complexes, strict=True):
        for k in DIMENSIONS:
            finite, essential = intervals(complex_, k)
            points = found.points[found.dimension == k].numpy()
            np.testing.assert_allclose(points[np.lexsort(points.T)], finite, rtol=0, atol=1e-12)
            births = found.essential[found.essential_dimension == k].sort().values.numpy()
            np.testing.assert_allclose(births, essential, rtol=0, atol=1e-12)


def persistent(sample, **options):
    complex_ = gudhi.PeriodicCubicalComplex(
        vertices=sample, periodic_dimensions=[True, True], **options
    )
    complex_.compute_persistence(homology_coeff_field=2)
    return complex_


def compare_answers(x, angles):
    """The same diagrams as every peer, on the first two samples of a batch."""
    x, angles = x[:2], angles[:2]
    assert_equal(ours(torch.from_numpy(x), periodic=True), [persistent(s) for s in x])
    peers = gudhi_sklearn(x)
    for found, peer in zip(ours(torch.from_numpy(x), construction="T"), peers, strict=True):
        for k in DIMENSIONS:
            rows = np.asarray(peer[k]).reshape(-1, 2)
            rows = rows[(rows[:, 1] > rows[:, 0]) & np.isfinite(rows[:, 1])]
            points = found.points[found.dimension == k].numpy()
            np.testing.assert_array_equal(points[np.lexsort(points.T)], rows[np.lexsort(rows.T)])
    bonds = [np.abs(np.angle(np.exp(1j * (np.roll(angles, -1, a) - angles)))) for a in (1, 2)]
    found = field_persistence(
        torch.from_numpy(angles), manifold=Circle(), homology_dimensions=DIMENSIONS
    )
    found = found.threshold(1e-9)  # rounding makes and breaks ties between the two sets of bonds
    grids = doubled_grid(np.stack(bonds, 1))
    for one, grid in zip(found, grids, strict=True):
        complex_ = persistent(grid)
        for k in DIMENSIONS:
            finite, _ = intervals(complex_, k)
            finite = finite[finite[:, 1] - finite[:, 0] > 1e-9]
            points = one.points[one.dimension == k].numpy()
            np.testing.assert_allclose(np.sort(points[:, 1]), np.sort(finite[:, 1]), atol=1e-12)


@pytest.mark.parametrize("kind", ["noise", "Ising", "XY"])
@pytest.mark.parametrize("side", [32, 64])
def test_cubical2d(benchmark, side, kind):
    batches, angles = fields(side, 4)
    compare_answers(batches[kind], angles)
    x = torch.from_numpy(batches[kind])
    benchmark.extra_info["sites"] = side**2
    benchmark(ours, x, periodic=True)


def test_field2d(benchmark):
    _, angles = fields(32, 4)
    theta = torch.from_numpy(angles)
    benchmark(field_persistence, theta, manifold=Circle(), homology_dimensions=DIMENSIONS)


@njit(nogil=True)
def multiply(n):
    x = np.uint64(1)
    for _ in range(n):
        x = x * np.uint64(6364136223846793005) + np.uint64(1)
    return x


def arithmetic(n_threads, steps=2**24):
    list(thread_pool(n_threads).map(multiply, [steps // n_threads] * n_threads))


def time_side(side, seconds, rounds):
    n = max(64, 2**18 // side**2)
    batches, angles = fields(side, n)
    theta = torch.from_numpy(angles)
    rows = []
    for kind, batch in batches.items():
        compare_answers(batch, angles)
        x = torch.from_numpy(batch)
        leaf = x.clone().requires_grad_()
        layer = nn.CubicalPersistence(homology_dimensions=DIMENSIONS, periodic=True)

        def forward_backward(layer=layer, leaf=leaf):
            leaf.grad = None
            d = layer(leaf)
            (d.lifetime.sum() + d.essential.sum()).backward()

        def threads(count, function):
            def run():
                torch.set_num_threads(count)
                function()

            return run

        def periodic(x=x):
            return ours(x, periodic=True)

        torch.set_num_threads(1)
        t = in_turn(
            {
                "periodic": periodic,
                "open T": lambda x=x: ours(x, construction="T"),
                "sklearn T": lambda batch=batch: gudhi_sklearn(batch),
                "layer": forward_backward,
            },
            seconds=seconds,
            rounds=rounds,
        )
        few = batch[:4]
        slow = in_turn({"gudhi": lambda few=few: gudhi_periodic(few)}, seconds=seconds, rounds=2)
        two = in_turn(
            {
                "1": threads(1, periodic),
                "2": threads(2, periodic),
                "machine 1": lambda: arithmetic(1),
                "machine 2": lambda: arithmetic(2),
            },
            seconds=seconds,
            rounds=rounds,
        )
        torch.set_num_threads(1)
        ms = {name: 1e3 * value / n for name, value in t.items()}
        gudhi_ms = 1e3 * slow["gudhi"] / len(few)
        row = {
            "side": side,
            "field": kind,
            "ours periodic (ms)": f"{ms['periodic']:.4f}",
            "ours open T (ms)": f"{ms['open T']:.4f}",
            "gudhi sklearn T (ms)": f"{ms['sklearn T']:.4f}",
            "gudhi periodic (ms)": f"{gudhi_ms:.2f}",
            "x sklearn": f"{ms['sklearn T'] / ms['periodic']:.2f}",
            "x periodic": f"{gudhi_ms / ms['periodic']:.0f}",
            "2 threads x": f"{two['1'] / two['2']:.2f}",
            "machine x": f"{two['machine 1'] / two['machine 2']:.2f}",
            "layer fwd+bwd x": f"{ms['layer'] / ms['periodic']:.2f}",
        }
        if kind == "XY":
            few = angles[:4]
            bonds = in_turn(
                {
                    "ours": lambda: field_persistence(
                        theta, manifold=Circle(), homology_dimensions=DIMENSIONS
                    )
                },
                seconds=seconds,
                rounds=rounds,
            )
            peer = in_turn({"gudhi": lambda few=few: gudhi_doubled(few)}, seconds=seconds, rounds=2)
            ratio = (peer["gudhi"] / len(few)) / (bonds["ours"] / n)
            row["field_persistence (ms)"] = f"{1e3 * bonds['ours'] / n:.3f}"
            row["x doubled"] = f"{ratio:.0f}"
        else:
            row["field_persistence (ms)"] = row["x doubled"] = ""
        rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="a round lasts at least")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    arguments = parser.parse_args()
    about = machine("gudhi", "scikit-learn")
    rows = [
        row
        for side in arguments.sides
        for row in time_side(side, arguments.seconds, arguments.rounds)
    ]
    keep("cubical2d", rows, about)


if __name__ == "__main__":
    main()
