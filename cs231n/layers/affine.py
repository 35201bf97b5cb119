"""The affine (fully connected) layer."""

import numpy as np

from ..arguments import arrays, upstream
from ..compute.threads import matmul

__all__ = ["affine_forward", "affine_backward"]


def affine_forward(x, w, b):
    """Affine layer: out = x w + b, with each example of x flattened to a row.

    No argument is altered; out has the dtype of x.

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
        For :func:`affine_backward`; it may hold anything.
    """
    x, w, b = arrays("x (N, D...), w (D, M), b (M)", x, w, b)
    out = matmul(x.reshape(len(x), len(w)), w) + b
    return out, (x, w, b)


def affine_backward(dout, cache, need_dx=True):
    """Gradients of the affine layer.

    With X the flattened batch: dX = dout wᵀ, dw = Xᵀ dout, and db is the sum of dout over the batch. No argument
    is altered; the gradients have the dtype of what they belong to.

    Parameters
    ----------
    dout : array (N, M)
        Upstream gradient.
    cache : tuple
        From :func:`affine_forward`.
    need_dx : bool
        With False, dx is None: the first layer of a network has no use for the gradient of its input, which costs as
        much as the forward pass.

    Returns
    -------
    dx : array (N, d_1, ..., d_k)
    dw : array (D, M)
    db : array (M,)
    """
    x, w, b = cache
    dout = upstream(dout, (len(x), len(b)))
    dx = matmul(dout, w.T).reshape(x.shape) if need_dx else None
    dw = matmul(x.reshape(len(x), len(w)).T, dout)
    db = np.sum(dout, axis=0)
    return dx, dw, db
