"""Checks of arguments: one function for each kind of argument.

A check returns its argument in the form that the caller computes with (an array, a Python number), or raises a
``ValueError`` or ``TypeError`` that names the argument and says what it must be and what it was. A layer checks its
arguments in one line, so that the rest of its body is its mathematics.
"""

import functools
import math
import numbers
import os
import re
from types import SimpleNamespace

import numpy as np

# Single values


def instance(name, value, types, wanted):
    """``value``, if it is of one of the ``types``; ``wanted`` says in words what that is."""
    if not isinstance(value, types):
        raise TypeError(f"{name} must be {wanted}, got {type(value).__name__}")
    return value


def flag(name, value):
    """``value`` as a bool."""
    return bool(instance(name, value, bool | np.bool_, "True or False"))


def integer(name, value, *, least=None, most=None):
    """``value`` as an int from ``least`` to ``most``."""
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_integer or (least is not None and value < least) or (most is not None and value > most):
        bounds = [f"{words} {bound}" for words, bound in (("at least", least), ("at most", most)) if bound is not None]
        wanted = " of " + " and ".join(bounds) if bounds else ""
        error = ValueError if is_integer else TypeError
        raise error(f"{name} must be an integer{wanted}, got {value!r}")
    return int(value)


def number(name, value, *, above=-math.inf, least=-math.inf, most=math.inf, below=math.inf):
    """``value`` as a finite float, greater than ``above``, from ``least`` to ``most``, less than ``below``."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not (above < value < below and least <= value <= most):
        bounds = (("above", above), ("of at least", least), ("at most", most), ("below", below))
        wanted = " and ".join(f"{words} {bound:g}" for words, bound in bounds if math.isfinite(bound))
        error = ValueError if is_number else TypeError
        raise error(f"{name} must be a finite number{' ' * bool(wanted)}{wanted}, got {value!r}")
    return float(value)


def sizes(name, value, length=None):
    """A sequence of sizes, ``length`` of them where that is given, as a list of ints of at least 1."""
    if not isinstance(value, (list, tuple, np.ndarray)) or (length is not None and len(value) != length):
        what = f"{length} integers" if length else "integers"
        raise ValueError(f"{name} must be a list or tuple of {what}, got {value!r}")
    return [integer(f"{name}[{i}]", size, least=1) for i, size in enumerate(value)]


def choice(name, value, choices):
    """``value``, if it is one of the ``choices``."""
    if not isinstance(value, str | None) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value


def seed(name, value):
    """``value`` as an int that seeds NumPy's global random state."""
    return integer(name, value, least=0, most=2**32 - 1)


def path(name, value):
    """``value``, if it is a string or a path."""
    return instance(name, value, (str, os.PathLike), "a string or a path")


def float_type(name, dtype):
    """``dtype``, if it is a floating-point type."""
    try:
        is_float = dtype is not None and np.dtype(dtype).kind == "f"
    except TypeError:
        is_float = False
    if not is_float:
        raise ValueError(f"{name} must be a floating-point type, got {dtype!r}")
    return dtype


# Arrays


def array(name, value, kinds="fiub", wanted="real numbers"):
    """``value`` as an array of numbers of one of the ``kinds``, NumPy's codes; ``wanted`` says the same in words."""
    try:
        result = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{name} must be an array: {error}") from None
    if result.dtype.kind not in kinds:
        raise TypeError(f"{name} must be an array of {wanted}, got dtype {result.dtype}")
    return result


def float_array(name, value):
    """``value`` as a floating-point array: floats as they are, integers and booleans as float64."""
    result = array(name, value)
    return result if result.dtype.kind == "f" else result.astype(np.float64)


def require_shape(name, value, shape, because):
    """Raise ``ValueError`` unless an array has ``shape``; ``because`` says where that shape comes from."""
    if value.shape != tuple(shape):
        raise ValueError(f"{name} must have shape {tuple(shape)} ({because}), got {value.shape}")


