"""The student edition: complete, without the solutions, reproducible, and never at the expense of someone's work."""

import ast
import json
import os
import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest

from tools.course import student_edition
from tools.course.exercises import EXERCISES, ROOT
from tools.course.student_edition import MANIFEST, Refusal, contents, write
from tools.lessons import run_lessons

IMPORT = "from cs231n.unwritten import Unwritten"

# The table


def test_exercises_have_names_and_sections_and_a_round_sum():
    assert len({exercise.name for exercise in EXERCISES}) == len(EXERCISES)
    assert sum(exercise.points for exercise in EXERCISES) == 100
    for exercise in EXERCISES:
        lesson = json.loads((ROOT / "notebooks" / f"{exercise.lesson}.ipynb").read_text(encoding="utf-8"))
        lines = [line for cell in lesson["cells"] for line in cell["source"]]
        assert any(line.startswith(f"## {exercise.section}. ") for line in lines), exercise


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


@pytest.fixture
def edition(files, tmp_path):
    folder = tmp_path / "a student's edition"
    write(folder, files)
    return folder


def snapshot(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def functions(source):
    """All functions of a module, under their qualified names."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from (
                (f"{node.name}.{method.name}", method) for method in node.body if isinstance(method, ast.FunctionDef)
            )


def cut(source, names):
    """The lines of a module outside the bodies of some functions, and those bodies, without their docstrings."""
    lines, bodies = source.splitlines(), {}
    for name, node in reversed(list(functions(source))):
        if name in names:
            start = node.body[0].end_lineno if ast.get_docstring(node) else node.body[0].lineno - 1
            bodies[name] = "\n".join(lines[start : node.end_lineno])
            del lines[start : node.end_lineno]
    return lines, bodies


def test_of_an_exercise_all_but_the_body_is_left_and_of_what_is_given_everything(files):
    exercises = {place: exercise for exercise in EXERCISES for place in exercise.places}
    for path in (ROOT / "cs231n").rglob("*.py"):
        file = path.relative_to(ROOT).as_posix()
        names = {name for place, name in exercises if place == file}
        text = path.read_text(encoding="utf-8")
        for pattern, new in student_edition.EDITS.get(file, ()):
            text = re.sub(pattern, new, text)
        before, _ = cut(text, names)
        after, bodies = cut(files[file].decode(), names)
        assert before == [line for line in after if line != IMPORT]
        assert after.count(IMPORT) == bool(names)
        for name in names:
            where = f"lesson {exercises[file, name].lesson}, section {exercises[file, name].section}"
            assert re.fullmatch(rf' +raise Unwritten\(".*: {where}"\)', bodies[name])


def test_only_the_edition_goes_on_where_code_is_missing(files):
    assert "pending.install(shell)" in files["cs231n/lesson.py"].decode()
    assert not (ROOT / "cs231n" / "notebook" / "pending.py").exists()


def test_no_helper_of_the_solutions_alone_is_left(files):
    """What the given code calls, from what is offered on, must be all that is not an exercise."""
    left = {"_inputs", "_epsilon", "_running"}  # read and check arguments: of use to whoever writes a layer
    for file, data in files.items():
        if not file.startswith("cs231n/layers/") or "Unwritten" not in data.decode():
            continue
        source = data.decode()
        used = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
        for name, function in functions(source):
            if name.startswith("_") and name not in used | left:
                assert "Unwritten" in ast.unparse(function.body[-1]), name


def test_lessons_lose_outputs_answers_and_solutions(files):
    lessons = [name for name in files if name.endswith(".ipynb")]
    assert {Path(name).stem for name in lessons} >= {exercise.lesson for exercise in EXERCISES}
    for name in lessons:
        before, after = nbformat.read(ROOT / name, 4), nbformat.reads(files[name].decode(), 4)
        nbformat.validate(after)
        places = [place for exercise in EXERCISES for place in exercise.places if place[0] == name]
        for old, new in zip(before.cells, after.cells, strict=True):
            if new.cell_type == "markdown":
                assert "<details" not in new.source
                assert new.source.count("**Your answer:**") == old.source.count("<details")
            elif new.cell_type == "code":
                assert (new.outputs, new.execution_count) == ([], None)
                # The body of a solution, and nothing else, has made room.
                defined = [place for _, place in places if re.search(rf"^(def|class) {place}\b", old.source, re.M)]
                assert ("Unwritten" in new.source) == bool(defined)
                assert defined or new.source == old.source


def test_the_edition_is_complete_and_without_the_maintainers_part(files):
    assert {
        "LICENSE",
        "requirements.txt",
        "tools/course/score.py",
        "cs231n/notebook/pending.py",
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


def test_the_same_source_gives_the_same_bytes(files, edition):
    assert contents() == files
    assert snapshot(edition) == {Path(name): data for name, data in files.items()}
    assert os.access(edition / "datasets" / "get_datasets.sh", os.X_OK)


# Someone's work


SMALL = {"README.md": b"Read.\n", "cs231n/layers.py": b"stub\n"}
SMALL[MANIFEST] = json.dumps(
    {name: student_edition.hashlib.sha256(data).hexdigest() for name, data in SMALL.items()}
).encode()


def test_an_edition_nobody_has_worked_in_is_renewed(tmp_path):
    folder = tmp_path / "an edition"
    write(folder, SMALL)
    (folder / "cs231n" / "__pycache__").mkdir()
    (folder / "cs231n" / "__pycache__" / "layers.pyc").write_bytes(b"")
    (folder / ".DS_Store").write_bytes(b"")
    write(folder, {"README.md": b"Read again.\n", MANIFEST: b"{}"})
    assert snapshot(folder) == {Path("README.md"): b"Read again.\n", Path(MANIFEST): b"{}"}
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("cs231n/layers.py", "my work", "holds work: cs231n/layers.py has been changed"),
        ("notes.txt", "my notes", "holds notes.txt, which is not of a student edition"),
        (MANIFEST, "{", "which is not of a student edition"),
    ],
)
def test_a_folder_with_someones_work_is_left_as_it_is(tmp_path, file, text, message):
    write(tmp_path / "student", SMALL)
    (tmp_path / "student" / file).write_text(text)
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


def test_an_interrupted_run_leaves_the_edition_as_it_was(tmp_path, monkeypatch):
    folder = tmp_path / "student"
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
    assert list(tmp_path.iterdir()) == [folder]


# Before anything is written


def test_a_lesson_runs_from_top_to_bottom_before_anything_is_written(edition, monkeypatch):
    monkeypatch.setenv("CS231N_DATA", "shapes10")
    path = edition / "notebooks" / "Dropout.ipynb"
    notebook, lesson = run_lessons.complete(run_lessons.execute(path, run_lessons.Progress()))
    assert lesson.state == "pending"
    assert 0 < lesson.holding < 10 < 80 < lesson.pending
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert all(output.output_type != "error" and output.get("name") != "stderr" for output in outputs)
