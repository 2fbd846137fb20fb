"""3D persistence against cripser and gudhi: `pytest benchmarks` compares, `python` this file times.

python benchmarks/bench_cubical3d.py [--seconds 0.5] [--rounds 5] [--sides 16 32 64]

H0, H1 and H2 of one field a call, float64, on one thread. The peers:
  cripser   compute_ph(filtration="V"): open, with locations
  periodic  gudhi's PeriodicCubicalComplex(vertices=...) with the vertices of its pairs
Memory is the growth of a process's high-water mark over one call on the largest side.
"""

import argparse
import subprocess
import sys

import cripser
import gudhi
import numpy as np
import pytest
import torch
from timing import in_turn, keep, machine

from topoml.homology import cubical_persistence

SIDES = (16, 32, 64)
KINDS = ("noise", "smooth", "signs")
OPTIONS = {"homology_dimensions": (0, 1, 2), "spatial_dims": 3}

MEMORY = """
import re, sys
from pathlib import Path
from bench_cubical3d import field, peer, ours
kind, side, who = sys.argv[1], int(sys.argv[2]), {"ours": ours, "cripser": peer}[sys.argv[3]]
peak = lambda: int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
who(field(kind, 8))
x = field(kind, side)
before = peak()
who(x)
print(1024 * (peak() - before))
"""


def field(kind, side):
    """Normal noise; noise smoothed over 3 sites; signs, which are nothing but ties."""
    rng = np.random.default_rng(side)
    x = rng.normal(size=(side,) * 3)
    if kind == "signs":
        return np.sign(x)
    if kind == "smooth":
        k2 = sum(k**2 for k in np.meshgrid(*[np.fft.fftfreq(side)] * 3, indexing="ij"))
        x = np.fft.ifftn(np.fft.fftn(x) * np.exp(-2 * (3 * np.pi) ** 2 * k2)).real
    return x


def ours(x, **more):
    return cubical_persistence(torch.from_numpy(x), **OPTIONS, **more)


def peer(x):
    return cripser.compute_ph(x, filtration="V", maxdim=2)


def gudhi_periodic(x):
    complex_ = gudhi.PeriodicCubicalComplex(vertices=x, periodic_dimensions=[True] * 3)
    complex_.compute_persistence(homology_coeff_field=2)
    complex_.vertices_of_persistence_pairs()
    return complex_


def rows_of(diagrams):
    finite = zip(diagrams.dimension.tolist(), *diagrams.points.T.tolist(), strict=True)
    return sorted(finite)


def compare_answers(x):
    """The same finite classes as both peers."""
    rows = peer(x)
    rows = rows[(rows[:, 1] < rows[:, 2]) & (rows[:, 2] < 1e300)]
    assert rows_of(ours(x)) == sorted(map(tuple, rows[:, :3].tolist()))
    complex_ = gudhi_periodic(x)
    expected = [
        (k, b, d)
        for k in range(3)
        for b, d in complex_.persistence_intervals_in_dimension(k)
        if b < d < np.inf
    ]
    assert rows_of(ours(x, periodic=True)) == sorted(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_cubical3d(benchmark, kind):
    x = field(kind, 16)
    compare_answers(x)
    benchmark.extra_info["sites"] = x.size
    benchmark(ours, x)


def extra_bytes(kind, side, who):
    command = [sys.executable, "-c", MEMORY, kind, str(side), who]
    out = subprocess.run(command, check=True, capture_output=True, cwd=sys.path[0])
    return int(out.stdout)


def time_field(kind, side, seconds, rounds):
    torch.set_num_threads(1)
    x = field(kind, side)
    if side <= 32:
        compare_answers(x)
    functions = {
        "open": lambda: ours(x),
        "T": lambda: ours(x, construction="T"),
        "periodic": lambda: ours(x, periodic=True),
        "cripser": lambda: peer(x),
    }
    t = in_turn(functions, seconds=seconds, rounds=rounds)
    slow = in_turn({"gudhi": lambda: gudhi_periodic(x)}, seconds=0, rounds=2)
    ms = {name: 1e3 * value for name, value in {**t, **slow}.items()}
    row = {
        "side": side,
        "field": kind,
        "ours open V (ms)": f"{ms['open']:.2f}",
        "ours open T (ms)": f"{ms['T']:.2f}",
        "ours periodic (ms)": f"{ms['periodic']:.2f}",
        "cripser open V (ms)": f"{ms['cripser']:.2f}",
        "gudhi periodic (ms)": f"{ms['gudhi']:.1f}",
        "x cripser": f"{ms['cripser'] / ms['open']:.1f}",
        "x gudhi": f"{ms['gudhi'] / ms['periodic']:.1f}",
    }
    for who in ("ours", "cripser"):
        bytes_ = extra_bytes(kind, side, who) / side**3 if side >= 64 else None
        row[f"{who} (bytes an entry)"] = "" if bytes_ is None else f"{bytes_:.0f}"
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="a round lasts at least")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    arguments = parser.parse_args()
    about = machine("cripser", "gudhi")
    rows = [
        time_field(kind, side, arguments.seconds, arguments.rounds)
        for side in arguments.sides
        for kind in KINDS
    ]
    keep("cubical3d", rows, about)


if __name__ == "__main__":
    main()
