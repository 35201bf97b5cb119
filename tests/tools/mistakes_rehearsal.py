"""All mistakes of the table are planted, and complete solutions of other styles are scored.

Takes ten minutes and so is no part of `make test`; `make rehearsal` runs it.
"""

import json
import re
import subprocess
import sys

import pytest
from mistakes import MISTAKES
from workbooks import STYLES, score, solve

from tools.course.exercises import COURSE, EXERCISES
from tools.course.student_edition import contents, write

# What is no cause and so cannot be a false one: numbers, or the error of Python's at the learner's line.
NO_CAUSE = re.compile(r"expected \S+( at \[.*\])?, got|is not done|times what is expected|the sign is wrong|Error")


@pytest.fixture(scope="module")
def rows():
    return score([row[:3] for row in MISTAKES])


def names(row, word):
    return bool(word and re.search(word, row["hint"]))


def test_there_are_mistakes_in_every_exercise():
    assert len(MISTAKES) >= 100
    assert {exercise for exercise, *_ in MISTAKES} == {exercise.name for exercise in EXERCISES}


def test_every_mistake_costs_points(rows):
    full = [mistake[:3] for mistake, row in zip(MISTAKES, rows) if row["earned"] == row["points"]]
    assert full == []


def test_four_of_five_hints_name_the_cause(rows):
    numbers = [(m[0], m[2], row["hint"]) for m, row in zip(MISTAKES, rows) if not names(row, m[3])]
    assert len(numbers) <= 0.2 * len(MISTAKES), numbers


def test_no_hint_names_another_cause(rows):
    others = [
        (mistake[0], mistake[2], row["hint"])
        for mistake, row in zip(MISTAKES, rows)
        if not names(row, mistake[3]) and not NO_CAUSE.search(row["hint"])
    ]
    assert others == []


@pytest.mark.parametrize("style", STYLES)
def test_a_complete_solution_of_another_style_earns_every_point_and_the_lessons_run_on_it(tmp_path, style):
    write(tmp_path / "student", contents())
    solve(tmp_path / "student", style)
    command = [sys.executable, "-m", "tools.course.score", "--json", "--timeout", "60"]
    done = subprocess.run(command, cwd=tmp_path / "student", capture_output=True, encoding="utf-8", timeout=900)
    board = json.loads(done.stdout)
    assert board["total"] == 100, [row for row in board["exercises"] if row["state"] != "done"]
    if style == "course":  # loops are too slow for what the lessons train
        command = [sys.executable, "-m", "tools.lessons.run_lessons"]
        done = subprocess.run(command, cwd=tmp_path / "student", capture_output=True, encoding="utf-8", timeout=1800)
        assert done.returncode == 0, done.stdout
        assert len(re.findall(r"all \d+ claims hold$", done.stdout, re.MULTILINE)) == len(COURSE), done.stdout
