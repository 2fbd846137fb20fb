"""`topoml detect`: the object, the table, files, and every way to get them wrong."""

import json
import pickle
import zipfile

import numpy as np
import pytest

import topoml as package
from topoml.phases import detect

KEYS = [
    "model", "sizes", "estimate", "error", "reason", "method", "yardstick", "known", "controls",
    "manifold", "seed", "version", "seconds",
]  # fmt: skip
T_ISING = 2.269185314213022
SMALL = ("--sizes", "16,32", "--temperatures", "1.8,2.0,2.2,2.4,2.7,3.0", "--samples", "160")


class TestJson:
    def test_keys(self, topoml):
        found = topoml("detect", "ising", "--json", "--seed", "3", *SMALL).json
        assert list(found) == KEYS
        assert list(found["yardstick"]) == ["estimate", "error", "method"]
        assert list(found["known"]) == ["value", "source"]
        assert len(found["controls"]) == 3
        for control in found["controls"]:
            assert list(control) == ["name", "value", "passed"]
            assert control["passed"] in (True, False, None)
        assert found["model"] == "ising"
        assert found["sizes"] == [16, 32]
        assert found["manifold"] == "real"
        assert found["seed"] == 3
        assert found["version"] == package.__version__
        assert found["seconds"] > 0
        assert found["known"] == {
            "value": T_ISING, "source": "Onsager, Phys. Rev. 65, 117 (1944)"
        }  # fmt: skip

    def test_same_seed_same_digits(self, topoml):
        one, same, other = (
            topoml("detect", "ising", "--json", "--seed", seed, *SMALL).json for seed in (3, 3, 4)
        )
        for found in (one, same, other):
            del found["seconds"]
        assert one == same
        assert json.dumps(one) == json.dumps(same)
        assert one["controls"] != other["controls"]

    def test_numbers_are_those_of_the_library(self, topoml, files, ensemble):
        found = topoml("detect", *files, "--json").json
        same = detect(ensemble)
        assert (found["estimate"], found["error"]) == (same.estimate, same.error)
        assert found["method"] == same.method
        assert found["yardstick"]["estimate"] == same.yardstick.estimate
        assert found["yardstick"]["error"] == same.yardstick.error
        assert [c["value"] for c in found["controls"]] == [c.value for c in same.controls]
        assert [c["passed"] for c in found["controls"]] == [c.passed for c in same.controls]

    def test_xy(self, topoml, few_fields):
        """Hot angles: no order, quickly."""
        t = ("--sizes", "8,16", "--temperatures", "1.5,2.0,2.5,3", "--samples", "64")
        found = topoml("detect", "xy", "--json", *t).json
        assert found["estimate"] is None
        assert found["error"] is None
        assert "no quasi-long-range order" in found["reason"]
        assert found["model"] == "xy"
        assert found["manifold"] == "circle"
        assert found["known"]["value"] == 0.8929
        assert "Hasenbusch" in found["known"]["source"]
        assert "stiffness from the essential H1 birth" in found["method"]
        assert "helicity modulus" in found["yardstick"]["method"]

    def test_no_transition(self, topoml):
        t = ("--sizes", "16,32", "--temperatures", "4,5,6,7", "--samples", "96")
        found = topoml("detect", "ising", "--json", *t).json
        assert (found["estimate"], found["error"]) == (None, None)
        assert found["reason"].startswith("no crossing")


