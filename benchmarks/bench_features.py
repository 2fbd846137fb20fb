"""Vectorisations against peers: `pytest benchmarks` compares, `python` this file times.

python benchmarks/bench_features.py [--seconds 0.2] [--rounds 3]

256 diagrams of 300 classes, births and lifetimes uniform in [0, 1], float64, on one thread. gudhi
has the same grid and weight; where its values are by the root of 2 larger, that is divided out in
the comparison. giotto-tda takes as many bins, on a grid of its own, and is timed alone (the tests
of each vectorisation compare it).
"""

import argparse
import math

import gtda.diagrams as giotto
import gudhi.representations as peer
import numpy as np
import pytest
import torch
from bench_distances import diagrams, points
from timing import in_turn, keep, machine

from topoml import features

ENDS = (0.0, 2.0)
CURVE = {"resolution": 100, "sample_range": ENDS}
CASES = {
    "image 20x20": (
        lambda d: features.persistence_image(
            d, bandwidth=0.1, resolution=(20, 20), im_range=(0, 1, 0, 1)
        ),
        lambda: peer.PersistenceImage(
            bandwidth=0.1, resolution=[20, 20], im_range=[0, 1, 0, 1], weight=lambda p: p[1]
        ),
        1.0,
    ),
    "landscape 5x100": (
        lambda d: features.persistence_landscape(d, num_landscapes=5, **CURVE),
        lambda: peer.Landscape(num_landscapes=5, resolution=100, sample_range=ENDS),
        math.sqrt(2),
    ),
    "silhouette 100": (
        lambda d: features.silhouette(d, **CURVE),
        lambda: peer.Silhouette(lambda p: p[1] - p[0], 100, ENDS),
        math.sqrt(2),
    ),
    "Betti curve 100": (
        lambda d: features.betti_curve(d, **CURVE),
        lambda: peer.BettiCurve(predefined_grid=np.linspace(*ENDS, 100)),
        1.0,
    ),
    "entropy": (features.persistence_entropy, peer.Entropy, 1.0),
}

GIOTTO = {
    "image 20x20": lambda: giotto.PersistenceImage(sigma=0.1, n_bins=20, n_jobs=1),
    "landscape 5x100": lambda: giotto.PersistenceLandscape(n_layers=5, n_bins=100, n_jobs=1),
    "silhouette 100": lambda: giotto.Silhouette(power=1.0, n_bins=100, n_jobs=1),
    "Betti curve 100": lambda: giotto.BettiCurve(n_bins=100, n_jobs=1),
    "entropy": lambda: giotto.PersistenceEntropy(n_jobs=1),
}


@pytest.mark.parametrize("name", CASES)
def test_features(benchmark, name):
    ours, theirs, scale = CASES[name]
    x = points("long", 4, 60)
    d = diagrams(x)
    expected = theirs().fit_transform(list(x)) / scale
    np.testing.assert_allclose(ours(d), expected, rtol=1e-9, atol=1e-12)
    benchmark(ours, d)


def with_backward(function, d):
    """Forward and backward."""

    def run():
        d.points.requires_grad_()
        d.points.grad = None
        function(d).sum().backward()
        d.points.requires_grad_(False)

    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.2, help="a round lasts at least")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    about = machine("gudhi", "giotto-tda")
    torch.set_num_threads(1)
    x = points("long", 256)
    d = diagrams(x)
    triples = np.concatenate([x, np.ones((*x.shape[:2], 1))], 2)
    rows = []
    for name, (ours, theirs, _) in CASES.items():
        calls = {
            "ours": lambda ours=ours: ours(d),
            "gudhi": lambda theirs=theirs: theirs().fit_transform(list(x)),
            "giotto": lambda name=name: GIOTTO[name]().fit_transform(triples),
        }
        smooth = name != "Betti curve 100"  # which has no gradient
        if smooth:
            calls["backward"] = with_backward(ours, d)
        t = in_turn(calls, seconds=arguments.seconds, rounds=arguments.rounds)
        rows.append(
            {
                "vectorisation": name,
                "ours (ms)": f"{1e3 * t['ours']:.2f}",
                "gudhi (ms)": f"{1e3 * t['gudhi']:.1f}",
                "giotto-tda (ms)": f"{1e3 * t['giotto']:.1f}",
                "x the faster": f"{min(t['gudhi'], t['giotto']) / t['ours']:.1f}",
                "with backward / forward": f"{t['backward'] / t['ours']:.2f}" if smooth else "",
            }
        )
    keep("features", rows, about)


if __name__ == "__main__":
    main()
