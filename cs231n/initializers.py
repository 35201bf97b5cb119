"""Initial values of weights.

Each takes the shape of the weights: ``(fan_in, fan_out)`` of an affine layer, ``(F, C, HH, WW)`` of F filters, whose
fan-in is C · HH · WW and fan-out F · HH · WW. Random ones draw from NumPy's global state unless ``rng``, a
``numpy.random.Generator`` or ``RandomState``, is given.
"""

import math

import numpy as np

from .arguments import instance, integer, number

__all__ = ["zeros", "normal", "xavier", "kaiming"]

GENERATORS = (np.random.Generator, np.random.RandomState)


def _fans(shape):
    """fan_in and fan_out."""
    if not isinstance(shape, tuple | list) or len(shape) not in (2, 4):
        raise ValueError(f"shape must be (fan_in, fan_out) or (F, C, HH, WW), got {shape!r}")
    shape = [integer("shape", size, least=1) for size in shape]
    if len(shape) == 2:
        return shape
    filters, channels, height, width = shape
    return channels * height * width, filters * height * width


def zeros(shape):
    """All weights 0: right for biases, useless for weights, since all units of a layer then stay equal.

    Parameters
    ----------
    shape : tuple of int

    Returns
    -------
    array of ``shape``, float64
    """
    return np.zeros(shape)


def normal(shape, weight_scale=1e-2, rng=None):
    """Gaussian weights of mean 0 and standard deviation ``weight_scale``, whatever the layer's width.

    Parameters
    ----------
    shape : tuple of int
    weight_scale : float
    rng : numpy.random.Generator or RandomState, optional

    Returns
    -------
    array of ``shape``, float64
    """
    weight_scale = number("weight_scale", weight_scale, least=0)
    rng = np.random if rng is None else instance("rng", rng, GENERATORS, "a numpy.random.Generator or RandomState")
    return weight_scale * rng.standard_normal(shape)


def xavier(shape, rng=None):
    """Gaussian weights of variance 2 / (fan_in + fan_out).

    A compromise between 1/fan_in, which keeps the variance of the signal from layer to layer, and 1/fan_out, which
    keeps that of the gradient; derived for units that are linear around 0, such as tanh.
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010), eq. 12.

    Parameters
    ----------
    shape : tuple of int
        (fan_in, fan_out) or (F, C, HH, WW).
    rng : numpy.random.Generator or RandomState, optional

    Returns
    -------
    array of ``shape``, float64
    """
    fan_in, fan_out = _fans(shape)
    return normal(shape, math.sqrt(2 / (fan_in + fan_out)), rng)


def kaiming(shape, rng=None):
    """Gaussian weights of variance 2 / fan_in.

    Twice 1/fan_in, because a ReLU sets half of the signal to zero.
    He, Zhang, Ren and Sun, "Delving deep into rectifiers" (2015), eq. 10.

    Parameters
    ----------
    shape : tuple of int
        (fan_in, fan_out) or (F, C, HH, WW).
    rng : numpy.random.Generator or RandomState, optional

    Returns
    -------
    array of ``shape``, float64
    """
    return normal(shape, math.sqrt(2 / _fans(shape)[0]), rng)
