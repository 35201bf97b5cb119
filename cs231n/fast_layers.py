"""Convolution and pooling without loops over pixels: the results of the naive layers, fast.

**Convolution as matrix products.** im2col copies every window into a column of a large matrix, so that one product
with the filters yields all outputs; a pixel is copied up to HH·WW times. Here it is copied at most WW times, into
``columns[h, c, l, n, j]`` = x_pad[n, c, h, j·stride + l]: row h of the padded images, as seen by offset l of the
window at each position j. Row i of the outputs needs the rows i·stride to i·stride + HH − 1, and these lie one after
the other: they *are* the matrix (HH·C·WW, n·W_out) that im2col would have built for that row of outputs.

The gradient of the images goes the same way back. Successive rows of upstream gradients are a matrix, at stride 1 of
shape (HH·F, n·W_out). The filters times that matrix are the gradients of one row of pixels as seen by each offset l;
they are added up where the forward pass had copied.

Images are taken a few at a time, so that what is copied or added up stays in a core's caches, and the batch is shared
out among threads.
"""

import functools
import math

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .compute.threads import share_out
from .layers.windows import conv_upstream, conv_windows, pool_upstream, pool_windows

__all__ = [
    "conv_forward_fast",
    "conv_backward_fast",
    "max_pool_forward_fast",
    "max_pool_backward_fast",
    "avg_pool_forward_fast",
    "avg_pool_backward_fast",
    "conv_forward_im2col",
    "conv_backward_im2col",
    "conv_forward_strides",
    "conv_backward_strides",
]

CHUNK_BYTES = 2 * 1024 * 1024  # of ``columns``, or of the images to pool, that a thread works on at a time


