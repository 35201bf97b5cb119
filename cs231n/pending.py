"""Lessons that go on where code is not written yet.

A function of the student edition that is still to be written raises ``NotImplementedError``. In a notebook that has
called :func:`install`, such a statement does not end its cell: it prints a line with ☐ for each claim it holds, what it
would have bound becomes :class:`Pending`, and the next statement runs. A statement that uses something pending is
pending itself, and so what does not depend on the missing code still shows ✓ or ✗. Every other error is raised as
always, and code that is complete runs as if nothing had been installed.
"""

import ast
import copy
import itertools
import sys
import types

import numpy as np

__all__ = ["Pending", "install", "require_known"]

NAME = "__pending__"  # of this module in a notebook
LEFT_ALONE = (ast.Import, ast.ImportFrom, ast.Pass, ast.Global, ast.Nonlocal, ast.AsyncFunctionDef)
LEFT_ALONE += (ast.Return, ast.Break, ast.Continue)


class Pending:
    """Stands for a value that could not be computed: every use raises ``NotImplementedError`` again.

    Parameters
    ----------
    reason : str
        Message of the error.
    """

    def __init__(self, reason):
        object.__setattr__(self, "_reason", reason)

    def __repr__(self):
        return f"☐ {_function_of(self._reason)} is not implemented yet"


def _refuse(self, *args, **kwargs):
    raise NotImplementedError(object.__getattribute__(self, "_reason"))


_ARITHMETIC = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and xor or".split()
for _operation in [
    *[prefix + name for prefix in ("", "r", "i") for name in _ARITHMETIC if prefix + name != "idivmod"],
    *"eq ne lt le gt ge hash bool int float complex index neg pos abs invert round trunc floor ceil".split(),
    *"getattr setattr delattr getitem setitem delitem contains len iter next reversed call enter exit await".split(),
    *"str format array array_ufunc array_function".split(),
]:
    setattr(Pending, f"__{_operation}__", _refuse)


def require_known(*values):
    """Raise ``NotImplementedError`` if one of the values is pending.

    Parameters
    ----------
    *values : objects
    """
    for value in values:
        if isinstance(value, Pending):
            _refuse(value)


def install(shell):
    """Let the cells of a notebook that run after this one go on where code is not written yet.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    """
    shell.user_ns_hidden[NAME] = shell.user_ns[NAME] = sys.modules[__name__]
    if not any(isinstance(transformer, _Transformer) for transformer in shell.ast_transformers):
        shell.ast_transformers.append(_Transformer())


# What the statements of a notebook call


def reason_of(error, names, *namespaces):
    """Which code is missing, if that is why there is an error; else None."""
    if isinstance(error, NotImplementedError):
        return str(error) or _place_of(error)
    values = (namespace[name] for name in names for namespace in namespaces if name in namespace)
    reason = next(filter(None, map(_pending_reason, values)), None)
    if reason is None and _missing and isinstance(error, (AttributeError, IndexError, KeyError, TypeError)):
        # Raised by the statement itself, in a cell that has met missing code: something was not changed in place.
        reason = None if error.__traceback__.tb_next else _missing[0]
    return reason


def tell(reason, claims):
    """Print a line for each claim or, without claims, for the missing function; the same line only once per cell.

    Parameters
    ----------
    reason : str
        From :func:`reason_of`.
    claims : list of lists
        The parts of each claim: text, or functions that return text.

    Returns
    -------
    Pending
        For what the statement would have bound.
    """
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")  # a figure without its data
    lines = ["".join(map(_text, parts)) + " … not implemented yet" for parts in claims]
    for line in lines or [f"{_function_of(reason)} is not implemented yet"]:
        if line not in _told:
            _told.add(line)
            print(f"☐ {line}")
    _missing.append(reason)
    return Pending(reason)


def altered(value, pending):
    """What becomes of an object that a statement was to change in place."""
    return value if isinstance(value, (type, types.ModuleType, types.FunctionType, str, int, float)) else pending


