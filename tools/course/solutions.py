"""The workbook's own solutions: shown beside one's own to whoever has solved the exercise."""

import ast
import base64
import json
import textwrap
import zlib

from tools.course.exercises import EXERCISES, ROOT

__all__ = ["FILE", "beside", "pack"]

# In the student edition, where the code itself no longer stands. Packed, so that nobody reads them by mistake.
FILE = "tools/course/solutions.txt"


def sources(exercise, root):
    """The source of all that an exercise is: "file: name" and its code."""
    for file, name in exercise.places:
        path = root / file
        if path.suffix == ".ipynb":
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        else:
            texts = [path.read_text(encoding="utf-8")]
        for text in texts:
            lines = text.split("\n")
            for found, node in _defined(text):
                if found == name:
                    yield f"{file}: {name}", textwrap.dedent("\n".join(lines[node.lineno - 1 : node.end_lineno]))


def _defined(text):
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name, node
        if isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{part.name}", part) for part in node.body if isinstance(part, ast.FunctionDef))


def pack(root=ROOT):
    """All solutions as one line of text."""
    found = {exercise.name: dict(sources(exercise, root)) for exercise in EXERCISES}
    return base64.b64encode(zlib.compress(json.dumps(found, sort_keys=True).encode(), 9)).decode() + "\n"


def beside(name, root, is_done):
    """The learner's code of an exercise and the workbook's, as text; before it is done, what there is to do first."""
    if not is_done:
        return f"The solution of {name} is shown when your own has all points."
    (exercise,) = (exercise for exercise in EXERCISES if exercise.name == name)
    packed = ROOT / FILE
    if packed.is_file():
        theirs = json.loads(zlib.decompress(base64.b64decode(packed.read_text(encoding="utf-8"))))[name]
    else:
        theirs = dict(sources(exercise, ROOT))
    yours = dict(sources(exercise, root))
    if not theirs:
        return f"{name} has nothing of its own to write."
    parts = []
    for title, code in (("Yours", yours), ("The workbook's", theirs)):
        parts += [f"{title}\n{'=' * len(title)}", *(f"{place}\n\n{source}" for place, source in code.items())]
    return "\n\n".join(parts)