def conv_forward_fast(x, w, b, conv_param):
    """Convolution, fast. Arguments, results and errors are those of :func:`~cs231n.layers.conv_forward_naive`."""
    x, w, b, stride, pad, H_out, W_out = conv_windows(x, w, b, conv_param)
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
    """Gradients of the convolution, fast. Arguments and results: :func:`~cs231n.layers.conv_backward_naive`.

    Infinite or NaN weights make dx NaN in more places, since they are multiplied by the zeros around dout too.
    """
    dout, x, w, _, stride, pad = conv_upstream(dout, cache)
    (N, C, H, _), (F, _, HH, WW), (H_out, W_out) = x.shape, w.shape, dout.shape[2:]
    dtype = np.result_type(dout, x, w)
    dx = np.zeros(x.shape, dtype) if need_dx else None
    dx_products = list(_dx_products(w.astype(dtype, copy=False), H, stride, pad)) if need_dx else []
    # Rows of zeros stand for the windows that do not exist, above the first and below the last row of outputs.
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
    """The matrix products that make up the gradient of the images.

    Row h of the padded images meets row k of a filter at output row i = (h − k) / stride. So only the filters' rows
    with k ≡ h (mod stride) matter, and all h with the same remainder share them. i falls as k rises, so these rows are
    taken in reverse.

    Yields
    ------
    pixel_rows : slice
        The rows of pixels whose gradients are computed.
    filters : array (C·WW, height·F)
    first_row, height : int
        The first of these rows of pixels needs ``height`` rows of upstream gradients from ``first_row`` on, which is
        negative where they begin in the zeros above; each next one needs the rows one further down.
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
    """Max pooling, fast. Arguments, results and errors are those of :func:`~cs231n.layers.max_pool_forward_naive`."""
    x, HH, WW, stride, H_out, W_out = pool_windows(x, pool_param)
    out = np.empty((*x.shape[:2], H_out, W_out), x.dtype)
    rows, columns = _places(HH, stride, H_out), _places(WW, stride, W_out)

    def work(images):
        # The largest of each row of a window, then the largest of these.
        row_maxima = functools.reduce(np.maximum, [x[images, ..., column] for column in columns])
        out[images] = functools.reduce(np.maximum, [row_maxima[..., row, :] for row in rows])

    _in_chunks(work, x)
    return out, (x, pool_param)


def max_pool_backward_fast(dout, cache):
    """Gradient of max pooling, fast. Arguments and results are those of :func:`~cs231n.layers.max_pool_backward_naive`.

    An infinite or NaN dout can make dx NaN anywhere in its window.
    """
    dout, x, HH, WW, stride = pool_upstream(dout, cache)
    dx = np.zeros(x.shape, np.result_type(dout, x))
    rows, columns = _places(HH, stride, dout.shape[2]), _places(WW, stride, dout.shape[3])

    def work(images):
        # The first row of a window that has its maximum, then the first maximum of that row.
        x_columns, dx_columns = ([array[images, ..., column] for column in columns] for array in (x, dx))
        row_maxima = functools.reduce(np.maximum, x_columns)
        in_rows = [row_maxima[..., row, :] for row in rows]
        maxima = functools.reduce(np.maximum, in_rows)
        drow_maxima = np.zeros(row_maxima.shape, dx.dtype)
        equals = _equal_or_nan if np.isnan(maxima.max(initial=0)) else np.equal
        drows = [drow_maxima[..., row, :] for row in rows]
        _to_first_maximum(dout[images], in_rows, maxima, drows, HH > stride, equals)
        _to_first_maximum(drow_maxima, x_columns, row_maxima, dx_columns, WW > stride, equals)

    _in_chunks(work, x)
    return dx


def _to_first_maximum(dmaximum, candidates, maximum, dcandidates, overlap, equals):
    """Add the gradient of a maximum to that of the first candidate which equals it.

    Without ``overlap`` no value is a candidate twice, so its gradient, 0 so far, is written instead of added to.
    """
    for candidate, dcandidate in zip(candidates[:-1], dcandidates):
        share = dmaximum * equals(candidate, maximum)
        _receive(dcandidate, share, overlap)
        dmaximum = dmaximum - share
    _receive(dcandidates[-1], dmaximum, overlap)


def _equal_or_nan(candidate, maximum):
    """Equality, except that NaN, the maximum of any window that holds one, equals NaN."""
    return (candidate == maximum) | np.isnan(candidate)


def _receive(gradient, share, overlap):
    if overlap:
        gradient += share
    else:
        gradient[...] = share


def avg_pool_forward_fast(x, pool_param):
    """Average pooling, fast. Arguments, results and errors: :func:`~cs231n.layers.avg_pool_forward_naive`."""
    x, HH, WW, stride, H_out, W_out = pool_windows(x, pool_param)
    out = np.empty((*x.shape[:2], H_out, W_out), x.dtype)
    rows, columns = _places(HH, stride, H_out), _places(WW, stride, W_out)

    def work(images):
        row_sums = functools.reduce(np.add, [x[images, ..., column] for column in columns])
        out[images] = functools.reduce(np.add, [row_sums[..., row, :] for row in rows])

    _in_chunks(work, x)
    out /= HH * WW
    return out, (x, pool_param)


def avg_pool_backward_fast(dout, cache):
    """Gradient of average pooling, fast. Arguments and results: :func:`~cs231n.layers.avg_pool_backward_naive`."""
    dout, x, HH, WW, stride = pool_upstream(dout, cache)
    dx = np.zeros(x.shape, np.result_type(dout, x))
    rows, columns = _places(HH, stride, dout.shape[2]), _places(WW, stride, dout.shape[3])

    def work(images):
        share = dout[images] / (HH * WW)
        drow_sums = np.zeros((*dx[images].shape[:3], dout.shape[3]), dx.dtype)
        for row in rows:
            drow_sums[..., row, :] += share
        for column in columns:
            dx[images, ..., column] += drow_sums

    _in_chunks(work, x)
    return dx


def _in_chunks(work, x):
    """Call ``work(images)`` for slices of the batch x that stay in a core's caches, in several threads."""

    def work_through(images):
        for _, chunks in _chunks(images, x[:1].nbytes):
            for chunk in chunks:
                work(chunk)

    share_out(work_through, len(x))


def _places(window, stride, positions):
    """For each offset in a window, the slice of the axis that it covers over all positions of the window."""
    return [slice(k, k + (positions - 1) * stride + 1, stride) for k in range(window)]


# The assignment's names for its several ways to the same result
conv_forward_im2col = conv_forward_strides = conv_forward_fast
conv_backward_im2col = conv_backward_strides = conv_backward_fast
