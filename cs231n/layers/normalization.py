"""Batch, layer, group and instance normalization: one computation, over different axes.

Each brings its input to mean 0 and variance 1, x̂ = (x − μ) / √(σ² + ε), then scales and shifts it, out = γ x̂ + β.
They differ in the values that μ and σ² are taken over:

==============  ================  =======================================  ===============================
layer           input             μ and σ²: one for each                   γ and β: one for each
==============  ================  =======================================  ===============================
batch norm      (N, D)            feature, over the batch                  feature
batch norm      (N, C, H, W)      channel, over the batch and all places   channel
layer norm      (N, D)            example, over its features               feature
group norm      (N, C, H, W)      example and group of channels            channel
==============  ================  =======================================  ===============================

Instance norm is group norm with a channel to each group. Only batch norm makes examples depend on each other, so that
it alone needs running averages for the time after training.
"""

import numpy as np

from .arguments import (
    float_array,
    layer_mode,
    require_number,
    require_number_in,
    require_positive_integer,
    require_shape,
)

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

    Parameters
    ----------
    x : array
    axes : tuple of int
        At least one value must lie along them.
    eps : float

    Returns
    -------
    x_hat : array of the shape of x
    mean, var, inv_std : arrays
        μ (float64), σ² and 1 / √(σ² + ε), which keep ``axes`` with length 1.
    """
    mean = x.mean(axis=axes, keepdims=True)
    centred = x - mean
    # Far from 0, μ is rounded coarsely. The mean of what is left is small, and so it is known to more digits.
    rest = centred.mean(axis=axes, keepdims=True)
    centred -= rest
    var = np.mean(centred * centred, axis=axes, keepdims=True)
    inv_std = 1 / np.sqrt(var + eps)
    centred *= inv_std
    return centred, mean.astype(np.float64) + rest, var, inv_std


def scale_and_shift(x_hat, gamma, beta):
    """γ x̂ + β, in one new array."""
    out = gamma * x_hat
    out += beta
    return out


def normalize_backward(dout, cache):
    """Gradients of ``out = gamma * x_hat + beta`` with :func:`normalize`'s x̂.

    With g = γ · dout: dx = (g − mean(g) − x̂ · mean(g x̂)) / √(σ² + ε), the means over ``axes``. The two that are
    subtracted are what x̂ cannot follow: shifting all of x, or stretching it, leaves x̂ as it is.

    Parameters
    ----------
    dout : array of the shape of x_hat
        Upstream gradient.
    cache : tuple
        ``(x_hat, inv_std, gamma, axes)``; gamma has length 1 along the axes that share its values. Without ``axes``
        (None), μ and σ² are constants.

    Returns
    -------
    dx : array of the shape of x_hat
    dgamma, dbeta : arrays of the shape of gamma
    """
    x_hat, inv_std, gamma, axes = cache
    shared = tuple(axis for axis, length in enumerate(gamma.shape) if length == 1)
    dgamma = np.sum(dout * x_hat, axis=shared, keepdims=True)
    dbeta = np.sum(dout, axis=shared, keepdims=True)
    dx = dout * gamma
    if axes is not None:
        dx -= dx.mean(axis=axes, keepdims=True)
        dx -= x_hat * np.mean(dx * x_hat, axis=axes, keepdims=True)
    dx *= inv_std
    return dx, dgamma, dbeta


# What all of them ask of their arguments


def _inputs(x, gamma, beta, layout, parameter_shape):
    """The three as floating-point arrays, x with the axes that ``layout`` names, gamma and beta as wide as x."""
    x, gamma, beta = float_array("x", x), float_array("gamma", gamma), float_array("beta", beta)
    if x.ndim != layout.count(",") + 1 or 0 in x.shape[1:]:
        raise ValueError(f"x must have shape {layout}, with at least one value to an example, got {x.shape}")
    shape = parameter_shape(x.shape[1])
    for name, parameter in (("gamma", gamma), ("beta", beta)):
        require_shape(name, parameter, shape, f"one for each of the {x.shape[1]} along axis 1 of x")
    return x, gamma, beta


def _upstream(dout, cache):
    dout = float_array("dout", dout)
    require_shape("dout", dout, cache[1], "the shape of the layer's output")
    return dout


def _backward(dout, cache):
    """:func:`normalize_backward`, from the layer's shapes to the core's and back."""
    core, x_shape, gamma_shape = cache
    dout = _upstream(dout, cache).reshape(core[0].shape)
    dx, dgamma, dbeta = normalize_backward(dout, core)
    return dx.reshape(x_shape), dgamma.reshape(gamma_shape), dbeta.reshape(gamma_shape)


def _epsilon(name, param, x):
    if not isinstance(param, dict):
        raise TypeError(f"{name} must be a dictionary, got {type(param).__name__}")
    eps = param.get("eps", 1e-5)
    require_number(f"{name}['eps']", eps, above=0)
    require_number_in(f"{name}['eps']", eps, x.dtype)
    return float(eps)


# Batch norm


def _batchnorm(x, gamma, beta, bn_param):
    """Batch norm of x (N, D, …) with statistics over all axes but that of the D features."""
    D = x.shape[1]
    eps, mode = _epsilon("bn_param", bn_param, x), layer_mode("bn_param", bn_param)
    momentum = bn_param.get("momentum", 0.9)
    require_number("bn_param['momentum']", momentum, least=0, most=1)
    momentum = float(momentum)
    running_mean, running_var = (_running(bn_param, name, D) for name in ("running_mean", "running_var"))

    wide = (1, D, *[1] * (x.ndim - 2))
    gamma, beta = gamma.reshape(wide), beta.reshape(wide)
    if mode == "test":
        if running_mean is None or running_var is None:
            raise ValueError(
                "bn_param must hold running_mean and running_var in test mode: "
                "run the layer in training mode first"
            )
        mean, inv_std = running_mean.reshape(wide), 1 / np.sqrt(running_var.reshape(wide) + eps)
        x_hat = ((x - mean) * inv_std).astype(x.dtype, copy=False)
        return scale_and_shift(x_hat, gamma, beta), ((x_hat, inv_std, gamma, None), x.shape, (D,))

    if x.size < 2 * D:
        raise ValueError(
            "x must hold at least two values of each feature in training mode "
            f"(one alone has no spread to divide by), got shape {x.shape}"
        )
    axes = (0, *range(2, x.ndim))
    x_hat, mean, var, inv_std = normalize(x, axes, eps)
    for name, old, new in (("running_mean", running_mean, mean), ("running_var", running_var, var)):
        old = np.zeros(D) if old is None else old
        bn_param[name] = momentum * old + (1 - momentum) * new.reshape(D)
    return scale_and_shift(x_hat, gamma, beta), ((x_hat, inv_std, gamma, axes), x.shape, (D,))


def _running(bn_param, name, D):
    """A running average as an array, None before the first batch."""
    if bn_param.get(name) is None:
        return None
    average = float_array(f"bn_param['{name}']", bn_param[name])
    require_shape(f"bn_param['{name}']", average, (D,), "one for each feature")
    if name == "running_var" and average.min() < 0:
        raise ValueError(f"bn_param['running_var'] must hold no negative variance, got {average.min()}")
    return average


def batchnorm_forward(x, gamma, beta, bn_param):
    """Batch normalization: each feature gets mean β and standard deviation γ over the batch.

    In training mode, μ and σ² are those of the mini-batch (σ² divided by N, not N − 1), and the running averages in
    bn_param take a step towards them: ``running = momentum * running + (1 - momentum) * sample``. In test mode the
    running averages take their place, and bn_param is left as it is.
    Ioffe and Szegedy, "Batch normalization" (2015), algorithm 1.

    Parameters
    ----------
    x : array (N, D)
        In training mode, N is at least 2.
    gamma, beta : array (D,)
        Scale and shift.
    bn_param : dict
        mode ("train" or "test"), eps (ε, default 1e-5), momentum (default 0.9), running_mean and running_var
        (arrays (D,), start at 0; kept in float64, so that averages far from 0 do not stop moving).

    Returns
    -------
    out : array (N, D)
    cache : tuple
        For :func:`batchnorm_backward` and :func:`batchnorm_backward_alt`.

    Raises
    ------
    ValueError
        If the shapes do not agree, an entry of bn_param is out of its range, or the mode asks for what is not there:
        for a spread, of a batch of one; for running averages, before the first batch.
    """
    return _batchnorm(*_inputs(x, gamma, beta, "(N, D)", lambda D: (D,)), bn_param)


def batchnorm_backward(dout, cache):
    """Gradients of batch normalization, node by node through its computation graph.

    x → μ → c = x − μ → s = c² → v = mean(s) → σ = √(v + ε) → r = 1/σ → x̂ = c · r → out = γ x̂ + β

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
    (x_hat, r, gamma, axes), *_ = cache
    dout = _upstream(dout, cache)
    N = len(dout)
    # out = γ x̂ + β
    dbeta = dout.sum(axis=0)
    dgamma = np.sum(dout * x_hat, axis=0)
    dx_hat = dout * gamma
    # x̂ = c · r
    c = x_hat / r
    dc = dx_hat * r
    if axes is None:  # test mode: μ and r are constants
        return dc, dgamma, dbeta
    dr = np.sum(dx_hat * c, axis=0)
    # r = 1/σ
    dsigma = -(r**2) * dr
    # σ = √(v + ε)
    dv = 0.5 * r * dsigma
    # v = mean(s)
    ds = np.ones_like(c) * dv / N
    # s = c², and c has now been reached both ways
    dc = dc + 2 * c * ds
    # c = x − μ
    dmu = -dc.sum(axis=0)
    # μ = mean(x)
    return dc + dmu / N, dgamma, dbeta


