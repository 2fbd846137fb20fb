"""`topoml simulate` and `topoml ensemble`: a store, its state, its faults, its export."""

import ctypes
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import topoml as package
from topoml._core.errors import InputError
from topoml.cli import main
from topoml.lattice import XY, CustomModel, Ensemble, Ising, Z2Gauge, load_npz, simulate

from ..lattice.test_store import snapshot

ARGUMENTS = ["--sizes", "3", "4", "--temperatures", "1.0:2.0:1.0", "--chains", "2"]
ARGUMENTS += ["--samples", "8", "--seed", "3", "--jobs", "1"]


@pytest.fixture
def store(tmp_path):
    assert main(["simulate", "ising", *ARGUMENTS, "--out", str(tmp_path / "s")]) == 0
    return tmp_path / "s"


def test_simulate_and_resume(store, capsys):
    assert main(["simulate", "ising", *ARGUMENTS, "--out", str(store)]) == 2
    assert "Add --resume to go on with it" in capsys.readouterr().err
    assert main(["simulate", "ising", *ARGUMENTS, "--out", str(store), "--resume"]) == 0
    assert "sizes=(3, 4), 2 temperatures, 32 samples" in capsys.readouterr().out
    assert main(["simulate", "xy", *ARGUMENTS, "--out", str(store), "--resume"]) == 2
    assert "`model` is 'xy'; expected 'ising'" in capsys.readouterr().err
    assert main(["simulate", "ice cream", *ARGUMENTS, "--out", str(store)]) == 2
    assert "`model` is 'ice cream'; expected one of " in capsys.readouterr().err


def test_workers_of_a_scheduler(store, tmp_path, capsys):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(processes=False, protocol="tcp", **options) as cluster:
        out = ["--out", str(tmp_path / "d"), "--scheduler", cluster.scheduler_address]
        assert main(["simulate", "ising", *ARGUMENTS, *out]) == 0
        shares = [worker.state.executed_count for worker in cluster.workers.values()]
    assert capsys.readouterr().err == ""
    assert len(shares) == 2
    assert min(shares) > 0
    assert snapshot(tmp_path / "d") == snapshot(store)


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_disk_that_fails(jobs, topoml, tmp_path, failing_disk):
    run = ["simulate", "xy", "--sizes", 16, "--temperatures", 1, "--chains", 2, "--samples", 16]
    run += ["--jobs", jobs, "--out", tmp_path / "s"]
    with failing_disk():
        result = topoml(*run)
    result.refused(f"`store` is '{tmp_path / 's'}', which cannot be written (File too large)")
    assert topoml(*run, "--resume").code == 0
    assert topoml("ensemble", "verify", tmp_path / "s").out == "whole\n"


READ_ONLY = """
import sys
from topoml.cli import main
for out in sys.argv[1:3]:
    print(main(["simulate", "ising", *sys.argv[3:], "--out", out, "--resume"]))
"""


