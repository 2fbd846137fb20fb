"""Runs of several processes that are stopped, or lose a worker: no orphans, the same bits."""

import functools
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

import topoml.lattice.fill as fill
import topoml.lattice.store as stores
import topoml.lattice.workers as workers
from topoml._core.errors import InputError, TopomlError
from topoml.lattice import Ensemble, Ising, simulate, verify

from .test_store import snapshot

pytestmark = pytest.mark.slow  # statistical, or processes

CASE = {"sizes": [16], "temperatures": [2.0, 2.5], "samples": 160, "seed": 1, "n_chains": 4}


def same_as_memory(path, case=CASE):
    stored = Ensemble.open(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "_UNIT_BYTES", stores.attributes(path)["unit_bytes"])
        memory = simulate(Ising(), **case)
    for t in memory.temperatures:
        x, y = (e.configurations(size=16, temperature=t) for e in (stored, memory))
        np.testing.assert_array_equal(x, y)
    assert stored.thinning == memory.thinning
    assert verify(path, model=Ising()) == ()
    assert not list(path.rglob("*.partial"))


COMMAND = """
import sys
import topoml.lattice.store as stores
from topoml.cli import main
stores._UNIT_BYTES = 1 << 16
sys.exit(main())
"""
ARGUMENTS = ["simulate", "ising", "--sizes", "16", "--temperatures", "2.0", "2.5", "--chains", "4"]
ARGUMENTS += ["--seed", "1"]


