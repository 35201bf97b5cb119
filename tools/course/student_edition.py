"""Write the student edition: a complete copy of the workbook in which the exercises are still to be done.

The body of each exercise (tools/course/exercises.py) becomes a line that raises Unwritten and names the
lesson and the section that explain it. The lessons have no outputs, and a place to write where their answers stood. The
same source gives the same bytes. An edition that has been written before is renewed, but a folder with anyone's work in
it is left as it is. Exit status: 0 if the edition was written, 1 if not.
"""

import argparse
import ast
import hashlib
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat

from tools.course import solutions
from tools.course.exercises import EXERCISES, MANIFEST, ROOT

# The tests of what is given to the student, and those of the exercises.
TESTS = [
    f"tests/{name}.py"
    for name in (
        "arrays",
        "layers/test_blocks",
        "layers/test_threads",
        "training/test_gradient_check",
        "training/test_initializers",
        "data/*",
        "lessons/test_lesson",
        "lessons/test_progress",
        "tools/test_check_environment",
        "tools/test_fetch_cifar10",
        "tools/test_run_lessons",
        "exercises/*",
    )
]
FILES = [
    ".gitattributes",
    ".gitignore",
    "LICENSE",
    "Makefile",
    "collectSubmission.sh",
    "pyproject.toml",
    "requirements.txt",
    "cs231n/**/*.py",
    "cs231n/challenge/ablation.json",
    "cs231n/datasets/get_datasets.sh",
    "datasets/README.md",
    "datasets/get_datasets.sh",
    "notebooks/*.ipynb",
    "tools/__init__.py",
    "tools/course/children.py",
    "tools/course/collect_submission.py",
    "tools/course/exercises.py",
    "tools/course/learner.py",
    "tools/course/learner_process.py",
    "tools/course/lesson_book.py",
    "tools/course/pending.py",
    "tools/course/score.py",
    "tools/course/solutions.py",
    "tools/course/wire.py",
    "tools/data/*",
    "tools/install/*",
    "tools/lessons/*",
    *TESTS,
]
README = "tools/course/student_readme.md"
MOVED = {"tools/course/pending.py": "cs231n/notebook/pending.py"}  # only the edition needs it in its package

# What would not be true in the student edition: in a file, a pattern that stands there once, and what takes its place.
EDITS = {
    "Makefile": [
        (
            r"PY := .*\nSTAMP := .*\n",
            "# Inside the complete workbook, its environment is used.\n"
            "SHARED := $(if $(wildcard .venv),,$(wildcard ../.venv/installed))\n"
            "PY := $(if $(SHARED),../).venv/bin/python\n"
            "STAMP := $(if $(SHARED),LICENSE,.venv/installed)\n",
        ),
        (r"USABLE := (.*)\n", r"USABLE := $(if $(SHARED),yes,\1)\n"),
        (r"\$\(STAMP\): requirements.txt", "$(STAMP): $(if $(SHARED),,requirements.txt)"),
        (r"run_lessons \$", "run_lessons --keep-going $"),
        (r"unit tests, and every lesson against its stored outputs", "tests of the exercises and of what is given"),
        (r" --nbval \$\(NOTEBOOKS\) tests", " tests"),
        (r"# The longest first.*\nNOTEBOOKS := .*\n", ""),
        (r"; all compare with the stored outputs\.", "."),
        (r"student: .*\n.*\n\n", ""),
        (r"rehearsal: .*\n.*\n\n", ""),
        (r"nightly: .*\n.*\n.*\n.*\n\n", ""),
        (r"matrix: .*\n.*\n.*\n\n", ""),
        (r"mutants: .*\n.*\n.*\n.*\n\n", ""),
        (r"lint: .*\n.*\n.*\n\n", ""),
        (r"bench: .*\n.*\n\n", ""),
        (r"\.venv, \.nox, mutants/ and", ".venv and"),
        (r"\\\( -path \./\.venv -o -path \./\.nox \\\)", "-path ./.venv"),
        (r"(?<=\.PHONY:)(.*) bench(.*) student rehearsal nightly matrix mutants lint", r"\1\2"),
    ],
    "cs231n/lesson.py": [
        (r"from \.notebook import edits\n", "from .notebook import edits, pending\n"),
        (r"    edits\.install\(shell\)\n", "    edits.install(shell)\n    pending.install(shell)\n"),
    ],
    ".gitignore": [(r"\n# The student edition.*\nstudent/\n", ""), (r"# The environments of.*\n\.nox\nmutants/\n", "")],
    # What a body imported waits there for the reader's own; a warning is no mistake yet.
    "pyproject.toml": [
        (r"ignore = \[\"NPY002", 'ignore = ["F401", "NPY002'),
        (r"filterwarnings = \[[^]]*\]\n", ""),
        (r"\n# Small errors, planted(.*\n)*", ""),
    ],
}

