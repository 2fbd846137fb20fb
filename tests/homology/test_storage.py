"""Files of diagrams: bit for bit there and back; whatever is wrong with a file is one line."""

import math
import os
import pickle
import zipfile
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from topoml._core.errors import InputError
from topoml.homology import Diagrams, cubical_persistence, load, save

from .test_diagrams import assert_same

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


def diagrams(batch=(3,), dtype=torch.float32, **options):
    x = torch.randn(*batch, 6, 7, generator=torch.Generator().manual_seed(0)).to(dtype)
    options = {"homology_dimensions": (0, 1, 2), "periodic": True} | options
    return cubical_persistence(x, **options)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "d.npz"


def arrays_of(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize("superlevel", [False, True])
@pytest.mark.parametrize("batch", [(), (3,), (2, 3), (0,)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip(path, dtype, batch, superlevel):
    d = diagrams((*batch,), dtype, superlevel=superlevel) if 0 not in batch else diagrams()[:0]
    d.save(path)
    found = Diagrams.load(path)
    assert_same(found, d)
    assert not found.points.requires_grad


def test_infinite_and_negative_values(path):
    x = torch.tensor([[0.0, -math.inf, 5.0, -0.0, math.inf]])
    d = cubical_persistence(x, homology_dimensions=(0, 1)).capped(math.inf)
    d.save(path)
    assert_same(load(path), d)


def test_no_class_at_all(path):
    d = cubical_persistence(torch.full((2, 3, 3), math.inf), homology_dimensions=(1, 0))
    save(d, path)
    assert_same(load(path), d)


def test_gradient_stays_behind(path):
    x = torch.randn(4, 5, requires_grad=True)
    d = cubical_persistence(x, homology_dimensions=(0, 1))
    d.save(path)
    assert_same(load(path), d.detach())


def test_every_field_is_kept(path):
    """A field that `Diagrams` gains must be stored, and loaded, too."""
    diagrams().save(path)
    names = {field.name for field in fields(Diagrams)}
    assert set(arrays_of(path)) == names | {"dtype", "topoml_diagrams"}


def test_numpy_reads_it_without_us(path):
    d = diagrams()
    d.save(path)
    arrays = arrays_of(path)
    np.testing.assert_array_equal(arrays["points"], d.points.numpy())
    assert arrays["topoml_diagrams"] == 1
    assert arrays["dtype"] == "float32"


def test_bits_of_bfloat16(path):
    d = diagrams(dtype=torch.bfloat16)
    d.save(path)
    bits = arrays_of(path)["points"].astype(np.uint32) << 16
    np.testing.assert_array_equal(bits.view(np.float32), d.points.float().numpy())


def test_nothing_is_overwritten_unasked(path):
    path.write_text("somebody's")
    with pytest.raises(InputError, match="which exists; expected a new file") as caught:
        diagrams().save(path)
    assert str(path) in str(caught.value)
    assert path.read_text() == "somebody's"
    diagrams().save(path, overwrite=True)
    assert_same(load(path), diagrams())
    assert os.listdir(path.parent) == [path.name]


def test_a_folder_is_never_overwritten(tmp_path):
    with pytest.raises(InputError, match="which is no regular file"):
        diagrams().save(tmp_path, overwrite=True)
    assert tmp_path.is_dir()


def test_no_folder(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        diagrams().save(tmp_path / "none" / "d.npz")
    assert not os.listdir(tmp_path)


def test_a_failure_leaves_the_old_file(path, monkeypatch):
    diagrams().save(path)
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        diagrams((5,)).save(path, overwrite=True)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_link_is_followed(tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "d.npz"
    link.symlink_to(tmp_path / "there" / "d.npz")
    diagrams().save(link)
    assert link.is_symlink()
    assert_same(load(link), diagrams())


def test_permissions_are_those_of_a_new_file(path):
    diagrams().save(path)
    other = path.with_name("other")
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode


def refused(path, match):
    with pytest.raises(InputError, match=match) as caught:
        load(path)
    message = str(caught.value)
    assert repr(str(path)) in message
    assert "\n" not in message
    assert len(message) < 600


def test_missing(path, tmp_path):
    refused(path, "does not exist")
    refused(tmp_path, "is not a regular file")
    with pytest.raises(InputError, match="`path` is 3"):
        load(3)


def test_truncated_anywhere(path):
    diagrams().save(path)
    content = path.read_bytes()
    for end in range(0, len(content), 97):
        path.write_bytes(content[:end])
        refused(path, "cannot be read")


def test_a_flipped_byte_is_never_taken_for_data(path):
    """Either an error of one line, or the same diagrams (bytes of the zip that nobody reads)."""
    d = diagrams((1,))
    d.save(path)
    content = bytearray(path.read_bytes())
    messages = []
    for at in range(0, len(content), 11):
        content[at] ^= 0x55
        path.write_bytes(bytes(content))
        content[at] ^= 0x55
        try:
            found = load(path)
        except InputError as error:
            messages.append(str(error))
        else:
            assert_same(found, d)
    assert not any("\n" in message for message in messages)
    assert len(messages) > len(content) / 11 / 2


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("hello"),
        lambda path: path.write_bytes(pickle.dumps({"points": 1})),
        lambda path: np.save(path.open("wb"), np.zeros(3)),
        lambda path: torch.save({"points": torch.zeros(2)}, path),
        lambda path: np.savez(path, configurations=np.zeros(3)),
        lambda path: zipfile.ZipFile(path, "w").close(),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_foreign(path, write):
    write(path)
    refused(path, "expected a (whole )?file of diagrams")


class Bomb:
    def __reduce__(self):
        return (os._exit, (3,))


def rewritten(path, **changes):
    """A file with some arrays changed, or left out where None."""
    diagrams().save(path, overwrite=True)
    arrays = arrays_of(path) | changes
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def test_nothing_is_unpickled(path):
    for name in ("points", "dtype", "topoml_diagrams", "batch_shape"):
        refused(rewritten(path, **{name: np.array([Bomb()], object)}), "never unpickled")


def test_newer_version(path):
    refused(rewritten(path, topoml_diagrams=np.int64(2)), "version 2; expected at most 1")
    refused(rewritten(path, topoml_diagrams=np.int64(2), birth_simplex=np.zeros(3)), "version 2")
    refused(rewritten(path, topoml_diagrams=np.int64(0)), "version that is no number")
    refused(rewritten(path, topoml_diagrams=np.float64(1)), "version that is no number")
    refused(rewritten(path, topoml_diagrams=np.ones(2, int)), "version that is no number")


@pytest.mark.parametrize("name", sorted({f.name for f in fields(Diagrams)} | {"dtype"}))
def test_a_key_that_is_missing(path, name):
    refused(rewritten(path, **{name: None}), f"keys of version 1 \\('{name}'\\)")


def test_a_key_too_many(path):
    refused(rewritten(path, more=np.zeros(2)), "'more'")


def test_compressed(path):
    diagrams().save(path)
    np.savez_compressed(path, **arrays_of(path))
    refused(path, "compressed")


D = diagrams()
WRONG = {
    "points": [D.points[:-1], D.points.double(), D.points[:, :1], D.points[0], D.points.long()],
    "dimension": [D.dimension[1:], D.dimension + 3, D.dimension.flip(0), D.dimension.int()],
    "sample": [D.sample[1:], D.sample + 1, D.sample - 1, D.sample.flip(0), D.sample.float()],
    "birth_index": [D.birth_index[1:], torch.full_like(D.birth_index, -2), D.birth_index[:, None]],
    "death_index": [D.death_index[1:], torch.full_like(D.death_index, -2)],
    "essential": [D.essential[1:], D.essential.half(), D.essential[:, None], D.essential[0]],
    "essential_dimension": [D.essential_dimension[1:], D.essential_dimension + 1],
    "essential_sample": [D.essential_sample[1:], D.essential_sample * 5],
    "essential_index": [D.essential_index[1:], D.essential_index - 100],
    "batch_shape": [np.array([2]), np.array([-3]), np.array(3), np.array([3.0]),
                    np.array([2**40, 2**40])],
    "homology_dimensions": [np.array([0, 1]), np.array([0, 1, 1, 2]), np.array([], int),
                            np.array([0, 1, 2, -1])],
    "superlevel": [np.array(1), np.array([True])],
    "dtype": [np.array("float8"), np.array("float64"), np.array("bfloat16"), np.array(1)],
}  # fmt: skip


@pytest.mark.parametrize(("name", "i"), [(name, i) for name, all_ in WRONG.items() for i in range(len(all_))])  # fmt: skip  # noqa: E501
def test_fields_that_do_not_fit(path, name, i):
    value = WRONG[name][i]
    refused(rewritten(path, **{name: np.asarray(value)}), "expected|which has")


def test_a_header_that_promises_too_much(path):
    diagrams().save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    n = len(D.points)
    old = f"({n}, 2)".encode()
    assert old in members["points.npy"]
    new = b"(10**15, 2)".replace(b"10**15", b"9" * 15)
    content = members["points.npy"]
    content = content.replace(old + b", }" + b" " * (len(new) - len(old)), new + b", }")
    assert len(content) == len(members["points.npy"])
    assert content != members["points.npy"]
    members["points.npy"] = content
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in members.items():
            archive.writestr(name, value)
    refused(path, "promises shape")


def test_saving_what_does_not_fit(path):
    d = diagrams()
    with pytest.raises(InputError, match="`diagrams` has `dimension` of shape"):
        replace(d, dimension=d.dimension[1:]).save(path)
    with pytest.raises(InputError, match="out of order"):
        replace(d, sample=d.sample.flip(0)).save(path)
    with pytest.raises(InputError, match="`diagrams` has dtype"):
        replace(d, points=d.points.long()).save(path)
    with pytest.raises(InputError, match="`diagrams` is dict; expected Diagrams"):
        save({}, path)
    assert not path.exists()
