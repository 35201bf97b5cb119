"""Convolution and pooling without loops over pixels: the results of the naive layers, fast.

**Convolution as matrix products.** im2col copies every window into a column of a large matrix, so that the filters
times that matrix are all outputs; every pixel is copied HH·WW times. Here it is copied WW times only, into
``columns[h, c, l, n, j]`` = x̂[n, c, h, j·stride + l], which holds row h of the padded images as the offset l of a
window sees it from every position j. Row i of the outputs needs the rows i·stride to i·stride + HH − 1, and these lie
one after the other: they *are* the matrix (HH·C·WW, n·W_out) that im2col would have built for that row of outputs.

The gradient of the images walks the same way back. Rows of upstream gradients, one after the other, are a matrix
(HH·F, n·W_out); the filters times that matrix are the gradients of one row of pixels as each offset l sees them, to
be added up where forward had copied.

Images are taken a few at a time, so that what is copied or added up stays in a core's caches, and the batch is shared
out among threads.
"""

import functools
import math

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .layers.arguments import float_array, require_flag, require_shape
from .layers.geometry import conv_geometry, pool_geometry
from .threads import share_out

__all__ = [
    "conv_forward_fast",
    "conv_backward_fast",
    "max_pool_forward_fast",
    "max_pool_backward_fast",
    "avg_pool_forward_fast",
    "avg_pool_backward_fast",
]

CHUNK_BYTES = 2 * 1024 * 1024  # of ``columns``, or of the images to pool, that a thread works on at a time


def conv_forward_fast(x, w, b, conv_param):
    """Convolution, as :func:`~cs231n.layers.convolution.conv_forward_naive`, fast.

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
        For :func:`conv_backward_fast`.

    Raises
    ------
    ValueError, TypeError
        If shapes do not agree, or the windows do not fit the padded image.
    """
    x, w, b = float_array("x", x), float_array("w", w), float_array("b", b)
    stride, pad, H_out, W_out = conv_geometry(x, w, b, conv_param)
    (N, C, H, _), (F, _, HH, WW) = x.shape, w.shape
    dtype = np.result_type(x, w, b)
    filters = w.transpose(0, 2, 1, 3).reshape(F, HH * C * WW).astype(dtype)
    bias = b.astype(dtype)[:, np.newaxis, np.newaxis]
    out = np.empty((N, F, H_out, W_out), dtype)

    def work(images):
        for n, chunks in _chunks(images, _column_bytes(x, w, pad, W_out, dtype)):
            columns = np.zeros((H + 2 * pad, C, WW, n, W_out), dtype)
            windows = _stacked_rows(columns, HH, stride, H_out)
            products = np.empty((H_out, F, n * W_out), dtype)
            for chunk in chunks:
                _copy_to_columns(x[chunk], columns, stride, pad)
                np.matmul(filters, windows, out=products)
                np.add(products.reshape(H_out, F, n, W_out).transpose(2, 1, 0, 3), bias, out=out[chunk])

    share_out(work, N)
    return out, (x, w, b, conv_param)