class TestPresets:
    """What is simulated without options; nothing is."""

    @pytest.fixture
    def asked(self, monkeypatch):
        calls = []

        class AskedError(Exception):
            def format_message(self):
                return "asked."

        def simulate(model, **options):
            calls.append((model.name, options))
            raise AskedError

        monkeypatch.setattr(package.lattice, "simulate", simulate)
        return calls

    @pytest.mark.parametrize("model", ["ising", "xy"])
    def test_quick_is_less(self, topoml, asked, model):
        topoml("detect", model)
        topoml("detect", model, "--quick")
        (name, full), (_, quick) = asked
        assert name == model
        assert full["samples"] * sum(L**2 for L in full["sizes"]) > 5 * quick["samples"] * sum(
            L**2 for L in quick["sizes"]
        )
        assert max(full["sizes"]) <= 128
        for options in (full, quick):
            known = {"ising": T_ISING, "xy": 0.8929}[model]
            t = np.array(options["temperatures"])
            assert (t < known).sum() >= 2
            assert (t > known).sum() >= 2
            assert options["samples"] % options["n_chains"] == 0
            assert options["n_chains"] >= 8
            assert options["seed"] == 0
            assert options["progress"] is True

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (["0.8,0.9,1.0"], [0.8, 0.9, 1.0]),
            (["0.8", "0.9", "1.0"], [0.8, 0.9, 1.0]),
            (["0.8 0.9"], [0.8, 0.9]),
            (["0.8:1.0:0.05"], [0.8, 0.85, 0.9, 0.95, 1.0]),
            (["1:1:1"], [1.0]),
            (["1:2:0.6"], [1.0, 1.6]),
            (["8e-1,1"], [0.8, 1.0]),
        ],
    )
    def test_temperatures(self, topoml, asked, text, expected):
        topoml("detect", "xy", "--temperatures", *text, "--json")
        assert asked[0][1]["temperatures"] == expected  # 0.85, not 0.8500000000000001

    @pytest.mark.parametrize("text", [["16,32"], ["16", "32"], ["16 32"], ["16,", "32"]])
    def test_sizes(self, topoml, asked, text):
        topoml("detect", "xy", "--sizes", *text)
        assert asked[0][1]["sizes"] == (16, 32)

    def test_lists_end_at_the_next_word(self, topoml, asked):
        topoml("detect", "--sizes", "16", "32", "--seed", "5", "ising", "--temperatures", "2", "3")
        ((name, options),) = asked
        assert name == "ising"
        assert options["sizes"] == (16, 32)
        assert options["temperatures"] == [2.0, 3.0]
        assert options["seed"] == 5

    @pytest.mark.parametrize(("samples", "chains"), [(32, 16), (100, 10), (37, 1), (48, 16)])
    def test_chains_divide_samples(self, topoml, asked, samples, chains):
        topoml("detect", "xy", "--samples", samples)
        assert asked[0][1]["samples"] == samples
        assert asked[0][1]["n_chains"] == chains


class TestTable:
    def test_a_line_for_everything(self, topoml, files):
        result = topoml("detect", *files)
        assert result.code == 0
        assert result.err == ""
        words = [line.split() for line in result.out.splitlines()]
        first = [line[0] for line in words]
        for name in ("model", "sizes", "topological", "yardstick", "controls", "seconds"):
            assert name in first
        assert "known" not in first  # of an unknown model
        assert "manifold real (guessed from the numbers)" in result.out
        found = topoml("detect", *files, "--json").json
        line = next(line for line in words if line[0] == "topological")
        assert float(line[1]) == pytest.approx(found["estimate"], abs=found["error"] / 5)
        assert line[2] == "±"
        assert float(line[3]) == pytest.approx(found["error"], rel=0.06)
        assert "essential H1 birth" in result.out
        for control in found["controls"]:
            assert control["name"] in result.out

    def test_known_value_of_a_model(self, topoml):
        result = topoml("detect", "ising", *SMALL)
        assert "2.269185" in result.out
        assert "Onsager" in result.out
        assert "guessed" not in result.out

    def test_reason(self, topoml, files):
        result = topoml("detect", files[0])
        assert result.code == 0
        lines = result.out.splitlines()
        assert next(line for line in lines if line.startswith("topological")).split()[1] == "none"
        assert "a second size, twice as large, is missing" in result.out


