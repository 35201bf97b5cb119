"""Files that are written whole or not at all."""

import contextlib
import os
from pathlib import Path

__all__ = ["replacing"]


def replacing(path):
    """Write a file whole or not at all.

    The block writes to ``<name>.part`` in the same folder. At its end the file is flushed to the disk and takes the
    place of ``path``; if anything fails, ``<name>.part`` is removed and what was there stays as it was.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    context manager
        Of the file to write, open for binary data.
    """
    return _replacing(Path(path))


@contextlib.contextmanager
def _replacing(path):
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):  # so as not to mask an error in the block
            part.unlink(missing_ok=True)
