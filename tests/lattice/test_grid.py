"""Grids of stores over the parameters of a model: bits, resumption, refusals, verification."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
import xarray

from topoml._core.errors import InputError
from topoml.lattice import (
    Ensemble,
    GeneralizedXY,
    Ising,
    Potts,
    open_grid,
    simulate,
    simulate_grid,
    verify_grid,
)
from topoml.lattice import grid as grids
from topoml.lattice import store as stores

MODELS = [Ising(field=h) for h in (0.0, 0.5, 1.0)]
OPTIONS = {"sizes": [4, 6], "temperatures": [2.0, 3.0], "samples": 32, "n_chains": 2, "n_jobs": 1}
NAMES = ["field=0.0", "field=0.5", "field=1.0"]


def made(path, models=MODELS, seed=0, **options):
    return simulate_grid(models, store=path, seed=seed, **(OPTIONS | options))


def bits(ensemble):
    return [
        ensemble.configurations(size=size, temperature=t).tobytes()
        for size in ensemble.sizes
        for t in ensemble.temperatures
    ]


def files(path):
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("grid") / "g"
    made(path)
    return path


@pytest.fixture
def grid(template, tmp_path):
    return shutil.copytree(template, tmp_path / "g")


class TestBits:
    def test_of_each_model_alone(self, grid, tmp_path):
        """Whatever other models there are, and in which order."""
        found = open_grid(grid)
        assert list(found) == MODELS
        assert sorted(os.listdir(grid)) == [*NAMES, "zarr.json"]
        other = made(tmp_path / "h", models=[MODELS[2], MODELS[0]])
        for model, ensemble in other.items():
            assert bits(ensemble) == bits(found[model])
            assert ensemble.model == model

    def test_as_simulate(self, grid):
        for model, ensemble in open_grid(grid).items():
            assert bits(simulate(model, seed=0, **OPTIONS)) == bits(ensemble)

    def test_streams_of_models_differ(self, grid, tmp_path):
        """The same law under two parameter sets gives other numbers; so does another seed."""
        found = [*open_grid(grid).values(), *made(tmp_path / "h", seed=1).values()]
        assert len({bits(e)[0] for e in found}) == 6
        hot = dict(sizes=[4], temperatures=[1e9], samples=32, n_chains=2, n_jobs=1)
        found = simulate_grid(MODELS, store=tmp_path / "hot", seed=0, update="heat bath", **hot)
        assert len({bits(e)[0] for e in found.values()}) == 3

    def test_resumed(self, grid, tmp_path):
        """After a stop in the second store, before the third: as without."""
        whole = files(grid)
        for file in (grid / NAMES[1] / "L6").glob("*/c/1/1"):
            shutil.rmtree(file) if file.is_dir() else file.unlink()
        shutil.rmtree(grid / NAMES[2])
        made(grid)
        again = files(grid)
        assert again.keys() == whole.keys()
        assert all(again[k] == whole[k] for k in whole if "/c/" in k)

    def test_a_finished_one_is_left_as_it_is(self, grid, monkeypatch):
        whole = files(grid)
        monkeypatch.setattr("topoml.lattice.fill._fill_chains", None)
        made(grid)
        assert files(grid) == whole

    def test_in_xarray(self, grid):
        found = xarray.open_zarr(grid, group=f"{NAMES[1]}/L6", consolidated=False)
        ours = open_grid(grid)[MODELS[1]].energy(size=6, temperature=3.0)
        np.testing.assert_array_equal(found.energy.sel(temperature=3.0), ours)


class TestNames:
    @pytest.mark.parametrize(
        ("models", "names"),
        [
            ([Potts(3), Potts(4)], ["q=3", "q=4"]),
            ([Potts(3, lattice=k) for k in ("square", "cubic")],
             ["lattice=square", "lattice=cubic"]),
            ([GeneralizedXY(a, q) for a, q in ((0.1, 2), (0.2, 2), (0.1, 3))],
             ["delta=0.1,q=2", "delta=0.2,q=2", "delta=0.1,q=3"]),
        ],
    )  # fmt: skip
    def test_of_what_varies(self, models, names):
        assert grids._names(models) == names

    def test_without_paths_in_them(self):
        """Of a field that is a text, or a function."""

        @dataclasses.dataclass(frozen=True)
        class Odd(Ising):
            note: str = ""

        names = grids._names([Odd(note="../a"), Odd(note="b/c"), Odd(note="x" * 300)])
        assert len(set(names)) == 3
        assert all(name.startswith("ising-") and len(name) == 22 for name in names)


class TestRefused:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"models": []}, "^`models` is empty"),
            ({"models": [Ising(), Potts(3)]}, "^`models` has Ising, Potts; expected one kind"),
            ({"models": [Ising(), Ising()]}, "^`models` has Ising.* twice"),
            ({"models": MODELS[:2]}, "^`models` is .*; expected .*, as the grid"),
            ({"seed": 1}, "^`seed` is 1; expected 0, as the grid"),
            ({"samples": 64}, "^`samples` is 64; expected 32, as the store"),
        ],
    )
    def test_arguments(self, grid, change, message):
        before = files(grid)
        with pytest.raises(InputError, match=message):
            made(grid, **change)
        assert files(grid) == before

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"samples": 7}, InputError),
            ({"update": "foo"}, InputError),
            ({"sizes": [0]}, InputError),
            ({"seed": -1}, InputError),
            ({"n_jobs": True}, InputError),
            ({"temperature": [1.0]}, TypeError),
        ],
    )
    def test_arguments_are_refused_before_anything_is_written(self, tmp_path, change, error):
        with pytest.raises(error):
            made(tmp_path / "g", **change)
        assert not (tmp_path / "g").exists()
        made(tmp_path / "g", sizes=iter([4]), seed=np.int64(0), samples=np.int64(2))

    def test_folders(self, grid, tmp_path):
        (tmp_path / "foreign").mkdir()
        (tmp_path / "foreign" / "mine").write_text("1")
        with pytest.raises(InputError, match=r"^`store` is .*foreign.*with other files"):
            made(tmp_path / "foreign")
        assert os.listdir(tmp_path / "foreign") == ["mine"]
        (tmp_path / "file").write_text("1")
        with pytest.raises(InputError, match=r"^`store` is .*a file"):
            made(tmp_path / "file")
        with pytest.raises(InputError, match=r"^`store` is .*which is no grid"):
            made(grid / NAMES[0])
        with pytest.raises(InputError, match=r"^`store` is .*which is no grid"):
            open_grid(grid / NAMES[0])
        for wrong in (Ensemble.open, stores.attributes):
            with pytest.raises(InputError, match=r"^`store` is .*a grid of stores"):
                wrong(grid)
        with pytest.raises(InputError, match=r"^`store` is .*does not exist"):
            open_grid(tmp_path / "none")

    @pytest.mark.parametrize("name", ["../g", "a/b", "..", ""])
    def test_members_elsewhere(self, grid, name):
        """A forged zarr.json leads nowhere else."""
        about = json.loads((grid / "zarr.json").read_text())
        about["attributes"]["members"] = {name: {}}
        (grid / "zarr.json").write_text(json.dumps(about))
        for function in (open_grid, verify_grid, made):
            with pytest.raises(InputError, match=r"^`store` is .*a grid with a folder"):
                function(grid)

    def test_of_another_version(self, grid):
        about = json.loads((grid / "zarr.json").read_text())
        about["attributes"]["format_version"] = 1
        (grid / "zarr.json").write_text(json.dumps(about))
        with pytest.raises(InputError, match=r"in version 1 of the format; expected version 2"):
            open_grid(grid)

    def test_unfinished(self, grid):
        shutil.rmtree(grid / NAMES[1] / "L4" / "done" / "c" / "0")
        with pytest.raises(InputError, match=r"^`store` is .*field=0.5.*are not written"):
            open_grid(grid)


class TestVerify:
    def test_whole(self, grid):
        assert verify_grid(grid) == ()

    def test_faults(self, grid):
        """One byte of a chunk, a missing store, and one in the place of another."""
        (chunk,) = (grid / NAMES[0] / "L4" / "energy" / "c" / "1" / "0").iterdir()
        data = bytearray(chunk.read_bytes())
        data[-6] ^= 1
        chunk.write_bytes(data)
        shutil.rmtree(grid / NAMES[2])
        one, two = verify_grid(grid)
        assert one.startswith("field=0.0/L4/energy/c/1/0/0 is damaged")
        assert two.startswith("field=1.0: `store` is")
        shutil.copytree(grid / NAMES[1], grid / NAMES[2])
        assert any(fault.startswith("field=1.0: of {") for fault in verify_grid(grid))

    def test_discarded_and_made_anew(self, grid):
        (chunk,) = (grid / NAMES[0] / "L4" / "energy" / "c" / "1" / "0").iterdir()
        before = chunk.read_bytes()
        chunk.write_bytes(before[:-1])
        assert len(verify_grid(grid, discard=True)) == 1
        made(grid)
        assert verify_grid(grid) == ()
        assert chunk.read_bytes() == before

    def test_one_that_cannot_be_mended_does_not_keep_the_others(self, grid):
        for name in (NAMES[0], NAMES[2]):
            (chunk,) = (grid / name / "L4" / "energy" / "c" / "1" / "0").iterdir()
            chunk.write_bytes(b"")
        file = grid / NAMES[1] / "zarr.json"
        honest = file.read_text()
        file.write_text(honest.replace('"attributes": {', '"attributes": {"more": 1,'))
        found = verify_grid(grid, discard=True)
        assert [fault.split("/")[0].split(":")[0] for fault in found] == list(NAMES)
        file.write_text(honest)
        made(grid)
        assert verify_grid(grid) == ()

    def test_a_scheduler_that_is_none_begins_no_grid(self, tmp_path):
        pytest.importorskip("distributed")
        with pytest.raises(InputError, match="`scheduler` is 'foo'"):
            made(tmp_path / "g", scheduler="foo")
        assert not (tmp_path / "g").exists()

    def test_another_seed(self, grid):
        text = (grid / "zarr.json").read_text()
        seed = json.loads(text)["attributes"]["seed"]
        (grid / "zarr.json").write_text(text.replace(f'"seed": {seed}', f'"seed": {seed + 1}'))
        assert f"field=0.0: of seed {seed}; expected {seed + 1}" in verify_grid(grid)

    def test_models_of_the_user(self, tmp_path):
        models = [Own(h) for h in (0.0, 1.0)]
        made(tmp_path / "g", models=models)
        with pytest.raises(InputError, match=r"^`models` has none with"):
            open_grid(tmp_path / "g")
        assert list(open_grid(tmp_path / "g", models=models)) == models
        assert verify_grid(tmp_path / "g", models=models) == ()
        with pytest.warns(UserWarning, match="is none of topoml's"):
            assert verify_grid(tmp_path / "g") == ()


@dataclasses.dataclass(frozen=True)
class Own(Ising):
    """Not one of topoml's."""

    def __init__(self, h):
        super().__init__(field=h)
