"""The mutation tests: which errors are planted, and that what notices them is told from what does not."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from mutant_trials import Lessons, digest
from mutations import mutants_of

ROOT = Path(__file__).resolve().parent.parent


def changes_of(line):
    """What becomes of a line in a function."""
    source = f"def f(a, b, c):\n    {line}\n"
    return {mutant.after for mutant in mutants_of("module.py", source)}


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("return a + b", {"return a - b", "return a", "return b"}),
        (
            "return (a + b) * c",
            {
                "return (a - b) * c",
                "return (a) * c",
                "return (b) * c",
                "return (a + b) / c",
                "return (a + b)",
                "return c",
            },
        ),
        ("return a - b", {"return a + b", "return a", "return b", "return (b - a)"}),
        ("return -a", {"return a"}),
        ("return not a", {"return a"}),
        ("return a < b", {"return a <= b", "return a >= b"}),
        ("return a is not None", {"return a is None"}),
        ("return a and b", {"return a or b", "return a", "return b"}),
        ("a += b", {"a -= b", "a = b", "pass"}),
        ("a **= b", {"a *= b", "a = b", "pass"}),
        ("return 1", {"return 2", "return 0"}),
        ("return 0.5", {"return 0.25"}),
        ("return True", {"return False"}),
        ("return a['mode']", {"return a['mode_']"}),
        ("a[b] = c", {"pass"}),
        ("a = b", set()),
        ("return f(a, b)", {"return f(b, a)"}),
        ("return max(a, b)", {"return min(a, b)"}),
        ("return a.sum(axis=c)", {"return a.sum()", "return a.mean(axis=c)"}),
        ("return a.copy()", {"return a"}),
        ("return a.T", {"return a"}),
        ("return sqrt(a)", {"return a"}),
        ("return a if b else c", {"return (c if b else a)"}),
        ("if a: return", {"if not a: return"}),
        ("raise ValueError(f'{a + 1} must be {b}')", {"pass"}),
        ("a(b)", {"pass"}),
        ("import a.b", set()),
    ],
)
def test_the_errors_of_a_line(line, changes):
    assert changes_of(line) == changes


def test_an_operator_is_exchanged_beside_brackets_comments_and_other_signs():
    source = "def f(a, b, c):\n    return (a  # a + b\n            ) + (-b)\n"
    [exchanged] = [mutant for mutant in mutants_of("module.py", source) if ") - (-b)" in mutant.source]
    assert "# a + b" in exchanged.source


def test_default_values_and_decorators_belong_to_their_function():
    source = "@rule(rate=0.5)\ndef f(a=2):\n    pass\n"
    mutants = mutants_of("module.py", source)
    assert {mutant.function for mutant in mutants} == {"f"}
    assert {mutant.after for mutant in mutants} == {"@rule(rate=0.25)", "@rule()", "def f(a=3):", "def f(a=1):"}


def test_docstrings_and_the_list_of_names_are_left_alone():
    assert mutants_of("module.py", '"""module"""\n__all__ = ["f"]\ndef f():\n    """function"""\n') == []


def test_each_mutant_has_one_name_whatever_happens_to_the_rest_of_the_module():
    source = (ROOT / "cs231n" / "optim.py").read_text(encoding="utf-8")
    names = [mutant.name for mutant in mutants_of("cs231n/optim.py", source)]
    assert len(set(names)) == len(names) > 100
    moved = mutants_of("cs231n/optim.py", source.replace("import math", "\nimport math"))
    assert names == [mutant.name for mutant in moved]


def test_every_mutant_is_another_program():
    source = (ROOT / "cs231n" / "layers" / "normalization.py").read_text(encoding="utf-8")
    for mutant in mutants_of("normalization.py", source):
        compile(mutant.source, "normalization.py", "exec")
        assert mutant.source != source


LAYER = """\
def double(x):
    return 2 * x


def half(x):
    while x > 100:
        x = x - 1
    return x / 2


def never_run(x):
    return x + 1


def named(name):
    def decorate(function):
        function.label = name
        return function

    return decorate


@named("thrice")
def triple(x):
    return 3 * x
"""
TESTS = """\
from cs231n.layers import double, half, triple


def test_name():
    assert triple.label == "thrice"


def test_double():
    assert double(3) == 6


def test_half():
    assert half(101) == 50


def test_litter():
    with open(f"litter {double(1)}", "w"):
        pass
