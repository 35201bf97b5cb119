"""Batch, layer, group and instance normalization: one computation, over different axes.

Each brings its input to mean 0 and variance 1, x̂ = (x − μ) / √(σ² + ε), then scales and shifts it: out = γ x̂ + β.
They differ in the values that μ and σ² are taken over:

==============  ================  =======================================  ===============================
layer           input             μ and σ²: one for each                   γ and β: one for each
==============  ================  =======================================  ===============================
batch norm      (N, D)            feature, over the batch                  feature
batch norm      (N, C, H, W)      channel, over batch and positions        channel
layer norm      (N, D)            example, over its features               feature
group norm      (N, C, H, W)      example and group of channels            channel
==============  ================  =======================================  ===============================

Instance norm is group norm with one channel per group. Only batch norm makes examples depend on each other, so
it alone needs running averages for test mode.
"""

import numpy as np

from ..arguments import arrays, batchnorm_arguments, epsilon, groupnorm_arguments, require_variance, upstream

__all__ = [
    "batchnorm_forward",
    "batchnorm_backward",
    "batchnorm_backward_alt",
    "layernorm_forward",
    "layernorm_backward",
    "spatial_batchnorm_forward",
    "spatial_batchnorm_backward",
    "spatial_groupnorm_forward",
    "spatial_groupnorm_backward",
]


# The core


def normalize(x, axes, eps):
    """x̂ = (x − μ) / √(σ² + ε) with the mean μ and the variance σ² over ``axes``.

    The statistics are float64: float32 would lose digits of a mean far from 0, and in float16 the variance of values
    in the hundreds would overflow.

    Parameters
    ----------
    x : array
    axes : tuple of int
    eps : float

    Returns
    -------
    x_hat : array of the shape and dtype of x
    mean, var, inv_std : float64 arrays
        μ, σ² and 1 / √(σ² + ε), in which ``axes`` have length 1.
    """
    mean = np.mean(x, axis=axes, keepdims=True, dtype=np.float64)
    centred = (x - mean).astype(x.dtype, copy=False)
    with np.errstate(over="ignore"):  # an error in the next line
        var = np.mean(np.square(centred, dtype=np.float64), axis=axes, keepdims=True)
    require_variance(var, x)
    std = np.sqrt(var + eps)
    x_hat = np.divide(centred, std.astype(x.dtype), out=centred)
    return x_hat, mean, var, 1 / std


def normalize_backward(dx_hat, x_hat, inv_std, axes):
    """Gradient of :func:`normalize`: dx = (g − mean(g) − x̂ · mean(g x̂)) / √(σ² + ε) with g = dx̂.

    The means are over ``axes``. Shifting all of x, or stretching it away from its mean, does not change x̂, so the
    gradient has no component along either: the two subtracted terms take these out.

    Parameters
    ----------
    dx_hat : array of the shape of x_hat
        Upstream gradient.
    x_hat, inv_std : arrays
        From :func:`normalize`.
    axes : tuple of int or None
        None where μ and σ² are constants: then dx = g / √(σ² + ε).

    Returns
    -------
    dx : array of the shape of x_hat
    """
    dx = dx_hat
    if axes is not None:
        dx = dx_hat - dx_hat.mean(axis=axes, keepdims=True)
        dx -= x_hat * np.mean(dx_hat * x_hat, axis=axes, keepdims=True)
    return dx * inv_std.astype(dx_hat.dtype)


def normalize_batch(x, axes, settings, bn_param):
    """x̂ of batch norm: by the statistics of the batch, or in test mode by their running averages.

    In training, the running averages in ``bn_param`` take a step: running ← momentum · running + (1 − momentum) · new.
    ``settings`` is from :func:`~cs231n.arguments.batchnorm_arguments`; ``axes`` are all but that of the features.
    Returns x̂, 1 / √(σ² + ε), and the axes over which the statistics depend on x: None in test mode.
    """
    if settings.mode == "test":
        mean = np.expand_dims(settings.running_mean, axes)
        var = np.expand_dims(settings.running_var, axes)
        inv_std = 1 / np.sqrt(var + settings.eps)
        return ((x - mean) * inv_std).astype(x.dtype, copy=False), inv_std, None
    x_hat, mean, var, inv_std = normalize(x, axes, settings.eps)
    momentum = settings.momentum
    bn_param["running_mean"] = momentum * settings.running_mean + (1 - momentum) * np.squeeze(mean, axes)
    bn_param["running_var"] = momentum * settings.running_var + (1 - momentum) * np.squeeze(var, axes)
    return x_hat, inv_std, axes


