"""Lessons that go on where an exercise is not written yet; part of the student edition, as ``cs231n.notebook.pending``.

The exercises of the student edition raise :class:`cs231n.unwritten.Unwritten`. In a notebook that has called
:func:`install`, a statement that meets one does not end its cell: it prints a line with ☐ for each claim it would have
made, what it would have bound or changed becomes :class:`Pending`, and the next statement runs. A statement that uses
something pending is pending itself, and so what does not depend on the missing code still shows ✓ or ✗.

Every other error is raised as always. Where no exercise is unwritten any more, cells run as they are.
"""

import ast
import sys
import traceback
import types

import numpy as np

from cs231n.unwritten import Unwritten

__all__ = ["Pending", "install"]

NAME = "__pending__"  # of the installed object in a notebook
FIXED = (type, types.ModuleType, types.FunctionType, str, int, float, complex, type(None))


class Pending:
    """Stands for a value that could not be computed: every use raises ``Unwritten`` again.

    Parameters
    ----------
    reason : str
        Message of the error.
    """

    def __init__(self, reason):
        object.__setattr__(self, "_reason", reason)

    def __repr__(self):
        return f"☐ {_function_in(_reason_of(self))} is not implemented yet"


def _refuse(self, *args, **kwargs):
    raise Unwritten(_reason_of(self))


def _reason_of(pending):
    return object.__getattribute__(pending, "_reason")


_ARITHMETIC = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and xor or".split()
for _operation in [
    *[prefix + name for prefix in ("", "r", "i") for name in _ARITHMETIC if prefix + name != "idivmod"],
    *"eq ne lt le gt ge hash bool int float complex index neg pos abs invert round trunc floor ceil".split(),
    *"getattr setattr delattr getitem setitem delitem contains len iter next reversed call enter exit await".split(),
    *"str format array array_ufunc array_function".split(),
]:
    setattr(Pending, f"__{_operation}__", _refuse)


def install(shell):
    """Let the cells of a notebook that run after this one go on where an exercise is not written yet.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    """
    if NAME not in shell.user_ns_hidden:
        guard = _Guard(shell.user_ns)
        shell.user_ns_hidden[NAME] = shell.user_ns[NAME] = guard
        shell.events.register("pre_execute", guard.begin)
        shell.ast_transformers.append(guard)


class _Guard:
    """Puts each statement of a cell into ``try``, and judges the errors that arrive there.

    Only the cell itself is changed, never the code in a magic such as ``%timeit``: of all code that IPython transforms
    while a cell runs, the first.

    Parameters
    ----------
    namespace : dict
        The notebook's variables.
    """

    def __init__(self, namespace):
        self.namespace = namespace
        self.functions = {}  # those of the notebook, by name, as syntax trees
        self.begin()

    def begin(self):
        """Called before each cell."""
        self.is_new = True
        self.told = set()
        self.value = None

    def visit(self, module):
        """Called with the syntax tree of a cell, and with that of the code in a magic."""
        if self.is_new and self._an_exercise_is_unwritten(module):
            self.functions.update((node.name, node) for node in module.body if isinstance(node, ast.FunctionDef))
            module.body = _guarded(module.body)
        self.is_new = False
        return module

    def _an_exercise_is_unwritten(self, module):
        """Whether the package, the notebook or this cell names the exercises' error."""
        package = {name: vars(module) for name, module in sys.modules.items() if name.startswith("cs231n.")}
        for name in (Unwritten.__module__, __name__):
            package.pop(name, None)
        namespaces = [self.namespace, *package.values()]
        name = Unwritten.__name__
        return name in _loaded(module) or any(name in namespace for namespace in namespaces)

    def met(self, source):
        """What the ``except`` clause of a statement catches: the error, if an unwritten exercise is the cause.

        Any other error passes, with its traceback untouched.

        Parameters
        ----------
        source : str
            The statement.

        Returns
        -------
        type of the error, or an empty tuple
        """
        error = sys.exc_info()[1]
        (statement,) = ast.parse(source).body
        reason = self._cause(error, statement)
        if reason is None:
            return ()
        self._tell(reason, [*self._claims_in(statement), *self._claims_of_functions(error)])
        self._put_out(statement, Pending(reason))
        return type(error)

    def pop(self):
        """The value of the expression that was just computed; a cell's last one is displayed."""
        value, self.value = self.value, None
        return value

    def _cause(self, error, statement):
        """The message of the unwritten exercise that an error comes from, directly or by a pending value; else None."""
        if isinstance(error, Unwritten):
            return str(error)
        used = (self.namespace.get(name) for name in _loaded(statement)) if isinstance(error, Exception) else ()
        return next(filter(None, map(_first_reason, used)), None)

    def _tell(self, reason, claims):
        """Print a line for each claim or, without claims, for the exercise; the same line only once per cell."""
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")  # a figure without its data
        lines = [f"{claim} … not implemented yet" for claim in claims]
        for line in lines or [f"{_function_in(reason)} is not implemented yet"]:
            if line not in self.told:
                self.told.add(line)
                print(f"☐ {line}")

    def _claims_in(self, statement):
        bound = _stored(statement)
        known = {name: value for name, value in self.namespace.items() if name not in bound}
        return [_text(claim, known) for claim in _claims(statement)]

    def _claims_of_functions(self, error):
        """What functions of the notebook that the error has left would still have claimed."""
        for frame, line in traceback.walk_tb(error.__traceback__):
            function = self.functions.get(frame.f_code.co_name)
            if function is not None and frame.f_globals is self.namespace:
                for claim in _claims(*function.body):
                    if claim.lineno >= line:
                        yield _text(claim, {**self.namespace, **frame.f_locals})

    def _put_out(self, statement, pending):
        """Make pending what the statement binds, and what it may have been meant to change."""
        namespace = self.namespace
        altered = {name for name in _altered(statement) if not isinstance(namespace.get(name), FIXED)}
        passed = {name for name in _passed(statement) if _may_be_for_output(namespace.get(name))}
        namespace.update(dict.fromkeys(_stored(statement) | altered | passed, pending))


