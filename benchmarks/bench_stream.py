"""More data than memory: fields streamed from disk, and large fields; peak RSS of the process.

python benchmarks/bench_stream.py [--fields 10000 100000] [--batch 512] [--folder DIR]

Every row is a process of its own, torch included, whose high-water mark (VmHWM) is read at its end.
  stream  32 x 32 float32 fields of a .npy file, read a batch at a time by torch's DataLoader
          through cubical_persistence, periodic, H0 and H1; their Betti curves are summed
  large   one float32 field, forward and backward of the summed lifetimes, all dimensions
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from timing import keep, machine

SIDE = 32
BATCH = 512
LARGE = ((2048, 2048), (128, 128, 128))
FEW_MB = 8e6
MOST = 2e9

PROCESS = """
import json, re, sys, time
from pathlib import Path
from bench_stream import large, nothing, stream
work = {"nothing": nothing, "stream": stream, "large": large}[sys.argv[1]]
start = time.perf_counter()
answer = work(*json.loads(sys.argv[2]))
seconds = time.perf_counter() - start
peak = re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]
print(json.dumps({"answer": answer, "seconds": seconds, "peak": 1024 * int(peak)}))
"""


def write_fields(path, n, *, seed=0, chunk=4096):
    """(n, 32, 32) float32 of normal noise, a chunk at a time."""
    rng = np.random.default_rng(seed)
    fields = np.lib.format.open_memmap(path, "w+", np.float32, (n, SIDE, SIDE))
    for start in range(0, n, chunk):
        part = fields[start : start + chunk]
        part[:] = rng.standard_normal(part.shape, np.float32)
    fields.flush()


class Batches:
    """Dataset whose item is a batch of a .npy file: the map is opened for that batch alone.

    Pages of a map that stays open count as resident memory of the process, up to the whole file.
    """

    def __init__(self, path, batch):
        self.path, self.batch = path, batch
        self.n = len(np.load(path, mmap_mode="r"))

    def __len__(self):
        return -(-self.n // self.batch)

    def __getitem__(self, k):
        if not 0 <= k < len(self):
            raise IndexError(k)
        rows = slice(k * self.batch, (k + 1) * self.batch)
        return np.array(np.load(self.path, mmap_mode="r")[rows])


def nothing():
    """The imports alone."""
    import topoml.features
    import topoml.homology

    return len(topoml.features.__all__) + len(topoml.homology.__all__)


def stream(path, batch, threads):
    """Sum of the Betti curves of all fields of a file, as a list."""
    import torch

    from topoml.features import betti_curve
    from topoml.homology import cubical_persistence

    torch.set_num_threads(threads)
    total = torch.zeros(2 * 9, dtype=torch.float64)
    for x in torch.utils.data.DataLoader(Batches(path, batch), batch_size=None):
        d = cubical_persistence(x, homology_dimensions=(0, 1), periodic=True)
        total += betti_curve(d, resolution=9, sample_range=(-2.0, 2.0)).sum(0)
    return total.tolist()


def large(*shape):
    """Number of classes of one field, forward and backward."""
    import torch

    from topoml.homology import cubical_persistence

    n = len(shape)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    d = cubical_persistence(
        x, homology_dimensions=tuple(range(n + 1)), spatial_dims=n, periodic=True
    )
    (d.lifetime.sum() + d.essential.sum()).backward()
    return len(d.points)


def process(work, *arguments):
    command = [sys.executable, "-c", PROCESS, work, json.dumps(arguments)]
    folder = Path(__file__).parent
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=folder)
    return json.loads(out.stdout)


def test_stream(tmp_path):
    """Ten times the fields take no more memory; the sum is that of all fields at once."""
    import torch

    from topoml.features import betti_curve
    from topoml.homology import cubical_persistence

    sizes = (6000, 24000)  # 12 batches: the allocator has settled
    for n in sizes:
        write_fields(tmp_path / f"{n}.npy", n)
    process("stream", str(tmp_path / "6000.npy"), BATCH, 2)  # compiles, where there is no cache
    peaks, few = [], {}
    for n in sizes:  # the least of three: what two threads allocate differs from run to run
        runs = [process("stream", str(tmp_path / f"{n}.npy"), BATCH, 2) for _ in range(3)]
        peaks.append(min(run["peak"] for run in runs))
        few = few or runs[0]
    assert peaks[1] - peaks[0] < FEW_MB
    x = torch.from_numpy(np.load(tmp_path / "6000.npy"))
    d = cubical_persistence(x, homology_dimensions=(0, 1), periodic=True)
    expected = betti_curve(d, resolution=9, sample_range=(-2.0, 2.0)).sum(0)
    assert few["answer"] == expected.tolist()  # sums of integers


def test_the_measure_sees_a_file_kept_open(tmp_path, monkeypatch):
    """A negative control: the same file in memory."""
    write_fields(tmp_path / "fields.npy", 15000)
    path = str(tmp_path / "fields.npy")
    apart = process("stream", path, BATCH, 1)["peak"]
    at_once = process("stream", path, 15000, 1)["peak"]
    assert at_once - apart > 15000 * SIDE**2 * 4


@pytest.mark.parametrize("shape", LARGE, ids=str)
def test_large(shape):
    found = process("large", *shape)
    assert found["answer"] > 0
    assert found["peak"] < MOST


def row_of(work, n, found, base):
    return {
        "work": work,
        "fields": n,
        "entries": f"{found['entries']:.2e}",
        "peak RSS (MB)": f"{found['peak'] / 1e6:.0f}",
        "beyond the imports (MB)": f"{(found['peak'] - base) / 1e6:.0f}",
        "seconds": f"{found['seconds']:.2f}",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fields", type=int, nargs="+", default=(10**4, 10**5))
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--folder", type=Path, default=None, help="of the temporary files")
    arguments = parser.parse_args()
    about = machine()
    base = process("nothing")["peak"]
    rows = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = f"{folder}/fields.npy"
        for n in arguments.fields:
            start = time.perf_counter()
            write_fields(path, n)
            print(f"wrote {n} fields in {time.perf_counter() - start:.1f} s", file=sys.stderr)
            if not rows:  # compiles, where there is no cache
                process("stream", path, arguments.batch, 1)
            for threads in (1, 2):
                found = process("stream", path, arguments.batch, threads)
                found["entries"] = n * SIDE**2
                rows.append(row_of(f"stream, {threads} threads", n, found, base))
    for shape in LARGE:
        process("large", *[8] * len(shape))  # compiles, where there is no cache
        found = process("large", *shape)
        found["entries"] = np.prod(shape)
        rows.append(row_of(f"{' x '.join(map(str, shape))}, forward and backward", 1, found, base))
    keep("scale", rows, about)


if __name__ == "__main__":
    main()
