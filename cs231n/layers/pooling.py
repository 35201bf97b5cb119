"""Pooling, in loops that read like its definition. :mod:`cs231n.fast_layers` computes the same, faster."""

import numpy as np

from .arguments import float_array, require_shape
from .geometry import pool_geometry

__all__ = [
    "max_pool_forward_naive",
    "max_pool_backward_naive",
    "avg_pool_forward_naive",
    "avg_pool_backward_naive",
]


def max_pool_forward_naive(x, pool_param):
    """Max pooling: the largest value of every window, channel by channel.

    Parameters
    ----------
    x : array (N, C, H, W)
    pool_param : dict
        pool_height, pool_width: size of a window. stride: how far a window lies from the next. Windows overlap if
        they are larger than the stride, and skip values if they are smaller.

    Returns
    -------
    out : array (N, C, H_out, W_out)
        H_out = (H − pool_height) / stride + 1, and W_out likewise.
    cache : tuple
        For :func:`max_pool_backward_naive`.

    Raises
    ------
    ValueError, TypeError
        If the windows do not fit the image.
    """
    return _pool_forward(x, pool_param, np.max)


def max_pool_backward_naive(dout, cache):
    """Gradient of max pooling: each window's upstream gradient goes where the window's maximum is.

    Of equal maxima in a window the first receives it, row by row, as in PyTorch.

    Parameters
    ----------
    dout : array (N, C, H_out, W_out)
        Upstream gradient.
    cache : tuple
        From :func:`max_pool_forward_naive`.

    Returns
    -------
    dx : array (N, C, H, W)
    """

    def to_the_maximum(dwindow, window, gradient):
        row, column = np.unravel_index(np.argmax(window), window.shape)
        dwindow[row, column] += gradient

    return _pool_backward(dout, cache, to_the_maximum)


def avg_pool_forward_naive(x, pool_param):
    """Average pooling: the mean of every window, channel by channel.

    Parameters
    ----------
    x : array (N, C, H, W)
    pool_param : dict
        As for :func:`max_pool_forward_naive`.

    Returns
    -------
    out : array (N, C, H_out, W_out)
        H_out = (H − pool_height) / stride + 1, and W_out likewise.
    cache : tuple
        For :func:`avg_pool_backward_naive`.

    Raises
    ------
    ValueError, TypeError
        If the windows do not fit the image.
    """
    return _pool_forward(x, pool_param, np.mean)


def avg_pool_backward_naive(dout, cache):
    """Gradient of average pooling: each window's upstream gradient is spread evenly over the window.

    Parameters
    ----------
    dout : array (N, C, H_out, W_out)
        Upstream gradient.
    cache : tuple
        From :func:`avg_pool_forward_naive`.

    Returns
    -------
    dx : array (N, C, H, W)
    """

    def evenly(dwindow, window, gradient):
        dwindow += gradient / window.size

    return _pool_backward(dout, cache, evenly)


def _pool_forward(x, pool_param, summary):
    """``summary`` of every window."""
    x = float_array("x", x)
    HH, WW, stride, H_out, W_out = pool_geometry(x, pool_param)
    N, C = x.shape[:2]
    out = np.empty((N, C, H_out, W_out), x.dtype)
    for n in range(N):
        for c in range(C):
            for i in range(H_out):
                for j in range(W_out):
                    top, left = i * stride, j * stride
                    out[n, c, i, j] = summary(x[n, c, top : top + HH, left : left + WW])
    return out, (x, pool_param)


def _pool_backward(dout, cache, share_out):
    """``share_out(dwindow, window, gradient)`` adds a window's upstream gradient to the gradients of its values."""
    x, pool_param = cache
    dout = float_array("dout", dout)
    HH, WW, stride, H_out, W_out = pool_geometry(x, pool_param)
    N, C = x.shape[:2]
    require_shape("dout", dout, (N, C, H_out, W_out), "the shape of the layer's output")
    dx = np.zeros(x.shape, np.result_type(dout, x))
    for n in range(N):
        for c in range(C):
            for i in range(H_out):
                for j in range(W_out):
                    top, left = i * stride, j * stride
                    window = np.s_[n, c, top : top + HH, left : left + WW]
                    share_out(dx[window], x[window], dout[n, c, i, j])
    return dx
