"""The student edition: complete, without the solutions, reproducible, and never at the expense of someone's work."""

import ast
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.course import student_edition
from tools.course.exercises import EXERCISES, ROOT
from tools.course.student_edition import MANIFEST, Refusal, blank, contents, student_lesson, write

# The body of a function


SOURCE = '''"""A module."""

import numpy as np


@np.vectorize
def squared(x, *, times=1):
    """The square.

    Of a number.
    """
    # The trick.
    y = x
    return y * x
    # And that was all.


# A comment on what follows.
def plain(x):
    # The trick.
    return x


class Net:
    """A net."""

    def loss(self, x):
        def inner():
            return x

        return inner()

    def other(self):
        return 1
'''


def test_a_body_becomes_the_error_and_the_rest_stays():
    blanked = blank(SOURCE, {"squared": "squared: §", "plain": "plain: §", "Net.loss": "loss: §"})
    assert (
        blanked
        == '''"""A module."""

import numpy as np


@np.vectorize
def squared(x, *, times=1):
    """The square.

    Of a number.
    """
    raise NotImplementedError("squared: §")


# A comment on what follows.
def plain(x):
    raise NotImplementedError("plain: §")


class Net:
    """A net."""

    def loss(self, x):
        raise NotImplementedError("loss: §")

    def other(self):
        return 1
'''
    )


def test_of_a_class_all_methods_are_blanked():
    blanked = blank(SOURCE, {"Net": "Net: §"})
    assert blanked.count('raise NotImplementedError("Net: §")') == 2
    assert "return y * x" in blanked


@pytest.mark.parametrize("name", ["cubed", "Net.forward", "inner"])
def test_an_exercise_that_is_not_there_is_named(name):
    with pytest.raises(LookupError, match=f"^{name} must be defined once"):
        blank(SOURCE, {name: ""})


def test_an_exercise_that_is_there_twice_is_named():
    with pytest.raises(LookupError, match="^plain must be defined once"):
        blank(SOURCE + "\n\ndef plain(x):\n    return 2\n", {"plain": ""})


def test_a_lesson_loses_outputs_answers_and_solutions():
    notebook = new_notebook(
        cells=[
            new_markdown_cell(
                "**Inline question.** Why?\n\n<details><summary>Answer</summary>\n\nBecause.\n</details>\n\n## 2."
            ),
            new_code_cell("%matplotlib inline\n!ls", execution_count=1),
            new_code_cell(
                "def f(x):\n    '''Of x.'''\n    return x + 1\n\n\nf(1)",
                execution_count=2,
                outputs=[new_output("execute_result", data={"text/plain": "2"}, execution_count=2)],
            ),
            new_code_cell("class Net(nn.Module):\n    def forward(self, x):\n        return x"),
        ]
    )
    student_lesson(notebook, {"f": "f: §", "Net": "Net: §"})
    text, magic, function, module = notebook.cells
    assert text.source == "**Inline question.** Why?\n\n**Your answer:** *write it here*\n\n## 2."
    assert magic.source == "%matplotlib inline\n!ls"
    assert function.source == "def f(x):\n    '''Of x.'''\n    raise NotImplementedError(\"f: §\")\n\n\nf(1)"
    assert module.source.endswith('def forward(self, x):\n        raise NotImplementedError("Net: §")')
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells[1:])
    with pytest.raises(LookupError, match="^g must be defined in a cell"):
        student_lesson(notebook, {"g": ""})


# The table


