"""The entry point: help, exit codes, lists of options, Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

import topoml as package
from topoml.cli import main
from topoml.cli.main import _join_lists

SCRIPT = "import sys; from topoml.cli import main; sys.exit(main())"
COMMAND = [sys.executable, "-c", SCRIPT]
TINY = ["--sizes", "8,16", "--temperatures", "2,2.2,2.4,2.6", "--samples", "32"]


class TestHelp:
    @pytest.mark.parametrize("arguments", [["--help"], []])
    def test_verbs(self, topoml, arguments):
        result = topoml(*arguments)
        assert (result.code, result.err) == (0, "")
        assert "Usage: topoml" in result.out
        for verb in ("detect", "models"):
            assert re.search(rf"^\s+{verb}\s", result.out, re.MULTILINE)

    def test_options(self, topoml):
        result = topoml("detect", "--help")
        assert (result.code, result.err) == (0, "")
        for option in ("sizes", "temperatures", "samples", "seed", "out", "quick", "json"):
            assert f"--{option}" in result.out

    def test_version(self, topoml):
        assert topoml("--version").out == f"topoml {package.__version__}\n"

    @pytest.mark.parametrize(
        "arguments", ["--help", "detect --help", "--version", "", "--nonsense"]
    )
    def test_loads_nothing_heavy(self, arguments):
        code = (
            f"import sys; from topoml.cli import main; main({arguments.split()!r});"
            "heavy = {'torch', 'numba', 'numpy', 'scipy', 'sklearn', 'matplotlib'};"
            "print('loaded', *(heavy & set(sys.modules)))"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert run.stdout.splitlines()[-1] == "loaded"

    def test_models(self, topoml):
        result = topoml("models")
        assert (result.code, result.err) == (0, "")
        lines = result.out.splitlines()
        assert re.match(r"ising\s+Z2\s+second order\s+T = 2.26919", lines[0])
        assert "Onsager" in lines[1]
        assert re.match(r"xy\s+O\(2\)\s+BKT\s+T = 0.8929", lines[2])
        assert "Hasenbusch" in lines[3]
        assert re.search(r"^potts\s+S3\s+second order\s+T = 0.994973$", result.out, re.MULTILINE)
        assert re.search(r"^su3-gauge\s+SU\(3\) gauge\s+none$", result.out, re.MULTILINE)
        assert re.search(r"^phi4\s+of kappa and lam$", result.out, re.MULTILINE)

    def test_one_model(self, topoml):
        result = topoml("models", "potts")
        assert (result.code, result.err) == (0, "")
        assert "Defaults: q=3, J=1.0, lattice='square'" in result.out
        assert "Updates:  wolff, swendsen-wang, heat bath, metropolis" in result.out
        assert topoml("models", "phi4").code == 0


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "word"),
        [("frobnicate", "frobnicate"), ("--nonsense", "--nonsense"), ("models extra", "extra"),
         ("models --json", "--json"), ("detect", "target")],
    )  # fmt: skip
    def test_one_line(self, topoml, arguments, word):
        topoml(*arguments.split()).refused(word)

    def test_newlines_in_a_message(self, topoml):
        topoml("detect", "no\nsuch\nfile").refused("neither a model nor a file")

    def test_a_bug_is_not_hidden(self, topoml, monkeypatch, files):
        def broken(*_, **__):
            raise RuntimeError("a bug")

        monkeypatch.setattr(package.phases, "detect", broken)
        with pytest.raises(RuntimeError, match="a bug"):
            topoml("detect", *files)

    @pytest.mark.parametrize("error", [MemoryError("1 TiB"), KeyboardInterrupt()])
    def test_memory_and_ctrl_c(self, topoml, monkeypatch, files, error):
        def fail(*_, **__):
            raise error

        monkeypatch.setattr(package.phases, "detect", fail)
        result = topoml("detect", *files)
        if isinstance(error, MemoryError):
            result.refused("out of memory", "1 TiB")
        else:
            assert (result.code, result.out) == (130, "")
            assert result.err == "topoml: interrupted\n"


@pytest.mark.parametrize(
    ("given", "joined"),
    [
        ("detect xy", "detect xy"),
        ("--sizes 32 64", "--sizes 32,64"),
        ("--sizes 32,64 128 xy", "--sizes 32,64,128 xy"),
        (
            "--temperatures .8 1e-1 xy --sizes 8 --json",
            "--temperatures .8,1e-1 xy --sizes 8 --json",
        ),
        ("--sizes abc 64", "--sizes abc,64"),
        ("--sizes", "--sizes"),
        ("--samples 32 64", "--samples 32 64"),
        ("--sizes 8 --seed 3 4", "--sizes 8 --seed 3 4"),
        ("--temperatures -1 2", "--temperatures -1,2"),
    ],
)
def test_lists(given, joined):
    assert _join_lists(given.split()) == joined.split()


class TestProcess:
    def test_streams(self):
        """stdout: the object alone; stderr, which is no terminal here: nothing."""
        run = subprocess.run([*COMMAND, "detect", "ising", "--json", *TINY], capture_output=True)
        assert run.returncode == 0
        assert run.stderr == b""
        assert run.stdout.startswith(b"{")
        assert run.stdout.endswith(b"}\n")

    @pytest.mark.skipif(os.name != "posix", reason="terminals")
    def test_progress_is_on_the_terminal(self):
        import fcntl
        import pty
        import struct
        import termios

        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        run = subprocess.run(
            [*COMMAND, "detect", "ising", "--json", *TINY], stdout=subprocess.PIPE, stderr=theirs
        )
        os.close(theirs)
        os.set_blocking(ours, False)
        shown = os.read(ours, 1 << 16).decode()
        os.close(ours)
        assert run.returncode == 0
        assert "chain" in shown
        assert "100%" in shown
        assert b"chain/s" not in run.stdout
        assert run.stdout.count(b"\n") == 1

    def test_exit_code_of_an_error(self):
        run = subprocess.run([*COMMAND, "detect", "isng"], capture_output=True)
        assert (run.returncode, run.stdout, run.stderr.count(b"\n")) == (2, b"", 1)

    def test_a_pipe_that_closes(self):
        read, write = os.pipe()
        os.close(read)
        run = subprocess.run([*COMMAND, "models"], stdout=write, stderr=subprocess.PIPE)
        os.close(write)
        assert b"Traceback" not in run.stderr
        assert run.returncode != 0

    def test_the_installed_script(self):
        """The console script is this main."""
        from importlib.metadata import entry_points

        (script,) = entry_points(group="console_scripts", name="topoml")
        assert script.load() is main


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
class TestCtrlC:
    def interrupt(self, arguments, wait):
        """Seconds until the end, and the process, from SIGINT ``wait`` after the imports."""
        script = (
            "import sys; from topoml.cli import main; print('ready', flush=True); sys.exit(main())"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert process.stdout.readline() == "ready\n"
            time.sleep(wait)
            assert process.poll() is None, "it was over before Ctrl-C"
            start = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
        return time.monotonic() - start, process.returncode, out, err

    @pytest.mark.parametrize(
        ("arguments", "wait"),
        [
            (["detect", "xy"], 0.3),  # while torch loads
            (["detect", "xy"], 6.0),  # while it samples
            (["detect", "xy", "--sizes", "32,64", "--samples", "32"], 6.0),  # while it tabulates
        ],
        ids=["loading", "sampling", "tabulating"],
    )
    def test_ends_at_once(self, tmp_path, arguments, wait):
        seconds, code, out, err = self.interrupt([*arguments, "--out", str(tmp_path / "r")], wait)
        assert code == 130
        assert out == ""
        assert err == "topoml: interrupted\n"
        assert list(tmp_path.iterdir()) == []
        busy = max(1.0, os.getloadavg()[0] / os.cpu_count())  # others on this machine
        assert seconds < 2 * busy
