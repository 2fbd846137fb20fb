"""Peak memory of 2D persistence and of persistence images, beyond input and output.

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

IMAGES = """
import json, sys
import torch
from topoml.features import persistence_image
from topoml.homology import Diagrams

samples, classes = map(int, sys.argv[1:3])
torch.set_num_threads(1)

def peak():
    status = open("/proc/self/status").read()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])

def diagrams(n, m):
    points = torch.rand(n * m, 2, dtype=torch.float64).cumsum(1)
    one, minus = torch.ones(n * m, dtype=torch.int64), torch.full((n * m,), -1)
    none = torch.empty(0, dtype=torch.int64)
    sample = torch.arange(n).repeat_interleave(m)
    return Diagrams(
        points, one, sample, minus, minus.clone(), none.double(), none, none, none,
        torch.Size((n,)), (1,), False,
    )

options = {"bandwidth": 0.1, "resolution": (20, 20), "im_range": (0, 1, 0, 1)}
persistence_image(diagrams(2, 5), **options)
d = diagrams(samples, classes)
before = peak()
image = persistence_image(d, **options)
print(json.dumps({"extra": peak() - before - image.nbytes, "all": peak()}))
"""


def of_images(samples, classes):
    """Bytes beyond input and output of 20 x 20 images, and of the process."""
    command = [sys.executable, "-c", IMAGES, str(samples), str(classes)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def extra_bytes(batch, side, threads):
    """Peak memory of a call on (batch, side, side) beyond its input and output, in bytes."""
    command = [sys.executable, "-c", CASE, *map(str, (batch, side, threads))]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["extra"]


@pytest.mark.parametrize(("batch", "side", "threads"), [(1, 1024, 1), (8, 512, 2)])
def test_memory(batch, side, threads):
    """The bar: 40 bytes a pixel of the samples that are in work, one a thread."""
    assert extra_bytes(batch, side, threads) <= 40 * side**2 * threads + 2**22  # 4 MiB of allocator


def test_memory_of_images():
    """A hundred bytes a class at most."""
    assert of_images(1000, 1000)["extra"] <= 1e8


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
    found = of_images(10**4, 10**3)
    row = {
        "persistence images": "10^4 diagrams of 10^3 classes, 20 x 20",
        "extra (MB)": f"{found['extra'] / 1e6:.0f}",
        "process with torch and input (MB)": f"{found['all'] / 1e6:.0f}",
    }
    keep("memory_images", [row], machine())


if __name__ == "__main__":
    main()