# Batch norm


def batchnorm_forward(x, gamma, beta, bn_param):
    """Batch normalization: each feature gets mean β and standard deviation γ over the batch.

    In training mode, μ and σ² are those of the mini-batch (σ² divided by N, not N − 1), and the running averages in
    bn_param take a step towards them: ``running = momentum * running + (1 - momentum) * sample``. In test mode the
    running averages take their place, and bn_param is left as it is. No array is altered; out has the dtype of x.
    Ioffe and Szegedy, "Batch normalization" (2015), algorithm 1.

    Parameters
    ----------
    x : array (N, D)
        In training mode, N is at least 2.
    gamma, beta : array (D,)
        Scale and shift.
    bn_param : dict
        mode ("train" or "test"), eps (ε, default 1e-5), momentum (default 0.9), running_mean and running_var: arrays
        (D,), filled in by training mode, in this dictionary itself. Before the first batch they are missing or None,
        and count as 0.

    Returns
    -------
    out : array (N, D)
    cache : tuple
        For :func:`batchnorm_backward` and :func:`batchnorm_backward_alt`.

    Raises
    ------
    ValueError
        If the batch has fewer than two examples in training mode.
    """
    x, gamma, beta, settings = batchnorm_arguments("x (N, D), gamma (D), beta (D)", x, gamma, beta, bn_param)
    x_hat, inv_std, axes = normalize_batch(x, (0,), settings, bn_param)
    out = gamma * x_hat + beta
    return out, (x_hat, inv_std, gamma, axes)


def batchnorm_backward(dout, cache):
    """Gradients of batch normalization, node by node through its computation graph.

    x → μ → c = x − μ → s = c² → v = mean(s) → std = √(v + ε) → r = 1/std → x̂ = c · r → out = γ x̂ + β
    In test mode μ and σ are constants. The gradients have the dtype of dout.

    Parameters
    ----------
    dout : array (N, D)
        Upstream gradient.
    cache : tuple
        From :func:`batchnorm_forward`.

    Returns
    -------
    dx : array (N, D)
    dgamma, dbeta : array (D,)
    """
    x_hat, r, gamma, axes = cache
    dout = upstream(dout, x_hat.shape)
    r = r.astype(np.result_type(dout, np.float32))  # float16 could not hold r²
    # out = γ x̂ + β
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * x_hat, axis=0)
    dx_hat = dout * gamma
    # x̂ = c · r
    c = x_hat / r
    dc = dx_hat * r
    if axes is None:  # test mode: μ and r are constants
        return dc.astype(dout.dtype, copy=False), dgamma, dbeta
    dr = np.sum(dx_hat * c, axis=0)
    # r = 1/std
    dstd = -(r**2) * dr
    # std = √(v + ε)
    dv = 0.5 * r * dstd
    # v = mean(s)
    ds = np.ones_like(c) * dv / len(c)
    # s = c², and c has now been reached both ways
    dc = dc + 2 * c * ds
    # c = x − μ
    dmu = -np.sum(dc, axis=0)
    # μ = mean(x)
    dx = dc + dmu / len(c)
    return dx.astype(dout.dtype, copy=False), dgamma, dbeta


def batchnorm_backward_alt(dout, cache):
    """Gradients of batch normalization in closed form; see :func:`normalize_backward`.

    Arguments and results are those of :func:`~cs231n.layers.batchnorm_backward`.
    """
    x_hat, inv_std, gamma, axes = cache
    dout = upstream(dout, x_hat.shape)
    dgamma = np.sum(dout * x_hat, axis=0)
    dbeta = np.sum(dout, axis=0)
    dx = normalize_backward(dout * gamma, x_hat, inv_std, axes)
    return dx, dgamma, dbeta


def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    """Batch normalization of images: each channel, over the batch and all positions.

    A convolution applies one filter at every position, and so all positions of a channel share their statistics.
    x is not altered; out has its dtype.

    Parameters
    ----------
    x : array (N, C, H, W)
    gamma, beta : array (C,)
    bn_param : dict
        As for :func:`batchnorm_forward`, with running averages of shape (C,).

    Returns
    -------
    out : array (N, C, H, W)
    cache : tuple
        For :func:`spatial_batchnorm_backward`.
    """
    x, gamma, beta, settings = batchnorm_arguments("x (N, C, H, W), gamma (C), beta (C)", x, gamma, beta, bn_param)
    x_hat, inv_std, axes = normalize_batch(x, (0, 2, 3), settings, bn_param)
    gamma = gamma.reshape(1, -1, 1, 1)
    out = gamma * x_hat + beta.reshape(1, -1, 1, 1)
    return out, (x_hat, inv_std, gamma, axes)


