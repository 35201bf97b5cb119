"""Sandwich layers: combinations that networks use as one.

Each takes the arguments of its layers. Forward returns ``(out, cache)``; backward returns the gradients in the order
of the inputs. With ``need_dx=False`` the first of these, dx, is not computed and is None.
"""

from . import fast_layers, layers
from .fast_layers import *
from .layers import *

# The layers too: notebooks of the assignment get them from here.
__all__ = [
    "affine_relu_forward",
    "affine_relu_backward",
    "conv_relu_forward",
    "conv_relu_backward",
    "conv_bn_relu_forward",
    "conv_bn_relu_backward",
    "conv_relu_pool_forward",
    "conv_relu_pool_backward",
    *layers.__all__,
    *fast_layers.__all__,
]


def affine_relu_forward(x, w, b):
    """Affine layer followed by a ReLU: x (N, d_1, ..., d_k), w (D, M), b (M,) to out (N, M)."""
    a, affine_cache = affine_forward(x, w, b)
    out, relu_cache = relu_forward(a)
    return out, (affine_cache, relu_cache)


def affine_relu_backward(dout, cache, need_dx=True):
    """Gradients dx, dw, db of :func:`affine_relu_forward`."""
    affine_cache, relu_cache = cache
    da = relu_backward(dout, relu_cache)
    return affine_backward(da, affine_cache, need_dx)


def conv_relu_forward(x, w, b, conv_param):
    """Convolution followed by a ReLU: x (N, C, H, W), w (F, C, HH, WW), b (F,) to out (N, F, H_out, W_out)."""
    a, conv_cache = conv_forward_fast(x, w, b, conv_param)
    out, relu_cache = relu_forward(a)
    return out, (conv_cache, relu_cache)


def conv_relu_backward(dout, cache, need_dx=True):
    """Gradients dx, dw, db of :func:`conv_relu_forward`."""
    conv_cache, relu_cache = cache
    da = relu_backward(dout, relu_cache)
    return conv_backward_fast(da, conv_cache, need_dx)


def conv_bn_relu_forward(x, w, b, gamma, beta, conv_param, bn_param):
    """Convolution, spatial batch norm with gamma and beta (F,), and a ReLU; shapes as in :func:`conv_relu_forward`."""
    a, conv_cache = conv_forward_fast(x, w, b, conv_param)
    normalized, bn_cache = spatial_batchnorm_forward(a, gamma, beta, bn_param)
    out, relu_cache = relu_forward(normalized)
    return out, (conv_cache, bn_cache, relu_cache)


def conv_bn_relu_backward(dout, cache, need_dx=True):
    """Gradients dx, dw, db, dgamma, dbeta of :func:`conv_bn_relu_forward`."""
    conv_cache, bn_cache, relu_cache = cache
    dnormalized = relu_backward(dout, relu_cache)
    da, dgamma, dbeta = spatial_batchnorm_backward(dnormalized, bn_cache)
    return *conv_backward_fast(da, conv_cache, need_dx), dgamma, dbeta


def conv_relu_pool_forward(x, w, b, conv_param, pool_param):
    """Convolution, ReLU and max pooling, computed as convolution, max pooling, ReLU.

    The ReLU is monotonic, so the maximum of a window's ReLUs is the ReLU of its maximum: pooling first gives the same
    result and leaves fewer values for the ReLU. Gradients are the same too: where a window's maximum is positive, it is
    in the same place either way; where it is not, nothing passes either way.
    """
    a, conv_cache = conv_forward_fast(x, w, b, conv_param)
    s, pool_cache = max_pool_forward_fast(a, pool_param)
    out, relu_cache = relu_forward(s)
    return out, (conv_cache, pool_cache, relu_cache)


def conv_relu_pool_backward(dout, cache, need_dx=True):
    """Gradients dx, dw, db of :func:`conv_relu_pool_forward`."""
    conv_cache, pool_cache, relu_cache = cache
    ds = relu_backward(dout, relu_cache)
    da = max_pool_backward_fast(ds, pool_cache)
    return conv_backward_fast(da, conv_cache, need_dx)
