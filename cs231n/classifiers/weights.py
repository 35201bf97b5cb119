"""Weights of networks: their initial values and their L2 penalty."""

import numpy as np

from .. import initializers
from ..arguments import choice
from ..compute.blocks import in_blocks

__all__ = ["add_penalty", "initial_weights"]


def initial_weights(shape, weight_scale):
    """Random weights of a layer.

    Parameters
    ----------
    shape : tuple of int
        (fan_in, fan_out) or (F, C, HH, WW).
    weight_scale : float or {"xavier", "kaiming"}
        Standard deviation of Gaussian weights, or the initializer that derives it from the shape.
    """
    if isinstance(weight_scale, str):
        return getattr(initializers, choice("weight_scale", weight_scale, ("xavier", "kaiming")))(shape)
    return initializers.normal(shape, weight_scale)


def add_penalty(params, grads, reg):
    """Return the L2 penalty 0.5 · reg · Σ W² of the weights ``W1``, ``W2``, …, and add reg · W to their gradients.

    Parameters
    ----------
    params, grads : dict of arrays
        Of a network; those whose names do not begin with W are left alone.
    reg : float
    """
    if reg == 0:
        return 0.0

    def add_decay(dW, W):
        dW += reg * W

    penalty = 0.0
    for name, W in params.items():
        if name.startswith("W"):
            in_blocks(add_decay, grads[name], np.ascontiguousarray(W))
            penalty += 0.5 * reg * float(np.vdot(W, W))
    return penalty
