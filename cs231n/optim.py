"""First-order update rules.

Each is called as ``next_w, config = rule(w, dw, config)``. Hyperparameters that ``config`` lacks are filled in with
their defaults; what a rule remembers from step to step (velocity, running averages, the number of steps) lives there
too. No array that is passed in is altered, unless ``out`` asks for it: then the new weights are written there, ``w``
itself allowed, and the arrays in ``config`` are updated where they are, so that a step allocates nothing of the
weights' size. The state has the type of the weights; that of float16 weights, and their update, is float32. An
epsilon of 0, or that this type rounds to 0, gives NaN where all gradients were 0.

The functions below read as the formulas, for the weights w and the gradient g = dw; the decorator does the rest.
"""

import functools
import inspect
import math
import numbers

import numpy as np

from .blocks import in_blocks
from .layers.arguments import as_float, float_array

__all__ = ["sgd", "sgd_momentum", "nesterov_momentum", "rmsprop", "adam", "adamw"]

_BELOW_ONE = {"momentum", "decay_rate", "beta1", "beta2"}


def _hyperparameter(config, name):
    if not isinstance(config[name], numbers.Real):
        raise TypeError(f"config['{name}'] must be a number, got {config[name]!r}")
    value = as_float(config[name])
    limit = 1 if name in _BELOW_ONE else math.inf
    if not 0 <= value < limit:
        what = "at least 0 and less than 1" if limit == 1 else "at least 0 and finite"
        raise ValueError(f"config['{name}'] must be {what}, got {config[name]!r}")
    if name == "t" and value % 1:
        raise ValueError(f"config['t'] must be a whole number of steps, got {config[name]!r}")
    return value


def _state(config, name, w, dtype, in_place):
    """The array ``config[name]``, zeros at the first step: itself where it may be overwritten, else a copy."""
    if config.get(name) is None:
        return np.zeros(w.shape, dtype)
    array = float_array(f"config['{name}']", config[name])
    if array.shape != w.shape:
        raise ValueError(f"config['{name}'] must have the shape of w, {w.shape}, got {array.shape}")
    if in_place and array.dtype == dtype and array.flags.carray:
        return array
    return np.array(array, dtype=dtype, order="C")


def _target(w, out):
    """The array that receives the new weights, holding the old ones."""
    if out is None:
        return np.array(w, order="C")
    if not isinstance(out, np.ndarray) or (out.shape, out.dtype) != (w.shape, w.dtype) or not out.flags.carray:
        got = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ValueError(f"out must be a C-contiguous, writeable array like w, {w.dtype} {w.shape}, got {got}")
    if out is not w:
        np.copyto(out, w)
    return out


def _update_rule(*state, **defaults):
    """Make an update rule of a formula ``rule(w, g, *state, **hyperparameters)`` that works elementwise in place.

    ``state`` names the arrays that live in config; a default ``t=0`` makes the rule count its steps, from 1.
    """

    def decorate(formula):
        @functools.wraps(formula)
        def rule(w, dw, config=None, *, out=None):
            w = w if isinstance(w, np.ndarray) else float_array("w", w)
            if w.dtype.kind != "f":
                raise TypeError(f"w must be a floating-point array, got dtype {w.dtype}")
            dw = float_array("dw", dw)
            if dw.shape != w.shape:
                raise ValueError(f"dw must have the shape of w, {w.shape}, got {dw.shape}")
            if config is None:
                config = {}
            if not isinstance(config, dict):
                raise TypeError(f"config must be a dictionary or None, got {type(config).__name__}")
            # A step that is refused leaves config as it was.
            filled = {**config, **{name: config.get(name, default) for name, default in defaults.items()}}
            values = {name: _hyperparameter(filled, name) for name in defaults}
            if "t" in values:
                values["t"] = int(values["t"]) + 1
            # In float16 a squared gradient, and ε, would be 0.
            dtype = np.result_type(w.dtype, np.float32)
            arrays = [_state(config, name, w, dtype, in_place=out is not None) for name in state]
            if out is not None and np.may_share_memory(out, dw):
                dw = dw.copy()
            next_w = _target(w, out)

            def update(w, g, *state):
                wide = w.astype(dtype, copy=False)
                formula(wide, g.astype(dtype, copy=False), *state, **values)
                if wide is not w:
                    w[...] = wide

            in_blocks(update, next_w, np.ascontiguousarray(dw), *arrays)
            config.update(filled)
            config.update(zip(state, arrays, strict=True))
            if "t" in values:
                config["t"] = values["t"]
            return next_w, config

        rule.__signature__ = inspect.signature(rule, follow_wrapped=False)
        return rule

    return decorate


@_update_rule(learning_rate=1e-2)
def sgd(w, g, *, learning_rate):
    """Stochastic gradient descent: w ← w − η g.

    Parameters
    ----------
    w, dw : arrays of one shape
        Weights and the gradient of the loss.
    config : dict, optional
        learning_rate (η, default 1e-2).
    out : array like w, optional
        Where to write the new weights; see the module.

    Returns
    -------
    next_w : array of the shape and dtype of w
    config : dict
    """
    w -= learning_rate * g


