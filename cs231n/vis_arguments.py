"""What a picture asks of its arguments, checked before anything is drawn.

A check is called as ``check(name, value)``; it gives the value, arrays as arrays, or raises ``ValueError`` or
``TypeError`` with the name.
"""

import functools
import inspect
from collections.abc import Callable, Collection, Iterable

import numpy as np
from matplotlib.axes import Axes

from .layers.arguments import real_array, require_flag, require_integer, require_number, require_type

__all__ = [
    "anything",
    "array",
    "axes",
    "booleans",
    "class_numbers",
    "collection",
    "convolution",
    "count",
    "curve",
    "entries",
    "flag",
    "function",
    "having",
    "named",
    "number",
    "picture",
    "require_length",
    "run",
    "takes",
    "text",
    "texts",
]


def takes(**checks):
    """Make a picture check its arguments, each by the check of its name; None as a default is let through."""

    def decorate(draw):
        signature = inspect.signature(draw)

        @functools.wraps(draw)
        def checked(*args, **kwargs):
            call = signature.bind(*args, **kwargs)
            for name, value in call.arguments.items():
                if value is not None or signature.parameters[name].default is not None:
                    call.arguments[name] = checks[name](name, value)
            return draw(*call.args, **call.kwargs)

        return checked

    return decorate


def axes(name, value):
    """Matplotlib axes."""
    require_type(name, value, Axes, "matplotlib axes")
    return value


def text(name, value):
    """A string."""
    require_type(name, value, str, "a text")
    return value


def flag(name, value):
    """True or False."""
    require_flag(name, value)
    return value


def function(name, value):
    """Anything that can be called."""
    require_type(name, value, Callable, "a function")
    return value


def count(least=1, most=100):
    """An integer in bounds; a figure has place for no more."""

    def check(name, value):
        require_integer(name, value, least=least, most=most)
        return int(value)

    return check


def number(**bounds):
    """A number in the bounds of :func:`~cs231n.layers.arguments.require_number`."""

    def check(name, value):
        require_number(name, value, **bounds)
        return float(value)

    return check


def array(*ndims, finite=True, above=None, empty=False, as_float=True):
    """An array of real numbers with one of these numbers of axes, none of them empty unless that is allowed.

    It becomes one of floats, ``as_float``, so that a difference is one and what is written next to it looks alike.
    """

    def check(name, value):
        value = real_array(name, value)
        if value.ndim not in ndims or (value.size == 0 and not empty):
            wanted = " or ".join(map(str, ndims)) + (" axes" if empty else " axes, none of them empty")
            raise ValueError(f"{name} must be an array with {wanted}, got shape {value.shape}")
        if finite and not np.isfinite(value).all():
            raise ValueError(f"{name} must hold finite numbers, got NaN or infinity")
        if above is not None and not (value > above).all():
            raise ValueError(f"{name} must hold numbers above {above}, got {value.min()}")
        return value.astype(np.float64, copy=False) if as_float else value

    return check


def booleans(ndim):
    """A boolean array; of numbers, those that are not 0 count as True."""
    check_array = array(ndim)
    return lambda name, value: check_array(name, value) != 0


def entries(check, length=None):
    """A sequence of what passes a check, as a list."""

    def check_entries(name, value):
        require_type(name, value, Iterable, "a sequence")
        if isinstance(value, (str, bytes, dict, set)):
            raise TypeError(f"{name} must be a sequence, got {type(value).__name__}")
        value = [check(name, entry) for entry in value]
        if length is not None and len(value) != length:
            raise ValueError(f"{name} must have {length} entries, got {len(value)}")
        return value

    return check_entries


def texts(name, value):
    """A sequence of strings, as a list."""
    return entries(text)(name, value)


def collection(name, value):
    """Of anything, as a list."""
    require_type(name, value, Collection, "a collection")
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{name} must be a collection, got {value!r}")
    return [*value]


def curve(name, value):
    """Numbers in a row, gaps (NaN) and none at all included."""
    return array(1, finite=False, empty=True)(name, value)


def class_numbers(name, value):
    """Integers (N,) from 0 on."""
    value = array(1, as_float=False)(name, value)
    if value.dtype.kind not in "iu" or value.min() < 0:
        raise ValueError(f"{name} must hold integers from 0 on, got {value.dtype} from {value.min()}")
    return value


def picture(name, value):
    """An array (3, H, W) or (H, W, 3)."""
    value = array(3)(name, value)
    if 3 not in (value.shape[0], value.shape[2]):
        raise ValueError(f"{name} must have shape (3, H, W) or (H, W, 3), got {value.shape}")
    return value


def convolution(name, value):
    """A tuple (size, (height, width), stride, padding, dilation)."""
    size, kernel, stride, padding, dilation = entries(anything, 5)(name, value)
    bounds = zip((size, *entries(anything, 2)(name, kernel), stride, dilation, padding), (1, 1, 1, 1, 1, 0))
    for number_of_pixels, least in bounds:
        count(least)(name, number_of_pixels)
    return size, tuple(kernel), stride, padding, dilation


def anything(name, value):
    """Whatever it is."""
    return value


def named(check, least=1, most=100, keys=str):
    """A dictionary of text to what passes a check, with ``least`` to ``most`` entries."""

    def check_entries(name, value):
        require_type(name, value, dict, "a dictionary")
        if not least <= len(value) <= most:
            raise ValueError(f"{name} must have {least} to {most} entries, got {len(value)}")
        for key in value:
            require_type(f"a key of {name}", key, keys, "a text")
        return {key: check(f"{name}[{key!r}]", entry) for key, entry in value.items()}

    return check_entries


def having(**attributes):
    """An object whose attributes pass their checks, such as a Solver with its histories."""

    def check(name, value):
        for attribute, check_attribute in attributes.items():
            if not hasattr(value, attribute):
                raise TypeError(f"{name} must have {attribute}, got {type(value).__name__}")
            check_attribute(f"{name}.{attribute}", getattr(value, attribute))
        return value

    return check


def run(name, value):
    """A Solver, or what has its histories."""
    return having(loss_history=curve, train_acc_history=curve, val_acc_history=curve)(name, value)


def require_length(name, value, length, because):
    """Raise ``ValueError`` unless ``value`` has so many entries; ``because`` says where that comes from."""
    if len(value) != length:
        raise ValueError(f"{name} must have {length} entries ({because}), got {len(value)}")
