"""Activation functions."""

import numpy as np

from ..arguments import float_array, upstream

__all__ = ["relu_forward", "relu_backward"]


def relu_forward(x):
    """Rectified linear unit: ``out = max(0, x)``, element by element.

    x is not altered; out has its dtype.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    out : array of the shape of x
    cache
        For :func:`relu_backward`; here the input.
    """
    x = float_array("x", x)
    return np.maximum(0, x), x


def relu_backward(dout, cache):
    """Gradient of the rectified linear unit: dout where x > 0, and 0 elsewhere (at the kink x = 0 too).

    dout is not altered; dx has its dtype.

    Parameters
    ----------
    dout : array of the shape of x
        Upstream gradient.
    cache : array
        From :func:`relu_forward`.

    Returns
    -------
    dx : array of the shape of x
    """
    x = cache
    dout = upstream(dout, x.shape)
    return dout * (x > 0)
