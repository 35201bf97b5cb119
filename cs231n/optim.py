"""First-order update rules.

Each is called as ``next_w, config = rule(w, dw, config)``. Hyperparameters that ``config`` lacks are filled in with
their defaults; the state, which a rule keeps from step to step (velocity, running averages, the number of steps), is
held there too. No array that is passed in is altered unless ``out`` is given. Then the new weights are written there
(``out`` may be ``w`` itself) and the state in ``config`` is updated in place, so that from the second step on nothing
of the weights' size is allocated. The state has the dtype of the weights; for float16 weights, the state and the
update are computed in float32.

In every rule but :func:`adamw`, which calls :func:`adam`, ``step`` is the formula for the weights w and the gradient
g = dw; it changes its arrays in place.
"""

import numpy as np

from .arguments import float_array, hyperparameters, shaped
from .compute.blocks import in_blocks

RULES = ["sgd", "sgd_momentum", "nesterov_momentum", "rmsprop", "adam", "adamw"]
__all__ = ["np", *RULES]


def sgd(w, dw, config=None, *, out=None):
    """Stochastic gradient descent: w ← w − η g.

    Parameters
    ----------
    w, dw : arrays of one shape
        Weights and the gradient of the loss.
    config : dict, optional
        learning_rate (η, default 1e-2).
    out : array like w, optional
        Where to write the new weights.

    Returns
    -------
    next_w : array of the shape and dtype of w
    config : dict

    Raises
    ------
    ValueError, TypeError
        If the shapes differ, or an entry of config is unknown or out of its range.
    """
    config, (learning_rate,) = hyperparameters(config, learning_rate=1e-2)

    def step(w, g):
        w -= learning_rate * g

    return _apply(step, w, dw, config, out)


def sgd_momentum(w, dw, config=None, *, out=None):
    """Gradient descent with momentum: v ← γ v − η g, w ← w + v.

    Polyak, "Some methods of speeding up the convergence of iteration methods" (1964).

    Parameters
    ----------
    w, dw : arrays of one shape
        Weights and the gradient of the loss.
    config : dict, optional
        learning_rate (η, default 1e-2), momentum (γ, default 0.9), velocity (v; missing at first, then 0).
    out : array like w, optional
        Where the new weights may be written, to save memory. They are returned in any case.

    Returns
    -------
    next_w : array of the shape and dtype of w
        Neither w nor dw is altered, unless it is ``out``.
    config : dict
        With the new velocity.
    """
    config, (learning_rate, momentum) = hyperparameters(config, learning_rate=1e-2, momentum=0.9)

    def step(w, g, v):
        v *= momentum
        v -= learning_rate * g
        w += v

    return _apply(step, w, dw, config, out, "velocity")


def nesterov_momentum(w, dw, config=None, *, out=None):
    """Nesterov's momentum: v ← γ v − η g, w ← w + γ v − η g.

    The weights kept here are those of the look-ahead point, so that g is the ordinary gradient at w.
    Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013), section 2.

    Parameters
    ----------
    w, dw : arrays of one shape
        Weights and the gradient of the loss.
    config : dict, optional
        learning_rate (η, default 1e-2), momentum (γ, default 0.9), velocity (v; missing at first, then 0).
    out : array like w, optional
        Where the new weights may be written, to save memory. They are returned in any case.

    Returns
    -------
    next_w : array of the shape and dtype of w
        Neither w nor dw is altered, unless it is ``out``.
    config : dict
        With the new velocity.
    """
    config, (learning_rate, momentum) = hyperparameters(config, learning_rate=1e-2, momentum=0.9)

    def step(w, g, v):
        v *= momentum
        v -= learning_rate * g
        w += momentum * v - learning_rate * g

    return _apply(step, w, dw, config, out, "velocity")