def passed(value, pending):
    """What becomes of an argument that the function may have been meant to change: layer parameters, a net, axes."""
    if isinstance(value, dict):
        return value if any(isinstance(entry, np.ndarray) for entry in value.values()) else pending
    is_read = callable(value) or hasattr(type(value), "__iter__") or hasattr(type(value), "__getitem__")
    return value if _is_plain(value) or is_read else pending


def zip_known(*iterables):
    """Like ``zip``, but a pending iterable counts as endless pending values, as long as another iterable ends."""
    if all(isinstance(iterable, Pending) for iterable in iterables):
        require_known(*iterables)
    return zip(*(itertools.repeat(a) if isinstance(a, Pending) else a for a in iterables))


# In this cell
_told = set()
_missing = []


def _text(part):
    try:
        return part if isinstance(part, str) else part()
    except Exception:
        return "…"


def _function_of(reason):
    return reason.partition(":")[0]


def _place_of(error):
    """The function that raised an error."""
    traceback = error.__traceback__
    while traceback.tb_next:
        traceback = traceback.tb_next
    return traceback.tb_frame.f_code.co_name


def _is_plain(value):
    """Whether a value is a module, an array of any library, or of a type of Python's own other than a dictionary."""
    kinds = (types.ModuleType, np.ndarray, np.generic, str, bytes, int, float, complex, list, tuple, set, range)
    return value is None or isinstance(value, kinds) or hasattr(value, "__array__")


def _pending_reason(value, depth=3):
    """The reason of a pending value, or of the first one in a container; else None."""
    if isinstance(value, Pending):
        return object.__getattribute__(value, "_reason")
    entries = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return next(filter(None, (_pending_reason(entry, depth - 1) for entry in entries if depth)), None)


# The statements of a notebook, made to go on


class _Transformer:
    """An AST transformer of IPython: puts each statement of a cell into a ``try``."""

    def visit(self, module):
        _told.clear()
        _missing.clear()
        module.body = _guard_all(module.body, None)
        return module


def _guard_all(body, local_names):
    return [guarded for statement in body for guarded in _guard(statement, local_names)]


def _guard(statement, local_names):
    """The statements that take the place of one.

    Parameters
    ----------
    statement : ast.stmt
    local_names : set of str or None
        Of the function it stands in; None at the top level.
    """
    claims = _claims(statement)
    if isinstance(statement, ast.FunctionDef):
        # A function that makes claims goes on after each of its statements; any other is left by the error.
        if _claims(*statement.body):
            statement.body = _guard_all(statement.body, _stored(*statement.body) | _parameters(statement))
        return [statement]
    if isinstance(statement, LEFT_ALONE) or _is_constant(statement):
        return [statement]

    handler = _handler(statement, claims, local_names)
    before, after = [], []
    if claims and isinstance(statement, (ast.For, ast.With, ast.If)):
        if isinstance(statement, ast.For):
            before = _open_zip(statement)
        for part in ("body", "orelse"):
            if hasattr(statement, part):
                setattr(statement, part, _guard_all(getattr(statement, part), local_names))
    elif isinstance(statement, ast.Expr) and local_names is None:
        # The value of a cell's last expression is displayed.
        value = "_pending_value"
        handler.body.extend(_parsed(f"{value} = None", statement))
        after = _parsed(value, statement)
        assignment = _parsed(f"{value} = None", statement)
        assignment[0].value = statement.value
        statement = assignment[0]
    guarded = ast.Try(body=[statement], handlers=[handler], orelse=[], finalbody=[])
    return [*before, ast.copy_location(guarded, statement), *after]


def _handler(statement, claims, local_names):
    """What is done when a statement fails: raise, or print its claims and mark what it would have bound or changed."""
    stored = sorted(_stored(statement))
    altered = _altered(statement)
    passed = {
        argument.id
        for call in ast.walk(statement)
        if isinstance(call, ast.Call)
        for argument in [*call.args, *(keyword.value for keyword in call.keywords)]
        if isinstance(argument, ast.Name)
    }
    lines = [
        "try: pass",
        "except Exception as _pending_error:",
        f"    _pending = {NAME}.reason_of(_pending_error, {sorted(_loaded(statement))}, locals(), globals())",
        "    if _pending is None: raise",
        f"    _pending = {NAME}.tell(_pending, [])",
        *(f"    {name} = _pending" for name in stored),
    ]
    for names, what in ((altered, "altered"), (passed - altered, "passed")):
        for name in sorted(names.difference(stored)):
            if local_names is None or name in local_names:
                lines += [
                    f"    try: {name} = {NAME}.{what}({name}, _pending)",
                    "    except NameError: pass",
                ]
    (parsed,) = _parsed("\n".join(lines), statement)
    handler = parsed.handlers[0]
    handler.body[2].value.args[1].elts = [_parts(claim, stored) for claim in claims]
    return handler


