"""The loader: the assignment's interface, both data sets, and batch files that are not as published."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cs231n.data import cifar10 as batches
from cs231n.data import lesson_data, shapes10
from cs231n.data_utils import (
    class_names,
    data_set_name,
    get_CIFAR10_data,
    get_images,
    load_CIFAR10,
    load_CIFAR_batch,
)

PER_BATCH = 40
SPLIT = {"num_training": 150, "num_validation": 30, "num_test": 20}
REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = lesson_data.PACKAGE
REAL_COPY = os.environ.get("CS231N_CIFAR10_DIR")


def python2_bytes(value):
    """Opcode of a Python 2 byte string."""
    return b"T" + len(value).to_bytes(4, "little") + value


def python2_int(value):
    return b"J" + value.to_bytes(4, "little", signed=True)


def python2_array(array, shape=None, type_code=b"u1"):
    """Opcodes of an array as NumPy 1 under Python 2 wrote it."""
    dimensions = b"".join(python2_int(length) for length in shape or array.shape)
    dtype = (
        b"cnumpy\ndtype\n"
        + python2_bytes(type_code)
        + python2_int(0)
        + python2_int(1)
        + b"\x87R("
        + python2_int(3)
        + python2_bytes(b"|")
        + b"NNN"
        + python2_int(-1)
        + python2_int(-1)
        + python2_int(0)
        + b"tb"
    )
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        + python2_int(0)
        + b"\x85"
        + python2_bytes(b"b")
        + b"\x87R("
        + python2_int(1)
        + b"("
        + dimensions
        + b"t"
        + dtype
        + b"\x89"
        + python2_bytes(array.tobytes())
        + b"tb"
    )


def python2_batch(data, labels):
    """A batch file in the published format; `data` are the opcodes of its array."""
    numbers = b"".join(python2_int(label) for label in labels)
    return b"\x80\x02}(" + python2_bytes(b"data") + data + python2_bytes(b"labels") + b"](" + numbers + b"eu."


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
        (folder / name).write_bytes(python2_batch(python2_array(data), labels.tolist()))
    return folder


@pytest.fixture
def shapes(monkeypatch):
    """A small stand-in for Shapes-10, which takes a while to draw: 1,100 training images."""
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
    return arrays


def by_the_assignment(X, y, X_test, y_test, num_training, num_validation, num_test):
    """What the assignment's own function makes of channel-last uint8 images."""
    X, X_test = X.astype(float), X_test.astype(float)
    split = {
        "X_train": X[:num_training],
        "y_train": y[:num_training],
        "X_val": X[num_training : num_training + num_validation],
        "y_val": y[num_training : num_training + num_validation],
        "X_test": X_test[:num_test],
        "y_test": y_test[:num_test],
    }
    mean_image = np.mean(split["X_train"], axis=0)
    return {
        key: (value - mean_image).transpose(0, 3, 1, 2) if key.startswith("X") else value
        for key, value in split.items()
    }


def test_cifar10_is_split_and_centred_as_in_the_assignment(cifar10, capsys):
    Xtr, Ytr, Xte, Yte = load_CIFAR10(str(cifar10))
    expected = by_the_assignment(Xtr, Ytr, Xte, Yte, **SPLIT)
    data = get_CIFAR10_data(**SPLIT)
    assert list(data) == ["X_train", "y_train", "X_val", "y_val", "X_test", "y_test"]
    for key, value in data.items():
        np.testing.assert_array_equal(value, expected[key], err_msg=key)
        assert value.dtype == (np.float64 if key.startswith("X") else np.int64)
        assert value.flags.c_contiguous
        assert value.flags.owndata
        assert value.flags.writeable
    assert capsys.readouterr().out == ""


def test_shapes10_is_split_and_centred_the_same_way(shapes):
    expected = by_the_assignment(*shapes, **SPLIT)
    for key, value in get_CIFAR10_data(**SPLIT).items():
        np.testing.assert_array_equal(value, expected[key], err_msg=key)
        assert value.flags.c_contiguous
        assert value.flags.writeable


@pytest.mark.parametrize("split", ["train", "val", "train+val", "test"])
def test_the_stored_images_of_a_split(cifar10, monkeypatch, split, pixels, capsys):
    monkeypatch.setattr(lesson_data, "DEFAULT_VALIDATION", 30)
    rows = {"train": slice(0, 170), "val": slice(170, 200), "train+val": slice(0, 200), "test": slice(200, 240)}[split]
    images, labels = get_images(split)
    np.testing.assert_array_equal(images, pixels[0].reshape(-1, 3, 32, 32)[rows])
    np.testing.assert_array_equal(labels, pixels[1].ravel()[rows])
    assert (images.dtype, labels.dtype) == (np.uint8, np.int64)
    assert images.flags.c_contiguous
    assert images.flags.writeable
    assert capsys.readouterr().out == ""