"""
LESSON = [
    "from cs231n import lesson\nfrom cs231n.layers import double, half",
    "lesson.show_source(double)",
    "y = double(3)",
    "print('✓ it doubles' if y == 6 else '✗ it doubles')",
    "print('loss: %f' % half(3))",
    "open('litter of a lesson %d' % half(2), 'w').close()",
]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A small project with the same tools: two functions, of which one lesson shows one, and two tests."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("mutants.py", "mutant_trials.py", "mutations.py", "run_lessons.py", "nbval_sanitize.cfg"):
        (folder / "tools").mkdir(exist_ok=True)
        shutil.copy(ROOT / "tools" / name, folder / "tools")
    (folder / "tools" / "equivalent_mutants.json").write_text("{}")
    (folder / "cs231n").mkdir()
    (folder / "cs231n" / "__init__.py").touch()
    (folder / "cs231n" / "lesson.py").write_text("def show_source(*objects):\n    pass\n")
    (folder / "cs231n" / "layers.py").write_text(LAYER)
    (folder / "tests").mkdir()
    (folder / "tests" / "test_layers.py").write_text(TESTS)
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\npythonpath = ['.']\n")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in LESSON])
    (folder / "notebooks").mkdir()
    nbformat.write(notebook, folder / "notebooks" / "Doubling.ipynb")
    return folder


def run(project, *arguments):
    return subprocess.run(
        [sys.executable, "tools/mutants.py", "cs231n/layers.py", *arguments],
        cwd=project,
        text=True,
        capture_output=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(project)},
    )


def results(project, who):
    return json.loads((project / "build" / "mutants" / f"{who}.json").read_text(encoding="utf-8"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="mutants are tried in forks")
def test_what_is_noticed_is_told_from_what_is_not(project):
    done = run(project)
    assert done.returncode == 1, done.stderr
    tests = {name.split(" ", 1)[1]: result["verdict"] for name, result in results(project, "unit-tests").items()}
    assert tests["double: return 2 * x → return 2 / x"] == "killed"
    assert tests["half: x = x - 1 → x = x"] == "endless"
    assert tests["never_run: return x + 1 → return x - 1"] == "survived"
    assert tests["half: while x > 100: → while x >= 100:"] == "killed"
    # A line run on import, seen by a test that runs no line of the module.
    assert tests["named.decorate: function.label = name → pass"] == "killed"
    litter = [path.relative_to(project).as_posix() for path in project.rglob("litter*")]
    assert litter == ["notebooks/litter of a lesson 1"]  # by the lesson itself
    assert not list((project / "build" / "mutants").glob("trial-*"))
    lessons = {name.split(" ", 1)[1]: result for name, result in results(project, "lessons").items()}
    # The cell that doubles prints nothing: a later one judges it.
    assert lessons["double: return 2 * x → return 3 * x"]["by"] == "Doubling, cell 4"
    # The digits of a loss are not compared, and no lesson shows this function.
    assert lessons["half: return x / 2 → return x"]["verdict"] == "survived"
    assert "never_run: no test runs this line" in done.stdout
    shown, other = done.stdout.split("## Lessons, in code that they show")[1].split("## Lessons, in other code")
    assert "100.0% of those that are not equivalent are killed (90% is wanted)" in shown
    assert "half: seen by tests/test_layers.py::test_half\n  - `return x / 2`\n  - `return x`" in other


@pytest.mark.skipif(not hasattr(os, "fork"), reason="mutants are tried in forks")
def test_a_repeated_run_tries_nothing_again_and_takes_reasons(project):
    run(project)
    survivors = [name for name, result in results(project, "unit-tests").items() if result["verdict"] == "survived"]
    file = project / "tools" / "equivalent_mutants.json"
    file.write_text(json.dumps(dict.fromkeys(survivors, "nobody calls it")))
    again = run(project)
    assert again.returncode == 0, again.stdout
    assert "mutant" not in again.stderr  # no progress bar, as there is nothing to do
    assert "never_run: nobody calls it" in again.stdout
    file.write_text(
        json.dumps(
            {
                "cs231n/layers.py double: return 2 * x → return 2 / x": "wrongly said to be the same",
                "cs231n/layers.py double: return x * 2 → return x / 2": "a line that was changed",
                "cs231n/other.py double: return x * 2 → return x / 2": "a module that was not asked for",
            }
        )
    )
    wrong = run(project)
    assert wrong.returncode == 1
    assert "Not equivalent, a test kills it: cs231n/layers.py double" in wrong.stdout
    [unknown] = re.findall("No such mutant, take it out of equivalent_mutants.json: (.*)", wrong.stdout)
    assert unknown == "cs231n/layers.py double: return x * 2 → return x / 2"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="mutants are tried in forks")
def test_the_time_is_up_although_no_mutant_was_killed_yet(project):
    done = run(project, "--again", "--only", "lessons", "--minutes", "0")
    assert done.returncode == 1
    assert "the time is up, the next call goes on from here" in done.stdout
    assert results(project, "lessons") == {}


def test_a_kill_by_a_lesson_rests_on_the_function_and_the_cells_so_far():
    mutant = mutants_of("cs231n/layers/dropout.py", (ROOT / "cs231n/layers/dropout.py").read_text(encoding="utf-8"))[0]

    def evidence(verdict, *cells):
        lessons = object.__new__(Lessons)
        lessons.cells, lessons.state = {"Dropout": cells}, digest(*cells)
        return lessons.evidence(mutant, {"verdict": verdict, "by": "Dropout, cell 2"})

    assert evidence("killed", "a", "b") == evidence("killed", "a", "b", "c") != evidence("killed", "a", "d")
    assert evidence("survived", "a", "b") != evidence("survived", "a", "b", "c")


def test_a_module_that_is_not_there_is_named():
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "mutants.py"), "cs231n/nothing.py"],
        text=True,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert "cs231n/nothing.py is no module or folder of cs231n/" in done.stderr