@_update_rule("velocity", learning_rate=1e-2, momentum=0.9)
def sgd_momentum(w, g, velocity, *, learning_rate, momentum):
    """Gradient descent with momentum: v ← γ v − η g, w ← w + v.

    Polyak, "Some methods of speeding up the convergence of iteration methods" (1964).

    Parameters
    ----------
    w, dw : arrays of one shape
        Weights and the gradient of the loss.
    config : dict, optional
        learning_rate (η, default 1e-2), momentum (γ, default 0.9), velocity (v, starts at 0).
    out : array like w, optional
        Where to write the new weights; see the module.

    Returns
    -------
    next_w : array of the shape and dtype of w
    config : dict
    """
    velocity *= momentum
    velocity -= learning_rate * g
    w += velocity


@_update_rule("velocity", learning_rate=1e-2, momentum=0.9)
def nesterov_momentum(w, g, velocity, *, learning_rate, momentum):
    """Nesterov's momentum: v ← γ v − η g, w ← w + γ v − η g.

    The weights are those at the point looked ahead to, so that g needs no evaluation of its own.
    Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013), section 2.

    Parameters
    ----------
    w, dw : arrays of one shape
        Weights and the gradient of the loss.
    config : dict, optional
        learning_rate (η, default 1e-2), momentum (γ, default 0.9), velocity (v, starts at 0).
    out : array like w, optional
        Where to write the new weights; see the module.

    Returns
    -------
    next_w : array of the shape and dtype of w
    config : dict
    """
    step = learning_rate * g
    velocity *= momentum
    velocity -= step
    w += momentum * velocity - step


@_update_rule("cache", learning_rate=1e-2, decay_rate=0.99, epsilon=1e-8)
def rmsprop(w, g, cache, *, learning_rate, decay_rate, epsilon):
    """RMSProp: s ← β s + (1 − β) g², w ← w − η g / (√s + ε).

    Tieleman and Hinton, "Neural networks for machine learning", lecture 6.5 (2012).

    Parameters
    ----------
    w, dw : arrays of one shape
        Weights and the gradient of the loss.
    config : dict, optional
        learning_rate (η, default 1e-2), decay_rate (β, default 0.99), epsilon (ε, default 1e-8),
        cache (s, starts at 0).
    out : array like w, optional
        Where to write the new weights; see the module.

    Returns
    -------
    next_w : array of the shape and dtype of w
    config : dict
    """
    cache *= decay_rate
    cache += (1 - decay_rate) * g**2
    w -= learning_rate * g / (np.sqrt(cache) + epsilon)


@_update_rule("m", "v", learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, t=0)
def adam(w, g, m, v, *, learning_rate, beta1, beta2, epsilon, t):
    """Adam: momentum and RMSProp, both corrected for their start at 0.

    m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², w ← w − η m̂ / (√v̂ + ε)
    with m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ).
    Kingma and Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1, in the order of their section 2.

    Parameters
    ----------
    w, dw : arrays of one shape
        Weights and the gradient of the loss.
    config : dict, optional
        learning_rate (η, default 1e-3), beta1 (β₁, default 0.9), beta2 (β₂, default 0.999), epsilon (ε, default
        1e-8), m and v (start at 0), t (the number of steps made, starts at 0).
    out : array like w, optional
        Where to write the new weights; see the module.

    Returns
    -------
    next_w : array of the shape and dtype of w
    config : dict
    """
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g**2
    # The corrections are numbers, and leave the arrays: with c = √(1 − β₂ᵗ), √v̂ = √v / c, and so
    # η m̂ / (√v̂ + ε) = η c / (1 − β₁ᵗ) · m / (√v + c ε).
    c = math.sqrt(1 - beta2**t)
    step = np.sqrt(v)
    step += c * epsilon
    np.divide(m, step, out=step)
    step *= learning_rate * c / (1 - beta1**t)
    w -= step


@_update_rule("m", "v", learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=1e-2, t=0)
def adamw(w, g, m, v, *, weight_decay, **adam_parameters):
    """Adam with decoupled weight decay: w ← (1 − η λ) w, then Adam's step.

    The decay is not divided by √v̂, as it is when λ w is part of the gradient.
    Loshchilov and Hutter, "Decoupled weight decay regularization" (2019), algorithm 2.

    Parameters
    ----------
    w, dw : arrays of one shape
        Weights and the gradient of the loss.
    config : dict, optional
        As for :func:`adam`, and weight_decay (λ, default 1e-2).
    out : array like w, optional
        Where to write the new weights; see the module.

    Returns
    -------
    next_w : array of the shape and dtype of w
    config : dict
    """
    w *= 1 - adam_parameters["learning_rate"] * weight_decay
    adam.__wrapped__(w, g, m, v, **adam_parameters)
