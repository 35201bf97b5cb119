"""Dropout."""

import numpy as np

from .arguments import float_array, layer_mode, require_number, require_number_in, require_seed, require_shape

__all__ = ["dropout_forward", "dropout_backward"]


def dropout_forward(x, dropout_param):
    """Inverted dropout: in training each value is kept with probability p and divided by p, or set to 0.

    The division keeps the expected value of each output at x, so that test mode passes x on as it is.
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014), section 10 for the
    scaling at training time.

    Parameters
    ----------
    x : array of any shape
    dropout_param : dict
        mode ("train" or "test"), p (the probability to *keep* a value, above 0 and at most 1) and seed (optional: of
        NumPy's global random state, set before the mask is drawn, so that every call draws the same mask).

    Returns
    -------
    out : array of the shape of x
    cache : tuple
        For :func:`dropout_backward`.

    Raises
    ------
    ValueError
        If the mode is unknown, p is missing or out of its range, or the seed is none.
    """
    x = float_array("x", x)
    mode, p = layer_mode("dropout_param", dropout_param), dropout_param.get("p")
    require_number("dropout_param['p']", p, above=0, most=1)
    require_number_in("dropout_param['p']", p, x.dtype)
    if dropout_param.get("seed") is not None:
        require_seed("dropout_param['seed']", dropout_param["seed"])
    if mode == "test":
        return x, (dropout_param, np.broadcast_to(x.dtype.type(1), x.shape))
    if dropout_param.get("seed") is not None:
        np.random.seed(dropout_param["seed"])
    mask = np.array(np.random.rand(*x.shape) < p, dtype=x.dtype)
    mask /= float(p)
    return x * mask, (dropout_param, mask)


def dropout_backward(dout, cache):
    """Gradient of inverted dropout: what was kept passes its gradient on, divided by p.

    Parameters
    ----------
    dout : array of the shape of x
        Upstream gradient.
    cache : tuple
        From :func:`dropout_forward`.

    Returns
    -------
    dx : array of the shape of x
    """
    _, mask = cache
    dout = float_array("dout", dout)
    require_shape("dout", dout, mask.shape, "the shape of the layer's output")
    return dout * mask
