"""The package's own code, shown in a lesson."""

import ast
import inspect
import textwrap

__all__ = ["show_source"]


def show_source(*objects):
    """Show the package's own code, below the cell: each function or class, its docstring cut to the summary.

    Parameters
    ----------
    *objects : functions, methods or classes
    """
    from IPython.display import Markdown, display

    code = "\n\n".join(_brief_source(item) for item in objects)
    display(Markdown(f"```python\n{code}\n```"))


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
