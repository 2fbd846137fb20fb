"""Files that lie, break off, explode or are something else."""

import contextlib
import errno
import io
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from topoml._core.errors import InputError
from topoml.lattice import Ising, from_arrays, load, load_npz, save_npz, simulate
from topoml.lattice.store import move_new

SPINS = np.array([[[1, -1], [1, 1]], [[-1, -1], [1, -1]]], np.int8)
T = np.array([1.0, 2.0])


def write(path, **arrays):
    np.savez(path, **{"configurations": SPINS, "temperature": T} | arrays)
    return path


def members(path, compression=zipfile.ZIP_STORED, **contents):
    """A zip of the given bytes."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name + ".npy", content)
    return path


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(text, version=(1, 0)):
    text = text.ljust(117) + "\n"
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text.encode()


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


def refused(path, message, **options):
    with pytest.raises(InputError, match=message) as caught:
        load_npz(path, **options)
    assert "\n" not in str(caught.value)
    assert repr(os.fspath(path)) in str(caught.value)


class TestGoodFiles:
    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
    def test_as_from_arrays(self, tmp_path, save):
        save(tmp_path / "a.npz", configurations=SPINS, temperature=T)
        e, same = load_npz(tmp_path / "a.npz"), from_arrays(SPINS, T)
        for t in T:
            np.testing.assert_array_equal(
                e.configurations(size=2, temperature=t), same.configurations(size=2, temperature=t)
            )
        assert (e.manifold, e.manifold_guessed) == ("real", True)

    def test_options_in_the_file(self, tmp_path):
        write(tmp_path / "a.npz", temperature=[1, 1], chain=[3, 1], manifold="real")
        e = load_npz(str(tmp_path / "a.npz"))
        assert (e.manifold, e.manifold_guessed) == ("real", False)
        np.testing.assert_array_equal(e.configurations(size=2, temperature=1)[:, 0], SPINS[::-1])

    def test_fortran_order_and_foreign_bytes(self, tmp_path):
        write(tmp_path / "a.npz", configurations=np.asfortranarray(SPINS.astype(">i4")))
        x = load_npz(tmp_path / "a.npz").configurations(size=2, temperature=2.0)
        np.testing.assert_array_equal(x[0, 0], SPINS[1])

    def test_several_files(self, tmp_path):
        a = write(tmp_path / "a.npz")
        b = write(tmp_path / "b.npz", configurations=np.ones((2, 3, 3), int), manifold="real")
        e = load_npz([a, b])
        assert e.sizes == (2, 3)
        assert e.manifold == "real"
        np.savez(tmp_path / "c.npz", configurations=np.ones((2, 5, 5), int), temperature=T)
        assert load_npz([a, tmp_path / "c.npz"]).manifold == "real"  # guessed over both


class TestSaving:
    @pytest.fixture
    def ensemble(self):
        return simulate(Ising(), sizes=[2, 3], temperatures=[1.0, 2.0], samples=8, seed=0)

    def test_back_again(self, ensemble, tmp_path):
        paths = save_npz(ensemble, tmp_path / "a" / "b")
        assert paths == [tmp_path / "a" / "b" / "L2.npz", tmp_path / "a" / "b" / "L3.npz"]
        back = load_npz(paths)
        for size in (2, 3):
            for t in (1.0, 2.0):
                x, y = (e.configurations(size=size, temperature=t) for e in (back, ensemble))
                np.testing.assert_array_equal(x, y)

    def test_nothing_is_overwritten(self, ensemble, tmp_path):
        (tmp_path / "L3.npz").write_text("mine")
        with pytest.raises(InputError, match=r"`folder` has L3\.npz in it .* nothing is overwrit"):
            save_npz(ensemble, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["L3.npz"]
        assert (tmp_path / "L3.npz").read_text() == "mine"

    @pytest.mark.parametrize("function", ["savez", "link"])
    def test_all_or_none(self, function, ensemble, tmp_path, monkeypatch):
        """The disk is full at the second file, or somebody makes one of its name meanwhile."""
        module = np if function == "savez" else os
        real, calls = getattr(module, function), []

        def full(*arguments, **keywords):
            calls.append(arguments)
            if len(calls) == 2:
                arguments[0].write(b"part") if function == "savez" else None
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*arguments, **keywords)

        monkeypatch.setattr(module, function, full)
        with pytest.raises(OSError, match="No space left"):
            save_npz(ensemble, tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_a_disk_without_links(self, ensemble, tmp_path, monkeypatch):
        def link(*_):
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", link)
        (tmp_path / "draft").write_text("new")
        (tmp_path / "there").write_text("mine")
        with pytest.raises(FileExistsError):
            move_new(tmp_path / "draft", tmp_path / "there")
        assert (tmp_path / "there").read_text() == "mine"
        assert len(save_npz(ensemble, tmp_path / "a")) == 2
        assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["L2.npz", "L3.npz"]


class TestRefusals:
    def test_not_there_or_no_file(self, tmp_path):
        refused(tmp_path / "none.npz", "does not exist")
        refused(tmp_path, "is not a regular file")
        os.mkfifo(tmp_path / "pipe")
        refused(tmp_path / "pipe", "is not a regular file")
        with pytest.raises(InputError, match="`paths` is empty"):
            load_npz([])
        with pytest.raises(InputError, match="`paths` holds 3"):
            load_npz([3])

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
    def test_not_allowed(self, tmp_path):
        path = write(tmp_path / "a.npz")
        path.chmod(0)
        refused(path, "cannot be read")

    @pytest.mark.parametrize(
        "content", [b"", b"hello\nworld", npy(SPINS), b"PK\x03\x04" + bytes(100), os.urandom(1000)]
    )
    def test_not_a_zip_file(self, tmp_path, content):
        path = tmp_path / "a.npz"
        path.write_bytes(content)
        refused(path, "cannot be read .*expected an .npz file")

    @pytest.mark.parametrize("keep", [0.3, 0.6, 0.9, 0.99])
    def test_truncated(self, tmp_path, keep):
        path = write(tmp_path / "a.npz")
        content = path.read_bytes()
        path.write_bytes(content[: int(keep * len(content))])
        refused(path, "cannot be read")

    def test_every_damaged_byte_is_an_error_or_harmless(self, tmp_path):
        content = write(tmp_path / "a.npz").read_bytes()
        path = tmp_path / "b.npz"
        harmless = 0
        for at in range(len(content)):
            path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
            with contextlib.suppress(InputError):
                e = load_npz(path)
                harmless += 1
                x = e.configurations(size=2, temperature=1.0)
                np.testing.assert_array_equal(x[0], SPINS[:1])
        assert harmless < len(content) / 2  # dates, versions and attributes of the zip directory

    def test_keys(self, tmp_path):
        np.savez(tmp_path / "a.npz", configurations=SPINS)
        refused(tmp_path / "a.npz", "no key 'temperature'")
        np.savez(tmp_path / "a.npz", temperature=T)
        refused(tmp_path / "a.npz", "no key 'configurations'")
        refused(write(tmp_path / "a.npz", extra=T), "an unknown key 'extra'")
        with (
            zipfile.ZipFile(write(tmp_path / "a.npz"), "a") as archive,
            pytest.warns(UserWarning, match="Duplicate name"),
        ):
            archive.writestr("temperature.npy", npy(2 * T))
        refused(tmp_path / "a.npz", "one key twice")

    def test_objects_are_not_unpickled(self, tmp_path):
        """Nor where an array, or a pickle, is the whole file: numpy.load takes both."""
        data = header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }")
        data += pickle.dumps(Bomb())
        path = members(tmp_path / "a.npz", configurations=data, temperature=npy(T))
        refused(path, "Python objects, which are never unpickled")
        for content in (data, pickle.dumps(Bomb())):
            (tmp_path / "b.npy").write_bytes(content)
            with pytest.raises(pytest.fail.Exception, match="unpickled"):
                np.load(tmp_path / "b.npy", allow_pickle=True)
            refused(tmp_path / "b.npy", "cannot be read .*expected an .npz file")
            with pytest.raises(InputError, match=r"expected a name that ends in \.npz"):
                load(tmp_path / "b.npy")

    def test_links_out_of_the_folder(self, tmp_path):
        (tmp_path / "inside").mkdir()
        write(tmp_path / "secret.npz")
        link = tmp_path / "inside" / "a.npz"
        link.symlink_to(tmp_path / "secret.npz")
        refused(link, "is a link out of its folder, which is not followed")
        write(tmp_path / "inside" / "b.npz")
        link.unlink()
        link.symlink_to("b.npz")
        assert load_npz(link).sizes == (2,)

    def test_two_files_of_one_size(self, tmp_path):
        a, b = write(tmp_path / "a.npz"), write(tmp_path / "b.npz")
        with pytest.raises(InputError, match=r"`configurations` of '.*b.npz' has size 2"):
            load_npz([a, b])

    def test_manifolds(self, tmp_path):
        a = write(tmp_path / "a.npz", manifold="real")
        b = write(tmp_path / "b.npz", configurations=np.ones((2, 3, 3), int), manifold="discrete")
        with pytest.raises(InputError, match="'discrete' and 'real' in different files"):
            load_npz([a, b])
        assert load_npz([a, b], manifold="real").sizes == (2, 3)
        refused(write(tmp_path / "c.npz", manifold="ising"), "`manifold` 'ising'; expected one of")
        refused(write(tmp_path / "c.npz", manifold=3), "`manifold` of shape")

    def test_values_name_the_file(self, tmp_path):
        refused(write(tmp_path / "a.npz", configurations=SPINS * np.nan), "holds NaN")
        refused(write(tmp_path / "a.npz", temperature=T[:1]), "`temperature` of .*expected")

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_other_compression(self, tmp_path, method):
        members(tmp_path / "a.npz", method, configurations=npy(SPINS), temperature=npy(T))
        refused(tmp_path / "a.npz", "compression method")


class TestSizes:
    """Nothing large is allocated before the declared sizes are known to agree."""

    @pytest.fixture(autouse=True)
    def _little_memory(self):
        tracemalloc.start()
        yield
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 30_000_000

    def test_header_that_promises_too_much(self, tmp_path):
        shape = (10**6, 1000, 1000)
        lie = header(f"{{'descr': '|i1', 'fortran_order': False, 'shape': {shape}, }}")
        members(tmp_path / "a.npz", configurations=lie + bytes(100), temperature=npy(T))
        refused(tmp_path / "a.npz", r"header promises shape \(1000000, 1000, 1000\) of int8 in 228")

    @pytest.mark.parametrize("shape", ["(-1, -4, 2)", "(2, 2)", "(2, 2, 3)", "(2, 2, 2, 0)"])
    def test_header_that_lies(self, tmp_path, shape):
        lie = header(f"{{'descr': '|i1', 'fortran_order': False, 'shape': {shape}, }}")
        members(tmp_path / "a.npz", configurations=lie + bytes(8), temperature=npy(T))
        refused(tmp_path / "a.npz", "header promises shape")

    def test_bomb(self, tmp_path):
        start = header("{'descr': '|i1', 'fortran_order': False, 'shape': (1000, 300, 300), }")
        path = tmp_path / "a.npz"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("temperature.npy", npy(T))
            with archive.open("configurations.npy", "w") as stream:
                stream.write(start)
                for _ in range(90):
                    stream.write(bytes(10**6))
        assert path.stat().st_size < 200_000
        refused(path, r"declares 90000\d+ bytes .*expected at most 1000000", max_bytes=10**6)

    def test_bomb_that_declares_little(self, tmp_path):
        path = tmp_path / "a.npz"
        start = header("{'descr': '|i1', 'fortran_order': False, 'shape': (2, 2, 2), }")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("temperature.npy", npy(T))
            archive.writestr("configurations.npy", start + bytes(10**7))
        declared = struct.pack("<I", len(start) + 10**7)
        content = path.read_bytes()
        assert content.count(declared) == 2
        path.write_bytes(content.replace(declared, struct.pack("<I", len(start) + 8)))
        refused(path, "cannot be read")

    def test_budget_is_for_all_files_together(self, tmp_path):
        a = write(tmp_path / "a.npz")
        b = write(tmp_path / "b.npz", configurations=np.ones((2, 3, 3), int))
        n = sum(m.file_size for path in (a, b) for m in zipfile.ZipFile(path).infolist())
        assert load_npz([a, b], max_bytes=n).sizes == (2, 3)
        with pytest.raises(InputError, match=r"b.npz' declares"):
            load_npz([a, b], max_bytes=n - 1)

    def test_long_header(self, tmp_path):
        long = header(
            "{'descr': '|i1', 'fortran_order': False, 'shape': (1,), }" + 70_000 * " ", (2, 0)
        )
        members(tmp_path / "a.npz", configurations=long + bytes(1), temperature=npy(T))
        refused(tmp_path / "a.npz", "cannot be read")
