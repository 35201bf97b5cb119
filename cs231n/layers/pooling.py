"""Pooling, in loops that read like its definition. :mod:`cs231n.fast_layers` computes the same, faster."""

import numpy as np

from .windows import pool_upstream, pool_windows

__all__ = [
    "max_pool_forward_naive",
    "max_pool_backward_naive",
    "avg_pool_forward_naive",
    "avg_pool_backward_naive",
]


def max_pool_forward_naive(x, pool_param):
    """Max pooling: the largest value of each window, channel by channel.

    x is not altered; out has its dtype.

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
    """
    x, HH, WW, stride, H_out, W_out = pool_windows(x, pool_param)
    out = np.empty((*x.shape[:2], H_out, W_out), x.dtype)
    for n, c, i, j in np.ndindex(out.shape):
        top, left = i * stride, j * stride
        out[n, c, i, j] = np.max(x[n, c, top : top + HH, left : left + WW])
    return out, (x, pool_param)


def max_pool_backward_naive(dout, cache):
    """Gradient of max pooling: each window's upstream gradient goes to the place of its maximum.

    If several values share the maximum, the first of them receives it, in row-major order, as in PyTorch. Where windows
    overlap, their gradients add up. dx has the dtype of dout.

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
    dout, x, HH, WW, stride = pool_upstream(dout, cache)
    dx = np.zeros(x.shape, np.result_type(dout, x))
    for n, c, i, j in np.ndindex(dout.shape):
        top, left = i * stride, j * stride
        window = x[n, c, top : top + HH, left : left + WW]
        row, column = np.unravel_index(np.argmax(window), window.shape)
        dx[n, c, top + row, left + column] += dout[n, c, i, j]
    return dx


def avg_pool_forward_naive(x, pool_param):
    """Average pooling: the mean of each window, channel by channel.

    x is not altered; out has its dtype.

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
    """
    x, HH, WW, stride, H_out, W_out = pool_windows(x, pool_param)
    out = np.empty((*x.shape[:2], H_out, W_out), x.dtype)
    for n, c, i, j in np.ndindex(out.shape):
        top, left = i * stride, j * stride
        out[n, c, i, j] = np.mean(x[n, c, top : top + HH, left : left + WW])
    return out, (x, pool_param)


def avg_pool_backward_naive(dout, cache):
    """Gradient of average pooling: each window's upstream gradient is spread evenly over the window.

    Where windows overlap, their gradients add up. dx has the dtype of dout.

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
    dout, x, HH, WW, stride = pool_upstream(dout, cache)
    dx = np.zeros(x.shape, np.result_type(dout, x))
    for n, c, i, j in np.ndindex(dout.shape):
        top, left = i * stride, j * stride
        dx[n, c, top : top + HH, left : left + WW] += dout[n, c, i, j] / (HH * WW)
    return dx
