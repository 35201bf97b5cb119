"""The affine (fully connected) layer."""

import numpy as np

from ..threads import product
from .arguments import float_array, require_flag, require_shape

__all__ = ["affine_forward", "affine_backward"]


def affine_forward(x, w, b):
    """Affine layer: every example, flattened to a row, times the weights, plus a bias: out = x w + b.

    Parameters
    ----------
    x : array (N, d_1, ..., d_k)
        A batch of N examples; D = d_1 · … · d_k.
    w : array (D, M)
    b : array (M,)

    Returns
    -------
    out : array (N, M)
    cache : tuple
        For :func:`affine_backward`.

    Raises
    ------
    ValueError
        If the shapes do not agree.
    """
    x, w, b = float_array("x", x), float_array("w", w), float_array("b", b)
    if x.ndim == 0 or w.ndim != 2:
        raise ValueError(f"x must have shape (N, d_1, ..., d_k) and w (D, M), got {x.shape} and {w.shape}")
    D = int(np.prod(x.shape[1:]))
    require_shape("w", w, (D, w.shape[1]), f"an example of x, {x.shape[1:]}, has {D} values")
    require_shape("b", b, w.shape[1:], "one bias for each column of w")
    out = product(x.reshape(len(x), D), w) + b
    return out, (x, w, b)


def affine_backward(dout, cache, need_dx=True):
    """Gradients of the affine layer.

    With X the flattened batch: dX = dout wᵀ, dw = Xᵀ dout, and db = the sum of dout over the batch.

    Parameters
    ----------
    dout : array (N, M)
        Upstream gradient.
    cache : tuple
        From :func:`affine_forward`.
    need_dx : bool
        The first layer of a network has no use for the gradient of its input, which costs as much as the forward
        pass; with False, dx is None.

    Returns
    -------
    dx : array (N, d_1, ..., d_k)
    dw : array (D, M)
    db : array (M,)
    """
    x, w, _ = cache
    require_flag("need_dx", need_dx)
    dout = float_array("dout", dout)
    require_shape("dout", dout, (len(x), w.shape[1]), "the shape of the layer's output")
    dx = product(dout, w.T).reshape(x.shape) if need_dx else None
    dw = product(x.reshape(len(x), len(w)).T, dout)
    db = np.sum(dout, axis=0)
    return dx, dw, db