def _guarded(statements):
    """The statements that take the place of those of a cell, or of a loop in it."""
    guarded = []
    for statement in statements:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            guarded.append(statement)
            continue
        source = ast.unparse(statement)
        is_value = isinstance(statement, ast.Expr)
        template = f"try: {NAME}.value = None\nexcept {NAME}.met({source!r}): pass\n" + f"{NAME}.pop()" * is_value
        attempt, *shown = ast.parse(template).body
        for node in (attempt, *shown):
            for part in ast.walk(node):
                ast.copy_location(part, statement)
        if is_value:
            attempt.body[0].value = statement.value
        else:
            attempt.body = [statement]
            # What a loop claims may hold in the next round.
            if isinstance(statement, (ast.For, ast.With, ast.If)) and _claims(statement):
                statement.body = _guarded(statement.body)
                if getattr(statement, "orelse", None):
                    statement.orelse = _guarded(statement.orelse)
        guarded += [attempt, *shown]
    return guarded


def _function_in(reason):
    return reason.partition(":")[0]


def _first_reason(value, depth=3):
    """The reason of a pending value, or of the first one in a container; else None."""
    if isinstance(value, Pending):
        return _reason_of(value)
    entries = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return next(filter(None, (_first_reason(entry, depth - 1) for entry in entries if depth)), None)


def _may_be_for_output(value):
    """Whether an argument may have been meant to be changed: layer parameters, a net, axes; no data, no function."""
    if isinstance(value, dict):
        return not any(isinstance(entry, np.ndarray) for entry in value.values())
    is_data = any(hasattr(type(value), f"__{method}__") for method in ("array", "iter", "getitem"))
    return not (is_data or callable(value) or isinstance(value, FIXED))


def _text(claim, names):
    """A claim with what is known filled in."""
    text = ""
    for part in claim.values if isinstance(claim, ast.JoinedStr) else [claim]:
        expression = ast.JoinedStr([part]) if isinstance(part, ast.FormattedValue) else part
        try:
            text += str(eval(compile(ast.fix_missing_locations(ast.Expression(expression)), "", "eval"), names))
        except Exception:
            text += "…"
    return text


# What the statements of a notebook do


def _walk(*nodes):
    """Like ``ast.walk``, but not into functions and classes."""
    for node in nodes:
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            yield from _walk(*ast.iter_child_nodes(node))


def _claims(*statements):
    """What the calls of ``check`` in the statements claim, as expressions."""
    calls = [node for node in _walk(*statements) if isinstance(node, ast.Call) and node.args]
    names = [getattr(call.func, "id", getattr(call.func, "attr", None)) for call in calls]
    return [call.args[0] for call, name in zip(calls, names) if name == "check"]


def _loaded(statement):
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


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


def _passed(statement):
    """Names of what a statement passes to functions."""
    calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
    arguments = [value for call in calls for value in [*call.args, *(keyword.value for keyword in call.keywords)]]
    return {value.id for value in arguments if isinstance(value, ast.Name)}


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
