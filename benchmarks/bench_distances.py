"""Distances against gudhi: `pytest benchmarks` compares, `python` this file times.

python benchmarks/bench_distances.py [--seconds 0.3] [--rounds 3]

Diagrams of 300 classes, float64, on one thread but where two are named. Two kinds: "long", births
and lifetimes uniform in [0, 1]; "noise", normal births and exponential lifetimes of mean 0.3. The
peers:
  Wasserstein-2  gudhi.wasserstein.wasserstein_distance(order=2, internal_p=2), which is POT's emd
  bottleneck     gudhi.bottleneck_distance(e=0)
  others         gudhi.representations, all pairs of a batch with itself
"""

import argparse

import gudhi
import numpy as np
import pytest
import torch
from gudhi.representations import (
    PersistenceFisherDistance,
    PersistenceScaleSpaceKernel,
    SlicedWassersteinDistance,
)
from gudhi.wasserstein import wasserstein_distance
from timing import in_turn, keep, machine

from topoml.distances import (
    bottleneck,
    pairwise,
    persistence_fisher,
    persistence_scale_space_kernel,
    sliced_wasserstein,
    wasserstein,
)
from topoml.homology import Diagrams

CLASSES = 300


def points(kind, n_samples, n=CLASSES, seed=0):
    rng = np.random.default_rng(seed)
    if kind == "long":
        return np.cumsum(rng.random((n_samples, n, 2)), 2)
    birth = rng.normal(size=(n_samples, n))
    return np.stack([birth, birth + rng.exponential(0.3, (n_samples, n))], 2)


def diagrams(x):
    n_samples, n = x.shape[:2]
    none = torch.empty(0, dtype=torch.int64)
    minus = torch.full((n_samples * n,), -1)
    return Diagrams(
        points=torch.from_numpy(x.reshape(-1, 2)),
        dimension=torch.ones(n_samples * n, dtype=torch.int64),
        sample=torch.arange(n_samples).repeat_interleave(n),
        birth_index=minus,
        death_index=minus,
        essential=torch.empty(0, dtype=torch.float64),
        essential_dimension=none,
        essential_sample=none,
        essential_index=none,
        batch_shape=torch.Size((n_samples,)),
        homology_dimensions=(1,),
    )


def one_by_one(function, a, b):
    return np.array([function(*pair) for pair in zip(a, b, strict=True)])


def gudhi_wasserstein(a, b):
    return one_by_one(lambda x, y: wasserstein_distance(x, y, order=2, internal_p=2), a, b)


def gudhi_bottleneck(a, b):
    return one_by_one(lambda x, y: gudhi.bottleneck_distance(x, y, 0.0), a, b)


def gudhi_all_pairs(transformer):
    return lambda a: transformer.fit(list(a)).transform(list(a))


PAIRS = {
    "Wasserstein-2": (
        lambda a, b: wasserstein(a, b, order=2, internal_p=2), gudhi_wasserstein, 1
    ),
    "bottleneck": (bottleneck, gudhi_bottleneck, 1),
}  # fmt: skip
ALL_PAIRS = {
    "sliced Wasserstein, 50 directions": (
        lambda a: pairwise(a, a, distance=sliced_wasserstein, num_directions=50),
        gudhi_all_pairs(SlicedWassersteinDistance(num_directions=50)),
        32,
    ),
    "persistence Fisher": (
        lambda a: pairwise(a, a, distance=persistence_fisher),
        gudhi_all_pairs(PersistenceFisherDistance()),
        6,
    ),
    "scale-space kernel": (
        lambda a: pairwise(a, a, distance=persistence_scale_space_kernel),
        gudhi_all_pairs(PersistenceScaleSpaceKernel()),
        6,
    ),
}


@pytest.mark.parametrize("kind", ["long", "noise"])
@pytest.mark.parametrize("name", PAIRS)
def test_pairs(benchmark, name, kind):
    ours, theirs, _ = PAIRS[name]
    x, y = points(kind, 2, 60), points(kind, 2, 60, seed=1)
    a, b = diagrams(x), diagrams(y)
    np.testing.assert_allclose(ours(a, b), theirs(x, y), rtol=1e-9)
    benchmark(ours, a, b)


@pytest.mark.parametrize("name", ALL_PAIRS)
def test_all_pairs(benchmark, name):
    ours, theirs, _ = ALL_PAIRS[name]
    x = points("noise", 3, 60)
    a = diagrams(x)
    np.testing.assert_allclose(ours(a), theirs(x), rtol=1e-9, atol=1e-7)
    benchmark(ours, a)


def backward(function, *inputs):
    """Forward and backward with a gradient in the first."""

    def run():
        inputs[0].points.requires_grad_()
        inputs[0].points.grad = None
        function(*inputs).sum().backward()
        inputs[0].points.requires_grad_(False)

    return run


def row(name, kind, ours, theirs, inputs, arrays, seconds, rounds):
    """Milliseconds a call of ours on one thread and on two, backward, and the peer."""
    torch.set_num_threads(1)
    functions = {
        "ours": lambda: ours(*inputs),
        "with backward": backward(ours, *inputs),
        "gudhi": lambda: theirs(*arrays),
    }
    t = in_turn(functions, seconds=seconds, rounds=rounds)
    torch.set_num_threads(2)
    t |= in_turn({"2 threads": functions["ours"]}, seconds=seconds, rounds=2 * rounds)
    return {
        "distance": name,
        "diagrams": kind,
        "ours (ms)": f"{1e3 * t['ours']:.2f}",
        "gudhi (ms)": f"{1e3 * t['gudhi']:.2f}",
        "x gudhi": f"{t['gudhi'] / t['ours']:.1f}",
        "with backward / forward": f"{t['with backward'] / t['ours']:.2f}",
        "x on two threads": f"{t['ours'] / t['2 threads']:.2f}",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.3, help="a round lasts at least")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    about = machine("gudhi", "POT")
    timing = arguments.seconds, arguments.rounds
    rows = []
    for kind in ("long", "noise"):
        for name, (ours, theirs, n) in PAIRS.items():
            for n_pairs in (n, 64):
                x, y = points(kind, n_pairs), points(kind, n_pairs, seed=1)
                named = f"{name}, {n_pairs} pair{'s' * (n_pairs > 1)}"
                inputs = diagrams(x), diagrams(y)
                rows.append(row(named, kind, ours, theirs, inputs, (x, y), *timing))
    for name, (ours, theirs, n) in ALL_PAIRS.items():
        x = points("long", n)
        named = f"{name}, all pairs of {n}"
        rows.append(row(named, "long", ours, theirs, (diagrams(x),), (x,), *timing))
    keep("distances", rows, about)


if __name__ == "__main__":
    main()
