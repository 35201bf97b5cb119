"""Numerical gradients: the definition of the derivative, against which every backward pass is checked.

All use the centred difference (f(x + h) − f(x − h)) / 2h, whose error falls as h², and leave x as it was.
"""

import numpy as np

from .arguments import float_array, number, require_shape

__all__ = [
    "np",
    "eval_numerical_gradient",
    "eval_numerical_gradient_array",
    "eval_numerical_gradient_blobs",
    "eval_numerical_gradient_net",
    "grad_check_sparse",
    "rel_error",
]


def rel_error(x, y):
    """Largest relative difference of two arrays: max |x − y| / max(1e-8, |x| + |y|).

    Parameters
    ----------
    x, y : arrays of one shape, or numbers

    Returns
    -------
    float
        From 0 (equal) to 1 (opposite signs, or one of them 0); NaN if either holds a NaN or infinity, 0 for empty
        arrays.
    """
    x, y = float_array("x", x).astype(np.float64), float_array("y", y).astype(np.float64)
    if x.shape != y.shape:
        raise ValueError(f"x and y must have one shape, got {x.shape} and {y.shape}")
    return float(np.max(np.abs(x - y) / np.maximum(1e-8, np.abs(x) + np.abs(y)), initial=0.0))


def _shift(x, h):
    """The step h as a float; raises an error unless every element of x can be shifted by it."""
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        kind = f"dtype {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(f"x must be a floating-point array, which can be shifted by h, got {kind}")
    if not x.flags.writeable:
        raise ValueError("x must be writeable, since it is shifted by h, got a read-only array")
    h = number("h", h, above=0)
    if (x + h == x).any():
        raise ValueError(f"h must be large enough to change every element of x, got {h!r} for {x.dtype}")
    return h


def _centred_difference(f, x, index, h):
    """(f(x + h) − f(x − h)) / 2h with x shifted at one index only."""
    original = x[index]
    try:
        x[index] = original + h
        above = np.array(float_array("f(x)", f(x)))  # a copy: f may return x itself, or one buffer every time
        x[index] = original - h
        below = np.array(float_array("f(x)", f(x)))
    finally:
        x[index] = original
    return (above - below) / (2 * h)


def _derivative(f, x, index, h):
    """The centred difference of a function that returns a number."""
    difference = _centred_difference(f, x, index, h)
    require_shape("f(x)", difference, (), "a number")
    return difference


def eval_numerical_gradient(f, x, verbose=True, h=0.00001):
    """Gradient of a function that returns a number.

    Parameters
    ----------
    f : callable
        ``f(x)`` returns a number.
    x : floating-point array
        Where to take the gradient; unchanged when the function returns.
    verbose : bool
        Print each index and its derivative.
    h : float

    Returns
    -------
    array of the shape of x
    """
    h = _shift(x, h)
    grad = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        grad[index] = _derivative(f, x, index, h)
        if verbose:
            print(index, grad[index])
    return grad


def eval_numerical_gradient_array(f, x, df, h=1e-5):
    """Gradient of a function that returns an array, contracted with an upstream gradient.

    Parameters
    ----------
    f : callable
        ``f(x)`` returns an array.
    x : floating-point array
    df : array of the shape of f(x), or number
        Upstream gradient.
    h : float

    Returns
    -------
    array of the shape of x
        Σ_k df_k ∂f_k/∂x, what a backward pass returns.
    """
    h = _shift(x, h)
    df = float_array("df", df)
    grad = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        difference = _centred_difference(f, x, index, h)
        if df.ndim:
            require_shape("df", df, difference.shape, "that of f(x), or a number")
        grad[index] = np.sum(difference * df)
    return grad


def eval_numerical_gradient_blobs(f, inputs, output, h=1e-5):
    """Gradients of a function that writes its result into a blob.

    Parameters
    ----------
    f : callable
        ``f(*inputs, output)`` writes ``output.vals``.
    inputs, output : blobs
        Objects with an array ``vals``; the output's array ``diffs`` is the upstream gradient.
    h : float

    Returns
    -------
    list of arrays
        The gradient of each input's ``vals``.
    """

    def values(_):
        f(*inputs, output)
        return output.vals

    return [eval_numerical_gradient_array(values, blob.vals, output.diffs, h) for blob in inputs]


def eval_numerical_gradient_net(net, inputs, output, h=1e-5):
    """Gradients of a net's inputs by :func:`eval_numerical_gradient_blobs`; ``net.forward()`` writes the output.

    Parameters
    ----------
    net : object
    inputs, output : blobs
    h : float

    Returns
    -------
    list of arrays
    """
    return eval_numerical_gradient_blobs(lambda *blobs: net.forward(), inputs, output, h=h)


def grad_check_sparse(f, x, analytic_grad, num_checks=10, h=1e-5):
    """Compare a gradient with numerical derivatives at some random places, and print a line for each.

    Parameters
    ----------
    f : callable
        ``f(x)`` returns a number.
    x : floating-point array
    analytic_grad : array of the shape of x
    num_checks : int
        How many indices to draw from NumPy's global random state.
    h : float
    """
    h = _shift(x, h)
    analytic_grad = float_array("analytic_grad", analytic_grad)
    require_shape("analytic_grad", analytic_grad, x.shape, "the shape of x")
    for _ in range(num_checks):
        index = tuple(np.random.randint(size) for size in x.shape)
        numerical = _derivative(f, x, index, h)
        analytic = analytic_grad[index]
        error = abs(numerical - analytic) / max(abs(numerical) + abs(analytic), 1e-300)
        print("numerical: %f analytic: %f, relative error: %e" % (numerical, analytic, error))
