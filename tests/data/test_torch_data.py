"""The data set for PyTorch: the loader's images, batch by batch."""

import os

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Subset
from torchvision.transforms import v2

from cs231n.data import lesson_data, shapes10
from cs231n.data.torch_data import Images
from cs231n.data_utils import get_CIFAR10_data

REAL_COPY = os.environ.get("CS231N_CIFAR10_DIR")


@pytest.fixture(autouse=True)
def shapes(monkeypatch, tmp_path):
    """A small stand-in for Shapes-10, and a workbook without CIFAR-10."""
    rng = np.random.default_rng(1)
    arrays = (
        rng.integers(0, 256, (1100, 32, 32, 3), np.uint8),
        rng.integers(0, 10, 1100),
        rng.integers(0, 256, (1000, 32, 32, 3), np.uint8),
        rng.integers(0, 10, 1000),
    )
    for array in arrays:
        array.flags.writeable = False
    monkeypatch.setattr(shapes10, "load", lambda: arrays)
    monkeypatch.setattr(lesson_data, "PACKAGE", tmp_path / "cs231n")
    monkeypatch.delenv("CS231N_DATA", raising=False)
    monkeypatch.delenv("CS231N_CIFAR10_DIR", raising=False)
    lesson_data._announce_shapes10.cache_clear()
    return arrays


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_split_is_that_of_the_lessons(split):
    data, images = get_CIFAR10_data(subtract_mean=False), Images(split)
    np.testing.assert_array_equal(images.images.numpy(), data[f"X_{split}"])
    np.testing.assert_array_equal(images.labels.numpy(), data[f"y_{split}"])
    assert (images.images.dtype, images.labels.dtype) == (torch.uint8, torch.int64)
    assert images.images.is_contiguous()


def test_training_and_validation_images_can_be_had_together():
    together, parts = Images("train+val"), [Images("train"), Images("val")]
    assert torch.equal(together.images, torch.cat([part.images for part in parts]))
    assert torch.equal(together.labels, torch.cat([part.labels for part in parts]))


@pytest.mark.parametrize("split", ["train", "val", "train+val", "test"])
def test_changing_the_images_leaves_the_data_set_alone(split, shapes):
    before = [array.copy() for array in shapes]
    images = Images(split)
    images.images.zero_()
    images.labels.zero_()
    for array, unchanged in zip(shapes, before, strict=True):
        np.testing.assert_array_equal(array, unchanged)
    assert Images(split).images.any()


def test_an_example_is_an_image_and_a_plain_label():
    images = Images("train")
    for i in (3, -1, np.int64(3), torch.tensor(3)):
        image, label = images[i]
        assert torch.equal(image, images.images[i])
        assert type(label) is int
        assert label == images.labels[i]
    assert images.classes[label] == shapes10.CLASS_NAMES[label]
    assert len(images) == len(list(images)) == 100


@pytest.mark.parametrize("i", [100, -101])
def test_an_index_beyond_the_images_is_refused(i):
    with pytest.raises(IndexError):
        Images("train")[i]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_serves_every_example_once(workers):
    images = Images("train")
    batches = list(DataLoader(images, batch_size=32, shuffle=True, num_workers=workers))
    assert [len(labels) for _, labels in batches] == [32, 32, 32, 4]
    assert all(labels.dtype == torch.int64 for _, labels in batches)
    served = torch.cat([batch for batch, _ in batches])
    assert not torch.equal(served, images.images)
    assert sorted(served.flatten(1).tolist()) == sorted(images.images.flatten(1).tolist())


def test_a_batch_holds_what_its_indices_give_one_by_one():
    images = Images("train", transform=v2.ToDtype(torch.float32, scale=True))
    batch = images.__getitems__([5, 0, 5])
    for (image, label), i in zip(batch, [5, 0, 5], strict=True):
        assert torch.equal(image, images[i][0])
        assert (type(label), label) == (int, images[i][1])
    assert image.dtype == torch.float32
    torch.testing.assert_close(image, images.images[5] / 255)


def test_a_subset_is_served_in_batches_too():
    images = Images("train")
    batch, labels = next(iter(DataLoader(Subset(images, [7, 3]), batch_size=2)))
    assert torch.equal(batch, images.images[[7, 3]])
    assert torch.equal(labels, images.labels[[7, 3]])


def test_each_image_of_a_batch_is_transformed_by_itself():
    torch.manual_seed(0)
    images = Images("train", transform=v2.RandomHorizontalFlip())
    batch = torch.stack([image for image, _ in images.__getitems__(range(40))])
    flipped = [torch.equal(image, original.flip(2)) for image, original in zip(batch, images.images)]
    kept = [torch.equal(image, original) for image, original in zip(batch, images.images)]
    assert 5 < sum(flipped) < 35
    assert sum(flipped) + sum(kept) == 40


def test_the_loader_s_notice_stands_once_however_many_splits_are_read(capsys):
    for split in ("train", "val", "test"):
        Images(split)
    assert capsys.readouterr().out == lesson_data.SHAPES10_NOTICE + "\n"


def test_an_unknown_split_is_refused_before_anything_is_read(capsys):
    with pytest.raises(ValueError, match="split must be one of 'train', .* got 'valid'"):
        Images("valid")
    assert capsys.readouterr().out == ""


def test_a_transform_that_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="transform must be a function or None, got str"):
        Images("val", transform="crop")


def test_the_loader_s_errors_come_through(monkeypatch):
    monkeypatch.setenv("CS231N_DATA", "cifar10")
    with pytest.raises(FileNotFoundError, match="fetch it with `make data`"):
        Images("train")


def test_a_data_set_describes_itself():
    assert repr(Images("val")) == "Images(1000 images, val split of Shapes-10)"


@pytest.mark.skipif(not REAL_COPY, reason="CS231N_CIFAR10_DIR names no copy of CIFAR-10")
def test_the_real_cifar10_is_served_whatever_its_checksums(monkeypatch, capsys):
    monkeypatch.setenv("CS231N_CIFAR10_DIR", REAL_COPY)
    monkeypatch.setenv("CS231N_DATA", "cifar10")
    splits = {split: Images(split) for split in ("train", "val", "train+val", "test")}
    assert {split: len(images) for split, images in splits.items()} == {
        "train": 49000,
        "val": 1000,
        "train+val": 50000,
        "test": 10000,
    }
    assert splits["test"].classes[0] == "airplane"
    assert capsys.readouterr().out == ""
    data = get_CIFAR10_data(subtract_mean=False, dtype=np.float32)
    assert np.array_equal(splits["val"].images.numpy(), data["X_val"])
    assert np.array_equal(splits["test"].images[:1000].numpy(), data["X_test"])
    # Photographs: neighbouring pixels agree.
    rows = data["X_test"]
    assert np.corrcoef(rows[:, :, :, 1:].ravel(), rows[:, :, :, :-1].ravel())[0, 1] > 0.9
    assert np.corrcoef(rows[:, :, 1:].ravel(), rows[:, :, :-1].ravel())[0, 1] > 0.9
