"""Where the windows of a convolution or a pooling layer lie, and whether they fit the image.

Along an axis of H values with ``pad`` zeros on either side, a window of HH values that moves in steps of ``stride``
takes (H + 2·pad − HH) / stride + 1 positions. If that is no whole number, the last values would be covered by no
window; such a geometry is refused.
"""

import numbers
import sys

from .arguments import require_shape

__all__ = ["conv_geometry", "pool_geometry"]


def conv_geometry(x, w, b, conv_param):
    """Stride, padding and output size of a convolution, for arguments that fit together.

    Parameters
    ----------
    x : array (N, C, H, W)
    w : array (F, C, HH, WW)
    b : array (F,)
    conv_param : dict
        stride (at least 1) and pad (at least 0).

    Returns
    -------
    stride, pad : int
    H_out, W_out : int
        (H + 2·pad − HH) / stride + 1, and the same for the width.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range, or does not fit the others.
    """
    if x.ndim != 4 or w.ndim != 4:
        raise ValueError(f"x must have shape (N, C, H, W) and w (F, C, HH, WW), got {x.shape} and {w.shape}")
    F, C, HH, WW = w.shape
    if C != x.shape[1]:
        raise ValueError(f"w must have as many channels as x, C = {x.shape[1]}, got C = {C} (w has shape {w.shape})")
    require_shape("b", b, (F,), "one bias for each of the F filters of w")
    stride = _integer("conv_param", conv_param, "stride", at_least=1)
    pad = _integer("conv_param", conv_param, "pad", at_least=0)
    H_out = _positions("conv_param", "w", "H", x.shape[2], "HH", HH, stride, pad)
    W_out = _positions("conv_param", "w", "W", x.shape[3], "WW", WW, stride, pad)
    padded = (x.shape[2] + 2 * pad) * (x.shape[3] + 2 * pad)
    if padded * len(x) * max(F, C * WW) > sys.maxsize // 16:
        raise ValueError(f"conv_param['pad'] makes images of {padded} values, more than memory can hold, got {pad}")
    return min(stride, padded), pad, H_out, W_out


def pool_geometry(x, pool_param):
    """Window, stride and output size of a pooling layer, for arguments that fit together.

    Parameters
    ----------
    x : array (N, C, H, W)
    pool_param : dict
        pool_height, pool_width and stride (each at least 1).

    Returns
    -------
    pool_height, pool_width, stride : int
    H_out, W_out : int
        (H − pool_height) / stride + 1, and the same for the width.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range, or does not fit the others.
    """
    if x.ndim != 4:
        raise ValueError(f"x must have shape (N, C, H, W), got {x.shape}")
    pool_height, pool_width, stride = (
        _integer("pool_param", pool_param, key, at_least=1) for key in ("pool_height", "pool_width", "stride")
    )
    H_out = _positions("pool_param", "pool_param", "H", x.shape[2], "pool_height", pool_height, stride)
    W_out = _positions("pool_param", "pool_param", "W", x.shape[3], "pool_width", pool_width, stride)
    return pool_height, pool_width, min(stride, x.shape[2] * x.shape[3]), H_out, W_out


def _integer(name, param, key, at_least):
    if not isinstance(param, dict):
        raise TypeError(f"{name} must be a dictionary, got {param!r}")
    if key not in param:
        raise ValueError(f"{name} must have the key {key!r}, got {param!r}")
    value = param[key]
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise TypeError(f"{name}[{key!r}] must be an integer, got {value!r}")
    if value < at_least:
        raise ValueError(f"{name}[{key!r}] must be at least {at_least}, got {value}")
    return int(value)


def _positions(stride_name, window_name, axis, size, window_axis, window, stride, pad=None):
    """The positions of a window along one axis; ``pad`` is None for a layer that has none."""
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
