"""The lessons' images: CIFAR-10 where it has been fetched, else the embedded Shapes-10.

Two environment variables steer the choice:

``CS231N_DATA``
    ``shapes10`` or ``cifar10`` forces the data set. Unset: CIFAR-10 where it is there, else Shapes-10.
``CS231N_CIFAR10_DIR``
    The folder that holds ``cifar-10-batches-py/``. Unset: ``datasets/`` beside the package, then
    ``cs231n/datasets/``, where the assignment's own script puts it.
"""

import functools
import math
import numbers
import os
import pickle
from pathlib import Path

import numpy as np

from cs231n import shapes10
from cs231n.layers.arguments import require_flag, require_float_type, require_path

__all__ = ["class_names", "data_set_name", "get_CIFAR10_data", "get_images", "load_CIFAR10", "load_CIFAR_batch"]

PACKAGE = Path(__file__).resolve().parent
BATCHES_FOLDER = "cifar-10-batches-py"
TRAINING_BATCHES = [f"data_batch_{number}" for number in range(1, 6)]
TEST_BATCH = "test_batch"
IMAGES_PER_BATCH = 10000
IMAGE_SHAPE = (3, 32, 32)
CIFAR10_CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]

# The assignment's split of CIFAR-10's 50,000 training images. On a smaller data set these defaults mean
# "all but the last thousand, and that thousand".
DEFAULT_TRAINING, DEFAULT_VALIDATION = 49000, 1000

FETCH = "make data"
SHAPES10_NOTICE = (
    f"Data: Shapes-10, the workbook's own images. For CIFAR-10, run once in the workbook's folder: {FETCH}"
)


def get_CIFAR10_data(
    num_training=DEFAULT_TRAINING,
    num_validation=DEFAULT_VALIDATION,
    num_test=1000,
    subtract_mean=True,
    dtype=np.float64,
):
    """The images of the lessons, split, centred and channel-first.

    Serves CIFAR-10 where it has been fetched, else Shapes-10; where it serves Shapes-10 it prints one line that says
    so. The environment variables ``CS231N_DATA`` and ``CS231N_CIFAR10_DIR`` steer the choice (see the module).

    Parameters
    ----------
    num_training : int, default 49000
        The first so many images of the training set, at least 1. On Shapes-10 the default means all of its 10,000.
    num_validation : int, default 1000
        The images that follow them in the training set.
    num_test : int, default 1000
        The first so many images of the test set.
    subtract_mean : bool, default True
        Subtract the mean of the selected training images, pixel by pixel, from all three sets.
    dtype : floating dtype, default np.float64
        Type of the images. The mean is taken and subtracted in float64 and the result rounded once.

    Returns
    -------
    data : dict
        ``X_train``, ``X_val``, ``X_test`` : C-contiguous arrays (N, 3, 32, 32) in 0 to 255, less the mean.
        ``y_train``, ``y_val``, ``y_test`` : int64 arrays (N,) with labels 0 to 9, named by :func:`class_names`.

    Raises
    ------
    TypeError
        A number of images that is not an integer.
    ValueError
        A number of images that is too small or larger than the data set, a dtype that is not floating, an unknown
        ``CS231N_DATA``, or a batch file that is not as published.
    FileNotFoundError
        A batch file is missing, or the CIFAR-10 that an environment variable asks for is not there.
    """
    num_training = _checked_count("num_training", num_training, least=1)
    num_validation = _checked_count("num_validation", num_validation, least=0)
    num_test = _checked_count("num_test", num_test, least=0)
    require_flag("subtract_mean", subtract_mean)
    require_float_type("dtype", dtype)

    folder = _served_folder()
    if folder is None:
        training_images, training_labels, test_images, test_labels = _read_shapes10()
        if num_training == DEFAULT_TRAINING:
            num_training = len(training_images) - DEFAULT_VALIDATION
    else:
        training_images, training_labels, test_images, test_labels = _read_cifar10(folder)
    _check_enough("num_training + num_validation", num_training + num_validation, len(training_images))
    _check_enough("num_test", num_test, len(test_images))
    if folder is None:
        print(SHAPES10_NOTICE)

    training = slice(num_training)
    validation = slice(num_training, num_training + num_validation)
    test = slice(num_test)
    # Sums of integers are exact, so this is the mean of the float64 images to the last bit, without making them.
    mean_image = training_images[training].sum(axis=0, dtype=np.int64) / num_training if subtract_mean else None
    return {
        "X_train": _centred(training_images[training], mean_image, dtype),
        "y_train": training_labels[training].copy(),
        "X_val": _centred(training_images[validation], mean_image, dtype),
        "y_val": training_labels[validation].copy(),
        "X_test": _centred(test_images[test], mean_image, dtype),
        "y_test": test_labels[test].copy(),
    }