def batchnorm_backward_alt(dout, cache):
    """Gradients of batch normalization in closed form; see :func:`normalize_backward`.

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
    return _backward(dout, cache)


def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    """Batch normalization of images: each channel, over the batch and all places.

    A convolution applies one filter at every place, and so all places of a channel share their statistics.

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

    Raises
    ------
    ValueError
        As for :func:`batchnorm_forward`.
    """
    return _batchnorm(*_inputs(x, gamma, beta, "(N, C, H, W)", lambda C: (C,)), bn_param)


def spatial_batchnorm_backward(dout, cache):
    """Gradients of batch normalization of images.

    Parameters
    ----------
    dout : array (N, C, H, W)
        Upstream gradient.
    cache : tuple
        From :func:`spatial_batchnorm_forward`.

    Returns
    -------
    dx : array (N, C, H, W)
    dgamma, dbeta : array (C,)
    """
    return _backward(dout, cache)


# Layer and group norm


def layernorm_forward(x, gamma, beta, ln_param):
    """Layer normalization: mean 0 and variance 1 over the features of each example, then γ and β for each feature.

    The same in training and in test mode, and for a batch of one.
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

    Raises
    ------
    ValueError
        If the shapes do not agree, or eps is not above 0.
    """
    x, gamma, beta = _inputs(x, gamma, beta, "(N, D)", lambda D: (D,))
    x_hat, _, _, inv_std = normalize(x, (1,), _epsilon("ln_param", ln_param, x))
    return scale_and_shift(x_hat, gamma, beta), ((x_hat, inv_std, gamma[np.newaxis], (1,)), x.shape, gamma.shape)


def layernorm_backward(dout, cache):
    """Gradients of layer normalization; see :func:`normalize_backward`.

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
    return _backward(dout, cache)


def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
    """Group normalization: mean 0 and variance 1 over each example's groups of C/G channels, all places together.

    With G = 1 it is layer norm of the whole image, with G = C instance norm.
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

    Raises
    ------
    ValueError
        If the shapes do not agree, G does not divide C, or eps is not above 0.
    """
    x, gamma, beta = _inputs(x, gamma, beta, "(N, C, H, W)", lambda C: (1, C, 1, 1))
    N, C, H, W = x.shape
    require_positive_integer("G", G)
    if C % G:
        raise ValueError(f"G must divide the number of channels, got G = {G} for {C} channels")
    grouped, axes = (G, C // G), (2, 3, 4)
    x_hat, _, _, inv_std = normalize(x.reshape(N, *grouped, H, W), axes, _epsilon("gn_param", gn_param, x))
    out = scale_and_shift(x_hat.reshape(x.shape), gamma, beta)
    return out, ((x_hat, inv_std, gamma.reshape(1, *grouped, 1, 1), axes), x.shape, gamma.shape)


def spatial_groupnorm_backward(dout, cache):
    """Gradients of group normalization; see :func:`normalize_backward`.

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
    return _backward(dout, cache)