def test_the_few_validation_images_do_not_keep_the_others_in_memory(cifar10, monkeypatch):
    monkeypatch.setattr(lesson_data, "DEFAULT_VALIDATION", 30)
    assert get_images("val")[0].base is None


def test_an_unknown_split_is_refused(capsys):
    with pytest.raises(ValueError, match=r"split must be one of 'train', 'val', 'train\+val', 'test', got 'valid'"):
        get_images("valid")
    assert capsys.readouterr().out == ""


def test_a_batch_is_read_channel_last(cifar10, pixels):
    X, Y = load_CIFAR_batch(str(cifar10 / "data_batch_2"))
    assert X.flags.c_contiguous
    np.testing.assert_array_equal(X, pixels[0][1].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(Y, pixels[1][1])
    assert X.dtype == np.float64
    assert Y.dtype == np.int64


def test_the_training_set_is_the_five_batches_in_order(cifar10, pixels):
    Xtr, Ytr, Xte, Yte = load_CIFAR10(cifar10)
    assert Xtr.shape == (5 * PER_BATCH, 32, 32, 3)
    assert Xte.shape == (PER_BATCH, 32, 32, 3)
    np.testing.assert_array_equal(Ytr, pixels[1][:5].ravel())
    np.testing.assert_array_equal(Yte, pixels[1][5])
    np.testing.assert_array_equal(Xtr[PER_BATCH, :, :, 2].ravel(), pixels[0][1, 0, 2048:])


def test_float32_images_are_the_float64_ones_rounded_once(cifar10):
    exact, rounded = get_CIFAR10_data(**SPLIT), get_CIFAR10_data(**SPLIT, dtype=np.float32)
    for key in ("X_train", "X_val", "X_test"):
        assert rounded[key].dtype == np.float32
        np.testing.assert_array_equal(rounded[key], exact[key].astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_subtract_mean_the_images_are_the_pixels(cifar10, pixels, dtype):
    data = get_CIFAR10_data(**SPLIT, subtract_mean=False, dtype=dtype)
    np.testing.assert_array_equal(data["X_test"].reshape(20, -1), pixels[0][5, :20])
    assert data["X_test"].dtype == dtype
    assert data["X_test"].flags.c_contiguous


def test_shapes10_without_subtract_mean_is_channel_first_too(shapes):
    images = get_CIFAR10_data(**SPLIT, subtract_mean=False)["X_train"]
    np.testing.assert_array_equal(images, shapes[0][:150].transpose(0, 3, 1, 2))
    assert images.flags.c_contiguous


def test_the_mean_is_that_of_the_selected_training_images_only(cifar10):
    data = get_CIFAR10_data(num_training=10, num_validation=30, num_test=20)
    assert np.abs(data["X_train"].mean(axis=0)).max() < 1e-12
    assert np.abs(data["X_val"].mean(axis=0)).max() > 1


def test_validation_and_test_may_be_empty(cifar10):
    data = get_CIFAR10_data(num_training=200, num_validation=0, num_test=0)
    assert data["X_train"].shape == (200, 3, 32, 32)
    assert data["X_val"].shape == data["X_test"].shape == (0, 3, 32, 32)
    assert data["y_val"].shape == (0,)


def test_the_default_split_of_shapes10_is_all_of_it(shapes):
    data = get_CIFAR10_data()
    assert len(data["X_train"]) == 100
    assert len(data["X_val"]) == len(data["X_test"]) == 1000


@pytest.mark.parametrize("forced", [True, False])
def test_serving_shapes10_is_said_in_the_same_one_line(shapes, monkeypatch, capsys, forced):
    if forced:
        monkeypatch.setenv("CS231N_DATA", "shapes10")
    get_CIFAR10_data(**SPLIT)
    assert capsys.readouterr().out == (
        "Data: Shapes-10, the workbook's own images. For CIFAR-10, run once in the workbook's folder: make data\n"
    )


def test_shapes10_can_be_forced_though_cifar10_is_there(cifar10, shapes, monkeypatch, capsys):
    assert data_set_name() == "CIFAR-10"
    assert class_names()[:2] == ["airplane", "automobile"]
    monkeypatch.setenv("CS231N_DATA", "shapes10")
    assert data_set_name() == "Shapes-10"
    assert class_names() == list(shapes10.CLASS_NAMES)
    np.testing.assert_array_equal(get_CIFAR10_data(**SPLIT)["y_train"], shapes[1][:150])
    assert "Shapes-10" in capsys.readouterr().out


def test_cifar10_is_found_where_the_assignment_s_script_puts_it(cifar10, tmp_path):
    assert data_set_name() == "CIFAR-10"
    (tmp_path / "workbook" / "cs231n").mkdir()
    (tmp_path / "workbook" / "datasets").rename(tmp_path / "workbook" / "cs231n" / "datasets")
    assert data_set_name() == "CIFAR-10"


def test_cifar10_is_looked_for_in_and_beside_this_package():
    assert PACKAGE == REPOSITORY / "cs231n"


def test_cifar10_is_found_from_any_working_directory(cifar10, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert data_set_name() == "CIFAR-10"


def test_cifar10_can_lie_in_a_named_folder(cifar10, tmp_path, monkeypatch):
    elsewhere = tmp_path / "some where"
    (tmp_path / "workbook" / "datasets").rename(elsewhere)
    assert data_set_name() == "Shapes-10"
    monkeypatch.setenv("CS231N_CIFAR10_DIR", str(elsewhere))
    assert data_set_name() == "CIFAR-10"
    assert len(get_CIFAR10_data(**SPLIT)["X_train"]) == 150


def test_a_named_folder_without_cifar10_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("CS231N_CIFAR10_DIR", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"CS231N_CIFAR10_DIR.*no folder cifar-10-batches-py.*unset"):
        get_CIFAR10_data()
    monkeypatch.setenv("CS231N_DATA", "shapes10")
    assert data_set_name() == "Shapes-10"


def test_forcing_cifar10_where_there_is_none_is_an_error(monkeypatch):
    monkeypatch.setenv("CS231N_DATA", "cifar10")
    with pytest.raises(FileNotFoundError, match="fetch it with `make data`"):
        get_CIFAR10_data()


def test_an_unknown_data_set_is_an_error(monkeypatch):
    monkeypatch.setenv("CS231N_DATA", "cifar100")
    with pytest.raises(ValueError, match=r"'cifar100'.*'shapes10' or 'cifar10'"):
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
        ({"num_training": 49000}, ValueError, "at most 200, the size of CIFAR-10's training set, got 49030"),
        ({"num_test": 41}, ValueError, "num_test must be at most 40, the size of CIFAR-10's test set, got 41"),
        ({"subtract_mean": "no"}, TypeError, "subtract_mean must be True or False, got str"),
        ({"dtype": np.uint8}, ValueError, "dtype must be a floating-point type, got .*uint8"),
    ],
)
def test_what_cannot_be_served_is_refused(cifar10, asked, error, message):
    with pytest.raises(error, match=message):
        get_CIFAR10_data(**{**SPLIT, **asked})


@pytest.mark.parametrize("asked", [{"num_training": 101}, {"num_training": 50000}, {"num_validation": 1099}])
def test_more_than_shapes10_has_is_refused(shapes, asked, capsys):
    with pytest.raises(ValueError, match="at most 1100, the size of Shapes-10's training set"):
        get_CIFAR10_data(**asked)
    assert capsys.readouterr().out == ""


def test_a_missing_batch_is_named(cifar10):
    (cifar10 / "data_batch_4").unlink()
    with pytest.raises(FileNotFoundError, match=r"data_batch_4 is missing.*Delete the folder.*make data"):
        get_CIFAR10_data(**SPLIT)


@pytest.mark.parametrize("kept", [0, 1, 500, -1])
def test_a_truncated_batch_is_refused(cifar10, kept):
    path = cifar10 / "test_batch"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"test_batch is not a batch of CIFAR-10.*Delete the folder.*make data"):
        get_CIFAR10_data(**SPLIT)


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


