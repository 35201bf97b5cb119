"""Weights of networks: how they start, and what their size costs."""

import numpy as np

from .. import initializers
from ..blocks import in_blocks
from ..layers.arguments import require_number, require_shape, require_type

__all__ = ["add_penalty", "initial_weights"]


def initial_weights(shape, weight_scale):
    """Random weights of a layer.

    Parameters
    ----------
    shape : tuple of int
        (fan_in, fan_out) or (F, C, HH, WW).
    weight_scale : float or {"xavier", "kaiming"}
        Standard deviation of Gaussian weights, or the initializer that derives it from the shape.

    Returns
    -------
    array of ``shape``, float64

    Raises
    ------
    ValueError
        If weight_scale is neither.
    """
    if isinstance(weight_scale, str):
        if weight_scale not in ("xavier", "kaiming"):
            raise ValueError(f'weight_scale must be a number, "xavier" or "kaiming", got {weight_scale!r}')
        return getattr(initializers, weight_scale)(shape)
    require_number("weight_scale", weight_scale, least=0)
    return initializers.normal(shape, float(weight_scale))


def add_penalty(params, grads, reg):
    """The L2 penalty 0.5 · reg · Σ W² of the weights ``W1``, ``W2``, …; adds its gradient, reg · W, to theirs.

    Parameters
    ----------
    params, grads : dict of arrays
        Of a network; those whose names do not begin with W have no part.
    reg : float

    Returns
    -------
    float
        The penalty.
    """
    require_type("params", params, dict, "a dictionary of arrays")
    require_type("grads", grads, dict, "a dictionary of arrays")
    require_number("reg", reg, least=0)
    for name in filter(_is_weight, params):
        shape = np.shape(params[name])
        require_shape(f"grads[{name!r}]", np.asarray(grads.get(name)), shape, f"that of params[{name!r}]")
    reg = float(reg)
    if reg == 0:
        return 0.0

    def add_decay(dW, W):
        dW += reg * W

    penalty = 0.0
    for name, W in params.items():
        if _is_weight(name):
            in_blocks(add_decay, grads[name], np.ascontiguousarray(W))
            penalty += 0.5 * reg * float(np.vdot(W, W))
    return penalty


def _is_weight(name):
    return name.startswith("W")
