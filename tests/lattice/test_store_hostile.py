"""Stores that lie, lead elsewhere, or carry code."""

import json
import os
import pickle
import shutil
import tracemalloc

import numcodecs
import numpy as np
import pytest

import topoml.lattice.store as stores
from topoml._core.errors import InputError
from topoml.lattice import Ensemble, Ising, open_units, simulate, verify

CASE = {"sizes": [4], "temperatures": [2.0], "samples": 64, "seed": 5, "n_chains": 1}


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    path = tmp_path_factory.mktemp("stores") / "honest"
    simulate(Ising(), **CASE, n_jobs=1, store=path)
    return path


@pytest.fixture
def store(honest, tmp_path):
    return shutil.copytree(honest, tmp_path / "s")


@pytest.fixture(autouse=True)
def _little_memory():
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def refused(store, message):
    """By all that read it, in one line."""
    for read in (
        lambda: Ensemble.open(store).configurations(size=4, temperature=2.0),
        lambda: list(open_units(store)),
    ):
        with pytest.raises(InputError, match=message) as caught:
            read()
        assert "\n" not in str(caught.value)
        assert repr(str(store)) in str(caught.value)


CHUNK = "L4/configurations/c/0/0/0/0/0"


@pytest.mark.parametrize("part", [CHUNK, "L4/configurations/c/0", "L4"])
def test_links_are_not_followed(store, tmp_path, part):
    (store / part).rename(tmp_path / "elsewhere")
    (store / part).symlink_to(tmp_path / "elsewhere")
    refused(store, "is a link, which is not followed")
    assert any("is a link, which is not followed" in fault for fault in verify(store))


def edited(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x["codecs"].insert(0, {"name": "numcodecs.pickle", "configuration": {}}),
        lambda x: x["shape"].__setitem__(2, 10**12),
        lambda x: x["chunk_grid"]["configuration"]["chunk_shape"].__setitem__(2, 10**12),
        lambda x: x.__setitem__("storage_transformers", [{"name": "mine"}]),
        lambda x: x.__setitem__("data_type", "string"),
    ],
)
def test_arrays_that_are_not_as_we_make_them(store, change):
    edited(store / "L4" / "configurations" / "zarr.json", change)
    refused(store, "L4/configurations/zarr.json does not fit the store")
    assert verify(store) == ("L4/configurations/zarr.json does not fit the store",)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


UNPICKLING = {"id": "pickle", "protocol": 5}


def pickled(folder, codec):
    """An array of Zarr 2, which has codecs that unpickle."""
    folder.mkdir(parents=True)
    about = {
        "zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|i1", "fill_value": 0,
        "order": "C", "compressor": None, "filters": None,
    }  # fmt: skip
    (folder / ".zarray").write_text(json.dumps(about | codec))
    (folder / "0").write_bytes(pickle.dumps(Bomb()))


@pytest.mark.parametrize("codec", [{"filters": [UNPICKLING]}, {"compressor": UNPICKLING}])
def test_pickles_of_zarr_2(codec, store, tmp_path, monkeypatch):
    """As a store, and as an array of one, with what newer versions of numcodecs forbid."""
    monkeypatch.setattr(numcodecs.pickles, "ALLOW_UNSAFE_PICKLE_DECODE", True, raising=False)
    pickled(tmp_path / "a", codec)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / ".zgroup").write_text('{"zarr_format": 2}')
    pickled(tmp_path / "b" / "L4" / "configurations", codec)
    for path in (tmp_path / "a", tmp_path / "b"):
        refused(path, "which is no store")
        for use in (verify, lambda path: simulate(Ising(), **CASE, n_jobs=1, store=path)):
            with pytest.raises(InputError, match=r"is no store|a folder with other files"):
                use(path)
    shutil.rmtree(store / "L4" / "configurations")
    pickled(store / "L4" / "configurations", codec)
    refused(store, "L4/configurations/zarr.json is missing")
    assert verify(store) == ("L4/configurations/zarr.json is missing",)
    with pytest.raises(pytest.fail.Exception, match="unpickled"):  # control: what it would do
        numcodecs.get_codec(dict(UNPICKLING)).decode((tmp_path / "a" / "0").read_bytes())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("samples", 10**15, r"declares \d+ units; expected at most 10000000"),
        ("n_chains", 10**9, "whose attributes do not belong together"),
        ("samples", "many", "whose attribute 'samples' is 'many'"),
        ("shapes", {}, "whose attributes do not belong together"),
        ("shapes", {"4": [0, 0]}, "whose attributes do not belong together"),
        ("shapes", {"4": [1 << 20, 1 << 20]}, "63 of 64 units are not written"),
        ("dtype", "object", "whose attributes do not belong together"),
        ("dtype", "nonsense", "whose attributes do not belong together"),
        ("n_chains", 0, "whose attributes do not belong together"),
        ("temperatures", ["a"], "whose attributes do not belong together"),
        ("temperatures", [-1.0], "whose attributes do not belong together"),
        ("sizes", [], "whose attributes do not belong together"),
        ("type", "os.system", None),
    ],
)
def test_attributes_that_lie(store, name, value, message):
    edited(store / "zarr.json", lambda x: x["attributes"].__setitem__(name, value))
    if message is None:
        assert Ensemble.open(store).model is None
    else:
        refused(store, message)


def test_parameters_of_no_model(store):
    edited(store / "zarr.json", lambda x: x["attributes"].__setitem__("parameters", {"K": 1}))
    refused_here = pytest.raises(InputError, match="`K` is no parameter of 'ising'")
    with refused_here:
        Ensemble.open(store)


def chunk_of(data):
    """As the store compresses it, with a right checksum."""
    return numcodecs.CRC32C(location="end").encode(numcodecs.Zstd(1).encode(data))


def test_a_small_chunk_that_takes_much(store):
    right = np.frombuffer((store / CHUNK).read_bytes(), np.uint8)
    x = Ensemble.open(store).configurations(size=4, temperature=2.0)
    np.testing.assert_array_equal(np.frombuffer(chunk_of(x.tobytes()), np.uint8), right)
    bomb = chunk_of(bytes(15_000_000))
    tracemalloc.clear_traces()
    (store / CHUNK).write_bytes(bomb)
    refused(store, r"0/0/0/0/0 has 14\d\d bytes, more than|does not declare 1024 bytes")
    for cut in (0, 3, 5, 8):
        (store / CHUNK).write_bytes(bomb[:cut])
        refused(store, "does not declare 1024 bytes")


@pytest.mark.parametrize("n", [0, 1, 255, 256, 300, 65_791, 65_792, 1 << 22, (1 << 22) + 7])
def test_sizes_in_headers_of_zstandard(n):
    data = np.random.default_rng(n).bytes(n)
    assert stores._zstd_size(bytes(numcodecs.Zstd(1).encode(data))[:18]) == n


def test_a_large_file_in_the_place_of_a_chunk(store):
    os.truncate(store / CHUNK, 10**12)  # sparse
    refused(store, "has 1000000000000 bytes, more than it can have")
    assert any("more than it can have" in fault for fault in verify(store))