ANSWER = re.compile(r"<details>\s*<summary>[^<]*[Aa]nswer</summary>.*?</details>", re.DOTALL)
PLACE_TO_WRITE = "**Your answer:** *write it here*"
CACHES = {"__pycache__", ".ipynb_checkpoints", ".pytest_cache", ".hypothesis", ".ruff_cache", ".DS_Store"}


class Refusal(Exception):
    """The edition was not written; the message says why."""


def blank(source, messages):
    """Replace the bodies of functions by a line that raises ``cs231n.unwritten.Unwritten``.

    Signature, decorators and docstring stay.

    Parameters
    ----------
    source : str
        Python code.
    messages : dict from str to str
        What each raises, under its name: of a function, a method (``Class.method``), or a class for all its methods.

    Returns
    -------
    source : str

    Raises
    ------
    LookupError
        If one of them is not defined exactly once.
    """
    lines = source.split("\n")
    found = list(_functions(source, messages))
    missing = [name for name in messages if name not in {name for name, _ in found}]
    twice = len({(name, node.name) for name, node in found}) < len(found)
    if missing or twice:
        raise LookupError(f"{', '.join(missing or messages)} must be defined once")
    # From the last to the first, so that line numbers stay what they are.
    for name, node in sorted(found, key=lambda pair: -pair[1].lineno):
        first, *_ = node.body
        has_docstring = ast.get_docstring(node, clean=False) is not None
        start = first.end_lineno if has_docstring else first.lineno - 1
        if first.lineno == node.lineno:
            raise LookupError(f"{name} must have its body on lines of its own")
        while not has_docstring and lines[start - 1].lstrip().startswith(("#", "@")):
            start -= 1
        end = node.end_lineno
        while end < len(lines) and re.match(rf" {{{first.col_offset},}}#", lines[end]):
            end += 1
        statement = f"raise Unwritten({json.dumps(messages[name], ensure_ascii=False)})"
        lines[start:end] = [" " * first.col_offset + statement]
    imports = [node.lineno - 1 for node in ast.parse(source).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    lines.insert(imports[0] if imports else 0, "from cs231n.unwritten import Unwritten")
    return "\n".join(lines)


def _functions(source, names):
    """Pairs of a name and a function that goes under it."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name in names:
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    for name in {node.name, f"{node.name}.{method.name}"}.intersection(names):
                        yield name, method


def student_lesson(notebook, messages):
    """A lesson without outputs and answers, and without the bodies of the exercises that it defines.

    Parameters
    ----------
    notebook : NotebookNode
        Is altered.
    messages : dict from str to str
        As for :func:`blank`.
    """
    missing = set(messages)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = ANSWER.sub(PLACE_TO_WRITE, cell.source)
        elif cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.metadata.pop("execution", None)
            defined = missing and {name for name, _ in _functions_of_cell(cell, missing)}
            if defined:
                cell.source = blank(cell.source, {name: messages[name] for name in defined})
                missing -= defined
    if missing:
        raise LookupError(f"{', '.join(sorted(missing))} must be defined in a cell")


def _functions_of_cell(cell, names):
    try:
        return list(_functions(cell.source, names))
    except SyntaxError:  # a cell with IPython's own commands defines no exercise
        return []


def contents(exercises=EXERCISES, root=ROOT):
    """The files of an edition.

    Parameters
    ----------
    exercises : sequence of Exercise
        What is still to be written in it.
    root : Path
        Of the complete workbook.

    Returns
    -------
    dict from str to bytes
        Under paths relative to the edition's folder.
    """
    messages = {}
    for exercise in exercises:
        for file, name in exercise.places:
            messages.setdefault(file, {})[name] = exercise.message(name)
    files = {}
    for path in sorted({path for pattern in FILES for path in root.glob(pattern) if path.is_file()}):
        name = path.relative_to(root).as_posix()
        try:
            if path.suffix == ".ipynb":
                notebook = nbformat.read(path, as_version=4)
                student_lesson(notebook, messages.get(name, {}))
                text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
            elif "__pycache__" in name:
                continue
            else:
                text = path.read_text(encoding="utf-8")
                for pattern, new in EDITS.get(name, ()):
                    text, count = re.subn(pattern, new, text)
                    if count != 1:
                        raise LookupError(f"{pattern} must stand there once, not {count} times")
                text = blank(text, messages[name]) if name in messages else text
        except LookupError as error:
            raise LookupError(f"{name}: {error.args[0]}") from None
        files[MOVED.get(name, name)] = text.encode("utf-8")
    files[solutions.FILE] = solutions.pack(root).encode("utf-8")
    files["README.md"] = (root / README).read_bytes()
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    files[MANIFEST] = (json.dumps(hashes, indent=1) + "\n").encode("utf-8")
    return files


def require_no_work(destination):
    """Raise ``Refusal`` unless a folder is empty, missing, or an edition exactly as this tool wrote it."""
    if not destination.exists():
        return
    if not destination.is_dir():
        raise Refusal(f"{destination} is a file. Name a folder.")
    found = {
        path.relative_to(destination).as_posix(): path
        for path in sorted(destination.rglob("*"))
        if (path.is_symlink() or not path.is_dir()) and not CACHES.intersection(path.relative_to(destination).parts)
    }
    manifest = found.pop(MANIFEST, None)
    try:
        hashes = json.loads(manifest.read_text(encoding="utf-8")) if manifest else {}
    except ValueError:
        hashes = {}
    for name, path in found.items():
        if name not in hashes:
            raise Refusal(f"{destination} holds {name}, which is not of a student edition. {WAY_OUT}")
        if path.is_symlink() or hashlib.sha256(path.read_bytes()).hexdigest() != hashes[name]:
            raise Refusal(f"{destination} holds work: {name} has been changed. {WAY_OUT}")


WAY_OUT = "Nothing was written. Name another folder, or move this one away."


def write(destination, files, root=ROOT):
    """Write an edition, whole or not at all.

    Parameters
    ----------
    destination : Path
        Missing, empty, or an edition that nobody has worked in.
    files : dict from str to bytes
    root : Path
        Where the files come from; what may be executed there may be executed in the edition.
    """
    require_no_work(destination)
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=f".{destination.name}.part-") as part:
        new, old = Path(part, "new"), Path(part, "old")
        for name, data in files.items():
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            if (root / name).is_file() and name != "README.md":
                shutil.copymode(root / name, path)
        if destination.exists():
            destination.rename(old)
        try:
            new.rename(destination)
        except BaseException:
            if old.exists():
                old.rename(destination)
            raise


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "destination",
        nargs="?",
        type=Path,
        default=ROOT / "student",
        metavar="DESTINATION",
        help="a folder that is missing or empty, or holds an edition nobody has worked in "
        "(default: student/ in the project)",
    )
    options = parser.parse_args(arguments)
    destination = options.destination.resolve()
    try:
        write(destination, contents())
    except Refusal as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{destination} could not be written: {error}.", file=sys.stderr)
        return 1
    print(
        f"The student edition is in {destination}: {len(EXERCISES)} exercises, "
        f"{sum(exercise.points for exercise in EXERCISES)} points."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
