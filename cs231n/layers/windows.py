"""Where the windows of a convolution or a pooling layer lie, and whether they fit the image.

Along an axis of H values with ``pad`` zeros on either side, a window of HH values that moves in steps of ``stride``
takes (H + 2·pad − HH) / stride + 1 positions. If that is not a whole number, no window would cover the last values;
such arguments are refused.
"""

from ..arguments import arrays, upstream, window_entries

__all__ = ["conv_upstream", "conv_windows", "pool_upstream", "pool_windows"]


def conv_windows(x, w, b, conv_param):
    """Arguments of a convolution as arrays x, w, b and ints stride, pad; and the output's height and width.

    Raises ``ValueError`` or ``TypeError`` if an argument is out of its range, or does not fit the others.
    """
    x, w, b = arrays("x (N, C, H, W), w (F, C, HH, WW), b (F)", x, w, b)
    stride, pad = window_entries("conv_param", conv_param, {"stride": 1, "pad": 0})
    (H, W), (HH, WW) = x.shape[2:], w.shape[2:]
    H_out = _positions("w", "conv_param", "H", H, "HH", HH, stride, pad)
    W_out = _positions("w", "conv_param", "W", W, "WW", WW, stride, pad)
    return x, w, b, stride, pad, H_out, W_out


def conv_upstream(dout, cache):
    """Arguments of a convolution's backward pass: dout, x, w, b as arrays, stride and pad."""
    x, w, b, stride, pad, H_out, W_out = conv_windows(*cache)
    return upstream(dout, (len(x), len(w), H_out, W_out)), x, w, b, stride, pad


def pool_windows(x, pool_param):
    """Arguments of a pooling layer: x as an array, height, width and stride of the windows; and the output's size.

    Raises ``ValueError`` or ``TypeError`` if an argument is out of its range, or does not fit the others.
    """
    (x,) = arrays("x (N, C, H, W)", x)
    HH, WW, stride = window_entries("pool_param", pool_param, {"pool_height": 1, "pool_width": 1, "stride": 1})
    H_out = _positions("pool_param", "pool_param", "H", x.shape[2], "pool_height", HH, stride)
    W_out = _positions("pool_param", "pool_param", "W", x.shape[3], "pool_width", WW, stride)
    return x, HH, WW, stride, H_out, W_out


def pool_upstream(dout, cache):
    """Arguments of a pooling layer's backward pass: dout and x as arrays, height, width and stride of the windows."""
    x, HH, WW, stride, H_out, W_out = pool_windows(*cache)
    return upstream(dout, (*x.shape[:2], H_out, W_out)), x, HH, WW, stride


def _positions(window_name, stride_name, axis, size, window_axis, window, stride, pad=None):
    """The number of positions of a window along one axis; ``pad`` is None for a layer that has none."""
    if pad is None:
        padded, formula, filled, total = size, axis, f"{size}", f"{axis} = {size}"
    else:
        padded, formula, filled = size + 2 * pad, f"{axis} + 2·pad", f"{size} + 2·{pad}"
        total = f"{formula} = {filled} = {padded}"
    if not 1 <= window <= padded:
        raise ValueError(f"{window_name}: {window_axis} must be from 1 to {total}, got {window_axis} = {window}")
    if (padded - window) % stride:
        raise ValueError(
            f"{stride_name}['stride'] must divide {formula} − {window_axis}: ({filled} − {window}) / {stride} = "
            f"{padded - window}/{stride} is not a whole number"
        )
    return (padded - window) // stride + 1
