"""Rips against ripser, giotto-ph, gudhi: `pytest benchmarks` compares answers, `python` times.

python benchmarks/bench_rips.py [--seconds 0.5] [--rounds 5] [--trees 100 1000 3000]
                                [--sizes 64 128 512] [--batch 32]

Clouds are normal in 3D, float64, one thread; ours are the public functions. The peers:
  ripser      ripser(x, maxdim=0), a cloud at a time (ripser.py; left out where it is not installed)
  giotto-ph   ripser_parallel(x, maxdim=1), a cloud at a time: float32, no edges asked for
  gudhi       gudhi.sklearn.RipsPersistence, H0 and H1 of the list of clouds: values only
Each engine of ours is forced in turn and has its ratio to the peer it calls.
"""

import argparse
import importlib.util

import numpy as np
import pytest
import torch
from gudhi.sklearn import RipsPersistence
from timing import in_turn, keep, machine

from topoml.homology import _rips_engines, rips_persistence

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


class forced:
    """One engine of ours, whatever is installed."""

    def __init__(self, giotto):
        self.giotto = giotto

    def __enter__(self):
        self.found = _rips_engines.giotto_available
        _rips_engines.giotto_available = lambda: self.giotto

    def __exit__(self, *_):
        _rips_engines.giotto_available = self.found


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
    """The same diagrams as every peer, with both engines, on the first two clouds of a batch."""
    x = x[:2]
    dimensions = tuple(range(top + 1))
    for engine in (True, False) if HAS_GIOTTO and top else (False,):
        with forced(engine):
            found = ours(torch.from_numpy(x), dimensions)
        for name, peer in peers().items():  # giotto-ph and ripser round to float32
            assert_equal(found, peer(x, top), 1e-12 if name == "gudhi" else 2e-6)


@pytest.mark.parametrize("n", [100, 300])
def test_tree(benchmark, n):
    x = clouds(n, 2)
    compare_answers(x, 0)
    benchmark.extra_info["points"] = n
    benchmark(ours, torch.from_numpy(x), (0,))


@pytest.mark.parametrize("engine", [True, False], ids=["giotto", "gudhi"])
def test_loops(benchmark, engine):
    if engine and not HAS_GIOTTO:
        pytest.skip("the extra giotto is not installed")
    x = clouds(64, 2)
    compare_answers(x, 1)
    with forced(engine):
        benchmark(ours, torch.from_numpy(x))


def time_tree(n, seconds, rounds):
    batch = max(1, 1600 // n)
    x = clouds(n, batch)
    compare_answers(x, 0)
    given, leaf = torch.from_numpy(x), torch.from_numpy(x.copy()).requires_grad_()
    functions = {"ours": lambda: ours(given, (0,)), "layer": lambda: layer(leaf, (0,))}
    t = in_turn(functions, seconds=seconds, rounds=rounds)
    few = x[:4]
    slow = in_turn(
        {name: lambda peer=peer: peer(few, 0) for name, peer in peers().items()},
        seconds=seconds,
        rounds=2,
    )
    row = {"classes": "H0", "n": n, "batch": batch, "engine": "tree"}
    row["ours (ms)"] = f"{1e3 * t['ours'] / batch:.3f}"
    for name in ("ripser", "giotto", "gudhi"):
        known = name in slow
        peer = slow.get(name, 0.0) / len(few)
        row[f"{name} (ms)"] = f"{1e3 * peer:.3f}" if known else ""
        row[f"ours / {name}"] = f"{t['ours'] / batch / peer:.4f}" if known else ""
    row["fwd+bwd x"] = f"{t['layer'] / t['ours']:.2f}"
    return [row]


def time_loops(n, batch, seconds, rounds):
    x = clouds(n, batch)
    compare_answers(x, 1)
    given, leaf = torch.from_numpy(x), torch.from_numpy(x.copy()).requires_grad_()
    rows = []
    for engine in ("giotto", "gudhi") if HAS_GIOTTO else ("gudhi",):
        with forced(engine == "giotto"):
            t = in_turn(
                {
                    "ours": lambda: ours(given),
                    "layer": lambda: layer(leaf),
                    engine: lambda engine=engine: peers()[engine](x, 1),
                },
                seconds=seconds,
                rounds=rounds,
            )
        row = {"classes": "H0, H1", "n": n, "batch": batch, "engine": engine}
        row["ours (ms)"] = f"{1e3 * t['ours'] / batch:.3f}"
        for name in ("ripser", "giotto", "gudhi"):
            known = name == engine
            row[f"{name} (ms)"] = f"{1e3 * t[name] / batch:.3f}" if known else ""
            row[f"ours / {name}"] = f"{t['ours'] / t[name]:.3f}" if known else ""
        row["fwd+bwd x"] = f"{t['layer'] / t['ours']:.2f}"
        rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="a round lasts at least")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trees", type=int, nargs="*", default=TREES)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--batch", type=int, default=32)
    arguments = parser.parse_args()
    about = machine(
        "gudhi",
        *["giotto-ph"] * HAS_GIOTTO,
        *["ripser"] * HAS_RIPSER,
    )
    torch.set_num_threads(1)
    times = arguments.seconds, arguments.rounds
    rows = [row for n in arguments.trees for row in time_tree(n, *times)]
    rows += [row for n in arguments.sizes for row in time_loops(n, arguments.batch, *times)]
    keep("rips", rows, about)


if __name__ == "__main__":
    main()
