"""The spaces of geomstats: algorithms that take ours, the default dtype, and a wrong backend."""

import os
import subprocess
import sys

import pytest
import torch

from topoml.lie import SE, SO, SU, U1, Lorentz, default_dtype

from .groups import GROUPS, elements, vectors

COMPACT = [U1(), SO(3), SU(2), SU(3)]


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_operations_agree(group):
    g, h = elements(group, 10), elements(group, 10, seed=1)
    X = group.hat(vectors(group, 10))
    with default_dtype(torch.float64):
        space = group.space
        assert (space.exp(X) - group.exp(X)).abs().max() < 1e-12
        assert (space.compose(g, h) - group.compose(g, h)).abs().max() < 1e-12
        assert (space.inverse(g) - group.inverse(g)).abs().max() < 1e-12
        assert (space.identity - group.identity(dtype=g.dtype)).abs().max() == 0
        if isinstance(group, SO | SE):
            assert (space.log(g) - group.log(g)).abs().max() < 1e-12
        assert bool(space.belongs(g).all())
        assert not bool(space.belongs(1.1 * g).any())
        assert bool(space.lie_algebra.belongs(X).all())
        assert space.dim == group.dim


@pytest.mark.parametrize("group", COMPACT, ids=str)
def test_means_and_clusters(group):
    from geomstats.learning.exponential_barycenter import ExponentialBarycenter
    from geomstats.learning.frechet_mean import FrechetMean
    from geomstats.learning.kmeans import RiemannianKMeans

    near = group.exp(group.hat(vectors(group, 12, scale=0.15)))
    far = group.exp(group.hat(torch.full((group.dim,), 1.0, dtype=torch.float64)))
    torch.manual_seed(0)
    with default_dtype(torch.float64):
        space = group.space
        mean = FrechetMean(space)
        mean.set(epsilon=1e-20, max_iter=100)
        mean = mean.fit(near).estimate_
        assert group.log(group.inverse(mean) @ near).mean(0).abs().max() < 1e-8
        other = ExponentialBarycenter(space).fit(near).estimate_
        assert group.distance(mean, other) < 1e-3
        labels = RiemannianKMeans(space, n_clusters=2, init="kmeans++")
        labels = labels.fit(torch.cat([near, far @ near])).labels_
    assert len(set(labels[:12].tolist())) == len(set(labels[12:].tolist())) == 1
    assert labels[0] != labels[12]


def test_barycenter_without_a_metric():
    from geomstats.learning.exponential_barycenter import ExponentialBarycenter

    group = Lorentz()
    g = group.exp(group.hat(vectors(group, 8, scale=0.2)))
    with default_dtype(torch.float64):
        mean = ExponentialBarycenter(group.space).fit(g).estimate_
    assert not hasattr(group.space, "metric")
    assert group.vee(group.log(group.inverse(mean) @ g)).mean(0).abs().max() < 1e-3


def run(code, **environment):
    environment = {k: v for k, v in os.environ.items() if k != "GEOMSTATS_BACKEND"} | environment
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_import_keeps_the_default_dtype_and_is_late():
    code = """
import sys, torch, topoml.lie
from topoml.lie import SO
print("geomstats" in sys.modules)
SO(3).space
print("geomstats" in sys.modules, torch.get_default_dtype())
"""
    assert run(code).stdout.split() == ["False", "True", "torch.float32"]


def test_wrong_backend_is_said_in_one_line():
    result = run("from topoml.lie import SO; SO(3).space", GEOMSTATS_BACKEND="numpy")
    last = result.stderr.strip().splitlines()[-1]
    assert "geomstats runs on numpy in this process; expected its pytorch backend. Cure:" in last
