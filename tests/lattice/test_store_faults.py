"""Crashes, kills and damage: never a wrong number that passes for a right one."""

import contextlib
import errno
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr

import topoml.lattice.fill as fill
import topoml.lattice.store as stores
from topoml._core.errors import InputError
from topoml.lattice import XY, Ensemble, Ising, simulate, start, verify
from topoml.lattice.chain import thermalisation

pytestmark = pytest.mark.slow  # statistical, or processes

CASE = {"sizes": [3], "temperatures": [2.0], "samples": 12, "seed": 2, "n_chains": 1}
BYTES = 63  # of configurations in a unit: 7 samples, and 5 in the last


@pytest.fixture(autouse=True)
def _small_units(monkeypatch):
    monkeypatch.setattr(stores, "_UNIT_BYTES", BYTES)


class Crash(BaseException):
    """No `except Exception` cleans up after it, as none does after a kill."""


def crashing(monkeypatch, at):
    """Die before (even ``at``) or after (odd) the rename or link number at // 2."""
    count = itertools.count()

    def dying(real):
        def call(*args):
            now = next(count)
            if now == at // 2 and at % 2 == 0:
                raise Crash
            real(*args)
            if now == at // 2:
                raise Crash

        return call

    for name in ("replace", "link"):
        monkeypatch.setattr(os, name, dying(getattr(os, name)))


def run(path):
    return simulate(Ising(), **CASE, n_jobs=1, store=path)


def wrong_units(path, right):
    """How many units are marked as done and do not hold the right bits."""
    if not (path / "zarr.json").exists():
        return 0
    about = stores.attributes(path)
    wrong = 0
    for unit in set(stores.units(about)) - set(stores.unfinished(path, about)):
        rows = (unit.temperature, unit.chain, slice(unit.unit * 7, unit.unit * 7 + 7))
        for name, values in right.items():
            x = zarr.open_array(path / "L3" / name, mode="r")[rows]
            wrong += not np.array_equal(x, values[rows])
    return wrong


def crash_everywhere(tmp_path, right, stride=1):
    """Crashes tried, of these with wrong units before the resumption, and with wrong bits after."""
    before = after = 0
    for at in itertools.count(0, stride):
        path = tmp_path / f"{at}"
        with pytest.MonkeyPatch.context() as patch:
            crashing(patch, at)
            try:
                run(path)
            except Crash:
                pass
            else:
                return at, before, after
        before += wrong_units(path, right) > 0
        run(path)
        after += wrong_units(path, right) > 0 or verify(path) != ()
    raise AssertionError


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    path = tmp_path_factory.mktemp("stores") / "undisturbed"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "_UNIT_BYTES", BYTES)
        run(path)
    return path


@pytest.fixture(scope="module")
def right(undisturbed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "_UNIT_BYTES", BYTES)
        memory = simulate(Ising(), **CASE)
    ts = memory.temperatures
    x = np.stack([memory.configurations(size=3, temperature=t) for t in ts])
    energy = np.stack([memory.energy(size=3, temperature=t) for t in ts])
    return {"configurations": x, "energy": energy, "magnetisation": x.mean((-2, -1))[..., None]}


@pytest.mark.parametrize("stride", [2, pytest.param(1, marks=pytest.mark.long)])
def test_crash_before_and_after_every_rename(stride, tmp_path, right):
    """With stride 2 before each alone: nothing but a sync stands between two of them."""
    crashes, before, after = crash_everywhere(tmp_path, right, stride)
    assert not list(tmp_path.rglob("*.partial"))
    # zarr.json of store, group and 8 arrays; temperatures; thinning, tau; 2 units of 5 chunks
    assert crashes == 2 * (1 + 1 + 8 + 1 + 2 * 5 + 2)
    assert (before, after) == (0, 0)


@pytest.mark.parametrize("stride", [6, pytest.param(1, marks=pytest.mark.long)])
def test_control_the_flag_first(stride, tmp_path, right, monkeypatch):
    """The crashes see what a flag that is written first does."""
    honest = fill.write_unit

    def flag_first(group, model, unit, *rest):
        group.write("done", unit, 1)
        honest(group, model, unit, *rest)

    monkeypatch.setattr(fill, "write_unit", flag_first)
    crashes, before, _ = crash_everywhere(tmp_path, right, stride)
    assert before > crashes / stride / 6