def get_images(split):
    """The images of one split as they are stored: whole numbers, nothing subtracted.

    Serves the data set of :func:`get_CIFAR10_data`, split as its defaults do. Where that is Shapes-10, the same line
    says so, once a process.

    Parameters
    ----------
    split : {"train", "val", "train+val", "test"}
        The last thousand training images are "val", the others "train". "test" has all test images, 10,000 of
        CIFAR-10 or 2,000 of Shapes-10.

    Returns
    -------
    images : uint8 array (N, 3, 32, 32)
        C-contiguous and the caller's own, like the labels.
    labels : int64 array (N,)

    Raises
    ------
    ValueError
        An unknown split or ``CS231N_DATA``, or a batch file that is not as published.
    FileNotFoundError
        A batch file is missing, or the CIFAR-10 that an environment variable asks for is not there.
    """
    training = slice(-DEFAULT_VALIDATION)
    rows = {"train": training, "val": slice(-DEFAULT_VALIDATION, None), "train+val": slice(None), "test": slice(None)}
    if not isinstance(split, str) or split not in rows:
        raise ValueError(f"split is {split!r}: it must be one of {', '.join(map(repr, rows))}")
    folder = _served_folder()
    if folder is None:
        _announce_shapes10()
    training_images, training_labels, *test = _read_shapes10() if folder is None else _read_cifar10(folder)
    images, labels = test if split == "test" else (training_images, training_labels)
    images, labels = images[rows[split]], labels[rows[split]].copy()
    if split == "val":
        images = images.copy()  # a view would keep all training images in memory
    return np.require(images, requirements="CW"), labels


@functools.cache
def _announce_shapes10():
    print(SHAPES10_NOTICE)


def data_set_name():
    """Name of the data set that :func:`get_CIFAR10_data` serves now.

    Returns
    -------
    name : str
        ``"CIFAR-10"`` or ``"Shapes-10"``.

    Raises
    ------
    ValueError, FileNotFoundError
        As :func:`get_CIFAR10_data`, for the two environment variables.
    """
    return "Shapes-10" if _served_folder() is None else "CIFAR-10"


def class_names():
    """Names of the ten classes of the data set that :func:`get_CIFAR10_data` serves now.

    Returns
    -------
    names : list of 10 str
        ``names[y]`` is the name of label ``y``.

    Raises
    ------
    ValueError, FileNotFoundError
        As :func:`get_CIFAR10_data`, for the two environment variables.
    """
    return list(shapes10.CLASS_NAMES if _served_folder() is None else CIFAR10_CLASSES)


def load_CIFAR10(ROOT):
    """All of CIFAR-10, channel-last, as published.

    Parameters
    ----------
    ROOT : str or path
        The folder ``cifar-10-batches-py``.

    Returns
    -------
    Xtr : float64 array (50000, 32, 32, 3), 0 to 255
    Ytr : int64 array (50000,)
    Xte : float64 array (10000, 32, 32, 3), 0 to 255
    Yte : int64 array (10000,)

    Raises
    ------
    FileNotFoundError
        A batch file is missing.
    ValueError
        A batch file is not as published.
    """
    require_path("ROOT", ROOT)
    training_images, training_labels, test_images, test_labels = _read_cifar10(Path(ROOT))
    return _channel_last(training_images), training_labels, _channel_last(test_images), test_labels


