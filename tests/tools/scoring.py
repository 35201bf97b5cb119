"""A learner's workbook and its score: what the tests of the scoreboard share."""

import ast
import json
import os
import shutil
import subprocess
import sys

import pytest

from tools.course.exercises import EXERCISES, ROOT

PLACES = {name: file for exercise in EXERCISES for file, name in exercise.places}


@pytest.fixture(name="workbook")
def workbook_fixture(tmp_path):
    """A learner's workbook, solved; ``workbook(name=body, …)`` puts other bodies into functions of it."""
    shutil.copytree(ROOT / "cs231n", tmp_path / "cs231n", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "PyTorch.ipynb", tmp_path / "notebooks")

    def changed(**bodies):
        for name, body in bodies.items():
            path = tmp_path / PLACES[name]
            tree = ast.parse(path.read_text(encoding="utf-8"))
            (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
            function.body = ast.parse(body).body
            path.write_text(ast.unparse(tree), encoding="utf-8")
        return tmp_path

    return changed


def run_score(folder, *options, status=0, judge=ROOT):
    of = ("--of", folder) if folder != judge else ()
    done = subprocess.run(
        [sys.executable, "-m", "tools.course.score", *of, *options],
        cwd=judge,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert (done.returncode, done.stderr) == (status, "")
    return done.stdout


def rows_of(folder, *options, **settings):
    return {row["name"]: row for row in json.loads(run_score(folder, "--json", *options, **settings))["exercises"]}
