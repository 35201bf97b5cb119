"""The package's own code, shown in a lesson."""

import ast
import inspect
import os
import sys
import textwrap
from functools import reduce
from pathlib import Path

__all__ = ["show_source"]

PACKAGE = Path(__file__).parents[1]


def show_source(*objects):
    """Show the package's own code, below the cell: each function or class, its docstring cut to the summary.

    A link below the code leads to its file.

    Parameters
    ----------
    *objects : functions, methods, classes or str
        A string names a helper of the object before it, in the same class or module, and is passed over where there is
        none: code of one's own may do without.
    """
    from IPython.display import Markdown, display

    shown, files, owner = [], {}, None
    for item in objects:
        if isinstance(item, str):
            item = getattr(owner, item, None)
        else:
            *classes, _ = item.__qualname__.split(".")
            owner = reduce(getattr, classes, sys.modules[item.__module__])
        if item:
            shown.append(_brief_source(item))
            files[Path(getattr(sys.modules[item.__module__], "__file__", None) or "")] = None
    code = "\n\n".join(shown)
    display(Markdown(f"```python\n{code}\n```{_links(files)}"))


def _links(files):
    """A line of links to those files that belong to the package, as they are reached from the notebook."""
    links = ", ".join(
        f"[{file.relative_to(PACKAGE.parent).as_posix()}]({Path(os.path.relpath(file)).as_posix()})"
        for file in files
        if file.is_relative_to(PACKAGE)
    )
    return f"\nSource: {links}" if links else ""


def _brief_source(item):
    source = textwrap.dedent(inspect.getsource(item))
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node):
            docstring = node.body[0]
            summary = ast.get_docstring(node).splitlines()[0]
            first, last = docstring.lineno - 1, docstring.end_lineno
            lines[first:last] = [" " * docstring.col_offset + f'"""{summary}"""'] + [None] * (last - first - 1)
    return "\n".join(line for line in lines if line is not None)