def without_privileges():
    """Root may write anywhere: take that (CAP_DAC_OVERRIDE) from the program to be run."""
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities")
def test_a_disk_that_is_read_only(store, tmp_path):
    (store / "L3" / "done" / "c" / "0" / "0" / "0").unlink()
    home = tmp_path / "home"
    home.mkdir()
    new = home / "new"
    files = [store / "zarr.json", *store.rglob("zarr.json"), store, home]
    before = snapshot(store)
    for file in files:
        file.chmod(0o555)
    command = [sys.executable, "-c", READ_ONLY, store, new, *ARGUMENTS]
    run = subprocess.run(command, capture_output=True, text=True, preexec_fn=without_privileges)
    for file in files:
        file.chmod(0o755)
    assert run.stdout == "2\n2\n"
    begun, new = run.stderr.splitlines()
    assert begun.startswith(f"topoml: error: `store` is '{store}', which is read-only; expected")
    assert new.startswith(
        f"topoml: error: `store` is '{home / 'new'}', which cannot be written (Perm"
    )
    assert snapshot(store) == before
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("resume", [[], ["--resume"]])
def test_a_folder_with_other_files(resume, topoml, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    result = topoml("simulate", "ising", *ARGUMENTS, "--out", tmp_path, *resume)
    result.refused(repr(str(tmp_path)), "a folder with other files; expected a new or empty folder")
    result = topoml("simulate", "ising", *ARGUMENTS, "--out", tmp_path / "thesis.tex", *resume)
    result.refused(repr(str(tmp_path / "thesis.tex")), "a file; expected a new or empty folder")
    assert snapshot(tmp_path) == {Path("thesis.tex"): b"years of work"}


def test_info(store, capsys):
    capsys.readouterr()
    assert main(["ensemble", "info", str(store)]) == 0
    out = capsys.readouterr().out
    assert "model            ising\n" in out
    assert "units            8 of 8\n" in out
    assert re.search(r"4     2            \d+ to \d+ +(none|\d\.\d\d \()", out)
    assert main(["ensemble", "info", str(store.parent)]) == 2
    assert "which is no store" in capsys.readouterr().err


def test_verify(store, capsys):
    capsys.readouterr()
    assert main(["ensemble", "verify", str(store)]) == 0
    assert capsys.readouterr().out == "whole\n"
    (store / "L3" / "energy" / "c" / "0" / "1" / "0").unlink()
    assert main(["ensemble", "verify", str(store)]) == 1
    out, err = capsys.readouterr()
    assert out == "L3/energy/c/0/1/0 is missing\n"
    assert err.startswith("topoml: to mend the store: remove what is damaged by --discard, call")
    assert main(["ensemble", "verify", str(store), "--discard"]) == 1
    assert "what can be made anew is removed" in capsys.readouterr().err
    assert main(["simulate", "ising", *ARGUMENTS, "--out", str(store), "--resume"]) == 0
    assert main(["ensemble", "verify", str(store)]) == 0


def test_a_model_of_ones_own(tmp_path, capsys):
    model = CustomModel(lambda x: x.square().sum((1, 2)), manifold="real")
    store = tmp_path / "s"
    simulate(model, sizes=[3], temperatures=[1.0], samples=4, seed=0, n_chains=2, n_jobs=1,
             store=store)  # fmt: skip
    assert main(["ensemble", "info", str(store)]) == 0
    assert "model            custom\n" in capsys.readouterr().out
    assert main(["ensemble", "verify", str(store)]) == 0
    out, err = capsys.readouterr()
    assert out == "whole\n"
    assert err.startswith("topoml: warning: energies and magnetisations of")
    assert main(["ensemble", "export", str(store), "--out", str(tmp_path / "npz")]) == 0
    assert load_npz(tmp_path / "npz" / "L3.npz").manifold == "real"
    capsys.readouterr()
    assert main(["simulate", "custom", *ARGUMENTS, "--out", str(tmp_path / "t")]) == 2
    err = capsys.readouterr().err
    assert "`model` is 'custom'; expected one of blume-capel, " in err
    assert err.count("custom") == 1


def test_export_is_what_detect_reads(store, tmp_path, capsys):
    out = tmp_path / "npz"
    assert main(["ensemble", "export", str(store), "--out", str(out)]) == 0
    files = sorted(out.iterdir())
    assert [file.name for file in files] == ["L3.npz", "L4.npz"]
    ensemble = load_npz(files)
    memory = simulate(Ising(), sizes=[3, 4], temperatures=[1.0, 2.0], samples=8, seed=3, n_chains=2)
    assert ensemble.manifold == "real"
    for size in (3, 4):
        for t in (1.0, 2.0):
            x, y = (e.configurations(size=size, temperature=t) for e in (ensemble, memory))
            np.testing.assert_array_equal(x, y)
    assert main(["ensemble", "export", str(store), "--out", str(out)]) == 2
    assert "which has files in it" in capsys.readouterr().err
    gauge = ["simulate", "z2-gauge", *ARGUMENTS, "--out", str(tmp_path / "g")]
    assert main(gauge) == 0
    more = tmp_path / "more"
    assert main(["ensemble", "export", str(tmp_path / "g"), "--out", str(more)]) == 0
    with np.load(more / "L4.npz") as file:
        assert file["configurations"].shape == (16, *Z2Gauge().shape(4))
        assert set(file) == {"configurations", "temperature", "chain", "manifold"}
    with pytest.raises(InputError, match="`manifold` 'Z2 links'; expected one of"):
        load_npz(more / "L4.npz")


def test_parameters_updates_and_starts(tmp_path, capsys):
    out = ["--out", str(tmp_path / "s")]
    options = ["--set", "J=2", "--start", "random", "--update", "wolff"]
    assert main(["simulate", "xy", *ARGUMENTS, *out, *options]) == 0
    assert "model=XY(J=2, " in capsys.readouterr().out
    stored = Ensemble.open(tmp_path / "s").configurations(size=4, temperature=1.0)
    case = {"sizes": [4], "temperatures": [1.0], "samples": 8, "seed": 3, "n_chains": 2}
    memory = simulate(XY(J=2), **case, start="random")
    np.testing.assert_array_equal(stored, memory.configurations(size=4, temperature=1.0))
    ordered = simulate(XY(J=2), **case)
    assert (stored != ordered.configurations(size=4, temperature=1.0)).any()
    for wrong, word in [
        (["--set", "K=1"], "`K` is no parameter of 'xy'; expected one of J"),
        (["--set", "J"], "expected NAME=VALUE"),
        (["--set", "J=no"], "`J` is 'no'"),
        (["--start", "hot"], "`start` is 'hot'"),
        (["--update", "magic"], "`update` is 'magic'"),
        (["--set", "J=3", "--resume"], "`model.J` is 3; expected 2"),
        (["--sizes", "8"], "`--sizes` is given twice; expected once, such as --sizes 4,8"),
        (["--temperatures=2.0"], "`--temperatures` is given twice; expected once"),
    ]:
        code = main(["simulate", "xy", *ARGUMENTS, "--out", str(tmp_path / "t"), *wrong])
        if "--resume" in wrong:
            code = main(["simulate", "xy", *ARGUMENTS, *out, "--start", "random", *wrong])
        assert code == 2
        assert word in capsys.readouterr().err


def test_detect_reads_stores_and_files(store, tmp_path, capsys, monkeypatch):
    seen = []

    def detect(ensemble, **_):
        seen.append(ensemble)
        raise InputError("enough")

    monkeypatch.setattr(package.phases, "detect", detect)
    np.savetxt(tmp_path / "a.txt", [[1.0, 1, -1, 1, 1], [2.0, 1, 1, 1, 1]])
    for target in (store, tmp_path / "a.txt"):
        assert main(["detect", str(target)]) == 2
    assert [ensemble.sizes for ensemble in seen] == [(3, 4), (2,)]
    assert seen[0].model == Ising()
    assert main(["detect", str(tmp_path)]) == 2
    assert "which is no store" in capsys.readouterr().err


GRID = ["simulate", "ising", *ARGUMENTS, "--set", "field=0.0,0.5", "--set", "J=2"]


class TestGrid:
    @pytest.fixture
    def grid(self, tmp_path):
        assert main([*GRID, "--out", str(tmp_path / "g")]) == 0
        return tmp_path / "g"

    def test_all_combinations(self, tmp_path, capsys):
        values = ["--set", "field=0.0,0.5", "--set", "J=1,2"]
        assert main(["simulate", "ising", *ARGUMENTS, *values, "--out", str(tmp_path / "g")]) == 0
        found = package.lattice.open_grid(tmp_path / "g")
        assert set(found) == {Ising(J=J, field=h) for J in (1, 2) for h in (0.0, 0.5)}
        assert capsys.readouterr().out.count("Ensemble(model=Ising") == 4

    def test_resume(self, grid, capsys):
        assert main([*GRID, "--out", str(grid)]) == 2
        assert "Add --resume to go on with it" in capsys.readouterr().err
        assert main([*GRID, "--out", str(grid), "--resume"]) == 0

    def test_export_of_all_or_none(self, grid, tmp_path, capsys):
        chunk = grid / "field=0.5" / "L4" / "configurations" / "c" / "1" / "0" / "0" / "0" / "0"
        chunk.write_bytes(b"")
        out = tmp_path / "npz"
        for _ in range(2):
            assert main(["ensemble", "export", str(grid), "--out", str(out)]) == 2
            assert "1/0/0/0/0 is damaged" in capsys.readouterr().err
            assert sorted(path.name for path in tmp_path.iterdir()) == ["g"]

    def test_info_verify_export(self, grid, tmp_path, capsys):
        capsys.readouterr()
        assert main(["ensemble", "info", str(grid)]) == 0
        out = capsys.readouterr().out
        assert "-- field=0.0\n" in out
        assert out.count("units            8 of 8\n") == 2
        assert main(["ensemble", "verify", str(grid)]) == 0
        assert capsys.readouterr().out == "whole\n"
        assert main(["ensemble", "export", str(grid), "--out", str(tmp_path / "npz")]) == 0
        assert [file.name for file in sorted((tmp_path / "npz" / "field=0.5").iterdir())] == [
            "L3.npz", "L4.npz",
        ]  # fmt: skip
        (grid / "field=0.5" / "L3" / "energy" / "c" / "0" / "1" / "0").unlink()
        capsys.readouterr()
        assert main(["ensemble", "verify", str(grid)]) == 1
        assert capsys.readouterr().out == "field=0.5/L3/energy/c/0/1/0 is missing\n"

    def test_a_parameter_given_twice(self, tmp_path, capsys):
        """It was the last one that counted."""
        twice = ["--set", "J=1", "--set", "J=2", "--out", str(tmp_path / "g")]
        assert main(["simulate", "ising", *ARGUMENTS, *twice]) == 2
        assert "`--set` gives 'J' twice" in capsys.readouterr().err
        assert not (tmp_path / "g").exists()
