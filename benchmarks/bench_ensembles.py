"""Ensembles on disk: a million configurations at constant memory, opening, workers; peak RSS.

python benchmarks/bench_ensembles.py [--samples 10000 1000000] [--work 40000] [--folder DIR]

  write, stream   Ising configurations of 32 x 32 (Metropolis at T = 3), written by `simulate` on
                  one process and read back by `open_units`; every row is a process of its own,
                  whose high-water mark (VmHWM) is read at its end
  open            a store with all the files but the data of 10 GB and of 100 GB of configurations
  Dask            XY configurations of 32 x 32 at T = 0.9 by one worker and by two, start of the
                  workers not counted; by the wall clock, and by the busier worker's CPU time
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from timing import keep, machine

SIDE = 32
FEW_MB = 40e6  # the allocator's, and what a bar and a list of units take

PROCESS = """
import json, re, sys, time
from pathlib import Path
from bench_ensembles import nothing, opened, streamed, written
work = {"nothing": nothing, "open": opened, "stream": streamed, "write": written}[sys.argv[1]]
nothing(*json.loads(sys.argv[2])[:1])
start = time.perf_counter()
answer = work(*json.loads(sys.argv[2]))
seconds = time.perf_counter() - start
peak = re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]
print(json.dumps({"answer": answer, "seconds": seconds, "peak": 1024 * int(peak)}))
"""


def nothing(path):
    """A store of a few configurations: imports, compiled kernels, open libraries."""
    written(f"{path}.warm", 64)
    streamed(f"{path}.warm")
    shutil.rmtree(f"{path}.warm")


def written(path, samples):
    """Number of configurations that were asked for."""
    from topoml.lattice import Ising, simulate

    simulate(
        Ising(), sizes=[SIDE], temperatures=[3.0], samples=samples, seed=0, update="metropolis",
        n_jobs=1, store=path,
    )  # fmt: skip
    return samples


def streamed(path):
    """Number of configurations, and the sum of their spins."""
    from topoml.lattice import open_units

    n = total = 0
    for *_, x in open_units(path):
        n += len(x)
        total += int(x.sum(dtype="int64"))
    return n, total


def opened(path):
    """Number of configurations that the store promises."""
    from topoml.lattice import Ensemble

    e = Ensemble.open(path)
    return sum(x.shape[0] * x.shape[1] for of_size in e.data.values() for x in of_size.values())


def hollow(path, n_bytes):
    """A finished store of XY configurations without the files of ``configurations``."""
    from topoml.lattice import XY, store

    ts = [0.5 + 0.05 * i for i in range(16)]
    samples = int(n_bytes / (2 * 16 * 4 * (64**2 + 128**2) / 2)) // 8 * 8 + 8
    about = store.described(
        XY(), sizes=[64, 128], temperatures=ts, samples=samples, seed=0, n_chains=8,
        update="wolff", start="ordered", thermalisation=100,
    )  # fmt: skip
    store.begin(path, about)
    store.complete(path, about)
    groups = {size: store.open_size(path, about, size, mode="r+") for size in about["sizes"]}
    for unit in store.units(about):
        group = groups[unit.size]
        if unit.unit == 0:
            group.write("thinning", unit, 1)
            group.write("autocorrelation_time", unit, 1.0)
        file = group.file("done", unit)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def process(work, *arguments):
    command = [sys.executable, "-c", PROCESS, work, json.dumps(arguments)]
    folder = Path(__file__).parent
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=folder)
    return json.loads(out.stdout)


def test_memory_is_constant(tmp_path):
    """Sixteen times the configurations take no more of it; those read are those of memory."""
    from topoml.lattice import Ising, simulate

    sizes = (8000, 128_000)
    peaks = {"write": [], "stream": []}
    for n in sizes:
        path = str(tmp_path / f"{n}")
        peaks["write"].append(process("write", path, n)["peak"])
        found = process("stream", path)
        peaks["stream"].append(found["peak"])
        assert found["answer"][0] == n
        if n == sizes[0]:
            case = {"sizes": [SIDE], "temperatures": [3.0], "samples": n, "seed": 0}
            x = simulate(Ising(), **case, update="metropolis").configurations(
                size=SIDE, temperature=3.0
            )
            assert found["answer"][1] == x.sum(dtype="int64")
    for few, many in peaks.values():
        assert many - few < FEW_MB


def test_the_measure_sees_what_is_read_at_once(tmp_path):
    """A negative control: all of one (L, T) in an array."""
    written(str(tmp_path / "s"), 64_000)
    code = PROCESS.replace("work = {", "work = {'whole': whole, ").replace(
        "import nothing", "import whole, nothing"
    )
    command = [sys.executable, "-c", code, "whole", json.dumps([str(tmp_path / "s")])]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=Path(__file__).parent)
    apart = process("stream", str(tmp_path / "s"))["peak"]
    assert json.loads(out.stdout)["peak"] - apart > FEW_MB


def whole(path):
    """The control."""
    from topoml.lattice import Ensemble

    return Ensemble.open(path).configurations(size=SIDE, temperature=3.0).shape


def test_open(tmp_path):
    hollow(tmp_path / "s", 1e9)
    assert process("open", str(tmp_path / "s"))["answer"] * (64**2 + 128**2) * 2 >= 1e9


def memory_rows(folder, counts):
    rows = []
    base = process("nothing", f"{folder}/s")["peak"]
    for n in counts:
        for work, arguments in (("write", (n,)), ("stream", ())):
            found = process(work, f"{folder}/s", *arguments)
            rate = n * SIDE**2 / found["seconds"] / 1e6
            beyond = f"{(found['peak'] - base) / 1e6:.0f}"
            rows.append(row(f"{work} {n} of {SIDE} x {SIDE}", found["seconds"], {
                "peak RSS (MB)": f"{found['peak'] / 1e6:.0f}",
                "beyond the imports (MB)": beyond,
                "MB/s": f"{rate:.0f}",
            }))  # fmt: skip
        shutil.rmtree(f"{folder}/s")
    return rows


def opening_rows(folder):
    rows = []
    for gigabytes in (10, 100):
        hollow(Path(folder) / "s", gigabytes * 1e9)
        found = min((process("open", f"{folder}/s") for _ in range(3)), key=lambda x: x["seconds"])
        rows.append(row(f"open a store of {gigabytes} GB", found["seconds"], {
            "peak RSS (MB)": f"{found['peak'] / 1e6:.0f}"
        }))  # fmt: skip
        shutil.rmtree(f"{folder}/s")
    return rows


def seconds_of(path, samples, **workers):
    """Of a call that fills a store."""
    from topoml.lattice import XY, simulate

    case = {"sizes": [SIDE], "temperatures": [0.9], "n_chains": 8, "seed": 0}
    start = time.perf_counter()
    simulate(XY(), **case, samples=samples, store=path, **workers)
    seconds = time.perf_counter() - start
    shutil.rmtree(path)
    return seconds


def worker_rows(folder, samples, rounds):
    """Dask with one worker and with two in turn, best of some rounds; processes beside them.

    The CPU time of the busier worker is what the wall clock would show on a machine where
    nothing else runs, but for the time that a worker waits for the scheduler or for the disk.
    """
    distributed = pytest.importorskip("distributed")
    options = {"threads_per_worker": 1, "processes": True, "dashboard_address": None}
    wall, busy = {}, {}
    for _ in range(rounds):
        for n in (1, 2):
            with (
                distributed.LocalCluster(n_workers=n, **options) as cluster,
                distributed.Client(cluster, set_as_default=False) as client,
            ):
                address = cluster.scheduler_address
                seconds_of(f"{folder}/warm", 64, scheduler=address)  # all workers, most likely
                before = client.run(time.process_time)
                seconds = seconds_of(f"{folder}/s", samples, scheduler=address)
                after = client.run(time.process_time)
                cpu = max(after[worker] - before[worker] for worker in after)
            wall[n] = min(seconds, wall.get(n, float("inf")))
            busy[n] = min(cpu, busy.get(n, float("inf")))
    what = f"{samples} of {SIDE} x {SIDE}, Dask"
    return [
        row(f"{what}, {n} worker{'s' * (n > 1)}", wall[n], {
            "CPU of the busier (s)": f"{busy[n]:.2f}",
            "of one worker": f"{wall[1] / wall[n]:.2f}, by CPU {busy[1] / busy[n]:.2f}",
        })
        for n in wall
    ]  # fmt: skip


def row(work, seconds, more):
    columns = ("peak RSS (MB)", "beyond the imports (MB)", "MB/s", "CPU of the busier (s)",
               "of one worker")  # fmt: skip
    return {"work": work, "seconds": f"{seconds:.2f}"} | {c: more.get(c, "") for c in columns}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, nargs="+", default=(10**4, 10**6))
    parser.add_argument("--work", type=int, default=40_000, help="configurations for the workers")
    parser.add_argument("--rounds", type=int, default=3, help="of the workers")
    parser.add_argument("--folder", type=Path, default=None, help="of the stores")
    arguments = parser.parse_args()
    about = {**machine("zarr", "numcodecs", "distributed"), "load": f"{os.getloadavg()[0]:.1f}"}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        rows = memory_rows(folder, arguments.samples) + opening_rows(folder)
        rows += worker_rows(folder, arguments.work, arguments.rounds)
    keep("ensembles", rows, about)


if __name__ == "__main__":
    main()
