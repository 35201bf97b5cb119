"""In a running notebook every edit of the package is taken up, and nothing passes for code that could not be loaded."""

import gc
import shutil
import subprocess
import sys
import textwrap
import types

import pytest

from cs231n.notebook import edits
from tools.course.exercises import EXERCISES, ROOT
from tools.course.student_edition import contents

# Runs before the code of each test, in an interpreter of its own: what it edits is a copy of the package.
PRELUDE = """
import ast, importlib, inspect, os, sys, time
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.run_cell("from cs231n import lesson\\nlesson.start()\\nfrom cs231n.lesson import check")

def save(file, text):
    before = os.stat(file).st_mtime_ns
    Path(file).write_text(text, encoding="utf-8")
    os.utime(file, ns=(before + 10**9,) * 2)

def functions(tree):
    "The name and definition of each function and method of a module."
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{part.name}", part) for part in node.body if isinstance(part, ast.FunctionDef))

def with_bodies(source, names, statement):
    "A module in which some functions do nothing but this."
    tree = ast.parse(source)
    for name, node in functions(tree):
        if name in names:
            node.body = [ast.Expr(ast.Constant("Text.")), *ast.parse(statement.format(name)).body]
    return ast.unparse(ast.fix_missing_locations(tree))

def found(module, name):
    "A function of a module, as whoever imported it by name has it."
    owner, _, name = name.rpartition(".")
    value = inspect.getattr_static(getattr(module, owner) if owner else module, name)
    value = getattr(value, "fget", None) or getattr(value, "__func__", value)
    return value

def call(function):
    "What a function returns or raises, whatever it is passed."
    parameters = inspect.signature(function).parameters.values()
    needed = [p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    try:
        result = function(*[None] * len(needed))
        return next(result) if inspect.isgenerator(result) else result
    except Exception as error:
        return f"{type(error).__name__}: {error}"
"""


@pytest.fixture
def live(tmp_path):
    """Runs code in a fresh interpreter, in a folder with a copy of the package; returns the lines it prints."""

    def run(code, files=()):
        if files:
            for name, data in files:
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_bytes(data)
        else:
            shutil.copytree(ROOT / "cs231n", tmp_path / "cs231n", ignore=shutil.ignore_patterns("__pycache__"))
        script = tmp_path / "live.py"
        script.write_text(PRELUDE + textwrap.dedent(code), encoding="utf-8")
        process = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert process.returncode == 0, process.stderr
        return process.stdout.splitlines()

    return run


def test_an_edit_of_any_function_or_method_is_taken_up(live):
    lines = live("""
        files = sorted(path for path in Path("cs231n").rglob("*.py") if path.name not in ("setup.py", "edits.py"))
        kept = {}
        for path in files:
            module = importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
            names = [name for name, _ in functions(ast.parse(path.read_text())) if "._" not in name[1:]]
            kept[path] = {name: found(module, name) for name in names if not name.startswith("_")}
        shell.run_cell("pass")
        for path, names in kept.items():
            save(path, with_bodies(path.read_text(), names, "return 'edited {}'"))
        shell.run_cell("pass")
        for path, names in kept.items():
            for name, function in names.items():
                result = call(function)
                if result != f"edited {name}":
                    print(path, name, result)
        print(sum(map(len, kept.values())), "functions")
    """)
    assert lines[:-1] == []
    assert int(lines[-1].split()[0]) > 100