def arrays(layouts, *values):
    """Floating-point arrays whose shapes fit together.

    Parameters
    ----------
    layouts : str
        The name and the axes of each array, such as "x (N, D...), w (D, M), b (M)". An axis that is named twice has
        one size. ``D...`` stands for all the axes that are left; D is the product of their sizes.
    *values : array_like

    Returns
    -------
    list of arrays
    """
    sizes, result = {}, []
    for (name, axes), value in zip(_parsed(layouts), values, strict=True):
        result.append(float_array(name, value))
        shape = result[-1].shape
        own_sizes = _sizes(axes, shape)
        if own_sizes is None or any(sizes.get(axis, size) != size for axis, size in own_sizes.items()):
            known = [f"{axis} = {sizes[axis]}" for axis in axes if axis in sizes and axis != "1"]
            text = ", ".join("d_1, ..., d_k" if axis.endswith("...") else axis for axis in axes)
            text = f"({text},)" if len(axes) == 1 else f"({text})"
            raise ValueError(f"{name} must have shape {text}{' with ' * bool(known)}{', '.join(known)}, got {shape}")
        sizes.update(own_sizes)
    return result


@functools.cache
def _parsed(layouts):
    return [(name, axes.split(", ")) for name, axes in re.findall(r"(\w+) \((.*?)\)", layouts)]


def _sizes(axes, shape):
    """The size of each axis by its name; None where the shape does not fit. An axis named 1 has size 1."""
    sizes = {"1": 1}
    if axes[-1].endswith("..."):
        *axes, rest = axes
        sizes[rest[:-3]] = math.prod(shape[len(axes) :])
        if len(shape) < len(axes):
            return None
    elif len(shape) != len(axes):
        return None
    for axis, size in zip(axes, shape):
        if sizes.setdefault(axis, size) != size:
            return None
    return sizes


def shaped(name, value, shape, because):
    """``value`` as a floating-point array, if it has ``shape``; ``because`` says where that shape comes from."""
    value = float_array(name, value)
    require_shape(name, value, shape, because)
    return value


def upstream(dout, shape):
    """An upstream gradient as a floating-point array of the shape of the layer's output."""
    return shaped("dout", dout, shape, "the shape of the layer's output")


def class_labels(y, shape, name="x"):
    """Labels of scores (N, C), called ``name``, as an integer array (N,) with values from 0 to C − 1."""
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"{name} must be scores of shape (N, C) with N and C at least 1, got shape {shape}")
    y = array("y", y, "iu", "integer class labels")
    require_shape("y", y, shape[:1], f"one label for each row of {name}, {shape}")
    if y.min() < 0 or y.max() >= shape[1]:
        wanted = f"labels from 0 to {shape[1] - 1}, one for each column of {name}"
        raise ValueError(f"y must hold {wanted}, got labels from {y.min()} to {y.max()}")
    return y


# The parameter dictionaries of layers and update rules


def _entries(name, param, known, required=()):
    """``param``, if it is a dictionary that holds all ``required`` keys and no unknown one."""
    instance(name, param, dict, "a dictionary")
    for key in required:
        if key not in param:
            raise ValueError(f"{name} must have the key {key!r}, got {param!r}")
    for key in param:
        if key not in known:
            raise ValueError(f"{name} must hold nothing but {', '.join(map(repr, known))}, got {key!r}")
    return param


def window_entries(name, param, least):
    """The entries of a convolution's or a pooling layer's parameters as ints, each at least ``least[key]``."""
    _entries(name, param, least, required=least)
    return [integer(f"{name}[{key!r}]", param[key], least=bound) for key, bound in least.items()]


def layer_mode(name, param):
    """``param["mode"]``, if it is "train" or "test"."""
    return choice(f"{name}['mode']", instance(name, param, dict, "a dictionary").get("mode"), ("train", "test"))


def dropout_arguments(x, dropout_param):
    """Checked arguments of dropout: x as an array, the mode, the probability of keeping a value, the seed or None."""
    param = _entries("dropout_param", dropout_param, ("mode", "p", "seed"), required=("mode", "p"))
    mode, p = layer_mode("dropout_param", param), number("dropout_param['p']", param["p"], above=0, most=1)
    own_seed = param.get("seed")
    return float_array("x", x), mode, p, None if own_seed is None else seed("dropout_param['seed']", own_seed)