MARK = "touched_by_a_pickle"
FOREIGN = {
    "mkdir": Call(os.mkdir, MARK),
    "system": Call(os.system, f"mkdir {MARK}"),
    "eval": Call(eval, f"__import__('os').mkdir({MARK!r})"),
    "numpy.load": Call(np.load, MARK),
    "call in a batch": {b"data": Call(os.mkdir, MARK), b"labels": []},
    "call in an array": {b"data": np.array([Call(os.mkdir, MARK)], dtype=object), b"labels": []},
    "class": Call,
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_nothing_that_a_pickle_names_is_run(tmp_path, monkeypatch, content, protocol):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "batch").write_bytes(pickle.dumps(content, protocol))
    with pytest.raises(ValueError, match=r"it names \w+\.\w+, which is foreign to it and was not run.*make data"):
        load_CIFAR_batch("batch")
    assert not Path(MARK).exists()


def test_the_bytes_of_a_pickle_do_not_become_pointers(tmp_path):
    forged = python2_array(np.full(8, 65, np.uint8), shape=(1,), type_code=b"O8")
    (tmp_path / "batch").write_bytes(b"\x80\x02cnumpy\nndarray\n" + forged + b"\x85R.")
    with pytest.raises(ValueError, match="not a batch"):
        load_CIFAR_batch(tmp_path / "batch")


