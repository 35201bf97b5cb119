"""A progress bar for what takes long, where somebody watches."""

import os
import sys

from tqdm import tqdm

from .layers.arguments import require_integer, require_type

__all__ = ["progress_bar"]

# Set in the kernels of JupyterLab, of VS Code and of Colab; absent when a notebook is run by a tool.
_FRONT_ENDS = ("JPY_SESSION_NAME", "VSCODE_PID", "COLAB_RELEASE_TAG")


class _DelayedBar(tqdm):
    """A bar that a line written meanwhile does not bring up before its time."""

    def display(self, *args, **kwargs):
        if self._time() >= self.start_t + self.delay:
            self.last_print_t = self._time()  # close() clears the bar only if it knows of it
            return super().display(*args, **kwargs)


def _watched():
    if "PYTEST_CURRENT_TEST" in os.environ or "CI" in os.environ:
        return False
    return sys.stderr.isatty() or any(name in os.environ for name in _FRONT_ENDS)


def progress_bar(total, description, unit):
    """A bar on standard error that appears after five seconds and goes away at the end.

    Without a terminal or a notebook front end there is none, so that stored outputs do not depend on how long a run
    took.

    Parameters
    ----------
    total : int
        Steps to be made.
    description : str
        Stands before the bar.
    unit : str
        What one step is called.

    Returns
    -------
    tqdm
        A context manager; call its ``update()`` after each step, and its ``write(line)`` to print meanwhile.

    Raises
    ------
    TypeError, ValueError
        If total is no integer of at least 0, or the others are no text.
    """
    require_integer("total", total, least=0)
    require_type("description", description, str, "a text")
    require_type("unit", unit, str, "a text")
    return _DelayedBar(total=int(total), desc=description, unit=unit, delay=5, leave=False, disable=not _watched())
