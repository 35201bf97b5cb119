"""The scoreboard below a cell."""

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["score"]

ROOT = Path(__file__).resolve().parents[2]


def score(*names):
    """Test exercises as they are saved, and print their points and hints.

    Parameters
    ----------
    *names : str
        Exercises, such as "affine_forward"; none means all. Options of ``python -m tools.course.score`` may follow.

    Raises
    ------
    FileNotFoundError
        If the workbook's tools are not beside the package.
    """
    if not (ROOT / "tools" / "course" / "score.py").is_file():
        raise FileNotFoundError(f"there is no tools/course/score.py in {ROOT}: open the lesson in its workbook")
    command = [sys.executable, "-m", "tools.course.score", *names]
    environ = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", env=environ)
    print((done.stdout + done.stderr).rstrip())
