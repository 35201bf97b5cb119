"""What a layer asks of its arguments, in one place: arrays whose shapes agree, numbers in their range, a mode."""

import math
import numbers
import os

import numpy as np

__all__ = [
    "as_array",
    "as_float",
    "class_labels",
    "float_array",
    "layer_mode",
    "real_array",
    "require_flag",
    "require_float_type",
    "require_integer",
    "require_labels",
    "require_number",
    "require_number_in",
    "require_path",
    "require_positive_integer",
    "require_seed",
    "require_shape",
    "require_type",
]


def as_array(name, value):
    """``np.asarray(value)``, with an error that names the argument, as for a list of rows of different lengths."""
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be an array: {error}") from None


def float_array(name, value):
    """``value`` as a floating-point array: floats as they are, integers and booleans as float64.

    Raises
    ------
    ValueError, TypeError
        For anything else (rows of different lengths; complex numbers, objects, text), naming the argument.
    """
    array = as_array(name, value)
    if array.dtype.kind == "f":
        return array
    if array.dtype.kind in "iub":
        return array.astype(np.float64)
    raise TypeError(f"{name} must be an array of real numbers, got dtype {array.dtype}")


def require_shape(name, array, shape, because):
    """Raise ``ValueError`` unless ``array`` has ``shape``; ``because`` says where that shape comes from."""
    if array.shape != tuple(shape):
        raise ValueError(f"{name} must have shape {tuple(shape)} ({because}), got {array.shape}")


def require_flag(name, value):
    """Raise ``TypeError`` unless ``value`` is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}")


def require_seed(name, value):
    """Raise ``ValueError`` unless ``value`` is an integer that seeds NumPy's global random state."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or not 0 <= value < 2**32:
        raise ValueError(f"{name} must be an integer from 0 to 2**32 - 1, got {value!r}")


def require_positive_integer(name, value):
    """Raise ``ValueError`` unless ``value`` is an integer of at least 1."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")


def require_number(name, value, *, above=-math.inf, least=-math.inf, most=math.inf):
    """Raise ``ValueError`` unless ``value`` is a finite number greater than ``above``, from ``least`` to ``most``."""
    number = as_float(value) if isinstance(value, numbers.Real) else math.nan
    if not (max(above, least) <= number <= most and above < number < math.inf):
        bounds = (("above", above), ("of at least", least), ("at most", most))
        wanted = " and ".join(f"{words} {bound}" for words, bound in bounds if math.isfinite(bound))
        raise ValueError(f"{name} must be a number {wanted}, got {value!r}")


def as_float(number):
    """A real number as Python's float, infinity where it is too large for one."""
    try:
        return float(number)
    except OverflowError:  # an integer, too large for it
        return math.inf if number > 0 else -math.inf


def require_number_in(name, value, dtype):
    """Raise ``ValueError`` if a number above 0 becomes 0 or infinite in the type of the arrays that it meets."""
    if float(value) > float(np.finfo(dtype).max) or dtype.type(float(value)) == 0:
        raise ValueError(f"{name} must be a number that {dtype} tells from 0 and infinity, got {value!r}")


def require_float_type(name, dtype):
    """Raise ``ValueError`` unless ``dtype`` is a floating-point type."""
    try:
        kind = np.dtype(dtype).kind
    except TypeError:
        kind = None
    if kind != "f":
        raise ValueError(f"{name} must be a floating-point type, got {dtype!r}")


def layer_mode(name, param):
    """``param["mode"]`` of the dictionary called ``name``.

    Raises
    ------
    TypeError
        If it is no dictionary.
    ValueError
        If the mode is neither "train" nor "test".
    """
    if not isinstance(param, dict):
        raise TypeError(f"{name} must be a dictionary, got {type(param).__name__}")
    mode = param.get("mode")
    if not isinstance(mode, str) or mode not in ("train", "test"):
        raise ValueError(f"""{name}['mode'] must be "train" or "test", got {mode!r}""")
    return mode


def class_labels(y, scores, name="x"):
    """``y`` as an integer array of shape (N,) with values in [0, C), for scores of shape (N, C).

    ``name`` is what the caller calls the scores.

    Raises
    ------
    TypeError
        If the labels are not integers.
    ValueError
        If there are no scores, if the shapes disagree, or a label names no column of the scores.
    """
    if scores.ndim != 2 or scores.size == 0:
        raise ValueError(f"{name} must hold scores of shape (N, C) with N and C at least 1, got {scores.shape}")
    y = as_array("y", y)
    if y.dtype.kind not in "iu":
        raise TypeError(f"y must hold integer class labels, got dtype {y.dtype}")
    require_shape("y", y, scores.shape[:1], f"one label for each row of {name}, {scores.shape}")
    if y.min() < 0 or y.max() >= scores.shape[1]:
        raise ValueError(
            f"y must hold labels from 0 to {scores.shape[1] - 1} for the {scores.shape[1]} columns of {name}, "
            f"got labels from {y.min()} to {y.max()}"
        )
    return y


def require_labels(y, X, num_classes):
    """Raise an error unless ``y`` has a label below ``num_classes`` for each input in ``X``, one at least."""
    if len(X) == 0:
        raise ValueError(f"X must hold inputs for scores (N, C) with N and C at least 1, got {(0, num_classes)}")
    class_labels(y, np.broadcast_to(0.0, (len(X), num_classes)), name="the scores of X")


def require_type(name, value, types, wanted):
    """Raise ``TypeError`` unless ``value`` is of one of the ``types``; ``wanted`` says what that is in words."""
    if not isinstance(value, types):
        raise TypeError(f"{name} must be {wanted}, got {type(value).__name__}")


def require_path(name, value):
    """Raise ``TypeError`` unless ``value`` is a string or path, ``ValueError`` where no file can be called so."""
    require_type(name, value, (str, os.PathLike), "a string or a path")
    if "\0" in os.fsdecode(value):
        raise ValueError(f"{name} must be a path without null characters, got {value!r}")


def require_integer(name, value, *, least, most=2**53, optional=False):
    """Raise ``ValueError`` unless ``value`` is an integer from ``least`` to ``most``, or an ``optional`` None."""
    if optional and value is None:
        return
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}{' or None' * optional}, got {value!r}")
    if value > most:
        raise ValueError(f"{name} must be an integer of at most {most}{' or None' * optional}, got {value!r}")


def real_array(name, value):
    """``value`` as an array of real numbers, of the type it has; raises as :func:`float_array` does."""
    array = as_array(name, value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be an array of real numbers, got dtype {array.dtype}")
    return array