def load_CIFAR_batch(filename):
    """One batch file of CIFAR-10, channel-last.

    The file is a pickle, but nothing in it is run: see :class:`_BatchUnpickler`.

    Parameters
    ----------
    filename : str or path
        ``data_batch_1`` to ``data_batch_5`` or ``test_batch``.

    Returns
    -------
    X : float64 array (10000, 32, 32, 3), 0 to 255
    Y : int64 array (10000,)

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is not a batch as published.
    """
    require_path("filename", filename)
    images, labels = _read_batch(Path(filename))
    return _channel_last(images), labels


def _served_folder():
    """The folder of the CIFAR-10 to serve, or None for Shapes-10."""
    forced = os.environ.get("CS231N_DATA")
    if forced not in (None, "", "shapes10", "cifar10"):
        raise ValueError(f"CS231N_DATA is {forced!r}: set it to 'shapes10' or 'cifar10', or unset it")
    if forced == "shapes10":
        return None
    named = os.environ.get("CS231N_CIFAR10_DIR")
    homes = [Path(named)] if named else [PACKAGE.parent / "datasets", PACKAGE / "datasets"]
    for home in homes:
        if (home / BATCHES_FOLDER).is_dir():
            return home / BATCHES_FOLDER
    if named:
        raise FileNotFoundError(
            f"CS231N_CIFAR10_DIR is {named!r}, but there is no folder {BATCHES_FOLDER} in it: "
            "name the folder that holds it, or unset the variable"
        )
    if forced == "cifar10":
        raise FileNotFoundError(
            f"CS231N_DATA is 'cifar10', but there is no {homes[0] / BATCHES_FOLDER}: "
            f"fetch it with `{FETCH}`, or unset CS231N_DATA to work on Shapes-10"
        )
    return None


def _read_shapes10():
    """Shapes-10 as :func:`_read_cifar10` gives CIFAR-10."""
    training_images, training_labels, test_images, test_labels = shapes10.load()
    return training_images.transpose(0, 3, 1, 2), training_labels, test_images.transpose(0, 3, 1, 2), test_labels


def _read_cifar10(folder):
    """Images as uint8 (N, 3, 32, 32) and labels as int64 (N,), of the training set and of the test set."""
    training_images = np.empty((len(TRAINING_BATCHES) * IMAGES_PER_BATCH, *IMAGE_SHAPE), np.uint8)
    training_labels = np.empty(len(training_images), np.int64)
    for batch, name in enumerate(TRAINING_BATCHES):
        rows = slice(batch * IMAGES_PER_BATCH, (batch + 1) * IMAGES_PER_BATCH)
        training_images[rows], training_labels[rows] = _read_batch(folder / name)
    return training_images, training_labels, *_read_batch(folder / TEST_BATCH)


def _read_batch(path):
    """The images of a batch file, uint8 (10000, 3, 32, 32), and its labels, int64 (10000,)."""
    repair = f"Delete the folder {path.parent} and fetch CIFAR-10 again with `{FETCH}`"
    try:
        with open(path, "rb") as file:
            # Python 2's byte strings stay bytes: the pixels among them are then used where they lie.
            content = _BatchUnpickler(file, encoding="bytes").load()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing. {repair}") from error
    except OSError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise ValueError(f"{path} is not a batch of CIFAR-10 as published: {_first_line(error)}. {repair}") from error
    try:
        return _images_and_labels(content)
    except ValueError as error:
        raise ValueError(f"{path} is not a batch of CIFAR-10 as published: {error}. {repair}") from error


