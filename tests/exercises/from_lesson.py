"""What a lesson's cells define, without running the lesson."""

import ast

import numpy as np
import torch
import torch.nn.functional as F
from IPython.core.inputtransformer2 import TransformerManager
from torch import nn

from tools.lessons.notebook_files import read_notebook


def definition(path, name):
    """A function or class that a notebook defines at the top level of a cell.

    All imports and definitions of the notebook are run, so that one may use another; nothing else is.

    Parameters
    ----------
    path : Path
    name : str

    Raises
    ------
    AssertionError
        If there is none.
    """
    namespace = {"torch": torch, "nn": nn, "F": F, "np": np}
    for cell in read_notebook(path).cells:
        if cell.cell_type != "code":
            continue
        try:
            statements = ast.parse(TransformerManager().transform_cell(cell.source)).body
        except SyntaxError as error:
            if f" {name}(" in cell.source:
                raise AssertionError(f"{name}: {error.msg}, line {error.lineno} of its cell") from None
            continue
        for statement in statements:
            if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                run(statement, namespace, path, may_fail=statement.name != name)
            elif isinstance(statement, (ast.Import, ast.ImportFrom)):
                run(statement, namespace, path, may_fail=True)
    if name not in namespace:
        raise AssertionError(f"{name}: no cell of {path.name} defines it")
    return namespace[name]


def run(statement, namespace, path, may_fail):
    try:
        exec(compile(ast.Module([statement], []), str(path), "exec"), namespace)
    except Exception:
        if not may_fail:
            raise