def test_exercises_have_names_of_their_own_and_a_round_sum():
    assert len({exercise.name for exercise in EXERCISES}) == len(EXERCISES)
    assert sum(exercise.points for exercise in EXERCISES) == 100


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_an_exercise_names_a_section_of_its_lesson(exercise):
    lesson = nbformat.read(ROOT / "notebooks" / f"{exercise.lesson}.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in lesson.cells if cell.cell_type == "markdown")
    assert re.search(rf"^## {exercise.section}\. ", text, re.MULTILINE)


def test_the_tests_of_an_exercise_are_worth_its_points():
    points = Counter()
    for path in (ROOT / "tests" / "exercises").glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "exercise":
                name, worth = map(ast.literal_eval, node.args)
                points[name] += worth
    assert points == {exercise.name: exercise.points for exercise in EXERCISES}


# The edition


@pytest.fixture(scope="module")
def files():
    return contents()


def functions(source):
    """All functions of a module, under their qualified names."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from (
                (f"{node.name}.{method.name}", method) for method in node.body if isinstance(method, ast.FunctionDef)
            )


def test_of_an_exercise_signature_and_docstring_are_left(files):
    for exercise in EXERCISES:
        for file, name in exercise.places:
            if file.endswith(".py"):
                before = dict(functions((ROOT / file).read_text(encoding="utf-8")))[name]
                after = dict(functions(files[file].decode()))[name]
                assert ast.unparse(after.args) == ast.unparse(before.args)
                assert ast.get_docstring(after) == ast.get_docstring(before)
                *_, last = after.body
                assert len(after.body) == 1 + bool(ast.get_docstring(after))
                assert ast.unparse(last.exc).startswith("NotImplementedError(")
                assert f"lesson {exercise.lesson}, section {exercise.section}" in ast.unparse(last.exc)


def test_what_is_given_is_left_as_it_is(files):
    places = {place for exercise in EXERCISES for place in exercise.places}
    for path in (ROOT / "cs231n").rglob("*.py"):
        file = path.relative_to(ROOT).as_posix()
        before = functions(path.read_text(encoding="utf-8"))
        after = dict(functions(files[file].decode()))
        for name, function in before:
            assert (file, name) in places or ast.dump(function) == ast.dump(after[name])


def test_no_helper_of_the_solutions_alone_is_left(files):
    """What the given code calls, from what is offered on, must be all that is not an exercise."""
    left = {"_inputs", "_epsilon", "_running"}  # read and check arguments: of use to whoever writes a layer
    for file, data in files.items():
        if not file.startswith("cs231n/layers/") or "NotImplementedError" not in data.decode():
            continue
        source = data.decode()
        used = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
        for name, function in functions(source):
            if name.startswith("_") and name not in used | left:
                assert "NotImplementedError" in ast.unparse(function.body[-1]), name


def test_lessons_have_neither_outputs_nor_answers(files):
    lessons = [name for name in files if name.endswith(".ipynb")]
    assert {Path(name).stem for name in lessons} >= {exercise.lesson for exercise in EXERCISES}
    for name in lessons:
        text = files[name].decode()
        before = (ROOT / name).read_text(encoding="utf-8")
        assert "<details" not in text
        assert text.count("**Your answer:**") == before.count("<details")
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
        assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")


def test_the_edition_is_complete_and_without_the_maintainers_part(files):
    assert {
        "LICENSE",
        "Makefile",
        "README.md",
        "requirements.txt",
        "tools/course/score.py",
        "datasets/get_datasets.sh",
        "cs231n/pending.py",
        "tests/exercises/hints.py",
        "tests/arrays.py",
    } <= set(files)
    for name in files:
        assert not re.search(r"^build|^datasets/cifar|__pycache__|^benchmarks|^\.git/|student_edition\.py$", name)
        assert not re.match("tests/(layers|training)/", name) or name in student_edition.TESTS
    for name in ("Makefile", "README.md", "pyproject.toml", ".gitignore"):
        assert not re.search(r"benchmark|nbval \$|student_edition|^student|matrix", files[name].decode(), re.MULTILINE)


def test_the_readers_guide_names_all_lessons_and_only_what_is_there(files):
    links = re.findall(r"\]\(([^)]+)\)", files["README.md"].decode())
    lessons = [link for link in links if link.endswith(".ipynb")]
    assert lessons == list(dict.fromkeys(f"notebooks/{exercise.lesson}.ipynb" for exercise in EXERCISES))
    assert set(links) - set(lessons) <= set(files)
    commands = re.findall(r"^    make (\w+)", files["README.md"].decode(), re.MULTILINE)
    assert commands
    for command in commands:
        assert re.search(rf"^{command}:", files["Makefile"].decode(), re.MULTILINE)


def test_the_same_source_gives_the_same_bytes(files, tmp_path):
    assert contents() == files
    for name in ("one", "two"):
        write(tmp_path / name, files)
    one, two = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("one", "two")
    )
    assert one == two
    assert len(one) == len(files)
    assert os.access(tmp_path / "one" / "datasets" / "get_datasets.sh", os.X_OK)


# Someone's work


SMALL = {"README.md": b"Read.\n", "cs231n/layers.py": b"stub\n"}
SMALL[MANIFEST] = json.dumps(
    {name: student_edition.hashlib.sha256(data).hexdigest() for name, data in SMALL.items()}
).encode()


def snapshot(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_edition_nobody_has_worked_in_is_renewed(tmp_path):
    folder = tmp_path / "an edition"
    write(folder, SMALL)
    (folder / "cs231n" / "__pycache__").mkdir()
    (folder / "cs231n" / "__pycache__" / "layers.pyc").write_bytes(b"")
    write(folder, {"README.md": b"Read again.\n", MANIFEST: b"{}"})
    assert snapshot(folder) == {Path("README.md"): b"Read again.\n", Path(MANIFEST): b"{}"}
    assert list(tmp_path.iterdir()) == [folder]


def changed(folder):
    (folder / "cs231n" / "layers.py").write_text("my work")


def added(folder):
    (folder / "notes.txt").write_text("my notes")


def without_manifest(folder):
    (folder / MANIFEST).unlink()


def manifest_broken(folder):
    (folder / MANIFEST).write_text("{")


@pytest.mark.skipif(sys.platform == "win32", reason="a link needs rights there")
def test_a_link_is_not_followed_into_someones_work(tmp_path):
    write(tmp_path / "student", SMALL)
    (tmp_path / "mine").write_text("my work")
    (tmp_path / "student" / "link").symlink_to(tmp_path / "mine")
    with pytest.raises(Refusal, match="holds link"):
        write(tmp_path / "student", SMALL)
    assert (tmp_path / "mine").read_text() == "my work"


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (changed, "holds work: cs231n/layers.py has been changed"),
        (added, "holds notes.txt, which is not of a student edition"),
        (without_manifest, "which is not of a student edition"),
        (manifest_broken, "which is not of a student edition"),
    ],
)
def test_a_folder_with_someones_work_is_left_as_it_is(tmp_path, work, message):
    write(tmp_path / "student", SMALL)
    work(tmp_path / "student")
    before = snapshot(tmp_path)
    with pytest.raises(Refusal, match=message):
        write(tmp_path / "student", SMALL)
    assert snapshot(tmp_path) == before


def test_the_tool_refuses_in_one_line(tmp_path, capsys):
    (tmp_path / "student").write_text("a file")
    assert student_edition.main([str(tmp_path / "student")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"{tmp_path / 'student'} is a file. Name a folder.\n"
    assert (tmp_path / "student").read_text() == "a file"


def test_the_workbook_itself_is_not_overwritten(capsys):
    assert student_edition.main([str(ROOT)]) == 1
    assert "is not of a student edition" in capsys.readouterr().err


@pytest.mark.parametrize("there_before", [True, False])
def test_an_interrupted_run_leaves_no_half_edition(tmp_path, monkeypatch, there_before):
    folder = tmp_path / "student"
    if there_before:
        write(folder, SMALL)
    before = snapshot(tmp_path)
    rename = Path.rename

    def interrupted(self, target):
        if self.name == "new":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(folder, {"README.md": b"new"})
    assert snapshot(tmp_path) == before
    assert list(tmp_path.iterdir()) == [folder] * there_before


# From the first line to full points


def score(folder):
    done = subprocess.run(
        [sys.executable, "-m", "tools.course.score", "--json"],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_solutions_put_back_one_after_the_other_bring_their_points(tmp_path):
    lessons = list(dict.fromkeys(exercise.lesson for exercise in EXERCISES))
    halfway = [exercise for exercise in EXERCISES if lessons.index(exercise.lesson) >= 2]
    for number, to_do in enumerate((EXERCISES, halfway, ())):
        write(tmp_path / str(number), contents(to_do))
        board = score(tmp_path / str(number))
        open_names = {exercise.name for exercise in to_do}
        for row in board["exercises"]:
            is_open = row["name"] in open_names
            assert row["state"] == ("not implemented yet" if is_open else "done"), row
            assert row["earned"] == (0 if is_open else row["points"])
        assert board["total"] == sum(e.points for e in EXERCISES) - sum(e.points for e in to_do)


def test_a_lesson_runs_from_top_to_bottom_before_anything_is_written(tmp_path):
    folder = tmp_path / "a student's edition"
    write(folder, contents())
    done = subprocess.run(
        [sys.executable, "-m", "tools.lessons.run_lessons", "Dropout"],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "CS231N_DATA": "shapes10"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    verdict = r"^Dropout .* (\d+) of (\d+) claims hold, (\d+) not implemented yet$"
    holding, claims, pending = map(int, re.search(verdict, done.stdout, re.MULTILINE).groups())
    assert holding + pending == claims
    assert 0 < holding < 10 < 80 < pending
    notebook = nbformat.read(folder / "build" / "Dropout.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert all(output.output_type != "error" and output.get("name") != "stderr" for output in outputs)
