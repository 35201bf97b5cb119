"""Processes that end with the block that started them, whatever ends the block."""

import contextlib
import os
import signal
import subprocess
import sys
import threading

import psutil

__all__ = ["started"]


@contextlib.contextmanager
def started(command, **options):
    """Start a process, and end it with all it started when the block ends.

    It gets a session of its own, so that Ctrl-C reaches this process alone.

    Parameters
    ----------
    command : list
    **options
        For ``subprocess.Popen``.

    Yields
    ------
    process : subprocess.Popen
    """
    process = None
    try:
        with _signals_wait():
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **options)
        yield process
    finally:
        if process is not None:
            _end(process)


@contextlib.contextmanager
def _signals_wait():
    """Hold Ctrl-C and SIGTERM back until the block is done: within Popen, a process may run whose number nobody has."""
    came, handlers = [], {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in handlers:
        signal.signal(number, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number, frame in came:
            handlers[number](number, frame)


def _end(process):
    if process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            # Kernels have sessions of their own, and a browser's helpers may have lost their parent.
            family = psutil.Process(process.pid).children(recursive=True)
            if sys.platform != "win32":
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            for member in [*family, process]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
    process.wait()
