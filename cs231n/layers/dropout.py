"""Dropout."""

import numpy as np

from ..arguments import dropout_arguments, upstream

__all__ = ["dropout_forward", "dropout_backward"]


def dropout_forward(x, dropout_param):
    """Inverted dropout: in training each value is kept with probability p and divided by p, or set to 0.

    The division keeps the expected value of each output equal to x, so that test mode can return x unchanged. The mask
    is ``np.random.rand(*x.shape) < p``, from NumPy's global random state. x is not altered; out has its dtype.
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014); section 10 has the
    scaling at training time.

    Parameters
    ----------
    x : array (N, d_1, ..., d_k)
    dropout_param : dict
        mode ("train" or "test"), p (the probability of *keeping* a value, above 0 and at most 1) and seed (optional:
        ``np.random.seed(seed)`` before the mask is drawn, so that every call draws the same mask).

    Returns
    -------
    out : array of the shape of x
    cache : tuple
        For :func:`dropout_backward`.

    Raises
    ------
    ValueError
        If p is missing, not above 0 or above 1, or mode is neither "train" nor "test".
    """
    x, mode, p, seed = dropout_arguments(x, dropout_param)
    if mode == "test":
        return x, (dropout_param, np.broadcast_to(x.dtype.type(1), x.shape))
    if seed is not None:
        np.random.seed(seed)
    mask = np.multiply(np.random.rand(*x.shape) < p, 1 / p, dtype=x.dtype)
    return x * mask, (dropout_param, mask)


def dropout_backward(dout, cache):
    """Gradient of inverted dropout: a value that was kept passes its gradient on, divided by p.

    In test mode the gradient passes unchanged. dx has the dtype of dout.

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
    dout = upstream(dout, mask.shape)
    return dout * mask
