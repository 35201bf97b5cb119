"""Claims of a lesson, checked and printed with their verdict."""

import numpy as np

from ..arguments import array
from .edits import unloadable

__all__ = ["check"]


def check(claim, value, below=None, above=None, measured=False):
    """Check a claim and print it: ✓ where it holds, ✗ where it does not, with the figures.

    A claim that fails does not stop the lesson. NaN and infinity never pass.

    Parameters
    ----------
    claim : str
        What is claimed, as a sentence.
    value : bool, number or array of numbers
        What was found. Of an array, the element that is worst for the claim is judged and printed. Without a bound
        the value itself is the verdict, and must be a bool.
    below, above : number, optional
        The value must be less than ``below`` and greater than ``above``.
    measured : bool
        The bound is a measurement too, not a fixed threshold, and is printed like one.

    Raises
    ------
    TypeError
        If there is no bound and the value is not a bool, or there are two and ``measured`` is set.

    Examples
    --------
    >>> check("dx matches the numerical gradient", 3.1e-10, below=1e-7)
    ✓ dx matches the numerical gradient: 3.10e-10 < 1e-07
    """
    fault = unloadable()
    if fault is not None:
        print(f"✗ {claim} … not checked: {fault}")
        return
    if below is None and above is None:
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"value must be a bool where there is no bound, below or above, got {value!r}")
        print(f"{_mark(value)} {claim}")
        return
    values = array("value", value).astype(np.float64)
    below, above = (None if bound is None else float(bound) for bound in (below, above))
    if measured and None not in (below, above):
        raise TypeError("measured must go with one bound: below or above")
    holds = values.size > 0 and bool(np.isfinite(values).all())
    holds = holds and (below is None or values.max() < below) and (above is None or values.min() > above)
    holds = holds and (not measured or np.isfinite(above if below is None else below))

    bound_text = (lambda bound: f"{_figure(bound)} (measured)") if measured else "{:g}".format
    if below is not None and above is not None:
        figures = f"{above:g} < {_figure(_worst(values, below, above))} < {below:g}"
    elif below is not None:
        figures = f"{_figure(_worst(values, below, above))} < {bound_text(below)}"
    else:
        figures = f"{_figure(_worst(values, below, above))} > {bound_text(above)}"
    print(f"{_mark(holds)} {claim}: {figures}")


def _mark(holds):
    return "✓" if holds else "✗"


def _worst(values, below, above):
    """The element nearest to breaking a bound, or furthest beyond it."""
    if values.size == 0 or np.isnan(values).any():
        return np.nan
    if above is None:
        return values.max()
    if below is None or values.min() - above < below - values.max():
        return values.min()
    return values.max()


def _figure(value):
    """A measured number, always with a point, an exponent or a name, so that it can be told from a count."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.3f}"
    return f"{value:.2e}"