def test_control_append(tmp_path):
    """The crashes see what growing an array does: rows that were never written."""
    wrong = 0
    for at in range(24):
        path = tmp_path / f"{at}"
        array = zarr.create_array(path, shape=(0, 9), chunks=(7, 9), dtype="i1")
        with pytest.MonkeyPatch.context() as patch:
            crashing(patch, at)
            try:
                for _ in range(4):
                    array.append(np.ones((7, 9), np.int8))
            except Crash:
                pass
        wrong += not (zarr.open_array(path, mode="r")[:] == 1).all()
    assert wrong >= 4


# A server that forks the runs, so that the imports are paid once.
KILLER = """
import os, random, signal, sys, time
from pathlib import Path
import joblib, psutil, zarr
import topoml.lattice.store as stores
from topoml.lattice import Ising, simulate
path, n_jobs, kills, samples = Path(sys.argv[1]), *map(int, sys.argv[2:])
stores._UNIT_BYTES = 2048
random.seed(f"{path.name}, {n_jobs} jobs, {kills} kills")
case = {"sizes": [16], "temperatures": [2.0, 2.5], "seed": 1, "n_chains": 4}
# compiled before the forks
simulate(Ising(), **{**case, "temperatures": [2.0]}, samples=8, n_jobs=1)

def marks():
    return len(list(path.glob("L16/done/c/*/*/*")))

def ended(pid):
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

def check_what_is_lost(about):
    # of each chain: the unit that a worker was at, and no other
    group = stores.open_size(path, about, 16, mode="r")
    left = stores.unfinished(path, about)
    for chain in {unit._replace(unit=0) for unit in left}:
        lacking = sum(unit._replace(unit=0) == chain for unit in left)
        state = group.file("state", chain)
        going_on = 0
        if state.exists():
            going_on = int.from_bytes(group.read("state", chain)[:8].tobytes(), "little")
        assert going_on + lacking - group.layout["done"].shape[2] in (0, 1), (chain, lacking)

met, left = 0, 1  # kills of a run that had written some units and not all; units not written
while met < kills and left > 0:
    before = marks()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # workers that outlive it hold no pipe
        os.dup2(1, 2)
        simulate(Ising(), **case, samples=samples, n_jobs=n_jobs, store=path)
        os._exit(0)
    while n_jobs > 1 and marks() == before and not ended(pid):
        time.sleep(0.02)  # workers take their time to start
    time.sleep(random.uniform(0.0, 0.4))
    children = psutil.Process(pid).children()
    workers = [child for child in children if "--process-name" in child.cmdline()]
    os.kill(pid, signal.SIGKILL)
    if random.random() < 0.5:  # or they see that it is gone, and end
        for worker in workers:
            worker.kill()
    was_killed = os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    assert psutil.wait_procs(children, timeout=30)[1] == []
    if marks():
        about = stores.attributes(path)
        left = len(stores.unfinished(path, about))
        at_work = was_killed and len(workers) == (n_jobs if n_jobs > 1 else 0)
        met += at_work and left > 0
        check_what_is_lost(about)
print(met)
"""
KILLED = {"sizes": [16], "temperatures": [2.0, 2.5], "samples": 1280, "seed": 1, "n_chains": 4}


def killed_at_random(path, n_jobs, kills, samples=KILLED["samples"]):
    """Start, kill -9 after a random time, start again, until so many kills met a store in part.

    How many did before the store was finished.
    """
    command = [sys.executable, "-c", KILLER, *map(str, (path, n_jobs, kills, samples))]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return int(result.stdout)


def check_killed(path, samples=KILLED["samples"]):
    case = {**KILLED, "samples": samples}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "_UNIT_BYTES", stores.attributes(path)["unit_bytes"])
        memory = simulate(Ising(), **case)
    simulate(Ising(), **case, n_jobs=1, store=path)
    stored = Ensemble.open(path)
    for t in KILLED["temperatures"]:
        x, y = (e.configurations(size=16, temperature=t) for e in (stored, memory))
        np.testing.assert_array_equal(x, y)
    assert stored.thinning == memory.thinning
    assert verify(path) == ()
    assert not list(path.rglob("*.partial"))


