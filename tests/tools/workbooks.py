"""Workbooks of learners: complete ones in another style than the package's own, and ones with a mistake in them.

As a program it scores planted mistakes, many in one process: a JSON list of exercise, style and change on its standard
input, and the rows of the scoreboard on its standard output.
"""

import ast
import json
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOLUTIONS = Path(__file__).parent / "solutions"
NOTEBOOK = "notebooks/PyTorch.ipynb"
STYLES = ("loops", "course")  # besides the package's own


def place_of(exercise):
    """File and name of what is to be written for an exercise."""
    from tools.course.exercises import EXERCISES

    (found,) = (other for other in EXERCISES if other.name == exercise)
    return found.file, exercise.split(" ")[0]


def defined(source):
    """Functions, classes and methods of a module, under their names."""
    nodes = {}
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            nodes[node.name] = node
            if isinstance(node, ast.ClassDef):
                nodes |= {f"{node.name}.{m.name}": m for m in node.body if isinstance(m, ast.FunctionDef)}
    return nodes


def with_body(source, name, body):
    """A module in which a function has another body, below its docstring."""
    node, lines = defined(source)[name], source.split("\n")
    has_docstring = ast.get_docstring(node) is not None
    start = node.body[0].end_lineno if has_docstring else node.body[0].lineno - 1
    lines[start : node.end_lineno] = [textwrap.indent(textwrap.dedent(body).strip("\n"), " " * (node.col_offset + 4))]
    return "\n".join(lines)


def body_of(source, name):
    node = defined(source)[name]
    return textwrap.dedent("\n".join(source.split("\n")[node.body[0].lineno - 1 : node.end_lineno]))


def solve(folder, style):
    """Write the solutions of a style into a workbook: a student edition, or a copy of the package."""
    from tools.course.exercises import EXERCISES

    source = (SOLUTIONS / f"{style}.py").read_text(encoding="utf-8")
    nodes, lines = defined(source), source.split("\n")
    places = {name: file for exercise in EXERCISES for file, name in exercise.places if file != NOTEBOOK}
    texts, written = {}, {}
    for name in nodes.keys() & places.keys():
        file = places[name]
        texts.setdefault(file, (folder / file).read_text(encoding="utf-8"))
        body = body_of(source, name)
        texts[file] = with_body(texts[file], name, body)
        written[file] = written.get(file, "") + body
    # What the bodies use besides, at the end of each module.
    helpers = {}
    for node in ast.parse(source).body:
        text = "\n".join(lines[node.lineno - 1 : node.end_lineno])
        if isinstance(node, (ast.Import, ast.ImportFrom)) and node.names[0].name != "*":
            helpers[node.names[0].asname or node.names[0].name] = text
        elif isinstance(node, ast.FunctionDef) and node.name not in places:
            helpers[node.name] = text
    for file, text in texts.items():
        used, found = written[file], {}
        while new := {n: code for n, code in helpers.items() if n not in found and re.search(rf"\b{n}\b", used)}:
            found |= new
            used = "\n".join(new.values())
        (folder / file).write_text("\n\n".join([text, *found.values()]) + "\n", encoding="utf-8")
    cells = (SOLUTIONS / f"{style}_cells.py").read_text(encoding="utf-8").split("# %%\n")[1:]
    with_cells(folder, {next(n for n in defined(cell) if definition_in(folder, n) is not None): cell for cell in cells})


HIDDEN = """

class _Cache:
    def __init__(self, held):
        self.held = held


def _hidden(forward, *backwards):
    import functools

    def with_held(backward):
        @functools.wraps(backward)
        def with_held_cache(dout, cache, *args, **kwargs):
            return backward(dout, cache.held, *args, **kwargs)

        return with_held_cache

    @functools.wraps(forward)
    def with_cache(*args, **kwargs):
        out, cache = forward(*args, **kwargs)
        return out, _Cache(cache)

    return with_cache, *map(with_held, backwards)


"""


