"""The folder of `--out`: everything or nothing, and nobody's files."""

import csv
import json

import matplotlib as mpl
import matplotlib.pyplot
import numpy as np
import pytest

import topoml as package
from topoml.phases import detect

FIGURES = ("transition", "yardstick", "diagrams", "configurations")
EVERYTHING = {f"{f}.{s}" for f in FIGURES for s in ("png", "pdf")} | {
    "transition.json",
    "curves.csv",
}


def tree(folder):
    """Names and contents, hidden ones too."""
    return {str(p.relative_to(folder)): p.is_file() and p.read_bytes() for p in folder.rglob("*")}


@pytest.fixture(scope="module")
def written(files, tmp_path_factory):
    """One run into a new folder, and what it printed."""
    import contextlib
    import io

    folder = tmp_path_factory.mktemp("out")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = package.cli.main(["detect", *files, "--json", "--out", str(folder / "results")])
    assert code == 0
    return folder / "results", json.loads(printed.getvalue())


class TestEverything:
    def test_files(self, written):
        folder, _ = written
        assert {p.name for p in folder.iterdir()} == EVERYTHING
        assert {p.name for p in folder.parent.iterdir()} == {"results"}

    def test_modes(self, written):
        folder, _ = written
        assert folder.stat().st_mode & 0o777 == 0o755
        assert all(p.stat().st_mode & 0o600 == 0o600 for p in folder.iterdir())

    def test_figures(self, written):
        folder, _ = written
        for name in FIGURES:
            png, pdf = ((folder / f"{name}.{s}").read_bytes() for s in ("png", "pdf"))
            assert png.startswith(b"\x89PNG")
            width, height = (int.from_bytes(png[i : i + 4], "big") for i in (16, 20))
            assert min(width, height) > 600  # pixels: fit for a paper
            assert pdf.startswith(b"%PDF")
            assert b"%%EOF" in pdf[-64:]

    def test_json(self, written):
        folder, printed = written
        stored = json.loads((folder / "transition.json").read_text())
        assert {key: stored[key] for key in printed} == printed
        more = {"per_size", "diagnostics", "yardstick_per_size", "yardstick_diagnostics"}
        assert set(stored) - set(printed) == more
        (row,) = stored["per_size"]
        assert row["sizes"] == [16, 32]

    def test_csv(self, written, ensemble):
        """Every point of every curve, to the last digit."""
        folder, _ = written
        with (folder / "curves.csv").open() as file:
            rows = list(csv.reader(file))
        assert rows[0] == ["quantity", "size", "temperature", "value", "error"]
        found = detect(ensemble)
        expected = [
            (name, c.size, *point)
            for curves in (found.curves, found.yardstick.curves)
            for name, of_sizes in curves.items()
            for c in of_sizes
            for point in zip(c.temperature, c.value, c.error, strict=True)
        ]
        read = [(r[0], int(r[1]), *map(float, r[2:])) for r in rows[1:]]
        assert read == expected
        assert len({r[0] for r in read}) == 3

    def test_no_figure_stays_open(self, written):
        assert not mpl.pyplot.get_fignums()


