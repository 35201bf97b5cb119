"""The whole course, rehearsed: the student edition is written, the exercises are solved one by one, the lessons run,
and the submission is collected.

Takes ten minutes and so is no part of `make test`; `make rehearsal` runs it, one step after the other.
"""

import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from itertools import accumulate

import nbformat
import pytest
from workbooks import hide_caches

from tools.course import lesson_book
from tools.course.exercises import EXERCISES
from tools.course.student_edition import contents, write
from tools.lessons.run_lessons import COURSE

STEPS = range(len(EXERCISES) + 1)
# What is earned when the exercises up to one are done. A net "with normalization" has nothing of its own to write and
# is earned as soon as its layers are there, so that only the sum at the end of a lesson is known beforehand.
EARNED = [0, *accumulate(exercise.points for exercise in EXERCISES)]
LESSON_ENDS = [
    step for step in STEPS if step == len(EXERCISES) or step and EXERCISES[step].lesson != EXERCISES[step - 1].lesson
]


@pytest.fixture(scope="module")
def edition(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a course") / "student"
    write(folder, contents())
    return folder


@pytest.fixture(scope="module")
def totals():
    """The scores of the steps so far."""
    return []


def run(folder, *command):
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", timeout=900)


@pytest.mark.parametrize("step", STEPS, ids=["fresh", *(exercise.name for exercise in EXERCISES)])
def test_the_score_rises_with_each_exercise(edition, totals, step):
    files = contents(EXERCISES[step:])
    for file, _ in EXERCISES[step - 1].places if step else ():
        (edition / file).write_bytes(files[file])
    done = run(edition, sys.executable, "-m", "tools.course.score", "--json")
    assert done.returncode == 0, done.stderr
    board = json.loads(done.stdout)
    totals.append(board["total"])
    assert board["points"] == 100
    if step and EXERCISES[step - 1].places:
        assert totals[-1] > totals[-2]
    if step == 0:
        assert [(row["name"], row["points"]) for row in board["exercises"]] == [(e.name, e.points) for e in EXERCISES]
        assert {(row["earned"], row["state"]) for row in board["exercises"]} == {(0, "not implemented yet")}
    if step in (0, *LESSON_ENDS):
        assert totals[-1] == EARNED[step]


def test_no_cache_need_be_what_the_workbook_has(edition):
    hide_caches(edition)
    done = run(edition, sys.executable, "-m", "tools.course.score", "--require", "100")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("lesson", COURSE)
def test_every_claim_of_the_solved_lessons_holds(edition, lesson):
    done = run(edition, sys.executable, "-m", "tools.lessons.run_lessons", lesson)
    assert done.returncode == 0, done.stdout
    assert re.search(rf"^{lesson} .* all \d+ claims hold$", done.stdout, re.MULTILINE), done.stdout
    shutil.copy(edition / "build" / f"{lesson}.ipynb", edition / "notebooks")  # as JupyterLab would save it


def test_the_submission_is_collected(edition):
    done = run(edition, sys.executable, "-m", "tools.course.collect_submission")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(io.BytesIO((edition / "a2_code.zip").read_bytes())) as archive:
        names = archive.namelist()
        assert {f"notebooks/{lesson}.ipynb" for lesson in COURSE} <= set(names)
        assert json.loads(archive.read("scoreboard.json"))["total"] == 100
    assert not any("__pycache__" in name or name.startswith("datasets") for name in names)


@pytest.mark.skipif(lesson_book.find_chromium() is None, reason="no Chromium, Chrome or Edge is installed")
def test_each_lessons_pages_have_its_text_and_pictures(edition):
    content = (edition / "a2_inline.pdf").read_bytes()
    count, pages = lesson_book.pages_of(content)
    starts = [pages[lesson] for lesson in COURSE]
    assert starts == sorted(set(starts))
    ends = [*starts[1:], count + 1]
    for lesson, first, end in zip(COURSE, starts, ends):
        notebook = nbformat.read(edition / "notebooks" / f"{lesson}.ipynb", as_version=4)
        pictures = sum(
            "image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", ())
        )
        assert pictures and end - first > pictures / 6, f"{lesson}: {pictures} pictures on {end - first} pages"
        if shutil.which("pdftotext") and shutil.which("pdfimages"):
            of_lesson = ("-f", str(first), "-l", str(end - 1), edition / "a2_inline.pdf")
            text = run(edition, "pdftotext", *of_lesson, "-").stdout
            assert "✓" in text and "from cs231n import" in text
            assert len(run(edition, "pdfimages", "-list", *of_lesson).stdout.splitlines()) - 2 >= pictures
