"""Activation functions."""

import numpy as np

from .arguments import float_array, require_shape

__all__ = ["relu_forward", "relu_backward"]


def relu_forward(x):
    """Rectified linear unit: ``out = max(0, x)``, element by element.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    out : array of the shape of x
    cache : array
        The input, for :func:`relu_backward`.
    """
    x = float_array("x", x)
    return np.maximum(x, 0), x


def relu_backward(dout, cache):
    """Gradient of the rectified linear unit: dout where x > 0, and 0 elsewhere (at the corner x = 0 too).

    A dout that is infinite or NaN where x is not above 0 gives NaN there.

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
    dout = float_array("dout", dout)
    require_shape("dout", dout, x.shape, "the shape of the layer's output")
    return dout * (x > 0)