def _images_and_labels(content):
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__} instead of a dictionary")
    # Copies written by Python 3 may have text for keys, where the published files have bytes.
    data, labels = (content.get(key.encode(), content.get(key)) for key in ("data", "labels"))
    expected = (IMAGES_PER_BATCH, math.prod(IMAGE_SHAPE))
    if not isinstance(data, _PickledArray):
        raise ValueError("its 'data' is no array")
    if data.values is None or data.values.shape != expected:
        shape = None if data.values is None else data.values.shape
        raise ValueError(f"its 'data' has the shape {shape} instead of {expected}")
    if not isinstance(labels, list) or len(labels) != IMAGES_PER_BATCH:
        raise ValueError(f"its 'labels' are no list of {IMAGES_PER_BATCH}")
    classes = range(len(CIFAR10_CLASSES))
    if not all(type(label) is int and label in classes for label in labels):
        raise ValueError("its 'labels' are not all whole numbers from 0 to 9")
    return data.values.reshape(-1, *IMAGE_SHAPE), np.array(labels, np.int64)


class _BatchUnpickler(pickle.Unpickler):
    """Reads a batch file without importing or calling anything that the file names.

    The published files name three things, all of NumPy, to make their one array. They are given the stand-ins below,
    which hold data and do nothing; a file that names anything else is refused. NumPy's own are not given out either:
    they would make arrays of any size and of Python objects. All stand-ins are classes with a ``__setstate__``, which
    a pickle can neither alter nor extend.
    """

    def find_class(self, module, name):
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is foreign to it and was not run") from None


class _PickledArray:
    """Stands in for ``_reconstruct`` and ``ndarray``; ``values`` is the uint8 array of the state it is given."""

    __slots__ = ("values",)

    def __init__(self, *_):
        self.values = None

    def __setstate__(self, state):
        _version, shape, dtype, fortran_order, raw = state
        if not isinstance(dtype, _PickledByteType) or not isinstance(raw, bytes) or fortran_order:
            raise pickle.UnpicklingError("its array is not one of bytes in C order")
        if not all(type(length) is int and length >= 0 for length in shape) or math.prod(shape) != len(raw):
            raise pickle.UnpicklingError(f"its array of {len(raw)} bytes claims the shape {shape}")
        self.values = np.frombuffer(raw, np.uint8).reshape(shape)


class _PickledByteType:
    """Stands in for ``dtype``; there is one type only, unsigned bytes."""

    __slots__ = ()

    def __init__(self, code, *_):
        if code not in ("u1", b"u1"):
            raise pickle.UnpicklingError(f"its array has the type {code!r} instead of unsigned bytes")

    def __setstate__(self, state):
        """The rest (byte order, alignment, fields) says nothing of single bytes."""


class _PickledBytes:
    """Stands in for ``_codecs.encode``, by which Python 3 writes byte strings in protocol 2."""

    __slots__ = ()

    def __new__(cls, text, encoding):
        return text.encode("latin1")

    def __setstate__(self, state):
        """Nothing to set: it makes plain bytes."""


_STAND_INS = {
    ("numpy.core.multiarray", "_reconstruct"): _PickledArray,
    ("numpy._core.multiarray", "_reconstruct"): _PickledArray,
    ("numpy", "ndarray"): _PickledArray,
    ("numpy", "dtype"): _PickledByteType,
    ("_codecs", "encode"): _PickledBytes,
}


def _channel_last(images):
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1), dtype=np.float64)


def _centred(images, mean_image, dtype):
    """Images as floats, less the mean image if there is one; the only float copy that is made of them."""
    if mean_image is None:
        return images.astype(dtype, order="C")
    # Computed in float64, whatever the type of the result, and rounded as it is stored.
    return np.subtract(images, mean_image, out=np.empty(images.shape, dtype), casting="same_kind")


def _checked_count(name, count, least):
    if isinstance(count, bool) or not isinstance(count, numbers.Integral):
        raise TypeError(f"{name} is {count!r}: it must be a whole number")
    if count < least:
        raise ValueError(f"{name} is {count}: it must be {least} or more")
    return int(count)


def _check_enough(asked_by, asked, available):
    if asked > available:
        raise ValueError(
            f"{asked_by} is {asked}, but {data_set_name()} has only {available} such images: ask for fewer"
        )


def _first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0]
