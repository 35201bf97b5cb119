"""Comparison with what an exercise should give, and one line about where a result goes wrong."""

import contextlib

import numpy as np

from tools.course.learner import Failed


class Wrong(AssertionError):
    """A result is wrong; the message says how.

    Attributes
    ----------
    rank : int
        How little the message says: 0 if it names a cause, 2 if it has numbers only.
    """

    def __init__(self, message, rank=0):
        super().__init__(message)
        self.rank = rank


def require(name, got, expected, mistakes=(), how=None, rtol=1e-7, atol=1e-9, dtype=None):
    """Raise ``Wrong``, with a hint, unless a result is as expected.

    Parameters
    ----------
    name : str
        What the result is called.
    got : object
        Should be an array, or a number.
    expected : array or number
    mistakes : dict from str to array
        Results of mistakes that are often made, under what to say about them.
    how : str, optional
        How the shape comes about: "sum over axis 0".
    rtol, atol : float
        Relative and absolute tolerance.
    dtype : type, optional
        What the result must have.
    """
    expected = np.asarray(expected)
    if got is None or got is NotImplemented or got is Ellipsis:
        raise Wrong(f"{name}: nothing is given back, an array of shape {expected.shape} expected")
    try:
        array = np.asarray(got)
    except ValueError:
        array = np.empty(0, object)
    if array.dtype.kind not in "fiub":
        raise Wrong(f"{name}: an array of numbers expected, got {type(got).__name__}")
    if array.shape != expected.shape:
        if how:
            raise Wrong(f"{name}: {how} expected, shape {expected.shape} got {array.shape}")
        raise Wrong(f"{name}: shape {expected.shape} expected, got {array.shape}")
    if dtype is not None and array.dtype != dtype:
        raise Wrong(f"{name}: dtype {np.dtype(dtype)} expected, as that of the input, got {array.dtype}")
    if np.allclose(array, expected, rtol, atol):
        return
    if not np.isfinite(array).all():
        what = "NaN" if np.isnan(array).any() else "infinity"
        hint = f"{name}: holds {what}; is something divided by 0, too large for exp, or the root of a negative number?"
        raise Wrong(hint, rank=1)
    for what, mistake in dict(mistakes).items():
        mistake = np.asarray(mistake)
        if mistake.shape == array.shape and np.allclose(array, mistake, rtol, atol):
            raise Wrong(f"{name}: {what}")
    raise Wrong(f"{name}: {_difference(array, expected, rtol, atol)}", rank=2)


def require_that(condition, hint):
    """Raise ``Wrong`` with the hint unless the condition holds."""
    if not condition:
        raise Wrong(hint)


def require_refusal(what, call, *args):
    """Raise ``Wrong`` unless the learner's code answers a call with a ``ValueError``."""
    try:
        call(*args)
    except Failed as error:
        if error.kind == "ValueError":
            return
        raise Wrong(f"{what}: a ValueError expected, got {error}") from None
    raise Wrong(f"{what}: a ValueError expected, nothing is raised")


@contextlib.contextmanager
def explained(hint):
    """Put a hint before the error of a learner's code."""
    try:
        yield
    except Failed as error:
        if "must not be altered" in str(error):
            raise
        raise Wrong(f"{hint}: {error}", rank=1) from None


def entries(name, value, count):
    """A tuple that a function gives back, which must have ``count`` entries."""
    if not isinstance(value, (tuple, list)) or len(value) != count:
        got = f"{len(value)}" if isinstance(value, (tuple, list)) else type(value).__name__
        raise Wrong(f"{name}: {count} results expected, got {got}")
    return value


def _difference(array, expected, rtol, atol):
    if np.allclose(array, -expected, rtol, atol):
        return "the sign is wrong"
    nonzero = np.abs(expected) > atol
    factors = array[nonzero] / expected[nonzero]
    is_scaled = factors.size > 1 and not array[~nonzero].any() and np.allclose(factors, factors[0], 1e-5)
    if is_scaled and abs(factors[0] - 1) > 1e-2:
        return f"it is {factors[0]:.4g} times what is expected, everywhere"
    worst = np.unravel_index(np.argmax(np.abs(array - expected)), array.shape)
    place = f" at [{', '.join(map(str, worst))}]" if worst else ""
    right, wrong = f"{expected[worst]:.6g}", f"{array[worst]:.6g}"
    off = f" (off by {array[worst] - expected[worst]:.1e})" if right == wrong else ""
    return f"expected {right}{place}, got {wrong}{off}"
