"""The machine a benchmark runs on, in a few lines."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

__all__ = ["describe_machine"]

BUSY = 0.5  # load average of the last minute


def describe_machine():
    """Lines that say what runs the benchmark, the last of them a warning where other programs are at work."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("numpy", "torch"))
    lines = [
        f"{_processor()}, {_cores()} cores available",
        f"Python {platform.python_version()}, {versions}",
    ]
    if hasattr(os, "getloadavg"):
        load = os.getloadavg()[0]
        lines.append(f"load average {load:.2f}")
        if load > BUSY:
            lines.append(f"! The machine is busy (load average above {BUSY}): times are too long, ratios uncertain.")
    return lines


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _processor():
    """Linux and macOS know a better name than ``platform.processor()``."""
    try:
        if platform.system() == "Darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except (OSError, subprocess.SubprocessError):
        pass
    return platform.processor() or platform.machine()
