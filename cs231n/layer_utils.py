"""Sandwich layers: combinations that networks use as one."""

from .layers import affine_backward, affine_forward, relu_backward, relu_forward

__all__ = ["affine_relu_forward", "affine_relu_backward"]


def affine_relu_forward(x, w, b):
    """Affine layer followed by a ReLU.

    Parameters
    ----------
    x : array (N, d_1, ..., d_k)
    w : array (D, M), D = d_1 · … · d_k
    b : array (M,)

    Returns
    -------
    out : array (N, M)
    cache : tuple
        For :func:`affine_relu_backward`.
    """
    a, affine_cache = affine_forward(x, w, b)
    out, relu_cache = relu_forward(a)
    return out, (affine_cache, relu_cache)


def affine_relu_backward(dout, cache, need_dx=True):
    """Gradients of :func:`affine_relu_forward`.

    Parameters
    ----------
    dout : array (N, M)
        Upstream gradient.
    cache : tuple
        From :func:`affine_relu_forward`.
    need_dx : bool
        With False, dx is not computed and is None.

    Returns
    -------
    dx : array (N, d_1, ..., d_k)
    dw : array (D, M)
    db : array (M,)
    """
    affine_cache, relu_cache = cache
    da = relu_backward(dout, relu_cache)
    return affine_backward(da, affine_cache, need_dx)