def rmsprop(w, dw, config=None, *, out=None):
    """RMSProp: s ← β s + (1 − β) g², w ← w − η g / (√s + ε).

    Tieleman and Hinton, "Neural networks for machine learning", lecture 6.5 (2012).

    Parameters
    ----------
    w, dw : arrays of one shape
        Weights and the gradient of the loss.
    config : dict, optional
        learning_rate (η, default 1e-2), decay_rate (β, default 0.99), epsilon (ε, default 1e-8),
        cache (s; missing at first, then 0).
    out : array like w, optional
        Where the new weights may be written, to save memory. They are returned in any case.

    Returns
    -------
    next_w : array of the shape and dtype of w
        Neither w nor dw is altered, unless it is ``out``.
    config : dict
        With the new cache.
    """
    config, (learning_rate, decay_rate, epsilon) = hyperparameters(
        config, learning_rate=1e-2, decay_rate=0.99, epsilon=1e-8
    )

    def step(w, g, s):
        s *= decay_rate
        s += (1 - decay_rate) * g**2
        w -= learning_rate * g / (np.sqrt(s) + epsilon)

    return _apply(step, w, dw, config, out, "cache")


def adam(w, dw, config=None, *, out=None):
    """Adam: momentum and RMSProp, both with a bias correction for their start at 0.

    m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², w ← w − η m̂ / (√v̂ + ε)
    with m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ).
    Kingma and Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1.

    Parameters
    ----------
    w, dw : arrays of one shape
        Weights and the gradient of the loss.
    config : dict, optional
        learning_rate (η, default 1e-3), beta1 (β₁, default 0.9), beta2 (β₂, default 0.999), epsilon (ε, default
        1e-8), m, v and t (the number of steps made; all three missing at first, then 0).
    out : array like w, optional
        Where the new weights may be written, to save memory. They are returned in any case.

    Returns
    -------
    next_w : array of the shape and dtype of w
        Neither w nor dw is altered, unless it is ``out``.
    config : dict
        With the new m, v and t.
    """
    config, (learning_rate, beta1, beta2, epsilon, t) = hyperparameters(
        config, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, t=0
    )
    t += 1

    def step(w, g, m, v):
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        w -= learning_rate * m_hat / (np.sqrt(v_hat) + epsilon)

    next_w, config = _apply(step, w, dw, config, out, "m", "v")
    config["t"] = t
    return next_w, config


def adamw(w, dw, config=None):
    """Adam with decoupled weight decay: Adam's step, and w ← w − η λ w beside it.

    The decay is not divided by √v̂, unlike an L2 penalty, whose λ w is part of the gradient.
    Loshchilov and Hutter, "Decoupled weight decay regularization" (2019), algorithm 2.

    Parameters
    ----------
    w, dw : arrays of one shape
        Weights and the gradient of the loss.
    config : dict, optional
        As for :func:`adam`, and weight_decay (λ, default 1e-2).
    """
    config, (learning_rate, weight_decay) = hyperparameters(config, learning_rate=1e-3, weight_decay=1e-2)
    next_w, config = adam(w, dw, config)
    return next_w - learning_rate * weight_decay * np.asarray(w), config


def _apply(step, w, dw, config, out, *names):
    """Change a copy of w, or ``out``, by ``step(w, g, *state)``; ``names`` are those of the state in config."""
    w, dw = float_array("w", w), shaped("dw", dw, np.shape(w), "the shape of w")
    dtype = np.result_type(w, np.float32)  # in float16 ε, and many a squared gradient, would be 0
    g = np.ascontiguousarray(dw)
    if out is not None and np.may_share_memory(out, g):
        g = g.copy()
    state = [_state(config, name, w, dtype, in_place=out is not None) for name in names]
    next_w = np.array(w, order="C") if out is None else _filled(out, w)

    def update(w, g, *state):
        step(w, g.astype(dtype, copy=False), *state)

    in_blocks(update, next_w, g, *state)
    config.update(zip(names, state, strict=True))
    return next_w, config


def _state(config, name, w, dtype, in_place):
    """The array ``config[name]``, or zeros at the first step; the array itself if it may be changed, else a copy."""
    if config.get(name) is None:
        return np.zeros(w.shape, dtype)
    array = shaped(f"config['{name}']", config[name], w.shape, "the shape of w")
    if in_place and array.dtype == dtype and array.flags.carray:
        return array
    return np.array(array, dtype, order="C")


def _filled(out, w):
    """``out``, holding the old weights."""
    if not isinstance(out, np.ndarray) or (out.shape, out.dtype) != (w.shape, w.dtype) or not out.flags.carray:
        got = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ValueError(f"out must be a C-contiguous, writeable array like w, {w.dtype} {w.shape}, got {got}")
    if out is not w:
        np.copyto(out, w)
    return out
