"""The loader: the assignment's interface, both data sets, and batch files that are not as published."""

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from cs231n.data import cifar10 as batches
from cs231n.data import lesson_data, shapes10
from cs231n.data_utils import class_names, data_set_name, get_CIFAR10_data, get_images, load_CIFAR10, load_CIFAR_batch

PER_BATCH = 40
SPLIT = {"num_training": 150, "num_validation": 30, "num_test": 20}
REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = lesson_data.PACKAGE


class Python2Pickler(pickle._Pickler):
    """Writes text and bytes as the strings of Python 2, with which the published files were written."""

    def save_string(self, value):
        value = value.encode() if isinstance(value, str) else value
        self.write(b"T" + len(value).to_bytes(4, "little") + value)

    dispatch = {**pickle._Pickler.dispatch, str: save_string, bytes: save_string}


def published(content):
    """What a batch file of this content holds, in the published format."""
    buffer = io.BytesIO()
    Python2Pickler(buffer, protocol=2).dump(content)
    return buffer.getvalue().replace(b"cnumpy._core", b"cnumpy.core")  # as NumPy 1 called it


@pytest.fixture(autouse=True)
def small_unforced(monkeypatch, tmp_path):
    """Batches of 40 images, and a workbook without CIFAR-10."""
    monkeypatch.setattr(batches, "IMAGES_PER_BATCH", PER_BATCH)
    monkeypatch.setattr(lesson_data, "PACKAGE", tmp_path / "workbook" / "cs231n")
    monkeypatch.delenv("CS231N_DATA", raising=False)
    monkeypatch.delenv("CS231N_CIFAR10_DIR", raising=False)