class TestFiles:
    def test_an_unknown_model(self, topoml, files):
        found = topoml("detect", *files, "--json").json
        assert found["model"] == "unknown"
        assert found["known"] is None
        assert found["sizes"] == [16, 32]
        assert abs(found["estimate"] - T_ISING) < min(0.05 * T_ISING, 4 * found["error"])

    def test_any_order_of_files(self, topoml, files):
        one, other = (topoml("detect", *order, "--json").json for order in (files, files[::-1]))
        assert one["estimate"] == other["estimate"]

    def test_seed(self, topoml, files):
        one, other = (topoml("detect", *files, "--json", "--seed", s).json for s in (0, 1))
        assert other["seed"] == 1
        assert one["error"] != other["error"]

    def test_one_size(self, topoml, files):
        found = topoml("detect", files[0], "--json").json
        assert (found["estimate"], found["error"]) == (None, None)
        assert "a second size, twice as large, is missing" in found["reason"]

    @pytest.mark.parametrize(
        ("kind", "manifold"),
        [("signs", "real"), ("labels", "discrete"), ("angles", "circle"), ("said", "real")],
    )
    def test_manifold(self, topoml, tmp_path, few_fields, kind, manifold):
        rng = np.random.default_rng(0)
        shape = (40, 8, 8)
        x = {
            "signs": lambda: rng.choice([-1, 1], shape),
            "labels": lambda: rng.integers(0, 3, shape),
            "angles": lambda: rng.uniform(-3, 3, shape),
            "said": lambda: rng.uniform(-3, 3, shape),
        }[kind]()
        more = {"manifold": "real"} if kind == "said" else {}
        np.savez(tmp_path / "x.npz", configurations=x, temperature=np.repeat([1, 2], 20), **more)
        assert topoml("detect", tmp_path / "x.npz", "--json").json["manifold"] == manifold


SPINS = np.random.default_rng(1).choice(np.array([-1, 1], np.int8), (16, 8, 8))
T = np.repeat([1.0, 2.0], 8)


@pytest.mark.usefixtures("no_work")
class TestBadArguments:
    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            ("detect", "target"),
            ("detect isng", "'isng', neither a model nor a file"),
            ("detect ising xy", "one model alone"),
            ("detect ising --nonsense", "--nonsense"),
            ("detect ising --sizes abc", "`--sizes` is 'abc'"),
            ("detect ising --sizes", "--sizes"),
            ("detect ising --sizes 16.5,32", "`--sizes` is '16.5,32'"),
            ("detect ising --sizes 16 31", "`sizes`"),
            ("detect ising --sizes 0,16", "`sizes`"),
            ("detect ising --sizes -16,32", "`sizes`"),
            ("detect ising --temperatures hot", "`--temperatures` is 'hot'"),
            ("detect ising --temperatures 2:1:0.1", "`--temperatures` is '2:1:0.1'"),
            ("detect ising --temperatures 1:2:0", "`--temperatures`"),
            ("detect ising --temperatures 1:2:-0.1", "`--temperatures`"),
            ("detect ising --temperatures 1:2", "`--temperatures`"),
            ("detect ising --temperatures 1:2:nan", "`--temperatures`"),
            ("detect ising --temperatures 1:inf:0.1", "`--temperatures`"),
            ("detect ising --temperatures 0.1:1e9:1e-9", "at most 1000"),
            ("detect ising --temperatures 1:1e308:1e-308", "at most 1000"),
            ("detect ising --samples many", "--samples"),
            ("detect ising --samples 3.5", "--samples"),
            ("detect ising --samples 31", "`--samples` is 31; expected at least 32"),
            ("detect ising --samples 0", "`--samples`"),
            ("detect ising --samples -64", "`--samples`"),
            ("detect ising --seed -1", "`--seed` is -1"),
            ("detect ising --seed one", "--seed"),
            ("detect ising --out /nowhere/at/all", "`--out`"),
            ("detect ising --json=yes", "--json"),
        ],
    )
    def test_refused(self, topoml, arguments, word):
        topoml(*arguments.split()).refused(word)

    @pytest.mark.parametrize("name", ["--sizes", "--temperatures"])
    @pytest.mark.parametrize("empty", ["", " ", ","])
    def test_empty_lists(self, topoml, name, empty):
        topoml("detect", "ising", name, empty).refused(f"`{name}` is {empty!r}")

    @pytest.mark.parametrize(
        "given", [("--sizes", "8"), ("--temperatures", "1,2"), ("--samples", "64")]
    )
    def test_files_bring_their_own(self, topoml, files, given):
        topoml("detect", *files, *given).refused(f"`{given[0]}` is given with files")

    def test_a_model_among_files(self, topoml, files):
        topoml("detect", *files, "ising").refused("ising")


