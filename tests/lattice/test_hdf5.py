"""HDF5 files that lead elsewhere, lie, or are something else."""

import os
import pickle
import tracemalloc

import numpy as np
import pytest

from topoml._core.errors import InputError
from topoml.lattice import from_arrays, load_hdf5

h5py = pytest.importorskip("h5py")

SPINS = np.array([[[1, -1], [1, 1]], [[-1, -1], [1, -1]]], np.int8)
T = np.array([1.0, 2.0])


def write(path, **arrays):
    with h5py.File(path, "w") as file:
        for key, value in ({"configurations": SPINS, "temperature": T} | arrays).items():
            if value is not None:
                file[key] = value
    return path


def refused(path, message, **options):
    with pytest.raises(InputError, match=message) as caught:
        load_hdf5(path, **options)
    assert "\n" not in str(caught.value)
    assert repr(os.fspath(path)) in str(caught.value)


def test_as_from_arrays(tmp_path):
    path = write(tmp_path / "a.h5", chain=[4, 4], manifold="real")
    e, same = load_hdf5(path), from_arrays(SPINS, T, manifold="real")
    for t in T:
        x, y = (found.configurations(size=2, temperature=t) for found in (e, same))
        np.testing.assert_array_equal(x, y)
        assert x.dtype == np.int8
    assert (e.manifold, e.manifold_guessed) == ("real", False)


def test_compressed_by_what_comes_with_hdf5(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        options = {"chunks": (1, 2, 2), "shuffle": True, "fletcher32": True}
        file.create_dataset("configurations", data=SPINS, compression="gzip", **options)
        file.create_dataset("temperature", data=T, compression="lzf")
    x = load_hdf5(tmp_path / "a.h5").configurations(size=2, temperature=2.0)
    np.testing.assert_array_equal(x[0, 0], SPINS[1])


@pytest.fixture
def secret(tmp_path):
    """What lies outside the folder of the files."""
    (tmp_path / "inside").mkdir()
    return write(tmp_path / "secret.h5")


def test_links_are_not_followed(secret):
    folder = secret.parent / "inside"
    path = write(folder / "a.h5", configurations=h5py.ExternalLink("../secret.h5", "temperature"))
    refused(path, "'configurations' a link, which is not followed")
    path = write(folder / "a.h5", temperature=h5py.SoftLink("/configurations"))
    refused(path, "'temperature' a link, which is not followed")
    (folder / "b.h5").symlink_to(secret)
    refused(folder / "b.h5", "is a link out of its folder, which is not followed")
    write(folder / "c.h5")
    (folder / "d.h5").symlink_to("c.h5")
    assert load_hdf5(folder / "d.h5").sizes == (2,)


def test_other_files_are_not_read(secret):
    folder = secret.parent / "inside"
    raw = folder / "raw"
    raw.write_bytes(SPINS.tobytes())
    with h5py.File(folder / "a.h5", "w") as file:
        external = [(str(raw), 0, SPINS.nbytes)]
        file.create_dataset("configurations", SPINS.shape, SPINS.dtype, external=external)
        file["temperature"] = T
    refused(folder / "a.h5", "'configurations' stored in other files, which are not read")
    layout = h5py.VirtualLayout(SPINS.shape, SPINS.dtype)
    layout[:] = h5py.VirtualSource(str(secret), "configurations", SPINS.shape)
    with h5py.File(folder / "b.h5", "w") as file:
        file.create_virtual_dataset("configurations", layout)
        file["temperature"] = T
    refused(folder / "b.h5", "'configurations' stored in other files")


def test_filters_from_plug_ins_are_not_asked_for(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((2, 2, 2))
        plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple((2, 2, 2))
        h5py.h5d.create(file.id, b"configurations", h5py.h5t.NATIVE_INT8, space, plist)
        file["temperature"] = T
    refused(path, "compressed by filter 32015, a plug-in")


def test_no_pickles(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    path = write(tmp_path / "a.h5", configurations=np.void(pickle.dumps(Bomb())))
    refused(path, "'configurations' of dtype")
    texts = np.array([b"cos\nsystem"], h5py.string_dtype())
    refused(write(tmp_path / "b.h5", configurations=texts), "'configurations' made of strings")


def test_chunks_that_were_never_written(tmp_path):
    """A run that was stopped in the middle: what is missing would be read as zeros."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        x = file.create_dataset("configurations", (8, 2, 2), np.int8, chunks=(3, 2, 1))
        x[:6] = 1
        file["temperature"] = np.ones(8)
    refused(path, r"'configurations' of shape \(8, 2, 2\) and stores 4 of its 6 chunks")
    with h5py.File(path, "r+") as file:
        file["configurations"][6:] = -1
    assert load_hdf5(path).configurations(size=2, temperature=1.0).shape == (1, 8, 2, 2)


def test_sizes_are_checked_first(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        shape = (10**6, 1000, 1000)
        file.create_dataset("configurations", shape, np.int8, chunks=(1, 1000, 1000))
        file["temperature"] = T
    assert path.stat().st_size < 10_000
    tracemalloc.start()
    refused(path, "declares 1000000000016 bytes .*expected at most 8589934592")
    refused(path, "and stores nothing of it", max_bytes=10**13)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
    refused(write(tmp_path / "b.h5"), "declares 24 bytes", max_bytes=23)
    assert load_hdf5(tmp_path / "b.h5", max_bytes=24).sizes == (2,)


def test_what_is_no_such_file(tmp_path):
    refused(tmp_path / "none.h5", "does not exist; expected an HDF5 file")
    (tmp_path / "a.h5").write_bytes(b"hello")
    refused(tmp_path / "a.h5", "cannot be read .*expected an HDF5 file. Write it with h5py")
    refused(write(tmp_path / "a.h5", temperature=None), "no key 'temperature'")
    refused(write(tmp_path / "a.h5", more=T), "an unknown key 'more'")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("configurations")
        file["temperature"] = T
    refused(tmp_path / "a.h5", "'configurations' a group")
    content = write(tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(content[: len(content) // 2])
    refused(tmp_path / "a.h5", "cannot be read")