class TestWhere:
    def test_an_empty_folder_is_filled(self, topoml, files, tmp_path):
        out = tmp_path / "results"
        out.mkdir(mode=0o700)
        inode = out.stat().st_ino
        result = topoml("detect", *files, "--out", out)
        assert f"written to     {out}" in result.out
        assert set(tree(tmp_path)) == {"results"} | {f"results/{name}" for name in EVERYTHING}
        assert out.stat().st_ino == inode
        assert out.stat().st_mode & 0o777 == 0o700

    def test_the_working_directory(self, topoml, files, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert topoml("detect", *files, "--out", ".").code == 0
        assert set(tree(tmp_path)) == EVERYTHING

    def test_a_relative_name(self, topoml, files, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert topoml("detect", *files, "--out", "results").code == 0
        assert {p.name for p in (tmp_path / "results").iterdir()} == EVERYTHING

    @pytest.mark.parametrize("target", ["ising", "files"])
    @pytest.mark.parametrize("name", ["notes.txt", ".hidden", "folder"])
    def test_foreign_files_are_refused(self, topoml, files, tmp_path, no_work, target, name):
        out = tmp_path / "results"
        out.mkdir()
        (out / name).mkdir() if name == "folder" else (out / name).write_text("mine")
        before = tree(tmp_path)
        arguments = files if target == "files" else ["ising"]
        result = topoml("detect", *arguments, "--out", out)
        result.refused("`--out`", "has files in it", "nothing is overwritten")
        assert tree(tmp_path) == before

    def test_its_own_files_are_foreign_too(self, topoml, files, written, no_work):
        folder, _ = written
        before = tree(folder)
        topoml("detect", *files, "--out", folder).refused("has files in it")
        assert tree(folder) == before

    def test_a_file(self, topoml, tmp_path, no_work):
        out = tmp_path / "results"
        out.write_text("mine")
        topoml("detect", "ising", "--out", out).refused("`--out`", "a file")
        assert out.read_text() == "mine"

    def test_no_parent(self, topoml, tmp_path, no_work):
        topoml("detect", "ising", "--out", tmp_path / "a" / "b").refused("`--out`", "expected")
        assert not tree(tmp_path)

    def test_no_right_to_write(self, topoml, tmp_path, no_work, monkeypatch):
        """As root every folder can be written to, so the answer is made up."""
        monkeypatch.setattr("os.access", lambda path, mode: False)
        topoml("detect", "ising", "--out", tmp_path / "a").refused("`--out`", "can be written to")

    def test_files_that_come_meanwhile(self, topoml, files, tmp_path, monkeypatch):
        out = tmp_path / "results"
        found = package.phases.detect

        def slow(*arguments, **options):
            out.mkdir()
            (out / "notes.txt").write_text("mine")
            return found(*arguments, **options)

        monkeypatch.setattr(package.phases, "detect", slow)
        topoml("detect", *files, "--out", out).refused("has files in it")
        assert set(tree(tmp_path)) == {"results", "results/notes.txt"}

    def test_bad_input_makes_no_folder(self, topoml, tmp_path):
        out = tmp_path / "results"
        bad = tmp_path / "bad.npz"
        np.savez(bad, configurations=np.full((8, 8, 8), np.nan), temperature=np.ones(8))
        topoml("detect", bad, "--out", out).refused("NaN")
        topoml("detect", "ising", "--sizes", "x", "--out", out).refused("--sizes")
        assert set(tree(tmp_path)) == {"bad.npz"}


class Halfway:
    """savefig that fails at its third call."""

    def __init__(self, error):
        self.error, self.calls = error, 0
        self.savefig = mpl.figure.Figure.savefig

    def __get__(self, figure, _=None):
        def savefig(path, **options):
            self.calls += 1
            if self.calls == 3:
                raise self.error
            self.savefig(figure, path, **options)

        return savefig


class TestFailure:
    @pytest.mark.parametrize("exists", [False, True])
    @pytest.mark.parametrize(
        "error", [OSError(28, "No space left on device"), KeyboardInterrupt(), RuntimeError("bug")]
    )
    def test_halfway_leaves_nothing(self, topoml, files, tmp_path, monkeypatch, error, exists):
        out = tmp_path / "results"
        if exists:
            out.mkdir()
        halfway = Halfway(error)
        monkeypatch.setattr(mpl.figure.Figure, "savefig", halfway)
        if isinstance(error, RuntimeError):
            with pytest.raises(RuntimeError, match="bug"):
                topoml("detect", *files, "--out", out)
        else:
            result = topoml("detect", *files, "--out", out)
            assert result.out == ""
            assert result.code == (2 if isinstance(error, OSError) else 130)
            if isinstance(error, OSError):
                result.refused("`--out`", "No space left on device")
        assert halfway.calls == 3
        assert tree(tmp_path) == ({"results": False} if exists else {})
        mpl.pyplot.close("all")
