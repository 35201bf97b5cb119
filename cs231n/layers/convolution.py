"""Convolution, in loops that read like its definition. :mod:`cs231n.fast_layers` computes the same, faster."""

import numpy as np

from .windows import conv_upstream, conv_windows

__all__ = ["conv_forward_naive", "conv_backward_naive"]


def conv_forward_naive(x, w, b, conv_param):
    """Convolution: each filter, laid over each window of the zero-padded images, yields one number.

    out[n, f, i, j] = Σ_{c, k, l} x_pad[n, c, i·stride + k, j·stride + l] · w[f, c, k, l] + b[f]
    with x_pad the padded x. (As usual in deep learning, the filter is not flipped; mathematicians call this
    cross-correlation.) No argument is altered; out has the dtype of x.

    Parameters
    ----------
    x : array (N, C, H, W)
        N images of C channels.
    w : array (F, C, HH, WW)
        F filters.
    b : array (F,)
    conv_param : dict
        stride: how far a window lies from the next, at least 1. pad: rows and columns of zeros on each side of an
        image, at least 0.

    Returns
    -------
    out : array (N, F, H_out, W_out)
        H_out = (H + 2·pad − HH) / stride + 1, and W_out likewise.
    cache : tuple
        For :func:`conv_backward_naive`.

    Raises
    ------
    ValueError
        If pad is negative, or the windows do not fit the padded image: stride must divide H + 2·pad − HH and
        W + 2·pad − WW.
    """
    x, w, b, stride, pad, H_out, W_out = conv_windows(x, w, b, conv_param)
    N, (F, _, HH, WW) = len(x), w.shape
    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out = np.empty((N, F, H_out, W_out), np.result_type(x, w, b))
    for n, f, i, j in np.ndindex(out.shape):
        top, left = i * stride, j * stride
        window = x_pad[n, :, top : top + HH, left : left + WW]
        out[n, f, i, j] = np.sum(window * w[f]) + b[f]
    return out, (x, w, b, conv_param)


def conv_backward_naive(dout, cache, need_dx=True):
    """Gradients of the convolution.

    Each output is the sum of the products of a window and a filter. So its upstream gradient times the window is added
    to the gradient of the filter, and its upstream gradient times the filter to the gradient of the window. The
    gradients have the dtype of x.

    Parameters
    ----------
    dout : array (N, F, H_out, W_out)
        Upstream gradient.
    cache : tuple
        From :func:`conv_forward_naive`.
    need_dx : bool
        With False, dx is not computed and is None: the first layer of a network has no use for it.

    Returns
    -------
    dx : array (N, C, H, W)
    dw : array (F, C, HH, WW)
    db : array (F,)
    """
    dout, x, w, b, stride, pad = conv_upstream(dout, cache)
    (H, W), (HH, WW) = x.shape[2:], w.shape[2:]
    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dx_pad = np.zeros(x_pad.shape, np.result_type(dout, x, w))
    dw = np.zeros(w.shape, dx_pad.dtype)
    for n, f, i, j in np.ndindex(dout.shape):
        top, left = i * stride, j * stride
        place = np.s_[n, :, top : top + HH, left : left + WW]
        dw[f] += dout[n, f, i, j] * x_pad[place]
        if need_dx:
            dx_pad[place] += dout[n, f, i, j] * w[f]
    dx = dx_pad[:, :, pad : pad + H, pad : pad + W] if need_dx else None
    db = np.sum(dout, axis=(0, 2, 3), dtype=dw.dtype)
    return dx, dw, db
