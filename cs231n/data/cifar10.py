"""CIFAR-10 from its published batch files, which are pickles: read without running anything that they name."""

import math
import pickle
from pathlib import Path

import numpy as np

from ..arguments import path

__all__ = ["CLASS_NAMES", "load_CIFAR10", "load_CIFAR_batch"]

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAINING_BATCHES = [f"data_batch_{number}" for number in range(1, 6)]
TEST_BATCH = "test_batch"
IMAGES_PER_BATCH = 10000
IMAGE_SHAPE = (3, 32, 32)
FETCH = "make data"


def load_CIFAR10(ROOT):
    """All of CIFAR-10, channel-last, as published.

    Parameters
    ----------
    ROOT : str or path
        The folder ``cifar-10-batches-py``.

    Returns
    -------
    Xtr, Ytr : float64 array (50000, 32, 32, 3), 0 to 255, and int64 array (50000,)
    Xte, Yte : the same of the 10000 test images

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`load_CIFAR_batch`, for any of the six files.
    """
    training_images, training_labels, test_images, test_labels = read(Path(path("ROOT", ROOT)))
    return _channel_last(training_images), training_labels, _channel_last(test_images), test_labels


def load_CIFAR_batch(filename):
    """One batch file of CIFAR-10, channel-last.

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
        The file is missing.
    ValueError
        It is not a batch as published.
    """
    images, labels = _read_batch(Path(path("filename", filename)))
    return _channel_last(images), labels


def read(folder):
    """Training images, uint8 (50000, 3, 32, 32), and labels, int64 (50000,), then those of the test set."""
    images, labels = zip(*[_read_batch(folder / name) for name in TRAINING_BATCHES])
    return np.concatenate(images), np.concatenate(labels), *_read_batch(folder / TEST_BATCH)


def _channel_last(images):
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1), dtype=np.float64)


def _read_batch(file_path):
    """The images of a batch file, uint8 (10000, 3, 32, 32), and its labels, int64 (10000,)."""
    repair = f"Delete the folder {file_path.parent} and fetch CIFAR-10 again with `{FETCH}`"
    if not file_path.exists():
        raise FileNotFoundError(f"{file_path} is missing. {repair}")
    with open(file_path, "rb") as file:
        try:
            return _images_and_labels(_BatchUnpickler(file, encoding="bytes").load())  # Python 2's strings stay bytes
        except Exception as error:  # a damaged pickle may raise anything
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise ValueError(f"{file_path} is not a batch of CIFAR-10 as published: {reason}. {repair}") from error


def _images_and_labels(content):
    # The published files have bytes for keys; copies written by Python 3 may have text.
    data, labels = (content.get(key.encode(), content.get(key)) for key in ("data", "labels"))
    shape = IMAGES_PER_BATCH, math.prod(IMAGE_SHAPE)
    if not isinstance(data, np.ndarray) or (data.dtype, data.shape) != (np.uint8, shape):
        raise ValueError(f"its 'data' is not a uint8 array of shape {shape}")
    are_integers = isinstance(labels, list) and all(type(label) is int for label in labels)
    if not are_integers or len(labels) != IMAGES_PER_BATCH or min(labels) < 0 or max(labels) > 9:
        raise ValueError(f"its 'labels' are not a list of {IMAGES_PER_BATCH} integers from 0 to 9")
    return data.reshape(-1, *IMAGE_SHAPE), np.array(labels, np.int64)


class _BatchUnpickler(pickle.Unpickler):
    """Lets a batch file name what NumPy needs to rebuild an array of bytes, and nothing else."""

    def find_class(self, module, name):
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is foreign to it and was not run")
        return _KNOWN[module, name]


_RECONSTRUCT = np.empty(0).__reduce__()[0]
_KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    # Always the pixels' own type: with a forged one, NumPy would take the file's bytes for pointers to objects.
    ("numpy", "dtype"): lambda *_: np.dtype(np.uint8),
    ("_codecs", "encode"): lambda text, encoding: text.encode("latin1"),
}
