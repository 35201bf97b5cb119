"""The scoreboard: points for what is right, a hint for what is wrong, and no test that holds it up."""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hints import Wrong, entries, require

from cs231n.gradient_check import rel_error
from tools.course import score
from tools.course.exercises import ROOT

TABLE = """
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[2]
EXERCISES = [
    SimpleNamespace(name=name, lesson="Counting", section=1, points=4)
    for name in ("right", "half", "endless", "deadly", "leaving", "untested", "halfway missing")
]
"""

TESTS = """
import os
import sys
import pytest
from hints import require
from cs231n.unwritten import Unwritten

exercise = pytest.mark.exercise

@exercise("right", 4)
@pytest.mark.parametrize("n", [1, 2])
def test_right(n):
    print("noise")

@exercise("half", 2)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_wrong(n):
    require("dgamma", [n, 2], [n, 2] if n != 2 else [1, 1, 1], how="sum over axis 0")

@exercise("half", 2)
def test_of_the_other_half():
    pass

@exercise("endless", 1)
def test_before():
    pass

@exercise("endless", 3)
@pytest.mark.parametrize("n", [1, 2])
def test_endless(n):
    while True:
        pass

@exercise("deadly", 3)
def test_deadly():
    os._exit(3)

@exercise("deadly", 1)
def test_after():
    pass

@exercise("leaving", 2)
def test_leaving():
    sys.exit(0)

@exercise("leaving", 2)
def test_interrupting():
    raise KeyboardInterrupt

@exercise("halfway missing", 2)
def test_of_what_is_there():
    pass

@exercise("halfway missing", 2)
def test_of_what_is_not():
    raise Unwritten("another: lesson Counting, section 1")
"""


@pytest.fixture
def workbook(tmp_path):
    """A small workbook with exercises of every kind."""
    for file in (
        "tools/__init__.py",
        "tools/course/score.py",
        "tests/exercises/conftest.py",
        "tests/exercises/hints.py",
        "cs231n/__init__.py",
        "cs231n/unwritten.py",
        "pyproject.toml",
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, tmp_path / file)
    (tmp_path / "tools" / "course" / "exercises.py").write_text(TABLE)
    (tmp_path / "tests" / "exercises" / "test_counting.py").write_text(TESTS)
    return tmp_path


def run_score(workbook, *options):
    done = subprocess.run(
        [sys.executable, "-m", "tools.course.score", *options],
        cwd=workbook,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


def test_every_exercise_gets_what_its_tests_are_worth(workbook):
    board = json.loads(run_score(workbook, "--json", "--timeout", "2"))
    rows = {row["name"]: (row["earned"], row["state"], row["hint"]) for row in board["exercises"]}
    assert rows == {
        "right": (4, "done", ""),
        "half": (2, "wrong", "dgamma: sum over axis 0 expected, shape (3,) got (2,)"),
        "endless": (1, "timed out", "stopped after 2 s: does a loop never end?"),
        "deadly": (1, "wrong", "the test ended Python itself"),
        "leaving": (0, "wrong", "SystemExit: 0"),
        "untested": (0, "wrong", "it has no tests"),
        "halfway missing": (2, "not implemented yet", "another: lesson Counting, section 1"),
    }
    assert (board["total"], board["points"]) == (10, 28)
    assert set(board["exercises"][0]) == {"name", "lesson", "section", "points", "earned", "state", "hint"}


def test_code_that_cannot_be_imported_is_placed(workbook):
    (workbook / "tests" / "exercises" / "test_counting.py").write_text("import layers\n")
    (workbook / "layers.py").write_text("def f(x):\n    return (x\n")
    text = run_score(workbook)
    assert "0 of 28 points" in text
    assert len(re.findall(r"SyntaxError: .* \(layers\.py, line 2\)", text)) == 1


def test_the_board_is_read_from_top_to_bottom():
    rows = [
        ("a", "One", 2, 2, score.DONE, ""),
        ("b", "One", 4, 1, score.WRONG, "dx: the sign is wrong"),
        ("c", "Two", 3, 0, score.PENDING, "c: lesson Two, section 1"),
        ("d", "Two", 3, 0, score.PENDING, "c: lesson Two, section 1"),
    ]
    keys = ("name", "lesson", "points", "earned", "state", "hint")
    board = {"total": 3, "points": 12, "exercises": [dict(zip(keys, row)) for row in rows]}
    assert score.as_text(board).splitlines() == [
        "One",
        "  ✓ a    2/2  done",
        "  ✗ b    1/4  wrong",
        "      dx: the sign is wrong",
        "",
        "Two",
        "  ☐ c    0/3  not implemented yet",
        "  ☐ d    0/3  not implemented yet",
        "      c: lesson Two, section 1",
        "",
        "3 of 12 points",
    ]


# Hints


EXPECTED = np.array([[1.0, -2.0, 3.0], [0.0, 5.0, 7.0]])


@pytest.mark.parametrize(
    ("got", "hint"),
    [
        (None, "dx: nothing is given back, an array of shape (2, 3) expected"),
        ("text", "dx: an array of numbers expected, got str"),
        ([[1], [2, 3]], "dx: an array of numbers expected, got list"),
        (EXPECTED.T, "dx: shape (2, 3) expected, got (3, 2)"),
        (EXPECTED * np.nan, "dx: holds NaN; is something divided by 0, or too large for exp?"),
        (-EXPECTED, "dx: the sign is wrong"),
        (EXPECTED / 4, "dx: it is 0.25 times what is expected, everywhere"),
        (EXPECTED**2, "dx: the root is forgotten"),
        (EXPECTED + [[0, 0, 0], [0, 0.5, 0]], "dx: expected 5 at [1, 1], got 5.5"),
        (EXPECTED + [[0, 0, 0], [0, 0, 1e-6]], "dx: expected 7 at [1, 2], got 7 (off by 1.0e-06)"),
    ],
)
def test_a_hint_says_where_a_result_goes_wrong(got, hint):
    with pytest.raises(Wrong) as error:
        require("dx", got, EXPECTED, {"the root is forgotten": EXPECTED**2})
    assert str(error.value) == hint


def test_a_hint_says_how_a_shape_comes_about_and_what_type_or_count_is_asked_for():
    with pytest.raises(Wrong, match=r"^dgamma: sum over axis 0 expected, shape \(3,\) got \(4, 3\)$"):
        require("dgamma", np.ones((4, 3)), np.ones(3), how="sum over axis 0")
    with pytest.raises(Wrong, match="^out: dtype float32 expected, as that of the input, got float64$"):
        require("out", np.ones(3), np.ones(3), dtype=np.float32)
    with pytest.raises(Wrong, match="^affine_forward: 2 results expected, got ndarray$"):
        entries("affine_forward", np.ones(3), 2)


def test_an_error_is_placed_in_the_readers_code():
    with pytest.raises(ValueError) as raised:
        rel_error(np.ones(2), np.ones(3))
    hint = score.hint_of(raised.value)
    assert re.fullmatch(r"ValueError: x and y must have one shape, got .* \(gradient_check\.py, line \d+\)", hint)
