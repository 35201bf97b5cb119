"""What a layer asks of its arguments, in one place: floating-point arrays whose shapes agree."""

import numpy as np

__all__ = ["float_array", "require_shape", "class_labels"]


def float_array(name, value):
    """``value`` as a floating-point array: floats as they are, integers and booleans as float64.

    Raises
    ------
    TypeError
        For anything else (complex numbers, objects, text), naming the argument.
    """
    array = np.asarray(value)
    if array.dtype.kind == "f":
        return array
    if array.dtype.kind in "iub":
        return array.astype(np.float64)
    raise TypeError(f"{name} must be an array of real numbers, got dtype {array.dtype}")


def require_shape(name, array, shape, because):
    """Raise ``ValueError`` unless ``array`` has ``shape``; ``because`` says where that shape comes from."""
    if array.shape != tuple(shape):
        raise ValueError(f"{name} must have shape {tuple(shape)} ({because}), got {array.shape}")


def class_labels(y, scores):
    """``y`` as an integer array of shape (N,) with values in [0, C), for scores of shape (N, C).

    Raises
    ------
    TypeError
        If the labels are not integers.
    ValueError
        If there are no scores, if the shapes disagree, or a label names no column of the scores.
    """
    if scores.ndim != 2 or scores.size == 0:
        raise ValueError(f"x must hold scores of shape (N, C) with N and C at least 1, got {scores.shape}")
    y = np.asarray(y)
    if y.dtype.kind not in "iu":
        raise TypeError(f"y must hold integer class labels, got dtype {y.dtype}")
    require_shape("y", y, scores.shape[:1], f"one label for each row of x, {scores.shape}")
    if y.min() < 0 or y.max() >= scores.shape[1]:
        raise ValueError(
            f"y must hold labels from 0 to {scores.shape[1] - 1} (x has {scores.shape[1]} columns), "
            f"got labels from {y.min()} to {y.max()}"
        )
    return y
