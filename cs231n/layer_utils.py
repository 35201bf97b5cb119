"""Sandwich layers: combinations that networks use as one."""

from .fast_layers import conv_backward_fast, conv_forward_fast, max_pool_backward_fast, max_pool_forward_fast
from .layers import (
    affine_backward,
    affine_forward,
    relu_backward,
    relu_forward,
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
)

__all__ = [
    "affine_relu_forward",
    "affine_relu_backward",
    "conv_relu_forward",
    "conv_relu_backward",
    "conv_bn_relu_forward",
    "conv_bn_relu_backward",
    "conv_relu_pool_forward",
    "conv_relu_pool_backward",
]


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


def conv_relu_forward(x, w, b, conv_param):
    """Convolution followed by a ReLU.

    Parameters
    ----------
    x : array (N, C, H, W)
    w : array (F, C, HH, WW)
    b : array (F,)
    conv_param : dict
        stride and pad.

    Returns
    -------
    out : array (N, F, H_out, W_out)
    cache : tuple
        For :func:`conv_relu_backward`.
    """
    a, conv_cache = conv_forward_fast(x, w, b, conv_param)
    out, relu_cache = relu_forward(a)
    return out, (conv_cache, relu_cache)


def conv_relu_backward(dout, cache, need_dx=True):
    """Gradients of :func:`conv_relu_forward`.

    Parameters
    ----------
    dout : array (N, F, H_out, W_out)
        Upstream gradient.
    cache : tuple
        From :func:`conv_relu_forward`.
    need_dx : bool
        With False, dx is not computed and is None.

    Returns
    -------
    dx : array (N, C, H, W)
    dw : array (F, C, HH, WW)
    db : array (F,)
    """
    conv_cache, relu_cache = cache
    da = relu_backward(dout, relu_cache)
    return conv_backward_fast(da, conv_cache, need_dx)


def conv_bn_relu_forward(x, w, b, gamma, beta, conv_param, bn_param):
    """Convolution followed by spatial batch norm and a ReLU.

    Parameters
    ----------
    x : array (N, C, H, W)
    w : array (F, C, HH, WW)
    b, gamma, beta : array (F,)
    conv_param : dict
        stride and pad.
    bn_param : dict
        As for :func:`~cs231n.layers.normalization.spatial_batchnorm_forward`.

    Returns
    -------
    out : array (N, F, H_out, W_out)
    cache : tuple
        For :func:`conv_bn_relu_backward`.
    """
    a, conv_cache = conv_forward_fast(x, w, b, conv_param)
    normalized, bn_cache = spatial_batchnorm_forward(a, gamma, beta, bn_param)
    out, relu_cache = relu_forward(normalized)
    return out, (conv_cache, bn_cache, relu_cache)


def conv_bn_relu_backward(dout, cache, need_dx=True):
    """Gradients of :func:`conv_bn_relu_forward`.

    Parameters
    ----------
    dout : array (N, F, H_out, W_out)
        Upstream gradient.
    cache : tuple
        From :func:`conv_bn_relu_forward`.
    need_dx : bool
        With False, dx is not computed and is None.

    Returns
    -------
    dx : array (N, C, H, W)
    dw : array (F, C, HH, WW)
    db, dgamma, dbeta : array (F,)
    """
    conv_cache, bn_cache, relu_cache = cache
    dnormalized = relu_backward(dout, relu_cache)
    da, dgamma, dbeta = spatial_batchnorm_backward(dnormalized, bn_cache)
    return *conv_backward_fast(da, conv_cache, need_dx), dgamma, dbeta


def conv_relu_pool_forward(x, w, b, conv_param, pool_param):
    """Convolution followed by a ReLU and max pooling.

    The ReLU is taken after the pooling, of fewer values: max(0, ·) never falls, so the largest of its values is its
    value of the largest. Gradients are the same too: where a window's maximum is positive, so is its first place;
    where it is not, nothing passes either way.

    Parameters
    ----------
    x : array (N, C, H, W)
    w : array (F, C, HH, WW)
    b : array (F,)
    conv_param : dict
        stride and pad.
    pool_param : dict
        pool_height, pool_width and stride.

    Returns
    -------
    out : array (N, F, H_out, W_out)
    cache : tuple
        For :func:`conv_relu_pool_backward`.
    """
    a, conv_cache = conv_forward_fast(x, w, b, conv_param)
    s, pool_cache = max_pool_forward_fast(a, pool_param)
    out, relu_cache = relu_forward(s)
    return out, (conv_cache, pool_cache, relu_cache)


def conv_relu_pool_backward(dout, cache, need_dx=True):
    """Gradients of :func:`conv_relu_pool_forward`.

    Parameters
    ----------
    dout : array (N, F, H_out, W_out)
        Upstream gradient.
    cache : tuple
        From :func:`conv_relu_pool_forward`.
    need_dx : bool
        With False, dx is not computed and is None.

    Returns
    -------
    dx : array (N, C, H, W)
    dw : array (F, C, HH, WW)
    db : array (F,)
    """
    conv_cache, pool_cache, relu_cache = cache
    ds = relu_backward(dout, relu_cache)
    da = max_pool_backward_fast(ds, pool_cache)
    return conv_backward_fast(da, conv_cache, need_dx)