def test_random_kills(tmp_path):
    assert killed_at_random(tmp_path / "s", 1, 4, samples=320) >= 1
    check_killed(tmp_path / "s", samples=320)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "n_jobs", "kills"), [("a", 1, 20), *((name, 4, 50) for name in "abcd")]
)
def test_kills_of_half_filled_stores(name, n_jobs, kills, tmp_path):
    """Two hundred with four workers, each a kill -9 of a run at work; some minutes for fifty."""
    met = 0
    for i in itertools.count():
        path = tmp_path / f"{name}{i}"
        found = killed_at_random(path, n_jobs, kills - met, samples=3200)
        check_killed(path, samples=3200)
        assert found >= 1
        met += found
        if met == kills:
            return


def chunk_files(path):
    return sorted(file for file in path.rglob("*") if file.is_file() and "c" in file.parts)


def test_every_flipped_bit_is_found(undisturbed):
    """One bit in each of the chunk files at a time, until there were 500; each file is named."""
    assert verify(undisturbed) == ()
    honest = {file: file.read_bytes() for file in chunk_files(undisturbed)}
    rng = np.random.default_rng(0)
    flips = 0
    while flips < 500:
        for file, content in honest.items():
            damaged = bytearray(content)
            bit = rng.integers(8 * len(content))
            damaged[bit // 8] ^= 1 << (bit % 8)
            file.write_bytes(damaged)
        faults = verify(undisturbed)
        for file in honest:
            assert any(str(file.relative_to(undisturbed)) in fault for fault in faults)
        flips += len(honest)
    for file, content in honest.items():
        file.write_bytes(content)
    assert verify(undisturbed) == ()


@pytest.mark.filterwarnings("ignore:energies and magnetisations")  # of a model of another name
def test_every_flipped_bit_of_the_attributes_is_found(undisturbed):
    """All that the file says of seed, update, temperatures, ...: found, or refused in one line."""
    file = undisturbed / "zarr.json"
    honest = file.read_bytes()
    rng = np.random.default_rng(1)
    for bit in rng.choice(8 * len(honest), 200, replace=False):
        damaged = bytearray(honest)
        damaged[bit // 8] ^= 1 << (bit % 8)
        file.write_bytes(damaged)
        try:
            faults = verify(undisturbed)
        except InputError:
            continue
        assert faults[0].startswith(("zarr.json is not as it was", "zarr.json has no digest"))
    file.write_bytes(honest)
    assert verify(undisturbed) == ()


def test_flipped_bits_of_metadata_are_faults_or_change_nothing(undisturbed):
    right = Ensemble.open(undisturbed).configurations(size=3, temperature=2.0)
    rng = np.random.default_rng(2)
    n_found = n = 0
    for file in undisturbed.glob("L3/**/zarr.json"):
        honest = file.read_bytes()
        for bit in rng.choice(8 * len(honest), 25, replace=False):
            damaged = bytearray(honest)
            damaged[bit // 8] ^= 1 << (bit % 8)
            file.write_bytes(damaged)
            faults = verify(undisturbed)
            n, n_found = n + 1, n_found + (faults != ())
            if faults:
                assert all(str(file.relative_to(undisturbed)) in fault for fault in faults)
            else:  # such as the level of a compression
                x = Ensemble.open(undisturbed).configurations(size=3, temperature=2.0)
                np.testing.assert_array_equal(x, right)
        file.write_bytes(honest)
    assert n_found > 0.9 * n


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"separator": "/"', '"separator": "."'),  # one bit: chunks are looked for elsewhere
        ('"endian": "little"', '"endian": "big"'),
        ('"fill_value": 0', '"fill_value": 1'),
        ('"level": 1', '"level": 2'),
    ],
)
def test_metadata_that_zarr_understands_otherwise(right, wrong, undisturbed):
    files = {file: file.read_text() for file in undisturbed.glob("L3/*/zarr.json")}
    files = {file: text for file, text in files.items() if right in text}
    assert len(files) > 1
    for file, honest in files.items():
        where = file.relative_to(undisturbed)
        file.write_text(honest.replace(right, wrong))
        found = verify(undisturbed)
        with pytest.raises(InputError, match="does not fit the store"):
            Ensemble.open(undisturbed)
        file.write_text(honest)
        assert found == (f"{where} does not fit the store",)
    assert verify(undisturbed) == ()


def test_every_deleted_or_emptied_chunk_is_found(undisturbed):
    for file in chunk_files(undisturbed):
        honest = file.read_bytes()
        file.unlink()
        [fault] = verify(undisturbed)
        assert str(file.relative_to(undisturbed)) in fault
        file.write_bytes(b"")
        assert verify(undisturbed) != ()
        file.write_bytes(honest)
    assert verify(undisturbed) == ()


def test_sums_that_are_not_those_of_the_configurations(undisturbed):
    """What no checksum sees: whole chunks, each of which is well, that do not belong together."""
    group = stores.open_size(undisturbed, stores.attributes(undisturbed), 3, mode="r+")
    unit = stores.Unit(3, 0, 0, 1)
    for name in group.of_samples:
        honest = group.read(name, unit)
        group.write(name, unit, honest[::-1] + (0 if name == "configurations" else 0.01))
        assert verify(undisturbed) != ()
        for fault in verify(undisturbed):
            assert "/c/0/0/1" in fault
            assert "is not that of the configurations" in fault
        group.write(name, unit, honest)
    assert verify(undisturbed) == ()


def test_damage_is_refused_when_read(tmp_path):
    run(tmp_path / "s")
    file = tmp_path / "s" / "L3" / "configurations" / "c" / "0" / "0" / "0" / "0" / "0"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"0/0/0/0/0 is damaged .* See all that is wrong: verify"):
        Ensemble.open(tmp_path / "s").configurations(size=3, temperature=2.0)


