"""What tests ask of a process."""

import time

import psutil


def ended(pid):
    """Whether a process has gone within some seconds, or waits for nothing but being collected."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False
