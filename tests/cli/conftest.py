"""The command line in this process, and small files for it."""

import functools
import json
import sys

import numpy as np
import pytest

import topoml.phases  # so that its modules can be patched
from topoml.cli import main
from topoml.lattice import Ising, simulate

TEMPERATURES = [1.8, 2.0, 2.1, 2.2, 2.3, 2.4, 2.6, 2.9]


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        """The one object on stdout; nothing on stderr."""
        assert self.code == 0
        assert self.err == ""  # the progress bar is for terminals
        assert self.out.count("\n") == 1
        return json.loads(self.out)

    def refused(self, *words):
        """Exit code 2, one line on stderr, nothing on stdout."""
        assert self.code == 2
        assert self.out == ""
        assert self.err.startswith("topoml: error: ")
        assert self.err.count("\n") == 1
        assert self.err.endswith("\n")
        assert "Traceback" not in self.err
        for word in words:
            assert word in self.err


@pytest.fixture
def topoml(capfd):
    """Run the command line with the given arguments."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return run


@pytest.fixture
def no_work(monkeypatch):
    """Nothing may be simulated or detected."""
    import topoml as package

    def fail(*_, **__):
        pytest.fail("there was work before the refusal")

    monkeypatch.setattr(package.lattice, "simulate", fail)
    monkeypatch.setattr(package.phases, "detect", fail)


@pytest.fixture
def few_fields(monkeypatch):
    """A fortieth of the Gaussian fields, to save time."""
    module = sys.modules["topoml.phases.detect"]
    few = functools.partial(module.TopologicalStiffness, n_fields=100)
    monkeypatch.setattr(module, "TopologicalStiffness", few)


def rows(ensemble, size):
    """The arrays of a file: configurations, temperature, chain."""
    x = [ensemble.configurations(size=size, temperature=t) for t in ensemble.temperatures]
    n_chains, n = x[0].shape[:2]
    return {
        "configurations": np.concatenate([c.reshape(-1, size, size) for c in x]),
        "temperature": np.repeat(ensemble.temperatures, n_chains * n),
        "chain": np.tile(np.repeat(np.arange(n_chains), n), len(x)),
    }


@pytest.fixture(scope="session")
def ensemble():
    t = TEMPERATURES
    return simulate(Ising(), sizes=[16, 32], temperatures=t, samples=320, n_chains=16, seed=0)


@pytest.fixture(scope="session")
def files(ensemble, tmp_path_factory):
    """An Ising ensemble as files, one a size."""
    folder = tmp_path_factory.mktemp("files")
    for size in ensemble.sizes:
        np.savez(folder / f"L{size}.npz", **rows(ensemble, size))
    return [str(folder / f"L{size}.npz") for size in ensemble.sizes]