def test_every_exercise_is_taken_up_through_a_wrong_version_to_the_right_one(live):
    """Each is first unwritten, then returns nonsense, and at last is the solution."""
    places = {}
    for exercise in EXERCISES:
        for file, name in exercise.places:
            if file.startswith("cs231n/"):
                places.setdefault(file, []).append(name)
    code = f"""
        ROOT, PLACES = Path({str(ROOT)!r}), {places!r}
        imported, states = [], []
        for file, names in PLACES.items():
            module = importlib.import_module(".".join(Path(file).with_suffix("").parts))
            imported += [(file, name, found(module, name)) for name in names]
        shell.run_cell("pass")

        states.append([call(function).partition(":")[0] for _, _, function in imported])
        for file, names in PLACES.items():
            save(file, with_bodies(Path(file).read_text(), names, "return 'wrong'"))
        shell.run_cell("pass")
        states.append([call(function) for _, _, function in imported])
        solutions = {{}}
        for file in PLACES:
            text = (ROOT / file).read_text(encoding="utf-8")
            save(file, text)
            package = ".".join(Path(file).parts[:-1])
            solutions[file] = {{"__package__": package, "__name__": "aside"}}
            exec(compile(text, file, "exec"), solutions[file])
        shell.run_cell("pass")
        for state in states:
            print(*sorted(set(state)))
        for file, name, function in imported:
            owner, _, name = name.rpartition(".")
            right = getattr(solutions[file][owner], name) if owner else solutions[file][name]
            if (function.__code__.co_code, function.__defaults__) != (right.__code__.co_code, right.__defaults__):
                print(name, "is not the solution")
        print(len(imported), "functions")
    """
    assert live(code, contents().items()) == ["Unwritten", "wrong", f"{sum(map(len, places.values()))} functions"]


FAULTS = [
    ("    return x +", "SyntaxError: invalid syntax"),
    ("    return x\nundefined", "NameError: name 'undefined' is not defined"),
    ("    return x\nfrom . import nothing", "ImportError: cannot import name 'nothing'"),
]


@pytest.mark.parametrize(("line", "error"), FAULTS)
def test_no_claim_passes_as_long_as_an_edited_module_cannot_be_loaded(live, line, error):
    lines = live(f"""
        file = Path("cs231n/layers/activations.py")
        good = file.read_text()
        cell = "from cs231n.layers import relu_forward\\ncheck('the largest is 5', relu_forward(5.0)[0] == 5)"
        shell.run_cell(cell)
        lines = good.splitlines()
        first = next(i for i, line in enumerate(lines) if line.startswith("def relu_backward"))
        save(file, "\\n".join([*lines[:first], "def broken(x):", *{line!r}.splitlines(), "", *lines[first:]]))
        print(f"line {{first + 2 + {line.count(chr(10))}}}")
        for _ in range(2):
            shell.run_cell(cell)
        shell.run_cell("1 + 1")
        save(file, good)
        shell.run_cell(cell)
    """)
    lines = [line for line in lines if line.startswith(("✓", "✗", "line"))]
    place = f"cs231n/layers/activations.py, {lines[1]}: {error}"
    holds = "✓ the largest is 5"
    assert (lines[0], lines[-1]) == (holds, holds)
    assert [line[: len(f"✗ {place}")] for line in lines[2:7:2]] == [f"✗ {place}"] * 3
    assert [line.startswith(f"✗ the largest is 5 … not checked: {place}") for line in lines[3:6:2]] == [True] * 2
    assert len(lines) == 8


def test_an_older_file_that_is_put_back_is_taken_up(live):
    lines = live("""
        file = Path("cs231n/layers/activations.py")
        good, before = file.read_text(), os.stat(file)
        shell.run_cell("from cs231n.layers import relu_forward")
        save(file, with_bodies(good, ["relu_forward"], "return 'edited'"))
        shell.run_cell("print(relu_forward(0.0))")
        file.write_text(good)
        os.utime(file, ns=(before.st_mtime_ns,) * 2)
        shell.run_cell("print(relu_forward(5.0)[0])")
    """)
    assert lines == ["edited", "5.0"]


def test_modules_may_be_loaded_while_the_loaded_ones_are_looked_through():
    loaded, threshold = [], gc.get_threshold()

    def load(*_):
        loaded.append(f"made up {len(loaded)}")
        sys.modules[loaded[-1]] = types.ModuleType(loaded[-1])

    gc.callbacks.append(load)
    gc.set_threshold(1)
    try:
        files = list(edits._files())
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(load)
        for name in loaded:
            del sys.modules[name]
    assert loaded and "cs231n.notebook.edits" in [name for name, _, _ in files]