def cut_short(file):
    file.write_bytes(file.read_bytes()[:-1])


def emptied(file):
    file.write_bytes(b"{}")


def of_another_chain(file):
    """Whole, with a right checksum, and wrong."""
    group = stores.open_size(file.parents[5], stores.attributes(file.parents[5]), 3, mode="r+")
    chain = stores.Unit(3, 0, 0, 0)
    group.write("state", chain, group.read("state", chain)[::-1])


@pytest.mark.parametrize(
    ("where", "damage"),
    [
        ("configurations/c/0/0/0/0/0", cut_short),
        ("configurations/c/0/0/1/0/0", Path.unlink),
        ("energy/c/0/0/0", cut_short),
        ("thinning/c/0/0", Path.unlink),
        ("state/c/0/0/0", Path.unlink),
        ("state/c/0/0/0", of_another_chain),
        ("done/c/0/0/1", cut_short),
        ("done/zarr.json", emptied),
        ("energy/zarr.json", cut_short),
        ("temperature/c/0", cut_short),
        ("temperature/zarr.json", emptied),
        ("zarr.json", emptied),
    ],
)
def test_what_is_discarded_is_made_anew(where, damage, tmp_path, right):
    """A finished store, damaged anywhere, has the right bits again, and nothing else changes."""
    path = tmp_path / "s"
    run(path)
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    damage(path / "L3" / where)
    found = verify(path)
    assert len(found) == 1
    assert where in found[0]
    with contextlib.suppress(InputError):
        run(path)
    if (path / "L3" / where).exists():  # control: to call simulate again is not enough
        assert verify(path) == found
    assert verify(path, discard=True) in (found, ())
    run(path)
    assert verify(path) == ()
    assert wrong_units(path, right) == 0
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before


def test_nothing_is_discarded_through_a_link(tmp_path):
    path, elsewhere = tmp_path / "s", tmp_path / "elsewhere"
    run(path)
    (path / "L3" / "done").rename(elsewhere)
    (path / "L3" / "done").symlink_to(elsewhere)
    cut_short(path / "L3" / "energy" / "c" / "0" / "0" / "0")
    (path / "L3" / "thinning" / "zarr.json").write_text("{")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=r"is a link, or lies behind one, .* Remove the link"):
        verify(path, discard=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_is_discarded_by_attributes_that_are_damaged(tmp_path):
    """With another number of samples every chunk of configurations looks damaged."""
    run(tmp_path / "s")
    file = tmp_path / "s" / "zarr.json"
    file.write_text(file.read_text().replace('"samples": 12', '"samples": 10'))
    assert len(verify(tmp_path / "s")) > 2
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=r"zarr.json is not as it was written.* nothing was remov"):
        verify(tmp_path / "s", discard=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_is_written_through_a_link(tmp_path):
    """Bulk data moved to another disk: what lies there is not ours to overwrite."""
    path, elsewhere = tmp_path / "s", tmp_path / "elsewhere"
    run(path)
    (path / "L3" / "configurations" / "c").rename(elsewhere)
    (path / "L3" / "configurations" / "c").symlink_to(elsewhere)
    foreign = elsewhere / "0" / "0" / "1" / "0" / "0"
    foreign.write_text("years of work")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="lies behind one, which is not followed"):
        verify(path, discard=True)
    assert sorted(tmp_path.rglob("*")) == before
    for mark in (path / "L3" / "done" / "c" / "0" / "0").iterdir():
        mark.unlink()
    with pytest.raises(InputError, match="lies behind one, which is not followed"):
        run(path)
    assert foreign.read_text() == "years of work"


