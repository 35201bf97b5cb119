"""Programs that are ended with all they started."""

import contextlib
import subprocess

import psutil


def run(command, seconds, **options):
    """Run a program; on a timeout or Ctrl-C, end it with all it started.

    Parameters
    ----------
    command : list
    seconds : float
    **options
        For ``subprocess.Popen``.

    Returns
    -------
    status : int

    Raises
    ------
    subprocess.TimeoutExpired
    """
    this = psutil.Process()
    others = this.children(recursive=True)
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, **options).wait(seconds)
    finally:
        # Counted from this process: Ctrl-C within Popen leaves a process whose number nobody else has.
        family = [member for member in this.children(recursive=True) if member not in others]
        for member in family:
            with contextlib.suppress(psutil.Error):
                member.kill()
        psutil.wait_procs(family, timeout=10)
