"""Says in one line what is wrong with this Python environment, or that nothing is.

Run by ``make`` at the end of an install; exit status 1 if the lessons could not run.
"""

import importlib
import importlib.metadata
import sys

OLDEST_PYTHON = (3, 10)


def version_of(package):
    """The installed version of a package, or ``"none"``; the package is not imported."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def import_error(module):
    """What importing a module raises, as one line; ``None`` if it imports."""
    try:
        importlib.import_module(module)
    # A broken binary package answers with ImportError, OSError, RuntimeError or AttributeError, as it happens.
    except Exception as error:
        first_line = (str(error).strip() or "no message").splitlines()[0]
        return f"{type(error).__name__}: {first_line}"
    return None


def complaint(pip="pip"):
    """What keeps the lessons from running, with the remedy, as one line.

    Parameters
    ----------
    pip : str
        How this environment's pip is called, for the remedy.

    Returns
    -------
    complaint : str or None
        ``None`` if nothing is wrong.
    """
    if sys.version_info < OLDEST_PYTHON:
        return (
            f"Python {sys.version_info[0]}.{sys.version_info[1]} is too old: "
            f"the lessons need {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer."
        )
    for module in ("numpy", "torch"):
        error = import_error(module)
        if error:
            return (
                f"{module} {version_of(module)} does not import ({error}). "
                f"Remedy: {pip} install --force-reinstall {module}"
            )
    error = import_error("torchvision")
    if error:
        return (
            f"torchvision {version_of('torchvision')} does not work with torch {version_of('torch')} ({error}): "
            f"the two must come from the same release and the same index. "
            f"Remedy: {pip} install --force-reinstall torch torchvision"
        )
    return None


def main():
    problem = complaint(f"{sys.executable} -m pip")
    if problem:
        print(problem, file=sys.stderr)
        return 1
    packages = ", ".join(f"{package} {version_of(package)}" for package in ("numpy", "torch", "torchvision"))
    print(f"Python {'.'.join(map(str, sys.version_info[:3]))}, {packages}: ready.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
