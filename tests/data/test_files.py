"""Files are written whole or not at all."""

import os

import pytest

from cs231n.files import replacing


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "weights.npz"
    path.write_bytes(b"old")
    return path


def names(path):
    return os.listdir(path.parent)


def test_a_file_is_replaced_when_the_new_one_is_complete(path):
    with replacing(str(path)) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
        assert sorted(names(path)) == ["weights.npz", "weights.npz.part"]
    assert path.read_bytes() == b"new"
    assert names(path) == ["weights.npz"]


def test_a_file_that_was_not_there_is_made(tmp_path):
    with replacing(tmp_path / "new.pt") as file:
        file.write(b"new")
    assert (tmp_path / "new.pt").read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError("no number"), KeyboardInterrupt()])
def test_after_an_error_in_the_block_the_file_is_as_it_was(path, error):
    with pytest.raises(type(error)), replacing(path) as file:
        file.write(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert names(path) == ["weights.npz"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_an_error_on_the_way_to_the_disk_is_passed_on(path, call, monkeypatch):
    def full_disk(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, full_disk)
    with pytest.raises(OSError, match="No space left"), replacing(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"old"
    assert names(path) == ["weights.npz"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "none" / "weights.npz"):
        pass
