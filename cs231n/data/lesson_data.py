"""The images that the lessons work on: CIFAR-10 where it has been fetched, else the embedded Shapes-10.

Two environment variables control the choice:

``CS231N_DATA``
    ``shapes10`` or ``cifar10`` forces the data set. Unset: CIFAR-10 where it has been fetched, else Shapes-10.
``CS231N_CIFAR10_DIR``
    The folder that holds ``cifar-10-batches-py/``. Unset: ``datasets/`` beside the package, then
    ``cs231n/datasets/``, where the assignment's own script puts it.
"""

import functools
import os
from pathlib import Path

import numpy as np

from ..arguments import choice, flag, float_type, integer
from . import cifar10, shapes10

__all__ = ["class_names", "data_set_name", "get_CIFAR10_data", "get_images"]

PACKAGE = Path(__file__).resolve().parent.parent
BATCHES_FOLDER = "cifar-10-batches-py"

# The assignment's split of CIFAR-10's 50,000 training images. On a smaller data set these defaults mean
# "all but the last thousand, and that thousand".
DEFAULT_TRAINING, DEFAULT_VALIDATION = 49000, 1000

SHAPES10_NOTICE = (
    f"Data: Shapes-10, the workbook's own images. For CIFAR-10, run once in the workbook's folder: {cifar10.FETCH}"
)


def get_CIFAR10_data(
    num_training=DEFAULT_TRAINING,
    num_validation=DEFAULT_VALIDATION,
    num_test=1000,
    subtract_mean=True,
    dtype=np.float64,
):
    """The images of the lessons, split, centred and channel-first.

    Serves CIFAR-10 where it has been fetched, else Shapes-10, which it announces in one printed line; two environment
    variables control the choice (see :mod:`cs231n.data.lesson_data`).

    Parameters
    ----------
    num_training : int, default 49000
        Take this many images from the start of the training set, at least 1. On Shapes-10 the default means its
        first 10,000, all but the last thousand.
    num_validation : int, default 1000
        Take this many images after them, from the same set.
    num_test : int, default 1000
        Take this many images from the start of the test set.
    subtract_mean : bool, default True
        Subtract the mean of the selected training images, pixel by pixel, from all three sets.
    dtype : floating dtype, default np.float64
        Type of the images. The mean is computed and subtracted in float64 and the result rounded once.

    Returns
    -------
    data : dict
        ``X_train``, ``X_val``, ``X_test`` : C-contiguous arrays (N, 3, 32, 32) in 0 to 255, less the mean.
        ``y_train``, ``y_val``, ``y_test`` : int64 arrays (N,) with labels 0 to 9, named by :func:`class_names`.

    Raises
    ------
    TypeError, ValueError
        A number of images is not an integer, too small or larger than the data set, dtype is not a floating-point
        type, ``CS231N_DATA`` names no data set, or a batch file is not as published.
    FileNotFoundError
        A batch file is missing, or the CIFAR-10 that an environment variable asks for.
    """
    num_training = integer("num_training", num_training, least=1)
    num_validation = integer("num_validation", num_validation, least=0)
    num_test = integer("num_test", num_test, least=0)
    subtract_mean, dtype = flag("subtract_mean", subtract_mean), float_type("dtype", dtype)

    folder = _served_folder()
    images, labels, test_images, test_labels = _stored(folder)
    if folder is None and num_training == DEFAULT_TRAINING:
        num_training = len(images) - DEFAULT_VALIDATION
    wanted = num_training + num_validation
    for name, count, held, kind in (
        ("num_training + num_validation", wanted, len(images), "training"),
        ("num_test", num_test, len(test_images), "test"),
    ):
        if count > held:
            raise ValueError(f"{name} must be at most {held}, the size of {data_set_name()}'s {kind} set, got {count}")
    if folder is None:
        print(SHAPES10_NOTICE)

    # Sums of integers are exact, so this is the mean of the float64 images to the last bit, without making them.
    mean_image = images[:num_training].sum(axis=0, dtype=np.int64) / num_training if subtract_mean else 0.0
    data = {}
    for name, X, y in (
        ("train", images[:num_training], labels[:num_training]),
        ("val", images[num_training:wanted], labels[num_training:wanted]),
        ("test", test_images[:num_test], test_labels[:num_test]),
    ):
        # Subtracted in float64 whatever the dtype, and rounded as it is stored: no other float copy is made.
        data[f"X_{name}"] = np.subtract(X, mean_image, out=np.empty(X.shape, dtype), casting="same_kind")
        data[f"y_{name}"] = y.copy()
    return data


def get_images(split):
    """The images of one split as they are stored: integers, with nothing subtracted.

    Serves the data set of :func:`get_CIFAR10_data`, split by its defaults, and announces Shapes-10 once per process.

    Parameters
    ----------
    split : {"train", "val", "train+val", "test"}
        The last thousand training images are "val", the others "train". "test" has all test images, 10,000 of
        CIFAR-10 or 2,000 of Shapes-10.

    Returns
    -------
    images : uint8 array (N, 3, 32, 32)
        A C-contiguous copy, as are the labels; the caller may change them.
    labels : int64 array (N,)

    Raises
    ------
    ValueError, FileNotFoundError
        There is no such split; else as :func:`get_CIFAR10_data`.
    """
    first, last, everything = slice(-DEFAULT_VALIDATION), slice(-DEFAULT_VALIDATION, None), slice(None)
    splits = {"train": first, "val": last, "train+val": everything, "test": everything}
    rows = splits[choice("split", split, splits)]
    folder = _served_folder()
    if folder is None:
        _announce_shapes10()
    training_images, training_labels, *test = _stored(folder)
    images, labels = test if split == "test" else (training_images, training_labels)
    return images[rows].copy(), labels[rows].copy()  # views would keep all images in memory


@functools.cache
def _announce_shapes10():
    print(SHAPES10_NOTICE)


def data_set_name():
    """Name of the data set that :func:`get_CIFAR10_data` serves now.

    Returns
    -------
    name : str
        ``"CIFAR-10"`` or ``"Shapes-10"``.
    """
    return "Shapes-10" if _served_folder() is None else "CIFAR-10"


def class_names():
    """Names of the ten classes of the data set that :func:`get_CIFAR10_data` serves now.

    Returns
    -------
    names : list of 10 str
        ``names[y]`` is the name of label ``y``.
    """
    return list(shapes10.CLASS_NAMES if _served_folder() is None else cifar10.CLASS_NAMES)


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
            f"fetch it with `{cifar10.FETCH}`, or unset CS231N_DATA to work on Shapes-10"
        )
    return None


def _stored(folder):
    """Training images (N, 3, 32, 32) and labels (N,), then those of the test set: uint8 and int64."""
    if folder is not None:
        return cifar10.read(folder)
    images, labels, test_images, test_labels = shapes10.load()
    return images.transpose(0, 3, 1, 2), labels, test_images.transpose(0, 3, 1, 2), test_labels
