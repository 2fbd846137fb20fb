"""Rips against ripser, giotto-ph, gudhi: `pytest benchmarks` compares answers, `python` times.

python benchmarks/bench_rips.py [--seconds 0.5] [--rounds 5] [--trees 100 1000 3000]
                                [--sizes 64 128 512] [--batch 32]

Clouds are normal in 3D, float64, one thread; ours are the public functions. The peers:
  ripser      ripser(x, maxdim=0), a cloud at a time (ripser.py; left out where it is not installed)
  giotto-ph   ripser_parallel(x, maxdim=1), a cloud at a time: float32, no edges asked for
  gudhi       gudhi.sklearn.RipsPersistence, H0 and H1 of the list of clouds: values only
"fwd+bwd x": with gradients in the points, over without. Rows that a run leaves out are kept.
"""

import argparse
import importlib.util
import json
import math

import numpy as np
import pytest
import torch
from gudhi.sklearn import RipsPersistence
from timing import RESULTS, in_turn, keep, machine

from topoml.homology import rips_persistence

HAS_RIPSER = importlib.util.find_spec("ripser") is not None
HAS_GIOTTO = importlib.util.find_spec("gph") is not None
TREES = (100, 1000, 3000)
SIZES = (64, 128, 512)


def clouds(n, batch):
    return np.random.default_rng(n).normal(size=(batch, n, 3))


def ours(x, dimensions=(0, 1)):
    return rips_persistence(x, homology_dimensions=dimensions)


def layer(x, dimensions=(0, 1)):
    x.grad = None
    d = ours(x, dimensions)
    (d.lifetime.sum() + d.essential.sum()).backward()


def ripser(x, top):
    from ripser import ripser as peer

    return [peer(sample, maxdim=top)["dgms"] for sample in x]


def giotto(x, top):
    from gph import ripser_parallel

    return [ripser_parallel(sample, maxdim=top)["dgms"] for sample in x]


def gudhi(x, top):
    peer = RipsPersistence(homology_dimensions=list(range(top + 1)), homology_coeff_field=2)
    return peer.fit_transform(list(x))


def peers():
    found = {"gudhi": gudhi}
    if HAS_GIOTTO:
        found["giotto"] = giotto
    if HAS_RIPSER:
        found["ripser"] = ripser
    return found


def assert_equal(diagrams, answers, atol):
    """Finite classes longer than the rounding of the peer, sorted by death then birth."""
    for found, answer in zip(diagrams, answers, strict=True):
        for k, rows in enumerate(answer):
            rows = np.asarray(rows, np.float64).reshape(-1, 2)
            rows = rows[np.isfinite(rows[:, 1]) & (rows[:, 1] - rows[:, 0] > 4 * atol)]
            points = found.points[found.dimension == k].numpy()
            points = points[points[:, 1] - points[:, 0] > 4 * atol]
            for column in (0, 1):
                np.testing.assert_allclose(
                    np.sort(points[:, column]), np.sort(rows[:, column]), rtol=0, atol=atol
                )


def compare_answers(x, top):
    """The same diagrams as every peer, on the first two clouds of a batch."""
    x = x[:2]
    found = ours(torch.from_numpy(x), tuple(range(top + 1)))
    for name, peer in peers().items():  # giotto-ph and ripser round to float32
        assert_equal(found, peer(x, top), 1e-12 if name == "gudhi" else 2e-6)


@pytest.mark.parametrize("n", [100, 300])
def test_tree(benchmark, n):
    x = clouds(n, 2)
    compare_answers(x, 0)
    benchmark.extra_info["points"] = n
    benchmark(ours, torch.from_numpy(x), (0,))


def test_loops(benchmark):
    x = clouds(64, 2)
    compare_answers(x, 1)
    benchmark(ours, torch.from_numpy(x))


def time_clouds(n, batch, top, seconds, rounds):
    """A row: ours with and without gradients, and the peers, on 4 clouds if they are slow."""
    x = clouds(n, batch)
    compare_answers(x, top)
    dimensions = tuple(range(top + 1))
    given, leaf = torch.from_numpy(x), torch.from_numpy(x.copy()).requires_grad_()
    t = {"ours": lambda: ours(given, dimensions), "layer": lambda: layer(leaf, dimensions)}
    names = ("ripser", "giotto", "gudhi") if top == 0 else ("giotto", "gudhi")
    known = {name: peers()[name] for name in names if name in peers()}
    few = x if top else x[:4]
    slow = {name: lambda peer=peer: peer(few, top) for name, peer in known.items()}
    if top:
        t = in_turn({**t, **slow}, seconds=seconds, rounds=rounds)
    else:
        t = in_turn(t, seconds=seconds, rounds=rounds) | in_turn(slow, seconds=seconds, rounds=2)
    row = {"classes": "H0, H1" if top else "H0", "n": n, "batch": batch}
    row["ours (ms)"] = f"{1e3 * t['ours'] / batch:.3f}"
    for name in ("ripser", "giotto", "gudhi"):
        peer = t.get(name, math.nan) / len(few)
        row[f"{name} (ms)"] = f"{1e3 * peer:.3f}" if name in t else ""
        row[f"ours / {name}"] = f"{t['ours'] / batch / peer:.4f}" if name in t else ""
    row["fwd+bwd x"] = f"{t['layer'] / t['ours']:.2f}"
    return row


def known_rows():
    """Those of earlier runs, by (classes, n)."""
    path = RESULTS / "rips.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    return {(row["classes"], row["n"]): row for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="a round lasts at least")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trees", type=int, nargs="*", default=TREES)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--batch", type=int, default=32)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    about = machine("gudhi", *["giotto-ph"] * HAS_GIOTTO, *["ripser"] * HAS_RIPSER)
    times = arguments.seconds, arguments.rounds
    rows = [time_clouds(n, max(1, 1600 // n), 0, *times) for n in arguments.trees]
    rows += [time_clouds(n, arguments.batch, 1, *times) for n in arguments.sizes]
    table = known_rows() | {(row["classes"], row["n"]): row for row in rows}
    keep("rips", [table[key] for key in sorted(table)], about)


if __name__ == "__main__":
    main()