def hide_caches(folder):
    """Let the caches of all layers be objects that only their own backward functions can use."""
    for path in sorted((folder / "cs231n" / "layers").glob("*.py")):
        source = path.read_text(encoding="utf-8")
        names = re.findall(r"^def ([a-z]\w*)\(", source, re.MULTILINE)
        families = []
        for name in names:
            backwards = [n for n in names if n.startswith(name.replace("_forward", "_backward"))]
            if "_forward" in name and backwards:
                families.append(", ".join([name, *backwards]))
        if families:
            hidden = "\n".join(f"{family} = _hidden({family})" for family in families)
            path.write_text(f"{source}{HIDDEN}{hidden}\n", encoding="utf-8")


def definition_in(folder, name):
    """The number of the cell that defines a name."""
    lesson = json.loads((folder / NOTEBOOK).read_text(encoding="utf-8"))
    for number, cell in enumerate(lesson["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and re.search(rf"^(def|class) {name}\b", source, re.MULTILINE):
            return number
    return None


def with_cells(folder, cells):
    lesson = json.loads((folder / NOTEBOOK).read_text(encoding="utf-8"))
    for name, source in cells.items():
        lesson["cells"][definition_in(folder, name)]["source"] = source.strip("\n").splitlines(True)
    (folder / NOTEBOOK).write_text(json.dumps(lesson, ensure_ascii=False, indent=1, sort_keys=True) + "\n", "utf-8")


def plant(folder, exercise, change):
    """Put a mistake into a workbook.

    Parameters
    ----------
    folder : Path
    exercise : str
    change : str or list of (str, str)
        Another body, or what is replaced in the code of the exercise, at its first place; in ``"name: text"`` the
        name is that of another function of the module.
    """
    file, name = place_of(exercise)
    path = folder / file
    if file == NOTEBOOK:
        lesson = json.loads(path.read_text(encoding="utf-8"))
        source = "".join(lesson["cells"][definition_in(folder, name)]["source"])
        with_cells(folder, {name: replaced(source, change)})
        return
    source = path.read_text(encoding="utf-8")
    if isinstance(change, str):
        path.write_text(with_body(source, name, change), encoding="utf-8")
        return
    node = defined(source)[name.split(".")[0]]
    lines = source.split("\n")
    start, end = node.body[0].end_lineno if ast.get_docstring(node) else node.lineno - 1, node.end_lineno
    lines[start:end] = [replaced("\n".join(lines[start:end]), change)]
    path.write_text("\n".join(lines), encoding="utf-8")


def replaced(source, change):
    if isinstance(change, str):
        return change
    for old, new in change:
        if old not in source:
            raise LookupError(f"{old!r} is not in the code")
        source = source.replace(old, new, 1)
    return source


def copy(folder, style):
    """A copy of the package, solved in a style."""
    shutil.copytree(ROOT / "cs231n", folder / "cs231n", ignore=shutil.ignore_patterns("__pycache__", "datasets"))
    (folder / "notebooks").mkdir()
    shutil.copy(ROOT / NOTEBOOK, folder / "notebooks")
    if style in STYLES:
        solve(folder, style)


def score(changes):
    """The row of the scoreboard for each of some mistakes: (exercise, style, change); no change is a solution."""
    done = subprocess.run(
        [sys.executable, Path(__file__)],
        cwd=ROOT,
        input=json.dumps(changes),
        capture_output=True,
        encoding="utf-8",
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def main():
    from tools.course import score as scoring
    from tools.course.learner import learner

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for exercise, style, change in json.load(sys.stdin):
            root = Path(folder).resolve() / style
            if not root.exists():
                root.mkdir()
                copy(root, style)
            path = root / place_of(exercise)[0]
            before = path.read_bytes()
            if change:
                plant(root, exercise, change)
            learner.root = root
            row = scoring.scoreboard([exercise], scoring.run_tests([exercise], 60, 120))["exercises"][0]
            path.write_bytes(before)
            print(json.dumps(row, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