class TestBadValues:
    """Refused by simulate itself, before any work of its own."""

    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            ("--temperatures 0,1", "`temperatures`"),
            ("--temperatures -1,2", "`temperatures`"),
            ("--temperatures nan", "`temperatures`"),
            ("--temperatures inf,1", "`temperatures`"),
            ("--temperatures 1,2,1", "`temperatures`"),
            ("--sizes 16,16", "`sizes`"),
            ("--sizes 32768,65536", "`sizes`"),
            ("--sizes 16384,32760", "out of memory"),
        ],
    )
    def test_refused(self, topoml, arguments, word):
        topoml("detect", "ising", *arguments.split()).refused(word)


@pytest.mark.usefixtures("no_work")
class TestBadFiles:
    def refused(self, topoml, path, *words):
        topoml("detect", path).refused(*words)
        topoml("detect", path, "--json").refused(*words)

    @pytest.mark.parametrize(
        ("arrays", "words"),
        [
            ({"configurations": np.where(SPINS > 0, np.nan, 1.0)}, ("configurations", "NaN")),
            ({"configurations": np.where(SPINS > 0, np.inf, 1.0)}, ("configurations", "infinity")),
            ({"temperature": np.where(T > 1, np.nan, T)}, ("temperature", "NaN")),
            ({"temperature": -T}, ("temperature", "positive")),
            ({"configurations": SPINS[0]}, ("configurations", "(8, 8)", "(n, L, L)")),
            ({"configurations": SPINS[:, :4]}, ("configurations", "(16, 4, 8)")),
            ({"configurations": SPINS[..., None]}, ("configurations", "(16, 8, 8, 1)")),
            ({"temperature": T[:5]}, ("temperature", "(5,)", "(16,)")),
            ({"temperature": T[:, None]}, ("temperature", "(16, 1)")),
            ({"configurations": SPINS[:0], "temperature": T[:0]}, ("configurations", "(0, 8, 8)")),
            ({"configurations": SPINS.astype(complex)}, ("configurations", "complex128")),
            ({"configurations": SPINS > 0}, ("configurations", "bool")),
            ({"configurations": SPINS.astype(str)}, ("configurations", "<U")),
            ({"configurations": SPINS * 1.0}, ("configurations", "whole numbers stored as floats")),
            ({"configurations": SPINS + 6.5}, ("configurations", "7.5", "2 pi")),
            ({"manifold": "circle"}, ("configurations", "int8", "float")),
            ({"manifold": "discrete"}, ("configurations", "-1")),
            ({"manifold": "sphere"}, ("configurations", "(n, L, L, c)")),
            ({"manifold": "torus"}, ("manifold", "'torus'")),
            ({"manifold": 3}, ("manifold",)),
            ({"chain": np.arange(5)}, ("chain", "(5,)")),
            ({"chain": T}, ("chain", "float64")),
            ({"chain": np.repeat([0, 1], [5, 11])}, ("chain",)),
            ({"temperatures": T}, ("'temperatures'",)),
        ],
    )
    def test_arrays(self, topoml, tmp_path, arrays, words):
        path = tmp_path / "data.npz"
        np.savez(path, **{"configurations": SPINS, "temperature": T} | arrays)
        self.refused(topoml, path, "data.npz", "expected", *words)

    @pytest.mark.parametrize("key", ["configurations", "temperature"])
    def test_missing_keys(self, topoml, tmp_path, key):
        arrays = {"configurations": SPINS, "temperature": T}
        del arrays[key]
        np.savez(tmp_path / "data.npz", **arrays)
        self.refused(topoml, tmp_path / "data.npz", "data.npz", f"no key '{key}'")

    @pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9, 0.999])
    def test_truncated(self, topoml, tmp_path, share):
        path = tmp_path / "data.npz"
        np.savez(path, configurations=SPINS, temperature=T)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        self.refused(topoml, path, "data.npz")

    def test_corrupt(self, topoml, tmp_path):
        path = tmp_path / "data.npz"
        np.savez(path, configurations=SPINS, temperature=T)
        content = bytearray(path.read_bytes())
        content[400] ^= 0xFF
        path.write_bytes(content)
        self.refused(topoml, path, "data.npz")

    def test_pickles_are_not_opened(self, topoml, tmp_path):
        class Bomb:
            def __reduce__(self):
                return (open, (str(tmp_path / "exploded"), "w"))

        path = tmp_path / "objects.npz"
        np.savez(path, configurations=np.array([Bomb()] * 16, object), temperature=T)
        self.refused(topoml, path, "objects.npz", "never unpickled")
        (tmp_path / "bare.npz").write_bytes(pickle.dumps(Bomb()))
        self.refused(topoml, tmp_path / "bare.npz", "bare.npz")
        assert not (tmp_path / "exploded").exists()

    def test_a_bare_npy(self, topoml, tmp_path):
        np.save(tmp_path / "x.npy", SPINS)
        self.refused(topoml, tmp_path / "x.npy", "x.npy")

    def test_not_a_file(self, topoml, tmp_path):
        self.refused(topoml, tmp_path, "not a regular file")
        self.refused(topoml, tmp_path / "absent.npz", "neither a model nor a file that exists")

    def test_unreadable(self, topoml, tmp_path, monkeypatch):
        """As root nothing is unreadable, so the refusal of the system is made up."""
        path = tmp_path / "data.npz"
        np.savez(path, configurations=SPINS, temperature=T)

        def denied(*_, **__):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(zipfile, "ZipFile", denied)
        self.refused(topoml, path, "data.npz", "Permission denied")

    def test_oversized(self, topoml, tmp_path):
        """A header that promises a petabyte is refused by its words, without reading."""
        words = b"{'descr': '|i1', 'fortran_order': False, 'shape': (1000000000, 1000, 1000), }"
        header = b"\x93NUMPY\x01\x00v\x00" + words.ljust(117) + b"\n"
        path = tmp_path / "huge.npz"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("configurations.npy", header)
            archive.writestr("temperature.npy", header)
        self.refused(topoml, path, "huge.npz", "expected")

    def test_integers_and_floats(self, topoml, tmp_path):
        np.savez(tmp_path / "a.npz", configurations=SPINS, temperature=T)
        np.savez(tmp_path / "b.npz", configurations=np.tile(SPINS, (1, 2, 2)) * 0.5, temperature=T)
        topoml("detect", tmp_path / "a.npz", tmp_path / "b.npz").refused("mixes", "integers")

    def test_one_size_twice(self, topoml, tmp_path):
        for name in ("a.npz", "b.npz"):
            np.savez(tmp_path / name, configurations=SPINS, temperature=T)
        topoml("detect", tmp_path / "a.npz", tmp_path / "b.npz").refused("b.npz", "size 8")

    def test_manifolds_that_differ(self, topoml, tmp_path):
        big = np.tile(SPINS, (1, 2, 2))
        np.savez(tmp_path / "a.npz", configurations=SPINS, temperature=T, manifold="real")
        np.savez(tmp_path / "b.npz", configurations=abs(big), temperature=T, manifold="discrete")
        topoml("detect", tmp_path / "a.npz", tmp_path / "b.npz").refused("manifold", "'real'")


class TestRefusedByDetection:
    """Good arrays from which nothing can be learnt."""

    def test_too_few_samples(self, topoml, tmp_path):
        path = tmp_path / "data.npz"
        np.savez(path, configurations=SPINS[::4], temperature=T[::4])
        topoml("detect", path).refused("at least 4 blocks")

    def test_sizes_without_a_grid(self, topoml, tmp_path):
        for size in (9, 14):
            x = np.random.default_rng(size).choice([-1, 1], (16, size, size))
            np.savez(tmp_path / f"{size}.npz", configurations=x, temperature=T)
        topoml("detect", tmp_path / "9.npz", tmp_path / "14.npz").refused("(9, 14)", "divisor")

    def test_too_many_labels(self, topoml, tmp_path):
        x = np.arange(16 * 64).reshape(16, 8, 8)
        np.savez(tmp_path / "data.npz", configurations=x, temperature=T)
        topoml("detect", tmp_path / "data.npz").refused("labels up to 1023")