def spatial_batchnorm_backward(dout, cache):
    """Gradients of batch normalization of images.

    They have the dtype of dout.

    Parameters
    ----------
    dout : array (N, C, H, W)
    cache : tuple
        From :func:`spatial_batchnorm_forward`.

    Returns
    -------
    dx : array (N, C, H, W)
    dgamma, dbeta : array (C,)
    """
    x_hat, inv_std, gamma, axes = cache
    dout = upstream(dout, x_hat.shape)
    dgamma = np.sum(dout * x_hat, axis=(0, 2, 3))
    dbeta = np.sum(dout, axis=(0, 2, 3))
    dx = normalize_backward(dout * gamma, x_hat, inv_std, axes)
    return dx, dgamma, dbeta


# Layer and group norm


def layernorm_forward(x, gamma, beta, ln_param):
    """Layer normalization: mean 0 and variance 1 over the features of each example, then γ and β for each feature.

    The same in training and in test mode, and for a batch of one. x is not altered; out has its dtype.
    Ba, Kiros and Hinton, "Layer normalization" (2016), section 3.

    Parameters
    ----------
    x : array (N, D)
    gamma, beta : array (D,)
        Scale and shift.
    ln_param : dict
        eps (ε, default 1e-5).

    Returns
    -------
    out : array (N, D)
    cache : tuple
        For :func:`layernorm_backward`.
    """
    (x, gamma, beta), eps = arrays("x (N, D), gamma (D), beta (D)", x, gamma, beta), epsilon("ln_param", ln_param)
    x_hat, _, _, inv_std = normalize(x, (1,), eps)
    out = gamma * x_hat + beta
    return out, (x_hat, inv_std, gamma)


def layernorm_backward(dout, cache):
    """Gradients of layer normalization; see :func:`normalize_backward`.

    They have the dtype of dout.

    Parameters
    ----------
    dout : array (N, D)
        Upstream gradient.
    cache : tuple
        From :func:`layernorm_forward`.

    Returns
    -------
    dx : array (N, D)
    dgamma, dbeta : array (D,)
    """
    x_hat, inv_std, gamma = cache
    dout = upstream(dout, x_hat.shape)
    dgamma = np.sum(dout * x_hat, axis=0)
    dbeta = np.sum(dout, axis=0)
    dx = normalize_backward(dout * gamma, x_hat, inv_std, axes=(1,))
    return dx, dgamma, dbeta


def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
    """Group normalization: mean 0 and variance 1 over each example's groups of C/G channels, all positions together.

    With G = 1 it is layer norm of the whole image, with G = C instance norm. x is not altered; out has its dtype.
    Wu and He, "Group normalization" (2018), section 3.

    Parameters
    ----------
    x : array (N, C, H, W)
    gamma, beta : array (1, C, 1, 1)
        Scale and shift of each channel.
    G : int
        Number of groups, a divisor of C.
    gn_param : dict
        eps (ε, default 1e-5).

    Returns
    -------
    out : array (N, C, H, W)
    cache : tuple
        For :func:`spatial_groupnorm_backward`.
    """
    x, gamma, beta, G, eps = groupnorm_arguments(x, gamma, beta, G, gn_param)
    N, C, H, W = x.shape
    x_hat, _, _, inv_std = normalize(x.reshape(N, G, C // G, H, W), (2, 3, 4), eps)
    out = gamma * x_hat.reshape(x.shape) + beta
    return out, (x_hat, inv_std, gamma)


def spatial_groupnorm_backward(dout, cache):
    """Gradients of group normalization; see :func:`normalize_backward`.

    They have the dtype of dout.

    Parameters
    ----------
    dout : array (N, C, H, W)
        Upstream gradient.
    cache : tuple
        From :func:`spatial_groupnorm_forward`.

    Returns
    -------
    dx : array (N, C, H, W)
    dgamma, dbeta : array (1, C, 1, 1)
    """
    x_hat, inv_std, gamma = cache
    N, G, width, H, W = x_hat.shape
    dout = upstream(dout, (N, G * width, H, W))
    dgamma = np.sum(dout * x_hat.reshape(dout.shape), axis=(0, 2, 3), keepdims=True)
    dbeta = np.sum(dout, axis=(0, 2, 3), keepdims=True)
    dx = normalize_backward((dout * gamma).reshape(x_hat.shape), x_hat, inv_std, axes=(2, 3, 4))
    return dx.reshape(dout.shape), dgamma, dbeta