def _parsed(source, place):
    """The statements of ``source``, with the position of the node ``place``."""
    statements = ast.parse(source).body
    for statement in statements:
        for node in ast.walk(statement):
            ast.copy_location(node, place)
    return statements


def _is_constant(statement):
    """Whether a statement is a docstring or the like, which cannot fail."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _claims(*statements):
    """What the calls of ``check`` in the statements claim, as expressions."""
    calls = [node for node in _walk(*statements) if isinstance(node, ast.Call) and node.args]
    names = [getattr(call.func, "id", getattr(call.func, "attr", None)) for call in calls]
    return [call.args[0] for call, name in zip(calls, names) if name == "check"]


def _parts(claim, unknown):
    """A claim as a list of its parts: text, and functions that return the text of what is to be filled in.

    What is filled in with a name that is ``unknown``, because the statement itself was to bind it, is left open.
    """
    parts = claim.values if isinstance(claim, ast.JoinedStr) else [claim]
    elements = []
    for part in parts:
        if isinstance(part, ast.Constant):
            elements.append(ast.Constant(str(part.value)))
        elif _loaded(part).intersection(unknown):
            elements.append(ast.Constant("…"))
        else:
            (function,) = _parsed("lambda: str()", claim)
            part = copy.deepcopy(part)
            is_filled_in = isinstance(part, ast.FormattedValue)
            function.value.body.args = [ast.JoinedStr([part]) if is_filled_in else part]
            elements.append(function.value)
    return ast.List([ast.copy_location(element, claim) for element in elements], ast.Load())


def _open_zip(loop):
    """Let ``for … in zip(…)`` run where some iterables are pending; returns the statements that go before it."""
    call = loop.iter
    if not isinstance(call, ast.Call) or getattr(call.func, "id", None) != "zip" or call.keywords:
        return []
    if any(isinstance(argument, ast.Starred) for argument in call.args):
        return []
    before = []
    for i, argument in enumerate(call.args):
        if any(isinstance(node, ast.Call) for node in ast.walk(argument)):
            name = f"_pending_{loop.lineno}_{i}"
            assignment = _parsed(f"{name} = None", argument)
            assignment[0].value = argument
            before += _guard(assignment[0], set())
            call.args[i] = ast.copy_location(ast.Name(name, ast.Load()), argument)
    call.func = ast.copy_location(ast.Attribute(ast.Name(NAME, ast.Load()), "zip_known", ast.Load()), call.func)
    return before


def _walk(*nodes):
    """Like ``ast.walk``, but not into functions and classes."""
    for node in nodes:
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            yield from _walk(*ast.iter_child_nodes(node))


def _stored(*statements):
    """Names that statements bind."""
    names = set()
    comprehended = set()
    for node in _walk(*statements):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.comprehension):
            comprehended |= {name.id for name in ast.walk(node.target) if isinstance(name, ast.Name)}
    return names - comprehended


def _parameters(function):
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return {argument.arg for argument in every if argument}


def _loaded(statement):
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def _altered(statement):
    """Names of objects that a statement changes in place: ``a[…] = …``, ``a.b = …``, ``a.append(…)``."""
    names = set()
    for node in _walk(statement):
        if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            names.add(_root(node))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            names.add(_root(node.value.func) if isinstance(node.value.func, ast.Attribute) else None)
    # What a loop's variable stands for changes with it.
    for node in _walk(statement):
        if isinstance(node, ast.For) and names & _stored(node):
            names |= _loaded(node.iter)
    return names - {None}


def _root(node):
    """The name that ``a[…].b(…).c`` begins with."""
    while isinstance(node, (ast.Subscript, ast.Attribute, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None