NORM_ENTRIES = ("mode", "eps", "momentum", "running_mean", "running_var")


def epsilon(name, param):
    """``param["eps"]``, above 0, of a normalization layer; 1e-5 where it is not given."""
    return number(f"{name}['eps']", _entries(name, param, NORM_ENTRIES).get("eps", 1e-5), above=0)


def batchnorm_arguments(layouts, x, gamma, beta, bn_param):
    """Checked arguments of batch norm: x, gamma and beta as arrays, and all entries of bn_param as a namespace.

    The running averages are 0 before the first batch.
    """
    x, gamma, beta = arrays(layouts, x, gamma, beta)
    eps, mode, num_features = epsilon("bn_param", bn_param), layer_mode("bn_param", bn_param), x.shape[1]
    momentum = number("bn_param['momentum']", bn_param.get("momentum", 0.9), least=0, most=1)
    if mode == "train" and x.size < 2 * num_features:
        wanted = "at least two values of each feature in training mode (one alone has no spread to divide by)"
        raise ValueError(f"x must hold {wanted}, got shape {x.shape}")
    settings = SimpleNamespace(mode=mode, eps=eps, momentum=momentum, running_mean=0.0, running_var=0.0)
    for name in ("running_mean", "running_var"):
        if bn_param.get(name) is not None:
            average = shaped(f"bn_param[{name!r}]", bn_param[name], (num_features,), "one for each feature")
            setattr(settings, name, average.astype(np.float64, copy=False))
        elif mode == "test":
            raise ValueError(f"bn_param must hold {name} in test mode: run the layer in training mode first")
    if np.min(settings.running_var) < 0:
        raise ValueError(f"bn_param['running_var'] must hold no negative variance, got {np.min(settings.running_var)}")
    return x, gamma, beta, settings


def groupnorm_arguments(x, gamma, beta, G, gn_param):
    """Checked arguments of group norm: x, gamma and beta as arrays, the number of groups, ε."""
    x, gamma, beta = arrays("x (N, C, H, W), gamma (1, C, 1, 1), beta (1, C, 1, 1)", x, gamma, beta)
    G = integer("G", G, least=1)
    if x.shape[1] % G:
        raise ValueError(f"G must divide the number of channels, got G = {G} for {x.shape[1]} channels")
    return x, gamma, beta, G, epsilon("gn_param", gn_param)


def require_variance(var, x):
    """Raise ``ValueError`` where a variance has overflowed although the values have not."""
    if np.isinf(var).any():  # an infinite value makes its own variance NaN
        raise ValueError(f"x must have a variance that float64 can hold, got values up to {np.abs(x).max():.1e}")


# Every hyperparameter of the update rules, of which some lie below 1; then the entries that hold their state.
BELOW_ONE = ("momentum", "decay_rate", "beta1", "beta2")
HYPERPARAMETERS = ("learning_rate", *BELOW_ONE, "epsilon", "weight_decay", "t")
STATE = ("velocity", "cache", "m", "v")


def hyperparameters(config, **defaults):
    """Fill in the hyperparameters that an update rule's ``config`` lacks, and return config and their values.

    Parameters
    ----------
    config : dict or None
        None makes a new one.
    **defaults : numbers
        t, the number of steps, is an int, the others are floats.

    Returns
    -------
    config : dict
    values : list of numbers
        In the order of ``defaults``.
    """
    config = {} if config is None else instance("config", config, dict, "a dictionary or None")
    _entries("config", config, (*HYPERPARAMETERS, *STATE))
    values = []
    for name, default in defaults.items():
        value = config.get(name, default)
        if name == "t":
            values.append(integer("config['t']", value, least=0))
        else:
            below = 1 if name in BELOW_ONE else math.inf
            values.append(number(f"config['{name}']", value, least=0, below=below))
    config.update(zip(defaults, values, strict=True))
    return config, values
