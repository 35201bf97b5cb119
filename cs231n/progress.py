"""A progress bar for long computations, shown only where somebody is watching."""

import os
import sys

from tqdm import tqdm

__all__ = ["progress_bar"]

# Set in the kernels of JupyterLab, of VS Code and of Colab; absent when a notebook is run by a tool.
_FRONT_ENDS = ("JPY_SESSION_NAME", "VSCODE_PID", "COLAB_RELEASE_TAG")


class _DelayedBar(tqdm):
    """A bar that does not appear early when a line is written before its time."""

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

    Without a terminal or a notebook front end there is none, so stored outputs do not depend on how long a run took.

    Parameters
    ----------
    total : int
        Number of steps.
    description, unit : str
        What stands before the bar, and what a step is called.

    Returns
    -------
    tqdm
        A context manager; call its ``update()`` after each step, and its ``write(line)`` to print meanwhile.
    """
    return _DelayedBar(total=total, desc=description, unit=unit, delay=5, leave=False, disable=not _watched())