def begun(path, *options, samples):
    """A run that has written some units, and its workers."""
    command = [sys.executable, "-c", COMMAND, *ARGUMENTS, "--samples", str(samples)]
    command += [*map(str, options), "--out", str(path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while not list(path.glob("L16/done/c/*/*/*")):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    return process, psutil.Process(process.pid).children(recursive=True)


def check_ends(process, number, path):
    """At once, with two lines."""
    start = time.perf_counter()
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert time.perf_counter() - start < 2.0
    assert process.returncode == 128 + number
    interrupted, go_on = err.splitlines()
    assert interrupted == "topoml: interrupted"
    assert go_on.startswith("go on with: topoml simulate ising --sizes 16 ")
    assert go_on.endswith(f"--out {path} --resume")
    return go_on


@pytest.mark.parametrize(
    ("number", "jobs"),
    [
        (signal.SIGINT, 2),
        (signal.SIGTERM, 2),
        pytest.param(signal.SIGTERM, 1, marks=pytest.mark.long),
    ],
)
def test_a_signal_ends_it_all_and_says_how_to_go_on(number, jobs, tmp_path):
    process, children = begun(tmp_path / "s", "--jobs", jobs, samples=40_000_000)
    assert (len(children) >= 2) == (jobs == 2)
    check_ends(process, number, tmp_path / "s")
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


@pytest.mark.long
def test_a_killed_worker_costs_its_last_call_alone(tmp_path):
    process, children = begun(tmp_path / "s", "--jobs", 2, samples=8000)
    worker = next(child for child in children if "--process-name" in child.cmdline())
    worker.kill()
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    same_as_memory(tmp_path / "s", {**CASE, "samples": 8000})


def test_a_second_process_is_refused_and_harms_nothing(tmp_path):
    """The first one stands still meanwhile, so that every byte is compared."""
    path, case = tmp_path / "s", {**CASE, "samples": 8000}
    process, _ = begun(path, "--jobs", 1, samples=case["samples"])
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    go_on = threading.Timer(10.0, process.send_signal, [signal.SIGCONT])  # if the second one waits
    go_on.start()
    try:
        before = snapshot(path)
        start = time.perf_counter()
        with pytest.raises(InputError, match="which another run is filling; expected one") as e:
            simulate(Ising(), **case, n_jobs=1, store=path)
        assert time.perf_counter() - start < 1.0
        assert "\n" not in str(e.value)
        after = snapshot(path)
    finally:
        go_on.cancel()
        process.send_signal(signal.SIGCONT)
    assert after == before
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    same_as_memory(path, case)


@dataclass(frozen=True)
class Deadly(Ising):
    """Takes its process down."""

    def sample(self, *args):
        os._exit(9)


@pytest.mark.long
def test_workers_that_die_again_and_again_are_given_up(tmp_path):
    case = {**CASE, "temperatures": [2.0], "n_chains": 1}
    with pytest.raises(TopomlError, match=r"died 3 times in a row, at one of: L = 16, T = 2.0, "):
        workers_of(Deadly(), case, tmp_path / "s")
    simulate(Ising(), **case, n_jobs=1, store=tmp_path / "s")
    same_as_memory(tmp_path / "s", case)


def workers_of(model, case, path):
    """Two processes even for a single chain."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "min", lambda *_: 2, raising=False)
        simulate(model, **case, n_jobs=2, store=path)


@pytest.fixture
def distributed():
    return pytest.importorskip("distributed")


@pytest.fixture
def address(distributed):
    """Of a scheduler whose two workers are threads of this process."""
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(processes=False, protocol="tcp", **options) as cluster:
        yield cluster.scheduler_address


def test_dask_workers_fill_the_same_store(address, tmp_path):
    assert address.startswith("tcp://")
    simulate(Ising(), **CASE, store=tmp_path / "s", scheduler=address)
    same_as_memory(tmp_path / "s")


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_a_run_with_a_scheduler(number, address, tmp_path):
    """Its workers live on, and what they are at meanwhile does no harm."""
    path, case = tmp_path / "s", {**CASE, "samples": 40_000}
    with pytest.MonkeyPatch.context() as patch:  # a call of a worker is one unit
        patch.setattr(fill, "fill_chain", functools.partial(fill.fill_chain, seconds=0.0))
        process, children = begun(path, "--scheduler", address, samples=case["samples"])
        assert children == []
        assert f"--scheduler {address} " in check_ends(process, number, path)
        left = {unit[1:3] for unit in stores.unfinished(path, stores.attributes(path))}
    assert len(left) == 8  # no chain is at its end
    simulate(Ising(), **case, store=path, scheduler=address)
    same_as_memory(path, case)


def test_a_scheduler_that_is_not_there(distributed, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "_PATIENCE", "0.3s")
    with pytest.raises(InputError, match=r"`scheduler` is 'tcp://.*', which does not answer"):
        simulate(Ising(), **CASE, store=tmp_path / "s", scheduler="tcp://127.0.0.1:9")
    for address in ("foo", "tcp://127.0.0.1", "http://127.0.0.1:9", 9):
        with pytest.raises(InputError, match=f"`scheduler` is {address!r}; expected the address"):
            simulate(Ising(), **CASE, store=tmp_path / "s", scheduler=address)
    assert list(tmp_path.iterdir()) == []
    simulate(Ising(), **CASE, n_jobs=1, store=tmp_path / "s")  # finished: nobody is asked
    simulate(Ising(), **CASE, store=tmp_path / "s", scheduler="tcp://127.0.0.1:9")
    with pytest.raises(InputError, match="without a store; expected both"):
        simulate(Ising(), **CASE, scheduler="tcp://127.0.0.1:9")


@pytest.mark.long
def test_one_dask_worker_of_two_is_killed(distributed, tmp_path):
    case = {**CASE, "samples": 40_000}
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    killed = []

    def kill_one(cluster):
        while not list((tmp_path / "s").glob("L16/done/c/*/*/*")):
            time.sleep(0.05)
        killed.append(next(iter(cluster.workers.values())).pid)
        os.kill(killed[0], signal.SIGKILL)

    with distributed.LocalCluster(processes=True, **options) as cluster:
        killer = threading.Thread(target=kill_one, args=(cluster,))
        killer.start()
        simulate(Ising(), **case, store=tmp_path / "s", scheduler=cluster.scheduler_address)
        killer.join()
        assert not psutil.pid_exists(killed[0])
    same_as_memory(tmp_path / "s", case)


@pytest.mark.long
def test_a_scheduler_that_is_lost(distributed, tmp_path):
    case = {**CASE, "samples": 400_000}
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    cluster = distributed.LocalCluster(processes=True, protocol="tcp", **options)

    def close():
        while not list((tmp_path / "s").glob("L16/done/c/*/*/*")):
            time.sleep(0.05)
        cluster.close()

    closer = threading.Thread(target=close)
    closer.start()
    with pytest.raises(TopomlError, match=r"the scheduler tcp://.* was lost. What is done stays"):
        simulate(Ising(), **case, store=tmp_path / "s", scheduler=cluster.scheduler_address)
    closer.join()


def test_a_worker_that_does_not_see_the_folder(tmp_path):
    from topoml.lattice.fill import fill_chain

    with pytest.raises(InputError, match=r"which a worker on .* does not see; expected a folder"):
        fill_chain(Path("/nowhere"), Ising(), {}, None)
