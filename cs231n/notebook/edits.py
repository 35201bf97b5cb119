"""Edits of the package, taken up in a running notebook.

IPython's autoreload puts an edited function in the place of the old one. A module that it cannot load keeps its old
code, and is reported by autoreload only once; here it is reported before every cell until it is put right, and
:func:`unloadable` lets no claim about the old code pass.
"""

import contextlib
import importlib.util
import os
import sys
import time
import traceback
from pathlib import Path

import IPython

__all__ = ["install", "unloadable"]

PACKAGE = Path(__file__).parents[1]

_seen = {}  # module name: time of the edit that was last looked at
_faults = {}  # module name: where and why it cannot be loaded


def install(shell):
    """Take up edits before each cell that runs after this one.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    """
    if _look not in shell.events.callbacks["pre_run_cell"]:
        _note()
        shell.events.register("pre_run_cell", _look)  # before autoreload's
        shell.events.register("post_run_cell", _note)
    if "autoreload" not in shell.extension_manager.loaded:
        shell.run_line_magic("load_ext", "autoreload")
    # IPython 9 patches single functions, which after a whole reload misses what was imported by name: not so "full".
    shell.run_line_magic("autoreload", "2 --full" if IPython.version_info >= (9,) else "2")


def unloadable():
    """Where and why an edited module cannot be loaded: ``"cs231n/optim.py, line 7: …"``, else None."""
    return next(iter(_faults.values()), None)


def _files():
    """Name, file and time of the last edit of each loaded module of the package."""
    for name, module in sys.modules.copy().items():  # a copy in one step: other threads may import meanwhile
        file = getattr(module, "__file__", None)
        if name.startswith("cs231n.") and file and os.path.exists(file):
            yield name, file, os.stat(file).st_mtime_ns


def _note(*_):
    """Remember when the modules that a cell has loaded were edited."""
    for name, _, edited in _files():
        _seen.setdefault(name, edited)


def _look(*_):
    """Load what was edited since the last look once more, aside, and keep and print what is wrong with it."""
    for name, file, edited in _files():
        before = _seen.setdefault(name, edited)
        if edited < before:  # an older file was put back, which autoreload would take for known
            edited = max(time.time_ns(), before + 1_000_000)
            with contextlib.suppress(OSError):
                os.utime(file, ns=(edited, edited))
        if edited == before:
            continue
        _seen[name] = edited
        _faults.pop(name, None)
        try:
            spec = importlib.util.spec_from_file_location(name, file)
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
        except Exception as error:
            _faults[name] = _fault(error, file)
    for fault in _faults.values():
        print(f"✗ {fault}\n  Until this is put right, the code before the edit runs, and no claim passes.")


def _fault(error, file):
    place = Path(file).relative_to(PACKAGE.parent).as_posix()
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else "?"
    what = error.msg if isinstance(error, SyntaxError) else error
    return f"{place}, line {line}: {type(error).__name__}: {what}"