def test_nothing_is_discarded_by_another_version(tmp_path):
    """It could not make the same bits."""
    run(tmp_path / "s")
    file = tmp_path / "s" / "zarr.json"
    text = json.loads(file.read_text())
    text["attributes"]["version"] = "0.0.9"
    text["attributes"]["digest"] = stores.digest(text["attributes"])
    file.write_text(json.dumps(text))
    cut_short(tmp_path / "s" / "L3" / "energy" / "c" / "0" / "0" / "0")
    assert len(verify(tmp_path / "s")) == 1
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=r"of topoml 0\.0\.9, .* nothing was removed"):
        verify(tmp_path / "s", discard=True)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), MemoryError("1 GiB")])
def test_what_cannot_be_read_now_is_not_discarded(error, tmp_path, monkeypatch):
    """A disk that is away for a moment, or too little memory, is no damage."""
    run(tmp_path / "s")
    before = sorted(tmp_path.rglob("*"))

    def failing(*_):
        raise error

    monkeypatch.setattr(zarr.Array, "__getitem__", failing)
    message = r"cannot be read \(Input/output error\)" if isinstance(error, OSError) else "1 GiB"
    for discard in (False, True):
        with pytest.raises((InputError, MemoryError), match=message):
            verify(tmp_path / "s", discard=discard)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_chain_that_is_not_finished_is_mended_too(tmp_path, right):
    path = tmp_path / "s"
    run(path)
    (path / "L3" / "done" / "c" / "0" / "0" / "1").unlink()
    cut_short(path / "L3" / "thinning" / "c" / "0" / "0")
    assert len(verify(path, discard=True)) == 2
    run(path)
    assert verify(path) == ()
    assert wrong_units(path, right) == 0


def test_nothing_is_discarded_while_another_run_fills_the_store(tmp_path):
    run(tmp_path / "s")
    cut_short(tmp_path / "s" / "L3" / "energy" / "c" / "0" / "0" / "0")
    before = sorted(tmp_path.rglob("*"))
    with (
        stores.locked(tmp_path / "s"),
        pytest.raises(InputError, match="which another run is filling"),
    ):
        verify(tmp_path / "s", discard=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_units_that_are_not_written_are_one_line(tmp_path, monkeypatch):
    path = tmp_path / "s"
    with pytest.MonkeyPatch.context() as patch:
        crashing(patch, 60)
        with pytest.raises(Crash):
            simulate(Ising(), **{**CASE, "sizes": [3, 4], "samples": 42}, n_jobs=1, store=path)
    n = len(stores.unfinished(path, stores.attributes(path)))
    assert n > 2
    assert verify(path) == (
        f"{n} of 20 units are not written, the first that of "
        f"{'/'.join(('L3', 'done', 'c', '0', '0', '0'))}; simulate goes on with them",
    )


@pytest.mark.parametrize("gone", [0, 1])
def test_a_missing_mark_makes_its_chain_anew(gone, tmp_path, right):
    run(tmp_path / "s")
    (tmp_path / "s" / "L3" / "done" / "c" / "0" / "0" / f"{gone}").unlink()
    chunk = tmp_path / "s" / "L3" / "configurations" / "c" / "0" / "0" / f"{gone}" / "0" / "0"
    chunk.unlink()
    run(tmp_path / "s")
    assert verify(tmp_path / "s") == ()
    assert wrong_units(tmp_path / "s", right) == 0


def test_metadata_that_do_not_fit(tmp_path):
    run(tmp_path / "s")
    file = tmp_path / "s" / "L3" / "energy" / "zarr.json"
    honest = file.read_text()
    file.write_text(honest.replace("float64", "float32"))
    assert "L3/energy/zarr.json does not fit the store" in verify(tmp_path / "s")[0]
    file.unlink()
    assert len(verify(tmp_path / "s")) == 1


def test_state_survives_packing():
    rng = np.random.default_rng(3)
    first = start(XY(), (5, 5), 0.9)
    *_, state = thermalisation(first, rng, 3)
    found = fill.unpacked(fill.packed(7, state), first)
    assert (found.unit, found.state.rounds, found.state.temperature) == (7, state.rounds, 0.9)
    np.testing.assert_array_equal(found.state.spins, state.spins)
