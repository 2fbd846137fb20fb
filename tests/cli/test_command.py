"""The command line: objects, tables, folders, exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from topoml.cli import main
from topoml.lattice import Ising, simulate

KEYS = {
    "model", "sizes", "estimate", "error", "reason", "method", "yardstick", "known", "controls",
    "manifold", "seed", "version", "seconds",
}  # fmt: skip
SMALL = ["--sizes", "16,32", "--temperatures", "1.8,2.0,2.2,2.4,2.7,3.0", "--samples", "160"]


def run(capsys, *arguments):
    code = main(list(arguments))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """An Ising ensemble as files, one a size."""
    folder = tmp_path_factory.mktemp("files")
    temperatures = [1.8, 2.0, 2.2, 2.4, 2.7, 3.0]
    e = simulate(Ising(), sizes=[16, 32], temperatures=temperatures, samples=160, seed=0)
    names = []
    for size in e.sizes:
        x = [e.configurations(size=size, temperature=t) for t in temperatures]
        names.append(str(folder / f"L{size}.npz"))
        np.savez(
            names[-1],
            configurations=np.concatenate([c.reshape(-1, size, size) for c in x]),
            temperature=np.repeat(temperatures, 160),
            chain=np.tile(np.repeat(np.arange(8), 20), len(temperatures)),
        )
    return names


def test_json_has_the_keys_and_the_same_digits_each_time(capsys):
    results = []
    for _ in range(2):
        code, out, _ = run(capsys, "detect", "ising", "--json", "--seed", "3", *SMALL)
        assert code == 0
        results.append(json.loads(out))
    first, second = results
    assert set(first) == KEYS
    assert set(first["yardstick"]) == {"estimate", "error", "method"}
    assert set(first["known"]) == {"value", "source"}
    assert all(set(c) == {"name", "value", "passed"} for c in first["controls"])
    assert (first["model"], first["sizes"], first["manifold"]) == ("ising", [16, 32], "real")
    assert first["known"]["value"] == pytest.approx(2.269185314213022)
    assert abs(first["estimate"] / 2.269185 - 1) < 0.05
    for result in results:
        result.pop("seconds")
    assert first == second


def test_files_of_an_unknown_model(capsys, files):
    code, out, _ = run(capsys, "detect", *files, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["known"] is None
    assert found["manifold"] == "real"
    assert abs(found["estimate"] / 2.269185 - 1) < 0.05
    code, out, _ = run(capsys, "detect", *files)
    assert "guessed" in out


def test_one_size_says_what_is_missing(capsys, files):
    code, out, _ = run(capsys, "detect", files[0], "--json")
    found = json.loads(out)
    assert code == 0
    assert found["estimate"] is None
    assert found["error"] is None
    assert "second size" in found["reason"]


def test_out_writes_everything_once(capsys, files, tmp_path):
    out = tmp_path / "results"
    code, _, _ = run(capsys, "detect", *files, "--out", str(out))
    assert code == 0
    pictures = ("transition", "yardstick", "diagrams", "configurations")
    expected = {f"{p}.{s}" for p in pictures for s in ("png", "pdf")}
    assert {p.name for p in out.iterdir()} == expected | {"transition.json", "curves.csv"}
    assert KEYS <= set(json.loads((out / "transition.json").read_text()))
    rows = (out / "curves.csv").read_text().splitlines()
    assert rows[0] == "quantity,size,temperature,value,error"
    assert len(rows) > 2 * 2 * 6
    before = {p: p.read_bytes() for p in out.iterdir()}
    code, printed, error = run(capsys, "detect", *files, "--out", str(out))
    assert (code, printed) == (2, "")
    assert "has files in it" in error
    assert {p: p.read_bytes() for p in out.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["results"]


def test_a_failure_while_writing_leaves_nothing(capsys, files, tmp_path, monkeypatch):
    from topoml.cli import output

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(output, "_draw", full)
    code, _, error = run(capsys, "detect", *files, "--out", str(tmp_path / "results"))
    assert code == 2
    assert "No space left" in error
    assert list(tmp_path.iterdir()) == []


def saved(tmp_path, **arrays):
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    return str(path)


SPINS = np.ones((12, 16, 16), np.int8)
T = np.repeat([1.0, 2.0, 3.0], 4)


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["detect"],
        ["detect", "isng"],
        ["detect", "ising", "xy"],
        ["detect", "ising", "--nonsense"],
        ["detect", "ising", "--sizes", "abc"],
        ["detect", "ising", "--sizes"],
        ["detect", "ising", "--sizes", "16", "31"],
        ["detect", "ising", "--sizes", "0,16"],
        ["detect", "ising", "--sizes", "16,16"],
        ["detect", "ising", "--temperatures", "2:1:0.1"],
        ["detect", "ising", "--temperatures", "-1,2"],
        ["detect", "ising", "--temperatures", "nan"],
        ["detect", "ising", "--samples", "many"],
        ["detect", "ising", "--samples", "3"],
        ["detect", "ising", "--seed", "-1"],
        ["detect", "ising", "--out", "/nowhere/at/all"],
    ],
    ids=" ".join,
)
def test_bad_arguments_are_one_line(capsys, arguments):
    code, out, error = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert error.startswith("topoml: error: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"configurations": SPINS * np.nan, "temperature": T}, "NaN"),
        ({"configurations": SPINS[0], "temperature": T}, "shape"),
        ({"configurations": SPINS, "temperature": T[:5]}, "temperature"),
        ({"configurations": SPINS[:0], "temperature": T[:0]}, "configurations"),
        ({"configurations": SPINS.astype(complex), "temperature": T}, "configurations"),
        ({"configurations": np.array([{}] * 12, object), "temperature": T}, "object"),
        ({"configurations": SPINS}, "temperature"),
        ({"configurations": 10.0 * SPINS + 0.5, "temperature": T}, "configurations"),
    ],
)
def test_bad_files_are_one_line(capsys, tmp_path, arrays, words):
    code, out, error = run(capsys, "detect", saved(tmp_path, **arrays))
    assert (code, out) == (2, "")
    assert words in error
    assert error.count("\n") == 1


def test_truncated_and_foreign_files(capsys, tmp_path):
    whole = saved(tmp_path, configurations=SPINS, temperature=T)
    data = Path(whole).read_bytes()
    for name, content in (("cut.npz", data[: len(data) // 2]), ("text.npz", b"hello"),
                          ("empty.npz", b"")):  # fmt: skip
        path = tmp_path / name
        path.write_bytes(content)
        code, out, error = run(capsys, "detect", str(path))
        assert (code, out, error.count("\n")) == (2, "", 1), name
        assert name in error


def test_files_bring_their_own_sizes(capsys, files):
    code, out, error = run(capsys, "detect", *files, "--sizes", "16,32")
    assert (code, out) == (2, "")
    assert "--sizes" in error


def test_help_and_models_and_version(capsys):
    for arguments in (["--help"], [], ["detect", "--help"]):
        code, out, _ = run(capsys, *arguments)
        assert code == 0
        assert "Usage" in out
    code, out, _ = run(capsys, "models")
    assert code == 0
    assert "2.26919" in out
    assert "0.8929" in out
    assert run(capsys, "--version")[1].startswith("topoml ")


def test_help_loads_neither_torch_nor_numba():
    code = (
        "import sys; from topoml.cli import main; main(['--help']);"
        "sys.exit(bool({'torch', 'numba', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("wait", [0.5, 8.0])
def test_ctrl_c(tmp_path, wait):
    """Ends soon, with code 130 and no traceback, and leaves nothing behind."""
    command = [sys.executable, "-c", "import sys; from topoml.cli import main; sys.exit(main())",
               "detect", "xy", "--out", str(tmp_path / "results")]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(wait)
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        out, error = process.communicate(timeout=30)
    finally:
        process.kill()
    assert time.monotonic() - start < 20  # well under 2 s where nothing else runs
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []
