"""Convolution, in loops that read like its definition. :mod:`cs231n.fast_layers` computes the same, faster."""

import numpy as np

from .arguments import float_array, require_flag, require_shape
from .geometry import conv_geometry

__all__ = ["conv_forward_naive", "conv_backward_naive"]


def conv_forward_naive(x, w, b, conv_param):
    """Convolution: every filter, laid over every window of the zero-padded images, gives one number.

    out[n, f, i, j] = Σ_{c, k, l} x̂[n, c, i·stride + k, j·stride + l] · w[f, c, k, l] + b[f], with x̂ the padded x.
    (As everywhere in the field, the filter is not flipped; mathematics calls this a cross-correlation.)

    Parameters
    ----------
    x : array (N, C, H, W)
        N images of C channels.
    w : array (F, C, HH, WW)
        F filters.
    b : array (F,)
    conv_param : dict
        stride: how far a window lies from the next, at least 1. pad: how many zeros surround an image, at least 0.

    Returns
    -------
    out : array (N, F, H_out, W_out)
        H_out = (H + 2·pad − HH) / stride + 1, and W_out likewise.
    cache : tuple
        For :func:`conv_backward_naive`.

    Raises
    ------
    ValueError, TypeError
        If shapes do not agree, or the windows do not fit the padded image.
    """
    x, w, b = float_array("x", x), float_array("w", w), float_array("b", b)
    stride, pad, H_out, W_out = conv_geometry(x, w, b, conv_param)
    N, (F, _, HH, WW) = len(x), w.shape
    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out = np.empty((N, F, H_out, W_out), np.result_type(x, w, b))
    for n in range(N):
        for f in range(F):
            for i in range(H_out):
                for j in range(W_out):
                    top, left = i * stride, j * stride
                    window = x_pad[n, :, top : top + HH, left : left + WW]
                    out[n, f, i, j] = np.sum(window * w[f]) + b[f]
    return out, (x, w, b, conv_param)


def conv_backward_naive(dout, cache, need_dx=True):
    """Gradients of the convolution.

    An output is a window times a filter. So, weighted by the output's upstream gradient, the filter's gradient
    receives the window, and the window's gradient receives the filter; where windows overlap, gradients add up.

    Parameters
    ----------
    dout : array (N, F, H_out, W_out)
        Upstream gradient.
    cache : tuple
        From :func:`conv_forward_naive`.
    need_dx : bool
        The first layer of a network has no use for the gradient of its input; with False, dx is not computed and is
        None.

    Returns
    -------
    dx : array (N, C, H, W)
    dw : array (F, C, HH, WW)
    db : array (F,)
    """
    x, w, b, conv_param = cache
    require_flag("need_dx", need_dx)
    dout = float_array("dout", dout)
    stride, pad, H_out, W_out = conv_geometry(x, w, b, conv_param)
    (N, _, H, W), (F, _, HH, WW) = x.shape, w.shape
    require_shape("dout", dout, (N, F, H_out, W_out), "the shape of the layer's output")
    dtype = np.result_type(dout, x, w)
    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dx_pad = np.zeros(x_pad.shape, dtype) if need_dx else None
    dw = np.zeros(w.shape, dtype)
    for n in range(N):
        for f in range(F):
            for i in range(H_out):
                for j in range(W_out):
                    top, left = i * stride, j * stride
                    dw[f] += dout[n, f, i, j] * x_pad[n, :, top : top + HH, left : left + WW]
                    if need_dx:
                        dx_pad[n, :, top : top + HH, left : left + WW] += dout[n, f, i, j] * w[f]
    dx = dx_pad[:, :, pad : pad + H, pad : pad + W] if need_dx else None
    db = np.sum(dout, axis=(0, 2, 3), dtype=dtype)
    return dx, dw, db
