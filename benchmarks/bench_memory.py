"""Peak memory of 2D persistence beyond input and output, bytes a pixel and thread.

python benchmarks/bench_memory.py

Each case runs in a process of its own, whose high-water mark is read before and after the call.
"""

import argparse
import json
import subprocess
import sys

import pytest
from timing import keep, machine

CASE = """
import json, resource, sys
import torch
from topoml.homology import cubical_persistence

batch, side, threads = map(int, sys.argv[1:4])
torch.set_num_threads(threads)
options = {"homology_dimensions": (0, 1, 2), "periodic": True}
cubical_persistence(torch.randn(threads, 8, 8, dtype=torch.float64), **options)
x = torch.randn(batch, side, side, dtype=torch.float64)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
d = cubical_persistence(x, **options)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
tensors = [v for v in vars(d).values() if isinstance(v, torch.Tensor)]
output = sum(v.numel() * v.element_size() for v in tensors)
print(json.dumps({"extra": 1024 * (after - before) - output, "output": output}))
"""


def extra_bytes(batch, side, threads):
    """Peak memory of a call on (batch, side, side) beyond its input and output, in bytes."""
    command = [sys.executable, "-c", CASE, *map(str, (batch, side, threads))]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["extra"]


@pytest.mark.parametrize(("batch", "side", "threads"), [(1, 1024, 1), (8, 512, 2)])
def test_memory(batch, side, threads):
    """The bar: 40 bytes a pixel of the samples that are in work, one a thread."""
    assert extra_bytes(batch, side, threads) <= 40 * side**2 * threads + 2**22  # 4 MiB of allocator


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    rows = []
    for batch, side, threads in [
        (1, 1024, 1),
        (1, 4096, 1),
        (16, 512, 1),
        (16, 512, 2),
        (16, 1024, 2),
        (64, 256, 2),
    ]:
        extra = extra_bytes(batch, side, threads)
        rows.append(
            {
                "batch": batch,
                "side": side,
                "threads": threads,
                "extra (MB)": f"{extra / 1e6:.1f}",
                "bytes a pixel of the samples in work": f"{extra / side**2 / threads:.1f}",
                "bytes a pixel of the batch": f"{extra / side**2 / batch:.1f}",
            }
        )
    keep("memory", rows, machine())


if __name__ == "__main__":
    main()