def conv_backward_fast(dout, cache, need_dx=True):
    """Gradients of the convolution, as :func:`~cs231n.layers.convolution.conv_backward_naive`, fast.

    Weights that are infinite or NaN give NaN in more places of dx, since they meet the zeros around dout too.

    Parameters
    ----------
    dout : array (N, F, H_out, W_out)
        Upstream gradient.
    cache : tuple
        From :func:`conv_forward_fast`.
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
    (N, C, H, _), (F, _, HH, WW) = x.shape, w.shape
    require_shape("dout", dout, (N, F, H_out, W_out), "the shape of the layer's output")
    dtype = np.result_type(dout, x, w)
    dx = np.zeros(x.shape, dtype) if need_dx else None
    dx_products = list(_dx_products(w.astype(dtype, copy=False), H, stride, pad)) if need_dx else []
    # Above the first and below the last row of outputs, the windows that do not exist count as rows of zeros.
    border = (HH - 1) // stride

    def work(images):
        dw, db = np.zeros((HH * C * WW, F), dtype), np.zeros(F, dtype)
        for n, chunks in _chunks(images, _column_bytes(x, w, pad, W_out, dtype)):
            columns = np.zeros((H + 2 * pad, C, WW, n, W_out), dtype)
            windows = _stacked_rows(columns, HH, stride, H_out)
            douts = np.zeros((border + H_out + border, F, n, W_out), dtype)
            inner_douts = douts[border : border + H_out]
            dw_products = np.empty((H_out, HH * C * WW, F), dtype)
            for chunk in chunks:
                _copy_to_columns(x[chunk], columns, stride, pad)
                inner_douts[...] = dout[chunk].transpose(2, 1, 0, 3)
                db += inner_douts.sum(axis=(0, 2, 3))
                np.matmul(windows, inner_douts.reshape(H_out, F, n * W_out).transpose(0, 2, 1), out=dw_products)
                dw += dw_products.sum(axis=0)
                for pixel_rows, filters, first_row, height in dx_products:
                    dx_rows = dx[chunk, :, pixel_rows]
                    dcolumns = filters @ _stacked_rows(douts[border + first_row :], height, 1, dx_rows.shape[2])
                    _add_columns(dcolumns.reshape(-1, C, WW, n, W_out), dx_rows, stride, pad)
        return dw, db

    dw, db = map(sum, zip(*share_out(work, N)))
    return dx, dw.reshape(HH, C, WW, F).transpose(3, 1, 0, 2).copy(), db


def _dx_products(w, H, stride, pad):
    """The matrix products that give the gradient of the images.

    A padded row h lies under row k of the windows at output row i if h = i·stride + k. So of the filters' rows only
    those with k ≡ h (mod stride) matter; all h of one remainder share them, and i falls as k rises.

    Yields
    ------
    pixel_rows : slice
        The rows of pixels whose gradients are computed.
    filters : array (C·WW, height·F)
    first_row, height : int
        The rows of upstream gradients that the first of them needs; the next needs those one further down.
    """
    F, C, HH, WW = w.shape
    for first_k in range(min(stride, HH)):
        rows = w[:, :, first_k::stride][:, :, ::-1]
        height = rows.shape[2]
        first_h = pad + (first_k - pad) % stride
        if first_h < pad + H:
            filters = rows.transpose(1, 3, 2, 0).reshape(C * WW, height * F)
            yield slice(first_h - pad, H, stride), filters, first_h // stride - (height - 1), height


def _column_bytes(x, w, pad, W_out, dtype):
    """Size of the columns of one image."""
    _, C, H, _ = x.shape
    return (H + 2 * pad) * C * w.shape[3] * W_out * dtype.itemsize


def _chunks(images, image_bytes):
    """The batch in chunks of about ``CHUNK_BYTES``: pairs of a size n and a list of slices of n images."""
    total = images.stop - images.start
    count = max(1, -(-total * image_bytes // CHUNK_BYTES))
    n = max(1, -(-total // count))
    last = images.stop - total % n
    yield n, [slice(start, start + n) for start in range(images.start, last, n)]
    if last < images.stop:
        yield images.stop - last, [slice(last, images.stop)]


def _stacked_rows(array, height, step, count):
    """For i = 0, …, count − 1 the rows i·step to i·step + height − 1 as one matrix.

    Parameters
    ----------
    array : C-contiguous array (rows, d_1, ..., d_k, n, W_out)

    Returns
    -------
    array (count, height · d_1 · … · d_k, n · W_out)
        A view; its matrices overlap where step < height.
    """
    features, columns = math.prod(array.shape[1:-2]), array.shape[-2] * array.shape[-1]
    strides = np.array([step * features * columns, columns, 1]) * array.itemsize
    return as_strided(array, (count, height * features, columns), strides)


def _copy_to_columns(x, columns, stride, pad):
    """Copy images to their place in ``columns`` (H + 2·pad, C, WW, n, W_out); padding is left as it is."""
    H, W = x.shape[2:]
    for offset, positions, pixels in _shifts(W, columns.shape[2], columns.shape[4], stride, pad):
        columns[pad : pad + H, :, offset, :, positions] = x[..., pixels].transpose(2, 1, 0, 3)


def _add_columns(dcolumns, dx, stride, pad):
    """Add the gradients of columns (H, C, WW, n, W_out) to those of the pixels they were copied from."""
    for offset, positions, pixels in _shifts(dx.shape[3], dcolumns.shape[2], dcolumns.shape[4], stride, pad):
        dx[..., pixels] += dcolumns[:, :, offset, :, positions].transpose(2, 1, 0, 3)


def _shifts(W, WW, W_out, stride, pad):
    """For each offset in a window: the positions from which it sees pixels and not padding, and these pixels."""
    for offset in range(WW):
        shift = offset - pad
        first, last = max(0, -(shift // stride)), min(W_out - 1, (W - 1 - shift) // stride)
        if first <= last:
            yield offset, slice(first, last + 1), slice(first * stride + shift, last * stride + shift + 1, stride)


def max_pool_forward_fast(x, pool_param):
    """Max pooling, as :func:`~cs231n.layers.pooling.max_pool_forward_naive`, fast.

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
        For :func:`max_pool_backward_fast`.

    Raises
    ------
    ValueError, TypeError
        If the windows do not fit the image.
    """
    x = float_array("x", x)
    return _pool_forward(x, pool_param, np.maximum), (x, pool_param)


def max_pool_backward_fast(dout, cache):
    """Gradient of max pooling, as :func:`~cs231n.layers.pooling.max_pool_backward_naive`, fast.

    An infinite or NaN dout gives NaN in its whole window.

    Parameters
    ----------
    dout : array (N, C, H_out, W_out)
        Upstream gradient.
    cache : tuple
        From :func:`max_pool_forward_fast`.

    Returns
    -------
    dx : array (N, C, H, W)
    """

    def backward(x, dout, dx, rows, columns):
        # The first row of a window that has its maximum, then the first maximum of that row.
        row_maxima = functools.reduce(np.maximum, [x[..., column] for column in columns])
        in_rows = [row_maxima[..., row, :] for row in rows]
        drow_maxima = np.zeros(row_maxima.shape, dx.dtype)
        maxima = functools.reduce(np.maximum, in_rows)
        equals = _equal_or_nan if np.isnan(maxima.max(initial=0)) else np.equal
        _to_first_maximum(dout, in_rows, maxima, [drow_maxima[..., row, :] for row in rows], _overlap(rows), equals)
        in_columns, dx_in_columns = ([array[..., column] for column in columns] for array in (x, dx))
        _to_first_maximum(drow_maxima, in_columns, row_maxima, dx_in_columns, _overlap(columns), equals)

    return _pool_backward(dout, cache, backward)


def _to_first_maximum(dmaximum, candidates, maximum, dcandidates, overlap, equals):
    """Add the gradient of a maximum to that of the first candidate which equals it.

    Without ``overlap`` no value is a candidate twice, and its gradient, 0 so far, is only written.
    """
    for candidate, dcandidate in zip(candidates[:-1], dcandidates):
        share = dmaximum * equals(candidate, maximum)
        _receive(dcandidate, share, overlap)
        dmaximum = dmaximum - share
    _receive(dcandidates[-1], dmaximum, overlap)


def _equal_or_nan(candidate, maximum):
    """As equality, but NaN, which is the maximum wherever it is, equals NaN."""
    return (candidate == maximum) | np.isnan(candidate)


def _receive(gradient, share, overlap):
    if overlap:
        gradient += share
    else:
        gradient[...] = share


def avg_pool_forward_fast(x, pool_param):
    """Average pooling, as :func:`~cs231n.layers.pooling.avg_pool_forward_naive`, fast.

    Parameters
    ----------
    x : array (N, C, H, W)
    pool_param : dict
        As for :func:`max_pool_forward_fast`.

    Returns
    -------
    out : array (N, C, H_out, W_out)
        H_out = (H − pool_height) / stride + 1, and W_out likewise.
    cache : tuple
        For :func:`avg_pool_backward_fast`.

    Raises
    ------
    ValueError, TypeError
        If the windows do not fit the image.
    """
    x = float_array("x", x)
    out = _pool_forward(x, pool_param, np.add)
    out /= pool_param["pool_height"] * pool_param["pool_width"]
    return out, (x, pool_param)


def avg_pool_backward_fast(dout, cache):
    """Gradient of average pooling, as :func:`~cs231n.layers.pooling.avg_pool_backward_naive`, fast.

    Parameters
    ----------
    dout : array (N, C, H_out, W_out)
        Upstream gradient.
    cache : tuple
        From :func:`avg_pool_forward_fast`.

    Returns
    -------
    dx : array (N, C, H, W)
    """

    def backward(x, dout, dx, rows, columns):
        share = dout / (len(rows) * len(columns))
        drow_sums = np.zeros((*x.shape[:3], dout.shape[3]), dx.dtype)
        for row in rows:
            drow_sums[..., row, :] += share
        for column in columns:
            dx[..., column] += drow_sums

    return _pool_backward(dout, cache, backward)


def _pool_forward(x, pool_param, ufunc):
    """``ufunc`` over every window: over each of its rows, then over the results."""
    HH, WW, stride, H_out, W_out = pool_geometry(x, pool_param)
    N, C, H, _ = x.shape
    out = np.empty((N, C, H_out, W_out), x.dtype)
    rows, columns = _places(HH, stride, H_out), _places(WW, stride, W_out)

    def work(images):
        for _, chunks in _chunks(images, x[:1].nbytes):
            for chunk in chunks:
                of_rows = functools.reduce(ufunc, [x[chunk, ..., column] for column in columns])
                out[chunk] = functools.reduce(ufunc, [of_rows[..., row, :] for row in rows])

    share_out(work, N)
    return out


def _pool_backward(dout, cache, backward):
    """``backward(x, dout, dx, rows, columns)`` adds to dx what a few images receive."""
    x, pool_param = cache
    dout = float_array("dout", dout)
    HH, WW, stride, H_out, W_out = pool_geometry(x, pool_param)
    N, C = x.shape[:2]
    require_shape("dout", dout, (N, C, H_out, W_out), "the shape of the layer's output")
    dx = np.zeros(x.shape, np.result_type(dout, x))
    rows, columns = _places(HH, stride, H_out), _places(WW, stride, W_out)

    def work(images):
        for _, chunks in _chunks(images, x[:1].nbytes):
            for chunk in chunks:
                backward(x[chunk], dout[chunk], dx[chunk], rows, columns)

    share_out(work, N)
    return dx


def _overlap(places):
    """Whether windows at these places share values."""
    return len(places) > places[0].step


def _places(window, stride, positions):
    """For each offset in a window, where it lies for all positions of the window."""
    return [slice(k, k + (positions - 1) * stride + 1, stride) for k in range(window)]
