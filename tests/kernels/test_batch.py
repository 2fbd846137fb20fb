"""The thread pool under forks and from several Python threads."""

import multiprocessing
import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from topoml.homology import cubical_persistence


def fields(seed):
    return torch.randn(24, 12, 12, generator=torch.Generator().manual_seed(seed))


def points(seed):
    d = cubical_persistence(fields(seed), homology_dimensions=(0, 1), periodic=True)
    return d.points, d.sample, d.birth_index


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_python_threads_at_once():
    alone = [points(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            together = list(pool.map(points, range(8)))
            assert all(same(a, b) for a, b in zip(alone, together, strict=True))


def _child(queue):
    torch.set_num_threads(2)
    queue.put(points(3)[0].tolist())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_has_its_own_threads():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        expected = points(3)[0].tolist()  # the pool of the parent exists from here on
    finally:
        torch.set_num_threads(threads)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 on forks with threads
        child = context.Process(target=_child, args=(queue,))
        child.start()
    child.join(60)
    assert child.exitcode == 0
    assert queue.get() == expected