@pytest.fixture
def pixels():
    """Pixels and labels of six batches, the last of them the test batch."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (6, PER_BATCH, 3072), np.uint8), rng.integers(0, 10, (6, PER_BATCH))


@pytest.fixture
def cifar10(tmp_path, pixels):
    """The folder cifar-10-batches-py where `make data` puts it."""
    folder = tmp_path / "workbook" / "datasets" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name, data, labels in zip([*batches.TRAINING_BATCHES, "test_batch"], *pixels, strict=True):
        (folder / name).write_bytes(published({"data": data, "labels": labels.tolist()}))
    return folder


@pytest.fixture
def shapes(monkeypatch):
    """A small stand-in for Shapes-10, which takes a while to draw: 1,100 training images."""
    rng = np.random.default_rng(1)
    arrays = [rng.integers(0, 256, (count, 32, 32, 3), np.uint8) for count in (1100, 1000)]
    arrays = arrays[0], rng.integers(0, 10, 1100), arrays[1], rng.integers(0, 10, 1000)
    for array in arrays:
        array.flags.writeable = False
    monkeypatch.setattr(shapes10, "load", lambda: arrays)
    return arrays


@pytest.mark.parametrize("name", ["CIFAR-10", "Shapes-10"])
def test_the_data_is_split_and_centred_as_in_the_assignment(cifar10, shapes, monkeypatch, name):
    monkeypatch.setenv("CS231N_DATA", name.lower().replace("-", ""))
    X, y, X_test, y_test = load_CIFAR10(str(cifar10)) if name == "CIFAR-10" else shapes
    mean_image = np.mean(X[:150].astype(float), axis=0)
    data = get_CIFAR10_data(**SPLIT)
    assert list(data) == ["X_train", "y_train", "X_val", "y_val", "X_test", "y_test"]
    for key, images, labels in (
        ("train", X[:150], y[:150]),
        ("val", X[150:180], y[150:180]),
        ("test", X_test[:20], y_test[:20]),
    ):
        np.testing.assert_array_equal(data[f"X_{key}"], (images - mean_image).transpose(0, 3, 1, 2))
        np.testing.assert_array_equal(data[f"y_{key}"], labels)
    for key, value in data.items():
        assert value.dtype == (np.float64 if key.startswith("X") else np.int64)
        assert value.flags.c_contiguous and value.flags.owndata and value.flags.writeable


@pytest.mark.parametrize(
    ("split", "rows"),
    [("train", slice(170)), ("val", slice(170, 200)), ("train+val", slice(200)), ("test", slice(200, 240))],
)
def test_the_stored_images_of_a_split(cifar10, monkeypatch, pixels, split, rows):
    monkeypatch.setattr(lesson_data, "DEFAULT_VALIDATION", 30)
    images, labels = get_images(split)
    np.testing.assert_array_equal(images, pixels[0].reshape(-1, 3, 32, 32)[rows])
    np.testing.assert_array_equal(labels, pixels[1].ravel()[rows])
    assert (images.dtype, labels.dtype) == (np.uint8, np.int64)
    assert images.flags.c_contiguous and images.flags.writeable
    assert images.base is None  # a view would keep the other images in memory


def test_batches_are_read_channel_last_and_in_order(cifar10, pixels):
    images = pixels[0].reshape(6, PER_BATCH, 3, 32, 32).transpose(0, 1, 3, 4, 2)
    Xtr, Ytr, Xte, Yte = load_CIFAR10(cifar10)
    np.testing.assert_array_equal(Xtr, np.concatenate(images[:5]))
    np.testing.assert_array_equal(Ytr, pixels[1][:5].ravel())
    np.testing.assert_array_equal(Xte, images[5])
    np.testing.assert_array_equal(Yte, pixels[1][5])
    X, Y = load_CIFAR_batch(str(cifar10 / "data_batch_2"))
    np.testing.assert_array_equal(X, images[1])
    np.testing.assert_array_equal(Y, pixels[1][1])
    assert X.flags.c_contiguous and (X.dtype, Y.dtype) == (np.float64, np.int64)


@pytest.mark.parametrize("subtract_mean", [True, False])
def test_float32_images_are_the_float64_ones_rounded_once(cifar10, pixels, subtract_mean):
    exact, rounded = (
        get_CIFAR10_data(**SPLIT, subtract_mean=subtract_mean, dtype=dtype) for dtype in (float, np.float32)
    )
    for key in ("X_train", "X_val", "X_test"):
        assert rounded[key].dtype == np.float32
        np.testing.assert_array_equal(rounded[key], exact[key].astype(np.float32))
    assert subtract_mean != np.array_equal(rounded["X_test"].reshape(20, -1), pixels[0][5, :20])


def test_validation_and_test_may_be_empty(cifar10):
    data = get_CIFAR10_data(num_training=200, num_validation=0, num_test=0)
    assert data["X_train"].shape == (200, 3, 32, 32)
    assert data["X_val"].shape == data["X_test"].shape == (0, 3, 32, 32)
    assert data["y_val"].shape == data["y_test"].shape == (0,)


def test_the_default_split_of_shapes10_is_all_of_it_and_it_is_announced(shapes, capsys):
    data = get_CIFAR10_data()
    assert [len(data[f"X_{name}"]) for name in ("train", "val", "test")] == [100, 1000, 1000]
    assert capsys.readouterr().out == (
        "Data: Shapes-10, the workbook's own images. For CIFAR-10, run once in the workbook's folder: make data\n"
    )


def test_shapes10_can_be_forced_though_cifar10_is_there(cifar10, shapes, monkeypatch, capsys):
    get_CIFAR10_data(**SPLIT)
    assert (data_set_name(), class_names()[:2]) == ("CIFAR-10", ["airplane", "automobile"])
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("CS231N_DATA", "shapes10")
    assert (data_set_name(), class_names()) == ("Shapes-10", list(shapes10.CLASS_NAMES))
    np.testing.assert_array_equal(get_CIFAR10_data(**SPLIT)["y_train"], shapes[1][:150])
    assert "Shapes-10" in capsys.readouterr().out


def test_cifar10_is_found_beside_the_package_in_it_and_in_a_named_folder(cifar10, tmp_path, monkeypatch):
    assert PACKAGE == REPOSITORY / "cs231n"
    monkeypatch.chdir(tmp_path)
    assert data_set_name() == "CIFAR-10"
    # Where the assignment's own script puts it.
    inside = tmp_path / "workbook" / "cs231n" / "datasets"
    inside.parent.mkdir()
    (tmp_path / "workbook" / "datasets").rename(inside)
    assert data_set_name() == "CIFAR-10"
    elsewhere = inside.rename(tmp_path / "some where")
    assert data_set_name() == "Shapes-10"
    monkeypatch.setenv("CS231N_CIFAR10_DIR", str(elsewhere))
    assert data_set_name() == "CIFAR-10"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("CS231N_CIFAR10_DIR", "/", "CS231N_CIFAR10_DIR.*no folder cifar-10-batches-py.*unset"),
        ("CS231N_DATA", "cifar10", "fetch it with `make data`"),
        ("CS231N_DATA", "cifar100", "'cifar100'.*'shapes10' or 'cifar10'"),
    ],
)
def test_a_variable_that_asks_for_what_is_not_there_is_named(monkeypatch, variable, value, message):
    monkeypatch.setenv(variable, value)
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        get_CIFAR10_data()


@pytest.mark.parametrize(("load", "argument"), [(load_CIFAR10, "ROOT"), (load_CIFAR_batch, "filename")])
def test_what_is_not_a_path_is_refused(load, argument):
    with pytest.raises(TypeError, match=f"{argument} must be a string or a path, got NoneType"):
        load(None)


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"num_training": 0}, ValueError, "num_training must be an integer of at least 1, got 0"),
        ({"num_validation": -1}, ValueError, "num_validation must be an integer of at least 0, got -1"),
        ({"num_test": 2.0}, TypeError, "num_test must be an integer of at least 0, got 2.0"),
        ({"num_training": 171}, ValueError, r"num_training \+ num_validation must be at most 200, .*CIFAR-10.*got 201"),
        ({"num_test": 41}, ValueError, "num_test must be at most 40, the size of CIFAR-10's test set, got 41"),
        ({"subtract_mean": "no"}, TypeError, "subtract_mean must be True or False, got str"),
        ({"dtype": np.uint8}, ValueError, "dtype must be a floating-point type, got .*uint8"),
    ],
)
def test_what_cannot_be_served_is_refused(cifar10, asked, error, message):
    with pytest.raises(error, match=message):
        get_CIFAR10_data(**{**SPLIT, **asked})


def test_a_missing_batch_is_named(cifar10):
    (cifar10 / "data_batch_4").unlink()
    with pytest.raises(FileNotFoundError, match=r"data_batch_4 is missing.*Delete the folder.*make data"):
        get_CIFAR10_data(**SPLIT)


@pytest.mark.parametrize("kept", [0, 500, -1])
def test_a_truncated_batch_is_refused(cifar10, kept):
    path = cifar10 / "test_batch"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"test_batch is not a batch of CIFAR-10.*Delete the folder.*make data"):
        get_CIFAR10_data(**SPLIT)


class MakesFolder:
    """Pickles as a call of os.mkdir."""

    def __reduce__(self):
        return os.mkdir, ("touched_by_a_pickle",)


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize("content", [MakesFolder(), {b"data": np.array([MakesFolder()], object)}, MakesFolder])
def test_nothing_that_a_pickle_names_is_run(tmp_path, monkeypatch, content, protocol):
    monkeypatch.chdir(tmp_path)
    Path("batch").write_bytes(pickle.dumps(content, protocol))
    with pytest.raises(ValueError, match=r"it names \w+\.\w+, which is foreign to it and was not run.*make data"):
        load_CIFAR_batch("batch")
    assert os.listdir() == ["batch"]


def test_the_bytes_of_a_pickle_do_not_become_pointers(tmp_path):
    forged = published({"data": np.full(8, 65, np.uint8), "labels": []}).replace(b"u1", b"O8")
    (tmp_path / "batch").write_bytes(forged)
    with pytest.raises(ValueError, match="'data' is not a uint8 array"):
        load_CIFAR_batch(tmp_path / "batch")


IMAGES, LABELS = np.zeros((PER_BATCH, 3072), np.uint8), [0] * PER_BATCH


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data", IMAGES.reshape(3072, -1)),
        ("data", IMAGES.astype(np.int16)),
        ("data", [1, 2]),
        ("labels", LABELS[1:]),
        ("labels", [10, *LABELS[1:]]),
        ("labels", [-1, *LABELS[1:]]),
        ("labels", [0.0, *LABELS[1:]]),
        ("labels", "0" * PER_BATCH),
        ("labels", None),
    ],
)
def test_content_that_is_not_as_published_is_refused(tmp_path, key, value):
    (tmp_path / "batch").write_bytes(published({"data": IMAGES, "labels": LABELS, key: value}))
    with pytest.raises(ValueError, match="is not a batch of CIFAR-10 as published.*make data"):
        load_CIFAR_batch(tmp_path / "batch")


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("keys", [("data", "labels"), (b"data", b"labels")])
def test_copies_written_by_python_3_are_read(tmp_path, pixels, keys, protocol):
    content = dict(zip(keys, (pixels[0][0], pixels[1][0].tolist()), strict=True))
    (tmp_path / "batch").write_bytes(pickle.dumps(content, protocol))
    X, Y = load_CIFAR_batch(tmp_path / "batch")
    np.testing.assert_array_equal(X[:, :, :, 0].reshape(PER_BATCH, -1), pixels[0][0][:, :1024])
    np.testing.assert_array_equal(Y, pixels[1][0])