@pytest.mark.parametrize(
    "opcodes",
    [{"shape": (3072, PER_BATCH)}, {"shape": (PER_BATCH, 1)}, {"shape": (PER_BATCH, 384), "type_code": b"f8"}],
)
def test_an_array_that_is_not_as_published_is_refused(cifar10, pixels, opcodes):
    path = cifar10 / "data_batch_1"
    path.write_bytes(python2_batch(python2_array(pixels[0][0], **opcodes), [0] * PER_BATCH))
    with pytest.raises(ValueError, match=r"not a batch of CIFAR-10.*make data"):
        load_CIFAR_batch(path)


@pytest.mark.parametrize(
    "labels",
    [[0] * (PER_BATCH - 1), [0] * (PER_BATCH + 1), [10] + [0] * (PER_BATCH - 1), [-1] + [0] * (PER_BATCH - 1)],
    ids=["few", "many", "ten", "negative"],
)
def test_labels_that_are_not_as_published_are_refused(cifar10, pixels, labels):
    path = cifar10 / "data_batch_1"
    path.write_bytes(python2_batch(python2_array(pixels[0][0]), labels))
    with pytest.raises(ValueError, match=r"'labels' are not.*make data"):
        load_CIFAR_batch(path)


@pytest.mark.parametrize("labels", ["0" * PER_BATCH, [0.0] * PER_BATCH, None])
def test_labels_of_another_type_are_refused(tmp_path, pixels, labels):
    (tmp_path / "batch").write_bytes(pickle.dumps({"data": pixels[0][0], "labels": labels}, 2))
    with pytest.raises(ValueError, match="'labels'"):
        load_CIFAR_batch(tmp_path / "batch")


@pytest.mark.parametrize("content", [{}, {b"labels": []}, {b"data": b"abc"}, {b"data": [1, 2]}], ids=repr)
def test_a_batch_without_images_is_refused(tmp_path, content):
    (tmp_path / "batch").write_bytes(pickle.dumps(content, 2))
    with pytest.raises(ValueError, match="'data' is not a uint8 array of shape"):
        load_CIFAR_batch(tmp_path / "batch")


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("keys", [("data", "labels"), (b"data", b"labels")])
def test_copies_written_by_python_3_are_read(tmp_path, pixels, keys, protocol):
    content = dict(zip(keys, (pixels[0][0], pixels[1][0].tolist()), strict=True))
    (tmp_path / "batch").write_bytes(pickle.dumps(content, protocol))
    X, Y = load_CIFAR_batch(tmp_path / "batch")
    np.testing.assert_array_equal(X[:, :, :, 0].reshape(PER_BATCH, -1), pixels[0][0][:, :1024])
    np.testing.assert_array_equal(Y, pixels[1][0])


def test_importing_the_loader_is_silent_and_brings_no_pytorch():
    script = "import sys, cs231n.data, cs231n.data_utils; sys.exit('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], cwd=REPOSITORY, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(not REAL_COPY, reason="CS231N_CIFAR10_DIR names no copy of CIFAR-10")
def test_the_real_cifar10_loads(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("CS231N_DATA", "cifar10")
    monkeypatch.setenv("CS231N_CIFAR10_DIR", REAL_COPY)
    data = get_CIFAR10_data(dtype=np.float32)
    shapes = {key: value.shape for key, value in data.items() if key.startswith("X")}
    assert shapes == {"X_train": (49000, 3, 32, 32), "X_val": (1000, 3, 32, 32), "X_test": (1000, 3, 32, 32)}
    # Photographs: neighbouring pixels agree, and colours spread widely around their mean.
    assert abs(data["X_train"][:1000].mean()) < 5
    assert 55 < data["X_train"][:1000].std() < 70
    row = data["X_test"]
    assert np.corrcoef(row[:, :, :, 1:].ravel(), row[:, :, :, :-1].ravel())[0, 1] > 0.9
    assert np.corrcoef(row[:, :, 1:].ravel(), row[:, :, :-1].ravel())[0, 1] > 0.9
    assert np.bincount(data["y_test"], minlength=10).min() > 50
